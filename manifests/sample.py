"""What training reads: drafts made by the tasks, one per sample, and the JSON that stands in a shard.

A `Draft` is what a record offers to one stage. Its turns are a conversation; a proof names the program that recomputes
one assistant turn's answer from the sample's own media and facts; a verdict says which check judged which turn and how.
An `Answer` makes a draft usable for reinforcement learning with verifiable rewards (RLVR).

`facts`, `proofs` and `verdicts` are flat lists of flat records with text values, so that every sample of a shard has
one Arrow type and `datasets.load_dataset("webdataset", ...)` reads it without being told a schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from manifests.record import Media

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
class Evidence:
    """One checked word of one turn (-1: the draft's text). Offsets are in characters, half-open; `source_start` and
    `source_end` are in the source text that `source` names, or else in the fact's value; -1: it is not there as
    written, but in what the fact's name and its other fields say."""

    turn: int
    start: int
    end: int
    check: str  # one of `synth.verify.CHECKS`
    fact: str = ""
    about: str = ""
    origin: str = ""
    source: str = ""
    source_start: int = -1
    source_end: int = -1


@dataclass(frozen=True, slots=True)
class Answer:
    """The gold of an RLVR prompt. `verifier` names the judge in `synth.verifiers`, whose modules say how `gold` is
    written. `tolerance` is relative for numbers and ranges (0.05 is 5 %), in degrees for angles, in days for intervals
    of dates, in seconds for times, and for boxes, masks and sets one minus the wanted IoU (or GIoU), Dice or F1; 0
    where it does not apply. `options` are the options of a multiple choice or the closed list of labels, joined by `|`.
    `frame` is what a box's numbers count, with the extent: `pixels 512x384` (width x height) and in the same way
    `thousand`, `medrega`, `internvl`, `medvision`; `voxels 512x512x40`, `m3d 512x512x40` (width x height x depth); ""
    bounds nothing. `metric` is `giou` where a box is judged by it."""

    type: str  # a name of `synth.verifiers.VERIFIERS`: number, label, mcq, box ...
    gold: str
    verifier: str
    unit: str = ""
    tolerance: float = 0.0
    options: str = ""
    frame: str = ""
    metric: str = ""


@dataclass(frozen=True, slots=True)
class Authorship:
    """Which teacher wrote it; `request_key` finds the prompt and the raw answer in the request ledger."""

    model: str = ""
    revision: str = ""
    prompt_id: str = ""
    request_key: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A run of sentences of a record's text that a prompt shows behind `[number]`, and whose it is: what a sample owes
    to other records than its own. `start` and `end` are characters of that record's text, half-open; `text` is the same
    on one line. `own`: of the record that asks, or so like its own text that it counts as that. `score` is that of the
    search."""

    number: int
    key: str
    record: str
    source: str
    licence: str
    access: str
    start: int
    end: int
    own: bool
    score: float
    text: str


@dataclass(frozen=True, slots=True)
class Made:
    """A medium that a draft brings itself (a crop, a degraded twin, one slice as a picture), encoded."""

    media: Media
    data: bytes


@dataclass(frozen=True, slots=True)
class Draft:
    """What one record offers to one stage. Where a check failed `accepted` is False: it is reported, never packed.

    `shows` are the members of the record's shown media that the sample carries; None: all, masks where a proof looks at
    one. `made` stand behind them.
    """

    key: str  # the record's
    stage: StageName
    task: str
    part: int  # numbers the drafts of one record in one stage
    turns: tuple[Turn, ...] = ()
    text: str = ""
    answer: Answer | None = None
    proofs: tuple[Proof, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    evidence: tuple[Evidence, ...] = ()  # of a teacher's words
    teacher: Authorship = Authorship()
    accepted: bool = True
    reason: str = ""  # why not accepted: the first check that failed
    shows: tuple[str, ...] | None = None
    made: tuple[Made, ...] = ()
    passages: tuple[Passage, ...] = ()  # that its prompt shows, numbered from 1


def sample_key(record_key: str, part: int, repeat: int) -> str:
    """The WebDataset key: the record's own for its first draw in a stage, suffixed for further parts and repeats."""
    if part == 0 and repeat == 0:
        return record_key
    return f"{record_key}-{part}-{repeat}"
