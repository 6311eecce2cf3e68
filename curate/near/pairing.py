"""The compiled part of `curate.near.pairs`: band keys, the pairs of a bucket, intersections, union-find.

Imports numba. Whole numbers only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.near.hashing import AT, U8, jit, xxh64

_DUPLICATE, _ABSORBED, _LEADER = 1, 2, 3


@jit
def band_keys(data: Any, values: Any, bands: Any, rows: Any, mask: Any, out: Any) -> None:
    """`out` (n, bands) uint64: XXH64 of a band's bytes, seeded with its number, which also stands in the low bits."""
    for k in range(len(out)):
        for band in range(bands):
            start = AT((k * values + band * rows) * 4)
            out[k, band] = (xxh64(data, start, start + AT(rows * 4), U8(band)) & ~mask) | U8(band)


@jit
def _equal(one: Any, other: Any) -> Any:
    """How many values of two signatures are equal."""
    count = np.uint32(0)
    for k in range(len(one)):
        count += np.uint32(one[k] == other[k])
    return count


@jit
def _first_band(one: Any, other: Any, rows: Any) -> Any:
    """The first band in which two signatures agree; beyond the last where there is none."""
    bands = len(one) // rows
    for band in range(bands):
        equal = True
        for k in range(band * rows, band * rows + rows):
            equal &= one[k] == other[k]
        if equal:
            return band
    return bands


@jit
def _judge_pivot(table: Any, members: Any, state: Any, pivot: Any, rules: Any, out: Any, put: Any) -> Any:
    """All pairs of one pivot; returns how many pairs `out` then holds."""
    floor, strong, rows, band, full, _ = rules
    ids, signatures = table
    large = len(members) > full
    mine = signatures[members[pivot]]
    for place in range(0 if large else pivot + 1, len(members)):
        if place == pivot or state[place] == _DUPLICATE or state[place] == _LEADER:
            continue
        theirs = signatures[members[place]]
        equal = _equal(mine, theirs)
        if equal >= strong:
            if equal == len(mine):
                state[place] = _DUPLICATE
            elif large:
                state[place] = _ABSORBED
        if equal >= floor and _first_band(mine, theirs, rows) == band:
            one, other = ids[members[pivot]], ids[members[place]]
            out[put, 0], out[put, 1], out[put, 2] = min(one, other), max(one, other), equal
            put += 1
    return put


@jit
def bucket_pairs(table: Any, members: Any, bounds: Any, marks: Any, rules: Any, out: Any, at: Any) -> Any:
    """Candidate pairs, bucket by bucket, until `out` may not hold another pivot's; returns how many it holds.

    `table` is (ids int64 ascending, signatures); `members` rows of it, ascending within a bucket; `bounds` where each
    bucket begins, `bands` its band; `marks` is (bands of the buckets, one byte per member of the largest). `rules` is
    (floor, strong, rows, full, leaders). `at` (3,) int64 is (bucket, pivot, leaders so far): where to go on.
    """
    bands, state = marks
    floor, strong, rows, full, most = rules
    put = 0
    while at[0] < len(bounds) - 1:
        inside = members[bounds[at[0]] : bounds[at[0] + 1]]
        large = len(inside) > full
        if at[1] == 0:
            state[: len(inside)] = 0
        while at[1] < len(inside):
            pivot = at[1]
            if state[pivot] != _DUPLICATE and not (large and (state[pivot] == _ABSORBED or at[2] >= most)):
                if put + len(inside) > len(out):
                    return put
                own = (floor, strong, rows, bands[at[0]], full, most)
                put = _judge_pivot(table, inside, state, pivot, own, out, put)
                if large:
                    state[pivot] = _LEADER
                at[2] += 1
            at[1] += 1
        at[0] += 1
        at[1] = at[2] = 0
    return put


@jit
def sort_distinct(hashes: Any, bounds: Any) -> Any:
    """Within each run ascending and without repeats, moved together in place; `bounds` follows. Returns the number."""
    put = 0
    start = bounds[0]
    for k in range(len(bounds) - 1):
        end = bounds[k + 1]
        part = np.sort(hashes[start:end])
        for j in range(len(part)):
            if j == 0 or part[j] != part[j - 1]:
                hashes[put] = part[j]
                put += 1
        start = end
        bounds[k + 1] = put
    return put


@jit
def shared(hashes: Any, bounds: Any, pairs: Any, out: Any) -> None:
    """How many hashes the two ascending sets of each pair have in common; `pairs` (m, 2) are numbers of sets."""
    for k in range(len(pairs)):
        i, i_end = AT(bounds[pairs[k, 0]]), AT(bounds[pairs[k, 0] + 1])
        j, j_end = AT(bounds[pairs[k, 1]]), AT(bounds[pairs[k, 1] + 1])
        count = 0
        while i < i_end and j < j_end:
            one, other = hashes[i], hashes[j]
            count += one == other
            i += AT(one <= other)
            j += AT(other <= one)
        out[k] = count


@jit
def _root(parent: Any, item: Any) -> Any:
    while parent[item] != item:
        parent[item] = parent[parent[item]]
        item = parent[item]
    return item


@jit
def join(parent: Any, one: Any, other: Any) -> None:
    """Union-find: the smaller root becomes the parent, so that a root is the smallest of its cluster."""
    for k in range(len(one)):
        a, b = _root(parent, one[k]), _root(parent, other[k])
        parent[max(a, b)] = min(a, b)


@jit
def flatten(parent: Any) -> None:
    """Every item's parent becomes its root."""
    for item in range(len(parent)):
        parent[item] = parent[parent[item]]
