"""Random DICOM series whose every voxel and place is known: the adversary of the readers of series.

A `Case` says how a series is written; `series_cases` draws them from a seed. What a case says is the truth: `stored`
(z, y, x) in the order along the normal (rows x columns), `places` (z, 3) the LPS+ mm of the first voxels as written,
`cosines` and `spacing` as written. Nothing of ours that is tested is used here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

Array = NDArray[Any]

CLASSES = {"CT": uid.CTImageStorage, "MR": uid.MRImageStorage, "PT": uid.PositronEmissionTomographyImageStorage}
ENHANCED = {"CT": uid.EnhancedCTImageStorage, "MR": uid.EnhancedMRImageStorage, "PT": uid.EnhancedPETImageStorage}
VENDORS = {
    "CT": ("ACME", "SIEMENS", "GE MEDICAL SYSTEMS", "TOSHIBA"),
    "MR": ("ACME", "SIEMENS", "GE MEDICAL SYSTEMS", "Hitachi Medical Corporation"),
    "PT": ("ACME", "SIEMENS", "GE MEDICAL SYSTEMS", "Philips Medical Systems"),
}
PLANES = {  # rows (where x grows), columns (where y grows), LPS+
    "axial": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "coronal": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "sagittal": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
}


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One series as it is written."""

    seed: int
    modality: str
    vendor: str
    plane: str
    cosines: Array  # (2, 3) as written
    spacing: tuple[float, float]  # (y, x) mm as written
    places: Array  # (z, 3) as written
    stored: Array  # (z, y, x)
    bits: int  # stored
    slopes: Array  # (z,)
    intercepts: Array  # (z,)
    order: tuple[int, ...]  # slice of the nth file
    implicit: bool

    @property
    def values(self) -> Array:
        """(z, y, x) after the rescale, float64."""
        return self.stored * self.slopes[:, None, None] + self.intercepts[:, None, None]

    @property
    def affine(self) -> Array:
        """Indices (x, y, z) to RAS+ mm, PS3.3 C.7.6.2.1-1, the z step that of first to last."""
        rows, columns = (v / np.linalg.norm(v) for v in self.cosines)
        lps = np.eye(4)
        lps[:3, 0], lps[:3, 1] = rows * self.spacing[1], columns * self.spacing[0]
        lps[:3, 2], lps[:3, 3] = (self.places[-1] - self.places[0]) / (len(self.places) - 1), self.places[0]
        return np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps

    def __str__(self) -> str:
        return f"{self.seed}-{self.modality}-{self.plane}-{self.stored.dtype}{self.bits}"


def written(numbers: Any, digits: int) -> list[str]:
    """Numbers as decimal strings of at most 16 characters (PS3.5 6.2, DS)."""
    return [f"{float(n):.{digits}f}"[:16] for n in np.ravel(numbers)]


def rotation(rng: np.random.Generator, most_deg: float) -> Array:
    """A turn about a random axis by up to `most_deg`, Rodrigues' formula."""
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    angle = np.radians(rng.uniform(-most_deg, most_deg))
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turn: Array = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
    return turn


def series_case(seed: int) -> Case:
    """One of the many ways to write a sound series."""
    rng = np.random.default_rng(seed)
    modality, plane = str(rng.choice(sorted(CLASSES))), str(rng.choice(sorted(PLANES)))
    axes = np.array(PLANES[plane])
    kind = int(rng.integers(4))  # exact, a little oblique, doubly oblique, mirrored axes
    axes = axes @ rotation(rng, (0, 10, 44, 0)[kind]).T
    if kind == 3:
        axes = axes * rng.choice([-1.0, 1.0], size=(2, 1))
    digits = int(rng.integers(4, 7))
    cosines = np.array([float(v) for v in written(axes, 6 if kind else digits)]).reshape(2, 3)
    spacing = tuple(float(v) for v in written(rng.uniform(0.3, 4, 2), 5))
    depth, height, width = (int(rng.integers(3, 13)), int(rng.integers(5, 40)), int(rng.integers(5, 40)))
    normal = np.cross(*cosines)
    gap = float(rng.uniform(0.6, 6)) * normal / np.linalg.norm(normal)
    places = rng.uniform(-300, 300, 3) + np.arange(depth)[:, None] * gap
    places = np.array([float(v) for v in written(places, digits)]).reshape(-1, 3)
    bits, signed = int(rng.choice([12, 16])), bool(rng.integers(2))
    low = -(1 << (bits - 1)) if signed else 0
    stored = rng.integers(low, low + (1 << bits), (depth, height, width)).astype(np.int16 if signed else np.uint16)
    slopes, intercepts = _rescale(rng, modality, depth)
    order = {0: np.arange(depth), 1: np.arange(depth)[::-1], 2: rng.permutation(depth)}[int(rng.integers(3))]
    return Case(
        seed, modality, str(rng.choice(VENDORS[modality])), plane, cosines, (spacing[0], spacing[1]), places, stored,
        bits, slopes, intercepts, tuple(order.tolist()), bool(rng.integers(2)),
    )  # fmt: skip


def _rescale(rng: np.random.Generator, modality: str, depth: int) -> tuple[Array, Array]:
    """Slope and intercept of every slice: none, whole, fractional, one per slice (PET)."""
    kind = int(rng.integers(3))
    if modality == "PT" and kind:
        return np.round(rng.uniform(0.1, 5, depth), 6), np.zeros(depth)
    if modality == "CT" or kind == 1:
        slope = 1.0 if kind < 2 else float(np.round(rng.uniform(0.2, 3), 4))
        return np.full(depth, slope), np.full(depth, float(rng.choice([-1024.0, -1000.0, 0.0, 0.5 * (kind == 2)])))
    return np.full(depth, (1.0, 2.0, 0.37)[kind]), np.full(depth, (0.0, 0.0, 1.25)[kind])


def write_series(case: Case, folder: Path) -> list[Path]:
    """The series, one file a slice; the nth file holds slice `order[n]` and InstanceNumber n + 1."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, z in enumerate(case.order):
        instance = slice_of(case, z, number)
        path = folder / f"{number:04d}.dcm"
        instance.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def slice_of(case: Case, z: int, number: int) -> Dataset:
    """Slice `z` as a file's data set."""
    instance = common(case)
    uid_of = _uids(case)
    instance.SOPClassUID = instance.file_meta.MediaStorageSOPClassUID = CLASSES[case.modality]
    instance.SOPInstanceUID = instance.file_meta.MediaStorageSOPInstanceUID = uid_of(f"{number}")
    instance.InstanceNumber = number + 1
    instance.ImagePositionPatient = written(case.places[z], 6)
    instance.ImageOrientationPatient = written(case.cosines, 6)
    instance.PixelSpacing = written(case.spacing, 5)
    instance.SliceThickness = "1.5"
    if np.any(case.slopes != 1) or np.any(case.intercepts != 0):
        instance.RescaleSlope, instance.RescaleIntercept = written([case.slopes[z], case.intercepts[z]], 6)
    _pixels(instance, case, case.stored[z])
    return instance


def common(case: Case) -> Dataset:
    """What every file of a series says."""
    uid_of = _uids(case)
    instance = Dataset()
    instance.file_meta = FileMetaDataset()
    instance.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if case.implicit else uid.ExplicitVRLittleEndian
    instance.Modality, instance.Manufacturer = case.modality, case.vendor
    instance.ImageType = ["ORIGINAL", "PRIMARY", {"CT": "AXIAL", "MR": "M", "PT": "OTHER"}[case.modality]]
    instance.StudyDate = instance.SeriesDate = instance.AcquisitionDate = "20200102"
    instance.StudyTime = instance.SeriesTime = instance.AcquisitionTime = "101112"
    instance.PatientID, instance.PatientPosition, instance.SeriesNumber = f"P{case.seed}", "HFS", 1
    instance.StudyInstanceUID, instance.SeriesInstanceUID = uid_of("study"), uid_of("series")
    instance.FrameOfReferenceUID, instance.AcquisitionNumber = uid_of("frame"), 1
    instance.SeriesDescription = "oracle"
    if case.modality == "PT":
        instance.Units = "BQML"
    return instance


def _pixels(instance: Dataset, case: Case, values: Array) -> None:
    instance.Rows, instance.Columns = values.shape[-2:]
    instance.SamplesPerPixel, instance.PhotometricInterpretation = 1, "MONOCHROME2"
    instance.BitsAllocated, instance.BitsStored, instance.HighBit = 16, case.bits, case.bits - 1
    instance.PixelRepresentation = int(values.dtype.kind == "i")
    instance.PixelData = values.astype("<i2" if values.dtype.kind == "i" else "<u2").tobytes()
    instance["PixelData"].VR = "OW"


def _uids(case: Case) -> Any:
    return lambda what: uid.generate_uid(entropy_srcs=["oracle", str(case.seed), what])


def write_enhanced(case: Case, folder: Path) -> Path:
    """The same as one enhanced multi-frame file; frame n is slice `order[n]`."""
    folder.mkdir(parents=True, exist_ok=True)
    instance, uid_of = common(case), _uids(case)
    instance.SOPClassUID = instance.file_meta.MediaStorageSOPClassUID = ENHANCED[case.modality]
    instance.SOPInstanceUID = instance.file_meta.MediaStorageSOPInstanceUID = uid_of("enhanced")
    instance.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    instance.InstanceNumber, instance.NumberOfFrames = 1, len(case.order)
    organisation = uid_of("dimensions")
    instance.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=organisation)]
    instance.DimensionIndexSequence = [
        _item(DimensionIndexPointer=tag, FunctionalGroupPointer=0x00209111, DimensionOrganizationUID=organisation)
        for tag in (0x00209056, 0x00209057)
    ]
    instance.SharedFunctionalGroupsSequence = [
        _item(
            PixelMeasuresSequence=[_item(PixelSpacing=written(case.spacing, 5), SliceThickness="1.5")],
            PlaneOrientationSequence=[_item(ImageOrientationPatient=written(case.cosines, 6))],
        )
    ]
    instance.PerFrameFunctionalGroupsSequence = [_frame(case, z) for z in case.order]
    _pixels(instance, case, case.stored[list(case.order)])
    path = folder / "enhanced.dcm"
    instance.save_as(path, enforce_file_format=True)
    return path


def _frame(case: Case, z: int) -> Dataset:
    slope, intercept = written([case.slopes[z], case.intercepts[z]], 6)
    kind = {"CT": "HU", "PT": "BQML", "MR": "US"}[case.modality]
    return _item(
        FrameContentSequence=[_item(StackID="1", InStackPositionNumber=z + 1, DimensionIndexValues=[1, z + 1])],
        PlanePositionSequence=[_item(ImagePositionPatient=written(case.places[z], 6))],
        PixelValueTransformationSequence=[_item(RescaleSlope=slope, RescaleIntercept=intercept, RescaleType=kind)],
    )


def _item(**elements: Any) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def series_cases(seeds: range) -> Iterator[Case]:
    return (series_case(seed) for seed in seeds)


def edited(paths: list[Path], **values: Any) -> None:
    """Files with other elements; a callable gets the file's number, counted from 0."""
    for number, path in enumerate(paths):
        instance = pydicom.dcmread(path)
        for keyword, value in values.items():
            setattr(instance, keyword, value(number) if callable(value) else value)
        instance.save_as(path)


# ------------------------------------------------------------------------------------------------------------ 4D trees
SPLITS: dict[str, Any] = {  # how volume v, slice z of `depth` and `volumes` is told: elements of the file
    "position": lambda v, z, depth, volumes: {"TemporalPositionIdentifier": v + 1},
    "time": lambda v, z, depth, volumes: {"AcquisitionTime": f"1011{v:02d}.25", "AcquisitionNumber": 1},
    "clock of every slice": lambda v, z, depth, volumes: {"ContentTime": f"{101112 + v * 2}.{z:03d}"},
    "acquisition": lambda v, z, depth, volumes: {"AcquisitionNumber": v + 1, "ContentTime": f"1011{z:02d}"},
    "echo": lambda v, z, depth, volumes: {"EchoTime": f"{2.3 * (v + 1):.2f}"},
    "b value": lambda v, z, depth, volumes: {"DiffusionBValue": 500.0 * v},
    "trigger": lambda v, z, depth, volumes: {"TriggerTime": f"{40.5 * v:.1f}"},
    "component": lambda v, z, depth, volumes: {"ImageType": ["ORIGINAL", "PRIMARY", "MPRI"[v]]},
    "number, volume by volume": lambda v, z, depth, volumes: {"InstanceNumber": v * depth + z + 1},
    "number, slice by slice": lambda v, z, depth, volumes: {"InstanceNumber": z * volumes + v + 1},
}
FACTS: dict[str, Any] = {
    "echo": ("echo_time_ms", lambda v: f"{2.3 * (v + 1):.2f}".rstrip("0").rstrip(".")),
    "b value": ("b_value_s_mm2", lambda v: f"{500 * v}"),
    "component": ("image_type", lambda v: ("IMAGINARY", "MAGNITUDE", "PHASE", "REAL")[v]),
}  # every other split is by time_point


def write_four_d(case: Case, folder: Path, split: str, volumes: int) -> list[Array]:
    """A series of several volumes in one folder, files shuffled; the stored values of each volume, in its order of
    time, echo or b-value (components: I, M, P, R). Volume v holds the case's values plus 3 v, wrapped to its bits."""
    folder.mkdir(parents=True, exist_ok=True)
    depth = len(case.stored)
    names = np.random.default_rng(case.seed).permutation(depth * volumes).tolist()
    truth = []
    low = -(1 << (case.bits - 1)) if case.stored.dtype.kind == "i" else 0
    for v in range(volumes):
        moved = (case.stored.astype(np.int64) + 3 * v - low) % (1 << case.bits) + low
        truth.append(moved.astype(case.stored.dtype))
        for z in range(depth):
            instance = slice_of(case, z, v * depth + z)
            for keyword, value in SPLITS[split](v, z, depth, volumes).items():
                setattr(instance, keyword, value)
            _pixels(instance, case, truth[v][z])
            instance.save_as(folder / f"{names.pop():04d}.dcm", enforce_file_format=True)
    if split == "component":
        return [truth[v] for v in sorted(range(volumes), key=lambda v: "MPRI"[v])]
    return truth
