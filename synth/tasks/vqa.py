"""vqa: open and closed questions about one picture, in the types of SLAKE and VQA-RAD; answers come from facts only.

    modality, plane, organ     the facts of that name
    abnormality                labels, diagnoses, findings; of captions the findings that they state for sure
    position                   the side; of captions a side with its organ
    attribute                  of captions and findings a visual sign (`synth.tasks.spans.CUES`) of a finding

A program makes each answer: the fact's words for an open question, yes or no for a closed one. "No" is the gold only
where a fact denies it, or where a fact that has one value (modality, plane, side) has another one. The teacher writes
the question; it must ask for its type (`asks_for`), name what a closed question is about (`names_it`), take nothing for
granted, and lead the teacher back to the answer from the facts alone (`round_trip`). Each question becomes a
conversation for `sft` and a prompt for `rlvr`.

Not covered: what several facts answer in different ways (two modalities): that is not asked.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

from pydantic import Field

from manifests.config import Config
from manifests.record import Fact, Record
from manifests.sample import Answer, Draft, Proof, Turn, Verdict
from manifests.vocabulary import canonical
from synth.asking import Asking, Talk
from synth.chat import Role
from synth.claims import read
from synth.facts import body_part_words, modality_codes, structure_words, values_of, words_for
from synth.lexicon import MODALITY, modalities_in, terms_in, wholes_of
from synth.proofs import MediaView
from synth.requests import Answered
from synth.tasks.common import seeded, shuffled
from synth.tasks.spans import affirmed, cues_in, report_of, sentences, spans
from synth.tasks.subject import Subject
from synth.tasks.teaching import (
    asked,
    check_agreed,
    check_asks,
    check_question,
    check_self_contained,
    checker,
    quoted,
    read_as,
    settled,
    stated,
    verdict,
)
from synth.tasks.teaching import prompt_ids as ids_of
from synth.verify import normal_form, verify_answer
from synth.written import check_led, first_failed

Type = Literal["modality", "plane", "organ", "abnormality", "position", "attribute"]
TYPES: tuple[Type, ...] = ("modality", "plane", "organ", "abnormality", "position", "attribute")
_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "modality": "Modality", "plane": "Plane", "organ": "Body part", "abnormality": "Finding",
        "position": "Side", "attribute": "Sign",
    }
)  # fmt: skip
_OTHERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "modality": ("CT", "MR", "US", "DX", "ES", "SM", "OP", "DMS"),
        "plane": ("axial", "coronal", "sagittal"),
        "position": ("left", "right"),
    }
)
_SINGLE: tuple[tuple[Type, str], ...] = (
    ("modality", "modality"), ("plane", "plane"), ("organ", "body_part"), ("position", "laterality")
)  # fmt: skip
# What is in no picture of the region: its neighbours may be at its edge.
_FAR: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "head": ("knee", "abdomen", "hand"),
        "chest": ("knee", "brain", "hand"),
        "abdomen": ("knee", "brain", "hand"),
        "pelvis": ("brain", "hand", "foot"),
        "knee": ("brain", "abdomen", "hand"),
        "hand": ("brain", "abdomen", "knee"),
        "foot": ("brain", "abdomen", "hand"),
    }
)
_YES_NO = "yes or no"
_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
_YES = frozenset({"yes", "present", "positive", "true", "1"})
_NO = frozenset({"no", "absent", "negative", "false", "0", "not present"})
# One family of X-ray techniques, so that "is this an X-ray?" is not answered with no beside a radiograph.
_XRAY = frozenset({"CR", "DX", "MG", "XA", "RF", "CT"})


class Vqa(Config):
    """`open` and `closed` say which forms are asked, `per_type` how many of each form and type. `labels`: all class
    names that the source uses, where a record has exactly one of them; closed questions then ask for others too."""

    task: Literal["vqa"] = "vqa"
    share: float = Field(default=1.0, gt=0, le=1)  # of the records, chosen by their keys
    prompt: str = "vqa"
    reread_prompt: str = "reread"
    types: tuple[Type, ...] = TYPES
    open: bool = True
    closed: bool = True
    per_type: int = Field(default=1, ge=1, le=8)
    labels: tuple[str, ...] = ()
    agree: float = Field(default=0.5, gt=0, le=1)  # least F1 of the words of an answer given back
    checked_by: Role = "teacher"


class QuestionAnswer(Config):
    question: str = Field(min_length=8, max_length=160)


class BackAnswer(Config):
    answer: str = Field(min_length=1, max_length=120)


class Asked(NamedTuple):
    """One answer that a question is wanted for: `line` is the fact as it is told, `about` what a closed question must
    name ("" for an open one)."""

    type: Type
    line: str
    gold: Answer
    about: str
    proof: Proof


def prompt_ids(config: Vqa) -> tuple[str, ...]:
    """The prompts that decide what this task asks; they belong into a unit's key."""
    return ids_of((config.prompt, config.reread_prompt))


def drafts(subject: Subject, config: Vqa, seed: int, given: Sequence[Draft] = ()) -> Asking:
    """Drafts for `sft` and `rlvr`, two for each question; none for text, or where no fact answers anything. Questions
    that failed a check before they were answered back are not answered back. Raises `RecipeError` for a bad prompt."""
    wanted = picked(subject, config, seed)
    if not wanted:
        return []
    requests = []
    for one in wanted:
        fact = f"Is it: {one.about}" if one.about else one.line
        values = {"fact": fact, "answer": _YES_NO if one.about else one.gold.gold.split("|")[0]}
        requests.append(asked(subject, config.prompt, values, seed))
    answers = yield tuple(requests)
    read_ = [_read(one, answered, subject) for one, answered in zip(wanted, answers, strict=True)]
    backs = yield from _answered_back(wanted, read_, subject, config, seed)
    out: list[Draft] = []
    for one, (question, verdicts), back, answered in zip(wanted, read_, backs, answers, strict=True):
        base = Draft(subject.record.key, "sft", "vqa", len(out) // 2, teacher=answered.author)
        out += _drafts_of(one, question, (*verdicts, *back), base)
    return out


def _read(one: Asked, answered: Answered, subject: Subject) -> tuple[str, list[Verdict]]:
    said, verdicts = read_as(answered, QuestionAnswer, 0)
    if said is None:
        return "", verdicts
    question = said.question
    if one.about:
        # What is asked about may be false: the question may name it, and nothing else that the facts do not say.
        known = (*subject.shown.facts, Fact("label", one.about, "asked"))
        verdicts += check_question(question, (), one.line, known)
        named = _named(one, question)
        form = re.match(r"(?:is|are|was|were|does|do|did|has|have|can|could)\b", question, re.IGNORECASE) is not None
        verdicts += [
            verdict("names_it", named, one.about, 0),
            verdict("asks_for", form, "begins like a yes/no question", 0),
        ]
    else:
        golds = one.gold.gold.split("|")
        verdicts += check_question(question, golds, one.line, subject.shown.facts)
        verdicts.append(check_asks(question, "location" if one.type == "position" else one.type))
    source = report_of(subject.shown) or one.line
    led = check_led(one.about or one.gold.gold.split("|")[0], source, 0)
    return question, [*verdicts, check_self_contained(question, 0), led]


def _named(one: Asked, question: str) -> bool:
    """Whether a closed question names what it is about, and no second finding or modality."""
    if f" {normal_form(one.about)} " not in f" {normal_form(question)} ":
        meant = {c for _, codes in modalities_in(one.about) for c in codes}
        return bool(meant) and any(meant & codes for _, codes in modalities_in(question))
    own = {t.name for t in terms_in(one.about, "findings")}
    return {t.name for t in terms_in(question, "findings")} <= own


def _answered_back(
    wanted: Sequence[Asked], read_: Sequence[tuple[str, list[Verdict]]], subject: Subject, config: Vqa, seed: int
) -> Talk[list[list[Verdict]]]:
    """Per question the verdicts of answering it from the fact alone; none where it failed before."""
    sound = [n for n, (question, verdicts) in enumerate(read_) if question and not first_failed(verdicts)]
    role = checker(subject, config.checked_by)
    requests = []
    for n in sound:
        values = {"text": wanted[n].line, "question": read_[n][0]}
        requests.append(asked(subject, config.reread_prompt, values, seed, role, look=False))
    answers = (yield tuple(requests)) if requests else ()
    out: list[list[Verdict]] = [[] for _ in wanted]
    for n, answered in zip(sound, answers, strict=True):
        said, out[n] = read_as(answered, BackAnswer, 1)
        if said is not None:
            out[n].append(_agreed(said.answer, wanted[n], config))
    return out


def _agreed(said: str, one: Asked, config: Vqa) -> Verdict:
    if one.gold.verifier == "yes_no":
        right = verify_answer(said, one.gold)
        return dataclasses.replace(right, check="round_trip", turn=1)
    found = [check_agreed(said, gold, config.agree, 1) for gold in one.gold.gold.split("|")]
    return max(found, key=lambda v: v.score)


def _drafts_of(one: Asked, question: str, verdicts: Sequence[Verdict], base: Draft) -> Iterator[Draft]:
    said = one.gold.gold.split("|")[0]
    user = Turn("user", question)
    right = dataclasses.replace(verify_answer(f"<answer>{said}</answer>", one.gold), turn=-1)
    talk = (user, Turn("assistant", said[:1].upper() + said[1:] + ".")) if question else ()
    proofs = (one.proof,) if question else ()
    yield settled(dataclasses.replace(base, turns=talk, verdicts=tuple(verdicts), proofs=proofs))
    if first_failed(verdicts):  # once, not for every stage
        return
    asked_ = f"{question} Answer yes or no." if one.about else question
    judged = (*(dataclasses.replace(v, turn=min(v.turn, 0)) for v in verdicts), right)
    proofs = (dataclasses.replace(one.proof, turn=-1),)
    yield settled(
        dataclasses.replace(
            base, stage="rlvr", turns=(Turn("user", asked_),), answer=one.gold, verdicts=judged, proofs=proofs
        )
    )


# ------------------------------------------------------------------------------------------------------------- answers
def picked(subject: Subject, config: Vqa, seed: int) -> list[Asked]:
    """The answers that questions are wanted for: per type and form at most `per_type`, by seeded hash."""
    record = subject.shown
    if record.kind == "text":
        return []
    every = [*_single(record, subject.view, seed), *_findings(record, subject.view, config.labels, seed)]
    every += _captioned(record, subject.view)
    out: list[Asked] = []
    for kind in config.types:
        for is_open in (True, False):
            if (is_open and not config.open) or (not is_open and not config.closed):
                continue
            some = {f"{one.line} {one.about}": one for one in every if one.type == kind and (not one.about) is is_open}
            chosen = shuffled(list(some), seed, record.key, kind, str(is_open))[: config.per_type]
            out += [some[key] for key in chosen]
    return out


def _one(record: Record, names: Sequence[str]) -> Fact | None:
    """The only fact of these names, where all of them agree."""
    facts = [f for f in record.facts if f.name in names and not f.about]
    return facts[0] if len({f.value for f in facts}) == 1 else None


def _single(record: Record, view: MediaView, seed: int) -> Iterator[Asked]:
    """Modality, plane, organ and side, where each has one value: an open question, and a closed one on a true or a
    false value by seeded hash."""
    for kind, name in _SINGLE:
        fact = _one(record, (name,))
        proof = stated(fact, view, 1) if fact is not None else None
        if fact is None or proof is None:
            continue
        value = _words(kind, fact.value)
        if not value:
            continue
        line = f"{_TITLES[kind]}: {value}"
        yield Asked(kind, line, Answer("label", _gold(kind, fact.value), "label"), "", proof)
        other = _other(kind, fact.value, record.key, seed)
        if other:  # or the answer would always be yes
            truth = seeded(seed, record.key, kind, "truth") % 2 == 0
            gold = Answer("yes_no", "yes" if truth else "no", "yes_no")
            yield Asked(kind, line, gold, value if truth else other, proof)


def _words(kind: str, value: str) -> str:
    if kind == "modality":
        codes = modality_codes(value)
        return "" if not codes or codes == {"OT"} else words_for(value)
    if kind == "position":
        return _SIDES.get(value.strip().lower(), "")
    return body_part_words(value) if kind == "organ" else value.strip().lower()


def _gold(kind: str, value: str) -> str:
    """The gold of an open question, synonyms joined by `|`."""
    own = _words(kind, value)
    forms = (
        [own, *(form for code in sorted(modality_codes(value)) for form in MODALITY[code])]
        if kind == "modality"
        else [own]
    )
    return "|".join(dict.fromkeys(forms))


def _other(kind: str, value: str, key: str, seed: int) -> str:
    """A value that is false where this one is true; "" where there is no closed list of them."""
    if kind == "modality":
        own = modality_codes(value)
        own = own | _XRAY if own & _XRAY else own
        codes = [code for code in _OTHERS[kind] if code not in own]
        return words_for(shuffled(codes, seed, key, kind)[0])
    if kind == "organ":
        named = {t.name for t in terms_in(body_part_words(value), "anatomy")}
        wholes = named | {whole for name in named for whole in wholes_of(name)}
        far = [others for region, others in _FAR.items() if region in wholes]
        return shuffled(far[0], seed, key, kind)[0] if len(far) == 1 else ""
    others = [o for o in _OTHERS.get(kind, ()) if o != _words(kind, value)]
    return shuffled(others, seed, key, kind)[0] if others and _words(kind, value) in _OTHERS[kind] else ""


def _findings(record: Record, view: MediaView, labels: Sequence[str], seed: int) -> Iterator[Asked]:
    """Labels, diagnoses and findings of the source."""
    shown = values_of(record.facts, "modality"), values_of(record.facts, "body_part")
    labels = [canonical("label", name, *shown) for name in labels]  # in the words of the facts
    for fact in record.facts:
        proof = stated(fact, view, 1) if fact.name in ("label", "diagnosis", "finding") else None
        if proof is None:
            continue
        state = fact.value.strip().lower()
        about = structure_words(fact.about)
        if about and state in _YES | _NO:
            gold = "yes" if state in _YES else "no"
            yield Asked("abnormality", f"{about}: {gold}", Answer("yes_no", gold, "yes_no"), about, proof)
        elif not about and "|" not in fact.value and len(fact.value.split()) <= 6:
            words = structure_words(fact.value.strip())
            line = f"Finding: {words}"
            if len(set(values_of(record.facts, fact.name))) == 1:
                yield Asked("abnormality", line, Answer("label", words, "label"), "", proof)
                others = _other_labels(words, labels) if fact.name == "label" else []
                if others and seeded(seed, record.key, "label", "truth") % 2:
                    other = shuffled(others, seed, record.key, "label")[0]
                    yield Asked("abnormality", line, Answer("yes_no", "no", "yes_no"), other, proof)
                    continue
            yield Asked("abnormality", line, Answer("yes_no", "yes", "yes_no"), words, proof)


def _other_labels(words: str, labels: Sequence[str]) -> list[str]:
    """The other classes of a source, where it is known that this is one of them."""
    names = [structure_words(name) for name in labels]
    known = normal_form(words) in {normal_form(name) for name in names}
    return [name for name in names if known and normal_form(name) != normal_form(words)]


def _captioned(record: Record, view: MediaView) -> Iterator[Asked]:
    """What captions and reports say: findings stated for sure, or denied; sides with organs; signs of a finding."""
    caption = report_of(record)
    places = [(a, b) for a, b in sentences(caption) if b - a <= 300]
    seen = {name for a, b in sentences(caption) for name in affirmed(caption[a:b])}
    absent = {name for scope in read(caption).denied for name in scope.findings}
    for start, end in places:
        sentence = caption[start:end]
        proof = quoted(sentence, view, 1)
        if proof is None:
            continue
        for span in spans(sentence, ("abnormality", "location", "attribute")):
            gold = Answer("label", span.text, "label")
            if span.family == "location":
                yield Asked("position", sentence, gold, "", proof)
            elif span.family == "attribute":
                if len(affirmed(sentence)) == 1 and len(cues_in(sentence)) == 1:
                    yield Asked("attribute", sentence, gold, "", proof)
            elif not absent & {t.name for t in terms_in(span.text, "findings")}:
                yield Asked("abnormality", sentence, gold, "", proof)
                yield Asked("abnormality", sentence, Answer("yes_no", "yes", "yes_no"), span.text.lower(), proof)
        for scope in read(sentence).denied:
            for name in sorted(scope.findings - {"finding"} - seen):
                yield Asked("abnormality", sentence, Answer("yes_no", "no", "yes_no"), name, proof)
