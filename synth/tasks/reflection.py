"""How a reflective chain is written, and its two checks: that the pattern is there, that wrong claims are withdrawn.

A program joins what a teacher wrote: first attempt, critique, corrected reasoning. The marks of a pattern and the
withdrawals come from closed lists of wordings, so that a check finds them again without a model. A withdrawal quotes
the claim that it takes back, word for word.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from manifests.sample import Verdict
from synth.tasks.spans import sentences
from synth.tasks.teaching import verdict
from synth.verify import normal_form

Pattern = Literal["verification", "correction", "backtracking", "alternative"]
PATTERNS: tuple[Pattern, ...] = ("verification", "correction", "backtracking", "alternative")
_LEADS = ("So the answer seems to be {first}.", "That would make it {first}.", "This points to {first}.")
_ENDS = ("So the answer is {final}.", "This leaves {final}.", "Therefore: {final}.")
WITHDRAWS = ('I withdraw "{claim}".', 'I take back "{claim}".', 'I no longer hold "{claim}".')
# (mark before the critique, mark before the corrected reasoning)
MARKS: Mapping[Pattern, tuple[tuple[str, ...], tuple[str, ...]]] = MappingProxyType(
    {
        "verification": (
            ("Let me verify this.", "Let me check this against what is given.", "To verify:"),
            ("This confirms the first answer.", "The first answer stands.", "The check agrees with it."),
        ),
        "correction": (
            ("Wait, this does not fit.", "Hold on, that is not right.", "Wait, let me look at this once more."),
            ("Corrected:", "Put right:", "The correct reasoning is:"),
        ),
        "backtracking": (
            ("Let me go back.", "I have to go back a step.", "This path leads nowhere, so I go back."),
            ("Starting again from what is given:", "From the beginning:", "Starting over:"),
        ),
        "alternative": (
            ("There is another reading.", "Alternatively, it can be read in another way.", "Consider another path."),
            ("The other reading holds:", "The second path fits what is given:", "The other way round:"),
        ),
    }
)


@dataclass(frozen=True)
class Chain:
    """A chain and its parts. `response` is the assistant's turn; `stands` are the teacher's sentences that were not
    withdrawn; `withdrawn` pairs the span of each withdrawn claim with that of its withdrawal, in `response`."""

    pattern: Pattern
    attempt: str
    first: str
    critique: str
    reasoning: str
    final: str
    response: str = ""
    stands: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    withdrawn: tuple[tuple[tuple[int, int], tuple[int, int]], ...] = ()


def claims_kept(text: str) -> list[str]:
    """The sentences of a text."""
    return [text[a:b] for a, b in sentences(text)]


def written(chain: Chain, wrong: Sequence[str], choose: Callable[[Sequence[str]], str]) -> Chain:
    """The chain in words, with its spans. `wrong` are sentences of the attempt; the first answer is withdrawn with them
    where the last one is another."""
    # a withdrawal quotes a claim, which must hold no quotation marks of its own
    chain = dataclasses.replace(chain, attempt=_unquoted(chain.attempt), first=_unquoted(chain.first))
    wrong = [_unquoted(claim) for claim in wrong]
    before, behind = MARKS[chain.pattern]
    lead = choose(_LEADS).format(first=chain.first.rstrip("."))
    claims = [*wrong, *([lead] if _other(chain) else [])]
    wording = choose(WITHDRAWS)
    back = [wording.format(claim=claim.rstrip(".")) for claim in claims]
    end = choose(_ENDS).format(final=chain.final.rstrip("."))
    parts = [chain.attempt, lead, choose(before), chain.critique, *back, choose(behind), chain.reasoning, end]
    think = " ".join(_closed(part) for part in parts)
    response = f"<think>{think}</think><answer>{chain.final}</answer>"
    stands = [s for s in claims_kept(chain.attempt) if s not in wrong] + [chain.critique, chain.reasoning]
    spans = tuple(_places(response, claim, taken) for claim, taken in zip(claims, back, strict=True))
    return dataclasses.replace(
        chain, response=response, stands=tuple(map(_closed, stands)), wrong=tuple(claims), withdrawn=spans
    )


def _unquoted(text: str) -> str:
    return text.replace('"', "'")


def _closed(text: str) -> str:
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."


def _other(chain: Chain) -> bool:
    return normal_form(chain.first) != normal_form(chain.final)


def _places(response: str, claim: str, taken: str) -> tuple[tuple[int, int], tuple[int, int]]:
    at, later = response.find(claim), response.rfind(taken)
    return (at, at + len(claim)), (later, later + len(taken))


def check_pattern(chain: Chain, turn: int) -> Verdict:
    """The verdict `pattern`: both marks of the pattern stand in the chain, in order, once the first answer was given;
    the first answer is the last one in a verification, and another one in every other pattern."""
    before, behind = MARKS[chain.pattern]
    first = max((chain.response.find(mark) for mark in before), default=-1)
    second = max((chain.response.find(mark, first) for mark in behind), default=-1)
    marked = 0 <= first < second and chain.first in chain.response[:first]
    fits = _other(chain) is not (chain.pattern == "verification")
    found = (
        f"{chain.pattern}: {'marked' if marked else 'not marked'}, first answer {'fits' if fits else 'does not fit'}"
    )
    return verdict("pattern", marked and fits, found, turn)


_WITHDRAWAL = re.compile("|".join(re.escape(w).replace(re.escape("{claim}"), '([^"]+)') for w in WITHDRAWS))


def check_withdrawn(chain: Chain, turn: int) -> Verdict:
    """The verdict `withdrawn`: each wrong claim is taken back by its own words later in the chain. The evidence has the
    spans, in characters of the assistant's turn: `claim>withdrawal`."""
    taken = {m[m.lastindex or 0]: m.start() for m in _WITHDRAWAL.finditer(chain.response)}
    left = [c for c in chain.wrong if taken.get(c.rstrip("."), -1) <= chain.response.find(c)]
    spans = "; ".join(f"{a}-{b}>{c}-{d}" for (a, b), (c, d) in chain.withdrawn)
    return verdict("withdrawn", not left, f"not taken back: {left[0]}" if left else spans or "nothing wrong", turn)
