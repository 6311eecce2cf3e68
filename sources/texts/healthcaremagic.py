"""HealthCareMagic-100k: what patients asked doctors online, and what these answered, gathered for ChatDoctor.

Upstream's layout: `HealthCareMagic-100k.json` (a list of {instruction, input, output}), or on the hub
(lavita/ChatDoctor-HealthCareMagic-100k) `data/train-*.parquet` with the same columns. Quirks: the instruction is the
same in all rows and is left out; the site's name was replaced by `Chat Doctor` in the answers; many begin with a
greeting and end with the doctor's farewell, some with a name; spelling is the writers' own; some rows repeat.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.record import Asked
from sources.base import Item, Pseudonym
from sources.texts.shared import TextRows, said
from sources.upstream import Line

if TYPE_CHECKING:
    import numpy as np


class HealthCareMagic(TextRows):
    """One conversation of one exchange per row."""

    source: Literal["healthcaremagic"]
    patterns: ClassVar[tuple[str, ...]] = ("*HealthCareMagic*.json", "*healthcaremagic*.parquet", "*train-*.parquet")
    card: ClassVar[Card] = Card(
        name="healthcaremagic",
        what="questions of patients to doctors of an online service, with the answers",
        url="https://huggingface.co/datasets/lavita/ChatDoctor-HealthCareMagic-100k",
        revision="505443e",
        licence="LicenseRef-ChatDoctor-research-only",
        citation="Li et al. ChatDoctor: A Medical Chat Model Fine-Tuned on a Large Language Model Meta-AI (LLaMA) "
        "Using Medical Domain Knowledge. Cureus 15(6), e40895 (2023).",
        phi_risk="high: free text of real patients; names were taken out by its authors, not all of them",
        modalities=("text",),
        tasks=("dialogue", "qa"),
        size="112,165 exchanges",
        layout="HealthCareMagic-100k.json, or data/train-*.parquet",
        known="published",
        remotes=(Remote(kind="hub", at="lavita/ChatDoctor-HealthCareMagic-100k", files=("data/*.parquet",)),),
    )

    def record(self, row: Line, pseudonym: Pseudonym) -> Item:
        asked = Asked(said(row, "input"), said(row, "output"), about="consultation")
        return dataclasses.replace(self.told_of(row, "", (asked,)), dialogue=True)

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        told = "If you are a doctor, please answer the medical questions based on the patient's description."
        rows = [{"instruction": told, "input": patient, "output": doctor} for patient, doctor in ROWS]
        mini.json_file(root / "HealthCareMagic-100k.json", rows)


ROWS = (
    ("I have had a burning pain behind the breastbone after meals for three weeks. Antacids help a little. What is it?",
     "Hello, this sounds like reflux. Avoid late meals and take a proton pump inhibitor. Take care. Chat Doctor."),
    ("my son is 6 and wets the bed twice a week, never by day. is it his kidneys?",
     "Hi, wetting at night is common at six and mostly passes by itself. A urine test once is enough if he is well."),
    ("Two days after a long flight my left calf is swollen and warm. I take the pill.",
     "This needs an examination today: a clot in the deep veins has to be ruled out by ultrasound. Do not rub it."),
    ("I stepped on a rusty nail yesterday. My last tetanus shot was twelve years ago.",
     "Please clean the wound well and have a booster within the next day, since more than ten years have passed."),
    ("Is it safe to take ibuprofen with my blood pressure tablets?", ""),
)  # fmt: skip
