"""The pages of a TIFF, each as a TIFF of its own, without decoding a pixel.

Classic TIFF 6.0 of either byte order, in strips or tiles: a page's directory and its data are copied as they are, and
offsets written anew, so a page's bytes depend on nothing but the file's. Not covered: BigTIFF, JPEG of the old kind
(tag 513); sub-directories (reduced pages, EXIF, GPS) are left out.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from manifests.errors import RecordError

MAX_PAGES = 4096
MAX_TAGS = 512
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
OFFSETS = {273: 279, 324: 325}  # strips, tiles: the tag of their offsets and that of their byte counts
LEFT_OUT = (330, 34665, 34853, 40965)
OLD_JPEG = 513
REMEDY = "save the pages again as baseline TIFF"


@dataclass(frozen=True, slots=True)
class _Tag:
    tag: int
    kind: int
    count: int
    data: bytes


def page_offsets(data: bytes) -> list[int]:
    """Where the directories of the pages begin. Raises `RecordError` `bad_tiff`."""
    order = _order(data)
    found: list[int] = []
    at = _number(data, 4, order + "I")
    while at:
        if at in found or len(found) >= MAX_PAGES:
            raise RecordError("bad_tiff", f"directories in a circle, or more than {MAX_PAGES}", REMEDY)
        found.append(at)
        at = _number(data, at + 2 + 12 * _number(data, at, order + "H"), order + "I")
    return found


def page(data: bytes, at: int) -> bytes:
    """The page whose directory begins there. Raises `RecordError` `bad_tiff`."""
    order = _order(data)
    known: dict[int, _Tag] = {}
    count = _number(data, at, order + "H")
    if count > MAX_TAGS:
        raise RecordError("bad_tiff", f"{count} tags in a directory", REMEDY)
    for k in range(count):
        one = _tag(data, at + 2 + 12 * k, order)
        known |= {one.tag: one} if one.tag not in LEFT_OUT else {}
        if sum(len(t.data) for t in known.values()) > len(data):
            raise RecordError("bad_tiff", "tags that hold more than the file", REMEDY)
    if OLD_JPEG in known or not any(tag in known and count in known for tag, count in OFFSETS.items()):
        raise RecordError("bad_tiff", "a page without strips or tiles, or with JPEG of the old kind", REMEDY)
    body = bytearray()
    start = 8 + 2 + 12 * len(known) + 4
    entries = bytearray(struct.pack(order + "H", len(known)))
    for tag in sorted(known):
        one = known[tag]  # in rising order, as TIFF wants it
        if tag in OFFSETS:
            one = _moved(data, one, known.get(OFFSETS[tag]), order, body, start)
        value = one.data
        if len(value) > 4:
            body += b"\0" * (len(body) % 2)
            value, place = struct.pack(order + "I", start + len(body)), value
            body += place
        entries += struct.pack(order + "HHI", one.tag, one.kind, one.count) + value.ljust(4, b"\0")
    mark = b"II" if order == "<" else b"MM"
    return mark + struct.pack(order + "HI", 42, 8) + bytes(entries) + b"\0\0\0\0" + bytes(body)


def _moved(data: bytes, offsets: _Tag, counts: _Tag | None, order: str, body: bytearray, start: int) -> _Tag:
    """The strips or tiles put into `body`, and the tag of where they are now."""
    if counts is None or counts.count != offsets.count:
        raise RecordError("bad_tiff", "strips or tiles without their sizes", REMEDY)
    moved: list[int] = []
    for at, size in zip(_integers(offsets, order), _integers(counts, order), strict=True):
        if at + size > len(data) or len(body) > len(data):
            raise RecordError("bad_tiff", "strips or tiles beyond the file", REMEDY)
        body += b"\0" * (len(body) % 2)
        moved.append(start + len(body))
        body += data[at : at + size]
    return _Tag(offsets.tag, 4, len(moved), struct.pack(f"{order}{len(moved)}I", *moved))


def _tag(data: bytes, at: int, order: str) -> _Tag:
    tag, kind, count = (_number(data, at + k, order + code) for k, code in ((0, "H"), (2, "H"), (4, "I")))
    size = SIZES.get(kind, 0) * count
    place = at + 8 if size <= 4 else _number(data, at + 8, order + "I")
    if not size or place + size > len(data):
        raise RecordError("bad_tiff", "a tag beyond the file, or of no known kind", REMEDY)
    return _Tag(tag, kind, count, data[place : place + size])


def _integers(tag: _Tag, order: str) -> tuple[int, ...]:
    if tag.kind not in (3, 4):
        raise RecordError("bad_tiff", "offsets that are no integers", REMEDY)
    return struct.unpack(f"{order}{tag.count}{'H' if tag.kind == 3 else 'I'}", tag.data)


def _order(data: bytes) -> str:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4], "")
    if not order:
        raise RecordError("bad_tiff", "bytes that begin no TIFF", REMEDY)
    return order


def _number(data: bytes, at: int, code: str) -> int:
    try:
        value: int = struct.unpack_from(code, data, at)[0]
    except struct.error:
        raise RecordError("bad_tiff", "a file that is cut off", REMEDY) from None
    return value
