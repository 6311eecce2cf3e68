"""Figures: pages of TIFFs, samples of tars, runs of parquet files, and rows gathered by their medium."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.errors import RecipeError, RecordError
from manifests.record import FileRef
from sources import containers, mini, tars
from sources.base import Item, Place
from sources.figures import shared
from sources.figures.llava_med import LlavaMed
from sources.figures.obelics import Obelics
from sources.figures.roco import Roco
from sources.figures.tiff_pages import page, page_offsets
from sources.upstream import Line
from tests.sources.listing import entries_of, items_of, pseudonym


def _tiff(pages: list[np.ndarray], compression: str) -> bytes:
    first, *more = [PIL.Image.fromarray(p) for p in pages]
    buffer = io.BytesIO()
    first.save(buffer, "TIFF", save_all=True, append_images=more, compression=compression)
    return buffer.getvalue()


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg"])
def test_a_page_of_a_tiff_shows_what_pillow_shows_of_that_page(compression: str) -> None:
    rng = np.random.default_rng(3)
    data = _tiff([mini.pixels(rng, 40 + 8 * k, 56, colour=True) for k in range(3)], compression)
    whole = PIL.Image.open(io.BytesIO(data))
    for number, at in enumerate(page_offsets(data)):
        whole.seek(number)
        alone = PIL.Image.open(io.BytesIO(page(data, at)))
        assert getattr(alone, "n_frames", 1) == 1
        assert alone.mode == whole.mode
        assert np.array_equal(np.asarray(alone), np.asarray(whole))
    assert number == 2


SMALL = _tiff([np.arange(600, dtype=np.uint8).reshape(20, 30) for _ in range(2)], "raw")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), max_size=6), st.integers(0, len(SMALL)))
def test_a_damaged_tiff_fails_by_name_or_gives_pages_of_bounded_size(changes: list[tuple[int, int]], end: int) -> None:
    data = bytearray(SMALL)
    for at, value in changes:
        data[at] = value
    damaged = bytes(data[:end] if end % 3 == 0 else data)
    sizes = [0]
    with contextlib.suppress(RecordError):  # and nothing else escapes
        sizes += [len(page(damaged, at)) for at in page_offsets(damaged)]
    assert max(sizes) <= 3 * len(damaged) + 64


def _tar(path: Path, members: list[tuple[str, bytes]]) -> None:
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def _samples(path: Path) -> list[tars.Sample]:
    blocks = tars.tar_peek(path)["blocks"].split(";")
    place = Place(path.parent, path.parent)
    found: list[tars.Sample] = []
    for entry_block in blocks:
        first, size, count = (int(n) for n in entry_block.split(","))
        item = Item("", "rows", (FileRef(path.name, "", 0),), block=(first, size, count))
        found += tars.samples(item, place)
    return found


def test_runs_of_a_tar_hold_every_sample_once_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{'long/' * 30}{k:04d}" for k in range(9)]  # beyond 100 characters: GNU's extra headers
    members = [(f"{n}.{suffix}", f"{n}{suffix}".encode()) for n in names for suffix in ("jpg", "json", "txt")]
    _tar(tmp_path / "a.tar", members)
    whole = _samples(tmp_path / "a.tar")
    monkeypatch.setattr(tars, "MAX_BLOCK_MEMBERS", 4)
    assert len(tars.tar_peek(tmp_path / "a.tar")["blocks"].split(";")) == 5
    assert _samples(tmp_path / "a.tar") == whole
    assert [(f"{s.key}.{suffix}", data) for s in whole for suffix, data in s.members.items()] == members


def test_a_link_in_a_tar_is_not_followed_and_a_cut_tar_fails_by_name(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        link = tarfile.TarInfo("k.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    (sample,) = _samples(tmp_path / "a.tar")
    assert sample.problem
    assert not sample.members
    (tmp_path / "b.tar").write_bytes(b"no tar at all" * 100)
    with pytest.raises(RecordError, match="bad_archive"):
        tars.tar_peek(tmp_path / "b.tar")


def test_a_large_row_group_is_read_in_parts_that_hold_every_row_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"id": str(k), "image": {"bytes": bytes([k]) * 400, "path": None}} for k in range(70)]
    mini.parquet(tmp_path / "a.parquet", rows, rows_per_group=40)
    monkeypatch.setattr(containers, "BLOCK_BYTES", 2500)
    blocks = [
        tuple(map(int, b.split(","))) for b in containers.parquet_peek(tmp_path / "a.parquet")["blocks"].split(";")
    ]
    assert len(blocks) > 4
    place = Place(tmp_path, tmp_path)
    read: list[Line] = []
    for first, size, count in blocks:
        item = Item("", "rows", (FileRef("a.parquet", "", 0),), block=(first, size, count))
        read += containers.parquet_rows(item, place)
    assert [(row.number, row["id"]) for row in read] == [(k + 1, str(k)) for k in range(70)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 6), max_size=40))
def test_rows_of_one_medium_come_together_and_none_is_lost(media: list[int]) -> None:
    def rows() -> Iterator[Line]:
        return (Line("t.csv", n, {"image": str(m)}) for n, m in enumerate(media, start=1))

    gathered = list(shared.by_medium(rows, shared.named_by("image")))
    assert [name for name, _ in gathered] == sorted({str(m) for m in media}, key=lambda m: media[::-1].index(int(m)))[
        ::-1
    ]
    assert all(row["image"] == name for name, several in gathered for row in several)
    assert sorted(row.number for _, several in gathered for row in several) == list(range(1, len(media) + 1))


def test_placeholders_of_pictures_are_taken_out_of_texts() -> None:
    assert shared.words("<image>\nWhat is this?") == "What is this?"
    assert shared.words("What \ufffc is\n<video> this?<IMAGE>") == "What is this?"
    assert shared.words("p < 0.05 > 0.01") == "p < 0.05 > 0.01"
    with pytest.raises(RecordError, match="bad_conversation"):
        shared.exchanges([{"from": "human", "value": "<image>"}, {"from": "gpt", "value": "A cyst."}])


def test_only_figures_under_licences_that_are_named_are_taken(tmp_path: Path) -> None:
    Roco.miniature(tmp_path, np.random.default_rng(1))
    source = Roco.model_validate({"source": "roco", "licences": ["CC0"]})
    items = items_of(source, Place(tmp_path, tmp_path))
    assert [i.upstream_id for i in items if i.form == "picture"] == ["ROCO_00019"]
    assert sum(i.reason == "other_licence" for i in items) == 4


def test_documents_without_any_picture_at_hand_are_text_where_that_is_asked_for(tmp_path: Path) -> None:
    Obelics.miniature(tmp_path, np.random.default_rng(1))
    url = "https://example.org/1/1.jpg"
    name = hashlib.md5(url.encode(), usedforsecurity=False).hexdigest()
    mini.picture(tmp_path / f"media/{name}.png", mini.pixels(np.random.default_rng(2)))
    source = Obelics.model_validate({"source": "obelics", "without_pictures": True})
    items = [i for i in items_of(source, Place(tmp_path, tmp_path)) if i.form != "none"]
    assert [(i.form, i.text.count("\ufffc")) for i in items] == [
        ("picture", 2),
        ("picture", 2),
        ("picture", 1),
        ("text", 0),
    ]
    assert all(i.text.count("\ufffc") == sum(f.role == "data" for f in i.files) for i in items)
    assert [f.value for f in items[3].facts if f.name == "quality"] == ["1 of 1 are missing"]


def test_a_variant_that_is_not_there_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    LlavaMed.miniature(tmp_path, np.random.default_rng(1))
    source = LlavaMed.model_validate({"source": "llava_med", "table": "llava_med_instruct_10k.json"})
    with pytest.raises(RecipeError, match="llava_med_instruct_60k"):
        source.check(Place(tmp_path, tmp_path))


def test_a_container_that_is_broken_fails_alone(tmp_path: Path) -> None:
    from sources.figures.rocov2 import Rocov2

    Rocov2.miniature(tmp_path, np.random.default_rng(1))
    (tmp_path / "data/train-00001-of-00002.parquet").write_bytes(b"PAR1 and nothing more")
    source, place = Rocov2.model_validate({"source": "rocov2"}), Place(tmp_path, tmp_path)
    ends = {i.files[0].path: i.reason for i in source.items(place, entries_of(source, place), pseudonym) if i.reason}
    assert ends["data/train-00001-of-00002.parquet"] == "bad_table"
    assert sum(i.form == "picture" for i in items_of(source, place)) == 5
