"""A record's story can be told from the output alone, whatever became of it; two outputs differ in what was changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curate.compare import differences
from curate.explain import explain
from manifests.errors import RecipeError
from tests.corpus import SMALL, make_corpus, run_recipe
from tests.forge import edit_manifest, reseal, rows_of, samples_of, shards_of, write_rows

pytestmark = pytest.mark.slow  # a whole output is made


def row_with(out: Path, **wanted: str) -> dict[str, Any]:
    return next(r for r in rows_of(out) if all(r[name] == value for name, value in wanted.items()))


# --- explain ---------------------------------------------------------------------------------------------------------


def test_every_record_has_a_story_with_its_sources_steps_and_decision(small_output: Path) -> None:
    for row in rows_of(small_output):
        story = explain(small_output, row["key"])
        for text in (row["key"], row["source_uri"], row["source_sha256"], row["licence"], row["group"]):
            assert text in story
        for file in row["lineage"]:
            assert file["path"] in story
            assert file["sha256"] in story
        for step in row["steps"]:
            assert f"{step['name']}" in story
            assert step["result"] in story
        for text in (row["reason"], row["found"], row["remedy"], row["duplicate_of"], row["split"]):
            assert text in story


def test_a_kept_records_story_has_every_word_and_proof_of_its_samples(small_output: Path) -> None:
    for shard in shards_of(small_output):
        for key, fields in samples_of(small_output / shard):
            sample = json.loads(fields["json"])
            story = explain(small_output, sample["record"])
            assert f"sample {key} ({sample['stage']}): {shard}" in story
            for turn in sample.get("conversations", []):
                assert f"{turn['role']}: {' '.join(turn['content'].split())}" in story
            for proof in sample["proofs"]:
                assert f"{proof['call']} = {proof['value']}" in story
            assert " ".join(sample.get("text", "").split()) in story
            if "answer" in sample:
                assert f"verifier {sample['answer']['verifier']}" in story


def test_a_samples_key_shows_that_sample_and_says_what_else_there_is(small_output: Path) -> None:
    row = next(r for r in rows_of(small_output) if any("-" in s["key"] for s in r["samples"]))
    key = next(s["key"] for s in row["samples"] if "-" in s["key"])
    story = explain(small_output, key)
    assert story.count("\nsample ") == sum(1 for s in row["samples"] if s["key"] == key)
    assert "other samples of this record" in story


def test_a_duplicate_names_its_keeper_and_the_evidence(small_output: Path) -> None:
    row = row_with(small_output, status="duplicate", source="dicom_tree")
    keeper = row_with(small_output, key=row["duplicate_of"])
    story = explain(small_output, row["key"][:10])
    assert keeper["source_uri"] in story
    assert "by pixels: score 1, threshold 1" in story


def test_a_failure_says_what_was_found_and_what_would_mend_it(small_output: Path) -> None:
    row = row_with(small_output, reason="truncated_pixels")
    story = explain(small_output, row["key"])
    assert "failed: truncated_pixels" in story
    assert f"remedy: {row['remedy']}" in story


def test_what_was_offered_and_not_drawn_is_told(copied: Path) -> None:
    rows = rows_of(copied)
    row = next(r for r in rows if sum(s["stage"] == "rlvr" for s in r["samples"]) > 3)
    gone = next(s for s in row["samples"] if s["stage"] == "rlvr" and s["key"].endswith("-1-0"))
    row["samples"] = [s for s in row["samples"] if s is not gone and s["stage"] != "pretrain"]
    write_rows(copied, rows)
    story = explain(copied, row["key"])
    assert "rlvr: offered and not drawn by the mixture: part 1" in story
    assert "pretrain: nothing drawn" in story


def test_unknown_ambiguous_and_malformed_keys_are_usage_errors(copied: Path) -> None:
    key = rows_of(copied)[0]["key"]
    for wrong in ("f" * 32, key[:5], "../../etc", "", f"{key}-99-0"):
        with pytest.raises(RecipeError):
            explain(copied, wrong)
    rows = rows_of(copied)
    rows[1]["key"] = rows[0]["key"][:8] + "0" * 24
    write_rows(copied, rows)
    with pytest.raises(RecipeError, match="beginning of 2 keys"):
        explain(copied, key[:8])
    with pytest.raises(RecipeError, match=r"manifest\.json"):
        explain(copied / "shards", key)


def test_a_damaged_shard_does_not_stop_the_story(copied: Path) -> None:
    row = next(r for r in rows_of(copied) if len(r["samples"]) > 1)
    (copied / row["samples"][0]["shard"]).write_bytes(b"x" * 2000)
    (copied / row["samples"][1]["shard"]).unlink()
    assert explain(copied, row["key"]).count("see `curate verify`") >= 2


# --- compare ---------------------------------------------------------------------------------------------------------


def test_an_output_differs_in_nothing_from_itself_made_again(small_output: Path, tmp_path: Path) -> None:
    assert differences(small_output, small_output) == []
    again = tmp_path / "again"
    run_recipe(make_corpus(tmp_path / "corpus"), again, *SMALL)
    edit_manifest(again, lambda m: m["environment"].update(python="3.99"))
    assert differences(small_output, again) == []


def test_a_changed_recipe_and_changed_inputs_are_told_with_their_effects(small_output: Path, tmp_path: Path) -> None:
    recipe = make_corpus(tmp_path / "corpus")
    (tmp_path / "corpus" / "scans" / "a" / "README.txt").write_text("another text")
    (tmp_path / "corpus" / "scans" / "a" / "rtplan.dcm").unlink()
    (tmp_path / "corpus" / "scans" / "new.txt").write_text("new")
    other = tmp_path / "other"
    run_recipe(recipe, other, "select.split.val=0.0", "tasks=[caption,measure,qa]")
    told = differences(small_output, other)
    text = "\n".join(told)
    assert "recipe.select.split.val: 0.5 -> 0.0" in told
    assert any(line.startswith("recipe.tasks[mcq]: ") and line.endswith("'(absent)'") for line in told)
    assert "inputs removed: 1\n  dicom_tree/a/rtplan.dcm" in text
    assert "inputs added: 1\n  dicom_tree/new.txt" in text
    assert "inputs changed: 1\n  dicom_tree/a/README.txt" in text
    moved = [r for r in rows_of(small_output) if r["split"] == "val"]
    assert f"records: split val -> train: {len(moved)}" in told
    assert all(f"{r['key']} ({r['source_uri']}): val -> train" in text for r in moved)
    assert "shards/pretrain-000000.tar" in text
    assert not any("environment" in line for line in told)


def test_versions_are_told_where_something_else_differs(copied: Path, small_output: Path) -> None:
    rows = rows_of(copied)
    row = next(r for r in rows if r["status"] == "dropped")
    row.update(status="failed", reason="blank")
    write_rows(copied, rows)
    reseal(copied)
    edit_manifest(copied, lambda m: m["environment"]["libraries"].update(numpy="9.9"))
    told = differences(small_output, copied)
    assert "records: status dropped -> failed: 1" in told
    assert any(row["key"] in line for line in told)
    assert any(line.startswith("environment: numpy ") and line.endswith("-> 9.9") for line in told)


def test_comparing_with_something_else_is_a_usage_error(small_output: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError):
        differences(small_output, tmp_path)
