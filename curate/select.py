"""Select: one decision per record, from sketches alone. Media are never read here. One unit of work.

Order of decisions: what prepare dropped or failed stays so; what could not be rendered (`lost`, known only after a
first selection) ends as rendering says, and its duplicates are chosen among anew; of records that stand twice under one
key the later is a duplicate of the first; then exact and near duplicates (`curate.dedup`); then the split of every
sound record by its group and by its duplicates (`curate.split`). The output has one row per prepared row, in plan
order.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.code import code_version
from curate.dedup import DedupConfig, Duplicate, Sketch, find_duplicates, same_media, signature
from curate.prepare import read_rows, record_of, record_text
from curate.split import SplitConfig, assign_splits
from curate.store import unit_folder
from curate.units import Summary, Unit, unit_key
from manifests.card import licence_rank
from manifests.record import Record, canonical_json, record_key

if TYPE_CHECKING:
    from curate.recipe import Recipe

COLUMNS = ("key", "status", "kind", "group", "sha256", "pixel_sha256", "text_sha256", "minhash")
DECISIONS = pa.schema(
    [
        ("key", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("found", pa.string()),
        ("remedy", pa.string()),
        ("duplicate_of", pa.string()),
        ("evidence", pa.string()),
        ("split", pa.string()),
    ]
)


class SelectConfig(DedupConfig):
    """Which records stay: duplicates, and which split each goes to."""

    split: SplitConfig = SplitConfig()


@dataclass(frozen=True, slots=True)
class Lost:
    """A record that was sound until it was rendered: how it ends."""

    key: str
    status: str  # dropped or failed
    reason: str
    found: str
    remedy: str


@dataclass(frozen=True, slots=True)
class SelectSpec:
    prepared: tuple[tuple[str, str, int, int], ...]  # (prepare key, source, priority, licence rank)
    config: SelectConfig
    seed: int
    lost: tuple[Lost, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """A prepared row's place and what is compared of it."""

    unit: int
    row: int
    source: str
    values: dict[str, Any]


def unit_of(recipe: Recipe, prepared: Sequence[tuple[str, Unit]], lost: Sequence[Lost] = ()) -> Unit:
    """The select unit of a run; `prepared` pairs source names with their prepared units, in plan order; `lost` are the
    records that earlier selections kept and rendering could not show."""
    by_name = {s.called: s for s in recipe.sources}
    rows = tuple((u.key, name, by_name[name].priority, licence_rank(by_name[name].licence)) for name, u in prepared)
    identity: dict[str, Any] = {"prepared": rows, "config": recipe.select.model_dump(mode="json"), "seed": recipe.seed}
    identity["lost"] = [dataclasses.asdict(one) for one in lost]
    return Unit(
        stage="select",
        key=unit_key("select", code_version("curate.select"), identity),
        spec=SelectSpec(rows, recipe.select, recipe.seed, tuple(lost)),
        label="all sources",
        records=sum(u.records for _, u in prepared),
    )


def work(spec: SelectSpec, folder: Path, work_folder: Path) -> Summary:
    """Write `decisions.parquet`."""
    seen = [
        Seen(number, row, source, values)
        for number, (key, source, _, _) in enumerate(spec.prepared)
        for row, values in enumerate(read_rows(unit_folder(work_folder, "prepare", key), COLUMNS))
    ]
    decisions = decide(seen, spec, _texts(spec, work_folder))
    pq.write_table(pa.Table.from_pylist(decisions, schema=DECISIONS), folder / "decisions.parquet")
    counts: dict[str, int] = {}
    for decision in decisions:
        counts[decision["status"]] = counts.get(decision["status"], 0) + 1
    return {"records": len(decisions), "statuses": counts}


def read_decisions(work_folder: Path, unit: Unit) -> list[dict[str, Any]]:
    folder = unit_folder(work_folder, "select", unit.key)
    decisions: list[dict[str, Any]] = pq.read_table(folder / "decisions.parquet").to_pylist()
    return decisions


def decide(seen: Sequence[Seen], spec: SelectSpec, texts: Callable[[Seen], Record]) -> list[dict[str, Any]]:
    """The decisions, one per row in order."""
    first: dict[str, Seen] = {}
    for row in seen:
        first.setdefault(row.values["key"], row)
    lost = {one.key: one for one in spec.lost}
    sound = [s for s in first.values() if s.values["status"] == "ready" and s.values["key"] not in lost]
    sketches = [_sketch(s, spec) for s in sound]
    duplicates = find_duplicates(sketches, spec.config, lambda key: record_text(texts(first[key])))
    groups = {s.values["key"]: s.values["group"] for s in sound}
    links = [*((key, d.of) for key, d in duplicates.items()), *same_media(sketches)]
    splits = assign_splits(groups, links, spec.config.split, spec.seed)
    copies: dict[str, int] = {}
    ends = _ends(seen, lost, texts)
    return [_decision(s, first, duplicates, splits, copies, ends, texts) for s in seen]


def _ends(seen: Sequence[Seen], lost: Mapping[str, Lost], texts: Callable[[Seen], Record]) -> dict[str, Lost]:
    """How the records that are not sound end, by key."""
    ends = dict(lost)
    for row in seen:
        if row.values["status"] != "ready":
            record = texts(row)
            ends[record.key] = Lost(record.key, record.status, record.reason, record.found, record.remedy)
    return ends


def _ended(end: Lost) -> dict[str, Any]:
    return {"status": end.status, "reason": end.reason, "found": end.found, "remedy": end.remedy}


def _decision(
    row: Seen,
    first: dict[str, Seen],
    duplicates: dict[str, Duplicate],
    splits: Mapping[str, str],
    copies: dict[str, int],
    ends: Mapping[str, Lost],
    texts: Callable[[Seen], Record],
) -> dict[str, Any]:
    key = row.values["key"]
    blank = dict.fromkeys(DECISIONS.names, "") | {"key": key, "status": "kept"}
    if first[key] is not row:
        keeper = duplicates[key].of if key in duplicates else key
        return {**blank, **_copy(row, keeper, copies, ends, texts)}
    if key in ends:
        return {**blank, **_ended(ends[key])}
    if key in duplicates:
        d = duplicates[key]
        shown = {"method": d.method, "score": round(d.score, 6), "threshold": d.threshold, "matched": d.matched}
        return {
            **blank,
            "status": "duplicate",
            "duplicate_of": d.of,
            "evidence": canonical_json(shown),
            "split": splits[key],
        }
    return {**blank, "split": splits[key]}


def _copy(
    row: Seen,
    keeper: str,
    copies: dict[str, int],
    ends: Mapping[str, Lost],
    texts: Callable[[Seen], Record],
) -> dict[str, Any]:
    """A record that stands again under the same source, id and content: a duplicate with a key of its own."""
    key = row.values["key"]
    copies[key] = copies.get(key, 1) + 1
    record = texts(row)
    own = record_key(record.source, f"{record.upstream_id}#copy={copies[key]}", record.sha256)
    if key in ends:
        return {"key": own, **_ended(ends[key])}
    shown = {"method": "bytes", "score": 1.0, "threshold": 1.0, "matched": key}
    return {"key": own, "status": "duplicate", "duplicate_of": keeper, "evidence": canonical_json(shown)}


def _sketch(row: Seen, spec: SelectSpec) -> Sketch:
    _, source, priority, rank = spec.prepared[row.unit]
    values = row.values
    return Sketch(
        key=values["key"],
        source=source,
        kind=values["kind"],
        priority=priority,
        licence_rank=rank,
        group=values["group"],
        content_sha256=values["sha256"],
        pixel_sha256=values["pixel_sha256"],
        text_sha256=values["text_sha256"],
        minhash=signature(values["minhash"]),
    )


def _texts(spec: SelectSpec, work_folder: Path) -> Callable[[Seen], Record]:
    """Whole records, read again by unit where a decision needs one; a few units' rows are kept."""

    @functools.lru_cache(maxsize=8)
    def rows_of(unit: int) -> list[str]:
        folder = unit_folder(work_folder, "prepare", spec.prepared[unit][0])
        return [row["record"] for row in read_rows(folder, ("record",))]

    return lambda row: record_of({"record": rows_of(row.unit)[row.row]})
