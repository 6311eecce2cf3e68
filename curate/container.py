"""What an encoded video file holds, found without trusting it: containers, streams, packets, orientation.

Formats are recognised by their first bytes, never by name, and given to FFmpeg by name, so that no playlist is followed
(CVE-2016-1897 and its kin); only the protocols `file` and `pipe` are open. Containers and codecs are allow-lists.
Pixels and frames are counted before the first frame is decoded.

Not covered: bit errors that the decoder conceals, and the end of an AVI, Matroska or MPEG file that was cut off between
two frames (an MP4 or MOV that was cut off is found).
"""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from curate.guard import check_file, typed
from manifests.errors import RecordError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

Frames8 = NDArray[np.uint8]
Orientation = tuple[int, int, int, int]

MAX_FILE_BYTES = 1 << 36
MAX_PIXELS = 1 << 26  # of one frame: 8192 x 8192
MAX_FRAMES = 500_000  # four and a half hours at 30 frames/s
UPRIGHT: Orientation = (1, 0, 0, 1)
READ_REMEDY = "check that the file plays from start to end, or convert it to MP4 (H.264)"
FORMAT_REMEDY = "give MP4, MOV, MKV, WebM, AVI, MPEG or GIF files"

_CODECS = (
    "av1 cinepak dvvideo ffv1 flv1 gif h263 h264 hevc huffyuv mjpeg mpeg1video mpeg2video mpeg4 msmpeg4v2 msmpeg4v3 "
    "png prores qtrle rawvideo svq3 theora utvideo vc1 vp8 vp9 wmv1 wmv2 wmv3"
)
CODECS = frozenset(_CODECS.split())
# What is copied into MP4, and the bitstream filter that takes user data out. MPEG-4 part 2 fits MP4 too, but no filter
# takes user data out of it, and its packed B-frames do not survive a copy: it is encoded.
COPY_FILTERS = {
    "h264": "filter_units=remove_types=6",
    "hevc": "filter_units=remove_types=39-40",
    "vp9": "null",
    "av1": "filter_units=remove_types=5|15",
}
COPY_CONTAINERS = frozenset({"mp4", "mov", "matroska", "webm"})  # these give every packet its presentation time


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video file holds. `width` and `height` are pixels as displayed, after the container's rotation.

    `fps` is the average rate in 1/s and `duration_s` includes the last frame's interval; `frame_count` was counted from
    the packets unless `frame_count_estimated`, where packets bear no times and fps and duration follow the header.
    `rotation_deg` is the counter-clockwise turn that display needs of the stored frame (a mirror image counts as none);
    `variable_rate` says that some interval differs from the median by more than 10 %; `pixel_aspect` is a pixel's width
    over its height.
    """

    width: int
    height: int
    fps: float
    duration_s: float
    frame_count: int
    frame_count_estimated: bool
    codec: str
    container: str
    rotation_deg: int
    has_audio: bool
    variable_rate: bool
    pixel_aspect: float = 1.0


@dataclass(frozen=True, slots=True)
class Source:
    """What a conversion needs beside the VideoInfo."""

    path: Path
    demuxer: str
    stream: int  # its index among all streams
    codec: str
    copyable: bool
    size: tuple[int, int]  # (width, height) as displayed


@dataclass(frozen=True, slots=True)
class Packets:
    """One pass over the packets: sorted presentation times, and (presentation, decoding) times of the keyframes."""

    count: int
    pts: tuple[int, ...]
    keys: tuple[tuple[int, int], ...]
    hidden: bool  # an edit list hides frames that are in the file


def missing(name: str) -> RecordError:
    return RecordError("video_support_missing", f"no {name}", "pip install 'medcurate[video]'")


def av_module() -> Any:
    try:
        import av
    except ImportError:
        raise missing("av") from None
    return av


def _sniff(path: Path) -> tuple[str, str]:
    """(FFmpeg demuxer, container name) by the first bytes. Raises RecordError `video_format` for all others."""
    check_file(path, MAX_FILE_BYTES)
    with typed("unreadable_file", "check the file's permissions and storage"), path.open("rb") as stream:
        head = stream.read(64)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):
        return "mov", "mp4" if head[4:8] == b"ftyp" and head[8:12] != b"qt  " else "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska", "webm" if b"webm" in head else "matroska"
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return "avi", "avi"
    if head.startswith((b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")):
        return "mpeg" if head[3] == 0xBA else "mpegvideo", "mpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):  # FFmpeg learns a GIF's size from decoding it
        _check_size(int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little"), 0)
        return "gif", "gif"
    found = "a playlist" if head.startswith((b"#EXTM3U", b"ffconcat")) else "an unknown signature"
    raise RecordError("video_format", found if head else "an empty file", FORMAT_REMEDY)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its first video stream (cover pictures are none), single-threaded, within the limits.

    What the block raises beside our own errors becomes `corrupt_video`.
    """
    av = av_module()
    demuxer, _ = _sniff(path)
    options = {
        "protocol_whitelist": "file,pipe",
        "max_pixels": str(MAX_PIXELS),
    }  # opening decodes a frame of some codecs
    with (
        typed("corrupt_video", READ_REMEDY),
        av.open(f"file:{path}", mode="r", format=demuxer, options=options, metadata_errors="replace") as container,
    ):
        pictures = av.stream.Disposition.attached_pic
        streams = [stream for stream in container.streams.video if not stream.disposition & pictures]
        if not streams:
            raise RecordError("no_video_stream", f"{len(container.streams)} other streams", "give a file with video")
        stream = streams[0]
        _check_limits(stream)
        stream.codec_context.thread_count = 1
        stream.codec_context.thread_type = "NONE"
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        yield container, stream


def _check_limits(stream: VideoStream) -> None:
    codec = stream.codec_context.name
    if codec not in CODECS:
        raise RecordError("video_codec", codec, "convert the clip to MP4 (H.264)")
    _check_size(stream.codec_context.width, stream.codec_context.height, stream.frames)


def _check_size(width: int, height: int, frames: int) -> None:
    if width * height > MAX_PIXELS or frames > MAX_FRAMES:
        found = f"{width} x {height} pixels, {frames or 'unknown'} frames"
        raise RecordError("too_large", found, f"at most {MAX_PIXELS} pixels and {MAX_FRAMES} frames are read")


def packets_of(container: InputContainer, stream: VideoStream) -> Packets:
    """Count and time the packets, decoding nothing. Raises RecordError `too_large`, `corrupt_video`."""
    count, hidden = 0, False
    pts: list[int] = []
    keys: list[tuple[int, int]] = []
    for packet in container.demux(stream):
        if not packet.size:  # the end's flush packet
            continue
        count += 1
        if count > MAX_FRAMES:
            raise RecordError("too_large", f"more than {MAX_FRAMES} frames", "cut the clip into shorter ones")
        if packet.is_corrupt:
            raise RecordError("corrupt_video", f"a broken packet after {count - 1} frames", READ_REMEDY)
        if packet.pts is not None:
            if packet.is_keyframe:
                keys.append((packet.pts, packet.pts if packet.dts is None else packet.dts))
            if not packet.is_discard:
                pts.append(packet.pts)
        hidden = hidden or packet.is_discard
    return Packets(count, tuple(sorted(pts)), tuple(sorted(keys)), hidden)


def _check_whole(path: Path, container: InputContainer, stream: VideoStream, packets: Packets) -> None:
    """An MP4's index says where every frame lies: beyond the file's end, the file was cut off."""
    if packets.count == 0:
        raise RecordError("corrupt_video", "a video stream without frames", READ_REMEDY)
    size = path.stat().st_size
    if container.format.name == "mov" and any(entry.pos + entry.size > size for entry in stream.index_entries):
        found = f"{packets.count} of {len(stream.index_entries)} frames: the file is cut off"
        raise RecordError("corrupt_video", found, READ_REMEDY)


def orientation_of(frame: VideoFrame) -> Orientation:
    """The display matrix (ISO/IEC 14496-12, tkhd) as (a, b, c, d): pixel (x, y) is shown at (ax + cy, bx + dy).

    Raises RecordError `video_rotation` for turns that are no multiple of 90 degrees.
    """
    side_data: Any = frame.side_data
    for data in side_data:
        if data.type.name != "DISPLAYMATRIX":
            continue
        row = struct.unpack("=9i", bytes(data))
        a, b, c, d = (value / 65536 for value in (row[0], row[1], row[3], row[4]))
        whole = (round(a), round(b), round(c), round(d))
        exact = all(abs(value - near) < 0.01 for value, near in zip((a, b, c, d), whole, strict=True))
        if not exact or sorted(map(abs, whole)) != [0, 0, 1, 1] or abs(whole[0]) != abs(whole[3]):
            raise RecordError("video_rotation", "a turn that is no multiple of 90 degrees", "encode the clip upright")
        return whole
    return UPRIGHT


def upright(pixels: Frames8, orientation: Orientation) -> Frames8:
    """A stored (y, x, c) frame as it is displayed."""
    a, b, c, d = orientation
    return pixels.swapaxes(0, 1)[::b, ::c] if b else pixels[::d, ::a]


def _hvcc_is_plain(extradata: bytes) -> bool:
    """Whether HEVC parameter sets (hvcC, ISO/IEC 14496-15) hold no SEI: FFmpeg's filter does not reach those."""
    position = 23
    for _ in range(extradata[22] if len(extradata) > 22 else 0):
        if position + 3 > len(extradata) or extradata[position] & 63 in (39, 40):
            return False
        units = int.from_bytes(extradata[position + 1 : position + 3])
        position += 3
        for _ in range(units):
            position += 2 + int.from_bytes(extradata[position : position + 2])
    return position <= len(extradata)


def _is_copyable(stream: VideoStream, container: str, hidden: bool) -> bool:
    """Whether the stream goes into MP4 as it is, with nothing left in it that is not shown.

    Frames that an edit list hides would be left in, and 4:4:4 H.264 of old x264 builds needs its SEI to be decoded.
    """
    codec = stream.codec_context
    if container not in COPY_CONTAINERS or codec.name not in COPY_FILTERS or hidden:
        return False
    extradata = bytes(codec.extradata or b"")
    if codec.name == "h264":
        return extradata[:1] == b"\x01" and "444" not in str(codec.pix_fmt)
    return codec.name != "hevc" or (extradata[:1] == b"\x01" and _hvcc_is_plain(extradata))


def median_interval(times: Sequence[float]) -> float:
    """The median interval in seconds; 0 for a single frame."""
    return float(np.median(np.diff(np.asarray(times, np.float64)))) if len(times) > 1 else 0.0


def variable_rate(times: Sequence[float], tick: float) -> bool:
    interval = median_interval(times)
    return len(times) > 2 and bool(np.abs(np.diff(np.asarray(times)) - interval).max() > 0.1 * interval + tick)


def examine(path: Path) -> tuple[VideoInfo, Source]:
    """One pass over the packets, then one over the first frame."""
    demuxer, name = _sniff(path)
    with opened(path) as (container, stream):
        packets = packets_of(container, stream)
        _check_whole(path, container, stream, packets)
        tick = float(stream.time_base or 0)
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        copyable = _is_copyable(stream, name, packets.hidden)
        index, codec, has_audio = stream.index, stream.codec_context.name, bool(container.streams.audio)
        aspect = float(stream.codec_context.sample_aspect_ratio or 1)
    times = [(pts - packets.pts[0]) * tick for pts in packets.pts]
    timed = packets.hidden or len(times) == packets.count
    if timed and len(times) > 1 and times[-1] > 0:
        rate = (len(times) - 1) / times[-1]
    count = len(times) if timed else packets.count
    duration = times[-1] + median_interval(times) if timed and count > 1 else count / rate if rate else 0.0
    width, height, orientation = _first_frame(path)
    a, b, c, d = orientation
    info = VideoInfo(
        width=width,
        height=height,
        fps=round(rate, 6),
        duration_s=round(duration, 6),
        frame_count=count,
        frame_count_estimated=not timed,
        codec=codec,
        container=name,
        rotation_deg=round(math.degrees(math.atan2(-b, a))) % 360 if a * d - b * c > 0 else 0,
        has_audio=has_audio,
        variable_rate=timed and variable_rate(times, tick),
        pixel_aspect=aspect if aspect > 0 else 1.0,
    )
    return info, Source(path, demuxer, index, codec, copyable, (width, height))


def _first_frame(path: Path) -> tuple[int, int, Orientation]:
    """(width, height) as displayed, and the orientation, of the first frame that decodes."""
    with opened(path) as (container, stream):
        for frame in container.decode(stream):
            orientation = orientation_of(frame)
            size = (frame.height, frame.width) if orientation[1] else (frame.width, frame.height)
            return *size, orientation
    raise RecordError("corrupt_video", "no frame that decodes", READ_REMEDY)


def probe(path: Path) -> VideoInfo:
    """What a video file holds, from its packets and its first frame.

    Raises RecordError: `video_format` (not MP4, MOV, MKV, WebM, AVI, MPEG or GIF by its first bytes), `video_codec`,
    `too_large`, `no_video_stream`, `corrupt_video`, `video_rotation`, `unreadable_file`, `video_support_missing`.
    """
    return examine(path)[0]
