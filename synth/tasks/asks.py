"""Which measuring questions the media of a record may answer: the closed list of families and their calls."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from synth.facts import structure_words
from synth.mask_programs import ALONG, STATISTICS
from synth.points import landmark_names
from synth.proofs import call_text
from synth.tasks.seen import framed, is_clip
from synth.views import MediaView, mask_labels

STATISTIC_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "sd": "standard deviation of the attenuation",
        "median": "median attenuation",
        "p5": "5th percentile of the attenuation",
        "p95": "95th percentile of the attenuation",
        "min": "lowest attenuation",
        "max": "highest attenuation",
    }
)
SIZED = frozenset(
    ("volume_ml", "longest_axis_mm", "recist_mm", "perpendicular_axis_mm", "size_mm", "extent_mm", "distance_mm")
)  # families whose answers are in mm or mL of what is shown
_OF_A_VOLUME = (
    "volume_ml", "longest_axis_mm", "recist_mm", "perpendicular_axis_mm", "size_mm", "count", "slice_range", "box",
)  # fmt: skip
_OF_AN_IMAGE = ("count", "longest_axis_mm", "box")
_MIDLINE = re.compile(r"\b(?:vertebra|sacrum|spinal cord|sternum|brainstem|brain stem|corpus callosum|pituitary)\b")
_SIDED = re.compile(r"\b(?:left|right)\b")
_NUMBERED = re.compile(r"[A-Za-z]{0,3}[-_ ]?\d+")  # a point's name that only counts, such as Slicer's F-1
_MOST_POINTS = 64
MOST_NAMED = 8  # structures among which the largest is asked: the question names them, because masks are not shown


@dataclass(frozen=True, slots=True)
class Ask:
    """One question: its family (of wordings), its call, and the words that the wordings name."""

    family: str
    call: str
    a: str = ""
    b: str = ""
    c: str = ""
    d: str = ""


def asks(view: MediaView, intensity: bool) -> list[Ask]:
    """Every question that the media may answer, in a fixed order; whether they do, the proofs say."""
    kinds = {m.kind for m in view.media}
    volume = any(m.kind == "volume" or (m.kind == "video" and m.affine is not None) for m in view.media)
    labels = sorted(mask_labels(view))
    out = [*_of_masks(labels, volume), *_of_points(landmark_names(view.facts))]
    if intensity and "volume" in kinds:
        out += _of_intensities(labels)
    if len(labels) > 1 and volume:
        out += [Ask("largest", call_text("largest"))] if len(labels) <= MOST_NAMED else []
        out += _of_pairs(labels)
    if ("volume" in kinds or "image" in kinds) and not any(framed(m) for m in view.media):
        axes = ("x", "y", "z") if "volume" in kinds else ("x", "y")
        out += [Ask("extent_mm", call_text("extent_mm", {"axis": axis}), axis) for axis in axes]
    if is_clip(view):
        out += [Ask("frame_count", call_text("frame_count")), Ask("duration_s", call_text("duration_s"))]
    return out


def _of_masks(labels: list[str], volume: bool) -> Iterator[Ask]:
    for name in labels:
        for family in _OF_A_VOLUME if volume else _OF_AN_IMAGE:
            yield Ask(family, call_text(family, {"mask": name}), structure_words(name))


def _of_intensities(labels: list[str]) -> Iterator[Ask]:
    for name in labels:
        yield Ask("mean_hu", call_text("mean_hu", {"mask": name}), structure_words(name))
        for statistic in STATISTICS:
            call = call_text("hu", {"mask": name, "statistic": statistic})
            yield Ask("hu", call, structure_words(name), c=STATISTIC_WORDS[statistic])


def _of_pairs(labels: list[str]) -> Iterator[Ask]:
    """Sides and directions; a structure whose name says its side is not asked for it."""
    for a, b in itertools.permutations(labels, 2):
        first, second = structure_words(a), structure_words(b)
        yield Ask("is_left_of", call_text("is_left_of", {"a": a, "b": b}), first, second)
        for along in ALONG:
            if along == "left-right" and _SIDED.search(f"{first} {second}"):
                continue
            family = f"relation_{along.replace('-', '_')}"
            yield Ask(family, call_text("relation", {"a": a, "b": b, "along": along}), first, second)
        if _MIDLINE.search(second) and not _SIDED.search(first) and not _MIDLINE.search(first):
            yield Ask("side_of", call_text("side_of", {"mask": a, "midline": b}), first, second)


def _of_points(names: tuple[str, ...]) -> Iterator[Ask]:
    """Distances and angles of points that follow each other in their file, and that have names of their own."""
    named = [name for name in names if not _NUMBERED.fullmatch(name)][:_MOST_POINTS]
    for family, letters in (("distance_mm", "pq"), ("angle_deg", "pqr"), ("angle_between_lines_deg", "pqrs")):
        for at in range(len(named) - len(letters) + 1):
            chosen = named[at : at + len(letters)]
            yield Ask(family, call_text(family, dict(zip(letters, chosen, strict=True))), *chosen)
