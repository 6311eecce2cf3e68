"""PathVQA (He et al. 2020): questions generated from captions of pathology textbooks and the PEIR library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import below, check_split, embedded, find, rows, said

NAME = "pathvqa"
KNOWN: Known = "published"
SPLITS = ("test", "validation", "train")
LAYOUT = """\
flaviagiammarino/path-vqa: data/{split}-*.parquet with image {bytes, path}, question, answer (columns known from code
that loads it). The authors' own release is a pickle (qas/test/test_qa.pkl), which is not read because a pickle runs
code; the same list as JSON, {split}.json of {image, question, answer} with images in images/{split}/NAME.jpg, is."""


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    for path in find(folder, (f"data/{split}-*.parquet", f"{split}-*.parquet", f"{split}.json"), NAME):
        for number, row in enumerate(rows(path, ("image", "question", "answer"))):
            named = said(row, "image")
            image = named if named.endswith(".jpg") else f"{named}.jpg"
            yield BenchmarkItem(
                item_id=f"{path.stem}-{number}",
                question=said(row, "question"),
                answer=said(row, "answer"),
                images=(below(folder / "images" / split, image),) if named else (),
                embedded=embedded(row["image"]),
            )
