"""Multiple choice: one right option, no trick that finds it without the media, and rules of `curate verify` kept."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import itertools
import math
import re
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.audit.stated import Said, unstated
from manifests.record import Fact, Media, Record
from manifests.sample import Draft
from synth.facts import modality_codes
from synth.proofs import MediaView, check
from synth.tasks import asks, mcq
from synth.tasks.mcq import Mcq
from synth.tasks.options import Scale, near_numbers, near_ranges, of_length
from synth.verify import verify_answer

SIDE = 24
AFFINE = ((-2.0, 0.0, 0.0, 0.0), (0.0, -2.0, 0.0, 0.0), (0.0, 0.0, 3.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def record(kind: str, view: MediaView, key: str = "0" * 32) -> Record:
    return Record(
        key=key, source="test", uri="test", upstream_id=key, sha256="0" * 64, kind=kind, group="g", licence="MIT",
        access="open", media=view.media, facts=view.facts,
    )  # fmt: skip


def nothing(member: str) -> Any:
    raise KeyError(member)


def picture(*facts: Fact) -> MediaView:
    array = np.zeros((30, 20), np.uint8)
    media = Media("png", "image", array.shape, "uint8", "0" * 64, array.nbytes, spacing_mm=(0.5, 0.5))
    return MediaView((media,), {"png": array}.__getitem__, facts)


def scan(*boxes: tuple[str, tuple[int, int, int], tuple[int, int, int]]) -> MediaView:
    """A CT of (24, 24, 24) voxels of 3 x 2 x 2 mm with one box a structure, from its first to behind its last voxel
    (z, y, x)."""
    arrays = {"ct": np.full((SIDE, SIDE, SIDE), 40, np.int16)}
    arrays["ct"][::2] += 9
    media = [Media("ct", "volume", (SIDE,) * 3, "int16", "0" * 64, 1, affine=AFFINE, units="HU")]
    for name, start, stop in boxes:
        arrays[name] = np.zeros((SIDE,) * 3, np.uint8)
        arrays[name][tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = 1
        media.append(Media(name, "mask", (SIDE,) * 3, "uint8", "0" * 64, 1, affine=AFFINE, label=name))
    return MediaView(tuple(media), arrays.__getitem__, (Fact("modality", "CT", "t"),))


@functools.cache
def abdomen() -> MediaView:
    return scan(
        ("liver", (8, 6, 2), (16, 14, 11)),
        ("spleen", (9, 12, 15), (15, 20, 22)),
        ("lesion", (8, 8, 12), (13, 12, 15)),
    )


def options_of(draft: Draft) -> dict[str, str]:
    return dict(re.findall(r"^([A-E])\. (.*)$", draft.turns[0].content, re.MULTILINE))


def share(values: list[int], count: int) -> float:
    """p of the chi-square test that values 0..count-1 are uniform; by the normal approximation of Wilson-Hilferty."""
    seen, expected = Counter(values), len(values) / count
    chi = sum((seen[k] - expected) ** 2 / expected for k in range(count))
    free = count - 1
    z = ((chi / free) ** (1 / 3) - (1 - 2 / (9 * free))) / math.sqrt(2 / (9 * free))
    return 0.5 * math.erfc(z / math.sqrt(2))


# --- wrong options ---------------------------------------------------------------------------------------------------


@settings(max_examples=120, deadline=None)
@given(st.decimals("0.06", "9000", places=2), st.integers(0, 10**6), st.integers(2, 5))
def test_near_numbers_are_other_values_with_the_golds_decimals(gold: Any, seed: int, count: int) -> None:
    wrong = near_numbers(str(gold), count, Scale(), seed, "k")
    assert len({*wrong, str(gold)}) == count
    assert all(len(one.partition(".")[2]) == 2 for one in wrong)
    ladder = sorted([*map(float, wrong), float(gold)])
    assert ladder[0] > 0
    assert all(b >= 1.12 * a or b - a <= 0.011 for a, b in itertools.pairwise(ladder))


@pytest.mark.parametrize(
    ("gold", "scale"),
    [
        ("38.12", Scale()),
        ("38.12", Scale(quantum=0.012)),
        ("27", Scale()),
        ("5", Scale(step=1, low=1)),
        ("-12.4", Scale(step=16)),
        ("91.0", Scale(step=12, low=0, high=180)),
    ],
)
def test_a_number_takes_every_rank_equally_often(gold: str, scale: Scale) -> None:
    ranks = []
    for seed in range(1200):
        wrong = near_numbers(gold, 4, scale, seed, "key")
        ranks.append(sum(float(one) < float(gold) for one in wrong))
        if scale.quantum:
            assert all(abs(float(v) / scale.quantum - round(float(v) / scale.quantum)) < 0.5 for v in wrong)
    assert share(ranks, 4) > 0.01


def test_a_number_that_cannot_take_every_rank_has_no_options() -> None:
    assert near_numbers("1", 4, Scale(step=1, low=1), 1) == ()
    assert near_numbers("3", 4, Scale(step=1, low=1), 1) == ()
    assert near_numbers("175.0", 4, Scale(step=12, low=0, high=180), 1) == ()
    assert near_numbers("0.02", 4, Scale(), 1) == ()


def test_near_ranges_lie_in_the_stack_share_no_end_and_rank_evenly() -> None:
    ranks: dict[bool, list[int]] = {True: [], False: []}
    for seed in range(1500):
        wrong = near_ranges("20-49", 4, 80, seed, "key")
        spans = [tuple(int(n) for n in one.split("-")) for one in (*wrong, "20-49")]
        assert len({a for a, _ in spans}) == len({b for _, b in spans}) == 4
        assert all(0 <= a < b < 80 for a, b in spans)
        moved = len({b - a for a, b in spans}) == 1
        ranks[moved].append(sum(b < 49 for _, b in spans))
    assert all(share(values, 4) > 0.01 for values in ranks.values())
    assert near_ranges("0-79", 4, 80, 1) == near_ranges("3-40", 4, 80, 1) == near_ranges("30-77", 4, 80, 1) == ()


def test_words_are_the_longest_option_no_more_often_than_chance_allows() -> None:
    pool = [(name, f"{name} {'y' * size}") for size, name in enumerate(("ab", "cd", "ef", "gh", "ij", "kl"), 4)]
    longest = []
    for seed in range(1500):
        wrong = of_length("the gold", pool, 4, seed, "key")
        assert len(wrong) == 3
        assert len({one[:2] for one in wrong}) == 3
        longest.append(sum(len(one) > len("the gold") for one in wrong))
    assert share(longest, 4) > 0.01
    assert sorted(of_length("ab", [("abc",), ("abcd",)], 4, 1)) == ["abc", "abcd"]


# --- questions -------------------------------------------------------------------------------------------------------


def test_every_question_has_one_right_option_states_its_proof_and_its_spacing() -> None:
    view = abdomen()
    families = set()
    for seed in range(2):
        drafts = mcq.drafts(record("volume", view), view, Mcq(max_questions=64, intensity=True), seed)
        assert drafts == mcq.drafts(record("volume", view), view, Mcq(max_questions=64, intensity=True), seed)
        for draft in drafts:
            (proof,) = draft.proofs
            families.add(proof.call.partition("(")[0])
            assert draft.accepted
            assert check(proof, view).passed
            options = options_of(draft)
            assert len(set(options.values())) == len(options) in (2, 3, 4)
            said = Said("", draft.turns, draft.answer, draft.proofs, view.facts, False)
            assert list(unstated(said)) == []
            assert ("Voxel spacing: 3.0 x 2.0 x 2.0 mm" in draft.turns[0].content) == (proof.unit in ("mm", "mL"))
            if draft.stage == "rlvr":
                assert len(options) == 4
                assert draft.answer is not None
                right = [k for k in options if verify_answer(k, draft.answer).passed]
                assert [options[k] for k in right] == [proof.value]
    assert families >= {"label", "plane", "volume_ml", "longest_axis_mm", "mean_hu", "slice_range", "extent_mm"}
    assert families >= {"is_left_of", "relation", "perpendicular_axis_mm"}


def test_where_organs_lie_is_asked_but_not_rewarded_and_where_a_lesion_lies_is() -> None:
    view = abdomen()
    rewarded: Counter[str] = Counter()
    for seed in range(30):
        for a, b in (("liver", "spleen"), ("lesion", "liver")):
            call = f"relation(a={a}, b={b}, along=left-right)"
            ask = asks.Ask("relation_left_right", call, a, b)
            proof = asks.decide(ask, view, 1.0, 1)
            assert proof is not None
            rewarded[a] += asks.rewarding(ask, proof, seed, "key")
        single = asks.Ask("count", "count(mask=liver)", "liver")
        proof = asks.decide(single, view, 1.0, 1)
        assert proof is not None
        rewarded["single"] += asks.rewarding(single, proof, seed, "key")
    assert rewarded["liver"] == 0
    assert rewarded["lesion"] == 30
    assert 1 <= rewarded["single"] <= 16


def test_the_largest_is_one_of_few_that_are_alike_in_size() -> None:
    alike = scan(
        ("liver", (2, 2, 2), (8, 8, 8)), ("spleen", (10, 10, 10), (16, 15, 16)), ("aorta", (18, 18, 18), (24, 23, 22))
    )
    drafts = mcq.drafts(record("volume", alike), alike, Mcq(), 1)
    found = [d for d in drafts if d.proofs[0].call.startswith("largest")]
    assert [d.stage for d in found] == ["sft", "rlvr"]
    assert set(options_of(found[0]).values()) == {"liver", "spleen", "aorta"}
    uneven = scan(("liver", (2, 2, 2), (12, 12, 12)), ("spleen", (14, 14, 14), (16, 15, 16)))
    drafts = mcq.drafts(record("volume", uneven), uneven, Mcq(), 1)
    assert not [d for d in drafts if d.proofs[0].call.startswith("largest")]


def test_imaging_techniques_that_cannot_have_made_such_a_record_are_not_offered() -> None:
    for kind, view in (("volume", abdomen()), ("image", picture(Fact("modality", "DX", "t")))):
        for seed in range(20):
            draft = mcq.drafts(record(kind, view), view, Mcq(options=5, max_questions=1), seed)[0]
            offered = set(options_of(draft).values())
            assert kind == "image" or not offered & {"endoscopy", "dermoscopy", "radiography", "fundoscopy"}
            assert kind == "volume" or not any("x-ray" in one.lower() for one in offered)


@pytest.mark.parametrize("code", ["IO", "PX", "GM", "SM", "DX", "MG"])
def test_each_way_of_making_a_picture_is_asked_and_told_from_the_others(code: str) -> None:
    view = picture(Fact("modality", code, "t"))
    for seed in range(8):
        (draft,) = mcq.drafts(record("image", view), view, Mcq(options=5, max_questions=1), seed)
        gold = draft.turns[1].content.partition(". ")[2]
        named = {option for option in options_of(draft).values() if code in modality_codes(option)}
        assert draft.accepted
        assert named == {gold}


def test_labels_are_asked_against_the_classes_of_their_source() -> None:
    config = Mcq(labels=("normal", "pneumonia", "Pneumonia", "covid_19"))
    view = picture(Fact("modality", "DX", "t"), Fact("label", "pneumonia", "t"))
    prompts = [d for d in mcq.drafts(record("image", view), view, config, 1) if "fact=label" in d.proofs[0].call]
    assert [d.stage for d in prompts] == ["sft", "rlvr"]
    assert sorted(options_of(prompts[0]).values()) == ["covid 19", "normal", "pneumonia"]
    assert not [d for d in mcq.drafts(record("image", view), view, Mcq(), 1) if "fact=label" in d.proofs[0].call]
    column = picture(Fact("label", "normal", "csv", about="finding"), Fact("modality", "DX", "t"))
    found = {d.proofs[0].call for d in mcq.drafts(record("image", column), column, config, 1)}
    assert "label(fact=label, about=finding)" in found
    two = picture(Fact("label", "normal", "csv", about="a"), Fact("label", "normal", "csv", about="b"))
    assert not [d for d in mcq.drafts(record("image", two), two, config, 1) if "fact=label" in d.proofs[0].call]


def test_a_leaking_question_is_not_accepted() -> None:
    facts = (
        Fact("code", "C80", "icd"),
        Fact("title", "Neoplasms, unspecified", "icd"),
        Fact("chapter", "Neoplasms", "i"),
    )
    view = MediaView((), nothing, facts)
    drafts = mcq.drafts(record("text", view), view, Mcq(), 1)
    assert {d.proofs[0].call: (d.accepted, d.reason) for d in drafts} == {
        "label(fact=code)": (True, ""),
        "label(fact=chapter)": (False, "no_leak"),
    }


def test_nothing_in_millimetres_is_asked_where_the_spacing_is_not_known() -> None:
    view = abdomen()
    volume, *masks = view.media
    blind = dataclasses.replace(view, media=(dataclasses.replace(volume, affine=None), *masks))
    drafts = mcq.drafts(record("volume", blind), blind, Mcq(max_questions=64), 1)
    assert drafts
    assert not [d for d in drafts if d.proofs[0].unit in ("mm", "mL")]


def icd_views() -> list[tuple[str, MediaView]]:
    spec = importlib.util.find_spec("simple_icd_10_cm")
    assert spec is not None
    assert spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "data/icd10c-tabular-April-1-2026.xml"
    views = []
    for chapter in ET.parse(path).getroot().findall("chapter"):
        for diag in itertools.islice(chapter.iter("diag"), 14):
            found = {"code": diag.findtext("name"), "title": diag.findtext("desc"), "chapter": chapter.findtext("desc")}
            facts = tuple(Fact(name, value or "", "icd") for name, value in found.items())
            views.append((str(found["code"]), MediaView((), nothing, facts)))
    return views


@pytest.mark.slow
def test_letters_of_codes_are_balanced_and_the_code_is_not_the_one_that_is_near_to_all() -> None:
    letters: list[int] = []
    hubs = codes = 0
    for code, view in icd_views():
        drafts = mcq.drafts(record("text", view, f"{int.from_bytes(code.encode()):032x}"), view, Mcq(), 11)
        for prompt in (d for d in drafts if d.stage == "rlvr"):
            assert prompt.answer is not None
            options = options_of(prompt)
            assert len(set(options.values())) == len(options) == 4
            value = prompt.proofs[0].value
            assert [o for o in options.values() if value.startswith(o)] == [options[prompt.answer.gold]]
            letters.append("ABCD".index(prompt.answer.gold))
            if "fact=code" in prompt.proofs[0].call:
                codes += 1
                apart = {
                    o: sum(a != b for p in options.values() for a, b in zip(o, p, strict=True))
                    for o in options.values()
                }
                hubs += list(apart.values()).count(min(apart.values())) == 1
    assert len(letters) > 400
    assert share(letters, 4) > 0.01
    assert hubs == 0 < codes
