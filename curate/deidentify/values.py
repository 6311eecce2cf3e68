"""Single values of a header: how they are read, dates that move, ages that are capped, what codes look like.

Covered: DA, DT and TM of PS3.5 6.2 with their ranges and ACR-NEMA's dotted dates, AS. A value of another form is
emptied, never passed on. Ages are not recomputed: they stay as written (capped), which suits the moved dates, because
birth and study would move by the same number of days.
"""

from __future__ import annotations

import datetime
import re
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from curate.guard import typed

MAX_AGE = 90  # HIPAA 164.514(b)(2)(i)(C): 90 stands for all ages over 89
MIN_YEAR = 1800  # nobody was imaged before; other tools write such dates as dummies
BLANKS = " \t\r\n\0"

_CODE = re.compile(r"[A-Za-z0-9 _.+/\\-]*\Z")
_NUMBERS = re.compile(r"[0-9+.eE \\-]*\Z")
_DATE = re.compile(r"(\d{4})([.]?)(\d\d)\2(\d\d)\Z", re.ASCII)  # 1997.04.24 is ACR-NEMA's form
_DATETIME = re.compile(r"(\d{8})(\d{0,6}(?:\.\d{1,6})?)([+-]\d{4})?\Z", re.ASCII)
_TIME = re.compile(r"\d{2}(?::?\d{2}){0,2}(?:\.\d{1,6})?(?: *- *\d{2}(?::?\d{2}){0,2}(?:\.\d{1,6})?)?\Z", re.ASCII)
_AGE = re.compile(r"(\d{1,3})([DWMY])\Z", re.ASCII)
_TEXT_VRS = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)
_SIZES = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8}  # bytes per number
_MOST_NUMBERS = 64  # of one private element


def moved(vr: str, value: str, shift: datetime.timedelta) -> str:
    """One DA, DT or TM value after the shift; "" where it cannot be moved. DA and DT may be ranges, as in queries.

    With a shift of nothing (full dates) the value stays as it is. Otherwise a UTC offset is cut off, so that wall-clock
    intervals hold and the place is not told.
    """
    if vr == "TM":
        return value if _TIME.match(value) else ""
    if not shift:
        whole = _DATE.match(value) if vr == "DA" else _DATETIME.match(value)
        return value if whole else ""
    one = _moved_day if vr == "DA" else _moved_moment
    if "-" in value and len(value) > 14:
        first, _, last = value.partition("-")
        ends = [one(first.strip(), shift), one(last.strip(), shift)]
        if all(ends):
            return "-".join(ends)
    return one(value, shift)


def _moved_moment(value: str, shift: datetime.timedelta) -> str:
    match = _DATETIME.match(value)
    day = _moved_day(match[1], shift) if match else ""
    return day + match[2] if match and day else ""


def _moved_day(value: str, shift: datetime.timedelta) -> str:
    match = _DATE.match(value)
    if not match:
        return ""
    try:
        day = datetime.date(int(match[1]), int(match[3]), int(match[4]))
        after = day + shift
    except (ValueError, OverflowError):
        return ""
    if day.year < MIN_YEAR:
        return ""
    return f"{after.year:04d}{after.month:02d}{after.day:02d}"


def capped_age(value: str) -> str:
    """An AS value (PS3.5: 045Y, 018M, 006W, 010D) with every age over 89 years as 090Y; "" for anything else."""
    years = age_years(value)
    if years is None:
        return ""
    return f"{MAX_AGE:03d}Y" if years >= MAX_AGE else value.strip(BLANKS)


def age_years(value: str | None) -> int | None:
    """Whole years of a DICOM age: "045Y" is 45, "018M" is 1, everything over 89 years is 90, junk is None."""
    match = _AGE.match((value or "").strip(BLANKS))
    if not match:
        return None
    years = int(match[1]) // {"Y": 1, "M": 12}.get(match[2], 1)
    if match[2] in "DW":
        years = int(int(match[1]) * {"D": 1, "W": 7}[match[2]] / 365.25)
    return min(years, MAX_AGE)


def vr_fits(found: str | None, known: str) -> bool:
    """Is the VR in the file one that the dictionary allows? Two kinds of binary numbers may stand for each other."""
    if found is None or found == known or found in known.split(" or "):
        return True
    return found not in _TEXT_VRS and found not in ("SQ", "OB", "UN") and not _TEXT_VRS & set(known.split(" or "))


def value_fits(value: Any, action: str) -> bool:
    """CS must look like codes, DS and IS (N) like numbers: text in them was put where it does not belong."""
    if action in ("K", "M"):
        return True
    pattern = _CODE if action == "CS" else _NUMBERS
    if isinstance(value, bytes):
        return pattern.match(value.decode("latin-1").strip(BLANKS)) is not None
    several = value if isinstance(value, (MultiValue, list, tuple)) else [value]
    return all(v is None or pattern.match(str(v).strip(BLANKS)) for v in several)


def private_value_fits(value: Any, vr: str) -> bool:
    """Does the value of a listed private element look like what its maker says it is? At most 64 numbers or codes."""
    if isinstance(value, bytes) and vr in _SIZES:
        return len(value) % _SIZES[vr] == 0 and len(value) <= _MOST_NUMBERS * _SIZES[vr]
    if vr in _SIZES:
        several = value if isinstance(value, (MultiValue, list, tuple)) else [value]
        return len(several) <= _MOST_NUMBERS and all(isinstance(v, (int, float)) for v in several)
    size = len(value) if isinstance(value, bytes) else len(str(value))
    return size <= 16 * _MOST_NUMBERS and value_fits(value, "CS" if vr == "CS" else "N")


def values_of(ds: Dataset, keyword: str) -> tuple[str, ...]:
    """The decoded values of an element as stripped text, () where absent or empty. Raises RecordError `bad_header`."""
    with typed("bad_header", f"repair {keyword} or leave the file out"):
        value = ds.get(keyword)
        several = value if isinstance(value, (MultiValue, list, tuple)) else [value]
        texts = ("" if v is None else str(v).strip(BLANKS) for v in several)
        return tuple(t for t in texts if t)


def items_of(ds: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """The items of a sequence, () where it is absent. Raises RecordError `bad_header`."""
    with typed("bad_header", f"repair {keyword} or leave the file out"):
        return tuple(ds.get(keyword) or ())


def plain_text(ds: Dataset, tag: int) -> str:
    """An element's value as text, without decoding more than ASCII of a raw one; "" where it is absent."""
    if tag not in ds:
        return ""
    value = ds.get_item(tag).value
    if isinstance(value, bytes):
        return value.decode("latin-1").strip(BLANKS)
    if isinstance(value, (MultiValue, list, tuple)):
        return "\\".join(str(v) for v in value)
    return "" if value is None else str(value).strip(BLANKS)
