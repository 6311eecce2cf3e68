"""MMLU's six medical subjects: questions of examinations with four options.

Upstream's layout (the archive `data.tar`): `data/{dev,val,test}/SUBJECT_{dev,val,test}.csv` without a header, columns
question, four options, letter; on the hub (cais/mmlu) `SUBJECT/{dev,validation,test}-*.parquet` with question, subject,
choices, answer (0 to 3). Quirks: fields of several lines; the test is a benchmark and no default; dev holds the five
examples that are shown before a question; `auxiliary_train` is of no subject and is not read.
"""

from __future__ import annotations

import csv
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.errors import RecordError
from sources.base import Item, Pseudonym
from sources.figures.shared import listed
from sources.texts.shared import LETTERS, TextRows, choice, said
from sources.upstream import REMEDY, Line, told

if TYPE_CHECKING:
    import numpy as np

SUBJECTS = (
    "anatomy", "clinical_knowledge", "college_biology", "college_medicine", "medical_genetics", "professional_medicine",
)  # fmt: skip


class MmluMedical(TextRows):
    """One record per question."""

    source: Literal["mmlu_medical"]
    splits: tuple[str, ...] = ("dev", "val")
    patterns: ClassVar[tuple[str, ...]] = tuple(
        pattern for subject in SUBJECTS for pattern in (f"*{subject}_[dvt]*.csv", f"*{subject}/*.parquet")
    )
    columns: ClassVar[tuple[str, ...] | None] = ("question", "A", "B", "C", "D", "answer")
    card: ClassVar[Card] = Card(
        name="mmlu_medical",
        what="questions of anatomy, clinical knowledge, college biology and medicine, genetics, professional medicine",
        url="https://github.com/hendrycks/test",
        revision="archive data.tar of 2021; hub cais/mmlu",
        licence="MIT",
        citation="Hendrycks et al. Measuring Massive Multitask Language Understanding. ICLR 2021.",
        phi_risk="none: questions of examinations",
        modalities=("text",),
        tasks=("multiple-choice", "qa"),
        size="1,242 questions: 1,089 test, 123 val, 30 dev",
        layout="data/{dev,val,test}/SUBJECT_{dev,val,test}.csv, or SUBJECT/*.parquet",
        known="measured",
        remotes=(Remote(kind="hub", at="cais/mmlu", files=tuple(f"{s}/*.parquet" for s in SUBJECTS)),),
    )

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        other = path.suffix == ".parquet" and path.parent.name not in SUBJECTS
        return {} if other else super().peek(path, pseudonym)

    def split_of(self, path: str) -> str:
        name = PurePosixPath(path)
        word = name.stem.split("-")[0] if name.suffix == ".parquet" else name.stem.rpartition("_")[2]
        return {"validation": "val"}.get(word, word)

    def record(self, row: Line, pseudonym: Pseudonym) -> Item:
        answer = row["answer"]
        if "choices" in row.values:
            options = dict(zip(LETTERS, map(str, listed(row.value("choices"))), strict=False))
            answer = LETTERS[int(answer)] if answer.isdecimal() and int(answer) < len(options) else ""
        else:
            options = {letter: row.get(letter) for letter in LETTERS[:4]}
        if answer not in options:
            raise RecordError("bad_choice", "an answer that is no letter of an option", REMEDY)
        asked = choice(said(row, "question"), options, answer, "examination")
        name = PurePosixPath(row.table)
        subject = name.parent.name if name.suffix == ".parquet" else name.stem.rpartition("_")[0]
        return self.told_of(row, "", (asked,), told("chapter", subject.replace("_", " "), "file"))

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        for number, (subject, split, *row) in enumerate(ROWS):
            path = root / f"data/{split}/{subject}_{split}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", newline="") as stream:
                csv.writer(stream).writerow(row)
                if number == 1:
                    csv.writer(stream).writerow([*row[:5], "E"])  # no such option


ROWS = (
    ("anatomy", "dev", "Which muscle abducts the vocal folds?",
     "Cricothyroid", "Posterior cricoarytenoid", "Vocalis", "Thyroarytenoid", "B"),
    ("anatomy", "val", "Through which foramen does the maxillary nerve leave the skull?",
     "Ovale", "Spinosum", "Rotundum", "Jugular", "C"),
    ("clinical_knowledge", "val", "How long should a radial pulse be counted when it is\nirregular?",
     "10 seconds", "15 seconds", "30 seconds", "60 seconds", "D"),
    ("college_medicine", "dev", "Which fuel does resting muscle use most after an overnight fast?",
     "Glucose", "Fatty acids", "Lactate", "Ketone bodies", "B"),
    ("medical_genetics", "val", "A disease passed from fathers to all daughters and to no sons is",
     "autosomal dominant", "autosomal recessive", "X-linked dominant", "mitochondrial", "C"),
    ("anatomy", "test", "Which tonsil lies in the roof of the nasopharynx?",
     "Palatine", "Lingual", "Tubal", "Pharyngeal", "D"),
)  # fmt: skip
