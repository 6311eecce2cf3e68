"""Volumes and masks on other grids, with the affine that says where they are.

Voxel i of an axis covers i - 0.5 to i + 0.5; the affine maps indices (x, y, z) to RAS+ mm. Two alignments:

    corner   the outer faces of the first voxels coincide (torch's `align_corners=False`, nnU-Net, MONAI's Resize)
    centre   the centres of the first voxels coincide (MONAI's Spacing)

Grids that are flipped, permuted, scaled or moved against the volume are sampled axis by axis; turned (oblique) ones
voxel by voxel, which is slower. Filters, rounding and determinism are `curate.volume.sampling`'s.

Antialiasing (`Sampling.antialias`): an axis whose output step exceeds the source's is read through a triangle of
half-width one output step, normalised. SimpleITK and MONAI do nothing there by default, TorchIO a Gaussian.

Anisotropy (`Sampling.separate_z`; B-splines only, because linear interpolation does not ring): where the largest
spacing of the source, else of the output, is more than 3 times the smallest and one axis only has it, that axis is read
as nearest and the plane by splines: nnU-Net's rule for order 3 (MIC-DKFZ/nnUNet@0a13ca7, nnunetv2/preprocessing/
resampling/default_resampling.py: ANISO_THRESHOLD, order_z 0). An axis shrunk with antialiasing keeps its filter.

Not covered: deformations, and partial volumes of masks.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from curate.arrays import Array, Volume, narrow
from curate.volume.grids import ALONG, Matrix, aligned, index_map, lengths, placed
from curate.volume.resample_mask import MaskMethod, resample_masks
from curate.volume.sampling import (
    Kernel,
    as_float,
    axis_taps,
    in_target_order,
    sample,
    spline_coefficients,
    turned_samples,
)
from manifests.errors import RecordError

Align = Literal["corner", "centre"]
Interpolation = Literal["nearest", "linear", "bspline"]

ANISOTROPY = 3.0
AIR_HU = -1024.0
MAX_VOXELS = 1 << 31


@dataclasses.dataclass(frozen=True, slots=True)
class Sampling:
    """How voxels and masks are read. `outside`: the value beyond the field; None: -1024 for HU, else the minimum."""

    interpolation: Interpolation = "linear"
    antialias: bool = True
    separate_z: bool = True
    outside: float | None = None
    masks: MaskMethod = "label_gaussian"


def outside_value(volume: Volume) -> float:
    """-1024 (air) for HU, else the smallest finite voxel; 0 where there is none."""
    if volume.units == "HU":
        return AIR_HU
    finite = volume.voxels if volume.voxels.dtype.kind != "f" else volume.voxels[np.isfinite(volume.voxels)]
    return float(finite.min()) if finite.size else 0.0


# Resampling


def to_shape(volume: Volume, shape: tuple[int, int, int], sampling: Sampling = Sampling()) -> Volume:
    """The whole field on `shape` (z, y, x) voxels, corner alignment: the spacing follows from the shape. Raises
    RecordError `bad_shape`, `too_large`."""
    _check_shape(shape)
    return to_grid(volume, shape_affine(volume, shape), shape, sampling)


def shape_affine(volume: Volume, shape: Sequence[int]) -> Matrix:
    """The affine of `to_shape`."""
    steps = [old / new for old, new in zip(volume.voxels.shape[::-1], shape[::-1], strict=True)]
    return placed(volume.affine, steps, [(step - 1) / 2 for step in steps])


def to_spacing(
    volume: Volume,
    spacing_mm: tuple[float, float, float],
    sampling: Sampling = Sampling(),
    align: Align = "corner",
) -> Volume:
    """The volume at `spacing_mm` (z, y, x).

    `corner`: n x spacing / wanted voxels, rounded (nnU-Net), that share the field, so the spacing in the affine may
    differ from what was wanted by the rounding. `centre`: the wanted spacing exactly, (n - 1) x spacing / wanted + 1
    voxels, rounded (MONAI's Spacing), so the field may be up to half a voxel off. Raises RecordError `bad_spacing`,
    `too_large`.
    """
    if any(not (math.isfinite(mm) and mm > 0) for mm in spacing_mm):
        raise RecordError("bad_spacing", f"{spacing_mm} mm", "give three positive numbers, (z, y, x)")
    ratios = [old / new for old, new in zip(volume.spacing_mm, spacing_mm, strict=True)]
    if align == "corner":
        z, y, x = (max(1, round(n * ratio)) for n, ratio in zip(volume.voxels.shape, ratios, strict=True))
        return to_shape(volume, (z, y, x), sampling)
    z, y, x = (round((n - 1) * ratio + 1) for n, ratio in zip(volume.voxels.shape, ratios, strict=True))
    affine = placed(volume.affine, [1 / ratio for ratio in reversed(ratios)], (0, 0, 0))
    return to_grid(volume, affine, (z, y, x), sampling)


def to_grid(volume: Volume, affine: Matrix, shape: tuple[int, int, int], sampling: Sampling = Sampling()) -> Volume:
    """The volume, and its masks, on the grid of `shape` (z, y, x) that `affine` places.

    Linear and B-spline results of integer voxels are rounded to nearest in their own dtype; NaN and infinities count as
    the outside value. Notes, facts, units and window stay. Raises RecordError `bad_affine`, `too_large`, `bad_shape`.
    """
    _check_shape(shape)
    wanted = np.asarray(affine, np.float64)
    outside = sampling.outside if sampling.outside is not None else outside_value(volume)
    voxels = narrow(_on_grid(_finite(volume.voxels, outside), volume.affine, wanted, shape, sampling, outside))
    masks = resample_masks(volume.masks, volume.affine, wanted, shape, sampling.masks)
    return dataclasses.replace(volume, voxels=voxels, affine=wanted, masks=masks)


def _check_shape(shape: tuple[int, int, int]) -> None:
    if min(shape) < 1:
        raise RecordError("bad_shape", f"{shape} voxels", "give three positive whole numbers, (z, y, x)")
    if math.prod(shape) > MAX_VOXELS:
        raise RecordError("too_large", f"{shape} voxels", f"at most {MAX_VOXELS} voxels are made; ask for fewer")


def _finite(voxels: Array, outside: float) -> Array:
    if voxels.dtype.kind != "f" or bool(np.isfinite(voxels).all()):
        return voxels
    return np.where(np.isfinite(voxels), voxels, np.asarray(outside, voxels.dtype))


def _on_grid(
    voxels: Array, source: Matrix, target: Matrix, shape: tuple[int, int, int], sampling: Sampling, outside: float
) -> Array:
    kernels = _kernels(source, target, sampling)
    mapped = index_map(source, target)
    order = aligned(mapped, shape)
    steps = [math.sqrt(sum(float(mapped[axis, k]) ** 2 for k in range(3))) for axis in (2, 1, 0)]
    shrunk = [sampling.antialias and step > 1 + ALONG for step in steps]
    if order is None:  # smoothing and interpolation are then two steps, and all axes are smoothed or none
        shrunk = [any(shrunk)] * 3
    splines = [kernel == "bspline" and not small for kernel, small in zip(kernels, shrunk, strict=True)]
    body = spline_coefficients(voxels, (splines[0], splines[1], splines[2])) if any(splines) else voxels
    if order is None:
        return turned_samples(body, mapped, shape, kernels, sampling.antialias, outside, voxels.dtype)
    axes = axis_taps(body.shape, mapped, order, shape, kernels, sampling.antialias)
    turned, along = in_target_order(body, axes, order)
    return sample(turned, along, outside, as_float, voxels.dtype)


def _kernels(source: Matrix, target: Matrix, sampling: Sampling) -> tuple[Kernel, Kernel, Kernel]:
    """For each source axis (z, y, x); the axis of nnU-Net's rule is nearest."""
    kernels: list[Kernel] = [sampling.interpolation] * 3
    if not sampling.separate_z or sampling.interpolation != "bspline":
        return kernels[0], kernels[1], kernels[2]
    steps = np.abs(index_map(source, target)[:3, :3])
    # an output spacing is compared along the source axis that it runs along
    new = [lengths(target)[int(np.argmax(steps[axis]))] for axis in range(3)]
    for spacing in (lengths(source), new):
        if max(spacing) / min(spacing) > ANISOTROPY:
            low = [axis for axis in range(3) if math.isclose(spacing[axis], max(spacing), rel_tol=1e-6)]
            if len(low) == 1 and not (sampling.antialias and steps[low[0]].max() > 1):
                kernels[2 - low[0]] = "nearest"
            break
    return kernels[0], kernels[1], kernels[2]
