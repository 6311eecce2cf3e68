"""Mix: the exact list of draws, and which shard each lands in. Ids, sizes and weights only; no media.

Training draws follow the recipe's mixture. Records held out (val, test) are drawn once, whatever the weights. Draws
are grouped by stage, split and layout, in the mixture's seeded order, and cut into shards of at most the recipe's
samples and bytes: sizes are exact, since every member's bytes exist.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from curate.pack import Entry, Range, unit_of
from curate.store import unit_folder
from curate.units import Unit
from manifests.mixture import Draw, Offer, Row, Share, draw, shortfall, table
from manifests.sample import STAGES, sample_key

if TYPE_CHECKING:
    from curate.recipe import Recipe

TRAIN = "train"
TAR_END_BYTES = 10240  # two zero blocks, padded to a record
SPLIT_ORDER = {"train": 0, "val": 1, "test": 2}


@dataclass(frozen=True, slots=True)
class PlannedShard:
    name: str  # shards/sft-000000.tar
    stage: str
    split: str
    layout: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class ShardPlan:
    shards: tuple[PlannedShard, ...]
    table: tuple[Row, ...]
    shortfall: int
    drafts: dict[str, dict[str, int]]  # task -> {"accepted": n, reason: n}
    teacher: dict[str, int]  # of the teacher's drafts: "accepted" and reasons
    written: int  # samples of the teacher's, repeats included


OfferKey = tuple[str, str, int]  # (record key, stage, part)


def plan_shards(recipe: Recipe, work: Path, spoken: Sequence[Unit]) -> ShardPlan:
    """Every draw in its shard."""
    rows: dict[OfferKey, tuple[str, dict[str, Any]]] = {}
    drafts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    teacher: dict[str, int] = defaultdict(int)
    for unit in spoken:
        for row in pq.read_table(unit_folder(work, "synthesize", unit.key) / "offers.parquet").to_pylist():
            outcome = "accepted" if row["accepted"] else row["reason"]
            drafts[row["task"]][outcome] += 1
            if row["by_teacher"]:
                teacher[outcome] += 1
            if row["accepted"]:
                rows[row["key"], row["stage"], row["part"]] = (unit.key, row)
    draws = _draws(recipe, rows)
    training = _offers(rows, train=True)
    return ShardPlan(
        shards=tuple(_shards(recipe, rows, draws)),
        table=tuple(table(training, shares(recipe), recipe.mixture)),
        shortfall=shortfall(training, shares(recipe), recipe.mixture),
        drafts={task: dict(sorted(counts.items())) for task, counts in sorted(drafts.items())},
        teacher=dict(sorted(teacher.items())),
        written=sum(bool(rows[one.key, one.stage, one.part][1]["by_teacher"]) for one in draws),
    )


def shares(recipe: Recipe) -> list[Share]:
    return [Share(source=s.called, weight=s.weight, max_repeat=s.max_repeat) for s in recipe.sources]


def _offers(rows: dict[OfferKey, tuple[str, dict[str, Any]]], train: bool) -> list[Offer]:
    chosen = (row for _, row in rows.values() if (row["split"] == TRAIN) == train)
    return [Offer(row["key"], row["source"], row["stage"], row["part"]) for row in chosen]


def _draws(recipe: Recipe, rows: dict[OfferKey, tuple[str, dict[str, Any]]]) -> list[Draw]:
    held_out = [Draw(o.key, o.stage, o.part, 0) for o in sorted(_offers(rows, train=False))]
    return draw(_offers(rows, train=True), shares(recipe), recipe.mixture, recipe.seed) + held_out


def _shards(
    recipe: Recipe, rows: dict[OfferKey, tuple[str, dict[str, Any]]], draws: Sequence[Draw]
) -> Iterator[PlannedShard]:
    groups: dict[tuple[int, int, str], list[tuple[Entry, int]]] = defaultdict(list)
    for one in draws:
        unit, row = rows[one.key, one.stage, one.part]
        place = (STAGES.index(row["stage"]), SPLIT_ORDER[row["split"]], row["layout"])
        groups[place].append((_entry(one, unit, row), row["size_bytes"]))
    numbers = dict.fromkeys(STAGES, 0)
    for (stage_index, split_index, shard_layout), members in sorted(groups.items(), key=lambda g: g[0]):
        stage = STAGES[stage_index]
        for entries, size in _cut(members, recipe.shards.max_samples, recipe.shards.max_bytes):
            name = f"shards/{stage}-{numbers[stage]:06d}.tar"
            numbers[stage] += 1
            split = list(SPLIT_ORDER)[split_index]
            yield PlannedShard(name, stage, split, shard_layout, unit_of(name, entries, size))


def _entry(one: Draw, unit: str, row: dict[str, Any]) -> Entry:
    listed = json.loads(row["members"])  # a medium that the draft brought lies in the draft's own unit
    members = tuple((name, Range(stage, made or unit, *where)) for name, stage, made, *where in listed)
    return Entry(
        key=sample_key(one.key, one.part, one.repeat),
        record=one.key,
        json=Range("synthesize", unit, "samples.jsonl", row["json_offset"], row["json_size"]),
        members=members,
        repeat=one.repeat,
    )


def _cut(
    members: Sequence[tuple[Entry, int]], max_samples: int, max_bytes: int
) -> Iterator[tuple[tuple[Entry, ...], int]]:
    run: list[Entry] = []
    size = TAR_END_BYTES
    for entry, weight in members:
        if run and (len(run) >= max_samples or size + weight > max_bytes):
            yield tuple(run), size
            run, size = [], TAR_END_BYTES
        run.append(entry)
        size += weight
    if run:
        yield tuple(run), size
