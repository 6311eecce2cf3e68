"""HyperKvasir: 10,662 labelled endoscopic images in 23 classes, 1,000 of polyps with masks, 99,417 without a label.

Upstream's layout: `labeled-images/{lower,upper}-gi-tract/CATEGORY/CLASS/UUID.jpg` and `labeled-images/image-labels.csv`
(Video file, Organ, Finding, Classification, where `Video file` is the image's name without its ending);
`segmented-images/{images,masks}/*.jpg` with `bounding-boxes.json` (height, width, bbox);
`unlabeled-images/images/*.jpg`, taken if `unlabelled` asks for it. Quirks: grades are classes (`ulcerative-colitis-
grade-0-1` lies between two); the segmented images are of the polyps of the labelled ones, under other names
(deduplication finds them); patients are not told. The labelled videos are `hyperkvasir_videos`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.pictures.kvasir_seg import boxes
from sources.pictures.shared import part_ref
from sources.upstream import Line, Shelf, Upstream, rows_below, sidecar_json, told

if TYPE_CHECKING:
    import numpy as np

TABLE, BOXES = "labeled-images/image-labels.csv", "segmented-images/bounding-boxes.json"
GRADED = {  # class: (what is graded, grade)
    "barretts-short-segment": ("Barrett's esophagus", "short segment"),
    "bbps-0-1": ("Boston bowel preparation scale", "0-1"),
    "bbps-2-3": ("Boston bowel preparation scale", "2-3"),
    "esophagitis-a": ("esophagitis", "Los Angeles A"),
    "esophagitis-b-d": ("esophagitis", "Los Angeles B to D"),
    "ulcerative-colitis-grade-0-1": ("ulcerative colitis", "Mayo 0 to 1"),
    "ulcerative-colitis-grade-1": ("ulcerative colitis", "Mayo 1"),
    "ulcerative-colitis-grade-1-2": ("ulcerative colitis", "Mayo 1 to 2"),
    "ulcerative-colitis-grade-2": ("ulcerative colitis", "Mayo 2"),
    "ulcerative-colitis-grade-2-3": ("ulcerative colitis", "Mayo 2 to 3"),
    "ulcerative-colitis-grade-3": ("ulcerative colitis", "Mayo 3"),
}
WORDS = {"barretts": "Barrett's esophagus", "polyps": "polyp"}
SIMULA = "https://datasets.simula.no/downloads/hyper-kvasir/"


class HyperKvasir(Upstream):
    """One record per image."""

    source: Literal["hyperkvasir"]
    unlabelled: bool = False
    needs: ClassVar[tuple[str, ...]] = (TABLE,)
    may: ClassVar[tuple[str, ...]] = (BOXES,)
    card: ClassVar[Card] = Card(
        name="hyperkvasir",
        what="endoscopic images of landmarks, findings, grades and bowel preparation; polyps with masks",
        url="https://datasets.simula.no/hyper-kvasir/",
        revision="release of 2020",
        licence="CC-BY-4.0",
        citation="Borgli et al. HyperKvasir, a comprehensive multi-class image and video dataset for gastrointestinal "
        "endoscopy. Scientific Data 7, 283 (2020).",
        phi_risk="low: text of the endoscope burned into some images",
        modalities=("ES",),
        body_parts=("colon", "esophagus", "stomach"),
        tasks=("classification", "grading", "lesion-segmentation", "detection"),
        size="10,662 labelled, 1,000 segmented and 99,417 unlabelled images",
        layout="labeled-images/image-labels.csv and */*/CLASS/*.jpg; segmented-images/{images,masks}/*.jpg and "
        "bounding-boxes.json; unlabeled-images/images/*.jpg",
        known="published",
        remotes=(
            Remote(kind="http", at=f"{SIMULA}hyper-kvasir-labeled-images.zip", unpack=True),
            Remote(kind="http", at=f"{SIMULA}hyper-kvasir-segmented-images.zip", unpack=True),
        ),
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        labelled = {PurePosixPath(e.path).stem: e for e in shelf.matching("labeled-images/*.jpg")}
        for row in rows_below(TABLE, place):
            entry = labelled.get(row["Video file"].removesuffix(".jpg"))
            if entry is None:
                yield row.missing(row["Video file"])
                continue
            yield Item(
                upstream_id=entry.path,
                form="picture",
                files=(shelf.take(entry), row.ref),
                facts=(*self.declared_facts(), *_facts(row)),
            )
        yield from self._segmented(shelf, place)
        for entry in shelf.matching("unlabeled-images/images/*.jpg") if self.unlabelled else ():
            yield Item(entry.path, "picture", (shelf.take(entry),), facts=self.declared_facts())
        yield from shelf.rest((TABLE, BOXES, "*.csv"))

    def _segmented(self, shelf: Shelf, place: Place) -> Iterator[Item]:
        listed = shelf.get(BOXES)
        told_of = sidecar_json(place, listed) if listed else {}
        for entry in shelf.matching("segmented-images/images/*.jpg"):
            stem = PurePosixPath(entry.path).stem
            mask = shelf.get(f"segmented-images/masks/{stem}.jpg")
            said = told_of.get(stem) if isinstance(told_of, dict) else None
            row = (part_ref(listed.path, stem, said),) if listed and isinstance(said, dict) else ()
            polyp = Fact("finding", "present", "folder", about="polyp")
            yield Item(
                upstream_id=entry.path,
                form="picture",
                files=(shelf.take(entry), *row, *((shelf.take(mask, "mask"),) if mask else ())),
                facts=(*self.declared_facts(), polyp, *boxes(said, f"file:{BOXES}")),
                masks=(("polyp", mask.path, 0),) if mask else (),
            )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        classes = (
            ("Lower GI", "cecum", "anatomical-landmarks"),
            ("Lower GI", "bbps-2-3", "quality-of-mucosal-views"),
            ("Lower GI", "ulcerative-colitis-grade-0-1", "pathological-findings"),
            ("Upper GI", "esophagitis-a", "pathological-findings"),
            ("Lower GI", "polyps", "pathological-findings"),
        )
        rows = []
        for number, (organ, finding, category) in enumerate(classes):
            name = f"5a1e4d7a-0a9b-4c3e-8a5e-{number:012d}"
            folder = root / f"labeled-images/{organ[:5].lower()}-gi-tract/{category}/{finding}"
            mini.picture(folder / f"{name}.jpg", mini.pixels(rng, colour=True))
            rows.append({"Video file": name, "Organ": organ, "Finding": finding, "Classification": category})
        mini.table(root / TABLE, [*rows, {**rows[0], "Video file": "gone"}])
        mini.picture(root / "segmented-images/images/cju0s690hkp960855.jpg", mini.pixels(rng, colour=True))
        mini.picture(root / "segmented-images/masks/cju0s690hkp960855.jpg", mini.disc(128, 128, 60, 70, 25))
        corners = {"label": "polyp", "xmin": 45, "ymin": 35, "xmax": 96, "ymax": 86}
        mini.json_file(root / BOXES, {"cju0s690hkp960855": {"height": 128, "width": 128, "bbox": [corners]}})
        mini.picture(root / "unlabeled-images/images/ff00.jpg", mini.pixels(rng, colour=True))


def _facts(row: Line) -> Iterator[Fact]:
    """What an image shows: a landmark or a quality is a label, what is pathological or was treated a finding."""
    finding, category = row["Finding"], row["Classification"]
    about, grade = GRADED.get(finding, (WORDS.get(finding, finding.replace("-", " ")), ""))
    yield from told("body_part", row["Organ"].lower().replace(" gi", " gastrointestinal tract"), "column:Organ")
    yield from told("severity", grade, "column:Finding", about=about)
    if category.startswith(("pathological", "therapeutic")):
        yield Fact("finding", "present", "column:Finding", about=about)
    elif not grade:
        yield from told("label", about, "column:Finding", about=category.replace("-", " "))
