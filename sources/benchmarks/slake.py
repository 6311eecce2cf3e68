"""SLAKE (Liu et al. 2021): English and Chinese radiology questions with knowledge-graph triples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import below, check_split, find, rows, said

NAME = "slake"
KNOWN: Known = "measured"
SPLITS = ("test", "validation", "train")
LAYOUT = """\
BoKelvin/SLAKE: {train,validation,test}.json (upstream's own archive: validate.json, measured), a list of {img_id,
img_name, question, answer, q_lang, location, modality, answer_type, base_type, content_type, triple, qid}; images in
imgs/NAME. img_name is xmlabN/source.jpg: a scan is xmlabN."""
FILES = {"test": ("test.json",), "validation": ("validation.json", "validate.json"), "train": ("train.json",)}


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    for path in find(folder, FILES[split], NAME):
        for row in rows(path, ("qid", "img_name", "question", "answer")):
            name = said(row, "img_name")
            yield BenchmarkItem(
                item_id=said(row, "qid"),
                question=said(row, "question"),
                answer=said(row, "answer"),
                images=(below(folder / "imgs", name),) if name else (),
                study=f"slake:{name.split('/')[0]}" if name else "",
            )
