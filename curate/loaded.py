"""What every reader is given and gives: `Reading`, `Loaded`, the lines of a record's story, and its scrubbed texts."""

from __future__ import annotations

import re
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
from manifests.record import PICTURE, Asked, Fact, Media, Step, canonical_json, parts_of, words_of
from sources.base import Item, Place

MAX_CHARS = 1 << 19  # of one text: a long book's
MAX_WORDS = 1 << 22  # characters of all that one record says
MAX_ASKED, MAX_OPTIONS = 4096, 64  # questions of one record, options of one question
_PLACEHOLDER = re.compile(r"<(?:image|video|image3d|audio)>")
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
    asked: tuple[Asked, ...] = ()
    dialogue: bool = False


def step(name: str, result: str = "", **params: str | int | float | bool | None) -> Step:
    """One line of a record's story; parameters are plain values."""
    return Step(name=name, params=canonical_json(params), result=result)


def said(item: Item, known: Sequence[str]) -> tuple[dict[str, Any], list[Step]]:
    """The record's `text`, `asked` and `dialogue`, normalised and scrubbed, and the step that says how much was
    replaced. Placeholders that a trainer reads (`<image>`) are taken out, so that no word of a source becomes one;
    `PICTURE` stays where it is the place of a picture: in the text, questions and answers that are no options of a
    record of pictures, where there are as many as pictures.

    Raises RecordError `too_long`, `too_many_questions`, `pictures_and_places`."""
    _check_sizes(item)
    pictures = sum(file.role == "data" for file in item.files) if item.form == "picture" else 0
    clean = _Cleaner(known, bool(pictures))
    body = clean(item.text, placed=True)
    every = (
        Asked(
            question=clean(one.question, placed=True),
            answer=clean(one.answer, placed=not one.options),
            options=tuple(clean(option) for option in one.options),
            about=clean(one.about),
            why=clean(one.why),
        )
        for one in item.asked
    )
    asked = tuple(one for one in every if one.question or one.answer)
    places = words_of(body, asked).count(PICTURE)
    if places not in (0, pictures):
        found = f"{places} places of pictures in the words of a record of {pictures}"
        raise RecordError("pictures_and_places", found, "put one place for each picture, in their order, or none")
    texts = {"text": body, "asked": asked, "dialogue": item.dialogue and bool(asked)}
    if not body and not asked:
        return texts, []
    out = f", {clean.placeholders} placeholders taken out" if clean.placeholders else ""
    return texts, [step("scrub_text", f"{clean.replaced} identifiers replaced{out}")]


def _check_sizes(item: Item) -> None:
    """Raise RecordError where there is more to read than one record may say."""
    for name, one in (("text", item.text), *(("question's text", part) for part in parts_of(item.asked))):
        if len(one) > MAX_CHARS:
            found = f"a {name} of {len(one)} characters"
            raise RecordError("too_long", found, f"split it: at most {MAX_CHARS} characters are read as one")
    whole = len(item.text) + sum(map(len, parts_of(item.asked)))
    if whole > MAX_WORDS:
        raise RecordError("too_long", f"{whole} characters in all", f"split it: at most {MAX_WORDS} are read")
    options = max((len(one.options) for one in item.asked), default=0)
    if len(item.asked) > MAX_ASKED or options > MAX_OPTIONS:
        found = f"{len(item.asked)} questions, {options} options of one"
        remedy = f"split the record: at most {MAX_ASKED} questions are read of one, of {MAX_OPTIONS} options each"
        raise RecordError("too_many_questions", found, remedy)


class _Cleaner:
    """Texts of one record, normalised, without placeholders, scrubbed; it counts, and cleans equal ones once."""

    def __init__(self, known: Sequence[str], places: bool) -> None:
        self.known, self.places = known, places
        self.replaced = self.placeholders = 0
        self.done: dict[tuple[str, bool], tuple[str, int, int]] = {}

    def __call__(self, raw: str, placed: bool = False) -> str:
        placed = placed and self.places
        if (raw, placed) not in self.done:
            whole = text.normalise(raw if placed else raw.replace(PICTURE, " "))
            plain, taken = _PLACEHOLDER.subn(" ", whole)  # by a space: what is left never joins to another one
            scrubbed, replaced = scrub_text(text.normalise(plain) if taken else whole, self.known)
            self.done[raw, placed] = scrubbed, replaced, taken
        scrubbed, replaced, taken = self.done[raw, placed]
        self.replaced += replaced
        self.placeholders += taken
        return scrubbed


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
