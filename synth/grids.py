"""Affines without linear algebra libraries, and the way from a shown grid to the grid of a mask.

An affine is four rows of four numbers that map voxel indices (x, y, z) to RAS+ millimetres; index i covers i - 0.5 to
i + 0.5. Everything is plain float arithmetic in a fixed order, so it gives the same numbers on every machine. Not
covered: shown grids that are turned against the mask's grid; they are refused, never resampled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from manifests.errors import VerificationError
from manifests.record import Affine

Matrix = tuple[tuple[float, float, float], ...]
Point = tuple[float, float, float]

DRIFT = 0.25  # voxels of the mask's grid by which a shown axis may leave its own direction over its whole length
_HALF_UP = 1e-6  # a plane on the border of two slices belongs to the upper one, whatever the last bit says


class Along(NamedTuple):
    """One axis of a shown grid in the indices of the mask's grid: mask index = `scale` x shown index + `offset`."""

    scale: float
    offset: float


def determinant(m: Sequence[Sequence[float]]) -> float:
    """The determinant of the upper left 3 x 3 numbers: the signed volume of one voxel in mm3."""
    return (
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
        - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    )


def _inverse(m: Sequence[Sequence[float]]) -> Matrix:
    volume = determinant(m)
    if not (math.isfinite(volume) and volume != 0):
        raise VerificationError("an affine of the sample is singular")

    def minor(row: int, column: int) -> float:
        a, b = (r for r in range(3) if r != row)
        c, d = (k for k in range(3) if k != column)
        return (m[a][c] * m[b][d] - m[a][d] * m[b][c]) * (-1 if (row + column) % 2 else 1)

    return tuple((minor(0, row) / volume, minor(1, row) / volume, minor(2, row) / volume) for row in range(3))


def world(affine: Affine, index: Point) -> Point:
    """RAS+ millimetres of voxel indices (x, y, z)."""
    x, y, z = index
    a, b, c = (row[0] * x + row[1] * y + row[2] * z + row[3] for row in affine[:3])
    return a, b, c


def steps_mm(affine: Affine) -> Point:
    """(z, y, x): the length in mm of one step along each array axis."""
    z, y, x = (math.sqrt(affine[0][k] ** 2 + affine[1][k] ** 2 + affine[2][k] ** 2) for k in (2, 1, 0))
    return z, y, x


def _chained(shown: Affine, mask: Affine) -> tuple[Matrix, Point]:
    """Matrix and offset from shown indices (x, y, z) to mask indices (x, y, z)."""
    back = _inverse(mask)
    columns = [[row[0] * shown[0][k] + row[1] * shown[1][k] + row[2] * shown[2][k] for k in range(3)] for row in back]
    moved = [shown[k][3] - mask[k][3] for k in range(3)]
    x, y, z = (row[0] * moved[0] + row[1] * moved[1] + row[2] * moved[2] for row in back)
    return tuple((row[0], row[1], row[2]) for row in columns), (x, y, z)


def along_axes(shown: Affine, size: tuple[int, int, int], mask: Affine, axes: Sequence[int]) -> list[Along]:
    """For each of `axes` (0 x, 1 y, 2 z), how a shown grid of `size` (x, y, z) runs through the mask's grid.

    Raises `VerificationError` where another shown axis moves the mask's index along this one by more than `DRIFT`
    voxels in all: the grids are then turned or sheared against each other, or their axes are exchanged.
    """
    matrix, offset = _chained(shown, mask)
    out = []
    for axis in axes:
        drift = sum(abs(matrix[axis][k]) * max(size[k] - 1, 0) for k in range(3) if k != axis)
        scale = matrix[axis][axis]
        if not drift <= DRIFT or scale == 0 or not math.isfinite(scale) or not math.isfinite(offset[axis]):
            raise VerificationError(f"axis {'xyz'[axis]} of what is shown runs across the mask's grid, not along it")
        out.append(Along(scale, offset[axis]))
    return out


def shown_planes(along: Along, slices: Sequence[int], holds: Sequence[bool], first: int) -> list[int]:
    """Which of the shown slices, counted from 0, have their centre plane in a mask slice that holds the structure.

    `slices` are z indices of the shown grid; `holds[i]` says whether mask slice `first + i` holds it.
    """
    found = []
    for number, z in enumerate(slices):
        at = math.floor(along.scale * z + along.offset + 0.5 + _HALF_UP) - first
        if 0 <= at < len(holds) and holds[at]:
            found.append(number)
    return found


def shown_span(along: Along, first: int, last: int, size: int) -> tuple[int, int]:
    """Where mask indices `first` to `last` lie along a shown axis of `size`: half-open, whole voxels, at least one.

    The outer edges are mapped and rounded to the nearest voxel edge. Raises `VerificationError` where it lies outside.
    """
    edges = sorted((edge - along.offset) / along.scale + 0.5 for edge in (first - 0.5, last + 0.5))
    if edges[1] <= 0 or edges[0] >= size:
        raise VerificationError("the structure lies outside what is shown")
    low, high = (min(max(math.floor(edge + 0.5 + _HALF_UP), 0), size) for edge in edges)
    if high <= low:
        low = min(max(math.floor((edges[0] + edges[1]) / 2), 0), size - 1)
        high = low + 1
    return low, high
