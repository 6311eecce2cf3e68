"""The judge's veto: a model of another family reads a finished draft and may take it away, never bring one back.

It is asked last, only about drafts that passed every check, and an opinion that cannot be read is no veto. A judge is
worth asking only where its vetoes hit: have people label some two hundred drafts, and look at `agreement`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from manifests.sample import Draft
from synth import prompting
from synth.asking import Talk
from synth.judging.config import Veto
from synth.judging.questions import Finding, finding, pictures_of
from synth.tasks.subject import Subject
from synth.written import excerpt, fact_lines


class Opinion(BaseModel):
    """What a judge answers (`prompts/judge.md`). The reason stands before the verdict, so that it is given first."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=300)
    verdict: Literal["good", "bad"]


def concerns(draft: Draft, config: Veto) -> bool:
    """Whether a draft is one that the judge is asked about."""
    return (
        draft.accepted and draft.stage in config.stages and bool(draft.teacher.model or not config.written_by_teacher)
    )


def veto(subject: Subject, draft: Draft, config: Veto, seed: int) -> Talk[Finding]:
    """The verdict `veto`, failed (reason `vetoed`) where the judge calls the draft bad; score 1 is good, 0 is bad, and
    0.5, which passes, an opinion that is missing or cannot be read."""
    values = {
        "facts": fact_lines(subject.shown, config.facts) or "none",
        "source": excerpt(subject.record.text.strip(), config.source_chars) or "none",
        "sample": draft_text(draft),
    }
    prompt = prompting.load(config.prompt)
    pictures = pictures_of(subject, draft, "judge")
    (answered,) = yield (prompting.request(prompt, values, seed, pictures=pictures, role="judge"),)
    try:
        opinion = Opinion.model_validate(json.loads(answered.reply.text)) if answered.reply else None
    except (ValidationError, ValueError, RecursionError):
        opinion = None
    if opinion is None:
        why = answered.error.reason if answered.error else "not the JSON that was asked for"
        return finding("veto", "", 0.5, f"no opinion: {why}")
    bad = opinion.verdict == "bad"
    why = " ".join(opinion.reason.split()) if bad else "the judge calls it good"  # nobody checks a judge's words
    return finding("veto", "vetoed" if bad else "", 0.0 if bad else 1.0, why)


def draft_text(draft: Draft) -> str:
    """A draft as a judge reads it: its text, or its turns and the gold of a prompt."""
    lines = [f"{turn.role.capitalize()}: {turn.content}" for turn in draft.turns]
    if draft.answer is not None and not any(turn.role == "assistant" for turn in draft.turns):
        lines.append(f"Right answer: {draft.answer.gold} {draft.answer.unit}".rstrip())
    return "\n".join([draft.text, *lines] if draft.text else lines)


# ------------------------------------------------------------------------------------------------------- calibration
@dataclass(frozen=True, slots=True)
class Confusion:
    """A judge's vetoes beside what people say of the same drafts."""

    good_passed: int
    good_vetoed: int
    bad_passed: int
    bad_vetoed: int

    @property
    def count(self) -> int:
        return self.good_passed + self.good_vetoed + self.bad_passed + self.bad_vetoed

    @property
    def false_vetoes(self) -> float:
        """The share of good drafts that the judge takes away; 0 where none is good."""
        good = self.good_passed + self.good_vetoed
        return self.good_vetoed / good if good else 0.0

    @property
    def caught(self) -> float:
        """The share of bad drafts that it takes away; 0 where none is bad."""
        bad = self.bad_passed + self.bad_vetoed
        return self.bad_vetoed / bad if bad else 0.0

    @property
    def kappa(self) -> float:
        """Agreement beyond chance (Cohen 1960); 1 where both always say the same one thing, 0 of nothing."""
        if not self.count:
            return 0.0
        same = (self.good_passed + self.bad_vetoed) / self.count
        good, passed = self.good_passed + self.good_vetoed, self.good_passed + self.bad_passed
        chance = (good * passed + (self.count - good) * (self.count - passed)) / self.count**2
        return 1.0 if chance == 1 else (same - chance) / (1 - chance)


def agreement(labelled: Iterable[tuple[bool, bool]]) -> Confusion:
    """The confusion of pairs (vetoed by the judge, good by a person)."""
    pairs = list(labelled)
    return Confusion(
        good_passed=sum(1 for vetoed, good in pairs if good and not vetoed),
        good_vetoed=sum(1 for vetoed, good in pairs if good and vetoed),
        bad_passed=sum(1 for vetoed, good in pairs if not good and not vetoed),
        bad_vetoed=sum(1 for vetoed, good in pairs if not good and vetoed),
    )


def interval(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927): how far two hundred labels carry; (0, 1) of nothing."""
    if not count:
        return 0.0, 1.0
    z, p = 1.959964, hits / count
    middle, half = p + z * z / (2 * count), z * sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    return max(0.0, (middle - half) / (1 + z * z / count)), min(1.0, (middle + half) / (1 + z * z / count))
