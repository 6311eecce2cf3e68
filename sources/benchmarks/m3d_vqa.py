"""M3D-VQA (Bai et al. 2024): questions on CT volumes of Radiopaedia cases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import below, check_split, find, lettered, rows, said

NAME = "m3d-vqa"
KNOWN: Known = "published"
SPLITS = ("test", "test5k", "val", "train")
LAYOUT = """\
GoodBaiBai88/M3D-VQA: M3D_VQA_{train,val,test,test5k}.csv with "Image Path" (M3D_Cap_npy/ct_quizze/NNN/AXIAL.npy),
"Question Type", "Question", "Choice A".."Choice D", "Answer", "Answer Choice". Columns known from code that loads it.
The folder of a volume is the case: the study `m3d:ct_quizze/NNN`, and its number alone is no id."""


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    for path in find(folder, (f"M3D_VQA_{split}.csv", f"*/M3D_VQA_{split}.csv"), NAME):
        for number, row in enumerate(rows(path, ("Image Path", "Question", "Answer", "Choice A"))):
            image = said(row, "Image Path")
            case = "/".join(Path(image).parts[-3:-1])
            yield BenchmarkItem(
                item_id=f"{split}-{number}",
                question=said(row, "Question"),
                options=lettered(row, "Choice {}", "ABCD"),
                answer=said(row, "Answer"),
                volumes=(below(folder, image),) if image else (),
                study=f"m3d:{case}" if case else "",
            )
