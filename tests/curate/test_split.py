"""Splits: whole patients, stable under addition."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from curate.split import SPLITS, SplitConfig, assign_splits, leaks

CONFIG = SplitConfig(val=0.2, test=0.3)
KEYS = st.integers(0, 40).map(lambda i: f"k{i:02d}")
GROUPS = st.dictionaries(KEYS, st.sampled_from(["", "p1", "p2", "p3", "p4", "p5"]))
LINKS = st.lists(st.tuples(KEYS, KEYS), max_size=8)
SEEDS = st.integers(0, 2**64)


@given(GROUPS, LINKS, SEEDS)
def test_what_shares_a_group_or_a_link_shares_a_split(
    groups: dict[str, str], links: list[tuple[str, str]], seed: int
) -> None:
    splits = assign_splits(groups, links, CONFIG, seed)
    assert list(splits) == sorted(groups)
    for one, other in links:
        if one in splits and other in splits:
            assert splits[one] == splits[other]
    for group in set(groups.values()) - {""}:
        assert len({splits[k] for k, g in groups.items() if g == group}) == 1
    assert leaks([(k, g, splits[k]) for k, g in groups.items()], links) == []


@given(GROUPS, LINKS, SEEDS, st.randoms(use_true_random=False))
def test_order_and_direction_are_immaterial(
    groups: dict[str, str], links: list[tuple[str, str]], seed: int, rng: object
) -> None:
    import random

    assert isinstance(rng, random.Random)
    mixed = list(groups.items())
    rng.shuffle(mixed)
    turned = [(b, a) for a, b in reversed(links)]
    assert assign_splits(dict(mixed), turned, CONFIG, seed) == assign_splits(groups, links, CONFIG, seed)


@given(
    GROUPS, LINKS, SEEDS, st.dictionaries(st.integers(50, 60).map(lambda i: f"k{i}"), st.sampled_from(["", "p1", "q"]))
)
def test_adding_records_moves_nobody(
    groups: dict[str, str], links: list[tuple[str, str]], seed: int, more: dict[str, str]
) -> None:
    before = assign_splits(groups, links, CONFIG, seed)
    new_links = [(k, k2) for k, g in more.items() for k2, g2 in more.items() if g == g2 == ""]
    after = assign_splits({**groups, **more}, [*links, *new_links], CONFIG, seed)
    assert {k: after[k] for k in before} == before


def test_of_merged_groups_the_smaller_name_keeps_its_split_and_a_record_without_group_follows() -> None:
    groups = {f"k{i}": f"p{i:02d}" for i in range(40)} | {"lone": ""}
    alone = assign_splits(groups, [], CONFIG, 0)
    for i in range(39):
        merged = assign_splits(groups, [(f"k{i + 1}", f"k{i}"), ("lone", f"k{i}")], CONFIG, 0)
        assert merged == alone | {f"k{i + 1}": alone[f"k{i}"], "lone": alone[f"k{i}"]}


def test_a_link_through_an_absent_record_still_joins() -> None:
    groups = {f"k{i:03d}": "" for i in range(100)}
    chain = [(key, "dropped") for key in groups]
    assert len(set(assign_splits(groups, [], CONFIG, 0).values())) == 3
    assert len(set(assign_splits(groups, chain, CONFIG, 0).values())) == 1


def test_the_shares_are_met_within_four_standard_deviations() -> None:
    number = 4000
    groups = {f"k{i}": f"g{i // 2}" for i in range(2 * number)}
    counts = Counter(assign_splits(groups, [], CONFIG, 7).values())
    for split, share in (("test", 0.3), ("val", 0.2), ("train", 0.5)):
        assert abs(counts[split] / 2 / number - share) < 4 * math.sqrt(share * (1 - share) / number)  # type: ignore[index]


def test_a_larger_share_only_moves_records_out_of_train() -> None:
    groups = {f"k{i}": "" for i in range(500)}
    small = assign_splits(groups, [], SplitConfig(val=0.1, test=0.1), 1)
    for config in (SplitConfig(val=0.3, test=0.1), SplitConfig(val=0.1, test=0.4)):
        large = assign_splits(groups, [], config, 1)
        moved = {(small[k], large[k]) for k in groups if small[k] != large[k]}
        assert moved == {("train", "val" if config.val > 0.1 else "test")}


def test_the_default_is_all_train_and_the_seed_matters() -> None:
    groups = {f"k{i}": "" for i in range(50)}
    assert set(assign_splits(groups, [], SplitConfig(), 0).values()) == {"train"}
    assert assign_splits(groups, [], CONFIG, 0) != assign_splits(groups, [], CONFIG, 1)


def test_a_leak_names_the_patient_the_records_and_the_splits() -> None:
    rows = [
        ("a", "p1", "train"),
        ("b", "p1", "test"),
        ("c", "p2", "train"),
        ("d", "p2", ""),
        ("e", "", "val"),
        ("f", "", "train"),
    ]
    (leak,) = leaks(rows)
    assert (leak.groups, leak.keys, leak.splits) == (("p1",), ("a", "b"), ("train", "test"))
    through_links = leaks(rows, [("e", "f"), ("c", "d"), ("e", "unknown")])
    assert [x.keys for x in through_links] == [("e", "f"), ("a", "b")]
    assert all(set(x.splits) <= set(SPLITS) for x in through_links)


def test_shares_that_leave_nothing_to_train_on_are_refused() -> None:
    with pytest.raises(ValidationError, match="their sum must be under 1"):
        SplitConfig(val=0.5, test=0.5)
    with pytest.raises(ValidationError, match=r"less than or equal to 0\.5"):
        SplitConfig(val=0.6)


STRATA = st.fixed_dictionaries({f"k{i:02d}": st.sampled_from(["ct", "mr", "text"]) for i in range(41)})


@pytest.mark.slow
@given(GROUPS, LINKS, SEEDS, STRATA)
def test_strata_keep_patients_whole_and_hold_out_what_was_asked(
    groups: dict[str, str], links: list[tuple[str, str]], seed: int, strata: dict[str, str]
) -> None:
    splits = assign_splits(groups, links, CONFIG, seed, strata)
    assert list(splits) == sorted(groups)
    assert leaks([(k, g, splits[k]) for k, g in groups.items()], links) == []


def test_every_stratum_gives_its_share_and_small_ones_add_up() -> None:
    large = {f"a{i}": "large" for i in range(400)}
    small = {f"s{n}-{i}": f"small{n}" for n in range(200) for i in range(4)}
    strata = large | small
    splits = assign_splits(dict.fromkeys(strata, ""), (), SplitConfig(val=0.05, test=0.1), 7, strata)
    of_large = Counter(splits[k] for k in large)
    assert abs(of_large["val"] - 20) <= 1
    assert abs(of_large["test"] - 40) <= 1
    of_small = Counter(splits[k] for k in small)
    assert 25 <= of_small["val"] <= 55  # 40 expected of 800, at most one a stratum
    assert 55 <= of_small["test"] <= 105


def test_a_new_stratum_moves_nobody_of_another() -> None:
    config = SplitConfig(val=0.1, test=0.1)
    old = {f"a{i}": "one" for i in range(300)}
    new = {f"b{i}": "two" for i in range(300)}
    before = assign_splits(dict.fromkeys(old, ""), (), config, 1, old)
    after = assign_splits(dict.fromkeys(old | new, ""), (), config, 1, old | new)
    assert {k: after[k] for k in before} == before
