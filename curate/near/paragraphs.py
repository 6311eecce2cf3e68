"""Stages `repeats_chunk` (one unit per chunk) and `repeats` (one unit): paragraphs that stand in many places.

A **paragraph** is a line of a text's stored form that is not blank; two are equal where their comparison forms are
(by XXH64). Those of fewer than `PARAGRAPH_TOKENS` tokens, headings and labels, are not looked at, but their words count
in the text. Looked at are the texts that `curate.near.index` compares, so a text that stands twice counts once. A
notice or a template stands thousands of times; what is done about a record that holds little else is the recipe's
choice (`repeated_records`).

Memory of a chunk: 24 bytes a paragraph, three times while they are sorted. Of the last unit: paragraphs in parts within
half of `memory_bytes`, and 12 bytes a prepared row in mapped scratch files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xxhash
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from curate.code import code_version
from curate.near.folding import forms
from curate.near.stored import Index, open_index, read_said
from curate.store import unit_folder
from curate.text import normalise
from curate.units import Summary, Unit, unit_key

CHUNK_STAGE, STAGE = "repeats_chunk", "repeats"
ENTRY = np.dtype([("hash", "<u8"), ("place", "<i8"), ("words", "<i8")])
TOP = np.dtype([("hash", "<u8"), ("count", "<i8"), ("words", "<i8")])
TOP_ROWS = 1000
PARAGRAPH_TOKENS = 8
_TEXTS = 256  # folded at once
_SORTING = 6

Entries = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class ChunkSpec:
    """`units`: the chunk's first prepared unit and the end, as numbers in plan order."""

    index: str
    units: tuple[int, int]


@dataclass(frozen=True, slots=True)
class RepeatsSpec:
    """`chunks`: keys of the repeats_chunk units; a paragraph is repeated that stands `least` times or more."""

    index: str
    chunks: tuple[str, ...]
    least: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Repeated:
    """A paragraph or passage by the XXH64 of its comparison form, how often it stands, and its words."""

    hash: str
    count: int
    words: int


@dataclass(frozen=True, slots=True)
class Counted:
    """Keys of the unit that counted, and of the index by which it did; the unit's stage."""

    key: str
    index: str
    stage: str = STAGE


def units_of(
    index: str, chunks: list[tuple[int, int]], least: int, memory_bytes: int = 1 << 30
) -> tuple[list[Unit], Unit]:
    """Units for chunks of prepared units, and the one that counts."""
    code = code_version("curate.near.paragraphs")
    parts = [ChunkSpec(index, units) for units in chunks]
    made = [Unit(CHUNK_STAGE, unit_key(CHUNK_STAGE, code, [index, *s.units]), s, "paragraphs") for s in parts]
    spec = RepeatsSpec(index, tuple(unit.key for unit in made), least, memory_bytes)
    return made, Unit(STAGE, unit_key(STAGE, code, [index, spec.chunks, least]), spec, "paragraphs")


def work(spec: ChunkSpec | RepeatsSpec, folder: Path, work_folder: Path) -> Summary:
    index = open_index(work_folder, spec.index)
    return _entries(spec, index, folder) if isinstance(spec, ChunkSpec) else _counted(spec, index, folder, work_folder)


# -------------------------------------------------------------------------------------------------------------- chunks
def _entries(spec: ChunkSpec, index: Index, folder: Path) -> Summary:
    """Write `entries.npy`, `ENTRY` ordered by (hash, place), and `words.npy` (rows of the chunk,) int64."""
    low, high = (int(index.offsets[unit]) for unit in spec.units)
    words = np.zeros(high - low, np.int64)
    made = [np.empty(0, ENTRY)]
    for places, texts in _batches(index, np.flatnonzero(index.ranks[low:high] >= 0) + low):
        found = _paragraphs(places, texts)
        np.add.at(words, found["place"] - low, found["words"])
        made.append(found[found["words"] >= PARAGRAPH_TOKENS])
    whole = np.concatenate(made)
    np.save(folder / "entries.npy", whole[np.lexsort((whole["place"], whole["hash"]))])
    np.save(folder / "words.npy", words)
    return {"records": int((words > 0).sum()), "paragraphs": len(whole)}


def _batches(index: Index, places: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], list[str]]]:
    for unit, part in index.by_unit(places):
        here = places[part]
        texts = read_said(index.folder(unit), here - index.offsets[unit])
        for start in range(0, len(here), _TEXTS):
            some = here[start : start + _TEXTS]
            yield some, [next(texts) for _ in some]


def _paragraphs(places: NDArray[np.int64], texts: list[str]) -> Entries:
    lines = [[line for line in normalise(text).split("\n") if line] for text in texts]
    data, bounds = forms([line for some in lines for line in some])
    spaces = np.concatenate([np.zeros(1, np.int64), np.cumsum(data == 32)])
    made = np.empty(len(bounds) - 1, ENTRY)
    made["place"] = np.repeat(places, [len(some) for some in lines])
    made["words"] = np.diff(spaces[bounds]) + (np.diff(bounds) > 0)
    ends = zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    made["hash"] = np.array([xxhash.xxh64_intdigest(data[a:b].data) for a, b in ends], np.uint64)
    return made


# ------------------------------------------------------------------------------------------------------------ counting
def _counted(spec: RepeatsSpec, index: Index, folder: Path, work_folder: Path) -> Summary:
    """Write `top.npy`, the most repeated paragraphs, most often first, and `shares.npy`: (rows,) float32 by place, the
    share of a record's words that stands in repeated paragraphs."""
    folders = [unit_folder(work_folder, CHUNK_STAGE, key) for key in spec.chunks]
    files = [np.load(one / "entries.npy", mmap_mode="r") for one in folders]
    covered = np.memmap(folder / "covered", "<i8", "w+", shape=(max(1, len(index.ranks)),))
    top = np.empty(0, TOP)
    parts = max(1, -(-sum(map(len, files)) * ENTRY.itemsize * _SORTING * 2 // spec.memory_bytes))
    for part in range(parts):
        entries, starts, counts = _groups([_slice(file, part, parts) for file in files], spec.least)
        np.add.at(covered, entries["place"], entries["words"])
        found = np.empty(len(starts), TOP)
        found["hash"], found["words"], found["count"] = entries["hash"][starts], entries["words"][starts], counts
        top = np.concatenate([top, found])
        top = top[np.lexsort((top["hash"], -top["count"]))[:TOP_ROWS]]
    shares = open_memmap(folder / "shares.npy", "w+", np.dtype("<f4"), (len(index.ranks),))
    start = 0
    for one in folders:
        words = np.load(one / "words.npy")
        shares[start : start + len(words)] = covered[start : start + len(words)] / np.maximum(words, 1)
        start += len(words)
    np.save(folder / "top.npy", top)
    (folder / "covered").unlink()
    return {"records": start, "paragraphs": sum(map(len, files))}


def _slice(entries: Entries, part: int, parts: int) -> Entries:
    edges = [(part * (1 << 64) + parts - 1) // parts, ((part + 1) * (1 << 64) + parts - 1) // parts]
    low, high = (
        len(entries) if edge >= 1 << 64 else int(np.searchsorted(entries["hash"], np.uint64(edge))) for edge in edges
    )
    return entries[low:high]


def _groups(slices: list[Entries], least: int) -> tuple[Entries, NDArray[np.int64], NDArray[np.int64]]:
    """Entries whose hash stands `least` times or more, in order, where each one's begin, and how many they are."""
    whole = np.concatenate([np.empty(0, ENTRY), *slices])
    whole = whole[np.lexsort((whole["place"], whole["hash"]))]
    fresh = np.ones(len(whole), bool)
    fresh[1:] = whole["hash"][1:] != whole["hash"][:-1]
    starts = np.flatnonzero(fresh)
    counts = np.diff(np.append(starts, len(whole)))
    kept = counts[counts >= least]
    ends = np.cumsum(kept)
    return whole[np.repeat(counts >= least, counts)], ends - kept, kept


# ------------------------------------------------------------------------------------------------------------- reading
def read_top(work: Path, counted: Counted) -> list[Repeated]:
    """The most repeated paragraphs, or passages, most often first: at most 1,000."""
    table = np.load(unit_folder(work, counted.stage, counted.key) / "top.npy").tolist()
    return [Repeated(f"{value:016x}", count, words) for value, count, words in table]


def repeated_records(work: Path, counted: Counted, above: float) -> dict[str, float]:
    """Records of whose words more than the share `above` is repeated: by key, with the share."""
    shares = np.load(unit_folder(work, counted.stage, counted.key) / "shares.npy", mmap_mode="r")
    index = open_index(work, counted.index)
    places = np.flatnonzero(shares > above)
    ranks = index.ranks[places].tolist()
    return dict(sorted((index.key(rank), float(shares[place])) for rank, place in zip(ranks, places, strict=True)))
