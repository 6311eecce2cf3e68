"""The catalogue of sources as a page. `python -m tests.catalogue` writes it."""

from __future__ import annotations

from pathlib import Path

from curate.catalogue import page
from sources import SOURCES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "sources.md"

if __name__ == "__main__":
    PAGE.write_text(page())
    named = sum(bool(source.card.url) for source in SOURCES)
    print(f"{PAGE.relative_to(PAGE.parents[1])}: {named} upstreams of {len(SOURCES)} sources")
