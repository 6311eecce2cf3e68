"""What sources of texts share: tables of any size cut into runs of rows, and questions with options.

Tables are JSON lines, JSON (a list of objects, or an object of objects by their ids), parquet and CSV, by the ends of
their names and their first bytes. `peek` finds the runs, `rows` reads one at a time: what is in memory is one run of
about `BLOCK_BYTES` (of parquet a few rows), however large the file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Literal

from manifests.errors import RecipeError, RecordError
from manifests.record import Asked, Fact, FileRef
from sources.base import Entry, Item, Place, Pseudonym, matches, ref
from sources.containers import block_items, parquet_peek, parquet_rows
from sources.jsonl_text import blocks
from sources.upstream import MAX_OBJECT_CHARS, REMEDY, Line, Shelf, Upstream, rows_below

BLOCK_BYTES = 4 << 20
HEAD_BYTES = 1 << 20
RUN_FILES = 256
RUN_BYTES = 16 << 20
MAX_DEPTH = 64
KEY = "(key)"  # the column of an object's own key, where rows are values of one object
TOKEN = re.compile(rb'"[^"\\]*+(?:\\.?[^"\\]*+)*+("?)|[\[\]{},]', re.DOTALL)
QUOTE, COMMA = b'",'
OPENING, CLOSING = b"[{", b"]}"
LETTERS = "ABCDEFGHIJ"
Shape = Literal["list", "object", "lines"]


class TextRows(Upstream):
    """The base of sources whose records are rows of tables. `patterns` choose the tables, `columns` name those of CSV
    files without a header; `split_of` tells a table's split by its path, and `record` makes the item of a row."""

    patterns: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[str, ...] | None] = None

    def check(self, place: Place) -> None:
        super().check(place)
        if place.root.is_dir() and not any(
            matches(p.relative_to(place.root).as_posix(), self.patterns) for p in place.root.rglob("*")
        ):
            wanted = " nor ".join(f"'{p}'" for p in self.patterns)
            told = f"below its root is no {wanted}; `curate sources {self.card.name}` tells the layout"
            raise RecipeError(f"source '{self.called}': {told}")

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        wanted = any(PurePosixPath(path.name).match(PurePosixPath(p).name) for p in self.patterns)
        return text_peek(path) if wanted else {}

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for entry in shelf.matching(*self.patterns):
            shelf.take(entry)
            split = self.split_of(entry.path)
            other = self.other_split(split, (ref(entry),), entry.path) if split else None
            yield from block_items(entry) if other is None else (other,)
        yield from shelf.rest()

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        for number, row in enumerate(text_rows(item, place, self.columns)):
            if isinstance(row, Item):
                yield row
                continue
            try:
                yield self.record(row, pseudonym)
            except RecordError as error:
                if error.reason == "bad_table" and not number:
                    raise  # another table than upstream's: it fails as one
                yield row.failed(error.reason, error.found, error.remedy)

    def split_of(self, path: str) -> str:
        """What upstream calls the split of a table; "" where there is but one."""
        return ""

    def record(self, row: Line, pseudonym: Pseudonym) -> Item:
        """Raises `RecordError` for a row that says too little."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its records are")

    def told_of(
        self, row: Line, name: str, asked: tuple[Asked, ...] = (), facts: Sequence[Fact] = (), text: str = "",
        group: str = "",
    ) -> Item:  # fmt: skip
        """A row as a text record, with its table's split."""
        split = self.split_of(row.table)
        own = (Fact("split", split, "file"),) if split and not any(f.name == "split" for f in facts) else ()
        return Item(
            upstream_id=name or f"{row.table}#line={row.number}",
            form="text",
            files=(part(row),),
            group=group,
            facts=(*self.declared_facts(), *facts, *own),
            text=text,
            asked=asked,
        )


def part(row: Line) -> FileRef:
    """A row as the text that a record is made of."""
    return dataclasses.replace(row.ref, role="data")


def said(row: Line, column: str) -> str:
    """A column's text. Raises `RecordError` `bad_table` where there is no such column, `empty_fields` where it says
    nothing."""
    text = row[column]
    if not text:
        raise RecordError("empty_fields", f"nothing in '{column}'", "none needed, or fill it in upstream's way")
    return text


def choice(question: str, options: Mapping[str, str], right: str, about: str = "", why: str = "") -> Asked:
    """A question with options by letter; `right` is a letter, or the text of one.

    Raises `RecordError` `bad_choice` where that is none of them, or they are fewer than two."""
    texts = {k: v.strip() for k, v in options.items() if v.strip()}
    answer = texts.get(right.strip().upper(), right.strip())
    distinct = tuple(dict.fromkeys(texts.values()))
    if answer not in distinct or len(distinct) < 2:
        raise RecordError("bad_choice", f"an answer that is none of {len(distinct)} options", REMEDY)
    return Asked(question, answer, distinct, about, why)


# ----------------------------------------------------------------------------------------------------------- the runs
def text_peek(path: Path) -> dict[str, str]:
    """The runs of a table's rows as `first byte (of parquet: row),bytes,first row (of parquet: rows)`, joined by `;`.

    Raises `RecordError` `bad_json` and `bad_table`."""
    ending = path.suffix.lower()
    if ending == ".parquet":
        return parquet_peek(path)
    if ending in (".csv", ".tsv"):
        size = path.stat().st_size
        return {"blocks": f"0,{size},1" if size else ""}
    found = blocks(path, BLOCK_BYTES) if shape_of(path) == "lines" else json_runs(path)
    return {"blocks": ";".join(f"{at},{size},{first}" for at, size, first in found)}


def text_rows(item: Item, place: Place, columns: Sequence[str] | None = None) -> Iterator[Line | Item]:
    """The rows of a run; a line that is no row is an item that has failed.

    Raises `RecordError` `bad_table` and `bad_json`."""
    path = item.files[0].path
    ending = PurePosixPath(path).suffix.lower()
    if ending == ".parquet":
        yield from parquet_rows(item, place)
    elif ending in (".csv", ".tsv"):
        yield from rows_below(path, place, columns)
    else:
        yield from _json_rows(item, place.file(path))


def _json_rows(item: Item, path: Path) -> Iterator[Line | Item]:
    at, size, first = item.block or (0, 0, 1)
    shape = shape_of(path)
    with path.open("rb") as stream:
        stream.seek(at)
        data = stream.read(size)
    name = item.files[0].path
    if shape == "lines":
        for number, line in enumerate(data.split(b"\n"), start=first):
            if line.strip():
                yield _row(name, number, _parsed(line), line)
        return
    values = _parsed(b"[" + data + b"]" if shape == "list" else b"{" + data + b"}")
    if values is None:
        raise RecordError("bad_json", f"'{name}' breaks after row {first - 1}", REMEDY)
    named = ((None, v) for v in values) if isinstance(values, list) else values.items()
    for number, (key, value) in enumerate(named, start=first):
        whole = value if key is None or not isinstance(value, dict) else {KEY: key, **value}
        yield _row(name, number, whole, json.dumps(whole).encode())


def _parsed(data: bytes) -> Any:
    """A JSON value, None for what is none."""
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def _row(name: str, number: int, value: Any, data: bytes) -> Line | Item:
    """A value as a row; an item that has failed where it is no object of plain Unicode texts."""
    problem = "" if isinstance(value, dict) else "no JSON object"
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        problem = "a lone surrogate"
    if not problem:
        return Line(name, number, value)
    file = FileRef(name, hashlib.sha256(data).hexdigest(), len(data), fragment=f"line={number}")
    return Item(
        f"{name}#line={number}", "none", (file,), status="failed", reason="bad_json",
        found=f"row {number} of '{name}': {problem}", remedy=REMEDY,
    )  # fmt: skip


def shape_of(path: Path) -> Shape:
    """How the rows of a JSON file stand: in a list, in an object by their keys, or one a line.

    Raises `RecordError` `bad_json` for what begins no JSON."""
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return "lines"
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] == b"[":
        return "list"
    if text[:1] == b"{":
        line, _, more = text.partition(b"\n")
        first = _parsed(line)
        one = isinstance(first, dict) and bool(first) and all(isinstance(v, dict) for v in first.values())
        return "lines" if isinstance(first, dict) and (more.strip() or not one) else "object"
    if not text and len(head) < HEAD_BYTES:
        return "lines"  # nothing but blanks: no rows
    raise RecordError("bad_json", "a file that begins no list and no object", REMEDY)


def json_runs(path: Path) -> Iterator[tuple[int, int, int]]:
    """(first byte, bytes, number of the first row from 1) of runs of whole elements of a file's one list or object.

    Raises `RecordError` `bad_json`."""
    depth, begin, first, count, seen = 0, 0, 1, 0, False
    for at, token in _tokens(path):
        if token in OPENING:
            if depth == 0 and begin:
                raise RecordError("bad_json", "several values where one belongs", REMEDY)
            depth += 1
            begin, seen = (at + 1, False) if depth == 1 else (begin, True)
        elif token in CLOSING:
            depth -= 1
            if depth == 0 and seen:
                yield begin, at - begin, first
        elif depth == 1 and token == COMMA:
            count += 1
            if at - begin >= BLOCK_BYTES:
                yield begin, at - begin, first
                begin, first, seen = at + 1, count + 1, False
        else:
            seen = True
        if not 0 <= depth <= MAX_DEPTH:
            raise RecordError("bad_json", "values nested too deep, or closed twice", REMEDY)
    if depth:
        raise RecordError("bad_json", "a file that ends inside of a value", REMEDY)


def _tokens(path: Path) -> Iterator[tuple[int, int]]:
    """(place, first byte) of each text, bracket, brace and comma of a JSON file; texts are passed over whole."""
    with path.open("rb") as stream:
        data, base = b"", 0
        while more := stream.read(max(HEAD_BYTES, len(data))):
            data += more
            done = len(data)
            for found in TOKEN.finditer(data):
                if data[found.start()] == QUOTE and not found[1]:
                    done = found.start()  # the text goes on in what is not yet read
                    break
                yield base + found.start(), data[found.start()]
            data, base = data[done:], base + done
            if len(data) > MAX_OBJECT_CHARS:
                break
        if data:
            raise RecordError("bad_json", "a text that does not end", REMEDY)


def documents(entries: Sequence[Entry]) -> Iterator[Item]:
    """Files of one document each as containers of many, so that a unit reads a run of them."""
    run: list[Entry] = []
    for entry in entries:
        run.append(entry)
        if len(run) >= RUN_FILES or sum(e.size_bytes for e in run) >= RUN_BYTES:
            yield _run_of(run)
            run = []
    if run:
        yield _run_of(run)


def _run_of(run: Sequence[Entry]) -> Item:
    return Item(f"{run[0].path}#files={len(run)}", "rows", tuple(ref(entry) for entry in run))
