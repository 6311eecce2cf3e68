"""NIfTI-1 and NIfTI-2: a checked header, then voxels inflated straight into the one array that is kept.

Standards: nifti1.h and nifti2.h (nifti.nimh.nih.gov). What it finds is what nibabel finds, which the tests hold it to;
it is our own because nibabel holds compressed, inflated and scaled copies at once and takes a header's sizes on trust.

Covered: .nii, .nii.gz, .hdr/.img pairs (also .gz), both byte orders, integers of 1 to 8 bytes, 32 and 64 bit floats,
scl_slope and scl_inter, qform, sform and neither, 3D and 4D. Not covered, and refused: Analyze 7.5 (its left and right
are ambiguous), RGB, complex, 128 bit and 1 bit voxels, vectors (5D and up), 2D but for `flat`, of which nothing but the
spacing of rows and columns is taken over (`curate.volume.flat`). Header extensions are passed over.
"""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Array
from curate.guard import Stream, open_stream
from curate.volume.containers import require_all_told
from manifests.errors import RecordError
from manifests.record import Fact

FORM_TOLERANCE_MM = 0.1  # between qform and sform at the corners, before it is noted
MAX_AFFINE = 1e6  # mm: beyond a kilometre nothing is anatomy
MIN_SPACING_MM = 1e-6
SLAB = 1 << 16  # voxels converted at once, so that temporaries stay small

_FETCH = "fetch the file again or rewrite it with nibabel"
_SPACE_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 1e-3}  # xyzt_units, bits 0 to 2: unknown is taken as mm
_TIME_S = {8: 1.0, 16: 1e-3, 24: 1e-6}
_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
_OTHER_TYPES = {1: "1 bit", 32: "complex64", 128: "RGB", 1536: "float128", 1792: "complex128", 2048: "complex256"}
_OTHER_TYPES |= {2304: "RGBA"}
_QUATERNION_SLACK = 3 * float(np.finfo(np.float32).eps)  # rounding may leave b2 + c2 + d2 this much above 1


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where one version of the header has its fields: (offset, struct code)."""

    size: int
    magic: tuple[bytes, bytes]  # in one file, beside its data
    dim: tuple[int, str]
    datatype: tuple[int, str]
    pixdim: tuple[int, str]
    vox_offset: tuple[int, str]
    scl: tuple[int, str]
    units: tuple[int, str]
    codes: tuple[int, str]  # qform, sform
    quatern: tuple[int, str]  # b, c, d, then the offsets x, y, z
    srow: tuple[int, str]


_ONE = _Layout(
    348,
    (b"n+1\0", b"ni1\0"),
    dim=(40, "8h"),
    datatype=(70, "h"),
    pixdim=(76, "8f"),
    vox_offset=(108, "f"),
    scl=(112, "2f"),
    units=(123, "B"),
    codes=(252, "2h"),
    quatern=(256, "6f"),
    srow=(280, "12f"),
)
_TWO = _Layout(
    540,
    (b"n+2\0", b"ni2\0"),
    dim=(16, "8q"),
    datatype=(12, "h"),
    pixdim=(104, "8d"),
    vox_offset=(168, "q"),
    scl=(176, "2d"),
    units=(500, "i"),
    codes=(344, "2i"),
    quatern=(352, "6d"),
    srow=(400, "12d"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """What the header says, checked; `shape` is (x, y, z, t), `offset` in bytes, `notes` what had to be assumed."""

    shape: tuple[int, int, int, int]
    dtype: np.dtype[np.generic]
    offset: int
    slope: float
    intercept: float
    affine: NDArray[np.float64]
    notes: tuple[str, ...]
    facts: tuple[Fact, ...]

    @property
    def frame_bytes(self) -> int:
        return math.prod(self.shape[:3]) * self.dtype.itemsize


def read_frames(path: Path, first: int, count: int | None, max_bytes: int, flat: bool = False) -> tuple[Header, Array]:
    """`count` time points from `first` on (None: all that follow), as (t, z, y, x) scaled voxels in one array. `flat`:
    a file of two dimensions is read as one slice, and the affine holds the spacing of x and y alone.

    Every byte is read and every checksum checked whatever is kept. Raises RecordError: `unreadable_file`, `too_large`,
    `bad_volume`, `truncated_volume`, `corrupt_compression`, `bad_affine`, `unsupported_volume`, `no_time_point`,
    `lossy_dtype`.
    """
    with _opened(path, max_bytes, flat) as (header, stream, before):
        points = header.shape[3]
        stop = points if count is None else first + count
        if not 0 <= first < stop <= points:
            raise RecordError("no_time_point", f"{first} of {points}", f"ask for 0 to {points - 1}")
        _require_room(header, stream, max_bytes)
        there = before + stream.skip(header.offset - before + first * header.frame_bytes)
        frames = np.empty((stop - first, *reversed(header.shape[:3])), header.dtype)
        there += stream.fill(frames.reshape(-1).view(np.uint8).data)
        there += stream.skip()
        needed = header.offset + points * header.frame_bytes
        if there < needed:
            raise RecordError("truncated_volume", f"{there} of {needed} bytes", "fetch the file again")
        require_all_told(there - needed, header.frame_bytes // header.shape[2])
    if not frames.dtype.isnative:
        frames = frames.byteswap(inplace=True).view(frames.dtype.newbyteorder("="))
    return header, rescale(frames, header.slope, header.intercept)


@contextlib.contextmanager
def _opened(path: Path, max_bytes: int, flat: bool) -> Iterator[tuple[Header, Stream, int]]:
    """The header, the stream that holds the voxels, and how many bytes of that stream are read already."""
    name = path.name.lower()
    if not name.removesuffix(".gz").endswith((".hdr", ".img")):
        with open_stream(path, max_bytes) as stream:
            content, layout = _header_bytes(stream)
            yield parse_header(content, layout, single=True, flat=flat), stream, len(content)
        return
    head, data = _pair_paths(path)
    with open_stream(head, max_bytes) as stream:
        content, layout = _header_bytes(stream)
    with open_stream(data, max_bytes) as stream:
        yield parse_header(content, layout, single=False, flat=flat), stream, 0


def _pair_paths(path: Path) -> tuple[Path, Path]:
    """The .hdr and .img of a pair: in the case of the name given, compressed as that one is."""
    zipped = path.suffix if path.suffix.lower() == ".gz" else ""
    stem, ending = path.name[: -len(zipped) - 4 or None], path.name[len(path.name) - len(zipped) - 4 :]
    head, data = (".HDR", ".IMG") if ending.isupper() else (".hdr", ".img")
    return path.with_name(f"{stem}{head}{zipped}"), path.with_name(f"{stem}{data}{zipped}")


def _header_bytes(stream: Stream) -> tuple[bytes, _Layout]:
    content = stream.take(_ONE.size)
    if content[344:348] in _ONE.magic and len(content) == _ONE.size:
        return content, _ONE
    if content[4:8] in _TWO.magic:
        content += stream.take(_TWO.size - _ONE.size)
        if len(content) == _TWO.size:
            return content, _TWO
        raise RecordError("truncated_volume", f"{len(content)} of {_TWO.size} header bytes", "fetch the file again")
    found = "no NIfTI signature" if len(content) == _ONE.size else f"{len(content)} bytes without a NIfTI signature"
    raise RecordError("bad_volume", found, "convert it to NIfTI; Analyze 7.5 is not read")


def parse_header(content: bytes, layout: _Layout, single: bool, flat: bool = False) -> Header:
    """A header's checked fields; `single` says that the voxels follow in the same file, `flat` is `read_frames`'."""
    order = _byte_order(content, layout)

    def field(where: tuple[int, str]) -> tuple[float, ...]:
        return struct.unpack_from(order + where[1], content, where[0])

    shape = _shape([int(n) for n in field(layout.dim)], 2 if flat else 3)
    code = int(field(layout.datatype)[0])
    if code not in _TYPES:
        kind = "unsupported_volume" if code in _OTHER_TYPES else "bad_volume"
        raise RecordError(kind, f"voxels of type {_OTHER_TYPES.get(code, code)}", "write integers or floats")
    slope, intercept, scaling = _scaling(*field(layout.scl))
    affine, geometry = _flat_affine(field, layout) if flat else _affine(field, layout, shape)
    pixdim, unit = field(layout.pixdim), int(field(layout.units)[0])
    return Header(
        shape,
        np.dtype(order + _TYPES[code]),
        _offset(field(layout.vox_offset)[0], layout.size + 4 if single else 0),
        slope,
        intercept,
        affine,
        scaling + geometry,
        _time_facts(shape[3], pixdim[4], unit),
    )


def _byte_order(content: bytes, layout: _Layout) -> str:
    """By sizeof_hdr and dim[0], which must agree: a header of two byte orders was not written by one program."""
    found = []
    for order in "<>":
        size, dimensions = struct.unpack_from(order + "i", content)[0], struct.unpack_from(order + "h", content, 40)[0]
        if layout is _TWO:
            dimensions = struct.unpack_from(order + "q", content, 16)[0]
        if size == layout.size and 1 <= dimensions <= 7:
            return order
        found.append(f"{size} and {dimensions}")
    raise RecordError("bad_volume", f"sizeof_hdr and dim[0] of {' or '.join(found)}"[:120], _FETCH)


def _shape(dim: list[int], least: int) -> tuple[int, int, int, int]:
    used = dim[1 : dim[0] + 1]
    if min(used) < 1:
        raise RecordError("bad_volume", f"sides of {tuple(used)} voxels", "repair dim: every side has a voxel at least")
    if len(used) < least or math.prod(used[4:]) != 1:
        raise RecordError("unsupported_volume", f"shape {tuple(used)}", "write one 3D or 4D scalar image per file")
    x, y, z, t = [*used, 1, 1][:4]
    return x, y, z, t


def _scaling(slope: float, intercept: float) -> tuple[float, float, tuple[str, ...]]:
    """A slope of 0 says that there is no scaling; one that is not finite is taken so too, and noted."""
    if slope == 0:
        return 1.0, 0.0, ()
    if not math.isfinite(slope):
        return 1.0, 0.0, ("scaling_ignored",)
    if not math.isfinite(intercept):
        raise RecordError("bad_volume", f"scl_slope {slope:g} with scl_inter {intercept}", "repair the scaling")
    return slope, intercept, ()


def _offset(value: float, least: int) -> int:
    if not math.isfinite(value) or value < least or value != int(value):
        raise RecordError("bad_volume", f"vox_offset {value:g}, at least {least} wanted", _FETCH)
    return int(value)


def _require_room(header: Header, stream: Stream, max_bytes: int) -> None:
    """Hold the header's claim against the limit and the file before any memory is taken."""
    needed = header.offset + header.shape[3] * header.frame_bytes
    if needed > max_bytes:
        raise RecordError("too_large", f"shape {header.shape}", f"at most {max_bytes} bytes are read")
    if needed > stream.most:
        raise RecordError("truncated_volume", f"at most {stream.most} of {needed} bytes", "fetch the file again")


def _affine(
    field: Callable[[tuple[int, str]], tuple[float, ...]], layout: _Layout, shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """The sform where its code is above 0, else the qform, else nibabel's base affine (spacing, x to the left, the
    origin in the middle) with a note."""
    unit = int(field(layout.units)[0]) & 7
    if unit not in _SPACE_MM:
        raise RecordError("bad_volume", f"the unknown space unit {unit}", _FETCH)
    pixdim, (qform_code, sform_code) = field(layout.pixdim), field(layout.codes)
    qform = _qform(field(layout.quatern), pixdim) if qform_code > 0 else None
    notes: tuple[str, ...] = () if _SPACE_MM[unit] == 1.0 else ("units_converted",)
    if sform_code > 0:
        affine = np.array([*field(layout.srow), 0, 0, 0, 1], np.float64).reshape(4, 4)
    elif qform is not None:
        affine = qform
    else:
        affine = np.diag([-pixdim[1], *pixdim[2:4], 1.0]).astype(np.float64)
        affine[:3, 3] = -(np.array(shape[:3]) - 1) / 2 * np.diag(affine)[:3]
        notes += ("no_orientation",)
    scale = np.array([[_SPACE_MM[unit]]] * 3 + [[1.0]])
    affine = affine * scale + 0.0  # no negative zeros
    require_affine(affine)
    if sform_code > 0 and qform is not None:
        apart = corner_distance_mm(qform * scale, affine, shape)
        notes += ("qform_differs",) if apart > FORM_TOLERANCE_MM else ()
    return affine, notes


def _flat_affine(
    field: Callable[[tuple[int, str]], tuple[float, ...]], layout: _Layout
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """The spacing of x and y on a diagonal: that of the sform where its code is above 0, else pixdim; the rest of a
    flat file's geometry is often none (a column of zeros). Note `no_spacing`, and 1, where it is not a length, or 1 x 1
    in an unknown unit, which is what writers put there who know of none."""
    unit = int(field(layout.units)[0]) & 7
    pixdim, rows = field(layout.pixdim), field(layout.srow)
    x, y = abs(pixdim[1]), abs(pixdim[2])
    if field(layout.codes)[1] > 0:
        x, y = (math.hypot(*(rows[4 * row + column] for row in range(3))) for column in (0, 1))
    x, y = (step * _SPACE_MM.get(unit, math.nan) for step in (x, y))
    known = all(MIN_SPACING_MM <= step <= MAX_AFFINE for step in (x, y)) and (x, y, unit) != (1.0, 1.0, 0)
    notes = () if known else ("no_spacing",)
    return np.diag([x, y, 1.0, 1.0] if known else [1.0] * 4), notes


def _qform(quatern: tuple[float, ...], pixdim: tuple[float, ...]) -> NDArray[np.float64]:
    """nifti1.h, method 2: a rotation by the unit quaternion (a, b, c, d), the z axis turned over where pixdim[0] is -1.
    Not a number where b, c and d make no unit quaternion."""
    b, c, d = quatern[:3]
    rest = 1.0 - (b * b + c * c + d * d)
    a = math.sqrt(max(rest, 0.0)) if rest > -_QUATERNION_SLACK else math.nan
    norm = a * a + b * b + c * c + d * d  # 1 but for rounding
    turn = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn / norm * np.abs(pixdim[1:4]) * (1, 1, -1 if pixdim[0] == -1 else 1)
    affine[:3, 3] = quatern[3:]
    return affine


def require_affine(affine: NDArray[np.float64]) -> None:
    """Raises RecordError `bad_affine`: not finite, beyond a kilometre, an axis without length, a singular matrix."""
    remedy = "repair the header's geometry"
    if not np.isfinite(affine).all():
        raise RecordError("bad_affine", "values that are not finite", remedy)
    if np.abs(affine).max() > MAX_AFFINE:
        raise RecordError("bad_affine", "values beyond a kilometre", remedy)
    lengths = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    if lengths.min() < MIN_SPACING_MM:
        raise RecordError("bad_affine", f"spacing {lengths[0]:g} x {lengths[1]:g} x {lengths[2]:g} mm", remedy)
    if abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-3:
        raise RecordError("bad_affine", "a singular matrix", remedy)


def corner_distance_mm(one: NDArray[np.float64], other: NDArray[np.float64], shape_xyz: tuple[int, ...]) -> float:
    """The largest distance between where two affines put the eight corner voxels of a grid; infinite where one of them
    is not finite."""
    steps = [(0, int(n) - 1) for n in shape_xyz[:3]]
    corners = np.array([(x, y, z, 1) for x in steps[0] for y in steps[1] for z in steps[2]], np.float64).T
    with np.errstate(invalid="ignore"):
        apart = ((one - other) @ corners)[:3]
    return float(np.nan_to_num(np.linalg.norm(apart, axis=0), nan=np.inf).max())


def _time_facts(points: int, step: float, units: int) -> tuple[Fact, ...]:
    """dim[4] and pixdim[4]; a time step is stated only where its unit is, because many writers leave a 1."""
    if points == 1:
        return ()
    facts = [Fact("time_points", str(points), "nifti:dim[4]")]
    step *= _TIME_S.get(units & 56, 0.0)
    if math.isfinite(step) and step > 0:
        facts.append(Fact("tr_s", np.format_float_positional(round(step, 6), trim="-"), "nifti:pixdim[4]", "s"))
    return tuple(facts)


def rescale(stored: Array, slope: float, intercept: float) -> Array:
    """`stored * slope + intercept`, in the memory of `stored` where that can be.

    Integers by a whole slope and intercept stay integers and are exact: int16 where all fit, else uint16, else int32.
    Everything else is computed in float64 and rounded once, to float32. Raises RecordError `lossy_dtype` where a
    result is beyond float32.
    """
    if (slope, intercept) == (1.0, 0.0):
        return stored
    if stored.dtype.kind in "iu" and float(slope).is_integer() and float(intercept).is_integer():
        ends = sorted(int(end) * int(slope) + int(intercept) for end in (stored.min(), stored.max()))
        for dtype in (np.int16, np.uint16, np.int32):
            if np.iinfo(dtype).min <= ends[0] and ends[1] <= np.iinfo(dtype).max:
                return _rescale_exactly(stored, int(slope), int(intercept), np.dtype(dtype))
    scaled = stored if stored.dtype == np.float32 else np.empty(stored.shape, np.float32)
    flat_in, flat_out = stored.reshape(-1), scaled.reshape(-1)
    with np.errstate(invalid="ignore", over="ignore"):
        for start in range(0, flat_in.size, SLAB):
            exact = flat_in[start : start + SLAB].astype(np.float64) * slope + intercept
            flat_out[start : start + SLAB] = exact
            if np.isinf(flat_out[start : start + SLAB]).sum() != np.isinf(exact).sum():
                raise RecordError("lossy_dtype", "scaled values beyond 32-bit floats", "rescale the values")
    return scaled


def _rescale_exactly(stored: Array, slope: int, intercept: int, dtype: np.dtype[Any]) -> Array:
    """Modulo 2^16 or 2^32 throughout: products that leave the type come back, because every result fits into it."""
    scaled = stored.view(dtype) if stored.dtype.itemsize == dtype.itemsize else stored.astype(dtype)
    modulus = 1 << 8 * dtype.itemsize
    for operate, number in ((np.multiply, slope), (np.add, intercept)):
        factor = np.array([number % modulus]).astype(f"u{dtype.itemsize}").view(dtype)
        operate(scaled, factor, out=scaled)
    return scaled
