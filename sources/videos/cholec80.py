"""Cholec80: 80 videos of laparoscopic cholecystectomies with seven phases and seven instruments.

Upstream's layout: `videos/video01.mp4` (25 fps) beside `videos/video01-timestamp.txt`; `phase_annotations/
video01-phase.txt`, tabs, Frame and Phase for every frame from 0; `tool_annotations/video01-tool.txt`, tabs, Frame and
one column for each instrument, a row for every 25th frame. Quirks: frames count at 25 fps and not all videos' last
frames are labelled; phases are written in one word (`CalotTriangleDissection`), `SpecimenBag` too; videos 1 to 40 are
used for training and 41 to 80 for testing (usual, not upstream's). CholecT50 shows the same operations under the same
numbers: both sources give one pseudonym to one number, so that no operation is in two splits.

Videos last 38 minutes on average: `clip_s` cuts them into clips, each with the events that fall in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Shelf, Upstream, broken, sidecar_rows, told
from sources.videos.shared import cut_clips, event, number, runs, sentence, taken_as

if TYPE_CHECKING:
    import numpy as np

FPS = 25
TOOL_STEP = 25  # frames from one row of a tool file to the next
TRAIN = 40  # videos 1 to 40
TOOLS = ("Grasper", "Bipolar", "Hook", "Scissors", "Clipper", "Irrigator", "SpecimenBag")
REMEDY = "fetch the annotation anew from upstream"


class Cholec80(Upstream):
    """Clips of operations; phases and instruments are events. `clip_s`: None takes each video whole."""

    source: Literal["cholec80"]
    splits: tuple[str, ...] = ("train",)
    clip_s: float | None = Field(default=60.0, ge=1)
    card: ClassVar[Card] = Card(
        name="cholec80",
        what="laparoscopic cholecystectomies with surgical phases and instrument presence",
        url="http://camma.u-strasbg.fr/datasets",
        revision="2016 release, 80 videos",
        licence="CC-BY-NC-SA-4.0",
        access="registered",
        steps="request the data set from CAMMA (form on its page), then unpack below cholec80/",
        citation="Twinanda et al. EndoNet: a deep architecture for recognition tasks on laparoscopic videos. "
        "IEEE Transactions on Medical Imaging 36, 86-97 (2017).",
        phi_risk="low: inside views; frames outside the body may show the operating room",
        modalities=("ES",),
        body_parts=("gallbladder",),
        tasks=("temporal-events", "multi-label"),
        size="80 videos of 13 surgeons, 51 hours, 25 fps",
        layout="videos/videoNN.mp4, phase_annotations/videoNN-phase.txt, tool_annotations/videoNN-tool.txt",
        known="recalled",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for video in shelf.matching("videos/video*.mp4"):
            yield from self._video(video, shelf, place, pseudonym)
        yield from shelf.rest(("*-phase.txt", "*-tool.txt", "*-timestamp.txt"))

    def _video(self, video: Entry, shelf: Shelf, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        name = PurePosixPath(video.path).stem
        phases = shelf.get(f"phase_annotations/{name}-phase.txt")
        tools = shelf.get(f"tool_annotations/{name}-tool.txt")
        beside = (*taken_as(shelf, phases), *taken_as(shelf, tools))
        files = (shelf.take(video), *beside)
        split = "train" if operation(name) <= TRAIN else "test"
        if other := self.other_split(split, files, name):
            yield other
            return
        try:
            length, events = _events(place, phases, tools)
        except RecordError as error:
            yield broken(phases or video, error)
            return
        item = Item(
            upstream_id=name,
            form="clip",
            files=files,
            group=pseudonym("patient", f"cholec:{operation(name)}"),
            facts=(
                *self.declared_facts(),
                Fact("procedure", "laparoscopic cholecystectomy", "card"),
                *told("split", split, "card"),
                *events,
            ),
        )
        yield from cut_clips(item, length, self.clip_s)

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        for video in (1, 2, 3, 41):
            mini.clip(root / f"videos/video{video:02d}.mp4", rng, seconds=2.0, fps=FPS, side=96)
            mini.text(root / f"videos/video{video:02d}-timestamp.txt", "Frame\tTimestamp\n0\t00:00:00.00\n")
            if video == 3:
                continue  # a video without its annotations
            phase = ["Preparation"] * 20 + ["CalotTriangleDissection"] * (20 + video) + ["ClippingCutting"] * 9
            rows = [{"Frame": n, "Phase": p} for n, p in enumerate(phase)]
            mini.table(root / f"phase_annotations/video{video:02d}-phase.txt", rows, "\t")
            seen = [{"Frame": n, **{t: int(t == "Grasper" or n == 25) for t in TOOLS[:3]}} for n in (0, 25)]
            mini.table(root / f"tool_annotations/video{video:02d}-tool.txt", seen, "\t")


def operation(name: str) -> int:
    """The number of an operation, which CAMMA's data sets share: `video01`, `VID01` -> 1."""
    digits = "".join(c for c in name if c.isdigit())
    return int(digits) if digits else 0


def _events(place: Place, phases: Entry | None, tools: Entry | None) -> tuple[float, tuple[Fact, ...]]:
    """The labelled length in seconds, and what happens when. Raises `RecordError` `bad_table`."""
    found: list[Fact] = []
    length = 0.0
    if phases is not None:
        rows = sidecar_rows(place, phases)
        labelled = [(_frame(row), sentence(row.get("Phase", ""))) for row in rows]
        length = (labelled[-1][0] + 1) / FPS if labelled else 0.0
        for name, first, last in runs(labelled):
            found.append(event(f"{name} phase", first / FPS, (last + 1) / FPS, "column:Phase"))
    if tools is not None:
        rows = sidecar_rows(place, tools)
        for tool in TOOLS:
            seen = [(_frame(row), "yes" if row.get(tool) == "1" else "") for row in rows]
            for _, first, last in runs(seen, TOOL_STEP):
                found.append(
                    event(f"{sentence(tool)} in view", first / FPS, (last + TOOL_STEP) / FPS, f"column:{tool}")
                )
    return length, tuple(found)


def _frame(row: dict[str, str]) -> int:
    frame = number(row.get("Frame"))
    if not 0 <= frame < 1e8:
        raise RecordError("bad_table", "a row without a frame number", REMEDY)
    return int(frame)
