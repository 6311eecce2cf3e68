"""Splits: which records may be trained on, and which are held out, decided for whole patients.

Records that share a group (a patient, an article, a video) or a link (a duplicate of one another, an image cut from a
volume) form one component, found by union-find, and a component stands in one split as a whole.

**Stability.** A component's split depends on the seed and on its identity alone, and its identity is the smallest of
its members' identities: a group is one identity, a record without a group is another, and every group comes before
every such record. So:

- adding or removing records of a known group changes no decision at all;
- adding records of new groups changes no decision about others, unless they link them;
- a record without a group that is linked to a group follows the group;
- where a link merges two groups, the one with the smaller name keeps its split and the other follows; when the link
  goes, the other returns to the split that it had;
- raising `val` or `test` moves records from train to that split, and no others; another seed is another split.

Shares are then expected shares of components, in every stratum alike, not exact counts: of n components, a share p has
a standard deviation of sqrt(p (1 - p) / n). No rule can do better and move nobody: exact counts need to know of others.

**Strata.** `stratify: [source, modality]` asks for exact shares of the components of every stratum: of n components the
floor of p n + u, where u in 0..1 is fixed by the seed and the stratum, so that many small strata add up to the share.
Which ones is decided as above, by the same numbers. The price is at the edge of a stratum that grows: a component that
no longer belongs to its lowest share moves back to train (about sqrt(p n) of n, when n doubles). Adding a source moves
nobody of another one where `source` is among the strata and nothing links them. A component belongs to the stratum of
its smallest record of its smallest identity.

Groups are compared as they are: a pseudonym must mean one patient in all sources, or name its source.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import floor
from typing import Literal

from pydantic import Field, model_validator

from manifests.config import Config

SplitName = Literal["train", "val", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
Stratum = Literal["source", "kind", "modality", "licence"]
Link = tuple[str, str]  # two record keys


class SplitConfig(Config):
    """Shares of patients held out for validation and for testing; the rest is train. `stratify`: see the module."""

    val: float = Field(default=0.0, ge=0, le=0.5)
    test: float = Field(default=0.0, ge=0, le=0.5)
    stratify: tuple[Stratum, ...] = ()

    @model_validator(mode="after")
    def _something_is_left(self) -> SplitConfig:
        if self.val + self.test >= 1:
            raise ValueError(
                f"val {self.val} and test {self.test} leave nothing to train on; their sum must be under 1"
            )
        return self


@dataclass(frozen=True, slots=True)
class Leak:
    """One component that stands in more than one split: its groups, its records and where they stand."""

    groups: tuple[str, ...]
    keys: tuple[str, ...]
    splits: tuple[SplitName, ...]


def assign_splits(
    groups: Mapping[str, str],
    links: Iterable[Link],
    config: SplitConfig,
    seed: int,
    strata: Mapping[str, str] | None = None,
) -> dict[str, SplitName]:
    """The split of every record, keys in sorted order; `groups` maps record keys to groups, "" where there is none.

    A link may name a record that is not in `groups` (one that was dropped): it still joins those that it links. With
    `strata` (record key -> stratum) the shares of every stratum are exact.
    """
    components = [(identities[0], keys) for identities, keys in _components(groups, links) if keys]
    places = [_place(identity, seed) for identity, _ in components]
    if strata is None:
        splits = [_split_at(place, config) for place in places]
    else:
        splits = _stratified([_stratum(i, keys, groups, strata) for i, keys in components], places, config, seed)
    found = {key: split for (_, keys), split in zip(components, splits, strict=True) for key in keys}
    return dict(sorted(found.items()))


def _stratum(identity: Identity, keys: list[str], groups: Mapping[str, str], strata: Mapping[str, str]) -> str:
    """That of the smallest record which bears the identity; where that one was dropped, of the smallest at all."""
    is_record, name = identity
    own = [key for key in keys if (key == name if is_record else groups[key] == name)]
    return strata[min(own or keys)]


def _stratified(strata: list[str], places: list[float], config: SplitConfig, seed: int) -> list[SplitName]:
    """Of every stratum, the lowest places are tested and the highest validated."""
    members: defaultdict[str, list[int]] = defaultdict(list)
    for index, stratum in enumerate(strata):
        members[stratum].append(index)
    splits: list[SplitName] = ["train"] * len(strata)
    for stratum, indices in members.items():
        indices.sort(key=lambda i: (places[i], i))
        rounding = _number(str(seed), "stratum", stratum)
        test = min(floor(config.test * len(indices) + rounding), len(indices)) if config.test else 0
        val = min(floor(config.val * len(indices) + 1 - rounding), len(indices) - test) if config.val else 0
        for index in indices[:test]:
            splits[index] = "test"
        for index in indices[len(indices) - val :]:
            splits[index] = "val"
    return splits


def leaks(rows: Iterable[tuple[str, str, str]], links: Iterable[Link] = ()) -> list[Leak]:
    """The components that stand in two splits or three, sorted; none is what `verify` wants to see.

    A row is (key, group, split); rows whose split is none of train, val and test (dropped records) are passed over, and
    so are the links of such records.
    """
    placed: dict[str, tuple[str, SplitName]] = {}
    for key, group, split in rows:
        for name in SPLITS:
            if split == name:
                placed[key] = (group, name)
    groups = {key: group for key, (group, _) in placed.items()}
    found = []
    for identities, keys in _components(groups, (link for link in links if link[0] in placed and link[1] in placed)):
        splits = {placed[key][1] for key in keys}
        if len(splits) > 1:
            names = tuple(name for is_record, name in identities if not is_record)
            found.append(Leak(names, tuple(sorted(keys)), tuple(s for s in SPLITS if s in splits)))
    return sorted(found, key=lambda leak: (leak.groups, leak.keys))


Identity = tuple[bool, str]  # (False, group) or (True, key of a record without a group): groups sort first


def _components(groups: Mapping[str, str], links: Iterable[Link]) -> Iterator[tuple[list[Identity], list[str]]]:
    """Every component as (its identities, smallest first; its records' keys)."""

    def identity(key: str) -> Identity:
        group = groups.get(key, "")
        return (False, group) if group else (True, key)

    links = list(links)
    keys = {*groups, *(key for link in links for key in link)}
    nodes = sorted({identity(key) for key in keys})
    place = {node: index for index, node in enumerate(nodes)}
    union = Union(len(nodes))
    for one, other in links:
        union.join(place[identity(one)], place[identity(other)])
    members: defaultdict[int, list[str]] = defaultdict(list)
    for key in groups:
        members[union.root(place[identity(key)])].append(key)
    for cluster in union.clusters():
        yield [nodes[i] for i in cluster], members[cluster[0]]


def _place(identity: Identity, seed: int) -> float:
    is_record, name = identity
    return _number(str(seed), "record" if is_record else "group", name)


def _number(*parts: str) -> float:
    """0 <= number < 1, fixed by the parts."""
    return int.from_bytes(hashlib.sha256("\x1f".join(parts).encode()).digest()[:8], "big") / 2**64


def _split_at(place: float, config: SplitConfig) -> SplitName:
    if place < config.test:
        return "test"
    return "val" if place >= 1 - config.val else "train"  # from the other end, so that neither share moves the other


class Union:
    """Disjoint sets of the integers below `size`; the root of a set is its smallest member."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def root(self, index: int) -> int:
        parent = self._parent
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.root(one), self.root(other)))
        self._parent[high] = low

    def clusters(self) -> Iterable[list[int]]:
        """Every set, members ascending, sets in the order of their smallest member."""
        found: defaultdict[int, list[int]] = defaultdict(list)
        for index in range(len(self._parent)):
            found[self.root(index)].append(index)
        return found.values()
