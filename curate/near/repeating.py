"""The compiled part of `curate.near.repeats`: hashes of runs of tokens, winnowing, spans. Imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.near.hashing import AT, U8, jit

_BASE, _MIX1, _MIX2 = U8(0x9E3779B97F4A7C15), U8(0xBF58476D1CE4E5B9), U8(0x94D049BB133111EB)


@jit
def run_hashes(tokens: Any, size: Any, out: Any) -> None:
    """A hash of every run of `size` tokens: a polynomial of their hashes mod 2**64, mixed by SplitMix64's finalizer."""
    top = U8(1)
    for _ in range(size - 1):
        top *= _BASE
    value = U8(0)
    for k in range(len(tokens)):
        if k >= size:
            value -= tokens[AT(k - size)] * top
        value = value * _BASE + tokens[AT(k)]
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
def merge(windows: Any, size: Any, out: Any) -> Any:
    """Windows (text, start, of text, of start), ordered, to spans (text, start, end, of text, of start); their number.

    A window that continues the last span on the same diagonal lengthens it.
    """
    count = 0
    for k in range(len(windows)):
        text, start, source, at = windows[k, 0], windows[k, 1], windows[k, 2], windows[k, 3]
        if count > 0:
            last = out[count - 1]
            along = last[0] == text and last[3] == source and at - last[4] == start - last[1]
            if along and start <= last[2] and np.int64(start) >= last[1]:
                last[2] = max(last[2], start + size)
                continue
        out[count, 0], out[count, 1], out[count, 2] = text, start, start + size
        out[count, 3], out[count, 4] = source, at
        count += 1
    return count
