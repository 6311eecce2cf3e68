"""MedM-VL (MSIIP/MedM-VL@225fc0f): one JSON list of {"id", "image": [paths] or "image3d": [paths], "conversations"},
with `<image>` and `<image3d>` marks, and "answer" beside them for inference.

Its loader reads `.npy` volumes in HU, cuts them to -1000 to 1000 and crops and resizes them itself, so volumes are to
be rendered as `canonical`; what is no volume in HU is left out as `not_hu`. Its training turns and flips volumes at
random (RandRotate90, RandFlip), which makes answers about sides wrong: train those with its augmentation off.
"""

from __future__ import annotations

from typing import Any, ClassVar

from curate.formats.base import (
    IMAGE,
    Asked,
    MediaFiles,
    Sample,
    UnfitError,
    check_conversation,
    check_counts,
    human_gpt,
    named_ids,
    placed,
)
from curate.formats.rows import JsonList
from manifests.sample import StageName

VOLUME = "<image3d>"


class MedmVL:
    NAME: ClassVar[str] = "medm_vl"
    WHAT: ClassVar[str] = "one JSON list with image and image3d (MedM-VL)"
    STAGES: ClassVar[tuple[StageName, ...]] = ("pretrain", "sft", "rlvr")

    def __init__(self, asked: Asked, media: MediaFiles) -> None:
        self.asked = asked
        self.media = media
        self.file = JsonList(asked.to / f"{asked.stage}.json")

    def add(self, sample: Sample) -> None:
        kinds = [m["kind"] for m in sample.media]
        if "video" in kinds:
            raise UnfitError("video", "a clip, which the loader has no key for")
        for media in sample.media:
            if media["kind"] == "volume" and media["units"] != "HU":
                found = f"a volume in {media['units']} ({media['target']}); render CT as canonical"
                raise UnfitError("not_hu", found)
        turns = placed(sample, [VOLUME if kind == "volume" else IMAGE for kind in kinds])
        files = {"image": list[str](), "image3d": list[str]()}
        for media in sample.media:
            key = "image3d" if media["kind"] == "volume" else "image"
            files[key].append(self.media.whole(sample, media).path)
        row: dict[str, Any] = {
            **named_ids(sample),
            "data_source": sample.values["source"],
            "task": sample.values["task"],
        }
        row["domain"] = sample.values["modality"]
        row |= {key: paths for key, paths in files.items() if paths}
        if self.asked.stage == "rlvr":
            row["answer"] = sample.answer["gold"]
        else:
            check_conversation(turns)
        check_counts(turns, IMAGE, len(files["image"]))
        check_counts(turns, VOLUME, len(files["image3d"]))
        self.file.add({**row, "conversations": human_gpt(turns)})

    def finish(self) -> list[str]:
        self.file.close()
        return [f"--data_path {self.file.path.name} --image_dir . --image3d_dir ."]
