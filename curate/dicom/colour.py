"""Decoded DICOM colour to 8-bit RGB: YBR by the formulas of PS3.3 C.7.6.3.1.2, palettes by C.7.6.3.1.5, C.7.9.2.

Arithmetic is in integers, so that every processor gives the same bytes. Not covered, and refused as
`unsupported_photometric`: YBR_PARTIAL_420 (MPEG only), CMYK, ARGB, HSV, supplemental palettes.
ICC profiles are ignored.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydicom.dataset import Dataset

from curate.arrays import Array
from curate.dicom.header import integer_of, text_of, transfer_syntax, value_of
from curate.guard import typed
from manifests.errors import RecordError

MAX_ENTRIES = 1 << 16  # of a palette

_REMEDY = "repair the palette colour look-up tables or leave the file out"
_BITS = 16  # of the fraction in the fixed-point factors
# rows R, G, B; columns Y, CB, CR: the inverses of the standard's two matrices
_FULL = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))
_PARTIAL = ((1.164384, 0.0, 1.596027), (1.164384, -0.391762, -0.812968), (1.164384, 2.017232, 0.0))


def rgb_values(instance: Dataset, stored: Array, photometric: str) -> Array:
    """Decoded colour as uint8 (..., 3) RGB. More than 8 bits lose their low bits: value >> (bits - 8).

    Raises RecordError `unsupported_photometric` (YBR_PARTIAL_420, CMYK, HSV, ...), `bad_palette`.
    """
    if photometric == "PALETTE COLOR":
        with typed("bad_palette", _REMEDY):
            return _palette_values(instance, stored)
    if photometric not in ("RGB", "YBR_RCT", "YBR_ICT") or stored.dtype.kind != "u":
        found = f"{photometric or 'none'} as {stored.dtype}"
        raise RecordError("unsupported_photometric", found, "convert the image to 8-bit RGB")
    if stored.dtype == np.uint8:
        return np.ascontiguousarray(stored)
    shift = max(0, integer_of(instance, "BitsStored", 8) - 8)
    return np.right_shift(stored, shift, dtype=stored.dtype).astype(np.uint8)


def refuse_supplemental(instance: Dataset) -> None:
    """Grey values beside values that a palette colours (C.7.6.19) are neither grey nor palette. Raises RecordError
    `unsupported_photometric`."""
    if text_of(instance, "PixelPresentation").upper() in ("COLOR", "MIXED"):
        raise RecordError("unsupported_photometric", "a supplemental palette", "convert the image to 8-bit RGB")


def ybr_to_rgb(values: Array, bits: int, span: Literal["full", "partial"]) -> None:
    """Unsigned (t, y, x, 3) Y, CB, CR of `bits` bits to R, G, B, in place, rounded to nearest and clipped.

    full: YBR_FULL; partial: YBR_PARTIAL, whose black is at 16 and white at 235 of 255.
    """
    middle, top = 1 << (bits - 1), (1 << bits) - 1
    black = 0 if span == "full" else 1 << (bits - 4)
    rows = [[round(f * (1 << _BITS)) for f in row] for row in (_FULL if span == "full" else _PARTIAL)]
    for frame in values:
        ybr = frame.astype(np.int64 if bits > 8 else np.int32)
        y, cb, cr = ybr[..., 0] - black, ybr[..., 1] - middle, ybr[..., 2] - middle
        for channel, (of_y, of_cb, of_cr) in enumerate(rows):
            mixed = (of_y * y + of_cb * cb + of_cr * cr + (1 << (_BITS - 1))) >> _BITS
            frame[..., channel] = np.clip(mixed, 0, top)


def _palette_values(instance: Dataset, stored: Array) -> Array:
    """Values below the first mapped one take the first entry, values above the last the last (C.7.6.3.1.5).

    16-bit tables give their high bytes. Tables whose entries all fit 8 bits although 16 are declared are taken as 8-bit
    tables, as old ultrasound machines wrote them. Alpha tables are ignored.
    """
    tables = np.stack([_table(instance, name) for name in ("Red", "Green", "Blue")], axis=-1)
    if tables.max() > 255:
        tables = tables >> 8
    colours = tables.astype(np.uint8)
    first = int(value_of(instance, "RedPaletteColorLookupTableDescriptor")[1])
    if first > 0x7FFF and integer_of(instance, "PixelRepresentation", 0) == 1:
        first -= 1 << 16  # a signed first value, read as unsigned
    rgb = np.empty((*stored.shape, 3), np.uint8)
    flat, out = stored.reshape(-1, stored.shape[-1]), rgb.reshape(-1, stored.shape[-1], 3)
    for start in range(0, len(flat), 1024):  # rows at a time: an index costs eight times its pixel
        index = np.clip(flat[start : start + 1024].astype(np.int64) - first, 0, len(colours) - 1)
        np.take(colours, index, axis=0, out=out[start : start + 1024])
    return rgb


def _table(instance: Dataset, name: str) -> Array:
    """One table as uint16 (entries,). Words are in the file's byte order: pydicom leaves them as stored."""
    descriptor = value_of(instance, f"{name}PaletteColorLookupTableDescriptor")
    entries, bits = (int(descriptor[0]) & 0xFFFF) or MAX_ENTRIES, int(descriptor[2])
    little = transfer_syntax(instance).is_little_endian
    if f"{name}PaletteColorLookupTableData" not in instance:
        return _segmented(_words(instance, f"Segmented{name}PaletteColorLookupTableData", bits, little), entries, bits)
    data = bytes(value_of(instance, f"{name}PaletteColorLookupTableData"))
    if len(data) == 2 * entries:
        return np.frombuffer(data, "<u2" if little else ">u2").astype(np.uint16)
    if len(data) in (entries, entries + 1) and little:
        return np.frombuffer(data, np.uint8, entries).astype(np.uint16)
    raise _bad(f"{len(data)} bytes for {entries} entries")


def _words(instance: Dataset, keyword: str, bits: int, little: bool) -> list[int]:
    value: Any = value_of(instance, keyword)
    dtype = np.uint8 if bits == 8 else np.dtype("<u2" if little else ">u2")
    words: list[int] = np.frombuffer(bytes(value), dtype).tolist()
    return words


def _segmented(words: list[int], entries: int, bits: int) -> Array:
    """The table that discrete (0), linear (1) and indirect (2) segments describe, C.7.9.2, at most `entries` long.

    An indirect segment copies earlier ones from a byte offset; it may not reach itself or another indirect one.
    """
    table: list[int] = []
    at = 0
    while at + 2 < len(words):  # no segment is shorter than three; an odd byte may follow
        code, count = words[at], words[at + 1]
        if code == 2:
            unit = 1 if bits == 8 else 2
            offset = sum(w << (8 * unit * k) for k, w in enumerate(words[at + 2 : at + 2 + 4 // unit])) // unit
            source, at = offset, at + 2 + 4 // unit
            for _ in range(count):
                if source >= at or words[source] == 2:
                    raise _bad("an indirect segment that leads nowhere")
                source = _append_segment(table, words, source)
        else:
            at = _append_segment(table, words, at)
        if len(table) > entries:
            raise _bad(f"more than {entries} entries")
    if len(table) != entries:
        raise _bad(f"segments for {len(table)} of {entries} entries")
    return np.array(table, np.uint16)


def _append_segment(table: list[int], words: list[int], at: int) -> int:
    """Append one discrete or linear segment; where the next one starts."""
    code, count = words[at], words[at + 1]
    if code == 0:
        table += words[at + 2 : at + 2 + count]
        return at + 2 + count
    if code != 1 or not table or count == 0:
        raise _bad(f"segment code {code}")
    start, end = table[-1], words[at + 2]
    table += [start + (2 * (end - start) * k + count) // (2 * count) for k in range(1, count + 1)]
    return at + 3


def _bad(found: str) -> RecordError:
    return RecordError("bad_palette", found, _REMEDY)
