"""Select: one decision per record, from sketches and comparisons alone. Media are never read here. One unit of work.

Order of decisions: what prepare dropped or failed stays so; what could not be rendered (`lost`, known only after a
first selection) ends as rendering says, and what holds something of a benchmark as the recipe says (`curate.screen`);
their duplicates are chosen among anew. Of records that stand twice under one key the later is a duplicate of the first;
then exact and near duplicates (`curate.dedup`), floods of one template, and the split of every sound record by its
group, its duplicates and its links (`curate.split`). The output has one row per prepared row, in plan order.
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
from pydantic import Field

from curate.code import code_version
from curate.decontaminate import REASON, Hit, PackUse, Policy, resolve
from curate.dedup import DedupConfig, find_duplicates
from curate.dedup_media import same_media
from curate.links import Link, alike_of, links_of, told
from curate.matching.confirm import Agreed, read_agreed
from curate.near.paragraphs import Counted, repeated_records
from curate.near_stages import Found, near_duplicates
from curate.prepare import read_rows, record_of
from curate.screen.stage import read_hits
from curate.sketch import Duplicate, Sketch
from curate.split import SplitConfig, assign_splits
from curate.store import unit_folder
from curate.units import Summary, Unit, unit_key
from manifests.card import licence_rank
from manifests.config import Config
from manifests.record import Record, canonical_json, record_key

if TYPE_CHECKING:
    from curate.recipe import Recipe

COLUMNS = (
    "key", "status", "kind", "modality", "group", "sha256", "pixel_sha256", "text_sha256", "marks", "template",
)  # fmt: skip
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
        ("links", pa.string()),
        ("benchmarks", pa.string()),
    ]
)
SELECT_REASONS = ("in_benchmark", "repeated_text", "template_flood")  # what select drops; all else ended before
BENCHMARK_REMEDY = "it stays out; a pack's policy and thresholds stand in select.benchmarks"
REPEATS_REMEDY = "raise select.repeats.drop_above, or leave it out"
FLOOD_REMEDY = "raise select.max_per_template, or leave it out"


class Repeats(Config):
    """Paragraphs that stand in at least `least` places are repeated, and with `passage` also runs of so many words,
    wherever in a text they begin (`curate.near.passages`; 50 finds sentences that were copied on, less finds phrases).
    The manifest tells the most frequent. Texts of whose words more than the share `drop_above` stands in such
    paragraphs, or in such runs, are dropped; null drops none."""

    least: int = Field(default=10, ge=2)
    passage: int | None = Field(default=None, ge=8)
    drop_above: float | None = Field(default=None, ge=0, lt=1)


class SelectConfig(DedupConfig):
    """Which records stay: duplicates, benchmarks, and which split each goes to.

    `benchmarks`: packs (`curate pack-benchmark`) or {pack, policy, reason, thresholds}; see `curate.decontaminate`.
    `max_per_template`: at most so many records may say the same but for numbers, whatever they show; of more, those
    stay that rank best among duplicates.
    """

    benchmarks: tuple[PackUse, ...] = ()
    repeats: Repeats | None = None
    max_per_template: int | None = Field(default=None, ge=1)
    split: SplitConfig = SplitConfig()


@dataclass(frozen=True, slots=True)
class Lost:
    """A record that was sound until it was rendered or compared with benchmarks: how it ends."""

    key: str
    status: str  # dropped or failed
    reason: str
    found: str
    remedy: str


@dataclass(frozen=True, slots=True)
class PreparedUnit:
    """A prepared unit and what its source says of all its records."""

    key: str
    source: str
    priority: int
    licence: str


@dataclass(frozen=True, slots=True)
class Compared:
    """Keys of the units that compared records before: `agreed` media, `screened` for benchmarks (one for each prepared
    unit, or none), `near` texts."""

    agreed: tuple[str, ...] = ()
    screened: tuple[str, ...] = ()
    policies: tuple[tuple[str, Policy, str], ...] = ()  # (pack, policy, reason)
    near: Found | None = None
    repeated: tuple[Counted, ...] = ()  # paragraphs, passages


@dataclass(frozen=True, slots=True)
class Known:
    """What those units found: `hits` by the place of the row."""

    agreed: tuple[Agreed, ...] = ()
    hits: Mapping[int, Sequence[Hit]] = dataclasses.field(default_factory=dict)
    near: Mapping[str, Duplicate] | None = None  # None: texts are not compared
    repeated: Mapping[str, float] = dataclasses.field(default_factory=dict)  # share of a record's words


@dataclass(frozen=True, slots=True)
class SelectSpec:
    prepared: tuple[PreparedUnit, ...]
    config: SelectConfig
    seed: int
    lost: tuple[Lost, ...] = ()
    compared: Compared = Compared()


@dataclass(frozen=True, slots=True)
class Seen:
    """A prepared row's place and what is compared of it."""

    unit: int
    row: int
    source: str
    values: dict[str, Any]


Texts = Callable[[Seen], Record]


def unit_of(
    recipe: Recipe, prepared: Sequence[tuple[str, Unit]], compared: Compared, lost: Sequence[Lost] = ()
) -> Unit:
    """The select unit of a run; `prepared` pairs source names with their prepared units, in plan order; `lost` are the
    records that earlier selections kept and rendering could not show."""
    by_name = {s.called: s for s in recipe.sources}
    rows = tuple(PreparedUnit(u.key, name, by_name[name].priority, by_name[name].licence) for name, u in prepared)
    identity: dict[str, Any] = {
        "prepared": [dataclasses.astuple(row) for row in rows],
        "config": recipe.select.model_dump(mode="json", exclude={"benchmarks"}),  # known by `compared`
        "seed": recipe.seed,
        "compared": dataclasses.asdict(compared),
        "lost": [dataclasses.asdict(one) for one in lost],
    }
    return Unit(
        stage="select",
        key=unit_key("select", code_version("curate.select"), identity),
        spec=SelectSpec(rows, recipe.select, recipe.seed, tuple(lost), compared),
        label="all sources",
        records=sum(u.records for _, u in prepared),
    )


def work(spec: SelectSpec, folder: Path, work_folder: Path) -> Summary:
    """Write `decisions.parquet`."""
    seen = [
        Seen(number, row, unit.source, values)
        for number, unit in enumerate(spec.prepared)
        for row, values in enumerate(read_rows(unit_folder(work_folder, "prepare", unit.key), COLUMNS))
    ]
    decisions = decide(seen, spec, _texts(spec, work_folder), _known(seen, spec.compared, spec.config, work_folder))
    pq.write_table(pa.Table.from_pylist(decisions, schema=DECISIONS), folder / "decisions.parquet")
    counts: dict[str, int] = {}
    for decision in decisions:
        counts[decision["status"]] = counts.get(decision["status"], 0) + 1
    return {"records": len(decisions), "statuses": counts}


def _known(seen: Sequence[Seen], compared: Compared, config: SelectConfig, work_folder: Path) -> Known:
    starts: dict[int, int] = {}
    for place, row in enumerate(seen):
        starts.setdefault(row.unit, place)
    hits = {
        starts[number] + row: found
        for number, key in enumerate(compared.screened)
        for row, found in read_hits(work_folder, key).items()
    }
    near = None if compared.near is None else near_duplicates(work_folder, compared.near)
    repeated = repeating(compared.repeated, config, work_folder)
    return Known(tuple(read_agreed(work_folder, compared.agreed)), hits, near, repeated)


def repeating(counted: Sequence[Counted], config: SelectConfig, work_folder: Path) -> dict[str, float]:
    """The records that go because so many of their words are repeated: by key, with the share."""
    above = None if config.repeats is None else config.repeats.drop_above
    shares: dict[str, float] = {}
    for one in counted if above is not None else ():
        for key, share in repeated_records(work_folder, one, above or 0.0).items():
            shares[key] = max(share, shares.get(key, 0.0))
    return dict(sorted(shares.items()))


def read_decisions(work_folder: Path, unit: Unit) -> list[dict[str, Any]]:
    folder = unit_folder(work_folder, "select", unit.key)
    decisions: list[dict[str, Any]] = pq.read_table(folder / "decisions.parquet").to_pylist()
    return decisions


def decide(seen: Sequence[Seen], spec: SelectSpec, texts: Texts, known: Known) -> list[dict[str, Any]]:
    """The decisions, one per row in order."""
    first: dict[str, Seen] = {}
    for row in seen:
        first.setdefault(row.values["key"], row)
    benchmarks = _benchmarks(seen, spec, known)
    ended = {one.key: one for one in (*_repeating(known), *benchmarks.dropped, *spec.lost)}
    media = Media(seen, spec, known.agreed)
    while True:
        sound = [s for s in first.values() if s.values["status"] == "ready" and s.values["key"] not in ended]
        sketches = [_sketch(s, spec) for s in sound]
        links = media.links(sound)
        alike = alike_of(links) if spec.config.near_duplicates.media == "drop" else []
        near = {key: d for key, d in (known.near or {}).items() if key not in ended}
        duplicates = find_duplicates(sketches, spec.config, alike=alike, near=near)
        flooded = floods(sound, sketches, duplicates, spec.config.max_per_template)
        if not flooded:
            break
        ended |= {one.key: one for one in flooded}
    groups = {s.values["key"]: s.values["group"] for s in sound}
    same = same_media(sketches)
    together = [*((key, d.of) for key, d in duplicates.items()), *same, *((one.key, one.to) for one in links)]
    splits = assign_splits(groups, together, spec.config.split, spec.seed, _strata(sound, spec))
    ends = _ends(seen, ended, texts)
    story = _Story(first, duplicates, splits, ends, told(links, same), benchmarks.told)
    return [_decision(s, story, texts) for s in seen]


def _repeating(known: Known) -> list[Lost]:
    found = "{:.0%} of its words stand in many places"
    return [
        Lost(key, "dropped", "repeated_text", found.format(share), REPEATS_REMEDY)
        for key, share in known.repeated.items()
    ]


@dataclass(frozen=True, slots=True)
class _Benchmarks:
    """The records that hold something of one: those that go, and the JSON of the ledger's column of all."""

    dropped: tuple[Lost, ...]
    told: dict[str, str]


def _benchmarks(seen: Sequence[Seen], spec: SelectSpec, known: Known) -> _Benchmarks:
    dropped: list[Lost] = []
    told_: dict[str, str] = {}
    uses = {name: PackUse(pack=name, policy=policy, reason=reason) for name, policy, reason in spec.compared.policies}
    for place, hits in sorted(known.hits.items()):
        key = seen[place].values["key"]
        decision = resolve(uses, hits)
        shown = [{"pack": h.pack, "item": h.item, "method": h.method, "score": round(h.score, 4), "said": h.text()}
                 for h in hits]  # fmt: skip
        told_[key] = canonical_json(shown)
        if decision.policy == "drop":
            dropped.append(Lost(key, "dropped", REASON, decision.found, BENCHMARK_REMEDY))
    return _Benchmarks(tuple(dropped), told_)


class Media:
    """What the comparison of media found, in records' keys."""

    def __init__(self, seen: Sequence[Seen], spec: SelectSpec, agreed: Sequence[Agreed]) -> None:
        starts: dict[str, int] = {}
        for place, row in enumerate(seen):
            starts.setdefault(spec.prepared[row.unit].key, place)
        self._pairs = [
            (seen[starts[a.first] + a.row].values, seen[starts[a.second] + a.other_row].values, a) for a in agreed
        ]

    def links(self, sound: Sequence[Seen]) -> list[Link]:
        """Links among sound records; one that stood for records with equal media and is not sound any more is replaced
        by the first of them that is."""
        keys = {s.values["key"] for s in sound}
        standing: dict[tuple[str, str], str] = {}
        for row in sound:
            standing.setdefault((row.values["kind"], row.values["pixel_sha256"]), row.values["key"])

        def now(values: dict[str, Any]) -> str:
            own: str = values["key"]
            return own if own in keys else standing.get((values["kind"], values["pixel_sha256"]), "")

        named = [(now(one), now(other), pair) for one, other, pair in self._pairs]
        return links_of((one, other, pair) for one, other, pair in named if one and other)


def floods(
    sound: Sequence[Seen], sketches: Sequence[Sketch], duplicates: Mapping[str, Duplicate], most: int | None
) -> list[Lost]:
    """The records that say what `most` better ones say but for numbers, and their duplicates."""
    if most is None:
        return []
    templates = {s.values["key"]: s.values["template"] for s in sound}
    members: dict[str, list[Sketch]] = {}
    for sketch in sketches:
        if sketch.key not in duplicates and templates[sketch.key]:
            members.setdefault(templates[sketch.key], []).append(sketch)
    gone: dict[str, int] = {}
    for held in members.values():
        held.sort(key=lambda s: (-s.priority, -s.licence_rank, s.key))
        gone |= {s.key: len(held) for s in held[most:]}
    kinds = {s.key: s.kind for s in sketches}
    for key, duplicate in duplicates.items():  # not a silent picture: it may stay without the words
        if duplicate.of in gone and (kinds[key] == "text" or templates[key] == templates[duplicate.of]):
            gone[key] = gone[duplicate.of]
    return [
        Lost(key, "dropped", "template_flood", f"one of {count} records that say the same, {most} may", FLOOD_REMEDY)
        for key, count in sorted(gone.items())
    ]


def _strata(sound: Sequence[Seen], spec: SelectSpec) -> dict[str, str] | None:
    """The stratum of every sound record, where the recipe asks for strata."""
    wanted = spec.config.split.stratify
    if not wanted:
        return None

    def value(row: Seen, name: str) -> str:
        if name == "source":
            return row.source
        return spec.prepared[row.unit].licence if name == "licence" else str(row.values[name])

    return {row.values["key"]: canonical_json([value(row, name) for name in wanted]) for row in sound}


def _ends(seen: Sequence[Seen], lost: Mapping[str, Lost], texts: Texts) -> dict[str, Lost]:
    """How the records that are not sound end, by key."""
    ends = dict(lost)
    for row in seen:
        if row.values["status"] != "ready":
            record = texts(row)
            ends[record.key] = Lost(record.key, record.status, record.reason, record.found, record.remedy)
    return ends


@dataclass(frozen=True, slots=True)
class _Story:
    """What was decided of all records."""

    first: Mapping[str, Seen]
    duplicates: Mapping[str, Duplicate]
    splits: Mapping[str, str]
    ends: Mapping[str, Lost]
    links: Mapping[str, str]
    benchmarks: Mapping[str, str]
    copies: dict[str, int] = dataclasses.field(default_factory=dict)


def _ended(end: Lost) -> dict[str, Any]:
    return {"status": end.status, "reason": end.reason, "found": end.found, "remedy": end.remedy}


def _decision(row: Seen, story: _Story, texts: Texts) -> dict[str, Any]:
    key = row.values["key"]
    blank = dict.fromkeys(DECISIONS.names, "") | {"key": key, "status": "kept"}
    blank["benchmarks"] = story.benchmarks.get(key, "")
    if story.first[key] is not row:
        keeper = story.duplicates[key].of if key in story.duplicates else key
        return {**blank, **_copy(row, keeper, story, texts)}
    if key in story.ends:
        return {**blank, **_ended(story.ends[key])}
    placed = {"split": story.splits[key], "links": story.links.get(key, "")}
    if key in story.duplicates:
        d = story.duplicates[key]
        shown = {"method": d.method, "score": round(d.score, 6), "threshold": d.threshold, "matched": d.matched}
        return {
            **blank,
            **placed,
            "status": "duplicate",
            "duplicate_of": d.of,
            "evidence": canonical_json(shown),
        }
    return {**blank, **placed}


def _copy(row: Seen, keeper: str, story: _Story, texts: Texts) -> dict[str, Any]:
    """A record that stands again under the same source, id and content: a duplicate with a key of its own."""
    key = row.values["key"]
    story.copies[key] = story.copies.get(key, 1) + 1
    record = texts(row)
    own = record_key(record.source, f"{record.upstream_id}#copy={story.copies[key]}", record.sha256)
    if key in story.ends:
        return {"key": own, **_ended(story.ends[key])}
    shown = {"method": "bytes", "score": 1.0, "threshold": 1.0, "matched": key}
    return {"key": own, "status": "duplicate", "duplicate_of": keeper, "evidence": canonical_json(shown)}


def _sketch(row: Seen, spec: SelectSpec) -> Sketch:
    unit = spec.prepared[row.unit]
    values = row.values
    return Sketch(
        key=values["key"],
        source=unit.source,
        kind=values["kind"],
        priority=unit.priority,
        licence_rank=licence_rank(unit.licence),
        group=values["group"],
        content_sha256=values["sha256"],
        pixel_sha256=values["pixel_sha256"],
        text_sha256=values["text_sha256"],
        marks=values["marks"],
    )


def _texts(spec: SelectSpec, work_folder: Path) -> Texts:
    """Whole records, read again by unit where a decision needs one; a few units' rows are kept."""

    @functools.lru_cache(maxsize=8)
    def rows_of(unit: int) -> list[str]:
        folder = unit_folder(work_folder, "prepare", spec.prepared[unit].key)
        return [row["record"] for row in read_rows(folder, ("record",))]

    return lambda row: record_of({"record": rows_of(row.unit)[row.row]})
