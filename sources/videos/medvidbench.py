"""MedVidBench: eight tasks on clips of eight surgical and nursing video sets, as frames.

Upstream's layout (UII-AI/MedVidBench, and the evaluation kit's readme): JSON lists of {id, conversations [{from,
value}], video [frame files], sampled_video_frames, data_source, dataset_name, qa_type, train, metadata {video_id, fps,
input_video_start_frame, input_video_end_frame}, struc_info, is_RC, RC_info}; frames of the test split in
`testdata.zip`. Quirks: frames are written with the folder in which upstream had them before, `/.../data/SET/...`; all
numbers of `metadata` are text; `id` is `video&&start&&end&&fps` and so one of a clip, not of a question; times in
`struc_info` and in answers count seconds from the clip's first frame; the answers of the test split are withheld (one
turn, no struc_info), and who trains takes none of it; videos of CholecT50, CholecTrack20 and Cholec80_CVS are
Cholec80's operations, and get its pseudonyms.

Held in memory: the questions of one table, by clip (frames once for all records).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Line, Shelf, Upstream, rows_below, told
from sources.videos.cholec80 import operation
from sources.videos.shared import FrameRefs, Gathered, event, exchanges, frame_rate, frames_form, number, sentence

if TYPE_CHECKING:
    import numpy as np

OWN = re.compile(r"^/(?:[^/]+/)*?data/")  # the folder in which upstream had its frames
ELSEWHERE = "/somewhere/data/"
BESIDE = ("", "testdata/", "data/", "traindata/")
REMEDY = "unpack the frames of upstream's archive below the root"


class MedVidBench(Upstream):
    """One record per clip with all its questions; localised actions are events."""

    source: Literal["medvidbench"]
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = ("*.json",)
    card: ClassVar[Card] = Card(
        name="medvidbench",
        what="clips of surgery and nursing with questions of eight tasks on what happens, when and where",
        url="https://huggingface.co/datasets/UII-AI/MedVidBench",
        revision="f156a8e",
        licence="CC-BY-NC-SA-4.0",
        access="registered",
        steps="the test split is open, its answers are withheld; ask the authors for the training pairs, and get the "
        "videos from their sets (AVOS, CholecT50, CholecTrack20, Cholec80-CVS, CoPESD, EgoSurgery, JIGSAWS, NurViD)",
        citation="Su et al. MedGRPO: multi-task reinforcement learning for heterogeneous medical video understanding. "
        "CVPR 2026, arXiv:2512.06581.",
        phi_risk="medium: operating rooms and nurses in teaching videos are shown, with faces",
        modalities=("ES", "XC"),
        tasks=("vqa", "temporal-events", "grounding", "caption"),
        size="531,850 training pairs (51,505 in the standard set), 6,245 test questions",
        layout="*.json, frames below SET/",
        known="published",
        remotes=(Remote(kind="hub", at="UII-AI/MedVidBench"),),
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        frames = FrameRefs(shelf, BESIDE)
        for name, _ in self.tables(place):
            gathered = Gathered()
            for row in rows_below(name, place):
                item = self._row(row, frames, pseudonym)
                if item.form == "none":
                    yield item
                else:
                    gathered.add(item.upstream_id, item)
            yield from gathered.items()
        yield from shelf.rest(self.needs)

    def _row(self, row: Line, frames: FrameRefs, pseudonym: Pseudonym) -> Item:
        listed, about = row.value("video"), row.value("metadata")
        metadata = about if isinstance(about, dict) else {}
        paths = [OWN.sub("", str(p)).lstrip("/") for p in listed] if isinstance(listed, list) else []
        source, video = row.get("data_source", "dataset_name"), str(metadata.get("video_id") or "")
        if not paths or not video:
            return row.failed("bad_frames", "no frames, or no video", REMEDY)
        split = _split(row)
        shown, own = frames.all(paths), row.ref
        if other := self.other_split(split, (*(shown or ()), own), f"{row.table}#line={row.number}"):
            return other
        if shown is None:
            return row.missing(f"{len(paths)} frames")
        asked = exchanges(row.value("conversations"), row.get("qa_type"))
        if not asked:
            return row.failed("answer_missing", "a question without its answer", "take the row out", *shown)
        return Item(
            upstream_id=f"{source}:{row['id']}",
            form=frames_form(shown),
            files=(*shown, own),
            group=_group(source, video, pseudonym),
            facts=(
                *self.declared_facts(),
                *told("modality", "XC" if source in ("NurViD", "EgoSurgery", "AVOS") else "ES", "key:data_source"),
                *told("split", split, "key:train"),
                *frame_rate(shown, number(metadata.get("fps")), "key:fps"),
                *_events(row.value("struc_info")),
            ),
            asked=asked,
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        for folder in ("AVOS/frames_15fps/kcOqlifSukA", "CholecT50/videos/VID01"):
            background = mini.pixels(rng, 96, 128, colour=True)
            for frame in range(4):
                shown = background.copy()
                shown[mini.disc(96, 128, 25 + 12 * frame, 30 + 15 * frame, 12) > 0] = 235
                mini.picture(root / f"{folder}/{frame * 15}.jpg", shown)
        spans = [{"action": "cutting", "spans": [{"start": 0.0, "end": 1.0}, {"start": 2.0, "end": 4.0}]}]
        said = [
            ("AVOS", "kcOqlifSukA", "tal", "When does cutting happen?", "0.0-1.0, 2.0-4.0 seconds.", spans),
            (
                "AVOS",
                "kcOqlifSukA",
                "video_summary",
                "Summarise the clip.",
                "The surgeon cuts, pauses, cuts again.",
                [],
            ),
            ("CholecT50", "VID01", "next_action", "What follows?", "The hook dissects the cystic duct.", []),
            ("NurViD", "n7", "tal", "When are hands washed?", "0.0-2.0 seconds.", []),  # frames that are missing
        ]
        rows: list[dict[str, Any]] = []
        for number_of, (source, video, kind, question, answer, info) in enumerate(said):
            folder = "AVOS/frames_15fps" if source == "AVOS" else f"{source}/videos"
            metadata = {"video_id": video, "fps": "1.0", "input_video_start_frame": "0", "input_video_end_frame": "45"}
            turns = [{"from": "human", "value": f"<video>\n{question}"}, {"from": "gpt", "value": answer}]
            row: dict[str, Any] = {
                "id": f"{video}&&0&&45&&1.0",
                "video": [f"{ELSEWHERE}{folder}/{video}/{k * 15}.jpg" for k in range(4)],
            }
            row |= {"conversations": turns, "data_source": source, "qa_type": kind, "metadata": metadata}
            rows.append({**row, "struc_info": info, "train": True, "is_RC": False, "RC_info": None, "n": number_of})
        mini.json_file(root / "train_standard.json", rows)
        withheld = {**rows[0], "id": "kcOqlifSukA&&0&&30&&1.0", "conversations": rows[0]["conversations"][:1]}
        mini.json_file(root / "cleaned_test_data_11_04.json", [{**withheld, "train": False, "struc_info": None}])


def _split(row: Line) -> str:
    stated = row.value("train")
    if isinstance(stated, bool):
        return "train" if stated else "test"
    return "test" if "test" in row.table else "train"


def _group(source: str, video: str, pseudonym: Pseudonym) -> str:
    if source.lower().startswith("cholec") and operation(video):
        return pseudonym("patient", f"cholec:{operation(video)}")
    return pseudonym("video", f"{source}:{video}")


def _events(info: Any) -> Iterator[Fact]:
    """Spans of actions and of followed objects; what else `struc_info` holds is in the answers."""
    for told_of in info if isinstance(info, list) else ():
        if not isinstance(told_of, dict):
            continue
        name = sentence(str(told_of.get("action") or told_of.get("object") or ""))
        spans = told_of.get("spans")
        for span in spans if isinstance(spans, list) else (told_of,):
            start, end = (number(span.get(k)) for k in ("start", "end")) if isinstance(span, dict) else (0.0, -1.0)
            if name and 0 <= start <= end < 1e6:
                yield event(name, start, end, "key:struc_info")
