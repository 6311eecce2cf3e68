"""Forms, tokens, shingles and signatures of many texts at once: equal to Python's, xxhash's and datasketch's."""

from __future__ import annotations

import csv
import functools
import itertools
import json
import random
from pathlib import Path
from typing import Any

import datasketch
import numpy as np
import pytest
import xxhash
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curate.near.folding import fold, forms
from curate.near.signatures import (
    is_empty,
    permutations,
    shingle_hash,
    shingle_sets,
    sign,
    sign_forms,
    to_datasketch,
)
from curate.near.tokens import Bytes, Offsets, ngram_hashes, packed, token_hashes
from curate.text import comparison, shingles
from manifests.errors import RecordError

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
ODD = "-.,:/ \n\t\r\v%12aαΣßİǰ\u0301\u0327\u2212\u2013\u200d\ufe0f²½µ㎎高คำ\x85\x00\x1f_+\xad\ufeff\ud800한"
ODD += "\u1161\u11a8ﷺ😀"
TEXTS = st.text(st.sampled_from(ODD)) | st.text(st.sampled_from("-.1a% \x00")) | st.text() | st.text(st.characters())


def unpacked(data: Bytes, bounds: Offsets) -> list[str]:
    return [data[a:b].tobytes().decode() for a, b in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)]


@functools.cache
def real_texts() -> tuple[str, ...]:
    """English abstracts and Chinese answers."""
    table = SHARED / "text-medical-abstracts" / "medical_tc_test.first700.csv"
    lines = SHARED / "text-chinese-huatuo" / "llama_data.first1500.json"
    if not table.exists() or not lines.exists():
        pytest.skip("the shared data (../shared/data/text-*) are not beside the checkout")
    with table.open(encoding="utf-8", newline="") as file:
        english = [row["medical_abstract"] for row in csv.DictReader(file)]
    with lines.open(encoding="utf-8") as file:
        return (*english, *(json.loads(line)["output"] for line in file if line.strip()))


# ------------------------------------------------------------------------------------------------------------- forms
@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS, max_size=8))
@example(["a-", "-1", "1-2", "1.-2", "a.-b", "--1", "1--", "", "½-½", "x%-%", "1\x00.\x002", "ﷺ", "é-e\u0301"])
def test_the_compiled_form_is_comparisons_own(texts: list[str]) -> None:
    assert unpacked(*forms(texts)) == [comparison(text) for text in texts]


@pytest.mark.shared_data
@pytest.mark.slow
def test_real_texts_have_the_same_forms_and_none_needs_python() -> None:
    texts = real_texts()
    assert unpacked(*forms(texts)) == [comparison(text) for text in texts]
    assert len(fold(*packed(texts))[2]) == 0


@pytest.mark.slow
def test_all_kinds_of_characters_have_the_same_form_beside_letters_digits_points_and_hyphens() -> None:
    codes = [*range(0x3200), *range(0xA000, 0xAD00, 3), *range(0xD700, 0xE100), *range(0xF900, 0x10100)]
    codes += [*range(0x10A00, 0x11200, 3), *range(0x1D100, 0x1D800), *range(0x1F000, 0x1F400), *range(0xE0000, 0xE0200)]
    texts = [f"a{chr(c)}1-{chr(c)}-2.{chr(c)}.3{chr(c)}\u0301 {chr(c)}" for c in codes]
    plain = [text.replace("\u0301", "") for text in texts]
    for some in (texts, plain):
        for start in range(0, len(some), 4096):
            part = some[start : start + 4096]
            assert unpacked(*forms(part)) == [comparison(text) for text in part]


def test_growing_texts_find_room() -> None:
    texts = ["%" * 30_000, "-1" * 30_000, "㎎½" * 20_000, "plain"]
    assert unpacked(*forms(texts)) == [comparison(text) for text in texts]


# ------------------------------------------------------------------------------------------------------------ tokens
@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS, max_size=5), st.integers(1, 14), st.integers(0, 2**64 - 1))
def test_token_and_run_hashes_are_xxhashs(texts: list[str], n: int, seed: int) -> None:
    made = [comparison(text) for text in texts]
    hashes, offsets = token_hashes(made, seed)
    tokens = [form.split() for form in made]
    expected = [[xxhash.xxh64_intdigest(token.encode(), seed) for token in text] for text in tokens]
    assert [hashes[a:b].tolist() for a, b in itertools.pairwise(offsets)] == expected
    runs, made_at = ngram_hashes(hashes, offsets, n, seed)
    for k, text in enumerate(expected):
        whole = np.array(text, "<u8")
        count = max(1, len(text) - n + 1) if text else 0
        oracle = [xxhash.xxh64_intdigest(whole[i : i + n].tobytes(), seed) for i in range(count)]
        assert runs[made_at[k] : made_at[k + 1]].tolist() == oracle


@given(st.binary(max_size=70), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_the_hashes_are_those_of_the_specification_at_any_length(data: bytes, seed: int) -> None:
    from curate.near.hashing import xxh32, xxh64

    inside = np.frombuffer(b"x" + data + b"yz", np.uint8)
    assert xxh32(inside, 1, 1 + len(data), np.uint32(seed)) == xxhash.xxh32_intdigest(data, seed)
    assert xxh64(inside, 1, 1 + len(data), np.uint64(seed)) == xxhash.xxh64_intdigest(data, seed)


# -------------------------------------------------------------------------------------------------------- signatures
def oracle(parts: list[bytes], num_perm: int, seed: int) -> datasketch.MinHash:
    made = datasketch.MinHash(num_perm=num_perm, seed=seed, scheme="affine32", hashfunc=shingle_hash)
    made.update_batch(parts)
    return made


@settings(max_examples=30, deadline=None)
@given(st.lists(TEXTS, max_size=4), st.sampled_from([1, 16, 128]), st.sampled_from([1, 2**32 - 1]), st.integers(1, 7))
def test_signatures_are_datasketchs_value_for_value(texts: list[str], num_perm: int, seed: int, size: int) -> None:
    words, chars = sign(texts, num_perm, seed, size), sign(texts, num_perm, seed, size, "char")
    assert words.shape == chars.shape == (len(texts), num_perm)
    for k, text in enumerate(texts):
        np.testing.assert_array_equal(words[k], oracle(shingles(text, size), num_perm, seed).hashvalues)
        form = comparison(text)
        runs = [form[i : i + size].encode() for i in range(max(1, len(form) - size + 1))] if form else []
        np.testing.assert_array_equal(chars[k], oracle(runs, num_perm, seed).hashvalues)
        assert is_empty(words[k]) == (form == "")


def test_a_signature_goes_on_in_datasketch() -> None:
    text, more = "no acute cardiopulmonary findings in this radiograph of the chest", b"one more shingle"
    ours, theirs = to_datasketch(sign([text])[0]), oracle(shingles(text), 128, 1)
    for sketch in (ours, theirs):
        sketch.update(more)
    np.testing.assert_array_equal(ours.hashvalues, theirs.hashvalues)
    assert ours.jaccard(theirs) == 1.0
    index: Any = datasketch.MinHashLSH(threshold=0.8, num_perm=128)
    index.insert("a", theirs)
    assert index.query(ours) == ["a"]


@pytest.mark.shared_data
def test_real_texts_one_by_one_or_together_have_datasketchs_signatures() -> None:
    texts = real_texts()
    made = sign(texts)
    for k in random.Random(0).sample(range(len(texts)), 60):
        np.testing.assert_array_equal(made[k], oracle(shingles(texts[k]), 128, 1).hashvalues)
        np.testing.assert_array_equal(made[k], sign([texts[k]])[0])
    data, bounds = forms(texts)
    sets, at = shingle_sets(data, bounds)
    for k in (0, 3, 699, 701, len(texts) - 1):
        expected = sorted({xxhash.xxh64_intdigest(s) for s in shingles(texts[k])})
        assert sets[at[k] : at[k + 1]].tolist() == expected
    np.testing.assert_array_equal(sign_forms(data, bounds), made)


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(RecordError, match="bad_shingle_size"):
        sign(["a"], size=0)
    for num_perm, seed in ((0, 1), (128, -1), (128, 2**32)):
        with pytest.raises(RecordError, match="bad_signature"):
            permutations(num_perm, seed)
    with pytest.raises(RecordError, match="bad_seed"):
        token_hashes(["a"], 2**64)
    with pytest.raises(RecordError, match="bad_shingle_size"):
        ngram_hashes(*token_hashes(["a"]), 0)
