"""Rows of a benchmark's tables, and what their cells mean; shared by the readers.

A table is JSON (a list of objects), JSON lines, CSV, TSV or parquet, told by the end of its name. Rows come as dicts in
the table's order. What is not there is a `RecipeError` that names the file and what to do; what cannot be parsed is
`RecordError("bad_benchmark")`. Messages hold file and column names, never a cell. JSON and CSV are read whole: a
benchmark is small beside what is trained on.
"""

from __future__ import annotations

import ast
import base64
import binascii
import csv
import io
import json
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from manifests.errors import RecipeError, RecordError

Row = dict[str, Any]
MAX_BYTES = 8 << 30
MAX_CELL = 1 << 28  # an image in base64
BATCH_ROWS = 64
LETTERS = "ABCDEFGHIJ"
DELIMITERS = {".csv": ",", ".tsv": "\t"}


def check_split(split: str, known: Sequence[str], name: str) -> None:
    if split not in known:
        raise RecipeError(f"benchmark '{name}' has no split '{split}'; it has: {', '.join(known)}")


def find(folder: Path, patterns: Sequence[str], name: str) -> list[Path]:
    """The files of the first pattern that matches any, sorted."""
    if not folder.is_dir():
        raise RecipeError(f"benchmark '{name}': '{folder}' is no folder; give the folder that upstream's files lie in")
    for pattern in patterns:
        if found := sorted(p for p in folder.glob(pattern) if p.is_file()):
            return found
    raise RecipeError(f"benchmark '{name}': no {' or '.join(patterns)} below '{folder}'; fetch it from upstream")


def rows(path: Path, needed: Sequence[str] = ()) -> Iterator[Row]:
    """The rows of a table; every one of `needed` must be a column (of JSON: a key of the first row)."""
    first = True
    for row in _read(path):
        if first:
            need(row, needed, path)
            first = False
        yield row


def need(row: Row, needed: Sequence[str], path: Path) -> None:
    missing = [n for n in needed if n not in row]
    if missing:
        has = ", ".join(sorted(str(k) for k in row)[:40])
        raise RecipeError(f"'{path.name}' has no {', '.join(missing)}; it has: {has}. Is it this benchmark's file?")


def json_value(path: Path) -> Any:
    text = _text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _bad(path, type(error).__name__) from error


def _read(path: Path) -> Iterator[Row]:
    ending = path.suffix.lower()
    if ending == ".parquet":
        return _parquet(path)
    if ending in DELIMITERS:
        return _delimited(path, DELIMITERS[ending])
    if ending in (".jsonl", ".ndjson"):
        return _json_lines(path)
    if ending == ".json":
        return _json_list(path)
    raise RecipeError(f"'{path.name}' is no table that is known by its name: .json, .jsonl, .csv, .tsv or .parquet")


def _json_list(path: Path) -> Iterator[Row]:
    """A list of objects; or objects one a line, as some upstreams name `.json` too."""
    text = _text(path)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return _parsed_lines(path, text)
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(r, dict) for r in value):
        raise _bad(path, "JSON that is no list of objects")
    return iter(value)


def _json_lines(path: Path) -> Iterator[Row]:
    return _parsed_lines(path, _text(path))


def _parsed_lines(path: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _bad(path, f"line {number} that is no JSON") from error
        if not isinstance(row, dict):
            raise _bad(path, f"line {number} that is no object")
        yield row


def _delimited(path: Path, delimiter: str) -> Iterator[Row]:
    for row in delimited(path, delimiter):
        yield dict(row)


def delimited(path: Path, delimiter: str, header: Sequence[str] | None = None) -> Iterator[Row]:
    """The rows of a CSV or TSV table, names stripped; `header` where the table has none of its own."""
    text = _text(path)
    csv.field_size_limit(MAX_CELL)
    reader = csv.DictReader(io.StringIO(text, newline=""), fieldnames=header, delimiter=delimiter)
    try:
        for row in reader:
            if None in row:
                raise _bad(path, f"a row near line {reader.line_num} with more cells than columns")
            yield {str(k).strip(): v or "" for k, v in row.items()}
    except csv.Error as error:
        raise _bad(path, f"line {reader.line_num} that is no CSV") from error


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as table:
            for batch in table.iter_batches(batch_size=BATCH_ROWS):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise _bad(path, type(error).__name__) from error


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _bad(path, f"more than {MAX_BYTES} bytes")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad(path, "bytes that are not UTF-8") from error
    except OSError as error:
        raise RecipeError(f"'{path}' cannot be read ({type(error).__name__})") from error


def _bad(path: Path, found: str) -> RecordError:
    return RecordError("bad_benchmark", f"'{path.name}': {found}", "fetch the file anew from upstream")


# ------------------------------------------------------------------------------------------------------------- cells
def said(row: Row, *names: str) -> str:
    """The first of these cells that says something, as stripped text; numbers in plain notation; null and NaN say
    nothing, nor does an empty cell: ""."""
    for name in names:
        value = row.get(name)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, int | float):
            if value == value:
                return f"{value:g}" if isinstance(value, float) else str(value)
        elif isinstance(value, str) and value.strip() and value.strip().lower() not in ("nan", "null"):
            return value.strip()
    return ""


def options(value: Any) -> tuple[str, ...]:
    """Answer options however they stand: a list, a list of {letter, content}, {"A": ...}, or such as JSON or Python
    text."""
    if isinstance(value, str):
        value = _literal(value)
    if isinstance(value, dict):
        value = [value[k] for k in sorted(value, key=str)]
    if not isinstance(value, list | tuple):
        return ()
    texts = (
        str(v.get("content", v.get("text", ""))) if isinstance(v, dict) else str(v) for v in value if v is not None
    )
    return tuple(t.strip() for t in texts if t.strip())


def _literal(text: str) -> Any:
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    return [line for line in text.split("\n") if line.strip()]


def lettered(row: Row, template: str, letters: str = LETTERS) -> tuple[str, ...]:
    """Options that stand in columns of their own: `template` is "Choice {}", "option_{}" or "{}"; "-" is no option."""
    found = (said(row, template.format(letter)) for letter in letters)
    return tuple(f for f in found if f and f != "-")


def numbered(row: Row, template: str, start: int) -> Iterator[Any]:
    """The cells image_1, image_2, ... up to the first that is not a column."""
    for number in count(start):
        if template.format(number) not in row:
            return
        yield row[template.format(number)]


def chosen(letter: str, choices: Sequence[str]) -> str:
    """The text of the option that a letter (A) or index (0) names; what is neither is an answer in its own words."""
    if letter.strip() in choices:
        return letter.strip()
    label = letter.strip().strip("().:").upper()
    if len(label) == 1 and label in LETTERS and LETTERS.index(label) < len(choices):
        return choices[LETTERS.index(label)]
    if label.isdigit() and int(label) < len(choices):
        return choices[int(label)]
    return letter.strip()


def embedded(value: Any) -> tuple[bytes, ...]:
    """Images inside a table: Hugging Face's {"bytes", "path"}, base64 text, or lists of these."""
    if isinstance(value, dict):
        value = value.get("bytes")
    if isinstance(value, bytes):
        return (value,) if value else ()
    if isinstance(value, str) and value.startswith("["):
        value = _literal(value)
    if isinstance(value, list | tuple):
        return tuple(found for one in value for found in embedded(one))
    if isinstance(value, str) and len(value) > 64:
        try:
            return (base64.b64decode(value.split("base64,")[-1], validate=True),)
        except (binascii.Error, ValueError):
            return ()
    return ()


def below(folder: Path, name: str) -> Path:
    """A media file as the table names it; a name that leads out of the folder is refused."""
    path = folder / name.strip().lstrip("/")
    if ".." in Path(name).parts:
        raise RecipeError(f"a table below '{folder}' names a file outside of it; fetch it anew from upstream")
    return path
