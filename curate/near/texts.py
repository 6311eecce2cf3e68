"""Stage `near_texts`: the shingles of the texts that stand in some candidate pair. One unit per chunk.

Each prepared unit's column of records is read once, whatever the number of partitions. Written are the XXH64 of each
text's distinct shingles, 8 bytes each, which is about what the text takes. Memory: `memory_bytes` in texts and hashes,
or what the longest text takes, about 30 bytes a character.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curate.code import code_version
from curate.near.folding import forms
from curate.near.pairs import Ids
from curate.near.signatures import shingle_sets
from curate.near.stored import Index, open_index, read_said
from curate.near.tokens import Hashes, Offsets
from curate.store import unit_folder
from curate.units import Summary, Unit, unit_key
from manifests.errors import RecipeError

STAGE = "near_texts"
_CHAR_BYTES = 32  # what a character of a text takes at most while it is shingled
_BATCH_CHARS = 1 << 22


@dataclass(frozen=True, slots=True)
class TextsSpec:
    """`units`: the chunk's first prepared unit and the end, as numbers in plan order."""

    index: str
    candidates: tuple[str, ...]
    units: tuple[int, int]
    memory_bytes: int


def unit_of(spec: TextsSpec, records: int = 0) -> Unit:
    identity = {"index": spec.index, "candidates": spec.candidates, "units": spec.units}
    return Unit(STAGE, unit_key(STAGE, code_version("curate.near.texts"), identity), spec, "near texts", records)


def work(spec: TextsSpec, folder: Path, work_folder: Path) -> Summary:
    """Write `hashes.bin` (little-endian uint64), `places.npy` (m,) int64 ascending and `bounds.npy` (m + 1,) int64."""
    index = open_index(work_folder, spec.index)
    low, high = (int(index.offsets[unit]) for unit in spec.units)
    places = _wanted(spec, low, high, work_folder)
    sizes = [np.zeros(1, np.int64)]
    with (folder / "hashes.bin").open("wb") as file:
        for texts in _batches(index, places, min(_BATCH_CHARS, spec.memory_bytes // _CHAR_BYTES)):
            hashes, bounds = shingle_sets(*forms(texts))
            hashes.astype("<u8", copy=False).tofile(file)
            sizes.append(np.diff(bounds))
    np.save(folder / "places.npy", places)
    np.save(folder / "bounds.npy", np.cumsum(np.concatenate(sizes)))
    return {"records": len(places)}


def _wanted(spec: TextsSpec, low: int, high: int, work_folder: Path) -> Ids:
    parts = [np.zeros(0, np.int64)]
    for key in spec.candidates:
        wanted = np.load(unit_folder(work_folder, "near_candidates", key) / "wanted.npy", mmap_mode="r")
        start, end = np.searchsorted(wanted, [low, high])
        parts.append(wanted[start:end])
    return np.unique(np.concatenate(parts))


def _batches(index: Index, places: Ids, most: int) -> Iterator[list[str]]:
    """The texts at some places, in order, at most `most` characters at a time, or one text."""
    waiting: list[str] = []
    size = 0
    for unit, part in index.by_unit(places):
        for text in read_said(index.folder(unit), places[part] - index.offsets[unit]):
            if waiting and size + len(text) > most:
                yield waiting
                waiting, size = [], 0
            waiting.append(text)
            size += len(text)
    if waiting:
        yield waiting


class Sets:
    """The shingles of ranks, from what the units of this stage wrote. `chunks`: (unit's key, its first place)."""

    def __init__(self, work_folder: Path, index: Index, chunks: tuple[tuple[str, int], ...]) -> None:
        self._folders = [unit_folder(work_folder, STAGE, key) for key, _ in chunks]
        self._first = np.array([first for _, first in chunks], np.int64)
        self._places = index.places
        self._known: dict[int, tuple[Ids, Ids]] = {}

    def sizes(self, ranks: Ids) -> Ids:
        """How many shingles each has."""
        return self._find(ranks)[2]

    def read(self, ranks: Ids) -> tuple[Hashes, Offsets]:
        """Shingles in the order of the ranks: (hashes,) uint64, and where each one's begin, (n + 1,) int64."""
        chunks, starts, counts = self._find(ranks)
        bounds = np.zeros(len(ranks) + 1, np.int64)
        np.cumsum(counts, out=bounds[1:])
        made = np.empty(int(bounds[-1]), "<u8")
        for chunk in np.unique(chunks).tolist():
            here = np.flatnonzero(chunks == chunk)
            order = here[np.argsort(starts[here])]
            _read_runs(self._folders[chunk] / "hashes.bin", starts[order], counts[order], bounds[order], made)
        return made, bounds

    def _find(self, ranks: Ids) -> tuple[Ids, Ids, Ids]:
        """Of each rank its chunk, where its shingles begin there, and how many there are."""
        places = self._places[ranks]
        chunks = np.searchsorted(self._first, places, side="right") - 1
        starts, counts = np.empty(len(ranks), np.int64), np.empty(len(ranks), np.int64)
        for chunk in np.unique(chunks).tolist():
            here = np.flatnonzero(chunks == chunk)
            known, bounds = self._opened(chunk)
            at = np.searchsorted(known, places[here])
            starts[here] = bounds[at]
            counts[here] = bounds[at + 1] - starts[here]
        return chunks, starts, counts

    def _opened(self, chunk: int) -> tuple[Ids, Ids]:
        if chunk not in self._known:
            places, bounds = (
                np.load(self._folders[chunk] / f"{name}.npy", mmap_mode="r") for name in ("places", "bounds")
            )
            self._known[chunk] = places, bounds
        return self._known[chunk]


def _read_runs(path: Path, starts: Ids, counts: Ids, to: Ids, out: Hashes) -> None:
    """Runs of hashes of a file, by where they begin, ascending, and how many they are, to their places in `out`.

    They are read and not mapped: pages of a map would stay resident, and count for each process.
    """
    view = out.view(np.uint8)
    with path.open("rb") as file:
        for start, count, at in zip(starts.tolist(), counts.tolist(), to.tolist(), strict=True):
            part = view[8 * at : 8 * (at + count)].data
            if count and os.preadv(file.fileno(), [part], 8 * start) != len(part):
                raise RecipeError("a unit of near_texts is incomplete; remove it and run again")
