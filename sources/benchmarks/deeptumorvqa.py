"""DeepTumorVQA 2 (Chen et al. 2025): questions on tumours in abdominal CTs of AbdomenAtlas."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from manifests.errors import RecipeError
from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import check_split, find, json_value, need, rows, said
from sources.benchmarks.rows import options as options_of

NAME = "deeptumorvqa"
KNOWN: Known = "published"
SPLITS = ("test", "validation", "train")
LAYOUT = """\
tumor-vqa/DeepTumorVQA_2.0: benchmark/test_qa.json ({"questions": [...]}) or test_qa.jsonl with qid, image_id
(BDMAP_NNNNNNNN), spacing, shape, question, answer, mc_question ("... A: ... B: ..."), correct_option, question_type,
question_subtype; benchmark/ct/ID/ct.nii.gz, benchmark/images_2d/whole/ID.png, benchmark/videos/whole/ID.mp4;
train/{train_qa,val_qa_pool}.csv. Known from upstream's card and loader."""
FILES = {
    "test": ("benchmark/test_qa.jsonl", "benchmark/test_qa.json", "test_qa.jsonl", "test_qa.json"),
    "validation": ("train/val_qa_pool.csv", "val_qa_pool.csv"),
    "train": ("train/train_qa.csv", "train_qa.csv"),
}
NEEDED = ("image_id", "question", "answer")


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    path = find(folder, FILES[split], NAME)[0]
    for number, row in enumerate(_rows(path)):
        image = said(row, "image_id")
        part = "benchmark" if split == "test" else "train"
        yield BenchmarkItem(
            item_id=said(row, "qid") or f"{split}-{number}",
            question=said(row, "question"),
            options=options_of(_choices(said(row, "mc_question"))),
            answer=said(row, "answer"),
            volumes=(folder / part / "ct" / image / "ct.nii.gz",) if image and split == "test" else (),
            images=(folder / part / "images_2d" / "whole" / f"{image}.png",) if image else (),
            videos=(folder / part / "videos" / "whole" / f"{image}.mp4",) if image else (),
            patient=image,
            study=image,
        )


def _rows(path: Path) -> Iterator[dict[str, object]]:
    if path.name != "test_qa.json":
        yield from rows(path, NEEDED)
        return
    value = json_value(path)
    questions = value.get("questions") if isinstance(value, dict) else None
    if not isinstance(questions, list) or not all(isinstance(q, dict) for q in questions):
        raise RecipeError(f"'{path.name}' has no list of questions; fetch it from upstream, or use test_qa.jsonl")
    for question in questions:
        need(question, NEEDED, path)
        yield question


def _choices(question: str) -> list[str]:
    """The options inside "stem A: one B: two"; letters must follow one another."""
    found: list[str] = []
    rest = question
    for letter in "ABCDEFGH":
        _, mark, tail = rest.partition(f" {letter}: ") if not rest.startswith(f"{letter}: ") else ("", "x", rest[3:])
        if not mark:
            break
        if found:
            found[-1] = rest[: len(rest) - len(tail) - len(letter) - 3]
        found.append(tail)
        rest = tail
    return [f.strip() for f in found]
