"""2D images that are no radiographs: skin, eye, ultrasound, slides, endoscopy, and collections of many kinds."""

from __future__ import annotations

from sources.base import SourceConfig
from sources.pictures.ham10000 import Ham10000

SOURCES: tuple[type[SourceConfig], ...] = (Ham10000,)
