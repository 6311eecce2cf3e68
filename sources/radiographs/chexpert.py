"""CheXpert: chest radiographs of Stanford Hospital with 14 observations that a program read from the reports.

Upstream's layout: `CheXpert-v1.0[-small]/{train,valid}.csv` with Path, Sex, Age, Frontal/Lateral, AP/PA and 14 columns,
and `CheXpert-v1.0[-small]/train/patient00001/study1/view1_frontal.jpg`. Quirks: a Path begins with the folder's name,
whichever release it is from; the full-size release lies in four batches (`CheXpert-v1.0 batch 2 (train 1)/patient...`)
with the same tables, so that files are found by patient, study and view; 1.0 is positive, 0.0 negative, -1.0 uncertain,
blank not mentioned; the views of one study stand in consecutive rows with the same labels; AP/PA is blank for lateral
views and sometimes LL or RL; Sex is `Unknown` once; Age 0 stands for unknown; the validation set was labelled by
radiologists. Studies are numbered in the order of time, without dates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecipeError
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.radiographs.shared import SEXES, Study, View, presence, runs_of, study_items, visit_items, years
from sources.upstream import Line, Shelf, Upstream, rows_below, told

if TYPE_CHECKING:
    import numpy as np

TABLES = ("train.csv", "valid.csv", "CheXpert-v1.0*/train.csv", "CheXpert-v1.0*/valid.csv")
OBSERVATIONS = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema", "Consolidation",
    "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip


class Chexpert(Upstream):
    """One record per study with its views (`by: picture`: per view); `visits: true` adds pairs of consecutive studies.

    Held in memory: the rows of one patient."""

    source: Literal["chexpert"]
    by: Literal["study", "picture"] = "study"
    visits: bool = False
    splits: tuple[str, ...] = ("train",)
    may: ClassVar[tuple[str, ...]] = TABLES
    card: ClassVar[Card] = Card(
        name="chexpert",
        what="chest radiographs with 14 observations, each present, absent or uncertain",
        url="https://stanfordmlgroup.github.io/competitions/chexpert/",
        revision="v1.0",
        licence="LicenseRef-Stanford-CheXpert-RUA",
        access="registered",
        steps="register at Stanford AIMI's page of CheXpert, accept the research use agreement, unpack "
        "CheXpert-v1.0-small.zip or the batches below chexpert/",
        citation="Irvin et al. CheXpert: A Large Chest Radiograph Dataset with Uncertainty Labels and Expert "
        "Comparison. AAAI (2019).",
        phi_risk="low: de-identified pictures; age and sex; markers may be burned in",
        modalities=("DX",),
        body_parts=("chest",),
        tasks=("multi-label", "progression"),
        size="224,316 images of 65,240 patients",
        layout="CheXpert-v1.0[-small]/{train,valid}.csv and {train,valid}/patient00001/study1/view1_frontal.jpg",
        known="recalled",
    )

    def tables(self, place: Place) -> tuple[tuple[str, Path], ...]:
        found = super().tables(place)
        if not found:
            raise RecipeError(
                f"source '{self.called}': neither train.csv nor valid.csv, nor CheXpert-v1.0*/ with them, below its "
                "root; `curate sources chexpert` tells the layout and where it comes from"
            )
        return found

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        views = {_key(e.path): e for e in shelf.by_path.values() if e.path.endswith((".jpg", ".png"))}
        for table, _ in self.tables(place):
            split = PurePosixPath(table).stem
            for patient, rows in runs_of(rows_below(table, place), lambda r: _key(r["Path"])[0], "patient"):
                yield from self._patient(shelf, views, split, rows, pseudonym("patient", patient))
        yield from shelf.rest(TABLES)

    def _patient(
        self, shelf: Shelf, entries: dict[tuple[str, ...], Entry], split: str, rows: list[Line], group: str
    ) -> Iterator[Item]:  # fmt: skip
        studies: list[Study] = []
        for name, of_study in runs_of(rows, lambda r: "/".join(_key(r["Path"])[:2]), "study"):
            views, first = [], None
            for row in of_study:
                entry = entries.get(_key(row["Path"]))
                if entry is None:
                    yield row.missing()
                    continue
                first = first or row
                views.append(View(f"{name}/{_key(row['Path'])[2]}", shelf.take(entry), row.ref, _view(row)))
            if first is None:
                continue
            order = name.partition("/")[2].removeprefix("study")
            facts = (*_facts(first), *told("time_point", order, "column:Path"), Fact("split", split, "table"))
            when = (float(order) if order.isdecimal() else 0.0,)
            study = Study(name, group, tuple(views), facts, when=when)
            other = self.other_split(split, study.refs, study.name)
            if other:
                yield other
                continue
            yield from study_items(study, self.by, self.declared_facts())
            studies.append(study)
        if self.visits:
            yield from visit_items(studies, self.declared_facts())

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        base = root / "CheXpert-v1.0-small"
        rows: dict[str, list[dict[str, str]]] = {"train": [], "valid": []}
        for index, (split, path, sex, age, position, wrong) in enumerate(_MINIATURE):
            if index != 3:  # one row without its file
                mini.picture(base / split / path, mini.pixels(rng))
            side = "Frontal" if path.endswith("frontal.jpg") else "Lateral"
            row = {"Path": f"CheXpert-v1.0-small/{split}/{path}", "Sex": sex, "Age": age, "Frontal/Lateral": side}
            rows[split].append({**row, "AP/PA": position, **(dict.fromkeys(OBSERVATIONS, "") | wrong)})
        for split, some in rows.items():
            mini.table(base / f"{split}.csv", some)


def _key(path: str) -> tuple[str, ...]:
    """Patient, study and view, which are the same in every release."""
    parts = PurePosixPath(path).parts[-3:]
    return ("", "", "", *parts)[-3:]


def _view(row: Line) -> tuple[Fact, ...]:
    if row.get("AP/PA"):
        return told("view_position", row.get("AP/PA"), "column:AP/PA")
    lateral = row.get("Frontal/Lateral") == "Lateral"
    return told("view_position", "lateral" if lateral else "", "column:Frontal/Lateral")


def _facts(row: Line) -> Iterator[Fact]:
    yield from told("sex", SEXES.get(row.get("Sex").lower(), ""), "column:Sex")
    age = years(row.get("Age"))
    yield from told("age_years", "" if age == "0" else age, "column:Age")
    yield from presence(row, OBSERVATIONS)


_MINIATURE = (
    ("train", "patient00001/study1/view1_frontal.jpg", "Female", "68", "AP",
     {"No Finding": "1.0", "Pneumonia": "0.0", "Pneumothorax": "0.0", "Support Devices": "1.0"}),
    ("train", "patient00002/study1/view1_frontal.jpg", "Female", "87", "PA",
     {"Fracture": "1.0", "Edema": "-1.0", "Cardiomegaly": "0.0", "Atelectasis": "1.0"}),
    ("train", "patient00002/study1/view2_lateral.jpg", "Female", "87", "",
     {"Fracture": "1.0", "Edema": "-1.0", "Cardiomegaly": "0.0", "Atelectasis": "1.0"}),
    ("train", "patient00002/study2/view1_frontal.jpg", "Female", "83", "AP", {"Lung Opacity": "1.0"}),
    ("train", "patient00002/study3/view1_frontal.jpg", "Female", "83", "AP",
     {"Edema": "1.0", "Cardiomegaly": "1.0", "Fracture": "0.0", "Atelectasis": "1.0"}),
    ("train", "patient00003/study1/view1_frontal.jpg", "Unknown", "0", "AP", {"Pleural Effusion": "1.0"}),
    ("valid", "patient64541/study1/view1_frontal.jpg", "Male", "73", "AP",
     dict.fromkeys(OBSERVATIONS, "0.0") | {"Atelectasis": "1.0"}),
)  # fmt: skip
