"""PadChest: chest radiographs of a Spanish hospital with reports in Spanish, 174 findings and 104 locations.

Upstream's layout (BIMCV): `PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv` (plain or `.csv.gz`) and pictures in
numbered folders, `ImageDir/ImageID`. Quirks: the first column has no name; `Labels`, `Localizations` and
`LabelsLocalizationsBySentence` are lists as Python writes them, with stray blanks and `nan` in them, locations marked
by `loc `; `Report` is lower-case Spanish without accents and endings, as it was prepared for the classifier;
MethodLabel tells a physician's labels from those of a network (`RNN_model`); PatientBirth is a year as `1930.0`;
pictures are 16-bit PNG in the detector's own values, and those of MONOCHROME1 (in PhotometricInterpretation_DICOM) show
bone dark: they are recorded as such, not inverted; Projection `EXCLUDE` marks what is no chest radiograph; some files
are published truncated. The views of a study do not stand together in the table: each picture is a record.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.radiographs.shared import SEXES, day, listed, table_rows, years
from sources.upstream import Line, Shelf, Upstream, told

if TYPE_CHECKING:
    import numpy as np

TABLE = "PADCHEST_chest_x_ray_images_labels_160K*.csv*"
LOCATION = "loc "
WORDS = {"normal": "normal", "exclude": "", "suboptimal study": "", "unchanged": ""}  # no findings
POSITIONS = {"L": "lateral", "AP_horizontal": "AP", "COSTAL": "costal"}


class Padchest(Upstream):
    """One record per picture, with its report. `labelled_by: Physician` takes only what physicians labelled.

    Held in memory: the first date of every patient. The table is read twice."""

    source: Literal["padchest"]
    labelled_by: Literal["any", "Physician"] = "any"
    needs: ClassVar[tuple[str, ...]] = (TABLE,)
    card: ClassVar[Card] = Card(
        name="padchest",
        what="chest radiographs with Spanish reports, findings, differential diagnoses and their locations",
        url="https://bimcv.cipf.es/bimcv-projects/padchest/",
        revision="160K, 01.02.19",
        licence="LicenseRef-PadChest-Dataset-Research-Use-Agreement",
        access="registered",
        steps="accept the research use agreement on BIMCV's page of PadChest, download the numbered archives and the "
        "table, unpack archive N below padchest/N/",
        citation="Bustos, Pertusa, Salinas, de la Iglesia-Vaya. PadChest: A large chest x-ray image dataset with "
        "multi-label annotated reports. Medical Image Analysis 66, 101797 (2020).",
        phi_risk="medium: reports as written; years of birth and true dates of studies; markers may be burned in",
        modalities=("DX",),
        body_parts=("chest",),
        tasks=("report", "multi-label"),
        size="160,868 images, 109,931 studies, 67,625 patients",
        layout="PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv[.gz], 0/*.png ... 54/*.png",
        known="recalled",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        table = min((name for name, _ in self.tables(place)), key=lambda n: (len(n), n))
        first: dict[str, datetime.date] = {}
        for row in table_rows(table, place):
            date, patient = _date(row), row["PatientID"]
            if date is not None:
                first[patient] = min(date, first.get(patient, date))
        for row in table_rows(table, place):
            image = row["ImageID"]
            entry = shelf.first(f"{row.get('ImageDir')}/{image}", image) or shelf.named(image)
            if entry is None:
                yield row.missing()
            elif row.get("Projection") == "EXCLUDE":
                yield _left_out(row, shelf, entry, "excluded_upstream", "Projection EXCLUDE", "none needed")
            elif self.labelled_by != "any" and row.get("MethodLabel") != self.labelled_by:
                yield _left_out(row, shelf, entry, "labelled_by_other", "labels of another method",
                                "set `labelled_by: any` to take it")  # fmt: skip
            else:
                yield Item(
                    upstream_id=image,
                    form="picture",
                    files=(shelf.take(entry), row.ref),
                    group=pseudonym("patient", row["PatientID"]),
                    facts=(*self.declared_facts(), *_facts(row, first.get(row["PatientID"]))),
                    text=row.get("Report"),
                )
        yield from shelf.rest((TABLE,))

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        import numpy as np
        from PIL import Image

        from sources import mini

        rows = []
        for index, (patient, date, birth, projection, report, by_sentence) in enumerate(_MINIATURE):
            image = f"{20536686640136348236148679891455886400 + index}_k6ga{index}.png"
            if index != 4:  # one row without its file
                pixels = mini.pixels(rng).astype(np.uint16) * 257
                (root / str(index % 2)).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(root / str(index % 2) / image)
            words = [w for sentence in by_sentence for w in sentence]
            spots = [w for w in words if w.startswith(LOCATION)]
            rows.append(
                {"": index, "ImageID": image, "ImageDir": index % 2, "StudyDate_DICOM": date, "StudyID": 900 + index,
                 "PatientID": patient, "PatientBirth": birth, "PatientSex_DICOM": "F", "ViewPosition_DICOM": "",
                 "Projection": projection, "MethodProjection": "Manual review of DICOM fields", "Pediatric": "No",
                 "Modality_DICOM": "CR", "Manufacturer_DICOM": "PhilipsMedicalSystems",
                 "PhotometricInterpretation_DICOM": "MONOCHROME2", "ReportID": 4000 + index, "Report": report,
                 "MethodLabel": "RNN_model" if index == 3 else "Physician",
                 "Labels": str([w for w in words if w not in spots]).replace("None", "nan"),
                 "Localizations": str(spots), "LabelsLocalizationsBySentence": str(list(map(list, by_sentence)))}
            )  # fmt: skip
        mini.table(root / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv", rows)


def _left_out(row: Line, shelf: Shelf, entry: Entry, reason: str, found: str, remedy: str) -> Item:
    files = (shelf.take(entry), row.ref)
    return Item(row["ImageID"], "none", files, reason=reason, found=found, remedy=remedy)


def _date(row: Line) -> datetime.date | None:
    return day(row["StudyDate_DICOM"])


def _facts(row: Line, first: datetime.date | None) -> Iterator[Fact]:
    yield from _findings(row)
    date, birth = _date(row), row.get("PatientBirth").removesuffix(".0")
    if date is not None:
        if first is not None:
            yield Fact("offset_days", str((date - first).days), "column:StudyDate_DICOM", "day")
        age = str(date.year - int(birth)) if birth.isdecimal() else ""
        yield from told("age_years", years(age), "column:PatientBirth")
    yield from told("sex", SEXES.get(row.get("PatientSex_DICOM").lower(), ""), "column:PatientSex_DICOM")
    position = row.get("Projection")
    yield from told("view_position", POSITIONS.get(position, position), "column:Projection")
    if position == "AP_horizontal":
        yield Fact("finding", "supine", "column:Projection", about="patient position")
    yield from told("manufacturer", row.get("Manufacturer_DICOM"), "column:Manufacturer_DICOM")
    column = "PhotometricInterpretation_DICOM"
    yield from told("photometric", row.get(column), f"column:{column}")


def _findings(row: Line) -> Iterator[Fact]:
    """What is found, and where as the sentence that names it says; each once."""
    column = "LabelsLocalizationsBySentence"
    sentences = [s for s in listed(row.get(column)) if isinstance(s, list)]
    if not sentences:
        column = "Labels"
        sentences = [listed(row.get(column))]
    facts: dict[Fact, None] = {}
    for sentence in sentences:
        words = [w.strip() for w in sentence if isinstance(w, str) and w.strip()]
        spots = [w.removeprefix(LOCATION) for w in words if w.startswith(LOCATION)]
        for word in (w for w in words if not w.startswith(LOCATION)):
            if word in WORDS:
                facts |= dict.fromkeys(told("label", WORDS[word], f"column:{column}"))
                continue
            facts[Fact("finding", "present", f"column:{column}", about=word)] = None
            facts |= {Fact("finding", s, f"column:{column}", about=f"location of {word}"): None for s in spots}
    yield from facts


_MINIATURE = (
    ("839860488694292331637988235681460987", "20140915", "1930.0", "PA",
     "sin hallazgos patologicos edad del paciente", (("normal",),)),
    ("839860488694292331637988235681460987", "20150120", "1930.0", "PA",
     "pinzamiento del seno costofrenico izquierdo de nueva aparicion . cambios cronicos",
     (("costophrenic angle blunting", "loc left", "loc costophrenic angle"), (" chronic changes",))),
    ("313572750430997347502932654319389875966", "20120710", "1946.0", "L",
     "signos de fibrosis pulmonar con disminucion de volumen en bases",
     (("pulmonary fibrosis", "volume loss", "loc basal"),)),
    ("50783093527901818115970441424179178", "20110209", "1958.0", "AP_horizontal",
     "cardiomegalia y derrame pleural bilateral de predominio derecho",
     (("cardiomegaly",), ("pleural effusion", "loc bilateral", "loc right"))),
    ("93681764244207992907183590764667484471", "20131104", "1939.0", "PA", "nodulo en lobulo superior", (("nodule",),)),
    ("1234", "20131105", "", "EXCLUDE", "radiografia de abdomen", (("exclude",),)),
)  # fmt: skip
