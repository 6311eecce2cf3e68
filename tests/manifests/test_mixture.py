"""The mixture: exact counts, and choices that depend on the offers and the seed alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from manifests import mixture as mixtures
from manifests.config import recipe_error
from manifests.curriculum import Phase
from manifests.errors import RecipeError
from manifests.mixture import Caps, Mixture, Row, Share
from manifests.offers import Offer, Offers, identities
from manifests.quotas import exact, fill
from manifests.sample import STAGES, sample_key

Shares = dict[str, Share]
SOURCES = ("a", "b", "c")
WEIGHTS = st.sampled_from([0.1, 0.3, 0.5, 1.0, 2.0, 3.0, 7.0])


@dataclass(frozen=True, order=True)
class Draw:
    key: str
    stage: str
    part: int
    repeat: int


def draw(offers: list[Offer], shares: Shares, mixture: Mixture, seed: int) -> list[Draw]:
    drawn = mixtures.mix(Offers.of(offers), shares, mixture, seed).drawn
    pairs = zip(drawn.offer.tolist(), drawn.repeat.tolist(), strict=True)
    return [Draw(offers[n].key, offers[n].stage, offers[n].part, repeat) for n, repeat in pairs]


def table(offers: list[Offer], shares: Shares, mixture: Mixture) -> list[Row]:
    return list(mixtures.mix(Offers.of(offers), shares, mixture, 0).rows)


def shortfall(offers: list[Offer], shares: Shares, mixture: Mixture) -> int:
    return mixtures.shortfall(table(offers, shares, mixture), mixture)


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
def share_lists(any_draw: st.DrawFn, weights: st.SearchStrategy[float | None]) -> Shares:
    return {s: Share(weight=any_draw(weights), max_repeat=any_draw(st.integers(1, 3))) for s in SOURCES}


def counted(draws: list[Draw]) -> Counter[tuple[str, str]]:
    return Counter((d.stage, d.key[0]) for d in draws)


@given(worlds(), st.integers(0, 5))
@pytest.mark.slow
def test_without_samples_and_weights_every_offer_is_drawn_once(offers: list[Offer], seed: int) -> None:
    shares = {s: Share(max_repeat=3) for s in SOURCES}
    draws = draw(offers, shares, Mixture(), seed)
    assert sorted(draws) == sorted(Draw(o.key, o.stage, o.part, 0) for o in offers)


@given(worlds(), share_lists(st.none() | WEIGHTS), st.integers(1, 200), st.booleans())
@pytest.mark.slow
def test_the_number_asked_is_drawn_exactly_or_everything_that_may_be(
    offers: list[Offer], shares: Shares, samples: int, staged: bool
) -> None:
    mixture = Mixture(samples=samples, stage_weights={"pretrain": 1, "sft": 2.5, "rlvr": 0.5} if staged else None)
    draws = draw(offers, shares, mixture, 1)
    repeats = {name: s.max_repeat for name, s in shares.items()}
    supply = sum(repeats[o.source] for o in offers)
    assert len(draws) == min(samples, supply)
    assert shortfall(offers, shares, mixture) == samples - len(draws)


@given(worlds(), share_lists(st.none() | WEIGHTS), st.none() | st.integers(1, 100), st.none() | st.integers(1, 2))
@pytest.mark.slow
def test_no_draw_breaks_its_limits_and_the_table_tells_the_counts(
    offers: list[Offer], shares: Shares, samples: int | None, cap: int | None
) -> None:
    mixture = Mixture(samples=samples, caps=Caps(per_record=cap))
    draws = draw(offers, shares, mixture, 9)
    repeats = {name: s.max_repeat for name, s in shares.items()}
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
def test_weights_without_samples_give_the_largest_draw_in_proportion(offers: list[Offer], shares: Shares) -> None:
    rows = table(offers, shares, Mixture())
    by_source = shares
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
def test_the_order_of_the_input_is_immaterial(offers: list[Offer], shares: Shares, samples: int, rng: object) -> None:
    import random

    assert isinstance(rng, random.Random)
    mixture = Mixture(samples=samples, caps=Caps(per_record=1))
    first = draw(offers, shares, mixture, 3)
    mixed_offers, names = list(offers), list(shares)
    rng.shuffle(mixed_offers)
    rng.shuffle(names)
    mixed_shares = {name: shares[name] for name in names}
    assert draw(mixed_offers + mixed_offers[:3], mixed_shares, mixture, 3) == first


@pytest.mark.slow
@given(st.integers(1, 30), st.integers(0, 30))
def test_adding_a_source_changes_no_choice_within_the_others(old: int, new: int) -> None:
    here = offers_of("a", "sft", 20, parts=2)
    before = draw(here, {"a": Share(max_repeat=2)}, Mixture(samples=old), 5)
    joint = here + offers_of("b", "sft", new)
    after = draw(joint, {"a": Share(max_repeat=2)}, Mixture(samples=old + 10), 5)
    mine = [d for d in after if d.key.startswith("a")]
    shorter, longer = sorted((before, mine), key=len)
    assert [d for d in longer if d in set(shorter)] == shorter  # same choices, same order among them


def test_whole_epochs_go_before_repeats() -> None:
    offers = offers_of("a", "sft", 7)
    draws = draw(offers, {"a": Share(max_repeat=3)}, Mixture(samples=17), 2)
    assert Counter(d.repeat for d in draws) == {0: 7, 1: 7, 2: 3}
    assert {d.key for d in draws if d.repeat == 0} == {o.key for o in offers}


def test_the_cap_chooses_one_draft_by_seed_and_spreads_over_the_parts() -> None:
    offers = offers_of("a", "sft", 300, parts=3)
    draws = draw(offers, {}, Mixture(caps=Caps(per_record=1)), 11)
    assert len(draws) == len({d.key for d in draws}) == 300
    assert all(70 < number < 130 for number in Counter(d.part for d in draws).values())
    assert draws != draw(offers, {}, Mixture(caps=Caps(per_record=1)), 12)


def test_sources_are_interleaved() -> None:
    draws = draw(offers_of("a", "sft", 200) + offers_of("b", "sft", 200), {}, Mixture(), 4)
    first_half = Counter(d.key[0] for d in draws[:200])
    assert 70 < first_half["a"] < 130


def test_what_a_scarce_source_cannot_give_the_others_give_by_weight() -> None:
    offers = offers_of("a", "sft", 10) + offers_of("b", "sft", 100) + offers_of("c", "sft", 100)
    shares = {"a": Share(weight=8), "b": Share(weight=1), "c": Share(weight=2)}
    rows = {r.source: r.expected for r in table(offers, shares, Mixture(samples=100))}
    assert rows == {"a": 10, "b": 30, "c": 60}


def test_stage_weights_without_samples_give_the_largest_draw_in_proportion() -> None:
    offers = offers_of("a", "pretrain", 90) + offers_of("a", "sft", 20) + offers_of("a", "rlvr", 50)
    rows = {r.stage: r.expected for r in table(offers, {}, Mixture(stage_weights={"pretrain": 3, "sft": 1}))}
    assert rows == {"pretrain": 60, "sft": 20, "rlvr": 0}


def test_a_weight_of_zero_gives_nothing_even_where_others_run_out() -> None:
    offers = offers_of("a", "sft", 5) + offers_of("b", "sft", 50)
    shares = {"a": Share(weight=1, max_repeat=2), "b": Share(weight=0)}
    assert counted(draw(offers, shares, Mixture(samples=30), 0)) == {("sft", "a"): 10}
    assert shortfall(offers, shares, Mixture(samples=30)) == 20


def test_decimal_weights_are_the_numbers_that_were_written() -> None:
    offers = offers_of("a", "sft", 700) + offers_of("b", "sft", 300)
    shares = {"a": Share(weight=0.7), "b": Share(weight=0.3)}
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
        ({"stage_shares": {"sftt": {}}}, "'pretrain', 'sft' or 'rlvr'"),
        ({"balance": {"at_most": 1}}, "less than 1"),
        ({"samples": 5, "tokens": 5}, "exclude each other"),
        ({"samples": 5, "stage_samples": {"sft": 5}}, "not both"),
        ({"stage_tokens": {"sft": 5}, "stage_samples": {"sft": 5}}, "stage 'sft' has a budget of samples and one of"),
        ({"curriculum": [{}]}, "a phase without a condition"),
    ],
)
def test_a_mixture_that_makes_no_sense_is_an_error_that_says_so(raw: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Mixture.model_validate(raw)
    assert said in str(recipe_error(caught.value, "mixture"))


def test_shares_that_make_no_sense_are_errors_that_say_so() -> None:
    with pytest.raises(ValidationError, match=r"weight is -2; a weight is a number of 0 or more"):
        Share(weight=-2)
    with pytest.raises(ValidationError, match="exclude each other; give one of them"):
        Share(weight=2, epochs=1)
    with pytest.raises(RecipeError, match="the weights of all sources are 0; give at least one"):
        draw(offers_of("a", "sft", 2), {"a": Share(weight=0)}, Mixture(), 0)


def test_no_offers_give_no_draws_and_a_whole_shortfall() -> None:
    assert draw([], {"a": Share(weight=1)}, Mixture(samples=5), 0) == []
    assert shortfall([], {}, Mixture(samples=5)) == 5
    assert table([], {}, Mixture()) == []


def test_the_draws_are_pinned() -> None:
    """The same offers and seed give the same draws in every version, or the change is deliberate."""
    draws = draw(offers_of("a", "sft", 3) + offers_of("b", "sft", 2), {}, Mixture(), 7)
    assert [d.key for d in draws] == ["a001", "a002", "b001", "a000", "b000"]


# --------------------------------------------------------------------------------------------------- budgets and shares
def sized(source: str, stage: str, tokens: list[int]) -> list[Offer]:
    return [Offer(f"{source}{n:03d}", source, stage, 0, tokens=size) for n, size in enumerate(tokens)]


def test_stage_budgets_are_met_and_other_stages_are_whole() -> None:
    offers = offers_of("a", "sft", 80) + offers_of("b", "sft", 20) + offers_of("a", "rlvr", 50)
    offers += offers_of("a", "pretrain", 7)
    mixture = Mixture(stage_samples={"sft": 40, "rlvr": 36})
    assert counted(draw(offers, {}, mixture, 1)) == {
        ("sft", "a"): 32, ("sft", "b"): 8, ("rlvr", "a"): 36, ("pretrain", "a"): 7,
    }  # fmt: skip
    assert shortfall(offers, {}, Mixture(stage_samples={"rlvr": 60})) == 10


@given(
    st.lists(st.integers(1, 900), min_size=1, max_size=60),
    st.lists(st.integers(1, 900), min_size=1, max_size=60),
    st.integers(1, 40_000),
    st.integers(1, 3),
)
def test_a_token_budget_is_met_to_less_than_one_sample_of_each_cell(
    ours: list[int], theirs: list[int], budget: int, repeat: int
) -> None:
    offers = sized("a", "sft", ours) + sized("b", "sft", theirs)
    shares = {"a": Share(weight=1, max_repeat=repeat), "b": Share(weight=3, max_repeat=repeat)}
    rows = {r.source: r for r in table(offers, shares, Mixture(tokens=budget))}
    limits = {"a": sum(ours) * repeat, "b": sum(theirs) * repeat}
    wanted = fill({"a": Fraction(1), "b": Fraction(3)}, limits, budget)
    for name, sizes in (("a", ours), ("b", theirs)):
        assert wanted[name] - max(sizes) < rows[name].expected_tokens <= wanted[name]
    assert sum(r.expected_tokens for r in rows.values()) <= budget


def test_a_cell_with_a_number_of_its_own_gets_it_and_the_others_share_the_rest() -> None:
    offers = offers_of("a", "sft", 40) + offers_of("b", "sft", 100) + offers_of("c", "sft", 100)
    shares = {"a": Share(epochs=2.5), "b": Share(weight=3), "c": Share(weight=1)}
    rows = {r.source: r.expected for r in table(offers, shares, Mixture(samples=180))}
    assert rows == {"a": 100, "b": 60, "c": 20}
    draws = draw(offers, shares, Mixture(samples=180), 3)
    assert Counter(d.repeat for d in draws if d.key[0] == "a") == {0: 40, 1: 40, 2: 20}
    exactly = {"a": Share(samples=7), "b": Share(at_most=5), "c": Share()}
    assert {r.source: r.expected for r in table(offers, exactly, Mixture())} == {"a": 7, "b": 5, "c": 100}


def test_temperature_lies_between_sizes_and_equal_shares() -> None:
    offers = offers_of("a", "sft", 900) + offers_of("b", "sft", 100)

    def parts(temperature: float) -> dict[str, int]:
        rows = table(offers, {}, Mixture(samples=100, temperature=temperature))
        return {r.source: r.expected for r in rows}

    assert parts(1) == {"a": 90, "b": 10}
    assert parts(2) == {"a": 75, "b": 25}  # square roots: 30 to 10
    assert parts(1000) == {"a": 50, "b": 50}


def test_a_stage_may_have_shares_of_its_own() -> None:
    offers = [o for stage in STAGES for source in SOURCES for o in offers_of(source, stage, 60)]
    general = {name: Share(weight=1) for name in SOURCES}
    other: dict[str, object] = {"rlvr": {"a": {"weight": 4}, "c": {"samples": 3}}, "sft": {"b": {"weight": 0}}}
    mixture = Mixture.model_validate({"stage_samples": {"rlvr": 53, "sft": 40}, "stage_shares": other})
    rows = {(r.stage, r.source): r.expected for r in table(offers, general, mixture)}
    assert [rows["rlvr", name] for name in SOURCES] == [40, 10, 3]
    assert [rows["sft", name] for name in SOURCES] == [20, 0, 20]
    assert [rows["pretrain", name] for name in SOURCES] == [60, 60, 60]
    alone = Mixture.model_validate({"stage_shares": {"rlvr": {"a": {"weight": 1}, "b": {"weight": 3}}}})
    rows = {(r.stage, r.source): r.expected for r in table(offers, {}, alone)}  # weights of one stage bind no other
    assert [rows["rlvr", name] for name in SOURCES] == [20, 60, 20]
    assert [rows["sft", name] for name in SOURCES] == [60, 60, 60]
    with pytest.raises(RecipeError, match="unknown source 'd'; known: a, b"):
        mixtures.check_names(Mixture(stage_shares={"sft": {"d": Share()}}), {"source": ["a", "b"]})


def test_shares_may_be_of_tasks_instead_of_sources() -> None:
    offers = [Offer(f"k{n:03d}", "a", "sft", 0, task="qa" if n % 4 else "cot") for n in range(80)]
    mixture = Mixture(samples=40, by="task", shares={"cot": Share(weight=1), "qa": Share(weight=3)})
    drawn = mixtures.mix(Offers.of(offers), {"a": Share(weight=0)}, mixture, 1).drawn
    assert Counter(offers[n].task for n in drawn.offer.tolist()) == {"cot": 10, "qa": 30}
    with pytest.raises(RecipeError, match=r"unknown task 'cott' \(did you mean 'cot'"):
        mixtures.check_names(Mixture(by="task", shares={"cott": Share()}), {"task": ["cot", "qa"]})


def test_a_group_s_cap_counts_all_its_records() -> None:
    offers = [Offer(f"k{n:03d}", "a", "sft", 0, group=f"p{n % 10}") for n in range(100)]
    draws = draw(offers, {}, Mixture(caps=Caps(per_group=3)), 5)
    assert set(Counter(int(d.key[1:]) % 10 for d in draws).values()) == {3}
    assert len(draws) == 30


def test_a_curriculum_orders_its_phases_and_chooses_nothing_else() -> None:
    rates = [0.9, 0.2, 0.5, float("nan")]
    offers = [Offer(f"k{n:03d}", "a", "rlvr", 0, tokens=n, pass_rate=rates[n % 4]) for n in range(60)]
    easy_first = (Phase(min_pass_rate=0.7), Phase(min_pass_rate=0.4), Phase(min_pass_rate=0.0))
    plain = mixtures.mix(Offers.of(offers), {}, Mixture(samples=40), 2).drawn
    drawn = mixtures.mix(Offers.of(offers), {}, Mixture(samples=40, curriculum=easy_first), 2).drawn
    assert sorted(plain.offer.tolist()) == sorted(drawn.offer.tolist())
    assert drawn.phase.tolist() == sorted(drawn.phase.tolist())
    assert all(rates[n % 4] == [0.9, 0.5, 0.2][p] for n, p in zip(drawn.offer, drawn.phase, strict=True) if p < 3)
    assert all(n % 4 == 3 for n, p in zip(drawn.offer, drawn.phase, strict=True) if p == 3)
    for phase in range(4):  # within a phase the order is that of the plain draw
        mine = [n for n, p in zip(drawn.offer.tolist(), drawn.phase.tolist(), strict=True) if p == phase]
        assert mine == [n for n in plain.offer.tolist() if n in set(mine)]


def test_keys_of_this_project_and_others_are_told_apart() -> None:
    keys = ["0" * 32, "f" * 32, "0" * 31 + "g", "x"]
    assert len({tuple(row) for row in identities(keys).tolist()}) == 4
    assert identities(keys[:2]).tolist() == [[0, 0], [2**64 - 1, 2**64 - 1]]
    assert identities(keys)[:2].tolist() == identities(keys[:2]).tolist()


def test_what_is_said_of_sources_that_are_not_there_is_left_out() -> None:
    said = {"a": Share(weight=1.0), "b": Share(weight=2.0)}
    phases = (Phase(source=("b",)), Phase(source=("a", "b")), Phase(task=("mcq",)))
    mixture = Mixture(shares=said, stage_shares={"rlvr": said}, curriculum=phases)
    left = mixture.without(("b",))
    assert (set(left.shares), set(left.stage_shares["rlvr"])) == ({"a"}, {"a"})
    assert left.curriculum == (Phase(source=("a",)), Phase(task=("mcq",)))
    assert mixture.model_copy(update={"by": "task"}).without(("b",)).shares == said
