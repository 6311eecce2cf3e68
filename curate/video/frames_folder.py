"""A video that is published as a folder of frames: pictures in their order, at a stated rate, as the canonical clip."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from curate.image import read_image, to_display
from curate.video.container import Frames8, VideoInfo
from curate.video.encode import CANONICAL_CRF, encode_frames
from curate.video.frames import check_bytes, proven
from manifests.errors import RecordError
from manifests.record import Fact

MAX_FPS = 1000.0


def clip_of_frames(paths: Sequence[Path], fps: float, out_path: Path) -> tuple[VideoInfo, tuple[float, ...]]:
    """Write the clip that is kept of pictures that are a video's frames, the first at 0 s, each the next 1 / `fps`
    seconds later; gives the clip's VideoInfo (`container` is `frames`, `codec` that of the written clip) and the time
    in seconds of every frame.

    Pictures are read as `curate.image.read_image` says, shown as uint8 and encoded as H.264 (libx264, crf 12, yuv420p,
    BT.601; an odd width or height is padded by repeating the edge). All are held at once. Repeats byte for byte.

    Raises RecordError `bad_frames` for fewer than two frames and a rate outside ]0, 1000], `frame_sizes` for frames of
    several sizes, `too_large`, what `read_image` and `encode_frames` raise, and `corrupt_video`.
    """
    if len(paths) < 2 or not 0 < fps <= MAX_FPS:
        found = f"{len(paths)} frames at {fps} frames per second"
        raise RecordError("bad_frames", found, "give two frames at least and their rate in frames per second")
    encode_frames(_frames(paths), tuple(n / fps for n in range(len(paths))), out_path, crf=CANONICAL_CRF)
    info, times_s, sound = proven(out_path)
    if sound is not None or len(times_s) != len(paths):
        raise RecordError("corrupt_video", f"{len(times_s)} of {len(paths)} frames", "report it: frames were lost")
    return dataclasses.replace(info, container="frames"), times_s


def rate_of(facts: Sequence[Fact]) -> float:
    """The rate of a record's frames in 1/s, as its fact `fps` says; 1 without one. Raises RecordError `bad_frames`."""
    stated = next((f.value for f in facts if f.name == "fps"), "1")
    try:
        return float(stated)
    except ValueError:
        raise RecordError("bad_frames", "a fact fps that is no number", "state frames per second") from None


def _frames(paths: Sequence[Path]) -> Frames8:
    """uint8 (t, y, x, 3)."""
    first = to_display(read_image(paths[0]))
    height, width = first.shape[:2]
    check_bytes(len(paths), height, width)
    frames = np.empty((len(paths), height, width, 3), np.uint8)
    for number, path in enumerate(paths):
        shown = to_display(read_image(path)) if number else first
        if shown.shape[:2] != (height, width):
            found = f"frame {number + 1} has {shown.shape[1]} x {shown.shape[0]} pixels, the first {width} x {height}"
            raise RecordError("frame_sizes", found, "give frames of one size")
        frames[number] = shown if shown.ndim == 3 else shown[..., None]
    return frames
