"""What a run would ask of its teachers, before it asks: requests, tokens, GPU hours.

Once it is known what will be shown, the tasks of a sample of records are really run, up to the first answer that they
wait for; every request is counted by the engine's own tokenizer where it has one, visual tokens included, and looked up
in the request ledger, since what was answered costs nothing. Answers are taken for refusals, so what is asked because
of an answer (a stronger teacher, a judge's veto, a chain's next step) is not in the figures; attempts that a right
first answer would spare are. Tokens written are an upper bound: each request's `max_tokens`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curate.present import read_presented
from curate.synthesize import SynthesizeSpec, member_reader, record_drafts
from curate.units import Unit
from manifests.errors import TeacherError
from manifests.sample import Authorship
from synth.asking import Asking, Desk
from synth.chat import Request
from synth.requests import Answered, Ledger, request_key
from synth.teacher import open_teacher

SAMPLED = 64  # records
_NOBODY = TeacherError("refused", "a plan asks nobody")


@dataclass(frozen=True, slots=True)
class Quote:
    """Of all kept records, by a sample of them: requests (`known`: in the ledger already), tokens of their prompts and
    the most that the answers may have. `sampled` records were looked at."""

    records: int
    sampled: int
    requests: int
    known: int
    prompt_tokens: int
    most_tokens: int


def quote(units: Sequence[Unit], work: Path) -> Quote:
    """The quote of synthesize units whose presented units are done."""
    records = sum(unit.records for unit in units)
    counts = [0, 0, 0, 0]
    sampled = 0
    for unit, share in zip(units, _shares([unit.records for unit in units]), strict=True):
        spec: SynthesizeSpec = unit.spec
        desk = Desk({role: open_teacher(config) for role, config in spec.teachers}, Ledger(work / "requests"))
        for presented in read_presented(work, spec.presented)[:share]:
            sampled += 1
            asked = _asked(record_drafts(presented, member_reader(presented, work), spec, desk, work))
            counts = [a + b for a, b in zip(counts, _counted(asked, desk), strict=True)]
    requests, known, prompt_tokens, most_tokens = (round(n * records / max(1, sampled)) for n in counts)
    return Quote(records, sampled, requests, known, prompt_tokens, most_tokens)


def _shares(sizes: Sequence[int]) -> list[int]:
    """How many records of each unit are looked at: all of few, else in proportion, at least one of each unit while
    there are some left."""
    total = sum(sizes)
    if total <= SAMPLED:
        return list(sizes)
    left, shares = SAMPLED, []
    for size in sizes:
        shares.append(min(left, size, max(1, round(SAMPLED * size / total))))
        left -= shares[-1]
    return shares


def _asked(talk: Asking) -> list[Request]:
    """What a conversation asks while every answer is a refusal."""
    asked: list[Request] = []
    try:
        requests = next(talk)
        while True:
            asked += requests
            requests = talk.send(tuple(Answered(None, _NOBODY, "", False, Authorship()) for _ in requests))
    except StopIteration:
        return asked


def _counted(asked: Sequence[Request], desk: Desk) -> list[int]:
    """[requests, known, prompt tokens, most tokens written]; tokens of those alone that must be paid."""
    counts = [len(asked), 0, 0, 0]
    for request in asked:
        teacher = desk.teachers[request.role]
        if desk.ledger.get(request_key(teacher.model, teacher.revision, request)) is not None:
            counts[1] += 1
            continue
        counts[2] += teacher.count(request)
        counts[3] += request.max_tokens
    return counts


def told(made: Quote, tokens_per_s: float | None) -> str:
    """The quote in a line or two."""
    by = "" if made.sampled == made.records else f", by {made.sampled} of {made.records} records"
    paid = f"{made.prompt_tokens:,} tokens in, at most {made.most_tokens:,} out"
    lines = [f"{made.requests:,} requests{by}, {made.known:,} of them answered already; to pay: {paid}"]
    if tokens_per_s:
        hours = made.most_tokens / tokens_per_s / 3600
        lines.append(f"at {tokens_per_s:,.0f} tokens/s written: at most {hours:,.2f} GPU hours")
    return "\n".join(lines)
