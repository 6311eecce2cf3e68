"""Regions and tool trajectories on real and drawn pictures: each box, crop and number is proven in the sample."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import re
from collections import Counter
from typing import Any

import numpy as np
import PIL.Image
import pytest
import SimpleITK

from manifests.errors import VerificationError
from manifests.record import Fact, to_json
from manifests.sample import Draft
from synth import media_words
from synth.boxes import overlap
from synth.calls import parse_call
from synth.facts import structure_words
from synth.picture_programs import whole_box
from synth.pictures import inside, slice_picture
from synth.proofs import MediaView, check, evaluate
from synth.tasks import region, tools
from synth.tasks.region import Region
from synth.tasks.scenes import scenes
from synth.tasks.tools import Tools
from synth.verify import verify_answer
from tests.synth.media_views import SHARED, abdomen, drawn, entry, record, sample_view, view_of

sitk: Any = SimpleITK  # it has no types
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")


@pytest.fixture(scope="module")
def ct() -> MediaView:
    return abdomen()


def holds(draft: Draft, view: MediaView) -> bool:
    """Whether a draft is accepted, carries the bytes that it says, and each of its proofs holds in its sample."""
    for one in draft.made:
        pixels = np.asarray(PIL.Image.open(io.BytesIO(one.data)))
        assert one.media.sha256 == hashlib.sha256(one.data).hexdigest()
        assert (one.media.shape, one.media.size_bytes) == (pixels.shape, len(one.data))
        assert re.fullmatch(r"[a-z0-9]+\.png", one.media.member)
    assert sum(t.content.count("<image>") for t in draft.turns) in (0, pictures_of(draft, view))
    sample = sample_view(draft, view)
    return draft.accepted and bool(draft.proofs) and all(check(p, sample).passed for p in draft.proofs)


def pictures_of(draft: Draft, view: MediaView) -> int:
    return sum(1 for m in sample_view(draft, view).media if m.kind == "image")


# --- the programs ----------------------------------------------------------------------------------------------------


@pytest.mark.shared_data
@needs_shared
def test_the_box_and_area_on_a_real_slice_equal_simpleitk_after_turning_it_upright(ct: MediaView) -> None:
    volume = ct.media[0]
    made, pixels = slice_picture(ct, volume, 12, "s012.png")
    view = dataclasses.replace(ct, media=(*ct.media[1:], made.media))
    assert made.media.affine is not None
    assert [made.media.affine[k][k] < 0 for k in (0, 1)] == [True, True]  # patient's left right, back down
    for name in ("liver", "spleen", "kidney_left"):
        plane = ct.load(name)[12]
        shapes = sitk.LabelShapeStatisticsImageFilter()
        shapes.Execute(sitk.GetImageFromArray(np.ascontiguousarray(plane[::-1, :] if plane.ndim == 2 else plane)))
        mask = inside(view, name, "s012.png")
        flips = [m for m in (plane, plane[::-1], plane[:, ::-1], plane[::-1, ::-1]) if np.array_equal(m != 0, mask)]
        assert flips
        _, _, w, h = shapes.GetBoundingBox(1)
        box = whole_box(evaluate(f"box_in(mask={name}, member=s012.png)", view).value)
        assert (box[2] - box[0], box[3] - box[1]) == (w, h)
        assert evaluate(f"area_px(mask={name}, member=s012.png)", view).value == str(shapes.GetNumberOfPixels(1))
        assert made.media.spacing_mm is not None
        area = shapes.GetNumberOfPixels(1) * made.media.spacing_mm[0] * made.media.spacing_mm[1]
        assert float(evaluate(f"area_mm2(mask={name}, member=s012.png)", view).value) == pytest.approx(area, abs=0.06)
    liver, spleen = (whole_box(evaluate(f"box_in(mask={n}, member=s012.png)", view).value) for n in ("liver", "spleen"))
    assert liver[0] < spleen[0]  # the patient's right on the left
    assert evaluate("larger_in(a=liver, b=spleen, member=s012.png)", view).value == "liver"
    assert pixels.dtype == np.uint8


def test_boxes_follow_the_crop_and_the_scale_of_what_is_shown() -> None:
    whole = drawn()
    small = np.zeros((40, 50), np.uint8)  # rows 8 to 88 and columns 4 to 104 of the canonical image, halved
    shown = entry("png", "image", small, crop=(8, 4, 88, 104), scale=(0.5, 0.5))
    view = dataclasses.replace(
        whole, media=(shown, *whole.media[1:]), load=lambda m: small if m == "png" else whole.load(m)
    )
    assert evaluate("box_in(mask=lesion, member=png)", view).value == "3,2,18,17"
    assert evaluate("stated_box(about=scar, member=png)", view).value == "38,26,50,39"
    assert evaluate('in_box(box="38,26,50,38", member=png)', view).value == "scar"
    assert evaluate("place_in(name=lesion, member=png)", view).value == "upper left"
    assert evaluate("place_in(name=scar, member=png)", whole).value == "lower right"


def test_a_box_that_is_nothings_or_two_things_at_once_has_no_name() -> None:
    view = drawn()
    twice = dataclasses.replace(view, facts=(*view.facts, Fact("box", "10,12,40,40", "t", about="spot")))
    for call, seen in (('in_box(box="0,60,30,90", member=png)', view), ('in_box(box="10,12,40,42", member=png)', twice),
                       ("box_in(mask=lesion, member=s1.png)", view), ("stated_box(about=lesion, member=png)", view),
                       ('in_box(box="1,2,3", member=png)', view)):  # fmt: skip
        with pytest.raises(VerificationError):
            evaluate(call, seen)
    both = dataclasses.replace(view, facts=(*view.facts, Fact("box", "0,0,9,9", "t", about="scar")))
    assert evaluate("boxes_of(about=scar, member=png)", both).value == "2"
    assert evaluate('box_iou(box="0,0,10,10", other="5,0,15,10")', view).value == "0.33"


# --- regions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "real", [False, pytest.param(True, marks=[pytest.mark.shared_data, pytest.mark.slow, needs_shared])]
)
def test_regions_are_proven_reproducible_and_right_answers_alone_are_rewarded(
    real: bool, request: pytest.FixtureRequest
) -> None:
    view = request.getfixturevalue("ct") if real else drawn()
    config = Region(max_questions=12)
    made = region.drafts(record(view, "volume" if real else "image"), view, config, 5)
    assert [to_json(dataclasses.replace(d, made=())) for d in made] == [
        to_json(dataclasses.replace(d, made=()))
        for d in region.drafts(record(view, "volume" if real else "image"), view, config, 5)
    ]
    assert all(holds(draft, view) for draft in made)
    assert {d.stage for d in made} == {"pretrain", "sft", "rlvr"}
    assert {d.answer.type for d in made if d.answer} == {"box", "mcq", "label"}
    for draft in made:
        gold = draft.answer
        if gold is None:
            continue
        assert verify_answer(gold.gold.partition("|")[0], gold).passed
        if gold.type == "box":
            x0, y0, x1, y1 = whole_box(gold.gold)
            assert not verify_answer(f"[{x0 + (x1 - x0)}, {y0}, {x1 + (x1 - x0)}, {y1}]", gold).passed
        if gold.type == "mcq":
            assert not any(verify_answer(other, gold).passed for other in set("ABCD") - {gold.gold})
            assert len(set(gold.options.split("|"))) == 4
    talk = next(d for d in made if d.stage == "sft")
    for proof in talk.proofs:
        if proof.call.startswith("frame("):
            continue
        said = talk.turns[proof.turn].content
        form = f"[{proof.value.replace(',', ', ')}]" if "," in proof.value else proof.value
        assert form in said or structure_words(form) in said, proof


def test_a_wrong_box_never_overlaps_the_right_one_and_lies_in_the_picture() -> None:
    view = drawn()
    asked = 0
    for n in range(5):
        for draft in region.drafts(record(view, key=f"{n:032x}"), view, Region(max_questions=16), n):
            if draft.answer is None or draft.answer.type != "mcq" or "[" not in draft.answer.options:
                continue
            boxes = [whole_box(t.strip("[]").replace(" ", "")) for t in draft.answer.options.split("|")]
            right = boxes["ABCD".index(draft.answer.gold)]
            assert sum(overlap(right, box) > 0.3 for box in boxes) == 1
            assert all(0 <= b[0] < b[2] <= 128 and 0 <= b[1] < b[3] <= 96 for b in boxes)
            asked += 1
    assert asked >= 5


def test_boxes_of_one_image_are_not_asked_of_another() -> None:
    pixels = np.zeros((64, 64), np.uint8)
    arrays = {name: (entry(name, "image", pixels), pixels) for name in ("png", "image2.png")}
    facts = (Fact("box", "4,4,24,24", "t", about="scar", at="2"), Fact("box", "30,30,60,60", "t", about="node"))
    found = {s.member: set(s.boxes) for s in scenes(record(view_of(arrays, *facts)), view_of(arrays, *facts), 1, 4, 8)}
    assert found == {"png": {"node"}, "image2.png": {"scar"}}


# --- tools -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "real", [False, pytest.param(True, marks=[pytest.mark.shared_data, pytest.mark.slow, needs_shared])]
)
def test_every_step_of_a_trajectory_is_proven_and_every_zoom_holds_its_target(
    real: bool, request: pytest.FixtureRequest
) -> None:
    view = request.getfixturevalue("ct") if real else drawn()
    plans: Counter[str] = Counter()
    for n in range(2 if real else 3):
        made = tools.drafts(record(view, "volume" if real else "image", f"{n:032x}"), view, Tools(trajectories=5), n)
        assert all(holds(draft, view) for draft in made)
        for talk, prompt in zip(made[::2], made[1::2], strict=True):
            assert prompt.answer is not None
            plans[prompt.proofs[0].call.partition("(")[0]] += 1
            assert verify_answer(talk.turns[-1].content, prompt.answer).passed
            assert [t.role for t in talk.turns] == ["user", "assistant"] * (len(talk.turns) // 2)
            check_steps(talk, view)
    assert set(plans) == {"area_mm2", "width_mm", "area_px", "larger_in", "box_in"}


def check_steps(talk: Draft, view: MediaView) -> None:
    sample = sample_view(talk, view)
    shown = 1
    for k, turn in enumerate(talk.turns[1:-1], 1):
        body = re.search(r"<(tool_call|tool_response)>(.*)</\1>", turn.content)
        assert body
        said = json.loads(body[2])
        if turn.role == "user":
            answered = {p.call.partition("(")[0]: p.value for p in talk.proofs if p.turn == k}
            if "bbox_2d" in said:
                assert said["bbox_2d"] == [int(n) for n in answered["box_in"].split(",")]
                assert str(said["pixels"]) == answered["area_px"]
            if "value" in said:
                assert f"{said['value']:.1f}" == answered[said["quantity"]]
            shown += "<image>" in turn.content
            continue
        assert set(said) == {"name", "arguments"}
        if said["name"] == "zoom":
            (crop,) = (p for p in talk.proofs if p.turn == k and p.call.startswith("crop("))
            box = said["arguments"]["bbox_2d"]
            assert dict(parse_call(crop.call).args)["box"] == ",".join(map(str, box))
            name = next(dict(parse_call(p.call).args)["mask"] for p in talk.proofs if "mask=" in p.call)
            own = whole_box(
                evaluate(f"box_in(mask={name}, member={dict(parse_call(crop.call).args)['of']})", sample).value
            )
            assert box[0] <= own[0] < own[2] <= box[2]
            assert box[1] <= own[1] < own[3] <= box[3]
            assert json.loads(re.findall(r"<tool_response>(.*)</tool_response>", talk.turns[k + 1].content)[0]) == {
                "image": shown + 1
            }
    assert shown in (1, 2)


def test_an_edited_tool_result_or_crop_breaks_its_proof() -> None:
    view = drawn()
    talk = next(d for d in tools.drafts(record(view), view, Tools(trajectories=5), 1) if d.stage == "sft" and d.made)
    sample = sample_view(talk, view)
    (crop,) = (p for p in talk.proofs if p.call.startswith("crop("))
    assert check(crop, sample).passed
    member = dict(parse_call(crop.call).args)["member"]
    changed = sample.load(member).copy()
    changed[0, 0] ^= 1
    edited = dataclasses.replace(sample, load=lambda m: changed if m == member else sample.load(m))
    assert not check(crop, edited).passed


# --- wordings --------------------------------------------------------------------------------------------------------


def test_each_family_has_forty_different_questions() -> None:
    for family, questions in media_words.QUESTIONS.items():
        flat = {" ".join(re.findall(r"\w+|\{\w+\}", q.lower())) for q in questions}
        assert len(flat) >= 40, family
        assert len({frozenset(re.findall(r"\{\w+\}", q)) for q in questions}) == 1, family
