"""MedTrinity-25M: 25 million pictures of ten modalities with five-part texts that a model wrote.

Upstream's layout (Hugging Face, UCSC-VLAA/MedTrinity-25M): parquet files of the parts `25M_demo` (161,630 rows) and
`25M_full`, with image {bytes, path}, id and caption; a caption tells modality, organs, the place of the region of
interest, its look, and how regions relate. Quirks: the demo's rows stand in the full part too; pictures come from 90
data sets, among them test splits of benchmarks (all test pictures of VQA-RAD were found in it), which the screen
against benchmarks must take out; neither patient nor origin is told, so records stand alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from sources.base import Entry, Item, Place, Pseudonym
from sources.containers import carried_ref, cell_bytes, parquet_peek, parquet_rows, records, run_items
from sources.figures.shared import words
from sources.upstream import REMEDY, Line, Upstream

if TYPE_CHECKING:
    import numpy as np


class MedTrinity(Upstream):
    """One record per picture; it is carried by its row."""

    source: Literal["medtrinity"]
    needs: ClassVar[tuple[str, ...]] = ("**/*.parquet",)
    card: ClassVar[Card] = Card(
        name="medtrinity",
        what="pictures of ten modalities with five-part texts written by a model from regions and knowledge",
        url="https://huggingface.co/datasets/UCSC-VLAA/MedTrinity-25M",
        revision="25M_full of 2024-07-21",
        licence="LicenseRef-MedTrinity-25M-terms",
        access="registered",
        steps="accept the conditions on the dataset's page with an account of the hub, then fetch with a token",
        citation="Xie et al. MedTrinity-25M: A Large-scale Multimodal Dataset with Multigranular Annotations for "
        "Medicine. ICLR 2025 (arXiv 2408.02900).",
        phi_risk="low: pictures of published data sets, but from many origins; burned-in text may occur",
        modalities=("CT", "MR", "DX", "SM", "GM", "DMS", "ES", "OP", "US", "PT"),
        tasks=("caption", "grounding"),
        size="24.9 million pictures with texts; 161,630 in the demo",
        layout="25M_{demo,full}/*.parquet",
        known="published",
    )

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        return parquet_peek(path)

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        return run_items(self, inventory, ".parquet")

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        return records(parquet_rows(item, place), lambda row: self._record(row))

    def _record(self, row: Line) -> Item:
        data, caption = cell_bytes(row.value("image")), words(row["caption"])
        if not caption:
            raise RecordError("no_caption", "a picture without a text", REMEDY)
        files = (carried_ref(row.table, data, f"row={row.number}"), row.ref)
        return Item(row["id"], "picture", files, facts=self.declared_facts(), text=caption, carried=(data,))

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        rows = []
        for number, (what, where, look) in enumerate(PARTS):
            picture = mini.encoded(mini.pixels(rng), "JPEG" if number % 2 else "PNG")
            caption = f"The image is {what}. The region of interest, {where}, {look}."
            rows.append({"image": {"bytes": picture, "path": None}, "id": f"{7_000 + number:08d}", "caption": caption})
        rows.append({**rows[0], "id": "00007099", "caption": ""})
        mini.parquet(root / "25M_demo/train-00000-of-00001.parquet", rows, rows_per_group=3)


PARTS = (
    ("an axial computed tomography scan of the chest", "left of the centre at about 4 % of the area",
     "is denser than the lung around it, which suggests consolidation; the pleura beside it is thickened"),
    ("a magnetic resonance slice of the brain", "in the upper right quadrant",
     "is brighter than the white matter, with a dark rim, and pushes the ventricle across the midline"),
    ("a histopathological slide of the colon stained with haematoxylin and eosin", "at the lower border",
     "holds crowded glands with stratified nuclei beside regular crypts"),
    ("a dermoscopic photograph of pigmented skin", "in the middle",
     "shows an irregular network that fades into the skin around it"),
)  # fmt: skip
