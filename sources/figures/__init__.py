"""Figures of articles with their captions."""

from __future__ import annotations

from sources.base import SourceConfig

SOURCES: tuple[type[SourceConfig], ...] = ()
