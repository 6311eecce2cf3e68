"""Exact frames of an encoded clip, at the cost of the groups of pictures that hold them, and the proof that it decodes.

A wanted frame is decoded from the true keyframe before it. On the way there pictures that call themselves unreferenced
are left out (H.264, HEVC of one layer: `bitstream.droppable`), which changes no other picture; what lies after
the last wanted frame of a group is not decoded at all. One thread, so that concealment of errors, too, repeats.

Covered: reordering (B-frames), open groups (a frame shown before its keyframe is decoded from the keyframe before),
variable rates, false and missing keyframe marks, turns and mirrors. Not covered: AV1 and VP9 pictures are never left
out; bit errors that the decoder does not notice.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from curate.video.bitstream import droppable
from curate.video.container import (
    READ_REMEDY,
    Frames8,
    Packets,
    VideoInfo,
    av_module,
    opened,
    orientation_of,
    packets_of,
    probe,
    upright,
)
from manifests.errors import RecordError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

MAX_READ_BYTES = 1 << 32  # of the frames that one call takes or gives
WHOLE_FRAMES = 600  # a clip of at most so many is decoded from end to end to prove it
PROOF_STEP_S = 1.0  # of a longer one, keyframes nearer than this to a proven one are taken for proven

Group = tuple[tuple[int, int], list[int]]  # a keyframe's (presentation, decoding) time, the wanted times under it


def check_bytes(count: int, height: int, width: int) -> None:
    """Raise RecordError `too_large` for more RGB bytes than one call holds."""
    if count * height * width * 3 > MAX_READ_BYTES:
        found = f"{count} frames of {width} x {height} pixels"
        raise RecordError("too_large", found, f"at most {MAX_READ_BYTES} bytes are held: keep fewer frames")


def pixels_of(frame: VideoFrame, converter: VideoReformatter) -> Frames8:
    """A decoded frame as RGB (y, x, 3), upright; rounding is the same on every CPU. A converter that stays the same for
    the frames of a clip saves a third of the time."""
    way = av_module().video.reformatter.Interpolation
    flags = int(way.BICUBIC | way.ACCURATE_RND | way.FULL_CHR_H_INT | way.BITEXACT)
    pixels = converter.reformat(frame, format="rgb24", interpolation=flags, threads=1).to_ndarray()
    return upright(pixels.astype(np.uint8, copy=False), orientation_of(frame))


def converter_of() -> VideoReformatter:
    made: VideoReformatter = av_module().video.reformatter.VideoReformatter()
    return made


# Reading


def read_frames(
    path: Path,
    indices: Sequence[int],
    times_s: Sequence[float],
    each: Callable[[Frames8], NDArray[Any]] | None = None,
) -> NDArray[Any]:
    """The frames of a canonical clip shown at `times_s[i]` for i in `indices`, in that order: uint8 RGB (n, y, x, 3),
    upright.

    `times_s` are the presentation times of all the clip's frames. Where the clip has as many frames as there are times,
    the i-th frame shown is meant, so a cine that `encode_frames` wrote may keep its own clock; else the frame at just
    that time. Equal to a full decode; the packets are read once, without decoding, to find the keyframes. `each` is
    applied to every frame as it comes (a resize: then only small frames are held) and must give one shape and dtype,
    which come back.

    Raises RecordError `corrupt_video` (also for a time that no frame has, and for a frame that decodes with errors),
    `resolution_change`, `too_large`.
    """
    found: dict[int, NDArray[Any]] = {}
    shapes: set[tuple[int, ...]] = set()
    with opened(path) as (container, stream):
        packets = packets_of(container, stream)
        if len(packets.pts) == len(times_s):
            order = [packets.pts[index] for index in indices]
        else:
            origin, tick = _first_pts(path), float(stream.time_base or 1)
            order = [origin + round(times_s[index] / tick) for index in indices]
        converter = converter_of()
        for pts, frame in frames_at(container, stream, packets, sorted(set(order))):
            pixels = pixels_of(frame, converter)
            shapes.add(pixels.shape)
            found[pts] = pixels if each is None else each(pixels)
            check_bytes(len(order), *found[pts].shape[:2])
    for index, pts in zip(indices, order, strict=True):
        if pts not in found:
            raise RecordError("corrupt_video", f"no sound frame at {times_s[index]:.3f} s", READ_REMEDY)
    if len(shapes) != 1:
        raise RecordError("resolution_change", f"{len(shapes)} frame sizes", "split the clip where its size changes")
    return np.stack([found[pts] for pts in order])


def _first_pts(path: Path) -> int:
    with opened(path) as (container, stream):
        for frame in container.decode(stream):
            return int(frame.pts or 0)
    raise RecordError("corrupt_video", "no frame that decodes", READ_REMEDY)


def frames_at(
    container: InputContainer, stream: VideoStream, packets: Packets, wanted: Sequence[int]
) -> Iterator[tuple[int, VideoFrame]]:
    """(presentation time, decoded frame) for the wanted times in ticks, sorted; a time that no sound frame has is left
    out. A frame that does not come from the keyframe before it is tried once more from the first keyframe on."""
    left: list[int] = []
    for start, group in _groups(packets, wanted):
        missing = set(group)
        for frame in _decode_group(container, stream, start, group):
            if frame.pts is not None and frame.pts in missing:
                missing.discard(frame.pts)
                yield frame.pts, frame
        left += sorted(missing)
    if left and packets.keys:
        stream.codec_context.skip_frame = "DEFAULT"
        container.seek(packets.keys[0][1], stream=stream)
        for frame in container.decode(stream):
            if frame.pts in left and not frame.is_corrupt:
                yield int(frame.pts or 0), frame
            if frame.pts is not None and frame.pts >= left[-1]:
                return


def _groups(packets: Packets, wanted: Sequence[int]) -> list[Group]:
    """The wanted presentation times under the keyframe that each can be decoded from: the last one not after it.

    By presentation time: frames that are shown before their keyframe (an open group's) need the keyframe before.
    """
    starts = [pts for pts, _ in packets.keys]
    groups: dict[tuple[int, int], list[int]] = {}
    for pts in wanted if starts else ():
        key = packets.keys[max(bisect.bisect_right(starts, pts) - 1, 0)]
        groups.setdefault(key, []).append(pts)
    return list(groups.items())


def _decode_group(
    container: InputContainer, stream: VideoStream, start: tuple[int, int], group: Sequence[int]
) -> Iterator[VideoFrame]:
    """Sound frames, the wanted ones among them, decoded from a keyframe on; none where the seek landed after it."""
    context = stream.codec_context
    drops = droppable(context.name, bytes(context.extradata or b""))
    pending = set(group)
    for packet in _packets_from(container, stream, start):
        if packet.pts is not None:
            pending.discard(packet.pts)
        if drops:
            context.skip_frame = "DEFAULT" if packet.pts in group else "NONREF"
        yield from (frame for frame in context.decode(packet) if not frame.is_corrupt)
        if not pending:
            break
    yield from (frame for frame in context.decode(None) if not frame.is_corrupt)


def _packets_from(container: InputContainer, stream: VideoStream, start: tuple[int, int]) -> Iterator[Packet[Any]]:
    """The packets from the keyframe at `start` on, wherever before it the seek lands."""
    container.seek(start[1], stream=stream)
    begun = False
    for packet in container.demux(stream):
        begun = begun or (packet.pts == start[0] and packet.is_keyframe)
        if begun and packet.size:
            yield packet
        elif not begun and packet.dts is not None and packet.dts > start[1]:
            return


# Proof


@dataclass(frozen=True, slots=True)
class Proof:
    """What decoding showed: the times of all frames in ticks, rising; how many packets, in the file's order, come
    before the first that does not decode (None: all decode); how many frames were shown before that."""

    pts: tuple[int, ...]
    sound: int | None
    shown: int


def prove(path: Path, step_s: float = PROOF_STEP_S, whole_frames: int = WHOLE_FRAMES) -> tuple[Proof, float]:
    """Whether a clip can be read, and the tick of its clock in seconds.

    Up to `whole_frames` frames: by decoding it from end to end. A longer one: by decoding its first and its last group
    of pictures and, of the keyframes between, those at least `step_s` apart; times are then the packets' own. Where
    those of the two groups are not what the decoder shows, the clip is decoded from end to end.

    Raises RecordError `corrupt_video`, `resolution_change`.
    """
    with opened(path) as (container, stream):
        packets = packets_of(container, stream)
        tick = float(stream.time_base or 0)
        if packets.count > whole_frames and len(packets.pts) == packets.count and len(packets.keys) > 2:
            proof = _prove_parts(container, stream, packets, step_s)
            if proof is not None:
                return proof, tick
    with opened(path) as (container, stream):
        return _prove_whole(container, stream, packets), tick


def proven(path: Path) -> tuple[VideoInfo, tuple[float, ...], int | None]:
    """A written clip, its times from 0, and how many of its packets come before one that does not decode."""
    info = probe(path)
    proof, tick = prove(path)
    pts = proof.pts
    return info, tuple(float((value - pts[0]) * tick) for value in pts), proof.sound


def _prove_parts(container: InputContainer, stream: VideoStream, packets: Packets, step_s: float) -> Proof | None:
    """The proof by parts; None where packets and decoder disagree about the times."""
    place = {pts: number for number, (pts, _) in enumerate(packets.order)}
    step = step_s / float(stream.time_base or 1)
    starts = [packets.keys[0]]
    starts += [key for key in packets.keys[1:-1] if key[0] - starts[0][0] >= step]
    chosen = [starts[0]]
    for key in starts[1:]:
        if key[0] - chosen[-1][0] >= step:
            chosen.append(key)
    sizes: set[tuple[int, int]] = set()
    first, last = place[packets.keys[0][0]], place[packets.keys[-1][0]]
    spans = [(key, place[key[0]], place[key[0]] + 1) for key in chosen[1:]]
    spans = [(packets.keys[0], first, place[packets.keys[1][0]]), *spans, (packets.keys[-1], last, packets.count)]
    for key, begin, end in spans:
        expected = sorted(pts for pts, _ in packets.order[begin:end] if pts is not None and pts >= key[0])
        seen, sound = _decode_span(container, stream, key, end - begin, sizes)
        if sound is not None:
            return Proof(packets.pts, begin + sound, begin + sound)
        if [pts for pts in seen if pts >= key[0]] != expected:
            return None
    _check_sizes(sizes)
    start = bisect.bisect_left(packets.pts, packets.keys[0][0])
    return Proof(packets.pts[start:], None, packets.count)


def _decode_span(
    container: InputContainer, stream: VideoStream, key: tuple[int, int], count: int, sizes: set[tuple[int, int]]
) -> tuple[list[int], int | None]:
    """The times shown of `count` packets from a keyframe on, and the first of them that does not decode."""
    numbers: dict[int | None, int] = {}
    seen: list[int] = []
    for packet in itertools.chain(itertools.islice(_packets_from(container, stream, key), count), [None]):
        if packet is not None:
            numbers[packet.pts] = len(numbers)
        try:
            frames = stream.codec_context.decode(packet)
        except av_module().error.FFmpegError:
            return seen, _first_bad(stream, numbers, max(len(numbers) - 1, 0))
        for frame in frames:
            sizes.add((frame.width, frame.height))
            if frame.is_corrupt:
                return seen, _first_bad(stream, numbers, numbers.get(frame.pts, 0))
            seen.append(int(frame.pts or 0))
    return seen, None


def _first_bad(stream: VideoStream, numbers: Mapping[int | None, int], known: int) -> int:
    """The first packet whose frame is broken, where `known` is one: frames that wait for their turn are asked too."""
    context = stream.codec_context
    try:
        waiting = context.decode(None)
    except av_module().error.FFmpegError:
        return known
    return min([known, *(numbers.get(frame.pts, known) for frame in waiting if frame.is_corrupt)])


def _prove_whole(container: InputContainer, stream: VideoStream, packets: Packets) -> Proof:
    """The proof by decoding from end to end."""
    place: dict[Any, int] = {pts: number for number, (pts, _) in enumerate(packets.order)}
    sizes: set[tuple[int, int]] = set()
    pts: list[int] = []
    number = -1
    try:
        for packet in container.demux(stream):
            number += 1
            for frame in stream.codec_context.decode(packet if packet.size else None):
                sizes.add((frame.width, frame.height))
                if frame.is_corrupt:
                    return Proof(tuple(pts), _first_bad(stream, place, place.get(frame.pts, number)), len(pts))
                if frame.pts is None or (pts and frame.pts <= pts[-1]):
                    raise RecordError("corrupt_video", f"no rising time at frame {len(pts)}", READ_REMEDY)
                pts.append(frame.pts)
    except av_module().error.FFmpegError:
        return Proof(tuple(pts), _first_bad(stream, place, max(number, 0)), len(pts))
    _check_sizes(sizes)
    return Proof(tuple(pts), None, len(pts))


def _check_sizes(sizes: set[tuple[int, int]]) -> None:
    if len(sizes) > 1:
        raise RecordError("resolution_change", f"{len(sizes)} frame sizes", "split the clip where its size changes")
