"""DICOM radiotherapy structure sets to masks on a volume's grid.

An RTSTRUCT (PS3.3 A.19.3, C.8.8.6) draws each region of interest (ROI) as closed polygons in patient coordinates. Each
polygon is carried into the volume's voxel coordinates by the inverse of its affine, so oblique volumes need nothing of
their own, and marks the voxels whose centres lie inside by the even-odd rule. Several polygons of one ROI in one plane
are joined by exclusive or, so a polygon inside another is a hole.

A polygon belongs to the slice that its plane lies nearest to, within half a slice; where polygons of several planes
fall to one slice, the nearest plane is taken. A centre that lies exactly on an outline is inside at the low side and
outside at the high side, so two regions that share an outline share no voxel and leave none out.

Notes name ROIs by ROINumber, never by their names, which are free text:

    rt_empty=N               ROI N marks nothing in the volume and is left out
    rt_not_closed=N:COUNT    polygons of ROI N that are points or open lines and so mark nothing
    rt_off_grid=N:COUNT      polygons of ROI N that lie outside the volume, or reach out of it and are cut
    rt_across_slices=N:COUNT polygons of ROI N in planes oblique to the slices, which mark nothing
    rt_between_slices=N:COUNT polygons of ROI N that left their slice to a nearer plane
    references_other_frame, references_no_series    as in `curate.dicom.marks`

Not covered: slices between the polygons' planes are not interpolated; keyhole polygons need no special case here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from curate.arrays import Volume
from curate.dicom.header import bad_header, integer_of, read_whole, text_of, value_of
from curate.dicom.marks import FARTHEST, MAX_MASK_VALUES, SNAP, Marked, Mask, Subject, plain_names, require_subject
from curate.guard import typed
from manifests.errors import RecordError

CLOSED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"})
PLANAR = 0.1  # of a slice: how far a polygon's points may stray from its plane
SAME_PLANE = 0.01  # of a slice
_CONTOUR_DATA = 0x30060050

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Polygon:
    """Points (n, 2) as voxel coordinates (x, y), in the plane at slice coordinate `place`."""

    points: Points
    place: float


def read_rtstruct(path: Path, like: Volume, of: Subject | None = None, max_values: int = MAX_MASK_VALUES) -> Marked:
    """The ROIs of an RTSTRUCT as masks (z, y, x) on the grid of `like`, in the order of the structure set.

    `of` says what `like` was read from; without it references are not checked. ROIs are named by ROIName. Raises
    RecordError `not_a_structure_set`, `dangling_reference`, `bad_contour` (numbers that are no points), `mask_grid`
    (every polygon is oblique to the slices), `too_large` (more than `max_values` voxels in all masks, known before any
    is allocated), `bad_header`, and what `read_header` raises.
    """
    instance = read_whole(path)
    if text_of(instance, "SOPClassUID") != uid.RTStructureSetStorage:
        raise RecordError("not_a_structure_set", "another SOP class", "give a DICOM RTSTRUCT file")
    notes = () if of is None else require_subject(_subject_named(instance), of)
    names = _roi_names(instance)
    drawn = {integer_of(c, "ReferencedROINumber", 0): c for c in value_of(instance, "ROIContourSequence") or ()}
    if not set(drawn) <= set(names):
        raise bad_header("ReferencedROINumber")
    if len(drawn) * like.voxels.size > max_values:
        raise RecordError("too_large", f"{len(drawn)} ROIs of {like.voxels.shape}", f"at most {max_values} voxels")
    told: Counter[tuple[str, int]] = Counter()
    masks: dict[str, Mask] = {}
    for number, name in names.items():
        polygons = list(_polygons(drawn[number], number, like, told)) if number in drawn else []
        mask = _rasterise(polygons, number, like.voxels.shape, told)
        if mask is not None:
            masks[name] = mask
        else:
            told["rt_empty", number] = 0
    _require_some_plane(masks, told)
    return Marked(masks, (*notes, *(f"{code}={n}" + (f":{c}" if c else "") for (code, n), c in sorted(told.items()))))


def _subject_named(instance: Dataset) -> Subject:
    """What the file says it was drawn on: series (PS3.3 C.8.8.5), frames of reference, and the images of contours."""
    series, frames, images = set(), set(), set()
    for frame in value_of(instance, "ReferencedFrameOfReferenceSequence") or ():
        frames.add(text_of(frame, "FrameOfReferenceUID"))
        for study in value_of(frame, "RTReferencedStudySequence") or ():
            for used in value_of(study, "RTReferencedSeriesSequence") or ():
                series.add(text_of(used, "SeriesInstanceUID"))
                images |= _images(used)
    frames |= {
        text_of(roi, "ReferencedFrameOfReferenceUID") for roi in value_of(instance, "StructureSetROISequence") or ()
    }
    for roi in value_of(instance, "ROIContourSequence") or ():
        for contour in value_of(roi, "ContourSequence") or ():
            images |= _images(contour)
    return Subject(frozenset(series - {""}), frozenset(frames - {""}), frozenset(images - {""}))


def _images(holder: Dataset) -> set[str]:
    return {text_of(i, "ReferencedSOPInstanceUID") for i in value_of(holder, "ContourImageSequence") or ()}


def _roi_names(instance: Dataset) -> dict[int, str]:
    """Plain names by ROI number, in file order."""
    rois = {integer_of(r, "ROINumber", 0): r for r in value_of(instance, "StructureSetROISequence") or ()}
    if not rois:
        raise bad_header("StructureSetROISequence")
    labels = [text_of(roi, "ROIName") or f"roi {number}" for number, roi in rois.items()]
    return dict(zip(rois, plain_names(labels), strict=True))


def _require_some_plane(masks: dict[str, Mask], told: Counter[tuple[str, int]]) -> None:
    """A structure set of which every polygon crosses the slices was drawn on another grid."""
    if not masks and any(code == "rt_across_slices" for code, _ in told):
        found = f"{sum(c for (code, _), c in told.items() if code == 'rt_across_slices')} polygons across the slices"
        raise RecordError("mask_grid", found, "give the series that the structures were drawn on")


# --------------------------------------------------------------------------------------------------------- contours
def _polygons(roi: Dataset, number: int, like: Volume, told: Counter[tuple[str, int]]) -> Iterator[_Polygon]:
    """The closed polygons of one ROI in voxel coordinates; what is left out is counted in `told`."""
    inverse = _inverse(like.affine)
    slices = like.voxels.shape[0]
    for contour in value_of(roi, "ContourSequence") or ():
        points = _points(contour)
        if text_of(contour, "ContourGeometricType").upper() not in CLOSED or len(points) < 3:
            told["rt_not_closed", number] += 1
            continue
        x, y, z = _voxel_coordinates(points, inverse)
        place = float(np.rint((z.min() + z.max()) / 2 * SNAP) / SNAP)
        if z.max() - z.min() > PLANAR:
            told["rt_across_slices", number] += 1
        elif not 0 <= np.floor(place + 0.5) < slices:
            told["rt_off_grid", number] += 1
        else:
            yield _Polygon(np.stack([x, y], axis=1), place)


def _points(contour: Dataset) -> Points:
    """(n, 3) LPS+ mm. The text is split here, for pydicom makes an object of every number."""
    with typed("bad_contour", "repair ContourData or leave the structure set out"):
        element: Any = contour.get_item(_CONTOUR_DATA)
        value = element.value if element is not None else None
        if isinstance(element, RawDataElement) and isinstance(value, bytes):
            flat = _split_numbers(value.strip(b" \0"))
        else:
            flat = np.array([float(v) for v in value or ()], dtype=np.float64)
    stated = integer_of(contour, "NumberOfContourPoints", len(flat) // 3)
    if len(flat) != 3 * stated or not (np.abs(flat) < FARTHEST).all():
        found = f"{len(flat)} numbers for {stated} points"
        raise RecordError("bad_contour", found, "repair ContourData or leave the structure set out")
    return flat.reshape(-1, 3)


def _split_numbers(text: bytes) -> Points:
    """The numbers of a DS value. The fast parser stops without an error where it meets no number, so a short result
    is parsed again by the strict one, which raises ValueError."""
    if not text:
        return np.zeros(0)
    count = text.count(b"\\") + 1
    flat = np.fromstring(text.decode("ascii"), np.float64, sep=" \\ ")
    return flat if len(flat) == count else np.array(text.split(b"\\"), np.float64)


def _voxel_coordinates(lps: Points, inverse: list[list[float]]) -> tuple[Points, Points, Points]:
    """x, y and z voxel coordinates (n,) of LPS+ points, product by product, so that every processor rounds alike."""
    right, front, up = -lps[:, 0], -lps[:, 1], lps[:, 2]
    x, y, z = (np.rint((a * right + b * front + c * up + d) * SNAP) / SNAP for a, b, c, d in inverse)
    return x, y, z


def _inverse(affine: NDArray[np.float64]) -> list[list[float]]:
    """The first three rows of an affine's inverse, by cofactors. Raises RecordError `mask_grid` where there is none."""
    m = [[float(v) for v in row] for row in affine]

    def cofactor(i: int, j: int) -> float:
        (a, b), (c, d) = ((i + 1) % 3, (i + 2) % 3), ((j + 1) % 3, (j + 2) % 3)
        return m[a][c] * m[b][d] - m[a][d] * m[b][c]

    determinant = sum(m[0][j] * cofactor(0, j) for j in range(3))
    if abs(determinant) < 1e-12:
        raise RecordError("mask_grid", "a volume without extent", "repair the volume's affine")
    rows = [[cofactor(j, i) / determinant for j in range(3)] for i in range(3)]
    return [[*row, -sum(row[j] * m[j][3] for j in range(3))] for row in rows]


# ------------------------------------------------------------------------------------------------------- rasteriser
def _rasterise(
    polygons: Sequence[_Polygon], number: int, shape: tuple[int, ...], told: Counter[tuple[str, int]]
) -> Mask | None:
    """One ROI's 0/1 mask (z, y, x), or None where no voxel centre lies inside a polygon."""
    by_slice: dict[int, list[_Polygon]] = {}
    for polygon in polygons:
        by_slice.setdefault(int(np.floor(polygon.place + 0.5)), []).append(polygon)
    mask: Mask | None = None
    for index, candidates in sorted(by_slice.items()):
        nearest = min((p.place for p in candidates), key=lambda place: (abs(place - index), place))
        taken = [p for p in candidates if abs(p.place - nearest) <= SAME_PLANE]
        if len(taken) < len(candidates):
            told["rt_between_slices", number] += len(candidates) - len(taken)
        outside = sum(_reaches_out(p.points, shape[1:]) for p in taken)
        if outside:
            told["rt_off_grid", number] += outside
        inside, top, left = _fill([p.points for p in taken], (shape[1], shape[2]))
        if inside.any():
            mask = np.zeros(shape, np.uint8) if mask is None else mask
            mask[index, top : top + len(inside), left : left + inside.shape[1]] = inside
    return mask


def _reaches_out(points: Points, shape: tuple[int, ...]) -> bool:
    """Whether a polygon leaves the area that the voxels of a slice cover."""
    low, high = points.min(axis=0), points.max(axis=0)
    return bool((low < -0.5).any() or high[0] > shape[1] - 0.5 or high[1] > shape[0] - 0.5)


def fill(polygons: Sequence[Points], shape: tuple[int, int]) -> Mask:
    """Even-odd fill of closed polygons, each (n, 2) of (x, y), on voxel centres 0..columns-1 and 0..rows-1: (y, x).

    An edge crosses the row y when y lies in [lower end, upper end); a centre is inside when an odd number of
    crossings lies at or before it. Parts outside the grid are cut. Exact up to the rounding of one crossing.
    """
    plane = np.zeros(shape, np.uint8)
    inside, top, left = _fill(polygons, shape)
    plane[top : top + len(inside), left : left + inside.shape[1]] = inside
    return plane


def _fill(polygons: Sequence[Points], shape: tuple[int, int]) -> tuple[Mask, int, int]:
    """The part of `fill` that holds all marked centres, and the row and column where it starts."""
    rows, columns = shape
    starts = np.concatenate(list(polygons))
    ends = np.concatenate([part for p in polygons for part in (p[1:], p[:1])])
    swap = (starts[:, 1] > ends[:, 1])[:, None]
    low, high = np.where(swap, ends, starts), np.where(swap, starts, ends)
    first, beyond = np.ceil(np.minimum(np.maximum([low[:, 1], high[:, 1]], 0), rows)).astype(np.int64)
    count = beyond - first
    edge = np.repeat(np.arange(len(count)), count)
    if not len(edge):
        return np.zeros((0, 0), np.uint8), 0, 0
    row = np.arange(len(edge)) + np.repeat(first - np.cumsum(count) + count, count)
    (x0, y0), (x1, y1) = low[edge].T, high[edge].T
    crossing = x0 + (row - y0) * (x1 - x0) / (y1 - y0)
    column = np.ceil(np.minimum(np.maximum(crossing, 0), columns)).astype(np.int64)
    top, left = int(row.min()), int(column.min())
    height, width = int(row.max()) + 1 - top, int(column.max()) + 1 - left
    toggles = np.bincount((column - left) * height + row - top, minlength=height * width)
    odd = (toggles & 1).astype(np.uint8).reshape(width, height)  # turned, so that whole rows are joined at a time
    return np.bitwise_xor.accumulate(odd, axis=0)[:-1].T, top, left
