"""Kermany's OCT images of 2017: 109,309 slices of the retina in four classes.

Upstream's layout: `OCT2017/{train,val,test}/{CNV,DME,DRUSEN,NORMAL}/CNV-1016042-1.jpeg` (version 2; in version 3
`CellData/OCT/{train,test}`); a name holds the class, the patient's random number and the number of the image. Quirks:
one archive names its folder `OCT2017 ` with a blank and comes with macOS companions (`._…`); there are exact
duplicates; the 32 images of `val` are of patients of `train`, the 250 of each class of `test` are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Shelf, Upstream

if TYPE_CHECKING:
    import numpy as np

CLASSES = {
    "CNV": "choroidal neovascularization", "DME": "diabetic macular edema", "DRUSEN": "drusen", "NORMAL": "normal",
}  # fmt: skip
PATH = re.compile(r"(?:.*/)?(train|val|test)/(CNV|DME|DRUSEN|NORMAL)/[A-Z]+-(\d+)-\d+\.jpe?g")


class Oct2017(Upstream):
    """One record per slice, grouped by patient."""

    source: Literal["oct2017"]
    splits: tuple[str, ...] = ("train",)
    card: ClassVar[Card] = Card(
        name="oct2017",
        what="optical coherence tomography slices of the retina in four classes",
        url="https://data.mendeley.com/datasets/rscbjbr9sj/3",
        revision="version 3",
        licence="CC-BY-4.0",
        citation="Kermany et al. Identifying medical diagnoses and treatable diseases by image-based deep learning. "
        "Cell 172, 1122-1131 (2018).",
        phi_risk="low: no text; random numbers for patients",
        modalities=("OPT",),
        body_parts=("retina",),
        tasks=("classification",),
        size="version 3: 108,309 images for training, 1,000 for testing; version 2: 83,484, 32 for validation, 968",
        layout="OCT2017/{train,val,test}/{CNV,DME,DRUSEN,NORMAL}/CLASS-PATIENT-N.jpeg",
        known="published",
        steps="download OCT2017 from Mendeley Data and unpack it below oct2017/",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for entry in list(shelf.by_path.values()):
            if (found := PATH.fullmatch(entry.path)) is None:
                continue
            split, kind, patient = found.groups()
            files = (shelf.take(entry),)
            yield self.other_split(split, files, entry.path) or Item(
                upstream_id=entry.path,
                form="picture",
                files=files,
                group=pseudonym("patient", patient),
                facts=(
                    *self.declared_facts(),
                    Fact("label", CLASSES[kind], "folder", about="retina"),
                    Fact("split", split, "folder"),
                ),
            )
        yield from shelf.rest()

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        for number, kind in enumerate(CLASSES):
            for image in (1, 2):
                path = root / f"OCT2017 /train/{kind}/{kind}-{1016042 + number // 2}-{image}.jpeg"
                mini.picture(path, mini.pixels(rng))
        mini.picture(root / "OCT2017 /test/CNV/CNV-2000001-1.jpeg", mini.pixels(rng))
        mini.text(root / "OCT2017 /train/CNV/._CNV-1016042-1.jpeg", "Mac OS X")
