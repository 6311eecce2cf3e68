"""What named upstream sources share: the card's defaults, the inventory as a shelf, and rows of any table.

A named source is one file: a `Card`, a reader of the published layout, and a miniature of it. Its root defaults to the
card's name, so `--data ROOT` finds it in `ROOT/NAME`; licence and access are the card's unless a recipe says otherwise.

    class Chestnut(Upstream):
        source: Literal["chestnut"]
        needs: ClassVar[tuple[str, ...]] = ("train.csv",)          # tables that `items` opens
        card: ClassVar[Card] = Card(name="chestnut", ...)

        def items(self, place, inventory, pseudonym):
            shelf = Shelf(inventory, self.exclude)
            for row in rows_below("train.csv", place):
                entry = shelf.get(row["file"])
                if entry is None:
                    yield row.missing()
                else:
                    yield Item(upstream_id=entry.path, form="picture", files=(shelf.take(entry), row.ref), ...)
            yield from shelf.rest(self.needs)
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, TextIO

from pydantic import model_validator

from manifests.errors import RecipeError, RecordError
from manifests.record import Fact, FileRef, canonical_json
from sources.base import Entry, Item, Place, SourceConfig, is_regular, matches, not_a_record, outcome, ref, usable
from sources.json_spans import CHUNK_CHARS, json_spans
from sources.json_spans import MAX_OBJECT_CHARS as MAX_OBJECT_CHARS
from sources.tables_xlsx import xlsx_rows

if TYPE_CHECKING:
    import numpy as np

MAX_SIDECAR_BYTES = 64 << 20
MAX_CELL_CHARS = 16 << 20
BATCH_ROWS = 256
DELIMITERS = ",;\t|"
REMEDY = "fetch the file anew from upstream"


class Upstream(SourceConfig):
    """A named source. `splits` are those of upstream that are taken, where it has some; a record of another split is
    dropped as `other_split`. `needs` are the tables that `items` opens, `may` those that it opens where they are there
    (paths or shell patterns below the root)."""

    root: str = ""
    splits: tuple[str, ...] = ()

    needs: ClassVar[tuple[str, ...]] = ()
    may: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _as_the_card_says(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        card = cls.card
        return {"root": card.name, "licence": card.licence, "access": card.access, **value}

    def tables(self, place: Place) -> tuple[tuple[str, Path], ...]:
        found: dict[str, Path] = {}
        for pattern in self.needs:
            matched = _below(pattern, place)
            if not matched:
                raise RecipeError(
                    f"source '{self.called}': no '{pattern}' below its root; `curate sources {self.card.name}` tells "
                    "the layout and where it comes from"
                )
            found |= matched
        for pattern in self.may:
            found |= _below(pattern, place)
        return tuple(sorted(found.items()))

    def declared_facts(self) -> tuple[Fact, ...]:
        """What the recipe states, and what the card says of all records: the modality and the body part where it names
        one of each."""
        stated = super().declared_facts()
        known = {f.name for f in stated}
        alone = (("modality", self.card.modalities), ("body_part", self.card.body_parts))
        own = (Fact(name, terms[0], "card") for name, terms in alone if len(terms) == 1 and name not in known)
        return (*stated, *own)

    def other_split(self, split: str, files: tuple[FileRef, ...], upstream_id: str) -> Item | None:
        """How a record of a split that is not taken ends; None where it is taken."""
        if not self.splits or split in self.splits:
            return None
        found = f"upstream's split '{split[:40]}'"
        return Item(
            upstream_id, "none", files, status="dropped", reason="other_split", found=found,
            remedy=f"name it in `splits` to take it; taken: {', '.join(self.splits)}",
        )  # fmt: skip

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        """Write a small invented set in upstream's layout below `root`, which exists and is empty."""
        raise NotImplementedError("this source has no miniature")


def _below(pattern: str, place: Place) -> dict[str, Path]:
    if not place.root.is_dir():
        return {}
    paths = place.root.glob(pattern) if any(c in pattern for c in "*?[") else [place.root / pattern]
    return {p.relative_to(place.root).as_posix(): p for p in paths if is_regular(p)}


# ------------------------------------------------------------------------------------------------------------ the shelf
class Shelf:
    """The files below a root, each to be taken once at least; what nobody takes ends as `not_a_record`.

    `refused` are the items of files that may not be read, which a source yields as they are."""

    def __init__(self, inventory: Sequence[Entry], exclude: Sequence[str]) -> None:
        good, self.refused = usable(inventory, exclude)
        self.by_path = {e.path: e for e in good}
        self._taken: set[str] = set()
        self._named: dict[str, Entry | None] = {}

    def get(self, path: str) -> Entry | None:
        """The file of a path below the root."""
        return self.by_path.get(path.removeprefix("./"))

    def first(self, *paths: str) -> Entry | None:
        """The first of these paths that is there."""
        return next((e for e in map(self.get, paths) if e is not None), None)

    def named(self, name: str) -> Entry | None:
        """The file of that name, in whatever folder; None where none or several have it."""
        if not self._named:
            for entry in self.by_path.values():
                own = PurePosixPath(entry.path).name
                self._named[own] = None if own in self._named else entry
        return self._named.get(name)

    def matching(self, *patterns: str) -> list[Entry]:
        """The files that shell patterns over the whole path choose (`*` crosses folders), sorted."""
        return [e for e in self.by_path.values() if matches(e.path, patterns)]

    def take(self, entry: Entry, role: str = "data") -> FileRef:
        """The file as part of a record."""
        self._taken.add(entry.path)
        return ref(entry, role)

    def rest(self, tables: Sequence[str] = ()) -> Iterator[Item]:
        """How the files end that nobody took: tables by these patterns, and what is no record."""
        yield from self.refused
        for path, entry in self.by_path.items():
            if path not in self._taken:
                table = matches(path, tables) if tables else False
                found = "a table: its rows are the records" if table else "a file that no record names"
                yield not_a_record(entry, found, "table" if table else "data")


# ---------------------------------------------------------------------------------------------------------------- rows
@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table, and where it stands. `row[column]` is its text, stripped, "" where the row says nothing;
    `row.value(column)` the value as it is (numbers, lists, bytes of a parquet cell)."""

    table: str
    number: int  # of the row, from 1
    values: dict[str, Any]

    def __getitem__(self, column: str) -> str:
        """Raises `RecordError` `bad_table` for a column that the table has not."""
        if column not in self.values:
            has = ", ".join(sorted(map(str, self.values))[:40])
            raise RecordError("bad_table", f"no column '{column}' in '{self.table}'; it has: {has}", REMEDY)
        return plain(self.values[column])

    def get(self, *columns: str) -> str:
        """The first of these columns that says something, else ""."""
        return next((text for c in columns if (text := plain(self.values.get(c)))), "")

    def value(self, column: str) -> Any:
        return self.values.get(column)

    @property
    def ref(self) -> FileRef:
        """The row as a part of a record's source; its digest is that of its canonical JSON, bytes by their digest."""
        try:
            data = canonical_json(self.values).encode()
        except (TypeError, ValueError):  # bytes, or a number that JSON has not
            data = canonical_json(_digestible(self.values)).encode()
        sha256 = hashlib.sha256(data).hexdigest()
        return FileRef(self.table, sha256, len(data), role="table", fragment=f"line={self.number}")

    def missing(self, name: str = "") -> Item:
        """How a row ends whose file is not below the root."""
        what = f"'{name}'" if name else "a file"
        return self.failed("media_missing", f"{what} is not below the root", "fetch the file, or take the row out")

    def failed(self, reason: str, found: str, remedy: str, *files: FileRef) -> Item:
        told = f"row {self.number} of '{self.table}': {found}"
        return Item(
            f"{self.table}#line={self.number}", "none", (self.ref, *files), status="failed", reason=reason, found=told,
            remedy=remedy,
        )  # fmt: skip


def plain(value: Any) -> str:
    """A cell as stripped text: numbers in plain notation; null, NaN and containers say nothing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if value != value:
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, int):
        return str(value)
    text = value.strip() if isinstance(value, str) else ""
    return "" if text.lower() in ("nan", "null", "none") else text


def _digestible(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _digestible(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_digestible(v) for v in value]
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    return value if isinstance(value, str | int | bool | None) else str(value)


def rows_below(name: str, place: Place, columns: Sequence[str] | None = None) -> Iterator[Line]:
    """The rows of a table below the root, one by one: CSV (its delimiter is found), TSV, JSON (a list of objects, or
    objects one a line), JSON lines, parquet or XLSX (its first sheet), by the end of its name. `columns` name those of
    a table without a header. A table of any size needs the memory of one row, an XLSX that of its distinct texts.

    Raises `RecordError` `bad_table` for what cannot be parsed, with the number of rows read before."""
    path, ending = place.file(name), PurePosixPath(name).suffix.lower()
    read = {
        ".json": _json,
        ".jsonl": _json_lines,
        ".ndjson": _json_lines,
        ".parquet": _parquet,
        ".xlsx": xlsx_rows,
    }.get(ending)
    number = 0
    try:
        for values in _delimited(path, columns) if read is None else read(path):
            number += 1
            if not isinstance(values, dict):
                raise ValueError(f"a JSON {type(values).__name__} where an object belongs")
            yield Line(name, number, values)
    except UnicodeDecodeError:
        raise RecordError("bad_table", f"'{name}' is not UTF-8 after row {number}", REMEDY) from None
    except (ValueError, RecursionError, csv.Error) as error:
        raise RecordError("bad_table", f"'{name}' breaks after row {number} ({type(error).__name__})", REMEDY) from None
    except OSError as error:
        raise RecordError("bad_table", f"'{name}' cannot be read ({type(error).__name__})", REMEDY) from None


def _delimited(path: Path, columns: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(MAX_CELL_CHARS)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        head = stream.readline(CHUNK_CHARS)
        delimiter = "\t" if path.suffix.lower() == ".tsv" else max(DELIMITERS, key=head.count)
        stream.seek(0)
        for row in csv.DictReader(_bounded(stream), fieldnames=columns, delimiter=delimiter):
            yield {str(k).strip(): v or "" for k, v in row.items() if k is not None and not isinstance(v, list)}


def _bounded(stream: TextIO) -> Iterator[str]:
    while line := stream.readline(MAX_CELL_CHARS):
        if len(line) == MAX_CELL_CHARS:
            raise csv.Error("a line beyond the bound")
        yield line


def _json_lines(path: Path) -> Iterator[Any]:
    with path.open(encoding="utf-8-sig") as stream:
        while line := stream.readline(MAX_OBJECT_CHARS):
            if line.strip():
                yield json.loads(line)


def _json(path: Path) -> Iterator[Any]:
    return (value for _, _, value in json_spans(path))


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as table:
            for batch in table.iter_batches(batch_size=BATCH_ROWS):
                yield from batch.to_pylist()
    except (pa.ArrowException, KeyError) as error:
        raise ValueError(str(error)) from error


# ------------------------------------------------------------------------------------------------- files beside media
def sidecar(place: Place, entry: Entry) -> bytes:
    """The bytes of a small file beside a medium, checked against the inventory.

    Raises `RecordError` `too_large` and `changed_since_plan`."""
    if entry.size_bytes > MAX_SIDECAR_BYTES:
        raise RecordError("too_large", f"{entry.size_bytes} bytes beside a medium", REMEDY)
    data = place.file(entry.path).read_bytes()
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise RecordError("changed_since_plan", "other bytes than the plan names", "run again: it is planned anew")
    return data


def sidecar_text(place: Place, entry: Entry) -> str:
    """Raises `RecordError` `bad_text` besides what `sidecar` raises."""
    try:
        return sidecar(place, entry).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RecordError("bad_text", "bytes that are not UTF-8", REMEDY) from None


def sidecar_json(place: Place, entry: Entry) -> Any:
    """Raises `RecordError` `bad_json` besides what `sidecar` raises."""
    try:
        return json.loads(sidecar_text(place, entry))
    except (ValueError, RecursionError):
        raise RecordError("bad_json", "a file that is no JSON", REMEDY) from None


def sidecar_rows(place: Place, entry: Entry, columns: Sequence[str] | None = None) -> list[dict[str, str]]:
    """The rows of a small CSV, TSV or bar-separated file beside a medium."""
    text = sidecar_text(place, entry)
    delimiter = max(DELIMITERS, key=text.split("\n", 1)[0].count)
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), fieldnames=columns, delimiter=delimiter))
    except csv.Error:
        raise RecordError("bad_table", "a file that is no CSV", REMEDY) from None
    return [{str(k).strip(): str(v or "").strip() for k, v in row.items() if k is not None} for row in rows]


def broken(entry: Entry, error: RecordError) -> Item:
    """How a file ends that could not be parsed."""
    return outcome(entry, "failed", error.reason, error.found, error.remedy)


# --------------------------------------------------------------------------------------------------------------- facts
def told(name: str, value: str, origin: str, about: str = "", unit: str = "", at: str = "") -> tuple[Fact, ...]:
    """One fact, or none where the source says nothing."""
    return (Fact(name, value, origin, unit, about, at),) if value else ()


def labels(
    line: Line, columns: Sequence[str], name: str = "finding", values: dict[str, str] | None = None
) -> tuple[Fact, ...]:
    """One fact for each column that says something: `about` is the column, the value mapped by `values` (those that it
    lacks say nothing), else as written."""
    found: list[Fact] = []
    for column in columns:
        cell = line.get(column)
        value = cell if values is None else values.get(cell, "")
        found += told(name, value, f"column:{column}", about=column)
    return tuple(found)


def box(x0: float, y0: float, x1: float, y1: float, about: str, origin: str, at: str = "") -> tuple[Fact, ...]:
    """A half-open box in pixels of the stored picture, or none where it has no inside or lies left of or above it."""
    if not (0 <= x0 < x1 < 1e6 and 0 <= y0 < y1 < 1e6):
        return ()
    value = ",".join(f"{v:.3f}".rstrip("0").rstrip(".") for v in (x0, y0, x1, y1))
    return (Fact("box", value, origin, "px", about, at),)
