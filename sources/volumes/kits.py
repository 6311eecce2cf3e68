"""KiTS: late-arterial CT of patients before nephrectomy, with kidneys, tumours and cysts, and their clinical data.

Upstream's layout (the repositories kits19, kits21, kits23 after their download scripts): `{data,kits21/data,dataset}/
case_00000/{imaging,segmentation}.nii.gz` (2021: `aggregated_MAJ_seg.nii.gz`), `case_00000/{instances,
segmentations}/KIND_instance-N_annotation-M.nii.gz` (2023, 2021) of each kidney, tumour and cyst by up to three
annotators, and `kits.json` or `kits23.json`, a list of objects with
case_id, gender, age_at_nephrectomy, bmi, smoking_history, radiographic_size and pathologic_size (cm), malignant,
tumor_histologic_subtype, pathology_{t,n,m}_stage, tumor_isup_grade, ... Quirks: 2019 knows no cysts; `na` and null say
nothing, and so do stages of `x`; the label map is the annotators' majority, where an instance's own masks are one
annotator's each, and not all of them marked every instance; the first release of kits.json holds no more than sizes of
pixels; volumes are stored with the slices as first axis, which their affine says; cases from 210 (2019) are the test
set and have no label map; ages of 90 and more are written as `>=90`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym, not_a_record
from sources.upstream import Line, Shelf, Upstream, rows_below, told
from sources.volumes.shared import by_folder, label_map, person, taken

if TYPE_CHECKING:
    import numpy as np

TABLES = ("kits*.json", "*/kits*.json", "*/*/kits*.json")
MAPS = ("segmentation.nii.gz", "aggregated_MAJ_seg.nii.gz")
LABELS = {1: "kidney", 2: "kidney tumor", 3: "kidney cyst"}
DRAWN = ("instances", "segmentations")  # folders of the annotators' masks
INSTANCES = {"kidney": "kidney", "tumor": "kidney tumor", "cyst": "kidney cyst"}
INSTANCE = re.compile(r"(?P<kind>kidney|tumor|cyst)_instance-(?P<number>\d+)_annotation-(?P<by>\d+)\.nii\.gz")
FINDINGS = {
    "tumor_necrosis": "tumor necrosis", "sarcomatoid_features": "sarcomatoid features",
    "rhabdoid_features": "rhabdoid features", "malignant": "malignant tumor",
}  # fmt: skip
SIZES = {"radiographic_size": "tumor on imaging", "pathologic_size": "tumor in the specimen"}
SUBTYPES = {
    "clear_cell_rcc": "clear cell renal cell carcinoma", "papillary_rcc": "papillary renal cell carcinoma",
    "clear_cell_papillary_rcc": "clear cell papillary renal cell carcinoma",
    "chromophobe_rcc": "chromophobe renal cell carcinoma", "rcc_unclassified": "unclassified renal cell carcinoma",
    "multilocular_cystic_rcc": "multilocular cystic renal cell carcinoma",
}  # fmt: skip
UNTOLD = frozenset({"", "na", "x", "not_applicable", "other"})


class Kits(Upstream):
    """One record per case with the aggregated label map, and each kidney, tumour and cyst as a structure of its own as
    one annotator drew it (`instances: one`: the first who marked it; `all`: everybody, each by name; `none`)."""

    source: Literal["kits"]
    instances: Literal["one", "all", "none"] = "one"
    splits: tuple[str, ...] = ("train",)
    may: ClassVar[tuple[str, ...]] = TABLES
    card: ClassVar[Card] = Card(
        name="kits",
        what="abdominal CT with kidneys, tumours and cysts, histology, stage and outcome",
        url="https://kits-challenge.org",
        revision="KiTS19, KiTS21 and KiTS23 (dataset 0.1.3)",
        licence="CC-BY-NC-SA-4.0",
        access="open",
        citation="Heller et al. The KiTS21 Challenge: Automatic segmentation of kidneys, renal tumors, and renal cysts "
        "in corticomedullary-phase CT. arXiv:2307.01984 (2023).",
        phi_risk="low: NIfTI without headers; clinical data of named cases by number",
        modalities=("CT",),
        body_parts=("kidney",),
        tasks=("organ-segmentation", "lesion-segmentation", "lesion-size", "classification", "grading"),
        size="599 cases, 489 of them for training",
        layout="[FOLDER/]case_NNNNN/{imaging,segmentation}.nii.gz, case_NNNNN/instances/, kits.json or kits23.json",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        """The clinical data, some 2 KiB a case, are held."""
        shelf = Shelf(inventory, self.exclude)
        known = {row["case_id"]: row for table, _ in self.tables(place) for row in rows_below(table, place)}
        drawn = by_folder(shelf.matching("*_instance-*_annotation-*.nii.gz"))
        for entry in shelf.matching("imaging.nii.gz"):
            case = PurePosixPath(entry.path).parent
            marks = [e for folder in DRAWN for e in drawn.get(f"{case}/{folder}", ())]
            chosen = self._chosen(marks)
            yield self._case(shelf, entry, known.get(case.name), chosen, pseudonym)
            for mark in marks:
                if mark.path not in chosen.values():
                    shelf.take(mark, "mask")
                    yield not_a_record(mark, "an annotator's mask that `instances` does not take", "mask")
        yield from shelf.rest(TABLES)

    def _chosen(self, marks: Sequence[Entry]) -> dict[str, str]:
        """The masks of instances by their names; files are sorted, so the first annotator comes first."""
        found: dict[str, str] = {}
        for mark in marks if self.instances != "none" else ():
            if met := INSTANCE.fullmatch(PurePosixPath(mark.path).name):
                name = f"{INSTANCES[met['kind']]} {met['number']}"
                found.setdefault(name if self.instances == "one" else f"{name} by annotator {met['by']}", mark.path)
        return found

    def _case(
        self, shelf: Shelf, entry: Entry, row: Line | None, instances: dict[str, str], pseudonym: Pseudonym
    ) -> Item:  # fmt: skip
        folder = PurePosixPath(entry.path).parent
        mask = shelf.first(*(str(folder / name) for name in MAPS))
        drawn = tuple(shelf.take(shelf.by_path[path], "mask") for path in instances.values())
        files = (shelf.take(entry), *((row.ref,) if row else ()), *taken(shelf, mask, "mask"), *drawn)
        split = "test" if mask is None else "train"
        return self.other_split(split, files, str(folder)) or Item(
            upstream_id=str(folder),
            form="volume",
            files=files,
            group=pseudonym("case", f"kits/{folder.name}"),
            facts=(
                *self.declared_facts(),
                Fact("contrast", "late arterial phase", "card"),
                *(_facts(row) if row else ()),
                Fact("split", split, "label map"),
            ),
            masks=(*label_map(mask, LABELS), *((name, path, 0) for name, path in instances.items())),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini
        from sources.volumes.mini_volumes import voxels

        rows: list[dict[str, Any]] = []
        subtypes = ("clear_cell_rcc", "papillary_rcc", "oncocytoma", "angiomyolipoma")
        for number, subtype in enumerate(subtypes):
            case = f"case_{number:05d}"
            grid, marked = voxels(rng, organs=3)
            mini.volume(root / f"dataset/{case}/imaging.nii.gz", grid, (0.8, 0.8, 3.0))
            if number < 3:
                mini.volume(root / f"dataset/{case}/segmentation.nii.gz", marked, (0.8, 0.8, 3.0))
            for instance, by in (("kidney_instance-1", 1), ("tumor_instance-1", 2), ("tumor_instance-1", 3)):
                if number < 2:  # the first annotator did not mark the tumour, the third a little more than the second
                    one = (marked > 0 if by == 1 else marked == 2).astype("uint8")
                    one[:, :, 0] |= by == 3
                    path = f"dataset/{case}/instances/{instance}_annotation-{by}.nii.gz"
                    mini.volume(root / path, one, (0.8, 0.8, 3.0))
            rows.append(
                {"case_id": case, "gender": "female" if number % 2 else "male", "bmi": 29.47, "age_at_nephrectomy":
                 ">=90" if number == 2 else 49 + number, "smoking_history": "never_smoked", "radiographic_size": 2.4,
                 "pathologic_size": None if number else 2.1, "malignant": number < 2, "pathology_t_stage": "1a",
                 "pathology_n_stage": "x", "pathology_m_stage": "0", "tumor_histologic_subtype": subtype,
                 "tumor_necrosis": False, "tumor_isup_grade": "na" if number else "3",
                 "last_preop_egfr": {"days_before_nephrectomy": 54, "value": 77.0}, "comorbidities": {"copd": False}}
            )  # fmt: skip
        mini.json_file(root / "dataset/kits23.json", rows)


def _facts(row: Line) -> Iterator[Fact]:
    age = row.get("age_at_nephrectomy").removeprefix(">=").removeprefix(">")
    yield from person(row.get("gender"), age, ("column:gender", "column:age_at_nephrectomy"))
    subtype = row.get("tumor_histologic_subtype")
    named = SUBTYPES.get(subtype, subtype.replace("_", " "))
    yield from told("diagnosis", "" if subtype in UNTOLD else named, "column:tumor_histologic_subtype")
    for column, about in FINDINGS.items():
        value = {"yes": "present", "no": "absent"}.get(row.get(column), "")
        yield from told("finding", value, f"column:{column}", about=about)
    for part in "tnm":
        stage = row.get(f"pathology_{part}_stage").lower()
        value = "" if stage in UNTOLD else f"p{part.upper()}{stage}"
        yield from told("severity", value, f"column:pathology_{part}_stage", about=f"{part.upper()} stage")
    grade = row.get("tumor_isup_grade").lower()
    yield from told("severity", "" if grade in UNTOLD else grade, "column:tumor_isup_grade", about="ISUP grade")
    for column, about in SIZES.items():
        yield from told("measurement", row.get(column), f"column:{column}", about=about, unit="cm")
    yield from told("measurement", row.get("bmi"), "column:bmi", about="body mass index", unit="kg/m**2")
    kidney = row.value("last_preop_egfr")
    rate = Line(row.table, row.number, kidney if isinstance(kidney, dict) else {}).get("value")
    about = "estimated glomerular filtration rate before surgery"
    yield from told("measurement", rate, "column:last_preop_egfr", about=about, unit="mL/min")
    smoking = row.get("smoking_history").replace("_", " ")
    yield from told("finding", smoking, "column:smoking_history", about="smoking history")
