"""MURA: radiographs of the upper extremity, each study called normal or abnormal by radiologists.

Upstream's layout: `MURA-v1.1/{train,valid}/XR_WRIST/patient00001/study1_positive/image1.png`, with two tables without
headers: `{train,valid}_image_paths.csv` (one path a line) and `{train,valid}_labeled_studies.csv` (the study's folder
with a slash at its end, and 1 for abnormal or 0). Quirks: paths begin with `MURA-v1.1/`; the label stands in the
folder's name too; a patient may have studies of several regions, and a study from one to some fifteen views; the
archive holds hidden companions (`._image1.png`), which no table names. The test set is not published.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.radiographs.shared import Study, View, runs_of, study_items
from sources.upstream import Shelf, Upstream, rows_below, told

if TYPE_CHECKING:
    import numpy as np

BASE = "MURA-v1.1"
LABELS = {"1": "abnormal", "0": "normal"}


class Mura(Upstream):
    """One record per study with all its views (`by: picture`: per view).

    Held in memory: the label of every study, and the rows of one."""

    source: Literal["mura"]
    by: Literal["study", "picture"] = "study"
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = (f"{BASE}/train_image_paths.csv", f"{BASE}/train_labeled_studies.csv")
    may: ClassVar[tuple[str, ...]] = (f"{BASE}/valid_image_paths.csv", f"{BASE}/valid_labeled_studies.csv")
    card: ClassVar[Card] = Card(
        name="mura",
        what="musculoskeletal radiographs of seven regions, each study normal or abnormal",
        url="https://stanfordmlgroup.github.io/competitions/mura/",
        revision="v1.1",
        licence="LicenseRef-Stanford-MURA-RUA",
        access="registered",
        steps="register at Stanford AIMI's page of MURA, accept the research use agreement, unpack MURA-v1.1.zip below "
        "mura/",
        citation="Rajpurkar et al. MURA: Large Dataset for Abnormality Detection in Musculoskeletal Radiographs. "
        "arXiv:1712.06957 (2017).",
        phi_risk="low: de-identified pictures without demographics; side markers are burned in",
        modalities=("DX",),
        body_parts=("elbow", "hand", "shoulder", "wrist", "bone"),
        tasks=("classification",),
        size="40,561 images, 14,863 studies, 12,173 patients; 36,808 images for training",
        layout="MURA-v1.1/{train,valid}_{image_paths,labeled_studies}.csv, "
        "MURA-v1.1/{train,valid}/XR_WRIST/patient00001/study1_positive/image1.png",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        names = [name for name, _ in self.tables(place)]
        label: dict[str, str] = {}
        for table in (n for n in names if n.endswith("labeled_studies.csv")):
            for row in rows_below(table, place, ("study", "label")):
                label[row["study"].rstrip("/")] = row["label"]
        for table in (n for n in names if n.endswith("image_paths.csv")):
            split = PurePosixPath(table).name.split("_")[0]
            rows = rows_below(table, place, ("path",))
            for folder, of_study in runs_of(rows, lambda r: str(PurePosixPath(r["path"]).parent), "study"):
                views = []
                for row in of_study:
                    entry = shelf.get(row["path"])
                    if entry is None:
                        yield row.missing()
                    else:
                        views.append(View(row["path"], shelf.take(entry), row.ref, ()))
                if views:
                    yield from self._study(folder, tuple(views), split, label.get(folder, ""), pseudonym)
        yield from shelf.rest((f"{BASE}/*.csv",))

    def _study(
        self, folder: str, views: tuple[View, ...], split: str, label: str, pseudonym: Pseudonym
    ) -> Iterator[Item]:  # fmt: skip
        patient = next((p for p in PurePosixPath(folder).parts if p.startswith("patient")), "")
        region = next((p for p in PurePosixPath(folder).parts if p.startswith("XR_")), "")
        facts = (
            *told("body_part", region.removeprefix("XR_").lower(), "column:path"),
            *told("label", LABELS.get(label, ""), "column:label"),
            Fact("split", split, "table"),
        )
        study = Study(folder, pseudonym("patient", patient) if patient else "", views, facts)
        other = self.other_split(split, study.refs, folder)
        yield from (other,) if other else study_items(study, self.by, self.declared_facts())

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        for split, studies in _MINIATURE.items():
            paths, labelled = [], []
            for study, views in studies:
                folder = f"{BASE}/{split}/{study}"
                labelled.append(f"{folder}/,{int(study.endswith('positive'))}\n")
                for number in range(1, views + 1):
                    paths.append(f"{folder}/image{number}.png\n")
                    if (study, number) != ("XR_HAND/patient00003/study1_negative", 2):  # a row without its file
                        mini.picture(root / folder / f"image{number}.png", mini.pixels(rng))
            mini.text(root / BASE / f"{split}_image_paths.csv", "".join(paths))
            mini.text(root / BASE / f"{split}_labeled_studies.csv", "".join(labelled))
        mini.text(root / BASE / "train/XR_HAND/patient00003/study1_negative/._image1.png", "companion\n")


_MINIATURE = {
    "train": (
        ("XR_SHOULDER/patient00001/study1_positive", 3), ("XR_SHOULDER/patient00002/study1_negative", 1),
        ("XR_HAND/patient00003/study1_negative", 2), ("XR_WRIST/patient00002/study1_positive", 2),
    ),
    "valid": (("XR_FINGER/patient11200/study1_negative", 1),),
}  # fmt: skip
