"""Stages that find passages which stand word for word in many places, wherever in a text they begin.

A **window** is a run of `window` tokens of a text's comparison form; one is repeated that stands in `least` places or
more, in other texts or the same. A record's share is the part of its words that stands in repeated windows. A
**passage**, for the report, is a longest run of neighbouring windows that are repeated equally often.

    passage_anchors  one per chunk      anchors: runs of half a window, chosen by their own content (winnowing,
                                        Schleimer, Wilkerson and Aiken 2003), at 50 words one in some 13, and one in
                                        every window
    passage_common   one per partition  places of anchors that stand `least` times or more
    passage_windows  one per chunk      every window that holds one of those
    passage_counts   one per partition  places of windows that are repeated, with how often
    passage_spans    one per chunk      words covered by them, and the passages, whose words are read again
    passages         one unit           shares of all records, the most frequent passages

A window that stands often enough has an anchor that does, at the same place in it, so nothing is missed; windows are
equal where two 64-bit hashes of their tokens are, which of n different ones a pair is with a probability below
n² / 2**129. Looked at are the texts that `curate.near.index` compares, so that of equal texts one counts; of a text of
more than 2**24 tokens its first so many. Texts are read once, those with common anchors twice more.

Files: 24 bytes an anchor, 360 a text of 200 words, and as many for each window near a common one; a hundred thousand
such texts take 6 s of CPU where 0.7 % hold passages, 13 s where a third do. Memory: `memory_bytes` for what is sorted;
a batch of texts takes 30 bytes a character, and at most a 64th of `memory_bytes` in characters, or one text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from curate.code import code_version
from curate.near.folding import forms
from curate.near.paragraphs import TOP, TOP_ROWS
from curate.near.stored import Index, open_index, read_said
from curate.near.tokens import Bytes, Hashes, Offsets, packed_token_hashes
from curate.store import unit_folder
from curate.units import Summary, Unit, unit_key

ANCHORS, COMMON, WINDOWS = "passage_anchors", "passage_common", "passage_windows"
COUNTS, SPANS, STAGE = "passage_counts", "passage_spans", "passages"
ENTRY = np.dtype([("hash", "<u8"), ("check", "<u8"), ("place", "<i8")])
FOUND = np.dtype([("place", "<i8"), ("count", "<i8")])
PLACE_BITS = 24
ANCHORS_PER_ROW = 16  # of a text of some 200 words
_SORTING = 6
_PIECE_ROWS = 4096

Places = NDArray[np.int64]
Table = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class ChunkSpec:
    """What is done with the texts of a chunk: `stage`. `units`: its first prepared unit and the end, as numbers in plan
    order; `found`: keys of the units by partition that it goes by; `most`: characters at a time, which decides how many
    files there are and nothing else."""

    stage: str
    index: str
    units: tuple[int, int]
    window: int
    found: tuple[str, ...]
    most: int


@dataclass(frozen=True, slots=True)
class PartSpec:
    """What stands `least` times or more in one of `parts` equal ranges of hashes, of the chunks' entries."""

    stage: str
    chunk_stage: str
    chunks: tuple[str, ...]
    least: int
    part: int
    parts: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class LastSpec:
    """`anchors` and `spans`: keys of those units, chunk by chunk."""

    index: str
    anchors: tuple[str, ...]
    spans: tuple[str, ...]


def units_of(
    index: str, chunks: list[tuple[int, int]], window: int, least: int, parts: int, memory_bytes: int
) -> tuple[tuple[str, tuple[Unit, ...]], ...]:
    """Units by stage, in the order in which stages are done; the last is one unit."""
    most = max(1 << 14, min(1 << 24, memory_bytes // 64))

    def by_chunk(stage: str, found: tuple[Unit, ...]) -> tuple[Unit, ...]:
        keys = tuple(u.key for u in found)
        return tuple(_unit(ChunkSpec(stage, index, units, window, keys, most)) for units in chunks)

    def by_part(stage: str, chunk_stage: str, given: tuple[Unit, ...]) -> tuple[Unit, ...]:
        keys = tuple(u.key for u in given)
        return tuple(_unit(PartSpec(stage, chunk_stage, keys, least, k, parts, memory_bytes)) for k in range(parts))

    anchors = by_chunk(ANCHORS, ())
    common = by_part(COMMON, ANCHORS, anchors)
    windows = by_chunk(WINDOWS, common)
    counts = by_part(COUNTS, WINDOWS, windows)
    spans = by_chunk(SPANS, counts)
    last = _unit(LastSpec(index, tuple(u.key for u in anchors), tuple(u.key for u in spans)))
    return (
        (ANCHORS, anchors),
        (COMMON, common),
        (WINDOWS, windows),
        (COUNTS, counts),
        (SPANS, spans),
        (STAGE, (last,)),
    )


def _unit(spec: ChunkSpec | PartSpec | LastSpec) -> Unit:
    stage = STAGE if isinstance(spec, LastSpec) else spec.stage
    known = {name: getattr(spec, name) for name in spec.__slots__ if name != "memory_bytes"}
    return Unit(stage, unit_key(stage, code_version("curate.near.passages"), known), spec, "passages")


def work(spec: ChunkSpec | PartSpec | LastSpec, folder: Path, work_folder: Path) -> Summary:
    if isinstance(spec, PartSpec):
        return _counted(spec, folder, work_folder)
    index = open_index(work_folder, spec.index)
    if isinstance(spec, LastSpec):
        return _gathered(spec, index, folder, work_folder)
    if spec.stage == ANCHORS:
        return _anchors(spec, index, folder)
    files = _tables(work_folder, COMMON if spec.stage == WINDOWS else COUNTS, spec.found)
    return (_windows if spec.stage == WINDOWS else _spans)(spec, index, files, folder)


# -------------------------------------------------------------------------------------------------------------- chunks
def _anchors(spec: ChunkSpec, index: Index, folder: Path) -> Summary:
    """Write files of entries, each ordered by hash, and `words.npy` (rows of the chunk,) int64."""
    from curate.near import repeating

    low, high = (int(index.offsets[unit]) for unit in spec.units)
    words = np.zeros(high - low, np.int64)
    places = np.flatnonzero(index.ranks[low:high] >= 0) + low
    made = 0
    for number, (some, data, bounds) in enumerate(_batches(index, places, spec.most)):
        tokens, offsets = packed_token_hashes(data, bounds)
        words[some - low] = np.diff(offsets)
        out = np.empty((len(tokens), 3), np.uint64)
        made += _save(folder, number, out[: repeating.anchors(tokens, offsets, some, spec.window, out)])
    np.save(folder / "words.npy", words)
    return {"records": len(places), "anchors": made}


def _windows(spec: ChunkSpec, index: Index, files: list[Table], folder: Path) -> Summary:
    """Write files of entries, each ordered by hash."""
    from curate.near import repeating

    number = made = 0
    for near in _pieces(spec, index, files):
        for some, data, bounds in _batches(index, _texts(near["place"]), spec.most):
            tokens, offsets = packed_token_hashes(data, bounds)
            here = _of_texts(near, some[0], some[-1])["place"].copy()
            out = np.empty((len(tokens), 3), np.uint64)
            count = repeating.windows(tokens, offsets, some, spec.window, here, out)
            made += _save(folder, number, out[:count])
            number += 1
    return {"records": made}


def _spans(spec: ChunkSpec, index: Index, files: list[Table], folder: Path) -> Summary:
    """Write `covered.npy` (rows of the chunk,) int64, words in repeated windows, and `top.npy`, the most frequent
    passages."""
    low, high = (int(index.offsets[unit]) for unit in spec.units)
    covered = np.zeros(high - low, np.int64)
    top = np.empty(0, TOP)
    for hits in _pieces(spec, index, files):
        place = hits["place"]
        text = place >> PLACE_BITS
        steps = np.append(np.where(text[1:] == text[:-1], np.diff(place), spec.window), spec.window)
        np.add.at(covered, text - low, np.minimum(steps, spec.window))
        fresh = np.ones(len(hits), bool)
        fresh[1:] = (steps[:-1] != 1) | (hits["count"][1:] != hits["count"][:-1])
        starts = np.flatnonzero(fresh)
        spans = np.empty((len(starts), 3), np.int64)
        spans[:, 0], spans[:, 1] = text[starts], place[starts] & ((1 << PLACE_BITS) - 1)
        spans[:, 2] = spans[:, 1] + np.diff(np.append(starts, len(hits))) - 1 + spec.window
        for some, data, bounds in _batches(index, _texts(place), spec.most):
            first, end = np.searchsorted(spans[:, 0], [some[0], some[-1] + 1])
            top = most_frequent([top, _digests(spans[first:end], hits["count"][starts[first:end]], some, data, bounds)])
    np.save(folder / "covered.npy", covered)
    np.save(folder / "top.npy", top)
    return {"records": int((covered > 0).sum())}


def _digests(spans: Places, counts: Places, texts: Places, data: Bytes, bounds: Offsets) -> Table:
    from curate.near import repeating

    made = np.empty(len(spans), TOP)
    made["count"], made["words"] = counts, spans[:, 2] - spans[:, 1]
    local = spans.copy()
    local[:, 0] = np.searchsorted(texts, spans[:, 0])
    digests = np.empty(len(spans), np.uint64)
    scratch = np.empty(int(np.diff(bounds).max(initial=0)) + 2, np.int64)
    repeating.span_digests(data, bounds, local, scratch, digests)
    made["hash"] = digests
    return made


def most_frequent(parts: list[Table]) -> Table:
    """Of several tables of `TOP` each passage once, most often first, of these the longest first."""
    whole = np.concatenate(parts)
    whole = whole[np.unique(whole["hash"], return_index=True)[1]]
    return whole[np.lexsort((whole["hash"], -whole["words"], -whole["count"]))[:TOP_ROWS]]


def _batches(index: Index, places: Places, most: int) -> Iterator[tuple[Places, Bytes, Offsets]]:
    """Comparison forms of the texts at some places, in order, at most `most` characters at a time, or one text."""
    waiting: list[str] = []
    start = size = 0
    for unit, part in index.by_unit(places):
        for text in read_said(index.folder(unit), places[part] - index.offsets[unit]):
            if waiting and size + len(text) > most:
                yield places[start : start + len(waiting)], *forms(waiting)
                start, size, waiting = start + len(waiting), 0, []
            waiting.append(text)
            size += len(text)
    if waiting:
        yield places[start:], *forms(waiting)


def _pieces(spec: ChunkSpec, index: Index, files: list[Table]) -> Iterator[Table]:
    """What units by partition found in the chunk, ordered by place, some thousand rows at a time."""
    low, high = (int(index.offsets[unit]) for unit in spec.units)
    for first in range(low, high, _PIECE_ROWS):
        parts = [_of_texts(file, first, min(first + _PIECE_ROWS, high) - 1) for file in files]
        whole = np.concatenate([np.empty(0, FOUND), *parts])
        if len(whole):
            yield whole[np.argsort(whole["place"])]


def _of_texts(found: Table, first: int, last: int) -> Table:
    edges = np.array([int(first) << PLACE_BITS, (int(last) + 1) << PLACE_BITS])
    low, high = np.searchsorted(found["place"], edges)
    return found[low:high]


def _texts(places: Places) -> Places:
    return np.unique(places >> PLACE_BITS)


def _save(folder: Path, number: int, entries: Hashes) -> int:
    if len(entries):
        np.save(folder / f"{number:06d}.npy", entries[np.argsort(entries[:, 0])].view(ENTRY).reshape(-1))
    return len(entries)


# ---------------------------------------------------------------------------------------------------------- partitions
def _counted(spec: PartSpec, folder: Path, work_folder: Path) -> Summary:
    """Write files of `FOUND`, each ordered by place."""
    files = _tables(work_folder, spec.chunk_stage, spec.chunks)
    total = sum(len(_range(file, spec.part, spec.parts)) for file in files)
    inner = max(1, -(-total * ENTRY.itemsize * _SORTING * 2 // spec.memory_bytes))
    made = 0
    for k in range(inner):
        entries = [_range(file, spec.part * inner + k, spec.parts * inner) for file in files]
        found = _often(np.concatenate([np.empty(0, ENTRY), *entries]), spec.least)
        np.save(folder / f"{k:06d}.npy", found)
        made += len(found)
    return {"records": total, "found": made}


def _often(entries: Table, least: int) -> Table:
    order = np.lexsort((entries["check"], entries["hash"]))
    entries = entries[order]
    fresh = np.ones(len(entries), bool)
    fresh[1:] = (entries["hash"][1:] != entries["hash"][:-1]) | (entries["check"][1:] != entries["check"][:-1])
    counts = np.diff(np.append(np.flatnonzero(fresh), len(entries)))
    of_all = np.repeat(counts, counts)
    found = np.empty(int((of_all >= least).sum()), FOUND)
    found["place"], found["count"] = entries["place"][of_all >= least], of_all[of_all >= least]
    return found[np.argsort(found["place"])]


def _range(entries: Table, part: int, parts: int) -> Table:
    """Entries, which are ordered by hash, in one of equal ranges of hashes."""
    edges = [-(-(number << 64) // parts) for number in (part, part + 1)]
    low, high = (len(entries) if e >> 64 else int(np.searchsorted(entries["hash"], np.uint64(e))) for e in edges)
    return entries[low:high]


def _tables(work_folder: Path, stage: str, keys: tuple[str, ...]) -> list[Any]:
    folders = [unit_folder(work_folder, stage, key) for key in keys]
    return [np.load(path, mmap_mode="r") for one in folders for path in sorted(one.glob("[0-9]*.npy"))]


# ----------------------------------------------------------------------------------------------------------------- all
def _gathered(spec: LastSpec, index: Index, folder: Path, work_folder: Path) -> Summary:
    """Write `shares.npy` and `top.npy` (`curate.near.paragraphs`)."""
    shares = open_memmap(folder / "shares.npy", "w+", np.dtype("<f4"), (len(index.ranks),))
    start, tops = 0, [np.empty(0, TOP)]
    for anchors, spans in zip(spec.anchors, spec.spans, strict=True):
        words = np.load(unit_folder(work_folder, ANCHORS, anchors) / "words.npy")
        found = unit_folder(work_folder, SPANS, spans)
        shares[start : start + len(words)] = np.load(found / "covered.npy") / np.maximum(words, 1)
        start += len(words)
        tops.append(np.load(found / "top.npy"))
    np.save(folder / "top.npy", most_frequent(tops))
    return {"records": start}
