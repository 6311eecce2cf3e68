"""MedMCQA (Pal et al. 2022): questions of Indian medical entrance exams; the dev set is what is scored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import check_split, find, rows, said

NAME = "medmcqa"
KNOWN: Known = "measured"
SPLITS = ("validation", "test", "train")
LAYOUT = """\
{train,dev,test}.json, one object a line: question, exp (explanation), cop (1..4, absent in test), opa, opb, opc, opd,
subject_name, topic_name, id, choice_type (measured). Mirror openlifescienceai/medmcqa: data/{split}-*.parquet, the same
columns with cop 0..3 (recalled). The 4,183 questions that everybody reports are the dev set: pack `validation`."""
NAMES = {"validation": ("dev", "validation"), "test": ("test",), "train": ("train",)}
OPTIONS = ("opa", "opb", "opc", "opd")


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    patterns = [form.format(n) for form in ("{}.json", "{}.*.json", "data/{}-*.parquet") for n in NAMES[split]]
    for path in find(folder, patterns, NAME):
        base = 0 if path.suffix == ".parquet" else 1
        for row in rows(path, ("id", "question", *OPTIONS)):
            choices = tuple(said(row, name) for name in OPTIONS)
            right = said(row, "cop")
            index = int(right) - base if right.isdigit() else -1
            yield BenchmarkItem(
                item_id=said(row, "id"),
                question=said(row, "question"),
                options=tuple(c for c in choices if c),
                answer=choices[index] if 0 <= index < len(choices) else "",
                explanation=said(row, "exp"),
            )
