"""The parsers of DICOM: headers, peeks, slices, pixels, frames, RLE, CSA, marks, and the de-identification."""

from __future__ import annotations

import functools
import io
import itertools
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset

from curate import dicom
from curate.deidentify import face_facts, has_regions
from curate.deidentify.header import clean_dataset
from curate.deidentify.text import identifiers
from curate.dicom import frame_pixels, header, header_facts, mosaic, multiframe, rtstruct, scan, seg, stream, voi
from curate.dicom.marks import subject_of
from curate.dicom.rle import unpack_frame
from curate.dicom.series import read_series
from curate.guard import typed
from curate.keyring import Keyring
from manifests.errors import RecordError
from sources.dicom_peek import peek_header, peek_with_pydicom
from tests import marks
from tests.fuzz import seeds
from tests.fuzz.target import Target, check_facts, file_of, scratch

MAX_VALUES = 1 << 22  # of a decoded image: enough for every seed
RING = Keyring.load("fuzz", 1)
MARK = b"Qx~planted~Zw"  # no code, number, date, UID or word that any rule keeps


def _pseudonym(kind: str, value: str) -> str:
    return RING.pseudonym(kind, value)


def ended(read: Any) -> Any:
    """What a reader gives, or the reason why it refuses."""
    try:
        return read()
    except RecordError as error:
        return ("refused", error.reason)


def dicom_header(data: bytes) -> None:
    """All that the readers ask of a header before they look at pixels; what is told of it fits into the ledger."""
    ds = header.read_header(file_of(data, "a.dcm"))
    header.classify(ds)
    for asked in (
        header.frame_times_s, header.is_inverted, header.window_of, voi.voi_of, voi.stored_padding, identifiers,
        face_facts, has_regions,
    ):  # fmt: skip
        asked(ds)
    subject_of([ds])
    check_facts((*header_facts.facts(ds), *header_facts.cine_facts(ds), *header_facts.spacing_facts(ds)))
    multiframe.is_multiframe_volume(ds)


def dicom_refused(data: bytes) -> None:
    """What is said of an instance that no reader takes: always an error of ours."""
    ds = header.read_header(file_of(data, "a.dcm"))
    if header.classify(ds) == "unsupported":
        header.refuse(ds)


def dicom_peek(data: bytes) -> None:
    """The peek of the fast walker and that of pydicom are equal wherever both read a file."""
    path = file_of(data, "a.dcm")
    peek = peek_header(path, "PatientID", _pseudonym)
    for value in peek.values():
        value.encode()
    assert peek == ended(lambda: peek_with_pydicom(path, "PatientID", _pseudonym)), "two ways to a peek differ"


def dicom_scan(data: bytes) -> None:
    """The headers of slices by the walker and by pydicom say the same."""
    path = file_of(data, "a.dcm")
    (fast,) = scan.scan([path])
    slow = scan.scan_with_pydicom(path)
    assert fast.position == slow.position
    for keyword in ("Rows", "Columns", "BitsAllocated", "PixelSpacing", "RescaleSlope", "ImageOrientationPatient"):
        assert ended(lambda k=keyword: header.numbers_of(fast.header, k)) == ended(
            lambda k=keyword: header.numbers_of(slow.header, k)
        ), keyword


@functools.cache
def _slices() -> tuple[Path, ...]:
    folder = scratch() / "series"
    folder.mkdir()
    paths = tuple(folder / f"{n}.dcm" for n in range(len(seeds.series())))
    for path, content in zip(paths, seeds.series(), strict=True):
        path.write_bytes(content)
    return paths


def dicom_series(data: bytes) -> None:
    """A stack of sound slices in which one is bad: a volume with a sound affine, or a refusal."""
    others = _slices()
    volume = read_series([others[0], file_of(data, "a.dcm"), *others[2:]], MAX_VALUES)
    assert np.isfinite(volume.affine).all()
    assert min(volume.spacing_mm) > 0
    assert volume.voxels.ndim == 3


def dicom_image(data: bytes) -> None:
    image = dicom.read_image(file_of(data, "a.dcm"), MAX_VALUES)
    assert image.pixels.ndim in (2, 3)
    assert image.pixels.size <= 3 * MAX_VALUES
    if image.spacing_mm is not None:
        assert min(image.spacing_mm) > 0


def dicom_cine(data: bytes) -> None:
    frames = dicom.read_cine(file_of(data, "a.dcm"), MAX_VALUES)
    assert frames.frames.dtype == np.uint8
    assert len(frames.frames) == len(frames.times_s)


def dicom_multiframe(data: bytes) -> None:
    path = file_of(data, "a.dcm")
    volume = multiframe.read_volume_part(path, 0, MAX_VALUES)
    assert volume.voxels.ndim == 3
    assert np.isfinite(volume.affine).all()
    check_facts(volume.facts)


def dicom_frames(data: bytes) -> None:
    """Where the frames lie: the same bytes one by one as all at once."""
    with frame_pixels.opened(file_of(data, "a.dcm")) as instance:
        count = min(header.frame_count(instance.header), 8)
        frames = tuple(range(count))
        every = ended(lambda: list(frame_pixels.encoded_frames(instance, frames)))
        for number in frames:
            one = ended(lambda n=number: list(frame_pixels.encoded_frames(instance, (n,))))
            if isinstance(every, list) and isinstance(one, list):
                assert one == every[number : number + 1]


def dicom_stream(data: bytes) -> None:
    """The fragments of an encapsulated video stream."""
    ds = Dataset()
    ds.add(DataElement(0x7FE00010, "OB", data, already_converted=True))
    assert len(stream.encapsulated_video(ds)) <= len(data)


def dicom_rle(data: bytes) -> None:
    """Our run-length decoder is a plain one's equal, and pydicom's where that accepts the frame too."""
    width, values, frame = (data[0] if data else 1) % 5 or 1, int.from_bytes(data[1:3], "little"), data[3:]
    if width == 3:
        width = 4
    ours = unpack_frame(frame, values, width)
    plain = plain_rle(frame, values, width)
    assert (ours is None) == (plain is None)
    if ours is None or plain is None:
        return
    assert ours.tobytes() == plain
    theirs = _pydicom_rle(frame, values, width)
    assert theirs is None or theirs == plain


def plain_rle(frame: bytes, values: int, width: int) -> bytes | None:
    """PS3.5 Annex G as it reads, byte by byte; it guides the fuzzer too, who cannot look into compiled code."""
    if len(frame) < 64:
        return None
    count, *offsets = struct.unpack("<16I", frame[:64])
    bounds = [*offsets[:width], len(frame)]
    if count != width or bounds[0] < 64 or sorted(bounds) != bounds:
        return None
    planes = [_plain_segment(frame[a:b], values) for a, b in itertools.pairwise(bounds)]
    if any(len(plane) != values for plane in planes):
        return None
    return bytes(plane[n] for n in range(values) for plane in reversed(planes))


def _plain_segment(data: bytes, values: int) -> bytes:
    out, at = bytearray(), 0
    while at < len(data) and len(out) < values:
        code = data[at]
        if code < 128:
            out += data[at + 1 : at + 2 + code]
            at += 2 + code
        elif code > 128:
            out += data[at + 1 : at + 2] * (257 - code)
            at += 2
        else:
            at += 1
    return bytes(out[:values])


def _pydicom_rle(frame: bytes, values: int, width: int) -> bytes | None:
    from pydicom.pixels.decoders.rle import _rle_decode_frame

    try:
        with typed("bad_rle", ""):
            return bytes(_rle_decode_frame(frame, 1, values, 1, width * 8))
    except RecordError:
        return None


def dicom_csa(data: bytes) -> None:
    """A Siemens CSA header alone, and as the header of a mosaic."""
    tags = mosaic.parse_csa(data)
    assert sum(len(v) for values in tags.values() for v in values) <= len(data)
    ds = Dataset()
    ds.Rows = ds.Columns = 64
    ds.ImageType, ds.Modality, ds.PixelSpacing = ["ORIGINAL", "PRIMARY", "M", "MOSAIC"], "MR", ["3", "3"]
    ds.ImagePositionPatient, ds.ImageOrientationPatient = ["0", "0", "0"], ["1", "0", "0", "0", "1", "0"]
    ds.SpacingBetweenSlices = "3"
    block = ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x10, "OB", data)
    found = mosaic.mosaic_of(ds)
    assert found.count <= found.grid**2
    assert np.isfinite(found.lps).all()
    check_facts(found.facts)


@functools.cache
def _like() -> Any:
    return marks.volume(seeds.LIKE_SHAPE)


def _check_marked(masks: Mapping[str, Any]) -> None:
    for name, mask in masks.items():
        assert mask.shape == seeds.LIKE_SHAPE
        assert mask.max() <= 1
        name.encode()


def dicom_seg(data: bytes) -> None:
    _check_marked(seg.read_seg(file_of(data, "a.dcm"), _like(), max_values=MAX_VALUES).masks)


def dicom_rtstruct(data: bytes) -> None:
    _check_marked(rtstruct.read_rtstruct(file_of(data, "a.dcm"), _like(), max_values=MAX_VALUES).masks)


# --- de-identification -----------------------------------------------------------------------------------------------


def dicom_deidentify(data: bytes) -> None:
    """Whatever a header is like: identifiers planted at every level of it are gone, and what is written reads back."""
    if MARK in data:
        return
    ds = header.read_whole(file_of(data, "a.dcm"))
    with typed("bad_header", ""):  # what pydicom cannot walk cannot be planted in
        levels = [ds, *_levels(ds, 0)]
        for level in levels[:40]:
            _plant(level)
    planted = _written(ds)
    if planted is not None:
        ds = header.read_whole(file_of(planted, "b.dcm"))
    cleaned = clean_dataset(ds, RING, "0" * 24)
    out = _written(cleaned.dataset)
    if out is None:
        assert MARK.decode() not in str(cleaned.dataset), "an identifier is left"
        return
    assert MARK not in out, "an identifier is left"
    again = header.read_whole(file_of(out, "c.dcm"))
    assert sorted(again.keys()) == sorted(t for t in cleaned.dataset.keys() if t.element)  # noqa: SIM118


def _levels(ds: Dataset, depth: int) -> Iterator[Dataset]:
    if depth > 40:
        return
    for element in list(ds):
        if element.VR == "SQ" and element.value is not None:
            for item in element.value:
                yield item
                yield from _levels(item, depth + 1)


def _plant(ds: Dataset) -> None:
    """Direct identifiers, free text, a private element, an unknown one, an overlay comment."""
    text = MARK.decode()
    for tag, vr in ((0x00100010, "PN"), (0x00100020, "LO"), (0x00080080, "LO"), (0x00080050, "SH"), (0x00104000, "LT"),
                    (0x00081030, "LO"), (0x00180015, "CS"), (0x00324000, "LT"), (0x60000022, "LO")):  # fmt: skip
        ds[tag] = DataElement(tag, vr, text, already_converted=True)
    ds[0x00990010] = DataElement(0x00990010, "LO", "MAKER " + text, already_converted=True)
    ds[0x00991001] = DataElement(0x00991001, "UN", MARK, already_converted=True)
    ds[0x00087776] = DataElement(0x00087776, "UN", MARK, already_converted=True)


def _written(ds: Dataset) -> bytes | None:
    """The data set as a file, None where pydicom cannot write it."""
    stream, meta = io.BytesIO(), getattr(ds, "file_meta", None) or FileMetaDataset()
    ds.file_meta = meta
    try:
        with typed("unwritable", ""):
            pydicom.dcmwrite(stream, ds, enforce_file_format=False)
    except RecordError:
        return None
    return stream.getvalue()


TARGETS = (
    Target("dicom_header", dicom_header, seeds.headers, share=0.6),
    Target("dicom_refused", dicom_refused, seeds.headers, share=0.3),
    Target("dicom_peek", dicom_peek, seeds.headers, share=0.5),
    Target("dicom_scan", dicom_scan, seeds.slices, share=0.4),
    Target("dicom_series", dicom_series, seeds.slices, share=0.4),
    Target("dicom_image", dicom_image, seeds.pictures, share=0.5),
    Target("dicom_cine", dicom_cine, seeds.cines, share=0.4),
    Target("dicom_multiframe", dicom_multiframe, seeds.multiframes, share=0.4),
    Target("dicom_frames", dicom_frames, seeds.multiframes, share=0.4),
    Target("dicom_stream", dicom_stream, seeds.streams),
    Target("dicom_rle", dicom_rle, seeds.rle_frames, share=0.5),
    Target("dicom_csa", dicom_csa, seeds.csa),
    Target("dicom_seg", dicom_seg, seeds.segs, share=0.4),
    Target("dicom_rtstruct", dicom_rtstruct, seeds.rtstructs, share=0.4),
    Target("dicom_deidentify", dicom_deidentify, seeds.headers, share=0.15),
)
