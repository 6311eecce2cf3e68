"""Stage `near_pairs`: the candidate pairs of one partition whose exact Jaccard similarity reaches the threshold. One
unit per partition.

Memory: the partition's pairs, 24 bytes each and four times that while they are put in order, and shingles in half of
`memory_bytes`, or those of one pair. Where the scheme is not exact, the estimate decides, and no text is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from curate.code import code_version
from curate.near.pairs import Pairs, Scheme, confirm_sets, joined
from curate.near.stored import load_pairs, open_index, save_pairs
from curate.near.texts import Sets
from curate.store import unit_folder
from curate.units import Summary, Unit, unit_key

STAGE = "near_pairs"
_SHINGLE_BYTES = 32  # a hash and where it is read from and written to


@dataclass(frozen=True, slots=True)
class PairsSpec:
    """`texts`: (key of the near_texts unit, place of its first row)."""

    index: str
    candidates: str
    texts: tuple[tuple[str, int], ...]
    scheme: Scheme
    memory_bytes: int


def unit_of(spec: PairsSpec) -> Unit:
    identity = {"index": spec.index, "candidates": spec.candidates, "texts": spec.texts, "scheme": asdict(spec.scheme)}
    return Unit(STAGE, unit_key(STAGE, code_version("curate.near.confirmed"), identity), spec, "near texts")


def work(spec: PairsSpec, folder: Path, work_folder: Path) -> Summary:
    """Write `pairs.npy`: ranks and similarity, ordered."""
    asked = load_pairs(unit_folder(work_folder, "near_candidates", spec.candidates) / "pairs.npy")
    near = asked
    if spec.scheme.exact:
        sets = Sets(work_folder, open_index(work_folder, spec.index), spec.texts)
        near = confirm_bounded(asked, sets, spec.scheme.threshold, spec.memory_bytes)
    save_pairs(folder / "pairs.npy", near)
    return {"records": len(asked), "pairs": len(near)}


def confirm_bounded(asked: Pairs, sets: Sets, threshold: float, memory_bytes: int) -> Pairs:
    """`curate.near.pairs.confirm_sets` of ordered pairs, by shingles that are read so many at a time."""
    parts = []
    for start, end in _runs(asked, sets, memory_bytes // 2 // _SHINGLE_BYTES):
        some = Pairs(asked.one[start:end], asked.other[start:end], asked.score[start:end])
        parts.append(confirm_sets(some, sets.read, threshold))
    return joined(parts)


def _runs(asked: Pairs, sets: Sets, most: int) -> Iterator[tuple[int, int]]:
    """Runs of pairs that have at most `most` shingles, or of one pair."""
    if not len(asked):
        return
    until = np.cumsum(sets.sizes(asked.one) + sets.sizes(asked.other))
    start, done = 0, 0
    while start < len(until):
        end = max(start + 1, int(np.searchsorted(until, done + most, side="right")))
        yield start, end
        start, done = end, int(until[end - 1])
