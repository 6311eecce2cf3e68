"""A folder of video clips and a table that describes them: ultrasound clips with labels, endoscopy with captions.

`video` is the column with the file's path below the root, or a template over columns. Without a table every clip of
the folder is a record of its own. Sound never leaves this source's files: `curate.video` drops it.

`events` names a further table of what happens in the files and when (`sources.annotations`).

`start` and `end` are columns with a range of the file, in seconds or [hours:]minutes:seconds, both with decimals if
need be. Several rows may cut several clips out of one file; each is a record `FILE#t=12.000,18.500`, whose file is told
with that fragment and the digest of the whole file. A row without both times is about the whole file.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from sources.annotations import Events, annotated, check_columns, tables_of
from sources.base import Entry, Form, Item, Place, Pseudonym, not_a_record, ref, usable
from sources.studies import Shot
from sources.tables import Row, TableConfig, table_items
from sources.times import seconds

VIDEO_ENDINGS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v", ".gif")


class VideoTable(TableConfig):
    """Clips with a table (`table`, `video`, `text`, `question`, `answer`, `labels`, `group`, `start`, `end`), or
    alone."""

    source: Literal["video_table"]
    table: str = ""
    video: str = "video"
    start: str = ""
    end: str = ""
    events: Events | None = None  # a further table: what happens in the files, and when

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

    def rows_item(self, media: tuple[str, Entry], shot: Shot, form: Form, pseudonym: Pseudonym) -> Item:
        item = super().rows_item(media, shot, form, pseudonym)
        clip = self.clip(shot.row)
        if clip is None or item.form == "none":
            return item
        cut = dataclasses.replace(item.files[0], fragment=self.part(shot.row))
        return dataclasses.replace(item, files=(cut, *item.files[1:]), clip=clip)

    def tables(self, place: Place) -> tuple[tuple[str, Path], ...]:
        return (*super().tables(place), *tables_of((self.events,), place))

    def look(self, place: Place) -> None:
        super().look(place)
        check_columns((self.events,), place)

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        yield from annotated(self._items(place, inventory, pseudonym), (self.events,), inventory, place)

    def _items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
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
