"""NuInsSeg: 665 patches of H&E-stained slides of 31 human and mouse organs, every nucleus outlined.

Upstream's layout (Kaggle ipateam/nuinsseg and Zenodo, unpacked): a folder for each species and organ, `human bladder`;
in it `tissue images/human_bladder_01.png` (512 x 512), `label masks modify/human_bladder_01.tif` (16 bit: 0, and a
number for each nucleus), and further folders made from the same outlines. Quirks: in `label masks` the numbers are
added where nuclei overlap, which makes values that are no nucleus; in `mask binary` nuclei that touch are one: both are
left. There is no table, and no patient is told; the patches of a folder are of one slide, and so one group. That an
animal is shown, the folder alone says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from sources.base import OBJECTS, Entry, Item, Place, Pseudonym, not_a_record
from sources.upstream import Shelf, Upstream, told

if TYPE_CHECKING:
    import numpy as np

SPECIES = ("human", "mouse")


class NuInsSeg(Upstream):
    """One record per patch, with its nuclei where they are marked."""

    source: Literal["nuinsseg"]
    card: ClassVar[Card] = Card(
        name="nuinsseg",
        what="patches of H&E-stained slides of human and mouse organs with every nucleus outlined",
        url="https://github.com/masih4/NuInsSeg",
        revision="doi:10.5281/zenodo.10518968",
        licence="CC-BY-4.0",
        access="open",
        steps="unpack the archive so that the folders of organs lie below nuinsseg/",
        citation="Mahbod et al. NuInsSeg: a fully annotated dataset for nuclei instance segmentation in H&E-stained "
        "histological images. Scientific Data 11, 295 (2024).",
        phi_risk="low: patches of slides; the organ",
        modalities=("SM",),
        body_parts=(),
        tasks=("organ-segmentation",),
        size="665 patches of 31 slides with 30,698 nuclei",
        layout="SPECIES ORGAN/tissue images/*.png, SPECIES ORGAN/label masks modify/*.tif",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for entry in shelf.matching("*/tissue images/*.png"):
            path = PurePosixPath(entry.path)
            folder = path.parents[1]
            species, _, organ = folder.name.partition(" ")
            marks = shelf.get(f"{folder}/label masks modify/{path.stem}.tif")
            yield Item(
                upstream_id=path.stem,
                form="picture",
                files=(shelf.take(entry), *((shelf.take(marks, "mask"),) if marks else ())),
                group=pseudonym("slide", folder.name),
                facts=(
                    *self.declared_facts(),
                    *told("body_part", organ if species in SPECIES else "", "folder"),
                ),
                masks=(("nuclei", marks.path, OBJECTS),) if marks else (),
            )
        for entry in shelf.matching("*/mask binary/*.png", "*/label masks/*.tif"):
            shelf.take(entry)
            yield not_a_record(entry, "a mask that does not tell all nuclei apart", "mask")
        yield from shelf.rest()

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        import numpy as np
        from PIL import Image

        from sources import mini

        for folder in ("human bladder", "human liver", "human cerebellum", "mouse liver", "mouse muscle_tibia"):
            for number in range(1, 3):
                name = f"{folder.replace(' ', '_')}_{number:02d}"
                nuclei = np.zeros((128, 128), np.uint16)
                for one in range(1, int(rng.integers(4, 9))):
                    y, x, r = rng.uniform(8, 112), rng.uniform(8, 112), rng.uniform(4, 8)
                    nuclei[mini.disc(128, 128, y, x, r) > 0] = 2 * one
                    nuclei[mini.disc(128, 128, y, x + 2 * r, r) > 0] = 2 * one + 1  # two that touch
                mini.picture(root / folder / "tissue images" / f"{name}.png", mini.pixels(rng, colour=True))
                mini.picture(root / folder / "mask binary" / f"{name}.png", np.where(nuclei, 255, 0).astype(np.uint8))
                (root / folder / "label masks modify").mkdir(parents=True, exist_ok=True)
                Image.fromarray(nuclei).save(root / folder / "label masks modify" / f"{name}.tif")
        (root / "human bladder/label masks modify/human_bladder_02.tif").unlink()  # a patch whose nuclei nobody marked
