"""Bad volumes, pictures, clips and tables made from real ones, each with the reason that its record must end with.

`LABELS` and `POINTS` go wrong beside an image, `RANGES` in a table's row. The real files are those in pydicom's and
nibabel's packages.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import tempfile
import zlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import PIL.Image
import pydicom

from tests.badfiles import CINE, Case, cut, put, write_tables
from tests.corpus import packaged

BOMB = 3 << 30  # bytes that inflate from a few


def _zeros(wbits: int) -> bytes:
    """`BOMB` zeros as deflate data: one flushed block, repeated."""
    press = zlib.compressobj(9, zlib.DEFLATED, wbits)
    head = press.compress(bytes(16)) + press.flush(zlib.Z_FULL_FLUSH)
    block = press.compress(bytes(1 << 24)) + press.flush(zlib.Z_FULL_FLUSH)
    return head + block * (BOMB >> 24) + press.flush()


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


def _nrrd(sizes: str, more: str = "", coding: str = "raw") -> bytes:
    head = f"NRRD0004\ntype: short\ndimension: 3\nsizes: {sizes}\n{more}encoding: {coding}\nendian: big\n\n"
    return head.encode()


def _meta(data_file: str, compressed: bool = False) -> bytes:
    return (
        "ObjectType = Image\nNDims = 3\nDimSize = 33 41 25\nElementType = MET_SHORT\nElementSpacing = 2 2 2\n"
        f"ElementByteOrderMSB = True\nCompressedData = {compressed}\nElementDataFile = {data_file}\n"
    ).encode()


def _voxels() -> bytes:
    return _nifti()[352:]


SFORM = (252, struct.pack(">hh", 0, 1))
NAN = struct.pack(">4f", *[float("nan")] * 4)
VOLUMES: dict[str, Case] = {
    "cut.nii.gz": ("corrupt_compression", lambda p: cut(p, gzip.compress(_nifti()), 0.5)),
    "checksum.nii.gz": ("corrupt_compression", lambda p: put(p, gzip.compress(_nifti())[:-8] + bytes(8))),
    "bomb.nii.gz": ("too_large", lambda p: put(p, gzip.compress(_nifti()[:352]) + _zeros(31))),
    "short.nii": ("truncated_volume", lambda p: cut(p, _nifti(), 0.6)),
    "magic.nii": ("bad_volume", lambda p: put(p, _nifti(magic=(344, b"nope")))),
    "dims_up.nii": ("truncated_volume", lambda p: put(p, _nifti(dim=(42, struct.pack(">h", 3000))))),
    "dims_huge.nii": ("too_large", lambda p: put(p, _nifti(dim=(40, struct.pack(">5h", 4, 32767, 32767, 32767, 9))))),
    "dims_negative.nii": ("bad_volume", lambda p: put(p, _nifti(dim=(42, struct.pack(">h", -3))))),
    "affine_nan.nii": ("bad_affine", lambda p: put(p, _nifti(form=SFORM, row=(280, NAN)))),
    "affine_flat.nii": ("bad_affine", lambda p: put(p, _nifti(form=SFORM, row=(280, bytes(48))))),
    "offset.nii": ("truncated_volume", lambda p: put(p, _nifti(vox_offset=(108, struct.pack(">f", 1e6))))),
    "datatype.nii": ("unsupported_volume", lambda p: put(p, _nifti(datatype=(70, struct.pack(">hh", 32, 64))))),
    "analyze.hdr": ("bad_volume", lambda p: put(p, _nifti(magic=(344, bytes(4)))[:348])),
    "alone.hdr": ("unreadable_file", lambda p: put(p, _nifti(magic=(344, b"ni1\0"))[:348])),
    "longer.nii": ("bad_volume", lambda p: put(p, _nifti() + _nifti())),
    "scaling.nii": ("bad_volume", lambda p: put(p, _nifti(scl=(112, struct.pack(">2f", 2, float("inf")))))),
    "vectors.nii": ("unsupported_volume", lambda p: put(p, _nifti(dim=(40, struct.pack(">6h", 5, 33, 41, 5, 1, 5))))),
    "units.nii": ("bad_volume", lambda p: put(p, _nifti(units=(123, b"\x07")))),
    "small.nii": ("too_small", lambda p: put(p, _nifti(dim=(46, struct.pack(">h", 2)))[: 352 + 33 * 41 * 4])),
    "etc.mhd": ("unsafe_reference", lambda p: put(p, _meta("../../etc/passwd"))),
    "away.mhd": ("unreadable_file", lambda p: put(p, _meta("away.raw"))),
    "cut.mha": ("truncated_volume", lambda p: put(p, _meta("LOCAL") + _voxels()[:9000])),
    "type.mha": ("unsupported_volume", lambda p: put(p, _meta("LOCAL").replace(b"SHORT", b"STRING") + _voxels())),
    "flat.mha": ("bad_affine", lambda p: put(p, _meta("LOCAL").replace(b"= 2 2 2", b"= 2 0 2") + _voxels())),
    "zipped.mha": ("corrupt_compression", lambda p: put(p, _meta("LOCAL", True) + zlib.compress(_voxels())[:-999])),
    "cut.nrrd": ("truncated_volume", lambda p: put(p, _nrrd("33 41 25") + _voxels()[:-100])),
    "space.nrrd": ("unsupported_volume", lambda p: put(p, _nrrd("33 41 25", "space: scanner-xyz\n") + _voxels())),
    "codec.nrrd": ("corrupt_compression", lambda p: put(p, _nrrd("33 41 25", coding="gzip") + b"no gzip" * 99)),
    "sizes.nrrd": (
        "too_large",
        lambda p: put(p, _nrrd("99999 99999 99999")),
    ),
    "fields.nrrd": ("unsupported_volume", lambda p: put(p, _nrrd("4 4"))),
    "blank.nii": ("blank", lambda p: put(p, _nifti()[:352] + bytes(len(_nifti()) - 352))),
}  # fmt: skip


@cache
def _picture(kind: str) -> bytes:
    """A real ultrasound image of pydicom's (RGB, 240 x 320), as PNG, JPEG, ..."""
    stream = io.BytesIO()
    PIL.Image.fromarray(pydicom.dcmread(packaged("examples_rgb_color.dcm")).pixel_array).save(stream, kind)
    return stream.getvalue()


def _cropped() -> bytes:
    stream = io.BytesIO()
    PIL.Image.open(io.BytesIO(_picture("PNG"))).crop((0, 0, 200, 8)).save(stream, "PNG")
    return stream.getvalue()


def _giant_png() -> bytes:
    """A header of 200,000 x 200,000 pixels with a right checksum."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 200_000, 200_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head)) + _picture("PNG")[33:]
    )


def _pages() -> bytes:
    stream = io.BytesIO()
    pages = [PIL.Image.fromarray(np.full((64, 64), n * 40, np.uint8)) for n in range(4)]
    pages[0].save(stream, "TIFF", save_all=True, append_images=pages[1:])
    return stream.getvalue()


PICTURES: dict[str, Case] = {
    "empty.png": ("corrupt_image", lambda p: put(p, b"")),
    "cut.png": ("corrupt_image", lambda p: cut(p, _picture("PNG"), 0.5)),
    "cut.jpg": ("corrupt_image", lambda p: cut(p, _picture("JPEG"), 0.5)),
    "cut.tif": ("corrupt_image", lambda p: cut(p, _picture("TIFF"), 0.5)),
    "cut.bmp": ("corrupt_image", lambda p: cut(p, _picture("BMP"), 0.5)),
    "cut.webp": ("corrupt_image", lambda p: cut(p, _picture("WEBP"), 0.5)),
    "checksum.png": ("corrupt_image", lambda p: put(p, _picture("PNG")[:2000] + bytes(9) + _picture("PNG")[2009:])),
    "giant.png": ("too_large", lambda p: put(p, _giant_png())),
    "html.jpg": ("corrupt_image", lambda p: put(p, b"<html>not found</html>" * 20)),
    "pages.tif": ("multi_page", lambda p: put(p, _pages())),
    "tiny.png": ("too_small", lambda p: put(p, _cropped())),
    "black.png": ("blank", lambda p: put(p, _flat())),
}


def _flat() -> bytes:
    stream = io.BytesIO()
    PIL.Image.new("L", (100, 100)).save(stream, "PNG")
    return stream.getvalue()


@cache
def _clip() -> bytes:
    """A real ultrasound cine of pydicom's, as MP4."""
    from curate.dicom import read_cine
    from curate.video import encode_frames

    cine = read_cine(packaged(CINE))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        encode_frames(cine.frames[:12], tuple(n / 12 for n in range(12)), path)
        return path.read_bytes()


CLIPS: dict[str, Case] = {
    "empty.mp4": ("video_format", lambda p: put(p, b"")),
    "playlist.mp4": ("video_format", lambda p: put(p, b"#EXTM3U\n#EXTINF:1\nfile:///etc/passwd\n")),
    "page.webm": ("video_format", lambda p: put(p, b"<html>not found</html>" * 20)),
    "cut.mp4": ("corrupt_video", lambda p: cut(p, _clip(), 0.6)),
    "no_index.mp4": ("corrupt_video", lambda p: put(p, _clip().replace(b"moov", b"mooo"))),
    "giant.gif": ("too_large", lambda p: put(p, b"GIF89a\xff\xff\xff\xff\x80\x00\x00" + bytes(900))),
    "sound.mp4": ("no_video_stream", lambda p: put(p, _clip().replace(b"vide", b"soun"))),
    "codec.mp4": ("video_codec", lambda p: put(p, _clip().replace(b"avc1\0", b"XVQ9\0"))),
    "noise.mp4": (
        "corrupt_video",
        lambda p: put(p, _clip()[:2000] + np.random.default_rng(1).bytes(20000) + _clip()[22000:]),
    ),
}
RANGES = {  # start, end of a second of video, and the reason; None: the file is not there
    "backward.mp4": ("0.5", "0.2", "clip_range"),
    "beyond.mp4": ("5", "9", "clip_range"),
    "words.mp4": ("early", "late", "clip_range"),
    "between.mp4": ("0.501", "0.502", "clip_range"),
    "absent.mp4": ("0", "1", "media_missing"),
}
LABELS: dict[str, Case] = {  # label maps of the T1 crop
    "grid": ("mask_grid", lambda p: put(p, _nifti(dim=(46, struct.pack(">h", 24)))[: -33 * 41 * 2])),
    "moved": (
        "mask_grid",
        lambda p: put(p, _nifti(form=SFORM, row=(280, struct.pack(">12f", 2, 0, 0, 9, 0, 2, 0, 9, 0, 0, 2, 9)))),
    ),
    "fractions": ("mask_values", lambda p: put(p, _nifti(scl=(112, struct.pack(">2f", 0.5, 0))))),
    "cut": ("truncated_volume", lambda p: cut(p, _nifti(), 0.5)),
    "absent": ("mask_missing", lambda p: None),
}
POINTS: dict[str, tuple[str, bytes]] = {
    "broken": ("bad_landmarks", b'{"points": '),
    "list": ("bad_landmarks", b"[1, 2]"),
    "text": ("bad_landmarks", json.dumps({"coordinate_system": "RAS", "points": {"nasion": ["a", 1, 2]}}).encode()),
    "frame": ("landmark_frame", json.dumps({"points": {"nasion": [1, 2, 3]}}).encode()),
    "far": ("bad_landmarks", json.dumps({"coordinate_system": "RAS", "points": {"nasion": [1e9, 2, 3]}}).encode()),
    "name": ("landmark_name", json.dumps({"coordinate_system": "RAS", "points": {"<b>": [1, 2, 3]}}).encode()),
}


def write_media(root: Path) -> dict[tuple[str, str], str]:
    """The bad files that are no DICOM, below ROOT/SOURCE; {(source, first file of the record): reason}."""
    reasons = write_tables(root, {"volumes": VOLUMES, "pictures": PICTURES, "clips": CLIPS})
    return (
        reasons | _write_labelled(root / "labelled") | _write_points(root / "points") | _write_ranges(root / "ranges")
    )


def _write_labelled(root: Path) -> dict[tuple[str, str], str]:
    """The T1 crop with each of the label maps, in the Decathlon's layout."""
    (root / "labelsTr").mkdir(parents=True)
    for name, (_, make) in LABELS.items():
        put(root / f"imagesTr/{name}.nii", _nifti())
        make(root / f"labelsTr/{name}.nii")
    return {("labelled", f"imagesTr/{name}.nii"): reason for name, (reason, _) in LABELS.items()}


def _write_points(root: Path) -> dict[tuple[str, str], str]:
    """The T1 crop with each of the lists of points."""
    for name, (_, data) in POINTS.items():
        put(root / f"{name}.nii", _nifti())
        put(root / f"{name}.json", data)
    return {("points", f"{name}.nii"): reason for name, (reason, _) in POINTS.items()}


def _write_ranges(root: Path) -> dict[tuple[str, str], str]:
    """Clips and a table of ranges in them; each line of the table is a record."""
    lines, reasons = ["video,start,end"], {}
    for name, (start, end, reason) in RANGES.items():
        lines.append(f"{name},{start},{end}")
        reasons["ranges", f"clips.csv#line={len(lines)}"] = reason
        if reason != "media_missing":
            put(root / name, _clip())
    (root / "clips.csv").write_text("\n".join(lines))
    return reasons
