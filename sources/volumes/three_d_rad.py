"""3D-RAD: 170,105 questions of six tasks on the chest CTs of CT-RATE.

Upstream's layout: `[3DRAD/]{train,test}/TaskN_NAME/SUBTASK.csv` with Task, Subtask, VolumeName
(`train_1005_b_1.nii.gz`, `test_1016_d_2`), Question, Answer, QuestionType (open or close), AnswerChoice, "Choice A" to
"Choice D" (`-`: none). Quirks: `test_N` is CT-RATE's `valid_N` under another name; the subtasks of tasks 5 and 6 are
the letters of a patient's scans (`c.csv` holds questions about the third); the volumes are not in the tables'
repository and are looked for as CT-RATE has them (`dataset/train_fixed/...`), as upstream's prepared `NAME.npy`, and by
their name in any other folder. CT-RATE's first release without `_fixed` is not read, for its headers say neither
spacing nor HU.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Shelf, Upstream, rows_below
from sources.volumes.shared import Gathered, asked_of, ct_rate_path, stem

if TYPE_CHECKING:
    import numpy as np


class ThreeDRad(Upstream):
    """One record per volume, with all its questions; the kind of a question is `TASK/SUBTASK`."""

    source: Literal["three_d_rad"]
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = ("**/Task*_*/*.csv",)
    card: ClassVar[Card] = Card(
        name="three_d_rad",
        what="open and closed questions on chest CT, with sizes and several examinations of one patient",
        url="https://huggingface.co/datasets/Tang-xiaoxiao/3D-RAD",
        revision="b9a37cd (2025-05)",
        licence="Apache-2.0 AND CC-BY-NC-SA-4.0",
        access="registered",
        steps="fetch the tables from the hub below three_d_rad/; the volumes are CT-RATE's (see the steps of ct_rate): "
        "lay its folder `dataset` beside them",
        citation="Gai et al. 3D-RAD: A Comprehensive 3D Radiology Med-VQA Dataset with Multi-Temporal Analysis and "
        "Diverse Diagnostic Tasks. arXiv:2506.11147 (2025).",
        phi_risk="low: questions written from CT-RATE's anonymised reports",
        modalities=("CT",),
        body_parts=("chest",),
        tasks=("vqa", "multiple-choice", "lesion-size", "progression"),
        size="136,195 questions for training, 33,910 for testing, on 16,188 volumes",
        layout="{train,test}/TaskN_NAME/SUBTASK.csv; volumes as CT-RATE has them, or NAME.npy",
        known="published",
        remotes=(Remote(kind="hub", at="Tang-xiaoxiao/3D-RAD", files=("*.csv",)),),
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        """The rows of one split are held at a time, some 0.5 KiB each."""
        shelf = Shelf(inventory, self.exclude)
        tables = [name for name, _ in self.tables(place)]
        for split in ("train", "test"):
            gathered = Gathered()
            for table in (t for t in tables if split in PurePosixPath(t).parts[:2]):
                for row in rows_below(table, place):
                    gathered.add(stem(row["VolumeName"]), row)
            for name in gathered:
                entry = _volume(shelf, name)
                if entry is None:
                    yield gathered.missing(name, name)
                else:
                    yield self._item(shelf, entry, split, (name, gathered), pseudonym)
        yield from shelf.rest(("*.csv",))

    def _item(
        self, shelf: Shelf, entry: Entry, split: str, questions: tuple[str, Gathered], pseudonym: Pseudonym
    ) -> Item:
        name, gathered = questions
        files = (shelf.take(entry), *gathered.refs(name))
        return self.other_split(split, files, name) or Item(
            upstream_id=name,
            form="volume",
            files=files,
            group=pseudonym("patient", "_".join(in_ct_rate(name).split("_")[:2])),
            facts=(*self.declared_facts(), Fact("split", split, "folder")),
            asked=asked_of(
                gathered.rows(name), lambda row: "/".join(PurePosixPath(row.table).parts[-2:]).removesuffix(".csv")
            ),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini
        from sources.volumes.mini_volumes import voxels

        kinds = (
            ("Task1_Image_Observation/Pathological_observation", "What is seen in the right lower lobe?",
             "Subpleural consolidation", "open", (), "-"),
            ("Task3_Medical_Computation/Size", "What is the size of the largest nodule?", "6 mm", "open", (), "-"),
            ("Task4_Existence_Detection/Lung nodule", "Does the CT show a lung nodule?", "Yes", "close",
             ("Yes", "No"), "A"),
            ("Task6_Longitudinal_Temporal_Diagnosis/c", "How did the effusion change since the last examination?",
             "It resolved", "close", ("It grew", "It resolved", "Unchanged", "It is new"), "B"),
        )  # fmt: skip
        names = ("train_11_c_1", "train_12_a_1", "train_13_a_2", "train_99_a_1", "test_16_d_2")
        for task, question, answer, kind, options, letter in kinds:
            rows: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
            for name in names:
                choices = {f"Choice {c}": o for c, o in zip("ABCD", [*options, "-", "-", "-", "-"], strict=False)}
                told = {"Question": question, "Answer": answer, "QuestionType": kind, "AnswerChoice": letter}
                task_name, subtask = task.split("/")
                rows[name.split("_")[0]].append(
                    {"Task": task_name, "Subtask": subtask, "VolumeName": f"{name}.nii.gz", **told, **choices}
                )
            for split, of_split in rows.items():
                mini.table(root / f"{split}/{task}.csv", of_split)
        for name in names:
            if name != "train_99_a_1":  # whose volume is missing
                path = ct_rate_path(f"{in_ct_rate(name)}.nii.gz", "_fixed")
                mini.volume(root / path, voxels(rng)[0], (0.9, 0.9, 1.5))


def in_ct_rate(name: str) -> str:
    """CT-RATE's name of a volume: `test_16_d_2` is `valid_16_d_2`."""
    return f"valid_{name.removeprefix('test_')}" if name.startswith("test_") else name


def _volume(shelf: Shelf, name: str) -> Entry | None:
    theirs = in_ct_rate(name)
    at = shelf.first(ct_rate_path(f"{theirs}.nii.gz", "_fixed"))
    if at is not None:
        return at
    raw = ct_rate_path(f"{theirs}.nii.gz", "")
    found = (shelf.named(f"{n}{end}") for n in dict.fromkeys((name, theirs)) for end in (".npy", ".nii.gz"))
    return next((entry for entry in found if entry is not None and entry.path != raw), None)
