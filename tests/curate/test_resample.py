"""Resampling: values against SimpleITK and Pillow, places by landmarks, masks by their volume in mL."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import itertools
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from curate.arrays import Array, Volume
from curate.volume import read_volume
from curate.volume.grids import display_codes, index_map, placed, reorient
from curate.volume.resample import Sampling, to_grid, to_shape, to_spacing
from curate.volume.resample_mask import resample_mask
from manifests.errors import RecordError

DATA = Path(__file__).resolve().parents[3] / "shared/data"
EXACT = Sampling("linear", antialias=False, separate_z=False)


def shared(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the licensed data beside the checkout has no {name}")
    return path


def packaged_mr() -> Volume:
    spec = importlib.util.find_spec("nibabel")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return read_volume(Path(spec.submodule_search_locations[0]) / "tests/data/anatomical.nii")


def oblique(spacing_xyz: tuple[float, float, float] = (0.9, 1.3, 2.1)) -> NDArray[np.float64]:
    """Turned by 20 and 15 degrees, with its first axis flipped."""
    a, b = np.deg2rad(20), np.deg2rad(15)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    out = np.eye(4)
    out[:3, :3] = about_z @ about_x @ np.diag(spacing_xyz) @ np.diag([-1, 1, 1])
    out[:3, 3] = (12, -30, 45)
    return out


def blob(affine: NDArray[np.float64], shape: tuple[int, int, int], where: tuple[float, float, float]) -> Volume:
    """A smooth bright spot at a place in RAS+ mm, sigma 4 mm."""
    z, y, x = np.indices(shape)
    world = np.stack([x, y, z, np.ones_like(x)], axis=-1) @ affine.T
    away = ((world[..., :3] - where) ** 2).sum(axis=-1)
    return Volume((1000 * np.exp(-away / 32)).astype(np.float32), affine, "scanner")


def place_of(volume: Volume) -> NDArray[Any]:
    """The centroid of the values in RAS+ mm."""
    weights = volume.voxels.astype(np.float64)
    middle = [float((weights * at).sum() / weights.sum()) for at in np.indices(weights.shape)[::-1]]
    return volume.affine[:3, :3] @ middle + volume.affine[:3, 3]


def itk_image(voxels: Array, affine: NDArray[np.float64]) -> Any:
    sitk: Any = importlib.import_module("SimpleITK")

    image = sitk.GetImageFromArray(voxels)
    lps = np.diag([-1, -1, 1, 1]) @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    return image


def itk_on(volume: Volume, made: Volume, method: str, outside: float) -> Array:
    """What SimpleITK's ResampleImageFilter gives on the grid of `made`, in float64."""
    sitk: Any = importlib.import_module("SimpleITK")

    kind = {"nearest": sitk.sitkNearestNeighbor, "linear": sitk.sitkLinear, "bspline": sitk.sitkBSpline}[method]
    like = itk_image(np.zeros(made.voxels.shape, np.uint8), made.affine)
    source = itk_image(volume.voxels, volume.affine)
    out: Array = sitk.GetArrayFromImage(sitk.Resample(source, like, sitk.Transform(), kind, outside, sitk.sitkFloat64))
    return out


def grids(volume: Volume, sampling: Sampling) -> list[Volume]:
    """Finer, coarser, flipped and moved out of the field, and turned."""
    turned = oblique()
    turned[:3, 3] = volume.affine[:3, 3]
    turned[:3, :3] = turned[:3, :3] @ np.diag([-1, 1, 1])
    z, y, x = volume.voxels.shape
    return [
        to_spacing(volume, tuple(mm / 1.7137 for mm in volume.spacing_mm), sampling, "centre"),  # type: ignore[arg-type]
        to_spacing(volume, tuple(mm * 1.9071 for mm in volume.spacing_mm), sampling, "centre"),  # type: ignore[arg-type]
        to_grid(
            volume, placed(volume.affine, (-0.8371, 1.3013, 1.1017), (x - 4.7, -5.2, 2.1)), (z, y - 4, x), sampling
        ),
        to_grid(volume, turned, (12, 30, 28), sampling),
    ]


@pytest.mark.parametrize("method", ["nearest", "linear", "bspline"])
def test_an_mr_resamples_to_what_simpleitk_gives(method: Any) -> None:
    volume = packaged_mr()
    sampling = Sampling(method, antialias=False, separate_z=False, outside=-7)
    for made in grids(volume, sampling):
        apart = np.abs(made.voxels - itk_on(volume, made, method, -7))
        assert apart.mean() < 0.5  # of integers: rounding alone is 0.25
        assert apart.max() < 0.51 or method == "nearest"
    assert (made.voxels == -7).any()


@pytest.mark.shared_data
@pytest.mark.slow
@pytest.mark.parametrize("method", ["nearest", "linear", "bspline"])
def test_a_real_ct_resamples_to_what_simpleitk_gives_within_one_hu(method: Any) -> None:
    whole = read_volume(shared("ct-totalsegmentator/example_ct_sm.nii.gz"), "HU")
    volume = dataclasses.replace(whole, voxels=np.ascontiguousarray(whole.voxels[:, :60, :70]))
    for made in grids(volume, Sampling(method, antialias=False, separate_z=False)):
        apart = np.abs(made.voxels - itk_on(volume, made, method, -1024))
        assert apart.mean() < 0.5
        assert np.percentile(apart, 99.9) < 0.51  # nearest: one in a thousand may lie halfway between two voxels


def test_shrinking_with_antialiasing_is_pillows_triangle() -> None:
    plane = np.random.default_rng(1).normal(0, 300, (1, 97, 140)).astype(np.float32)
    made = to_shape(Volume(plane, np.eye(4)), (1, 31, 45))
    pillow = np.asarray(PIL.Image.fromarray(plane[0]).resize((45, 31), PIL.Image.Resampling.BILINEAR))
    assert np.abs(made.voxels[0] - pillow).max() < 1e-3


def test_antialiasing_removes_what_the_new_grid_cannot_hold() -> None:
    stripes = np.broadcast_to(np.arange(64) % 2 * 1000.0, (4, 64, 64)).astype(np.float32)
    volume = Volume(stripes, np.eye(4))
    assert np.ptp(to_shape(volume, (4, 20, 20), Sampling()).voxels[:, :, 2:-2]) < 120
    assert np.ptp(to_shape(volume, (4, 20, 20), EXACT).voxels) > 500


def test_an_anisotropic_volume_is_splined_in_plane_and_nearest_through_planes() -> None:
    volume = dataclasses.replace(packaged_mr(), affine=np.diag([1.0, 1.0, 4.0, 1.0]))
    made = to_spacing(volume, (1.5, 0.8, 0.8), Sampling("bspline", antialias=False))
    plane_only = to_spacing(volume, (4.0, 0.8, 0.8), Sampling("bspline", antialias=False, separate_z=False))
    nearest = np.floor((np.arange(len(made.voxels)) + 0.5) * (len(volume.voxels) / len(made.voxels))).astype(int)
    assert np.abs(made.voxels - plane_only.voxels[nearest]).max() <= 1  # a spline through planes rounds at whole steps
    linear = to_spacing(volume, (1.5, 0.8, 0.8), Sampling(antialias=False))
    assert np.abs(linear.voxels - itk_on(volume, linear, "linear", 0)).mean() < 0.5
    isotropic = dataclasses.replace(volume, affine=np.diag([1.0, 1.0, 2.9, 1.0]))
    finer = to_spacing(isotropic, (1.5, 0.8, 0.8), Sampling("bspline", antialias=False))
    assert np.abs(finer.voxels - itk_on(isotropic, finer, "bspline", 0)).mean() < 0.5


@pytest.mark.parametrize("affine", [oblique(), np.diag([-1.0, 1.0, 3.0, 1.0])], ids=["oblique", "flipped"])
def test_a_landmark_stays_where_it_is_in_the_patient(affine: NDArray[np.float64]) -> None:
    middle = affine[:3, :3] @ np.array([24, 20, 13]) + affine[:3, 3]
    volume = blob(affine, (28, 44, 50), tuple(middle))
    turned = np.diag([1.4, 1.2, 1.6, 1.0])
    turned[:3, 3] = middle - turned[:3, :3] @ np.array([24, 24, 20])
    for sampling in (Sampling(), EXACT, Sampling("bspline"), Sampling("nearest")):
        for made in (
            to_spacing(volume, (2.5, 1.7, 2.2), sampling),
            to_spacing(volume, (1.1, 1.7, 0.7), sampling, "centre"),
            to_shape(volume, (30, 20, 61), sampling),
            to_grid(volume, turned, (40, 48, 48), sampling),
        ):
            off = np.linalg.inv(made.affine[:3, :3]) @ (place_of(made) - middle)
            assert np.abs(off).max() < 0.5 if sampling.interpolation == "nearest" else np.abs(off).max() < 0.05


@pytest.mark.slow
def test_a_turn_of_axes_is_exact_and_agrees_with_nibabel() -> None:
    nibabel: Any = importlib.import_module("nibabel")
    orientations: Any = nibabel.orientations
    volume = packaged_mr()
    volume = dataclasses.replace(volume, affine=oblique(), masks={"high": (volume.voxels > 100).astype(np.uint8)})
    image = nibabel.Nifti1Image(volume.voxels.T, volume.affine)
    for letters in itertools.permutations(("LR", "AP", "SI")):
        for codes in map("".join, itertools.product(*letters)):
            made = reorient(volume, codes)
            turn = orientations.ornt_transform(
                orientations.io_orientation(volume.affine), orientations.axcodes2ornt(codes)
            )
            oracle = image.as_reoriented(turn)
            assert made.orientation == codes
            assert np.array_equal(made.voxels, np.asarray(oracle.dataobj).T)
            assert np.allclose(made.affine, oracle.affine, atol=1e-9)
            assert np.array_equal(made.masks["high"], made.voxels > 100)
            assert np.array_equal(to_grid(volume, made.affine, made.voxels.shape).voxels, made.voxels)
    for bad in ("LPL", "XYZ", "LP", ""):
        with pytest.raises(RecordError, match="bad_orientation"):
            reorient(volume, bad)


def test_a_viewer_shows_each_plane_with_head_or_nose_up_and_left_on_the_right() -> None:
    voxels = np.zeros((3, 4, 5), np.int16)
    assert display_codes(Volume(voxels, np.diag([1.0, 1, 1, 1]))) == "LPS"
    sagittal = Volume(voxels, np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]]))
    coronal = Volume(voxels, np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]]))
    assert (display_codes(sagittal), display_codes(coronal)) == ("PIR", "LIP")


def test_beyond_the_field_lies_air_in_hu_and_the_minimum_elsewhere() -> None:
    voxels = np.random.default_rng(0).integers(50, 90, (6, 7, 8)).astype(np.int16)
    far = placed(np.eye(4), (1, 1, 1), (-3, 0, 0))
    for units, outside in (("HU", -1024), ("scanner", voxels.min())):
        made = to_grid(Volume(voxels, np.eye(4), units), far, (6, 7, 14))  # type: ignore[arg-type]
        assert np.array_equal(made.voxels[:, :, 3:11], voxels)
        assert (made.voxels[:, :, [0, 1, 2, 11, 12, 13]] == outside).all()
    turned = to_grid(
        Volume(voxels, np.eye(4), "HU"), oblique((1, 1, 1)) + np.array([[0, 0, 0, 99.0]] * 3 + [[0] * 4]), (4, 4, 4)
    )
    assert (turned.voxels == -1024).all()


def test_dtypes_stay_and_a_spline_never_wraps_round() -> None:
    steps = np.kron(np.array([[0, 255], [255, 0]]), np.ones((8, 8))).astype(np.uint8)
    made = to_shape(Volume(np.stack([steps] * 4), np.eye(4)), (4, 40, 40), Sampling("bspline"))
    assert made.voxels.dtype == np.uint8
    assert made.voxels[1, 2, 2] < 8
    assert made.voxels[1, 2, 38] > 247
    wide = to_shape(Volume(np.stack([steps] * 4).astype(np.float32), np.eye(4)), (4, 40, 40), Sampling("bspline"))
    assert wide.voxels.max() > 255.5  # the overshoot that would have wrapped


def test_nan_counts_as_outside_and_spreads_nowhere() -> None:
    voxels = np.full((5, 9, 9), 3.5, np.float32)
    voxels[2, 4, 4], voxels[0, 0, 0] = np.nan, np.inf
    for method in ("linear", "bspline", "nearest"):
        made = to_shape(Volume(voxels, np.eye(4)), (5, 13, 13), Sampling(method))
        assert np.isfinite(made.voxels).all()


def test_wrong_grids_are_refused_with_what_was_found() -> None:
    volume = Volume(np.zeros((4, 5, 6), np.int16), np.eye(4))
    flat = np.eye(4)
    flat[2, 2] = 0
    cases: list[tuple[str, Any]] = [
        ("bad_spacing", lambda: to_spacing(volume, (1.0, 0.0, 1.0))),
        ("bad_spacing", lambda: to_spacing(volume, (1.0, float("nan"), 1.0))),
        ("bad_shape", lambda: to_shape(volume, (0, 5, 5))),
        ("too_large", lambda: to_shape(volume, (4000, 4000, 4000))),
        ("too_large", lambda: to_spacing(volume, (1e-6, 1e-6, 1e-6))),
        ("bad_affine", lambda: to_grid(Volume(volume.voxels, flat), np.eye(4), (4, 5, 6))),
    ]
    for reason, call in cases:
        with pytest.raises(RecordError) as caught:
            call()
        assert caught.value.reason == reason


@pytest.mark.slow
def test_the_peak_of_memory_stays_below_three_times_the_larger_grid() -> None:
    """Input and output counted; a B-spline has one float32 copy more."""
    volume = Volume(np.random.default_rng(0).integers(0, 2000, (32, 128, 128)).astype(np.int16), np.eye(4))
    for method, antialias in (("linear", True), ("linear", False), ("bspline", False)):
        tracemalloc.start()
        made = to_spacing(volume, (0.8, 1.6, 1.6), Sampling(method, antialias, False))  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        limit = 4 if method == "bspline" else 3
        assert peak + volume.voxels.nbytes < limit * max(volume.voxels.nbytes, made.voxels.nbytes)


def test_an_index_map_undoes_itself() -> None:
    there = index_map(oblique(), np.diag([2.0, 1.0, 3.0, 1.0]))
    back = index_map(np.diag([2.0, 1.0, 3.0, 1.0]), oblique())
    assert np.allclose(there @ back, np.eye(4), atol=1e-12)


# Masks


def ml(mask: Array, affine: NDArray[np.float64]) -> float:
    return float(np.count_nonzero(mask) * abs(np.linalg.det(affine[:3, :3])) / 1000)


def real_masks() -> list[tuple[NDArray[np.uint8], NDArray[np.float64]]]:
    """Structures above 1 mL that do not touch the border, of CT and MR."""
    out = []
    for name in (
        "ct-totalsegmentator/example_seg.nii.gz",
        "ct-totalsegmentator/example_seg_mr.nii.gz",
        "nrrd-masks-pyradiomics/brain1_label.nrrd",
        "nrrd-masks-pyradiomics/prostate_phantom_subvolume-label.nrrd",
    ):
        labels = read_volume(shared(name))
        for value in np.unique(labels.voxels)[1:]:
            mask = (labels.voxels == value).astype(np.uint8)
            if ml(mask, labels.affine) > 1:
                out.append((mask, labels.affine))
    return out


@pytest.mark.shared_data
@pytest.mark.slow
@pytest.mark.parametrize("mm", [1.1, 1.5, 2.2, 3.1])
def test_real_structures_keep_their_volume_within_two_percent(mm: float) -> None:
    masks = real_masks()
    assert len(masks) > 40
    for mask, affine in masks:
        steps = [mm / step for step in np.linalg.norm(affine[:3, :3], axis=0)]
        grid = placed(affine, steps, [(step - 1) / 2 for step in steps])
        z, y, x = (int(np.ceil(n / step)) for n, step in zip(mask.shape, steps[::-1], strict=True))
        made = resample_mask(mask, affine, grid, (z, y, x), "label_gaussian")
        assert ml(made, grid) == pytest.approx(ml(mask, affine), rel=0.02)


@pytest.mark.shared_data
@pytest.mark.slow
@pytest.mark.parametrize("mm", [1.4, 2.6])
def test_structures_that_touch_keep_their_volumes_and_never_overlap(mm: float) -> None:
    labels = read_volume(shared("ct-totalsegmentator/example_seg.nii.gz"))
    masks = {str(v): (labels.voxels == v).astype(np.uint8) for v in np.unique(labels.voxels)[1:]}
    made = to_spacing(dataclasses.replace(labels, masks=masks), (mm, mm, mm))
    assert sum(mask.astype(int) for mask in made.masks.values()).max() == 1  # type: ignore[union-attr]
    for name, mask in masks.items():
        if ml(mask, labels.affine) > 1:
            assert ml(made.masks[name], made.affine) == pytest.approx(ml(mask, labels.affine), rel=0.02)


def test_a_finer_grid_keeps_a_nearest_masks_volume_and_outline() -> None:
    z, y, x = np.indices((20, 30, 40))
    mask = (((z - 9) / 6) ** 2 + ((y - 14) / 9) ** 2 + ((x - 22) / 12) ** 2 < 1).astype(np.uint8)
    affine = oblique((2, 2, 3))
    volume = Volume(mask.astype(np.int16), affine, masks={"ball": mask})
    for method in ("nearest", "label_gaussian"):
        made = to_spacing(volume, (1.3, 0.9, 0.9), Sampling(masks=method))
        assert ml(made.masks["ball"], made.affine) == pytest.approx(ml(mask, affine), rel=0.01)
        inside = made.voxels > 0
        both = np.count_nonzero(inside & (made.masks["ball"] > 0))
        assert 2 * both / (np.count_nonzero(inside) + np.count_nonzero(made.masks["ball"])) > 0.97
    whole = resample_mask(mask, affine, affine, mask.shape, "nearest")
    assert np.array_equal(whole, mask)


def test_a_mask_outside_of_the_grid_or_empty_is_empty() -> None:
    mask = np.zeros((8, 9, 10), np.uint8)
    assert not resample_mask(mask, np.eye(4), np.eye(4), (8, 9, 10), "label_gaussian").any()
    mask[1, 1, 1] = 1
    far = placed(np.eye(4), (1, 1, 1), (5, 5, 5))
    for method in ("nearest", "label_gaussian"):
        assert not resample_mask(mask, np.eye(4), far, (3, 3, 3), method).any()
        assert resample_mask(mask, np.eye(4), oblique((1, 1, 1)), (30, 30, 30), method).sum() <= 2
