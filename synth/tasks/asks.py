"""Which measuring questions the media of a record may answer: the closed list of families and their calls.

`asks` lists them, `in_turns` orders them by seed, `decide` proves the answer of one where what is shown decides it;
`measure` asks them openly, `mcq` with options.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from manifests.errors import VerificationError
from manifests.sample import Proof
from synth.area_programs import whole_structure
from synth.facts import structure_words
from synth.instances import is_one, is_organ, told_apart
from synth.mask_programs import ALONG, STATISTICS, slices_of
from synth.phrases.counts import OUTLINED, TOUCHING
from synth.points import landmark_names
from synth.proofs import call_text, centroid_ras, parse_call, prove
from synth.shapes import apart
from synth.tasks import area_asks
from synth.tasks.area_asks import Ask as Ask
from synth.tasks.common import joined, seeded, shuffled
from synth.tasks.seen import decided, framed, is_clip
from synth.views import MediaView, mask_labels, objects, structure

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
SIZED = area_asks.SIZED | frozenset(
    ("volume_ml", "longest_axis_mm", "recist_mm", "perpendicular_axis_mm", "size_mm", "extent_mm", "distance_mm")
)  # families whose answers are in mm, mm2 or mL of what is shown
_POSITIONS = frozenset(
    ("is_left_of", "relation_left_right", "relation_front_back", "relation_head_feet", "place", "side_of")
)
_OF_A_VOLUME = (
    "volume_ml", "longest_axis_mm", "recist_mm", "perpendicular_axis_mm", "size_mm", "count", "slice_range", "box",
)  # fmt: skip
_OF_ONE = _POSITIONS | frozenset(
    (
        "longest_axis_mm",
        "recist_mm",
        "perpendicular_axis_mm",
        "size_mm",
        "box",
        "long_diameter_mm",
        "diameters_mm",
        "centre_distance_mm",
    )
)  # families that take what a mask marks for one thing
_FEWEST = 8  # voxels of a part, below which it may be seen or overlooked
_COUNTABLE = 30  # above, a reward would be for counting alone
_MIDLINE = re.compile(r"\b(?:vertebra|sacrum|spinal cord|sternum|brainstem|brain stem|corpus callosum|pituitary)\b")
_SIDED = re.compile(r"\b(?:left|right)\b")
_NUMBERED = re.compile(r"[A-Za-z]{0,3}[-_ ]?\d+")  # a point's name that only counts, such as Slicer's F-1
_NOTHING = re.compile(r"(?<![\d.])0\.0+(?!\d)")  # a size of one voxel is no size
_MOST_POINTS = 64
_KEPT_SINGLE = 4  # of structures in one part, every fourth is asked for its count where a reward is to be earned
MOST_NAMED = 8  # structures among which the largest is asked: the question names them, because masks are not shown


def asks(view: MediaView, intensity: bool) -> list[Ask]:
    """Every question that the media may answer, in a fixed order; whether they do, the proofs say."""
    kinds = {m.kind for m in view.media}
    volume = any(m.kind == "volume" or (m.kind == "video" and m.affine is not None) for m in view.media)
    picture = area_asks.picture_of(view)
    labels = sorted(told_apart(mask_labels(view))) if picture is None else list(area_asks.asked_labels(view))
    out = [*_of_masks(labels, volume), *_of_points(landmark_names(view.facts))]
    out += area_asks.of_picture(view, picture.member) if picture is not None else []
    if intensity and "volume" in kinds:
        out += _of_intensities(labels)
    if len(labels) > 1 and volume:
        among = {"among": "|".join(labels)} if len(labels) < len(mask_labels(view)) else {}
        out += [Ask("largest", call_text("largest", among))] if len(labels) <= MOST_NAMED else []
        out += _of_pairs(labels)
    if ("volume" in kinds or "image" in kinds) and not any(framed(m) for m in view.media):
        axes = ("x", "y", "z") if "volume" in kinds else ("x", "y")
        out += [Ask("extent_mm", call_text("extent_mm", {"axis": axis}), axis) for axis in axes]
    if is_clip(view):
        out += [Ask("frame_count", call_text("frame_count")), Ask("duration_s", call_text("duration_s"))]
    return out


def _of_masks(labels: list[str], volume: bool) -> Iterator[Ask]:
    for name in labels:
        for family in _OF_A_VOLUME if volume else ("box",):
            if family == "count" and is_organ(structure_words(name)):
                continue  # an organ is one, and nobody counts its parts
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


def places(view: MediaView) -> Iterator[Ask]:
    """Where one structure lies from another along two axes at once: four answers, so only asked with options."""
    for a, b in itertools.permutations(sorted(told_apart(mask_labels(view))), 2):
        first, second = structure_words(a), structure_words(b)
        free = [along for along in ALONG if along != "left-right" or not _SIDED.search(f"{first} {second}")]
        for pair in itertools.combinations(free, 2):
            yield Ask("place", call_text("relation", {"a": a, "b": b, "along": "+".join(pair)}), first, second)


def _of_points(names: tuple[str, ...]) -> Iterator[Ask]:
    """Distances and angles of points that follow each other in their file, and that have names of their own."""
    named = [name for name in names if not _NUMBERED.fullmatch(name)][:_MOST_POINTS]
    for family, letters in (("distance_mm", "pq"), ("angle_deg", "pqr"), ("angle_between_lines_deg", "pqrs")):
        for at in range(len(named) - len(letters) + 1):
            chosen = named[at : at + len(letters)]
            yield Ask(family, call_text(family, dict(zip(letters, chosen, strict=True))), *chosen)


def askable(view: MediaView, asked: Sequence[Ask], spacing_known: bool) -> list[Ask]:
    """The questions without those in mm or mL where nobody can know how large a voxel of what is shown is."""
    return [ask for ask in asked if spacing_known or ask.family not in SIZED]


def in_turns(asked: Sequence[Ask], seed: int, key: str) -> list[Ask]:
    """Families take turns; inside a family, and among the families, the order is a seeded hash."""
    by_hash = sorted(asked, key=lambda ask: (seeded(seed, key, ask.call), ask.call))
    nth: dict[str, int] = {}
    ranked = []
    for ask in by_hash:
        nth[ask.family] = nth.get(ask.family, 0) + 1
        ranked.append((nth[ask.family], seeded(seed, key, ask.family), ask.family, ask))
    return [ask for *_, ask in sorted(ranked, key=lambda item: item[:3])]


def decide(ask: Ask, view: MediaView, min_offset_mm: float, turn: int) -> Proof | None:
    """The proof of a question's answer, or None where what is shown does not decide it (an empty mask, a tie, two
    centroids nearer than `min_offset_mm`, ...)."""
    try:
        args = dict(parse_call(ask.call).args)
        if any(m.slices is not None for m in view.media if m.kind != "mask"):
            for name in (args[key] for key in ("mask", "a", "b", "midline") if key in args):
                slices_of(view, name)
        if not decided(view, ask.call) or _offset(ask, view, args) < min_offset_mm:
            return None
        if not _one_or_countable(ask.family, view, args):
            return None
        if ask.family == "area_mm2":
            whole_structure(view, args["mask"], args["member"])
        proof = prove(ask.call, view, turn)
        low, high = area_asks.BETWEEN.get(ask.family, (0.0, 0.0))
        if high and not low <= float(proof.value) <= high:
            return None
        return None if ask.family in SIZED and _NOTHING.search(proof.value) else proof
    except VerificationError:
        return None


def _one_or_countable(family: str, view: MediaView, args: Mapping[str, str]) -> bool:
    """Whether the masks of a question about one thing mark one each, and what is to be counted is clearly apart."""
    if family == "count":
        return bool(objects(view, args["mask"])) or apart(structure(view, args["mask"])[1], _FEWEST)
    named = (args[key] for key in ("mask", "a", "b", "midline") if key in args)
    return family not in _OF_ONE or all(is_one(view, name) for name in named)


def _offset(ask: Ask, view: MediaView, args: Mapping[str, str]) -> float:
    """How far apart in mm the centroids are along the axis, or the nearest of the axes, that a question is about."""
    if ask.family == "side_of":
        names, along = (args["mask"], args["midline"]), "left-right"
    elif ask.family == "is_left_of" or "along" in args:
        names, along = (args["a"], args["b"]), args.get("along", "left-right")
    else:
        return float("inf")
    a, b = (centroid_ras(view, name) for name in names)
    return min(abs(a[axis] - b[axis]) for axis in (ALONG[one][0] for one in along.split("+")))


def terms(ask: Ask, view: MediaView, seed: int, key: str) -> str:
    """What a question needs besides its wording: which structures are compared, and how chosen slices are counted."""
    if ask.family in ("largest", "covers_most"):
        among = dict(parse_call(ask.call).args).get("among", "")
        names = [structure_words(name) for name in (among.split("|") if among else mask_labels(view))]
        return f"Segmented are the {joined(shuffled(names, seed, key, ask.call))}."
    if ask.family == "regions":
        return area_asks.LEAST_WORDS
    if ask.family == "count":
        return OUTLINED if objects(view, dict(parse_call(ask.call).args)["mask"]) else TOUCHING
    chosen = any(m.slices not in (None, tuple(range(len(m.slices or ())))) for m in view.media if m.kind != "mask")
    return "The slices that are shown count from 0." if chosen and ask.family in ("slice_range", "box") else ""


def rewarding(ask: Ask, proof: Proof, seed: int, key: str) -> bool:
    """Whether a right answer shows that the media were looked at, so that it may earn a reward.

    Not where anatomy alone tells it: how organs lie to each other, and which of them is the largest in a picture (a
    lesion, a device or a landmark is no organ). Nor where the question does: how far an image reaches is its spacing
    times 256 or 512; nor of a count above 30. That a structure is in one piece, which nearly all are, is asked less: of
    one record in four.
    """
    if ask.family == "extent_mm" or (ask.family in _POSITIONS and is_organ(ask.a) and is_organ(ask.b)):
        return False
    if ask.family == "covers_most":
        return not all(is_organ(structure_words(one)) for one in dict(parse_call(ask.call).args)["among"].split("|"))
    if ask.family == "count" and int(proof.value) > _COUNTABLE:
        return False
    single = ask.family in ("count", "regions") and proof.value == "1"
    return not single or seeded(seed, key, ask.call, "single") % _KEPT_SINGLE == 0
