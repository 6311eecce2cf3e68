"""Judging: what each check takes away, what it lets pass, and that nothing rejected comes back."""

from __future__ import annotations

import dataclasses
import io
import json
import time

import numpy as np
import PIL.Image
import pytest
from pydantic import BaseModel

from manifests.record import Fact, Media, Record
from manifests.sample import Answer, Authorship, Draft, Made, Turn, Verdict
from synth import prompting
from synth.asking import in_turn
from synth.chat import Role
from synth.judging.chain import CHECKS, OFF, RUNS, judged, planned, prompt_ids
from synth.judging.checks import identifiers, leak, policy, rewarded
from synth.judging.config import Blind, Judging, Rubric, Shuffle, Veto, Window
from synth.judging.questions import Guessed, Solved, choice_of, movable, orders, pictures_of, reordered, request_for
from synth.judging.veto import Opinion, agreement, interval
from tests.synth.judges import ORGAN, PICTURE, Fake, about, answer, choice, held, letter_of, record

WRITER = Authorship("m", "r", "p@1", "0" * 64)
NOTHING = Judging(orders=False, leak=False, identifiers=False, policy=False, window=None, blind=None, shuffle=None)


def run(drafts: list[Draft], config: Judging, teachers: dict[Role, Fake], of: Record | None = None) -> list[Draft]:
    return held(judged(about(of or record(), teachers), drafts, config, 7), teachers)


def seen_by(draft: Draft, check: str) -> Verdict:
    (verdict,) = [v for v in draft.verdicts if v.check == check]
    return verdict


def right_in(count: int, first: int = 7) -> Fake:
    """Right in its first `count` rollouts, counted by the seed."""
    return Fake(lambda r: answer(letter_of(r, "spleen" if r.seed - first < count else "liver")))


# ------------------------------------------------------------------------------------------------------------- window
@pytest.mark.parametrize(("right", "reason"), [(0, "too_hard"), (1, ""), (4, ""), (7, ""), (8, "too_easy")])
def test_a_pass_rate_outside_the_window_drops_a_draft_and_is_stored_in_any_case(right: int, reason: str) -> None:
    teacher = right_in(right)
    (draft,) = run([choice()], Judging(blind=None, shuffle=None), {"teacher": teacher})
    assert (draft.accepted, draft.reason) == (not reason, reason)
    assert (seen_by(draft, "pass_rate").score, seen_by(draft, "pass_rate").passed) == (right / 8, not reason)
    assert sorted(r.seed for r in teacher.asked) == list(range(7, 15))
    assert all(r.pictures and r.temperature == 1.0 for r in teacher.asked)


def test_the_teacher_of_the_window_is_told_no_fact_and_no_gold() -> None:
    teacher = right_in(4)
    facts = (Fact("structure", "spleen", "mask:spleen"), Fact("modality", "CT", "dicom:0008,0060"))
    asked = Draft(
        "0" * 32, "rlvr", "qa", 0, (Turn("user", "What is this?"),), answer=Answer("label", "splenoma", "label")
    )
    run([asked], Judging(blind=None), {"teacher": teacher}, record(facts=facts, text="splenoma, a CT"))
    assert {r.messages[-1][1] for r in teacher.asked} == {'"""\nWhat is this?\n"""'}


def test_a_draft_is_asked_with_the_pictures_that_it_shows_and_brings() -> None:
    arrays = {
        name: np.full((600, 900, 3), value, np.uint8) for value, name in enumerate(("a.png", "b.png", "twin.png"))
    }
    stream = io.BytesIO()
    PIL.Image.fromarray(arrays["twin.png"]).save(stream, "PNG")
    media = [Media(n, "image", v.shape, "uint8", "0" * 64, v.nbytes) for n, v in arrays.items()]
    subject = about(record("image"), {"teacher": right_in(0)})
    view = dataclasses.replace(subject.view, media=tuple(media[:2]), load=arrays.__getitem__)
    subject = dataclasses.replace(subject, view=view)
    assert pictures_of(subject, choice(), "teacher") == (PICTURE,)  # as the record is shown
    (one,) = pictures_of(subject, dataclasses.replace(choice(), shows=("b.png",)), "teacher")
    assert (one.height, one.width) == (299, 448)
    own = dataclasses.replace(choice(), shows=("b.png",), made=(Made(media[2], stream.getvalue()),))
    first, second = pictures_of(subject, own, "teacher")
    assert first == one
    with PIL.Image.open(io.BytesIO(second.data)) as image:
        assert np.asarray(image).max() == 2
    assert pictures_of(subject, own, "blind") == ()
    asked = request_for("<image>\nand <image>\nwhich?", "solve", 0, 0.0, "teacher", (first, second))
    assert asked.messages[-1][1] == '"""\n[picture 1]\nand [picture 2]\nwhich?\n"""'


def test_a_teacher_without_eyes_judges_texts_only() -> None:
    blind = right_in(0)
    blind.sees = False
    config = Judging(blind=None)
    (draft,) = run([choice()], config, {"teacher": blind})
    assert draft.accepted
    assert not blind.asked
    (draft,) = run([choice()], config, {"teacher": blind}, record("text"))
    assert draft.reason == "too_hard"
    plan = planned(config, frozenset({"teacher"}), frozenset())
    assert plan["pass_rate"] == plan["shuffle"] == "for texts only: the teacher reads no pictures"


def test_refusals_alone_are_no_pass_rate() -> None:
    (draft,) = run([choice()], Judging(blind=None, shuffle=None), {"teacher": Fake(lambda r: None)})
    assert draft.reason == "unanswered"


# -------------------------------------------------------------------------------------------------- blind and shuffle
def test_what_is_solved_without_the_media_is_dropped_and_a_letter_solves_its_share_only() -> None:
    knows = Fake(lambda r: json.dumps({"answer": letter_of(r, "spleen")}), sees=False)
    config = Judging(window=None, shuffle=None)
    (draft,) = run([choice()], config, {"blind": knows})
    assert (draft.reason, seen_by(draft, "blind").score) == ("solved_blind", 1.0)
    assert not any(r.pictures for r in knows.asked)
    always = Fake(lambda r: '{"answer": "B"}', sees=False)  # as the gold is, in the draft
    (draft,) = run([choice()], config, {"blind": always})
    assert (draft.accepted, seen_by(draft, "blind").score) == (True, 0.25)


def test_a_text_needs_no_media_and_two_possible_answers_are_measured_only() -> None:
    yes = Fake(lambda r: '{"answer": "yes"}', sees=False)
    asked = Draft("0" * 32, "rlvr", "qa", 0, (Turn("user", "Is it?"),), answer=Answer("yes_no", "yes", "yes_no"))
    config = Judging(window=None)
    (draft,) = run([asked], config, {"blind": yes})
    assert (draft.accepted, seen_by(draft, "blind").score) == (True, 1.0)
    (draft,) = run([asked], Judging(window=None, blind=Blind(two_way=True)), {"blind": yes})
    assert draft.reason == "solved_blind"
    (draft,) = run([asked], config, {"blind": yes}, record("text"))
    assert "blind" not in {v.check for v in draft.verdicts}


def test_the_teacher_is_the_blind_solver_only_where_the_recipe_says_so() -> None:
    teacher = Fake(lambda r: json.dumps({"answer": letter_of(r, "spleen")}))
    config = Judging(window=None, shuffle=None)
    (draft,) = run([choice()], config, {"teacher": teacher})
    assert draft.accepted
    assert "blind" in planned(config, frozenset({"teacher"}), frozenset())["blind"]
    weaker = Judging(window=None, shuffle=None, blind=Blind(by_teacher=True))
    (draft,) = run([choice()], weaker, {"teacher": teacher})
    assert draft.reason == "solved_blind"
    assert "teacher" in seen_by(draft, "blind").evidence
    assert not any(r.pictures for r in teacher.asked)


@pytest.mark.parametrize(
    "options", [("left", "right"), ("a cyst", "a stone", "a clot"), ("b1", "b2", "b3", "b4", "b5")]
)
def test_whoever_follows_a_letter_is_caught_and_whoever_follows_an_option_is_not(options: tuple[str, ...]) -> None:
    config = Judging(window=None, blind=None, leak=False)
    draft = choice("What is it?", options, "A")
    for letter in "AB":
        (lazy,) = run([draft], config, {"teacher": Fake(lambda r, letter=letter: answer(letter))})  # type: ignore[misc]
        assert lazy.reason == "order_dependent"
    for option in options[:2]:  # the right one, and a wrong one
        steady = Fake(lambda r, option=option: answer(letter_of(r, option)))  # type: ignore[misc]
        (kept,) = run([draft], config, {"teacher": steady})
        assert (kept.accepted, seen_by(kept, "shuffle").score) == (True, 1.0)


def test_every_option_stands_once_in_every_place_and_the_gold_moves_with_it() -> None:
    read = choice_of(choice().turns[0].content)
    gold = choice().answer
    assert read is not None
    assert gold is not None
    placed = orders(read, 8, 3, "k")
    assert placed == orders(read, 8, 3, "k")
    assert placed != orders(read, 8, 4, "k")
    for run_of_four in (placed[:4], placed[4:]):
        assert all({order[place] for order in run_of_four} == {0, 1, 2, 3} for place in range(4))
    for order in placed:
        text, moved = reordered(read, gold, order)
        again = choice_of(text)
        assert again is not None
        assert again.options["ABCD".index(moved.gold)] == "spleen"
        assert (again.stem, again.tail, sorted(again.options)) == (read.stem, read.tail, sorted(read.options))
        assert moved.options == "|".join(again.options)
    assert movable(choice(options=("liver", "spleen", "all of the above"))) is None


# --------------------------------------------------------------------------------------------------------------- veto
@pytest.mark.parametrize(
    ("opinion", "reason"),
    [
        ('{"reason": "wrong organ", "verdict": "bad"}', "vetoed"),
        ('{"reason": "fine", "verdict": "good"}', ""),
        ('{"verdict": "bad"}', ""),  # half an opinion is none
        ("bad", ""),
        (None, ""),
    ],
)
def test_a_judge_takes_away_and_never_brings_back(opinion: str | None, reason: str) -> None:
    judge = Fake(lambda r: opinion)
    good = Draft("0" * 32, "pretrain", "narrate", 0, text="A CT of the liver.", teacher=WRITER)
    fallen = dataclasses.replace(good, accepted=False, reason="numbers")
    program = dataclasses.replace(good, teacher=Authorship())
    config = Judging(window=None, blind=None, veto=Veto())
    made = run([good, fallen, program], config, {"teacher": right_in(0), "judge": judge})
    assert [(d.accepted, d.reason) for d in made] == [(not reason, reason), (False, "numbers"), (True, "")]
    assert made[1] == fallen  # passed through, unasked
    assert len(judge.asked) == 1
    assert seen_by(made[0], "veto").passed == (not reason)


def test_a_judge_is_asked_only_about_what_every_other_check_left() -> None:
    judge = Fake(lambda r: '{"reason": "fine", "verdict": "good"}')
    config = Judging(blind=None, shuffle=None, veto=Veto(written_by_teacher=False))
    (draft,) = run([choice()], config, {"teacher": right_in(8), "judge": judge})
    assert draft.reason == "too_easy"
    assert not judge.asked


def test_agreement_counts_both_kinds_of_error() -> None:
    confusion = agreement([(False, True)] * 90 + [(True, True)] * 10 + [(True, False)] * 60 + [(False, False)] * 40)
    assert (confusion.count, confusion.false_vetoes, confusion.caught) == (200, 0.1, 0.6)
    assert confusion.kappa == pytest.approx(0.5)  # (0.75 - 0.5) / (1 - 0.5)
    low, high = interval(10, 100)
    assert (round(low, 3), round(high, 3)) == (0.055, 0.174)  # Newcombe 1998
    assert agreement([]).kappa == 0.0


# -------------------------------------------------------------------------------------------------------------- chain
def test_the_reason_is_the_first_failed_check_and_every_verdict_is_there() -> None:
    teacher, blind = Fake(lambda r: answer("B")), Fake(lambda r: json.dumps({"answer": letter_of(r, "spleen")}))
    (draft,) = run([choice()], Judging(), {"teacher": teacher, "blind": blind})
    assert draft.reason == "too_easy"
    assert [v.check for v in draft.verdicts] == ["rewarding", "leak", "pass_rate", "blind", "shuffle"]
    assert [v.passed for v in draft.verdicts] == [True, True, False, False, False]


def test_a_draft_that_a_free_check_rejects_costs_nothing() -> None:
    teacher = right_in(4)
    (draft,) = run([choice("Where in the spleen is it?")], Judging(), {"teacher": teacher})
    assert draft.reason == "leak"
    assert not teacher.asked


def test_everything_that_can_be_asked_is_asked_at_once_and_the_order_of_answers_changes_nothing() -> None:
    drafts = [choice(), choice("What is shown?", gold="C")]
    subject = about(record(), {"teacher": right_in(0), "blind": right_in(0)})
    first = next(judged(subject, drafts, Judging(), 7))
    assert len(first) == 2 * (8 + 4 + 4)
    results = []
    for late_s, in_flight in ((0.0, 1), (0.002, 16)):
        fakes: dict[Role, Fake] = {
            "teacher": dataclasses.replace(right_in(4), late_s=late_s, in_flight=in_flight),
            "blind": Fake(lambda r: json.dumps({"answer": "ABCD"[r.seed % 4]}), sees=False, late_s=late_s),
        }
        results.append(run(drafts, Judging(), fakes))
    assert results[0] == results[1]


def test_the_plan_names_every_check_and_why_it_does_not_run() -> None:
    every: frozenset[Role] = frozenset({"teacher", "blind", "judge"})
    opinions = Judging(rubric=Rubric(), veto=Veto())
    assert planned(opinions, every, frozenset({"teacher", "judge"})) == dict.fromkeys(CHECKS, RUNS)
    nobody = planned(opinions, frozenset(), frozenset())
    assert [name for name in CHECKS if nobody[name] == RUNS] == ["orders", "rewarding", "leak", "identifiers", "policy"]
    assert [name for name in CHECKS if planned(NOTHING, every, every)[name] != OFF] == ["rewarding"]
    assert len(prompt_ids(Judging(veto=Veto()))) == 3
    assert len(prompt_ids(opinions)) == 5
    assert prompt_ids(NOTHING) == ()


@pytest.mark.parametrize(("name", "model"), [("solve", Solved), ("blind", Guessed), ("judge", Opinion)])
def test_the_schema_of_a_prompt_is_that_of_its_answer(name: str, model: type[BaseModel]) -> None:
    plain = model.model_json_schema()
    for part in (plain, *plain["properties"].values()):
        for key in ("title", "description"):
            part.pop(key, None)
    plain["required"] = sorted(plain["required"])
    asked = json.loads(prompting.load(name).schema)
    assert {**asked, "required": sorted(asked["required"])} == plain


@pytest.mark.parametrize(
    "make",
    [
        lambda: Window(low=0.9, high=0.1),
        lambda: Blind(attempts=0),
        lambda: Shuffle(orders=1),
        lambda: Judging(rewarding=False),  # type: ignore[call-arg]
    ],
)
def test_thresholds_that_make_no_sense_are_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"low|attempts|orders|rewarding"):
        make()


# ------------------------------------------------------------------------------------------------------- free checks
def asks(question: str, gold: str, kind: str = "label", unit: str = "") -> Draft:
    turns = (Turn("user", question),)
    return Draft("0" * 32, "rlvr", "qa", 0, turns, answer=Answer(kind, gold, kind, unit))


@pytest.mark.parametrize(
    ("draft", "leaks"),
    [
        (asks("Is the spleen shown?", "spleen"), True),
        (asks("Which organ lies beside the spleens?", "Spleen"), True),
        (asks("What is this renal structure?", "kidney"), True),
        (asks("Which technique made this CT?", "computed tomography"), True),
        (asks("What is the volume, 0.1423 L or so, of it?", "142.3", "number", "ml"), True),
        (asks("What is the volume in 142.3 mm?", "142.3", "number", "ml"), False),
        (asks("What is the volume of the spleen in mL?", "142.3", "number", "ml"), False),
        (asks("How many of the 3 slices show it?", "3", "number"), False),
        (asks("Is it a spleen?", "yes", "yes_no"), False),
        (asks("What is the MRI sequence of this image?", "FLAIR"), False),
        (asks("Which is larger? Segmented are the liver, the lung and the spleen.", "lung"), False),
        (asks("Which organ is it? The lung and the liver look normal, and so does the spleen.", "lung"), True),
        (asks("Is this a pneumonia vs. pleural effusion?", "pleural effusion"), False),
        (asks("Is it in the left lung or in the right lung?", "left lung"), False),
        (asks("Is it the liver, the spleen, the left kidney or the lung?", "liver"), False),
        (asks("Which side is the lesion on, left or right?", "left", "side"), False),
        (asks("The lesion is in the left lung. Which side is it on?", "left", "side"), True),
        (asks("Which of these are shown: liver, spleen, lung?", "liver; lung", "set"), False),
        (choice("Which organ, the spleen, is it?"), True),
        (choice(), False),
        (asks("Which lesion is it?", "cyst|hepatic cyst"), False),
        (asks("Which hepatic cysts are these?", "angioma|hepatic cyst"), True),
    ],
)
def test_a_question_that_holds_its_answer_is_found_and_one_that_offers_it_is_not(draft: Draft, leaks: bool) -> None:
    found = leak(record(), draft)
    assert (found is not None and bool(found.reason)) is leaks


def test_a_passage_of_the_source_may_hold_the_answer() -> None:
    passage = "The patient has a lesion of the spleen, which was seen on the computed tomography of the abdomen before."
    assert leak(record("text", passage), asks(f"{passage}\n\nWhich organ has the lesion?", "spleen")).reason == ""  # type: ignore
    assert leak(record("text"), asks(f"{passage}\n\nWhich organ has the lesion?", "spleen")).reason == "leak"  # type: ignore


def wrote(text: str) -> Draft:
    return Draft("0" * 32, "pretrain", "narrate", 0, text=text, teacher=WRITER)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("CT of 12 March 2019.", "date"),
        ("CT of 2019-03-12.", "date"),
        ("CT of March 2019.", "date"),
        ("Seen on 03/12/2019.", "date"),
        ("MRN: 0045821.", "number"),
        ("Accession number A4471.", "number"),
        ("Case 20481973 of this set.", "number"),
        ("Reported by Anna Berg.", "name"),
        ("Dr. Miller saw a cyst.", "name"),
        ("Patient John Smith has a cyst.", "name"),
        ("Write to a.b@clinic.org.", "address"),
        ("Call (030) 555 1234 now.", "phone"),
        ("A cyst of 12.5 x 8.2 mm in slice 112 of 1024, box 0.125, 0.250, 0.875, 0.930.", ""),
        ("The volume decreased 2000 mL, marked 1999 or so.", ""),
        ("In May the patient may have had a T2 lesion; Crohn's disease, K50.0, stage IIA.", ""),
        ("The box is 102, 334, 512, 512 and the volume 142305 mm3.", "number"),
    ],
)
def test_what_has_the_form_of_an_identifier_is_found_unless_the_record_has_it(text: str, kind: str) -> None:
    found = identifiers(record(), wrote(text))
    assert (bool(found.reason), found.verdict.evidence.startswith(f"a {kind} ") if kind else True) == (bool(kind), True)
    assert not identifiers(record("text", f"Note. {text.upper()}"), wrote(text)).reason


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Give 5 mg of it twice daily.", True),
        ("Start heparin at 18 units/kg/h.", True),
        ("The dose is 500 mg.", True),
        ("The lesion weighs 5 g and holds 20 mL.", False),
        ("Glucose is 5 mmol, sodium normal.", False),
    ],
)
def test_a_dose_needs_a_source(text: str, found: bool) -> None:
    assert (policy(record(), wrote(text)).reason == "dosing") is found
    assert not policy(record("text", text), wrote(text)).reason


def test_only_a_measured_verifier_rewards() -> None:
    assert rewarded(choice()).reason == ""  # type: ignore[union-attr]
    assert rewarded(asks("x", "y", "trust_me")).reason == "verifier_not_rewarding"  # type: ignore[union-attr]
    assert rewarded(dataclasses.replace(choice(), stage="sft")) is None


def test_a_long_text_is_checked_soon() -> None:
    for part in ("left or ", "12-34 ", "spleen, ", "Dr. A ", "1.2 mg ", "\nA. x"):
        text = part * (5_000 // len(part))
        began = time.process_time()
        leak(record(), asks(text, "spleen"))
        identifiers(record(), wrote(text))
        policy(record(), wrote(text))
        assert time.process_time() - began < 1.0, part  # 0.1 s; one that looks around each match takes many times that


def test_records_are_judged_side_by_side() -> None:
    teachers: dict[Role, Fake] = {"teacher": right_in(4)}
    asked = in_turn([judged(about(record(), teachers), [choice()], Judging(), 7) for _ in range(3)])
    made = held(asked, teachers)
    assert len(made) == 3
    assert made[0] == made[1] == made[2]
    assert ORGAN in teachers["teacher"].asked[0].messages[-1][1]
