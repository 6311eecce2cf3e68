"""The time between two dates: `gold` an amount in `unit` (day by default) or `2020-03-01/2020-03-15`; `tolerance` in
days.

A month is a twelfth of a year of 365.25 days, as pint has it.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re

from manifests.sample import Answer
from synth.quantities import unit_factor, unit_name
from synth.verifiers import amounts
from synth.verifiers.base import DENIAL, HEDGE, Finding, plain

_DATE = re.compile(r"(?<![\w-])(\d{4})-(\d{2})-(\d{2})(?![\w-])")
_LATER = re.compile(r"(?<=[a-z])\s+(?:later|apart|after(?:wards)?|between them)\b", re.IGNORECASE)
_ADJECTIVE = re.compile(r"(?<=\d)-(?=(?:day|week|month|year|hour)s?\b)", re.IGNORECASE)


def check(text: str, answer: Answer) -> Finding:
    """Whether the text is the gold's time, as an amount ("2 weeks and 3 days") or as two dates in their order."""
    gold_dates = _dates(answer.gold)
    unit = answer.unit or "day"
    if gold_dates:
        wanted = float((gold_dates[1] - gold_dates[0]).days)
    else:
        found, factor = amounts.golds(answer), unit_factor(unit_name(unit), "day")
        if len(found) != 1 or factor is None:
            return Finding(False, f"gold {answer.gold!r} {unit} is no time")
        wanted = found[0] * factor
    shown = plain(text)
    if _DATE.search(shown):
        return _by_dates(shown, gold_dates, wanted, answer)
    days, problem = _amount(_LATER.sub("", _ADJECTIVE.sub(" ", shown)), unit)
    if problem:
        return Finding(False, problem)
    return Finding(abs(days - wanted) <= answer.tolerance + 1e-6, f"{days:g} days, gold {wanted:g}")


def _dates(text: str) -> tuple[dt.date, dt.date] | None:
    """The two dates of a text that has exactly two."""
    found = _DATE.findall(text)
    try:
        days = [dt.date(int(y), int(m), int(d)) for y, m, d in found]
    except ValueError:
        return None
    return (days[0], days[1]) if len(days) == 2 else None


def _by_dates(shown: str, gold: tuple[dt.date, dt.date] | None, wanted: float, answer: Answer) -> Finding:
    said = _dates(shown)
    rest = _DATE.sub("#", shown)
    if said is None or DENIAL.search(rest) or HEDGE.search(rest) or re.search(r"\d", rest):
        return Finding(False, "not two dates")
    if gold:
        right = all(abs((a - b).days) <= answer.tolerance + 1e-9 for a, b in zip(said, gold, strict=True))
    else:
        right = abs((said[1] - said[0]).days - wanted) <= answer.tolerance + 1e-6
    return Finding(right, f"{said[0]} to {said[1]}, gold {answer.gold}")


def _amount(shown: str, unit: str) -> tuple[float, str]:
    """Days: one amount, its repetition in brackets, or a sum of falling units ("2 weeks and 3 days")."""
    read = amounts.read(shown, "day" if unit_name(unit) else unit, most=3)
    if read.problem:
        return 0.0, read.problem
    bare = unit_factor(unit_name(unit), "day") or 1.0
    days = [a.value if a.unit else a.value * bare for a in read.amounts]
    between = [read.text[a.end : b.start] for a, b in zip(read.amounts, read.amounts[1:], strict=False)]
    if all(re.fullmatch(r"\s*,?\s*(?:and)?\s*", text) for text in between):
        units = [unit_factor(a.unit, "day") or 0.0 for a in read.amounts]
        falling = all(a > b > 0 for a, b in itertools.pairwise(units))
        return (sum(days), "") if falling or len(days) == 1 else (0.0, "amounts that are no sum")
    same = all(amounts.JOIN_SAME.fullmatch(text) for text in between) and max(days) - min(days) < 0.02 * max(days)
    return (days[0], "") if same else (0.0, "several amounts")
