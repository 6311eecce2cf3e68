"""PathVQA: 32,632 questions on 4,289 pathology images, generated from captions of textbooks and the PEIR library.

The layout is that of the Hugging Face repository flaviagiammarino/path-vqa: `data/{train,validation,test}-*.parquet`
with image {bytes, path}, question, answer. Quirks: an image stands in a row for each of its questions, mostly one after
the other, and has no name: questions are gathered by the image's digest within a run of rows (a row group), so an
image whose rows cross its end is two records. The authors' own pickles are not read, because a pickle runs code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.errors import RecordError
from manifests.record import Asked
from sources.base import Entry, Item, Place, Pseudonym
from sources.containers import carried_ref, cell_bytes, parquet_peek, parquet_rows, run_items
from sources.figures.shared import words
from sources.upstream import REMEDY, Line, Upstream, told

if TYPE_CHECKING:
    import numpy as np


class PathVqa(Upstream):
    """One record per image of a run of rows, with its questions; the picture is carried by its first row."""

    source: Literal["path_vqa"]
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = ("data/*.parquet",)
    card: ClassVar[Card] = Card(
        name="path_vqa",
        what="questions on pathology images, generated from captions of textbooks",
        url="https://huggingface.co/datasets/flaviagiammarino/path-vqa",
        revision="12d11bc4ecfb8779899e7b8e95105b7812b63469",
        licence="MIT",
        citation="He et al. PathVQA: 30000+ Questions for Medical Visual Question Answering. arXiv 2003.10286 (2020).",
        phi_risk="low: images of textbooks; their copyright is the publishers', whatever the licence of the questions",
        modalities=("SM", "XC"),
        tasks=("vqa",),
        size="32,632 questions: 19,654 to train, 6,259 to validate, 6,719 to test",
        layout="data/{train,validation,test}-NNNNN-of-NNNNN-….parquet",
        remotes=(Remote(kind="hub", at="flaviagiammarino/path-vqa", files=("data/*.parquet",)),),
        known="published",
    )

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        return parquet_peek(path)

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        return run_items(self, inventory, ".parquet", _split)

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        """Held in memory: the images of one run."""
        images: dict[str, bytes] = {}
        told_of: dict[str, list[tuple[Line, Asked]]] = {}
        for row in parquet_rows(item, place):
            data = cell_bytes(row.value("image"))
            asked = Asked(words(row["question"]), words(row["answer"]))
            if not (data and asked.question and asked.answer):
                yield row.failed("empty_fields", "a row without an image, a question or an answer", REMEDY)
                continue
            sha256 = hashlib.sha256(data).hexdigest()
            images.setdefault(sha256, data)
            slim = Line(row.table, row.number, {**row.values, "image": sha256})
            told_of.setdefault(sha256, []).append((slim, asked))
        for sha256, rows in told_of.items():
            (first, _), data = rows[0], images.pop(sha256)
            try:
                picture = carried_ref(first.table, data, f"row={first.number}")
            except RecordError as error:
                yield from (row.failed(error.reason, error.found, error.remedy) for row, _ in rows)
                continue
            yield Item(
                upstream_id=f"{_split(first.table)}/{sha256[:32]}",
                form="picture",
                files=(picture, *(row.ref for row, _ in rows)),
                facts=(*self.declared_facts(), *told("split", _split(first.table), "file")),
                asked=tuple(asked for _, asked in rows),
                carried=(data,),
            )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        pictures = [mini.encoded(mini.pixels(rng, colour=True), "JPEG") for _ in range(4)]
        rows = [
            {"image": {"bytes": pictures[image], "path": None}, "question": question, "answer": answer}
            for image, question, answer in ROWS
        ]
        rows.append({"image": {"bytes": pictures[0], "path": None}, "question": "what is shown?", "answer": ""})
        mini.parquet(root / "data/train-00000-of-00001-0ef51eeb7cc85c60.parquet", rows, rows_per_group=6)
        mini.parquet(root / "data/test-00000-of-00001-e5bc3d208bb4deeb.parquet", rows[:1])


def _split(path: str) -> str:
    return PurePosixPath(path).name.split("-")[0]


ROWS = (
    (0, "what are positively charged, thus allowing the compaction of dna?", "the histone subunits"),
    (0, "are the nuclei of the tubules pyknotic?", "yes"),
    (1, "where do the lymphocytes gather?", "around the portal tracts"),
    (0, "is there coagulative necrosis of the cortex?", "yes"),
    (1, "what stain was used for the liver?", "masson trichrome"),
    (2, "what does the cut surface of the uterus show?", "a whorled white mass"),
    (3, "does the alveolar wall bear hyaline membranes?", "no"),
)  # fmt: skip
