"""passage_qa: questions about a passage (an abstract, a textbook's section, a note) or a classification's nodes.

    passages   a program takes a span of the passage (a finding, an organ, a number with its unit, a term that the
               passage uses twice); the teacher writes the question from its sentence
    nodes      code, title and chapter of a record are a small graph; one node is masked, and the question asks for it
               from the others (the masked nodes of Fleming-R1's RODS, on the graph that one record holds)

The answer is verbatim the source's (`span`, or the fact). A question about a passage is answered back from the sentence
alone, and kept where that leads to the span (round-trip consistency). With `context` the passage stands before the
question; without it the question must be understood without the passage (`self_contained`). Each question becomes a
conversation for `sft` and a prompt for `rlvr`.

Not covered: graphs over several records; answers that several sentences make together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

from pydantic import Field

from manifests.config import Config
from manifests.record import Fact
from manifests.sample import Answer, Authorship, Draft, Proof, Turn, Verdict
from synth.asking import Asking, Talk
from synth.chat import Role
from synth.facts import values_of
from synth.quantities import quantities
from synth.requests import Answered
from synth.tasks.common import shuffled
from synth.tasks.spans import Family, Span, spans
from synth.tasks.subject import Subject
from synth.tasks.teaching import (
    asked,
    check_agreed,
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
from synth.written import check_led, content_words, first_failed

FAMILIES: tuple[Family, ...] = ("abnormality", "organ", "number", "term")
NODES: Mapping[str, str] = MappingProxyType({"code": "Code", "title": "Title", "chapter": "Chapter"})
_LONGEST_SENTENCE = 400  # characters of a sentence that is shown
_LEAST_WORDS = 5  # content words of a sentence besides its span


class PassageQa(Config):
    """`questions` of a passage, `nodes` of its classification; `tolerance` is relative, for numbers."""

    task: Literal["passage_qa"] = "passage_qa"
    share: float = Field(default=1.0, gt=0, le=1)  # of the records, chosen by their keys
    prompt: str = "passage_qa"
    node_prompt: str = "masked_node"
    reread_prompt: str = "reread"
    families: tuple[Family, ...] = FAMILIES
    questions: int = Field(default=2, ge=0, le=16)
    nodes: int = Field(default=1, ge=0, le=3)
    context: bool = False
    context_chars: int = Field(default=4000, ge=100, le=100_000)  # longer passages are asked without context
    agree: float = Field(default=0.5, gt=0, le=1)  # least F1 of the words of an answer given back
    tolerance: float = Field(default=0.01, ge=0, lt=1)
    checked_by: Role = "teacher"


class PassageAnswer(Config):
    question: str = Field(min_length=12, max_length=200)


class NodeAnswer(Config):
    question: str = Field(min_length=12, max_length=300)


class SpanAnswer(Config):
    answer: str = Field(min_length=1, max_length=120)


class Wanted(NamedTuple):
    """An answer that a question is wanted for; `shown` is the sentence, or the nodes with the masked one as `?`."""

    shown: str
    gold: str
    proof: Proof
    others: tuple[str, ...] = ()  # of a node: the values that are shown
    family: str = "node"


class _Written(NamedTuple):
    question: str
    verdicts: tuple[Verdict, ...]
    author: Authorship


def prompt_ids(config: PassageQa) -> tuple[str, ...]:
    """The prompts that decide what this task asks; they belong into a unit's key."""
    return ids_of((config.prompt, config.node_prompt, config.reread_prompt))


def drafts(subject: Subject, config: PassageQa, seed: int, given: Sequence[Draft] = ()) -> Asking:
    """Drafts for `sft` and `rlvr`, two for each question; none where nothing can be asked. Questions that failed a
    check before they were answered back are not answered back. Raises `RecipeError` for a bad prompt file."""
    wanted = [*passages(subject, config, seed), *nodes(subject, config, seed)]
    if not wanted:
        return []
    requests = [
        asked(subject, config.node_prompt, {"nodes": one.shown}, seed)
        if one.others
        else asked(subject, config.prompt, {"sentence": one.shown, "answer": one.gold}, seed)
        for one in wanted
    ]
    answers = yield tuple(requests)
    written = [_read(one, answered, subject, config) for one, answered in zip(wanted, answers, strict=True)]
    written = yield from _answered_back(subject, wanted, written, config, seed)
    out: list[Draft] = []
    for one, said in zip(wanted, written, strict=True):
        out += _drafts_of(one, said, subject, config, len(out) // 2)
    return out


def passages(subject: Subject, config: PassageQa, seed: int) -> list[Wanted]:
    """The spans of a text record that are asked for, by seeded hash, at most one of a sentence."""
    text = subject.shown.text
    if subject.shown.kind != "text" or not config.questions:
        return []
    found: dict[str, Span] = {}
    for span in spans(text, config.families):
        sentence = text[span.sentence[0] : span.sentence[1]]
        besides = len(content_words(sentence.replace(span.text, " ")))
        once = sentence.lower().count(span.text.lower()) == 1
        if len(sentence) <= _LONGEST_SENTENCE and besides >= _LEAST_WORDS and once and "|" not in span.text:
            found[f"{span.start}"] = span
    out: dict[tuple[int, int], Wanted] = {}
    for key in shuffled(list(found), seed, subject.record.key, "passage_qa"):
        span = found[key]
        proof = quoted(span.text, subject.view, 1)
        if span.sentence not in out and proof is not None and len(out) < config.questions:
            out[span.sentence] = Wanted(text[span.sentence[0] : span.sentence[1]], span.text, proof, (), span.family)
    return list(out.values())


def nodes(subject: Subject, config: PassageQa, seed: int) -> list[Wanted]:
    """The nodes that are masked, by seeded hash; none where a node has several values, or is alone."""
    values = {name: set(values_of(subject.shown.facts, name)) for name in NODES}
    single = {name: some.pop().strip() for name, some in values.items() if len(some) == 1}
    # a chapter alone tells neither code nor title
    if not {"code", "title"} <= single.keys():
        return []
    out = []
    for masked in shuffled(sorted(single), seed, subject.record.key, "node")[: config.nodes]:
        proof = stated(Fact(masked, "", ""), subject.view, 1)
        if proof is None or "|" in single[masked]:
            continue
        shown = "\n".join(
            f"{NODES[name]}: {'?' if name == masked else single[name]}" for name in NODES if name in single
        )
        others = tuple(single[name] for name in ("code", "title") if name != masked)
        out.append(Wanted(shown, single[masked], proof, others))
    return out


def _read(one: Wanted, answered: Answered, subject: Subject, config: PassageQa) -> _Written:
    if one.others:
        node, verdicts = read_as(answered, NodeAnswer, 0)
        question = node.question if node else ""
    else:
        said, verdicts = read_as(answered, PassageAnswer, 0)
        question = said.question if said else ""
    if not question:
        return _Written("", tuple(verdicts), answered.author)
    verdicts += check_question(question, [one.gold], one.shown, subject.shown.facts)
    if one.others:
        named = any(f" {normal_form(o)} " in f" {normal_form(question)} " for o in one.others)
        verdicts.append(verdict("names_node", named, "; ".join(one.others), 0))
    else:
        verdicts.append(_grounded(question, one.shown))
        verdicts.append(check_led(one.gold, subject.shown.text, 1))
    if not _with_context(subject, config):
        verdicts.append(check_self_contained(question, 0))
    return _Written(question, tuple(verdicts), answered.author)


def _grounded(question: str, shown: str) -> Verdict:
    """Whether a question speaks of its sentence: at least two content words, or half of them, stand there."""
    words, known = content_words(question), content_words(shown)
    shared = [w for w in words if any(w[:5] == k[:5] for k in known)]
    passed = len(shared) >= 2 or 2 * len(shared) >= len(words) > 0
    return verdict("grounded", passed, f"{len(shared)} of {len(words)} content words", 0)


def _with_context(subject: Subject, config: PassageQa) -> bool:
    return config.context and 0 < len(subject.shown.text.strip()) <= config.context_chars


def _answered_back(
    subject: Subject, wanted: Sequence[Wanted], written: Sequence[_Written], config: PassageQa, seed: int
) -> Talk[list[_Written]]:
    """The questions about passages with the verdict `round_trip`, where they had passed so far."""
    sound = [n for n, w in enumerate(written) if w.question and not wanted[n].others and not first_failed(w.verdicts)]
    if not sound:
        return list(written)
    role = checker(subject, config.checked_by)
    requests = []
    for n in sound:
        values = {"text": wanted[n].shown, "question": written[n].question}
        requests.append(asked(subject, config.reread_prompt, values, seed, role, look=False))
    answers = yield tuple(requests)
    out = list(written)
    for n, answered in zip(sound, answers, strict=True):
        said, verdicts = read_as(answered, SpanAnswer, 1)
        if said is not None:
            verdicts.append(check_agreed(said.answer, wanted[n].gold, config.agree, 1))
        out[n] = out[n]._replace(verdicts=(*out[n].verdicts, *verdicts))
    return out


def _gold_of(one: Wanted, config: PassageQa) -> Answer:
    found = quantities(one.gold, words=None)
    if one.family == "number" and len(found) == 1:
        token = found[0].token
        digits = token[: next((n for n, ch in enumerate(token) if ch.isalpha() or ch in "µ%°"), len(token))]
        return Answer("number", digits.strip(" -"), "number", token[len(digits) :].strip(), config.tolerance)
    return Answer("label", one.gold, "label")


def _drafts_of(one: Wanted, said: _Written, subject: Subject, config: PassageQa, part: int) -> Iterator[Draft]:
    base = Draft(subject.record.key, "sft", "passage_qa", part, verdicts=said.verdicts, teacher=said.author)
    text = subject.shown.text.strip()
    user = Turn("user", f"{text}\n\n{said.question}" if _with_context(subject, config) else said.question)
    turns = (user, Turn("assistant", one.gold)) if said.question else ()
    yield settled(dataclasses.replace(base, turns=turns, proofs=(one.proof,) if turns else ()))
    if first_failed(said.verdicts):  # once, not for every stage
        return
    gold = _gold_of(one, config)
    right = dataclasses.replace(verify_answer(f"<answer>{one.gold}</answer>", gold), turn=-1)
    verdicts = (*(dataclasses.replace(v, turn=min(v.turn, 0)) for v in said.verdicts), right)
    proofs = (dataclasses.replace(one.proof, turn=-1),)
    yield settled(dataclasses.replace(base, stage="rlvr", turns=(user,), answer=gold, verdicts=verdicts, proofs=proofs))
