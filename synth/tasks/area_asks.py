"""Which questions of size the masks of one picture may answer: shares, diameters, distances, ratios, regions.

What a picture's masks are of decides what is sensible: the drawing of a second observer is no second structure, one of
several numbered lesions cannot be told from the others by its number, and two structures of which one's name holds the
other's (a tumour and its core) are not compared. The cup of a disc is compared with the whole disc, and the heart of a
frontal radiograph with both lungs together, by the extents that ophthalmologists and radiologists use.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from manifests.record import Media
from synth.calls import call_text
from synth.facts import modality_codes, structure_words, values_of
from synth.instances import drawn_again, is_organ, kinds
from synth.views import MediaView, mask_labels, objects

SIZED = frozenset(("area_mm2", "long_diameter_mm", "diameters_mm", "centre_distance_mm"))
FAMILIES = ("share_pct", "area_mm2", "long_diameter_mm", "diameters_mm")
# What is asked: below, a value printed with one decimal or two says too little; above, nobody would compare.
BETWEEN: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"share_pct": (1.0, 99.0), "area_ratio": (0.2, 10.0), "extent_ratio": (0.1, 10.0)}
)
LEAST = "0.1"  # per cent of the picture that a region must cover to be counted
LEAST_WORDS = (
    "Regions that touch, also diagonally, are one; those that cover less than a thousandth of the image do not count."
)
_NUMBER = re.compile(r"[ _]\d{1,4}\Z")
_CUP = re.compile(r"(?:optic )?cup", re.IGNORECASE)
_DISC = re.compile(r"(?:optic )?dis[ck]", re.IGNORECASE)
_HEART = re.compile(r"heart|cardiac silhouette", re.IGNORECASE)
_LUNG = re.compile(r"(?:left |right )?lungs?", re.IGNORECASE)
_RADIOGRAPHS = frozenset(("CR", "DX", "RF"))
_FRONTAL = frozenset(("", "ap", "pa", "frontal"))


@dataclass(frozen=True, slots=True)
class Ask:
    """One question: its family (of wordings), its call, and the words that the wordings name."""

    family: str
    call: str
    a: str = ""
    b: str = ""
    c: str = ""
    d: str = ""


def picture_of(view: MediaView) -> Media | None:
    """The one picture that is shown, where its masks are flat."""
    shown = [m for m in view.media if m.kind != "mask"]
    flat = all(len(m.shape) == 2 for m in view.media if m.kind == "mask")
    return shown[0] if len(shown) == 1 and shown[0].kind == "image" and flat else None


def asked_labels(view: MediaView) -> tuple[str, ...]:
    """The labels of structures that a viewer can tell by their name, sorted."""
    labels = mask_labels(view)
    numbered = kinds(labels)
    bare = [_NUMBER.sub("", one) for one in labels]
    told = (one for one in labels if one not in numbered and bare.count(_NUMBER.sub("", one)) == 1)
    return tuple(sorted(one for one in told if not drawn_again(one)))


def of_picture(view: MediaView, member: str) -> Iterator[Ask]:
    """Every question of size that the masks of a picture may answer, in a fixed order."""
    labels = asked_labels(view)
    for name in labels:
        for family in FAMILIES:
            yield Ask(family, call_text(family, {"mask": name, "member": member}), structure_words(name))
        if objects(view, name):
            yield Ask("count", call_text("count", {"mask": name}), structure_words(name))
        elif not is_organ(structure_words(name)):  # an organ is one, and nobody counts its parts
            call = call_text("regions", {"mask": name, "least": LEAST, "member": member})
            yield Ask("regions", call, structure_words(name))
    for a, b in itertools.combinations(labels, 2):
        if not _alike(a, b) and not (_is(_CUP, a) and _is(_DISC, b)):
            yield _pair("area_ratio", a, (b,), member)
            yield _pair("centre_distance_mm", a, (b,), member)
    yield from _named_ratios(view, labels, member)
    if len(compared := comparable(labels)) > 1:
        call = call_text("covers_most", {"among": "|".join(compared), "member": member})
        yield Ask("covers_most", call)


def _named_ratios(view: MediaView, labels: Sequence[str], member: str) -> Iterator[Ask]:
    """The cup-to-disc ratios by area and height, and the cardiothoracic ratio by width."""
    cups, discs = ([one for one in labels if _is(form, one)] for form in (_CUP, _DISC))
    if len(cups) == len(discs) == 1:
        yield _pair("area_ratio", cups[0], (discs[0], cups[0]), member, shown=discs)
        yield _pair("extent_ratio", cups[0], (discs[0], cups[0]), member, "vertical", discs)
    hearts, lungs = ([one for one in labels if _is(form, one)] for form in (_HEART, _LUNG))
    if len(hearts) == 1 and _both(lungs) and _is_frontal(view):
        yield _pair("extent_ratio", hearts[0], lungs, member, "horizontal")


def _pair(
    family: str, a: str, b: Sequence[str], member: str, extent: str = "", shown: Sequence[str] | None = None
) -> Ask:
    args = {"a": a, "b": "|".join(b), **({"extent": extent} if extent else {}), "member": member}
    words = " and ".join(structure_words(one) for one in (b if shown is None else shown))
    return Ask(family, call_text(family, args), structure_words(a), words, extent)


def _is(form: re.Pattern[str], label: str) -> bool:
    return form.fullmatch(structure_words(label)) is not None


def _both(lungs: Sequence[str]) -> bool:
    said = sorted(structure_words(one).lower() for one in lungs)
    return said in (["left lung", "right lung"], ["lungs"], ["lung"])


def _is_frontal(view: MediaView) -> bool:
    codes = {code for value in values_of(view.facts, "modality") for code in modality_codes(value)}
    views = {value.strip().lower() for value in values_of(view.facts, "view_position")}
    return bool(codes) and codes <= _RADIOGRAPHS and views <= _FRONTAL


def _alike(a: str, b: str) -> bool:
    """Whether the words of one label are among those of the other."""
    first, second = (set(re.findall(r"\w+", structure_words(one).lower())) for one in (a, b))
    return first <= second or second <= first


def comparable(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels of which none is alike another one."""
    return tuple(one for one in labels if not any(other != one and _alike(one, other) for other in labels))
