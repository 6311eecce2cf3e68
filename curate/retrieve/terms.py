"""Terms: in how many passages of all shards each term stands, and how long passages are. One unit of work.

The shards' lists are merged by equal ranges of hashes, so that memory holds one range of all of them: `MEMORY_BYTES`,
whatever the corpus. Files: `terms.bin` (uint64, ascending), `counts.bin` (int64), `about.json` (passages, their tokens,
the shards in plan order). 10**7 different terms are 160 MB on disk, mapped and searched where questions are.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.code import code_version
from curate.retrieve.index import STAGE as INDEX
from curate.retrieve.index import Shard, open_shard
from curate.store import unit_folder
from curate.units import Summary, Unit, unit_key

STAGE = "retrieve_terms"
MEMORY_BYTES = 1 << 28
_ENTRY_BYTES = 64  # of a term of one shard, while a range is sorted


@dataclass(frozen=True, slots=True)
class TermsSpec:
    """`shards`: keys of the index units, in plan order; `memory_bytes` changes no byte."""

    shards: tuple[str, ...]
    memory_bytes: int = MEMORY_BYTES


@dataclass(frozen=True, slots=True)
class Terms:
    """What all shards hold together: `passages` and their `tokens`; `terms` ascending, with `counts` of passages."""

    shards: tuple[str, ...]
    passages: int
    tokens: int
    terms: NDArray[np.uint64]
    counts: NDArray[np.int64]

    def counts_of(self, wanted: NDArray[np.uint64]) -> NDArray[np.int64]:
        """In how many passages each of some terms stands."""
        if not len(self.terms):
            return np.zeros(len(wanted), np.int64)
        places = np.minimum(np.searchsorted(self.terms, wanted), len(self.terms) - 1)
        return np.where(self.terms[places] == wanted, self.counts[places], 0)


def unit_of(shards: tuple[str, ...]) -> Unit:
    key = unit_key(STAGE, code_version("curate.retrieve.terms"), list(shards))
    return Unit(STAGE, key, TermsSpec(shards), "all passages", len(shards))


def work(spec: TermsSpec, folder: Path, work_folder: Path) -> Summary:
    shards = [open_shard(unit_folder(work_folder, INDEX, key)) for key in spec.shards]
    total = sum(len(shard.terms) for shard in shards)
    parts = max(1, -(-total * _ENTRY_BYTES // spec.memory_bytes))
    made = 0
    with (folder / "terms.bin").open("wb") as terms, (folder / "counts.bin").open("wb") as counts:
        for part in range(parts):
            found, times = _merged(shards, part, parts)
            terms.write(found.astype("<u8").tobytes())
            counts.write(times.astype("<i8").tobytes())
            made += len(found)
    about = {
        "shards": list(spec.shards),
        "passages": sum(len(shard.passages) for shard in shards),
        "tokens": sum(int(shard.passages["length"].sum()) for shard in shards),
    }
    (folder / "about.json").write_text(json.dumps(about))
    return {"records": about["passages"], "terms": made}


def _merged(shards: list[Shard], part: int, parts: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The terms of one of equal ranges of hashes, and how many passages of all shards hold each."""
    edges = [-(-(number << 64) // parts) for number in (part, part + 1)]
    terms, counts = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for shard in shards:
        size = len(shard.terms)
        low, high = (size if e >> 64 else int(np.searchsorted(shard.terms, np.uint64(e))) for e in edges)
        terms.append(shard.terms[low:high])
        counts.append(np.diff(shard.starts[low : high + 1]))
    found, inverse = np.unique(np.concatenate(terms), return_inverse=True)
    times = np.zeros(len(found), np.int64)
    np.add.at(times, inverse, np.concatenate(counts))
    return found, times


def open_terms(work_folder: Path, key: str) -> Terms:
    folder = unit_folder(work_folder, STAGE, key)
    about = json.loads((folder / "about.json").read_bytes())
    return Terms(
        tuple(about["shards"]), about["passages"], about["tokens"], _mapped(folder / "terms.bin", "<u8"),
        _mapped(folder / "counts.bin", "<i8"),
    )  # fmt: skip


def _mapped(path: Path, dtype: str) -> Any:
    return np.memmap(path, dtype, "r") if path.stat().st_size else np.zeros(0, dtype)
