"""What teachers cost: told before a run, counted by it, the same from the ledger alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from curate import plan as plans
from curate.recipe import load
from curate.run import Options
from manifests.manifest import read_manifest
from tests.corpus import make_corpus, recipe_of, run_recipe

pytestmark = pytest.mark.slow
ANSWER = '{"caption": "The lungs are clear and the heart is of normal size."}'


def options(root: Path) -> Options:
    return Options(out=root / "out", work=root / "out" / ".work", recipe_folder=root, workers=0, quiet=True)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus whose program tasks ran; then a teacher's task is added to its recipe."""
    root = tmp_path_factory.mktemp("costs")
    recipe = make_corpus(root)
    run_recipe(recipe, root / "out")
    teacher = {"backend": "scripted", "otherwise": ANSWER}
    asking = {**recipe_of(), "tasks": ["narrate"], "teacher": teacher, "judging": {"window": None, "shuffle": None}}
    recipe.write_text(yaml.safe_dump(asking))
    return root


def test_a_plan_says_what_a_teacher_would_be_asked_and_the_run_asks_exactly_that(ran: Path) -> None:
    recipe = load(str(ran / "small.yaml"))[0]
    before = plans.plan(recipe, options(ran))
    assert before.quote is not None
    assert before.quote.requests > 0 == before.quote.known
    assert "to pay" in plans.text(before)
    assert "GPU hours" in plans.text(before, 100.0)
    run_recipe(ran / "small.yaml", ran / "out")
    teacher = read_manifest(ran / "out").teacher
    assert sum(p.requests for p in teacher.prompts) == before.quote.requests
    assert sum(p.completion_tokens for p in teacher.prompts) <= before.quote.most_tokens
    after = plans.plan(recipe, options(ran)).quote
    assert after is not None
    assert (after.known, after.prompt_tokens, after.most_tokens) == (after.requests, 0, 0)


def test_counts_are_equal_when_everything_is_answered_by_the_ledger(ran: Path) -> None:
    import shutil

    run_recipe(ran / "small.yaml", ran / "out")
    first = read_manifest(ran / "out").teacher
    shutil.rmtree(ran / "out" / ".work" / "units" / "synthesize")
    again = run_recipe(ran / "small.yaml", ran / "out")
    second = read_manifest(ran / "out")
    assert second.teacher == first
    assert first.prompts
    assert first.checks["answered"] == (first.drafts, 0)
    assert again.executed > 0
    assert second.environment["teacher"]["fresh_requests"] == 0
