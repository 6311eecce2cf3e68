"""The pictures of a record that go with a question to a teacher: what is shown, small, as radiologists look at it.

    image    itself
    volume   evenly spread slices, axial, anterior up, the patient's right on the left; chosen slices in their own
             plane; with square pixels, in the window of the volume (soft tissue for a CT without one)
    video    evenly spread frames

All are 8-bit PNG, none longer than asked. A picture's digest is over its pixels. A volume without an affine is shown
along its first axis, rows down.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from curate.arrays import decode_npy_gz, decode_picture
from curate.image import apply_window, fit
from curate.thumbnail import MAX_INFLATED, SOFT_TISSUE, UNEVEN, stack_of
from curate.video.mjpeg import split_mjpeg
from manifests.record import Media
from synth.chat import Picture

Pixels = NDArray[np.uint8]
T = TypeVar("T")


def looker(media: Sequence[Media], read: Callable[[str], bytes]) -> Callable[[int, int], tuple[Picture, ...]]:
    """`MediaView.look` over members: `look(most, side)`, at most `most` pictures in all, none longer than `side`."""
    shown = [m for m in media if m.kind != "mask"]

    @functools.lru_cache(maxsize=1)  # the tasks of a record ask for the same ones
    def look(most: int, side: int) -> tuple[Picture, ...]:
        share = max(1, most // max(1, len(shown)))
        pixels = [p for m in shown[:most] for p in _pixels(m, read(m.member), 1 if m.kind == "image" else share)]
        return tuple(_picture(fit(p, side)[0]) for p in pixels)

    return look


def _pixels(media: Media, data: bytes, most: int) -> list[Pixels]:
    if media.kind == "image":
        return [decode_picture(data)]
    if media.member == "mjpeg":
        return [_squared(decode_picture(frame), media.spacing_mm) for frame in _spread(split_mjpeg(data), most)]
    if media.member == "mp4":
        return [_squared(frame, media.spacing_mm) for frame in _frames(data, media, most)]
    stack = stack_of(decode_npy_gz(data, MAX_INFLATED), dataclasses.asdict(media))
    window = media.window or (SOFT_TISSUE if media.units == "HU" else None)
    out = []
    for voxels in _spread(list(stack.slices), most):
        grey = apply_window(voxels, window)
        grey = np.subtract(255, grey, dtype=np.uint8) if media.inverted else grey
        out.append(_squared(grey, stack.pixel_mm))
    return out


def _squared(frame: Pixels, spacing_mm: Sequence[float] | None) -> Pixels:
    """A frame with square pixels, as fine as the finer of its sides; as it is where its spacing is not known."""
    if not spacing_mm or abs(spacing_mm[-2] / spacing_mm[-1] - 1) < UNEVEN:
        return frame
    finest = min(spacing_mm[-2:])
    size = tuple(max(1, round(n * mm / finest)) for n, mm in zip(frame.shape[:2], spacing_mm[-2:], strict=True))
    image = PIL.Image.fromarray(np.ascontiguousarray(frame))
    return np.asarray(image.resize((size[1], size[0]), PIL.Image.Resampling.BICUBIC))


def _frames(data: bytes, media: Media, most: int) -> list[Pixels]:
    from curate.video import read_frames

    times = media.times_s or tuple(float(n) for n in range(media.shape[0]))
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        clip.write_bytes(data)
        return list(read_frames(clip, _spread(range(len(times)), most), times))


def _spread(items: Sequence[T], most: int) -> list[T]:
    """At most `most` of them, from the middles of equal parts."""
    count = min(most, len(items))
    return [items[int((n + 0.5) * len(items) / count)] for n in range(count)]


def _picture(pixels: Pixels) -> Picture:
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(f"{pixels.shape}".encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()
    stream = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG")
    return Picture(digest, "image/png", stream.getvalue(), height, width)
