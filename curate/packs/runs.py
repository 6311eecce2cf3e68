"""Runs of tokens as packs and searches hash them; both sides must agree on every bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.near.tokens import ngram_hashes, token_hashes
from curate.packs.pack import mixed

Hashes = NDArray[np.uint64]
I8 = NDArray[np.int64]
REACH = (1, 2)  # a pair is two neighbours, or has one between them: what is left when a word is lost


def pairs(hashes: Hashes, offsets: I8) -> tuple[Hashes, I8, I8, I8]:
    """Unordered pairs of near tokens within each text, by the place of the first.

    Returns their hashes, where each text's begin, and both tokens' places among all.
    """
    ends = np.repeat(offsets[1:], np.diff(offsets))
    first = np.repeat(np.arange(len(hashes)), len(REACH))
    second = first + np.tile(np.array(REACH), len(hashes))
    kept = second < np.repeat(ends, len(REACH))
    first, second = first[kept], second[kept]
    single = mixed(hashes, 0)
    return single[first] + single[second], np.searchsorted(first, offsets).astype(np.int64), first, second


def without(hashes: Hashes, offsets: I8, words: frozenset[str]) -> tuple[Hashes, I8, I8]:
    """Tokens without these words, their places in their texts, and where each text's begin."""
    from curate.packs import scan

    left_out, _ = token_hashes([" ".join(sorted(words))])
    out, where, bounds = np.empty_like(hashes), np.empty(len(hashes), np.int64), np.empty_like(offsets)
    kept = scan.without(hashes, offsets, np.sort(left_out), out, where, bounds)
    text = np.repeat(np.arange(len(offsets) - 1), np.diff(bounds))
    return out[:kept], where[:kept] - offsets[text], bounds


def runs_of(hashes: Hashes, offsets: I8, n: int) -> tuple[Hashes, I8, NDArray[Any]]:
    """Runs of `n` tokens within each text, where each text's begin, and which are whole: a text of fewer tokens has
    one of all of them, which is none."""
    runs, made = ngram_hashes(hashes, offsets, n)
    return runs, made, np.repeat(np.diff(offsets) >= n, np.diff(made))
