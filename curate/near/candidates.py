"""Stage `near_candidates`: pairs of texts that share a band and whose signatures are near enough. One unit per
partition of the band entries.

Memory: the partition's entries (80 bytes each while they are sorted) in half of `memory_bytes`, signatures in a
quarter, and the pairs: 24 bytes each, four times that while they are put in order.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from curate.code import code_version
from curate.near.pairs import Ids, Keys, Scheme, joined, pairs_of_partition, read_partition
from curate.near.stored import Index, open_index, save_pairs
from curate.store import unit_folder
from curate.units import Summary, Unit, unit_key

STAGE = "near_candidates"


@dataclass(frozen=True, slots=True)
class CandidatesSpec:
    """`chunks`: (key of the near_bands unit, place of its first row)."""

    index: str
    chunks: tuple[tuple[str, int], ...]
    scheme: Scheme
    partition: int
    memory_bytes: int


def unit_of(spec: CandidatesSpec) -> Unit:
    identity = {"index": spec.index, "chunks": spec.chunks, "scheme": asdict(spec.scheme), "partition": spec.partition}
    return Unit(STAGE, unit_key(STAGE, code_version("curate.near.candidates"), identity), spec, "near texts")


def work(spec: CandidatesSpec, folder: Path, work_folder: Path) -> Summary:
    """Write `pairs.npy` (ranks and the estimated similarity, ordered) and `wanted.npy`: the places, ascending, of the
    records in them."""
    index = open_index(work_folder, spec.index)
    keys, ids = _entries(spec, index, work_folder)
    found = joined(list(pairs_of_partition(keys, ids, index.signatures, spec.scheme, spec.memory_bytes // 4)))
    save_pairs(folder / "pairs.npy", found)
    ranks = np.unique(np.concatenate([found.one, found.other]))
    np.save(folder / "wanted.npy", np.sort(index.places[ranks]))
    return {"records": len(ids), "pairs": len(found)}


def _entries(spec: CandidatesSpec, index: Index, work_folder: Path) -> tuple[Keys, Ids]:
    """Keys and ranks of the partition's entries, of the records that are compared."""
    keys, ids = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for chunk, first in spec.chunks:
        some, rows = read_partition(unit_folder(work_folder, "near_bands", chunk), spec.partition)
        ranks = index.ranks[rows + first]
        keys.append(some[ranks >= 0])
        ids.append(ranks[ranks >= 0])
    return np.concatenate(keys), np.concatenate(ids)
