"""Packs made ready to be searched, and the search of many texts at once.

Packs with one salt are merged into one table per length of run, so the time does not grow with their number. What is
found is a `Found`: a unit of a pack, how, and where in the text (places of tokens in its comparison form).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from curate.dedup import bands
from curate.near.folding import forms
from curate.near.signatures import sign_forms
from curate.near.tokens import ngram_hashes
from curate.packs.naming import salted64
from curate.packs.pack import BITS, SIZES, Pack, mixed, seed_of
from curate.packs.runs import pairs, without
from curate.packs.words import LABELS, SILENT

I8 = NDArray[np.int64]
Hashes = NDArray[np.uint64]
METHODS = ("exact", "normalised", "options", "ngram13", "ngram8", "edited", "words", "minhash")  # best evidence first
BATCH_CHARS = 1 << 22
LEAST = (5, 3, 3)  # runs of 2, 4 and 8, however short the unit
SLACK = 16  # tokens beyond half as many again as a unit has: how far its runs may be spread
RUN_METHODS = ("words", "edited", "ngram8", "ngram13")
SPREAD = (0.45, 0.5, 0.0, 0.0)  # of the unit's tokens, which short runs must reach over: one phrase is no leak
BAND_PRIME = np.uint64(0x9E3779B97F4A7C15)


class Limits(NamedTuple):
    """What a unit must reach: runs of 13, shares of its runs of 8 and of 4 and of its pairs, estimated Jaccard."""

    ngram13: int = 20
    ngram8: float = 0.5
    edited: float = 0.25
    words: float = 0.45
    minhash: float = 0.5


class Found(NamedTuple):
    """`start` and `end` are places of tokens in the text's comparison form; `score` reaches `threshold`."""

    text: int
    pack: int
    unit: int  # of the pack
    method: str
    score: float
    threshold: float
    start: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class _Keys:
    """Sorted distinct keys with an index of their leading bits, and the units (or rows) that each leads to."""

    keys: NDArray[Any]
    first: I8
    to: I8
    starts: NDArray[np.int32]
    drop: int
    shift: int


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """All packs of one salt."""

    salt: bytes
    seed: int
    packs: tuple[int, ...]
    unit_base: I8  # where each pack's units begin
    unit_tokens: I8
    totals: I8  # (units, 4)
    needed: I8  # (units, 4)
    runs: tuple[_Keys, ...]
    anchors: _Keys
    bag_sum: Hashes
    bag_tokens: I8
    bag_unit: I8
    whole: dict[int, int]
    form: dict[int, int]
    bands: _Keys
    cut: tuple[int, int]
    sign: NDArray[np.uint32]
    sign_unit: I8
    alike: NDArray[np.float64]  # threshold of each unit


def ready(packs: Sequence[Pack], limits: Sequence[Limits]) -> tuple[Group, ...]:
    """Tables for these packs, in the order of their salts; `limits` are each pack's."""
    order = sorted(range(len(packs)), key=lambda i: (packs[i].salt, i))
    return tuple(_group(packs, limits, tuple(members)) for _, members in groupby(order, key=lambda i: packs[i].salt))


def _group(packs: Sequence[Pack], limits: Sequence[Limits], members: tuple[int, ...]) -> Group:
    own = [packs[i] for i in members]
    base = np.cumsum([0, *(len(p["unit_item"]) for p in own)])
    totals = np.concatenate([p["unit_runs"] for p in own]).astype(np.int64)
    needed = np.concatenate(
        [_needed(p["unit_runs"].astype(np.int64), limits[i]) for p, i in zip(own, members, strict=True)]
    )
    sign = np.concatenate([p["sign"] for p in own])
    alike = [np.full(len(p["unit_item"]), limits[i].minhash) for p, i in zip(own, members, strict=True)]
    cut = bands(min(limits[i].minhash for i in members), sign.shape[1], 0.5)
    salt = own[0].salt
    return Group(
        salt=salt,
        seed=seed_of(salt),
        packs=members,
        unit_base=base,
        unit_tokens=np.concatenate([p["unit_tokens"] for p in own]).astype(np.int64),
        totals=totals,
        needed=needed,
        runs=tuple(_run_keys(own, base, n) for n in SIZES),
        anchors=_keys(np.concatenate([p["bag_anchor"] for p in own]), None, 64),
        bag_sum=_in_order(own, "bag_anchor", [p["bag_sum"] for p in own]),
        bag_tokens=_in_order(own, "bag_anchor", [p["bag_tokens"] for p in own]).astype(np.int64),
        bag_unit=_in_order(own, "bag_anchor", _shifted(own, base, "bag_unit")).astype(np.int64),
        whole=_lookup(own, base, "whole"),
        form=_lookup(own, base, "form"),
        bands=_keys(_band_hashes(sign, cut).ravel(), np.repeat(np.arange(len(sign)), cut[0]), 64),
        cut=cut,
        sign=sign,
        sign_unit=np.concatenate(_shifted(own, base, "sign_unit")).astype(np.int64),
        alike=np.concatenate(alike),
    )


def _needed(totals: I8, limits: Limits) -> I8:
    """How many runs of each length must be found near one another."""
    shares = (limits.words, limits.edited, limits.ngram8)
    least = [np.maximum(LEAST[k], np.ceil(share * totals[:, k] - 1e-9)) for k, share in enumerate(shares)]
    thirteen = np.minimum(limits.ngram13, np.ceil(0.8 * totals[:, 3]))
    return np.stack((*least, thirteen), axis=1).astype(np.int64)


def _shifted(packs: Sequence[Pack], base: I8, name: str) -> list[I8]:
    return [p[name].astype(np.int64) + b for p, b in zip(packs, base, strict=False)]


def _in_order(packs: Sequence[Pack], by: str, columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
    order = np.argsort(np.concatenate([p[by] for p in packs]), kind="stable")
    return np.asarray(np.concatenate(columns)[order])


def _run_keys(packs: Sequence[Pack], base: I8, n: int) -> _Keys:
    keys = [np.repeat(p[f"run{n}_hash"], np.diff(p[f"run{n}_first"])) for p in packs]
    return _keys(np.concatenate(keys), np.concatenate(_shifted(packs, base, f"run{n}_unit")), BITS[n])


def _keys(keys: NDArray[Any], to: I8 | None, width: int) -> _Keys:
    from curate.packs import scan

    order = np.lexsort((np.arange(len(keys)) if to is None else to, keys))
    distinct, first = np.unique(keys[order], return_index=True)
    bits = min(22, max(4, math.ceil(math.log2(len(distinct) + 1)) + 1))
    return _Keys(
        keys=distinct,
        first=np.append(first, len(keys)).astype(np.int64),
        to=order if to is None else to[order],
        starts=scan.index_of(distinct, bits, width),
        drop=64 - width,
        shift=width - bits,
    )


def _lookup(packs: Sequence[Pack], base: I8, name: str) -> dict[int, int]:
    found: dict[int, int] = {}
    for pack, begin in zip(packs, base, strict=False):
        for key, unit in zip(pack[f"{name}_hash"].tolist(), pack[f"{name}_unit"].tolist(), strict=True):
            found.setdefault(key, unit + int(begin))
    return found


# ---------------------------------------------------------------------------------------------------------- the search
def search(groups: Sequence[Group], texts: Sequence[str]) -> Iterator[Found]:
    """All that the packs know of the texts; several methods may find the same unit."""
    begin = 0
    while begin < len(texts):
        end, size = begin, 0
        while end < len(texts) and (end == begin or size + len(texts[end]) <= BATCH_CHARS):
            size += len(texts[end])
            end += 1
        for found in _batch(groups, texts[begin:end]):
            yield found._replace(text=found.text + begin)
        begin = end


def _batch(groups: Sequence[Group], texts: Sequence[str]) -> Iterator[Found]:
    from curate.near import hashing

    data, bounds = forms(texts)
    offsets = np.empty(len(bounds), np.int64)
    hashing.count_tokens(data, bounds, offsets)
    tokens = np.empty(int(offsets[-1]), np.uint64)
    hashing.hash_tokens(data, bounds, np.uint64(0), tokens)
    said, place, edges = without(tokens, offsets, SILENT)
    paired, made, first, _ = pairs(said, edges)
    runs: list[tuple[Hashes, I8, I8 | None]] = [(paired, made, place[first])]
    runs += [(*ngram_hashes(tokens, offsets, n), None) for n in SIZES[1:]]
    bare = without(tokens, offsets, frozenset(LABELS))
    signs = sign_forms(data, bounds) if any(len(g.sign) for g in groups) else None
    for group in groups:
        yield from _wholes(group, texts, data, bounds, offsets)
        yield from _bags(group, *bare)
        for column, one in enumerate(runs):
            yield from _runs(group, column, *one)
        if signs is not None:
            yield from _near(group, signs, np.diff(offsets))


def _hits(keys: _Keys, hashes: Hashes, seed: int) -> tuple[I8, I8]:
    """Places of the hashes that are keys, and which keys."""
    from curate.packs import scan

    run, entry = np.empty(len(hashes), np.int64), np.empty(len(hashes), np.int64)
    many = scan.find(
        hashes, np.uint64(seed), np.uint64(keys.drop), keys.keys, keys.starts, np.uint64(keys.shift), run, entry
    )
    return run[:many], entry[:many]


def _runs(group: Group, column: int, hashes: Hashes, made: I8, place: I8 | None) -> Iterator[Found]:
    """`made` is where each text's runs begin, `place` each run's place in its text, if that is not its number."""
    from curate.packs import scan

    keys = group.runs[column]
    run, entry = _hits(keys, hashes, group.seed)
    wide = np.diff(keys.first)[entry]
    row = np.repeat(np.arange(len(run)), wide)
    unit = keys.to[keys.first[entry][row] + np.arange(len(row)) - (np.cumsum(wide) - wide)[row]]
    text = np.searchsorted(made, run, side="right")[row] - 1
    code = text * len(group.totals) + unit
    order = np.argsort(code, kind="stable")
    _, begin, count = np.unique(code[order], return_index=True, return_counts=True)
    enough = count >= group.needed[unit[order][begin], column]
    if not enough.any():
        return
    order = order[np.repeat(enough, count)]
    begin = np.concatenate(([0], np.cumsum(count[enough])))
    at = run[row[order]] - made[text[order]] if place is None else place[run[row[order]]]
    whose, where = unit[order][begin[:-1]], text[order][begin[:-1]]
    reach = group.unit_tokens[whose] * 3 // 2 + SLACK
    best, first, last = (np.zeros(len(whose), np.int64) for _ in range(3))
    seen = np.zeros(len(keys.keys), np.int32)
    scan.widest(entry[row[order]], at, begin, reach, seen, best, first, last)
    spread = last - first + SIZES[column] >= SPREAD[column] * group.unit_tokens[whose]
    for k in np.flatnonzero((best >= group.needed[whose, column]) & spread).tolist():
        total, needed = int(group.totals[whose[k], column]), int(group.needed[whose[k], column])
        ends = int(first[k]), int(last[k]) + SIZES[column]
        scores = int(best[k]) / total, needed / total
        yield _found(group, int(where[k]), int(whose[k]), RUN_METHODS[column], scores, ends)


def _found(
    group: Group, text: int, unit: int, method: str, scores: tuple[float, float], ends: tuple[int, int]
) -> Found:
    pack = int(np.searchsorted(group.unit_base, unit, side="right")) - 1
    return Found(text, group.packs[pack], unit - int(group.unit_base[pack]), method, *scores, *ends)


def _wholes(group: Group, texts: Sequence[str], data: NDArray[np.uint8], bounds: I8, offsets: I8) -> Iterator[Found]:
    """Texts, and lines of texts, that are a unit as it was published, or in comparison form."""
    if not group.whole:
        return
    lined = [(i, line) for i, text in enumerate(texts) if "\n" in text for line in text.split("\n") if line.strip()]
    pieces = [(i, t.strip(), bytes(data[bounds[i] : bounds[i + 1]]), 0) for i, t in enumerate(texts)]
    if lined:
        lines, edges = forms([line for _, line in lined])
        begins: dict[int, int] = {}
        for k, (i, line) in enumerate(lined):
            form = bytes(lines[edges[k] : edges[k + 1]])
            pieces.append((i, line.strip(), form, begins.get(i, 0)))
            begins[i] = begins.get(i, 0) + (form.count(b" ") + 1 if form else 0)
    for i, raw, form, start in pieces:
        ends = start, min(start + form.count(b" ") + 1, int(offsets[i + 1] - offsets[i]))
        unit = group.form.get(salted64(group.salt, form.decode("utf-8", "surrogatepass")))
        if unit is not None:
            exact = group.whole.get(salted64(group.salt, raw)) is not None
            yield _found(group, i, unit, "exact" if exact else "normalised", (1.0, 1.0), ends)


def _bags(group: Group, tokens: Hashes, where: I8, bounds: I8) -> Iterator[Found]:
    from curate.packs import scan

    if not len(group.bag_sum) or len(tokens) < 3:
        return
    runs, made = ngram_hashes(tokens, bounds, 3)
    run, entry = _hits(group.anchors, runs, group.seed)
    if not len(run):
        return
    text = np.searchsorted(made, run, side="right") - 1
    at = run - made[text] + bounds[text]
    summed = np.concatenate((np.zeros(1, np.uint64), np.cumsum(mixed(tokens, group.seed), dtype=np.uint64)))
    hit = np.empty((1 << 16, 2), np.int64)
    parts = (at, entry, len(at), group.anchors.first, bounds, text, summed, group.bag_tokens, group.bag_sum)
    many = scan.same_bags(*parts, hit)
    if many > len(hit):
        hit = np.empty((many, 2), np.int64)
        scan.same_bags(*parts, hit)
    for row, bag in hit[:many].tolist():
        ends = int(where[at[row]]), int(where[at[row] + group.bag_tokens[bag] - 1]) + 1
        yield _found(group, int(text[row]), int(group.bag_unit[bag]), "options", (1.0, 1.0), ends)


def _band_hashes(signs: NDArray[np.uint32], cut: tuple[int, int]) -> Hashes:
    """One hash per band of each signature: (n, bands) uint64."""
    count, rows = cut
    out = np.tile(np.arange(count, dtype=np.uint64), (len(signs), 1))
    for row in range(rows):
        out = out * BAND_PRIME + signs[:, row : count * rows : rows].astype(np.uint64)
    return mixed(out, 0)


def _near(group: Group, signs: NDArray[np.uint32], sizes: I8) -> Iterator[Found]:
    if not len(group.sign):
        return
    hashes = _band_hashes(signs, group.cut).ravel()
    run, entry = _hits_of_bands(group.bands, hashes)
    pairs = {
        (int(r) // group.cut[0], int(row))
        for r, e in zip(run, entry, strict=True)
        for row in group.bands.to[group.bands.first[e] : group.bands.first[e + 1]]
    }
    for text, row in sorted(pairs):
        unit = int(group.sign_unit[row])
        score = float((signs[text] == group.sign[row]).mean())
        if score >= group.alike[unit]:
            yield _found(group, text, unit, "minhash", (score, float(group.alike[unit])), (0, int(sizes[text])))


def _hits_of_bands(keys: _Keys, hashes: Hashes) -> tuple[I8, I8]:
    at = np.minimum(np.searchsorted(keys.keys, hashes), max(0, len(keys.keys) - 1))
    run = np.flatnonzero(keys.keys[at] == hashes)
    return run, at[run]
