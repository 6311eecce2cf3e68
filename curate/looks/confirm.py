"""Whether two pictures are one, judged on pixels: aligned, then correlated piece by piece.

Both are reduced to at most 128 x 128, their grey values replaced by local contrast (less the surroundings' mean, by
their spread), one is moved onto the other (scale and shift along each axis, coarse to fine), and the score is the
median of the correlations of those blocks in which something is to be seen. Windows, depth and compression leave local
contrast nearly alone, writing spoils few blocks, and two patients in the same view share their outlines but not their
details, which is what local contrast shows. Not covered: free rotation, local deformation, inverted grey values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Array
from curate.looks.hashes import GRID, UNIT, reduced, turned, window_boxes

Method = Literal["image", "slice", "frame", "volume", "video"]
Place = tuple[float, float, float, float]  # y scale, y shift, x scale, x shift
LEVELS = (32, 64, 128)
TURNS = 6  # of the refinement at each level
BLOCK = 8  # blocks along each side at the finest level
FLOOR = 0.02  # of the grey scale: less local spread than this shows nothing
LEAST_BLOCKS = 8  # that must be compared
SCALE = (0.6, 1.7)  # an alignment beyond these has run away


Picture = tuple[NDArray[np.float64], NDArray[np.float64]]  # local contrast and spread


@dataclass(frozen=True, slots=True)
class Match:
    """Two media taken for one: `score` in 0..1 (four decimals), how they were compared, where one lies in the other.

    `turn` (`curate.looks.hashes.turned`) is what the second underwent; `place` maps the turned second's pixels, as
    shares of its sides, to shares of the first's: y' = place[0] y + place[1], x' = place[2] x + place[3]. `axis` and
    `pairs` tell matching slices or frames, (first's index, second's index).
    """

    score: float
    method: Method
    turn: int = 0
    place: Place = (1.0, 0.0, 1.0, 0.0)
    axis: int = -1
    pairs: tuple[tuple[int, int], ...] = ()


def compare_images(one: Array, other: Array, turn: int = 0, windows: tuple[int, int] = (0, 0)) -> Match:
    """The score of two pictures and their places, whatever it is; `windows` (`curate.looks.hashes`) are those that were
    alike in the first and in the turned second. Arrays and errors as `curate.looks.hashes.reduced`."""
    return compare_cells(one, turned(other, turn), turn, windows)


def compare_cells(one: Array, other: Array, turn: int, windows: tuple[int, int]) -> Match:
    """`compare_images` for a second picture that is turned already."""
    from curate.looks import align

    first, second = reduced(one), reduced(np.ascontiguousarray(other))
    boxes = window_boxes(first)[windows[0]], window_boxes(second)[windows[1]]
    place = _start(*boxes)
    score = 0.0
    finest = max(LEVELS[0], min(GRID, *_sides(one, other)))
    for side in [n for n in LEVELS if n <= finest]:
        a, b = _contrast(first, side, boxes[0]), _contrast(second, side, boxes[1])
        scaled = np.array(_pixels(place, side))
        align.refine(b[0], a[0], scaled, TURNS)
        moved = [float(scaled[0]), float(scaled[1] - (scaled[0] - 1) / 2) / side]
        moved += [float(scaled[2]), float(scaled[3] - (scaled[2] - 1) / 2) / side]
        if _is_sane(moved, place):
            place = moved
        else:
            scaled[:] = _pixels(place, side)
        score = _median(b, a, scaled)
    down, lower, right, later = (round(value, 4) for value in place)
    rounded = (down, lower, right, later)
    return Match(0.0, "image", turn) if score <= 0 else Match(round(score, 4), "image", turn, rounded)


def _median(fixed: Picture, moving: Picture, place: NDArray[np.float64]) -> float:
    """The median correlation of the blocks that show something; 0 where too few do."""
    from curate.looks import align

    scores = np.empty(BLOCK * BLOCK)
    limits = (len(fixed[0]) // BLOCK, FLOOR)
    compared = align.compare(fixed[0], moving[0], (fixed[1], moving[1]), place, limits, scores)
    if compared < LEAST_BLOCKS:
        return 0.0
    return float(np.sort(scores[~np.isnan(scores)])[(compared - 1) // 2])


def _sides(one: Array, other: Array) -> tuple[int, int]:
    return min(one.shape[:2]), min(other.shape[:2])


def _start(one: NDArray[np.int64], other: NDArray[np.int64]) -> list[float]:
    """The map of shares that lays the second's window onto the first's."""
    y0, y1, x0, x1 = (float(v) / (GRID * UNIT) for v in one)
    v0, v1, u0, u1 = (float(v) / (GRID * UNIT) for v in other)
    down, right = (y1 - y0) / (v1 - v0), (x1 - x0) / (u1 - u0)
    return [down, y0 - down * v0, right, x0 - right * u0]


def _pixels(place: list[float], side: int) -> list[float]:
    """A map of shares as a map of the indices of pixels, whose centres are half a pixel in."""
    down, lower, right, later = place
    return [down, lower * side + (down - 1) / 2, right, later * side + (right - 1) / 2]


def _is_sane(place: list[float], start: list[float]) -> bool:
    """Whether an alignment is finite and near to where it began: at most a sixth off in scale and place."""
    if not all(np.isfinite(place)) or not all(SCALE[0] / 2 < place[k] < 2 * SCALE[1] for k in (0, 2)):
        return False
    scales = all(abs(place[k] / start[k] - 1) < 1 / 6 for k in (0, 2))
    centres = all(abs((place[k] - start[k]) / 2 + place[k + 1] - start[k + 1]) < 1 / 6 for k in (0, 2))
    return scales and centres


def _contrast(cells: NDArray[np.uint16], side: int, box: NDArray[np.int64]) -> Picture:
    """Local contrast and spread, each (side, side), on the grey scale that the window fills: a border has no say."""
    from curate.looks import align

    step = GRID // side
    image = cells.astype(np.float64).reshape(side, step, side, step)
    total = np.zeros((side, side))
    for i in range(step):
        for j in range(step):
            total += image[:, i, :, j]
    total /= 65535.0 * step * step
    y0, y1, x0, x1 = (int(edge) * side // (GRID * UNIT) for edge in box)
    held = np.sort(total[y0:y1, x0:x1], axis=None)
    low, high = held[held.size // 100], held[-1 - held.size // 100]
    total = np.clip((total - low) / max(high - low, 1e-6), 0.0, 1.0)
    out, spread = np.empty_like(total), np.empty_like(total)
    align.local_contrast(total, max(2, side // 16), FLOOR, out, spread)
    return out, spread
