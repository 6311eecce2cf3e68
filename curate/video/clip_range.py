"""A range of a video file as a clip of its own: exactly the frames with start <= t < end, by the file's own clock.

Copied where it starts at a keyframe and the packets up to its last frame hold no other frame; else encoded anew, so
that no frame before the range travels hidden in the clip. What was written is compared with the times that were asked
for before it is given back.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from curate.video.container import MAX_PIXELS, READ_REMEDY, Source, VideoInfo, av_module, median_interval, opened
from curate.video.encode import Cut, canonical_command, run
from curate.video.frames import proven
from manifests.errors import RecordError

RANGE_SLACK_S = 1.0  # annotations are rounded: an end so far behind the file's counts as the file's


def cut_clip(
    source: Source, seen: VideoInfo, clip: tuple[float, float], out_path: Path, excerpt: Path
) -> tuple[VideoInfo, tuple[float, ...], tuple[float, float]]:
    """Write the frames of a range; their VideoInfo and times from 0, and the range as it is on the file's clock."""
    pts, tick = _shown(source)
    times = [float((value - pts[0]) * tick) for value in pts]
    start, end = _range(clip, times, seen.lost_frames)
    first, after = bisect.bisect_left(times, start), bisect.bisect_left(times, end)
    if first == after:
        raise RecordError("clip_range", f"no frame from {start:.3f} to {end:.3f} s", "give a longer range")
    part = _copied_part(source, pts[first:after])
    if part is not None:
        excerpted(source, *part, excerpt)
        whole = dataclasses.replace(source, path=excerpt, demuxer="mov", stream=0)
        run(canonical_command(whole, out_path), out_path, "corrupt_video")
    else:
        cut = _trim(source, pts, first, after)
        run(canonical_command(source, out_path, cut), out_path, "corrupt_video", strict=not seen.lost_frames)
    info, kept, sound = proven(out_path)
    expected = [time - times[first] for time in times[first:after]]
    if sound is not None or len(kept) != len(expected) or not np.allclose(kept, expected, rtol=0, atol=0.002):
        found = f"{len(kept)} sound frames of {len(expected)} from {start:.3f} to {end:.3f} s"
        raise RecordError("corrupt_video", found, READ_REMEDY)
    until = times[after] if after < len(times) else times[-1] + median_interval(times)
    return info, kept, (round(times[first], 6), round(until, 6))


def _range(clip: tuple[float, float], times: Sequence[float], lost: int) -> tuple[float, float]:
    start, end = clip
    stop = times[-1] + median_interval(times)
    late = end > stop + RANGE_SLACK_S
    if not 0 <= start < end < math.inf or start >= stop or late:
        found = f"{start:.3f} to {end:.3f} s of {stop:.3f} s" + (f" ({lost} frames lost)" if lost else "")
        raise RecordError("clip_range", found, "give a start before the end, both in seconds within the clip")
    return start, end


def _shown(source: Source) -> tuple[Sequence[int], float]:
    """The presentation times of all frames in ticks, and the tick in seconds: the packets', or where those are not to
    be trusted (AVI, MPEG, GIF) what a decode by the ffmpeg that will encode them gives."""
    if source.timed:
        return source.packets.pts[bisect.bisect_left(source.packets.pts, source.first) :], source.tick
    import ffmpeg

    options: dict[str, Any] = {"protocol_whitelist": "file,pipe", "format": source.demuxer, "threads": 1}
    stream = ffmpeg.input(f"file:{source.path}", max_pixels=MAX_PIXELS, **options)[str(source.stream)]
    written = {"fps_mode": "passthrough", "enc_time_base:v": "demux", "vf": "scale=16:16", "format": "framecrc"}
    said = run(stream.output("pipe:1", an=None, sn=None, dn=None, **written), None, "corrupt_video").decode("ascii")
    lines = said.splitlines()
    base = next(Fraction(line.split()[-1]) for line in lines if line.startswith("#tb 0"))
    pts = [int(line.split(",")[2]) for line in lines if not line.startswith("#")]
    if not pts or any(a >= b for a, b in itertools.pairwise(pts)):
        raise RecordError("corrupt_video", f"{len(pts)} frames without rising times", READ_REMEDY)
    return pts, float(base)


def _trim(source: Source, pts: Sequence[int], first: int, after: int) -> Cut:
    """Frames by time where a keyframe can be sought, else by number from the start of the file."""
    if not source.timed:
        return Cut(f"select=between(n\\,{first}\\,{after - 1})", after - first, {})
    until = f":end_pts={pts[after]}" if after < len(pts) else ""
    starts = [key for key, _ in source.packets.keys]
    before = bisect.bisect_right(starts, pts[first]) - 2  # one earlier than needed: a seek may go by decoding time
    options: dict[str, str | float | None] = {"copyts": None}
    if before >= 0:
        seek = starts[before] * source.tick - source.start
        options |= {"ss": f"{max(seek, 0):.6f}", "noaccurate_seek": None}
    return Cut(f"trim=start_pts={pts[first]}{until}", after - first, options)


def _copied_part(source: Source, wanted: Sequence[int]) -> tuple[int, int] | None:
    """(first packet, count) of a run of packets that holds exactly the wanted frames and starts at a keyframe."""
    if not source.copyable or wanted[0] not in {key for key, _ in source.packets.keys}:
        return None
    order = [pts for pts, _ in source.packets.order]
    first = order.index(wanted[0])
    run = order[first : first + len(wanted)]
    return (first, len(run)) if sorted(pts for pts in run if pts is not None) == list(wanted) else None


def excerpted(source: Source, first: int, count: int, out_path: Path) -> None:
    """Write `count` packets of a copyable stream from the `first`-th on as MP4; the first must be a keyframe's."""
    av = av_module()
    with opened(source.path) as (container, stream), av.open(str(out_path), "w", format="mp4") as made:
        written = made.add_stream_from_template(stream)
        for packet in itertools.islice(container.demux(stream), first, first + count):
            packet.stream = written
            made.mux(packet)
