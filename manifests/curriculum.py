"""The curriculum: phases of the draws, by what is known of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from manifests.config import Config
from manifests.offers import Ints, Offers


class Phase(Config):
    """A phase of the curriculum: the draws that meet all that it says."""

    source: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    modality: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    min_tokens: int | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, ge=0)
    min_pass_rate: float | None = Field(default=None, ge=0, le=1)
    max_pass_rate: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="after")
    def _says_something(self) -> Phase:
        if self == Phase.model_construct():
            raise ValueError("a phase without a condition; give one, e.g. {task: [mcq]} or {min_pass_rate: 0.5}")
        return self


def phases(drawn: Offers, curriculum: Sequence[Phase]) -> Ints:
    """The first phase whose conditions each draw meets; behind all of them where it meets none."""
    phase = np.full(len(drawn), len(curriculum), np.int64)
    for number, one in reversed(list(enumerate(curriculum))):
        phase[_meets(drawn, one)] = number
    return phase


def _meets(drawn: Offers, phase: Phase) -> NDArray[np.bool_]:
    met = np.ones(len(drawn), np.bool_)
    for name in ("source", "task", "modality", "kind"):
        wanted: tuple[str, ...] = getattr(phase, name)
        if wanted:
            codes = [number for number, term in enumerate(drawn.terms[name]) if term in wanted]
            met &= np.isin(drawn.names[name], codes)
    for low, high, column in (
        (phase.min_tokens, phase.max_tokens, drawn.tokens),
        (phase.min_pass_rate, phase.max_pass_rate, drawn.pass_rate),
    ):
        met &= column >= low if low is not None else True
        met &= column <= high if high is not None else True
    return met
