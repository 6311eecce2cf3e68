"""MedVidQA: health questions, each answered by a passage of an instructional video.

Upstream's layout (doi:10.17605/OSF.IO/PC594, its README): `train.json`, `val.json`, `test.json`, lists of {sample_id,
question, answer_start, answer_end (MM:SS), answer_start_second, answer_end_second, video_length (s), video_id (of
YouTube), video_link}. Videos are not handed out; each is to be fetched as `VIDEO_ID.mp4` into any folder. Quirks: a
video has several questions; the address stands in `video_link` or in `video_url`; ids may begin with `-` or `_`;
passages are marked in whole seconds; videos disappear from YouTube, and rows of those end as missing.

Passages become events and the answers are upstream's own times. Held in memory: the questions of one split, by video.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Asked
from sources.base import Entry, Item, Place, Pseudonym
from sources.times import seconds
from sources.upstream import REMEDY, Line, Shelf, Upstream, rows_below, told
from sources.videos.shared import Gathered, event

if TYPE_CHECKING:
    import numpy as np

ENDINGS = (".mp4", ".webm", ".mkv")


class MedVidQa(Upstream):
    """One record per video with all its questions."""

    source: Literal["medvidqa"]
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = ("train.json",)
    may: ClassVar[tuple[str, ...]] = ("val.json", "test.json")
    card: ClassVar[Card] = Card(
        name="medvidqa",
        what="instructional health videos with questions and the passage that answers each",
        url="https://doi.org/10.17605/OSF.IO/PC594",
        revision="initial release, January 2022",
        licence="CC-BY-4.0",
        access="open",
        steps="fetch the JSON files from OSF; the videos stand under their owners' terms on YouTube: fetch those that "
        "you may use as VIDEO_ID.mp4 below medvidqa/",
        citation="Gupta, Attal, Demner-Fushman. A dataset for medical instructional video classification and question "
        "answering. Scientific Data 10, 158 (2023).",
        phi_risk="high: people are shown and named; faces, titles (sound is dropped)",
        modalities=("XC",),
        tasks=("vqa", "temporal-events"),
        size="3,010 questions on 899 videos",
        layout="{train,val,test}.json, VIDEO_ID.mp4 in any folder",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        videos = {PurePosixPath(e.path).stem: e for e in shelf.by_path.values() if e.path.lower().endswith(ENDINGS)}
        for name, _ in self.tables(place):
            gathered = Gathered()
            for row in rows_below(name, place):
                video = videos.get(row["video_id"])
                item = row.missing() if video is None else self._row(row, video, shelf, pseudonym)
                if item.form == "none":
                    yield item
                else:
                    gathered.add(item.upstream_id, item)
            yield from gathered.items()
        yield from shelf.rest((*self.needs, *self.may))

    def _row(self, row: Line, video: Entry, shelf: Shelf, pseudonym: Pseudonym) -> Item:
        split = PurePosixPath(row.table).stem
        files = (shelf.take(video), row.ref)
        if other := self.other_split(split, files, f"{row.table}#line={row.number}"):
            return other
        try:
            start, end = (
                seconds(row.get(f"{edge}_second") or row.get(edge), edge) for edge in ("answer_start", "answer_end")
            )
        except RecordError as error:
            return row.failed("event_time", error.found, REMEDY)
        question = row["question"]
        if not question or end < start:
            return row.failed("event_time", "no question, or an end before its start", REMEDY)
        answer = (
            f"From {row.get('answer_start', 'answer_start_second')} to {row.get('answer_end', 'answer_end_second')}"
        )
        return Item(
            upstream_id=row["video_id"],
            form="clip",
            files=files,
            group=pseudonym("video", f"youtube:{row['video_id']}"),
            facts=(
                *self.declared_facts(),
                *told("split", split, "table"),
                event(f"answer to: {question}", start, end, "key:answer_start_second"),
            ),
            asked=(Asked(question, answer, about="visual answer localization"),),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        for video in ("2lAe1cqCOXo", "-x7_Kq0bYtE", "Zk3_9aQwErt", "v0Valid0001"):
            mini.clip(root / f"videos/{video}.mp4", rng, seconds=2.0, side=96)

        def row(number: int, video: str, question: str, start: int, end: int) -> dict[str, object]:
            times: dict[str, object] = {"answer_start": f"00:{start:02d}", "answer_end": f"00:{end:02d}"}
            times |= {"answer_start_second": start, "answer_end_second": end, "video_length": 2}
            said = {"sample_id": number, "question": question, **times, "video_id": video}
            return {**said, "video_link": f"https://youtu.be/{video}"}

        said = [
            row(1, "2lAe1cqCOXo", "How do I apply a splint to a sprained finger?", 0, 1),
            row(2, "2lAe1cqCOXo", "How is the bandage fixed at the wrist?", 1, 2),
            row(3, "-x7_Kq0bYtE", "How to place hands for chest compressions on an adult?", 0, 2),
            row(4, "Zk3_9aQwErt", "How should an inhaler with a spacer be held?", 0, 1),
            row(5, "gone0000000", "How to clean a wound before dressing it?", 0, 1),
        ]
        mini.json_file(root / "train.json", said)
        mini.json_file(root / "val.json", [row(6, "v0Valid0001", "How to stretch a stiff neck?", 1, 2)])
