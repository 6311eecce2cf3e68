"""The headers of single-frame slices, fast: the few elements that a volume needs, and where the pixels lie.

`scan` goes over each file's top level with `sources.dicom_walk`, which vouches for native, JPEG 2000, JPEG-LS and RLE
pixels in little endian; every other file, one with a modality look-up table among them, goes to pydicom by
`read_header`, which also says what is wrong with a file. Slices whose elements are equal byte by byte share a header.

Not checked here: whether the values make sense.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from curate.dicom.header import bad_header, numbers_of, read_header, text_of, texts_of
from curate.guard import MAX_BYTES, check_file
from manifests.errors import RecordError
from sources.dicom_walk import Elements, Odd, Pixels, Wanted, data_set, walked

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
_WANTED = Wanted(frozenset(_NUMBER.values()) | _PHILIPS, optional=_PHILIPS, refused=_tag("ModalityLUTSequence"))
_POSITION, _INSTANCE = _NUMBER["ImagePositionPatient"], _NUMBER["SOPInstanceUID"]
_APART = frozenset(_NUMBER[k] for k in _VARYING)
_MOMENT_TAGS = tuple(_NUMBER[k] for k in MOMENTS)


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
    try:
        elements, pixels = walked(path, _WANTED)
        return _slice(path, elements, pixels, known)
    except OSError as error:
        remedy = "check the file's permissions and storage"
        raise RecordError("unreadable_file", type(error).__name__, remedy) from error
    except Odd:
        return scan_with_pydicom(path, max_bytes)


def _slice(path: Path, elements: Elements, pixels: Pixels, known: dict[object, Dataset]) -> Slice:
    place = _position(elements)
    shared = {tag: value for tag, value in elements.items() if tag not in _APART}
    key = (pixels.syntax, bool(place), *shared.items())
    header = known.get(key)
    if header is None:
        header = known[key] = data_set(shared, pixels.syntax)
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
        raise Odd from None
    if not all(math.isfinite(n) for n in numbers):
        raise bad_header("ImagePositionPatient")
    return numbers
