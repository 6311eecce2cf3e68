"""What one cleaning of a header needs at every depth, and what its rules make of single values.

`header` walks data sets, `nested` walks the bytes of sequences; both act by what stands here, so that they agree.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

from curate.deidentify.profile import ProfileOptions
from curate.deidentify.tables.ps3_15 import Rule
from curate.deidentify.values import BLANKS, capped_age, moved
from curate.keyring import Keyring

MAX_DEPTH = 32  # of sequences in sequences; real objects stay below 10
DUMMY_TEXT = "REMOVED"
DUMMIES = {
    "AS": "000Y",
    "UR": "urn:removed",
    "DA": "19000101",
    "TM": "000000",
    "DT": "19000101000000",
}
ASCII = frozenset({"AE", "AS", "CS", "DA", "DT", "IS", "LO", "PN", "SH", "TM", "UI"})  # short, and of text
MAPPED = frozenset({"U", "ID", "DA", "DT", "TM", "AS"})  # actions that replace values one by one
PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)


@dataclass(slots=True)
class Walk:
    """The key, the patient, the rules, and how often what was done."""

    keyring: Keyring
    patient: str
    patient_id: str
    names: frozenset[str]
    shift: datetime.timedelta
    options: ProfileOptions
    rules: Mapping[int, Rule]
    actions: dict[str, int] = field(default_factory=dict)
    replaced: dict[tuple[str, str], tuple[str, list[str]]] = field(default_factory=dict)

    def count(self, action: str, times: int = 1) -> None:
        self.actions[action] = self.actions.get(action, 0) + times


def replaced(action: str, text: str, walk: Walk) -> tuple[str, list[str]]:
    """What to call it, and the new values of an element of UIDs, patient ids, dates, times or ages, by `MAPPED`.

    `text` holds the values as `plain_text` gives them. Frames repeat their values, so each is worked out once.
    """
    key = (action, text)
    if key not in walk.replaced:
        walk.replaced[key] = _replaced(action, text, walk)
    return walk.replaced[key]


def _replaced(action: str, text: str, walk: Walk) -> tuple[str, list[str]]:
    values = text.split("\\")
    if action == "ID":
        return "pseudonym", [walk.patient if text == walk.patient_id else walk.keyring.pseudonym("patient", text)]
    if action == "U":
        return "uid", [walk.keyring.uid(v) for v in values]
    if action == "AS":
        return "age", [capped_age(v) for v in values]
    kind = "moved" if walk.shift else "date_kept"
    return kind, [moved(action, v.strip(BLANKS), walk.shift) for v in values]


def encoded(vr: str, values: list[str]) -> bytes:
    """ASCII values as they stand in a file, padded to an even length (PS3.5 6.2)."""
    text = "\\".join(values).encode("ascii", "replace")
    return text + (b"\0" if vr == "UI" else b" ") * (len(text) & 1)


def why_no_rule(tag: int) -> str:
    """What to call an element that goes because no rule knows it."""
    group = tag >> 16
    if group & 1:
        return "private"
    if group >> 8 in (0x50, 0x60):
        return "curve_or_overlay"
    return "group_length" if not tag & 0xFFFF or group in (0, 2) else "unknown"
