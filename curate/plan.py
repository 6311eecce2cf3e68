"""Plan: what a run would do, as far as it can be known without doing it.

Stages are looked up in order: of a finished stage the plan knows the next one's units; the first unfinished stage ends
the look-up. The inventory is taken if it is small or done already, since nothing can be said without it.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate import inventory, mix, mixture_words, prepare, present, select, synthesize
from curate.comparisons import compare
from curate.inventory import KeyHint
from curate.keyring import Keyring
from curate.quote import Quote, quote, told
from curate.recipe import Recipe, place_of, with_data
from curate.retrieve.stages import retrieved
from curate.run import Executor, Inputs, Options, kept_by_unit, packs_of, parser_limits, take_inventory
from curate.screen import stage as screen
from curate.store import is_done
from curate.units import Unit
from manifests.balance import Prior
from manifests.mixture import Row

LISTED_ONLY_BYTES = 2 << 30  # a larger unread source is listed, not read, by `plan`


@dataclass(frozen=True, slots=True)
class SourcePlan:
    name: str
    kind: str
    files: int
    size_bytes: int
    items: dict[str, int]  # by form; empty where the inventory was not taken
    licence: str
    access: str
    missing: str = ""


@dataclass(frozen=True, slots=True)
class StagePlan:
    name: str
    units: int
    done: int


@dataclass(frozen=True, slots=True)
class Plan:
    sources: tuple[SourcePlan, ...]
    stages: tuple[StagePlan, ...]
    ends: str  # why nothing is known beyond the last stage; "" where all is done
    teacher: str
    asks: bool  # whether a teacher is asked
    quote: Quote | None  # None before it is known what will be shown, or where no teacher is asked
    mixture: tuple[Row, ...]
    priors: tuple[Prior, ...] = ()
    shortfall: int = 0
    absent: tuple[str, ...] = ()
    words: tuple[str, ...] = ()  # what the mixture does that one may not expect


def plan(recipe: Recipe, options: Options) -> Plan:
    """What `run` would do with these options. Writes the inventory into the work folder, nothing else."""
    ring = Keyring.load(recipe.name, recipe.seed, options.key_file)
    key = KeyHint(recipe.name, recipe.seed, str(options.key_file or ""), ring.key_id)
    recipe, absent = with_data(recipe, options.recipe_folder, options.data)
    teacher = synthesize.teacher_state(recipe)
    limits = parser_limits(recipe)
    sources: list[SourcePlan] = []
    inputs: list[Inputs] = []
    with contextlib.ExitStack() as stack:
        executor = Executor(options, stack)
        for source in recipe.sources:
            place = place_of(source, options.recipe_folder, options.data)
            units = inventory.units_of(source, place, key, limits)
            size = sum(u.size_bytes for u in units)
            unread = sum(u.size_bytes for u in units if not is_done(options.work, u.stage, u.key))
            items: dict[str, int] = {}
            if unread <= LISTED_ONLY_BYTES:
                inputs += take_inventory([(source, place)], key, executor, limits)
                items = dict(sorted(Counter(i.form for i in inputs[-1].items).items()))
            files = sum(u.records for u in units)
            kind = str(getattr(source, "source", ""))
            sources.append(SourcePlan(source.called, kind, files, size, items, source.licence, source.access))
    if len(inputs) < len(recipe.sources):
        ends = "a source is larger than a plan reads: `curate run` takes its inventory"
        return Plan(tuple(sources), (), ends, teacher.state, bool(teacher.teachers), None, (), absent=absent)
    stages, ends, shards, spoken = _stages(recipe, inputs, key, teacher, options)
    made = quote(spoken, options.work) if spoken and teacher.teachers else None
    told = (shards.table, shards.priors, shards.shortfall) if shards else ((), (), 0)
    words = tuple(mixture_words.of_recipe(recipe, absent, shards.table)) if shards else ()
    return Plan(tuple(sources), tuple(stages), ends, teacher.state, bool(teacher.teachers), made, *told, absent, words)


class _NotDoneError(Exception):
    """A stage is not done, so what follows is not known."""


def _stages(
    recipe: Recipe, inputs: Sequence[Inputs], key: KeyHint, teacher: synthesize.TeacherState, options: Options
) -> tuple[list[StagePlan], str, mix.ShardPlan | None, list[Unit]]:
    """The stages, why they end, the shards, and the synthesize units where it is known what they will show."""
    stages: list[StagePlan] = []
    work = options.work

    def done(name: str, units: Sequence[Unit]) -> bool:
        stages.append(_stage(name, units, work))
        return stages[-1].done == len(units)

    prepared = [
        (i.source.called, u)
        for i in inputs
        for u in prepare.units_of(recipe, i.source, i.place, list(i.items), key, parser_limits(recipe))
    ]
    if not done("prepare", [u for _, u in prepared]):
        return stages, "the later stages depend on what prepare finds", None, []

    def compared_before(stage: str, units: list[Unit]) -> list[Unit]:
        if not done(stage, units):
            raise _NotDoneError
        return units

    screening = screen.load(packs_of(recipe), options.recipe_folder, work)
    lost: list[select.Lost] = []
    while True:
        del stages[1:]
        try:
            compared = compare(recipe, prepared, screening, lost, work, compared_before)
        except _NotDoneError:
            return stages, "the later stages depend on what is compared", None, []
        selection = select.unit_of(recipe, prepared, compared, lost)
        if not is_done(work, "select", selection.key):
            done("select", [selection])
            return stages, "the later stages depend on what select keeps", None, []
        kept = kept_by_unit(work, [u for _, u in prepared], select.read_decisions(work, selection))
        shown = present.units_of(recipe, prepared, kept)
        looked, found = _found(recipe, prepared, kept, work)
        spoken = synthesize.units_of(recipe, shown, teacher, screening, found)
        newly = _lost(work, shown, spoken)
        if not newly:
            break
        lost += newly
    done("select", [selection])
    presented = done("present", shown)
    stages += looked
    if not (done("synthesize", spoken) and presented):
        return stages, "mixing and packing depend on what synthesize offers", None, spoken if presented else []
    shards = mix.plan_shards(recipe, work, spoken)
    done("pack", [s.unit for s in shards.shards])
    return stages, "", shards, spoken


def _stage(name: str, units: Sequence[Unit], work: Path) -> StagePlan:
    return StagePlan(name, len(units), sum(is_done(work, u.stage, u.key) for u in units))


def _lost(work: Path, shown: Sequence[Unit], spoken: Sequence[Unit]) -> list[select.Lost]:
    newly = present.lost_of(work, [u for u in shown if is_done(work, "present", u.key)])
    return newly or synthesize.lost_of(work, [u for u in spoken if is_done(work, "synthesize", u.key)])


def _found(
    recipe: Recipe, prepared: Sequence[tuple[str, Unit]], kept: Sequence[tuple[Any, ...]], work: Path
) -> tuple[list[StagePlan], Mapping[str, str]]:
    """The stages that find passages, as far as they are known, and what is found; nothing where that is not done, and
    then no synthesize unit is either."""
    looked: list[StagePlan] = []

    def before(stage: str, units: list[Unit]) -> list[Unit]:
        looked.append(_stage(stage, units, work))
        if looked[-1].done < len(units):
            raise _NotDoneError
        return units

    try:
        return looked, retrieved(recipe, prepared, kept, before)
    except _NotDoneError:
        return looked, {}


def text(made: Plan, tokens_per_s: float | None = None) -> str:
    """The plan as a person reads it. `tokens_per_s` is what one GPU writes, for the hours."""
    lines = [f"{'source':<16}{'kind':<14}{'files':>8}{'MB':>10}  {'licence':<24}{'access':<12}items"]
    for s in made.sources:
        items = ", ".join(f"{n} {form}" for form, n in s.items.items()) or "not looked at"
        lines.append(
            f"{s.name:<16}{s.kind:<14}{s.files:>8}{s.size_bytes / 1e6:>10.1f}  {s.licence:<24}{s.access:<12}{items}"
        )
    if made.absent:
        lines.append(f"not there, left out: {', '.join(made.absent)}")
    lines += ["", f"{'stage':<12}{'units':>8}{'done':>8}{'to run':>8}"]
    lines += [f"{s.name:<12}{s.units:>8}{s.done:>8}{s.units - s.done:>8}" for s in made.stages]
    if made.ends:
        lines.append(f"({made.ends})")
    lines += ["", f"teacher: {made.teacher}"]
    if made.quote is not None:
        lines += told(made.quote, tokens_per_s).splitlines()
    elif made.asks:
        lines.append("how many requests and tokens is known once it is known what will be shown")
    if made.mixture:
        lines += ["", mix.table_text(made.mixture, made.shortfall, made.priors), *made.words]
    return "\n".join(lines)
