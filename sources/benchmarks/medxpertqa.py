"""MedXpertQA (Zuo et al. 2025): expert-level exam questions, text only (10 options) and with images (5 options)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import below, check_split, chosen, find, options, rows, said

NAME = "medxpertqa"
KNOWN: Known = "published"
SPLITS = ("test", "dev")
LAYOUT = """\
TsinghuaC3I/MedXpertQA: {MM,Text}/{dev,test}.jsonl with id, question, options {letter: text}, label (a letter), images
(file names below images/; MM alone), medical_task, body_system, question_type. The question repeats its options after
"Answer Choices:" (recalled); that tail is cut, the options are kept once."""
_TAIL = re.compile(r"\s*\n?\s*Answer Choices\s*:.*\Z", re.DOTALL | re.IGNORECASE)


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    for path in find(folder, (f"*/{split}.jsonl", f"{split}.jsonl"), NAME):
        for row in rows(path, ("id", "question", "options", "label")):
            choices = options(row["options"])
            images = row.get("images") or []
            yield BenchmarkItem(
                item_id=said(row, "id"),
                question=_TAIL.sub("", said(row, "question")),
                options=choices,
                answer=chosen(said(row, "label"), choices),
                images=tuple(below(folder / "images", str(name)) for name in images),
            )
