"""MMXU (Mu et al. 2025): questions on what changed between two chest radiographs of one patient of MIMIC-CXR."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import below, check_split, chosen, find, options, rows, said

NAME = "mmxu"
KNOWN: Known = "published"
SPLITS = ("test", "dev")
LAYOUT = """\
LinjieMu/MMXU: MMXU-{test,dev}.json or .jsonl (any *{split}*), rows of {id, content_type, question, options, answer,
cur_image_path, prior_image_path} and in dev related_region_name, cur_report, boxes. Fields known from upstream; file
names recalled. A path of MIMIC-CXR-JPG, pNN/pNNNNNNNN/sNNNNNNNN/FILE.jpg, names patient and study."""
_PATIENT = re.compile(r"(?:^|/)p(\d{8})/")
_STUDY = re.compile(r"(?:^|/)s(\d{8})/")


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    for path in find(folder, (f"*{split}*.jsonl", f"*{split}*.json", f"data/{split}-*.parquet"), NAME):
        for row in rows(path, ("id", "question", "options", "answer", "cur_image_path", "prior_image_path")):
            paths = [said(row, "cur_image_path"), said(row, "prior_image_path")]
            choices = options(row["options"])
            patients = [m[1] for p in paths if (m := _PATIENT.search(p))]
            studies = [m[1] for p in paths if (m := _STUDY.search(p))]
            yield BenchmarkItem(
                item_id=said(row, "id"),
                question=said(row, "question"),
                options=choices,
                answer=chosen(said(row, "answer"), choices),
                context=said(row, "cur_report"),
                images=tuple(below(folder, p) for p in paths if p),
                patient=f"p{patients[0]}" if patients else "",
                study=f"s{studies[0]}" if studies else "",
                aliases=(*(f"s{s}" for s in studies[1:]), *patients[:1], *studies),
            )
