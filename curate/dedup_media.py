"""Duplicates among media: classes of equal media, and of those the ones that show the same. What makes a duplicate is
told in `curate.dedup`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from curate.sketch import Alike, Duplicate, Sketch, classes, rank

SAME_SHARE, WHOLE_SHARE = 0.6, 0.8
SAME_SOURCE_SCORE = 0.98  # of two volumes of one source whose patients are not known


@dataclass(frozen=True, slots=True)
class _Reason:
    """Why a class of equal media goes to another: two of their records were compared, the one that goes first; `whole`:
    it shows but a part of the other."""

    compared: tuple[str, str]
    score: float
    threshold: float
    whole: bool


@dataclass(frozen=True, slots=True)
class _Member:
    """A record in a group that shows the same: its class of equal media, and why that is not the group's own."""

    item: Sketch
    of_class: int
    reason: _Reason | None


def media_duplicates(ranked: list[Sketch], alike: Iterable[Alike], exact: bool = True) -> dict[str, Duplicate]:
    """The records that go, of `ranked` (best first, none of them a text); without `exact` equal media are no reason."""
    equal = list(classes(ranked, media_tokens if exact else lambda item: ((item.key,),)))
    homes = merged(equal, alike)
    groups: dict[int, list[_Member]] = {}
    for number, held in enumerate(equal):
        home, reason = homes.get(number, (number, None))
        groups.setdefault(home, []).extend(_Member(item, number, reason) for item in held)
    found: dict[str, Duplicate] = {}
    for group in groups.values():
        group.sort(key=lambda m: (m.reason is not None, m.reason is not None and m.reason.whole, rank(m.item)))
        for member, keeper in _pairs(group):
            found[member.item.key] = _evidence(member, keeper, equal[member.of_class])
    return found


def _pairs(group: list[_Member]) -> Iterator[tuple[_Member, _Member]]:
    """(who goes, to whom) in a group that shows the same, the most telling first: equal words go to the first that says
    them, the silent to the first that speaks, and where none does to the first."""
    first: dict[str, _Member] = {}
    for member in group:
        if member.item.said:
            keeper = first.setdefault(member.item.said, member)
            if keeper is not member and _may_go(member, keeper):
                yield member, keeper
    for member in (m for m in group if not m.item.said):
        keeper = next((k for k in first.values() if _may_go(member, k)), None) or first.setdefault("", member)
        if keeper is not member and _may_go(member, keeper):
            yield member, keeper


def _may_go(member: _Member, keeper: _Member) -> bool:
    """A record that shows but a part stands for its equals alone."""
    return member.of_class == keeper.of_class or keeper.reason is None or not keeper.reason.whole


def _evidence(member: _Member, keeper: _Member, equal: list[Sketch]) -> Duplicate:
    """The keeper itself where their media are equal; else the best record through which they are known to be equal;
    else the record whose pixels were compared."""
    item, of = member.item, keeper.item.key
    for other in (keeper.item, *equal) if member.of_class == keeper.of_class else ():
        if other is item:
            continue
        if item.content_sha256 and item.content_sha256 == other.content_sha256:
            return Duplicate(of, other.key, "bytes", 1.0, 1.0)
        if item.pixel_sha256 and item.pixel_sha256 == other.pixel_sha256:
            return Duplicate(of, other.key, "pixels", 1.0, 1.0)
    if member.reason is not None:
        return Duplicate(of, member.reason.compared[1], "looks", member.reason.score, member.reason.threshold)
    if keeper.reason is not None:
        return Duplicate(of, keeper.reason.compared[0], "looks", keeper.reason.score, keeper.reason.threshold)
    raise AssertionError("a class holds only records that share a digest with another one of it")


def merged(equal: list[list[Sketch]], alike: Iterable[Alike]) -> dict[int, tuple[int, _Reason]]:
    """For each class that shows what another one does, that one and why; classes are ordered, the best first."""
    mutual, within = _edges(equal, alike)
    homes: dict[int, tuple[int, _Reason]] = {}
    for inner in sorted(mutual):
        better = sorted(outer for outer in mutual[inner] if outer < inner and outer not in homes)
        if better:
            homes[inner] = (better[0], mutual[inner][better[0]])
    for inner in sorted(within, reverse=True):
        outers = sorted(outer for outer in within[inner] if outer not in homes)
        if inner not in homes and outers:
            homes[inner] = (outers[0], within[inner][outers[0]])
    return {inner: _followed(homes, inner) for inner in homes}


def _followed(homes: dict[int, tuple[int, _Reason]], inner: int) -> tuple[int, _Reason]:
    home, reason = homes[inner]
    while home in homes:
        home, further = homes[home]
        reason = dataclasses.replace(reason, whole=reason.whole or further.whole)
    return home, reason


Edges = dict[int, dict[int, _Reason]]


def _edges(equal: list[list[Sketch]], alike: Iterable[Alike]) -> tuple[Edges, Edges]:
    """Classes that hold each other, and those that lie within another; of several reasons the one that scored best."""
    place = {item.key: (number, item.kind) for number, held in enumerate(equal) for item in held}
    sources = {item.key: item.source for held in equal for item in held}
    apart = [{(item.source, item.group) for item in held if item.group not in ("", item.key)} for held in equal]
    mutual: Edges = {}
    within: Edges = {}
    likely = (a for a in alike if a.one in place and a.other in place and place[a.one][0] != place[a.other][0])
    believed = [a for a in likely if a.score >= SAME_SOURCE_SCORE or place[a.one][1] != "volume"
                or sources[a.one] != sources[a.other]]  # fmt: skip
    for pair in _one_to_one(believed, place, apart):
        (one, kind), (other, _) = place[pair.one], place[pair.other]
        both = min(pair.shares) >= SAME_SHARE
        for inner, outer, names, share in (
            (one, other, (pair.one, pair.other), pair.shares[0]),
            (other, one, (pair.other, pair.one), pair.shares[1]),
        ):
            if both:
                mutual.setdefault(inner, {}).setdefault(outer, _Reason(names, pair.score, pair.threshold, False))
            elif kind == "volume" and share >= WHOLE_SHARE:
                within.setdefault(inner, {}).setdefault(outer, _Reason(names, pair.score, pair.threshold, True))
    return mutual, within


def same_media(sketches: Sequence[Sketch]) -> list[tuple[str, str]]:
    """Links between records whose media are equal, whatever is said about them: what a split must keep together.

    One radiograph with ten questions is ten records, none a duplicate, and all of them belong in one split. Each link
    is (a record's key, the key of the best record with these media), in sorted order.
    """
    ranked = sorted((s for s in sketches if s.kind != "text"), key=rank)
    return sorted((item.key, members[0].key) for members in classes(ranked, media_tokens) for item in members[1:])


def media_tokens(item: Sketch) -> tuple[tuple[str, ...], ...]:
    return (item.kind, "bytes", item.content_sha256), (item.kind, "pixels", item.pixel_sha256)


def _one_to_one(
    alike: Iterable[Alike], place: Mapping[str, tuple[int, str]], apart: Sequence[set[tuple[str, str]]]
) -> list[Alike]:
    """The pairs, best first, without what a source keeps apart: two records of one patient in one source are two (the
    phases and time points of a study look alike), and of several such a copy elsewhere is the one's that it resembles
    most."""
    ordered = sorted(alike, key=lambda a: (-a.score, min(a.one, a.other), max(a.one, a.other)))
    best: dict[tuple[int, tuple[str, str]], int] = {}
    kept = []
    for pair in ordered:
        one, other = place[pair.one][0], place[pair.other][0]
        if apart[one] & apart[other]:
            continue
        claims = [((one, owner), other) for owner in apart[other]] + [((other, owner), one) for owner in apart[one]]
        if all(best.setdefault(claim, found) == found for claim, found in claims):
            kept.append(pair)
    return kept
