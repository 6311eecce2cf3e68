"""CT-RATE: chest CT of 21,304 patients with reports, 18 labels and the scanner's metadata.

Upstream's layout (hub repository, gated): `dataset/{train,valid}[_fixed]/train_1/train_1_a/train_1_a_1.nii.gz`, where a
name is split_patient_scan_reconstruction; `dataset/radiology_text_reports/{train,validation}_reports.csv` (VolumeName,
ClinicalInformation_EN, Technique_EN, Findings_EN, Impressions_EN); `dataset/multi_abnormality_labels/
{train,valid}_predicted_labels.csv` (VolumeName and 18 columns of 0 and 1, written by a text classifier); and
`dataset/metadata/{train,validation}_metadata.csv` (VolumeName, Manufacturer, PatientSex, PatientAge as `055Y`,
RescaleIntercept, RescaleSlope, XYSpacing as `[0.7, 0.7]`, ZSpacing, ...); and the dialogues of CT-CHAT,
`dataset/vqa/{train,valid}_vqa.json` (`sources.volumes.ct_rate_vqa`). Quirks: the first release's NIfTIs (folders
without `_fixed`) hold raw values and a header without spacing, orientation and rescale, which stand in the metadata
alone, and are taken from there; a `_fixed` volume of the same name comes first, and `corrected: true` says that
upstream's script has put them into the headers. Reconstructions of one scan have one report
and are told apart by `reconstructions`; some scans are no chest CT, and some reports say `Not given.`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, cast

from manifests.card import Card
from manifests.record import Affine, Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import Line, Shelf, Upstream, labels, rows_below, told
from sources.volumes.ct_rate_vqa import Dialogues, asked_in, mini_dialogues, split_of, spoken
from sources.volumes.shared import ct_rate_path, person, stem

if TYPE_CHECKING:
    import numpy as np

REPORTS = "dataset/radiology_text_reports/*_reports.csv"
LABELS = "dataset/multi_abnormality_labels/*_labels.csv"
METADATA = "dataset/metadata/*_metadata.csv"
DIALOGUES = "dataset/vqa/*_vqa.json"
ABNORMALITIES = (
    "Medical material", "Arterial wall calcification", "Cardiomegaly", "Pericardial effusion",
    "Coronary artery wall calcification", "Hiatal hernia", "Lymphadenopathy", "Emphysema", "Atelectasis",
    "Lung nodule", "Lung opacity", "Pulmonary fibrotic sequela", "Pleural effusion", "Mosaic attenuation pattern",
    "Peribronchial thickening", "Consolidation", "Bronchiectasis", "Interlobular septal thickening",
)  # fmt: skip
SECTIONS = {
    "ClinicalInformation_EN": "Clinical information", "Technique_EN": "Technique", "Findings_EN": "Findings",
    "Impressions_EN": "Impression",
}  # fmt: skip
PLACED = ("XYSpacing", "ImagePositionPatient", "ImageOrientationPatient")
SAYS_NOTHING = frozenset({"", "not given.", "not given"})


class CtRate(Upstream):
    """One record per reconstruction, with its dialogues as questions; `reconstructions: first` takes the first one of
    each scan that is there. Dialogues about no volume are records of their own. Several conversations about one volume
    follow one another in its questions."""

    source: Literal["ct_rate"]
    reconstructions: Literal["all", "first"] = "all"
    corrected: bool = False
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = (REPORTS,)
    may: ClassVar[tuple[str, ...]] = (LABELS, METADATA, DIALOGUES)
    card: ClassVar[Card] = Card(
        name="ct_rate",
        what="non-contrast chest CT with radiology reports and 18 abnormality labels",
        url="https://huggingface.co/datasets/ibrahimhamamci/CT-RATE",
        revision="2025, with the `_fixed` volumes",
        licence="CC-BY-NC-SA-4.0",
        access="registered",
        steps="log in to the Hugging Face hub, accept the terms on the page of ibrahimhamamci/CT-RATE, download "
        "dataset/{train_fixed,valid_fixed,radiology_text_reports,multi_abnormality_labels,metadata,vqa} below ct_rate/",
        citation="Hamamci et al. Developing Generalist Foundation Models from a Multimodal Dataset for 3D Computed "
        "Tomography. arXiv:2403.17834 (2024).",
        phi_risk="low: headers rebuilt upstream, reports translated and anonymised; some scans reach the face",
        modalities=("CT",),
        body_parts=("chest",),
        tasks=("report", "multi-label", "vqa", "multiple-choice", "dialogue"),
        size="25,692 scans (50,188 reconstructions) of 21,304 patients; 20,000 patients for training; 1.2 GB of "
        "dialogues",
        layout="dataset/{train,valid}_fixed/train_1/train_1_a/train_1_a_1.nii.gz, dataset/radiology_text_reports/, "
        "dataset/multi_abnormality_labels/, dataset/metadata/, dataset/vqa/",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        """Labels and metadata of all volumes are held (as facts), and where their dialogues stand; reports are read row
        by row."""
        shelf = Shelf(inventory, self.exclude)
        tables = [name for name, _ in self.tables(place)]
        known = self._known(place, [t for t in tables if t.endswith(("_labels.csv", "_metadata.csv"))])
        talks = Dialogues(place, [t for t in tables if t.endswith("_vqa.json")])
        for row in talks.alone():
            yield self.other_split(split_of(row.table), (row.ref,), f"{row.table}#line={row.number}") or spoken(
                row, split_of(row.table)
            )
        scans: set[str] = set()
        grids = _grids(place, [t for t in tables if "_metadata" in t])
        for table in (t for t in tables if "_reports" in t):
            for row in rows_below(table, place):
                name = row["VolumeName"]
                raw = None if self.corrected else shelf.get(ct_rate_path(name, ""))
                entry = _volume(shelf, name, self.corrected) or (raw if name in grids else None)
                scan = "_".join(stem(name).split("_")[:3])
                if entry is None:
                    talks.dropped(stem(name))
                    yield self._without(shelf, row, name)
                elif self.reconstructions == "first" and scan in scans:
                    talks.dropped(stem(name))
                    files, found = (shelf.take(entry), row.ref), "a further reconstruction of a scan"
                    yield Item(stem(name), "none", files, reason="other_reconstruction", found=found,
                               remedy="set `reconstructions: all` to take it")  # fmt: skip
                else:
                    scans.add(scan)
                    rows = [row, *talks.taken(stem(name))]
                    item = self._item(shelf, entry, rows, known.get(name, ()), pseudonym)
                    if entry is raw and item.form != "none":
                        rescale, affine = grids[name]
                        item = dataclasses.replace(item, rescale=rescale, affine=affine)
                    yield item
        yield from self._unreported(shelf, talks, known, pseudonym)
        yield from shelf.rest((REPORTS, LABELS, METADATA, DIALOGUES))

    def _unreported(
        self, shelf: Shelf, talks: Dialogues, known: dict[str, tuple[Fact, ...]], pseudonym: Pseudonym
    ) -> Iterator[Item]:
        """Volumes that dialogues name and no report does."""
        for name in talks.left():
            rows, file = talks.taken(name), f"{name}.nii.gz"
            entry = _volume(shelf, file, self.corrected)
            if entry is None:
                yield dataclasses.replace(rows[0].missing(file), files=tuple(row.ref for row in rows))
            else:
                yield self._item(shelf, entry, rows, known.get(file, ()), pseudonym)

    def _known(self, place: Place, tables: Sequence[str]) -> dict[str, tuple[Fact, ...]]:
        found: dict[str, tuple[Fact, ...]] = {}
        for table in tables:
            for row in rows_below(table, place):
                facts = tuple(_measured(row)) if "_metadata" in table else labels(
                    row, ABNORMALITIES, values={"1": "present", "0": "absent"}
                )  # fmt: skip
                found[row["VolumeName"]] = (*found.get(row["VolumeName"], ()), *facts)
        return found

    def _without(self, shelf: Shelf, row: Line, name: str) -> Item:
        """A row without a volume whose header tells what the voxels are."""
        raw = shelf.get(ct_rate_path(name, ""))
        if raw is None:
            return row.missing(name)
        return row.failed(
            "header_incomplete", "a volume of the first release, whose spacing and rescale are in the metadata alone",
            "download the same path below dataset/train_fixed or dataset/valid_fixed; where upstream's fix_metadata.py "
            "was run on these files, say `corrected: true`",
            shelf.take(raw),
        )  # fmt: skip

    def _item(
        self, shelf: Shelf, entry: Entry, rows: Sequence[Line], known: tuple[Fact, ...], pseudonym: Pseudonym
    ) -> Item:  # fmt: skip
        name = stem(entry.path)
        split, patient, *_ = name.split("_")
        files = (shelf.take(entry), *(row.ref for row in rows))
        return self.other_split(split, files, name) or Item(
            upstream_id=name,
            form="volume",
            files=files,
            group=pseudonym("patient", f"{split}_{patient}"),
            facts=(*self.declared_facts(), *known, Fact("split", split, "column:VolumeName")),
            text="\n".join(
                f"{title}: {row.get(c)}" for row in rows for c, title in SECTIONS.items() if _says(row.get(c))
            ),
            asked=asked_in(rows),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini
        from sources.volumes.mini_volumes import voxels

        base = root / "dataset"
        reports: dict[str, list[dict[str, str]]] = {"train": [], "valid": []}
        for index, (name, findings, impression) in enumerate(_MINIATURE):
            split = name.split("_")[0]
            folder = base / (f"{split}_fixed" if index != 3 else split) / "_".join(name.split("_")[:2])
            if index != 4:
                mini.volume(folder / "_".join(name.split("_")[:3]) / f"{name}.nii.gz", voxels(rng)[0], (0.9, 0.9, 1.5))
            reports[split].append(
                {"VolumeName": f"{name}.nii.gz", "ClinicalInformation_EN": "Not given." if index else "Cough, fever.",
                 "Technique_EN": "Non-contrast images were taken in the axial plane with 1.5 mm section thickness.",
                 "Findings_EN": findings, "Impressions_EN": impression}
            )  # fmt: skip
        for split, rows in reports.items():
            other = "validation" if split == "valid" else split
            names = [row["VolumeName"] for row in rows]
            mini.table(base / f"radiology_text_reports/{other}_reports.csv", rows)
            told = [one for one in _MINIATURE if one[0].startswith(split)]
            mini.json_file(base / f"vqa/{split}_vqa.json", mini_dialogues(split, told))
            mini.table(
                base / f"multi_abnormality_labels/{split}_predicted_labels.csv",
                [{"VolumeName": n, **{a: int(rng.integers(2)) for a in ABNORMALITIES}} for n in names],
            )
            place = {
                "ImagePositionPatient": "[-180.0, -200.0, -300.5]",
                "ImageOrientationPatient": "[1, 0, 0, 0, 1, 0]",
            }
            meta = {**place, "Manufacturer": "Siemens Healthineers", "SeriesDescription": "THORAX", "PatientSex": "F",
                    "PatientAge": "055Y", "RescaleIntercept": -1024.0, "RescaleSlope": 1.0, "XYSpacing": "[0.9, 0.9]",
                    "ZSpacing": 1.5, "KVP": 120.0}  # fmt: skip
            mini.table(base / f"metadata/{other}_metadata.csv", [{"VolumeName": n, **meta} for n in names])


def _grids(place: Place, tables: Sequence[str]) -> dict[str, tuple[tuple[float, float], Affine]]:
    """Rescale and affine of each volume whose metadata say all of them: rows and columns run along the image's
    orientation (DICOM, LPS+), slices along their normal, as upstream's own script has it."""
    found: dict[str, tuple[tuple[float, float], Affine]] = {}
    for table in tables:
        for row in rows_below(table, place):
            try:
                slope, intercept, thick = (float(row.get(c)) for c in ("RescaleSlope", "RescaleIntercept", "ZSpacing"))
                (x, y), origin, cosines = (_numbers(row.get(c)) for c in PLACED)
                (r0, r1, r2), (c0, c1, c2) = cosines[:3], cosines[3:]
                px, py, pz = origin
            except ValueError:
                continue
            normal = (r1 * c2 - r2 * c1, r2 * c0 - r0 * c2, r0 * c1 - r1 * c0)
            lps = zip((r0, r1, r2), (c0, c1, c2), normal, (px, py, pz), strict=True)
            axes = [(a * x, b * y, n * thick, o) for a, b, n, o in lps]
            rows = tuple(tuple(-v + 0.0 if k < 2 else v for v in axis) for k, axis in enumerate(axes))
            found[row["VolumeName"]] = ((slope, intercept), cast(Affine, (*rows, (0.0, 0.0, 0.0, 1.0))))
    return found


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.strip("[]() ").split(",")]


def _volume(shelf: Shelf, name: str, corrected: bool) -> Entry | None:
    return shelf.first(ct_rate_path(name, "_fixed"), *((ct_rate_path(name, ""),) if corrected else ()))


def _says(text: str) -> bool:
    return text.lower() not in SAYS_NOTHING


def _measured(row: Line) -> Iterator[Fact]:
    yield from person(row.get("PatientSex"), row.get("PatientAge"), ("column:PatientSex", "column:PatientAge"))
    yield from told("manufacturer", row.get("Manufacturer"), "column:Manufacturer")
    yield from told("procedure", row.get("SeriesDescription"), "column:SeriesDescription")
    yield from told("kvp", row.get("KVP"), "column:KVP", unit="kV")


_OPEN = "Trachea and both main bronchi are open. Calcified plaques are seen in the aortic arch."
_NODULE = "A nodule of 6 mm is present in the right middle lobe. There is a minimal left pleural effusion."
_MINIATURE = (
    ("train_1_a_1", _OPEN, "Atherosclerotic changes of the aorta."),
    ("train_1_a_2", _OPEN, "Atherosclerotic changes of the aorta."),
    ("train_2_a_1", _NODULE, "Nodule in the right lung, follow-up is advised."),
    ("train_2_b_1", "Patchy ground-glass opacities in both lower lobes.", "Compatible with viral pneumonia."),
    ("train_3_a_1", "The heart is enlarged and a pericardial effusion of 12 mm is observed.", "Cardiomegaly."),
    ("valid_1_a_1", "A sliding hiatal hernia is seen at the lower end of the esophagus.", "Hiatal hernia."),
)
