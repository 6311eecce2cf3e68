"""A small real corpus for tests: a DICOM tree, a volume with masks, images with a table, text with flaws."""

from __future__ import annotations

import importlib
import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pydicom.data
import yaml

from curate.recipe import load
from curate.run import Options, Result, run

DICOM = ("CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "MR_truncated.dcm", "rtplan.dcm", "README.txt")
SENTENCES = (
    "The heart is of normal size and the lungs are clear without focal consolidation or pleural effusion.",
    "There is a small nodule in the right upper lobe which has not changed since the prior examination.",
    "Moderate degenerative change of the thoracic spine is seen, and no acute fracture is identified today.",
)


def packaged(name: str) -> Path:
    """A file of pydicom's own test data."""
    return Path(pydicom.data.get_testdata_file(name, download=False) or _test_files() / name)


def _test_files() -> Path:
    spec = find_spec("pydicom")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "data" / "test_files"


def make_corpus(root: Path) -> Path:
    """Write the corpus and its recipe; the recipe's path."""
    tree = root / "scans" / "a"
    tree.mkdir(parents=True)
    for name in DICOM:
        shutil.copy(_test_files() / name, tree / name)
    make_volume(root / "msd")
    lines = [
        {"q": f"Is finding {n} present?", "a": "yes" if n % 2 else "no", "t": text} for n, text in enumerate(SENTENCES)
    ]
    lines.append(dict(lines[0]))  # an exact duplicate
    rows = [json.dumps(line) for line in lines] + ["{broken", ""]
    (root / "qa.jsonl").write_text("\n".join(rows))
    recipe = root / "small.yaml"
    recipe.write_text(yaml.safe_dump(recipe_of()))
    return recipe


def make_volume(root: Path) -> None:
    """A real T1 crop with a map of three labels in the Medical Segmentation Decathlon's layout."""
    spec = find_spec("nibabel")
    assert spec is not None
    assert spec.origin is not None
    nibabel: Any = importlib.import_module("nibabel")  # its functions are not annotated
    source = nibabel.load(Path(spec.origin).parent / "tests" / "data" / "anatomical.nii")
    voxels = np.asarray(source.dataobj)
    labels = np.zeros(voxels.shape, np.uint8)
    labels[:16][voxels[:16] > np.percentile(voxels, 75)] = 1
    labels[16:][voxels[16:] > np.percentile(voxels, 75)] = 2
    labels[8:16, 8:26, 8:16] = 0
    labels[10:14, 10:13, 10:14] = labels[10:14, 18:24, 10:14] = 3  # two, clearly apart
    for folder, data in (("imagesTr", voxels), ("labelsTr", labels)):
        (root / folder).mkdir(parents=True)
        nibabel.save(nibabel.Nifti1Image(data, source.affine), root / folder / "case_1.nii.gz")


SMALL = (
    "select.split.val=0.5",
    "tasks=[source_text, qa, caption, {task: measure, max_questions: 40}, mcq]",  # measure: of all its families
)


def recipe_of() -> dict[str, Any]:
    return {
        "name": "small",
        "seed": 3,
        "sources": [
            {"source": "dicom_tree", "root": "scans", "licence": "MIT"},
            {
                "source": "nifti_masks",
                "root": "msd",
                "licence": "CC-BY-SA-4.0",
                "labels": {1: "left part", 2: "right part", 3: "nodules"},
                "facts": {"modality": "MR"},
            },
            {
                "source": "jsonl_text",
                "root": "qa.jsonl",
                "question": "q",
                "answer": "a",
                "text": "t",
                "licence": "MIT",
            },
        ],
        "deidentify": {"faces": {"keep": "packaged test data"}, "burned_in": {"keep": "packaged test data"}},
        "limits": {"failed": 0.5},
    }


def run_recipe(recipe: Path, out: Path, *overrides: str, work: Path | None = None, workers: int = 0) -> Result:
    """Run a recipe as the command line does, in a plain loop unless told otherwise."""
    loaded, folder = load(str(recipe), overrides)
    options = Options(out=out, work=work or out / ".work", recipe_folder=folder, workers=workers, quiet=True)
    return run(loaded, options)
