"""What a proof may look at: a sample's media and facts, its structures cropped once, and the grid that is shown."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from manifests.errors import VerificationError
from manifests.record import Affine, Asked, Fact, Media
from manifests.sample import Passage
from synth.chat import Picture
from synth.grids import steps_mm
from synth.shapes import Part, cropped

Array = npt.NDArray[Any]


class Retrieved(NamedTuple):
    """A passage that was found for a record's question, numbered from 1; 0: for what the record shows."""

    asks: int
    passage: Passage


@dataclass(frozen=True, slots=True)
class MediaView:
    """What a proof may look at. `load` gives the array of a member name, in the shape that its `Media` says.

    `crop` may give a mask's `Part` directly (None: it is empty), where one pass over a label map finds all of them.
    Structures once looked at are kept, cropped, as long as the view is. `look(most, side)` gives at most `most`
    pictures of what is shown, none longer than `side` pixels: the images, evenly spread slices of a volume as
    radiologists look at them, evenly spread frames; none of a text. `passages` are those that a sample shows,
    `retrieved` those that a task may choose from.
    """

    media: tuple[Media, ...]
    load: Callable[[str], Array]
    facts: tuple[Fact, ...] = ()
    text: str = ""
    asked: tuple[Asked, ...] = ()
    crop: Callable[[str], Part | None] | None = None
    look: Callable[[int, int], tuple[Picture, ...]] = lambda most, side: ()
    passages: tuple[Passage, ...] = ()
    retrieved: tuple[Retrieved, ...] = ()
    seen: dict[str, tuple[Media, Part]] = field(default_factory=dict, init=False, repr=False, compare=False)


class Result(NamedTuple):
    """What a program returns: text, and a pint unit or ""."""

    value: str
    unit: str


class Shown(NamedTuple):
    """The grid in which what is shown stands: its size (x, y, z) and the z index of each slice that is shown."""

    affine: Affine
    size: tuple[int, int, int]
    slices: tuple[int, ...]


def load(view: MediaView, media: Media) -> Array:
    """The array of a member; raises `VerificationError` where it cannot be read or has another shape."""
    try:
        array = np.asarray(view.load(media.member))
    except (KeyError, OSError, EOFError, ValueError, zlib.error) as error:
        raise VerificationError(f"member {media.member} cannot be read ({type(error).__name__})") from error
    if array.shape != media.shape:
        raise VerificationError(f"member {media.member} has shape {array.shape}, its entry says {media.shape}")
    return array


def shows_several(view: MediaView) -> bool:
    """Whether several pictures are shown, so that "this image" would not say which."""
    return sum(m.kind == "image" for m in view.media) > 1


def mask_labels(view: MediaView) -> tuple[str, ...]:
    """The labels of the masks that travel, each once, in order of first appearance."""
    return tuple(dict.fromkeys(m.label for m in view.media if m.kind == "mask" and m.label))


def structure(view: MediaView, name: str) -> tuple[Media, Part]:
    """The structure of a label: every mask member with that label (`objects`), together; not empty."""
    if name not in view.seen:
        view.seen[name] = _structure(view, name)
    return view.seen[name]


def objects(view: MediaView, name: str) -> tuple[str, ...]:
    """The members of the objects that the source tells apart in a structure; () where it marks the structure as one."""
    members = tuple(m.member for m in view.media if m.kind == "mask" and m.label == name)
    return members if len(members) > 1 else ()


def object_part(view: MediaView, member: str) -> Part:
    """One of them, cropped. Raises `VerificationError` where nothing is marked."""
    (entry,) = (m for m in view.media if m.kind == "mask" and m.member == member)
    part = _cropped(view, entry)
    if part is None:
        raise VerificationError(f"member {member} marks nothing")
    return part


def _cropped(view: MediaView, entry: Media) -> Part | None:
    return cropped(load(view, entry)) if view.crop is None else view.crop(entry.member)


def _structure(view: MediaView, name: str) -> tuple[Media, Part]:
    entries = [m for m in view.media if m.kind == "mask" and m.label == name]
    if not entries:
        raise VerificationError(f"mask {name!r} is not in the sample; masks: {', '.join(mask_labels(view)) or 'none'}")
    if len({(m.shape, m.affine) for m in entries}) > 1:
        raise VerificationError(f"the masks labelled {name!r} stand on different grids")
    part = _cropped(view, entries[0])
    if len(entries) > 1:
        whole = np.zeros(entries[0].shape, np.bool_)
        for one in (part, *(_cropped(view, m) for m in entries[1:])):
            if one is not None:
                whole[one.where] |= one.inside
        part = cropped(whole)
    if part is None:
        raise VerificationError(f"mask {name!r} is empty")
    if len(part.start) != len(entries[0].shape) or any(a > b for a, b in zip(part.stop, entries[0].shape, strict=True)):
        raise VerificationError(f"mask {name!r} does not fit the shape {entries[0].shape} of its entry")
    return entries[0], part


def steps(media: Media) -> tuple[tuple[float, ...], ...]:
    """The millimetres of one step along each array axis, (z, y, x) or (y, x), from the affine or else the spacing."""
    if media.affine is not None and len(media.shape) == 3:
        return tuple(tuple(row[k] for row in media.affine[:3]) for k in (2, 1, 0))
    if media.spacing_mm is not None and len(media.spacing_mm) == len(media.shape):
        spacing = media.spacing_mm
        return tuple(tuple(s if i == k else 0.0 for i in range(len(spacing))) for k, s in enumerate(spacing))
    raise VerificationError(f"member {media.member} has no affine and no spacing, so nothing in it has a size")


def only(view: MediaView, kinds: tuple[str, ...]) -> Media:
    """The one member of these kinds."""
    entries = [m for m in view.media if m.kind in kinds]
    if len(entries) != 1:
        raise VerificationError(f"the sample has {len(entries)} members of kind {' or '.join(kinds)}; one is needed")
    return entries[0]


def affine_of(media: Media, name: str) -> Affine:
    if media.affine is None or len(media.shape) != 3:
        raise VerificationError(f"mask {name!r} has no affine, so left and right are not known")
    return media.affine


def shown_grid(view: MediaView) -> Shown:
    """The grid and the slices of the volume that is shown, as one volume or as images or frames of one slice each.

    Raises `VerificationError` where no such member has an affine, or they stand on several grids.
    """
    entries = [m for m in view.media if m.kind != "mask" and m.affine is not None]
    if not entries or len({m.affine for m in entries}) > 1:
        raise VerificationError("what is shown has no affine, or several, so places in it are not known")
    slices: list[int] = []
    planes = set()
    for m in entries:
        stacked = len(m.shape) >= 3 and m.kind != "image"
        count = m.shape[0] if stacked else 1
        if m.slices is None and not stacked:
            raise VerificationError(f"member {m.member} does not say which slice it shows")
        slices += range(count) if m.slices is None else m.slices
        planes.add(m.shape[1:3] if stacked else m.shape[:2])
        if m.slices is not None and len(m.slices) != count:
            raise VerificationError(f"member {m.member} shows {count} slices, its entry names {len(m.slices)}")
    if len(planes) > 1:
        raise VerificationError("the slices shown differ in size")
    y, x = planes.pop()
    affine = entries[0].affine
    if affine is None:  # the entries were chosen for having one
        raise VerificationError("what is shown has no affine")
    return Shown(affine, (x, y, max(slices, default=0) + 1), tuple(slices))


def shown_steps_mm(view: MediaView) -> tuple[float, ...] | None:
    """The spacing of what is shown, (z, y, x) of a volume or (y, x) of an image; None where it is not known."""
    entries = [m for m in view.media if m.kind in ("volume", "image", "video")]
    for m in entries:
        if m.affine is not None:
            return steps_mm(m.affine)
        if m.spacing_mm is not None:
            return m.spacing_mm
    return None
