"""What a text says, held against what is known: one `Note` for each number, side, organ, finding, denial that it has.

A note tells where its words stand, what is wrong with them ("" where nothing is), and by what known thing they are
backed, so that a verdict (`synth.verify.faithfulness`) and an evidence span (`synth.evidence`) come from one judgement.
Facts are read as short English lines by the reader that reads the text (`synth.claims.read`).

A side, a finding that is both stated and denied, and a supposition are held against the known statement that is most
like them: the one that shares most words with the sentence, or with the words beside the side. A tie is no offence.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from synth.claims import MARKER, Reading, Sentence, Side, pieces, read
from synth.known import COMPARING, PLACE, Amount, Known
from synth.lexicon import Term, wholes_of
from synth.quantities import Quantity, quantities, unit_factor

_NEAR = 32  # characters before a number in which "approximately" is looked for
_ROUGHLY = re.compile(r"\b(?:about|approximately|roughly|nearly|around|some)\s*\Z|[~≈]\s*\Z", re.IGNORECASE)
_CLAUSE_END = re.compile(r"[.;:!?]+(?=\s|\Z)|\n")
_JOIN = re.compile(r"(?:,|,?\s(?:and|while|whereas|but))\s", re.IGNORECASE)
_CODE = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]+-?\d[A-Za-z0-9.]*(?![A-Za-z0-9])")
_RESPECTIVELY = re.compile(r"\brespective(?:ly)?\b", re.IGNORECASE)
_PRONOUN = re.compile(r"\b(?:it|its|this|their|they|which)\b", re.IGNORECASE)
_TURNED: Mapping[str, str] = MappingProxyType(
    {"upper": "lower", "superior": "inferior", "anterior": "posterior", "ascending": "descending", "proximal": "distal"}
)
_OPPOSITE: Mapping[str, str] = MappingProxyType({**_TURNED, **{b: a for a, b in _TURNED.items()}})


class Note(NamedTuple):
    """One checked word of a text: `backing` is the kind and the name of the known things that may bear it out."""

    check: str
    start: int
    end: int
    wrong: str  # what is wrong with it, "" where nothing is
    backing: tuple[str, str] = ("", "")


def judge(text: str, known: Known) -> Iterator[Note]:
    """All notes on a text, check by check."""
    reading = read(text)
    yield from _numbers(reading, known)
    yield from _codes(text, known)
    yield from _sides(reading, known)
    yield from _words(reading, known)
    yield from _stated(reading, known)
    yield from _denied(reading, known)
    yield from _polarity(reading, known)
    yield from _sentences(reading, known)


# --- numbers ---------------------------------------------------------------------------------------------------------


def _matches(q: Quantity, known: Quantity, rough: bool, any_unit: bool) -> bool:
    """Whether a written number is a known one, as far as its printed places (and 5 % at most) tell."""
    factor = 1.0 if any_unit or not q.unit else unit_factor(known.unit, q.unit)
    if factor is None:
        return False
    target = known.value * factor
    off = abs(q.value - target)
    return off <= 1e-9 * abs(target) or (off <= 0.05 * abs(target) and (rough or off <= 0.5000001 * 10.0**-q.decimals))


_Subject = tuple[frozenset[str], frozenset[str]]  # organs and sides


class _Clause(NamedTuple):
    """A stretch of a text with its numbers, and the organs and sides that they may belong to."""

    quantity: Quantity
    start: int
    named: frozenset[str]
    sides: frozenset[str]


def _numbers(reading: Reading, known: Known) -> Iterator[Note]:
    seen: dict[tuple[float, str, int, bool], tuple[list[int], bool]] = {}
    for clause in _clauses(reading):
        q = clause.quantity
        rough = _ROUGHLY.search(reading.text, max(clause.start, q.start - _NEAR), q.start) is not None
        fits, same_digits = _fitting(q.value, q.unit, q.decimals, rough, known, seen)
        wrong = "" if fits or same_digits else f"{q.token!r}: no fact has this number"
        own = _own(clause, [known.amounts[i] for i in fits]) if fits else []
        backing = ("amount", str(next((i for i in fits if known.amounts[i] in own), fits[0]))) if fits else ("", "")
        yield Note("numbers", q.start, q.end, wrong, backing)
        wrong = f"{q.token!r}: the facts give this number another unit" if not fits and same_digits else ""
        yield Note("units", q.start, q.end, wrong, backing)
        amounts = [known.amounts[i] for i in fits]
        if amounts and all(a.about for a in amounts):
            yield from _owner(clause, amounts, backing)


def _fitting(
    value: float,
    unit: str,
    decimals: int,
    rough: bool,
    known: Known,
    seen: dict[tuple[float, str, int, bool], tuple[list[int], bool]],
) -> tuple[list[int], bool]:
    """Which known numbers a written one is, and whether one has its digits at least; each is looked up once."""
    key = (value, unit, decimals, rough)
    if key not in seen:
        q = Quantity(value, unit, decimals, "", 0, 0)
        fits = [i for i, k in enumerate(known.amounts) if _matches(q, k.quantity, rough, any_unit=False)]
        seen[key] = (fits, bool(fits) or any(_matches(q, k.quantity, rough, any_unit=True) for k in known.amounts))
    return seen[key]


def _own(clause: _Clause, amounts: Sequence[Amount]) -> list[Amount]:
    """Of the numbers that fit those of the organs, and of the sides, that the clause names."""
    named = [a for a in amounts if a.owners & clause.named] or list(amounts)
    return [a for a in named if a.sides & clause.sides] or named


def _owner(clause: _Clause, amounts: Sequence[Amount], backing: tuple[str, str]) -> Iterator[Note]:
    """A number that the facts give for one structure may not stand in a clause that speaks of others only."""
    q, about = clause.quantity, amounts[0].about
    owners = frozenset(name for a in amounts for name in a.owners)
    if clause.named and owners:
        wrong = "" if clause.named & owners else f"{q.token!r} belongs to {about!r}"
        yield Note("anatomy", q.start, q.end, wrong, backing)
    sides = frozenset(side for a in amounts for side in a.sides)
    if clause.sides and sides:
        wrong = "" if clause.sides & (sides | {"bilateral"}) else f"{q.token!r} belongs to {about!r}"
        yield Note("sides", q.start, q.end, wrong, backing)


def _clauses(reading: Reading) -> Iterator[_Clause]:
    """Each number with the sentence part that it stands in: sentences are cut at commas and conjunctions where both
    parts hold a number. Of "the left and right kidneys measure 3 and 4 mL, respectively" the first belongs to the left.
    Where a part names no organ but says "it" or "its", or stands behind a colon, what goes before says whose number it
    is."""
    start = 0
    anatomy, sides = reading.terms.get("anatomy", []), reading.sides
    organs_at, sides_at = [t.start for t in anatomy], [s.start for s in sides]
    nobody: _Subject = (frozenset(), frozenset())
    before = nobody
    for piece in pieces(reading.text):
        markers = [(m.start(), m.end()) for m in MARKER.finditer(piece)]
        found = [q for q in quantities(piece) if not any(a <= q.start < b for a, b in markers)]
        ends = [m.end() for m in _CLAUSE_END.finditer(piece)] + [len(piece)] if found else [len(piece)]
        begin, at = 0, 0
        for end in ends:
            here = []
            while at < len(found) and found[at].start < end:
                here.append(found[at])
                at += 1
            lo, hi = bisect_left(organs_at, start + begin), bisect_left(organs_at, start + end)
            organs = anatomy[lo:hi]
            near = sides[bisect_left(sides_at, start + begin) : bisect_left(sides_at, start + end)]
            yield from _parts(piece, (begin, end), here, (organs, near), before, start)
            if piece[begin:end].strip():
                named = frozenset(t.name for t in organs)
                before = (named, frozenset(s.name for s in near)) if named else nobody
            begin = end
        start += len(piece)


def _parts(
    piece: str,
    sentence: tuple[int, int],
    found: Sequence[Quantity],
    subjects: tuple[Sequence[Term], Sequence[Side]],
    before: _Subject,
    offset: int,
) -> Iterator[_Clause]:
    organs, sides = subjects
    if not found:
        return
    listed = len(found) > 1 and _RESPECTIVELY.search(piece, *sentence) is not None
    named = frozenset(t.name for t in organs)
    if listed:
        both = frozenset(s.name for s in sides)
        for i, q in enumerate(found):
            own = frozenset({organs[i].name}) if len(organs) == len(found) else named
            side = frozenset({sides[i].name}) if len(sides) == len(found) else both
            yield _Clause(_moved(q, offset), offset + sentence[0], own, side)
        return
    begin = sentence[0]
    for i, q in enumerate(found):
        cut = _JOIN.search(piece, q.end, found[i + 1].start) if i + 1 < len(found) else None
        end = cut.start() if cut else sentence[1]
        held = (begin + offset, end + offset)
        own = frozenset(t.name for t in organs if held[0] <= t.start < held[1])
        side = frozenset(s.name for s in sides if held[0] <= s.start < held[1])
        goes_on = piece[: sentence[0]].endswith(":") or _PRONOUN.search(piece, begin, end) is not None
        if not named and goes_on:
            own, side = before[0], side or before[1]
        yield _Clause(_moved(q, offset), held[0], own, side)
        begin = cut.end() if cut else begin


def _moved(q: Quantity, offset: int) -> Quantity:
    return q._replace(start=q.start + offset, end=q.end + offset) if offset else q


def _codes(text: str, known: Known) -> Iterator[Note]:
    for match in _CODE.finditer(text):
        code = match[0].rstrip(".")
        flat = code.casefold().replace("-", "")
        wrong = "" if flat in known.flat else f"{code!r}: no fact holds it"
        yield Note("numbers", match.start(), match.start() + len(code), wrong, ("code", code))


# --- sides, organs, modalities, planes -------------------------------------------------------------------------------


def _sides(reading: Reading, known: Known) -> Iterator[Note]:
    for side in reading.sides:
        ok = side.name in known.sides or (side.name == "bilateral" and {"left", "right"} <= known.sides)
        wrong = "" if ok else f"{side.name!r}: the facts say {', '.join(sorted(known.sides)) or 'no side'}"
        if not wrong and side.organ:
            wrong = _other_side(side, known.beside.get(side.organ, frozenset()))
        if not wrong and side.name != "bilateral" and side.heads and _turned(side, known.turned):
            wrong = f"{side.name} {' '.join(sorted(side.heads))[:60]}: the facts say the other side"
        yield Note("sides", side.start, side.end, wrong, ("side", side.name))
    for match in PLACE.finditer(reading.text):
        place = match[1].lower()
        other = _OPPOSITE.get(place, "")
        if place in known.places or other in known.places:
            wrong = "" if place in known.places else f"{place!r}: the facts say {other}"
            yield Note("sides", match.start(), match.end(), wrong, ("place", place))


def _other_side(side: Side, known: frozenset[str]) -> str:
    both = {"left", "right"} <= known
    ok = not known or side.name in known or "bilateral" in known or (side.name == "bilateral" and both)
    return "" if ok else f"{side.name} {side.organ}: the facts say {', '.join(sorted(known))}"


def _turned(side: Side, known: Iterable[tuple[str, frozenset[str]]]) -> bool:
    """Whether the known side whose surroundings are most like this one's is another."""
    here, there = 0, 0
    for name, heads in known:
        shared = len(side.heads & heads)
        if name in (side.name, "bilateral"):
            here = max(here, shared)
        else:
            there = max(there, shared)
    return there > here


def _words(reading: Reading, known: Known) -> Iterator[Note]:
    terms, text = reading.terms, reading.text
    for t in terms.get("modality", ()):
        said = ", ".join(sorted(known.modality)) or "no modality"
        wrong = (
            "" if known.modality.intersection(t.name.split("|")) else f"{text[t.start : t.end]!r}: the facts say {said}"
        )
        yield Note("modality", t.start, t.end, wrong, ("modality", t.name))
    for t in terms.get("anatomy", ()):
        wrong = "" if t.name in known.anatomy else f"{text[t.start : t.end]!r}: no fact names it"
        yield Note("anatomy", t.start, t.end, wrong, ("anatomy", t.name))
    for t in terms.get("planes", ()):
        ok = t.name in known.planes or (t.name == "frontal" and bool(known.planes & {"AP", "PA", "coronal"}))
        said = ", ".join(sorted(known.planes)) or "no plane"
        yield Note("plane", t.start, t.end, "" if ok else f"{t.name!r}: the facts say {said}", ("planes", t.name))
    yield from _comparisons(reading, known)


def _comparisons(reading: Reading, known: Known) -> Iterator[Note]:
    """A comparison of the text is one of the facts, of something that its sentence, or the one before, names."""
    for t in reading.terms.get("comparisons", ()):
        word = reading.text[t.start : t.end]
        wrong = "" if t.name in known.comparisons else f"{word!r}: no fact compares"
        if not wrong:
            starts = [s.start for s in reading.sentences]
            at = max(bisect_right(starts, t.start) - 1, 0)
            near = reading.sentences[at].items
            if at and _PRONOUN.search(reading.text, starts[at], reading.sentences[at].end):
                near |= reading.sentences[at - 1].items
            if not (near - COMPARING) & known.comparisons[t.name]:
                wrong = f"{word!r}: the facts say it of something else"
        yield Note("comparison", t.start, t.end, wrong, ("comparisons", t.name))


# --- findings, negations, suppositions -------------------------------------------------------------------------------


def _stated(reading: Reading, known: Known) -> Iterator[Note]:
    all_denied = "finding" in known.denied
    for m in reading.stated:
        backing = ("findings", m.name)
        if m.name in known.affirmed:
            items = reading.sentences[m.sentence].items
            turned = m.name in known.denied and _more_like_denied(m.name, items, known)
            wrong = f"{m.name!r} is stated, the facts deny it there" if turned else ""
            yield Note("negation" if turned else "findings", m.start, m.end, wrong, backing)
            if m.sure and m.name != "finding":
                unsure = m.name not in known.sure
                wrong = f"{m.name!r} is stated as certain, the facts only suppose it" if unsure else ""
                yield Note("certainty", m.start, m.end, wrong, backing)
        elif m.name in known.denied or all_denied:
            yield Note("negation", m.start, m.end, f"{m.name!r} is stated, the facts deny it", backing)
        elif m.name != "finding":
            yield Note("findings", m.start, m.end, f"{m.name!r}: no fact states it", backing)


def _more_like_denied(name: str, items: frozenset[str], known: Known) -> bool:
    """Whether the known sentence that is most like this one denies what it states."""
    stated, denied = 0, 0
    for sentence in known.told:
        if name in sentence.items:
            shared = len(items & sentence.items)
            if name in sentence.stated:
                stated = max(stated, shared)
            else:
                denied = max(denied, shared)
    return denied > stated


def _denied(reading: Reading, known: Known) -> Iterator[Note]:
    all_denied = "finding" in known.denied
    for scope in reading.denied:
        if not scope.items():
            continue
        if scope.findings:
            supported = scope.findings <= known.denied or all_denied
            wrong = bool(scope.findings & known.affirmed - known.denied) or not supported
        else:
            wrong = not (scope.other & known.denied_words or scope.organs & known.denied_organs)
        said = reading.text[scope.start : scope.end].strip()[:60]
        name = min(scope.findings | scope.other | scope.organs)
        yield Note(
            "negation", scope.start, scope.end, f"{said!r}: no fact denies it" if wrong else "", ("denied", name)
        )


def _polarity(reading: Reading, known: Known) -> Iterator[Note]:
    """What the facts deny, or only suppose, may not be stated in a sentence that holds all its words, unless a known
    sentence that states them is as much like it as the one that denies, or supposes, them."""
    several = (
        (known.denials, "negation", "the facts deny it", False),
        (known.suppositions, "certainty", "the facts only suppose it", True),
    )
    for sentence in reading.sentences:
        for scopes, check, why, sure in several:
            told = sentence.sure if sure else sentence.stated
            for items, where in scopes:
                if items <= told and _nearer(items, sentence.items, where, known, sure):
                    wrong = f"{' '.join(sorted(items))[:60]!r} is stated, {why}"
                    yield Note(check, sentence.start, sentence.end, wrong)


def _nearer(items: frozenset[str], said: frozenset[str], where: Sequence[Sentence], known: Known, sure: bool) -> bool:
    shared = max(len(said & sentence.items) for sentence in where)
    return not any(
        items <= (other.sure if sure else other.stated) and len(said & other.items) >= shared for other in known.told
    )


# --- sentences that are nearly a known one, or like none -------------------------------------------------------------


def _sentences(reading: Reading, known: Known) -> Iterator[Note]:
    """A sentence that is a known one but for an organ, a side, a denial or a "possible", which no other known sentence
    that is as much like it has; and a sentence of which nothing is known."""
    for sentence in reading.sentences:
        if not sentence.items:
            continue
        alike, shared = _most_like(sentence, known)
        if not alike:
            if not any(item[:5] in known.stems for item in sentence.items) and not _is_checked(reading, sentence):
                words = " ".join(sorted(sentence.items))[:60]
                yield Note("findings", sentence.start, sentence.end, f"{words!r}: no fact speaks of it")
        elif (shared >= 3 and shared >= 0.6 * len(sentence.items)) or sentence.items == alike[0].items:
            several = [dict(_changed(reading, sentence, known, other)) for other in alike]
            for check in (check for check in several[0] if all(check in one for one in several)):
                yield Note(check, sentence.start, sentence.end, several[0][check])


def _most_like(sentence: Sentence, known: Known) -> tuple[list[Sentence], int]:
    """The known sentences that share most words with one, and how many those are."""
    alike: list[Sentence] = []
    shared = 1
    for other in known.told:
        count = len(sentence.items & other.items)
        if count > shared:
            alike, shared = [other], count
        elif count == shared:
            alike.append(other)
    return alike, shared


def _changed(reading: Reading, said: Sentence, known: Known, told: Sentence) -> Iterator[tuple[str, str]]:
    """(check, what is wrong) for what a sentence has otherwise than the known one."""
    strange = said.organs - told.items - {whole for organ in told.organs for whole in wholes_of(organ)}
    gone = told.organs - said.items - {whole for organ in said.organs for whole in wholes_of(organ)}
    if strange and gone:
        yield "anatomy", f"{min(strange)!r}: the facts say {min(gone)} there"
    turned = _swapped(_beside(reading, said), _beside(known.reading, told))
    if turned:
        yield "sides", f"{turned}: the facts say the other side there"
    if len(said.items & told.items) >= 0.8 * len(told.items):
        words = " ".join(sorted(said.items))[:60]
        if told.denies and not said.denies:
            yield "negation", f"{words!r} is stated, the facts deny it"
        if told.supposes and not said.supposes:
            yield "certainty", f"{words!r} is stated as certain, the facts only suppose it"


def _is_checked(reading: Reading, sentence: Sentence) -> bool:
    """Whether a sentence has a word that the other checks look at."""
    if any(ch.isdigit() for ch in reading.text[sentence.start : sentence.end]):
        return True
    several: tuple[Sequence[Term | Side], ...] = (*reading.terms.values(), reading.sides)
    return any(sentence.start <= one.start < sentence.end for found in several for one in found)


def _beside(reading: Reading, sentence: Sentence) -> Counter[tuple[str, frozenset[str]]]:
    return Counter((s.name, s.heads) for s in reading.sides if sentence.start <= s.start < sentence.end)


def _swapped(said: Counter[tuple[str, frozenset[str]]], known: Counter[tuple[str, frozenset[str]]]) -> str:
    """The side that is said once too often of what the known sentence says the other side of."""
    missing = known - said
    for side, heads in sorted(said - known, key=lambda pair: (pair[0], sorted(pair[1]))):
        other = {"left": "right", "right": "left"}.get(side, "")
        if heads and (other, heads) in missing:
            return f"{side} {' '.join(sorted(heads))[:60]}"
    return ""
