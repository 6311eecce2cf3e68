"""Labels in an order: `gold` `liver; spleen|lien; pancreas`. Every element in its place, none left out or added."""

from __future__ import annotations

import re

from manifests.sample import Answer
from synth.verifiers.base import DENIAL, HEDGE, Finding, plain
from synth.verifiers.listed import elements, gold_elements

_NO_ORDER = re.compile(
    r"\b(?:any order|no order|order does|reversed?|vice versa|backwards?)\b|[<=](?!>)", re.IGNORECASE
)


def check(text: str, answer: Answer) -> Finding:
    """Whether the said elements are the gold's in the gold's order; numbers before them must count up from 1."""
    golds = gold_elements(answer.gold)
    said = elements(text, golds)
    shown = plain(text)
    if not golds or said is None or len(said) != len(golds):
        return Finding(False, f"{len(said or ())} elements of {len(golds)}, or numbered otherwise")
    if HEDGE.search(shown) or _NO_ORDER.search(shown) or DENIAL.search(shown):
        return Finding(False, "in doubt, or no order")
    wrong = [k for k, (name, gold) in enumerate(zip(said, golds, strict=True)) if name not in gold]
    return Finding(
        not wrong, f"element {wrong[0] + 1} is {said[wrong[0]][:60]!r}" if wrong else f"{len(golds)} in order"
    )
