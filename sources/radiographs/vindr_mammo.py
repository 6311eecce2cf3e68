"""VinDr-Mammo: screening mammograms as DICOM, four views of each examination, with BI-RADS, density and boxes.

Upstream's layout (PhysioNet): `images/STUDY/IMAGE.dicom`; `breast-level_annotations.csv` (study_id, series_id,
image_id, laterality, view_position, height, width, breast_birads as `BI-RADS 2`, breast_density as `DENSITY C`, split
training or test) and `finding_annotations.csv` (the same columns, then finding_categories as a Python list,
finding_birads, xmin, ymin, xmax, ymax); `metadata.csv` repeats the headers. Quirks: a picture without a finding has a
row `['No Finding']` with empty edges; one box may have several categories; some boxes lie a little outside of the
picture, and are cut at its edges; only findings of BI-RADS 3 and more are marked, so that benign ones stand nowhere.
Each picture is a record; the examination is the group, since patients are not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.radiographs.shared import NOTHING, Gathered, listed, number, write_dicom
from sources.upstream import Line, Shelf, Upstream, box, rows_below, told

if TYPE_CHECKING:
    import numpy as np

BREASTS, FINDINGS = "breast-level_annotations.csv", "finding_annotations.csv"


class VindrMammo(Upstream):
    """One record per picture. Held in memory: the rows of the findings' table, as JSON (some 6 MB)."""

    source: Literal["vindr_mammo"]
    splits: tuple[str, ...] = ("training",)
    needs: ClassVar[tuple[str, ...]] = (BREASTS, FINDINGS)
    card: ClassVar[Card] = Card(
        name="vindr_mammo",
        what="full-field digital mammograms with BI-RADS assessment, breast density and boxes of findings",
        url="https://physionet.org/content/vindr-mammo/",
        revision="1.0.0",
        licence="LicenseRef-PhysioNet-Restricted-Health-Data-1.5.0",
        access="registered",
        steps="log in to PhysioNet, sign the data use agreement of vindr-mammo, then put images/ and the tables below "
        "vindr_mammo/",
        citation="Nguyen et al. VinDr-Mammo: A large-scale benchmark dataset for computer-aided diagnosis in "
        "full-field digital mammography. Scientific Data 10, 277 (2023).",
        phi_risk="low: headers and burned-in text cleaned upstream; ages in headers",
        modalities=("MG",),
        body_parts=("breast",),
        tasks=("grading", "detection", "multi-label"),
        size="20,000 images of 5,000 examinations; 4,000 examinations for training",
        layout="breast-level_annotations.csv, finding_annotations.csv, metadata.csv, images/STUDY/IMAGE.dicom",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        findings = Gathered()
        for row in rows_below(FINDINGS, place):
            findings.add(row["image_id"], row)
        for row in rows_below(BREASTS, place):
            study, image = row["study_id"], row["image_id"]
            entry = shelf.first(f"images/{study}/{image}.dicom", f"images/{study}/{image}.dcm")
            if entry is None:
                yield row.missing()
                continue
            marks = findings.rows(image)
            files = (shelf.take(entry), row.ref, *(m.ref for m in marks))
            yield self.other_split(row["split"], files, image) or Item(
                upstream_id=image,
                form="dicom_image",
                files=files,
                group=pseudonym("study", study),
                facts=(*self.declared_facts(), *_breast(row), *(f for m in marks for f in _finding(m))),
            )
        yield from shelf.rest((*self.needs, "metadata.csv"))

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        breasts, findings = [], []
        for index, (study, side, view, birads, split, marks) in enumerate(_MINIATURE):
            image = f"{index + 1}a5f8c0e{index:02d}d94c2f8b7e3a6d1c5f9b2"
            if index != 3:  # one row without its file
                tags = {"ImageLaterality": side, "ViewPosition": view, "PatientAge": "053Y"}
                write_dicom(root / f"images/{study}/{image}.dicom", mini.pixels(rng, 160, 128), "MG", tags)
            row = {"study_id": study, "series_id": f"s{study}", "image_id": image, "laterality": side,
                   "view_position": view, "height": 160, "width": 128, "breast_birads": birads,
                   "breast_density": "DENSITY C"}  # fmt: skip
            breasts.append({**row, "split": split})
            for names, grade, edges in marks or ((["No Finding"], "", ("", "", "", "")),):
                edge = dict(zip(("xmin", "ymin", "xmax", "ymax"), edges, strict=True))
                findings.append(
                    {**row, "finding_categories": str(names), "finding_birads": grade, **edge, "split": split}
                )
        mini.table(root / BREASTS, breasts)
        mini.table(root / FINDINGS, findings)


def _breast(row: Line) -> Iterator[Fact]:
    yield from told("laterality", row.get("laterality"), "column:laterality")
    yield from told("view_position", row.get("view_position"), "column:view_position")
    yield from told("severity", row.get("breast_birads"), "column:breast_birads", about="breast")
    density = row.get("breast_density").removeprefix("DENSITY").strip()
    yield from told("finding", density, "column:breast_density", about="breast density")
    yield from told("split", row.get("split"), "column:split")


def _finding(row: Line) -> Iterator[Fact]:
    origin = "column:finding_categories"
    names = [n for n in listed(row.get("finding_categories")) if isinstance(n, str) and n]
    if names == [NOTHING]:
        yield Fact("label", NOTHING, origin)
        return
    wide, high = number(row.get("width")), number(row.get("height"))
    x0, y0, x1, y1 = (number(row.get(c)) for c in ("xmin", "ymin", "xmax", "ymax"))
    for name in names:
        yield Fact("finding", "present", origin, about=name)
        yield from told("severity", row.get("finding_birads"), "column:finding_birads", about=name)
        yield from box(max(x0, 0), max(y0, 0), min(x1, wide), min(y1, high), name, "column:xmin")


_Mark = tuple[list[str], str, tuple[float | str, ...]]
_MINIATURE: tuple[tuple[str, str, str, str, str, tuple[_Mark, ...]], ...] = (
    ("b8d273e8601f348d3664778dae0e7e0b", "L", "CC", "BI-RADS 2", "training", ()),
    ("b8d273e8601f348d3664778dae0e7e0b", "L", "MLO", "BI-RADS 2", "training", ()),
    ("8269f5971eaca3e5d3772d1796e6bd7a", "R", "CC", "BI-RADS 4", "training",
     ((["Mass", "Skin Retraction"], "BI-RADS 4", (-2.5, 40.0, 44.25, 90.0)),
      (["Suspicious Calcification"], "BI-RADS 3", (80.0, 100.5, 130.0, 140.0)))),
    ("8269f5971eaca3e5d3772d1796e6bd7a", "R", "MLO", "BI-RADS 4", "training", ()),
    ("d931832a0815df082c085b6e09d20aac", "L", "CC", "BI-RADS 1", "test", ()),
)  # fmt: skip
