"""Judges of an answer and of a text: no model, no state, the same verdict on every machine and thread.

`faithfulness(text, facts, turn)` holds every number, unit, side, modality, organ, plane, finding and negation of a text
against the facts. `verify_answer` and its verifiers, which reward a response against a gold, are of `synth.rewards`.

Covered: English, numbers and units as `synth.quantities` reads them, NegEx-like negation scopes (Chapman et al. 2001,
doi:10.1006/jbin.2001.1029). Not covered: words outside the lexicons of `synth.facts`, hedges ("possible"), pronouns
across sentences, "respectively", arithmetic that a text does on facts, dates, and other languages.

Time is linear in the length of a text: what looks around itself within a sentence is given at most `PIECE` characters
at a time, and a text beyond `MAX_TEXT` is not judged but fails every check.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from manifests.record import Fact
from manifests.sample import Verdict
from synth.claims import Claims, clauses, codes_in, read_claims, side_pairs, sides_in
from synth.facts import PART_OF, PLANE_CODES, body_part_words, modalities_in, modality_codes, structure_words, terms_in
from synth.quantities import Quantity, quantities, unit_factor, unit_name
from synth.rewards import VERIFIERS as VERIFIERS
from synth.rewards import normal_form as normal_form
from synth.rewards import verify_answer as verify_answer

# --- faithfulness ----------------------------------------------------------------------------------------------------

MAX_TEXT = 16_384  # characters: several times the longest answer that a prompt of ours asks for
PIECE = 1_000  # characters; ten sentences or so
_CUT = re.compile(r"\n|(?<=[^\W\d])[.;!?]\s(?!\s*\d)")  # ends of lines and sentences, not of "1." in a list
CHECKS = ("numbers", "units", "sides", "modality", "anatomy", "plane", "findings", "negation")
_IMPLIED_UNITS: Mapping[str, str] = MappingProxyType(
    {
        "ml": "mL",
        "mm": "mm",
        "ms": "ms",
        "s": "s",
        "t": "T",
        "hu": "HU",
        "years": "year",
        "days": "day",
        "kvp": "kV",
        "deg": "degree",
        "bpm": "bpm",
    }
)
_COORDINATES = frozenset({"box", "centroid_mm", "landmark"})  # their commas part numbers
_YES = frozenset({"yes", "present", "positive", "true", "1"})
_NO = frozenset({"no", "absent", "negative", "none", "false", "0", "not present"})
_SIDE_CODES: Mapping[str, str] = MappingProxyType({"l": "left", "r": "right", "b": "bilateral"})
_NEAR = 32  # characters before a number in which "approximately" is looked for
_ROUGHLY = re.compile(r"\b(?:about|approximately|roughly|nearly|around|some)\s*\Z|[~≈]\s*\Z", re.IGNORECASE)


class _Known(NamedTuple):
    """The facts, arranged for the checks."""

    text: str  # all facts, one a line
    amounts: tuple[tuple[Quantity, str], ...]  # each number with the plain text of what it is about
    sides: frozenset[str]
    paired: frozenset[tuple[str, str]]  # (side, anatomy)
    anatomy: frozenset[str]
    claims: Claims


def _line(fact: Fact) -> str:
    """A fact as a short English line, in the words that the lexicons know."""
    value, about = fact.value.strip(), structure_words(fact.about)
    if fact.name == "laterality":
        return _SIDE_CODES.get(value.lower(), value)
    if fact.name == "body_part":
        return f"{value} {body_part_words(value)}"
    if fact.name == "left_of":
        return f"{about} left of {structure_words(value)}, {structure_words(value)} right of {about}"
    if about and value.lower() in _NO:
        return f"no {about}"
    if about and value.lower() in _YES:
        return about
    if fact.name in ("structure", "label", "finding"):
        value = structure_words(value)
    return f"{about} {value} {fact.unit}".strip()


def _amounts(fact: Fact) -> Iterable[tuple[Quantity, str]]:
    implied = _IMPLIED_UNITS.get(fact.name.rpartition("_")[2], "")
    unit = unit_name(fact.unit or implied)
    for q in quantities(fact.value.replace(",", "; ") if fact.name in _COORDINATES else fact.value):
        yield (q if q.unit else q._replace(unit=unit)), structure_words(fact.about)


@functools.lru_cache(maxsize=64)
def _known(facts: tuple[Fact, ...]) -> _Known:
    text = "\n".join(_line(f) for f in facts)
    sides = frozenset(sides_in(text))
    anatomy = {t.name for t in terms_in(text, "anatomy")}
    return _Known(
        text=text,
        amounts=tuple(pair for f in facts for pair in _amounts(f)),
        sides=sides | ({"left", "right"} if "bilateral" in sides else set()),
        paired=frozenset(pair for piece in _pieces(text) for pair in side_pairs(piece)),
        anatomy=frozenset(anatomy | {PART_OF[name] for name in anatomy if name in PART_OF}),
        claims=_claims(text),
    )


def _matches(q: Quantity, known: Quantity, rough: bool, any_unit: bool) -> bool:
    """Whether a written number is a known one, as far as its printed places (and 5 % at most) tell."""
    factor = 1.0 if any_unit or not q.unit else unit_factor(known.unit, q.unit)
    if factor is None:
        return False
    target = known.value * factor
    off = abs(q.value - target)
    return off <= 1e-9 * abs(target) or (off <= 0.05 * abs(target) and (rough or off <= 0.5000001 * 10.0**-q.decimals))


class _Problems(NamedTuple):
    """Offending words per check, and how many words were looked at."""

    found: dict[str, list[str]]
    seen: dict[str, int]

    def note(self, check: str, wrong: bool, evidence: str) -> None:
        self.seen[check] += 1
        if wrong:
            self.found[check].append(evidence)


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces of at most `PIECE` characters, cut behind a sentence where one ends, else at a blank."""
    start = 0
    while len(text) - start > PIECE:
        ends = [match.end() for match in _CUT.finditer(text, start, start + PIECE)]
        blank = text.rfind(" ", start + 1, start + PIECE)
        end = ends[-1] if ends else blank if blank > 0 else start + PIECE
        yield text[start:end]
        start = end
    yield text[start:]


def _check_numbers(text: str, known: _Known, out: _Problems) -> None:
    for clause in (clause for piece in _pieces(text) for clause in clauses(piece)):
        subjects = _subjects(clause)
        for q in quantities(clause):
            rough = _ROUGHLY.search(clause, max(0, q.start - _NEAR), q.start) is not None
            about = [a for k, a in known.amounts if _matches(q, k, rough, any_unit=False)]
            same_digits = any(_matches(q, k, rough, any_unit=True) for k, _ in known.amounts)
            out.note("numbers", not about and not same_digits, f"{q.token!r}: no fact has this number")
            out.note("units", not about and same_digits, f"{q.token!r}: the facts give this number another unit")
            if about and all(about):
                _check_subject(subjects, q, about, out)
    flat = known.text.casefold().replace("-", "")
    for code in codes_in(text):
        out.note("numbers", code.casefold().replace("-", "") not in flat, f"{code!r}: no fact holds it")


@functools.lru_cache(maxsize=256)
def _subjects(words: str) -> tuple[frozenset[str], frozenset[str]]:
    """The structures and the sides that a clause, or a fact, speaks of."""
    return frozenset(t.name for t in terms_in(words, "anatomy")), frozenset(sides_in(words))


def _check_subject(
    subjects: tuple[frozenset[str], frozenset[str]], q: Quantity, about: Sequence[str], out: _Problems
) -> None:
    """A number that the facts give for one structure may not stand in a clause that speaks of others only."""
    named, sides = subjects
    owners = {name for a in about for name in _subjects(a)[0]}
    owners |= {PART_OF[name] for name in owners if name in PART_OF}
    if named and owners:
        out.note("anatomy", not named & owners, f"{q.token!r} belongs to {about[0]!r}")
    owner_sides = {side for a in about for side in _subjects(a)[1]}
    if sides and owner_sides:
        out.note("sides", not sides & (owner_sides | {"bilateral"}), f"{q.token!r} belongs to {about[0]!r}")


def _check_sides(text: str, known: _Known, out: _Problems) -> None:
    for side in sides_in(text):
        ok = side in known.sides or (side == "bilateral" and {"left", "right"} <= known.sides)
        out.note("sides", not ok, f"{side!r}: the facts say {', '.join(sorted(known.sides)) or 'no side'}")
    for side, organ in (pair for piece in _pieces(text) for pair in side_pairs(piece)):
        sides = {s for s, o in known.paired if o == organ}
        ok = not sides or side in sides or "bilateral" in sides or (side == "bilateral" and {"left", "right"} <= sides)
        out.note("sides", not ok, f"{side} {organ}: the facts say {', '.join(sorted(sides))}")


def _check_words(text: str, facts: Sequence[Fact], known: _Known, out: _Problems) -> None:
    codes = {c for f in facts if f.name == "modality" for c in modality_codes(f.value)}
    codes |= {c for _, found in modalities_in(known.text) for c in found}
    for words, meant in modalities_in(text):
        out.note("modality", not meant & codes, f"{words!r}: the facts say {', '.join(sorted(codes)) or 'no modality'}")
    for term in terms_in(text, "anatomy"):
        out.note("anatomy", term.name not in known.anatomy, f"{text[term.start : term.end]!r}: no fact names it")
    planes = _planes(known.text)
    for plane in sorted(_planes(text)):
        ok = plane in planes or (plane == "frontal" and planes & {"AP", "PA", "coronal"})
        out.note("plane", not ok, f"{plane!r}: the facts say {', '.join(sorted(planes)) or 'no plane'}")


def _planes(text: str) -> frozenset[str]:
    codes = re.findall(rf"\b({'|'.join(PLANE_CODES)})\b", text)
    return frozenset(t.name for t in terms_in(text, "planes")) | frozenset(codes)


def _claims(text: str) -> Claims:
    several = [read_claims(piece) for piece in _pieces(text)]
    affirmed = frozenset(name for claims in several for name in claims.affirmed)
    return Claims(affirmed, tuple(one for claims in several for one in claims.denied))


def _check_claims(text: str, known: _Known, out: _Problems) -> None:
    said, facts = _claims(text), known.claims
    denied = {name for _, findings, _ in facts.denied for name in findings}
    other = {word for _, _, words in facts.denied for word in words}
    all_denied = "finding" in denied
    for name in sorted(said.affirmed):
        if name in facts.affirmed:
            out.note("findings", False, "")
        elif name in denied or all_denied:
            out.note("negation", True, f"{name!r} is stated, the facts deny it")
        elif name != "finding":
            out.note("findings", True, f"{name!r}: no fact states it")
    for words, findings, rest in said.denied:
        supported = findings <= denied or all_denied if findings else bool(rest & other)
        wrong = bool(findings & facts.affirmed - denied) or not supported
        if findings or rest:
            out.note("negation", wrong, f"{words[:60]!r}: no fact denies it")


def faithfulness(text: str, facts: Sequence[Fact], turn: int) -> list[Verdict]:
    """One verdict for each of `CHECKS`, in that order: whether every such word of the text maps to a fact.

    numbers: each number equals a fact's number to the places printed (5 % at most, and where "about" says so); each
    code (`L1`, `J18.9`) stands in a fact. units: with its unit converted. sides: left, right, bilateral, both for the
    structure that they stand beside, and for the structure whose number the clause gives. modality, plane: the
    named ones are the facts'. anatomy: each organ or region is named by a fact or holds one that is. findings: each
    listed finding is stated by a fact. negation: what is denied is denied by a fact, and what a fact denies is not
    stated. `score` is the share of supported words, 1 where there was none; `evidence` has the first offences. A text
    beyond `MAX_TEXT` fails every check with score 0.
    """
    if len(text) > MAX_TEXT:
        found = f"not judged: {len(text)} characters, at most {MAX_TEXT} are"
        return [_verdict(check, False, found, turn) for check in CHECKS]
    known = _known(tuple(facts))
    out = _Problems({c: [] for c in CHECKS}, dict.fromkeys(CHECKS, 0))
    _check_numbers(text, known, out)
    _check_sides(text, known, out)
    _check_words(text, facts, known, out)
    _check_claims(text, known, out)
    return [
        Verdict(
            turn=turn,
            check=check,
            passed=not out.found[check],
            score=round(1 - len(out.found[check]) / out.seen[check], 4) if out.seen[check] else 1.0,
            evidence="; ".join(dict.fromkeys(out.found[check]))[:200]
            if out.found[check]
            else f"{out.seen[check]} seen",
        )
        for check in CHECKS
    ]


def _verdict(check: str, passed: bool, evidence: str, turn: int) -> Verdict:
    return Verdict(turn=turn, check=check, passed=passed, score=1.0 if passed else 0.0, evidence=evidence[:200])


# --- small checks ----------------------------------------------------------------------------------------------------


def not_empty(text: str, turn: int) -> Verdict:
    """Whether a text holds at least one letter or digit."""
    return _verdict("not_empty", any(ch.isalnum() for ch in text), f"{len(text)} characters", turn)


def length(text: str, turn: int, max_chars: int) -> Verdict:
    """Whether a text has at most `max_chars` characters."""
    return _verdict("length", len(text) <= max_chars, f"{len(text)} of at most {max_chars} characters", turn)


def no_leak(question: str, answer: str, turn: int) -> Verdict:
    """Whether a question does not hold its answer as whole words, apart from case, space and punctuation.

    For multiple choice pass the stem, without the options. An answer of yes or no never leaks.
    """
    said, asked = normal_form(answer), normal_form(question)
    leaks = said not in ("", "yes", "no") and f" {said} " in f" {asked} "
    return _verdict(
        "no_leak", not leaks, f"{said[:60]!r} stands in the question" if leaks else "answer not in question", turn
    )


def latin_script(text: str, turn: int) -> Verdict:
    """Whether at least nine letters of ten are Latin: cheap, tells Chinese from English, not English from French."""
    letters = [ch for ch in text if ch.isalpha()]
    latin = sum(1 for ch in letters if ord(ch) < 0x250 or 0x1E00 <= ord(ch) < 0x1F00)
    return _verdict("latin_script", latin >= 0.9 * len(letters), f"{latin} of {len(letters)} letters", turn)
