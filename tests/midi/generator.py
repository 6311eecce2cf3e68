"""A set of DICOM files with planted identifiers, and the key of what a de-identifier must do to each of them.

It has the ten kinds of action of the MIDI-B challenge (arXiv 2507.23608) and eight kinds of object: CT, MR, US, CR, SR,
SEG, RTSTRUCT and PR, several studies per patient, references across them. Same seed, same files.
"""

from __future__ import annotations

import datetime
import hashlib
import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence

Kind = Literal[
    "tag_retained", "text_notnull", "text_retained", "text_removed", "date_shifted", "uid_changed", "uid_consistent",
    "patid_consistent", "pixels_hidden", "pixels_retained",
]  # fmt: skip
Step = str | int
Path_ = tuple[Step, ...]

SURNAMES = ("Quillfeather", "Oyelaran", "Brzęczyszczykiewicz", "Grünewald-Öttl", "Vanterpool", "Zagorodny", "Ízquierdo")
GIVEN = ("Philomena", "Thaddeus", "Ingeborg", "Wojciech", "Xiomara", "Bartholomew", "Désirée")
STREETS = ("Elmwood Lane", "Kaiserallee", "Rue Voltaire", "Tamarind Crescent", "Ocotillo Drive")
TOWNS = ("Bumbleford", "Kleinrinderfeld", "Xalapatown", "Orrisville")
SITES = ("Saint Swithun Infirmary", "Klinikum Rabenstein", "Mercywood Hospital")
PROTECTED = {"CT": "CHEST AXIAL", "MR": "BRAIN SAGITTAL", "US": "ABDOMEN LIVER", "CR": "CHEST AP"}
REGION = (8, 6, 55, 40)  # x0, y0, x1, y1 of the ultrasound region, inclusive


@dataclass(frozen=True, slots=True)
class Action:
    """What must hold of `path` in `file` afterwards; `value` is the original (or a digest, or a word)."""

    kind: Kind
    file: str
    path: Path_
    value: str
    patient: str


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    words: tuple[str, ...]
    mrn: str
    born: datetime.date
    street: str
    phone: str
    mail: str
    site: str
    doctor: str

    def planted(self) -> tuple[str, ...]:
        return (
            *self.words,
            self.mrn,
            self.street,
            self.phone,
            self.mail,
            self.site,
            self.doctor,
            f"{self.born:%Y%m%d}",
        )


@dataclass(frozen=True, slots=True)
class Study:
    person: Person
    number: int
    day: datetime.date
    root: str  # of its UIDs
    rng: random.Random

    def uid(self, *parts: int) -> str:
        return ".".join([self.root, *map(str, parts)])


def person(rng: random.Random, n: int) -> Person:
    surname, given = SURNAMES[n % len(SURNAMES)] + "xyz"[n // 7 % 3], GIVEN[(n * 3) % len(GIVEN)]
    return Person(
        name=f"{surname}^{given}",
        words=(surname, given),
        mrn=f"MRN{rng.randrange(10**7, 10**8)}",
        born=datetime.date(1930, 1, 1) + datetime.timedelta(days=rng.randrange(20000)),
        street=f"{rng.randrange(100, 9999)} {rng.choice(STREETS)}, {rng.choice(TOWNS)}",
        phone=f"({rng.randrange(200, 999)}) 555-{rng.randrange(1000, 9999)}",
        mail=f"{given[:4].lower()}.{rng.randrange(10**5)}@{rng.choice(TOWNS).lower()}.example",
        site=rng.choice(SITES),
        doctor=f"Dr {rng.choice(SURNAMES)}q",
    )


def base(study: Study, modality: str, series: int, instance: int, sop_class: str) -> Dataset:
    """What all objects share; free text holds allow-listed words and planted identifiers side by side."""
    who, ds = study.person, Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, study.uid(series, instance)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study.uid(0), study.uid(series)
    ds.FrameOfReferenceUID = study.uid(99)
    ds.StudyDate, ds.StudyTime = f"{study.day:%Y%m%d}", "101112"
    ds.ContentDate, ds.ContentTime = f"{study.day + datetime.timedelta(days=series % 3):%Y%m%d}", "112233.5"
    ds.SeriesDate, ds.AcquisitionDateTime = ds.StudyDate, f"{study.day:%Y%m%d}101500.000000"
    ds.Modality, ds.Manufacturer = modality, "Maker"
    ds.InstitutionName, ds.StationName = who.site, f"STN{who.mrn[-4:]}X"
    ds.ReferringPhysicianName, ds.OperatorsName = f"{who.doctor.split()[1]}^Dr", who.name
    ds.PatientName, ds.PatientID = who.name, who.mrn
    ds.PatientBirthDate, ds.PatientSex, ds.PatientAge = f"{who.born:%Y%m%d}", "F", "093Y"
    ds.PatientAddress, ds.PatientTelephoneNumbers = who.street, who.phone
    ds.OtherPatientIDsSequence = [item(PatientID=f"ALT{who.mrn}", IssuerOfPatientID=who.site)]
    ds.AccessionNumber, ds.StudyID = f"ACC{who.mrn[3:]}", f"S{who.mrn[3:8]}"
    ds.StudyDescription = f"{modality} WITH CONTRAST {who.words[0]} {study.day:%d/%m/%Y}"
    ds.SeriesDescription = f"{PROTECTED.get(modality, 'AXIAL')} 5mm for {who.words[1]} {who.words[0]}"
    ds.ProtocolName = f"ROUTINE CHEST {who.mrn}"
    ds.PatientComments = f"Lives at {who.street}. Call {who.phone} or {who.mail}."
    ds.SeriesNumber, ds.InstanceNumber = series, instance
    ds.RequestAttributesSequence = [item(RequestedProcedureID=f"RP{who.mrn}", ScheduledProcedureStepID=f"SP{who.mrn}")]
    block = ds.private_block(0x0011, "MAKER OF PRIVATE", create=True)
    block.add_new(0x01, "LO", f"{who.words[0]} {who.mrn}")
    block.add_new(0x02, "SQ", Sequence([item(PatientName=who.name)]))
    return ds


def item(**values: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def pixels(ds: Dataset, array: Any, photometric: str = "MONOCHROME2") -> Dataset:
    colour = photometric == "RGB"
    frames = array.shape[:-1] if colour else array.shape
    ds.Rows, ds.Columns = frames[-2:]
    if len(frames) == 3:
        ds.NumberOfFrames = frames[0]
    bits = array.dtype.itemsize * 8
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 3 if colour else 1, photometric
    if colour:
        ds.PlanarConfiguration = 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits, bits - 1, 0
    ds.PixelData = array.tobytes()
    ds["PixelData"].VR = "OW" if bits > 8 else "OB"
    return ds


def noise(study: Study, *shape: int, dtype: Any = np.uint16) -> Any:
    return np.random.default_rng(study.rng.randrange(2**32)).integers(1, 250, shape).astype(dtype)


def reference(study: Study, series: int, instance: int, sop_class: str = uid.CTImageStorage) -> Dataset:
    return item(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=study.uid(series, instance))


def code(value: str, scheme: str, meaning: str) -> list[Dataset]:
    return [item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)]


def slices(study: Study) -> Iterator[Dataset]:
    for series, modality, sop_class, count in ((1, "CT", uid.CTImageStorage, 4), (2, "MR", uid.MRImageStorage, 3)):
        for n in range(1, count + 1):
            ds = base(study, modality, series, n, sop_class)
            ds.ImageType, ds.KVP = ["ORIGINAL", "PRIMARY", "AXIAL"], "120"
            ds.PixelSpacing, ds.SliceThickness = [0.5, 0.5], "5"
            ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, n * 5.0], [1, 0, 0, 0, 1, 0]
            ds.ImageComments = f"Seen by {study.person.doctor}, no fracture. {study.person.mail}"
            yield pixels(ds, noise(study, 32, 32))


def ultrasound(study: Study) -> Dataset:
    ds = base(study, "US", 3, 1, uid.UltrasoundMultiFrameImageStorage)
    x0, y0, x1, y1 = REGION
    ds.SequenceOfUltrasoundRegions = [
        item(RegionSpatialFormat=1, RegionDataType=1, RegionLocationMinX0=x0, RegionLocationMinY0=y0,
             RegionLocationMaxX1=x1, RegionLocationMaxY1=y1)
    ]  # fmt: skip
    return pixels(ds, noise(study, 2, 48, 64, 3, dtype=np.uint8), "RGB")


def radiograph(study: Study) -> Dataset:
    ds = base(study, "CR", 4, 1, uid.ComputedRadiographyImageStorage)
    ds.BodyPartExamined, ds.ViewPosition = "CHEST", "AP"
    return pixels(ds, noise(study, 40, 30))


def report(study: Study) -> Dataset:
    who, ds = study.person, base(study, "SR", 5, 1, uid.ComprehensiveSRStorage)
    ds.ValueType, ds.ConceptNameCodeSequence = "CONTAINER", code("126000", "DCM", "Imaging Measurement Report")
    ds.VerifyingObserverSequence = [item(VerifyingObserverName=who.doctor, VerifyingOrganization=who.site)]
    text = f"{who.words[1]} {who.words[0]}, born {who.born:%d.%m.%Y}, has a stable nodule. Call {who.phone}."
    ds.ContentSequence = [
        item(RelationshipType="CONTAINS", ValueType="TEXT", ConceptNameCodeSequence=code("121071", "DCM", "Finding"),
             TextValue=text),
        item(RelationshipType="CONTAINS", ValueType="PNAME", PersonName=who.name,
             ConceptNameCodeSequence=code("121008", "DCM", "Person Observer Name")),
        item(RelationshipType="CONTAINS", ValueType="IMAGE", ReferencedSOPSequence=[reference(study, 1, 1)]),
        item(RelationshipType="CONTAINS", ValueType="UIDREF", UID=study.uid(1),
             ConceptNameCodeSequence=code("112002", "DCM", "Series Instance UID")),
        item(RelationshipType="CONTAINS", ValueType="DATE", Date=ds.StudyDate,
             ConceptNameCodeSequence=code("111060", "DCM", "Study Date")),
    ]  # fmt: skip
    return ds


def segmentation(study: Study) -> Dataset:
    ds = base(study, "SEG", 6, 1, uid.SegmentationStorage)
    ds.ContentLabel, ds.ContentDescription = "LIVER", f"Liver of {study.person.words[0]}"
    ds.ContentCreatorName = study.person.name
    ds.ReferencedSeriesSequence = [
        item(SeriesInstanceUID=study.uid(1), ReferencedInstanceSequence=[reference(study, 1, n) for n in (1, 2)])
    ]
    ds.SegmentSequence = [item(SegmentNumber=1, SegmentLabel="Liver", SegmentAlgorithmType="MANUAL")]
    return pixels(ds, noise(study, 2, 16, 16, dtype=np.uint8))


def structures(study: Study) -> Dataset:
    ds = base(study, "RTSTRUCT", 7, 1, uid.RTStructureSetStorage)
    ds.StructureSetLabel, ds.StructureSetDate = "PLAN", ds.StudyDate
    contour = [item(ContourImageSequence=[reference(study, 1, 2)], ContourData=[0, 0, 5, 1, 0, 5, 1, 1, 5])]
    series = item(SeriesInstanceUID=study.uid(1), ContourImageSequence=[reference(study, 1, n) for n in (1, 2)])
    of_study = item(ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1", ReferencedSOPInstanceUID=study.uid(0),
                    RTReferencedSeriesSequence=[series])  # fmt: skip
    ds.ReferencedFrameOfReferenceSequence = [
        item(FrameOfReferenceUID=study.uid(99), RTReferencedStudySequence=[of_study])
    ]
    ds.StructureSetROISequence = [
        item(ROINumber=1, ReferencedFrameOfReferenceUID=study.uid(99), ROIDescription=f"by {study.person.doctor}")
    ]
    ds.ROIContourSequence = [item(ReferencedROINumber=1, ContourSequence=contour)]
    ds.ApprovalStatus, ds.ReviewerName = "APPROVED", study.person.name
    return ds


def presentation(study: Study) -> Dataset:
    ds = base(study, "PR", 8, 1, uid.GrayscaleSoftcopyPresentationStateStorage)
    ds.ContentLabel, ds.PresentationCreationDate, ds.PresentationCreationTime = "MARKED", ds.StudyDate, "121314"
    ds.ContentCreatorName = study.person.name
    ds.ReferencedSeriesSequence = [
        item(SeriesInstanceUID=study.uid(4), ReferencedImageSequence=[
            reference(study, 4, 1, uid.ComputedRadiographyImageStorage)])
    ]  # fmt: skip
    ds.GraphicAnnotationSequence = [
        item(GraphicLayer="ONE", TextObjectSequence=[item(UnformattedTextValue=f"see {study.person.name}")])
    ]
    return ds


REFERENCES: dict[str, tuple[Path_, ...]] = {
    "SR": (
        ("ContentSequence", 2, "ReferencedSOPSequence", 0, "ReferencedSOPInstanceUID"),
        ("ContentSequence", 3, "UID"),
    ),
    "SEG": (
        ("ReferencedSeriesSequence", 0, "SeriesInstanceUID"),
        ("ReferencedSeriesSequence", 0, "ReferencedInstanceSequence", 1, "ReferencedSOPInstanceUID"),
    ),
    "RTSTRUCT": (
        ("ReferencedFrameOfReferenceSequence", 0, "FrameOfReferenceUID"),
        ("StructureSetROISequence", 0, "ReferencedFrameOfReferenceUID"),
        ("ROIContourSequence", 0, "ContourSequence", 0, "ContourImageSequence", 0, "ReferencedSOPInstanceUID"),
    ),
    "PR": (
        ("ReferencedSeriesSequence", 0, "SeriesInstanceUID"),
        ("ReferencedSeriesSequence", 0, "ReferencedImageSequence", 0, "ReferencedSOPInstanceUID"),
    ),
}
UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
DATES = (
    "StudyDate",
    "SeriesDate",
    "ContentDate",
    "AcquisitionDateTime",
    "StructureSetDate",
)
KEPT = (
    "SOPClassUID", "Modality", "Manufacturer", "SeriesNumber", "InstanceNumber", "StudyTime", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "PhotometricInterpretation", "PixelSpacing", "SliceThickness", "ImageType", "KVP",
    "ImagePositionPatient", "ImageOrientationPatient", "PatientSex", "BodyPartExamined", "ViewPosition",
)  # fmt: skip
NOT_EMPTY = (
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "PatientID",
    "Modality",
    "DeidentificationMethod",
)


def value_at(ds: Dataset, path: Path_) -> Any:
    """The value at the end of a path of keywords and item numbers; KeyError or IndexError where it is absent."""
    found: Any = ds
    for step in path:
        found = found[step].value if isinstance(step, str) else found[step]
    return found


def digest(array: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def actions_of(ds: Dataset, file: str, who: Person) -> Iterator[Action]:
    """The key of one file."""

    def action(kind: Kind, path: Path_ = (), value: Any = "") -> Action:
        return Action(kind, file, path, str(value), who.mrn)

    yield from (action("tag_retained", (k,), ds[k].value) for k in KEPT if k in ds)
    yield from (action("text_notnull", (k,)) for k in NOT_EMPTY)
    yield from (action("text_removed", (), text) for text in who.planted())
    yield from (action("text_removed", (), ds[k].value) for k in ("AccessionNumber", "StudyID", "StationName"))
    yield from (action("text_retained", ("StudyDescription",), w) for w in (ds.Modality, "WITH", "CONTRAST"))
    words = PROTECTED.get(ds.Modality, "AXIAL").split()
    yield from (action("text_retained", ("SeriesDescription",), w) for w in (*words, "5mm"))
    yield action("text_retained", ("ProtocolName",), "CHEST")
    yield from (action("date_shifted", (k,), ds[k].value) for k in DATES if k in ds)
    yield from (action("uid_changed", (k,), ds[k].value) for k in UIDS)
    places = (*((k,) for k in UIDS), *REFERENCES.get(ds.Modality, ()))
    yield from (action("uid_consistent", path, value_at(ds, path)) for path in places)
    yield action("patid_consistent", ("PatientID",), who.mrn)
    if ds.Modality == "SR":
        yield from (action("text_retained", ("ContentSequence", 0, "TextValue"), w) for w in ("stable", "nodule"))
        yield action("date_shifted", ("ContentSequence", 4, "Date"), ds.StudyDate)
    if ds.Modality == "US":
        x0, y0, x1, y1 = REGION
        yield from (
            action("pixels_hidden", (), box) for box in (f"0 0 64 {y0}", f"{x1 + 1} 0 64 48", f"0 {y1 + 1} 64 48")
        )
        yield action("pixels_retained", REGION, digest(ds.pixel_array[:, y0 : y1 + 1, x0 : x1 + 1]))
    elif "PixelData" in ds:
        yield action("pixels_retained", (), digest(ds.pixel_array))


def studies(seed: int, patients: int, per_patient: int) -> Iterator[Study]:
    rng = random.Random(seed)
    for n in range(patients):
        who = person(rng, n)
        for number in range(per_patient):
            day = datetime.date(2011, 1, 1) + datetime.timedelta(days=rng.randrange(3000))
            # as some makers do it, the UID's root holds the day
            yield Study(who, number, day, f"1.3.12.2.{1000 + n}.{number}.{day:%Y%m%d}", rng)


def objects(study: Study) -> Iterator[Dataset]:
    yield from slices(study)
    for make in (ultrasound, radiograph, report, segmentation, structures, presentation):
        yield make(study)


def write_set(folder: Path, seed: int, patients: int, only: Collection[int] = range(99)) -> list[Action]:
    """Write the files into `folder`, of each study those whose number is in `only`, and return the key."""
    key: list[Action] = []
    for count, study in enumerate(studies(seed, patients, per_patient=2)):
        for n, ds in enumerate(objects(study)):
            if n not in only:
                continue
            name = f"{count:03d}-{n:02d}.dcm"
            ds.file_meta = FileMetaDataset()
            ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = (
                ds.SOPClassUID,
                ds.SOPInstanceUID,
            )
            ds.file_meta.TransferSyntaxUID = (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian)[n % 2]
            ds.preamble = study.person.words[1].encode()[:128].ljust(128, b"\0")
            ds.save_as(folder / name, enforce_file_format=True)
            key += actions_of(ds, name, study.person)
    return key
