"""BUSI: 780 breast ultrasound images of 600 women, normal, benign and malignant, with tumour masks.

Upstream's layout: `Dataset_BUSI_with_GT/{benign,malignant,normal}/benign (1).png` with `benign (1)_mask.png` beside it.
Quirks: blanks and brackets in names; 17 images have further masks (`_mask_1.png`, `_mask_2.png`), one for each tumour;
the masks of normal images are black and mark nothing; patients are not told, so a patient's images are not grouped, and
some images are known to be there twice (deduplication finds them); some show callipers and text of the scanner.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.pictures.shared import numbered
from sources.upstream import Shelf, Upstream

if TYPE_CHECKING:
    import numpy as np

CLASSES = ("benign", "malignant", "normal")
MASK = re.compile(r"(.+)_mask(?:_\d+)?\.png")


class Busi(Upstream):
    """One record per image, with the masks of its tumours."""

    source: Literal["busi"]
    card: ClassVar[Card] = Card(
        name="busi",
        what="breast ultrasound images, normal, benign or malignant, with tumour masks",
        url="https://scholar.cu.edu.eg/?q=afahmy/pages/dataset",
        revision="Dataset_BUSI_with_GT of 2020",
        citation="Al-Dhabyani, Gomaa, Khaled, Fahmy. Dataset of breast ultrasound images. Data in Brief 28, 104863 "
        "(2020).",
        phi_risk="medium: text of the scanner burned into some images",
        modalities=("US",),
        body_parts=("breast",),
        tasks=("classification", "lesion-segmentation"),
        size="780 images of 600 patients: 437 benign, 210 malignant, 133 normal",
        layout="Dataset_BUSI_with_GT/{benign,malignant,normal}/'CLASS (N).png' and '_mask.png', '_mask_1.png' beside",
        known="recalled",
        steps="no terms are stated but that the article is to be cited: ask the authors before you redistribute",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        masks: dict[str, list[Entry]] = {}
        for entry in shelf.by_path.values():
            if found := MASK.fullmatch(entry.path):
                masks.setdefault(f"{found[1]}.png", []).append(entry)
        for entry in shelf.matching("*.png"):
            kind = PurePosixPath(entry.path).parent.name
            if kind not in CLASSES or MASK.fullmatch(entry.path):
                continue
            own = sorted(masks.get(entry.path, []), key=lambda e: (len(e.path), e.path))
            marked = [] if kind == "normal" else [e.path for e in own]
            yield Item(
                upstream_id=entry.path,
                form="picture",
                files=(shelf.take(entry), *(shelf.take(e, "mask") for e in own)),
                facts=(
                    *self.declared_facts(),
                    Fact("label", kind, "folder", about="breast"),
                    Fact("finding", "absent" if kind == "normal" else "present", "folder", about="breast tumour"),
                ),
                masks=numbered("breast tumour", marked),
            )
        yield from shelf.rest()

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        for kind in CLASSES:
            for number in (1, 2):
                stem = root / f"Dataset_BUSI_with_GT/{kind}/{kind} ({number})"
                mini.picture(stem.with_name(f"{stem.name}.png"), mini.pixels(rng))
                radius = 0 if kind == "normal" else rng.uniform(10, 30)
                mask = mini.disc(128, 128, 40, 60, radius, 0 if kind == "normal" else 255)
                mini.picture(stem.with_name(f"{stem.name}_mask.png"), mask)
        second = mini.disc(128, 128, 100, 90, 15)
        mini.picture(root / "Dataset_BUSI_with_GT/benign/benign (2)_mask_1.png", second)
        lone = root / "Dataset_BUSI_with_GT/malignant/malignant (9)_mask.png"  # a mask without its image
        mini.picture(lone, second)
