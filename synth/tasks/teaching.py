"""What the tasks of a teacher share: asking in a schema, reading the answer, checking a question, settling a draft.

An answer's schema is a frozen pydantic model (`Config`); its prompt holds `plain_schema` of it, which the engine
decodes by. Properties are decoded in alphabetical order, so that the fields of a model are named in the order in
which they are to be thought.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from manifests.config import Config
from manifests.errors import VerificationError
from manifests.record import Fact, canonical_json
from manifests.sample import Draft, Proof, Verdict
from synth import prompting
from synth.chat import Request, Role
from synth.facts import structure_words
from synth.lexicon import terms_in
from synth.proofs import MediaView, call_text, prove, proven
from synth.requests import Answered
from synth.tasks.common import seeded, shuffled
from synth.tasks.subject import Subject
from synth.verify import faithfulness, length, no_leak, normal_form, not_empty
from synth.written import (
    check_led,
    check_plain,
    check_repetition,
    check_stray,
    check_text,
    content_words,
    first_failed,
)

M = TypeVar("M", bound=Config)
LETTERS = "ABCDE"
LONGEST_QUESTION = 300  # characters
ASKS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        name: re.compile(rf"\b(?:{words})\w*", re.IGNORECASE)
        for name, words in (
            ("modality", "modalit|techni|method|(?:kind|type) of (?:imag|scan)|imaging|how was|acquired|made"),
            ("plane", "plane|view|orientation|section|slice|cut|direction"),
            ("phase", "phase|contrast|timing|when|enhanc"),
            ("organ", "organ|part|region|area|anatom|structure|where|which|what"),
            ("location", "where|side|which|position|locat|place|what"),
            (
                "abnormality",
                "abnormal|finding|diagnos|disease|lesion|condition|patholog|wrong|label|what|which",
            ),
            ("attribute", "how|appear|look|what|which|describe|sign|textur|colou?r|shape|margin|dens|signal"),
        )
    }
)
_PRESUMED = frozenset({"numbers", "units", "sides", "modality", "anatomy", "plane"})
_MARKUP = ("title", "description", "default")
_OWN_WORDS = re.compile(
    r"\b(?:report|passage|text|article|abstract|caption|sentence|fact|document|given|above)s?\b", re.I
)


class Limits(NamedTuple):
    """`grounded`: the least share of an answer's content words that were shown; `longest`: characters."""

    grounded: float
    longest: int


# ------------------------------------------------------------------------------------------------------------- schemas
def plain_schema(model: type[Config]) -> str:
    """The JSON Schema of an answer with the keys that engines decode by and no others, as canonical JSON."""
    return canonical_json(_plain(model.model_json_schema()))


def _plain(node: Any) -> Any:
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _plain(value) for key, value in node.items() if key not in _MARKUP and key != "properties"}
    if "properties" in node:  # the names of fields are no markup
        kept["properties"] = {name: _plain(value) for name, value in node["properties"].items()}
    return kept


def narrowed(request: Request, fields: Sequence[str] = (), items: int = 0) -> Request:
    """The request with a schema of some of its fields only, its lists of exactly so many items (0: as they are)."""
    schema = json.loads(request.schema)
    if fields:
        schema["properties"] = {name: value for name, value in schema["properties"].items() if name in fields}
        schema["required"] = [name for name in schema["required"] if name in fields]
    for value in schema["properties"].values():
        if items and value["type"] == "array":
            value.update(minItems=items, maxItems=items)
    return dataclasses.replace(request, schema=canonical_json(schema))


def prompt_ids(names: Iterable[str]) -> tuple[str, ...]:
    """The ids of prompts, which belong into a unit's key. Raises `RecipeError` for a bad prompt file."""
    return tuple(prompting.load(name).prompt_id for name in names)


def asked(
    subject: Subject, prompt: str, values: Mapping[str, str], seed: int, role: Role = "teacher", look: bool = True
) -> Request:
    """A question to a teacher, with what is shown where it can see and is to `look`. Raises `RecipeError` for a bad
    prompt file."""
    pictures = subject.pictures(role) if look else ()
    return prompting.request(prompting.load(prompt), values, seed, pictures=pictures, role=role)


def read_as(answered: Answered, model: type[M], turn: int) -> tuple[M | None, list[Verdict]]:
    """The answer as its model, texts single-spaced, and the verdicts `answered` and `schema`; None if one failed."""
    if answered.reply is None:
        return None, [_verdict("answered", False, answered.error.reason if answered.error else "no reply", turn)]
    verdicts = [_verdict("answered", True, answered.reply.finish_reason, turn)]
    try:
        said = model.model_validate(_single_spaced(json.loads(answered.reply.text)), strict=True)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        # a key that the model invented is its own words, and stays out of the evidence
        found = f"{where}: {error.errors()[0]['type']}" if where.split(".")[0] in model.model_fields else "other fields"
        return None, [*verdicts, _verdict("schema", False, found, turn)]
    except (ValueError, RecursionError):
        cut = answered.reply.finish_reason == "length"
        return None, [*verdicts, _verdict("schema", False, "cut off by max_tokens" if cut else "not JSON", turn)]
    return said, [*verdicts, _verdict("schema", True, ", ".join(model.model_fields), turn)]


def _single_spaced(value: Any) -> Any:
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, dict):
        return {key: _single_spaced(one) for key, one in value.items()}
    # what a strict model calls a tuple is a list in JSON
    return tuple(_single_spaced(one) for one in value) if isinstance(value, list) else value


# -------------------------------------------------------------------------------------------------------------- checks
def check_statement(text: str, shown: str, facts: Sequence[Fact], limits: Limits, turn: int) -> list[Verdict]:
    """The checks of a text that states something: those of `synth.written`, then of `faithfulness` to the facts and to
    what was shown."""
    known = (*facts, Fact("caption", shown, "shown")) if shown else tuple(facts)
    return [*check_text(text, shown, limits.grounded, limits.longest, turn), *faithfulness(text, known, turn)]


def check_question(question: str, golds: Collection[str], shown: str, facts: Sequence[Fact]) -> list[Verdict]:
    """The checks of a question (turn 0): its form, no leak of any of `golds`, and that it takes nothing for granted:
    its numbers, sides, organs, modalities and planes are those of the facts or of what was shown (`faithfulness`), and
    so are the findings that it names (`presumes`). That it states nothing else is its form's part."""
    known = (*facts, Fact("caption", shown, "shown")) if shown else tuple(facts)
    leaks = [no_leak(question, gold, 0) for gold in golds] or [no_leak(question, "", 0)]
    once = question.endswith("?") and question.count("?") == 1 and not re.search(r"[.!;]\s", question)
    lines = "\n".join(f"{structure_words(f.about)} {structure_words(f.value)}" for f in known)
    presumed = {t.name for t in terms_in(question, "findings")} - {t.name for t in terms_in(lines, "findings")}
    return [
        not_empty(question, 0),
        length(question, 0, LONGEST_QUESTION),
        _verdict("question_form", once, "one sentence that ends with '?'", 0),
        check_plain(question, 0),
        check_repetition(question, 0),
        check_led(question, shown, 0),
        check_stray(question, lines, 0, sentences=False),
        next((v for v in leaks if not v.passed), leaks[0]),
        *(v for v in faithfulness(question, known, 0) if v.check in _PRESUMED),
        _verdict("presumes", not presumed, ", ".join(sorted(presumed)), 0),
    ]


def check_asks(question: str, kind: str) -> Verdict:
    """The verdict `asks_for`: whether a question has a word by which its kind of answer is asked for."""
    asks = ASKS[kind].search(question)
    return _verdict("asks_for", asks is not None, asks[0] if asks else kind, 0)


def check_self_contained(question: str, turn: int) -> Verdict:
    """Whether a question can be asked without the text that it was made from: it does not speak of that text."""
    found = _OWN_WORDS.search(question)
    return _verdict("self_contained", found is None, found[0] if found else "", turn)


def check_agreed(said: str, gold: str, least: float, turn: int) -> Verdict:
    """The verdict `round_trip`: what was answered from the source, without the gold, shares enough words with the gold
    (F1 of content words; of all words where the gold has none)."""
    a, b = (set(content_words(t)) or set(normal_form(t).split()) for t in (said, gold))
    shared = len(a & b)
    score = round(2 * shared / (len(a) + len(b)), 4) if shared else 0.0
    return Verdict(turn, "round_trip", score >= least, score, f"answered {said[:60]!r}, gold {gold[:60]!r}")


def check_options(gold: str, wrong: Sequence[str], source: str, turn: int) -> list[Verdict]:
    """The checks of the wrong options of a multiple choice: distinct, none standing in the source, plain, ordinary
    words, and of a length that does not give the right one away."""
    forms = [normal_form(o) for o in (gold, *wrong)]
    twice = next((f for n, f in enumerate(forms) if not f or f in forms[:n]), "")
    inside = next((w for w in wrong if f" {normal_form(w)} " in f" {normal_form(source)} "), "")
    longest = max((len(w) for w in wrong), default=0)
    marked = next((v for v in (check_plain(w, turn) for w in wrong) if not v.passed), check_plain("", turn))
    stray = next((v for v in (check_stray(w, source, turn, False) for w in wrong) if not v.passed), None)
    return [
        _verdict("options_distinct", len(set(forms)) == len(forms) and "" not in forms, twice, turn),
        _verdict("not_in_source", not inside, inside, turn),
        _verdict("option_length", longest / 3 <= len(gold) <= 2 * longest, f"{len(gold)} and {longest} at most", turn),
        marked,
        stray or check_stray("", "", turn),
    ]


def lettered(gold: str, wrong: Sequence[str], seed: int, *parts: str) -> tuple[str, str]:
    """(options one a line, the gold's line); its letter is a seeded hash, so that letters are balanced. Options begin
    with a capital, so that a gold from the middle of a sentence does not stand out."""
    options = shuffled(wrong, seed, *parts)
    at = seeded(seed, *parts, "letter") % (len(options) + 1)
    options.insert(at, gold)
    lines = [f"{letter}. {o[:1].upper()}{o[1:]}" for letter, o in zip(LETTERS, options, strict=False)]
    return "\n".join(lines), lines[at]


def quoted(text: str, view: MediaView, turn: int) -> Proof | None:
    """The proof that the source says a text verbatim: of its text, question or answer, else of a fact that holds it;
    None where neither does."""
    try:
        return prove(call_text("span", {"text": text}), view, turn)
    except VerificationError:
        holding = next((f for f in view.facts if text in f.value), None)
    return stated(holding, view, turn) if holding is not None else None


def stated(fact: Fact, view: MediaView, turn: int) -> Proof | None:
    """The proof that a fact is stated; None where the view does not have it."""
    about = {"about": fact.about} if fact.about else {}
    try:
        return prove(call_text("label", {"fact": fact.name, **about}), view, turn)
    except VerificationError:
        return None


def settled(draft: Draft) -> Draft:
    """The draft with a verdict for each of its proofs, which were just computed; accepted where all verdicts passed,
    else `reason` is the first check that failed."""
    verdicts = (*draft.verdicts, *(proven(proof) for proof in draft.proofs))
    reason = first_failed(verdicts)
    return dataclasses.replace(draft, verdicts=verdicts, accepted=not reason, reason=reason)


def checker(subject: Subject, wanted: Role) -> Role:
    """Who answers a question back: the wanted role where the recipe names a teacher for it, else the teacher."""
    return wanted if wanted in subject.roles else "teacher"


def verdict(check: str, passed: bool, evidence: str, turn: int) -> Verdict:
    """A verdict with score 1 or 0."""
    return _verdict(check, passed, evidence, turn)


def _verdict(check: str, passed: bool, evidence: str, turn: int) -> Verdict:
    return Verdict(turn=turn, check=check, passed=passed, score=1.0 if passed else 0.0, evidence=evidence[:200])
