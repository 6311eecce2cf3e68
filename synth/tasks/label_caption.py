"""label_caption: a class label becomes captions, in several wordings with only the known facts (as in UniMed-CLIP).

The teacher is told what all records of a class share (modality, body part, plane, view, side, label), so that records
of one class make one request, which the request ledger answers after the first. A label that is a code of a table
("NORM") is told as the source writes it; `words` of the recipe gives its meaning. Of the wordings that come back each
record takes `per_record`, in a seeded order of its own, up to the accepted ones; a wording that failed before is given
back too, not accepted.

Not covered: what the picture shows beyond its label; a label that is an absence ("no finding") is told like any other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from manifests.config import Config
from manifests.record import Fact, Record
from manifests.sample import Authorship, Draft, Verdict
from synth.asking import Asking
from synth.facts import structure_words, values_of
from synth.tasks.common import shuffled
from synth.tasks.subject import Subject
from synth.tasks.teaching import Limits, asked, check_statement, read_as, settled, stated, verdict
from synth.tasks.teaching import prompt_ids as ids_of
from synth.verify import normal_form
from synth.written import fact_lines

TURN = -1  # the draft's text
SHARED = ("modality", "body_part", "plane", "view_position", "laterality", "sequence")  # what a class shares
PER_REQUEST = 3


class LabelCaption(Config):
    """`requests` of three wordings each are made of a class; more than one needs a temperature, or they would all be
    the same. `words` says what labels mean, for those that are codes."""

    task: Literal["label_caption"] = "label_caption"
    share: float = Field(default=1.0, gt=0, le=1)  # of the records, chosen by their keys
    prompt: str = "label_caption"
    label: Literal["label", "diagnosis"] = "label"  # the fact that is the class
    words: dict[str, str] = Field(default_factory=dict)
    requests: int = Field(default=1, ge=1, le=16)
    temperature: float = Field(default=0.0, ge=0, le=2)
    per_record: int = Field(default=1, ge=1, le=48)
    longest: int = Field(default=200, ge=20)
    grounded: float = Field(default=0.7, ge=0, le=1)

    @model_validator(mode="after")
    def _requests_differ(self) -> LabelCaption:
        if self.requests > 1 and self.temperature == 0:
            raise ValueError("requests above 1 need a temperature above 0: at 0 every answer is the same")
        return self


class CaptionsAnswer(Config):
    captions: tuple[Annotated[str, Field(min_length=10, max_length=130)], ...] = Field(
        min_length=PER_REQUEST, max_length=PER_REQUEST
    )


def prompt_ids(config: LabelCaption) -> tuple[str, ...]:
    """The prompts that decide what this task asks; they belong into a unit's key."""
    return ids_of((config.prompt,))


def drafts(subject: Subject, config: LabelCaption, seed: int, given: Sequence[Draft] = ()) -> Asking:
    """Drafts for `pretrain`: the record's wordings up to its `per_record`-th accepted one; none for text, or without
    one label. Raises `RecipeError` for a bad prompt file."""
    record = class_of(subject.shown, config)
    if record is None:
        return []
    shown = fact_lines(record, len(SHARED) + 1)
    # Neither the record's key nor what is shown of it goes into the request, or it would be paid for again.
    one = dataclasses.replace(
        asked(subject, config.prompt, {"facts": shown}, seed, look=False), temperature=config.temperature
    )
    answers = yield tuple(dataclasses.replace(one, seed=seed + n) for n in range(config.requests))
    wordings: dict[str, tuple[tuple[Verdict, ...], Authorship]] = {}
    failed: list[Draft] = []
    for answered in answers:
        said, verdicts = read_as(answered, CaptionsAnswer, TURN)
        if said is None:
            failed.append(_draft(record, "", tuple(verdicts), answered.author))
            continue
        for text in said.captions:
            same = any(normal_form(text) == normal_form(other) for other in wordings)
            checks = [*verdicts, *_judged(text, shown, record, config), verdict("distinct", not same, text, TURN)]
            if text not in wordings:
                wordings[text] = (tuple(checks), answered.author)
    out = failed[:1]
    for text in shuffled(list(wordings), seed, subject.record.key, "label_caption"):
        draft = _draft(record, text, *wordings[text])
        proof = stated(Fact(config.label, "", ""), subject.view, TURN)
        out.append(settled(dataclasses.replace(draft, part=len(out), proofs=(proof,) if proof else ())))
        if sum(d.accepted for d in out) == config.per_record:
            break
    return out


def class_of(record: Record, config: LabelCaption) -> Record | None:
    """The record with what it shares with its class, the label in words; None for text, or without one label."""
    labels = set(values_of(record.facts, config.label))
    if record.kind == "text" or len(labels) != 1 or any(f.about for f in record.facts if f.name == config.label):
        return None
    label = labels.pop()
    words = _words(label, config.words)
    shared = tuple(f for f in record.facts if f.name in SHARED)
    return dataclasses.replace(record, facts=(*shared, Fact(config.label, words, "class")))


def _words(label: str, words: Mapping[str, str]) -> str:
    return words.get(label, structure_words(label)).strip() or label


def _judged(text: str, shown: str, record: Record, config: LabelCaption) -> list[Verdict]:
    label = values_of(record.facts, config.label)[0]
    named = f" {normal_form(label)} " in f" {normal_form(text)} "
    limits = Limits(config.grounded, config.longest)
    return [*check_statement(text, shown, record.facts, limits, TURN), verdict("names_label", named, label, TURN)]


def _draft(record: Record, text: str, verdicts: tuple[Verdict, ...], author: Authorship) -> Draft:
    return settled(Draft(record.key, "pretrain", "label_caption", 0, text=text, verdicts=verdicts, teacher=author))
