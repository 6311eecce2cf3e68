"""narrate and cot: what the teacher is told, what is accepted, what is caught."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import ValidationError

from manifests.errors import TeacherError
from manifests.record import Asked, Fact, Record, to_json
from manifests.sample import Answer, Draft, Proof, Turn
from synth.requests import Answered, Ledger, ask
from synth.tasks import cot, narrate
from synth.teacher import EmbeddedConfig, Request, ScriptedConfig, Teacher, available, open_teacher
from synth.verify import verify_answer
from tests.synth.talk import spoken, subject

Answerer = Callable[[Request], Answered]
Script = Callable[[str], Answerer]
FACTS = (
    Fact("modality", "CT", "dicom:0008,0060"),
    Fact("body_part", "ABDOMEN", "dicom:0018,0015"),
    Fact("laterality", "L", "dicom:0020,0060"),
    Fact("volume_ml", "142.3", "mask:spleen", "ml", "spleen"),
    Fact("structure", "spleen", "mask:spleen", about="spleen"),
    Fact("sex", "F", "dicom:0010,0040"),
)
ICD = """K50 Crohn's disease [regional enteritis]
Chapter: Diseases of the digestive system (K00-K95)
Includes: granulomatous enteritis.
Excludes: ulcerative colitis (K51.-).
K50.0: Crohn's disease of small intestine"""


def record(
    kind: str = "volume", facts: tuple[Fact, ...] = FACTS, text: str = "", qa: tuple[str, str] = ("", "")
) -> Record:
    return Record("0" * 32, "s", "s/1", "1", "0" * 64, kind, "g", "CC0-1.0", "open", facts=facts, text=text,
                  asked=(Asked(*qa),) if any(qa) else ())  # fmt: skip


def asking(teacher: Teacher, root: Path, seen: list[Request] | None = None) -> Answerer:
    def one(request: Request) -> Answered:
        if seen is not None:
            seen.append(request)
        return ask(teacher, request, Ledger(root))

    return one


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return lambda answer: asking(open_teacher(ScriptedConfig(otherwise=answer)), tmp_path)


def told(
    task: ModuleType,
    about: Record,
    config: narrate.Narrate | cot.Cot,
    answer: Answerer,
    given: Sequence[Draft] = (),
) -> list[Draft]:
    drafts: list[Draft] = spoken(task.drafts(subject(about), config, 7, given), answer)
    return drafts


def caption(text: str) -> str:
    return json.dumps({"caption": text})


def reasoned(reasoning: str, answer: str) -> str:
    return json.dumps({"reasoning": reasoning, "answer": answer})


GOOD = "Computed tomography of the abdomen; the spleen has a volume of 142.3 mL."


def test_a_sentence_that_the_facts_bear_out_is_accepted_with_its_author(
    script: Script,
) -> None:
    (draft,) = told(narrate, record(), narrate.Narrate(), script(caption(GOOD)))
    assert (draft.accepted, draft.reason, draft.text, draft.stage) == (True, "", GOOD, "pretrain")
    assert all(v.passed for v in draft.verdicts)
    assert draft.teacher.model == "scripted"
    assert len(draft.teacher.request_key) == 64
    assert draft.teacher.prompt_id in narrate.prompt_ids(narrate.Narrate())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (caption("Computed tomography of the abdomen; the spleen has a volume of 152.3 mL."), "numbers"),
        (caption("Computed tomography of the abdomen; the spleen has a volume of 142.3 cm."), "units"),
        (caption("Ultrasound of the abdomen, volume of the spleen 142.3 mL."), "modality"),
        (caption("Computed tomography of the right abdomen with the spleen."), "sides"),
        (caption("Computed tomography of the abdomen with the spleen volume 142.3 mL and liver."), "anatomy"),
        (caption("Computed tomography abdomen spleen volume 142.3 mL tumor."), "findings"),
        (caption("Computed tomography of the abdomen shows no tumor of the spleen."), "negation"),
        (caption("A medical device that helps doctors to plan treatments."), "grounded"),
        (caption("Computed tomography of the abdomen, which is"), "whole"),
        (caption("Computed tomography of the abdomen (spleen"), "whole"),
        (caption("Computed tomography of the abdomen, https://abdomen."), "plain_text"),
        (caption("Computed tomography of the abdomen <|im_end|>"), "plain_text"),
        (caption("This is the. "), "not_empty"),
        (caption("Computed tomography of the abdomen. " * 20), "length"),
        ('{"caption": "Computed tomo', "schema"),
        ('{"caption": 5}', "schema"),
        ('["caption"]', "schema"),
        ("[" * 50_000, "schema"),
    ],
)
@pytest.mark.slow
def test_a_sentence_that_goes_beyond_the_facts_is_caught_by_the_check_of_that_name(
    script: Script, answer: str, reason: str
) -> None:
    (draft,) = told(narrate, record(), narrate.Narrate(), script(answer))
    assert not draft.accepted
    assert reason in [v.check for v in draft.verdicts if not v.passed]
    assert draft.reason == next(v.check for v in draft.verdicts if not v.passed)


def test_the_teacher_is_told_what_a_picture_shows_and_not_who_was_examined(tmp_path: Path) -> None:
    seen: list[Request] = []
    told(narrate, record(), narrate.Narrate(), asking(open_teacher(ScriptedConfig(otherwise="x")), tmp_path, seen))
    assert seen[0].messages[-1][1] == (
        '"""\nModality: computed tomography\nBody part: abdomen\nSide: left\nStructures: spleen\n'
        'Volume: spleen 142.3 mL\n"""'
    )


def test_a_text_is_told_from_its_own_beginning_without_what_it_excludes(tmp_path: Path) -> None:
    seen: list[Request] = []
    facts = (Fact("code", "K50", "icd10cm:code"),)
    answer = caption("Code K50 is Crohn's disease, which includes ulcerative colitis.")
    teacher = open_teacher(ScriptedConfig(otherwise=answer))
    (draft,) = told(narrate, record("text", facts, ICD), narrate.Narrate(), asking(teacher, tmp_path, seen))
    assert "granulomatous" in seen[0].messages[-1][1]
    assert "colitis" not in seen[0].messages[-1][1]
    assert (draft.accepted, draft.reason) == (False, "grounded")


def test_a_record_of_which_nothing_is_known_asks_nothing(tmp_path: Path) -> None:
    nobody = asking(open_teacher(ScriptedConfig()), tmp_path)
    assert told(narrate, record(facts=()), narrate.Narrate(), nobody) == []
    assert told(narrate, record("text", FACTS, ""), narrate.Narrate(), nobody) == []
    assert told(cot, record(), cot.Cot(), nobody) == []


def test_a_refusal_is_a_draft_that_says_so_and_a_wrong_set_up_stops(tmp_path: Path) -> None:
    refusing = asking(open_teacher(ScriptedConfig()), tmp_path)
    (draft,) = told(narrate, record(), narrate.Narrate(), refusing)
    assert (draft.accepted, draft.reason, draft.verdicts[0].evidence) == (False, "answered", "refused")
    broken = asking(open_teacher(ScriptedConfig(failures={1: "unauthorised"})), tmp_path / "other")
    with pytest.raises(TeacherError, match="unauthorised"):
        told(narrate, record(), narrate.Narrate(), broken)


# --- cot -------------------------------------------------------------------------------------------------------------

QUESTION = ("Which organ is segmented?", "spleen")
REASON = "The structure with a volume of 142.3 mL is the spleen."


def test_a_right_answer_with_true_reasoning_becomes_a_think_answer_turn_that_verifies(
    script: Script,
) -> None:
    (draft,) = told(cot, record(qa=QUESTION), cot.Cot(), script(reasoned(REASON, "Spleen")))
    assert (draft.accepted, draft.reason, draft.stage) == (True, "", "sft")
    assert draft.turns == (
        Turn("user", QUESTION[0]),
        Turn("assistant", f"<think>{REASON}</think><answer>Spleen</answer>"),
    )
    assert draft.answer == Answer("label", "spleen", "label")
    assert verify_answer(draft.turns[1].content, draft.answer).passed


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reasoned(REASON, "liver"), "label"),
        (reasoned("The structure with a volume of 242.3 mL is the spleen.", "spleen"), "numbers"),
        (reasoned("The structure spleen, volume 142.3 mL, right side.", "spleen"), "sides"),
        (reasoned(REASON, "spleen</answer><answer>liver"), "plain_text"),
        (reasoned("Spleen is </think><answer>spleen</answer>", "spleen"), "plain_text"),
        (json.dumps({"reasoning": REASON}), "schema"),
    ],
)
def test_a_wrong_answer_or_untrue_reasoning_is_thrown_away(script: Script, answer: str, reason: str) -> None:
    (draft,) = told(cot, record(qa=QUESTION), cot.Cot(), script(answer))
    assert not draft.accepted
    assert reason in [v.check for v in draft.verdicts if not v.passed]


def test_a_question_is_no_evidence_for_what_it_asks(script: Script) -> None:
    asked = record(qa=("Is there a tumor of the spleen?", "yes"))
    (draft,) = told(cot, asked, cot.Cot(), script(reasoned("There is a tumor of the spleen.", "yes")))
    assert (draft.accepted, draft.reason) == (False, "findings")


def test_the_teacher_never_sees_the_gold(tmp_path: Path) -> None:
    seen: list[Request] = []
    gold = "granulomatous enteritis"
    asked = record("text", (), f"Note. Answer: {gold}", ("What does it include?", gold))
    told(cot, asked, cot.Cot(), asking(open_teacher(ScriptedConfig(otherwise="x")), tmp_path, seen))
    assert gold not in to_json(seen[0])
    assert "What does it include?" in seen[0].messages[-1][1]


def test_a_program_drafts_question_brings_its_gold_and_its_proofs(
    script: Script,
) -> None:
    gold = Answer("number", "142.3", "number", "ml", 0.05)
    proof = Proof(-1, "volume_ml(mask=spleen)", "142.3", "ml")
    program = Draft(
        "0" * 32, "rlvr", "measure", 0, (Turn("user", "Volume of the spleen?"),), answer=gold, proofs=(proof,)
    )
    (draft,) = told(cot, record(), cot.Cot(), script(reasoned(REASON, "142 mL")), [program, program])
    assert draft.accepted
    assert draft.answer == gold
    assert draft.proofs == (Proof(1, "volume_ml(mask=spleen)", "142.3", "ml"),)
    (wrong,) = told(cot, record(), cot.Cot(), script(reasoned(REASON, "242 mL")), [program])
    assert (wrong.accepted, wrong.reason) == (False, "number")


def test_attempts_end_with_the_first_accepted_one_and_each_has_its_own_seed(tmp_path: Path) -> None:
    seen: list[Request] = []

    def third_is_right(request: Request) -> Answered:
        seen.append(request)
        text = reasoned(REASON, "spleen" if len(seen) == 3 else "liver")
        return ask(open_teacher(ScriptedConfig(otherwise=text)), request, Ledger(tmp_path))

    made = told(cot, record(qa=QUESTION), cot.Cot(attempts=5, temperature=0.8), third_is_right)
    assert [d.accepted for d in made] == [False, False, True]
    assert [d.part for d in made] == [0, 1, 2]
    assert [r.seed for r in seen] == [7, 8, 9]
    with pytest.raises(ValidationError, match="temperature"):
        cot.Cot(attempts=2)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("Yes.", "yes_no"), ("no", "yes_no"), ("left lung", "label"), ("", None), ("a b c d e f g", None), ("a|b", None)],
)
def test_only_a_short_answer_is_a_gold(text: str, kind: str | None) -> None:
    answer = cot.answer_of(text)
    assert (answer.verifier if answer else None) == kind


# --- the real model --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(bool(available(EmbeddedConfig())), reason=available(EmbeddedConfig()) or "-")
@pytest.mark.slow
def test_the_embedded_model_writes_drafts_whose_acceptance_follows_from_their_verdicts(tmp_path: Path) -> None:
    teacher, seen = open_teacher(EmbeddedConfig()), list[Request]()
    one = asking(teacher, tmp_path, seen)
    made = [
        *told(narrate, record(), narrate.Narrate(), one),
        *told(cot, record(qa=QUESTION), cot.Cot(), one),
    ]
    again = [
        *told(narrate, record(), narrate.Narrate(), one),
        *told(cot, record(qa=QUESTION), cot.Cot(), one),
    ]
    assert made == again  # the second time from the ledger
    for draft in made:
        assert draft.accepted == all(v.passed for v in draft.verdicts)
        assert draft.verdicts[0].check == "answered"
        assert draft.teacher.revision == teacher.revision
    teacher.close()
