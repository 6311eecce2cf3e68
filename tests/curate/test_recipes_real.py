"""The systems' recipes on real files: what `../shared/data` holds, put into upstreams' layouts.

Real: VQA-RAD's images and questions, lung ultrasound clips, ISIC's dermoscopy, a CT. Of CT-RATE the volume is
a real CT of TotalSegmentator, and its report is invented here, since no report of CT-RATE may be shipped.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curate.audit import verify
from curate.recipe import load
from curate.run import Options, run
from manifests.manifest import read_manifest
from sources import mini

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.shared_data,
    pytest.mark.skipif(not SHARED.is_dir(), reason="the licensed data beside the checkout (../shared/data) are absent"),
]
REPORT = {
    "ClinicalInformation_EN": "Cough.", "Technique_EN": "CT of the chest without contrast.",
    "Findings_EN": "The trachea is in the midline. No pleural effusion is seen. The heart is of normal size.",
    "Impressions_EN": "No acute finding.",
}  # fmt: skip
WANTED = {
    "fleming_vl_pretrain": {"ct_rate"},
    "fleming_vl_sft": {"vqa_rad", "pocus_lung", "isic", "ct_rate"},
    "fleming_vl_rlvr": {"vqa_rad", "pocus_lung"},
    "infimed_sft": {"vqa_rad"},
    "infimed_rlvr": {"vqa_rad"},
    "infimed2": {"vqa_rad"},
    "medm_vl_2d": {"vqa_rad"},
    "medm_vl_ct_chest": {"ct_rate"},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("real")
    shutil.copytree(SHARED / "vqa-rad-subset", root / "vqa_rad", ignore=shutil.ignore_patterns("SOURCE.json"))
    clips = shutil.ignore_patterns("SOURCE.json", "Reg_pat1*_133232*", "Reg_Image*")
    shutil.copytree(SHARED / "us-lung-video-pocovid", root / "pocus_lung", ignore=clips)
    (root / "isic").mkdir()
    table = []
    for image in ("ISIC_0000000", "ISIC_0000001"):
        shutil.copy(SHARED / f"dermoscopy-isic/{image}.jpg", root / "isic")
        told = json.loads((SHARED / f"dermoscopy-isic/{image}.metadata.json").read_bytes())["meta"]
        clinical = {k: told["clinical"][k] for k in ("age_approx", "benign_malignant", "diagnosis", "sex")}
        table.append({"isic_id": image, **clinical, "image_type": told["acquisition"]["image_type"]})
    mini.table(root / "isic/metadata.csv", table)
    volume = root / "ct_rate/dataset/train_fixed/train_1/train_1_a/train_1_a_1.nii.gz"
    volume.parent.mkdir(parents=True)
    shutil.copy(SHARED / "ct-totalsegmentator/example_ct_sm.nii.gz", volume)
    reports = root / "ct_rate/dataset/radiology_text_reports/train_reports.csv"
    mini.table(reports, [{"VolumeName": "train_1_a_1.nii.gz", **REPORT}])
    return root


@pytest.mark.parametrize("name", sorted(WANTED))
def test_a_system_s_recipe_makes_samples_of_real_files(
    name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDCURATE_KEY", "a key of these tests alone")
    recipe, folder = load(name, ("limits.failed=1.0", "deidentify.burned_in={keep: licensed test data}"))
    work = data.parent / f"{data.name}-work"
    options = Options(out=tmp_path / "out", work=work, recipe_folder=folder, data=data, workers=0, quiet=True)
    manifest = run(recipe, options).manifest
    parts = read_manifest(tmp_path / "out").ledger
    rows = [row for part in parts for row in pq.read_table(tmp_path / "out" / part.path).to_pylist()]
    assert WANTED[name] <= {row["source"] for row in rows if row["samples"]}
    lacking = {"pretrain"} if name == "infimed2" else set()  # its texts and captions are of sources that are not here
    assert {shard.stage for shard in manifest.shards} == set(recipe.stages) - lacking
    assert not {row["reason"] for row in rows} & {"unexpected_error", "parser_died", "not_listed"}
    assert set(manifest.absent) == {s.called for s in recipe.sources} - {row["source"] for row in rows}
    assert verify(tmp_path / "out").ok
