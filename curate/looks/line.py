"""Matches between two stacks that one linear map of indices explains."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

Hit = TypeVar("Hit")

TRIED = 48  # of an axis' matches, from which lines are drawn
SLICES = (0.1, 10.0)  # slices of one stack to a slice of the other
SAME_SPEED = (0.95, 1.05)


def lines(
    matches: Sequence[tuple[int, int, int, Hit]], least: int, slopes: tuple[float, float] = SLICES
) -> list[list[Hit]]:
    """For each axis the matches (axis, index, index, what) on the line that explains most of them, sorted along it, one
    for each index of either; axes with fewer than `least` are left out, and those with more come first. Matches come
    best first; among equal lines the first drawn counts."""
    found = []
    for axis in sorted({m[0] for m in matches}):
        points = [(a, b, hit) for of, a, b, hit in matches if of == axis]
        tolerance = 1.0 + _step(sorted({b for _, b, _ in points}))
        best: list[tuple[int, int, Hit]] = []
        for n, (a, b, _) in enumerate(points[:TRIED]):
            for c, d, _ in points[:n]:
                if a == c or not slopes[0] <= (b - d) / (a - c) <= slopes[1]:
                    continue
                held = _explained(points, (a, b, (b - d) / (a - c)), tolerance)
                best = held if len(held) > len(best) else best
        if len(best) >= least:
            found.append([hit for _, _, hit in best])
    return sorted(found, key=len, reverse=True)


def _step(indices: list[int]) -> float:
    """The least distance of two indices: how finely the second stack was looked at, as far as the matches tell."""
    return min((b - a for a, b in pairwise(indices)), default=0) / 2


def _explained(
    points: list[tuple[int, int, Hit]], line: tuple[int, int, float], tolerance: float
) -> list[tuple[int, int, Hit]]:
    """One point for each index of either stack that lies on the line, the best first to choose."""
    firsts: set[int] = set()
    seconds: set[int] = set()
    held = []
    for a, b, hit in points:
        if a in firsts or b in seconds or abs(b - line[1] - line[2] * (a - line[0])) > tolerance:
            continue
        firsts.add(a)
        seconds.add(b)
        held.append((a, b, hit))
    return sorted(held, key=lambda point: point[:2])
