"""Volumes from files that hold one: NIfTI-1 and 2, NRRD, MetaImage; masks on their grid; M3D's tensor.

Voxels come out as (z, y, x) in `narrow`'s dtypes with scaling applied; the affine maps indices (x, y, z) to RAS+ mm, as
NIfTI does. Files are read whole under a byte limit, compressed or not, before a parser sees them.

Covered: .nii, .nii.gz, .hdr/.img pairs (also .gz), .nrrd, .nhdr, .mha, .mhd. Not covered, and refused: Analyze 7.5
(its left and right are ambiguous), RGB and complex voxels, vector images (5D), 2D, and resampling of any kind.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Units, Volume, narrow
from curate.guard import MAX_BYTES, inflate, read_bytes, typed
from curate.volume_containers import read_metaimage, read_nrrd
from manifests.errors import RecordError, Reject
from manifests.record import Fact

MIN_SHAPE = (3, 16, 16)  # (z, y, x)
FORM_TOLERANCE_MM = 0.1  # between qform and sform at the corners, before it is noted
GRID_TOLERANCE_MM = 1e-2  # between a mask's corners and its image's
M3D_SHAPE = (32, 256, 256)

_SPACE_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 1e-3}  # NIfTI xyzt_units, bits 0 to 2: unknown is taken as mm
_TIME_S = {8: 1.0, 16: 1e-3, 24: 1e-6}
_REMEDY = "fetch the file again or rewrite it with nibabel"


def read_volume(path: Path, units: Units = "scanner", max_bytes: int = MAX_BYTES) -> Volume:
    """The one 3D volume of a file, by its name's ending; of a 4D NIfTI the canonical one, which is the first frame.

    `units` is what the source knows of the values (HU for CT): these formats do not say. Raises RecordError as the
    readers below, `unsupported_volume` for other endings.
    """
    name = path.name.lower()
    if name.endswith((".nrrd", ".nhdr")):
        return _from_grid(read_nrrd, path, units, max_bytes)
    if name.endswith((".mha", ".mhd")):
        return _from_grid(read_metaimage, path, units, max_bytes)
    if name.removesuffix(".gz").endswith((".nii", ".hdr", ".img")):
        return _nifti_volumes(path, units, max_bytes, first_only=True)[0]
    raise RecordError("unsupported_volume", f"the ending {path.suffix[:12]}", "give NIfTI, NRRD or MetaImage")


def read_nifti(path: Path, units: Units = "scanner", max_bytes: int = MAX_BYTES) -> Volume:
    """A 3D NIfTI (trailing axes of length 1 are dropped).

    The sform is used where its code is above 0, else the qform, else nibabel's base affine with the note
    `no_orientation`; where both are set and differ by more than 0.1 mm at a corner, the note is `qform_differs`. Space
    units of metres and micrometres become mm. scl_slope and scl_inter are applied. Raises RecordError:
    `unreadable_file`, `too_large`, `bad_volume`, `truncated_volume`, `corrupt_compression`, `bad_affine` (not finite or
    singular), `unsupported_volume`, `four_dimensional`.
    """
    volumes = _nifti_volumes(path, units, max_bytes, first_only=True)
    if volumes[0].facts:
        raise RecordError("four_dimensional", f"{volumes[0].facts[0].value} time points", "read it with read_4d")
    return volumes[0]


def read_4d(path: Path, units: Units = "scanner", max_bytes: int = MAX_BYTES) -> tuple[Volume, ...]:
    """All time points of a NIfTI, in order, on one affine; one for a 3D file. The canonical one is the first: never a
    mean, which no scanner measured. Each holds the facts `time_points` and, where the header has it, `tr_s`."""
    return _nifti_volumes(path, units, max_bytes, first_only=False)


def _from_grid(reader: Callable[[Path, int], Any], path: Path, units: Units, max_bytes: int) -> Volume:
    grid = reader(path, max_bytes)
    _require_affine(grid.affine)
    return Volume(narrow(grid.voxels), grid.affine, units, notes=grid.notes)


def _nifti_volumes(path: Path, units: Units, max_bytes: int, first_only: bool) -> tuple[Volume, ...]:
    image = _nifti_image(path, max_bytes)
    with typed("bad_volume", _REMEDY):
        header = image.header
        shape = _nifti_shape(image, max_bytes)
        affine, notes = _nifti_affine(image)
        facts = _time_facts(header, shape[3])
        stored = image.dataobj.reshape((*image.shape, *(1,) * (4 - len(image.shape)))[:4])
        frames = [np.asanyarray(stored[..., t]) for t in range(1 if first_only else shape[3])]
    return tuple(Volume(narrow(f.T), affine, units, notes=notes, facts=facts) for f in frames)


def _nifti_image(path: Path, max_bytes: int) -> Any:
    """A nibabel image over bytes in memory; the header's own offsets cannot leave them."""
    import nibabel

    name = path.name.lower()
    pair = name.removesuffix(".gz").endswith((".hdr", ".img"))
    head_path, data_path = _pair_paths(path) if pair else (path, path)
    head = _plain_bytes(head_path, max_bytes)
    magic, wide = head[344:348], head[4:8]
    if magic not in (b"n+1\0", b"ni1\0") and wide not in (b"n+2\0", b"ni2\0"):
        raise RecordError("bad_volume", "no NIfTI signature", "convert it to NIfTI; Analyze 7.5 is not read")
    second = wide in (b"n+2\0", b"ni2\0")
    with typed("bad_volume", _REMEDY), nibabel.imageglobals.LoggingOutputSuppressor():
        maker: Any = {
            (False, False): nibabel.Nifti1Image,
            (False, True): nibabel.Nifti1Pair,
            (True, False): nibabel.Nifti2Image,
            (True, True): nibabel.Nifti2Pair,
        }[second, pair]
        file_map = maker.make_file_map({"image": io.BytesIO(_plain_bytes(data_path, max_bytes) if pair else head)})
        if pair:
            file_map["header"].fileobj = io.BytesIO(head)
        return maker.from_file_map(file_map, mmap=False)


def _pair_paths(path: Path) -> tuple[Path, Path]:
    zipped = ".gz" if path.name.lower().endswith(".gz") else ""
    stem = path.name[: len(path.name) - len(zipped) - 4]
    return path.with_name(f"{stem}.hdr{zipped}"), path.with_name(f"{stem}.img{zipped}")


def _plain_bytes(path: Path, max_bytes: int) -> bytes:
    data = read_bytes(path, max_bytes)
    return inflate(data, max_bytes) if data.startswith(b"\x1f\x8b") else data


def _nifti_shape(image: Any, max_bytes: int) -> tuple[int, int, int, int]:
    """(x, y, z, t), checked against the bytes that are there before nibabel allocates by it."""
    shape, dtype = tuple(int(n) for n in image.shape), image.header.get_data_dtype()
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise RecordError("unsupported_volume", f"voxels of type {dtype}"[:60], "write integers or floats")
    if len(shape) < 3 or min(shape) < 1 or math.prod(shape[4:]) != 1:
        raise RecordError("unsupported_volume", f"shape {shape}", "write one 3D or 4D scalar image per file")
    offset = float(image.dataobj.offset)
    needed = math.prod(shape) * dtype.itemsize + offset
    if not 0 <= needed <= max_bytes:
        raise RecordError("too_large", f"shape {shape}", f"at most {max_bytes} bytes are read")
    available = len(image.file_map["image"].fileobj.getbuffer())
    if needed > available:
        raise RecordError("truncated_volume", f"{available} of {int(needed)} bytes", "fetch the file again")
    x, y, z, t = (*shape, 1)[:4]
    return x, y, z, t


def _nifti_affine(image: Any) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    header = image.header
    unit = _SPACE_MM.get(int(header["xyzt_units"]) & 7)
    if unit is None:
        raise RecordError("bad_volume", "an unknown space unit", _REMEDY)
    to_mm = np.diag([unit, unit, unit, 1.0])
    affine = np.asarray(to_mm @ image.affine, np.float64)
    _require_affine(affine)
    notes = [] if unit == 1.0 else ["units_converted"]
    sform, qform = int(header["sform_code"]), int(header["qform_code"])
    if sform <= 0 and qform <= 0:
        notes.append("no_orientation")
    if (
        sform > 0
        and qform > 0
        and corner_distance_mm(to_mm @ header.get_qform(), affine, image.shape) > FORM_TOLERANCE_MM
    ):
        notes.append("qform_differs")
    return affine, tuple(notes)


def _require_affine(affine: NDArray[np.float64]) -> None:
    remedy = "repair the header's geometry"
    if not np.isfinite(affine).all() or np.abs(affine).max() > 1e6:
        raise RecordError("bad_affine", "values that are not finite or beyond a kilometre", remedy)
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if lengths.min() < 1e-6 or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-3:
        raise RecordError("bad_affine", "a singular matrix", remedy)


def corner_distance_mm(one: NDArray[np.float64], other: NDArray[np.float64], shape_xyz: tuple[int, ...]) -> float:
    """The largest distance between where two affines put the eight corner voxels of a grid."""
    steps = [(0, int(n) - 1) for n in shape_xyz[:3]]
    corners = np.array([(x, y, z, 1) for x in steps[0] for y in steps[1] for z in steps[2]], np.float64).T
    apart = ((one - other) @ corners)[:3]
    return float(np.nan_to_num(np.linalg.norm(apart, axis=0), nan=np.inf).max())


def _time_facts(header: Any, points: int) -> tuple[Fact, ...]:
    """NIfTI: dim[4] and pixdim[4]; a time step is stated only where its unit is, because many writers leave a 1."""
    if points == 1:
        return ()
    facts = [Fact("time_points", str(points), "nifti:dim[4]")]
    step = float(header["pixdim"][4]) * _TIME_S.get(int(header["xyzt_units"]) & 56, 0.0)
    if math.isfinite(step) and step > 0:
        facts.append(Fact("tr_s", np.format_float_positional(round(step, 6), trim="-"), "nifti:pixdim[4]", "s"))
    return tuple(facts)


def read_mask(
    path: Path, labels: Mapping[int, str], like: Volume, threshold: float | None = None, max_bytes: int = MAX_BYTES
) -> dict[str, NDArray[np.uint8]]:
    """Masks of 0 and 1 on the grid of `like`, one for every label, in the order of the label numbers.

    A label map holds whole numbers; labels that it lacks give empty masks, numbers that `labels` lacks are left out.
    With `threshold`, the file is a probability map of the only label: 1 where value >= threshold. Nothing is resampled.
    Raises RecordError: `mask_grid` (shape differs, or a corner lies more than 0.01 mm off), `mask_values` (fractions
    without a threshold, several labels with one), and what `read_volume` raises.
    """
    mask = read_volume(path, max_bytes=max_bytes)
    if mask.facts or mask.voxels.shape != like.voxels.shape:
        raise RecordError("mask_grid", f"{mask.voxels.shape} on {like.voxels.shape}", "resample the mask first")
    apart = corner_distance_mm(mask.affine, like.affine, mask.voxels.shape[::-1])
    if apart > GRID_TOLERANCE_MM:
        raise RecordError("mask_grid", f"corners {apart:.3f} mm apart", "resample the mask first")
    if threshold is not None:
        if len(labels) != 1:
            raise RecordError("mask_values", f"{len(labels)} labels for a probability map", "name one label")
        return {name: (mask.voxels >= threshold).astype(np.uint8) for name in labels.values()}
    if mask.voxels.dtype.kind == "f":
        raise RecordError("mask_values", "values that are not whole numbers", "give a threshold")
    return {name: (mask.voxels == number).astype(np.uint8) for number, name in sorted(labels.items())}


def to_m3d(volume: Volume) -> NDArray[np.float32]:
    """The volume as M3D's models read it: float32 (32, 256, 256) in 0 to 1.

    The chain of M3D's published data processing (BAAI-DCAI/M3D, Data/process): min-max to 0-1, crop to the box of
    values above 0, resize to 32 x 256 x 256. The resize is linear in each axis with half-pixel centres and no
    antialiasing, which is what MONAI's Resize(mode="trilinear", align_corners=False) computes. NaN counts as the
    minimum. Axes stay (z, y, x) as they are; the spacing is lost. Raises Reject `blank` for a constant volume.
    """
    voxels = np.asarray(volume.voxels, np.float32)
    finite = np.isfinite(voxels)
    low, high = (float(voxels[finite].min()), float(voxels[finite].max())) if finite.any() else (0.0, 0.0)
    if high <= low:
        raise Reject("blank", "a constant volume")
    scaled = (np.nan_to_num(voxels, nan=low, posinf=high, neginf=low) - np.float32(low)) / np.float32(high - low)
    foreground = np.argwhere(scaled > 0)
    z, y, x = (slice(int(a), int(b) + 1) for a, b in zip(foreground.min(0), foreground.max(0), strict=True))
    cropped = scaled[z, y, x]
    for axis, size in enumerate(M3D_SHAPE):
        cropped = _resize_axis(cropped, axis, size)
    return np.ascontiguousarray(cropped, np.float32)


def _resize_axis(array: NDArray[np.float32], axis: int, size: int) -> NDArray[np.float32]:
    length = array.shape[axis]
    source = np.maximum((np.arange(size) + 0.5) * (length / size) - 0.5, 0.0)
    lower = np.minimum(source.astype(np.int64), length - 1)
    upper = np.minimum(lower + 1, length - 1)
    weight = (source - lower).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
    return np.asarray(array.take(lower, axis) * (1 - weight) + array.take(upper, axis) * weight, np.float32)


def quality(volume: Volume, min_shape: tuple[int, int, int] = MIN_SHAPE) -> None:
    """Refuse what no model can learn from. Raises Reject: `too_small` (an axis below `min_shape`, (z, y, x)), `blank`
    (all finite voxels equal, or none finite)."""
    shape = volume.voxels.shape
    if any(n < least for n, least in zip(shape, min_shape, strict=True)):
        raise Reject("too_small", f"{shape} voxels (z, y, x), at least {min_shape} wanted")
    finite = volume.voxels[np.isfinite(volume.voxels)]
    if not finite.size or finite.min() == finite.max():
        raise Reject("blank", "one value in all voxels")
