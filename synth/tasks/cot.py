"""cot: the teacher reasons to an answer that a program can judge; what is wrong is thrown away (rejection sampling).

The question is the record's own, or that of a draft that a program made with an `Answer`. The teacher sees facts and
question, never the gold. The answer is judged by `verify_answer` against the gold, the reasoning by
`synth.written.check_text` and `faithfulness`. What passes becomes a draft for `sft` whose assistant turn is
`<think>reasoning</think><answer>answer</answer>` (the layout of Fleming-VL, arXiv 2511.00916); the gold, and the
proofs of the program draft, go with it. A right answer with reasoning that contradicts a fact is not accepted.

A question is tried until an attempt is accepted (`attempts`), or sampled several times at once and routed by how often
it is right (`routing`, see `synth.judging.routing`).

Not covered: whether the reasoning is what led to the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from pydantic import Field, model_validator

from manifests.config import Config
from manifests.record import PICTURE, Fact, Record
from manifests.sample import Answer, Draft, Made, Proof, Turn
from synth import prompting
from synth.asking import Asking, Talk, in_turn
from synth.chat import Role
from synth.judging.config import Routing
from synth.judging.routing import Sampled, routed
from synth.tasks.subject import Subject
from synth.verify import faithfulness, verify_answer
from synth.written import check_plain, check_stray, check_text, excerpt, fact_lines, first_failed, read_fields

TURN = 1  # the assistant's


class Cot(Config):
    """`attempts` are samples of one question, one after the other up to the first accepted; more than one needs a
    temperature, or they would all be the same. `routing` takes their place, with a temperature of its own."""

    task: Literal["cot"] = "cot"
    share: float = Field(default=1.0, gt=0, le=1)  # of the records, chosen by their keys
    prompt: str = "cot"
    facts: int = Field(default=8, ge=1, le=40)
    source_chars: int = Field(default=240, ge=40, le=20_000)
    questions: int = Field(default=1, ge=1, le=100)  # of one record
    attempts: int = Field(default=1, ge=1, le=64)
    temperature: float = Field(default=0.0, ge=0, le=2)
    routing: Routing | None = None
    longest: int = Field(default=4000, ge=20)
    grounded: float = Field(default=0.6, ge=0, le=1)

    @model_validator(mode="after")
    def _attempts_differ(self) -> Cot:
        if self.attempts > 1 and self.temperature == 0:
            raise ValueError("attempts above 1 need a temperature above 0: at 0 every attempt is the same")
        if self.routing is not None and (self.attempts > 1 or self.temperature > 0):
            raise ValueError("routing has its own samples and temperature: leave out attempts and temperature")
        return self


class Asked(NamedTuple):
    """A question that a program can judge, the proofs of its gold, and the media that its text speaks of
    (`Draft.shows`, `Draft.made`)."""

    question: str
    answer: Answer
    proofs: tuple[Proof, ...]
    shows: tuple[str, ...] | None = None
    made: tuple[Made, ...] = ()


def prompt_ids(config: Cot) -> tuple[str, ...]:
    """The prompts that decide what this task asks; they belong into a unit's key."""
    return (prompting.load(config.prompt).prompt_id,)


def drafts(subject: Subject, config: Cot, seed: int, given: Sequence[Draft] = ()) -> Asking:
    """Drafts for `sft`, numbered by `part` in order: for each question its attempts up to the first accepted one, or
    the one that routing leaves. Questions are asked at the same time.

    `given` are the record's program drafts; those with an `Answer` and a first turn of the user are asked, after the
    record's own question. Raises `RecipeError` for a bad prompt file.
    """
    asked = questions(subject.shown, given)[: config.questions]
    made = yield from in_turn([_answered(subject, one, config, seed) for one in asked])
    return [replace(draft, part=part) for part, draft in enumerate(d for several in made for d in several)]


def questions(record: Record, given: Sequence[Draft] = ()) -> list[Asked]:
    """The verifiable questions of a record, each text once: its own, as `qa` lays them out where that task ran and else
    those with one right answer that is short, then the others of `given`."""
    posed = [draft for draft in given if draft.answer is not None and draft.accepted]
    found: dict[str, Asked] = {}
    for draft in posed:
        if draft.task == "qa":
            _add(found, draft)
    for one in () if record.dialogue else record.asked:
        own = None if one.options or PICTURE in one.question else answer_of(one.answer)
        if one.question.strip() and own is not None:
            found.setdefault(one.question.strip(), Asked(one.question.strip(), own, ()))
    for draft in posed:
        _add(found, draft)
    return list(found.values())


def _add(found: dict[str, Asked], draft: Draft) -> None:
    """A draft's question, known by its words without the pictures before them."""
    if draft.answer is not None and draft.turns and draft.turns[0].role == "user":
        text = draft.turns[0].content.strip()
        asked = Asked(text, draft.answer, draft.proofs, draft.shows, draft.made)
        found.setdefault(text.replace("<image>\n", "").strip(), asked)


def answer_of(text: str) -> Answer | None:
    """A source's answer as a gold: yes or no, or a label of at most six words; None for anything longer."""
    gold = text.strip().rstrip(".")
    if gold.lower() in ("yes", "no"):
        return Answer("yes_no", gold.lower(), "yes_no")
    if gold and len(gold.split()) <= 6 and "|" not in gold:
        return Answer("label", gold, "label")
    return None


def _answered(subject: Subject, asked: Asked, config: Cot, seed: int) -> Asking:
    """The drafts of one question."""
    routing = config.routing
    if routing is not None:

        def make(sample: int, role: Role) -> Talk[Sampled]:
            return _attempt(subject, asked, config, seed + sample, routing.temperature, role)

        return (yield from routed(make, routing, subject.roles))
    out: list[Draft] = []
    for attempt in range(config.attempts):
        sampled = yield from _attempt(subject, asked, config, seed + attempt, config.temperature)
        out.append(sampled.draft)
        if sampled.draft.accepted:
            break
    return out


def _attempt(
    subject: Subject, asked: Asked, config: Cot, seed: int, temperature: float, role: Role = "teacher"
) -> Talk[Sampled]:
    record = subject.shown
    shown = _shown(record, config)
    values = {"facts": shown or "none", "question": asked.question}
    prompt, pictures = prompting.load(config.prompt), subject.pictures(role)
    logprobs = config.routing is not None
    (answered,) = yield (prompting.request(prompt, values, seed, temperature, pictures, role, logprobs),)
    fields, verdicts = read_fields(answered, ("reasoning", "answer"), TURN)
    turns: tuple[Turn, ...] = (Turn("user", asked.question),)
    correct = False
    if fields:
        reasoning, said = fields["reasoning"], fields["answer"]
        response = f"<think>{reasoning}</think><answer>{said}</answer>"
        turns = (*turns, Turn("assistant", response))
        told = f"{shown}\n{asked.question}"
        verdicts += [*check_text(reasoning, told, config.grounded, config.longest, TURN), check_plain(said, TURN)]
        verdicts.append(check_stray(said, f"{told}\n{asked.answer.gold}\n{asked.answer.options}", TURN, False))
        # A question states nothing: for faithfulness it is no fact.
        verdicts += faithfulness(reasoning, (*record.facts, Fact("caption", shown or "none", "shown")), TURN)
        earned = verify_answer(response, asked.answer)
        correct = earned.passed
        verdicts.append(replace(earned, turn=TURN))
    reason = first_failed(verdicts)
    draft = Draft(
        key=record.key,
        stage="sft",
        task="cot",
        part=0,
        turns=turns,
        answer=asked.answer,
        proofs=tuple(replace(proof, turn=TURN) for proof in asked.proofs),
        verdicts=tuple(verdicts),
        teacher=answered.author,
        accepted=not reason,
        reason=reason,
        shows=asked.shows,
        made=asked.made,
    )
    return Sampled(draft, correct, answered.reply.entropy if answered.reply else None)


def _shown(record: Record, config: Cot) -> str:
    """What the teacher is told; a source's text without its own answers, which would be copied, not reasoned to."""
    text = without_asked(record)
    return "\n".join(filter(None, (fact_lines(record, config.facts), excerpt(text, config.source_chars))))


def without_asked(record: Record) -> str:
    """A record's text without the places of pictures, its own questions, and those of its answers that are longer than
    a word or two."""
    text = record.text.replace(PICTURE, " ")
    for one in record.asked:
        text = text.replace(one.answer, " ") if len(one.answer) > 12 else text
        text = text.replace(one.question, " ") if one.question else text
    return text.strip()
