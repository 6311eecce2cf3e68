"""What is compared of a record, and what comes of it: `Sketch`, `Alike`, `Duplicate`; classes of equal sketches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from curate.split import Union

Method = Literal["bytes", "pixels", "looks", "text", "minhash"]


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is compared of one record; a digest that is "" is unknown and equals nothing.

    `priority` is the source's (higher stays), `licence_rank` is `manifests.card.licence_rank` (higher stays),
    `pixel_sha256` covers all the media that make the record what it is, `text_sha256` all that it says; `marks` tells
    records with different marked structures apart, "" is without any.
    """

    key: str
    source: str
    kind: str
    priority: int = 0
    licence_rank: int = 0
    group: str = ""
    content_sha256: str = ""
    pixel_sha256: str = ""
    text_sha256: str = ""
    marks: str = ""

    @property
    def said(self) -> str:
        """What is said of the media; "" of a silent record."""
        return f"{self.text_sha256}/{self.marks}".strip("/")


@dataclass(frozen=True, slots=True)
class Alike:
    """Two records of one kind whose pixels agree: `shares` of the first that lies in the second, and the reverse."""

    one: str
    other: str
    score: float
    threshold: float
    shares: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Why a record goes: `of` is the record that stays in its cluster, `matched` the member that it was compared with.

    `score` is the similarity of the record and `matched` (1.0 for an exact match), `threshold` what was asked of it.
    """

    of: str
    matched: str
    method: Method
    score: float
    threshold: float


def rank(item: Sketch) -> tuple[int, int, str]:
    """The smallest is the best record."""
    return (-item.priority, -item.licence_rank, item.key)


def classes(ranked: list[Sketch], tokens: Callable[[Sketch], tuple[tuple[str, ...], ...]]) -> Iterator[list[Sketch]]:
    """Records joined by a shared token, best first within a class; a token whose last part is "" joins nothing."""
    union = Union(len(ranked))
    first: dict[tuple[str, ...], int] = {}
    for index, item in enumerate(ranked):
        for token in tokens(item):
            if token[-1]:
                union.join(first.setdefault(token, index), index)
    yield from ([ranked[i] for i in members] for members in union.clusters())
