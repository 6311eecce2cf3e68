"""Days in any text, whatever way they are written: 20040119 (also before a time), 2004-01-19, 19.01.2004, 01/19/2004,
19 January 2004, Jan 19th, 2004, 19-JAN-2004, 2004年1月19日. Where day and month can be told apart by nothing, both
readings are given. Numbers that go on before or behind (a decimal fraction, a longer number) are no days.

Not covered: years of two digits, days without a year, other calendars and languages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAME = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_BEFORE = r"(?<!\d)(?<!\d\.)"
_COMPACT = re.compile(_BEFORE + r"(\d{8})(?:T?\d{4}(?:\d\d)?)?(?!\d)")
_YEAR_FIRST = re.compile(_BEFORE + r"(\d{4})(?:([-/.])(\d\d?)\2(\d\d?)|([ _])(\d\d)\5(\d\d))(?!\d|\.\d)")
_YEAR_LAST = re.compile(_BEFORE + r"(?:(\d\d?)([-/.])(\d\d?)\2|(\d\d)([ _])(\d\d)\5)(\d{4})(?!\d|\.\d)")
_DAY_FIRST = re.compile(
    r"(?<!\d)(\d\d?)(?:st|nd|rd|th)?(?: of)?[ ._-]{0,2}" + _NAME + r"[ .,_-]{0,3}(\d{4})(?!\d)", re.I
)
_MONTH_FIRST = re.compile(r"(?<![a-z])" + _NAME + r"[ ._-]{0,2}(\d\d?)(?:st|nd|rd|th)?[ .,_-]{1,3}(\d{4})(?!\d)", re.I)
_CHINESE = re.compile(r"(?<!\d)(\d{4}) ?年 ?(\d{1,2}) ?月 ?(\d{1,2}) ?[日号]")
_FOUR_DIGITS = re.compile(r"\d{4}")
_NUMBER = re.compile(r"[\d.]*")
_NEAR = 30  # characters between a year and the rest of its day
_WORDS = re.compile("|".join(_MONTHS), re.I)


def days_in(text: str) -> Iterator[str]:
    """Every day that a text may speak of, as YYYYMMDD."""
    return (day for day, _ in days_at(text))


def days_at(text: str) -> Iterator[tuple[str, int]]:
    """(day, where it begins). Looked at is only what lies around four digits in a row, for every form has a year."""
    for start, end in _around_years(text):
        yield from _days_between(text, start, end)


def _around_years(text: str) -> Iterator[tuple[int, int]]:
    start = end = -1
    for year in _FOUR_DIGITS.finditer(text):
        if end >= 0 and year.start() - _NEAR > end:
            yield start, _past_number(text, end)
            end = -1
        if end < 0:
            start = max(0, year.start() - _NEAR)
        end = year.end() + _NEAR
    if end >= 0:
        yield start, _past_number(text, end)


def _past_number(text: str, end: int) -> int:
    """The end of a number that would be cut off."""
    rest = _NUMBER.match(text, end) if end < len(text) else None
    return rest.end() if rest else len(text)


def _days_between(text: str, start: int, end: int) -> Iterator[tuple[str, int]]:
    for match in _COMPACT.finditer(text, start, end):
        digits = match[1]
        yield from _day(digits[:4], digits[4:6], digits[6:], match)
        yield from _day(digits[4:], digits[2:4], digits[:2], match)
        yield from _day(digits[4:], digits[:2], digits[2:4], match)
    for match in _YEAR_FIRST.finditer(text, start, end):
        yield from _day(match[1], match[3] or match[6], match[4] or match[7], match)
    for match in _YEAR_LAST.finditer(text, start, end):
        one, other = match[1] or match[4], match[3] or match[6]
        yield from _day(match[7], other, one, match)
        yield from _day(match[7], one, other, match)
    if _WORDS.search(text, start, end):
        for match in _DAY_FIRST.finditer(text, start, end):
            yield from _day(match[3], _month(match[2]), match[1], match)
        for match in _MONTH_FIRST.finditer(text, start, end):
            yield from _day(match[3], _month(match[1]), match[2], match)
    if text.find("年", start, end) >= 0:
        for match in _CHINESE.finditer(text, start, end):
            yield from _day(match[1], match[2], match[3], match)


def _month(name: str) -> str:
    return str(_MONTHS.index(name[:3].lower()) + 1)


def _day(year: str, month: str, day: str, match: re.Match[str]) -> Iterator[tuple[str, int]]:
    if 1800 <= int(year) <= 2199 and 1 <= int(month) <= 12 and 1 <= int(day) <= 31:
        yield f"{year}{int(month):02d}{int(day):02d}", match.start()
