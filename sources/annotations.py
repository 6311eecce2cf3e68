"""Further tables that say of media where and when: events of clips, boxes of images, one a row.

    events  {table: phases.csv, file: video, label: phase, start: from, end: to}      seconds or [hh:]mm:ss of the file
    boxes   {table: boxes.csv, file: image_id, label: class, corners: [x0, y0, x1, y1]}     pixels, half-open
            {..., size: [x, y, width, height]}                                              instead of corners

Each row becomes a fact of the record of its file (`event`, `box`) and a part of its lineage. Of a record that is a part
of a clip an event is told where it overlaps the part, in seconds from the part's beginning. A row that is wrong, or
whose file is not there, ends in the ledger by itself. Boxes are those of the picture as it is stored: a picture that
its EXIF orientation turns must have its boxes turned before. Held in memory: all rows of these tables.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, model_validator

from manifests.config import Config
from manifests.errors import RecipeError, RecordError
from manifests.record import Fact, FileRef
from sources.base import Entry, Item, Place
from sources.tables import FIRST_LINE, Row, find_table, header_of, media_path, missing_row, row_ref, rows_of_table
from sources.times import seconds


class Events(Config):
    """A table of what happens in clips and when; without `end` an event is a moment."""

    table: str
    file: str
    label: str
    start: str
    end: str = ""

    def columns(self) -> tuple[str, ...]:
        return tuple(c for c in (self.label, self.start, self.end) if c)

    def fact(self, row: Row) -> Fact:
        """Raises RecordError `event_time`."""
        start = _time(row, self.start)
        end = _time(row, self.end) if self.end and row[self.end] else start
        if end < start:
            raise RecordError("event_time", "an end before its start", "give an end that comes after the start")
        value = _short(start) if end == start else f"{_short(start)}-{_short(end)}"
        return Fact("event", value, f"column:{self.label}", "s", row[self.label])


class Boxes(Config):
    """A table of boxes in images: two corners, or a corner and a size, in pixels."""

    table: str
    file: str
    label: str
    corners: tuple[str, str, str, str] | None = None
    size: tuple[str, str, str, str] | None = Field(default=None, description="columns of x, y, width and height")

    @model_validator(mode="after")
    def _one_form(self) -> Boxes:
        if (self.corners is None) == (self.size is None):
            raise ValueError("boxes need `corners` (x0, y0, x1, y1) or `size` (x, y, width, height), one of them")
        return self

    def columns(self) -> tuple[str, ...]:
        return (self.label, *(self.corners or self.size or ()))

    def fact(self, row: Row) -> Fact:
        """Raises RecordError `box_corners`."""
        numbers = [_number(row, column) for column in self.corners or self.size or ()]
        x0, y0, *rest = numbers
        x1, y1 = rest if self.corners else (x0 + rest[0], y0 + rest[1])
        if not (0 <= x0 < x1 and 0 <= y0 < y1):
            raise RecordError(
                "box_corners", "a box without an inside, or left of the image", "give x0 < x1 and y0 < y1"
            )
        return Fact("box", ",".join(_short(n) for n in (x0, y0, x1, y1)), f"column:{self.label}", "px", row[self.label])


Annotated = Events | Boxes


@dataclass(frozen=True, slots=True)
class Notes:
    """What the rows of a table say, by file; and how the rows that say nothing usable end."""

    by_file: dict[str, list[tuple[Fact, FileRef]]]
    lost: tuple[Item, ...]


def tables_of(several: Sequence[Annotated | None], place: Place) -> tuple[tuple[str, Path], ...]:
    """The tables that `annotated` opens. Raises `RecipeError` for one that is not there."""
    return tuple((one.table, find_table(one.table, place)) for one in several if one is not None)


def check_columns(several: Sequence[Annotated | None], place: Place) -> None:
    """Raises `RecipeError` for a column that a table lacks."""
    for one in (one for one in several if one is not None):
        _check(one, header_of(find_table(one.table, place), one.table))


def _check(one: Annotated, header: Sequence[str]) -> None:
    for column in (*one.columns(), *(() if "{" in one.file else (one.file,))):
        if column not in header:
            has = ", ".join(sorted(header))
            raise RecipeError(f"table '{one.table}' has no column '{column}'; it has: {has}")


def annotated(
    items: Iterable[Item], several: Sequence[Annotated | None], inventory: Sequence[Entry], place: Place
) -> Iterator[Item]:
    """The items with the facts that further tables have of their files, then how rows of those ended that have none."""
    listed = {entry.path for entry in inventory}
    read = [(one, _notes(one, listed, place)) for one in several if one is not None]
    names = {one.table for one, _ in read}
    for item in items:
        if item.form == "none" and item.files[0].path in names:
            found = "a table of annotations: its rows are facts of the records"
            yield dataclasses.replace(item, reason="not_a_record", found=found, status="dropped", remedy="none needed")
            continue
        for _, notes in read:
            item = _with(item, notes)
        yield item
    for _, notes in read:
        yield from notes.lost


def _notes(one: Annotated, listed: set[str], place: Place) -> Notes:
    by_file: dict[str, list[tuple[Fact, FileRef]]] = {}
    lost: list[Item] = []
    check = functools.partial(_check, one)
    for line, row in enumerate(rows_of_table(one.table, place, check), start=FIRST_LINE):
        path = media_path(one.file, row, one.table)
        if path not in listed:
            lost.append(missing_row(one.table, line, row))
            continue
        try:
            if not row[one.label]:
                raise RecordError("annotation_without_label", "a row without a label", "name what it is, or remove it")
            fact = one.fact(row)
        except RecordError as error:
            told = f"line {line} of '{one.table}': {error.found}"
            lost.append(
                dataclasses.replace(
                    missing_row(one.table, line, row), reason=error.reason, found=told, remedy=error.remedy
                )
            )
            continue
        by_file.setdefault(path, []).append((fact, row_ref(one.table, line, row)))
    return Notes(by_file, tuple(lost))


def _with(item: Item, notes: Notes) -> Item:
    """The item with the facts of its files; of the pictures of a study each with its place."""
    if item.form == "none":
        return item
    media = [f for f in item.files if f.role == "data"]
    facts, files = list(item.facts), list(item.files)
    for number, file in enumerate(media, start=1):
        at = str(number) if len(media) > 1 else ""
        for fact, row in notes.by_file.get(file.path, ()):
            told = _within(fact, item.clip)
            if told is not None:
                facts.append(dataclasses.replace(told, at=at))
                files.append(row)
    return dataclasses.replace(item, facts=tuple(facts), files=tuple(files))


def _within(fact: Fact, clip: tuple[float, float] | None) -> Fact | None:
    """An event as a part of its clip shows it; None where it does not."""
    if clip is None or fact.name != "event":
        return fact
    start, _, end = fact.value.partition("-")
    first, last = float(start), float(end or start)
    stop = clip[1] if math.isfinite(clip[1]) else math.inf
    if last < clip[0] or first >= stop:
        return None
    first, last = max(first, clip[0]) - clip[0], min(last, stop) - clip[0]
    return dataclasses.replace(fact, value=_short(first) if not end else f"{_short(first)}-{_short(last)}")


def _time(row: Row, column: str) -> float:
    try:
        return seconds(row[column], column)
    except RecordError as error:
        raise RecordError("event_time", error.found, error.remedy) from None


def _number(row: Row, column: str) -> float:
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not abs(value) < 1e6:
        raise RecordError(
            "box_corners", f"{len(row[column])} characters that are no pixel in '{column}'", "give pixels"
        )
    return value


def _short(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
