"""AutoLaparo, task 1: laparoscopic hysterectomies with seven phases.

Upstream's layout (task 1): `videos/01.mp4` to `21.mp4` (25 fps), `labels/label_01.txt`, tabs, a frame at 1 per second
and its phase from 1 to 7. Quirks: files are read with and without their header line, and frames count from 1 or from 0
(the first row says which); videos 1 to 10 are for training, 11 to 14 for validation, 15 to 21 for testing.
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
from sources.upstream import REMEDY, Shelf, Upstream, broken, sidecar_text, told
from sources.videos.shared import cut_clips, event, runs, taken_as

if TYPE_CHECKING:
    import numpy as np

PHASES = (
    "preparation", "dividing ligament and peritoneum", "dividing uterine vessels and ligament",
    "transecting the vagina", "specimen removal", "suturing", "washing",
)  # fmt: skip
TRAIN, VAL = 10, 14


class AutoLaparo(Upstream):
    """Clips of operations; phases are events. `clip_s`: None takes each video whole."""

    source: Literal["autolaparo"]
    splits: tuple[str, ...] = ("train",)
    clip_s: float | None = Field(default=60.0, ge=1)
    card: ClassVar[Card] = Card(
        name="autolaparo",
        what="laparoscopic hysterectomies with surgical phases",
        url="https://autolaparo.github.io/",
        revision="2022 release, task 1",
        licence="LicenseRef-AutoLaparo-non-commercial-research",
        access="registered",
        steps="ask for access by the form on the page, then unpack task 1 (videos, labels) below autolaparo/",
        citation="Wang et al. AutoLaparo: a new dataset of integrated multi-tasks for image-guided surgical automation "
        "in laparoscopic hysterectomy. MICCAI 2022.",
        phi_risk="low: inside views; frames outside the body may show the operating room",
        modalities=("ES",),
        body_parts=("uterus",),
        tasks=("temporal-events",),
        size="21 videos of 66 minutes on average",
        layout="videos/NN.mp4, labels/label_NN.txt",
        known="recalled",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for video in shelf.matching("videos/*.mp4"):
            name = PurePosixPath(video.path).stem
            table = shelf.get(f"labels/label_{name}.txt")
            files = (shelf.take(video), *taken_as(shelf, table))
            split = _split(name)
            if other := self.other_split(split, files, name):
                yield other
                continue
            try:
                length, events = _events(sidecar_text(place, table)) if table else (0.0, ())
            except RecordError as error:
                yield broken(table or video, error)
                continue
            facts = (*self.declared_facts(), Fact("procedure", "laparoscopic hysterectomy", "card"), *events)
            item = Item(
                upstream_id=name,
                form="clip",
                files=files,
                group=pseudonym("patient", f"autolaparo:{name}"),
                facts=(*facts, *told("split", split, "card")),
            )
            yield from cut_clips(item, length, self.clip_s)
        yield from shelf.rest(("labels/*.txt",))

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        for video in (1, 2, 3, 15):
            mini.clip(root / f"videos/{video:02d}.mp4", rng, seconds=2.0, side=96)
            head = "Frame\tPhase\n" if video != 2 else ""
            rows = "" if video == 3 else "1\t1\n2\t2\n"  # one whose labels are empty
            mini.text(root / f"labels/label_{video:02d}.txt", head + rows)


def _split(name: str) -> str:
    video = int(name) if name.isdigit() else 0
    return "train" if video <= TRAIN else "val" if video <= VAL else "test"


def _events(text: str) -> tuple[float, tuple[Fact, ...]]:
    """The labelled length in seconds, and the phases. Raises `RecordError` `bad_table`."""
    rows: list[tuple[int, str]] = []
    for number, line in enumerate(filter(str.strip, text.splitlines())):
        cells = line.split()
        if not number and not cells[0].isdigit():
            continue
        if len(cells) != 2 or not all(c.isdigit() for c in cells) or not 1 <= int(cells[1]) <= len(PHASES):
            raise RecordError("bad_table", f"line {number + 1} is no frame and phase", REMEDY)
        rows.append((int(cells[0]), PHASES[int(cells[1]) - 1]))
    if not rows:
        return 0.0, ()
    zero = rows[0][0]
    told_of = tuple(
        event(f"{name} phase", first - zero, last + 1 - zero, "column:Phase") for name, first, last in runs(rows)
    )
    return float(rows[-1][0] + 1 - zero), told_of
