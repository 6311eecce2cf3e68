"""The mixture: exact counts, and choices that depend on the offers and the seed alone."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from manifests.config import recipe_error
from manifests.errors import RecipeError
from manifests.mixture import Caps, Draw, Mixture, Offer, Share, draw, exact, fill, shortfall, table
from manifests.sample import STAGES, sample_key

SOURCES = ("a", "b", "c")
WEIGHTS = st.sampled_from([0.1, 0.3, 0.5, 1.0, 2.0, 3.0, 7.0])


def offers_of(source: str, stage: str, number: int, parts: int = 1) -> list[Offer]:
    return [Offer(f"{source}{i:03d}", source, stage, part) for i in range(number) for part in range(parts)]


@st.composite
def worlds(any_draw: st.DrawFn) -> list[Offer]:
    numbers = st.integers(0, 12)
    return [
        offer
        for source in SOURCES
        for stage in STAGES
        for offer in offers_of(source, stage, any_draw(numbers), any_draw(st.integers(1, 3)))
    ]


@st.composite
def share_lists(any_draw: st.DrawFn, weights: st.SearchStrategy[float | None]) -> list[Share]:
    return [Share(source=s, weight=any_draw(weights), max_repeat=any_draw(st.integers(1, 3))) for s in SOURCES]


def counted(draws: list[Draw]) -> Counter[tuple[str, str]]:
    return Counter((d.stage, d.key[0]) for d in draws)


@given(worlds(), st.integers(0, 5))
@pytest.mark.slow
def test_without_samples_and_weights_every_offer_is_drawn_once(offers: list[Offer], seed: int) -> None:
    shares = [Share(source=s, max_repeat=3) for s in SOURCES]
    draws = draw(offers, shares, Mixture(), seed)
    assert sorted(draws) == sorted(Draw(o.key, o.stage, o.part, 0) for o in offers)


@given(worlds(), share_lists(st.none() | WEIGHTS), st.integers(1, 200), st.booleans())
@pytest.mark.slow
def test_the_number_asked_is_drawn_exactly_or_everything_that_may_be(
    offers: list[Offer], shares: list[Share], samples: int, staged: bool
) -> None:
    mixture = Mixture(samples=samples, stage_weights={"pretrain": 1, "sft": 2.5, "rlvr": 0.5} if staged else None)
    draws = draw(offers, shares, mixture, 1)
    repeats = {s.source: s.max_repeat for s in shares}
    supply = sum(repeats[o.source] for o in offers)
    assert len(draws) == min(samples, supply)
    assert shortfall(offers, shares, mixture) == samples - len(draws)


@given(worlds(), share_lists(st.none() | WEIGHTS), st.none() | st.integers(1, 100), st.none() | st.integers(1, 2))
@pytest.mark.slow
def test_no_draw_breaks_its_limits_and_the_table_tells_the_counts(
    offers: list[Offer], shares: list[Share], samples: int | None, cap: int | None
) -> None:
    mixture = Mixture(samples=samples, caps=Caps(per_record=cap))
    draws = draw(offers, shares, mixture, 9)
    repeats = {s.source: s.max_repeat for s in shares}
    assert len(set(draws)) == len(draws)
    assert len({(d.stage, sample_key(d.key, d.part, d.repeat)) for d in draws}) == len(draws)
    assert all(d.repeat < repeats[d.key[0]] for d in draws)
    if cap is not None:
        parts = Counter((d.stage, d.key) for d in draws if d.repeat == 0)
        assert all(number <= cap for number in parts.values())
    rows = table(offers, shares, mixture)
    assert counted(draws) == {(r.stage, r.source): r.expected for r in rows if r.expected}


@given(worlds(), share_lists(WEIGHTS))
@pytest.mark.slow
def test_weights_without_samples_give_the_largest_draw_in_proportion(offers: list[Offer], shares: list[Share]) -> None:
    rows = table(offers, shares, Mixture())
    by_source = {s.source: s for s in shares}
    for stage in STAGES:
        mine = [r for r in rows if r.stage == stage]
        whole = sum(exact(by_source[r.source].weight or 0) for r in mine)
        total = sum(r.expected for r in mine)
        quotas = {r.source: exact(by_source[r.source].weight or 0) / whole for r in mine}
        for r in mine:
            assert abs(r.expected - total * quotas[r.source]) < 1
            assert r.expected <= r.available * by_source[r.source].max_repeat
        if mine:  # one draw more, in proportion, would be too much for somebody
            assert any((total + 1) * quotas[r.source] > r.available * by_source[r.source].max_repeat for r in mine)


@settings(max_examples=40)
@given(worlds(), share_lists(st.none() | WEIGHTS), st.integers(1, 60), st.randoms(use_true_random=False))
@pytest.mark.slow
def test_the_order_of_the_input_is_immaterial(
    offers: list[Offer], shares: list[Share], samples: int, rng: object
) -> None:
    import random

    assert isinstance(rng, random.Random)
    mixture = Mixture(samples=samples, caps=Caps(per_record=1))
    first = draw(offers, shares, mixture, 3)
    mixed_offers, mixed_shares = list(offers), list(shares)
    rng.shuffle(mixed_offers)
    rng.shuffle(mixed_shares)
    assert draw(mixed_offers + mixed_offers[:3], mixed_shares, mixture, 3) == first


@given(st.integers(1, 30), st.integers(0, 30))
def test_adding_a_source_changes_no_choice_within_the_others(old: int, new: int) -> None:
    here = offers_of("a", "sft", 20, parts=2)
    before = draw(here, [Share(source="a", max_repeat=2)], Mixture(samples=old), 5)
    joint = here + offers_of("b", "sft", new)
    after = draw(joint, [Share(source="a", max_repeat=2)], Mixture(samples=old + 10), 5)
    mine = [d for d in after if d.key.startswith("a")]
    shorter, longer = sorted((before, mine), key=len)
    assert [d for d in longer if d in set(shorter)] == shorter  # same choices, same order among them


def test_whole_epochs_go_before_repeats() -> None:
    offers = offers_of("a", "sft", 7)
    draws = draw(offers, [Share(source="a", max_repeat=3)], Mixture(samples=17), 2)
    assert Counter(d.repeat for d in draws) == {0: 7, 1: 7, 2: 3}
    assert {d.key for d in draws if d.repeat == 0} == {o.key for o in offers}


def test_the_cap_chooses_one_draft_by_seed_and_spreads_over_the_parts() -> None:
    offers = offers_of("a", "sft", 300, parts=3)
    draws = draw(offers, [], Mixture(caps=Caps(per_record=1)), 11)
    assert len(draws) == len({d.key for d in draws}) == 300
    assert all(70 < number < 130 for number in Counter(d.part for d in draws).values())
    assert draws != draw(offers, [], Mixture(caps=Caps(per_record=1)), 12)


def test_sources_are_interleaved() -> None:
    draws = draw(offers_of("a", "sft", 200) + offers_of("b", "sft", 200), [], Mixture(), 4)
    first_half = Counter(d.key[0] for d in draws[:200])
    assert 70 < first_half["a"] < 130


def test_what_a_scarce_source_cannot_give_the_others_give_by_weight() -> None:
    offers = offers_of("a", "sft", 10) + offers_of("b", "sft", 100) + offers_of("c", "sft", 100)
    shares = [Share(source="a", weight=8), Share(source="b", weight=1), Share(source="c", weight=2)]
    rows = {r.source: r.expected for r in table(offers, shares, Mixture(samples=100))}
    assert rows == {"a": 10, "b": 30, "c": 60}


def test_stage_weights_without_samples_give_the_largest_draw_in_proportion() -> None:
    offers = offers_of("a", "pretrain", 90) + offers_of("a", "sft", 20) + offers_of("a", "rlvr", 50)
    rows = {r.stage: r.expected for r in table(offers, [], Mixture(stage_weights={"pretrain": 3, "sft": 1}))}
    assert rows == {"pretrain": 60, "sft": 20, "rlvr": 0}


def test_a_weight_of_zero_gives_nothing_even_where_others_run_out() -> None:
    offers = offers_of("a", "sft", 5) + offers_of("b", "sft", 50)
    shares = [Share(source="a", weight=1, max_repeat=2), Share(source="b", weight=0)]
    assert counted(draw(offers, shares, Mixture(samples=30), 0)) == {("sft", "a"): 10}
    assert shortfall(offers, shares, Mixture(samples=30)) == 20


def test_decimal_weights_are_the_numbers_that_were_written() -> None:
    offers = offers_of("a", "sft", 700) + offers_of("b", "sft", 300)
    shares = [Share(source="a", weight=0.7), Share(source="b", weight=0.3)]
    assert {r.source: r.expected for r in table(offers, shares, Mixture())} == {"a": 700, "b": 300}


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(1, 9), st.integers(0, 20)), min_size=1),
    st.integers(0, 150),
)
def test_filling_is_fair(world: dict[str, tuple[int, int]], total: int) -> None:
    weights = {k: Fraction(w) for k, (w, _) in world.items()}
    limits = {k: limit for k, (_, limit) in world.items()}
    parts = fill(weights, limits, total)
    assert sum(parts.values()) == min(total, sum(limits.values()))
    assert all(parts[k] <= limits[k] for k in world)
    for k in world:  # nobody is more than one draw behind, for its weight, of anybody else, unless it is exhausted
        for other in world:
            if parts[k] < limits[k]:
                assert (parts[k] + 1) / weights[k] > (parts[other] - 1) / weights[other]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"stage_weights": {"sft": -1}}, "stage_weights.sft is -1; a weight is a number of 0 or more"),
        ({"stage_weights": {"sft": 0, "rlvr": 0}}, "stage_weights add up to 0; give at least one stage"),
        ({"stage_weights": {}}, "stage_weights add up to 0"),
        ({"stage_weights": {"sft": float("nan")}}, "stage_weights.sft is nan"),
        ({"samples": 0}, "samples: Input should be greater than 0 (found 0)"),
        ({"sample": 5}, "did you mean 'samples'"),
    ],
)
def test_a_mixture_that_makes_no_sense_is_an_error_that_says_so(raw: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Mixture.model_validate(raw)
    assert said in str(recipe_error(caught.value, "mixture"))


def test_shares_that_make_no_sense_are_errors_that_say_so() -> None:
    with pytest.raises(ValidationError, match=r"weight of source 'a' is -2; a weight is a number of 0 or more"):
        Share(source="a", weight=-2)
    with pytest.raises(RecipeError, match="add up to 0; give at least one source"):
        draw(offers_of("a", "sft", 2), [Share(source="a", weight=0)], Mixture(), 0)
    with pytest.raises(RecipeError, match="'a' has two shares"):
        draw([], [Share(source="a"), Share(source="a")], Mixture(), 0)


def test_no_offers_give_no_draws_and_a_whole_shortfall() -> None:
    assert draw([], [Share(source="a", weight=1)], Mixture(samples=5), 0) == []
    assert shortfall([], [], Mixture(samples=5)) == 5
    assert table([], [], Mixture()) == []


def test_the_draws_are_pinned() -> None:
    """The same offers and seed give the same draws in every version, or the change is deliberate."""
    draws = draw(offers_of("a", "sft", 3) + offers_of("b", "sft", 2), [], Mixture(), 7)
    assert [d.key for d in draws] == ["b001", "a002", "a000", "a001", "b000"]
