"""Geometry of one structure in a label grid: size, longest axes, centroid, connected parts, intensity statistics.

A `Part` is a structure cropped to its bounding box. Indices are (z, y, x) or (y, x); `Step` vectors are the millimetres
of one step along each array axis, in the same order. Distances are between voxel centres, as SimpleITK's Feret diameter
has them. Sums of integers are exact and the rest is elementwise, so that the same mask gives the same number on every
machine. Not covered: partial volume, holes, surfaces between voxels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from manifests.errors import VerificationError

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Steps = Sequence[Sequence[float]]

_TIE = 1e-9  # lengths that differ by less, relatively, are equal
_HU_STEP = 64  # steps per HU in which means and deviations of real-valued volumes are summed, exactly
_CHUNK = 1 << 16
_MAX_LABEL = 65535
_FEW = 256  # so few points are compared pair by pair sooner than their hull is found


class Part(NamedTuple):
    """A structure inside its bounding box: `start` is the first index along each axis; `inside` touches all sides."""

    start: tuple[int, ...]
    inside: Bools

    @property
    def stop(self) -> tuple[int, ...]:
        """One past the last index along each axis."""
        return tuple(first + size for first, size in zip(self.start, self.inside.shape, strict=True))

    @property
    def where(self) -> tuple[slice, ...]:
        """The bounding box as slices of the whole grid."""
        return tuple(slice(first, last) for first, last in zip(self.start, self.stop, strict=True))

    @property
    def voxels(self) -> int:
        return int(np.count_nonzero(self.inside))


def cropped(mask: Array) -> Part | None:
    """The structure of a 2D or 3D mask (inside is not 0), or None where it is empty; the mask is read about twice."""
    start: list[int] = []
    box = mask
    for axis in range(mask.ndim):
        hits = [i for i in range(box.shape[axis]) if _slab(box, axis, i).any()] if axis == 0 else _hits(box, axis)
        if not len(hits):
            return None
        start.append(int(hits[0]))
        box = _slab(box, axis, slice(int(hits[0]), int(hits[-1]) + 1))
    return Part(tuple(start), np.ascontiguousarray(box if box.dtype == np.bool_ else box != 0))


def _slab(array: Array, axis: int, at: int | slice) -> Array:
    return array[(slice(None),) * axis + (at,)]


def _hits(array: Array, axis: int) -> Ints:
    rest = tuple(a for a in range(array.ndim) if a != axis)
    return np.flatnonzero(array.any(axis=rest)).astype(np.int64)


def label_parts(label_map: Array, values: Iterable[int]) -> dict[int, Part]:
    """The structures of a label map of small whole numbers, by value; all boxes are found in one pass.

    Values that do not occur, or lie outside 1 to 65535, are left out. Raises `VerificationError` for real numbers.
    """
    from scipy import ndimage

    if label_map.dtype.kind not in "ui":
        raise VerificationError(f"a label map holds whole numbers, not {label_map.dtype}")
    wanted = [v for v in sorted(set(values)) if 0 < v <= _MAX_LABEL]
    boxes = ndimage.find_objects(label_map, max_label=max(wanted, default=0)) if wanted else []
    found = {}
    for value in wanted:
        box = boxes[value - 1]
        if box is not None:
            found[value] = Part(tuple(int(s.start) for s in box), label_map[box] == value)
    return found


def centroid(part: Part) -> tuple[float, ...]:
    """The mean index along each axis."""
    total, means = part.voxels, []
    for axis in range(part.inside.ndim):
        counts = np.count_nonzero(part.inside, axis=tuple(a for a in range(part.inside.ndim) if a != axis))
        means.append(part.start[axis] + sum(i * int(n) for i, n in enumerate(counts)) / total)
    return tuple(means)


def components(part: Part) -> int:
    """Connected parts: 26 neighbours in 3D, 8 in 2D."""
    return len(component_sizes(part.inside))


def component_sizes(inside: Bools) -> list[int]:
    """The voxels of each connected part, largest first."""
    from scipy import ndimage

    labels, count = ndimage.label(inside, structure=np.ones((3,) * inside.ndim))
    return sorted(np.bincount(labels.ravel(), minlength=count + 1)[1:].tolist(), reverse=True)


def apart(part: Part, fewest: int) -> bool:
    """Whether its connected parts can be counted: each has `fewest` voxels or more, and none is so near to another that
    both become one when the structure grows by a voxel on every side."""
    from scipy import ndimage

    sizes = component_sizes(part.inside)
    if sizes[-1] < fewest:
        return False
    grown: Array = ndimage.maximum_filter(np.pad(part.inside.view(np.uint8), 1), size=3)
    return len(sizes) == 1 or len(component_sizes(grown != 0)) == len(sizes)


# --- hulls and diameters ---------------------------------------------------------------------------------------------


def _outline(inside: Bools) -> Ints:
    """Indices that include every corner of the convex hull: the first and last voxel of each line along the last axis,
    of these only the first and last along each other axis."""
    lines = inside.reshape(-1, inside.shape[-1])
    rows = np.flatnonzero(lines.any(axis=1))
    chosen = lines[rows]
    first, last = chosen.argmax(axis=1), inside.shape[-1] - 1 - chosen[:, ::-1].argmax(axis=1)
    two = last > first
    grid = np.unravel_index(np.concatenate([rows, rows[two]]), inside.shape[:-1])
    points = np.stack([*grid, np.concatenate([first, last[two]])], axis=1).astype(np.int64)
    for axis in range(inside.ndim - 1):
        points = points[_extreme(points, axis, inside.shape)]
    return points


def _extreme(points: Ints, axis: int, shape: tuple[int, ...]) -> Bools:
    """Which points come first or last on their line along an axis."""
    rest = [a for a in range(len(shape)) if a != axis]
    line = np.zeros(len(points), np.int64)
    for a in rest:
        line = line * shape[a] + points[:, a]
    lines = math.prod(shape[a] for a in rest)
    low, high = np.full(lines, shape[axis], np.int64), np.full(lines, -1, np.int64)
    np.minimum.at(low, line, points[:, axis])
    np.maximum.at(high, line, points[:, axis])
    kept: Bools = (points[:, axis] == low[line]) | (points[:, axis] == high[line])
    return kept


def _sides(points: Ints) -> list[int]:
    """The axes that a set of points can be projected to without losing its dimension: one, two or three of them."""
    from_first = points - points[0]
    line = from_first[int((from_first**2).sum(axis=1).argmax())]
    if not line.any():
        return []
    if points.shape[1] == 2:
        across = np.abs(from_first[:, 0] * line[1] - from_first[:, 1] * line[0])
        return [0, 1] if across.any() else [int(np.abs(line).argmax())]
    normals = np.cross(from_first, line)
    normal = normals[int((normals**2).sum(axis=1).argmax())]
    if not normal.any():
        return [int(np.abs(line).argmax())]
    if (from_first * normal).sum(axis=1).any():
        return [0, 1, 2]
    return [a for a in range(3) if a != int(np.abs(normal).argmax())]


def hull_corners(points: Ints) -> Ints:
    """The corners of the convex hull of whole-number points, in order around it where it is flat.

    Flat and straight sets are recognised exactly. An affine map keeps hulls, so this works on indices and distances
    are taken in millimetres afterwards.
    """
    from scipy.spatial import ConvexHull

    axes = _sides(points)
    if len(axes) == 0:
        return points[:1]
    if len(axes) == 1:
        return points[[int(points[:, axes[0]].argmin()), int(points[:, axes[0]].argmax())]]
    return points[ConvexHull(points[:, axes].astype(np.float64)).vertices]


def corners_of(part: Part) -> Ints:
    """The corners of the convex hull of a structure's voxel centres, as indices of the whole grid."""
    return hull_corners(_outline(part.inside)) + np.asarray(part.start, np.int64)


def placed(points: Array, steps: Steps) -> Floats:
    """Points in millimetres: the sum of index x step over the axes."""
    out = np.zeros((len(points), len(steps[0])), np.float64)
    for axis, step in enumerate(steps):
        out += points[:, axis, None].astype(np.float64) * np.asarray(step, np.float64)
    return out


def _outer(points: Floats) -> Ints:
    """The indices of the points that may be one end of the largest distance: the others are too near the middle to
    have a partner as far away as one pair that is known."""
    middle = points - (points.min(axis=0) + points.max(axis=0)) / 2
    radii = np.sqrt((middle * middle).sum(axis=1))
    known, at = 0.0, int(radii.argmax())
    for _ in range(2):
        away = points - points[at]
        squares = (away * away).sum(axis=1)
        known, at = max(known, math.sqrt(float(squares.max()))), int(squares.argmax())
    return np.flatnonzero(radii >= known * (1 - 4 * _TIE) - float(radii.max()))


def _farthest(points: Floats) -> tuple[float, list[tuple[int, int]]]:
    """The largest distance between two points, and every pair that has it."""
    outer = _outer(points)
    length, pairs = _all_pairs(points[outer])
    return length, [(int(outer[i]), int(outer[k])) for i, k in pairs]


def _all_pairs(points: Floats) -> tuple[float, list[tuple[int, int]]]:
    best, pairs = 0.0, []
    for i in range(len(points) - 1):
        away = points[i + 1 :] - points[i]
        squares = (away * away).sum(axis=1)
        top = float(squares.max())
        if top >= best * (1 - 2 * _TIE):
            best = max(best, top)
            pairs += [(float(squares[k]), i, i + 1 + int(k)) for k in np.flatnonzero(squares >= best * (1 - 2 * _TIE))]
    return math.sqrt(best), [(i, k) for square, i, k in pairs if square >= best * (1 - 2 * _TIE)]


def longest_axis(part: Part, steps: Steps) -> float:
    """The largest distance in mm between two voxel centres of a structure; 0 for a single voxel."""
    points = _outline(part.inside)
    points = points[_outer(placed(points, steps))]
    if len(points) > _FEW:
        points = hull_corners(points)
    return _farthest(placed(points, steps))[0]


def long_and_short(part: Part, steps: Steps) -> tuple[float, float]:
    """The longest diameter in mm on any one slice of array axis 0, and the longest chord perpendicular to it there.

    RECIST 1.1 measures so (Eisenhauer et al. 2009, doi:10.1016/j.ejca.2008.10.026) on axial slices; the caller sees to
    the plane. Both are of the convex hull of the slice's voxel centres: they may cross what is not marked. Of equally
    long diameters the one with the longer perpendicular counts. Nothing is said of clinical choice of lesions.
    """
    flat = _in_plane(steps[1], steps[2])
    bounds = sorted(((_reach(plane, flat), z) for z, plane in enumerate(part.inside) if plane.any()), reverse=True)
    best = (0.0, 0.0)
    for bound, z in bounds:
        if bound < best[0] * (1 - _TIE):
            break
        corners = placed(hull_corners(_outline(part.inside[z])), flat)
        length, pairs = _farthest(corners)
        short = max((_chord(corners, i, k) for i, k in pairs), default=0.0) if len(corners) > 2 else 0.0
        if length > best[0] * (1 + _TIE) or (length >= best[0] * (1 - _TIE) and short > best[1]):
            best = (length, short)
    return best


def _in_plane(y: Sequence[float], x: Sequence[float]) -> tuple[tuple[float, float], tuple[float, float]]:
    """The steps of a slice's axes as 2D vectors of the same lengths and the same angle."""
    length = math.sqrt(sum(v * v for v in x))
    along = sum(a * b for a, b in zip(x, y, strict=True)) / length
    across = math.sqrt(max(sum(v * v for v in y) - along * along, 0.0))
    return (along, across), (length, 0.0)


def _reach(plane: Bools, flat: Steps) -> float:
    """No two voxels of the slice are further apart than the longer diagonal of its box."""
    rows, columns = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
    dy, dx = int(rows[-1] - rows[0]), int(columns[-1] - columns[0])
    return max(math.hypot(*(dy * y + sign * dx * x for y, x in zip(*flat, strict=True))) for sign in (1, -1))


def _chord(corners: Floats, i: int, k: int) -> float:
    """The longest chord of a convex polygon that is perpendicular to its diagonal from corner i to corner k.

    Chord length is concave and piecewise linear along the diagonal, so it is longest at a corner.
    """
    away = corners[k] - corners[i]
    unit = away / math.sqrt(float((away * away).sum()))
    t = corners[:, 0] * unit[0] + corners[:, 1] * unit[1]
    s = corners[:, 1] * unit[0] - corners[:, 0] * unit[1]
    t1, s1 = np.roll(t, -1), np.roll(s, -1)
    crossed = (np.minimum(t, t1) <= t[:, None]) & (t[:, None] <= np.maximum(t, t1))
    run = np.where(t1 == t, 1.0, t1 - t)
    at = s + np.where(t1 == t, 0.0, (t[:, None] - t) / run) * (s1 - s)
    high, low = np.where(crossed, at, -np.inf).max(axis=1), np.where(crossed, at, np.inf).min(axis=1)
    return float((high - low).max())


def share_below(part: Part, row: Sequence[float], limit: float) -> float:
    """The share of a structure's voxels where row . (x, y, z, 1) is below `limit`, slice by slice."""
    below = 0
    y = np.arange(part.inside.shape[1])[:, None] + part.start[1]
    x = np.arange(part.inside.shape[2])[None, :] + part.start[2]
    for z, plane in enumerate(part.inside):
        at = row[0] * x + row[1] * y + (row[2] * (z + part.start[0]) + row[3])
        below += int(np.count_nonzero(plane & (at < limit)))
    return below / part.voxels


# --- intensities -----------------------------------------------------------------------------------------------------


def mean(values: Array) -> float:
    """The mean of a flat array; exact sums for integers."""
    exact = np.int64 if values.dtype.kind in "iub" else np.float64
    return float(values.sum(dtype=exact)) / values.size


def deviation(values: Array) -> float:
    """The population standard deviation (n in the denominator), from exact sums in steps of 1/64; |values| < 2**17."""
    total = squares = 0
    for at in range(0, values.size, _CHUNK):
        chunk = values[at : at + _CHUNK]
        whole = np.rint(chunk.astype(np.float64) * _HU_STEP).astype(np.int64)
        total += int(whole.sum())
        squares += int((whole * whole).sum())
    n = values.size
    return math.sqrt(max(n * squares - total * total, 0) / (n * n)) / _HU_STEP


def percentile(values: Array, percent: int) -> float:
    """The nearest-rank percentile: the smallest value that at least `percent` per cent of the values do not exceed."""
    rank = max(math.ceil(percent * values.size / 100), 1) - 1
    return float(np.partition(values, rank)[rank])


def median(values: Array) -> float:
    """The middle value, or the mean of the two in the middle."""
    low, high = (values.size - 1) // 2, values.size // 2
    ordered = np.partition(values, [low, high])
    return (float(ordered[low]) + float(ordered[high])) / 2
