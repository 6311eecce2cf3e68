"""PMC-VQA (Zhang et al. 2023): multiple-choice questions on figures of PubMed Central articles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import Row, below, check_split, chosen, find, lettered, rows, said

NAME = "pmc-vqa"
KNOWN: Known = "published"
SPLITS = ("test", "test_clean", "test_2", "train", "train_2")
LAYOUT = """\
RadGenome/PMC-VQA: {train,test}.csv (version 1), test_clean.csv, {train,test}_2.csv (version 2, non-compound figures);
columns Figure_path (PMCnnn_Fn.jpg), Caption (version 1), Question, Answer, "Choice A".."Choice D" (" A:text"), and
Answer_label or Answer with the letter. Images in images/ (version 1), images_2/ or figures/ (version 2). Columns known
from code that loads the tables; folders recalled, a figure is looked for in each."""
FOLDERS = ("images", "images_2", "figures", ".")
_PREFIX = re.compile(r"^\s*[A-D]\s*[:.)]\s*")


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    for path in find(folder, (f"{split}.csv", f"*/{split}.csv"), NAME):
        for number, row in enumerate(rows(path, ("Figure_path", "Question", "Choice A", "Answer"))):
            yield _item(folder, f"{split}-{said(row, 'index') or number}", row)


def _item(folder: Path, item_id: str, row: Row) -> BenchmarkItem:
    figure = said(row, "Figure_path")
    choices = tuple(_PREFIX.sub("", c) for c in lettered(row, "Choice {}", "ABCD"))
    article = re.match(r"PMC\d+", figure)
    places = [below(folder / place, figure) for place in FOLDERS]
    return BenchmarkItem(
        item_id=item_id,
        question=said(row, "Question"),
        options=choices,
        answer=chosen(said(row, "Answer_label", "Answer"), choices),
        context=said(row, "Caption"),
        images=(next((p for p in places if p.is_file()), places[0]),) if figure else (),
        study=article[0] if article else "",
    )
