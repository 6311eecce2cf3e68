"""`curate sources`: the catalogue as text."""

from __future__ import annotations

from manifests.card import Card
from manifests.config import unknown
from manifests.errors import RecipeError
from sources import SOURCES


def list_sources() -> str:
    """One line per source: name, access, licence, what it reads."""
    cards = sorted((s.card for s in SOURCES), key=lambda c: c.name)
    lines = [f"{'name':<16}{'access':<14}{'licence':<12}what"]
    return "\n".join(lines + [f"{c.name:<16}{c.access:<14}{c.licence:<12}{c.what}" for c in cards])


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
