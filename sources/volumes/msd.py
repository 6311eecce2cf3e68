"""Medical Segmentation Decathlon: ten tasks of CT and MR volumes with label maps.

Upstream's layout (the ten tars, unpacked beside each other): `TaskNN_Name/{imagesTr,labelsTr,imagesTs}/CASE.nii.gz` and
`TaskNN_Name/dataset.json` with name, modality and labels by their numbers (as text) and lists of pairs. Quirks: the
tars carry macOS companions (`._CASE.nii.gz`); BRATS and Prostate are 4D, where the fourth axis is a sequence and no
time, so each becomes a record of its own; the test images have no labels; labels are `PZ`, `Anterior`, `cancer` and say
little without their task, so the reader has clearer names. BRATS is skull-stripped, and Hippocampus cropped to the
hippocampus: neither shows a face.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.errors import RecordError
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym, not_a_record
from sources.upstream import Shelf, Upstream, broken, sidecar_json, told
from sources.volumes.shared import hidden, label_map, stem, taken

if TYPE_CHECKING:
    import numpy as np

ORIGIN = "dataset.json"


@dataclass(frozen=True, slots=True)
class Task:
    """What a task's name stands for: the body part, clearer names of its labels, the sequences of its fourth axis."""

    body_part: str
    names: dict[str, str]
    sequences: tuple[str, ...] = ()
    contrast: str = ""
    faceless: bool = False


TASKS: dict[str, Task] = {
    "Task01_BrainTumour": Task(
        "brain",
        {
            "edema": "peritumoral edema", "non-enhancing tumor": "non-enhancing tumor core",
            "enhancing tumour": "enhancing tumor",
        },
        ("FLAIR", "T1", "T1 with contrast", "T2"), faceless=True,
    ),
    "Task02_Heart": Task("heart", {"left atrium": "left atrium"}),
    "Task03_Liver": Task("liver", {"cancer": "liver tumor"}, contrast="portal venous phase"),
    "Task04_Hippocampus": Task(
        "brain", {"Anterior": "anterior hippocampus", "Posterior": "posterior hippocampus"}, faceless=True
    ),
    "Task05_Prostate": Task(
        "prostate", {"PZ": "prostate peripheral zone", "TZ": "prostate transition zone"}, ("T2", "ADC")
    ),
    "Task06_Lung": Task("lung", {"cancer": "lung tumor"}),
    "Task07_Pancreas": Task("pancreas", {"cancer": "pancreas tumor"}, contrast="portal venous phase"),
    "Task08_HepaticVessel": Task(
        "liver", {"Vessel": "hepatic vessels", "Tumour": "liver tumor"}, contrast="portal venous phase"
    ),
    "Task09_Spleen": Task("spleen", {}, contrast="portal venous phase"),
    "Task10_Colon": Task("colon", {"colon cancer primaries": "colon tumor"}, contrast="portal venous phase"),
}  # fmt: skip


class Msd(Upstream):
    """One record per volume, and per sequence of the two multi-sequence tasks; `tasks` chooses among the ten."""

    source: Literal["msd"]
    tasks: tuple[str, ...] = tuple(TASKS)
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = ("Task*/dataset.json",)
    card: ClassVar[Card] = Card(
        name="msd",
        what="CT and MR volumes of ten organs with label maps of organs and tumours",
        url="http://medicaldecathlon.com",
        revision="2018 release (registry of open data on AWS)",
        licence="CC-BY-SA-4.0",
        citation="Antonelli et al. The Medical Segmentation Decathlon. Nature Communications 13, 4128 (2022).",
        phi_risk="low: NIfTI without headers; brains are skull-stripped or cropped",
        modalities=("CT", "MR"),
        body_parts=("brain", "heart", "liver", "prostate", "lung", "pancreas", "spleen", "colon"),
        tasks=("organ-segmentation", "lesion-segmentation", "lesion-size", "organ-size"),
        size="2,633 volumes: 1,756 with label maps, 877 test volumes without",
        layout="TaskNN_Name/{imagesTr,labelsTr,imagesTs}/*.nii.gz, TaskNN_Name/dataset.json",
        known="recalled",
        remotes=tuple(
            Remote(kind="http", at=f"https://msd-for-monai.s3-us-west-2.amazonaws.com/{task}.tar", unpack=True)
            for task in TASKS
        ),
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for table in shelf.matching("Task*/dataset.json"):
            folder = str(PurePosixPath(table.path).parent)
            if PurePosixPath(folder).name not in self.tasks:
                continue
            try:
                told = sidecar_json(place, table)
                labels, channels = _named(told, "labels"), _named(told, "modality")
            except RecordError as error:
                shelf.take(table)
                yield broken(table, error)
                continue
            for entry in shelf.matching(f"{folder}/imagesT[rs]/*.nii.gz"):
                if not hidden(entry.path):
                    yield from self._case(shelf, table, entry, labels, channels, pseudonym)
        for entry in shelf.matching("*/imagesT[rs]/*", "*/labelsTr/*"):
            if hidden(entry.path):
                shelf.take(entry)
                yield not_a_record(entry, "a companion that macOS put into the archive")
        yield from shelf.rest(self.needs)

    def _case(
        self, shelf: Shelf, table: Entry, entry: Entry, labels: dict[int, str], channels: dict[int, str],
        pseudonym: Pseudonym,
    ) -> Iterator[Item]:  # fmt: skip
        folder = PurePosixPath(entry.path).parent.parent
        known = TASKS.get(folder.name, Task("", {}))
        train = PurePosixPath(entry.path).parent.name == "imagesTr"
        mask = shelf.get(f"{folder}/labelsTr/{PurePosixPath(entry.path).name}") if train else None
        facts = (*self.declared_facts(), *_facts(folder.name, known, channels, "train" if train else "test"))
        masks = label_map(mask, {value: known.names.get(name, name) for value, name in labels.items()})
        for part, sequence in enumerate(_sequences(known, channels)):
            volume = part if len(channels) > 1 else None
            files = (*taken(shelf, entry, "data", volume), *taken(shelf, mask, "mask", volume))
            identity = f"{entry.path}#volume={part}" if len(channels) > 1 else entry.path
            other = self.other_split("train" if train else "test", files, identity)
            yield other or Item(
                upstream_id=identity,
                form="volume",
                files=(*files, shelf.take(table, "table")),
                group=pseudonym("case", f"{folder.name}/{stem(entry.path)}"),
                facts=(*facts, *told("sequence", sequence, f"{ORIGIN}:modality")),
                masks=masks,
                part=part,
            )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini
        from sources.volumes.mini_volumes import voxels

        kinds = (
            ("Task01_BrainTumour", "BRATS", {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"},
             {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"}),
            ("Task03_Liver", "liver", {"0": "CT"}, {"0": "background", "1": "liver", "2": "cancer"}),
            ("Task09_Spleen", "spleen", {"0": "CT"}, {"0": "background", "1": "spleen"}),
        )  # fmt: skip
        for task, prefix, modality, labels in kinds:
            for number in (1, 2, 3):
                grids = [voxels(rng, organs=len(labels) - 1) for _ in modality]
                test = number == 3
                grid = grids[0][0] if len(modality) == 1 else _stacked(grids)
                image = f"{'imagesTs' if test else 'imagesTr'}/{prefix}_{number:03d}.nii.gz"
                mini.volume(root / task / image, grid)
                if not test:
                    mini.volume(root / task / f"labelsTr/{prefix}_{number:03d}.nii.gz", grids[0][1])
            mini.text(root / task / f"imagesTr/._{prefix}_001.nii.gz", "Mac OS X")
            pairs = [{"image": f"./imagesTr/{prefix}_{n:03d}.nii.gz", "label": f"./labelsTr/{prefix}_{n:03d}.nii.gz"}
                     for n in (1, 2)]  # fmt: skip
            mini.json_file(
                root / task / "dataset.json",
                {"name": prefix.upper(), "modality": modality, "labels": labels, "licence": "CC-BY-SA 4.0",
                 "numTraining": 2, "numTest": 1, "training": pairs, "test": [f"./imagesTs/{prefix}_003.nii.gz"]},
            )  # fmt: skip


def _stacked(grids: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    import numpy

    return numpy.stack([grid for grid, _ in grids], axis=-1)


def _named(told: object, key: str) -> dict[int, str]:
    """`labels` or `modality` of a dataset.json, whose numbers are text. Raises `RecordError` `bad_dataset_json`."""
    names = told.get(key) if isinstance(told, dict) else None
    try:
        found = {int(number): str(name) for number, name in sorted(names.items())} if isinstance(names, dict) else {}
    except ValueError:
        found = {}
    if not found:
        raise RecordError("bad_dataset_json", f"no '{key}' by number", "fetch the task anew from upstream")
    return found


def _sequences(known: Task, channels: dict[int, str]) -> tuple[str, ...]:
    """The sequence of each volume of a file: the reader's name for it, else upstream's; none for CT."""
    if len(known.sequences) == len(channels):
        return known.sequences
    several = len(channels) > 1
    return tuple(channels[number] if several else "" for number in sorted(channels))


def _facts(task: str, known: Task, channels: dict[int, str], split: str) -> tuple[Fact, ...]:
    computed = any(name.upper() == "CT" for name in channels.values())
    return (
        Fact("modality", "CT" if computed else "MR", f"{ORIGIN}:modality"),
        *told("body_part", known.body_part, "card"),
        *told("contrast", known.contrast, "card"),
        *told("defaced", "yes" if known.faceless else "", "card"),
        Fact("label", task, "folder", about="task"),
        Fact("split", split, "folder"),
    )
