"""Every named source keeps its contract on its miniature: nothing lost, facts in the vocabulary, a card that is one.

That each gives samples from end to end is shown by `tests/curate/test_recipes.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from manifests.card import check_licence
from manifests.vocabulary import BODY_PARTS, MODALITIES, TASKS
from sources import BY_NAME, SOURCES
from sources.base import list_files
from sources.upstream import Upstream
from synth.facts import validate
from tests.sources.listing import GOLDEN, items_of, miniature, named, rendered


def test_names_are_unique_and_every_upstream_brings_a_miniature() -> None:
    assert len(BY_NAME) == len(SOURCES)
    assert named() == sorted(s.card.name for s in SOURCES if issubclass(s, Upstream))


@pytest.mark.parametrize("name", named())
def test_a_card_says_where_it_comes_from_and_on_what_terms(name: str) -> None:
    card = BY_NAME[name].card
    assert card.what
    assert card.layout
    if not card.url:
        return  # a layout that many share has no upstream of its own
    assert check_licence(card.licence) == card.licence
    assert card.citation
    assert card.phi_risk
    assert card.size
    assert set(card.modalities) <= set(MODALITIES)
    assert set(card.body_parts) <= BODY_PARTS
    assert set(card.tasks) <= set(TASKS)
    assert card.tasks
    assert card.modalities
    assert card.access == "open" or card.steps, "how to get it"


@pytest.mark.parametrize("name", named())
def test_a_miniature_is_listed_as_its_golden_file_says_each_file_in_an_item(name: str, tmp_path: Path) -> None:
    """`python -m tests.sources.listing NAME` rewrites the golden file after a change that is meant."""
    source, place = miniature(name, tmp_path)
    items = items_of(source, place)
    assert rendered(items) == (GOLDEN / f"{name}.json").read_text()
    assert {f.path for i in items for f in i.files} >= set(list_files(tmp_path, is_package=False))
    assert len({(i.upstream_id, i.files) for i in items}) == len(items)
    for item in items:
        validate(item.facts)
        assert len(item.carried) in (0, sum(f.role == "data" for f in item.files))
