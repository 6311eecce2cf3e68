"""MedFrameQA (Yu et al. 2025): questions on two to five frames of one educational video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import check_split, chosen, embedded, find, numbered, options, rows, said

NAME = "medframeqa"
KNOWN: Known = "published"
SPLITS = ("test",)
LAYOUT = """\
SuhaoYu1020/MedFrameQA: data/test-*.parquet with question_id, video_id (a YouTube id), question, options (a list),
correct_answer (a letter), image_1..image_5 {bytes, path}, and captions and reasoning of the makers. Column names known
from code that loads it."""


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    for path in find(folder, (f"data/{split}-*.parquet", f"{split}-*.parquet", "*.parquet"), NAME):
        for row in rows(path, ("question_id", "video_id", "question", "options", "correct_answer", "image_1")):
            choices = options(row["options"])
            yield BenchmarkItem(
                item_id=said(row, "question_id"),
                question=said(row, "question"),
                options=choices,
                answer=chosen(said(row, "correct_answer"), choices),
                embedded=tuple(i for cell in numbered(row, "image_{}", 1) for i in embedded(cell)),
                video=said(row, "video_id"),
            )
