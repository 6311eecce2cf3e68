"""The gold set of the verifiers: pairs made by hand rules from real facts, and patterns that try to earn unearned."""

from __future__ import annotations

import functools

from tests.synth.gold import of_numbers, of_space, of_words
from tests.synth.gold.base import Pair, distinct


@functools.cache
def gold_set() -> tuple[Pair, ...]:
    """Every pair once, in the order of the rules; the same everywhere."""
    return tuple(distinct(p for module in (of_numbers, of_words, of_space) for p in module.pairs()))
