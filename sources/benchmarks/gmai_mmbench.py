"""GMAI-MMBench (Chen et al. 2024): multiple-choice questions from 284 sets and 38 modalities."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sources.benchmarks import vlmevalkit
from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import check_split, find

NAME = "gmai-mmbench"
KNOWN: Known = "published"
SPLITS = ("test", "validation")
LAYOUT = """\
OpenGVLab/GMAI-MMBench: GMAI-MMBench_VAL.tsv (answers public) and GMAI_mm_bench_TEST_part_N.tsv (answers hidden), TSVs
of VLMEvalKit (`sources.benchmarks.vlmevalkit`) with category, l2-category, split. File names and columns known from
the code that loads them. Both splits are used for scores: pack both."""
FILES = {"test": ("*TEST*.tsv",), "validation": ("*VAL*.tsv",)}


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    for path in find(folder, FILES[split], NAME):
        yield from vlmevalkit.items(path, folder)
