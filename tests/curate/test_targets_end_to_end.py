"""Render targets from the recipe to the shards: what is stored and said, what is lost, what an edit runs again."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from curate.audit import verify
from curate.render import RenderConfig
from curate.report import page
from curate.units import FUNCTIONS
from manifests.manifest import read_manifest
from tests.corpus import run_recipe

BONE = {"target": "grid", "spacing_mm": [4, 3, 3], "shape": [8, 12, 14], "window": "bone"}
LUNG = {"target": "key_slices", "count": 4, "window": "lung"}
WITH_VIDEO = importlib.util.find_spec("av") and importlib.util.find_spec("imageio_ffmpeg")
TARGETS: dict[str, tuple[Any, tuple[int, ...], str, int]] = {  # target: stored shape, dtype, tokens
    "m3d": ("m3d_32x256x256", (32, 256, 256), "float32", 256),
    "fleming": ({"target": "fleming_11x448", "orientation": "display"}, (11, 448, 448), "uint8", 2816),
    "key_slices": (LUNG, (4, 24, 28), "uint8", 1024),
    "grid": (BONE, (8, 12, 14), "uint8", 0),
    "hulu": ("hulu_180", (180, 24, 28), "uint8", 0),
    "deeptumor": ("deeptumor_mp4", (20, 24, 28, 3), "uint8", 0),
}


def write_case(root: Path, seed: int) -> None:
    """A body of soft tissue with two organs and noise, in HU, in the Decathlon's layout: 20 x 24 x 28 at 3 x 2 x 2."""
    nibabel: Any = importlib.import_module("nibabel")  # its functions are not annotated
    x, y, z = np.indices((28, 24, 20))
    organs = np.zeros(x.shape, np.uint8)
    organs[(x - 8) ** 2 + (y - 10 - seed) ** 2 + ((z - 10) * 1.5) ** 2 < 40] = 1
    organs[(x - 20) ** 2 + (y - 16 + 3 * seed) ** 2 + ((z - 9) * 1.5) ** 2 < 25] = 2
    noise = np.random.default_rng(seed).normal(0, 12, x.shape)
    body = (x - 13.5) ** 2 / 150 + (y - 11.5) ** 2 / 110 < 1
    voxels = np.where(body, 40 + 30 * organs + noise, -1000).astype(np.int16)
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    for folder, data in (("imagesTr", voxels), ("labelsTr", organs)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(data, affine), root / folder / f"case_{seed}.nii.gz")


def recipe_of(root: Path, target: Any, **modalities: str) -> Path:
    """A recipe over folders of `root`: a name and its modality each."""
    labels = {1: "liver", 2: "spleen"}
    source = {"source": "nifti_masks", "licence": "MIT", "labels": labels}
    sources = [{**source, "name": n, "root": n, "facts": {"modality": m}} for n, m in modalities.items()]
    keep = {"keep": "made for a test"}
    recipe = {"name": "targets", "sources": sources, "deidentify": {"faces": keep, "burned_in": keep}}
    recipe["tasks"] = ["caption", {"task": "measure", "max_questions": 3}, "mcq"]
    path = root / "recipe.yaml"
    path.write_text(yaml.safe_dump({**recipe, "render": {"volume": target}, "limits": {"failed": 0}}))
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("targets")
    for seed in (1, 2):
        write_case(root / "scans", seed)
    run_recipe(recipe_of(root, LUNG, scans="CT"), root / "out")
    return root


def samples_of(out: Path) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for tar in sorted((out / "shards").glob("*.tar")):
        with tarfile.open(tar) as archive:
            texts = [archive.extractfile(entry) for entry in archive if entry.name.endswith(".json")]
            found += [(tar.name, json.loads(text.read())) for text in texts if text]
    return found


def rows_of(out: Path) -> list[dict[str, Any]]:
    return [row for part in read_manifest(out).ledger for row in pq.read_table(out / part.path).to_pylist()]


def executed(work: Path) -> dict[str, int]:
    return {stage: len(list((work / "units" / stage).glob("*/*/done.json"))) for stage in FUNCTIONS}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(TARGETS))
def test_a_target_is_stored_told_proven_and_shown(corpus: Path, tmp_path: Path, name: str) -> None:
    target, shape, dtype, tokens = TARGETS[name]
    if name == "deeptumor" and not WITH_VIDEO:
        pytest.skip("the extra 'video' is not installed")
    work = tmp_path / "work"
    shutil.copytree(corpus / "out/.work", work, copy_function=os.link)
    out = tmp_path / "out"
    run_recipe(recipe_of(corpus, target, scans="CT"), out, work=work)
    assert verify(out).findings == ()
    samples = [sample for _, sample in samples_of(out)]
    shown = [sample["media"][0] for sample in samples]
    assert {(tuple(m["shape"]), m["dtype"], m["visual_tokens"]) for m in shown} == {(shape, dtype, tokens)}
    assert all(m["affine"] and m["target"].startswith(name.partition("_")[0]) for m in shown)
    assert len({json.dumps({key: type(value).__name__ for key, value in m.items()}) for m in shown}) == 1
    layouts = {(s["stage"], tuple(sorted({m["member"] for m in s["media"]}))) for s in samples}
    assert len({tar for tar, _ in samples_of(out)}) == len(layouts)  # a shard for each stage, with masks and without
    assert {sample["stage"] for sample in samples} == {"pretrain", "sft", "rlvr"}
    assert page(out).count("<img ") == 2


@pytest.mark.slow
def test_an_edited_target_presents_anew_and_reads_nothing(corpus: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    shutil.copytree(corpus / "out/.work", work, copy_function=os.link)
    counts = [executed(work)]
    for target in ({**LUNG, "window": "bone"}, LUNG):
        result = run_recipe(recipe_of(corpus, target, scans="CT"), tmp_path / "out", work=work)
        counts.append(executed(work))
        assert result.executed == sum(counts[-1].values()) - sum(counts[-2].values())
    assert {stage for stage in FUNCTIONS if counts[1][stage] > counts[0][stage]} == {"present", "synthesize", "pack"}
    assert counts[2] == counts[1]  # the first target's units are still there


@pytest.mark.slow
def test_a_record_that_cannot_be_shown_gives_its_place_to_its_duplicate(tmp_path: Path) -> None:
    """Two sources of the same bytes, one told to be MR, which no window in HU can show."""
    write_case(tmp_path / "first", 1)
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    first, second = ({"first": a, "second": b} for a, b in (("MR", "CT"), ("CT", "MR")))
    ends = []
    for number, modalities in enumerate((first, second)):
        out = tmp_path / f"out{number}"
        recipe = recipe_of(tmp_path, LUNG, **modalities)
        result = run_recipe(recipe, out)
        volumes = {row["source"]: row for row in rows_of(out) if row["kind"] == "volume"}
        by_modality = {modalities[source]: row for source, row in volumes.items()}
        ends.append({modality: (row["status"], row["reason"]) for modality, row in by_modality.items()})
        counts = result.manifest.counts
        assert counts.read == counts.kept + sum(counts.dropped.values()) + counts.duplicate
        assert by_modality["CT"]["status"] == "kept"
        assert {sample["source"] for _, sample in samples_of(out)} == {by_modality["CT"]["source"]}
        assert verify(out).findings == ()
        assert run_recipe(recipe, out).executed == 0
    assert ("dropped", "not_hu") in [end["MR"] for end in ends]  # of the two orders one had kept the MR


@pytest.mark.slow
def test_an_mr_beside_a_ct_is_dropped_with_its_reason(tmp_path: Path) -> None:
    for seed, name in ((1, "ct"), (2, "mr")):
        write_case(tmp_path / name, seed)
    out = tmp_path / "out"
    result = run_recipe(recipe_of(tmp_path, LUNG, ct="CT", mr="MR"), out)
    assert (result.manifest.counts.kept, result.manifest.counts.dropped["not_hu"]) == (1, 1)
    (lost,) = [row for row in rows_of(out) if row["reason"] == "not_hu"]
    assert lost["source"] == "mr"
    assert "window 'lung'" in lost["found"]
    assert lost["remedy"]
    assert verify(out).findings == ()


def test_what_a_grid_leaves_of_a_mask_decides_whether_it_travels(tmp_path: Path) -> None:
    """A crop about the middle holds a part of the spleen or none: no entry names an empty mask."""
    from curate.arrays import Volume
    from curate.render import render_volume

    spleen, liver = np.zeros((2, 10, 20, 30), np.uint8)
    spleen[4, 4, 1:4] = 1
    liver[4:7, 9:12, 12:18] = 1
    voxels = np.arange(6000, dtype=np.int16).reshape(10, 20, 30)
    volume = Volume(voxels, np.diag([1.0, 1.0, 1.0, 1.0]), "HU", masks={"spleen": spleen, "liver": liver})
    target = RenderConfig.model_validate({"volume": {"target": "grid", "spacing_mm": [1, 1, 1], "shape": [8, 12, 12]}})
    made = render_volume(volume, target.volume)
    assert [(m.kind, m.label) for m, _ in made] == [("volume", ""), ("mask", "liver")]
