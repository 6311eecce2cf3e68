"""HC18: 1,334 ultrasound images of fetal heads with their circumference and the size of a pixel.

Upstream's layout (Zenodo 1327317): `training_set_pixel_size_and_HC.csv` (filename, pixel size(mm),
head circumference (mm)) and `training_set/000_HC.png` with `000_HC_Annotation.png` beside it;
`test_set_pixel_size.csv` and `test_set/`, without circumferences. Quirks: columns have blanks and brackets in their
names; one fetus has several images (`010_HC.png`, `010_2HC.png`), and both sets count from 000, so the set and the
number are the group; the annotation is the outline of the head, one pixel wide, and no mask of it: it goes with the
record's files, and what is told of it is the length that upstream measured along it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Line, Shelf, Upstream, rows_below, told

if TYPE_CHECKING:
    import numpy as np

TABLES = {"training": "training_set_pixel_size_and_HC.csv", "test": "test_set_pixel_size.csv"}
SPACING, LENGTH = "pixel size(mm)", "head circumference (mm)"


class Hc18(Upstream):
    """One record per image, grouped by fetus."""

    source: Literal["hc18"]
    splits: tuple[str, ...] = ("training",)
    needs: ClassVar[tuple[str, ...]] = (TABLES["training"],)
    may: ClassVar[tuple[str, ...]] = (TABLES["test"],)
    card: ClassVar[Card] = Card(
        name="hc18",
        what="ultrasound images of fetal heads with head circumference and pixel size",
        url="https://doi.org/10.5281/zenodo.1327317",
        revision="record 1327317 of 2018",
        licence="CC-BY-4.0",
        citation="van den Heuvel, de Bruijn, de Korte, van Ginneken. Automated measurement of fetal head "
        "circumference using 2D ultrasound images. PLoS ONE 13, e0200412 (2018).",
        phi_risk="low: cropped images without text",
        modalities=("US",),
        body_parts=("fetus",),
        tasks=("organ-size",),
        size="999 images for training (806 numbers, some with several sweeps), 335 for testing; of 551 women in all",
        layout="training_set_pixel_size_and_HC.csv, training_set/NNN_HC.png and NNN_HC_Annotation.png, test_set/",
        known="published",
        remotes=(Remote(kind="zenodo", at="1327317", unpack=True),),
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for split, table in TABLES.items():
            if table in shelf.by_path:
                for row in rows_below(table, place):
                    yield self._item(row, split, shelf, pseudonym)
        yield from shelf.rest(tuple(TABLES.values()))

    def _item(self, row: Line, split: str, shelf: Shelf, pseudonym: Pseudonym) -> Item:
        name = row["filename"]
        path = f"{split}_set/{name}"
        entry = shelf.get(path)
        if entry is None:
            return row.missing(path)
        outline = shelf.get(path.replace(".png", "_Annotation.png"))
        files = (shelf.take(entry), row.ref, *((shelf.take(outline, "mask"),) if outline else ()))
        fetus = re.match(r"\d+", name)
        return self.other_split(split, files, path) or Item(
            upstream_id=path,
            form="picture",
            files=files,
            group=pseudonym("patient", f"{split}-{fetus[0]}") if fetus else "",
            facts=(*self.declared_facts(), *_facts(row), Fact("split", split, "folder")),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        rows = []
        for name in ("000_HC.png", "010_HC.png", "010_2HC.png", "011_HC.png", "099_HC.png"):
            rows.append({"filename": name, SPACING: 0.07, LENGTH: round(float(rng.uniform(60, 300)), 2)})
            if name != "099_HC.png":  # a row without its image
                mini.picture(root / "training_set" / name, mini.pixels(rng))
                ring = mini.disc(128, 128, 64, 64, 40) - mini.disc(128, 128, 64, 64, 39)
                mini.picture(root / "training_set" / name.replace(".png", "_Annotation.png"), ring)
        mini.table(root / TABLES["training"], rows)
        mini.picture(root / "test_set/000_HC.png", mini.pixels(rng))
        mini.table(root / TABLES["test"], [{"filename": "000_HC.png", SPACING: 0.12}])


def _facts(row: Line) -> Iterator[Fact]:
    for axis in ("x", "y"):
        yield from told("spacing_mm", row[SPACING], f"column:{SPACING}", about=axis)
    yield from told("measurement", row.get(LENGTH), f"column:{LENGTH}", about="head circumference", unit="mm")
