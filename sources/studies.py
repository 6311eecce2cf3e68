"""Rows of a table that belong together: the pictures of one study, and one patient's visits in pairs.

A study is one record with several pictures, in the order of `order` (a number, a date as YYYY-MM-DD, or any text; a
leading `-` turns it round), else of the table. Two visits are one record of two pictures, the older first, for each
picture of a patient and the one before it; both also stay records of their own. What a row says of its picture is told
with the picture's place (`Fact.at`), its questions are the study's; a numeric `order` becomes `offset_days`, its
difference `interval_days`.

Held in memory: the rows of the table that name a file.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from manifests.record import Fact, FileRef
from sources.base import Entry, Item, Pseudonym, column_facts, ref, unplaced

if TYPE_CHECKING:
    from sources.image_table import ImageTable
    from sources.tables import Row


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture of a table, and all rows that name it; the first says where it belongs."""

    entry: Entry
    rows: list[tuple[Row, FileRef]]

    @property
    def row(self) -> Row:
        return self.rows[0][0]


def studies(config: ImageTable, shots: Sequence[Shot], pseudonym: Pseudonym) -> Iterator[Item]:
    """One item for each value of the study column, and one for each picture without a value."""
    by_study: dict[str, list[Shot]] = {}
    for shot in shots:
        by_study.setdefault(shot.row[config.study] or f"alone {shot.entry.path}", []).append(shot)
    for held in by_study.values():
        patients = {row[config.group] for shot in held for row, _ in shot.rows} if config.group else set()
        yield (
            _mixed(held, len(patients))
            if len(patients) > 1
            else together(config, "+", _ordered(config, held), pseudonym)
        )


def _mixed(shots: Sequence[Shot], patients: int) -> Item:
    """How a study ends whose rows name several patients: no split could hold it."""
    return Item(
        upstream_id="+".join(shot.entry.path for shot in shots),
        form="none",
        files=_files(shots),
        status="failed",
        reason="study_of_several_patients",
        found=f"{patients} values of the patient's column in one study",
        remedy="mend the study column, or name the source without `study`",
    )


def visits(config: ImageTable, shots: Sequence[Shot], pseudonym: Pseudonym) -> Iterator[Item]:
    """One item for each picture of a patient that has one before it."""
    by_patient: dict[str, list[Shot]] = {}
    for shot in shots:
        if shot.row[config.group]:
            by_patient.setdefault(shot.row[config.group], []).append(shot)
    for held in by_patient.values():
        ordered = _ordered(config, held)
        for prior, current in itertools.pairwise(ordered):
            if _place(config, prior) != _place(config, current):  # two pictures of one visit show no course
                yield together(config, ">", [prior, current], pseudonym)


def together(config: ImageTable, joint: str, shots: Sequence[Shot], pseudonym: Pseudonym) -> Item:
    """One item of several pictures."""
    facts: list[Fact] = [*config.declared_facts()]
    several = len(shots) > 1
    for number, shot in enumerate(shots, start=1):
        at = str(number) if several else ""
        stated = dict.fromkeys(f for row, _ in shot.rows for f in column_facts(row, config.labels))
        facts += [dataclasses.replace(f, at=at) for f in stated]
        if _days(config, shot) is not None:
            facts.append(Fact("offset_days", _number(_days(config, shot)), _origin(config), "day", at=at))
    first, last = _days(config, shots[0]), _days(config, shots[-1])
    if several and first is not None and last is not None:
        facts.append(Fact("interval_days", _number(last - first), _origin(config), "day"))
    patient = shots[0].row[config.group] if config.group else ""
    rows = [row for shot in shots for row, _ in shot.rows]
    texts = list(dict.fromkeys(text for row in rows if (text := unplaced(row.get(config.text, "")))))
    return Item(
        upstream_id=joint.join(shot.entry.path for shot in shots),
        form="picture",
        files=_files(shots),
        group=pseudonym("patient", patient) if patient else "",
        facts=tuple(facts),
        text=texts[-1] if joint == ">" and texts else "\n\n".join(texts),
        asked=config.asked_of(rows),
    )


def _files(shots: Sequence[Shot]) -> tuple[FileRef, ...]:
    return (*(ref(shot.entry) for shot in shots), *(row_ref for shot in shots for _, row_ref in shot.rows))


def _ordered(config: ImageTable, shots: Sequence[Shot]) -> list[Shot]:
    return sorted(shots, key=lambda shot: _place(config, shot)) if config.order else list(shots)


def _place(config: ImageTable, shot: Shot) -> tuple[bool, float, str]:
    """Where a picture stands among the others of its study or patient: numbers first, then text."""
    days = _days(config, shot)
    if days is not None:
        return False, days, ""
    return True, 0.0, shot.row.get(config.order.removeprefix("-"), "") if config.order else shot.entry.path


def _days(config: ImageTable, shot: Shot) -> float | None:
    """The order column as a number of days, where it is one."""
    if not config.order:
        return None
    try:
        value = float(shot.row.get(config.order.removeprefix("-"), ""))
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    return -value if config.order.startswith("-") else value


def _origin(config: ImageTable) -> str:
    return f"column:{config.order.removeprefix('-')}"


def _number(value: float | None) -> str:
    return f"{(value or 0.0) + 0.0:g}"
