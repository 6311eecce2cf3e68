"""LLaVA: one JSON list of {"id", "image", "conversations"}; `image` is a path, or a list of them in the order of the
`<image>` marks (as MedM-VL's and LLaVA-NeXT's loaders read it). Clips stand as their frames, volumes as slices."""

from __future__ import annotations

from typing import ClassVar

from curate.formats.base import (
    IMAGE,
    Asked,
    MediaFiles,
    Sample,
    check_conversation,
    check_counts,
    human_gpt,
    named_ids,
    placed,
)
from curate.formats.rows import JsonList
from manifests.sample import StageName


class Llava:
    NAME: ClassVar[str] = "llava"
    WHAT: ClassVar[str] = "one JSON list with <image> marks (LLaVA, LLaVA-NeXT and what reads their files)"
    STAGES: ClassVar[tuple[StageName, ...]] = ("pretrain", "sft")

    def __init__(self, asked: Asked, media: MediaFiles) -> None:
        self.media = media
        self.file = JsonList(asked.to / f"{asked.stage}.json")

    def add(self, sample: Sample) -> None:
        groups = self.media.pictures(sample)
        turns = placed(sample, ["\n".join([IMAGE] * len(files)) for files in groups])
        check_conversation(turns)
        paths = [file.path for files in groups for file in files]
        check_counts(turns, IMAGE, len(paths))
        shown = {"image": paths[0] if len(paths) == 1 else paths} if paths else {}
        self.file.add({**named_ids(sample), **shown, "conversations": human_gpt(turns)})

    def finish(self) -> list[str]:
        self.file.close()
        return [f"--data_path {self.file.path.name} --image_folder ."]
