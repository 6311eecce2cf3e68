"""A mixture says what its user may not expect, and nothing where all is as expected."""

from __future__ import annotations

from curate.mixture_words import words
from manifests.mixture import Mixture, Row, Share

STAGES = ("sft", "rlvr")


def test_a_source_that_offers_a_stage_nothing_is_named() -> None:
    rows = [Row("sft", "a", 5, 5), Row("sft", "b", 7, 7), Row("rlvr", "b", 3, 3)]
    sources = {"a": Share(), "b": Share()}
    assert words(rows, sources, Mixture(), STAGES) == ["rlvr: nothing is offered by a"]
    assert words(rows[:2], sources, Mixture(), STAGES) == ["rlvr: no source offers anything to it"]
    assert words(rows, sources, Mixture(by="task"), STAGES) == []


def test_the_source_whose_few_offers_hold_the_others_back_is_named_with_what_lifts_it() -> None:
    rows = [Row("rlvr", "few", 5, 5), Row("rlvr", "many", 69, 10)]
    (line,) = words(rows, {"few": Share(weight=1), "many": Share(weight=2)}, Mixture(), ("rlvr",))
    assert line.startswith("rlvr: 59 of 74 offers are not drawn, held back by few (weight 1, at most 5 draws)")
    assert "max_repeat" in line
    assert words(rows, {"few": Share(weight=1), "many": Share(weight=2)}, Mixture(samples=15), ("rlvr",)) == []


def test_a_temperature_that_weights_overrule_is_told() -> None:
    rows = [Row("sft", "a", 5, 5), Row("sft", "b", 5, 5)]
    sources = {"a": Share(weight=1), "b": Share(weight=1)}
    assert "temperature changes nothing" in words(rows, sources, Mixture(temperature=2), ("sft",))[0]
    assert words(rows, {**sources, "b": Share()}, Mixture(temperature=1), ("sft",)) == []
