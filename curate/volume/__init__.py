"""Volumes from files that hold one: NIfTI-1 and 2, NRRD, MetaImage, bare .npy arrays; masks on their grid.

Voxels come out as (z, y, x), scaled; the affine maps indices (x, y, z) to RAS+ mm, as NIfTI does. uint8, int16, uint16
and int32 stay what they are stored as, everything else becomes what `narrow` says. Files are inflated piece by piece
into the one array that is kept, under a byte limit: reading holds one copy of the voxels (two where it must convert).

Covered: .nii, .nii.gz, .hdr/.img pairs (also .gz), .nrrd, .nhdr, .mha, .mhd, .npy; `curate.volume.nifti` and
`curate.volume.containers` say what of each, `curate.volume.flat` reads files of one slice as pictures. Not covered:
resampling of any kind.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Array, Units, Volume, narrow, read_npy
from curate.guard import MAX_BYTES
from curate.volume.containers import Grid, read_metaimage, read_nrrd
from curate.volume.m3d import to_m3d as to_m3d
from curate.volume.nifti import corner_distance_mm as corner_distance_mm
from curate.volume.nifti import read_frames, require_affine
from manifests.errors import RecordError, Reject

MIN_SHAPE = (3, 16, 16)  # (z, y, x)
GRID_TOLERANCE_MM = 1e-2  # between a mask's corners and its image's
KEPT = (np.uint8, np.int16, np.uint16, np.int32)  # integer dtypes that readers of shards know


def read_volume(path: Path, units: Units = "scanner", max_bytes: int = MAX_BYTES, part: int = 0) -> Volume:
    """The one 3D volume of a file, by its name's ending; of a 4D NIfTI the one that `part` says, by default the
    canonical one, which is the first frame.

    `units` is what the source knows of the values (HU for CT): these formats do not say. Raises RecordError as the
    readers below, `unsupported_volume` for other endings.
    """
    name = path.name.lower()
    if name.endswith((".nrrd", ".nhdr")):
        return _from_grid(read_nrrd, path, units, max_bytes)
    if name.endswith((".mha", ".mhd")):
        return _from_grid(read_metaimage, path, units, max_bytes)
    if name.removesuffix(".gz").endswith((".nii", ".hdr", ".img")):
        return volume_at(path, part, units, max_bytes)
    if name.endswith(".npy"):
        return _bare(path, max_bytes)
    raise RecordError("unsupported_volume", f"the ending {path.suffix[:12]}", "give NIfTI, NRRD or MetaImage")


def _bare(path: Path, max_bytes: int) -> Volume:
    """A .npy array (z, y, x), with axes of length 1 before them as M3D's (1, 32, 256, 256): voxels and nothing else, so
    `placed` is False (note `no_spacing`). Values from 0 to 1 were stretched to be looked at: units `display`, else
    `scanner`, never HU, for nothing says so. Raises RecordError `unsupported_volume` for another number of axes."""
    array = read_npy(path, max_bytes)
    if array.ndim < 3 or any(n != 1 for n in array.shape[:-3]) or 0 in array.shape:
        found = f"an array of shape {array.shape[:8]}"
        raise RecordError("unsupported_volume", found, "store one volume per file, as (z, y, x) or (1, z, y, x)")
    voxels = settled(array.reshape(array.shape[-3:]))
    shown = voxels.dtype.kind == "f" and bool(((voxels >= 0) & (voxels <= 1)).all())
    return Volume(voxels, np.eye(4), "display" if shown else "scanner", notes=("no_spacing",), placed=False)


def read_nifti(path: Path, units: Units = "scanner", max_bytes: int = MAX_BYTES) -> Volume:
    """A 3D NIfTI (trailing axes of length 1 are dropped).

    The sform is used where its code is above 0, else the qform, else nibabel's base affine with the note
    `no_orientation`; where both are set and differ by more than 0.1 mm at a corner, the note is `qform_differs`. Space
    units of metres and micrometres become mm (`units_converted`). scl_slope and scl_inter are applied, exactly where
    they and the voxels are whole numbers; a slope that is not finite is passed over (`scaling_ignored`). Raises
    RecordError: `unreadable_file`, `too_large`, `bad_volume`, `truncated_volume`, `corrupt_compression`, `bad_affine`
    (not finite, singular, no spacing), `unsupported_volume`, `lossy_dtype`, `four_dimensional`.
    """
    volume = volume_at(path, 0, units, max_bytes)
    if volume.facts:
        raise RecordError("four_dimensional", f"{volume.facts[0].value} time points", "read it with read_4d")
    return volume


def read_4d(path: Path, units: Units = "scanner", max_bytes: int = MAX_BYTES) -> tuple[Volume, ...]:
    """All time points of a NIfTI, in order, on one affine; one for a 3D file. The canonical one is the first: never a
    mean, which no scanner measured. Each holds the facts `time_points` and, where the header has it, `tr_s`; their
    voxels are views of one array, so of one dtype."""
    return _nifti_volumes(path, 0, None, units, max_bytes)


def volume_at(path: Path, index: int, units: Units = "scanner", max_bytes: int = MAX_BYTES) -> Volume:
    """One time point of a NIfTI, 0 for a 3D file, with the memory of one: the others are passed over. Raises
    RecordError as `read_nifti`, and `no_time_point`."""
    return _nifti_volumes(path, index, 1, units, max_bytes)[0]


def _nifti_volumes(path: Path, first: int, count: int | None, units: Units, max_bytes: int) -> tuple[Volume, ...]:
    header, frames = read_frames(path, first, count, max_bytes)
    kept = settled(frames)
    return tuple(Volume(f, header.affine, units, notes=header.notes, facts=header.facts) for f in kept)


def _from_grid(reader: Callable[[Path, int], Grid], path: Path, units: Units, max_bytes: int) -> Volume:
    grid = reader(path, max_bytes)
    require_affine(grid.affine)
    return Volume(settled(grid.voxels), grid.affine, units, notes=grid.notes)


def settled(voxels: Array) -> Array:
    """The voxels in a dtype that shards hold, untouched where they have one."""
    if voxels.dtype in KEPT:
        return np.ascontiguousarray(voxels)
    with np.errstate(over="ignore"):
        settled = narrow(voxels)
    if voxels.dtype == np.float64 and settled.dtype == np.float32 and np.isinf(settled).sum() > np.isinf(voxels).sum():
        raise RecordError("lossy_dtype", "values beyond 32-bit floats", "rescale the values")
    return settled


def read_mask(
    path: Path, labels: Mapping[int, str], like: Volume, threshold: float | None = None, max_bytes: int = MAX_BYTES
) -> dict[str, NDArray[np.uint8]]:
    """Masks of 0 and 1 on the grid of `like`, one for every label, in the order of the label numbers.

    A label map holds whole numbers; labels that it lacks give empty masks, numbers that `labels` lacks are left out.
    With `threshold`, the file is a probability map of the only label: 1 where value >= threshold. Nothing is resampled.
    Raises RecordError: `mask_values` (fractions without a threshold, several labels with one), and what `read_on_grid`
    raises.
    """
    mask = read_on_grid(path, like, max_bytes)
    if threshold is not None:
        if len(labels) != 1:
            raise RecordError("mask_values", f"{len(labels)} labels for a probability map", "name one label")
        return {name: (mask.voxels >= threshold).astype(np.uint8) for name in labels.values()}
    if mask.voxels.dtype.kind == "f":
        raise RecordError("mask_values", "values that are not whole numbers", "give a threshold")
    return {name: (mask.voxels == number).astype(np.uint8) for number, name in sorted(labels.items())}


def read_on_grid(path: Path, like: Volume, max_bytes: int = MAX_BYTES) -> Volume:
    """A label or probability map whose voxels are those of `like`, one by one.

    One that fills the same physical grid in another order of axes (written as RAS for an image in LPS, say) is turned
    round exactly, with the note `axes_reordered`. Raises RecordError: `mask_grid` (shape differs, or a corner lies more
    than 0.01 mm off, only one of the two has a spacing, or it has time points), and what `read_volume` raises.
    """
    mask = _reordered(read_volume(path, max_bytes=max_bytes), like)
    if mask.facts or mask.voxels.shape != like.voxels.shape or mask.placed != like.placed:
        raise RecordError("mask_grid", f"{mask.voxels.shape} on {like.voxels.shape}", "resample the mask first")
    apart = corner_distance_mm(mask.affine, like.affine, mask.voxels.shape[::-1])
    if apart > GRID_TOLERANCE_MM:
        raise RecordError("mask_grid", f"corners {apart:.3f} mm apart", "resample the mask first")
    return mask


def _reordered(mask: Volume, like: Volume) -> Volume:
    """The same voxels at the same places, the axes in the order and direction of those of `like` that they are nearest
    to."""
    ours, theirs = (a[:3, :3] / np.sqrt((a[:3, :3] ** 2).sum(axis=0)) for a in (mask.affine, like.affine))
    cosines = (theirs[:, :, None] * ours[:, None, :]).sum(axis=0)  # [axis of like, axis of mask]
    order = [int(axis) for axis in np.abs(cosines).argmax(axis=1)]
    flips = [bool(cosines[axis, order[axis]] < 0) for axis in range(3)]
    if sorted(order) != [0, 1, 2] or (order == [0, 1, 2] and not any(flips)):
        return mask
    affine, voxels = mask.affine.copy(), mask.voxels.T.transpose(order)  # (x, y, z) as the affine has them
    affine[:3, :3] = mask.affine[:3, order]
    for axis in range(3):
        if flips[axis]:
            affine[:3, 3] += affine[:3, axis] * (voxels.shape[axis] - 1)
            affine[:3, axis] *= -1
            voxels = np.flip(voxels, axis)
    notes = (*mask.notes, "axes_reordered")
    return dataclasses.replace(mask, voxels=np.ascontiguousarray(voxels.T), affine=affine, notes=notes)


def quality(volume: Volume, min_shape: tuple[int, int, int] = MIN_SHAPE) -> None:
    """Refuse what no model can learn from. Raises Reject: `too_small` (an axis below `min_shape`, (z, y, x)), `blank`
    (all finite voxels equal, or none finite)."""
    shape = volume.voxels.shape
    if any(n < least for n, least in zip(shape, min_shape, strict=True)):
        raise Reject("too_small", f"{shape} voxels (z, y, x), at least {min_shape} wanted")
    one = None
    for plane in volume.voxels:  # plane by plane: most volumes show two values in the first, and none is copied
        seen = plane if plane.dtype.kind != "f" else plane[np.isfinite(plane)]
        if seen.size:
            one = seen.flat[0] if one is None else one
            if (seen != one).any():
                return
    raise Reject("blank", "one value in all voxels")
