"""The pixels of a series' slices to one array of modality values, one slice at a time, in about the room of the result.

Native pixels are read from their place in the file into the result and rescaled there; JPEG 2000, JPEG-LS and RLE
frames go straight to the codec once the codestream's own size, depth and sign agree with the header; every other slice
goes through `curate.dicom.pixels.decode`. Values: PS3.3 C.7.6.3 (bits), C.11.1 (rescale); integers stay exact where
slope and intercept are whole. Not covered here: geometry.
"""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom import uid

from curate.arrays import Array, Units, narrow
from curate.dicom.codestream import has_end
from curate.dicom.header import bad_header, integer_of, modality, number_of, read_whole, text_of, value_of
from curate.dicom.pixels import decode, modality_values
from curate.dicom.rescale import to_float32, whole_ends
from curate.dicom.scan import PHILIPS_CREATOR, Slice
from curate.guard import typed
from manifests.errors import RecordError
from sources.dicom_walk import Pixels

_REMEDY = "fetch the file again; its pixel data contradict its header"
_WHOLE = (np.int16, np.uint16, np.int32)


@dataclass(frozen=True, slots=True)
class Values:
    """What a header says about its stored values, and what they mean: value = stored * slope + intercept."""

    rows: int
    columns: int
    allocated: int
    stored: int
    shift: int  # bits below the lowest stored one
    signed: bool
    slope: float
    intercept: float
    units: Units
    kind: str  # the unit as the header names it, for telling slices of different units apart
    notes: tuple[str, ...]

    @property
    def whole(self) -> bool:
        return self.slope.is_integer() and self.intercept.is_integer()

    @property
    def dtype(self) -> np.dtype[np.generic]:
        return np.dtype(f"{'i' if self.signed else 'u'}{max(1, self.allocated // 8)}")

    @property
    def range(self) -> tuple[int, int]:
        """The lowest and highest value that these bits can mean; for whole slopes."""
        low = -(1 << max(self.stored - 1, 0)) if self.signed else 0
        ends = [int(self.slope) * n + int(self.intercept) for n in (low, low + (1 << self.stored) - 1)]
        return min(ends), max(ends)


def values_of(piece: Slice) -> Values:
    """Raises RecordError `bad_header` for a slope of 0 or unusable elements."""
    header = piece.header
    allocated = integer_of(header, "BitsAllocated", 0)
    stored = integer_of(header, "BitsStored", allocated)
    if not 0 < stored <= allocated <= 64:
        raise bad_header("BitsStored")
    shift = integer_of(header, "HighBit", stored - 1) + 1 - stored
    notes = ["padding"] if value_of(header, "PixelPaddingValue") is not None else []
    if not 0 <= shift <= allocated - stored:  # the standard has no meaning for it
        shift = 0
        notes.append("high_bit_ignored")
    slope, intercept, precise = _rescale(piece)
    notes += ["philips_precise_scaling"] if precise else []
    units, kind = _units(piece, allocated)
    signed = integer_of(header, "PixelRepresentation", 0) == 1
    rows, columns = integer_of(header, "Rows", 0), integer_of(header, "Columns", 0)
    return Values(rows, columns, allocated, stored, shift, signed, slope, intercept, units, kind, tuple(notes))


def _rescale(piece: Slice) -> tuple[float, float, bool]:
    """Slope, intercept, and whether they are Philips' precise ones.

    Philips MR holds displayed values d = stored * RS + RI and, with its private Scale Slope SS, what was measured:
    d / (RS * SS), which is comparable between series (Chenevert et al., Transl Oncol 2014, 7:65).
    """
    header = piece.header
    slope, intercept = number_of(header, "RescaleSlope"), number_of(header, "RescaleIntercept")
    slope, intercept = 1.0 if slope is None else slope, 0.0 if intercept is None else intercept
    if slope == 0:
        raise bad_header("RescaleSlope")
    scale = _philips_scale(piece)
    if scale is None:
        return slope, intercept, False
    if not math.isfinite(1 / scale) or slope * scale == 0 or not math.isfinite(intercept / (slope * scale)):
        raise bad_header("RescaleSlope")
    return 1 / scale, intercept / (slope * scale), True


def _philips_scale(piece: Slice) -> float | None:
    if modality(piece.header) != "MR" or "ModalityLUTSequence" in piece.header:
        return None
    if not text_of(piece.header, "Manufacturer").upper().startswith("PHILIPS"):
        return None
    with typed("bad_header", "repair the private Scale Slope (2005,xx0E) or leave the file out"):
        try:
            element = piece.header.private_block(0x2005, PHILIPS_CREATOR)[0x0E]
        except KeyError:
            return None
        values = np.atleast_1d(np.array(element.value, np.float64))
    if len(values) != 1 or not np.isfinite(values[0]) or values[0] <= 0:
        return None
    return float(values[0])


def _units(piece: Slice, allocated: int) -> tuple[Units, str]:
    """As `modality_values` says them, and the unit's name."""
    header = piece.header
    if "ModalityLUTSequence" in header:
        return "scanner", "LUT"
    named = text_of(header, "RescaleType").upper()
    if named in ("", "US"):  # unspecified
        named = text_of(header, "Units").upper()
    if value_of(header, "RescaleSlope") is None and value_of(header, "RescaleIntercept") is None:
        return ("display" if allocated <= 8 else "scanner"), named
    if not named and modality(header) == "CT" and not text_of(header, "RescaleType"):
        named = "HU"
    return ("HU" if named == "HU" else "scanner"), named


def read_voxels(slices: Sequence[Slice]) -> tuple[Array, Units, tuple[str, ...]]:
    """Voxels (z, y, x) in `narrow`'s dtypes and in the order given, their units, and notes: `padding`,
    `rescale_per_slice`, `philips_precise_scaling`, `high_bit_ignored`.

    Pixel padding stays what it is stored as, rescaled like any value. Raises RecordError `mixed_units`, `bad_header`,
    `lossy_dtype`, and what `decode` raises.
    """
    shared = {id(piece.header): piece for piece in slices}
    by_header = {key: values_of(piece) for key, piece in shared.items()}
    meaning = [by_header[id(piece.header)] for piece in slices]
    kinds = {(v.units, v.kind) for v in by_header.values()}
    if len(kinds) > 1:
        found = ", ".join(sorted({v.units for v in by_header.values()})) + f" under {len(kinds)} names"
        raise RecordError("mixed_units", found, "repair RescaleType and Units or split the series")
    notes = {note for v in by_header.values() for note in v.notes}
    if len({(v.slope, v.intercept) for v in by_header.values()}) > 1:
        notes.add("rescale_per_slice")
    voxels = _stack(slices, meaning)
    return _settled(voxels), meaning[0].units, tuple(sorted(notes))


def _stack(slices: Sequence[Slice], meaning: Sequence[Values]) -> Array:
    shape = (len(slices), meaning[0].rows, meaning[0].columns)
    out: Array = np.empty(shape, _first_dtype(meaning))
    for number, (piece, values) in enumerate(zip(slices, meaning, strict=True)):
        if out.dtype.kind in "iu" and _read_in_place(out[number], piece, values):
            continue
        stored = stored_values(piece, values)
        if _shifted_into(out[number], stored, values):
            continue
        if out.dtype == np.float32 or stored.dtype.kind == "f":
            out = out if out.dtype == np.float32 else out.astype(np.float32)
            out[number] = to_float32(stored, values.slope, values.intercept)
            continue
        slope, intercept = int(values.slope), int(values.intercept)
        out = _widened(out, *whole_ends(stored, slope, intercept))
        out[number] = stored.astype(np.int64) * slope + intercept
    return out


def _first_dtype(meaning: Sequence[Values]) -> type[np.generic]:
    """The smallest dtype that holds all that the bits can mean, else int16 in the hope that it holds what they do."""
    if not all(v.whole for v in meaning):
        return np.float32
    distinct = set(meaning)
    if all(v.allocated <= 8 and not v.signed and (v.slope, v.intercept) == (1, 0) for v in distinct):
        return np.uint8
    low, high = min(v.range[0] for v in distinct), max(v.range[1] for v in distinct)
    fitting = (d for d in (np.int16, np.uint16) if np.iinfo(d).min <= low and high <= np.iinfo(d).max)
    return next(fitting, np.int16)


def _widened(out: Array, low: int, high: int) -> Array:
    for dtype in (out.dtype, *_WHOLE):
        info = np.iinfo(dtype)
        both = np.promote_types(out.dtype, dtype) == dtype
        if both and info.min <= low and high <= info.max:
            return out.astype(dtype, copy=False)
    raise RecordError("lossy_dtype", f"integers from {low} to {high}", "rescale the values into 32 bits")


def _settled(out: Array) -> Array:
    """`narrow`, without its copies where they can be spared."""
    if out.dtype in (np.uint8, np.int16):
        return out
    if out.dtype == np.uint16:
        return out.view(np.int16) if int(out.max()) <= np.iinfo(np.int16).max else out
    if out.dtype == np.float32:
        integral = all(bool(np.isfinite(s).all() and (s == np.rint(s)).all()) for s in out)
        return narrow(out) if integral else out
    return narrow(out)


def _read_in_place(target: Array, piece: Slice, values: Values) -> bool:
    """Native pixels of the result's width into the result; False, and `target` undefined, where that is not it."""
    pixels = piece.pixels
    if pixels is None or values.allocated != 8 * target.itemsize or not _is_plain(pixels, values):
        return False
    _read_at(piece, pixels, target)
    stored = target.view(values.dtype)
    _clear_unused_bits(stored, values)
    return _shifted_into(target, stored, values)


def _shifted_into(target: Array, stored: Array, values: Values) -> bool:
    """stored + intercept into `target`, which may be `stored` itself; False where that does not fit or is not all."""
    if values.slope != 1 or not values.whole or {target.dtype.kind, stored.dtype.kind} - {"i", "u"}:
        return False
    info, intercept = np.iinfo(target.dtype), int(values.intercept)
    low, high = values.range
    if low < info.min or high > info.max:
        low, high = int(stored.min()) + intercept, int(stored.max()) + intercept
    if low < info.min or high > info.max or not info.min <= intercept <= info.max:
        return False
    if not np.may_share_memory(target, stored):
        np.copyto(target, stored, casting="unsafe")
    if intercept:  # two's complement wraps, and wraps back into the range that was checked
        np.add(target, target.dtype.type(intercept), out=target)
    return True


def _is_plain(pixels: Pixels, values: Values) -> bool:
    """Whether native pixels fill their element, up to its padding to an even length."""
    expected = values.rows * values.columns * values.allocated // 8
    return pixels.length == expected + expected % 2 and values.allocated in (8, 16, 32)


def _read_at(piece: Slice, pixels: Pixels, target: Array) -> None:
    with typed("unreadable_file", "check the file's permissions and storage"), piece.path.open("rb", 0) as stream:
        stream.seek(pixels.start)
        read = stream.readinto(target.view(np.uint8).reshape(-1).data)
    if read != target.nbytes:
        raise RecordError("truncated_pixels", f"{read} of {target.nbytes} bytes", "fetch the file again")


def _clear_unused_bits(stored: Array, values: Values) -> None:
    """In place; what stands in bits outside the stored ones has no meaning (PS3.5 8.1.1)."""
    if values.stored == values.allocated:
        return
    if values.signed:
        np.left_shift(stored, values.allocated - values.stored - values.shift, out=stored)
        np.right_shift(stored, values.allocated - values.stored, out=stored)
        return
    if values.shift:
        np.right_shift(stored, values.shift, out=stored)
    np.bitwise_and(stored, stored.dtype.type((1 << values.stored) - 1), out=stored)


def stored_values(piece: Slice, values: Values) -> Array:
    """One slice's stored values (y, x), unused bits cleared; through its look-up table where it has one.

    Raises RecordError as `decode` does.
    """
    pixels = piece.pixels
    if pixels is not None and pixels.length is None:
        decoded = _decode_frame(piece, pixels, values)
        if decoded is not None:
            return decoded
    elif pixels is not None and _is_plain(pixels, values):
        target: Array = np.empty((values.rows, values.columns), values.dtype)
        _read_at(piece, pixels, target)
        _clear_unused_bits(target, values)
        return target
    instance = read_whole(piece.path)
    stored, _ = decode(instance)
    if "ModalityLUTSequence" in instance:
        return modality_values(instance, stored[0], modality(instance))[0]
    return np.asarray(stored[0])


def _decode_frame(piece: Slice, pixels: Pixels, values: Values) -> Array | None:
    """An encapsulated frame by its codec; None where the codestream is not just what the header says."""
    frame = _frame(piece, pixels)
    if frame is None or values.allocated not in (8, 16) or values.shift:
        return None
    count, width = values.rows * values.columns, 1 if values.stored <= 8 else 2
    data: bytes | bytearray | Array | None = None
    if pixels.syntax == uid.RLELossless:
        from curate.dicom.rle import unpack_frame  # numba, so not before it is needed

        width = values.allocated // 8
        data = unpack_frame(frame, count, width)
    elif pixels.syntax in uid.JPEG2000TransferSyntaxes and _is_expected_j2k(frame, values):
        data = _decode_j2k(frame)
    elif pixels.syntax in uid.JPEGLSTransferSyntaxes and _is_expected_jpeg_ls(frame, values):
        data = _decode_jpeg_ls(frame)
    if data is None or np.frombuffer(data, np.uint8).size != count * width:
        return None
    stored = np.frombuffer(data, f"<u{width}").astype(f"u{values.allocated // 8}", copy=False).view(values.dtype)
    stored = stored if stored.flags.writeable else stored.copy()
    _clear_unused_bits(stored, values)
    return stored.reshape(values.rows, values.columns)


def _frame(piece: Slice, pixels: Pixels) -> bytes | None:
    """The joined fragments of the only frame (PS3.5 A.4); None where they do not end as they should."""
    with typed("unreadable_file", "check the file's permissions and storage"), piece.path.open("rb") as stream:
        stream.seek(pixels.start)
        data = stream.read(os.fstat(stream.fileno()).st_size - pixels.start)
    parts: list[bytes] = []
    at = 0
    while data[at : at + 4] == b"\xfe\xff\x00\xe0":
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        parts.append(data[at + 8 : at + 8 + length])
        at += 8 + length
    if data[at : at + 4] != b"\xfe\xff\xdd\xe0" or len(parts) < 2:
        return None
    return parts[1] if len(parts) == 2 else b"".join(parts[1:])


def _is_expected_j2k(frame: bytes, values: Values) -> bool:
    """A bare codestream of one component that begins with its SIZ marker, ISO/IEC 15444-1 A.5.1."""
    if frame[:4] != b"\xff\x4f\xff\x51" or len(frame) < 45:
        return False
    x_size, y_size, x_offset, y_offset = np.frombuffer(frame, ">u4", 4, 8).tolist()
    depth = (values.stored - 1) | (0x80 if values.signed else 0)
    same = (y_size, x_size, x_offset, y_offset) == (values.rows, values.columns, 0, 0)
    return same and frame[40:45] == bytes((0, 1, depth, 1, 1))


def _is_expected_jpeg_ls(frame: bytes, values: Values) -> bool:
    """A whole stream whose frame header comes first or after application data, ISO/IEC 14495-1 C.2.2."""
    at = 2
    while frame[at : at + 2] in (b"\xff\xe8", b"\xff\xe0", b"\xff\xfe"):
        at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    size = values.rows.to_bytes(4, "big")[2:] + values.columns.to_bytes(4, "big")[2:]
    expected = bytes((values.stored,)) + size + b"\x01"
    small = max(values.rows, values.columns) < 1 << 16
    return (
        small
        and has_end(frame)
        and frame[:2] == b"\xff\xd8"
        and frame[at : at + 2] == b"\xff\xf7"
        and frame[at + 4 : at + 10] == expected
    )


def _decode_j2k(frame: bytes) -> bytes | bytearray | Array:
    from openjpeg.utils import decode_pixel_data

    with typed("bad_pixels", _REMEDY):
        return decode_pixel_data(frame, version=2)


def _decode_jpeg_ls(frame: bytes) -> bytearray:
    jpeg_ls: Any = importlib.import_module("jpeg_ls")  # not annotated
    with typed("bad_pixels", _REMEDY):
        data: bytearray = jpeg_ls.decode_pixel_data(frame)[0]
    return data
