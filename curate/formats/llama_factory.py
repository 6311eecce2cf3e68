"""LLaMA-Factory (hiyouga/LLaMA-Factory@ff6d4d1, data/README): JSON of `messages` with `images` and `videos`, and the
`dataset_info.json` that names the file, its columns and tags (formatting `sharegpt`); of pretraining `{"text"}` for
texts without media, which is what its stage `pt` reads.

Its loader counts `<image>` and `<video>` marks against the lists and fails where they differ, so both are counted here.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from curate.formats.base import Asked, MediaFiles, Sample, UnfitError, check_conversation, named_ids
from curate.formats.ms_swift import shown_as
from curate.formats.rows import JsonList
from manifests.sample import StageName

TAGS = {
    "role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant",
    "system_tag": "system",
}  # fmt: skip


class LlamaFactory:
    NAME: ClassVar[str] = "llama_factory"
    WHAT: ClassVar[str] = "JSON of messages, images and videos with dataset_info.json (LLaMA-Factory)"
    STAGES: ClassVar[tuple[StageName, ...]] = ("pretrain", "sft")

    def __init__(self, asked: Asked, media: MediaFiles) -> None:
        self.asked = asked
        self.media = media
        self.file = JsonList(asked.to / f"medcurate_{asked.stage}.json")
        self.columns: set[str] = set()

    def add(self, sample: Sample) -> None:
        if self.asked.stage == "pretrain":
            if sample.media:
                raise UnfitError("media", "media in a text of the stage pt, which reads texts alone")
            self.file.add({**named_ids(sample), "text": sample.text})
            return
        turns, shown = shown_as(sample, self.media)
        check_conversation(turns)
        messages = [{"role": role, "content": content} for role, content in turns]
        if self.asked.system:
            messages = [{"role": "system", "content": self.asked.system}, *messages]
        lists = {"images": shown.get("images", []), "videos": shown.get("videos", [])}
        self.columns |= {name for name, paths in lists.items() if paths}
        self.file.add({**named_ids(sample), "messages": messages, **lists})

    def finish(self) -> list[str]:
        self.file.close()
        info: dict[str, Any] = {"file_name": self.file.path.name}
        if self.asked.stage == "pretrain":
            info["columns"] = {"prompt": "text"}
        else:
            info |= {"formatting": "sharegpt", "tags": TAGS}
            info["columns"] = {"messages": "messages", **{name: name for name in sorted(self.columns)}}
        name = self.file.path.stem
        (self.asked.to / "dataset_info.json").write_text(json.dumps({name: info}, indent=1) + "\n")
        return [f"dataset: {name}, dataset_dir and media_dir: this folder"]
