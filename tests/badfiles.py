"""Bad files made from real ones, each with the reason that its record must end with.

Every maker writes below a source's root; the table says which file (the first of its record) and which reason. The real
files are those in pydicom's and nibabel's packages.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pydicom
from pydicom import uid
from pydicom.encaps import encapsulate

from tests.corpus import packaged

Maker = Callable[[Path], None]
BOMB = 3 << 30  # bytes that inflate from a few


def slices(folder: Path, change: Callable[[Any, int], None], count: int = 6) -> None:
    """A series of real CT slices (CT_small), 5 mm apart, each changed by `change(dataset, number)`."""
    folder.mkdir(parents=True)
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
    frame = bytearray(next(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1)))
    at = frame.find(b"\xff\x4f\xff\x51") + 8
    frame[at : at + 8] = struct.pack(">II", 65535, 65535)
    ds.PixelData = encapsulate([bytes(frame)])


def _bombed(path: Path) -> None:
    """A deflated data set of zeros without end."""
    ds: Any = pydicom.dcmread(packaged("image_dfl.dcm"))
    meta = io.BytesIO()
    pydicom.dcmwrite(meta, ds)
    start = 144 + ds.file_meta.FileMetaInformationGroupLength
    put(path, meta.getvalue()[:start] + _zeros(-15))


def _zeros(wbits: int) -> bytes:
    """`BOMB` zeros as deflate data: one flushed block, repeated."""
    press = zlib.compressobj(9, zlib.DEFLATED, wbits)
    head = press.compress(bytes(16)) + press.flush(zlib.Z_FULL_FLUSH)
    block = press.compress(bytes(1 << 24)) + press.flush(zlib.Z_FULL_FLUSH)
    return head + block * (BOMB >> 24) + press.flush()


def _without(*keywords: str) -> Callable[[Any], None]:
    def strip(ds: Any) -> None:
        for keyword in keywords:
            if keyword in ds:
                delattr(ds, keyword)

    return strip


DICOM: dict[str, tuple[str, Maker]] = {
    "empty.dcm": ("not_dicom", lambda p: put(p, b"")),
    "text.dcm": ("not_dicom", lambda p: put(p, b"this is a report, not an image\n" * 40)),
    "zipped.dcm.gz": ("compressed_file", lambda p: put(p, gzip.compress(packaged("CT_small.dcm").read_bytes()))),
    "headless.dcm": ("no_file_meta", lambda p: put(p, packaged("CT_small.dcm").read_bytes()[132:])),
    "cut_in_header.dcm": ("truncated_dicom", lambda p: cut(p, packaged("CT_small.dcm").read_bytes(), 0.06)),
    "cut_in_pixels.dcm": ("truncated_pixels", lambda p: cut(p, packaged("MR_small.dcm").read_bytes(), 0.7)),
    "cut_in_jpeg.dcm": ("bad_pixels", lambda p: cut(p, packaged("JPEG2000.dcm").read_bytes(), 0.5)),
    "no_syntax.dcm": ("no_transfer_syntax", lambda p: _no_syntax(p)),
    "no_rows.dcm": ("no_pixels", lambda p: one(p, "CT_small.dcm", _without("Rows"))),
    "rows_lie_up.dcm": ("truncated_pixels", lambda p: one(p, "CT_small.dcm", _set("Rows", 4096))),
    "frames_lie.dcm": ("too_large", lambda p: one(p, "CT_small.dcm", _frames_lie)),
    "no_pixel_data.dcm": ("no_pixel_data", lambda p: one(p, "CT_small.dcm", _without("PixelData"))),
    "bits.dcm": ("bad_pixels", lambda p: one(p, "CT_small.dcm", _set("BitsAllocated", 13))),
    "slope_zero.dcm": ("bad_header", lambda p: one(p, "CT_small.dcm", _set("RescaleSlope", 0))),
    "j2k_swollen.dcm": ("codestream_mismatch", lambda p: one(p, "693_J2KR.dcm", _swollen_j2k)),
    "bomb.dcm": ("too_large", _bombed),
    "palette.dcm": ("bad_palette", lambda p: one(p, "OBXXXX1A.dcm", _short_palette)),
    "mpeg.dcm": ("no_decoder", lambda p: one(p, "JPEG2000.dcm", _unknown_syntax)),
    "gap/0.dcm": ("missing_slices", lambda p: slices(p.parent, _at(2, _moved(200.0)), count=6)),
    "twice/0.dcm": ("duplicate_positions", lambda p: slices(p.parent, _at(3, _other_on_top))),
    "uneven/0.dcm": ("nonuniform_spacing", lambda p: slices(p.parent, _at(3, _moved(1.7)))),
    "spacing/0.dcm": ("mixed_spacing", lambda p: slices(p.parent, _at(1, _set("PixelSpacing", [0.5, 0.5])))),
    "skewed/0.dcm": ("bad_orientation", lambda p: slices(p.parent, lambda d, _: _skew(d))),
    "kinds/0.dcm": ("mixed_units", lambda p: slices(p.parent, _at(2, _set("RescaleType", "US")))),
    "slice_cut/0.dcm": ("truncated_pixels", lambda p: _cut_slice(p.parent)),
}


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


def _nifti(**changes: tuple[int, bytes]) -> bytes:
    """nibabel's packaged T1 crop with header bytes changed: name=(offset, bytes)."""
    data = bytearray(_anatomical().read_bytes())
    for offset, value in changes.values():
        data[offset : offset + len(value)] = value
    return bytes(data)


def _anatomical() -> Path:
    spec = find_spec("nibabel")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "tests" / "data" / "anatomical.nii"


def _nrrd(sizes: str) -> bytes:
    return f"NRRD0004\ntype: short\ndimension: 3\nsizes: {sizes}\nencoding: raw\nendian: little\n\n".encode()


SFORM = (252, struct.pack("<hh", 0, 1))
NAN = struct.pack("<4f", *[float("nan")] * 4)
VOLUMES: dict[str, tuple[str, Maker]] = {
    "cut.nii.gz": ("corrupt_compression", lambda p: cut(p, gzip.compress(_nifti()), 0.5)),
    "checksum.nii.gz": ("corrupt_compression", lambda p: put(p, gzip.compress(_nifti())[:-8] + bytes(8))),
    "bomb.nii.gz": ("too_large", lambda p: put(p, gzip.compress(_nifti()[:352]) + _zeros(31))),
    "short.nii": ("truncated_volume", lambda p: cut(p, _nifti(), 0.6)),
    "magic.nii": ("bad_volume", lambda p: put(p, _nifti(magic=(344, b"nope")))),
    "dims_up.nii": ("truncated_volume", lambda p: put(p, _nifti(dim=(42, struct.pack("<h", 3000))))),
    "dims_huge.nii": ("too_large", lambda p: put(p, _nifti(dim=(40, struct.pack("<5h", 4, 32767, 32767, 32767, 9))))),
    "dims_negative.nii": ("bad_volume", lambda p: put(p, _nifti(dim=(42, struct.pack("<h", -3))))),
    "affine_nan.nii": ("bad_affine", lambda p: put(p, _nifti(form=SFORM, row=(280, NAN)))),
    "affine_flat.nii": ("bad_affine", lambda p: put(p, _nifti(form=SFORM, row=(280, bytes(48))))),
    "offset.nii": ("truncated_volume", lambda p: put(p, _nifti(vox_offset=(108, struct.pack("<f", 1e6))))),
    "datatype.nii": ("unsupported_volume", lambda p: put(p, _nifti(datatype=(70, struct.pack("<hh", 32, 64))))),
    "etc.mhd": (
        "bad_volume",
        lambda p: put(p, b"ObjectType = Image\nNDims = 3\nDimSize = 9 9 9\nElementType = MET_SHORT\n"
                      b"ElementSpacing = 1 1 1\nElementDataFile = ../../etc/passwd\n"),
    ),
    "sizes.nrrd": (
        "too_large",
        lambda p: put(p, _nrrd("99999 99999 99999")),
    ),
    "fields.nrrd": ("bad_volume", lambda p: put(p, _nrrd("4 4"))),
    "blank.nii": ("blank", lambda p: put(p, _nifti()[:352] + bytes(len(_nifti()) - 352))),
}  # fmt: skip


def _png(shape: tuple[int, ...], seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def _giant_png() -> bytes:
    """A header of 200,000 x 200,000 pixels with a right checksum."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 200_000, 200_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head)) + _png((40, 40))[33:]
    )


def _pages() -> bytes:
    stream = io.BytesIO()
    pages = [PIL.Image.fromarray(np.full((64, 64), n * 40, np.uint8)) for n in range(4)]
    pages[0].save(stream, "TIFF", save_all=True, append_images=pages[1:])
    return stream.getvalue()


PICTURES: dict[str, tuple[str, Maker]] = {
    "empty.png": ("corrupt_image", lambda p: put(p, b"")),
    "cut.png": ("corrupt_image", lambda p: cut(p, _png((200, 200)), 0.5)),
    "giant.png": ("too_large", lambda p: put(p, _giant_png())),
    "html.jpg": ("corrupt_image", lambda p: put(p, b"<html>not found</html>" * 20)),
    "pages.tif": ("multi_page", lambda p: put(p, _pages())),
    "tiny.png": ("too_small", lambda p: put(p, _png((8, 200)))),
    "black.png": ("blank", lambda p: put(p, _flat())),
}


def _flat() -> bytes:
    stream = io.BytesIO()
    PIL.Image.new("L", (100, 100)).save(stream, "PNG")
    return stream.getvalue()


def _clip() -> bytes:
    """A real ultrasound cine of pydicom's, as MP4."""
    import tempfile

    from curate.dicom import read_cine
    from curate.video import encode_frames

    cine = read_cine(packaged("examples_ybr_color.dcm"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        encode_frames(cine.frames[:12], tuple(n / 12 for n in range(12)), path)
        return path.read_bytes()


CLIPS: dict[str, tuple[str, Maker]] = {
    "empty.mp4": ("video_format", lambda p: put(p, b"")),
    "playlist.mp4": ("video_format", lambda p: put(p, b"#EXTM3U\n#EXTINF:1\nfile:///etc/passwd\n")),
    "cut.mp4": ("corrupt_video", lambda p: cut(p, _clip(), 0.6)),
    "no_index.mp4": ("corrupt_video", lambda p: put(p, _clip().replace(b"moov", b"free"))),
    "giant.gif": ("too_large", lambda p: put(p, b"GIF89a\xff\xff\xff\xff\x80\x00\x00" + bytes(900))),
    "sound.mp4": ("no_video_stream", lambda p: put(p, _clip().replace(b"vide", b"soun"))),
}


def write_all(root: Path) -> dict[tuple[str, str], str]:
    """All bad files below ROOT/SOURCE; {(source, first file): reason}."""
    expected = {}
    for source, cases in (("dicom", DICOM), ("volumes", VOLUMES), ("pictures", PICTURES), ("clips", CLIPS)):
        for name, (reason, make) in cases.items():
            make(root / source / name)
            expected[source, name] = reason
    return expected
