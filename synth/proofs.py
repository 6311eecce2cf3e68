"""The programs that answers carry: a closed set of pure functions of a sample's own media and facts.

A proof is one call, e.g. `volume_ml(mask=liver)`. `evaluate` computes it from a `MediaView`, which is made from the
canonical arrays when a sample is written and from the shard when it is verified; both must give the same text.

    volume_ml(mask)        voxels x |det(affine)|, or x spacing                       mL, 2 decimals
    longest_axis_mm(mask)  largest distance between two voxel centres, in space       mm, 1 decimal
    recist_mm(mask)        `44.3 x 21.0`: the longest diameter on one axial slice, and the longest chord across it there
                           at a right angle, of the convex hull of voxel centres (RECIST 1.1's long and short axis)
    perpendicular_axis_mm(mask)   the second of them                                  mm, 1 decimal
    box(mask)              `x0,y0,z0,x1,y1,z1` in voxels of what is shown, half-open: x0 is the first column that the
                           structure covers, x1 the first beyond it; z counts the shown slices. `x0,y0,x1,y1` in 2D
    box_mm(mask)           `x0,y0,z0,x1,y1,z1` in RAS+ mm, the outer faces of the voxels         mm, 1 decimal
    size_mm(mask)          `a x b x c`: the box's extent left-right, front-back and head-feet    mm, 1 decimal
    centroid_mm(mask)      `x,y,z` in RAS+ mm                                                    mm, 1 decimal
    slice_range(mask)      first and last of the shown slices, counted from 0, that cut it: `12-45`
    count(mask)            the objects that the source tells apart (several mask members of one label), else connected
                           parts; 26 neighbours in 3D, 8 in 2D
    largest([among])       the label with the largest volume among all masks, or those named (`liver|spleen`)
    smallest()             the label with the smallest
    nearest(mask)          the label whose centroid is nearest to a structure's, in space
    centroid_distance_mm(a, b)    between two centroids                               mm, 1 decimal
    label_count()          how many differently labelled masks travel
    is_left_of(a, b)       yes where a's centroid is further to the patient's left (RAS+: smaller x)
    relation(a, b, along)  where a's centroid lies from b's along left-right, front-back or head-feet of the patient:
                           left or right, anterior or posterior, superior or inferior; of `front-back+head-feet` both:
                           anterior and superior
    side_of(mask, midline) left or right: where at least 95 % of the structure lies, from the sagittal plane through the
                           centroid of the structure that marks the midline; refused where it crosses
    mean_hu(mask)          mean inside the mask, of a volume in HU                    HU, 1 decimal
    hu(mask, statistic)    sd (of the population), median, p5, p95 (nearest rank), min or max    HU, 1 decimal
    mean_intensity(mask)   the mean of any single-channel image or volume             2 decimals

    Of one picture, `member` by its name (`synth.picture_programs`), in its pixels:
    box_in(mask, member)   `x0,y0,x1,y1` of a structure as the picture shows it, half-open
    stated_box(about, member)   the box that a fact gives it, in the picture; `boxes_of(about, member)`: how many
    in_box(box, member)    the label or name whose box overlaps this one by half or more, and most by far
    called(mask, member)   what tells one of several structures of a kind apart in it: `larger lesion in the picture`
                           (`synth.instances`); `kind_of(mask)`: the label of its kind
    frame(dialect, member) `medrega 512x384`: how the sample writes its boxes (`synth.boxes`), and the picture's size
    box_iou(box, other)    intersection over union of two boxes                       2 decimals
    place_in(name, member) where the middle of a structure's box lies: `upper left` to `lower right`, `centre`
    area_px(mask, member)  pixels that show it; `area_mm2`: x the spacing             mm2, 1 decimal
    width_mm(mask, member), height_mm(mask, member)   its box, side to side and top to bottom    mm, 1 decimal
    larger_in(a, b, member)     which of two covers more of it, by a tenth at least
    share_pct(mask, member)     the share of the picture that a structure covers (`synth.area_programs`)  %, 1 decimal
    long_diameter_mm(mask, member)   of a compact structure that lies in the picture whole    mm, 1 decimal
    diameters_mm(mask, member)       `44.3 x 21.0`: the same, and the longest chord of its hull across it
    centre_distance_mm(a, b, member) between the centroids of two structures beside each other    mm, 1 decimal
    area_ratio(a, b, member)    area of a by area of b, or of several together (`disc|cup`)       2 decimals
    extent_ratio(a, b, extent, member)  the same of their vertical or horizontal extents          2 decimals
    covers_most(member, [among])     the label with the largest area in it, by a tenth at least
    regions(mask, least, member)     such objects or connected regions that cover `least` per cent of the picture each
    pixels(member)         sha256 of a picture's pixels, shape before them
    crop(member, of, box, factor)    that of the crop of another picture, which `member` must be
    degraded(member, kind, level, seed)    that of its degraded copy (`synth.degrade`), which need not travel
    degradation(of, twin, kind, level, seed)     the words for the kind, where `twin` is that copy of `of`
    degraded_one(of, twin, kind, level, seed)    which of the sample's pictures that copy is: `picture 2`
    severity_order(of, twins, levels, kind, seed)    the numbers of such pictures from the least to the most degraded
    distance_mm(p, q)      between two landmarks                                      mm, 1 decimal
    angle_deg(p, q, r)     between landmarks p and r, seen from q; 0 to 180           degrees, 1 decimal
    angle_between_lines_deg(p, q, r, s)   between the lines pq and rs; 0 to 90        degrees, 1 decimal
    extent_mm(axis)        samples x spacing along array axis x, y or z    mm, 1 decimal, below 10 as others below 1
    plane()                axial, coronal or sagittal: the slices of array axis 0; oblique beyond 37 degrees
    frame_count()          frames of the video
    duration_s()           last minus first presentation time, and one mean interval  s, 2 decimals

    Of events, in s from a clip's first frame (`synth.fact_programs`), and of other facts:
    time_of(event, edge)   the start or the end of what happens once                  s, 2 decimals
    span_of(event)         `start-end` of it; `event_duration_s(event)`: how long     s, 2 decimals
    event_count(event)     how often it happens
    first_of(a, b)         which of two starts earlier
    event_order()          all events by their start, joined by `; `
    event_at(time)         the one event that goes on at a time
    cut_time(number)       when the first, second, ... cut of a clip is               s, 2 decimals
    count_facts(fact, [about])    how many facts of a name there are
    changed_since(fact, about)    what became of it from the first picture to the last (`synth.changes`)

    label(fact, [about])   the values of a fact of this sample, joined by `; `
    span(text, [number])   the text itself, where it is verbatim (but for white space) in the source's text, a question
                           or an answer; with a number, where it is the answer to that question (`synth.quotes`)
    digest(field, [number])   sha256 of the source's text, or of a question's question, answer, why or options

    Of passages that were found for a question (`synth.passage_programs`):
    passage(number)        sha256 of a passage's words, as the prompt shows them
    told_by(text, says)    which passages state a text, or deny it: `[1] [3]`, or `none`
    own_passages()         which are of the record that asks: `[2]`, or `none`
    shows(finding)         yes or no: whether the facts state a finding, or deny it
    unanswered(number)     `not stated`, where no passage answers a question

A mask is every mask member with that label, together; inside is not 0. Numbers are plain decimals, rounded half to
even to the places above, lengths, areas and volumes below 1 to 3 significant digits (`synth.calls.format_size`), so
equal means equal text. The affine maps voxel indices (x, y, z) to RAS+ millimetres. What
is shown may stand on another grid than the masks: `slice_range` and `box` follow the affines there, and refuse grids
that are turned against each other. Not covered: partial volumes, intensities of another grid than the mask's, volumes
of 2D masks, sides of a patient who lies turned in the scanner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from manifests.errors import VerificationError
from manifests.sample import Proof, Verdict
from synth import (
    area_programs,
    changes,
    fact_programs,
    instances,
    mask_programs,
    passage_programs,
    picture_programs,
    points,
    quotes,
)
from synth.calls import Call, call_text, format_call, format_number, format_size, parse_call
from synth.grids import steps_mm
from synth.mask_programs import centroid_ras, grid_plane
from synth.views import MediaView, Result, mask_labels, only

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


def _extent_mm(view: MediaView, args: Mapping[str, str]) -> Result:
    media = only(view, ("image", "volume"))
    axes = ("z", "y", "x") if media.kind == "volume" else ("y", "x")
    if args["axis"] not in axes:
        raise VerificationError(f"axis {args['axis']!r} of a {media.kind} does not exist; axes: {', '.join(axes)}")
    at = axes.index(args["axis"])
    if args["axis"] == "z" and media.slices is not None:
        raise VerificationError(f"member {media.member} shows some slices only, so it has no extent along z")
    spacing = media.spacing_mm
    if spacing is None and (media.affine is None or media.kind != "volume"):
        raise VerificationError(f"member {media.member} has no spacing, so it has no extent")
    step = spacing[at] if spacing is not None else steps_mm(media.affine or ())[at]
    return Result(format_size(media.shape[at] * step, 1, below=10.0), "mm")


def _plane(view: MediaView, args: Mapping[str, str]) -> Result:
    media = only(view, ("volume",))
    if media.affine is None:
        raise VerificationError(f"member {media.member} has no affine, so its plane is not known")
    return Result(grid_plane(media.affine, media.member), "")


def _frame_count(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(str(only(view, ("video",)).shape[0]), "")


def _duration_s(view: MediaView, args: Mapping[str, str]) -> Result:
    media = only(view, ("video",))
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


class Program(NamedTuple):
    """One program: its function, and which arguments it must and may have."""

    run: Callable[[MediaView, Mapping[str, str]], Result]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


PROGRAMS: Mapping[str, Program] = MappingProxyType(
    {
        "volume_ml": Program(mask_programs.volume_ml, ("mask",)),
        "longest_axis_mm": Program(mask_programs.longest_axis_mm, ("mask",)),
        "recist_mm": Program(mask_programs.recist_mm, ("mask",)),
        "perpendicular_axis_mm": Program(mask_programs.perpendicular_axis_mm, ("mask",)),
        "box": Program(mask_programs.box, ("mask",)),
        "box_mm": Program(mask_programs.box_mm, ("mask",)),
        "size_mm": Program(mask_programs.size_mm, ("mask",)),
        "centroid_mm": Program(mask_programs.centroid_mm, ("mask",)),
        "slice_range": Program(mask_programs.slice_range, ("mask",)),
        "count": Program(mask_programs.count, ("mask",)),
        "largest": Program(mask_programs.largest, (), ("among",)),
        "smallest": Program(mask_programs.smallest),
        "nearest": Program(mask_programs.nearest, ("mask",)),
        "centroid_distance_mm": Program(mask_programs.centroid_distance_mm, ("a", "b")),
        "label_count": Program(mask_programs.label_count),
        "is_left_of": Program(mask_programs.is_left_of, ("a", "b")),
        "relation": Program(mask_programs.relation, ("a", "b", "along")),
        "side_of": Program(mask_programs.side_of, ("mask", "midline")),
        "mean_hu": Program(mask_programs.mean_hu, ("mask",)),
        "hu": Program(mask_programs.hu, ("mask", "statistic")),
        "mean_intensity": Program(mask_programs.mean_intensity, ("mask",)),
        "box_in": Program(picture_programs.box_in, ("mask", "member")),
        "stated_box": Program(picture_programs.stated_box, ("about", "member")),
        "boxes_of": Program(picture_programs.boxes_of, ("about", "member")),
        "in_box": Program(picture_programs.in_box, ("box", "member")),
        "called": Program(instances.called, ("mask", "member")),
        "kind_of": Program(instances.kind_of, ("mask",)),
        "frame": Program(picture_programs.frame, ("dialect", "member")),
        "box_iou": Program(picture_programs.box_iou, ("box", "other")),
        "place_in": Program(picture_programs.place_in, ("name", "member")),
        "area_px": Program(picture_programs.area_px, ("mask", "member")),
        "area_mm2": Program(picture_programs.area_mm2, ("mask", "member")),
        "width_mm": Program(picture_programs.width_mm, ("mask", "member")),
        "height_mm": Program(picture_programs.height_mm, ("mask", "member")),
        "larger_in": Program(picture_programs.larger_in, ("a", "b", "member")),
        "share_pct": Program(area_programs.share_pct, ("mask", "member")),
        "long_diameter_mm": Program(area_programs.long_diameter_mm, ("mask", "member")),
        "diameters_mm": Program(area_programs.diameters_mm, ("mask", "member")),
        "centre_distance_mm": Program(area_programs.centre_distance_mm, ("a", "b", "member")),
        "area_ratio": Program(area_programs.area_ratio, ("a", "b", "member")),
        "extent_ratio": Program(area_programs.extent_ratio, ("a", "b", "extent", "member")),
        "covers_most": Program(area_programs.covers_most, ("member",), ("among",)),
        "regions": Program(area_programs.regions, ("mask", "least", "member")),
        "pixels": Program(picture_programs.pixels, ("member",)),
        "crop": Program(picture_programs.crop, ("member", "of", "box", "factor")),
        "degraded": Program(picture_programs.degraded, ("member", "kind", "level", "seed")),
        "degradation": Program(picture_programs.degradation, ("of", "twin", "kind", "level", "seed")),
        "degraded_one": Program(picture_programs.degraded_one, ("of", "twin", "kind", "level", "seed")),
        "severity_order": Program(picture_programs.severity_order, ("of", "twins", "levels", "kind", "seed")),
        "distance_mm": Program(points.distance_mm, ("p", "q")),
        "angle_deg": Program(points.angle_deg, ("p", "q", "r")),
        "angle_between_lines_deg": Program(points.angle_between_lines_deg, ("p", "q", "r", "s")),
        "extent_mm": Program(_extent_mm, ("axis",)),
        "plane": Program(_plane),
        "frame_count": Program(_frame_count),
        "duration_s": Program(_duration_s),
        "time_of": Program(fact_programs.time_of, ("event", "edge")),
        "span_of": Program(fact_programs.span_of, ("event",)),
        "event_duration_s": Program(fact_programs.event_duration_s, ("event",)),
        "event_count": Program(fact_programs.event_count, ("event",)),
        "first_of": Program(fact_programs.first_of, ("a", "b")),
        "event_order": Program(fact_programs.event_order),
        "event_at": Program(fact_programs.event_at, ("time",)),
        "cut_time": Program(fact_programs.cut_time, ("number",)),
        "count_facts": Program(fact_programs.count_facts, ("fact",), ("about",)),
        "changed_since": Program(changes.changed_since, ("fact", "about")),
        "label": Program(_label, ("fact",), ("about",)),
        "span": Program(quotes.span, ("text",), ("number",)),
        "digest": Program(quotes.digest, ("field",), ("number",)),
        "passage": Program(passage_programs.passage, ("number",)),
        "told_by": Program(passage_programs.told_by, ("text", "says")),
        "own_passages": Program(passage_programs.own_passages),
        "shows": Program(passage_programs.shows, ("finding",)),
        "unanswered": Program(passage_programs.unanswered, ("number",)),
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
