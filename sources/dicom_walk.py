"""The top level of a DICOM file, fast: the few elements that are wanted, and where the pixels lie.

`walked` goes over the data set (PS3.5 7.1, 7.5; PS3.10 7.1) through a window of 16 KiB that is read anew where a value
ends beyond it, so that a header costs one read and no value is taken that is not wanted. Covered: explicit and implicit
VR little endian; native, JPEG 2000, JPEG-LS and RLE pixels. Everything else, and whatever looks odd in the least
(unknown VR, elements out of order, lengths beyond the file, deep nesting, no pixels), is `Odd`: the caller gives the
file to pydicom, which also says what is wrong with it. `data_set` makes a pydicom data set of the elements, so that
their values mean the same on both ways. Not checked here: whether the values make sense. Nothing is allocated by what
a length says.
"""

from __future__ import annotations

import os
import stat
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydicom import uid
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import BaseTag

WINDOW = 1 << 14  # bytes read at once; most headers of CT and MR fit into one
MAX_ELEMENTS = 20_000  # of one file, nested ones among them; a header of more is left to pydicom
MAX_DEPTH = 16  # of sequences of undefined length
MAX_VALUE = 1 << 12  # bytes of a wanted value

_PIXEL_DATA = 0x7FE00010
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_SHORT = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_NATIVE = (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian)
_SYNTAXES = {
    s.encode(): s
    for s in (*_NATIVE, uid.JPEG2000Lossless, uid.JPEG2000, uid.JPEGLSLossless, uid.JPEGLSNearLossless, uid.RLELossless)
}

Elements = dict[int, tuple[bytes | None, bytes]]  # VR (None: implicit) and value by tag
_element = struct.Struct("<HH2sH").unpack_from
_u32 = struct.Struct("<I").unpack_from
_item = struct.Struct("<HHI").unpack_from


@dataclass(frozen=True, slots=True)
class Pixels:
    """Where a file's pixels lie: `start` is that of the value, `length` its bytes, None where undefined."""

    syntax: uid.UID
    start: int
    length: int | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which elements are taken. A file that has one of `refused` is odd; one of `optional` that is a sequence or longer
    than `MAX_VALUE` is passed over, any other such makes the file odd."""

    tags: frozenset[int]
    optional: frozenset[int] = frozenset()
    refused: int = 0


class Odd(Exception):  # noqa: N818 - a turn in the road, not an error
    """The walker does not vouch for this file."""


def walked(path: Path, wanted: Wanted) -> tuple[Elements, Pixels]:
    """The wanted elements in the file's order, and where the pixels lie. Raises `Odd`, and OSError from opening."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or sys.byteorder != "little":
            raise Odd
        return _Walker(file, status.st_size, wanted).walk()
    except OSError:
        raise Odd from None
    finally:
        os.close(file)


def data_set(elements: Mapping[int, tuple[bytes | None, bytes]], syntax: uid.UID) -> Dataset:
    """The elements as pydicom would hold them after reading."""
    raw: dict[BaseTag, DataElement | RawDataElement] = {
        BaseTag(tag): RawDataElement(BaseTag(tag), vr.decode() if vr else None, len(value), value, 0, vr is None, True)
        for tag, (vr, value) in elements.items()
    }
    header = Dataset(raw)
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = syntax
    return header


class _Walker:
    """One walk over one open file; `Odd` wherever it is not sure."""

    def __init__(self, file: int, size: int, wanted: Wanted) -> None:
        self.wanted = wanted
        self.file = file
        self.size = size
        self.base = 0
        self.data = os.pread(file, WINDOW, 0)
        self.left = MAX_ELEMENTS

    def walk(self) -> tuple[Elements, Pixels]:
        """The wanted elements of the data set, and where the pixels lie."""
        syntax, at = self._meta()
        explicit = syntax != uid.ImplicitVRLittleEndian
        first = self.take(at, 8)
        if not explicit and first[4:6].isalpha() and first[4:6].isupper():
            raise Odd  # an explicit data set under an implicit label
        found, length, start = self._elements(at, explicit)
        native = syntax in _NATIVE
        if (length == _UNDEFINED) == native or (native and start + length > self.size):
            raise Odd
        return found, Pixels(syntax, start, length if native else None)

    def take(self, at: int, count: int) -> bytes:
        """`count` bytes at file offset `at`."""
        offset = at - self.base
        if offset < 0 or offset + count > len(self.data):
            if at + count > self.size:
                raise Odd
            self.base, offset = at, 0
            self.data = os.pread(self.file, max(WINDOW, count), at)
            if len(self.data) < count:
                raise Odd
        return self.data[offset : offset + count]

    def _meta(self) -> tuple[uid.UID, int]:
        """The transfer syntax and where the data set starts."""
        if self.data[128:132] != b"DICM":
            raise Odd
        at, syntax = 132, b""
        while True:
            group, element, vr, length = _element(self.take(at, 8))
            if group != 2:
                break
            start = at + 8
            if vr in _LONG:
                (length,) = _u32(self.take(at + 8, 4))
                start = at + 12
            elif vr not in _SHORT:
                raise Odd
            if element == 0x10:
                syntax = self.take(start, min(length, 64)).strip(b"\0 ")
            self._count()
            at = start + length
        if syntax not in _SYNTAXES:
            raise Odd
        return _SYNTAXES[syntax], at

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Odd

    def _elements(self, at: int, explicit: bool) -> tuple[Elements, int, int]:
        """The wanted elements before the pixels; the pixels' length and start. The hot loop: `_next` is written out."""
        found: Elements = {}
        tags, refused = self.wanted.tags, self.wanted.refused
        last = 0
        for _ in range(self.left):
            offset = at - self.base
            if offset < 0 or offset + 12 > len(self.data):
                self.take(at, 12)  # the pixels follow, so there are 12
                offset = 0
            group, element, vr, length = _element(self.data, offset)
            tag, start = group << 16 | element, at + 8
            if not explicit:
                vr, (length,) = None, _u32(self.data, offset + 4)
            elif vr in _LONG:
                (length,), start = _u32(self.data, offset + 8), at + 12
            elif vr not in _SHORT:
                raise Odd
            if tag <= last or tag >= _PIXEL_DATA or tag == refused:
                if tag == _PIXEL_DATA:
                    return found, length, start
                raise Odd
            last = tag
            if length == _UNDEFINED:
                at = self._after_sequence(start, vr, explicit, 0)
                continue
            if tag in tags:
                self._keep(found, tag, vr, start, length)
            at = start + length
        raise Odd

    def _keep(self, found: Elements, tag: int, vr: bytes | None, start: int, length: int) -> None:
        if length <= MAX_VALUE and vr != b"SQ":
            found[tag] = (vr, self.take(start, length))
        elif tag not in self.wanted.optional:
            raise Odd

    def _next(self, at: int, explicit: bool) -> tuple[int, bytes | None, int, int]:
        """Tag, VR, length and the start of the value of the element at `at`."""
        self._count()
        offset = at - self.base
        if offset < 0 or offset + 12 > len(self.data):
            self.take(at, min(12, max(8, self.size - at)))
            offset = at - self.base
        group, element, vr, length = _element(self.data, offset)
        tag = group << 16 | element
        if not explicit or group == 0xFFFE:
            return tag, None, _u32(self.data, offset + 4)[0], at + 8
        if vr in _SHORT:
            return tag, vr, length, at + 8
        if vr in _LONG and offset + 12 <= len(self.data):
            return tag, vr, _u32(self.data, offset + 8)[0], at + 12
        raise Odd

    def _after_sequence(self, at: int, vr: bytes | None, explicit: bool, depth: int) -> int:
        """Where a sequence of undefined length ends (PS3.5 7.5.2)."""
        if depth > MAX_DEPTH or vr not in (None, b"SQ"):  # UN of undefined length changes the encoding inside
            raise Odd
        while True:
            self._count()
            group, element, length = _item(self.take(at, 8))
            tag = group << 16 | element
            at += 8
            if tag == _SEQUENCE_END:
                return at
            if tag != _ITEM:
                raise Odd
            at = self._after_item(at, explicit, depth) if length == _UNDEFINED else at + length

    def _after_item(self, at: int, explicit: bool, depth: int) -> int:
        while True:
            tag, vr, length, start = self._next(at, explicit)
            if tag == _ITEM_END:
                return start
            at = self._after_sequence(start, vr, explicit, depth + 1) if length == _UNDEFINED else start + length
