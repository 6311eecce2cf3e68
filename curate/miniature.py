"""Miniatures: invented data in upstreams' layouts, so that a recipe can be tried before anything is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from curate.recipe import load, shipped
from manifests.config import unknown
from manifests.errors import RecipeError
from sources import BY_NAME
from sources.base import SourceConfig
from sources.upstream import Upstream


def write_miniatures(name: str, to: Path, seed: int) -> Iterator[str]:
    """Write `TO/SOURCE/...` for a source, or for each named source of a recipe (a shipped name or a path); one line for
    each, and one of what to expect. A folder that is there is left alone.

    Raises `RecipeError` for a name that is neither, and for a recipe without named sources."""
    kinds: list[tuple[str, type[SourceConfig]]]
    if name in BY_NAME:
        kinds = [(name, BY_NAME[name])]
    elif name in shipped() or Path(name).is_file():
        kinds = [(source.called, type(source)) for source in load(name)[0].sources]
    else:
        raise RecipeError(unknown("source or recipe", name, [*BY_NAME, *shipped()]))
    named = [(called, kind) for called, kind in kinds if issubclass(kind, Upstream)]
    if not named:
        raise RecipeError(f"'{name}' has no named source, so there is no layout to imitate")
    for number, (called, kind) in enumerate(named):
        root = to / called
        if root.exists():
            yield f"{root} is there already"
            continue
        root.mkdir(parents=True)
        kind.miniature(root, np.random.default_rng([seed, number]))
        yield f"{root}: an invented miniature of {kind.card.name}"
    yield "they have upstreams' flaws, such as rows without their file: run with --set limits.failed=0.2 or so"
