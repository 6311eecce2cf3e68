"""Retrieval as stages of a run, planned from the prepared units and what is kept of them, done by workers.

    retrieve_index   one per prepared unit   passages of its kept training texts, and an inverted index of them
    retrieve_terms   one unit                how many passages of all hold each term
    retrieve         one per prepared unit   candidates for each question of its kept training records

Nothing of it stands in a run whose recipe has no `retrieve`. A text that is added changes how rare words are, so all
questions are asked again; the index of other units stays. An edit of `k1`, `b`, `candidates` or `oracle` indexes
nothing again, and what a task shows of the candidates is the task's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from curate.retrieve import index, search, terms
from curate.retrieve.found import STAGE
from curate.units import Unit

if TYPE_CHECKING:
    from curate.recipe import Recipe

Runner = Callable[[str, list[Unit]], list[Unit]]  # (stage, units) -> the same units, done
TRAIN = "train"
MODULES = ("curate.retrieve.index", "curate.retrieve.terms", "curate.retrieve.search")


def retrieved(
    recipe: Recipe, prepared: Sequence[tuple[str, Unit]], kept: Sequence[tuple[tuple[str, str], ...]], run: Runner
) -> Mapping[str, str]:
    """The unit that holds what was found for each prepared unit, by keys; `kept` are (record, split) of each."""
    config = recipe.retrieve
    if config is None:
        return {}
    by_name = {s.called: s for s in recipe.sources}
    searched = config.searched(recipe.sources)
    asking = [
        (name, unit, train)
        for (name, unit), keys in zip(prepared, kept, strict=True)
        if (train := tuple(key for key, split in keys if split == TRAIN))
    ]
    shards = [
        index.unit_of(unit.key, train, config.words, (name, by_name[name].licence, by_name[name].access), name)
        for name, unit, train in asking
        if name in searched
    ]
    if not shards:
        return {}
    run(index.STAGE, shards)
    merged = terms.unit_of(tuple(unit.key for unit in shards))
    run(terms.STAGE, [merged])
    units = [search.unit_of(unit.key, train, merged.key, config, name) for name, unit, train in asking]
    run(STAGE, units)
    return {unit.key: found.key for (_, unit, _), found in zip(asking, units, strict=True)}
