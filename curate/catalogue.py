"""`curate sources`: the catalogue as text."""

from __future__ import annotations

from manifests.card import Card
from manifests.config import unknown
from manifests.errors import RecipeError
from sources import SOURCES
from sources.base import SourceConfig
from sources.upstream import Upstream

KEYS = {  # what they mean, of keys that every source has; those of one kind stand in its file
    "access": "open, registered or credentialed",
    "exclude": "files to leave out, by shell patterns",
    "facts": "what holds for every record, e.g. {modality: CT}",
    "licence": "SPDX, or LicenseRef-... of stated terms",
    "limit": "at most so many records",
    "max_repeat": "how often a sample may be drawn",
    "name": "in keys, ledger and mixture, where it is not the kind's",
    "priority": "of copies, that of the higher priority is kept",
    "root": "a folder, below the recipe's or --data",
    "splits": "of upstream, that are taken; none named: all",
    "weight": "its part of the draw, beside the others'",
}


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
            known = repr(field.get_default(call_default_factory=True)) if not field.is_required() else "required"
            lines.append(
                f"  {key:<18}{_of_card(found[0], key) or known:<22}{field.description or KEYS.get(key, '')}".rstrip()
            )
    return "\n".join(lines)


def _of_card(kind: type[SourceConfig], key: str) -> str:
    """What a named source takes from its card where a recipe says nothing."""
    if not issubclass(kind, Upstream) or key not in ("root", "licence", "access"):
        return ""
    return repr(kind.card.name if key == "root" else getattr(kind.card, key))


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
