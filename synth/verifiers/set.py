"""A set of labels: `gold` `pleural effusion|effusion; nodule`; `tolerance` is 1 minus the least F1 (0: all and no
more).
"""

from __future__ import annotations

import re

from manifests.sample import Answer
from synth.verifiers.base import HEDGE, Finding, plain
from synth.verifiers.listed import MOST, elements, gold_elements

_EXCEPT = re.compile(r"\b(?:not|except|without|but|other than|unless|neither|nor)\b", re.IGNORECASE)


def check(text: str, answer: Answer) -> Finding:
    """Whether the F1 of the said elements reaches 1 - `tolerance`; an element said twice counts as one too many.

    "or", a hedge and an exception spoil the whole, a denied element ("no effusion") is none of the gold's.
    """
    golds = gold_elements(answer.gold)
    said = elements(text, golds)
    shown = plain(text)
    if not golds or said is None or not 0 < len(said) <= MOST:
        return Finding(False, "no list, or one too long")
    if HEDGE.search(shown) or _EXCEPT.search(shown):
        return Finding(False, "in doubt, or with an exception")
    hits = sum(any(name in gold for name in said) for gold in golds)
    score = 2 * hits / (len(said) + len(golds))
    return Finding(score >= 1 - answer.tolerance - 1e-9, f"F1 {score:.3f} of {len(golds)} elements")
