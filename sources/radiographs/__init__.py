"""Projection radiographs: chest, breast, teeth."""

from __future__ import annotations

from sources.base import SourceConfig

SOURCES: tuple[type[SourceConfig], ...] = ()
