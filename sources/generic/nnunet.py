"""nnU-Net's raw data sets, of one or several channels, as its versions 1 and 2 have them.

    source: nnunet
    root: Dataset137_BraTS2021      # one data set, or a folder of several
    channels: [T1, FLAIR]           # of those that dataset.json names; all, if empty

`imagesTr/CASE_0000.nii.gz`, `CASE_0001.nii.gz` are the channels of one case, `labelsTr/CASE.nii.gz` its label map;
`imagesTs` and `labelsTs` are the test set, mostly without label maps. `dataset.json` names the channels
(`channel_names`, before `modality`) and the labels: {"spleen": 1} or, before, {"1": "spleen"}; a label of several
values ({"whole tumor": [1, 2, 3]}) is a region, whose parts overlap with others'. Each channel becomes a record with
all masks of its case, as channels are registered to each other: one group, told apart by the fact `sequence`; so does
each volume of a 4D file, as the Medical Segmentation Decathlon has them. Quirks: `ignore` is no structure; channels may
be named by what is done with them (`zscore`, `noNorm`), which says nothing; files of other endings than `file_ending`
are none of the set's; macOS companions (`._CASE_0000.nii.gz`). 2D sets (`.png`) are not covered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Fact, FileRef
from sources.base import Entry, Item, Place, Pseudonym, not_a_record
from sources.nifti_masks import DATA_OF_HEADERS, VOLUME_ENDINGS, stem_of
from sources.upstream import Shelf, Upstream, broken, sidecar_json, told
from sources.volumes.shared import Masks, hidden, taken

if TYPE_CHECKING:
    import numpy as np

ORIGIN = "dataset.json"
SCHEMES = frozenset({"nonorm", "zscore", "rescale_to_0_1", "rescale_0_1", "rgb_to_0_1"})  # how a channel is scaled
MR = re.compile(r"mr|mri|t[12]\b.*|t[12](w|c|ce|gd|n|f|wi).*|flair.*|adc.*|dwi.*|pd.*|swi.*|dce.*", re.IGNORECASE)
OTHERS = {"ct": "CT", "pet": "PT", "pt": "PT", "suv": "PT"}
_CHANNEL = re.compile(r"(?P<case>.+)_(?P<number>\d{4})")
_ENDING = re.compile(r"(\.[A-Za-z0-9]{1,8}){1,2}")
MAX_VALUE = 1 << 16


@dataclass(frozen=True, slots=True)
class Told:
    """What a dataset.json says: channels by number, labels as (name, value), the ending of files ("" for any)."""

    channels: Mapping[int, str]
    labels: tuple[tuple[str, int], ...]
    ending: str


class NnUnet(Upstream):
    """One record per channel of a case. `splits` takes `test` for imagesTs."""

    source: Literal["nnunet"]
    channels: tuple[str, ...] = ()
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = ("**/dataset.json",)
    card: ClassVar[Card] = Card(
        name="nnunet",
        what="nnU-Net raw data sets: volumes of one or several channels with label maps",
        layout="[DatasetNNN_NAME/]{imagesTr,imagesTs}/CASE_XXXX.nii.gz, labelsTr/CASE.nii.gz, dataset.json",
        phi_risk="low in headers (rebuilt anyway); faces in head volumes",
        modalities=("CT", "MR", "PT"),
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for table in shelf.matching("dataset.json"):
            folder = PurePosixPath(table.path).parent
            try:
                known = _told(sidecar_json(place, table))
            except RecordError as error:
                shelf.take(table)
                yield broken(table, error)
                continue
            for images, split in (("imagesTr", "train"), ("imagesTs", "test")):
                for entry in shelf.matching(f"{(folder / images).as_posix()}/*{known.ending}"):
                    if hidden(entry.path):
                        shelf.take(entry)
                        yield not_a_record(entry, "a companion that macOS put into the archive")
                    elif entry.path.lower().endswith(VOLUME_ENDINGS):
                        yield from self._volumes(shelf, table, entry, (known, split), pseudonym)
        yield from shelf.rest(self.needs)

    def _volumes(
        self, shelf: Shelf, table: Entry, entry: Entry, known: tuple[Told, str], pseudonym: Pseudonym
    ) -> Iterator[Item]:
        """The records of one file: of one channel, or of each volume of a file that holds all."""
        said, split = known
        case, number, mask = _case_of(shelf, entry)
        several = number is None and len(said.channels) > 1
        numbers = list(said.channels) if several else [number or 0]
        for part, channel in enumerate(numbers):
            name, volume = said.channels.get(channel, ""), part if several else None
            files = (
                *taken(shelf, entry, "data", volume), *taken(shelf, mask, "mask"), shelf.take(table, "table"),
                *_companions(shelf, entry),
            )  # fmt: skip
            identity = f"{entry.path}#volume={part}" if several else entry.path
            if self.channels and name not in self.channels:
                remedy = "name it in `channels` to take it"
                yield Item(identity, "none", files, reason="other_sequence", found=f"channel '{name}'", remedy=remedy)
                continue
            if other := self.other_split(split, files, identity):
                yield other
            elif mask is None and split == "train":
                found, remedy = "a training case without label map in 'labelsTr'", "add it, or exclude the case"
                yield Item(identity, "none", files, status="failed", reason="mask_missing", found=found, remedy=remedy)
            else:
                yield Item(
                    upstream_id=identity,
                    form="volume",
                    files=files,
                    group=pseudonym("case", f"{PurePosixPath(table.path).parent.name}/{case}"),
                    facts=(*self._facts(name, len(said.channels) > 1), Fact("split", split, "folder")),
                    masks=_masks(mask, said),
                    part=part,
                )

    def _facts(self, channel: str, several: bool) -> tuple[Fact, ...]:
        """What the recipe states, and what a channel's name says of modality and sequence."""
        stated = self.declared_facts()
        modality = OTHERS.get(channel.lower(), "MR" if MR.fullmatch(channel) else "")
        known = "" if any(f.name == "modality" for f in stated) else modality
        sequence = "" if channel.lower() in SCHEMES or (not several and modality == "CT") else channel
        return (
            *stated,
            *told("modality", known, f"{ORIGIN}:channel_names"),
            *told("sequence", sequence, f"{ORIGIN}:channel_names"),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        import numpy
        import SimpleITK

        from sources import mini
        from sources.volumes.mini_volumes import voxels

        glioma, organs = root / "Dataset137_Glioma", root / "Task502_Organs"
        for number in (1, 2, 3):
            for channel in range(2):
                grid, marked = voxels(rng, organs=3)
                mini.volume(glioma / f"images{'Ts' if number == 3 else 'Tr'}/g_{number:02d}_{channel:04d}.nii.gz", grid)
            if number == 1:  # the second has no label map
                mini.volume(glioma / f"labelsTr/g_{number:02d}.nii.gz", marked)
        mini.text(glioma / "imagesTr/._g_01_0000.nii.gz", "Mac OS X")
        labels: dict[str, Any] = {"background": 0, "whole tumor": [1, 2, 3], "tumor core": [2, 3], "ignore": 4}
        mini.json_file(
            glioma / "dataset.json",
            {"channel_names": {"0": "T1", "1": "FLAIR"}, "labels": labels, "regions_class_order": [1, 2],
             "numTraining": 2, "file_ending": ".nii.gz"},
        )  # fmt: skip
        grid, marked = voxels(rng)
        for path, array in (("imagesTr/o_0007_0000.nrrd", grid), ("labelsTr/o_0007.nrrd", marked)):
            (organs / path).parent.mkdir(parents=True, exist_ok=True)
            SimpleITK.WriteImage(SimpleITK.GetImageFromArray(numpy.ascontiguousarray(array.T)), organs / path)
        names = {"0": "background", "1": "liver", "2": "spleen"}
        mini.json_file(organs / "dataset.json", {"modality": {"0": "CT"}, "labels": names, "numTraining": 1})
        stack = numpy.stack([voxels(rng)[0] for _ in range(2)], axis=-1)
        whole = root / "Task503_Stacked"
        mini.volume(whole / "imagesTr/s_001.nii.gz", stack)
        mini.volume(whole / "labelsTr/s_001.nii.gz", voxels(rng)[1])
        mini.json_file(whole / "dataset.json", {"modality": {"0": "T2", "1": "ADC"}, "labels": names})
        mini.json_file(root / "Dataset900_Broken/dataset.json", {"labels": {"background": 0}})


def _case_of(shelf: Shelf, entry: Entry) -> tuple[str, int | None, Entry | None]:
    """A file's case, its channel (None where it holds all) and the case's label map."""
    path = PurePosixPath(entry.path)
    stem, ending = stem_of(entry.path), path.name[len(stem_of(entry.path)) :]
    labels = path.parent.parent / path.parent.name.replace("images", "labels")
    met = _CHANNEL.fullmatch(stem)
    whole = shelf.get((labels / path.name).as_posix())
    if whole is not None or met is None:
        return stem, None, whole
    return met["case"], int(met["number"]), shelf.get((labels / f"{met['case']}{ending}").as_posix())


def _companions(shelf: Shelf, entry: Entry) -> tuple[FileRef, ...]:
    """The data file of a format whose header is a file of its own."""
    suffix = PurePosixPath(entry.path).suffix
    found = (shelf.get(entry.path.removesuffix(suffix) + e) for e in DATA_OF_HEADERS.get(suffix.lower(), ()))
    return tuple(shelf.take(e, "pixels") for e in found if e is not None)


def _masks(mask: Entry | None, said: Told) -> Masks:
    return () if mask is None else tuple((name, mask.path, value) for name, value in said.labels)


def _told(whole: Any) -> Told:
    """Raises `RecordError` `bad_dataset_json`."""
    try:
        channels = whole.get("channel_names", whole.get("modality"))
        numbered = {int(number): str(name).strip() for number, name in channels.items()}
        labels = tuple(_labels(whole["labels"]))
        ending = told_ending if _ENDING.fullmatch(told_ending := str(whole.get("file_ending", ""))) else ""
    except (AttributeError, KeyError, TypeError, ValueError):
        numbered, labels, ending = {}, (), ""
    if not numbered or not labels:
        raise RecordError("bad_dataset_json", "no channels or no labels by number", "write it as nnU-Net has it")
    return Told(dict(sorted(numbered.items())), labels, ending)


def _labels(labels: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """(name, value) of each label; several of one name for a region. Raises `ValueError` and `TypeError`."""
    for key, told_value in labels.items():
        plain = str(key).strip()
        name, values = (str(told_value), [plain]) if plain.isdecimal() else (plain, told_value)
        for value in values if isinstance(values, list) else [values]:
            number = int(value)
            if not 0 <= number < MAX_VALUE:
                raise ValueError("a label that no label map holds")
            if number and name.lower() not in ("ignore", "background"):
                yield name, number
