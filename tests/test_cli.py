"""The command line: what a user types wrong is one line with the valid choices, exit code 2, and nothing written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from curate.cli import main
from curate.recipe import override
from manifests.errors import RecipeError
from synth.tasks import parse_task
from tests.corpus import make_corpus, recipe_of


def curate(*arguments: str | Path) -> Any:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def edited(corpus: Path, **changes: Any) -> Path:
    path = corpus.parent / "edited.yaml"
    path.write_text(yaml.safe_dump({**recipe_of(), **changes}))
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return make_corpus(tmp_path / "corpus")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"tasks": ["measur"]}, "did you mean 'measure'"),
        ({"sources": [{"source": "dicom_tre", "root": "scans"}]}, "did you mean 'dicom_tree'"),
        ({"sources": [{"source": "dicom_tree", "rot": "scans"}]}, "did you mean 'root'"),
        ({"sources": [{"source": "dicom_tree", "root": "scans", "weight": -1}]}, "greater than 0"),
        ({"sources": [{"source": "dicom_tree", "root": "not here"}]}, "source root not found"),
        ({"sources": [{"source": "image_table", "root": "scans", "table": "no.csv"}]}, "table 'no.csv'"),
        ({"sources": []}, "name at least one"),
        ({"shard": {}}, "did you mean 'shards'"),
        ({"tasks": ["narrate"]}, "asks a teacher"),
        ({"mixture": {"samples": 0}}, "greater than 0"),
        ({"deidentify": {"faces": "keep"}}, "reason"),
        (
            {"sources": [{"source": "dicom_tree", "root": "scans", "facts": {"modalty": "CT"}}]},
            "did you mean 'modality'",
        ),
        ({"stages": ["dpo"]}, "'pretrain', 'sft' or 'rlvr'"),
    ],
)
@pytest.mark.slow
def test_a_bad_recipe_is_one_line_with_the_choices_and_writes_nothing(
    corpus: Path, changes: dict[str, Any], named: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = curate("run", edited(corpus, **changes), "--out", out, "--workers", "0", "--quiet")
    assert done.exit_code == 2, done.output
    assert named in done.output
    assert done.output.count("\n") == 1
    assert "Traceback" not in done.output
    assert not out.exists()


def test_an_unknown_recipe_name_lists_the_shipped_ones(tmp_path: Path) -> None:
    done = curate("run", "dmo", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "did you mean 'demo'" in done.output


@pytest.mark.parametrize("override", ["seed", "shards.max_samples.x=1", "sources.9.root=x", "seed=[", "sede=1"])
def test_a_bad_override_is_a_usage_error(corpus: Path, override: str, tmp_path: Path) -> None:
    assert curate("run", corpus, "--out", tmp_path / "out", "--set", override).exit_code == 2


def test_a_run_tells_what_it_made_and_verify_agrees(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = curate("run", corpus, "--out", out, "--workers", "0", "--quiet")
    assert done.exit_code == 0, done.output
    assert "records read =" in done.output
    assert "public key" in done.output
    assert curate("verify", out).exit_code == 0
    assert curate("report", out).exit_code == 0
    assert curate("query", out, "funnel").exit_code == 0


@pytest.mark.slow
def test_more_failures_than_the_recipe_allows_end_with_exit_code_3(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = curate("run", corpus, "--out", out, "--workers", "0", "--quiet", "--set", "limits.failed=0.01")
    assert done.exit_code == 3
    assert "limits.failed" in done.output
    assert (out / "manifest.json").exists()


def test_what_is_no_output_folder_is_a_usage_error(tmp_path: Path) -> None:
    for command in ("verify", "report", "query"):
        assert curate(command, tmp_path, *(["funnel"] if command == "query" else [])).exit_code == 2


def test_plan_writes_nothing_and_names_licences_and_units(corpus: Path) -> None:
    before = sorted(corpus.parent.rglob("*"))
    done = curate("plan", corpus)
    assert done.exit_code == 0, done.output
    assert "CC-BY-SA-4.0" in done.output
    assert "prepare" in done.output
    assert sorted(corpus.parent.rglob("*")) == before


def test_every_command_has_help_with_an_example() -> None:
    for name, command in main.commands.items():
        assert command.help, name
        assert command.epilog, name
        assert command.epilog.startswith(f"curate {name}"), name
        assert "Example:" in curate(name, "--help").output


def test_help_imports_neither_ray_nor_a_decoder() -> None:
    heavy = "('ray', 'torch', 'numpy', 'pydicom', 'pyarrow', 'av')"
    code = f"import sys, curate.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_sources_lists_every_source_and_shows_its_keys() -> None:
    listed = curate("sources").output
    for name in ("dicom_tree", "nifti_masks", "image_table", "video_table", "jsonl_text", "icd10cm"):
        assert name in listed
        assert "keys:" in curate("sources", name).output
    assert curate("sources", "dicom").exit_code == 2
    keys = curate("sources", "ham10000").output.partition("keys:")[2]
    assert "'CC-BY-NC-4.0'" in keys  # what holds where a recipe says nothing
    assert "'registered'" in keys
    assert "root              'ham10000'" in keys


def test_an_override_finds_a_source_and_a_task_by_name_and_says_what_was_wanted() -> None:
    raw: Any = {"sources": [{"source": "busi"}, {"source": "busi", "name": "mine"}], "tasks": ["qa", {"task": "mcq"}]}
    override(raw, "sources.mine.weight=3")
    override(raw, "tasks.mcq.labels={benign: 1}")
    override(raw, "tasks.qa.together=true")
    assert raw["tasks"][0] == {"task": "qa", "together": True}
    assert raw["sources"][1] == {"source": "busi", "name": "mine", "weight": 3}
    with pytest.raises(RecipeError, match="it has: busi, mine"):
        override(raw, "sources.bus.weight=3")
    with pytest.raises(RecipeError, match="wants a list of class names"):
        parse_task(raw["tasks"][1])
