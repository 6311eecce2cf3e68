"""The programs that look at passages found for a question, and the words by which an answer names them.

    passage(number)        sha256 of a passage's words, as the prompt shows them
    told_by(text, says)    the passages that state a text (`says=stated`), only deny it (`denied`), or name it or
                           something like it in any way (`named`): `[1] [3]`, or `none`. A finding of the lexicons
                           stands there by any of its names, or as a kind of it; other words as written, but for case,
                           blanks and a plural. What stands in a denied stretch is denied (`synth.claims`), what is
                           only supposed is neither
    own_passages()         those of the record that asks, or so like its text that they count as that; or `none`
    shows(finding)         yes or no: whether the facts state a finding, or deny it
    unanswered(number)     `not stated`, where no passage is the record's own, says the answer or has a sentence with
                           half of what the question names; refused where one does

Covered: English; a finding that is named. Not covered: what several passages say together, a passage that answers a
question in other words than both the question's and the answer's.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from manifests.errors import VerificationError
from manifests.record import PICTURE, Fact, Record
from manifests.sample import Passage
from synth.changes import NO, YES
from synth.claims import read
from synth.facts import body_part_words, structure_words, values_of
from synth.lexicon import broader, terms_in
from synth.quotes import MAX_NUMBER, numbered
from synth.views import MediaView, Result

Says = Literal["stated", "denied", "neither"]
NONE, NOT_STATED = "none", "not stated"
LEAD = "These passages were found for the question; they may be of other patients or studies, and need not help:"
CITE = "Name the passages that say so."
CLOSED = "Answer yes or no."
DECIDE = "Answer yes, no, maybe or not stated."
STATED = "Answer not stated where the passages do not say."
AGREE, DIFFER = "Passages that say so:", "Passages that say otherwise:"
SILENT = "The passages do not tell."
BY_MEDIA = "The passages do not tell; what is shown does."
FRAME = (LEAD, CITE, CLOSED, DECIDE, STATED)  # what a prompt holds beside passages and the question
_LABELS = ("label", "diagnosis")
_BLANK = r"[\s_-]+"


def block(passage: Passage) -> str:
    """A passage as a prompt shows it: one line."""
    return f"[{passage.number}] ({passage.source}) {passage.text}"


def tail(agree: str, differ: str, silent: str = SILENT) -> str:
    """What follows an answer: which passages say so, and which otherwise; the values of `told_by` or `own_passages`."""
    said = [f"{words} {value}." for words, value in ((AGREE, agree), (DIFFER, differ)) if value != NONE]
    return " ".join(said) or silent


def without_passages(content: str, passages: Sequence[Passage]) -> str:
    """A prompt without its passages and the words around them."""
    for passage in passages:
        content = content.replace(block(passage), "", 1)
    for words in FRAME:
        content = content.replace(words, "", 1)
    return content


# ----------------------------------------------------------------------------------------------------------- programs
def passage(view: MediaView, args: Mapping[str, str]) -> Result:
    """Raises `VerificationError` for a number that no passage has."""
    at = numbered(args["number"])
    found = [p for p in view.passages if p.number == at]
    if not found:
        raise VerificationError(f"the sample has no passage {args['number'][:20]!r}")
    return Result(hashlib.sha256(found[0].text.encode()).hexdigest(), "")


def told_by(view: MediaView, args: Mapping[str, str]) -> Result:
    _some(view)
    if args["says"] == "named":
        return Result(_numbers([p for p in view.passages if names(p.text, args["text"])]), "")
    if args["says"] not in ("stated", "denied"):
        raise VerificationError(f"a passage says {args['says'][:20]!r}; it may have stated, denied or named it")
    return Result(_numbers([p for p in view.passages if said_of(p.text, args["text"]) == args["says"]]), "")


def own_passages(view: MediaView, args: Mapping[str, str]) -> Result:
    _some(view)
    return Result(_numbers([p for p in view.passages if p.own]), "")


def shows(view: MediaView, args: Mapping[str, str]) -> Result:
    said = findings_of(view.facts).get(args["finding"], "")
    if not said:
        raise VerificationError(f"the facts neither state nor deny {args['finding'][:40]!r}")
    return Result(said, "")


def unanswered(view: MediaView, args: Mapping[str, str]) -> Result:
    _some(view)
    at = numbered(args["number"])
    if not 0 < at <= len(view.asked):
        raise VerificationError(f"the sample has no question {args['number'][:20]!r}")
    one = view.asked[at - 1]
    for found in view.passages:
        if answers(found, one.question, one.answer):
            raise VerificationError(f"passage {found.number} may answer question {at}")
    return Result(NOT_STATED, "")


def _some(view: MediaView) -> None:
    if not view.passages:
        raise VerificationError("the sample has no passages")


def _numbers(passages: Sequence[Passage]) -> str:
    return " ".join(f"[{p.number}]" for p in passages) or NONE


# ---------------------------------------------------------------------------------------------------- what a text says
def answers(found: Passage, question: str, answer: str) -> bool:
    """Whether a passage may answer a question: it is the record's own, says the answer, or has a sentence with two and
    half of the things that the question names."""
    if found.own:
        return True
    if answer.strip().lower() not in ("yes", "no", "maybe") and names(found.text, answer):
        return True
    asked = frozenset(item for sentence in read(question).sentences for item in sentence.items)
    shared = max((len(asked & sentence.items) for sentence in read(found.text).sentences), default=0)
    return shared >= 2 and 2 * shared >= len(asked)


@functools.lru_cache(maxsize=4096)
def said_of(text: str, words: str) -> Says:
    """What a text says of some words: it states them where one place is neither denied nor supposed, and denies them
    where all are denied."""
    reading = read(text)
    places = list(_places(text, words))
    denied = [_inside(at, [(s.start, s.end) for s in reading.denied]) for at in places]
    supposed = [_inside(at, [(s.start, s.end) for s in reading.supposed]) for at in places]
    if any(not d and not s for d, s in zip(denied, supposed, strict=True)):
        return "stated"
    return "denied" if places and all(denied) else "neither"


@functools.lru_cache(maxsize=4096)
def names(text: str, words: str) -> bool:
    """Whether a text speaks of some words in any way: denied or supposed, by a finding that they are a kind of, or by
    the last of them (the effusion of a pleural effusion)."""
    if any(True for _ in _places(text, words)):
        return True
    last = words.replace("_", " ").rstrip(" .").split()[-1:]
    if last and len(last[0]) >= 4 and any(True for _ in _places(text, _single(last[0]))):
        return True
    own = {t.name for t in terms_in(words.replace("_", " "), "findings")}
    alike = own.union(*(broader(name) for name in own))
    return any(t.name in alike for t in terms_in(text, "findings"))


def _single(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _inside(at: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start <= at < end for start, end in spans)


def _places(text: str, words: str) -> Iterator[int]:
    """Where words stand in a text: as written, and as the lexicon's finding that they name."""
    parts = words.replace("_", " ").rstrip(" .").split()
    if not parts:
        return
    pattern = _BLANK.join(re.escape(part) for part in (*parts[:-1], _single(parts[-1])))
    yield from (m.start() for m in re.finditer(rf"(?<!\w){pattern}(?:e?s)?(?!\w)", text, re.IGNORECASE))
    name = finding_numbers(words)
    if name:
        yield from (t.start for t in terms_in(text, "findings") if t.name == name or name in broader(t.name))


@functools.lru_cache(maxsize=4096)
def finding_numbers(words: str) -> str:
    """The finding of the lexicon that all of some words name, or ""."""
    flat = " ".join(words.replace("_", " ").split())
    found = terms_in(flat, "findings")
    return found[0].name if len(found) == 1 and (found[0].start, found[0].end) == (0, len(flat)) else ""


# ------------------------------------------------------------------------------------------------------- what is asked
def findings_of(facts: Sequence[Fact]) -> dict[str, str]:
    """What can be asked of the facts of what is shown as yes or no, by the words for it; what they contradict each
    other about, and what they say of one of several pictures, is left out."""
    said: dict[str, set[str]] = {}
    for fact in facts:
        value = fact.value.strip()
        if fact.at:
            continue
        if fact.name == "finding" and fact.about and value.lower() in YES | NO:
            said.setdefault(structure_words(fact.about), set()).add("yes" if value.lower() in YES else "no")
        elif fact.name in _LABELS and not fact.about and finding_numbers(structure_words(value)):
            said.setdefault(structure_words(value), set()).add("yes")
    return {name: next(iter(found)) for name, found in said.items() if len(found) == 1}


def asked_words(record: Record) -> list[tuple[int, str]]:
    """What is looked for, for a record: the words of each question with an answer, by its number, and by 0 what its
    facts name, for a record with media."""
    out = []
    if record.kind != "text" and (names := findings_of(record.facts)):
        places = dict.fromkeys(body_part_words(value) for value in values_of(record.facts, "body_part"))
        out.append((0, " ".join([*names, *places])))
    for number, one in enumerate(() if record.dialogue else record.asked[:MAX_NUMBER], start=1):
        if one.question.strip() and one.answer.strip():
            out.append((number, one.question.replace(PICTURE, " ")))
    return out
