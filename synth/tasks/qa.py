"""The source's own questions and answers: conversations, and a prompt with a verifiable reward for each short answer.

Short is yes or no, one letter of options, one number with or without a unit, or a label of at most `max_label_words`
words (`synth.tasks.posing`, which also letters the options and places the pictures). Each answer is proven to be the
source's to that question: `span` where it is short, else `digest`; the question's words by `digest`. A source's
explanation becomes the reasoning of a conversation, `<think>why</think><answer>answer</answer>`; where it names options
by their letters, they keep the source's order there.

With `stages: [pretrain, ...]` the same questions are texts for pretraining as well: what a conversation's user says,
then `Answer: ...` and `Explanation: ...`, several of one text apart by a blank line.

Questions that are a dialogue are left to `dialogue`. One whose answer is none of its options, or that lists one twice,
is rejected by that name. Not covered: whether the source is right.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Literal, NamedTuple

from pydantic import Field

from manifests.config import Config
from manifests.record import PICTURE, Record
from manifests.sample import STAGES, Draft, Proof, StageName, Turn, Verdict
from synth.proofs import MediaView
from synth.tasks.common import finish, for_gold, source_verdict
from synth.tasks.posing import (
    Posed,
    answer_proof,
    digest_proof,
    in_places,
    posed,
    shown,
    speaks_of_letters,
)


class Qa(Config):
    """`context` puts the source's text before the first question of a conversation and of a prompt; `tolerance` is
    relative, for answers that are a number. `together`: all questions of a record as conversations of up to `max_turns`
    questions; else each is one of its own. `reasons`: the source's explanations are told. `stages`: what is made of a
    question; a text for pretraining is made where it is asked for."""

    task: Literal["qa"] = "qa"
    context: bool = False
    max_label_words: int = Field(default=4, ge=1, le=20)
    tolerance: float = Field(default=0.01, ge=0, lt=1)
    together: bool = False
    max_turns: int = Field(default=8, ge=1, le=4096)
    reasons: bool = True
    stages: tuple[StageName, ...] = Field(default=("sft", "rlvr"), min_length=1)


class _Exchange(NamedTuple):
    """A question as it is put, with the source's reasons for its answer and the proofs of both (of turn 1)."""

    posed: Posed
    why: str
    proofs: tuple[Proof, ...]

    @property
    def said(self) -> str:
        """What an assistant says."""
        answer = self.posed.said
        return f"<think>{self.why}</think><answer>{answer}</answer>" if self.why else answer


def drafts(record: Record, view: MediaView, config: Qa, seed: int) -> list[Draft]:
    """Conversations (sft), texts (pretrain) and, for each short answer, a prompt (rlvr), in the stages asked for; none
    where nothing is asked and answered."""
    if record.dialogue:
        return []
    said = _exchanges(record, view, config, seed)
    size = config.max_turns if config.together else 1
    good = [one for one in said if not one.posed.flaw]
    runs = [good[at : at + size] for at in range(0, len(good), size)]
    made = [_talk(record, view, config, run) for run in runs] if "sft" in config.stages else []
    made += [_text(record, view, config, run) for run in runs] if "pretrain" in config.stages else []
    made += [_flawed(record, one, config.stages[0]) for one in said if one.posed.flaw]
    parts = {stage: count() for stage in STAGES}
    numbered = [finish(dataclasses.replace(draft, part=next(parts[draft.stage]))) for draft in made]
    return [*numbered, *(_prompts(record, view, config, seed) if "rlvr" in config.stages else ())]


def _asked(view: MediaView) -> Iterator[int]:
    """The numbers of the questions with an answer, each text once."""
    known = set()
    for number, one in enumerate(view.asked, start=1):
        if one.question.strip() and one.answer.strip() and (one.question, one.answer, one.options) not in known:
            known.add((one.question, one.answer, one.options))
            yield number


def _posed(record: Record, view: MediaView, config: Qa, seed: int, number: int, keep: bool) -> Posed:
    one = view.asked[number - 1]
    return posed(one, number, seed, record.key, config.max_label_words, config.tolerance, keep)


def _exchanges(record: Record, view: MediaView, config: Qa, seed: int) -> list[_Exchange]:
    found = []
    for number in _asked(view):
        one = view.asked[number - 1]
        why = one.why.strip() if config.reasons and "<" not in one.why else ""
        put = _posed(record, view, config, seed, number, bool(why) and speaks_of_letters(why))
        proofs: tuple[Proof, ...] = (answer_proof(one, number, view, 1),)
        if why:
            proofs = (*proofs, digest_proof("why", number, view, 1))
        found.append(_Exchange(put, why, proofs))
    return found


def _talk(record: Record, view: MediaView, config: Qa, run: Sequence[_Exchange]) -> Draft:
    """Several exchanges as one conversation."""
    members, before = _before(record, view, config, [one.posed.number for one in run])
    turns: list[Turn] = []
    proofs: list[Proof] = []
    verdicts: list[Verdict] = []
    for one in run:
        at = len(turns)
        head, told = ("", ()) if at else (before, _context(view, config))
        turns += [Turn("user", head + one.posed.question), Turn("assistant", one.said)]
        proofs += [*told, *_question_proofs(one, view, at)]
        proofs += [Proof(at + 1, p.call, p.value, p.unit) for p in one.proofs]
        verdicts.append(source_verdict(at + 1, "the answer is the source's own"))
    return Draft(
        record.key, "sft", "qa", 0, turns=tuple(turns), proofs=tuple(proofs), verdicts=tuple(verdicts), shows=members
    )


def _question_proofs(one: _Exchange, view: MediaView, turn: int) -> tuple[Proof, ...]:
    fields = ("question", "options") if one.posed.lettered else ("question",)
    return tuple(digest_proof(field, one.posed.number, view, turn) for field in fields)


def _text(record: Record, view: MediaView, config: Qa, run: Sequence[_Exchange]) -> Draft:
    """Several exchanges as one text."""
    members, before = _before(record, view, config, [one.posed.number for one in run])
    parts: list[str] = []
    proofs = list(map(for_gold, _context(view, config)))
    for one in run:
        lines = [one.posed.question, f"Answer: {one.posed.said}", *([f"Explanation: {one.why}"] if one.why else [])]
        parts.append("\n".join(lines))
        proofs += [*_question_proofs(one, view, -1), *map(for_gold, one.proofs)]
    verdict = source_verdict(-1, "question and answer are the source's own")
    text = before + "\n\n".join(parts)
    return Draft(record.key, "pretrain", "qa", 0, text=text, proofs=tuple(proofs), verdicts=(verdict,), shows=members)


def _flawed(record: Record, one: _Exchange, stage: StageName) -> Draft:
    """A question that cannot be asked, to be reported with the reason."""
    text = f"{one.posed.question}\n{one.posed.said}" if stage == "pretrain" else ""
    turns = (Turn("user", one.posed.question), Turn("assistant", one.posed.said))
    verdict = Verdict(1, one.posed.flaw, passed=False, score=0.0, evidence=f"question {one.posed.number}")
    return Draft(record.key, stage, "qa", 0, turns=() if text else turns, text=text, verdicts=(verdict,))


def _prompts(record: Record, view: MediaView, config: Qa, seed: int) -> Iterator[Draft]:
    part = 0
    for number in _asked(view):
        put = _posed(record, view, config, seed, number, keep=False)
        if put.gold is None:
            continue
        members, before = _before(record, view, config, [number])
        draft = Draft(
            record.key, "rlvr", "qa", part, (Turn("user", before + put.prompt),), answer=put.gold,
            proofs=(for_gold(answer_proof(view.asked[number - 1], number, view, 1)),),
            verdicts=(source_verdict(-1, "the gold is the source's own"),), shows=members,
        )  # fmt: skip
        yield finish(draft)
        part += 1


def _before(record: Record, view: MediaView, config: Qa, numbers: list[int]) -> tuple[tuple[str, ...], str]:
    """What a conversation about these questions shows, and what stands before its first one."""
    text = f"{in_places(view.text.strip())}\n\n" if _has_context(view, config) else ""
    members, head = shown(view, record.kind, [0, *numbers] if text else numbers)
    return members, head + text


def _has_context(view: MediaView, config: Qa) -> bool:
    return config.context and bool(view.text.strip(f"{PICTURE} \n"))


def _context(view: MediaView, config: Qa) -> tuple[Proof, ...]:
    return (digest_proof("text", 0, view, 0),) if _has_context(view, config) else ()
