"""Benchmarks in a teacher's words: a model that has read a test can recite it, whatever it was shown.

Called inside a synthesize unit, when drafts are written and proven. What programs write is made of the record, which
was screened itself; what a teacher writes is checked as a record's text is. A draft that holds something of a pack with
the policy `drop` is withdrawn, as one that failed another check; a hit of any pack is a verdict that travels with the
draft.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from curate.decontaminate import Decision, check_texts
from curate.screen.stage import Screening, decide, packs_of
from manifests.sample import Draft, Verdict

CHECK = "no_benchmark"
REASON = "recites_benchmark"
BY_TEACHER = "in the teacher's words: "


def check_drafts(screening: Screening, work_folder: Path, texts: Sequence[str]) -> list[Decision]:
    """What becomes of texts that a teacher wrote, each all that one draft says (`draft_text`)."""
    if not screening.packs or not texts:
        return [Decision("keep", "", "")] * len(texts)
    found = [decide(screening, hits) for hits in check_texts(packs_of(screening, work_folder), texts)]
    return [dataclasses.replace(d, reason=REASON, found=BY_TEACHER + d.found) if d.hits else d for d in found]


def draft_text(draft: Draft) -> str:
    """All that a draft says, in lines: its turns, question first, and its text and gold answer."""
    gold = draft.answer.gold if draft.answer else ""
    return "\n".join(text for text in (*(turn.content for turn in draft.turns), draft.text, gold) if text)


def screened(screening: Screening, work_folder: Path, drafts: Sequence[Draft]) -> list[Draft]:
    """The drafts, those of a teacher with a verdict where they hold something of a benchmark, withdrawn where its
    policy is to drop. Drafts that are rejected already are left alone."""
    told = [n for n, draft in enumerate(drafts) if draft.teacher.model and draft.accepted]
    decided = dict(zip(told, check_drafts(screening, work_folder, [draft_text(drafts[n]) for n in told]), strict=True))
    return [_judged(draft, decided[n]) if n in decided and decided[n].hits else draft for n, draft in enumerate(drafts)]


def _judged(draft: Draft, decision: Decision) -> Draft:
    dropped = decision.policy == "drop"
    score = max(hit.score for hit in decision.hits)
    turn = max((n for n, turn in enumerate(draft.turns) if turn.role == "assistant"), default=-1)
    verdict = Verdict(turn, CHECK, not dropped, round(1 - score, 6), decision.found[:200])
    accepted = draft.accepted and not dropped
    reason = draft.reason or (REASON if dropped else "")
    return dataclasses.replace(draft, verdicts=(*draft.verdicts, verdict), accepted=accepted, reason=reason)
