"""3D-RAD (Gai et al. 2025): six tasks of questions on CT-RATE's chest CTs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.ct_rate import patient_of, study_of
from sources.benchmarks.rows import check_split, find, lettered, rows, said

NAME = "3d-rad"
KNOWN: Known = "published"
SPLITS = ("test", "train")
LAYOUT = """\
Tang-xiaoxiao/3D-RAD: 3DRAD/{train,test}/TaskN_NAME/SUBTASK.csv with Task, Subtask, VolumeName (test_1005_b_1.nii.gz),
Question, Answer, QuestionType, AnswerChoice, "Choice A".."Choice D" ("-": none). Columns and names read in the
published tables. test_N is taken for CT-RATE's valid_N (the volumes are said to be CT-RATE's; the renaming is
recalled), so both names of patient and study stand in the pack."""


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    for path in find(folder, (f"3DRAD/{split}/*/*.csv", f"{split}/*/*.csv"), NAME):
        task = f"{path.parent.name}/{path.stem}"
        for number, row in enumerate(rows(path, ("VolumeName", "Question", "Answer"))):
            name = said(row, "VolumeName").removesuffix(".nii.gz")
            upstream = f"valid_{name.removeprefix('test_')}" if name.startswith("test_") else name
            aliases = (name, patient_of(name), study_of(name)) if upstream != name else (name,)
            yield BenchmarkItem(
                item_id=f"{task}-{number}",
                question=said(row, "Question"),
                options=lettered(row, "Choice {}", "ABCD"),
                answer=said(row, "Answer"),
                patient=patient_of(upstream),
                study=study_of(upstream),
                aliases=(upstream, *aliases),
            )
