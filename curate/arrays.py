"""What standardised media are in memory, and the bytes they become: `Image`, `Volume`, `Frames`, .npy, .npy.gz, PNG.

Array order is (z, y, x) for volumes, (t, y, x[, c]) for cine, (y, x[, c]) for images. The encoders are deterministic
for one version of numpy, zlib and Pillow; the decoders take hostile bytes and raise `RecordError("bad_array")`.
"""

from __future__ import annotations

import gzip
import io
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from curate.guard import MAX_BYTES, PIECE, Stream, open_stream, stream_of, typed
from manifests.errors import RecordError
from manifests.record import Affine, Fact

Array = NDArray[Any]
Units = Literal["HU", "scanner", "display"]
Window = tuple[float, float]
VoiFunction = Literal["linear", "linear_exact", "sigmoid"]

GZIP_LEVEL = 4  # CT: about 2 % larger than level 6 in half the time
STORED_KINDS = "biuf"


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """One 2D image: (y, x) of uint8, int16, uint16, int32 or float32, or (y, x, 3) uint8 RGB.

    `units`: HU, scanner (physical but vendor-scaled or unscaled values) or display (values made to be looked at).
    `window` is the VOI (centre, width) in those units, read by the function `voi` (PS3.3 C.11.2.1.2 and 3); `inverted`
    says that low values are shown bright (MONOCHROME1). Values from `padding[0]` to `padding[1]` were never measured:
    they are shown black and count in no percentile. `notes` are codes of what a reader chose or had to assume.
    """

    pixels: Array
    units: Units
    spacing_mm: tuple[float, float] | None = None  # (y, x)
    window: Window | None = None
    inverted: bool = False
    voi: VoiFunction = "linear"
    padding: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """One 3D grid: voxels (z, y, x) in `narrow`'s dtypes; `affine` (4, 4) float64 maps indices (x, y, z) to RAS+ mm.

    Where the source tells neither spacing nor orientation, `placed` is False: `affine` is the identity, which counts
    voxels and nothing else, and no statement in mm, of volume, side or plane may be made of it.
    `masks` are uint8 arrays of 0 and 1 on the same grid. `notes` are codes of what a reader had to assume; `facts` is
    what the container says besides the grid (time points, repetition time).
    """

    voxels: Array
    affine: NDArray[np.float64]
    units: Units = "scanner"
    window: Window | None = None
    masks: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    placed: bool = True

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """(z, y, x): the lengths of the affine's columns."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(z), float(y), float(x)

    @property
    def orientation(self) -> str:
        """Where the x, y and z indices grow to, as nibabel's `aff2axcodes` says it: "LPS" grows to left, posterior,
        superior."""
        from nibabel import orientations

        codes: Any = orientations  # its functions are not annotated
        return "".join(codes.aff2axcodes(self.affine))


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """A cine: (t, y, x) or (t, y, x, 3) uint8. `times_s` is each frame's presentation time; where `times_known` is
    False the source gives none and they only number the frames (0, 1, 2, ...)."""

    frames: NDArray[np.uint8]
    times_s: tuple[float, ...]
    spacing_mm: tuple[float, float] | None = None  # (y, x)
    times_known: bool = True


def affine_of(rows: Affine | None) -> NDArray[np.float64]:
    """The affine of a stored volume as an array; the identity of one that has none (`Volume.placed`)."""
    return np.eye(4) if rows is None else np.array(rows, np.float64)


def narrow(array: Array) -> Array:
    """The same values in the smallest dtype that readers of shards need know: uint8 and bool become or stay uint8;
    other integers, and floats that hold integers only, become int16, else uint16, else int32; other floats float32.

    Native byte order, C order. Integers are exact or refused (`RecordError("lossy_dtype")`); a non-integer float64 is
    rounded to float32. NaN and infinities stay, as float32.
    """
    if array.dtype == np.uint8 or array.dtype == np.bool_:
        return np.ascontiguousarray(array, np.uint8)
    if array.dtype.kind == "f" and not _is_integral(array):
        return np.ascontiguousarray(array, np.float32)
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    for dtype in (np.int16, np.uint16, np.int32):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return np.ascontiguousarray(array, dtype)
    if array.dtype.kind == "f":
        return np.ascontiguousarray(array, np.float32)
    raise RecordError("lossy_dtype", f"integers from {low} to {high}", "rescale the values into 32 bits")


def _is_integral(array: Array) -> bool:
    """Whether a float array holds integers only; bit by bit, because most float data fail early."""
    flat = array.reshape(-1)
    bits = (flat[start : start + PIECE] for start in range(0, flat.size, PIECE))
    with np.errstate(invalid="ignore"):
        return all(bool(np.isfinite(bit).all() and (bit == np.rint(bit)).all()) for bit in bits)


def encode_npy(array: Array) -> bytes:
    """.npy version 1.0 (numpy's NEP 1): little endian, C order, never pickled. Raises RecordError `bad_array` for
    dtypes that are not boolean, integer or real."""
    return b"".join(_npy_parts(array))


def _npy_parts(array: Array) -> tuple[bytes, memoryview]:
    """The header and the voxels of a .npy, the latter without a copy where the array is in its order already."""
    if array.dtype.kind not in STORED_KINDS:
        raise RecordError("bad_array", f"dtype {array.dtype}", "store booleans, integers or reals")
    little = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(little))
    return stream.getvalue(), little.reshape(-1).view(np.uint8).data


def decode_npy(data: bytes) -> Array:
    """The inverse of `encode_npy`; the array is writable and of native byte order.

    The header's shape must account for every byte, so a lying header allocates nothing. Raises RecordError `bad_array`.
    """
    return _decoded(stream_of(data), max_bytes=sys.maxsize)


def read_npy(path: Path, max_bytes: int = MAX_BYTES) -> Array:
    """The array of a .npy file as `decode_npy` gives it, with the memory of one. Raises RecordError `bad_array`,
    `too_large`, `unreadable_file`."""
    with open_stream(path, max_bytes, "plain") as stream:
        return _decoded(stream, max_bytes)


def _decoded(stream: Stream, max_bytes: int) -> Array:
    """A .npy read into the one array that it becomes."""
    remedy = "write it with encode_npy"
    with typed("bad_array", remedy):
        head = stream.take(10)
        if np.lib.format.read_magic(io.BytesIO(head)) != (1, 0):
            raise RecordError("bad_array", "a .npy version other than 1.0", remedy)
        told = io.BytesIO(head[8:] + stream.take(int.from_bytes(head[8:10], "little")))
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(told)
        if dtype.kind not in STORED_KINDS or min(shape, default=0) < 0:
            raise RecordError("bad_array", "a dtype or shape that is not stored", remedy)
        size = math.prod(shape) * dtype.itemsize
        if size > max_bytes:
            raise RecordError("too_large", f"{size} bytes", f"at most {max_bytes} bytes are read")
        if size > stream.most:
            raise RecordError("bad_array", f"at most {stream.most} bytes for shape {shape}", remedy)
        flat: Array = np.empty(math.prod(shape), dtype)
        found = stream.fill(flat.view(np.uint8).data)
        found += stream.skip()
        if found != size:
            raise RecordError("bad_array", f"{found} bytes for shape {shape}", remedy)
        array = flat.reshape(shape, order="F" if fortran else "C")
        return np.asarray(array, dtype=dtype.newbyteorder("="), order="C")


def encode_npy_gz(array: Array) -> bytes:
    """`encode_npy` in gzip without name and time (RFC 1952): same array, same zlib, same bytes.

    The array is compressed piece by piece, so nothing of its size is held besides it. zlib's C code compresses alike on
    every processor; ISA-L, four times as fast, has other code for each and does not promise that.
    """
    head, body = _npy_parts(array)
    stream = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=GZIP_LEVEL, fileobj=stream, mtime=0) as zipped:
        zipped.write(head)
        for start in range(0, len(body), PIECE):
            zipped.write(body[start : start + PIECE])
    return stream.getvalue()


def decode_npy_gz(data: bytes, max_bytes: int = MAX_BYTES) -> Array:
    """The inverse of `encode_npy_gz`. Raises RecordError `too_large` beyond `max_bytes` inflated, `bad_array` or
    `corrupt_compression` for bad bytes."""
    return _decoded(stream_of(data, max_bytes, "gzip"), max_bytes)


def encode_png(pixels: Array) -> bytes:
    """(y, x) or (y, x, 3) uint8 as a PNG without metadata. Raises RecordError `bad_array` for anything else."""
    grey_or_rgb = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if pixels.dtype != np.uint8 or not grey_or_rgb or 0 in pixels.shape:
        raise RecordError("bad_array", f"{pixels.dtype} {pixels.shape}", "give uint8 (y, x) or (y, x, 3)")
    stream = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG", compress_level=6)
    return stream.getvalue()


def decode_png(data: bytes) -> NDArray[np.uint8]:
    """The inverse of `encode_png`: 8-bit grey or RGB only. Raises RecordError `bad_array`."""
    with typed("bad_array", "write it with encode_png"), PIL.Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        if image.mode not in ("L", "RGB"):
            raise RecordError("bad_array", f"a PNG of mode {image.mode}", "write it with encode_png")
        return np.array(image, dtype=np.uint8)


def is_picture(member: str) -> bool:
    """Whether a member is one encoded picture, by its name: `png`, `zoom1.png`, `jpg`."""
    return member.rpartition(".")[2] in ("png", "jpg")


def decode_picture(data: bytes) -> NDArray[np.uint8]:
    """A rendered image, PNG or JPEG: uint8 (y, x) or (y, x, 3). Raises RecordError `bad_array`."""
    if not data.startswith(b"\xff\xd8"):
        return decode_png(data)
    with typed("bad_array", "render it again"), PIL.Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        if image.mode not in ("L", "RGB"):
            raise RecordError("bad_array", f"a JPEG of mode {image.mode}", "render it again")
        return np.array(image, dtype=np.uint8)
