"""A range: `gold` `12-45` (low-high), `unit` or none, `tolerance` relative to each end."""

from __future__ import annotations

import re

from manifests.sample import Answer
from synth.verifiers import amounts
from synth.verifiers.base import Finding

_NAMED = re.compile(r"\b(?:slices?|images?|frames?|levels?|sections?)\s+(?=\d)", re.IGNORECASE)


def check(text: str, answer: Answer) -> Finding:
    """Whether the text is the gold's two ends in order: `12-45 mm`, "from 12 to 45", "between 12 and 45", `[12, 45]`.

    "12 and 45" alone is a pair of numbers, not a range.
    """
    golds = amounts.golds(answer)
    shown = _NAMED.sub("", text)
    if golds and golds[-1] >= 0:
        shown = re.sub(r"(?<=\d)\s?--\s?(?=\d)", " to ", shown)
    read = amounts.read(shown, answer.unit, words=False, most=2)
    if read.problem or len(golds) != 2 or len(read.amounts) != 2:
        return Finding(False, read.problem or f"{len(read.amounts)} ends, gold {answer.gold!r}")
    if not joined(read):
        return Finding(False, "two numbers that are no range")
    right = all(amounts.close(a.value, g, answer.tolerance) for a, g in zip(read.amounts, golds, strict=True))
    said = "-".join(f"{a.value:g}" for a in read.amounts)
    return Finding(right, f"{said}, gold {answer.gold} {answer.unit}".rstrip())


def joined(read: amounts.Read) -> bool:
    """Whether two amounts stand as the ends of one range."""
    first, last = read.amounts
    join, before = read.text[first.end : last.start], read.text[: first.start]
    if re.fullmatch(r"\s*and\s*", join, re.IGNORECASE):
        return re.search(r"\bbetween\s*\Z", before, re.IGNORECASE) is not None
    if re.fullmatch(r"\s*,\s*", join):
        return before.rstrip().endswith("[") and read.text[last.end :].lstrip().startswith("]")
    return amounts.JOIN_RANGE.fullmatch(join) is not None
