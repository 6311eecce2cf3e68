"""The de-identification of a DICOM header: one rule per element removes, empties, replaces, maps, moves or keeps it.

The rules are data (`tables/ps3_15.py`): PS3.15 Table E.1-1 and what lies beyond it. One walk applies them at any depth,
and an element without a rule is removed, so what the dictionary does not know cannot pass. `curate.deidentify` says
what is covered and what is not.

Dates. DA and DT are moved by the patient's whole-day shift, so intervals hold to the second; TM is left as it is, for a
shift of whole days does not change it. Attributes that the table removes outright (X) are removed, the birth date is
emptied. A DA that is no date, a DT without a day and a year before 1800 (00010101 is a dummy) is emptied; a UTC offset
is cut off, so wall-clock intervals hold. Ages are removed, or capped at 90 years where characteristics are retained.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydicom import config as pydicom_config
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as DicomSequence
from pydicom.tag import BaseTag
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID_dictionary  # type: ignore[attr-defined]

from curate.deidentify.tables.ps3_15 import EDITION, Rule, plan
from curate.guard import typed
from curate.keyring import Keyring
from manifests.errors import RecordError

MAX_DEPTH = 32  # of sequences in sequences; real objects stay below 10
MAX_AGE = 90  # HIPAA 164.514(b)(2)(i)(C): 90 stands for all ages over 89
MIN_YEAR = 1800  # nobody was imaged before; other tools write such dates as dummies
DUMMY_TEXT = "REMOVED"
_BLANKS = " \t\r\n\0"

_CODE = re.compile(r"[A-Za-z0-9 _.+/\\-]*\Z")
_NUMBERS = re.compile(r"[0-9+.eE \\-]*\Z")
_DATE = re.compile(r"(\d{4})([.]?)(\d\d)\2(\d\d)\Z")  # 1997.04.24 is ACR-NEMA's form
_DATETIME = re.compile(r"(\d{8})(\d{0,6}(?:\.\d{1,6})?)(?:[+-]\d{4})?\Z")
_TIME = re.compile(r"\d{2}(?::?\d{2}){0,2}(?:\.\d{1,6})?(?: *- *\d{2}(?::?\d{2}){0,2}(?:\.\d{1,6})?)?\Z")
_AGE = re.compile(r"(\d{1,3})([DWMY])\Z")

_TEXT_VRS = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)
_METHOD_CODES = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
)
_CHARACTERISTICS_CODE = ("113108", "Retain Patient Characteristics Option")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The cleaned dataset, and how often what was done: removed, emptied, dummy, uid, moved, private, unknown, ..."""

    dataset: Dataset
    actions: dict[str, int]


@dataclass(slots=True)
class _Walk:
    """What one cleaning needs at every depth."""

    keyring: Keyring
    patient: str
    patient_id: str
    shift: datetime.timedelta
    rules: Mapping[int, Rule]
    actions: dict[str, int] = field(default_factory=dict)

    def count(self, action: str) -> None:
        self.actions[action] = self.actions.get(action, 0) + 1


def clean_dataset(ds: Dataset, keyring: Keyring, patient_pseudonym: str, characteristics: bool = False) -> Cleaned:
    """A new dataset without what the Basic Profile removes; the input keeps all its values.

    `patient_pseudonym` becomes PatientID and decides the date shift, so give the same for all files of a patient.
    `characteristics` keeps age (capped), sex, size and weight: Retain Patient Characteristics Option. Elements that are
    kept are not decoded, and PixelData is shared, not copied. Standard: PS3.15 Annex E.

    Raises RecordError: `nesting_too_deep`, `unknown_transfer_syntax`, `bad_header` (a sequence that cannot be parsed).
    """
    shift = datetime.timedelta(days=keyring.shift_days(patient_pseudonym))
    with typed("bad_header", "repair the file with a DICOM toolkit or leave it out"):
        walk = _Walk(keyring, patient_pseudonym, _plain(ds, 0x00100020), shift, plan(characteristics))
        out = _clean_level(ds, walk, depth=0)
        _state_method(out, characteristics)
        out.file_meta = _clean_meta(ds, out, keyring)
        out.preamble = b"\0" * 128
    return Cleaned(out, dict(sorted(walk.actions.items())))


def _clean_level(ds: Dataset, walk: _Walk, depth: int) -> Dataset:
    if depth > MAX_DEPTH:
        raise RecordError("nesting_too_deep", f"sequences in sequences beyond {MAX_DEPTH}", "flatten or leave it out")
    out = Dataset()
    implicit, little = ds.original_encoding
    if implicit is not None and little is not None:
        out.set_original_encoding(implicit, little, ds.original_character_set)
    for tag in ds.keys():  # noqa: SIM118 - iterating the dataset itself would decode every element
        rule = walk.rules.get(tag)
        if rule is None:
            walk.count(_why_no_rule(tag))
        elif rule.action == "X":
            walk.count("removed")
        else:
            made = _clean_element(ds, tag, rule, walk, depth)
            if made is not None:
                out[tag] = made
    return out


def _why_no_rule(tag: int) -> str:
    group = tag >> 16
    if group & 1:
        return "private"
    if group >> 8 in (0x50, 0x60):
        return "curve_or_overlay"
    return "group_length" if not tag & 0xFFFF or group in (0, 2) else "unknown"


def _clean_element(
    ds: Dataset, tag: BaseTag, rule: Rule, walk: _Walk, depth: int
) -> DataElement | RawDataElement | None:
    """The element that takes this one's place, None to remove it."""
    action, vr = rule
    if action in ("Z", "D"):
        return _emptied_or_dummy(ds, tag, rule, walk)
    if action == "W":
        return _clean_sequence(ds, tag, walk, depth)
    if action in ("U", "ID", "DA", "DT", "TM", "AS"):
        return _mapped(ds, tag, rule, walk)
    element = _resolved(ds, tag)
    if element is None or not _vr_fits(element.VR, vr) or not _value_fits(element, action):
        walk.count("unfit_value")
        return None
    walk.count("kept")
    return element if isinstance(element, RawDataElement) else _copied(element)


def _emptied_or_dummy(ds: Dataset, tag: BaseTag, rule: Rule, walk: _Walk) -> DataElement:
    """Z: no value. D: a dummy of the VR, unless the value was empty already."""
    action, vr = rule
    empty = action == "Z" or not ds.get_item(tag).value
    walk.count("emptied" if empty else "dummy")
    if vr == "SQ":
        return _made(tag, vr, DicomSequence([] if empty else [Dataset()]))
    dummy = b"\0\0" if vr == "OB" else "000Y" if vr == "AS" else "urn:removed" if vr == "UR" else DUMMY_TEXT
    return _made(tag, vr, "" if empty else dummy)


def _clean_sequence(ds: Dataset, tag: BaseTag, walk: _Walk, depth: int) -> DataElement | None:
    found = ds.get_item(tag).VR
    element: Any = _resolved(ds, tag) if found == "UN" else ds[tag] if found in ("SQ", None) else None
    if element is None or element.VR != "SQ":
        walk.count("unfit_value")
        return None
    walk.count("kept")
    return _made(tag, "SQ", DicomSequence([_clean_level(item, walk, depth + 1) for item in element.value or ()]))


def _mapped(ds: Dataset, tag: BaseTag, rule: Rule, walk: _Walk) -> DataElement:
    """An element whose values are replaced one by one: UIDs, patient ids, dates, times, ages."""
    action, vr = rule
    values = _plain(ds, tag).split("\\")
    if action == "ID":
        whole = "\\".join(values)
        made = [walk.patient if whole == walk.patient_id else walk.keyring.pseudonym("patient", whole)]
        walk.count("pseudonym")
    elif action == "U":
        made = [walk.keyring.uid(v) for v in values]
        walk.count("uid")
    elif action == "AS":
        made = [capped_age(v) for v in values]
        walk.count("age")
    else:
        made = [_moved(action, v.strip(_BLANKS), walk.shift) for v in values]
        walk.count("moved")
    return _made(tag, vr, made if len(made) > 1 else made[0])


def _moved(vr: str, value: str, shift: datetime.timedelta) -> str:
    """One DA, DT or TM value after the shift; "" where it cannot be moved. A DA may be a range, as in queries."""
    if vr == "TM":
        return value if _TIME.match(value) else ""
    if vr == "DA":
        parts = [_moved_day(part.strip(), shift) for part in value.split("-")] if len(value) > 10 else []
        return "-".join(parts) if len(parts) == 2 and all(parts) else _moved_day(value, shift)
    match = _DATETIME.match(value)
    day = _moved_day(match[1], shift) if match else ""
    return day + match[2] if match and day else ""


def _moved_day(value: str, shift: datetime.timedelta) -> str:
    match = _DATE.match(value)
    if not match:
        return ""
    try:
        day = datetime.date(int(match[1]), int(match[3]), int(match[4]))
        moved = day + shift
    except (ValueError, OverflowError):
        return ""
    if day.year < MIN_YEAR:
        return ""
    return f"{moved.year:04d}{moved.month:02d}{moved.day:02d}"


def capped_age(value: str) -> str:
    """An AS value (PS3.5: 045Y, 018M, 006W, 010D) with every age over 89 years as 090Y; "" for anything else."""
    years = age_years(value)
    if years is None:
        return ""
    return f"{MAX_AGE:03d}Y" if years >= MAX_AGE else value.strip(_BLANKS)


def age_years(value: str | None) -> int | None:
    """Whole years of a DICOM age: "045Y" is 45, "018M" is 1, everything over 89 years is 90, junk is None."""
    match = _AGE.match((value or "").strip(_BLANKS))
    if not match:
        return None
    years = int(match[1]) // {"Y": 1, "M": 12}.get(match[2], 1)
    if match[2] in "DW":
        years = int(int(match[1]) * {"D": 1, "W": 7}[match[2]] / 365.25)
    return min(years, MAX_AGE)


def _plain(ds: Dataset, tag: int) -> str:
    """An element's value as text, without decoding more than ASCII of a raw one; "" where it is absent."""
    if tag not in ds:
        return ""
    value = ds.get_item(tag).value
    if isinstance(value, bytes):
        return value.decode("latin-1").strip(_BLANKS)
    if isinstance(value, (MultiValue, list, tuple)):
        return "\\".join(str(v) for v in value)
    return "" if value is None else str(value).strip(_BLANKS)


def values_of(ds: Dataset, keyword: str) -> tuple[str, ...]:
    """The decoded values of an element as stripped text, () where absent or empty. Raises RecordError `bad_header`."""
    with typed("bad_header", f"repair {keyword} or leave the file out"):
        value = ds.get(keyword)
        several = value if isinstance(value, (MultiValue, list, tuple)) else [value]
        texts = ("" if v is None else str(v).strip(_BLANKS) for v in several)
        return tuple(t for t in texts if t)


def items_of(ds: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """The items of a sequence, () where it is absent. Raises RecordError `bad_header`."""
    with typed("bad_header", f"repair {keyword} or leave the file out"):
        return tuple(ds.get(keyword) or ())


def _resolved(ds: Dataset, tag: BaseTag) -> DataElement | RawDataElement | None:
    """The element as it stands; an UN or deferred one is parsed first, None where that fails or leaves UN."""
    element = ds.get_item(tag)
    if element.VR != "UN" and (element.value is not None or not isinstance(element, RawDataElement)):
        return element
    try:
        with typed("bad_header", ""):
            element = ds[tag]
    except RecordError:
        return None
    return None if element.VR == "UN" else element


def _vr_fits(found: str | None, known: str) -> bool:
    """Is the VR in the file one that the dictionary allows? Two kinds of binary numbers may stand for each other."""
    if found is None or found in known.split(" or ") or found == known:
        return True
    return found not in _TEXT_VRS and found not in ("SQ", "OB", "UN") and not _TEXT_VRS & set(known.split(" or "))


def _value_fits(element: DataElement | RawDataElement, action: str) -> bool:
    """CS must look like codes, DS and IS like numbers: text in them is what somebody put where it does not belong."""
    if action == "K":
        return True
    pattern = _CODE if action == "CS" else _NUMBERS
    value = element.value
    if isinstance(value, bytes):
        return pattern.match(value.decode("latin-1").strip(_BLANKS)) is not None
    several = value if isinstance(value, (MultiValue, list, tuple)) else [value]
    return all(v is None or pattern.match(str(v).strip(_BLANKS)) for v in several)


def _made(tag: int, vr: str, value: Any) -> DataElement:
    return DataElement(tag, vr, value, validation_mode=pydicom_config.IGNORE)


def _copied(element: DataElement) -> DataElement:
    """The same value in an element of its own, so that a change of the output never reaches the input."""
    value = element.value
    if isinstance(value, (MultiValue, list)):
        value = list(value)
    return DataElement(
        element.tag,
        element.VR,
        value,
        is_undefined_length=element.is_undefined_length,
        validation_mode=pydicom_config.IGNORE,
    )


def _state_method(out: Dataset, characteristics: bool) -> None:
    """PS3.15 E.1.1 and PS3.3 C.7.1.1, C.12.1: that, how and by which coded options identity was removed."""
    items = []
    for value, meaning in (*_METHOD_CODES, *([_CHARACTERISTICS_CODE] if characteristics else [])):
        item = Dataset()
        item.CodeValue = value
        item.CodingSchemeDesignator = "DCM"
        item.CodeMeaning = meaning
        items.append(item)
    out.PatientIdentityRemoved = "YES"
    out.DeidentificationMethod = f"medcurate PS3.15 E.1-1 {EDITION} Basic"
    out.DeidentificationMethodCodeSequence = DicomSequence(items)
    out.LongitudinalTemporalInformationModified = "MODIFIED"


def _clean_meta(ds: Dataset, out: Dataset, keyring: Keyring) -> FileMetaDataset:
    """A new file meta group: the transfer syntax, the mapped UIDs, and who wrote it; nothing else of the old one."""
    old = getattr(ds, "file_meta", None) or Dataset()
    meta = FileMetaDataset()
    syntax = _plain(old, 0x00020010)
    if syntax and syntax not in UID_dictionary:
        raise RecordError(
            "unknown_transfer_syntax", "one outside the DICOM registry", "convert it to explicit little endian"
        )
    instance = _plain(ds, 0x00080018) or _plain(old, 0x00020003)
    values = {
        0x00020002: keyring.uid(_plain(ds, 0x00080016) or _plain(old, 0x00020002)),
        0x00020003: keyring.uid(instance),
        0x00020010: syntax,
        0x00020012: PYDICOM_IMPLEMENTATION_UID,
    }
    for tag, value in values.items():
        if value:
            meta[tag] = _made(tag, "UI", value)
    meta.ImplementationVersionName = "MEDCURATE"
    return meta
