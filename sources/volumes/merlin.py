"""Merlin Abdominal CT: 25,494 CTs of an emergency department with the findings of their reports and 30 labels.

Upstream's layout (Stanford AIMI, `merlinabdominalctdataset/`): `merlin_data/STUDY.nii.gz`, `reports_final.xlsx` (study
id, Findings, Split, Few Shot), `zero_shot_findings_disease_cls.csv` (study id and 30 columns: 1 present, 0 explicitly
negated, -1 not mentioned) and `five_years_disease_task.csv`, which is not read. Quirks: the reports come as a
spreadsheet of one sheet (`sources.tables_xlsx`); the text ends with a section `IMPRESSION:` in some; only the study is
named, not the patient, so several studies of one patient are not told to be one's; the columns of labels are named in
lower case with underscores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Line, Shelf, Upstream, rows_below, told
from sources.volumes.shared import by_folder, stem

if TYPE_CHECKING:
    import numpy as np

REPORTS, LABELS = "reports_final.xlsx", "zero_shot_findings_disease_cls.csv"
VALUES = {"1": "present", "0": "absent"}
STUDY = ("study id", "study_id", "VolumeName")


class Merlin(Upstream):
    """One record per study; its text is the report's findings, and impression where there is one."""

    source: Literal["merlin"]
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = (REPORTS,)
    may: ClassVar[tuple[str, ...]] = (LABELS,)
    card: ClassVar[Card] = Card(
        name="merlin",
        what="abdominal CT with findings of reports and 30 labels",
        url="https://stanfordaimi.azurewebsites.net/datasets/60b9c7ff-877b-48ce-96c3-0194c8205c40",
        revision="2024 (documentation at StanfordMIMI/Merlin 2d3409c)",
        licence="LicenseRef-Stanford-AIMI-non-commercial",
        access="registered",
        steps="sign the data use agreement on the page, copy the files with azcopy below merlin/",
        citation="Blankemeier et al. Merlin: A Vision Language Foundation Model for 3D Computed Tomography. "
        "arXiv:2406.06512 (2024).",
        phi_risk="medium: reports de-identified upstream by machine; NIfTI without headers",
        modalities=("CT",),
        body_parts=("abdomen", "pelvis"),
        tasks=("report", "multi-label"),
        size="25,494 studies of 18,317 patients",
        layout="merlin_data/STUDY.nii.gz, reports_final.xlsx, zero_shot_findings_disease_cls.csv",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        """The labels of all studies are held as facts; reports are read row by row."""
        shelf = Shelf(inventory, self.exclude)
        volumes = {
            stem(e.path): e for folder in by_folder(shelf.matching("*.nii", "*.nii.gz")).values() for e in folder
        }
        known = {
            row.get(*STUDY): tuple(_labels(row))
            for table, _ in self.tables(place)
            if table == LABELS
            for row in rows_below(table, place)
        }
        for row in rows_below(REPORTS, place):
            study = stem(row.get(*STUDY))
            entry = volumes.get(study)
            if entry is None:
                yield row.missing("its volume")
                continue
            split = row.get("Split", "split").lower()
            files = (shelf.take(entry), row.ref)
            yield self.other_split(split, files, study) or Item(
                upstream_id=study,
                form="volume",
                files=files,
                group=pseudonym("study", study),
                facts=(
                    *self.declared_facts(),
                    Fact("body_part", "abdomen and pelvis", "card"),
                    *known.get(study, ()),
                    *told("split", split, "column:Split"),
                ),
                text=row["Findings"],
            )
        yield from shelf.rest((REPORTS, LABELS, "five_years_disease_task.csv"))

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini
        from sources.volumes.mini_volumes import spreadsheet, voxels

        rows: list[dict[str, str | int]] = []
        marks = []
        for number, (split, findings) in enumerate(_MINIATURE):
            study = f"AC4213{number:03x}"
            if number != 4:
                mini.volume(root / f"merlin_data/{study}.nii.gz", voxels(rng)[0])
            rows.append({"study id": study, "Findings": findings, "Split": split, "Few Shot": 0})
            labels = {c: int(rng.integers(-1, 2)) for c in ("hepatic_steatosis", "renal_cyst", "ascites", "fracture")}
            marks.append({"study id": study, **labels})
        spreadsheet(root / REPORTS, rows)
        mini.table(root / LABELS, marks)


def _labels(row: Line) -> Iterator[Fact]:
    for column in row.values:
        value = VALUES.get(row.get(column), "") if column not in STUDY else ""
        yield from told("finding", value, f"column:{column}", about=column.replace("_", " "))


_MINIATURE = (
    ("train", "Liver and biliary tree: diffuse hepatic steatosis. Kidneys: no hydronephrosis."),
    ("train", "Kidneys and ureters: 14 mm simple cyst at the lower pole of the left kidney. Spleen: normal."),
    ("train", "Peritoneum: small volume ascites in the pelvis. IMPRESSION: Ascites of unclear cause."),
    ("val", "Musculoskeletal: acute fracture of the left tenth rib. Bowel: no obstruction."),
    ("train", "Vasculature: infrarenal aorta measures 3.4 cm."),
)
