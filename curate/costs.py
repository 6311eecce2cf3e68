"""What teachers cost and gave: counted by each unit, summed for the manifest, told by `curate run` and the report.

Requests, tokens and verdicts are the same however often a run was interrupted: the request ledger keeps every answer
with its tokens. What was really asked in this run (`fresh`), and how fast, stands apart, outside of what is hashed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manifests.manifest import PromptUse
from manifests.sample import Draft
from synth.asking import Spent
from synth.chat import Role


@dataclass(frozen=True, slots=True)
class Told:
    """Of a teacher's draft what is counted."""

    prompt_id: str
    accepted: bool
    checks: tuple[tuple[str, bool], ...]

    @classmethod
    def of(cls, draft: Draft) -> Told:
        return cls(draft.teacher.prompt_id, draft.accepted, tuple((v.check, v.passed) for v in draft.verdicts))


FRESH = ("fresh_requests", "fresh_prompt_tokens", "fresh_completion_tokens")


def counted(spent: Mapping[tuple[Role, str], Spent], drafts: Iterable[Told]) -> dict[str, Any]:
    """A unit's part, for its summary: `asked` by role and prompt, `checks` as [passed, failed] by name, `fresh_*`."""
    made: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    checks: dict[str, list[int]] = {}
    for draft in drafts:
        made[draft.prompt_id] += 1
        accepted[draft.prompt_id] += draft.accepted
        for check, passed in draft.checks:
            checks.setdefault(check, [0, 0])[not passed] += 1
    asked = [
        {
            "role": role,
            "prompt_id": prompt,
            "requests": one.requests,
            "prompt_tokens": one.prompt_tokens,
            "completion_tokens": one.completion_tokens,
            "errors": one.errors,
            "drafts": made[prompt] if role == "teacher" else 0,
            "accepted": accepted[prompt] if role == "teacher" else 0,
        }
        for (role, prompt), one in sorted(spent.items())
    ]
    fresh = dict.fromkeys(FRESH, 0)
    for one in spent.values():
        for name, n in zip(FRESH, (one.fresh_requests, one.fresh_prompt_tokens, one.fresh_tokens), strict=True):
            fresh[name] += n
    return {"asked": asked, "checks": dict(sorted(checks.items())), **fresh}


def prompts_of(summaries: Sequence[Mapping[str, Any]]) -> tuple[PromptUse, ...]:
    """The sums of all units, by role and prompt."""
    sums: dict[tuple[str, str], PromptUse] = {}
    for row in (row for summary in summaries for row in summary.get("asked", ())):
        one = PromptUse(**row)
        known = sums.get((one.role, one.prompt_id))
        sums[one.role, one.prompt_id] = one if known is None else _sum(known, one)
    return tuple(sums[key] for key in sorted(sums))


def _sum(one: PromptUse, other: PromptUse) -> PromptUse:
    counts = ("requests", "prompt_tokens", "completion_tokens", "errors", "drafts", "accepted")
    return one.model_copy(update={name: getattr(one, name) + getattr(other, name) for name in counts})


def checks_of(summaries: Sequence[Mapping[str, Any]]) -> dict[str, tuple[int, int]]:
    """How many drafts passed and failed each check."""
    sums: dict[str, tuple[int, int]] = {}
    for name, (passed, failed) in ((n, c) for s in summaries for n, c in s.get("checks", {}).items()):
        before = sums.get(name, (0, 0))
        sums[name] = before[0] + passed, before[1] + failed
    return dict(sorted(sums.items()))
