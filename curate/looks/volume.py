"""What a volume looks like: hashes of its slices along the patient's three axes.

The voxels are turned to RAS (an exact permutation and flip to the nearest axes), so a scan's orientation in its file
does not count; a slice is hashed over its whole extent, so neither does its sampling. Slices stand at most
`SLICE_STEP_MM` apart; every `ANCHOR_MM` one is an anchor, which is hashed in parts too (a cropped volume is found by
them) and which asks for other volumes. CT is hashed under three windows, other volumes between their outer percentiles.
"""

from __future__ import annotations

import math

import numpy as np

from curate.arrays import Volume
from curate.looks.hashes import cell_hashes
from curate.looks.planes import Grey, grey, reduced_planes, stretched
from curate.looks.rows import FULL, LOOK, LUNG, SOFT, Looks, rows_of
from curate.volume.grids import turned_view

ORIENTATION = "RAS"
SLICE_STEP_MM, ANCHOR_MM = 2.0, 10.0  # a change of either is a change of what prepared columns hold
WINDOWS = {SOFT: (-160.0, 240.0), LUNG: (-1350.0, 150.0)}  # HU
LEAST_SIDE, LEAST_MM = 12, 24.0  # a plane smaller than this along a side says too little
LEAST_ANCHORS = 8  # of an axis, where it has so many slices: a thin slab must be found too
SAMPLES = 1 << 18  # voxels that percentiles are taken of
OUTER = 0.005


def canonical(volume: Volume) -> Volume:
    """The volume turned to RAS as a view, without masks; slice indices here and in looks are those of its voxels
    (z, y, x)."""
    bare = Volume(volume.voxels, volume.affine, volume.units, volume.window)
    return turned_view(bare, ORIENTATION)


def volume_looks(volume: Volume) -> Looks:
    """The looks of a volume; CT is what is in HU."""
    turned = canonical(volume)
    views = [FULL, SOFT, LUNG] if volume.units == "HU" else [FULL]
    chosen = [_chosen(turned, axis) for axis in range(3)]
    found = []
    for view in views:
        planes = reduced_planes(turned.voxels, grey_bounds(turned, view), chosen)
        for axis, indices in enumerate(chosen):
            stride = _stride(turned, axis, indices)
            for number, index in enumerate(indices):
                anchor = number % stride == 0
                hashes = cell_hashes(stretched(planes[axis][number]), parts=anchor)
                found.append(rows_of((axis, view, index), anchor, hashes))
    return np.concatenate(found) if found else np.zeros(0, LOOK)


def _chosen(turned: Volume, axis: int) -> range:
    """The slices across an axis that are hashed; none where they are too small."""
    spacing, size = turned.spacing_mm[::-1], turned.voxels.shape[::-1]  # (x, y, z)
    if any(size[k] < LEAST_SIDE or size[k] * spacing[k] < LEAST_MM for k in range(3) if k != axis):
        return range(0)
    return range(0, size[axis], max(1, int(SLICE_STEP_MM / spacing[axis] + 1e-6)))


def _stride(turned: Volume, axis: int, indices: range) -> int:
    """Every how many of the chosen slices one is an anchor."""
    apart = indices.step * turned.spacing_mm[::-1][axis]
    return max(1, min(len(indices) // LEAST_ANCHORS, round(ANCHOR_MM / apart)))


def grey_bounds(turned: Volume, view: int) -> tuple[float, float]:
    """The values shown black and white in a view."""
    if view in WINDOWS:
        return WINDOWS[view]
    step = max(1, math.ceil((turned.voxels.size / SAMPLES) ** (1 / 3)))
    some = turned.voxels[::step, ::step, ::step].astype(np.float64)
    some = np.sort(some[np.isfinite(some)])
    if not some.size:
        return 0.0, 1.0
    last = some.size - 1
    return float(some[int(last * OUTER)]), float(some[last - int(last * OUTER)])


def plane_of(turned: Volume, axis: int, index: int, bounds: tuple[float, float]) -> Grey:
    """A slice of a RAS volume across x, y or z as 16-bit grey; rows are the later of the two axes that are left, z or
    y, and grow to superior or anterior."""
    cut: list[int | slice] = [slice(None)] * 3
    cut[2 - axis] = index
    return grey(turned.voxels[tuple(cut)], bounds)
