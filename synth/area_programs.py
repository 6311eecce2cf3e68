"""The programs that measure structures in one picture: shares, diameters in its plane, distances, ratios, regions.

`synth.proofs` lists them with what they return. `member` is the picture's name in the sample. A structure is the pixels
that show it (`synth.pictures.inside`), so crop, shrinking and stretching of the picture are followed, and millimetres
come from the shown picture's own spacing, which differs along y and x where it was stretched. Lengths are between pixel
centres, as those of `synth.shapes`. A structure of less than 64 shown pixels is not measured, and one that reaches the
picture's border has no size of its own: only the share of the picture, the number of regions and which structure
covers the most of it are said of such. Diameters, and a count, are of compact structures: one that fills less than
three quarters of its convex hull, such as vessels or a myocardium, has no long axis that anybody would measure. Not
covered: partial volume, structures that a sector or a mask of the scanner cuts inside of the picture, magnification.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from manifests.errors import VerificationError
from synth import shapes
from synth.calls import format_number, format_size
from synth.pictures import bounds, inside, objects_inside, picture
from synth.shapes import Array, Bools, Part
from synth.views import MediaView, Result, mask_labels, objects

FEWEST = 64  # shown pixels of a structure, below which its outline is too coarse to be measured
COMPACT = 0.75  # the share of its convex hull that a structure fills at least
CLEARLY = 1.1  # by which the area of the one that covers most exceeds the next
EXTENTS: Mapping[str, int] = {"horizontal": 0, "vertical": 1}
_EDGE = 1  # pixels from the picture's border within which a structure reaches it
_NEAR = 0.005  # of the picture's longer side: regions that are nearer to each other are not told apart
_UNSURE = 2.0  # a region by so much smaller or larger than the least that counts may be seen either way


def shown_structure(view: MediaView, names: str, member: str) -> tuple[Bools, Part]:
    """(y, x) which pixels show a structure, or any of several joined by `|`, and the same cropped."""
    found: list[Bools] = [inside(view, name, member) for name in names.split("|")]
    hits: Bools = np.logical_or.reduce(found) if len(found) > 1 else found[0]
    part = shapes.cropped(hits)
    if part is None or part.voxels < FEWEST:
        raise VerificationError(f"{names!r} covers less than {FEWEST} pixels of the picture")
    return hits, part


def whole_structure(view: MediaView, names: str, member: str) -> tuple[Bools, Part]:
    """The same of what does not reach the picture's border."""
    hits, part = shown_structure(view, names, member)
    if any(a <= _EDGE or b >= n - _EDGE for a, b, n in zip(part.start, part.stop, hits.shape, strict=True)):
        raise VerificationError(f"{names!r} reaches the border of the picture, so its whole size is not known")
    return hits, part


def filled(part: Part) -> float:
    """The share of the convex hull of its pixels that a flat structure fills, 0 to 1.

    The hull of whole pixels is that of their centres, wider by half a pixel on each side: its area is that of the
    centres' hull, and one row, one column and one pixel of its box.
    """
    corners = shapes.corners_of(part)
    height, width = part.inside.shape
    doubled = 0
    for (y0, x0), (y1, x1) in zip(corners.tolist(), np.roll(corners, -1, axis=0).tolist(), strict=True):
        doubled += x0 * y1 - x1 * y0
    return float(part.voxels / (abs(doubled) / 2 + (height - 1) + (width - 1) + 1))


def _spacing(view: MediaView, member: str) -> tuple[float, float]:
    spacing = picture(view, member).spacing_mm
    if spacing is None or len(spacing) != 2:
        raise VerificationError(f"picture {member[:40]!r} has no spacing, so nothing in it has a size")
    return spacing[0], spacing[1]


def share_pct(view: MediaView, args: Mapping[str, str]) -> Result:
    hits, part = shown_structure(view, args["mask"], args["member"])
    return Result(format_number(100 * part.voxels / hits.size, 1), "%")


# --- lengths ---------------------------------------------------------------------------------------------------------


def _diameters(view: MediaView, name: str, member: str) -> tuple[float, float]:
    """The longest diameter of a structure in mm, and the longest chord of its hull at a right angle to it."""
    y, x = _spacing(view, member)
    _, part = whole_structure(view, name, member)
    if objects(view, name) or shapes.components(part) != 1:
        raise VerificationError(f"{name!r} is not in one piece in the picture, so it has no one diameter")
    if filled(part) < COMPACT:
        raise VerificationError(f"{name!r} is not compact, so its diameters say nothing")
    plane = Part((0, *part.start), part.inside[np.newaxis])
    return shapes.long_and_short(plane, ((0.0, 0.0, 1.0), (0.0, y, 0.0), (x, 0.0, 0.0)))


def long_diameter_mm(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(format_size(_diameters(view, args["mask"], args["member"])[0], 1), "mm")


def diameters_mm(view: MediaView, args: Mapping[str, str]) -> Result:
    long, short = _diameters(view, args["mask"], args["member"])
    return Result(f"{format_size(long, 1)} x {format_size(short, 1)}", "mm")


def centre_distance_mm(view: MediaView, args: Mapping[str, str]) -> Result:
    y, x = _spacing(view, args["member"])
    parts = [whole_structure(view, args[key], args["member"])[1] for key in ("a", "b")]
    (ya, xa), (yb, xb) = (shapes.centroid(part) for part in parts)
    for part, at in ((parts[1], (ya, xa)), (parts[0], (yb, xb))):
        if all(first <= place <= last - 1 for first, place, last in zip(part.start, at, part.stop, strict=True)):
            raise VerificationError(f"the centre of one of {args['a']!r} and {args['b']!r} lies within the other's box")
    return Result(format_size(math.sqrt(((ya - yb) * y) ** 2 + ((xa - xb) * x) ** 2), 1), "mm")


# --- comparisons -----------------------------------------------------------------------------------------------------


def area_ratio(view: MediaView, args: Mapping[str, str]) -> Result:
    a, b = (whole_structure(view, args[key], args["member"])[1].voxels for key in ("a", "b"))
    return Result(format_number(a / b, 2), "")


def extent_ratio(view: MediaView, args: Mapping[str, str]) -> Result:
    if args["extent"] not in EXTENTS:
        raise VerificationError(f"there is no extent {args['extent'][:20]!r}; there are: {', '.join(EXTENTS)}")
    at = EXTENTS[args["extent"]]
    boxes = [bounds(whole_structure(view, args[key], args["member"])[0]) for key in ("a", "b")]
    a, b = (box[at + 2] - box[at] for box in boxes)
    return Result(format_number(a / b, 2), "")


def covers_most(view: MediaView, args: Mapping[str, str]) -> Result:
    names = tuple(dict.fromkeys(args["among"].split("|"))) if "among" in args else mask_labels(view)
    if len(names) < 2:
        raise VerificationError(f"the picture has {len(names)} structures to be compared; 2 are needed")
    sized = sorted(((shown_structure(view, name, args["member"])[1].voxels, name) for name in names), reverse=True)
    if sized[0][0] < CLEARLY * sized[1][0]:
        raise VerificationError(f"{sized[0][1]!r} and {sized[1][1]!r} are about equally large in the picture")
    return Result(sized[0][1], "")


# --- regions ---------------------------------------------------------------------------------------------------------


def regions(view: MediaView, args: Mapping[str, str]) -> Result:
    """How many connected regions cover `least` per cent of the picture each; refused where a region is near to that
    limit, two lie so near that a smaller picture joins them, or one is not compact. Objects that the source tells apart
    are the regions as they are: they may touch, and have any form."""
    from scipy import ndimage

    hits, part = shown_structure(view, args["mask"], args["member"])
    least = _percent(args["least"]) * hits.size / 100
    if told := objects_inside(view, args["mask"], args["member"]):
        return _counted(args["mask"], np.array([int(one.sum()) for one in told]), least)
    labels, count = ndimage.label(part.inside, structure=np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    counted = _counted(args["mask"], sizes, least)
    kept = [n + 1 for n, size in enumerate(sizes.tolist()) if size >= least]
    if any(filled(_part_of(labels == n)) < COMPACT for n in kept):
        raise VerificationError(f"{args['mask']!r} has a region that is not compact, so counting them says nothing")
    if len(kept) > 1 and _joined(np.isin(labels, kept), max(hits.shape)) < len(kept):
        raise VerificationError(f"{args['mask']!r} has regions too near to each other to be told apart")
    return counted


def _counted(name: str, sizes: Array, least: float) -> Result:
    """How many regions of these sizes count."""
    if bool(((sizes > least / _UNSURE) & (sizes < least * _UNSURE)).any()):
        raise VerificationError(f"{name!r} has a region about as small as the least that counts")
    if not bool((sizes >= least).any()):
        raise VerificationError(f"{name!r} has no region as large as the least that counts")
    return Result(str(int((sizes >= least).sum())), "")


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 100:
        raise VerificationError(f"{text[:20]!r} is not a percentage of the picture")
    return value


def _part_of(hits: Bools) -> Part:
    part = shapes.cropped(hits)
    if part is None:
        raise VerificationError("a region without pixels")
    return part


def _joined(hits: Bools, side: int) -> int:
    """How many regions are left when all that are near to each other are joined."""
    from scipy import ndimage

    reach = max(1, round(_NEAR * side))
    padded = np.pad(hits.astype(np.uint8), reach)
    grown: Array = ndimage.maximum_filter(padded, size=2 * reach + 1)
    return int(ndimage.label(grown, structure=np.ones((3, 3)))[1])
