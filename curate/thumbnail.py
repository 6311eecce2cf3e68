"""Thumbnails: what a finished sample's media look like, small enough to stand inside a page as a data URI.

    image    the PNG member, shrunk to `SIDE` pixels
    volume   one axial slice, as radiologists look at it (anterior up, the patient's right on the left); of chosen
             slices one of those, in their own plane; its pixels made square by the spacing, windowed, with the outlines
             of the masks that travel with it on the same grid
    video    four frames, evenly spread, two by two

Orientation follows the affine; a volume without one is shown as its middle slice along z, rows down. Pictures are for
looking over a corpus: they are 8-bit, resampled and may be JPEG; no number is read from them. Not covered: overlays on
images and video, because no mask travels with those.
"""

from __future__ import annotations

import base64
import io
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from curate.arrays import Array, Volume, decode_npy_gz, decode_picture
from curate.image import apply_window, fit
from curate.video.mjpeg import split_mjpeg
from curate.volume.grids import display_codes, reorient
from manifests.errors import RecordError

SIDE = 320  # pixels of the longer side
MAX_SAMPLE = 1 << 28  # bytes of one sample
MAX_INFLATED = 1 << 29  # bytes of one volume or label map
JPEG_QUALITY = 86
SOFT_TISSUE = (40.0, 400.0)  # HU, centre and width, where a CT brings no window
FRAMES = 4
SLICES_PER_S = 8.0  # of a volume shown as a clip, which has no times
GAP = 4  # pixels between frames
UNEVEN = 0.01  # by which rows and columns may differ in spacing
PLANES = {"S": "axial", "I": "axial", "A": "coronal", "P": "coronal", "L": "sagittal", "R": "sagittal"}
FILL = 0.15  # opacity of a mask inside its outline
COLOURS = ("#ffb000", "#22c3e6", "#ff6f91", "#8ce563", "#b79bff", "#ff8a3d", "#2fe0b0", "#f4f06a")

Pixels = NDArray[np.uint8]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Picture:
    """`uri` is a PNG or JPEG data URI of `width` x `height` pixels; `note` says what is shown; `legend` names masks."""

    uri: str
    width: int
    height: int
    note: str
    legend: tuple[tuple[str, str], ...] = ()  # (label, colour)


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Slices along the first axis, rows and columns as shown; `pixel_mm` is (row, column) spacing; `affine` is that of
    the turned grid, None where it is not known."""

    slices: Array
    pixel_mm: tuple[float, float]
    plane: str = "middle"
    affine: NDArray[np.float64] | None = None


def members_at(shard: Path, offset: int, size_bytes: int) -> dict[str, bytes]:
    """A sample's members by their suffix (`json`, `png`, `masks.npy.gz`), read at its place in the shard.

    Raises RecordError `too_large`; OSError and tarfile's errors where the bytes are not what the ledger says."""
    if size_bytes > MAX_SAMPLE:
        raise RecordError("too_large", f"{size_bytes} bytes", f"samples of at most {MAX_SAMPLE} bytes are shown")
    with shard.open("rb") as stream:
        stream.seek(offset)
        span = io.BytesIO(stream.read(size_bytes))
    members = {}
    with tarfile.open(fileobj=span, mode="r:") as archive:
        for entry in archive:
            file = archive.extractfile(entry)
            if file is not None:
                members[entry.name.partition(".")[2]] = file.read()
    return members


def picture_of(media: list[dict[str, Any]], members: Mapping[str, bytes]) -> Picture | None:
    """The picture of a sample's `media` entries (KEY.json) over its members' bytes; None where it has none.

    Raises RecordError: `bad_array`, `too_large`, `corrupt_video`, `video_support_missing` and others of the decoders.
    """
    shown = next((m for m in media if m["kind"] != "mask"), None)
    if shown is None:
        return None
    data = members[shown["member"]]
    if shown["kind"] == "image":
        return _image(decode_picture(data))
    if shown["member"] == "mjpeg":
        return _sheet([decode_picture(image) for image in _chosen(split_mjpeg(data))], shown)
    if shown["member"] == "mp4":
        return _video(data, shown)
    return _volume(data, shown, [m for m in media if m["kind"] == "mask"], members)


def _image(pixels: Pixels) -> Picture:
    small, _ = fit(pixels, SIDE)
    return _picture(small, f"{pixels.shape[1]} × {pixels.shape[0]} px")


def _chosen(frames: Sequence[T]) -> list[T]:
    """`FRAMES` of them, evenly spread."""
    return [frames[k] for k in sorted({int((n + 0.5) * len(frames) / FRAMES) for n in range(FRAMES)})]


def _video(data: bytes, media: dict[str, Any]) -> Picture:
    from curate.video import read_frames

    times = media["times_s"] or [n / SLICES_PER_S for n in range(media["shape"][0])]
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        clip.write_bytes(data)
        frames = read_frames(clip, _chosen(range(len(times))), times)
    return _sheet(list(frames), media)


def _sheet(frames: list[Pixels], media: dict[str, Any]) -> Picture:
    """Frames of a clip, or of a volume shown as one, two by two."""
    tiles = [fit(_squared(frame, media), SIDE // 2)[0] for frame in frames]
    height, width = tiles[0].shape[:2]
    across = 1 if len(tiles) == 1 else 2
    down = -(-len(tiles) // across)
    sheet = np.zeros((down * (height + GAP) - GAP, across * (width + GAP) - GAP, 3), np.uint8)
    for index, tile in enumerate(tiles):
        top, left = index // across * (height + GAP), index % across * (width + GAP)
        sheet[top : top + height, left : left + width] = tile if tile.ndim == 3 else tile[..., None]
    times = media["times_s"]
    if not times or media.get("slices"):
        return _picture(sheet, f"{len(tiles)} of {media['shape'][0]} slices")
    at = ", ".join(f"{time:.1f}" for time in _chosen(times))
    count = "one frame" if len(times) == 1 else f"{len(tiles)} of {len(times)} frames"
    return _picture(sheet, f"{count}, at {at} s")


def _squared(frame: Pixels, media: dict[str, Any]) -> Pixels:
    """A frame with square pixels, where its spacing says that they are not."""
    spacing = media.get("spacing_mm")
    if not spacing or abs(spacing[0] / spacing[1] - 1) < UNEVEN:
        return frame
    size = _square(frame.shape[0], frame.shape[1], (spacing[0], spacing[1]))
    return np.asarray(PIL.Image.fromarray(np.ascontiguousarray(frame)).resize(size, PIL.Image.Resampling.BICUBIC))


def _volume(data: bytes, media: dict[str, Any], masks: list[dict[str, Any]], members: Mapping[str, bytes]) -> Picture:
    stack = stack_of(decode_npy_gz(data, MAX_INFLATED), media)
    index = len(stack.slices) // 2
    maps, drawn = _drawn(media, masks, members, stack)
    labels = None
    if maps is not None:
        if not maps[index].any():
            index = int(np.count_nonzero(maps, axis=(1, 2)).argmax())
        labels = maps[index]
    window = media["window"] or (SOFT_TISSUE if media["units"] == "HU" else None)
    grey = apply_window(stack.slices[index], tuple(window) if window else None)
    if media["inverted"]:
        grey = np.subtract(255, grey, dtype=np.uint8)
    size = _square(grey.shape[0], grey.shape[1], stack.pixel_mm)
    shown = np.asarray(PIL.Image.fromarray(np.ascontiguousarray(grey)).resize(size, PIL.Image.Resampling.BICUBIC))
    note = f"{stack.plane} slice {index + 1} of {len(stack.slices)}{' shown' if media.get('slices') else ''}"
    if window:
        note += f", window {window[0]:g} / {window[1]:g}"
    if labels is None:
        return _picture(shown, note)
    colours = [(m["value"], m["label"], COLOURS[i % len(COLOURS)]) for i, m in enumerate(drawn)]
    outlined = _outlined(shown, _nearest(labels, size), [(value, colour) for value, _, colour in colours])
    present = set(np.unique(labels).tolist())
    return _picture(outlined, note, tuple((label, colour) for value, label, colour in colours if value in present))


def _drawn(
    media: dict[str, Any], masks: list[dict[str, Any]], members: Mapping[str, bytes], stack: Stack
) -> tuple[Array | None, list[dict[str, Any]]]:
    """The first label map on the slices of the stack, and its masks; None where it lies on another grid."""
    chosen = media.get("slices")
    drawn = [m for m in masks if m["member"] == masks[0]["member"]]
    same = [m for m in drawn if (m["shape"], m["affine"]) == (media["shape"], media["affine"])]
    if not drawn or (not same and (not chosen or stack.affine is None)):
        return None, []
    turned = stack_of(decode_npy_gz(members[drawn[0]["member"]], MAX_INFLATED), {**drawn[0], "slices": chosen})
    if not chosen:
        return turned.slices, drawn
    fits = turned.slices.shape[1:] == stack.slices.shape[1:] and len(turned.slices) > max(chosen)
    if not fits or turned.affine is None or stack.affine is None or not np.allclose(turned.affine, stack.affine):
        return None, []
    return turned.slices[np.array(chosen)], drawn


def stack_of(array: Array, media: dict[str, Any]) -> Stack:
    """Axial slices from inferior to superior, rows from anterior, columns from the patient's right; of chosen slices
    those, in their own order and plane."""
    if array.ndim != 3:
        array = array.reshape([n for n in array.shape if n != 1] or [1])
    if array.ndim != 3:
        raise RecordError("no_picture", f"{array.ndim} axes longer than one", "look at it with a viewer")
    if media["affine"] is None:
        return Stack(array, (1.0, 1.0))
    volume = Volume(array, np.asarray(media["affine"], np.float64), units="display")
    if any(code is None for code in _codes(volume)):
        return Stack(array, (1.0, 1.0))
    turned = reorient(volume, display_codes(volume) if media.get("slices") else "LPS")
    return Stack(turned.voxels, turned.spacing_mm[1:], PLANES[turned.orientation[2]], turned.affine)


def _codes(volume: Volume) -> tuple[str | None, ...]:
    """nibabel's axis codes, None for an axis that has no length."""
    from nibabel import orientations

    codes: Any = orientations  # its functions are not annotated
    return tuple(codes.aff2axcodes(volume.affine))


def _square(rows: int, columns: int, pixel_mm: tuple[float, float]) -> tuple[int, int]:
    """(width, height) of square pixels with the longer side `SIDE`."""
    height, width = rows * pixel_mm[0], columns * pixel_mm[1]
    scale = SIDE / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _nearest(labels: Array, size: tuple[int, int]) -> Array:
    width, height = size
    rows = (np.arange(height) + 0.5) * labels.shape[0] / height
    columns = (np.arange(width) + 0.5) * labels.shape[1] / width
    chosen: Array = labels[rows.astype(int)[:, None], columns.astype(int)[None, :]]
    return chosen


def _outlined(grey: Pixels, labels: Array, colours: list[tuple[int, str]]) -> Pixels:
    """The slice in RGB with every mask tinted and its inner border drawn."""
    rgb = np.repeat(grey[..., None], 3, axis=2).astype(np.float64)
    for value, colour in colours:
        paint = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.float64)
        inside = labels == value
        wide = np.pad(inside, 1)
        core = wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
        rgb[inside] = (1 - FILL) * rgb[inside] + FILL * paint
        rgb[inside & ~core] = paint
    return np.rint(rgb).astype(np.uint8)


def _picture(pixels: Pixels, note: str, legend: tuple[tuple[str, str], ...] = ()) -> Picture:
    """The smaller of PNG and JPEG: test patterns stay sharp, tissue stays small."""
    image = PIL.Image.fromarray(np.ascontiguousarray(pixels))
    png, jpeg = io.BytesIO(), io.BytesIO()
    image.save(png, "PNG", optimize=True)
    image.save(jpeg, "JPEG", quality=JPEG_QUALITY)
    name, data = min((("png", png.getvalue()), ("jpeg", jpeg.getvalue())), key=lambda choice: len(choice[1]))
    uri = f"data:image/{name};base64,{base64.b64encode(data).decode()}"
    return Picture(uri, image.width, image.height, note, legend)
