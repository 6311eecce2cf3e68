"""Candidate pairs and clusters: brute force's, whatever the order, the partitions, the memory or the flood."""

from __future__ import annotations

import itertools
import random
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.near import pairs as module
from curate.near.pairs import (
    FULL,
    Ids,
    Pairs,
    Scheme,
    band_keys,
    clusters,
    confirm_sets,
    joined,
    pairs_of_partition,
    read_partition,
    write_partitions,
)
from curate.near.signatures import Signatures, sign
from curate.near.tokens import Hashes, Offsets
from curate.text import jaccard
from manifests.errors import RecipeError
from tests.curate.near_oracle import scored, sets
from tests.curate.test_near import real_texts

EXACT, ESTIMATED = Scheme(9, 13, 0.8, exact=True), Scheme(9, 13, 0.8)


def in_memory(signatures: Signatures, scheme: Scheme) -> Pairs:
    keys = band_keys(signatures, scheme.bands, scheme.rows)
    ids = np.repeat(np.arange(len(signatures)), scheme.bands)
    return joined(list(pairs_of_partition(keys.reshape(-1), ids, signatures.__getitem__, scheme)))


def edited(text: str, number: int, rng: random.Random) -> str:
    words = text.split() or ["x"]
    start = rng.randrange(len(words))
    words[start : start + number] = [f"other{rng.getrandbits(40)}" for _ in range(number)]
    return " ".join(words)


def linked(n: int, edges: list[tuple[int, int]]) -> list[int]:
    """The smallest number that can be reached from each."""
    label = list(range(n))
    changed = True
    while changed:
        changed = False
        for a, b in edges:
            low = min(label[a], label[b])
            changed |= label[a] != low or label[b] != low
            label[a] = label[b] = low
    return label


def confirmed(asked: Pairs, texts: list[str], threshold: float = 0.8) -> Pairs:
    return confirm_sets(asked, lambda ids: sets([texts[k] for k in ids]), threshold)


@pytest.mark.shared_data
@pytest.mark.slow
def test_clusters_are_brute_forces_for_any_order_and_any_partitions(tmp_path: Path) -> None:
    rng = random.Random(0)
    base = list(real_texts()[:2000])
    texts = base + [edited(t, rng.choice([1, 2, 4]), rng) for t in base[:700]] + base[:50]
    signatures = sign(texts)
    shared: set[tuple[int, int]] = set()
    for band in range(9):
        table = defaultdict(list)
        for k, row in enumerate(signatures[:, band * 13 : band * 13 + 13]):
            table[row.tobytes()].append(k)
        for members in table.values():
            assert len(members) <= FULL
            shared.update(itertools.combinations(members, 2))
    scores = {pair: jaccard(texts[pair[0]], texts[pair[1]]) for pair in shared}
    near = {pair: score for pair, score in scores.items() if score >= 0.8}
    expected = linked(len(texts), list(near))
    found = confirmed(in_memory(signatures, EXACT), texts)
    pairs = scored(found)
    assert pairs.items() <= near.items()  # of equal signatures one link each is enough
    assert clusters(len(texts), [found]).tolist() == expected
    assert 500 < len(pairs) < len(near) < 2000

    for number, partitions in enumerate((1, 2, 7)):
        ids = list(range(len(texts)))
        rng.shuffle(ids)
        folder = tmp_path / str(number)
        folder.mkdir()
        for chunk in range(3):
            some = np.array(ids[chunk::3])
            write_partitions(band_keys(signatures[some], 9, 13), some, folder, chunk, partitions)
        parts = [
            confirmed(one, texts)
            for part in range(partitions)
            for one in pairs_of_partition(*read_partition(folder, part), signatures.__getitem__, EXACT, 1 << 20)
        ]
        assert sum(map(len, parts)) == len(pairs)  # each pair in one partition
        assert clusters(len(texts), parts).tolist() == expected


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(2, 40), st.integers(1, 5))
def test_estimated_pairs_are_all_that_share_a_band_and_reach_the_threshold(
    rng: random.Random, number: int, kinds: int
) -> None:
    values = np.array([[rng.randrange(4) if rng.random() < 0.05 else k % kinds + 9 for _ in range(32)]
                       for k in range(number)], np.uint32)  # fmt: skip
    scheme = Scheme(4, 8, 0.75)
    found = in_memory(values, scheme)
    first: dict[bytes, int] = {}
    same = [first.setdefault(row.tobytes(), k) for k, row in enumerate(values)]
    expected = set()
    for a, b in itertools.combinations(range(number), 2):
        banded = any((values[a, k : k + 8] == values[b, k : k + 8]).all() for k in range(0, 32, 8))
        reach = (values[a] == values[b]).mean() >= 0.75
        plain = (same[a] == a and same[b] == b) or same[b] == a  # a copy is paired with the best of its like alone
        if banded and reach and plain:
            expected.add((a, b))
    pairs = set(zip(found.one.tolist(), found.other.tolist(), strict=True))
    assert expected <= pairs
    assert clusters(number, [found]).tolist() == linked(number, sorted(pairs | expected))
    assert all((values[a] == values[b]).mean() >= 0.75 for a, b in pairs)


def test_fifty_thousand_equal_texts_are_one_cluster_by_as_many_pairs() -> None:
    signatures = np.repeat(sign(["one sentence that a template wrote fifty thousand times over"]), 50_000, axis=0)
    started = time.process_time()
    found = in_memory(signatures, ESTIMATED)
    assert time.process_time() - started < 5
    assert len(found) == 49_999
    assert set(clusters(50_000, [found]).tolist()) == {0}


def test_a_flood_of_near_texts_is_judged_in_linear_time_and_joined() -> None:
    rng = np.random.default_rng(0)
    template = rng.integers(0, 2**32, 128, dtype=np.uint32)
    flood = np.repeat(template[None], 20_000, axis=0)
    for k in range(117, 128):  # values outside the bands: about 0.92 alike, nothing equal
        flood[:, k] = rng.integers(0, 2**32, len(flood), dtype=np.uint32)
    strangers = rng.integers(0, 2**32, (100, 128), dtype=np.uint32)
    strangers[:, :13] = template[:13]  # in the same bucket, near to nothing
    found = in_memory(np.concatenate([flood, strangers]), ESTIMATED)
    assert len(found) < 20_000 + 256 * 256
    labels = clusters(20_100, [found])
    assert set(labels[:20_000].tolist()) == {0}
    assert labels[20_000:].tolist() == list(range(20_000, 20_100))


def test_a_bucket_beyond_a_slice_is_joined_through_its_best_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE", 100)
    signatures = np.repeat(sign(["the same sentence again and again"]), 1_050, axis=0)
    found = in_memory(signatures, ESTIMATED)
    assert set(clusters(len(signatures), [found]).tolist()) == {0}


def test_bands_that_do_not_fit_are_refused() -> None:
    with pytest.raises(RecipeError):
        band_keys(np.zeros((1, 16), np.uint32), 3, 6)


def test_texts_are_asked_for_in_ascending_runs() -> None:
    texts = [f"w{k} " * 3 + "the rest of it is quite the same in all of them here" for k in range(30)]
    asked: list[Ids] = []

    def read(ids: Ids) -> tuple[Hashes, Offsets]:
        asked.append(ids)
        return sets([texts[k] for k in ids])

    one, other = np.array([5, 0, 3]), np.array([9, 1, 20])
    found = confirm_sets(Pairs(one, other, np.ones(3)), read, 0.1)
    assert found.one.tolist() == [0, 3, 5]
    assert found.score.tolist() == [jaccard(texts[a], texts[b]) for a, b in ((0, 1), (3, 20), (5, 9))]
    assert all((np.diff(ids) > 0).all() for ids in asked)
