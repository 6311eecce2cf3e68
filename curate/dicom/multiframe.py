"""The volumes in one DICOM file, enhanced multi-frame or Siemens mosaic, to `Volume`s.

Preconditions, each refused by its own `RecordError` when it does not hold, with the values found:

    those of `sources.dicom_frames` (which frames make a volume) and, for mosaics, of `curate.dicom.mosaic`
    not_multiframe      the file is one that `is_multiframe_volume` accepts
    no_such_part        `part` is one of its volumes
    not_monochrome      one sample per pixel, MONOCHROME1 or MONOCHROME2
    too_few_slices      at least 2 places in every volume
    bad_orientation     unit, perpendicular direction cosines
    mixed_spacing       one PixelSpacing in a volume
    missing_slices, nonuniform_spacing, gantry_tilt     as `curate.dicom.line` tells them
    mixed_units         one unit in a volume
    too_large, truncated_pixels, no_pixel_data    the pixels that the header promises, within the limit

Slices are sorted along the normal (rows x columns), rows and columns stay as stored, the affine is RAS+: the same
volume comes from a series of single slices. Every frame is rescaled by its own slope and intercept. Philips MR frames
whose private scale slope is known become the precise values (stored * RS + RI) / (RS * SS) of Chenevert et al. 2014
(PMC3998685), as dcm2niix makes them; `scaling="standard"` keeps stored * RS + RI.

Standards: DICOM PS3.3 C.7.6.16 and C.7.6.2. Not covered: colour, uneven steps,
real-world value maps (noted), volumes spread over several files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from curate.arrays import Array, Units, Volume, Window, narrow
from curate.dicom.frame_pixels import Instance, bare_frame, encoded_frames, opened, put
from curate.dicom.header import (
    bad_header,
    frame_count,
    integer_of,
    is_inverted,
    modality,
    number_of,
    text_of,
    window_of,
)
from curate.dicom.line import line_of, upright
from curate.dicom.mosaic import mosaic_of, tiles_of
from curate.dicom.pixels import MAX_VALUES, decode, modality_values
from curate.dicom.rescale import to_float32
from curate.guard import typed
from manifests.errors import RecordError
from manifests.record import Fact
from sources.dicom_frames import FrameGroup, holds_volumes, volumes_of
from sources.dicom_planes import Plane, image_types, is_nm, macro, planes_of

MIN_PLACES = 2
COSINE_TOLERANCE = 1e-3  # of direction cosines, which are often written with 4 to 6 digits
SPACING_TOLERANCE = 1e-4  # mm, of PixelSpacing

Scaling = Literal["precise", "standard"]
Floats = NDArray[np.float64]

_RESCALE = ("RescaleSlope", "RescaleIntercept", "RescaleType")
_CHUNK = 1 << 22  # bytes of native frames that are decoded together
_RESAMPLE = "resample the volume with another tool"


@dataclass(frozen=True, slots=True)
class _Transform:
    """What one frame's stored values mean: slope, intercept, type of the result, Philips' private scale slope."""

    slope: float | None
    intercept: float | None
    kind: str
    scale: float | None


def is_multiframe_volume(header: Dataset) -> bool:
    """Whether a header is of a file that `read_volumes` is for. Raises RecordError `bad_header`."""
    return holds_volumes(header)


def read_volumes(
    source: Path | Dataset, max_values: int = MAX_VALUES, scaling: Scaling = "precise"
) -> tuple[Volume, ...]:
    """All volumes of one file (or of a data set that holds its pixels), in the order of `volumes_of`.

    Voxels (z, y, x) in `narrow`'s dtypes; float32 where the rescale is not whole. The window is the first slice's.
    Notes: gantry_tilt_corrected, positions_rounded (both as `read_series` has them), inverted, rescale_per_slice,
    philips_precise_scaling, real_world_values, spacing_from_thickness. `max_values` bounds all
    volumes together. Raises RecordError as the module says, and as `read_header` and `decode` do.
    """
    with opened(source) as instance:
        _require_size(instance.header, frame_count(instance.header), max_values)
        groups, planes = _groups(instance), _planes(instance.header)
        return tuple(_volume(instance, group, planes, max_values, scaling) for group in groups)


def read_volume_part(
    source: Path | Dataset, part: int, max_values: int = MAX_VALUES, scaling: Scaling = "precise"
) -> Volume:
    """One of the volumes of a file, numbered from 0 as `volumes_of` orders them; only its frames are decoded.

    Nothing but its own frames is held in memory: the volume, its slices while they are stacked, and one frame; a
    deflated file is inflated whole. Raises RecordError as `read_volumes`, and `no_such_part`.
    """
    with opened(source) as instance:
        groups = _groups(instance)
        if not 0 <= part < len(groups):
            raise RecordError("no_such_part", f"part {part} of {len(groups)}", "number the parts from 0")
        return _volume(instance, groups[part], _planes(instance.header), max_values, scaling)


def _planes(header: Dataset) -> tuple[Plane, ...]:
    return () if "MOSAIC" in image_types(header) else planes_of(header)


def _groups(instance: Instance) -> tuple[FrameGroup, ...]:
    header = instance.header
    if not holds_volumes(header):
        found = f"a {modality(header)} file of {frame_count(header)} frames"
        raise RecordError("not_multiframe", found, "read it as an image, a cine or a slice of a series")
    photometric = text_of(header, "PhotometricInterpretation")
    if integer_of(header, "SamplesPerPixel", 1) != 1 or photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise RecordError("not_monochrome", photometric or "no photometric interpretation", "read it as a cine")
    return volumes_of(header)


def _require_size(header: Dataset, frames: int, max_values: int) -> None:
    shape = (frames, integer_of(header, "Rows", 0), integer_of(header, "Columns", 0))
    if math.prod(shape) > max_values:
        raise RecordError("too_large", f"{shape} voxels", f"at most {max_values} values are decoded from one instance")


def _volume(
    instance: Instance, group: FrameGroup, planes: Sequence[Plane], max_values: int, scaling: Scaling
) -> Volume:
    header = instance.header
    _require_size(header, len(group.frames), max_values)
    if not planes:
        return _mosaic(instance, max_values)
    lps, rounded = _grid([planes[frame] for frame in group.frames])
    transforms = [_transform(header, frame, scaling) for frame in group.frames]
    voxels, units = _voxels(instance, group.frames, transforms)
    voxels, lps, tilt = _upright(voxels, lps)
    notes = ["inverted"] if is_inverted(header) else []
    notes += [*tilt, *(["positions_rounded"] if rounded else [])]
    notes += ["rescale_per_slice"] if len(set(transforms)) > 1 else []
    notes += ["philips_precise_scaling"] if transforms[0].scale else []
    notes += ["real_world_values"] if _has_real_world_values(header, group.frames[0]) else []
    window = _window(header, group.frames[0], transforms[0])
    return Volume(voxels, _ras(lps), units, window, notes=tuple(notes), facts=_facts(header, group))


def _mosaic(instance: Instance, max_values: int) -> Volume:
    header = instance.header
    mosaic = mosaic_of(header)
    bare = bare_frame(instance)
    put(bare, instance, list(encoded_frames(instance, (0,))))
    stored, _ = decode(bare, max_values)
    voxels, units = modality_values(bare, tiles_of(stored[0], mosaic), modality(header))
    notes = (*(("inverted",) if is_inverted(header) else ()), *mosaic.notes)
    return Volume(voxels, _ras(mosaic.lps), units, window_of(header), notes=notes, facts=mosaic.facts)


def _facts(header: Dataset, group: FrameGroup) -> tuple[Fact, ...]:
    origin = "dicom:0028,0009" if is_nm(header) else "dicom:5200,9230"
    return tuple(Fact(name, value, origin, unit) for name, value, unit in group.facts)


def _transform(header: Dataset, frame: int, scaling: Scaling) -> _Transform:
    """PS3.3 C.7.6.16.2.9 of one frame; nuclear medicine has one for all frames or none."""
    item = header if is_nm(header) else macro(header, frame, "PixelValueTransformationSequence") or Dataset()
    slope, intercept = number_of(item, "RescaleSlope"), number_of(item, "RescaleIntercept")
    scale = _philips_scale(header, frame) if scaling == "precise" and slope and not is_nm(header) else None
    return _Transform(slope, intercept, text_of(item, "RescaleType"), scale)


def _philips_scale(header: Dataset, frame: int) -> float | None:
    """Philips' scale slope (2005,100E) of one frame, None where it is absent or unusable."""
    with typed("bad_header", "repair the private elements or leave the file out"):
        private = header.PerFrameFunctionalGroupsSequence[frame].get(0x2005140F)
        items = None if private is None else private.value
        if not isinstance(items, pydicom.Sequence) or not items:
            return None
        try:
            value: Any = items[0].private_block(0x2005, "Philips MR Imaging DD 001")[0x0E].value
        except KeyError:
            return None
        scale = float(np.frombuffer(value, "<f4", 1)[0]) if isinstance(value, bytes) else float(value)
    return scale if math.isfinite(scale) and scale > 0 else None


def _has_real_world_values(header: Dataset, frame: int) -> bool:
    return not is_nm(header) and macro(header, frame, "RealWorldValueMappingSequence") is not None


def _window(header: Dataset, frame: int, transform: _Transform) -> Window | None:
    """The VOI window of one frame in the volume's units."""
    item = header if is_nm(header) else macro(header, frame, "FrameVOILUTSequence")
    window = None if item is None else window_of(item)
    if window is None or transform.scale is None or not transform.slope:
        return window
    factor = transform.slope * transform.scale
    return window[0] / factor, window[1] / factor


def _grid(planes: Sequence[Plane]) -> tuple[Floats, bool]:
    """Indices (x, y, z) to LPS+ mm of planes that are sorted along their normal, PS3.3 equation C.7.6.2.1-1; whether
    positions are rounded."""
    if len(planes) < MIN_PLACES:
        raise RecordError("too_few_slices", f"{len(planes)} slices", f"a volume needs {MIN_PLACES}")
    spacings = np.array([plane.spacing for plane in planes])
    if np.ptp(spacings, axis=0).max() > SPACING_TOLERANCE:
        found = f"from {spacings.min(axis=0).tolist()} to {spacings.max(axis=0).tolist()} mm"
        raise RecordError("mixed_spacing", found, _RESAMPLE)
    vectors = np.array(planes[0].orientation).reshape(2, 3)
    lengths, overlap = np.linalg.norm(vectors, axis=1), float((vectors[0] * vectors[1]).sum())
    if np.abs(lengths - 1).max() > COSINE_TOLERANCE or abs(overlap) > COSINE_TOLERANCE:
        found = f"lengths {np.round(lengths, 4).tolist()}, dot product {overlap:.4f}"
        raise RecordError("bad_orientation", found, "repair ImageOrientationPatient or leave the file out")
    rows, columns = vectors / lengths[:, None]
    positions = np.array([plane.position for plane in planes])
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1] = rows * spacings[0, 1], columns * spacings[0, 0]
    lps[:3, 3], lps[:3, 2], rounded = line_of(positions, np.cross(rows, columns))
    return lps, rounded


def _upright(voxels: Array, lps: Floats) -> tuple[Array, Floats, tuple[str, ...]]:
    spacing_x, spacing_y = (float(np.sqrt((lps[:3, n] ** 2).sum())) for n in (0, 1))
    axes = np.stack([lps[:3, 0] / spacing_x, lps[:3, 1] / spacing_y])
    voxels, origin, step, notes = upright(voxels, lps[:3, 3], lps[:3, 2], axes, (spacing_y, spacing_x))
    made = lps.copy()
    made[:3, 2], made[:3, 3] = step, origin
    return voxels, made, notes


def _ras(lps: Floats) -> Floats:
    ras = lps.copy()
    ras[:2] *= -1
    return ras + 0.0  # no negative zeros


def _voxels(instance: Instance, frames: tuple[int, ...], transforms: Sequence[_Transform]) -> tuple[Array, Units]:
    """The frames' values in their order; they are read and decoded a few at a time, in file order."""
    bare = bare_frame(instance)
    order = sorted(range(len(frames)), key=lambda i: frames[i])
    encoded = encoded_frames(instance, tuple(frames[i] for i in order))
    slices: list[Array] = [np.empty(0)] * len(frames)
    kinds: set[Units] = set()
    for chunk in _chunks(instance, order, transforms):
        put(bare, instance, [next(encoded) for _ in chunk])
        values, units = _values(bare, decode(bare)[0], transforms[chunk[0]], modality(instance.header))
        kinds.add(units)
        for i, one in zip(chunk, values, strict=True):
            slices[i] = one
    if len(kinds) > 1:
        raise RecordError("mixed_units", ", ".join(sorted(kinds)), "repair RescaleType or leave the file out")
    return narrow(np.stack(slices)), kinds.pop()


def _chunks(instance: Instance, order: Sequence[int], transforms: Sequence[_Transform]) -> list[list[int]]:
    """Neighbours of one rescale, to be decoded together: an eighth of the volume or 4 MiB at most. Encapsulated frames
    go one by one, because `decode` holds only the first codestream that it is given against the header."""
    size = integer_of(instance.header, "Rows", 0) * integer_of(instance.header, "Columns", 0) * 2
    most = 1 if instance.length is None else max(1, min(len(order) // 8, _CHUNK // max(size, 1)))
    chunks: list[list[int]] = []
    for i in order:
        if chunks and len(chunks[-1]) < most and transforms[chunks[-1][0]] == transforms[i]:
            chunks[-1].append(i)
        else:
            chunks.append([i])
    return chunks


def _values(bare: Dataset, stored: Array, transform: _Transform, code: str) -> tuple[Array, Units]:
    if transform.scale is not None and transform.slope is not None:
        divisor = transform.slope * transform.scale
        if divisor == 0:  # both so small that their product is none
            raise bad_header("RescaleSlope")
        return to_float32(stored, transform.slope, transform.intercept or 0.0, divisor), "scanner"
    for keyword, value in zip(_RESCALE, (transform.slope, transform.intercept, transform.kind), strict=True):
        if value is None or value == "":
            bare.pop(keyword, None)
        else:
            setattr(bare, keyword, value)
    return modality_values(bare, stored, code)
