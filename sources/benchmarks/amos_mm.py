"""AMOS-MM (2024): reports and multiple-choice questions on abdominal CTs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manifests.errors import RecipeError
from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import Row, below, check_split, chosen, find, json_value, options, said

NAME = "amos-mm"
KNOWN: Known = "published"
SPLITS = ("test", "validation", "train")
LAYOUT = """\
dataset.json, or report_generation_train_val.json and vqa_train_val.json: {"training": [...], "validation": [...],
"test": [...]} of {image (./imagesVa/amos_NNNN.nii.gz), meta, labels: {report: {findings: {part: text}, impression},
qa: [{type, question, options {A..D}, answer}]}}. Known from code that loads them; where no `test` list is public,
`validation` is what is scored, and asking for `test` says so."""
KEYS = {"test": ("test", "testing"), "validation": ("validation",), "train": ("training", "train")}
FILES = ("*vqa*.json", "*report*.json", "*dataset.json", "CT-AMOS-*.json")


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    paths = sorted({p for pattern in FILES for p in folder.glob(pattern)}) or find(folder, FILES, NAME)
    found = [(path, record) for path in paths for record in _records(path, split)]
    if not found:
        raise RecipeError(f"'{folder}' has no list for the split '{split}' of {NAME}; its public split is validation")
    for path, record in found:
        yield from _items(folder, path, record)


def _records(path: Path, split: str) -> list[Row]:
    value = json_value(path)
    if not isinstance(value, dict):
        raise RecipeError(f"'{path.name}' is no object of splits; is it this benchmark's file?")
    lists = [value[key] for key in KEYS[split] if isinstance(value.get(key), list)]
    return [record for one in lists for record in one if isinstance(record, dict)]


def _items(folder: Path, path: Path, record: Row) -> Iterator[BenchmarkItem]:
    image = said(record, "image").removeprefix("./")
    case = Path(image).name.removesuffix(".nii.gz")
    volumes = (below(folder, image),) if image else ()
    labels: Any = record.get("labels")
    labels = labels if isinstance(labels, dict) else {}
    report = _texts(labels.get("report"))
    if report:
        yield BenchmarkItem(
            item_id=f"{case}-report", context="\n".join(report), volumes=volumes, patient=case, study=case
        )
    for number, qa in enumerate(q for q in labels.get("qa") or [] if isinstance(q, dict)):
        choices = options(qa.get("options"))
        yield BenchmarkItem(
            item_id=f"{case}-{path.stem}-{number}",
            question=said(qa, "question"),
            options=choices,
            answer=chosen(said(qa, "answer"), choices),
            volumes=volumes,
            patient=case,
            study=case,
        )


def _texts(value: Any) -> list[str]:
    """Every text inside a report's objects, in the order of its keys."""
    if isinstance(value, str):
        return [value.strip()] if value.strip() else []
    if isinstance(value, dict):
        return [text for key in sorted(value, key=str) for text in _texts(value[key])]
    return [text for one in value for text in _texts(one)] if isinstance(value, list) else []
