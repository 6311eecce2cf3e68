"""The mixture: how often each source is seen in each stage, as an exact list of draws.

An **offer** is one draft that a record makes to one stage, a **draw** one use of it (`manifests.offers`). Offers of one
stage and one source (or task, modality, kind: `by`) are a **cell**. What comes out is exact, not expected:

- `caps` first: of the drafts of one record (or group: patient, article, video) in one stage that many are offered on,
  the others are not.
- `balance` next: no answer holds more than a stated share of the draws of its family of questions
  (`manifests.balance`). Where budgets, weights or repeats would break it, what is too much is left out and others are
  drawn for it; it goes before the number asked.
- No budget, no weight anywhere: every offer once.
- Each stage mixes by `shares` and by what its sources say, but for the cells that `stage_shares` names in that stage.
- Cells with `epochs` or `samples` of their own get exactly these (within `max_repeat`); the others share what is left.
- Weights, of cells or of stages, and no budget: the largest draw in which the proportions hold, to less than one draw,
  and no cell gives more than `max_repeat` times its offers. The scarcest cell decides.
- A budget (`samples`, `tokens`; or for single stages `stage_samples`, `stage_tokens`): exactly that many, of tokens to
  less than one sample for each cell, never more. Stages share it by `stage_weights`, else in proportion to what they
  offer; the cells of a stage by `weight`, else in proportion to what they offer. What a cell or a stage cannot give
  (`max_repeat` times its offers, or `at_most`) the others of non-zero weight give in proportion to their weights
  (water-filling), so the number asked goes before the proportions. Only where all of them are exhausted are there
  fewer: `shortfall` says by how many.
- `temperature` T: a cell without a weight of its own has the weight (what it offers) ** (1 / T). 1 is in proportion to
  size, larger values come nearer to equal shares (Arivazhagan et al. 2019).

Fractions are settled by largest remainders, ties by name. Where some cells have a weight and others none, and no
temperature, those have weight 1. A weight of 0 leaves a cell or stage out. A cell that offers nothing is not counted.

Which offers: those of a cell stand in the order of a seeded hash, whole epochs go before repeats. So adding a source
changes no choice within another as long as that one's number stays, and a larger number contains the smaller one. The
draws are ordered by a seeded hash too: sources are interleaved, and the order of input is immaterial. A `curriculum`
comes before that hash: draws of its first phase stand first, those of no phase last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from manifests.balance import Balance, Families, Prior, families, priors, surplus
from manifests.config import Config, unknown
from manifests.curriculum import Phase, phases
from manifests.errors import RecipeError
from manifests.offers import Drawn, Ints, Offers, hashed, ranked
from manifests.quotas import exact, fill, largest
from manifests.sample import STAGES, StageName

By = Literal["source", "task", "modality", "kind"]
Cell = tuple[str, str]  # (stage, source or what `by` says)
Shares = dict[str, dict[str, "Share"]]  # by stage and name
TEMPERATURE_DIGITS = 12
ROUNDS = 6  # in which others are drawn for what a balance left out


class Caps(Config):
    """Limits on how much of a stage one record, or one group (patient, article, video), may be: drafts without their
    repeats."""

    per_record: int | None = Field(default=None, ge=1)
    per_group: int | None = Field(default=None, ge=1)


class Share(Config):
    """How much of a stage a cell gives. `weight`: its part of the budget (None: by what it offers). `max_repeat`: how
    often an offer may be drawn. `epochs`: exactly so many passes over its offers (0.5: half of them), which it may
    repeat for. `samples`: exactly that many draws. `at_most`: no more draws than that. All of them for each stage, in
    `stage_shares` for one."""

    weight: float | None = None
    max_repeat: int = Field(default=1, ge=1)
    epochs: float | None = Field(default=None, gt=0, le=1000)
    samples: int | None = Field(default=None, ge=0)
    at_most: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _make_sense(self) -> Share:
        if self.weight is not None:
            _check_weight("weight", self.weight)
        if self.fixed and (self.weight is not None or (self.epochs is not None and self.samples is not None)):
            raise ValueError("`epochs`, `samples` and `weight` exclude each other; give one of them")
        return self

    @property
    def fixed(self) -> bool:
        """Whether its number does not depend on the other cells."""
        return self.epochs is not None or self.samples is not None


class Mixture(Config):
    """Budgets, how stages and cells share them, caps, balance and order; the defaults take every offer once. What
    `stage_shares` says of a cell stands for that stage instead of what `shares`, or the source itself, says of it."""

    samples: int | None = Field(default=None, gt=0)
    tokens: int | None = Field(default=None, gt=0)
    stage_samples: dict[StageName, int] = Field(default_factory=dict)
    stage_tokens: dict[StageName, int] = Field(default_factory=dict)
    stage_weights: dict[StageName, float] | None = None
    temperature: float | None = Field(default=None, gt=0, le=1000)
    by: By = "source"
    shares: dict[str, Share] = Field(default_factory=dict)
    stage_shares: dict[StageName, dict[str, Share]] = Field(default_factory=dict)
    caps: Caps = Caps()
    balance: Balance | None = None
    curriculum: tuple[Phase, ...] = ()

    @model_validator(mode="after")
    def _weights_make_sense(self) -> Mixture:
        if self.stage_weights is not None:
            for stage, weight in self.stage_weights.items():
                _check_weight(f"stage_weights.{stage}", weight)
            if not any(self.stage_weights.values()):
                raise ValueError("stage_weights add up to 0; give at least one stage a weight above 0")
        return self

    @model_validator(mode="after")
    def _one_budget(self) -> Mixture:
        if self.samples is not None and self.tokens is not None:
            raise ValueError("`samples` and `tokens` exclude each other; give one of them")
        if self.whole is not None and (self.stage_samples or self.stage_tokens):
            raise ValueError("give a budget of all stages, or budgets of single stages, not both")
        both = self.stage_samples.keys() & self.stage_tokens.keys()
        if both:
            raise ValueError(f"stage '{min(both)}' has a budget of samples and one of tokens; give one of them")
        for name, budgets in (("stage_samples", self.stage_samples), ("stage_tokens", self.stage_tokens)):
            for stage, number in budgets.items():
                if number < 0:
                    raise ValueError(f"{name}.{stage} is {number}; a budget is a number of 0 or more")
        return self

    @property
    def whole(self) -> int | None:
        """The budget of all stages together."""
        return self.samples if self.samples is not None else self.tokens

    def without(self, sources: Sequence[str]) -> Mixture:
        """The mixture where these sources are not there: nothing is said of them, a phase of them alone is none."""

        def rest(shares: Mapping[str, Share]) -> dict[str, Share]:
            return {name: share for name, share in shares.items() if self.by != "source" or name not in sources}

        stages = {stage: rest(shares) for stage, shares in self.stage_shares.items()}
        phases = [(p, tuple(name for name in p.source if name not in sources)) for p in self.curriculum]
        left = tuple(p.model_copy(update={"source": names}) for p, names in phases if names or not p.source)
        return self.model_copy(update={"shares": rest(self.shares), "stage_shares": stages, "curriculum": left})


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the plan: what a cell offers in a stage after the caps, and what is drawn of it."""

    stage: str
    source: str
    available: int
    expected: int
    available_tokens: int = 0
    expected_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Mixed:
    """The draws, what each cell gives of them, and what a guesser knows before and after."""

    drawn: Drawn
    rows: tuple[Row, ...]
    priors: tuple[Prior, ...]


# ----------------------------------------------------------------------------------------------------- what one calls
def mix(offers: Offers, shares: Mapping[str, Share], mixture: Mixture, seed: int) -> Mixed:
    """The exact list of draws in a seeded order; the same for any order of `offers`.

    `shares` are those of the sources, which count where `mixture.by` is `source`; `mixture.shares` go before them, and
    `mixture.stage_shares` before both. An offer that is given twice counts once. Raises `RecipeError` where all weights
    are 0.
    """
    kept = _capped(offers, mixture.caps, seed)
    kept = kept[np.argsort(hashed(seed, "take", offers.chosen(kept)), kind="stable")]
    capped = offers.chosen(kept)  # from here on the order of rows is that of the seeded hash
    found = families(capped, "question")
    which, repeat, left_out = _settled(capped, found, shares, mixture)
    drawn = capped.chosen(which)
    phase = phases(drawn, mixture.curriculum)
    order = np.lexsort((repeat, *_identity(drawn), hashed(seed, "order", drawn, repeat), phase))
    made = Drawn(kept[which[order]], repeat[order], phase[order])
    return Mixed(made, _rows(capped, mixture.by, which), priors(found, which, left_out))


def _settled(
    capped: Offers, found: Families, sources: Mapping[str, Share], mixture: Mixture
) -> tuple[NDArray[np.intp], Ints, Ints]:
    """What is drawn and how often, and how many each stage's balance left out.

    The balance holds of what is offered first. Budgets, weights and repeats may break it; then the offers that are too
    many are taken out and others drawn for them, and what is still too much after some rounds is not replaced.
    """
    balance = mixture.balance
    left_out = np.zeros(len(STAGES), np.int64)
    cells, codes = _cells(capped, mixture.by)
    shares = _shares(sources, mixture, cells)
    every = np.arange(len(capped))
    if balance is None:
        return *_picked(every, cells, codes, capped.tokens, shares, mixture), left_out
    if balance.by != "question":
        found = families(capped, balance.by)
    open_ = surplus(found, balance, every, np.zeros(len(capped), np.int64)) == 0
    for left in reversed(range(ROUNDS)):
        which, repeat = _picked(np.flatnonzero(open_), cells, codes, capped.tokens, shares, mixture)
        gone = surplus(found.chosen(which), balance, which, repeat, replaced=True)
        first = which[(gone > 0) & (repeat == 0)]
        if not len(first) or not left:
            break
        open_[first] = False
        open_[_behind(found.axes[0].cell, which[(gone == 1) & (repeat == 0)])] = False
    gone = surplus(found.chosen(which), balance, which, repeat)
    left_out += np.bincount(capped.stage[~open_], minlength=len(STAGES))
    left_out += np.bincount(capped.stage[which[gone > 0]], minlength=len(STAGES))
    return which[gone == 0], repeat[gone == 0], left_out


def _behind(cell: Ints, gone: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Rows of the same answer that come after one that was too many."""
    first = np.full(int(cell.max(initial=-1)) + 1, len(cell), np.int64)
    np.minimum.at(first, cell[gone], gone)
    return (cell >= 0) & (np.arange(len(cell)) >= np.append(first, len(cell))[cell])


def _picked(
    members: NDArray[np.intp], cells: Sequence[Cell], codes: Ints, tokens: Ints, shares: Shares, mixture: Mixture
) -> tuple[NDArray[np.intp], Ints]:
    """What every cell gives: rows among `members`, and which use of each."""
    whose = codes[members]
    once = np.bincount(whose, minlength=len(cells)).tolist()
    sums = _sums(whose, tokens[members], len(cells))
    asked = _asked({cell: (once[n], sums[n]) for n, cell in enumerate(cells) if once[n]}, shares, mixture)
    grouped = members[np.argsort(whose.astype(np.int32), kind="stable")]
    ends = np.cumsum(once)
    picked = [
        _take(grouped[ends[n] - once[n] : ends[n]], tokens, asked[cell]) for n, cell in enumerate(cells) if once[n]
    ]
    which = np.concatenate([w for w, _ in picked]) if picked else np.zeros(0, np.intp)
    return which, np.concatenate([r for _, r in picked]) if picked else np.zeros(0, np.int64)


def _rows(offers: Offers, by: str, which: NDArray[np.intp]) -> tuple[Row, ...]:
    """What is offered and drawn of each cell, by stage and name."""
    cells, codes = _cells(offers, by)
    offered, drawn = (np.bincount(c, minlength=len(cells)).tolist() for c in (codes, codes[which]))
    tokens, taken = (_sums(c, offers.tokens[w], len(cells)) for c, w in ((codes, slice(None)), (codes[which], which)))
    return tuple(Row(*cell, *numbers) for cell, *numbers in zip(cells, offered, drawn, tokens, taken, strict=True))


def _sums(codes: Ints, values: Ints, number: int) -> list[int]:
    sums = np.zeros(number, np.int64)
    np.add.at(sums, codes, values)
    found: list[int] = sums.tolist()
    return found


def shortfall(rows: Sequence[Row], mixture: Mixture) -> int:
    """How much of the budgets cannot be drawn because every cell that may give is exhausted; mostly 0. Of tokens that
    includes what is left because no sample is cut."""
    samples, tokens = Counter[str](), Counter[str]()
    for row in rows:
        samples[row.stage] += row.expected
        tokens[row.stage] += row.expected_tokens
    if mixture.samples is not None:
        return max(0, mixture.samples - samples.total())
    if mixture.tokens is not None:
        return max(0, mixture.tokens - tokens.total())
    missing = [max(0, budget - samples[stage]) for stage, budget in mixture.stage_samples.items()]
    return sum(missing) + sum(max(0, budget - tokens[stage]) for stage, budget in mixture.stage_tokens.items())


# -------------------------------------------------------------------------------------------------------- how many
@dataclass(frozen=True, slots=True)
class _Ask:
    """What is asked of a cell: draws, or tokens."""

    number: int
    unit: Literal["samples", "tokens"]


@dataclass(frozen=True, slots=True)
class _Supply:
    """What a cell has, in the unit of its stage's budget: once, and at most."""

    unit: Literal["samples", "tokens"]
    once: int
    most: int
    fixed: int | None  # draws that do not depend on others


def _shares(sources: Mapping[str, Share], mixture: Mixture, cells: Sequence[Cell]) -> Shares:
    general = {**(sources if mixture.by == "source" else {}), **mixture.shares}
    found: Shares = {stage: {**general, **mixture.stage_shares.get(stage, {})} for stage in STAGES}
    given = [share for of_stage in found.values() for share in of_stage.values()]
    free = any(name not in found[stage] for stage, name in cells)
    if given and not free and all(share.weight == 0 for share in given):
        raise RecipeError(f"the weights of all {mixture.by}s are 0; give at least one a weight above 0")
    return found


def _cells(offers: Offers, by: str) -> tuple[list[Cell], Ints]:
    """The cells by stage and name, and each offer's cell as a number into them."""
    terms = offers.terms[by]
    mixed = offers.stage * max(len(terms), 1) + offers.names[by]
    present, codes = np.unique(mixed, return_inverse=True)
    named = [(STAGES[int(one) // max(len(terms), 1)], terms[int(one) % max(len(terms), 1)]) for one in present]
    order = sorted(range(len(named)), key=lambda n: named[n])
    places = np.empty(len(named), np.int64)
    places[order] = np.arange(len(named))
    return [named[n] for n in order], places[codes] if len(codes) else np.zeros(0, np.int64)


def _asked(offered: Mapping[Cell, tuple[int, int]], shares: Shares, mixture: Mixture) -> dict[Cell, _Ask]:
    """What is asked of every cell, of its offers and their tokens."""
    supplies = {
        cell: _supply(once, tokens, shares[cell[0]].get(cell[1], Share()), _unit(cell[0], mixture))
        for cell, (once, tokens) in offered.items()
    }
    free = {cell: s for cell, s in supplies.items() if s.fixed is None}
    weights = _weights(free, shares, mixture)
    limits = {cell: s.most for cell, s in free.items()}
    parts = _parts(weights, limits, free, _taken(supplies, offered), mixture, shares)
    asked = {cell: _Ask(parts.get(cell, 0), s.unit) for cell, s in free.items()}
    return asked | {cell: _Ask(s.fixed, "samples") for cell, s in supplies.items() if s.fixed is not None}


def _unit(stage: str, mixture: Mixture) -> Literal["samples", "tokens"]:
    return "tokens" if mixture.tokens is not None or stage in mixture.stage_tokens else "samples"


def _supply(once: int, tokens: int, share: Share, unit: Literal["samples", "tokens"]) -> _Supply:
    repeats = share.max_repeat if share.epochs is None else max(share.max_repeat, -int(-share.epochs // 1))
    most = once * repeats if share.at_most is None else min(once * repeats, share.at_most)
    fixed = None
    if share.epochs is not None:
        fixed = min(most, int(exact(share.epochs) * once))
    elif share.samples is not None:
        fixed = min(most, share.samples)
    if unit == "samples":
        return _Supply(unit, once, most, fixed)
    return _Supply(unit, tokens, tokens * most // max(once, 1), fixed)


def _taken(supplies: Mapping[Cell, _Supply], offered: Mapping[Cell, tuple[int, int]]) -> Counter[str]:
    """What cells with a number of their own take of each stage's budget; of tokens, on average of their offers."""
    taken = Counter[str]()
    for cell, supply in supplies.items():
        if supply.fixed is not None:
            once, tokens = offered[cell]
            mean = 1 if supply.unit == "samples" else Fraction(tokens, once)
            taken[cell[0]] += int(supply.fixed * mean)
    return taken


def _weighted(shares: Mapping[str, Share]) -> bool:
    return any(share.weight is not None for share in shares.values())


def _weights(free: Mapping[Cell, _Supply], shares: Shares, mixture: Mixture) -> dict[Cell, Fraction]:
    weights = {}
    for cell, supply in free.items():
        stated = shares[cell[0]][cell[1]].weight if cell[1] in shares[cell[0]] else None
        if stated is not None:
            weights[cell] = exact(stated)
        elif mixture.temperature is not None:
            weights[cell] = Fraction(f"{supply.once ** (1 / mixture.temperature):.{TEMPERATURE_DIGITS}g}")
        else:
            weights[cell] = Fraction(1) if _weighted(shares[cell[0]]) else Fraction(supply.once)
    return weights


def _parts(
    weights: Mapping[Cell, Fraction], limits: Mapping[Cell, int], free: Mapping[Cell, _Supply],
    taken: Mapping[str, int], mixture: Mixture, shares: Shares,
) -> dict[Cell, int]:  # fmt: skip
    """What each cell without a number of its own gives, in the unit of its stage's budget."""
    cells: dict[str, list[Cell]] = {}
    for cell in sorted(free):
        cells.setdefault(cell[0], []).append(cell)
    proportional = mixture.stage_weights is not None or mixture.temperature is not None
    supply = {}
    for stage, members in cells.items():
        weighted = proportional or _weighted(shares[stage])
        open_ = {c: weights[c] for c in members if weights[c]}
        budgeted = mixture.whole is not None or stage in mixture.stage_samples or stage in mixture.stage_tokens
        if budgeted:
            supply[stage] = sum(limits[c] for c in open_)
        else:
            supply[stage] = largest(open_, limits) if weighted else sum(min(free[c].once, limits[c]) for c in open_)
    totals = _stage_totals(_stage_weights(cells, free, weights, mixture), supply, taken, mixture)
    parts: dict[Cell, int] = {}
    for stage, members in cells.items():
        parts |= fill({c: weights[c] for c in members if weights[c]}, limits, totals.get(stage, 0))
    return parts


def _stage_weights(
    cells: Mapping[str, list[Cell]], free: Mapping[Cell, _Supply], weights: Mapping[Cell, Fraction], mixture: Mixture
) -> dict[str, Fraction]:
    """The weights of the stages that have something to give."""
    asked = None if mixture.stage_weights is None else {str(s): exact(w) for s, w in mixture.stage_weights.items()}
    found = {}
    for stage, members in cells.items():
        offered = Fraction(sum(free[c].once for c in members if weights[c]))
        weight = offered if asked is None else asked.get(stage, Fraction(0))
        if offered and weight:
            found[stage] = weight
    return found


def _stage_totals(
    weights: Mapping[str, Fraction], supply: Mapping[str, int], taken: Mapping[str, int], mixture: Mixture
) -> dict[str, int]:
    own = {str(stage): number for stage, number in (*mixture.stage_samples.items(), *mixture.stage_tokens.items())}
    if own:
        left = {stage: min(max(0, n - taken.get(stage, 0)), supply.get(stage, 0)) for stage, n in own.items()}
        return {**({s: n for s, n in supply.items() if s in weights}), **left}
    if mixture.whole is not None:
        return fill(weights, supply, max(0, mixture.whole - sum(taken.values())))
    if mixture.stage_weights is None:
        return dict(supply)
    return fill(weights, supply, largest(weights, supply))


def _check_weight(what: str, weight: float) -> None:
    if not 0 <= weight < float("inf"):
        raise ValueError(f"{what} is {weight:g}; a weight is a number of 0 or more")


# ------------------------------------------------------------------------------------------------------- which ones
def _identity(offers: Offers) -> tuple[NDArray[np.generic], ...]:
    """What tells offers apart, least significant first, as `np.lexsort` takes it."""
    return offers.part, offers.stage, offers.identity[:, 1], offers.identity[:, 0]


def _capped(offers: Offers, caps: Caps, seed: int) -> NDArray[np.intp]:
    """The offers that the caps let through, each once, in the order of what tells them apart: of a record's drafts in a
    stage, and then of a group's, the first by seeded hash."""
    order = np.lexsort(_identity(offers))
    same = np.ones(len(order), np.bool_)
    same[:1] = False
    for column in _identity(offers):
        ordered = column[order]
        same[1:] &= ordered[1:] == ordered[:-1]
    kept = order[~same]
    for cap, record in ((caps.per_record, True), (caps.per_group, False)):
        if cap is not None:
            mine = offers.chosen(kept)
            whose = (mine.identity[:, 0], mine.identity[:, 1]) if record else (mine.group,)
            kept = kept[ranked(hashed(seed, "take", mine), mine.stage, *whose) < cap]
    return kept


def _take(ordered: NDArray[np.intp], tokens: Ints, asked: _Ask) -> tuple[NDArray[np.intp], Ints]:
    """What is asked of a cell's rows: whole epochs in their order, then the beginning of one more."""
    count = asked.number
    if asked.unit == "tokens":
        sums = np.cumsum(tokens[ordered])
        epochs, rest = divmod(asked.number, int(sums[-1])) if sums[-1] else (0, 0)
        count = epochs * len(ordered) + int(np.searchsorted(sums, rest, side="right"))
    places = np.arange(count)
    return ordered[places % len(ordered)], places // len(ordered)


def check_names(mixture: Mixture, known: Mapping[str, Sequence[str]]) -> None:
    """Raise `RecipeError` for a share or phase of a name that there is not; `known` are the names of each column, those
    of a column that it lacks are not checked."""
    in_stages = [name for shares in mixture.stage_shares.values() for name in shares]
    named: list[tuple[str, str]] = [(mixture.by, name) for name in (*mixture.shares, *in_stages)]
    for phase in mixture.curriculum:
        named += [(column, name) for column in known for name in getattr(phase, column)]
    for column, name in named:
        if column in known and name not in known[column]:
            raise RecipeError(f"mixture: {unknown(column, name, list(known[column]))}")
