"""The compiled part of `curate.near.folding`: one pass over UTF-8 bytes, one character held back until its successor.

A point or a hyphen is judged by the characters beside it, so it waits for the next that is not dropped. The rules are
`curate.text`'s: a point stays between two digits; a hyphen stays between two digits, is a space between two letters or
digits otherwise, is a minus sign before a digit or after a word's end, and else a space.
"""

from __future__ import annotations

from typing import Any

from curate.near import folding as kinds
from curate.near.hashing import AT, U4, jit

DONE, NO_ROOM = -1, -2
_SPACE, _WORD, _DIGIT = U4(kinds.SPACE), U4(kinds.WORD), U4(kinds.DIGIT)
_POINT, _HYPHEN, _SYMBOL, _OTHER = U4(kinds.POINT), U4(kinds.HYPHEN), U4(kinds.SYMBOL), U4(kinds.OTHER)
_LONGER, _UNDECIDED, _MISSING = U4(kinds.LONGER), U4(kinds.UNDECIDED), U4(kinds.MISSING)
_SHIFT, _CODE = U4(kinds.KIND_SHIFT), U4(0xFFFFFF)
_NONE, _MINUS = U4(0), U4(0x2212)
_GROWTH = kinds.GROWTH


@jit
def _write(out: Any, put: Any, code: Any) -> Any:
    """UTF-8 of one character; returns where the next goes."""
    if code < U4(0x80):
        out[put] = code
        return put + AT(1)
    if code < U4(0x800):
        out[put] = U4(0xC0) | (code >> U4(6))
        out[put + AT(1)] = U4(0x80) | (code & U4(0x3F))
        return put + AT(2)
    if code < U4(0x10000):
        out[put] = U4(0xE0) | (code >> U4(12))
        out[put + AT(1)] = U4(0x80) | ((code >> U4(6)) & U4(0x3F))
        out[put + AT(2)] = U4(0x80) | (code & U4(0x3F))
        return put + AT(3)
    out[put] = U4(0xF0) | (code >> U4(18))
    out[put + AT(1)] = U4(0x80) | ((code >> U4(12)) & U4(0x3F))
    out[put + AT(2)] = U4(0x80) | ((code >> U4(6)) & U4(0x3F))
    out[put + AT(3)] = U4(0x80) | (code & U4(0x3F))
    return put + AT(4)


@jit
def _read(data: Any, at: Any) -> Any:
    """One character of UTF-8 and its bytes."""
    head = U4(data[at])
    if head < U4(0x80):
        return head, AT(1)
    one = U4(data[at + AT(1)]) & U4(0x3F)
    if head < U4(0xE0):
        return ((head & U4(0x1F)) << U4(6)) | one, AT(2)
    two = U4(data[at + AT(2)]) & U4(0x3F)
    if head < U4(0xF0):
        return ((head & U4(0x0F)) << U4(12)) | (one << U4(6)) | two, AT(3)
    three = U4(data[at + AT(3)]) & U4(0x3F)
    return ((head & U4(0x07)) << U4(18)) | (one << U4(12)) | (two << U4(6)) | three, AT(4)


@jit
def _settled(held: Any, before: Any, after: Any) -> Any:
    """What becomes of a held point or hyphen: `_OTHER` it stays in its token, `_SYMBOL` a minus sign, `_SPACE`."""
    if before == _DIGIT and after == _DIGIT:
        return _OTHER
    if (held >> _SHIFT) == _POINT:
        return _SPACE
    wordy = after in (_WORD, _DIGIT)
    if before in (_WORD, _DIGIT):
        return _SPACE if wordy or after == _HYPHEN else _SYMBOL
    return _SYMBOL if after == _DIGIT else _SPACE


@jit
def _space(out: Any, start: Any, put: Any, gap: Any) -> Any:
    if gap and put > start:
        out[put] = 32
        put += AT(1)
    return put


@jit
def _put(out: Any, start: Any, put: Any, gap: Any, code: Any) -> Any:
    """One character, after a space where there is a gap; returns where the next byte goes."""
    return _write(out, _space(out, start, put, gap), code)


@jit
def _written(out: Any, start: Any, put: Any, gap: Any, entry: Any) -> Any:
    """A part that needs no judging; returns where the next byte goes, and whether a gap stands before it."""
    kind = entry >> _SHIFT
    if kind == _SPACE:
        return put, True
    symbol = kind == _SYMBOL
    return _put(out, start, put, gap or symbol, entry & _CODE), symbol


@jit
def _settle(out: Any, start: Any, put: Any, held: Any, before: Any, after: Any) -> Any:
    """Write what becomes of the held character; returns where the next byte goes, and whether a gap is before it."""
    fate = _settled(held, before, after)
    if fate == _SPACE:
        return put, True
    minus = fate == _SYMBOL
    return _put(out, start, put, minus, _MINUS if minus else held & _CODE), minus


@jit
def _entry(data: Any, at: Any, tables: Any) -> Any:
    """The entry of the character at a place, or what is missing for it, and how many bytes it takes."""
    place, entries, _, _ = tables
    code, size = _read(data, at)
    block = place[code >> U4(8)]
    if block < 0:
        return (_MISSING << _SHIFT) | (code >> U4(8)), size
    return entries[AT(block), AT(code & U4(0xFF))], size


@jit
def _plain_run(data: Any, at: Any, end: Any, plain: Any, out: Any, put: Any) -> Any:
    """Letters and digits of ASCII, with nothing to judge; returns both places behind them."""
    while at < end and plain[data[at]] > 0:
        out[put] = plain[data[at]]
        put += AT(1)
        at += AT(1)
    return at, put


@jit
def _text(data: Any, at: Any, end: Any, tables: Any, out: Any, start: Any) -> Any:
    """One text. Returns where its form ends and 0, or where it starts and the entry that stopped it: a missing block or
    a character that is not plain."""
    _, entries, longer, plain = tables
    put, gap, held, before, last = start, False, _NONE, _SPACE, _SPACE
    first, left = AT(0), _NONE  # parts of one character that are still to come
    while True:
        if left > _NONE:
            entry = longer[first]
            first, left = first + AT(1), left - U4(1)
        elif at < end:
            if held == _NONE and plain[data[at]] > 0:
                put = _space(out, start, put, gap)
                at, put = _plain_run(data, at, end, plain, out, put)
                gap, last = False, entries[AT(0), AT(data[at - AT(1)])] >> _SHIFT
                continue
            entry, size = _entry(data, at, tables)
            at += size
        elif held != _NONE:
            entry = _SPACE << _SHIFT
        else:
            return put, _NONE
        kind = entry >> _SHIFT
        if kind == _LONGER:
            first = AT(entry & _CODE) + AT(1)
            left = longer[first - AT(1)]
            continue
        if kind >= _UNDECIDED:
            return start, entry
        if held != _NONE:
            put, opened = _settle(out, start, put, held, before, kind)
            gap, held = gap or opened, _NONE
        if kind in (_POINT, _HYPHEN):
            held, before = entry, last
        else:
            put, gap = _written(out, start, put, gap, entry)
        last = kind


@jit
def fold(data: Any, bounds: Any, tables: Any, out: Any, made: Any, undecided: Any, state: Any) -> None:
    """Texts from `state[0]` on, until all are done or something is missing; `state` says which."""
    put = AT(state[1])
    for text in range(state[0], len(bounds) - 1):
        state[0] = text
        start, end = AT(bounds[text]), AT(bounds[text + 1])
        if put + AT(_GROWTH) * (end - start) > AT(len(out)):
            state[3] = NO_ROOM
            return
        put, stop = _text(data, start, end, tables, out, put)
        if (stop >> _SHIFT) == _MISSING:
            state[3] = stop & _CODE
            return
        if stop != _NONE:
            undecided[state[2]] = text
            state[2] += 1
        state[1] = put
        made[text + 1] = put
    state[0] = len(bounds) - 1
    state[3] = DONE
