"""Run: a recipe becomes an output. Plan, execute what is not done, publish, manifest last.

The plan is a list of units per stage; a stage's units are known once the stage before is done, and every key is a hash
of what decides the unit's output. Workers, their number, their order and their deaths are `curate.cluster`'s concern
and cannot change a byte. Killed anywhere, the next run finds finished units by look-up and goes on.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate import inventory, listing, mix, prepare, present, publish, select, synthesize
from curate.cluster import Outcome, ray_session, run_here, run_on_ray
from curate.comparisons import compare
from curate.costs import FRESH
from curate.decontaminate import DecontaminateConfig
from curate.deidentify.burned_in import ocr_missing
from curate.inventory import KeyHint
from curate.keyring import Keyring
from curate.progress import Progress, begin
from curate.recipe import Recipe, place_of, with_data
from curate.retrieve.stages import retrieved
from curate.sandbox import Limits
from curate.screen import stage as screen
from curate.store import is_done, read_summary, sweep_temporaries
from curate.units import Unit, WorkerDeath
from manifests.errors import MedcurateError, RecipeError
from manifests.manifest import Manifest
from manifests.redact import redacted
from sources.base import Entry, Item, Place, SourceConfig

PLAIN_LOOP = 0


@dataclass(frozen=True, slots=True)
class Options:
    """Where and how to run; none of it can change an output byte, except `limit`, which the manifest records."""

    out: Path
    work: Path
    recipe_folder: Path
    data: Path | None = None
    workers: int = 2  # 0 is the plain loop in this process
    address: str = ""
    limit: int | None = None
    key_file: Path | None = None
    quiet: bool = False


@dataclass
class Executor:
    """Runs the units that are not done, starting Ray only when there are some; counts what it ran."""

    options: Options
    stack: contextlib.ExitStack
    executed: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    fresh: dict[str, int] = field(default_factory=dict)  # what teachers were really asked
    started: bool = False

    def run(self, stage: str, units: Sequence[Unit], on_death: Callable[[Unit, WorkerDeath], list[Unit]]) -> list[Unit]:
        """Every unit done; the final units in plan order, where a unit that kills its worker is replaced."""
        began = time.perf_counter()
        pending = [u for u in units if not is_done(self.options.work, u.stage, u.key)]
        progress = Progress(stage, len(pending), len(units) - len(pending), quiet=self.options.quiet)
        dead: dict[str, list[Unit]] = {}
        for unit, outcome in self._outcomes(pending):
            self.executed += 1
            if isinstance(outcome, WorkerDeath):
                dead[unit.key] = on_death(unit, outcome)
                continue
            self.fresh |= {name: self.fresh.get(name, 0) + outcome[name] for name in FRESH if name in outcome}
            progress.update(unit.records, unit.size_bytes, outcome.get("failed", 0))
        progress.close()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - began
        if not dead:
            return list(units)
        replaced = [r for u in units for r in dead.get(u.key, [u])]
        return self.run(stage, replaced, on_death)

    def _outcomes(self, pending: list[Unit]) -> Iterator[tuple[Unit, Outcome]]:
        if not pending:
            return iter(())
        if self.options.workers == PLAIN_LOOP and not self.options.address:
            return run_here(pending, self.options.work)
        if not self.started:
            self.stack.enter_context(ray_session(self.options.workers, self.options.address))
            self.started = True
        return run_on_ray(pending, self.options.work)


@dataclass(frozen=True, slots=True)
class Inputs:
    """One source of a run, with what lies below its root."""

    source: SourceConfig
    place: Place
    entries: tuple[Entry, ...]
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Result:
    manifest: Manifest
    executed: int  # units that really ran


def run(recipe: Recipe, options: Options) -> Result:
    """All stages in order. Raises `RecipeError` before anything is written, `MedcurateError` later."""
    ring = Keyring.load(recipe.name, recipe.seed, options.key_file)
    key = KeyHint(recipe.name, recipe.seed, str(options.key_file or ""), ring.key_id)
    check_extras(recipe)
    recipe, absent = with_data(recipe, options.recipe_folder, options.data)
    if not options.quiet:
        begin(recipe.name, len(recipe.sources), len(absent), workers_of(options))
    places = [place_of(source, options.recipe_folder, options.data) for source in recipe.sources]
    for source, place in zip(recipe.sources, places, strict=True):
        source.check(place)
        listing.look(source, place, parser_limits(recipe))
    teacher = synthesize.teacher_state(recipe)
    options.work.mkdir(mode=0o700, parents=True, exist_ok=True)
    screening = screen.load(packs_of(recipe), options.recipe_folder, options.work)
    sweep_temporaries(options.work)
    started = time.perf_counter()
    with contextlib.ExitStack() as stack:
        executor = Executor(options, stack)
        pairs = list(zip(recipe.sources, places, strict=True))
        inputs = take_inventory(pairs, key, executor, parser_limits(recipe))
        prepared = prepare_all(recipe, inputs, key, executor)
        compared, decisions, spoken = select_and_synthesize(recipe, prepared, screening, teacher, executor)
        plan = mix.plan_shards(recipe, options.work, spoken)
        publish.discard_damaged(plan.shards, options.work)
        packed = executor.run("pack", [s.unit for s in plan.shards], fatal)
    made = publish.Made(
        recipe=recipe,
        key_state="public" if ring.public else "private",
        screening=screening,
        compared=compared,
        inputs=tuple((i.source.called, i.entries) for i in inputs),
        prepared=tuple(u for _, u in prepared),
        decisions=decisions,
        spoken=tuple(spoken),
        plan=plan,
        packed=tuple(packed),
        teacher=teacher,
        limit=options.limit,
        absent=absent,
    )
    timings = {"seconds": {**executor.seconds, "total": time.perf_counter() - started}, "executed": executor.executed}
    if executor.fresh:
        timings["teacher"] = {**executor.fresh, "seconds": executor.seconds["synthesize"]}
    manifest = publish.publish(made, options.out, options.work, timings)
    return Result(manifest, executor.executed)


def workers_of(options: Options) -> str:
    """Who will work, in words."""
    if options.address:
        return f"the Ray cluster at '{redacted(options.address)}'"
    if options.workers == PLAIN_LOOP:
        return "in this process"
    return f"{options.workers} worker{'' if options.workers == 1 else 's'}; starting Ray takes some seconds"


def take_inventory(
    sources: Sequence[tuple[SourceConfig, Place]], key: KeyHint, executor: Executor, limits: Limits
) -> list[Inputs]:
    """Every source's files, digested and peeked, and the items they make. Both are kept in the work folder, which is
    made for its user alone: they hold file names in the clear."""
    options = executor.options
    options.work.mkdir(mode=0o700, parents=True, exist_ok=True)
    units = [inventory.units_of(source, place, key, limits) for source, place in sources]
    executor.run("inventory", [u for of_source in units for u in of_source], fatal)
    entries = [inventory.read_entries(options.work, of_source) for of_source in units]
    lists = [
        listing.unit_of(source, place, key, of_source, found, limits)
        for (source, place), of_source, found in zip(sources, units, entries, strict=True)
    ]
    executor.run("list", lists, fatal)
    inputs = []
    for (source, place), found, unit in zip(sources, entries, lists, strict=True):
        items = sorted(listing.read_items(options.work, unit), key=lambda i: (i.upstream_id, i.files[0].fragment))
        limit = min((n for n in (source.limit, options.limit) if n is not None), default=None)
        inputs.append(Inputs(source, place, tuple(found), tuple(items[:limit])))
    return inputs


def prepare_all(recipe: Recipe, inputs: Sequence[Inputs], key: KeyHint, executor: Executor) -> list[tuple[str, Unit]]:
    """All prepared units with their source's name, in plan order."""
    limits = parser_limits(recipe)
    by_source = [
        (i.source.called, prepare.units_of(recipe, i.source, i.place, list(i.items), key, limits)) for i in inputs
    ]
    names = {unit.key: name for name, units in by_source for unit in units}
    done = executor.run("prepare", [u for _, units in by_source for u in units], prepare.split_unit)
    return [(names.get(unit.key, unit.label), unit) for unit in done]


def parser_limits(recipe: Recipe) -> Limits:
    return Limits(recipe.limits.memory, recipe.limits.seconds)


def packs_of(recipe: Recipe) -> DecontaminateConfig:
    return DecontaminateConfig(benchmarks=recipe.select.benchmarks)


def check_extras(recipe: Recipe) -> None:
    """Raise `RecipeError` for what the recipe asks and this installation cannot do."""
    missing = ocr_missing() if recipe.deidentify.burned_in == "detect" else ""
    if missing:
        raise RecipeError(f"burned_in: detect needs the extra `ocr` ({missing}); pip install 'medcurate[ocr]'")


def select_and_synthesize(
    recipe: Recipe,
    prepared: Sequence[tuple[str, Unit]],
    screening: screen.Screening,
    teacher: synthesize.TeacherState,
    executor: Executor,
) -> tuple[select.Compared, list[dict[str, Any]], list[Unit]]:
    """What is kept, rendered and told of. A record that cannot be rendered, or of which something was made that holds
    an identifier of its source, is taken out and the selection made again, because it may have stood for duplicates
    that can stay: as often as something is lost, which each time is less."""
    work = executor.options.work
    lost: list[select.Lost] = []

    def done(stage: str, units: list[Unit]) -> list[Unit]:
        return executor.run(stage, units, fatal)

    while True:
        compared = compare(recipe, prepared, screening, lost, work, done)
        selection = executor.run("select", [select.unit_of(recipe, prepared, compared, lost)], fatal)[0]
        decisions = select.read_decisions(work, selection)
        kept = kept_by_unit(work, [u for _, u in prepared], decisions)
        presented = executor.run("present", present.units_of(recipe, prepared, kept), fatal)
        newly = present.lost_of(work, presented)
        if not newly:
            found = retrieved(recipe, prepared, kept, done)
            units = synthesize.units_of(recipe, presented, teacher, screening, found)
            spoken = executor.run("synthesize", units, fatal)
            newly = synthesize.lost_of(work, spoken)
            if not newly:
                return compared, decisions, spoken
        lost += newly


def kept_by_unit(work: Path, prepared: Sequence[Unit], decisions: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """For each prepared unit, its kept records as (key, split) pairs; decisions are aligned with the rows."""
    kept = []
    at = 0
    for unit in prepared:
        count = int(read_summary(work, "prepare", unit.key)["records"])
        rows = decisions[at : at + count]
        kept.append(tuple((d["key"], d["split"]) for d in rows if d["status"] == "kept"))
        at += count
    return kept


def fatal(unit: Unit, death: WorkerDeath) -> list[Unit]:
    """No worker parses foreign bytes itself; where another stage than prepare kills one, the machine is at fault."""
    raise MedcurateError(
        f"{unit.stage} of '{unit.label}' lost its worker twice ({death.found}); give workers more memory and run "
        "again: finished units stay"
    )
