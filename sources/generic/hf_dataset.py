"""A Hugging Face dataset as it lies on a disk: a hub repository, a folder of `save_to_disk`, an image folder.

    source: hf_dataset
    root: my_dataset
    image: image                # a column of encoded pictures; `images` one of lists of them; `video`, `volume`
    text: caption               # question, answer, why, options, conversations, labels, group, id: columns, or paths
                                # into objects with dots

Layouts, as the library's builders read them: parquet and arrow files (cells of media hold {bytes, path} or bytes; a
number of a ClassLabel becomes its name, by the features that the files' schema states); `metadata.csv`,
`metadata.jsonl` or `metadata.parquet` with `file_name` beside media; folders of pictures by class and split
(`train/cat/1.png`); JSON lines, JSON and CSV, whose media cells are paths below the table's folder; WebDataset tars.
The split is what a path says (`data/train-00000-of-00002.parquet`). Files are read with pyarrow, since that needs no
cache, no network and no more memory than a few rows; scripts of a repository are never run. Quirks: a cell with a path
and no bytes has lost its medium; `dataset_info.json` and `state.json` are no records.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Fact, FileRef
from sources.base import Entry, Item, Place, Pseudonym, matches, ref
from sources.containers import block_items, parquet_rows
from sources.generic.arrow import arrow_peek, arrow_rows, class_names
from sources.generic.fields import PICTURES, Fields, ending_of, form_of, medium_of, split_in, value_at
from sources.generic.webdataset_tars import sample_record
from sources.tars import samples, tar_peek
from sources.texts.shared import part, text_peek, text_rows
from sources.upstream import REMEDY, Line, Shelf, plain, rows_below

if TYPE_CHECKING:
    import numpy as np

TABLES = (".parquet", ".arrow", ".jsonl", ".json", ".csv", ".tsv", ".tar")
BY_PATHS = (".jsonl", ".json", ".csv", ".tsv")
STATE = ("dataset_info.json", "dataset_infos.json", "state.json", "dataset_dict.json", "cache-*.arrow")


class HfDataset(Fields):
    """One record per row. A row's media are those of `image`, `images`, `video` and `volume`, in that order; where none
    is named, of the columns whose cells are {bytes, path}."""

    source: Literal["hf_dataset"]
    text: str = "text"
    image: str = ""
    images: str = ""
    video: str = ""
    volume: str = ""
    card: ClassVar[Card] = Card(
        name="hf_dataset",
        what="a data set in a layout of Hugging Face's datasets library, read from local files",
        layout="**/*.parquet, *.arrow, metadata.{csv,jsonl,parquet} beside media, SPLIT/CLASS/*.png, *.jsonl, *.tar",
        phi_risk="what is in the columns; metadata of encoded media is dropped on re-encoding",
        known="published",
    )

    @property
    def media(self) -> tuple[str, ...]:
        return tuple(c for c in (self.image, self.images, self.video, self.volume) if c)

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        if matches(path.name, STATE) or path.stem == "metadata":
            return {}
        if path.suffix == ".tar":
            return tar_peek(path)
        if path.suffix == ".arrow":
            return arrow_peek(path)
        return text_peek(path) if path.suffix in TABLES else {}

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        claimed: set[str] = set()
        for item in self._tables(place, shelf, pseudonym):
            claimed.update(f.path for f in item.files)
            yield item
        yield from self._alone(shelf, claimed)
        yield from shelf.rest(("metadata.*", *STATE))

    def _tables(self, place: Place, shelf: Shelf, pseudonym: Pseudonym) -> Iterator[Item]:
        for entry in [e for e in shelf.by_path.values() if PurePosixPath(e.path).suffix in TABLES]:
            path = PurePosixPath(entry.path)
            if path.stem == "metadata":
                shelf.take(entry, "table")
                yield from self._folder(entry.path, place, shelf, pseudonym)
            elif entry.peek.get("blocks"):
                shelf.take(entry)
                split = split_in(entry.path)
                other = self.other_split(split, (ref(entry),), entry.path) if split else None
                if other is not None:
                    yield other
                elif self.media and path.suffix in BY_PATHS:
                    yield from self._folder(entry.path, place, shelf, pseudonym)
                else:
                    yield from block_items(entry)

    def _folder(self, table: str, place: Place, shelf: Shelf, pseudonym: Pseudonym) -> Iterator[Item]:
        """The rows of a table that names files beside it."""
        folder = PurePosixPath(table).parent
        for row in rows_below(table, place):
            try:
                names = [n for c in (self.media or _file_columns(row)) for n in _paths(value_at(row.values, c))]
                entries = [shelf.get((folder / name).as_posix()) or shelf.get(name) for name in names]
                found = tuple(shelf.take(e) for e in entries if e is not None)
                if len(found) < len(names):
                    yield row.missing()
                    continue
                split = split_in(names[0] if names else table) or split_in(table)
                yield self._item(row, (*found, row.ref) if found else (part(row),), (), split, pseudonym, {})
            except RecordError as error:
                yield row.failed(error.reason, error.found, error.remedy)

    def _alone(self, shelf: Shelf, claimed: set[str]) -> Iterator[Item]:
        """Pictures that no table names: their folder is their class, unless it is a split's."""
        alone = [e for e in shelf.by_path.values() if e.path not in claimed and ending_of(e.path) in PICTURES]
        for entry in alone:
            folder, split = PurePosixPath(entry.path).parent.name, split_in(entry.path)
            own = (Fact("label", folder, "folder", about="class"),) if folder and not split_in(folder) else ()
            part_of = (Fact("split", split, "folder"),) if split else ()
            other = self.other_split(split, (shelf.take(entry),), entry.path) if split else None
            facts = (*self.declared_facts(), *own, *part_of)
            yield other or Item(entry.path, "picture", (ref(entry),), facts=facts)

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        path = item.files[0].path
        ending = PurePosixPath(path).suffix
        if ending == ".tar":
            for sample in samples(item, place):
                try:
                    yield sample_record(self, sample, self.media, pseudonym)
                except RecordError as error:
                    yield sample.failed(error.reason, error.found, error.remedy)
            return
        read = {".parquet": parquet_rows, ".arrow": arrow_rows}.get(ending, text_rows)
        names = class_names(place.file(path)) if ending in (".parquet", ".arrow") else {}
        for row in read(item, place):
            try:
                yield row if isinstance(row, Item) else self._row(row, names, pseudonym)
            except RecordError as error:
                assert isinstance(row, Line)
                yield row.failed(error.reason, error.found, error.remedy)

    def _row(self, row: Line, names: Mapping[str, Sequence[str]], pseudonym: Pseudonym) -> Item:
        parts = [_cell(value) for column in self.media or _features(row) for value in _several(row, column)]
        files = tuple(
            FileRef(row.table, hashlib.sha256(data).hexdigest(), len(data), fragment=f"row={row.number}.{n}.{kind}")
            for n, (data, kind) in enumerate(parts, start=1)
        )
        row_itself = row.ref if files else part(row)
        data = tuple(data for data, _ in parts)
        return self._item(row, (*files, row_itself), data, split_in(row.table), pseudonym, names)

    def _item(
        self, row: Line, files: tuple[FileRef, ...], carried: tuple[bytes, ...], split: str, pseudonym: Pseudonym,
        names: Mapping[str, Sequence[str]],
    ) -> Item:  # fmt: skip
        other = self.other_split(split, files, f"{row.table}#row={row.number}") if split else None
        if other is not None:
            return other
        media = [ending_of(f.fragment or f.path) for f in files if f.role == "data" and (carried or not f.fragment)]
        form = form_of(media)
        text, asked, dialogue = self.told(row.values, sum(e in PICTURES for e in media))
        if form == "text" and not (text or asked):
            has = ", ".join(sorted(map(str, row.values))[:40])
            raise RecordError("empty_fields", f"a row that says nothing; it has: {has}", "name the columns it has")
        return Item(
            upstream_id=plain(value_at(row.values, self.id)) if self.id else f"{row.table}#row={row.number}",
            form=form,
            files=files,
            group=self.group_of(row.values, pseudonym),
            facts=(*self.facts_of(row.values, names), *((Fact("split", split, "file"),) if split else ())),
            text=text,
            asked=asked,
            dialogue=dialogue,
            carried=carried,
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        rows: list[dict[str, Any]] = [{"file_name": f"{n}.png", "text": text} for n, text in enumerate(CAPTIONS)]
        for row in rows[:-1]:  # the last one's file is missing
            mini.picture(root / "train" / row["file_name"], mini.pixels(rng))
        mini.json_lines(root / "train/metadata.jsonl", rows)
        for name in ("benign/a.png", "malignant/b.png"):
            mini.picture(root / "test" / name, mini.pixels(rng))
        cells = [{"image": {"bytes": mini.encoded(mini.pixels(rng)), "path": None}, "text": t} for t in BESIDE]
        cells.append({"image": {"bytes": None, "path": "elsewhere/3.png"}, "text": "A picture that was not embedded."})
        mini.parquet(root / "data/train-00000-of-00001.parquet", cells)
        texts = [{"text": f"{text} It was read twice.", "id": f"t{n}"} for n, text in enumerate(CAPTIONS[:2])]
        mini.parquet(root / "data/validation-00000-of-00001.parquet", texts)


def _file_columns(row: Line) -> list[str]:
    """`file_name`, and columns that end so. Raises `RecordError` `bad_table` where a metadata file has none."""
    found = [c for c in row.values if c in ("file_name", "file_names") or c.endswith(("_file_name", "_file_names"))]
    if not found:
        row["file_name"]
    return found


def _paths(value: Any) -> list[str]:
    """The paths that a cell names: a text, an object with `path`, or a list of them."""
    several = value if isinstance(value, list | tuple) else [value]
    return [name for v in several if (name := plain(v.get("path") if isinstance(v, dict) else v))]


def _features(row: Line) -> list[str]:
    """The columns that hold media as the library writes them."""
    cells = {c: v[0] if isinstance(v, list) and v else v for c, v in row.values.items()}
    return [c for c, v in cells.items() if isinstance(v, dict) and set(v) == {"bytes", "path"}]


def _several(row: Line, column: str) -> list[Any]:
    """The media of a cell; none for null. Raises `RecordError` `bad_table` where there is no such column."""
    value = value_at(row.values, column)
    if value is None and column not in row.values:
        row[column]
    several = value if isinstance(value, list | tuple) else [value]
    return [v for v in several if v is not None]


def _cell(value: Any) -> tuple[bytes, str]:
    """The bytes of a medium and its ending. Raises `RecordError` `media_missing` and `not_a_medium`."""
    data = value.get("bytes") if isinstance(value, dict) else value
    name = plain(value.get("path")) if isinstance(value, dict) else ""
    if not isinstance(data, bytes) or not data:
        raise RecordError("media_missing", "a cell without the medium's bytes", "save it with its media embedded")
    kind = medium_of(data, name)
    if not kind:
        raise RecordError("not_a_medium", f"{len(data)} bytes of no known medium", REMEDY)
    return data, kind


BESIDE = ("Coronal sinus image with an air-fluid level.", "Gastric mucosa with a clean-based ulcer of the antrum.")
CAPTIONS = (
    "Chest radiograph with a small apical pneumothorax on the left.",
    "Ultrasound of the gallbladder with two mobile stones.",
    "Sagittal knee image with a bucket-handle tear of the medial meniscus.",
    "Dermoscopy of a nevus with a regular pigment network.",
)
