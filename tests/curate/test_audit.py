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

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.arrays import decode_npy_gz, encode_npy_gz
from curate.audit import verify
from curate.audit_shards import UNPICKLED
from curate.findings import SHOWN, Finding, Findings
from manifests.errors import RecipeError
from manifests.manifest import NAME
from tests.forge import (
    PART,
    Fields,
    edit_json,
    edit_manifest,
    find_sample,
    reseal,
    rewrite,
    rows_of,
    samples_of,
    shards_of,
    write_rows,
)

Json = dict[str, Any]


def found(out: Path, check: str) -> list[Finding]:
    return [f for f in verify(out).findings if f.check == check]


def checks(out: Path) -> set[str]:
    return {f.check for f in verify(out).findings}


def talks(program: str) -> Callable[[Json], bool]:
    """Whether a sample is a conversation with a proof by this program."""
    return lambda s: s["stage"] == "sft" and any(p["call"].startswith(program + "(") for p in s["proofs"])


def turn_of(sample: Json, program: str) -> int:
    turns = [p["turn"] for p in sample["proofs"] if p["call"].startswith(program + "(")]
    return int(turns[-1])


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
    assert [f.where for f in found(copied, "ledger_schema")] == [PART]
    (copied / PART).write_bytes(b"not parquet")
    assert [f.where for f in found(copied, "ledger_unreadable")] == [PART]


# --- what a sample says, all digests refreshed -----------------------------------------------------------------------

ANSWERS: dict[str, tuple[str, Callable[[str], str]]] = {
    "a volume": ("volume_ml", lambda text: text.replace(" mL", "9 mL")),
    "a unit": ("volume_ml", lambda text: text.replace("mL", "L")),
    "a length": ("longest_axis_mm", lambda text: f"1{text}" if text[0].isdigit() else text.replace(" mm", "5 mm")),
    "a count": ("count", lambda text: "999 separate parts."),
    "slices": ("slice_range", lambda text: "Slices 1 to 2, counting from 0."),
    "a side": ("is_left_of", lambda text: ("No" if text.startswith("Yes") else "Yes") + text.partition(".")[2]),
    "a denial": (
        "is_left_of",
        lambda text: (
            text.replace(" does not lie", " lies") if "not" in text else text.replace(" lies", " does not lie")
        ),
    ),
    "the option's letter": ("largest", lambda text: ("B" if text[0] == "A" else "A") + text[1:]),
    "the option": ("largest", lambda text: text[:3] + "liver"),
    "a number more": ("extent_mm", lambda text: f"{text} The tumour measures 12 mm."),
    "the source's own words": ("span", lambda text: "no" if text == "yes" else "yes"),
}


@pytest.mark.parametrize("edit", ANSWERS)
def test_an_edited_answer_is_named_although_all_digests_are_new(copied: Path, edit: str) -> None:
    program, change = ANSWERS[edit]
    shard, key, sample = find_sample(copied, talks(program))
    turn = turn_of(sample, program)
    before = sample["conversations"][turn]["content"]
    assert change(before) != before
    edit_json(copied, shard, key, lambda s: s["conversations"][turn].update(content=change(before)))
    named = found(copied, "not_stated")
    assert any(shard in f.where and key in f.where for f in named), verify(copied).text()
    assert not {"file_sha256", "sample_sha256", "merkle_root"} & checks(copied)


def test_values_that_change_places_in_a_caption_are_named(copied: Path) -> None:
    shard, key, sample = find_sample(copied, lambda s: s["stage"] == "pretrain" and "(" in s["text"])
    first, second = (p["value"] for p in sample["proofs"] if p["call"].startswith("volume_ml"))
    text = sample["text"].replace(first, "#").replace(second, first).replace("#", second)
    edit_json(copied, shard, key, lambda s: s.update(text=text))
    assert any(key in f.where for f in found(copied, "not_stated"))


def test_a_question_about_another_structure_is_named(copied: Path) -> None:
    shard, key, sample = find_sample(copied, talks("count"))
    turn = turn_of(sample, "count")

    def edit(said: Json) -> None:
        for one in (turn - 1, turn):
            said["conversations"][one]["content"] = said["conversations"][one]["content"].replace("part", "kidney")

    edit_json(copied, shard, key, edit)
    assert any(key in f.where for f in found(copied, "not_stated"))


def test_an_edited_gold_is_named(copied: Path) -> None:
    for number, sample_of in enumerate(("number", "yes_no", "mcq", "label")):
        shard, key, sample = find_sample(copied, lambda s, t=sample_of: s.get("answer", {}).get("type") == t)
        gold = sample["answer"]["gold"]
        other = {"number": "1" + gold, "yes_no": "no" if gold == "yes" else "yes", "mcq": "B" if gold == "A" else "A"}
        edit_json(copied, shard, key, _set_gold(other.get(sample_of, gold + "|liver")))
        assert len({f.where for f in found(copied, "not_stated")}) == number + 1
        assert any(key in f.where for f in found(copied, "not_stated"))


def _set_gold(gold: str) -> Callable[[Json], None]:
    return lambda sample: sample["answer"].update(gold=gold)


def test_an_altered_mask_fails_the_proofs_that_look_at_it(copied: Path) -> None:
    shard, key, _ = find_sample(copied, talks("volume_ml"))

    def edit(fields: Fields) -> None:
        labels = decode_npy_gz(fields["masks.npy.gz"])
        labels[:, :4] = 0
        fields["masks.npy.gz"] = encode_npy_gz(labels)
        fields["json"] = _with_media(fields["json"], "masks.npy.gz", fields["masks.npy.gz"])

    rewrite(copied, shard, key, edit)
    reseal(copied)
    named = [f for f in found(copied, "proof") if key in f.where and shard in f.where]
    assert any("volume_ml(mask=" in f.found and "recomputed" in f.found for f in named), verify(copied).text()


def _with_media(data: bytes, member: str, content: bytes) -> bytes:
    import hashlib

    from manifests.record import canonical_json

    sample = json.loads(data)
    for media in sample["media"]:
        if media["member"] == member:
            media.update(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
    return canonical_json(sample).encode()


def test_media_that_are_not_what_the_sample_says_are_named(copied: Path) -> None:
    shard, key, _ = find_sample(copied, talks("volume_ml"))

    def edit(fields: Fields) -> None:
        volume = decode_npy_gz(fields["volume.npy.gz"])[1:]
        fields["volume.npy.gz"] = encode_npy_gz(volume.astype(np.float32))
        fields["json"] = _with_media(fields["json"], "volume.npy.gz", fields["volume.npy.gz"])

    rewrite(copied, shard, key, edit)
    reseal(copied)
    assert any(key in f.where and "float32" in f.found for f in found(copied, "media_shape"))


SAMPLE_EDITS: dict[str, tuple[Callable[[Json], Any], str]] = {
    "another licence": (lambda s: s.update(licence="CC0-1.0"), "licence"),
    "another patient": (lambda s: s.update(group="f" * 24), "group"),
    "another key": (lambda s: s.update(key="0" * 32), "sample_key"),
    "another record": (lambda s: s.update(record="0" * 32), "record"),
    "another stage": (lambda s: s.update(stage="rlvr"), "stage"),
    "another split": (lambda s: s.update(split="test"), "split"),
    "a missing key": (lambda s: s.pop("facts"), "sample_json"),
    "a key more": (lambda s: s.update(extra=1), "sample_json"),
    "a text for a number": (lambda s: s["media"][0].update(size_bytes="5"), "sample_json"),
    "two turns of the user": (lambda s: s["conversations"].insert(0, s["conversations"][0]), "conversations"),
    "an empty turn": (lambda s: s["conversations"][0].update(content=" "), "conversations"),
    "no turn": (lambda s: s.update(conversations=[]), "conversations"),
    "a failed check": (lambda s: s["verdicts"][0].update(passed=False), "verdict"),
    "no check": (lambda s: s.update(verdicts=[]), "verdict"),
    "no proof": (lambda s: s.update(proofs=[]), "not_stated"),
    "another value": (lambda s: s["proofs"][-1].update(value="spleen"), "proof"),
    "a program that is none": (lambda s: s["proofs"][-1].update(call="exec(x=1)"), "proof"),
    "no program at all": (lambda s: s["proofs"][-1].update(call="?"), "proof"),
    "another shape": (lambda s: s["media"][0].update(shape=[1, 2, 3]), "media_shape"),
    "a mask of no voxel": (lambda s: s["media"][1].update(value=77), "mask"),
    "an unlisted member": (lambda s: s["media"].pop(), "proof"),
    "a singular affine": (lambda s: [m.update(affine=[[0.0] * 4] * 4) for m in s["media"]], "proof"),
    "an endless affine": (lambda s: [m.update(affine=[[1e308] * 4] * 4) for m in s["media"]], "proof"),
    "a teacher without request": (lambda s: s["teacher"].update(model="gpt"), "teacher"),
}


@pytest.mark.parametrize("edit", SAMPLE_EDITS)
def test_an_edited_sample_is_named_although_all_digests_are_new(copied: Path, edit: str) -> None:
    change, check = SAMPLE_EDITS[edit]
    shard, key, _ = find_sample(copied, talks("volume_ml"))
    edit_json(copied, shard, key, change)
    assert any(shard in f.where and key in f.where for f in found(copied, check)), verify(copied).text()


def test_a_prompt_without_a_gold_or_with_an_unknown_verifier_is_named(copied: Path) -> None:
    prompts = [find_sample(copied, lambda s, t=t: s.get("answer", {}).get("type") == t) for t in ("number", "mcq")]
    edit_json(copied, *prompts[0][:2], lambda s: s.pop("answer"))
    edit_json(copied, *prompts[1][:2], lambda s: s["answer"].update(verifier="trust_me"))
    assert prompts[0][1] in found(copied, "answer")[0].where
    assert prompts[1][1] in found(copied, "verifier")[0].where


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"nan", b'{"key":NaN}', b'{"key": "\xff"}', b"[" * 5000])
def test_a_sample_that_is_no_json_is_a_finding_and_no_crash(copied: Path, data: bytes) -> None:
    shard, key, _ = find_sample(copied, talks("span"))
    rewrite(copied, shard, key, lambda fields: fields.update(json=data))
    assert any(key in f.where for f in found(copied, "sample_json"))


# --- the tar ---------------------------------------------------------------------------------------------------------


def _retar(path: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None], form: int) -> None:
    with tarfile.open(path) as tar:
        members = [(m, tar.extractfile(m).read()) for m in tar]  # type: ignore[union-attr]
    change(members)
    with tarfile.open(path, "w", format=form) as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def _first(name: str, value: object) -> Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]:
    return lambda members: setattr(members[0][0], name, value)


TARS: dict[str, tuple[Callable[[list[tuple[tarfile.TarInfo, bytes]]], None], str]] = {
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


def _member(members: list[tuple[tarfile.TarInfo, bytes]], suffix: str, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(members[0][0].name.partition(".")[0] + suffix)
    info.mode, info.uname, info.gname = 0o444, "medcurate", "medcurate"
    return info, data


@pytest.mark.parametrize("edit", TARS)
def test_a_tar_that_is_not_ours_is_named(copied: Path, edit: str) -> None:
    change, check = TARS[edit]
    shard, _, _ = find_sample(copied, lambda s: s["stage"] == "pretrain" and s["kind"] == "image")
    _retar(copied / shard, change, tarfile.USTAR_FORMAT)
    assert any(f.where.startswith(shard) for f in found(copied, check)), verify(copied).text()


def test_the_formats_that_readers_unpickle_are_refused() -> None:
    from webdataset import autodecode

    decoders = {
        name for name, decode in autodecode.decoders.items() if "pickle" in repr(decode) or "torch" in repr(decode)
    }
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


def test_a_thousand_findings_of_one_kind_hide_no_other() -> None:
    findings = Findings()
    for number in range(1000):
        findings.add("file_sha256", f"shards/{number}", "x\ny", "run again")
    findings.add("proof", "last \udcff", "z", "run again")
    report = findings.report()
    assert report.total == 1001
    assert len(report.findings) == SHOWN + 1
    assert "901 more" not in report.text()
    assert "900 more" in report.text()
    report.text().encode()
    assert len(report.text().splitlines()) == SHOWN + 3
