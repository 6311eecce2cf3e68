"""The objects of a JSON list, or objects that follow one another, one at a time, each with where it stands, so that one
of many can be read again without the others. A file of any size needs the memory of one object."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHUNK_CHARS = 1 << 20
MAX_OBJECT_CHARS = 64 << 20
BOM_BYTES = b"\xef\xbb\xbf"


def json_spans(path: Path) -> Iterator[tuple[int, int, Any]]:
    """(first byte, bytes, value) of each. Raises `ValueError` for what is no JSON, `RecursionError` and `OSError`."""
    decoder = json.JSONDecoder()
    with path.open("rb") as head:
        first = len(BOM_BYTES) if head.read(len(BOM_BYTES)) == BOM_BYTES else 0
    with path.open(encoding="utf-8-sig", newline="") as stream:
        text, at, ended, listed = "", 0, False, False
        told = 0  # up to here the characters are counted in `first`
        while True:
            at = _skip(text, at, listed)
            if not listed and text[at : at + 1] == "[":
                listed, at = True, at + 1
                continue
            if text[at : at + 1] == "]" and listed:
                return
            try:
                if at >= len(text):
                    raise ValueError
                value, end = decoder.raw_decode(text, at)
            except ValueError:
                if ended and at >= len(text) and not listed:
                    return
                more = stream.read(max(CHUNK_CHARS, len(text) - at))
                if (not more and ended) or len(text) - at > MAX_OBJECT_CHARS:
                    raise
                first += _bytes(text, told, at)
                text, at, told, ended = text[at:] + more, 0, 0, not more
                continue
            first, size = first + _bytes(text, told, at), _bytes(text, at, end)
            yield first, size, value
            first, at, told = first + size, end, end


def _bytes(text: str, start: int, end: int) -> int:
    return end - start if text.isascii() else len(text[start:end].encode())


def _skip(text: str, at: int, listed: bool) -> int:
    blank = " \t\r\n," if listed else " \t\r\n"
    while at < len(text) and text[at] in blank:
        at += 1
    return at
