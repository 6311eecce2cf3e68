"""Looking for needles: in texts, in JSON, in the members of a record, in files that were left behind.

A hit says which kind of identifier, in which encoding, in what, and where; it never holds the text. In a text the
offset is that of the first letter; where an encoding was resolved it is that of the part that was decoded, and where
accents were folded it is near.

What is looked at of a member: everything that is text or metadata (JSON, the NumPy and gzip headers of an array, PNG
chunks but pixel data, JPEG segments, MP4 boxes but media data) for every needle; encoded pixels and media data for the
long needles alone, as `strings` finds them, for a short one stands in random bytes by chance (4 letters in any case:
once in 270 MB; 8 bytes: once in 10^17 bytes). The numbers of an array are not searched, unless `deep`: they were
decoded as numbers, nothing of a header can get there, and an 8-digit needle stands once in 10^8 pixels of a dark 8-bit
image whose values are all between 48 and 57. Instead the inflated length must be what the array's header states, to
the byte, so that nothing hides behind it; an array that is longer is searched whole.
"""

from __future__ import annotations

import json
import mmap
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.guard import inflate
from curate.sweep.common import calls_in, folded, parts_of, without_digests, words_of
from curate.sweep.days import days_at
from curate.sweep.needles import Needles
from curate.sweep.views import View, strings, text_views, views
from manifests.errors import RecordError

MAX_INFLATED = 1 << 31
NPY_HEAD = 1 << 12
DEFLATED_HEAD = 1 << 14
MIN_DENSE = 8  # characters
MAX_UNKNOWN = 1 << 16
MIN_DENSE_WIDE = 6  # bytes of ideographs
SHOWN = 3


@dataclass(frozen=True, slots=True, order=True)
class Hit:
    kind: str  # keyword of the attribute, SourcePath, ScrubbedText, descrip, ...
    encoding: str  # utf-8, utf-8/base64/utf-16le, ...
    where: str  # record, paths, a member's name, a log line, ...
    offset: int

    def line(self) -> str:
        return f"{self.kind} as {self.encoding} in {self.where} at {self.offset}"


def told(hits: Iterable[Hit]) -> str:
    """Hits in words that hold no identifier."""
    several = sorted(set(hits))
    more = f" and {len(several) - SHOWN} more" if len(several) > SHOWN else ""
    return "; ".join(hit.line() for hit in several[:SHOWN]) + more


# --- texts -----------------------------------------------------------------------------------------------------------


def hits_in_text(text: str, needles: Needles, where: str) -> Iterator[Hit]:
    """A text and what is escaped or encoded in it."""
    return _hits(text_views(text), needles, where)


def hits_in_bytes(data: bytes, needles: Needles, where: str, at: int = 0) -> Iterator[Hit]:
    """Bytes that hold text in any of the encodings."""
    return _hits(views(data, offset=at), needles, where)


def hits_in_dense(data: bytes, needles: Needles, where: str, at: int = 0) -> Iterator[Hit]:
    """Bytes that are no text: long needles alone."""
    needles.wake_all()
    for view in strings(data):
        low = folded(view.text)
        yield from (Hit(kind, view.encoding, where, at) for form, kind in needles.anywhere.items() if form in low)
        plain = " ".join(words_of(low))
        phrases = (pair for forms in needles.phrases.values() for pair in forms.items() if len(pair[0]) >= MIN_DENSE)
        yield from (Hit(kind, view.encoding, where, at) for form, kind in phrases if form in plain)
    for form, kind in needles.anywhere.items():
        for name in ("utf-8", "utf-16le", "utf-16be") if not form.isascii() else ():
            coded = form.encode(name)
            if len(coded) >= MIN_DENSE_WIDE and coded in data:
                yield Hit(kind, name, where, at + data.find(coded))


def _hits(readings: Iterable[View], needles: Needles, where: str) -> Iterator[Hit]:
    if not len(needles):
        return
    for view in readings:
        for kind, place in places(view.text, needles):
            yield Hit(kind, view.encoding, where, view.place(place))


def places(text: str, needles: Needles) -> Iterator[tuple[str, int]]:
    """(kind, index) of every needle in one reading."""
    low = folded(text)
    plain = without_digests(low)
    needles.wake(low, plain)
    for form, kind in needles.anywhere.items():
        if form in low:
            yield kind, low.find(form)
    words = words_of(plain)
    distinct = set(words)
    distinct |= parts_of(distinct)
    for word in distinct & needles.words.keys():
        yield needles.words[word], plain.find(word)
    first = distinct & needles.phrases.keys()
    joined = f" {' '.join(words)} " if first else ""
    for word in first:
        for form, kind in needles.phrases[word].items():
            if f" {form} " in joined:
                yield kind, _place(form, plain)
    if needles.numbers:
        yield from ((needles.numbers[number], at) for number, at in calls_in(plain) if number in needles.numbers)
    if any(year in plain for year in {day[:4] for day in needles.days}):
        yield from ((needles.days[day], at) for day, at in days_at(plain) if day in needles.days)


def _place(form: str, plain: str) -> int:
    match = re.search(r"[\W_]+".join(map(re.escape, form.split(" "))), plain)
    return match.start() if match else 0


# --- JSON ------------------------------------------------------------------------------------------------------------


def hits_in_json(data: bytes, needles: Needles, where: str) -> Iterator[Hit]:
    """A JSON text: its strings, its keys, and its numbers from 8 digits on (smaller ones are sizes and places)."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        yield from hits_in_bytes(data, needles, where)
        return
    yield from hits_in_text("\n".join(leaves(value)), needles, where)


def leaves(value: Any) -> Iterator[str]:
    """The strings of a JSON value, its keys, and its whole numbers of 8 and more digits."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from leaves(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from leaves(inner)
    elif isinstance(value, int) and abs(value) >= 10_000_000:
        yield str(value)


# --- members ---------------------------------------------------------------------------------------------------------


def hits_in_member(name: str, stored: bytes | Path, needles: Needles, deep: bool = False) -> Iterator[Hit]:
    """One member by its name: `image.npy.gz`, `mp4`, `png`, `jpg`, `json`, ...; a file is mapped, not read."""
    if isinstance(stored, bytes):
        yield from _member(name, stored, needles, deep)
    elif stored.stat().st_size:
        with stored.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            yield from _member(name, mapped, needles, deep)


def _member(name: str, data: bytes | mmap.mmap, needles: Needles, deep: bool) -> Iterator[Hit]:
    if name.endswith("json"):
        yield from hits_in_json(data[:], needles, name)
    elif data[:2] == b"\x1f\x8b":
        yield from _gzip(name, data, needles, deep)
    else:
        cut = next((c for c, knows in _CONTAINERS if knows(data)), _unknown)
        for start, end, dense in cut(data):
            look = hits_in_dense if dense else hits_in_bytes
            yield from look(data[start:end], needles, name, start)


def outside_pixels(data: bytes) -> bytes:
    """What of an encoded member is neither pixels nor media data: headers, chunks, segments, boxes. For members that
    are encoded from arrays alone, so that only an encoder's own doing can put text into them."""
    if data[:2] == b"\x1f\x8b":
        head = _inflated_head(data)
        return data[:10] + (head[: _npy_header_end(head)] if head[:6] == b"\x93NUMPY" else head)
    cut = next((c for c, knows in _CONTAINERS if knows(data)), _unknown)
    return b"\n".join(data[start:end] for start, end, dense in cut(data) if not dense)


def _unknown(data: bytes | mmap.mmap) -> Iterator[tuple[int, int, bool]]:
    """Text, or small: searched for everything. Something large and binary: for what is long."""
    yield 0, len(data), len(data) > MAX_UNKNOWN and b"\0" in data[:4096]


def _gzip(name: str, data: bytes | mmap.mmap, needles: Needles, deep: bool) -> Iterator[Hit]:
    """A gzip member: its header with the file name in it, what it holds where that is text, an array's header."""
    yield from hits_in_bytes(data[:512] if data[3] & 0b11100 else data[:10], needles, f"{name} gzip header")
    head = _inflated_head(data)
    if head[:6] != b"\x93NUMPY":
        yield from hits_in_bytes(inflate(data[:], MAX_INFLATED), needles, name)
        return
    end = _npy_header_end(head)
    yield from hits_in_bytes(head[8:end], needles, f"{name} array header")
    if deep or struct.unpack("<I", data[-4:])[0] != (end + _npy_bytes(head[:end])) % (1 << 32):
        try:
            yield from hits_in_dense(inflate(data[:], MAX_INFLATED)[end:], needles, name, end)
        except RecordError:
            yield Hit("unreadable member", "gzip", name, 0)


def _inflated_head(data: bytes | mmap.mmap) -> bytes:
    return zlib.decompressobj(31).decompress(data[:DEFLATED_HEAD], NPY_HEAD)


def _npy_header_end(head: bytes) -> int:
    size = struct.unpack("<H", head[8:10])[0] if head[6] == 1 else struct.unpack("<I", head[8:12])[0]
    return int(size) + (10 if head[6] == 1 else 12)


def _npy_bytes(head: bytes) -> int:
    """The size of the array that a NumPy header states; -1 where it states none."""
    kind = re.search(rb"'descr': *'[<>|=][biuf](\d+)'", head)
    shape = re.search(rb"'shape': *\(([\d, ]*)\)", head)
    if not kind or not shape:
        return -1
    size = int(kind[1])
    for number in re.findall(rb"\d+", shape[1]):
        size *= int(number)
    return size


def _png(data: bytes | mmap.mmap) -> Iterator[tuple[int, int, bool]]:
    at = 8
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        end = min(at + 12 + size, len(data))
        yield at, end, data[at + 4 : at + 8] in (b"IDAT", b"zTXt", b"iCCP")
        at = end
    if at < len(data):
        yield at, len(data), False


def _jpeg(data: bytes | mmap.mmap) -> Iterator[tuple[int, int, bool]]:
    """Segments up to the first scan (ITU T.81 B.1.1), then entropy-coded data, then what follows the end."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield at, end, False
        at = end
    last = data.rfind(b"\xff\xd9")
    stop = last + 2 if last >= at else len(data)
    yield at, stop, True
    if stop < len(data):
        yield stop, len(data), False


def _boxes(data: bytes | mmap.mmap) -> Iterator[tuple[int, int, bool]]:
    """Boxes of ISO/IEC 14496-12; anything that is no such file is one dense run. A hidden `free` box is text too."""
    at = 0
    while at + 8 <= len(data) and data[at + 4 : at + 8].isalnum():
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        end = len(data) if size < 8 else min(at + size, len(data))
        yield at, end, data[at + 4 : at + 8] == b"mdat"
        at = end
    if at < len(data):
        yield at, len(data), True


_CONTAINERS: tuple[tuple[Callable[[bytes | mmap.mmap], Iterator[tuple[int, int, bool]]], Callable[..., bool]], ...] = (
    (_png, lambda data: data[:4] == b"\x89PNG"),
    (_jpeg, lambda data: data[:3] == b"\xff\xd8\xff"),
    (_boxes, lambda data: data[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide")),
)
