"""Kvasir-Capsule: video capsule endoscopy with labelled frames, boxes around findings, and the videos.

Upstream's layout (OSF dv2ag): `metadata.csv` by semicolons with filename, video_id, frame_number, finding_category
(Anatomy or Luminal), finding_class, x1, y1, ..., x4, y4 (corners of a box, empty where there is none);
`labelled_images/CLASS/VIDEO_FRAME.jpg` (archives `CLASS.tar.gz`); `labelled_videos/VIDEO.mp4`; `unlabelled_videos/
VIDEO.mp4`. Quirks: a frame has as many rows as findings; of a box the four corners are given, in no fixed order; images
are 336 x 336 with a black surround; labelled videos last 26 minutes on average, of which little is labelled; they run
at 30 frames per second (1,955,675 frames in 19 hours), and frame numbers count those.

`take` chooses images, clips around the labelled passages, or both. A clip has passages with at most `gap_s` between
them and `margin_s` before and after. Held in memory: the labels of all frames (47,238 rows).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from manifests.card import Card
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Line, Shelf, Upstream, box, rows_below, told
from sources.videos.shared import event, number, part_of, runs, windows, within

if TYPE_CHECKING:
    import numpy as np

TABLE, FPS = "metadata.csv", 30
CORNERS = tuple((f"x{n}", f"y{n}") for n in (1, 2, 3, 4))


class KvasirCapsule(Upstream):
    """One record per labelled image and one per labelled passage of a video."""

    source: Literal["kvasir_capsule"]
    take: tuple[Literal["images", "videos"], ...] = ("images", "videos")
    gap_s: float = Field(default=2.0, ge=0)
    margin_s: float = Field(default=1.0, ge=0, le=1)
    clip_s: float = Field(default=60.0, ge=1)
    needs: ClassVar[tuple[str, ...]] = (TABLE,)
    card: ClassVar[Card] = Card(
        name="kvasir_capsule",
        what="video capsule endoscopy of the small bowel with 14 classes of findings and landmarks",
        url="https://osf.io/dv2ag/",
        revision="2021 (Scientific Data)",
        licence="LicenseRef-Kvasir-Capsule-terms",
        access="open",
        steps="download labelled_images, labelled_videos and metadata.csv from OSF and unpack below kvasir_capsule/; "
        "OSF names CC-BY-4.0, but the authors' repository asks for their written permission before commercial use",
        citation="Smedsrud et al. Kvasir-Capsule, a video capsule endoscopy dataset. Scientific Data 8, 142 (2021).",
        phi_risk="low: anonymised inside views, no overlay",
        modalities=("ES",),
        body_parts=("small bowel",),
        tasks=("classification", "detection", "temporal-events"),
        size="47,238 labelled images, 43 labelled and 74 unlabelled videos",
        layout="metadata.csv, labelled_images/CLASS/VIDEO_FRAME.jpg, labelled_videos/VIDEO.mp4",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        videos = {PurePosixPath(e.path).stem: e for e in shelf.matching("*labelled_videos/*.mp4")}
        seen: dict[str, list[Line]] = {}
        for row in rows_below(TABLE, place):
            seen.setdefault(row["filename"], []).append(row)
        labelled: dict[str, list[Line]] = {}
        for name, rows in seen.items():
            video, image = rows[0]["video_id"], shelf.named(name)
            if image is not None and "images" in self.take:
                yield self._image(shelf, image, rows, pseudonym)
            elif image is None and not (video in videos and "videos" in self.take):
                yield rows[0].missing(name)
            if video in videos and "videos" in self.take:
                labelled.setdefault(video, []).extend(rows)
        for video, rows in sorted(labelled.items()):
            yield from self._clips(shelf, videos[video], rows, pseudonym)
        yield from shelf.rest(self.needs)

    def _image(self, shelf: Shelf, image: Entry, rows: Sequence[Line], pseudonym: Pseudonym) -> Item:
        return Item(
            upstream_id=image.path,
            form="picture",
            files=(shelf.take(image), *(row.ref for row in rows)),
            group=pseudonym("patient", f"kvasir-capsule:{rows[0]['video_id']}"),
            facts=(*self.declared_facts(), *dict.fromkeys(fact for row in rows for fact in _facts(row))),
        )

    def _clips(self, shelf: Shelf, video: Entry, rows: Sequence[Line], pseudonym: Pseudonym) -> Iterator[Item]:
        whole, name = shelf.take(video), PurePosixPath(video.path).stem
        facts = _events(rows, int(self.gap_s * FPS) + 1)
        for start, end in self._ranges(facts):
            cut = part_of(whole, start, end)
            yield Item(
                upstream_id=f"{name}#{cut.fragment}",
                form="clip",
                files=(cut, *(row.ref for row in rows if start <= number(row["frame_number"]) / FPS < end)),
                group=pseudonym("patient", f"kvasir-capsule:{name}"),
                facts=(*self.declared_facts(), *within(facts, start, end)),
                clip=(start, end),
            )

    def _ranges(self, facts: Sequence[Fact]) -> Iterator[tuple[float, float]]:
        for start, end in _passages(facts, self.gap_s, self.clip_s):
            begin = max(start - self.margin_s, 0.0)
            for first, last in windows(end + self.margin_s - begin, self.clip_s):
                yield round(begin + first, 3), round(begin + last, 3)

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        rows = []
        classes = (("Luminal", "Polyp"), ("Anatomy", "Pylorus"), ("Luminal", "Blood - fresh"), ("Luminal", "Erosion"))
        for number_of, (category, name) in enumerate(classes):
            video, frame = ("131368cc17e44240", "04a78ef00c5245e0")[number_of % 2], 31 + 2 * number_of
            file = f"{video}_{frame}.jpg"
            if number_of != 3:  # an image that is missing; its video is there
                mini.picture(root / f"labelled_images/{name}/{file}", mini.pixels(rng, colour=True))
            x, y = (20, 30) if number_of == 0 else ("", "")
            corners = {
                "x1": x,
                "y1": y,
                "x2": x and 90,
                "y2": y,
                "x3": x and 90,
                "y3": y and 100,
                "x4": x,
                "y4": y and 100,
            }
            row = {"filename": file, "video_id": video, "frame_number": frame, "finding_category": category}
            rows.append({**row, "finding_class": name, **corners})
        rows.append({**rows[0], "finding_class": "Ulcer", **{c: "" for pair in CORNERS for c in pair}})
        rows.append({**rows[1], "filename": "ffff_1.jpg", "video_id": "ffff", "frame_number": 1})
        mini.table(root / TABLE, rows, ";")
        for video in ("131368cc17e44240", "04a78ef00c5245e0"):
            mini.clip(root / f"labelled_videos/{video}.mp4", rng, seconds=2.0, fps=FPS, side=112)


def _facts(row: Line) -> Iterator[Fact]:
    name = row["finding_class"]
    about = "landmark" if row["finding_category"] == "Anatomy" else "finding"
    yield from told("label", name, "column:finding_class", about)
    points = [(number(row.get(x)), number(row.get(y))) for x, y in CORNERS]
    known = [p for p in points if p[0] == p[0] and p[1] == p[1]]
    if len(known) > 1:
        xs, ys = zip(*known, strict=True)
        yield from box(min(xs), min(ys), max(xs), max(ys), name, "column:x1")


def _events(rows: Sequence[Line], step: int) -> tuple[Fact, ...]:
    """Runs of one class over labelled frames that follow each other closely, in seconds of the file."""
    by_class: dict[str, list[int]] = {}
    for row in rows:
        if row["frame_number"].isdigit():
            by_class.setdefault(row["finding_class"], []).append(int(row["frame_number"]))
    found = []
    for name, frames in sorted(by_class.items()):
        for _, first, last in runs([(frame, "yes") for frame in sorted(set(frames))], step):
            found.append(event(name.lower(), first / FPS, (last + 1) / FPS, "column:finding_class"))
    return tuple(found)


def _passages(facts: Sequence[Fact], gap: float, most: float) -> Iterator[tuple[float, float]]:
    """Ranges of the file that hold all events; a range grows while gaps are short and it stays under `most`."""
    begun: tuple[float, float] | None = None
    for first, last in sorted(_span(fact) for fact in facts):
        if begun and first - begun[1] <= gap and last - begun[0] <= most:
            begun = (begun[0], max(begun[1], last))
            continue
        if begun:
            yield begun
        begun = (first, last)
    if begun:
        yield begun


def _span(fact: Fact) -> tuple[float, float]:
    start, _, end = fact.value.partition("-")
    return float(start), float(end or start)
