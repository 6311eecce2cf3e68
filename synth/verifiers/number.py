"""A number with its unit: `gold` 12.5, `unit` mm, `tolerance` relative. 5 mg is not 5 g, and 5 mg/kg is neither."""

from __future__ import annotations

from manifests.sample import Answer
from synth.verifiers import amounts
from synth.verifiers.base import Finding


def check(text: str, answer: Answer) -> Finding:
    """Whether the text states the gold's amount, once or twice (`1.25 cm (12.5 mm)`), and no other.

    Units are converted where the dimension agrees; a unit of another dimension or one that is not known, a bound
    (`> 5`, "at least 5"), a denied, doubted or multiplied value and an operation ("12.5 + 1") are wrong.
    """
    gold = amounts.golds(answer)
    if len(gold) != 1:
        return Finding(False, f"gold {answer.gold!r} is not one number")
    read = amounts.read(text, answer.unit)
    if read.problem:
        return Finding(False, read.problem)
    for amount in read.amounts:
        if not amounts.close(amount.value, gold[0], answer.tolerance):
            return Finding(
                False, f"{read.text[amount.start : amount.end]!r} is not {answer.gold} {answer.unit}".rstrip()
            )
    if not _one_statement(read):
        return Finding(False, f"{len(read.amounts)} numbers that are not one statement")
    first = read.amounts[0]
    return Finding(True, f"{read.text[first.start : first.end]!r} is {answer.gold} {answer.unit}".rstrip())


def _one_statement(read: amounts.Read) -> bool:
    """One number, or two of which the second says the first again."""
    if len(read.amounts) > 2:
        return False
    if read.text[: read.amounts[0].start].rstrip().endswith(("x", "×")):
        return False
    between = [read.text[a.end : b.start] for a, b in zip(read.amounts, read.amounts[1:], strict=False)]
    return all(amounts.JOIN_SAME.fullmatch(text) or len(text) > 12 for text in between)
