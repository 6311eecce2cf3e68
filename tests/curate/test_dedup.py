"""Duplicates: what is one, which record stays, and that the answer depends on the records alone."""

from __future__ import annotations

import csv
import functools
import importlib.util
import io
import itertools
import random
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import datasketch
import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

from curate.dedup import (
    DedupConfig,
    NearDuplicates,
    bands,
    find_duplicates,
    media_sha256,
    phash,
    pixel_sha256,
)
from curate.dedup_media import same_media
from curate.sketch import Duplicate, Sketch
from curate.split import SplitConfig, assign_splits
from curate.text import jaccard, minhash, text_sha256
from manifests.errors import RecipeError, RecordError
from tests.curate.near_oracle import near_in_memory, staged

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
EXACT = DedupConfig(near_duplicates=NearDuplicates(text=None))


def media(key: str, pixels: str = "", said: str = "", content: str = "", kind: str = "image", rank: int = 0) -> Sketch:
    return Sketch(
        key=key, source="s", kind=kind, licence_rank=rank, content_sha256=content, pixel_sha256=pixels, text_sha256=said
    )


def written(key: str, text: str, priority: int = 0, rank: int = 0, content: str = "") -> Sketch:
    return Sketch(
        key=key,
        source="s",
        kind="text",
        priority=priority,
        licence_rank=rank,
        content_sha256=content,
        text_sha256=text_sha256(text),
    )


@functools.cache
def icd_texts() -> tuple[str, ...]:
    """Real sentences: the chapters and categories of ICD-10-CM with their notes, three hundred of some length."""
    spec = importlib.util.find_spec("simple_icd_10_cm")
    assert spec is not None
    assert spec.origin is not None
    (path,) = (Path(spec.origin).parent / "data").glob("*.xml")
    texts = []
    with path.open("rb") as file:
        for _, element in ElementTree.iterparse(file):
            if element.tag == "diag":
                text = re.sub(r"\s+", " ", " ".join(element.itertext())).strip()
                if 500 < len(text) < 3000:
                    texts.append(text)
                if len(texts) == 300:
                    break
    return tuple(texts)


def abstracts() -> list[str]:
    table = SHARED / "text-medical-abstracts" / "medical_tc_test.first700.csv"
    if not table.exists():
        pytest.skip("the shared data (../shared/data/text-medical-abstracts) are not beside the checkout")
    with table.open(encoding="utf-8", newline="") as file:
        return [row["medical_abstract"] for row in csv.DictReader(file)]


def edited(text: str, share: float, rng: random.Random) -> str:
    """The text with one run of its words replaced: shingles outside the run and its edges stay."""
    words = text.split()
    number = max(1, round(len(words) * share))
    start = rng.randrange(len(words) - number)
    words[start : start + number] = [f"other{rng.getrandbits(40)}" for _ in range(number)]  # shared with no other text
    return " ".join(words)


# ----------------------------------------------------------------------------------------------------------- digests
def test_equal_pixels_have_one_digest_however_encoded_or_laid_out() -> None:
    pixels = np.random.default_rng(0).integers(0, 4096, (4, 5, 6)).astype(np.int16)
    same: list[NDArray[Any]] = [pixels.astype(">i2"), np.asfortranarray(pixels), np.flip(np.flip(pixels, 1).copy(), 1)]
    assert {pixel_sha256(p) for p in same} == {pixel_sha256(pixels)}
    other: list[NDArray[Any]] = [
        pixels.astype(np.int32),
        pixels.reshape(5, 4, 6),
        pixels.view(np.uint16),
        pixels + np.int16(1),
        pixels[:0],
    ]
    assert len({pixel_sha256(p) for p in [pixels, *other]}) == 6


def test_a_png_and_a_tiff_of_one_image_have_equal_pixels() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    decoded = []
    for name in ("PNG", "TIFF", "BMP"):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, name)
        decoded.append(np.asarray(Image.open(file)))
    assert {pixel_sha256(d) for d in decoded} == {pixel_sha256(pixels)}


def test_what_is_not_pixels_is_refused_with_its_reason() -> None:
    with pytest.raises(RecordError, match="not_pixels"):
        pixel_sha256(np.array([object()]))
    bad_images: list[NDArray[Any]] = [
        np.zeros((4, 4), np.int16),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4), np.uint8),
    ]
    for bad in bad_images:
        with pytest.raises(RecordError, match="not_an_image"):
            phash(bad)


def test_the_digest_of_several_media_counts_their_order() -> None:
    assert media_sha256([]) == ""
    assert media_sha256(["aa"]) == "aa"
    assert len({media_sha256(["aa", "bb"]), media_sha256(["bb", "aa"]), media_sha256(["aabb"])}) == 3


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(8, 70), st.integers(8, 70), st.booleans())
def test_phash_is_imagehashs(seed: int, height: int, width: int, colour: bool) -> None:
    shape = (height, width, 3) if colour else (height, width)
    pixels = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    oracle = imagehash.phash(Image.fromarray(pixels))
    value = phash(pixels)
    assert 0 <= value < 2**64
    assert imagehash.hex_to_hash(f"{value:016x}") == oracle


@pytest.mark.shared_data
def test_a_thumbnail_is_perceptually_near_its_image_and_another_lesion_is_not() -> None:
    folder = SHARED / "dermoscopy-isic"
    if not folder.exists():
        pytest.skip("the shared data (../shared/data/dermoscopy-isic) are not beside the checkout")
    names = ("ISIC_0000000.jpg", "ISIC_0000000_thumbnail_256.jpg", "ISIC_0000001.jpg")
    image, thumbnail, other = (phash(np.asarray(Image.open(folder / n).convert("RGB"))) for n in names)
    assert (image ^ thumbnail).bit_count() <= 4 < 12 <= (image ^ other).bit_count()


# --------------------------------------------------------------------------------------------------- equal media
def test_one_image_with_ten_questions_is_ten_records() -> None:
    assert find_duplicates([media(f"k{i}", "p", f"question {i}", "c") for i in range(10)], EXACT) == {}


def test_ten_questions_on_one_image_are_linked_for_the_split() -> None:
    items = [media(f"k{i}", "p", f"question {i}") for i in range(10)] + [media("z", "q", "other"), written("t", "a b")]
    assert same_media(items) == [(f"k{i}", "k0") for i in range(1, 10)]
    splits = assign_splits(dict.fromkeys((s.key for s in items), ""), same_media(items), SplitConfig(test=0.5), 0)
    assert len({splits[f"k{i}"] for i in range(10)}) == 1
    chain = [media("a", "", "t", "c1"), media("b", "p", "u", "c1"), media("c", "p", "v", "c2")]
    assert same_media(chain) == same_media(chain[::-1]) == [("b", "a"), ("c", "a")]


def test_equal_media_with_equal_text_is_a_duplicate_and_the_method_says_how_it_is_known() -> None:
    found = find_duplicates([media("a", "p", "t", "c1"), media("b", "p", "t", "c2"), media("d", "p", "t", "c1")], EXACT)
    assert found == {"b": Duplicate("a", "a", "pixels", 1.0, 1.0), "d": Duplicate("a", "a", "bytes", 1.0, 1.0)}


def test_a_silent_copy_goes_to_the_best_speaking_record_and_joins_no_two_texts() -> None:
    silent = media("a", "p", rank=4)
    speaking = [media("b", "p", "t1", rank=1), media("c", "p", "t2", rank=2)]
    found = find_duplicates([silent, *speaking], EXACT)
    assert found == {"a": Duplicate("c", "c", "pixels", 1.0, 1.0)}


def test_silent_copies_of_one_image_are_duplicates_of_each_other() -> None:
    found = find_duplicates([media("b", "p"), media("a", "p"), media("c", "p", rank=3)], EXACT)
    assert {key: d.of for key, d in found.items()} == {"a": "c", "b": "c"}


def test_equality_through_a_third_record_is_evidenced_by_that_record() -> None:
    chain = [media("a", "", "t", "c1"), media("b", "p", "other", "c1"), media("z", "p", "t", "c2")]
    assert find_duplicates(chain, EXACT) == {"z": Duplicate("a", "b", "pixels", 1.0, 1.0)}


def test_unknown_digests_and_other_kinds_equal_nothing() -> None:
    assert find_duplicates([media("a"), media("b"), media("c", "p"), media("d", "p", kind="volume")], EXACT) == {}
    assert find_duplicates([media("a", said="t"), media("b", said="t")], EXACT) == {}  # a caption alone is no image


def test_nothing_is_looked_for_where_nothing_is_asked_for() -> None:
    off = DedupConfig(exact=False, near_duplicates=NearDuplicates(text=None))
    assert find_duplicates([media("a", "p"), media("b", "p"), written("c", "same"), written("d", "same")], off) == {}


# ---------------------------------------------------------------------------------------------------------- texts
def test_equal_texts_in_one_source_file_or_two_are_duplicates() -> None:
    items = [
        written("a", "A b c.", content="x"),
        written("b", "a B C", content="x"),
        written("c", "a b c", content="y"),
    ]
    found = find_duplicates([*items, written("d", "a b d", content="x")], EXACT)
    assert {k: (d.of, d.method) for k, d in found.items()} == {"b": ("a", "bytes"), "c": ("a", "text")}


def test_texts_without_words_are_equal_in_their_bytes_only() -> None:
    items = [written("a", "??", content="x"), written("b", "!!", content="y"), written("c", "??", content="x")]
    assert find_duplicates(items, DedupConfig()) == {"c": Duplicate("a", "a", "bytes", 1.0, 1.0)}


def test_priority_goes_before_licence_and_licence_before_key() -> None:
    text = "the same sentence everywhere"
    items = [written("a", text), written("b", text, rank=3), written("c", text, priority=1), written("d", text, 1, 2)]
    for order in itertools.permutations(items):
        assert {d.of for d in find_duplicates(order, DedupConfig()).values()} == {"d"}
    assert {d.of for d in find_duplicates(items[:2], DedupConfig()).values()} == {"b"}


def test_a_chain_is_one_cluster_and_each_link_names_the_member_it_matched(tmp_path: Path) -> None:
    words = [f"w{i}" for i in range(200)]
    texts = {f"k{i}": " ".join(words[8 * i : 8 * i + 120]) for i in range(4)}
    assert jaccard(texts["k0"], texts["k1"]) > 0.85 > jaccard(texts["k0"], texts["k3"])
    config = DedupConfig(near_duplicates=NearDuplicates(text=0.85, false_negative_weight=0.95))
    found = staged(tmp_path, texts, config)
    assert {k: (d.of, d.matched) for k, d in found.items()} == {
        "k1": ("k0", "k0"),
        "k2": ("k0", "k1"),
        "k3": ("k0", "k2"),
    }
    for key, duplicate in found.items():
        assert duplicate.score == jaccard(texts[key], texts[duplicate.matched]) >= duplicate.threshold == 0.85


def test_an_exact_copy_of_a_near_duplicate_goes_to_the_keeper_of_the_cluster() -> None:
    items = [written("a", "one text"), written("b", "another text"), written("c", "Another text!")]
    near = {"b": Duplicate("a", "a", "minhash", 0.9, 0.8)}
    assert find_duplicates(items, DedupConfig(), near=near) == near | {"c": Duplicate("a", "b", "text", 1.0, 1.0)}


def test_without_the_exact_method_equal_texts_are_near_with_similarity_one(tmp_path: Path) -> None:
    found = staged(tmp_path, {"a": "one two three", "b": "One, two, three!"}, DedupConfig(exact=False))
    assert found == {"b": Duplicate("a", "a", "minhash", 1.0, 0.8)}


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(2, 25))
def test_the_answer_depends_on_no_order_and_every_record_has_one_fate(rng: random.Random, number: int) -> None:
    sketches, texts = [], {}
    for i in range(number):
        texts[f"t{i}"] = text = edited(rng.choice(icd_texts()[:4]), rng.choice([0.01, 0.05, 0.1]), rng)
        sketches.append(written(f"t{i}", text, rng.randrange(2), rng.randrange(3), rng.choice("xyz")))
        sketches.append(media(f"m{i}", rng.choice(["", "p", "q"]), rng.choice(["", "t", "u"]), rng.choice("cd")))
    near = near_in_memory([s for s in sketches if s.kind == "text"], texts, DedupConfig(), confirm=False)
    found = find_duplicates(sketches, DedupConfig(), near=near)
    by_key = {s.key: s for s in sketches}
    for key, duplicate in found.items():
        keeper = by_key[duplicate.of]
        assert duplicate.of not in found  # what stays, stays
        assert duplicate.matched != key
        assert duplicate.score >= duplicate.threshold
        if keeper.kind == "text" or by_key[key].text_sha256:
            ranks = [(-s.priority, -s.licence_rank, s.key) for s in (keeper, by_key[key])]
            assert ranks == sorted(ranks)
        if keeper.kind != "text":
            assert by_key[key].text_sha256 in ("", keeper.text_sha256)
    rng.shuffle(sketches)
    assert near_in_memory([s for s in sketches if s.kind == "text"], texts, DedupConfig(), confirm=False) == near
    again = find_duplicates(sketches, DedupConfig(), near=near)
    assert again == found
    assert list(again) == sorted(again)


# ------------------------------------------------------------------------------------------------------- near texts
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("num_perm", [64, 128])
def test_bands_and_rows_are_datasketchs(threshold: float, num_perm: int) -> None:
    lsh = datasketch.MinHashLSH(threshold=threshold, num_perm=num_perm)
    assert bands(threshold, num_perm) == (lsh.b, lsh.r)


def test_a_threshold_that_datasketch_refuses_still_finds_equal_texts(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="number of bands"):
        datasketch.MinHashLSH(threshold=1.0, num_perm=128)
    config = DedupConfig(exact=False, near_duplicates=NearDuplicates(text=1.0))
    assert set(staged(tmp_path, {"a": "x y", "b": "x y", "c": "x z"}, config)) == {"b"}


def test_the_clusters_are_those_of_datasketchs_own_index(tmp_path: Path) -> None:
    rng = random.Random(5)
    made = [edited(t, share, rng) for t in icd_texts()[:60] for share in (0.005, 0.015, 0.03)]
    texts = {f"k{i:03d}": t for i, t in enumerate(made)}
    lsh = datasketch.MinHashLSH(threshold=0.8, num_perm=128)
    hashes = {k: datasketch.MinHash(hashvalues=minhash(t), scheme="affine32") for k, t in texts.items()}
    for key, value in hashes.items():
        lsh.insert(key, value)
    near = {k: [o for o in lsh.query(v) if v.jaccard(hashes[o]) >= 0.8] for k, v in hashes.items()}
    expected = {}
    for key in sorted(near):  # the smallest key that can be reached
        seen, waiting = {key}, [key]
        while waiting:
            new = set(near[waiting.pop()]) - seen
            seen |= new
            waiting += new
        expected[key] = min(seen)
    found = staged(tmp_path, texts, DedupConfig(exact=False), confirm=False)
    assert {k: found[k].of if k in found else k for k in near} == expected
    assert 30 < len(found) < 120


def planted(work: Path, texts: list[str], share: float, weight: float, exact: bool) -> tuple[int, float, float, int]:
    """Near duplicates planted and found: pairs found, pairs that theory expects with its standard deviation, strangers.

    The expectation is over the pairs whose exact Jaccard similarity j reaches the threshold: 1 - (1 - j**rows)**bands.
    """
    rng = random.Random(0)
    pairs = {f"a{i:03d}": t for i, t in enumerate(texts)} | {
        f"b{i:03d}": edited(t, share, rng) for i, t in enumerate(texts)
    }
    near = NearDuplicates(text=0.8, false_negative_weight=weight)
    config = DedupConfig(near_duplicates=near)
    found = staged(work, pairs, config, confirm=exact)
    true = {f"b{i:03d}": jaccard(t, pairs[f"b{i:03d}"]) for i, t in enumerate(texts)}
    count, rows = bands(0.8, 128, weight)
    chances = [1 - (1 - j**rows) ** count for j in true.values() if j >= 0.8]
    hits = sum(true[k] >= 0.8 and found[k].matched == f"a{k[1:]}" for k in found if k in true)
    strangers = sum(jaccard(pairs[k], pairs[d.matched]) < 0.8 for k, d in found.items())
    return hits, sum(chances), sum(p * (1 - p) for p in chances) ** 0.5, strangers


@pytest.mark.parametrize(("share", "weight"), [(0.01, 0.5), (0.02, 0.5), (0.02, 0.9)])
@pytest.mark.slow
def test_planted_near_duplicates_of_real_text_are_found_as_often_as_theory_says(
    share: float, weight: float, tmp_path: Path
) -> None:
    hits, expected, deviation, strangers = planted(tmp_path, list(icd_texts()[:150]), share, weight, exact=True)
    assert expected > 100
    assert abs(hits - expected) < 4 * deviation
    assert strangers == 0


def test_signatures_alone_find_the_same_but_for_their_error(tmp_path: Path) -> None:
    hits, expected, deviation, strangers = planted(tmp_path, list(icd_texts()[:150]), 0.02, 0.5, exact=False)
    assert abs(hits - expected) < 4 * deviation
    assert strangers < 10


@pytest.mark.shared_data
@pytest.mark.slow
def test_weighing_misses_more_finds_more_of_what_is_near_the_threshold(tmp_path: Path) -> None:
    texts = abstracts()[:100]
    plain, eager = (planted(tmp_path, texts, 0.05, weight, exact=True) for weight in (0.5, 0.9))
    for hits, expected, deviation, strangers in (plain, eager):
        assert abs(hits - expected) < 4 * deviation
        assert strangers == 0
    assert eager[0] > 1.2 * plain[0]


@pytest.mark.shared_data
@pytest.mark.slow
def test_real_abstracts_have_no_invented_near_duplicates(tmp_path: Path) -> None:
    texts = {f"k{i:03d}": t for i, t in enumerate(abstracts())}
    found = staged(tmp_path, texts, DedupConfig(), confirm=False)
    assert all(jaccard(texts[k], texts[d.matched]) > 0.7 for k, d in found.items())


# --------------------------------------------------------------------------------------------------------- refusals
def test_sketches_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(RecipeError, match="one key"):
        find_duplicates([media("a"), media("a")], EXACT)


def test_a_recipe_says_near_duplicates_text() -> None:
    config = DedupConfig.model_validate({"near_duplicates": {"text": 0.7}})
    assert (config.exact, config.near_duplicates.text) == (True, 0.7)
    with pytest.raises(ValidationError, match="did you mean 'text'"):
        DedupConfig.model_validate({"near_duplicates": {"texts": 0.7}})
    with pytest.raises(ValidationError):
        NearDuplicates(text=1.5)
