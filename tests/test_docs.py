"""The README is true: its commands exist, its links resolve, its sources and recipes are those that ship."""

from __future__ import annotations

import re
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
