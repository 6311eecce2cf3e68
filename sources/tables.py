"""A CSV or TSV table whose rows describe media files; shared by the image and the video table.

Quirks of such tables: byte-order marks, semicolons or tabs instead of commas, columns with stray spaces, rows whose
file is absent, files that no row names. Each ends in the ledger with its reason. All rows of one file, or of one part
of it, are one record: their questions in order, their facts and texts each once. The table is read twice: first to
count the rows of each file, so that no more of them are held than those of files whose last row is still to come.

What a table's first `HEAD_BYTES` show (no header, a column that the recipe names wrongly, bytes that are no UTF-8) is a
mistake of the recipe, and raises `RecipeError` before anything is written. What only reading all of it shows is
`bad_table`. Rows are read one by one; a line has at most `MAX_LINE` characters, a field 131,072 (Python's limit).
"""

from __future__ import annotations

import contextlib
import csv
import functools
import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from manifests.errors import RecipeError, RecordError
from manifests.record import Asked, FileRef, canonical_json
from sources.base import (
    Entry,
    Form,
    Item,
    Place,
    Pseudonym,
    SourceConfig,
    column_facts,
    is_regular,
    not_a_record,
    ref,
    unplaced,
    usable,
)
from sources.studies import Shot

Row = dict[str, str]

HEAD_BYTES = 1 << 20
MAX_LINE = 16 << 20
DELIMITERS = ",;\t|"
FIRST_LINE = 2  # of the rows: the header has the first


class TableConfig(SourceConfig):
    """`table` lies below the root, else beside the recipe; a media column is a column name or a template such as
    `png/{image_id}.png`; `labels` lists columns that become label facts."""

    table: str
    text: str = ""
    question: str = ""
    answer: str = ""
    group: str = ""
    labels: tuple[str, ...] = ()

    def media_column(self) -> str:
        """The column, or template, that names the media file."""
        raise NotImplementedError(f"{type(self).__name__} does not say which column names its files")

    def part(self, row: Row) -> str:
        """Which part of its file a row is about, as `FileRef.fragment` writes it; "" for all of it.

        Raises `RecordError` for a row that says it wrongly."""
        return ""

    def columns(self) -> tuple[str, ...]:
        """Further columns that the recipe names."""
        return ()

    def tables(self, place: Place) -> tuple[tuple[str, Path], ...]:
        return ((self.table, find_table(self.table, place)),) if self.table else ()

    def look(self, place: Place) -> None:
        if self.table:
            _check_columns(self, header_of(find_table(self.table, place), self.table))

    def patients(self, item: Item, place: Place) -> tuple[str, ...]:
        """The group column of the item's row. The table is read again, once in a process: items hold pseudonyms only.

        Raises `RecordError` `bad_table`, and `changed_since_plan` where the row is not there any more."""
        lines = [
            int(f.fragment.removeprefix("line="))
            for f in item.files
            if f.path == self.table and f.role == "table" and f.fragment
        ]
        if not self.group or not lines:
            return ()
        path = find_table(self.table, place)
        state = path.stat()
        values = _column(self.table, path, self.group, (state.st_size, state.st_mtime_ns))
        if max(lines) >= len(values) + FIRST_LINE:
            found = f"{len(values)} rows in '{self.table}'"
            raise RecordError("changed_since_plan", found, "run again: it is planned anew")
        return tuple(value for line in lines if (value := values[line - FIRST_LINE]))

    def asked_of(self, rows: Iterable[Row]) -> tuple[Asked, ...]:
        """What rows ask, each exchange once."""
        every = (Asked(unplaced(row.get(self.question, "")), unplaced(row.get(self.answer, ""))) for row in rows)
        return tuple(dict.fromkeys(one for one in every if one.question or one.answer))

    def rows_item(self, media: tuple[str, Entry], shot: Shot, form: Form, pseudonym: Pseudonym) -> Item:
        """All rows of a file, or of a part of it, as an item; `media` is the item's identity and the file's entry."""
        identity, entry = media
        rows = [row for row, _ in shot.rows]
        files = (ref(entry), *(file for _, file in shot.rows))
        patients = dict.fromkeys(row[self.group] for row in rows if row[self.group]) if self.group else {}
        if len(patients) > 1:
            return Item(
                upstream_id=identity,
                form="none",
                files=files,
                status="failed",
                reason="file_of_several_patients",
                found=f"{len(patients)} values of the patient's column in the rows of one file",
                remedy="mend the patient's column",
            )
        texts = dict.fromkeys(text for row in rows if (text := unplaced(row.get(self.text, ""))))
        return Item(
            upstream_id=identity,
            form=form,
            files=files,
            group=pseudonym("patient", next(iter(patients))) if patients else "",
            facts=tuple(
                dict.fromkeys([*self.declared_facts(), *(f for r in rows for f in column_facts(r, self.labels))])
            ),
            text="\n\n".join(texts),
            asked=self.asked_of(rows),
        )


def table_items(
    config: TableConfig,
    form: Form,
    place: Place,
    inventory: Sequence[Entry],
    pseudonym: Pseudonym,
    shots: dict[str, Shot] | None = None,
    alone: bool = True,
) -> Iterator[Item]:
    """One item per file, or part of it, that rows name; rows without a file and files without a row end as rows of
    their own. `shots` takes up all rows of each file; not `alone`: they are no items of their own."""
    entries, refused = usable(inventory, config.exclude)
    yield from refused
    by_path = {e.path: e for e in entries}
    left = _rows_of_each(config, place, by_path) if alone else Counter[str]()
    held: dict[str, Shot] = {}
    named: set[str] = set()
    line = 1  # the header
    for line, row in enumerate(read_table(config, place), start=FIRST_LINE):
        path = media_path(config.media_column(), row, config.table)
        if path not in by_path:
            yield missing_row(config.table, line, row)
            continue
        named.add(path)
        try:
            part = config.part(row)
        except RecordError as error:
            yield _unusable(config.table, line, row, by_path[path], error)
            continue
        whole = f"{path}#{part}" if part else path
        if shots is not None:
            shots.setdefault(whole, Shot(by_path[path], [])).rows.append((row, row_ref(config.table, line, row)))
        if alone:
            held.setdefault(whole, Shot(by_path[path], [])).rows.append((row, row_ref(config.table, line, row)))
            left[whole] -= 1
            if left[whole] == 0:
                yield config.rows_item((whole, by_path[path]), held.pop(whole), form, pseudonym)
    for entry in entries:
        if entry.path == config.table:
            yield not_a_record(entry, f"the table: its {line - 1} rows are the records", "table")
        elif entry.path not in named:
            yield not_a_record(entry, f"a file that no row of '{config.table}' names")


def _rows_of_each(config: TableConfig, place: Place, files: Collection[str]) -> Counter[str]:
    """How many rows each file, or part of one, has."""
    found = Counter[str]()
    for row in read_table(config, place):
        path = media_path(config.media_column(), row, config.table)
        if path in files:
            with contextlib.suppress(RecordError):  # told where the rows are read
                part = config.part(row)
                found[f"{path}#{part}" if part else path] += 1
    return found


def find_table(table: str, place: Place) -> Path:
    """Below the root, where no link is followed, else beside the recipe. An absolute path, which lineages would repeat,
    is refused."""
    if Path(table).is_absolute():
        raise RecipeError("a table's path is absolute; give it relative to the root, or to the recipe's folder")
    inside, beside = place.root / table, place.recipe_folder / table
    if is_regular(inside):
        return inside
    if beside != inside and beside.is_file():
        return beside
    raise RecipeError(f"table '{table}' is neither below the root nor beside the recipe, as a regular file")


def header_of(path: Path, name: str) -> list[str]:
    """The column names, stripped, by a table's first bytes. Raises `RecipeError` where those are no CSV's."""
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    whole_lines = head if len(head) < HEAD_BYTES else head[: head.rfind(b"\n") + 1]
    try:
        text = whole_lines.decode("utf-8-sig")
        header = next(csv.reader(text.splitlines(), delimiter=delimiter_of(text)), [])
    except UnicodeDecodeError:
        raise RecipeError(f"table '{name}' is not UTF-8; convert it and run again") from None
    except csv.Error:
        raise RecipeError(f"table '{name}' begins with no CSV; give a CSV or TSV file with a header row") from None
    if not header:
        raise RecipeError(f"table '{name}' is empty, or its first line too long; it needs a header row")
    return [column.strip() for column in header]


def delimiter_of(text: str) -> str:
    """Which of comma, semicolon, tab and bar stands most often in the first line."""
    return max(DELIMITERS, key=text.split("\n", 1)[0].count)


def read_table(config: TableConfig, place: Place) -> Iterator[Row]:
    """Rows as text, header names stripped, one by one.

    Raises `RecordError` `bad_table` where the table breaks, `RecipeError` where it lacks a column."""
    return _rows(config.table, find_table(config.table, place), functools.partial(_check_columns, config))


def rows_of_table(name: str, place: Place, check: Callable[[Sequence[str]], None]) -> Iterator[Row]:
    """All rows of a further table as text; `check` is shown the header. Raises `RecordError` `bad_table`."""
    return _rows(name, find_table(name, place), check)


def _rows(name: str, path: Path, check: Callable[[Sequence[str]], None]) -> Iterator[Row]:
    remedy = "mend the table, or write it anew as UTF-8 CSV, then run again"
    read = 0
    try:
        with path.open(encoding="utf-8-sig") as stream:
            delimiter = delimiter_of(stream.readline(HEAD_BYTES))
            stream.seek(0)
            reader = csv.DictReader(_lines(stream), delimiter=delimiter)
            check([str(column).strip() for column in reader.fieldnames or ()])
            for row in reader:
                read += 1
                yield {str(k).strip(): (v or "").strip() for k, v in row.items() if not isinstance(v, list)}
    except UnicodeDecodeError:
        raise RecordError("bad_table", f"bytes that are not UTF-8 in '{name}' after row {read}", remedy) from None
    except csv.Error:
        raise RecordError("bad_table", f"no CSV in '{name}' after row {read}", remedy) from None
    except OSError as error:
        raise RecordError("bad_table", f"'{name}' cannot be read ({type(error).__name__})", remedy) from None


@functools.lru_cache(maxsize=2)
def _column(name: str, path: Path, column: str, _state: tuple[int, int]) -> tuple[str, ...]:
    """One column of a whole table, in the order of its rows, equal values once in memory."""
    return tuple(sys.intern(row.get(column, "")) for row in _rows(name, path, lambda _: None))


def _lines(stream: TextIO) -> Iterator[str]:
    while line := stream.readline(MAX_LINE):
        if len(line) == MAX_LINE:
            raise csv.Error("a line beyond the bound")
        yield line


def row_ref(table: str, line: int, row: Row) -> FileRef:
    """One row of a table as a part of a record's source: its digest is of the row's canonical JSON."""
    data = canonical_json(row).encode()
    sha256 = hashlib.sha256(data).hexdigest()
    return FileRef(path=table, sha256=sha256, size_bytes=len(data), role="table", fragment=f"line={line}")


def _check_columns(config: TableConfig, header: Sequence[str]) -> None:
    """Raise `RecipeError` for a column that the recipe names and the table lacks."""
    has = f"it has: {', '.join(sorted(header))}"
    media = config.media_column()
    named = ("" if "{" in media else media, config.text, config.question, config.answer, config.group)
    for column in (*named, *config.labels, *config.columns()):
        if column and column not in header:
            raise RecipeError(f"table '{config.table}' has no column '{column}'; {has}")
    if "{" in media:
        media_path(media, dict.fromkeys(header, ""), config.table)


def media_path(media: str, row: Row, table: str) -> str:
    if "{" not in media:
        return row[media]
    try:
        return media.format_map(row)
    except (KeyError, ValueError, IndexError, AttributeError):
        raise RecipeError(
            f"template '{media}' names a column that table '{table}' has not; it has: {', '.join(sorted(row))}"
        ) from None


def missing_row(table: str, line: int, row: Row) -> Item:
    return Item(
        upstream_id=f"{table}#line={line}",
        form="none",
        files=(row_ref(table, line, row),),
        status="failed",
        reason="media_missing",
        found=f"line {line} of '{table}' names a file that is not below the root",
        remedy="fetch the file or remove the row",
    )


def _unusable(table: str, line: int, row: Row, entry: Entry, error: RecordError) -> Item:
    """A row whose file is there and whose words about it are wrong."""
    return Item(
        upstream_id=f"{table}#line={line}",
        form="none",
        files=(row_ref(table, line, row), ref(entry)),
        status="failed",
        reason=error.reason,
        found=f"line {line} of '{table}': {error.found}",
        remedy=error.remedy,
    )
