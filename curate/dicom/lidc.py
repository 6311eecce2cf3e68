"""The contours of the LIDC's readers to masks on a CT's grid: nodules as each reader drew them, and their consensus.

A reader draws the outer border of a nodule, slice by slice, in pixels of the slices as they are stored; the border
itself lies just outside, so a pixel is of the nodule where its centre is strictly inside the polygon. A contour with
`inclusion` FALSE leaves out what is inside of it and its border. The consensus is what at least half of those readers
hold for nodule who marked it (`consensus` of pylidc at its level of 0.5). Slices are known by `imageZposition`.

    lidc_empty=N           nodule N has no pixel inside a border and is left out
    lidc_off_grid=COUNT    contours on no slice of the volume, which mark nothing

Nodules are numbered as in the source's facts: `lung_nodule_2`, `lung_nodule_2_reader_3`. Not covered: nodules below
3 mm (points), volumes that were straightened (`mask_grid`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from curate.arrays import Volume
from curate.dicom.marks import MAX_MASK_VALUES, Marked, Mask
from curate.dicom.rtstruct import fill
from manifests.errors import RecordError
from sources.volumes.lidc_marks import Mark, Roi, marks_of, nodules_of

MAX_XML_BYTES = 64 << 20
NEAREST = 0.25  # of a slice: how far a contour may lie from its slice
STRAIGHT = 1e-3  # of a direction cosine

Planes = dict[int, Mask]  # by slice index


def read_lidc(path: Path, like: Volume, max_values: int = MAX_MASK_VALUES) -> Marked:
    """The nodules of 3 mm and more as masks (z, y, x) on the grid of `like`, consensus first, then each reader's.

    Raises RecordError `mask_grid`, `too_large`, and what `marks_of` raises."""
    if (size := path.stat().st_size) > MAX_XML_BYTES:
        raise RecordError("too_large", f"{size} bytes of XML", f"at most {MAX_XML_BYTES} bytes")
    _require_axial(like)
    nodules = nodules_of(marks_of(path.read_bytes()) or ())
    count = sum(1 + len({mark.reader for mark in nodule}) for nodule in nodules)
    if count * like.voxels.size > max_values:
        raise RecordError("too_large", f"{count} masks of {like.voxels.shape}", f"at most {max_values} voxels")
    agreed: dict[str, Mask] = {}
    drawn: dict[str, Mask] = {}
    notes: list[str] = []
    for number, nodule in enumerate(nodules, start=1):
        readers = {r: _planes([m for m in nodule if m.reader == r], like) for r in sorted({m.reader for m in nodule})}
        name = f"lung_nodule_{number}"
        _add(agreed, name, _consensus(list(readers.values())), like)
        for reader, planes in readers.items():
            _add(drawn, f"{name}_reader_{reader + 1}", planes, like)
        notes += [] if name in agreed else [f"lidc_empty={number}"]
    rois = [roi for nodule in nodules for mark in nodule for roi in mark.rois]
    off = sum(_slice_of(roi, like) is None for roi in rois)
    return Marked({**agreed, **drawn}, (*notes, *((f"lidc_off_grid={off}",) if off else ())))


def _require_axial(like: Volume) -> None:
    """Slices along z whose rows and columns are those that were stored."""
    across = like.affine[:2, 2] / np.abs(like.affine[2, 2] or np.nan)
    if not (np.abs(across) < STRAIGHT).all() or any("tilt" in note for note in like.notes):
        raise RecordError("mask_grid", "slices that are not axial as stored", "give the series that was read")


def _slice_of(roi: Roi, like: Volume) -> int | None:
    place = (roi.z_mm - float(like.affine[2, 3])) / float(like.affine[2, 2])
    index = round(place)
    return index if abs(place - index) <= NEAREST and 0 <= index < len(like.voxels) else None


def _planes(marks: Sequence[Mark], like: Volume) -> Planes:
    """What one reader holds for one nodule, slice by slice."""
    shape = (like.voxels.shape[1], like.voxels.shape[2])
    found: Planes = {}
    for roi in sorted((roi for mark in marks for roi in mark.rois), key=lambda roi: not roi.inclusion):
        index = _slice_of(roi, like)
        if index is not None:
            inside, border = _strictly_inside(roi.points, shape)
            plane = found.setdefault(index, np.zeros(shape, np.uint8))
            if roi.inclusion:
                plane |= inside
            else:
                plane &= 1 - (inside | border)
    return found


def _strictly_inside(points: Sequence[tuple[int, int]], shape: tuple[int, int]) -> tuple[Mask, Mask]:
    """The pixels (y, x) whose centres are inside a closed polygon of whole (x, y), and those on its border."""
    corners = np.array(points, np.int64)
    step = np.roll(corners, -1, axis=0) - corners
    parts = np.maximum(np.gcd(step[:, 0], step[:, 1]), 1)  # pixels from one corner to the next
    edge = np.repeat(np.arange(len(parts)), parts)
    along = np.arange(len(edge)) - np.repeat(np.cumsum(parts) - parts, parts)
    x, y = (corners[edge] + step[edge] // parts[edge, None] * along[:, None]).T
    on = (x >= 0) & (x < shape[1]) & (y >= 0) & (y < shape[0])
    border = np.zeros(shape, np.uint8)
    border[y[on], x[on]] = 1
    return fill([corners.astype(np.float64)], shape) & (1 - border), border


def _consensus(readers: Sequence[Planes]) -> Planes:
    found: Planes = {}
    for index in sorted({index for planes in readers for index in planes}):
        votes = np.sum([planes[index] for planes in readers if index in planes], axis=0, dtype=np.int64)
        agreed: Mask = np.asarray(2 * votes >= len(readers), np.uint8)
        found[index] = agreed
    return found


def _add(masks: dict[str, Mask], name: str, planes: Planes, like: Volume) -> None:
    if any(plane.any() for plane in planes.values()):
        masks[name] = np.zeros(like.voxels.shape, np.uint8)
        for index, plane in planes.items():
            masks[name][index] = plane
