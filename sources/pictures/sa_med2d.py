"""SA-Med2D-20M: 4.6 million slices and pictures of ten modalities with 19.7 million masks.

Upstream's layout (`SAMed2Dv1/`, joined from `raw/SA-Med2D-16M.z01` and on):
`images/MODALITY--DATASET--CASE--x_0040.png` and `masks/MODALITY--DATASET--CASE--x_0040--0003_001.png`, where 0003 is a
class of the data set and 001 an instance; `SAMed2D_v1_class_mapping_id.json` has for each data set its labels and their
numbers; `SAMed2D_v1.json` has for each image its masks, which their names tell as well, so that its 2 GB are not read.
Quirks: a modality is `ct_00`, `mr_t1ce`, `x_ray`, `fundus_photography`; classes that begin with `union_` join others; a
class without a label marks nothing that has a name, and is left out; the case, which is the group, is one volume of one
data set.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.errors import RecordError
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.pictures.shared import numbered
from sources.upstream import Shelf, Upstream, sidecar_json, told

if TYPE_CHECKING:
    import numpy as np

TOP = "SAMed2Dv1/"
CLASSES, MASKS_OF = f"{TOP}SAMed2D_v1_class_mapping_id.json", f"{TOP}SAMed2D_v1.json"
MODALITIES = {
    "ct": "CT", "mr": "MR", "pet": "PT", "x": "DX", "ultrasound": "US", "dermoscopy": "DMS", "endoscopy": "ES",
    "fundus": "OP",
}  # fmt: skip
NAMELESS = ("00", "ray", "photography")


class SaMed2d(Upstream):
    """One record per image, with the masks of all its classes and instances, grouped by case."""

    source: Literal["sa_med2d"]
    needs: ClassVar[tuple[str, ...]] = (CLASSES,)
    card: ClassVar[Card] = Card(
        name="sa_med2d",
        what="slices and pictures of ten modalities with masks of organs and lesions",
        url="https://huggingface.co/datasets/OpenGVLab/SA-Med2D-20M",
        revision="SA-Med2D-16M of December 2023",
        licence="CC-BY-NC-SA-4.0",
        citation="Ye et al. SA-Med2D-20M dataset: segment anything in 2D medical imaging with 20 million masks. "
        "arXiv:2311.11969 (2023).",
        phi_risk="low: slices of public data sets; faces may be reconstructed from whole head volumes",
        modalities=("CT", "MR", "PT", "DX", "US", "DMS", "ES", "OP"),
        tasks=("organ-segmentation", "lesion-segmentation"),
        size="4.6 million images, 19.7 million masks (public part: 3.7 and 15.8 million)",
        layout="SAMed2Dv1/images/*.png, SAMed2Dv1/masks/*.png, SAMed2Dv1/SAMed2D_v1_class_mapping_id.json",
        known="published",
        remotes=(Remote(kind="hub", at="OpenGVLab/SA-Med2D-20M", files=("raw/*",)),),
        steps="join the parts (zip -s 0 SA-Med2D-16M.zip --out joined.zip) and unpack them below sa_med2d/",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        listed = shelf.get(CLASSES)
        names = _names(sidecar_json(place, listed)) if listed else {}
        masks = sorted(path for path in shelf.by_path if path.startswith(f"{TOP}masks/"))
        for path in [p for p in shelf.by_path if p.startswith(f"{TOP}images/") and p.endswith(".png")]:
            stem = path.removeprefix(f"{TOP}images/").removesuffix(".png")
            parts = stem.split("--")
            if len(parts) < 3:
                continue
            modality, dataset, case = parts[:3]
            own = _beginning(masks, f"{TOP}masks/{stem}--")
            yield Item(
                upstream_id=stem,
                form="picture",
                files=(shelf.take(shelf.by_path[path]), *(shelf.take(shelf.by_path[m], "mask") for m in own)),
                group=pseudonym("case", f"{dataset}--{case}"),
                facts=(*self.declared_facts(), *_facts(modality)),
                masks=tuple(_labelled(own, names.get(dataset, {}))),
            )
        yield from shelf.rest((CLASSES, MASKS_OF))

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        stems = (
            "ct_00--AbdomenCT1K--Case_00011--x_0040",
            "ct_00--AbdomenCT1K--Case_00011--x_0047",
            "mr_t1ce--Brain_PTM--Tumor_3--z_0012",
            "ultrasound_00--DDTI--88--none_0000",
            "x_ray--Chest_Image_Pneum--a1--none_0000",
        )
        classes = {
            "AbdomenCT1K": {"liver": "0000", "kidney": "0001", "union_liver_kidney": "0002"},
            "Brain_PTM": {"brain_tumor": "0000"}, "DDTI": {"thyroid_nodule": "0000"},
            "Chest_Image_Pneum": {"pneumothorax": 0},
        }  # fmt: skip
        marked: dict[str, list[str]] = {}
        for number, stem in enumerate(stems):
            mini.picture(root / f"{TOP}images/{stem}.png", mini.pixels(rng))
            ends = ("0000_000", "0001_000", "0001_001", "0007_000") if number == 0 else ("0000_000",)
            for place, end in enumerate(ends):
                disc = mini.disc(128, 128, 30 + 22 * place, 40 + 15 * place, 14)
                mini.picture(root / f"{TOP}masks/{stem}--{end}.png", disc)
            marked[f"images/{stem}.png"] = [f"masks/{stem}--{end}.png" for end in ends]
        mini.picture(root / f"{TOP}masks/ct_00--AbdomenCT1K--Case_00099--x_0001--0000_000.png", disc)  # of no image
        mini.json_file(root / CLASSES, classes)
        mini.json_file(root / MASKS_OF, marked)


def _names(mapping: Any) -> dict[str, dict[int, str]]:
    """For each data set its labels by number. Raises `RecordError` `bad_table` for a mapping of another form."""
    try:
        return {d: {int(number): str(label) for label, number in own.items()} for d, own in mapping.items()}
    except (AttributeError, TypeError, ValueError):
        raise RecordError("bad_table", f"'{CLASSES}' is no mapping of labels to numbers", "fetch it anew") from None


def _beginning(paths: list[str], prefix: str) -> list[str]:
    """The paths of a sorted list that begin so, at the cost of a binary search."""
    first = bisect_left(paths, prefix)
    last = first
    while last < len(paths) and paths[last].startswith(prefix):
        last += 1
    return paths[first:last]


def _labelled(paths: Sequence[str], names: dict[int, str]) -> Iterator[tuple[str, str, int]]:
    by_label: dict[str, list[str]] = {}
    for path in paths:
        number = path.rpartition("--")[2].partition("_")[0]
        label = names.get(int(number), "") if number.isdecimal() else ""
        if label:
            by_label.setdefault(label.replace("_", " "), []).append(path)
    for label, own in by_label.items():
        yield from numbered(label, own)


def _facts(modality: str) -> Iterator[Fact]:
    kind, _, more = modality.partition("_")
    yield from told("modality", MODALITIES.get(kind, kind), "filename")
    if more and more not in NAMELESS:
        yield Fact("sequence" if kind == "mr" else "image_type", more, "filename")
