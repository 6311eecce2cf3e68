"""Huatuo-Llama-Med-Chinese: Chinese questions and answers made from a graph of medical knowledge.

Upstream's layout (github.com/SCIR-HI/Huatuo-Llama-Med-Chinese, `data/`): `llama_data.json`, one object a line with
instruction, input (mostly empty), output. Quirks: the file is named `.json`; answers were written by a model from
entries of the graph; some questions name invented persons (小张). `infer.json` holds the authors' own examples for
trying a model and is not read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.record import Asked, Fact
from sources.base import Item, Pseudonym
from sources.texts.shared import TextRows, said
from sources.upstream import Line

if TYPE_CHECKING:
    import numpy as np


class Huatuo(TextRows):
    """One record per question; an input stands behind its instruction, on a line of its own."""

    source: Literal["huatuo"]
    patterns: ClassVar[tuple[str, ...]] = ("*llama_data*.json",)
    card: ClassVar[Card] = Card(
        name="huatuo",
        what="Chinese medical questions and answers made from a knowledge graph",
        url="https://github.com/SCIR-HI/Huatuo-Llama-Med-Chinese",
        revision="ba9b3d65b33ba346e3d60979019abe6fa2ac741a",
        licence="LicenseRef-Huatuo-academic-research-only",
        citation="Wang et al. HuaTuo: Tuning LLaMA Model with Chinese Medical Knowledge. arXiv:2304.06975 (2023).",
        phi_risk="none: invented patients",
        modalities=("text",),
        tasks=("qa", "instruction"),
        size="about 8,000 questions",
        layout="llama_data.json of objects one a line",
        known="measured",
        remotes=(
            Remote(
                kind="http",
                at="https://raw.githubusercontent.com/SCIR-HI/Huatuo-Llama-Med-Chinese/"
                "ba9b3d65b33ba346e3d60979019abe6fa2ac741a/data/llama_data.json",
            ),
        ),
    )

    def record(self, row: Line, pseudonym: Pseudonym) -> Item:
        question = "\n".join(text for text in (said(row, "instruction"), row.get("input")) if text)
        language = Fact("label", "zh", "card", about="language")
        return self.told_of(row, "", (Asked(question, said(row, "output")),), (language,))

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        rows = [{"instruction": question, "input": more, "output": answer} for question, more, answer in ROWS]
        mini.json_lines(root / "llama_data.json", rows)
        with (root / "llama_data.json").open("a") as stream:
            stream.write('{"instruction": "一名患者咳嗽\n')  # cut short
        mini.json_lines(root / "infer.json", [{**rows[0], "instruction": "头痛怎么办？"}])


ROWS = (
    ("一名55岁男性出现活动后胸骨后压榨感，休息几分钟后缓解，应考虑什么疾病？", "",
     "应首先考虑稳定型心绞痛，建议完善心电图、运动负荷试验和冠状动脉CT检查。"),
    ("缺铁性贫血的患者口服铁剂时需要注意什么？", "",
     "宜在两餐之间服用，可同服维生素C以促进吸收，避免与浓茶、牛奶同服，并注意大便变黑属正常现象。"),
    ("根据以下描述判断可能的诊断。", "患儿3岁，高热5天，双眼结膜充血，草莓舌，手足肿胀。",
     "可能为川崎病，应尽快行超声心动图检查，并考虑使用静脉丙种球蛋白和阿司匹林。"),
    ("小李运动后右踝内翻扭伤，局部肿胀，可以负重行走，还需要拍片吗？", "",
     "若外踝后缘及舟骨处无压痛且能行走四步，按渥太华踝关节规则一般不需要拍片。"),
    ("糖尿病足溃疡出现恶臭和周围红肿怎么处理？", "", ""),
)  # fmt: skip
