"""Scenes: pictures of a record in which places are known, from masks or from box facts, for the tasks about regions.

A mask that marks many things (`synth.instances.is_one`) has no place.

A scene is one shown image, or one slice of a shown volume as a picture that the draft makes. Its view is that of a
sample with this picture and the record's masks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from manifests.errors import VerificationError
from manifests.record import Record
from manifests.sample import Made
from synth.boxes import overlap
from synth.calls import call_text
from synth.facts import structure_words
from synth.instances import called, drawn_again, is_one, kinds
from synth.mask_programs import slices_of
from synth.picture_programs import Box, named_boxes
from synth.pictures import picture, pixels_of, slice_picture, with_pictures
from synth.shapes import Array
from synth.tasks.common import seeded, shuffled
from synth.views import MediaView, mask_labels

FULL = 0.9  # the share of the picture beyond which a box says nothing
_SAME = 0.95  # boxes that overlap more than this cannot be told apart


@dataclass(frozen=True)
class Scene:
    """One picture with what is known in it: `boxes` by name, in an order of its own; `masks` are those names that a
    mask knows. `spoken` are the names in plain words, each once; `kinds` are the names of structures of which there are
    several of a kind (`synth.instances`), with their kind."""

    view: MediaView
    member: str
    shows: tuple[str, ...]
    made: tuple[Made, ...]
    pixels: Array
    boxes: Mapping[str, Box]
    spoken: Mapping[str, str]
    masks: frozenset[str]
    kinds: Mapping[str, str]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def box_call(self, name: str) -> str:
        """The program that gives the box of a name."""
        if name in self.masks:
            return call_text("box_in", {"mask": name, "member": self.member})
        return call_text("stated_box", {"about": name, "member": self.member})


SLICE = "slice.png"  # the member of the one slice that a sample shows: all such samples have one layout


def mask_members(view: MediaView) -> tuple[str, ...]:
    """The members that hold masks, each once: label maps by their own name."""
    return tuple(dict.fromkeys(m.member.partition("#")[0] for m in view.media if m.kind == "mask"))


def scenes(
    record: Record, view: MediaView, seed: int, most: int, min_side: int, instances: bool = False
) -> list[Scene]:
    """At most `most` scenes with something of at least `min_side` pixels each way in them, images before slices.
    Structures of which there are several of a kind are in them with `instances`, as far as words tell them apart; who
    asks for them proves `called`."""
    found: list[Scene] = []
    images = [m.member for m in view.media if m.kind == "image"]
    for number, member in enumerate(images[:most]):
        try:
            shows = (member, *(mask_members(view) if number == 0 else ()))  # flat masks are the first image's
            pixels = pixels_of(view, member)
            scene = _scene(with_pictures(view, shows, ()), member, shows, (), pixels, (min_side, instances))
        except VerificationError:
            continue
        found += [scene] if scene.boxes else []
    if images:
        return found
    for made, pixels in slice_pictures(record, view, seed, most):
        shows = mask_members(view)
        seen = with_pictures(view, shows, ((made, pixels),))
        scene = _scene(seen, made.media.member, shows, (made,), pixels, (min_side, instances))
        found += [scene] if scene.boxes else []
    return found


def slice_pictures(record: Record, view: MediaView, seed: int, most: int) -> list[tuple[Made, Array]]:
    """Slices of the first shown volume as pictures: through the middle half of structures that a seeded hash picks,
    without masks through the middle half of the volume."""
    volume = next((m for m in view.media if m.kind == "volume" and len(m.shape) == 3), None)
    if volume is None or volume.affine is None:
        return []
    found: dict[int, tuple[Made, Array]] = {}
    names = shuffled(mask_labels(view), seed, record.key, "slices")
    for name in names or [""]:
        if len(found) >= most:
            break
        try:
            first, last = slices_of(view, name) if name else (0, volume.shape[0] - 1)
            quarter = (last - first) // 4
            places = last - first - 2 * quarter + 1
            index = first + quarter + seeded(seed, record.key, name, "slice") % places
            if index not in found:
                found[index] = slice_picture(view, volume, index, SLICE)
        except VerificationError:
            continue
    return [found[index] for index in sorted(found)]


def _scene(
    view: MediaView,
    member: str,
    shows: tuple[str, ...],
    made: tuple[Made, ...],
    pixels: Array,
    wanted: tuple[int, bool],
) -> Scene:
    min_side, instances = wanted
    height, width = picture(view, member).shape[:2]
    known = named_boxes(view, member)
    labels = frozenset(mask_labels(view))
    numbered = kinds(labels)
    boxes: dict[str, Box] = {}
    spoken: dict[str, str] = {}
    for name, box in known.items():
        x0, y0, x1, y1 = box
        large = (x1 - x0) * (y1 - y0) > FULL * height * width
        if min(x1 - x0, y1 - y0) < min_side or large or (name in numbered and not instances):
            continue
        if name in labels and (drawn_again(name) or not is_one(view, name, member)):
            continue  # another one's drawing, or things that no one box holds
        words = _called(view, member, name) if name in numbered else structure_words(name)
        if words and words not in spoken.values():
            boxes[name], spoken[name] = box, words
    several = {name: kind for name, kind in numbered.items() if name in boxes}
    return Scene(view, member, shows, made, pixels, boxes, spoken, labels, several)


def _called(view: MediaView, member: str, name: str) -> str:
    """Words for one of several of a kind; "" where nothing tells it apart."""
    try:
        return called(view, {"mask": name, "member": member}).value
    except VerificationError:
        return ""


def apart(scene: Scene, name: str, limit: float = _SAME) -> bool:
    """Whether no other box of the scene can be taken for the one of this name."""
    own = scene.boxes[name]
    return all(overlap(own, box) < limit for other, box in scene.boxes.items() if other != name)
