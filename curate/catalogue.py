"""`curate sources`: the catalogue as text."""

from __future__ import annotations

from manifests.card import Card
from manifests.config import unknown
from manifests.errors import RecipeError
from sources import SOURCES


def list_sources() -> str:
    """One line per source: name, modalities, access, licence, whether its layout was run on real files, what it is.
    Layouts that many upstreams share stand first; they have the licence that a recipe gives."""
    cards = sorted((s.card for s in SOURCES), key=lambda c: (bool(c.url), c.name))
    rows = [("name", "modalities", "access", "licence", "layout", "what")]
    rows += [
        (c.name, ",".join(c.modalities) or "-", c.access, c.licence if c.url else "(recipe)", c.known, c.what)
        for c in cards
    ]
    widths = [max(len(row[n]) for row in rows) + 2 for n in range(5)]
    lines = ["".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) + row[5] for row in rows]
    own = sum(bool(c.url) for c in cards)
    lines.append(f"{own} upstreams and {len(cards) - own} layouts; `curate sources NAME` shows one with its keys")
    return "\n".join(lines)


def page() -> str:
    """docs/sources.md: the catalogue by modality, from the cards alone."""
    lines = [
        "# Sources",
        "",
        "Written by `python -m tests.catalogue` from the cards in `sources/`. *layout*: `measured` was run on real",
        "files, `published` follows upstream's code or documentation, `recalled` was not checked (a table without the",
        "columns that are expected is refused). *size* is what upstream says. `curate sources NAME` tells more.",
        "",
        "| name | what | modalities | tasks | size | licence | access | layout |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for card in sorted((s.card for s in SOURCES), key=lambda c: (bool(c.url), c.name)):
        name = f"[{card.name}]({card.url})" if card.url else f"`{card.name}`"
        licence = card.licence if card.url else "the recipe's"
        cells = (name, card.what, ", ".join(card.modalities), ", ".join(card.tasks), card.size, licence, card.access,
                 card.known)  # fmt: skip
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def show_source(name: str) -> str:
    """A source's card and the keys that a recipe may give it. Raises `RecipeError` that lists the names."""
    found = [s for s in SOURCES if s.card.name == name]
    if not found:
        raise RecipeError(unknown("source", name, [s.card.name for s in SOURCES]))
    card: Card = found[0].card
    lines = [f"{field:<12}{_plain(value)}" for field, value in card.model_dump().items() if value]
    lines += ["", "keys:"]
    for key, field in found[0].model_fields.items():
        if key != "source":
            default = "required" if field.is_required() else repr(field.get_default(call_default_factory=True))
            lines.append(f"  {key:<18}{default}")
    return "\n".join(lines)


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
