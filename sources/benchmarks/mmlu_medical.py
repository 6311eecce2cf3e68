"""MMLU's medical subjects (Hendrycks et al. 2021): exam questions with four options."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import check_split, chosen, delimited, find, options, rows, said

NAME = "mmlu-medical"
KNOWN: Known = "measured"
SPLITS = ("test", "validation", "dev")
SUBJECTS = (
    "anatomy",
    "clinical_knowledge",
    "college_biology",
    "college_medicine",
    "human_aging",
    "medical_genetics",
    "nutrition",
    "professional_medicine",
    "virology",
)
LAYOUT = """\
The authors' archive: data/{dev,val,test}/SUBJECT_{split}.csv without a header: question, A, B, C, D, letter (measured).
Mirror cais/mmlu: SUBJECT/{split}-*.parquet with question, choices, answer (an index), subject (recalled). Nine subjects
are taken for medical; those that are there are read."""
NAMES = {"test": "test", "validation": "val", "dev": "dev"}
HEADER = ("question", "A", "B", "C", "D", "answer")


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    short = NAMES[split]
    forms = (f"data/{short}/*_{short}.csv", f"{short}/*_{short}.csv", f"*_{short}.csv", f"*/{split}-*.parquet")
    for path in find(folder, forms, NAME):
        subject = path.parent.name if path.suffix == ".parquet" else path.stem.removesuffix(f"_{short}")
        if subject not in SUBJECTS:
            continue
        is_csv = path.suffix == ".csv"
        table = delimited(path, ",", HEADER) if is_csv else rows(path, ("question", "choices", "answer"))
        for number, row in enumerate(table):
            choices = tuple(said(row, c) for c in "ABCD") if is_csv else options(row["choices"])
            yield BenchmarkItem(
                item_id=f"{subject}-{split}-{number}",
                question=said(row, "question"),
                options=tuple(c for c in choices if c),
                answer=chosen(said(row, "answer"), choices),
            )
