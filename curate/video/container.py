"""What an encoded video file holds, found without trusting it: containers, streams, packets, orientation.

Formats are recognised by their first bytes, never by name, and given to FFmpeg by name, so that no playlist is followed
(CVE-2016-1897 and its kin); only the protocols `file` and `pipe` are open. Containers and codecs are allow-lists.
Pixels and frames are counted before the first frame is decoded.

Keyframe marks are checked against the coded pictures (`curate.video.bitstream`): a mark that is none is not used.

Not covered: bit errors that the decoder conceals without saying so, and the end of an AVI, Matroska or MPEG file that
was cut off between two frames (an MP4 or MOV that was cut off is found).
"""

from __future__ import annotations

import bisect
import contextlib
import dataclasses
import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from curate.guard import check_file, typed
from curate.video.bitstream import hvcc_is_plain, starts_anew
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
MOST_SWOLLEN, MAX_SWELLING = 1 << 32, 50_000  # pixels of all frames; beyond so many, for each byte of the file
UPRIGHT: Orientation = (1, 0, 0, 1)
READ_REMEDY = "check that the file plays from start to end, or convert it to MP4 (H.264)"
FORMAT_REMEDY = "give MP4, MOV, MKV, WebM, AVI, MPEG, MPEG-TS or GIF files"
STAYS = 0.9  # of the frames, at least: less than that is a broken file, not a broken tail

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
TS_PACKET, TS_SYNC = 188, 0x47
START_CODE = b"\x00\x00\x00\x01"
BARE_H264 = (6, 7, 9)  # what an Annex B stream starts with: SEI, parameters, delimiter
COPY_CONTAINERS = frozenset({"mp4", "mov", "matroska", "webm"})  # these give every packet its presentation time


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video file holds. `width` and `height` are pixels as displayed, after the container's rotation.

    `fps` is the average rate in 1/s and `duration_s` includes the last frame's interval; `frame_count` was counted from
    the packets unless `frame_count_estimated`, where packets bear no times and fps and duration follow the header.
    `rotation_deg` is the counter-clockwise turn that display needs of the stored frame (a mirror image counts as none);
    `variable_rate` says that some interval differs from the median by more than 10 %; `pixel_aspect` is a pixel's width
    over its height. `lost_frames` is how many frames of a broken tail are not counted above. `range_s` of a clip that
    was cut out of a longer one: from its first frame to the end of its last, on the longer one's clock.
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
    lost_frames: int = 0
    range_s: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Packets:
    """One pass over the packets: sorted presentation times, and (presentation, decoding) times of the keyframes.

    `order` has every packet's (presentation, decoding) time as they lie in the file, in ticks; None where there is
    none. `lost` packets follow them, or should: they are broken or beyond the file's end.
    """

    count: int
    pts: tuple[int, ...]
    keys: tuple[tuple[int, int], ...]
    hidden: bool  # an edit list hides frames that are in the file
    order: tuple[tuple[int | None, int | None], ...] = ()
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """What a conversion needs beside the VideoInfo."""

    path: Path
    demuxer: str
    stream: int  # its index among all streams
    codec: str
    copyable: bool
    size: tuple[int, int]  # (width, height) as displayed
    packets: Packets
    tick: float  # seconds
    start: float  # seconds: what the container's clock says at its first packet
    first: int  # presentation time of the first frame that decodes, in ticks
    timed: bool  # packets have their true presentation times, and a keyframe can be sought


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
    if len(head) == 64 and head[0] == TS_SYNC and _is_transport(path):
        return "mpegts", "mpegts"
    if head.startswith(START_CODE) and head[len(START_CODE)] & 0x9F in BARE_H264:
        return "h264", "h264"
    if head.startswith((b"GIF87a", b"GIF89a")):  # FFmpeg learns a GIF's size from decoding it
        _check_size(int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little"), 0)
        return "gif", "gif"
    found = "a playlist" if head.startswith((b"#EXTM3U", b"ffconcat")) else "an unknown signature"
    raise RecordError("video_format", found if head else "an empty file", FORMAT_REMEDY)


def _is_transport(path: Path) -> bool:
    """MPEG-2 transport packets are 188 bytes long and start with 0x47 (ISO/IEC 13818-1, 2.4.3.2)."""
    with typed("unreadable_file", "check the file's permissions and storage"), path.open("rb") as stream:
        return stream.read(4 * TS_PACKET)[::TS_PACKET] == bytes([TS_SYNC] * 4)


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
        typed("corrupt_video", READ_REMEDY, "a file on which FFmpeg stopped"),
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
    context: Any = stream.codec_context  # None where FFmpeg knows no decoder
    codec = codec_of(stream) if context is not None else "one that has no decoder"
    if codec not in CODECS:
        raise RecordError("video_codec", codec, "convert the clip to MP4 (H.264)")
    _check_size(stream.codec_context.width, stream.codec_context.height, stream.frames)


def codec_of(stream: VideoStream) -> str:
    """FFmpeg's name of the codec, whatever its decoder is called (`av1`, not `libdav1d`)."""
    return str(stream.codec_context.codec.canonical_name)


def _check_size(width: int, height: int, frames: int) -> None:
    if width * height > MAX_PIXELS or frames > MAX_FRAMES:
        found = f"{width} x {height} pixels, {frames or 'unknown'} frames"
        raise RecordError("too_large", found, f"at most {MAX_PIXELS} pixels and {MAX_FRAMES} frames are read")


def packets_of(container: InputContainer, stream: VideoStream) -> Packets:
    """Count and time the packets, decoding nothing. Raises RecordError `too_large`."""
    order: list[tuple[int | None, int | None]] = []
    pts: list[int] = []
    keys: list[tuple[int, int]] = []
    hidden, lost = False, 0
    codec, extradata = codec_of(stream), bytes(stream.codec_context.extradata or b"")
    for packet in container.demux(stream):
        if not packet.size:  # the end's flush packet
            continue
        if len(order) + lost >= MAX_FRAMES:
            raise RecordError("too_large", f"more than {MAX_FRAMES} frames", "cut the clip into shorter ones")
        if packet.is_corrupt or lost:
            lost += 1
            continue
        if packet.pts is not None:
            if packet.is_keyframe and starts_anew(codec, extradata, bytes(packet)):
                keys.append((packet.pts, packet.pts if packet.dts is None else packet.dts))
            if not packet.is_discard:
                pts.append(packet.pts)
        order.append((packet.pts, packet.dts))
        hidden = hidden or packet.is_discard
    if not keys and order and order[0][0] is not None:  # no mark is true: from the first frame on
        keys = [(order[0][0], order[0][0] if order[0][1] is None else order[0][1])]
    return Packets(len(order), tuple(sorted(pts)), tuple(sorted(keys)), hidden, tuple(order), lost)


def _whole(path: Path, container: InputContainer, stream: VideoStream, packets: Packets) -> Packets:
    """The packets, with those counted as lost that an MP4's index places beyond the file's end: it was cut off.

    Raises RecordError `corrupt_video` where nothing, or less than 90 % of the frames, stays; `too_large` where decoding
    would take far more than the file is worth.
    """
    if packets.count + packets.lost == 0:
        raise RecordError("corrupt_video", "a video stream without frames", READ_REMEDY)
    if packets.lost:  # then what the header says of the number of frames is believed
        packets = dataclasses.replace(packets, lost=max(packets.lost, stream.frames - packets.count))
    size = path.stat().st_size
    if container.format.name == "mov" and any(entry.pos + entry.size > size for entry in stream.index_entries):
        lost = max(packets.lost, len(stream.index_entries) - packets.count)
        packets = dataclasses.replace(packets, lost=lost)
    check_tail(packets.count, packets.lost)
    context: Any = stream.codec_context
    pixels = context.width * context.height * packets.count
    if pixels > max(MOST_SWOLLEN, MAX_SWELLING * size):
        found = f"{packets.count} frames of {context.width} x {context.height} pixels in {size} bytes"
        raise RecordError("too_large", found, "shrink the clip: there is next to nothing in so many pixels")
    return packets


def check_tail(kept: int, lost: int) -> None:
    """Raise RecordError `corrupt_video` where less than 90 % of the frames stays."""
    if kept < STAYS * (kept + lost):
        raise RecordError(
            "corrupt_video", f"{kept} of {kept + lost} frames: the rest is cut off or broken", READ_REMEDY
        )


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


def _is_copyable(stream: VideoStream, container: str, hidden: bool) -> bool:
    """Whether the stream goes into MP4 as it is, with nothing left in it that is not shown.

    Frames that an edit list hides would be left in, and 4:4:4 H.264 of old x264 builds needs its SEI to be decoded.
    """
    codec = codec_of(stream)
    if container not in COPY_CONTAINERS or codec not in COPY_FILTERS or hidden:
        return False
    extradata = bytes(stream.codec_context.extradata or b"")
    if codec == "h264":
        return extradata[:1] == b"\x01" and "444" not in str(stream.codec_context.pix_fmt)
    return codec != "hevc" or (extradata[:1] == b"\x01" and hvcc_is_plain(extradata))


def median_interval(times: Sequence[float]) -> float:
    """The median interval in seconds; 0 for a single frame."""
    return float(np.median(np.diff(np.asarray(times, np.float64)))) if len(times) > 1 else 0.0


def variable_rate(times: Sequence[float], tick: float) -> bool:
    interval = median_interval(times)
    return len(times) > 2 and bool(np.abs(np.diff(np.asarray(times)) - interval).max() > 0.1 * interval + tick)


def examine(path: Path, raw: bool = False) -> tuple[VideoInfo, Source]:
    """One pass over the packets, then one over the first frame. `raw` lets bare H.264 in, which has no clock."""
    demuxer, name = _sniff(path)
    if name == "h264" and not raw:
        raise RecordError("video_format", "a bare H.264 stream, which has no frame times", FORMAT_REMEDY)
    with opened(path) as (container, stream):
        packets = _whole(path, container, stream, packets_of(container, stream))
        tick = float(stream.time_base or 0)
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        copyable = _is_copyable(stream, name, packets.hidden)
        index, codec, has_audio = stream.index, codec_of(stream), bool(container.streams.audio)
        aspect = float(stream.codec_context.sample_aspect_ratio or 1)
        start = (container.start_time or 0) / 1e6
    width, height, orientation, first = _first_frame(path)
    timed = packets.hidden or len(packets.pts) == packets.count
    shown = packets.pts if first is None else packets.pts[bisect.bisect_left(packets.pts, first) :]
    times = [(pts - shown[0]) * tick for pts in shown] if timed else []
    if len(times) > 1 and times[-1] > 0:
        rate = (len(times) - 1) / times[-1]
    count = len(times) or packets.count
    duration = times[-1] + median_interval(times) if len(times) > 1 else count / rate if rate else 0.0
    a, b, c, d = orientation
    info = VideoInfo(
        width=width,
        height=height,
        fps=round(rate, 6),
        duration_s=round(duration, 6),
        frame_count=count,
        frame_count_estimated=not times,
        codec=codec,
        container=name,
        rotation_deg=round(math.degrees(math.atan2(-b, a))) % 360 if a * d - b * c > 0 else 0,
        has_audio=has_audio,
        variable_rate=variable_rate(times, tick),
        pixel_aspect=aspect if aspect > 0 else 1.0,
        lost_frames=packets.lost,
    )
    exact = bool(times) and name in COPY_CONTAINERS and first is not None
    size = (width, height)
    return info, Source(path, demuxer, index, codec, copyable, size, packets, tick, start, first or 0, exact)


def _first_frame(path: Path) -> tuple[int, int, Orientation, int | None]:
    """(width, height) as displayed, the orientation, and the time in ticks, of the first frame that decodes."""
    with opened(path) as (container, stream):
        for frame in container.decode(stream):
            orientation = orientation_of(frame)
            size = (frame.height, frame.width) if orientation[1] else (frame.width, frame.height)
            return *size, orientation, frame.pts
    raise RecordError("corrupt_video", "no frame that decodes", READ_REMEDY)


def probe(path: Path) -> VideoInfo:
    """What a video file holds, from its packets and its first frame.

    Raises RecordError: `video_format` (not MP4, MOV, MKV, WebM, AVI, MPEG, MPEG-TS or GIF by its first bytes),
    `video_codec`, `too_large`, `no_video_stream`, `corrupt_video`, `video_rotation`, `unreadable_file`,
    `video_support_missing`. A tail of at most 10 % that is cut off or broken is told in `lost_frames`.
    """
    return examine(path)[0]
