"""MIMIC-CXR-JPG: chest radiographs of one hospital's emergency department, with reports, labels and visits.

Upstream's layout (PhysioNet): `files/p10/p10000032/s50414267/DICOM.jpg`; `mimic-cxr-2.0.0-metadata.csv` (dicom_id,
subject_id, study_id, PerformedProcedureStepDescription, ViewPosition, Rows, Columns, StudyDate, StudyTime, ...),
`-split.csv` (dicom_id, study_id, subject_id, split), `-chexpert.csv` and `-negbio.csv` (subject_id, study_id and 14
columns), each plain or `.csv.gz`. The reports are MIMIC-CXR's, `files/p10/p10000032/s50414267.txt`, beside the studies'
folders. Quirks: version 2.1.0 kept the tables' names; a label is 1.0, 0.0, -1.0 (uncertain) or blank (not mentioned),
written by two programs that do not always agree; dates are shifted into the years from 2100 on, each patient's by one
constant, so that only differences say something; StudyTime lost its leading zeros (`85.3` is 00:01:25); one study has
from one to eleven views, some without ViewPosition; `___` stands where identifiers were; some reports have neither
FINDINGS nor IMPRESSION, and then their last paragraph is the report, as in upstream's own section script.

Not read: the radiologists' labels of the test set that version 2.1.0 added.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Fact, FileRef
from sources.base import Entry, Item, Place, Pseudonym
from sources.radiographs.shared import (
    PRESENCE,
    Study,
    View,
    day,
    one_table,
    presence,
    runs_of,
    study_items,
    table_rows,
    visit_items,
)
from sources.upstream import Line, Shelf, Upstream, broken, sidecar_text, told

if TYPE_CHECKING:
    import numpy as np

PREFIX = "mimic-cxr-2.0.0-"
IDS = ("subject_id", "study_id")
SECTION = re.compile(r"^[ \t]*([A-Z][A-Z /()&,-]{3,60}):", re.MULTILINE)
CODES = {"present": "1", "absent": "0", "uncertain": "-"}
Known = dict[str, str]  # study -> one character for each of its label columns


class MimicCxrJpg(Upstream):
    """One record per study with its views (`by: picture`: per view); `visits: true` adds pairs of consecutive studies.
    `labels` chooses the program that wrote them.

    Held in memory: the split and the labels of every study (some 100 bytes each), and the rows of one patient."""

    source: Literal["mimic_cxr_jpg"]
    by: Literal["study", "picture"] = "study"
    visits: bool = False
    labels: Literal["chexpert", "negbio"] = "chexpert"
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = (f"{PREFIX}metadata.csv*", f"{PREFIX}split.csv*")
    may: ClassVar[tuple[str, ...]] = (f"{PREFIX}chexpert.csv*", f"{PREFIX}negbio.csv*")
    card: ClassVar[Card] = Card(
        name="mimic_cxr_jpg",
        what="chest radiographs with free-text reports, 14 labels and the dates of visits",
        url="https://physionet.org/content/mimic-cxr-jpg/",
        revision="2.1.0, with the tables named 2.0.0",
        licence="LicenseRef-PhysioNet-Credentialed-Health-Data-1.5.0",
        access="credentialed",
        steps="become a credentialed user of PhysioNet, finish the CITI course, sign the data use agreement of "
        "mimic-cxr-jpg and mimic-cxr, then put files/ and the tables below mimic_cxr_jpg/ and unpack "
        "mimic-cxr-reports.zip there",
        citation="Johnson et al. MIMIC-CXR-JPG, a large publicly available database of labeled chest radiographs. "
        "arXiv:1901.07042 (2019).",
        phi_risk="medium: de-identified upstream, identifiers replaced by ___ in reports; the agreement forbids to "
        "pass data on, to services of others too",
        modalities=("DX",),
        body_parts=("chest",),
        tasks=("report", "multi-label", "progression"),
        size="377,110 images, 227,827 studies, 65,379 patients",
        layout="files/p10/p10000032/s50414267/*.jpg, files/p10/p10000032/s50414267.txt, "
        "mimic-cxr-2.0.0-{metadata,split,chexpert,negbio}.csv[.gz]",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        names = [name for name, _ in self.tables(place)]
        split = {r["study_id"]: r["split"] for r in table_rows(one_table(names, f"{PREFIX}split"), place)}
        columns, known = _labels(one_table(names, PREFIX + self.labels), place)
        metadata = table_rows(one_table(names, f"{PREFIX}metadata"), place)
        for patient, rows in runs_of(metadata, lambda r: r["subject_id"], "patient"):
            origin = min((d for r in rows if (d := _date(r)) is not None), default=None)
            studies: list[Study] = []
            for name, of_study in runs_of(rows, lambda r: r["study_id"], "study"):
                views, lost = _views(shelf, of_study)
                yield from lost
                if not views:
                    continue
                text, files, wrong = _report(place, shelf, patient, name)
                yield from wrong
                values = dict(zip(columns, known.get(name, ""), strict=False))
                facts = (
                    *_when(of_study[0], origin),
                    *_findings(values),
                    *told("split", split.get(name, ""), "column:split"),
                )
                study = Study(f"s{name}", pseudonym("patient", patient), views, facts, text, files, _order(of_study[0]))
                other = self.other_split(split.get(name, "none"), study.refs, study.name)
                if other:
                    yield other
                    continue
                yield from study_items(study, self.by, self.declared_facts())
                studies.append(study)
            if self.visits:
                yield from visit_items(studies, self.declared_facts())
        yield from shelf.rest((f"{PREFIX}*.csv*",))

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        metadata, split, chexpert = [], [], []
        for patient, study, date, time, views, wrong, report in _MINIATURE:
            base = root / f"files/p{patient[:2]}/p{patient}"
            for index, view in enumerate(views):
                dicom = "-".join(f"{rng.integers(1 << 32):08x}" for _ in range(5))
                ids = {"dicom_id": dicom, "subject_id": patient, "study_id": study}
                described = {"PerformedProcedureStepDescription": "CHEST (PA AND LAT)", "ViewPosition": view}
                metadata.append(
                    {**ids, **described, "Rows": 128, "Columns": 128, "StudyDate": date, "StudyTime": time,
                     "ProcedureCodeSequence_CodeMeaning": "CHEST (PA AND LAT)",
                     "ViewCodeSequence_CodeMeaning": "postero-anterior" if view == "PA" else "lateral",
                     "PatientOrientationCodeSequence_CodeMeaning": "Erect"}
                )  # fmt: skip
                split.append({**ids, "split": "test" if patient == "10000980" else "train"})
                if not (study == "53911762" and index == 1):  # one row without its file
                    mini.picture(base / f"s{study}/{dicom}.jpg", mini.pixels(rng))
            mini.text(base / f"s{study}.txt", report)
            row = dict.fromkeys(_COLUMNS, "") | wrong
            chexpert.append({"subject_id": patient, "study_id": study, **row})
        mini.table(root / f"{PREFIX}split.csv", [{k: r[k] for k in ("dicom_id", *IDS[::-1], "split")} for r in split])
        mini.table(root / f"{PREFIX}metadata.csv", metadata)
        mini.table(root / f"{PREFIX}chexpert.csv", chexpert)


def _labels(table: str, place: Place) -> tuple[tuple[str, ...], Known]:
    columns: tuple[str, ...] = ()
    known: Known = {}
    for row in table_rows(table, place) if table else ():
        columns = columns or tuple(c for c in row.values if c not in IDS)
        known[row["study_id"]] = "".join(CODES.get(PRESENCE.get(row.get(c), ""), " ") for c in columns)
    return columns, known


def _findings(values: dict[str, str]) -> Iterator[Fact]:
    cells = {c: {"1": "1", "0": "0", "-": "-1"}.get(v, "") for c, v in values.items()}
    return presence(Line("", 0, {}), tuple(values), cells)


def _date(row: Line) -> datetime.date | None:
    return day(row["StudyDate"])


def _order(row: Line) -> tuple[float, ...]:
    date = _date(row)
    try:
        return (float(date.toordinal() if date else 0), float(row.get("StudyTime") or 0))
    except ValueError:
        return (float(date.toordinal() if date else 0), 0.0)


def _when(row: Line, origin: datetime.date | None) -> Iterator[Fact]:
    date = _date(row)
    if date is not None and origin is not None:
        yield Fact("offset_days", str((date - origin).days), "column:StudyDate", "day")


def _views(shelf: Shelf, rows: Sequence[Line]) -> tuple[tuple[View, ...], list[Item]]:
    views: list[View] = []
    lost: list[Item] = []
    for row in rows:
        patient, dicom = row["subject_id"], row["dicom_id"]
        path = f"p{patient[:2]}/p{patient}/s{row['study_id']}/{dicom}.jpg"
        entry = shelf.first(f"files/{path}", path)
        if entry is None:
            lost.append(row.missing())
        else:
            views.append(View(dicom, shelf.take(entry), row.ref, tuple(_seen(row))))
    return tuple(views), lost


def _seen(row: Line) -> Iterator[Fact]:
    yield from told("view_position", row.get("ViewPosition"), "column:ViewPosition")
    for column in ("PerformedProcedureStepDescription", "ProcedureCodeSequence_CodeMeaning"):
        if row.get(column):
            yield from told("procedure", row.get(column), f"column:{column}")
            break
    column = "PatientOrientationCodeSequence_CodeMeaning"
    yield from told("finding", row.get(column), f"column:{column}", about="patient position")


def _report(
    place: Place, shelf: Shelf, patient: str, study: str
) -> tuple[str, tuple[FileRef, ...], tuple[Item, ...]]:  # fmt: skip
    """The report's text and file; a file that cannot be read ends as an item of its own."""
    path = f"p{patient[:2]}/p{patient}/s{study}.txt"
    entry = shelf.first(f"files/{path}", f"mimic-cxr-reports/files/{path}", path)
    if entry is None:
        return "", (), ()
    file = shelf.take(entry, "table")
    try:
        return report(sidecar_text(place, entry)), (file,), ()
    except RecordError as error:
        return "", (), (broken(entry, error),)


def report(text: str) -> str:
    """The findings and the impression of a report, else its last paragraph; lines joined."""
    found: dict[str, str] = {}
    heads = list(SECTION.finditer(text))
    ends = [*(h.start() for h in heads[1:]), len(text)]
    for head, end in zip(heads, ends, strict=False):
        body = " ".join(text[head.end() : end].split())
        title = head[1].strip()
        if title in ("FINDINGS", "IMPRESSION", "FINDINGS AND IMPRESSION") and body:
            found.setdefault(title.capitalize(), body)
    if found:
        return "\n".join(f"{title}: {body}" for title, body in found.items())
    paragraphs = [" ".join(p.split()) for p in re.split(r"\n\s*\n", text) if p.strip()]
    return paragraphs[-1] if paragraphs else ""


_COLUMNS = (
    "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Enlarged Cardiomediastinum", "Fracture", "Lung Lesion",
    "Lung Opacity", "No Finding", "Pleural Effusion", "Pleural Other", "Pneumonia", "Pneumothorax", "Support Devices",
)  # fmt: skip
_FINAL = "                                 FINAL REPORT\n"
_HEAD = _FINAL + " EXAMINATION:  CHEST (PA AND LAT)\n \n INDICATION:  ___ with "
_MINIATURE: tuple[tuple[str, str, str, str, tuple[str, ...], dict[str, str], str], ...] = (
    ("10000032", "50414267", "21800506", "213014.531", ("PA", "LATERAL"), {"No Finding": "1.0"},
     _HEAD + "cough.\n \n FINDINGS: \n \n The lungs are well expanded and clear. There is no pleural\n effusion. \n \n "
     "IMPRESSION: \n \n No acute cardiopulmonary process.\n"),
    ("10000032", "53189527", "21800626", "165500.312", ("PA",), {"Pleural Effusion": "1.0", "Pneumothorax": "0.0"},
     _HEAD + "dyspnea.\n \n FINDINGS: \n \n A small right pleural effusion is new since ___.\n"),
    ("10000032", "53911762", "21800723", "85.3", ("AP", "LATERAL"), {"Pleural Effusion": "1.0", "Pneumonia": "-1.0"},
     _HEAD + "fever.\n \n IMPRESSION: \n \n The right effusion has grown. Early pneumonia cannot be excluded.\n"),
    ("10000764", "57375967", "21321015", "104000", ("AP",), {"Support Devices": "1.0", "Edema": "0.0"},
     _FINAL + " PORTABLE CHEST FILM\n \n The endotracheal tube ends 4 cm above the carina. No edema is seen.\n"),
    ("10000980", "50985099", "21850216", "91000", ("PA",), {"Cardiomegaly": "1.0"},
     _HEAD + "chest pain.\n \n IMPRESSION: \n \n The cardiac silhouette is moderately enlarged.\n"),
)  # fmt: skip
