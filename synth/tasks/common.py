"""What the program tasks share: seeded choice, and a draft whose acceptance follows from its verdicts."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Sequence
from typing import TypeVar

from manifests.sample import Draft, Proof, Verdict
from synth.proofs import proven
from synth.verify import not_empty

T = TypeVar("T")


def seeded(seed: int, *parts: str) -> int:
    """A number from 0 to 2**64 - 1 that depends on the seed and the parts alone."""
    text = "\x1f".join((str(seed), *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def pick(options: Sequence[T], seed: int, *parts: str) -> T:
    """One of the options, by seeded hash."""
    return options[seeded(seed, *parts) % len(options)]


def shuffled(options: Sequence[str], seed: int, *parts: str) -> list[str]:
    """The options in an order that depends on the seed and the parts, not on the order given."""
    return sorted(options, key=lambda option: (seeded(seed, *parts, option), option))


def source_verdict(turn: int, evidence: str) -> Verdict:
    """The verdict that an answer is the source's own."""
    return Verdict(turn=turn, check="source_gold", passed=True, score=1.0, evidence=evidence[:200])


def with_article(words: str) -> str:
    """`words` behind "a" or "an", by the letter or by how an abbreviation is spoken (an MR image, an X-ray)."""
    first = words.split()[0]
    if first.isupper() and len(first) <= 4:
        return f"{'an' if first[0] in 'AEFHILMNORSX' else 'a'} {words}"
    vowel = re.match(r"(?:[aeio]|x-|ultra|un(?!i))", first.lower())
    return f"{'an' if vowel else 'a'} {words}"


def joined(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def finish(draft: Draft) -> Draft:
    """The draft with a verdict for each of its proofs, which were just computed, and for not being empty.

    It is accepted where all its verdicts passed; else `reason` is the first check that failed.
    """
    shown = draft.text or " ".join(turn.content for turn in draft.turns)
    verdicts = (*(proven(proof) for proof in draft.proofs), *draft.verdicts, not_empty(shown, -1))
    failed = next((v.check for v in verdicts if not v.passed), "")
    return dataclasses.replace(draft, verdicts=verdicts, accepted=not failed, reason=failed)


def for_gold(proof: Proof) -> Proof:
    """The same proof for a prompt without an assistant turn: its turn is -1, for the gold."""
    return dataclasses.replace(proof, turn=-1)
