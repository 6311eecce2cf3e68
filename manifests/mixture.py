"""The mixture: how often each source is seen in each stage, as an exact list of draws.

An **offer** is one draft that a record makes to one stage. A **draw** is one use of an offer; `repeat` counts its uses
from 0. Sources have a `weight` and a `max_repeat`, stages have `stage_weights`; what comes out is exact, not expected:

- `caps.per_record` first: of the drafts of one record in one stage that many are offered on, the others are not.
- No `samples`, no weight anywhere: every offer once.
- Weights, of sources or of stages, and no `samples`: the largest draw in which the proportions hold, to less than one
  draw, and no source gives more than `max_repeat` times its offers. The scarcest source decides.
- `samples`: exactly that many. Stages share them by `stage_weights`, else in proportion to their offers; the sources of
  a stage by `weight`, else in proportion to their offers. What a source or a stage cannot give (`max_repeat` times its
  offers) the others of non-zero weight give in proportion to their weights (water-filling), so the number asked goes
  before the proportions. Only where all of them are exhausted are there fewer: `shortfall` says by how many.

Fractions are settled by largest remainders, ties by name. Where some sources have a weight and others none, those have
weight 1. A weight of 0 leaves a source or stage out. A source that offers nothing to a stage is not counted there.

Which offers: each source's offers of a stage stand in the order of a seeded hash, whole epochs go before repeats. So
adding a source changes no choice within another as long as that one's number stays, and a larger number contains the
smaller one. The draws are ordered by a seeded hash too: sources are interleaved, and the order of input is immaterial.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeVar

from pydantic import Field, model_validator

from manifests.config import Config
from manifests.errors import RecipeError

Stage = Literal["pretrain", "sft", "rlvr"]
Cell = tuple[str, str]  # (stage, source)
K = TypeVar("K", str, Cell)


class Caps(Config):
    """Limits on how much of a stage one record may be; `per_record` counts drafts without their repeats."""

    per_record: int | None = Field(default=None, ge=1)


class Mixture(Config):
    """How many samples in all, how stages share them, and the caps; the defaults take every offer once."""

    samples: int | None = Field(default=None, gt=0)
    stage_weights: dict[Stage, float] | None = None
    caps: Caps = Caps()

    @model_validator(mode="after")
    def _weights_make_sense(self) -> Mixture:
        if self.stage_weights is not None:
            for stage, weight in self.stage_weights.items():
                _check_weight(f"stage_weights.{stage}", weight)
            if not any(self.stage_weights.values()):
                raise ValueError("stage_weights add up to 0; give at least one stage a weight above 0")
        return self


class Share(Config):
    """How much of a stage a source gives: its weight (None: by its offers) and how often an offer may be drawn."""

    source: str
    weight: float | None = None
    max_repeat: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _weight_makes_sense(self) -> Share:
        if self.weight is not None:
            _check_weight(f"weight of source '{self.source}'", self.weight)
        return self


@dataclass(frozen=True, slots=True, order=True)
class Offer:
    """Draft number `part` of record `key` to `stage`."""

    key: str
    source: str
    stage: str
    part: int


@dataclass(frozen=True, slots=True, order=True)
class Draw:
    """One sample to pack; (key, part, repeat) are what `manifests.sample.sample_key` names it by."""

    key: str
    stage: str
    part: int
    repeat: int


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the plan: how many offers a source has in a stage after the caps, and how many draws are made."""

    stage: str
    source: str
    available: int
    expected: int


# ----------------------------------------------------------------------------------------------------- what one calls
def draw(offers: Iterable[Offer], shares: Sequence[Share], mixture: Mixture, seed: int) -> list[Draw]:
    """The exact list of draws in a seeded order; the same for any order of `offers` and `shares`.

    An offer that is given twice counts once; a source without a share has the default one. Raises `RecipeError` where
    a source has two shares or all weights are 0.
    """
    kept = _capped(set(offers), mixture.caps.per_record, seed)
    counts = _counts(_available(kept), _by_source(shares), mixture)
    cells: defaultdict[Cell, list[Offer]] = defaultdict(list)
    for offer in kept:
        cells[offer.stage, offer.source].append(offer)
    draws = [one for cell, members in cells.items() for one in _take(members, counts[cell], seed)]
    return sorted(draws, key=lambda d: (_hash(seed, "order", d.key, d.stage, d.part, d.repeat), d))


def table(offers: Iterable[Offer], shares: Sequence[Share], mixture: Mixture) -> list[Row]:
    """What `draw` will take of each source in each stage, by stage and source; exact as well, and needs no seed."""
    available = _available(_capped(set(offers), mixture.caps.per_record, seed=0))
    counts = _counts(available, _by_source(shares), mixture)
    return [Row(stage, source, number, counts[stage, source]) for (stage, source), number in sorted(available.items())]


def shortfall(offers: Iterable[Offer], shares: Sequence[Share], mixture: Mixture) -> int:
    """How many of `mixture.samples` cannot be drawn because every source that may give is exhausted; mostly 0."""
    if mixture.samples is None:
        return 0
    return mixture.samples - sum(row.expected for row in table(offers, shares, mixture))


# -------------------------------------------------------------------------------------------------------- how many
def _counts(available: Mapping[Cell, int], shares: Mapping[str, Share], mixture: Mixture) -> dict[Cell, int]:
    """Draws per cell, 0 for a cell of weight 0."""
    weights = _cell_weights(available, shares)
    weighted = mixture.stage_weights is not None or any(share.weight is not None for share in shares.values())
    limits = _cell_limits(available, shares)
    stages = sorted({stage for stage, _ in available})
    cells = {stage: [c for c in sorted(available) if c[0] == stage and weights[c]] for stage in stages}
    supply = {stage: sum(limits[c] for c in cells[stage]) for stage in stages}
    if mixture.samples is None:
        for stage in stages:
            of_stage = {c: weights[c] for c in cells[stage]}
            once = sum(available[c] for c in cells[stage])
            supply[stage] = _largest(of_stage, limits) if weighted else once
    totals = _stage_totals(_stage_weights(available, cells, mixture), supply, mixture)
    counts = dict.fromkeys(available, 0)
    for stage in stages:
        counts |= fill({c: weights[c] for c in cells[stage]}, limits, totals.get(stage, 0))
    return counts


def _cell_weights(available: Mapping[Cell, int], shares: Mapping[str, Share]) -> dict[Cell, Fraction]:
    explicit = any(share.weight is not None for share in shares.values())
    weights = {}
    for cell, number in available.items():
        weight = shares[cell[1]].weight if cell[1] in shares else None
        unset_weight = Fraction(1) if explicit else Fraction(number)
        weights[cell] = unset_weight if weight is None else exact(weight)
    return weights


def _cell_limits(available: Mapping[Cell, int], shares: Mapping[str, Share]) -> dict[Cell, int]:
    return {
        cell: number * (shares[cell[1]].max_repeat if cell[1] in shares else 1) for cell, number in available.items()
    }


def _stage_weights(
    available: Mapping[Cell, int], cells: Mapping[str, list[Cell]], mixture: Mixture
) -> dict[str, Fraction]:
    """The weights of the stages that have something to give."""
    asked = None if mixture.stage_weights is None else {str(s): exact(w) for s, w in mixture.stage_weights.items()}
    weights = {}
    for stage, members in cells.items():
        offered = Fraction(sum(available[c] for c in members))
        weight = offered if asked is None else asked.get(stage, Fraction(0))
        if offered and weight:
            weights[stage] = weight
    return weights


def _stage_totals(weights: Mapping[str, Fraction], supply: Mapping[str, int], mixture: Mixture) -> dict[str, int]:
    if mixture.samples is not None:
        return fill(weights, supply, mixture.samples)
    if mixture.stage_weights is None:
        return dict(supply)
    return fill(weights, supply, _largest(weights, supply))


def _largest(weights: Mapping[K, Fraction], limits: Mapping[K, int]) -> int:
    """The largest total whose proportional parts stay within the limits."""
    whole = sum(weights.values())
    return min((int(limits[k] * whole // weight) for k, weight in weights.items()), default=0)


def fill(weights: Mapping[K, Fraction], limits: Mapping[K, int], total: int) -> dict[K, int]:
    """`total` in proportion to positive weights and within the limits: water-filling, then largest remainders.

    The parts add up to `total`, or to the sum of the limits where that is less. Each is less than one away from its
    share of what the parts at their limits leave.
    """
    parts: dict[K, int] = {}
    open_ = dict(weights)
    left = total
    while open_:
        whole = sum(open_.values())
        full = {k for k, weight in open_.items() if weight * left >= limits[k] * whole}
        if not full:
            break
        for k in full:  # all at once: what they leave only raises the others' parts
            parts[k] = limits[k]
            del open_[k]
        left = total - sum(parts.values())
    return parts | _rounded(open_, left)


def _rounded(weights: Mapping[K, Fraction], total: int) -> dict[K, int]:
    """Largest remainders (Hamilton), ties to the smaller name."""
    if not weights:
        return {}
    whole = sum(weights.values())
    parts = {k: int(total * weight // whole) for k, weight in weights.items()}
    by_remainder = sorted(weights, key=lambda k: (parts[k] - total * weights[k] / whole, k))
    for k in by_remainder[: total - sum(parts.values())]:
        parts[k] += 1
    return parts


def exact(weight: float) -> Fraction:
    """A weight as the decimal number that the user wrote: 0.1 is one tenth."""
    return Fraction(repr(float(weight)))


def _check_weight(what: str, weight: float) -> None:
    if not 0 <= weight < float("inf"):
        raise ValueError(f"{what} is {weight:g}; a weight is a number of 0 or more")


def _by_source(shares: Sequence[Share]) -> dict[str, Share]:
    found = {share.source: share for share in shares}
    if len(found) != len(shares):
        doubled = sorted(name for name, n in Counter(s.source for s in shares).items() if n > 1)
        raise RecipeError(f"source '{doubled[0]}' has two shares in the mixture")
    if shares and all(share.weight == 0 for share in shares):
        raise RecipeError("the weights of the sources add up to 0; give at least one source a weight above 0")
    return found


# ------------------------------------------------------------------------------------------------------- which ones
def _capped(offers: set[Offer], per_record: int | None, seed: int) -> list[Offer]:
    """The offers that the cap lets through: of a record's drafts in a stage, the first by seeded hash."""
    if per_record is None:
        return list(offers)
    records: defaultdict[tuple[str, str, str], list[Offer]] = defaultdict(list)
    for offer in offers:
        records[offer.source, offer.key, offer.stage].append(offer)
    return [offer for drafts in records.values() for offer in _in_order(drafts, seed)[:per_record]]


def _available(offers: Iterable[Offer]) -> Counter[Cell]:
    return Counter((offer.stage, offer.source) for offer in offers)


def _take(offers: list[Offer], count: int, seed: int) -> list[Draw]:
    """`count` draws: whole epochs in the order of the hash, then the beginning of one more."""
    ordered = _in_order(offers, seed)
    places = (divmod(i, len(ordered)) for i in range(count))
    return [Draw(ordered[at].key, ordered[at].stage, ordered[at].part, epoch) for epoch, at in places]


def _in_order(offers: list[Offer], seed: int) -> list[Offer]:
    return sorted(offers, key=lambda o: (_hash(seed, "take", o.key, o.stage, o.part), o))


def _hash(seed: int, *parts: str | int) -> bytes:
    text = "\x1f".join(map(str, (seed, *parts)))
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
