"""Where grids lie: affines of crops and resizes, from one grid's indices to another's, and exact turns of axes.

An affine is (4, 4) and maps voxel indices (x, y, z) to RAS+ mm; index i covers i - 0.5 to i + 0.5. Only plain float
arithmetic in a fixed order is used, no linear algebra library, so that the numbers repeat on every machine.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Volume
from manifests.errors import RecordError

Matrix = NDArray[np.float64]
Size = tuple[int, int, int]

ALONG = 1e-3  # voxels by which a grid may leave another's axes over its whole length and still run along them
_OPPOSITE = {"R": "L", "L": "R", "A": "P", "P": "A", "S": "I", "I": "S"}


def placed(affine: Matrix, step_xyz: Sequence[float], offset_xyz: Sequence[float]) -> Matrix:
    """The affine of a grid whose index (x, y, z) is source index step x index + offset. Plain sums, no BLAS."""
    out = np.eye(4)
    for row in range(3):
        column = [float(value) for value in affine[row]]
        out[row, :3] = [column[k] * float(step_xyz[k]) for k in range(3)]
        out[row, 3] = column[3] + sum(column[k] * float(offset_xyz[k]) for k in range(3))
    return out


def index_map(source: Matrix, target: Matrix) -> Matrix:
    """(4, 4): target indices (x, y, z) to source indices (x, y, z), by cofactors. Raises RecordError `bad_affine`."""
    m = [[float(v) for v in row[:3]] for row in source[:3]]
    cross = [[minor(m, row, column) for row in range(3)] for column in range(3)]
    volume = sum(m[0][k] * cross[k][0] for k in range(3))
    if not (math.isfinite(volume) and abs(volume) > 0):
        raise RecordError("bad_affine", "a singular matrix", "repair the geometry of the volume or of the grid")
    out = np.eye(4)
    moved = [[float(target[k, j]) - (float(source[k, 3]) if j == 3 else 0.0) for j in range(4)] for k in range(3)]
    for row in range(3):
        for column in range(4):
            out[row, column] = sum(cross[row][k] / volume * moved[k][column] for k in range(3))
    return out


def minor(m: list[list[float]], row: int, column: int) -> float:
    a, b = (r for r in range(3) if r != row)
    c, d = (k for k in range(3) if k != column)
    return (m[a][c] * m[b][d] - m[a][d] * m[b][c]) * (-1 if (row + column) % 2 else 1)


def is_orientation(codes: str) -> bool:
    """Whether three letters name each of left/right, anterior/posterior and superior/inferior once."""
    pairs = sorted("".join(sorted(code + _OPPOSITE.get(code, "?"))) for code in codes)
    return pairs == ["AP", "IS", "LR"]


def display_codes(volume: Volume) -> str:
    """The orientation in which a viewer shows the stack's own plane, slices in their stored order: axial with the
    patient's left on the right and anterior up, coronal with left on the right and head up, sagittal with anterior on
    the left and head up."""
    along = volume.orientation[2]
    in_plane = {"S": "LP", "I": "LP", "A": "LI", "P": "LI", "L": "PI", "R": "PI"}[along]
    return in_plane + along


def reorient(volume: Volume, codes: str) -> Volume:
    """The same voxels with axes that grow to `codes`: "LPS" has x to the left, y to posterior, z to superior.

    An exact permutation and flip to the nearest axes of an oblique grid; masks follow; nothing is interpolated. Raises
    RecordError `bad_orientation` for codes that do not name each direction once.
    """
    seen = turned_view(volume, codes)
    if seen is volume:
        return volume
    masks = {name: np.ascontiguousarray(mask) for name, mask in seen.masks.items()}
    return dataclasses.replace(seen, voxels=np.ascontiguousarray(seen.voxels), masks=masks)


def turned_view(volume: Volume, codes: str) -> Volume:
    """`reorient` without a copy: the arrays are views of the volume's."""
    if not is_orientation(codes):
        raise RecordError("bad_orientation", repr(codes)[:20], "name one of L/R, A/P and S/I each, as in 'LPS'")
    now = volume.orientation
    if now == codes:
        return volume
    order = [next(k for k in range(3) if now[k] in (code, _OPPOSITE[code])) for code in codes]  # (x, y, z) from source
    flipped = [now[k] != code for k, code in zip(order, codes, strict=True)]
    size = volume.voxels.shape[::-1]
    affine = np.eye(4)
    affine[:3, 3] = volume.affine[:3, 3]
    for axis, (k, flip) in enumerate(zip(order, flipped, strict=True)):
        column = volume.affine[:3, k]
        affine[:3, axis] = -column if flip else column
        if flip:
            affine[:3, 3] += column * (size[k] - 1)
    turn = [2 - order[2 - axis] for axis in range(3)]  # the same for arrays, (z, y, x)
    cut = tuple(slice(None, None, -1) if flipped[2 - axis] else slice(None) for axis in range(3))
    masks = {name: mask.transpose(turn)[cut] for name, mask in volume.masks.items()}
    return dataclasses.replace(volume, voxels=volume.voxels.transpose(turn)[cut], affine=affine, masks=masks)


def lengths(affine: Matrix) -> list[float]:
    """mm of one step along x, y, z."""
    return [math.sqrt(sum(float(affine[row, k]) ** 2 for row in range(3))) for k in range(3)]


def aligned(mapped: Matrix, shape: tuple[int, int, int]) -> list[int] | None:
    """For each source axis (x, y, z) the target axis that runs along it; None where the grids are turned."""
    order = [int(np.argmax(np.abs(mapped[axis, :3]))) for axis in range(3)]
    if sorted(order) != [0, 1, 2]:
        return None
    size = shape[::-1]
    for axis in range(3):
        drift = sum(abs(float(mapped[axis, k])) * (size[k] - 1) for k in range(3) if k != order[axis])
        if drift > ALONG:
            return None
    return order
