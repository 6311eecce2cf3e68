"""A box: `gold` `x0,y0,x1,y1` or six numbers, in the frame that `Answer.frame` names; `tolerance` is 1 - the least IoU.

The response's numbers count what the gold's count. `frame` bounds them (see `synth.boxes` for the dialects): `pixels
WxH`, `thousand`, `medrega`, `internvl`, `medvision`, each of these with or without ` WxH`, which does not change what
its numbers count; `voxels WxHxD`, `m3d WxHxD`; "" bounds nothing but size (1e6). IoU and GIoU (`metric` giou) do not
change when an axis is scaled or turned, so no conversion to pixels is needed; m3d's last index is inclusive and is read
with the shape. Not covered: rotated boxes, several boxes.
"""

from __future__ import annotations

import math
import re

from manifests.errors import VerificationError
from manifests.sample import Answer
from synth.boxes import from_m3d, generalised_overlap, overlap
from synth.verifiers.base import Finding, json_pairs

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d{1,9}(?:\.\d{0,12})?|\.\d{1,12})(?!\w|\.\d|\s*[-+/*^])")
_AROUND = re.compile(
    r"(?:[\s,;()\[\]{}:=.$`*]|\\[()\[\]]|<ref>[^<>]{0,200}</ref>|</?box>|\b(?:the|a|an|final|bounding|predicted|"
    r"box|bbox|is|at|"
    r"coordinates?|are|pixels?|px|x_?min|y_?min|z_?min|x_?max|y_?max|z_?max|and|to|from|corners?|answer)\b)*",
    re.IGNORECASE,
)
_TAGS = re.compile(r"<box>", re.IGNORECASE)
_KEYS = ("bbox_2d", "bbox_3d", "bbox", "box", "box_2d", "box_3d")
_TOPS = {"thousand": 1000.0, "internvl": 1000.0, "medrega": 999.0, "medvision": 1.0}
_LARGEST = 1e6


def check(text: str, answer: Answer) -> Finding:
    """Whether the text is one box that lies in its frame and overlaps the gold's enough."""
    gold = _numbers(answer.gold)
    said = _numbers(_out_of_json(text))
    if gold is None or len(gold) not in (4, 6):
        return Finding(False, f"gold {answer.gold!r} is no box")
    if said is None or len(said) != len(gold):
        return Finding(False, "not one box of that many numbers")
    try:
        limits, shape = _limits(answer.frame, len(gold) // 2)
        for box in (said, gold):
            _within(box, limits)
        if shape:
            said, gold = [*from_m3d(said, shape)], [*from_m3d(gold, shape)]
    except VerificationError as error:
        return Finding(False, str(error))
    shared = generalised_overlap(said, gold) if answer.metric == "giou" else overlap(said, gold)
    name = "GIoU" if answer.metric == "giou" else "IoU"
    return Finding(shared >= 1 - answer.tolerance - 1e-9, f"{name} {shared:.3f} with {answer.gold}")


def _numbers(text: str) -> list[float] | None:
    """The numbers of a text that holds numbers, brackets and a few words; None for any other."""
    if len(_TAGS.findall(text)) > 1 or _AROUND.fullmatch(_NUMBER.sub("", text)) is None:
        return None
    return [float(n) for n in _NUMBER.findall(re.sub(r"<ref>[^<>]{0,200}</ref>", "", text))]


def _out_of_json(text: str) -> str:
    """The numbers of `{"bbox_2d": [...], "label": "..."}`, alone or in a list of one; any other text as it is."""
    bare = re.sub(r"\A```[a-z]{0,10}\n|\n?```\Z", "", text.strip()).strip()
    if bare.startswith("[") and bare.endswith("]") and "{" in bare:
        bare = bare[1:-1].strip()
    if not bare.startswith("{"):
        return text
    pairs = json_pairs(bare) or []
    boxes = [value for key, value in pairs if key in _KEYS]
    known = all(key in (*_KEYS, "label", "name") for key, _ in pairs)
    plain = len(boxes) == 1 and isinstance(boxes[0], list) and all(isinstance(n, int | float) for n in boxes[0])
    return str(boxes[0]) if known and plain else "{}"


def _limits(frame: str, half: int) -> tuple[tuple[float, ...], tuple[int, int, int] | None]:
    """The largest number along each axis, and for m3d the shape (D, H, W)."""
    name, _, extent = frame.strip().partition(" ")
    if not name:
        return (_LARGEST,) * half, None
    if name in _TOPS and half == 2 and re.fullmatch(r"(?:[1-9]\d{0,5}x[1-9]\d{0,5})?", extent):
        return (_TOPS[name],) * 2, None
    if not re.fullmatch(r"\d{1,6}(?:x\d{1,6}){1,2}", extent) or extent.count("x") + 1 != half:
        raise VerificationError(f"frame {frame!r} is none for a box of {2 * half} numbers")
    sides = [int(n) for n in extent.split("x")]
    if name == "m3d" and half == 3:
        return (1.0,) * 3, (sides[2], sides[1], sides[0])
    if name not in ("pixels", "voxels"):
        raise VerificationError(f"frame {frame!r} is not known")
    return tuple(float(n) for n in sides), None


def _within(box: list[float], limits: tuple[float, ...]) -> None:
    half = len(limits)
    if not all(math.isfinite(n) and 0 <= n <= limits[k % half] for k, n in enumerate(box)):
        raise VerificationError("a box reaches beyond its frame")
    if any(box[half + k] <= box[k] for k in range(half)):
        raise VerificationError("a box's second corner does not lie beyond its first")
