"""Hashes of tokens and of runs of tokens of comparison forms: what packs, passages and pairs are found by.

A comparison form (`curate.text.comparison`) is tokens with one space between them. Hashes are XXH64, so that
`xxhash.xxh64_intdigest` gives the same values anywhere. Two different texts of n and m tokens share a hash by chance
with a probability of about n m / 2**64. Memory: the texts' UTF-8 bytes once more, and eight bytes per token.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from manifests.errors import RecordError

Bytes = NDArray[np.uint8]
Hashes = NDArray[np.uint64]
Offsets = NDArray[np.int64]


def packed(texts: Iterable[str]) -> tuple[Bytes, Offsets]:
    """Texts as one run of UTF-8 bytes, and where each begins: (bytes,) uint8, (n + 1,) int64.

    A lone surrogate becomes the three bytes that UTF-8 would have for it.
    """
    parts = [text.encode("utf-8", "surrogatepass") for text in texts]
    offsets = np.zeros(len(parts) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)), out=offsets[1:])
    return np.frombuffer(b"".join(parts), np.uint8), offsets


def token_hashes(forms: Sequence[str], seed: int = 0) -> tuple[Hashes, Offsets]:
    """XXH64 of every token of comparison forms: (tokens,) uint64, and where each text's begin: (n + 1,) int64.

    `seed` salts them: a whole number below 2**64. A text without tokens has no hash.
    """
    return packed_token_hashes(*packed(forms), seed)


def packed_token_hashes(data: Bytes, bounds: Offsets, seed: int = 0) -> tuple[Hashes, Offsets]:
    """`token_hashes` of packed comparison forms (`curate.near.folding.forms`)."""
    from curate.near import hashing

    _check_seed(seed)
    offsets = np.empty(len(bounds), np.int64)
    hashing.count_tokens(data, bounds, offsets)
    hashes = np.empty(int(offsets[-1]), np.uint64)
    hashing.hash_tokens(data, bounds, np.uint64(seed), hashes)
    return hashes, offsets


def ngram_hashes(hashes: Hashes, offsets: Offsets, n: int, seed: int = 0) -> tuple[Hashes, Offsets]:
    """XXH64 of every run of `n` token hashes within a text (as little-endian bytes), in order and with repeats.

    Returns (runs,) uint64 and where each text's begin: (n + 1,) int64. A text of fewer tokens has one run of all of
    them, as with `curate.text.shingles`; a text without tokens has none. Raises `RecordError("bad_shingle_size")`.
    """
    from curate.near import hashing

    _check_seed(seed)
    if n < 1:
        raise RecordError("bad_shingle_size", str(n), "ask for runs of at least one token")
    tokens = np.diff(offsets)
    made = np.zeros(len(offsets), np.int64)
    np.cumsum(np.where(tokens > 0, np.maximum(1, tokens - n + 1), 0), out=made[1:])
    runs = np.empty(int(made[-1]), np.uint64)
    data = np.ascontiguousarray(hashes, "<u8").view(np.uint8)
    hashing.hash_runs(data, np.ascontiguousarray(offsets, np.int64), n, np.uint64(seed), made, runs)
    return runs, made


def _check_seed(seed: int) -> None:
    if not 0 <= seed < 2**64:
        raise RecordError("bad_seed", str(seed), "a seed is a whole number from 0 to 2**64 - 1")
