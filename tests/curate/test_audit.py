"""Whatever is changed in a finished output, `verify` names it: by its bytes, and where every digest was made anew, by
what no longer follows."""

from __future__ import annotations

import io
import json
import random
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.audit import verify
from curate.audit.findings import Finding, Findings
from curate.audit.shards import UNPICKLED
from manifests.errors import RecipeError
from manifests.manifest import NAME
from tests.forge import (
    PART,
    edit_manifest,
    find_sample,
    reseal,
    rows_of,
    samples_of,
    shards_of,
    write_rows,
)

pytestmark = pytest.mark.slow

Json = dict[str, Any]
Members = list[tuple[tarfile.TarInfo, bytes]]


def found(out: Path, check: str) -> list[Finding]:
    return [f for f in verify(out).findings if f.check == check]


def checks(out: Path) -> set[str]:
    return {f.check for f in verify(out).findings}


def talks(program: str) -> Callable[[Json], bool]:
    """Whether a sample is a conversation with a proof by this program."""
    return lambda s: s["stage"] == "sft" and any(p["call"].startswith(program + "(") for p in s["proofs"])


# --- nothing was changed ---------------------------------------------------------------------------------------------


def test_an_untouched_output_holds_and_everything_in_it_was_looked_at(small_output: Path) -> None:
    told: list[str] = []
    report = verify(small_output, told.append)
    assert report.ok, report.text()
    shards = shards_of(small_output)
    samples = [fields for shard in shards for _, fields in samples_of(small_output / shard)]
    assert report.checked["shards"] == len(shards)
    assert report.checked["samples"] == len(samples)
    assert report.checked["members"] == sum(len(fields) for fields in samples)
    assert report.checked["proofs"] == sum(len(json.loads(f["json"])["proofs"]) for f in samples)
    assert report.checked["ledger rows"] == len(rows_of(small_output))
    assert len(told) == len(shards) + 2
    assert json.loads(report.to_json())["ok"] is True


def test_refreshing_digests_without_a_change_is_no_finding(copied: Path) -> None:
    reseal(copied)  # else the tests below would find the forger, not the forgery
    assert verify(copied).ok, verify(copied).text()


def test_a_folder_without_a_manifest_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"manifest\.json"):
        verify(tmp_path)


# --- bytes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_one_flipped_byte_in_each_shard_is_named(copied: Path, seed: int) -> None:
    rng = random.Random(seed)
    for shard in shards_of(copied):
        data = bytearray((copied / shard).read_bytes())
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        (copied / shard).write_bytes(data)
    named = {f.where.split(" ")[0] for f in found(copied, "file_sha256")}
    assert named == set(shards_of(copied))


def test_a_flipped_byte_inside_a_member_names_its_sample(copied: Path) -> None:
    shard, key, _ = find_sample(copied, talks("volume_ml"))
    with tarfile.open(copied / shard) as tar:
        member = tar.getmember(f"{key}.volume.npy.gz")
    data = bytearray((copied / shard).read_bytes())
    data[member.offset_data + member.size // 2] ^= 0x10
    (copied / shard).write_bytes(data)
    assert any(key in f.where and shard in f.where for f in found(copied, "sample_sha256"))
    assert any(key in f.where for f in found(copied, "media_sha256"))


@pytest.mark.parametrize("name", [PART, "croissant.json"])
def test_a_flipped_byte_in_another_file_is_named(copied: Path, name: str) -> None:
    data = bytearray((copied / name).read_bytes())
    at = data.index(b"sha256") + 12 if name.endswith("json") else len(data) // 2
    data[at] ^= 1
    (copied / name).write_bytes(data)
    assert any(f.where == name for f in verify(copied).findings), verify(copied).text()


def test_missing_and_foreign_files_are_named(copied: Path) -> None:
    shard = shards_of(copied)[0]
    keys = [key for key, _ in samples_of(copied / shard)]
    (copied / shard).unlink()
    (copied / "README.md").unlink()
    (copied / "shards" / "extra.tar").write_bytes(b"x")
    (copied / "ledger" / ".hidden").write_bytes(b"x")
    assert {f.where for f in found(copied, "missing_file")} == {shard, "README.md"}
    assert {f.where for f in found(copied, "foreign_file")} == {"shards/extra.tar", "ledger/.hidden"}
    orphans = found(copied, "missing_sample")
    assert all(any(key in f.found for f in orphans) for key in keys)


def test_a_truncated_shard_and_bytes_behind_its_end_are_named(copied: Path) -> None:
    short, long, *_ = shards_of(copied)
    data = (copied / short).read_bytes()
    (copied / short).write_bytes(data[:-1024])
    (copied / long).write_bytes((copied / long).read_bytes() + b"more")
    reseal(copied)
    assert {f.where for f in found(copied, "tar")} == {short, long}


# --- the manifest ----------------------------------------------------------------------------------------------------


def test_counts_that_do_not_add_up_or_are_not_the_ledgers_are_named(copied: Path) -> None:
    edit_manifest(copied, lambda m: m["counts"].update(kept=m["counts"]["kept"] + 1))
    assert "is not kept + dropped" in found(copied, "manifest")[0].found
    assert any(f.where.endswith("counts.kept") for f in found(copied, "counts"))
    edit_manifest(copied, lambda m: m["counts"].update(duplicate=m["counts"]["duplicate"] - 1))
    assert not found(copied, "manifest")
    assert {f.where.split(".")[-1] for f in found(copied, "counts")} == {"kept", "duplicate"}


def test_edited_fingerprint_roots_and_schema_are_named(copied: Path) -> None:
    def edit(manifest: Json) -> None:
        manifest["fingerprint"] = "made up"
        manifest["roots"] = {"shards": "0" * 64, "ledger": "1" * 64}
        manifest["schema"] = "medcurate/9"

    edit_manifest(copied, edit)
    assert {"fingerprint", "schema"} <= checks(copied)
    assert [f.where for f in found(copied, "merkle_root")] == [f"{NAME} roots.shards", f"{NAME} roots.ledger"]


def test_findings_in_an_output_of_other_code_say_so_and_a_sound_one_holds(copied: Path) -> None:
    edit_manifest(copied, lambda m: m["environment"].update(audit="0" * 64))
    assert not checks(copied)
    edit_manifest(copied, lambda m: m["counts"].update(kept=1))
    assert [f.where for f in found(copied, "other_code")] == [f"{NAME} environment.audit"]


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "shards/a.tar"])
def test_a_manifest_that_points_elsewhere_is_not_followed(copied: Path, path: str) -> None:
    edit_manifest(copied, lambda m: m["shards"][0].update(path=path))
    assert any(path in f.where for f in found(copied, "file_name"))
    assert not any("passwd" in f.where for f in found(copied, "file_sha256"))


# --- the ledger ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refreshed", [False, True])
def test_a_deleted_row_is_named_by_its_seq_and_its_neighbours(copied: Path, refreshed: bool) -> None:
    rows = rows_of(copied)
    write_rows(copied, rows[:8] + rows[9:])
    if refreshed:
        reseal(copied)
    missing = found(copied, "seq_missing")
    assert [f.where for f in missing] == ["ledger seq 8"]
    assert rows[7]["key"] in missing[0].found
    assert rows[9]["key"] in missing[0].found
    assert ("file_sha256" in checks(copied)) is not refreshed
    assert ("merkle_root" in checks(copied)) is not refreshed
    assert any(rows[8]["key"] in f.where for f in found(copied, "unknown_sample"))


@pytest.mark.parametrize("refreshed", [False, True])
def test_the_last_row_cannot_be_cut_off(copied: Path, refreshed: bool) -> None:
    rows = rows_of(copied)
    write_rows(copied, rows[:-1])
    if refreshed:
        reseal(copied)
    assert [f.where for f in found(copied, "seq_missing")] == [f"ledger seq {len(rows) - 1}"]
    assert "counts" in checks(copied)


@pytest.mark.parametrize("refreshed", [False, True])
def test_a_repeated_row_is_named(copied: Path, refreshed: bool) -> None:
    rows = rows_of(copied)
    write_rows(copied, [*rows[:3], rows[2], *rows[3:]])
    if refreshed:
        reseal(copied)
    assert [f.where for f in found(copied, "seq_repeated")] == ["ledger seq 2"]
    assert "seq 2" in found(copied, "repeated_key")[0].where


def test_rows_in_another_order_are_named(copied: Path) -> None:
    rows = rows_of(copied)
    rows[4], rows[5] = rows[5], rows[4]
    write_rows(copied, rows)
    reseal(copied)
    assert [f.where for f in found(copied, "seq_order")] == [f"ledger seq 4 record {rows[5]['key']}"]


ROW_EDITS: dict[str, tuple[str, Json, str]] = {
    "status": ("kept", {"status": "ready"}, "status"),
    "a reason of a kept record": ("kept", {"reason": "blank"}, "reason"),
    "a failure without reason": ("failed", {"reason": ""}, "reason"),
    "a keeper that is none": ("duplicate", {"duplicate_of": "0" * 32}, "duplicate_of"),
    "no evidence": ("duplicate", {"evidence": "{}"}, "evidence"),
    "weak evidence": (
        "duplicate",
        {"evidence": '{"matched":"x","method":"minhash","score":0.5,"threshold":0.8}'},
        "evidence",
    ),
    "no lineage": ("kept", {"lineage": []}, "lineage"),
    "another source digest": ("kept", {"source_sha256": "a" * 64}, "source_sha256"),
    "another source": ("kept", {"upstream_id": "somebody else"}, "record_key"),
    "another licence": ("kept", {"licence": "CC0-1.0"}, "licence"),
    "no licence": ("failed", {"licence": ""}, "licence"),
    "no split": ("kept", {"split": ""}, "split"),
    "an absolute path": ("failed", {"source_uri": "/home/somebody/scan.dcm"}, "absolute_path"),
    "a path above": ("failed", {"source_uri": "a/../../b"}, "absolute_path"),
    "a path in words": ("failed", {"found": "cannot open /home/somebody/scan.dcm"}, "absolute_path"),
    "a null": ("failed", {"remedy": None}, "null_value"),
    "another shard": ("kept", {"shard": "shards/sft-000099.tar"}, "samples"),
    "another group": ("kept", {"group": "f" * 24}, "group"),
    "another modality": ("kept", {"modality": "XA"}, "modality"),
}


@pytest.mark.parametrize("edit", ROW_EDITS)
def test_an_edited_row_is_named_although_all_digests_are_new(copied: Path, edit: str) -> None:
    status, change, check = ROW_EDITS[edit]
    rows = rows_of(copied)
    row = next(r for r in rows if r["status"] == status)
    row.update(change)
    write_rows(copied, rows)
    reseal(copied)
    assert any(row["key"] in f.where for f in found(copied, check)), verify(copied).text()


def test_a_patient_in_two_splits_is_named_with_the_records(copied: Path) -> None:
    rows = rows_of(copied)
    train, held_out = (next(r for r in rows if r["status"] == "kept" and r["split"] == s) for s in ("train", "val"))
    train["group"] = held_out["group"]
    write_rows(copied, rows)
    reseal(copied)
    leak = found(copied, "split_leak")[0]
    assert held_out["group"] in leak.where
    assert train["key"] in leak.found
    assert held_out["key"] in leak.found


def test_a_duplicate_in_another_split_than_its_keeper_is_named(copied: Path) -> None:
    rows = rows_of(copied)
    row = next(r for r in rows if r["status"] == "duplicate")
    row.update(split="train" if row["split"] == "val" else "val", group="")
    write_rows(copied, rows)
    reseal(copied)
    assert any(row["key"] in f.found and row["duplicate_of"] in f.found for f in found(copied, "split_leak"))


def test_a_ledger_that_is_no_parquet_or_of_another_schema_is_named(copied: Path) -> None:
    table = pq.read_table(copied / PART)
    pq.write_table(table.drop_columns(["remedy"]), copied / PART)
    assert "remedy: missing" in found(copied, "ledger_schema")[0].found
    pq.write_table(table.append_column("note", table["reason"]), copied / PART)
    assert "note: unknown" in found(copied, "ledger_schema")[0].found
    assert not found(copied, "seq_missing")
    (copied / PART).write_bytes(b"not parquet")
    assert [f.where for f in found(copied, "ledger_unreadable")] == [PART]


# --- the tar ---------------------------------------------------------------------------------------------------------


def _retar(path: Path, change: Callable[[Members], object]) -> None:
    with tarfile.open(path) as tar:
        members = [(m, tar.extractfile(m).read()) for m in tar]  # type: ignore[union-attr]
    change(members)
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def _first(name: str, value: object) -> Callable[[Members], object]:
    return lambda members: setattr(members[0][0], name, value)


TARS: dict[str, tuple[Callable[[Members], object], str]] = {
    "time": (_first("mtime", 1_700_000_000), "tar_header"),
    "mode": (_first("mode", 0o644), "tar_header"),
    "owner": (_first("uname", "somebody"), "tar_header"),
    "link": (_first("type", tarfile.SYMTYPE), "tar_header"),
    "upper case": (_first("name", "A" * 32 + ".JSON"), "field_name"),
    "pickle": (lambda members: members.insert(1, _member(members, ".pkl", b"\x80\x04N.")), "pickle"),
    "not adjacent": (lambda members: members.append(members.pop(0)), "not_adjacent"),
    "no json": (lambda members: members.pop(0), "no_json"),
    "another name": (_first("name", "../../evil.json"), "sample_key"),
}


def _member(members: Members, suffix: str, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(members[0][0].name.partition(".")[0] + suffix)
    info.mode, info.uname, info.gname = 0o444, "medcurate", "medcurate"
    return info, data


@pytest.mark.parametrize("edit", TARS)
def test_a_tar_that_is_not_ours_is_named(copied: Path, edit: str) -> None:
    change, check = TARS[edit]
    shard, _, _ = find_sample(copied, lambda s: s["stage"] == "pretrain" and s["kind"] == "image")
    _retar(copied / shard, change)
    assert any(f.where.startswith(shard) for f in found(copied, check)), verify(copied).text()


def test_the_formats_that_readers_unpickle_are_refused() -> None:
    from webdataset import autodecode

    decoders = {
        name for name, decode in autodecode.decoders.items() if "pickle" in repr(decode) or "torch" in repr(decode)
    }
    assert decoders
    assert decoders <= UNPICKLED
    assert {"pyd", "pickle", "pth"} <= UNPICKLED


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_output_is_always_a_report(small_output: Path, tmp_path: Path, data: st.DataObject) -> None:
    out = tmp_path / "damaged"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(small_output, out)
    names = [*shards_of(out), PART, NAME, "croissant.json"]
    path = out / data.draw(st.sampled_from(names))
    content = bytearray(path.read_bytes())
    start = data.draw(st.integers(0, len(content) - 1))
    junk = data.draw(st.binary(min_size=1, max_size=600))
    if content[start : start + len(junk)] == junk:
        return
    content[start : start + len(junk)] = junk
    path.write_bytes(content)
    assert not verify(out).ok or path.name == NAME  # a manifest holds text that nothing else repeats (timings)


def test_a_thousand_findings_of_one_kind_hide_no_other_and_are_kept_for_machines() -> None:
    findings = Findings()
    for number in range(1000):
        findings.add("file_sha256", f"shards/{number}", "x\ny", "run again")
    findings.add("proof", "last \udcff", "z", "run again")
    report = findings.report()
    assert report.total == 1001
    assert len(json.loads(report.to_json())["findings"]) == 1001
    report.text().encode()
    first, last, more, looked = report.text().splitlines()
    assert first == "file_sha256: 1000 findings, the first: shards/0: x y; run again"
    assert last.startswith("proof: last")
    assert "--json" in more
    assert looked.startswith("1001 findings;")


def test_what_needs_the_whole_ledger_is_not_checked_where_a_part_of_it_cannot_be_read(copied: Path) -> None:
    """And nothing else is accused: the shards are as they were."""
    data = bytearray((copied / PART).read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    (copied / PART).write_bytes(data)
    report = verify(copied)
    assert [f.check for f in report.findings] == ["file_sha256", "ledger_unreadable", "not_checked"], report.text()
    assert "shard" not in report.text().partition("checked:")[0]
    (copied / PART).unlink()
    assert checks(copied) == {"missing_file", "not_checked"}


@pytest.mark.parametrize("name", ["README.md", "croissant.json", NAME])
def test_the_remedy_names_the_file_that_was_changed(copied: Path, name: str) -> None:
    (copied / name).write_bytes((copied / name).read_bytes()[:-2] + b"##")
    report = verify(copied)
    assert {f.remedy.partition(" was changed")[0] for f in report.findings} == {name}, report.text()
    assert report.text().rpartition("\n")[2].startswith(f"{report.total} finding{'s' * (report.total > 1)};")
