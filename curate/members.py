"""The members that a record's canonical media become: their bytes, and the `Media` entries that describe them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Image, Volume, encode_npy_gz
from curate.store import file_sha256
from manifests.record import Affine, Media

MAX_LABELS = 255  # of one label map, uint8


def image_member(decoded: Image) -> tuple[Media, bytes]:
    data = encode_npy_gz(decoded.pixels)
    return Media(
        member="image.npy.gz",
        kind="image",
        shape=decoded.pixels.shape,
        dtype=str(decoded.pixels.dtype),
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        units=decoded.units,
        spacing_mm=decoded.spacing_mm,
        window=decoded.window,
        inverted=decoded.inverted,
        voi=decoded.voi,
        padding=decoded.padding,
    ), data


def volume_members(grid: Volume) -> tuple[tuple[Media, bytes], ...]:
    """The voxels, and the masks in as few label maps as hold them: masks that share a voxel go to different ones."""
    data = encode_npy_gz(grid.voxels)
    main = Media(
        member="volume.npy.gz",
        kind="volume",
        shape=grid.voxels.shape,
        dtype=str(grid.voxels.dtype),
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        units=grid.units,
        spacing_mm=grid.spacing_mm,
        affine=rows_of(grid.affine),
        window=grid.window,
    )
    members = [(main, data)]
    for number, (label_map, labels) in enumerate(_label_maps(grid.masks)):
        stored = encode_npy_gz(label_map)
        shared = dataclasses.replace(
            main,
            member=mask_member(number),
            kind="mask",
            dtype="uint8",
            sha256=hashlib.sha256(stored).hexdigest(),
            size_bytes=len(stored),
            units="label",
            window=None,
        )
        members += [(dataclasses.replace(shared, label=label, value=value), stored) for label, value in labels]
    return tuple(members)


def mask_member(number: int) -> str:
    """`masks.npy.gz` for the first label map, `masks-1.npy.gz` for the next."""
    return "masks.npy.gz" if number == 0 else f"masks-{number}.npy.gz"


def _label_maps(masks: dict[str, NDArray[np.uint8]]) -> list[tuple[NDArray[np.uint8], list[tuple[str, int]]]]:
    """Label maps of uint8 and the (label, voxel value) pairs of each, first fit in the order of the masks."""
    maps: list[tuple[NDArray[np.uint8], list[tuple[str, int]]]] = []
    for label, mask in masks.items():
        inside = mask > 0
        for label_map, labels in maps:
            if len(labels) < MAX_LABELS and not label_map[inside].any():
                break
        else:
            label_map, labels = np.zeros(mask.shape, np.uint8), []
            maps.append((label_map, labels))
        labels.append((label, len(labels) + 1))
        label_map[inside] = len(labels)
    return maps


def clip_media(
    path: Path, shape: Sequence[int], times_s: tuple[float, ...], spacing_mm: tuple[float, float] | None
) -> Media:
    count, height, width = shape[:3]
    return Media(
        member="mp4",
        kind="video",
        shape=(count, height + height % 2, width + width % 2, 3),
        dtype="uint8",
        sha256=file_sha256(path),
        size_bytes=path.stat().st_size,
        units="display",
        spacing_mm=spacing_mm,
        times_s=times_s,
    )


def rows_of(affine: NDArray[np.float64]) -> Affine:
    rows = affine.astype(float).tolist()
    return tuple((row[0], row[1], row[2], row[3]) for row in rows)
