"""The manifest: counts that add up, Merkle roots after RFC 6962, licences in SPDX, records that round-trip."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from manifests.card import check_licence, licence_rank
from manifests.manifest import Counts, merkle_root
from manifests.record import (
    Fact,
    FileRef,
    Media,
    Record,
    Step,
    canonical_json,
    record_from_json,
    record_key,
    to_json,
)
from manifests.sample import sample_key

LEAVES = st.lists(st.binary(min_size=32, max_size=32).map(bytes.hex), max_size=40)


def by_the_rfc(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word: split at the largest power of two below n."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + by_the_rfc(leaves[:k]) + by_the_rfc(leaves[k:])).digest()


@given(LEAVES)
def test_the_merkle_root_is_that_of_rfc_6962(leaves: list[str]) -> None:
    assert merkle_root(leaves) == by_the_rfc([bytes.fromhex(leaf) for leaf in leaves]).hex()


@given(LEAVES, st.data())
@pytest.mark.slow
def test_any_change_of_a_leaf_changes_the_root(leaves: list[str], data: st.DataObject) -> None:
    if leaves:
        place = data.draw(st.integers(0, len(leaves) - 1))
        changed = [*leaves[:place], hashlib.sha256(leaves[place].encode()).hexdigest(), *leaves[place + 1 :]]
        assert merkle_root(changed) != merkle_root(leaves)
        assert merkle_root(leaves[:place] + leaves[place + 1 :]) != merkle_root(leaves)


def test_counts_that_do_not_add_up_are_refused() -> None:
    assert Counts(read=5, kept=2, dropped={"blank": 1}, duplicate=1, failed={"bad": 1}).read == 5
    with pytest.raises(ValidationError, match="read 6 is not"):
        Counts(read=6, kept=2, dropped={"blank": 1}, duplicate=1, failed={"bad": 1})


@pytest.mark.parametrize(
    ("licence", "rank"),
    [
        ("CC0-1.0", 4),
        ("MIT", 3),
        ("CC-BY-4.0", 3),
        ("CC-BY-SA-4.0", 2),
        ("CC-BY-NC-4.0", 1),
        ("LicenseRef-terms", 1),
        ("unknown", 0),
    ],
)
def test_freer_licences_rank_higher(licence: str, rank: int) -> None:
    assert licence_rank(check_licence(licence)) == rank


@pytest.mark.parametrize("licence", ["cc by 4", "free", "MIT AND", ""])
def test_what_is_no_spdx_expression_is_refused_with_examples(licence: str) -> None:
    with pytest.raises(ValueError, match="SPDX"):
        check_licence(licence)


TEXT = st.text(max_size=20).filter(lambda t: t.encode("utf-8", "ignore").decode() == t)


@given(TEXT, TEXT, st.floats(allow_nan=False, allow_infinity=False))
@pytest.mark.slow
def test_records_survive_their_json(words: str, more: str, number: float) -> None:
    media = Media("png", "image", (4, 5), "uint8", "0" * 64, 9, spacing_mm=(number, 1.0), window=(1.0, 2.0))
    record = Record(
        key="0" * 32,
        source=words,
        uri=more,
        upstream_id=words,
        sha256="1" * 64,
        kind="image",
        group=words,
        licence="MIT",
        access="open",
        files=(FileRef(words, "2" * 64, 3),),
        media=(media,),
        facts=(Fact("label", more, "here"),),
        steps=(Step("read", canonical_json({"a": number})),),
    )
    assert record_from_json(to_json(record)) == record


def test_keys_are_stable_distinct_and_fit_webdataset() -> None:
    one = record_key("a", "b", "c")
    assert one == record_key("a", "b", "c")
    assert len({one, record_key("a", "bc", ""), record_key("ab", "", "c"), record_key("a", "b", "d")}) == 4
    keys = [sample_key(one, part, repeat) for part in range(3) for repeat in range(3)]
    assert keys[0] == one
    assert len(set(keys)) == len(keys)
    assert all("." not in key and len(key) <= 64 for key in keys)
