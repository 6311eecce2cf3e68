"""Program tasks on real volumes, headers and codes: every draft is proven, worded well and the same again."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import itertools
import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.data import get_testdata_file

from curate.arrays import decode_picture
from manifests.errors import RecipeError
from manifests.record import Asked, Fact, Media, Record
from manifests.sample import Answer, Draft, Proof
from synth.facts import validate
from synth.pictures import with_pictures
from synth.proofs import MediaView, check, evaluate
from synth.tasks import PROGRAM_TASKS, caption, measure, parse_task, qa, source_text
from synth.tasks.caption import Caption
from synth.tasks.common import with_article
from synth.tasks.measure import Measure
from synth.tasks.posing import gold_of
from synth.tasks.qa import Qa
from synth.tasks.source_text import SourceText
from synth.tasks.spacing import spacing_words
from synth.verify import CHECKS, faithfulness, verify_answer

Array = npt.NDArray[Any]
SHARED = Path(__file__).resolve().parents[2] / "../shared/data/ct-totalsegmentator"
ORGANS = ("liver", "spleen", "kidney_left", "kidney_right", "vertebrae_L1")


def record(kind: str, view: MediaView, key: str = "0" * 32) -> Record:
    return Record(
        key=key,
        source="test",
        uri="test",
        upstream_id=key,
        sha256="0" * 64,
        kind=kind,
        group="g",
        licence="MIT",
        access="open",
        media=view.media,
        facts=view.facts,
        text=view.text,
        asked=view.asked,
    )


def read_nifti(path: Path) -> tuple[Array, Any]:
    image: Any = nib.load(path)
    rows = tuple(tuple(float(v) for v in row) for row in image.affine)
    return np.ascontiguousarray(np.asarray(image.dataobj).transpose(2, 1, 0)), rows


def nothing(member: str) -> Array:
    raise KeyError(member)


def entry(member: str, kind: Any, array: Array, affine: Any = None, **more: Any) -> Media:
    return Media(member, kind, array.shape, str(array.dtype), "0" * 64, array.nbytes, affine=affine, **more)


@pytest.fixture(scope="module")
def brain() -> MediaView:
    spec = importlib.util.find_spec("nilearn")
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "datasets/data"
    arrays, media = {}, []
    for short, kind, label in (("t1", "volume", ""), ("gm", "mask", "gray_matter"), ("wm", "mask", "white_matter")):
        array, affine = read_nifti(folder / f"mni_icbm152_{short}_tal_nlin_sym_09a_converted.nii.gz")
        array = array[::2, ::2, ::2]
        affine = tuple((*(2 * v for v in row[:3]), row[3]) for row in affine[:3]) + affine[3:]
        arrays[short] = array if kind == "volume" else (array.astype(np.float32) > 0.5 * array.max()).astype(np.uint8)
        media.append(entry(short, kind, arrays[short], affine, label=label))
    facts = (Fact("modality", "MR", "card"), Fact("body_part", "BRAIN", "card"), Fact("sequence", "T1", "card"))
    return MediaView(tuple(media), arrays.__getitem__, facts)


@pytest.fixture(scope="module")
def abdomen() -> MediaView:
    if not SHARED.is_dir():
        pytest.skip("needs ../shared/data/ct-totalsegmentator")
    array, affine = read_nifti(SHARED / "example_ct_sm.nii.gz")
    arrays, media = {"ct": array}, [entry("ct", "volume", array, affine, units="HU")]
    for name in ORGANS:
        arrays[name], grid = read_nifti(SHARED / "example_seg_fast" / f"{name}.nii.gz")
        media.append(entry(name, "mask", arrays[name], grid, label=name))
    facts = (Fact("modality", "CT", "dicom:0008,0060"), Fact("body_part", "ABDOMEN", "dicom:0018,0015"))
    return MediaView(tuple(media), arrays.__getitem__, facts)


def clip() -> MediaView:
    path = get_testdata_file("examples_ybr_color.dcm")
    assert isinstance(path, str)
    header = pydicom.dcmread(path, stop_before_pixels=True)
    frames, step = int(header.NumberOfFrames), float(header.get("FrameTime", 40)) / 1000
    array = np.zeros((frames, 8, 8, 3), np.uint8)
    media = entry("mp4", "video", array, times_s=tuple(i * step for i in range(frames)))
    return MediaView((media,), {"mp4": array}.__getitem__, (Fact("modality", str(header.Modality), "dicom:Modality"),))


def radiograph() -> MediaView:
    array = np.zeros((30, 20), np.uint8)
    facts = (
        Fact("modality", "DX", "t"),
        Fact("body_part", "CHEST", "t"),
        Fact("view_position", "pa", "t"),
        Fact("label", "pneumonia", "t"),
        Fact("finding", "present", "t", about="effusion"),
    )
    return MediaView((entry("png", "image", array, spacing_mm=(0.5, 0.5)),), {"png": array}.__getitem__, facts)


@functools.cache
def icd_views() -> list[tuple[str, MediaView]]:
    spec = importlib.util.find_spec("simple_icd_10_cm")
    assert spec is not None
    assert spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "data/icd10c-tabular-April-1-2026.xml"
    views = []
    for chapter in ET.parse(path).getroot().findall("chapter"):
        for diag in itertools.islice(chapter.iter("diag"), 12):
            values = {
                "code": diag.findtext("name"),
                "title": diag.findtext("desc"),
                "chapter": chapter.findtext("desc"),
            }
            facts = tuple(Fact(name, value or "", "icd") for name, value in values.items())
            text = f"{values['code']} {values['title']}"
            views.append((str(values["code"]), MediaView((), nothing, facts, text=text)))
    return views


def all_hold(drafts: list[Draft], view: MediaView) -> bool:
    def holds(draft: Draft) -> bool:
        made = [(one, decode_picture(one.data)) for one in draft.made]
        shows = {m.member.partition("#")[0] for m in view.media} if draft.shows is None else draft.shows
        seen = with_pictures(view, tuple(shows), made)
        return bool(draft.verdicts) and all(check(proof, seen).passed for proof in draft.proofs)

    return all(map(holds, drafts))


# --- every task ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_draft_is_proven_accepted_and_reproducible(brain: MediaView) -> None:
    views = [("volume", brain), ("video", clip()), ("image", radiograph()), ("text", icd_views()[7][1])]
    answered = dataclasses.replace(radiograph(), asked=(Asked("Is there an effusion?", "Yes"),), text="An effusion.")
    made = 0
    for kind, view in [*views, ("image", answered)]:
        validate(view.facts)
        for name, function in PROGRAM_TASKS.items():
            drafts = function(record(kind, view), view, parse_task(name), 7)
            assert drafts == function(record(kind, view), view, parse_task(name), 7)
            assert all_hold(drafts, view)
            assert all(d.accepted and d.task == name for d in drafts)
            assert all(d.proofs or (name == "media" and not d.text) for d in drafts), "words need a proof"
            parts = Counter((d.stage, d.part) for d in drafts)
            assert set(parts.values()) <= {1}
            made += len(drafts)
    assert made >= 25


def test_another_seed_asks_otherwise(brain: MediaView) -> None:
    drafts = [measure.drafts(record("volume", brain), brain, Measure(max_questions=2), seed) for seed in range(4)]
    assert len({talk.turns for talk, *_ in drafts}) > 1


# --- measure ---------------------------------------------------------------------------------------------------------


def test_a_conversation_states_each_proven_value_in_the_turn_that_the_proof_names(brain: MediaView) -> None:
    config = Measure(max_questions=20)
    talk, *prompts = measure.drafts(record("volume", brain), brain, config, 1)
    assert talk.stage == "sft"
    assert [t.role for t in talk.turns] == ["user", "assistant"] * len(talk.proofs)
    for proof in talk.proofs:
        said = talk.turns[proof.turn].content
        assert talk.turns[proof.turn].role == "assistant"
        ranged = proof.call.startswith(("slice_range", "box"))
        parts = re.split("[-,]", proof.value.replace("_", " ")) if ranged else [proof.value]
        assert all(part.replace("_", " ").lower() in said.lower() for part in parts)
    asked = [p.call for p in talk.proofs]
    rewarded = [p.proofs[0].call for p in prompts]
    assert rewarded == [call for call in asked if call in set(rewarded)]
    told = ("count", "extent_mm", "relation", "is_left_of")  # by anatomy, or by the question
    assert {call for call in asked if not call.startswith(told)} <= set(rewarded)


def test_the_stated_answer_earns_the_reward_and_a_wrong_one_does_not(brain: MediaView) -> None:
    talk, *prompts = measure.drafts(record("volume", brain), brain, Measure(max_questions=20), 3)
    said = {p.call: talk.turns[p.turn].content for p in talk.proofs}
    for prompt in prompts:
        gold = prompt.answer
        assert gold is not None
        assert [t.role for t in prompt.turns] == ["user"]
        best = gold.gold.partition("|")[0]
        assert verify_answer(f"<answer>{best} {gold.unit}</answer>", gold).passed
        if gold.type == "number":
            assert verify_answer(said[prompt.proofs[0].call], gold).passed
            assert not verify_answer(f"{float(gold.gold) * 1.3 + 1} {gold.unit}", gold).passed
        if gold.type in ("numbers", "box"):
            wrong = re.sub(r"\d+", lambda found: str(int(found[0]) * 3 + 9), gold.gold)
            assert verify_answer(f"[{best}]", gold).passed
            assert not verify_answer(wrong, gold).passed
        assert prompt.accepted
        assert any(v.check == "no_leak" and v.passed for v in prompt.verdicts)


@pytest.mark.shared_data
@pytest.mark.slow
def test_attenuation_is_asked_only_where_the_target_keeps_it(abdomen: MediaView) -> None:
    def families(intensity: bool) -> set[str]:
        config = Measure(intensity=intensity, max_questions=64)
        return {
            p.call.partition("(")[0] for p in measure.drafts(record("volume", abdomen), abdomen, config, 1)[0].proofs
        }

    assert "mean_hu" not in families(False)
    assert families(True) == families(False) | {"mean_hu", "hu"}


@pytest.mark.slow
@pytest.mark.shared_data
def test_sides_are_asked_only_between_centres_that_are_well_apart(abdomen: MediaView) -> None:
    near = Measure(max_questions=64)
    calls: dict[str, str] = {}
    for seed in range(5):
        talk = measure.drafts(record("volume", abdomen), abdomen, near, seed)[0]
        calls |= {p.call: p.value for p in talk.proofs}
    truth = {"is_left_of(a=kidney_left, b=liver)": "yes", "side_of(mask=spleen, midline=vertebrae_L1)": "left"}
    truth |= {"relation(a=liver, b=vertebrae_L1, along=front-back)": "anterior"}
    assert {call: calls.get(call) for call in truth} == truth
    assert not [call for call in calls if "left-right" in call and "kidney" in call]
    assert "side_of(mask=liver, midline=vertebrae_L1)" not in calls  # its left lobe crosses
    far = Measure(max_questions=64, min_offset_mm=500)
    asked = [p.call for p in measure.drafts(record("volume", abdomen), abdomen, far, 1)[0].proofs]
    assert not [call for call in asked if call.startswith(("is_left_of", "relation", "side_of"))]


@pytest.mark.slow
def test_sizes_are_asked_with_the_spacing_of_what_is_shown_and_not_without_it(brain: MediaView) -> None:
    config = Measure(max_questions=64)
    talk, *prompts = measure.drafts(record("volume", brain), brain, config, 1)
    words = "Voxel spacing: 2.0 x 2.0 x 2.0 mm (z, y, x)."
    assert sum(words in turn.content for turn in talk.turns) == 1
    sized = [p for p in prompts if p.proofs[0].unit in ("mm", "mL")]
    assert sized
    assert [words in p.turns[0].content for p in prompts] == [p in sized for p in prompts]
    first = next(i for i, turn in enumerate(talk.turns) if words in turn.content)
    assert not any(p.unit in ("mm", "mL") for p in talk.proofs if p.turn < first)
    volume, *masks = brain.media
    blind = dataclasses.replace(brain, media=(dataclasses.replace(volume, affine=None), *masks))
    assert not any(p.unit in ("mm", "mL") for p in measure.drafts(record("volume", blind), blind, config, 1)[0].proofs)
    told = measure.drafts(record("volume", blind), blind, Measure(max_questions=64, state_spacing=False), 1)[0]
    assert any(p.unit == "mL" for p in told.proofs)
    some = dataclasses.replace(volume, shape=(4, 117, 99), slices=(10, 20, 30, 40))
    assert "20.0 x 2.0 x 2.0 mm" in spacing_words(dataclasses.replace(brain, media=(some,)))
    uneven = dataclasses.replace(some, shape=(3, 117, 99), slices=(10, 20, 35))
    assert spacing_words(dataclasses.replace(brain, media=(uneven,))).endswith("index along z: 10, 20, 35.")
    spread = dataclasses.replace(some, slices=(10, 20, 31, 41))
    assert "evenly along z from index 10 to 41" in spacing_words(dataclasses.replace(brain, media=(spread,)))
    few = dataclasses.replace(volume, kind="video", shape=(4, 118, 100, 3), slices=(30, 40, 50, 60))
    shown = dataclasses.replace(brain, media=(few, *masks))
    assert not any(p.unit in ("mm", "mL") for p in measure.drafts(record("volume", shown), shown, config, 1)[0].proofs)
    clip_of_slices = dataclasses.replace(few, shape=(10, 118, 100, 3), slices=tuple(range(2, 95, 10)))
    shown = dataclasses.replace(brain, media=(clip_of_slices, *masks))
    talk = measure.drafts(record("volume", shown), shown, config, 1)[0]
    assert any(p.call == "slice_range(mask=gray_matter)" and p.value == "0-7" for p in talk.proofs)
    assert "Voxel spacing: 20.0 x 2.0 x 2.0 mm" in "".join(turn.content for turn in talk.turns)


def test_nothing_is_asked_of_a_structure_that_no_shown_slice_cuts(brain: MediaView) -> None:
    volume, gray, _ = brain.media
    small = np.zeros(gray.shape, np.uint8)
    small[50:54, 50:60, 50:60] = 1
    shown = dataclasses.replace(volume, shape=(2, *volume.shape[1:]))
    media = (shown, dataclasses.replace(gray, member="m", label="lesion"))
    for slices, asked in (((10, 80), False), ((52, 80), True)):
        view = MediaView((dataclasses.replace(shown, slices=slices), media[1]), {"m": small}.__getitem__)
        drafts = measure.drafts(record("volume", view), view, Measure(max_questions=64), 1)
        assert any("lesion" in p.call for d in drafts for p in d.proofs) == asked


def test_landmarks_with_names_of_their_own_give_distances_and_angles() -> None:
    places = {"nasion": "0,80,10", "sella": "0,0,10", "basion": "0,-30,-20", "inion": "0,-80,20"}
    facts = tuple(Fact("landmark", value, "landmarks:x", "mm", name) for name, value in places.items())
    array = np.zeros((21, 21, 21), np.int16)
    affine = tuple(tuple(float(v) for v in row) for row in np.diag([10, 10, 10, 1]).astype(float))
    affine = tuple((*row[:3], -100.0) for row in affine[:3]) + affine[3:]
    view = MediaView((entry("v", "volume", array, affine),), {"v": array}.__getitem__, facts)
    talk, *prompts = measure.drafts(record("volume", view), view, Measure(max_questions=20), 1)
    values = {p.call: (p.value, p.unit) for p in talk.proofs}
    assert values["distance_mm(p=nasion, q=sella)"] == ("80.0", "mm")
    assert values["angle_deg(p=nasion, q=sella, r=basion)"] == ("135.0", "degree")
    assert values["angle_between_lines_deg(p=nasion, q=sella, r=basion, s=inion)"] == ("38.7", "degree")
    angle = next(p.answer for p in prompts if p.proofs[0].value == "135.0")
    assert angle is not None
    said = {"138 degrees": True, "2.4 rad": False, "129": False, "The angle is 131.5°.": True, "135 mm": False}
    assert {text: verify_answer(text, angle).passed for text in said} == said
    plain = dataclasses.replace(view, facts=tuple(dataclasses.replace(f, about=f"F-{i}") for i, f in enumerate(facts)))
    assert not any(
        "F-1" in p.call for d in measure.drafts(record("volume", plain), plain, Measure(), 1) for p in d.proofs
    )


@pytest.mark.shared_data
def test_measured_sentences_are_faithful_to_the_facts_that_the_proofs_give(abdomen: MediaView) -> None:
    talk = measure.drafts(record("volume", abdomen), abdomen, Measure(max_questions=64), 5)[0]
    for proof in talk.proofs:
        family = proof.call.partition("(")[0]
        if family in ("volume_ml", "count"):
            fact = Fact(family, proof.value, "mask", proof.unit, proof.call.partition("=")[2].rstrip(")"))
            verdicts = faithfulness(talk.turns[proof.turn].content, [*abdomen.facts, fact], proof.turn)
            assert [v for v in verdicts if not v.passed] == []


def test_a_record_without_anything_measurable_gives_no_question() -> None:
    empty = np.zeros((2, 3, 4), np.uint8)
    view = MediaView((entry("m", "mask", empty, label="liver"),), {"m": empty}.__getitem__)
    assert measure.drafts(record("volume", view), view, Measure(), 1) == []


# --- caption ---------------------------------------------------------------------------------------------------------


def test_a_caption_says_what_is_known_and_each_number_is_proven(brain: MediaView) -> None:
    text, talk = caption.drafts(record("volume", brain), brain, Caption(), 1)
    assert (text.stage, talk.stage) == ("pretrain", "sft")
    assert text.text.startswith("This is an axial magnetic resonance volume of the brain. The sequence is T1.")
    assert {p.turn for p in text.proofs} == {-1}
    assert {p.turn for p in talk.proofs} == {1}
    assert talk.turns[1].content == text.text
    for name in ("gray_matter", "white_matter"):
        assert f"{name.replace('_', ' ')} ({evaluate(f'volume_ml(mask={name})', brain).value} mL)" in text.text
    stated = [Fact("volume_ml", p.value, "m", p.unit, p.call[15:-1]) for p in text.proofs if p.call[:9] == "volume_ml"]
    facts = [*brain.facts, *stated, Fact("plane", "axial", "affine")]
    assert {v.check: v.passed for v in faithfulness(text.text, facts, -1)} == dict.fromkeys(CHECKS, True)


def test_captions_of_images_and_videos_read_as_sentences() -> None:
    images = caption.drafts(record("image", radiograph()), radiograph(), Caption(), 1)
    assert images[0].text == (
        "This is a radiograph of the chest in PA projection. It is labelled as pneumonia. Effusion: present."
    )
    video = caption.drafts(record("video", clip()), clip(), Caption(), 1)
    assert video[0].text.startswith("This is an ultrasound video. It has 30 frames and lasts ")
    unknown = dataclasses.replace(radiograph(), facts=())
    assert caption.drafts(record("image", unknown), unknown, Caption(), 1) == []


def test_articles_follow_the_sound() -> None:
    an = ("MR image", "x-ray image", "ultrasound", "axial CT", "endoscopy video", "unknown view")
    a = ("CT image", "US clip", "unilateral view", "fundus image")
    said = {**dict.fromkeys(an, "an"), **dict.fromkeys(a, "a")}
    assert {words: with_article(words).split()[0] for words in said} == said


# --- the source's own ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Yes.", Answer("yes_no", "yes", "yes_no")),
        ("no", Answer("yes_no", "no", "yes_no")),
        ("3.5 cm", Answer("number", "3.5", "number", "cm", 0.01)),
        ("12", Answer("number", "12", "number", "", 0.01)),
        ("right upper lobe", Answer("label", "right upper lobe", "label")),
        ("T2", Answer("label", "T2", "label")),
        ("3 or 4 lesions", Answer("label", "3 or 4 lesions", "label")),
        ("The lesion has grown since the last visit.", None),
        ("A or B|C", None),
    ],
)
def test_short_answers_get_the_verifier_of_their_type(answer: str, expected: Answer | None) -> None:
    gold = gold_of("What is seen?", answer, 4, 0.01)
    assert gold == expected
    if gold:
        assert verify_answer(answer, gold).passed


def test_a_letter_is_multiple_choice_only_where_the_question_lists_it() -> None:
    listed = gold_of("Which?\nA. one\nB. two", "B", 4, 0.01)
    assert listed is not None
    assert listed.type == "mcq"
    plain = gold_of("Which vitamin?", "B", 4, 0.01)
    assert plain is not None
    assert plain.type == "label"


def test_long_answers_are_proven_by_digest_and_context_is_optional() -> None:
    view = MediaView((), nothing, text="A document.", asked=(Asked("Why?", "Because " + "of this " * 60),))
    (talk,) = qa.drafts(record("text", view), view, Qa(context=True), 1)
    assert talk.turns[0].content == "A document.\n\nWhy?"
    assert [p.call for p in talk.proofs if p.turn == 1] == ["digest(field=answer, number=1)"]
    assert not check(talk.proofs[-1], dataclasses.replace(view, asked=(Asked("Why?", "Because."),))).passed
    assert qa.drafts(record("text", view), dataclasses.replace(view, asked=(Asked("", "Because."),)), Qa(), 1) == []


def test_source_text_is_taken_word_for_word_and_limits_reject_by_name() -> None:
    view = icd_views()[0][1]
    (draft,) = source_text.drafts(record("text", view), view, SourceText(latin_only=True), 1)
    assert (draft.text, draft.accepted) == (view.text, True)
    (long,) = source_text.drafts(record("text", view), view, SourceText(max_chars=3), 1)
    assert (long.accepted, long.reason) == (False, "length")
    chinese = dataclasses.replace(view, text="霍乱")
    assert (
        source_text.drafts(record("text", chinese), chinese, SourceText(latin_only=True), 1)[0].reason == "latin_script"
    )
    assert source_text.drafts(record("text", chinese), chinese, SourceText(), 1)[0].accepted


# --- recipes ---------------------------------------------------------------------------------------------------------


def test_a_task_is_a_name_or_a_mapping_with_options() -> None:
    assert parse_task("measure") == Measure()
    assert parse_task({"task": "measure", "max_questions": 3}) == Measure(max_questions=3)
    assert parse_task({"measure": {"max_questions": 3}}) == Measure(max_questions=3)
    assert parse_task({"caption": None}) == Caption()
    assert json.loads(parse_task("mcq").model_dump_json())["task"] == "mcq"


@pytest.mark.parametrize("value", ["measures", {"task": "x"}, {"a": 1, "b": 2}, 3, None, [], {"measure": 3}])
def test_an_unknown_task_names_the_valid_ones(value: object) -> None:
    with pytest.raises(RecipeError, match=r"known: .*caption.*measure|a name or a mapping|has no"):
        parse_task(value)


def test_an_unknown_option_names_the_known_ones() -> None:
    with pytest.raises(RecipeError, match=r"unknown key 'max'.*known: angle_tolerance_deg, .*max_questions"):
        parse_task({"task": "measure", "max": 3})


def test_a_proof_in_a_draft_is_only_as_good_as_its_media(brain: MediaView) -> None:
    talk = measure.drafts(record("volume", brain), brain, Measure(max_questions=1), 1)[0]
    without = dataclasses.replace(brain, media=())
    assert not any(check(Proof(p.turn, p.call, p.value, p.unit), without).passed for p in talk.proofs)
