"""The programs that look at masks: sizes, places, sides and intensities of segmented structures.

`synth.proofs` lists them with what they return and what they do not cover; each is a pure function of a view and the
arguments of its call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from manifests.errors import VerificationError
from manifests.record import Affine, Media
from synth import shapes
from synth.calls import format_number, format_size
from synth.grids import Along, Point, along_axes, determinant, shown_planes, shown_span, world
from synth.shapes import Array, Part
from synth.views import MediaView, Result, affine_of, load, mask_labels, objects, shown_grid, steps, structure

ALONG: Mapping[str, tuple[int, str, str]] = {
    "left-right": (0, "left", "right"),
    "front-back": (1, "posterior", "anterior"),
    "head-feet": (2, "inferior", "superior"),
}  # axis of RAS+, what a smaller and what a larger coordinate means
STATISTICS = ("sd", "median", "p5", "p95", "min", "max")
CROSSING = 0.05  # the share of a structure that may lie beyond the midline before its side is not said
HU_LIMIT = 1 << 17
_AXIAL_COSINE = 0.8


def grid_plane(affine: Affine, member: str) -> str:
    """axial, coronal or sagittal: the plane of the slices of array axis 0; oblique beyond 37 degrees."""
    (a, b, c), (d, e, f) = (tuple(row[k] for row in affine[:3]) for k in (0, 1))
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    length = math.sqrt(sum(v * v for v in normal))
    if length == 0:
        raise VerificationError(f"member {member} has a singular affine")
    cosines = [abs(v) / length for v in normal]
    at = max(range(3), key=cosines.__getitem__)
    return ("sagittal", "coronal", "axial")[at] if cosines[at] >= _AXIAL_COSINE else "oblique"


def voxels_ml(media: Media, part: Part, name: str) -> float:
    """The volume in mL of a structure: voxels x |det(affine)|, or x spacing."""
    if part.inside.ndim != 3:
        raise VerificationError(f"mask {name!r} has {part.inside.ndim} dimensions; a volume needs 3")
    return part.voxels * abs(determinant(steps(media))) / 1000.0


def centroid_ras(view: MediaView, name: str) -> Point:
    """The centroid of a mask in RAS+ millimetres; raises `VerificationError` without an affine."""
    media, part = structure(view, name)
    affine = affine_of(media, name)
    z, y, x = shapes.centroid(part)
    return world(affine, (x, y, z))


def _coordinates(numbers: tuple[float, ...]) -> str:
    return ",".join(format_number(n, 1) for n in numbers)


def _sides(lengths: tuple[float, ...]) -> str:
    return " x ".join(format_size(n, 1) for n in lengths)


# --- sizes -----------------------------------------------------------------------------------------------------------


def volume_ml(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(format_size(voxels_ml(*structure(view, args["mask"]), args["mask"]), 2), "mL")


def longest_axis_mm(view: MediaView, args: Mapping[str, str]) -> Result:
    media, part = structure(view, args["mask"])
    return Result(format_size(shapes.longest_axis(part, steps(media)), 1), "mm")


def _long_and_short(view: MediaView, name: str) -> tuple[float, float]:
    media, part = structure(view, name)
    if part.inside.ndim != 3:
        raise VerificationError(f"mask {name!r} has {part.inside.ndim} dimensions; axial slices need 3")
    plane = grid_plane(affine_of(media, name), media.member)
    if plane != "axial":
        raise VerificationError(f"the slices of mask {name!r} are {plane}; long and short axis are of axial slices")
    return shapes.long_and_short(part, steps(media))


def recist_mm(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(_sides(_long_and_short(view, args["mask"])), "mm")


def perpendicular_axis_mm(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(format_size(_long_and_short(view, args["mask"])[1], 1), "mm")


def _bounds(view: MediaView, name: str) -> tuple[Point, Point]:
    """The least and the largest RAS+ coordinates of the structure's voxels, outer faces included."""
    media, part = structure(view, name)
    affine = affine_of(media, name)
    corners = [world(affine, (float(x), float(y), float(z))) for z, y, x in shapes.corners_of(part).tolist()]
    half = [sum(abs(v) for v in row[:3]) / 2 for row in affine[:3]]
    low = tuple(min(c[k] for c in corners) - half[k] for k in range(3))
    high = tuple(max(c[k] for c in corners) + half[k] for k in range(3))
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])


def box_mm(view: MediaView, args: Mapping[str, str]) -> Result:
    low, high = _bounds(view, args["mask"])
    return Result(_coordinates((*low, *high)), "mm")


def size_mm(view: MediaView, args: Mapping[str, str]) -> Result:
    low, high = _bounds(view, args["mask"])
    return Result(_sides(tuple(b - a for a, b in zip(low, high, strict=True))), "mm")


def centroid_mm(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(_coordinates(centroid_ras(view, args["mask"])), "mm")


def count(view: MediaView, args: Mapping[str, str]) -> Result:
    apart = objects(view, args["mask"])
    return Result(str(len(apart) or shapes.components(structure(view, args["mask"])[1])), "")


def compared(view: MediaView, args: Mapping[str, str]) -> tuple[str, ...]:
    """The masks among which the largest is sought: those that `among` names, joined by `|`, else all."""
    return tuple(dict.fromkeys(args["among"].split("|"))) if "among" in args else mask_labels(view)


def _at_the_end(view: MediaView, labels: tuple[str, ...], word: str, last: bool) -> Result:
    """The label at one end of the masks' volumes in order."""
    if len(labels) < 2:
        raise VerificationError(f"the sample has {len(labels)} masks; the {word} of them needs 2")
    sized = sorted(((voxels_ml(*structure(view, label), label), label) for label in labels), reverse=last)
    if sized[0][0] == sized[1][0]:
        raise VerificationError(f"masks {sized[0][1]!r} and {sized[1][1]!r} are equally large")
    return Result(sized[0][1], "")


def largest(view: MediaView, args: Mapping[str, str]) -> Result:
    return _at_the_end(view, compared(view, args), "largest", last=True)


def smallest(view: MediaView, args: Mapping[str, str]) -> Result:
    return _at_the_end(view, mask_labels(view), "smallest", last=False)


def label_count(view: MediaView, args: Mapping[str, str]) -> Result:
    labels = mask_labels(view)
    if not labels:
        raise VerificationError("the sample has no masks to be counted")
    return Result(str(sum(1 for label in labels if structure(view, label)[1].voxels)), "")


# --- places in what is shown -----------------------------------------------------------------------------------------


def slices_of(view: MediaView, name: str) -> tuple[int, int]:
    """The first and the last of the shown slices, counted from 0, that cut the structure."""
    media, part = structure(view, name)
    if part.inside.ndim != 3:
        raise VerificationError(f"mask {name!r} has {part.inside.ndim} dimensions; slices need 3")
    if _same_grid(view, media):
        return part.start[0], part.stop[0] - 1
    grid = shown_grid(view)
    (along,) = along_axes(grid.affine, grid.size, affine_of(media, name), (2,))
    holds = [bool(plane.any()) for plane in part.inside]
    found = shown_planes(along, grid.slices, holds, part.start[0])
    if not found:
        raise VerificationError(f"mask {name!r} is on none of the {len(grid.slices)} slices that are shown")
    return found[0], found[-1]


def _same_grid(view: MediaView, media: Media) -> bool:
    """Whether all that is shown is the mask's own grid, whole; it need then not have an affine."""
    shown = [m for m in view.media if m.kind != "mask"]
    same = all((m.shape, m.affine, m.slices) == (media.shape, media.affine, None) for m in shown)
    return len(shown) > 0 and same and all(m.kind == "volume" for m in shown)


def slice_range(view: MediaView, args: Mapping[str, str]) -> Result:
    first, last = slices_of(view, args["mask"])
    return Result(f"{first}-{last}", "")


def box(view: MediaView, args: Mapping[str, str]) -> Result:
    name = args["mask"]
    media, part = structure(view, name)
    if part.inside.ndim == 2:
        spans = _spans_2d(view, media, part, name)
    elif _same_grid(view, media):
        spans = [(part.start[k], part.stop[k]) for k in (2, 1, 0)]
    else:
        grid = shown_grid(view)
        along = along_axes(grid.affine, grid.size, affine_of(media, name), (0, 1))
        where = [(part.start[k], part.stop[k] - 1) for k in (2, 1)]
        spans = [shown_span(a, *w, grid.size[k]) for k, (a, w) in enumerate(zip(along, where, strict=True))]
        first, last = slices_of(view, name)
        spans.append((first, last + 1))
    return Result(",".join(str(span[end]) for end in (0, 1) for span in spans), "")


def _spans_2d(view: MediaView, media: Media, part: Part, name: str) -> list[tuple[int, int]]:
    """(x, y) spans in the shown image, which is the mask's grid, a part of it (`Media.crop`), or either evenly shrunk;
    what lies outside of that part is cut off."""
    images = [m for m in view.media if m.kind == "image"]
    if len(images) != 1:
        raise VerificationError(f"the sample has {len(images)} images; a box of a 2D mask needs one")
    shown, whole = images[0].shape[:2], media.shape
    top, left, bottom, right = images[0].crop or (0, 0, *whole)
    grid, corner = (bottom - top, right - left), (top, left)
    if min(top, left, *grid) < 0 or 0 in grid or bottom > whole[0] or right > whole[1]:
        raise VerificationError(f"the image is cropped beyond mask {name!r} of shape {whole}")
    ratios = [s / g for s, g in zip(shown, grid, strict=True)]
    if any(abs(grid[k] * ratios[1 - k] - shown[k]) > 1 for k in (0, 1)):
        raise VerificationError(f"mask {name!r} of shape {grid} and the image of shape {shown} are not alike")
    spans = []
    for k in (1, 0):
        first, last = max(part.start[k] - corner[k], 0), min(part.stop[k] - corner[k], grid[k]) - 1
        if first > last:
            raise VerificationError(f"the image is cropped, and mask {name!r} lies outside of it")
        along = Along(1 / ratios[k], 0.5 / ratios[k] - 0.5)
        spans.append(shown_span(along, first, last, shown[k]))
    return spans


# --- places in the patient -------------------------------------------------------------------------------------------


def is_left_of(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result("yes" if centroid_ras(view, args["a"])[0] < centroid_ras(view, args["b"])[0] else "no", "")


def relation(view: MediaView, args: Mapping[str, str]) -> Result:
    directions = args["along"].split("+")
    if not set(directions) <= ALONG.keys() or len(set(directions)) != len(directions):
        raise VerificationError(f"there is no direction {args['along'][:20]!r}; there are: {', '.join(ALONG)}")
    a, b = centroid_ras(view, args["a"]), centroid_ras(view, args["b"])
    found = []
    for axis, below, above in (ALONG[one] for one in directions):
        if a[axis] == b[axis]:
            raise VerificationError(f"masks {args['a']!r} and {args['b']!r} are level along {args['along']}")
        found.append(below if a[axis] < b[axis] else above)
    return Result(" and ".join(found), "")


def _between(view: MediaView, a: str, b: str) -> float:
    p, q = centroid_ras(view, a), centroid_ras(view, b)
    return math.sqrt(sum((y - x) ** 2 for x, y in zip(p, q, strict=True)))


def centroid_distance_mm(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(format_size(_between(view, args["a"], args["b"]), 1), "mm")


def nearest(view: MediaView, args: Mapping[str, str]) -> Result:
    others = [label for label in mask_labels(view) if label != args["mask"]]
    if len(others) < 2:
        raise VerificationError(f"the sample has {len(others)} other masks; the nearest of them needs 2")
    ranked = sorted((_between(view, args["mask"], label), label) for label in others)
    if format_size(ranked[0][0], 1) == format_size(ranked[1][0], 1):
        raise VerificationError(f"masks {ranked[0][1]!r} and {ranked[1][1]!r} are equally near to {args['mask']!r}")
    return Result(ranked[0][1], "")


def side_of(view: MediaView, args: Mapping[str, str]) -> Result:
    media, part = structure(view, args["mask"])
    share = shapes.share_below(part, affine_of(media, args["mask"])[0], centroid_ras(view, args["midline"])[0])
    if CROSSING < share < 1 - CROSSING:
        raise VerificationError(f"mask {args['mask']!r} lies on both sides of {args['midline']!r}")
    return Result("left" if share >= 1 - CROSSING else "right", "")


# --- intensities -----------------------------------------------------------------------------------------------------


def _inside(view: MediaView, name: str, units: str) -> Array:
    """The values inside a mask of the image or volume on the mask's own grid."""
    media, part = structure(view, name)
    wanted = [m for m in view.media if m.kind in ("image", "volume") and (not units or m.units == units)]
    if not wanted:
        raise VerificationError(f"no image or volume{f' in {units}' if units else ''} travels with the sample")
    same = [m for m in wanted if (m.shape, m.affine, m.slices) == (media.shape, media.affine, None)]
    if not same:
        raise VerificationError(f"mask {name!r} is on another grid than the image: {media.shape} and {wanted[0].shape}")
    return load(view, same[0])[part.where][part.inside]


def mean_hu(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(format_number(shapes.mean(_inside(view, args["mask"], "HU")), 1), "HU")


def mean_intensity(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(format_number(shapes.mean(_inside(view, args["mask"], "")), 2), "")


def hu(view: MediaView, args: Mapping[str, str]) -> Result:
    name = args["statistic"]
    if name not in STATISTICS:
        raise VerificationError(f"there is no statistic {name[:20]!r}; there are: {', '.join(STATISTICS)}")
    values = _inside(view, args["mask"], "HU")
    if not bool((np.abs(values.astype(np.float64)) < HU_LIMIT).all()):
        raise VerificationError(f"mask {args['mask']!r} holds values that are no HU")
    return Result(format_number(_statistic(values, name), 1), "HU")


def _statistic(values: Array, name: str) -> float:
    if name == "sd":
        return shapes.deviation(values)
    if name == "median":
        return shapes.median(values)
    if name in ("min", "max"):
        return float(values.min() if name == "min" else values.max())
    return shapes.percentile(values, int(name[1:]))
