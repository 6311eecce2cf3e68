"""consultation: several pictures in one conversation, each turn held to the facts of its picture."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from manifests.record import Fact, Media, Record
from manifests.sample import Draft
from synth import prompting
from synth.proofs import MediaView
from synth.requests import Ledger, ask
from synth.tasks import consultation
from synth.tasks.consultation import Consultation, Conversation, told
from synth.tasks.subject import Subject
from synth.tasks.teaching import plain_schema
from synth.teacher import ScriptedConfig, open_teacher
from tests.synth.talk import spoken

FACTS = (
    Fact("modality", "CR", "recipe"),
    Fact("body_part", "chest", "recipe"),
    Fact("finding", "no", "column:effusion", about="effusion", at="1"),
    Fact("finding", "yes", "column:effusion", about="effusion", at="2"),
)
GOOD = [
    {"question": "What kind of examination is this?", "answer": "It is computed radiography of the chest."},
    {"question": "Is there anything in the second picture?", "answer": "The second picture shows an effusion."},
]


def subject(pictures: int = 2) -> Subject:
    record = Record("0" * 32, "s", "s/1", "1", "0" * 64, "image", "g", "CC0-1.0", "open", facts=FACTS)
    media = tuple(Media(f"image{n}.png", "image", (8, 8), "uint8", "", 1) for n in range(1, pictures + 1))
    return Subject(record, MediaView(media, lambda name: None, FACTS))  # type: ignore[arg-type, return-value]


def made(tmp_path: Path, answer: Any, pictures: int = 2, **config: Any) -> list[Draft]:
    text = json.dumps({"turns": answer}) if isinstance(answer, list) else answer
    teacher = open_teacher(ScriptedConfig(otherwise=text))
    talk = consultation.drafts(subject(pictures), Consultation(**config), 7)
    return spoken(talk, lambda request: ask(teacher, request, Ledger(tmp_path)))


def test_facts_of_single_pictures_are_told_with_their_place() -> None:
    lines = told(subject().record, 12).splitlines()
    assert lines[:2] == ["Modality: computed radiography", "Body part: chest"]
    assert lines[2:] == ["Picture 1: Finding: effusion no", "Picture 2: Finding: effusion yes"]


def test_a_sound_conversation_is_accepted_with_a_place_holder_for_each_picture(tmp_path: Path) -> None:
    (draft,) = made(tmp_path, GOOD)
    assert (draft.accepted, draft.reason, draft.stage) == (True, "", "sft")
    assert [t.role for t in draft.turns] == ["user", "assistant"] * 2
    assert [t.content.count("<image>") for t in draft.turns] == [2, 0, 0, 0]
    (alone,) = made(tmp_path, GOOD, pictures=1)
    assert not any("<image>" in t.content for t in alone.turns)


BAD: dict[str, tuple[Any, str]] = {
    "a finding that nobody stated": ([GOOD[0], {**GOOD[1], "answer": "The second picture shows a fracture."}], ""),
    "another organ": ([{**GOOD[0], "answer": "It is computed radiography of the knee."}, GOOD[1]], ""),
    "the same question twice": ([GOOD[1], GOOD[1]], "questions_differ"),
    "no question": ([GOOD[0], {**GOOD[1], "question": "Look at the picture"}], "question_form"),
    "one turn": ([GOOD[0]], "schema"),
    "no JSON": ("Yes.", "schema"),
}


@pytest.mark.parametrize(("answer", "reason"), BAD.values(), ids=BAD)
def test_one_turn_that_fails_a_check_fails_the_conversation(tmp_path: Path, answer: Any, reason: str) -> None:
    (draft,) = made(tmp_path, answer)
    assert not draft.accepted
    assert draft.reason
    assert reason in ("", draft.reason)


def test_nothing_is_asked_of_a_text_or_where_pictures_are_too_few(tmp_path: Path) -> None:
    assert made(tmp_path, GOOD, least_pictures=3) == []
    text = Subject(dataclasses.replace(subject().record, kind="text"), subject().view)
    assert spoken(consultation.drafts(text, Consultation(), 7), lambda _: pytest.fail("asked")) == []


def test_the_prompt_decodes_by_the_model_s_schema_and_its_example_is_valid() -> None:
    prompt = prompting.load("consultation")
    schema, model = json.loads(prompt.schema), json.loads(plain_schema(Conversation))
    assert schema["properties"]["turns"]["items"] == model["$defs"]["Exchange"]
    assert list(schema["properties"]["turns"]["items"]["properties"]) == ["question", "answer"]
    for role, text in prompt.sections:
        if role == "assistant":
            Conversation.model_validate_json(text)
