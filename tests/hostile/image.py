"""Pictures that mean harm, made from an ultrasound image of pydicom's (RGB, 240 x 320): kinds 25 to 31."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.PngImagePlugin

from tests.badmedia import _picture, _zeros
from tests.hostile.case import SECRET, Case, dropped, failed, kept
from tests.hostile.nifti import wrote

NAME = SECRET.encode()
HEAD = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int, height: int, data: bytes, *more: bytes, bits: int = 8, colour: int = 2, interlaced: int = 0
) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced))
    return HEAD + head + b"".join(more) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def with_chunks(*more: bytes) -> bytes:
    """The real picture with chunks after its header."""
    whole = _picture("PNG")
    return whole[:33] + b"".join(more) + whole[33:]


def data_of(whole: bytes) -> bytes:
    """The inflated rows of a PNG of one IDAT run."""
    at, parts = len(HEAD), []
    while at < len(whole):
        size, kind = struct.unpack_from(">I4s", whole, at)
        parts += [whole[at + 8 : at + 8 + size]] if kind == b"IDAT" else []
        at += size + 12
    return zlib.decompress(b"".join(parts))


def short_rows() -> bytes:
    """Every checksum is right, and half of the rows are not there."""
    rows = data_of(_picture("PNG"))
    return png(320, 240, zlib.compress(rows[: len(rows) // 2]))


@cache
def one_colour(width: int, height: int, bits: int = 8, colour: int = 2) -> bytes:
    """Rows of one colour: some hundred bytes for every 100,000 pixels."""
    press = zlib.compressobj(9)
    row = bytes(1 + width * (3 if colour == 2 else 1) * bits // 8)
    return png(
        width,
        height,
        b"".join([*(press.compress(row) for _ in range(height)), press.flush()]),
        bits=bits,
        colour=colour,
    )


def interlaced() -> bytes:
    """The real picture in Adam7's seven passes, whose rows are of other lengths."""
    pixels = np.asarray(PIL.Image.open(io.BytesIO(_picture("PNG"))).convert("RGB"))[:239, :317]
    places = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    rows = b"".join(b"\0" + row.tobytes() for y, x, dy, dx in places for row in pixels[y::dy, x::dx])
    return png(317, 239, zlib.compress(rows), interlaced=1)


def saved(kind: str, image: PIL.Image.Image | None = None, **options: object) -> bytes:
    stream = io.BytesIO()
    (image or PIL.Image.open(io.BytesIO(_picture("PNG")))).save(stream, kind, **options)
    return stream.getvalue()


def exif(kind: str) -> bytes:
    """Turned, with a place, an owner and a thumbnail."""
    image = PIL.Image.open(io.BytesIO(_picture("PNG")))
    tags = PIL.Image.Exif()
    tags[0x0112], tags[0x010E], tags[0x013B], tags[0x8298] = 6, SECRET, SECRET, SECRET
    place = tags.get_ifd(0x8825)
    place[1], place[2], place[29] = "N", (52.0, 31.0, 12.0), "2019:03:07"
    tags.get_ifd(0x9286)
    return saved(kind, image, exif=tags, comment=NAME) if kind == "JPEG" else saved(kind, image, exif=tags)


def xmp() -> bytes:
    texts = PIL.PngImagePlugin.PngInfo()
    texts.add_text("Patient", SECRET)
    texts.add_itxt("XML:com.adobe.xmp", f"<x:xmpmeta>{SECRET}</x:xmpmeta>", zip=True)
    return saved("PNG", pnginfo=texts)


def tiff(*entries: tuple[int, int, int, int], following: int = 0, size: int = 4096) -> bytes:
    """A TIFF of one directory at 8: (tag, type, count, value) each."""
    body = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *e) for e in entries)
    return (b"II*\0\x08\0\0\0" + body + struct.pack("<I", following)).ljust(size, b"\0")


def page(width: int, height: int) -> tuple[tuple[int, int, int, int], ...]:
    return (
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 200),
        (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, width * height),
    )  # fmt: skip


def pages_flood(count: int) -> bytes:
    """Directories that follow each other, with one pixel each."""
    body = struct.pack("<H", 9) + b"".join(struct.pack("<HHII", *e) for e in page(1, 1))
    size = len(body) + 4
    return b"II*\0\x08\0\0\0" + b"".join(body + struct.pack("<I", 8 + size * n) for n in range(1, count + 1))


def gif_flood(count: int) -> bytes:
    """A picture of 64 x 64 and `count` frames of one pixel."""
    rng = np.random.default_rng(3)
    first = saved("GIF", PIL.Image.fromarray(rng.integers(0, 255, (64, 64), np.uint8)))[:-1]
    frame = b"\x21\xf9\x04\0\0\0\0\0" + b"\x2c\0\0\0\0\1\0\1\0\0" + b"\x02\x02\x44\x01\0"
    return first + frame * count + b";"


def gif_comment(blocks: int) -> bytes:
    whole = _picture("GIF")
    size = 13 + 3 * (2 << (whole[10] & 7))
    return whole[:size] + b"\x21\xfe" + (b"\xff" + b"x" * 255) * blocks + b"\0" + whole[size:]


def jpeg_sized(width: int, height: int) -> bytes:
    whole = bytearray(_picture("JPEG"))
    at = whole.index(b"\xff\xc0")
    struct.pack_into(">HH", whole, at + 5, height, width)
    return bytes(whole)


def jpeg_scans(count: int, side: int = 8192) -> bytes:
    """A progressive JPEG with one DC scan and then empty refinements of it without end."""
    whole = saved("JPEG", PIL.Image.open(io.BytesIO(_picture("PNG"))).convert("L"), progressive=True)
    frame = bytearray(whole[: whole.index(b"\xff\xda")])
    at = frame.index(b"\xff\xc2")
    struct.pack_into(">HH", frame, at + 5, side, side)
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x01\x05\x01" + b"\x00"
    return bytes(frame) + scan * count + b"\xff\xd9"


def tail(kind: str) -> bytes:
    """A whole picture, and behind it an archive and a name."""
    return _picture(kind) + b"PK\x03\x04" + NAME * 50


def no_file(make: Callable[[Path], object]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        make(folder / "x.png")
        return folder / "x.png"

    return write


def sixteen(mode: str) -> PIL.Image.Image:
    array = np.asarray(PIL.Image.open(io.BytesIO(_picture("PNG"))).convert("L"))
    if mode == "I;16":
        return PIL.Image.fromarray(array.astype(np.uint16) * 257)
    return PIL.Image.fromarray(array).convert(mode)


def in_mode(mode: str) -> bytes:
    return saved("PNG", sixteen(mode))


SVG = (
    b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY a "' + NAME + b'"><!ENTITY b "&a;&a;&a;">'
    b'<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg">&x;&b;</svg>'
)
CASES = (
    Case(
        26,
        "png-text-flood",
        "pictures",
        wrote("x.png", lambda: with_chunks(chunk(b"tEXt", b"k\0v") * 300_000)),
        failed("corrupt_image"),
    ),
    Case(
        30, "gif-comment-20-megabytes", "pictures", wrote("x.gif", lambda: gif_comment(80_000)), failed("corrupt_image")
    ),
    Case(30, "png-interlaced", "pictures", wrote("x.png", interlaced), kept()),
    Case(
        25,
        "png-2500-megapixels",
        "pictures",
        wrote("x.png", lambda: png(50_000, 50_000, _zeros(15)[: 1 << 20])),
        failed("too_large"),
    ),
    Case(
        25,
        "png-36-megapixels-of-one-colour",
        "pictures",
        wrote("x.png", lambda: one_colour(6000, 6000)),
        failed("too_large"),
    ),
    Case(
        25,
        "png-2-31-wide",
        "pictures",
        wrote("x.png", lambda: png((1 << 31) - 1, (1 << 31) - 1, b"")),
        failed("too_large"),
    ),
    Case(
        25,
        "png-2-32-wide",
        "pictures",
        wrote("x.png", lambda: png(0xFFFFFFFF, 0xFFFFFFFF, b"", bits=16)),
        failed("too_large"),
    ),
    Case(25, "png-no-width", "pictures", wrote("x.png", lambda: png(0, 0, b"")), failed("corrupt_image")),
    Case(
        25, "png-bomb-behind-the-rows", "pictures", wrote("x.png", lambda: png(320, 240, _zeros(15))), dropped("blank")
    ),
    Case(25, "png-rows-missing", "pictures", wrote("x.png", short_rows), failed("corrupt_image")),
    Case(
        25,
        "png-chunk-of-2-gib",
        "pictures",
        wrote("x.png", lambda: _picture("PNG")[:33] + b"\x7f\xff\xff\xffIDAT" + NAME),
        failed("corrupt_image"),
    ),
    Case(
        26,
        "png-ztxt-bomb",
        "pictures",
        wrote("x.png", lambda: with_chunks(chunk(b"zTXt", b"k\0\0" + _zeros(15)))),
        failed("corrupt_image"),
    ),
    Case(
        26,
        "png-itxt-bomb",
        "pictures",
        wrote("x.png", lambda: with_chunks(chunk(b"iTXt", b"k\0\1\0\0\0" + _zeros(15)))),
        failed("corrupt_image"),
    ),
    Case(
        26,
        "png-iccp-bomb",
        "pictures",
        wrote("x.png", lambda: with_chunks(chunk(b"iCCP", b"k\0\0" + _zeros(15)))),
        failed("corrupt_image"),
    ),
    Case(27, "svg-named-png", "pictures", wrote("x.png", lambda: SVG), failed("corrupt_image")),
    Case(
        27,
        "eps-named-png",
        "pictures",
        wrote("x.png", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (r) file\n" + NAME),
        failed("corrupt_image"),
    ),
    Case(27, "html-named-jpg", "pictures", wrote("x.jpg", lambda: b"<html><script>" + NAME), failed("corrupt_image")),
    Case(27, "zip-named-tif", "pictures", wrote("x.tif", lambda: b"PK\x03\x04" + NAME * 9), failed("corrupt_image")),
    Case(
        28,
        "tiff-directories-loop",
        "pictures",
        wrote("x.tif", lambda: tiff(*page(64, 64), following=8, size=9000)),
        failed("corrupt_image"),
    ),
    Case(28, "tiff-100000-pages", "pictures", wrote("x.tif", lambda: pages_flood(100_000)), failed("multi_page")),
    Case(
        28,
        "tiff-entries-lie",
        "pictures",
        wrote("x.tif", lambda: tiff(*page(64, 64)[:5], (273, 4, 0xFFFFFFF0, 100), *page(64, 64)[6:])),
        failed("corrupt_image"),
    ),
    Case(
        28,
        "tiff-giant",
        "pictures",
        wrote("x.tif", lambda: tiff(*page(64, 64)[2:], (256, 4, 1, 0x7FFFFFFF), (257, 4, 1, 0x7FFFFFFF))),
        failed("too_large"),
    ),
    Case(
        28,
        "tiff-strips-outside",
        "pictures",
        wrote("x.tif", lambda: tiff(*page(64, 64)[:5], (273, 4, 1, 0xFFFFFF00), *page(64, 64)[6:])),
        failed("corrupt_image"),
    ),
    Case(29, "jpeg-exif", "pictures", wrote("x.jpg", lambda: exif("JPEG")), kept(b"2019:03:07")),
    Case(29, "png-exif", "pictures", wrote("x.png", lambda: exif("PNG")), kept(b"2019:03:07")),
    Case(29, "webp-exif", "pictures", wrote("x.webp", lambda: exif("WEBP")), kept(b"2019:03:07")),
    Case(29, "png-xmp", "pictures", wrote("x.png", xmp), kept(b"xmpmeta")),
    *(
        Case(
            29,
            f"{kind.lower()}-tail",
            "pictures",
            wrote(f"x.{kind.lower()}", partial(tail, kind)),
            kept(b"PK\x03\x04"),
        )
        for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")
    ),
    *(
        Case(
            30,
            f"png-{mode.lower().replace(';', '')}",
            "pictures",
            wrote("x.png", partial(in_mode, mode)),
            kept(),
        )
        for mode in ("I;16", "LA", "RGBA", "P")
    ),
    Case(30, "jpeg-cmyk", "pictures", wrote("x.jpg", lambda: saved("JPEG", sixteen("CMYK"))), kept()),
    Case(30, "gif-300000-frames", "pictures", wrote("x.gif", lambda: gif_flood(300_000)), kept()),
    Case(30, "jpeg-65535", "pictures", wrote("x.jpg", lambda: jpeg_sized(65535, 65535)), failed("too_large")),
    Case(30, "jpeg-cut", "pictures", wrote("x.jpg", lambda: _picture("JPEG")[:-400]), failed("corrupt_image")),
    Case(30, "jpeg-3000-scans", "pictures", wrote("x.jpg", lambda: jpeg_scans(3000)), failed("corrupt_image")),
    Case(30, "webp-cut", "pictures", wrote("x.webp", lambda: _picture("WEBP")[:-400]), failed("corrupt_image")),
    Case(
        30,
        "heic-named-jpg",
        "pictures",
        wrote("x.jpg", lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99)),
        failed("corrupt_image"),
    ),
    Case(31, "picture-link", "pictures", no_file(lambda p: p.symlink_to("/etc/passwd")), failed("not_a_regular_file")),
    Case(31, "picture-pipe", "pictures", no_file(lambda p: os.mkfifo(p)), failed("not_a_regular_file")),
    Case(
        31,
        "picture-link-to-device",
        "pictures",
        no_file(lambda p: p.symlink_to("/dev/zero")),
        failed("not_a_regular_file"),
    ),
)
