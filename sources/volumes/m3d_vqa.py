"""M3D-VQA: 509,755 questions with four options on the CT volumes of M3D-Cap.

Upstream's layout: `[FOLDER/]M3D_VQA_{train,val,test,test5k}.csv` with "Image Path" (a path below the root of M3D-Cap:
`M3D_Cap_npy/ct_quizze/NNNNNN/NAME.npy`), "Text" (the report that the questions were made from), "Question Type" (1
plane, 2 phase, 3 organ, 4 abnormality, 5 position), "Question", "Choice A" to "Choice D" (`NA` fills what is missing),
"Answer", "Answer Choice". `M3D_VQA_yn_*.csv` are its questions of yes and no. Quirks: questions were written by a
language model and filtered by another; nine rows follow one another for a volume but their order is not promised;
test5k is a part of test. The volumes' own quirks stand in `m3d_cap`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Line, Shelf, Upstream, rows_below
from sources.volumes.shared import Gathered, asked_of, m3d_case, m3d_facts

if TYPE_CHECKING:
    import numpy as np

TABLES = ("**/M3D_VQA_*.csv",)
KINDS = {"1": "plane", "2": "phase", "3": "organ", "4": "abnormality", "5": "position"}


class M3dVqa(Upstream):
    """One record per volume and split, with all its questions; its text is the report."""

    source: Literal["m3d_vqa"]
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = TABLES
    card: ClassVar[Card] = Card(
        name="m3d_vqa",
        what="multiple-choice questions on CT volumes of published cases",
        url="https://huggingface.co/datasets/GoodBaiBai88/M3D-VQA",
        revision="25e34a7 (2024-12)",
        licence="Apache-2.0",
        access="registered",
        steps="fetch the CSV files from the hub below m3d_vqa/, and lay the volumes of M3D-Cap beside them as "
        "m3d_vqa/M3D_Cap_npy (see the steps of m3d_cap)",
        citation="Bai et al. M3D: Advancing 3D Medical Image Analysis with Multi-Modal Large Language Models. "
        "arXiv:2404.00578 (2024).",
        phi_risk="low: published teaching cases; some volumes show heads",
        modalities=("CT",),
        tasks=("vqa", "multiple-choice", "report"),
        size="509,755 questions on 96,170 volumes; test 13,729",
        layout="M3D_VQA_{train,val,test,test5k}.csv, M3D_Cap_npy/{ct_case,ct_quizze}/NNNNNN/NAME.npy",
        known="published",
        remotes=(Remote(kind="hub", at="GoodBaiBai88/M3D-VQA", files=("*.csv",)),),
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        """The rows of one split are held at a time, some 0.5 KiB each; a row's report is held once per volume."""
        shelf = Shelf(inventory, self.exclude)
        tables = [name for name, _ in self.tables(place)]
        for split in ("train", "validation", "test"):
            gathered, reports = Gathered(), dict[str, str]()
            for table in (t for t in tables if _split(t) == split):
                for row in rows_below(table, place):
                    reports.setdefault(row["Image Path"], row.get("Text"))
                    gathered.add(row["Image Path"], row, but=("Text",))
            for path in gathered:
                entry = shelf.get(path)
                if entry is None:
                    yield gathered.missing(path, PurePosixPath(path).name)
                    continue
                yield self._item(shelf, entry, split, gathered, reports[path], pseudonym)
        yield from shelf.rest(("M3D_VQA_*.csv",))

    def _item(
        self, shelf: Shelf, entry: Entry, split: str, gathered: Gathered, report: str, pseudonym: Pseudonym
    ) -> Item:
        files = (shelf.take(entry), *gathered.refs(entry.path))
        return self.other_split(split, files, f"{entry.path}#{split}") or Item(
            upstream_id=entry.path if split == "train" else f"{entry.path}#{split}",
            form="volume",
            files=files,
            group=pseudonym("case", m3d_case(entry.path)),
            facts=(*self.declared_facts(), *m3d_facts(entry.path), Fact("split", split, "file name")),
            text=report if not report.endswith(".txt") else "",
            asked=asked_of(gathered.rows(entry.path), _kind),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini
        from sources.volumes.mini_volumes import voxels
        from sources.volumes.shared import npy

        tables: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
        for split, folder, name, text in _MINIATURE:
            path = f"M3D_Cap_npy/{folder}/{name}.npy"
            if "missing" not in folder:
                npy(root / path, voxels(rng, (64, 64, 32))[0])
            plane = name.split("_")[0].lower()
            for kind, question, options, letter in (
                ("1", "In which plane is this CT image acquired?", (plane, "oblique", "curved", "NA"), "A"),
                ("3", "Which organ does the described lesion belong to?", ("Spleen", "Lung", "Liver", "Bone"), "C"),
                ("4", "Is there an abnormal fluid collection?", ("Yes", "No", "NA", "NA"), "B"),
            ):
                choices = {f"Choice {c}": o for c, o in zip("ABCD", options, strict=True)}
                answer = options["ABCD".index(letter)]
                tables[split].append(
                    {"Image Path": path, "Text": text, "Question Type": kind, "Question": question, **choices,
                     "Answer": answer, "Answer Choice": letter}
                )  # fmt: skip
        tables["train"].append(dict(tables["train"][0]))  # a row that stands twice
        for split, rows in tables.items():
            mini.table(root / f"M3D_VQA_{split}.csv", rows)


def _kind(row: Line) -> str:
    return KINDS.get(row.get("Question Type"), row.get("Question Type"))


def _split(table: str) -> str:
    name = PurePosixPath(table).stem
    return "test" if "test" in name else "validation" if "val" in name else "train"


_MINIATURE = (
    ("train", "ct_case/000008", "Axial_C__portal_venous_phase", "A cyst of 2 cm lies in the left lobe of the liver."),
    ("train", "ct_case/000009", "Coronal_non_contrast", "The liver shows diffuse low attenuation of steatosis."),
    ("train", "ct_quizze/000031", "Sagittal_C__arterial_phase", "An arterially enhancing focus in segment VIII."),
    ("train", "ct_quizze/missing", "Axial_bone_window", "A lytic lesion of the iliac wing."),
    ("test", "ct_case/000050", "Axial_non_contrast", "Hyperdense sludge fills the gallbladder next to the liver."),
)
