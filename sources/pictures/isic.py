"""The ISIC Archive and the challenges that grew out of it: skin lesions, mostly dermoscopic.

Two layouts are read, also side by side. What `isic image download` writes: `metadata.csv` (isic_id, attribution,
copyright_license, age_approx, anatom_site_general, image_type, lesion_id, patient_id, sex and, as the archive stands,
diagnosis_1 to diagnosis_5 from coarse to fine; before 2024 one `diagnosis` and `benign_malignant`) with `ISIC_….jpg`
beside it. And the challenges': `*_Metadata.csv` (image, age_approx, anatom_site_general, lesion_id, sex),
`*_GroundTruth.csv` (image and one column of 0.0 and 1.0 for each diagnosis; that of 2016, without a header, is not
read), images in folders of their own, lesion masks `ISIC_…_segmentation.png`. Quirks: columns that no image of a
download fills are left out of its table; images of 2019 may be called `ISIC_…_downsampled.jpg`; ages are rounded to
five years and end at 85; each image has a licence of its own (CC-0, CC-BY or CC-BY-NC), by which `terms` chooses. In
memory: the challenges' one diagnosis of each image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecipeError
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym, outcome
from sources.pictures.shared import sex
from sources.upstream import Line, Shelf, Upstream, rows_below, told

if TYPE_CHECKING:
    import numpy as np

TABLES = ("metadata.csv", "*_Metadata.csv")
TRUTHS = ("*_GroundTruth.csv",)
ONE_HOT = {
    "MEL": "melanoma", "NV": "melanocytic nevus", "BCC": "basal cell carcinoma", "AK": "actinic keratosis",
    "AKIEC": "actinic keratosis or intraepithelial carcinoma", "BKL": "benign keratosis-like lesion",
    "DF": "dermatofibroma", "VASC": "vascular lesion", "SCC": "squamous cell carcinoma",
    "melanoma": "melanoma", "seborrheic_keratosis": "seborrheic keratosis",
}  # fmt: skip
FINE_TO_COARSE = ("diagnosis_5", "diagnosis_4", "diagnosis_3", "diagnosis_2", "diagnosis")
MEASURED = (("clin_size_long_diam_mm", "long diameter of the lesion"), ("mel_thick_mm", "Breslow thickness"))
SITES = ("anatom_site_general", "anatom_site_special")


class Isic(Upstream):
    """One record per image. `terms` are the licences of images that are taken (`CC-0`, `CC-BY`); all, if empty."""

    source: Literal["isic"]
    terms: tuple[str, ...] = ()
    may: ClassVar[tuple[str, ...]] = (*TABLES, *TRUTHS)
    card: ClassVar[Card] = Card(
        name="isic",
        what="skin lesions, dermoscopic and clinical, with diagnosis, site, age and sex",
        url="https://www.isic-archive.com",
        revision="metadata of 2024 and later; challenges of 2016 to 2019",
        licence="CC0-1.0 AND CC-BY-4.0 AND CC-BY-NC-4.0",
        citation="International Skin Imaging Collaboration. The ISIC Archive. https://www.isic-archive.com",
        phi_risk="low: crops of skin, seldom with tattoos or parts of a face; rounded age, sex and site of the body",
        modalities=("DMS", "XC"),
        body_parts=("skin",),
        tasks=("classification", "lesion-segmentation", "lesion-size"),
        size="more than 400,000 public images; the challenge of 2019 has 25,331",
        layout="metadata.csv and ISIC_*.jpg; or *_Metadata.csv, *_GroundTruth.csv and folders of images",
        known="published",
        steps="`isic image download isic/` of isic-cli, with a collection or a search; challenges by their own pages",
    )

    def tables(self, place: Place) -> tuple[tuple[str, Path], ...]:
        found = super().tables(place)
        if not found:
            raise RecipeError(
                f"source '{self.called}': neither 'metadata.csv' nor a challenge's '*_GroundTruth.csv' below its root; "
                "`curate sources isic` tells the layout and where it comes from"
            )
        return found

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        names = [name for name, _ in self.tables(place)]
        told_of = (row for name in names if _is_truth(name) for row in rows_below(name, place))
        truth = {image: row for row in told_of if (image := row.get("image", "image_id"))}
        for name in names:
            if not _is_truth(name):
                for row in rows_below(name, place):
                    image = row.get("image", "image_id") or row["isic_id"]
                    yield self._item(row, truth.pop(image, None), image, shelf, pseudonym)
        for image, row in truth.items():
            yield self._item(row, None, image, shelf, pseudonym)
        yield from shelf.rest((*TABLES, *TRUTHS))

    def _item(self, row: Line, truth: Line | None, image: str, shelf: Shelf, pseudonym: Pseudonym) -> Item:
        entry = shelf.named(f"{image}.jpg") or shelf.named(f"{image}_downsampled.jpg")
        if entry is None:
            return row.missing(f"{image}.jpg")
        terms = row.get("copyright_license")
        if self.terms and terms not in self.terms:
            shelf.take(entry)
            found = f"an image under '{terms[:40]}', which `terms` leaves out"
            return outcome(entry, "dropped", "excluded_by_recipe", found, "none needed")
        mask = shelf.named(f"{image}_segmentation.png")
        patient, lesion = row.get("patient_id"), row.get("lesion_id")
        group = pseudonym("patient", patient) if patient else pseudonym("lesion", lesion) if lesion else ""
        more = () if truth is None else (truth.ref,)
        return Item(
            upstream_id=image,
            form="picture",
            files=(shelf.take(entry), row.ref, *more, *((shelf.take(mask, "mask"),) if mask else ())),
            group=group,
            facts=(*self.declared_facts(), *_facts(row), *_diagnosed(row, truth or row)),
            masks=(("skin lesion", mask.path, 0),) if mask else (),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        told = (
            ("Benign", "Benign melanocytic proliferations", "Nevus", "dermoscopic"),
            ("Malignant", "Malignant melanocytic proliferations (Melanoma)", "Melanoma, NOS", "dermoscopic"),
            ("Malignant", "Malignant epidermal proliferations", "", "clinical: close-up"),
            ("Indeterminate", "", "", "dermoscopic"),
        )
        rows = []
        for number, (coarse, middle, fine, kind) in enumerate(told):
            image = f"ISIC_{5000 + number:07d}"
            mini.picture(root / f"{image}.jpg", mini.pixels(rng, colour=True))
            rows.append(
                {
                    "isic_id": image, "attribution": "Anonymous", "copyright_license": ("CC-0", "CC-BY-NC")[number % 2],
                    "age_approx": 45.0 + 5 * number, "anatom_site_general": ("", "anterior torso")[number % 2],
                    "clin_size_long_diam_mm": ("", "4.2")[number % 2], "diagnosis_1": coarse, "diagnosis_2": middle,
                    "diagnosis_3": fine, "diagnosis_confirm_type": "histopathology", "image_type": kind,
                    "lesion_id": f"IL_{number}", "patient_id": f"IP_{number // 2}",
                    "sex": ("female", "male")[number % 2],
                }
            )  # fmt: skip
        mini.table(root / "metadata.csv", [*rows, {**rows[0], "isic_id": "ISIC_9999999"}])
        for number in (54, 55):
            image = f"ISIC_{number:07d}_downsampled"
            mini.picture(root / f"ISIC_2019_Training_Input/{image}.jpg", mini.pixels(rng, colour=True))
        mask = mini.disc(128, 128, 60, 70, 30)
        mini.picture(root / "ISIC_2018_Task1_Training_GroundTruth/ISIC_0000054_segmentation.png", mask)
        hot = [{"image": f"ISIC_{n:07d}", "MEL": float(n == 54), "NV": float(n == 55), "UNK": 0.0} for n in (54, 55)]
        mini.table(root / "ISIC_2019_Training_GroundTruth.csv", hot)
        general = {"image": "ISIC_0000054", "age_approx": 85.0, "anatom_site_general": "head/neck"}
        mini.table(root / "ISIC_2019_Training_Metadata.csv", [{**general, "lesion_id": "", "sex": "female"}])


def _is_truth(name: str) -> bool:
    return name.endswith("_GroundTruth.csv")


def _facts(row: Line) -> Iterator[Fact]:
    kind = row.get("image_type")
    yield from told("modality", "XC" if kind.startswith(("clinical", "TBP")) else "DMS", "column:image_type")
    yield from told("sex", sex(row.get("sex")), "column:sex")
    yield from told("age_years", row.get("age_approx").removesuffix(".0"), "column:age_approx")
    for column in SITES:
        yield from told("finding", row.get(column), f"column:{column}", about="site")
    for column, about in MEASURED:
        yield from told("measurement", row.get(column), f"column:{column}", about=about, unit="mm")


def _diagnosed(row: Line, truth: Line) -> Iterator[Fact]:
    """The finest diagnosis that the archive tells, else that of a challenge, and whether it is malignant."""
    fine = next(((c, row.get(c)) for c in FINE_TO_COARSE if row.get(c)), None)
    if fine:
        yield from told("diagnosis", fine[1], f"column:{fine[0]}")
    else:
        hot = [c for c in ONE_HOT if truth.get(c) in ("1", "1.0")]
        yield from told("diagnosis", ONE_HOT[hot[0]] if len(hot) == 1 else "", f"column:{''.join(hot)}")
    coarse = "diagnosis_1" if row.get("diagnosis_1") else "benign_malignant"
    yield from told("label", row.get(coarse).lower(), f"column:{coarse}", about="malignancy")
    yield from told("label", row.get("diagnosis_confirm_type"), "column:diagnosis_confirm_type", about="confirmed by")
