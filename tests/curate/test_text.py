"""Text: two forms, quality rules, and signatures that are datasketch's own."""

from __future__ import annotations

import csv
import functools
import hashlib
import json
import re
import unicodedata
from pathlib import Path

import datasketch
import numpy as np
import pytest
import xxhash
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curate.near.signatures import is_empty
from curate.text import (
    comparison,
    jaccard,
    minhash,
    normalise,
    quality,
    shingles,
    text_sha256,
)
from manifests.errors import RecordError, Reject

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
# what breaks normalisers: controls, joiners, selectors, marks, raised digits, foldings that change length, CJK, Thai
ODD = st.text(
    st.sampled_from(
        "-.,:/ \n\t\r\v%12aαΣßİǰ\u0301\u0327\u2212\u2013\u200d\ufe0f²½µ㎎高คำ\x85\x00\x1f_+\xad\ufeff\ud800"
    )
)
TEXTS = st.text() | ODD | st.text(st.characters(exclude_categories=[]))


@functools.cache
def abstracts() -> tuple[str, ...]:
    table = SHARED / "text-medical-abstracts" / "medical_tc_test.first700.csv"
    if not table.exists():
        pytest.skip("the shared data (../shared/data/text-medical-abstracts) are not beside the checkout")
    with table.open(encoding="utf-8", newline="") as file:
        return tuple(row["medical_abstract"] for row in csv.DictReader(file))


@functools.cache
def chinese() -> tuple[str, ...]:
    lines = SHARED / "text-chinese-huatuo" / "llama_data.first1500.json"
    if not lines.exists():
        pytest.skip("the shared data (../shared/data/text-chinese-huatuo) are not beside the checkout")
    with lines.open(encoding="utf-8") as file:
        return tuple(json.loads(line)["output"] for line in file if line.strip())


# ------------------------------------------------------------------------------------------------------------ forms
@given(TEXTS)
@example("e\u200d\u0301")
@example("a\x00\u0301")
@settings(max_examples=200, deadline=None)
@pytest.mark.slow
def test_both_forms_are_fixed_points_and_agree(text: str) -> None:
    stored, compared = normalise(text), comparison(text)
    assert normalise(stored) == stored
    assert comparison(compared) == compared
    assert comparison(stored) == compared
    assert text_sha256(stored) == text_sha256(text)


@settings(deadline=None)
@given(TEXTS)
def test_the_stored_form_is_clean_and_encodes(text: str) -> None:
    stored = normalise(text)
    stored.encode()
    assert not re.search(r"[^\S\n]{2}|\n{3}|^[^\S\n]|[^\S\n]$", stored, re.MULTILINE)
    categories = {unicodedata.category(c) for c in stored if c not in "\n\u200c\u200d"}
    assert not categories & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


@settings(deadline=None)
@given(TEXTS)
def test_the_comparison_form_is_single_spaced_tokens(text: str) -> None:
    form = comparison(text)
    assert form == " ".join(form.split())
    assert shingles(form) == shingles(text)


def test_line_structure_is_kept_in_the_stored_form_only() -> None:
    text = "FINDINGS:\r\n  No  focal\tconsolidation. \u2028\u2028\x85\n\nIMPRESSION:\rNormal.\n"
    assert normalise(text) == "FINDINGS:\nNo focal consolidation.\n\nIMPRESSION:\nNormal."
    assert comparison(text) == "findings no focal consolidation impression normal"


def test_compatibility_characters_fold_but_raised_digits_keep_their_value() -> None:
    assert normalise("ﬁbrosis ５\u00a0㎎ ℃ \ufeffx\u00ad\x00y") == "fibrosis 5 mg °C xy"
    assert normalise("10⁹/L, 1½ tablets, CO₂, m²") == "10⁹/L, 1½ tablets, CO₂, m²"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HER2+", "HER2-"),
        ("HER2-", "HER2"),
        ("ER+/PR-", "ER-/PR+"),
        ("p < 0.05", "p > 0.05"),
        ("1.5 mg", "15 mg"),
        ("1.5 mg", "1-5 mg"),
        ("120/80", "12080"),
        ("T-score of -2.5", "T-score of 2.5"),
        ("50%", "50"),
    ],
)
def test_signs_that_carry_a_meaning_keep_texts_apart(one: str, other: str) -> None:
    assert text_sha256(one) != text_sha256(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is (are) Crohn's Disease ?", "what is are Crohn’s disease?"),
        ("COVID-19, well-known.", "Covid 19 well known"),
        ("- first\n- second", "First — second"),
        ("３‐５ ㎎", "3-5 mg"),
        ("\u22122.5", "-2.5"),
        ("高血压，怎么治疗？", "高血压怎么治疗"),
        ("STRASSE", "straße"),
        ("cafe\u0301", "café"),
    ],
)
def test_case_layout_and_punctuation_do_not_count(one: str, other: str) -> None:
    assert text_sha256(one) == text_sha256(other) != ""


# ---------------------------------------------------------------------------------------------------------- quality
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "too_short"),
        ("Chest X-ray.   \n\n   ", "too_short"),
        ("高血压病", "too_short"),
        ("\x00\x01\x02PNG" * 20, "not_text"),
        ("the patient \ufffd\ufffd was given 5 mg of warfarin", "not_text"),
        ("12 34 56 78 | 90 12 34 | 56 78 90 | 1.5 2.5 3.5", "not_text"),
        ("iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4" * 3, "not_text"),
    ],
)
def test_junk_is_rejected_with_its_reason_and_without_its_content(text: str, reason: str) -> None:
    with pytest.raises(Reject) as caught:
        quality(text)
    assert caught.value.reason == reason
    assert not re.search(r"\d{3}|iVBOR|warfarin|Chest", caught.value.found.replace(f"{len(text)}", ""))


def test_short_texts_pass_where_the_recipe_allows_them() -> None:
    quality("Chest X-ray.", min_chars=10)
    quality("高血压怎么治疗")
    with pytest.raises(Reject):
        quality("Chest X-ray.", min_chars=12)  # eleven characters and a space


@pytest.mark.shared_data
@pytest.mark.slow
def test_every_real_abstract_and_chinese_answer_passes() -> None:
    for text in (*abstracts(), *(t for t in chinese() if len(t) > 20)):
        quality(text)


# ----------------------------------------------------------------------------------------------------- the signatures
def test_shingles_are_runs_of_words_and_of_han_characters() -> None:
    assert shingles("No acute, cardio-pulmonary FINDINGS.", words=3) == [
        b"no acute cardio",
        b"acute cardio pulmonary",
        b"cardio pulmonary findings",
    ]
    assert shingles("高血压", words=2) == ["高 血".encode(), "血 压".encode()]
    assert shingles("No finding") == [b"no finding"]
    assert shingles(" ?! ") == []
    with pytest.raises(RecordError):
        shingles("text", words=0)


@settings(max_examples=40, deadline=None)
@given(TEXTS, st.sampled_from([16, 128]), st.sampled_from([1, 7, 2**32 - 1]))
def test_a_signature_is_datasketchs_value_for_value(text: str, num_perm: int, seed: int) -> None:
    oracle = datasketch.MinHash(num_perm=num_perm, seed=seed, scheme="affine32", hashfunc=xxhash.xxh32_intdigest)
    for shingle in shingles(text):
        oracle.update(shingle)
    signature = minhash(text, num_perm, seed)
    assert signature.dtype == np.uint32
    np.testing.assert_array_equal(signature, oracle.hashvalues)


def test_a_long_text_is_signed_in_batches_with_the_same_result() -> None:
    text = " ".join(f"word{i}" for i in range(4096 + 4196))
    oracle = datasketch.MinHash(num_perm=32, scheme="affine32", hashfunc=xxhash.xxh32_intdigest)
    oracle.update_batch(shingles(text))
    np.testing.assert_array_equal(minhash(text, 32), oracle.hashvalues)


def test_a_text_without_words_has_no_digest_and_the_empty_signature() -> None:
    for text in ("", " \n", "?!", "\u200b\x00"):
        assert text_sha256(text) == ""
        assert is_empty(minhash(text)[None]).all()
        assert jaccard(text, text) == 0.0
    assert not is_empty(minhash("one")[None]).any()


@pytest.mark.shared_data
def test_the_share_of_equal_values_estimates_jaccard_within_its_error() -> None:
    errors = []
    for text in abstracts()[:150]:
        words = text.split()
        changed = " ".join([*words[: len(words) * 9 // 10], "otherwise", "unremarkable"])
        errors.append(float((minhash(text) == minhash(changed)).mean()) - jaccard(text, changed))
    assert abs(float(np.mean(errors))) < 4 * 0.5 / (128 * len(errors)) ** 0.5  # unbiased
    assert float(np.std(errors)) < 0.5 / 128**0.5


def test_the_forms_are_pinned() -> None:
    """Digests and signatures stand in prepared units: a change here is a change of format, and deliberate."""
    text = "Crohn’s disease (IBD): 1.5 mg/dL, HER2-, 10⁹/L; 高血压"
    form = "crohn s disease ibd 1.5 mg dl her2 − 109 l 高 血 压"
    assert comparison(text) == form
    assert text_sha256(text) == hashlib.sha256(form.encode()).hexdigest()
    assert minhash(text, 4).tolist() == [631162081, 140646195, 549500288, 15363350]
