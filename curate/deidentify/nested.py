"""Sequences cleaned in their own bytes, without data sets: the same result as the walk of `header`, much faster.

A multi-frame object holds hundreds of items, and a parser makes several objects for each of their elements. Most of
what the rules ask can be done to the encoded bytes: leave an element out, copy it, put another value of ASCII text in
its place. `cleaned_sequence` and `cleaned_items` do that, and give up (None) at the first thing that is more than that,
or that two readers could understand differently; the walk of data sets then does the whole sequence.

They give up at: undefined and odd lengths, lengths beyond their item, tags that do not ascend, delimiters; VRs that
PS3.5 does not know; kept elements whose VR is UN or not the dictionary's, or depends on another element that may be
missing (`US or SS` in implicit encoding); a character set of an item's own; private
elements where safe ones are kept; report trees, cleaned texts; depths beyond `MAX_DEPTH`. That both ways agree is a
property test.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from curate.deidentify.tables.ps3_15 import SCHEMES, Rule
from curate.deidentify.values import BLANKS, value_fits, vr_fits
from curate.deidentify.walk import (
    ASCII,
    DUMMIES,
    DUMMY_TEXT,
    MAPPED,
    MAX_DEPTH,
    PIXELS,
    Walk,
    encoded,
    replaced,
    why_no_rule,
)

_ITEM = 0xFFFEE000
_UNDEFINED = 0xFFFFFFFF
_CHARACTER_SET, _SCHEME = 0x00080005, 0x00080102
_SHORT = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()  # PS3.5 7.1.2: 2 bytes of length
)
_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_REMEMBERED = 4096  # bytes of a sequence that is kept in mind; frames repeat theirs


class _MoreNeededError(Exception):
    """The bytes ask for more than this module does."""


@dataclass(slots=True)
class _Bytes:
    """How elements are encoded, and what was done so far."""

    walk: Walk
    implicit: bool
    little: bool
    tags: struct.Struct
    long: struct.Struct
    short: struct.Struct
    counts: dict[str, int] = field(default_factory=dict)
    known: dict[tuple[int, bytes], tuple[bytes, dict[str, int]]] = field(default_factory=dict)


def cleaned_sequence(element: RawDataElement, walk: Walk, depth: int) -> RawDataElement | None:
    """The sequence of an element that stands `depth` sequences deep with all its items cleaned, None where only the
    walk of data sets can do that; only then is nothing counted."""
    value = element.value
    if not isinstance(value, bytes) or element.length == _UNDEFINED:
        return None
    work = _work(walk, element.is_implicit_VR, element.is_little_endian)
    return _element(element.tag, work, lambda: _sequence(value, work, depth + 1))


def cleaned_items(ds: Dataset, tag: BaseTag, walk: Walk, depth: int) -> RawDataElement | None:
    """As `cleaned_sequence`, of a sequence whose items were parsed already, as those of undefined length always are.
    None also where an element of theirs was decoded, or they are encoded otherwise than the data set around them."""
    try:
        items = ds[tag].value or ()
    except NotImplementedError:  # pydicom's answer to an element of no known VR inside; the slow way reads it as bytes
        return None
    implicit, little = ds.original_encoding
    if implicit is None or little is None:
        return None
    work = _work(walk, implicit, little)
    return _element(tag, work, lambda: _parsed_items(items, work, depth + 1))


def _work(walk: Walk, implicit: bool, little: bool) -> _Bytes:
    order = "<" if little else ">"
    tags, long, short = (struct.Struct(order + kind) for kind in ("HH", "I", "H"))
    return _Bytes(walk, implicit, little, tags, long, short)


def _element(tag: BaseTag, work: _Bytes, made: Callable[[], bytes]) -> RawDataElement | None:
    try:
        data = made()
    except (_MoreNeededError, NotImplementedError):  # pydicom's word for an element of no known VR
        return None
    for action, times in work.counts.items():
        work.walk.count(action, times)
    return RawDataElement(tag, None if work.implicit else "SQ", len(data), data, 0, work.implicit, work.little)


def _parsed_items(items: Sequence[Dataset], work: _Bytes, depth: int) -> bytes:
    if depth > MAX_DEPTH and items:
        raise _MoreNeededError
    parts = []
    for item in items:
        if item.original_encoding != (work.implicit, work.little):
            raise _MoreNeededError
        content = _parsed_elements(item, work, depth)
        parts += [work.tags.pack(_ITEM >> 16, _ITEM & 0xFFFF), work.long.pack(len(content)), content]
    return b"".join(parts)


def _parsed_elements(item: Dataset, work: _Bytes, depth: int) -> bytes:
    parts: list[bytes] = []
    scheme = ""
    for tag in sorted(item.keys()):
        element: Any = item.get_item(tag)
        rule = _rule(tag, work)
        if rule is None:
            continue
        if not isinstance(element, RawDataElement):
            if element.VR != "SQ" or rule.action != "W":
                raise _MoreNeededError
            _count(work, "kept")
            parts += _written(
                tag, None if work.implicit else "SQ", _parsed_items(element.value or (), work, depth + 1), work
            )
            continue
        if (element.is_implicit_VR, element.is_little_endian) != (work.implicit, work.little):
            raise _MoreNeededError
        content = element.value if element.value or element.length else b""
        if not isinstance(content, bytes) or element.length != len(content) or len(content) & 1:
            raise _MoreNeededError
        if tag == _SCHEME:
            scheme = content.decode("latin-1").strip(BLANKS)
        parts += _kept(tag, element.VR, content, rule, work, depth, scheme)
    return b"".join(parts)


def _rule(tag: int, work: _Bytes) -> Rule | None:
    """What to do with an element; None where it goes, which is counted here."""
    rule = work.walk.rules.get(tag)
    if tag in (_CHARACTER_SET, 0) or tag >> 16 == 0xFFFE:
        raise _MoreNeededError
    if rule is None:
        if tag >> 16 & 1 and work.walk.options.safe_private:
            raise _MoreNeededError
        _count(work, why_no_rule(tag))
    elif rule.action == "X" or tag in PIXELS:
        _count(work, "removed")
        return None
    return rule


def _sequence(value: bytes, work: _Bytes, depth: int) -> bytes:
    """Its items, cleaned; what a sequence of the same bytes became is taken from there."""
    if depth > MAX_DEPTH and value:
        raise _MoreNeededError
    if (depth, value) in work.known:
        data, counts = work.known[depth, value]
    else:
        outer, work.counts = work.counts, {}
        data, counts = _items(value, work, depth), work.counts
        work.counts = outer
        if len(value) <= _REMEMBERED:
            work.known[depth, value] = (data, counts)
    for action, times in counts.items():
        work.counts[action] = work.counts.get(action, 0) + times
    return data


def _items(value: bytes, work: _Bytes, depth: int) -> bytes:
    parts, at = [], 0
    while at < len(value):
        start = at + 8
        if start > len(value) or _tag(value, at, work) != _ITEM:
            raise _MoreNeededError
        end = start + work.long.unpack_from(value, at + 4)[0]
        if end > len(value):  # an undefined length is far beyond
            raise _MoreNeededError
        content = _elements(value, start, end, work, depth)
        parts += [value[at : at + 4], work.long.pack(len(content)), content]
        at = end
    return b"".join(parts)


def _tag(value: bytes, at: int, work: _Bytes) -> int:
    group, element = work.tags.unpack_from(value, at)
    return int(group) << 16 | int(element)


def _elements(value: bytes, at: int, end: int, work: _Bytes, depth: int) -> bytes:
    """The elements of one item, cleaned."""
    parts: list[bytes] = []
    before, scheme = -1, ""
    while at < end:
        if at + 8 > end:
            raise _MoreNeededError
        tag = _tag(value, at, work)
        vr, start, length = _head(value, at, end, work)
        stop = start + length
        if tag <= before or length & 1 or stop > end:
            raise _MoreNeededError
        content, before = value[start:stop], tag
        if tag == _SCHEME:
            scheme = content.decode("latin-1").strip(BLANKS)
        rule = _rule(tag, work)
        if rule is not None:
            parts += _kept(tag, vr, content, rule, work, depth, scheme)
        at = stop
    return b"".join(parts)


def _head(value: bytes, at: int, end: int, work: _Bytes) -> tuple[str | None, int, int]:
    """VR (None in implicit encoding), where the value starts, and its length."""
    if work.implicit:
        return None, at + 8, work.long.unpack_from(value, at + 4)[0]
    vr = value[at + 4 : at + 6]
    if vr in _SHORT:
        return vr.decode("ascii"), at + 8, work.short.unpack_from(value, at + 6)[0]
    if vr not in _LONG or at + 12 > end or value[at + 6 : at + 8] != b"\0\0":
        raise _MoreNeededError
    return vr.decode("ascii"), at + 12, work.long.unpack_from(value, at + 8)[0]


def _kept(tag: int, vr: str | None, content: bytes, rule: Rule, work: _Bytes, depth: int, scheme: str) -> list[bytes]:
    """The pieces of the element that takes this one's place, none to leave it out."""
    action = rule.action
    if vr == "UN" or (vr is None) != work.implicit:
        raise _MoreNeededError
    if vr is None and " or " in rule.vr:
        raise _MoreNeededError
    if action in ("K", "CS", "N") or (action == "M" and scheme in SCHEMES):
        if not vr_fits(vr, rule.vr) or not value_fits(content, action):
            _count(work, "unfit_value")
            return []
        _count(work, "kept")
        return _written(tag, vr, content, work)
    if vr not in (None, rule.vr):
        raise _MoreNeededError
    if action == "W":
        _count(work, "kept")
        return _written(tag, vr, _sequence(content, work, depth + 1), work)
    if action in MAPPED and rule.vr in ASCII:
        what, values = replaced(action, content.decode("latin-1").strip(BLANKS), work.walk)
        _count(work, what)
        return _written(tag, vr, encoded(rule.vr, values), work)
    if action in ("Z", "D"):
        return _written(tag, vr, _dummy(rule, content, work), work)
    raise _MoreNeededError


def _dummy(rule: Rule, content: bytes, work: _Bytes) -> bytes:
    """Z: nothing. D: a dummy of the VR, unless the value was empty already."""
    empty = rule.action == "Z" or not content
    if rule.vr not in ASCII and rule.vr not in ("SQ", "OB", "LT", "ST", "UC", "UR", "UT"):
        raise _MoreNeededError
    _count(work, "emptied" if empty else "dummy")
    if empty:
        return b""
    if rule.vr == "SQ":  # of one empty item
        return work.tags.pack(_ITEM >> 16, _ITEM & 0xFFFF) + work.long.pack(0)
    if rule.vr == "OB":
        return b"\0\0"
    return encoded(rule.vr, [DUMMIES.get(rule.vr, DUMMY_TEXT)])


def _written(tag: int, vr: str | None, content: bytes, work: _Bytes) -> list[bytes]:
    head = work.tags.pack(tag >> 16, tag & 0xFFFF)
    if vr is None:
        return [head, work.long.pack(len(content)), content]
    if vr.encode() in _LONG:
        return [head, vr.encode(), b"\0\0", work.long.pack(len(content)), content]
    if len(content) > 0xFFFF:
        raise _MoreNeededError
    return [head, vr.encode(), work.short.pack(len(content)), content]


def _count(work: _Bytes, action: str) -> None:
    work.counts[action] = work.counts.get(action, 0) + 1
