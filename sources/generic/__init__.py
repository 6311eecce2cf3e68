"""Layouts that many upstreams share: any folder, any hub repository, any set of shards."""

from __future__ import annotations

from sources.base import SourceConfig

SOURCES: tuple[type[SourceConfig], ...] = ()
