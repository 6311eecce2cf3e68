"""A finished output mixed anew: exact, over its samples alone, and no medium is touched."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from curate.cli import main
from curate.remix import LIST, NOTE, asked, remix, samples_of, write
from manifests.balance import Balance, Prior
from manifests.errors import RecipeError
from manifests.manifest import read_manifest
from manifests.mixture import Mixture
from tests.forge import samples_of as packed_of
from tests.forge import shards_of


def test_the_samples_of_an_output_are_those_of_its_shards(small_output: Path) -> None:
    rows = samples_of(small_output, read_manifest(small_output)).to_pylist()
    packed = {
        (shard, key): json.loads(fields["json"])
        for shard in shards_of(small_output)
        for key, fields in packed_of(small_output / shard)
    }
    assert {(r["shard"], r["sample"]) for r in rows} == set(packed)
    for row in rows:
        sample = packed[row["shard"], row["sample"]]
        names = ("stage", "source", "task", "kind", "modality", "group", "split")
        assert [row[n] for n in names] == [sample[n] for n in names]
        assert row["text_tokens"] > 0
        assert row["verifier"] == (sample.get("answer") or {"verifier": ""})["verifier"]
        assert bool(row["question"]) == bool(row["answer"]) == bool(row["verifier"])


def test_a_new_mixture_is_exact_and_keeps_what_is_held_out(small_output: Path, tmp_path: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in small_output.rglob("*") if p.is_file()}
    wanted = asked(small_output, "", ("mixture.stage_samples={sft: 5, rlvr: 8}", "mixture.by=kind"))
    made = write(small_output, tmp_path / "mix", wanted)
    rows = pq.read_table(tmp_path / "mix" / LIST).to_pylist()
    train = [r for r in rows if r["split"] == "train"]
    expected = {(r.stage, r.source): r.expected for r in made.rows}
    for stage, kind in expected:
        assert sum(r["stage"] == stage and r["kind"] == kind for r in train) == expected[stage, kind]
    assert sum(r["stage"] == "sft" for r in train) == min(5, sum(r.available for r in made.rows if r.stage == "sft"))
    whole = samples_of(small_output, read_manifest(small_output)).to_pylist()
    held = {(r["shard"], r["sample"]) for r in whole if r["split"] != "train"}
    assert held == {(r["shard"], r["key"]) for r in rows if r["split"] != "train"}
    assert [r["position"] for r in rows] == list(range(len(rows)))
    note = json.loads((tmp_path / "mix" / NOTE).read_bytes())
    assert note["fingerprint"] == read_manifest(small_output).fingerprint
    assert {p: p.stat().st_mtime_ns for p in small_output.rglob("*") if p.is_file()} == before


def test_the_same_mixture_gives_the_same_bytes(small_output: Path, tmp_path: Path) -> None:
    wanted = asked(small_output, "", ("mixture.temperature=2",))
    for name in ("a", "b"):
        write(small_output, tmp_path / name, wanted)
    for name in (LIST, NOTE):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_name_that_there_is_not_is_told_and_nothing_is_written(small_output: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"unknown source 'nowhere'.* known: "):
        write(small_output, tmp_path / "mix", asked(small_output, "", ("mixture.shares={nowhere: {weight: 2}}",)))
    assert not (tmp_path / "mix").exists()


def test_answers_are_balanced_over_a_finished_output(small_output: Path, tmp_path: Path) -> None:
    made = write(small_output, tmp_path / "mix", asked(small_output, "", ()))
    assert json.loads((tmp_path / "mix" / NOTE).read_bytes())["priors"] == [dataclasses.asdict(p) for p in made.priors]
    assert [dataclasses.asdict(p) for p in read_manifest(small_output).mixture.priors] == [
        dataclasses.asdict(p) for p in made.priors
    ]
    whole = samples_of(small_output, read_manifest(small_output))
    one = next(r for r in whole.to_pylist() if r["stage"] == "rlvr" and r["split"] == "train")
    many = [{**one, "key": f"{n:032x}", "answer": f"{1 + min(n % 4, 1):016x}"} for n in range(40)]
    table = pa.Table.from_pylist(many, schema=whole.schema)
    even = remix(table, {}, Mixture(balance=Balance(at_most=0.6)), 3)
    assert even.priors == (Prior("rlvr", 40, 30, 25, 15, 15),)
    assert len(even.draws) == 25


def test_an_output_of_another_version_is_refused(small_output: Path, tmp_path: Path) -> None:
    manifest = read_manifest(small_output).model_copy(update={"schema_": "medcurate/1"})
    with pytest.raises(RecipeError, match="schema 'medcurate/1', this version mixes medcurate/2: run the recipe"):
        samples_of(small_output, manifest)


def test_the_command_shows_expected_against_available(small_output: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        main, ["mix", str(small_output), "--to", str(tmp_path), "--set", "mixture.samples=100000"]
    )
    assert done.exit_code == 0, done.output
    assert "available" in done.output
    assert "fewer than asked" in done.output
    assert "rlvr: saying each question's most frequent answer is right on " in done.output
