"""CBIS-DDSM: scanned film mammograms with masks of masses and calcifications, their description and pathology.

Read is the JPEG re-host, which most people have, not the collection's DICOM (a `dicom_tree` reads that, without the
tables): `csv/{mass,calc}_case_description_{train,test}_set.csv`, `csv/dicom_info.csv` and `jpeg/SERIES/1-102.jpg`.
Quirks: a row is one abnormality of one view, so that a mammogram has several rows; the paths of the case tables are
those of the DICOM files (`Mass-Training_P_00001_LEFT_CC/UID/UID/000000.dcm`, with a line break at the end of some), and
mask and crop are mixed up between their two columns; hence pictures are found by PatientID (the path's first part, with
the abnormality's number for masks) and SeriesDescription in dicom_info.csv, and where that is blank by their size: a
mask is as large as its mammogram, a crop is not. Masks of another size than the mammogram cannot lie on it, and are
left out. `breast_density` of masses is `breast density` of calcifications; JPEG made masks grey at their edges, so that
they are cut at half. Crops are parts of mammograms and no records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.radiographs.shared import Gathered
from sources.upstream import Line, Shelf, Upstream, rows_below, told

if TYPE_CHECKING:
    import numpy as np

INFO, CASES = "csv/dicom_info.csv", "csv/*_case_description_*_set.csv"
FULL, MASK = "full mammogram images", "ROI mask images"
PATHOLOGY = {
    "MALIGNANT": "malignant", "BENIGN": "benign", "BENIGN_WITHOUT_CALLBACK": "benign, without callback"
}  # fmt: skip
SHAPES = {
    "mass shape": "shape", "mass margins": "margins", "calc type": "type", "calc distribution": "distribution"
}  # fmt: skip
SIDES = {"LEFT": "L", "RIGHT": "R"}


@dataclass(frozen=True, slots=True)
class _Shot:
    """A row of dicom_info.csv."""

    path: str
    kind: str
    size: tuple[str, str]


class CbisDdsm(Upstream):
    """One record per mammogram with a mask for each of its abnormalities.

    Held in memory: path, kind and size of every picture, and the 3,568 rows of the case tables."""

    source: Literal["cbis_ddsm"]
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = (INFO, CASES)
    card: ClassVar[Card] = Card(
        name="cbis_ddsm",
        what="mammograms with masks, description, BI-RADS assessment and pathology of masses and calcifications",
        url="https://www.cancerimagingarchive.net/collection/cbis-ddsm/",
        revision="2017-09-14, as the JPEG re-host awsaf49/cbis-ddsm-breast-cancer-image-dataset",
        licence="CC-BY-3.0",
        access="registered",
        steps="log in to Kaggle, download awsaf49/cbis-ddsm-breast-cancer-image-dataset, unpack it below cbis_ddsm/ so "
        "that csv/ and jpeg/ lie there",
        citation="Lee et al. A curated mammography data set for use in computer-aided detection and diagnosis "
        "research. Scientific Data 4, 170177 (2017).",
        phi_risk="low: de-identified film scans of the nineties; labels of films may be burned in",
        modalities=("MG",),
        body_parts=("breast",),
        tasks=("lesion-segmentation", "classification", "grading"),
        size="3,103 mammograms of 1,566 patients, 3,568 abnormalities",
        layout="csv/{mass,calc}_case_description_{train,test}_set.csv, csv/dicom_info.csv, jpeg/SERIES/*.jpg",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        shots: dict[str, list[_Shot]] = {}
        for row in rows_below(INFO, place):
            path = row["image_path"].removeprefix("CBIS-DDSM/")
            shot = _Shot(path, row.get("SeriesDescription"), (row.get("Rows"), row.get("Columns")))
            shots.setdefault(row["PatientID"], []).append(shot)
        cases = Gathered()
        for table in (name for name, _ in self.tables(place) if name != INFO):
            for row in rows_below(table, place):
                cases.add(_case(row["image file path"]), row)
        for case in cases:
            full = next((s for s in shots.get(case, ()) if s.kind in (FULL, "")), None)
            entry = shelf.get(full.path) if full else None
            if full is None or entry is None:
                yield cases.missing(case)
                continue
            yield self._item(shelf, entry, cases.rows(case), full, shots, pseudonym)
        yield from shelf.rest(self.needs)

    def _item(
        self, shelf: Shelf, entry: Entry, rows: list[Line], full: _Shot, shots: dict[str, list[_Shot]],
        pseudonym: Pseudonym,
    ) -> Item:  # fmt: skip
        first, case = rows[0], _case(rows[0]["image file path"])
        split = "test" if "_test_" in first.table else "train"
        facts: list[Fact] = []
        masks: list[tuple[str, str, int]] = []
        files = [shelf.take(entry)]
        for row in rows:
            kind = row["abnormality type"]
            name = f"{kind} {row['abnormality id']}" if len(rows) > 1 else kind
            facts += _abnormality(row, name)
            drawn = next((s for s in shots.get(f"{case}_{row['abnormality id']}", ()) if _is_mask(s, full)), None)
            mask = shelf.get(drawn.path) if drawn else None
            if mask is not None:
                masks.append((name, mask.path, 0))
                files.append(shelf.take(mask, "mask"))
        files += [row.ref for row in rows]
        return self.other_split(split, tuple(files), case) or Item(
            upstream_id=case,
            form="picture",
            files=tuple(files),
            group=pseudonym("patient", first["patient_id"]),
            facts=(*self.declared_facts(), *_breast(first), *facts, Fact("split", split, "table")),
            masks=tuple(masks),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        info: list[dict[str, object]] = []

        def shot(case: str, kind: str, image: mini.Pixels, told_kind: bool = True) -> None:
            series = f"1.3.6.1.4.1.9590.100.1.2.{rng.integers(1 << 40)}"
            mini.picture(root / f"jpeg/{series}/1-{len(info):03d}.jpg", image)
            info.append(
                {"file_path": f"CBIS-DDSM/dicom/{series}/1.dcm", "image_path": f"CBIS-DDSM/jpeg/{series}/1-"
                 f"{len(info):03d}.jpg", "Rows": image.shape[0], "Columns": image.shape[1], "PatientID": case,
                 "SeriesDescription": kind if told_kind else "", "SeriesInstanceUID": series}
            )  # fmt: skip

        tables: dict[str, list[dict[str, object]]] = {}
        for index, (kind, part, patient, side, view, found) in enumerate(_MINIATURE):
            case = f"{kind.title()}-{'Training' if part == 'train' else 'Test'}_{patient}_{side}_{view}"
            if index != 3:  # rows without their picture
                shot(case, FULL, mini.pixels(rng, 160, 128))
            for number, (described, pathology) in enumerate(found, 1):
                disc = mini.disc(160, 128, rng.uniform(50, 100), rng.uniform(40, 80), rng.uniform(12, 20))
                shot(f"{case}_{number}", MASK, disc, told_kind=index != 1)
                shot(f"{case}_{number}", "cropped images", mini.pixels(rng, 48, 40), told_kind=index != 1)
                density = "breast_density" if kind == "mass" else "breast density"
                row = {"patient_id": patient, density: 3, "left or right breast": side, "image view": view,
                       "abnormality id": number, "abnormality type": "mass" if kind == "mass" else "calcification",
                       **described, "assessment": 4, "pathology": pathology, "subtlety": 4}  # fmt: skip
                path = f"{case}_{number}/1.3.6/1.3.6.1/000000.dcm"
                paths = {"image file path": f"{case}/1.3.6/1.3.6.1/000000.dcm", "cropped image file path": path,
                         "ROI mask file path": f"{path}\n"}  # fmt: skip
                tables.setdefault(f"csv/{kind}_case_description_{part}_set.csv", []).append({**row, **paths})
        for name, rows in tables.items():
            mini.table(root / PurePosixPath(name), rows)
        mini.table(root / INFO, info)


def _case(path: str) -> str:
    """The first part of a path of the case tables."""
    return path.strip().strip('"').split("/")[0].strip()


def _is_mask(shot: _Shot, full: _Shot) -> bool:
    return shot.kind in (MASK, "") and shot.size == full.size


def _breast(row: Line) -> Iterator[Fact]:
    side = row.get("left or right breast").upper()
    yield from told("laterality", SIDES.get(side, ""), "column:left or right breast")
    yield from told("view_position", row.get("image view"), "column:image view")
    density = row.get("breast_density", "breast density")
    yield from told("finding", density if density in "1234" else "", "column:breast_density", about="breast density")


def _abnormality(row: Line, name: str) -> Iterator[Fact]:
    yield Fact("finding", "present", "column:abnormality type", about=name)
    for column, what in SHAPES.items():
        value = row.get(column).lower().replace("-", ", ").replace("_", " ")
        yield from told("finding", "" if value == "n/a" else value, f"column:{column}", about=f"{what} of {name}")
    pathology = row.get("pathology")
    yield from told("diagnosis", PATHOLOGY.get(pathology, pathology.lower()), "column:pathology", about=name)
    grade = row.get("assessment")
    yield from told("severity", f"BI-RADS {grade}" if grade else "", "column:assessment", about=name)
    subtlety = row.get("subtlety")
    yield from told("finding", f"{subtlety} of 5" if subtlety else "", "column:subtlety", about=f"subtlety of {name}")


_MASS = {"mass shape": "IRREGULAR-ARCHITECTURAL_DISTORTION", "mass margins": "SPICULATED"}
_OVAL = {"mass shape": "OVAL", "mass margins": "CIRCUMSCRIBED"}
_CALC = {"calc type": "PLEOMORPHIC", "calc distribution": "CLUSTERED"}
_MINIATURE = (
    ("mass", "train", "P_00001", "LEFT", "CC", ((_MASS, "MALIGNANT"),)),
    ("mass", "train", "P_00004", "RIGHT", "MLO", ((_OVAL, "BENIGN"), (_OVAL, "BENIGN_WITHOUT_CALLBACK"))),
    ("calc", "train", "P_00005", "RIGHT", "CC", ((_CALC, "MALIGNANT"),)),
    ("calc", "train", "P_00007", "LEFT", "CC", ((_CALC | {"calc distribution": "N/A"}, "BENIGN"),)),
    ("mass", "test", "P_00016", "LEFT", "MLO", ((_OVAL, "BENIGN"),)),
)  # fmt: skip
