"""Numbers that are the same on every machine: random words, sines, kernels and sums for the degradations.

Random words are PCG64's own (`random_raw`), whose stream NumPy guarantees. Tables come from `math` and are rounded to
whole steps of 1/65536, which hides the last bit in which C libraries differ. All arrays are int64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]
ONE = 1 << 16  # fixed-point one
SIDE = 256  # pixels of the longer side on which artefacts of the whole picture are computed


def words(seed: int, salt: str, count: int) -> npt.NDArray[np.uint64]:
    """`count` random words of 64 bits that depend on the seed and the salt."""
    key = int.from_bytes(salt.encode()[:8].ljust(8, b"\0"), "big")
    return np.random.PCG64([seed & (2**64 - 1), key]).random_raw(count)


def whole(seed: int, salt: str, low: int, high: int, count: int = 1) -> list[int]:
    """Whole numbers from `low` to `high`, both included (modulo bias below 2**-40)."""
    return [low + int(word) % (high - low + 1) for word in words(seed, salt, count)]


def normal(seed: int, salt: str, shape: tuple[int, ...]) -> Ints:
    """Noise of mean 0 and deviation `ONE`: the sum of twelve uniform 16-bit numbers (Irwin-Hall)."""
    count = math.prod(shape)
    parts = words(seed, salt, 3 * count).view(np.uint16).reshape(count, 12)
    total = np.zeros(count, np.int64)
    for k in range(12):
        total += parts[:, k]
    return (2 * total - 12 * (ONE - 1)).reshape(shape) // 2


def fixed(value: float) -> int:
    """A real number in steps of 1/65536, half to even."""
    return round(value * ONE)


def sines(degrees: float) -> tuple[int, int]:
    """(cosine, sine) in fixed point."""
    return fixed(math.cos(math.radians(degrees))), fixed(math.sin(math.radians(degrees)))


def halved(values: Ints, divisor: int) -> Ints:
    """Division by a positive whole number, rounded half up."""
    return (2 * values + divisor) // (2 * divisor)


def box_means(pixels: Array, factor: int) -> Ints:
    """Means of factor x factor blocks, rounded; the last row and column are repeated to fill the last blocks."""
    if factor == 1:
        return pixels.astype(np.int64)
    height, width = (-(-n // factor) * factor for n in pixels.shape[:2])
    pads = [(0, height - pixels.shape[0]), (0, width - pixels.shape[1])] + [(0, 0)] * (pixels.ndim - 2)
    padded = np.pad(pixels, pads, mode="edge").astype(np.int64)
    split = padded.reshape(height // factor, factor, width // factor, factor, *pixels.shape[2:])
    return halved(split.sum(axis=(1, 3), dtype=np.int64), factor * factor)


def drawn_over(field: Ints, factor: int, size: tuple[int, int]) -> Ints:
    """A field of blocks' means over the pixels, bilinear between the blocks' centres; cut to `size` (y, x)."""
    if factor == 1:
        return field[: size[0], : size[1]]
    out = field
    for axis in (0, 1):
        at = np.arange(size[axis], dtype=np.int64) * 2 + 1 - factor  # in half pixels from the first centre
        place = np.clip(at, 0, 2 * factor * (field.shape[axis] - 1))
        low, share = place // (2 * factor), place % (2 * factor)
        share = share.reshape((-1,) + (1,) * (out.ndim - 1 - axis))
        first = np.take(out, low, axis)
        second = np.take(out, np.minimum(low + 1, field.shape[axis] - 1), axis)
        out = halved(first * (2 * factor - share) + second * share, 2 * factor)
    return out


def reduction(pixels: Array) -> int:
    """By which whole factor the longer side comes down to `SIDE` pixels or less."""
    longest: int = max(pixels.shape[:2])
    return max(1, -(-longest // SIDE))


def moved(pixels: Array, down: int, right: int) -> Array:
    """The picture shifted by whole pixels, its border repeated."""
    rows = np.clip(np.arange(pixels.shape[0]) - down, 0, pixels.shape[0] - 1)
    columns = np.clip(np.arange(pixels.shape[1]) - right, 0, pixels.shape[1] - 1)
    return pixels[rows][:, columns]


def mean_of(pixels: Array, shifts: list[tuple[int, int, int]]) -> Ints:
    """The mean of shifted copies: (down, right, weight) of each."""
    total = np.zeros(pixels.shape, np.int64)
    for down, right, weight in shifts:
        total += moved(pixels, down, right).astype(np.int64) * weight
    return halved(total, sum(weight for *_, weight in shifts))
