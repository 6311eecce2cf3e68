"""The compiled loops behind looks: reduce a picture, hash its windows, compare hashes, align two pictures.

Imports numba, so it is imported where the first picture is met. Hashes come from integers alone; scores from float64 in
a fixed order without fused or reordered sums (no fastmath, no BLAS), so both repeat on every CPU.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

numba: Any = importlib.import_module("numba")  # not annotated
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compiled where it is first called, and kept beside the code for the next process."""
    return cast(Function, numba.njit(cache=True)(function))


Array = Any  # what numba compiles has no types that mypy could check
Number = Any
SIDE = 32  # values of a window that is hashed, along each side
BANDS = 12  # frequencies kept along each side
RANKS = 1024
WRITING = 10  # cells of the height of a line written in a margin
STEPS = 64  # of a window's grey scale
STEEPEST = 3.0
_SCALE = 4096
SMALL = 12.0 * _SCALE * _SCALE * (SIDE // 2)  # the coefficients of white noise of twelve ranks: no sign to rely on
_TRANSFORM = np.rint(_SCALE * np.cos(np.pi * np.outer(2 * np.arange(SIDE) + 1, np.arange(BANDS)) / (2 * SIDE)))


@compiled
def reduce_grey(pixels: Array, low: Number, top: Number, rows: Array, out: Array) -> None:
    """Area means of (y, x) integers, less `low`, over out's square grid, as 0..65535 of `top`; exact. `rows` is work
    space, (side, width) zeros of a type that holds height times `top`."""
    height, width = pixels.shape
    side = len(out)
    for y in range(height):
        start, end = y * side, (y + 1) * side
        row = start // height
        while row * height < end:
            weight = rows.dtype.type(min(end, (row + 1) * height) - max(start, row * height))
            for x in range(width):
                rows[row, x] += weight * (rows.dtype.type(pixels[y, x]) - rows.dtype.type(low))
            row += 1
    columns(rows, height, top, out)


@compiled
def reduce_bytes(pixels: Array, out: Array) -> None:
    """`reduce_grey` of (y, x) uint8, a row of the grid at a time, so that what it works on stays in the cache."""
    height, width = pixels.shape
    side = len(out)
    whole, line = np.empty(width, np.uint16), np.empty(width, np.int32)
    cuts, sums = _cuts(width, side), np.zeros(width + 1, np.int64)
    scale = 65535.0 / (255.0 * height * width)
    for row in range(side):
        _sum_rows(pixels, row, side, whole, line)
        _spread(line, cuts, sums, scale, out[row])


@compiled
def reduce_colour(flat: Array, out: Array) -> None:
    """The same of (y, 3 x) uint8, by ITU-R BT.601 luma in 16-bit fixed point."""
    height, width = flat.shape
    side = len(out)
    whole, line = np.empty(width, np.uint16), np.empty(width, np.int32)
    luma = np.empty(width // 3, np.int64)
    cuts, sums = _cuts(width // 3, side), np.zeros(width // 3 + 1, np.int64)
    scale = 65535.0 / (255.0 * 65536.0 * height * (width // 3))
    for row in range(side):
        _sum_rows(flat, row, side, whole, line)
        for x in range(width // 3):
            red, green = np.int64(line[3 * x]) * 19595, np.int64(line[3 * x + 1]) * 38470
            luma[x] = red + green + np.int64(line[3 * x + 2]) * 7471
        _spread(luma, cuts, sums, scale, out[row])


@compiled
def _sum_rows(pixels: Array, row: Number, side: Number, whole: Array, line: Array) -> None:
    """What falls into one row of the grid, weighed, into `line`; rows that do so whole are first summed in 16 bits."""
    height, width = pixels.shape
    first, last = -(-row * height // side), (row + 1) * height // side
    line[:] = 0
    for start in range(first, last, 256):
        whole[:] = 0
        for y in range(start, min(last, start + 256)):
            for x in range(width):
                whole[x] += np.uint16(pixels[y, x])
        for x in range(width):
            line[x] += np.int32(side) * np.int32(whole[x])
    for y in range(row * height // side, -(-(row + 1) * height // side)):
        if not first <= y < last:
            weight = np.int32(min((y + 1) * side, (row + 1) * height) - max(y * side, row * height))
            for x in range(width):
                line[x] += weight * np.int32(pixels[y, x])


@compiled
def columns(rows: Array, height: Number, top: Number, out: Array) -> None:
    """Means over the columns' boxes of rows that are summed over `height` rows, on the scale of 0..65535; `out` has as
    many rows."""
    width = rows.shape[1]
    cuts, sums = _cuts(width, out.shape[1]), np.zeros(width + 1, np.int64)
    for y in range(len(rows)):
        _spread(rows[y], cuts, sums, 65535.0 / (np.float64(top) * height * width), out[y])


@compiled
def _cuts(width: Number, side: Number) -> Array:
    """(2, side): the columns before each box's end, whole ones and parts in 1/side."""
    cuts = np.empty((2, side), np.int64)
    for i in range(side):
        cuts[0, i], cuts[1, i] = (i + 1) * width // side, (i + 1) * width % side
    return cuts


@compiled
def _spread(line: Array, cuts: Array, sums: Array, scale: Number, out: Array) -> None:
    """One row of `columns`; `sums` is work space whose first value is 0."""
    side = len(out)
    running = np.int64(0)
    for x in range(len(line)):
        running += line[x]
        sums[x + 1] = running
    before = np.int64(0)
    for i in range(side):
        whole, part = cuts[0, i], cuts[1, i]
        upto = sums[whole] * side
        if part:
            upto += part * (sums[whole + 1] - sums[whole])
        out[i] = np.uint16(np.float64(upto - before) * scale + 0.5)
        before = upto


@compiled
def quantise(plane: Array, low: Number, scale: Number, out: Array) -> None:
    """(value - low) * scale, rounded and clipped to 0..65535; NaN becomes 0."""
    for y in range(plane.shape[0]):
        for x in range(plane.shape[1]):
            value = (np.float64(plane[y, x]) - low) * scale
            value = value if value > 0.0 else 0.0
            out[y, x] = np.uint16(np.int32((value if value < 65535.0 else 65535.0) + 0.5))


@compiled
def weigh(plane: Array, weight: Number, sums: Array) -> None:
    """Add weight times plane, (y, x) uint16, to sums, int32 or int64."""
    factor = sums.dtype.type(weight)
    for y in range(plane.shape[0]):
        for x in range(plane.shape[1]):
            sums[y, x] += factor * sums.dtype.type(plane[y, x])


@compiled
def reduce_rows(sums: Array, top: Number, chosen: Array, out: Array) -> None:
    """Of the chosen columns of (y, x) sums the means over as many boxes of rows as out (chosen, boxes) has, as 0..65535
    of `top`; exact."""
    height, width = sums.shape
    side = out.shape[1]
    scale = 65535.0 / (np.float64(top) * height)
    held = np.empty(width, np.int64)
    for box in range(side):
        held[:] = 0
        for y in range(box * height // side, -(-(box + 1) * height // side)):
            weight = np.int64(min((y + 1) * side, (box + 1) * height) - max(y * side, box * height))
            for x in range(width):
                held[x] += weight * np.int64(sums[y, x])
        for n in range(len(chosen)):
            out[n, box] = np.uint16(np.float64(held[chosen[n]]) * scale + 0.5)


@compiled
def peel(cells: Array, tolerance: Number, share: Number, one_colour: Number, box: Array) -> None:
    """Shrink box (y0, y1, x0, x1) while an outer line has one value: `share` percent of its cells lie within
    `tolerance` of its median, which with `one_colour` must be that of the outermost line of its edge. Up to WRITING
    lines that have not are passed where two even ones of the last one's value follow: something is written in the
    margin."""
    side = cells.shape[0]
    last, peeled = np.empty(4, np.int64), np.zeros(4, np.int64)
    for edge in range(4):
        last[edge] = _line(cells, edge, 0, box, (tolerance, share)) & 65535
    moved = True
    while moved:
        moved = False
        for edge in range(4):
            while True:
                limits = tolerance, share, last[edge]
                found = _steps(cells, edge, box, limits, one_colour, peeled[edge] > 0)
                steps = found >> 16
                if not steps or box[1] - box[0] - steps < side // 4 or box[3] - box[2] - steps < side // 4:
                    break
                if not one_colour:
                    last[edge] = found & 65535
                box[edge] += -steps if edge & 1 else steps
                peeled[edge] += steps
                moved = True


@compiled
def _steps(cells: Array, edge: Number, box: Array, limits: Array, one_colour: bool, begun: bool) -> Number:
    """How many lines to peel off next, in bits from 16 on, and the last one's median below: one, or what is written and
    the line after it, or none."""
    tolerance, share, last = limits
    line = _line(cells, edge, 0, box, (tolerance, share))
    if line >> 16 and (not one_colour or abs((line & 65535) - last) <= tolerance):
        return (1 << 16) + (line & 65535)
    if not begun:
        return 0
    before = 0
    for k in range(1, WRITING + 2):
        if box[1] - box[0] <= k + 1 or box[3] - box[2] <= k + 1:
            return 0
        line = _line(cells, edge, k, box, (tolerance, share))
        if before >> 16 and line >> 16:
            near = abs((before & 65535) - last) <= tolerance and abs((line & 65535) - last) <= tolerance
            return (k << 16) + (before & 65535) if near else 0
        before = line
    return 0


@compiled
def _line(cells: Array, edge: Number, depth: Number, box: Array, limits: Array) -> Number:
    """The median of the line `depth` lines inside an edge of the box, and 65536 more where the line is even."""
    tolerance, share = limits
    at = box[edge] - 1 - depth if edge & 1 else box[edge] + depth
    line = cells[at, box[2] : box[3]] if edge < 2 else cells[box[0] : box[1], at]
    least, most = line[0], line[0]
    for k in range(len(line)):
        least, most = min(least, line[k]), max(most, line[k])
    middle = np.int64(least) if least == most else _median(line)
    near = 0
    for k in range(len(line)):
        near += abs(np.int64(line[k]) - middle) <= tolerance
    return middle + (65536 if near * 100 >= share * len(line) else 0)


@compiled
def _median(line: Array) -> Number:
    """The value at half of the length in sorted order, by counting high and then low bytes."""
    wanted = len(line) // 2
    counts = np.zeros(256, np.int64)
    for k in range(len(line)):
        counts[line[k] >> 8] += 1
    high = 0
    while wanted >= counts[high]:
        wanted -= counts[high]
        high += 1
    counts[:] = 0
    for k in range(len(line)):
        if line[k] >> 8 == high:
            counts[line[k] & 255] += 1
    low = 0
    while wanted >= counts[low]:
        wanted -= counts[low]
        low += 1
    return np.int64(high * 256 + low)


@compiled
def refine(cells: Array, unit: Number, box: Array, out: Array) -> None:
    """`box` in 1/unit of a cell, with what a kept outer line holds of the border beside it taken off: as much of it as
    lies between the next line's values and the border's."""
    for edge in range(4):
        out[edge] = box[edge] * unit
        at, inward = box[edge] - (edge & 1), 1 - 2 * (edge & 1)
        if not 0 <= at - inward < cells.shape[0]:
            continue
        first, last = (box[2], box[3]) if edge < 2 else (box[0], box[1])
        shared, whole = np.int64(0), np.int64(0)
        for k in range(first, last):
            if edge < 2:
                border, mixed, beside = cells[at - inward, k], cells[at, k], cells[at + inward, k]
            else:
                border, mixed, beside = cells[k, at - inward], cells[k, at], cells[k, at + inward]
            step = np.int64(border) - np.int64(beside)
            shared += (np.int64(mixed) - np.int64(beside)) * (1 if step > 0 else -1)
            whole += abs(step)
        if whole > 0 and shared > 0:
            out[edge] += inward * min(unit, unit * shared // whole)


@compiled
def integral(cells: Array, out: Array) -> None:
    """Sums over [0, y) x [0, x), whole numbers in float64."""
    side = cells.shape[0]
    for y in range(side):
        running = np.int64(0)
        for x in range(side):
            running += np.int64(cells[y, x])
            out[y + 1, x + 1] = out[y, x + 1] + np.float64(running)


@compiled
def window_values(sums: Array, box: Array, unit: Number, values: Array) -> Number:
    """A window's SIDE x SIDE area means, evenly spread over RANKS steps about 0; returns their range in 1/65536 of the
    grey scale. The box (y0, y1, x0, x1) is in 1/unit of a cell of the grid whose sums are given. Whole numbers below
    2^53 in float64, which are exact and which processors multiply several at a time."""
    width = sums.shape[0]
    scale = SIDE * unit
    whole, part = np.empty(SIDE + 1, np.int64), np.empty(SIDE + 1, np.float64)
    for j in range(SIDE + 1):
        x = box[2] * SIDE + j * (box[3] - box[2])
        whole[j], part[j] = x // scale, x % scale
    upper, lower = np.zeros(width), np.zeros(width)
    band = np.zeros(width + 1)
    means = np.empty((SIDE, SIDE), np.float64)
    for i in range(SIDE + 1):
        y = box[0] * SIDE + i * (box[1] - box[0])
        row, share = y // scale, np.float64(y % scale)
        after = min(row + 1, width - 1)
        for k in range(width):
            lower[k] = sums[row, k] * scale + share * (sums[after, k] - sums[row, k])
            band[k] = lower[k] - upper[k]
        upper, lower = lower, upper
        if i:
            band[width] = band[width - 1]
            before = band[whole[0]] * scale + part[0] * (band[whole[0] + 1] - band[whole[0]])
            for j in range(SIDE):
                at = whole[j + 1]
                upto = band[at] * scale + part[j + 1] * (band[at + 1] - band[at])
                means[i - 1, j] = upto - before
                before = upto
    least, most = means[0].copy(), means[0].copy()
    for i in range(1, SIDE):
        for j in range(SIDE):
            least[j] = means[i, j] if means[i, j] < least[j] else least[j]
            most[j] = means[i, j] if means[i, j] > most[j] else most[j]
    low, high = least.min(), most.max()
    _equalised(means, low, high, values)
    return np.int64(high - low) // ((box[1] - box[0]) * (box[3] - box[2]))


@compiled
def _equalised(means: Array, low: Number, high: Number, values: Array) -> None:
    """Grey values spread evenly, as far as noise allows: a step of the scale grows at most STEEPEST times. Products and
    sums of float64 in a fixed order, then whole numbers. Counts are kept four times over, so that one need not wait for
    the one before it."""
    factor = STEPS / (high - low + 1.0)
    steps = np.empty((SIDE, SIDE), np.int32)
    for i in range(SIDE):
        for j in range(SIDE):
            values[i, j] = (means[i, j] - low) * factor
            steps[i, j] = np.int32(values[i, j])
    counted = np.zeros((4, STEPS), np.int32)
    for i in range(SIDE):
        for j in range(0, SIDE, 4):
            counted[0, steps[i, j]] += 1
            counted[1, steps[i, j + 1]] += 1
            counted[2, steps[i, j + 2]] += 1
            counted[3, steps[i, j + 3]] += 1
    most = STEEPEST * SIDE * SIDE / STEPS
    counts, below = np.empty(STEPS, np.float64), np.zeros(STEPS + 1, np.float64)
    for k in range(STEPS):
        counts[k] = min(float(counted[0, k] + counted[1, k] + counted[2, k] + counted[3, k]), most)
        below[k + 1] = below[k] + counts[k]
    scale = RANKS / below[STEPS]
    for i in range(SIDE):
        for j in range(SIDE):
            step = steps[i, j]
            value = (below[step] + counts[step] * (values[i, j] - step)) * scale
            values[i, j] = np.floor(value) - RANKS // 2


@compiled
def transform(values: Array, table: Array, out: Array) -> None:
    """The BANDS x BANDS lowest coefficients of an integer cosine transform (DCT-II, unscaled). Integers in float64:
    every sum stays below 2^53, so each is exact whatever its order. Even frequencies are mirrored, odd ones negated
    about the middle, so halves are folded first."""
    rows = np.zeros((BANDS, SIDE))
    folded = _folded(values)
    for v in range(BANDS):
        for y in range(SIDE // 2):
            factor = table[y, v]
            for x in range(SIDE):
                rows[v, x] += factor * folded[v & 1, y, x]
    out[:] = 0.0
    for v in range(BANDS):
        for x in range(SIDE // 2):
            even, odd = rows[v, x] + rows[v, SIDE - 1 - x], rows[v, x] - rows[v, SIDE - 1 - x]
            for u in range(0, BANDS, 2):
                out[v, u] += even * table[x, u]
                out[v, u + 1] += odd * table[x, u + 1]


@compiled
def _folded(values: Array) -> Array:
    """The sums, and the differences, of rows that mirror each other about the middle."""
    folded = np.empty((2, SIDE // 2, SIDE))
    for y in range(SIDE // 2):
        for x in range(SIDE):
            folded[0, y, x] = values[y, x] + values[SIDE - 1 - y, x]
            folded[1, y, x] = values[y, x] - values[SIDE - 1 - y, x]
    return folded


@compiled
def hash_windows(cells: Array, boxes: Array, unit: Number, tables: Array, out: Array, spreads: Array) -> None:
    """For each box the signs of its coefficients, out[n, :2], and which of them are too small to have one, out[n, 2:],
    two uint64 each. `tables` are the cosines and the (128, 2) frequencies (v, u) of bit 63 downwards, twice."""
    side = cells.shape[0]
    sums = np.zeros((side + 1, side + 1), np.float64)
    integral(cells, sums)
    values = np.empty((SIDE, SIDE), np.float64)
    found = np.empty((BANDS, BANDS), np.float64)
    cosines, order = tables
    for n in range(len(boxes)):
        spreads[n] = window_values(sums, boxes[n], unit, values)
        transform(values, cosines, found)
        for half in range(2):
            signs, small = np.uint64(0), np.uint64(0)
            for k in range(64):
                value = found[order[64 * half + k, 0], order[64 * half + k, 1]]
                signs = (signs << np.uint64(1)) | np.uint64(value > SMALL)
                small = (small << np.uint64(1)) | np.uint64(abs(value) <= SMALL)
            out[n, half], out[n, 2 + half] = signs, small


def table() -> Array:
    """The cosine table, integers in float64, (SIDE, BANDS)."""
    return _TRANSFORM


@compiled
def _ones(word: Array) -> Number:
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@compiled
def probe(queries: Array, mine: Array, index: Array, plan: Array, limits: Array, out: Array) -> Number:
    """Fill `out` with (query, place in the sorted index, distance) of one band; returns how many there are, of which
    only as many as `out` has room for are written."""
    hashes, owners, starts = index
    shape, number, flips = plan
    radius_low, radius, upper = limits
    mask = (np.int64(1) << shape[number, 1]) - 1
    held = 0
    for q in range(len(queries)):
        low, high = queries[q, 0], queries[q, 1]
        value = np.int64(low >> np.uint64(shape[number, 0])) & mask
        for f in range(len(flips)):
            bucket = value ^ flips[f]
            for k in range(starts[bucket], starts[bucket + 1]):
                differing = low ^ hashes[k, 0]
                near = _ones(differing)
                if near > radius_low or owners[k] == mine[q] or (upper and owners[k] < mine[q]):
                    continue
                near += _ones(high ^ hashes[k, 1])
                if near > radius or _is_known(differing, shape, number):
                    continue
                if held < len(out):
                    out[held, 0], out[held, 1], out[held, 2] = q, k, near
                held += 1
    return held


@compiled
def _is_known(differing: Array, shape: Array, number: Number) -> Number:
    """Whether a band before this one is near enough too."""
    for b in range(number):
        part = (differing >> np.uint64(shape[b, 0])) & np.uint64((1 << shape[b, 1]) - 1)
        if _ones(part) <= shape[b, 2]:
            return True
    return False
