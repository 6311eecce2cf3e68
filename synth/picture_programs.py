"""The programs that look at one picture: boxes, areas and places of structures in it, crops, and degraded copies.

`synth.proofs` lists them with what they return. `member` is the picture's name in the sample; of two pictures that a
call compares it computes one from the other and refuses any other pixels. `synth.pictures` says when a pixel belongs
to a structure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from manifests.errors import VerificationError
from synth import degrade
from synth.boxes import DIALECTS_2D, Box2D, box_of, frame_text, overlap
from synth.calls import format_number, format_size
from synth.pictures import bounds, crop_of, inside, picture, pixels_of, pixels_sha256, stated_boxes, stated_names
from synth.views import MediaView, Result, mask_labels

ALIKE = 0.5  # the overlap that a structure's box needs with a given one for the box to be its
APART = 0.1  # by which no other structure's overlap may come near to it
THIRDS = (("upper left", "upper middle", "upper right"), ("middle left", "centre", "middle right"),
          ("lower left", "lower middle", "lower right"))  # fmt: skip
_LARGER = 1.1  # areas nearer to each other than this are not compared
Box = tuple[int, int, int, int]


def box_text(box: Box) -> str:
    return ",".join(str(n) for n in box)


def whole_box(text: str) -> Box:
    """The whole-number box of an argument; raises `VerificationError`."""
    box = box_of(text) if re.fullmatch(r"\d{1,6}(?:,\d{1,6}){3}", text) else None
    if not isinstance(box, Box2D):
        raise VerificationError(f"{text[:40]!r} is not a box x0,y0,x1,y1 in whole pixels")
    return int(box.x0), int(box.y0), int(box.x1), int(box.y1)


def named_boxes(view: MediaView, member: str) -> dict[str, Box]:
    """The boxes of everything in a picture that has just one: masks by their label, then what box facts are about."""
    found: dict[str, Box] = {}
    for name in mask_labels(view):
        try:
            found[name] = bounds(inside(view, name, member))
        except VerificationError:
            continue
    for name in stated_names(view):
        try:
            boxes = stated_boxes(view, name, member)
        except VerificationError:
            continue
        if len(boxes) == 1:
            found[name] = boxes[0]
    return found


def box_in(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(box_text(bounds(inside(view, args["mask"], args["member"]))), "")


def stated_box(view: MediaView, args: Mapping[str, str]) -> Result:
    boxes = stated_boxes(view, args["about"], args["member"])
    if len(boxes) != 1:
        raise VerificationError(f"{args['about'][:40]!r} has {len(boxes)} boxes in the picture; one is needed")
    return Result(box_text(boxes[0]), "")


def boxes_of(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(str(len(stated_boxes(view, args["about"], args["member"]))), "")


def in_box(view: MediaView, args: Mapping[str, str]) -> Result:
    wanted = whole_box(args["box"])
    known = named_boxes(view, args["member"])
    ranked = sorted(((overlap(wanted, box), name) for name, box in known.items()), reverse=True)
    if not ranked or ranked[0][0] < ALIKE:
        raise VerificationError(f"nothing in picture {args['member'][:40]!r} has the box {args['box']}")
    if len(ranked) > 1 and ranked[1][0] > ranked[0][0] - APART:
        raise VerificationError(f"{ranked[0][1]!r} and {ranked[1][1]!r} both have the box {args['box']}")
    return Result(ranked[0][1], "")


def box_iou(view: MediaView, args: Mapping[str, str]) -> Result:
    boxes = [box_of(args[key]) for key in ("box", "other")]
    if len(boxes[0]) != len(boxes[1]):
        raise VerificationError("a box in a picture and one in a volume do not overlap")
    return Result(format_number(overlap(boxes[0], boxes[1]), 2), "")


def _box_named(view: MediaView, name: str, member: str) -> Box:
    if name in mask_labels(view):
        return bounds(inside(view, name, member))
    return whole_box(stated_box(view, {"about": name, "member": member}).value)


def place_in(view: MediaView, args: Mapping[str, str]) -> Result:
    x0, y0, x1, y1 = _box_named(view, args["name"], args["member"])
    height, width = picture(view, args["member"]).shape[:2]
    row, column = ((x0 + x1) * 3) // (2 * width), ((y0 + y1) * 3) // (2 * height)
    return Result(THIRDS[min(column, 2)][min(row, 2)], "")


def frame(view: MediaView, args: Mapping[str, str]) -> Result:
    """`medrega 512x384`: in which dialect a sample writes the boxes of a picture, which every box program counts in
    pixels."""
    height, width = picture(view, args["member"]).shape[:2]
    for dialect in DIALECTS_2D:
        if dialect == args["dialect"]:
            return Result(frame_text(dialect, height, width), "")
    raise VerificationError(f"no dialect {args['dialect'][:20]!r}; there are: {', '.join(DIALECTS_2D)}")


# --- areas -----------------------------------------------------------------------------------------------------------


def area_px(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(str(int(inside(view, args["mask"], args["member"]).sum())), "")


def _spacing(view: MediaView, member: str) -> tuple[float, float]:
    spacing = picture(view, member).spacing_mm
    if spacing is None or len(spacing) != 2:
        raise VerificationError(f"picture {member[:40]!r} has no spacing, so nothing in it has a size")
    return spacing[0], spacing[1]


def area_mm2(view: MediaView, args: Mapping[str, str]) -> Result:
    y, x = _spacing(view, args["member"])
    return Result(format_size(int(inside(view, args["mask"], args["member"]).sum()) * y * x, 1), "mm2")


def width_mm(view: MediaView, args: Mapping[str, str]) -> Result:
    x0, _, x1, _ = bounds(inside(view, args["mask"], args["member"]))
    return Result(format_size((x1 - x0) * _spacing(view, args["member"])[1], 1), "mm")


def height_mm(view: MediaView, args: Mapping[str, str]) -> Result:
    _, y0, _, y1 = bounds(inside(view, args["mask"], args["member"]))
    return Result(format_size((y1 - y0) * _spacing(view, args["member"])[0], 1), "mm")


def larger_in(view: MediaView, args: Mapping[str, str]) -> Result:
    a, b = (int(inside(view, args[key], args["member"]).sum()) for key in ("a", "b"))
    if max(a, b) < _LARGER * min(a, b):
        raise VerificationError(f"{args['a']!r} and {args['b']!r} are about equally large in the picture")
    return Result(args["a"] if a > b else args["b"], "")


# --- pictures made of pictures ---------------------------------------------------------------------------------------


def pixels(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(pixels_sha256(pixels_of(view, args["member"])), "")


def crop(view: MediaView, args: Mapping[str, str]) -> Result:
    made = crop_of(pixels_of(view, args["of"]), whole_box(args["box"]), _whole(args["factor"]))
    digest = pixels_sha256(made)
    if pixels_sha256(pixels_of(view, args["member"])) != digest:
        raise VerificationError(f"picture {args['member'][:40]!r} is not that crop of {args['of'][:40]!r}")
    return Result(digest, "")


def degraded(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(_degraded_sha256(view, args["member"], args), "")


def _degraded_sha256(view: MediaView, of: str, args: Mapping[str, str]) -> str:
    source = pixels_of(view, of)
    try:
        made = degrade.degraded(source, args["kind"], _whole(args["level"]), _whole(args["seed"]))
    except ValueError as error:
        raise VerificationError(str(error)) from error
    return pixels_sha256(made)


def degradation(view: MediaView, args: Mapping[str, str]) -> Result:
    _twin(view, args["twin"], args["of"], args)
    return Result(degrade.WORDS[args["kind"]], "")


def _twin(view: MediaView, twin: str, of: str, args: Mapping[str, str]) -> None:
    if _degraded_sha256(view, of, args) != pixels_sha256(pixels_of(view, twin)):
        raise VerificationError(f"picture {twin[:40]!r} is not that degraded copy of {of[:40]!r}")


def degraded_one(view: MediaView, args: Mapping[str, str]) -> Result:
    """`picture 2`: which picture of the sample, counted from 1 as shown, is the degraded copy of another one."""
    _twin(view, args["twin"], args["of"], args)
    names = [m.member for m in view.media if m.kind == "image"]
    return Result(f"picture {names.index(args['twin']) + 1}", "")


def severity_order(view: MediaView, args: Mapping[str, str]) -> Result:
    """The numbers of pictures from the least to the most degraded; `levels` has the level of each."""
    twins, levels = args["twins"].split(" "), args["levels"].split(" ")
    if len(twins) != len(levels) or len(set(levels)) != len(levels):
        raise VerificationError("each of the pictures needs a level of its own")
    for twin, level in zip(twins, levels, strict=True):
        _twin(view, twin, args["of"], {**args, "level": level})
    names = [m.member for m in view.media if m.kind == "image"]
    ranked = sorted((_whole(level), names.index(twin) + 1) for twin, level in zip(twins, levels, strict=True))
    return Result(", ".join(str(number) for _, number in ranked), "")


def _whole(text: str) -> int:
    if not re.fullmatch(r"\d{1,20}", text):
        raise VerificationError(f"{text[:20]!r} is not a whole number")
    return int(text)
