"""Running ffmpeg: how every MP4 of this package is made.

Commands are built by ffmpeg-python and run without a shell, with one thread and bitexact flags: one FFmpeg build gives
the same bytes again. Another build may give others; no promise is made across builds.
"""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from curate.video.container import (
    COPY_FILTERS,
    MAX_PIXELS,
    READ_REMEDY,
    Frames8,
    Source,
    av_module,
    median_interval,
    missing,
)
from curate.video.frames import check_bytes
from manifests.errors import RecordError

TIMEOUT_S = 3600.0
CANONICAL_CRF = 12  # H.264 quality of what will be encoded once more: finer than eyes see
RENDER_CRF = 18

# swscale without these flags rounds by CPU type. BT.601 is what readers assume of untagged video, so all of them agree.
SCALE = "scale=flags=bicubic+accurate_rnd+full_chroma_int+bitexact:out_color_matrix=bt601:out_range=tv,format=yuv420p"
EVEN = "pad=ceil(iw/2)*2:ceil(ih/2)*2,fillborders=right={right}:bottom={bottom}:mode=smear,"


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


def run(command: Any, out_path: Path | None, reason: str, stdin: bytes | None = None, strict: bool = True) -> bytes:
    """Run an ffmpeg-python graph and give what it prints; a failure leaves no output and names no path, because it goes
    to the ledger. Not `strict`: broken data behind what is wanted are no failure."""
    command = command.global_args("-hide_banner", "-loglevel", "error", "-nostdin", "-filter_threads", "1")
    argv = (command.global_args("-xerror") if strict else command).compile(cmd=ffmpeg_binary(), overwrite_output=True)
    environment = {name: value for name, value in os.environ.items() if name != "FFREPORT"}  # it would write a log
    found = f"no end after {TIMEOUT_S:.0f} s"
    try:
        done = subprocess.run(
            argv, input=stdin or b"", capture_output=True, check=False, timeout=TIMEOUT_S, env=environment
        )
    except subprocess.TimeoutExpired:
        _discard(out_path)
        raise RecordError("video_timeout", found, "cut the clip into shorter ones") from None
    if done.returncode != 0:
        _discard(out_path)
        if b"No space left" in done.stderr:  # not the record's fault
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise RecordError(reason, f"ffmpeg status {done.returncode}", READ_REMEDY)
    return done.stdout


def _discard(path: Path | None) -> None:
    if path is not None:
        path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Cut:
    """What is encoded of a file: the filter that lets through the frames, how many, and where reading starts."""

    filter: str
    frames: int
    options: dict[str, str | float | None]


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


def canonical_command(source: Source, out_path: Path, cut: Cut | None = None, raw_fps: Fraction | None = None) -> Any:
    """The ffmpeg-python graph that copies the stream where it can, else encodes it; of a cut only what it keeps."""
    import ffmpeg

    options: dict[str, Any] = {"protocol_whitelist": "file,pipe", "format": source.demuxer, "threads": 1}
    if cut is None and source.copyable:
        written: dict[str, Any] = {"c:v": "copy", "bsf:v": COPY_FILTERS[source.codec]}
        if source.codec == "hevc":
            written["tag:v"] = "hvc1"  # the parameter sets stand in the header alone, as players want it
    else:
        # MPEG-1, 2 and 4 leave the rounding of the inverse DCT open: the plain C one is the same on every CPU.
        options |= {"flags:v": "+bitexact", "idct": "simple", "max_pixels": MAX_PIXELS}
        width, height = source.size
        pad = EVEN.format(right=width % 2, bottom=height % 2) if width % 2 or height % 2 else ""
        chosen = "" if cut is None else f"{cut.filter},setpts=PTS-STARTPTS,"
        written = _h264(CANONICAL_CRF, chosen + pad) | {"fps_mode": "passthrough", "enc_time_base:v": "demux"}
        if cut is not None:
            written["frames:v"] = cut.frames
            options |= cut.options
    if raw_fps is not None and source.demuxer == "h264":
        options["framerate"] = f"{raw_fps.numerator}/{raw_fps.denominator}"
    stream = ffmpeg.input(f"file:{source.path}", **options)[str(source.stream)]
    return _output(stream, out_path, written)


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
    check_bytes(len(frames), frames.shape[1], frames.shape[2])
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
    run(_output(stream, out_path, _h264(crf, "")), out_path, "video_encode", rgb.tobytes())


def _nominal_rate(times_s: Sequence[float]) -> Fraction:
    """Frames per second from the median interval, between 1/1000 and 1000; 1 where there is no interval."""
    interval = median_interval(times_s)
    if interval <= 0:
        return Fraction(1)
    return Fraction(min(max(1 / interval, 0.001), 1000.0)).limit_denominator(1001)
