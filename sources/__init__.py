"""One upstream per file: its layout, its quirks, one pure row function.

A new source is one file and one line in the `SOURCES` of its package.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny

from manifests.card import Card
from manifests.config import unknown
from sources import figures, generic, pictures, radiographs, texts, videos, volumes
from sources.base import SourceConfig
from sources.dicom_tree import DicomTree
from sources.fusion import expanded
from sources.icd10cm import Icd10Cm
from sources.image_table import ImageTable
from sources.jsonl_text import JsonlText
from sources.nifti_masks import NiftiMasks
from sources.video_table import VideoTable

SOURCES: tuple[type[SourceConfig], ...] = (
    DicomTree,
    Icd10Cm,
    ImageTable,
    JsonlText,
    NiftiMasks,
    VideoTable,
    *generic.SOURCES,
    *radiographs.SOURCES,
    *pictures.SOURCES,
    *figures.SOURCES,
    *volumes.SOURCES,
    *videos.SOURCES,
    *texts.SOURCES,
)
BY_NAME: dict[str, type[SourceConfig]] = {source.card.name: source for source in SOURCES}


def parse_sources(value: Any) -> Any:
    """A recipe's list of sources with what `every` means in its place."""
    return expanded(value, cards()) if isinstance(value, list | tuple) else value


def parse_source(value: Any) -> Any:
    """The source that a recipe's entry means. Raises `ValueError` for an entry without a known `source`."""
    if not isinstance(value, dict):
        return value
    name = value.get("source")
    if name is None:
        raise ValueError("has no source")
    if name not in BY_NAME:
        raise ValueError(unknown("source", str(name), list(BY_NAME)))
    return BY_NAME[str(name)].model_validate(value)


Source = Annotated[SerializeAsAny[SourceConfig], BeforeValidator(parse_source)]  # what a recipe may write


def cards() -> tuple[Card, ...]:
    """The catalogue, by name."""
    return tuple(sorted((s.card for s in SOURCES), key=lambda card: card.name))
