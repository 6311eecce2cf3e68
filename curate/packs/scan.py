"""The compiled search of packs: imports numba, so it is imported where the first text is checked.

Whole numbers only: every CPU gives the same answers. No bounds are checked; `curate.packs.pack.load` proves that what
is searched points where it should.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

numba: Any = importlib.import_module("numba")  # not annotated
jit: Any = numba.njit(cache=True, nogil=True, error_model="numpy")

U8 = np.uint64


def _index_of(keys: Any, bits: Any, width: Any) -> Any:
    """Where the keys of each leading `bits` bits begin: (2**bits + 1,) int32; keys are sorted, `width` bits wide."""
    starts = np.zeros((1 << bits) + 1, np.int32)
    for key in keys:
        starts[(U8(key) >> U8(width - bits)) + U8(1)] += 1
    for at in range(1 << bits):
        starts[at + 1] += starts[at]
    return starts


def _find(  # noqa: PLR0913 - a kernel's arrays
    hashes: Any, seed: Any, drop: Any, keys: Any, starts: Any, shift: Any, run: Any, entry: Any
) -> Any:
    """Which salted hashes are keys: their places in `run`, the keys' in `entry` (as long as `hashes`); how many."""
    found = 0
    for at in range(len(hashes)):
        x = hashes[at] ^ seed
        x = (x ^ (x >> U8(30))) * U8(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> U8(27))) * U8(0x94D049BB133111EB)
        x = (x ^ (x >> U8(31))) >> drop
        box = x >> shift
        for k in range(starts[box], starts[box + U8(1)]):
            if U8(keys[k]) == x:
                run[found], entry[found] = at, k
                found += 1
                break
    return found


def _widest(  # noqa: PLR0913 - a kernel's arrays
    key: Any, at: Any, begin: Any, reach: Any, seen: Any, count: Any, first: Any, last: Any
) -> None:
    """For every group of (key, place) rows, places ascending: the most distinct keys within its reach, and where.

    `begin` (groups + 1,) are the groups' rows; `seen` is zero for every key and is left so; `count`, `first`, `last`
    (groups,) take the answers, `last` the place of the last run.
    """
    for group in range(len(begin) - 1):
        low, high = begin[group], begin[group + 1]
        best, tail, distinct = 0, low, 0
        for head in range(low, high):
            seen[key[head]] += 1
            distinct += seen[key[head]] == 1
            while at[head] - at[tail] > reach[group]:
                seen[key[tail]] -= 1
                distinct -= seen[key[tail]] == 0
                tail += 1
            if distinct > best:
                best, first[group], last[group] = distinct, at[tail], at[head]
        for row in range(tail, high):
            seen[key[row]] = 0
        count[group] = best


def _without(tokens: Any, offsets: Any, words: Any, out: Any, where: Any, bounds: Any) -> Any:
    """Token hashes that are none of `words` (sorted): the rest in `out`, their places in `where`, each text's begin in
    `bounds`."""
    put = 0
    bounds[0] = 0
    for text in range(len(offsets) - 1):
        for at in range(offsets[text], offsets[text + 1]):
            low, high = 0, len(words)
            while low < high:
                middle = (low + high) >> 1
                if words[middle] < tokens[at]:
                    low = middle + 1
                else:
                    high = middle
            if low == len(words) or words[low] != tokens[at]:
                out[put], where[put] = tokens[at], at
                put += 1
        bounds[text + 1] = put
    return put


def _same_bags(  # noqa: PLR0913 - a kernel's arrays
    run: Any, entry: Any, found: Any, begin: Any, bounds: Any, text: Any, summed: Any, tokens: Any, sums: Any, hit: Any
) -> Any:
    """Which anchors are followed by a bag's words: (row of `run`, bag) pairs in `hit`; how many there are (those
    beyond its size are counted and not kept).

    `begin` is where each anchor's bags begin, `bounds` where each text ends, `text` whose text each anchor stands in,
    `summed` the running sum of salted token hashes.
    """
    put = 0
    for row in range(found):
        at, end = run[row], bounds[text[row] + 1]
        for bag in range(begin[entry[row]], begin[entry[row] + 1]):
            stop = at + tokens[bag]
            if stop <= end and summed[stop] - summed[at] == sums[bag]:
                if put < len(hit):
                    hit[put, 0], hit[put, 1] = row, bag
                put += 1
    return put


index_of, find, widest = jit(_index_of), jit(_find), jit(_widest)
without, same_bags = jit(_without), jit(_same_bags)
