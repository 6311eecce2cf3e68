"""The source's own questions and answers: conversations, and a prompt with a verifiable reward for each short answer.

Short is yes or no, one letter of options, one number with or without a unit, or a label of at most `max_label_words`
words (`synth.tasks.posing`, which also letters the options and places the pictures). Each answer is proven to be the
source's to that question: `span` where it is short, else `digest`; the question's words by `digest`. A source's
explanation becomes the reasoning of a conversation, `<think>why</think><answer>answer</answer>`; where it names options
by their letters, they keep the source's order there.

Questions that are a dialogue are left to `dialogue`. One whose answer is none of its options, or that lists one twice,
is rejected by that name. Not covered: whether the source is right.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from manifests.config import Config
from manifests.record import PICTURE, Record
from manifests.sample import Draft, Proof, Turn, Verdict
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
    questions; else each is one of its own. `reasons`: the source's explanations are told."""

    task: Literal["qa"] = "qa"
    context: bool = False
    max_label_words: int = Field(default=4, ge=1, le=20)
    tolerance: float = Field(default=0.01, ge=0, lt=1)
    together: bool = False
    max_turns: int = Field(default=8, ge=1, le=4096)
    reasons: bool = True


class _Exchange(NamedTuple):
    """A question as it is put, with the words of its answer and their proofs (of turn 1)."""

    posed: Posed
    said: str
    proofs: tuple[Proof, ...]


def drafts(record: Record, view: MediaView, config: Qa, seed: int) -> list[Draft]:
    """Conversations (sft) and, for each short answer, a prompt (rlvr); none where nothing is asked and answered."""
    if record.dialogue:
        return []
    said = _exchanges(record, view, config, seed)
    size = config.max_turns if config.together else 1
    good = [one for one in said if not one.posed.flaw]
    runs = [good[at : at + size] for at in range(0, len(good), size)]
    talks = [_talk(record, view, config, run) for run in runs]
    talks += [_flawed(record, one) for one in said if one.posed.flaw]
    numbered = [finish(dataclasses.replace(draft, part=part)) for part, draft in enumerate(talks)]
    return [*numbered, *_prompts(record, view, config, seed)]


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
        said = put.said
        if why:
            said = f"<think>{why}</think><answer>{said}</answer>"
            proofs = (*proofs, digest_proof("why", number, view, 1))
        found.append(_Exchange(put, said, proofs))
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
        fields = ("question", "options") if one.posed.lettered else ("question",)
        proofs += [*told, *(digest_proof(field, one.posed.number, view, at) for field in fields)]
        proofs += [Proof(at + 1, p.call, p.value, p.unit) for p in one.proofs]
        verdicts.append(source_verdict(at + 1, "the answer is the source's own"))
    return Draft(
        record.key, "sft", "qa", 0, turns=tuple(turns), proofs=tuple(proofs), verdicts=tuple(verdicts), shows=members
    )


def _flawed(record: Record, one: _Exchange) -> Draft:
    """A question that cannot be asked, to be reported with the reason."""
    turns = (Turn("user", one.posed.question), Turn("assistant", one.posed.said))
    verdict = Verdict(1, one.posed.flaw, passed=False, score=0.0, evidence=f"question {one.posed.number}")
    return Draft(record.key, "sft", "qa", 0, turns=turns, verdicts=(verdict,))


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
