"""Encoded video: the canonical clip that is stored of a file, which frames are kept of it, exact frames, and encoding.

    probe            VideoInfo of a file (curate.video.container), or a RecordError
    canonical_clip   MP4 with the one video stream and nothing else; H.264, HEVC, VP9 and AV1 are copied, not encoded;
                     of the whole file, or of a range of it
    read_frames      exact frames (`frames`); sample_times says which (`frame_choice`); encode_frames writes

Covered: sound, subtitles, data, attachments, chapters, container metadata, and user data inside H.264, HEVC and AV1
(SEI and metadata units: encoder settings, captions, anything a device wrote there). Not covered: text and faces in the
pixels; pixels beyond the stream's cropping rectangle (they stay in a copied clip, never in a rendered one); pixel
aspect ratios (`pixel_aspect` tells; frames are not resampled); interlacing. What else MP4 says of itself is the same in
every clip: the brand `isom` and the handler name `VideoHandler`.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import numpy as np

from curate.video.clip_range import cut_clip, excerpted
from curate.video.container import (
    READ_REMEDY,
    Frames8,
    Source,
    check_tail,
    examine,
    median_interval,
    variable_rate,
)
from curate.video.container import VideoInfo as VideoInfo
from curate.video.container import probe as probe
from curate.video.encode import CANONICAL_CRF as CANONICAL_CRF
from curate.video.encode import Cut, canonical_command, run
from curate.video.encode import encode_frames as encode_frames
from curate.video.encode import encoders_ok as encoders_ok
from curate.video.encode import ffmpeg_binary as ffmpeg_binary
from curate.video.frame_choice import sample_times as sample_times
from curate.video.frames import prove, proven
from curate.video.frames import read_frames as read_frames
from manifests.errors import RecordError, Reject

BLANK_RANGE = 2  # grey levels by which coding alone may spread a flat frame


def canonical_clip(
    path: Path, out_path: Path, clip: tuple[float, float] | None = None, raw_fps: Fraction | None = None
) -> tuple[VideoInfo, tuple[float, ...]]:
    """Write the MP4 that is kept of a video file: its one video stream, without sound, subtitles, data, attachments,
    chapters and metadata; gives the clip's own VideoInfo and the presentation time in seconds of every frame.

    H.264, HEVC, VP9 and AV1 in MP4, MOV, MKV and WebM are copied: same frames, same times, same rotation. All else is
    encoded upright as H.264 (libx264, crf 12, yuv420p, BT.601; an odd width or height is padded by repeating the edge),
    as are HEVC with SEI beside its parameter sets and clips whose edit list hides frames. Times start at 0 and are the
    decoder's. What comes back was proven to decode as `frames.prove` says: short clips whole, long ones in part.
    Repeats byte for byte.

    `clip` (start, end) in seconds after the file's first frame keeps the frames with start <= t < end and no other; it
    is copied where it begins at a keyframe and its end parts no frames from those that they need, else encoded as
    above; an end at most 1 s behind the file's counts as the file's. Of a tail that is cut off or does not decode, at
    most 10 % of the frames, the sound frames before it are kept and `lost_frames` says how many were not. `raw_fps`
    lets bare H.264 in and is its rate where its own parameters state none.

    Raises RecordError as `probe` does, and `resolution_change`, `video_timeout`, `clip_range`, `corrupt_video`.
    """
    seen, source = examine(path, raw_fps is not None)
    excerpt = out_path.with_name(f"{out_path.name}.part")
    try:
        if clip is not None:
            info, times, kept = cut_clip(source, seen, clip, out_path, excerpt)
        else:
            info, times = _whole_clip(source, out_path, excerpt, raw_fps)
            kept = None
    except BaseException:
        out_path.unlink(missing_ok=True)
        raise
    finally:
        excerpt.unlink(missing_ok=True)
    several = len(times) > 1
    info = dataclasses.replace(
        info,
        fps=round((len(times) - 1) / times[-1], 6) if several else info.fps,
        duration_s=round(times[-1] + median_interval(times), 6) if several else info.duration_s,
        frame_count=len(times),
        frame_count_estimated=False,
        variable_rate=variable_rate(times, tick=0.001),
        range_s=kept,
    )
    return info, times


def _whole_clip(
    source: Source, out_path: Path, excerpt: Path, raw_fps: Fraction | None
) -> tuple[VideoInfo, tuple[float, ...]]:
    """The clip of a whole file; where its tail is broken, of what stands before."""
    if not source.packets.lost:
        try:
            run(canonical_command(source, out_path, None, raw_fps), out_path, "corrupt_video")
        except RecordError as error:
            if error.reason != "corrupt_video":
                raise
        else:
            info, times, sound = proven(out_path)
            if sound is None:
                return info, times
    proof, _ = prove(source.path)
    total = source.packets.count + source.packets.lost
    kept = proof.shown if proof.sound is not None else source.packets.count
    if kept == total:  # every frame decodes, and yet the conversion does not
        raise RecordError("corrupt_video", "a stream that cannot be converted", READ_REMEDY)
    check_tail(kept, total - kept)
    if source.copyable:
        excerpted(source, 0, proof.sound if proof.sound is not None else source.packets.count, excerpt)
        whole = dataclasses.replace(source, path=excerpt, demuxer="mov", stream=0)
        run(canonical_command(whole, out_path), out_path, "corrupt_video")
    else:
        cut = Cut("null", kept, {})
        run(canonical_command(source, out_path, cut, raw_fps), out_path, "corrupt_video", strict=False)
    info, times, sound = proven(out_path)
    if sound is not None:
        raise RecordError("corrupt_video", f"{kept} of {total} frames, and not all of those decode", READ_REMEDY)
    return dataclasses.replace(info, lost_frames=total - len(times)), times


# Frames


def frame_times_of_rate(count: int, fps: float) -> tuple[float, ...]:
    """The presentation times in seconds of `count` frames at a constant rate, the first at 0."""
    return tuple(index / fps for index in range(count))


def clip_quality(frames: Frames8) -> None:
    """Raise Reject `blank` for a clip, uint8 (t, y, x[, c]), in which every frame is flat.

    Flat: no channel of the frame spreads over more than 2 grey levels, which lossy coding may add to one value. A clip
    that fades between flat frames is blank, a still one is not.
    """
    axes = (1, 2)
    spread = int((frames.max(axis=axes).astype(np.int16) - frames.min(axis=axes)).max()) if frames.size else 0
    if spread <= BLANK_RANGE:
        raise Reject("blank", f"{len(frames)} frames that spread over {spread} grey levels")
