"""Volumes in NIfTI, NRRD or MetaImage, with or without segmentation masks.

Three layouts are read:
- `imagesTr/CASE.nii.gz` (or `CASE_0000.nii.gz`) beside `labelsTr/CASE.nii.gz`, a label map whose values `labels`
  names: `labels: {1: spleen}`; of nnU-Net's sets with several channels and a `dataset.json` the source `nnunet` knows
  more;
- one file per structure: `masks: {liver: "{folder}/segmentations/liver.nii.gz"}`, where `{folder}` is the image's
  folder and `{stem}` its name without extension;
- volumes alone: `images` is a pattern, and no labels are given.

`landmarks` is a pattern of the same kind for a file of named points beside each volume (`{folder}/{stem}.mrk.json`);
a volume without such a file has none.

Quirks: the Decathlon's archives carry macOS companions (`._CASE.nii.gz`), which are no volumes; probability maps are
cut at `threshold`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import ClassVar, Literal

from pydantic import Field

from manifests.card import Card
from manifests.record import FileRef
from sources.base import Entry, Item, Place, Pseudonym, SourceConfig, matches, not_a_record, outcome, ref, usable

VOLUME_ENDINGS = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".hdr")
DATA_OF_HEADERS = {".hdr": (".img", ".img.gz"), ".mhd": (".raw", ".zraw"), ".nhdr": (".raw", ".raw.gz")}


class NiftiMasks(SourceConfig):
    """`images` selects the volumes; `labels` names the values of label maps, `masks` the files of single structures."""

    source: Literal["nifti_masks"]
    images: tuple[str, ...] = ("imagesTr/*", "*")
    labels_folder: str = "labelsTr"
    labels: dict[int, str] = Field(default_factory=dict)
    masks: dict[str, str] = Field(default_factory=dict)
    landmarks: str = ""
    threshold: float = Field(default=0.5, gt=0)
    group: Literal["case", "folder"] = "case"

    card: ClassVar[Card] = Card(
        name="nifti_masks",
        what="NIfTI, NRRD or MetaImage volumes with label maps or one mask per structure",
        layout="imagesTr/CASE.nii.gz + labelsTr/CASE.nii.gz, or any pattern",
        phi_risk="low in headers (rebuilt anyway); faces in head volumes",
        modalities=("CT", "MR", "PT"),
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        entries, refused = usable(inventory, self.exclude)
        yield from refused
        by_path = {e.path: e for e in entries}
        taken: set[str] = set()
        items: list[Item] = []
        for entry in self._volumes(entries):
            item = self._item(entry, by_path, pseudonym)
            items.append(item)
            taken.update(f.path for f in item.files)
        yield from items
        for entry in entries:
            if entry.path not in taken:
                yield not_a_record(entry, "a file that is neither a chosen volume nor a mask of one")

    def _volumes(self, entries: Sequence[Entry]) -> list[Entry]:
        """The images: those of `imagesTr` where there are some, else whatever the patterns choose that is no mask."""
        mask_names = {PurePosixPath(m).name for m in self.masks.values()}
        found = [
            e
            for e in entries
            if e.path.lower().endswith(VOLUME_ENDINGS)
            and not PurePosixPath(e.path).name.startswith("._")
            and not e.path.startswith(f"{self.labels_folder}/")
            and PurePosixPath(e.path).name not in mask_names
        ]
        for pattern in self.images:
            chosen = [e for e in found if matches(e.path, [pattern])]
            if chosen:
                return chosen
        return []

    def _item(self, entry: Entry, by_path: dict[str, Entry], pseudonym: Pseudonym) -> Item:
        stem = stem_of(entry.path)
        folder = PurePosixPath(entry.path).parent.as_posix()
        wanted = [(label, pattern.format(stem=stem, folder=folder), 0) for label, pattern in self.masks.items()]
        if self.labels:
            label_map = self._label_map(entry.path, by_path)
            if not label_map:
                return outcome(
                    entry,
                    "failed",
                    "mask_missing",
                    f"no label map of the volume's name in '{self.labels_folder}'",
                    "add it, correct `labels_folder`, or leave `labels` out",
                )
            wanted += [(name, label_map, value) for value, name in sorted(self.labels.items())]
        masks = tuple((label, path.removeprefix("./"), value) for label, path, value in wanted)
        present = tuple(m for m in masks if m[1] in by_path)
        mask_files = sorted({path for _, path, _ in present})
        points = self._landmarks(stem, folder, by_path)
        case = folder if self.group == "folder" else stem
        return Item(
            upstream_id=entry.path,
            form="volume",
            files=(
                ref(entry),
                *(ref(by_path[p], "mask") for p in mask_files),
                *(ref(by_path[p], "landmarks") for p in (points,) if p),
                *self._companions(entry, by_path),
            ),
            group=pseudonym("case", case),
            facts=self.declared_facts(),
            masks=present,
            threshold=self.threshold,
            landmarks=points,
        )

    def _landmarks(self, stem: str, folder: str, by_path: dict[str, Entry]) -> str:
        path = self.landmarks.format(stem=stem, folder=folder).removeprefix("./")
        return path if path in by_path else ""

    def _label_map(self, image: str, by_path: dict[str, Entry]) -> str:
        name = PurePosixPath(image).name
        plain = name.replace("_0000.", ".")
        candidates = [f"{self.labels_folder}/{n}" for n in (name, plain)]
        return next((c for c in candidates if c in by_path), "")

    def _companions(self, entry: Entry, by_path: dict[str, Entry]) -> tuple[FileRef, ...]:
        """The data file of a header-only format (`.hdr`/`.img`, `.mhd`/`.raw`)."""
        suffix = PurePosixPath(entry.path).suffix.lower()
        stem = entry.path.removesuffix(PurePosixPath(entry.path).suffix)
        paths = [stem + ending for ending in DATA_OF_HEADERS.get(suffix, ())]
        return tuple(ref(by_path[p], "pixels") for p in paths if p in by_path)


def stem_of(path: str) -> str:
    """The file name without its volume ending: `imagesTr/case_1.nii.gz` -> `case_1`."""
    name = PurePosixPath(path).name
    ending = next((e for e in sorted(VOLUME_ENDINGS, key=len, reverse=True) if name.lower().endswith(e)), "")
    return name[: len(name) - len(ending)] if ending else name
