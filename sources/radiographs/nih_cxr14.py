"""NIH ChestX-ray14: frontal chest radiographs with up to fourteen diseases that were mined from the reports.

Upstream's layout (unpacked): `Data_Entry_2017[_v2020].csv`, `images_001/images/00000001_000.png` to `images_012/` (or
all in `images/`), `train_val_list.txt`, `test_list.txt` and `BBox_List_2017.csv`. Quirks: the headers hold commas that
nobody quoted, so that `Bbox [x,y,w,h]` and `OriginalImage[Width,Height]` are columns named `Bbox [x`, `y`, `w`, `h]`
and so on, with empty ones at the end; `Finding Labels` is joined by `|`; the boxes say `Infiltrate` for `Infiltration`;
boxes are in the published 1024 x 1024 pictures, while width, height and pixel spacing are those of the original, which
was scaled by different factors along x and y; ages were `058Y` first and had outliers up to 414, mended in 2020; about
a thousand pictures have boxes, most of the test split. What the labels do not name was not mined: it is stated as
absent only where they say `No Finding`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact, FileRef
from sources.base import Entry, Item, Place, Pseudonym
from sources.radiographs.shared import NOTHING, SEXES, Gathered, number, years
from sources.upstream import Line, Shelf, Upstream, box, rows_below, told

if TYPE_CHECKING:
    import numpy as np

TABLE, BOXES = "Data_Entry_2017*.csv", "BBox_List_2017.csv"
LISTS = {"train_val_list.txt": "train_val", "test_list.txt": "test"}
SIDE = 1024  # pixels of every published picture
DISEASES = (
    "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax",
    "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia",
)  # fmt: skip
SAME = {"Infiltrate": "Infiltration"}


class NihCxr14(Upstream):
    """One record per picture. Held in memory: the split of every picture, and the thousand rows of boxes."""

    source: Literal["nih_cxr14"]
    splits: tuple[str, ...] = ("train_val",)
    needs: ClassVar[tuple[str, ...]] = (TABLE, *LISTS)
    may: ClassVar[tuple[str, ...]] = (BOXES,)
    card: ClassVar[Card] = Card(
        name="nih_cxr14",
        what="frontal chest radiographs with fourteen diseases and some boxes",
        url="https://nihcc.app.box.com/v/ChestXray-NIHCC",
        revision="2017, with Data_Entry_2017_v2020.csv",
        licence="LicenseRef-NIH-Clinical-Center-attribution",
        access="open",
        citation="Wang et al. ChestX-ray8: Hospital-scale Chest X-ray Database and Benchmarks on Weakly-Supervised "
        "Classification and Localization of Common Thorax Diseases. CVPR (2017).",
        phi_risk="low: de-identified pictures; age and sex; markers may be burned in",
        modalities=("DX",),
        body_parts=("chest",),
        tasks=("multi-label", "detection"),
        size="112,120 images of 30,805 patients; 984 boxes on 880 images",
        layout="Data_Entry_2017*.csv, {train_val,test}_list.txt, BBox_List_2017.csv, images_001..012/images/*.png",
        known="recalled",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        names = [name for name, _ in self.tables(place)]
        split = {row["image"]: LISTS[n] for n in names if n in LISTS for row in rows_below(n, place, ("image",))}
        boxes = Gathered()
        for row in rows_below(BOXES, place) if BOXES in names else ():
            boxes.add(row["Image Index"], row)
        entries = max(n for n in names if n.startswith("Data_Entry"))  # the corrected one where both are there
        for row in rows_below(entries, place):
            image = row["Image Index"]
            entry = shelf.named(image)
            if entry is None:
                yield row.missing(image)
                continue
            marks = boxes.rows(image)
            files = (shelf.take(entry), row.ref, *(m.ref for m in marks))
            yield self._item(row, files, marks, split.get(image, "unlisted"), pseudonym)
        yield from shelf.rest((TABLE, BOXES, *LISTS))

    def _item(
        self, row: Line, files: tuple[FileRef, ...], marks: list[Line], split: str, pseudonym: Pseudonym
    ) -> Item:  # fmt: skip
        image = row["Image Index"]
        drawn = tuple(f for mark in marks for f in _box(mark))
        return self.other_split(split, files, image) or Item(
            upstream_id=image,
            form="picture",
            files=files,
            group=pseudonym("patient", row["Patient ID"]),
            facts=(*self.declared_facts(), *_facts(row), *drawn, Fact("split", split, "list")),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        lines = [_HEADER]
        lists: dict[str, list[str]] = {name: [] for name in LISTS}
        for number_, (image, found, follow, age) in enumerate(_MINIATURE):
            if number_ != 3:  # one row without its file
                mini.picture(root / f"images_{1 + number_ % 2:03d}/images/{image}", mini.pixels(rng))
            patient = str(int(image[:8]))
            lines.append(f"{image},{found},{follow},{patient},{age},M,PA,2682,2749,0.143,0.143,")
            lists["test_list.txt" if patient == "5" else "train_val_list.txt"].append(image)
        mini.text(root / "Data_Entry_2017_v2020.csv", "\n".join(lines) + "\n")
        for name, images in lists.items():
            mini.text(root / name, "\n".join(images) + "\n")
        mini.text(root / BOXES, _BOXES)


def _facts(row: Line) -> Iterator[Fact]:
    origin = "column:Finding Labels"
    found = [label.strip() for label in row["Finding Labels"].split("|")]
    if found == [NOTHING]:
        yield Fact("label", NOTHING, origin)
        yield from (Fact("finding", "absent", origin, about=d.replace("_", " ")) for d in DISEASES)
    else:
        yield from (Fact("finding", "present", origin, about=d.replace("_", " ")) for d in found if d != NOTHING)
    yield from told("time_point", row.get("Follow-up #"), "column:Follow-up #")
    yield from told("age_years", years(row.get("Patient Age")), "column:Patient Age")
    yield from told("sex", SEXES.get(row.get("Patient Gender").lower(), ""), "column:Patient Gender")
    yield from told("view_position", row.get("View Position"), "column:View Position")
    for axis, size, spacing in (
        ("x", "OriginalImage[Width", "OriginalImagePixelSpacing[x"), ("y", "Height]", "y]")
    ):  # fmt: skip
        mm = number(row.get(size)) * number(row.get(spacing)) / SIDE
        if 0 < mm < 10:
            yield Fact("spacing_mm", f"{mm:.4f}", f"column:{spacing}", "mm", axis)


def _box(row: Line) -> tuple[Fact, ...]:
    x, y, w, h = (number(row.get(c)) for c in ("Bbox [x", "y", "w", "h]"))
    label = row["Finding Label"]
    return box(x, y, x + w, y + h, SAME.get(label, label).replace("_", " "), "table:BBox_List_2017")


_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],"
)
_BOXES = (
    "Image Index,Finding Label,Bbox [x,y,w,h],,,\n00000002_000.png,Infiltrate,20.5,30.25,40,50.5,,,\n"
    "00000002_000.png,Effusion,70,60,30,45,,,\n"
)
_MINIATURE = (
    ("00000001_000.png", "Cardiomegaly", 0, "57"), ("00000001_001.png", "Cardiomegaly|Emphysema", 1, "58"),
    ("00000002_000.png", "Infiltration|Effusion", 0, "080Y"), ("00000003_000.png", "Hernia", 0, "74"),
    ("00000004_000.png", "No Finding", 0, "414"), ("00000005_000.png", "Pleural_Thickening", 0, "69"),
)  # fmt: skip
