"""MedQA: questions of medical licensing examinations with four or five options; here those in English (USMLE).

Upstream's layout (github.com/jind11/MedQA, the archive `data_clean`): `questions/US/{train,dev,test}.jsonl` with
question, answer (text), options {A: ..., E: ...}, meta_info (`step1`, `step2&3`), answer_idx (letter); beside it
`questions/US/4_options/phrases_no_exclude_{train,dev,test}.jsonl` with four options and metamap_phrases, which is also
what the hub's GBaker/MedQA-USMLE-4-options holds. Quirks: `US_qbank.jsonl` has all splits in one and is left out, since
it holds the test's questions; both folders hold the same questions, so name one of them in `exclude`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.errors import RecordError
from manifests.record import Fact
from sources.base import Item, Pseudonym
from sources.texts.shared import TextRows, choice, said
from sources.upstream import REMEDY, Line, told

if TYPE_CHECKING:
    import numpy as np


class MedQa(TextRows):
    """One record per question."""

    source: Literal["medqa"]
    splits: tuple[str, ...] = ("train",)
    patterns: ClassVar[tuple[str, ...]] = ("*train.jsonl", "*dev.jsonl", "*test.jsonl")
    card: ClassVar[Card] = Card(
        name="medqa",
        what="questions of the US medical licensing examination with options",
        url="https://github.com/jind11/MedQA",
        revision="archive data_clean, 2020",
        licence="MIT",
        citation="Jin et al. What Disease does this Patient Have? A Large-scale Open Domain Question Answering Dataset "
        "from Medical Exams. Applied Sciences 11, 6421 (2021).",
        phi_risk="none: invented patients of examinations",
        modalities=("text",),
        tasks=("multiple-choice", "qa"),
        size="12,723 questions: 10,178 train, 1,272 dev, 1,273 test",
        layout="questions/US/{train,dev,test}.jsonl, or phrases_no_exclude_{train,test}.jsonl",
        known="published",
        remotes=(Remote(kind="hub", at="GBaker/MedQA-USMLE-4-options", files=("*.jsonl",)),),
    )

    def split_of(self, path: str) -> str:
        return PurePosixPath(path).stem.rpartition("_")[2]

    def record(self, row: Line, pseudonym: Pseudonym) -> Item:
        options = row.value("options")
        if not isinstance(options, dict):
            raise RecordError("bad_choice", "no options by letter", REMEDY)
        texts = {str(k): str(v) for k, v in options.items()}
        asked = choice(said(row, "question"), texts, row.get("answer_idx") or row["answer"], "examination")
        return self.told_of(row, "", (asked,), tuple(_facts(row)))

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        rows: list[dict[str, object]] = []
        for question, options, letter in ROWS:
            by_letter = dict(zip("ABCDE", options, strict=True))
            row = {"question": question, "answer": by_letter[letter], "options": by_letter}
            rows.append({**row, "meta_info": "step1" if len(rows) % 2 else "step2&3", "answer_idx": letter})
        mini.json_lines(root / "questions/US/train.jsonl", [*rows[:4], {**rows[0], "answer_idx": "", "answer": "Gout"}])
        mini.json_lines(root / "questions/US/test.jsonl", rows[4:])


def _facts(row: Line) -> Iterator[Fact]:
    yield from told("chapter", row.get("meta_info"), "field:meta_info")


ROWS = (
    ("A 61-year-old man has painless jaundice, weight loss and a palpable gallbladder. Which marker is raised?",
     ("Alpha-fetoprotein", "CA 19-9", "CA 125", "Calcitonin", "Chromogranin A"), "B"),
    ("A 4-year-old girl has a barking cough and inspiratory stridor after two days of rhinorrhoea. What causes it?",
     ("Bordetella pertussis", "Haemophilus influenzae type b", "Parainfluenza virus", "Respiratory syncytial virus",
      "Streptococcus pyogenes"), "C"),
    ("A 28-year-old woman notes palpitations and heat intolerance. TSH is undetectable. Which antibody explains this?",
     ("Against thyroid peroxidase", "Against the TSH receptor", "Against thyroglobulin", "Against mitochondria",
      "Against smooth muscle"), "B"),
    ("A 70-year-old smoker has hyponatraemia and a central lung mass. Which cell type is most likely?",
     ("Adenocarcinoma", "Carcinoid", "Large cell carcinoma", "Small cell carcinoma", "Squamous cell carcinoma"), "D"),
    ("A newborn fails to pass meconium in 48 hours. Which cells are absent from the distal colon?",
     ("Chief cells", "Enterocytes", "Ganglion cells", "Goblet cells", "Paneth cells"), "C"),
)  # fmt: skip
