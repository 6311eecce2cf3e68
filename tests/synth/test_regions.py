"""Boxes in a model's own dialect, and words for one of several structures of a kind: stated, proven, rewarded."""

from __future__ import annotations

import dataclasses
import io
import re
from typing import Any

import numpy as np
import PIL.Image
import pytest

from curate.audit.stated import Said, unstated
from curate.formats import internvl, qwen_vl
from curate.formats.base import Sample, UnfitError, check_dialect
from curate.image import read_image
from curate.image.target import ImageTarget, render_image
from manifests.errors import VerificationError
from manifests.record import Fact, Media
from manifests.sample import Answer, Draft, Turn
from synth.boxes import DIALECTS_2D, TAGGED, Box2D, Dialect2D, box_text, from_dialect, overlap, parse_box, quantum_px
from synth.calls import call_text, parse_call
from synth.instances import kinds
from synth.picture_programs import Box, whole_box
from synth.pictures import bounds
from synth.proofs import MediaView, check, evaluate
from synth.tasks import region
from synth.tasks.asks import asks
from synth.tasks.asks import places as of_places
from synth.tasks.region import Region
from synth.tasks.scenes import scenes
from synth.verify import verify_answer
from tests.synth.media_views import SHARED, Array, drawn, entry, record, sample_view, view_of

ALIKE = frozenset(("thousand", "internvl", "medrega"))  # they differ by a thousandth


def named(draft: Draft, view: MediaView) -> list[str]:
    return list(unstated(Said(draft.text, draft.turns, draft.answer, draft.proofs, view.facts, False)))


def of(draft: Draft, program: str) -> list[str]:
    return [proof.value for proof in draft.proofs if proof.call.startswith(f"{program}(")]


def one_quantum(box: Box2D, truth: Box, dialect: Dialect2D, height: int, width: int) -> bool:
    sides = (width, height, width, height)
    return all(abs(a - b) <= quantum_px(dialect, s) for a, b, s in zip(box, truth, sides, strict=True))


def boxes_in(text: str, dialect: Dialect2D) -> list[str]:
    pattern = r"<ref>[^<>]+</ref><box>\[\[[^\]]*\]\]</box>" if dialect in TAGGED else r"\[[\d., ]+\]"
    return re.findall(pattern, text)


@pytest.mark.parametrize("dialect", DIALECTS_2D)
def test_boxes_are_asked_for_told_and_rewarded_in_the_dialect_and_proven_in_pixels(dialect: Dialect2D) -> None:
    view = drawn()
    height, width = view.media[0].shape
    made = region.drafts(record(view), view, Region(dialect=dialect, max_questions=20), 5)
    assert {d.stage for d in made} == {"pretrain", "sft", "rlvr"}
    told = rewarded = 0
    for draft in made:
        assert draft.accepted
        assert all(check(proof, sample_view(draft, view)).passed for proof in draft.proofs)
        assert named(draft, view) == []
        said = "\n".join(turn.content for turn in draft.turns) + draft.text
        if boxes_in(said, dialect):
            assert set(of(draft, "frame")) == {f"{dialect} {width}x{height}"}
        for text in (t.content for t in draft.turns if t.role == "assistant") if draft.stage == "sft" else [draft.text]:
            for found in boxes_in(text, dialect):
                back = parse_box(found, dialect, height, width)
                truths = [whole_box(v) for program in ("box_in", "stated_box") for v in of(draft, program)]
                assert any(one_quantum(back, truth, dialect, height, width) for truth in truths)
                told += 1
        if draft.answer and draft.answer.type == "box":
            rewarded += rewards_its_own_dialect_alone(draft, draft.answer, dialect, (height, width))
    assert told > 8
    assert rewarded >= 3


def rewards_its_own_dialect_alone(draft: Draft, gold: Answer, dialect: Dialect2D, size: tuple[int, int]) -> bool:
    (truth,) = [Box2D(*whole_box(v)) for program in ("box_in", "stated_box") for v in of(draft, program)]
    back = from_dialect([float(n) for n in gold.gold.split(",")], dialect, *size)
    assert overlap(back, truth) > 0.9
    assert gold.frame == f"{dialect} {size[1]}x{size[0]}"
    for other in DIALECTS_2D:
        right = other == dialect or {other, dialect} <= ALIKE
        assert verify_answer(box_text(truth, other, *size, "scar"), gold).passed == right, other
    return True


def test_the_form_that_a_question_asks_for_is_the_dialect_s() -> None:
    view, forms = drawn(), dict[str, str]()
    for dialect in DIALECTS_2D:
        made = region.drafts(record(view), view, Region(dialect=dialect), 5)
        forms[dialect] = next(d.turns[0].content for d in made if d.answer and d.answer.type == "box")
    assert all(("<ref>name</ref><box>[[x0, y0, x1, y1]]</box>" in form) == (d in TAGGED) for d, form in forms.items())
    ranges = {"pixels": "in pixels", "thousand": "0 to 1000", "internvl": "0 to 1000", "medrega": "0 to 999"}
    assert all(told in forms[dialect] for dialect, told in ({**ranges, "medvision": "lower left"}).items())


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["internvl", "medvision"])
def test_an_edited_box_is_named_in_every_dialect(dialect: Dialect2D) -> None:
    view = drawn()
    for draft in region.drafts(record(view), view, Region(dialect=dialect, max_questions=20), 1):
        for k, turn in enumerate(draft.turns if draft.stage == "sft" else ()):
            for found in re.finditer(r"(?<![a-z\d.])\d+(?:\.\d+)?(?=[,\]])", turn.content):
                edited = f"{turn.content[: found.start()]}7{found[0]}{turn.content[found.end() :]}"
                turns = (*draft.turns[:k], Turn(turn.role, edited), *draft.turns[k + 1 :])
                options = turn.role == "user" and "\nA. " in turn.content  # where wrong ones are from is not proven
                assert options or named(dataclasses.replace(draft, turns=turns), view), edited


def test_what_a_dialect_cannot_write_is_not_asked() -> None:
    pixels = np.zeros((4000, 4000), np.uint8)
    facts = (Fact("box", "1001,1001,1009,1009", "t", about="node"), Fact("box", "9,9,900,900", "t", about="scar"))
    view = view_of({"png": (entry("png", "image", pixels), pixels)}, *facts)
    for dialect, known in (("pixels", True), ("thousand", False), ("medvision", False)):
        made = region.drafts(record(view), view, Region.model_validate({"dialect": dialect}), 1)
        assert any("scar" in turn.content for d in made for turn in d.turns)
        assert any("node" in turn.content for d in made for turn in d.turns) == known


# --- exports ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS_2D)
def test_a_trainer_takes_the_dialects_that_are_its_own_and_names_any_other(dialect: Dialect2D) -> None:
    view = drawn()
    for draft in region.drafts(record(view), view, Region(dialect=dialect), 1):
        answer = dataclasses.asdict(draft.answer) if draft.answer else None
        sample = Sample("0", {"proofs": [dataclasses.asdict(p) for p in draft.proofs], "answer": answer}, {})
        states = bool(of(draft, "frame"))
        for content in (draft.text, *(turn.content for turn in draft.turns)):
            internvl.check_boxes(content)
        for own in (internvl.OWN_BOXES, qwen_vl.OWN_BOXES):
            if dialect in own or not states:
                check_dialect(sample, own)
            else:
                with pytest.raises(UnfitError, match=f"box_dialect: boxes in the dialect {dialect}; set `dialect`"):
                    check_dialect(sample, own)


# --- several of a kind -----------------------------------------------------------------------------------------------


def marked(*places: tuple[str, Box], facts: tuple[Fact, ...] = (), affine: object = None) -> MediaView:
    """A picture of 100 x 100 with these rectangles as masks; with an affine one slice of a volume of three."""
    pixels = np.zeros((100, 100), np.uint8)
    shown = entry("png", "image", pixels, affine, slices=(1,)) if affine else entry("png", "image", pixels)
    arrays: dict[str, tuple[Media, Array]] = {"png": (shown, pixels)}
    for label, (x0, y0, x1, y1) in places:
        mask = np.zeros((3, 100, 100) if affine else (100, 100), np.uint8)
        mask[..., y0:y1, x0:x1] = 1
        arrays[label] = (entry(label, "mask", mask, affine, label=label), mask)
    return view_of(arrays, *facts)


LEFT, RIGHT, LOW = (10, 40, 30, 60), (70, 42, 90, 62), (12, 80, 32, 98)
SIDES = (Fact("laterality", "R", "t", about="lung"), Fact("laterality", "left", "t", about="lung 2"))
ACROSS = ("{} further to the left in the picture", "{} further to the right in the picture")


@pytest.mark.parametrize(
    ("view", "told"),
    [
        (marked(("kidney", LEFT), ("kidney 2", RIGHT)), dict(zip(("kidney", "kidney 2"), ACROSS, strict=True))),
        (
            marked(("polyp", LEFT), ("polyp_2", LOW)),
            {"polyp": "upper {} in the picture", "polyp_2": "lower {} in the picture"},
        ),
        (
            marked(("cyst", LEFT), ("cyst 2", RIGHT), ("cyst 3", (45, 41, 55, 61))),
            {
                "cyst": "{} furthest to the left in the picture",
                "cyst 2": "{} furthest to the right in the picture",
                "cyst 3": "smallest {} in the picture",
            },
        ),
        (marked(("lung", LEFT), ("lung 2", RIGHT), facts=SIDES), {"lung": "right {}", "lung 2": "left {}"}),
        (
            marked(("lung", LEFT), ("lung 2", RIGHT), facts=SIDES[:1]),
            dict(zip(("lung", "lung 2"), ACROSS, strict=True)),
        ),
        (
            marked(("ring", (40, 40, 60, 60)), ("ring 2", (30, 30, 70, 70))),
            {"ring": "smaller {} in the picture", "ring 2": "larger {} in the picture"},
        ),
        (marked(("spot", LEFT), ("spot 2", LEFT)), {}),
        (marked(("node", LEFT), ("node 2", (0, 0, 0, 0))), {"node": "{}"}),
        (marked(("C 2", LEFT), ("segment 3", RIGHT)), {"C 2": "C 2", "segment 3": "segment 3"}),
    ],
)
def test_one_of_several_of_a_kind_is_called_by_what_holds_for_it_alone(view: MediaView, told: dict[str, str]) -> None:
    found = [dict(scene.spoken) for scene in scenes(record(view), view, 1, 1, 8, instances=True)]
    assert found == (
        [{label: words.format(label.partition("_")[0].partition(" ")[0]) for label, words in told.items()}]
        if told
        else []
    )
    assert not [s for s in scenes(record(view), view, 1, 1, 8) if s.boxes.keys() & kinds(told)]
    made = region.drafts(record(view), view, Region(max_questions=20), 3)
    assert bool(made) == bool(told)
    for draft in made:
        assert draft.accepted
        assert named(draft, view) == []
        assert all(check(proof, view).passed for proof in draft.proofs)
        words = " ".join([draft.text, *(t.content for t in draft.turns), draft.answer.gold if draft.answer else ""])
        assert not any(label in words for label in kinds(told) if label != kinds(told)[label])


def test_the_patient_s_side_is_that_of_the_slice_s_affine() -> None:
    places = (("kidney", LEFT), ("kidney 2", RIGHT))
    for sign, first in ((-1.0, "right"), (1.0, "left")):  # columns towards the patient's left, then the right (RAS+)
        affine = ((sign, 0.0, 0.0, 0.0), (0.0, -1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))
        view = marked(*places, affine=affine)
        assert evaluate("called(mask=kidney, member=png)", view).value == f"kidney further to the patient's {first}"


def test_swapped_names_of_one_kind_are_named() -> None:
    view = marked(("kidney", LEFT), ("kidney 2", RIGHT))
    talk = next(d for d in region.drafts(record(view), view, Region(max_questions=9), 3) if d.stage == "pretrain")
    swap = {"left": "right", "right": "left"}
    edited = re.sub(r"to the (left|right) in", lambda m: f"to the {swap[m[1]]} in", talk.text, count=1)
    assert named(dataclasses.replace(talk, text=edited), view)
    with pytest.raises(VerificationError):
        evaluate(call_text("called", {"mask": "liver", "member": "png"}), view)


def test_numbered_structures_of_a_volume_are_asked_for_by_no_task() -> None:
    voxels = np.zeros((3, 100, 100), np.int16)
    affine = ((-1.0, 0.0, 0.0, 0.0), (0.0, -1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    places = (("kidney", LEFT), ("kidney 2", RIGHT), ("liver", LOW), ("spleen", (40, 0, 70, 30)))
    flat = marked(*places, affine=affine)
    volume = entry("volume.npy.gz", "volume", voxels, affine, units="HU")
    view = dataclasses.replace(flat, media=(volume, *flat.media[1:]))
    found = [*asks(view, True), *of_places(view)]
    assert {ask.family for ask in found} >= {"volume_ml", "largest", "place", "mean_hu"}
    assert not any("kidney" in ask.call for ask in found)
    assert [dict(parse_call(ask.call).args) for ask in found if ask.family == "largest"] == [{"among": "liver|spleen"}]


# --- stretched pictures ----------------------------------------------------------------------------------------------

CHASE = SHARED / "fundus-chasedb1"


@pytest.mark.shared_data
@pytest.mark.slow
@pytest.mark.skipif(not CHASE.is_dir(), reason="needs ../shared/data/fundus-chasedb1")
@pytest.mark.parametrize("target", [{"size": (256, 448)}, {"size": (700, 300), "crop_border": True}, {"max_side": 333}])
def test_boxes_follow_a_picture_that_is_stretched_and_equal_those_of_its_resized_mask(target: dict[str, Any]) -> None:
    whole = read_image(CHASE / "Images/Image_01R.jpg")
    vessels = np.asarray(PIL.Image.open(CHASE / "Labels/Image_01R_1stHO.png").convert("L")) > 127
    data, media = render_image(whole, ImageTarget.model_validate(target))
    pixels = np.asarray(PIL.Image.open(io.BytesIO(data)))
    arrays: dict[str, tuple[Media, Array]] = {"png": (media, pixels)}
    windows = {"blood vessels": (150, 400, 300, 700), "retina": (350, 600, 100, 420)}  # organs may have parts
    top, left, bottom, right = media.crop or (0, 0, *vessels.shape)
    truths: dict[str, Box] = {}
    for name, (y0, y1, x0, x1) in windows.items():
        mask = np.zeros(vessels.shape, np.uint8)
        mask[y0:y1, x0:x1] = vessels[y0:y1, x0:x1]
        arrays[name] = (entry(name, "mask", mask, label=name), mask)
        part = PIL.Image.fromarray(mask[top:bottom, left:right])
        truths[name] = bounds(np.asarray(part.resize(pixels.shape[1::-1], PIL.Image.Resampling.NEAREST)) > 0)
    told = Fact("box", "300,400,650,777", "t", about="macula")
    view = view_of(arrays, told)
    scale = (pixels.shape[0] / (bottom - top), pixels.shape[1] / (right - left))
    truths["macula"] = tuple(
        round((n - (left, top)[k % 2]) * scale[1 - k % 2]) for k, n in enumerate((300, 400, 650, 777))
    )
    (scene,) = scenes(record(view), view, 1, 1, 8)
    assert scene.boxes.keys() == truths.keys()
    for name, truth in truths.items():
        assert max(abs(a - b) for a, b in zip(scene.boxes[name], truth, strict=True)) <= 1, name
    made = region.drafts(record(view), view, Region(dialect="thousand", max_questions=12), 3)
    assert any(draft.answer and draft.answer.type == "box" for draft in made)
    assert all(draft.accepted and not named(draft, view) for draft in made)
