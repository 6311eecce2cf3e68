"""Cuts of a clip, found in its luma, and the facts of a clip that follow from its times and cuts.

A frame is looked at as 32 x 32 block means of its luma (integers) and as a histogram of 32 bins of those. Two frames
that follow one another differ by

    d    the mean absolute difference of the block means, in grey levels (0 to 255)
    h    half the sum of absolute differences of the histograms over 1024 (0 to 1)

A cut lies before frame i where d(i) >= 18, h(i) >= 0.15, and d(i) >= 3 times the mean of d over the 2 frames before and
the 2 after. The first two ask for a change that is more than an ultrasound's from one image to the next, the third for
one that stands out of movement.

Policies: `every frame` for clips of at most 600 frames; `cuts at keyframes` for longer ones, of which the keyframes
alone are decoded: d(i) >= 18 and h(i) >= 0.15 of keyframes that follow one another, and the cut is said to lie at the
later one. Encoders put a keyframe at a cut (x264 by default) unless told not to; then a cut is said too late,
by at most one group of pictures, and one that is undone within a group is missed.

Covered: hard cuts. Not covered: fades, dissolves and wipes; flashes count as two cuts. Integers only, so that the
result is the same on every CPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from curate.video.container import Packets, VideoInfo, median_interval, opened, packets_of
from curate.video.frames import WHOLE_FRAMES, converter_of, frames_at, pixels_of
from manifests.record import Fact

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

GRID = 32
BINS = 32
LUMA_FIRST = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "yuv440p", "gray", "nv12")
NEAR = 2  # frames before and after
LEAST_D = 18.0
LEAST_H = 0.15
STANDS_OUT = 3.0

Look = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Cuts:
    """The time in seconds of the first frame after each cut, rising, and how they were looked for."""

    times_s: tuple[float, ...]
    policy: str  # every frame | cuts at keyframes


def cuts_of(path: Path, times_s: Sequence[float], whole_frames: int = WHOLE_FRAMES) -> Cuts:
    """The cuts of a canonical clip; `times_s` are the true times of all its frames.

    Raises RecordError `corrupt_video` where the clip does not decode.
    """
    with opened(path) as (container, stream):
        packets = packets_of(container, stream)
        if packets.count > whole_frames and len(packets.pts) == len(times_s):
            place = {pts: index for index, pts in enumerate(packets.pts)}
            keys = [pts for pts, _ in packets.keys if pts in place]
            looks = [(place[pts], look(frame)) for pts, frame in frames_at(container, stream, packets, keys)]
            d, h = differences([seen for _, seen in looks])
            found = np.flatnonzero((d >= LEAST_D) & (h >= LEAST_H))
            return Cuts(tuple(times_s[looks[int(i)][0]] for i in found), "cuts at keyframes")
        seen = list(_all_looks(container, stream, packets))
    cut = [index for index in stands_out(*differences(seen)) if index < len(times_s)]
    return Cuts(tuple(times_s[index] for index in cut), "every frame")


def _all_looks(container: InputContainer, stream: VideoStream, packets: Packets) -> Iterator[Look]:
    container.seek(packets.keys[0][1] if packets.keys else 0, stream=stream)
    for frame in container.decode(stream):
        yield look(frame)


def look(frame: VideoFrame) -> Look:
    """Block means (32, 32) of a frame's luma and the histogram of them, both int64."""
    luma = _luma(frame)
    rows = np.linspace(0, luma.shape[0], GRID + 1).astype(np.int64)[:-1]
    columns = np.linspace(0, luma.shape[1], GRID + 1).astype(np.int64)[:-1]
    rows, columns = np.unique(rows), np.unique(columns)
    sums = np.add.reduceat(np.add.reduceat(luma, columns, axis=1, dtype=np.int64), rows, axis=0)
    sizes = np.diff(np.append(rows, luma.shape[0]))[:, None] * np.diff(np.append(columns, luma.shape[1]))
    means = sums // sizes
    return means, np.bincount(means.ravel() * BINS // 256, minlength=BINS) * (GRID * GRID) // means.size


def _luma(frame: VideoFrame) -> NDArray[np.uint8]:
    """A frame's luma (y, x), as it is stored where 8 bits of it are; else of its RGB, by BT.601 weights of 256."""
    if frame.format.name in LUMA_FIRST:
        plane = frame.planes[0]
        rows: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        return rows[: frame.height, : frame.width]
    rgb = pixels_of(frame, converter_of()).astype(np.uint32)
    return ((77 * rgb[..., 0] + 150 * rgb[..., 1] + 29 * rgb[..., 2]) >> 8).astype(np.uint8)


def differences(seen: Sequence[Look]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """d and h of every frame against the one before; 0 for the first, 255 and 1 where the frame size changes."""
    d, h = np.zeros(len(seen)), np.zeros(len(seen))
    for index in range(1, len(seen)):
        (before, bins_before), (now, bins) = seen[index - 1], seen[index]
        same = before.shape == now.shape
        d[index] = int(np.abs(now - before).sum()) / now.size if same else 255.0
        h[index] = int(np.abs(bins - bins_before).sum()) / (2 * GRID * GRID) if same else 1.0
    return d, h


def stands_out(d: NDArray[np.float64], h: NDArray[np.float64]) -> list[int]:
    """The indices of the frames that a cut lies before."""
    strong = (d >= LEAST_D) & (h >= LEAST_H)
    chosen = []
    for index in np.flatnonzero(strong).tolist():
        around = [k for k in range(index - NEAR, index + NEAR + 1) if 0 < k < len(d) and k != index]
        usual = sum(float(d[k]) for k in around) / len(around) if around else 0.0
        if d[index] >= STANDS_OUT * usual:
            chosen.append(int(index))
    return chosen


def clip_facts(info: VideoInfo, times_s: Sequence[float], cuts: Cuts | None) -> tuple[Fact, ...]:
    """What a clip's own data say, as facts.

    `fps` (average, 1/s), `duration_s` (with the last frame's interval), `frame_count`; of cuts `cut_count` and, where
    there are any, `cuts_s`, their times joined by `; ` (both about the policy); `variable_rate` where it is; of a clip
    out of a longer one `source_start_s` and `source_end_s`. `times_s` are the true times, which overrule `info`.
    """
    several = len(times_s) > 1
    length = times_s[-1] - times_s[0] if several else 0.0
    rate = (len(times_s) - 1) / length if length > 0 else info.fps
    duration = length + median_interval(times_s) if length > 0 else info.duration_s
    found = [
        _fact("fps", _decimal(rate), "times", "1/s"),
        _fact("duration_s", _decimal(duration), "times", "s"),
        _fact("frame_count", str(len(times_s)), "times"),
    ]
    if info.variable_rate:
        found.append(_fact("variable_rate", "yes", "times"))
    if cuts is not None:
        found.append(_fact("cut_count", str(len(cuts.times_s)), "luma", about=cuts.policy))
        if cuts.times_s:
            found.append(_fact("cuts_s", "; ".join(map(_decimal, cuts.times_s)), "luma", "s", cuts.policy))
    if info.range_s is not None:
        found.append(_fact("source_start_s", _decimal(info.range_s[0]), "range", "s"))
        found.append(_fact("source_end_s", _decimal(info.range_s[1]), "range", "s"))
    return tuple(found)


def _fact(name: str, value: str, origin: str, unit: str = "", about: str = "") -> Fact:
    return Fact(name=name, value=value, origin=f"video:{origin}", unit=unit, about=about)


def _decimal(number: Any) -> str:
    return np.format_float_positional(round(float(number), 6), trim="-")
