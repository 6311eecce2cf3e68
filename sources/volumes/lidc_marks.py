"""The XML of the LIDC's readers: marks of nodules, their contours, and which marks are of one nodule."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from manifests.errors import RecordError
from sources.xml_files import parsed_xml

NAMESPACE = "{http://www.nih.gov}"
ROOT = f"{NAMESPACE}LidcReadMessage"  # of CT; radiographs have another
Box = tuple[float, float, float, float]
MOST_PIXELS = 1 << 16  # of a row
REMEDY = "fetch the file anew from upstream"

SCALES: dict[str, tuple[str, ...]] = {  # in words, as the LIDC's annotation guide has them, from grade 1 on
    "subtlety": ("extremely subtle", "moderately subtle", "fairly subtle", "moderately obvious", "obvious"),
    "sphericity": ("linear", "between linear and ovoid", "ovoid", "between ovoid and round", "round"),
    "margin": ("poorly defined", "near poorly defined", "medium margin", "near sharp", "sharp"),
    "lobulation": ("no lobulation", "nearly no lobulation", "medium lobulation", "near marked lobulation",
                   "marked lobulation"),
    "spiculation": ("no spiculation", "nearly no spiculation", "medium spiculation", "near marked spiculation",
                    "marked spiculation"),
    "texture": ("non-solid", "between non-solid and part-solid", "part-solid", "between part-solid and solid",
                "solid"),
    "malignancy": ("highly unlikely", "moderately unlikely", "indeterminate", "moderately suspicious",
                   "highly suspicious"),
    "internalStructure": ("soft tissue", "fluid", "fat", "air"),
    "calcification": ("popcorn", "laminated", "solid", "non-central", "central", "absent"),
}  # fmt: skip
KINDS = {"internalStructure": "internal structure", "calcification": "calcification"}  # the others are grades


@dataclass(frozen=True, slots=True)
class Roi:
    """A contour on the slice at `z_mm` (patient coordinates): the pixels (x, y) of its border, or of that of a part
    that is left out."""

    z_mm: float
    points: tuple[tuple[int, int], ...]
    inclusion: bool = True


@dataclass(frozen=True, slots=True)
class Mark:
    """A nodule of 3 mm and more as one reader marked it: its box on each slice, by the slice's SOP Instance UID, and
    its contours."""

    reader: int
    boxes: dict[str, Box]
    grades: dict[str, int] = field(default_factory=dict)
    rois: tuple[Roi, ...] = ()


def marks_of(data: bytes) -> tuple[tuple[Mark, ...], ...] | None:
    """The marks of each reader; None for the XML of a radiograph. Raises `RecordError` `bad_xml` and what `parsed_xml`
    raises."""
    root = parsed_xml(data)
    if root.tag != ROOT:
        return None
    try:
        sessions = root.findall(f"{NAMESPACE}readingSession")
        return tuple(tuple(_marks(session, reader)) for reader, session in enumerate(sessions))
    except ValueError:
        raise RecordError("bad_xml", "coordinates or grades that are no numbers", REMEDY) from None


def _marks(session: ET.Element, reader: int) -> Iterator[Mark]:
    for nodule in session.findall(f"{NAMESPACE}unblindedReadNodule"):
        boxes: dict[str, Box] = {}
        rois: list[Roi] = []
        for roi in nodule.findall(f"{NAMESPACE}roi"):
            xs, ys = ([int(e.text or "") for e in roi.iter(f"{NAMESPACE}{c}Coord")] for c in "xy")
            if not all(0 <= c < MOST_PIXELS for c in (*xs, *ys)) or len(xs) != len(ys):
                raise ValueError("no pixels")
            if len(xs) > 1:
                rois += _roi(roi, tuple(zip(xs, ys, strict=True)))
                boxes[roi.findtext(f"{NAMESPACE}imageSOP_UID", "").strip()] = (min(xs), min(ys), max(xs), max(ys))
        if boxes:
            told = nodule.find(f"{NAMESPACE}characteristics")
            grades = {e.tag.removeprefix(NAMESPACE): int(e.text or "0") for e in told} if told is not None else {}
            yield Mark(reader, boxes, grades, tuple(rois))


def _roi(roi: ET.Element, points: tuple[tuple[int, int], ...]) -> Iterator[Roi]:
    """A contour, if the slice that it lies on is told by its place."""
    z = roi.findtext(f"{NAMESPACE}imageZposition", "").strip()
    if z and math.isfinite(z_mm := float(z)):
        yield Roi(z_mm, points, roi.findtext(f"{NAMESPACE}inclusion", "TRUE").strip().upper() != "FALSE")


def nodules_of(readers: Sequence[Sequence[Mark]]) -> list[list[Mark]]:
    """Marks that meet on a slice, directly or by another between them, are of one nodule."""
    nodules: list[list[Mark]] = []
    for mark in (m for reader in readers for m in reader):
        met = [n for n in nodules if any(_meet(mark, other) for other in n)]
        nodules = [n for n in nodules if n not in met]
        nodules.append([*(other for n in met for other in n), mark])
    return nodules


def _meet(one: Mark, other: Mark) -> bool:
    for uid in one.boxes.keys() & other.boxes.keys():
        (a0, b0, a1, b1), (c0, d0, c1, d1) = one.boxes[uid], other.boxes[uid]
        if a0 <= c1 and c0 <= a1 and b0 <= d1 and d0 <= b1:
            return True
    return False
