"""The compiled part of `curate.near.passages`: hashes of runs of tokens, winnowing, digests of spans. Imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.near.hashing import AT, U8, jit, xxh64
from curate.near.signing import starts_of

_BASES = U8(0x9E3779B97F4A7C15), U8(0xD6E8FEB86659FD93)
_MIX1, _MIX2 = U8(0xBF58476D1CE4E5B9), U8(0x94D049BB133111EB)
PLACE_BITS = 24  # a place is a text's number × 2**24 + a token's
_MOST = 1 << PLACE_BITS


@jit
def run_hashes(tokens: Any, size: Any, base: Any, out: Any) -> None:
    """A hash of every run of `size` tokens: a polynomial of their hashes mod 2**64, mixed by SplitMix64's finalizer."""
    top = U8(1)
    for _ in range(size - 1):
        top *= base
    value = U8(0)
    for k in range(len(tokens)):
        if k >= size:
            value -= tokens[AT(k - size)] * top
        value = value * base + tokens[AT(k)]
        if k >= size - 1:
            mixed = (value ^ (value >> U8(30))) * _MIX1
            mixed = (mixed ^ (mixed >> U8(27))) * _MIX2
            out[AT(k - size + 1)] = mixed ^ (mixed >> U8(31))


@jit
def winnow(hashes: Any, span: Any, out: Any) -> Any:
    """The places of the least hash, the last of equals, of every `span` neighbours (Schleimer 2003); their number."""
    count, least = 0, -1
    for end in range(span, len(hashes) + 1):
        if least < end - span:
            least = end - span
            for k in range(end - span + 1, end):
                if hashes[AT(k)] <= hashes[AT(least)]:
                    least = k
        elif hashes[AT(end - 1)] <= hashes[AT(least)]:
            least = end - 1
        else:
            continue
        out[AT(count)] = least
        count += 1
    return count


@jit
def _put(out: Any, at: Any, first: Any, second: Any, text: Any, token: Any) -> None:
    out[at, 0], out[at, 1] = first[AT(token)], second[AT(token)]
    out[at, 2] = (U8(text) << U8(PLACE_BITS)) | U8(token)


@jit
def anchors(tokens: Any, offsets: Any, texts: Any, window: Any, out: Any) -> Any:
    """Runs of half a window that winnowing chooses, at least one of every window, the same wherever it stands: `out`
    (tokens, 3) uint64 of two hashes and the place; returns their number. `texts` are the texts' numbers."""
    size = (window + 1) // 2
    longest = np.max(np.diff(offsets)) if len(texts) > 0 else 0
    first, second = np.empty(longest, np.uint64), np.empty(longest, np.uint64)
    chosen = np.empty(longest, np.int64)
    put = 0
    for k in range(len(texts)):
        part = tokens[offsets[k] : min(offsets[k + 1], offsets[k] + _MOST)]
        runs = len(part) - size + 1
        if len(part) < window:
            continue
        run_hashes(part, size, _BASES[0], first)
        run_hashes(part, size, _BASES[1], second)
        for j in range(winnow(first[:runs], window - size + 1, chosen)):
            _put(out, put, first, second, texts[k], chosen[j])
            put += 1
    return put


@jit
def windows(tokens: Any, offsets: Any, texts: Any, window: Any, near: Any, out: Any) -> Any:
    """Every window that holds an anchor at one of the ascending places `near`, as `anchors` has them."""
    size = (window + 1) // 2
    longest = np.max(np.diff(offsets)) if len(texts) > 0 else 0
    first, second = np.empty(longest, np.uint64), np.empty(longest, np.uint64)
    put, at = 0, 0
    for k in range(len(texts)):
        part = tokens[offsets[k] : min(offsets[k + 1], offsets[k] + _MOST)]
        if at < len(near) and near[at] >> PLACE_BITS == texts[k]:
            run_hashes(part, window, _BASES[0], first)
            run_hashes(part, window, _BASES[1], second)
        after = 0
        while at < len(near) and near[at] >> PLACE_BITS == texts[k]:
            token = near[at] & (_MOST - 1)
            low, high = max(after, token + size - window), min(token, len(part) - window)
            for start in range(low, high + 1):
                _put(out, put, first, second, texts[k], start)
                put += 1
            after = max(after, high + 1)
            at += 1
    return put


@jit
def span_digests(data: Any, bounds: Any, spans: Any, starts: Any, out: Any) -> None:
    """XXH64 of the words of spans (text, first token, one past the last), ordered by text; `starts` as `starts_of`."""
    known = -1
    for k in range(len(spans)):
        text = spans[k, 0]
        if text != known:
            starts_of(data, bounds[text], bounds[text + 1], 0, starts)
            known = text
        out[k] = xxh64(data, starts[spans[k, 1]], starts[spans[k, 2]] - 1, U8(0))
