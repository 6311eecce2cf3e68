"""Exact parts of a whole: in proportion to weights, within limits, settled by largest remainders; ties by name."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TypeVar

K = TypeVar("K", str, tuple[str, str])


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


def largest(weights: Mapping[K, Fraction], limits: Mapping[K, int]) -> int:
    """The largest total whose proportional parts stay within the limits."""
    whole = sum(weights.values())
    return min((int(limits[k] * whole // weight) for k, weight in weights.items()), default=0)


def exact(weight: float) -> Fraction:
    """A weight as the decimal number that the user wrote: 0.1 is one tenth."""
    return Fraction(repr(float(weight)))
