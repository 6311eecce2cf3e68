"""Every shipped recipe of a system runs on miniatures to verified samples, and says what is known of that system.

All named sources are written once, in the layouts of their upstreams, into one folder; all runs share one work folder,
so that a record is prepared once, however many recipes read it. With pytest-xdist its processes share that folder too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from curate.audit import verify
from curate.recipe import SHIPPED, load, shipped
from curate.run import Options, run
from manifests.errors import RecipeError
from manifests.manifest import read_manifest
from sources import BY_NAME
from sources.upstream import Upstream

SYSTEMS = sorted(set(shipped()) - {"demo"})
SEED = 7


class Shared(NamedTuple):
    data: Path
    work: Path


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_count: int) -> Iterator[Shared]:
    """The miniatures of all named sources, and the work folder of all runs. The key makes pseudonyms, and with them
    what was prepared, the same in every recipe."""
    base = tmp_path_factory.getbasetemp()
    data = tmp_path_factory.mktemp("miniatures")
    for number, (name, source) in enumerate(sorted(BY_NAME.items())):
        if issubclass(source, Upstream):
            (data / name).mkdir()
            source.miniature(data / name, np.random.default_rng([SEED, number]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDCURATE_KEY", "a-key-of-at-least-sixteen-characters")
        yield Shared(data, (base.parent if worker_count > 1 else base) / "recipes-work")


@pytest.fixture(scope="module")
def worker_count(request: pytest.FixtureRequest) -> int:
    """How many processes run the tests, by pytest-xdist."""
    worker = getattr(request.config, "workerinput", None)
    return int(worker["workercount"]) if worker else 1


def test_every_system_recipe_tells_what_is_known_what_is_assumed_and_what_is_not_known() -> None:
    assert SYSTEMS
    for name in SYSTEMS:
        lines = (SHIPPED / f"{name}.yaml").read_text().splitlines()
        header = lines[: next(i for i, line in enumerate(lines) if not line.startswith("#"))]
        parts = [found[1] for line in header if (found := re.match(r"# (known|assumed|unknown): +\S", line))]
        assert parts == ["known", "assumed", "unknown"], name
        recipe, _ = load(name)
        assert recipe.name == name
        assert recipe.absent == "leave_out", "nobody has every source"


@pytest.mark.slow
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_recipe_runs_on_miniatures_to_verified_samples_in_each_of_its_stages(
    name: str, shared: Shared, tmp_path: Path
) -> None:
    recipe, folder = load(name)
    out = tmp_path / "out"
    run(
        recipe,
        Options(out=out, work=shared.work, recipe_folder=folder, data=shared.data, workers=0, quiet=True),
    )
    manifest = read_manifest(out)
    assert {shard.stage for shard in manifest.shards if shard.samples} == set(recipe.stages)
    rows = [row for part in manifest.ledger for row in pq.read_table(out / part.path).to_pylist()]
    assert {row["reason"] for row in rows} & {"unexpected_error", "parser_died"} == set()
    named = {s.called for s in recipe.sources if isinstance(s, Upstream)}
    assert named == {row["source"] for row in rows if row["status"] in ("kept", "duplicate")}, "each gives something"
    report = verify(out)
    assert report.ok, report.text()


@pytest.mark.slow
def test_sources_that_no_recipe_names_give_samples_too(shared: Shared, tmp_path: Path) -> None:
    named = {type(source) for name in SYSTEMS for source in load(name)[0].sources}
    others = sorted(name for name, kind in BY_NAME.items() if issubclass(kind, Upstream) and kind not in named)
    assert others
    path = tmp_path / "others.yaml"
    keep = {"faces": {"keep": "invented"}, "burned_in": {"keep": "invented"}}
    recipe = {"sources": [{"source": name} for name in others], "deidentify": keep, "limits": {"failed": 1.0}}
    path.write_text(yaml.safe_dump(recipe))
    loaded, folder = load(str(path))
    out = tmp_path / "out"
    run(loaded, Options(out=out, work=shared.work, recipe_folder=folder, data=shared.data, workers=0, quiet=True))
    manifest = read_manifest(out)
    rows = [row for part in manifest.ledger for row in pq.read_table(out / part.path).to_pylist()]
    assert {row["reason"] for row in rows} & {"unexpected_error", "parser_died"} == set()
    assert {row["source"] for row in rows if row["status"] in ("kept", "duplicate")} == set(others)
    report = verify(out)
    assert report.ok, report.text()


@pytest.mark.slow
def test_a_recipe_without_any_of_its_sources_says_how_to_get_them(tmp_path: Path) -> None:
    recipe, folder = load(SYSTEMS[0])
    options = Options(out=tmp_path / "out", work=tmp_path, recipe_folder=folder, data=tmp_path, workers=0, quiet=True)
    with pytest.raises(RecipeError, match=r"none of the recipe's .*curate miniature"):
        run(recipe, options)
