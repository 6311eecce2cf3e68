"""Several structures of one kind: which masks are such, and words that tell one of them apart in a picture.

Sources number masks of one kind (`kidney`, `kidney 2`; `lesion_2` of DICOM), which says nothing to who looks at a
picture. `called` gives words that hold for one of them alone, by the first of these that tells it apart: the side that
the source states of it; where a slice's affine says where the patient's left is, that; its place in the picture from
side to side, from top to bottom; its area. Of three and more only the outermost have a name. One that is the only one
of its kind in the picture is called by the kind. Places are middles of boxes; they differ by a twentieth of the picture
or more, areas by a quarter. Not covered: structures of one kind whose labels are not numbered, and those in volumes.

One mask may also mark many things, such as all nuclei or two polyps: `is_one` tells, and no box, length, place or name
is asked of those. It is one thing where its second largest connected part has at most a tenth of the largest's pixels,
or where its name is an organ's, which people take as one also where it is a pair (the lungs); objects that the source
tells apart are several.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from manifests.errors import VerificationError
from manifests.record import Media
from synth.facts import structure_words
from synth.lexicon import terms_in
from synth.picture_programs import Box, named_boxes
from synth.pictures import inside, objects_inside, picture
from synth.shapes import component_sizes
from synth.views import MediaView, Result, mask_labels, objects, structure

CLEAR = 0.05  # of the picture's side, by which middles of boxes differ
LARGER = 1.25  # by which areas differ
NEGLIGIBLE = 0.1  # the share of the largest part up to which another part of a mask is no thing of its own
_DRAWN_BY = re.compile(r"\b(?:observer|rater|reader|annotator|expert)\b", re.IGNORECASE)
_STRAIGHT = 0.9  # of a step from column to column that goes from side to side of the patient
_NUMBERED = re.compile(r"(.*\S)[ _](\d{1,4})")
_SIDES: Mapping[str, str] = {"l": "left", "left": "left", "r": "right", "right": "right"}
_ENDS: Mapping[str, tuple[tuple[str, str], tuple[str, str]]] = {  # of two: low, high; of several: low, high
    "patient": (
        ("{} further to the patient's left", "{} further to the patient's right"),
        ("{} furthest to the patient's left", "{} furthest to the patient's right"),
    ),
    "across": (
        ("{} further to the left in the picture", "{} further to the right in the picture"),
        ("{} furthest to the left in the picture", "{} furthest to the right in the picture"),
    ),
    "down": (
        ("upper {} in the picture", "lower {} in the picture"),
        ("uppermost {} in the picture", "lowest {} in the picture"),
    ),
    "area": (
        ("smaller {} in the picture", "larger {} in the picture"),
        ("smallest {} in the picture", "largest {} in the picture"),
    ),
}


def kinds(labels: Iterable[str]) -> dict[str, str]:
    """For each label that is one of several of a kind the label of the kind: `kidney` and `kidney 2` are `kidney`."""
    own = set(labels)
    found: dict[str, str] = {}
    for label in sorted(own):
        numbered = _NUMBERED.fullmatch(label)
        if numbered and numbered[1] in own:
            found[label] = found[numbered[1]] = numbered[1]
    return found


def told_apart(labels: Iterable[str]) -> tuple[str, ...]:
    """The labels in their order, without those of which there are several of a kind: what the label alone names."""
    own = tuple(labels)
    several = kinds(own)
    return tuple(label for label in own if label not in several)


def drawn_again(label: str) -> bool:
    """Whether a label says who drew it: another one's drawing of a structure is no second structure."""
    return _DRAWN_BY.search(label) is not None


def is_organ(words: str) -> bool:
    """Whether a name is that of an organ, and not of a lesion or a device in it."""
    return bool(terms_in(words, "anatomy")) and not terms_in(words, "findings")


def is_one(view: MediaView, name: str, member: str = "") -> bool:
    """Whether what a mask marks, or the picture `member` shows of it, is one thing. Raises `VerificationError` where
    it is nothing."""
    if objects(view, name):
        return bool(member) and len(objects_inside(view, name, member)) < 2
    hits = inside(view, name, member) if member else structure(view, name)[1].inside
    if is_organ(structure_words(name)):
        return True
    sizes = component_sizes(hits)
    return len(sizes) < 2 or sizes[1] <= NEGLIGIBLE * sizes[0]


def kind_of(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(_kind(view, args["mask"]), "")


def called(view: MediaView, args: Mapping[str, str]) -> Result:
    """Words for a structure that hold for no other one in the picture; raises `VerificationError` where none do."""
    name, member = args["mask"], args["member"]
    kind = _kind(view, name)
    all_kinds, boxes = kinds(mask_labels(view)), named_boxes(view, member)
    alike = {label: box for label, box in boxes.items() if all_kinds.get(label) == kind}
    if name not in alike:
        raise VerificationError(f"picture {member[:40]!r} does not show {name!r}")
    words = structure_words(kind)
    if len(alike) == 1:
        return Result(words, "")
    side = _stated_side(view, alike, name)
    told = f"{side} {words}" if side else _by_place(view, picture(view, member), alike, name, words)
    if not told:
        raise VerificationError(f"nothing tells {name!r} apart from the others of its kind in picture {member[:40]!r}")
    return Result(told, "")


def _kind(view: MediaView, name: str) -> str:
    found = kinds(mask_labels(view)).get(name)
    if found is None:
        raise VerificationError(f"mask {name!r} is not one of several of a kind")
    return found


def _stated_side(view: MediaView, alike: Iterable[str], name: str) -> str:
    """The side that the source states of a structure, where it states the other of all others of its kind."""
    stated: dict[str, set[str]] = {label: set() for label in alike}
    for fact in view.facts:
        if fact.name == "laterality" and fact.about in stated:
            stated[fact.about].add(_SIDES.get(fact.value.strip().lower(), ""))
    own = stated.pop(name)
    others = set().union(*stated.values())
    apart = len(own) == 1 and "" not in own | others and all(stated.values()) and not own & others
    return next(iter(own)) if apart else ""


def _by_place(view: MediaView, shown: Media, alike: Mapping[str, Box], name: str, words: str) -> str:
    height, width = shown.shape[:2]
    across = {label: (box[0] + box[2]) / 2 for label, box in alike.items()}
    down = {label: (box[1] + box[3]) / 2 for label, box in alike.items()}
    toward_right = _patient_right(shown)
    rules = [("down", down, CLEAR * height)]
    if toward_right:
        rules.insert(0, ("patient", {label: x * toward_right for label, x in across.items()}, CLEAR * width))
    elif shown.affine is None:
        rules.insert(0, ("across", across, CLEAR * width))
    for family, places, apart in rules:
        others = [place for label, place in places.items() if label != name]
        low, high = places[name] + apart <= min(others), places[name] - apart >= max(others)
        if low or high:
            return _ENDS[family][len(others) > 1][high].format(words)
    areas = {label: int(inside(view, label, shown.member).sum()) for label in alike}
    rest = [area for label, area in areas.items() if label != name]
    low, high = areas[name] * LARGER <= min(rest), areas[name] >= LARGER * max(rest)
    return _ENDS["area"][len(rest) > 1][high].format(words) if low or high else ""


def _patient_right(shown: Media) -> int:
    """1 where columns go to the patient's right, -1 to the left, 0 where they do neither or nobody knows (RAS+)."""
    if shown.affine is None:
        return 0
    x, y, z = (row[0] for row in shown.affine[:3])
    straight = abs(x) >= _STRAIGHT * (x * x + y * y + z * z) ** 0.5
    return (1 if x > 0 else -1) if straight and x else 0
