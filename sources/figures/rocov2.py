"""ROCOv2: 79,789 radiological figures of open-access articles with captions and UMLS concepts.

The layout is that of the Hugging Face repository eltorio/ROCOv2-radiology: `data/{train,validation,test}-*.parquet`
with image {bytes, path}, image_id (ROCOv2_2023_train_000001), caption, cui (a list). The article of a figure is not
told there, so records stand alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.errors import RecordError
from sources.base import Entry, Item, Place, Pseudonym
from sources.containers import carried_ref, cell_bytes, parquet_peek, parquet_rows, records, run_items
from sources.figures.shared import each, listed, words
from sources.upstream import REMEDY, Line, Upstream, told

if TYPE_CHECKING:
    import numpy as np


class Rocov2(Upstream):
    """One record per figure; the picture is carried by its row."""

    source: Literal["rocov2"]
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = ("data/*.parquet",)
    card: ClassVar[Card] = Card(
        name="rocov2",
        what="radiological figures of open-access articles with captions and UMLS concepts",
        url="https://huggingface.co/datasets/eltorio/ROCOv2-radiology",
        revision="80ffeef4eb8d34d27cb5c2815305f1d8aee8a83c",
        licence="CC-BY-NC-SA-4.0",
        citation="Rückert et al. ROCOv2: Radiology Objects in COntext Version 2. Scientific Data 11, 688 (2024).",
        phi_risk="low: published figures; captions may tell ages and dates of single patients",
        modalities=("figure",),
        tasks=("caption", "multi-label"),
        size="79,789 figures: 59,958 to train, 9,904 to validate, 9,927 to test",
        layout="data/{train,validation,test}-NNNNN-of-NNNNN.parquet",
        remotes=(
            Remote(
                kind="hub",
                at="eltorio/ROCOv2-radiology",
                files=("data/*.parquet",),
                revision="80ffeef4eb8d34d27cb5c2815305f1d8aee8a83c",
            ),
        ),
        known="published",
    )

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        return parquet_peek(path)

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        return run_items(self, inventory, ".parquet", _split)

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        return records(parquet_rows(item, place), lambda row: self._record(row))

    def _record(self, row: Line) -> Item:
        data, caption = cell_bytes(row.value("image")), words(row["caption"])
        if not caption:
            raise RecordError("no_caption", "a figure without a caption", REMEDY)
        concepts = each("code", listed(row.value("cui")), "column:cui", about="UMLS")
        facts = (*self.declared_facts(), *concepts, *told("split", _split(row.table), "file"))
        picture = carried_ref(row.table, data, f"row={row.number}")
        return Item(row["image_id"], "picture", (picture, row.ref), facts=facts, text=caption, carried=(data,))

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        rows = [
            {
                "image": {"bytes": mini.encoded(mini.pixels(rng)), "path": None},
                "image_id": f"ROCOv2_2023_train_{number:06d}",
                "caption": caption,
                "cui": ["C0040405", f"C00{number + 41600}"],
            }
            for number, caption in enumerate(CAPTIONS, start=1)
        ]
        rows.append({**rows[0], "image_id": "ROCOv2_2023_train_000099", "image": {"bytes": b"", "path": None}})
        mini.parquet(root / "data/train-00000-of-00001.parquet", rows, rows_per_group=4)
        mini.parquet(root / "data/test-00000-of-00001.parquet", [{**rows[1], "image_id": "ROCOv2_2023_test_000001"}])


def _split(path: str) -> str:
    return PurePosixPath(path).name.split("-")[0]


CAPTIONS = (
    "Computed tomography of the head without contrast reveals an acute subdural hematoma over the left convexity.",
    "Lateral radiograph of the knee with joint effusion and a bipartite patella.",
    "Cine magnetic resonance imaging, four-chamber view: thinning of the apical septum after infarction.",
    "Fused FDG PET/CT, coronal plane: intense uptake in mediastinal lymph nodes of a patient with lymphoma.",
    "Doppler sonogram of the portal vein showing hepatopetal flow after stent placement.",
)
