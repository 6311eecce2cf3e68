"""A folder of 2D images and a table that describes them: chest X-rays with notes, dermoscopy with diagnoses, VQA.

`image` is the column with the file's path below the root, or a template over columns (`png/{image_id}.png`). Without a
table every image of the folder is a record of its own. `class_from_folder` takes the image's folder as its label, as in
`mammography/B/0001.jpg`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym, not_a_record, ref, usable
from sources.tables import TableConfig, table_items

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".svs")


class ImageTable(TableConfig):
    """2D images with a table (`table`, `image`, `text`, `question`, `answer`, `labels`, `group`), or alone."""

    source: Literal["image_table"]
    table: str = ""
    image: str = "image"
    class_from_folder: bool = False

    card: ClassVar[Card] = Card(
        name="image_table",
        what="2D images with a CSV/TSV table of captions, questions, labels and patients",
        layout="any folder of images and one table",
        phi_risk="EXIF (dropped on re-encoding), burned-in text, free text columns",
        modalities=("CR", "DX", "US", "XC", "OP", "SM", "ES"),
    )

    def media_column(self) -> str:
        return self.image

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        if self.table:
            yield from table_items(self, "picture", place, inventory, pseudonym)
            return
        entries, refused = usable(inventory, self.exclude)
        yield from refused
        for entry in entries:
            if entry.path.lower().endswith(IMAGE_ENDINGS):
                yield self._alone(entry)
            else:
                yield not_a_record(entry, "a file that is no image")

    def _alone(self, entry: Entry) -> Item:
        folder = PurePosixPath(entry.path).parent.name
        label = Fact(name="label", value=folder, origin="folder", about="class")
        facts = (*self.declared_facts(), *((label,) if self.class_from_folder and folder else ()))
        return Item(upstream_id=entry.path, form="picture", files=(ref(entry),), facts=facts)
