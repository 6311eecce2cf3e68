"""M3D's tensor: a volume as the models of M3D, and those that took over its format, read it.

The chain is that of M3D's published data processing (BAAI-DCAI/M3D, Data/process/m3d_cap_data_prepare.py): min-max to 0
to 1, crop to the box of values above 0, resize to 32 x 256 x 256. Only the rows that the resize reads are ever
converted, two planes at a time; float32 in a fixed order of operations, so the same bytes on every machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Array, Volume
from manifests.errors import RecordError, Reject

M3D_SHAPE = (32, 256, 256)  # (z, y, x)

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True)
class Extent:
    """Smallest and largest finite value, the box (z, y, x) of values above the smallest, and whether there are others
    than finite ones."""

    low: float
    high: float
    box: Box
    finite: bool


def to_m3d(volume: Volume) -> NDArray[np.float32]:
    """The volume as M3D's models read it: float32 (32, 256, 256) in 0 to 1.

    The resize is linear in each axis with half-pixel centres and no antialiasing, which is what MONAI's
    Resize(mode="trilinear", align_corners=False) computes; the whole agrees with MONAI's chain of ScaleIntensity,
    CropForeground and Resize within 1e-6. NaN and minus infinity count as the minimum, infinity as the maximum. Axes
    stay (z, y, x) as they are; the spacing is lost. Raises Reject `blank` for a constant volume, RecordError
    `lossy_dtype` for values that span more than a 32-bit float holds.
    """
    extent = measure(volume.voxels)
    low, span = np.float32(extent.low), extent.high - extent.low
    if not math.isfinite(span) or span > float(np.finfo(np.float32).max):
        raise RecordError("lossy_dtype", f"values from {extent.low:g} to {extent.high:g}", "rescale the values")
    cropped = volume.voxels[extent.box]
    (z0, z1, z_weight), rows, columns = (_taps(n, size) for n, size in zip(cropped.shape, M3D_SHAPE, strict=True))
    made = np.empty(M3D_SHAPE, np.float32)
    for k in range(M3D_SHAPE[0]):
        plane = _rows(_finite(cropped[z0[k]], extent), low, rows)
        _mix(plane, _rows(_finite(cropped[z1[k]], extent), low, rows), z_weight[k])
        x0, x1, x_weight = columns
        line = plane.take(x0, 1)
        _mix(line, plane.take(x1, 1), x_weight)
        np.divide(line, np.float32(span), out=made[k])
    return np.clip(made, 0.0, 1.0, out=made)  # a mix may round to a hair outside of what it mixes


def measure(voxels: Array) -> Extent:
    """The range and the foreground of (z, y, x) voxels, each read once. Raises Reject `blank`: one value, or none that
    is finite."""
    lows, highs = np.empty(len(voxels)), np.empty(len(voxels))
    finite, shade = True, np.array(voxels[0])
    for k, plane in enumerate(voxels):
        ends = plane.min(), plane.max()
        if plane.dtype.kind == "f" and not np.isfinite(ends).all():  # NaN spreads to both
            finite, seen = False, plane[np.isfinite(plane)]
            ends = (seen.min(), seen.max()) if seen.size else (np.inf, -np.inf)
            plane = np.nan_to_num(plane, nan=-np.inf, posinf=np.inf, neginf=-np.inf)
        lows[k], highs[k] = ends
        np.fmax(shade, plane, out=shade)
    low, high = float(lows.min()), float(highs.max())
    if high <= low:
        raise Reject("blank", "a constant volume")
    if not finite:
        highs[[bool((plane == np.inf).any()) for plane in voxels]] = np.inf  # counts as the maximum
    front = shade > low
    z, y, x = (_ends(np.flatnonzero(marks)) for marks in (highs > low, front.any(1), front.any(0)))
    return Extent(low, high, (z, y, x), finite)


def _ends(places: NDArray[np.intp]) -> slice:
    return slice(int(places[0]), int(places[-1]) + 1)


def _finite(plane: Array, extent: Extent) -> Array:
    if extent.finite:
        return plane
    return np.nan_to_num(plane, nan=extent.low, posinf=extent.high, neginf=extent.low)


def _taps(length: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Of every output place: the two input places that it lies between, and the weight of the second."""
    source = np.maximum((np.arange(size) + 0.5) * (length / size) - 0.5, 0.0)
    lower = np.minimum(source.astype(np.int64), length - 1)
    return lower, np.minimum(lower + 1, length - 1), (source - lower).astype(np.float32)


def _rows(
    plane: Array, low: np.float32, taps: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
) -> NDArray[np.float32]:
    first, second, weight = taps
    mixed, other = plane[first].astype(np.float32), plane[second].astype(np.float32)
    mixed -= low
    other -= low
    _mix(mixed, other, weight[:, None])
    return mixed


def _mix(first: NDArray[np.float32], second: NDArray[np.float32], weight: NDArray[np.float32] | np.float32) -> None:
    """first + (second - first) * weight, into `first`; `second` is used up."""
    second -= first
    second *= weight
    first += second
