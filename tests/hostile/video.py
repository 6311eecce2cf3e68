"""Clips that mean harm, made from an ultrasound cine of pydicom's as MP4: kinds 32 to 36."""

from __future__ import annotations

import struct
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np

from tests.badmedia import _clip
from tests.hostile.case import SECRET, Case, failed, kept
from tests.hostile.image import gif_flood
from tests.hostile.nifti import wrote

NAME = SECRET.encode()
PORT = 9  # discard: nobody listens, and nobody may ask


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", len(data) + 8, kind) + data


def patched(kind: bytes, offset: int, value: bytes) -> Callable[[Path], Path]:
    """The clip with bytes of one atom changed, `offset` after its name."""

    def make() -> bytes:
        data = bytearray(_clip())
        at = data.index(kind) + 4 + offset
        data[at : at + len(value)] = value
        return bytes(data)

    return wrote("x.mp4", make)


def sized(kind: bytes, size: int) -> Callable[[Path], Path]:
    """An atom whose own length lies; 1 says that 64 bits follow."""

    def make() -> bytes:
        data = bytearray(_clip())
        at = data.index(kind)
        struct.pack_into(">I", data, at - 4, size)
        if size == 1:
            struct.pack_into(">Q", data, at + 4, 1 << 63)
        return bytes(data)

    return wrote("x.mp4", make)


def nested_atoms() -> bytes:
    """30,000 boxes in each other before the clip's own."""
    inner = b""
    for _ in range(30_000):
        inner = struct.pack(">I4s", len(inner) + 8, b"moov") + inner if len(inner) < 240_000 else inner
    return _clip()[:32] + inner + _clip()[32:]


def atoms_flood() -> bytes:
    return (
        _clip()[: struct.unpack(">I", _clip()[:4])[0]]
        + box(b"free", b"") * 300_000
        + _clip()[struct.unpack(">I", _clip()[:4])[0] :]
    )


@cache
def converted(suffix: str, *options: str) -> bytes:
    """The clip through ffmpeg, with what lies beside it: a subtitle, an attachment and metadata with the name."""
    from imageio_ffmpeg import get_ffmpeg_exe

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in.mp4").write_bytes(_clip())
        (folder / "in.srt").write_text(f"1\n00:00:00,000 --> 00:00:01,000\n{SECRET} file:///etc/passwd\n")
        (folder / "in.txt").write_text(SECRET)
        command = [get_ffmpeg_exe(), "-loglevel", "error", "-y", "-i", "in.mp4", *options, f"out.{suffix}"]
        subprocess.run(command, cwd=folder, check=True, timeout=60)
        return (folder / f"out.{suffix}").read_bytes()


def attached() -> bytes:
    return converted(
        "mkv", "-i", "in.srt", "-map", "0:v", "-map", "1:s", "-c:v", "copy", "-c:s", "srt", "-metadata",
        f"title={SECRET}", "-attach", "in.txt", "-metadata:s:t", "mimetype=text/plain",
    )  # fmt: skip


def resized() -> bytes:
    """Two MPEG transport streams after another, the second of another size."""
    return converted("ts", "-c:v", "libx264") + converted("ts", "-c:v", "libx264", "-vf", "scale=160:120")


def giant_gif(count: int) -> bytes:
    """Frames of 7,000 x 7,000 pixels in a few bytes each."""
    head = b"GIF89a" + struct.pack("<HH", 7000, 7000) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    return head + (b"\x21\xf9\x04\0\4\0\0\0" + b"\x2c\0\0\0\0\1\0\1\0\0" + b"\x02\x02\x44\x01\0") * count + b";"


PLAYLISTS = {
    "m3u8-file": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "m3u8-http": f"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\nhttp://127.0.0.1:{PORT}/{SECRET}\n".encode(),
    "m3u8-concat": b"#EXTM3U\n#EXTINF:1,\nconcat:file:///etc/hostname|file:///etc/passwd\n",
    "ffconcat": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
    "dash": b'<?xml version="1.0"?><MPD><BaseURL>http://127.0.0.1:9/</BaseURL></MPD>',
    "asf": b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + b"\0" * 99,
    "subfile": b"subfile,,start,0,end,99,,:/etc/passwd",
}


def mp4_reference() -> bytes:
    """A data reference atom that names another file (QuickTime `alis`/`url `)."""
    data = bytearray(_clip())
    at = data.index(b"url ")
    data[at + 4 : at + 8] = b"\0\0\0\0"  # no longer "in this file"
    return bytes(data)


CASES = (
    Case(32, "gif-600000-frames", "clips", wrote("x.gif", lambda: gif_flood(600_000)), failed("too_large")),
    Case(32, "gif-frames-of-49-megapixels", "clips", wrote("x.gif", lambda: giant_gif(400)), failed("too_large")),
    Case(
        32, "mp4-10-9-frames", "clips", patched(b"stts", 8, struct.pack(">II", 1_000_000_000, 1)), failed("too_large")
    ),
    Case(32, "mp4-10-9-sizes", "clips", patched(b"stsz", 8, struct.pack(">I", 1_000_000_000)), failed("corrupt_video")),
    Case(33, "mp4-timescale-zero", "clips", patched(b"mdhd", 12, bytes(4)), kept()),
    Case(33, "mp4-timescale-2-31", "clips", patched(b"mdhd", 12, struct.pack(">I", 0x7FFFFFFF)), kept()),
    Case(33, "mp4-durations-2-32", "clips", patched(b"mvhd", 16, b"\xff" * 4), kept()),
    Case(33, "mp4-edits-without-end", "clips", patched(b"elst", 4, struct.pack(">I", 0xFFFFFFFF)), kept()),
    Case(
        33,
        "mp4-edit-of-2-31",
        "clips",
        patched(b"elst", 8, struct.pack(">Ii", 0x7FFFFFFF, 0x7FFFFFFF)),
        failed("corrupt_video"),
    ),
    Case(33, "mp4-moov-of-zero", "clips", sized(b"moov", 0), kept()),
    Case(33, "mp4-moov-of-2-63", "clips", sized(b"moov", 1), failed("no_video_stream")),
    Case(33, "mp4-stbl-of-2-32", "clips", sized(b"stbl", 0xFFFFFFFF), kept()),
    Case(33, "mp4-nested", "clips", wrote("x.mp4", nested_atoms), failed("corrupt_video")),
    Case(33, "mp4-atoms-flood", "clips", wrote("x.mp4", atoms_flood), failed("corrupt_video")),
    Case(33, "mp4-giant", "clips", patched(b"avc1", 24, struct.pack(">HH", 65535, 65535)), kept()),
    Case(33, "mp4-turned-by-nan", "clips", patched(b"tkhd", 40, b"\x7f\xff\xff\xff" * 9), failed("video_rotation")),
    *(
        Case(34, f"playlist-{name}", "clips", wrote("x.mp4", partial(bytes, data)), failed("video_format"))
        for name, data in PLAYLISTS.items()
    ),
    Case(34, "mp4-outside-reference", "clips", wrote("x.mp4", mp4_reference), kept()),
    Case(35, "ts-size-changes", "clips", wrote("x.mpg", resized), kept()),
    Case(36, "mkv-attachments", "clips", wrote("x.mkv", attached), kept(b"etc/passwd")),
    Case(
        36,
        "mp4-metadata",
        "clips",
        wrote(
            "x.mp4",
            lambda: converted(
                "mp4",
                "-i",
                "in.srt",
                "-map",
                "0:v",
                "-map",
                "1:s",
                "-c:v",
                "copy",
                "-c:s",
                "mov_text",
                "-metadata",
                f"title={SECRET}",
                "-metadata",
                f"comment={SECRET}",
            ),
        ),
        kept(b"etc/passwd"),
    ),
    Case(36, "mp4-tail", "clips", wrote("x.mp4", lambda: _clip() + box(b"uuid", NAME * 30)), kept()),
    Case(
        36,
        "mp4-noise",
        "clips",
        wrote("x.mp4", lambda: _clip()[:900] + np.random.default_rng(7).bytes(40_000)),
        failed("corrupt_video"),
    ),
)
