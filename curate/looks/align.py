"""The compiled loops that align two reduced pictures and compare them piece by piece.

Imports numba. Float64 in a fixed order, no fastmath, no library of linear algebra: a score repeats on every CPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.looks.kernels import compiled

Array = Any  # what numba compiles has no types that mypy could check
Number = Any


@compiled
def blur(image: Array, radius: Number, out: Array) -> None:
    """Means over (2 radius + 1) squared, of what lies inside the picture."""
    height, width = image.shape
    sums = np.zeros((height + 1, width + 1))
    for y in range(height):
        running = 0.0
        for x in range(width):
            running += image[y, x]
            sums[y + 1, x + 1] = sums[y, x + 1] + running
    for y in range(height):
        top, bottom = max(0, y - radius), min(height, y + radius + 1)
        for x in range(width):
            left, right = max(0, x - radius), min(width, x + radius + 1)
            total = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
            out[y, x] = total / ((bottom - top) * (right - left))


@compiled
def local_contrast(image: Array, radius: Number, floor: Number, out: Array, spread: Array) -> None:
    """Each value less its surroundings' mean, by their spread or `floor` where that is larger; and the spread."""
    mean = np.empty_like(image)
    blur(image, radius, mean)
    squares = np.empty_like(image)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            out[y, x] = image[y, x] - mean[y, x]
            squares[y, x] = out[y, x] * out[y, x]
    blur(squares, radius, mean)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            spread[y, x] = np.sqrt(max(0.0, mean[y, x]))
            out[y, x] /= max(floor, spread[y, x])


@compiled
def sample(image: Array, y: Number, x: Number) -> Number:
    """Linear interpolation; NaN outside the centres of the outer pixels."""
    height, width = image.shape
    if not (0.0 <= y <= height - 1.0 and 0.0 <= x <= width - 1.0):
        return np.nan
    j, i = min(int(y), height - 2), min(int(x), width - 2)
    b, a = y - j, x - i
    above = image[j, i] * (1 - a) + image[j, i + 1] * a
    below = image[j + 1, i] * (1 - a) + image[j + 1, i + 1] * a
    return above * (1 - b) + below * b


@compiled
def refine(fixed: Array, moving: Array, place: Array, turns: Number) -> None:
    """Move `place` (y scale, y shift, x scale, x shift: fixed to moving pixels) to where the pictures differ least
    (Gauss-Newton; Lucas and Kanade 1981); it stays where it is when there is nothing to go by."""
    height, width = fixed.shape
    for _ in range(turns):
        normal = np.zeros((4, 5))
        slope = np.empty(4)
        for y in range(height):
            v = place[0] * y + place[1]
            for x in range(width):
                u = place[2] * x + place[3]
                value = sample(moving, v, u)
                down, up = sample(moving, v + 0.5, u), sample(moving, v - 0.5, u)
                right, left = sample(moving, v, u + 0.5), sample(moving, v, u - 0.5)
                error = fixed[y, x] - value
                steepness = (down - up) + (right - left)
                if np.isnan(error + steepness):
                    continue
                weight = 1.0 / (1.0 + error * error)  # what is written over one of the two pulls less
                slope[0], slope[1], slope[2], slope[3] = (down - up) * y, down - up, (right - left) * x, right - left
                for i in range(4):
                    for j in range(4):
                        normal[i, j] += weight * slope[i] * slope[j]
                    normal[i, 4] += weight * slope[i] * error
        if not solve(normal):
            return
        for i in range(4):
            place[i] += normal[i, 4]


@compiled
def solve(rows: Array) -> bool:
    """Gauss-Jordan with row exchange on (4, 5), in place; False for a system without one solution."""
    for i in range(4):
        rows[i, i] *= 1.0 + 1e-9
        pivot = i
        for k in range(i + 1, 4):
            if abs(rows[k, i]) > abs(rows[pivot, i]):
                pivot = k
        if abs(rows[pivot, i]) < 1e-9:
            return False
        for j in range(5):
            rows[i, j], rows[pivot, j] = rows[pivot, j], rows[i, j]
        for k in range(4):
            if k != i:
                factor = rows[k, i] / rows[i, i]
                for j in range(i, 5):
                    rows[k, j] -= factor * rows[i, j]
    for i in range(4):
        rows[i, 4] /= rows[i, i]
    return True


@compiled
def compare(fixed: Array, moving: Array, spreads: Array, place: Array, limits: Array, scores: Array) -> Number:
    """The correlation of each block of the fixed picture with what lies there of the moving one, into `scores`; NaN
    where neither shows anything or too little overlaps. Returns the number of blocks that could be compared.

    `spreads` are the two pictures' local spreads, `limits` the block's side and the floor of the spread.
    """
    side, floor = int(limits[0]), limits[1]
    rows, columns = fixed.shape[0] // side, fixed.shape[1] // side
    compared = 0
    for n in range(rows * columns):
        top, start = n // columns * side, n % columns * side
        count, telling = 0, 0
        sa = sb = saa = sbb = sab = 0.0
        for y in range(top, top + side):
            for x in range(start, start + side):
                v, u = place[0] * y + place[1], place[2] * x + place[3]
                b = sample(moving, v, u)
                if np.isnan(b):
                    continue
                a = fixed[y, x]
                count += 1
                telling += max(spreads[0][y, x], sample(spreads[1], v, u)) >= floor
                sa, sb, saa, sbb, sab = sa + a, sb + b, saa + a * a, sbb + b * b, sab + a * b
        scores[n] = np.nan
        if count * 2 < side * side or telling * 4 < count:
            continue
        one, other = saa - sa * sa / count, sbb - sb * sb / count
        compared += 1
        scores[n] = (sab - sa * sb / count) / np.sqrt(max(one, 1e-12) * max(other, 1e-12)) if one > 1e-9 else 0.0
    return compared
