"""Several numbers in their order: `gold` `44.3 x 21.0`, `unit` mm, `tolerance` relative."""

from __future__ import annotations

from manifests.sample import Answer
from synth.verifiers import amounts
from synth.verifiers.base import Finding


def check(text: str, answer: Answer) -> Finding:
    """Whether the text has the gold's numbers in order, joined by `x`, "by", commas or "and", and no other number."""
    golds = amounts.golds(answer)
    read = amounts.read(text, answer.unit, most=len(golds))
    if read.problem or not golds or len(read.amounts) != len(golds):
        return Finding(False, read.problem or f"{len(read.amounts)} numbers, gold {answer.gold!r}")
    for found, gold in zip(read.amounts, golds, strict=True):
        if not amounts.close(found.value, gold, answer.tolerance):
            return Finding(False, f"{read.text[found.start : found.end]!r}, gold {answer.gold} {answer.unit}".rstrip())
    joins = [read.text[a.end : b.start] for a, b in zip(read.amounts, read.amounts[1:], strict=False)]
    if not all(amounts.JOIN_LIST.fullmatch(join) for join in joins):
        return Finding(False, "numbers that are no list")
    return Finding(True, f"{answer.gold} {answer.unit}".rstrip())
