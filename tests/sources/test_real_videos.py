"""The named video sources on real files, where they are there, in upstream's layout."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from manifests.manifest import read_manifest
from tests.corpus import run_recipe

DATA = Path(__file__).resolve().parents[2] / "../shared/data"
POCUS = DATA / "us-lung-video-pocovid"
LEFT_OUT = ("Reg_Image*", "Reg_pat2*", "Pneu_pros*", "Cov_recommendations*")
LIMITS = {"failed": 1.0}

pytestmark = [pytest.mark.slow, pytest.mark.shared_data]


@pytest.mark.skipif(not POCUS.is_dir(), reason="the shared lung ultrasound clips are not here")
def test_real_lung_ultrasound_becomes_samples_and_no_row_is_lost(tmp_path: Path) -> None:
    """14 rows; the 4 images and 4 of the 10 clips are there, MP4, MOV and MPEG, two of them one recording under two
    labels. Real quirks: capitals in folders, `data/` before some, `Image` and `image`."""
    root = tmp_path / "pocus_lung"
    shutil.copytree(POCUS, root, ignore=shutil.ignore_patterns("SOURCE.json", "Reg_pat1*_133232*", *LEFT_OUT))
    recipe = tmp_path / "recipe.yaml"
    keep = {"faces": {"keep": "ultrasound"}, "burned_in": {"keep": "as upstream shows it"}}
    recipe.write_text(
        yaml.safe_dump({"sources": [{"source": "pocus_lung", "root": str(root)}], "deidentify": keep, "limits": LIMITS})
    )
    manifest = run_recipe(recipe, tmp_path / "out").manifest
    parts = read_manifest(tmp_path / "out").ledger
    rows = [row for part in parts for row in pq.read_table(tmp_path / "out" / part.path).to_pylist()]
    media = [row for row in rows if row["reason"] != "not_a_record"]
    assert len(media) == 14
    assert sum(row["reason"] == "media_missing" for row in media) == 6
    assert manifest.counts.kept >= 6
    assert not any("Lotte" in str(row) for row in rows)  # the patient whom the table names
