"""VQA-Med 2019 (Ben Abacha et al., ImageCLEF): questions on modality, plane, organ and abnormality."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import check_split, delimited, find, said

NAME = "vqa-med-2019"
KNOWN: Known = "measured"
SPLITS = ("test",)
LAYOUT = """\
VQAMed2019Test/VQAMed2019_Test_Questions_w_Ref_Answers.txt: lines of image|category|question|answer without a header
(measured); several right answers are separated by "#"; images in VQAMed2019_Test_Images/IMAGE.jpg."""
HEADER = ("image", "category", "question", "answer")


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    name = "VQAMed2019_Test_Questions_w_Ref_Answers.txt"
    for path in find(folder, (name, f"*/{name}"), NAME):
        for number, row in enumerate(delimited(path, "|", HEADER)):
            image = said(row, "image")
            yield BenchmarkItem(
                item_id=f"{image}-{number}",
                question=said(row, "question"),
                answer=said(row, "answer"),
                images=(path.parent / "VQAMed2019_Test_Images" / f"{image}.jpg",),
                aliases=(image,) if image else (),
            )
