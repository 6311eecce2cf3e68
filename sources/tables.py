"""A CSV or TSV table whose rows describe media files; shared by the image and the video table.

Quirks of such tables: byte-order marks, semicolons or tabs instead of commas, columns with stray spaces, several rows
for one file, rows whose file is absent, files that no row names. Each ends in the ledger with its reason.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from manifests.errors import RecipeError, RecordError
from manifests.record import FileRef, canonical_json
from sources.base import Entry, Form, Item, Place, Pseudonym, SourceConfig, column_facts, not_a_record, ref, usable

Row = dict[str, str]


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

    def check(self, place: Place) -> None:
        if self.table:
            _checked_rows(self, place)

    def row_item(self, row: Row, line: int, media: tuple[str, Entry], form: Form, pseudonym: Pseudonym) -> Item:
        """A row and its file as an item; `media` is the item's identity and the file's entry."""
        identity, entry = media
        return Item(
            upstream_id=identity,
            form=form,
            files=(ref(entry), row_ref(self.table, line, row)),
            group=pseudonym("patient", row[self.group]) if self.group and row[self.group] else "",
            facts=(*self.declared_facts(), *column_facts(row, self.labels)),
            text=row.get(self.text, ""),
            question=row.get(self.question, ""),
            answer=row.get(self.answer, ""),
        )


def table_items(
    config: TableConfig, form: Form, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym
) -> Iterator[Item]:
    """One item per row whose file is there; rows without a file and files without a row end as rows of their own."""
    rows = _checked_rows(config, place)
    entries, refused = usable(inventory, config.exclude)
    yield from refused
    by_path = {e.path: e for e in entries}
    claims: dict[str, int] = {}
    named: set[str] = set()
    for line, row in enumerate(rows, start=2):  # line 1 is the header
        path = _media_path(config.media_column(), row, config.table)
        if path not in by_path:
            yield _missing(config.table, line, row)
            continue
        named.add(path)
        try:
            part = config.part(row)
        except RecordError as error:
            yield _unusable(config.table, line, row, by_path[path], error)
            continue
        whole = f"{path}#{part}" if part else path
        claims[whole] = claims.get(whole, 0) + 1
        # the first row of a file is its record; a further row (another question or finding) is a record of its own
        identity = whole if claims[whole] == 1 else f"{whole}#row={claims[whole]}"
        yield config.row_item(row, line, (identity, by_path[path]), form, pseudonym)
    for entry in entries:
        if entry.path == config.table:
            yield not_a_record(entry, f"the table: its {len(rows)} rows are the records", "table")
        elif entry.path not in named:
            yield not_a_record(entry, f"a file that no row of '{config.table}' names")


def _checked_rows(config: TableConfig, place: Place) -> list[Row]:
    """The table's rows, if it is there and has the columns that the recipe names."""
    rows = read_table(find_table(config.table, place), config.table)
    named = (
        config.media_column(),
        config.text,
        config.question,
        config.answer,
        config.group,
        *config.labels,
        *config.columns(),
    )
    _check_columns(rows, [c for c in named if c and "{" not in c], config.table)
    return rows


def find_table(table: str, place: Place) -> Path:
    for path in (place.root / table, place.recipe_folder / table):
        if path.is_file():
            return path
    raise RecipeError(f"table '{table}' is neither below the root nor beside the recipe")


def read_table(path: Path, name: str) -> list[Row]:
    """Rows as text, header names stripped; raises `RecipeError` for a table that is no CSV or has no header."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise RecipeError(f"table '{name}' is not UTF-8; convert it and run again") from None
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t|", key=first.count)
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    if not reader.fieldnames:
        raise RecipeError(f"table '{name}' is empty; it needs a header row")
    return [{str(k).strip(): (v or "").strip() for k, v in row.items() if not isinstance(v, list)} for row in reader]


def row_ref(table: str, line: int, row: Row) -> FileRef:
    """One row of a table as a part of a record's source: its digest is of the row's canonical JSON."""
    data = canonical_json(row).encode()
    sha256 = hashlib.sha256(data).hexdigest()
    return FileRef(path=table, sha256=sha256, size_bytes=len(data), role="table", fragment=f"line={line}")


def _check_columns(rows: list[Row], columns: list[str], name: str) -> None:
    for column in columns:
        if rows and column not in rows[0]:
            raise RecipeError(f"table '{name}' has no column '{column}'; it has: {', '.join(sorted(rows[0]))}")


def _media_path(media: str, row: Row, table: str) -> str:
    if "{" not in media:
        return row[media]
    try:
        return media.format_map(row)
    except (KeyError, ValueError, IndexError, AttributeError):
        raise RecipeError(
            f"template '{media}' names a column that table '{table}' has not; it has: {', '.join(sorted(row))}"
        ) from None


def _missing(table: str, line: int, row: Row) -> Item:
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
