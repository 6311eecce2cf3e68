"""What a clip looks like: hashes of frames along its time.

A frame is hashed every `FRAME_STEP_S`; every `FRAME_ANCHOR_S` one is an anchor, which is hashed in parts too and which
asks for other clips.
"""

from __future__ import annotations

import numpy as np

from curate.arrays import Frames
from curate.looks.hashes import picture_hashes
from curate.looks.rows import FULL, LOOK, TIME, Looks, rows_of

FRAME_STEP_S, FRAME_ANCHOR_S = 0.25, 0.5  # a change of either is a change of what prepared columns hold


def chosen_frames(times_s: tuple[float, ...], step_s: float) -> list[int]:
    """Frames at least `step_s` apart, from the first; half a millisecond is forgiven."""
    chosen: list[int] = []
    for number, time in enumerate(times_s):
        if not chosen or time - times_s[chosen[-1]] >= step_s - 5e-4:
            chosen.append(number)
    return chosen


def video_looks(clip: Frames) -> Looks:
    """The looks of a clip whose frames are decoded (all, or those of `chosen_frames`); the index is the time in ms."""
    found = []
    anchors = set(chosen_frames(clip.times_s, FRAME_ANCHOR_S))
    for number in sorted(anchors | set(chosen_frames(clip.times_s, FRAME_STEP_S))):
        milliseconds = max(0, round(clip.times_s[number] * 1000))
        hashes = picture_hashes(clip.frames[number], parts=number in anchors)
        found.append(rows_of((TIME, FULL, milliseconds), number in anchors, hashes))
    return np.concatenate(found) if found else np.zeros(0, LOOK)
