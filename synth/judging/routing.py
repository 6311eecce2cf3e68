"""Several samples of one question, and what becomes of them: kept, written anew by a stronger teacher, or dropped.

The routing is that published for InfiMed2's supervised data: of 8 samples that do not see the answer, 6 or more right
ones keep the trace of least entropy (the mean over its tokens of minus the log probability), 3 to 5 are written anew by
a stronger teacher, fewer drop the question as unstable. Where the engine does not tell log probabilities, the shortest
right trace stands for the least surprised one.

The verdict `stability` (its score is the share of right samples) stands on the one draft that comes of it; the other
samples are summarised there and not stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from manifests.sample import Draft, Verdict
from synth.asking import Talk, in_turn
from synth.chat import Role
from synth.judging.config import Routing

TURN = 1  # the assistant's


@dataclass(frozen=True, slots=True)
class Sampled:
    """One attempt: its draft with the verdicts of its own checks, whether its answer is the gold, and the mean negative
    log probability of its tokens where the engine told it."""

    draft: Draft
    correct: bool
    entropy: float | None


Make: TypeAlias = Callable[[int, Role], Talk[Sampled]]


def routed(make: Make, config: Routing, roles: frozenset[Role] = frozenset({"teacher"})) -> Talk[list[Draft]]:
    """The one draft of a question. `make(sample, role)` asks for one attempt; samples are numbered from 0, those of the
    stronger teacher go on behind the teacher's, so that each can have its own seed. All samples are asked at once.

    Reasons: `unstable`, `no_stronger_teacher`, `unanswered` (no engine answered any sample), or what the kept draft's
    own checks say.
    """
    samples = yield from in_turn([make(sample, "teacher") for sample in range(config.samples)])
    right = [one for one in samples if one.correct]
    told = _summary(samples, right)
    score = round(len(right) / len(samples), 4)
    if len(right) >= config.keep_at:
        kept, how = least(right)
        return [_told(kept.draft, score, f"{told}; kept {how}", "")]
    if len(right) < config.stronger_at:
        reason = "unstable" if any(_answered(one.draft) for one in samples) else "unanswered"
        return [_told((right or samples)[0].draft, score, told, reason)]
    if "stronger" not in roles:
        return [_told(least(right)[0].draft, score, told, "no_stronger_teacher")]
    numbers = range(config.samples, config.samples + config.stronger_samples)
    again = yield from in_turn([make(sample, "stronger") for sample in numbers])
    kept, how = least([one for one in again if one.correct] or again)
    return [_told(kept.draft, score, f"{told}; written by the stronger teacher, {how}", "")]


def least(samples: Sequence[Sampled]) -> tuple[Sampled, str]:
    """The least surprised of some samples, among the accepted ones where there are any, and how it was chosen; the
    first of equal ones."""
    pool = [one for one in samples if one.draft.accepted] or list(samples)
    entropies = [one.entropy for one in pool if one.entropy is not None]
    if len(entropies) == len(pool):
        lowest = min(entropies)
        return pool[entropies.index(lowest)], f"the least entropy, {lowest:.4f} of at most {max(entropies):.4f}"
    lengths = [sum(len(turn.content) for turn in one.draft.turns) for one in pool]
    return pool[lengths.index(min(lengths))], f"the shortest, {min(lengths)} characters"


def _summary(samples: Sequence[Sampled], right: Sequence[Sampled]) -> str:
    unanswered = sum(1 for one in samples if not _answered(one.draft))
    accepted = sum(1 for one in right if one.draft.accepted)
    parts = [f"{len(right)} of {len(samples)} right", f"{accepted} of these faithful"]
    return ", ".join([*parts, f"{unanswered} unanswered"] if unanswered else parts)


def _answered(draft: Draft) -> bool:
    return not any(v.check == "answered" and not v.passed for v in draft.verdicts)


def _told(draft: Draft, score: float, evidence: str, reason: str) -> Draft:
    """The draft with its verdict `stability`; `reason` drops it whatever its own checks said."""
    verdict = Verdict(TURN, "stability", not reason, score, evidence[:200])
    verdicts = (*draft.verdicts, verdict)
    if not reason:
        return replace(draft, verdicts=verdicts)
    return replace(draft, verdicts=verdicts, accepted=False, reason=reason)
