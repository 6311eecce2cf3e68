"""Near duplicates of a corpus that need not fit into memory: bands, partitions, pairs, clusters.

    band_keys → write_partitions → read_partition → pairs_of_partition → confirm_sets → clusters

Each is a pure function of its arguments (and of the files that it names), so that chunks and partitions can be units
of work anywhere; `curate.near_stages` plans them. A record's number is its **rank**: 0 is the record that stays before
all others. Nothing depends on the number of partitions or on the order in which they are done.

**Which pairs are judged.** Two records are candidates where their signatures agree in a whole band (Leskovec et al.,
Mining of Massive Datasets, chapter 3). A pair is judged once, in the first band that it shares. Of a bucket, the
records that share a band:

- a record whose signature equals a better one's is paired with the best such alone;
- of up to `FULL` others every pair is judged;
- of more, only pairs with a **leader**, of which there are at most `LEADERS`: the best record, then each next best that
  no leader before it is near to by signature. So the work per bucket is linear in its size, and what can be missed is a
  pair of two records that each are near to some leader, or that come after the last; such a pair is still found in any
  other band in which it shares a smaller bucket first;
- of more than `SLICE`, slices of so many, each with the bucket's best record in it.

A pair is kept whose estimated similarity reaches the threshold less `SIGMAS` standard errors where texts will confirm
it, and the threshold itself where they will not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.near.signatures import Signatures
from curate.near.tokens import Hashes, Offsets
from manifests.errors import RecipeError

Ids = NDArray[np.int64]
Keys = NDArray[np.uint64]
Labels = NDArray[np.signedinteger[Any]]  # int32, or int64 from 2**31 records on
Rows = Callable[[Ids], Signatures]  # signatures of ascending ranks
SetsOf = Callable[[Ids], tuple[Hashes, Offsets]]  # shingles of ascending ranks, as of `shingle_sets`

FULL, LEADERS, SLICE = 64, 256, 1 << 16
SIGMAS = 4.0  # a pair whose estimate lies this far below the threshold is not worth reading its texts
BAND_BITS = 12
_OUT_PAIRS = 1 << 18
_TEXT_BATCH = 1 << 14  # texts confirmed at once


@dataclass(frozen=True, slots=True)
class Scheme:
    """Bands, rows per band and the least similarity; `exact` where texts will confirm what signatures estimate."""

    bands: int
    rows: int
    threshold: float
    exact: bool = False

    def counts(self, num_perm: int) -> tuple[int, int]:
        """How many equal values make a candidate, and how many reach the threshold."""
        spread = SIGMAS * math.sqrt(self.threshold * (1 - self.threshold) / num_perm) if self.exact else 0.0
        reach = [
            sum(k / num_perm < least for k in range(num_perm + 1))
            for least in (self.threshold - spread, self.threshold)
        ]
        return max(1, reach[0]), reach[1]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of ranks, `one` < `other`, (m,) int64, with their similarity in 0..1, (m,) float64."""

    one: Ids
    other: Ids
    score: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.one)


# --------------------------------------------------------------------------------------------- bands and partitions
def band_keys(signatures: Signatures, bands: int, rows: int) -> Keys:
    """One key per band, (n, bands) uint64: equal where two signatures agree in the band; its low 12 bits are the band.

    Of different bands' contents about one pair in 2**52 shares a key; such pairs are judged and rejected.
    """
    from curate.near import pairing

    n, values = signatures.shape
    if not 0 < bands < 1 << BAND_BITS or rows < 1 or bands * rows > values:
        raise RecipeError(f"{bands} bands of {rows} do not fit {values} values")
    made = np.empty((n, bands), np.uint64)
    data = np.ascontiguousarray(signatures, "<u4").view(np.uint8).reshape(-1)
    data.flags.writeable = False
    pairing.band_keys(data, values, bands, rows, np.uint64((1 << BAND_BITS) - 1), made)
    return made


def write_partitions(keys: Keys, ids: Ids, folder: Path, chunk: int, partitions: int) -> None:
    """Entries of one chunk of records, sorted by partition: `CHUNK.npy` (m, 2) uint64 of key and rank, and
    `CHUNK.bounds.npy` (partitions + 1,) int64. `keys` is (n, bands), `ids` (n,)."""
    flat = keys.reshape(-1)
    owner = np.repeat(ids, keys.shape[1] if keys.ndim == 2 else 1)
    part = ((flat >> np.uint64(32)) * np.uint64(partitions)) >> np.uint64(32)
    order = np.argsort(part.astype(np.uint16 if partitions <= 1 << 16 else np.uint32), kind="stable")
    made = np.empty((len(flat), 2), np.uint64)
    made[:, 0], made[:, 1] = flat[order], owner[order]
    bounds = np.zeros(partitions + 1, np.int64)
    np.cumsum(np.bincount(part.astype(np.int64), minlength=partitions), out=bounds[1:])
    np.save(folder / f"{chunk:06d}.npy", made)
    np.save(folder / f"{chunk:06d}.bounds.npy", bounds)


def read_partition(folder: Path, partition: int) -> tuple[Keys, Ids]:
    """Keys and ranks of one partition, of all chunks in a folder."""
    parts = [np.empty((0, 2), np.uint64)]
    for path in sorted(folder.glob("*.bounds.npy")):
        start, end = np.load(path)[partition : partition + 2].tolist()
        with path.with_name(path.name.replace(".bounds", "")).open("rb") as file:
            version = np.lib.format.read_magic(file)
            assert version == (1, 0)
            np.lib.format.read_array_header_1_0(file)
            file.seek(16 * start, 1)
            parts.append(np.fromfile(file, np.uint64, 2 * (end - start)).reshape(-1, 2))
    whole = np.concatenate(parts)
    return whole[:, 0].copy(), whole[:, 1].astype(np.int64)


def groups(keys: Keys, ids: NDArray[np.int64]) -> tuple[Keys, NDArray[np.int64], NDArray[np.int64]]:
    """Entries whose key stands more than once: keys and ids ordered by (key, id), and where each group begins."""
    order = np.argsort(keys)
    ordered = keys[order]
    again = ordered[1:] == ordered[:-1]
    shared = np.concatenate([again, [False]]) | np.concatenate([[False], again]) if len(keys) else np.zeros(0, bool)
    keys, ids = ordered[shared], ids[order[shared]]
    order = np.lexsort((ids, keys))
    keys, ids = keys[order], ids[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.zeros(0, np.int64)
    return keys, ids, np.append(starts, len(keys))


# -------------------------------------------------------------------------------------------------------- candidates
def pairs_of_partition(
    keys: Keys, ids: Ids, rows: Rows, scheme: Scheme, memory_bytes: int = 1 << 28
) -> Iterator[Pairs]:
    """Pairs of a partition's buckets whose estimated similarity is high enough, in batches; each pair of all
    partitions once.

    `rows` reads signatures; at most `memory_bytes` of them are held at once, but those of one slice of a bucket.
    """
    kept, members, bounds = groups(keys, ids)
    members, bounds, bands = _sliced(members, bounds, kept)
    for first, last in _runs(bounds, members, rows, memory_bytes):
        inside = members[bounds[first] : bounds[last]]
        distinct, places = np.unique(inside, return_inverse=True)
        table = distinct, np.ascontiguousarray(rows(distinct))
        local = bounds[first : last + 1] - bounds[first]
        yield from _pairs(table, places.astype(np.int64), local, bands[first:last], scheme)


def _sliced(members: Ids, bounds: Ids, keys: Keys) -> tuple[Ids, Ids, Ids]:
    """Buckets of more than `SLICE` records cut, each slice behind the bucket's best record; and each one's band."""
    bands = (keys[bounds[:-1]] & np.uint64((1 << BAND_BITS) - 1)).astype(np.int64)
    sizes = np.diff(bounds)
    if not (sizes > SLICE).any():
        return members, bounds, bands
    parts: list[Ids] = []
    owners: list[int] = []
    for bucket, (start, size) in enumerate(zip(bounds[:-1].tolist(), sizes.tolist(), strict=True)):
        if size <= SLICE:
            parts.append(members[start : start + size])
            owners.append(bucket)
            continue
        for cut in range(start + 1, start + size, SLICE):
            rest = members[cut : min(cut + SLICE, start + size)]
            parts.append(np.concatenate([members[start : start + 1], rest]))
            owners.append(bucket)
    made = np.zeros(len(parts) + 1, np.int64)
    np.cumsum([len(p) for p in parts], out=made[1:])
    return np.concatenate(parts), made, bands[owners]


def _runs(bounds: Ids, members: Ids, rows: Rows, memory_bytes: int) -> Iterator[tuple[int, int]]:
    """Runs of buckets whose signatures fit the memory, at least one bucket each."""
    if len(bounds) < 2:
        return
    width = rows(members[:1]).nbytes
    first = 0
    while first < len(bounds) - 1:
        last = int(np.searchsorted(bounds, bounds[first] + max(1, memory_bytes // width), side="right")) - 1
        last = min(max(last, first + 1), len(bounds) - 1)
        yield first, last
        first = last


def _pairs(table: tuple[Ids, Signatures], members: Ids, bounds: Ids, bands: Ids, scheme: Scheme) -> Iterator[Pairs]:
    from curate.near import pairing

    num_perm = table[1].shape[1]
    largest = int(np.diff(bounds).max())
    out = np.empty((max(_OUT_PAIRS, largest), 3), np.int64)
    rules = (*scheme.counts(num_perm), scheme.rows, FULL, LEADERS)
    at = np.zeros(3, np.int64)
    marks = bands, np.zeros(largest, np.uint8)
    while at[0] < len(bounds) - 1:
        made = out[: pairing.bucket_pairs(table, members, bounds, marks, rules, out, at)]
        if len(made):
            yield Pairs(made[:, 0].copy(), made[:, 1].copy(), made[:, 2] / num_perm)


def confirm_sets(pairs: Pairs, sets: SetsOf, threshold: float) -> Pairs:
    """The pairs whose exact Jaccard similarity reaches the threshold, with it, ordered by (one, other).

    `sets` gives the shingles of ascending ranks, of at most 16,384 at a time; one may be asked for again.
    """
    from curate.near import pairing

    order = np.lexsort((pairs.other, pairs.one))
    both = np.stack([pairs.one[order], pairs.other[order]], axis=1)
    scores = np.empty(len(both), np.float64)
    for start, end in _text_runs(both):
        distinct, places = np.unique(both[start:end], return_inverse=True)
        hashes, bounds = sets(distinct)
        local = places.reshape(-1, 2).astype(np.int64)
        common = np.empty(end - start, np.int64)
        pairing.shared(hashes, bounds, local, common)
        sizes = np.diff(bounds)
        either = sizes[local[:, 0]] + sizes[local[:, 1]] - common
        scores[start:end] = common / np.maximum(either, 1)
    near = scores >= threshold
    return Pairs(both[near, 0], both[near, 1], scores[near])


def _text_runs(both: Ids) -> Iterator[tuple[int, int]]:
    """Runs of pairs with at most `_TEXT_BATCH` different texts."""
    step = _TEXT_BATCH // 2
    for start in range(0, len(both), step):
        yield start, min(start + step, len(both))


def clusters(records: int, pairs: Iterable[Pairs]) -> Labels:
    """Single linkage: for each rank the smallest rank of its cluster, which is the record that stays.

    Memory: 4 bytes a record below 2**31 records, 8 above.
    """
    from curate.near import pairing

    parent: Labels = np.arange(records, dtype=np.int32 if records < 1 << 31 else np.int64)
    for part in pairs:
        pairing.join(parent, part.one, part.other)
    pairing.flatten(parent)
    return parent


def joined(parts: Sequence[Pairs]) -> Pairs:
    """Pairs of several partitions, in order, each once."""
    one = np.concatenate([np.zeros(0, np.int64), *(p.one for p in parts)])
    other = np.concatenate([np.zeros(0, np.int64), *(p.other for p in parts)])
    score = np.concatenate([np.zeros(0), *(p.score for p in parts)])
    order = np.lexsort((other, one))
    one, other, score = one[order], other[order], score[order]
    fresh = np.ones(len(one), bool)
    fresh[1:] = (one[1:] != one[:-1]) | (other[1:] != other[:-1])
    return Pairs(one[fresh], other[fresh], score[fresh])


def best_matches(pairs: Pairs, records: int) -> tuple[Ids, NDArray[np.float64]]:
    """For each rank the one it is most similar to, the smallest of equals, and how similar; -1 and 0 where none."""
    one = np.concatenate([pairs.one, pairs.other])
    other = np.concatenate([pairs.other, pairs.one])
    score = np.concatenate([pairs.score, pairs.score])
    order = np.lexsort((other, -score, one))
    first = np.unique(one[order], return_index=True)[1]
    best = order[first]
    match, value = np.full(records, -1, np.int64), np.zeros(records, np.float64)
    match[one[best]], value[one[best]] = other[best], score[best]
    return match, value


def known_scores(one: Ids, other: Ids, known: Pairs) -> NDArray[np.float64]:
    """The similarity of given pairs among known ones, each of which stands once; -1 of a pair that is not known."""
    made = np.full(len(one), -1.0)
    both = np.concatenate([known.one, one]), np.concatenate([known.other, other])
    asked = np.arange(len(both[0])) >= len(known)
    order = np.lexsort((asked, both[1], both[0]))
    first, second, asked = both[0][order], both[1][order], asked[order]
    hit = np.flatnonzero(asked[1:] & ~asked[:-1] & (first[1:] == first[:-1]) & (second[1:] == second[:-1])) + 1
    made[order[hit] - len(known)] = known.score[order[hit - 1]]
    return made
