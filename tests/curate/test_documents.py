"""The card of an output says what was done about identities, and what was not, as the recipe had it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curate.documents import COVERED, NOT_COVERED, NOT_SEARCHED, SEARCHED, readme
from curate.recipe import Recipe
from manifests.manifest import Manifest, read_manifest


def card(manifest: Manifest, **deidentify: Any) -> str:
    source = {"source": "dicom_tree", "root": "r", "licence": "MIT"}
    recipe = Recipe.model_validate({"sources": [source], "deidentify": deidentify})
    return readme(manifest.model_copy(update={"recipe": recipe.model_dump(mode="json")}))


@pytest.fixture(scope="module")
def manifest(small_output: Path) -> Manifest:
    return read_manifest(small_output)


def test_the_card_says_what_is_covered_what_is_not_and_why(manifest: Manifest) -> None:
    told = card(manifest)
    assert all(f"- {line};" in told for line in (*COVERED, *NOT_COVERED))
    assert "not anonymous" in told
    assert NOT_SEARCHED in told
    assert "Options of the profile: dates shift." in told


def test_the_card_follows_the_recipe(manifest: Manifest) -> None:
    told = card(manifest, burned_in="detect", options={"dates": "full", "device": True})
    assert SEARCHED in told
    assert NOT_SEARCHED not in told
    assert "Options of the profile: dates full, device taken." in told
    told = card(manifest, burned_in={"keep": "phantoms of\nno one"}, faces={"keep": "mice, not men"})
    assert "images that may show text were not refused: phantoms of no one." in told
    assert "heads were not refused: mice, not men." in told
