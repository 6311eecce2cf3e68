"""An angle: `gold` in degrees, `tolerance` in degrees. Radians and a temperature are no angle."""

from __future__ import annotations

from manifests.sample import Answer
from synth.verifiers import amounts
from synth.verifiers.base import Finding


def check(text: str, answer: Answer) -> Finding:
    """Whether the text is one angle within the tolerance, in degrees or without a unit."""
    golds = amounts.golds(answer)
    read = amounts.read(text, "degree", words=False, most=2)
    if read.problem or len(golds) != 1 or len({a.value for a in read.amounts}) != 1:
        return Finding(False, read.problem or f"{len(read.amounts)} numbers, gold {answer.gold!r}")
    right = abs(read.amounts[0].value - golds[0]) <= answer.tolerance + 1e-9
    return Finding(right, f"{read.amounts[0].value:g}, gold {answer.gold} within {answer.tolerance:g} degrees")
