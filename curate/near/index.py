"""Stage `near_index`: which texts of a run are compared, and the rank of each. One unit.

Compared is a ready text that says something, that is not `lost`, whose key no earlier row has (whatever became of that
one), and of texts that are equal the best alone (`exact`). Ranks order by (-priority, -licence rank, key), as
`curate.dedup` does: rank 0 stays before all others.

Memory: rows of 48 bytes (key, 128 bits of the text's digest, class, place) pass through files, first by key, then by
text, then by rank, each in parts of which one, with what sorting it takes, fits half of `memory_bytes`; 10**8 rows are
4.8 GB of scratch space per pass, in 45 parts at the default. Beside it 8 bytes a prepared row and 24 a compared one in
files that are mapped. Two different texts share 128 bits of SHA-256 with a probability below n² / 2**129.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from curate.code import code_version
from curate.near.stored import SIGNATURES
from curate.store import unit_folder
from curate.units import Summary, Unit, unit_key
from manifests.errors import RecipeError

STAGE = "near_index"
KEY_DIGITS, TEXT_DIGITS, DIGITS = 32, 64, 32
BATCH_ROWS = 1 << 17
_ROW_BYTES = 48
_SORTING = 10  # times a part's bytes while it is sorted, and what was cut off it
_KEY, _TEXT, _CLASS, _PLACE = slice(0, 2), slice(2, 4), 4, 5  # columns; the class' low bit says that a row is compared

Rows = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """`prepared`: (prepare key, priority, licence rank, rows) in plan order; `lost`: record keys."""

    prepared: tuple[tuple[str, int, int, int], ...]
    lost: tuple[str, ...]
    exact: bool
    memory_bytes: int


def unit_of(spec: IndexSpec) -> Unit:
    identity = {"prepared": spec.prepared, "lost": sorted(spec.lost), "exact": spec.exact}
    records = sum(rows for *_, rows in spec.prepared)
    return Unit(STAGE, unit_key(STAGE, code_version("curate.near.index"), identity), spec, "all texts", records)


def work(spec: IndexSpec, folder: Path, work_folder: Path) -> Summary:
    """Write `ranks.npy`, `places.npy`, `keys.npy`, `offsets.npy` and `prepared.json` (`curate.near.stored.Index`)."""
    offsets = np.zeros(len(spec.prepared) + 1, np.int64)
    np.cumsum([rows for *_, rows in spec.prepared], out=offsets[1:])
    total = int(offsets[-1])
    classes = sorted({(-priority, -licence) for _, priority, licence, _ in spec.prepared})
    parts = max(1, -(-total * _ROW_BYTES * _SORTING * 2 // spec.memory_bytes))
    by_key = _Parts(folder, "key", parts)
    for rows in _batches(spec, offsets, classes, work_folder):
        by_key.add(rows, _part(rows[:, 0], parts))
    by_rank = _Parts(folder, "rank", parts * max(1, len(classes)))
    by_text = _Parts(folder, "text", parts)
    for part in range(parts):
        rows = _compared(by_key.take(part), spec.lost)
        if spec.exact:
            by_text.add(rows, _part(rows[:, _TEXT.start], parts))
        else:
            by_rank.add(rows, _rank_part(rows, parts))
    for part in range(parts):
        rows = _first(by_text.take(part), (_TEXT, _CLASS, _KEY), _TEXT)
        by_rank.add(rows, _rank_part(rows, parts))
    compared = _write(by_rank, folder, total)
    np.save(folder / "offsets.npy", offsets)
    (folder / "prepared.json").write_text(json.dumps([key for key, *_ in spec.prepared]))
    return {"records": total, "compared": compared}


def _write(by_rank: _Parts, folder: Path, total: int) -> int:
    ranks = open_memmap(folder / "ranks.npy", "w+", np.dtype("<i8"), (total,))
    for start in range(0, total, BATCH_ROWS):
        ranks[start : start + BATCH_ROWS] = -1
    places = open_memmap(folder / "places.npy", "w+", np.dtype("<i8"), (by_rank.rows,))
    keys = open_memmap(folder / "keys.npy", "w+", np.dtype("u1"), (by_rank.rows, 16))
    rank = 0
    for part in range(by_rank.parts):
        rows = by_rank.take(part)
        rows = rows[_order(rows, (_CLASS, _KEY))]
        end = rank + len(rows)
        places[rank:end] = rows[:, _PLACE]
        keys[rank:end] = rows[:, _KEY].astype(">u8").view(np.uint8).reshape(-1, 16)
        ranks[rows[:, _PLACE].astype(np.int64)] = np.arange(rank, end)
        rank = end
    return rank


# ------------------------------------------------------------------------------------------------------------ reading
def _batches(
    spec: IndexSpec, offsets: NDArray[np.int64], classes: list[tuple[int, int]], work_folder: Path
) -> Iterator[Rows]:
    """All prepared rows, a hundred thousand or so at a time, fewer where memory is scarce."""
    most = max(1024, min(BATCH_ROWS, spec.memory_bytes // (_ROW_BYTES * _SORTING)))
    waiting: list[Rows] = []
    for (key, priority, licence, count), first in zip(spec.prepared, offsets.tolist(), strict=False):
        rows = _rows_of(unit_folder(work_folder, "prepare", key), classes.index((-priority, -licence)), first)
        if len(rows) != count:
            raise RecipeError(f"a prepared unit has {len(rows)} rows where its summary says {count}; remove it")
        waiting.append(rows)
        if sum(map(len, waiting)) >= most:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


def _rows_of(folder: Path, order: int, first: int) -> Rows:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with pq.ParquetFile(folder / "rows.parquet") as file:
        table = file.read(["key", "status", "kind", "text_sha256"], use_threads=False)
    said = pc.equal(pc.binary_length(table["text_sha256"]), TEXT_DIGITS)
    ready = pc.and_(pc.equal(table["status"], "ready"), pc.equal(table["kind"], "text"))
    compared = pc.and_(ready, said).to_numpy(zero_copy_only=False)
    if compared.any() and not (folder / SIGNATURES).exists():
        raise RecipeError("a prepared unit has texts and no signatures; remove it and run again")
    made = np.empty((len(table), 6), np.uint64)
    made[:, _KEY] = _digits(table["key"], KEY_DIGITS)
    made[:, _TEXT] = _digits(table["text_sha256"], TEXT_DIGITS)
    made[:, _CLASS] = compared.astype(np.uint64) + np.uint64(order * 2)
    made[:, _PLACE] = np.arange(first, first + len(table), dtype=np.uint64)
    return made


def _digits(column: Any, length: int) -> Rows:
    """The first 128 bits of hexadecimal numbers of one length, (n, 2); of "" zero."""
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = pc.ascii_rpad(column, length, "0").cast(pa.large_string()).combine_chunks()
    data = np.frombuffer(whole.buffers()[2] or b"", np.uint8)
    if data.size != len(whole) * length:
        raise RecipeError(f"keys and digests of prepared rows have {length} hexadecimal digits")
    values = _NIBBLES[data.reshape(len(whole), length)[:, :DIGITS]]
    packed = (values[:, ::2] << 4 | values[:, 1::2]).astype(np.uint8)
    return packed.view(">u8").astype(np.uint64).reshape(-1, 2)


_NIBBLES = np.zeros(256, np.uint8)
_NIBBLES[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


# ------------------------------------------------------------------------------------------------------------ choosing
def _compared(rows: Rows, lost: tuple[str, ...]) -> Rows:
    """The first row of every key, where it is compared and not lost."""
    rows = _first(rows, (_KEY, _PLACE), _KEY)
    rows = rows[(rows[:, _CLASS] & np.uint64(1)) == 1]
    gone = {(int(key[:16], 16), int(key[16:32], 16)) for key in lost}
    if not gone:
        return rows
    maybe = np.flatnonzero(np.isin(rows[:, 0], np.array([high for high, _ in gone], np.uint64)))
    pairs = zip(rows[maybe, 0].tolist(), rows[maybe, 1].tolist(), strict=True)
    return np.delete(rows, [k for k, pair in zip(maybe.tolist(), pairs, strict=True) if pair in gone], axis=0)


def _first(rows: Rows, by: tuple[slice | int, ...], of: slice) -> Rows:
    """The first row of every value of the columns `of`, in the order of the columns `by`."""
    rows = rows[_order(rows, by)]
    fresh = np.ones(len(rows), bool)
    fresh[1:] = (rows[1:, of] != rows[:-1, of]).any(axis=1)
    return rows[fresh]


def _order(rows: Rows, by: tuple[slice | int, ...]) -> NDArray[np.int64]:
    columns = [c for one in by for c in (range(one.start, one.stop) if isinstance(one, slice) else (one,))]
    return np.lexsort([rows[:, c] for c in reversed(columns)])


# --------------------------------------------------------------------------------------------------------------- parts
def _part(values: Rows, parts: int) -> NDArray[np.int64]:
    """Parts by the high bits, so that a lower part holds lower values."""
    return (((values >> np.uint64(32)) * np.uint64(parts)) >> np.uint64(32)).astype(np.int64)


def _rank_part(rows: Rows, parts: int) -> NDArray[np.int64]:
    return (rows[:, _CLASS] >> np.uint64(1)).astype(np.int64) * parts + _part(rows[:, 0], parts)


class _Parts:
    """Rows spread over files, one per part, each read once and then removed."""

    def __init__(self, folder: Path, name: str, parts: int) -> None:
        self.parts, self.rows = parts, 0
        self._path = folder / name

    def add(self, rows: Rows, part: NDArray[np.int64]) -> None:
        order = np.argsort(part, kind="stable")
        counts = np.bincount(part, minlength=self.parts)
        start = 0
        for number in np.flatnonzero(counts).tolist():
            end = start + int(counts[number])
            with self._path.with_name(f"{self._path.name}-{number}").open("ab") as file:
                rows[order[start:end]].tofile(file)
            start = end
        self.rows += len(rows)

    def take(self, part: int) -> Rows:
        path = self._path.with_name(f"{self._path.name}-{part}")
        if not path.exists():
            return np.zeros((0, 6), np.uint64)
        rows = np.fromfile(path, np.uint64).reshape(-1, 6)
        path.unlink()
        return rows
