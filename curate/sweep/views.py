"""The texts that some bytes may hold: as UTF-8, latin-1 and UTF-16, and what is escaped or encoded in those.

A view is one reading. Inside each text, `\\uXXXX`, `\\xXX` and `&#NN;` escapes, percent-encoding, base64 (also
URL-safe; at every alignment, for it is decoded from each of four starts) and hexadecimal are resolved, once more inside
what they hold: base64 of UTF-16 is read, base64 of base64 of base64 is not.

Bytes that no text is made of (compressed pixels, encoded video) are looked at as `strings` does: runs of 6 or more
printable characters, single or in UTF-16.
"""

from __future__ import annotations

import base64
import binascii
import bisect
import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

import numpy as np

from curate.sweep.common import Runs

DEPTH = 2
MIN_RUN = 6
_ESCAPED = re.compile(r"\\+u([0-9A-Fa-f]{4})|\\+x([0-9A-Fa-f]{2})|&#x([0-9A-Fa-f]{1,5});|&#([0-9]{1,6});")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:0x)?((?:[0-9a-f]{2}[ :]?){5,}|(?:[0-9A-F]{2}[ :]?){5,})(?![0-9A-Za-z])")
_HEX_RUNS = Runs("0123456789abcdefABCDEF :", 10)
_PLAIN_WORD = re.compile(r"[A-Z]?[a-z/_-]+|[A-Z/_-]+|[0-9/_-]+|[0-9a-f-]+")
_READABLE = re.compile(rb"[ -~]{5}|(?:[ -~]\0){4}|(?:\0[ -~]){4}")
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1f]")
_TO_STANDARD = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True, repr=False)
class View:
    """One reading: how it was decoded, where in the bytes it begins, and the text (never shown). Several small parts
    may be read as one text: `parts` are where each begins in the text, and in the bytes."""

    encoding: str
    offset: int
    text: str
    parts: tuple[tuple[int, int], ...] = ()

    def place(self, index: int) -> int:
        """The offset in the bytes of what stands at an index of the text."""
        if self.parts:
            return self.parts[bisect.bisect_right(self.parts, (index, 1 << 62)) - 1][1]
        return self.offset + (len(self.text[:index].encode()) if self.encoding.endswith("utf-8") else 0)


def views(data: bytes, depth: int = DEPTH, encoding: str = "", offset: int = 0) -> Iterator[View]:
    """All readings of bytes that hold text."""
    prefix = f"{encoding}/" if encoding else ""
    try:
        yield from _inside(View(f"{prefix}utf-8", offset, data.decode()), depth)
        if _CONTROL.search(data) is None:
            return
    except UnicodeDecodeError:
        yield from _inside(View(f"{prefix}utf-8", offset, data.decode("utf-8", "replace")), depth)
        yield from _inside(View(f"{prefix}latin-1", offset, data.decode("latin-1")), 0)
    for start in (0, 1):
        for name in ("utf-16le", "utf-16be"):
            yield View(f"{prefix}{name}", offset + start, data[start:].decode(name, "replace"))


def text_views(text: str, depth: int = DEPTH) -> Iterator[View]:
    """As `views`, of a text."""
    return _inside(View("utf-8", 0, text), depth)


def _inside(view: View, depth: int) -> Iterator[View]:
    yield view
    text = view.text
    if depth == 0:
        return
    if ("\\" in text or "&#" in text) and _ESCAPED.search(text):
        yield from _inside(View(f"{view.encoding}/escaped", view.offset, _ESCAPED.sub(_character, text)), depth - 1)
    if "%" in text and _PERCENT.search(text):
        yield from views(unquote_to_bytes(text.replace("+", " ")), depth - 1, f"{view.encoding}/percent", view.offset)
    if _HEX_RUNS.may_stand_in(text):
        found = [(m.start(), bytes.fromhex(m[1].replace(":", " "))) for m in _HEX.finditer(text)]
        yield from _together([f for f in found if _is_readable(f[1])], f"{view.encoding}/hex", view, depth - 1)
    decoded = [one for m in _BASE64.finditer(text) if not _PLAIN_WORD.fullmatch(m[0]) for one in _base64(m)]
    yield from _together(decoded, f"{view.encoding}/base64", view, depth - 1)


def _together(found: list[tuple[int, bytes]], encoding: str, outer: View, depth: int) -> Iterator[View]:
    """Small decoded parts, each at its index of the outer text, as few texts: reading many costs more than their
    length."""
    for name, errors in (("utf-8", "replace"), ("latin-1", "strict"), ("utf-16le", "replace"), ("utf-16be", "replace")):
        texts, parts, size = [], [], 0
        for index, data in found:
            if name == "utf-8" or (b"\0" in data if name != "latin-1" else not data.isascii()):
                texts.append(data.decode(name, errors))
                parts.append((size, outer.place(index)))
                size += len(texts[-1]) + 1
        if texts:
            view = View(f"{encoding}/{name}", parts[0][1], "\n".join(texts), tuple(parts))
            yield from _inside(view, depth if name == "utf-8" else 0)


def _character(match: re.Match[str]) -> str:
    number = int(match[4]) if match[4] else int(match[1] or match[2] or match[3], 16)
    return chr(number) if number < 0x110000 else " "


def _base64(run: re.Match[str]) -> Iterator[tuple[int, bytes]]:
    standard = run[0].translate(_TO_STANDARD)
    for start in range(4):
        part = standard[start:]
        part += "A" if len(part) % 4 == 1 else ""  # 1 is no length of base64: what is cut off completes nothing
        with contextlib.suppress(binascii.Error):
            data = base64.b64decode(part + "=" * (-len(part) % 4))
            if _is_readable(data):
                yield run.start() + start, data


def _is_readable(data: bytes) -> bool:
    if _READABLE.search(data):
        return True
    try:
        return not data.decode().isascii()
    except UnicodeDecodeError:
        return False


def strings(data: bytes) -> Iterator[View]:
    """Runs of printable characters in bytes that are no text, joined by line ends; offsets are not kept."""
    array = np.frombuffer(data, np.uint8)
    yield View("ascii", 0, _runs(array).decode())
    wide = _wide(array)
    for start in (0, 1):
        yield View("utf-16le" if start == 0 else "utf-16", start, _runs(wide[start::2]).decode())


def _runs(array: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> bytes:
    printable = np.zeros(len(array) + 2, np.bool_)
    printable[1:-1] = (array - np.uint8(32)) < 95
    edges = np.flatnonzero(printable[1:] != printable[:-1])
    starts, ends = edges[::2], edges[1::2]
    long = ends - starts >= MIN_RUN
    data = array.tobytes()
    return b"\n".join(data[a:b] for a, b in zip(starts[long].tolist(), ends[long].tolist(), strict=True))


def _wide(array: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """The bytes beside a zero; others become 0, so that only what UTF-16 pairs with zeros can make a run."""
    beside = np.zeros(len(array), np.bool_)
    if len(array) > 1:
        beside[:-1] |= array[1:] == 0
        beside[1:] |= array[:-1] == 0
    return np.where(beside, array, 0).astype(np.uint8)
