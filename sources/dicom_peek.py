"""What grouping needs of one DICOM file's header, as text: identifiers only as pseudonyms.

Plain files, one frame in a common encoding, are read by `sources.dicom_walk`; all others, and whatever a peek looks
deeper into (multi-frame files, mosaics, SEG, RTSTRUCT), by pydicom. Both ways give the same peek: an element's value is
what pydicom makes of its bytes.
"""

from __future__ import annotations

import functools
import json
import re
import warnings
from collections.abc import Iterator, Mapping, MutableSequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from manifests.errors import RecordError
from sources.base import Pseudonym

if TYPE_CHECKING:
    from pydicom import Dataset

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
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Modality",
    "SamplesPerPixel", "Rows", "Columns", "NumberOfFrames", "ImageOrientationPatient", "ImagePositionPatient",
    "BitsAllocated",
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
DEFLATED = "1.2.840.10008.1.2.1.99"
MAX_DEFLATED = 1 << 29  # bytes of a data set as inflated
MOST_SWOLLEN, MAX_SWELLING = 1 << 26, 500  # beyond so many bytes, no image or mask is deflated so well
MAX_ITEMS, LEAST_ITEM, ITEM_BYTES = 1 << 16, 64, 8  # bytes of an item: on average, and at least
ITEM, ITEM_BIG_ENDIAN = b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00"
IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
NATIVE = (IMPLICIT, EXPLICIT, BIG_ENDIAN)
UNDEFINED = 0xFFFFFFFF
PREAMBLE_AND_LENGTH = 132 + 12  # bytes up to the end of (0002,0000)
SHORT = 12  # hexadecimal digits of an instance's pseudonym: collisions would need millions of slices
PLAIN = re.compile(r"[A-Z0-9_ .:+-]{0,26}|(?i:mosaic)")
BINARY = (b"US", b"UL", b"SS", b"SL", b"FL", b"FD", b"OB", b"OW", b"UN")  # value representations that are no text

Values = Mapping[int, Any]  # what pydicom makes of each element, by tag
Elements = tuple[tuple[int, tuple[bytes | None, bytes]], ...]


def peek_header(path: Path, group: str, pseudonym: Pseudonym) -> dict[str, str]:
    """The peek of one DICOM file; `group` is the keyword of the element that names the patient.

    Raises RecordError `bad_header` for a header on which pydicom stops."""
    with _typed():
        plain = _plain_values(path, group)
        if plain is not None:
            peek = _peek_values(plain, group, pseudonym)
            if str(plain.get(_tag("SOPClassUID"))) not in MARKS and not _is_several(peek):
                return peek
    return peek_with_pydicom(path, group, pseudonym)


def peek_with_pydicom(path: Path, group: str, pseudonym: Pseudonym) -> dict[str, str]:
    """The slow way to a peek, for any file that pydicom reads. Raises RecordError `bad_header`."""
    import pydicom

    wanted: list[Any] = [*_tags(group), *REFERENCE_KEYWORDS, "SpecificCharacterSet"]
    with _typed():
        refuse_bomb(path)
        ds = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=wanted)
        peek = _peek_values({tag: ds[tag].value for tag in _tags(group) if tag in ds}, group, pseudonym)
        if str(ds.get("SOPClassUID")) in MARKS:
            return peek | _peek_references(ds, pseudonym)
        if _is_several(peek):
            return peek | _peek_volumes(pydicom.dcmread(path, stop_before_pixels=True))
        return peek


def refuse_bomb(path: Path, most: int = MAX_DEFLATED) -> None:
    """Refuse what pydicom would take memory or time for without looking: a deflated data set that swells (PS3.5 A.5),
    an element that ends beyond the file, a crowd of empty sequence items. Nothing is allocated by what a length says.

    Raises RecordError `too_large`, `corrupt_compression`, `truncated_dicom`, `bad_header`."""
    import pydicom

    meta = pydicom.filereader.read_file_meta_info(path)
    syntax = meta.get("TransferSyntaxUID")
    if syntax == DEFLATED:
        _refuse_swelling(path, meta, most)
        return
    _refuse_crowd(path)
    if syntax in NATIVE and not _is_plain(path):
        _refuse_beyond(path, syntax)


def _refuse_swelling(path: Path, meta: Dataset, most: int) -> None:
    """Inflate piece by piece, keeping nothing."""
    from isal import igzip_lib

    if "FileMetaInformationGroupLength" not in meta:
        raise RecordError("bad_header", "deflated data without a meta group length", "rewrite the file meta group")
    inflating: Any = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE)
    found = taken = 0
    with path.open("rb") as stream:
        stream.seek(PREAMBLE_AND_LENGTH + meta.FileMetaInformationGroupLength)
        while not inflating.eof:
            data = stream.read(1 << 16) if inflating.needs_input else b""
            if inflating.needs_input and not data:
                raise RecordError("corrupt_compression", "a truncated stream", "fetch the file again")
            taken += len(data)
            try:
                found += len(inflating.decompress(data, 1 << 20))
            except Exception:  # ISA-L's own
                raise RecordError("corrupt_compression", "deflated data that are broken", "fetch it again") from None
            if found > most:
                raise RecordError("too_large", f"more than {most} bytes inflated", "deflate no more than that")
            if found > max(MOST_SWOLLEN, MAX_SWELLING * taken):
                swollen = f"deflated data that swell more than {MAX_SWELLING}-fold"
                raise RecordError("too_large", swollen, "store the data set without deflating it")


def _refuse_crowd(path: Path) -> None:
    """pydicom makes a data set of every item of a sequence, however empty: files whose items are many and small."""
    size = path.stat().st_size
    if size < ITEM_BYTES * MAX_ITEMS:
        return
    count, last = 0, b""
    with path.open("rb") as stream:
        while data := stream.read(1 << 20):
            whole = last + data
            count += whole.count(ITEM) + whole.count(ITEM_BIG_ENDIAN)
            last = data[-3:]
    if count > MAX_ITEMS and size < LEAST_ITEM * count:
        raise RecordError("bad_header", f"{count} sequence items in {size} bytes", "leave the file out")


def _is_plain(path: Path) -> bool:
    """Whether the walker vouches for every length of a file."""
    from sources.dicom_walk import Odd, Wanted, walked

    try:
        walked(path, Wanted(frozenset()))
    except (Odd, OSError):
        return False
    return True


def _refuse_beyond(path: Path, syntax: str) -> None:
    """Find an element before the pixels, or pixels, of which the file holds a part only; those that run over its end
    by less than a value's own length are the readers' to judge."""
    import pydicom

    size = path.stat().st_size
    with path.open("rb") as stream:
        pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=["Rows"])  # others are sought over, not read
        if stream.tell() > size:
            raise RecordError("truncated_dicom", "an element that ends beyond the file", "fetch the file again")
        head = stream.read(12)
        order: Literal["little", "big"] = "big" if syntax == BIG_ENDIAN else "little"
        length = int.from_bytes(head[4:8] if syntax == IMPLICIT else head[8:12], order)
        if length != UNDEFINED and length > 2 * size:
            raise RecordError("truncated_pixels", f"{size} bytes in the file, {length} in PixelData", "fetch it again")


@contextmanager
def _typed() -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom quotes header values in them
            yield
    except RecordError:
        raise
    except Exception as error:
        raise RecordError(
            "bad_header",
            f"a header on which the parser stopped with {type(error).__name__}",
            "check the file with dcmtk's dcmdump, or exclude it",
        ) from None


def _is_several(peek: dict[str, str]) -> bool:
    return peek["frames"] != "1" or "MOSAIC" in peek["ImageType"].upper()


# ------------------------------------------------------------------------------------------------------------- values
@functools.cache
def _tag(keyword: str) -> int:
    """Its number, 0 where the standard knows none."""
    from pydicom.datadict import tag_for_keyword

    return tag_for_keyword(keyword) or 0


@functools.cache
def _tags(group: str) -> tuple[int, ...]:
    """The elements that a peek is made of."""
    named = (_tag(keyword) for keyword in (*PEEK_KEYWORDS, *VOLUME_KEYWORDS, group))
    return tuple(sorted(tag for tag in {*named, *(tag for line in B_VALUES for tag in line[:2])} if tag))


def _plain_values(path: Path, group: str) -> Values | None:
    """The values of a file that the walker vouches for; None for others, and for text that is not ASCII, which needs
    the file's character set."""
    from sources.dicom_walk import Odd, Wanted, walked

    try:
        elements, _ = walked(path, Wanted(frozenset(_tags(group))))
    except (Odd, OSError):
        return None
    values: dict[int, Any] = {}
    private: list[tuple[int, tuple[bytes | None, bytes]]] = []
    for tag, (vr, value) in elements.items():
        if tag >> 16 & 1:
            private.append((tag, (vr, value)))
        elif not value.isascii() and vr not in BINARY and (vr or len(value) > 8):
            return None
        else:
            values[tag] = _value(tag, vr, value)
    return values | _values(tuple(private)) if private else values


@functools.lru_cache(maxsize=1024)
def _value(tag: int, vr: bytes | None, value: bytes) -> Any:
    """What pydicom makes of an element; kept, because the slices of a series share most of theirs."""
    return _values(((tag, (vr, value)),))[tag]


@functools.lru_cache(maxsize=64)
def _values(elements: Elements) -> dict[int, Any]:
    """What pydicom makes of elements that stand together, as private ones and their creators do."""
    from pydicom import uid

    from sources.dicom_walk import data_set

    ds = data_set(dict(elements), uid.ExplicitVRLittleEndian)
    return {tag: ds[tag].value for tag, _ in elements}


def _peek_values(values: Values, group: str, pseudonym: Pseudonym) -> dict[str, str]:
    patient, study = _text(values, group).strip(), _text(values, "StudyInstanceUID")
    series, frame = _text(values, "SeriesInstanceUID"), _text(values, "FrameOfReferenceUID")
    peek = {
        "class": _class_name(values),
        "modality": _plain(_text(values, "Modality"), pseudonym)
        or CLASS_MODALITIES.get(_text(values, "SOPClassUID"), ""),
        "frames": str(_int(values, "NumberOfFrames", 1)),
        "samples": str(_int(values, "SamplesPerPixel", 1)),
        "group": pseudonym("patient", patient) if patient else pseudonym("study", study) if study else "",
        "series": _known(pseudonym, "series", series),
        "frame": _known(pseudonym, "frame", frame),
        "instance": _known(pseudonym, "instance", _text(values, "SOPInstanceUID"))[:SHORT],
        **{keyword: _plain(_text(values, keyword), pseudonym) for keyword in VOLUME_KEYWORDS},
        **_b_value(values),
    }
    if _tag("Rows") in values and _tag("BitsAllocated") in values:
        peek["rows"] = f"{_int(values, 'Rows', 0)}x{_int(values, 'Columns', 0)}"
    orientation = _numbers(values, "ImageOrientationPatient", 6)
    position = _numbers(values, "ImagePositionPatient", 3)
    if orientation and position:
        peek["position"] = ",".join(f"{v:.4f}" for v in position)
        peek["orientation"] = ",".join(f"{v:.6f}" for v in orientation)
        alike = series, frame, peek.get("rows", ""), ",".join(f"{v:.2f}" for v in orientation)
        same = (patient, study, *alike)
        peek["series_pile"] = pseudonym("series_pile", "\x1f".join((patient, *alike) if series else same))
        peek["pile"] = pseudonym("pile", "\x1f".join(same))
        finer = (*same, str(values.get(_tag("ImageType")) or ""), peek["EchoTime"])
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
    named = [_element_text(f, "FrameOfReferenceUID") for f in (ds, *frames)]
    named += [_element_text(roi, "ReferencedFrameOfReferenceUID") for roi in _items(ds, "StructureSetROISequence")]
    instances = {_element_text(i, "ReferencedSOPInstanceUID") for i in used}
    return {
        "marks": MARKS[str(ds.SOPClassUID)],
        "references": _several(pseudonym, "series", {_element_text(s, "SeriesInstanceUID") for s in series}),
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


def _b_value(values: Values) -> dict[str, str]:
    """The diffusion weighting in s/mm^2, of the standard's element or of a vendor's own."""
    for tag, creator_tag, creator in B_VALUES:
        if tag not in values or (creator and str(values.get(creator_tag, "")).strip() != creator):
            continue
        value = values[tag]
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


def _element_text(ds: Dataset, keyword: str) -> str:
    return _shown(ds.get(keyword))


def _text(values: Values, keyword: str) -> str:
    """A value as text, several with backslashes between them; "" where absent."""
    return _shown(values.get(_tag(keyword)))


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return "\\".join(str(v) for v in value) if isinstance(value, MutableSequence) else str(value)


def _plain(text: str, pseudonym: Pseudonym) -> str:
    """Codes and numbers as they are; of values that are neither, which may say anything, the pseudonym."""
    values = text.split("\\")
    return "\\".join(v if PLAIN.fullmatch(v) else pseudonym("text", v)[:SHORT] for v in values)


def _known(pseudonym: Pseudonym, kind: str, uid: str) -> str:
    return pseudonym(kind, uid) if uid else ""


def _several(pseudonym: Pseudonym, kind: str, uids: set[str]) -> str:
    return " ".join(sorted(pseudonym(kind, uid) for uid in uids if uid))


def _class_name(values: Values) -> str:
    uid = values.get(_tag("SOPClassUID"))
    name = str(getattr(uid, "name", uid)) if uid else ""
    return name if name != str(uid) else "a SOP class that the standard does not know"


def _int(values: Values, keyword: str, default: int) -> int:
    value: Any = values.get(_tag(keyword))
    try:
        return default if value in (None, "") else int(value)
    except (TypeError, ValueError):
        raise RecordError(
            "bad_header", f"{keyword} that is no integer", "correct the element or exclude the file"
        ) from None


def _numbers(values: Values, keyword: str, count: int) -> list[float]:
    value = values.get(_tag(keyword))
    numbers = [] if value is None else [float(v) for v in value]
    return numbers if len(numbers) == count else []
