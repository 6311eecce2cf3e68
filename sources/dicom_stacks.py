"""Which DICOM slices stand on each other: the peeks of a tree's single frames, put into stacks and split into volumes.

A pile holds the slices of one series, frame of reference, size and orientation. The same without ImageType and
EchoTime makes several stacks of one pile, and each stack may hold several volumes: time points, echoes, b-values,
heart phases, magnitude and phase. They are told apart by one rule. Slices are put by their position, in mm, never by
their number; where every position is taken equally often and more than once, the attributes of `ATTRIBUTES` are asked
in order, and one is used when it takes the same values at every position and tells apart what was not told apart yet.
What is left at the end goes by the order of InstanceNumber at each position (PS3.3 C.7.6.2, C.7.6.16.2.2).

Copies of one instance (the same SOPInstanceUID) are one slice here and stay together. Positions that are taken
unequally often are not guessed at: the stack is handed on whole, and its reader refuses it with what it found.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from manifests.record import Fact
from sources.base import Entry

MIN_SLICES = 3  # dcm2niix makes volumes of two; here a pair is two images, because two slices tell no even step
SAME_PLACE = 1e-2  # mm between the positions of two slices that are one position
NOWHERE = float("-inf")  # sorts what is absent first

Vector = tuple[float, ...]
Key = tuple[float | str, ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One thing that volumes of a stack may differ in: where the peek holds it, its tag, and what it is."""

    peek: str
    tag: str
    kind: Literal["time", "quantity", "type"]
    fact: str = ""
    unit: str = ""


ATTRIBUTES = (
    Attribute("TemporalPositionIdentifier", "0020,0100", "time"),
    Attribute("TemporalPositionIndex", "0020,9128", "time"),
    Attribute("EchoTime", "0018,0081", "quantity", "echo_time_ms", "ms"),
    Attribute("b_value", "0018,9087", "quantity", "b_value_s_mm2", "s/mm**2"),
    Attribute("TriggerTime", "0018,1060", "time", "trigger_time_ms", "ms"),
    Attribute("AcquisitionNumber", "0020,0012", "time"),
    Attribute("AcquisitionTime", "0008,0032", "time"),
    Attribute("ContentTime", "0008,0033", "time"),
    Attribute("ImageType", "0008,0008", "type", "image_type"),
)
ORDER = Attribute("InstanceNumber", "0020,0013", "time")
COMPONENTS = {"M": "MAGNITUDE", "P": "PHASE", "R": "REAL", "I": "IMAGINARY"}  # third value of ImageType and on


@dataclass(frozen=True, slots=True)
class Stack:
    """The slices of one volume, in path order, under a name that is unique in the tree."""

    name: str
    entries: tuple[Entry, ...]
    facts: tuple[Fact, ...] = ()


def stacks(entries: Sequence[Entry]) -> tuple[list[Stack], list[Entry]]:
    """The volumes that placed single frames make, and the frames that stay images of their own.

    Entries need the peeks `series_pile`, `pile`, `stack`, `instance`, `position` and `orientation` (LPS+ mm and
    cosines, comma separated), and those of `ATTRIBUTES`, "" where absent. Fewer than three positions make no
    volume. Nothing depends on the order of `entries`.
    """
    found: list[Stack] = []
    singles: list[Entry] = []
    for pile in _piles(entries):
        several = _repeated(pile)
        if several is not None:
            found += several
            continue
        for name, stack in _by_type_and_echo(pile):
            split = _repeated(stack)
            if split is not None:
                found += split
            elif len(set(positions(stack).values())) >= MIN_SLICES:
                found.append(Stack(name, tuple(stack)))
            else:
                singles += stack
    return found, singles


def _piles(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """The slices of one series are one pile. A series belongs to one study (PS3.3 C.7.3.1), but some exports give every
    slice a study of its own: studies part a series only where each of them makes a volume."""
    for _, series in _grouped(entries, "series_pile"):
        studies = [pile for _, pile in _grouped(series, "pile")]
        apart = all(len(set(positions(pile).values())) >= MIN_SLICES for pile in studies)
        yield from studies if apart else [series]


def _by_type_and_echo(pile: Sequence[Entry]) -> list[tuple[str, list[Entry]]]:
    groups: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in pile:
        groups[entry.peek["ImageType"], entry.peek["EchoTime"]].append(entry)
    return sorted((min(e.peek["stack"] for e in group), group) for group in groups.values())


def _grouped(entries: Sequence[Entry], peek: str) -> list[tuple[str, list[Entry]]]:
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda e: e.path):
        groups[entry.peek[peek]].append(entry)
    return sorted(groups.items())


# ---------------------------------------------------------------------------------------------------------- positions
def positions(entries: Sequence[Entry]) -> dict[str, int]:
    """Path -> number of its position; positions within `SAME_PLACE` of each other are one. All entries share one
    orientation, so slices are compared with their neighbours along its normal only."""
    normal = _normal(_numbers(entries[0].peek["orientation"]))
    placed = sorted((_dot(normal, p), p, e.path) for e in entries for p in [_numbers(e.peek["position"])])
    found: list[tuple[float, Vector]] = []
    numbers: dict[str, int] = {}
    for along, point, path in placed:
        number = len(found)
        for index in range(len(found) - 1, -1, -1):
            if along - found[index][0] > SAME_PLACE:
                break
            if max(abs(a - b) for a, b in zip(point, found[index][1], strict=True)) <= SAME_PLACE:
                number = index
                break
        if number == len(found):
            found.append((along, point))
        numbers[path] = number
    return numbers


def _normal(orientation: Vector) -> Vector:
    (a, b, c), (d, e, f) = orientation[:3], orientation[3:]
    return b * f - c * e, c * d - a * f, a * e - b * d


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _numbers(text: str) -> Vector:
    return tuple(float(v) for v in text.split(","))


# ------------------------------------------------------------------------------------------------------------ volumes
def _repeated(entries: Sequence[Entry]) -> list[Stack] | None:
    """The volumes of slices that take three or more positions equally often, more than once; else None."""
    first = {_instance(e): e for e in sorted(entries, key=lambda e: e.path, reverse=True)}
    unique = sorted(first.values(), key=lambda e: e.path)
    where = positions(unique)
    counts = Counter(where.values())
    if len(counts) < MIN_SLICES or len(set(counts.values())) > 1 or set(counts.values()) == {1}:
        return None
    keys, used = _keys(unique, where)
    name = min(e.peek["pile" if len({e.peek["stack"] for e in entries}) > 1 else "stack"] for e in entries)
    volumes: dict[Key, list[Entry]] = defaultdict(list)
    for entry in entries:
        volumes[keys[first[_instance(entry)].path]].append(entry)
    ordered = sorted(volumes.items())
    facts = _facts(ordered, used)
    return [Stack(f"{name}#t{n + 1:04d}", tuple(slices), facts[n]) for n, (_, slices) in enumerate(ordered)]


def moments(mosaics: Sequence[Entry]) -> dict[str, tuple[Fact, ...]]:
    """Path -> what tells a file that is a whole volume from the others of its series: time points, b-values, ...

    Entries need the peeks of `stacks`; one without `pile` stands alone. Copies of one instance are one volume."""
    told: dict[str, tuple[Fact, ...]] = {}
    for _, pile in _grouped([e for e in mosaics if "pile" in e.peek], "pile"):
        copies: dict[str, list[Entry]] = defaultdict(list)
        for entry in pile:
            copies[_instance(entry)].append(entry)
        unique = [same[0] for same in copies.values()]
        if len(unique) > 1:
            keys, used = _keys(unique, dict.fromkeys((e.path for e in unique), 0))
            ordered = [(keys[e.path], [e]) for e in unique]
            for (_, (entry,)), facts in zip(ordered, _facts(ordered, used), strict=True):
                told |= {copy.path: facts for copy in copies[_instance(entry)]}
    return told


def _instance(entry: Entry) -> str:
    """What a slice shares with its copies; without a SOPInstanceUID it has none."""
    return entry.peek["instance"] or entry.path


def _keys(entries: Sequence[Entry], where: Mapping[str, int]) -> tuple[dict[str, Key], list[Attribute]]:
    """Path -> what tells its volume from the others, and the attributes that do; every position has every key once."""
    keys: dict[str, Key] = {e.path: () for e in entries}
    used: list[Attribute] = []
    for attribute in ATTRIBUTES:
        finer = {e.path: (*keys[e.path], value_of(e, attribute)) for e in entries}
        if len(set(finer.values())) > len(set(keys.values())) and _same_everywhere(finer, where):
            keys, used = finer, [*used, attribute]
    if len(set(keys.values())) * len(set(where.values())) < len(entries):
        keys, used = dict(_by_order(entries, keys, where)), [*used, ORDER]
    return keys, used


def _same_everywhere(keys: Mapping[str, Key], where: Mapping[str, int]) -> bool:
    """Whether every position has the same keys equally often."""
    per_position: dict[int, Counter[Key]] = defaultdict(Counter)
    for path, key in keys.items():
        per_position[where[path]][key] += 1
    first, *others = per_position.values()
    return all(counts == first for counts in others)


def _by_order(entries: Sequence[Entry], keys: Mapping[str, Key], where: Mapping[str, int]) -> Iterator[tuple[str, Key]]:
    """(path, key and the rank of its InstanceNumber among the slices of its position that share the key)."""
    ranks: Counter[tuple[int, Key]] = Counter()
    for entry in sorted(entries, key=lambda e: (value_of(e, ORDER), e.path)):
        place = where[entry.path], keys[entry.path]
        yield entry.path, (*keys[entry.path], float(ranks[place]))
        ranks[place] += 1


def value_of(entry: Entry, attribute: Attribute) -> float | str:
    """A number, or the text of an attribute that is none; times are HHMMSS.F and compare as numbers."""
    text = entry.peek.get(attribute.peek, "")
    if attribute.kind == "type":
        return text
    try:
        return float(text.replace(":", "")) if text else NOWHERE
    except ValueError:
        return NOWHERE


# -------------------------------------------------------------------------------------------------------------- facts
def _facts(volumes: Sequence[tuple[Key, list[Entry]]], used: Sequence[Attribute]) -> list[tuple[Fact, ...]]:
    """Per volume: which time point it is, where volumes follow each other in time, and each quantity that differs from
    volume to volume and is one inside a volume."""
    told: list[list[Fact]] = [[] for _ in volumes]
    times = [n for n, attribute in enumerate(used) if attribute.kind == "time"]
    if times and (len(used) == 1 or used[times[0]] != ORDER):  # beside another attribute, mere order is no time
        moments = [tuple(key[n] for n in times) for key, _ in volumes]
        order = sorted(set(moments))
        origin = f"dicom:{used[times[-1]].tag}"
        for facts, moment in zip(told, moments, strict=True):
            facts.append(Fact("time_point", str(order.index(moment) + 1), origin))
            facts.append(Fact("time_points", str(len(order)), origin))
    for attribute in ATTRIBUTES:
        if attribute.fact:
            values = [{_stated(entry, attribute) for entry in slices} for _, slices in volumes]
            if all(len(v) == 1 for v in values) and len(set().union(*values)) > 1:
                for facts, (stated,) in zip(told, values, strict=True):
                    value, tag = stated
                    facts += [Fact(attribute.fact, value, f"dicom:{tag}", attribute.unit)] if value else []
    return [tuple(facts) for facts in told]


def _stated(entry: Entry, attribute: Attribute) -> tuple[str, str]:
    """The value as a fact says it ("" where there is none), and the tag that it stands in."""
    value = value_of(entry, attribute)
    if isinstance(value, str):
        parts = value.split("\\")[2:]
        return next((COMPONENTS[part] for part in parts if part in COMPONENTS), ""), attribute.tag
    plain = "" if value == NOWHERE else f"{value:.6f}".rstrip("0").rstrip(".")
    return plain, entry.peek.get(f"{attribute.peek}_tag") or attribute.tag
