"""Imaging Data Commons: DICOM series of any collection, with the index that idc-index or a manifest gave.

Upstream's layout (`idc download`, or s5cmd with a manifest): folders by a template, as a rule
`COLLECTION/PATIENT/STUDY_UID/MODALITY_SERIES_UID/*.dcm`, or all series by their UUID, and a table of series beside them
(`*.csv` or `*.parquet`, columns of idc-index: collection_id, PatientID, SeriesInstanceUID, Modality, BodyPartExamined,
PatientAge, PatientSex, SeriesDescription, Manufacturer, source_DOI, license_short_name, crdc_series_uuid, ...). Quirks:
each series has a licence of its own, so series are taken by `licences`, and one that the table does not name is
refused where there is a table; the folder of a series ends with its UID, with its modality before it or not, or is its
`crdc_series_uuid`; SEG and RTSTRUCT series go with the series that they mark.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym, not_a_record
from sources.upstream import Line, Upstream, rows_below, told
from sources.volumes.dicom_mini import tree_of
from sources.volumes.shared import person

if TYPE_CHECKING:
    import numpy as np

TABLES = ("*.csv", "*.parquet")
SERIES = "SeriesInstanceUID"
HELD = (
    SERIES, "crdc_series_uuid", "license_short_name", "collection_id", "source_DOI", "BodyPartExamined", "PatientAge",
    "PatientSex", "SeriesDescription", "Manufacturer",
)  # fmt: skip


class IdcCollection(Upstream):
    """One record per image, cine or series, as in a DICOM tree; `licences` are names of IDC, () takes all."""

    source: Literal["idc_collection"]
    licences: tuple[str, ...] = ("CC BY 3.0", "CC BY 4.0", "CC0 1.0")
    may: ClassVar[tuple[str, ...]] = TABLES
    card: ClassVar[Card] = Card(
        name="idc_collection",
        what="series of the NCI Imaging Data Commons with their licences",
        url="https://portal.imaging.datacommons.cancer.gov",
        revision="IDC v20 and later (columns of idc-index)",
        licence="LicenseRef-IDC-per-series",
        citation="Fedorov et al. NCI Imaging Data Commons. Cancer Research 81(16), 4188-4193 (2021).",
        phi_risk="low: de-identified by the submitters; headers are rebuilt anyway; faces in volumes of heads",
        modalities=("CT", "MR", "PT", "DX", "MG", "US", "SM"),
        tasks=("organ-segmentation", "lesion-segmentation", "classification"),
        size="more than 85 TB in over 150 collections",
        layout="COLLECTION/PATIENT/STUDY_UID/MODALITY_SERIES_UID/*.dcm and an index *.csv or *.parquet",
        known="published",
        steps="name the series: `idc download-from-selection`, or a manifest with s5cmd --no-sign-request, below "
        "idc_collection/, and save the selection's rows beside them as CSV",
    )

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        return {} if path.suffix.lower() in (".csv", ".parquet", ".s5cmd") else tree_of(self).peek(path, pseudonym)

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        """The index's rows are held with the columns that become facts."""
        tables = [name for name, _ in self.tables(place)]
        rows: dict[str, Line] = {}
        for table in tables:
            for row in rows_below(table, place):
                kept = Line(table, row.number, {c: row.value(c) for c in HELD if c in row.values})
                rows |= dict.fromkeys((row[SERIES], row.get("crdc_series_uuid")), kept)
        rows.pop("", None)
        met: set[int] = set()
        others = [e for e in inventory if e.path not in tables]
        for item in tree_of(self).items(place, others, pseudonym):
            known = _row(item, rows)
            met |= {id(known)}
            yield self._item(item, known, bool(rows))
        for lone in {id(row): row for row in rows.values()}.values():
            if id(lone) not in met:
                yield lone.missing("a series")
        for entry in inventory:
            if entry.path in tables:
                yield not_a_record(entry, "the index of the series", "table")

    def _item(self, item: Item, row: Line | None, indexed: bool) -> Item:
        if item.form == "none" or not indexed:
            return item
        licence = row.get("license_short_name") if row else ""
        if row is None or (self.licences and licence not in self.licences):
            found = f"a series under '{licence[:40]}'" if row else "a series that the index does not name"
            return dataclasses.replace(
                item, form="none", reason="licence_not_taken", found=found, contours=(), masks=(),
                remedy="name the licence in `licences` to take it, or add the series to the index",
            )  # fmt: skip
        return dataclasses.replace(item, files=(*item.files, row.ref), facts=(*item.facts, *_facts(row)))

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini
        from sources.volumes.dicom_mini import BASE_UID, instance_uid, series
        from sources.volumes.mini_volumes import voxels

        rows: list[dict[str, Any]] = []
        for number, licence in enumerate(("CC BY 3.0", "CC BY 4.0", "CC BY-NC 4.0", "CC BY 4.0"), start=1):
            patient, study, uid = f"Q{number:03d}", f"{BASE_UID}.{number}", instance_uid(number, 1)
            folder = root / f"rider_pilot/{patient}/{study}/CT_{uid}"
            if number < 4:
                series(folder, voxels(rng, (40, 40, 12))[0], patient, number, 1, (1.5, 2.5))
            rows.append(
                {"collection_id": "rider_pilot", "PatientID": patient, "SeriesInstanceUID": uid, "StudyInstanceUID":
                 study, "Modality": "CT", "BodyPartExamined": "CHEST", "PatientAge": "071Y", "PatientSex": "M",
                 "SeriesDescription": "THORAX", "Manufacturer": "SIEMENS", "license_short_name": licence}
            )  # fmt: skip
        mini.table(root / "index.csv", rows)


def _row(item: Item, rows: dict[str, Line]) -> Line | None:
    """The row of an item's series, by the folders of its first file, innermost first."""
    for part in reversed(PurePosixPath(item.files[0].path).parts[:-1]):
        found = rows.get(part) or rows.get(part.partition("_")[2])
        if found is not None:
            return found
    return None


def _facts(row: Line) -> Iterator[Fact]:
    yield from person(row.get("PatientSex"), row.get("PatientAge"), ("column:PatientSex", "column:PatientAge"))
    for column, name in (
        ("BodyPartExamined", "body_part"), ("SeriesDescription", "procedure"), ("Manufacturer", "manufacturer")
    ):  # fmt: skip
        yield from told(name, row.get(column), f"column:{column}")
    for column, about in (("collection_id", "collection"), ("license_short_name", "licence"), ("source_DOI", "DOI")):
        yield from told("label", row.get(column), f"column:{column}", about=about)
