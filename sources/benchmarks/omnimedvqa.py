"""OmniMedVQA (Hu et al. 2024): multiple-choice questions made from 73 classification sets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import below, check_split, find, lettered, rows, said

NAME = "omnimedvqa"
KNOWN: Known = "published"
SPLITS = ("test", "open", "restricted")
LAYOUT = """\
foreverbeliever/OmniMedVQA: QA_information/{Open-access,Restricted-access}/SET.json, a list of {dataset, question_id,
question_type, question, gt_answer, image_path, option_A..option_D, modality_type}; image_path (Images/SET/FILE) is
below the root. Columns known from code that loads it. Splits: `test` is both folders, `open` and `restricted` one."""
PARTS = {"test": "*-access", "open": "Open-access", "restricted": "Restricted-access"}


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    for path in find(folder, (f"QA_information/{PARTS[split]}/*.json", f"{PARTS[split]}/*.json"), NAME):
        for row in rows(path, ("question_id", "question", "gt_answer", "image_path")):
            image = said(row, "image_path")
            yield BenchmarkItem(
                item_id=said(row, "question_id"),
                question=said(row, "question"),
                options=lettered(row, "option_{}", "ABCD"),
                answer=said(row, "gt_answer"),
                images=(below(folder, image),) if image else (),
            )
