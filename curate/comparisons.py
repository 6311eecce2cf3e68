"""What a run compares between prepare and select: media, texts and what these repeat, and records with benchmarks.

Plain planning over finished units, shared by `curate run` and `curate plan`. Records that benchmarks drop,
or that say what many say, are left out of the comparison of texts, so that a duplicate of one is judged by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from curate import near_stages
from curate.matching import confirm, recall
from curate.near.paragraphs import Counted
from curate.recipe import Recipe
from curate.screen import stage as screen
from curate.select import Compared, Lost, repeating
from curate.units import Unit

Runner = Callable[[str, list[Unit]], list[Unit]]  # (stage, units) -> the same units, done
Named = Sequence[tuple[str, Unit]]  # source names with their prepared units, in plan order


def compare(
    recipe: Recipe, prepared: Named, screening: screen.Screening, lost: Sequence[Lost], work: Path, run: Runner
) -> Compared:
    """What select needs to know of records together: which media show the same, what benchmarks hold, which texts are
    similar."""
    screened = run(screen.STAGE, screen.units_of(screening, prepared)) if screening.packs else []
    out = [one.key for one in lost]
    out += [key for unit in screened for key in screen.dropped_keys(screening, work, unit.key)]
    repeated = _repeated(recipe, prepared, out, work, run)
    out += repeating(repeated, recipe.select, work)
    return Compared(
        agreed=_agreed(recipe, [u for _, u in prepared], work, run),
        screened=tuple(u.key for u in screened),
        policies=tuple((p.name, p.use.policy, p.use.reason) for p in screening.packs),
        near=_near(recipe, prepared, out, work, run),
        repeated=repeated,
    )


def _agreed(recipe: Recipe, prepared: Sequence[Unit], work: Path, run: Runner) -> tuple[str, ...]:
    near = recipe.select.near_duplicates
    if near.media is None:
        return ()
    proposed = run("recall", [recall.unit_of(prepared, near.looks)])[0]
    units = confirm.units_of(recall.read_proposed(work, proposed), near.looks)
    return tuple(u.key for u in run("confirm", units))


def _near(recipe: Recipe, prepared: Named, lost: Sequence[str], work: Path, run: Runner) -> near_stages.Found | None:
    plan = near_stages.plan_of(recipe, prepared, work, lost)
    if plan is None:
        return None
    for stage, units in plan.stages:
        run(stage, list(units))
    return plan.found


def _repeated(recipe: Recipe, prepared: Named, lost: Sequence[str], work: Path, run: Runner) -> tuple[Counted, ...]:
    """What counted paragraphs, and passages where they are asked for."""
    asked = recipe.select.repeats
    given = near_stages.prepared_of(recipe, prepared, work)
    if asked is None or not given:
        return ()
    plans = [near_stages.plan_repeats(given, recipe.select, asked.least, lost)]
    if asked.passage is not None:
        plans.append(near_stages.plan_passages(given, recipe.select, asked.passage, asked.least, lost))
    for stages in plans:
        for stage, units in stages:
            run(stage, list(units))
    return tuple(Counted(stages[-1][1][0].key, stages[0][1][0].key, stages[-1][0]) for stages in plans)
