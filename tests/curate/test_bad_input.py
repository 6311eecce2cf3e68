"""Bad input costs its own record and no more: a typed reason, the value found, a remedy, and the run goes on."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from curate.audit import verify
from manifests.manifest import read_manifest
from tests.badfiles import CINE, DICOM, MARKS, SHARED, SHARED_DATA, write_dicom
from tests.badmedia import CLIPS, LABELS, PICTURES, POINTS, RANGES, VOLUMES, write_media
from tests.corpus import packaged, run_recipe

pytestmark = pytest.mark.slow
shared = (pytest.mark.shared_data, pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="needs ../shared/data"))
CASES = [
    *((s, n) for s, c in (("dicom", DICOM), ("volumes", VOLUMES), ("pictures", PICTURES), ("clips", CLIPS)) for n in c),
    *(("labelled", f"imagesTr/{name}.nii") for name in LABELS),
    *(("points", f"{name}.nii") for name in POINTS),
    *(("ranges", f"clips.csv#line={n}") for n in range(2, 2 + len(RANGES))),
]
SOUND = {
    ("dicom", "sound.dcm"): "MR_small.dcm",
    ("dicom", "sound/cine.dcm"): CINE,
}
PATIENTS = ("CompressedSamples", "Lestrade", "JANCT", "Sssss", "Regression", "OB^", "PLA", "1CT1", "4MR1", "Toshiba")


@dataclass(frozen=True)
class Outcome:
    out: Path
    reasons: dict[tuple[str, str], str]
    rows: dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    root = tmp_path_factory.mktemp("bad")
    reasons = write_dicom(root) | write_media(root)
    for (source, name), file in SOUND.items():
        (root / source / name).parent.mkdir(exist_ok=True)
        shutil.copy(packaged(file), root / source / name)
    (root / "bad.yaml").write_text(yaml.safe_dump(_recipe(root)))
    run_recipe(root / "bad.yaml", root / "out")
    parts = read_manifest(root / "out").ledger
    rows = [row for part in parts for row in pq.read_table(root / "out" / part.path).to_pylist()]
    return Outcome(root / "out", reasons, _by_file(rows))


def _by_file(rows: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Rows by (source, file) and by (source, file#fragment)."""
    whole = {(row["source"], ref["path"]): row for row in rows for ref in row["lineage"]}
    parts = {(row["source"], f"{ref['path']}#{ref['fragment']}"): row for row in rows for ref in row["lineage"]}
    return whole | parts


def _recipe(root: Path) -> dict[str, Any]:
    points = {"source": "nifti_masks", "landmarks": "{stem}.json"}
    sources: dict[str, dict[str, Any]] = {
        "dicom": {"source": "dicom_tree"},
        "volumes": {"source": "nifti_masks"},
        "pictures": {"source": "image_table"},
        "clips": {"source": "video_table"},
        "labelled": {"source": "nifti_masks", "labels": {1: "part"}},
        "points": points,
        "ranges": {"source": "video_table", "table": "clips.csv", "start": "start", "end": "end"},
    }
    if SHARED_DATA.is_dir():
        sources |= {"shared": {"source": "dicom_tree"}, "marks": {"source": "dicom_tree"}}
    return {
        "name": "bad",
        "sources": [{**keys, "name": name, "root": name, "licence": "MIT"} for name, keys in sources.items()],
        "deidentify": {"faces": {"keep": "packaged test data"}, "burned_in": {"keep": "packaged test data"}},
        "limits": {"failed": 1.0},
    }


def _check_words(outcome: Outcome, *texts: str) -> None:
    """What is said helps, and tells neither where the files lie nor who the patient is."""
    for text in texts:
        assert text
        assert str(outcome.out.parent) not in text
        assert "/etc" not in text
        assert not [name for name in PATIENTS if name in text]


@pytest.mark.parametrize(("source", "name"), CASES, ids=[f"{s}/{n}" for s, n in CASES])
def test_a_bad_file_ends_with_its_reason_what_was_found_and_a_remedy(outcome: Outcome, source: str, name: str) -> None:
    row = outcome.rows[source, name]
    assert row["status"] in ("failed", "dropped")
    assert row["reason"] == outcome.reasons[source, name], (row["reason"], row["found"])
    assert re.fullmatch(r"[0-9a-f]{32}", row["key"])
    _check_words(outcome, row["found"], row["remedy"])


@pytest.mark.parametrize("name", [pytest.param(name, marks=shared) for name in SHARED])
def test_a_bad_multi_frame_file_or_mosaic_ends_with_its_reason(outcome: Outcome, name: str) -> None:
    test_a_bad_file_ends_with_its_reason_what_was_found_and_a_remedy(outcome, "shared", name)


@pytest.mark.parametrize("name", [pytest.param(name, marks=shared) for name in MARKS])
def test_a_bad_segmentation_leaves_its_image_and_stands_in_its_story(outcome: Outcome, name: str) -> None:
    row = outcome.rows["marks", name]
    assert row["status"] in ("kept", "duplicate")
    (mark,) = [step for step in row["steps"] if step["name"] == "mark"]
    assert mark["result"] == f"refused: {MARKS[name][0]}", mark
    _check_words(outcome, mark["params"])


def test_the_run_goes_on_and_the_counts_add_up(outcome: Outcome) -> None:
    assert {outcome.rows[sound]["status"] for sound in SOUND} == {"kept"}
    counts = read_manifest(outcome.out).counts
    assert counts.read == counts.kept + counts.duplicate + sum(counts.dropped.values()) + sum(counts.failed.values())
    assert "unexpected_error" not in counts.failed
    assert verify(outcome.out).ok
