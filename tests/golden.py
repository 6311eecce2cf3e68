"""Golden files: every shipped recipe, resolved. `python -m tests.golden` writes them."""

from __future__ import annotations

import json
from pathlib import Path

from curate.recipe import Recipe, load, shipped

GOLDEN = Path(__file__).resolve().parent / "golden"


def rendered(recipe: Recipe) -> str:
    return json.dumps(recipe.model_dump(mode="json"), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name in shipped():
        (GOLDEN / f"{name}.json").write_text(rendered(load(name)[0]))
    print(f"{GOLDEN.relative_to(GOLDEN.parents[1])}/*.json: {len(shipped())} recipes")
