"""Media whose pixels agree: who goes, who stays, and that neither order nor strangers decide it."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from curate.dedup import DedupConfig, find_duplicates
from curate.dedup_media import SAME_SHARE
from curate.sketch import Alike, Duplicate, Sketch


def shown(
    key: str,
    kind: str = "volume",
    said: str = "",
    priority: int = 0,
    pixels: str = "",
    marks: str = "",
    source: str = "",
    group: str = "",
) -> Sketch:
    """A record of a source of its own, if none is named."""
    return Sketch(
        key=key, source=source or f"source of {key}", group=group or key, kind=kind, priority=priority,
        content_sha256=f"bytes of {key}", pixel_sha256=pixels or f"pixels of {key}", text_sha256=said, marks=marks,
    )  # fmt: skip


def alike(one: str, other: str, shares: tuple[float, float] = (1.0, 1.0), score: float = 0.9) -> Alike:
    return Alike(one, other, score, 0.7, shares)


def going(sketches: list[Sketch], pairs: list[Alike]) -> dict[str, str]:
    return {key: d.of for key, d in find_duplicates(sketches, DedupConfig(), alike=pairs).items()}


def test_of_two_that_hold_each_other_the_better_ranked_stays_with_the_comparison_as_evidence() -> None:
    found = find_duplicates([shown("a"), shown("b", priority=1)], DedupConfig(), alike=[alike("a", "b")])
    assert found == {"a": Duplicate("b", "b", "looks", 0.9, 0.7)}


def test_a_crop_goes_to_the_scan_that_holds_it_whichever_ranks_better() -> None:
    crop, scan = shown("a", priority=9), shown("b")
    assert going([crop, scan], [alike("a", "b", (1.0, 0.3))]) == {"a": "b"}


def test_a_panel_of_a_figure_and_a_clip_of_a_video_stay() -> None:
    for kind in ("image", "video"):
        assert going([shown("a", kind), shown("b", kind)], [alike("a", "b", (1.0, 0.3))]) == {}


def test_neighbours_are_not_joined_in_chains() -> None:
    chain = [shown(name, "image") for name in "abcd"]
    pairs = [alike("a", "b"), alike("b", "c"), alike("c", "d")]
    assert going(chain, pairs) == {"b": "a", "d": "c"}


def test_what_says_something_else_stays_and_the_silent_go_to_one_that_speaks() -> None:
    silent, one, other = shown("a"), shown("b", said="t"), shown("c", said="u")
    assert going([silent, one, other], [alike("a", "b"), alike("a", "c")]) == {"a": "b"}
    marked, unmarked = shown("z", marks="liver"), shown("a")
    assert going([marked, unmarked], [alike("a", "z")]) == {"a": "z"}
    spleen = shown("s", marks="spleen")
    assert going([marked, spleen], [alike("s", "z")]) == {}


def test_a_silent_scan_does_not_go_to_a_crop_of_it_that_speaks() -> None:
    assert going([shown("scan"), shown("crop", said="t")], [alike("crop", "scan", (1.0, 0.3))]) == {}


def test_copies_of_a_record_that_goes_follow_it() -> None:
    copies = [shown("b", pixels="p"), shown("c", pixels="p")]
    assert going([shown("a"), *copies], [alike("a", "b")]) == {"b": "a", "c": "a"}


def test_what_a_source_keeps_apart_of_one_patient_stays_and_a_copy_goes_to_the_one_it_resembles_most() -> None:
    phases = [shown(name, source="study", group="patient") for name in "abc"]
    assert going(phases, [alike("a", "b", score=0.999), alike("b", "c", score=0.999)]) == {}
    copy = shown("z")
    pairs = [alike("a", "z", score=0.95), alike("b", "z", score=0.99), alike("c", "z", score=0.94)]
    assert going([*phases, copy], pairs) == {"z": "b"}
    best = shown("0", priority=1)
    pairs = [alike("a", "0", score=0.95), alike("b", "0", score=0.99), alike("c", "0", score=0.94)]
    assert going([*phases, best], pairs) == {"b": "0"}


def test_volumes_of_one_source_without_patients_are_merged_only_beyond_doubt() -> None:
    two = [shown(name, source="study") for name in "ab"]
    assert going(two, [alike("a", "b", score=0.95)]) == {}
    assert going(two, [alike("a", "b", score=0.99)]) == {"b": "a"}
    pictures = [shown(name, "image", source="study") for name in "ab"]
    assert going(pictures, [alike("a", "b", score=0.75)]) == {"b": "a"}


SHARES = st.sampled_from([(1.0, 1.0), (1.0, 0.3), (0.3, 1.0), (0.5, 0.5), (0.7, 0.9)])
PAIRS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), SHARES, st.sampled_from([0.8, 0.9])), max_size=14)
RECORDS = st.lists(
    st.tuples(st.sampled_from(["", "t", "u"]), st.integers(0, 1), st.sampled_from(["", "p", "q"])),
    min_size=8,
    max_size=8,
)


def built(records: list[tuple[str, int, str]], pairs: list[tuple[int, int, tuple[float, float], float]]):  # type: ignore[no-untyped-def]
    sketches = [shown(f"k{i}", "volume", said, priority, pixels) for i, (said, priority, pixels) in enumerate(records)]
    return sketches, [alike(f"k{i}", f"k{j}", shares, score) for i, j, shares, score in pairs if i != j]


@given(RECORDS, PAIRS, st.integers(0, 99))
def test_the_outcome_is_the_same_in_any_order_and_every_keeper_stays(
    records: list[tuple[str, int, str]], pairs: list[tuple[int, int, tuple[float, float], float]], seed: int
) -> None:
    sketches, compared = built(records, pairs)
    found = find_duplicates(sketches, DedupConfig(), alike=compared)
    random.Random(seed).shuffle(sketches)
    random.Random(seed).shuffle(compared)
    assert find_duplicates(sketches, DedupConfig(), alike=compared) == found
    said = {s.key: s.said for s in sketches}
    for key, duplicate in found.items():
        assert duplicate.of not in found
        assert duplicate.matched != key
        assert said[key] in ("", said[duplicate.of])


@given(RECORDS, PAIRS)
def test_a_stranger_changes_nothing(
    records: list[tuple[str, int, str]], pairs: list[tuple[int, int, tuple[float, float], float]]
) -> None:
    sketches, compared = built(records, pairs)
    before = find_duplicates(sketches, DedupConfig(), alike=compared)
    stranger = shown("k3x", priority=5, said="t")
    assert find_duplicates([*sketches, stranger], DedupConfig(), alike=compared) == before


def test_shares_below_the_threshold_make_no_duplicate() -> None:
    less = SAME_SHARE - 0.01
    assert going([shown("a"), shown("b")], [alike("a", "b", (less, less))]) == {}
