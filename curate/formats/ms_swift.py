"""ms-swift (modelscope/ms-swift@3602360, docs Customization/Custom-dataset): JSON lines of {"messages", "images",
"videos", "objects"}, with `<image>` and `<video>` in the messages; a pretraining text is an assistant's message alone;
of RLVR the prompt, and `solution`: columns beyond the known ones reach the reward function.

`solution` is the answer as JSON, which the plugin beside the rows (`medcurate_reward.py`) gives to this project's
verifiers: `--external_plugins medcurate_reward.py --reward_funcs medcurate`. Volumes stand as slices.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from curate.formats.base import (
    IMAGE,
    Asked,
    MediaFiles,
    Sample,
    UnfitError,
    check_conversation,
    check_counts,
    named_ids,
    placed,
)
from curate.formats.rows import JsonLines
from manifests.sample import StageName

VIDEO = "<video>"
PLUGIN = '''"""The reward of medcurate's RLVR prompts for ms-swift: each answer is judged by the verifier it names."""

import json

try:
    from swift.rewards import ORM, orms
except ImportError:  # before ms-swift 4
    from swift.plugin import ORM, orms

from synth.verifiers import score


class Medcurate(ORM):
    def __call__(self, completions, solution, **columns):
        return [score(said, json.loads(gold)) for said, gold in zip(completions, solution)]


orms["medcurate"] = Medcurate
'''


class MsSwift:
    NAME: ClassVar[str] = "ms_swift"
    WHAT: ClassVar[str] = "JSON lines of messages, images and videos, and a reward plugin (ms-swift)"
    STAGES: ClassVar[tuple[StageName, ...]] = ("pretrain", "sft", "rlvr")

    def __init__(self, asked: Asked, media: MediaFiles) -> None:
        self.asked = asked
        self.media = media
        self.file = JsonLines(asked.to / f"{asked.stage}.jsonl")

    def add(self, sample: Sample) -> None:
        turns, shown = shown_as(sample, self.media)
        messages = [{"role": role, "content": content} for role, content in turns]
        row: dict[str, Any] = {}
        if self.asked.stage == "rlvr":
            row["solution"] = json.dumps(sample.answer, sort_keys=True, ensure_ascii=False)
        else:
            check_conversation(turns)
        if self.asked.stage == "pretrain":
            content = "\n".join(content for _, content in turns if content)
            messages = [{"role": "assistant", "content": content}]
        if self.asked.system:
            messages = [{"role": "system", "content": self.asked.system}, *messages]
        self.file.add({"messages": messages, **shown, **row, **named_ids(sample)})

    def finish(self) -> list[str]:
        self.file.close()
        if self.asked.stage != "rlvr":
            command = "pt" if self.asked.stage == "pretrain" else "sft"
            return [f"swift {command} --dataset {self.file.path.name}, run from this folder: paths are relative to it"]
        (self.asked.to / "medcurate_reward.py").write_text(PLUGIN)
        reward = "--external_plugins medcurate_reward.py --reward_funcs medcurate"
        return [f"swift rlhf --rlhf_type grpo --dataset {self.file.path.name} {reward}"]


def shown_as(sample: Sample, media: MediaFiles) -> tuple[list[tuple[str, str]], dict[str, list[str]]]:
    """The conversation with `<image>` and `<video>` marks, and the files of `images` and `videos` in their order."""
    marks: list[str] = []
    images: list[str] = []
    videos: list[str] = []
    for medium, files in zip(sample.media, pictured(sample, media), strict=True):
        if medium["kind"] == "video":
            videos.append(media.whole(sample, medium).path)
            marks.append(VIDEO)
        else:
            images += files
            marks.append("\n".join([IMAGE] * len(files)))
    turns = placed(sample, marks)
    check_counts(turns, IMAGE, len(images))
    check_counts(turns, VIDEO, len(videos))
    shown = {"images": images, "videos": videos}
    return turns, {key: paths for key, paths in shown.items() if paths}


def pictured(sample: Sample, media: MediaFiles) -> list[list[str]]:
    """The pictures' paths of each medium; none of a clip, which stays whole. Raises `UnfitError`."""
    if any(m["kind"] == "video" for m in sample.media) and len(sample.media) > 1:
        raise UnfitError("video", "a clip beside other media")
    if sample.media and sample.media[0]["kind"] == "video":
        return [[]]
    return [[file.path for file in files] for files in media.pictures(sample)]
