"""consultation: a conversation of several turns about a record's pictures, as patients ask and doctors answer.

As PulseMind's consultations (AQ-MedAI/PulseMind): several pictures in one conversation, each turn a question and an
answer. The teacher is told the facts, those of single pictures by their place; every answer is judged by them, every
question must not give its answer away nor take anything for granted. One turn that fails a check fails the
conversation, since later turns build on earlier ones. A draft for `sft`; in its first turn `<image>` stands for each
picture where there are several.

Not covered: what the patient says of complaints that no fact states, follow-up examinations, advice (a dose or a
treatment without a fact is not grounded).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from manifests.config import Config
from manifests.record import Record
from manifests.sample import Draft, Turn, Verdict
from synth.asking import Asking
from synth.tasks.common import pick
from synth.tasks.subject import Subject
from synth.tasks.teaching import Limits, asked, check_question, check_statement, read_as, settled, verdict
from synth.tasks.teaching import prompt_ids as ids_of
from synth.verify import normal_form
from synth.written import fact_lines

_OPENINGS = (
    "{shown}{first}",
    "{shown}I have a question about this. {first}",
    "{shown}Could you have a look at this? {first}",
    "{shown}Here is what I was given. {first}",
    "{shown}Please tell me about this. {first}",
)


class Consultation(Config):
    """`grounded`: the least share of an answer's content words that the teacher was told."""

    task: Literal["consultation"] = "consultation"
    share: float = Field(default=1.0, gt=0, le=1)  # of the records, chosen by their keys
    prompt: str = "consultation"
    facts: int = Field(default=12, ge=1, le=60)  # lines of facts that are shown
    least_pictures: int = Field(default=1, ge=1)
    grounded: float = Field(default=0.6, ge=0, le=1)
    longest: int = Field(default=400, ge=20)


class Exchange(Config):
    question: str = Field(min_length=8, max_length=160)
    answer: str = Field(min_length=2, max_length=200)


class Conversation(Config):
    turns: tuple[Exchange, ...] = Field(min_length=2, max_length=6)


def prompt_ids(config: Consultation) -> tuple[str, ...]:
    """The prompts that decide what this task asks; they belong into a unit's key."""
    return ids_of((config.prompt,))


def told(record: Record, limit: int) -> str:
    """The facts of all pictures, then those of single ones with their place, one a line; at most `limit` lines."""
    lines = fact_lines(_of(record, ""), limit).splitlines()
    for at in sorted({f.at for f in record.facts if f.at}, key=lambda place: (len(place), place)):
        lines += [f"Picture {at}: {line}" for line in fact_lines(_of(record, at), limit).splitlines()]
    return "\n".join(lines[:limit])


def _of(record: Record, at: str) -> Record:
    return dataclasses.replace(record, facts=tuple(f for f in record.facts if f.at == at))


def drafts(subject: Subject, config: Consultation, seed: int, given: Sequence[Draft] = ()) -> Asking:
    """One draft, or none for text, where too few pictures are shown, or where there is nothing to tell. Raises
    `RecipeError` for a bad prompt file."""
    record = subject.shown
    pictures = sum(m.kind != "mask" for m in subject.view.media)
    shown = told(record, config.facts)
    if record.kind == "text" or pictures < config.least_pictures or not shown:
        return []
    (answered,) = yield (asked(subject, config.prompt, {"facts": shown}, seed),)
    said, verdicts = read_as(answered, Conversation, -1)
    turns: tuple[Turn, ...] = ()
    if said is not None:
        turns = _turns(said.turns, pictures, seed, record.key)
        verdicts += _judged(said.turns, shown, record, config)
    return [
        settled(Draft(record.key, "sft", "consultation", 0, turns, verdicts=tuple(verdicts), teacher=answered.author))
    ]


def _turns(exchanges: Sequence[Exchange], pictures: int, seed: int, key: str) -> tuple[Turn, ...]:
    shown = "<image>\n" * pictures if pictures > 1 else ""
    first = pick(_OPENINGS, seed, key, "consultation").format(shown=shown, first=exchanges[0].question)
    asked_of = [first, *(one.question for one in exchanges[1:])]
    pairs = zip(asked_of, (one.answer for one in exchanges), strict=True)
    return tuple(turn for question, answer in pairs for turn in (Turn("user", question), Turn("assistant", answer)))


def _judged(exchanges: Sequence[Exchange], shown: str, record: Record, config: Consultation) -> list[Verdict]:
    """The checks of each turn, question before answer."""
    verdicts: list[Verdict] = []
    limits = Limits(config.grounded, config.longest)
    for n, one in enumerate(exchanges):
        verdicts += (
            dataclasses.replace(v, turn=2 * n) for v in check_question(one.question, (one.answer,), shown, record.facts)
        )
        verdicts += check_statement(one.answer, shown, record.facts, limits, 2 * n + 1)
    forms = [normal_form(one.question) for one in exchanges]
    again = next((form for n, form in enumerate(forms) if form in forms[:n]), "")
    return [*verdicts, verdict("questions_differ", not again, again, -1)]
