"""Perceptual hashes of one picture: of the whole, of its inside without borders, and of the parts that a crop may keep.

A picture is reduced to 128 x 128 area means; of each window 32 x 32 means are taken, replaced by their ranks (so a
monotone change of grey values, a window or a change of depth, leaves them nearly alone), and the signs of the 128
lowest coefficients of a cosine transform are the hash (after Zauner 2010, "Implementation and benchmarking of
perceptual image hash functions"; signs about zero instead of about the median, so that a mirrored or turned picture's
hash is a permutation of the bits). Integers throughout: the same on every CPU.

Covered: resizing to any aspect, recompression, windows and levels, depth, one-coloured borders, small marks, crops that
keep 0.9 of each side, mirrors and quarter turns (`turned_hashes`). Not covered: larger crops, free rotation,
inverted grey values, pictures of one value (`FLAT`), and perfectly symmetric ones under noise.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Array
from manifests.errors import RecordError

GRID = 128
UNIT = 40  # parts of a cell in which windows are told
FLAT = 65536 // 128  # a window whose area means spread less than this, two of 256 grey values, says nothing
HALVES, PARTS = 3, 7  # windows below 3 are the picture with and without its borders, then its halves, then its parts
PEEL_SHARE = 68  # percent of an outer line that must have one value
PEEL_TOLERANCE = 65536 // 40

Hashes = NDArray[np.uint64]  # (n, 2): the 64 lowest frequencies, then the next 64
Box = tuple[float, float, float, float]  # y0, y1, x0, x1 as shares of the picture's sides


def reduced(pixels: Array, side: int = GRID) -> NDArray[np.uint16]:
    """(side, side) area means on a grey scale of 0..65535.

    `pixels` is (y, x) of any integer, boolean or float type or (y, x, 3) uint8. uint8 keeps its scale; other types are
    stretched from their least to their greatest finite value, and what is not finite counts as the least. Raises
    `RecordError("not_an_image")` for anything else.
    """
    from curate.looks import kernels

    out = np.empty((side, side), np.uint16)
    if pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8 and pixels.size:
        flat = np.ascontiguousarray(pixels).reshape(len(pixels), -1)
        kernels.reduce_colour(flat, out)
        return out
    if pixels.ndim != 2 or pixels.size == 0 or pixels.dtype.kind not in "biuf":
        raise RecordError("not_an_image", f"{pixels.dtype} {pixels.shape}", "give (y, x) numbers or (y, x, 3) uint8")
    if pixels.dtype == np.uint8:
        kernels.reduce_bytes(pixels, out)
        return out
    whole = _integers(pixels)
    low, high = int(whole.min()), int(whole.max())
    kernels.reduce_grey(whole, low, max(1, high - low), np.zeros((side, pixels.shape[1]), np.int64), out)
    return out


def _integers(pixels: Array) -> Array:
    """Integers of at most 32 bits; floats in 65536 steps between their extremes."""
    if pixels.dtype.kind == "b":
        return pixels.astype(np.uint8)
    if pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 4:
        return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    values = pixels.astype(np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(pixels.shape, np.uint16)
    low, high = float(values[finite].min()), float(values[finite].max())
    values = np.where(finite, values, low)
    return np.rint((values / 2 - low / 2) / max(high / 2 - low / 2, 1e-300) * 65535).astype(np.uint16)


@functools.cache
def part_boxes() -> tuple[Box, ...]:
    """The parts that a crop may keep: 0.9 of each side at nine places."""
    return tuple((y, y + 0.9, x, x + 0.9) for y in (0, 0.05, 0.1) for x in (0, 0.05, 0.1))


def inside(cells: NDArray[np.uint16], one_colour: bool) -> NDArray[np.int64]:
    """(y0, y1, x0, x1) in 1/UNIT of a cell: what is left when even outer lines are peeled off, of one colour a side or
    of any."""
    from curate.looks import kernels

    box = np.array([0, len(cells), 0, len(cells)], np.int64)
    kernels.peel(cells, PEEL_TOLERANCE, PEEL_SHARE, one_colour, box)
    exact = np.empty(4, np.int64)
    kernels.refine(cells, UNIT, box, exact)
    return exact


def picture_hashes(pixels: Array, parts: bool = True) -> tuple[NDArray[np.uint8], Hashes, Hashes]:
    """(window numbers (n,), hashes (n, 2), doubtful bits (n, 2)) of a picture, without windows that are flat or that
    repeat one before them.

    Windows 0 to 2 are the whole, its inside and its inside without borders of one colour a side; 3 to 6 the upper,
    lower, left and right half of the inside, one of which a written line leaves alone; those above are `part_boxes` in
    their order, and `parts=False` leaves out all from 3. Raises as `reduced` does.
    """
    return cell_hashes(reduced(pixels), parts)


def cell_hashes(cells: NDArray[np.uint16], parts: bool = True) -> tuple[NDArray[np.uint8], Hashes, Hashes]:
    """`picture_hashes` of a picture that is reduced to (GRID, GRID) already."""
    from curate.looks import kernels

    boxes = window_boxes(cells) if parts else window_boxes(cells)[:HALVES]
    made = np.empty((len(boxes), 4), np.uint64)
    spreads = np.empty(len(boxes), np.int64)
    kernels.hash_windows(cells, boxes, UNIT, (kernels.table(), bit_order()), made, spreads)
    kept = spreads >= FLAT
    for n in range(1, HALVES):
        kept[n] &= not (boxes[:n] == boxes[n]).all(axis=1).any()
    windows = np.flatnonzero(kept).astype(np.uint8)
    return windows, made[kept, :2], made[kept, 2:]


def window_boxes(cells: NDArray[np.uint16]) -> NDArray[np.int64]:
    """(n, 4): y0, y1, x0, x1 of every window, in 1/UNIT of a cell."""
    boxes = _unit_boxes().copy()
    boxes[1] = inside(cells, one_colour=False)
    boxes[2] = inside(cells, one_colour=True)
    y0, y1, x0, x1 = boxes[1].tolist()
    y, x = (y0 + y1) // 2, (x0 + x1) // 2
    boxes[HALVES:PARTS] = [(y0, y, x0, x1), (y, y1, x0, x1), (y0, y1, x0, x), (y0, y1, x, x1)]
    return boxes


@functools.cache
def _unit_boxes() -> NDArray[np.int64]:
    shares = [(0.0, 1.0, 0.0, 1.0)] * PARTS + list(part_boxes())
    boxes: NDArray[np.int64] = np.rint(np.array(shares) * GRID * UNIT).astype(np.int64)
    return boxes


@functools.cache
def bit_order() -> NDArray[np.int64]:
    """(128, 2): the frequency (v, u) of each bit; each half is closed under exchange of v and u."""
    pairs = [(v, u) for v in range(12) for u in range(12) if v + u > 0]
    by_length = sorted(pairs, key=lambda p: (p[0] ** 2 + p[1] ** 2, max(p), p))
    chosen = _closed(by_length)
    return np.array(chosen + _closed([p for p in by_length if p not in chosen]), np.int64)


def _closed(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The first 64 of sorted pairs, without leaving half of a mirrored couple behind."""
    taken: list[tuple[int, int]] = []
    for v, u in pairs:
        if (v, u) in taken:
            continue
        both = [(v, u)] if v == u else [(v, u), (u, v)]
        if len(taken) + len(both) <= 64:
            taken += both
    return taken


def turned(pixels: Array, turn: int) -> Array:
    """A picture or stack's last two axes turned: transposed where bit 4 is set, then columns (1) and rows (2) reversed;
    colours stay last. Turns 0..7 are the eight symmetries of the square."""
    rows = 0
    out = pixels.swapaxes(rows, rows + 1) if turn & 4 else pixels
    out = out[:, ::-1] if turn & 1 else out
    return out[::-1] if turn & 2 else out


def turned_hashes(hashes: Hashes, doubtful: Hashes, turn: int) -> Hashes:
    """The hashes of the same windows of `turned(picture, turn)`, without the picture: bits move, and change where a
    mirror changes the sign of their frequency; a doubtful bit is 0 either way."""
    if not turn:
        return hashes
    source, negated = _turn_table(turn)
    bits = (_bits(hashes)[:, source] ^ negated) & ~_bits(doubtful)[:, source] & 1
    packed = np.ascontiguousarray(np.packbits(bits, axis=1))
    return packed.view(">u8").astype(np.uint64).reshape(len(hashes), 2)


def _bits(hashes: Hashes) -> NDArray[np.uint8]:
    """(n, 128) of 0 and 1, the first bit highest."""
    return np.unpackbits(np.ascontiguousarray(hashes, ">u8").view(np.uint8).reshape(len(hashes), 16), axis=1)


@functools.cache
def _turn_table(turn: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    order = [(int(v), int(u)) for v, u in bit_order()]
    place = {pair: k for k, pair in enumerate(order)}
    source = [place[(u, v)] if turn & 4 else place[(v, u)] for v, u in order]
    negated = [((turn & 1) & u) ^ ((turn >> 1 & 1) & v) & 1 for v, u in order]
    return np.array(source), np.array([n & 1 for n in negated], np.uint8)


def inverse_turn(turn: int) -> int:
    """The turn that undoes `turn`."""
    if not turn & 4:
        return turn
    return 4 | (turn & 1) << 1 | (turn & 2) >> 1


def distance(one: Hashes, other: Hashes) -> NDArray[np.int64]:
    """Differing bits of (..., 2) hashes, 0..128."""
    different: Any = np.bitwise_count(one ^ other)
    return np.asarray(different.sum(axis=-1), np.int64)
