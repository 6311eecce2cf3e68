"""One picture of a sample, and structures as it shows them; pictures that a draft makes itself.

A pixel of a picture belongs to a structure where its centre does: in a 2D mask on the canonical image, which the
picture shows whole, cropped (`Media.crop`), shrunk or stretched (`Media.scale`), or in a 3D mask that a picture of one
slice (`Media.affine` and one index in `Media.slices`) cuts. Boxes are absolute pixels of the picture, half-open. Slices
are shown as radiologists look at them where their rows and columns allow it by turning them over alone: axial with
anterior up and the patient's left on the right, coronal with the head up, sagittal with anterior on the left; the
affine follows. Everything is elementwise arithmetic, so that a picture has the same pixels on every machine. Not
covered: slices of another plane than the volume's own, slices of volumes that were encoded as a clip.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import math
import re
from collections.abc import Callable, Sequence

import numpy as np

from manifests.errors import VerificationError
from manifests.record import Affine, Media
from manifests.sample import Made
from synth.boxes import Box2D, box_of
from synth.grids import along_axes, steps_mm
from synth.mask_programs import grid_plane
from synth.shapes import Array, Bools, Part
from synth.views import MediaView, load, object_part, objects, structure

SOFT_TISSUE = (40.0, 400.0)  # HU, centre and width, where a CT brings no window
TAILS = 0.5  # per cent of the values at either end beyond which a volume without a window is shown black or white
_HALF_UP = 1e-6
_SAME = 1e-6  # the relative difference of ratios that are equal
_AXES = {"axial": (1, 0), "coronal": (2, 0), "sagittal": (2, 1)}  # RAS+ axis of rows and of columns
_GROWS = {"axial": (-1, -1), "coronal": (-1, -1), "sagittal": (-1, -1)}  # down: back or feet; right: left or back


def picture(view: MediaView, member: str) -> Media:
    """The picture of that name; raises `VerificationError` where the sample has none."""
    found = [m for m in view.media if m.kind == "image" and m.member == member]
    if len(found) != 1:
        raise VerificationError(f"the sample has {len(found)} pictures named {member[:40]!r}")
    return found[0]


def pixels_of(view: MediaView, member: str) -> Array:
    """The uint8 pixels (y, x) or (y, x, 3) of a picture; raises `VerificationError`."""
    found = load(view, picture(view, member))
    if found.dtype != np.uint8 or found.ndim not in (2, 3):
        raise VerificationError(f"picture {member[:40]!r} is not 8-bit")
    return found


def pixels_sha256(pixels: Array) -> str:
    """sha256 over the shape, as text, and the bytes of 8-bit pixels."""
    return hashlib.sha256(f"{pixels.shape}".encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()


# --- structures in a picture -----------------------------------------------------------------------------------------


def inside(view: MediaView, name: str, member: str) -> Bools:
    """(y, x): which pixels of a picture show a structure. Raises `VerificationError` where none does."""
    media, part = structure(view, name)
    out = _shown_part(view, media, part, member)
    if not out.any():
        raise VerificationError(f"picture {member[:40]!r} does not show {name!r}")
    return out


def objects_inside(view: MediaView, name: str, member: str) -> list[Bools]:
    """The same of each of the objects that the source tells apart in a structure and the picture shows; [] where it
    marked the structure as one."""
    marked = objects(view, name)
    if not marked:
        return []
    media, _ = structure(view, name)
    found = (_shown_part(view, media, object_part(view, one), member) for one in marked)
    return [hits for hits in found if hits.any()]


def _shown_part(view: MediaView, media: Media, part: Part, member: str) -> Bools:
    shown, name = picture(view, member), media.label
    if part.inside.ndim == 2 and _number(member) != "1":
        raise VerificationError(f"picture {member[:40]!r} is not the first, of which mask {name!r} is")
    flat = _flat(shown, media) if part.inside.ndim == 2 else _slice(shown, media)
    height, width = shown.shape[:2]
    plane = part.inside
    if part.inside.ndim == 3:
        at = math.floor(flat[0](0.0) + _HALF_UP) - part.start[0]
        plane = part.inside[at] if 0 <= at < len(part.inside) else np.zeros((0, 0), np.bool_)
    out = np.zeros((height, width), np.bool_)
    rows = _indices(flat[-2], height, part.start[-2], plane.shape[0])
    columns = _indices(flat[-1], width, part.start[-1], plane.shape[1])
    hit_rows, hit_columns = np.flatnonzero(rows >= 0), np.flatnonzero(columns >= 0)
    if hit_rows.size and hit_columns.size:
        out[np.ix_(hit_rows, hit_columns)] = plane[np.ix_(rows[hit_rows], columns[hit_columns])]
    return out


def _number(member: str) -> str:
    """Which of a record's pictures a member shows, in the order of `Fact.at`; what a draft makes is of the first."""
    number = re.match(r"image(\d{1,4})\.", member)
    return number[1] if number else "1"


def _indices(place: Callable[[float], float], count: int, first: int, size: int) -> Array:
    """For each row or column of the picture its index in the cropped mask; -1 outside."""
    at = [math.floor(place(float(n)) + _HALF_UP) - first for n in range(count)]
    return np.array([n if 0 <= n < size else -1 for n in at], np.int64)


def _flat(shown: Media, mask: Media) -> list[Callable[[float], float]]:
    """Where the centre of a row, then of a column, lies along the mask's axis, in indices counted from their edges."""
    top, left, bottom, right = shown.crop or (0, 0, mask.shape[0], mask.shape[1])
    if not (0 <= top < bottom <= mask.shape[0] and 0 <= left < right <= mask.shape[1]):
        raise VerificationError(f"picture {shown.member} is cropped beyond a mask of shape {mask.shape}")
    if shown.affine is not None:
        raise VerificationError(f"picture {shown.member} shows a slice, and the mask is flat")
    ratios = [shown.shape[0] / (bottom - top), shown.shape[1] / (right - left)]
    stretched = any(abs((bottom - top, right - left)[k] * ratios[1 - k] - shown.shape[k]) > 1 for k in (0, 1))
    if stretched and (
        shown.scale is None or any(abs(r - s) > _SAME * s for r, s in zip(ratios, shown.scale, strict=True))
    ):
        raise VerificationError(f"a mask of shape {mask.shape} and picture {shown.member} are not alike")
    return [lambda n: top + (n + 0.5) / ratios[0], lambda n: left + (n + 0.5) / ratios[1]]


def _slice(shown: Media, mask: Media) -> list[Callable[[float], float]]:
    """The same of a slice, behind where it lies along the mask's first axis."""
    if shown.affine is None or mask.affine is None or shown.slices is None or len(shown.slices) != 1:
        raise VerificationError(f"picture {shown.member} does not say which slice of the mask's space it shows")
    z = shown.slices[0]
    x, y, deep = along_axes(shown.affine, (shown.shape[1], shown.shape[0], z + 1), mask.affine, (0, 1, 2))
    return [
        lambda _: deep.scale * z + deep.offset + 0.5,
        lambda n: y.scale * n + y.offset + 0.5,
        lambda n: x.scale * n + x.offset + 0.5,
    ]


def bounds(hits: Bools) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of what is marked, half-open; something is."""
    rows, columns = np.flatnonzero(hits.any(axis=1)), np.flatnonzero(hits.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def stated_names(view: MediaView) -> tuple[str, ...]:
    """What the sample's 2D box facts are about, each once; masks of the same name go before."""
    masks = {m.label for m in view.media if m.kind == "mask"}
    named = (f.about for f in view.facts if f.name == "box" and f.about and f.value.count(",") == 3)
    return tuple(name for name in dict.fromkeys(named) if name not in masks)


def stated_boxes(view: MediaView, about: str, member: str) -> list[tuple[int, int, int, int]]:
    """The boxes that facts give something, in pixels of a picture: clipped to it, their edges rounded to the nearest.

    A fact's box is in pixels of the canonical image; one that says of which of several images it is true (`Fact.at`)
    is of that one alone, any other of the first. Raises `VerificationError` where there is none in the picture.
    """
    shown = picture(view, member)
    if shown.affine is not None:
        raise VerificationError(f"picture {shown.member} shows a slice; 2D boxes are not of it")
    found = []
    for fact in view.facts:
        here = (fact.at or "1") == _number(member)
        if here and fact.name == "box" and fact.about == about and fact.value.count(",") == 3:
            box = box_of(fact.value)
            placed = _in_picture(box, shown) if isinstance(box, Box2D) else None
            found += [placed] if placed else []
    if not found:
        raise VerificationError(f"no fact gives {about[:40]!r} a box in picture {member[:40]!r}")
    return found


def _in_picture(box: Box2D, shown: Media) -> tuple[int, int, int, int] | None:
    top, left = shown.crop[:2] if shown.crop else (0, 0)
    scale = shown.scale or (1.0, 1.0)
    height, width = shown.shape[:2]
    x0, x1 = (min(max(math.floor((x - left) * scale[1] + 0.5), 0), width) for x in (box.x0, box.x1))
    y0, y1 = (min(max(math.floor((y - top) * scale[0] + 0.5), 0), height) for y in (box.y0, box.y1))
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


# --- pictures that drafts make ---------------------------------------------------------------------------------------


def made_picture(member: str, pixels: Array, like: Media | None = None, target: str = "made") -> Made:
    """A PNG of uint8 (y, x) or (y, x, 3); what it says of space is `like`'s."""
    import PIL.Image

    stream = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG")
    data = stream.getvalue()
    media = Media(
        member=member,
        kind="image",
        shape=tuple(int(n) for n in pixels.shape),
        dtype="uint8",
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        target=target,
        units="display",
    )
    if like is not None:
        kept = {name: getattr(like, name) for name in ("spacing_mm", "affine", "slices", "crop", "scale")}
        media = dataclasses.replace(media, **kept)
    return Made(media, data)


def with_pictures(view: MediaView, shows: Sequence[str], made: Sequence[tuple[Made, Array]]) -> MediaView:
    """The view of a sample that carries these members of the record's (label maps by their own name) and these made
    pictures behind them."""
    arrays = {one.media.member: pixels for one, pixels in made}
    kept = tuple(m for m in view.media if m.member.partition("#")[0] in shows)

    def read(member: str) -> Array:
        return arrays[member] if member in arrays else view.load(member)

    return dataclasses.replace(view, media=(*kept, *(one.media for one, _ in made)), load=read)


def slice_picture(view: MediaView, volume: Media, index: int, member: str) -> tuple[Made, Array]:
    """Slice `index` of array axis 0 of a volume as a picture, in its window (soft tissue of a CT without one; else from
    the 0.5th to the 99.5th percentile of the slice). Raises `VerificationError` without an affine."""
    if volume.affine is None:
        raise VerificationError(f"member {volume.member} has no affine, so a slice of it has no place")
    plane = load(view, volume)[index]
    if plane.dtype.kind not in "iufb" or plane.ndim != 2:
        raise VerificationError(f"member {volume.member} is not a volume of single numbers")
    grey = _grey(plane.astype(np.float64), volume)
    affine, down, across = _upright(volume.affine, (plane.shape[0], plane.shape[1]), volume.member)
    shown = np.ascontiguousarray(grey[:: -1 if down else 1, :: -1 if across else 1])
    number = index if volume.slices is None else volume.slices[index]
    spacing = steps_mm(volume.affine)[1:]
    like = dataclasses.replace(volume, spacing_mm=spacing, affine=affine, slices=(number,), crop=None, scale=None)
    made = made_picture(member, shown, like, target=f"slice_{number}")
    return made, shown


def _grey(plane: Array, volume: Media) -> Array:
    window = volume.window or (SOFT_TISSUE if volume.units == "HU" else None)
    if window is not None:
        low, high = window[0] - window[1] / 2, window[0] + window[1] / 2
    else:
        flat = plane[np.isfinite(plane)].reshape(-1)
        if not flat.size:
            raise VerificationError(f"member {volume.member} has a slice without numbers")
        ranks = [int(flat.size * share / 100) for share in (TAILS, 100 - TAILS)]
        ordered = np.partition(flat, ranks)
        low, high = float(ordered[ranks[0]]), float(ordered[ranks[1]])
    scaled = (np.nan_to_num(plane, nan=low) - low) / max(high - low, 1e-12)
    grey = np.rint(np.clip(scaled, 0.0, 1.0) * 255).astype(np.uint8)
    return np.subtract(255, grey, dtype=np.uint8) if volume.inverted else grey


def _upright(affine: Affine, size: tuple[int, int], member: str) -> tuple[Affine, bool, bool]:
    """The affine of the turned slice, and whether rows and columns are turned over; left alone where they would have
    to be exchanged, or the plane is oblique."""
    plane = grid_plane(affine, member)
    rows_x = [[row[k] for row in affine[:3]] for k in (1, 0)]
    flips = [False, False]
    if plane in _AXES:
        for k in (0, 1):
            axis, grows = _AXES[plane][k], _GROWS[plane][k]
            main = max(range(3), key=lambda n, k=k: abs(rows_x[k][n]))  # type: ignore[misc]
            flips[k] = main == axis and rows_x[k][axis] * grows < 0
        aligned = all(abs(rows_x[k][_AXES[plane][k]]) == max(map(abs, rows_x[k])) for k in (0, 1))
        flips = flips if aligned else [False, False]
    out = []
    for row in affine[:3]:
        x, y, z, origin = row
        origin += (y * (size[0] - 1) if flips[0] else 0.0) + (x * (size[1] - 1) if flips[1] else 0.0)
        out.append((-x if flips[1] else x, -y if flips[0] else y, z, origin))
    a, b, c, d = affine[3]
    return (out[0], out[1], out[2], (a, b, c, d)), flips[0], flips[1]


def crop_of(pixels: Array, box: tuple[int, int, int, int], factor: int) -> Array:
    """The pixels of a box, enlarged by a whole factor: bilinear between pixel centres, in steps of 1/256.

    Raises `VerificationError` for a box that is empty or reaches beyond the picture, and a factor outside 1 to 8.
    """
    x0, y0, x1, y1 = box
    if not (0 <= x0 < x1 <= pixels.shape[1] and 0 <= y0 < y1 <= pixels.shape[0]):
        raise VerificationError(f"the box does not lie in a picture of {pixels.shape[1]} x {pixels.shape[0]} pixels")
    if not 1 <= factor <= 8:
        raise VerificationError("a crop is enlarged by a whole factor from 1 to 8")
    return enlarged(pixels[y0:y1, x0:x1], ((y1 - y0) * factor, (x1 - x0) * factor))


def enlarged(pixels: Array, size: tuple[int, int]) -> Array:
    """uint8 (y, x[, c]) drawn over `size` (y, x) pixels, bilinear, clamped at the border; integer arithmetic."""
    out = pixels.astype(np.int64)
    for axis in (0, 1):
        count, wanted = pixels.shape[axis], size[axis]
        if count == wanted:
            out = out * 256
            continue
        places = [min(max(((2 * n + 1) * count * 128) // wanted - 128, 0), (count - 1) * 256) for n in range(wanted)]
        low = np.array([p // 256 for p in places], np.int64)
        share = np.array([p % 256 for p in places], np.int64)
        share = share.reshape((-1,) + (1,) * (out.ndim - 1 - axis))
        first, second = np.take(out, low, axis), np.take(out, np.minimum(low + 1, count - 1), axis)
        out = first * (256 - share) + second * share
    return ((out + 32768) // 65536).astype(np.uint8)
