"""The render target of clips: MP4 or a JPEG sequence of the chosen frames, without sound; their true times stand in
`Media.times_s`, whatever the format says of time."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import PIL.Image
from pydantic import Field, model_validator

from curate.image import fit
from curate.video.container import Frames8, opened, packets_of
from curate.video.encode import encode_frames
from curate.video.frame_choice import sample_times, shot_frames, spread, uniform_frames
from curate.video.frames import read_frames
from curate.video.mjpeg import join_mjpeg
from curate.video.mjpeg import split_mjpeg as split_mjpeg
from curate.video.scenes import cuts_of
from manifests.config import Config
from manifests.record import Media

MIN_SIDE = 28  # one patch of the vision encoders in use
FRAME_TOKENS = 256  # of a frame shown as one tile of 448 x 448 pixels: Fleming-VL, InternVL
Fit = Literal["stretch", "pad", "crop"]


class VideoTarget(Config):
    """Which frames of a clip are kept (`curate.video.frame_choice` has the formulas), how large, and stored how."""

    sample: Literal["fps", "uniform", "scene", "keyframe"] = Field(
        default="fps", description="by rate; `frames` evenly spread; the middle of each shot; the encoder's keyframes"
    )
    fps: float | None = Field(default=1.0, gt=0, le=1000, description="`fps`: frames per second; null: all of them")
    frames: int | None = Field(default=None, ge=1, description="`uniform`: exactly so many, where the clip has them")
    max_frames: int | None = Field(default=32, ge=1, description="at most so many, spread evenly; null: no limit")
    max_side: int | None = Field(default=None, ge=MIN_SIDE, description="pixels of the longer side; never enlarged")
    size: tuple[int, int] | None = Field(default=None, description="exactly so many pixels: [height, width]")
    fit: Fit = Field(default="stretch", description="to `size`: stretch; pad (whole, on black); crop (middle, filled)")
    format: Literal["mp4", "jpeg"] = Field(default="mp4", description="H.264 MP4, or JPEG images one behind the other")

    @model_validator(mode="after")
    def _agrees(self) -> VideoTarget:
        if (self.sample == "uniform") != (self.frames is not None):
            raise ValueError("`frames` belongs to `sample: uniform`, and that needs it")
        if self.size is not None and self.max_side is not None:
            raise ValueError("`size` and `max_side` exclude one another")
        if self.size is not None and min(self.size) < MIN_SIDE:
            raise ValueError(f"`size` must be at least {MIN_SIDE} pixels")
        return self


def choose_frames(path: Path, times_s: Sequence[float], target: VideoTarget) -> list[int]:
    """The indices of the frames that `target` keeps, rising. Raises RecordError `no_frames`, and as `read_frames`."""
    if target.sample == "uniform":
        return uniform_frames(times_s, target.frames or 1)
    if target.sample == "scene":
        return spread(shot_frames(times_s, cuts_of(path, times_s).times_s), target.max_frames)
    if target.sample == "keyframe":
        return spread(_keyframes(path, times_s), target.max_frames)
    return sample_times(times_s, target.fps, target.max_frames)


def _keyframes(path: Path, times_s: Sequence[float]) -> list[int]:
    """The keyframes of a canonical clip by index: of one that was encoded anew those that libx264 set."""
    with opened(path) as (container, stream):
        packets = packets_of(container, stream)
    place = {pts: index for index, pts in enumerate(packets.pts)}
    found = [place[pts] for pts, _ in packets.keys if pts in place and place[pts] < len(times_s)]
    return found or [0]


def fit_frame(pixels: Frames8, target: VideoTarget) -> Frames8:
    """A frame, uint8 (y, x, 3), at the size that `target` asks for.

    `size`: Pillow's bicubic, widened to the input's scale where it shrinks. `stretch` forgets the aspect; `pad` keeps
    the whole frame and puts it in the middle of black; `crop` fills the size and cuts what stands over on both sides.
    """
    if target.size is None:
        return fit(pixels, target.max_side)[0]
    height, width = target.size
    if target.fit == "stretch":
        return _resized(pixels, height, width)
    ratios = (height / pixels.shape[0], width / pixels.shape[1])
    scale = min(ratios) if target.fit == "pad" else max(ratios)
    inner = (max(1, round(pixels.shape[0] * scale)), max(1, round(pixels.shape[1] * scale)))
    whole = _resized(pixels, *inner)
    if target.fit == "crop":
        top, left = (inner[0] - height) // 2, (inner[1] - width) // 2
        return whole[top : top + height, left : left + width]
    out = np.zeros((height, width, 3), np.uint8)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    out[top : top + inner[0], left : left + inner[1]] = whole
    return out


def _resized(pixels: Frames8, height: int, width: int) -> Frames8:
    image = PIL.Image.fromarray(np.ascontiguousarray(pixels))
    return np.array(image.resize((width, height), PIL.Image.Resampling.BICUBIC), dtype=np.uint8)


def render_clip(
    path: Path,
    times_s: Sequence[float],
    target: VideoTarget,
    workdir: Path,
    spacing_mm: tuple[float, float] | None = None,
) -> tuple[bytes, Media]:
    """A canonical clip as the frames that `target` keeps, (t, y, x, 3) uint8: member `mp4`, or `mjpeg`.

    `times_s` are the true times of all the clip's frames: `canonical_clip`'s, or a cine's own; Media has those of the
    kept frames. `shape` is the member's: of an MP4 an odd height or width is one larger than the frame's. `spacing_mm`
    (y, x) of the clip follows a resize; padding and cutting do not change it. `visual_tokens` are 256 a frame, as
    models take it that show a frame as one tile of 448 x 448 pixels. Nothing is left in `workdir`. Raises RecordError
    as `read_frames` and `encode_frames` do.
    """
    kept = choose_frames(path, times_s, target)
    times = tuple(times_s[index] for index in kept)
    stored: set[tuple[int, int]] = set()

    def fitted(pixels: Frames8) -> Frames8:
        stored.add((pixels.shape[0], pixels.shape[1]))
        return fit_frame(pixels, target)

    frames = read_frames(path, kept, times_s, fitted)
    data = join_mjpeg(frames) if target.format == "jpeg" else _mp4(frames, times, workdir)
    count, height, width, channels = frames.shape
    odd = 0 if target.format == "jpeg" else 1
    return data, Media(
        member="mjpeg" if target.format == "jpeg" else "mp4",
        kind="video",
        shape=(count, height + height % 2 * odd, width + width % 2 * odd, channels),
        dtype="uint8",
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        target=_clip_target(target),
        units="display",
        spacing_mm=_spacing(spacing_mm, stored.pop(), target),
        times_s=times,
        visual_tokens=count * FRAME_TOKENS,
    )


def _mp4(frames: Frames8, times: Sequence[float], workdir: Path) -> bytes:
    with tempfile.TemporaryDirectory(dir=workdir) as folder:
        written = Path(folder) / "clip.mp4"
        encode_frames(frames, times, written)
        return written.read_bytes()


def _spacing(
    spacing_mm: tuple[float, float] | None, stored: tuple[int, int], target: VideoTarget
) -> tuple[float, float] | None:
    """The distance of pixels after the resize, by the exact ratio of each axis."""
    if spacing_mm is None or (target.size is None and target.max_side is None):
        return spacing_mm
    if target.size is None:
        inner = fit(np.zeros(stored, np.uint8), target.max_side)[0].shape
    elif target.fit == "stretch":
        inner = target.size
    else:
        ratios = (target.size[0] / stored[0], target.size[1] / stored[1])
        scale = min(ratios) if target.fit == "pad" else max(ratios)
        inner = (max(1, round(stored[0] * scale)), max(1, round(stored[1] * scale)))
    return spacing_mm[0] * stored[0] / inner[0], spacing_mm[1] * stored[1] / inner[1]


def _clip_target(target: VideoTarget) -> str:
    """How `Media.target` names it: `1fps_max_32`, `uniform_16_448x448_pad_jpeg`, ..."""
    parts: list[str] = [target.sample]
    if target.sample == "fps":
        parts = ["all" if target.fps is None else f"{target.fps:g}fps"]
    if target.sample == "uniform":
        parts.append(str(target.frames))
    elif target.max_frames is not None:
        parts.append(f"max_{target.max_frames}")
    if target.size is not None:
        parts += [f"{target.size[0]}x{target.size[1]}", target.fit]
    if target.max_side is not None:
        parts.append(f"side_{target.max_side}")
    if target.format == "jpeg":
        parts.append("jpeg")
    return "_".join(parts)
