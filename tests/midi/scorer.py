"""Scores outputs against the key, strictly: a missing file or an absent tag never passes, and intervals are checked."""

from __future__ import annotations

import datetime
import io
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from tests.midi.generator import Action, digest, value_at


@dataclass(frozen=True, slots=True)
class Score:
    passed: Counter[str]
    failed: tuple[Action, ...]

    @property
    def share(self) -> float:
        total = self.passed.total() + len(self.failed)
        return self.passed.total() / total if total else 0.0

    def failures(self, *kinds: str) -> int:
        return sum(action.kind in kinds for action in self.failed)


def score(key: list[Action], outputs: Mapping[str, bytes]) -> Score:
    """`outputs`: the bytes of the de-identified file, under the original's name."""
    read = {name: pydicom.dcmread(io.BytesIO(data)) for name, data in outputs.items()}
    arrays = {name: ds.pixel_array for name, ds in read.items() if "PixelData" in ds}
    shifts = {p: days.most_common(1)[0][0] for p, days in _shifts(key, read).items()}
    uids = _pairs([a for a in key if a.kind == "uid_consistent"], read)
    patients = _pairs([a for a in key if a.kind == "patid_consistent"], read)
    passed: Counter[str] = Counter()
    failed = []
    for action in key:
        ds = read.get(action.file)
        if ds is not None and _holds(action, ds, outputs[action.file], arrays.get(action.file), shifts, uids, patients):
            passed[action.kind] += 1
        else:
            failed.append(action)
    return Score(passed, tuple(failed))


def _text(ds: Dataset, path: tuple[Any, ...]) -> str | None:
    try:
        value = value_at(ds, path)
    except (KeyError, IndexError, TypeError):
        return None
    return None if value is None else str(value)


def _holds(
    action: Action, ds: Dataset, data: bytes, array: Any, shifts: Mapping[str, int], uids: _Map, patients: _Map
) -> bool:
    if action.kind == "text_removed":
        return not _found(action.value, data)
    if action.kind in ("pixels_hidden", "pixels_retained"):
        return array is not None and _pixels(action, array)
    now = _text(ds, action.path)
    if not now:
        return False
    if action.kind == "tag_retained":
        return now == action.value
    if action.kind == "text_retained":
        return action.value in now.split()
    if action.kind == "date_shifted":
        days = _days(action.value, now)
        return days is not None and days == shifts.get(action.patient) and 0 < abs(days) <= 3650
    if action.kind == "uid_changed":
        return now != action.value and pydicom.uid.UID(now).is_valid
    if action.kind in ("uid_consistent", "patid_consistent"):
        return now != action.value and _one_to_one(action.value, now, uids if "uid" in action.kind else patients)
    return True


def _found(text: str, data: bytes) -> bool:
    """Is the text in the bytes in any usual encoding and case?"""
    small = data.lower()
    forms = {
        f.encode(e, "replace") for f in (text, text.lower()) for e in ("utf-8", "latin-1", "utf-16-le", "utf-16-be")
    }
    return any(form in data or form in small for form in forms if b"?" not in form or "?" in text)


def _pixels(action: Action, array: Any) -> bool:
    if action.kind == "pixels_hidden":
        x0, y0, x1, y1 = map(int, action.value.split())
        box = array[:, y0:y1, x0:x1] if array.ndim == 4 else array[:0]
        return bool(box.size) and not np.any(box)
    if action.path:
        x0, y0, x1, y1 = (int(n) for n in action.path)
        array = array[:, y0 : y1 + 1, x0 : x1 + 1] if array.ndim == 4 else array[:0]
    return digest(array) == action.value


def _days(old: str, new: str) -> int | None:
    if len(old) != len(new) or old[8:] != new[8:]:
        return None
    try:
        before, after = (datetime.date(int(t[:4]), int(t[4:6]), int(t[6:8])) for t in (old, new))
    except ValueError:
        return None
    return (after - before).days


def _shifts(key: list[Action], read: Mapping[str, Dataset]) -> Mapping[str, Counter[int]]:
    """By patient, how often each shift was met: one of them must hold for all dates."""
    found: dict[str, Counter[int]] = defaultdict(Counter)
    for action in key:
        if action.kind == "date_shifted" and action.file in read:
            days = _days(action.value, _text(read[action.file], action.path) or "")
            if days is not None:
                found[action.patient][days] += 1
    return found


@dataclass(frozen=True, slots=True)
class _Map:
    """Old to new values and back, over all files."""

    new: Mapping[str, set[str]]
    old: Mapping[str, set[str]]


def _pairs(actions: list[Action], read: Mapping[str, Dataset]) -> _Map:
    new, old = defaultdict(set), defaultdict(set)
    for action in actions:
        now = _text(read[action.file], action.path) if action.file in read else None
        if now:
            new[action.value].add(now)
            old[now].add(action.value)
    return _Map(new, old)


def _one_to_one(before: str, now: str, pairs: _Map) -> bool:
    return pairs.new[before] == {now} and pairs.old[now] == {before}
