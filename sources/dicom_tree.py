"""Any folder of DICOM files, in any layout, with or without a DICOMDIR.

Quirks of such trees: file names say nothing; one folder mixes series; one slice may be stored in several encodings;
one series may hold several volumes; one file may hold several too; reports, plans and DICOMDIRs lie between the images;
some files lost their preamble and File Meta Information.

Grouping (PS3.3 C.7.3.1 and C.7.6.2): instances of one study, series, frame of reference, image size and orientation
belong together; `sources.dicom_stacks` tells the volumes among them apart. Three or more positions are one volume.
Instances that share one position (encodings of one slice), pairs, localizers, and instances without a position are
images of their own. A multi-frame file is one volume, several, or a cine (`sources.dicom_frames`). Nothing is decided
silently here: a stack that has gaps or doubled positions is still handed on as one series, and `curate.dicom.series`
refuses it with the positions it found.

SEG and RTSTRUCT files go with the volumes of the series that they name, as their masks. Where a series has several
volumes, a file goes with each whose frame of reference and instances it names, else with the first of them. One whose
series makes no volume in this tree ends as a row of its own, dropped as `dangling_reference`.
"""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Iterator, MutableSequence, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Fact, FileRef
from sources.base import Entry, Item, Place, Pseudonym, SourceConfig, not_a_record, outcome, ref, usable
from sources.dicom_stacks import Stack, stacks

if TYPE_CHECKING:
    from pydicom import Dataset

MAGIC_OFFSET = 128
DICOM_ENDINGS = (".dcm", ".dicom", ".ima")
COMPRESSED_ENDINGS = (".gz", ".bz2", ".xz", ".zst", ".zip")
STACKABLE = {"CT", "MR", "PT", "NM"}  # single frames of these modalities may form a volume
CLASS_MODALITIES = {  # where Modality is missing
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.128": "PT",
}
MARKS = {
    "1.2.840.10008.5.1.4.1.1.66.4": "SEG",
    "1.2.840.10008.5.1.4.1.1.66.7": "SEG",  # label map
    "1.2.840.10008.5.1.4.1.1.481.3": "RTSTRUCT",
}
PEEK_KEYWORDS = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "PatientID",
    "Modality", "Rows", "Columns", "NumberOfFrames", "ImageOrientationPatient", "ImagePositionPatient", "BitsAllocated",
)  # fmt: skip
VOLUME_KEYWORDS = (
    "InstanceNumber", "TemporalPositionIdentifier", "TemporalPositionIndex", "EchoTime", "TriggerTime",
    "AcquisitionNumber", "AcquisitionTime", "ContentTime", "ImageType",
)  # fmt: skip
REFERENCE_KEYWORDS = (
    "ReferencedSeriesSequence", "StudiesContainingOtherReferencedInstancesSequence",
    "ReferencedFrameOfReferenceSequence", "StructureSetROISequence", "ROIContourSequence",
)  # fmt: skip
B_VALUES = (  # (tag, tag of the private creator, creator): the standard's own first
    (0x00189087, 0, ""),
    (0x0019100C, 0x00190010, "SIEMENS MR HEADER"),
    (0x00431039, 0x00430010, "GEMS_PARM_01"),
    (0x20011003, 0x20010010, "Philips Imaging DD 001"),
)
GE_FLAGS = 100_000  # GE adds multiples of this to a b-value to say how it was set
FRAMES_ORIGIN = "dicom:5200,9230"  # per-frame functional groups
SHORT = 12  # hexadecimal digits of an instance's pseudonym: collisions would need millions of slices


class DicomTree(SourceConfig):
    """`root` is walked; `group` is the attribute that names the patient."""

    source: Literal["dicom_tree"]
    group: str = "PatientID"

    card: ClassVar[Card] = Card(
        name="dicom_tree",
        what="any folder of DICOM files: images, cines, CT/MR/PT series",
        layout="any; files are told by content, not by name",
        phi_risk="high: headers, burned-in text, faces",
        modalities=("CT", "MR", "US", "CR", "DX", "MG", "NM", "PT", "XA"),
    )

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        """What grouping needs from one header. A file that neither is DICOM nor claims to be by its name gives {}; one
        that is or claims to be, and cannot be read, raises `RecordError`."""
        with path.open("rb") as stream:
            head = stream.read(MAGIC_OFFSET + 4)
        if head[MAGIC_OFFSET:] != b"DICM":
            if _looks_like_dicom_without_meta(head):
                raise RecordError(
                    "no_file_meta",
                    "a DICOM data set without preamble and File Meta Information",
                    "restore the Part 10 header, e.g. with dcmtk's dcmconv, then run again",
                )
            _refuse_claimed(path.name.lower())
            return {}
        return _peek_header(path, self.group, pseudonym)

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        entries, refused = usable(inventory, self.exclude)
        yield from refused
        slices: list[Entry] = []
        marks: list[Entry] = []
        volumes: list[Carrier] = []
        for entry in entries:
            if not entry.peek:
                yield not_a_record(entry, "a file that is no DICOM")
            elif "marks" in entry.peek:
                marks.append(entry)
            elif "rows" not in entry.peek:
                yield _no_pixels(entry)
            elif "volumes" in entry.peek:
                volumes += self._parts(entry)
            elif _may_stack(entry.peek):
                slices.append(entry)
            else:
                yield self._single(entry)
        stacked, singles = stacks(slices)
        yield from (self._single(e) for e in singles)
        volumes += [self._stack(stack) for stack in stacked]
        yield from attached(volumes, marks)

    def _stack(self, stack: Stack) -> Carrier:
        item = Item(
            upstream_id=f"series:{stack.name}",
            form="dicom_series",
            files=tuple(ref(e) for e in stack.entries),
            group=stack.entries[0].peek["group"],
            facts=(*stack.facts, *self.declared_facts()),
        )
        return Carrier(item, stack.entries)

    def _parts(self, entry: Entry) -> Iterator[Carrier]:
        """One item per volume of a multi-frame file; where there are several, each is a fragment of the file."""
        count = int(entry.peek["volumes"])
        for part, told in enumerate(json.loads(entry.peek["volume_facts"])):
            fragment = f"volume={part}" if count > 1 else ""
            facts = tuple(Fact(name, value, FRAMES_ORIGIN, unit) for name, value, unit in told)
            item = Item(
                upstream_id=f"{entry.path}#{fragment}" if fragment else entry.path,
                form="dicom_volume",
                files=(dataclasses.replace(ref(entry), fragment=fragment),),
                group=entry.peek["group"],
                facts=(*facts, *self.declared_facts()),
                part=part,
            )
            yield Carrier(item, (entry,))

    def _single(self, entry: Entry) -> Item:
        multiframe = int(entry.peek["frames"]) > 1
        return Item(
            upstream_id=entry.path,
            form="dicom_cine" if multiframe else "dicom_image",
            files=(ref(entry),),
            group=entry.peek["group"],
            facts=self.declared_facts(),
        )


def _may_stack(peek: dict[str, str]) -> bool:
    single = peek["modality"] in STACKABLE and peek["frames"] == "1" and "position" in peek
    return single and "LOCALIZER" not in peek["ImageType"].upper().split("\\")


# ---------------------------------------------------------------------------------------------------------------- masks
@dataclass(frozen=True, slots=True)
class Carrier:
    """A volume's item and the files it is made of."""

    item: Item
    entries: tuple[Entry, ...]

    def has(self, peek: str, wanted: set[str]) -> bool:
        return any(e.peek[peek] in wanted for e in self.entries)


def attached(volumes: Sequence[Carrier], marks: Sequence[Entry]) -> Iterator[Item]:
    """The volumes with the SEG and RTSTRUCT files that mark structures in them, then the files that mark none."""
    given: list[list[FileRef]] = [[] for _ in volumes]
    lost: list[Entry] = []
    for mark in marks:
        chosen = _chosen(volumes, mark.peek)
        for part, index in enumerate(chosen):
            fragment = f"volume={part}" if len(chosen) > 1 else ""  # a file is in one item, or in parts
            given[index].append(dataclasses.replace(ref(mark, "mask"), fragment=fragment))
        lost += [] if chosen else [mark]
    for carrier, files in zip(volumes, given, strict=True):
        contours = tuple(f.path for f in files)
        yield dataclasses.replace(carrier.item, files=(*carrier.item.files, *files), contours=contours)
    for mark in lost:
        found = f"{mark.peek['marks']} of a series that makes no volume here"
        remedy = "put it beside the series that it was drawn on"
        yield outcome(mark, "dropped", "dangling_reference", found, remedy, "mask")


def _chosen(volumes: Sequence[Carrier], mark: dict[str, str]) -> list[int]:
    """Which volumes a file marks. A file that names no series is known by its frame of reference or its instances."""
    series, frames, instances = (
        set(mark[k].split()) for k in ("references", "reference_frames", "reference_instances")
    )
    numbered = list(enumerate(volumes))
    if series:
        candidates = [n for n, c in numbered if c.has("series", series)]
    else:
        candidates = [n for n, c in numbered if c.has("frame", frames) or c.has("instance", instances)]
    framed = [n for n in candidates if volumes[n].has("frame", frames)]
    named = [n for n in candidates if volumes[n].has("instance", instances)]
    return [n for n in framed if n in named] or (named or framed or candidates)[:1]


def _no_pixels(entry: Entry) -> Item:
    kind = entry.peek.get("class") or "no SOP class"
    return outcome(entry, "dropped", "no_pixels", kind, "none needed: no image in this object", "data")


def _refuse_claimed(name: str) -> None:
    """A file that its name calls DICOM must not vanish among the files that are none."""
    if name.endswith(tuple(f"{e}{c}" for e in DICOM_ENDINGS for c in COMPRESSED_ENDINGS)):
        raise RecordError("compressed_file", "a compressed DICOM file", "decompress it, then run again")
    if name.endswith(DICOM_ENDINGS):
        raise RecordError(
            "not_dicom",
            "a file named as DICOM that starts with neither a preamble nor a data set",
            "fetch the file again, or exclude it",
        )


def _looks_like_dicom_without_meta(head: bytes) -> bool:
    """The first element of a headless data set is of group 0002 or 0008, in little or big endian."""
    return head[:2] in (b"\x08\x00", b"\x00\x08", b"\x02\x00", b"\x00\x02") and len(head) > 8 and head[3] < 0x10


def _peek_header(path: Path, group: str, pseudonym: Pseudonym) -> dict[str, str]:
    import pydicom

    tags = [tag for line in B_VALUES for tag in line[:2] if tag]
    wanted: list[Any] = [*PEEK_KEYWORDS, *VOLUME_KEYWORDS, *REFERENCE_KEYWORDS, *tags, group, "SpecificCharacterSet"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom quotes header values in them
            ds = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=wanted)
            peek = _peek_dataset(ds, group, pseudonym)
            if str(ds.get("SOPClassUID")) in MARKS:
                return peek | _peek_references(ds, pseudonym)
            if peek["frames"] != "1" or "MOSAIC" in peek["ImageType"].upper():
                return peek | _peek_volumes(pydicom.dcmread(path, stop_before_pixels=True))
            return peek
    except RecordError:
        raise
    except Exception as error:
        raise RecordError(
            "bad_header",
            f"a header on which the parser stopped with {type(error).__name__}",
            "check the file with dcmtk's dcmdump, or exclude it",
        ) from None


def _peek_dataset(ds: Dataset, group: str, pseudonym: Pseudonym) -> dict[str, str]:
    patient, study = _text(ds, group).strip(), _text(ds, "StudyInstanceUID")
    peek = {
        "class": _class_name(ds),
        "modality": _text(ds, "Modality") or CLASS_MODALITIES.get(_text(ds, "SOPClassUID"), ""),
        "frames": str(_int(ds, "NumberOfFrames", 1)),
        "group": pseudonym("patient", patient) if patient else pseudonym("study", study) if study else "",
        "series": _known(pseudonym, "series", _text(ds, "SeriesInstanceUID")),
        "frame": _known(pseudonym, "frame", _text(ds, "FrameOfReferenceUID")),
        "instance": _known(pseudonym, "instance", _text(ds, "SOPInstanceUID"))[:SHORT],
        **{keyword: _text(ds, keyword) for keyword in VOLUME_KEYWORDS},
        **_b_value(ds),
    }
    if "Rows" in ds and "BitsAllocated" in ds:
        peek["rows"] = f"{_int(ds, 'Rows', 0)}x{_int(ds, 'Columns', 0)}"
    orientation = _numbers(ds, "ImageOrientationPatient", 6)
    position = _numbers(ds, "ImagePositionPatient", 3)
    if orientation and position:
        peek["position"] = ",".join(f"{v:.4f}" for v in position)
        peek["orientation"] = ",".join(f"{v:.6f}" for v in orientation)
        same = (
            patient, study, _text(ds, "SeriesInstanceUID"), _text(ds, "FrameOfReferenceUID"), peek.get("rows", ""),
            ",".join(f"{v:.2f}" for v in orientation),
        )  # fmt: skip
        peek["pile"] = pseudonym("pile", "\x1f".join(same))
        finer = (*same, str(ds.get("ImageType") or ""), peek["EchoTime"])
        peek["stack"] = pseudonym("stack", "\x1f".join(finer))
    return peek


def _peek_references(ds: Dataset, pseudonym: Pseudonym) -> dict[str, str]:
    """What a SEG (PS3.3 C.12.1.1) or RTSTRUCT (C.8.8.5, C.8.8.6) was drawn on, as pseudonyms."""
    series = [*_items(ds, "ReferencedSeriesSequence")]
    for study in _items(ds, "StudiesContainingOtherReferencedInstancesSequence"):
        series += _items(study, "ReferencedSeriesSequence")
    frames = _items(ds, "ReferencedFrameOfReferenceSequence")
    for study in (study for frame in frames for study in _items(frame, "RTReferencedStudySequence")):
        series += _items(study, "RTReferencedSeriesSequence")
    contours = [c for roi in _items(ds, "ROIContourSequence") for c in _items(roi, "ContourSequence")]
    used = [i for s in series for i in _items(s, "ReferencedInstanceSequence")]
    used += [i for s in (*series, *contours) for i in _items(s, "ContourImageSequence")]
    named = [_text(f, "FrameOfReferenceUID") for f in (ds, *frames)]
    named += [_text(roi, "ReferencedFrameOfReferenceUID") for roi in _items(ds, "StructureSetROISequence")]
    instances = {_text(i, "ReferencedSOPInstanceUID") for i in used}
    return {
        "marks": MARKS[str(ds.SOPClassUID)],
        "references": _several(pseudonym, "series", {_text(s, "SeriesInstanceUID") for s in series}),
        "reference_frames": _several(pseudonym, "frame", set(named)),
        "reference_instances": " ".join(p[:SHORT] for p in _several(pseudonym, "instance", instances).split()),
    }


def _peek_volumes(header: Dataset) -> dict[str, str]:
    """How many volumes a multi-frame file holds, and what is said of each; nothing for a cine."""
    from sources.dicom_frames import holds_volumes, volumes_of

    if not holds_volumes(header):
        return {}
    groups = volumes_of(header)
    return {"volumes": str(len(groups)), "volume_facts": json.dumps([[list(f) for f in g.facts] for g in groups])}


def _b_value(ds: Dataset) -> dict[str, str]:
    """The diffusion weighting in s/mm^2, of the standard's element or of a vendor's own."""
    for tag, creator_tag, creator in B_VALUES:
        if tag not in ds or (creator and str(ds[creator_tag].value if creator_tag in ds else "").strip() != creator):
            continue
        value = ds[tag].value
        first = value[0] if isinstance(value, MutableSequence) and value else value
        try:
            number = float(first.decode("ascii") if isinstance(first, bytes) else first)
        except (TypeError, ValueError):
            continue
        number = number % GE_FLAGS if creator.startswith("GEMS") else number
        return {"b_value": f"{number:g}", "b_value_tag": f"{tag >> 16:04x},{tag & 0xFFFF:04x}"}
    return {}


def _items(ds: Dataset, keyword: str) -> list[Dataset]:
    return list(ds.get(keyword) or ())


def _text(ds: Dataset, keyword: str) -> str:
    """A value as text, several with backslashes between them; "" where absent."""
    value = ds.get(keyword)
    if value is None:
        return ""
    return "\\".join(str(v) for v in value) if isinstance(value, MutableSequence) else str(value)


def _known(pseudonym: Pseudonym, kind: str, uid: str) -> str:
    return pseudonym(kind, uid) if uid else ""


def _several(pseudonym: Pseudonym, kind: str, uids: set[str]) -> str:
    return " ".join(sorted(pseudonym(kind, uid) for uid in uids if uid))


def _class_name(ds: Dataset) -> str:
    uid = ds.get("SOPClassUID")
    return str(getattr(uid, "name", uid)) if uid else ""


def _int(ds: Dataset, keyword: str, default: int) -> int:
    value: Any = ds.get(keyword)
    try:
        return default if value in (None, "") else int(value)
    except (TypeError, ValueError):
        raise RecordError(
            "bad_header", f"{keyword} that is no integer", "correct the element or exclude the file"
        ) from None


def _numbers(ds: Dataset, keyword: str, count: int) -> list[float]:
    value = ds.get(keyword)
    numbers = [] if value is None else [float(v) for v in value]
    return numbers if len(numbers) == count else []
