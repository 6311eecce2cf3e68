"""HyperKvasir's labelled videos: gastroscopies and colonoscopies with findings.

Upstream's layout (OSF mh9sj, `labeled-videos/`): `video-labels.csv` with Video file, Organ, Finding 1, Finding 2, ...,
Classification 1, ...; videos as AVI in folders by tract, class and finding. The repository simula/hyper-kvasir has
the same as `hyper-kvasir-video-metadata.csv` by semicolons: file-name, finding, width, height, number-of-frames, fps,
length, kilobytes; either table is read, the first where both are there. Quirks: names come with and without their
suffix, some are `Polypp 5.avi`; two videos are MPEG; findings are free words with misspellings, several by commas, or
`None`; some videos are the same recording in two codings; patients are not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from manifests.card import Card, Remote
from manifests.errors import RecipeError
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Line, Shelf, Upstream, rows_below, told
from sources.videos.shared import cut_clips, number

if TYPE_CHECKING:
    import numpy as np

TABLES = ("labeled-videos/video-labels.csv", "video-labels.csv", "*video-metadata.csv")
ENDINGS = (".avi", ".mpg", ".mpeg", ".mp4", ".webm")
ORGANS = {"Lower GI": "lower gastrointestinal tract", "Upper GI": "upper gastrointestinal tract"}
NUMBERED = ("", " 1", " 2", " 3", " 4")


class HyperKvasirVideos(Upstream):
    """One record per video, or per `clip_s` seconds of one where its length is told."""

    source: Literal["hyperkvasir_videos"]
    clip_s: float | None = Field(default=60.0, ge=1)
    may: ClassVar[tuple[str, ...]] = TABLES
    card: ClassVar[Card] = Card(
        name="hyperkvasir_videos",
        what="gastroscopy and colonoscopy videos with findings",
        url="https://datasets.simula.no/hyper-kvasir/",
        revision="2020; repository 49c0d0f",
        licence="CC-BY-4.0",
        access="open",
        citation="Borgli et al. HyperKvasir, a comprehensive multi-class image and video dataset for gastrointestinal "
        "endoscopy. Scientific Data 7, 283 (2020).",
        phi_risk="low: anonymised by upstream; a green navigation inset, frames outside the patient",
        modalities=("ES",),
        body_parts=("colon", "stomach", "esophagus", "small bowel"),
        tasks=("classification",),
        size="374 videos, 9.78 hours",
        layout="labeled-videos/video-labels.csv, labeled-videos/TRACT/CLASS/FINDING/*.avi",
        known="published",
        remotes=(
            Remote(
                kind="http", at="https://datasets.simula.no/downloads/hyper-kvasir/hyper-kvasir-labeled-videos.zip",
                unpack=True,
            ),
        ),
    )  # fmt: skip

    def look(self, place: Place) -> None:
        if not self.tables(place):
            raise RecipeError(f"source '{self.called}': no '{TABLES[0]}' and no '{TABLES[2]}' below its root")

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        videos: dict[str, list[Entry]] = {}
        for entry in shelf.by_path.values():
            if entry.path.lower().endswith(ENDINGS):
                videos.setdefault(_stem(entry.path), []).append(entry)
        names = sorted(dict(self.tables(place)), key=lambda name: not name.endswith("video-labels.csv"))
        for row in rows_below(names[0], place) if names else ():
            name = row.get("Video file", "file-name", "Video", "Name")
            found = videos.get(_stem(name), [])
            if len(found) != 1:
                yield (
                    row.missing(name)
                    if not found
                    else row.failed("media_ambiguous", f"{len(found)} files of that name", "keep one of them")
                )
                continue
            item = Item(
                upstream_id=_stem(name),
                form="clip",
                files=(shelf.take(found[0]), row.ref),
                group=pseudonym("video", f"hyperkvasir:{_stem(name)}"),
                facts=(*self.declared_facts(), *_facts(row)),
            )
            length = number(row.get("number-of-frames")) / (number(row.get("fps")) or 1)
            yield from cut_clips(item, length if length == length else 0.0, self.clip_s)
        yield from shelf.rest(TABLES)

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        said = (
            ("7e3731a7-51f6-4415-9038-41322f6e4746", "Lower GI", "Polyps", "", "Pathological findings"),
            ("Polypp 5", "Lower GI", "Resected polyps", "Bleeding", "Therapeutic interventions"),
            ("7940116d-cb1c-4f77-8ebc-248f5995d236", "Upper GI", "Z-line", "", "Anatomical landmarks"),
            ("1e453eb9-7e7e-4c53-88de-8ed97dc6694c", "Lower GI", "BBPS 2-3", "", "Quality of mucosal views"),
            ("00000000-gone-4c53-88de-8ed97dc6694c", "Upper GI", "Pylorus", "", "Anatomical landmarks"),
        )
        rows = []
        for name, organ, first, second, kind in said:
            if "gone" not in name:
                tract = "lower-gi-tract" if organ == "Lower GI" else "upper-gi-tract"
                folder = f"labeled-videos/{tract}/{kind.lower().replace(' ', '-')}/{first.lower().replace(' ', '-')}"
                mini.clip(root / folder / f"{name}.avi", rng, seconds=1.5, side=112)
            row = {"Video file": name, "Organ": organ, "Finding 1": first, "Finding 2": second}
            rows.append({**row, "Classification 1": kind, "Classification 2": ""})
        mini.table(root / TABLES[0], rows)


def _stem(name: str) -> str:
    own = PurePosixPath(name.strip()).name
    return own[: own.rindex(".")] if own.lower().endswith(ENDINGS) else own


def _facts(row: Line) -> Iterator[Fact]:
    organ = row.get("Organ")
    yield from told("body_part", ORGANS.get(organ, organ), "column:Organ")
    for end in NUMBERED:
        yield from told("finding", row.get(f"Finding{end}"), f"column:Finding{end}")
        yield from told("label", row.get(f"Classification{end}"), f"column:Classification{end}", about="classification")
    for part in row.get("finding").split(","):
        yield from told("finding", part.strip(), "column:finding")
