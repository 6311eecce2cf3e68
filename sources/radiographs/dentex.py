"""DENTEX: panoramic radiographs with teeth by quadrant and number, and diseased teeth with their diagnosis.

Upstream's layout (hub repository, archives unpacked): `training_data/quadrant/train_quadrant.json`,
`training_data/quadrant_enumeration/train_quadrant_enumeration.json`, `training_data/quadrant-enumeration-disease/
train_quadrant_enumeration_disease.json` and `validation_triple.json`, each with `xrays/*.png` in its folder (that of
the validation is `validation_data/quadrant_enumeration_disease/xrays`), and `training_data/unlabelled/xrays/`. Quirks:
COCO with up to three categories for each box, `category_id_1` (quadrant, from 0), `category_id_2` (tooth, from 0) and
`category_id_3` (disease), each with a list of its own (`categories_1`, ...), but `category_id` and `categories` where
there are quadrants alone; names like train_0.png come back in every folder for other pictures; quadrants are the
patient's, so that quadrant 1 is seen upper left; the disease set marks diseased teeth alone, and of a picture without
one nothing is said. Polygons are not taken over, since they are no files; neither is the test set, whose labels are in
another format.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.errors import RecipeError, RecordError
from manifests.record import Fact, FileRef, canonical_json
from sources.base import Entry, Item, Place, Pseudonym
from sources.radiographs.shared import number
from sources.upstream import REMEDY, Line, Shelf, Upstream, box, rows_below

if TYPE_CHECKING:
    import numpy as np

TRAIN = "training_data/*/train_quadrant*.json"
VALID, VALID_XRAYS = "validation_triple.json", "validation_data/quadrant_enumeration_disease/xrays"
UNLABELLED = "*training_data/unlabelled/xrays/*.png"
QUADRANTS = {"1": "upper right quadrant", "2": "upper left quadrant", "3": "lower left quadrant",
             "4": "lower right quadrant"}  # fmt: skip
WORDS = {
    "Impacted": "impacted tooth {}", "Caries": "caries of tooth {}", "Deep Caries": "deep caries of tooth {}",
    "Periapical Lesion": "periapical lesion of tooth {}",
}  # fmt: skip
Names = dict[str, dict[Any, str]]


class Dentex(Upstream):
    """One record per picture; `splits: [train, unlabelled]` takes pictures without labels too. Teeth are named by FDI
    numbers (`tooth 38`). Held in memory: one of the JSON files (at most 64 million characters)."""

    source: Literal["dentex"]
    splits: tuple[str, ...] = ("train",)
    may: ClassVar[tuple[str, ...]] = (TRAIN, f"*/{TRAIN}", VALID, f"*/{VALID}")
    card: ClassVar[Card] = Card(
        name="dentex",
        what="panoramic dental radiographs with boxes of quadrants, teeth and four diseases",
        url="https://huggingface.co/datasets/ibrahimhamamci/DENTEX",
        revision="2024-04-04",
        licence="CC-BY-NC-SA-4.0",
        access="open",
        citation="Hamamci et al. DENTEX: An Abnormal Tooth Detection with Dental Enumeration and Diagnosis Benchmark "
        "for Panoramic X-rays. arXiv:2305.19112 (2023).",
        phi_risk="low: pictures without demographics; markers may be burned in",
        modalities=("PX",),
        body_parts=("teeth",),
        tasks=("detection", "classification"),
        size="693 pictures with quadrants, 634 with teeth, 1,005 with diseases (705 for training), 1,571 unlabelled",
        layout="training_data/*/train_quadrant*.json and training_data/*/xrays/*.png, validation_triple.json, "
        "validation_data/quadrant_enumeration_disease/xrays/*.png",
        known="published",
        remotes=(
            Remote(
                kind="hub",
                at="ibrahimhamamci/DENTEX",
                files=("*training_data.zip", "*validation_data.zip", f"*{VALID}"),
                unpack=True,
            ),
        ),
    )

    def tables(self, place: Place) -> tuple[tuple[str, Path], ...]:
        found = super().tables(place)
        if not found:
            raise RecipeError(
                f"source '{self.called}': neither '{TRAIN}' nor '{VALID}' below its root; `curate sources dentex` "
                "tells the layout and where it comes from"
            )
        return found

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for table, _ in self.tables(place):
            split = "validation" if table.endswith(VALID) else "train"
            base = PurePosixPath(table).parent
            folders = (str(base / VALID_XRAYS), VALID_XRAYS) if split == "validation" else (str(base / "xrays"),)
            for whole in rows_below(table, place):
                yield from self._of_table(shelf, table, folders, split, whole)
        for entry in shelf.matching(UNLABELLED):
            files = (shelf.take(entry),)
            yield self.other_split("unlabelled", files, entry.path) or Item(
                upstream_id=entry.path, form="picture", files=files, facts=self.declared_facts()
            )
        yield from shelf.rest((f"*{TRAIN}", f"*{VALID}"))

    def _of_table(
        self, shelf: Shelf, table: str, folders: Sequence[str], split: str, whole: Line
    ) -> Iterator[Item]:  # fmt: skip
        images, marks = _objects(whole, "images"), _objects(whole, "annotations")
        names = {
            k: {c.get("id"): str(c.get("name")) for c in _objects(whole, k)} for k in whole.values if k[:3] == "cat"
        }
        by_image: dict[Any, list[dict[str, Any]]] = {}
        for mark in marks:
            by_image.setdefault(mark.get("image_id"), []).append(mark)
        for index, image in enumerate(images, 1):
            name = str(image.get("file_name", ""))
            row = Line(table, index, {"image": image, "annotations": by_image.get(image.get("id"), [])})
            entry = shelf.first(*(f"{folder}/{name}" for folder in folders))
            if entry is None:
                yield row.missing(name)
                continue
            files = (shelf.take(entry), _ref(row))
            drawn = [f for mark in by_image.get(image.get("id"), []) for f in _mark(mark, names)]
            yield self.other_split(split, files, entry.path) or Item(
                upstream_id=entry.path,
                form="picture",
                files=files,
                facts=(*self.declared_facts(), *dict.fromkeys(drawn), Fact("split", split, "file")),
            )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        fours = [{"id": n, "name": str(n + 1), "supercategory": str(n + 1)} for n in range(4)]
        eights = [{"id": n, "name": str(n + 1), "supercategory": str(n + 1)} for n in range(8)]
        ills = [{"id": n, "name": d, "supercategory": d}
                for n, d in enumerate(("Impacted", "Caries", "Periapical Lesion", "Deep Caries"))]  # fmt: skip
        for table, folder, keys, boxes in _MINIATURE:
            categories = dict(zip(keys, (fours, eights, ills), strict=False))
            fields = [k.replace("categories", "category_id") for k in keys]
            images: list[dict[str, Any]] = []
            annotations: list[dict[str, Any]] = []
            for index, marks in enumerate(boxes):
                name = f"{'val' if 'valid' in table else 'train'}_{index}.png"
                if marks is not None:
                    mini.picture(root / folder / name, mini.pixels(rng, 96, 160))
                images.append({"id": index + 1, "file_name": name, "height": 96, "width": 160})
                for ids, edges in marks or ():
                    given = dict(zip(fields, ids, strict=True))
                    annotations.append(
                        {"id": len(annotations) + 1, "image_id": index + 1, "iscrowd": 0, "bbox": list(edges), **given,
                         "area": edges[2] * edges[3], "segmentation": [[*edges[:2], edges[0] + 9, edges[1] + 9]]}
                    )  # fmt: skip
            mini.json_file(root / table, {"images": images, "annotations": annotations, **categories})
        mini.picture(root / "training_data/unlabelled/xrays/train_0.png", mini.pixels(rng, 96, 160))


def _objects(whole: Line, key: str) -> list[dict[str, Any]]:
    value = whole.value(key)
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        raise RecordError("bad_table", f"no list '{key}' of objects in '{whole.table}'", REMEDY)
    return value


def _ref(row: Line) -> FileRef:
    """The image's part of the file: its entry and its boxes."""
    data = canonical_json(row.values).encode()
    return FileRef(row.table, hashlib.sha256(data).hexdigest(), len(data), "table", f"image={row.number}")


def _mark(mark: dict[str, Any], names: Names) -> Iterator[Fact]:
    """The box of what an annotation names; of a disease, that it is present too."""
    quadrant = _named(mark, names, "_1") or _named(mark, names, "")
    tooth, disease = _named(mark, names, "_2"), _named(mark, names, "_3")
    if tooth:
        what = WORDS.get(disease, f"{disease.lower()} of tooth {{}}" if disease else "tooth {}")
        about = what.format(quadrant + tooth)
    else:
        about = QUADRANTS.get(quadrant, "")
    edges = mark.get("bbox")
    if not about or not isinstance(edges, list) or len(edges) != 4:
        return
    if disease:
        yield Fact("finding", "present", "annotation:category_id_3", about=about)
    x, y, w, h = (number(e) for e in edges)
    yield from box(x, y, x + w, y + h, about, "annotation:bbox")


def _named(mark: dict[str, Any], names: Names, end: str) -> str:
    key = mark.get(f"category_id{end}")
    return names.get(f"categories{end}", {}).get(key, "") if isinstance(key, int) else ""


_Boxes = tuple[tuple[tuple[tuple[int, ...], tuple[float, ...]], ...] | None, ...]
_BASE = "training_data/quadrant-enumeration-disease"
_MINIATURE: tuple[tuple[str, str, tuple[str, ...], _Boxes], ...] = (
    ("training_data/quadrant/train_quadrant.json", "training_data/quadrant/xrays", ("categories",),
     ((((0,), (10, 10, 65, 35)), ((1,), (80, 10, 65, 35))),)),
    ("training_data/quadrant_enumeration/train_quadrant_enumeration.json", "training_data/quadrant_enumeration/xrays",
     ("categories_1", "categories_2"), ((((2, 0), (82.5, 50, 10, 25)), ((2, 1), (93, 50, 10, 25))),)),
    (f"{_BASE}/train_quadrant_enumeration_disease.json", f"{_BASE}/xrays",
     ("categories_1", "categories_2", "categories_3"),
     ((((2, 7, 0), (130, 50, 20, 22)), ((3, 5, 1), (40, 52, 14, 20))), (((0, 5, 3), (30, 18, 15, 22)),), None)),
    (VALID, VALID_XRAYS, ("categories_1", "categories_2", "categories_3"), ((((1, 3, 2), (95, 20, 12, 24)),),)),
)  # fmt: skip
