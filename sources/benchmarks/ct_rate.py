"""CT-RATE's validation set (Hamamci et al. 2024): 1,564 chest CTs of 1,304 patients with reports.

What other 3D benchmarks (3D-RAD, and evaluations of CT-CLIP and CT-CHAT) are built on, so its patients are to be kept
out of training.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sources.benchmarks.base import BenchmarkItem, Known
from sources.benchmarks.rows import check_split, find, rows, said

NAME = "ct-rate"
KNOWN: Known = "published"
SPLITS = ("valid", "test", "train")
LAYOUT = """\
ibrahimhamamci/CT-RATE: dataset/radiology_text_reports/{train,validation}_reports.csv with VolumeName
(valid_1_a_1.nii.gz: split_patient_scan_reconstruction), ClinicalInformation_EN, Technique_EN, Findings_EN,
Impressions_EN; volumes in dataset/{train,valid}/valid_1/valid_1_a/NAME (also *_fixed). Naming known from upstream's
code; the reports' column names are recalled. `test` is read as `valid`, the only held-out split. One item per
reconstruction; its context is findings and impression."""
TABLES = {"valid": "validation", "test": "validation", "train": "train"}


def read(folder: Path, split: str = "test") -> Iterator[BenchmarkItem]:
    check_split(split, SPLITS, NAME)
    table = f"{TABLES[split]}_reports.csv"
    patterns = (f"dataset/radiology_text_reports/{table}", f"radiology_text_reports/{table}", f"**/{table}")
    for path in find(folder, patterns, NAME):
        for row in rows(path, ("VolumeName", "Findings_EN", "Impressions_EN")):
            file = said(row, "VolumeName")
            name = file.removesuffix(".nii.gz")
            yield BenchmarkItem(
                item_id=name,
                context="\n".join(t for t in (said(row, "Findings_EN"), said(row, "Impressions_EN")) if t),
                volumes=_volumes(folder, name, file),
                patient=patient_of(name),
                study=study_of(name),
                aliases=(name,),
            )


def patient_of(name: str) -> str:
    """`valid_12_a_1` is the patient `valid_12`."""
    return "_".join(name.split("_")[:2])


def study_of(name: str) -> str:
    """`valid_12_a_1` is the study `valid_12_a`."""
    return "_".join(name.split("_")[:3])


def _volumes(folder: Path, name: str, file: str) -> tuple[Path, ...]:
    below = Path(patient_of(name), study_of(name), file)
    split = name.split("_")[0]
    places = [folder / base / below for base in (f"dataset/{split}", split, f"dataset/{split}_fixed", ".")]
    return (next((p for p in places if p.is_file()), places[0]),)
