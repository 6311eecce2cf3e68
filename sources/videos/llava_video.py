"""LLaVA-Video-178K: general videos with captions, open questions and questions with options.

Upstream's layout (lmms-lab/LLaVA-Video-178K): folders by length and origin (`0_30_s_academic_v0_1`, ...), each with
`*_cap_processed.json`, `*_oe_v0_1_qa_processed.json`, `*_mc_v0_1_qa_processed.json`, lists of {id, conversations
[{from, value}], data_source, video}, and archives of videos that unpack beside them (`academic_source/...`,
`liwei_youtube_videos/...`). Quirks: the place of the video is written `<image>`; `video` is below the folder that
`data_source` names, in some copies below `data/`; questions with options list them as lines and end with an
instruction; a caption is a question and answer too. Any set in this form can be read: a list of such rows, videos below
the root.

Held in memory: all questions of one root, by video, since three tables ask about one; a root may be one of the folders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Line, Shelf, Upstream, rows_below
from sources.videos.shared import Gathered, closed, exchanges

if TYPE_CHECKING:
    import numpy as np

KINDS = (("_cap_", "caption"), ("_oe_", "open-ended"), ("_mc_", "multiple-choice"))


class LlavaVideo(Upstream):
    """One record per video with all its questions."""

    source: Literal["llava_video"]
    take: tuple[Literal["caption", "open-ended", "multiple-choice", ""], ...] = (
        "caption", "open-ended", "multiple-choice", "",
    )  # fmt: skip
    needs: ClassVar[tuple[str, ...]] = ("**/*.json",)
    card: ClassVar[Card] = Card(
        name="llava_video",
        what="general videos with detailed captions, open questions and questions with options",
        url="https://huggingface.co/datasets/lmms-lab/LLaVA-Video-178K",
        revision="727f4fc",
        licence="LicenseRef-LLaVA-Video-178K-academic-use",
        access="open",
        citation="Zhang et al. Video instruction tuning with synthetic data. arXiv:2410.02713 (2024).",
        phi_risk="people and faces in public videos; answers are written by a model",
        modalities=("natural",),
        tasks=("instruction", "caption", "vqa", "multiple-choice"),
        size="178,510 videos, 178,510 captions, 960,792 open and 196,198 multiple-choice pairs",
        layout="SUBSET/*_processed.json, SUBSET/academic_source/..., SUBSET/liwei_youtube_videos/...",
        known="published",
        remotes=(
            Remote(kind="hub", at="lmms-lab/LLaVA-Video-178K", files=("0_30_s_academic_v0_1/*.json",)),
            Remote(
                kind="hub", at="lmms-lab/LLaVA-Video-178K", files=("0_30_s_academic_v0_1/*.tar.gz",), unpack=True,
                into="0_30_s_academic_v0_1",
            ),
        ),
    )  # fmt: skip

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        gathered = Gathered()
        for name, _ in self.tables(place):
            kind = next((kind for mark, kind in KINDS if mark in PurePosixPath(name).name), "")
            if kind not in self.take:
                continue
            for row in rows_below(name, place):
                item = self._row(row, kind, shelf, pseudonym)
                if item.form == "none":
                    yield item
                else:
                    gathered.add(item.upstream_id, item)
        yield from gathered.items()
        yield from shelf.rest(("*.json",))

    def _row(self, row: Line, kind: str, shelf: Shelf, pseudonym: Pseudonym) -> Item:
        folder, path = PurePosixPath(row.table).parent.as_posix(), row["video"].lstrip("/")
        places = [f"{folder}/{part}{path}" for part in ("", "data/", "videos/")]
        video = shelf.first(*places, f"{row.get('data_source')}/{path}", path)
        if video is None:
            return row.missing(path)
        asked = exchanges(row.value("conversations"), kind)
        if not asked:
            return row.failed("answer_missing", "no question with its answer", "take the row out")
        return Item(
            upstream_id=video.path,
            form="clip",
            files=(shelf.take(video), row.ref),
            group=pseudonym("video", PurePosixPath(video.path).stem),
            facts=self.declared_facts(),
            asked=tuple(closed(one) for one in asked),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        subset = "0_30_s_academic_v0_1"

        def row(video: str, question: str, answer: str) -> dict[str, object]:
            turns = [{"from": "human", "value": f"<image>\n{question}"}, {"from": "gpt", "value": answer}]
            said = {"id": PurePosixPath(video).stem, "conversations": turns, "data_source": subset}
            return {**said, "video": f"academic_source/NextQA/{video}"}

        for video in ("0001/24.mp4", "0001/37.mp4", "0002/58.mp4"):
            mini.clip(root / subset / f"academic_source/NextQA/{video}", rng, seconds=1.5, side=112)
        captions = [
            row("0001/24.mp4", "Describe the video in detail.", "A pale ball drifts over a patterned cloth."),
            row("0002/58.mp4", "What happens in this clip?", "A bright disc crosses a striped wall from the left."),
            row("0009/99.mp4", "Describe the clip.", "A dog runs over a lawn."),  # a video that is missing
        ]
        choice = "How does the disc move?\nA. It falls\nB. It rests\nC. It drifts\nD. It splits\nPlease provide your "
        choice += "answer by stating the letter followed by the full option."
        mini.json_file(root / subset / f"{subset}_cap_processed.json", captions)
        open_ended = [row("0001/24.mp4", "What colour is the ball?", "It is nearly white.")]
        open_ended.append(row("0001/37.mp4", "What lies in the background?", "Waves of red and green."))
        mini.json_file(root / subset / "0_30_s_academic_oe_v0_1_qa_processed.json", open_ended)
        several = [row("0001/37.mp4", choice, "C. It drifts")]
        mini.json_file(root / subset / "0_30_s_academic_mc_v0_1_qa_processed.json", several)
