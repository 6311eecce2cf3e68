"""Render targets: canonical media, which keep the physics, become the members of a sample as the recipe asks for them.

    image    PNG, 8-bit, as a viewer shows it, shrunk to `max_side`                               member `png`
    volume   one of `curate.volume.config.VolumeTarget`                           member `volume.npy.gz`, or `mp4`
    mask     stays the label map that prepare made, for the proofs; shown to no model             member `masks.npy.gz`
             under `grid`: resampled with its volume; of a picture `Media.crop` and `scale` say how
             the proofs find its pixels in the label map, whose nearest they take
    video    MP4 of the chosen frames, without sound; their true times stand in `Media.times_s`   member `mp4`

All functions are deterministic for one version of the libraries beneath them, and `Media.sha256` and `size_bytes` are
those of the bytes that they give. Geometry is never lost: each rendered volume has the affine of what it shows.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Volume, encode_npy_gz
from curate.image.target import ImageTarget as ImageTarget
from curate.image.target import render_image as render_image
from curate.members import rows_of, volume_members
from curate.video.target import VideoTarget as VideoTarget
from curate.video.target import render_clip as render_clip
from curate.volume.config import Grid, KeySlices, Published, PublishedName, VolumeTarget, described
from curate.volume.config import brings_masks as brings_masks
from curate.volume.config import needs_masks as needs_masks
from manifests.config import Config
from manifests.errors import Reject
from manifests.record import Media

if TYPE_CHECKING:
    from curate.volume.targets import Shown

CANONICAL = "canonical"
UNPLACED = (CANONICAL, "m3d_32x256x256", "fleming_11x448", "hulu_180")  # they look at voxels alone


class RenderConfig(Config):
    """What becomes of each kind of medium: `render: {volume: canonical, image: {max_side: 1024}, video: {fps: 1}}`."""

    volume: VolumeTarget = "canonical"
    image: ImageTarget = ImageTarget()
    video: VideoTarget = VideoTarget()


def render_volume(
    volume: Volume, target: VolumeTarget, text: str = "", scratch: Path | None = None
) -> list[tuple[Media, bytes]]:
    """The members that a volume becomes under a target: its own first, and under `grid` those of its masks, one entry
    for each mask with its label map's bytes (several entries may name one member).

    `volume.masks` are used where `needs_masks(target)`, `text` by `key_slices`, `scratch` (a folder; None: the
    system's) by `deeptumor_mp4`. Media tells the affine of the rendered grid, its spacing_mm (z, y, x), the shown
    `slices` of that grid where they are not all, and the visual tokens; units are those of the voxels, "display" where
    they were windowed or stretched. A volume that is not `placed` keeps neither affine nor spacing, and only targets
    that look at voxels alone take it. Raises Reject `blank`, `not_hu`, `no_spacing`; RecordError as resampling and
    encoding do.
    """
    if volume.placed:
        return _rendered(volume, target, text, scratch)
    name = target if isinstance(target, str) else target.target
    turns = isinstance(target, Published) and target.orientation is not None
    if name not in UNPLACED or turns:
        raise Reject("no_spacing", f"a volume whose spacing and orientation nobody tells, for {described(target)}")
    made = _rendered(volume, target, text, scratch)
    return [(dataclasses.replace(media, affine=None, spacing_mm=None), data) for media, data in made]


def _rendered(volume: Volume, target: VolumeTarget, text: str, scratch: Path | None) -> list[tuple[Media, bytes]]:
    from curate.volume import targets as volume_targets
    from curate.volume import views as volume_views

    named = Published(target=target) if isinstance(target, str) else target
    if isinstance(named, Grid):
        made = volume_members(volume_views.on_grid(volume, named))
        return [(dataclasses.replace(media, target=described(target)), data) for media, data in made]
    if isinstance(named, KeySlices):
        return [_array(volume_views.show_key_slices(volume, named, text), described(target))]
    turned = volume_targets.oriented(volume, named.orientation)
    if named.target == "deeptumor_mp4":
        return [_clip(volume_targets.deeptumor_frames(turned), described(target), scratch)]
    if named.target == CANONICAL:
        shown = volume_targets.Shown(turned.voxels, turned.affine, turned.units)
        media, data = _array(shown, described(target))
        return [(dataclasses.replace(media, window=volume.window), data)]
    return [_array(_published(named.target)(turned), described(target))]


def _published(name: PublishedName) -> Callable[[Volume], Shown]:
    from curate.volume import targets as made

    targets: dict[str, Callable[[Volume], Shown]] = {
        "m3d_32x256x256": made.m3d_32x256x256,
        "fleming_11x448": made.fleming_11x448,
        "ct_clip_480x480x240": made.ct_clip_480x480x240,
        "merlin_224x224x160": made.merlin_224x224x160,
        "hulu_180": made.hulu_180,
        "medm_vl_32x256x256": made.medm_vl_32x256x256,
    }
    return targets[name]


def _array(shown: Shown, target: str) -> tuple[Media, bytes]:
    data = encode_npy_gz(shown.voxels)
    return Media(
        member="volume.npy.gz",
        kind="volume",
        shape=shown.voxels.shape,
        dtype=str(shown.voxels.dtype),
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        target=target,
        units=shown.units,
        spacing_mm=_spacing(shown.affine),
        affine=rows_of(shown.affine),
        slices=shown.slices,
        visual_tokens=shown.tokens,
    ), data


def _clip(shown: Shown, target: str, scratch: Path | None) -> tuple[Media, bytes]:
    """Frames as MP4; `spacing_mm` is (y, x), the affine and `slices` say where each frame lies."""
    from curate.video import encode_frames, frame_times_of_rate
    from curate.volume.targets import DEEPTUMOR_FPS

    times = frame_times_of_rate(len(shown.voxels), DEEPTUMOR_FPS)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        path = Path(folder) / "clip.mp4"
        encode_frames(shown.voxels, times, path)
        data = path.read_bytes()
    count, height, width = shown.voxels.shape
    return Media(
        member="mp4",
        kind="video",
        shape=(count, height + height % 2, width + width % 2, 3),
        dtype="uint8",
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        target=target,
        units=shown.units,
        spacing_mm=_spacing(shown.affine)[1:],
        affine=rows_of(shown.affine),
        times_s=times,
        slices=shown.slices,
        visual_tokens=shown.tokens,
    ), data


def _spacing(affine: NDArray[np.float64]) -> tuple[float, float, float]:
    """(z, y, x) in mm."""
    x, y, z = (math.sqrt(sum(float(affine[row, k]) ** 2 for row in range(3))) for k in range(3))
    return z, y, x
