"""A source's dialogue as one conversation of several turns, word for word.

Every turn is proven by its digest; pictures stand in their places as in `qa` (`synth.tasks.posing`). A dialogue ends
before the first exchange without a question or an answer. Its options and explanations are not told.
"""

from __future__ import annotations

import itertools
from typing import Literal

from pydantic import Field

from manifests.config import Config
from manifests.record import Record
from manifests.sample import Draft, Proof, Turn
from synth.proofs import MediaView
from synth.tasks.common import finish, source_verdict
from synth.tasks.posing import digest_proof, in_places, shown


class Dialogue(Config):
    """`max_turns` exchanges from the beginning; 0 means no limit. `least` exchanges make a conversation."""

    task: Literal["dialogue"] = "dialogue"
    max_turns: int = Field(default=0, ge=0)
    least: int = Field(default=1, ge=1)


def drafts(record: Record, view: MediaView, config: Dialogue, seed: int) -> list[Draft]:
    """One conversation (sft) of a record whose questions are a dialogue; none of any other."""
    whole = itertools.takewhile(lambda one: one.question.strip() and one.answer.strip(), view.asked)
    told = list(itertools.islice(whole, config.max_turns or None))
    if not record.dialogue or len(told) < config.least:
        return []
    numbers = range(1, len(told) + 1)
    members, before = shown(view, record.kind, numbers)
    turns: list[Turn] = []
    proofs: list[Proof] = []
    for number, one in zip(numbers, told, strict=True):
        at = len(turns)
        head = "" if at else before
        turns += [
            Turn("user", head + in_places(one.question.strip())),
            Turn("assistant", in_places(one.answer.strip())),
        ]
        proofs += [digest_proof("question", number, view, at), digest_proof("answer", number, view, at + 1)]
    own = tuple(source_verdict(at, "the words are the source's own") for at in range(1, len(turns), 2))
    draft = Draft(
        record.key, "sft", "dialogue", 0, turns=tuple(turns), proofs=tuple(proofs), verdicts=own, shows=members
    )
    return [finish(draft)]
