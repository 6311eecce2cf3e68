"""The compiled part of `curate.near.signatures`: where shingles begin, their hashes, and the least under permutations.

Imports numba. Whole numbers only, so every CPU gives the same values; no order of additions matters to a minimum.
"""

from __future__ import annotations

from typing import Any

from curate.near.hashing import AT, U4, U8, jit, xxh32, xxh64

_MIX1, _MIX2 = U4(0x85EBCA6B), U4(0xC2B2AE35)  # MurmurHash3's finalizer, which datasketch applies before permuting
BLOCK = 4096  # hashes permuted at once: they stay in the cache while 128 permutations pass over them
LANES = 32  # the last hash is repeated up to a multiple of this, so that no permutation has a scalar rest


@jit
def starts_of(data: Any, start: Any, end: Any, unit: Any, starts: Any) -> Any:
    """Where tokens (`unit` 0: what stands between spaces) or characters (`unit` 1) begin, and after them one past the
    end, as if a token followed; returns their number. `starts` holds at least end - start + 2."""
    if start == end:
        return 0
    count = AT(0)
    if unit == 1:
        for at in range(AT(start), AT(end)):
            starts[count] = at
            count += AT((data[at] & 0xC0) != 0x80)
        starts[count] = end
        return count
    starts[0] = start
    count = AT(1)
    for at in range(AT(start), AT(end)):
        starts[count] = at + AT(1)
        count += AT(data[at] == 32)
    starts[count] = end + 1
    return count


@jit
def _mixed(value: Any) -> Any:
    value = U4((value ^ (value >> U4(16))) * _MIX1)
    value = U4((value ^ (value >> U4(13))) * _MIX2)
    return U4(value ^ (value >> U4(16)))


@jit
def _lower(hashes: Any, count: Any, a: Any, b: Any, row: Any) -> None:
    """`row` lowered to the least of a × hash + b, mod 2**32, over the first `count` hashes."""
    for k in range(len(row)):
        least, factor, offset = row[k], a[k], b[k]
        for i in range(count):
            least = min(least, U4(factor * hashes[i] + offset))
        row[k] = least


@jit
def sign(data: Any, bounds: Any, size: Any, unit: Any, permutations: Any, scratch: Any, out: Any) -> None:
    """Signatures of packed forms into `out` (n, num_perm) uint32, which holds 2**32 - 1 throughout.

    `permutations` is (2, num_perm) uint32; `scratch` is (starts int64 of the longest text's bytes + 2, hashes uint32 of
    `BLOCK` + `LANES`).
    """
    starts, hashes = scratch
    a, b = permutations[0], permutations[1]
    gap = 1 - unit  # the space after a token is no part of its shingle
    for text in range(len(bounds) - 1):
        tokens = starts_of(data, bounds[text], bounds[text + 1], unit, starts)
        runs = max(1, tokens - size + 1) if tokens > 0 else 0
        for first in range(0, runs, BLOCK):
            count = min(BLOCK, runs - first)
            for i in range(count):
                end = starts[AT(min(first + i + size, tokens))] - gap
                hashes[AT(i)] = _mixed(xxh32(data, starts[AT(first + i)], end, U4(0)))
            full = (count + LANES - 1) // LANES * LANES
            for i in range(count, full):
                hashes[AT(i)] = hashes[AT(count - 1)]
            _lower(hashes, full, a, b, out[text])


@jit
def long_hashes(data: Any, bounds: Any, size: Any, unit: Any, starts: Any, made: Any, out: Any) -> Any:
    """XXH64 of every shingle, with repeats; `made` (n + 1,) int64 says where each text's begin in `out`, which holds as
    many as the texts have bytes."""
    put = AT(0)
    gap = 1 - unit
    made[0] = 0
    for text in range(len(bounds) - 1):
        tokens = starts_of(data, bounds[text], bounds[text + 1], unit, starts)
        runs = max(1, tokens - size + 1) if tokens > 0 else 0
        for i in range(runs):
            end = starts[AT(min(i + size, tokens))] - gap
            out[put] = xxh64(data, starts[AT(i)], end, U8(0))
            put += AT(1)
        made[text + 1] = put
    return put
