"""The programs that answers carry: a closed set of pure functions of a sample's own media and facts.

A proof is one call, e.g. `volume_ml(mask=liver)`. `evaluate` computes it from a `MediaView`, which is made from the
canonical arrays when a sample is written and from the shard when it is verified; both must give the same text.

    volume_ml(mask)        voxels x |det(affine)|, or x spacing                       mL, 2 decimals
    longest_axis_mm(mask)  largest distance between two voxel centres, in space       mm, 1 decimal
    slice_range(mask)      first and last slice along array axis 0, from 0: `12-45`
    count(mask)            connected parts; 26 neighbours in 3D, 8 in 2D
    largest()              the label with the largest volume among all masks
    is_left_of(a, b)       yes where a's centroid is further to the patient's left (RAS+: smaller x)
    mean_hu(mask)          mean inside the mask, of a volume in HU                    HU, 1 decimal
    mean_intensity(mask)   the same of any single-channel image or volume             2 decimals
    extent_mm(axis)        samples x spacing along array axis x, y or z               mm, 1 decimal
    plane()                axial, coronal or sagittal: the slices of array axis 0; oblique beyond 37 degrees
    frame_count()          frames of the video
    duration_s()           last minus first presentation time, and one mean interval  s, 2 decimals
    label(fact, [about])   the values of a fact of this sample, joined by `; `
    span(text)             the text itself, where it is verbatim (but for white space) in the source's text,
                           question or answer
    digest(field)          sha256 of the source's text, question or answer

A mask is every mask member with that label, together; inside is not 0. Numbers are plain decimals, rounded half to
even to the places above, so equal means equal text. Not covered: partial volumes, masks on another grid than the image
(`mean_*` then refuses), volumes of 2D masks. The affine maps voxel indices (x, y, z) to RAS+ millimetres.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from manifests.errors import VerificationError
from manifests.record import Fact, Media
from manifests.sample import Proof, Verdict
from synth.calls import Call, call_text, format_call, format_number, parse_call

__all__ = [
    "PROGRAMS",
    "Call",
    "MediaView",
    "Program",
    "Result",
    "call_text",
    "centroid_ras",
    "check",
    "evaluate",
    "format_call",
    "format_number",
    "mask_labels",
    "parse_call",
    "prove",
    "proven",
]

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]

_OBLIQUE_COSINE = 0.8


@dataclass(frozen=True, slots=True)
class MediaView:
    """What a proof may look at. `load` gives the array of a member name, in the shape that its `Media` says."""

    media: tuple[Media, ...]
    load: Callable[[str], Array]
    facts: tuple[Fact, ...] = ()
    text: str = ""
    question: str = ""
    answer: str = ""


class Result(NamedTuple):
    """What a program returns: text, and a pint unit or ""."""

    value: str
    unit: str


# --- looking at the media --------------------------------------------------------------------------------------------


def _load(view: MediaView, media: Media) -> Array:
    try:
        array = np.asarray(view.load(media.member))
    except (KeyError, OSError, EOFError, ValueError, zlib.error) as error:
        raise VerificationError(f"member {media.member} cannot be read ({type(error).__name__})") from error
    if array.shape != media.shape:
        raise VerificationError(f"member {media.member} has shape {array.shape}, its entry says {media.shape}")
    return array


def mask_labels(view: MediaView) -> tuple[str, ...]:
    """The labels of the masks that travel, each once, in order of first appearance."""
    return tuple(dict.fromkeys(m.label for m in view.media if m.kind == "mask" and m.label))


def _mask(view: MediaView, name: str) -> tuple[Media, Bools]:
    """The mask of a label: every member with that label, together; not empty."""
    entries = [m for m in view.media if m.kind == "mask" and m.label == name]
    if not entries:
        raise VerificationError(f"mask {name!r} is not in the sample; masks: {', '.join(mask_labels(view)) or 'none'}")
    if len({(m.shape, m.affine) for m in entries}) > 1:
        raise VerificationError(f"the masks labelled {name!r} stand on different grids")
    inside = np.logical_or.reduce([_load(view, m) != 0 for m in entries])
    if not inside.any():
        raise VerificationError(f"mask {name!r} is empty")
    return entries[0], inside


def _linear(media: Media) -> npt.NDArray[np.float64]:
    """The matrix from array indices (z, y, x) or (y, x) to millimetres, from the affine or else the spacing."""
    if media.affine is not None and len(media.shape) == 3:
        return np.asarray(media.affine, dtype=np.float64)[:3, :3][:, ::-1]
    if media.spacing_mm is not None and len(media.spacing_mm) == len(media.shape):
        return np.diag(np.asarray(media.spacing_mm, dtype=np.float64))
    raise VerificationError(f"member {media.member} has no affine and no spacing, so nothing in it has a size")


def _voxel_count_and_ml(view: MediaView, name: str) -> tuple[int, float]:
    media, inside = _mask(view, name)
    if inside.ndim != 3:
        raise VerificationError(f"mask {name!r} has {inside.ndim} dimensions; a volume needs 3")
    voxels = int(np.count_nonzero(inside))
    return voxels, voxels * abs(float(np.linalg.det(_linear(media)))) / 1000.0


def _outline(inside: Bools) -> npt.NDArray[np.int64]:
    """Indices that include every corner of the convex hull: the first and last voxel of each line along each axis."""
    keep = np.ones_like(inside)
    for axis in range(inside.ndim):
        forward = np.cumsum(inside, axis=axis, dtype=np.int32)
        last = forward.max(axis=axis, keepdims=True)
        keep &= inside & ((forward == 1) | (forward == last))
    return np.argwhere(keep)


def _crop(inside: Bools) -> Bools:
    spans = []
    for axis in range(inside.ndim):
        hits = np.flatnonzero(inside.any(axis=tuple(a for a in range(inside.ndim) if a != axis)))
        spans.append(slice(int(hits[0]), int(hits[-1]) + 1))
    return inside[tuple(spans)]


def _hull_corners(points: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The corners of the convex hull; a flat or straight set of points is first turned into its own plane or line.

    An affine map keeps hulls, so this works on indices and the distances are taken in millimetres afterwards.
    """
    from scipy.spatial import ConvexHull

    centred = (points - points[0]).astype(np.float64)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    rank = int(np.sum(sizes > 1e-9 * max(float(sizes[0]), 1.0))) if len(points) > 1 else 0
    if rank == 0:
        return points[:1]
    flat = centred @ axes[:rank].T
    if rank == 1:
        return points[[int(flat[:, 0].argmin()), int(flat[:, 0].argmax())]]
    return points[ConvexHull(centred if rank == points.shape[1] else flat).vertices]


def _diameter(view: MediaView, name: str) -> float:
    from scipy.spatial.distance import pdist

    media, inside = _mask(view, name)
    corners = _hull_corners(_outline(_crop(inside))) @ _linear(media).T
    return float(pdist(corners).max()) if len(corners) > 1 else 0.0


def centroid_ras(view: MediaView, name: str) -> tuple[float, float, float]:
    """The centroid of a mask in RAS+ millimetres; raises `VerificationError` without an affine."""
    media, inside = _mask(view, name)
    if media.affine is None or inside.ndim != 3:
        raise VerificationError(f"mask {name!r} has no affine, so left and right are not known")
    total = np.count_nonzero(inside)
    means = [
        float(np.count_nonzero(inside, axis=tuple(a for a in range(3) if a != axis)) @ np.arange(size)) / total
        for axis, size in enumerate(inside.shape)
    ]
    x, y, z = np.asarray(media.affine, dtype=np.float64)[:3] @ np.asarray([*means[::-1], 1.0])
    return float(x), float(y), float(z)


def _mean(view: MediaView, name: str, units: str) -> float:
    media, inside = _mask(view, name)
    wanted = [m for m in view.media if m.kind in ("image", "volume") and (not units or m.units == units)]
    if not wanted:
        raise VerificationError(f"no image or volume{f' in {units}' if units else ''} travels with the sample")
    same_grid = [m for m in wanted if m.shape == media.shape and m.affine == media.affine]
    if not same_grid:
        raise VerificationError(f"mask {name!r} is on another grid than the image: {media.shape} and {wanted[0].shape}")
    values = _load(view, same_grid[0])[inside]
    exact = np.int64 if np.issubdtype(values.dtype, np.integer) else np.float64
    return float(values.sum(dtype=exact)) / values.size


def _only(view: MediaView, kinds: tuple[str, ...]) -> Media:
    entries = [m for m in view.media if m.kind in kinds]
    if len(entries) != 1:
        raise VerificationError(f"the sample has {len(entries)} members of kind {' or '.join(kinds)}; one is needed")
    return entries[0]


# --- programs --------------------------------------------------------------------------------------------------------


def _volume_ml(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(format_number(_voxel_count_and_ml(view, args["mask"])[1], 2), "mL")


def _longest_axis_mm(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(format_number(_diameter(view, args["mask"]), 1), "mm")


def _slice_range(view: MediaView, args: Mapping[str, str]) -> Result:
    _, inside = _mask(view, args["mask"])
    if inside.ndim != 3:
        raise VerificationError(f"mask {args['mask']!r} has {inside.ndim} dimensions; slices need 3")
    hits = np.flatnonzero(inside.any(axis=(1, 2)))
    return Result(f"{hits[0]}-{hits[-1]}", "")


def _count(view: MediaView, args: Mapping[str, str]) -> Result:
    from scipy import ndimage

    inside = _crop(_mask(view, args["mask"])[1])
    return Result(str(int(ndimage.label(inside, structure=np.ones((3,) * inside.ndim))[1])), "")


def _largest(view: MediaView, args: Mapping[str, str]) -> Result:
    labels = mask_labels(view)
    if len(labels) < 2:
        raise VerificationError(f"the sample has {len(labels)} masks; the largest of them needs 2")
    sized = sorted(((_voxel_count_and_ml(view, label)[1], label) for label in labels), reverse=True)
    if sized[0][0] == sized[1][0]:
        raise VerificationError(f"masks {sized[0][1]!r} and {sized[1][1]!r} are equally large")
    return Result(sized[0][1], "")


def _is_left_of(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result("yes" if centroid_ras(view, args["a"])[0] < centroid_ras(view, args["b"])[0] else "no", "")


def _mean_hu(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(format_number(_mean(view, args["mask"], "HU"), 1), "HU")


def _mean_intensity(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(format_number(_mean(view, args["mask"], ""), 2), "")


def _extent_mm(view: MediaView, args: Mapping[str, str]) -> Result:
    media = _only(view, ("image", "volume"))
    axes = ("z", "y", "x") if media.kind == "volume" else ("y", "x")
    if args["axis"] not in axes:
        raise VerificationError(f"axis {args['axis']!r} of a {media.kind} does not exist; axes: {', '.join(axes)}")
    at = axes.index(args["axis"])
    spacing = media.spacing_mm
    if spacing is None and (media.affine is None or media.kind != "volume"):
        raise VerificationError(f"member {media.member} has no spacing, so it has no extent")
    step = spacing[at] if spacing is not None else float(np.linalg.norm(_linear(media)[:, at]))
    return Result(format_number(media.shape[at] * step, 1), "mm")


def _plane(view: MediaView, args: Mapping[str, str]) -> Result:
    media = _only(view, ("volume",))
    if media.affine is None:
        raise VerificationError(f"member {media.member} has no affine, so its plane is not known")
    columns = np.asarray(media.affine, dtype=np.float64)[:3, :3]
    normal = np.cross(columns[:, 0], columns[:, 1])
    length = float(np.linalg.norm(normal))
    if length == 0:
        raise VerificationError(f"member {media.member} has a singular affine")
    cosines = np.abs(normal) / length
    at = int(cosines.argmax())
    return Result(("sagittal", "coronal", "axial")[at] if cosines[at] >= _OBLIQUE_COSINE else "oblique", "")


def _frame_count(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(str(_only(view, ("video",)).shape[0]), "")


def _duration_s(view: MediaView, args: Mapping[str, str]) -> Result:
    media = _only(view, ("video",))
    times = media.times_s or ()
    if len(times) < 2:
        raise VerificationError(f"member {media.member} has {len(times)} frame times; a duration needs 2")
    return Result(format_number((times[-1] - times[0]) * len(times) / (len(times) - 1), 2), "s")


def _label(view: MediaView, args: Mapping[str, str]) -> Result:
    about = args.get("about", "")
    facts = [f for f in view.facts if f.name == args["fact"] and (not about or f.about == about)]
    if not facts:
        raise VerificationError(f"fact {args['fact']!r}{f' about {about!r}' if about else ''} is not in the sample")
    units = {f.unit for f in facts}
    return Result("; ".join(dict.fromkeys(f.value for f in facts)), units.pop() if len(units) == 1 else "")


def _span(view: MediaView, args: Mapping[str, str]) -> Result:
    wanted = " ".join(args["text"].split())
    if not wanted or not any(wanted in " ".join(f.split()) for f in (view.text, view.question, view.answer)):
        raise VerificationError(f"the source does not hold {wanted[:60]!r} verbatim")
    return Result(args["text"], "")


def _digest(view: MediaView, args: Mapping[str, str]) -> Result:
    fields = {"text": view.text, "question": view.question, "answer": view.answer}
    if not fields.get(args["field"]):
        raise VerificationError(f"the sample has no source {args['field'][:20]!r}; fields: text, question, answer")
    return Result(hashlib.sha256(fields[args["field"]].encode()).hexdigest(), "")


class Program(NamedTuple):
    """One program: its function, and which arguments it must and may have."""

    run: Callable[[MediaView, Mapping[str, str]], Result]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


PROGRAMS: Mapping[str, Program] = MappingProxyType(
    {
        "volume_ml": Program(_volume_ml, ("mask",)),
        "longest_axis_mm": Program(_longest_axis_mm, ("mask",)),
        "slice_range": Program(_slice_range, ("mask",)),
        "count": Program(_count, ("mask",)),
        "largest": Program(_largest),
        "is_left_of": Program(_is_left_of, ("a", "b")),
        "mean_hu": Program(_mean_hu, ("mask",)),
        "mean_intensity": Program(_mean_intensity, ("mask",)),
        "extent_mm": Program(_extent_mm, ("axis",)),
        "plane": Program(_plane),
        "frame_count": Program(_frame_count),
        "duration_s": Program(_duration_s),
        "label": Program(_label, ("fact",), ("about",)),
        "span": Program(_span, ("text",)),
        "digest": Program(_digest, ("field",)),
    }
)


def evaluate(text: str, view: MediaView) -> Result:
    """What a call returns for a view; raises `VerificationError` that names what is missing or malformed."""
    call = parse_call(text)
    program = PROGRAMS.get(call.name)
    if program is None:
        raise VerificationError(f"no program {call.name!r}; there are: {', '.join(PROGRAMS)}")
    args = dict(call.args)
    known = {*program.required, *program.optional}
    if not set(program.required) <= set(args) <= known:
        raise VerificationError(f"{call.name} takes {', '.join(sorted(known)) or 'nothing'}; it was given {list(args)}")
    return program.run(view, args)


def prove(text: str, view: MediaView, turn: int) -> Proof:
    """The proof of a call: it is evaluated now and carries its value; raises `VerificationError`."""
    result = evaluate(text, view)
    return Proof(turn=turn, call=text, value=result.value, unit=result.unit)


def proven(proof: Proof) -> Verdict:
    """The verdict of a proof that `prove` has just made, without computing it twice."""
    return Verdict(proof.turn, "proof", passed=True, score=1.0, evidence=_shown(proof)[:200])


def _shown(proof: Proof) -> str:
    return f"{proof.call} = {proof.value} {proof.unit}".rstrip()


def check(proof: Proof, view: MediaView) -> Verdict:
    """Whether a proof holds: its call, computed again, gives exactly its value and unit. Never raises for bad input."""
    try:
        result = evaluate(proof.call, view)
    except VerificationError as error:
        return Verdict(proof.turn, "proof", passed=False, score=0.0, evidence=str(error)[:200])
    passed = (result.value, result.unit) == (proof.value, proof.unit)
    found = _shown(Proof(proof.turn, proof.call, result.value, result.unit))
    evidence = found if passed else f"{found}, not {proof.value} {proof.unit}".rstrip()
    return Verdict(proof.turn, "proof", passed=passed, score=float(passed), evidence=evidence[:200])
