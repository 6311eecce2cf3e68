"""A folder of 2D images and a table that describes them: chest X-rays with notes, dermoscopy with diagnoses, VQA.

`image` is the column with the file's path below the root, or a template over columns (`png/{image_id}.png`). Without a
table every image of the folder is a record of its own. `class_from_folder` takes the image's folder as its label, as in
`mammography/B/0001.jpg`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal

from pydantic import model_validator

from manifests.card import Card
from manifests.record import Fact
from sources.annotations import Boxes, annotated, check_columns, tables_of
from sources.base import Entry, Item, Place, Pseudonym, not_a_record, ref, usable
from sources.studies import Shot, studies, visits
from sources.tables import TableConfig, table_items

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".svs")


class ImageTable(TableConfig):
    """2D images with a table (`table`, `image`, `text`, `question`, `answer`, `labels`, `group`, `study`, `order`,
    `visits`), or alone."""

    source: Literal["image_table"]
    table: str = ""
    image: str = "image"
    class_from_folder: bool = False
    study: str = ""  # a column: rows with one value are one record of several pictures
    order: str = ""  # the column that orders pictures; with a leading `-` from the highest value down
    boxes: Boxes | None = None  # a further table: what lies where in the files
    visits: bool = False  # a picture of a `group` and the one before it are one more record, of two

    card: ClassVar[Card] = Card(
        name="image_table",
        what="2D images with a CSV/TSV table of captions, questions, labels and patients",
        layout="any folder of images and one table",
        phi_risk="EXIF (dropped on re-encoding), burned-in text, free text columns",
        modalities=("CR", "DX", "US", "XC", "OP", "SM", "ES"),
    )

    def media_column(self) -> str:
        return self.image

    @model_validator(mode="after")
    def _together(self) -> ImageTable:
        if self.visits and (self.question or self.answer):
            raise ValueError("a question belongs to one visit: leave out `visits`, or `question`")
        if self.visits and not (self.group and self.order):
            raise ValueError("`visits` needs `group`, the patient's column, and `order`")
        if self.study and self.visits:
            raise ValueError("`study` and `visits` exclude each other: name the source twice, with one of them each")
        return self

    def columns(self) -> tuple[str, ...]:
        return tuple(column for column in (self.study, self.order.removeprefix("-")) if column)

    def tables(self, place: Place) -> tuple[tuple[str, Path], ...]:
        return (*super().tables(place), *tables_of((self.boxes,), place))

    def look(self, place: Place) -> None:
        super().look(place)
        check_columns((self.boxes,), place)

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        yield from annotated(self._items(place, inventory, pseudonym), (self.boxes,), inventory, place)

    def _items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        if self.table:
            shots: dict[str, Shot] = {}
            yield from table_items(self, "picture", place, inventory, pseudonym, shots, alone=not self.study)
            if self.study:
                yield from studies(self, list(shots.values()), pseudonym)
            if self.visits:
                yield from visits(self, list(shots.values()), pseudonym)
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
