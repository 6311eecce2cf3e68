"""Bad DICOM files made from real ones, each with the reason that its record must end with; others are in `badmedia`.

Every maker writes below a source's root; the tables say which file (the first of its record) and which reason. `MARKS`
go wrong beside a sound image. The real files are pydicom's packaged ones, and for `SHARED` and `MARKS` the shared data.
"""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom import uid
from pydicom.encaps import encapsulate, generate_frames

from tests.corpus import packaged
from tests.marks import rtstruct

Maker = Callable[[Path], object]
Case = tuple[str, Maker]
CINE = "examples_ybr_color.dcm"
SHARED_DATA = Path(__file__).resolve().parents[1] / "../shared/data"


def slices(folder: Path, change: Callable[[Any, int], None], count: int = 6) -> None:
    """A series of real CT slices (CT_small), 5 mm apart, each changed by `change(dataset, number)`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        ds: Any = pydicom.dcmread(packaged("CT_small.dcm"))
        ds.SeriesInstanceUID = ds.SeriesInstanceUID + f".{sum(folder.name.encode())}"
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{sum(folder.name.encode())}.{number}"
        ds.ImagePositionPatient = [-158.135803, -179.035797, -75.699997 + 5.0 * number]
        ds.InstanceNumber = number + 1
        change(ds, number)
        ds.save_as(folder / f"{number}.dcm")


def one(path: Path, name: str, change: Callable[[Any], None]) -> None:
    """One packaged instance, changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ds: Any = pydicom.dcmread(packaged(name))
    change(ds)
    ds.save_as(path)


def cut(path: Path, data: bytes, keep: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data[: int(len(data) * keep)])


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _set(keyword: str, value: Any) -> Callable[[Any], None]:
    return lambda ds: setattr(ds, keyword, value)


def _at(number: int, change: Callable[[Any], None]) -> Callable[[Any, int], None]:
    return lambda ds, n: change(ds) if n == number else None


def _moved(offset_mm: float) -> Callable[[Any], None]:
    def move(ds: Any) -> None:
        x, y, z = ds.ImagePositionPatient
        ds.ImagePositionPatient = [x, y, float(z) + offset_mm]

    return move


def _other_on_top(ds: Any) -> None:
    """Another image in the place of the slice before."""
    _moved(-5.0)(ds)
    ds.PixelData = bytes(reversed(ds.PixelData))


def _swollen_j2k(ds: Any) -> None:
    """The codestream says 65,535 x 65,535."""
    frame = bytearray(next(generate_frames(ds.PixelData, number_of_frames=1)))
    at = frame.find(b"\xff\x4f\xff\x51") + 8
    frame[at : at + 8] = struct.pack(">II", 65535, 65535)
    ds.PixelData = encapsulate([bytes(frame)])


def _without(*keywords: str) -> Callable[[Any], None]:
    def strip(ds: Any) -> None:
        for keyword in keywords:
            if keyword in ds:
                delattr(ds, keyword)

    return strip


DICOM: dict[str, Case] = {
    "empty.dcm": ("not_dicom", lambda p: put(p, b"")),
    "text.dcm": ("not_dicom", lambda p: put(p, b"this is a report, not an image\n" * 40)),
    "zipped.dcm.gz": ("compressed_file", lambda p: put(p, gzip.compress(packaged("CT_small.dcm").read_bytes()))),
    "headless.dcm": ("no_file_meta", lambda p: put(p, packaged("CT_small.dcm").read_bytes()[132:])),
    "cut_in_pixels.dcm": ("truncated_pixels", lambda p: cut(p, packaged("MR_small.dcm").read_bytes(), 0.7)),
    "cut_in_j2k.dcm": ("truncated_dicom", lambda p: cut(p, _read("MR_small_jp2klossless.dcm"), 0.9)),
    "cut_in_rle.dcm": ("truncated_dicom", lambda p: cut(p, _read("MR_small_RLE.dcm"), 0.9)),
    "cut_in_ls.dcm": ("truncated_dicom", lambda p: cut(p, _read("MR_small_jpeg_ls_lossless.dcm"), 0.9)),
    "jpeg_holes.dcm": ("bad_pixels", lambda p: one(p, "JPEG-lossy.dcm", _holed)),
    "rle_holes.dcm": ("bad_pixels", lambda p: one(p, "MR_small_RLE.dcm", _holed)),
    "other_syntax.dcm": ("bad_pixels", lambda p: one(p, "MR_small.dcm", _as_j2k)),
    "no_height.dcm": ("no_pixels", lambda p: one(p, "CT_small.dcm", _set("Rows", 0))),
    "samples.dcm": ("bad_header", lambda p: one(p, "CT_small.dcm", _set("SamplesPerPixel", 2))),
    "photometric.dcm": (
        "bad_header",
        lambda p: one(p, "CT_small.dcm", _set("PhotometricInterpretation", "HSV")),
    ),
    "slope_words.dcm": ("bad_header", lambda p: put(p, _slope_words())),
    "window_nan.dcm": ("bad_header", lambda p: one(p, "CT_small.dcm", _window_nan)),
    "link.dcm": ("not_a_regular_file", lambda p: p.symlink_to("rows_lie_up.dcm")),
    "pipe.dcm": ("not_a_regular_file", os.mkfifo),
    "plan.dcm": ("no_pixels", lambda p: put(p, _read("rtplan.dcm"))),
    "dose.dcm": ("derived_object", lambda p: put(p, _read("rtdose.dcm"))),
    "ecg.dcm": ("no_pixels", lambda p: put(p, _read("waveform_ecg.dcm"))),
    "structures.dcm": ("dangling_reference", lambda p: rtstruct(p, {"lung": [np.eye(3)]})),
    "no_syntax.dcm": ("no_transfer_syntax", lambda p: _no_syntax(p)),
    "no_rows.dcm": ("no_pixels", lambda p: one(p, "CT_small.dcm", _without("Rows"))),
    "rows_lie_up.dcm": ("truncated_pixels", lambda p: one(p, "CT_small.dcm", _set("Rows", 4096))),
    "frames_lie.dcm": ("too_large", lambda p: one(p, "CT_small.dcm", _frames_lie)),
    "no_pixel_data.dcm": ("no_pixel_data", lambda p: one(p, "CT_small.dcm", _without("PixelData"))),
    "bits.dcm": ("bad_pixels", lambda p: one(p, "CT_small.dcm", _set("BitsAllocated", 13))),
    "slope_zero.dcm": ("bad_header", lambda p: one(p, "CT_small.dcm", _set("RescaleSlope", 0))),
    "j2k_swollen.dcm": ("codestream_mismatch", lambda p: one(p, "MR_small_jp2klossless.dcm", _swollen_j2k)),
    "palette.dcm": ("bad_palette", lambda p: one(p, "examples_palette.dcm", _short_palette)),
    "mpeg.dcm": ("no_decoder", lambda p: one(p, "JPEG2000.dcm", _unknown_syntax)),
    "gap/0.dcm": ("missing_slices", lambda p: slices(p.parent, _at(2, _moved(200.0)), count=6)),
    "twice/0.dcm": ("duplicate_positions", lambda p: slices(p.parent, _at(3, _other_on_top))),
    "uneven/0.dcm": ("nonuniform_spacing", lambda p: slices(p.parent, _at(3, _moved(1.7)))),
    "spacing/0.dcm": ("mixed_spacing", lambda p: slices(p.parent, _at(1, _set("PixelSpacing", [0.5, 0.5])))),
    "skewed/0.dcm": ("bad_orientation", lambda p: slices(p.parent, lambda d, _: _skew(d))),
    "kinds/0.dcm": ("mixed_units", lambda p: slices(p.parent, _at(2, _set("RescaleType", "US")))),
    "cine_cut.dcm": ("truncated_dicom", lambda p: cut(p, _read(CINE), 0.5)),
    "cine_more.dcm": ("truncated_pixels", lambda p: one(p, CINE, _set("NumberOfFrames", 60))),
    "cine_hole.dcm": ("bad_pixels", lambda p: one(p, CINE, _holed)),
    "cine_backward.dcm": ("bad_header", lambda p: one(p, CINE, _set("FrameTime", -33.3))),
    "cine_huge.dcm": ("too_large", lambda p: one(p, CINE, _wide)),
    "tilted/0.dcm": ("gantry_tilt", lambda p: slices(p.parent, _leaning)),
    "flat/0.dcm": ("bad_header", lambda p: slices(p.parent, lambda d, _: setattr(d, "PixelSpacing", [0, 0]))),
    "grey/0.dcm": (
        "mixed_photometric",
        lambda p: slices(p.parent, _at(1, _set("PhotometricInterpretation", "MONOCHROME1"))),
    ),
    "no_slope/0.dcm": ("bad_header", lambda p: slices(p.parent, _at(5, _set("RescaleSlope", 0)))),
    "tissue/0.dcm": ("bad_header", lambda p: slices(p.parent, _at(5, _set("BitsAllocated", 13)))),
    "slice_cut/0.dcm": ("truncated_pixels", lambda p: _cut_slice(p.parent)),
}


def _read(name: str) -> bytes:
    return packaged(name).read_bytes()


def _holed(ds: Any) -> None:
    """An encoded frame of noise in the place of the first."""
    frames = list(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)))
    frames[0] = frames[0][:20] + np.random.default_rng(5).bytes(len(frames[0]) - 20)
    ds.PixelData = encapsulate(frames)


def _as_j2k(ds: Any) -> None:
    """Native pixels under the name of another transfer syntax."""
    ds.file_meta.TransferSyntaxUID = uid.JPEG2000Lossless
    ds.PixelData = encapsulate([ds.PixelData])


def _slope_words() -> bytes:
    data = _read("CT_small.dcm")
    at = data.index(b"\x28\x00\x53\x10DS")
    size = struct.unpack_from("<H", data, at + 6)[0]
    return data[: at + 8] + b"one"[:size].ljust(size) + data[at + 8 + size :]


def _window_nan(ds: Any) -> None:
    ds.add_new(0x00281050, "LO", "nan")
    ds.add_new(0x00281051, "LO", "nan")


def _wide(ds: Any) -> None:
    ds.Rows = ds.Columns = 4000


def _leaning(ds: Any, number: int) -> None:
    x, y, z = ds.ImagePositionPatient
    ds.ImagePositionPatient = [x, float(y) + 20.0 * number, z]


def _no_syntax(path: Path) -> None:
    def strip(ds: Any) -> None:
        del ds.file_meta.TransferSyntaxUID

    path.parent.mkdir(parents=True, exist_ok=True)
    ds: Any = pydicom.dcmread(packaged("CT_small.dcm"))
    strip(ds)
    pydicom.dcmwrite(path, ds, implicit_vr=False, little_endian=True, enforce_file_format=False)


def _frames_lie(ds: Any) -> None:
    ds.NumberOfFrames = 2_000_000_000
    ds.SOPClassUID = uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage


def _short_palette(ds: Any) -> None:
    ds.RedPaletteColorLookupTableData = ds.RedPaletteColorLookupTableData[:20]


def _unknown_syntax(ds: Any) -> None:
    ds.file_meta.TransferSyntaxUID = uid.UID("1.2.840.10008.1.2.4.94")  # JPIP: the pixels are elsewhere


def _skew(ds: Any) -> None:
    ds.ImageOrientationPatient = [1, 0, 0, 0.5, 1, 0]


def _cut_slice(folder: Path) -> None:
    slices(folder, lambda _d, _n: None)
    file = folder / "4.dcm"
    file.write_bytes(file.read_bytes()[:-9000])


DCMQI = "dicom-seg-dcmqi/segmentations/24x38x3"
ENHANCED = "dicom-dicom2nifti/philips_enhanced/anatomical/001/IM-0001-0170-0001.dcm"
MOSAIC = "dicom-dcm_qa_nih/In/20180918Si/mr_0003/epi_pe_ap-00001.dcm"
NUCLEAR = "dicom-cine-dcm4che/NM-MONO2-16-13x-heart"


def _series_of(folder: Path) -> str:
    return f"1.2.826.{sum(folder.name.encode())}"


def _series(folder: Path) -> None:
    """The three CT slices of 24 x 38 that dcmqi's segmentation was drawn on."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in (1, 2, 3):
        _shared(
            folder / f"{number}.dcm", f"{DCMQI}/image/IMG000{number}.dcm", _set("SeriesInstanceUID", _series_of(folder))
        )


def _shared(path: Path, name: str, change: Callable[[Any], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ds: Any = pydicom.dcmread(SHARED_DATA / name)
    change(ds)
    ds.save_as(path)


def _frame(number: int, change: Callable[[Any], None]) -> Callable[[Any], None]:
    return lambda ds: change(ds.PerFrameFunctionalGroupsSequence[number])


def _unplaced(ds: Any) -> None:
    for group in ds.PerFrameFunctionalGroupsSequence:
        del group.PlaneOrientationSequence


def _no_csa(ds: Any) -> None:
    for tag in (0x00291010, 0x00291020, 0x0019100A):
        if tag in ds:
            del ds[tag]


def _cut_csa(ds: Any) -> None:
    ds[0x00291010].value = ds[0x00291010].value[:400]
    del ds[0x00291020]


SHARED: dict[str, Case] = {
    "enhanced_cut.dcm": ("truncated_pixels", lambda p: cut(p, (SHARED_DATA / ENHANCED).read_bytes(), 0.8)),
    "enhanced_frames.dcm": ("frame_count_mismatch", lambda p: _shared(p, ENHANCED, _set("NumberOfFrames", 16))),
    "enhanced_place.dcm": (
        "no_position",
        lambda p: _shared(p, ENHANCED, _frame(3, lambda g: g.pop("PlanePositionSequence"))),
    ),
    "enhanced_turned.dcm": ("no_orientation", lambda p: _shared(p, ENHANCED, _unplaced)),
    "mosaic_csa.dcm": ("mosaic_count", lambda p: _shared(p, MOSAIC, _no_csa)),
    "mosaic_cut_csa.dcm": ("bad_csa", lambda p: _shared(p, MOSAIC, _cut_csa)),
    "mosaic_cut.dcm": ("truncated_pixels", lambda p: cut(p, (SHARED_DATA / MOSAIC).read_bytes(), 0.9)),
    "nuclear_cut.dcm": ("truncated_pixels", lambda p: cut(p, (SHARED_DATA / NUCLEAR).read_bytes(), 0.9)),
}


def _marked(folder: Path, name: str, change: Callable[[Any], None]) -> None:
    """The series with its segmentation, changed."""

    def marked(ds: Any) -> None:
        ds.ReferencedSeriesSequence[0].SeriesInstanceUID = _series_of(folder)
        change(ds)

    _series(folder)
    _shared(folder / name, f"{DCMQI}/seg/label.seg", marked)


def _drawn(folder: Path) -> None:
    """The series with a structure whose last point lacks a number."""
    _series(folder)
    ds: Any = pydicom.dcmread(folder / "1.dcm")
    points = np.array([(0, 0, 0), (9, 0, 0), (0, 9, 0)], float) + np.array(ds.ImagePositionPatient, float)
    path = rtstruct(folder / "rt.dcm", {"lung": [points]}, ds.SeriesInstanceUID, ds.FrameOfReferenceUID)
    marks: Any = pydicom.dcmread(path)
    contour = marks.ROIContourSequence[0].ContourSequence[0]
    contour.ContourData = list(contour.ContourData)[:-1]
    marks.save_as(path)


MARKS: dict[str, Case] = {  # the series is sound and stays; its story says why it has no such mask
    "seg_cut/1.dcm": (
        "truncated_pixels",
        lambda p: _marked(p.parent, "seg.dcm", lambda d: setattr(d, "PixelData", d.PixelData[:100])),
    ),
    "seg_frames/1.dcm": ("bad_header", lambda p: _marked(p.parent, "seg.dcm", _set("NumberOfFrames", 900))),
    "seg_rows/1.dcm": ("truncated_pixels", lambda p: _marked(p.parent, "seg.dcm", _set("Rows", 30000))),
    "rt_short/1.dcm": ("bad_contour", lambda p: _drawn(p.parent)),
}


def write_dicom(root: Path) -> dict[tuple[str, str], str]:
    """The bad files of DICOM below ROOT/SOURCE; {(source, first file of the record): reason}."""
    there = SHARED_DATA.is_dir()
    return write_tables(root, {"dicom": DICOM} | ({"shared": SHARED, "marks": MARKS} if there else {}))


def write_tables(root: Path, tables: Mapping[str, Mapping[str, Case]]) -> dict[tuple[str, str], str]:
    reasons: dict[tuple[str, str], str] = {}
    for source, cases in tables.items():
        for name, (reason, make) in cases.items():
            (root / source / name).parent.mkdir(parents=True, exist_ok=True)
            make(root / source / name)
            reasons[source, name] = reason
    return reasons
