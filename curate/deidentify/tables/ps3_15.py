"""What is done to each DICOM attribute: PS3.15 Table E.1-1 (2026c), what lies beyond it, and pydicom's dictionary.

`plan` maps a tag to one `Rule(action, vr)`; a tag that is not in it (unknown, private, repeating group, group length)
is removed. The actions:

    X     removed                               U     UIDs mapped
    Z     emptied                               W     a sequence that is kept and cleaned inside
    D     a dummy value of the VR               ID    the patient's pseudonym
    DA DT TM   moved in time                    AS    an age, capped at 90 years
    CS    kept if it looks like a code          N     kept if it looks like numbers (DS, IS)
    T     a description's allow-listed words    SR    content items, one by one (Table E.3.4-1)
    M     a code's meaning: kept in a public coding scheme, else as T
    K     kept

The combined codes of the table leave a choice that depends on the attribute's type in its IOD. Taken is the variant
that keeps least and still suits every type that the code speaks of: X/Z is Z, X/D and X/Z/D are D, Z/D is Z (the two
that are neither dates nor PatientID are of type 2), X/Z/U* is the sequence with its UIDs mapped. Dates and times follow
the Retain Longitudinal Temporal Information with Modified Dates Option where the code is not plain X; what is X stays
X, though the option would allow it; the birth date never follows.

Beyond the table (more is removed than the profile asks): `beyond_e1_1.csv`, person names (Z), dates (moved), UIDs
(mapped), free text LT ST UT UC UR (X) and opaque bytes OB (X).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from pydicom.datadict import DicomDictionary  # type: ignore[attr-defined]

from curate.deidentify.profile import ProfileOptions

EDITION = "2026c"
DEFAULT = ProfileOptions()
FOLDER = Path(__file__).resolve().parent

PATIENT_ID = 0x00100020
BIRTH_DATE = 0x00100030
TEXT_VALUE = 0x0040A160  # of a content item
CODE_MEANING = 0x00080104
CONTENT_SEQUENCES = (0x0040A730, 0x00400555, 0x00400612)  # report tree, acquisition context, specimen preparation steps
# Public coding schemes (PS3.16 8): their meanings are texts of the scheme, a local scheme's are anybody's.
SCHEMES = frozenset(
    {
        "DCM",
        "SCT",
        "SRT",
        "SNM3",
        "LN",
        "UCUM",
        "RADLEX",
        "FMA",
        "I9",
        "I10",
        "I10P",
        "ICD10",
        "NCIt",
        "UMLS",
        "BI",
        "NCDR",
    }
)
TEMPORAL = frozenset({"DA", "DT", "TM"})

_CODES = {"X/Z": "Z", "X/D": "D", "X/Z/D": "D", "Z/D": "Z", "X/Z/U*": "W"}
_UNCODED = {"PN": "Z", "UI": "U", "SQ": "W", "CS": "CS", "DS": "N", "IS": "N", "AS": "AS"} | {v: v for v in TEMPORAL}
_REMOVED = frozenset({"LT", "ST", "UT", "UC", "UR", "OB", "UN", "NONE"})
_TEXTS = frozenset({"LO", "SH", "LT", "ST", "UT", "UC"})
_KEPT = {"SQ": "W", "CS": "CS", "DS": "N", "IS": "N", "AS": "AS", "UI": "K"}  # what K of an option means by VR


class Rule(NamedTuple):
    action: str
    vr: str  # the dictionary's; "" where it does not know the tag


class ContentRule(NamedTuple):
    """A row of Table E.3.4-1."""

    code: str
    options: Mapping[str, str]


def _table(name: str) -> Iterator[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(line for line in stream if not line.startswith("#"))


def rows(name: str = "ps3_15_e1_1.csv") -> Iterator[tuple[str, str, str]]:
    """(tag as 8 digits or mask, keyword, code) of a table in this folder."""
    yield from ((row["tag"], row["keyword"], row["basic"]) for row in _table(name))


def option_columns() -> dict[str, dict[str, str]]:
    """Per tag or mask of Table E.1-1 its option columns: {"device": "K", "descriptors": "C"}."""
    return {row["tag"]: _options(row["options"]) for row in _table("ps3_15_e1_1.csv") if row["options"]}


def _options(text: str) -> dict[str, str]:
    return dict(part.split(":") for part in text.split())


@cache
def content_rules() -> Mapping[tuple[str, str, str], ContentRule]:
    """Table E.3.4-1 by (coding scheme, code, value type)."""
    found = _table("ps3_15_e3_4.csv")
    return MappingProxyType(
        {(r["scheme"], r["code"], r["value_type"]): ContentRule(r["basic"], _options(r["options"])) for r in found}
    )


@cache
def safe_private() -> Mapping[tuple[int, str, int], str]:
    """The VR of every private element that may be kept, by (group, creator, element without its block)."""
    listed = _table("safe_private.csv")
    return MappingProxyType({(int(r["group"], 16), r["creator"], int(r["element"], 16)): r["vr"] for r in listed})


@cache
def descriptor_words() -> frozenset[str]:
    """The words, in lower case, that a cleaned description may hold."""
    lines = (FOLDER / "descriptor_words.txt").read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def _action(tag: int, vr: str, code: str) -> str:
    """The action for one attribute; `code` is the table's, "" where the table does not name it."""
    if tag == PATIENT_ID:
        return "ID"
    if not code:
        return "X" if vr in _REMOVED else _UNCODED.get(vr, "K")
    if vr in TEMPORAL and code != "X" and tag != BIRTH_DATE:
        return vr
    action = _CODES.get(code, code)
    if action == "D" and vr == "UI":
        return "U"
    return "X" if vr == "UN" else action


def _undated(tag: int, vr: str, code: str) -> str:
    """The action for a date or time where none is kept: the Basic Profile's, and X beyond it."""
    return "Z" if tag == BIRTH_DATE else _CODES.get(code, code) or "X"


def _optional(vr: str, columns: Mapping[str, str], options: ProfileOptions) -> str:
    """The action that a chosen option puts in the place of the Basic Profile's; "" where none speaks.

    Of the option columns, K keeps by VR. C is followed for descriptions, report trees and graphics; a C of other
    columns (application entities, comments on a patient's state) keeps the Basic Profile's action.
    """
    if vr in TEMPORAL:
        kept = options.dates == "full" and "full_dates" in columns
        device = options.device and "device" in columns and options.dates != "remove"
        return vr if kept or device else ""
    if options.dates == "full" and columns.get("full_dates") == "K" and vr == "SH":
        return "K"
    chosen = {"device": options.device, "institution": options.institution, "characteristics": options.characteristics}
    if vr and any(on and columns.get(name) == "K" for name, on in chosen.items()):
        return _KEPT.get(vr, "K")
    if options.clean_descriptors and "descriptors" in columns and vr in (*_TEXTS, "SQ"):
        return "W" if vr == "SQ" else "T"
    trees = (options.clean_structured_content and "structured_content" in columns) or (
        options.clean_graphics and "graphics" in columns
    )
    return "W" if trees and vr == "SQ" else ""


@cache
def plan(options: ProfileOptions = DEFAULT) -> Mapping[int, Rule]:
    """One rule per tag under these options."""
    vrs = {int(tag): str(entry[0]) for tag, entry in DicomDictionary.items()}
    named = [*rows("ps3_15_e1_1.csv"), *rows("beyond_e1_1.csv")]
    codes = {int(tag, 16): code for tag, _, code in named if "x" not in tag}
    columns = {int(tag, 16): found for tag, found in option_columns().items() if "x" not in tag}
    rules = {}
    for tag in {*vrs, *codes}:
        vr, code = vrs.get(tag, ""), codes.get(tag, "")
        undated = options.dates == "remove" and vr in TEMPORAL
        basic = _undated(tag, vr, code) if undated else _action(tag, vr, code)
        rules[tag] = Rule(_optional(vr, columns.get(tag, {}), options) or basic, vr)
    if options.clean_structured_content:
        rules |= {tag: Rule("SR", "SQ") for tag in CONTENT_SEQUENCES}
        rules[TEXT_VALUE] = Rule("T" if options.clean_descriptors else "D", "UT")
    if options.clean_descriptors or options.clean_structured_content:
        rules[CODE_MEANING] = Rule("M", "LO")
    # Command and file meta elements have no place in a data set; group lengths would be wrong after the cleaning.
    return MappingProxyType({tag: rule for tag, rule in rules.items() if tag >> 16 not in (0, 2) and tag & 0xFFFF})
