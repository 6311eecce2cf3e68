"""Typed verifiers of answers: what earns a reward, against lists written by hand and the gold set."""

from __future__ import annotations

import dataclasses
import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.verifiers import confusion, module_text
from manifests.sample import Answer
from synth.boxes import generalised_overlap, overlap
from synth.facts import structure_words
from synth.proofs import format_number
from synth.quantities import quantities, unit_factor
from synth.verifiers import (
    MEASURED,
    REWARDING,
    VERIFIERS,
    Confusion,
    may_reward,
    measured,
    rewarding,
    score,
    verify_answer,
)
from synth.verifiers.mask import dice
from tests.synth.gold import gold_set
from tests.synth.gold.base import held_out
from tests.synth.gold.hacks import ANSWERS, PATTERNS, hacks
from tests.synth.gold.of_space import run_lengths

# mm3 of masks of a public CT, as published beside it (ct-totalsegmentator, example_seg_fast/statistics.json)
VOLUMES = {"spleen": 260010, "kidney_right": 107892, "kidney_left": 99252, "liver": 1062450, "stomach": 128196,
           "pancreas": 14796, "gallbladder": 36423}  # fmt: skip


def number(gold: str, unit: str = "", tolerance: float = 0.01) -> Answer:
    return Answer("number", gold, "number", unit, tolerance)


NUMBERS: tuple[tuple[str, Answer, bool], ...] = (
    ("12.5 mm", number("12.5", "mm"), True),
    ("1.25 cm", number("12.5", "mm"), True),
    ("0.0125 m", number("12.5", "mm"), True),
    ("12,5 mm", number("12.5", "mm"), True),
    ("12.5", number("12.5", "mm"), True),
    ("It measures 12.5 millimetres.", number("12.5", "mm"), True),
    ("12.5mm", number("12.5", "mm"), True),
    ("12500 µm", number("12.5", "mm"), True),
    ("12.5 cm", number("12.5", "mm"), False),
    ("12.5 mL", number("12.5", "mm"), False),
    ("12.5 mm²", number("12.5", "mm"), False),
    ("12.5 mm or 13.9 mm", number("12.5", "mm"), False),
    ("between 12 and 13 mm", number("12.5", "mm", 0.01), False),
    ("more than 12.5 mm", number("12.5", "mm"), False),
    ("< 12.5 mm", number("12.5", "mm"), False),
    ("not 12.5 mm", number("12.5", "mm"), False),
    ("-12.5 mm", number("12.5", "mm"), False),
    ("1.25 cm (12.5 mm)", number("12.5", "mm"), True),
    ("<answer>12.5 mm</answer>", number("12.5", "mm"), True),
    ("first I thought 99 mm <answer>1.25 cm</answer>", number("12.5", "mm"), True),
    ("<answer>12.5</answer> <answer>13.5</answer>", number("12.5", "mm"), False),
    ("<think>99 or 3?</think> 12.5 mm", number("12.5", "mm"), True),
    ("<answer></answer>", number("12.5", "mm"), False),
    ("", number("12.5", "mm"), False),
    ("five mg", number("5", "mg"), True),
    ("5 mg", number("5", "mg"), True),
    ("5 g", number("5", "mg"), False),
    ("5000 µg", number("5", "mg"), True),
    ("0.005 g", number("5", "mg"), True),
    ("5 mcg", number("5", "mg"), False),
    ("5 mmol", number("5", "mg"), False),
    ("5 mg/dL", number("5", "mg"), False),
    ("50 mg/L", number("5", "mg/dL"), True),
    ("5 mg/dL", number("5", "mg/dL"), True),
    ("5 g/dL", number("5", "mg/dL"), False),
    ("1,062.45 mL", number("1062.45", "mL"), True),
    ("1062 cc", number("1062.45", "mL"), True),
    ("1.06 L", number("1062.45", "mL"), True),
    ("1062.45 cm³", number("1062.45", "mL"), True),
    ("1062450 mm3", number("1062.45", "mL"), True),
    ("1062.45 L", number("1062.45", "mL"), False),
    ("1.0624e3 mL", number("1062.45", "mL"), True),
    ("1062.45 mm", number("1062.45", "mL"), False),
    ("−3 HU", number("-3.0", "HU"), True),
    ("-3 Hounsfield units", number("-3.0", "HU"), True),
    ("3 HU", number("-3.0", "HU"), False),
    ("-3 mL", number("-3.0", "HU"), False),
    ("3", number("3", "", 0.0), True),
    ("three", number("3", "", 0.0), True),
    ("There are three separate parts.", number("3", "", 0.0), True),
    ("3.0", number("3", "", 0.0), True),
    ("4", number("3", "", 0.0), False),
    ("3 mm", number("3", "", 0.0), False),
    ("zero", number("0", "", 0.0), True),
    ("none", number("0", "", 0.0), False),
    ("The 3D mask has 2 parts", number("2", "", 0.0), True),
    ("L1 and L2: 2 parts", number("2", "", 0.0), True),
    ("12.50 s", number("12.5", "s"), True),
    ("12500 ms", number("12.5", "s"), True),
    ("0.208 min", number("12.5", "s"), True),
    ("12.5 ms", number("12.5", "s"), False),
    ("95 bananas", number("95", "mmHg"), False),
    ("95 mmHg", number("95", "mmHg"), True),
    ("12.7 kPa", number("95", "mmHg"), True),
)
LABELS: tuple[tuple[str, Answer, bool], ...] = tuple(
    (said, Answer("label", gold, "label"), right)
    for said, gold, right in (
        ("melanoma", "melanoma", True),
        ("Melanoma.", "melanoma", True),
        ("  a MELANOMA ", "melanoma", True),
        ("The answer is melanoma.", "melanoma", True),
        ("<answer>melanoma</answer>", "melanoma", True),
        ("It is a melanoma", "melanoma", True),
        ("not melanoma", "melanoma", False),
        ("no melanoma", "melanoma", False),
        ("It is not a melanoma", "melanoma", False),
        ("no sign of melanoma", "melanoma", False),
        ("nevus, not melanoma", "melanoma", False),
        ("melanoma or nevus", "melanoma", False),
        ("nonmelanoma", "melanoma", False),
        ("nevus", "melanoma", False),
        ("left kidney", "left kidney|kidney_left", True),
        ("Kidney-left", "left kidney|kidney_left", True),
        ("right kidney", "left kidney|kidney_left", False),
        ("kidney", "left kidney|kidney_left", False),
        ("12 to 45", "12-45|12 to 45", True),
        ("12-45", "12-45|12 to 45", True),
        ("12-46", "12-45|12 to 45", False),
        ("", "melanoma", False),
        ("...", "melanoma", False),
    )
)
YES_NO: tuple[tuple[str, Answer, bool], ...] = tuple(
    (said, Answer("yes_no", gold, "yes_no"), right)
    for said, gold, right in (
        ("yes", "yes", True),
        ("Yes.", "yes", True),
        ("YES, the spleen lies on the left.", "yes", True),
        ("The answer is yes.", "yes", True),
        ("Answer: **no**", "no", True),
        ("No, there is no effusion.", "no", True),
        ("<answer>no</answer>", "no", True),
        ("Looking at the image ... so: no", "no", True),
        ("no", "yes", False),
        ("yes", "no", False),
        ("yes and no", "yes", False),
        ("yes or no", "no", False),
        ("No. Yes.", "yes", False),
        ("not yes", "yes", False),
        ("There is no effusion here.", "no", False),
        ("maybe", "yes", False),
        ("yesterday", "yes", False),
        ("<answer>yes</answer><answer>no</answer>", "yes", False),
        ("", "no", False),
    )
)
MCQ: tuple[tuple[str, Answer, bool], ...] = tuple(
    (said, Answer("mcq", "B", "mcq"), right)
    for said, right in (
        ("B", True), ("b", True), ("(B)", True), ("B.", True), ("B. Vitamin C", True), ("B) spleen", True),
        ("**B**", True), ("Answer: B", True), ("The answer is B.", True), ("The correct option is (B).", True),
        ("<answer>B</answer>", True), ("A would be wrong. <answer>B</answer>", True), ("Answer: B, because ...", True),
        ("C seems unlikely.\nSo the answer is B.", True), ("<think>A? C?</think>B", True),
        ("A", False), ("C. B", False), ("B or C", False), ("A and B", False), ("not B", False), ("ABC", False),
        ("Answer: B\nAnswer: C", False), ("<answer>B</answer><answer>C</answer>", False), ("spleen", False),
        ("Be careful", False), ("", False), ("Vitamin B", False), ("F", False), ("B\nC", False), ("B/C", False),
    )
)  # fmt: skip


# What is easily taken for the gold, or easily missed: (gold, right responses, wrong ones)
LENGTH, COUNT = number("12.5", "mm", 0.05), number("3")
OPTIONS, LETTERS = Answer("mcq", "B", "mcq", options="liver|spleen|kidney|bladder"), Answer("mcq", "B", "mcq")
YES, NO, PNEUMONIA = (
    Answer("yes_no", "yes", "yes_no"),
    Answer("yes_no", "no", "yes_no"),
    Answer("label", "pneumonia", "label"),
)
LEFT, BOTH = Answer("side", "left", "side"), Answer("side", "bilateral", "side")
TRICKY: tuple[tuple[Answer, tuple[str, ...], tuple[str, ...]], ...] = (
    (LENGTH, (
         "12.5 mm deep", "The lesion is not calcified. It measures 12.5 mm.", "12.5mm.", "12.5 mm, i.e. 1.25 cm",
         "12.5 mm = 1.25 cm", "= 12.5 mm", "d = 12.5 mm", "1.25e1 mm", "12.5 millimeter", "12.5 Millimeters",
         "12½ mm", "0.492 inches", "The correct value is 12.5 mm", "12.500 mm", "12.5\nmm", "12.5 (mm)",
         "12.5 [mm]", "mm: 12.5", "~12.5mm", "12.5 mm!", "12.5 mm in the left kidney and 12.5 mm in the right",
         "+12.5 mm", "12.5 mm wide and long",
     ), (
         "The length is 12.5 mm, not 20 mm.", "x 12.5 mm", "12.5 mm x 12.5 mm", "12.5 mm by 12.5 mm", "12.5 mm/s",
         "12.5 mm^2", "12.5 mm 2", "12 1/2 mm", "12.5 to 12.5 mm", "12.5 mm (not in doubt)", "about 12 to 13 mm",
         "12.5 mm plus or minus 1 mm", "12.5 mm ± 5%", "12.5 mm?", "less 12.5 mm", "under12.5 mm",
         "12.5 mm minimum", "12.5 mm maximum", "12.5 mm at maximum", "min. 12.5 mm", "max 12.5 mm",
         "12.5 mm smaller than before", "larger by 12.5 mm", "The volume is 12.5 mL and the axis 12.5 mm",
         "12.5,0 mm", "12.5 mm to 1", "12.5 mm-Hg", "12.5 mmol", "12.5 mm water", "12.5 mm H2O", "12.5 mm³",
         "12.5 mm cubed", "12.5 per mm", "1/12.5 mm", "-12.5 mm", "10 + 2.5 mm", "25 / 2 mm", "sqrt(156.25) mm",
         "$12.5 \\pm 0.1$ mm", "12.5 thousandths mm", "12.5 tenths of a mm", "12.5% mm", "12.5 m m",
         "12.5 micro mm",
     )),
    (OPTIONS, (
         "B", "**B**", "B. spleen", "B. The spleen is shown.", "The answer is B. spleen", "The answer is (B).",
         "Final answer: B\nConfidence: high", "Answer: B (spleen)",
     ), (
         "B, C", "B. spleen, C. kidney", "B. spleen\nC. kidney", "A. liver or B. spleen", "B. The kidney is shown.",
         "spleen", "The answer is not A. The answer is B.", "B!", "I think B", "Between A and B, B", "(B) or (C)",
         "B) or C)", "B and maybe C", "Definitely B.", "B or any other", "Not A, C or D: B", "B C", "ABBBB", "BB",
         "Answer: spleen (B)", "Answer: B is the wrong option", "B is incorrect", "B is correct. C is correct.",
         "Option B and option C", "B) liver", "B) liver spleen", "B. Not the spleen", "B. All of them", "B. no",
     )),
    (LETTERS, (
         "the B is correct",
     ), (
         "B. yes, and C too", "Answer: B/C",
     )),
    (COUNT, (
         "3", "three", "3.", "3)",
     ), (
         "3 lesions, 2 on the left", "3/5", "III", "3rd", "third", "No. 3", "three to four", "3+", "3 or more",
         "thirty-three", "twenty three", "three hundred", "one, two, three", "three quarters", "a trio", "3 mm",
         "3 pairs", "three dozen", "3x", "x3", "3 times 1",
     )),
    (YES, (
         "Yes, definitely.", "The answer is yes, there is no effusion.", "I would say yes", "oh yes",
     ), (
         "Yes... no", "No. I mean yes.", "Yes? No!", "yes if", "Not a yes", "Yes is wrong", "Is it yes? No.",
         "Yes\nNo", "Yes, and no", "yes, with a probability of 40 %", "yes! no!", "false, not yes",
         "it is false that yes",
     )),
    (NO, (), (
         "No effusion, yes.", "no no", "Nope", "No way to tell", "no, probably", "No idea.", "Say no",
         "No, not at all.", "Yes, there is no", "The patient said: no",
     )),
    (PNEUMONIA, (
         "pneumonia", "Pneumonia is present", "There is pneumonia.", "pneumonia!", "- pneumonia", "* pneumonia",
     ), (
         "Pneumonia is not present", "pneumonia absent", "pneumonia: none", "pneumonia - no",
         "There is hardly pneumonia", "pneumoniae", "bronchopneumonia", "pneumonia (0%)", "pneumonia = false",
         "r/o pneumonia", "?pneumonia", "pneumonia resolved", "Pneumonia. This is false.",
         "Pneumonia. The opposite is true of this.", "Pneumonia, tuberculosis",
         "It is pneumonia. It is tuberculosis as well here.", "1. pneumonia", "pneumonia−", "+pneumonia",
         "~pneumonia", "¬pneumonia", "!pneumonia", "-pneumonia", "~ pneumonia",
     )),
    (LEFT, (
         "left", "Left kidney", "left upper lobe", "L", "Lt.",
     ), (
         "left (patient's right)", "right? left", "It is on the left, i.e. image right", "right side is normal",
         "to the left of the liver", "left of midline", "nothing on the left", "the left is spared",
         "the left is normal", "LR", "L/R", "L, R", "leftmost", "left-handed patient", "no left", "hardly left",
         "left but mirrored",
     )),
    (BOTH, (
         "both", "both lungs", "left and right", "right and left lungs",
     ), (
         "not both sides", "both left", "bilateral, left more", "one of both sides",
     )),
)  # fmt: skip


@pytest.mark.parametrize(("response", "answer", "right"), [*NUMBERS, *LABELS, *YES_NO, *MCQ])
def test_each_reward_agrees_with_the_gold_list(response: str, answer: Answer, right: bool) -> None:
    verdict = verify_answer(response, answer)
    assert verdict.passed is right, verdict.evidence
    assert verdict.score == float(right)


def test_rewards_made_by_rule_from_real_measurements_have_no_error() -> None:
    """Per structure: the value in five equal units is right; in three wrong units, off by 20 %, bounded is wrong."""
    errors = []
    for name, mm3 in VOLUMES.items():
        gold = number(format_number(mm3 / 1000, 2), "mL", 0.05)
        right = [f"{mm3 / 1000} mL", f"{mm3 / 1e6} L", f"{mm3} mm3", f"{mm3 / 1000:.2f} cc", f"{mm3 / 1000:,.2f} cm^3"]
        wrong = [f"{mm3 / 1000} L", f"{mm3 / 1000} mm", f"{mm3} mL", f"{mm3 / 800:.1f} mL", f"at most {mm3 / 1000} mL"]
        for said, expected in [*((r, True) for r in right), *((w, False) for w in wrong)]:
            sentence = f"The volume of the {structure_words(name)} is {said}."
            if verify_answer(sentence, gold).passed is not expected:
                errors.append((sentence, gold))
    assert errors == []


def test_what_is_easily_mistaken_is_not() -> None:
    """Bounds, factors, units that only look alike, hedges, denials, repetitions, other frames of left and right."""
    said = {(a, text): verify_answer(text, a).passed for a, right, wrong in TRICKY for text in (*right, *wrong)}
    assert {key for key, passed in said.items() if passed} == {(a, text) for a, right, _ in TRICKY for text in right}


def test_an_unknown_verifier_is_a_failed_verdict() -> None:
    assert not verify_answer("B", Answer("mcq", "B", "exec")).passed


# --- the gold set ----------------------------------------------------------------------------------------------------


def test_the_gold_set_is_as_large_as_claimed_and_its_counts_are_those_published() -> None:
    pairs = gold_set()
    of = Counter((p.answer.verifier, p.right) for p in pairs)
    assert {name: (of[name, True], of[name, False]) for name in VERIFIERS} == {
        name: (found.tp + found.fn, found.fp + found.tn) for name, found in MEASURED.items()
    }
    rules = Counter(p.rule.partition("/")[2] for p in pairs if not p.right)
    assert len(pairs) >= 3000
    assert all(of[name, True] + of[name, False] >= 300 for name in VERIFIERS)
    assert sum(n for rule, n in rules.items() if "trap" in rule) >= 200
    assert sum(n for rule, n in rules.items() if rule.startswith("flip_")) >= 200
    assert (
        sum(n for rule, n in rules.items() if rule.startswith(("spoiled_denied", "spoiled_isnt", "not", "no_"))) >= 100
    )


def test_a_fourth_of_the_gold_set_keeps_the_published_rates() -> None:
    table = confusion(gold_set()[::4])
    assert {name: found.fp for name, found in table.items()} == dict.fromkeys(VERIFIERS, 0)
    assert all(found.false_negative_rate <= 0.02 for found in table.values())


@pytest.mark.slow
def test_the_published_table_is_what_is_measured() -> None:
    table = confusion(gold_set())
    assert table == dict(MEASURED)
    assert all(found.false_positive_rate <= 0.001 and found.false_negative_rate <= 0.02 for found in table.values())
    assert set(VERIFIERS) == REWARDING
    source = Path(measured.__file__).read_text()
    assert module_text(source, table) == source


def test_about_a_fifth_of_every_types_rules_is_held_out() -> None:
    pairs = gold_set()
    out, families = held_out(pairs), {p.rule for p in pairs}
    for name in VERIFIERS:
        of = [rule for rule in families if rule.startswith(f"{name}/")]
        assert len(out.intersection(of)) == len(of) // 5


def test_no_pattern_of_reward_hacking_is_rewarded() -> None:
    assert len({name for name, _ in PATTERNS}) >= 100
    earned = [(h.pattern, h.answer.verifier) for h in hacks() if verify_answer(h.response, h.answer).passed]
    assert earned == []


def test_a_gold_earns_its_own_reward_and_its_opposite_does_not() -> None:
    for answer, other in ANSWERS:
        gold = answer.gold.partition("|")[0] if answer.verifier == "label" else answer.gold
        assert verify_answer(f"{gold} {answer.unit}".strip(), answer).passed, answer
        assert not verify_answer(other, answer).passed, answer


# --- hostile use -----------------------------------------------------------------------------------------------------


@given(st.text(max_size=60), st.text(max_size=20), st.sampled_from(sorted(VERIFIERS)))
@pytest.mark.slow
def test_no_response_and_no_gold_makes_a_verifier_raise(response: str, gold: str, verifier: str) -> None:
    for said in (response, f"<answer>{response}", f"Answer: {gold} {response}"):
        assert verify_answer(said, Answer("x", gold, verifier, "mm", 0.1, gold, gold)).score in (0.0, 1.0)


@given(st.text(alphabet="12.,-−+eE x×mlTL%to°/³²^3D\n", max_size=30))
def test_no_text_makes_the_reading_of_quantities_raise(text: str) -> None:
    assert all(text[q.start : q.end] == q.token for q in quantities(text))


REPEATED = ("1 ", "1/", "1:", "½", "² ", "<answer>", "<think>", "\\boxed{", "answer is ", "B. ", "mm ", "[")


@pytest.mark.slow
@pytest.mark.parametrize("unit", REPEATED)
def test_a_verdict_takes_no_time_on_any_text(unit: str) -> None:
    """The slowest of 50 repeated texts took 40 ms; quadratic reading of the longest would take minutes."""
    verify_answer("1 cm", LENGTH)
    for size in (3_900, 190_000):
        for answer, _ in ANSWERS:
            began = time.process_time()
            verify_answer((unit * size)[:size], answer)
            verify_answer("<answer>1</answer>" + (unit * size)[:size], answer)
            assert time.process_time() - began < 1.5


def test_verdicts_are_the_same_from_sixteen_threads() -> None:
    pairs = [(p.response, p.answer) for p in gold_set()[::60]]
    alone = [verify_answer(*pair) for pair in pairs]
    unit_factor.cache_clear()
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda pair: verify_answer(*pair), pairs * 2)) == alone * 2


# --- parts -----------------------------------------------------------------------------------------------------------


def test_a_score_comes_from_a_shards_own_json() -> None:
    row = json.loads(json.dumps(dataclasses.asdict(LENGTH)))
    assert score("<think>99 mm</think> 1.25 cm", row) == 1.0
    assert score("12.5 cm", row) == 0.0
    assert score("12.5 mm", {"type": "number", "gold": "12.5", "verifier": "number", "unit": "mm"}) == 1.0
    spoiled: tuple[dict[str, object], ...] = ({"more": 1}, {"gold": 12.5}, {"verifier": "exec"}, {"tolerance": "5"})
    assert [score("12.5 mm", {**row, **change}) for change in spoiled] == [0.0] * 4
    assert score("12.5 mm", {}) == 0.0


def test_only_a_verifier_measured_often_enough_and_without_fault_may_reward() -> None:
    assert rewarding("number")
    assert not rewarding("judge")
    assert may_reward(Confusion(tp=10, fp=0, tn=200, fn=90))
    assert not may_reward(Confusion(tp=300, fp=0, tn=199, fn=0))
    assert not may_reward(Confusion(tp=300, fp=1, tn=899, fn=0))


def test_giou_has_the_properties_of_its_paper() -> None:
    """Equal boxes 1, far ones towards -1, and IoU itself where the hull is the union (arXiv:1902.09630)."""
    a, beside, far = (0.0, 0.0, 10.0, 10.0), (5.0, 0.0, 15.0, 10.0), (990.0, 990.0, 1000.0, 1000.0)
    assert generalised_overlap(a, a) == 1.0
    assert generalised_overlap(a, beside) == pytest.approx(overlap(a, beside)) == pytest.approx(1 / 3)
    assert -1 < generalised_overlap(a, far) < -0.99
    assert generalised_overlap(a, (0.0, 0.0, 0.0, 10.0, 10.0, 10.0)) == -1.0


def _runs(pixels: list[bool]) -> list[int]:
    return run_lengths([k for k, inside in enumerate(pixels) if inside], len(pixels))


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 2**40 - 1))
def test_dice_of_runs_is_dice_of_pixels(pixels: list[bool], bits: int) -> None:
    other = [bool(bits >> k & 1) for k in range(len(pixels))]
    both, sizes = sum(a and b for a, b in zip(pixels, other, strict=True)), sum(pixels) + sum(other)
    assert dice(_runs(pixels), _runs(other)) == pytest.approx(2 * both / sizes if sizes else 1.0)
