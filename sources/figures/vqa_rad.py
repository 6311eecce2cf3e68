"""VQA-RAD: 2,248 questions that clinicians asked of 314 (of 315) radiology images, with their answers.

Upstream's layout (OSF, osf.io/89kps): `VQA_RAD Dataset Public.json`, a list of {qid, phrase_type, qid_linked_id,
image_case_url, image_name, image_organ (HEAD, CHEST, ABD), evaluation, question, question_rephrase, question_type,
answer, answer_type, …}, and `VQA_RAD Image Folder/` (some copies: `images/`). Quirks: `phrase_type` beginning with
`test` is the test split, and 202 images have questions in both splits; NULL stands for nothing; five answers are
numbers; the case of MedPix in image_case_url is the study. Rephrased questions are rows of their own; the columns that
link them are not taken over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Asked, Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.figures.shared import asked, by_medium, named_by
from sources.upstream import Line, Shelf, Upstream, rows_below, told

if TYPE_CHECKING:
    import numpy as np

TABLE = "VQA_RAD Dataset Public.json"
FOLDERS = ("VQA_RAD Image Folder", "images")
ORGANS = {"HEAD": "head and neck", "CHEST": "chest", "ABD": "abdomen"}


class VqaRad(Upstream):
    """One record per image, with its questions of the splits that are taken."""

    source: Literal["vqa_rad"]
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = (TABLE,)
    card: ClassVar[Card] = Card(
        name="vqa_rad",
        what="questions that clinicians asked of radiology images, with their answers",
        url="https://osf.io/89kps/",
        revision="public release of 2018",
        licence="CC0-1.0",
        citation="Lau et al. A dataset of clinically generated visual questions and answers about radiology images. "
        "Scientific Data 5, 180251 (2018).",
        phi_risk="low: teaching images of MedPix; burned-in letters occur",
        modalities=("CT", "MR", "DX"),
        body_parts=("head and neck", "chest", "abdomen"),
        tasks=("vqa",),
        size="2,248 questions (451 of them to test) on 314 images",
        layout="VQA_RAD Dataset Public.json, VQA_RAD Image Folder/synpicN.jpg",
        known="measured",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for image, rows in by_medium(lambda: rows_below(TABLE, place), named_by("image_name")):
            entry = shelf.first(*(f"{folder}/{image}" for folder in FOLDERS), image)
            pictures = (shelf.take(entry),) if entry is not None else ()
            taken: list[tuple[Line, Asked]] = []
            for row in rows:
                other = self.other_split(_split(row), (row.ref, *pictures), f"qid={row.get('qid')}")
                if other is not None:
                    yield other
                elif not pictures:
                    yield row.missing()
                else:
                    try:
                        taken.append((row, asked(row, "question", "answer", "question_type")))
                    except RecordError as error:
                        yield row.failed(error.reason, error.found, error.remedy, *pictures)
            if taken:
                case = re.search(r"[?&]id=([0-9a-fA-F-]{32,36})", taken[0][0].get("image_case_url"))
                yield Item(
                    upstream_id=image,
                    form="picture",
                    files=(*pictures, *(row.ref for row, _ in taken)),
                    group=pseudonym("study", f"medpix:{case[1].lower()}") if case else "",
                    facts=(*self.declared_facts(), *_facts(taken[0][0])),
                    asked=tuple(told for _, told in taken),
                )
        yield from shelf.rest(self.needs)

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        rows = []
        for number, (image, organ, kind, question, answer, phrase) in enumerate(ROWS):
            case = f"https://medpix.nlm.nih.gov/case?id=48e1dd0e-8552-46ad-a354-5eb55be8{image:04d}"
            row = {"qid": str(number), "phrase_type": phrase, "qid_linked_id": f"link-{number}", "image_case_url": case}
            row |= {"image_name": f"synpic{image}.jpg", "image_organ": organ, "evaluation": "evaluated"}
            row |= {"question": question, "question_rephrase": "NULL", "question_type": kind}
            rows.append({**row, "answer": answer, "answer_type": "CLOSED" if answer == "Yes" else "OPEN"})
        for image in sorted({row[0] for row in ROWS} - {9004}):
            mini.picture(root / FOLDERS[0] / f"synpic{image}.jpg", mini.pixels(rng))
        mini.json_file(root / TABLE, rows)


def _split(row: Line) -> str:
    return "test" if row.get("phrase_type").startswith("test") else "train"


def _facts(row: Line) -> Iterator[Fact]:
    organ = row.get("image_organ")
    yield from told("body_part", ORGANS.get(organ, organ), "field:image_organ")
    yield from told("split", _split(row), "field:phrase_type")


ROWS = (
    (9001, "CHEST", "PRES", "Is there a pleural effusion on the left?", "Yes", "freeform"),
    (9001, "CHEST", "PLANE", "How was this film taken?", "Posteroanterior", "freeform"),
    (9001, "CHEST", "PRES", "Can fluid be seen in the left pleural space?", "Yes", "test_para"),
    (9002, "ABD", "COUNT", "How many calcified stones lie in the gallbladder?", 3, "freeform"),
    (9002, "ABD", "ORGAN", "Which organ is enlarged?", "The spleen", "para"),
    (9003, "HEAD", "MODALITY", "What sequence is this?", "Diffusion weighted imaging", "test_freeform"),
    (9004, "HEAD", "POS", "Where is the infarct?", "Right basal ganglia", "freeform"),
    (9005, "HEAD", "ABN", "What is abnormal about the ventricles?", "They are dilated", "freeform"),
)  # fmt: skip
