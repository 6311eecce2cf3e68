"""Stage `near_bands`: the band entries of the signatures of some prepared units, by partition. One unit per chunk.

It depends on those prepared units alone, so what is added elsewhere, taken out or ranked anew leaves it as it is: an
entry names a record by its row among the chunk's, and `curate.near.candidates` looks up its rank. 16 bytes a record
and band; memory: `step` signatures with their entries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from curate.code import code_version
from curate.near.pairs import Ids, band_keys, write_partitions
from curate.near.signatures import Signatures, is_empty
from curate.near.stored import SIGNATURES
from curate.store import unit_folder
from curate.units import Summary, Unit, unit_key

STAGE = "near_bands"


@dataclass(frozen=True, slots=True)
class BandsSpec:
    """`prepared`: (prepare key, rows) in plan order; `step`: records at a time, which decides how many files there are
    and nothing else."""

    prepared: tuple[tuple[str, int], ...]
    bands: int
    rows: int
    partitions: int
    step: int


def unit_of(spec: BandsSpec) -> Unit:
    key = unit_key(STAGE, code_version("curate.near.bands"), asdict(spec))
    return Unit(STAGE, key, spec, "near texts", sum(rows for _, rows in spec.prepared))


def work(spec: BandsSpec, folder: Path, work_folder: Path) -> Summary:
    """Write `NUMBER.npy` and `NUMBER.bounds.npy` (`curate.near.pairs.write_partitions`); ids are rows of the chunk."""
    count = 0
    for number, (signatures, ids) in enumerate(_batches(spec, work_folder)):
        keys = band_keys(signatures, spec.bands, spec.rows)
        write_partitions(keys, ids, folder, number, spec.partitions)
        count += len(ids)
    return {"records": sum(rows for _, rows in spec.prepared), "signed": count}


def _batches(spec: BandsSpec, work_folder: Path) -> Iterator[tuple[Signatures, Ids]]:
    """Signatures of at most `step` records at a time and their rows in the chunk, without those of no text."""
    waiting: list[tuple[Signatures, Ids]] = []
    room = spec.step
    for signatures, first in _pieces(spec, work_folder):
        while len(signatures):
            part, signatures = signatures[:room], signatures[room:]
            full = np.flatnonzero(~is_empty(part))
            waiting.append((part[full], full + first))
            first += len(part)
            room -= len(part)
            if not room:
                yield _joined(waiting)
                waiting, room = [], spec.step
    if waiting:
        yield _joined(waiting)


def _joined(waiting: list[tuple[Signatures, Ids]]) -> tuple[Signatures, Ids]:
    return np.concatenate([s for s, _ in waiting]), np.concatenate([i for _, i in waiting])


def _pieces(spec: BandsSpec, work_folder: Path) -> Iterator[tuple[Signatures, int]]:
    first = 0
    for key, rows in spec.prepared:
        path = unit_folder(work_folder, "prepare", key) / SIGNATURES
        if path.exists():
            yield np.load(path, mmap_mode="r"), first
        first += rows
