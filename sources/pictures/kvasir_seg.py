"""Kvasir-SEG: 1,000 endoscopic images of polyps with masks and boxes.

Upstream's layout: `Kvasir-SEG/images/cju0….jpg`, `masks/` with the same names, `kavsir_bboxes.json` (the misspelling is
upstream's): for each name without its ending height, width and a list `bbox` of label, xmin, ymin, xmax, ymax. Quirks:
masks are JPEG files, whose black and white are some grey values wide; two pictures may have another size than the file
of boxes says, and a box that is not inside its picture is left out; many images carry the endoscope's green inset.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.pictures.shared import part_ref
from sources.upstream import Shelf, Upstream, box, sidecar_json

if TYPE_CHECKING:
    import numpy as np

BOXES = "kavsir_bboxes.json"
CORNERS = ("xmin", "ymin", "xmax", "ymax")


class KvasirSeg(Upstream):
    """One record per image, with its mask and its boxes."""

    source: Literal["kvasir_seg"]
    may: ClassVar[tuple[str, ...]] = (BOXES, f"*/{BOXES}")
    card: ClassVar[Card] = Card(
        name="kvasir_seg",
        what="endoscopic images of polyps with masks and boxes",
        url="https://datasets.simula.no/kvasir-seg/",
        revision="release of 2019",
        licence="LicenseRef-Simula-research-and-education",
        citation="Jha et al. Kvasir-SEG: a segmented polyp dataset. MultiMedia Modeling, LNCS 11962, 451-462 (2020).",
        phi_risk="low: text of the endoscope burned into some images",
        modalities=("ES",),
        body_parts=("colon",),
        tasks=("lesion-segmentation", "detection"),
        size="1,000 images",
        layout="Kvasir-SEG/images/*.jpg, Kvasir-SEG/masks/*.jpg, kavsir_bboxes.json",
        known="published",
        remotes=(Remote(kind="http", at="https://datasets.simula.no/downloads/kvasir-seg.zip", unpack=True),),
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        listed = shelf.named(BOXES)
        told = sidecar_json(place, listed) if listed else {}
        for entry in shelf.matching("images/*.jpg", "*/images/*.jpg"):
            name = PurePosixPath(entry.path)
            mask = shelf.get((name.parent.parent / "masks" / name.name).as_posix())
            said = told.get(name.stem) if isinstance(told, dict) else None
            row = (part_ref(listed.path, name.stem, said),) if listed and isinstance(said, dict) else ()
            yield Item(
                upstream_id=name.stem,
                form="picture",
                files=(shelf.take(entry), *row, *((shelf.take(mask, "mask"),) if mask else ())),
                facts=(
                    *self.declared_facts(),
                    Fact("finding", "present", "folder", about="polyp"),
                    *boxes(said, f"file:{BOXES}"),
                ),
                masks=(("polyp", mask.path, 0),) if mask else (),
            )
        yield from shelf.rest((BOXES,))

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        said = {}
        for number in range(4):
            stem = f"cju0qkwl35piu0993l0dew{number:03d}"
            x, y, r = (int(v) for v in (rng.integers(40, 80), rng.integers(40, 80), rng.integers(12, 30)))
            mini.picture(root / f"Kvasir-SEG/images/{stem}.jpg", mini.pixels(rng, colour=True))
            if number != 3:  # an image without its mask
                mini.picture(root / f"Kvasir-SEG/masks/{stem}.jpg", mini.disc(128, 128, y, x, r))
            corners = {"xmin": x - r, "ymin": y - r, "xmax": x + r, "ymax": y + r}
            said[stem] = {"height": 128, "width": 128, "bbox": [{"label": "polyp", **corners}]}
        said["cju0gone"] = {"height": 128, "width": 128, "bbox": []}
        mini.json_file(root / f"Kvasir-SEG/{BOXES}", said)


def boxes(said: Any, origin: str) -> Iterator[Fact]:
    """The boxes of one picture, those that lie within the size that goes with them."""
    listed = said.get("bbox") if isinstance(said, dict) else None
    for one in listed if isinstance(listed, list) else ():
        corners = (
            [float(v) for c in CORNERS if isinstance(v := one.get(c), int | float)] if isinstance(one, dict) else []
        )
        size = [said.get(side) for side in ("width", "height")]
        if len(corners) == 4 and all(isinstance(n, int | float) for n in size):
            x0, y0, x1, y1 = corners
            if x1 <= size[0] and y1 <= size[1]:
                yield from box(x0, y0, x1, y1, str(one.get("label") or "polyp"), origin)
