"""What of a record can be seen in what is shown: questions are asked, and teachers are told, of nothing else.

Render targets crop, resample and pick slices, while masks and facts stay those of the canonical volume. A structure is
placed in the shown grid by the outer faces of its box, mapped through both affines; for grids that are turned against
each other by less than a right angle that box is larger than the structure, so that it is rather called cut than whole.
Not covered: whether a structure is too faint or too small to be told from its surroundings.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from manifests.errors import VerificationError
from manifests.record import Affine, Fact, Media, Record
from synth.grids import Point, determinant, world
from synth.mask_programs import compared, grid_plane, slices_of
from synth.proofs import parse_call
from synth.shapes import Part
from synth.views import MediaView, mask_labels, shown_grid, structure

Sight = Literal["whole", "part", "none"]
Sampling = Literal["all", "even", "some"]
SLACK = 1.0  # shown voxels by which a structure may leave the field: grids of whole voxels do not end where bodies do
UNEVEN = 2.0  # the longest time between shown frames by the shortest, of a sampling by rate
SHORT = 0.05  # the share of its duration by which the shown frames of a clip may miss it
CUTS = 4  # slices out of evenly spread ones that must cut a structure before its volume can be estimated from them
_WHOLE = frozenset(("longest_axis_mm", "recist_mm", "perpendicular_axis_mm", "size_mm", "count", "area_px", "area_mm2"))
_PAIRED = frozenset(("is_left_of", "relation", "side_of"))
_CANONICAL = frozenset(("slice_range", "box", "area_px"))  # facts in canonical voxels
_FRAMED = re.compile(r"(?:ct_clip|merlin)_|grid_\S*mm_\d+x")  # targets that crop or pad to a size about the middle
_COUNTED = frozenset(("slice_count", "frame_count"))
_EVEN = 0.02  # the relative difference of two scales below which rounding to whole pixels explains it


def sampling(view: MediaView) -> Sampling:
    """Which slices of its grid are shown: all between the first and the last, every so many, or some."""
    slices = [z for m in view.media if m.kind != "mask" and m.slices is not None for z in m.slices]
    gaps = {b - a for a, b in itertools.pairwise(slices)}
    if not gaps or max(gaps) <= 1:
        return "all"
    return "even" if max(gaps) - min(gaps) <= 1 else "some"


def sight(view: MediaView, name: str) -> Sight:
    """How much of a structure lies in the field that is shown, where affines tell it; else all of it.

    "none" also where it slips between the shown slices, "part" also where its own mask was cropped through it. Raises
    `VerificationError` for a mask that is empty.
    """
    media, part = structure(view, name)
    if framed(media) and any(a == 0 or b == n for a, b, n in zip(part.start, part.stop, media.shape, strict=True)):
        return "part"
    if part.inside.ndim == 2:
        return _sight_in_picture(view, part)
    try:
        grid = shown_grid(view)
    except VerificationError:
        return "whole"
    if media.affine is None:
        return "whole"
    corners = itertools.product(*((a - 0.5, b - 0.5) for a, b in zip(part.start, part.stop, strict=True)))
    places = [place_in(grid.affine, world(media.affine, (x, y, z))) for z, y, x in corners]
    whole = True
    for axis, size in enumerate(grid.size):
        low, high = min(p[axis] for p in places), max(p[axis] for p in places)
        shown = grid.slices if axis == 2 else range(size)
        if not any(low <= index <= high for index in shown):
            return "none"
        margin = SLACK + _apart(shown) / 2
        whole = whole and low >= min(shown) - margin and high <= max(shown) + margin
    return "whole" if whole else "part"


def _sight_in_picture(view: MediaView, part: Part) -> Sight:
    """How much of a flat structure the first picture shows, which may have been cropped."""
    crop = next((m.crop for m in view.media if m.kind == "image"), None)
    if crop is None:
        return "whole"
    (y0, x0), (y1, x1) = part.start, part.stop
    top, left, bottom, right = crop
    if y1 <= top or x1 <= left or y0 >= bottom or x0 >= right:
        return "none"
    return "whole" if top <= y0 and left <= x0 and y1 <= bottom and x1 <= right else "part"


def _apart(shown: Sequence[int]) -> int:
    """How far shown planes are from each other, at least: what lies between two of them is shown by both."""
    return max(1, min((b - a for a, b in itertools.pairwise(shown)), default=1))


def framed(media: Media) -> bool:
    """Whether a medium was cropped or padded to a size, so that its edges are not those of the scan."""
    return _FRAMED.match(media.target) is not None


def place_in(affine: Affine, point: Point) -> Point:
    """The voxel indices (x, y, z) of a point in RAS+ mm, by Cramer's rule. Raises `VerificationError`: singular."""
    rows = [list(row[:3]) for row in affine[:3]]
    moved = [point[row] - affine[row][3] for row in range(3)]
    volume = determinant(rows)
    if volume == 0:
        raise VerificationError("an affine of the sample is singular")
    x, y, z = (
        determinant([[moved[r] if column == k else rows[r][column] for column in range(3)] for r in range(3)]) / volume
        for k in range(3)
    )
    return x, y, z


def measurable(view: MediaView, family: str, names: tuple[str, ...]) -> bool:
    """Whether what is shown decides a question of a family (a program's name) about these structures.

    Sizes and counts need the whole structure on every slice; a volume, and which is the largest, also evenly spread
    slices of which at least 4 cut it; sides and directions the whole structures, or all that chosen slices show of
    them; places and intensities any part. Raises `VerificationError` for a mask that is empty.
    """
    sights = [sight(view, name) for name in names]
    if "none" in sights:
        return False
    picked = sampling(view)
    if family in _PAIRED:
        return picked != "all" or sights == ["whole"] * len(names)
    if family in _WHOLE:
        return picked == "all" and "part" not in sights
    if family in ("volume_ml", "largest"):
        return "part" not in sights and (picked == "all" or (picked == "even" and _often_cut(view, names)))
    return True


def _often_cut(view: MediaView, names: tuple[str, ...]) -> bool:
    spans = [slices_of(view, name) for name in names]
    return all(last - first + 1 >= CUTS for first, last in spans)


def decided(view: MediaView, call: str) -> bool:
    """`measurable` for a call; of landmarks, whether each lies on a slice that is shown; of a clip's duration, whether
    the shown frames span the clip. Raises as `measurable`."""
    parsed = parse_call(call)
    args: Mapping[str, str] = dict(parsed.args)
    if parsed.name == "duration_s":
        return _spans_clip(view)
    if parsed.name == "largest":
        return measurable(view, "largest", compared(view, args))
    if any(key in args for key in "pqrs"):
        turned = "r" in args and _stretched(view)
        return not turned and all(_point_seen(view, args[key]) for key in "pqrs" if key in args)
    if parsed.name == "covers_most":
        return measurable(view, "covers_most", compared(view, args))
    named = (args[key].split("|") for key in ("mask", "a", "b", "midline") if key in args)
    return measurable(view, parsed.name, tuple(name for names in named for name in names))


def _stretched(view: MediaView) -> bool:
    """Whether a picture was stretched, and no spacing says by how much: angles in it are not those of the body."""
    scales = [m.scale for m in view.media if m.kind == "image" and m.spacing_mm is None and m.scale is not None]
    return any(abs(y - x) > _EVEN * x for y, x in scales)


def _point_seen(view: MediaView, name: str) -> bool:
    """Whether a landmark lies in the shown field; True where that is not known, as in 2D."""
    values = [f.value.split(",") for f in view.facts if f.name == "landmark" and f.about == name]
    try:
        grid = shown_grid(view)
        x, y, z = (float(v) for v in values[0])
    except (VerificationError, ValueError, IndexError):
        return True
    place = place_in(grid.affine, (x, y, z))
    inside = all(-0.5 <= place[axis] <= grid.size[axis] - 0.5 for axis in (0, 1))
    return inside and any(abs(place[2] - index) <= 0.5 for index in grid.slices)


def _spans_clip(view: MediaView) -> bool:
    """Whether the shown frames are evenly spaced and last as long as the clip that they are of, where that is known:
    keyframes and the middles of shots do not, nor do few frames of a short clip."""
    times = next((m.times_s for m in view.media if m.kind == "video"), None) or ()
    gaps = [b - a for a, b in itertools.pairwise(times)]
    if not gaps or max(gaps) > UNEVEN * min(gaps):
        return False
    shown = times[-1] - times[0] + (times[-1] - times[0]) / len(gaps)
    stated = {f.value for f in view.facts if f.name == "duration_s" and not f.about}
    try:
        return all(abs(shown - float(value)) <= SHORT * shown for value in stated)
    except ValueError:
        return False


def is_clip(view: MediaView) -> bool:
    """Whether a video is shown that is one: the frames of a volume shown as a clip last no time."""
    return any(m.kind == "video" and m.affine is None for m in view.media)


def plane_shown(view: MediaView) -> str:
    """The plane of the slices that are shown; "" where no affine tells it."""
    grids = {m.affine: m.member for m in view.media if m.kind in ("volume", "video") and m.affine is not None}
    if len(grids) != 1:
        return ""
    ((affine, member),) = grids.items()
    return grid_plane(affine, member) if affine is not None else ""


def as_shown(record: Record, view: MediaView) -> Record:
    """The record with those of its facts that hold for what is shown: for what a teacher is told, and judged by.

    Left out: places in canonical voxels, counts of slices or frames that are not the shown ones, another plane than
    the shown one, and structures that are not, or not wholly, shown.
    """
    shown = [m for m in view.media if m.kind != "mask"]
    if not shown or all(m.target == "canonical" and m.slices is None for m in shown):
        return record
    sights: dict[str, Sight] = {}
    for name in mask_labels(view):
        try:
            sights[name] = sight(view, name)
        except VerificationError:
            sights[name] = "none"
    kept = tuple(f for f in record.facts if _holds(f, view, shown[0], sights))
    return dataclasses.replace(record, facts=kept)


def _holds(fact: Fact, view: MediaView, shown: Media, sights: Mapping[str, Sight]) -> bool:
    if fact.name in _CANONICAL:
        return False
    if fact.name in _COUNTED:
        return fact.value == str(shown.shape[0])
    if fact.name == "plane":
        return plane_shown(view) in ("", fact.value.lower())
    if fact.origin.startswith("mask:") and fact.about in sights:
        return sights[fact.about] == "whole" or (fact.name == "structure" and sights[fact.about] == "part")
    return True
