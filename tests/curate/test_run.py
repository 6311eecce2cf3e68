"""A run is a function of recipe, bytes and code: resumable, incremental, and blind to order and workers."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from curate import inventory, store
from curate.code import code_version
from curate.publish import recorded
from curate.recipe import Recipe, fingerprint
from curate.units import FUNCTIONS
from manifests.manifest import read_manifest
from tests.corpus import make_corpus, run_recipe


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def finished(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished") / "out"
    run_recipe(corpus, out)
    return out


def digests(out: Path) -> dict[str, str]:
    manifest = read_manifest(out)
    return {s.path: s.sha256 for s in manifest.shards} | {p.path: p.sha256 for p in manifest.ledger}


def rows(out: Path) -> list[dict[str, Any]]:
    return [row for part in read_manifest(out).ledger for row in pq.read_table(out / part.path).to_pylist()]


def executed(work: Path) -> dict[str, int]:
    return {stage: len(list((work / "units" / stage).glob("*/*/done.json"))) for stage in FUNCTIONS}


def test_each_record_ends_once_and_the_flaws_are_named(finished: Path) -> None:
    found = {row["source_uri"]: (row["status"], row["reason"]) for row in rows(finished)}
    assert found["dicom_tree/a/CT_small.dcm"] == ("kept", "")
    assert found["dicom_tree/a/MR_truncated.dcm"] == ("failed", "truncated_pixels")
    assert found["dicom_tree/a/rtplan.dcm"] == ("dropped", "no_pixels")
    assert found["dicom_tree/a/README.txt"] == ("dropped", "not_a_record")
    assert found["jsonl_text/qa.jsonl#line=5"] == ("failed", "bad_json")
    statuses = [found[f"dicom_tree/a/{name}"][0] for name in ("MR_small.dcm", "MR_small_RLE.dcm")]
    assert sorted(statuses) == ["duplicate", "kept"]
    same_line = [found[f"jsonl_text/qa.jsonl#line={n}"][0] for n in (1, 4)]
    assert sorted(same_line) == ["duplicate", "kept"]


def test_a_duplicate_carries_its_evidence(finished: Path) -> None:
    by_key = {row["key"]: row for row in rows(finished)}
    for row in by_key.values():
        if row["status"] == "duplicate":
            assert by_key[row["duplicate_of"]]["status"] == "kept"
            assert {"method", "score", "threshold", "matched"} <= set(json.loads(row["evidence"]))


@pytest.mark.slow
def test_another_folder_another_listing_order_and_another_data_root_change_no_byte(
    corpus: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(corpus.parent, moved)
    walk = os.walk

    def backwards(top: Any, followlinks: bool = False) -> Iterator[Any]:
        for folder, names, files in walk(top, followlinks=followlinks):
            names.reverse()
            yield folder, names, sorted(files, reverse=True)

    monkeypatch.setattr(os, "walk", backwards)
    run_recipe(moved / corpus.name, tmp_path / "out")
    assert digests(tmp_path / "out") == digests(finished)
    assert read_manifest(tmp_path / "out").fingerprint == read_manifest(finished).fingerprint


@pytest.mark.slow
def test_nothing_changed_runs_nothing(corpus: Path, finished: Path) -> None:
    before = digests(finished)
    assert run_recipe(corpus, finished).executed == 0
    assert digests(finished) == before


@pytest.mark.parametrize(
    ("override", "stages"),
    [
        ("mixture={samples: 4}", {"pack"}),
        ("sources.0.weight=2", {"pack"}),
        ("shards.max_samples=2", {"pack"}),
        ("limits.failed=0.9", set()),
        ("tasks=[measure]", {"synthesize", "pack"}),
        ("render.image.max_side=64", {"present", "synthesize", "pack"}),
        ("select.split.val=0.5", {"select", "present", "synthesize", "pack"}),
    ],
)
def test_an_edit_recomputes_only_what_depends_on_it(
    corpus: Path, finished: Path, tmp_path: Path, override: str, stages: set[str]
) -> None:
    """A run into another output that shares the work folder runs units of exactly these stages."""
    work = tmp_path / "work"
    shutil.copytree(finished / ".work", work, copy_function=os.link)
    before = executed(work)
    result = run_recipe(corpus, tmp_path / "out", override, work=work)
    after = executed(work)
    assert {stage for stage in after if after[stage] > before[stage]} == stages
    assert result.executed == sum(after.values()) - sum(before.values())


@pytest.mark.slow
def test_a_new_file_reads_that_file_and_no_other(corpus: Path, finished: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(corpus.parent, moved)
    work = tmp_path / "work"
    shutil.copytree(finished / ".work", work, copy_function=os.link)
    (moved / "qa2").mkdir()
    shutil.copy(moved / "scans" / "a" / "CT_small.dcm", moved / "scans" / "a" / "copy.dcm")
    before = {row["key"]: row["status"] for row in rows(finished)}
    run_recipe(moved / corpus.name, tmp_path / "out", work=work)
    after = {row["key"]: row["status"] for row in rows(tmp_path / "out")}
    assert len(after) == len(before) + 1
    new = set(after) - set(before)
    changed = {key for key in before if before[key] != after[key]}
    assert len(new) == 1
    assert len(changed) <= 1  # the new copy may be the keeper, if its key is the smaller one


@pytest.mark.slow
def test_a_shard_changed_on_disk_is_packed_anew_by_the_next_run(corpus: Path, finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_recipe(corpus, out)
    shard = out / read_manifest(out).shards[0].path
    data = bytearray(shard.read_bytes())
    data[700] ^= 1
    with shard.open("r+b") as stream:  # in place, as a bad disk or a careless tool would
        stream.write(bytes(data))
    result = run_recipe(corpus, out)
    assert result.executed == 1
    assert digests(out) == digests(finished)


@pytest.mark.slow
def test_a_file_that_changes_between_plan_and_reading_fails_alone(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(corpus.parent, moved)
    original = inventory.read_entries

    def then_touch(work: Path, units: Any) -> Any:
        entries = original(work, units)
        victim = moved / "scans" / "a" / "CT_small.dcm"
        if victim.exists():
            victim.write_bytes(victim.read_bytes() + b"\0")
        return entries

    monkeypatch.setattr(inventory, "read_entries", then_touch)
    run_recipe(moved / corpus.name, tmp_path / "out")
    found = {row["source_uri"]: row["reason"] for row in rows(tmp_path / "out")}
    assert found["dicom_tree/a/CT_small.dcm"] == "changed_since_plan"


@pytest.mark.slow
def test_links_fifos_odd_names_and_folders_behind_links_are_refused_not_followed(corpus: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(corpus.parent, moved)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.dcm").write_bytes(b"secret")
    (moved / "scans" / "link.dcm").symlink_to(outside / "secret.dcm")
    (moved / "scans" / "folder").symlink_to(outside)
    os.mkfifo(moved / "scans" / "pipe.dcm")
    (moved / "scans" / os.fsdecode(b"n\xf6.dcm")).write_bytes(b"a name that is not UTF-8")
    run_recipe(moved / corpus.name, tmp_path / "out")
    found = {row["source_uri"]: row["reason"] for row in rows(tmp_path / "out")}
    for name in ("link.dcm", "folder", "pipe.dcm"):
        assert found[f"dicom_tree/{name}"] == "not_a_regular_file"
    assert found["dicom_tree/n\\xf6.dcm"] == "unreadable_file"
    assert not any("secret" in uri for uri in found)


@pytest.mark.slow
def test_another_key_gives_other_pseudonyms_and_the_key_is_written_nowhere(
    corpus: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "0123456789abcdef-not-to-be-found"
    monkeypatch.setenv("MEDCURATE_KEY", secret)
    run_recipe(corpus, tmp_path / "out")
    assert read_manifest(tmp_path / "out").key == "private"
    groups = {row["source_uri"]: row["group"] for row in rows(finished)}
    for row in rows(tmp_path / "out"):
        if row["source_uri"].endswith("CT_small.dcm"):
            assert row["group"] != groups[row["source_uri"]]
    for path in (tmp_path / "out").rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_no_patient_identifier_of_the_source_stands_in_anything_written(finished: Path) -> None:
    """CT_small and MR_small name their patients; every file below the output and its work folder is searched."""
    for path in finished.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert b"CompressedSamples" not in data, path
            assert b"1CT1" not in data, path


def test_nothing_published_says_where_the_data_lie(finished: Path, corpus: Path) -> None:
    published = [p for p in finished.rglob("*") if p.is_file() and ".work" not in p.parts]
    assert not [p.name for p in published if str(corpus.parent).encode() in p.read_bytes()]
    sources = read_manifest(finished).recipe["sources"]
    assert [s["source"] for s in sources] == ["dicom_tree", "nifti_masks", "jsonl_text"]
    assert not [s for s in sources if "root" in s]


def test_an_absolute_root_is_left_out_of_the_manifest_and_the_fingerprint() -> None:
    def of(root: str) -> Recipe:
        source = {"source": "dicom_tree", "root": root, "licence": "MIT"}
        return Recipe.model_validate({"sources": [source, {**source, "root": "package:pydicom/data", "name": "p"}]})

    here, there = of("/home/jane.roe/scans"), of("elsewhere")
    assert recorded(here) == recorded(there)
    assert "jane" not in json.dumps(recorded(here))
    assert recorded(here)["sources"][1]["root"] == "package:pydicom/data"
    assert fingerprint(here, "inputs", "code") == fingerprint(there, "inputs", "code")


def test_an_unfinished_unit_is_invisible_and_is_swept(tmp_path: Path) -> None:
    def build() -> None:
        with store.building(tmp_path, "prepare", "ab" * 32) as folder:
            (folder / "half").write_text("x")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        build()
    assert not store.is_done(tmp_path, "prepare", "ab" * 32)
    dead = tmp_path / "tmp" / f"prepare-x-{store._host()}-999999999"
    dead.mkdir(parents=True)
    assert store.sweep_temporaries(tmp_path) == 1
    assert not dead.exists()


def test_the_code_version_sees_code_and_not_comments_and_leaves_unchosen_sources_out() -> None:
    one = code_version("curate.prepare", "sources.dicom_tree")
    assert one == code_version("curate.prepare", "sources.dicom_tree")
    assert one != code_version("curate.prepare", "sources.jsonl_text")
    from curate.code import _closure

    reached = _closure(("curate.prepare", "sources.dicom_tree"))
    assert "curate.dicom" in reached
    assert "curate.keyring" in reached
    assert "sources.jsonl_text" not in reached
    assert "curate.cluster" not in reached
    assert "curate.recipe" not in reached


@pytest.mark.slow
def test_what_is_kept_of_modules_is_what_their_source_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from curate import code

    known = code_version("curate.select")
    monkeypatch.setattr(code, "_place", lambda: tmp_path / "kept" / "code.json")
    for cached in (code._kept, code._module, code._imports):
        cached.cache_clear()
    assert code_version("curate.select") == known
    assert (tmp_path / "kept" / "code.json").exists()
    for cached in (code._kept, code._module, code._imports):
        cached.cache_clear()
    monkeypatch.setattr("ast.parse", lambda *_: pytest.fail("a syntax tree was read again"))
    assert code_version("curate.select") == known
    for cached in (code._kept, code._module, code._imports):
        cached.cache_clear()
