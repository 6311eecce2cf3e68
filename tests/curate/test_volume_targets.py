"""Volume targets: each shows what its loader would, and its affine says where, on any grid."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from curate.arrays import Array, Volume
from curate.volume import targets
from curate.volume.config import Grid, KeySlices
from curate.volume.grids import placed, reorient
from curate.volume.m3d import to_m3d
from curate.volume.targets import Shown
from curate.volume.views import on_grid, show_key_slices
from curate.volume.windows import WindowLevel
from manifests.errors import Reject
from tests.curate.test_resample import itk_on, oblique

LANDMARK = np.array([-31.0, 24.0, 13.0])  # mm from the middle of the field: to the patient's left, front and head
RADIUS = 11.0


def phantom(affine: NDArray[np.float64], shape: tuple[int, int, int]) -> Volume:
    """A body of 0 HU in air with one bright ball of 900 HU, drawn in patient space."""
    z, y, x = np.indices(shape)
    world = np.stack([x, y, z, np.ones_like(x)], axis=-1) @ affine.T
    from_middle = world[..., :3] - middle(affine, shape)
    body = (from_middle / (75, 68, 70)) ** 2
    voxels = np.where(body.sum(axis=-1) < 1, 0, -1000).astype(np.int16)
    ball = ((from_middle - LANDMARK) ** 2).sum(axis=-1) < RADIUS**2
    voxels[ball] = 900
    return Volume(voxels, affine, "HU", masks={"ball": ball.astype(np.uint8)})


def middle(affine: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[Any]:
    return affine[:3, :3] @ ((np.array(shape[::-1]) - 1) / 2) + affine[:3, 3]


def cases() -> dict[str, Volume]:
    flipped = np.diag([-2.1, 2.3, 4.0, 1.0])
    sagittal = np.array([[0, 0, 3.0, 5], [-2.0, 0, 0, 7], [0, -2.2, 0, -4], [0, 0, 0, 1]])
    return {
        "flipped": phantom(flipped, (40, 70, 78)),
        "oblique": phantom(oblique((2.2, 2.0, 3.0)), (56, 80, 76)),
        "sagittal": phantom(sagittal, (54, 70, 76)),
    }


VOLUMES = cases()
MADE: dict[str, Callable[[Volume], Shown]] = {
    "canonical": lambda v: Shown(v.voxels, v.affine, v.units),
    "m3d": targets.m3d_32x256x256,
    "fleming": targets.fleming_11x448,
    "ct_clip": targets.ct_clip_480x480x240,
    "merlin": targets.merlin_224x224x160,
    "hulu": targets.hulu_180,
    "medm_vl": targets.medm_vl_32x256x256,
    "deeptumor": targets.deeptumor_frames,
    "key_slices": lambda v: show_key_slices(v, KeySlices(count=60, min_gap_mm=0)),
    "grid": lambda v: shown_grid(v, Grid(spacing_mm=(2.6, 1.9, 2.2))),
    "grid_both": lambda v: shown_grid(v, Grid(spacing_mm=(2.5, 2, 2), shape=(64, 99, 97), orientation="RAS")),
    "grid_shape": lambda v: shown_grid(v, Grid(spacing_mm=None, shape=(33, 64, 65), window="bone")),
}


LARGE = ("ct_clip", "merlin")


def shown_grid(volume: Volume, target: Grid) -> Shown:
    made = on_grid(volume, target)
    return Shown(made.voxels, made.affine, made.units)


def bright(shown: Shown) -> tuple[NDArray[Any], float]:
    """The ball's centroid in indices (x, y, z) of the affine's grid, and how far apart shown slices are along z."""
    low, high = float(shown.voxels.min()), float(shown.voxels.max())
    marked = shown.voxels > low + 0.75 * (high - low)
    for number, plane in enumerate(
        shown.voxels
    ):  # where slices are stretched, the body is bright in those without the ball
        body = (plane > low + 0.2 * (high - low)) & (plane < low + 0.7 * (high - low))
        marked[number] &= body.mean() > 0.06
    z, y, x = np.nonzero(marked)
    slices = np.arange(len(shown.voxels)) if shown.slices is None else np.array(shown.slices)
    return np.array([x.mean(), y.mean(), slices[z].mean()]), float(np.diff(slices).max())


@pytest.mark.parametrize("case", list(VOLUMES))
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in LARGE else n for n in MADE])
def test_a_landmark_lies_where_the_affine_says(name: str, case: str) -> None:
    volume = VOLUMES[case]
    shown = MADE[name](volume)
    at, gap = bright(shown)
    truth = middle(volume.affine, volume.voxels.shape) + LANDMARK
    place = np.linalg.solve(shown.affine, np.array([*truth, 1.0]))[:3]
    coarser = [max(1.0, a / b) for a, b in zip(volume.spacing_mm[::-1], lengths(shown.affine), strict=True)]
    if case == "sagittal":
        coarser = [max(coarser)] * 3
    assert np.all(np.abs(at - place) < 0.5 * np.array(coarser) + np.array([0, 0, 0.5 * (gap - 1)]))
    world = (shown.affine @ np.array([*at, 1.0]))[:3] - middle(volume.affine, volume.voxels.shape)
    assert world[0] < -20  # the patient's left
    assert world[1] > 12  # front
    assert world[2] > 5  # head


def lengths(affine: NDArray[np.float64]) -> list[float]:
    return [float(v) for v in np.linalg.norm(affine[:3, :3], axis=0)]


@pytest.mark.slow
@pytest.mark.parametrize("case", ["flipped", "oblique"])
def test_the_resampled_targets_hold_what_simpleitk_reads_at_their_affine(case: str) -> None:
    """Value and place at once: the source, resampled by SimpleITK onto the target's grid, then shaded as published."""
    whole = VOLUMES[case]
    noisy = whole.voxels + np.random.default_rng(5).integers(-60, 60, whole.voxels.shape)
    volume = dataclasses.replace(whole, voxels=noisy.astype(np.int16), masks={})
    cut = dataclasses.replace(volume, voxels=np.clip(volume.voxels, -1000, 1000))
    outside = -31000.0
    shades: list[tuple[str, Volume, Callable[[Array], Array]]] = [
        ("ct_clip", cut, lambda hu: hu / 1000),
        ("merlin", volume, lambda hu: (np.clip(hu, -1000, 1000) + 1000) / 2000),
        ("medm_vl", cut, lambda hu: (hu + 1000) / 2000 * 255),
        ("m3d", volume, lambda hu: (hu - volume.voxels.min()) / np.ptp(volume.voxels)),
    ]
    for name, source, shade in shades:
        shown = MADE[name](volume)
        grid = Volume(shown.voxels[::6, ::3, ::3], placed(shown.affine, (3, 3, 6), (0, 0, 0)))
        hu = itk_on(source, grid, "linear", outside)
        read = hu != outside
        assert read.mean() > 0.05
        tolerance = 1.0 if name == "medm_vl" else 2e-3  # it cuts off to whole grey levels
        assert np.abs(grid.voxels - shade(hu))[read].max() <= tolerance


@pytest.mark.slow
def test_the_shapes_ranges_and_tokens_are_those_of_the_models() -> None:
    volume = VOLUMES["flipped"]
    facts = {
        name: (
            made.voxels.shape,
            str(made.voxels.dtype),
            made.tokens,
            float(made.voxels.min()),
            float(made.voxels.max()),
        )
        for name, made in (
            (name, MADE[name](volume)) for name in ("m3d", "fleming", "ct_clip", "merlin", "hulu", "medm_vl")
        )
    }
    assert facts == {
        "m3d": ((32, 256, 256), "float32", 256, 0.0, 1.0),
        "fleming": ((11, 448, 448), "uint8", 2816, 0.0, 255.0),
        "ct_clip": ((240, 480, 480), "float32", 13824, -1.0, pytest.approx(0.9)),
        "merlin": ((160, 224, 224), "float32", 490, 0.0, pytest.approx(0.95)),
        "hulu": ((180, 70, 78), "uint8", 0, 0.0, 255.0),
        "medm_vl": ((32, 256, 256), "uint8", 256, 0.0, 242.0),
    }


def test_merlin_is_turned_to_ras_and_its_middle_is_cut_out() -> None:
    ramp = np.broadcast_to(np.arange(300, dtype=np.int16) * 3 - 450, (4, 8, 300))
    made = targets.merlin_224x224x160(Volume(np.ascontiguousarray(ramp), np.diag([-1.5, 1.5, 3.0, 1.0]), "HU"))
    turned = reorient(VOLUMES["sagittal"], "RAS")
    assert Volume(made.voxels, made.affine).orientation == "RAS"
    assert targets.merlin_224x224x160(VOLUMES["sagittal"]).affine[:3, :3] == pytest.approx(
        turned.affine[:3, :3] / np.array(turned.spacing_mm[::-1]) * (1.5, 1.5, 3)
    )
    inside = made.voxels[78, 108]
    expected = (ramp[0, 0, ::-1][38:262] + 1000) / 2000  # MONAI: from 300 // 2 - 224 // 2, of flipped columns
    assert np.allclose(inside, expected, atol=1e-6)
    assert np.flatnonzero(made.voxels.any(axis=(1, 2))).tolist() == [78, 79, 80, 81]


@pytest.mark.slow
def test_ct_clip_pads_the_smaller_half_before() -> None:
    volume = Volume(np.arange(5 * 7 * 7, dtype=np.int16).reshape(5, 7, 7), np.diag([0.75, 0.75, 1.5, 1.0]), "HU")
    made = targets.ct_clip_480x480x240(volume)
    assert np.array_equal(np.rint(made.voxels[117:122, 236:243, 236:243] * 1000), volume.voxels)
    assert (made.voxels == -1).sum() == made.voxels.size - volume.voxels.size


def test_fleming_and_hulu_show_what_their_loaders_compute() -> None:
    volume = VOLUMES["oblique"]
    tensor, shown = to_m3d(volume), targets.fleming_11x448(volume)
    assert shown.slices == (0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 31)
    for k, z in enumerate(shown.slices):
        plane = tensor[z]
        stretched = ((plane - plane.min()) / (plane.max() - plane.min()) * 255).astype(np.uint8)
        resized = PIL.Image.fromarray(np.stack([stretched] * 3, axis=-1)).resize(
            (448, 448), PIL.Image.Resampling.BICUBIC
        )
        assert np.array_equal(shown.voxels[k], np.asarray(resized)[..., 0])
    hulu = targets.hulu_180(volume)
    assert hulu.slices == tuple(np.linspace(0, 55, 180, dtype=int).tolist())
    for k in (0, 60, 100):
        plane64 = volume.voxels[hulu.slices[k]].astype(np.float64)
        span = plane64.max() - plane64.min()
        expected = ((plane64 - plane64.min()) / span * 255.0).astype(np.uint8) if span else np.zeros(plane64.shape)
        assert np.array_equal(hulu.voxels[k], expected)


@pytest.mark.parametrize("case", list(VOLUMES))
def test_pictures_show_the_patients_left_on_the_right(case: str) -> None:
    volume = VOLUMES[case]
    shown = targets.deeptumor_frames(volume)
    at, _ = bright(shown)
    assert at[0] > shown.voxels.shape[2] / 2 + 5  # left of the patient
    assert at[1] < shown.voxels.shape[1] / 2 - 3  # front is up
    key = show_key_slices(volume, KeySlices(count=1))
    z, y, x = np.argwhere(key.voxels == 255).mean(axis=0)
    assert z == 0
    if case == "sagittal":  # its own plane: front on the left, head up
        assert x < key.voxels.shape[2] / 2 - 5
        assert y < key.voxels.shape[1] / 2
    else:
        assert x > key.voxels.shape[2] / 2 + 5
        assert y < key.voxels.shape[1] / 2 - 3


def test_a_blank_or_unscaled_volume_is_dropped_with_its_reason() -> None:
    blank = Volume(np.full((5, 20, 20), 40, np.int16), np.eye(4), "HU")
    scanner = dataclasses.replace(VOLUMES["flipped"], units="scanner")
    for name in set(MADE) - {"canonical"}:
        with pytest.raises(Reject) as caught:
            MADE[name](blank)
        assert caught.value.reason == "blank"
    for name in ("ct_clip", "merlin", "medm_vl", "deeptumor", "grid_shape"):
        with pytest.raises(Reject) as caught:
            MADE[name](scanner)
        assert caught.value.reason == "not_hu"
    with pytest.raises(Reject, match="not_hu"):
        show_key_slices(scanner, KeySlices(window="lung"))
    assert show_key_slices(scanner, KeySlices()).voxels.max() == 255
    with pytest.raises(Reject, match="blank"):
        on_grid(dataclasses.replace(VOLUMES["flipped"], masks={}), Grid(window=WindowLevel(centre=2500, width=10)))


def test_nan_in_a_volume_is_shown_as_the_lowest_value() -> None:
    voxels = VOLUMES["flipped"].voxels.astype(np.float32)
    voxels[voxels == -1000] = np.nan
    volume = dataclasses.replace(VOLUMES["flipped"], voxels=voxels, masks={})
    for name, make in MADE.items():
        if name not in ("canonical", "ct_clip", "merlin"):  # these share medm_vl's shading
            assert np.isfinite(make(volume).voxels).all(), name


def test_a_grids_masks_lie_on_its_voxels() -> None:
    made = on_grid(VOLUMES["oblique"], Grid(spacing_mm=(2, 2, 2), masks="label_gaussian", orientation="LPS"))
    ball = made.masks["ball"] > 0
    assert made.voxels[ball].mean() > 800
    assert ball.sum() * 8 == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.05)
