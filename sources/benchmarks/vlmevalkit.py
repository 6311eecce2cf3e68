"""The TSV of VLMEvalKit, in which several benchmarks are published: one row per question, the image in base64.

Columns: index, image (base64, or the index of the row that holds it) and/or image_path, question, A, B, C, ..., answer
(a letter; absent in hidden test sets), and the benchmark's own categories.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sources.benchmarks.base import BenchmarkItem
from sources.benchmarks.rows import Row, below, chosen, embedded, lettered, options, rows, said


def items(path: Path, folder: Path) -> Iterator[BenchmarkItem]:
    for row in rows(path, ("index", "question", "A")):
        choices = lettered(row, "{}")
        yield BenchmarkItem(
            item_id=f"{path.stem}-{said(row, 'index')}",
            question=said(row, "question"),
            options=choices,
            answer=chosen(said(row, "answer"), choices),
            context=said(row, "hint"),
            images=_paths(row, folder),
            embedded=embedded(row.get("image", "")),
        )


def _paths(row: Row, folder: Path) -> tuple[Path, ...]:
    named = said(row, "image_path")
    names = options(named) if named.startswith("[") else (named,)
    return tuple(below(folder, name) for name in names if name)
