"""DICOM's run-length encoding of one monochrome frame (PS3.5 Annex G), by a compiled loop.

Imports numba, so it is imported where the first such frame is met. Covered: one segment per byte of a sample, most
significant first. Not covered: colour.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from curate.arrays import Array

numba: Any = importlib.import_module("numba")  # not annotated

_HEADER = 64  # bytes: the number of segments and up to 15 offsets


def unpack_frame(frame: bytes, values: int, width: int) -> Array | None:
    """`values` unsigned numbers of `width` bytes, (values,), little endian; None where the frame holds anything else:
    another number of segments, offsets beyond it or out of order, too few bytes."""
    if len(frame) < _HEADER:
        return None
    head = np.frombuffer(frame, "<u4", _HEADER // 4).tolist()
    bounds = [*head[1 : 1 + width], len(frame)]
    if head[0] != width or bounds[0] < _HEADER or bounds != sorted(bounds):
        return None
    data = np.frombuffer(frame, np.uint8)
    out = np.empty(values, f"<u{width}")
    plane = np.empty(values, np.uint8)
    for n in range(width):
        if _unpack(data[bounds[n] : bounds[n + 1]], plane) != values:
            return None
        out.view(np.uint8).reshape(values, width)[:, width - 1 - n] = plane
    return out


def _unpack_segment(data: Array, out: Array) -> int:
    """Fill `out`, return how many bytes were written; what follows the last is ignored (PS3.5 G.3.1 allows padding).
    Unsigned numbers throughout: indices that cannot be negative are not checked for it, which halves the time."""
    at, put, one = np.uintp(0), np.uintp(0), np.uintp(1)
    size, room = np.uintp(len(data)), np.uintp(len(out))
    while at < size and put < room:
        code = np.uintp(data[at])
        at += one
        if code < np.uintp(128):
            end = min(put + code + one, room, put + size - at)
            while put < end:
                out[put] = data[at]
                put += one
                at += one
        elif code > np.uintp(128) and at < size:
            value = data[at]
            end = min(put + np.uintp(257) - code, room)
            while put < end:
                out[put] = value
                put += one
            at += one
    return int(put)


_unpack = numba.njit(cache=True)(_unpack_segment)
