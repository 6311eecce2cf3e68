"""What training reads: drafts made by the tasks, one per sample, and the JSON that stands in a shard.

A `Draft` is what a record offers to one stage. Its turns are a conversation; a proof names the program that recomputes
one assistant turn's answer from the sample's own media and facts; a verdict says which check judged which turn and how.
An `Answer` makes a draft usable for reinforcement learning with verifiable rewards (RLVR).

`facts`, `proofs` and `verdicts` are flat lists of flat records with text values, so that every sample of a shard has
one Arrow type and `datasets.load_dataset("webdataset", ...)` reads it without being told a schema.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

StageName = Literal["pretrain", "sft", "rlvr"]
STAGES: tuple[StageName, ...] = ("pretrain", "sft", "rlvr")


@dataclass(frozen=True, slots=True)
class Turn:
    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Proof:
    """`call` is in the notation of `synth.proofs`, e.g. `volume_ml(mask=liver)`; `value` is what it returns, as text;
    `turn` is the index of the assistant turn that states it (-1: the draft's text)."""

    turn: int
    call: str
    value: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check of one turn. `score` is in 0..1; `evidence` is short text: the fact, span or value that decided."""

    turn: int
    check: str
    passed: bool
    score: float
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The gold of an RLVR prompt. `verifier` names the function in `synth.verify` that rewards it; `tolerance` is
    relative (0.05 is 5 %), of angles in degrees, of boxes one minus the wanted overlap (IoU), 0 where it does not
    apply."""

    type: str  # number | numbers | label | yes_no | mcq | angle | box
    gold: str
    verifier: str
    unit: str = ""
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True)
class Authorship:
    """Which teacher wrote it; `request_key` finds the prompt and the raw answer in the request ledger."""

    model: str = ""
    revision: str = ""
    prompt_id: str = ""
    request_key: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """What one record offers to one stage. Where a check failed `accepted` is False: it is reported, never packed."""

    key: str  # the record's
    stage: StageName
    task: str
    part: int  # numbers the drafts of one record in one stage
    turns: tuple[Turn, ...] = ()
    text: str = ""
    answer: Answer | None = None
    proofs: tuple[Proof, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    teacher: Authorship = Authorship()
    accepted: bool = True
    reason: str = ""  # why not accepted: the first check that failed


def draft_from_json(text: str) -> Draft:
    """The inverse of `manifests.record.to_json` for a `Draft`. Raises ValueError for a text that is none."""
    try:
        row = json.loads(text)
        row["turns"] = tuple(Turn(**t) for t in row["turns"])
        row["proofs"] = tuple(Proof(**p) for p in row["proofs"])
        row["verdicts"] = tuple(Verdict(**v) for v in row["verdicts"])
        row["teacher"] = Authorship(**row["teacher"])
        row["answer"] = None if row["answer"] is None else Answer(**row["answer"])
        return Draft(**row)
    except (TypeError, LookupError, RecursionError) as error:
        raise ValueError(f"no draft ({type(error).__name__})") from error


def sample_key(record_key: str, part: int, repeat: int) -> str:
    """The WebDataset key: the record's own for its first draw in a stage, suffixed for further parts and repeats."""
    if part == 0 and repeat == 0:
        return record_key
    return f"{record_key}-{part}-{repeat}"
