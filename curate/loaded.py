"""What every reader is given and gives: `Reading`, `Loaded`, the lines of a record's story, and its scrubbed texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from curate import text
from curate.deidentify import DeidentifyConfig
from curate.deidentify.text import scrub_text
from curate.keyring import Keyring
from curate.sweep import Sweep
from manifests.errors import RecordError
from manifests.record import Fact, Media, Step, canonical_json
from sources.base import Item, Place

MAX_CHARS = 1 << 19  # of one text: a long book's
Stored = bytes | Path  # a clip may be larger than memory


@dataclass(frozen=True, slots=True)
class Reading:
    """What every reader needs besides the item. `scratch` is a folder of the unit; what is left there is discarded.
    `sweep` must be shown every original header before anything else looks at it."""

    place: Place
    deidentify: DeidentifyConfig
    keyring: Keyring
    scratch: Path
    sweep: Sweep = field(default_factory=Sweep)


@dataclass(frozen=True, slots=True)
class Loaded:
    """One record as read: canonical members with their bytes, or the scratch file that holds them (masks share
    members); what is known, what was done."""

    kind: str
    modality: str
    members: tuple[tuple[Media, Stored], ...]
    facts: tuple[Fact, ...]
    steps: tuple[Step, ...]
    pixel_sha256: str = ""
    phash: str = ""
    looks: bytes = b""  # `curate.looks.rows.to_bytes`
    text: str = ""
    question: str = ""
    answer: str = ""


def step(name: str, result: str = "", **params: str | int | float | bool | None) -> Step:
    """One line of a record's story; parameters are plain values."""
    return Step(name=name, params=canonical_json(params), result=result)


def said(item: Item, known: Sequence[str]) -> tuple[dict[str, str], list[Step]]:
    """The record's texts, normalised and scrubbed, and the step that says how much was replaced."""
    cleaned: dict[str, str] = {}
    replaced = 0
    for name in ("text", "question", "answer"):
        if len(getattr(item, name)) > MAX_CHARS:
            found = f"a {name} of {len(getattr(item, name))} characters"
            raise RecordError("too_long", found, f"split it: at most {MAX_CHARS} characters are read as one")
        scrubbed, count = scrub_text(text.normalise(getattr(item, name)), known)
        cleaned[name] = scrubbed
        replaced += count
    if not any(cleaned.values()):
        return cleaned, []
    return cleaned, [step("scrub_text", f"{replaced} identifiers replaced")]


def shown(array: NDArray[Any]) -> str:
    return f"{array.dtype} {array.shape}"


def pair(window: tuple[float, float] | None) -> str | None:
    return None if window is None else f"{window[0]:g}/{window[1]:g}"


def merged(*groups: Sequence[Fact]) -> tuple[Fact, ...]:
    """Facts of several origins; of two that say the same of the same thing, the first group's stand."""
    known: list[Fact] = []
    for group in groups:
        said_before = {(f.name, f.about) for f in known}
        known += [f for f in group if (f.name, f.about) not in said_before]
    return tuple(known)
