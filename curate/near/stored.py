"""What the stages of near duplication read of prepared units: signatures and texts, by a record's **place**.

A place is a record's number among all prepared rows of a run, units in plan order. `minhash.npy` in a prepared unit's
folder holds its signatures: (rows, 128) little-endian uint32, C order, the signature of the empty set for a row that
is no ready text; a unit without any text has no such file.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.near.pairs import Ids, Pairs
from curate.near.signatures import EMPTY, NUM_PERM, Signatures
from curate.store import unit_folder
from manifests.errors import RecipeError

SIGNATURES = "minhash.npy"
PAIRS = np.dtype([("one", "<i8"), ("other", "<i8"), ("score", "<f8")])


def save_signatures(folder: Path, rows: Sequence[bytes]) -> None:
    """Write `minhash.npy` of a prepared unit: one signature per row as little-endian bytes, b"" for none; nothing where
    all are b""."""
    if not any(rows):
        return
    made = np.full((len(rows), NUM_PERM), EMPTY, "<u4")
    for row, stored in enumerate(rows):
        if stored:
            made[row] = np.frombuffer(stored, "<u4")
    np.save(folder / SIGNATURES, made)


def read_said(folder: Path, rows: Ids) -> Iterator[str]:
    """What the records at some rows (ascending) of a prepared unit say (`curate.prepare.record_text`), in their order.

    The column of records is read once, 1,024 rows at a time.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(folder / "rows.parquet") as file:
        first = 0
        for batch in file.iter_batches(1024, columns=["record"], use_threads=False):
            low, high = np.searchsorted(rows, [first, first + len(batch)])
            column = batch.column(0)
            for row in (rows[low:high] - first).tolist():
                yield said(column[row].as_py())
            first += len(batch)


def said(record: str) -> str:
    """What a record in its stored form says: `curate.prepare.record_text` without making the record."""
    values = json.loads(record)
    asked = (part for one in values["asked"] for part in (one["question"], one["answer"]))
    return "\n".join(text for text in (values["text"], *asked) if text)


@dataclass(frozen=True)
class Index:
    """What `curate.near.index` wrote: `ranks` by place (-1: not compared), `places` and `keys` (16 bytes) by rank,
    `offsets` the first place of every prepared unit and the end; memory maps all."""

    work: Path
    prepared: tuple[str, ...]
    offsets: Ids
    ranks: Ids
    places: Ids
    keys: NDArray[np.uint8]

    def folder(self, unit: int) -> Path:
        return unit_folder(self.work, "prepare", self.prepared[unit])

    def by_unit(self, places: Ids) -> Iterator[tuple[int, slice]]:
        """Prepared units that hold some places (ascending), each with its part of them."""
        units = np.searchsorted(self.offsets, places, side="right") - 1
        cuts = (np.flatnonzero(np.diff(units)) + 1).tolist()
        for start, end in zip([0, *cuts], [*cuts, len(places)], strict=True):
            if end > start:
                yield int(units[start]), slice(start, end)

    def signatures(self, ranks: Ids) -> Signatures:
        """Signatures of ranks in any order; neighbours in one read."""
        places = self.places[ranks]
        order = np.argsort(places)
        ordered = places[order]
        made = np.empty((len(ranks), NUM_PERM), "<u4")
        for unit, part in self.by_unit(ordered):
            rows = np.empty((part.stop - part.start, NUM_PERM), "<u4")
            _read_from(str(self.folder(unit) / SIGNATURES), ordered[part] - self.offsets[unit], rows)
            made[order[part]] = rows
        return made.astype(np.uint32, copy=False)

    def key(self, rank: int) -> str:
        stored: bytes = self.keys[rank].tobytes()
        return stored.hex()


def _read_from(path: str, rows: Ids, out: NDArray[Any]) -> None:
    """Signatures at ascending rows of a file into `out`, (n, num_perm) little-endian uint32; neighbours in one read."""
    state = Path(path).stat()
    base = _begin(path, state.st_size, state.st_mtime_ns)
    width = 4 * out.shape[1]
    cuts = np.flatnonzero(np.diff(rows) != 1) + 1
    view = out.view(np.uint8).reshape(-1)
    with Path(path).open("rb") as file:
        for start, end in zip([0, *cuts.tolist()], [*cuts.tolist(), len(rows)], strict=True):
            target = view[start * width : end * width].data
            if os.preadv(file.fileno(), [target], base + int(rows[start]) * width) != len(target):
                raise RecipeError("signatures are fewer than their file's head says; remove that prepared unit")


@functools.lru_cache(maxsize=4096)
def _begin(path: str, size: int, changed_ns: int) -> int:
    """Where the signatures of a file in one state begin."""
    with Path(path).open("rb") as file:
        np.lib.format.read_magic(file)
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        if len(shape) != 2 or shape[1] != NUM_PERM or fortran or dtype != np.dtype("<u4"):
            raise RecipeError(f"signatures of {dtype} {shape} cannot be compared; remove that prepared unit")
        return file.tell()


def open_index(work: Path, key: str) -> Index:
    folder = unit_folder(work, "near_index", key)
    prepared = tuple(json.loads((folder / "prepared.json").read_text()))
    names = ("offsets", "ranks", "places", "keys")
    arrays: list[Any] = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in names]
    return Index(work, prepared, *arrays)


def save_pairs(path: Path, pairs: Pairs) -> None:
    """(m,) of `PAIRS`: two ranks and their similarity."""
    made = np.empty(len(pairs), PAIRS)
    made["one"], made["other"], made["score"] = pairs.one, pairs.other, pairs.score
    np.save(path, made)


def load_pairs(path: Path) -> Pairs:
    table = np.load(path)
    return Pairs(table["one"].copy(), table["other"].copy(), table["score"].copy())
