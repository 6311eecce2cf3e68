"""SurgPub-Video (2025): questions on clips of surgical videos from journals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from manifests.errors import RecipeError
from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import check_split, chosen, find, lettered, options, rows, said

NAME = "surgpub-video"
KNOWN: Known = "recalled"
SPLITS = ("test",)
LAYOUT = """\
Wallice/SurgPub-Video: annotations/bench/qa_test.csv and frames at 1 fps as VIDEO/frame_NNNNN.png. Upstream's evaluation
reads question_closed, A..D, answer_key, path, folder, start, end; other names that such tables have are taken too
(question; answer; options or option_A..D; video, video_id, video_name or clip). A table without a question and a video
column is refused with the list of what it has; the generic reader takes any."""
QUESTION = ("question_closed", "question", "Question")
VIDEO = ("folder", "video_id", "video", "video_name", "Video", "clip", "clip_id", "clip_name")


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    for path in find(folder, ("annotations/bench/qa_test.csv", "**/qa_test.csv"), NAME):
        for number, row in enumerate(rows(path)):
            if not any(c in row for c in QUESTION) or not any(c in row for c in VIDEO):
                has = ", ".join(sorted(row))
                raise RecipeError(f"'{path.name}' has no column {QUESTION} and {VIDEO}; it has: {has}; use --columns")
            choices = options(row.get("options", "")) or lettered(row, "option_{}") or lettered(row, "{}")
            yield BenchmarkItem(
                item_id=said(row, "id", "qid", "question_id") or f"{split}-{number}",
                question=said(row, *QUESTION),
                options=choices,
                answer=chosen(said(row, "answer_key", "answer", "Answer", "correct_answer"), choices),
                video=Path(said(row, *VIDEO)).stem,
            )
