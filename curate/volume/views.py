"""Views of volumes that a recipe parametrises: the slices that a record is about, and grids of one's own."""

from __future__ import annotations

import dataclasses
import math

from curate.arrays import Volume
from curate.volume import key_slices
from curate.volume.config import Grid, KeySlices
from curate.volume.grids import placed
from curate.volume.resample import Sampling, to_grid, to_shape, to_spacing
from curate.volume.targets import TILE_TOKENS, Shown, contrasted, oriented, require_signal
from curate.volume.windows import bounds, chosen, label, require_hu, shown


def show_key_slices(volume: Volume, target: KeySlices, text: str = "") -> Shown:
    """uint8 (n, y, x): min(count, depth) slices of the stack's own plane, as a viewer shows it, chosen by
    `key_slices.chosen` from what `text` names and `volume.masks` mark. 256 tokens per slice, one tile each.

    Raises Reject `not_hu` where a window is given in HU and the voxels are not, `blank`.
    """
    require_signal(volume)
    turned = oriented(volume, "display")
    depth = len(turned.voxels)
    gap = max(1, math.ceil(target.min_gap_mm / turned.spacing_mm[0] - 1e-6))
    named = key_slices.indices_of(key_slices.mentions(text), depth, target.numbering)
    slices = key_slices.chosen(depth, target.count, gap, named, turned.masks)
    pictures = contrasted(shown(turned.voxels[slices], chosen(turned, target.window)))
    return Shown(pictures, turned.affine, "display", tuple(slices), len(slices) * TILE_TOKENS)


def on_grid(volume: Volume, target: Grid) -> Volume:
    """The volume and its masks on the target's grid; with a window uint8 "display", else in its units and dtype. A mask
    of which nothing is left there is left out.

    Raises Reject `not_hu`, `blank`; RecordError as `curate.volume.resample.to_grid`.
    """
    require_signal(volume)
    if target.window is not None:
        require_hu(volume.units, f"the window '{label(target.window)}'")
    sampling = Sampling(target.interpolation, target.antialias, masks=target.masks)
    made = _sampled(oriented(volume, target.orientation), target, sampling)
    made = dataclasses.replace(made, masks={name: mask for name, mask in made.masks.items() if mask.any()})
    if target.window is None:
        return made
    return dataclasses.replace(
        made, voxels=contrasted(shown(made.voxels, bounds(target.window))), units="display", window=None
    )


def _sampled(volume: Volume, target: Grid, sampling: Sampling) -> Volume:
    if target.spacing_mm is None:
        return volume if target.shape is None else to_shape(volume, target.shape, sampling)
    if target.shape is None:
        return to_spacing(volume, target.spacing_mm, sampling)
    steps = [new / old for new, old in zip(target.spacing_mm[::-1], volume.spacing_mm[::-1], strict=True)]
    offsets = [
        (old - 1) / 2 - step * (new - 1) / 2
        for old, new, step in zip(volume.voxels.shape[::-1], target.shape[::-1], steps, strict=True)
    ]
    return to_grid(volume, placed(volume.affine, steps, offsets), target.shape, sampling)
