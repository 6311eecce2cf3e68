"""Packing: samples together in rows of at most so many tokens, for training with long contexts.

Best fit over a bounded number of open rows: a sample goes into the fullest row that it still fits into, else opens one;
of more than `open_rows` the fullest is closed. Order in, order out: the same samples in the same order give the same
rows, and memory does not grow with the export. (Best-fit packing of documents: Ding et al. 2024, arXiv 2404.10830,
which sorts all by length first.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from curate.formats.base import UnfitError

T = TypeVar("T")
OPEN_ROWS = 256


class Packer(Generic[T]):
    def __init__(self, budget: int, open_rows: int = OPEN_ROWS) -> None:
        self.budget = budget
        self.open_rows = open_rows
        self._rows: list[tuple[int, list[T]]] = []

    def add(self, thing: T, tokens: int) -> Iterator[list[T]]:
        """Take one in; the rows that are closed by it. Raises `UnfitError` `too_long` for one beyond the budget."""
        if tokens > self.budget:
            raise UnfitError("too_long", f"{tokens} tokens, and {self.budget} in a row")
        return self._taken(thing, tokens)

    def _taken(self, thing: T, tokens: int) -> Iterator[list[T]]:
        fits = [n for n, (used, _) in enumerate(self._rows) if used + tokens <= self.budget]
        if fits:
            best = max(fits, key=lambda n: (self._rows[n][0], -n))
            used, held = self._rows[best]
            held.append(thing)
            self._rows[best] = (used + tokens, held)
        else:
            self._rows.append((tokens, [thing]))
        full = [n for n, (used, _) in enumerate(self._rows) if used == self.budget]
        if not full and len(self._rows) > self.open_rows:
            full = [max(range(len(self._rows)), key=lambda n: (self._rows[n][0], -n))]
        for number in reversed(full):
            yield self._rows.pop(number)[1]

    def rest(self) -> Iterator[list[T]]:
        """The rows that are still open, in the order in which they were opened."""
        while self._rows:
            yield self._rows.pop(0)[1]
