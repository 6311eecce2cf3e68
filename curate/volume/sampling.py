"""Arrays on other grids: separable filters of one weight per source voxel and axis, and the cubic B-spline.

A grid axis is sampled at continuous source indices; voxel i covers i - 0.5 to i + 0.5. For each output index a run of
neighbouring source voxels and their float32 weights (`Taps`) is made once per axis; a slice is then the weighted sum of
source slices, its rows of rows, its columns of columns. Only elementwise float32 products and sums are used, in a fixed
order and without linear algebra libraries, so results repeat on every CPU. Beside input and output a few slices of
float32 are held (for B-splines one float32 copy of the input).

    nearest    one voxel; a position halfway between two takes the upper one, as ITK does
    linear     the two neighbours; with antialiasing the triangle widened to the output step (as Pillow's BILINEAR)
    bspline    interpolating cubic B-spline, mirrored at the borders (Unser 1999, IEEE Signal Process. Mag. 16(6));
               with antialiasing, axes that are shrunk take the widened triangle instead
    gaussian   standard deviation half an output step, at least half a voxel, cut at 3 standard deviations: for masks
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Array
from curate.volume.grids import ALONG, Matrix, Size

Kernel = Literal["nearest", "linear", "bspline", "gaussian"]
Floats = NDArray[np.float32]
Prepare = Callable[[Array], Floats]
Kernels = tuple[Kernel, Kernel, Kernel]  # of the source's z, y and x

POLE = math.sqrt(3) - 2  # of the cubic B-spline's inverse filter
HORIZON = 16  # voxels after which the pole's powers vanish in float32
_EDGE = 1e-6  # voxels: a position on the border of two belongs to the upper one, whatever the last bit says


@dataclass(frozen=True, slots=True, eq=False)
class Taps:
    """How one axis is read: output i is the sum over k of `weights[i, k]` times source voxel `first[i] + k`.

    `first` int64 (n,), `weights` float32 (n, k) with rows that sum to 1, `inside` (n,): the position lies in a voxel.
    """

    first: NDArray[np.int64]
    weights: Floats
    inside: NDArray[np.bool_]

    @property
    def is_identity(self) -> bool:
        """Whether every source voxel is taken once, in order."""
        plain = self.weights.shape[1] == 1 and bool((self.weights == 1).all())
        return plain and np.array_equal(self.first, np.arange(len(self.first)))

    def part(self, start: int, stop: int) -> Taps:
        """The taps of outputs `start` to `stop`."""
        return Taps(self.first[start:stop], self.weights[start:stop], self.inside[start:stop])


def positions(count: int, step: float, offset: float) -> NDArray[np.float64]:
    """Source indices of `count` outputs: step x i + offset; whole numbers stay whole."""
    at = np.arange(count, dtype=np.float64) * step + offset
    whole = np.rint(at)
    return np.where(np.abs(at - whole) < _EDGE, whole, at)


def taps(length: int, at: NDArray[np.float64], step: float, kernel: Kernel, antialias: bool = False) -> Taps:
    """The taps of an axis of `length` voxels read at source indices `at`, whose distance is `step` voxels.

    Beyond the first and last voxel centre the border voxel counts on (for B-splines: mirrored), up to half a voxel;
    what lies farther, or on the upper face of the last voxel, is not `inside`.
    """
    inside = (at >= -0.5 - _EDGE) & (at < length - 0.5 - _EDGE)
    clamped = np.clip(at, -0.5, length - 0.5)
    wide = max(1.0, abs(step))
    if kernel == "nearest" or length == 1:
        first = np.clip(np.floor(clamped + 0.5 + _EDGE), 0, length - 1).astype(np.int64)
        return Taps(first, np.ones((len(at), 1), np.float32), inside)
    if kernel == "gaussian":
        sigma = 0.5 * wide
        return _windowed(length, clamped, math.ceil(3 * sigma), lambda x: np.exp(-0.5 * (x / sigma) ** 2), inside)
    if antialias and wide > 1:
        return _windowed(length, clamped, math.ceil(wide), lambda x: np.maximum(0.0, 1 - np.abs(x) / wide), inside)
    if kernel == "bspline":
        return _folded(length, clamped, inside)
    between = np.clip(clamped, 0.0, length - 1.0)
    first = np.minimum(np.floor(between).astype(np.int64), length - 2)
    upper = (between - first).astype(np.float32)
    return Taps(first, np.stack([1 - upper, upper], axis=1), inside)


def _windowed(
    length: int,
    at: NDArray[np.float64],
    radius: int,
    shape: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    inside: NDArray[np.bool_],
) -> Taps:
    """A normalised filter; source voxels beyond the border have no weight."""
    width = min(2 * radius + 1, length)
    first = np.clip(np.rint(at).astype(np.int64) - radius, 0, length - width)
    away = first[:, None] + np.arange(width) - at[:, None]
    weights = np.where(np.abs(away) <= radius, shape(away), 0.0)
    return Taps(first, (weights / _row_sums(weights)).astype(np.float32), inside)


def _row_sums(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums column by column: numpy's own order of summing depends on the vector width."""
    total = np.zeros((len(weights), 1))
    for column in weights.T:
        total[:, 0] += column
    return total


def _folded(length: int, at: NDArray[np.float64], inside: NDArray[np.bool_]) -> Taps:
    """Four taps of the cubic B-spline, those beyond a border folded back onto their mirror images."""
    base = np.floor(at).astype(np.int64) - 1
    t = at - base - 1
    cubic = [(1 - t) ** 3 / 6, 2 / 3 - t**2 + t**3 / 2, 2 / 3 - (1 - t) ** 2 + (1 - t) ** 3 / 2, t**3 / 6]
    width = min(4, length)
    first = np.clip(base, 0, length - width)
    weights = np.zeros((len(at), width))
    rows = np.arange(len(at))
    period = 2 * (length - 1)
    for k, weight in enumerate(cubic):
        index = np.abs(base + k) % period
        weights[rows, np.minimum(index, period - index) - first] += weight
    return Taps(first, weights.astype(np.float32), inside)


def as_float(voxels: Array) -> Floats:
    """The default preparation of a source slice."""
    return np.asarray(voxels, np.float32)


def planes(voxels: Array, axes: tuple[Taps, Taps, Taps], outside: float | None, prepare: Prepare) -> Iterator[Floats]:
    """The output slice by slice, float32 (y, x); a slice is only valid until the next is asked for.

    `axes` are the taps of (z, y, x). `prepare` maps a source slice to float32 before anything is interpolated.
    `outside` is the value where a position is not inside; None: the border voxels count on for ever.
    """
    along_z, along_y, along_x = axes
    held: dict[int, Floats] = {}
    clear = outside is None or bool(along_y.inside.all() and along_x.inside.all())
    shape = (len(along_y.first), len(along_x.first))
    for number in range(len(along_z.first)):
        if outside is not None and not along_z.inside[number]:
            yield np.full(shape, outside, np.float32)
            continue
        start = int(along_z.first[number])
        wanted = [start + k for k in range(along_z.weights.shape[1])]
        held = {z: held[z] if z in held else prepare(voxels[z]) for z in wanted}
        plane = _columns(_rows(_sum([held[z] for z in wanted], along_z.weights[number]), along_y), along_x)
        if outside is not None and not clear:
            plane = np.where(along_y.inside[:, None] & along_x.inside[None, :], plane, np.float32(outside))
        yield plane


def _sum(slices: list[Floats], weights: Floats) -> Floats:
    used = [(one, weight) for one, weight in zip(slices, weights, strict=True) if weight != 0]
    if len(used) == 1 and used[0][1] == 1:
        return used[0][0]
    total: Floats = used[0][0] * used[0][1]
    for one, weight in used[1:]:
        total += one * weight
    return total


def _rows(plane: Floats, along: Taps) -> Floats:
    if along.is_identity and len(along.first) == plane.shape[0]:
        return plane
    out = plane.take(along.first, axis=0)
    if along.weights.shape[1] == 1:
        return out
    out *= along.weights[:, 0, None]
    for k in range(1, along.weights.shape[1]):
        more = plane.take(along.first + k, axis=0)
        more *= along.weights[:, k, None]
        out += more
    return out


def _columns(plane: Floats, along: Taps) -> Floats:
    if along.is_identity and len(along.first) == plane.shape[1]:
        return plane
    out = plane.take(along.first, axis=1)
    if along.weights.shape[1] == 1:
        return out
    out *= along.weights[None, :, 0]
    for k in range(1, along.weights.shape[1]):
        more = plane.take(along.first + k, axis=1)
        more *= along.weights[None, :, k]
        out += more
    return out


def stored(value: Floats, dtype: np.dtype[Any]) -> Array:
    """Floats in the dtype of the source: rounded to nearest (half to even) and clipped where that is an integer."""
    if dtype.kind == "f":
        return np.asarray(value, dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(value), limits.min, limits.max).astype(dtype)


def sample(
    voxels: Array,
    axes: tuple[Taps, Taps, Taps],
    outside: float | None = None,
    prepare: Prepare = as_float,
    dtype: np.dtype[Any] | None = None,
) -> Array:
    """`planes` as one array of `dtype` (default: the source's)."""
    kind = voxels.dtype if dtype is None else dtype
    out = np.empty([len(one.first) for one in axes], kind)
    for number, plane in enumerate(planes(voxels, axes, outside, prepare)):
        out[number] = stored(plane, kind)
    return out


# The B-spline's coefficients


def spline_coefficients(voxels: Array, axes: tuple[bool, bool, bool]) -> Floats:
    """float32 coefficients of the cubic B-spline that runs through the voxels, along the chosen (z, y, x) axes."""
    out = np.array(voxels, np.float32, order="C")
    if axes[0]:
        for rows in range(0, out.shape[1], 64):  # a few rows of all slices at once stay in the cache
            _inverse_filter(out[:, rows : rows + 64])
    for plane in out if axes[1] or axes[2] else ():
        if axes[1]:
            _inverse_filter(plane)
        if axes[2]:
            turned = np.ascontiguousarray(plane.T)
            _inverse_filter(turned)
            plane[...] = turned.T
    return out


def _inverse_filter(lines: Floats) -> None:
    """In place along axis 0: Unser's causal and anticausal recursions, mirror borders, gain 6."""
    count = len(lines)
    if count < 2:
        return
    pole = np.float32(POLE)
    lines *= np.float32(6)
    lines[0] = _causal_start(lines)
    for k in range(1, count):
        lines[k] += pole * lines[k - 1]
    lines[-1] = np.float32(POLE / (POLE**2 - 1)) * (lines[-1] + pole * lines[-2])
    for k in range(count - 2, -1, -1):
        np.subtract(lines[k + 1], lines[k], out=lines[k])
        lines[k] *= pole


def _causal_start(lines: Floats) -> Floats:
    """The sum over all mirror images of pole^k x line k, cut at the horizon where the axis is longer."""
    count = len(lines)
    total: Floats = np.zeros_like(lines[0])
    if count > HORIZON:
        for k in range(HORIZON):
            total += np.float32(POLE**k) * lines[k]
        return total
    period = 2 * (count - 1)
    for k in range(period):
        total += np.float32(POLE**k / (1 - POLE**period)) * lines[min(k, period - k)]
    return total


# Along and across the axes of another grid


def axis_taps(
    length: tuple[int, ...],
    mapped: Matrix,
    order: list[int],
    shape: Size,
    kernels: Kernels,
    antialias: bool,
) -> list[Taps]:
    """Taps of the source axes (z, y, x), over the outputs of the target axis that runs along each."""
    made = []
    for axis in range(3):
        source = 2 - axis
        step, offset = float(mapped[source, order[source]]), float(mapped[source, 3])
        at = positions(shape[2 - order[source]], step, offset)
        made.append(taps(length[axis], at, step, kernels[axis], antialias))
    return made


def in_target_order(voxels: Array, axes: list[Taps], order: list[int]) -> tuple[Array, tuple[Taps, Taps, Taps]]:
    """Source array and taps with their axes in the target's order (a view)."""
    back = [2 - order.index(2 - axis) for axis in range(3)]
    z, y, x = (axes[axis] for axis in back)
    return voxels.transpose(back), (z, y, x)


def turned_samples(
    body: Array,
    mapped: Matrix,
    shape: Size,
    kernels: Kernels,
    antialias: bool,
    outside: float,
    dtype: np.dtype[Any],
) -> Array:
    """Voxel by voxel, for oblique grids; shrunk axes are smoothed in the source first, and then read linearly."""
    steps = [math.sqrt(sum(float(mapped[2 - axis, k]) ** 2 for k in range(3))) for axis in range(3)]
    if antialias and max(steps) > 1 + ALONG:
        z, y, x = (
            taps(n, positions(n, 1, 0), step, _linear(kernel), True)
            for n, step, kernel in zip(body.shape, steps, kernels, strict=True)
        )
        body = sample(body, (z, y, x), dtype=np.dtype(np.float32))
        kernels = _linear(kernels[0]), _linear(kernels[1]), _linear(kernels[2])
    out = np.empty(shape, dtype)
    columns, rows = np.meshgrid(np.arange(shape[2], dtype=np.float64), np.arange(shape[1], dtype=np.float64))
    for number in range(shape[0]):
        at = [
            mapped[2 - axis, 0] * columns
            + mapped[2 - axis, 1] * rows
            + (mapped[2 - axis, 2] * number + mapped[2 - axis, 3])
            for axis in range(3)
        ]
        out[number] = stored(_gathered(body, [a.ravel() for a in at], kernels, outside).reshape(shape[1:]), dtype)
    return out


def _linear(kernel: Kernel) -> Kernel:
    return "nearest" if kernel == "nearest" else "linear"


def _gathered(body: Array, at: list[Matrix], kernels: Kernels, outside: float) -> Floats:
    made = [taps(n, a, 1.0, k) for n, a, k in zip(body.shape, at, kernels, strict=True)]
    flat = body.reshape(-1)
    total = np.zeros(len(at[0]), np.float32)
    for i in range(made[0].weights.shape[1]):
        for j in range(made[1].weights.shape[1]):
            plane = ((made[0].first + i) * body.shape[1] + made[1].first + j) * body.shape[2] + made[2].first
            weight = made[0].weights[:, i] * made[1].weights[:, j]
            for k in range(made[2].weights.shape[1]):
                total += weight * made[2].weights[:, k] * as_float(flat[plane + k])
    return np.where(made[0].inside & made[1].inside & made[2].inside, total, np.float32(outside))
