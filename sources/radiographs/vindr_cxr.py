"""VinDr-CXR: chest radiographs as DICOM, read by three radiologists each (the test set by five in consensus).

Upstream's layout (PhysioNet): `train/IMAGE.dicom`, `test/IMAGE.dicom`, and in `annotations/` the tables
`annotations_{train,test}.csv` (image_id, rad_id, class_name, x_min, y_min, x_max, y_max) and
`image_labels_{train,test}.csv` (image_id, rad_id and 28 columns of 0 and 1). Quirks: the test tables have no rad_id;
`Other diseases` of the training table is `Other disease` in the test table; `No finding` stands as a class without a
box; radiologists disagree. A finding is present where most readers of the picture say so, uncertain where some do,
absent where none does; boxes of one class by different readers that overlap by half or more (intersection over union)
become one, the mean of their edges. The origin of each fact names the readers (`rad:R8,R9`). Patients are not told;
sex and age stand in some headers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.radiographs.shared import NOTHING, Gathered, number, write_dicom
from sources.upstream import Line, Shelf, Upstream, box, rows_below

if TYPE_CHECKING:
    import numpy as np

LABELS, BOXES = "annotations/image_labels_{}.csv", "annotations/annotations_{}.csv"
SAME = {"Other disease": "Other diseases", "No finding": NOTHING}
OVERLAP = 0.5


class VindrCxr(Upstream):
    """One record per picture. Held in memory: the rows of one split's tables, as JSON (some 35 MB)."""

    source: Literal["vindr_cxr"]
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = (LABELS.format("train"), BOXES.format("train"))
    may: ClassVar[tuple[str, ...]] = (LABELS.format("test"), BOXES.format("test"))
    card: ClassVar[Card] = Card(
        name="vindr_cxr",
        what="chest radiographs with boxes of 22 findings and 6 diagnoses by several radiologists",
        url="https://physionet.org/content/vindr-cxr/",
        revision="1.0.0",
        licence="LicenseRef-PhysioNet-Credentialed-Health-Data-1.5.0",
        access="credentialed",
        steps="become a credentialed user of PhysioNet, finish the CITI course, sign the data use agreement of "
        "vindr-cxr, then put annotations/, train/ and test/ below vindr_cxr/",
        citation="Nguyen et al. VinDr-CXR: An open dataset of chest X-rays with radiologist's annotations. Scientific "
        "Data 9, 429 (2022).",
        phi_risk="low: headers and burned-in text cleaned upstream; age and sex in some headers",
        modalities=("DX",),
        body_parts=("chest",),
        tasks=("detection", "multi-label"),
        size="18,000 images: 15,000 for training, 3,000 for testing",
        layout="annotations/{annotations,image_labels}_{train,test}.csv, {train,test}/*.dicom",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        names = [name for name, _ in self.tables(place)]
        for split in ("train", "test"):
            said, drawn = Gathered(), Gathered()
            for pattern, held in ((LABELS, said), (BOXES, drawn)):
                for row in rows_below(pattern.format(split), place) if pattern.format(split) in names else ():
                    held.add(row["image_id"], row)
            for image in said:
                entry = shelf.first(f"{split}/{image}.dicom", f"{split}/{image}.dcm")
                if entry is None:
                    yield said.missing(image, f"{split}/{image}.dicom")
                    continue
                labels, boxes = said.rows(image), drawn.rows(image)
                files = (shelf.take(entry), *(r.ref for r in (*labels, *boxes)))
                yield self.other_split(split, files, image) or Item(
                    upstream_id=image,
                    form="dicom_image",
                    files=files,
                    facts=(
                        *self.declared_facts(), *votes(labels), *merged(boxes), Fact("split", split, "table")
                    ),
                )  # fmt: skip
        yield from shelf.rest(("annotations/*.csv",))

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        tables: dict[str, list[dict[str, object]]] = {}
        for index, (split, image, read) in enumerate(_MINIATURE):
            if index != 2:  # rows without their file
                tags = {"PatientSex": "M", "PatientAge": f"{50 + index:03d}Y"}
                write_dicom(root / f"{split}/{image}.dicom", mini.pixels(rng), "DX", tags)
            for reader, (found, marks) in read.items():
                rad = {"rad_id": reader} if split == "train" else {}
                row = {c: int(c in found) for c in _COLUMNS}
                tables.setdefault(LABELS.format(split), []).append({"image_id": image, **rad, **row})
                for name, edges in marks or (("No finding", ("", "", "", "")),):
                    edge = dict(zip(("x_min", "y_min", "x_max", "y_max"), edges, strict=True))
                    tables.setdefault(BOXES.format(split), []).append(
                        {"image_id": image, **rad, "class_name": name, **edge}
                    )
        for name, rows in tables.items():
            mini.table(root / PurePosixPath(name), rows)


def votes(rows: Sequence[Line]) -> Iterator[Fact]:
    """What the readers of a picture say together of every class."""
    for column in (c for c in (rows[0].values if rows else ()) if c not in ("image_id", "rad_id")):
        for_it = [r.get("rad_id") for r in rows if r.get(column) in ("1", "1.0")]
        value = "present" if 2 * len(for_it) > len(rows) else "uncertain" if for_it else "absent"
        name = SAME.get(column, column)
        origin = f"column:{column}{_readers(for_it)}"
        if name != NOTHING:
            yield Fact("finding", value, origin, about=name)
        elif value == "present":
            yield Fact("label", NOTHING, origin)


def _readers(names: Sequence[str]) -> str:
    told = [n for n in names if n]
    return f" rad:{','.join(told)}" if told else ""


@dataclass(slots=True)
class _Marked:
    """Boxes of one class that are one."""

    name: str
    edges: list[tuple[float, ...]] = field(default_factory=list)
    readers: list[str] = field(default_factory=list)

    @property
    def mean(self) -> tuple[float, ...]:
        return tuple(sum(e[k] for e in self.edges) / len(self.edges) for k in range(4))

    def takes(self, name: str, reader: str, edge: tuple[float, ...]) -> bool:
        alike = name == self.name and bool(reader) and reader not in self.readers
        return alike and overlap(self.mean, edge) >= OVERLAP


def merged(rows: Sequence[Line]) -> Iterator[Fact]:
    """The boxes of a picture, those of different readers that mark one thing merged, in the table's order."""
    held: list[_Marked] = []
    for row in rows:
        edge = tuple(number(row.get(c)) for c in ("x_min", "y_min", "x_max", "y_max"))
        if not (edge[0] < edge[2] and edge[1] < edge[3]):
            continue  # no box, as with `No finding`
        name, reader = SAME.get(row["class_name"], row["class_name"]), row.get("rad_id")
        mark = next((m for m in held if m.takes(name, reader, edge)), None)
        if mark is None:
            mark = _Marked(name)
            held.append(mark)
        mark.edges.append(edge)
        mark.readers.append(reader)
    for mark in held:
        x0, y0, x1, y1 = mark.mean
        yield from box(x0, y0, x1, y1, mark.name, f"table:annotations{_readers(mark.readers)}")


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    both = wide * high
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


_COLUMNS = ("Aortic enlargement", "Cardiomegaly", "Nodule/Mass", "Pleural effusion", "Tuberculosis", "No finding")
_Read = dict[str, tuple[tuple[str, ...], tuple[tuple[str, tuple[float, ...]], ...]]]
_HEART = ("Cardiomegaly", (30.0, 60.0, 90.0, 100.0))
_MINIATURE: tuple[tuple[str, str, _Read], ...] = (
    ("train", "000434271f63a053c4128a0ba6352c7f",
     {"R2": (("No finding",), ()), "R3": (("No finding",), ()), "R6": (("No finding",), ())}),
    ("train", "00053190460d56c53cc3e57321387478",
     {"R8": (("Cardiomegaly", "Aortic enlargement"), (_HEART, ("Aortic enlargement", (60.0, 20.0, 80.0, 45.0)))),
      "R9": (("Cardiomegaly",), (("Cardiomegaly", (34.0, 60.0, 94.0, 102.0)),)),
      "R10": (("Cardiomegaly", "Tuberculosis"), (("Cardiomegaly", (100.0, 100.0, 120.0, 120.0)),))}),
    ("train", "0005e8e3701dfb1dd93d53e2ff537b6e",
     {"R1": (("Pleural effusion",), (("Pleural effusion", (5, 80, 40, 120)),))}),
    ("train", "0006e0a85696f6bb578e84fafa9a5607",
     {"R4": (("Nodule/Mass",), (("Nodule/Mass", (70.5, 40.25, 82.0, 52.0)),)), "R5": ((), ()), "R7": ((), ())}),
    ("test", "002a34c58c5b758217ed1f584ccbcfe9", {"": (("Cardiomegaly",), (_HEART,))}),
)  # fmt: skip
