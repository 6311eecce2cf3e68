"""The members that a record's canonical media become: their bytes, and the `Media` entries that describe them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Array, Image, Volume, encode_npy_gz
from curate.dedup import pixel_sha256
from curate.store import file_sha256
from manifests.record import Affine, Fact, Media
from synth.measured import MAX_STRUCTURES, flat_mask_facts, mask_facts, unplaced_mask_facts

MAX_LABELS = 255  # of one label map, uint8


def image_member(decoded: Image, number: int = 0) -> tuple[Media, bytes]:
    """The member of a record's one picture, or of the `number`-th of several."""
    data = encode_npy_gz(decoded.pixels)
    return Media(
        member=f"image{number or ''}.npy.gz",
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


class LabelMaps:
    """Masks in as few label maps as hold them, taken up one by one: masks that share a voxel go to different ones, a
    mask into the first in which it shares none. `maps` are (label map, [(label, its voxel value)])."""

    def __init__(self) -> None:
        self.maps: list[tuple[NDArray[np.uint8], list[tuple[str, int]]]] = []

    def add(self, label: str, mask: NDArray[np.uint8]) -> None:
        """A mask of 0 and 1, (z, y, x) or (y, x)."""
        inside = mask.view(np.bool_)
        label_map, labels = self._free(inside)
        labels.append((label, len(labels) + 1))
        np.copyto(label_map, np.uint8(len(labels)), where=inside)

    def add_objects(self, label: str, objects: Array) -> int:
        """Each value but 0 as a mask of its own with that label, in the order of the values, in maps of their own;
        their number."""
        values = np.unique(objects[objects != 0])
        numbers = np.where(objects != 0, np.searchsorted(values, objects) + 1, 0)
        for first in range(0, len(values), MAX_LABELS):
            here = (numbers > first) & (numbers <= first + MAX_LABELS)
            count = min(MAX_LABELS, len(values) - first)
            label_map = np.where(here, numbers - first, 0).astype(np.uint8)
            self.maps.append((label_map, [(label, n + 1) for n in range(count)]))
        return len(values)

    def _free(self, inside: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], list[tuple[str, int]]]:
        for label_map, labels in self.maps:
            planes = zip(label_map, inside, strict=True)
            if len(labels) < MAX_LABELS and not any(plane[there].any() for plane, there in planes):
                return label_map, labels
        self.maps.append((np.zeros(inside.shape, np.uint8), []))
        return self.maps[-1]


class Structures:
    """What is marked in a volume, taken up mask by mask, so that one mask is held at a time beside the label maps.

    `labels` are in the order given, `digests` are the masks' pixels', `facts` what is measured of the first 32.
    """

    def __init__(self, grid: Volume) -> None:
        self.labels: list[str] = []
        self.digests: list[str] = []
        self.facts: list[Fact] = []
        self.placed = LabelMaps()
        self._grid = grid

    def add(self, label: str, mask: NDArray[np.uint8]) -> None:
        """A mask of 0 and 1, (z, y, x) on the volume's grid."""
        grid = self._grid
        self.digests.append(pixel_sha256(mask))
        if len(self.labels) < MAX_STRUCTURES and grid.placed:
            self.facts += mask_facts({label: mask}, rows_of(grid.affine), grid.voxels, grid.units)
        elif len(self.labels) < MAX_STRUCTURES:
            self.facts += unplaced_mask_facts(label, mask)
        self.labels.append(label)
        self.placed.add(label, mask)


class FlatStructures:
    """The same of a picture; `at` says which of several its facts are true of."""

    def __init__(self, picture: Image, at: str = "") -> None:
        self.labels: list[str] = []
        self.digests: list[str] = []
        self.facts: list[Fact] = []
        self.placed = LabelMaps()
        self._spacing, self._at = picture.spacing_mm, at

    def add(self, label: str, mask: NDArray[np.uint8], objects: Array | None = None) -> None:
        """A mask of 0 and 1, (y, x) on the picture's pixels. `objects` are whole numbers that tell its objects apart:
        each becomes a mask of its own with that label, in the order of the numbers."""
        self.digests.append(pixel_sha256(mask if objects is None else objects))
        count = 0
        if objects is None:
            self.placed.add(label, mask)
        else:
            count = self.placed.add_objects(label, objects)
        if len(self.labels) < MAX_STRUCTURES:
            self.facts += flat_mask_facts(label, mask, self._spacing, self._at, count)
        self.labels.append(label)


def volume_members(grid: Volume, placed: LabelMaps | None = None) -> tuple[tuple[Media, bytes], ...]:
    """The voxels, and the label maps of the masks: those in `placed`, else the volume's own. A volume that no source
    placed has neither spacing nor affine, so that nothing in mm can be said or proven of it."""
    if placed is None:
        placed = LabelMaps()
        for label, mask in grid.masks.items():
            placed.add(label, mask)
    data = encode_npy_gz(grid.voxels)
    main = Media(
        member="volume.npy.gz",
        kind="volume",
        shape=grid.voxels.shape,
        dtype=str(grid.voxels.dtype),
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        units=grid.units,
        spacing_mm=grid.spacing_mm if grid.placed else None,
        affine=rows_of(grid.affine) if grid.placed else None,
        window=grid.window,
    )
    return (main, data), *_mask_members(main, placed)


def flat_mask_members(picture: Media, placed: LabelMaps) -> tuple[tuple[Media, bytes], ...]:
    """The label maps of a picture's masks, (y, x) on its canonical pixels."""
    return tuple(_mask_members(picture, placed))


def _mask_members(main: Media, placed: LabelMaps) -> Iterator[tuple[Media, bytes]]:
    """One entry for each mask, on the grid of `main`."""
    for number, (label_map, labels) in enumerate(placed.maps):
        stored = encode_npy_gz(label_map)
        shared = Media(
            member=mask_member(number),
            kind="mask",
            shape=label_map.shape,
            dtype="uint8",
            sha256=hashlib.sha256(stored).hexdigest(),
            size_bytes=len(stored),
            units="label",
            spacing_mm=main.spacing_mm,
            affine=main.affine,
        )
        yield from ((dataclasses.replace(shared, label=label, value=value), stored) for label, value in labels)


def mask_member(number: int) -> str:
    """`masks.npy.gz` for the first label map, `masks_1.npy.gz` for the next."""
    return "masks.npy.gz" if number == 0 else f"masks_{number}.npy.gz"


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
