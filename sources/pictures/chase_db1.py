"""CHASE_DB1: 28 fundus photographs of both eyes of 14 children, with the vessels as two observers drew them.

Upstream's layout: `Image_01L.jpg`, `Image_01L_1stHO.png`, `Image_01L_2ndHO.png` in one folder; copies put images and
masks into folders of their own. A name holds the child's number and the eye. Quirks: masks are of one bit; some copies
leave out the second observer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Shelf, Upstream

if TYPE_CHECKING:
    import numpy as np

NAME = re.compile(r"Image_(\d+)([LR])\.jpg")
OBSERVERS = (("1stHO", "retinal vessels"), ("2ndHO", "retinal vessels (second observer)"))


class ChaseDb1(Upstream):
    """One record per eye, grouped by child."""

    source: Literal["chase_db1"]
    card: ClassVar[Card] = Card(
        name="chase_db1",
        what="fundus photographs of both eyes of children with vessel masks of two observers",
        url="https://researchdata.kingston.ac.uk/96/",
        revision="release of 2012",
        licence="CC-BY-4.0",
        citation="Fraz et al. An ensemble classification-based approach applied to retinal blood vessel segmentation. "
        "IEEE Transactions on Biomedical Engineering 59, 2538-2548 (2012).",
        phi_risk="low: no text; the vessels of a retina are as personal as a fingerprint",
        modalities=("OP",),
        body_parts=("retina",),
        tasks=("organ-segmentation",),
        size="28 images of 14 children, 999 x 960 pixels",
        layout="Image_NN{L,R}.jpg, Image_NN{L,R}_1stHO.png, Image_NN{L,R}_2ndHO.png",
        known="measured",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for entry in shelf.matching("Image_*.jpg"):
            name = PurePosixPath(entry.path).name
            if (found := NAME.fullmatch(name)) is None:
                continue
            stem = name.removesuffix(".jpg")
            drawn = [(label, shelf.named(f"{stem}_{observer}.png")) for observer, label in OBSERVERS]
            masks = [(label, mask) for label, mask in drawn if mask is not None]
            yield Item(
                upstream_id=stem,
                form="picture",
                files=(shelf.take(entry), *(shelf.take(mask, "mask") for _, mask in masks)),
                group=pseudonym("patient", found[1]),
                facts=(*self.declared_facts(), Fact("laterality", found[2], "filename")),
                masks=tuple((label, mask.path, 0) for label, mask in masks),
            )
        yield from shelf.rest()

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        import numpy as np
        from PIL import Image

        from sources import mini

        for name in ("01L", "01R", "02L", "02R"):
            mini.picture(root / f"Image_{name}.jpg", mini.pixels(rng, colour=True))
            for observer, _ in OBSERVERS if name != "02R" else OBSERVERS[:1]:
                drawn = np.zeros((128, 128), bool)
                drawn[int(rng.integers(30, 60)) :: 30, 20:110] = True
                Image.fromarray(drawn).save(root / f"Image_{name}_{observer}.png")
