"""What a record's media look like, as prepare keeps it: `curate.looks` of the three kinds of canonical media.

A picture is hashed as a viewer shows it; one in Hounsfield units under the soft tissue and lung windows too, because a
copy of it may have been saved under either. A clip is decoded once, and of each frame only its hashes are held.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Array, Image, Volume
from curate.image import to_display
from curate.looks.hashes import HALVES, cell_hashes, picture_hashes, reduced
from curate.looks.rows import FULL, PICTURE, TIME, from_bytes, joined, rows_of, to_bytes
from curate.looks.video import FRAME_ANCHOR_S, FRAME_STEP_S, chosen_frames
from curate.looks.volume import WINDOWS, volume_looks
from curate.video.frames import read_frames


def image_sketch(decoded: Image, index: int = 0) -> bytes:
    """`index`: which of a record's pictures it is, from 0."""
    rows = [rows_of((PICTURE, FULL, index), True, picture_hashes(to_display(decoded)))]
    if decoded.units == "HU":
        for view, (low, high) in WINDOWS.items():
            shown = np.rint(np.clip((decoded.pixels.astype(np.float64) - low) / (high - low), 0, 1) * 255)
            rows.append(rows_of((PICTURE, view, index), True, picture_hashes(np.nan_to_num(shown).astype(np.uint8))))
    return to_bytes(np.concatenate(rows))


def volume_sketch(grid: Volume) -> bytes:
    return to_bytes(volume_looks(grid))


def clip_sketch(path: Path, times_s: tuple[float, ...]) -> bytes:
    """Of a canonical clip; some 400 bytes are held for each frame that is hashed. Raises as
    `curate.video.frames.read_frames` does."""
    anchors = set(chosen_frames(times_s, FRAME_ANCHOR_S))
    chosen = sorted(anchors | set(chosen_frames(times_s, FRAME_STEP_S)))
    made: list[bytes] = []

    def hashed(frame: Array) -> NDArray[np.int32]:
        made.append(to_bytes(rows_of((TIME, FULL, 0), False, cell_hashes(reduced(frame)))))
        return np.array([[len(made) - 1]], np.int32)

    places = read_frames(path, chosen, times_s, each=hashed).reshape(-1).tolist()
    shown = ((place, round(times_s[n] * 1000), n in anchors) for n, place in zip(chosen, places, strict=True))
    return joined([_frame(made[place], max(0, at_ms), anchor) for place, at_ms, anchor in shown])


def _frame(hashed: bytes, at_ms: int, anchor: bool) -> bytes:
    """A frame's hashes as rows at its time; parts are kept of anchors alone."""
    rows = from_bytes(hashed)
    rows = rows if anchor else rows[rows["window"] < HALVES]
    rows["index"], rows["anchor"] = at_ms, anchor
    return to_bytes(rows)
