"""abnormality: which finding, where, by which visual signs, in a chain that maps each step to one fact (SilVar-Med).

A program lines up what is known of one finding: how the picture was made, its visual signs, its place, and the finding
last. Signs and places come from facts of the finding, or from the sentence of a caption or report that states it; a
finding is taken apart into signs only as far as the source does so: there is no table of what findings look like. The
teacher says each line in one sentence; step n may say what line n says and nothing else (`mapped`), so that the chain
cannot argue from what nobody saw. The answer is the finding. Stage `sft`, in the layout of `cot`.

Not covered: findings without a sign or a place in the source; why a sign speaks for a finding; several findings in one
sentence, whose signs cannot be told apart.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from manifests.config import Config
from manifests.record import Fact, Record
from manifests.sample import Answer, Draft, Proof, Turn, Verdict
from synth.asking import Asking
from synth.claims import read
from synth.facts import body_part_words, modality_codes, structure_words, values_of, words_for
from synth.lexicon import terms_in
from synth.proofs import MediaView
from synth.tasks.common import pick
from synth.tasks.spans import Family, affirmed, cues_in, report_of, sentences, spans
from synth.tasks.subject import Subject
from synth.tasks.teaching import (
    Limits,
    asked,
    check_statement,
    narrowed,
    quoted,
    read_as,
    settled,
    stated,
    verdict,
)
from synth.tasks.teaching import prompt_ids as ids_of
from synth.verify import no_leak, verify_answer
from synth.written import check_led, first_failed

TURN = 1  # the assistant's
QUESTIONS = (
    "Which abnormality does this {kind} show, and by which signs?",
    "What is abnormal in this {kind}, where is it, and what does it look like?",
    "Name the finding of this {kind} and the visual signs that speak for it.",
    "Reason step by step to the abnormality that this {kind} shows.",
    "Which finding is seen here? Go from how it looks and where it lies to what it is.",
    "Describe where the abnormal region of this {kind} lies and how it looks, then name it.",
)
_NORMAL = re.compile(r"\b(?:no|not|none|normal|healthy|negative|unremarkable|other|unknown)\b", re.IGNORECASE)
_YES = frozenset({"yes", "present", "positive", "true", "1"})
_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right", "b": "bilateral", "bilateral": "bilateral"}


class Abnormality(Config):
    """`findings` of one record are reasoned to; `signs`: a visual sign must be known, else a place will do."""

    task: Literal["abnormality"] = "abnormality"
    share: float = Field(default=1.0, gt=0, le=1)  # of the records, chosen by their keys
    prompt: str = "abnormality"
    findings: int = Field(default=1, ge=1, le=8)
    signs: bool = False
    longest: int = Field(default=200, ge=20)  # characters of a step
    grounded: float = Field(default=0.5, ge=0, le=1)  # of a step's content words in its own line


class StepsAnswer(Config):
    steps: tuple[Annotated[str, Field(min_length=5, max_length=200)], ...] = Field(min_length=2, max_length=6)


class Line(NamedTuple):
    """One fact as it is told: `title` is Picture, Sign, Place or Finding."""

    title: str
    words: str
    proof: Proof


def prompt_ids(config: Abnormality) -> tuple[str, ...]:
    """The prompts that decide what this task asks; they belong into a unit's key."""
    return ids_of((config.prompt,))


def drafts(subject: Subject, config: Abnormality, seed: int, given: Sequence[Draft] = ()) -> Asking:
    """One draft for `sft` for each finding; none for text, or where no finding has a sign or place. Raises
    `RecipeError` for a bad prompt file."""
    record = subject.shown
    found = list(chains(record, subject.view, config))[: config.findings] if record.kind != "text" else []
    if not found:
        return []
    requests = []
    for lines in found:
        told = "\n".join(f"{n}. {line.title}: {line.words}" for n, line in enumerate(lines, 1))
        requests.append(narrowed(asked(subject, config.prompt, {"facts": told}, seed), items=len(lines)))
    answers = yield tuple(requests)
    out: list[Draft] = []
    for lines, answered in zip(found, answers, strict=True):
        said, verdicts = read_as(answered, StepsAnswer, TURN)
        question = pick(QUESTIONS, seed, record.key, lines[-1].words).format(kind=record.kind)
        gold = Answer("label", lines[-1].words, "label")
        draft = Draft(
            record.key, "sft", "abnormality", len(out), turns=(Turn("user", question),), answer=gold,
            verdicts=tuple(verdicts), teacher=answered.author,
        )  # fmt: skip
        if said is not None:
            response = f"<think>{' '.join(said.steps)}</think><answer>{gold.gold}</answer>"
            verdicts += [*_judged(said.steps, lines, config), no_leak(question, gold.gold, 0)]
            verdicts.append(check_led(gold.gold, report_of(record), TURN))
            verdicts.append(dataclasses.replace(verify_answer(response, gold), turn=TURN))
            proofs = tuple(dict.fromkeys(line.proof for line in lines))
            turns = (*draft.turns, Turn("assistant", response))
            draft = dataclasses.replace(draft, turns=turns, verdicts=tuple(verdicts), proofs=proofs)
        out.append(settled(draft))
    return out


def _judged(steps: Sequence[str], lines: Sequence[Line], config: Abnormality) -> list[Verdict]:
    """The verdicts of each step against its own line; where the steps are not as many as the lines, `mapped` alone."""
    if len(steps) != len(lines):
        return [verdict("mapped", False, f"{len(steps)} steps for {len(lines)} facts", TURN)]
    out: list[Verdict] = []
    limits = Limits(config.grounded, config.longest)
    for n, (step, line) in enumerate(zip(steps, lines, strict=True), 1):
        shown = f"{line.title}: {line.words}"
        checks = check_statement(step, shown, (), limits, TURN)
        out += [dataclasses.replace(v, evidence=f"step {n}: {v.evidence}"[:200]) for v in checks]
        failed = first_failed(checks) or ("" if _holds(step, line) else "it does not say it")
        out.append(verdict("mapped", not failed, f"step {n} to {line.proof.call[:120]}: {failed or line.words}", TURN))
    return out


def _holds(step: str, line: Line) -> bool:
    """Whether a step says what its line says: the finding, organ or sign of it."""
    flat = " ".join(step.lower().replace("-", " ").split())
    if line.words.lower().replace("-", " ") in flat:
        return True
    if line.title == "Picture":
        return bool(modality_codes(line.words) & modality_codes(step))
    for lexicon in ("anatomy", "findings"):
        wanted = {t.name for t in terms_in(line.words, lexicon)}
        if wanted:
            return wanted <= {t.name for t in terms_in(step, lexicon)}
    return False


# ------------------------------------------------------------------------------------------------------------ the facts
def chains(record: Record, view: MediaView, config: Abnormality) -> Iterator[tuple[Line, ...]]:
    """The lines of each finding that has a sign or a place, the finding last."""
    picture = _picture(record, view)
    for finding, signs, places in [*_by_facts(record, view), *_by_caption(record, view)]:
        if signs or (places and not config.signs):
            yield (*picture, *signs[:2], *places[:1], finding)


def _picture(record: Record, view: MediaView) -> tuple[Line, ...]:
    values = set(values_of(record.facts, "modality"))
    proof = stated(Fact("modality", "", ""), view, TURN) if len(values) == 1 else None
    words = words_for(values.pop()) if proof is not None else ""
    return (Line("Picture", words, proof),) if proof is not None and modality_codes(words) else ()


_Parts = tuple[Line, list[Line], list[Line]]


def _by_facts(record: Record, view: MediaView) -> Iterator[_Parts]:
    """The only label, diagnosis or present finding of a record, with the signs and the place that its facts state."""
    named = [f for f in record.facts if f.name in ("label", "diagnosis") and not f.about and len(f.value.split()) <= 6]
    named += [f for f in record.facts if f.name == "finding" and f.about and f.value.strip().lower() in _YES]
    words = {structure_words(f.about or f.value) for f in named}
    if len(words) != 1 or "|" in (finding := words.pop()) or _NORMAL.search(finding):
        return
    proof = stated(named[0], view, TURN)
    if proof is None:
        return
    signs = []
    for fact in record.facts:
        if fact.name in ("finding", "severity", "measurement") and fact.value.strip().lower() not in _YES:
            by = stated(fact, view, TURN) if cues_in(fact.value) else None
            signs += [Line("Sign", fact.value.strip(), by)] if by is not None else []
    yield Line("Finding", finding, proof), signs, _place(record, view)


def _place(record: Record, view: MediaView) -> list[Line]:
    parts, sides = set(values_of(record.facts, "body_part")), set(values_of(record.facts, "laterality"))
    proof = stated(Fact("body_part", "", ""), view, TURN) if len(parts) == 1 else None
    if proof is None:
        return []
    side = _SIDES.get(sides.pop().strip().lower(), "") if len(sides) == 1 else ""
    return [Line("Place", f"{side} {body_part_words(parts.pop())}".strip(), proof)]


_CAPTIONED: tuple[tuple[str, Family], ...] = (("Sign", "attribute"), ("Place", "location"), ("Organ", "organ"))


def _quoted(title: str, sentence: str, family: Family, view: MediaView) -> list[Line]:
    """The spans of a family in a sentence as lines."""
    found = [(span.text, quoted(span.text, view, TURN)) for span in spans(sentence, (family,))]
    return [Line(title, words, proof) for words, proof in found if proof is not None]


def _by_caption(record: Record, view: MediaView) -> Iterator[_Parts]:
    """Findings that are the only one of their sentence, with the signs and the place that the sentence states."""
    caption = report_of(record)
    for start, end in sentences(caption):
        sentence = caption[start:end]
        reading = read(sentence)
        if len(affirmed(sentence)) != 1 or reading.denied or reading.supposed:
            continue
        finding = next(iter(spans(sentence, ("abnormality",))), None)
        lines = {title: _quoted(title, sentence, family, view) for title, family in _CAPTIONED}
        proof = quoted(finding.text, view, TURN) if finding is not None else None
        if finding is not None and proof is not None:
            places = lines["Place"] or [line._replace(title="Place") for line in lines["Organ"]]
            signs = [line for line in lines["Sign"] if line.words.lower() not in finding.text.lower()]
            yield Line("Finding", finding.text.lower(), proof), signs, places
