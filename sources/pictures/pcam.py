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
from sources.base import Entry, Item, Place, Pseudonym
from sources.containers import carried_ref, cell_bytes, parquet_peek, parquet_rows, records, run_items
from sources.upstream import Line, Upstream, told

if TYPE_CHECKING:
    import numpy as np

NAME = re.compile(r"(train|valid|validation|test)-.*\.parquet")
TOLD = {"yes": "present", "no": "absent", "1": "present", "0": "absent"}


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
        return parquet_peek(path) if NAME.fullmatch(path.name) else {}

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        return run_items(self, inventory, ".parquet", _split)

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        return records(parquet_rows(item, place), self._record)

    def _record(self, row: Line) -> Item:
        data, label = cell_bytes(row.value("image")), row["label"]
        file = carried_ref(row.table, data, f"row={row.number}")
        finding = told("finding", TOLD.get(label, ""), "column:label", about="metastasis")
        facts = (*self.declared_facts(), *finding, *told("split", _split(row.table), "file"))
        return Item(f"{row.table}#row={row.number}", "picture", (file, row.ref), facts=facts, carried=(data,))

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


def _split(path: str) -> str:
    """Upstream's split by a file's name; "" for a file of another name."""
    found = NAME.fullmatch(PurePosixPath(path).name)
    return found[1].replace("validation", "valid") if found else ""
