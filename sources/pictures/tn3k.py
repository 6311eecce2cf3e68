"""TN3K: 3,493 ultrasound images of thyroid nodules of 2,421 patients, with nodule masks.

Upstream's layout: `{trainval,test}-image/0000.jpg` and `{trainval,test}-mask/0000.jpg`, five folds of the first part as
`tn3k-trainval-fold0.json` and on; in the release with classes, `label4trainval.csv` and `label4test.csv` without a
header (`0000.jpg,0`; 0 benign, 1 malignant). Quirks: both parts count from 0000, so a name alone says nothing; masks
are JPEG files, whose black and white are some grey values wide; patients are not told. The folds are not taken over:
both halves of each are for training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Line, Shelf, Upstream, rows_below, told

if TYPE_CHECKING:
    import numpy as np

PARTS = ("trainval", "test")
CLASSES = {"0": "benign", "1": "malignant"}


class Tn3k(Upstream):
    """One record per image, with its nodule's mask."""

    source: Literal["tn3k"]
    splits: tuple[str, ...] = ("trainval",)
    may: ClassVar[tuple[str, ...]] = tuple(f"label4{part}.csv" for part in PARTS)
    card: ClassVar[Card] = Card(
        name="tn3k",
        what="thyroid ultrasound images with nodule masks, some with benign or malignant",
        url="https://github.com/haifangong/TRFE-Net-for-thyroid-nodule-segmentation",
        revision="release of 2021; classes as released with ACL",
        citation="Gong et al. Multi-task learning for thyroid nodule segmentation with thyroid region prior. ISBI "
        "2021.",
        phi_risk="medium: marks and text of the scanner burned into some images",
        modalities=("US",),
        body_parts=("thyroid",),
        tasks=("lesion-segmentation", "classification"),
        size="2,879 images for training, 614 for testing",
        layout="{trainval,test}-{image,mask}/NNNN.jpg, label4{trainval,test}.csv, tn3k-trainval-foldN.json",
        known="published",
        steps="no terms are stated: ask the authors before you redistribute; unpack tn3k/ of the repository's archive",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for part in PARTS:
            table = f"label4{part}.csv"
            rows: dict[str, Line] = {}
            if table in shelf.by_path:
                rows = {PurePosixPath(row["name"]).stem: row for row in rows_below(table, place, ("name", "label"))}
            for entry in shelf.matching(f"{part}-image/*"):
                row = rows.pop(PurePosixPath(entry.path).stem, None)
                yield self._item(entry, part, row, shelf)
            yield from (row.missing(row["name"]) for row in rows.values())
        yield from shelf.rest((*self.may, "tn3k-trainval*.json"))

    def _item(self, entry: Entry, part: str, row: Line | None, shelf: Shelf) -> Item:
        mask = shelf.get(entry.path.replace("-image/", "-mask/"))
        marked = (shelf.take(mask, "mask"),) if mask else ()
        files = (shelf.take(entry), *((row.ref,) if row else ()), *marked)
        other = self.other_split(part, files, entry.path)
        if other is not None:
            return other
        label = told("label", CLASSES.get(row["label"], ""), "column:label", about="thyroid nodule") if row else ()
        return Item(
            upstream_id=entry.path,
            form="picture",
            files=files,
            facts=(*self.declared_facts(), *label, Fact("split", part, "folder")),
            masks=(("thyroid nodule", mask.path, 0),) if mask else (),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        for part, count in (("trainval", 4), ("test", 2)):
            for number in range(count):
                mini.picture(root / f"{part}-image/{number:04d}.jpg", mini.pixels(rng))
                disc = mini.disc(128, 128, rng.uniform(45, 80), rng.uniform(45, 80), rng.uniform(10, 30))
                mini.picture(root / f"{part}-mask/{number:04d}.jpg", disc)
            lines = [f"{number:04d}.jpg,{number % 2}\n" for number in range(count)]
            mini.text(root / f"label4{part}.csv", "".join(lines) + ("2871.jpg,1\n" if part == "trainval" else ""))
        mini.json_file(root / "tn3k-trainval-fold0.json", {"train": [0, 1, 2], "val": [3]})
