"""Links: what the comparison of media says of two records besides duplication, as splits and the ledger need it.

| relation | the record | the other one (`to`) |
|---|---|---|
| slice_of | an image | the volume that it is a slice of: axis x, y, z; slice from left, posterior, inferior |
| frame_of | an image | the clip of which it is a frame: `index` is the time in ms |
| near | image, volume or clip | shows the same, each most of the other |
| turned | an image | the same, mirrored or turned |
| part_of | image, volume or clip | holds at least `WHOLE_SHARE` of the record and more besides |
| overlaps | image, volume or clip | shares a part |
| same_media | any but text | has equal media, and says something else |

A link stands with one of its two records: the one that is less, else the one with the greater key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from curate.dedup_media import SAME_SHARE, WHOLE_SHARE
from curate.matching.confirm import Agreed
from curate.sketch import Alike
from manifests.record import canonical_json

STACKED = {"slice": "slice_of", "frame": "frame_of"}


@dataclass(frozen=True, slots=True)
class Link:
    """One link of record `key` to record `to`; `shares`: how much of each lies in the other."""

    key: str
    to: str
    relation: str
    score: float
    threshold: float
    shares: tuple[float, float] = (0.0, 0.0)
    axis: str = ""
    index: int = -1


def links_of(pairs: Iterable[tuple[str, str, Agreed]]) -> list[Link]:
    """The links of records by their keys, sorted, each once; of several between two records the best."""
    best: dict[tuple[str, str], Link] = {}
    for one, other, pair in pairs:
        if one == other:
            continue
        link = _link(one, other, pair)
        known = best.get((link.key, link.to))
        if known is None or (-link.score, link.relation) < (-known.score, known.relation):
            best[link.key, link.to] = link
    return [best[pair] for pair in sorted(best)]


def _link(one: str, other: str, pair: Agreed) -> Link:
    if pair.relation in STACKED:
        picture, stack = (one, other) if pair.picture_first else (other, one)
        relation = STACKED[pair.relation]
        return Link(picture, stack, relation, pair.score, pair.threshold, axis=pair.axis, index=pair.index)
    shares = pair.shares
    if shares[0] < shares[1] or (shares[0] == shares[1] and one < other):
        one, other, shares = other, one, (shares[1], shares[0])
    relation = "overlaps"
    if pair.turn:
        relation = "turned"
    elif min(shares) >= SAME_SHARE:
        relation = "near"
    elif shares[0] >= WHOLE_SHARE:
        relation = "part_of"
    return Link(one, other, relation, pair.score, pair.threshold, shares)


def alike_of(links: Sequence[Link]) -> list[Alike]:
    """Of links, those that may make duplicates."""
    kinds = ("near", "part_of")
    return [Alike(one.key, one.to, one.score, one.threshold, one.shares) for one in links if one.relation in kinds]


def told(links: Sequence[Link], same: Sequence[tuple[str, str]]) -> dict[str, str]:
    """By record, the JSON of the ledger's column `links`: a list of {relation, to, ...}."""
    said: dict[str, list[dict[str, Any]]] = {}
    for link in links:
        values: dict[str, Any] = {"relation": link.relation, "to": link.to, "score": link.score}
        if link.index >= 0:
            values |= {"axis": link.axis, "index": link.index} if link.axis else {"index": link.index}
        said.setdefault(link.key, []).append(values)
    for key, to in same:
        said.setdefault(key, []).append({"relation": "same_media", "to": to})
    return {key: canonical_json(values) for key, values in said.items()}
