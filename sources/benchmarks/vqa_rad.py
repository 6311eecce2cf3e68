"""VQA-RAD (Lau et al. 2018): radiology questions by clinicians; as released on OSF, or as the Hugging Face mirror."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import Row, check_split, embedded, find, rows, said

NAME = "vqa-rad"
KNOWN: Known = "measured"
SPLITS = ("test", "train", "all")
LAYOUT = """\
OSF release (measured): "VQA_RAD Dataset Public.json", a list of {qid, phrase_type, qid_linked_id, image_case_url,
image_name, image_organ, question, question_type, answer, answer_type, ...}, images in "VQA_RAD Image Folder/" or
"images/". phrase_type starting with "test" is the test split (451). The MedPix case of image_case_url is the study.
Mirror flaviagiammarino/vqa-rad (recalled): data/{split}-*.parquet with image {bytes, path}, question, answer."""
IMAGE_FOLDERS = ("VQA_RAD Image Folder", "images", ".")


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    part = "*" if split == "all" else split
    for path in find(folder, ("VQA_RAD Dataset Public.json", f"data/{part}-*.parquet", f"{part}-*.parquet"), NAME):
        if path.suffix == ".parquet":
            for number, row in enumerate(rows(path, ("image", "question", "answer"))):
                yield BenchmarkItem(
                    item_id=f"{path.stem}-{number}",
                    question=said(row, "question"),
                    answer=said(row, "answer"),
                    embedded=embedded(row["image"]),
                )
        else:
            needed = ("qid", "phrase_type", "image_name", "question", "answer")
            yield from (_item(folder, row) for row in rows(path, needed) if _wanted(row, split))


def _wanted(row: Row, split: str) -> bool:
    is_test = said(row, "phrase_type").startswith("test")
    return split == "all" or is_test == (split == "test")


def _item(folder: Path, row: Row) -> BenchmarkItem:
    name = said(row, "image_name")
    places = [folder / place / name for place in IMAGE_FOLDERS]
    case = re.search(r"[?&]id=([0-9a-fA-F-]{32,36})", said(row, "image_case_url"))
    return BenchmarkItem(
        item_id=said(row, "qid"),
        question=said(row, "question"),
        answer=said(row, "answer"),
        images=(next((p for p in places if p.is_file()), places[0]),) if name else (),
        study=f"medpix:{case[1].lower()}" if case else "",
        aliases=(Path(name).stem,) if name else (),
    )
