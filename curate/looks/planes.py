"""The slices of a volume along its three axes, each reduced to GRID x GRID area means, in one reading of its voxels.

Cutting out a slice across x or y touches every cache line of a scan; here slices across z are read once, in order, and
what belongs to all others is summed on the way. Whole numbers after the grey scale, so the same on every CPU. Held in
memory: 32 KiB a slice that is asked for, AT_ONCE slices across z, and three as 16 and 32 bits. The voxels may be a
turned view.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Array
from curate.looks.hashes import GRID

Grey = NDArray[np.uint16]
Bounds = tuple[float, float]
WHITE = 65535
AT_ONCE = 16  # slices read together: of a turned view, where one slice would touch every cache line
WIDEST = 1 << 15  # of a volume's sides: sums of one side in 16-bit grey fit 31 bits


def grey(plane: Array, bounds: Bounds) -> Grey:
    """A (y, x) plane of numbers between `bounds` as 0..65535, what lies outside clipped, NaN black."""
    from curate.looks import kernels

    out = np.empty(plane.shape, np.uint16)
    held = plane if plane.dtype == np.int16 else plane.astype(np.float64)
    kernels.quantise(np.ascontiguousarray(held), bounds[0], WHITE / max(bounds[1] - bounds[0], 1e-12), out)
    return out


def reduced_planes(voxels: Array, bounds: Bounds, chosen: Sequence[Sequence[int]]) -> tuple[Grey, Grey, Grey]:
    """(n, GRID, GRID) for the chosen indices across x, y and z of (z, y, x) voxels: area means of `grey`, their rows
    along z, z and y, their columns along y, x and x. An axis of which none is chosen has n = 0."""
    from curate.looks import kernels

    depth, height, width = voxels.shape
    across_x, across_y, across_z = (np.empty((len(indices), GRID, GRID), np.uint16) for indices in chosen)
    places_x, places_y = (np.asarray(indices, np.int64) for indices in chosen[:2])
    place_of = {index: n for n, index in enumerate(chosen[2])}
    whole = np.int32 if max(voxels.shape) < WIDEST else np.int64
    sums = np.empty((height, width), whole)
    plane, held = np.empty(0, np.uint16), -1
    block, first = voxels[:0], 0
    for cell in range(GRID):
        sums[:] = 0
        for z in range(cell * depth // GRID, -(-(cell + 1) * depth // GRID)):
            if z != held:
                if not first <= z < first + len(block):
                    block, first = np.ascontiguousarray(voxels[z : z + AT_ONCE]), z
                plane, held = grey(block[z - first], bounds), z
                if z in place_of:
                    rows = np.zeros((GRID, width), whole)
                    kernels.reduce_grey(plane, 0, WHITE, rows, across_z[place_of[z]])
            weight = min((z + 1) * GRID, (cell + 1) * depth) - max(z * GRID, cell * depth)
            kernels.weigh(plane, weight, sums)
        if len(places_y):
            made = np.empty((len(places_y), GRID), np.uint16)
            kernels.columns(sums[places_y], depth, WHITE, made)
            across_y[:, cell] = made
        if len(places_x):
            kernels.reduce_rows(sums, depth * WHITE, places_x, across_x[:, cell])
    return across_x, across_y, across_z


def stretched(cells: Grey) -> Grey:
    """Reduced grey values stretched from their least to their greatest."""
    low, high = int(cells.min()), int(cells.max())
    if (low, high) == (0, WHITE) or low == high:
        return cells
    scale = WHITE / (high - low)
    return np.rint((cells - np.float64(low)) * scale).astype(np.uint16)
