"""Proofs: their notation, their values against SimpleITK, brute force and the upstream's statistics, their refusals."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.errors import VerificationError
from manifests.record import Asked, Fact, Media
from manifests.sample import Proof
from synth import proofs
from synth.calls import format_size
from synth.proofs import Call, MediaView, call_text, check, evaluate, format_call, format_number, parse_call, prove
from synth.tasks.spacing import spacing_words

Array = npt.NDArray[Any]
sitk: Any = SimpleITK  # it has no types
SHARED = Path(__file__).resolve().parents[2] / "../shared/data/ct-totalsegmentator"
ORGANS = ("liver", "spleen", "kidney_left", "kidney_right", "pancreas", "aorta", "gallbladder", "vertebrae_L1")
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data/ct-totalsegmentator")


def media(member: str, kind: Any, array: Array, affine: Array | None = None, **more: Any) -> Media:
    rows: Any = None if affine is None else tuple(tuple(float(v) for v in row) for row in affine)
    return Media(member, kind, array.shape, str(array.dtype), "0" * 64, array.nbytes, affine=rows, **more)


def view_of(
    arrays: dict[str, tuple[Media, Array]], facts: tuple[Fact, ...] = (), text: str = "", asked: tuple[Asked, ...] = ()
) -> MediaView:
    stored = {member: array for member, (_, array) in arrays.items()}
    return MediaView(tuple(m for m, _ in arrays.values()), stored.__getitem__, facts, text=text, asked=asked)


def one_mask(array: Array, affine: Array | None = None, **more: Any) -> MediaView:
    return view_of({"m": (media("m", "mask", array, affine, label="thing", **more), array)})


def read_nifti(path: Path) -> tuple[Array, Array]:
    image: Any = nib.load(path)
    return np.ascontiguousarray(np.asarray(image.dataobj).transpose(2, 1, 0)), image.affine


@pytest.fixture(scope="module")
def ct() -> MediaView:
    array, affine = read_nifti(SHARED / "example_ct_sm.nii.gz")
    arrays = {"volume.npy.gz": (media("volume.npy.gz", "volume", array, affine, units="HU"), array)}
    for name in ORGANS:
        mask, grid = read_nifti(SHARED / "example_seg_fast" / f"{name}.nii.gz")
        arrays[name] = (media(name, "mask", mask, grid, label=name), mask)
    return view_of(arrays)


@pytest.fixture(scope="module")
def mni() -> MediaView:
    spec = importlib.util.find_spec("nilearn")
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "datasets/data"
    arrays = {}
    for short, kind in (("t1", "volume"), ("gm", "mask"), ("wm", "mask")):
        array, affine = read_nifti(folder / f"mni_icbm152_{short}_tal_nlin_sym_09a_converted.nii.gz")
        if kind == "mask":
            array = (array.astype(np.float32) / array.max() > 0.5).astype(np.uint8)
        label = {"gm": "gray_matter", "wm": "white_matter"}.get(short, "")
        arrays[short] = (media(short, kind, array, affine, label=label), array)
    return view_of(arrays)


# --- notation --------------------------------------------------------------------------------------------------------

names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
calls = st.builds(
    lambda name, args: Call(name, tuple(args.items())), names, st.dictionaries(names, st.text(max_size=20), max_size=4)
)


@given(calls)
@pytest.mark.slow
def test_every_call_survives_its_text(call: Call) -> None:
    assert parse_call(format_call(call)) == call


@given(st.text(alphabet='abc(),= "\\_/1\n', max_size=24))
def test_a_text_is_refused_or_is_the_one_text_of_its_call(text: str) -> None:
    try:
        call = parse_call(text)
    except VerificationError:
        return
    assert format_call(call) == text


@pytest.mark.parametrize(
    "text",
    ["", "volume_ml", "volume_ml(", "volume_ml(liver)", "volume_ml(mask=)", "volume_ml(mask=liver", "f(a=1,b=2)",
     "f(a=1, a=2)", "f(a=1, )", "f( a=1)", "f(a= 1)", 'f(a="liver")', "F(a=1)", "f(a=1)\n", "f(a=1);g()", "f(a=b)c)",
     "f(a=é)", "__import__('os')", 'f(a="x)', "f(a=1 , b=2)"],
)  # fmt: skip
def test_anything_but_the_canonical_notation_is_refused(text: str) -> None:
    with pytest.raises(VerificationError):
        parse_call(text)


def test_plain_values_stand_bare_and_others_are_quoted() -> None:
    assert call_text("volume_ml", {"mask": "left kidney"}) == "volume_ml(mask=left kidney)"
    assert call_text("span", {"text": 'a "b", c'}) == 'span(text="a \\"b\\", c")'


@given(st.floats(-1e9, 1e9), st.integers(0, 4))
def test_numbers_are_plain_decimals_with_fixed_places(value: float, places: int) -> None:
    text = format_number(value, places)
    assert abs(float(text) - value) <= 0.5000001 * 10**-places + abs(value) * 1e-12
    assert "e" not in text.lower()
    assert len(text.partition(".")[2]) == places
    assert not (float(text) == 0 and text.startswith("-"))


# --- values against independent truth --------------------------------------------------------------------------------


@pytest.mark.shared_data
@needs_shared
@pytest.mark.parametrize("name", ORGANS)
@pytest.mark.slow
def test_size_and_diameter_of_real_organs_equal_simpleitk(ct: MediaView, name: str) -> None:
    image = sitk.ReadImage(str(SHARED / "example_seg_fast" / f"{name}.nii.gz"))
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.ComputeFeretDiameterOn()
    shapes.Execute(sitk.Cast(image > 0, sitk.sitkUInt8))
    call = {"mask": name}
    assert float(evaluate(call_text("volume_ml", call), ct).value) == pytest.approx(
        shapes.GetPhysicalSize(1) / 1000, abs=0.006
    )
    assert float(evaluate(call_text("longest_axis_mm", call), ct).value) == pytest.approx(
        shapes.GetFeretDiameter(1), abs=0.051
    )
    parts = sitk.ConnectedComponentImageFilter()
    parts.FullyConnectedOn()
    parts.Execute(image > 0)
    assert evaluate(call_text("count", call), ct).value == str(parts.GetObjectCount())
    x, y, z = proofs.centroid_ras(ct, name)
    assert (-x, -y, z) == pytest.approx(shapes.GetCentroid(1), abs=1e-3)


@pytest.mark.shared_data
@needs_shared
def test_volumes_of_real_organs_equal_the_upstreams_statistics(ct: MediaView) -> None:
    published = json.loads((SHARED / "example_seg_fast/statistics.json").read_text())
    for name in ORGANS:
        ours = float(evaluate(call_text("volume_ml", {"mask": name}), ct).value)
        assert ours == pytest.approx(published[name]["volume"] / 1000, abs=0.006)


@pytest.mark.shared_data
@needs_shared
def test_anatomy_of_a_real_patient_comes_out_on_the_right_sides(ct: MediaView) -> None:
    assert evaluate("is_left_of(a=spleen, b=liver)", ct).value == "yes"
    assert evaluate("is_left_of(a=kidney_right, b=kidney_left)", ct).value == "no"
    assert evaluate("largest()", ct).value == "liver"
    assert evaluate("plane()", ct).value == "axial"
    published = json.loads((SHARED / "example_seg_fast/statistics.json").read_text())
    assert evaluate("smallest()", ct).value == min(ORGANS, key=lambda name: float(published[name]["volume"]))
    assert evaluate("nearest(mask=gallbladder)", ct).value in ("liver", "pancreas", "kidney_right")
    assert evaluate("label_count()", ct).value == str(len(ORGANS))


@pytest.mark.shared_data
@needs_shared
def test_mean_attenuation_equals_simpleitk_and_needs_hounsfield_units(ct: MediaView) -> None:
    stats = sitk.LabelStatisticsImageFilter()
    mask = sitk.ReadImage(str(SHARED / "example_seg_fast/liver.nii.gz"))
    stats.Execute(sitk.ReadImage(str(SHARED / "example_ct_sm.nii.gz")), sitk.Cast(mask > 0, sitk.sitkUInt8))
    assert float(evaluate("mean_hu(mask=liver)", ct).value) == pytest.approx(stats.GetMean(1), abs=0.051)
    scaled = dataclasses.replace(ct, media=tuple(dataclasses.replace(m, units="scanner") for m in ct.media))
    with pytest.raises(VerificationError, match="HU"):
        evaluate("mean_hu(mask=liver)", scaled)
    assert evaluate("mean_intensity(mask=liver)", scaled).unit == ""


def test_grey_and_white_matter_of_a_real_brain_measure_what_simpleitk_says(mni: MediaView) -> None:
    for name in ("gray_matter", "white_matter"):
        array = mni.load("gm" if name == "gray_matter" else "wm")
        image = sitk.GetImageFromArray(array)
        affine = np.asarray(next(m.affine for m in mni.media if m.label == name))
        image.SetSpacing([float(n) for n in np.linalg.norm(affine[:3, :3], axis=0)])
        shapes = sitk.LabelShapeStatisticsImageFilter()
        shapes.Execute(image)
        volume = float(evaluate(call_text("volume_ml", {"mask": name}), mni).value)
        assert volume == pytest.approx(shapes.GetPhysicalSize(1) / 1000, abs=0.006)
        assert 300 < volume < 1500
        box = shapes.GetBoundingBox(1)
        assert evaluate(call_text("slice_range", {"mask": name}), mni).value == f"{box[2]}-{box[2] + box[5] - 1}"
    assert evaluate("largest()", mni).value == "gray_matter"
    assert [evaluate(f"extent_mm(axis={axis})", mni).value for axis in "xyz"] == ["197.0", "233.0", "189.0"]


shapes_3d = st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(1, 7))


@settings(deadline=None)
@given(shapes_3d, st.integers(0, 2**32 - 1), st.sampled_from([0.1, 0.5, 1.0]))
@pytest.mark.slow
def test_longest_axis_equals_brute_force_also_for_flat_and_straight_masks(
    shape: tuple[int, ...], seed: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    mask = (rng.random(shape) < share).astype(np.uint8)
    mask[tuple(rng.integers(0, n) for n in shape)] = 1
    affine = np.eye(4)
    affine[:3, :3] = rng.normal(size=(3, 3)) + 3 * np.eye(3)  # sheared and rotated
    points = np.argwhere(mask)[:, ::-1] @ affine[:3, :3].T
    truth = max((float(np.linalg.norm(a - b)) for a, b in itertools.combinations(points, 2)), default=0.0)
    assert float(evaluate("longest_axis_mm(mask=thing)", one_mask(mask, affine)).value) == pytest.approx(
        truth, abs=0.0501
    )


@pytest.mark.parametrize(
    ("columns", "plane"),
    [(((1, 0, 0), (0, 1, 0), (0, 0, 5)), "axial"), (((-1, 0, 0), (0, 0, 1), (0, 5, 0)), "coronal"),
     (((0, -1, 0), (0, 0, 1), (3, 0, 0)), "sagittal"), (((1, 0, 0), (0, 0.9, 0.3), (0, -1, 3)), "axial"),
     (((1, 0, 0), (0, 1, 1), (0, -1, 1)), "oblique")],
)  # fmt: skip
def test_the_plane_is_that_of_the_slices(columns: tuple[tuple[float, ...], ...], plane: str) -> None:
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(columns).T
    array = np.zeros((2, 3, 4), np.int16)
    assert evaluate("plane()", view_of({"v": (media("v", "volume", array, affine), array)})).value == plane


def test_left_is_the_patients_left_however_the_array_is_stored() -> None:
    array_a, array_b = np.zeros((1, 1, 9), np.uint8), np.zeros((1, 1, 9), np.uint8)
    array_a[..., 1], array_b[..., 7] = 1, 1
    for direction, expected in ((1.0, "yes"), (-1.0, "no")):  # index grows to the right, then to the left
        affine = np.diag([direction, 1, 1, 1])
        view = view_of(
            {
                "a": (media("a", "mask", array_a, affine, label="a"), array_a),
                "b": (media("b", "mask", array_b, affine, label="b"), array_b),
            }
        )
        assert evaluate("is_left_of(a=a, b=b)", view).value == expected


def test_distances_between_centroids_are_in_space_and_ties_have_no_nearest() -> None:
    arrays = {}
    for name, at in (("a", (0, 0, 0)), ("b", (0, 0, 4)), ("c", (1, 0, 0))):
        mask = np.zeros((2, 3, 6), np.uint8)
        mask[at] = 1
        arrays[name] = (media(name, "mask", mask, np.diag([2.0, 2, 5, 1]), label=name), mask)
    view = view_of(arrays)
    assert evaluate("centroid_distance_mm(a=a, b=b)", view) == ("8.0", "mm")
    assert evaluate("centroid_distance_mm(a=b, b=c)", view) == ("9.4", "mm")
    assert evaluate("nearest(mask=a)", view).value == "c"
    assert evaluate("label_count()", view).value == "3"
    level = dataclasses.replace(
        view,
        media=tuple(
            dataclasses.replace(m, affine=((2, 0, 0, 0), (0, 2, 0, 0), (0, 0, 8, 0), (0, 0, 0, 1))) for m in view.media
        ),
    )
    for call in ("nearest(mask=a)", "smallest()"):
        with pytest.raises(VerificationError, match="equally"):
            evaluate(call, level)


def test_diagonal_neighbours_are_one_part_and_two_members_of_a_label_are_two_objects() -> None:
    one, two = np.zeros((3, 3, 3), np.uint8), np.zeros((3, 3, 3), np.uint8)
    one[0, 0, 0], two[2, 2, 2] = 1, 1
    entries = {n: (media(n, "mask", a, np.eye(4), label="spot"), a) for n, a in (("one", one), ("two", two))}
    both = one | two
    alone = {"one": (media("one", "mask", both, np.eye(4), label="spot"), both)}
    assert [evaluate("count(mask=spot)", view_of(e)).value for e in (entries, alone)] == ["2", "2"]
    one[1, 1, 1] = both[1, 1, 1] = 1
    assert [evaluate("count(mask=spot)", view_of(e)).value for e in (entries, alone)] == ["2", "1"]
    assert len({evaluate("volume_ml(mask=spot)", view_of(e)).value for e in (entries, alone)}) == 1


def test_video_programs_use_the_time_stamps() -> None:
    array = np.zeros((4, 2, 2), np.uint8)
    view = view_of({"v": (media("v", "video", array, times_s=(0.0, 0.5, 1.0, 1.5)), array)})
    assert evaluate("frame_count()", view).value == "4"
    assert evaluate("duration_s()", view) == ("2.00", "s")


def test_facts_and_source_text_are_quoted_verbatim() -> None:
    facts = (Fact("label", "nevus", "t"), Fact("finding", "yes", "t", about="edema"), Fact("label", "mole", "t"))
    asked = (Asked("Is the heart large?", "No", why="It is normal."), Asked("How large is it?", "Not large at all"))
    view = view_of({}, facts, text="The heart  is\nnot enlarged.", asked=asked)
    assert evaluate("label(fact=label)", view).value == "nevus; mole"
    assert evaluate("label(fact=finding, about=edema)", view).value == "yes"
    assert evaluate("span(text=heart is not)", view).value == "heart is not"
    assert evaluate("digest(field=answer, number=1)", view).value.startswith("1ea442a134b2a184")
    assert evaluate("digest(field=why, number=1)", view) == (hashlib.sha256(b"It is normal.").hexdigest(), "")
    assert evaluate("span(text=large at all)", view).value == "large at all"
    assert evaluate("span(text=No, number=1)", view).value == "No"  # with a number it is the whole answer to that one
    missing = ("span(text=heart is enlarged)", "label(fact=modality)", "digest(field=answer)",
               "digest(field=about, number=1)",
               "digest(field=why, number=2)", "digest(field=answer, number=3)", "digest(field=text, number=1)",
               "span(text=No, number=2)", "span(text=large at all, number=2)", "span(text=No, number=01)")  # fmt: skip
    for call in missing:
        with pytest.raises(VerificationError):
            evaluate(call, view)


# --- refusals --------------------------------------------------------------------------------------------------------


def _fails_to_load(_: str) -> Array:
    raise OSError("gone")


def test_each_refusal_names_what_is_missing() -> None:
    cube = np.ones((2, 2, 2), np.uint8)
    refusals: list[tuple[str, MediaView, str]] = [
        ("volume_ml(mask=liver)", one_mask(cube, np.eye(4)), "'liver' is not in the sample; masks: thing"),
        ("volume_ml(mask=thing)", one_mask(cube), "no affine and no spacing"),
        ("is_left_of(a=thing, b=thing)", one_mask(cube, spacing_mm=(1.0, 1.0, 1.0)), "no affine"),
        ("volume_ml(mask=thing)", one_mask(cube * 0, np.eye(4)), "is empty"),
        ("volume_ml(mask=thing)", one_mask(cube[0], spacing_mm=(1.0, 1.0)), "2 dimensions"),
        ("mean_hu(mask=thing)", one_mask(cube, np.eye(4)), "no image or volume in HU"),
        ("largest()", one_mask(cube, np.eye(4)), "needs 2"),
        ("plane()", one_mask(cube, np.eye(4)), "0 members of kind volume"),
        ("extent_mm(axis=q)", view_of({"v": (media("v", "volume", cube, np.eye(4)), cube)}), "axes: z, y, x"),
        ("rm(path=x)", one_mask(cube), "no program 'rm'"),
        ("volume_ml()", one_mask(cube), "takes mask"),
        ("volume_ml(mask=thing, unit=L)", one_mask(cube), "takes mask"),
        (
            "volume_ml(mask=thing)",
            dataclasses.replace(one_mask(cube, np.eye(4)), load=_fails_to_load),
            "cannot be read",
        ),
        ("volume_ml(mask=thing)", dataclasses.replace(one_mask(cube, np.eye(4)), load=lambda _: cube[0]), "has shape"),
    ]
    for call, view, message in refusals:
        with pytest.raises(VerificationError, match=message.replace("(", r"\(")):
            evaluate(call, view)


def _flip(array: Array) -> Array:
    return array[:, :, ::-1]


def _erode(array: Array) -> Array:
    changed = array.copy()
    changed[tuple(np.argwhere(changed)[0])] = 0
    return changed


@pytest.mark.parametrize(
    ("call", "change"), [("volume_ml(mask=thing)", _erode), ("is_left_of(a=thing, b=other)", _flip)]
)
def test_a_changed_mask_breaks_its_proof(call: str, change: Callable[[Array], Array]) -> None:
    thing, other = np.zeros((4, 10, 20), np.uint8), np.zeros((4, 10, 20), np.uint8)
    thing[1:3, 2:6, 1:7], other[1:3, 2:6, 8:11] = 1, 1
    affine = np.diag([3.0, 3, 3, 1])

    def view(first: Array) -> MediaView:
        return view_of(
            {
                "thing": (media("thing", "mask", first, affine, label="thing"), first),
                "other": (media("other", "mask", other, affine, label="other"), other),
            }
        )

    proof = prove(call, view(thing), turn=3)
    assert check(proof, view(thing)).passed
    broken = check(proof, view(change(thing)))
    assert not broken.passed
    assert broken.turn == 3
    assert proof.value in broken.evidence


def test_a_wrong_unit_or_an_unreadable_call_is_a_failed_verdict_and_no_exception() -> None:
    view = one_mask(np.ones((10, 10, 10), np.uint8), np.eye(4))
    assert check(Proof(1, "volume_ml(mask=thing)", "1.00", "mL"), view).passed
    assert not check(Proof(1, "volume_ml(mask=thing)", "1.00", "L"), view).passed
    assert not check(Proof(1, "volume_ml(mask=thing)", "1.0", "mL"), view).passed
    assert not check(Proof(1, "import os", "1.00", "mL"), view).passed


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-4, 10.0), st.floats(1e-4, 10.0), st.integers(1, 4096), st.integers(1, 4096))
def test_the_stated_spacing_times_the_samples_is_the_stated_extent(y: float, x: float, rows: int, columns: int) -> None:
    """To 1 %, from a slide's 0.0001 mm to 10 mm: who multiplies what the question states gets the gold."""
    shown = Media("m", "image", (rows, columns), "uint8", "0" * 64, rows * columns, spacing_mm=(y, x))
    view = MediaView((shown,), lambda _: pytest.fail("no pixel is needed"))
    stated = spacing_words(view).removeprefix("Pixel spacing: ").removesuffix(" mm (y, x).").split(" x ")
    for axis, step, samples in zip("yx", stated, (rows, columns), strict=True):
        extent = prove(call_text("extent_mm", {"axis": axis}), view, 1)
        assert float(extent.value) == pytest.approx(float(step) * samples, rel=0.01)
        assert check(extent, view).passed


def test_sizes_below_one_keep_three_digits_and_those_above_their_places() -> None:
    sizes = {382.04: "382.0", 1.04: "1.0", 0.96: "0.96", 0.5: "0.5", 0.06404: "0.064", 0.000251: "0.000251", 0.0: "0.0"}
    assert {value: format_size(value, 1) for value in sizes} == sizes
    assert [format_size(v, 2) for v in (38.124, 0.3815, 0.00001234)] == ["38.12", "0.382", "0.0000123"]
    assert format_size(0.9999, 1) == "1.0"
