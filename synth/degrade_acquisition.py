"""Degradations of how a picture was acquired: projections of CT, phase encodings and coils of MR, motion in between.

Each function takes uint8 (y, x[, 3]), a level from 1 to 3 and a seed, and returns whole numbers of the same shape, not
yet clipped to 0..255. `synth.degrade` tells what is simplified.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

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
    normal,
    reduction,
    sines,
    whole,
)

ANGLES = 180  # directions of a full scan, one degree apart
_MISSING = (30, 60, 90)  # degrees without a projection
_VIEWS = (60, 36, 20)
_PHOTONS = (60_000, 15_000, 4_000)  # per ray that meets nothing
_ATTENUATION = 4.0  # of the densest ray
_TABLE = 256  # steps of attenuation
_FASTER = (2, 3, 4)
_CENTRE = (4, 8, 16)  # one line of so many is kept around the middle of k-space
_STEP = 1 << 20  # one, in the point spread function
_GHOSTS = (24, 40, 64)  # per 256
_SHADE = (fixed(0.35), fixed(0.6), fixed(0.9))
_REACH = (10, 22, 40)  # thousandths of the longer side
_FILTER = 1 << 30  # one, in the ramp filter


def _spline() -> Ints:
    """(4, 256): the weights of a cubic B-spline's four taps at each share of a bin, in 1/65536; they sum to one."""
    rows = []
    for share in range(256):
        f, g = share, 256 - share  # of 256
        outer = [(n**3 * ONE + 3 * 256**3) // (6 * 256**3) for n in (g, f)]
        second = ((3 * f**3 - 6 * 256 * f**2 + 4 * 256**3) * ONE + 3 * 256**3) // (6 * 256**3)
        rows.append([outer[0], second, ONE - outer[0] - second - outer[1], outer[1]])
    return np.array(rows, np.int64).T.copy()


_SPLINE = _spline()


def _over(pixels: Array, field_of: Callable[[Ints], Ints]) -> Ints:
    """The picture plus an artefact that is computed on its grey, shrunk copy."""
    grey = pixels.astype(np.int64) if pixels.ndim == 2 else halved(pixels.sum(axis=2, dtype=np.int64), 3)
    factor = reduction(pixels)
    field = drawn_over(field_of(box_means(grey, factor)), factor, (pixels.shape[0], pixels.shape[1]))
    return pixels.astype(np.int64) + (field if pixels.ndim == 2 else field[..., None])


# --- CT --------------------------------------------------------------------------------------------------------------


class Scan:
    """Parallel beams over a picture of `shape`, one degree apart, bins of one pixel, places in 1/256.

    Pixels are spread over four bins by a cubic B-spline, which keeps the beat of pixels against bins out of the
    projections (0.2 % at 45 degrees, where the linear spline has 5 %); bins are read between by the linear one.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.bins = math.isqrt(shape[0] ** 2 + shape[1] ** 2) + 7
        self._y = (2 * np.arange(shape[0], dtype=np.int64) - (shape[0] - 1))[:, None]
        self._x = (2 * np.arange(shape[1], dtype=np.int64) - (shape[1] - 1))[None, :]

    def _place(self, angle: int) -> tuple[Ints, Ints]:
        """The lower bin that each pixel falls into, and its share of the upper one in 1/256."""
        cosine, sine = sines(angle * 180 / ANGLES)
        place = (self._x * cosine + self._y * sine) >> 9  # half pixels in 1/65536 to pixels in 1/256
        return (place >> 8) + self.bins // 2, place & 255

    def projections(self, picture: Ints) -> Ints:
        """(angle, bin): line integrals x 256; sums of whole numbers below 2**53, exact in any order."""
        out = np.empty((ANGLES, self.bins), np.int64)
        flat = picture.reshape(-1)
        for angle in range(ANGLES):
            low, share = (part.reshape(-1) for part in self._place(angle))
            line = np.zeros(self.bins, np.float64)
            for tap in range(4):
                weights = (flat * _SPLINE[tap][share]).astype(np.float64)
                line += np.bincount(low + (tap - 1), weights=weights, minlength=self.bins)[: self.bins]
            out[angle] = halved(line.astype(np.int64), 256)
        return out

    def filtered(self, projections: Ints) -> Ints:
        """The ramp filter of Ramachandran and Lakshminarayanan (1971) by its taps: 1/4, and -1 / (pi n)**2 for odd n;
        in steps of 1/65536."""
        out = projections * (_FILTER // 4)
        for n in range(1, self.bins, 2):
            tap = round(_FILTER / (math.pi * n) ** 2)
            out[:, n:] -= projections[:, :-n] * tap
            out[:, :-n] -= projections[:, n:] * tap
        return out >> 22

    def backprojected(self, filtered: Ints, weights: list[int]) -> Ints:
        """The sum over directions, each weighted by so many degrees; grey levels."""
        total = np.zeros(self.shape, np.int64)
        for angle, weight in enumerate(weights):
            if weight:
                low, share = self._place(angle)
                line = filtered[angle]
                total += (line[low] * (256 - share) + line[low + 1] * share) * weight
        return halved((total >> 16) * fixed(math.pi / ANGLES), ONE << 8)


def _rescanned(shrunk: Ints, weights: list[int]) -> Ints:
    """What a scan with these weights shows beyond one of all directions."""
    scan = Scan((shrunk.shape[0], shrunk.shape[1]))
    filtered = scan.filtered(scan.projections(shrunk))
    return scan.backprojected(filtered, [weight - 1 for weight in weights])


def limited_angle(pixels: Array, level: int, seed: int) -> Ints:
    missing, first = _MISSING[level - 1], whole(seed, "limited", 0, ANGLES - 1)[0]
    gone = {(first + k) % ANGLES for k in range(missing)}
    return _over(pixels, functools.partial(_rescanned, weights=[0 if a in gone else 1 for a in range(ANGLES)]))


def sparse_view(pixels: Array, level: int, seed: int) -> Ints:
    step = ANGLES // _VIEWS[level - 1]
    first = whole(seed, "sparse", 0, step - 1)[0]
    weights = [step if a % step == first else 0 for a in range(ANGLES)]
    return _over(pixels, functools.partial(_rescanned, weights=weights))


def low_dose(pixels: Array, level: int, seed: int) -> Ints:
    def noise(shrunk: Ints) -> Ints:
        scan = Scan((shrunk.shape[0], shrunk.shape[1]))
        lines = scan.projections(shrunk)
        densest = max(int(lines.max()), 1)
        per = _ATTENUATION / _TABLE
        table = [fixed(math.exp(k * per / 2) / math.sqrt(_PHOTONS[level - 1]) / _ATTENUATION) for k in range(_TABLE)]
        spread = np.array(table, np.int64)[np.clip(lines * _TABLE // densest, 0, _TABLE - 1)]
        spread = halved(spread * densest, ONE)  # of a line integral x 256
        return scan.backprojected(
            scan.filtered(halved(normal(seed, "lowdose", lines.shape) * spread, ONE)), [1] * ANGLES
        )

    return _over(pixels, noise)


# --- MR --------------------------------------------------------------------------------------------------------------


def spread_function(count: int, faster: int, centre: int) -> list[int]:
    """What one point becomes along `count` samples, in steps of 2**-20, when of its spatial frequencies every
    `faster`-th is measured, and one `centre`-th of all around the middle."""
    half = max(1, count // centre // 2)
    kept = [k for k in range(-((count - 1) // 2), (count - 1) // 2 + 1) if abs(k) <= half or k % faster == 0]
    tables = [math.cos(2 * math.pi * n / count) for n in range(count)]
    return [round(math.fsum(tables[k * n % count] for k in kept) / count * _STEP) for n in range(count)]


def undersampling(pixels: Array, level: int, seed: int) -> Ints:
    axis = whole(seed, "encoded", 0, 1)[0]

    def field(shrunk: Ints) -> Ints:
        total = np.zeros(shrunk.shape, np.int64)
        for shift, weight in enumerate(spread_function(shrunk.shape[axis], _FASTER[level - 1], _CENTRE[level - 1])):
            total += np.roll(shrunk, shift, axis) * weight
        return np.abs(halved(total, _STEP)) - shrunk

    return _over(pixels, field)


def ghosting(pixels: Array, level: int, seed: int) -> Ints:
    axis, ghosts, sign = (
        whole(seed, f"ghost{k}", low, high)[0] for k, (low, high) in enumerate(((0, 1), (2, 5), (0, 1)))
    )
    shift, strength = pixels.shape[axis] // ghosts, _GHOSTS[level - 1]
    total = pixels.astype(np.int64) * 256
    for k in range(1, ghosts):
        away = min(k, ghosts - k)
        weight = strength // away * (-1 if sign and k % 2 else 1)
        total += np.roll(pixels, k * shift, axis).astype(np.int64) * weight
    return np.abs(halved(total, 256))


def bias_field(pixels: Array, level: int, seed: int) -> Ints:
    """A smooth shading: a polynomial of degree 2 in the place, from 1 - s to 1 + s."""
    height, width = pixels.shape[:2]
    y = ((2 * np.arange(height, dtype=np.int64) - (height - 1)) * ONE // height)[:, None]
    x = ((2 * np.arange(width, dtype=np.int64) - (width - 1)) * ONE // width)[None, :]
    a, b, c, d = (n if n else 40 for n in whole(seed, "shade", -100, 100, 4))
    terms = a * x + b * y + c * (x * y // ONE) + d * ((x * x + y * y) // (2 * ONE))
    most = max(1, int(np.abs(terms).max()))
    factor = ONE + terms * _SHADE[level - 1] // most
    return halved(pixels.astype(np.int64) * (factor if pixels.ndim == 2 else factor[..., None]), ONE)


def random_motion(pixels: Array, level: int, seed: int) -> Ints:
    """The mean of the picture and displaced copies: the subject lay elsewhere for parts of the acquisition. Higher
    levels move the same way, further."""
    reach = max(level, max(pixels.shape[:2]) * _REACH[level - 1] // 1000)
    parts = whole(seed, "moves", -100, 100, 6)
    steps = [reach * part // 100 for part in (*parts, 100, -60)]
    return mean_of(
        pixels, [(0, 0, 2), *((down, right, 1) for down, right in zip(steps[::2], steps[1::2], strict=True))]
    )
