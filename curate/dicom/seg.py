"""DICOM segmentations to masks on a volume's grid.

A SEG file (PS3.3 A.51, C.8.20) holds frames; each says which segment it shows and where it lies in the patient. It may
cover a part of the volume, list its frames in any order, and turn or mirror its rows and columns. So every voxel of the
volume looks up the frame at its own patient coordinates; slice numbers and the order of frames decide nothing.

    BINARY      1 bit per voxel; segments may overlap and stay masks of their own
    FRACTIONAL  8 bits: set from half of MaximumFractionalValue on
    LABELMAP    8 or 16 bits, each value a segment number (Label Map Segmentation Storage)

Where the two grids agree, this is a copy; where they do not (another resolution, straightened gantry tilt), each voxel
takes the frame voxel nearest to its centre, and a note says so. Notes name segments by number, never by their names,
which are free text:

    seg_resampled_nearest        the grids differ, so each voxel took the nearest frame voxel
    seg_empty=N                  segment N marks nothing in the volume and is left out
    seg_off_grid=N               segment N marks voxels outside the volume, which are lost
    seg_between_slices=COUNT     frames that no slice of the volume lies near to, which are lost
    seg_undeclared_values        a label map holds values that no segment declares; they are left out
    references_other_frame, references_no_series    as in `curate.dicom.marks`

Not covered: segmentations oblique to the volume (`mask_grid`), and those of whole slides (no patient coordinates).
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset

from curate.arrays import Array, Volume
from curate.dicom.header import (
    bad_header,
    frame_count,
    integer_of,
    read_whole,
    text_of,
    transfer_syntax,
    value_of,
)
from curate.dicom.marks import FARTHEST, MAX_MASK_VALUES, SNAP, Marked, Mask, Subject, plain_names, require_subject
from curate.dicom.pixels import decode
from curate.guard import typed
from manifests.errors import RecordError

MAX_FRAME_VALUES = 1 << 28  # rows x columns of one frame
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"  # Label Map Segmentation Storage
PARALLEL = 0.1  # of a voxel: how far an axis may stray over the whole grid and still count as parallel
SAME_GRID = 0.05  # of a voxel: how far centres may lie apart and still count as one grid
SAME_PLACE = 1e-2  # mm between two planes that are one place
_OBLIQUE = "resample the segmentation onto the volume"

_PLANE_POSITION, _PLANE_ORIENTATION, _PIXEL_MEASURES, _SEGMENT_IDENTIFICATION = (  # sequences of functional groups
    0x00209113, 0x00209116, 0x00289110, 0x0062000A,
)  # fmt: skip
_IMAGE_POSITION, _IMAGE_ORIENTATION, _SEGMENT_NUMBER = 0x00200032, 0x00200037, 0x0062000B
_PIXEL_SPACING, _BETWEEN_SLICES, _THICKNESS = 0x00280030, 0x00180088, 0x00180050
_NOTHING = Dataset()

Vector = tuple[float, float, float]
_Axes = tuple[tuple[Vector, Vector, Vector], Vector]  # of a `_Plane`: along, spacing


# ------------------------------------------------------------------------------------------------------- the SEG file
def read_seg(path: Path, like: Volume, of: Subject | None = None, max_values: int = MAX_MASK_VALUES) -> Marked:
    """The segments of a SEG file as masks (z, y, x) on the grid of `like`, in the order of their segment numbers.

    A mask is made when it is asked for, so that one is in memory at a time, beside the bits of all that are marked.
    `of` says what `like` was read from; without it references are not checked. Segments are named by SegmentLabel.
    Raises RecordError `not_a_segmentation`, `dangling_reference`, `mask_grid` (oblique to the volume, or without
    patient coordinates), `too_large` (more than `max_values` voxels in all masks, known before any is made),
    `bad_header`, and what `read_whole` and `decode` raise.
    """
    instance = read_whole(path)
    if text_of(instance, "SOPClassUID") not in (uid.SegmentationStorage, LABEL_MAP):
        raise RecordError("not_a_segmentation", "another SOP class", "give a DICOM SEG file")
    notes = () if of is None else require_subject(_subject_named(instance), of)
    names = _segment_names(instance)
    planes = _planes(instance)
    if not {p.segment for p in planes} - {0} <= set(names):
        raise bad_header("ReferencedSegmentNumber")
    kind = "LABELMAP" if text_of(instance, "SOPClassUID") == LABEL_MAP else text_of(instance, "SegmentationType")
    half = max(integer_of(instance, "MaximumFractionalValue", 255), 1) / 2
    canvas, undeclared = _Canvas(like, max_values), False
    for plane, frame in zip(planes, _frames(instance, len(planes)), strict=True):
        for number, marked in _segments_in(frame, plane, kind, half):
            undeclared = undeclared or number not in names
            if number in names:
                canvas.draw(number, plane, marked)
    masks = _Masks({name: canvas.strokes[n] for n, name in names.items() if n in canvas.strokes}, like.voxels.shape)
    empty = tuple(f"seg_empty={n}" for n in names if n not in canvas.strokes)
    return Marked(masks, (*notes, *canvas.notes(), *(("seg_undeclared_values",) if undeclared else ()), *empty))


def _subject_named(instance: Dataset) -> Subject:
    """What the file says it was drawn on (PS3.3 C.12.1.1 common instance reference)."""
    series = value_of(instance, "ReferencedSeriesSequence") or ()
    return Subject(
        series=frozenset(text_of(item, "SeriesInstanceUID") for item in series) - {""},
        frames=frozenset({text_of(instance, "FrameOfReferenceUID")}) - {""},
        instances=frozenset(
            text_of(used, "ReferencedSOPInstanceUID")
            for item in series
            for used in value_of(item, "ReferencedInstanceSequence") or ()
        ),
    )


def _segment_names(instance: Dataset) -> dict[int, str]:
    """Plain names by segment number, ascending; segment 0 of a label map is its background."""
    segments = {integer_of(s, "SegmentNumber", 0): s for s in value_of(instance, "SegmentSequence") or ()}
    segments.pop(0, None)
    if not segments:
        raise bad_header("SegmentSequence")
    numbers = sorted(segments)
    return dict(
        zip(
            numbers, plain_names([text_of(segments[n], "SegmentLabel") or f"segment {n}" for n in numbers]), strict=True
        )
    )


@dataclass(frozen=True, slots=True)
class _Plane:
    """One frame: its segment (0: the values say), its first voxel's centre and its axes in RAS+ mm, spacings in mm."""

    segment: int
    origin: Vector
    along: tuple[Vector, Vector, Vector]  # unit vectors: where columns, rows and slices grow to
    spacing: Vector  # between columns, rows, slices; 0 for slices that say nothing
    next_place: float = math.inf  # mm to the nearest other place that a frame of the file lies in


def _planes(instance: Dataset) -> list[_Plane]:
    """The geometry of every frame from its own functional groups, else the shared ones (PS3.3 C.7.6.16)."""
    shared = next(iter(value_of(instance, "SharedFunctionalGroupsSequence") or ()), Dataset())
    groups = value_of(instance, "PerFrameFunctionalGroupsSequence") or ()
    count = frame_count(instance)
    if len(groups) < count:
        raise bad_header("PerFrameFunctionalGroupsSequence")
    axes: dict[tuple[int, int], _Axes] = {}
    with typed("bad_header", "repair the functional groups or leave the file out"):
        planes = [_plane(groups[n], shared, axes) for n in range(count)]  # a cut file keeps the groups of all frames
    places = sorted(_dot(p.origin, planes[0].along[2]) for p in planes)
    apart = [b - a for a, b in itertools.pairwise(places) if b - a > SAME_PLACE]
    return [dataclasses.replace(p, next_place=min(apart, default=math.inf)) for p in planes]


def _plane(group: Dataset, shared: Dataset, known: dict[tuple[int, int], _Axes]) -> _Plane:
    """One frame's; `known` holds the axes of groups that were seen, for most files state them once."""
    orientation, measures = (_macro(tag, group, shared) for tag in (_PLANE_ORIENTATION, _PIXEL_MEASURES))
    seen = id(orientation), id(measures)
    if seen not in known:
        known[seen] = _axes(orientation, measures)
    position = _numbers(_macro(_PLANE_POSITION, group, shared), _IMAGE_POSITION)
    if len(position) != 3 or not all(abs(v) < FARTHEST for v in position):
        raise _nowhere("position")
    number = _numbers(_macro(_SEGMENT_IDENTIFICATION, group, shared), _SEGMENT_NUMBER)
    return _Plane(int(number[0]) if number else 0, _ras(position), *known[seen])


def _axes(orientation: Dataset, measures: Dataset) -> _Axes:
    cosines, spacing = _numbers(orientation, _IMAGE_ORIENTATION), _numbers(measures, _PIXEL_SPACING)
    if len(cosines) != 6 or not all(abs(c) < 2 for c in cosines):
        raise _nowhere("orientation")
    if len(spacing) != 2 or not all(1 / FARTHEST < s < FARTHEST for s in spacing):
        raise _nowhere("spacing")
    columns, rows = _unit(_ras(cosines[:3])), _unit(_ras(cosines[3:]))
    gap = abs((*_numbers(measures, _BETWEEN_SLICES), *_numbers(measures, _THICKNESS), 0.0)[0])
    if not gap < FARTHEST:
        raise _nowhere("spacing")
    return (columns, rows, _cross(columns, rows)), (spacing[1], spacing[0], gap)


def _nowhere(what: str) -> RecordError:
    found = f"a frame without a usable {what} in the patient"
    return RecordError("mask_grid", found, "give a segmentation with patient coordinates")


def _macro(tag: int, group: Dataset, shared: Dataset) -> Dataset:
    for holder in (group, shared):
        items = holder[tag].value if tag in holder else None
        if items:
            item: Dataset = items[0]
            return item
    return _NOTHING


def _numbers(item: Dataset, tag: int) -> tuple[float, ...]:
    value = item[tag].value if tag in item else None
    if value is None or value == "":
        return ()
    return tuple(float(v) for v in value) if isinstance(value, MutableSequence) else (float(value),)


def _segments_in(frame: Array, plane: _Plane, kind: str, half: float) -> Iterator[tuple[int, Mask]]:
    """(segment number, 0/1 array) of what one frame marks; `half` is where a fraction begins to count."""
    if not frame.any():
        return
    if kind == "LABELMAP":
        for number in np.unique(frame).tolist():
            if number:
                yield int(number), (frame == number).view(np.uint8)
    elif plane.segment:
        yield plane.segment, (frame >= half if kind == "FRACTIONAL" else frame > 0).view(np.uint8)
    else:
        raise bad_header("ReferencedSegmentNumber")


def _frames(instance: Dataset, count: int) -> Iterator[Array]:
    """The frames (y, x) one by one; packed bits run on from frame to frame (PS3.5 8.1.1)."""
    rows, columns = integer_of(instance, "Rows", 0), integer_of(instance, "Columns", 0)
    if not 0 < rows * columns <= MAX_FRAME_VALUES or integer_of(instance, "SamplesPerPixel", 1) != 1:
        raise RecordError("bad_header", f"{rows} x {columns} voxels in a frame", "repair Rows and Columns")
    syntax = transfer_syntax(instance)
    with typed("no_decoder", "repair TransferSyntaxUID or transcode the file"):
        packed = (
            syntax.is_little_endian and not syntax.is_encapsulated and integer_of(instance, "BitsAllocated", 0) == 1
        )
    if not packed:
        yield from decode(instance)[0]
        return
    data = np.frombuffer(value_of(instance, "PixelData") or b"", np.uint8)
    if len(data) * 8 < count * rows * columns:
        found = f"{len(data)} of {(count * rows * columns + 7) // 8} bytes"
        raise RecordError("truncated_pixels", found, "fetch the file again")
    for start in range(0, count * rows * columns, rows * columns):
        end = start + rows * columns
        bits = np.unpackbits(data[start // 8 : (end + 7) // 8], bitorder="little")
        yield bits[start % 8 :][: rows * columns].reshape(rows, columns)


# --------------------------------------------------------------------------------------------------- onto the grid
@dataclass(frozen=True, slots=True)
class _Span:
    """Where one axis of a frame runs in the volume: along its array `axis`, the frame's indices `source` lie at the
    volume's indices from `start` on. `exact`: centre on centre; `reached`: the volume extends to the frame at all."""

    axis: int
    start: int
    source: NDArray[np.int64]
    exact: bool
    reached: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Stroke:
    """What one frame marks: where in the mask, its axes in the order (slices, rows, columns), and the packed bits of
    the (rows, columns) from the first to the last that hold any."""

    axes: tuple[int, int, int]
    place: tuple[slice, slice, slice]
    shape: tuple[int, int]
    bits: NDArray[np.uint8]


class _Masks(Mapping[str, Mask]):
    """Masks by name, each drawn anew when it is looked up."""

    def __init__(self, strokes: dict[str, list[_Stroke]], shape: tuple[int, ...]) -> None:
        self._strokes = strokes
        self._shape = shape

    def __getitem__(self, name: str) -> Mask:
        mask = np.zeros(self._shape, np.uint8)
        for stroke in self._strokes[name]:
            rows, columns = stroke.shape
            block = np.unpackbits(stroke.bits, count=rows * columns).reshape(rows, columns)
            view = mask.transpose(stroke.axes)
            view[stroke.place] |= block
        return mask

    def __iter__(self) -> Iterator[str]:
        return iter(self._strokes)

    def __len__(self) -> int:
        return len(self._strokes)


class _Canvas:
    """What is drawn of each segment."""

    def __init__(self, like: Volume, max_values: int) -> None:
        self.strokes: dict[int, list[_Stroke]] = {}
        self._shape = like.voxels.shape
        self._affine = [[float(v) for v in row] for row in like.affine]
        self._max_values = max_values
        self._resampled = False
        self._off_grid: set[int] = set()
        self._between = 0
        self._known: dict[tuple[int, int, float, float, int], _Span] = {}

    def notes(self) -> tuple[str, ...]:
        return (
            *(("seg_resampled_nearest",) if self._resampled else ()),
            *(f"seg_off_grid={n}" for n in sorted(self._off_grid)),
            *((f"seg_between_slices={self._between}",) if self._between else ()),
        )

    def draw(self, number: int, plane: _Plane, marked: Mask) -> None:
        """Add one frame's 0/1 (rows, columns) to a segment's mask."""
        columns, rows, slices = self._spans(plane, marked.shape)
        if not (len(columns.source) and len(rows.source) and len(slices.source)):
            if columns.reached and rows.reached and slices.reached:
                self._between += 1
            else:
                self._off_grid.add(number)
            return
        whole = marked.view(np.bool_)
        if np.count_nonzero(whole[_extent(rows), _extent(columns)]) < np.count_nonzero(whole):
            self._off_grid.add(number)
        block = marked[_indices(rows)][:, _indices(columns)]
        if not block.any():
            return
        self._resampled = self._resampled or not (columns.exact and rows.exact and slices.exact)
        top, bottom = _ends(np.logical_or.reduce(block, axis=1))
        left, right = _ends(np.logical_or.reduce(block, axis=0))
        block = block[top:bottom, left:right]
        stroke = _Stroke(
            (slices.axis, rows.axis, columns.axis),
            (_place(slices), _part(rows, top, bottom), _part(columns, left, right)),
            (bottom - top, right - left),
            np.packbits(block),
        )
        self._of(number).append(stroke)

    def _spans(self, plane: _Plane, shape: tuple[int, ...]) -> tuple[_Span, _Span, _Span]:
        """The frame's columns, rows and slice (of which it has one). Raises RecordError `mask_grid` when oblique."""
        steps = [tuple(row[a] for row in self._affine[:3]) for a in range(3)]  # of the x, y and z index, RAS+ mm
        away = tuple(row[3] - a for row, a in zip(self._affine[:3], plane.origin, strict=True))
        spans = []
        for along, spacing, count in zip(plane.along, plane.spacing, (shape[1], shape[0], 0), strict=True):
            per_index = [_dot(along, step) for step in steps]
            main = max(range(3), key=lambda a: abs(per_index[a]))
            unit = spacing if count else _reach(plane, abs(per_index[main]))  # mm
            stray = sum(abs(per_index[a]) * (self._shape[2 - a] - 1) for a in range(3) if a != main) / unit
            if stray > PARALLEL:
                raise RecordError("mask_grid", "axes oblique to the volume's", _OBLIQUE)
            offset, step = _dot(along, away) / unit, per_index[main] / unit
            span = (2 - main, self._shape[2 - main], offset, step, count)
            if span not in self._known:
                self._known[span] = _span(*span)
            spans.append(self._known[span])
        if len({span.axis for span in spans}) < 3:
            raise RecordError("mask_grid", "axes oblique to the volume's", _OBLIQUE)
        return spans[0], spans[1], spans[2]

    def _of(self, number: int) -> list[_Stroke]:
        if number not in self.strokes:
            wanted = (len(self.strokes) + 1) * int(np.prod(self._shape, dtype=np.int64))
            if wanted > self._max_values:
                found = f"{len(self.strokes) + 1} structures of {self._shape}"
                raise RecordError("too_large", found, f"at most {self._max_values} voxels are marked")
            self.strokes[number] = []
        return self.strokes[number]


def _ends(marked: NDArray[np.bool_]) -> tuple[int, int]:
    """The first index that is marked, and the one after the last."""
    there = np.flatnonzero(marked)
    return int(there[0]), int(there[-1]) + 1


def _reach(plane: _Plane, slice_step: float) -> float:
    """The extent in mm of what a frame stands for across its plane: SpacingBetweenSlices, else SliceThickness, never
    into the next frame, and no less than a slice of the volume where no other frame is near."""
    return max(min(plane.spacing[2], plane.next_place), min(slice_step, plane.next_place))


def _span(axis: int, length: int, offset: float, step: float, count: int) -> _Span:
    """The frame's index at each of `length` voxels is offset + step * index; those that fall on 0..count-1 are kept.
    A `count` of 0 stands for the slice axis, along which a frame is alone."""
    exactly = np.rint((offset + step * np.arange(length)) * SNAP) / SNAP
    nearest = np.floor(exactly + 0.5)
    last = max(count - 1, 0)
    inside = np.flatnonzero((nearest >= 0) & (nearest <= last))
    reached = bool(exactly.min() < last + 0.5 and exactly.max() >= -0.5)
    if not len(inside):
        return _Span(axis, 0, np.zeros(0, np.int64), True, reached)
    off = float(np.abs(exactly - nearest)[inside].max())
    exact = abs(abs(step) - 1) * last <= SAME_GRID and off <= SAME_GRID
    if not count:
        exact = len(inside) == 1 and off <= SAME_GRID * abs(step)  # in slices of the volume
    return _Span(axis, int(inside[0]), nearest[inside].astype(np.int64), exact, reached)


def _extent(span: _Span) -> slice:
    """The frame's indices from the lowest to the highest that the volume sees."""
    return slice(int(span.source.min()), int(span.source.max()) + 1)


def _indices(span: _Span) -> slice | NDArray[np.int64]:
    """The frame's indices in the volume's order; a slice where nothing is left out or doubled, which copies faster."""
    step = int(span.source[-1] - span.source[0]) // max(len(span.source) - 1, 1)
    if abs(step) != 1 or (np.diff(span.source) != step).any():
        return span.source
    stop = int(span.source[-1]) + step
    return slice(int(span.source[0]), None if stop < 0 else stop, step)


def _place(span: _Span) -> slice:
    return slice(span.start, span.start + len(span.source))


def _part(span: _Span, first: int, end: int) -> slice:
    return slice(span.start + first, span.start + end)


def _ras(lps: Sequence[float]) -> Vector:
    return -lps[0], -lps[1], lps[2]


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def _unit(vector: Vector) -> Vector:
    length = _dot(vector, vector) ** 0.5
    if length == 0:
        raise bad_header("ImageOrientationPatient")
    return vector[0] / length, vector[1] / length, vector[2] / length
