"""SEG and RTSTRUCT files made from arrays and polygons, for tests that know the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from curate.arrays import Volume
from curate.dicom.seg import LABEL_MAP

Array = NDArray[Any]
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
SERIES, FRAME = "1.2.3.4", "1.2.3.5"


def rotated(spacing_mm: tuple[float, float, float] = (0.8, 1.1, 2.5)) -> Array:
    """An oblique affine, RAS+, for spacings along x, y, z."""
    a, b = 0.3, 0.5
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn * np.array(spacing_mm)
    affine[:3, 3] = (12.5, -40.0, 7.25)
    return affine


def volume(shape: tuple[int, int, int] = (5, 6, 7), affine: Array | None = None) -> Volume:
    return Volume(np.zeros(shape, np.int16), rotated() if affine is None else affine)


def save(path: Path, ds: Dataset, sop_class: str) -> Path:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = uid.UID(sop_class)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = uid.UID("1.2.3.7")
    ds.save_as(path, enforce_file_format=True)
    return path


def item(**elements: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def seg(path: Path, grids: list[tuple[Array, int]], affine: Array, labels: list[str], **more: Any) -> Path:
    """A SEG file: each (z, y, x) grid lies by `affine` and shows one segment; every slice is a frame. `more`: kind
    (BINARY, FRACTIONAL, LABELMAP), bits, order (of the frames), series, frame."""
    kind, bits = more.get("kind", "BINARY"), more.get("bits", 1)
    lps = LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    frames = [(grid[z], number, lps @ (0, 0, z, 1)) for grid, number in grids for z in range(len(grid))]
    order: list[int] = more.get("order") or list(range(len(frames)))
    frames = [frames[i] for i in order]
    ds = item(Modality="SEG", SegmentationType=kind, FrameOfReferenceUID=more.get("frame", FRAME))
    if more.get("series", SERIES):
        ds.ReferencedSeriesSequence = [item(SeriesInstanceUID=more.get("series", SERIES))]
    (ds.Rows, ds.Columns), ds.NumberOfFrames = frames[0][0].shape, len(frames)
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = bits, bits, bits - 1
    ds.MaximumFractionalValue = 200
    ds.SegmentSequence = [item(SegmentNumber=n + 1, SegmentLabel=label) for n, label in enumerate(labels)]
    cosines = [float(v) for axis in (0, 1) for v in lps[:3, axis] / spacing[axis]]
    ds.SharedFunctionalGroupsSequence = [
        item(
            PlaneOrientationSequence=[item(ImageOrientationPatient=cosines)],
            PixelMeasuresSequence=[
                item(PixelSpacing=[float(spacing[1]), float(spacing[0])], SpacingBetweenSlices=float(spacing[2]))
            ],
        )
    ]
    ds.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[float(v) for v in position[:3]])],
            SegmentIdentificationSequence=[item(ReferencedSegmentNumber=number)],
        )
        for _, number, position in frames
    ]
    stored = np.stack([f for f, _, _ in frames])
    packed = np.packbits(stored.ravel(), bitorder="little") if bits == 1 else stored.astype(f"<u{bits // 8}")
    data = packed.tobytes()
    ds.add_new("PixelData", "OW", data + b"\0" * (len(data) % 2))
    return save(path, ds, LABEL_MAP if kind == "LABELMAP" else uid.SegmentationStorage)


def rtstruct(path: Path, rois: dict[str, list[Any]], series: str = SERIES, frame: str = FRAME) -> Path:
    """An RTSTRUCT: per ROI name the polygons, (n, 3) in LPS+ mm, or (type, polygon)."""
    study = item(RTReferencedSeriesSequence=[item(SeriesInstanceUID=series)] if series else [])
    ds = item(Modality="RTSTRUCT")
    ds.ReferencedFrameOfReferenceSequence = [item(FrameOfReferenceUID=frame, RTReferencedStudySequence=[study])]
    ds.StructureSetROISequence = [item(ROINumber=n + 1, ROIName=name) for n, name in enumerate(rois)]
    ds.ROIContourSequence = [
        item(ReferencedROINumber=n + 1, ContourSequence=[_contour(polygon) for polygon in polygons])
        for n, polygons in enumerate(rois.values())
    ]
    return save(path, ds, uid.RTStructureSetStorage)


def _contour(polygon: Any) -> Dataset:
    kind, points = polygon if isinstance(polygon, tuple) else ("CLOSED_PLANAR", polygon)
    numbers = [f"{float(v):.10g}"[:16] for v in np.ravel(points)]
    return item(ContourGeometricType=kind, NumberOfContourPoints=len(numbers) // 3, ContourData=numbers)


def on_grid(points: Any, z: float, affine: Array) -> Array:
    """(x, y) voxel coordinates in slice z as (n, 3) LPS+ mm."""
    flat = np.asarray(points, float)
    voxels = np.column_stack([flat, np.full(len(flat), z), np.ones(len(flat))])
    return np.asarray((LPS @ affine @ voxels.T).T[:, :3])


def blob(shape: tuple[int, int, int], seed: int = 3) -> Array:
    return np.random.default_rng(seed).integers(0, 2, shape).astype(np.uint8)
