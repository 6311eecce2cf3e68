"""The wordings: enough of them, each another sentence, and English with the names of real structures in it."""

from __future__ import annotations

import functools
import itertools
import re
import string
from collections.abc import Mapping
from pathlib import Path

import pytest

from curate.audit.stated import Said, unstated
from manifests.record import Fact
from manifests.sample import Answer, Proof, Turn
from synth import media_words
from synth.facts import structure_words
from synth.proofs import parse_call
from synth.tasks.asks import STATISTIC_WORDS
from synth.tasks.mcq import LETTERS
from synth.tasks.measure import _words  # what fills an answer's slots
from synth.tasks.phrases import ANSWERS, HINTS, QUESTIONS, REQUESTS, STEMS
from synth.verify import faithfulness, no_leak, normal_form

SHARED = Path(__file__).resolve().parents[2] / "../shared/data/ct-totalsegmentator/example_seg_fast"
NAMES = ("kidney_left", "vertebrae_L1", "grey matter", "costal_cartilages", "aorta", "rib_left_10", "hip_right")
ALIKE = 0.6  # the share of word trigrams that two wordings of a family may have in common
UNITS = {
    "mL": ("volume_ml",),
    "mm": (
        "longest_axis_mm",
        "recist_mm",
        "perpendicular_axis_mm",
        "size_mm",
        "extent_mm",
        "distance_mm",
        "long_diameter_mm",
        "diameters_mm",
        "centre_distance_mm",
    ),
    "mm2": ("area_mm2",),
    "%": ("share_pct",),
    "HU": ("mean_hu", "hu"),
    "degrees": ("angle_deg", "angle_between_lines_deg"),
    "seconds": ("duration_s",),
}
SAYS = {
    "mL": r"mL|millilit",
    "mm": r"mm\b|millimet",
    "mm2": r"mm²|square millimet",
    "%": "percent",
    "HU": r"HU|Hounsfield",
    "degrees": "degree",
    "seconds": r"second|\bs\b",
}
GOLDS = {  # a value per family, with its call and unit, as the proofs give them
    "volume_ml": ("volume_ml(mask={a})", "38.12", "mL"),
    "longest_axis_mm": ("longest_axis_mm(mask={a})", "44.3", "mm"),
    "recist_mm": ("recist_mm(mask={a})", "44.3 x 21.0", "mm"),
    "perpendicular_axis_mm": ("perpendicular_axis_mm(mask={a})", "21.0", "mm"),
    "size_mm": ("size_mm(mask={a})", "44.3 x 21.0 x 12.5", "mm"),
    "extent_mm": ("extent_mm(axis=x)", "382.0", "mm"),
    "count": ("count(mask={a})", "2", ""),
    "slice_range": ("slice_range(mask={a})", "12-45", ""),
    "box": ("box(mask={a})", "3,4,5,13,24,35", ""),
    "largest": ("largest()", "spleen", ""),
    "mean_hu": ("mean_hu(mask={a})", "-12.4", "HU"),
    "hu": ("hu(mask={a}, statistic=p95)", "151.0", "HU"),
    "is_left_of": ("is_left_of(a={a}, b={b})", "no", ""),
    "relation_left_right": ("relation(a={a}, b={b}, along=left-right)", "left", ""),
    "relation_front_back": ("relation(a={a}, b={b}, along=front-back)", "anterior", ""),
    "relation_head_feet": ("relation(a={a}, b={b}, along=head-feet)", "inferior", ""),
    "side_of": ("side_of(mask={a}, midline={b})", "right", ""),
    "distance_mm": ("distance_mm(p=nasion, q=sella)", "80.0", "mm"),
    "angle_deg": ("angle_deg(p=nasion, q=sella, r=basion)", "135.0", "degree"),
    "angle_between_lines_deg": ("angle_between_lines_deg(p=nasion, q=sella, r=basion, s=inion)", "38.7", "degree"),
    "frame_count": ("frame_count()", "30", ""),
    "duration_s": ("duration_s()", "3.96", "s"),
    "share_pct": ("share_pct(mask={a}, member=png)", "12.3", "%"),
    "area_mm2": ("area_mm2(mask={a}, member=png)", "412.5", "mm2"),
    "long_diameter_mm": ("long_diameter_mm(mask={a}, member=png)", "44.3", "mm"),
    "diameters_mm": ("diameters_mm(mask={a}, member=png)", "44.3 x 21.0", "mm"),
    "centre_distance_mm": ("centre_distance_mm(a={a}, b={b}, member=png)", "38.1", "mm"),
    "area_ratio": ("area_ratio(a={a}, b={b}, member=png)", "0.45", ""),
    "extent_ratio": ("extent_ratio(a={a}, b={b}, extent=vertical, member=png)", "0.45", ""),
    "covers_most": ("covers_most(member=png)", "spleen", ""),
    "regions": ("regions(mask={a}, least=0.1, member=png)", "2", ""),
}
# Whether a structure is one or several is not known, so no verb may follow its name, nor ask for it before.
SUBJECT = re.compile(
    r"(?<!of )(?<!from )(?<!over )(?<!to )(?<!and )(?<!across )(?<!in )[Tt]he \{[ab]\} "
    r"(?:is|are|was|has|have|lies?|belongs?|measures|does)\b"
)
ASKED = re.compile(r"\b(?:is|are|does|has|was) the \{[ab]\}(?! (?:mask|cent|label|seg|reg|box|vol|mean))")
LANDMARKS = {"a": "nasion", "b": "sella", "c": "basion", "d": "inion"}
TABLES: Mapping[str, tuple[str, ...]] = {**STEMS, "largest, open": QUESTIONS["largest"], "description": REQUESTS}


def slots(wording: str) -> frozenset[str]:
    return frozenset(field for _, field, *_ in string.Formatter().parse(wording) if field)


def trigrams(wording: str) -> frozenset[tuple[str, ...]]:
    words = re.sub(r"[^\w{}]+", " ", wording.lower()).split()
    return frozenset(zip(words, words[1:], words[2:], strict=False)) or frozenset([tuple(words)])


@functools.cache
def real_names() -> tuple[str, ...]:
    """Structures of a whole-body segmentation where it is there, and some of every grammatical kind anywhere."""
    found = (path.name.split(".")[0] for path in sorted(SHARED.glob("*.nii.gz"))) if SHARED.is_dir() else ()
    return tuple(dict.fromkeys((*NAMES, *found)))


def filled(family: str, wording: str, a: str, b: str) -> str:
    """A question as a user would read it."""
    words = {"a": structure_words(a), "b": structure_words(b), "c": STATISTIC_WORDS["p95"], "d": ""}
    if family == "extent_ratio":
        words = {**words, "c": "vertical"}
    if family in ("distance_mm", "angle_deg", "angle_between_lines_deg"):
        words = LANDMARKS
    if family == "extent_mm":
        words = {**words, "a": "x"}
    return wording.format(**words, kind="volume", title="Cholera, unspecified", system="ICD-10-CM")


@pytest.mark.parametrize("family", sorted(TABLES))
def test_a_family_has_forty_questions_none_of_which_is_another_in_disguise(family: str) -> None:
    wordings = TABLES[family]
    assert len({normal_form(wording) for wording in wordings}) == len(wordings) >= 40
    assert len({slots(wording) for wording in wordings}) == 1
    grams = [trigrams(wording) for wording in wordings]
    close = [
        (wordings[i], wordings[j])
        for (i, one), (j, other) in itertools.combinations(enumerate(grams), 2)
        if len(one & other) > ALIKE * len(one | other)
    ]
    assert close == []
    openings = {" ".join(normal_form(wording).split()[:2]) for wording in wordings}
    assert len(openings) >= 20  # not one sentence with a word exchanged


@pytest.mark.parametrize("family", sorted(TABLES))
def test_questions_are_sentences_with_real_names_in_them(family: str) -> None:
    names = real_names()
    for at, wording in enumerate(TABLES[family]):
        assert wording[0] in string.ascii_uppercase + '"{'
        assert wording.endswith(("?", ".", '."'))
        assert "  " not in wording
        for k in range(4):
            said = filled(family, wording, names[(7 * at + k) % len(names)], names[(5 * at + 3 * k + 1) % len(names)])
            assert not re.search(r"\b(\w+) \1\b", said.replace("that that", ""), re.IGNORECASE), said
            assert not re.search(r"\ba (?=[aeio]|hour)(?!one)|\ban (?=[^aeiouxhAEFHILMNORSX\d])", said), said
            assert not re.search(r"[{}]|\bthe (?:its|a|an|of)\b", said), said
    if family not in ("distance_mm", "angle_deg", "angle_between_lines_deg", "extent_mm"):
        for wording in TABLES[family]:
            assert not SUBJECT.search(wording), wording
            assert not ASKED.search(wording), wording


def test_questions_name_their_unit_and_slices_and_boxes_count_from_zero() -> None:
    for unit, families in UNITS.items():
        for wording in (w for family in families for w in QUESTIONS[family]):
            assert re.search(SAYS[unit], wording), wording
    for wording in (*QUESTIONS["slice_range"], *QUESTIONS["box"]):
        assert re.search(r"\b0\b", wording), wording
    for wording in QUESTIONS["box"]:
        assert re.search("half-open|exclu|not inclu|outside|plus one|beyond|only the first|before which", wording), (
            wording
        )
    for family in ("is_left_of", "relation_left_right", "side_of"):
        assert all("patient" in w for w in QUESTIONS[family])


@pytest.mark.parametrize("family", sorted(GOLDS))
def test_no_question_holds_its_answer(family: str) -> None:
    answers = {"is_left_of": ("yes", "no"), "relation_left_right": ("left", "right"), "side_of": ("left", "right")}
    answers |= {"relation_front_back": ("anterior", "posterior"), "relation_head_feet": ("superior", "inferior")}
    for wording in QUESTIONS[family]:
        for answer in answers.get(family, (GOLDS[family][1],)):
            assert no_leak(wording, answer, -1).passed, wording
        assert not re.search(r"\d", wording.replace("0", "")), wording


@pytest.mark.parametrize("family", sorted(GOLDS))
def test_every_answer_states_what_its_proof_proves(family: str) -> None:
    """By the rules of `curate verify`, and for every question of the family, which must name what is asked about."""
    from synth.tasks.asks import Ask

    call, gold, unit = GOLDS[family]
    assert len({normal_form(answer) for answer in ANSWERS[family]}) == len(ANSWERS[family]) >= 12
    assert HINTS[family].endswith(".")
    a, b = "kidney_left", "vertebrae_L1"
    for value in (gold, *{"is_left_of": ("yes",), "count": ("1",), "regions": ("1",)}.get(family, ())):
        proof = Proof(1, call.format(a=a, b=b), value, unit)
        names = LANDMARKS if family in ("distance_mm", "angle_deg", "angle_between_lines_deg") else {}
        names = names or {"a": "x" if family == "extent_mm" else structure_words(a), "b": structure_words(b)}
        more = {"hu": {"c": STATISTIC_WORDS["p95"]}, "extent_ratio": {"c": "vertical"}}.get(family, {})
        ask = Ask(family, proof.call, **{**names, **more})
        words = _words(proof, ask)
        assert parse_call(proof.call)
        for at in range(max(len(QUESTIONS[family]), len(ANSWERS[family]))):
            question = QUESTIONS[family][at % len(QUESTIONS[family])].format(**words)
            answer = ANSWERS[family][at % len(ANSWERS[family])].format(**words)
            said = Said("", (Turn("user", question), Turn("assistant", answer)), None, (proof,), (), False)
            assert list(unstated(said)) == []
            assert answer[0].isupper() or answer[0] in "-[" or answer[0].isdigit()
            assert answer.endswith((".", "]"))


def test_answers_of_sizes_hold_what_the_facts_tell_and_no_more() -> None:
    for family in ("volume_ml", "count"):
        _, value, unit = GOLDS[family]
        fact = Fact(family, value, "mask", unit, "liver")
        for answer in ANSWERS[family]:
            said = answer.format(a="liver", v=value, s="s")
            assert [v for v in faithfulness(said, [fact], -1) if not v.passed] == [], said


def test_questions_that_any_picture_gets_speak_of_no_patient_and_no_scanner() -> None:
    """Slides, drawings and photographs are asked these too."""
    radiology = re.compile(
        r"patient|request form|\bbook\b|\bscan(?:ner)?\b|voxel|examin|connected-comp|[Tt]he label \{"
    )
    flat = [
        "regions",
        "share_pct",
        "area_mm2",
        "area_ratio",
        "long_diameter_mm",
        "diameters_mm",
        "centre_distance_mm",
        "covers_most",
    ]
    asked = [
        *(STEMS[name] for name in ("modality", "label", "extent_mm", "box", *flat)),
        *media_words.QUESTIONS.values(),
    ]
    assert [q for wordings in (*asked, REQUESTS) for q in wordings if radiology.search(q)] == []


def test_options_are_told_from_words_of_the_question() -> None:
    """No stem has a line that reads as an option."""
    option = re.compile(rf"^\s*\(?([{LETTERS}])[.):]\s", re.MULTILINE)
    assert not any(option.search(wording) for wordings in STEMS.values() for wording in wordings)
    assert Answer("mcq", "A", "mcq").gold in LETTERS
