"""Encoded video: the canonical clip that is stored of a file, which frames are kept of it, exact frames, and encoding.

    probe            VideoInfo of a file (curate.container), or a RecordError
    canonical_clip   MP4 with the one video stream and nothing else; H.264, HEVC, VP9 and AV1 are copied, not encoded
    sample_times     which frames a render target keeps; read_frames decodes exactly those; encode_frames writes them

FFmpeg commands are built by ffmpeg-python and run without a shell, with one thread and bitexact flags: one FFmpeg build
gives the same bytes again. Another build may give others; no promise is made across builds.

Covered: sound, subtitles, data, attachments, chapters, container metadata, and user data inside H.264, HEVC and AV1
(SEI and metadata units: encoder settings, captions, anything a device wrote there). Not covered: text and faces in the
pixels; pixels beyond the stream's cropping rectangle (they stay in a copied clip, never in a rendered one); pixel
aspect ratios (`pixel_aspect` tells; frames are not resampled); interlacing. What else MP4 says of itself is the same in
every clip: the brand `isom` and the handler name `VideoHandler`.
"""

from __future__ import annotations

import bisect
import dataclasses
import errno
import os
import subprocess
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.container import (
    COPY_FILTERS,
    MAX_PIXELS,
    READ_REMEDY,
    Frames8,
    Packets,
    Source,
    av_module,
    examine,
    median_interval,
    missing,
    opened,
    orientation_of,
    packets_of,
    upright,
    variable_rate,
)
from curate.container import VideoInfo as VideoInfo
from curate.container import probe as probe
from manifests.errors import RecordError, Reject

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

MAX_READ_BYTES = 1 << 32  # of the frames that one call takes or gives
TIMEOUT_S = 3600.0
CANONICAL_CRF = 12  # H.264 quality of what will be encoded once more: finer than eyes see
RENDER_CRF = 18
BLANK_RANGE = 2  # grey levels by which coding alone may spread a flat frame

# swscale without these flags rounds by CPU type. BT.601 is what readers assume of untagged video, so all of them agree.
SCALE = "scale=flags=bicubic+accurate_rnd+full_chroma_int+bitexact:out_color_matrix=bt601:out_range=tv,format=yuv420p"
EVEN = "pad=ceil(iw/2)*2:ceil(ih/2)*2,fillborders=right={right}:bottom={bottom}:mode=smear,"

# Running ffmpeg


def ffmpeg_binary() -> str:
    """The ffmpeg that conversions run: IMAGEIO_FFMPEG_EXE, else the one in imageio-ffmpeg, else the system's.

    Raises RecordError `video_support_missing`.
    """
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        raise missing("imageio-ffmpeg") from None


def encoders_ok() -> dict[str, str | bool]:
    """For `curate doctor`: `ok`, and `ffmpeg` (the binary), `version`, `libx264`, `pyav` as found; never raises."""
    found: dict[str, str | bool] = {"ok": False, "ffmpeg": "", "version": "", "libx264": False, "pyav": ""}
    try:
        found["pyav"] = str(av_module().__version__)
        found["ffmpeg"] = binary = ffmpeg_binary()
        version = subprocess.run([binary, "-nostdin", "-version"], capture_output=True, check=False, timeout=60)
        encoders = subprocess.run([binary, "-nostdin", "-encoders"], capture_output=True, check=False, timeout=60)
    except (RecordError, OSError, subprocess.TimeoutExpired):
        return found
    words = version.stdout.decode("ascii", "replace").split()
    found["version"] = words[2] if len(words) > 2 else ""
    found["libx264"] = b" libx264 " in encoders.stdout
    found["ok"] = bool(found["libx264"])
    return found


def _run(command: Any, out_path: Path, reason: str, stdin: bytes | None = None) -> None:
    """Run an ffmpeg-python graph; a failure leaves no output and names no path, because it goes to the ledger."""
    argv = command.global_args("-hide_banner", "-loglevel", "error", "-nostdin", "-xerror", "-filter_threads", "1")
    argv = argv.compile(cmd=ffmpeg_binary(), overwrite_output=True)
    environment = {name: value for name, value in os.environ.items() if name != "FFREPORT"}  # it would write a log
    try:
        done = subprocess.run(
            argv, input=stdin or b"", capture_output=True, check=False, timeout=TIMEOUT_S, env=environment
        )
    except subprocess.TimeoutExpired:
        out_path.unlink(missing_ok=True)
        raise RecordError(
            "video_timeout", f"no end after {TIMEOUT_S:.0f} s", "cut the clip into shorter ones"
        ) from None
    if done.returncode != 0:
        out_path.unlink(missing_ok=True)
        if b"No space left" in done.stderr:  # not the record's fault
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise RecordError(reason, f"ffmpeg status {done.returncode}", READ_REMEDY)


# The canonical clip


def _frame_times(path: Path) -> tuple[float, ...]:
    """The presentation time in seconds of every frame, the first at 0, by decoding them all: a frame that is listed is
    one that can be read. Raises RecordError `corrupt_video`, `resolution_change`."""
    with opened(path) as (container, stream):
        pts: list[int] = []
        sizes: set[tuple[int, int]] = set()
        for frame in container.decode(stream):
            sizes.add((frame.width, frame.height))
            if frame.pts is None or (pts and frame.pts <= pts[-1]):
                raise RecordError("corrupt_video", f"no rising time at frame {len(pts)}", READ_REMEDY)
            pts.append(frame.pts)
        if len(sizes) > 1:
            raise RecordError("resolution_change", f"{len(sizes)} frame sizes", "split the clip where its size changes")
        tick = stream.time_base or Fraction(0)
    return tuple(float((value - pts[0]) * tick) for value in pts)


def _output(stream: Any, out_path: Path, options: dict[str, Any]) -> Any:
    """MP4 with this one stream, without metadata and without the names of programs."""
    bare: dict[str, Any] = {
        "an": None,
        "sn": None,
        "dn": None,
        "map_metadata": -1,
        "map_chapters": -1,
        "metadata:s:v:0": "encoder=",
        "fflags": "+bitexact",
        "flags:v": "+bitexact",
        "movflags": "+faststart",
        "threads": 1,
        "format": "mp4",
    }
    return stream.output(f"file:{out_path}", **bare, **options)


def _h264(crf: int, pad: str) -> dict[str, Any]:
    """libx264 options for output; the filter takes out the SEI that holds x264's version and settings."""
    return {
        "c:v": "libx264",
        "preset": "medium",
        "crf": crf,
        "g": 48,  # a reader decodes at most 47 frames to reach any one
        "vf": pad + SCALE,
        "pix_fmt": "yuv420p",
        "colorspace": "smpte170m",
        "color_range": "tv",
        "bsf:v": COPY_FILTERS["h264"],
    }


def _canonical_command(source: Source, out_path: Path) -> Any:
    """The ffmpeg-python graph that copies the stream where it can, else encodes it."""
    import ffmpeg

    options: dict[str, Any] = {"protocol_whitelist": "file,pipe", "format": source.demuxer, "threads": 1}
    if source.copyable:
        written = {"c:v": "copy", "bsf:v": COPY_FILTERS[source.codec]}
        if source.codec == "hevc":
            written["tag:v"] = "hvc1"  # the parameter sets stand in the header alone, as players want it
    else:
        # MPEG-1, 2 and 4 leave the rounding of the inverse DCT open: the plain C one is the same on every CPU.
        options |= {"flags:v": "+bitexact", "idct": "simple", "max_pixels": MAX_PIXELS}
        width, height = source.size
        pad = EVEN.format(right=width % 2, bottom=height % 2) if width % 2 or height % 2 else ""
        written = _h264(CANONICAL_CRF, pad) | {"fps_mode": "passthrough", "enc_time_base:v": "demux"}
    stream = ffmpeg.input(f"file:{source.path}", **options)[str(source.stream)]
    return _output(stream, out_path, written)


def canonical_clip(path: Path, out_path: Path) -> tuple[VideoInfo, tuple[float, ...]]:
    """Write the MP4 that is kept of a video file: its one video stream, without sound, subtitles, data, attachments,
    chapters and metadata; gives the clip's own VideoInfo and the presentation time in seconds of every frame.

    H.264, HEVC, VP9 and AV1 in MP4, MOV, MKV and WebM are copied: same frames, same times, same rotation. All else is
    encoded upright as H.264 (libx264, crf 12, yuv420p, BT.601; an odd width or height is padded by repeating the edge),
    as are HEVC with SEI beside its parameter sets and clips whose edit list hides frames. Times start at 0 and are the
    decoder's. The clip is decoded once from end to end, so a clip that comes back can be read. Repeats byte for byte.

    Raises RecordError as `probe` does, and `resolution_change`, `video_timeout`.
    """
    _, source = examine(path)
    _run(_canonical_command(source, out_path), out_path, "corrupt_video")
    try:
        info = probe(out_path)
        times = _frame_times(out_path)
    except RecordError:
        out_path.unlink(missing_ok=True)
        raise
    several = len(times) > 1
    info = dataclasses.replace(
        info,
        fps=round((len(times) - 1) / times[-1], 6) if several else info.fps,
        duration_s=round(times[-1] + median_interval(times), 6) if several else info.duration_s,
        frame_count=len(times),
        frame_count_estimated=False,
        variable_rate=variable_rate(times, tick=0.001),
    )
    return info, times


def encode_frames(frames: Frames8, times_s: Sequence[float], out_path: Path, crf: int = RENDER_CRF) -> None:
    """Write uint8 frames, (t, y, x) grey or (t, y, x, 3) RGB, as MP4: H.264, yuv420p, BT.601 limited range, lossy.

    An odd height or width is padded by repeating the last row or column. MP4 is given a constant nominal rate, one over
    the median interval of `times_s`; the true times are the caller's to keep. No program names itself in the bytes, and
    they repeat. Raises RecordError `bad_frames`, `too_large`, `video_encode`, `video_timeout`, `video_support_missing`.
    """
    import ffmpeg

    shaped = frames.ndim == 3 or (frames.ndim == 4 and frames.shape[3] == 3)
    if frames.dtype != np.uint8 or not shaped or 0 in frames.shape or len(times_s) != len(frames):
        found = f"{frames.dtype} {frames.shape} with {len(times_s)} times"
        raise RecordError("bad_frames", found, "give uint8 (t, y, x) or (t, y, x, 3) and one time for each frame")
    _check_bytes(len(frames), frames.shape[1], frames.shape[2])
    rgb = frames if frames.ndim == 4 else np.repeat(frames[..., None], 3, axis=3)
    odd = (rgb.shape[1] % 2, rgb.shape[2] % 2)
    if any(odd):
        rgb = np.pad(rgb, ((0, 0), (0, odd[0]), (0, odd[1]), (0, 0)), mode="edge")
    rate = _nominal_rate(times_s)
    stream = ffmpeg.input(
        "pipe:0",
        format="rawvideo",
        pix_fmt="rgb24",
        video_size=(rgb.shape[2], rgb.shape[1]),
        framerate=f"{rate.numerator}/{rate.denominator}",
        protocol_whitelist="file,pipe",
    )
    _run(_output(stream, out_path, _h264(crf, "")), out_path, "video_encode", rgb.tobytes())


def _nominal_rate(times_s: Sequence[float]) -> Fraction:
    """Frames per second from the median interval, between 1/1000 and 1000; 1 where there is no interval."""
    interval = median_interval(times_s)
    if interval <= 0:
        return Fraction(1)
    return Fraction(min(max(1 / interval, 0.001), 1000.0)).limit_denominator(1001)


def _check_bytes(count: int, height: int, width: int) -> None:
    if count * height * width * 3 > MAX_READ_BYTES:
        found = f"{count} frames of {width} x {height} pixels"
        raise RecordError("too_large", found, f"at most {MAX_READ_BYTES} bytes are held: keep fewer frames")


# Frames


def frame_times_of_rate(count: int, fps: float) -> tuple[float, ...]:
    """The presentation times in seconds of `count` frames at a constant rate, the first at 0."""
    return tuple(index / fps for index in range(count))


def sample_times(times_s: Sequence[float], fps: float | None, max_frames: int | None) -> list[int]:
    """Indices of the frames to keep, strictly increasing, never empty; pure.

    The clip lasts D = last - first time + median interval. At `fps`, D is cut into K = floor(D * fps) segments of
    1/fps (what is left over at the end stands for no segment), and of each segment the frame nearest to its middle,
    (k + 0.5) / fps, is kept; of two equally near ones the earlier. A clip shorter than one segment gives the frame
    nearest to D / 2. `fps` None keeps every frame. Where that is more than `max_frames`, the clip is cut into
    `max_frames` equal segments instead, by the same rule. A frame that is nearest to several middles is kept once, so a
    gap in the clip gives fewer frames. Times must rise. Raises RecordError `no_frames`.
    """
    if not times_s:
        raise RecordError("no_frames", "a clip without frames", READ_REMEDY)
    times = np.asarray(times_s, np.float64) - times_s[0]
    duration = float(times[-1]) + median_interval(times_s)
    chosen = list(range(len(times)))
    if fps is not None:
        segments = np.floor(duration * fps + 1e-6)
        chosen = _middles(times, 1 / fps, segments) if segments >= 1 else _middles(times, duration, 1)
    if max_frames is not None and len(chosen) > max_frames:
        chosen = _middles(times, duration / max_frames, max_frames)
    return chosen


def _middles(times: np.ndarray[Any, np.dtype[np.float64]], segment: float, count: float) -> list[int]:
    """The frames that are nearest to (k + 0.5) * segment for some k in 0 ... count - 1.

    Asked of each frame rather than of each k, so that a broken clock (a year between two frames) costs nothing.
    """
    if len(times) == 1:
        return [0]
    borders = (times[1:] + times[:-1]) / 2  # a middle on a border goes to the frame before it
    below = np.floor(borders / segment - 0.5)  # the last k whose middle is not after the border
    last = np.minimum(np.append(below, count - 1), count - 1)
    first = np.append(0.0, np.maximum(below + 1, 0))
    return [int(index) for index in np.flatnonzero(first <= last)]


def clip_quality(frames: Frames8) -> None:
    """Raise Reject `blank` for a clip, uint8 (t, y, x[, c]), in which every frame is flat.

    Flat: no channel of the frame spreads over more than 2 grey levels, which lossy coding may add to one value. A clip
    that fades between flat frames is blank, a still one is not.
    """
    axes = (1, 2)
    spread = int((frames.max(axis=axes).astype(np.int16) - frames.min(axis=axes)).max()) if frames.size else 0
    if spread <= BLANK_RANGE:
        raise Reject("blank", f"{len(frames)} frames that spread over {spread} grey levels")


def _pixels(frame: VideoFrame) -> Frames8:
    """A decoded frame as RGB (y, x, 3), upright; rounding is the same on every CPU."""
    way = av_module().video.reformatter.Interpolation
    flags = int(way.BICUBIC | way.ACCURATE_RND | way.FULL_CHR_H_INT | way.BITEXACT)
    pixels = frame.to_ndarray(format="rgb24", interpolation=flags, threads=1)
    return upright(pixels.astype(np.uint8, copy=False), orientation_of(frame))


def _first_pts(path: Path) -> int:
    with opened(path) as (container, stream):
        for frame in container.decode(stream):
            return int(frame.pts or 0)
    raise RecordError("corrupt_video", "no frame that decodes", READ_REMEDY)


def _groups(packets: Packets, wanted: Sequence[int]) -> list[tuple[tuple[int, int], list[int]]]:
    """The wanted presentation times under the keyframe that each can be decoded from: the last one not after it.

    By presentation time: frames that are shown before their keyframe (an open GOP's) need the keyframe before.
    """
    starts = [pts for pts, _ in packets.keys]
    groups: dict[tuple[int, int], list[int]] = {}
    for pts in wanted:
        key = packets.keys[max(bisect.bisect_right(starts, pts) - 1, 0)]
        groups.setdefault(key, []).append(pts)
    return list(groups.items())


def read_frames(path: Path, indices: Sequence[int], times_s: Sequence[float]) -> Frames8:
    """The frames of a canonical clip shown at `times_s[i]` for i in `indices`, in that order: uint8 RGB (n, y, x, 3),
    upright.

    `times_s` are the presentation times of all the clip's frames. Where the clip has as many frames as there are times,
    the i-th frame shown is meant, so a cine that `encode_frames` wrote may keep its own clock; else the frame at just
    that time. Decoding starts at the keyframe before each frame, so only the groups of pictures that hold a wanted
    frame are decoded; the packets are read once to find them. Equal to a full decode where the container's keyframe
    marks are true.

    Raises RecordError `corrupt_video` (also for a time that no frame has), `resolution_change`, `too_large`.
    """
    found: dict[int, Frames8] = {}
    with opened(path) as (container, stream):
        packets = packets_of(container, stream)
        if len(packets.pts) == len(times_s):
            order = [packets.pts[index] for index in indices]
        else:
            origin, tick = _first_pts(path), float(stream.time_base or 1)
            order = [origin + round(times_s[index] / tick) for index in indices]
        _check_bytes(len(order), stream.codec_context.height, stream.codec_context.width)
        for start, group in _groups(packets, sorted(set(order))):
            container.seek(start[1], stream=stream)
            found.update(_shown_at(container.decode(stream), group, start[0]))
        left = sorted(set(order) - set(found))
        if left:  # a seek that landed too late: from the first keyframe on
            container.seek(packets.keys[0][1], stream=stream)
            found.update(_shown_at(container.decode(stream), left, packets.keys[0][0]))
    for index, pts in zip(indices, order, strict=True):
        if pts not in found:
            raise RecordError("corrupt_video", f"no frame at {times_s[index]:.3f} s", READ_REMEDY)
    shapes = {pixels.shape for pixels in found.values()}
    if len(shapes) != 1:
        raise RecordError("resolution_change", f"{len(shapes)} frame sizes", "split the clip where its size changes")
    return np.stack([found[pts] for pts in order])


def _shown_at(frames: Iterator[VideoFrame], group: list[int], start: int) -> Iterator[tuple[int, Frames8]]:
    """Of decoded frames those at the times of `group` (sorted), not before `start`, the keyframe's own time."""
    for frame in frames:
        if frame.pts is None:
            continue
        if frame.pts >= start and frame.pts in group:
            yield frame.pts, _pixels(frame)
        if frame.pts >= group[-1]:
            return
