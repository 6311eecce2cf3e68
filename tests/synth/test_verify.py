"""Judges against gold lists made by rules from real facts: unit traps, side flips, swapped organs, negations."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from manifests.errors import RecordError
from manifests.record import Fact
from synth.claims import PIECE, pieces
from synth.facts import VOCABULARY, body_part_words, structure_words, validate, value_of, words_for
from synth.proofs import format_number
from synth.verify import (
    CHECKS,
    MAX_TEXT,
    faithfulness,
    latin_script,
    length,
    no_leak,
    not_empty,
)

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
PAIRED = (("kidney_left", "kidney_right"), ("lung_lower_lobe_left", "lung_lower_lobe_right"))
# mm3 of masks of a public CT, as published beside it (ct-totalsegmentator, example_seg_fast/statistics.json)
VOLUMES = {"spleen": 260010, "kidney_right": 107892, "kidney_left": 99252, "liver": 1062450, "stomach": 128196,
           "pancreas": 14796, "gallbladder": 36423}  # fmt: skip


# --- faithfulness ----------------------------------------------------------------------------------------------------

HEADER_FACTS = (
    ("modality", "Modality", ""),
    ("body_part", "BodyPartExamined", ""),
    ("kvp", "KVP", "kV"),
    ("slice_thickness_mm", "SliceThickness", "mm"),
    ("echo_time_ms", "EchoTime", "ms"),
    ("repetition_time_ms", "RepetitionTime", "ms"),
    ("magnetic_field_t", "MagneticFieldStrength", "T"),
    ("frame_count", "NumberOfFrames", ""),
)


def header_facts(name: str) -> tuple[Fact, ...]:
    path = get_testdata_file(name)
    assert isinstance(path, str)
    header = pydicom.dcmread(path, stop_before_pixels=True)
    return tuple(
        Fact(fact, str(header.get(keyword)), f"dicom:{keyword}", unit)
        for fact, keyword, unit in HEADER_FACTS
        if header.get(keyword) not in (None, "")
    )


def volume_facts() -> tuple[Fact, ...]:
    found = [Fact("modality", "CT", "table"), Fact("body_part", "ABDOMEN", "table"), Fact("plane", "axial", "affine")]
    found += [Fact("volume_ml", format_number(v / 1000, 2), f"mask:{n}", "mL", n) for n, v in VOLUMES.items()]
    return tuple(found)


CXR = (
    Fact("modality", "DX", "column:modality"),
    Fact("body_part", "CHEST", "column:part"),
    Fact("view_position", "PA", "column:view"),
    Fact("laterality", "R", "column:side"),
    Fact("finding", "present", "column:effusion", about="effusion"),
    Fact("finding", "absent", "column:pneumothorax", about="pneumothorax"),
    Fact("finding", "no", "column:fracture", about="fracture"),
    Fact(
        "caption", "Right pleural effusion. No pneumothorax or rib fracture. The heart is not enlarged.", "column:text"
    ),
)
NORMAL = (
    Fact("modality", "CR", "column:modality"),
    Fact("label", "normal", "column:label"),
    Fact("body_part", "CHEST", "c"),
)
Pair = tuple[str, tuple[Fact, ...], str]  # the text, its facts, and the check that must fail ("" for none)


def pairs_of_volumes() -> list[Pair]:
    facts = volume_facts()
    pairs: list[Pair] = []
    for name, mm3 in VOLUMES.items():
        words, ml = structure_words(name), mm3 / 1000
        other = "pancreas" if name != "pancreas" else "liver"
        pairs += [
            (f"The volume of the {words} is {ml:.2f} mL.", facts, ""),
            (f"On CT, the {words} measures {ml / 1000:.3f} L.", facts, ""),
            (f"The {words} has about {ml:.0f} cm³.", facts, ""),
            (f"An axial CT shows the {words} with a volume of {ml:,.1f} ml.", facts, ""),
            (f"The volume of the {words} is {ml * 1.1:.2f} mL.", facts, "numbers"),
            (f"The volume of the {words} is {ml:.2f} mg.", facts, "units"),
            (f"The volume of the {words} is {ml:.2f} mm.", facts, "units"),
            (f"The {words} measures {ml:.2f} L.", facts, "units"),
            (f"On MRI, the {words} measures {ml:.2f} mL.", facts, "modality"),
            (f"A coronal view shows the {words}.", facts, "plane"),
            (f"The {other} measures {ml:.2f} mL.", facts, "anatomy"),
            (f"The {words} and the prostate are marked.", facts, "anatomy"),
            (f"There is a cyst in the {words}.", facts, "findings"),
            (f"The {words} shows no tumour.", facts, "negation"),
        ]
    left, right = VOLUMES["kidney_left"] / 1000, VOLUMES["kidney_right"] / 1000
    pairs += [
        (f"The left kidney has {left:.2f} mL and the right kidney {right:.2f} mL.", facts, ""),
        (f"The right kidney has {left:.2f} mL and the left kidney {right:.2f} mL.", facts, "sides"),
        (f"The left kidney measures {right:.2f} mL.", facts, "sides"),
        ("Both kidneys are marked.", facts, ""),
        ("The kidneys are seen bilaterally.", facts, ""),
        ("The left and right kidneys are marked in the abdomen.", facts, ""),
        ("Computed tomography of the abdomen.", facts, ""),
        ("Ultrasound of the abdomen.", facts, "modality"),
        ("A chest CT.", facts, "anatomy"),
        ("The L1 vertebra is cut.", facts, "numbers"),
        ("Three lesions are marked.", facts, "numbers"),
        ("1. The liver is marked.\n2. The spleen is marked.", facts, ""),
        ("The mean spleen volume of 0.260 L is given in a 3D volume.", facts, ""),
    ]
    return pairs


def pairs_of_headers() -> list[Pair]:
    ct, mr = header_facts("CT_small.dcm"), header_facts("MR_small.dcm")
    abdomen, us = header_facts("examples_overlay.dcm"), header_facts("examples_ybr_color.dcm")
    return [
        ("A CT slice acquired at 120 kVp with 5 mm slices.", ct, ""),
        ("A computed tomography image with a slice thickness of 0.5 cm.", ct, ""),
        ("A CT slice acquired at 140 kVp.", ct, "numbers"),
        ("A CT slice acquired at 120 mA.", ct, "units"),
        ("The slices are 5 cm thick.", ct, "units"),
        ("The slices are 5 mL thick.", ct, "units"),
        ("An MRI slice acquired at 120 kVp.", ct, "modality"),
        ("A chest CT.", ct, "anatomy"),
        ("An axial CT.", ct, "plane"),
        ("A CT without contrast of the left side.", ct, "sides"),
        ("A CT without haemorrhage.", ct, "negation"),
        ("Magnetic resonance with an echo time of 240 ms and a repetition time of 4 s.", mr, ""),
        ("MRI, TR 4000 ms, TE 240 ms, 0.8 mm slices.", mr, ""),
        ("MRI, TR 4000 ms, TE 240 s.", mr, "units"),
        ("MRI, TE 24 ms.", mr, "numbers"),
        ("A T1-weighted MRI.", mr, "numbers"),
        ("A radiograph with TE 240 ms.", mr, "modality"),
        ("Abdominal MRI at 1.5 T with an echo time of 2.81 ms.", abdomen, ""),
        ("Abdominal MRI at 1.49 tesla, repetition time 5.53 ms, slices 4 mm.", abdomen, ""),
        ("Abdominal MRI at 3 T.", abdomen, "numbers"),
        ("Abdominal MRI at 1.5 mT.", abdomen, "units"),
        ("Brain MRI at 1.5 T.", abdomen, "anatomy"),
        ("Pelvic MRI at 1.5 T.", abdomen, "anatomy"),
        ("An ultrasound clip of 30 frames.", us, ""),
        ("A sonogram with 30 frames.", us, ""),
        ("A sonogram with 60 frames.", us, "numbers"),
        ("An echocardiogram of the heart.", us, "anatomy"),
        ("A CT clip of 30 frames.", us, "modality"),
        ("A 30 s clip.", us, "units"),
    ]


def pairs_of_findings() -> list[Pair]:
    return [
        ("Chest X-ray, PA view, with a right pleural effusion.", CXR, ""),
        ("Digital radiography of the chest: effusion on the right.", CXR, ""),
        ("No pneumothorax or rib fracture.", CXR, ""),
        ("There is no pneumothorax.", CXR, ""),
        ("A pneumothorax is not seen.", CXR, ""),
        ("Fracture: none.", CXR, ""),
        ("The heart is not enlarged.", CXR, ""),
        ("Right pleural effusion without pneumothorax.", CXR, ""),
        ("The radiograph doesn't show a fracture, but an effusion on the right.", CXR, ""),
        ("Frontal chest radiograph.", CXR, ""),
        ("Left pleural effusion.", CXR, "sides"),
        ("Bilateral pleural effusions.", CXR, "sides"),
        ("No pleural effusion.", CXR, "negation"),
        ("Without evidence of effusion.", CXR, "negation"),
        ("Effusion is absent.", CXR, "negation"),
        ("There is a pneumothorax.", CXR, "negation"),
        ("A rib fracture is seen.", CXR, "negation"),
        ("The ribs are fractured.", CXR, "negation"),
        ("Effusion and pneumonia are present.", CXR, "findings"),
        ("A nodule is seen.", CXR, "findings"),
        ("The chest radiograph is normal.", CXR, "negation"),
        ("No consolidation.", CXR, "negation"),
        ("An AP view of the chest.", CXR, "plane"),
        ("A lateral view of the chest.", CXR, "plane"),
        ("CT of the chest.", CXR, "modality"),
        ("Effusion of 200 mL.", CXR, "numbers"),
        ("Effusion around the liver.", CXR, "anatomy"),
        ("A normal chest X-ray.", NORMAL, ""),
        ("The chest radiograph is unremarkable.", NORMAL, ""),
        ("No abnormality is seen on this chest X-ray.", NORMAL, ""),
        ("No effusion or pneumothorax.", NORMAL, ""),
        ("The chest radiograph is abnormal.", NORMAL, "negation"),
        ("The chest radiograph shows pneumonia.", NORMAL, "negation"),
        ("The chest radiograph shows disease.", NORMAL, "negation"),
        ("A normal mammogram.", NORMAL, "modality"),
        ("The left lung is normal.", NORMAL, "sides"),
    ]


def test_faithfulness_has_no_false_alarm_and_no_miss_on_the_gold_list() -> None:
    """Gold by rule from packaged DICOM headers, published organ volumes and report facts."""
    pairs = [*pairs_of_volumes(), *pairs_of_headers(), *pairs_of_findings()]
    false_alarms, misses = [], []
    for text, facts, must_fail in pairs:
        failed = {v.check: v.evidence for v in faithfulness(text, facts, 1) if not v.passed}
        if not must_fail and failed:
            false_alarms.append((text, failed))
        if must_fail and must_fail not in failed:
            misses.append((text, must_fail, failed))
    assert len(pairs) >= 150
    assert sum(1 for *_, must_fail in pairs if not must_fail) >= 45
    assert (false_alarms, misses) == ([], [])


# What the docstring calls not covered. When one of these changes, the docstring is out of date.
MEASURED = (Fact("caption", "A nodule of 3 mm in the left lung and a cyst of 9 mm in the liver.", "c"),)
UNDETECTED = (
    ("A nodule of 9 mm in the left lung and a cyst of 3 mm in the liver.", "numbers swapped inside one caption"),
    ("A cyst in the left lung and a nodule in the liver.", "findings swapped between organs that are both named"),
    ("A nodule of 3 mm in the left lung, found on Monday.", "a word that no lexicon has"),
)
OVERSTRICT = (
    ("The liver is four times as large as the spleen.", "arithmetic on facts"),
    ("MRI was not performed.", "a modality that is only mentioned"),
    ("The CT measures the liver at 1000 mL.", "rounding beyond the places printed, without about"),
    ("The liver is larger than the spleen.", "a comparison that the facts would bear out"),
)


def test_known_limits_are_still_what_the_docstring_says() -> None:
    facts = volume_facts()
    assert [failed(text, MEASURED) for text, _ in UNDETECTED] == [[]] * len(UNDETECTED)
    assert all(failed(text, facts) for text, _ in OVERSTRICT)


def failed(text: str, facts: tuple[Fact, ...]) -> list[str]:
    return [v.check for v in faithfulness(text, facts, 1) if not v.passed]


def caption(text: str) -> tuple[Fact, ...]:
    return (Fact("caption", text, "column:text"),)


@pytest.mark.parametrize(
    ("said", "known", "wrong"),
    [
        ("Pneumonia.", "Possible pneumonia.", "certainty"),
        ("There is pneumonia.", "Pneumonia cannot be excluded.", "certainty"),
        ("A metastasis in the liver.", "A lesion in the liver, suspicious for metastasis.", "certainty"),
        ("Consolidation represents pneumonia.", "Consolidation that may represent pneumonia.", "certainty"),
        ("Suspected pneumonia.", "Possible pneumonia.", ""),
        ("Pneumonia is not excluded.", "Pneumonia cannot be excluded.", ""),
        ("Pneumonia.", "Possible pneumonia; in the follow-up, pneumonia was proven.", ""),
        ("Possible pneumothorax.", "No pneumothorax.", "negation"),
        ("The mass has grown.", "A mass in the left lung.", "comparison"),
        ("The effusion is larger than before.", "The effusion has increased.", ""),
        ("The effusion is smaller.", "The effusion has increased.", "comparison"),
        ("Right effusion and right pneumothorax.", "Left effusion and right pneumothorax.", "sides"),
        ("A cyst in the lower lobe.", "A cyst in the upper lobe.", "sides"),
        ("The heart is enlarged.", "The heart is not enlarged.", "negation"),
        ("A mass in the liver. There is fat stranding.", "A mass in the liver. There is no fat stranding.", "negation"),
        ("The patient reports chest pain.", "The patient denies chest pain.", "negation"),
        ("The trachea cannot be seen.", "The trachea is seen.", "negation"),
        ("There is goitre with zorbing.", "A mass in the neck.", "findings"),
        ("Hypersomething: haemangiomata.", "A hemangioma.", ""),
        ("A large splenoblastoma.", "A large spleen.", "findings"),
        ("A lesion.", "A melanoma.", ""),
        ("A melanoma.", "A lesion.", "findings"),
        ("Abdominal CT.", "CT of the liver.", ""),
        ("CT of the liver.", "Abdominal CT.", "anatomy"),
        ("Nothing of this kind is written anywhere.", "A mass in the liver.", "findings"),
    ],
)
def test_what_a_caption_supposes_denies_compares_or_places_is_kept(said: str, known: str, wrong: str) -> None:
    assert (wrong in failed(said, caption(known))) if wrong else failed(said, caption(known)) == []


def test_respectively_and_a_pronoun_bind_a_number_to_its_organ_and_side() -> None:
    facts = volume_facts()
    for text in (
        "The left and right kidneys measure 99.25 mL and 107.89 mL, respectively.",
        "The spleen and the liver measure 260.01 mL and 1062.45 mL, respectively.",
        "The spleen is marked. Its volume is 260.01 mL.",
        "The left kidney is marked. It measures 99.25 mL.",
    ):
        assert failed(text, facts) == []
    for text, check in (
        ("The left and right kidneys measure 107.89 mL and 99.25 mL, respectively.", "sides"),
        ("The spleen and the liver measure 1062.45 mL and 260.01 mL, respectively.", "anatomy"),
        ("The spleen is marked. Its volume is 1062.45 mL.", "anatomy"),
        ("The right kidney is marked. It measures 99.25 mL.", "sides"),
        ("The abdomen measures 1062.45 mL.", "anatomy"),
    ):
        assert check in failed(text, facts)


def test_two_sentences_that_differ_in_their_side_alone_are_both_known() -> None:
    known = caption("The right kidney is seen. The left kidney is seen. No mass of the left kidney.")
    assert failed("The left kidney is seen. The right kidney is seen.", known) == []
    assert "sides" in failed("No mass of the right kidney.", known)


def test_a_fact_that_is_uncertain_may_only_be_told_as_such() -> None:
    facts = (Fact("finding", "uncertain", "column:pneumonia", about="pneumonia"),)
    assert failed("Possible pneumonia.", facts) == []
    assert failed("Pneumonia is present.", facts) == ["certainty"]


def test_there_is_one_verdict_per_check_with_the_turn_and_the_offending_words() -> None:
    verdicts = faithfulness("The left lung measures 12 mm.", CXR, 5)
    assert tuple(v.check for v in verdicts) == CHECKS
    assert {v.turn for v in verdicts} == {5}
    by_check = {v.check: v for v in verdicts}
    assert "'12 mm'" in by_check["numbers"].evidence
    assert "right" in by_check["sides"].evidence
    assert by_check["modality"].score == 1.0


@given(st.text(alphabet="a1.;\n \u00e9(", max_size=60), st.integers(0, 90))
def test_pieces_are_the_text_and_none_is_long(text: str, times: int) -> None:
    whole = text * times
    cut = list(pieces(whole))
    assert "".join(cut) == whole
    assert all(0 < len(piece) <= PIECE for piece in cut) or whole == ""


def test_a_long_report_is_judged_as_its_sentences_are() -> None:
    """Offences at the beginning and the end of 12,000 characters, and none where there is none."""
    facts = volume_facts()
    sound = [text for text, known, wrong in pairs_of_volumes() if not wrong and known == facts]
    report = "\n".join(sound * (12_000 // len("\n".join(sound))))
    assert [v.evidence for v in faithfulness(report, facts, 1) if not v.passed] == []
    for spoiled in (f"{report} The spleen measures 4321 mL.", f"The spleen measures 4321 mL. {report}"):
        assert [v.check for v in faithfulness(spoiled, facts, 1) if not v.passed] == ["numbers"]


def test_a_text_beyond_the_bound_fails_every_check_and_says_so() -> None:
    verdicts = faithfulness("The liver is seen. " * (MAX_TEXT // 19 + 1), volume_facts(), 1)
    assert [(v.check, v.passed, v.score) for v in verdicts] == [(check, False, 0.0) for check in CHECKS]
    assert f"at most {MAX_TEXT}" in verdicts[0].evidence


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", ["12.5 ", "no ", "1, ", "1 x ", "1/", "the left liver 12.5 mL and ", "left ", "\n1", "no mass. "]
)
def test_time_grows_with_a_text_and_not_with_its_square(unit: str) -> None:
    """16,384 characters of each took up to minutes of CPU while anything looked around itself in all of them."""
    facts = (Fact("volume_ml", "12.5", "x", "mL", "liver"), Fact("laterality", "L", "x"))
    faithfulness("a", facts, 1)
    began = time.process_time()
    faithfulness((unit * MAX_TEXT)[:MAX_TEXT], facts, 1)
    assert time.process_time() - began < 15  # half a second, but for `no `: 5


@given(st.text(max_size=80))
def test_no_text_makes_faithfulness_raise(text: str) -> None:
    assert len(faithfulness(text, CXR, 1)) == len(CHECKS)


@pytest.mark.shared_data
@pytest.mark.skipif(not (SHARED / "ct-totalsegmentator").is_dir(), reason="needs ../shared/data/ct-totalsegmentator")
def test_published_volumes_are_those_of_the_gold_list() -> None:
    published = json.loads((SHARED / "ct-totalsegmentator/example_seg_fast/statistics.json").read_text())
    assert {name: published[name]["volume"] for name in VOLUMES} == VOLUMES


def _flip(text: str) -> str:
    return re.sub(r"\b(left|right)\b", lambda m: {"left": "right", "right": "left"}[m[0]], text)


def _swap_unit(text: str) -> str:
    return re.sub(r"(\d ?)(mm|cm)\b", lambda m: m[1] + {"mm": "cm", "cm": "mm"}[m[2]], text, count=1)


def _scale(text: str) -> str:
    return re.sub(r"(?<![\w.-])(\d+)(?= ?(?:mm|cm|years?|mL)\b)", lambda m: str(int(m[1]) * 13), text, count=1)


@pytest.mark.shared_data
@pytest.mark.skipif(not (SHARED / "text-captions-roco").is_dir(), reason="needs ../shared/data/text-captions-roco")
@pytest.mark.slow
def test_on_real_captions_changed_sides_numbers_and_units_are_caught_and_the_captions_themselves_pass() -> None:
    """500 published captions, each its own fact: at most 1 % false alarms, at least 95 % of the changes caught."""
    lines = (SHARED / "text-captions-roco/captions_cc_by.tsv").read_text().splitlines()[1:501]
    captions = [line.split("\t")[-1] for line in lines]

    def fails(text: str, caption: str, checks: tuple[str, ...]) -> bool:
        facts = (Fact("caption", caption, "column:caption"),)
        return any(v.check in checks and not v.passed for v in faithfulness(text, facts, 1))

    assert sum(fails(caption, caption, CHECKS) for caption in captions) <= len(captions) // 100
    one_sided = [c for c in captions if len(set(re.findall(r"\b(left|right)\b", c))) == 1]
    numbered = [c for c in captions if _scale(c) != c]
    in_units = [c for c in captions if _swap_unit(c) != c]
    assert len(one_sided) > 80
    assert len(numbered) > 10
    assert len(in_units) > 10
    assert sum(fails(_flip(c), c, ("sides",)) for c in one_sided) >= 0.95 * len(one_sided)
    assert sum(fails(_scale(c), c, ("numbers", "units")) for c in numbered) >= 0.95 * len(numbered)
    assert sum(fails(_swap_unit(c), c, ("numbers", "units")) for c in in_units) >= 0.95 * len(in_units)


def test_real_captions_are_faithful_to_themselves() -> None:
    """A text that only repeats a caption fact passes, whatever it holds: radiology sentences of several kinds."""
    captions = [
        "Axial CT of the abdomen shows a 3.2 x 4.1 cm mass in the left kidney, without lymphadenopathy.",
        "Chest X-ray (PA): no consolidation, effusion or pneumothorax. Heart size is normal.",
        "Coronal T2-weighted MRI of the brain with a 12 mm lesion in the right frontal lobe; no hydrocephalus.",
        "Ultrasound of the gallbladder demonstrates multiple stones; the bladder is unremarkable.",
    ]
    for caption in captions:
        facts = (Fact("caption", caption, "column:caption"),)
        assert [(v.check, v.evidence) for v in faithfulness(caption, facts, 1) if not v.passed] == []


# --- small checks and the vocabulary ---------------------------------------------------------------------------------


def test_small_checks_decide_what_they_say() -> None:
    assert not_empty("a", 1).passed
    assert not not_empty(" .\n", 1).passed
    assert length("abc", 1, 3).passed
    assert not length("abcd", 1, 3).passed
    assert not no_leak("Which organ, the Spleen, is it?", "spleen", 1).passed
    assert no_leak("Is there no effusion?", "no", 1).passed
    assert no_leak("Is it a spleenectomy?", "spleen", 1).passed
    assert latin_script("The heart, 5 µm – naïve", 1).passed
    assert not latin_script("心脏不大", 1).passed


def test_only_known_facts_with_value_and_origin_are_valid() -> None:
    validate([Fact(name, "x", "t") for name in VOCABULARY])
    for fact, reason in (
        (Fact("colour", "x", "t"), "unknown_fact"),
        (Fact("label", " ", "t"), "empty_fact"),
        (Fact("label", "x", ""), "fact_without_origin"),
    ):
        with pytest.raises(RecordError) as error:
            validate([fact])
        assert error.value.reason == reason


def test_codes_become_plain_english() -> None:
    assert words_for("CT") == "computed tomography"
    assert words_for("mr") == "magnetic resonance imaging"
    assert words_for("thermography") == "thermography"
    assert body_part_words("ABDOMENPELVIS") == "abdomen and pelvis"
    assert structure_words("vertebrae_L1") == "L1 vertebra"
    assert structure_words("lung_lower_lobe_left") == "left lung lower lobe"
    assert value_of(CXR, "finding", "fracture") == "no"
