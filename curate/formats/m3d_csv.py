"""M3D (BAAI-DCAI/M3D@63e7200): volumes as `.npy` of (1, 32, 256, 256) float32 in 0 to 1, and
`M3D_VQA_{train,test}.csv` with Image Path, Text, Question Type, Question, Choice A to D, Answer, Answer Choice, or, of
pretraining, `M3D_Cap.json` {"train": [{"image", "text"}]} with the text in a file beside the volume.

Volumes have to be rendered as `m3d_32x256x256`; others are left out as `volume_target`. In the CSV a conversation is a
row for each question; an RLVR prompt with options fills the choices (four at most), its answer is the option's text.
"""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any, ClassVar

import numpy as np

from curate.arrays import decode_npy_gz
from curate.formats.base import Asked, MediaFiles, Sample, UnfitError, check_conversation
from manifests.sample import StageName

COLUMNS = (
    "Image Path", "Text", "Question Type", "Question", "Choice A", "Choice B", "Choice C", "Choice D", "Answer",
    "Answer Choice",
)  # fmt: skip
SHAPE = (32, 256, 256)
_OPTION = re.compile(r"^([A-J])\.\s+(.*)$", re.MULTILINE)
SPLITS = {"train": "train", "val": "validation", "test": "test"}


class M3dCsv:
    NAME: ClassVar[str] = "m3d_csv"
    WHAT: ClassVar[str] = "CSV and .npy of (1, 32, 256, 256) (M3D, LaMed, 3D-RAD's evaluation)"
    STAGES: ClassVar[tuple[StageName, ...]] = ("pretrain", "sft", "rlvr")

    def __init__(self, asked: Asked, media: MediaFiles) -> None:
        self.asked = asked
        self.split = SPLITS[asked.split]
        self.captions: list[dict[str, str]] = []
        self.rows: list[dict[str, str]] = []

    def add(self, sample: Sample) -> None:
        if len(sample.media) != 1 or sample.media[0]["kind"] != "volume":
            raise UnfitError("not_a_volume", f"{len(sample.media)} media where one volume belongs")
        if self.asked.stage == "pretrain" and not sample.text.strip():
            raise UnfitError("no_text", "a volume without a word")
        array = decode_npy_gz(sample.members[sample.media[0]["member"]])
        if array.shape[-3:] != SHAPE or array.dtype != np.float32:
            raise UnfitError("volume_target", f"{array.dtype} {array.shape}; render volumes as m3d_32x256x256")
        rows = self._rows(sample)
        path = f"npy/{sample.values['source']}/{sample.values['record']}/volume.npy"
        target = self.asked.to / path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            buffer = io.BytesIO()
            np.save(buffer, array.reshape(1, *SHAPE), allow_pickle=False)
            target.write_bytes(buffer.getvalue())
        if self.asked.stage == "pretrain":
            text = target.with_name(f"{sample.key}.txt")
            text.write_text(sample.text)
            self.captions.append({"image": path, "text": str(text.relative_to(self.asked.to))})
        self.rows += [{**row, "Image Path": path} for row in rows]

    def _rows(self, sample: Sample) -> list[dict[str, str]]:
        if self.asked.stage == "pretrain":
            return []
        turns, told = sample.turns, {"Text": sample.text, "Question Type": str(sample.values["task"])}
        if self.asked.stage == "rlvr":
            return [{**told, **question_row(turns[0][1], sample.answer)}]
        check_conversation(turns)
        pairs = zip(turns[::2], turns[1::2], strict=True)
        return [{**told, **question_row(asked[1], {"gold": said[1]})} for asked, said in pairs]

    def finish(self) -> list[str]:
        if self.asked.stage == "pretrain":
            path = self.asked.to / "M3D_Cap.json"
            path.write_text(json.dumps({self.split: self.captions}, indent=1, ensure_ascii=False) + "\n")
            return [f"--cap_data_path {path.name} --data_root ."]
        path = self.asked.to / f"M3D_VQA_{self.split}.csv"
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)
        return [f"--vqa_data_{self.split}_path {path.name} --data_root ."]


def question_row(question: str, answer: dict[str, Any]) -> dict[str, str]:
    """Question, choices, answer and its letter. Raises `UnfitError` `options` for more than four."""
    choices = {letter: text.strip() for letter, text in _OPTION.findall(question)}
    if len(choices) > 4:
        raise UnfitError("options", f"{len(choices)} options, and four columns")
    gold = str(answer["gold"])
    letter = gold.strip().split(".")[0].strip()
    stem = _OPTION.split(question, maxsplit=1)[0].strip() if choices else question
    chosen = letter if letter in choices else ""
    row = {"Question": stem, "Answer": choices.get(chosen, gold), "Answer Choice": chosen}
    return row | {f"Choice {letter}": text for letter, text in choices.items()}
