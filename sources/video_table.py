"""A folder of video clips and a table that describes them: ultrasound clips with labels, endoscopy with captions.

`video` is the column with the file's path below the root, or a template over columns. Without a table every clip of
the folder is a record of its own. Sound never leaves this source's files: `curate.video` drops it.

`start` and `end` are columns with a range of the file, in seconds or [hours:]minutes:seconds, both with decimals if
need be. Several rows may cut several clips out of one file; each is a record `FILE#t=12.000,18.500`, whose file is told
with that fragment and the digest of the whole file. A row without both times is about the whole file.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from sources.base import Entry, Form, Item, Place, Pseudonym, not_a_record, ref, usable
from sources.tables import Row, TableConfig, table_items

VIDEO_ENDINGS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v", ".gif")


class VideoTable(TableConfig):
    """Clips with a table (`table`, `video`, `text`, `question`, `answer`, `labels`, `group`, `start`, `end`), or
    alone."""

    source: Literal["video_table"]
    table: str = ""
    video: str = "video"
    start: str = ""
    end: str = ""

    card: ClassVar[Card] = Card(
        name="video_table",
        what="video clips with a CSV/TSV table of captions, questions, labels and patients",
        layout="any folder of clips and one table",
        phi_risk="overlays, speech (sound is dropped), container metadata (dropped)",
        modalities=("US", "ES"),
    )

    def media_column(self) -> str:
        return self.video

    def columns(self) -> tuple[str, ...]:
        return tuple(column for column in (self.start, self.end) if column)

    def part(self, row: Row) -> str:
        clip = self.clip(row)
        return f"t={clip[0]:.3f},{clip[1]:.3f}" if clip else ""

    def clip(self, row: Row) -> tuple[float, float] | None:
        """The range that a row names, in seconds to the millisecond. Raises RecordError `clip_range`."""
        start, end = (row.get(column, "") if column else "" for column in (self.start, self.end))
        if not start and not end:
            return None
        clip = (seconds(start, self.start) if start else 0.0, seconds(end, self.end) if end else math.nan)
        if not clip[0] < clip[1]:
            found = "an end that does not come after its start" if end else "a start without an end"
            raise RecordError("clip_range", found, "give an end that comes after the start")
        return clip

    def row_item(self, row: Row, line: int, media: tuple[str, Entry], form: Form, pseudonym: Pseudonym) -> Item:
        item = super().row_item(row, line, media, form, pseudonym)
        clip = self.clip(row)
        if clip is None:
            return item
        cut = dataclasses.replace(item.files[0], fragment=self.part(row))
        return dataclasses.replace(item, files=(cut, *item.files[1:]), clip=clip)

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        if self.table:
            yield from table_items(self, "clip", place, inventory, pseudonym)
            return
        entries, refused = usable(inventory, self.exclude)
        yield from refused
        for entry in entries:
            if entry.path.lower().endswith(VIDEO_ENDINGS):
                yield Item(upstream_id=entry.path, form="clip", files=(ref(entry),), facts=self.declared_facts())
            else:
                yield not_a_record(entry, "a file that is no video")


def seconds(text: str, column: str = "") -> float:
    """A time of a table in seconds: `12.5`, `01:02.5` (minutes, seconds), `1:01:02.250`; rounded to milliseconds.

    Raises RecordError `clip_range` for anything else, also for 60 and more minutes or seconds behind a colon; it names
    the column and the length of what stands there, which may be anything.
    """
    match = re.fullmatch(
        r"(?:(?:(\d{1,4}):)?(\d{1,4}):)?(\d{1,9}(?:\.\d{1,9})?)", text.strip().replace(",", "."), re.ASCII
    )
    hours, minutes, rest = (float(part or 0) for part in match.groups()) if match else (0.0, 0.0, math.nan)
    in_order = rest < 60 or ":" not in text
    if not match or not in_order or (match[1] and minutes >= 60):
        found = f"{len(text)} characters that are no time" + (f" in column '{column}'" if column else "")
        raise RecordError("clip_range", found, "write seconds, mm:ss or hh:mm:ss.mmm")
    return round(hours * 3600 + minutes * 60 + rest, 3)
