"""What a JPEG 2000 codestream claims, read before a decoder takes memory for it; and whether a JPEG-LS one ends.

Standard: ISO/IEC 15444-1 A.4 (tile-parts), A.5.1 (SIZ), A.6.1 (COD), I.4 (the boxes of a JP2 file, which some writers
put into DICOM although PS3.5 A.4.4 has the bare codestream). OpenJPEG takes memory by tile and by precinct, whatever
the size of the image, so both are bounded by the image. Not covered: what stands in the coded data themselves.

JPEG-LS (ISO/IEC 14495-1) is not bounded by its size: a run codes up to 32,768 equal pixels in one bit (A.7.1.2), so
a sound frame of 577 bytes holds 4096 x 4096 pixels, and one that is too small for what it claims costs CharLS a quarter
of a second for 64 million pixels. What costs it ten seconds is a broken scan whose data run out where no marker stands.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from manifests.errors import RecordError

LEAST_TILE = 1 << 10  # pixels: tiles are larger on average, or few
FEW_TILES = 64
LEAST_PRECINCT = 5  # exponent of 2: no decoder of images needs smaller ones above the lowest resolution

_FETCH = "fetch the file again; its pixel data contradict its header"
_START, _COD, _TILE_PART, _END = b"\xff\x4f\xff\x51", 0x52, b"\xff\x90", b"\xff\xd9"
_SIZ = struct.Struct(">8IH").unpack_from


@dataclass(frozen=True, slots=True)
class J2K:
    """`start` is where the codestream begins, `tile_parts` where its first tile-part does; `transformed`: the multiple
    component transform."""

    rows: int
    columns: int
    components: int
    tiles: int
    transformed: bool
    precinct: int  # exponent of the smallest side above the lowest resolution
    start: int
    tile_parts: int


def j2k_header(frame: bytes) -> J2K | None:
    """The main header of a codestream, bare or in a JP2 file; None where there is none. Raises RecordError
    `bad_pixels` for a grid without an image, and for a JP2 file with a palette."""
    start = _codestream_of(frame)
    if start is None or len(frame) < start + 42:
        return None
    right, bottom, left, top, wide, high, tiles_left, tiles_top, components = _SIZ(frame, start + 8)
    columns, rows = right - left, bottom - top
    if min(columns, rows, wide, high) < 1 or tiles_left > left or tiles_top > top:
        raise RecordError("bad_pixels", "a JPEG 2000 grid that holds no image", _FETCH)
    tiles = -(-(right - tiles_left) // wide) * -(-(bottom - tiles_top) // high)
    at, transformed, precinct = start + 2, False, 15
    while at + 12 <= len(frame) and frame[at] == 0xFF and frame[at : at + 2] not in (_TILE_PART, b"\xff\x93"):
        if frame[at + 1] == _COD:
            transformed |= frame[at + 8] == 1
            precinct = min(precinct, _least_precinct(frame[at + 4 : at + 2 + int.from_bytes(frame[at + 2 : at + 4])]))
        at += 2 + int.from_bytes(frame[at + 2 : at + 4])
    return J2K(rows, columns, components, tiles, transformed, precinct, start, at)


def _codestream_of(frame: bytes) -> int | None:
    """Where SOC and SIZ stand: at the start, or at that of a JP2 file's codestream box."""
    if frame.startswith(_START):
        return 0
    at = 0
    while frame[4:8] == b"jP  " and at + 8 <= len(frame):
        size, kind = int.from_bytes(frame[at : at + 4]), frame[at + 4 : at + 8]
        head = 16 if size == 1 else 8
        if size == 1:
            size = int.from_bytes(frame[at + 8 : at + 16])
        if kind == b"jp2c":
            return at + head if frame.startswith(_START, at + head) else None
        if kind == b"jp2h" and b"pclr" in frame[at : at + size]:
            raise RecordError("bad_pixels", "a palette in a JP2 file", _FETCH)
        if size < head:
            return None
        at += size
    return None


def has_end(frame: bytes) -> bool:
    """Whether a JPEG-LS frame has the end marker that C.1 asks for behind the last scan's header. It cannot stand in a
    scan's data, where a zero bit follows every 0xFF. CharLS decodes no frame without one, and takes up to ten seconds
    to say so."""
    return frame.find(_END, max(frame.rfind(b"\xff\xda"), 0)) >= 0


def _least_precinct(cod: bytes) -> int:
    """COD's own data: Scod (1), progression (1), layers (2), transform (1), levels (1), block sizes and style (3),
    wavelet (1), then a byte of two exponents for each resolution where Scod says so."""
    sizes = cod[11:] if cod[:1] and cod[0] & 1 else b""  # all but that of the lowest resolution
    return min((min(size & 15, size >> 4) for size in sizes), default=15)


def require_sound(frame: bytes, told: J2K) -> None:
    """Neither tiles nor precincts are many for the image; every tile has a part, and the parts end with the end marker,
    zero padding apart: a decoder makes black of what is missing and says nothing.

    Raises RecordError `bad_pixels`, `truncated_pixels`."""
    if told.tiles > max(FEW_TILES, told.rows * told.columns // LEAST_TILE):
        raise RecordError("bad_pixels", f"{told.tiles} JPEG 2000 tiles of {told.rows} x {told.columns} pixels", _FETCH)
    if told.precinct < LEAST_PRECINCT:
        raise RecordError("bad_pixels", "JPEG 2000 precincts of a few pixels", _FETCH)
    at, seen = told.tile_parts, set()
    while frame[at : at + 2] == _TILE_PART and at + 12 <= len(frame):
        tile, size = struct.unpack_from(">HI", frame, at + 4)
        seen.add(tile)
        if size == 0:  # the last one, up to the end marker
            at = len(frame.rstrip(b"\0")) - len(_END)
            break
        if size < 12:
            break
        at += size
    if len(seen) < told.tiles or frame[at : at + 2] != _END:
        found = f"a JPEG 2000 frame cut off, with {len(seen)} of {told.tiles} tiles"
        raise RecordError("truncated_pixels", found, "fetch the file again")
