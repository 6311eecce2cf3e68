"""Seed inputs of every target, made by code from real files in packages; nothing binary lies in the repository.

Each function gives bytes as they stand in a file. Small ones are preferred: a fuzzer works through more of them.
"""

from __future__ import annotations

import functools
import gzip
import importlib
import io
import tempfile
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pydicom
from pydicom.encaps import generate_frames, parse_basic_offsets

from tests import dicomgen, marks
from tests.corpus import packaged

MOST = 40_000  # bytes of a seed file
LIKE_SHAPE = (3, 5, 6)  # of the volume on which marks are drawn

HEADERS = (
    "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "MR_small.dcm", "badVR.dcm", "UN_sequence.dcm", "priv_SQ.dcm",
    "nested_priv_SQ.dcm", "no_meta_group_length.dcm", "meta_missing_tsyntax.dcm", "empty_charset_LEI.dcm",
    "image_dfl.dcm", "test-SR.dcm", "reportsi.dcm", "rtplan.dcm", "rtstruct.dcm", "rtdose_1frame.dcm",
    "rtdose_expb_1frame.dcm", "SC_rgb_small_odd.dcm", "JPEG2000.dcm", "JPGExtended.dcm",
)  # fmt: skip
PICTURES = (
    "SC_rgb_small_odd.dcm", "SC_rgb_small_odd_jpeg.dcm", "SC_rgb_rle.dcm", "SC_rgb_rle_2frame.dcm",
    "SC_rgb_dcmtk_+eb+cy+n2.dcm", "SC_rgb_dcmtk_+eb+cy+s2.dcm", "SC_rgb_gdcm_KY.dcm", "SC_rgb_jls_lossy_line.dcm",
    "JPEGLSNearLossless_08.dcm", "JPEGLSNearLossless_16.dcm", "JPEG2000.dcm", "rtdose_rle_1frame.dcm",
    "rtdose_1frame.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm",
    "MR_small_bigendian.dcm", "JPEG-lossy.dcm", "693_J2KI.dcm",
)  # fmt: skip


def files(names: tuple[str, ...]) -> list[bytes]:
    """Files of pydicom's test data, those of at most `MOST` bytes."""
    found = (packaged(name).read_bytes() for name in names)
    return [data for data in found if len(data) <= MOST]


def in_package(package: str, inside: str) -> Path | None:
    """A file inside an installed package, None where there is none."""
    spec = find_spec(package)
    path = Path(spec.origin).parent / inside if spec and spec.origin else None
    return path if path and path.is_file() else None


def _saved(write: Callable[[Path], Any], name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()


# --- DICOM -----------------------------------------------------------------------------------------------------------


def headers() -> list[bytes]:
    return files(HEADERS)


def pictures() -> list[bytes]:
    return files(PICTURES)


@functools.cache
def series() -> tuple[bytes, ...]:
    """The slices of one made series of a vendor that writes real ones, in order."""
    with tempfile.TemporaryDirectory() as folder:
        case = dicomgen.series_case(3)
        paths = dicomgen.write_series(case, Path(folder) / "series")
        return tuple(path.read_bytes() for path in paths[:4])


def slices() -> list[bytes]:
    names = ("MR_small.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm")
    return [series()[1], *files(names)]


def multiframes() -> list[bytes]:
    """An enhanced file, encapsulated frames with offset tables and without."""

    def enhanced(path: Path) -> None:
        dicomgen.write_enhanced(dicomgen.series_case(3), path.parent).rename(path)

    made = _saved(enhanced, "made.dcm")
    names = ("rtdose.dcm", "rtdose_rle.dcm", "SC_rgb_rle_2frame.dcm", "SC_rgb_rle_16bit_2frame.dcm", "rtdose_expb.dcm")
    return [*([made] if len(made) <= MOST else []), *files(names)]


def cines() -> list[bytes]:
    """Multi-frame pictures of each kind, and two of them with the times of their frames."""
    found = files(
        ("SC_rgb_rle_2frame.dcm", "SC_rgb_rle_16bit_2frame.dcm", "SC_rgb_rle_32bit_2frame.dcm", "rtdose_rle.dcm")
    )
    for name, keywords in (("SC_rgb_rle_2frame.dcm", {"FrameTimeVector": ["0", "40"]}), ("SC_rgb_small_odd.dcm", {})):
        ds = pydicom.dcmread(packaged(name))
        for keyword, value in keywords.items():
            setattr(ds, keyword, value)
        if not keywords:
            ds.NumberOfFrames, ds.FrameTime, ds.PixelData = 3, "33.3", (ds.PixelData[:27] * 3).ljust(82, b"\0")
        found.append(_saved(ds.save_as, "cine.dcm"))
    return found


def rle_frames() -> list[bytes]:
    """Frames as `dicom_rle` reads them: width, values (2 bytes), the frame."""
    found = []
    for name in ("MR_small_RLE.dcm", "rtdose_rle_1frame.dcm", "SC_rgb_rle.dcm", "SC_rgb_rle_16bit.dcm"):
        ds = pydicom.dcmread(packaged(name))
        frame = next(generate_frames(ds.PixelData, number_of_frames=1))
        values = ds.Rows * ds.Columns * ds.SamplesPerPixel
        found.append(bytes([ds.BitsAllocated // 8]) + values.to_bytes(2, "little") + frame)
    return found


def streams() -> list[bytes]:
    """Encapsulated pixel data: offset table and fragments."""
    found = []
    for name in ("SC_rgb_rle_2frame.dcm", "JPEG2000-embedded-sequence-delimiter.dcm", "JPGExtended.dcm"):
        data = pydicom.dcmread(packaged(name)).PixelData
        parse_basic_offsets(io.BytesIO(data))
        found.append(data)
    return found


def csa() -> list[bytes]:
    """CSA headers of both layouts with the tags that a mosaic needs."""
    tags = {"NumberOfImagesInMosaic": ["4"], "SliceNormalVector": ["0", "0", "1"], "B_value": ["500"], "Empty": []}
    return [_csa_header(tags, newer) for newer in (True, False)]


def _csa_header(tags: dict[str, list[str]], newer: bool) -> bytes:
    made = (b"SV10\4\3\2\1" if newer else b"") + len(tags).to_bytes(4, "little") + (77).to_bytes(4, "little")
    base = 0
    for number, (name, values) in enumerate(tags.items()):
        items = len(values)
        base = items if number == 0 else base
        made += name.encode().ljust(64, b"\0") + b"".join(n.to_bytes(4, "little") for n in (items, 0, 0, items, 77))
        for value in values:
            data = value.encode() + b"\0"
            length = len(data) if newer else len(data) + base
            made += b"".join(n.to_bytes(4, "little") for n in (length, len(data), 77, length))
            made += data.ljust((len(data) + 3) // 4 * 4, b"\0")
    return made


def segs() -> list[bytes]:
    volume = marks.volume(LIKE_SHAPE)
    grid = marks.blob(LIKE_SHAPE)

    def write(kind: str) -> bytes:
        more = {"kind": kind} if kind else {}
        return _saved(lambda path: marks.seg(path, [(grid, 1)], volume.affine, ["Liver"], **more), "seg.dcm")

    return [write(kind) for kind in ("", "FRACTIONAL", "LABELMAP")]


def rtstructs() -> list[bytes]:
    volume = marks.volume(LIKE_SHAPE)
    square = marks.on_grid([(1, 1), (4, 1), (4, 3), (1, 3)], 1, volume.affine)
    point = ("POINT", marks.on_grid([(2, 2)], 1, volume.affine))
    rois: dict[str, list[Any]] = {"Liver": [square], "Point": [point]}
    return [_saved(lambda path: marks.rtstruct(path, rois), "rt.dcm"), *files(("rtstruct.dcm",))]


# --- volumes, images, clips ------------------------------------------------------------------------------------------


def niftis() -> list[bytes]:
    """NIfTI-1 of both byte orders, NIfTI-2, scaled, 4D; the first bytes of a real T1 head."""
    nibabel: Any = importlib.import_module("nibabel")
    voxels = np.arange(3 * 4 * 5 * 2, dtype=np.int16).reshape(3, 4, 5, 2)
    made = []
    for kind, data in (
        (nibabel.Nifti1Image, voxels[..., 0]),
        (nibabel.Nifti1Image, voxels),
        (nibabel.Nifti2Image, voxels),
    ):
        image = kind(data, np.diag([1.5, 2, 2.5, 1]))
        image.header.set_slope_inter(2.0, -3.0)
        made.append(image.to_bytes())
        made.append(kind(data, None, image.header.as_byteswapped()).to_bytes())
    floats = nibabel.Nifti1Image(voxels[..., 0].astype(np.float32) / 7, np.eye(4))
    real = in_package("nibabel", "tests/data/anatomical.nii")
    return [*made, floats.to_bytes(), *([real.read_bytes()[:MOST]] if real else [])]


def label_maps() -> list[bytes]:
    """Label maps on the grid on which marks are drawn, as they are and with turned axes."""
    nibabel: Any = importlib.import_module("nibabel")
    like = marks.volume(LIKE_SHAPE)
    labels = (np.arange(90).reshape(LIKE_SHAPE).T % 3).astype(np.uint8)
    turned = like.affine @ np.array([[-1, 0, 0, labels.shape[0] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    return [
        nibabel.Nifti1Image(data, affine).to_bytes()
        for data, affine in ((labels, like.affine), (labels[::-1], turned), (labels.astype(np.float32), like.affine))
    ]


def gzipped() -> list[bytes]:
    return [gzip.compress(data, mtime=0) for data in niftis()[:5]]


def inflatable() -> list[bytes]:
    return [
        bytes([kind]) + packed
        for kind, packed in enumerate((gzip.compress(b"abc" * 99, mtime=0), zlib.compress(b"abc" * 99)))
    ]


def nrrds() -> list[bytes]:
    head = (
        "NRRD0004\ntype: {kind}\ndimension: 3\nspace: left-posterior-superior\nsizes: 4 3 2\nspace directions: (1,0,0) "
        "(0,1,0) (0,0,2)\nkinds: domain domain domain\nendian: little\nencoding: {coding}\nspace origin: (0,1,2)\n\n"
    )
    voxels = np.arange(24, dtype="<i2").tobytes()
    text = " ".join(str(n) for n in range(24)).encode()
    bodies = {"raw": voxels, "gzip": gzip.compress(voxels, mtime=0), "ascii": text}
    return [head.format(kind="short", coding=coding).encode() + body for coding, body in bodies.items()]


def metaimages() -> list[bytes]:
    head = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = {packed}\n"
        "TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\nElementSpacing = 1 1 2\nDimSize = 4 3 2\n"
        "ElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    )
    voxels = np.arange(24, dtype="<i2").tobytes()
    return [head.format(packed=False).encode() + voxels, head.format(packed=True).encode() + zlib.compress(voxels)]


def images() -> list[bytes]:
    """Each format and mode that is read, written by Pillow from one picture, and small real files."""
    rng = np.random.default_rng(5)
    rgb = PIL.Image.fromarray(rng.integers(0, 255, (12, 16, 3), np.uint8))
    deep = PIL.Image.fromarray(rng.integers(0, 65535, (12, 16), np.uint16))
    wanted = [
        (rgb, "PNG"),
        (rgb, "JPEG"),
        (rgb, "TIFF"),
        (rgb, "BMP"),
        (rgb, "GIF"),
        (rgb, "WEBP"),
        (deep, "PNG"),
        (deep, "TIFF"),
    ]
    wanted += [
        (rgb.convert(mode), form)
        for mode, form in (
            ("1", "PNG"),
            ("P", "PNG"),
            ("LA", "PNG"),
            ("RGBA", "WEBP"),
            ("CMYK", "JPEG"),
            ("CMYK", "TIFF"),
            ("LAB", "TIFF"),
            ("F", "TIFF"),
            ("I", "TIFF"),
        )
    ]
    made = []
    for picture, form in wanted:
        stream = io.BytesIO()
        picture.save(stream, form)
        made.append(stream.getvalue())
    pages = io.BytesIO()
    rgb.save(pages, "TIFF", save_all=True, append_images=[rgb, rgb])
    real = [in_package("skimage", f"data/{name}") for name in ("multipage.tif", "microaneurysms.png")]
    return [*made, pages.getvalue(), *(path.read_bytes() for path in real if path)]


def npys() -> list[bytes]:
    from curate.arrays import encode_npy_gz, encode_png

    grid = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    return [encode_npy_gz(grid), encode_npy_gz(grid.astype(np.float32)), encode_png(grid[0].astype(np.uint8))]


CLIPS = (
    ("clip.mp4", "libx264"), ("clip.mp4", "mpeg4"), ("clip.webm", "libvpx-vp9"), ("clip.avi", "mjpeg"),
    ("clip.mkv", "libx264"), ("clip.mpg", "mpeg2video"), ("clip.ts", "mpeg2video"),
)  # fmt: skip


def clips() -> list[bytes]:
    """A second of moving squares in the containers and codecs that are read, and as a GIF."""
    import av

    made = []
    for name, codec in CLIPS:
        stream = io.BytesIO()
        stream.name = name
        kind = {"clip.mkv": "matroska", "clip.ts": "mpegts", "clip.mpg": "mpeg"}.get(name, name.partition(".")[2])
        with av.open(stream, "w", format=kind) as container:
            track: Any = container.add_stream(codec, rate=25)
            track.width, track.height, track.pix_fmt = 32, 32, "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for number in range(6):
                frame = av.VideoFrame.from_ndarray(_square(number), format="rgb24")
                container.mux(track.encode(frame))
            container.mux(track.encode())
        made.append(stream.getvalue())
    gif, squares = io.BytesIO(), [PIL.Image.fromarray(_square(n)) for n in range(4)]
    squares[0].save(gif, "GIF", save_all=True, append_images=squares[1:], duration=40)
    return [*made, gif.getvalue()]


def _square(at: int) -> Any:
    picture = np.full((32, 32, 3), 40, np.uint8)
    picture[at : at + 12, 2 * at : 2 * at + 12] = (200, 100, 30)
    return picture


def packets() -> list[bytes]:
    """As `video_bitstream` reads them: codec, length of the parameters, parameters, packet."""
    import av

    found = []
    for data in clips()[:5]:
        with av.open(io.BytesIO(data), "r") as container:
            track = container.streams.video[0]
            extradata = bytes(track.codec_context.extradata or b"")
            coded = {"h264": 0, "hevc": 1, "vp9": 2}.get(track.codec_context.name, 0)
            packet = next(bytes(p) for p in container.demux(track) if p.size)
        found.append(bytes([coded]) + len(extradata).to_bytes(2, "little") + extradata + packet)
    hvcc = bytes([1]) + bytes(20) + bytes([0x0B, 1, 32, 0, 1, 0, 4]) + b"\x40\1\1\1"
    return [*found, bytes([1]) + len(hvcc).to_bytes(2, "little") + hvcc + b"\0\0\0\5\x26\1abc"]


def mjpegs() -> list[bytes]:
    from curate.video.mjpeg import join_mjpeg

    return [join_mjpeg(np.stack([_square(n) for n in range(3)]))]
