"""A recipe can be tried before its data are there, and may name what cards say instead of sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from curate.cli import main
from curate.recipe import load
from manifests.errors import RecipeError
from sources import cards


def told(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["miniature", *arguments])
    return done.exit_code, done.output


def recipe(folder: Path, *sources: dict[str, Any]) -> Path:
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump({"sources": list(sources)}))
    return path


def test_a_source_s_and_a_recipe_s_miniatures_lie_where_a_run_looks_and_stay(tmp_path: Path) -> None:
    assert told("ham10000", "--to", str(tmp_path))[0] == 0
    table = tmp_path / "ham10000/HAM10000_metadata.csv"
    before = table.stat().st_mtime_ns
    own = recipe(tmp_path, {"source": "ham10000"}, {"source": "medqa", "name": "exam"})
    code, said = told(str(own), "--to", str(tmp_path))
    assert code == 0
    assert "is there already" in said
    assert table.stat().st_mtime_ns == before
    assert any((tmp_path / "exam").rglob("*.jsonl"))


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        told("busi", "--to", str(tmp_path / name))
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert files
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)


def test_what_has_no_miniature_is_told_in_one_line(tmp_path: Path) -> None:
    code, said = told("ham1000", "--to", str(tmp_path))
    assert code == 2
    assert "unknown source or recipe 'ham1000' (did you mean 'ham10000'?)" in said
    own = recipe(tmp_path, {"source": "jsonl_text", "root": "x.jsonl", "text": "t"})
    assert "has no named source" in told(str(own), "--to", str(tmp_path))[1]


def test_every_means_the_cards_that_say_all_of_it_and_no_others(tmp_path: Path) -> None:
    own = recipe(
        tmp_path, {"every": {"modality": "US", "task": "lesion-segmentation"}, "except": ["tn3k"], "weight": 2}
    )
    loaded, _ = load(str(own))
    wanted = {c.name for c in cards() if c.url and "US" in c.modalities and "lesion-segmentation" in c.tasks}
    assert {s.called for s in loaded.sources} == wanted - {"tn3k"}
    assert {s.weight for s in loaded.sources} == {2}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"every": {"modality": "USG"}}, "unknown modality 'USG'"),
        ({"every": {"task": "lesion-sizes"}}, r"unknown task 'lesion-sizes' \(did you mean 'lesion-size'"),
        ({"every": {"modalty": "US"}}, r"unknown key 'modalty' \(did you mean 'modality'"),
        ({"every": {"modality": "MG", "body_part": "brain"}}, "no source's card says all of this"),
        ({"every": {"modality": "DMS"}, "except": ["ham1000"]}, r"unknown source 'ham1000' \(did you mean 'ham10000'"),
    ],
)
def test_an_every_that_means_nothing_is_told_in_one_line(entry: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=said) as caught:
        load(str(recipe(tmp_path, entry)))
    assert "\n" not in str(caught.value)
