"""MTS-Dialog: short conversations of doctors and patients, with the section of the note that was written of each.

Upstream's layout (github.com/abachaa/MTS-Dialog, `Main-Dataset/`): `MTS-Dialog-TrainingSet.csv`,
`MTS-Dialog-ValidationSet.csv`, `MTS-Dialog-TestSet-{1,2}-MEDIQA-*.csv` with ID, section_header (`GENHX`, ...),
section_text, dialogue. Quirks: fields of many lines; a turn begins with `Doctor:`, `Patient:`, `Guest_family:`,
`Guest_clinician:` (some numbered), some after blanks or a stray quote; a guest clinician asks the doctor of a patient
who is not there; one speaker may have several turns in a row; the
conversations were made up from notes, so no patient is real; the training set's augmented copies (by translation to
another language and back) lie in another folder, as `*-Augmented-*`, and are not read.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Asked
from sources.base import Item, Pseudonym
from sources.texts.shared import TextRows, said
from sources.upstream import REMEDY, Line, told

if TYPE_CHECKING:
    import numpy as np

TURN = re.compile(r"^[ \t\"]*(Doctor|Patient|Guest_family|Guest_clinician)[_ ]?\d*[ \t]*:", re.MULTILINE)
SECTIONS = {
    "ALLERGY": "allergies", "ASSESSMENT": "assessment", "CC": "chief complaint", "DIAGNOSIS": "diagnosis",
    "DISPOSITION": "disposition", "EDCOURSE": "emergency department course", "EXAM": "physical examination",
    "FAM/SOCHX": "family and social history", "GENHX": "history of present illness", "GYNHX": "gynaecological history",
    "IMAGING": "imaging", "IMMUNIZATIONS": "immunisations", "LABS": "laboratory results", "MEDICATIONS": "medications",
    "OTHER_HISTORY": "other history", "PASTMEDICALHX": "past medical history", "PASTSURGICAL": "past surgical history",
    "PLAN": "plan", "PROCEDURES": "procedures", "ROS": "review of systems",
}  # fmt: skip
SPLITS = {"Training": "train", "Validation": "validation", "TestSet-1": "test1", "TestSet-2": "test2"}


class MtsDialog(TextRows):
    """One record per conversation. `take: dialogue` makes it one of several turns, in which the patient
    (family, another clinician) speaks and the doctor answers; what is said before their first words and after the
    doctor's last is left out.
    `take: note` makes the conversation the text, and the section of the note what is asked for."""

    source: Literal["mts_dialog"]
    take: Literal["dialogue", "note"] = "dialogue"
    splits: tuple[str, ...] = ("train",)
    patterns: ClassVar[tuple[str, ...]] = ("*MTS-Dialog-T[re]*Set*.csv", "*MTS-Dialog-ValidationSet.csv")
    card: ClassVar[Card] = Card(
        name="mts_dialog",
        what="conversations of doctors and patients with the note's section written of each",
        url="https://github.com/abachaa/MTS-Dialog",
        revision="3ff0801933608d6f570468c13125125fb5cabdea",
        licence="CC-BY-4.0",
        citation="Ben Abacha, Yim, Fan, Lin. An Empirical Study of Clinical Note Generation from Doctor-Patient "
        "Encounters. EACL 2023.",
        phi_risk="low: made-up conversations of de-identified notes",
        modalities=("text",),
        tasks=("dialogue", "report"),
        size="1,701 conversations: 1,201 train, 100 validation, 200 and 200 test",
        layout="Main-Dataset/MTS-Dialog-{TrainingSet,ValidationSet,TestSet-*}.csv",
        known="measured",
    )

    def split_of(self, path: str) -> str:
        return next((name for word, name in SPLITS.items() if word in path), "train")

    def record(self, row: Line, pseudonym: Pseudonym) -> Item:
        note, header = said(row, "section_text"), row["section_header"]
        turns = _turns(said(row, "dialogue"))
        section = SECTIONS.get(header, header.lower().replace("_", " "))
        facts = told("chapter", section, "column:section_header")
        name = f"{self.split_of(row.table)}-{row['ID']}"
        if self.take == "note":
            asked = (Asked(f"Write the section '{section}' of the note of this conversation.", note, about="note"),)
            text = "\n".join(f"{speaker}: {words}" for speaker, words in turns)
            return self.told_of(row, name, asked, facts, text)
        found = _exchanges(turns)
        if not found:
            told_why = "nobody's words that a doctor answers"
            passed = row.failed("no_exchange", told_why, "take it with `take: note`")
            return dataclasses.replace(passed, status="dropped")
        return dataclasses.replace(self.told_of(row, name, found, facts), dialogue=True)

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        rows = []
        for number, (header, note, *turns) in enumerate(ROWS):
            row = {"ID": number, "section_header": header, "section_text": note, "dialogue": " \n ".join(turns)}
            rows.append(row)
        mini.table(root / "Main-Dataset/MTS-Dialog-TrainingSet.csv", rows[:5])
        mini.table(root / "Main-Dataset/MTS-Dialog-ValidationSet.csv", rows[5:])


def _turns(dialogue: str) -> list[tuple[str, str]]:
    """(speaker, words) in order. Raises `RecordError` `bad_conversation`."""
    heads = list(TURN.finditer(dialogue))
    if not heads:
        raise RecordError("bad_conversation", "no turn that begins with a speaker", REMEDY)
    ends = [*(head.start() for head in heads[1:]), len(dialogue)]
    said = [(head[1].replace("_", " "), dialogue[head.end() : end]) for head, end in zip(heads, ends, strict=True)]
    return [(speaker, " ".join(words.split())) for speaker, words in said if words.strip()]


def _exchanges(turns: list[tuple[str, str]]) -> tuple[Asked, ...]:
    """What others say to the doctor, and the doctor's answer; one side's turns in a row are one."""
    sides = [
        (doctor, " ".join(words for _, words in several))
        for doctor, several in itertools.groupby(turns, key=lambda turn: turn[0] == "Doctor")
    ]
    return tuple(Asked(told, answer) for (doctor, told), (_, answer) in itertools.pairwise(sides) if not doctor)


ROWS = (
    ("GENHX", "The patient is a 42-year-old male with two weeks of right shoulder pain after painting a ceiling.",
     "Doctor: What brings you in?", "Patient: My right shoulder hurts since I painted the ceiling two weeks ago.",
     "Doctor: Can you lift the arm above your head?", "Patient: Only with help, it catches halfway.",
     "Doctor: That fits an irritated tendon. We will examine it now."),
    ("ALLERGY", "Penicillin causes hives.",
     "Doctor: Any allergies to medicines?", "Patient: Penicillin gives me hives."),
    ("MEDICATIONS", "Metformin 500 mg twice daily; lisinopril stopped for cough.",
     "Patient: I stopped the blood pressure pill.", "Guest_family: He coughed all night from it.",
     "Doctor: Thank you, that is a known effect. Do you still take the metformin?", "Patient: Yes, twice a day.",
     "Doctor: I will write that down."),
    ("OTHER_HISTORY", "Seventeen-year-old with a fishbone in the throat.",
     "Guest_clinician: How old is she?", "Doctor: Seventeen, and it was a fishbone."),
    ("FAM/SOCHX", "Does not smoke. Mother had breast cancer at 50.", "Do you smoke? No, I never did."),
    ("CC", "Sore throat.", "Doctor: Hello.", "Patient: My throat is sore.", "Doctor: Let me have a look."),
)  # fmt: skip
