"""Confirm: the pixels of proposed pairs, and what follows where they agree. One unit of work for some hundred pairs.

A pair of one kind is told with the share of each that lies within the other, by which select knows a copy from a part.
A unit's key holds the two prepared units and the pairs: adding a source adds units and repeats none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from curate.arrays import Volume
from curate.code import code_version
from curate.looks.config import LooksConfig
from curate.looks.confirm import Match
from curate.looks.pairs import Candidate, Hit, Media, confirm_pair
from curate.looks.volume import canonical
from curate.matching.media import Shelf
from curate.matching.recall import Proposed
from curate.store import unit_folder
from curate.units import Summary, Unit, unit_key
from manifests.errors import RecordError
from manifests.record import Record, canonical_json

Relation = Literal["image", "slice", "frame", "volume", "video"]
Shares = tuple[float, float]
# Media that do not decode, and looks that no such media have: such a pair does not agree, and the summary counts it.
NO_COMPARISON = (RecordError, ArithmeticError, ValueError, IndexError)


@dataclass(frozen=True, slots=True)
class ConfirmSpec:
    first: str  # prepared units
    second: str
    pairs: str  # JSON, as `curate.matching.recall.packed`
    config: LooksConfig


@dataclass(frozen=True, slots=True)
class Agreed:
    """Two records whose pixels agree: rows of two prepared units. `shares`: how much of the first lies within the
    second, and the reverse; of a picture and a stack nothing is told. `index` is the slice, or the time in ms, on which
    a picture was found; slices are counted from the left, posterior or inferior end of `axis` x, y or z."""

    first: str
    row: int
    second: str
    other_row: int
    relation: Relation
    score: float
    threshold: float
    turn: int
    axis: str
    index: int
    picture_first: bool  # of a picture and a stack
    shares: Shares


def units_of(proposed: Iterator[Proposed], config: LooksConfig) -> list[Unit]:
    code = code_version("curate.matching.confirm")
    units = []
    for one in proposed:
        identity = {"of": [one.first, one.second], "pairs": one.pairs, "config": config.model_dump(mode="json")}
        spec = ConfirmSpec(one.first, one.second, canonical_json(one.pairs), config)
        units.append(Unit("confirm", unit_key("confirm", code, identity), spec, "alike media", len(one.pairs)))
    return units


def work(spec: ConfirmSpec, folder: Path, work_folder: Path) -> Summary:
    """Write `agreed.jsonl`, one line for each pair whose pixels agree, in order."""
    first = Shelf(work_folder, spec.first)
    second = first if spec.first == spec.second else Shelf(work_folder, spec.second)
    pairs = [unpacked(values) for values in json.loads(spec.pairs)]
    agreed = unclear = 0
    with (folder / "agreed.jsonl").open("w", encoding="utf-8") as out:
        for pair in pairs:
            try:
                found = judge(pair, first, second, spec.config)
            except NO_COMPARISON:
                unclear += 1
                continue
            if found is not None:
                agreed += 1
                out.write(canonical_json({"first": spec.first, "second": spec.second, **found}) + "\n")
    return {"records": len(pairs), "agreed": agreed, "unclear": unclear}


def read_agreed(work: Path, keys: Sequence[str]) -> Iterator[Agreed]:
    """What confirm units found, by their keys."""
    for key in keys:
        with (unit_folder(work, "confirm", key) / "agreed.jsonl").open(encoding="utf-8") as lines:
            for line in lines:
                values = json.loads(line)
                yield Agreed(**{**values, "shares": (float(values["shares"][0]), float(values["shares"][1]))})


def unpacked(values: Any) -> Candidate:
    i, j, kind, hits = values
    return Candidate(i, j, kind, tuple(Hit(d, t, tuple(w), tuple(v), axis, tuple(at)) for d, t, w, v, axis, at in hits))


def judge(pair: Candidate, first: Shelf, second: Shelf, config: LooksConfig) -> dict[str, Any] | None:
    """What is written of a pair whose pixels agree; where a record has several pictures, of the best two. Raises
    RecordError for media that cannot be decoded (present tells of them, if they stay), and what numpy raises for looks
    that no such media have."""
    records = first.record(pair.i), second.record(pair.j)
    best = None
    for (a, b), part in _by_pictures(pair, records):
        one = first.media(pair.i, a, frozenset(hit.indices[0] for hit in part.hits))
        other = second.media(pair.j, b, frozenset(hit.indices[1] for hit in part.hits))
        match = confirm_pair(part, one, other, config)
        if match is not None and (best is None or match.score > best[0].score):
            best = match, (one, other)
    return None if best is None else _written(pair, best[0], best[1], records, config)


def _by_pictures(pair: Candidate, records: tuple[Record, Record]) -> Iterator[tuple[tuple[int, int], Candidate]]:
    """A pair's hits by which picture of each record they are of; 0 of a volume or clip."""
    still = tuple(record.kind == "image" for record in records)
    parts: dict[tuple[int, int], list[Hit]] = {}
    for hit in pair.hits:
        place = tuple(index if picture else 0 for index, picture in zip(hit.indices, still, strict=True))
        parts.setdefault((place[0], place[1]), []).append(hit)
    for at, hits in parts.items():
        yield at, replace(pair, hits=tuple(hits))


def _written(
    pair: Candidate,
    match: Match,
    media: tuple[Media, Media],
    records: tuple[Record, Record],
    config: LooksConfig,
) -> dict[str, Any]:
    return {
        "row": pair.i,
        "other_row": pair.j,
        "relation": pair.kind,
        "score": match.score,
        "threshold": _least(pair, match.score, config),
        "turn": match.turn,
        "axis": "xyz"[match.axis] if match.axis in (0, 1, 2) else "",
        "index": match.pairs[0][0] if pair.kind in ("slice", "frame") else -1,
        "picture_first": records[0].kind == "image",
        "shares": shares_of(pair, match, media, records),
    }


def _least(pair: Candidate, score: float, config: LooksConfig) -> float:
    """The score that was asked of a pair; less where hashes leave hardly a doubt (`LooksConfig.sure_bits`)."""
    by_kind = {"image": config.image_score, "slice": config.slice_score, "volume": config.volume_score}
    least = by_kind.get(pair.kind, config.frame_score)
    return least if score >= least else config.sure_score


def shares_of(pair: Candidate, match: Match, media: tuple[Media, Media], records: tuple[Record, Record]) -> Shares:
    """How much of the first lies within the second, and the reverse, as shares of their area, extent or duration."""
    if pair.kind in ("slice", "frame"):
        return 0.0, 0.0
    down, lower, right, later = match.place
    area = product(span_shares(down, lower), span_shares(right, later))
    if pair.kind == "image":
        return product(area, (1 / len(records[0].media), 1 / len(records[1].media)))
    return product(area if pair.kind == "volume" else (1.0, 1.0), along(pair, match, media, records))


def along(pair: Candidate, match: Match, media: tuple[Media, Media], records: tuple[Record, Record]) -> Shares:
    """The shares of two stacks along the line of their matching slices or frames."""
    (a0, b0), (a1, b1) = match.pairs[0], match.pairs[-1]
    if pair.kind == "volume":
        sizes, steps = zip(*(_slices(stack, match.axis) for stack in media), strict=True)
        scale = (a1 - a0) / (b1 - b0) if a1 > a0 and b1 > b0 else steps[1] / steps[0]
    else:
        sizes = tuple(_milliseconds(record) for record in records)
        scale = 1.0
    first, second = float(sizes[0]), float(sizes[1])
    return span_shares(scale * second / first, (a0 - scale * b0) / first)


def _slices(stack: Media, axis: int) -> tuple[int, float]:
    """How many slices across an axis, and their distance in mm."""
    assert isinstance(stack, Volume)
    turned = canonical(stack)
    return turned.voxels.shape[2 - axis], turned.spacing_mm[2 - axis]


def _milliseconds(record: Record) -> float:
    times: tuple[float, ...] = record.media[0].times_s or (0.0,)
    step = (times[-1] - times[0]) / max(1, len(times) - 1)
    return max(1.0, (times[-1] - times[0] + step) * 1000)


def span_shares(scale: float, shift: float) -> Shares:
    """Of a span that lies on `shift` to `shift + scale` of 0 to 1: the share of 0 to 1 that it covers, and the share of
    it that is covered."""
    low, high = sorted((shift, shift + scale))
    common = max(0.0, min(1.0, high) - max(0.0, low))
    return round(common, 4), round(common / max(high - low, 1e-9), 4)


def product(one: Shares, other: Shares) -> Shares:
    return round(one[0] * other[0], 4), round(one[1] * other[1], 4)
