"""A table that cuts several clips out of one file: times as people write them, and one record for each row."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.errors import RecordError
from sources.base import Entry, Item, Place
from sources.times import seconds
from sources.video_table import VideoTable


def items_of(folder: Path, rows: str) -> list[Item]:
    (folder / "clips.csv").write_text(f"file,from,to,what\n{rows}")
    (folder / "a.mp4").write_bytes(b"a")
    inventory = [
        Entry(name, 1, hashlib.sha256((folder / name).read_bytes()).hexdigest(), {}) for name in ("a.mp4", "clips.csv")
    ]
    keys = {"source": "video_table", "root": ".", "licence": "CC-BY-4.0", "table": "clips.csv", "video": "file"}
    source = VideoTable.model_validate({**keys, "text": "what", "start": "from", "end": "to"})
    return list(source.items(Place(folder, folder), inventory, lambda kind, value: value))


def test_rows_of_one_file_are_clips_of_their_own(tmp_path: Path) -> None:
    rows = "a.mp4,12,18.5,polyp\na.mp4,00:01:02.250,01:03,clean\na.mp4,,,all\na.mp4,12,18.5,again\na.mp4,,4,early\n"
    items = [item for item in items_of(tmp_path, rows) if item.form == "clip"]
    assert sorted((item.upstream_id, item.clip or (), item.text) for item in items) == [
        ("a.mp4", (), "all"),
        ("a.mp4#t=0.000,4.000", (0.0, 4.0), "early"),
        ("a.mp4#t=12.000,18.500", (12.0, 18.5), "polyp\n\nagain"),
        ("a.mp4#t=62.250,63.000", (62.25, 63.0), "clean"),
    ]
    assert {item.upstream_id.partition("#")[2] for item in items} == {item.files[0].fragment for item in items}
    assert {item.files[0].sha256 for item in items} == {hashlib.sha256(b"a").hexdigest()}


@pytest.mark.parametrize("times", ["5,", "5,5", "7,3", "x,9", "1:75,200", "1:00:61,9", "-1,4"])
def test_a_row_with_a_wrong_range_fails_alone_and_its_file_is_named(times: str, tmp_path: Path) -> None:
    items = items_of(tmp_path, f"a.mp4,{times},bad\na.mp4,1,2,good\n")
    assert next((item.status, item.reason) for item in items if item.form == "none") == ("failed", "clip_range")
    assert [item.clip for item in items if item.form == "clip"] == [(1.0, 2.0)]
    assert not [item for item in items if item.upstream_id == "a.mp4"]


def test_what_is_told_of_a_wrong_range_names_the_place_and_quotes_no_cell(tmp_path: Path) -> None:
    items = items_of(
        tmp_path, "a.mp4,Weiss Eva 1950,5,x\na.mp4,1,MRN-88123456,x\na.mp4,7.125,3.375,x\na.mp4,7.125,,x\n"
    )
    told = [item.found for item in items if item.reason == "clip_range"]
    assert told == [
        "line 2 of 'clips.csv': 14 characters that are no time in column 'from'",
        "line 3 of 'clips.csv': 12 characters that are no time in column 'to'",
        "line 4 of 'clips.csv': an end that does not come after its start",
        "line 5 of 'clips.csv': a start without an end",
    ]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59_999))
def test_the_ways_to_write_a_time_agree(hours: int, minutes: int, milliseconds: int) -> None:
    whole, part = divmod(milliseconds, 1000)
    total = hours * 3600 + minutes * 60 + milliseconds / 1000
    assert seconds(f"{hours}:{minutes:02}:{whole:02}.{part:03}") == pytest.approx(total, abs=1e-6)
    assert seconds(f"{hours * 60 + minutes}:{whole:02}.{part:03}") == pytest.approx(total, abs=1e-6)
    assert seconds(f"{total:.3f}") == pytest.approx(total, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=12))
def test_any_text_is_a_time_or_a_clip_range_error(text: str) -> None:
    try:
        good = seconds(text) >= 0
    except RecordError as error:
        good = error.reason == "clip_range"
    assert good
