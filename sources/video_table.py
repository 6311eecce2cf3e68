"""A folder of video clips and a table that describes them: ultrasound clips with labels, endoscopy with captions.

`video` is the column with the file's path below the root, or a template over columns. Without a table every clip of
the folder is a record of its own. Sound never leaves this source's files: `curate.video` drops it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from manifests.card import Card
from sources.base import Entry, Item, Place, Pseudonym, not_a_record, ref, usable
from sources.tables import TableConfig, table_items

VIDEO_ENDINGS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v", ".gif")


class VideoTable(TableConfig):
    """Clips with a table (`table`, `video`, `text`, `question`, `answer`, `labels`, `group`), or alone."""

    source: Literal["video_table"]
    table: str = ""
    video: str = "video"

    card: ClassVar[Card] = Card(
        name="video_table",
        what="video clips with a CSV/TSV table of captions, questions, labels and patients",
        layout="any folder of clips and one table",
        phi_risk="overlays, speech (sound is dropped), container metadata (dropped)",
        modalities=("US", "ES"),
    )

    def media_column(self) -> str:
        return self.video

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
