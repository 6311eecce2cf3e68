"""Named video sources: clips cut out of long videos, events, conversations with options, what is one medium's."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.record import Asked
from sources.base import Item, Place
from sources.videos.cholec80 import Cholec80
from sources.videos.cholect50 import CholecT50
from sources.videos.echonet_dynamic import EchoNetDynamic
from sources.videos.shared import closed, event, exchanges, runs, windows, within
from tests.sources.listing import entries_of, items_of, pseudonym


def _events(item: Item) -> set[tuple[str, str]]:
    return {(f.about, f.value) for f in item.facts if f.name == "event"}


def test_a_long_video_is_cut_and_its_events_with_it(tmp_path: Path) -> None:
    Cholec80.miniature(tmp_path, np.random.default_rng(7))
    source = Cholec80.model_validate({"source": "cholec80", "clip_s": 1})
    first, second = [i for i in items_of(source, Place(tmp_path, tmp_path)) if i.upstream_id.startswith("video01#")]
    assert (first.clip, second.clip) == ((0.0, 1.0), (1.0, 2.0))
    assert first.files[0].fragment == "t=0.000,1.000"
    assert ("calot triangle dissection phase", "0.8-1") in _events(first)
    assert _events(second) == {
        ("calot triangle dissection phase", "0-0.64"), ("clipping cutting phase", "0.64-1"),
        ("grasper in view", "0-1"), ("bipolar in view", "0-1"), ("hook in view", "0-1"),
    }  # fmt: skip


def test_frames_are_cut_into_clips_of_so_many_seconds(tmp_path: Path) -> None:
    CholecT50.miniature(tmp_path, np.random.default_rng(7))
    source = CholecT50.model_validate({"source": "cholect50", "clip_s": 2})
    items = [i for i in items_of(source, Place(tmp_path, tmp_path)) if i.upstream_id.startswith("VID01")]
    shown = [[f.path[-10:] for f in i.files if f.role == "data"] for i in items]
    assert shown == [["000000.png", "000001.png"], ["000002.png", "000003.png"]]
    assert ("calot triangle dissection phase", "0-2") in _events(items[1])


def test_one_operation_has_one_pseudonym_in_both_sets(tmp_path: Path) -> None:
    groups = []
    for source in (Cholec80, CholecT50):
        root = tmp_path / source.card.name
        root.mkdir()
        source.miniature(root, np.random.default_rng(7))
        config, place = source.model_validate({"source": source.card.name}), Place(root, root)
        groups.append({i.group for i in config.items(place, entries_of(config, place), pseudonym) if i.form == "clip"})
    assert len(groups[0] & groups[1]) == 2  # operations 1 and 2; 3 and 4 are in one of them


def test_the_larger_traced_area_is_end_diastole(tmp_path: Path) -> None:
    EchoNetDynamic.miniature(tmp_path, np.random.default_rng(7))
    table = tmp_path / "VolumeTracings.csv"
    head, *lines = table.read_text().splitlines()
    table.write_text("\n".join([head, *reversed(lines)]) + "\n")  # the order of the two frames says nothing
    source = EchoNetDynamic.model_validate({"source": "echonet_dynamic"})
    item = next(i for i in items_of(source, Place(tmp_path, tmp_path)) if i.form == "clip")
    assert _events(item) == {("end-diastole", "0.2"), ("end-systole", "0.8")}


@given(st.lists(st.sampled_from(["", "a", "b"]), max_size=40))
def test_runs_tell_every_frame_once(values: list[str]) -> None:
    found = [name for name, first, last in runs(list(enumerate(values))) for _ in range(first, last + 1)]
    assert found == [value for value in values if value]


@given(st.floats(0.1, 9000), st.floats(1, 600))
def test_windows_cover_a_video_without_overlap(length: float, clip_s: float) -> None:
    parts = windows(length, clip_s)
    assert (parts[0][0], parts[-1][1]) == (0.0, length)
    assert all(before[1] == after[0] for before, after in itertools.pairwise(parts))
    assert all(0 < end - start < 1.2 * clip_s for start, end in parts)


def test_a_moment_falls_in_one_part_alone() -> None:
    moment = (event("end-systole", 1.0, 1.0, "column:Frame"),)
    told = [[f.value for f in within(moment, *part)] for part in ((0.0, 1.0), (1.0, 2.0))]
    assert told == [[], ["0"]]


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        ("Which?\nA. liver\nB. spleen", "B. spleen", Asked("Which?", "spleen", ("liver", "spleen"))),
        ("Which?\nA. liver\nB. spleen\nAnswer with the letter.", "A", Asked("Which?", "liver", ("liver", "spleen"))),
        ("Which?\nA. liver\nB. spleen", "A spleen is seen", None),
        ("Which?\nA. liver\nC. spleen", "A", None),
        ("What is shown?", "A liver", None),
    ],
)
def test_options_are_taken_where_the_answer_is_one_of_them(question: str, answer: str, expected: Asked | None) -> None:
    asked = Asked(question, answer)
    assert closed(asked) == (expected or asked)


def test_a_conversation_is_pairs_without_the_places_of_media() -> None:
    turns = [
        {"from": "human", "value": "<image>\nWhat moves?"}, {"from": "gpt", "value": "A disc."},
        {"from": "human", "value": "Where?<video>"}, {"from": "gpt", "value": "To the left."},
        {"from": "human", "value": "unanswered"}, "no turn",
    ]  # fmt: skip
    assert exchanges(turns) == (Asked("What moves?", "A disc."), Asked("Where?", "To the left."))
    assert exchanges(None) == ()
