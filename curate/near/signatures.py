"""MinHash signatures of texts, many at a time.

A text's shingles are the runs of `size` tokens of its comparison form (`unit` "word"), with single spaces between
them, or the runs of `size` characters of it, spaces included (`unit` "char"); a text of fewer has one shingle of all,
a text of none has no shingle. In scripts written without spaces every character is a token.

Signatures equal `datasketch.MinHash(num_perm, seed, scheme="affine32", hashfunc=shingle_hash)` updated with the
shingles, value for value (`to_datasketch`): each shingle's XXH32, MurmurHash3's finalizer, the permutations
a × h + b mod 2**32 that datasketch draws, the least of each. The share of equal values of two signatures estimates the
Jaccard similarity of the two shingle sets with a standard error of at most 1 / (2 sqrt(num_perm)) (Broder 1997).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import xxhash
from numpy.typing import NDArray

from curate.near.folding import forms
from curate.near.tokens import Bytes, Hashes, Offsets
from manifests.errors import RecordError

if TYPE_CHECKING:
    from datasketch import MinHash

Signatures = NDArray[np.uint32]
Unit = Literal["word", "char"]
SHINGLE_SIZE = 5
NUM_PERM = 128
SEED = 1
EMPTY = np.uint32(0xFFFFFFFF)


def shingle_hash(shingle: bytes) -> int:
    """The hash of one shingle, XXH32 with seed 0: the `hashfunc` for datasketch."""
    return int(xxhash.xxh32_intdigest(shingle))


@functools.lru_cache(maxsize=8)
def permutations(num_perm: int = NUM_PERM, seed: int = SEED) -> NDArray[np.uint32]:
    """a (odd) and b of every permutation, (2, num_perm) uint32, drawn as datasketch draws them.

    numpy promises that `RandomState` never changes its streams.
    """
    if num_perm < 1 or not 0 <= seed < 2**32:
        raise RecordError("bad_signature", f"{num_perm} values, seed {seed}", "at least 1 value, a seed below 2**32")
    draw = np.random.RandomState(seed)
    a = draw.randint(0, 1 << 31, num_perm, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    made = np.array([a, draw.randint(0, 1 << 32, num_perm, dtype=np.uint32)])
    made.flags.writeable = False
    return made


def sign(
    texts: Sequence[str], num_perm: int = NUM_PERM, seed: int = SEED, size: int = SHINGLE_SIZE, unit: Unit = "word"
) -> Signatures:
    """Signatures of texts as read: (n, num_perm) uint32; 2**32 - 1 throughout where a text has no token.

    Raises `RecordError`: `bad_shingle_size`, `bad_signature`.
    """
    return sign_forms(*forms(texts), num_perm, seed, size, unit)


def sign_forms(
    data: Bytes,
    bounds: Offsets,
    num_perm: int = NUM_PERM,
    seed: int = SEED,
    size: int = SHINGLE_SIZE,
    unit: Unit = "word",
) -> Signatures:
    """Signatures of packed comparison forms (`curate.near.folding.forms`): UTF-8 bytes and (n + 1,) int64 offsets."""
    from curate.near import signing

    _check_size(size)
    out = np.full((len(bounds) - 1, num_perm), EMPTY, np.uint32)
    scratch = _starts(bounds), np.empty(signing.BLOCK + signing.LANES, np.uint32)
    signing.sign(data, bounds, size, _unit(unit), permutations(num_perm, seed), scratch, out)
    return out


def shingle_sets(data: Bytes, bounds: Offsets, size: int = SHINGLE_SIZE, unit: Unit = "word") -> tuple[Hashes, Offsets]:
    """XXH64 of the distinct shingles of packed comparison forms, ascending within a text, and where each text's begin.

    Two different shingles of one pair of texts share a hash with a probability below n m / 2**64: 2**-44 at a thousand
    each. Returns (hashes,) uint64 and (n + 1,) int64.
    """
    from curate.near import pairing, signing

    _check_size(size)
    out = np.empty(int(bounds[-1] - bounds[0]), np.uint64)
    made = np.zeros(len(bounds), np.int64)
    count = signing.long_hashes(data, bounds, size, _unit(unit), _starts(bounds), made, out)
    kept = pairing.sort_distinct(out[:count], made)
    return out[:kept].copy(), made


def to_datasketch(signature: Signatures, seed: int = SEED) -> MinHash:
    """A `datasketch.MinHash` with these values, to be compared, merged, updated (with `shingle_hash`) or indexed."""
    from datasketch import MinHash

    return MinHash(
        len(signature),
        seed,
        hashfunc=shingle_hash,
        hashvalues=signature,
        permutations=permutations(len(signature), seed).copy(),
        scheme="affine32",
    )


def is_empty(signatures: Signatures) -> NDArray[np.bool_]:
    """Which signatures, along the last axis, are that of the empty set."""
    found: NDArray[np.bool_] = (signatures == EMPTY).all(axis=-1)
    return found


def _starts(bounds: Offsets) -> NDArray[np.int64]:
    return np.empty(int(np.diff(bounds).max(initial=0)) + 2, np.int64)


def _unit(unit: Unit) -> int:
    return 1 if unit == "char" else 0


def _check_size(size: int) -> None:
    if size < 1:
        raise RecordError("bad_shingle_size", str(size), "ask for shingles of at least one word or character")
