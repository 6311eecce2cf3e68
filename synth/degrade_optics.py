"""Degradations of what stands before the sensor, of its exposure and noise, and of sharpness.

Each function takes uint8 (y, x[, 3]), a level from 1 to 3 and a seed, and returns whole numbers of the same shape, not
yet clipped to 0..255.
"""

from __future__ import annotations

import math

import numpy as np

from synth.degrade_numbers import (
    ONE,
    Array,
    Ints,
    box_means,
    drawn_over,
    fixed,
    halved,
    mean_of,
    moved,
    normal,
    sines,
    whole,
)

_TURN = (6, 14, 28)  # degrees
_CELLS, _SPOTS, _BUBBLES = (8, 18, 36), (12, 30, 70), (3, 7, 14)
_BLOOD = (150, 30, 40)
_SHIFT = (28, 48, 72)  # grey levels
_OVER, _UNDER = (0.65, 0.45, 0.3), (1.6, 2.3, 3.4)  # exponents
_CONTRAST = (154, 100, 56)  # per 256
_NOISE = (10, 20, 36)  # grey levels, one deviation
_FACTOR = (2, 4, 8)
_DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))


# --- geometry and sharpness ------------------------------------------------------------------------------------------


def rotation(pixels: Array, level: int, seed: int) -> Ints:
    """Turned about its middle, bilinear in 1/256; what comes from outside is black."""
    degrees = _TURN[level - 1] * (1 if whole(seed, "turn", 0, 1)[0] else -1)
    cosine, sine = sines(degrees)
    height, width = pixels.shape[:2]
    y = (2 * np.arange(height, dtype=np.int64) - (height - 1))[:, None]
    x = (2 * np.arange(width, dtype=np.int64) - (width - 1))[None, :]
    rows = ((y * cosine - x * sine) >> 9) + (height - 1) * 128
    columns = ((x * cosine + y * sine) >> 9) + (width - 1) * 128
    seen = (rows >= 0) & (rows <= (height - 1) * 256) & (columns >= 0) & (columns <= (width - 1) * 256)
    rows, columns = np.where(seen, rows, 0), np.where(seen, columns, 0)
    r, c = rows >> 8, columns >> 8
    lower, right = np.minimum(r + 1, height - 1), np.minimum(c + 1, width - 1)
    source = pixels.astype(np.int64)
    v, u = rows & 255, columns & 255
    if pixels.ndim == 3:
        v, u, seen = v[..., None], u[..., None], seen[..., None]
    upper = source[r, c] * (256 - u) + source[r, right] * u
    under = source[lower, c] * (256 - u) + source[lower, right] * u
    return np.where(seen, halved(upper * (256 - v) + under * v, 65536), 0)


def downsample(pixels: Array, level: int, seed: int) -> Ints:
    factor = _FACTOR[level - 1]
    return drawn_over(box_means(pixels, factor), factor, (pixels.shape[0], pixels.shape[1]))


def motion_blur(pixels: Array, level: int, seed: int) -> Ints:
    """The mean along a line in one of four directions."""
    half = max(level, max(pixels.shape[:2]) * level // 120)
    down, right = _DIRECTIONS[whole(seed, "way", 0, 3)[0]]
    return mean_of(pixels, [(down * k, right * k, 1) for k in range(-half, half + 1)])


def xray_motion_blur(pixels: Array, level: int, seed: int) -> Ints:
    """The mean along a line in any direction, the longer in a place the nearer to the turning points of a swing."""
    half = max(2 * level, max(pixels.shape[:2]) * level // 90)
    cosine, sine = sines(whole(seed, "swing", 0, 179)[0])
    places = {k: (halved_int(k * sine), halved_int(k * cosine)) for k in range(-half, half + 1)}
    return mean_of(pixels, [(down, right, 1 + 2 * abs(k) // half) for k, (down, right) in places.items()])


def halved_int(value: int) -> int:
    """A fixed-point number to the nearest whole one."""
    return (2 * value + ONE) // (2 * ONE)


def kernel(sigma: float) -> list[int]:
    """The taps of a Gaussian from its middle outwards, in steps of 1/65536, to 3 deviations; they need not sum to 1."""
    return [fixed(math.exp(-k * k / (2 * sigma * sigma))) for k in range(math.ceil(3 * sigma) + 1)]


def gaussian_blur(pixels: Array, level: int, seed: int) -> Ints:
    """Two passes, each rounded to 1/256 of a grey level."""
    taps = kernel(max(0.9 * level, max(pixels.shape[:2]) * level / 260))
    out = pixels.astype(np.int64) * 256
    for axis in (0, 1):
        total = out * taps[0]
        for k, tap in enumerate(taps[1:], 1):
            for step in (-k, k):
                total += moved(out, *((step, 0) if axis == 0 else (0, step))) * tap
        out = halved(total, taps[0] + 2 * sum(taps[1:]))
    return halved(out, 256)


# --- light and noise -------------------------------------------------------------------------------------------------


def brightness(pixels: Array, level: int, seed: int) -> Ints:
    sign = 1 if whole(seed, "light", 0, 1)[0] else -1
    return pixels.astype(np.int64) + sign * _SHIFT[level - 1]


def exposure(pixels: Array, level: int, seed: int) -> Ints:
    """Too long (washed out) or too short: grey levels to a power, through a table."""
    power = (_OVER if whole(seed, "exposed", 0, 1)[0] else _UNDER)[level - 1]
    table = np.array([round(255 * math.pow(v / 255, power)) for v in range(256)], np.int64)
    return table[pixels]


def reduced_contrast(pixels: Array, level: int, seed: int) -> Ints:
    middle = (2 * int(pixels.sum(dtype=np.int64)) + pixels.size) // (2 * pixels.size)
    return middle + halved((pixels.astype(np.int64) - middle) * _CONTRAST[level - 1], 256)


def gaussian_noise(pixels: Array, level: int, seed: int) -> Ints:
    return pixels.astype(np.int64) + halved(normal(seed, "noise", pixels.shape) * _NOISE[level - 1], ONE)


# --- things in the way -----------------------------------------------------------------------------------------------


def _discs(pixels: Array, seed: int, salt: str, count: int, reach: tuple[int, int]) -> list[tuple[int, int, int]]:
    """(y, x, radius) of discs; radii between the picture's longer side over reach[0] and over reach[1]."""
    side = max(pixels.shape[:2])
    low, high = max(1, side // reach[0]), max(2, side // reach[1])
    ys = whole(seed, f"{salt}y", 0, pixels.shape[0] - 1, count)
    xs = whole(seed, f"{salt}x", 0, pixels.shape[1] - 1, count)
    return list(zip(ys, xs, whole(seed, f"{salt}r", low, high, count), strict=True))


def _around(pixels: Array, disc: tuple[int, int, int]) -> tuple[tuple[slice, slice], Ints]:
    """The window of a disc, and how far each of its pixels is from the middle: distance² / radius² in 1/256."""
    y, x, radius = disc
    rows, columns = (slice(max(0, n - radius), n + radius + 1) for n in (y, x))
    dy = np.arange(rows.start, min(rows.stop, pixels.shape[0]), dtype=np.int64)[:, None] - y
    dx = np.arange(columns.start, min(columns.stop, pixels.shape[1]), dtype=np.int64)[None, :] - x
    return (rows, columns), (dy * dy + dx * dx) * 256 // (radius * radius)


def _tinted(patch: Ints, colour: tuple[int, int, int], alpha: Ints) -> Ints:
    """A patch mixed with a colour, or its luma where the picture is grey, by `alpha` in 1/256."""
    if patch.ndim == 2:
        luma = (299 * colour[0] + 587 * colour[1] + 114 * colour[2]) // 1000
        return halved(patch * (256 - alpha) + luma * alpha, 256)
    wide = alpha[..., None]
    return halved(patch * (256 - wide) + np.array(colour, np.int64) * wide, 256)


def blood_cell(pixels: Array, level: int, seed: int) -> Ints:
    """Red cells, paler in the middle, as they lie over a slide."""
    out = pixels.astype(np.int64)
    for disc in _discs(pixels, seed, "cell", _CELLS[level - 1], (40, 22)):
        where, far = _around(pixels, disc)
        alpha = np.where(far > 256, 0, np.where(far < 64, 110, 190))
        out[where] = _tinted(out[where], _BLOOD, alpha)
    return out


def dark_spots(pixels: Array, level: int, seed: int) -> Ints:
    """Specks of dust: black in the middle, fading outwards."""
    out = pixels.astype(np.int64)
    for disc in _discs(pixels, seed, "spot", _SPOTS[level - 1], (120, 45)):
        where, far = _around(pixels, disc)
        out[where] = _tinted(out[where], (0, 0, 0), np.clip(288 - far, 0, 235) * (far <= 256))
    return out


def bubble(pixels: Array, level: int, seed: int) -> Ints:
    """Air bubbles: a bright rim with a dark line inside it, and a veil over what lies beneath."""
    out = pixels.astype(np.int64)
    for disc in _discs(pixels, seed, "bubble", _BUBBLES[level - 1], (22, 9)):
        where, far = _around(pixels, disc)
        rim, line = (far > 200) & (far <= 256), (far > 150) & (far <= 200)
        out[where] = _tinted(out[where], (245, 245, 245), np.where(rim, 170, np.where(far <= 150, 48, 0)))
        out[where] = _tinted(out[where], (20, 20, 20), np.where(line, 110, 0))
    return out
