"""Passages that stand in many places: exactly those that brute force finds, for any cut, any memory, any order."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import xxhash

from curate.near.paragraphs import Counted, Repeated, read_top, repeated_records
from curate.near_stages import Sizes, plan_passages
from curate.text import comparison
from curate.units import run_unit
from tests.curate.near_oracle import CONFIG, Given, Row, digits, store
from tests.curate.test_near import real_texts

ONE, MANY = Sizes(), Sizes(memory_bytes=1 << 17, chunk_rows=100, partition_rows=20)


def brute_force(forms: Sequence[str], window: int, least: int) -> tuple[list[float], set[Repeated]]:
    """Shares of words in windows that stand `least` times, and the longest runs of such that stand equally often."""
    places: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
    texts = [form.split() for form in forms]
    for text, tokens in enumerate(texts):
        for start in range(len(tokens) - window + 1):
            places[tuple(tokens[start : start + window])].append((text, start))
    often = {place: len(some) for some in places.values() if len(some) >= least for place in some}
    covered = {(text, start + k) for text, start in often for k in range(window)}
    words = Counter(text for text, _ in covered)
    passages = set()
    for (text, start), count in often.items():
        end = start
        if often.get((text, start - 1)) != count:
            while often.get((text, end + 1)) == count:
                end += 1
            said = " ".join(texts[text][start : end + window])
            passages.add(Repeated(xxhash.xxh64_hexdigest(said.encode()), count, end - start + window))
    return [words[k] / max(1, len(tokens)) for k, tokens in enumerate(texts)], passages


def found(
    work: Path, texts: Sequence[str], window: int, least: int, sizes: Sizes, units: int = 7
) -> tuple[dict[str, float], list[Repeated]]:
    """Shares above zero by key, and the passages, as the stages find them."""
    rows = [Row(digits(k, text), text) for k, text in enumerate(texts)]
    stages = plan_passages(store(work, [Given(0, tuple(rows[k::units])) for k in range(units)]), CONFIG, window, least,
                           sizes=sizes)  # fmt: skip
    for _, some in stages:
        for unit in some:
            run_unit(unit, work)
    counted = Counted(stages[-1][1][0].key, stages[0][1][0].key, stages[-1][0])
    return repeated_records(work, counted, 0.0), read_top(work, counted)


def assert_equal_to_brute_force(work: Path, texts: Sequence[str], window: int, least: int, sizes: Sizes) -> None:
    shares, passages = found(work, texts, window, least, sizes)
    expected, spans = brute_force([comparison(text) for text in texts], window, least)
    wanted = {digits(k, text): share for k, (text, share) in enumerate(zip(texts, expected, strict=True)) if share}
    assert shares == pytest.approx(wanted, abs=1e-6)
    assert set(passages) == spans
    assert passages == sorted(passages, key=lambda one: (-one.count, -one.words, one.hash))


@pytest.mark.parametrize(
    ("vocabulary", "window", "least"),
    [(2, 10, 4)] + [pytest.param(*case, marks=pytest.mark.slow) for case in ((2, 3, 2), (5, 4, 3), (1000, 7, 2))],
)
def test_exactly_what_stands_often_enough_is_repeated(tmp_path: Path, vocabulary: int, window: int, least: int) -> None:
    rng = random.Random(vocabulary * window)
    texts = [" ".join(f"w{rng.randrange(vocabulary)}" for _ in range(rng.randint(0, 50))) for _ in range(30)]
    for _ in range(12):  # runs of one text inside others, and inside itself
        one, other = rng.randrange(30), rng.randrange(30)
        tokens, part = texts[other].split(), texts[one].split()[: rng.randint(0, 30)]
        at = rng.randint(0, len(tokens))
        texts[other] = " ".join([*tokens[:at], *part, *tokens[at:]])
    texts = sorted(set(texts))  # of equal ones one is looked at
    assert_equal_to_brute_force(tmp_path, texts, window, least, MANY if window % 2 else ONE)


@pytest.mark.slow
@pytest.mark.shared_data
def test_planted_passages_are_found_in_real_texts_alike_for_any_cut(tmp_path: Path) -> None:
    forms = [comparison(text).split() for text in real_texts()[:240]]
    for k, tokens in enumerate(forms[:160]):  # one of four notices, within each text, at any place
        notice = forms[200 + k % 4][:80]
        tokens[k % 40 : k % 40] = notice[: 80 if k % 3 else 60]
    texts = sorted({" ".join(tokens) for tokens in forms})
    assert_equal_to_brute_force(tmp_path, texts, 50, 3, MANY)
    shares, passages = found(tmp_path / "whole", texts, 50, 3, ONE)
    assert (shares, passages) == found(tmp_path, texts, 50, 3, MANY)
    assert passages[0].count >= 40


def test_a_text_is_no_shorter_than_its_window_and_may_hold_nothing(tmp_path: Path) -> None:
    assert found(tmp_path, ["", "one two", "one two three"], 3, 2, ONE, units=2) == ({}, [])
    twice = " ".join(f"w{k}" for k in range(20))
    shares, passages = found(tmp_path, [f"{twice} and {twice}", "other words"], 20, 2, ONE, units=2)
    assert np.isclose(list(shares.values()), [40 / 41]).all()
    assert passages == [Repeated(xxhash.xxh64_hexdigest(twice.encode()), 2, 20)]
