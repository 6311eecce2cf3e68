"""APTOS 2019: 3,662 fundus photographs with the grade of diabetic retinopathy, and 1,928 without.

Upstream's layout (a Kaggle competition): `train.csv` with id_code and diagnosis, `train_images/ID.png`; `test.csv` with
id_code alone, `test_images/`. Grades: 0 no, 1 mild, 2 moderate, 3 severe, 4 proliferative diabetic retinopathy. Quirks:
eyes and patients are not told, so a patient's images are not grouped; the same photograph is there under several names
with different grades (deduplication finds it); the labels are noisy, as upstream says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Line, Shelf, Upstream, rows_below, told

if TYPE_CHECKING:
    import numpy as np

GRADES = {"0": "none", "1": "mild", "2": "moderate", "3": "severe", "4": "proliferative"}
DISEASE = "diabetic retinopathy"
PARTS = ("train", "test")


class Aptos2019(Upstream):
    """One record per image."""

    source: Literal["aptos2019"]
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = ("train.csv",)
    may: ClassVar[tuple[str, ...]] = ("test.csv",)
    card: ClassVar[Card] = Card(
        name="aptos2019",
        what="fundus photographs graded for diabetic retinopathy",
        url="https://www.kaggle.com/competitions/aptos2019-blindness-detection",
        revision="competition of 2019",
        licence="LicenseRef-Kaggle-competition-rules",
        access="registered",
        steps="accept the competition's rules on Kaggle, then unpack its archive below aptos2019/",
        citation="Asia Pacific Tele-Ophthalmology Society. APTOS 2019 Blindness Detection. Kaggle (2019).",
        phi_risk="low: no text; the vessels of a retina are as personal as a fingerprint",
        modalities=("OP",),
        body_parts=("retina",),
        tasks=("grading",),
        size="3,662 graded images, 1,928 without a grade",
        layout="train.csv, train_images/*.png, test.csv, test_images/*.png",
        known="recalled",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for split in PARTS:
            if f"{split}.csv" in shelf.by_path:
                for row in rows_below(f"{split}.csv", place):
                    yield self._item(row, split, shelf)
        yield from shelf.rest((*self.needs, *self.may, "sample_submission.csv"))

    def _item(self, row: Line, split: str, shelf: Shelf) -> Item:
        name = f"{split}_images/{row['id_code']}.png"
        entry = shelf.get(name)
        if entry is None:
            return row.missing(name)
        files = (shelf.take(entry), row.ref)
        return self.other_split(split, files, name) or Item(
            upstream_id=name,
            form="picture",
            files=files,
            facts=(*self.declared_facts(), *_facts(row), Fact("split", split, "folder")),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        rows = []
        for grade in (0, 1, 2, 3, 4):
            code = f"{int(rng.integers(16**11, 16**12)):012x}"
            mini.picture(root / f"train_images/{code}.png", mini.pixels(rng, colour=True))
            rows.append({"id_code": code, "diagnosis": grade})
        mini.table(root / "train.csv", [*rows, {"id_code": "00a8624548a9", "diagnosis": 2}])
        mini.picture(root / "test_images/0005cfc8afb6.png", mini.pixels(rng, colour=True))
        mini.table(root / "test.csv", [{"id_code": "0005cfc8afb6"}])


def _facts(row: Line) -> Iterator[Fact]:
    grade = GRADES.get(row.get("diagnosis"), "")
    yield from told("severity", grade, "column:diagnosis", about=DISEASE)
    present = "absent" if grade == "none" else "present"
    yield from told("finding", present if grade else "", "column:diagnosis", about=DISEASE)
