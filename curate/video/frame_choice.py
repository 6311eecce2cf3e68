"""Which frames of a clip are kept. All functions are pure: true times in, indices out.

With D = last - first time + median interval, and t(i) the i-th frame's time after the first:

    fps        K = floor(D * fps) segments of 1/fps; of each the frame nearest to its middle (k + 0.5) / fps
    uniform    N segments of D / N; of each the frame nearest to its middle (k + 0.5) * D / N, never one twice
    scene      of each shot, from one cut to the next, the frame nearest to its middle
    keyframe   the frames that the encoder coded on their own

`fps` at 1 is what Fleming-VL's loader does: as many segments as the clip has whole seconds, the middle of each.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Any

import numpy as np

from curate.video.container import READ_REMEDY, median_interval
from manifests.errors import RecordError


def sample_times(times_s: Sequence[float], fps: float | None, max_frames: int | None) -> list[int]:
    """Indices of the frames to keep, strictly increasing, never empty; pure.

    The clip lasts D = last - first time + median interval. At `fps`, D is cut into K = floor(D * fps) segments of
    1/fps (what is left over at the end stands for no segment), and of each segment the frame nearest to its middle,
    (k + 0.5) / fps, is kept; of two equally near ones the earlier. A clip shorter than one segment gives the frame
    nearest to D / 2. `fps` None keeps every frame. Where that is more than `max_frames`, the clip is cut into
    `max_frames` equal segments instead, by the same rule. A frame that is nearest to several middles is kept once, so a
    gap in the clip gives fewer frames. Times must rise. Raises RecordError `no_frames`.
    """
    if not times_s:
        raise RecordError("no_frames", "a clip without frames", READ_REMEDY)
    times = np.asarray(times_s, np.float64) - times_s[0]
    duration = float(times[-1]) + median_interval(times_s)
    chosen = list(range(len(times)))
    if fps is not None:
        segments = np.floor(duration * fps + 1e-6)
        chosen = _middles(times, 1 / fps, segments) if segments >= 1 else _middles(times, duration, 1)
    if max_frames is not None and len(chosen) > max_frames:
        chosen = _middles(times, duration / max_frames, max_frames)
    return chosen


def _middles(times: np.ndarray[Any, np.dtype[np.float64]], segment: float, count: float) -> list[int]:
    """The frames that are nearest to (k + 0.5) * segment for some k in 0 ... count - 1.

    Asked of each frame rather than of each k, so that a broken clock (a year between two frames) costs nothing.
    """
    if len(times) == 1:
        return [0]
    borders = (times[1:] + times[:-1]) / 2  # a middle on a border goes to the frame before it
    below = np.floor(borders / segment - 0.5)  # the last k whose middle is not after the border
    last = np.minimum(np.append(below, count - 1), count - 1)
    first = np.append(0.0, np.maximum(below + 1, 0))
    return [int(index) for index in np.flatnonzero(first <= last)]


def uniform_frames(times_s: Sequence[float], count: int) -> list[int]:
    """Exactly `count` frames, rising: the k-th is the frame nearest to (k + 0.5) * D / count, moved on where that one
    is taken already, and back where too few would be left. A clip of fewer frames gives all of them.

    Raises RecordError `no_frames`.
    """
    total = len(_checked(times_s))
    if total <= count:
        return list(range(total))
    times = np.asarray(times_s, np.float64) - times_s[0]
    segment = (float(times[-1]) + median_interval(times_s)) / count
    borders = (times[1:] + times[:-1]) / 2
    nearest = np.searchsorted(borders, (np.arange(count) + 0.5) * segment, side="left")
    chosen: list[int] = []
    for k, index in enumerate(nearest.tolist()):
        after = chosen[-1] + 1 if chosen else 0
        chosen.append(min(max(int(index), after), total - count + k))
    return chosen


def shot_frames(times_s: Sequence[float], cuts_s: Sequence[float]) -> list[int]:
    """The middle frame of each shot: the one nearest to half way between the shot's first frame and its end.

    A cut is the time of the first frame after it; a clip without cuts is one shot. Raises RecordError `no_frames`.
    """
    times = [time - times_s[0] for time in _checked(times_s)]
    end = times[-1] + median_interval(times_s)
    starts = sorted({0, *(min(bisect.bisect_left(times_s, cut), len(times) - 1) for cut in cuts_s)})
    chosen = []
    for begin, after in zip(starts, [*starts[1:], len(times)], strict=True):
        middle = (times[begin] + (times[after] if after < len(times) else end)) / 2
        at = bisect.bisect_left(times, middle, begin, after)
        near = range(max(at - 1, begin), min(at + 1, after))
        chosen.append(min((abs(times[index] - middle), index) for index in near)[1])
    return chosen


def spread(chosen: Sequence[int], max_frames: int | None) -> list[int]:
    """At most `max_frames` of the chosen, spread evenly by rank: of M, those at floor((k + 0.5) * M / max_frames)."""
    if max_frames is None or len(chosen) <= max_frames:
        return list(chosen)
    return [chosen[(2 * k + 1) * len(chosen) // (2 * max_frames)] for k in range(max_frames)]


def _checked(times_s: Sequence[float]) -> Sequence[float]:
    if not times_s:
        raise RecordError("no_frames", "a clip without frames", READ_REMEDY)
    return times_s
