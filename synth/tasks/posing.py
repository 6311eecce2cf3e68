"""How a question of a source is put: its pictures in their places, its options lettered, its gold.

Letters are A to J. The letter of the gold is a seeded hash, so letters are balanced over many questions; options that
speak of each other ("all of the above", "A and C") keep the source's order. Of more options than letters the gold and
a seeded choice of the others are listed. Options that are only yes and no make a question of yes or no.

Pictures stand where the source puts them (`PICTURE`), in the order of the record's; a sample shows those that its words
have a place for, else all of them, and then `<image>` stands once for each before the first question, where there are
several.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from manifests.record import PICTURE, Asked
from manifests.sample import Answer, Proof
from synth.proofs import MediaView, call_text, prove
from synth.quantities import quantities
from synth.tasks.common import seeded, shuffled
from synth.verifiers import verify_answer
from synth.verify import normal_form

IMAGE = "<image>"
LETTERS = "ABCDEFGHIJ"
LETTER_HINT = "Answer with the letter of the right option."
SPAN_CHARS = 300
_OPTION = re.compile(r"^\s*\(?([A-J])[.):]\s", re.MULTILINE)
_BY_PLACE = re.compile(
    r"\b(?:all|none|both|neither|any|either)(?: of)? (?:the )?(?:above|these|those|others?)\b"
    r"|\b[A-J]\s*(?:and|or|&|,)\s*[A-J]\b",
    re.IGNORECASE,
)
_LETTER = re.compile(
    r"\b(?:ans(?:wer)?|options?|choices?|correct|letter)\b\W{0,4}(?:is|are|:|-)?\W{0,4}[A-Ja-j]\b(?![a-z'’])|\([A-Ja-j]\)|^\W{0,2}[A-Ja-j][.):]\s",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Posed:
    """One question as it is put: `question` with its options below, `said` the answer as an assistant gives it, `gold`
    where it can be verified; `lettered`: options stand below. `flaw` is why it cannot be asked, "" where it can."""

    number: int
    question: str
    said: str
    gold: Answer | None
    flaw: str = ""
    lettered: bool = False

    @property
    def prompt(self) -> str:
        """The question of an RLVR prompt."""
        return f"{self.question}\n{LETTER_HINT}" if self.lettered else self.question


def posed(one: Asked, number: int, seed: int, key: str, words: int, tolerance: float, keep: bool = False) -> Posed:
    """One question of a record of that key. `words` and `tolerance` are those of `gold_of`; `keep` leaves options in
    the source's order."""
    question, answer = in_places(one.question.strip()), one.answer.strip()
    forms = [_form(option) for option in one.options]
    if len(forms) < 2 or set(forms) == {"yes", "no"}:
        gold = None if PICTURE in answer else gold_of(question, answer, words, tolerance)
        return Posed(number, question, in_places(answer), gold)
    flaw = "not_an_option" if _form(answer) not in forms else "options_alike" if len(set(forms)) < len(forms) else ""
    if flaw:
        return Posed(number, question, answer, None, flaw)
    at = forms.index(_form(answer))
    given = [" ".join(text.split()) for text in (*one.options[:at], answer, *one.options[at + 1 :])]
    options, at = _laid_out(given, at, seed, (key, str(number)), keep)
    lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False)]
    closed = "" if any("|" in option for option in options) else "|".join(options)
    gold = Answer(type="mcq", gold=LETTERS[at], verifier="mcq", options=closed)
    return Posed(number, "\n".join([question, *lines]), lines[at], gold, lettered=True)


def _laid_out(options: list[str], gold: int, seed: int, about: tuple[str, ...], keep: bool) -> tuple[list[str], int]:
    """The options in their order, and which is the gold."""
    if len(options) <= len(LETTERS) and (keep or any(_BY_PLACE.search(option) for option in options)):
        return options, gold
    others = shuffled([o for n, o in enumerate(options) if n != gold], seed, *about)[: len(LETTERS) - 1]
    at = seeded(seed, *about, "letter") % (len(others) + 1)
    return [*others[:at], options[gold], *others[at:]], at


def _form(option: str) -> str:
    return " ".join(option.split()).casefold().rstrip(".")


def gold_of(question: str, answer: str, words: int, tolerance: float) -> Answer | None:
    """The verifiable form of a source's answer, or None where it is free text: yes or no, one letter where the question
    itself lists lettered options, one number with or without a unit, or a label of at most so many words. None too for
    an answer that its own verifier would not reward, such as one that asks back ("Air?")."""
    found = _form_of(question, answer, words, tolerance)
    if found is None or not verify_answer(f"{found.gold} {found.unit}".strip(), found).passed:
        return None
    return found


def _form_of(question: str, answer: str, words: int, tolerance: float) -> Answer | None:
    short = normal_form(answer)
    if short in ("yes", "no"):
        return Answer(type="yes_no", gold=short, verifier="yes_no")
    letter = re.fullmatch(r"\(?([A-J])[.)]?", answer.strip())
    if letter and letter[1] in _OPTION.findall(question):
        return Answer(type="mcq", gold=letter[1], verifier="mcq")
    found = quantities(answer, words=None)
    if len(found) == 1 and found[0].token.strip() == answer.strip(" .\n"):
        digits = re.match(r"[-+−]?[\d.,eE+]+", found[0].token)
        if digits:
            unit = found[0].token[digits.end() :].strip(" -")
            return Answer(type="number", gold=digits[0], verifier="number", unit=unit, tolerance=tolerance)
    if short and "|" not in answer and len(short.split()) <= words and "\n" not in answer.strip():
        return Answer(type="label", gold=answer.strip(), verifier="label")
    return None


def speaks_of_letters(why: str) -> bool:
    """Whether an explanation names options by their letters, which then must stay as they were."""
    return _LETTER.search(why) is not None


def answer_proof(one: Asked, number: int, view: MediaView, turn: int) -> Proof:
    """The proof that an answer is the source's to that question: `span` where it is short, else `digest`."""
    at = {"number": str(number)}
    if len(one.answer.strip()) <= SPAN_CHARS:
        return prove(call_text("span", {"text": one.answer.strip(), **at}), view, turn)
    return digest_proof("answer", number, view, turn)


def digest_proof(field: str, number: int, view: MediaView, turn: int) -> Proof:
    """The proof of a question's own words; number 0: of the source's text."""
    return prove(call_text("digest", {"field": field, **({"number": str(number)} if number else {})}), view, turn)


# --- pictures --------------------------------------------------------------------------------------------------------


def in_places(text: str) -> str:
    """The text with `<image>` in the places of pictures."""
    return text.replace(PICTURE, IMAGE)


def has_places(view: MediaView) -> bool:
    """Whether the source says where the record's pictures stand in its words."""
    return PICTURE in view.text or any(PICTURE in one.question or PICTURE in one.answer for one in view.asked)


def shown(view: MediaView, kind: str, numbers: Sequence[int]) -> tuple[tuple[str, ...], str]:
    """The members that a sample of these questions shows (0: of the source's text), ascending, and what stands before
    its first words."""
    images = [m.member for m in view.media if m.kind == "image"]
    if has_places(view):
        wanted = [n for at, n in enumerate(_places(view)) if n in numbers]
        placed = [member for member, n in zip(images, _places(view), strict=False) if n in numbers]
        if wanted and len(placed) == len(wanted):
            return tuple(placed), ""
    everything = tuple(dict.fromkeys(m.member for m in view.media if m.kind != "mask"))
    several = kind == "image" and len(images) > 1
    return everything, f"{IMAGE}\n" * len(images) if several else ""


def _places(view: MediaView) -> list[int]:
    """For each place of a picture, in order, which question has it; 0 for the text."""
    found = [0] * view.text.count(PICTURE)
    for number, one in enumerate(view.asked, start=1):
        found += [number] * (one.question + one.answer).count(PICTURE)
    return found
