"""CholecT50: 50 cholecystectomies at 1 frame per second, with triplets of instrument, verb and target.

Upstream's layout (CAMMA-public/cholect50, docs/README-Format.md): `videos/VID01/000000.png` ... at 1 fps, 854 x 480;
`labels/VID01.json` with video, fps, num_frames, categories (triplet, instrument, verb, target, phase: id -> name) and
annotations: frame -> list of vectors of 15 (triplet, instrument with score and box, verb, target with score and box,
phase; -1 for what is not said). Quirks: a frame may have several vectors or none; frames outside the body are black;
triplets are written `grasper,retract,gallbladder` with underscores in names, and `null_verb`, `null_target` stand for
an idle instrument; boxes are -1 throughout and not taken over. The split is that of the Rendezvous paper (`cholect50`
of upstream's loader). The numbers of operations are Cholec80's.

Frames become clips of `clip_s` seconds; a clip one of whose frames is missing fails by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym, outcome
from sources.upstream import Shelf, Upstream, broken, sidecar_json, told
from sources.videos.cholec80 import operation
from sources.videos.shared import FrameRefs, event, frame_rate, frames_form, number, runs, sentence

if TYPE_CHECKING:
    import numpy as np

VAL = (8, 12, 29, 50, 78)
TEST = (6, 51, 10, 73, 14, 74, 32, 80, 42, 111)
VECTOR, TRIPLET, PHASE = 15, 0, 14
REMEDY = "fetch the labels anew from upstream"


class CholecT50(Upstream):
    """Clips of frames; triplets and phases are events."""

    source: Literal["cholect50"]
    splits: tuple[str, ...] = ("train",)
    clip_s: int = Field(default=60, ge=2, le=3600)
    card: ClassVar[Card] = Card(
        name="cholect50",
        what="laparoscopic cholecystectomies with action triplets and phases for every second",
        url="https://github.com/CAMMA-public/cholect50",
        revision="2023-02-20 release; format of commit d0aa1b1",
        licence="CC-BY-NC-SA-4.0",
        access="registered",
        steps="fill in the request form of the repository, then unpack CholecT50 below cholect50/",
        citation="Nwoye et al. Rendezvous: attention mechanisms for the recognition of surgical action triplets in "
        "endoscopic videos. Medical Image Analysis 78, 102433 (2022).",
        phi_risk="low: frames outside the body are blacked out by upstream",
        modalities=("ES",),
        body_parts=("gallbladder",),
        tasks=("temporal-events", "multi-label"),
        size="50 videos, 100,900 frames, 151,000 triplet instances of 100 classes",
        layout="videos/VIDNN/NNNNNN.png, labels/VIDNN.json, label_mapping.txt",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        frames = FrameRefs(shelf)
        for labels in shelf.matching("labels/VID*.json"):
            try:
                yield from self._video(labels, shelf, frames, place, pseudonym)
            except RecordError as error:
                shelf.take(labels, "table")
                yield broken(labels, error)
        yield from shelf.rest(("label_mapping.txt",))

    def _video(
        self, labels: Entry, shelf: Shelf, frames: FrameRefs, place: Place, pseudonym: Pseudonym
    ) -> Iterator[Item]:
        name = PurePosixPath(labels.path).stem
        split = split_of(operation(name))
        if split not in self.splits:
            shown = tuple(shelf.take(e) for e in shelf.matching(f"videos/{name}/*.png"))
            if other := self.other_split(split, (*shown, shelf.take(labels, "table")), name):
                yield other
                return
        fps, annotated, triplets, phases = _labels(sidecar_json(place, labels))
        table = shelf.take(labels, "table")
        numbers = sorted(annotated)
        step = int(self.clip_s * fps)
        for start in range(0, numbers[-1] + 1 if numbers else 0, step):
            several = [n for n in numbers if start <= n < start + step]
            shown = tuple(f for n in several if (f := frames.get(f"videos/{name}/{n:06d}.png")))
            part = f"{name}#frame={start},{start + step}"
            if len(shown) < len(several):
                found = f"{len(several) - len(shown)} of {len(several)} frames are not below the root"
                failed = outcome(labels, "failed", "media_missing", found, "fetch the frames of the video", "table")
                yield Item(
                    part, "none", (*shown, table), status="failed", reason=failed.reason, found=found,
                    remedy=failed.remedy,
                )  # fmt: skip
            elif several:
                yield Item(
                    upstream_id=part,
                    form=frames_form(shown),
                    files=(*shown, table),
                    group=pseudonym("patient", f"cholec:{operation(name)}"),
                    facts=(
                        *self.declared_facts(),
                        Fact("procedure", "laparoscopic cholecystectomy", "card"),
                        *told("split", split, "card"),
                        *frame_rate(shown, fps, "fps"),
                        *_events({k: annotated[n] for k, n in enumerate(several)}, fps, triplets, phases),
                    ),
                )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        names = {
            "94": "grasper,null_verb,null_target",
            "3": "grasper,grasp,gallbladder",
            "17": "grasper,retract,gallbladder",
            "60": "hook,dissect,cystic_duct",
        }
        for video, count in ((1, 4), (2, 3), (4, 3), (6, 2)):
            background, said = mini.pixels(rng, 96, 128, colour=True), {}
            for frame in range(count):
                shown = background.copy()
                shown[mini.disc(96, 128, 30 + 5 * frame, 20 + 14 * frame, 12) > 0] = 240
                if (video, frame) != (4, 1):  # a frame that is missing
                    mini.picture(root / f"videos/VID{video:02d}/{frame:06d}.png", shown)
                rows = [
                    [i, 0, 1, -1, -1, -1, -1, 1, 0, -1, -1, -1, -1, -1, min(frame, 1)]
                    for i in (17 if frame else 94, 60)
                ]
                said[str(frame)] = rows[: 1 + frame % 2] if frame < 3 else [[-1] * 14 + [1]]
            categories = {"triplet": names, "phase": {"0": "preparation", "1": "carlot-triangle-dissection"}}
            labels = {"video": video, "fps": 1, "num_frames": count, "categories": categories, "annotations": said}
            mini.json_file(root / f"labels/VID{video:02d}.json", labels)
        mini.text(root / "label_mapping.txt", "# IVT, I, V, T, IV, IT\n17,0,1,0,1,0\n")


def split_of(video: int) -> str:
    return "val" if video in VAL else "test" if video in TEST else "train"


Vectors = list[Any]


def _labels(value: Any) -> tuple[float, dict[int, Vectors], dict[str, str], dict[str, str]]:
    """Rate, vectors by frame, and the names of triplets and phases. Raises `RecordError` `bad_labels`."""
    try:
        annotated = {int(k): list(v) for k, v in value["annotations"].items()}
        names = [{str(k): str(v) for k, v in value["categories"][part].items()} for part in ("triplet", "phase")]
        fps = number(value.get("fps", 1))
    except (TypeError, KeyError, AttributeError, ValueError):
        raise RecordError("bad_labels", "a file without frames and categories", REMEDY) from None
    rows = [row for several in annotated.values() for row in several]
    if not 0.01 <= fps <= 1000 or any(not isinstance(row, list) or len(row) < VECTOR for row in rows):
        raise RecordError("bad_labels", "vectors of another length, or no rate", REMEDY)
    if not all(isinstance(row[at], int | float) for row in rows for at in (TRIPLET, PHASE)):
        raise RecordError("bad_labels", "vectors that hold no numbers", REMEDY)
    return fps, annotated, names[0], names[1]


def _words(triplet: str) -> str:
    """`hook,dissect,cystic_duct` -> hook dissect cystic duct; `grasper,null_verb,null_target` -> grasper idle."""
    instrument, *rest = (sentence(part) for part in triplet.split(","))
    known = [part for part in rest if not part.startswith("null")]
    return " ".join([instrument, *known]) if known else f"{instrument} idle"


def _events(
    annotated: dict[int, Vectors], fps: float, triplets: dict[str, str], phases: dict[str, str]
) -> Iterator[Fact]:
    """Runs of the same triplet and of the same phase, in seconds from the first of these frames."""
    seen = {f: {str(int(row[TRIPLET])) for row in rows} for f, rows in annotated.items()}
    for key, name in triplets.items():
        told_of = [(frame, "yes" if key in ids else "") for frame, ids in seen.items()]
        for _, first, last in runs(told_of):
            yield event(_words(name), first / fps, (last + 1) / fps, "annotations:triplet")
    stage = [(f, phases.get(str(int(rows[0][PHASE])), "") if rows else "") for f, rows in annotated.items()]
    for name, first, last in runs(stage):
        words = sentence(name).replace("carlot", "calot").replace("-", " ")
        yield event(f"{words} phase", first / fps, (last + 1) / fps, "annotations:phase")
