"""Edits that break files where parsers believe them: lengths and counts, numbers in text, cuts, and splices of two.

One seed of `random.Random` decides everything, so a case is (target, numbers) and needs no binary file.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
NUMBERS = (
    b"0", b"-1", b"1", b"nan", b"inf", b"-0.0", b"1e999", b"1e308", b"65536", b"2147483648", b"99999999999999999999",
    b"1e-320", b"", b" ", b"0x10", b"1_0", b"\xd9\xa3", b"9" * 5000,
)  # fmt: skip
WORDS = (
    b"\0", b"\xff", b"\\", b"\n", b'"', b"{", b"[" * 2000, b"}", b"%s", b"../", b"\xed\xa0\x80", b"null",
    b"\xef\xbb\xbf", b"\\ud800", b"NaN", b"1e999", b"&a;", b"!!python/name:os", b"ISO 2022 IR 87",
    b"UN\0\0", b"OB\0\0",
    b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"\xfe\xff\x0d\xe0\0\0\0\0", b"SQ\0\0\xff\xff\xff\xff",
    b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.5",
)  # fmt: skip
SIZES = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    127,
    128,
    255,
    256,
    0x7FFF,
    0x8000,
    0xFFFE,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFF0,
    0xFFFFFFFF,
)

Edit = Callable[[bytearray, random.Random, bytes], None]


def _at(data: bytearray, rng: random.Random, width: int = 1) -> int:
    """A place with room for `width` bytes; headers, at the front, are hit more often."""
    room = max(len(data) - width, 0) + 1
    return rng.randrange(min(room, 512)) if rng.random() < 0.4 else rng.randrange(room)


def flip(data: bytearray, rng: random.Random, other: bytes) -> None:
    if data:
        data[_at(data, rng)] ^= 1 << rng.randrange(8)


def put_byte(data: bytearray, rng: random.Random, other: bytes) -> None:
    if data:
        data[_at(data, rng)] = rng.choice((0, 1, 0x20, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def put_size(data: bytearray, rng: random.Random, other: bytes) -> None:
    """A length or count of 1, 2, 4 or 8 bytes, in either byte order: an odd one, or the old one a little off."""
    width = rng.choice((1, 2, 2, 4, 4, 8))
    at, order = _at(data, rng, width), rng.choice(("little", "big"))
    old = int.from_bytes(data[at : at + width], order)  # type: ignore[arg-type]
    new = rng.choice((*SIZES, old + 1, old - 1, old * 2, old + rng.randrange(64), len(data) - at))
    data[at : at + width] = (new % (1 << 8 * width)).to_bytes(width, order)  # type: ignore[arg-type]


def put_number(data: bytearray, rng: random.Random, other: bytes) -> None:
    """Another number where one is written in digits, of the same length where it fits."""
    found = list(_NUMBER.finditer(data[: 1 << 16]))
    if not found:
        return
    match, new = rng.choice(found), rng.choice(NUMBERS)
    size = match.end() - match.start()
    data[match.start() : match.end()] = new.ljust(size)[:size] if rng.random() < 0.5 else new


def put_word(data: bytearray, rng: random.Random, other: bytes) -> None:
    at, word = _at(data, rng), rng.choice(WORDS)
    data[at : at + (len(word) if rng.random() < 0.5 else 0)] = word


def truncate(data: bytearray, rng: random.Random, other: bytes) -> None:
    del data[_at(data, rng) :]


def cut(data: bytearray, rng: random.Random, other: bytes) -> None:
    at = _at(data, rng)
    del data[at : at + rng.choice((1, 2, 4, 8, 16, rng.randrange(1, 256)))]


def repeat(data: bytearray, rng: random.Random, other: bytes) -> None:
    at, size = _at(data, rng), rng.choice((1, 2, 4, 8, 32, 256))
    data[at:at] = bytes(data[at : at + size]) * rng.choice((1, 1, 2, 64))


def splice(data: bytearray, rng: random.Random, other: bytes) -> None:
    """The beginning of one file and the end, or a piece, of another."""
    at, start = _at(data, rng), rng.randrange(len(other) + 1)
    if rng.random() < 0.5:
        data[at:] = other[start:]
    else:
        data[at:at] = other[start : start + rng.randrange(1, 512)]


EDITS: tuple[Edit, ...] = (flip, put_byte, put_size, put_size, put_number, put_word, truncate, cut, repeat, splice)


def mutated(data: bytes, other: bytes, seed: int) -> bytes:
    """`data` after one to six edits; the same seed gives the same bytes."""
    rng = random.Random(seed)
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 6))):
        rng.choice(EDITS)(changed, rng, other)
    return bytes(changed)
