"""All pairs of hashes that differ in few bits, out of millions (multi-index hashing: Norouzi, Punjani and Fleet 2014).

The first word is cut into bands; if two words differ in at most r bits, some band differs in at most its share of them
(pigeonhole), so only the buckets around a band's value are read. Exact: every pair within both radii and no other, in
sorted order, whatever the order of work. One band is held at a time: per indexed hash 24 bytes (a sorted copy and its
place) besides the hash itself, which may be a memory map, and 8 bytes for each of at most 2^22 buckets.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.looks.hashes import Hashes

Owners = NDArray[np.int64]
WIDEST = 22  # bits of a band: a table of 2^22 buckets
QUERIES = 1 << 16  # taken at a time
ROOM = 1 << 18  # pairs that one piece of work is first given room for


@dataclass(frozen=True, slots=True)
class Band:
    """Bits `shift` to `shift + width` of the first word, and by how many of them a bucket may differ."""

    shift: int
    width: int
    radius: int


def near_pairs(
    queries: Hashes,
    indexed: Hashes,
    radius_low: int,
    radius: int,
    owners: tuple[Owners, Owners] | None = None,
    upper: bool = False,
) -> NDArray[np.int64]:
    """(k, 3) sorted rows of (query, indexed, differing bits of 128): all that differ in at most `radius_low` of the
    first 64 and `radius` of all bits.

    With `owners`, hashes of one owner are not compared, and with `upper` only a query's whose owner is the smaller.
    """
    if not len(queries) or not len(indexed):
        return np.empty((0, 3), np.int64)
    mine, theirs = owners or (np.full(len(queries), -2), np.full(len(indexed), -1))
    found = []
    plan = bands(radius_low, len(indexed))
    for number in range(len(plan)):
        found += _by_band(plan, number, (queries, mine), (indexed, theirs), (radius_low, radius, int(upper)))
    rows = np.concatenate(found) if found else np.empty((0, 3), np.int64)
    return rows[np.lexsort((rows[:, 1], rows[:, 0]))]


def bands(radius: int, count: int) -> tuple[Band, ...]:
    """The cut of 64 bits that reads the fewest hashes and buckets, were the hashes spread evenly."""
    best = min(range(3, min(16, max(4, radius + 2))), key=lambda n: sum(_cost(b, count) for b in _cut(radius, n)))
    return _cut(radius, best)


def _cut(radius: int, count: int) -> tuple[Band, ...]:
    """Bands whose radii plus one add up to radius + 1, so that a pair within `radius` is near in one of them."""
    widths = [64 * (k + 1) // count - 64 * k // count for k in range(count)]
    shares = [(radius + 1) * (k + 1) // count - (radius + 1) * k // count - 1 for k in range(count)]
    starts = list(itertools.accumulate(widths, initial=0))
    return tuple(Band(s, w, r) for s, w, r in zip(starts, widths, shares, strict=False) if r >= 0)


def _cost(band: Band, count: int) -> float:
    probes = sum(math.comb(band.width, k) for k in range(band.radius + 1))
    return math.inf if band.width > WIDEST else probes * (4 + count / 2**band.width)


def _flips(band: Band) -> NDArray[np.int64]:
    """Every change of at most `radius` bits of a band's value."""
    several = (c for k in range(band.radius + 1) for c in itertools.combinations(range(band.width), k))
    return np.array([sum(1 << bit for bit in bits) for bits in several], np.int64)


def _by_band(
    plan: tuple[Band, ...],
    number: int,
    asked: tuple[Hashes, Owners],
    indexed: tuple[Hashes, Owners],
    limits: tuple[int, int, int],
) -> list[NDArray[np.int64]]:
    """The pairs for which this band is the first that is near enough."""
    from curate.looks import kernels

    band = plan[number]
    values = (indexed[0][:, 0] >> np.uint64(band.shift)).astype(np.int64) & ((1 << band.width) - 1)
    order = np.argsort(values, kind="stable")
    starts = np.zeros((1 << band.width) + 1, np.int64)
    np.cumsum(np.bincount(values, minlength=1 << band.width), out=starts[1:])
    hashes, owners = np.ascontiguousarray(indexed[0][order]), indexed[1][order]
    del values
    shape = np.array([(b.shift, b.width, b.radius) for b in plan], np.int64)
    found = []
    for first in range(0, len(asked[0]), QUERIES):
        one = np.ascontiguousarray(asked[0][first : first + QUERIES])
        mine = asked[1][first : first + QUERIES]
        room = ROOM
        while True:
            rows = np.empty((room, 3), np.int64)
            held = kernels.probe(one, mine, (hashes, owners, starts), (shape, number, _flips(band)), limits, rows)
            if held <= room:
                break
            room = held
        rows = rows[:held].copy()
        rows[:, 0] += first
        rows[:, 1] = order[rows[:, 1]]
        found.append(rows)
    return found
