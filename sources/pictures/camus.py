"""CAMUS: echocardiograms of 500 patients, two views at end-diastole and end-systole, with masks and ejection fraction.

Upstream's layout: `database_nifti/patient0001/patient0001_{2CH,4CH}_{ED,ES}.nii.gz`, 2D NIfTI files with the pixels'
size, each with a label map `…_gt.nii.gz` (1 left ventricle, 2 myocardium, 3 left atrium); `Info_{2CH,4CH}.cfg` with
lines `ED: 1`, `ES: 20`, `NbFrame: 20`, `Sex: F`, `Age: 56`, `ImageQuality: Good`, `EF: 55`, `FrameRate: 51.3`;
`database_split/subgroup_{training,validation,testing}.txt` with one patient a line. Quirks: the sequences from one to
the other (`…_half_sequence.nii.gz`) hold frames in the place of slices and are left out; the ejection fraction is of
both views together; the cfg files of the first release (LVedv, LVesv) are read too; without the lists of the split all
patients are taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym, not_a_record
from sources.pictures.shared import sex
from sources.upstream import Shelf, Upstream, broken, sidecar_text, told

if TYPE_CHECKING:
    import numpy as np

NAME = re.compile(r"(.*/)?(patient\d+)/patient\d+_(2CH|4CH)_(ED|ES)\.nii\.gz")
STRUCTURES = ("left ventricle", "myocardium", "left atrium")  # values 1, 2 and 3
VIEWS = {"2CH": "apical two-chamber", "4CH": "apical four-chamber"}
PHASES = {"ED": "end-diastole", "ES": "end-systole"}
VOLUMES = {"LVedv": "end-diastolic volume of the left ventricle", "LVesv": "end-systolic volume of the left ventricle"}
LISTS = "database_split/subgroup_*.txt"


class Camus(Upstream):
    """One record per view and phase, grouped by patient."""

    source: Literal["camus"]
    splits: tuple[str, ...] = ("training",)
    may: ClassVar[tuple[str, ...]] = (LISTS,)
    card: ClassVar[Card] = Card(
        name="camus",
        what="apical echocardiograms at end-diastole and end-systole with cardiac masks and ejection fraction",
        url="https://www.creatis.insa-lyon.fr/Challenge/camus/index.html",
        revision="CAMUS_public in NIfTI, 2022",
        licence="CC-BY-NC-SA-4.0",
        citation="Leclerc et al. Deep learning for segmentation using an open large-scale dataset in 2D "
        "echocardiography. IEEE Transactions on Medical Imaging 38, 2198-2210 (2019).",
        phi_risk="low: de-identified exports; age and sex",
        modalities=("US",),
        body_parts=("heart",),
        tasks=("organ-segmentation", "organ-size", "ejection-fraction"),
        size="2,000 images with masks of 500 patients",
        layout="database_nifti/patientNNNN/patientNNNN_{2CH,4CH}_{ED,ES}[_gt].nii.gz, Info_{2CH,4CH}.cfg, "
        "database_split/subgroup_*.txt",
        known="recalled",
        steps="download CAMUS_public from the challenge's page and unpack it below camus/",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        splits: dict[str, str] = {}
        for entry in shelf.matching(LISTS, f"*/{LISTS}"):
            split = entry.path.rpartition("subgroup_")[2].removesuffix(".txt")
            splits |= dict.fromkeys(sidecar_text(place, entry).split(), split)
        for entry in shelf.matching("*_ED.nii.gz", "*_ES.nii.gz"):
            if (name := NAME.fullmatch(entry.path)) is None:
                continue
            try:
                yield self._item(entry, name, shelf, place, pseudonym, splits.get(name[2], ""))
            except RecordError as error:
                shelf.take(entry)
                yield broken(entry, error)
        for entry in shelf.matching("*_half_sequence*.nii.gz"):
            shelf.take(entry)
            yield not_a_record(entry, "a sequence of frames, of which the first and the last are records")
        yield from shelf.rest((LISTS, "*.cfg"))

    def _item(
        self, entry: Entry, name: re.Match[str], shelf: Shelf, place: Place, pseudonym: Pseudonym, split: str
    ) -> Item:
        view, phase = name[3], name[4]
        mask = shelf.get(entry.path.replace(".nii.gz", "_gt.nii.gz"))
        info = shelf.get(f"{entry.path.rpartition('/')[0]}/Info_{view}.cfg")
        said = _said(sidecar_text(place, info)) if info else {}
        files = (
            shelf.take(entry),
            *((shelf.take(mask, "mask"),) if mask else ()),
            *((shelf.take(info, "table"),) if info else ()),
        )
        other = self.other_split(split, files, entry.path) if split else None
        if other is not None:
            return other
        marked = ((label, mask.path, value) for value, label in enumerate(STRUCTURES, start=1)) if mask else ()
        return Item(
            upstream_id=entry.path,
            form="picture",
            files=files,
            group=pseudonym("patient", name[2]),
            facts=(
                *self.declared_facts(),
                Fact("view_position", VIEWS[view], "filename"),
                Fact("label", PHASES[phase], "filename", about="cardiac phase"),
                *told("split", split, LISTS),
                *_facts(said, f"Info_{view}.cfg"),
            ),
            masks=tuple(marked),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        import numpy as np

        from sources import mini

        for patient in ("patient0001", "patient0002", "patient0003"):
            folder = root / "database_nifti" / patient
            for view in ("2CH", "4CH") if patient == "patient0001" else ("2CH",):
                for phase, scale in (("ED", 1.0), ("ES", 0.8)):
                    marked = mini.disc(128, 128, 60, 64, 34 * scale, 2) + mini.disc(128, 128, 112, 64, 14, 3)
                    marked[mini.disc(128, 128, 60, 64, 25 * scale) > 0] = 1
                    path = folder / f"{patient}_{view}_{phase}.nii.gz"
                    mini.volume(path, mini.pixels(rng).T, (0.31, 0.31, 1.0))
                    mini.volume(folder / f"{patient}_{view}_{phase}_gt.nii.gz", marked.T, (0.31, 0.31, 1.0))
                lines = ("ED: 1", "ES: 18", "NbFrame: 18", "Sex: F", "Age: 56", "ImageQuality: Good", "EF: 53")
                mini.text(folder / f"Info_{view}.cfg", "\n".join([*lines, "FrameRate: 51.3"]) + "\n")
        (root / "database_nifti/patient0003/Info_2CH.cfg").unlink()  # a view without its facts
        frames = np.stack([mini.pixels(rng, 32, 32) for _ in range(3)], axis=2)
        mini.volume(root / "database_nifti/patient0001/patient0001_2CH_half_sequence.nii.gz", frames)
        mini.text(root / "database_split/subgroup_training.txt", "patient0001\npatient0003\n")
        mini.text(root / "database_split/subgroup_testing.txt", "patient0002\n")


def _said(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}


def _facts(said: dict[str, str], name: str) -> Iterator[Fact]:
    origin = f"file:{name}"
    yield from told("sex", sex(said.get("Sex", "")), origin)
    yield from told("age_years", said.get("Age", ""), origin)
    yield from told("quality", said.get("ImageQuality", "").lower(), origin, about="image quality")
    yield from told("measurement", said.get("EF", ""), origin, about="ejection fraction", unit="percent")
    for key, about in VOLUMES.items():
        yield from told("measurement", said.get(key, ""), origin, about=about, unit="ml")
