"""Masks of 0 and 1 on other grids, so that structures keep their volume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from curate.volume.grids import Matrix, Size, aligned, index_map, minor
from curate.volume.sampling import Floats, Kernel, Taps, as_float, axis_taps, in_target_order, sample, turned_samples

MaskMethod = Literal["nearest", "label_gaussian"]

HALF = 0.5
VOLUME_DRIFT = 0.01  # of a mask's volume, beyond which the threshold follows the volume


def resample_masks(
    masks: Mapping[str, NDArray[np.uint8]], source: Matrix, target: Matrix, shape: Size, method: MaskMethod
) -> dict[str, NDArray[np.uint8]]:
    """Masks of one grid on another, in their order. Those that shared no voxel share none afterwards: each takes only
    voxels that the ones before it left, so label maps stay label maps."""
    out: dict[str, NDArray[np.uint8]] = {}
    before, taken = None, np.zeros(shape, np.uint8)
    for name, mask in masks.items():
        box = _box(mask)
        before = np.zeros(mask.shape, np.uint8) if before is None else before
        where = () if box is None else tuple(slice(a, b + 1) for a, b in box)
        alone = box is not None and not bool((before[where] & (mask[where] != 0)).any())
        out[name] = resample_mask(mask, source, target, shape, method, taken if alone else None)
        before[where] |= mask[where] != 0
        taken |= out[name]
    return out


def resample_mask(
    mask: NDArray[np.uint8],
    source: Matrix,
    target: Matrix,
    shape: Size,
    method: MaskMethod = "nearest",
    taken: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """A mask of 0 and 1 on another grid; beyond the field it is 0.

    `nearest`: the voxel that holds the position. `label_gaussian`: the indicator smoothed by a Gaussian of half an
    output step (at least half a voxel), 1 from 0.5 on (ITK's LabelImageGaussianInterpolateImageFunction for one label);
    where that changes the volume by more than 1 %, the threshold is moved until the number of voxels is right, of equal
    values the first ones in array order. So a structure that lies wholly in the field keeps its volume to 1 % or half
    a voxel. At a place where three structures meet, none may be 1. Voxels that `taken` marks are left out.
    """
    out = np.zeros(shape, np.uint8)
    box = _box(mask)
    if box is None:
        return out
    mapped = index_map(source, target)
    order = aligned(mapped, shape)
    kernel: Kernel = "nearest" if method == "nearest" else "gaussian"
    if order is None:
        turned_mask = _turned_mask(mask, mapped, shape, method)
        return turned_mask if taken is None else turned_mask & (1 - taken)
    axes = axis_taps(mask.shape, mapped, order, shape, (kernel,) * 3, False)
    turned, along = in_target_order(mask, axes, order)
    near = [_reached(one, box[2 - order.index(2 - axis)]) for axis, one in enumerate(along)]
    if any(a >= b for a, b in near):
        return out
    z, y, x = (one.part(a, b) for one, (a, b) in zip(along, near, strict=True))
    part = sample(turned, (z, y, x), 0.0, as_float, np.dtype(np.float32))
    follow = method == "label_gaussian" and _covers(mapped, order, shape, box)
    (a, b), (c, d), (e, f) = near
    if taken is not None:
        part[taken[a:b, c:d, e:f] != 0] = 0
    out[a:b, c:d, e:f] = _decided(part, _expected(mask, box, mapped) if follow else None)
    return out


def _box(mask: NDArray[np.uint8]) -> list[tuple[int, int]] | None:
    """First and last index of the marked voxels along (z, y, x)."""
    marked = mask != 0
    lines = [marked.any(axis=(1, 2)), marked.any(axis=(0, 2)), marked.any(axis=(0, 1))]
    if not lines[0].any():
        return None
    return [(int(np.argmax(line)), len(line) - 1 - int(np.argmax(line[::-1]))) for line in lines]


def _reached(along: Taps, box: tuple[int, int]) -> tuple[int, int]:
    """The outputs whose taps touch source indices of the box."""
    hit = np.flatnonzero((along.first <= box[1]) & (along.first + along.weights.shape[1] > box[0]))
    return (int(hit[0]), int(hit[-1]) + 1) if hit.size else (0, 0)


def _covers(mapped: Matrix, order: list[int], shape: Size, box: list[tuple[int, int]]) -> bool:
    """Whether the output's field reaches over the centres of all marked voxels."""
    for axis in range(3):
        step, offset = float(mapped[axis, order[axis]]), float(mapped[axis, 3])
        ends = sorted((offset - step / 2, offset + step * (shape[2 - order[axis]] - 0.5)))
        first, last = box[2 - axis]
        if not ends[0] <= first <= last <= ends[1]:
            return False
    return True


def _expected(mask: NDArray[np.uint8], box: list[tuple[int, int]], mapped: Matrix) -> int:
    """How many output voxels have the mask's volume."""
    (a, b), (c, d), (e, f) = box
    count = int(np.count_nonzero(mask[a : b + 1, c : d + 1, e : f + 1]))
    m = [[float(v) for v in row[:3]] for row in mapped[:3]]
    return round(count / abs(sum(m[0][k] * minor(m, 0, k) for k in range(3))))


def _decided(share: Floats, expected: int | None) -> NDArray[np.uint8]:
    """1 from 0.5 on, or the `expected` highest values where that is off by more than `VOLUME_DRIFT`."""
    inside = share >= np.float32(HALF)
    if expected is None or abs(int(np.count_nonzero(inside)) - expected) <= VOLUME_DRIFT * expected:
        return inside.astype(np.uint8)
    order = np.argsort(-share, axis=None, kind="stable")[:expected]
    flat = np.zeros(share.size, np.uint8)
    flat[order] = share.reshape(-1)[order] > 0
    return flat.reshape(share.shape)


def _turned_mask(mask: NDArray[np.uint8], mapped: Matrix, shape: Size, method: MaskMethod) -> NDArray[np.uint8]:
    """Oblique grids: the nearest voxel, or the half-way surface of the (smoothed) indicator."""
    kernel: Kernel = "nearest" if method == "nearest" else "linear"
    share = turned_samples(as_float(mask), mapped, shape, (kernel,) * 3, True, 0.0, np.dtype(np.float32))
    return (share >= np.float32(HALF)).astype(np.uint8)
