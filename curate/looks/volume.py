"""What a volume looks like: hashes of its slices along the patient's three axes.

The voxels are turned to RAS (an exact permutation and flip to the nearest axes), so a scan's orientation in its file
does not count; a slice is hashed over its whole extent, so neither does its sampling. Slices stand at most
`slice_step_mm` apart; every `anchor_mm` one is an anchor, which is hashed in parts too (a cropped volume is found by
them) and which asks for other volumes. CT is hashed under three windows, other volumes between their outer percentiles.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Volume
from curate.looks.config import LooksConfig
from curate.looks.hashes import picture_hashes
from curate.looks.rows import FULL, LOOK, LUNG, SOFT, Looks, rows_of
from curate.volume.grids import reorient

ORIENTATION = "RAS"
WINDOWS = {SOFT: (-160.0, 240.0), LUNG: (-1350.0, 150.0)}  # HU
LEAST_SIDE, LEAST_MM = 12, 24.0  # a plane smaller than this along a side says too little
LEAST_ANCHORS = 8  # of an axis, where it has so many slices: a thin slab must be found too
SAMPLES = 1 << 18  # voxels that percentiles are taken of
OUTER = 0.005

Grey = NDArray[np.uint16]


def canonical(volume: Volume) -> Volume:
    """The volume turned to RAS, without masks; slice indices here and in looks are those of its voxels (z, y, x)."""
    bare = Volume(volume.voxels, volume.affine, volume.units, volume.window)
    return reorient(bare, ORIENTATION)


def volume_looks(volume: Volume, config: LooksConfig) -> Looks:
    """The looks of a volume; CT is what is in HU."""
    turned = canonical(volume)
    views = [FULL, SOFT, LUNG] if volume.units == "HU" else [FULL]
    found = [_axis_looks(turned, axis, view, config) for view in views for axis in range(3)]
    return np.concatenate(found) if found else np.zeros(0, LOOK)


def _axis_looks(turned: Volume, axis: int, view: int, config: LooksConfig) -> Looks:
    spacing = turned.spacing_mm[::-1]  # (x, y, z)
    size = turned.voxels.shape[::-1]
    others = [k for k in range(3) if k != axis]
    if any(size[k] < LEAST_SIDE or size[k] * spacing[k] < LEAST_MM for k in others):
        return np.zeros(0, LOOK)
    step = max(1, int(config.slice_step_mm / spacing[axis] + 1e-6))
    fewest = -(-size[axis] // step) // LEAST_ANCHORS
    stride = max(1, min(fewest, round(config.anchor_mm / (step * spacing[axis]))))
    bounds = grey_bounds(turned, view)
    found = []
    for number, index in enumerate(range(0, size[axis], step)):
        anchor = number % stride == 0
        plane = plane_of(turned, axis, index, bounds)
        found.append(rows_of((axis, view, index), anchor, picture_hashes(plane, parts=anchor)))
    return np.concatenate(found)


def grey_bounds(turned: Volume, view: int) -> tuple[float, float]:
    """The values shown black and white in a view."""
    if view in WINDOWS:
        return WINDOWS[view]
    flat = turned.voxels.reshape(-1)
    some = flat[:: max(1, flat.size // SAMPLES)].astype(np.float64)
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
    values = np.nan_to_num(turned.voxels[tuple(cut)].astype(np.float64), posinf=bounds[1], neginf=bounds[0])
    low, high = bounds
    return np.rint(np.clip((values - low) / max(high - low, 1e-12), 0, 1) * 65535).astype(np.uint16)
