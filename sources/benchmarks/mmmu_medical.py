"""MMMU, Health & Medicine (Yue et al. 2024): college exam questions with up to seven images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import check_split, chosen, embedded, find, numbered, options, rows, said

NAME = "mmmu-medical"
KNOWN: Known = "recalled"
SPLITS = ("test", "validation", "dev")
SUBJECTS = (
    "Basic_Medical_Science",
    "Clinical_Medicine",
    "Diagnostics_and_Laboratory_Medicine",
    "Pharmacy",
    "Public_Health",
)
LAYOUT = """\
MMMU/MMMU: SUBJECT/{dev,validation,test}-*.parquet of the five Health & Medicine subjects, with id, question, options
(a Python list as text), explanation, image_1..image_7 {bytes, path}, answer (a letter; "?" where it is not public).
Recalled, not checked on a file: the columns are required, a table without them is refused."""


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    here = [s for s in SUBJECTS if (folder / s).is_dir()]
    for subject in here or SUBJECTS[:1]:
        for path in find(folder, (f"{subject}/{split}-*.parquet",), NAME):
            for row in rows(path, ("id", "question", "options", "answer", "image_1")):
                choices = options(row["options"])
                answer = said(row, "answer")
                yield BenchmarkItem(
                    item_id=said(row, "id"),
                    question=said(row, "question"),
                    options=choices,
                    answer="" if answer == "?" else chosen(answer, choices),
                    explanation=said(row, "explanation"),
                    embedded=tuple(i for cell in numbered(row, "image_{}", 1) for i in embedded(cell)),
                )
