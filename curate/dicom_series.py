"""A DICOM series of single-frame slices to one `Volume`.

Preconditions, each refused by its own `RecordError` when it does not hold, with the values found:

    not_slices          every file is a slice (`classify`), none colour       multiframe_in_series for multi-frame files
    too_few_slices      at least 3
    mixed_series        one SeriesInstanceUID; mixed_frame_of_reference: one FrameOfReferenceUID
    mixed_shape         one Rows x Columns; mixed_photometric: all MONOCHROME1 or all MONOCHROME2
    mixed_spacing       one PixelSpacing
    bad_orientation     unit, perpendicular direction cosines; mixed_orientation: the same in every slice
    duplicate_positions no two slices in one place; temporal_series where every place is taken equally often
    missing_slices      no gap that is a multiple of the others
    nonuniform_spacing  positions on a straight line in equal steps
    gantry_tilt         the steps follow the slice normal

Standard: DICOM PS3.3 C.7.6.2 (image plane). Patient coordinates there are LPS+, the affine here is RAS+. Not covered:
resampling of any kind; series of several volumes (time, echo, b-value), which the caller splits first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from curate.arrays import Array, Units, Volume, narrow
from curate.dicom_header import (
    bad_header,
    classify,
    frame_count,
    integer_of,
    is_inverted,
    modality,
    numbers_of,
    pixel_spacing,
    read_header,
    read_whole,
    refuse,
    text_of,
    texts_of,
    window_of,
)
from curate.dicom_pixels import MAX_VALUES, decode, modality_values
from manifests.errors import RecordError

MIN_SLICES = 3
COSINE_TOLERANCE = 1e-3  # of direction cosines, which are often written with 4 to 6 digits
SPACING_TOLERANCE = 1e-4  # mm, of PixelSpacing
GAP_TOLERANCE = 1e-2  # of the median gap, for each slice's distance from its place on the line
SAME_PLACE = 1e-2  # mm between the centres of two slices that are one position
TILT_TOLERANCE = 2e-3  # tangent of the angle between the steps and the normal: 0.11 degrees

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_TEMPORAL = (
    "TemporalPositionIdentifier",
    "AcquisitionNumber",
    "EchoTime",
    "AcquisitionTime",
    "ContentTime",
    "ImageType",
)

Vectors = NDArray[np.float64]


def read_series(paths: Sequence[Path], max_values: int = MAX_VALUES) -> Volume:
    """Slices in any order to a `Volume`: voxels (z, y, x) sorted along the slice normal (rows x columns), RAS+ affine.

    Rows and columns stay as stored. Each slice is rescaled by its own slope and intercept; whole numbers stay whole
    (`narrow`). The window is the first slice's. The z step is (last - first) / (n - 1). Raises RecordError for every
    precondition above, and what `read_header` and `decode` raise.
    """
    headers = [read_header(path) for path in paths]
    _require_slices(headers)
    _require_one_grid(headers, max_values)
    orientation = _one_orientation(headers)
    order = _sorted_by_position(headers, orientation)
    positions = np.array([_position(headers[i]) for i in order])
    normal = np.cross(orientation[0], orientation[1])
    _require_distinct([headers[i] for i in order], positions @ normal)
    _require_no_gap(positions @ normal)
    step = _straight_step(positions)
    _require_no_tilt(step, normal)
    voxels, units = _voxels([paths[i] for i in order])
    first = headers[order[0]]
    notes = ("inverted",) if is_inverted(first) else ()
    return Volume(voxels, _affine(first, orientation, positions[0], step), units, window_of(first), notes=notes)


def _require_slices(headers: Sequence[Dataset]) -> None:
    if len(headers) < MIN_SLICES:
        raise RecordError(
            "too_few_slices", f"{len(headers)} slices", f"a volume needs {MIN_SLICES}; read them as images"
        )
    for header in headers:
        if frame_count(header) > 1:
            found = f"{frame_count(header)} frames in one file"
            raise RecordError("multiframe_in_series", found, "read multi-frame files on their own")
        kind = classify(header)
        if kind in ("unsupported", "volume"):
            refuse(header)
        if kind != "slice":
            raise RecordError("not_slices", f"a {modality(header)} {kind}", "leave localizers and captures out")
        if not text_of(header, "PhotometricInterpretation").startswith("MONOCHROME"):
            raise RecordError(
                "not_slices", text_of(header, "PhotometricInterpretation"), "read colour slices as images"
            )


def _require_one_grid(headers: Sequence[Dataset], max_values: int) -> None:
    for keyword, reason in (
        ("SeriesInstanceUID", "mixed_series"),
        ("FrameOfReferenceUID", "mixed_frame_of_reference"),
        ("PhotometricInterpretation", "mixed_photometric"),
    ):
        count = len({text_of(header, keyword) for header in headers})
        if count > 1:
            raise RecordError(reason, f"{count} values of {keyword}", "split the files by it")
    shapes = sorted({(integer_of(h, "Rows", 0), integer_of(h, "Columns", 0)) for h in headers})
    if len(shapes) > 1:
        raise RecordError("mixed_shape", f"(rows, columns) {shapes[:4]}", "split the files by shape")
    if len(headers) * shapes[0][0] * shapes[0][1] > max_values:
        raise RecordError("too_large", f"{len(headers)} slices of {shapes[0]}", f"at most {max_values} voxels are read")
    spacings = np.array([_spacing(header) for header in headers])
    if np.ptp(spacings, axis=0).max() > SPACING_TOLERANCE:
        found = f"from {spacings.min(axis=0).tolist()} to {spacings.max(axis=0).tolist()} mm"
        raise RecordError("mixed_spacing", found, "split the files by PixelSpacing")


def _spacing(header: Dataset) -> tuple[float, float]:
    spacing = pixel_spacing(header) if numbers_of(header, "PixelSpacing") else None
    if spacing is None:
        raise RecordError("bad_header", "no PixelSpacing", "read the files as images")
    return spacing


def _one_orientation(headers: Sequence[Dataset]) -> Vectors:
    """(2, 3) unit vectors, LPS+: where the column index and where the row index grow to."""
    values = [numbers_of(header, "ImageOrientationPatient") for header in headers]
    if any(len(v) != 6 for v in values):
        raise bad_header("ImageOrientationPatient")
    cosines = np.array(values)
    if np.ptp(cosines, axis=0).max() > COSINE_TOLERANCE:
        count = len({tuple(np.round(c, 3)) for c in cosines})
        raise RecordError("mixed_orientation", f"{count} orientations", "split the files by ImageOrientationPatient")
    vectors = cosines[0].reshape(2, 3)
    lengths = np.linalg.norm(vectors, axis=1)
    if np.abs(lengths - 1).max() > COSINE_TOLERANCE or abs(vectors[0] @ vectors[1]) > COSINE_TOLERANCE:
        found = f"lengths {np.round(lengths, 4).tolist()}, dot product {vectors[0] @ vectors[1]:.4f}"
        raise RecordError("bad_orientation", found, "repair ImageOrientationPatient or leave the series out")
    return np.asarray(vectors / lengths[:, None], np.float64)


def _position(header: Dataset) -> tuple[float, ...]:
    position = numbers_of(header, "ImagePositionPatient")
    if len(position) != 3:
        raise bad_header("ImagePositionPatient")
    return position


def _sorted_by_position(headers: Sequence[Dataset], orientation: Vectors) -> list[int]:
    """Indices by place along the normal. Ties, which are refused next, fall by SOP instance UID."""
    normal = np.cross(orientation[0], orientation[1])
    places = [float(np.dot(_position(header), normal)) for header in headers]
    return sorted(range(len(headers)), key=lambda i: (places[i], text_of(headers[i], "SOPInstanceUID")))


def _require_distinct(headers: Sequence[Dataset], places: Vectors) -> None:
    """Slices of one place are duplicates, or several volumes where every place is taken equally often."""
    starts = np.concatenate([[True], np.diff(places) > SAME_PLACE])
    counts = Counter(Counter(np.cumsum(starts).tolist()).values())
    if set(counts) == {1}:
        return
    uids = len({text_of(header, "SOPInstanceUID") for header in headers})
    found = f"{len(headers)} slices in {int(starts.sum())} places"
    if len(counts) == 1 and uids == len(headers):
        varying = ", ".join(k for k in _TEMPORAL if len({texts_of(header, k) for header in headers}) > 1)
        found += f"; differing: {varying or 'InstanceNumber'}"
        raise RecordError("temporal_series", found, "split the series by these")
    raise RecordError("duplicate_positions", found, "remove the duplicates or split the series")


def _require_no_gap(places: Vectors) -> None:
    gaps = np.diff(places)
    ratios = gaps / np.median(gaps)
    multiples = np.rint(ratios)
    off = np.abs(ratios - multiples) / np.maximum(multiples, 1)
    if (multiples >= 2).any() and bool((off <= GAP_TOLERANCE).all()) and bool((multiples >= 1).all()):
        found = f"{int((multiples - 1).sum())} missing of {len(places) + int((multiples - 1).sum())}"
        raise RecordError("missing_slices", found, "fetch the missing files")
    if off.max() > GAP_TOLERANCE or (multiples != 1).any():
        found = f"gaps from {gaps.min():.4f} to {gaps.max():.4f} mm"
        raise RecordError("nonuniform_spacing", found, "resample the series with another tool")


def _straight_step(positions: Vectors) -> Vectors:
    """The step from slice to slice, LPS+ mm, when every slice lies where this step puts it."""
    step = np.asarray((positions[-1] - positions[0]) / (len(positions) - 1), np.float64)
    expected = positions[0] + np.arange(len(positions))[:, None] * step
    worst = float(np.linalg.norm(positions - expected, axis=1).max())
    if worst > GAP_TOLERANCE * float(np.linalg.norm(step)):
        found = f"a slice {worst:.4f} mm from its place"
        raise RecordError("nonuniform_spacing", found, "resample the series with another tool")
    return step


def _require_no_tilt(step: Vectors, normal: Vectors) -> None:
    along = float(step @ normal)
    across = float(np.linalg.norm(step - along * normal))
    if across > TILT_TOLERANCE * along:
        found = f"{np.degrees(np.arctan2(across, along)):.2f} degrees"
        raise RecordError("gantry_tilt", found, "straighten the series with dcm2niix and read the NIfTI")


def _voxels(paths: Sequence[Path]) -> tuple[Array, Units]:
    slices: list[Array] = []
    kinds: set[Units] = set()
    for path in paths:
        instance = read_whole(path)
        stored, _ = decode(instance)
        values, units = modality_values(instance, stored[0], modality(instance))
        slices.append(values)
        kinds.add(units)
    if len(kinds) > 1:
        raise RecordError("mixed_units", ", ".join(sorted(kinds)), "repair RescaleType or split the series")
    return narrow(np.stack(slices)), kinds.pop()


def _affine(first: Dataset, orientation: Vectors, origin: Vectors, step: Vectors) -> Vectors:
    """Indices (x, y, z) to RAS+ mm, PS3.3 equation C.7.6.2.1-1 with the stack's step as its third column."""
    spacing_y, spacing_x = _spacing(first)
    lps = np.eye(4)
    lps[:3, 0] = orientation[0] * spacing_x
    lps[:3, 1] = orientation[1] * spacing_y
    lps[:3, 2] = step
    lps[:3, 3] = origin
    return np.asarray(_LPS_TO_RAS @ lps, np.float64)
