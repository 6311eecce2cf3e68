"""PatchCamelyon: 327,680 patches of lymph-node slides, with or without metastatic tissue in their middle.

The layout read is that of the hub (`data/{train,valid,test}-00000-of-000NN-….parquet`): `image`, a struct of encoded
`bytes` and `path`, and `label`, true where the 32 x 32 pixels in the middle of the 96 x 96 hold tumour tissue. Quirks:
a patch's margin does not count for its label; the slide that a patch is of is not told here, so patches of one slide
are not grouped, and upstream's splits, which part slides, must be kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.errors import RecordError
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym, not_a_record
from sources.pictures.shared import carried_ref, parquet_groups, parquet_rows, parquet_runs
from sources.upstream import Shelf, Upstream

if TYPE_CHECKING:
    import numpy as np

NAME = re.compile(r"(train|valid|validation|test)-.*\.parquet")
COLUMNS = ("image", "label")
TOLD = {True: "present", False: "absent"}


class Pcam(Upstream):
    """One record per row; a container's rows are opened in runs of row groups."""

    source: Literal["pcam"]
    splits: tuple[str, ...] = ("train",)
    card: ClassVar[Card] = Card(
        name="pcam",
        what="patches of lymph-node slides, with or without metastatic tissue",
        url="https://github.com/basveeling/pcam",
        revision="1aurent/PatchCamelyon of the hub",
        licence="CC0-1.0",
        citation="Veeling, Linmans, Winkens, Cohen, Welling. Rotation equivariant CNNs for digital pathology. MICCAI "
        "2018.",
        phi_risk="low: patches of slides",
        modalities=("SM",),
        body_parts=("lymph node",),
        tasks=("classification",),
        size="262,144 patches for training, 32,768 for validation, 32,768 for testing",
        layout="data/{train,valid,test}-*.parquet with image and label",
        known="published",
        remotes=(Remote(kind="hub", at="1aurent/PatchCamelyon", files=("data/*.parquet",)),),
    )

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        return {"groups": parquet_groups(path)} if path.suffix == ".parquet" else {}

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for entry in shelf.matching("*.parquet"):
            found = NAME.fullmatch(PurePosixPath(entry.path).name)
            if found is None:
                continue
            file = (shelf.take(entry),)
            other = self.other_split(found[1].replace("validation", "valid"), file, entry.path)
            runs = [] if other else list(parquet_runs(entry.peek.get("groups", "")))
            for number, run in enumerate(runs):
                yield Item(upstream_id=f"{entry.path}#run={number}", form="rows", files=file, block=run)
            if not runs:
                yield other or not_a_record(entry, "a table without rows")
        yield from shelf.rest()

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        path = item.files[0].path
        split = PurePosixPath(path).name.split("-")[0].replace("validation", "valid")
        for number, row in parquet_rows(place.file(path), item.block or (0, 0, 0), COLUMNS):
            yield self._row(item, number, row, split)

    def _row(self, item: Item, number: int, row: dict[str, Any], split: str) -> Item:
        path, image, label = item.files[0].path, row["image"], row["label"]
        try:
            data = image.get("bytes") if isinstance(image, dict) else None
            if not isinstance(data, bytes):
                raise RecordError("media_missing", f"row {number}: no bytes of a picture", "fetch the file anew")
            file = carried_ref(path, str(number), data)
        except RecordError as error:
            return Item(
                f"{path}#row={number}", "none", item.files, status="failed", reason=error.reason, found=error.found,
                remedy=error.remedy,
            )  # fmt: skip
        told = (Fact("finding", TOLD[bool(label)], "column:label", about="metastasis"),) if label is not None else ()
        return Item(
            upstream_id=f"{path}#row={number}",
            form="picture",
            files=(file,),
            facts=(*self.declared_facts(), *told, Fact("split", split, "filename")),
            carried=(data,),
        )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        def rows(count: int) -> list[dict[str, Any]]:
            pictures = [mini.encoded(mini.pixels(rng, 96, 96, colour=True)) for _ in range(count)]
            return [
                {"image": {"bytes": p, "path": f"images_data_{n}.png"}, "label": n % 2 == 1}
                for n, p in enumerate(pictures)
            ]

        broken = {"image": {"bytes": b"no picture", "path": "images_data_9.png"}, "label": False}
        mini.parquet(root / "data/train-00000-of-00001-0c4b.parquet", [*rows(5), broken], rows_per_group=2)
        mini.parquet(root / "data/test-00000-of-00001-9b1f.parquet", rows(2))
