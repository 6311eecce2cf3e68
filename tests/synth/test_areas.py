"""Sizes of structures in one picture: against SimpleITK and brute force, the same however the picture was shrunk or
stretched, and asked of nothing that the picture does not decide."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
import SimpleITK
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial import ConvexHull

from curate.audit.stated import Said, unstated
from manifests.errors import VerificationError
from manifests.record import Fact
from manifests.sample import Draft
from synth.area_programs import filled
from synth.calls import call_text
from synth.phrases.counts import OUTLINED
from synth.proofs import MediaView, check, evaluate
from synth.shapes import apart as are_apart
from synth.shapes import components, cropped
from synth.tasks import asks, caption, mcq, measure, region
from synth.tasks.caption import Caption
from synth.tasks.mcq import Mcq
from synth.tasks.measure import Measure
from synth.tasks.region import Region
from synth.verify import verify_answer
from tests.synth.media_views import Array, entry, record, view_of

sitk: Any = SimpleITK  # it has no types
SPACING = (0.5, 0.25)  # mm, (y, x)


def ellipse(y: float, x: float, height: float, width: float, shape: tuple[int, int] = (120, 160)) -> Array:
    rows, columns = np.indices(shape)
    inside = ((rows - y) / height) ** 2 + ((columns - x) / width) ** 2 <= 1
    return inside.astype(np.uint8)


def picture(masks: dict[str, Array], *facts: Fact, spacing: Any = None, **shown: Any) -> MediaView:
    """A picture with masks; `shown` is what a target says that it did to it."""
    whole = next(iter(masks.values())).shape
    pixels = np.zeros(shown.pop("size", whole), np.uint8)
    arrays = {"png": (entry("png", "image", pixels, spacing_mm=spacing, **shown), pixels)}
    for name, mask in masks.items():
        arrays[name] = (entry(name, "mask", mask, label=name), mask)
    return view_of(arrays, *facts)


def value(view: MediaView, name: str, **args: str) -> str:
    return evaluate(call_text(name, {**args, "member": "png"}), view).value


def refused(view: MediaView, name: str, **args: str) -> str:
    with pytest.raises(VerificationError) as found:
        value(view, name, **args)
    return str(found.value)


# --- numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.integers(30, 70), st.integers(50, 110), st.integers(10, 25), st.integers(10, 40), st.integers(0, 2**20))
def test_areas_diameters_and_regions_are_those_of_simpleitk(y: int, x: int, h: int, w: int, seed: int) -> None:
    mask = ellipse(y, x, h, w)
    other = ellipse(y + h + 12, x - 20, 8, 9)
    assume(not (mask & other).any())
    noise = np.random.default_rng(seed).random(mask.shape) < 0.2
    outline = mask.astype(bool) & ~ellipse(y, x, h - 2, w - 2).astype(bool)
    mask[outline & noise] = 0  # a border as a hand draws it
    assume(int(sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(mask), True)).max()) == 1)
    view = picture({"lesion": mask, "disc": other}, spacing=SPACING)
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.ComputeFeretDiameterOn()
    told = []
    for one in (mask, other):
        image = sitk.GetImageFromArray(one)
        image.SetSpacing(SPACING[::-1])
        statistics.Execute(image)
        told.append((statistics.GetPhysicalSize(1), statistics.GetFeretDiameter(1), statistics.GetCentroid(1)))
    (area, feret, centre), (_, _, middle) = told
    apart = float(np.hypot(*np.subtract(centre, middle)))
    assert float(value(view, "area_mm2", mask="lesion")) == pytest.approx(area, abs=0.051)
    assert float(value(view, "share_pct", mask="lesion")) == pytest.approx(100 * mask.sum() / mask.size, abs=0.051)
    assert float(value(view, "centre_distance_mm", a="lesion", b="disc")) == pytest.approx(apart, abs=0.051)
    assert float(value(view, "area_ratio", a="disc", b="lesion")) == pytest.approx(other.sum() / mask.sum(), abs=0.0051)
    both = picture({"lesion": mask | other}, spacing=SPACING)
    assert value(both, "regions", mask="lesion", least="0.1") == "2"
    assert "not in one piece" in refused(both, "long_diameter_mm", mask="lesion")
    long, short = (float(n) for n in value(view, "diameters_mm", mask="lesion").split(" x "))
    assert long == pytest.approx(feret, abs=0.051)
    assert value(view, "long_diameter_mm", mask="lesion") == f"{long:.1f}"
    assert 0 < short <= long


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 0.5, 1.0]))
def test_how_much_of_its_hull_a_structure_fills_is_that_of_the_corners_of_its_pixels(seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((7, 9)) < share
    mask[3, 4] = True
    part = cropped(mask)
    assert part is not None
    corners = np.concatenate([np.argwhere(mask) + at for at in itertools.product((0, 1), repeat=2)])
    assert filled(part) == pytest.approx(mask.sum() / ConvexHull(corners).volume)


@pytest.mark.parametrize(
    ("size", "crop"),
    [((120, 160), None), ((60, 80), None), ((224, 224), None), ((150, 90), (10, 20, 110, 150))],
)
def test_sizes_are_those_of_the_body_however_the_picture_was_shrunk_stretched_or_cropped(
    size: tuple[int, int], crop: Any
) -> None:
    masks = {"optic cup": ellipse(60, 80, 16, 14), "optic disc": ellipse(60, 80, 30, 28)}
    top, left, bottom, right = crop or (0, 0, 120, 160)
    scale = (size[0] / (bottom - top), size[1] / (right - left))
    spacing = (SPACING[0] / scale[0], SPACING[1] / scale[1])
    view = picture(masks, size=size, crop=crop, scale=scale, spacing=spacing)
    assert float(value(view, "area_mm2", mask="optic disc")) == pytest.approx(np.pi * 15 * 7, rel=0.03)
    diameters = [float(n) for n in value(view, "diameters_mm", mask="optic disc").split(" x ")]
    assert diameters == pytest.approx([30, 14], rel=0.05)
    shown = (bottom - top) * (right - left)
    assert float(value(view, "share_pct", mask="optic disc")) == pytest.approx(100 * np.pi * 30 * 28 / shown, rel=0.03)
    ratio = {"a": "optic cup", "b": "optic disc|optic cup"}
    assert float(value(view, "extent_ratio", **ratio, extent="vertical")) == pytest.approx(16 / 30, abs=0.03)
    assert float(value(view, "area_ratio", **ratio)) == pytest.approx(16 * 14 / 30 / 28, abs=0.02)


def test_what_the_picture_does_not_show_whole_or_clearly_is_not_measured() -> None:
    cut = picture({"lung": ellipse(60, 10, 30, 20)}, spacing=SPACING)
    assert "border" in refused(cut, "long_diameter_mm", mask="lung")
    assert float(value(cut, "share_pct", mask="lung")) > 5
    assert value(cut, "regions", mask="lung", least="0.1") == "1"
    ring = ellipse(60, 80, 40, 40) & ~ellipse(60, 80, 35, 35)
    assert "compact" in refused(picture({"myocardium": ring}, spacing=SPACING), "diameters_mm", mask="myocardium")
    assert "less than 64" in refused(picture({"dot": ellipse(60, 80, 4, 4)}), "share_pct", mask="dot")
    assert "spacing" in refused(picture({"lesion": ellipse(60, 80, 20, 20)}), "long_diameter_mm", mask="lesion")
    near = ellipse(60, 60, 18, 18) | ellipse(60, 98, 18, 18)
    near[:, 79:81] = 0
    assert "too near" in refused(picture({"polyp": near}), "regions", mask="polyp", least="0.1")
    small = ellipse(60, 60, 18, 18) | ellipse(60, 120, 3, 3)
    assert "about as small" in refused(picture({"polyp": small}), "regions", mask="polyp", least="0.1")
    speck = ellipse(60, 60, 18, 18)
    speck[5, 5] = 1
    assert value(picture({"polyp": speck}), "regions", mask="polyp", least="0.1") == "1"
    nested = {"optic cup": ellipse(60, 80, 16, 14), "optic disc": ellipse(60, 80, 30, 28)}
    assert "within" in refused(picture(nested, spacing=SPACING), "centre_distance_mm", a="optic cup", b="optic disc")
    alike = picture({"left kidney": ellipse(60, 40, 20, 20), "right kidney": ellipse(60, 110, 20, 20)})
    assert "equally" in refused(alike, "covers_most")


# --- questions -------------------------------------------------------------------------------------------------------


def fundus(spacing: Any = None) -> MediaView:
    masks = {
        "optic_cup": ellipse(60, 50, 16, 14),
        "optic_disc": ellipse(60, 50, 30, 28) & ~ellipse(60, 50, 16, 14),  # drawn as the rim, as in REFUGE
        "exudate": ellipse(40, 120, 12, 20),
        "exudate (second observer)": ellipse(41, 120, 12, 20),
        "drusen": ellipse(90, 100, 10, 10),
        "drusen 2": ellipse(90, 130, 10, 10),
        "mass 1": ellipse(90, 20, 10, 8),
        "mass 2": ellipse(20, 30, 10, 8),
    }
    return picture(masks, Fact("modality", "OP", "t"), spacing=spacing)


def drafts(view: MediaView) -> list[Draft]:
    one = record(view)
    made = measure.drafts(one, view, Measure(max_questions=64), 1) + mcq.drafts(one, view, Mcq(max_questions=64), 1)
    return [draft for seed in (2, 3) for draft in measure.drafts(one, view, Measure(max_questions=9), seed)] + made


@pytest.mark.slow
@pytest.mark.parametrize("spacing", [None, SPACING])
def test_every_question_of_a_picture_states_its_proof_and_earns_its_gold(spacing: Any) -> None:
    view = fundus(spacing)
    made = drafts(view)
    calls = Counter(p.call.partition("(")[0] for d in made for p in d.proofs)
    assert set(calls) >= {"share_pct", "area_ratio", "extent_ratio", "covers_most", "regions"}
    sized = {"area_mm2", "long_diameter_mm", "diameters_mm", "centre_distance_mm"}
    assert (set(calls) & sized) == (sized if spacing else set())
    assert "longest_axis_mm" not in calls
    told = " ".join(p.call for d in made for p in d.proofs)
    assert not any(one in told for one in ("observer", "drusen", "mass 1"))
    for draft in made:
        assert draft.accepted
        assert all(check(proof, view).passed for proof in draft.proofs)
        assert list(unstated(Said("", draft.turns, draft.answer, draft.proofs, view.facts, False))) == []
        if draft.answer is not None and draft.task == "measure":
            gold, (proof,) = draft.answer, draft.proofs
            said = draft.turns[0].content
            assert verify_answer(f"{proof.value}{proof.unit}", gold).passed
            assert ("A relative error of up to 5%" in said) == (gold.tolerance > 0 and gold.type != "box")
            assert {"%": "percent", "mm2": "mm²", "mm": "mm", "": ""}[proof.unit] in said
            if gold.type == "number" and gold.tolerance:
                near, far = (f"{float(proof.value) * (1 + by):.4f}{proof.unit}" for by in (0.03, 0.08))
                assert verify_answer(near, gold).passed
                assert not verify_answer(far, gold).passed


@pytest.mark.slow
def test_wrong_options_are_not_within_the_tolerance_of_the_right_one() -> None:
    found = 0
    for draft in (d for d in drafts(fundus(SPACING)) if d.task == "mcq" and d.proofs[0].unit in ("%", "mm", "mm2")):
        options = [line.partition(". ")[2] for line in draft.turns[0].content.splitlines() if line[1:3] == ". "]
        gold = float(draft.proofs[0].value)
        assert sum(abs(float(one) - gold) <= 0.1 * gold for one in options) == 1
        found += 1
    assert found > 8


def test_the_heart_is_compared_with_both_lungs_in_a_frontal_radiograph_alone() -> None:
    lungs = {"left_lung": ellipse(60, 120, 40, 25), "right_lung": ellipse(60, 40, 40, 25)}
    masks = {"heart": ellipse(80, 85, 20, 32), **lungs}
    frontal = (Fact("modality", "DX", "t"), Fact("view_position", "PA", "t"))
    asked = [a for a in asks.asks(picture(masks, *frontal), False) if a.family == "extent_ratio"]
    assert [(a.a, a.b, a.c) for a in asked] == [("heart", "left lung and right lung", "horizontal")]
    assert evaluate(asked[0].call, picture(masks)).value == "0.50"
    for other in ((), (Fact("modality", "DX", "t"), Fact("view_position", "LL", "t")), (Fact("modality", "CT", "t"),)):
        assert not [a for a in asks.asks(picture(masks, *other), False) if a.family == "extent_ratio"]


def test_angles_are_not_asked_of_a_stretched_picture_without_spacing() -> None:
    places = {"sella": "5,5", "nasion": "50,9", "basion": "30,90"}
    points = [Fact("landmark", at, "t", unit="px", about=name) for name, at in places.items()]
    masks = {"mandible": ellipse(60, 80, 20, 20)}
    for size, scale, spacing, asked in (
        ((120, 160), (1.0, 1.0), None, True),
        ((120, 120), (1.0, 0.75), None, False),
        ((120, 120), (1.0, 0.75), SPACING, True),
    ):
        view = picture(masks, *points, size=size, scale=scale, spacing=spacing)
        found = [a for a in asks.asks(view, False) if a.family == "angle_deg"]
        assert any(asks.decide(a, view, 0, 1) is not None for a in found) == asked


# --- one mask of many things -----------------------------------------------------------------------------------------


def many(objects: list[Array], told: bool, name: str = "nuclei") -> MediaView:
    """A picture with things of one name: each a mask of its own, or all in one."""
    pixels = np.zeros(objects[0].shape, np.uint8)
    arrays = {"png": (entry("png", "image", pixels), pixels)}
    for n, mask in enumerate(objects if told else [np.maximum.reduce(objects)]):
        arrays[f"m{n}"] = (entry(f"m{n}", "mask", mask, label=name), mask)
    return view_of(arrays)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(4, 9)), min_size=1, max_size=9, unique=True)
)
def test_a_mask_of_many_things_is_asked_for_their_number_and_for_no_box(places: list[tuple[int, int, int]]) -> None:
    drawn = {(y, x): r for y, x, r in places}  # of 20 pixels each way, so that large ones touch their neighbours
    objects = [ellipse(20 * y + 10, 20 * x + 10, r + 1, r + 1) for (y, x), r in drawn.items()]
    objects = [mask & ~np.maximum.reduce([np.zeros_like(mask), *objects[:n]]) for n, mask in enumerate(objects)]
    whole = np.maximum.reduce(objects)
    sizes = sorted(np.bincount(ndimage.label(whole, np.ones((3, 3)))[0].ravel())[1:].tolist())
    apart, merged, organ = many(objects, True), many(objects, False), many(objects, False, "lungs")
    assert evaluate("count(mask=nuclei)", apart).value == str(len(objects))
    assert evaluate("count(mask=nuclei)", merged).value == str(len(sizes))
    assert value(apart, "share_pct", mask="nuclei") == value(merged, "share_pct", mask="nuclei")
    several = len(sizes) > 1 and sizes[-2] > 0.1 * sizes[-1]
    for view, one in ((apart, len(objects) == 1), (merged, not several), (organ, True)):
        asked = measure.drafts(record(view), view, Measure(max_questions=64), 1)
        asked += region.drafts(record(view), view, Region(max_questions=32), 1)
        boxes = any(p.call.startswith(("box", "place_in")) for d in asked for p in d.proofs)
        assert boxes == one
        assert not any(p.call.startswith("in_box") for d in asked for p in d.proofs)  # there is one name
    if len(objects) > 1:
        made = measure.drafts(record(apart), apart, Measure(max_questions=64), 1)
        (number,) = [d for d in made if d.stage == "rlvr" and d.proofs[0].call.startswith("count")]
        assert OUTLINED in number.turns[0].content
        assert number.answer is not None
        assert number.answer.gold == str(len(objects))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**20))
def test_parts_are_counted_where_neither_a_speck_nor_a_voxel_between_them_decides(seed: int) -> None:
    inside = np.random.default_rng(seed).random((3, 8, 9)) < 0.12
    assume(inside.any())
    part = cropped(inside)
    assert part is not None
    labels, count = ndimage.label(inside, np.ones((3, 3, 3)))
    grown = ndimage.label(ndimage.binary_dilation(np.pad(inside, 2), np.ones((3, 3, 3), np.bool_)), np.ones((3, 3, 3)))[
        1
    ]
    assert components(part) == count
    assert are_apart(part, 3) == (min(np.bincount(labels.ravel())[1:]) >= 3 and grown == count)


def test_a_caption_names_what_is_outlined_and_states_no_area_in_pixels() -> None:
    """Of plurals with their verb; of a slide an area in hundredths of a square millimetre, and none that is tiny."""
    nuclei = ellipse(40, 50, 12, 10)
    known = (Fact("structure", "nuclei", "mask:nuclei", about="nuclei"), Fact("modality", "SM", "t"))
    bare = picture({"nuclei": nuclei}, *known)
    (text, _) = caption.drafts(record(bare), bare, Caption(), 1)
    assert text.accepted
    assert text.text == "This is a photomicrograph. The outlined structures are the nuclei."
    sized = picture({"nuclei": nuclei}, *known, spacing=(0.01, 0.01))
    area = int(nuclei.sum()) * 0.01**2
    tiny = picture({"nuclei": nuclei}, *known, spacing=(0.0005, 0.0005))
    assert caption.drafts(record(tiny), tiny, Caption(), 1)[0].text == text.text
    assert f"the nuclei ({area:.3g} mm²)" in caption.drafts(record(sized), sized, Caption(), 1)[0].text
