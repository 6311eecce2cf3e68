"""A stack whose slices step sideways (a CT gantry that is tilted) made straight: a shear-corrected resample.

Each slice keeps its place along the slice normal and is moved within its plane, by a part of a pixel, onto one grid
whose z axis is that normal. Linear interpolation between two rows (for a gantry, which tilts about the patient's
left-right axis, that is all) and, where the stack also steps along the rows, between two columns. The grid grows by as
many rows and columns as the slices drift, so that nothing is cut off; what no slice covers gets the background, the
lowest value of the volume. Integers are rounded half to even. Not covered: slices that are not parallel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Array


@dataclass(frozen=True, slots=True)
class Drift:
    """How far slice k lies from slice 0 along the slice's own axes: k times `rows` rows down, k times `columns`
    columns to the right; fractions count. `angle_deg` is that between the steps and the normal, seen along the rows:
    positive where the slices move to where the row index grows."""

    rows: float
    columns: float
    angle_deg: float


def drift_of(step: NDArray[np.float64], axes: NDArray[np.float64], spacing: tuple[float, float]) -> Drift:
    """`step` from slice to slice (LPS+ mm), `axes` (2, 3) the unit vectors along which the column and the row index
    grow, `spacing` (y, x) in mm."""
    along_columns, along_rows = float((step * axes[0]).sum()), float((step * axes[1]).sum())
    forward = float((step * np.cross(axes[0], axes[1])).sum())
    angle = math.degrees(math.atan2(along_rows, forward))
    return Drift(along_rows / spacing[0], along_columns / spacing[1], angle)


def straightened(voxels: Array, drift: Drift) -> tuple[Array, int, int]:
    """The volume (z, y', x') on the enlarged grid, same dtype, and how many rows and columns were added before the
    first: voxel (0, y, x) of the input is voxel (0, y + rows, x + columns) of the output."""
    depth, height, width = voxels.shape
    top, bottom = _margins(drift.rows * (depth - 1))
    left, right = _margins(drift.columns * (depth - 1))
    background = voxels.min()
    out = np.full((depth, top + height + bottom, left + width + right), background, voxels.dtype)
    for number in range(depth):
        moved = _moved(voxels[number].astype(np.float64), top + drift.rows * number, out.shape[1], float(background))
        moved = _moved(moved.T, left + drift.columns * number, out.shape[2], float(background)).T
        out[number] = moved if voxels.dtype.kind == "f" else np.rint(moved)
    return out, top, left


def _margins(total: float) -> tuple[int, int]:
    """How many rows a drift needs before the first and after the last; a thousandth of one is none."""
    needed = math.ceil(abs(total) - 1e-3)
    return (needed, 0) if total < 0 else (0, needed)


def _moved(values: Array, by: float, rows: int, background: float) -> Array:
    """`values` (n, x) with its first row at `by` of `rows` rows: between the rows it lies on, linearly."""
    out = np.full((rows, values.shape[1]), background)
    start = math.floor(by)
    part = by - start
    if part < 1e-6 or part > 1 - 1e-6:
        start = round(by)
        out[start : start + len(values)] = values
        return out
    # Row i of the grid lies between rows i - start - 1 and i - start; only where both exist is it inside the slice.
    out[start + 1 : start + len(values)] = values[:-1] * part + values[1:] * (1 - part)
    return out
