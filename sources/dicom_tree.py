"""Any folder of DICOM files, in any layout, with or without a DICOMDIR.

Quirks of such trees: file names say nothing; one folder mixes series; one slice may be stored in several encodings;
reports, plans and DICOMDIRs lie between the images; some files lost their preamble and File Meta Information.

Grouping (PS3.3 C.7.3.1 and C.7.6.2): instances of one study, series, frame of reference, image size, orientation and
image type belong together. Three or more of them at three or more positions are one volume. Instances that share one
position (encodings of one slice), pairs, and instances without a position are images of their own. Nothing is decided
silently here: a stack that has gaps or doubled positions is still handed on as one series, and `curate.dicom` refuses
it with the positions it found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from sources.base import Entry, Item, Place, Pseudonym, SourceConfig, not_a_record, outcome, ref, usable

if TYPE_CHECKING:
    from pydicom import Dataset

MAGIC_OFFSET = 128
MIN_SLICES = 3
DICOM_ENDINGS = (".dcm", ".dicom", ".ima")
COMPRESSED_ENDINGS = (".gz", ".bz2", ".xz", ".zst", ".zip")
STACKABLE = {"CT", "MR", "PT", "NM"}  # single frames of these modalities may form a volume
PEEK_KEYWORDS = (
    "SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "PatientID", "Modality", "Rows",
    "Columns", "NumberOfFrames", "ImageOrientationPatient", "ImagePositionPatient", "ImageType", "EchoTime",
    "BitsAllocated",
)  # fmt: skip


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
        stacks: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            if not entry.peek:
                yield not_a_record(entry, "a file that is no DICOM")
            elif "rows" not in entry.peek:
                yield _no_pixels(entry)
            elif entry.peek.get("position") and entry.peek["modality"] in STACKABLE and entry.peek["frames"] == "1":
                stacks[entry.peek["stack"]].append(entry)
            else:
                yield self._single(entry)
        for stack in sorted(stacks):
            yield from self._stack(stack, stacks[stack])

    def _stack(self, stack: str, entries: list[Entry]) -> Iterator[Item]:
        positions = {e.peek["position"] for e in entries}
        if len(positions) < MIN_SLICES:
            yield from (self._single(e) for e in entries)
            return
        yield Item(
            upstream_id=f"series:{stack}",
            form="dicom_series",
            files=tuple(ref(e) for e in entries),
            group=entries[0].peek["group"],
            facts=self.declared_facts(),
        )

    def _single(self, entry: Entry) -> Item:
        multiframe = int(entry.peek["frames"]) > 1
        return Item(
            upstream_id=entry.path,
            form="dicom_cine" if multiframe else "dicom_image",
            files=(ref(entry),),
            group=entry.peek["group"],
            facts=self.declared_facts(),
        )


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

    wanted = list(PEEK_KEYWORDS) + ([group] if group not in PEEK_KEYWORDS else [])
    try:
        ds = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=[*wanted, "SpecificCharacterSet"])
        return _peek_dataset(ds, group, pseudonym)
    except RecordError:
        raise
    except Exception as error:
        raise RecordError(
            "bad_header",
            f"a header on which the parser stopped with {type(error).__name__}",
            "check the file with dcmtk's dcmdump, or exclude it",
        ) from None


def _peek_dataset(ds: Dataset, group: str, pseudonym: Pseudonym) -> dict[str, str]:
    def text(keyword: str) -> str:
        value = ds.get(keyword)
        return "" if value is None else str(value)

    patient = text(group).strip()
    study = text("StudyInstanceUID")
    peek = {
        "class": _class_name(ds),
        "modality": text("Modality"),
        "frames": str(_int(ds, "NumberOfFrames", 1)),
        "group": pseudonym("patient", patient) if patient else pseudonym("study", study) if study else "",
    }
    if "Rows" in ds and "BitsAllocated" in ds:
        peek["rows"] = f"{_int(ds, 'Rows', 0)}x{_int(ds, 'Columns', 0)}"
    orientation = _numbers(ds, "ImageOrientationPatient", 6)
    position = _numbers(ds, "ImagePositionPatient", 3)
    if orientation and position:
        peek["position"] = ",".join(f"{v:.3f}" for v in position)
        same = (
            patient, study, text("SeriesInstanceUID"), text("FrameOfReferenceUID"), peek.get("rows", ""),
            ",".join(f"{v:.2f}" for v in orientation), text("ImageType"), text("EchoTime"),
        )  # fmt: skip
        peek["stack"] = pseudonym("stack", "\x1f".join(same))
    return peek


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
