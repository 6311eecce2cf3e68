"""MedQA (Jin et al. 2021): questions of the USMLE."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import check_split, chosen, find, lettered, options, rows, said

NAME = "medqa"
KNOWN: Known = "published"
SPLITS = ("test", "validation", "train")
LAYOUT = """\
Three forms of the same 1,273 test questions. GBaker/MedQA-USMLE-4-options: phrases_no_exclude_{split}.jsonl with
question, options {A..D}, answer (text), answer_idx (letter), meta_info, metamap_phrases. The authors' archive:
questions/US/{split}.jsonl, the same with five options. GBaker/MedQA-USMLE-4-options-hf: data/{split}-*.parquet with id,
sent1, sent2, ending0..ending3, label. Known from published code and notes that state the columns."""
NAMES = {"test": ("test",), "validation": ("dev", "validation"), "train": ("train",)}


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    forms = ("phrases_no_exclude_{}.jsonl", "questions/US/{}.jsonl", "US/{}.jsonl", "{}.jsonl", "data/{}-*.parquet")
    patterns = [form.format(name) for form in forms for name in NAMES[split]]
    for path in find(folder, patterns, NAME):
        needed = ("question", "options", "answer") if path.suffix == ".jsonl" else ("sent1", "ending0", "label")
        for number, row in enumerate(rows(path, needed)):
            choices = options(row.get("options")) or lettered(row, "ending{}", "0123")
            yield BenchmarkItem(
                item_id=said(row, "id") or f"{split}-{number}",
                question=" ".join(t for t in (said(row, "question", "sent1"), said(row, "sent2")) if t),
                options=choices,
                answer=said(row, "answer") or chosen(said(row, "label"), choices),
            )
