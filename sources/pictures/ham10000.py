"""HAM10000: 10,015 dermatoscopic images of pigmented lesions, seven diagnoses, with lesion masks.

Upstream's layout (Harvard Dataverse, doi:10.7910/DVN/DBW86T, unpacked): `HAM10000_metadata.csv` with lesion_id,
image_id, dx, dx_type, age, sex, localization[, dataset]; `HAM10000_images_part_{1,2}/IMAGE.jpg`; masks, published
later, as `HAM10000_segmentations_lesion_tschandl/IMAGE_segmentation.png`. Quirks: several images show one lesion, so a
lesion is the group (patients are not told); ages come as `45.0`; `unknown` stands for what is not known.
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

DIAGNOSES = {
    "akiec": "actinic keratosis or intraepithelial carcinoma", "bcc": "basal cell carcinoma",
    "bkl": "benign keratosis-like lesion", "df": "dermatofibroma", "mel": "melanoma", "nv": "melanocytic nevus",
    "vasc": "vascular lesion",
}  # fmt: skip
TABLE = "HAM10000_metadata.csv"


class Ham10000(Upstream):
    """One record per image, with its lesion's mask where that is there."""

    source: Literal["ham10000"]
    needs: ClassVar[tuple[str, ...]] = (TABLE,)
    card: ClassVar[Card] = Card(
        name="ham10000",
        what="dermatoscopic images of pigmented skin lesions with diagnosis and lesion mask",
        url="https://doi.org/10.7910/DVN/DBW86T",
        revision="version 4",
        licence="CC-BY-NC-4.0",
        access="registered",
        steps="accept the terms on the Dataverse page, then unpack all parts below ham10000/",
        citation="Tschandl, Rosendahl, Kittler. The HAM10000 dataset. Scientific Data 5, 180161 (2018).",
        phi_risk="low: cropped images without faces; age, sex and site of the body",
        modalities=("DMS",),
        body_parts=("skin",),
        tasks=("classification", "lesion-segmentation"),
        size="10,015 images of 7,470 lesions",
        layout="HAM10000_metadata.csv, HAM10000_images_part_{1,2}/*.jpg, HAM10000_segmentations_lesion_tschandl/*.png",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for row in rows_below(TABLE, place):
            image = row["image_id"]
            entry = shelf.named(f"{image}.jpg")
            if entry is None:
                yield row.missing(f"{image}.jpg")
                continue
            mask = shelf.named(f"{image}_segmentation.png")
            yield Item(
                upstream_id=image,
                form="picture",
                files=(shelf.take(entry), row.ref, *((shelf.take(mask, "mask"),) if mask else ())),
                group=pseudonym("lesion", row["lesion_id"]),
                facts=(*self.declared_facts(), *_facts(row)),
                masks=(("skin lesion", mask.path, 0),) if mask else (),
            )
        yield from shelf.rest(self.needs)

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        rows = []
        for number, dx in enumerate(("mel", "nv", "nv", "bkl", "df", "vasc")):
            image = f"ISIC_{24306 + number:07d}"
            mini.picture(root / f"HAM10000_images_part_{1 + number % 2}/{image}.jpg", mini.pixels(rng, colour=True))
            disc = mini.disc(128, 128, rng.uniform(50, 78), rng.uniform(50, 78), rng.uniform(15, 40))
            mini.picture(root / f"HAM10000_segmentations_lesion_tschandl/{image}_segmentation.png", disc)
            row = {"lesion_id": f"HAM_{number // 2:07d}", "image_id": image, "dx": dx, "dx_type": "histo"}
            rows.append(
                {**row, "age": 45.0 + number, "sex": "unknown" if number == 5 else "male", "localization": "back"}
            )
        rows.append({**rows[0], "image_id": "ISIC_0099999"})  # a row without its image
        mini.table(root / TABLE, rows)


def _facts(row: Line) -> Iterator[Fact]:
    yield from told("diagnosis", DIAGNOSES.get(row["dx"], row["dx"]), "column:dx")
    yield from told("sex", {"male": "M", "female": "F"}.get(row["sex"], ""), "column:sex")
    yield from told("age_years", row["age"].removesuffix(".0"), "column:age")
    site = row["localization"]
    yield from told("finding", "" if site == "unknown" else site, "column:localization", about="site")
