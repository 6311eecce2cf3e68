"""The comparison form of many texts, compiled; what the compiled part cannot decide is done by `curate.text`.

Every code point has an entry: what the character becomes, as a kind and a character, before points and hyphens are
judged by their neighbours. Entries are made by `curate.text`'s own tables, 256 at a time, when a text first shows one
of them. A character is **plain** where the steps before that (removal, NFKC, case folding, NFKC) act on it alone: it
and whatever it becomes are starters that never compose with what stands before them (Unicode Annex 15: no marks, no
conjoining jamo), and it grows at most fivefold. Only texts of plain characters are done here; another text, with a
combining accent or in an Indic script, goes to `curate.text.comparison`. The results are equal by construction, and
the tests compare them over every code point, made texts and real ones.
"""

from __future__ import annotations

import functools
import threading
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curate import text as rules
from curate.near.tokens import Bytes, Offsets, packed

BATCH_BYTES = 1 << 22  # texts folded at once: stays in the cache of one core
DROP, SPACE, WORD, DIGIT, POINT, HYPHEN, SYMBOL, OTHER, LONGER, UNDECIDED, MISSING = range(11)
KIND_SHIFT = 24
NOTHING = LONGER << KIND_SHIFT  # a character that becomes no part: the first entry of `longer` counts none
GROWTH = 6  # bytes of form per byte of text, at most
_BLOCKS = 0x110000 // 256
_JAMO = ((0x1100, 0x11FF), (0xA960, 0xA97F), (0xD7B0, 0xD7FF))


class _Table:
    """Entries by code point, filled block by block; `longer` holds the entries of characters that become several."""

    def __init__(self) -> None:
        self.place = np.full(_BLOCKS, -1, np.int32)
        self.entries = np.zeros((0, 256), np.uint32)
        self.longer = np.zeros(1, np.uint32)
        self._lock = threading.Lock()
        self.add(0)
        ascii_kinds = self.entries[0] >> KIND_SHIFT
        plain = (ascii_kinds == WORD) | (ascii_kinds == DIGIT)
        self.plain = np.where(plain & (np.arange(256) < 128), self.entries[0] & 0xFF, 0).astype(np.uint8)

    def all(self) -> tuple[NDArray[np.int32], NDArray[np.uint32], NDArray[np.uint32], Bytes]:
        return self.place, self.entries, self.longer, self.plain

    def add(self, block: int) -> None:
        with self._lock:
            if self.place[block] >= 0:
                return
            more = self.longer.tolist()
            row = [_entry(chr(block * 256 + low), more) for low in range(256)]
            self.entries = np.concatenate([self.entries, np.array([row], np.uint32)])
            self.longer = np.array(more, np.uint32)
            self.place[block] = len(self.entries) - 1  # last: whoever sees the place finds the entries


@functools.cache
def _table() -> _Table:
    return _Table()


def _entry(char: str, more: list[int]) -> int:
    kept = rules._IGNORED.sub("", rules._LINE_ENDS.sub("\n", char).translate(rules._STORED))
    first = unicodedata.normalize("NFKC", kept)
    folded = first.casefold()
    last = unicodedata.normalize("NFKC", folded)
    room = (GROWTH - 1) * len(char.encode("utf-8", "surrogatepass"))
    parts = [part for c in last if (part := _part(c)) >> KIND_SHIFT != DROP]
    if not all(map(_starts, {kept, first, folded, last})) or sum(map(_width, parts)) > room:
        return UNDECIDED << KIND_SHIFT
    if len(parts) < 2:
        return parts[0] if parts else NOTHING
    more.extend([len(parts), *parts])
    return LONGER << KIND_SHIFT | (len(more) - len(parts) - 1)


def _part(char: str) -> int:
    """The kind of a character after case folding, and the character itself."""
    value = rules._COMPARED[ord(char)]
    if value in ("", " "):
        return (SPACE if value else DROP) << KIND_SHIFT
    if value == "-":
        return HYPHEN << KIND_SHIFT | ord("-")
    if len(value) == 3:  # " c "
        return SYMBOL << KIND_SHIFT | ord(char)
    if char in ".,:/":
        return POINT << KIND_SHIFT | ord(char)
    kind = DIGIT if char.isdecimal() else WORD if char.isalnum() else OTHER
    return kind << KIND_SHIFT | ord(char)


def _width(part: int) -> int:
    """Bytes that a part takes at most: its own, one space before a word, two around a symbol."""
    kind = part >> KIND_SHIFT
    if kind == HYPHEN:
        return 5  # a minus sign and two spaces
    size = len(chr(part & 0xFFFFFF).encode("utf-8", "surrogatepass"))
    return size + 2 if kind == SYMBOL else size + 1


def _starts(text: str) -> bool:
    """Whether no character, nor the first of what any decomposes to, can act on its neighbours in NFKC."""
    heads = [unicodedata.normalize("NFKD", char)[:1] for char in text]
    return all(unicodedata.category(c)[0] != "M" and not unicodedata.combining(c) and not _jamo(c)
               for c in [*text, *heads])  # fmt: skip


def _jamo(char: str) -> bool:
    return any(low <= ord(char) <= high for low, high in _JAMO)


def forms(texts: Sequence[str]) -> tuple[Bytes, Offsets]:
    """The comparison forms of texts, as `curate.text.comparison` makes them: UTF-8 bytes and (n + 1,) int64 offsets."""
    done: list[tuple[Bytes, Offsets]] = []
    for start, end in _batches(texts):
        part = texts[start:end]
        data, bounds, undecided = fold(*packed(part))
        done.append(_with_undecided(data, bounds, undecided, part) if len(undecided) else (data, bounds))
    if len(done) == 1:
        return done[0]
    return joined(done)


def joined(parts: Sequence[tuple[Bytes, Offsets]]) -> tuple[Bytes, Offsets]:
    """Packed texts after one another."""
    sizes = np.concatenate([np.zeros(1, np.int64), *(np.diff(bounds) for _, bounds in parts)])
    data = np.concatenate([np.zeros(0, np.uint8), *(data for data, _ in parts)])
    data.flags.writeable = False
    return data, np.cumsum(sizes)


def _batches(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Runs of texts of at most `BATCH_BYTES` characters each, or of one text."""
    cuts, size = [0], 0
    for place, text in enumerate(texts):
        if size and size + len(text) > BATCH_BYTES:
            cuts.append(place)
            size = 0
        size += len(text)
    return list(zip(cuts, [*cuts[1:], len(texts)], strict=True)) if len(texts) else []


def fold(data: Bytes, bounds: Offsets) -> tuple[Bytes, Offsets, NDArray[np.int64]]:
    """The forms of packed texts, empty where undecided, and the numbers of the undecided texts, ascending.

    `data` is valid UTF-8 (lone surrogates as three bytes are let pass), `bounds` (n + 1,) int64.
    """
    from curate.near import folding_kernel as kernel

    table = _table()
    out = np.empty(int(bounds[-1] - bounds[0]) * 9 // 8 + 4096, np.uint8)
    made = np.zeros(len(bounds), np.int64)
    undecided = np.zeros(len(bounds), np.int64)
    state = np.zeros(4, np.int64)  # next text, bytes made, texts undecided, what is missing
    while state[0] < len(bounds) - 1:
        kernel.fold(data, bounds, table.all(), out, made, undecided, state)
        if state[3] >= 0:
            table.add(int(state[3]))
        elif state[3] == kernel.NO_ROOM:
            out = np.concatenate([out, np.empty(len(out) + GROWTH * int(np.diff(bounds).max()), np.uint8)])
    form = out[: state[1]]
    form.flags.writeable = False
    return form, made, undecided[: state[2]]


def _with_undecided(
    data: Bytes, bounds: Offsets, undecided: NDArray[np.int64], texts: Sequence[str]
) -> tuple[Bytes, Offsets]:
    """The same with the undecided texts' forms put in their places."""
    parts: list[Bytes] = []
    sizes = np.diff(bounds, prepend=0)
    last = 0
    for place in undecided.tolist():
        form = rules.comparison(texts[place]).encode()
        parts += [data[last : bounds[place]], np.frombuffer(form, np.uint8)]
        last, sizes[place + 1] = int(bounds[place]), len(form)
    whole = np.concatenate([*parts, data[last:]])
    whole.flags.writeable = False
    return whole, np.cumsum(sizes)
