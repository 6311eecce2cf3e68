"""Kvasir: 8,000 endoscopic images in eight classes.

Upstream's layout: `kvasir-dataset-v2/{dyed-lifted-polyps,…}/UUID.jpg`; version 1 has the same folders with half as many
images below `kvasir-dataset`. Quirks: the folder is the class; patients are not told; many images carry the endoscope's
green inset with its position, or text. HyperKvasir holds most of them again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Shelf, Upstream

if TYPE_CHECKING:
    import numpy as np

CLASSES = {
    "dyed-lifted-polyps": ("finding", "dyed lifted polyp", "colon"),
    "dyed-resection-margins": ("finding", "dyed resection margin", "colon"),
    "esophagitis": ("finding", "esophagitis", "esophagus"),
    "normal-cecum": ("label", "normal cecum", "colon"),
    "normal-pylorus": ("label", "normal pylorus", "stomach"),
    "normal-z-line": ("label", "normal z-line", "esophagus"),
    "polyps": ("finding", "polyp", "colon"),
    "ulcerative-colitis": ("finding", "ulcerative colitis", "colon"),
}


class Kvasir(Upstream):
    """One record per image: a finding that is present, or a landmark that is normal."""

    source: Literal["kvasir"]
    card: ClassVar[Card] = Card(
        name="kvasir",
        what="endoscopic images of landmarks, findings and removed polyps in eight classes",
        url="https://datasets.simula.no/kvasir/",
        revision="version 2 of 2017",
        licence="LicenseRef-Simula-research-and-education",
        citation="Pogorelov et al. KVASIR: a multi-class image dataset for computer aided gastrointestinal disease "
        "detection. ACM MMSys, 164-169 (2017).",
        phi_risk="low: text of the endoscope burned into some images",
        modalities=("ES",),
        body_parts=("colon", "esophagus", "stomach"),
        tasks=("classification",),
        size="8,000 images, 1,000 of each class",
        layout="kvasir-dataset-v2/CLASS/UUID.jpg",
        known="published",
        remotes=(
            Remote(
                kind="http", at="https://datasets.simula.no/downloads/kvasir/kvasir-dataset-v2.zip", unpack=True
            ),
        ),
    )  # fmt: skip

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for entry in shelf.matching("*.jpg"):
            told = CLASSES.get(PurePosixPath(entry.path).parent.name)
            if told is None:
                continue
            kind, words, part = told
            present = ("present", words) if kind == "finding" else (words, "landmark")
            yield Item(
                upstream_id=entry.path,
                form="picture",
                files=(shelf.take(entry),),
                facts=(
                    *self.declared_facts(),
                    Fact("body_part", part, "folder"),
                    Fact(kind, present[0], "folder", about=present[1]),
                ),
            )
        yield from shelf.rest()

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        for number, kind in enumerate(CLASSES):
            name = f"0a7bdce4-ac0d-44ef-93ee-{number:012d}.jpg"
            mini.picture(root / f"kvasir-dataset-v2/{kind}/{name}", mini.pixels(rng, colour=True))
        mini.picture(root / "kvasir-dataset-v2/unsorted/x.jpg", mini.pixels(rng, colour=True))
