"""The steps of `curate.near.pairs` over signatures in files, with a bound on memory, chunk by chunk and then partition
by partition; each is a unit of work that another process or machine may do.

Memory of a process: `memory_bytes`, the interpreter with its libraries (about 0.2 GB), and where it clusters 4 bytes a
record (8 from 2**31 records on), where records are ranked by anything but their place 8 more. Scratch space: 16 bytes
a record and band, 24 a pair. One slice of a bucket (65,537 signatures, 34 MB at 128 values) is the least of memory.

What a thousand million documents of 200 words would take, by what a million took (`benchmarks/dedup_text.py`: 32 s of
CPU from JSON lines to the list of those that go, growing in proportion; this is arithmetic, not a measurement): 1.3
TB of text read once, 512 GB of signatures, 144 GB of entries written and read once, 9 core-hours, so about ten
minutes on 64 cores whose storage gives 5 GB/s in all; with 8 GiB a process 168 partitions, and 540 chunks of two
files each. The one that clusters holds 4 GB of labels and reads the pairs one partition at a time; where records are
ranked by anything but their place, every process that judges pairs holds 8 GB of places.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.near.pairs import (
    Ids,
    Labels,
    Pairs,
    Scheme,
    TextsOf,
    band_keys,
    clusters,
    confirm,
    joined,
    pairs_of_partition,
    read_partition,
    write_partitions,
)
from curate.near.signatures import Signatures, is_empty
from manifests.errors import RecipeError

Run = Callable[[Callable[[int], None], Iterable[int]], Iterable[None]]  # `map`, or an executor's


@dataclass(frozen=True, slots=True)
class Corpus:
    """Signatures in files, one after another, and how they are compared.

    `files`: `.npy` of (records, num_perm) uint32, C order; `ranks`: a `.npy` of every record's rank (int64, a
    permutation), "" where a record's place is its rank; `scratch`: an empty folder.
    """

    files: tuple[str, ...]
    scheme: Scheme
    scratch: str
    ranks: str = ""
    memory_bytes: int = 1 << 28

    def counts(self) -> list[int]:
        """Records in each file."""
        return [_shape(path)[0][0] for path in self.files]

    def num_perm(self) -> int:
        sizes = {_shape(path)[0][1] for path in self.files}
        if len(sizes) != 1:
            raise RecipeError(f"signatures of {sorted(sizes)} values cannot be compared")
        return int(sizes.pop())

    def chunks(self) -> list[tuple[int, int]]:
        """Runs of records whose signatures and band entries fit a quarter of the memory."""
        width = 4 * self.num_perm() + 72 * self.scheme.bands
        step = max(1024, self.memory_bytes // 4 // width)
        total = sum(self.counts())
        return [(start, min(start + step, total)) for start in range(0, total, step)]

    def partitions(self) -> int:
        """As many that one's entries, sorted, fit half the memory."""
        return max(1, -(-sum(self.counts()) * self.scheme.bands * 80 // max(1, self.memory_bytes // 2)))


def deduplicate(corpus: Corpus, texts: TextsOf | None = None, run: Run = map) -> tuple[Labels, Iterator[Pairs]]:
    """For each rank the smallest rank of its cluster, and the pairs that joined them, partition by partition.

    `run` spreads calls as `map` does. `texts` reads the texts of ascending ranks, where `corpus.scheme.exact`.
    """
    if corpus.scheme.exact != (texts is not None):
        raise RecipeError("texts are read where the scheme is exact, and only there")
    partitions = corpus.partitions()
    for _ in run(functools.partial(partition_chunk, corpus), range(len(corpus.chunks()))):
        pass
    for _ in run(functools.partial(pair_partition, corpus, texts), range(partitions)):
        pass
    kept = clusters(sum(corpus.counts()), (pairs_of(corpus, partition) for partition in range(partitions)))
    return kept, (pairs_of(corpus, partition) for partition in range(partitions))


def partition_chunk(corpus: Corpus, chunk: int) -> None:
    """Write the band entries of one chunk of records; texts without tokens have none."""
    start, end = corpus.chunks()[chunk]
    rows = read_rows(corpus, np.arange(start, end))
    full = ~is_empty(rows)
    ids = np.arange(start, end)[full]
    if corpus.ranks:
        ids = np.load(corpus.ranks, mmap_mode="r")[start:end][full].astype(np.int64)
    keys = band_keys(rows[full], corpus.scheme.bands, corpus.scheme.rows)
    write_partitions(keys, ids, Path(corpus.scratch), chunk, corpus.partitions())


def pair_partition(corpus: Corpus, texts: TextsOf | None, partition: int) -> None:
    """Write the pairs of one partition to `pairs-PARTITION.npy`: (m, 3) float64 of two ranks and their similarity."""
    keys, ids = read_partition(Path(corpus.scratch), partition)
    places = _places(corpus.ranks)
    rows = functools.partial(_of_ranks, corpus, places)
    proposed = pairs_of_partition(keys, ids, rows, corpus.scheme, corpus.memory_bytes // 4)
    whole = joined([p if texts is None else confirm(p, texts, corpus.scheme.threshold) for p in proposed])
    table = np.stack([whole.one.astype(np.float64), whole.other.astype(np.float64), whole.score], axis=1)
    np.save(Path(corpus.scratch) / f"pairs-{partition:06d}.npy", table)


def pairs_of(corpus: Corpus, partition: int) -> Pairs:
    """What `pair_partition` wrote."""
    table = np.load(Path(corpus.scratch) / f"pairs-{partition:06d}.npy")
    return Pairs(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2].copy())


def _places(ranks: str) -> Ids | None:
    """The place of every rank."""
    if not ranks:
        return None
    given: Ids = np.load(ranks)
    places = np.empty_like(given)
    places[given] = np.arange(len(given))
    return places


def _of_ranks(corpus: Corpus, places: Ids | None, wanted: Ids) -> Signatures:
    if places is None:
        return read_rows(corpus, wanted)
    rows = places[wanted]
    order = np.argsort(rows)
    made = np.empty((len(rows), corpus.num_perm()), np.uint32)
    made[order] = read_rows(corpus, rows[order])
    return made


def read_rows(corpus: Corpus, rows: Ids) -> Signatures:
    """Signatures by ascending place, read from the files; neighbours in one read."""
    made = np.empty((len(rows), corpus.num_perm()), "<u4")
    first, start = 0, 0
    for path, count in zip(corpus.files, corpus.counts(), strict=True):
        last = int(np.searchsorted(rows, start + count))
        if last > first:
            read_from(path, rows[first:last] - start, made[first:last])
        first, start = last, start + count
    return made.astype(np.uint32, copy=False)


def read_from(path: str, rows: Ids, out: NDArray[Any]) -> None:
    """Signatures at ascending rows of a file into `out`, (n, num_perm) little-endian uint32; neighbours in one read."""
    (_, values), base = _shape(path)
    width = 4 * values
    cuts = np.flatnonzero(np.diff(rows) != 1) + 1
    view = out.view(np.uint8).reshape(-1)
    with Path(path).open("rb") as file:
        for start, end in zip([0, *cuts.tolist()], [*cuts.tolist(), len(rows)], strict=True):
            target = view[start * width : end * width].data
            if os.preadv(file.fileno(), [target], base + int(rows[start]) * width) != len(target):
                raise RecipeError(f"{Path(path).name} is shorter than its head says; make its signatures again")


def _shape(path: str) -> tuple[tuple[int, int], int]:
    """The shape of a `.npy` of signatures, and where its values begin."""
    state = Path(path).stat()
    return _head(path, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _head(path: str, size: int, changed_ns: int) -> tuple[tuple[int, int], int]:
    """The same of a file in one state."""
    with Path(path).open("rb") as file:
        np.lib.format.read_magic(file)
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        if len(shape) != 2 or fortran or dtype != np.dtype("<u4"):
            raise RecipeError(f"{Path(path).name} holds {dtype} {shape}, signatures are uint32 (records, values)")
        return (int(shape[0]), int(shape[1])), file.tell()
