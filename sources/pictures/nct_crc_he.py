"""NCT-CRC-HE: 107,180 patches of colorectal slides stained with haematoxylin and eosin, nine classes of tissue.

Upstream's layout (Zenodo 1214456): `NCT-CRC-HE-100K/ADI/ADI-AAAFLCLG.tif`, colours normalised (Macenko);
`NCT-CRC-HE-100K-NONORM`, the same patches as they were; `CRC-VAL-HE-7K`, of other patients. Patches have 224 x 224
pixels of 0.5 micrometres. Quirks: the folder is the class, and stands in the name once more; which of the 86 slides a
patch is of is not told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Shelf, Upstream

if TYPE_CHECKING:
    import numpy as np

CLASSES = {
    "ADI": "adipose tissue", "BACK": "background", "DEB": "debris", "LYM": "lymphocytes", "MUC": "mucus",
    "MUS": "smooth muscle", "NORM": "normal colon mucosa", "STR": "cancer-associated stroma",
    "TUM": "colorectal adenocarcinoma epithelium",
}  # fmt: skip
SPLITS = {"NCT-CRC-HE-100K": "train", "NCT-CRC-HE-100K-NONORM": "train-nonorm", "CRC-VAL-HE-7K": "validation"}
PATH = re.compile(rf"(?:.*/)?({'|'.join(SPLITS)})/({'|'.join(CLASSES)})/[A-Z]+-[A-Z]+\.tif")
MM_PER_PIXEL = "0.0005"


class NctCrcHe(Upstream):
    """One record per patch."""

    source: Literal["nct_crc_he"]
    splits: tuple[str, ...] = ("train",)
    card: ClassVar[Card] = Card(
        name="nct_crc_he",
        what="patches of colorectal cancer slides in nine classes of tissue",
        url="https://doi.org/10.5281/zenodo.1214456",
        revision="version 0.1",
        licence="CC-BY-4.0",
        citation="Kather, Halama, Marx. 100,000 histological images of human colorectal cancer and healthy tissue. "
        "Zenodo (2018).",
        phi_risk="low: patches of slides",
        modalities=("SM",),
        body_parts=("colon",),
        tasks=("classification",),
        size="100,000 patches of 86 slides for training, 7,180 of 50 patients for validation",
        layout="{NCT-CRC-HE-100K,NCT-CRC-HE-100K-NONORM,CRC-VAL-HE-7K}/CLASS/CLASS-NAME.tif",
        known="recalled",
        remotes=(
            Remote(
                kind="zenodo", at="1214456", files=("NCT-CRC-HE-100K.zip", "CRC-VAL-HE-7K.zip"), unpack=True
            ),
        ),
    )  # fmt: skip

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for entry in list(shelf.by_path.values()):
            if (found := PATH.fullmatch(entry.path)) is None:
                continue
            split, kind = SPLITS[found[1]], found[2]
            files = (shelf.take(entry),)
            spacing = (Fact("spacing_mm", MM_PER_PIXEL, "publication", "mm", axis) for axis in ("x", "y"))
            yield self.other_split(split, files, entry.path) or Item(
                upstream_id=entry.path,
                form="picture",
                files=files,
                facts=(
                    *self.declared_facts(),
                    Fact("label", CLASSES[kind], "folder", about="tissue"),
                    *spacing,
                    Fact("split", split, "folder"),
                ),
            )
        yield from shelf.rest()

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        for kind in ("ADI", "LYM", "MUC", "STR", "TUM"):
            path = root / f"NCT-CRC-HE-100K/{kind}/{kind}-AAAFLCLG.tif"
            mini.picture(path, mini.pixels(rng, colour=True))
        mini.picture(root / "CRC-VAL-HE-7K/TUM/TUM-TCGA.tif", mini.pixels(rng, colour=True))
        mini.text(root / "NCT-CRC-HE-100K/Thumbs.db", "no patch")
