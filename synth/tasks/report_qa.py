"""report_qa: questions about media from their report, in M3D's five types and CT-CHAT's three forms.

    types   plane, phase, organ, abnormality, location           (M3D-VQA, arXiv 2404.00578)
    forms   open, choice, conversation, free                     (CT-CHAT, arXiv 2403.17834)

A program takes the answer from the report (findings and impression where it has such sections): a span of the type's
lexicon; for `free` a whole sentence. The teacher sees the sentence and the span and writes the question and the wrong
options; then it answers its own question from the report alone, without the span (round-trip consistency, Alberti et
al. 2019, doi:10.18653/v1/P19-1620), and only a question that leads back to the span is kept. The sample shows the media
and the question, not the report. Open questions and choices become drafts for `rlvr` (gold: the span, or its letter)
and `sft`; a conversation is made of the accepted open questions of a record, three or more.

Not covered: what a report leaves out (an option that stands in no report sentence may still be seen), records of text.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from manifests.config import Config
from manifests.sample import Answer, Authorship, Draft, Turn, Verdict
from synth.asking import Asking, Talk
from synth.chat import Role
from synth.lexicon import terms_in
from synth.requests import Answered
from synth.tasks.common import pick, shuffled
from synth.tasks.spans import Span, report_of, sentences, spans
from synth.tasks.subject import Subject
from synth.tasks.teaching import (
    asked,
    check_agreed,
    check_asks,
    check_options,
    check_question,
    check_self_contained,
    checker,
    lettered,
    quoted,
    read_as,
    settled,
    verdict,
)
from synth.tasks.teaching import prompt_ids as ids_of
from synth.verify import no_leak, verify_answer
from synth.written import check_led, excerpt, first_failed

Type = Literal["plane", "phase", "organ", "abnormality", "location"]
Form = Literal["open", "choice", "conversation", "free"]
TYPES: tuple[Type, ...] = ("plane", "phase", "organ", "abnormality", "location")
FORMS: tuple[Form, ...] = ("open", "choice", "conversation", "free")
LEAST_TURNS = 3  # questions of a conversation
_CLOSED_LISTS = {
    "plane": ("axial", "coronal", "sagittal", "oblique"),
    "phase": ("non-contrast", "arterial", "portal venous", "delayed"),
}
_CHOOSE = "Answer with the letter of the right option."


class ReportQa(Config):
    """`per_type` questions of each type, `free` sentences; `agree`: how much the answer given back must share with the
    gold (F1 of words). `checked_by` answers the questions back where the recipe names such a teacher."""

    task: Literal["report_qa"] = "report_qa"
    share: float = Field(default=1.0, gt=0, le=1)  # of the records, chosen by their keys
    prompt: str = "report_qa"
    free_prompt: str = "report_free"
    reread_prompt: str = "reread"
    types: tuple[Type, ...] = TYPES
    forms: tuple[Form, ...] = FORMS
    per_type: int = Field(default=1, ge=1, le=9)
    free: int = Field(default=1, ge=1, le=9)
    agree: float = Field(default=0.5, gt=0, le=1)
    checked_by: Role = "teacher"
    source_chars: int = Field(default=600, ge=40, le=20_000)  # of the report, when a question is answered back


class ReportAnswer(Config):
    question: str = Field(min_length=8, max_length=160)
    wrong: tuple[Annotated[str, Field(min_length=2, max_length=60)], ...] = Field(min_length=3, max_length=3)


class FreeAnswer(Config):
    question: str = Field(min_length=8, max_length=160)


class RereadAnswer(Config):
    answer: str = Field(min_length=1, max_length=120)


class _Asked(NamedTuple):
    """One question with its gold, and the verdicts that it has so far."""

    family: str
    gold: str
    sentence: str
    question: str
    wrong: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    author: Authorship


def prompt_ids(config: ReportQa) -> tuple[str, ...]:
    """The prompts that decide what this task asks; they belong into a unit's key."""
    return ids_of((config.prompt, config.free_prompt, config.reread_prompt))


def drafts(subject: Subject, config: ReportQa, seed: int, given: Sequence[Draft] = ()) -> Asking:
    """Drafts for `sft` and `rlvr`; none for text, or where a report holds no span of the wanted types. Questions that
    failed a check before they were answered back are not answered back. Raises `RecipeError` for a bad prompt file."""
    report = report_of(subject.shown)
    picked = _picked(report, subject, config, seed)
    whole = _whole(report, subject, config, seed) if "free" in config.forms else []
    if not picked and not whole:
        return []
    requests = [asked(subject, config.prompt, {"sentence": s, "answer": gold}, seed) for _, gold, s in picked]
    requests += [asked(subject, config.free_prompt, {"sentence": sentence}, seed) for _, _, sentence in whole]
    answers = yield tuple(requests)
    all_asked = [_read(*one, answered, subject) for one, answered in zip([*picked, *whole], answers, strict=True)]
    checked = yield from answered_back(subject, all_asked, report, config, seed)
    out: list[Draft] = []
    for one in checked:
        out += _drafts_of(one, report, subject, config, seed)
    if "conversation" in config.forms:
        out += _conversation(out, subject)
    return list(_numbered(out))


def _picked(report: str, subject: Subject, config: ReportQa, seed: int) -> list[tuple[str, str, str]]:
    """(type, span, sentence), at most `per_type` of each, by seeded hash."""
    found: list[tuple[str, str, str]] = []
    for family in config.types:
        some = {span.text: span for span in spans(report, (family,)) if quoted(span.text, subject.view, 1)}
        chosen = shuffled(list(some), seed, subject.record.key, family)[: config.per_type]
        found += [(family, text, _sentence(report, some[text])) for text in chosen]
    return found


def _sentence(report: str, span: Span) -> str:
    return report[span.sentence[0] : span.sentence[1]]


def _whole(report: str, subject: Subject, config: ReportQa, seed: int) -> list[tuple[str, str, str]]:
    """("free", sentence, sentence) of sentences that name an organ or a finding."""
    found = [report[a:b] for a, b in sentences(report) if b - a <= 300]
    found = [s for s in found if terms_in(s, "anatomy") or terms_in(s, "findings")]
    found = [s for s in found if quoted(s, subject.view, 1)]
    return [("free", s, s) for s in shuffled(found, seed, subject.record.key, "free")[: config.free]]


def _read(family: str, gold: str, sentence: str, answered: Answered, subject: Subject) -> _Asked:
    """A question as the teacher wrote it, with the verdicts of its own checks (turn 0)."""
    wrong: tuple[str, ...] = ()
    if family == "free":
        free, verdicts = read_as(answered, FreeAnswer, 0)
        question = free.question if free else ""
    else:
        said, verdicts = read_as(answered, ReportAnswer, 0)
        question, wrong = (said.question, said.wrong) if said else ("", ())
    if not question:
        return _Asked(family, gold, sentence, "", (), tuple(verdicts), answered.author)
    verdicts += check_question(question, [gold], sentence, subject.shown.facts)
    verdicts += [check_self_contained(question, 0), check_led(gold, report_of(subject.shown), 1)]
    verdicts += [] if family == "free" else [check_asks(question, family)]
    return _Asked(family, gold, sentence, question, wrong, tuple(verdicts), answered.author)


def answered_back(
    subject: Subject, all_asked: Sequence[_Asked], report: str, config: ReportQa, seed: int
) -> Talk[list[_Asked]]:
    """The questions with the verdict `round_trip` where they had passed so far."""
    sound = [one for one in all_asked if not first_failed(one.verdicts)]
    if not sound:
        return list(all_asked)
    role = checker(subject, config.checked_by)
    requests = []
    for one in sound:
        text = report if len(report) <= config.source_chars else one.sentence
        values = {"text": excerpt(text, config.source_chars), "question": one.question}
        requests.append(asked(subject, config.reread_prompt, values, seed, role, look=False))
    answers = yield tuple(requests)
    back = dict(zip((id(one) for one in sound), answers, strict=True))
    return [_agreed(one, back[id(one)], config) if id(one) in back else one for one in all_asked]


def _agreed(one: _Asked, answered: Answered, config: ReportQa) -> _Asked:
    said, verdicts = read_as(answered, RereadAnswer, 1)
    if said is not None:
        verdicts.append(check_agreed(said.answer, one.gold, config.agree, 1))
    return one._replace(verdicts=(*one.verdicts, *verdicts))


def _drafts_of(one: _Asked, report: str, subject: Subject, config: ReportQa, seed: int) -> Iterator[Draft]:
    proof = quoted(one.gold, subject.view, 1)
    proofs = (proof,) if proof is not None else ()
    base = Draft(subject.record.key, "sft", "report_qa", 0, verdicts=one.verdicts, teacher=one.author, proofs=proofs)
    user = Turn("user", one.question)
    if first_failed(one.verdicts):  # once, not in every form
        turns = (user, Turn("assistant", one.gold)) if one.question else ()
        yield settled(dataclasses.replace(base, turns=turns, proofs=proofs if turns else ()))
        return
    if one.family == "free" or "open" in config.forms or "conversation" in config.forms:
        yield settled(dataclasses.replace(base, turns=(user, Turn("assistant", one.gold))))
    if one.family == "free":
        return
    if "open" in config.forms:
        gold = Answer("label", one.gold, "label")
        yield _for_reward(base, one.question, gold, f"<answer>{one.gold}</answer>")
    if "choice" in config.forms:
        yield from _choice(one, base, report, config, seed)


def _for_reward(base: Draft, prompt: str, gold: Answer, response: str) -> Draft:
    """The draft for `rlvr`, with the verdict that its verifier takes the right response."""
    right = dataclasses.replace(verify_answer(response, gold), turn=-1)
    proofs = tuple(dataclasses.replace(p, turn=-1) for p in base.proofs)
    verdicts = (*(dataclasses.replace(v, turn=min(v.turn, 0)) for v in base.verdicts), right)
    return settled(
        dataclasses.replace(base, stage="rlvr", turns=(Turn("user", prompt),), answer=gold, proofs=proofs,
                            verdicts=verdicts)
    )  # fmt: skip


def _choice(one: _Asked, base: Draft, report: str, config: ReportQa, seed: int) -> Iterator[Draft]:
    """The multiple choice for `sft` and `rlvr`; planes and phases take their wrong options from a closed list."""
    parts = (base.key, "report_qa", one.family, one.gold)
    wrong = one.wrong
    if one.family in _CLOSED_LISTS:
        said = {t.name for t in terms_in(report, "planes")} | {s.text.lower() for s in spans(report, ("phase",))}
        wrong = tuple(shuffled([o for o in _CLOSED_LISTS[one.family] if o not in said], seed, *parts)[:3])
    lines, right = lettered(one.gold, wrong, seed, *parts)
    checks = [*check_options(one.gold, wrong, report, 0), no_leak(one.question, one.gold, 0), _same_kind(one, wrong)]
    base = dataclasses.replace(base, verdicts=(*base.verdicts, *checks))
    asked_ = f"{one.question}\n{lines}"
    talk = (Turn("user", asked_), Turn("assistant", right))
    yield settled(dataclasses.replace(base, turns=talk))
    yield _for_reward(base, f"{asked_}\n{_CHOOSE}", Answer("mcq", right[0], "mcq"), f"<answer>{right[0]}</answer>")


def _same_kind(one: _Asked, wrong: Sequence[str]) -> Verdict:
    """Whether each wrong option is of the gold's kind: an organ beside an organ, a finding beside a finding."""
    lexicons = {"organ": "anatomy", "location": "anatomy", "abnormality": "findings"}
    lexicon = lexicons.get(one.family)
    other = next((w for w in wrong if lexicon and not terms_in(w, lexicon)), "")
    return verdict("same_kind", not other, other, 0)


def _conversation(made: Sequence[Draft], subject: Subject) -> list[Draft]:
    """The accepted open questions and sentences of a record as one conversation, none of whose questions holds an
    answer that is still to come; none where there are fewer than three."""
    talks = [
        d for d in made if d.stage == "sft" and d.accepted and len(d.turns) == 2 and "\n" not in d.turns[0].content
    ]
    kept: list[Draft] = []
    for draft in talks:
        leaks = any(not no_leak(before.turns[0].content, draft.turns[1].content, 0).passed for before in kept)
        if not leaks and draft.turns[0].content not in {d.turns[0].content for d in kept}:
            kept.append(draft)
    if len(kept) < LEAST_TURNS:
        return []
    opening = pick(("", "Please look at the {kind}. "), 0, subject.record.key).format(kind=subject.record.kind)
    turns = tuple(turn for d in kept for turn in d.turns)
    turns = (Turn("user", opening + turns[0].content), *turns[1:])
    moved = [dataclasses.replace(one, turn=one.turn + 2 * n) for n, d in enumerate(kept) for one in d.verdicts]
    moved.append(verdict("no_leak", True, "no question holds a later answer", 0))
    proofs = tuple(dataclasses.replace(p, turn=p.turn + 2 * n) for n, d in enumerate(kept) for p in d.proofs)
    talk = Draft(subject.record.key, "sft", "report_qa", 0, turns=turns, proofs=proofs, teacher=kept[0].teacher)
    return [dataclasses.replace(talk, verdicts=tuple(moved))]


def _numbered(made: Sequence[Draft]) -> Iterator[Draft]:
    counts: dict[str, int] = {}
    for draft in made:
        yield dataclasses.replace(draft, part=counts.get(draft.stage, 0))
        counts[draft.stage] = counts.get(draft.stage, 0) + 1
