"""Any benchmark in one table: JSON, JSON lines, CSV, TSV or parquet, with columns that the user names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from manifests.config import unknown
from manifests.errors import RecipeError
from sources.benchmarks.base import BenchmarkItem
from sources.benchmarks.rows import Row, below, chosen, embedded, options, rows, said

PARTS = ("id", "question", "options", "answer", "context", "image", "volume", "clip", "patient", "study", "video")


def read_table(path: Path, columns: Mapping[str, str]) -> Iterator[BenchmarkItem]:
    """`columns` maps a part of an item (`PARTS`) to a column; options may be several columns, joined by "+". Media are
    files beside the table (image, volume, clip), or images inside it; `video` is the id of a video. Raises
    `RecipeError` for an unknown part, a column that is not there, and where neither question nor context is named."""
    for part in columns:
        if part not in PARTS:
            raise RecipeError(unknown("part of an item", part, list(PARTS)))
    if not {"question", "context", "image", "volume", "clip"} & set(columns):
        raise RecipeError("name the column of the question, the context or the media, e.g. --column question=Question")
    if not path.is_file():
        raise RecipeError(f"'{path}' is no file; a benchmark that is read by its columns is one table")
    needed = [c for part, column in columns.items() for c in (column.split("+") if part == "options" else [column])]
    for number, row in enumerate(rows(path, needed)):
        yield _item(path, number, row, columns)


def _item(path: Path, number: int, row: Row, columns: Mapping[str, str]) -> BenchmarkItem:
    cells = {part: said(row, column) for part, column in columns.items()}
    choices = _options(row, columns.get("options", ""))
    image = row.get(columns.get("image", ""))
    inside = embedded(image)
    files = {part: (below(path.parent, cells[part]),) for part in ("image", "volume", "clip") if cells.get(part)}
    return BenchmarkItem(
        item_id=cells.get("id") or f"{path.stem}-{number}",
        question=cells.get("question", ""),
        options=choices,
        answer=chosen(cells.get("answer", ""), choices),
        context=cells.get("context", ""),
        images=() if inside else files.get("image", ()),
        volumes=files.get("volume", ()),
        videos=files.get("clip", ()),
        patient=cells.get("patient", ""),
        study=cells.get("study", ""),
        video=cells.get("video", ""),
        embedded=inside,
    )


def _options(row: Row, column: str) -> tuple[str, ...]:
    if "+" in column:
        return tuple(text for name in column.split("+") if (text := said(row, name)))
    return options(row.get(column)) if column else ()
