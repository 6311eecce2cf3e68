"""Media that show the same, through the real stages: which records go, which are linked, which split they go to."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from scipy.ndimage import gaussian_filter, zoom

from curate.arrays import Frames
from curate.audit import verify
from curate.looks.config import LooksConfig
from curate.looks.pairs import Candidate, Hit
from curate.looks.rows import is_looks, to_bytes
from curate.looks.sketch import clip_sketch
from curate.looks.video import video_looks
from curate.matching import confirm
from curate.matching.recall import packed
from curate.store import file_sha256
from curate.video import canonical_clip, ffmpeg_binary, read_frames
from manifests.manifest import merkle_root
from manifests.record import canonical_json
from manifests.schema import row_digest
from tests.corpus import run_recipe

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
DCM2NIIX = shutil.which("dcm2niix", path=str(Path(sys.executable).parent)) or shutil.which("dcm2niix")
AFFINE = np.diag([1.5, 1.5, 2.0, 1.0])


def anatomy(seed: int, shape: tuple[int, int, int] = (72, 64, 60)) -> np.ndarray[Any, Any]:
    """A body-like scan (x, y, z): an ellipsoid with organs of its own, int16."""
    rng = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    body = (x / 0.85) ** 2 + (y / 0.75) ** 2 < 1
    inner = gaussian_filter(rng.normal(size=shape), 3) * 9000 + gaussian_filter(rng.normal(size=shape), 1) * 300
    return np.where(body, 60 + inner + 80 * z, -900).astype(np.int16)


def save(path: Path, voxels: np.ndarray[Any, Any], affine: np.ndarray[Any, Any] = AFFINE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image: Any = nibabel.Nifti1Image  # not annotated
    nibabel.save(image(voxels, affine), path)


def slice_png(path: Path, voxels: np.ndarray[Any, Any], z: int, window: tuple[float, float] = (-400, 700)) -> None:
    """An axial slice as a viewer shows it: anterior up, the patient's right on the left, windowed, JPEG."""
    plane = np.flipud(voxels[:, :, z].T.astype(float))
    shown = np.clip((plane - window[0]) / (window[1] - window[0]), 0, 1) * 255
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(np.rint(shown).astype(np.uint8)).resize((256, 228)).save(path, quality=85)


def corpus(root: Path) -> Path:
    """Two scans as NIfTI; copies of the first turned and resampled, and cropped; a slice of each as a picture."""
    first, second = anatomy(1), anatomy(2)
    save(root / "a/first.nii.gz", first)
    save(root / "a/second.nii.gz", second)
    turned = AFFINE.copy()
    turned[0] *= -1
    turned[0, 3] = 1.5 * 71
    small = zoom(first.astype(float), (0.8, 0.8, 1.0), order=1).astype(np.int16)
    scaled = turned @ np.diag([72 / small.shape[0], 64 / small.shape[1], 1, 1])
    save(root / "b/copy.nii.gz", small[::-1].copy(), scaled)
    save(root / "b/crop.nii.gz", np.ascontiguousarray(first[:, :, 12:44]))
    for name, scan in (("one", first), ("two", second)):
        slice_png(root / f"c/{name}.jpg", scan, 29)
    (root / "c/table.csv").write_text("image,text\none.jpg,a slice\ntwo.jpg,another slice\n")
    recipe = {
        "name": "matching",
        "deidentify": {"faces": {"keep": "synthetic"}},
        "sources": [
            {"source": "nifti_masks", "name": "a", "root": "a", "licence": "CC0-1.0", "priority": 1},
            {"source": "nifti_masks", "name": "b", "root": "b", "licence": "CC0-1.0"},
            {
                "source": "image_table", "name": "c", "root": "c", "table": "table.csv", "image": "image",
                "text": "text", "licence": "CC0-1.0",
            },
        ],
        "select": {"split": {"val": 0.3, "test": 0.3}},
    }  # fmt: skip
    path = root / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def ledger_of(out: Path) -> dict[str, dict[str, Any]]:
    rows = [r for part in sorted(out.glob("ledger/*.parquet")) for r in pq.read_table(part).to_pylist()]
    return {r["source_uri"]: r for r in rows}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, Any]]]:
    root = tmp_path_factory.mktemp("matching")
    run_recipe(corpus(root), root / "out")
    return root, ledger_of(root / "out")


def links(row: dict[str, Any]) -> list[dict[str, Any]]:
    return list(json.loads(row["links"] or "[]"))


@pytest.mark.slow
def test_a_scan_resampled_and_turned_or_cropped_is_one_record(made: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    _, rows = made
    scan = rows["a/first.nii.gz"]
    assert scan["status"] == rows["a/second.nii.gz"]["status"] == "kept"
    for name in ("b/copy.nii.gz", "b/crop.nii.gz"):
        assert rows[name]["duplicate_of"] == scan["key"]
        evidence = json.loads(rows[name]["evidence"])
        assert (evidence["method"], evidence["matched"]) == ("looks", scan["key"])
        assert evidence["score"] >= evidence["threshold"]


@pytest.mark.slow
def test_a_picture_is_linked_to_the_scan_and_the_slice_that_it_shows(
    made: tuple[Path, dict[str, dict[str, Any]]],
) -> None:
    _, rows = made
    for name, scan in (("c/one.jpg", "a/first.nii.gz"), ("c/two.jpg", "a/second.nii.gz")):
        own = [one for one in links(rows[name]) if one["to"] == rows[scan]["key"]]
        assert [(o["relation"], o["axis"]) for o in own] == [("slice_of", "z")]
        assert abs(own[0]["index"] - 29) <= 1
        other = rows["a/second.nii.gz" if scan == "a/first.nii.gz" else "a/first.nii.gz"]["key"]
        assert other not in {one["to"] for one in links(rows[name])}
        assert rows[name]["split"] == rows[scan]["split"]


@pytest.mark.slow
def test_a_slice_moved_to_another_split_fails_verification(
    made: tuple[Path, dict[str, dict[str, Any]]], tmp_path: Path
) -> None:
    root, rows = made
    assert verify(root / "out").findings == ()
    out = tmp_path / "out"
    shutil.copytree(root / "out", out, ignore=shutil.ignore_patterns(".work"))
    split = {"train": "test", "test": "train", "val": "train"}[rows["c/one.jpg"]["split"]]
    rewrite_ledger(out, {rows["c/one.jpg"]["key"]: {"split": split}})
    found = {f.check for f in verify(out).findings}
    assert "split_leak" in found


def rewrite_ledger(out: Path, changes: dict[str, dict[str, Any]]) -> None:
    """Change rows, and all digests that speak of them: a forger who knows the format."""
    manifest = json.loads((out / "manifest.json").read_text())
    digests = []
    for part in manifest["ledger"]:
        table = pq.read_table(out / part["path"])
        changed = [row | changes.get(row["key"], {}) for row in table.to_pylist()]
        digests += [row_digest(row) for row in changed]
        pq.write_table(pa.Table.from_pylist(changed, schema=table.schema), out / part["path"], compression="zstd")
        part["sha256"] = file_sha256(out / part["path"])
    manifest["roots"]["ledger"] = merkle_root(digests)
    (out / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.slow
def test_media_of_two_splits_that_show_the_same_are_found_though_nobody_linked_them(tmp_path: Path) -> None:
    recipe = corpus(tmp_path)
    for seed in range(20):
        out = tmp_path / f"out{seed}"
        run_recipe(recipe, out, "select.near_duplicates.media=null", f"seed={seed}", work=tmp_path / "work")
        rows = ledger_of(out)
        if rows["c/two.jpg"]["split"] != rows["a/second.nii.gz"]["split"]:
            break
    assert verify(out).findings == ()
    found = [f.found for f in verify(out, media=True).findings]
    assert any("slice z 29" in one for one in found)
    linked = tmp_path / "linked"
    run_recipe(recipe, linked, f"seed={seed}", work=tmp_path / "work")
    assert verify(linked, media=True).findings == ()


@pytest.mark.slow
def test_adding_a_source_confirms_only_pairs_that_it_is_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = corpus(tmp_path)
    whole = yaml.safe_load(recipe.read_text())
    recipe.write_text(yaml.safe_dump(whole | {"sources": whole["sources"][:2]}))
    run_recipe(recipe, tmp_path / "before", work=tmp_path / "work")
    judged: list[tuple[str, str]] = []
    judge = confirm.judge

    def listening(pair: Any, first: Any, second: Any, config: Any) -> Any:
        judged.append((first.record(pair.i).kind, second.record(pair.j).kind))
        return judge(pair, first, second, config)

    monkeypatch.setattr(confirm, "judge", listening)
    recipe.write_text(yaml.safe_dump(whole))
    run_recipe(recipe, tmp_path / "after", work=tmp_path / "work")
    assert judged
    assert all("image" in kinds for kinds in judged)
    before, after = ledger_of(tmp_path / "before"), ledger_of(tmp_path / "after")
    for uri, row in before.items():
        assert (row["status"], row["duplicate_of"]) == (after[uri]["status"], after[uri]["duplicate_of"])


@pytest.mark.slow
def test_linking_alone_keeps_every_scan_and_one_split(tmp_path: Path) -> None:
    run_recipe(corpus(tmp_path), tmp_path / "out", "select.near_duplicates.media=link")
    rows = ledger_of(tmp_path / "out")
    scans = [rows[n] for n in ("a/first.nii.gz", "b/copy.nii.gz", "b/crop.nii.gz", "c/one.jpg")]
    assert {row["status"] for row in scans} == {"kept"}
    assert len({row["split"] for row in scans}) == 1


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_a_series_and_what_dcm2niix_makes_of_it_are_one_record_whichever_is_better_licensed(tmp_path: Path) -> None:
    assert DCM2NIIX, "the dev extra brings dcm2niix"
    root = SHARED / "dicom-ct-head-slicer"
    nifti = tmp_path / "nifti"
    nifti.mkdir()
    subprocess.run([DCM2NIIX, "-z", "y", "-b", "n", "-o", str(nifti), str(root)], check=True, capture_output=True)
    keep = {"faces": {"keep": "a test"}, "burned_in": {"keep": "a test"}}
    for name, priorities in (("a", (1, 0)), ("b", (0, 1))):
        sources = [
            {"source": "dicom_tree", "name": "dicom", "root": str(root), "licence": "MIT", "priority": priorities[0]},
            {"source": "nifti_masks", "name": "nifti", "root": str(nifti), "licence": "MIT", "priority": priorities[1]},
        ]
        recipe = tmp_path / f"{name}.yaml"
        recipe.write_text(yaml.safe_dump({"name": name, "sources": sources, "deidentify": keep}))
        run_recipe(recipe, tmp_path / name, work=tmp_path / "work")
        rows = [r for r in ledger_of(tmp_path / name).values() if r["kind"] == "volume"]
        ends = {r["source"]: r["status"] for r in rows}
        better, worse = ("dicom", "nifti") if priorities == (1, 0) else ("nifti", "dicom")
        assert ends == {better: "kept", worse: "duplicate"}
        assert verify(tmp_path / name).findings == ()


@pytest.mark.slow
def test_a_clip_hashed_frame_by_frame_looks_as_it_does_when_held_whole(tmp_path: Path) -> None:
    picture = "testsrc2=size=160x120:rate=7:duration=9"
    command = [ffmpeg_binary(), "-v", "error", "-f", "lavfi", "-i", picture, "-c:v", "libx264", "-pix_fmt", "yuv420p"]
    subprocess.run([*command, str(tmp_path / "in.mp4")], check=True)
    _, times_s = canonical_clip(tmp_path / "in.mp4", tmp_path / "clip.mp4", None)
    frames = read_frames(tmp_path / "clip.mp4", list(range(len(times_s))), times_s)
    sketch = clip_sketch(tmp_path / "clip.mp4", times_s)
    assert sketch == to_bytes(video_looks(Frames(frames, times_s)))
    assert is_looks(sketch)


@pytest.mark.slow
def test_looks_that_no_medium_has_cost_their_pair_and_not_the_unit(tmp_path: Path) -> None:
    recipe, work = corpus(tmp_path), tmp_path / "work"
    run_recipe(recipe, tmp_path / "out", "select.near_duplicates.media=null", work=work)
    units = work.glob("units/prepare/*/*/rows.parquet")
    (folder,) = [p.parent for p in units if any("first.nii.gz" in r["record"] for r in pq.read_table(p).to_pylist())]
    beyond = [Hit(0, 0, (0, 0), (0, 0), axis, (9_999, 9_999)) for axis in range(3)]
    pairs = [packed(Candidate(0, 1, "volume", (hit,))) for hit in beyond]
    pairs.append(packed(Candidate(0, 0, "volume", (Hit(0, 0, (0, 0), (0, 0), 2, (20, 20)),))))
    spec = confirm.ConfirmSpec(folder.name, folder.name, canonical_json(pairs), LooksConfig())
    assert confirm.work(spec, tmp_path, work) == {"records": 4, "agreed": 1, "unclear": 3}
