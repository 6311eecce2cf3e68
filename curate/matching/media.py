"""Canonical media as they are compared: read from a prepared unit by the place of a record."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from curate.archive import Members
from curate.arrays import Frames, Image, Volume, affine_of, decode_npy_gz
from curate.image import to_display
from curate.looks.pairs import Media
from curate.looks.video import FRAME_ANCHOR_S, FRAME_STEP_S, chosen_frames
from curate.prepare import read_rows, record_of
from curate.store import unit_folder
from curate.video.frames import read_frames
from manifests.record import Record

CACHED_BYTES = 1 << 28


class Shelf:
    """The media of one prepared unit by row. The last few stay at hand, up to `CACHED_BYTES` of them."""

    def __init__(self, work_folder: Path, prepared: str) -> None:
        self._folder = unit_folder(work_folder, "prepare", prepared)
        self._rows = read_rows(self._folder, ("record", "offsets"))
        self._kept: dict[tuple[int, int], tuple[Media, int]] = {}

    def record(self, row: int) -> Record:
        return record_of(self._rows[row])

    def media(self, row: int, picture: int = 0, times_ms: frozenset[int] = frozenset()) -> Media:
        """One of a record's pictures as it is shown, a volume, or of a clip the frames near to `times_ms`, which are
        not kept."""
        record = self.record(row)
        if record.kind == "video":
            return self._clip(record, row, times_ms)
        if (row, picture) not in self._kept:
            made = _picture_or_volume(record, picture, self._read(row, picture))
            size = made.nbytes if isinstance(made, np.ndarray) else made.voxels.nbytes
            self._make_room(size)
            self._kept[row, picture] = (made, size)
        return self._kept[row, picture][0]

    def _make_room(self, size: int) -> None:
        while self._kept and size + sum(held for _, held in self._kept.values()) > CACHED_BYTES:
            self._kept.pop(next(iter(self._kept)))

    def _read(self, row: int, picture: int) -> bytes:
        with (self._folder / "media.tar").open("rb") as archive:
            return self._members(archive, row).read(self.record(row).media[picture].member)

    def _members(self, archive: Any, row: int) -> Members:
        return Members(archive, json.loads(self._rows[row]["offsets"]))

    def _clip(self, record: Record, row: int, times_ms: frozenset[int]) -> Frames:
        media = record.media[0]
        with tempfile.TemporaryDirectory() as folder, (self._folder / "media.tar").open("rb") as archive:
            path = Path(folder) / "clip.mp4"
            self._members(archive, row).copy(media.member, path)
            return shown_frames(path, media.times_s or (), times_ms)


def shown_frames(path: Path, times_s: tuple[float, ...], times_ms: frozenset[int]) -> Frames:
    """Of a canonical clip the frames that looks are made of, as far as they are near to `times_ms`. Raises as
    `curate.video.frames.read_frames` does."""
    looked_at = sorted({n for step in (FRAME_STEP_S, FRAME_ANCHOR_S) for n in chosen_frames(times_s, step)})
    near = [n for n in looked_at if _is_near(times_s[n], times_ms)]
    return Frames(read_frames(path, near, times_s), tuple(times_s[n] for n in near))


def _is_near(time_s: float, times_ms: frozenset[int]) -> bool:
    return any(abs(round(time_s * 1000) - asked) <= FRAME_STEP_S * 1000 for asked in times_ms)


def _picture_or_volume(record: Record, picture: int, data: bytes) -> Any:
    media = record.media[picture]
    pixels = decode_npy_gz(data)
    if record.kind == "volume":
        return Volume(pixels, affine_of(media.affine), media.units, media.window)  # type: ignore[arg-type]
    shown = Image(pixels, media.units, None, media.window, media.inverted, media.voi, media.padding)  # type: ignore[arg-type]
    return to_display(shown)
