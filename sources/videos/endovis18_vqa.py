"""EndoVis-18-VQA: questions about tissue, actions and places of instruments on frames of robotic nephrectomies.

Upstream's layout (lalithjets/Surgical_VQA, directory_setup.txt): `seq_1/left_frames/frame000.png` (the frames of the
EndoVis 2018 challenge, fetched from there), `seq_1/vqa/Classification/frame000_QA.txt` and `seq_1/vqa/Sentence/
frame000_QA.txt`, a question and its answer by `|` in each line, empty lines between. Quirks: sequences 8 and 13 do not
exist; not every frame has questions; both folders ask the same, one answers by a class (`kidney`), the other by a
sentence. Sequences 1, 5 and 16 are for validation. `answers` chooses the folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Asked, Fact
from sources.base import Entry, Item, Place, Pseudonym, outcome
from sources.upstream import REMEDY, Shelf, Upstream, broken, sidecar_text, told

if TYPE_CHECKING:
    import numpy as np

VAL = ("1", "5", "16")
QUESTIONS = re.compile(r"(?:.*/)?seq_(\d+)/vqa/(Classification|Sentence)/(frame\d+)_QA\.txt")


class EndoVis18Vqa(Upstream):
    """One record per frame with all its questions."""

    source: Literal["endovis18_vqa"]
    splits: tuple[str, ...] = ("train",)
    answers: Literal["Classification", "Sentence"] = "Sentence"
    card: ClassVar[Card] = Card(
        name="endovis18_vqa",
        what="frames of robotic nephrectomies with questions on tissue, actions and places of instruments",
        url="https://github.com/lalithjets/Surgical_VQA",
        revision="commit 844d91c",
        licence="LicenseRef-EndoVis-2018-challenge-terms",
        access="registered",
        steps="join the EndoVis 2018 scene-segmentation challenge for the frames, fetch the questions by the link in "
        "the repository's README, and lay both out as seq_N/left_frames and seq_N/vqa below endovis18_vqa/",
        citation="Seenivasan et al. Surgical-VQA: visual question answering in surgical scenes using transformers. "
        "MICCAI 2022; Allan et al. 2018 robotic scene segmentation challenge. arXiv:2001.11190.",
        phi_risk="none known: porcine nephrectomies",
        modalities=("ES",),
        body_parts=("kidney",),
        tasks=("vqa",),
        size="14 sequences, 2,007 frames with 11,783 question-answer pairs",
        layout="seq_N/left_frames/frameNNN.png, seq_N/vqa/{Classification,Sentence}/frameNNN_QA.txt",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for table in shelf.matching("*_QA.txt"):
            match = QUESTIONS.fullmatch(table.path)
            if match and match[2] == self.answers:
                yield self._frame(table, match[1], match[3], shelf, place, pseudonym)
        yield from shelf.rest(("*_QA.txt",))

    def _frame(self, table: Entry, sequence: str, frame: str, shelf: Shelf, place: Place, pseudonym: Pseudonym) -> Item:
        asked_in = shelf.take(table, "table")
        folder = PurePosixPath(table.path).parents[2]
        picture = shelf.first(*(f"{folder}/left_frames/{frame}{end}" for end in (".png", ".jpg")))
        if picture is None:
            found = f"'left_frames/{frame}.png' of its sequence is not below the root"
            return outcome(table, "failed", "media_missing", found, "fetch the frames of the challenge", "table")
        files = (shelf.take(picture), asked_in)
        split = "val" if sequence in VAL else "train"
        if other := self.other_split(split, files, f"seq_{sequence}/{frame}"):
            return other
        try:
            asked = _questions(sidecar_text(place, table), self.answers.lower())
        except RecordError as error:
            return broken(table, error)
        return Item(
            upstream_id=f"seq_{sequence}/{frame}",
            form="picture",
            files=files,
            group=pseudonym("video", f"endovis18:{sequence}"),
            facts=(
                *self.declared_facts(),
                Fact("procedure", "robotic nephrectomy", "card"),
                *told("split", split, "card"),
            ),
            asked=asked,
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        said = [
            ("what organ is being operated?", "kidney", "organ being operated is kidney"),
            ("what is the state of monopolar_curved_scissors?", "Idle", "action done by scissors is idle"),
            ("where is prograsp_forceps located?", "left-top", "prograsp forceps is located at left-top"),
        ]
        for sequence, frames in ((1, 1), (2, 3), (3, 2)):
            for frame in range(frames):
                base, count = root / f"seq_{sequence}", 1 + (frame + sequence) % 3
                if (sequence, frame) != (3, 1):  # questions without their frame
                    mini.picture(base / f"left_frames/frame{frame:03d}.png", mini.pixels(rng, colour=True))
                for folder, column in (("Classification", 1), ("Sentence", 2)):
                    lines = "\n\n".join(f"{row[0]}|{row[column]}" for row in said[:count]) + "\n"
                    mini.text(base / f"vqa/{folder}/frame{frame:03d}_QA.txt", lines)


def _questions(text: str, about: str) -> tuple[Asked, ...]:
    """Raises `RecordError` `bad_questions` for a line without a question and an answer."""
    found = []
    for line in filter(str.strip, text.splitlines()):
        question, _, answer = line.partition("|")
        if not question.strip() or not answer.strip():
            raise RecordError("bad_questions", "a line that is no question and answer by '|'", REMEDY)
        found.append(Asked(question.strip(), answer.strip(), about=about))
    if not found:
        raise RecordError("bad_questions", "a file without questions", REMEDY)
    return tuple(found)
