"""What is done to each DICOM attribute: PS3.15 Table E.1-1 (2026c), what lies beyond it, and pydicom's dictionary.

`plan` maps a tag to one `Rule(action, vr)`; a tag that is not in it (unknown, private, repeating group, group length)
is removed. The actions:

    X     removed                               U     UIDs mapped
    Z     emptied                               W     a sequence that is kept and cleaned inside
    D     a dummy value of the VR               ID    the patient's pseudonym
    DA DT TM   moved in time                    AS    an age, capped at 90 years
    CS    kept if it looks like a code          N     kept if it looks like numbers (DS, IS)
    K     kept

The combined codes of the table leave a choice that depends on the attribute's type in its IOD. Taken is the variant
that keeps least and still suits every type that the code speaks of: X/Z is Z, X/D and X/Z/D are D, Z/D is Z (the two
that are neither dates nor PatientID are of type 2), X/Z/U* is the sequence
with its UIDs mapped. Dates and times follow the Retain Longitudinal Temporal Information with Modified Dates Option
where the code is not plain X; the birth date never does.

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

EDITION = "2026c"
FOLDER = Path(__file__).resolve().parent

PATIENT_ID = 0x00100020
BIRTH_DATE = 0x00100030
CHARACTERISTICS = {0x00101010: "AS", 0x00100040: "CS", 0x00101020: "N", 0x00101030: "N"}  # age, sex, size, weight
TEMPORAL = frozenset({"DA", "DT", "TM"})

_CODES = {"X/Z": "Z", "X/D": "D", "X/Z/D": "D", "Z/D": "Z", "X/Z/U*": "W"}
_UNCODED = {"PN": "Z", "UI": "U", "SQ": "W", "CS": "CS", "DS": "N", "IS": "N", "AS": "AS"} | {v: v for v in TEMPORAL}
_REMOVED = frozenset({"LT", "ST", "UT", "UC", "UR", "OB", "UN", "NONE"})


class Rule(NamedTuple):
    action: str
    vr: str  # the dictionary's; "" where it does not know the tag


def rows(name: str = "ps3_15_e1_1.csv") -> Iterator[tuple[str, str, str]]:
    """(tag as 8 digits or mask, keyword, code) of a table in this folder."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(line for line in stream if not line.startswith("#")):
            yield row["tag"], row["keyword"], row["basic"]


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


@cache
def plan(characteristics: bool) -> Mapping[int, Rule]:
    """One rule per tag; `characteristics` keeps age, sex, size and weight (Retain Patient Characteristics Option)."""
    vrs = {int(tag): str(entry[0]) for tag, entry in DicomDictionary.items()}
    named = [*rows("ps3_15_e1_1.csv"), *rows("beyond_e1_1.csv")]
    codes = {int(tag, 16): code for tag, _, code in named if "x" not in tag}
    rules = {tag: Rule(_action(tag, vrs.get(tag, ""), codes.get(tag, "")), vrs.get(tag, "")) for tag in {*vrs, *codes}}
    if characteristics:
        rules |= {tag: Rule(action, vrs[tag]) for tag, action in CHARACTERISTICS.items()}
    # Command and file meta elements have no place in a data set; group lengths would be wrong after the cleaning.
    return MappingProxyType({tag: rule for tag, rule in rules.items() if tag >> 16 not in (0, 2) and tag & 0xFFFF})
