"""Mix: the exact list of draws, and which shard each lands in. Ids, sizes and weights only; no media.

Training draws follow the recipe's mixture. Records held out (val, test) are drawn once, whatever the weights. Draws
are grouped by stage, split, phase of the curriculum and layout, in the mixture's seeded order, and cut into shards of
at most the recipe's samples and bytes: sizes are exact, since every member's bytes exist.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from curate.pack import Entry, Range, unit_of
from curate.store import unit_folder
from curate.units import Unit
from manifests.balance import Prior
from manifests.mixture import Mixed, Row, Share, check_names, shortfall
from manifests.mixture import mix as mixed_of
from manifests.offers import NAMED, VERIFIED, Golds, Hashes, Ints, Offers, identities, numbers
from manifests.sample import STAGES, sample_key

if TYPE_CHECKING:
    from curate.recipe import Recipe

TRAIN = "train"
TAR_END_BYTES = 10240  # two zero blocks, padded to a record
SPLIT_ORDER = {"train": 0, "val": 1, "test": 2}


@dataclass(frozen=True, slots=True)
class PlannedShard:
    """`rows` are the offers of its samples in their order, `repeats` which use of them each is."""

    name: str  # shards/sft-000000.tar
    stage: str
    split: str
    layout: str
    unit: Unit
    rows: NDArray[np.intp]
    repeats: Ints


@dataclass(frozen=True, slots=True)
class ShardPlan:
    shards: tuple[PlannedShard, ...]
    offers: pa.Table  # what was accepted: the columns of `curate.synthesize.OFFERS`, and `unit`
    table: tuple[Row, ...]
    priors: tuple[Prior, ...]
    shortfall: int
    drafts: dict[str, dict[str, int]]  # task -> {"accepted": n, reason: n}
    teacher: dict[str, int]  # of the teacher's drafts: "accepted" and reasons
    written: int  # samples of the teacher's, repeats included


@dataclass(frozen=True, slots=True)
class _Draws:
    rows: NDArray[np.intp]
    repeat: Ints
    phase: Ints


def plan_shards(recipe: Recipe, work: Path, spoken: Sequence[Unit]) -> ShardPlan:
    """Every draw in its shard. Raises `RecipeError` for a mixture that names what there is not."""
    every = read_offers(work, spoken)
    accepted = every.filter(every["accepted"])
    offers = offers_of(accepted)
    training = np.flatnonzero(accepted["split"].to_numpy(zero_copy_only=False) == TRAIN)
    named = sorted({name for task in recipe.tasks for name in [task.task]} | set(offers.terms["task"]))
    check_names(recipe.mixture, {"source": [s.called for s in recipe.sources], "task": named})
    mixed = mixed_of(offers.chosen(training), shares(recipe), recipe.mixture, recipe.seed)
    draws = _draws(mixed, offers, training)
    return ShardPlan(
        shards=tuple(_shards(recipe, accepted, draws)),
        offers=accepted,
        table=mixed.rows,
        priors=mixed.priors,
        shortfall=shortfall(mixed.rows, recipe.mixture),
        drafts=outcomes(every, "task"),
        teacher=outcomes(every.filter(every["by_teacher"]), "by_teacher").get("True", {}),
        written=int(accepted["by_teacher"].to_numpy(zero_copy_only=False)[draws.rows].sum()),
    )


def read_offers(work: Path, spoken: Sequence[Unit]) -> pa.Table:
    """The offers of all units, in plan order, each with its unit's key."""
    tables = []
    for unit in spoken:
        one = pq.read_table(unit_folder(work, "synthesize", unit.key) / "offers.parquet")
        tables.append(one.append_column("unit", pa.array([unit.key] * len(one), pa.string())))
    if tables:
        return pa.concat_tables(tables)
    from curate.synthesize import OFFERS

    return OFFERS.append(pa.field("unit", pa.string())).empty_table()


def outcomes(offers: pa.Table, column: str) -> dict[str, dict[str, int]]:
    """How many drafts ended how, by the values of a column: `accepted`, or the reason why not."""
    counted = offers.group_by([column, "accepted", "reason"]).aggregate([([], "count_all")]).to_pylist()
    found: dict[str, dict[str, int]] = {}
    for one in counted:
        ends = found.setdefault(str(one[column]), {})
        end = "accepted" if one["accepted"] else one["reason"]
        ends[end] = ends.get(end, 0) + one["count_all"]
    return {name: dict(sorted(found[name].items())) for name in sorted(found)}


def shares(recipe: Recipe) -> dict[str, Share]:
    """What the recipe's sources say of themselves."""
    return {s.called: Share(weight=s.weight, max_repeat=s.max_repeat) for s in recipe.sources}


def offers_of(rows: pa.Table) -> Offers:
    """The columns that the mixture chooses by."""
    names: dict[str, Ints] = {}
    terms: dict[str, tuple[str, ...]] = {}
    for name in NAMED:
        encoded = pc.dictionary_encode(rows[name].combine_chunks())
        found = encoded.dictionary.to_pylist()
        order = sorted(range(len(found)), key=lambda n, found=found: found[n])  # type: ignore[misc]
        places = np.empty(len(found), np.int64)
        places[order] = np.arange(len(found))
        names[name] = places[encoded.indices.to_numpy(zero_copy_only=False)] if len(rows) else np.zeros(0, np.int64)
        terms[name] = tuple(found[n] for n in order)
    stages = pc.index_in(rows["stage"], pa.array(STAGES))
    tokens = pc.add(rows["text_tokens"], rows["visual_tokens"])
    groups = identities(rows["group"].to_pylist())
    rates = rows["pass_rate"].to_numpy().astype(np.float64)
    return Offers(
        identity=identities(rows["key"].to_pylist()),
        stage=stages.to_numpy().astype(np.int64),
        part=rows["part"].to_numpy().astype(np.int64),
        tokens=tokens.to_numpy().astype(np.int64),
        pass_rate=np.where(rates < 0, np.nan, rates),
        group=groups[:, 0] ^ groups[:, 1],
        gold=Golds(*(_numbers(rows[name]) for name in VERIFIED)),
        names=names,
        terms=terms,
    )


def _numbers(column: pa.ChunkedArray) -> Hashes:
    """The numbers of digests or words; each value is looked at once."""
    encoded = pc.dictionary_encode(column.combine_chunks())
    found = numbers(encoded.dictionary.to_pylist())
    return found[encoded.indices.to_numpy(zero_copy_only=False)] if len(column) else found


def _draws(mixed: Mixed, offers: Offers, training: NDArray[np.intp]) -> _Draws:
    drawn = mixed.drawn
    held = np.delete(np.arange(len(offers)), training)
    identity = offers.chosen(held)
    held = held[np.lexsort((identity.part, identity.stage, identity.identity[:, 1], identity.identity[:, 0]))]
    zeros = np.zeros(len(held), np.int64)
    return _Draws(
        np.concatenate([training[drawn.offer], held]),
        np.concatenate([drawn.repeat, zeros]),
        np.concatenate([drawn.phase, zeros]),
    )


def _shards(recipe: Recipe, offers: pa.Table, draws: _Draws) -> Iterator[PlannedShard]:
    columns = _Columns.of(offers)
    splits = list(SPLIT_ORDER)
    places: dict[tuple[int, int, int, str], list[int]] = {}
    for number, (row, phase) in enumerate(zip(draws.rows.tolist(), draws.phase.tolist(), strict=True)):
        place = (STAGES.index(columns.stage[row]), SPLIT_ORDER[columns.split[row]], phase, columns.layout[row])
        places.setdefault(place, []).append(number)
    numbers = dict.fromkeys(STAGES, 0)
    for (stage_index, split, _, layout), members in sorted(places.items(), key=lambda p: p[0]):
        stage = STAGES[stage_index]
        sizes = [columns.size_bytes[row] for row in draws.rows[members].tolist()]
        for first, last, size in _cut(sizes, recipe.shards.max_samples, recipe.shards.max_bytes):
            rows, repeats = draws.rows[members[first:last]], draws.repeat[members[first:last]]
            name = f"shards/{stage}-{numbers[stage]:06d}.tar"
            numbers[stage] += 1
            pairs = zip(rows.tolist(), repeats.tolist(), strict=True)
            entries = tuple(columns.entry(row, repeat) for row, repeat in pairs)
            yield PlannedShard(name, stage, splits[split], layout, unit_of(name, entries, size), rows, repeats)


@dataclass(frozen=True, slots=True)
class _Columns:
    """What a shard's plan needs of the offers, as lists."""

    key: list[str]
    stage: list[Any]
    split: list[str]
    part: list[int]
    layout: list[str]
    unit: list[str]
    json_offset: list[int]
    json_size: list[int]
    size_bytes: list[int]
    members: list[str]

    @staticmethod
    def of(offers: pa.Table) -> _Columns:
        return _Columns(*(offers[name].to_pylist() for name in _Columns.__slots__))

    def entry(self, row: int, repeat: int) -> Entry:
        unit = self.unit[row]
        listed = json.loads(self.members[row])  # a medium that the draft brought lies in the draft's own unit
        members = tuple((name, Range(stage, made or unit, *where)) for name, stage, made, *where in listed)
        return Entry(
            key=sample_key(self.key[row], self.part[row], repeat),
            record=self.key[row],
            json=Range("synthesize", unit, "samples.jsonl", self.json_offset[row], self.json_size[row]),
            members=members,
            repeat=repeat,
        )


def _cut(sizes: Sequence[int], max_samples: int, max_bytes: int) -> Iterator[tuple[int, int, int]]:
    """Runs of samples as (first, past the last, bytes of the shard)."""
    first, size = 0, TAR_END_BYTES
    for number, weight in enumerate(sizes):
        if number > first and (number - first >= max_samples or size + weight > max_bytes):
            yield first, number, size
            first, size = number, TAR_END_BYTES
        size += weight
    if len(sizes) > first:
        yield first, len(sizes), size


def table_text(rows: Sequence[Row], missing: int, priors: Sequence[Prior]) -> str:
    """Expected against available, and what a guesser knows of each stage, as a person reads it."""
    widest = max([len(row.source) for row in rows] + [6]) + 2
    head = f"{'stage':<10}{'of':<{widest}}{'available':>12}{'expected':>12}{'tokens':>16}{'expected':>16}"
    lines = [
        f"{r.stage:<10}{r.source:<{widest}}{r.available:>12,}{r.expected:>12,}{r.available_tokens:>16,}"
        f"{r.expected_tokens:>16,}"
        for r in rows
    ]
    short = [f"{missing:,} fewer than asked: what may give is exhausted"] if missing else []
    return "\n".join([head, *lines, *short, *map(_prior_text, priors)])


def _prior_text(prior: Prior) -> str:
    """`rlvr: saying each question's most frequent answer is right on 39.2 % of what is offered, 33.1 % of the draws`"""
    offered, drawn = (
        f"{right / whole:.1%}".replace("%", " %") if whole else "none"
        for whole, right in ((prior.offered, prior.offered_right), (prior.drawn, prior.drawn_right))
    )
    said = f"{prior.stage}: saying each question's most frequent answer is right on {offered} of what is offered, "
    left = f"; the balance leaves out {prior.left_out:,}" if prior.left_out else ""
    return f"{said}{drawn} of the draws{left}"
