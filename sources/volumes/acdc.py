"""ACDC: cine MR of 150 hearts with ventricles and myocardium at end-diastole and end-systole, and five diagnoses.

Upstream's layout: `[database/]{training,testing}/patient001/{Info.cfg,patient001_4d.nii.gz,patient001_frame01.nii.gz,
patient001_frame01_gt.nii.gz,...}`; Info.cfg has `ED: 1`, `ES: 12`, `Group: DCM`, `Height: 184.0`, `NbFrame: 30`,
`Weight: 95.0`, a key a line. Quirks: the numbers of frames are counted from 1; the 4D cine holds the two frames again
and is left out; slices are 5 to 10 mm thick and some ten; labels count from the right (1 right ventricle, 2 myocardium,
3 left ventricle); of some testing patients Info.cfg lies there without a group.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym, not_a_record
from sources.upstream import Shelf, Upstream, broken, sidecar_text, told
from sources.volumes.shared import label_map, taken

if TYPE_CHECKING:
    import numpy as np

LABELS = {1: "right ventricle", 2: "myocardium", 3: "left ventricle"}
GROUPS = {
    "NOR": "normal heart", "MINF": "previous myocardial infarction", "DCM": "dilated cardiomyopathy",
    "HCM": "hypertrophic cardiomyopathy", "RV": "abnormal right ventricle",
}  # fmt: skip
PHASES = {"ED": "end-diastole", "ES": "end-systole"}
_FRAME = re.compile(r"(?P<patient>patient\d+)_frame(?P<frame>\d+)\.nii(?:\.gz)?")


class Acdc(Upstream):
    """One record per frame that upstream marked."""

    source: Literal["acdc"]
    splits: tuple[str, ...] = ("training",)
    card: ClassVar[Card] = Card(
        name="acdc",
        what="short-axis cardiac MR with label maps at two phases and the diagnosis",
        url="https://www.creatis.insa-lyon.fr/Challenge/acdc/",
        revision="2018 release (Human Heart Project)",
        licence="LicenseRef-ACDC-research-only",
        steps="download the database from humanheart-project.creatis.insa-lyon.fr and unpack it below acdc/; its terms "
        "are non-commercial",
        citation="Bernard et al. Deep Learning Techniques for Automatic MRI Cardiac Multi-Structures Segmentation and "
        "Diagnosis: Is the Problem Solved? IEEE Transactions on Medical Imaging 37(11), 2514-2525 (2018).",
        phi_risk="low: NIfTI without headers; height and weight",
        modalities=("MR",),
        body_parts=("heart",),
        tasks=("organ-segmentation", "organ-size", "classification", "ejection-fraction"),
        size="150 patients of two frames each: 100 training, 50 testing",
        layout="[database/]{training,testing}/patient001/{Info.cfg,patient001_frame01.nii.gz,patient001_frame01_gt.nii.gz}",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for entry in shelf.matching("patient*_4d.nii", "patient*_4d.nii.gz"):
            shelf.take(entry)
            yield not_a_record(entry, "the cine that the marked frames are of")
        for entry in shelf.matching("patient*_frame*.nii", "patient*_frame*.nii.gz"):
            name = _FRAME.fullmatch(PurePosixPath(entry.path).name)
            if name:
                yield self._item(place, shelf, entry, (name["patient"], int(name["frame"])), pseudonym)
        yield from shelf.rest(("Info.cfg",))

    def _item(
        self, place: Place, shelf: Shelf, entry: Entry, named: tuple[str, int], pseudonym: Pseudonym
    ) -> Item:  # fmt: skip
        patient, frame = named
        folder = PurePosixPath(entry.path).parent
        mask = shelf.first(*(entry.path.replace(end, f"_gt{end}") for end in (".nii.gz", ".nii") if end in entry.path))
        info = shelf.get(str(folder / "Info.cfg"))
        try:
            said = _info(sidecar_text(place, info)) if info else {}
        except RecordError as error:
            shelf.take(entry)
            return broken(entry, error)
        split = "testing" if "testing" in folder.parts else "training"
        files = (*taken(shelf, entry, "data"), *taken(shelf, info, "table"), *taken(shelf, mask, "mask"))
        return self.other_split(split, files, f"{patient}/frame{frame}") or Item(
            upstream_id=f"{patient}/frame{frame}",
            form="volume",
            files=files,
            group=pseudonym("patient", f"acdc/{patient}"),
            facts=(*self.declared_facts(), *_facts(said, frame), Fact("split", split, "folder")),
            masks=label_map(mask, LABELS),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini
        from sources.volumes.mini_volumes import voxels

        for number, group in ((1, "DCM"), (2, "NOR"), (101, "HCM")):
            patient = f"patient{number:03d}"
            folder = root / f"database/{'testing' if number > 100 else 'training'}/{patient}"
            for frame in (1, 12):
                grid, marked = voxels(rng, (48, 48, 10), organs=3)
                mini.volume(folder / f"{patient}_frame{frame:02d}.nii.gz", grid - grid.min(), (1.6, 1.6, 8.0))
                mini.volume(folder / f"{patient}_frame{frame:02d}_gt.nii.gz", marked, (1.6, 1.6, 8.0))
            cine = voxels(rng, (48, 48, 10))[0]
            mini.volume(folder / f"{patient}_4d.nii.gz", cine[..., None].repeat(2, axis=-1), (1.6, 1.6, 8.0))
            mini.text(folder / "Info.cfg", f"ED: 1\nES: 12\nGroup: {group}\nHeight: 184.0\nNbFrame: 30\nWeight: 95.0\n")
        mini.text(root / "database/MANDATORY_CITATION.md", "Cite the paper.")


def _info(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}


def _facts(said: dict[str, str], frame: int) -> Iterator[Fact]:
    for key, phase in PHASES.items():
        yield from told("label", phase if said.get(key) == str(frame) else "", f"Info.cfg:{key}", about="cardiac phase")
    group = said.get("Group", "")
    yield from told("diagnosis", GROUPS.get(group, group), "Info.cfg:Group")
    for key, unit in (("Height", "cm"), ("Weight", "kg")):
        yield from told("measurement", said.get(key, ""), f"Info.cfg:{key}", about=key.lower(), unit=unit)
