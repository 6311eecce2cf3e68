"""Render targets: canonical media, which keep the physics, become the members of a sample as the recipe asks for them.

    image    PNG, 8-bit, as a viewer shows it, shrunk to `max_side`                               member `png`
    volume   canonical: the voxels as they are, with units, spacing and affine                    member `volume.npy.gz`
             m3d_32x256x256: float32 in 0 to 1 as M3D's models read it                            member `volume.npy.gz`
    mask     stays the label map that prepare made, for the proofs; shown to no model             member `masks.npy.gz`
    video    MP4 of the chosen frames, without sound; their true times stand in `Media.times_s`   member `mp4`

All functions are deterministic for one version of the libraries beneath them, and `Media.sha256` and `size_bytes` are
those of the bytes that they give.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from curate.arrays import Image, Volume, encode_npy_gz, encode_png
from curate.image import fit, to_display
from curate.video import encode_frames, read_frames, sample_times
from manifests.config import Config
from manifests.record import Affine, Media

VolumeTarget = Literal["canonical", "m3d_32x256x256"]

CANONICAL = "canonical"
MIN_SIDE = 28  # one patch of the vision encoders in use
TILE = 448  # pixels
TILE_TOKENS = 256


class ImageTarget(Config):
    """How large a 2D image may be; never enlarged."""

    max_side: int | None = Field(default=1024, ge=MIN_SIDE, description="pixels of the longer side; null: as it is")


class VideoTarget(Config):
    """Which frames of a clip are kept; `curate.video.sample_times` has the rule."""

    fps: float | None = Field(default=1.0, gt=0, le=1000, description="frames per second; null: all of them")
    max_frames: int | None = Field(default=32, ge=1, description="at most so many, spread evenly; null: no limit")


class RenderConfig(Config):
    """What becomes of each kind of medium: `render: {volume: canonical, image: {max_side: 1024}, video: {fps: 1}}`."""

    volume: VolumeTarget = "canonical"
    image: ImageTarget = ImageTarget()
    video: VideoTarget = VideoTarget()


def render_image(image: Image, target: ImageTarget) -> tuple[bytes, Media]:
    """An image as PNG, uint8 (y, x) or (y, x, 3), windowed and turned round to how it is shown (black is 0).

    `spacing_mm` grows as the image shrinks, by the exact ratio of each axis. The window is used up, so Media has none.
    """
    shown = to_display(image)
    pixels, _ = fit(shown, target.max_side)
    spacing = None
    if image.spacing_mm is not None:
        ratios = (shown.shape[0] / pixels.shape[0], shown.shape[1] / pixels.shape[1])
        spacing = (image.spacing_mm[0] * ratios[0], image.spacing_mm[1] * ratios[1])
    data = encode_png(pixels)
    return data, Media(
        member="png",
        kind="image",
        shape=pixels.shape,
        dtype=str(pixels.dtype),
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        target=CANONICAL if target.max_side is None else f"max_side_{target.max_side}",
        units="display",
        spacing_mm=spacing,
    )


def render_volume(volume: Volume, target: VolumeTarget) -> tuple[bytes, Media]:
    """A volume as .npy.gz, (z, y, x).

    `canonical`: the voxels with their dtype, units (HU or scanner), spacing in mm, affine to RAS+ mm and window.
    `m3d_32x256x256`: float32 (32, 256, 256) in 0 to 1, no units, and neither spacing nor affine: the published chain
    (min-max, crop of the foreground, resize) loses where and how large things are.
    """
    canonical = target == CANONICAL
    voxels = volume.voxels if canonical else _m3d(volume)
    data = encode_npy_gz(voxels)
    return data, Media(
        member="volume.npy.gz",
        kind="volume",
        shape=voxels.shape,
        dtype=str(voxels.dtype),
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        target=target,
        units=volume.units if canonical else "display",
        spacing_mm=volume.spacing_mm if canonical else None,
        affine=_rows(volume.affine) if canonical else None,
        window=volume.window if canonical else None,
    )


def _m3d(volume: Volume) -> NDArray[np.float32]:
    from curate.volume import to_m3d

    return to_m3d(volume)


def render_clip(
    path: Path,
    times_s: Sequence[float],
    target: VideoTarget,
    workdir: Path,
    spacing_mm: tuple[float, float] | None = None,
) -> tuple[bytes, Media]:
    """A canonical clip as MP4 of the frames that `target` keeps, (t, y, x, 3) uint8.

    `times_s` are the true times of all the clip's frames: `canonical_clip`'s, or a cine's own; Media has those of the
    kept frames. `shape` is the MP4's: an odd height or width is one larger than the clip's. `spacing_mm` (y, x) is
    handed on. Nothing is left in `workdir`. Raises RecordError as `read_frames` and `encode_frames` do.
    """
    kept = sample_times(times_s, target.fps, target.max_frames)
    times = tuple(times_s[index] for index in kept)
    frames = read_frames(path, kept, times_s)
    with tempfile.TemporaryDirectory(dir=workdir) as folder:
        written = Path(folder) / "clip.mp4"
        encode_frames(frames, times, written)
        data = written.read_bytes()
    count, height, width, channels = frames.shape
    return data, Media(
        member="mp4",
        kind="video",
        shape=(count, height + height % 2, width + width % 2, channels),
        dtype="uint8",
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        target=_clip_target(target),
        units="display",
        spacing_mm=spacing_mm,
        times_s=times,
    )


def _clip_target(target: VideoTarget) -> str:
    rate = "all" if target.fps is None else f"{target.fps:g}fps"
    return rate if target.max_frames is None else f"{rate}_max_{target.max_frames}"


def _rows(affine: NDArray[np.float64]) -> Affine:
    rows = affine.astype(float).tolist()
    return tuple((row[0], row[1], row[2], row[3]) for row in rows)


def visual_tokens(media: Media) -> int:
    """An estimate of the tokens that a medium costs a model: 256 for each tile of 448 x 448 pixels.

    An image is cut into as many tiles as cover it; a volume's slices (along z) and a clip's frames are one tile each,
    shrunk to fit, as Fleming-VL's and InternVL's loaders do; masks are not shown and cost nothing. Not covered: limits
    on tiles, thumbnails, and encoders that pool over slices or frames (M3D's gives 256 for a whole volume).
    """
    if media.kind == "mask":
        return 0
    if media.kind == "image":
        return math.ceil(media.shape[0] / TILE) * math.ceil(media.shape[1] / TILE) * TILE_TOKENS
    return media.shape[0] * TILE_TOKENS
