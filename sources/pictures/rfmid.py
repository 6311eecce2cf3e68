"""RFMiD: 3,200 fundus photographs, each with which of 45 conditions are there.

Upstream's layout: `RFMiD_{Training,Validation,Testing}_Labels.csv` with ID, Disease_Risk and one column of 0 and 1 for
each condition, the images as `1.png` and on in `Training`, `Validation` and `Test` beside their table
(`Training_Set/Training_Set/Training/1.png`, `Evaluation_Set/…`, `Test_Set/…`); in another archive the tables are `2.
Groundtruths/a. RFMiD_Training_Labels.csv` and on, the images in `1. Original Images/a. Training Set`. Quirks: each part
counts from 1, so an image is known by its folder; conditions stand as abbreviations; Disease_Risk 1 with no other 1 is
an abnormal image whose condition has no column; patients are not told.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Line, Shelf, Upstream, rows_below, told

if TYPE_CHECKING:
    import numpy as np

ORIGINALS = "../1. Original Images"
PARTS = {
    "Training": ("Training", f"{ORIGINALS}/a. Training Set"),
    "Validation": ("Validation", f"{ORIGINALS}/b. Validation Set"),
    "Testing": ("Test", "Testing", f"{ORIGINALS}/c. Testing Set"),
}
PATTERNS = tuple(f"**/*RFMiD_{part}_Labels.csv" for part in PARTS)
CONDITIONS = {
    "DR": "diabetic retinopathy", "ARMD": "age-related macular degeneration", "MH": "media haze", "DN": "drusen",
    "MYA": "myopia", "BRVO": "branch retinal vein occlusion", "TSLN": "tessellation", "ERM": "epiretinal membrane",
    "LS": "laser scars", "MS": "macular scar", "CSR": "central serous retinopathy", "ODC": "optic disc cupping",
    "CRVO": "central retinal vein occlusion", "TV": "tortuous vessels", "AH": "asteroid hyalosis",
    "ODP": "optic disc pallor", "ODE": "optic disc edema", "ST": "optociliary shunt",
    "AION": "anterior ischemic optic neuropathy", "PT": "parafoveal telangiectasia", "RT": "retinal traction",
    "RS": "retinitis", "CRS": "chorioretinitis", "EDN": "exudation", "RPEC": "retinal pigment epithelium changes",
    "MHL": "macular hole", "RP": "retinitis pigmentosa", "CWS": "cotton wool spots", "CB": "coloboma",
    "ODPM": "optic disc pit maculopathy", "PRH": "preretinal hemorrhage", "MNF": "myelinated nerve fibers",
    "HR": "hemorrhagic retinopathy", "CRAO": "central retinal artery occlusion", "TD": "tilted disc",
    "CME": "cystoid macular edema", "PTCR": "post-traumatic choroidal rupture", "CF": "choroidal folds",
    "VH": "vitreous hemorrhage", "MCA": "macroaneurysm", "VS": "vasculitis", "BRAO": "branch retinal artery occlusion",
    "PLQ": "plaque", "HPED": "hemorrhagic pigment epithelial detachment", "CL": "collateral vessels",
}  # fmt: skip
SAID = {"1": "present", "0": "absent"}


class Rfmid(Upstream):
    """One record per image."""

    source: Literal["rfmid"]
    splits: tuple[str, ...] = ("Training",)
    needs: ClassVar[tuple[str, ...]] = PATTERNS[:1]
    may: ClassVar[tuple[str, ...]] = PATTERNS[1:]
    card: ClassVar[Card] = Card(
        name="rfmid",
        what="fundus photographs with 45 retinal conditions, present or absent",
        url="https://ieee-dataport.org/open-access/retinal-fundus-multi-disease-image-dataset-rfmid",
        revision="RFMiD 1 of 2020",
        licence="CC-BY-4.0",
        access="registered",
        steps="register at IEEE DataPort, fetch the three sets and unpack them below rfmid/",
        citation="Pachade et al. Retinal Fundus Multi-Disease Image Dataset (RFMiD). Data 6, 14 (2021).",
        phi_risk="low: no text; the vessels of a retina are as personal as a fingerprint",
        modalities=("OP",),
        body_parts=("retina",),
        tasks=("multi-label", "classification"),
        size="1,920 images for training, 640 for validation, 640 for testing",
        layout="{Training,Evaluation,Test}_Set/…/RFMiD_*_Labels.csv, and {Training,Validation,Test}/N.png beside",
        known="recalled",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for name, _ in self.tables(place):
            part = name.removesuffix("_Labels.csv").rpartition("_")[2]
            for row in rows_below(name, place):
                yield self._item(row, part, PurePosixPath(name).parent, shelf)
        yield from shelf.rest(("*RFMiD_*_Labels.csv",))

    def _item(self, row: Line, part: str, folder: PurePosixPath, shelf: Shelf) -> Item:
        paths = [posixpath.normpath(folder / own / f"{row['ID']}.png") for own in PARTS[part]]
        entry = shelf.first(*paths)
        if entry is None:
            return row.missing(paths[0])
        files = (shelf.take(entry), row.ref)
        return self.other_split(part, files, entry.path) or Item(
            upstream_id=entry.path,
            form="picture",
            files=files,
            facts=(*self.declared_facts(), *_facts(row), Fact("split", part, "table")),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        top = root / "A. RFMiD_All_Classes_Dataset"
        folders = (
            ("RFMiD_Training", root / "Training_Set/Training_Set", "Training"),
            ("RFMiD_Testing", root / "Test_Set/Test_Set", "Test"),
            ("b. RFMiD_Validation", top / "2. Groundtruths", f"{ORIGINALS}/b. Validation Set"),
        )
        for part, folder, inner in folders:
            rows = []
            for number in range(1, 6 if part == "RFMiD_Training" else 3):
                there = {} if number == 1 else {list(CONDITIONS)[number]: 1, "DR": number % 2}
                row = {"ID": number, "Disease_Risk": int(number > 1), **dict.fromkeys(CONDITIONS, 0), **there}
                rows.append(row)
                if number < 5:  # the fifth row is without its image
                    path = Path(posixpath.normpath(folder / inner / f"{number}.png"))
                    mini.picture(path, mini.pixels(rng, colour=True))
            mini.table(folder / f"{part}_Labels.csv", rows)


def _facts(row: Line) -> Iterator[Fact]:
    risk = {"1": "abnormal", "0": "normal"}.get(row["Disease_Risk"], "")
    yield from told("label", risk, "column:Disease_Risk", about="fundus")
    for column, condition in CONDITIONS.items():
        yield from told("finding", SAID.get(row.get(column), ""), f"column:{column}", about=condition)
