"""A clip as a sequence of JPEG images, one behind the other (Motion JPEG without a container).

Each image is a whole JFIF file (ITU-T T.871) from SOI to EOI, so FFmpeg's `mjpeg` demuxer reads the sequence, and
`split_mjpeg` gives the images back. It has no clock: the true times stand in `Media.times_s`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import PIL.Image

from curate.video.container import Frames8
from manifests.errors import RecordError

QUALITY = 95
SOI, EOI, SOS = 0xD8, 0xD9, 0xDA
ALONE = (0x01, *range(0xD0, 0xD8))  # TEM, RSTn: markers without a length


def join_mjpeg(frames: Frames8) -> bytes:
    """uint8 RGB (t, y, x, 3) as baseline JPEG images: quality 95, 4:4:4 (no chroma is thrown away), no metadata."""
    stored = io.BytesIO()
    for frame in frames:
        PIL.Image.fromarray(frame).save(stored, "JPEG", quality=QUALITY, subsampling=0, optimize=False)
    return stored.getvalue()


def split_mjpeg(data: bytes) -> list[bytes]:
    """The images of a sequence, in order, each a JPEG file. Raises RecordError `corrupt_video` for anything else."""
    return list(_images(data))


def _images(data: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(data):
        end = _end_of_image(data, position)
        yield data[position:end]
        position = end


def _end_of_image(data: bytes, start: int) -> int:
    """The position behind EOI: by the lengths of segments, and past SOS to the next marker that is not stuffing."""
    if data[start : start + 2] != bytes([0xFF, SOI]):
        raise _corrupt(start)
    position = start + 2
    while True:
        if position + 2 > len(data) or data[position] != 0xFF:
            raise _corrupt(position)
        marker = data[position + 1]
        position += 2
        if marker == EOI:
            return position
        if marker in ALONE:
            continue
        length = int.from_bytes(data[position : position + 2])
        if length < 2:
            raise _corrupt(position)
        position += length
        if marker == SOS:
            position = _behind_scan(data, position)


def _behind_scan(data: bytes, position: int) -> int:
    """The next marker behind entropy-coded data; 0xFF00 is a byte of them, and restarts belong to them."""
    while True:
        position = data.find(b"\xff", position)
        if position < 0 or position + 1 >= len(data):
            raise _corrupt(len(data))
        if data[position + 1] != 0 and data[position + 1] not in ALONE:
            return position
        position += 2


def _corrupt(position: int) -> RecordError:
    return RecordError("corrupt_video", f"no JPEG image at byte {position}", "make the sequence again")
