"""Priors of answers: how often a guesser is right that has learned which answer each question mostly has, and a cap.

Offers with a verified answer (`manifests.sample.Answer`; for `rlvr` all of them) fall into **families**: the same task,
verifier and wording of the question, without its numbers, options and placeholders of media (`synth.priors`). A wording
that fewer than `FEW` offers share is no family of its own: those of a task and verifier are one family together. The
guesser says the most frequent answer of a family, or where options have letters the most frequent letter if that is
right more often. A family's answers are taken as the verifiers take them: synonyms of a label and numbers that agree in
two digits are one, an option is its text.

`Balance` caps every answer, and every letter, of a family: at most the share `at_most` of its draws, in exact numbers.
Of an answer's offers the first in the order of the mixture's seeded hash stay, the most that can. Nothing more equal
than 1/k can hold of k answers, so the cap is never below that; a family that has one answer alone keeps `least` of it.

Adding offers of other families changes nothing. Within a family, more of its rarer answers only add to what stays; more
of its frequent answer may exchange some of it for others, as many. Not stable: a wording that comes to have `FEW`
offers leaves its task's common family, and a further answer lowers the cap where 1/k was above `at_most`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from manifests.config import Config
from manifests.offers import Hashes, Ints, Offers, ranked
from manifests.quotas import exact
from manifests.sample import STAGES, StageName

FEW = 8  # offers from which a guesser learns nothing
FINEST = 1_000_000  # the largest denominator of `at_most`
By = Literal["question", "task"]
NONE = -1


class Balance(Config):
    """No answer, and no letter, of a family holds more than the share `at_most` of the draws of one of these stages, or
    than `least` draws where that is more. `by: task` makes one family of all questions of a task and verifier. Families
    of fewer than 8 offers are left as they are."""

    stages: tuple[StageName, ...] = Field(default=("rlvr",), min_length=1)
    by: By = "question"
    at_most: float = Field(default=0.5, gt=0, lt=1)
    least: int = Field(default=1, ge=1)


@dataclass(frozen=True, slots=True)
class Prior:
    """What a guesser knows of a stage: of `offered` offers with a verified answer, as the caps leave them, it is right
    on `offered_right`; of their draws, on `drawn_right`. `left_out` offers, or uses of them, the balance kept out."""

    stage: str
    offered: int
    offered_right: int
    drawn: int
    drawn_right: int
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Axis:
    """What is counted of a family: `cell` numbers (family, value) for each offer, `NONE` where it has none; `family`
    of each cell."""

    cell: Ints
    family: Ints


@dataclass(frozen=True, slots=True)
class Families:
    """Families of offers, numbered from 0: the stage (into STAGES) and the number of offers of each."""

    stage: Ints
    size: Ints
    axes: tuple[Axis, Axis]  # answers, letters

    def chosen(self, which: NDArray[np.intp]) -> Families:
        """The same families, of other rows."""
        first, second = (Axis(axis.cell[which], axis.family) for axis in self.axes)
        return Families(self.stage, self.size, (first, second))


def families(offers: Offers, by: By) -> Families:
    """The families of all offers with a verified answer."""
    known = np.flatnonzero(offers.gold.verifier != 0)
    mine = offers.chosen(known)
    family = numbered(mine.stage, mine.names["task"], mine.gold.verifier)
    if by == "question":
        wording = numbered(family, mine.gold.question)
        few = np.bincount(wording, minlength=1)[wording] < FEW
        family = numbered(few, np.where(few, family, wording))
    count = int(family.max(initial=NONE)) + 1
    stage = np.zeros(count, np.int64)
    stage[family] = mine.stage
    answers, letters = (_axis(len(offers), known, family, v) for v in (mine.gold.answer, mine.gold.letter))
    return Families(stage, np.bincount(family, minlength=count).astype(np.int64), (answers, letters))


def _axis(rows: int, known: NDArray[np.intp], family: Ints, values: Hashes) -> Axis:
    has = values != 0
    found = numbered(family[has], values[has])
    cell = np.full(rows, NONE, np.int64)
    cell[known[has]] = found
    whose = np.zeros(int(found.max(initial=NONE)) + 1, np.int64)
    whose[found] = family[has]
    return Axis(cell, whose)


def numbered(*columns: NDArray[np.generic]) -> Ints:
    """For each row the number of its combination of values, from 0, without gaps."""
    codes = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        found, inverse = np.unique(column, return_inverse=True)
        codes = np.unique(codes * max(len(found), 1) + inverse, return_inverse=True)[1].astype(np.int64)
    return codes


# ------------------------------------------------------------------------------------------------------- what it knows
def guessed(found: Families, which: NDArray[np.intp]) -> tuple[Ints, Ints]:
    """For each stage how many of these rows have a verified answer, and on how many the guesser is right."""
    best = np.zeros(len(found.stage), np.int64)
    for axis in found.axes:
        np.maximum.at(best, axis.family, _counts(axis, which))
    answers = found.axes[0]
    known = np.bincount(answers.family, weights=_counts(answers, which), minlength=len(found.stage))
    of_stage = [np.bincount(found.stage, weights=n, minlength=len(STAGES)).astype(np.int64) for n in (known, best)]
    return of_stage[0], of_stage[1]


def priors(found: Families, drawn: NDArray[np.intp], left_out: Ints) -> tuple[Prior, ...]:
    """Of each stage with verified answers: `drawn` are rows of the offers that `found` is of, one for each draw."""
    offered = guessed(found, np.arange(len(found.axes[0].cell)))
    taken = guessed(found, drawn)
    return tuple(
        Prior(stage, *(int(column[at]) for column in (*offered, *taken, left_out)))
        for at, stage in enumerate(STAGES)
        if offered[0][at]
    )


def _counts(axis: Axis, which: NDArray[np.intp]) -> Ints:
    cells = axis.cell[which]
    return np.bincount(cells[cells != NONE], minlength=len(axis.family)).astype(np.int64)


# --------------------------------------------------------------------------------------------------------- what stays
def surplus(
    found: Families, balance: Balance, place: NDArray[np.intp], repeat: Ints, replaced: bool = False
) -> NDArray[np.int8]:
    """What is too much of these uses of offers: 0 for a use that stays, 1 for one of too frequent an answer, 2 of too
    frequent a letter. `repeat` counts the uses of an offer from 0; later ones go first, of those the ones of greater
    `place`. `replaced`: others will come for what goes, so that shares are those of all these uses."""
    gone = np.zeros(len(place), np.int8)
    wanted = np.isin(found.stage, [STAGES.index(stage) for stage in balance.stages]) & (found.size >= FEW)
    while True:
        before = int((gone > 0).sum())
        for kind, axis in enumerate(found.axes, start=1):
            open_ = np.flatnonzero((gone == 0) & (axis.cell != NONE))
            open_ = open_[wanted[axis.family[axis.cell[open_]]]]
            counts = _counts(axis, open_)
            most = _most(axis.family, counts, len(found.stage), balance, replaced)[axis.family]
            rows = open_[(counts > most)[axis.cell[open_]]]
            rows = rows[np.lexsort((place[rows], repeat[rows]))]
            cells = axis.cell[rows]
            gone[rows[ranked(np.arange(len(rows), dtype=np.uint64), cells) >= most[cells]]] = kind
        if replaced or int((gone > 0).sum()) == before:  # a letter's loss may make an answer too frequent again
            return gone


def _most(family: Ints, counts: Ints, number: int, balance: Balance, replaced: bool) -> Ints:
    """For each family the largest number that its answers may have, so that none holds more than its share of what is
    left when the others are cut to that number too, or where what goes is `replaced`, of all. `counts` are those of the
    cells, `family` whose they are."""
    kinds = np.maximum(np.bincount(family[counts > 0], minlength=number), 2)
    share = exact(balance.at_most).limit_denominator(FINEST)
    even = kinds * share.numerator < share.denominator  # 1/k is more than was asked
    above, below = np.where(even, 1, share.numerator), np.where(even, kinds, share.denominator)
    if replaced:
        whole = np.bincount(family, weights=counts, minlength=number).astype(np.int64)
        return np.maximum(whole * above // below, balance.least)
    low, high = np.zeros(number, np.int64), np.zeros(number, np.int64)
    np.maximum.at(high, family, counts)
    while (low < high).any():  # what holds for a number holds for all smaller ones: the sum below is concave
        middle = (low + high + 1) // 2
        left = np.bincount(family, weights=np.minimum(counts, middle[family]), minlength=number).astype(np.int64)
        holds = middle * below <= left * above
        low, high = np.where(holds, middle, low), np.where(holds, high, middle - 1)
    return np.maximum(low, balance.least)
