"""reflective: reasoning that checks itself, with patterns of reflection put into the chain (InfiMed, arXiv 2505.23867).

    verification   a first answer, held against the facts, that stands
    correction     a wrong first answer, doubted, withdrawn and put right
    backtracking   a wrong first answer, given up by going back to the facts and starting again
    alternative    two readings, the first of which the facts do not bear out

The teacher makes a first attempt, which may be wrong; where the pattern needs a wrong one and it was right, the teacher
is asked for a beginner's mistake. Then it holds the attempt against the facts and answers again. A program finds the
wrong claims of the attempt (`faithfulness`), and writes the chain: the attempt, a mark of the pattern, the critique, a
withdrawal of each wrong claim and answer by its own words, the corrected reasoning; the layout is that of `cot`. The
teacher never sees the gold. What is withdrawn is judged by that alone (`withdrawn`, with the spans of claim and
withdrawal in the assistant's turn); everything else must be faithful, and the last answer right.

Questions are those of `cot`. Each is sampled and routed as `synth.judging.routed` says. Not covered: whether a wrong
claim led to the wrong answer; wrong claims that no check of `faithfulness` finds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import Field, field_validator

from manifests.config import Config
from manifests.record import Fact
from manifests.sample import Answer, Draft, Turn, Verdict
from synth.asking import Asking, Talk, in_turn
from synth.chat import Role
from synth.judging.config import Routing
from synth.judging.routing import Make, Sampled, routed
from synth.requests import Answered
from synth.tasks.common import pick, seeded
from synth.tasks.cot import Asked, without_asked
from synth.tasks.cot import questions as questions_of
from synth.tasks.reflection import (
    PATTERNS,
    Chain,
    Pattern,
    check_pattern,
    check_withdrawn,
    claims_kept,
    written,
)  # fmt: skip
from synth.tasks.subject import Subject
from synth.tasks.teaching import Limits, asked, check_statement, read_as, settled, verdict
from synth.tasks.teaching import prompt_ids as ids_of
from synth.verify import faithfulness, normal_form, verify_answer
from synth.written import check_plain, check_repetition, check_stray, excerpt, fact_lines

TURN = 1  # the assistant's
_WRITTEN = frozenset({"not_empty", "length", "whole", "plain_text", "not_led", "no_stray", "grounded"})
__all__ = ["Reflective", "drafts", "prompt_ids"]


class Reflective(Config):
    """`mix` weighs the patterns; one that the first attempt does not allow (a right one cannot be corrected, where no
    mistake could be had) becomes the one that it does. `routing` null makes one sample of each question."""

    task: Literal["reflective"] = "reflective"
    share: float = Field(default=1.0, gt=0, le=1)  # of the records, chosen by their keys
    prompt: str = "reflect_attempt"
    mistake_prompt: str = "reflect_mistake"
    check_prompt: str = "reflect_check"
    mix: dict[Pattern, float] = Field(default_factory=lambda: dict.fromkeys(PATTERNS, 1.0))
    routing: Routing | None = Routing()
    temperature: float = Field(default=0.0, ge=0, le=2)  # without routing
    facts: int = Field(default=8, ge=1, le=40)
    source_chars: int = Field(default=240, ge=40, le=20_000)
    questions: int = Field(default=1, ge=1, le=100)  # of one record
    longest: int = Field(default=4000, ge=20)
    grounded: float = Field(default=0.5, ge=0, le=1)

    @field_validator("mix")
    @classmethod
    def _weighs(cls, value: dict[Pattern, float]) -> dict[Pattern, float]:
        if any(weight < 0 for weight in value.values()) or not any(value.values()):
            raise ValueError("mix needs weights of at least 0, one of them above 0")
        return value


class AttemptAnswer(Config):
    reasoning: str = Field(min_length=10, max_length=200)
    result: str = Field(min_length=1, max_length=60)


class CheckAnswer(Config):
    critique: str = Field(min_length=10, max_length=200)
    reasoning: str = Field(min_length=10, max_length=200)
    result: str = Field(min_length=1, max_length=60)


class _Question(NamedTuple):
    asked: Asked
    shown: str
    pattern: Pattern

    @property
    def text(self) -> str:
        return self.asked.question

    @property
    def gold(self) -> Answer:
        return self.asked.answer


def prompt_ids(config: Reflective) -> tuple[str, ...]:
    """The prompts that decide what this task asks; they belong into a unit's key."""
    return ids_of((config.prompt, config.mistake_prompt, config.check_prompt))


def drafts(subject: Subject, config: Reflective, seed: int, given: Sequence[Draft] = ()) -> Asking:
    """One draft for `sft` for each question: the record's own, then those of `given`. Raises `RecipeError` for a bad
    prompt file."""
    record = subject.shown
    talks = []
    for one in questions_of(record, given)[: config.questions]:
        pattern = pattern_for(config.mix, seed, record.key, one.question)
        question = _Question(one, _shown(subject, config) or "none", pattern)
        make = _maker(subject, question, config, seed)
        talks.append(routed(make, config.routing, subject.roles) if config.routing else _once(make))
    several = yield from in_turn(talks)
    return [dataclasses.replace(draft, part=n) for n, draft in enumerate(d for some in several for d in some)]


def pattern_for(mix: Mapping[Pattern, float], seed: int, *parts: str) -> Pattern:
    """One pattern, as often as its weight says, by seeded hash."""
    place = seeded(seed, *parts, "pattern") / 2**64 * sum(mix.get(name, 0.0) for name in PATTERNS)
    for name in PATTERNS:
        place -= mix.get(name, 0.0)
        if place < 0:
            return name
    return max(mix, key=lambda name: (mix[name], name))


def _once(make: Make) -> Talk[list[Draft]]:
    one = yield from make(0, "teacher")
    return [one.draft]


def _shown(subject: Subject, config: Reflective) -> str:
    """What the teacher is told; a source's text without its own questions and answers, which would be copied."""
    record = subject.shown
    text = without_asked(record)
    return "\n".join(filter(None, (fact_lines(record, config.facts), excerpt(text, config.source_chars))))


def _maker(subject: Subject, question: _Question, config: Reflective, seed: int) -> Make:
    def make(sample: int, role: Role) -> Talk[Sampled]:
        return _sample(subject, question, config, seed + sample, role)

    return make


def _sample(subject: Subject, question: _Question, config: Reflective, seed: int, role: Role) -> Talk[Sampled]:
    """One attempt at one question: two requests, or three where a mistake is asked for."""
    told = {"facts": question.shown, "question": question.text}
    answers: list[Answered] = []
    verdicts: list[Verdict] = []

    def ask(prompt: str, values: Mapping[str, str]) -> Talk[Answered]:
        plain = asked(subject, prompt, values, seed, role)
        warm = config.routing.temperature if config.routing else config.temperature
        (answered,) = yield (dataclasses.replace(plain, temperature=warm, logprobs=config.routing is not None),)
        answers.append(answered)
        return answered

    answered = yield from ask(config.prompt, told)
    first, found = read_as(answered, AttemptAnswer, TURN)
    verdicts += found
    if first is not None and question.pattern != "verification" and _right(first.result, question.gold):
        answered = yield from ask(config.mistake_prompt, {**told, "answer": first.result})
        first, found = read_as(answered, AttemptAnswer, TURN)
        verdicts += found
    if first is None:
        return _unfinished(subject, question, verdicts, answers)
    answered = yield from ask(config.check_prompt, {**told, "attempt": f"{first.reasoning} {first.result}"})
    last, found = read_as(answered, CheckAnswer, TURN)
    verdicts += found
    if last is None:
        return _unfinished(subject, question, verdicts, answers)
    pattern = question.pattern
    if pattern == "verification" and not _right(first.result, question.gold):
        pattern = "correction"
    chain = written(
        Chain(pattern, first.reasoning, first.result, last.critique, last.reasoning, last.result),
        _wrong(first.reasoning, question.shown, subject.shown.facts),
        lambda wordings: pick(wordings, seed, subject.record.key, question.text),
    )
    verdicts += _judged(chain, question, subject, config)
    return _finished(subject, question, (chain, verdicts), answers)


def _right(said: str, gold: Answer) -> bool:
    return verify_answer(f"<answer>{said}</answer>", gold).passed


def _wrong(reasoning: str, shown: str, facts: Sequence[Fact]) -> list[str]:
    """The sentences of an attempt that the facts do not bear out."""
    known = (*facts, Fact("caption", shown, "shown"))
    return [s for s in claims_kept(reasoning) if any(not v.passed for v in faithfulness(s, known, TURN))]


def _judged(chain: Chain, question: _Question, subject: Subject, config: Reflective) -> list[Verdict]:
    response = chain.response
    # A question states nothing: its words ground an answer, and for faithfulness it is no fact.
    limits = Limits(config.grounded, config.longest)
    stands = " ".join(chain.stands)
    parts = (chain.attempt, chain.critique, chain.reasoning)
    told = f"{question.shown}\n{question.text}"
    checks = [v for v in check_statement(stands, told, (), limits, TURN) if v.check in _WRITTEN]
    known = (*subject.shown.facts, Fact("caption", question.shown, "shown"))
    return [
        *checks,
        *faithfulness(stands, known, TURN),
        *(check_plain(said, TURN) for said in (chain.attempt, chain.first, chain.final)),
        *(check_repetition(said, TURN) for said in parts),
        *(check_stray(said, told, TURN, sentences=False) for said in (*parts, chain.first, chain.final)),
        verdict(
            "distinct", len({normal_form(said) for said in parts}) == len(parts), "attempt, critique, reasoning", TURN
        ),
        check_pattern(chain, TURN),
        check_withdrawn(chain, TURN),
        dataclasses.replace(verify_answer(response, question.gold), turn=TURN),
    ]


def _finished(
    subject: Subject, question: _Question, done: tuple[Chain, list[Verdict]], answers: Sequence[Answered]
) -> Sampled:
    chain, verdicts = done
    draft = _draft(subject, question, verdicts, answers)
    turns = (*draft.turns, Turn("assistant", chain.response))
    proofs = tuple(dataclasses.replace(p, turn=TURN) for p in question.asked.proofs)
    draft = settled(dataclasses.replace(draft, turns=turns, proofs=proofs))
    return Sampled(draft, verify_answer(chain.response, question.gold).passed, _entropy(answers))


def _unfinished(subject: Subject, question: _Question, verdicts: list[Verdict], answers: Sequence[Answered]) -> Sampled:
    return Sampled(settled(_draft(subject, question, verdicts, answers)), False, None)


def _draft(subject: Subject, question: _Question, verdicts: list[Verdict], answers: Sequence[Answered]) -> Draft:
    return Draft(
        key=subject.record.key,
        stage="sft",
        task="reflective",
        part=0,
        turns=(Turn("user", question.text),),
        answer=question.gold,
        verdicts=tuple(verdicts),
        teacher=answers[-1].author,
        shows=question.asked.shows,
        made=question.asked.made,
    )


def _entropy(answers: Sequence[Answered]) -> float | None:
    """The mean over the tokens of all answers; None where one of them does not tell."""
    told = [(a.reply.entropy, a.reply.completion_tokens) for a in answers if a.reply is not None]
    tokens = sum(count for _, count in told)
    if not tokens or any(entropy is None for entropy, _ in told):
        return None
    return sum((entropy or 0.0) * count for entropy, count in told) / tokens
