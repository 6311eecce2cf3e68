"""Miniature CT series in DICOM, and a tree of any DICOM as the sources of DICOM collections group it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sources.base import SourceConfig
from sources.dicom_tree import DicomTree

BASE_UID = "1.2.826.0.1.3680043.10.1337"  # of invented data only


def tree_of(source: SourceConfig) -> DicomTree:
    """A DICOM tree with a source's root, exclusions and stated facts."""
    return DicomTree(source="dicom_tree", root=source.root, exclude=source.exclude, facts=source.facts)


def instance_uid(study: int, series: int, number: int = 0) -> str:
    """A series' UID, or one of its instances'."""
    return f"{BASE_UID}.{study}.{series}" + (f".{number}" if number else "")


def series(folder: Path, grid: Any, patient: str, study: int, number: int, spacing_mm: tuple[float, float]) -> None:
    """A CT series of a grid in HU indexed (x, y, z): axial slices `1-001.dcm` and so on, from below upwards."""
    import numpy
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

    folder.mkdir(parents=True, exist_ok=True)
    for index in range(grid.shape[2]):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = UID(instance_uid(study, number, index + 1))
        pixels = numpy.ascontiguousarray(grid[:, :, index].T + 1024).astype("<i2")
        said: dict[str, Any] = {
            "SOPClassUID": CTImageStorage, "SOPInstanceUID": instance_uid(study, number, index + 1),
            "StudyInstanceUID": f"{BASE_UID}.{study}", "SeriesInstanceUID": instance_uid(study, number),
            "FrameOfReferenceUID": f"{BASE_UID}.{study}.0", "Modality": "CT", "PatientID": patient, "PatientName": "",
            "BodyPartExamined": "CHEST", "PatientSex": "", "StudyDate": "", "StudyTime": "", "AccessionNumber": "",
            "InstanceNumber": index + 1, "ImagePositionPatient": [0, 0, index * spacing_mm[1]],
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PixelSpacing": [spacing_mm[0], spacing_mm[0]],
            "SliceThickness": spacing_mm[1], "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2", "Rows": pixels.shape[0], "Columns": pixels.shape[1],
            "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1, "RescaleIntercept": -1024,
            "RescaleSlope": 1, "PixelData": pixels.tobytes(),
        }  # fmt: skip
        data = Dataset()
        for keyword, value in said.items():
            setattr(data, keyword, value)
        path = folder / f"1-{index + 1:03d}.dcm"
        whole = FileDataset(str(path), data, file_meta=meta, preamble=b"\0" * 128)
        whole.save_as(path, enforce_file_format=True)
