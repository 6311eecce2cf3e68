"""Qwen-VL fine-tuning (QwenLM/Qwen3-VL@9658872, qwen-vl-finetune): a JSON list of {"image": path or paths | "video":
path or paths, "conversations"}, and the registry entry {annotation_path, data_path} that its `data/__init__.py` takes.

With `--pack-tokens N` rows are packed as its `tools/pack_data.py` leaves them: each row of the file is a list of rows
that together have at most N tokens (text by an upper estimate, pictures as Qwen counts them: squares of 28 pixels);
longer rows are left out as `too_long`. Boxes are pixels (Qwen2.5-VL) or thousandths (Qwen3-VL): `dialect` of the
recipe's task `region`; a sample that says that its boxes are written otherwise is left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

from curate.formats.base import (
    IMAGE,
    Asked,
    File,
    MediaFiles,
    Sample,
    UnfitError,
    check_conversation,
    check_counts,
    check_dialect,
    human_gpt,
    named_ids,
    placed,
)
from curate.formats.packing import Packer
from curate.formats.rows import JsonList
from manifests.sample import StageName
from synth.tokens import estimate, picture_tokens

VIDEO = "<video>"
OWN_BOXES = ("pixels", "thousand")


class QwenVL:
    NAME: ClassVar[str] = "qwen_vl"
    WHAT: ClassVar[str] = "one JSON list with image and video, rows packed if asked (qwen-vl-finetune)"
    STAGES: ClassVar[tuple[StageName, ...]] = ("pretrain", "sft")

    def __init__(self, asked: Asked, media: MediaFiles) -> None:
        self.asked = asked
        self.media = media
        self.file = JsonList(asked.to / f"{asked.stage}.json")
        self.packer: Packer[dict[str, Any]] | None = Packer(asked.pack_tokens) if asked.pack_tokens else None

    def add(self, sample: Sample) -> None:
        turns, row, files = self._converted(sample)
        check_conversation(turns)
        check_dialect(sample, OWN_BOXES)
        whole = {**named_ids(sample), **row, "conversations": human_gpt(turns)}
        if self.packer is None:
            self.file.add(whole)
            return
        tokens = sum(estimate(content) for _, content in turns)
        tokens += sum(picture_tokens("qwen2_vl", f.height, f.width) * -(-f.frames // 2) for f in files)
        for pack in self.packer.add(whole, tokens):
            self.file.add(pack)

    def _converted(self, sample: Sample) -> tuple[list[tuple[str, str]], dict[str, Any], Sequence[File]]:
        kinds = {m["kind"] for m in sample.media}
        if "video" in kinds:
            if len(sample.media) > 1:
                raise UnfitError("video", "a clip beside other media")
            clip = self.media.whole(sample, sample.media[0])
            turns = placed(sample, [VIDEO])
            check_counts(turns, VIDEO, 1)
            return turns, {"video": clip.path}, [clip]
        groups = self.media.pictures(sample)
        turns = placed(sample, ["\n".join([IMAGE] * len(files)) for files in groups])
        files = [file for group in groups for file in group]
        check_counts(turns, IMAGE, len(files))
        shown = [file.path for file in files]
        return turns, {"image": shown[0] if len(shown) == 1 else shown} if shown else {}, files

    def finish(self) -> list[str]:
        if self.packer is not None:
            for pack in self.packer.rest():
                self.file.add(pack)
        self.file.close()
        entry = {"annotation_path": self.file.path.name, "data_path": "."}
        (self.asked.to / f"{self.asked.stage}_registry.json").write_text(json.dumps(entry, indent=1) + "\n")
        return [f"add {self.asked.stage}_registry.json to data_dict in qwenvl/data/__init__.py"]
