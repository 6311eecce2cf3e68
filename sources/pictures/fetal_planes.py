"""FETAL_PLANES_DB: 12,400 images of maternal-fetal screening ultrasound of 1,792 patients, by plane.

Upstream's layout (Zenodo 3904280): `FETAL_PLANES_DB_data.csv` with semicolons (Image_name; Patient_num; Plane;
Brain_plane; Operator; US_Machine; Train), `Images/Patient00001_Plane1_1_of_15.png`. Quirks: names stand without `.png`;
the last column is written `Train ` with a blank, 1 for training and 0 for testing, each patient in one of them;
`Not A Brain` stands for no brain plane; one plane is of the mother's cervix. The operator is not taken over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Line, Shelf, Upstream, rows_below, told

if TYPE_CHECKING:
    import numpy as np

TABLE = "FETAL_PLANES_DB_data.csv"
SPLITS = {"1": "train", "0": "test"}


class FetalPlanes(Upstream):
    """One record per image, grouped by patient."""

    source: Literal["fetal_planes"]
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = (TABLE,)
    card: ClassVar[Card] = Card(
        name="fetal_planes",
        what="maternal-fetal ultrasound images, each with its standard plane",
        url="https://doi.org/10.5281/zenodo.3904280",
        revision="version 1.0",
        licence="CC-BY-4.0",
        citation="Burgos-Artizzu et al. Evaluation of deep convolutional neural networks for automatic classification "
        "of common maternal fetal ultrasound planes. Scientific Reports 10, 10200 (2020).",
        phi_risk="low: anonymised images, text of the scanner in some",
        modalities=("US",),
        body_parts=("fetus", "cervix"),
        tasks=("classification",),
        size="12,400 images of 1,792 patients",
        layout="FETAL_PLANES_DB_data.csv, Images/*.png",
        known="recalled",
        remotes=(Remote(kind="zenodo", at="3904280", unpack=True),),
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for row in rows_below(TABLE, place):
            name = f"{row['Image_name']}.png"
            entry = shelf.first(f"Images/{name}") or shelf.named(name)
            if entry is None:
                yield row.missing(name)
                continue
            files = (shelf.take(entry), row.ref)
            split = SPLITS.get(row["Train"], row["Train"])
            yield self.other_split(split, files, row["Image_name"]) or Item(
                upstream_id=row["Image_name"],
                form="picture",
                files=files,
                group=pseudonym("patient", row["Patient_num"]),
                facts=(*self.declared_facts(), *_facts(row), *told("split", split, "column:Train")),
            )
        yield from shelf.rest(self.needs)

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        planes = ("Fetal brain", "Fetal brain", "Fetal femur", "Maternal cervix", "Fetal abdomen", "Other")
        rows = []
        for number, plane in enumerate(planes):
            patient = number // 2 + 1
            name = f"Patient{patient:05d}_Plane{number % 2 + 1}_1_of_2"
            mini.picture(root / f"Images/{name}.png", mini.pixels(rng))
            brain = ("Trans-thalamic", "Trans-cerebellum")[number % 2] if plane == "Fetal brain" else "Not A Brain"
            row = {"Image_name": name, "Patient_num": patient, "Plane": plane, "Brain_plane": brain}
            rows.append({**row, "Operator": "Op. 1", "US_Machine": "Voluson E6", "Train ": int(patient < 3)})
        rows.append({**rows[0], "Image_name": "Patient00009_Plane1_1_of_1", "Patient_num": 9})
        mini.table(root / TABLE, rows, delimiter=";")


def _facts(row: Line) -> Iterator[Fact]:
    plane, brain = row["Plane"], row["Brain_plane"]
    part = "cervix" if plane == "Maternal cervix" else "fetus" if plane.startswith("Fetal") else ""
    yield from told("body_part", part, "column:Plane")
    yield from told("label", plane, "column:Plane", about="plane")
    yield from told("label", "" if brain == "Not A Brain" else brain, "column:Brain_plane", about="brain plane")
    yield from told("manufacturer", row["US_Machine"], "column:US_Machine")
