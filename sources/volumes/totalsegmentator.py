"""TotalSegmentator: CT and MR of every region of the body, one mask file for each of 117 (CT) or 50 (MR) structures.

Upstream's layout (Zenodo, unpacked): `[Totalsegmentator_dataset_v201/]sNNNN/ct.nii.gz` (MR: `mri.nii.gz`),
`sNNNN/segmentations/STRUCTURE.nii.gz`, and `meta.csv` at the top, with semicolons and a byte-order mark: image_id, age,
gender, institute, study_type, split[, manufacturer, scanner_model, kvp, pathology, pathology_location]. Quirks: a mask
file is there for every structure and mostly empty; volumes are resampled to 1.5 mm; ages and genders are missing for
some; `study_type` reads `ct abdomen-pelvis`; a subject stands for one examination, patients are not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym, outcome
from sources.upstream import Line, Shelf, Upstream, rows_below, told
from sources.volumes.shared import by_folder, person, stem

if TYPE_CHECKING:
    import numpy as np

IMAGES = {"ct.nii.gz": "CT", "mri.nii.gz": "MR"}
UNTOLD = frozenset({"", "-", "no_pathology"})
TABLES = ("meta.csv", "*/meta.csv")
REGIONS = {
    "head": "head", "neck": "neck", "thorax": "chest", "heart": "heart", "abdomen": "abdomen", "pelvis": "pelvis",
    "spine": "spine", "leg": "leg", "whole body": "whole body",
}  # fmt: skip


class Totalsegmentator(Upstream):
    """One record per subject, with the masks of all its structures; `meta.csv` is taken where it is there."""

    source: Literal["totalsegmentator"]
    splits: tuple[str, ...] = ("train", "val")
    may: ClassVar[tuple[str, ...]] = TABLES
    card: ClassVar[Card] = Card(
        name="totalsegmentator",
        what="CT and MR of all regions with masks of up to 117 structures",
        url="https://doi.org/10.5281/zenodo.10047292",
        revision="CT v2.0.1 (Zenodo 10047292); the MR set v2.0.0 (Zenodo 14710732) is laid out alike",
        licence="CC-BY-4.0 AND CC-BY-NC-SA-2.0",
        steps="the CT set is CC-BY-4.0, the MR set of v2.0.0 is CC-BY-NC-SA-2.0: a recipe that reads the CT set alone "
        "may say `licence: CC-BY-4.0`",
        citation="Wasserthal et al. TotalSegmentator: Robust Segmentation of 104 Anatomic Structures in CT Images. "
        "Radiology: Artificial Intelligence 5(5), e230024 (2023); Akinci D'Antonoli et al. TotalSegmentator MRI. "
        "Radiology 314(2) (2025).",
        phi_risk="low headers; some volumes show heads, and faces with them: the face gate decides",
        modalities=("CT", "MR"),
        body_parts=("whole body", "chest", "abdomen", "pelvis", "head and neck"),
        tasks=("organ-segmentation", "organ-size"),
        size="1,228 CT subjects with 117 structures, 616 MR subjects with 50",
        layout="[FOLDER/]sNNNN/{ct,mri}.nii.gz, sNNNN/segmentations/*.nii.gz, meta.csv",
        known="measured",
        remotes=(Remote(kind="zenodo", at="10047292", unpack=True),),
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        """The rows of `meta.csv`, some 1,200, are held."""
        shelf = Shelf(inventory, self.exclude)
        masks = by_folder(shelf.matching("*segmentations/*.nii.gz"))
        tables = [name for name, _ in self.tables(place)]
        meta = {(str(PurePosixPath(t).parent), row["image_id"]): row for t in tables for row in rows_below(t, place)}
        for entry in shelf.matching(*(f"s*/{name}" for name in IMAGES), *(f"*/s*/{name}" for name in IMAGES)):
            folder = PurePosixPath(entry.path).parent
            row = meta.pop((str(folder.parent), folder.name), None)
            if row is None and tables:
                shelf.take(entry)
                yield outcome(entry, "failed", "row_missing", "a subject that no meta.csv names", "fetch meta.csv anew")
                continue
            yield self._subject(shelf, entry, masks.get(f"{folder}/segmentations", []), row, pseudonym)
        for row in meta.values():
            yield row.missing(f"{row['image_id']}/ct.nii.gz")
        yield from shelf.rest(TABLES)

    def _subject(
        self, shelf: Shelf, entry: Entry, masks: Sequence[Entry], row: Line | None, pseudonym: Pseudonym
    ) -> Item:
        folder = PurePosixPath(entry.path).parent
        files = (shelf.take(entry), *((row.ref,) if row else ()), *(shelf.take(e, "mask") for e in masks))
        if row is not None and (other := self.other_split(row.get("split"), files, str(folder))):
            return other
        modality = Fact("modality", IMAGES[PurePosixPath(entry.path).name], "file name")
        return Item(
            upstream_id=str(folder),
            form="volume",
            files=files,
            group=pseudonym("subject", folder.name),
            facts=(*self.declared_facts(), modality, *(_facts(row) if row else ())),
            masks=tuple((stem(e.path), e.path, 0) for e in masks),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini
        from sources.volumes.mini_volumes import voxels

        top, rows = root / "Totalsegmentator_dataset_v201", []
        kinds = ("train", "ct abdomen-pelvis"), ("val", "ct thorax"), ("test", "ct abdomen"), ("train", "ct pelvis")
        for number, (split, study) in enumerate(kinds):
            subject = f"s{number * 7:04d}"
            grid, marked = voxels(rng)
            mini.volume(top / subject / "ct.nii.gz", grid, (1.5, 1.5, 1.5))
            for value, name in enumerate(("liver", "kidney_left", "gallbladder"), start=1):  # the third is empty
                one = (marked == value).astype("uint8")
                mini.volume(top / subject / f"segmentations/{name}.nii.gz", one, (1.5, 1.5, 1.5))
            rows.append(
                {"image_id": subject, "age": "" if number == 3 else 51.0 + number, "gender": "m" if number % 2 else "f",
                 "institute": "abcd"[number], "study_type": study, "split": split, "manufacturer": "siemens",
                 "scanner_model": "sensation 64", "kvp": 120.0, "pathology": "tumor" if number else "no_pathology",
                 "pathology_location": "liver" if number else "-"}
            )  # fmt: skip
        rows.append({**rows[0], "image_id": "s0900"})  # a row without its volume
        mini.table(top / "meta.csv", rows, delimiter=";")
        (top / "meta.csv").write_bytes("\ufeff".encode() + (top / "meta.csv").read_bytes())


def _facts(row: Line) -> Iterator[Fact]:
    study = row.get("study_type")
    yield from told("procedure", study, "column:study_type")
    shown = ", ".join(part for word, part in REGIONS.items() if word in study.lower())
    yield from told("body_part", shown, "column:study_type")
    yield from person(row.get("gender"), row.get("age"), ("column:gender", "column:age"))
    yield from told("manufacturer", row.get("manufacturer"), "column:manufacturer")
    yield from told("kvp", row.get("kvp"), "column:kvp", unit="kV")
    for column, about in (("pathology", "pathology"), ("pathology_location", "pathology location")):
        value = row.get(column)
        yield from told("finding", "" if value.lower() in UNTOLD else value, f"column:{column}", about=about)
    yield from told("split", row.get("split"), "column:split")
