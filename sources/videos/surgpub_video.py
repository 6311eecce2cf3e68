"""SurgPub-Video: questions on clips of surgical videos from journals, frames at 1 per second.

Upstream's layout (Yaoqian-Li/SurgPub-Video, README and loaders): `annotations/bench/qa_train.json`, a list of {id,
conversations [{from, value}], frames [paths]}; `annotations/bench/qa_test.csv` with folder, start, end (frames, both
within), question_closed, A to D, answer_key, and perhaps path; frames as `dataset/surgpub/VIDEO/frames/
frame_00000.png`, made by upstream's script from URLs that it hands out on request. Quirks: numbers of frames may be
written as `12.0`; frame N is second N; the 16 frames of a training row are spread over its clip, so their rate is told
by their numbers; `annotations/rarp` asks about other videos (SAR-RARP50) and is not read.

Held in memory: the questions of one table, by clip.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.record import Asked
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Line, Shelf, Upstream, rows_below, told
from sources.videos.shared import FrameRefs, Gathered, closed, exchanges, frame_rate, frames_form, number

if TYPE_CHECKING:
    import numpy as np

BESIDE = ("dataset/", "", "dataset/surgpub/", "surgpub/")
FRAME = re.compile(r"([^/]+)/frames?/frame_(\d+)\.\w+$")
LETTERS = "ABCD"
MAX_FRAMES = 3600
REMEDY = "run upstream's script that fetches the videos and takes their frames"


class SurgPubVideo(Upstream):
    """One record per clip with all its questions."""

    source: Literal["surgpub_video"]
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = ("**/bench/qa_*",)
    card: ClassVar[Card] = Card(
        name="surgpub_video",
        what="clips of surgical videos from journals with questions and answers",
        url="https://huggingface.co/datasets/Wallice/SurgPub-Video",
        revision="repository ef1121b (2026)",
        licence="LicenseRef-SurgPub-Video-terms",
        access="registered",
        steps="fetch the annotations from the hub into annotations/, ask for the table of video addresses by the form "
        "in the README, and run preprocess/download_video_frames.py into dataset/surgpub/",
        citation="Li et al. SurgPub-Video: a comprehensive surgical video framework for enhanced surgical intelligence "
        "in vision-language model. AAAI 40(8), 6628-6635 (2026).",
        phi_risk="medium: published videos of operations; titles and faces in opening frames are possible",
        modalities=("ES",),
        tasks=("vqa", "multiple-choice"),
        size="3,538 videos, 10,926 clips, 48,520 question-answer pairs",
        layout="annotations/bench/qa_{train.json,test.csv}, dataset/surgpub/VIDEO/frames/frame_NNNNN.png",
        known="recalled",
        remotes=(Remote(kind="hub", at="Wallice/SurgPub-Video", files=("bench/*",), into="annotations"),),
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        frames = FrameRefs(shelf, BESIDE)
        for name, _ in self.tables(place):
            gathered = Gathered()
            split = "test" if "test" in name.rpartition("/")[2] else "train"
            for row in rows_below(name, place):
                item = self._row(row, split, frames, pseudonym)
                if item.form == "none":
                    yield item
                else:
                    gathered.add(item.upstream_id, item)
            yield from gathered.items()
        yield from shelf.rest(self.needs)

    def _row(self, row: Line, split: str, frames: FrameRefs, pseudonym: Pseudonym) -> Item:
        listed = row.value("frames")
        paths = [str(p) for p in listed] if isinstance(listed, list) else _range(row)
        where = [m for p in paths if (m := FRAME.search(p))]
        if not paths or len(where) < len(paths):
            return row.failed("bad_frames", "no frames, or names that are not upstream's", REMEDY)
        shown = frames.all(paths)
        if shown is None:
            return row.missing(f"{len(paths)} frames")
        video, first, last = where[0][1], int(where[0][2]), int(where[-1][2])
        name = f"{video}#frame={first},{last}"
        files = (*shown, row.ref)
        if other := self.other_split(split, files, name):
            return other
        asked = _asked(row)
        if not asked:
            return row.failed("answer_missing", "no question with its answer", "take the row out", *shown)
        rate = (len(shown) - 1) / (last - first) if last > first else 0.0
        return Item(
            upstream_id=name,
            form=frames_form(shown),
            files=files,
            group=pseudonym("video", f"surgpub:{video}"),
            facts=(
                *self.declared_facts(),
                *told("split", split, "card"),
                *frame_rate(shown, rate, "frames"),
                *told("source_start_s", str(first), "frames", unit="s"),
                *told("source_end_s", str(last + 1), "frames", unit="s"),
            ),
            asked=asked,
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        for video in ("PMC101", "PMC102", "PMC103"):
            background = mini.pixels(rng, 96, 128, colour=True)
            for frame in range(6):
                shown = background.copy()
                shown[mini.disc(96, 128, 20 + 9 * frame, 30 + 12 * frame, 12) > 0] = 235
                mini.picture(root / f"dataset/surgpub/{video}/frames/frame_{frame:05d}.png", shown)
        said = [
            ("PMC101", 0, 4, "Which instrument divides the cystic artery?", "Laparoscopic scissors divide it."),
            ("PMC101", 0, 4, "What was placed before the artery was cut?", "Two titanium clips."),
            ("PMC102", 1, 5, "What does the surgeon do?\nA. Sutures the mesh\nB. Clips the duct", "A"),
            ("PMC109", 0, 3, "Which layer is opened?", "The anterior sheath."),  # frames that are missing
        ]
        rows = []
        for n, (video, start, end, question, answer) in enumerate(said):
            turns = [{"from": "human", "value": f"<image>\n{question}"}, {"from": "gpt", "value": answer}]
            frames = [f"surgpub/{video}/frames/frame_{k:05d}.png" for k in range(start, end, 2)]
            rows.append({"id": n, "conversations": turns, "frames": frames})
        mini.json_file(root / "annotations/bench/qa_train.json", rows)
        test = {"path": "", "folder": "PMC103", "start": "0.0", "end": "5.0", "answer_key": "B"}
        choices = {"question_closed": "Which organ is shown?", "A": "spleen", "B": "liver", "C": "colon", "D": "ureter"}
        mini.table(root / "annotations/bench/qa_test.csv", [{**test, **choices}])


def _range(row: Line) -> list[str]:
    """The frames from `start` to `end`, both within; none where the row says none."""
    start, end = number(row.get("start")), number(row.get("end"))
    if not row.get("folder") or not 0 <= start <= end < start + MAX_FRAMES:
        return []
    folder = "/".join(part for part in (row.get("path").strip("/"), row["folder"]) if part)
    return [f"{folder}/frames/frame_{n:05d}.png" for n in range(int(start), int(end) + 1)]


def _asked(row: Line) -> tuple[Asked, ...]:
    if row.value("conversations") is not None:
        return tuple(closed(one) for one in exchanges(row.value("conversations")))
    options = tuple(row.get(letter) for letter in LETTERS if row.get(letter))
    key = row.get("answer_key").strip().upper()[:1]
    answer = row.get(key) if key and key in LETTERS else row.get("answer")
    question = row.get("question_closed", "question")
    return (Asked(question, answer, options if answer in options else ()),) if question and answer else ()
