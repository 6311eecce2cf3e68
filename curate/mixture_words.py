"""What a mixture did that its user may not expect: sources that offer a stage nothing, and the one whose few offers
hold the others back. Told at the end of `curate run`, `curate plan` and `curate mix`; nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from manifests.mixture import Mixture, Row, Share

if TYPE_CHECKING:
    from curate.recipe import Recipe

NAMES = 6  # of sources in one line


def of_recipe(recipe: Recipe, absent: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """The lines for a recipe's own mixture; `absent` sources are left out, since they are told elsewhere."""
    shares = {s.called: Share(weight=s.weight, max_repeat=s.max_repeat) for s in recipe.sources}
    there = {name: share for name, share in shares.items() if name not in absent}
    return words(rows, there, recipe.mixture, recipe.stages)


def words(rows: Sequence[Row], sources: Mapping[str, Share], mixture: Mixture, stages: Sequence[str]) -> list[str]:
    """One line per stage for what it gets nothing of, and one for what is held back. `rows` are the mixture's table."""
    lines: list[str] = []
    for stage in stages:
        cells = {row.source: row for row in rows if row.stage == stage and row.available}
        shares = _shares(stage, sources, mixture)
        lines += _nothing(stage, cells, sources, mixture)
        lines += _held_back(stage, cells, shares, mixture)
    weighted = [_shares(row.stage, sources, mixture).get(row.source, Share()) for row in rows if row.available]
    if mixture.temperature is not None and weighted and all(share.weight is not None for share in weighted):
        lines.append(f"mixture.temperature changes nothing: every {mixture.by} has a weight of its own")
    return lines


def _shares(stage: str, sources: Mapping[str, Share], mixture: Mixture) -> dict[str, Share]:
    of_stage = next((shares for name, shares in mixture.stage_shares.items() if name == stage), {})
    return {**(sources if mixture.by == "source" else {}), **mixture.shares, **of_stage}


def _nothing(stage: str, cells: Mapping[str, Row], sources: Mapping[str, Share], mixture: Mixture) -> list[str]:
    if mixture.by != "source":
        return []
    names = [name for name in sorted(sources) if name not in cells]
    if not names:
        return []
    if not cells:
        return [f"{stage}: no source offers anything to it"]
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return [f"{stage}: nothing is offered by {', '.join(names[:NAMES])}{more}"]


def _held_back(stage: str, cells: Mapping[str, Row], shares: Mapping[str, Share], mixture: Mixture) -> list[str]:
    """Where weights bind and no budget does: the cell that is exhausted first at the proportions asked for."""
    budgeted = mixture.whole is not None or stage in mixture.stage_samples or stage in mixture.stage_tokens
    free = {name: row for name, row in cells.items() if not shares.get(name, Share()).fixed}
    weighted = mixture.temperature is not None or any(share.weight is not None for share in shares.values())
    weights = {name: _weight(row, shares.get(name, Share()), mixture) for name, row in free.items()}
    open_ = [name for name in sorted(free) if weights[name]]
    left = {name: max(0, free[name].available - free[name].expected) for name in open_}
    if budgeted or mixture.stage_weights is not None or not weighted or not any(left.values()):
        return []
    most = {name: _most(free[name], shares.get(name, Share())) for name in open_}
    scarce = min(open_, key=lambda name: (most[name] / weights[name], name))
    if left[scarce]:
        return []  # what is left is left for another reason: a balance, for one
    undrawn, offered = sum(left.values()), sum(free[name].available for name in open_)
    lift = "`at_most`" if shares.get(scarce, Share()).at_most is not None else "`max_repeat`"
    told = (
        f"{stage}: {undrawn:,} of {offered:,} offers are not drawn, held back by {scarce} (weight {weights[scarce]:g}, "
        f"at most {most[scarce]:,} draws); a larger {lift} or a smaller weight of it lifts that"
    )
    return [told]


def _weight(row: Row, share: Share, mixture: Mixture) -> float:
    if share.weight is not None:
        return share.weight
    return 1.0 if mixture.temperature is None else float(row.available ** (1 / mixture.temperature))


def _most(row: Row, share: Share) -> int:
    once = row.available * share.max_repeat
    return once if share.at_most is None else min(once, share.at_most)
