"""The facts of a record, read and arranged for the checks of a text.

Each fact becomes a short English line (`line_of`), and all lines are read by the reader that reads the text
(`synth.claims.read`); numbers are read from the values themselves, with the unit that a fact's name implies.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from manifests.record import Fact
from synth.claims import Reading, Scope, Sentence, read
from synth.facts import body_part_words, modality_codes, structure_words
from synth.lexicon import COMPARISONS, broader, wholes_of
from synth.quantities import WORD_NUMBERS, Quantity, quantities, unit_name

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
_FIGURES = re.compile(r"[\d\s.,;+-]*")
_COORDINATES = frozenset({"box", "centroid_mm", "landmark"})  # their commas part numbers
_YES = frozenset({"yes", "present", "positive", "true", "1"})
_NO = frozenset({"no", "absent", "negative", "none", "false", "0", "not present"})
_MAYBE = frozenset({"possible", "uncertain", "suspected", "probable", "questionable", "equivocal", "likely", "-1"})
_SIDE_CODES: Mapping[str, str] = MappingProxyType({"l": "left", "r": "right", "b": "bilateral"})
PLACE = re.compile(
    r"\b(upper|lower|superior|inferior|anterior|posterior|ascending|descending|proximal|distal|medial)\b", re.IGNORECASE
)
COMPARING = frozenset(word for forms in COMPARISONS.values() for form in forms for word in form.split())


class Amount(NamedTuple):
    """A number of a fact: `about` is the plain text of what it measures, `owners` and `sides` the organs in that."""

    quantity: Quantity
    fact: int
    about: str
    owners: frozenset[str]
    sides: frozenset[str]


class Known(NamedTuple):
    """The facts, arranged for the checks."""

    facts: tuple[Fact, ...]
    reading: Reading  # of all facts, one a line
    lines: tuple[int, ...]  # where each fact's line starts
    flat: str  # the same text without hyphens and case, for codes
    amounts: tuple[Amount, ...]
    sides: frozenset[str]
    beside: Mapping[str, frozenset[str]]  # organ -> sides
    anatomy: frozenset[str]
    modality: frozenset[str]
    planes: frozenset[str]
    affirmed: frozenset[str]
    sure: frozenset[str]
    denied: frozenset[str]
    denied_words: frozenset[str]
    denied_organs: frozenset[str]
    told: tuple[Sentence, ...]  # the sentences of the facts, each once
    denials: tuple[tuple[frozenset[str], tuple[Sentence, ...]], ...]  # each member of a denial, and where it stands
    suppositions: tuple[tuple[frozenset[str], tuple[Sentence, ...]], ...]
    stems: frozenset[str]  # the first five letters of every word
    turned: tuple[tuple[str, frozenset[str]], ...]  # each side with the words beside it, once
    comparisons: Mapping[str, frozenset[str]]  # increase, decrease, ...: the words of the sentences that say it
    places: frozenset[str]


def line_of(fact: Fact) -> str:
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
    if about and value.lower() in _MAYBE:
        return f"possible {about}"
    if fact.name in ("structure", "label", "finding"):
        value = structure_words(value)
    return f"{about} {value} {fact.unit}".strip()


@functools.lru_cache(maxsize=256)
def _subjects(words: str) -> tuple[frozenset[str], frozenset[str]]:
    """The structures and the sides that a fact speaks of. What is measured of something in an organ may be told of the
    region too (a nodule of the lung: of the chest); what is measured of the organ itself may not."""
    reading = read(words)
    named = frozenset(t.name for t in reading.terms.get("anatomy", ()))
    more = any(sentence.items - named for sentence in reading.sentences)
    wholes = named.union(*(wholes_of(name) for name in named)) if more else named
    return wholes, frozenset(side.name for side in reading.sides)


@functools.lru_cache(maxsize=512)
def _unit(text: str) -> str:
    return unit_name(text) if text else ""


def _amounts(facts: Sequence[Fact]) -> Iterator[Amount]:
    for i, fact in enumerate(facts):
        implied = _IMPLIED_UNITS.get(fact.name.rpartition("_")[2], "")
        unit, about = _unit(fact.unit or implied), structure_words(fact.about)
        owners, sides = _subjects(about) if about else (frozenset[str](), frozenset[str]())
        if " " in fact.about:  # words, not the label of a mask
            several = (q._replace(start=-1, end=-1) for q in quantities(about))
            yield from (Amount(q, i, about, owners, sides) for q in several)
        if fact.value.isalpha() and fact.value.lower() not in WORD_NUMBERS:
            continue
        value = fact.value.replace(",", ";") if fact.name in _COORDINATES else fact.value
        for q in quantities(value, words=None if _FIGURES.fullmatch(value) else 2):
            yield Amount(q if q.unit else q._replace(unit=unit), i, about, owners, sides)


@functools.lru_cache(maxsize=64)
def known_of(facts: tuple[Fact, ...]) -> Known:
    """The facts, read and arranged."""
    told = [line_of(fact) for fact in facts]
    text = "\n".join(told)
    starts, at = [], 0
    for line in told:
        starts.append(at)
        at += len(line) + 1
    reading = read(text)
    sides = frozenset(side.name for side in reading.sides)
    named = frozenset(t.name for t in reading.terms.get("anatomy", ()))
    held = frozenset(organ for s in reading.sentences for organ in s.organs & s.stated)
    codes = {c for f in facts if f.name == "modality" for c in modality_codes(f.value)}
    beside: dict[str, set[str]] = {}
    for side in reading.sides:
        beside.setdefault(side.organ, set()).add(side.name)
    affirmed = frozenset(m.name for m in reading.stated)
    sure = frozenset(m.name for m in reading.stated if m.sure)
    first: dict[tuple[object, ...], Sentence] = {}
    once = [first.setdefault(kind, sentence) for kind, sentence in zip(_kinds(reading), reading.sentences, strict=True)]
    return Known(
        facts=facts,
        reading=reading,
        lines=tuple(starts),
        flat=text.casefold().replace("-", ""),
        amounts=tuple({(*a.quantity[:3], a.about): a for a in reversed(list(_amounts(facts)))}.values())[::-1],
        sides=sides | ({"left", "right"} if "bilateral" in sides else set()),
        beside={organ: frozenset(found) for organ, found in beside.items()},
        anatomy=named.union(*(wholes_of(name) for name in held)),
        modality=frozenset(codes | {c for t in reading.terms.get("modality", ()) for c in t.name.split("|")}),
        planes=frozenset(t.name for t in reading.terms.get("planes", ())),
        affirmed=affirmed.union(*(broader(name) for name in affirmed)),
        sure=sure.union(*(broader(name) for name in sure)),
        denied=frozenset(name for scope in reading.denied for name in scope.findings),
        denied_words=frozenset(word for scope in reading.denied for word in scope.other),
        denied_organs=frozenset(organ for scope in reading.denied for organ in scope.organs),
        told=tuple(first.values()),
        denials=_members(reading.denied, once),
        suppositions=_members(reading.supposed, once),
        stems=frozenset(item[:5] for s in reading.sentences for item in s.items),
        turned=tuple(dict.fromkeys((side.name, side.heads) for side in reading.sides)),
        comparisons=_compared(reading),
        places=frozenset(m[1].lower() for m in PLACE.finditer(text)),
    )


def _compared(reading: Reading) -> dict[str, frozenset[str]]:
    starts = [s.start for s in reading.sentences]
    out: dict[str, frozenset[str]] = {}
    for t in reading.terms.get("comparisons", ()):
        items = reading.sentences[max(bisect_right(starts, t.start) - 1, 0)].items - COMPARING
        out[t.name] = out.get(t.name, frozenset()) | items
    return out


def _kinds(reading: Reading) -> list[tuple[object, ...]]:
    """Of each sentence what it shares with one that is the same for the checks: all but its place, sides included."""
    starts = [sentence.start for sentence in reading.sentences]
    sides: list[set[tuple[str, frozenset[str]]]] = [set() for _ in starts]
    for side in reading.sides:
        sides[max(bisect_right(starts, side.start) - 1, 0)].add((side.name, side.heads))
    return [(*sentence[2:], frozenset(found)) for sentence, found in zip(reading.sentences, sides, strict=True)]


def _members(
    scopes: Iterable[Scope], once: Sequence[Sentence]
) -> tuple[tuple[frozenset[str], tuple[Sentence, ...]], ...]:
    found: dict[frozenset[str], dict[Sentence, None]] = {}
    for scope in scopes:
        for part in scope.parts:
            found.setdefault(part, {})[once[scope.sentence]] = None
    return tuple((part, tuple(where)) for part, where in found.items())
