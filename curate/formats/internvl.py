"""InternVL (OpenGVLab/InternVL@2410d1d, internvl_chat_finetune.py): a meta file that names data sets, and their JSON
lines of {"id", "image": path or paths, "conversations", "width", "height"}.

The loader takes `.jsonl` alone, replaces a row that it cannot read by another one at random, and cuts prompts beyond
its context; so here every row is checked first. `length` in the meta file is the number of rows. Several images share
the tile budget: max(1, max_dynamic_patch // n). Boxes are whole numbers from 0 to 1000 (MedRegA's, which its trainer
reads too, to 999) behind their name; a sample that says that its boxes are written otherwise is left out. Clips stand
as their frames: `video` rows need a loader of its own (`tcs_loader`), without which they are replaced. Data sets are
the output's sources, one file each, so that `repeat_time` can be set for each.
"""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

from curate.formats.base import (
    IMAGE,
    Asked,
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
from curate.formats.rows import JsonLines
from manifests.sample import StageName
from synth.boxes import TAG_FORM

TILE = 448
MOST_TILES = 12
OWN_BOXES = ("internvl", "medrega")
_BOX = re.compile(r"<box>\s*(\[\[.*?\]\])\s*</box>", re.DOTALL)


class InternVL:
    NAME: ClassVar[str] = "internvl"
    WHAT: ClassVar[str] = "meta.json and one JSON-lines file for each source (InternVL 2 to 3, Fleming-VL, MedRegA)"
    STAGES: ClassVar[tuple[StageName, ...]] = ("pretrain", "sft")

    def __init__(self, asked: Asked, media: MediaFiles) -> None:
        self.asked = asked
        self.media = media
        self.files: dict[str, JsonLines] = {}

    def add(self, sample: Sample) -> None:
        row = self._row(sample)
        source = str(sample.values["source"])
        if source not in self.files:
            self.files[source] = JsonLines(self.asked.to / self.asked.stage / f"{source}.jsonl")
        self.files[source].add(row)

    def _row(self, sample: Sample) -> dict[str, Any]:
        groups = self.media.pictures(sample)
        turns = placed(sample, ["\n".join([IMAGE] * len(files)) for files in groups])
        check_conversation(turns)
        check_dialect(sample, OWN_BOXES)
        for _, content in turns:
            check_boxes(content)
        files = [file for group in groups for file in group]
        check_counts(turns, IMAGE, len(files))
        shown: dict[str, Any] = {}
        if len(files) == 1:
            shown = {"image": files[0].path, "width": files[0].width, "height": files[0].height}
        elif files:
            sides = {"width": [f.width for f in files], "height": [f.height for f in files]}
            shown = {"image": [f.path for f in files], **sides}
        return {**named_ids(sample), **shown, "conversations": human_gpt(turns)}

    def finish(self) -> list[str]:
        meta = {}
        for source, file in sorted(self.files.items()):
            file.close()
            meta[source] = {
                "root": ".",
                "annotation": f"{self.asked.stage}/{file.path.name}",
                "data_augment": False,
                "max_dynamic_patch": MOST_TILES,
                "repeat_time": 1,
                "length": file.count,
            }
        path = self.asked.to / f"{self.asked.stage}_meta.json"
        path.write_text(json.dumps(meta, indent=1) + "\n")
        return [f"--meta_path {path.name}, run from this folder: roots are relative to it"]


def check_boxes(content: str) -> None:
    """Raise `UnfitError` `box_dialect` for a box that is not [x1, y1, x2, y2] in whole numbers from 0 to 1000; a
    question may say the form itself."""
    for found in _BOX.findall(content.replace(TAG_FORM, "")):
        try:
            boxes = json.loads(found)
        except ValueError:
            raise UnfitError("box_dialect", "a <box> that is no list of lists") from None
        for box in boxes:
            whole = isinstance(box, list) and len(box) == 4 and all(isinstance(n, int) and 0 <= n <= 1000 for n in box)
            if not whole or not (box[0] <= box[2] and box[1] <= box[3]):
                raise UnfitError("box_dialect", f"a box {box} where whole numbers from 0 to 1000 belong")
