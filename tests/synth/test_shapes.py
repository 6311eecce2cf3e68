"""Geometry of structures: against brute force, against SimpleITK, and unmoved by how the array is stored."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from manifests.errors import VerificationError
from manifests.record import Media
from synth import shapes
from synth.measured import MAX_STRUCTURES, mask_facts
from synth.proofs import MediaView, call_text, evaluate
from synth.shapes import Part

Array = npt.NDArray[Any]
sitk: Any = SimpleITK  # it has no types
MILLIMETRE = ((0.0, 0.0, 3.0), (0.0, 1.5, 0.0), (2.0, 0.0, 0.0))


def rows(affine: Array) -> Any:
    return tuple(tuple(float(v) for v in row) for row in affine)


def media(member: str, kind: Any, array: Array, affine: Array, **more: Any) -> Media:
    return Media(member, kind, array.shape, str(array.dtype), "0" * 64, array.nbytes, affine=rows(affine), **more)


def blob(shape: tuple[int, ...], seed: int, share: float) -> Array:
    rng = np.random.default_rng(seed)
    mask = (rng.random(shape) < share).astype(np.uint8)
    mask[tuple(rng.integers(0, n) for n in shape)] = 1
    return mask


def part_of(mask: Array) -> Part:
    part = shapes.cropped(mask)
    assert part is not None
    return part


masks = st.builds(
    blob,
    st.tuples(st.integers(1, 5), st.integers(1, 7), st.integers(1, 7)),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.05, 0.3, 0.8, 1.0]),
)


@settings(deadline=None)  # the first call imports scipy
@given(masks)
@pytest.mark.slow
def test_crops_and_centroids_are_those_of_the_points_and_label_maps_give_the_same(mask: Array) -> None:
    part, points = part_of(mask), np.argwhere(mask)
    assert part.start == tuple(points.min(0))
    assert part.stop == tuple(points.max(0) + 1)
    assert np.array_equal(np.argwhere(part.inside) + part.start, points)
    assert shapes.centroid(part) == pytest.approx(points.mean(0))
    labels = np.where(mask, 7, 3 * (np.indices(mask.shape).sum(0) % 2)).astype(np.uint8)
    found = shapes.label_parts(labels, [7, 3, 9])
    assert 9 not in found
    assert found[7].start == part.start
    assert np.array_equal(found[7].inside, part.inside)
    assert shapes.cropped(mask * 0) is None


def brute_axes(plane: Array) -> tuple[float, float]:
    """Longest diameter of a plane's points, and the longest chord across it by bisecting many lines."""
    points = np.argwhere(plane) * [1.5, 2.0]
    pairs = list(itertools.combinations(points, 2))
    if not pairs:
        return 0.0, 0.0
    top = max(float(np.linalg.norm(a - b)) for a, b in pairs)
    widest = 0.0
    for a, b in pairs:
        if np.linalg.norm(a - b) < top - 1e-9:
            continue
        u = (b - a) / np.linalg.norm(b - a)
        flat = np.stack([points @ u, points @ [-u[1], u[0]]], axis=1)
        for t in flat[:, 0]:  # the chord of the hull at t: extremes over all segments that cross it
            low, high = math.inf, -math.inf
            for p, q in itertools.product(flat, flat):
                if p[0] - 1e-9 <= t <= q[0] + 1e-9:
                    ends = (
                        (p[1], q[1])
                        if abs(q[0] - p[0]) < 1e-9
                        else (p[1] + (t - p[0]) / (q[0] - p[0]) * (q[1] - p[1]),)
                    )
                    low, high = min(low, *ends), max(high, *ends)
            widest = max(widest, high - low)
    return top, widest


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.15, 0.4, 1.0]))
def test_long_and_short_axis_equal_brute_force(seed: int, share: float) -> None:
    mask = blob((3, 4, 4), seed, share)
    long, short = shapes.long_and_short(part_of(mask), MILLIMETRE)
    truth = [brute_axes(plane) for plane in mask]
    top = max(length for length, _ in truth)
    assert long == pytest.approx(top, abs=1e-6)
    assert short == pytest.approx(max(s for length, s in truth if length > top - 1e-6), abs=1e-6)


def test_the_axes_of_an_ellipse_are_its_own() -> None:
    y, x = np.ogrid[-40:41, -40:41]
    turned = ((x + y) / math.sqrt(2) / 35) ** 2 + ((x - y) / math.sqrt(2) / 14) ** 2 <= 1
    mask = np.stack([turned & False, turned, turned & (np.hypot(x, y) < 9)])
    long, short = shapes.long_and_short(part_of(mask), ((0, 0, 5), (0, 1, 0), (1, 0, 0)))
    assert long == pytest.approx(70, abs=1.5)
    assert short == pytest.approx(28, abs=1.5)


@settings(deadline=None)
@given(st.lists(st.integers(-2000, 3000), min_size=1, max_size=60), st.integers(0, 3))
@pytest.mark.slow
def test_statistics_equal_numpys(values: list[int], scale: int) -> None:
    array = np.asarray(values, np.int16) if scale == 0 else np.asarray(values, np.float32) / np.float32(2**scale)
    assert shapes.deviation(array) == pytest.approx(float(np.std(array.astype(np.float64))), abs=1e-6)
    assert shapes.median(array) == float(np.median(array.astype(np.float64)))
    for percent in (5, 95):
        assert shapes.percentile(array, percent) == np.percentile(array, percent, method="inverted_cdf")


def stored(mask: Array, affine: Array, order: tuple[int, ...], flips: tuple[bool, ...]) -> tuple[Array, Array]:
    """The same structure in space, with array axes flipped and exchanged; `order` is of (z, y, x)."""
    array, moved = mask, affine.copy()
    for axis, flip in enumerate(flips):
        if flip:
            column = 2 - axis
            moved[:3, 3] += moved[:3, column] * (array.shape[axis] - 1)
            moved[:3, column] *= -1
            array = np.flip(array, axis)
    out = moved.copy()
    for new, old in enumerate(order):
        out[:3, 2 - new] = moved[:3, 2 - old]
    return np.ascontiguousarray(array.transpose(order)), out


@settings(deadline=None, max_examples=50)
@given(masks, st.permutations([0, 1, 2]), st.tuples(st.booleans(), st.booleans(), st.booleans()))
@pytest.mark.slow
def test_millimetres_and_sides_do_not_depend_on_how_the_array_is_stored(
    mask: Array, order: list[int], flips: tuple[bool, ...]
) -> None:
    affine = np.diag([2.0, 1.5, 3.0, 1.0])
    affine[:3, 3] = (-7, 11, 5)
    other = np.roll(mask, 1, axis=2)
    calls = ["volume_ml(mask=a)", "longest_axis_mm(mask=a)", "box_mm(mask=a)", "size_mm(mask=a)", "centroid_mm(mask=a)",
             "is_left_of(a=a, b=b)"]  # fmt: skip
    if tuple(order) == (0, 1, 2) or tuple(order) == (0, 2, 1):
        calls.append("recist_mm(mask=a)")

    def told(how: tuple[tuple[int, ...], tuple[bool, ...]]) -> list[str]:
        entries, arrays = [], {}
        for name, array in (("a", mask), ("b", other)):
            arrays[name], grid = stored(array, affine, *how)
            entries.append(media(name, "mask", arrays[name], grid, label=name))
        return [evaluate(call, MediaView(tuple(entries), arrays.__getitem__)).value for call in calls]

    assume(np.argwhere(mask).mean(0)[2] != np.argwhere(other).mean(0)[2])
    assert told((tuple(order), flips)) == told(((0, 1, 2), (False, False, False)))


def test_boxes_centroids_and_attenuation_equal_simpleitk() -> None:
    mask = blob((9, 20, 30), 3, 0.2)
    mask[:2] = mask[:, :5] = mask[..., 25:] = 0
    volume = np.random.default_rng(4).integers(-900, 1500, mask.shape).astype(np.int16)
    affine = np.diag([-1.5, -2.0, 4.0, 1.0])  # LPS indices, as SimpleITK has them with an identity direction
    images = [sitk.GetImageFromArray(a) for a in (mask, volume)]
    for image in images:
        image.SetSpacing((1.5, 2.0, 4.0))
    truth = sitk.LabelIntensityStatisticsImageFilter()
    truth.Execute(*images)
    entries = (media("m", "mask", mask, affine, label="m"), media("v", "volume", volume, affine, units="HU"))
    view = MediaView(entries, {"m": mask, "v": volume}.__getitem__)

    def value(name: str, **more: str) -> list[float]:
        return [
            float(v)
            for v in evaluate(call_text(name, {"mask": "m", **more}), view).value.replace(" x ", ",").split(",")
        ]

    x, y, z, dx, dy, dz = truth.GetBoundingBox(1)
    assert value("box") == [x, y, z, x + dx, y + dy, z + dz]
    assert value("size_mm") == pytest.approx([dx * 1.5, dy * 2.0, dz * 4.0], abs=0.051)
    cx, cy, cz = truth.GetCentroid(1)
    assert value("centroid_mm") == pytest.approx([-cx, -cy, cz], abs=0.051)
    assert value("mean_hu") == pytest.approx([truth.GetMean(1)], abs=0.051)
    n = truth.GetNumberOfPixels(1)
    assert value("hu", statistic="sd") == pytest.approx(
        [truth.GetStandardDeviation(1) * math.sqrt((n - 1) / n)], abs=0.051
    )
    assert value("hu", statistic="min") == [truth.GetMinimum(1)]
    assert value("hu", statistic="max") == [truth.GetMaximum(1)]
    assert value("longest_axis_mm") == pytest.approx([feret(images[0])], abs=0.051)


def feret(image: Any) -> float:
    truth = sitk.LabelShapeStatisticsImageFilter()
    truth.ComputeFeretDiameterOn()
    truth.Execute(image)
    return float(truth.GetFeretDiameter(1))


def test_facts_of_masks_are_what_the_programs_prove_and_bounded() -> None:
    mask = blob((6, 9, 8), 5, 0.3)
    volume = np.random.default_rng(6).integers(-900, 900, mask.shape).astype(np.int16)
    affine = np.diag([-1.0, -1.5, 2.0, 1.0])
    facts = mask_facts({"liver": mask, "none": mask * 0}, rows(affine), volume, "HU")
    view = MediaView(
        (media("m", "mask", mask, affine, label="liver"), media("v", "volume", volume, affine, units="HU")),
        {"m": mask, "v": volume}.__getitem__,
    )
    assert {f.name for f in facts} == {"volume_ml", "longest_axis_mm", "slice_range", "box", "mean_hu"}
    for fact in facts:
        assert evaluate(call_text(fact.name, {"mask": fact.about}), view) == (fact.value, fact.unit)
        assert (fact.about, fact.origin) == ("liver", "mask:liver")
    assert "mean_hu" not in {f.name for f in mask_facts({"liver": mask}, rows(affine), volume, "scanner")}
    assert len(mask_facts({str(i): mask for i in range(40)}, rows(affine))) == 4 * MAX_STRUCTURES


# --- what is shown stands on another grid ----------------------------------------------------------------------------


def shown_view(mask: Array, affine: Array, shape: tuple[int, ...], grid: Array, **more: Any) -> MediaView:
    volume = np.zeros(shape, np.float32)
    entries = (media("m", "mask", mask, affine, label="m"), media("v", "volume", volume, grid, **more))
    return MediaView(entries, {"m": mask, "v": volume}.__getitem__)


@settings(deadline=None)
@given(masks, st.integers(1, 9), st.booleans(), st.integers(0, 3))
def test_shown_slices_are_those_whose_centre_plane_cuts_the_mask(
    mask: Array, count: int, flipped: bool, cut: int
) -> None:
    """The oracle samples the mask at the centres of the shown planes, in world coordinates."""
    affine = np.diag([-1.0, -1.5, 2.5, 1.0])
    affine[:3, 3] = (3, 4, -20)
    step = 2.5 * (mask.shape[0] + cut) / count  # the shown field of view starts lower by `cut` slices
    grid = affine.copy()
    grid[2, 2], grid[2, 3] = step, -20 - 1.25 - 2.5 * cut + step / 2
    if flipped:
        grid[2, 3] += grid[2, 2] * (count - 1)
        grid[2, 2] *= -1
    slices = tuple(range(0, count, 2))
    for chosen in (None, slices):
        view = shown_view(mask, affine, (len(chosen or range(count)), *mask.shape[1:]), grid, slices=chosen)
        cuts = []
        for number, z in enumerate(chosen or range(count)):
            at = math.floor((grid[2, 2] * z + grid[2, 3] + 20) / 2.5 + 0.5 + 1e-6)
            if 0 <= at < mask.shape[0] and mask[at].any():
                cuts.append(number)
        if cuts:
            assert evaluate("slice_range(mask=m)", view).value == f"{cuts[0]}-{cuts[-1]}"
            box = [int(v) for v in evaluate("box(mask=m)", view).value.split(",")]
            points = np.argwhere(mask)
            assert (box[2], box[5]) == (cuts[0], cuts[-1] + 1)
            assert [box[0], box[1], box[3], box[4]] == [*points.min(0)[:0:-1], *(points.max(0)[:0:-1] + 1)]
        else:
            with pytest.raises(VerificationError, match="none of the"):
                evaluate("slice_range(mask=m)", view)


def test_a_box_follows_a_resize_and_turned_grids_are_refused() -> None:
    mask = np.zeros((10, 40, 60), np.uint8)
    mask[2:6, 10:20, 30:50] = 1
    affine = np.diag([-1.0, -1.0, 3.0, 1.0])
    half = np.diag([-2.0, -2.0, 3.0, 1.0])
    half[:3, 3] = (-0.5, -0.5, 0)  # the centre of the first of the shown pixels, which cover two each
    assert evaluate("box(mask=m)", shown_view(mask, affine, (10, 20, 30), half)).value == "15,5,2,25,10,6"
    crop = affine.copy()
    crop[:3, 3] = affine[:3, :3] @ [25, 5, 1]
    assert evaluate("box(mask=m)", shown_view(mask, affine, (8, 30, 30), crop)).value == "5,5,1,25,15,5"
    exchanged = affine[:, [1, 0, 2, 3]]
    assert evaluate("slice_range(mask=m)", shown_view(mask, affine, (10, 60, 40), exchanged)).value == "2-5"
    tilted = affine.copy()
    tilted[2, 1] = 0.5
    for grid, call in ((exchanged, "box(mask=m)"), (tilted, "slice_range(mask=m)"), (affine * 0, "box(mask=m)")):
        with pytest.raises(VerificationError):
            evaluate(call, shown_view(mask, affine, (10, 60, 41), grid))
    two = Media("m", "mask", (40, 60), "uint8", "0" * 64, 0, label="m")
    shown = MediaView((two, Media("p", "image", (20, 30), "uint8", "0" * 64, 0)), {"m": mask[3]}.__getitem__)
    assert evaluate("box(mask=m)", shown).value == "15,5,25,10"


def test_images_of_single_slices_are_counted_in_their_order() -> None:
    mask = np.zeros((10, 4, 4), np.uint8)
    mask[4:9] = 1
    affine = np.diag([-1.0, -1.0, 3.0, 1.0])
    plane = np.zeros((4, 4), np.uint8)
    images = tuple(media(f"{z}.png", "image", plane, affine, slices=(z,)) for z in (0, 3, 6, 8, 9))
    view = MediaView((media("m", "mask", mask, affine, label="m"), *images), {"m": mask}.__getitem__)
    assert evaluate("slice_range(mask=m)", view).value == "2-3"
    assert evaluate("box(mask=m)", view).value == "0,0,2,4,4,4"
