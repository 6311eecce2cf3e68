"""MedMCQA: questions of Indian medical entrance examinations with four options, subject, topic and explanation.

Upstream's layout (github.com/medmcqa/medmcqa, the archive): `train.json`, `dev.json`, `test.json`, one object a line,
with question, exp, cop, opa, opb, opc, opd, subject_name, topic_name, id, choice_type. On the hub
(openlifescienceai/medmcqa) the same as `data/{train,validation,test}-*.parquet`. Quirks: `cop` counts from 1 in the
archive and from 0 on the hub, whose test has -1; the test tells no answers, so that the dev set is what others report
on: it is no default; `choice_type: multi` says how a question was set, not that several options are right; `exp` often
begins by repeating the letter (`Ans. (b)`).
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

COLUMNS = {"A": "opa", "B": "opb", "C": "opc", "D": "opd"}


class MedMcqa(TextRows):
    """One record per question, with its explanation."""

    source: Literal["medmcqa"]
    splits: tuple[str, ...] = ("train",)
    patterns: ClassVar[tuple[str, ...]] = (
        "*train*.json", "*dev*.json", "*test*.json", "*train-*.parquet", "*validation-*.parquet", "*test-*.parquet",
    )  # fmt: skip
    card: ClassVar[Card] = Card(
        name="medmcqa",
        what="questions of medical entrance examinations with options, subject and explanation",
        url="https://github.com/medmcqa/medmcqa",
        revision="hub 91c6572 (2024-01-04)",
        licence="MIT",
        citation="Pal, Umapathi, Sankarasubbu. MedMCQA: A Large-scale Multi-Subject Multi-Choice Dataset for Medical "
        "domain Question Answering. CHIL 2022, PMLR 174.",
        phi_risk="none: questions of examinations",
        modalities=("text",),
        tasks=("multiple-choice", "qa", "reasoning"),
        size="193,155 questions: 182,822 train, 4,183 dev, 6,150 test",
        layout="{train,dev,test}.json of objects one a line, or data/{train,validation,test}-*.parquet",
        known="measured",
        remotes=(Remote(kind="hub", at="openlifescienceai/medmcqa", files=("data/*.parquet",)),),
    )

    def split_of(self, path: str) -> str:
        stem = PurePosixPath(path).stem
        return next((name for word, name in SPLITS.items() if stem.startswith(word)), "train")

    def record(self, row: Line, pseudonym: Pseudonym) -> Item:
        options = {letter: row[column] for letter, column in COLUMNS.items()}
        number = row["cop"]
        right = int(number) - (0 if row.table.endswith(".parquet") else 1) if number.isdecimal() else -1
        if not 0 <= right < len(COLUMNS):
            raise RecordError("no_answer", f"cop '{number[:8]}', which names no option", REMEDY)
        question = said(row, "question")
        answer = list(options.values())[right]
        asked = choice(question, options, answer, row.get("choice_type"), row.get("exp"))
        return self.told_of(row, row.get("id"), (asked,), tuple(_facts(row)))

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        rows = []
        for number, (question, options, right, why, subject, topic) in enumerate(ROWS):
            row = {"question": question, "exp": why, "cop": right}
            row |= dict(zip(COLUMNS.values(), options, strict=True))
            row |= {"subject_name": subject, "topic_name": topic, "id": f"45258d3d-b974-44dd-a161-00000000000{number}"}
            rows.append({**row, "choice_type": "single" if number else "multi"})
        mini.json_lines(root / "train.json", [*rows[:3], {**rows[0], "id": "45258d3d", "cop": 7}])
        mini.json_lines(root / "dev.json", rows[3:])
        mini.json_lines(root / "test.json", [{k: v for k, v in rows[1].items() if k != "cop"}])


SPLITS = {"train": "train", "dev": "dev", "validation": "dev", "test": "test"}


def _facts(row: Line) -> Iterator[Fact]:
    yield from told("chapter", row.get("subject_name"), "field:subject_name")
    yield from told("keyword", row.get("topic_name"), "field:topic_name", about="topic")


ROWS = (
    ("Which nerve is injured in a fracture of the surgical neck of the humerus?",
     ("Axillary nerve", "Radial nerve", "Ulnar nerve", "Median nerve"), 1,
     "The axillary nerve winds round the surgical neck together with the posterior circumflex humeral artery.",
     "Anatomy", "Upper limb"),
    ("The drug of choice for absence seizures is",
     ("Phenytoin", "Ethosuximide", "Carbamazepine", "Vigabatrin"), 2,
     "Ethosuximide blocks T-type calcium channels of thalamic neurons.", "Pharmacology", None),
    ("Koplik spots are seen in", ("Mumps", "Rubella", "Measles", "Varicella"), 3,
     None, "Pediatrics", "Infectious diseases"),
    ("Which vitamin is given with isoniazid to prevent neuropathy?",
     ("Thiamine", "Riboflavin", "Niacin", "Pyridoxine"), 4,
     "Isoniazid competes with pyridoxine and leads to its loss.", "Medicine", "Tuberculosis"),
)  # fmt: skip
