"""3D volumes: CT and MR, with masks, reports and questions."""

from __future__ import annotations

from sources.base import SourceConfig

SOURCES: tuple[type[SourceConfig], ...] = ()
