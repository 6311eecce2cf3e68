"""DICOM folders through a whole run and back out of the shards: voxels and places are those of the NIfTI beside them.

The truths are dcm2niix's and the data sets' authors'. Philips' enhanced file differs on purpose: its authors' NIfTI
holds stored * RS + RI, ours the precise values that dcm2niix makes (Chenevert et al. 2014); one is a line in the other.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from numpy.typing import NDArray

from curate.explain import explain
from curate.keyring import Keyring
from curate.sweep.record import sealed_part
from manifests.manifest import read_manifest
from sources.base import list_files
from tests.corpus import run_recipe

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.shared_data,
    pytest.mark.skipif(not SHARED.is_dir(), reason="the licensed data beside the checkout (../shared/data) are absent"),
]
ROOTS = {
    "head": "dicom-ct-head-slicer",
    "total": "ct-totalsegmentator/example_ct_dicom",
    "qa": "dicom-dcm_qa_nih",
    "d2n": "dicom-dicom2nifti",
    "seg": "dicom-seg-dcmqi",
    "rt": "dicom-rtstruct-rt-utils",
}
KEEP = {"keep": "phantoms and licensed test data"}
nibabel: Any = importlib.import_module("nibabel")  # its functions are not annotated
Array = NDArray[Any]


@dataclass
class Story:
    """One volume as a reader of the shards finds it: voxels (z, y, x), masks by label, what its JSON says."""

    voxels: Array
    masks: dict[str, Array]
    sample: dict[str, Any]
    row: dict[str, Any] = field(default_factory=dict)

    @property
    def affine(self) -> Array:
        return np.array(self.sample["media"][0]["affine"])

    @property
    def facts(self) -> dict[str, str]:
        return {f["name"]: f["value"] for f in self.sample["facts"]}

    @property
    def notes(self) -> str:
        return str([s for s in self.row["steps"] if s["name"] == "stack"])


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("truth")
    sources = [{"source": "dicom_tree", "name": n, "root": str(SHARED / r)} for n, r in ROOTS.items()]
    recipe = {
        "sources": sources,
        "deidentify": {"profile": "basic", "faces": KEEP, "burned_in": KEEP},
        "render": {"volume": "canonical"},
        "tasks": ["caption"],
        "stages": ["pretrain"],
    }
    (folder / "truth.yaml").write_text(yaml.safe_dump(recipe))
    run_recipe(folder / "truth.yaml", folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def rows(out: Path) -> list[dict[str, Any]]:
    """The ledger, with the file names for which pseudonyms stand (they hold study dates and device numbers)."""
    manifest = read_manifest(out)
    ring = Keyring.load(manifest.recipe["name"], manifest.recipe["seed"])
    parts = {part for root in ROOTS.values() for path in list_files(SHARED / root, False) for part in path.split("/")}
    names = {sealed_part(part, ring): part for part in parts}
    found = [row for part in manifest.ledger for row in pq.read_table(out / part.path).to_pylist()]
    for file in (file for row in found for file in row["lineage"]):
        file["path"] = "/".join(names.get(part, part) for part in file["path"].split("/"))
    return found


@pytest.fixture(scope="module")
def stories(out: Path, rows: list[dict[str, Any]]) -> list[Story]:
    known = {row["key"]: row for row in rows}
    found = []
    for shard in read_manifest(out).shards:
        with tarfile.open(out / shard.path) as tar:
            members = {m.name: partial(tar.extractfile, m) for m in tar.getmembers()}
            names = [n for n in members if n.endswith(".json")]
            for name in names:
                sample = json.loads(_read(members[name]))
                if sample["kind"] == "volume":
                    found.append(_story(sample, members, name.removesuffix("json")))
                    found[-1].row = known[sample["record"]]
    return found


def _read(member: Any) -> bytes:
    data: bytes = member().read()
    return data


def _story(sample: dict[str, Any], members: dict[str, Any], prefix: str) -> Story:
    def array(name: str) -> Array:
        values: Array = np.load(io.BytesIO(gzip.decompress(_read(members[prefix + name]))), allow_pickle=False)
        return values

    image, *masks = sample["media"]
    return Story(
        array(image["member"]), {m["label"]: array(m["member"]) == m["value"] for m in masks if m["label"]}, sample
    )


def of(stories: list[Story], source: str, path: str) -> list[Story]:
    """The volumes whose first file is below a folder, by time."""
    found = [s for s in stories if s.sample["source"] == source and s.row["lineage"][0]["path"].startswith(path)]
    return sorted(found, key=lambda s: int(s.facts.get("time_point", "1")))


def _ras(voxels: Array, affine: Array) -> Any:
    return nibabel.as_closest_canonical(nibabel.Nifti1Image(voxels.T.astype(np.float64), affine))


def assert_same(story: Story, truth: Array, affine: Array, mask: Array | None = None) -> None:
    """In RAS+ order: the same voxels (integers exactly, others to float32), every corner within 0.001 mm. `truth` is
    (x, y, z)."""
    ours = _ras(story.voxels if mask is None else mask, story.affine)
    theirs = nibabel.as_closest_canonical(nibabel.Nifti1Image(truth.astype(np.float64), affine))
    assert ours.shape == theirs.shape
    ends = [(0, n - 1) for n in ours.shape]
    corners = np.array([(x, y, z, 1) for x in ends[0] for y in ends[1] for z in ends[2]], float).T
    assert np.abs((ours.affine - theirs.affine) @ corners).max() <= 1e-3
    exact = mask is not None or story.voxels.dtype.kind in "iu"
    np.testing.assert_allclose(ours.get_fdata(), theirs.get_fdata(), rtol=0 if exact else 1e-6, atol=0)
    assert np.ptp(theirs.get_fdata()) > 0, "an image of one value proves nothing"


def test_every_file_has_one_end_and_the_counts_balance(out: Path, rows: list[dict[str, Any]]) -> None:
    for name, root in ROOTS.items():
        paths = {f["path"] for r in rows if r["source"] == name for f in r["lineage"]}
        assert sorted(paths) == list_files(SHARED / root, is_package=False)
    counts = read_manifest(out).counts
    assert counts.read == len(rows) == counts.kept + sum(counts.dropped.values()) + counts.duplicate
    assert counts.failed == {}
    assert set(counts.dropped) == {"not_a_record", "no_pixels", "dangling_reference"}
    kinds = {r["upstream_id"]: r["kind"] for r in rows if r["source"] == "d2n" and r["status"] == "kept"}
    singles = ("ge/anatomical", "generic/rgb", "failing/slicecount", "failing/sliceorientation")
    assert all(kinds[name] == ("image" if name.startswith(singles) else "volume") for name in kinds)
    assert sum(kind == "image" for kind in kinds.values()) == 1 + 4 + 2 + 4
    (dropped,) = [r for r in rows if r["upstream_id"].endswith("001_ground_truth.nii.gz") and "rgb" in r["upstream_id"]]
    assert dropped["reason"] == "not_a_record"


@pytest.mark.parametrize(
    ("source", "folder", "truth"),
    [
        ("head", "CTHeadAxialDicom", "dicom-ct-head-slicer/expected/ct_head_dcm2niix.nii.gz"),
        ("d2n", "generic/anatomical", "dicom-dicom2nifti/generic/anatomical/002_non_isotropic_ground_truth.nii.gz"),
        ("d2n", "generic/compressed_rle", "dicom-dicom2nifti/generic/compressed_rle/001_ground_truth.nii.gz"),
        ("d2n", "hitachi/anatomical", "dicom-dicom2nifti/hitachi/anatomical/001_ground_truth.nii.gz"),
    ],
)
def test_a_series_is_its_nifti(stories: list[Story], source: str, folder: str, truth: str) -> None:
    (story,) = of(stories, source, folder)
    image = nibabel.load(SHARED / truth)
    assert_same(story, np.asarray(image.dataobj), image.affine)


def test_the_abdomen_has_the_hash_that_was_noted(stories: list[Story]) -> None:
    (story,) = of(stories, "total", "")
    noted = json.loads((SHARED / "ct-totalsegmentator/expected/dicom_dcm2niix.summary.json").read_text())
    stored = np.asfortranarray(story.voxels[:, ::-1].T)  # dcm2niix writes rows from below
    hashes = {hashlib.sha256(stored.astype(t).tobytes("F")).hexdigest() for t in ("<i2", "<f4", "<f8")}
    assert noted["voxel_sha256_little_endian_F_order"] in hashes
    assert (story.voxels.min(), story.voxels.max()) == (noted["min"], noted["max"])
    assert_same(story, stored, np.array(noted["affine"]))
    labels = nibabel.load(SHARED / "ct-totalsegmentator/example_seg_dicom.nii.gz")
    np.testing.assert_allclose(labels.affine, noted["affine"], atol=1e-4)


@pytest.mark.parametrize(
    ("folder", "truth", "times"),
    [
        ("In/20180918GE/mr_0004", "DCM2NIIX_regression_test_4.nii", 10),
        ("In/20180918Si/mr_0003", "EPI_PE=AP_3.nii", 2),
        ("In/20180918Si/mr_0004", "EPI_PE=PA_4.nii", 2),
    ],
)
def test_every_time_point_is_that_of_the_4d_nifti(stories: list[Story], folder: str, truth: str, times: int) -> None:
    found = of(stories, "qa", folder)
    assert [(s.facts["time_point"], s.facts["time_points"]) for s in found] == [
        (str(t + 1), str(times)) for t in range(times)
    ]
    image = nibabel.load(SHARED / "dicom-dcm_qa_nih/Ref" / truth)
    for t, story in enumerate(found):
        assert_same(story, np.asarray(image.dataobj)[..., t], image.affine)


def test_philips_values_are_precise_and_say_so(stories: list[Story]) -> None:
    (story,) = of(stories, "d2n", "philips_enhanced")
    image = nibabel.load(SHARED / "dicom-dicom2nifti/philips_enhanced/anatomical/001_ground_truth.nii.gz")
    assert "philips_precise_scaling" in story.notes
    ours, theirs = _ras(story.voxels, story.affine), nibabel.as_closest_canonical(image)
    np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-3)
    precise, standard = ours.get_fdata(), theirs.get_fdata()[..., 0]
    slope, offset = np.polyfit(precise.ravel(), standard.ravel(), 1)
    np.testing.assert_allclose(precise * slope + offset, standard, atol=1e-6 * np.ptp(standard))
    assert not np.isclose(slope, 1)


def test_segmentations_are_the_label_maps_that_they_were_made_from(stories: list[Story]) -> None:
    (liver,) = of(stories, "seg", "segmentations/ct-3slice")
    folder = SHARED / "dicom-seg-dcmqi/segmentations"
    truth, affine = _nrrd(folder / "liver_seg.nrrd")
    assert_same(liver, truth > 0, affine, liver.masks["liver"])
    maps = [_nrrd(folder / f"partial_overlaps-{n}.nrrd") for n in "123"]
    parts = [(labels == value, place) for labels, place in maps for value in np.unique(labels[labels > 0])]
    others = [mask for label, mask in liver.masks.items() if label != "liver"]
    assert len(others) == len(parts) == 5
    for mask in others:
        ((part, place),) = [(p, a) for p, a in parts if np.array_equal(p.T, mask)]
        assert_same(liver, part, place, mask)
    (small,) = of(stories, "seg", "segmentations/24x38x3/image")
    truth, affine = _nrrd(folder / "24x38x3/nrrd/label.nrrd")
    (mask,) = small.masks.values()
    assert_same(small, truth > 0, affine, mask)
    (multi,) = of(stories, "seg", "segmentations/24x38x3/multiframe")
    np.testing.assert_array_equal(multi.voxels, small.voxels)
    np.testing.assert_allclose(multi.affine, small.affine, atol=1e-6)


def _nrrd(path: Path) -> tuple[Array, Array]:
    """(x, y, z) and the affine to RAS+ mm, read by SimpleITK."""
    sitk: Any = importlib.import_module("SimpleITK")
    image = sitk.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image).T, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def test_explain_tells_what_was_done_to_make_a_volume(out: Path, stories: list[Story]) -> None:
    (tilted,) = of(stories, "d2n", "failing/gantrytilting")
    assert "gantry_tilt_corrected:-14.00deg" in explain(out, tilted.row["key"])
    (marked,) = of(stories, "seg", "segmentations/ct-3slice")
    told = explain(out, marked.row["key"])
    assert "liver.dcm (mask" in told
    assert "5 structures" in told
    (oblique,) = of(stories, "rt", "o")
    assert "duplicate_slices_dropped:1" in explain(out, oblique.row["key"])
