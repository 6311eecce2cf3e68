"""BraTS: brain tumours in four MR sequences, co-registered and skull-stripped, with tumour label maps.

Upstream's layouts (Synapse, unpacked in any folder): to 2021 `BraTS2021_00000/BraTS2021_00000_{flair,t1,t1ce,t2,seg}
.nii.gz` (2020: `.nii`), labels 1 necrotic core, 2 edema, 4 enhancing; from 2023 `BraTS-GLI-00000-000/
BraTS-GLI-00000-000-{t1n,t1c,t2w,t2f,seg}.nii.gz` (also MEN, MET, PED, SSA), labels 1 necrotic or non-enhancing core, 2
surrounding edema, 3 enhancing, in 2024's treated gliomas 4 resection cavity. Quirks: 3 is no label of the older sets
and 4 none of 2023's; the last number of a newer name counts a patient's examinations; one case of 2020 calls its label
map `W39_1998.09.19_Segm.nii`; sets for validation (a folder named so) come without label maps. Upstream says of all
volumes that they are skull-stripped, so none shows a face.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym, outcome
from sources.upstream import Shelf, Upstream, told
from sources.volumes.shared import by_folder, label_map, taken

if TYPE_CHECKING:
    import numpy as np

Sequence_ = Literal["t1", "t1c", "t2", "flair"]
KINDS: dict[str, str] = {
    "t1": "t1", "t1n": "t1", "t1ce": "t1c", "t1c": "t1c", "t1gd": "t1c", "t2": "t2", "t2w": "t2", "flair": "flair",
    "t2f": "flair", "seg": "seg", "segm": "seg",
}  # fmt: skip
TITLES = {"t1": "T1", "t1c": "T1 with contrast", "t2": "T2", "flair": "FLAIR"}
OLDER = {1: "necrotic tumor core", 2: "peritumoral edema", 4: "enhancing tumor"}
NEWER = {1: "necrotic tumor core", 2: "peritumoral edema", 3: "enhancing tumor", 4: "resection cavity"}
TUMOURS = {"GLI": "glioma", "MEN": "meningioma", "MET": "brain metastases", "PED": "pediatric glioma", "SSA": "glioma"}
_NAME = re.compile(r"(?P<case>.+?)[-_](?P<kind>[A-Za-z0-9]+)\.nii(\.gz)?", re.IGNORECASE)
_NEW = re.compile(r"BraTS-(?P<set>[A-Z]{3})-(?P<patient>\d+)-(?P<visit>\d+)", re.IGNORECASE)


class Brats(Upstream):
    """One record per sequence of a case, each with the case's masks; `sequences` chooses among them."""

    source: Literal["brats"]
    sequences: tuple[Sequence_, ...] = ("t1", "t1c", "t2", "flair")
    splits: tuple[str, ...] = ("train",)
    card: ClassVar[Card] = Card(
        name="brats",
        what="MR of brain tumours in four sequences with label maps of their parts",
        url="https://www.synapse.org/brats",
        revision="layouts of 2018 to 2021 and of 2023 to 2024",
        licence="LicenseRef-BraTS-terms",
        access="registered",
        steps="register at Synapse, join the challenge of the year, accept its terms, unpack the training data below "
        "brats/",
        citation="Baid et al. The RSNA-ASNR-MICCAI BraTS 2021 Benchmark. arXiv:2107.02314 (2021).",
        phi_risk="low: NIfTI without headers, skull-stripped",
        modalities=("MR",),
        body_parts=("brain",),
        tasks=("lesion-segmentation", "lesion-size"),
        size="1,251 training cases of four sequences (2021 and 2023), more in the further sets",
        layout="[FOLDERS/]CASE/CASE{_flair,_t1,_t1ce,_t2,_seg}.nii.gz or CASE{-t1n,-t1c,-t2w,-t2f,-seg}.nii.gz",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        visits: dict[str, list[str]] = defaultdict(list)
        folders = by_folder(shelf.matching("*.nii", "*.nii.gz"))
        for folder in sorted(folders):
            case = PurePosixPath(folder).name
            visits[_patient(case)].append(case)
        for folder, entries in sorted(folders.items()):
            case = PurePosixPath(folder).name
            order = sorted(visits[_patient(case)]).index(case) + 1 if len(visits[_patient(case)]) > 1 else 0
            yield from self._case(shelf, folder, entries, order, pseudonym)
        yield from shelf.rest()

    def _case(
        self, shelf: Shelf, folder: str, entries: Sequence[Entry], visit: int, pseudonym: Pseudonym
    ) -> Iterator[Item]:  # fmt: skip
        case = PurePosixPath(folder).name
        found = {kind: entry for entry in entries if (kind := _kind(entry.path))}
        mask = found.pop("seg", None)
        split = "validation" if "valid" in folder.lower() else "train"
        if split == "train" and mask is None and found:
            for entry in found.values():
                shelf.take(entry)
                remedy = "fetch the case anew, or exclude it"
                yield outcome(entry, "failed", "mask_missing", "a training case without label map", remedy)
            return
        for kind, entry in sorted(found.items()):
            files = (*taken(shelf, entry, "data"), *taken(shelf, mask, "mask"))
            identity = f"{case}/{kind}"
            if kind not in self.sequences:
                yield Item(identity, "none", files, reason="other_sequence", found=TITLES[kind],
                           remedy="name it in `sequences` to take it")  # fmt: skip
                continue
            yield self.other_split(split, files, identity) or Item(
                upstream_id=identity,
                form="volume",
                files=files,
                group=pseudonym("patient", _patient(case)),
                facts=(*self.declared_facts(), *_facts(case, kind, visit), Fact("split", split, "folder")),
                masks=label_map(mask, NEWER if _NEW.match(case) else OLDER),
            )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini
        from sources.volumes.mini_volumes import voxels

        older, newer = ("flair", "t1", "t1ce", "t2"), ("t1n", "t1c", "t2w", "t2f")
        cases = (
            ("BraTS2021_00000", "_", older, 4), ("BraTS-GLI-00005-000", "-", newer, 3),
            ("BraTS-GLI-00005-001", "-", newer, 3),
        )  # fmt: skip
        for case, joint, kinds, enhancing in cases:
            for kind in kinds:
                grid, marked = voxels(rng, organs=3)
                mini.volume(root / case / f"{case}{joint}{kind}.nii.gz", grid - grid.min(), (1.0, 1.0, 1.0))
            marked[marked == 3] = enhancing
            mini.volume(root / case / f"{case}{joint}seg.nii.gz", marked, (1.0, 1.0, 1.0))
        lone = "ValidationData/BraTS-GLI-00070-000/BraTS-GLI-00070-000-t1n.nii.gz"
        mini.volume(root / lone, voxels(rng)[0], (1.0, 1.0, 1.0))


def _kind(path: str) -> str:
    """Which sequence a file is, or `seg`; "" for another file."""
    met = _NAME.fullmatch(PurePosixPath(path).name)
    return KINDS.get(met["kind"].lower(), "") if met else ""


def _patient(case: str) -> str:
    met = _NEW.match(case)
    return f"BraTS-{met['set']}-{met['patient']}" if met else case


def _facts(case: str, kind: str, visit: int) -> Iterator[Fact]:
    yield Fact("sequence", TITLES[kind], "file name")
    yield from told("contrast", "gadolinium" if kind == "t1c" else "", "file name")
    yield Fact("defaced", "yes", "card")  # skull-stripped
    yield from told("time_point", str(visit) if visit else "", "file name")
    met = _NEW.match(case)
    yield from told("diagnosis", TUMOURS.get(met["set"].upper(), "") if met else "glioma", "folder")
