"""MedQ-Deg (2026): questions on images degraded in 18 ways and at three levels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sources.benchmarks import vlmevalkit
from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import check_split, find

NAME = "medq-deg"
KNOWN: Known = "published"
SPLITS = ("test", "dev")
LAYOUT = """\
jiyaoliufd/MedQ-DEG-Bench: MedQ-Robust-{simulate,good}-{dev,test}.tsv, TSVs of VLMEvalKit
(`sources.benchmarks.vlmevalkit`; A to E) with modality, degradation_type, degradation_severity, source. File names and
columns known from the code that loads them. Degraded images are not the originals: perceptual hashes find those."""


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    for path in find(folder, (f"*-{split}.tsv", f"*_{split}.tsv"), NAME):
        yield from vlmevalkit.items(path, folder)
