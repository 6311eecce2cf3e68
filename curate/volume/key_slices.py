"""Which slices of a volume to show: those that its text names, those that its masks are about, else evenly spread.

Texts number slices from 1, in series and images as a scanner wrote them; `mentions` reads such numbers, `chosen`
turns them into indices. Pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbering = Literal["ascending", "descending"]

PEAK = 0.5  # of its largest area: a slice that shows so much of a structure shows it
MAX_RANGE = 50  # slices: "images 3-400" is no place
_WORD = r"(?:slices?|images?|img|ima|im|frames?)\b\.?"
_LABEL = r"(?:\s*(?:no|number|nos|numbers|#|№)\.?)?"
_UNIT = r"(?!\d)(?!\s*(?:mm|cm|ml|hu|%|mg|ms|s\b|sec|min|d\b|days?|weeks?|months?|years?|thick))(?!\.\d)"
_NAMED = re.compile(
    r"\b(?:(?:series|se|ser)\b\.?" + _LABEL + r"\s*[:=]?\s*(?P<series>\d{1,4})\s*[,;/ ]?\s*(?:and\s+)?)?"
    r"\b"
    + _WORD
    + _LABEL
    + r"\s*[:=#]?\s*(?P<list>\d{1,4}(?:\s*(?:/|of|-|–|to|through|,|and|&|or)\s*#?\d{1,4})*)"
    + _UNIT,
    re.IGNORECASE,
)
_CHINESE = re.compile(r"第\s*(\d{1,4})\s*(?:层|張|张|幅|帧|帧图|slice)")
_PARTS = re.compile(r"(/|of|-|–|to|through|,|and|&|or)|(\d+)", re.IGNORECASE)


class Mention(NamedTuple):
    """A slice that a text names: its number from 1, of how many (0: not said), in which series (0: not said)."""

    number: int
    of: int = 0
    series: int = 0


def mentions(text: str) -> tuple[Mention, ...]:
    """The slices that a text names, in its order, each once.

    Covered: "slice 45", "slices 45-47", "images 12, 14 and 20", "image 12/30", "image 12 of 30", "se 3 im 45",
    "series 3, image 45", "第45层". Not taken: sizes and times ("slice 5 mm", "image 2.5 cm"), dates ("image 1/2/2020"),
    ranges of more than `MAX_RANGE` slices, numbers spelt out.
    """
    found: list[tuple[int, Mention]] = []
    for match in _NAMED.finditer(text):
        series = int(match["series"] or 0)
        found += [(match.start(), one._replace(series=series)) for one in _listed(match["list"])]
    found += [(match.start(), Mention(int(match[1]))) for match in _CHINESE.finditer(text)]
    ordered = [mention for _, mention in sorted(found, key=lambda one: one[0]) if mention.number > 0]
    return tuple(dict.fromkeys(ordered))


def _listed(text: str) -> list[Mention]:
    """ "12/30", "12 of 30", "45-47", "12, 14 and 20"; nothing for a date."""
    parts = [(word.lower(), number) for word, number in _PARTS.findall(text)]
    numbers = [int(number) for _, number in parts if number]
    words = [word for word, _ in parts if word]
    if words and words[0] in ("/", "of"):
        return [Mention(numbers[0], numbers[1])] if len(words) == 1 and numbers[0] <= numbers[1] else []
    out = [Mention(numbers[0])]
    for word, number in zip(words, numbers[1:], strict=True):
        last = out[-1].number
        if word in ("-", "–", "to", "through"):
            if not last < number <= last + MAX_RANGE:
                return [Mention(n) for n in numbers[:1]]
            out += [Mention(n) for n in range(last + 1, number)]
        out.append(Mention(number))
    return out


def indices_of(found: Sequence[Mention], depth: int, numbering: Numbering = "ascending") -> list[int]:
    """Indices along z of the named slices that a stack of `depth` has.

    `ascending`: number 1 is index 0; `descending`: it is the last. A mention of another total than `depth` speaks of
    another series and is left out. The series' own number is not compared: a volume does not know it.
    """
    fitting = [m.number for m in found if m.number <= depth and m.of in (0, depth)]
    return list(dict.fromkeys(n - 1 if numbering == "ascending" else depth - n for n in fitting))


def chosen(depth: int, count: int, gap: int, named: Sequence[int], masks: Mapping[str, NDArray[np.uint8]]) -> list[int]:
    """min(count, depth) different indices along z, ascending.

    First the `named` ones in order. Then for the masks, (z, y, x), one slice after the other: the one where the
    structures not yet shown have the largest share of their largest area together (of equal ones the most central); a
    structure is shown by a slice with half its largest area; when all are shown, it begins anew. Last, while there are
    too few, the index farthest from those chosen; with none chosen, the middles of `count` equal parts. Chosen slices
    lie at least `gap` indices apart, as long as that leaves any to choose.
    """
    wanted = min(count, depth)
    areas = {name: np.count_nonzero(mask, axis=(1, 2)).astype(np.float64) for name, mask in masks.items()}
    shares = [area / area.max() for area in areas.values() if area.any()]
    taken: list[int] = []
    for z in named:
        if len(taken) < wanted and z not in taken:
            taken.append(z)
    if shares:
        _by_masks(np.stack(shares), wanted, gap, taken)
    if not taken:
        return [(2 * k + 1) * depth // (2 * wanted) for k in range(wanted)]
    while len(taken) < wanted:
        away = np.abs(np.arange(depth)[:, None] - np.array(taken)).min(axis=1)
        taken.append(int(np.argmax(away)))
    return sorted(taken)


def _by_masks(shares: NDArray[np.float64], wanted: int, gap: int, taken: list[int]) -> None:
    """Add to `taken` by the rule of `chosen`; `shares` is (structure, z), 1 where a structure is largest."""
    depth = shares.shape[1]
    middle = np.abs(np.arange(depth) - (depth - 1) / 2)
    unshown = np.array([not any(row[z] >= PEAK for z in taken) for row in shares])
    while len(taken) < wanted:
        if not unshown.any():
            unshown[:] = True
        free = np.ones(depth, np.bool_)
        for z in taken:
            free[max(z - gap + 1, 0) : z + gap] = False
        score = np.where(free, sum(shares[unshown], start=np.zeros(depth)), 0.0)
        if not (score > 0).any():
            if unshown.all():
                return
            unshown[:] = True  # what is left to show lies too near: more of the others
            continue
        best = int(np.lexsort((middle, -score))[0])
        taken.append(best)
        unshown &= shares[:, best] < PEAK
