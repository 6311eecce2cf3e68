"""SA-Med3D's prepared layout: volumes of many data sets, one structure each, by class.

Upstream's layout (SAM-Med3D's preparation scripts): `medical_preprocessed/CLASS/DATASET/{imagesTr,labelsTr}/
CASE.nii.gz` with a binary label map of the class beside each volume, e.g. `liver/ct_AMOS/imagesTr/amos_0013.nii.gz`;
`validation` in place of `medical_preprocessed` holds what upstream evaluates on (imagesTr there as well, or imagesTs).
Quirks: DATASET begins with the modality (`ct_`, `mr_flair_`) in SA-Med3D's own sets and not in those of users; a volume
that shows several classes lies in each class's folder again, as a copy, so cases are the group; labels are resampled to
1.5 mm; class names have underscores. Volumes of heads are not said to be defaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym, outcome
from sources.upstream import Shelf, Upstream, told
from sources.volumes.shared import hidden, label_map, stem, taken

if TYPE_CHECKING:
    import numpy as np

MODALITIES = {"ct": "CT", "mr": "MR", "mri": "MR", "pet": "PT", "us": "US"}
SEQUENCES = {"flair": "FLAIR", "t1": "T1", "t1w": "T1", "t1c": "T1 with contrast", "t1ce": "T1 with contrast",
             "t2": "T2", "t2w": "T2", "adc": "ADC", "dwi": "DWI"}  # fmt: skip


class SaMed3d(Upstream):
    """One record per volume of a class, with the class's mask."""

    source: Literal["sa_med3d"]
    splits: tuple[str, ...] = ("train",)
    card: ClassVar[Card] = Card(
        name="sa_med3d",
        what="volumes of many public sets, each with the mask of one structure",
        url="https://github.com/uni-medical/SAM-Med3D",
        revision="8f0eb9d (2025)",
        licence="LicenseRef-terms-of-each-set",
        access="registered",
        steps="fetch the sets that you may use, or SA-Med3D-140K from upstream's hub page, and arrange them as "
        "sa_med3d/medical_preprocessed/CLASS/DATASET/{imagesTr,labelsTr}; give each set's licence in the recipe",
        citation="Wang et al. SAM-Med3D. arXiv:2310.15161 (2023).",
        phi_risk="low headers; faces in volumes of heads",
        modalities=("CT", "MR", "PT", "US"),
        tasks=("organ-segmentation", "lesion-segmentation"),
        size="SA-Med3D-140K: 21,729 volumes with 143,518 masks of 245 classes",
        layout="{medical_preprocessed,validation}/CLASS/DATASET/{imagesTr,labelsTr}/CASE.nii.gz",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for entry in shelf.matching("*/imagesTr/*.nii.gz", "*/imagesTs/*.nii.gz"):
            path = PurePosixPath(entry.path)
            if hidden(entry.path) or len(path.parts) < 4:
                continue
            mask = shelf.get(str(path.parent.parent / path.parent.name.replace("images", "labels") / path.name))
            if mask is None:
                shelf.take(entry)
                yield outcome(entry, "failed", "mask_missing", "a volume without label map", "fetch its label map")
                continue
            yield self._item(shelf, entry, mask, pseudonym)
        yield from shelf.rest()

    def _item(self, shelf: Shelf, entry: Entry, mask: Entry, pseudonym: Pseudonym) -> Item:
        *above, structure, dataset, folder, _ = PurePosixPath(entry.path).parts
        held_out = folder == "imagesTs" or any("val" in part.lower() for part in above)
        files = (*taken(shelf, entry, "data"), *taken(shelf, mask, "mask"))
        modality, sequence, name = _told_by(dataset)
        return self.other_split("validation" if held_out else "train", files, entry.path) or Item(
            upstream_id=entry.path,
            form="volume",
            files=files,
            group=pseudonym("case", f"{name}/{stem(entry.path)}"),
            facts=(
                *self.declared_facts(),
                *told("modality", modality, "folder"),
                *told("sequence", sequence, "folder"),
                Fact("structure", structure.replace("_", " "), "folder", about=structure),
                Fact("label", dataset, "folder", about="data set"),
                Fact("split", "validation" if held_out else "train", "folder"),
            ),
            masks=label_map(mask, {1: structure}),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini
        from sources.volumes.mini_volumes import voxels

        grid, marked = voxels(rng)
        for value, structure in ((1, "liver"), (2, "kidney_right")):  # one volume, two classes
            folder = root / f"medical_preprocessed/{structure}/ct_AMOS"
            mini.volume(folder / "imagesTr/amos_0013.nii.gz", grid, (1.5, 1.5, 1.5))
            mini.volume(folder / "labelsTr/amos_0013.nii.gz", (marked == value).astype("uint8"), (1.5, 1.5, 1.5))
        for base, dataset, case in (
            ("medical_preprocessed", "mr_t2_PROMISE12", "Case01"), ("validation", "ct_KiTS2021", "case_00034"),
        ):  # fmt: skip
            grid, marked = voxels(rng, organs=1)
            folder = root / f"{base}/{'prostate' if 'mr' in dataset else 'kidney'}/{dataset}"
            mini.volume(folder / f"imagesTr/{case}.nii.gz", grid, (1.5, 1.5, 1.5))
            mini.volume(folder / f"labelsTr/{case}.nii.gz", marked, (1.5, 1.5, 1.5))
        lone = "medical_preprocessed/spleen/ct_MSD/imagesTr/spleen_2.nii.gz"
        mini.volume(root / lone, voxels(rng)[0], (1.5, 1.5, 1.5))


def _told_by(dataset: str) -> tuple[str, str, str]:
    """Modality, sequence and name of a folder `mr_flair_BraTS2021`."""
    words = re.split(r"[_-]", dataset)
    modality = MODALITIES.get(words[0].lower(), "")
    rest = words[1:] if modality else words
    sequence = SEQUENCES.get(rest[0].lower(), "") if modality and rest else ""
    return modality, sequence, "_".join(rest[1:] if sequence else rest)
