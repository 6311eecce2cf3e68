"""The headers of single-frame slices, fast: the few elements that a volume needs, and where the pixels lie.

`scan` walks the top level of a DICOM file (PS3.5 7.1, 7.5; PS3.10 7.1) over a window of 16 KiB that is read anew where
a value ends beyond it, so that a header costs one read and no value is taken that is not wanted. Covered: explicit and
implicit VR little endian, native, JPEG 2000, JPEG-LS and RLE pixels of one frame. Everything else, and whatever looks
odd in the least (unknown VR, elements out of order, lengths beyond the file, deep nesting), goes to pydicom by
`read_header`, which also says what is wrong with a file. The elements taken become a pydicom data set, so that their
values mean the same on both ways; slices whose elements are equal byte by byte share it.

Not checked here: whether the values make sense. Nothing is allocated by what a length says.
"""

from __future__ import annotations

import math
import os
import stat
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import uid
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import BaseTag

from curate.dicom.header import bad_header, numbers_of, read_header, text_of, texts_of
from curate.guard import MAX_BYTES, check_file, typed

WINDOW = 1 << 14  # bytes read at once; most headers of CT and MR fit into one
MAX_ELEMENTS = 20_000  # of one file, nested ones among them; a header of more is left to pydicom
MAX_DEPTH = 16  # of sequences of undefined length
MAX_VALUE = 1 << 12  # bytes of a wanted value

PHILIPS_CREATOR = "Philips MR Imaging DD 001"
MOMENTS = (
    "TemporalPositionIdentifier",
    "AcquisitionNumber",
    "EchoTime",
    "AcquisitionTime",
    "ContentTime",
    "ImageType",
)
_VARYING = ("SOPInstanceUID", "ImagePositionPatient", *MOMENTS[:2], *MOMENTS[3:5])
_SHARED = (
    "ImageType", "SOPClassUID", "Modality", "Manufacturer", "EchoTime", "SeriesInstanceUID", "FrameOfReferenceUID",
    "ImageOrientationPatient", "SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames", "Rows", "Columns",
    "PixelSpacing", "ImagerPixelSpacing", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelPaddingValue", "WindowCenter", "WindowWidth", "RescaleIntercept", "RescaleSlope", "RescaleType", "Units",
    "PresentationLUTShape", "GantryDetectorTilt", "SpecificCharacterSet",
)  # fmt: skip


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return tag


_NUMBER = {keyword: _tag(keyword) for keyword in (*_SHARED, *_VARYING)}
_PHILIPS = frozenset(range(0x20050010, 0x20050100)) | frozenset(range(0x2005100E, 0x20060000, 0x100))
_WANTED = frozenset(_NUMBER.values()) | _PHILIPS
_LEFT_TO_PYDICOM = _tag("ModalityLUTSequence")
_PIXEL_DATA = 0x7FE00010
_POSITION, _INSTANCE = _NUMBER["ImagePositionPatient"], _NUMBER["SOPInstanceUID"]
_APART = frozenset(_NUMBER[k] for k in _VARYING)
_MOMENT_TAGS = tuple(_NUMBER[k] for k in MOMENTS)
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
    """Where a file's one frame lies: `start` is that of the value, `length` its bytes, None where undefined."""

    syntax: uid.UID
    start: int
    length: int | None


@dataclass(frozen=True, slots=True)
class Slice:
    """One file's header. `header` holds what slices of a series mostly share (and is shared then); `position` is ()
    where the file has none, LPS+ mm. `pixels` is None where pydicom has to read the file."""

    path: Path
    header: Dataset
    position: tuple[float, ...]
    uid: str
    moments: tuple[object, ...]
    pixels: Pixels | None


class _Odd(Exception):  # noqa: N818 - a turn in the road, not an error
    """The walker does not vouch for this file."""


def scan(paths: Sequence[Path], max_bytes: int = MAX_BYTES) -> list[Slice]:
    """The slices' headers in the order given. Raises RecordError and Reject as `read_header`, and `bad_header`."""
    known: dict[object, Dataset] = {}
    return [_scan_file(path, max_bytes, known) for path in paths]


def scan_with_pydicom(path: Path, max_bytes: int = MAX_BYTES) -> Slice:
    """The slow way to a `Slice`, for any file that pydicom reads."""
    header = read_header(path, max_bytes)
    moments = tuple(texts_of(header, keyword) for keyword in MOMENTS)
    place = numbers_of(header, "ImagePositionPatient")
    return Slice(path, header, place, text_of(header, "SOPInstanceUID"), moments, None)


def _scan_file(path: Path, max_bytes: int, known: dict[object, Dataset]) -> Slice:
    check_file(path, max_bytes)
    with typed("unreadable_file", "check the file's permissions and storage"):
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or sys.byteorder != "little":
            raise _Odd
        elements, pixels = _Walker(file, status.st_size).walk()
        return _slice(path, elements, pixels, known)
    except (_Odd, OSError):
        return scan_with_pydicom(path, max_bytes)
    finally:
        os.close(file)


def _slice(path: Path, elements: Elements, pixels: Pixels, known: dict[object, Dataset]) -> Slice:
    place = _position(elements)
    shared = {tag: value for tag, value in elements.items() if tag not in _APART}
    key = (pixels.syntax, bool(place), *shared.items())
    header = known.get(key)
    if header is None:
        header = known[key] = _data_set(shared, pixels.syntax)
        if place:
            header.ImagePositionPatient = [0, 0, 0]  # says only that there is one; `Slice.position` says where
    instance = elements.get(_INSTANCE, (None, b""))[1].strip(b"\0 ").decode("ascii", "replace")
    moments = tuple(elements.get(tag, (None, b""))[1].strip() for tag in _MOMENT_TAGS)
    return Slice(path, header, place, instance, moments, pixels)


def _position(elements: Elements) -> tuple[float, ...]:
    raw = elements.get(_POSITION, (None, b""))[1].strip(b"\0 ")
    if not raw:
        return ()
    try:
        numbers = tuple(float(part) for part in raw.split(b"\\"))
    except ValueError:
        raise _Odd from None
    if not all(math.isfinite(n) for n in numbers):
        raise bad_header("ImagePositionPatient")
    return numbers


def _data_set(elements: Elements, syntax: uid.UID) -> Dataset:
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
    """One walk over one open file; `_Odd` wherever it is not sure."""

    def __init__(self, file: int, size: int) -> None:
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
            raise _Odd  # an explicit data set under an implicit label
        found, length, start = self._elements(at, explicit)
        native = syntax in _NATIVE
        if (length == _UNDEFINED) == native or (native and start + length > self.size):
            raise _Odd
        return found, Pixels(syntax, start, length if native else None)

    def take(self, at: int, count: int) -> bytes:
        """`count` bytes at file offset `at`."""
        offset = at - self.base
        if offset < 0 or offset + count > len(self.data):
            if at + count > self.size:
                raise _Odd
            self.base, offset = at, 0
            self.data = os.pread(self.file, max(WINDOW, count), at)
            if len(self.data) < count:
                raise _Odd
        return self.data[offset : offset + count]

    def _meta(self) -> tuple[uid.UID, int]:
        """The transfer syntax and where the data set starts."""
        if self.data[128:132] != b"DICM":
            raise _Odd
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
                raise _Odd
            if element == 0x10:
                syntax = self.take(start, min(length, 64)).strip(b"\0 ")
            self._count()
            at = start + length
        if syntax not in _SYNTAXES:
            raise _Odd
        return _SYNTAXES[syntax], at

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise _Odd

    def _elements(self, at: int, explicit: bool) -> tuple[Elements, int, int]:
        """The wanted elements before the pixels; the pixels' length and start. The hot loop: `_next` is written out."""
        found: Elements = {}
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
                raise _Odd
            if tag <= last or tag >= _PIXEL_DATA or tag == _LEFT_TO_PYDICOM:
                if tag == _PIXEL_DATA:
                    return found, length, start
                raise _Odd
            last = tag
            if length == _UNDEFINED:
                at = self._after_sequence(start, vr, explicit, 0)
                continue
            if tag in _WANTED:
                self._keep(found, tag, vr, start, length)
            at = start + length
        raise _Odd

    def _keep(self, found: Elements, tag: int, vr: bytes | None, start: int, length: int) -> None:
        if length <= MAX_VALUE and vr != b"SQ":
            found[tag] = (vr, self.take(start, length))
        elif tag not in _PHILIPS:
            raise _Odd

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
        raise _Odd

    def _after_sequence(self, at: int, vr: bytes | None, explicit: bool, depth: int) -> int:
        """Where a sequence of undefined length ends (PS3.5 7.5.2)."""
        if depth > MAX_DEPTH or vr not in (None, b"SQ"):  # UN of undefined length changes the encoding inside
            raise _Odd
        while True:
            self._count()
            group, element, length = _item(self.take(at, 8))
            tag = group << 16 | element
            at += 8
            if tag == _SEQUENCE_END:
                return at
            if tag != _ITEM:
                raise _Odd
            at = self._after_item(at, explicit, depth) if length == _UNDEFINED else at + length

    def _after_item(self, at: int, explicit: bool, depth: int) -> int:
        while True:
            tag, vr, length, start = self._next(at, explicit)
            if tag == _ITEM_END:
                return start
            at = self._after_sequence(start, vr, explicit, depth + 1) if length == _UNDEFINED else start + length
