"""AMOS 2022: 500 CT and 100 MR of the abdomen with 15 organs.

Upstream's layout (Zenodo 7155725 and 7262581, unpacked): `[amos22/]{imagesTr,labelsTr,imagesVa,labelsVa,imagesTs}/
amos_NNNN.nii.gz`, `[amos22/]dataset.json` (labels by number, `numTraining`, lists of pairs), and
`labeled_data_meta_0000_0599.csv` with amos_id, Patient's Birth Date, Patient's Sex, Patient's Age (`058Y`),
Manufacturer's Model Name, Manufacturer, Acquisition Date, Site. Quirks: numbers to 499 are CT, from 500 on MR, and
nothing else says which; `prostate/uterus` is one label; upstream writes `arota` and `postcava` for aorta and inferior
vena cava; unlabelled CT (numbers from 5000) lies in folders of its own; birth and acquisition dates are not taken over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym, outcome
from sources.upstream import Line, Shelf, Upstream, rows_below, told
from sources.volumes.shared import hidden, label_map, person, stem, taken

if TYPE_CHECKING:
    import numpy as np

ORGANS = {
    1: "spleen", 2: "right kidney", 3: "left kidney", 4: "gallbladder", 5: "esophagus", 6: "liver", 7: "stomach",
    8: "aorta", 9: "inferior vena cava", 10: "pancreas", 11: "right adrenal gland", 12: "left adrenal gland",
    13: "duodenum", 14: "bladder", 15: "prostate or uterus",
}  # fmt: skip
SPLITS = {"imagesTr": "train", "imagesVa": "validation", "imagesTs": "test"}
FIRST_MR, FIRST_UNLABELLED = 500, 5000
META = "*_data_meta_*.csv"
TABLES = (META, "*/" + META, "dataset.json", "*/dataset.json")


class Amos(Upstream):
    """One record per volume; those without a label map, such as upstream's unlabelled CT, are taken without masks."""

    source: Literal["amos"]
    splits: tuple[str, ...] = ("train", "validation", "unlabelled")
    may: ClassVar[tuple[str, ...]] = (META, "*/" + META)
    card: ClassVar[Card] = Card(
        name="amos",
        what="abdominal CT and MR with label maps of 15 organs",
        url="https://doi.org/10.5281/zenodo.7155725",
        revision="AMOS22, Zenodo 7262581",
        licence="CC-BY-4.0",
        citation="Ji et al. AMOS: A Large-Scale Abdominal Multi-Organ Benchmark. NeurIPS (2022).",
        phi_risk="low: NIfTI without headers; the table holds birth and acquisition dates, which are left out",
        modalities=("CT", "MR"),
        body_parts=("abdomen",),
        tasks=("organ-segmentation", "organ-size"),
        size="500 CT and 100 MR; label maps of 300 CT and 60 MR are public; 1,900 further CT are unlabelled",
        layout="[amos22/]{imagesTr,labelsTr,imagesVa,labelsVa,imagesTs}/amos_NNNN.nii.gz, *_data_meta_*.csv",
        known="recalled",
        remotes=(Remote(kind="zenodo", at="7262581", unpack=True),),
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        """The rows of the metadata, at most 2,500, are held."""
        shelf = Shelf(inventory, self.exclude)
        meta = {_number(row["amos_id"]): row for table, _ in self.tables(place) for row in rows_below(table, place)}
        for entry in shelf.matching("amos_*.nii.gz"):
            folder = PurePosixPath(entry.path).parent
            if not hidden(entry.path) and not folder.name.startswith("labels"):
                number = _number(stem(entry.path))
                if number < 0:
                    shelf.take(entry)
                    yield outcome(entry, "failed", "bad_name", "a name without a number", "name it as upstream does")
                    continue
                yield self._item(shelf, entry, number, meta.get(number), pseudonym)
        yield from shelf.rest(TABLES)

    def _item(self, shelf: Shelf, entry: Entry, number: int, row: Line | None, pseudonym: Pseudonym) -> Item:
        path = PurePosixPath(entry.path)
        split = "unlabelled" if number >= FIRST_UNLABELLED else SPLITS.get(path.parent.name, "train")
        mask = shelf.get(str(path.parent.parent / path.parent.name.replace("images", "labels") / path.name))
        mask = None if split in ("test", "unlabelled") or mask is entry else mask
        files = (shelf.take(entry), *((row.ref,) if row else ()), *taken(shelf, mask, "mask"))
        computed = number < FIRST_MR or number >= FIRST_UNLABELLED
        return self.other_split(split, files, stem(entry.path)) or Item(
            upstream_id=stem(entry.path),
            form="volume",
            files=files,
            group=pseudonym("case", f"amos_{number:04d}"),
            facts=(
                *self.declared_facts(),
                Fact("modality", "CT" if computed else "MR", "file name"),
                *(_facts(row) if row else ()),
                Fact("split", split, "folder"),
            ),
            masks=label_map(mask, ORGANS),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini
        from sources.volumes.mini_volumes import voxels

        rows = []
        cases = (("Tr", 1), ("Tr", 4), ("Va", 8), ("Tr", 507), ("Va", 517), ("Ts", 2))
        for folder, number in cases:
            grid, marked = voxels(rng, organs=3)
            mini.volume(root / f"amos22/images{folder}/amos_{number:04d}.nii.gz", grid, (1.2, 1.2, 3.0))
            if folder != "Ts":
                mini.volume(root / f"amos22/labels{folder}/amos_{number:04d}.nii.gz", marked, (1.2, 1.2, 3.0))
            rows.append(
                {"amos_id": number, "Patient's Birth Date": "19600101", "Patient's Sex": "M" if number % 2 else "F",
                 "Patient's Age": f"0{50 + number % 40}Y", "Manufacturer's Model Name": "Aquilion ONE",
                 "Manufacturer": "TOSHIBA", "Acquisition Date": 20190304.0, "Site": "LGCH"}
            )  # fmt: skip
        mini.table(root / "labeled_data_meta_0000_0599.csv", rows)
        names = {str(value): name for value, name in ORGANS.items()}
        mini.json_file(root / "amos22/dataset.json", {"name": "AMOS", "modality": {"0": "CT"}, "labels": names})


def _number(name: str) -> int:
    digits = name.removeprefix("amos_")
    return int(digits) if digits.isdecimal() and len(digits) < 8 else -1


def _facts(row: Line) -> Iterator[Fact]:
    yield from person(
        row.get("Patient's Sex"), row.get("Patient's Age"), ("column:Patient's Sex", "column:Patient's Age")
    )
    yield from told("manufacturer", row.get("Manufacturer"), "column:Manufacturer")
