"""A DICOM series of single-frame slices to one `Volume`.

Preconditions, each refused by its own `RecordError` when it does not hold, with the values found:

    not_slices          every file is a slice (`classify`), no localizer, none colour
    multiframe_in_series  one frame a file
    too_few_slices      at least 3
    mixed_series        one SeriesInstanceUID; mixed_frame_of_reference: one FrameOfReferenceUID
    mixed_shape         one Rows x Columns; mixed_photometric: all MONOCHROME1 or all MONOCHROME2
    mixed_spacing       one PixelSpacing
    bad_orientation     unit, perpendicular direction cosines; mixed_orientation: the same in every slice
    duplicate_positions no two slices in one place; temporal_series where every place is taken equally often
    missing_slices, nonuniform_spacing, gantry_tilt     as `curate.dicom.line` tells them
    mixed_units         one RescaleType (HU, US, ...) and, for PET, one of Units

Resolved, and said in the volume's `notes`:

    duplicate_slices_dropped:N   N slices that repeat another one: same place, same stored values, same rescale
    positions_rounded            a slice lies more than 1 % of the gap from its place: the line through all is taken; or
                                 the steps leave the normal by no more than the digits of positions explain: it is kept
    gantry_tilt_corrected:A.AAdeg  the steps leave the normal by that angle; resampled onto a straight grid by
                                 `curate.dicom.tilt.straightened`, background is the lowest value
    rescale_per_slice            slope or intercept differ among slices; each slice went through its own
    philips_precise_scaling      values are (stored * RS + RI) / (RS * SS) with the private Scale Slope SS
    padding                      PixelPaddingValue is declared; padded voxels keep the stored value, rescaled
    high_bit_ignored             HighBit contradicts BitsStored and BitsAllocated
    inverted                     low values are shown bright (MONOCHROME1, or an INVERSE presentation LUT)

Standard: DICOM PS3.3 C.7.6.2 (image plane). Patient coordinates there are LPS+, the affine here is RAS+. Not covered:
series of several volumes (time, echo, b-value), which the caller splits first; uneven gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from curate.arrays import Volume
from curate.dicom.header import (
    bad_header,
    classify,
    frame_count,
    integer_of,
    is_inverted,
    modality,
    numbers_of,
    pixel_spacing,
    refuse,
    text_of,
    texts_of,
    window_of,
)
from curate.dicom.line import line_of, upright
from curate.dicom.pixels import MAX_VALUES
from curate.dicom.scan import MOMENTS, Slice, scan
from curate.dicom.voxels import read_voxels, stored_values, values_of
from manifests.errors import RecordError

MIN_SLICES = 3
COSINE_TOLERANCE = 1e-3  # of direction cosines, which are often written with 4 to 6 digits
SPACING_TOLERANCE = 1e-4  # mm, of PixelSpacing
SAME_PLACE = 1e-2  # mm between the centres of two slices that are one position

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

Vectors = NDArray[np.float64]


def read_series(paths: Sequence[Path], max_values: int = MAX_VALUES) -> Volume:
    """Slices in any order to a `Volume`: voxels (z, y, x) sorted along the slice normal (rows x columns), RAS+ affine.

    Rows and columns stay as stored. Each slice is rescaled by its own slope and intercept; whole numbers stay whole
    (`narrow`). Pixel padding is kept, rescaled like any value. The window is the first slice's. The z step is
    (last - first) / (n - 1), or that of the fitted line under `positions_rounded`. Peak memory is about the volume's
    own, twice that for a tilted stack. Raises RecordError for every precondition above, and what `read_header` and
    `decode` raise.
    """
    slices = scan(paths)
    distinct = list({id(piece.header): piece.header for piece in slices}.values())
    _require_slices(distinct, len(slices))
    _require_one_grid(distinct, len(slices), max_values)
    axes = _one_orientation(distinct)
    slices = _sorted_by_position(slices, axes)
    slices, dropped = _without_duplicates(slices, axes)
    origin, step, rounded = line_of(np.array([piece.position for piece in slices]), np.cross(axes[0], axes[1]))
    voxels, units, notes = read_voxels(slices)
    first = slices[0].header
    voxels, origin, step, tilt = upright(voxels, origin, step, axes, _spacing(first))
    told = (
        (f"duplicate_slices_dropped:{dropped}", dropped > 0),
        ("positions_rounded", rounded),
        ("inverted", is_inverted(first)),
    )
    all_notes = tuple(sorted((*notes, *tilt, *(note for note, holds in told if holds))))
    return Volume(voxels, _affine(first, axes, origin, step), units, window_of(first), notes=all_notes)


def _require_slices(headers: Sequence[Dataset], count: int) -> None:
    if count < MIN_SLICES:
        raise RecordError("too_few_slices", f"{count} slices", f"a volume needs {MIN_SLICES}; read them as images")
    for header in headers:
        if frame_count(header) > 1:
            found = f"{frame_count(header)} frames in one file"
            raise RecordError("multiframe_in_series", found, "read multi-frame files on their own")
        kind = classify(header)
        if kind in ("unsupported", "volume"):
            refuse(header)
        if kind != "slice":
            localizer = "LOCALIZER" in (t.upper() for t in texts_of(header, "ImageType"))
            found = f"a {modality(header)} {'localizer' if localizer else kind}"
            raise RecordError("not_slices", found, "leave localizers and captures out")
        if not text_of(header, "PhotometricInterpretation").startswith("MONOCHROME"):
            raise RecordError(
                "not_slices", text_of(header, "PhotometricInterpretation"), "read colour slices as images"
            )


def _require_one_grid(headers: Sequence[Dataset], count: int, max_values: int) -> None:
    for keyword, reason in (
        ("SeriesInstanceUID", "mixed_series"),
        ("FrameOfReferenceUID", "mixed_frame_of_reference"),
        ("PhotometricInterpretation", "mixed_photometric"),
    ):
        values = len({text_of(header, keyword) for header in headers})
        if values > 1:
            raise RecordError(reason, f"{values} values of {keyword}", "split the files by it")
    shapes = sorted({(integer_of(h, "Rows", 0), integer_of(h, "Columns", 0)) for h in headers})
    if len(shapes) > 1:
        raise RecordError("mixed_shape", f"(rows, columns) {shapes[:4]}", "split the files by shape")
    if count * shapes[0][0] * shapes[0][1] > max_values:
        raise RecordError("too_large", f"{count} slices of {shapes[0]}", f"at most {max_values} voxels are read")
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


def _sorted_by_position(slices: Sequence[Slice], axes: Vectors) -> list[Slice]:
    """By place along the normal; slices of one place by SOP instance UID."""
    if any(len(piece.position) != 3 for piece in slices):
        raise bad_header("ImagePositionPatient")
    places = _places(slices, axes)
    order = sorted(range(len(slices)), key=lambda i: (places[i], slices[i].uid))
    return [slices[i] for i in order]


def _places(slices: Sequence[Slice], axes: Vectors) -> list[float]:
    """Each slice's distance along the normal, mm; elementwise, so that it is the same on every machine."""
    positions = np.array([piece.position for piece in slices])
    places: list[float] = (positions * np.cross(axes[0], axes[1])).sum(axis=1).tolist()
    return places


def _without_duplicates(slices: Sequence[Slice], axes: Vectors) -> tuple[list[Slice], int]:
    """One slice a place, and how many were dropped because they repeat another. Slices of one place that differ are
    duplicates, or several volumes where every place is taken equally often."""
    starts = np.concatenate([[True], np.diff(_places(slices, axes)) > SAME_PLACE])
    if bool(starts.all()):
        return list(slices), 0
    groups: list[list[Slice]] = []
    for piece, is_new in zip(slices, starts.tolist(), strict=True):
        if is_new:
            groups.append([])
        groups[-1].append(piece)
    if not all(_is_repeated(group) for group in groups if len(group) > 1):
        _refuse_duplicates(slices, groups)
    if len(groups) < MIN_SLICES:
        found = f"{len(groups)} slices, the others repeat them"
        raise RecordError("too_few_slices", found, f"a volume needs {MIN_SLICES}; read them as images")
    return [group[0] for group in groups], len(slices) - len(groups)


def _is_repeated(group: Sequence[Slice]) -> bool:
    """Whether all slices of one place are one slice."""
    positions = np.array([piece.position for piece in group])
    if float(np.ptp(positions, axis=0).max()) > SAME_PLACE:
        return False
    first, meaning = group[0], values_of(group[0])
    stored = stored_values(first, meaning)
    for other in group[1:]:
        theirs = values_of(other)
        same = (theirs.slope, theirs.intercept, theirs.kind) == (meaning.slope, meaning.intercept, meaning.kind)
        if not same or not np.array_equal(stored, stored_values(other, theirs)):
            return False
    return True


def _refuse_duplicates(slices: Sequence[Slice], groups: Sequence[Sequence[Slice]]) -> NoReturn:
    found = f"{len(slices)} slices in {len(groups)} places"
    equally = len({len(group) for group in groups}) == 1
    if equally and len({piece.uid for piece in slices}) == len(slices):
        varying = [
            k
            for k, values in zip(MOMENTS, zip(*(p.moments for p in slices), strict=True), strict=True)
            if len(set(values)) > 1
        ]
        found += f"; differing: {', '.join(varying) or 'InstanceNumber'}"
        raise RecordError("temporal_series", found, "split the series by these")
    raise RecordError("duplicate_positions", found, "remove the duplicates or split the series")


def _affine(first: Dataset, orientation: Vectors, origin: Vectors, step: Vectors) -> Vectors:
    """Indices (x, y, z) to RAS+ mm, PS3.3 equation C.7.6.2.1-1 with the stack's step as its third column."""
    spacing_y, spacing_x = _spacing(first)
    lps = np.eye(4)
    lps[:3, 0] = orientation[0] * spacing_x
    lps[:3, 1] = orientation[1] * spacing_y
    lps[:3, 2] = step
    lps[:3, 3] = origin
    return np.asarray(_LPS_TO_RAS @ lps, np.float64)  # signs only, so exact on every machine
