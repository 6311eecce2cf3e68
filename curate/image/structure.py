"""What a picture file is made of, counted before a decoder walks it: Pillow takes time for every chunk, block and page.

Standards: PNG (W3C, 3rd edition: 5 chunks, 8 interlacing), GIF89a, TIFF 6.0 and BigTIFF (image file directories), JPEG
(ITU-T T.81 B.1). Nothing is allocated by what a file says. Not covered: WebP and BMP, whose containers are flat.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from curate.guard import PIECE, stream_from
from manifests.errors import RecordError

MAX_PARTS = 4096  # chunks, segments and blocks that are small on average
SMALL_PART = 256  # bytes
MAX_WORDS = 1 << 20  # bytes of a GIF's comments and of other things that are no image
MAX_FRAMES = 1000  # of a GIF that are counted
MAX_PAGES = 64  # of a TIFF
MAX_SCANS = 256  # of a JPEG: ten at most are in use, and each passes over the whole image

_PNG = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)  # x, y, steps


def check_structure(path: Path) -> int:
    """The number of pages of a TIFF and frames of a GIF (`MAX_FRAMES` where there may be more), 1 of all others.

    Raises RecordError `corrupt_image`, `multi_page`."""
    with path.open("rb") as stream:
        head = stream.read(8)
        if head == _PNG:
            _check_chunks(stream)
        elif head[:6] in (b"GIF87a", b"GIF89a"):
            return _gif_frames(stream)
        elif head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return _pages(stream, "<" if head[:2] == b"II" else ">", big=head[2:4] in (b"+\0", b"\0+"))
        elif head[:2] == b"\xff\xd8":
            _check_jpeg(stream)
    return 1


def _refused(found: str) -> RecordError:
    return RecordError("corrupt_image", found, "fetch the file again or convert it to PNG")


# ----------------------------------------------------------------------------------------------------------------- PNG
def _chunks(stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """(kind, length) of each chunk, with the stream at its data."""
    at = len(_PNG)
    while True:
        stream.seek(at)
        head = stream.read(8)
        if len(head) < 8:
            return
        size = int.from_bytes(head[:4])
        yield head[4:], size
        at += 12 + size


def _check_chunks(stream: BinaryIO) -> None:
    count = total = 0
    for _, size in _chunks(stream):
        count, total = count + 1, total + size
        if count > MAX_PARTS and total < SMALL_PART * count:
            raise _refused(f"more than {MAX_PARTS} PNG chunks of a few bytes")


def require_rows(path: Path) -> None:
    """All rows of a PNG are there: Pillow leaves those black that the compressed data end before. Of an animated one
    the default image is looked at. Raises RecordError `corrupt_image`."""
    with path.open("rb") as stream:
        if stream.read(8) != _PNG:
            return
        stream.seek(16)
        needed = _row_bytes(stream.read(13))
        pieces = _row_pieces(stream)
        rows = stream_from(lambda _: next(pieces, b""), "zlib", needed, needed + PIECE)
        try:
            found = rows.skip(needed)
        except RecordError as error:
            raise _refused(f"PNG rows of which {error.found}") from error
    if found < needed:
        raise _refused(f"{found} of {needed} bytes of PNG rows")


def _row_pieces(stream: BinaryIO) -> Iterator[bytes]:
    """The data of the IDAT chunks."""
    for kind, size in _chunks(stream):
        while kind == b"IDAT" and size > 0 and (data := stream.read(min(size, PIECE))):
            size -= len(data)
            yield data


def _row_bytes(head: bytes) -> int:
    """How many bytes the filtered rows of all passes have."""
    width, height, bits, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head)
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    total = 0
    for left, top, step_x, step_y in passes:
        columns, rows = -(-max(width - left, 0) // step_x), -(-max(height - top, 0) // step_y)
        if columns:
            total += rows * (1 + -(-columns * _CHANNELS.get(colour, 1) * bits // 8))
    return total


# ----------------------------------------------------------------------------------------------------------------- GIF
def _gif_frames(stream: BinaryIO) -> int:
    """Images counted, up to `MAX_FRAMES`; where the blocks break off, the decoder says what is wrong."""
    stream.seek(6)
    screen = stream.read(7)
    if len(screen) == 7 and screen[4] & 0x80:
        stream.seek(3 * (2 << (screen[4] & 7)), 1)
    frames = words = 0
    while frames < MAX_FRAMES and (mark := stream.read(1)) in (b",", b"!"):
        if mark == b",":
            place = stream.read(9)
            if len(place) == 9 and place[8] & 0x80:
                stream.seek(3 * (2 << (place[8] & 7)), 1)
            stream.seek(1, 1)
            frames += 1
            _sub_blocks(stream, 1 << 62)
        else:
            stream.seek(1, 1)
            words += _sub_blocks(stream, MAX_WORDS - words)
    return max(frames, 1)


def _sub_blocks(stream: BinaryIO, most: int) -> int:
    """Pass over data sub-blocks; how many bytes they have."""
    count = total = 0
    while (size := stream.read(1)) and size != b"\0":
        stream.seek(size[0], 1)
        count, total = count + 1, total + size[0]
        if total > most:
            raise _refused(f"more than {MAX_WORDS} bytes of GIF comments")
        if count > MAX_PARTS and total < count * 8:
            raise _refused(f"more than {MAX_PARTS} GIF blocks of a few bytes")
    return total


# ---------------------------------------------------------------------------------------------------------------- TIFF
def _pages(stream: BinaryIO, order: str, big: bool) -> int:
    """The length of the chain of directories."""
    at, offset = (8, "Q") if big else (4, "I")
    seen: list[int] = []
    place = _number(stream, at, order + offset)
    while place:
        if place in seen:
            raise _refused("TIFF directories that follow each other in a circle")
        seen.append(place)
        if len(seen) > MAX_PAGES:
            remedy = "give one file per image, or read it as a stack"
            raise RecordError("multi_page", f"more than {MAX_PAGES} TIFF pages", remedy)
        entries = _number(stream, place, order + ("Q" if big else "H"))
        if entries > MAX_PARTS:
            raise _refused(f"a TIFF directory of {entries} entries")
        place = _number(stream, place + (8 + 20 * entries if big else 2 + 12 * entries), order + offset)
    return max(len(seen), 1)


def _number(stream: BinaryIO, at: int, code: str) -> int:
    """The unsigned number at an offset, 0 beyond the end."""
    if at >= 1 << 62:
        return 0
    stream.seek(at)
    data = stream.read(struct.calcsize(code))
    return int(struct.unpack(code, data)[0]) if len(data) == struct.calcsize(code) else 0


# ---------------------------------------------------------------------------------------------------------------- JPEG
def _check_jpeg(stream: BinaryIO) -> None:
    """Few segments before the first scan, and few scans; FF DA stands in coded data as a marker alone."""
    at, count = 2, 0
    while True:
        stream.seek(at)
        head = stream.read(4)
        if len(head) < 4 or head[0] != 0xFF or head[1] == 0xDA:
            break
        at, count = at + 2 + int.from_bytes(head[2:]), count + 1
        if count > MAX_PARTS:
            raise _refused(f"more than {MAX_PARTS} JPEG segments")
    scans, last = 0, b""
    stream.seek(at)
    while data := stream.read(1 << 20):
        scans += (last + data).count(b"\xff\xda")
        last = data[-1:]
    if scans > MAX_SCANS:
        raise _refused(f"{scans} JPEG scans")
