"""Progression: what changed from the first of a record's pictures to the last, by a program over the facts of each.

As MMXU asks of two visits (LinjieMu/MMXU): closed questions with the answers that there are, gold by `changed_since`,
never by a model. A conversation (sft) with the first picture before the second, and a prompt with a verifiable reward
(rlvr). Asked of facts that name what pictures show: findings, severities, and those labels that `findings` lists (a
table's column of laboratory values is known of each visit too, and nobody sees it).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from manifests.config import Config
from manifests.errors import VerificationError
from manifests.record import Fact, Record
from manifests.sample import Answer, Draft, Turn
from synth.changes import ANSWERS, change
from synth.facts import structure_words, value_of
from synth.proofs import MediaView, call_text, prove
from synth.tasks.common import finish, for_gold, pick, shuffled
from synth.tasks.mcq import LETTERS
from synth.verify import no_leak

SEEN = ("finding", "severity", "diagnosis")


class Progression(Config):
    """`findings` are the labels (by their table's column) that pictures show."""

    task: Literal["progression"] = "progression"
    findings: tuple[str, ...] = ()
    max_questions: int = Field(default=4, ge=1, le=64)


_INTRODUCTIONS = (
    "Two pictures of one patient{days}.\nEarlier: <image>\nLater: <image>",
    "<image>\nThe picture above is the earlier one. This is the later one{days}:\n<image>",
    "Earlier examination:\n<image>\nLater examination{days}:\n<image>",
    "Here are an earlier picture <image> and a later picture <image> of one patient{days}.",
    "<image> <image>\nThe first picture is the earlier, the second the later one{days}.",
)
_QUESTIONS = (
    "How did {a} change?",
    "What happened to {a} between the two?",
    "Compare the two with regard to {a}.",
    "Which statement about {a} is right?",
    "What is the course of {a}?",
    "With respect to {a}, how does the later picture differ?",
    "How has {a} developed since the earlier picture?",
    "Looking at both pictures, what became of {a}?",
    "What can be said of the change of {a} over time?",
    "Choose the description of {a} that fits both pictures.",
)


def subjects(facts: tuple[Fact, ...], findings: tuple[str, ...]) -> list[tuple[str, str]]:
    """(fact, about) of what may have changed, in order of first appearance."""
    named = ((f.name, f.about) for f in facts if f.at and f.about)
    return [pair for pair in dict.fromkeys(named) if pair[0] in SEEN or (pair[0] == "label" and pair[1] in findings)]


def drafts(record: Record, view: MediaView, config: Progression, seed: int) -> list[Draft]:
    """Per subject a conversation and a prompt; none of a record that does not show exactly two pictures."""
    if len([m for m in view.media if m.kind == "image"]) != 2:
        return []
    out: list[Draft] = []
    wanted = subjects(view.facts, config.findings)
    for name, about in shuffled_pairs(wanted, seed, record.key):
        try:
            kind, answer = change(view.facts, name, about)
        except VerificationError:
            continue
        out += _asked(record, view, (name, about), (kind, answer), len(out) // 2, seed)
        if len(out) >= 2 * config.max_questions:
            break
    return out


def shuffled_pairs(pairs: list[tuple[str, str]], seed: int, key: str) -> list[tuple[str, str]]:
    by_name = {f"{name} {about}": (name, about) for name, about in pairs}
    return [by_name[name] for name in shuffled(list(by_name), seed, key, "progression")]


def _asked(
    record: Record, view: MediaView, subject: tuple[str, str], known: tuple[str, str], part: int, seed: int
) -> list[Draft]:
    name, about = subject
    kind, answer = known
    options = shuffled(ANSWERS[kind], seed, record.key, name, about)
    letter = LETTERS[options.index(answer)]
    days = value_of(view.facts, "interval_days")
    lead = pick(_INTRODUCTIONS, seed, record.key, "lead")
    lead = lead.format(days=f", {days} day{'' if days == '1' else 's'} apart" if days else "")
    stem = pick(_QUESTIONS, seed, record.key, name, about, "stem").format(a=f"the {structure_words(about)}")
    lines = "\n".join(f"{mark}. {option}" for mark, option in zip(LETTERS, options, strict=False))
    asked = f"{lead}\n{stem}\n{lines}"
    proof = prove(call_text("changed_since", {"fact": name, "about": about}), view, 1)
    leak = (no_leak(stem, answer, -1),)
    talk = (Turn("user", asked), Turn("assistant", f"{letter}. {answer}"))
    prompt = (Turn("user", f"{asked}\nAnswer with the letter of the right option."),)
    gold = Answer(type="mcq", gold=letter, verifier="mcq")
    return [
        finish(Draft(record.key, "sft", "progression", part, turns=talk, proofs=(proof,), verdicts=leak)),
        finish(
            Draft(
                record.key, "rlvr", "progression", part, prompt, answer=gold, proofs=(for_gold(proof),), verdicts=leak
            )
        ),
    ]
