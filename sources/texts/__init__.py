"""Text, and questions and answers: with and without media."""

from __future__ import annotations

from sources.base import SourceConfig

SOURCES: tuple[type[SourceConfig], ...] = ()
