"""VLMEvalKit: one TSV for an evaluation set: index, image (base64; several: a JSON list of them) or video (path),
question, hint, A to J, answer, category, l2-category, split, and `media`: what kind it is.

Volumes stand as their slices, as its multi-image data sets have them; clips as a path, as its video data sets have it;
so 3D and video are evaluated too. Rows come of RLVR prompts, whose answers are checkable: a letter where there are
options, else the gold as text. `category` is the task, `l2-category` modality and source.
"""

from __future__ import annotations

import base64
import csv
import json
import re
import sys
from typing import ClassVar

from curate.formats.base import Asked, MediaFiles, Sample, UnfitError
from manifests.sample import StageName

LETTERS = "ABCDEFGHIJ"
COLUMNS = ("index", "image", "video", "question", "hint", *LETTERS, "answer", "answer_type", "category", "l2-category",
           "split", "media", "key")  # fmt: skip
_OPTION = re.compile(r"^([A-J])\.\s+(.*)$", re.MULTILINE)


class VlmEvalKit:
    NAME: ClassVar[str] = "vlmevalkit"
    WHAT: ClassVar[str] = "one TSV for evaluation, pictures, slices and clips (VLMEvalKit, MedQ-Deg, GMAI-MMBench)"
    STAGES: ClassVar[tuple[StageName, ...]] = ("rlvr",)

    def __init__(self, asked: Asked, media: MediaFiles) -> None:
        self.asked = asked
        self.media = media
        self.path = asked.to / f"{asked.split}.tsv"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.stream = self.path.open("w", newline="", encoding="utf-8")
        self.writer = csv.DictWriter(self.stream, COLUMNS, restval="", delimiter="\t", lineterminator="\n")
        self.writer.writeheader()
        self.count = 0

    def add(self, sample: Sample) -> None:
        asked, gold = sample.turns[0][1], str(sample.answer["gold"])
        options = {letter: text.strip() for letter, text in _OPTION.findall(asked)}
        if options and (list(options) != list(LETTERS[: len(options)]) or gold not in options):
            raise UnfitError("options", f"options {', '.join(options)} and the answer {gold[:20]!r}")
        shown = self._shown(sample)
        if any(len(value) >= sys.maxsize for value in shown.values()):
            raise UnfitError("too_large", "a medium beyond a cell")
        stem = _OPTION.split(asked, maxsplit=1)[0].strip() if options else asked
        row = {**shown, **options, "index": self.count, "question": stem, "answer": gold, "key": sample.key}
        row |= {"answer_type": sample.answer["type"], "category": sample.values["task"], "split": self.asked.split}
        row |= {"l2-category": f"{sample.values['modality'] or sample.values['kind']}/{sample.values['source']}"}
        self.writer.writerow({name: _flat(str(value)) for name, value in row.items()})
        self.count += 1

    def _shown(self, sample: Sample) -> dict[str, str]:
        kinds = sorted({m["kind"] for m in sample.media})
        if kinds == ["video"] and len(sample.media) == 1:
            return {"video": self.media.whole(sample, sample.media[0]).path, "media": "video"}
        files = [file for group in self.media.pictures(sample) for file in group]
        coded = [base64.b64encode((self.asked.to / file.path).read_bytes()).decode() for file in files]
        image = coded[0] if len(coded) == 1 else json.dumps(coded) if coded else ""
        return {"image": image, "media": "+".join(kinds) or "text"}

    def finish(self) -> list[str]:
        self.stream.close()
        return [f"LMUData/{self.path.name}: csv.field_size_limit must allow a picture in a cell, as VLMEvalKit sets it"]


def _flat(text: str) -> str:
    """A cell without tabs, which pandas would take for columns where quoting is off."""
    return text.replace("\t", " ")
