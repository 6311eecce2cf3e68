"""Records of several pictures: studies and pairs of visits, from the table to the finished shards."""

from __future__ import annotations

import csv
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curate.audit import verify
from manifests.errors import RecipeError
from manifests.manifest import read_manifest
from sources.base import Place
from sources.image_table import ImageTable
from sources.tables import read_table
from tests.sources.test_sources import rows_of, samples

ROWS = (
    # file, patient, study, day, effusion
    ("a2.png", "p1", "s2", "12", "yes"),
    ("a1.png", "p1", "s1", "3", "no"),
    ("b1.png", "p1", "s1", "3", "no"),
    ("a3.png", "p1", "s3", "20", "no"),
    ("c1.png", "p2", "", "1", "yes"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Crops of a real retina photograph, each another one, and their table."""
    spec = find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    retina = np.asarray(Image.open(Path(spec.origin).parent / "data" / "retina.jpg"))
    root = tmp_path / "films"
    root.mkdir()
    for n, (name, *_) in enumerate(ROWS):
        Image.fromarray(retina[200 + 150 * n : 400 + 150 * n, 300:560]).save(root / name)
    with (root / "table.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("file", "patient", "study", "day", "effusion"), *ROWS])
    return root


def source(root: Path, **more: Any) -> dict[str, Any]:
    return {"source": "image_table", "root": str(root), "table": "table.csv", "image": "file", "group": "patient",
            "labels": ["effusion"], "order": "day", "licence": "CC0-1.0", **more}  # fmt: skip


def items(root: Path, everything: bool = False, **more: Any) -> list[Any]:
    from sources.base import Entry

    config = ImageTable.model_validate(source(root, **more))
    entries = [Entry(name, 1, "0" * 64, {}) for name in sorted([*(row[0] for row in ROWS), "table.csv"])]
    found = config.items(Place(root, root), entries, lambda kind, value: f"~{value}")
    return [i for i in found if everything or i.form != "none"]


def test_rows_of_one_study_are_one_record_with_its_pictures_in_order(folder: Path) -> None:
    made = {item.upstream_id: item for item in items(folder, study="study")}
    assert list(made) == ["a2.png", "a1.png+b1.png", "a3.png", "c1.png"]
    both = made["a1.png+b1.png"]
    assert [f.role for f in both.files] == ["data", "data", "table", "table"]
    assert [(f.value, f.at) for f in both.facts if f.about == "effusion"] == [("no", "1"), ("no", "2")]
    assert {f.at for f in made["a2.png"].facts} == {""}


def test_each_visit_and_the_one_before_it_are_one_more_record(folder: Path) -> None:
    pairs = [item for item in items(folder, visits=True) if ">" in item.upstream_id]
    assert [item.upstream_id for item in pairs] == ["b1.png>a2.png", "a2.png>a3.png"]
    assert [(f.name, f.value, f.at) for f in pairs[0].facts] == [
        ("label", "no", "1"), ("offset_days", "3", "1"), ("label", "yes", "2"), ("offset_days", "12", "2"),
        ("interval_days", "9", ""),
    ]  # fmt: skip
    turned = [item.upstream_id for item in items(folder, visits=True, order="-day") if ">" in item.upstream_id]
    assert turned[0] == "a3.png>a2.png"


def test_a_patient_s_column_is_read_for_all_rows_of_a_record(folder: Path) -> None:
    config = ImageTable.model_validate(source(folder, study="study"))
    item = next(i for i in items(folder, study="study") if "+" in i.upstream_id)
    assert config.patients(item, Place(folder, folder)) == ("p1", "p1")
    assert len(list(read_table(config, Place(folder, folder)))) == len(ROWS)


def test_every_row_of_a_picture_is_told_and_stands_in_the_lineage(folder: Path) -> None:
    with (folder / "table.csv").open("a") as stream:
        stream.write("b1.png,p1,s1,3,maybe\n")
    (both,) = (item for item in items(folder, study="study") if "+" in item.upstream_id)
    told = [(f.value, f.at) for f in both.facts if f.about == "effusion"]
    assert told == [("no", "1"), ("no", "2"), ("maybe", "2")]
    assert [f.fragment for f in both.files if f.role == "table"] == ["line=3", "line=4", "line=7"]


def test_a_study_whose_rows_name_two_patients_fails_for_no_split_could_hold_it(folder: Path) -> None:
    with (folder / "table.csv").open("a") as stream:
        stream.write("c1.png,p9,,1,yes\n")
    every = items(folder, study="study", everything=True)
    (mixed,) = (item for item in every if item.reason == "study_of_several_patients")
    assert (mixed.status, [f.path for f in mixed.files]) == ("failed", ["c1.png", "table.csv", "table.csv"])


@pytest.mark.parametrize("day", ["nan", "inf", "", "later"])
def test_a_day_that_is_no_number_makes_no_fact_and_comes_last(folder: Path, day: str) -> None:
    text = (folder / "table.csv").read_text().replace("b1.png,p1,s1,3,", f"b1.png,p1,s1,{day},")
    (folder / "table.csv").write_text(text)
    (both,) = (item for item in items(folder, study="study") if "+" in item.upstream_id)
    assert both.upstream_id == "a1.png+b1.png"
    assert [(f.name, f.at) for f in both.facts if f.name.endswith("_days")] == [("offset_days", "1")]


@pytest.mark.parametrize(
    "wrong", [{"visits": True, "order": ""}, {"visits": True, "study": "study"}, {"visits": True, "question": "file"}]
)
def test_what_cannot_be_put_together_is_said_before_anything_is_read(folder: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"visits|study"):
        ImageTable.model_validate(source(folder, **wrong))


def test_a_study_column_that_the_table_lacks_is_a_mistake_of_the_recipe(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no column 'examination'"):
        rows_of(tmp_path, source(folder, study="examination"))


@pytest.mark.slow
def test_pairs_of_visits_become_samples_that_verify_and_share_a_split(folder: Path, tmp_path: Path) -> None:
    tasks = ["caption", {"task": "progression", "findings": ["effusion"]}]
    found = rows_of(
        tmp_path, source(folder, visits=True, facts={"body_part": "eye"}), tasks=tasks, select={"split": {"val": 0.5}}
    )
    pairs = [row for row in found if sum(f["role"] == "data" for f in row["lineage"]) == 2]
    assert [row["status"] for row in pairs] == ["kept", "kept"]
    assert len({row["split"] for row in found if row["group"] == found[0]["group"] and row["status"] == "kept"}) <= 2
    asked = [s for s in samples(tmp_path / "out", "rlvr") if s["task"] == "progression"]
    assert [[m["member"] for m in s["media"]] for s in asked] == [["image1.png", "image2.png"]] * 2
    golds = {dict(line.split(". ", 1) for line in s["conversations"][0]["content"].splitlines() if line[1:3] == ". ")[
        s["answer"]["gold"]] for s in asked}  # fmt: skip
    assert golds == {"new", "resolved"}
    assert all(s["conversations"][0]["content"].count("<image>") == 2 for s in asked)
    captions = [s["text"] for s in samples(tmp_path / "out", "pretrain")]
    assert sum(text.startswith("These are images") for text in captions) == 2
    assert not [s for s in samples(tmp_path / "out", "sft") if s["task"] == "caption" and len(s["media"]) > 1]
    assert verify(tmp_path / "out", media=True).findings == ()
    assert read_manifest(tmp_path / "out").counts.kept == 7
