"""Bad input costs its own record and no more: a typed reason, the value found, a remedy, and the run goes on."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from curate.audit import verify
from manifests.manifest import read_manifest
from tests.badfiles import CLIPS, DICOM, PICTURES, VOLUMES, write_all
from tests.corpus import packaged, run_recipe

pytestmark = pytest.mark.slow
CASES = [
    (s, n) for s, c in (("dicom", DICOM), ("volumes", VOLUMES), ("pictures", PICTURES), ("clips", CLIPS)) for n in c
]
SOUND = ("dicom", "sound.dcm")


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[tuple[str, str], str], dict[Any, Any]]:
    root = tmp_path_factory.mktemp("bad")
    expected = write_all(root)
    shutil.copy(packaged("MR_small.dcm"), root / "dicom" / "sound.dcm")
    kinds = {"dicom": "dicom_tree", "volumes": "nifti_masks", "pictures": "image_table", "clips": "video_table"}
    recipe = {
        "name": "bad",
        "sources": [{"source": kind, "name": name, "root": name, "licence": "MIT"} for name, kind in kinds.items()],
        "deidentify": {"faces": {"keep": "packaged test data"}, "burned_in": {"keep": "packaged test data"}},
        "limits": {"failed": 1.0},
    }
    (root / "bad.yaml").write_text(yaml.safe_dump(recipe))
    run_recipe(root / "bad.yaml", root / "out")
    parts = read_manifest(root / "out").ledger
    rows = [row for part in parts for row in pq.read_table(root / "out" / part.path).to_pylist()]
    by_file = {(row["source"], ref["path"]): row for row in rows for ref in row["lineage"]}
    return root / "out", expected, by_file


@pytest.mark.parametrize(("source", "name"), CASES, ids=[f"{s}/{n}" for s, n in CASES])
def test_a_bad_file_ends_with_its_reason_what_was_found_and_a_remedy(
    outcome: tuple[Path, dict[tuple[str, str], str], dict[Any, Any]], source: str, name: str
) -> None:
    _, expected, rows = outcome
    row = rows[source, name]
    assert row["status"] in ("failed", "dropped")
    assert row["reason"] == expected[source, name], (row["reason"], row["found"])
    assert re.fullmatch(r"[0-9a-f]{32}", row["key"])
    assert row["found"]
    assert row["remedy"]
    assert "/tmp" not in row["found"] + row["remedy"]
    assert "CompressedSamples" not in row["found"]  # the patient's name in the CT


def test_the_run_goes_on_and_the_counts_add_up(
    outcome: tuple[Path, dict[tuple[str, str], str], dict[Any, Any]],
) -> None:
    out, expected, rows = outcome
    assert rows[SOUND]["status"] == "kept"
    counts = read_manifest(out).counts
    assert counts.read == counts.kept + counts.duplicate + sum(counts.dropped.values()) + sum(counts.failed.values())
    assert len(expected) >= 40
    assert verify(out).ok
