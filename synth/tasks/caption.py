"""A description of an image, volume or video that says only what facts and programs give, each statement proven.

The same text serves pretraining (beside its media) and, behind a request such as "Describe this image.", fine-tuning.
Covered: modality, plane or view, body part, side, label, findings, sequence, contrast, structures with their volumes,
in a picture whose spacing is known with their areas, where what is shown decides those, frames and duration of clips,
and the source's own caption, word for word. Not covered: appearance, and anything of the patient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from pydantic import Field

from manifests.config import Config
from manifests.errors import VerificationError
from manifests.record import Record
from manifests.sample import Draft, Proof, Turn
from synth.facts import structure_words, values_of
from synth.instances import told_apart
from synth.modality_words import place_words, projection_words, shown_as
from synth.plural import is_plural
from synth.proofs import MediaView, call_text, evaluate, mask_labels
from synth.tasks import area_asks
from synth.tasks.common import finish, joined, pick, with_article
from synth.tasks.phrases import REQUESTS
from synth.tasks.seen import decided, is_clip, plane_shown
from synth.views import shows_several


class Caption(Config):
    """`max_structures` limits how many masks are listed; `source_caption` adds the source's own words."""

    task: Literal["caption"] = "caption"
    max_structures: int = Field(default=8, ge=0, le=256)
    source_caption: bool = True


class _Said(NamedTuple):
    """One sentence and the calls that prove what it states."""

    sentence: str
    calls: tuple[str, ...]


_LEAST = 0.001  # mL or mm2 of a size that a caption tells: nobody reads 0.0000932
_UNTOLD = frozenset({"OT", "FIGURE", "NATURAL"})  # they say nothing of how it was made
_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right", "b": "bilateral", "bilateral": "bilateral"}


def _holds(view: MediaView, call: str) -> str:
    """The value of a call, or "" where the sample does not decide it."""
    try:
        return evaluate(call, view).value
    except VerificationError:
        return ""


def _fact(view: MediaView, name: str) -> tuple[str, str]:
    """(value, call) of a fact, ("", "") where it is not known or has several values."""
    values = set(values_of(view.facts, name))
    return (values.pop(), call_text("label", {"fact": name})) if len(values) == 1 else ("", "")


def _opening(view: MediaView, kind: str) -> _Said:
    modality, by_modality = _fact(view, "modality")
    plane, by_plane = _holds(view, call_text("plane")), call_text("plane")
    if not plane:
        plane, by_plane = _fact(view, "plane")
        plane = plane if plane_shown(view) in ("", plane.lower()) else ""
    part, by_part = _fact(view, "body_part")
    side, by_side = _fact(view, "laterality")
    position, by_position = _fact(view, "view_position")
    side = _SIDES.get(side.lower(), "")
    modality, by_modality = ("", "") if modality.upper() in _UNTOLD else (modality, by_modality)
    both = side if side == "bilateral" else ""
    noun = " ".join(word for word in (both, plane.lower(), shown_as(modality, kind)) if word)
    sentence = f"These are {noun}s" if shows_several(view) else f"This is {with_article(noun)}"
    if part:
        sentence += f" of {place_words(part, '' if both else side)}"
    elif side and not both:
        sentence += f" of the {side} side"
    sentence += f" in {projection_words(position)}" if position else ""
    pairs = ((modality, by_modality), (plane, by_plane), (part, by_part), (side, by_side), (position, by_position))
    return _Said(sentence + ".", tuple(call for value, call in pairs if value and call))


def _every(view: MediaView, name: str, wording: str) -> list[_Said]:
    """One sentence with all values of a fact that stands on its own (`about` empty)."""
    values = list(dict.fromkeys(f.value for f in view.facts if f.name == name and not f.about))
    if not values or any(f.about for f in view.facts if f.name == name):
        return []
    told = joined([structure_words(v) if "_" in v else v for v in values])
    wording = "It shows {}." if name == "label" and told.lower().startswith("no ") else wording
    text = wording.format(told)
    return [_Said(text, (call_text("label", {"fact": name}),))]


def _observations(view: MediaView) -> list[_Said]:
    """Findings that are named by `about`, with the value that the source gives them."""
    said = []
    for fact in view.facts:
        if fact.name == "finding" and fact.about:
            call = call_text("label", {"fact": "finding", "about": fact.about})
            unit = f" {fact.unit}" if fact.unit else ""
            said.append(_Said(f"{structure_words(fact.about).capitalize()}: {fact.value}{unit}.", (call,)))
    return said


def _structures(view: MediaView, config: Caption) -> list[_Said]:
    sized = []
    flat = area_asks.picture_of(view) is not None
    for name in area_asks.asked_labels(view) if flat else sorted(told_apart(mask_labels(view))):
        for call, unit in _sizes(view, name):
            size = _holds(view, call)
            if size and float(size) > 0 and decided(view, call):
                words, by = structure_words(name), call
                if unit and float(size) >= _LEAST:
                    words = f"{words} ({size} {unit})"
                else:  # what nobody reads off a picture is not told: that the structure is there is a fact
                    by = call_text("label", {"fact": "structure", "about": name})
                sized += [(-float(size), words, by)] if by == call or _holds(view, by) == name else []
                break
    chosen = sorted(sized)[: config.max_structures]
    if not chosen:
        return []
    head = "The outlined structure" if len(chosen) == len(sized) else "The largest outlined structure"
    one = len(chosen) == 1 and not is_plural(chosen[0][1])
    told = joined([f"the {words}" for _, words, _ in chosen])
    return [_Said(f"{head}{' is' if one else 's are'} {told}.", tuple(by for *_, by in chosen))]


def _sizes(view: MediaView, name: str) -> Iterator[tuple[str, str]]:
    """The calls, with the unit in words, that may tell how large a structure is: in space, or in the one picture;
    without a unit where its size in pixels only orders it."""
    pictures = [m for m in view.media if m.kind == "image"]
    if not pictures:
        yield call_text("volume_ml", {"mask": name}), "mL"
    elif len(pictures) == 1:
        known = pictures[0].spacing_mm is not None
        args = {"mask": name, "member": pictures[0].member}
        yield call_text("area_mm2" if known else "area_px", args), "mm²" if known else ""


def _video(view: MediaView) -> list[_Said]:
    frames, seconds = _holds(view, call_text("frame_count")), _holds(view, call_text("duration_s"))
    if not frames or not is_clip(view):
        return []
    seconds = seconds if seconds and decided(view, call_text("duration_s")) else ""
    lasting = f" and lasts {seconds} seconds" if seconds else ""
    calls = (call_text("frame_count"), *((call_text("duration_s"),) if seconds else ()))
    return [_Said(f"It has {frames} frame{'' if frames == '1' else 's'}{lasting}.", calls)]


def _caption(view: MediaView) -> list[_Said]:
    caption, call = _fact(view, "caption")
    return [_Said(caption, (call,))] if caption else []


_FACTS: tuple[tuple[str, str], ...] = (
    ("sequence", "The sequence is {}."),
    ("contrast", "Contrast: {}."),
    ("label", "It is labelled as {}."),
    ("diagnosis", "The stated diagnosis is {}."),
    ("finding", "The stated findings: {}."),
)


def describe(view: MediaView, kind: str, config: Caption) -> list[_Said]:
    """The sentences, each with the calls that prove it; the first names what it is."""
    said = [_opening(view, kind)]
    for name, wording in _FACTS:
        said += _every(view, name, wording)
    parts: tuple[Callable[[], list[_Said]], ...] = (
        lambda: _observations(view),
        lambda: _structures(view, config),
        lambda: _video(view),
        lambda: _caption(view) if config.source_caption else [],
    )
    return said + [one for part in parts for one in part()]


def drafts(record: Record, view: MediaView, config: Caption, seed: int) -> list[Draft]:
    """A pretrain text (proofs of turn -1) and, of one medium, a conversation (turn 1); none for text, or where nothing
    is known."""
    if record.kind == "text":
        return []
    said = describe(view, record.kind, config)
    calls = tuple(dict.fromkeys(call for one in said for call in one.calls))
    if not calls:
        return []
    text = " ".join(one.sentence for one in said)
    results = [(call, evaluate(call, view)) for call in calls]
    request = pick(REQUESTS, seed, record.key, "caption").format(kind=record.kind)
    shown = (Turn("user", request), Turn("assistant", text))
    at_text = tuple(Proof(-1, call, result.value, result.unit) for call, result in results)
    at_turn = tuple(Proof(1, call, result.value, result.unit) for call, result in results)
    made = [finish(Draft(record.key, "pretrain", "caption", 0, text=text, proofs=at_text))]
    if not shows_several(view):  # of which a request for "this image" would not say which is meant
        made.append(finish(Draft(record.key, "sft", "caption", 0, turns=shown, proofs=at_turn)))
    return made
