"""Interleaved documents for pretraining: a record's text with its pictures where they belong (`<image>`).

The text is the source's own, word for word, or else what the facts say of all pictures. Where the source itself says
where its pictures stand (`PICTURE`), they stand there: those that the text has a place for. Else a picture stands
before the paragraph that first names it (`Figure 2`, `Fig. 2`, `Picture 2`, `Image 2`); pictures that no paragraph
names stand at the beginning; where the text names them in another order than theirs, or holds `<image>` itself, nothing
is made. A volume stands as evenly spread slices, made for this sample, as OBELICS- and MINT-like documents have them;
the volume itself does not travel with it. Covered: records of several pictures, volumes. Not covered: several records
in one document.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal

from pydantic import Field

from manifests.config import Config
from manifests.record import PICTURE, Media, Record
from manifests.sample import Draft, Made, Proof
from synth.chat import Picture
from synth.proofs import MediaView, call_text, evaluate, prove
from synth.tasks.caption import Caption, describe
from synth.tasks.common import finish, source_verdict
from synth.tasks.posing import IMAGE, digest_proof, in_places, shown

_NAMED = re.compile(r"\b(?:fig(?:ure|\.)?|picture|image)\s*(\d{1,2})\b", re.IGNORECASE)


class Interleaved(Config):
    """`slices` of a volume, none longer than `side` pixels; `least` pictures make a document."""

    task: Literal["interleaved"] = "interleaved"
    slices: int = Field(default=8, ge=1, le=256)
    side: int = Field(default=448, ge=28, le=2048)
    least: int = Field(default=2, ge=1)


def places(text: str, pictures: int) -> list[int]:
    """Where in the text each picture stands: the start of the first paragraph that names it, else of the text."""
    starts = [0, *(match.end() for match in re.finditer(r"\n[ \t]*\n\s*(?=\S)", text))]
    found = []
    for number in range(1, pictures + 1):
        named = (m.start() for m in _NAMED.finditer(text) if int(m[1]) == number)
        first = next(named, 0)
        found.append(max(start for start in starts if start <= first))
    return found


def placed(text: str, at: list[int]) -> str:
    """The text with a line `<image>` at each of these places, which ascend."""
    pieces, last = [], 0
    for place in at:
        pieces += [text[last:place], f"{IMAGE}\n"]
        last = place
    return "".join([*pieces, text[last:]])


def drafts(record: Record, view: MediaView, config: Interleaved, seed: int) -> list[Draft]:
    """One pretrain text with the proof of its words, or none where there are too few pictures or nothing to say."""
    if PICTURE in view.text:
        members, _ = shown(view, record.kind, (0,))
        return [document(record, view, "interleaved", members)] if len(members) >= config.least else []
    images = [m for m in view.media if m.kind == "image"]
    volume = any(m.kind == "volume" for m in view.media)
    made = _slices(view.look(config.slices, config.side)) if volume else ()
    count = len(made) or len(images)
    words, proofs = _words(view, record.kind)
    if count < config.least or not words or IMAGE in words:
        return []
    at = [0] * count if made else places(words, count)
    if at != sorted(at):
        return []  # a reader gives the pictures in the order of their members
    own = (source_verdict(-1, "the text is the source's own"),) if view.text.strip() else ()
    draft = Draft(
        key=record.key,
        stage="pretrain",
        task="interleaved",
        part=0,
        text=placed(words, at),
        proofs=proofs,
        verdicts=own,
        shows=() if made else tuple(m.member for m in images),
        made=made,
    )
    return [finish(draft)]


def document(record: Record, view: MediaView, task: str, members: tuple[str, ...]) -> Draft:
    """The source's text with `<image>` at its places for these pictures, proven by its digest."""
    return finish(
        Draft(
            key=record.key,
            stage="pretrain",
            task=task,
            part=0,
            text=in_places(view.text),
            proofs=(digest_proof("text", 0, view, -1),),
            verdicts=(source_verdict(-1, "the text is the source's own"),),
            shows=members,
        )
    )


def _words(view: MediaView, kind: str) -> tuple[str, tuple[Proof, ...]]:
    if view.text.strip():
        return view.text.strip(), (prove(call_text("digest", {"field": "text"}), view, -1),)
    said = [one for one in describe(view, kind, Caption(max_structures=0)) if _by_facts(one.calls)]
    calls = tuple(dict.fromkeys(call for one in said for call in one.calls))
    found = ((call, evaluate(call, view)) for call in calls)
    return " ".join(one.sentence for one in said), tuple(Proof(-1, call, r.value, r.unit) for call, r in found)


def _by_facts(calls: tuple[str, ...]) -> bool:
    """Whether facts alone prove a sentence: the volume does not travel."""
    return bool(calls) and all(call.startswith("label(") for call in calls)


def _slices(pictures: tuple[Picture, ...]) -> tuple[Made, ...]:
    return tuple(
        Made(
            Media(
                member=f"slice{number:02d}.png",
                kind="image",
                shape=(p.height, p.width),
                dtype="uint8",
                sha256=hashlib.sha256(p.data).hexdigest(),
                size_bytes=len(p.data),
                target="slice",
                units="display",
            ),
            p.data,
        )
        for number, p in enumerate(pictures, start=1)
    )
