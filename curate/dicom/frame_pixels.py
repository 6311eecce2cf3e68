"""The pixel data of single frames out of one DICOM file, without reading or keeping the others.

Standard: DICOM PS3.5 7.1 (elements), 8.1.1 (native frames), A.4 (encapsulated frames). Raises RecordError
`no_pixel_data`, `truncated_pixels`, `bad_pixels`, `bad_header`, `no_transfer_syntax`. Not covered: float pixel data,
frames that do not start at a byte (1 bit). A deflated file is inflated whole, because a deflate stream has no way in.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import pydicom
from pydicom import encaps, uid
from pydicom.dataset import Dataset, FileMetaDataset

from curate.dicom.header import frame_count, integer_of, read_header, read_whole, transfer_syntax
from curate.dicom.pixels import named
from curate.guard import typed
from manifests.errors import RecordError

_FETCH = "fetch the file again; its pixel data contradict its header"
_PIXEL_DATA = 0x7FE00010
_UNDEFINED = 0xFFFFFFFF
_ITEM = 0xFFFEE000
_PIXEL_MODULE = (
    "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "PlanarConfiguration", "RescaleSlope", "RescaleIntercept", "RescaleType",
    "ModalityLUTSequence",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """A header and where its pixel data's value lies in a stream; `length` is None for encapsulated pixel data, whose
    fragments are `items`."""

    header: Dataset
    stream: BinaryIO
    start: int
    length: int | None
    vr: str
    items: tuple[tuple[int, int], ...] = ()


@contextmanager
def opened(source: Path | Dataset) -> Iterator[Instance]:
    """The header of a file and its pixel data, of which nothing is read yet unless the file is deflated."""
    if isinstance(source, Path):
        header = read_header(source)
        if transfer_syntax(header) != uid.DeflatedExplicitVRLittleEndian:
            with source.open("rb") as file:
                yield _located(header, file)
            return
        source = read_whole(source)
    element = source.get(_PIXEL_DATA)
    data = None if element is None else element.value
    if not isinstance(data, bytes) or not data:
        raise RecordError("no_pixel_data", "a header without integer pixels", _FETCH)
    stream = io.BytesIO(data)
    if transfer_syntax(source).is_encapsulated:
        yield Instance(source, stream, 0, None, element.VR, _fragments(stream, 0, frame_count(source)))
    else:
        yield Instance(source, stream, 0, len(data), element.VR)


def _located(header: Dataset, file: BinaryIO) -> Instance:
    """The pixel data element of an open file (PS3.5 7.1): its value's place, length and VR."""
    syntax = transfer_syntax(header)
    with typed("bad_header", _FETCH):
        pydicom.dcmread(file, stop_before_pixels=True, specific_tags=["Rows"])
    order: Literal["little", "big"] = "little" if syntax.is_little_endian else "big"
    head = file.read(8)
    tag = int.from_bytes(head[:2], order) << 16 | int.from_bytes(head[2:4], order)
    if tag != _PIXEL_DATA:
        raise RecordError("no_pixel_data", "a header without integer pixels", _FETCH)
    vr = "OW" if syntax.is_implicit_VR else head[4:6].decode("latin-1")
    length = int.from_bytes(head[4:] if syntax.is_implicit_VR else file.read(4), order)
    start = file.tell()
    if (length == _UNDEFINED) != syntax.is_encapsulated:
        raise RecordError("bad_pixels", f"pixel data of length {length} in {named(syntax)}", _FETCH)
    if length == _UNDEFINED:
        return Instance(header, file, start, None, vr, _fragments(file, start, frame_count(header)))
    return Instance(header, file, start, length, vr)


def bare_frame(instance: Instance) -> Dataset:
    """The image pixel module of one frame, for `decode` and `modality_values`."""
    bare = Dataset()
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = transfer_syntax(instance.header)
    for keyword in _PIXEL_MODULE:
        if keyword in instance.header:
            bare.add(instance.header[keyword])
    return bare


def put(bare: Dataset, instance: Instance, frames: list[bytes]) -> None:
    """Give `bare` these encoded frames as its pixel data."""
    bare.NumberOfFrames = len(frames)
    if instance.length is None:
        bare.add_new(_PIXEL_DATA, "OB", encaps.encapsulate(frames))
    else:
        bare.add_new(_PIXEL_DATA, instance.vr, frames[0] if len(frames) == 1 else b"".join(frames))


def encoded_frames(instance: Instance, frames: tuple[int, ...]) -> Iterator[bytes]:
    """The encoded bytes of some frames, given in rising order; no other frame is kept."""
    count = frame_count(instance.header)
    if instance.length is not None:
        yield from _native(instance, frames)
    elif len(instance.items) == count:  # one fragment a frame, as all but old JPEG writers have it
        yield from (_read(instance, *instance.items[frame]) for frame in frames)
    else:
        yield from _joined(instance, frames, count)


def _joined(instance: Instance, frames: tuple[int, ...], count: int) -> Iterator[bytes]:
    """Frames of several fragments: where each ends is known from the offset table or the codestream's end marker."""
    instance.stream.seek(instance.start)
    every = enumerate(encaps.generate_frames(instance.stream, number_of_frames=count))
    for wanted in frames:
        with typed("bad_pixels", _FETCH):
            frame = next((frame for number, frame in every if number == wanted), None)
        if frame is None:
            raise RecordError("truncated_pixels", f"no encoded frame {wanted + 1}", _FETCH)
        yield frame


def _fragments(stream: BinaryIO, start: int, frames: int) -> tuple[tuple[int, int], ...]:
    """(offset, length) of each fragment after the basic offset table, one more than there are frames at most; a
    sequence that is cut off ends early."""
    items: list[tuple[int, int]] = []
    stream.seek(start)
    while len(items) <= frames + 1 and len(head := stream.read(8)) == 8:
        tag = int.from_bytes(head[:2], "little") << 16 | int.from_bytes(head[2:4], "little")
        if tag != _ITEM:
            break
        length = int.from_bytes(head[4:], "little")
        items.append((stream.tell(), length))
        stream.seek(length, io.SEEK_CUR)
    return tuple(items[1:])


def _read(instance: Instance, start: int, length: int) -> bytes:
    with typed("unreadable_file", _FETCH):
        instance.stream.seek(start)
        data = instance.stream.read(length)
    if len(data) < length or not data:
        raise RecordError("truncated_pixels", f"{len(data)} of {length} bytes of a frame", _FETCH)
    return data


def _native(instance: Instance, frames: tuple[int, ...]) -> Iterator[bytes]:
    header = instance.header
    bits = integer_of(header, "BitsAllocated", 0)
    if bits not in (8, 16, 32):
        raise RecordError("bad_header", f"{bits} bits allocated", "8, 16 and 32 bits are read")
    size = integer_of(header, "Rows", 0) * integer_of(header, "Columns", 0) * bits // 8
    expected = size * frame_count(header)
    if (instance.length or 0) < expected:
        raise RecordError("truncated_pixels", f"{instance.length} of {expected} bytes", _FETCH)
    yield from (_read(instance, instance.start + frame * size, size) for frame in frames)
