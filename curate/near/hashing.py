"""XXH32 and XXH64 over parts of a byte array, compiled (Collet, the xxHash specification 0.2.0).

Imports numba, so it is imported where the first text is hashed. `xxhash.xxh32_intdigest` and `xxh64_intdigest` give the
same values. Unsigned numbers throughout: they wrap as the specification asks, and an index that cannot be negative is
not checked for it. No bounds are checked:
callers pass `0 <= start <= end <= size`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

numba: Any = importlib.import_module("numba")  # not annotated
Function = TypeVar("Function", bound=Callable[..., Any])


def jit(function: Function) -> Function:
    """Compiled at first use and kept beside the file; other threads run meanwhile. Never fast-math."""
    made: Function = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return made


U4, U8, AT = np.uint32, np.uint64, np.uintp

_A1, _A2, _A3, _A4, _A5 = U4(2654435761), U4(2246822519), U4(3266489917), U4(668265263), U4(374761393)
_B1, _B2, _B3 = U8(11400714785074694791), U8(14029467366897019727), U8(1609587929392839161)
_B4, _B5 = U8(9650029242287828579), U8(2870177450012600261)


@jit
def word(data: Any, at: Any) -> Any:
    """Four bytes, little endian, as uint32."""
    return U4(
        U4(data[at])
        | (U4(data[at + AT(1)]) << U4(8))
        | (U4(data[at + AT(2)]) << U4(16))
        | (U4(data[at + AT(3)]) << U4(24))
    )


@jit
def _long(data: Any, at: Any) -> Any:
    return U8(word(data, at)) | (U8(word(data, at + AT(4))) << U8(32))


@jit
def _turn4(value: Any, by: Any) -> Any:
    return U4((U4(value) << U4(by)) | (U4(value) >> U4(32 - by)))


@jit
def _turn8(value: Any, by: Any) -> Any:
    return (U8(value) << U8(by)) | (U8(value) >> U8(64 - by))


@jit
def xxh32(data: Any, start: Any, end: Any, seed: Any) -> Any:
    at, size = AT(start), U4(end - start)
    if size >= U4(16):
        one, two = U4(seed + _A1 + _A2), U4(seed + _A2)
        three, four = U4(seed), U4(seed - _A1)
        while at + AT(16) <= AT(end):
            one = U4(_turn4(one + word(data, at) * _A2, 13) * _A1)
            two = U4(_turn4(two + word(data, at + AT(4)) * _A2, 13) * _A1)
            three = U4(_turn4(three + word(data, at + AT(8)) * _A2, 13) * _A1)
            four = U4(_turn4(four + word(data, at + AT(12)) * _A2, 13) * _A1)
            at += AT(16)
        value = U4(_turn4(one, 1) + _turn4(two, 7) + _turn4(three, 12) + _turn4(four, 18))
    else:
        value = U4(seed + _A5)
    value = U4(value + size)
    while at + AT(4) <= AT(end):
        value = U4(_turn4(value + word(data, at) * _A3, 17) * _A4)
        at += AT(4)
    while at < AT(end):
        value = U4(_turn4(value + U4(data[at]) * _A5, 11) * _A1)
        at += AT(1)
    value = U4((value ^ (value >> U4(15))) * _A2)
    value = U4((value ^ (value >> U4(13))) * _A3)
    return U4(value ^ (value >> U4(16)))


@jit
def _round8(lane: Any, value: Any) -> Any:
    return _turn8(lane + value * _B2, 31) * _B1


@jit
def _merge8(value: Any, lane: Any) -> Any:
    return (value ^ _round8(U8(0), lane)) * _B1 + _B4


@jit
def xxh64(data: Any, start: Any, end: Any, seed: Any) -> Any:
    at, size = AT(start), U8(end - start)
    if size >= U8(32):
        one, two, three, four = seed + _B1 + _B2, seed + _B2, U8(seed), seed - _B1
        while at + AT(32) <= AT(end):
            one = _round8(one, _long(data, at))
            two = _round8(two, _long(data, at + AT(8)))
            three = _round8(three, _long(data, at + AT(16)))
            four = _round8(four, _long(data, at + AT(24)))
            at += AT(32)
        value = _turn8(one, 1) + _turn8(two, 7) + _turn8(three, 12) + _turn8(four, 18)
        value = _merge8(_merge8(_merge8(_merge8(value, one), two), three), four)
    else:
        value = seed + _B5
    value = value + size
    while at + AT(8) <= AT(end):
        value = _turn8(value ^ _round8(U8(0), _long(data, at)), 27) * _B1 + _B4
        at += AT(8)
    if at + AT(4) <= AT(end):
        value = _turn8(value ^ (U8(word(data, at)) * _B1), 23) * _B2 + _B3
        at += AT(4)
    while at < AT(end):
        value = _turn8(value ^ (U8(data[at]) * _B5), 11) * _B1
        at += AT(1)
    value = (value ^ (value >> U8(33))) * _B2
    value = (value ^ (value >> U8(29))) * _B3
    return value ^ (value >> U8(32))


@jit
def count_tokens(data: Any, bounds: Any, offsets: Any) -> None:
    """`offsets` (n + 1,) int64: where each text's tokens start among all; tokens are what stands between spaces."""
    total = 0
    offsets[0] = 0
    for text in range(len(bounds) - 1):
        if bounds[text + 1] > bounds[text]:
            total += 1
        for at in range(AT(bounds[text]), AT(bounds[text + 1])):
            total += data[at] == 32
        offsets[text + 1] = total


@jit
def hash_tokens(data: Any, bounds: Any, seed: Any, out: Any) -> None:
    """XXH64 of every token, in order."""
    put = AT(0)
    for text in range(len(bounds) - 1):
        start, end = AT(bounds[text]), AT(bounds[text + 1])
        if start == end:
            continue
        for at in range(start, end):
            if data[at] == 32:
                out[put] = xxh64(data, start, at, seed)
                put += AT(1)
                start = AT(at) + AT(1)
        out[put] = xxh64(data, start, end, seed)
        put += AT(1)


@jit
def hash_runs(data: Any, offsets: Any, size: Any, seed: Any, made: Any, out: Any) -> None:
    """XXH64 of every run of `size` eight-byte items within a text; of all its items where it has fewer.

    `data` is the items' bytes, `made` (n + 1,) where each text's runs start in `out`.
    """
    for text in range(len(offsets) - 1):
        first, put = AT(offsets[text]), AT(made[text])
        span = AT(min(size, offsets[text + 1] - offsets[text]) * 8)
        for k in range(AT(made[text + 1]) - put):
            start = (first + AT(k)) * AT(8)
            out[put + AT(k)] = xxh64(data, start, start + span, seed)
