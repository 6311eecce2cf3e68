"""medical-o1-reasoning-SFT: medical questions answered after long reasoning, which a model wrote and another checked.

Upstream's layout (Hugging Face, FreedomIntelligence/medical-o1-reasoning-SFT): `medical_o1_sft.json`,
`medical_o1_sft_Chinese.json`, `medical_o1_sft_mix.json`, `medical_o1_sft_mix_Chinese.json`, each a list of {Question,
Complex_CoT, Response}. Quirks: the `mix` files hold the others' questions again beside general ones, so that by default
they are not taken (`splits`); mirrors spell the column `Complex_Cot`; the reasoning speaks to itself (`Hmm`).
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.record import Asked, Fact
from sources.base import Item, Pseudonym
from sources.texts.shared import TextRows, said
from sources.upstream import Line

if TYPE_CHECKING:
    import numpy as np


class MedicalReasoning(TextRows):
    """One record per question: its answer, and the reasoning as `why`. `splits` are en, zh, mix, mix_zh."""

    source: Literal["medical_reasoning"]
    splits: tuple[str, ...] = ("en", "zh")
    patterns: ClassVar[tuple[str, ...]] = ("*medical_o1_sft*.json", "*.parquet")
    card: ClassVar[Card] = Card(
        name="medical_reasoning",
        what="medical questions with long reasoning and answer, English and Chinese",
        url="https://huggingface.co/datasets/FreedomIntelligence/medical-o1-reasoning-SFT",
        revision="fc2c9e8",
        licence="Apache-2.0",
        citation="Chen et al. HuatuoGPT-o1, Towards Medical Complex Reasoning with LLMs. arXiv:2412.18925 (2024).",
        phi_risk="none: questions of examinations, answers of a model",
        modalities=("text",),
        tasks=("reasoning", "qa"),
        size="about 19,700 English and 20,200 Chinese questions",
        layout="medical_o1_sft{,_mix}{,_Chinese}.json",
        known="published",
        remotes=(
            Remote(kind="hub", at="FreedomIntelligence/medical-o1-reasoning-SFT", files=("medical_o1_sft*.json",)),
        ),
    )

    def split_of(self, path: str) -> str:
        stem = PurePosixPath(path).stem
        language = "zh" if "chinese" in path.lower() or "/zh" in path else "en"
        return (f"mix_{language}" if language == "zh" else "mix") if "mix" in stem else language

    def record(self, row: Line, pseudonym: Pseudonym) -> Item:
        asked = Asked(said(row, "Question"), said(row, "Response"), why=row.get("Complex_CoT", "Complex_Cot"))
        language = Fact("label", "zh" if self.split_of(row.table).endswith("zh") else "en", "file", about="language")
        return self.told_of(row, "", (asked,), (language,))

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        rows = [dict(zip(("Question", "Complex_CoT", "Response"), row, strict=True)) for row in ROWS]
        mini.json_file(root / "medical_o1_sft.json", rows[:3])
        mini.json_file(root / "medical_o1_sft_Chinese.json", rows[3:])
        mini.json_file(root / "medical_o1_sft_mix.json", rows[:1])


ROWS = (
    ("A 33-year-old has episodic headache, sweating and a blood pressure of 210/120 mmHg. Which test comes first?",
     "Headache and sweating with such pressure... I think of catecholamines. Hmm, first prove the excess, then image.",
     "Plasma free metanephrines should be measured first; imaging of the adrenals follows when they are raised."),
    ("Why does oxygen alone hardly raise the saturation of a patient with a large right-to-left shunt?",
     "Blood that passes by the lung never meets the oxygen. The other blood is already saturated, so little is added.",
     "Shunted blood bypasses ventilated alveoli, so added oxygen cannot reach it."),
    ("Which electrolyte should be checked when digoxin toxicity is suspected under furosemide?",
     "", "Potassium, since hypokalaemia under loop diuretics increases the binding of digoxin."),
    ("患者长期服用二甲双胍，出现手足麻木和巨幼细胞性贫血，最可能缺乏什么？",
     "二甲双胍会影响回肠吸收。麻木加上大细胞性贫血，叶酸缺乏一般没有神经症状，所以更像维生素B12。",
     "最可能缺乏维生素B12，应检测血清B12和甲基丙二酸。"),
    ("新生儿出生24小时内出现黄疸，首先要排除什么？", "太早了，生理性黄疸不会这么早出现。要想到溶血。", ""),
)  # fmt: skip
