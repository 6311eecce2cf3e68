"""The chain of checks over all drafts of a record, programs' and teachers' alike.

    orders       no field of the record gives an order to a model (`synth.orders`): what it holds may be made for one
    rewarding    RLVR is rewarded only by a verifier that is measured to reward no wrong answer
    leak         the question does not hold its answer
    identifiers  a teacher's words hold no date, name, number or address that the source does not
    policy       a teacher's words hold no dose that the source does not
    pass_rate    the seeing teacher is right neither always nor never            asks
    blind        a solver of text alone does not solve it without the media      asks
    shuffle      the choice does not depend on the order of the options          asks
    rubric       a judge finds every essential criterion met, and enough others  asks
    veto         a judge of another family does not call it bad                  asks

The first five cost nothing and come first; what they reject is not asked about. The next three are asked at the same
time, and the judge is asked about what they left, by the rubric first. Each verdict is stored, and `reason` is that of
the first check that failed. A draft that was rejected before is passed through as it is. Faithfulness, the verdicts of
a draft's own task, was judged before, when the draft was written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from manifests.record import Record
from manifests.sample import Draft
from synth import prompting
from synth.asking import Asking, Talk, in_turn
from synth.chat import Role
from synth.judging import criteria
from synth.judging.blind import blind, shuffle, solver
from synth.judging.checks import identifiers, leak, policy, rewarded
from synth.judging.config import Judging
from synth.judging.questions import Finding, finding, movable, shows_media
from synth.judging.rubric import concerns as scored
from synth.judging.rubric import rubric
from synth.judging.veto import concerns, veto
from synth.judging.window import pass_rate
from synth.orders import orders_of
from synth.tasks.subject import Subject

RUNS = "runs"
OFF = "off in the recipe"
CHECKS = ("orders", "rewarding", "leak", "identifiers", "policy", "pass_rate", "blind", "shuffle", "rubric", "veto")


def judged(subject: Subject, drafts: Sequence[Draft], config: Judging, seed: int) -> Asking:
    """The drafts of a record with the verdicts of every check that the configuration and the teachers allow, in their
    order. Raises `RecipeError` for a bad prompt file."""
    drafts = _unordered(subject.record, drafts) if config.orders else drafts
    made = yield from in_turn([_judged(subject, draft, config, seed) for draft in drafts])
    return list(made)


def _unordered(record: Record, drafts: Sequence[Draft]) -> Sequence[Draft]:
    """All drafts of a record, programs' too, rejected where one of its fields gives an order to a model, since every
    sample carries the record's facts; where none does, that says no verdict of its own."""
    where = orders_of(record) if drafts else ""
    if not where:
        return drafts
    return [with_findings(draft, [finding("orders", "order_in_source", 0.0, where)]) for draft in drafts]


def _judged(subject: Subject, draft: Draft, config: Judging, seed: int) -> Talk[Draft]:
    if not draft.accepted:
        return draft
    draft = with_findings(draft, cheap(subject.record, draft, config))
    if not draft.accepted:
        return draft
    found = yield from in_turn(_asking(subject, draft, config, seed))
    draft = with_findings(draft, [one for one in found if one is not None])
    if config.rubric is not None and scored(subject, draft, config.rubric):
        draft = with_findings(draft, [(yield from rubric(subject, draft, config.rubric, seed))])
    if config.veto is not None and "judge" in subject.roles and concerns(draft, config.veto):
        draft = with_findings(draft, [(yield from veto(subject, draft, config.veto, seed))])
    return draft


def cheap(record: Record, draft: Draft, config: Judging) -> list[Finding]:
    """What is found without asking anybody."""
    found = [rewarded(draft)]
    if config.leak:
        found.append(leak(record, draft))
    if draft.teacher.model:
        found += [identifiers(record, draft)] if config.identifiers else []
        found += [policy(record, draft)] if config.policy else []
    return [one for one in found if one is not None]


def _asking(subject: Subject, draft: Draft, config: Judging, seed: int) -> list[Talk[Finding | None]]:
    """The conversations about a draft that may go on side by side."""
    if draft.answer is None:
        return []
    media, talks = shows_media(subject, draft), list[Talk[Finding | None]]()
    sighted = "teacher" in subject.roles and (not media or "teacher" in subject.sees)
    if config.window and sighted and draft.stage in config.window.stages:
        talks.append(pass_rate(subject, draft, config.window, seed))
    role = solver(config.blind, subject.roles) if config.blind else None
    if config.blind and role and media and draft.stage in config.blind.stages:
        talks.append(blind(draft, config.blind, role, seed))
    if config.shuffle and sighted and draft.stage in config.shuffle.stages and movable(draft):
        talks.append(shuffle(subject, draft, config.shuffle, seed))
    return talks


def with_findings(draft: Draft, found: Sequence[Finding]) -> Draft:
    """The draft with further verdicts, rejected for the first that failed."""
    if not found:
        return draft
    reason = draft.reason or next((one.reason for one in found if one.reason), "")
    verdicts = (*draft.verdicts, *(one.verdict for one in found))
    return replace(draft, verdicts=verdicts, accepted=draft.accepted and not reason, reason=reason)


def planned(config: Judging, roles: frozenset[Role], sees: frozenset[Role]) -> Mapping[str, str]:
    """For each of `CHECKS` "runs", or in words why it does not, or not everywhere; for the manifest and the report."""
    plan = dict.fromkeys(CHECKS, RUNS)
    off = {
        "orders": not config.orders,
        "leak": not config.leak,
        "identifiers": not config.identifiers,
        "policy": not config.policy,
        "pass_rate": config.window is None,
        "blind": config.blind is None,
        "shuffle": config.shuffle is None,
        "rubric": config.rubric is None,
        "veto": config.veto is None,
    }
    if "teacher" not in roles:
        plan |= dict.fromkeys(("pass_rate", "shuffle"), "no teacher is asked")
    elif "teacher" not in sees:
        plan |= dict.fromkeys(("pass_rate", "shuffle"), "for texts only: the teacher reads no pictures")
    role = solver(config.blind, roles) if config.blind else None
    if role is None:
        plan["blind"] = "the recipe names no teacher of role blind"
    elif role != "blind":
        plan["blind"] = "by the teacher without pictures, which is weaker evidence"
    if "judge" not in roles:
        plan |= dict.fromkeys(("rubric", "veto"), "the recipe names no teacher of role judge")
    elif "judge" not in sees:
        plan["rubric"] = "for texts only: the judge reads no pictures"
    return plan | dict.fromkeys((name for name, is_off in off.items() if is_off), OFF)


def prompt_ids(config: Judging) -> tuple[str, ...]:
    """The prompts that the checks ask with, and the rubric; they belong into a unit's key."""
    parts = (config.window, config.blind, config.shuffle, config.rubric, config.veto)
    names = dict.fromkeys(part.prompt for part in parts if part is not None)
    rubrics = (criteria.load(config.rubric.criteria).rubric_id,) if config.rubric is not None else ()
    return (*(prompting.load(name).prompt_id for name in names), *rubrics)
