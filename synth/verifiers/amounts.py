"""Amounts as verifiers read them: every number of a text is accounted for, with the words that change its meaning.

`synth.quantities` reads numbers and units; here a number is refused whose neighbour makes it another amount: a unit
that is not known, a bound, a factor, an operation, a further "per". A number without a unit is read in the gold's
unit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from manifests.sample import Answer
from synth.quantities import Quantity, quantities, unit_factor, unit_name
from synth.verifiers.base import DENIAL, HEDGE, plain

_BEFORE = re.compile(
    r"(?:[<>≤≥±+/^*=]|(?<![=≈])=>|\b(?:over|under|than|least|most|below|above|beyond|exceed(?:s|ing|ed)?|up to|"
    r"minimum|maximum|min\.?|max\.?|less|more|half|"
    r"twice|double|triple|times|before|after|until|within|almost|nearly|plus|square root|log|no\.|"
    r"(?:larger|smaller|longer|shorter|greater|grown|grew|shrunk|shrank|increased|decreased|reduced|rose|"
    r"fell)(?:\s+by)?|"
    r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty-?|hundred|thousand)(?:\s+(?:of|an?|the))?)\s*\Z",
    re.IGNORECASE,
)
_FACTOR = re.compile(
    r"\s*-?\s*(?:hundred|thousand|million|billion|dozen|score|k|times|fold|quarters?|thirds?|halves|half|fourths?|"
    r"fifths?|tenths?|hundredths?|thousandths?|pairs?)\b",
    re.IGNORECASE,
)
_CHANGED = re.compile(
    r"\s*(?:[/^*±²³+]|\.\d|-[A-Za-z]|(?:H2O|water|Hg|mercury)\b|(?:at\s+)?(?:minimum|maximum|min|max)\b|"
    r"(?:smaller|larger|longer|shorter|greater|bigger|more|less|wider|deeper)\b|-?\s*(?:per|squared|cubed|each|"
    r"times)\b|(?:or|and)\s+(?:more|less|over|under|above|below|larger|"
    r"greater|smaller|longer|shorter)\b|(?:at|to)\s+(?:least|most)\b|fahrenheit\b|celsius\b|kelvin\b|[CFK]\b)",
    re.IGNORECASE,
)
# What may follow a number that has no unit, where the gold has one
_FILLER = frozenset(
    re.findall(
        r"\S+",
        "in on at as is are was of for from to and or because since which that so the with by when total long "
        "wide deep thick high tall large big across x through until till approximately about roughly after "
        "later apart between overall here",
    )
)
# What makes a count no count
_MEASURE = frozenset(
    re.findall(
        r"\S+",
        "gy mgy cgy iu bq mbq mci meq msv sv pa bar nm km ft feet oz lb pounds stone gallons rad radians k °c "
        "°f px pixels tons tonnes decades centuries score ng pg dozen",
    )
)
_NEXT = re.compile(r"[\s-]*([^\W\d_]+|°\w)", re.UNICODE)
_IN_SIZE = re.compile(
    r"\s+in\s+(?:length|size|diameter|width|height|depth|thickness|total|volume|all|the|this|extent)\b"
)
_SIGN_WORD = re.compile(r"\b(?:minus|negative)\s+(?=\d)", re.IGNORECASE)


class Amount(NamedTuple):
    """A number in the gold's unit; `unit` is whether it had one; `start` and `end` are where it stands in `text`."""

    value: float
    unit: str
    start: int
    end: int


class Read(NamedTuple):
    """The text as it was read and its amounts, or why it cannot count."""

    text: str
    amounts: tuple[Amount, ...]
    problem: str = ""


def read(text: str, unit: str, words: bool = True, most: int = 12) -> Read:
    """The amounts of a text in `unit` (as written; "" for a count).

    With `words` a number may be written out ("three") where there is no digit. Any amount that is denied, hedged,
    bounded, multiplied or of another dimension makes the whole text count for nothing.
    """
    shown = _SIGN_WORD.sub("-", plain(text))
    shown = re.sub(r"(?<=\d)(?=%)", " ", shown)
    found = quantities(shown, words=None) or (quantities(shown, words=0) if words else [])
    if not found or len(found) > most:
        return Read(shown, (), "no number" if not found else f"{len(found)} numbers")
    if re.sub(r"[^0-9]", "", shown) != "".join(re.sub(r"[^0-9]", "", q.token) for q in found) and not _codes_only(
        shown, found
    ):
        return Read(shown, (), "digits that are no number")
    target, amounts = unit_name(unit), []
    for q in found:
        problem = _problem(shown, q, bool(unit))
        factor = 1.0 if not q.unit else unit_factor(q.unit, target)
        if problem or factor is None:
            return Read(shown, (), problem or f"{q.token!r} is not in {unit or 'no unit'}")
        amounts.append(Amount(q.value * factor, q.unit, q.start, q.end))
    return Read(shown, tuple(amounts))


def _codes_only(shown: str, found: Sequence[Quantity]) -> bool:
    """Whether the digits outside the numbers belong to words (`L1`, `3D`), not to something misread."""
    spans = [(q.start, q.end) for q in found]
    for match in re.finditer(r"\S{0,40}\d\S{0,40}", shown):
        if not any(a < match.end() and match.start() < b for a, b in spans) and not re.search(r"[A-Za-z]", match[0]):
            return False
    return True


def _problem(text: str, q: Quantity, measured: bool) -> str:
    around = _sentence(text, q)
    if DENIAL.search(around) or HEDGE.search(_without_or(around)):
        return f"{q.token!r} is denied or in doubt"
    before, after = text[max(q.start - 40, 0) : q.start], text[q.end : q.end + 40]
    if _BEFORE.search(before) and not re.search(r"(?<![<>])=\s*\Z", before):
        return f"{q.token!r} is bounded or part of something"
    if _FACTOR.match(after) or _CHANGED.match(after):
        return f"{q.token!r} is changed by what follows"
    return _unknown_unit(text, q, measured)


def _without_or(sentence: str) -> str:
    """ "12.5 mm or 1.25 cm" may be two ways of saying one amount: its values decide."""
    return re.sub(r"\bor\b(?=\s+[-~≈]?\d)", " ", sentence)


def _sentence(text: str, q: Quantity) -> str:
    """The sentence around a number, 200 characters to each side at most."""
    start = max(text.rfind(mark, max(q.start - 200, 0), q.start) for mark in (". ", "! ", "; ", "\n"))
    ends = [e for mark in (". ", "! ", "; ", "\n") if (e := text.find(mark, q.end, q.end + 200)) >= 0]
    return text[max(start, q.start - 200, 0) : min(ends, default=q.end + 200)]


def _unknown_unit(text: str, q: Quantity, measured: bool) -> str:
    following = _NEXT.match(text, q.end)
    if q.unit or following is None:
        return ""
    word = following[1].lower()
    if word in _MEASURE or (measured and word not in _FILLER):
        return f"{following[1]!r} is no unit of this"
    if measured and word == "in" and not _IN_SIZE.match(text, q.end):
        return "inches, or nothing"
    return ""


def close(value: float, gold: float, relative: float) -> bool:
    return math.isfinite(value) and abs(value - gold) <= max(relative, 1e-9) * abs(gold) + 1e-12


def golds(answer: Answer) -> list[float]:
    """The numbers of a gold, in the answer's unit."""
    return [q.value for q in quantities(plain(answer.gold), words=None)]


JOIN_RANGE = re.compile(r"\s*(?:-{1,2}|–|—|to|through|until|till|and|,)\s*\Z", re.IGNORECASE)
JOIN_LIST = re.compile(r"\s*(?:x|×|\*|by|,|;|and|, and)\s*\Z", re.IGNORECASE)
JOIN_SAME = re.compile(
    r"[\s,;.]*(?:[(\[=≈]|or|i\.e\.|that is|which is|equals|corresponding to)[\s=≈~(]*(?:about|approximately)?\s*\Z",
    re.IGNORECASE,
)
