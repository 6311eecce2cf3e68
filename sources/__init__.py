"""One upstream per file: its layout, its quirks, one pure row function.

A new source is one file and one line in `Source`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from manifests.card import Card
from sources.base import SourceConfig
from sources.dicom_tree import DicomTree
from sources.icd10cm import Icd10Cm
from sources.image_table import ImageTable
from sources.jsonl_text import JsonlText
from sources.nifti_masks import NiftiMasks
from sources.video_table import VideoTable

Source = Annotated[
    DicomTree | Icd10Cm | ImageTable | JsonlText | NiftiMasks | VideoTable,
    Field(discriminator="source"),
]
SOURCES: tuple[type[SourceConfig], ...] = (DicomTree, Icd10Cm, ImageTable, JsonlText, NiftiMasks, VideoTable)


def cards() -> tuple[Card, ...]:
    """The catalogue, by name."""
    return tuple(sorted((s.card for s in SOURCES), key=lambda card: card.name))
