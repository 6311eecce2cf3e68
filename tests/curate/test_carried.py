"""Media that a container's rows carry: read as files are, with the row's lineage, swept by their own headers, and gone
when their record is made."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

import sources
from curate import readers
from curate.audit import verify
from curate.carried import carried_files, given_files
from curate.deidentify import DeidentifyConfig
from curate.keyring import Keyring
from curate.loaded import Reading
from curate.sweep import begin, derive, hits_in_text
from manifests.errors import RecordError
from manifests.manifest import read_manifest
from manifests.record import Fact, FileRef
from sources import mini
from sources.base import Item, Place
from tests.corpus import run_recipe
from tests.curate.trunk import Trunk, row, write

KEEP = DeidentifyConfig.model_validate({"faces": {"keep": "invented"}, "burned_in": {"keep": "invented"}})
NAME = "Zweifelhofer"
TURNED = 6  # EXIF: the picture is to be turned clockwise by a quarter


def _png(seed: int, height: int = 96, width: int = 128) -> bytes:
    return mini.encoded(mini.pixels(np.random.default_rng(seed), height, width, colour=True))


def _jpeg(seed: int, artist: str = "") -> bytes:
    exif = Image.Exif()
    exif[274] = TURNED
    if artist:
        exif[315] = artist
    stream = io.BytesIO()
    Image.open(io.BytesIO(_png(seed))).save(stream, "JPEG", exif=exif, quality=95)
    return stream.getvalue()


def _clip(folder: Path) -> bytes:
    mini.clip(folder / "c.mp4", np.random.default_rng(5), seconds=1.0)
    return (folder / "c.mp4").read_bytes()


def _nifti(folder: Path) -> bytes:
    mini.volume(folder / "v.nii", mini.voxels(np.random.default_rng(6))[0])
    return gzip.compress((folder / "v.nii").read_bytes(), mtime=0)


def _item(form: Any, *media: tuple[str, bytes]) -> Item:
    refs = tuple(FileRef("t.parquet", hashlib.sha256(d).hexdigest(), len(d), fragment=f"row=1.{n}") for n, d in media)
    return Item("t.parquet#1", form, refs, carried=tuple(d for _, d in media))


def _reading(folder: Path) -> Reading:
    scratch = folder / "scratch"
    scratch.mkdir()
    return Reading(Place(folder, folder), KEEP, Keyring(b"k" * 32, public=True), scratch)


@pytest.mark.parametrize("form", ["picture", "volume", pytest.param("clip", marks=pytest.mark.slow)])
def test_a_carried_medium_is_read_as_its_file_is_and_nothing_stays(tmp_path: Path, form: Any) -> None:
    made: dict[str, Callable[[], tuple[str, bytes]]] = {
        "picture": lambda: ("jpg", _jpeg(1)),
        "volume": lambda: ("nii.gz", _nifti(tmp_path)),
        "clip": lambda: ("mp4", _clip(tmp_path)),
    }
    name, data = made[form]()
    (tmp_path / f"one.{name}").write_bytes(data)
    reading = _reading(tmp_path)
    facts = (Fact("body_part", "ABDOMEN", "t"),)
    carried = readers.load(dataclasses.replace(_item(form, (name, data)), facts=facts), reading)
    assert not list(reading.scratch.glob("carried-*"))
    whole = Item("one", form, (FileRef(f"one.{name}", hashlib.sha256(data).hexdigest(), len(data)),), facts=facts)
    assert [m for m, _ in readers.load(whole, reading).members] == [m for m, _ in carried.members]
    if form == "picture":
        assert carried.members[0][0].shape == (128, 96, 3), "upright, as EXIF says"


def test_several_carried_pictures_keep_their_order_and_their_endings(tmp_path: Path) -> None:
    reading = _reading(tmp_path)
    item = _item("picture", ("0.PNG", _png(2)), ("1.jpg", _jpeg(3)))
    assert [p.name for p in given_files(item, reading)] == ["carried-0.png", "carried-1.jpg"]
    assert [m.shape for m, _ in readers.load(item, reading).members] == [(96, 128, 3), (128, 96, 3)]


@pytest.mark.slow
def test_carried_frames_are_a_clip_at_the_stated_rate(tmp_path: Path) -> None:
    frames = [(f"{n}.png", _png(n, 64, 64)) for n in range(4)]
    item = dataclasses.replace(_item("clip", *frames), facts=(Fact("fps", "2", "t"),))
    ((media, _),) = readers.load(item, _reading(tmp_path)).members
    assert media.times_s == pytest.approx((0.0, 0.5, 1.0, 1.5))


@pytest.mark.parametrize("change", [{"carried": ()}, {"carried": (b"other",)}, {"carried": (b"a", b"b")}])
def test_other_bytes_than_the_row_names_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    item = dataclasses.replace(_item("picture", ("png", _png(2))), **change)
    with pytest.raises(RecordError) as error:
        carried_files(item, tmp_path)
    assert error.value.reason == "carried_media"


def test_what_a_carried_header_says_of_a_person_is_looked_for(tmp_path: Path) -> None:
    item = _item("picture", ("jpg", _jpeg(4, f"{NAME} Annegret")))
    for needles in (begin(item, Place(tmp_path, tmp_path)).needles, derive(item, Place(tmp_path, tmp_path))):
        assert list(hits_in_text(f"Seen by {NAME}, Annegret.", needles, "text"))


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run over one table of carried media; a second row's text names whom its picture's EXIF names."""
    monkeypatch.setitem(sources.BY_NAME, "trunk", Trunk)
    assert sys.modules["tests.curate.trunk"]
    rows = [
        row("picture", [("png", _png(11))], "p1", "A plaque with a scaly surface on the forearm.", modality="XC"),
        row("picture", [("jpg", _jpeg(12))], "p2", "Two papules beside the nail of the thumb.", modality="XC"),
        row("picture", [("jpg", _jpeg(13, f"{NAME} Annegret"))], "p3", f"Drawn by {NAME}, Annegret, who asks."),
        row("clip", [("mp4", _clip(tmp_path))], "p4", "The instrument leaves the field of view.", modality="ES"),
        row("picture", [("png", b"no picture")], "p5"),
    ]
    write(tmp_path / "data/table.jsonl", rows)
    recipe = {
        "sources": [{"source": "trunk", "root": str(tmp_path / "data"), "licence": "MIT"}],
        "deidentify": KEEP.model_dump(mode="json", exclude={"options"}),
        "limits": {"failed": 1.0},
    }
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe))
    run_recipe(tmp_path / "r.yaml", tmp_path / "out")
    return tmp_path / "out"


@pytest.mark.slow
def test_carried_media_run_to_verified_samples_with_the_rows_as_their_lineage(out: Path) -> None:
    rows = [r for part in read_manifest(out).ledger for r in pq.read_table(out / part.path).to_pylist()]
    ended = {r["upstream_id"]: r["status"] + r["reason"] for r in rows}
    told = {1: "kept", 2: "kept", 3: "failedidentifier_in_output", 4: "kept", 5: "failedcorrupt_image"}
    assert ended == {f"table.jsonl#{number}": how for number, how in told.items()}
    for found in (r for r in rows if r["status"] == "kept"):
        assert found["source_uri"].startswith("trunk/table.jsonl#row=")
        assert sorted({f["path"] for f in found["lineage"]}) == ["table.jsonl"]
    assert [f.check for f in verify(out).findings] == ["identifier_in_output"], "which is what the third row is about"


@pytest.mark.slow
def test_of_a_table_one_row_s_media_are_in_memory(tmp_path: Path) -> None:
    """The rows are an iterator, and reading one of them keeps nothing of it."""
    reading = _reading(tmp_path)
    write(tmp_path / "t.jsonl", [row("picture", [("png", _png(20 + n, 256, 256))], f"p{n}") for n in range(6)])
    container = Item("t.jsonl", "rows", (FileRef("t.jsonl", "0" * 64, 1),))
    source = Trunk(root=str(tmp_path), licence="MIT")

    def peak(most: int) -> int:
        tracemalloc.start()
        for _, item in zip(range(most), source.rows(container, reading.place, lambda kind, value: value), strict=False):
            readers.load(item, reading)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(1)  # imports
    assert peak(6) < 1.3 * peak(1)
