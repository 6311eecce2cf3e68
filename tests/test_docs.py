"""The README is true: its commands exist, its links resolve, its sources and recipes are those that ship."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest
import yaml

from curate.cli import main
from curate.recipe import Recipe, load, shipped
from sources import SOURCES

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def test_every_curate_command_of_the_readme_exists_and_every_command_stands_in_it() -> None:
    named = set(re.findall(r"\bcurate ([a-z]+(?:-[a-z]+)*)", README))
    assert set(main.commands) <= named
    assert {n for n in named if n in main.commands} == set(main.commands)


def test_every_make_target_of_the_readme_exists() -> None:
    targets = re.findall(r"(?:`|^    )make ([a-z-]+)\b", README, re.MULTILINE)
    assert {"demo", "test", "bench"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


def test_every_file_that_the_readme_points_to_is_there() -> None:
    for path in re.findall(r"\]\((?!https:)([^)#]+)\)", README):
        assert (ROOT / path).exists(), path


def test_every_layout_that_many_share_stands_in_the_readme_and_every_source_in_the_catalogue() -> None:
    """`python -m tests.catalogue` writes the catalogue anew after a change that is meant."""
    from curate.catalogue import page
    from tests.catalogue import PAGE

    for source in SOURCES:
        assert source.card.url or f"`{source.card.name}`" in README
    assert PAGE.read_text() == page()


def test_the_recipe_in_the_readme_is_a_valid_recipe() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        Recipe.model_validate(yaml.safe_load(block))


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_shipped_recipe_renders_to_its_golden_file(name: str) -> None:
    """`python -m tests.golden` rewrites the golden files after a change that is meant."""
    from tests.golden import GOLDEN, rendered

    assert rendered(load(name)[0]) == (GOLDEN / f"{name}.json").read_text()


@pytest.mark.slow
def test_the_page_of_reasons_tells_every_reason_in_the_code() -> None:
    """`python -m tests.reasons` writes it anew after a change that is meant."""
    from tests.reasons import PAGE, page

    assert PAGE.read_text() == page()


def test_the_table_of_tasks_names_all_of_them_with_the_stages_that_their_code_names() -> None:
    from manifests.sample import STAGES
    from synth.tasks import PROGRAM_TASKS, TEACHER_TASKS

    rows = [
        line.split("|")[1:-1] for line in (ROOT / "docs/tasks.md").read_text().splitlines() if line.startswith("| `")
    ]
    told = {name.strip(" `"): (stages.strip(), by.strip()) for name, _, stages, by, _ in rows}
    assert told.keys() == {*PROGRAM_TASKS, *TEACHER_TASKS}
    assert {name for name, (_, by) in told.items() if by == "teacher"} == set(TEACHER_TASKS)
    for name, (stages, _) in told.items():
        code = (ROOT / f"synth/tasks/{name}.py").read_text()
        named = {stage for stage in STAGES if f'"{stage}"' in code}
        assert {s.strip() for s in stages.replace("all", ", ".join(STAGES)).split(",")} == named, name


def test_the_numbers_that_the_readme_tells_are_true() -> None:
    from curate.packs.make import listed
    from synth.tasks import PROGRAM_TASKS, TEACHER_TASKS

    words = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen")
    assert f"{words[len(PROGRAM_TASKS) - 10]} by programs, {words[len(TEACHER_TASKS) - 10]} by a teacher" in README
    assert f"without a name it lists the {len(listed().splitlines())}\n" in README


def test_the_source_that_the_guide_writes_keeps_the_contract_of_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    from sources.base import Place, list_files
    from sources.upstream import Upstream
    from synth.facts import validate
    from tests.sources.listing import counted, items_of

    code = re.search(r"```python\n(.*?)```", (ROOT / "docs/adding_a_source.md").read_text(), re.DOTALL)
    assert code
    assert code[1].count("\n") < 100
    (tmp_path / "chestnut.py").write_text(code[1])
    monkeypatch.syspath_prepend(tmp_path)
    kind = importlib.import_module("chestnut").Chestnut
    monkeypatch.delitem(sys.modules, "chestnut")
    assert issubclass(kind, Upstream)
    (root := tmp_path / "data").mkdir()
    kind.miniature(root, np.random.default_rng(7))
    items = items_of(kind.model_validate({"source": "chestnut"}), Place(root, root))
    assert counted(items) == "1 dropped: not_a_record, 1 failed: media_missing, 4 picture"
    assert {f.path for i in items for f in i.files} >= set(list_files(root, is_package=False))
    for item in items:
        validate(item.facts)


def test_the_table_of_options_tells_every_option_of_every_task() -> None:
    """`python -m tests.tasks_page` writes it anew after a change that is meant."""
    from tests.tasks_page import PAGE, page

    assert PAGE.read_text() == page()
