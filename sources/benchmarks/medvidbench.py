"""MedVidBench (Su et al. 2026): eight tasks on clips of eight surgical and nursing video sets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import Row, below, check_split, find, rows, said

NAME = "medvidbench"
KNOWN: Known = "published"
SPLITS = ("test", "train")
LAYOUT = """\
UII-AI/MedVidBench: cleaned_test_data_*.json, a list of {conversations [{from, value "<video>\\nquestion"}], video
[frame files], metadata {video_id, fps, input_video_start_frame, input_video_end_frame}, qa_type, data_source,
struc_info, is_RC, RC_info}; answers of the test split are private. Known from upstream's own description of the format.
The video's id is that of its set (AVOS, CholecT50, ...): `SET:video_id` as well as the bare id."""
FILES = {"test": ("*test*.json",), "train": ("*train*.json",)}


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    for path in find(folder, FILES[split], NAME):
        for number, row in enumerate(rows(path, ("video", "metadata", "qa_type"))):
            metadata = row["metadata"] if isinstance(row["metadata"], dict) else {}
            video, source = said(metadata, "video_id"), said(row, "data_source")
            frames = row["video"] if isinstance(row["video"], list) else [row["video"]]
            yield BenchmarkItem(
                item_id=said(row, "id") or f"{path.stem}-{number}",
                question=_turn(row, "human"),
                answer=_turn(row, "gpt"),
                images=tuple(below(folder, str(f)) for f in frames if f),
                video=f"{source}:{video}" if source and video else video,
                aliases=(video,) if video else (),
            )


def _turn(row: Row, speaker: str) -> str:
    turns: Any = row.get("conversations") or []
    for turn in turns:
        if isinstance(turn, dict) and turn.get("from") == speaker:
            return said(turn, "value").replace("<video>", "").replace("<image>", "").strip()
    return said(row, "question") if speaker == "human" else said(row, "answer")
