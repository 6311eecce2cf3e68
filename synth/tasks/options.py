"""Wrong options that nothing but the media tells from the right one.

Numbers: the right one's rank among all options is a seeded hash over all ranks, and its neighbours lie 15 to 35 % (or
an own step of the family) apart, in its unit and with its decimals; so neither the middle value nor the longest is
right more often than chance. A number that cannot take every rank (a count below the number of options) gets none.
Words: how many of the wrong ones are longer is a seeded hash too, as far as the pool has enough of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from synth.calls import format_number
from synth.tasks.common import seeded, shuffled

LEAST, MOST = 150, 350  # how far a number's neighbour lies from it, in thousandths
SHIFT = 2  # slices by which ranges differ at least


class Scale(NamedTuple):
    """How the wrong numbers of a family lie: `step` in printed units apart (up to half as much again), or by ratio
    where it is 0; `low` and `high` bound what can be true. What is counted in voxels is a multiple of `quantum`, and so
    are the wrong ones: otherwise the spacing that a question states would tell the right one."""

    step: float = 0.0
    quantum: float = 0.0
    low: float = float("-inf")
    high: float = float("inf")


def near_numbers(gold: str, count: int, scale: Scale, seed: int, *parts: str) -> tuple[str, ...]:
    """`count` - 1 other numbers as the gold is printed, in rising order; none where it cannot take every rank."""
    decimals = len(gold.partition(".")[2])
    unit = 1 / scale.quantum if scale.quantum else 10**decimals
    value = round(float(gold) * unit)
    rank = seeded(seed, *parts, "rank") % count
    widest = [_chain(value, way, [MOST] * (count - 1), round(scale.step * unit)) for way in (-1, 1)]
    floor = max(scale.low * unit, 1.0 if not scale.step else float("-inf"))
    if widest[0][-1] < floor or widest[1][-1] > scale.high * unit:
        return ()
    apart = [LEAST + seeded(seed, *parts, str(at)) % (MOST - LEAST + 1) for at in range(count - 1)]
    below = _chain(value, -1, apart[:rank], round(scale.step * unit))
    above = _chain(value, 1, apart[rank:], round(scale.step * unit))
    wrong = tuple(format_number(one / unit, decimals) for one in (*reversed(below), *above))
    return wrong if len({*wrong, gold}) == count else ()


def _chain(value: int, way: int, apart: Sequence[int], step: int) -> list[int]:
    """Numbers from a value on, each some thousandths from the one before, or a step and up to half as much again."""
    out: list[int] = []
    for thousandths in apart:
        if step:
            more = step * (thousandths - LEAST) // (2 * (MOST - LEAST)) if step > 1 else 0
            value += way * (step + more)
        elif way > 0:
            value = max(value + 1, value * (1000 + thousandths) // 1000)
        else:
            value = min(value - 1, -(-value * 1000 // (1000 + thousandths)))
        out.append(value)
    return out


def near_ranges(gold: str, count: int, slices: int, seed: int, *parts: str) -> tuple[str, ...]:
    """`count` - 1 other ranges `first-last` of the slices 0 to `slices` - 1: moved along, or wider and narrower, by
    equal steps; no two share an end. None where the gold cannot take every rank."""
    first, last = (int(part) for part in gold.split("-"))
    most = count - 1
    room = min(first, slices - 1 - last) // most
    moved = min(room, max(SHIFT, (last - first) // 4))
    grown = min(room, (last - first - 1) // (2 * most))
    ways = [(step, sign) for step, sign in ((moved, 1), (grown, -1)) if step >= SHIFT]
    if not ways:
        return ()
    step, sign = ways[seeded(seed, *parts, "way") % len(ways)]
    rank = seeded(seed, *parts, "rank") % count
    others = [step * (at - rank) for at in range(count) if at != rank]
    return tuple(f"{first + sign * by}-{last + by}" for by in others)


def of_length(gold: str, pool: Sequence[Sequence[str]], count: int, seed: int, *parts: str) -> tuple[str, ...]:
    """Up to `count` - 1 wrong options, at most one form of each entry of the pool.

    How many are longer than the gold is a seeded hash from 0 to `count` - 1, so that the gold is the longest once in
    `count`, where the pool has as many longer and as many shorter ones; else as near to it as it has.
    """
    wanted = min(count - 1, len(pool))
    longer = min(seeded(seed, *parts, "longer") % count, wanted)
    names = {forms[0]: forms for forms in pool}
    chosen: list[str] = []
    left: list[str] = []
    for name in shuffled(list(names), seed, *parts):
        forms = shuffled(list(names[name]), seed, *parts, "form")
        above = [form for form in forms if len(form) > len(gold)]
        under = [form for form in forms if len(form) < len(gold)]
        if above and longer:
            chosen.append(above[0])
            longer -= 1
        elif under and wanted - len(chosen) > longer:
            chosen.append(under[0])
        else:
            left.append(forms[0])
        if len(chosen) == wanted:
            break
    return tuple(chosen + left[: wanted - len(chosen)])
