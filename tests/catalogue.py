"""The catalogue of sources as a page. `python -m tests.catalogue` writes it."""

from __future__ import annotations

from pathlib import Path

from curate.catalogue import page

PAGE = Path(__file__).resolve().parents[1] / "docs" / "sources.md"

if __name__ == "__main__":
    PAGE.write_text(page())
