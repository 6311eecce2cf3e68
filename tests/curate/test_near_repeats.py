"""Passages that stand twice: exactly those that brute force finds, verified, and the same from partitions."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.near.pairs import read_partition, write_partitions
from curate.near.repeats import (
    Paragraph,
    Repeats,
    anchors,
    find_paragraphs,
    find_repeats,
    passage,
    repeated_places,
    spans,
    windows,
)
from curate.near.tokens import token_hashes
from curate.text import comparison
from manifests.errors import RecordError
from tests.curate.test_near import real_texts


def covered(texts: list[str], window: int) -> set[tuple[int, int]]:
    """Every token in a window that stands earlier too, in another text or clear of its first place."""
    seen: dict[tuple[str, ...], tuple[int, int]] = {}
    found: set[tuple[int, int]] = set()
    for text, form in enumerate(texts):
        tokens = form.split()
        for start in range(len(tokens) - window + 1):
            source, at = seen.setdefault(tuple(tokens[start : start + window]), (text, start))
            if source != text or start - at >= window:
                found.update((text, k) for k in range(start, start + window))
    return found


def rows(found: Repeats) -> list[tuple[int, ...]]:
    columns = (found.text, found.start, found.end, found.of_text, found.of_start)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([2, 5, 1000]), st.sampled_from([2, 3, 7, 10]))
def test_exactly_the_repeated_runs_are_reported_and_each_equals_its_source(
    rng: random.Random, words: int, window: int
) -> None:
    vocabulary = [f"w{k}" for k in range(words)]
    texts = [" ".join(rng.choices(vocabulary, k=rng.randint(0, 50))) for _ in range(10)]
    for _ in range(3):
        one, other = rng.randrange(10), rng.randrange(10)
        tokens, part = texts[other].split(), texts[one].split()[: rng.randint(0, 30)]
        at = rng.randint(0, len(tokens))
        texts[other] = " ".join([*tokens[:at], *part, *tokens[at:]])
    found = rows(find_repeats(texts, window))
    for text, start, end, source, at in found:
        assert end - start >= window
        assert (source, at) < (text, start)
        assert passage(texts[text], start, end) == passage(texts[source], at, at + end - start)
    assert {(text, k) for text, start, end, _, _ in found for k in range(start, end)} == covered(texts, window)


@pytest.mark.shared_data
def test_planted_passages_are_found_in_real_texts_and_from_partitions_alike(tmp_path: Path) -> None:
    forms = [comparison(text) for text in real_texts()[:300]]
    passages = [f.split()[20:80] for f in forms[:40]]
    planted = [" ".join([*f.split()[:30], *p, *f.split()[30:]]) for f, p in zip(forms[100:140], passages, strict=True)]
    texts = [*forms, *planted]
    found = find_repeats(texts)
    sources = {(text, source) for text, _, _, source, _ in rows(found)}
    assert {(300 + k, k) for k in range(40) if len(passages[k]) >= 50} <= sources
    share = found.share(np.array([len(f.split()) for f in texts]))
    hidden = covered(texts, 50)
    for text in (0, 300, 339):
        size = len(texts[text].split())
        assert share[text] == sum((text, k) in hidden for k in range(size)) / size

    tokens, offsets = token_hashes(texts)
    (tmp_path / "a").mkdir()
    (tmp_path / "w").mkdir()
    for chunk, first in enumerate(range(0, len(texts), 100)):
        part = token_hashes(texts[first : first + 100])
        write_partitions(*anchors(*part, first), tmp_path / "a", chunk, 3)
    places = np.sort(np.concatenate([repeated_places(*read_partition(tmp_path / "a", p)) for p in range(3)]))
    for chunk, first in enumerate(range(0, len(texts), 100)):
        part = token_hashes(texts[first : first + 100])
        write_partitions(*windows(*part, places, first), tmp_path / "w", chunk, 2)
    parts = [
        spans(*read_partition(tmp_path / "w", p), lambda text: tokens[offsets[text] : offsets[text + 1]])
        for p in range(2)
    ]
    both = {(t, k) for part in parts for t, start, end, _, _ in rows(part) for k in range(start, end)}
    assert both == {(t, k) for t, start, end, _, _ in rows(found) for k in range(start, end)} == hidden


def test_paragraphs_that_stand_twice_are_told_with_their_first_place() -> None:
    notice = "All rights reserved by the publisher of this journal and its authors."
    texts = [f"One finding.\n\n{notice}\nOne finding.", f"{notice.upper()}\n\n\nOther words here.", notice]
    assert find_paragraphs(texts) == [Paragraph(1, 0, 0, 1), Paragraph(2, 0, 0, 1)]
    assert find_paragraphs(texts[:1], tokens=2) == [Paragraph(0, 2, 0, 0)]


def test_a_window_of_one_token_is_refused() -> None:
    with pytest.raises(RecordError, match="bad_shingle_size"):
        find_repeats(["a b c"], 1)
