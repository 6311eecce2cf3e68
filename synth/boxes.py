"""Bounding boxes in absolute pixels and voxels, and the dialects in which models read and write them.

`Box2D` and `Box3D` count pixel edges from the upper left of what is shown: half-open, so x0 is the first column covered
and x1 the first beyond it, and a box of whole pixels has whole-number edges. They may hold fractions, which `scaled`
makes. A dialect is a pair of pure functions and a pair of texts; its quantum is the smallest step that it can write.

    pixels     [x1, y1, x2, y2] whole pixels                     Qwen2.5-VL (QwenLM/Qwen2.5-VL, `bbox_2d`), Ophiuchus
    thousand   [x1, y1, x2, y2] whole numbers 0-1000             Qwen3-VL (QwenLM/Qwen3-VL@9658872), `bbox_2d`
    internvl   <ref>name</ref><box>[[x1, y1, x2, y2]]</box>      0-1000: InternVL (OpenGVLab/InternVL@2410d1d)
    medrega    the same text with 0-999                          MedRegA (xmed-lab/MedRegA@838def5, BBOX_SCALE = 999;
                                                                 demo_data/data_file.jsonl)
    medvision  [x1, y1, x2, y2] of 0-1, y counts upwards from the lower left corner, 3 decimals
                                                                 MedVision (YongchengYAO/MedVision@c221615)
    m3d        [z1, y1, x1, z2, y2, x2] of 0-1, divided by (D, H, W), 3 decimals; the last index is inclusive
                                                                 M3D (BAAI-DCAI/M3D@63e7200, mask2box), which names its
                                                                 axes x, y, z in the array's order

Parsers take text from models: they read at most `MAX_TEXT` characters, refuse what is not finite, out of range or
turned over, and raise `VerificationError`, nothing else. Not covered: rotated boxes, polygons, several boxes per name
for one call (`parse_tagged` gives them all), boxes beyond the image's border (they are clipped when written).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

from manifests.errors import VerificationError

Dialect2D = Literal["pixels", "thousand", "internvl", "medrega", "medvision"]
DIALECTS_2D: tuple[Dialect2D, ...] = ("pixels", "thousand", "internvl", "medrega", "medvision")
TAGGED = ("internvl", "medrega")  # those that write a name before a box
UNNAMED = "this"  # what stands before the box of a thing whose name is asked for
MAX_TEXT = 4096
_STEPS = {"thousand": 1000, "internvl": 1000, "medrega": 999, "medvision": 1000}  # what each divides a side into
_NUMBER = r"[-+]?(?:\d{1,9}(?:\.\d{0,12})?|\.\d{1,12})"
_LIST = re.compile(rf"\[\s*({_NUMBER}(?:\s*,\s*{_NUMBER}){{3,5}})\s*\]")
_TAGGED = re.compile(r"<ref>([^<>]{0,200})</ref>\s*<box>([^<>]{0,2000})</box>")


class Box2D(NamedTuple):
    """Pixel edges in an image, half-open: x0 <= x < x1, y0 <= y < y1."""

    x0: float
    y0: float
    x1: float
    y1: float


class Box3D(NamedTuple):
    """Voxel edges in a volume, half-open: x0 <= x < x1, and so on; z counts slices."""

    x0: float
    y0: float
    z0: float
    x1: float
    y1: float
    z1: float


class Tagged(NamedTuple):
    """A box with the name that stands before it."""

    name: str
    box: Box2D


def scaled(box: Box2D, ratio_y: float, ratio_x: float) -> Box2D:
    """The box in an image resized by these ratios (new size / old size)."""
    return Box2D(box.x0 * ratio_x, box.y0 * ratio_y, box.x1 * ratio_x, box.y1 * ratio_y)


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes of one dimension: `Box2D`, `Box3D` or the same numbers; 0 where empty."""
    half = len(a) // 2
    if len(a) != len(b):
        return 0.0
    shared = math.prod(max(min(a[half + k], b[half + k]) - max(a[k], b[k]), 0.0) for k in range(half))
    sizes = [math.prod(max(box[half + k] - box[k], 0.0) for k in range(half)) for box in (a, b)]
    union = sum(sizes) - shared
    return shared / union if union > 0 else 0.0


def generalised_overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """GIoU (Rezatofighi et al. 2019, arXiv:1902.09630), -1 to 1: the IoU less the share of the hull that is neither's.

    Two boxes of different dimensions, or a hull without extent, give -1.
    """
    half = len(a) // 2
    hull = math.prod(max(a[half + k], b[half + k]) - min(a[k], b[k]) for k in range(half)) if len(a) == len(b) else 0.0
    if not hull > 0:
        return -1.0
    shared = math.prod(max(min(a[half + k], b[half + k]) - max(a[k], b[k]), 0.0) for k in range(half))
    union = sum(math.prod(max(box[half + k] - box[k], 0.0) for k in range(half)) for box in (a, b)) - shared
    return overlap(a, b) - (hull - union) / hull


def box_of(value: str) -> Box2D | Box3D:
    """The box of a `box` proof or fact: `x0,y0,x1,y1` or `x0,y0,z0,x1,y1,z1`."""
    numbers = _numbers(f"[{value}]")
    if len(numbers) == 4:
        return _checked(Box2D(*numbers))
    if len(numbers) != 6:
        raise VerificationError(f"a box has 4 or 6 numbers, not {len(numbers)}")
    _in_order(numbers)
    return Box3D(*numbers)


# --- 2D dialects -----------------------------------------------------------------------------------------------------


def quantum_px(dialect: Dialect2D, side: int) -> float:
    """The smallest step in pixels that a dialect can write along an image side of `side` pixels."""
    return 1.0 if dialect == "pixels" else side / _STEPS[dialect]


def to_dialect(box: Box2D, dialect: Dialect2D, height: int, width: int) -> tuple[float, float, float, float]:
    """The four numbers of a dialect for a box in an image of `height` x `width` pixels, clipped to the image.

    Whole numbers, but 0-1 in steps of 0.001 for `medvision`. Each edge is rounded to the nearest step, half up.
    """
    x0, x1 = (min(max(x, 0.0), float(width)) for x in (box.x0, box.x1))
    y0, y1 = (min(max(y, 0.0), float(height)) for y in (box.y0, box.y1))
    if dialect == "medvision":
        y0, y1 = height - y1, height - y0
    a, b, c, d = (_step(v, side, dialect) for v, side in ((x0, width), (y0, height), (x1, width), (y1, height)))
    return (a / 1000, b / 1000, c / 1000, d / 1000) if dialect == "medvision" else (a, b, c, d)


def _step(value: float, side: int, dialect: Dialect2D) -> int:
    return math.floor((value if dialect == "pixels" else value / side * _STEPS[dialect]) + 0.5)


def from_dialect(numbers: Sequence[float], dialect: Dialect2D, height: int, width: int) -> Box2D:
    """The inverse of `to_dialect`, within one quantum per edge.

    Raises `VerificationError` for other than four finite numbers in range, the first corner before the second.
    """
    if len(numbers) != 4 or not all(math.isfinite(n) for n in numbers):
        raise VerificationError(f"a box in the dialect {dialect} has 4 finite numbers")
    top = {"pixels": max(height, width), "medvision": 1}.get(dialect, _STEPS.get(dialect, 0))
    if not all(0 <= n <= top for n in numbers):
        raise VerificationError(f"a box in the dialect {dialect} has numbers from 0 to {top}")
    per = 1.0 if dialect in ("pixels", "medvision") else float(_STEPS[dialect])
    sides = (1.0, 1.0) if dialect == "pixels" else (float(width), float(height))
    x0, y0, x1, y1 = (n / per * sides[k % 2] for k, n in enumerate(numbers))
    if dialect == "medvision":
        y0, y1 = height - y1, height - y0
    box = _checked(Box2D(x0, y0, x1, y1))
    if box.x1 > width or box.y1 > height:
        raise VerificationError(f"a box reaches beyond the image of {width} x {height} pixels")
    return box


def box_text(box: Box2D, dialect: Dialect2D, height: int, width: int, name: str = "") -> str:
    """The text of a box: `[x1, y1, x2, y2]`; for `internvl` and `medrega` with the name in `<ref>`."""
    shown = numbers_text(box, dialect, height, width).replace(",", ", ")
    if dialect not in TAGGED:
        return f"[{shown}]"
    return f"<ref>{re.sub(r'[<>]', '', name)[:200]}</ref><box>[[{shown}]]</box>"


def numbers_text(box: Box2D, dialect: Dialect2D, height: int, width: int) -> str:
    """The four numbers of a dialect, joined by commas: how a gold is written."""
    numbers = to_dialect(box, dialect, height, width)
    return ",".join(f"{n:.3f}" if dialect == "medvision" else f"{n:.0f}" for n in numbers)


def kept_overlap(box: Box2D, dialect: Dialect2D, height: int, width: int) -> float:
    """The overlap of a box with what a dialect makes of it; 0 where it falls together there."""
    return overlap(box, from_dialect(to_dialect(box, dialect, height, width), dialect, height, width))


_SPAN = "whole numbers from 0 to {top} that span the picture from left to right and from top to bottom"
LIST_FORM, TAG_FORM = "[x0, y0, x1, y1]", "<ref>name</ref><box>[[x0, y0, x1, y1]]</box>"
_FORMS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "pixels": (LIST_FORM, "pixels of the picture"),
        "thousand": (LIST_FORM, _SPAN.format(top=1000)),
        "internvl": (TAG_FORM, _SPAN.format(top=1000)),
        "medrega": (TAG_FORM, _SPAN.format(top=999)),
        "medvision": (
            LIST_FORM,
            "fractions of the picture's width and height, with three decimals, counted from its lower left corner",
        ),
    }
)


def form_text(dialect: Dialect2D) -> str:
    """What a question says of a box's form: `[x0, y0, x1, y1] in pixels of the picture`."""
    return " in ".join(_FORMS[dialect])


def frame_text(dialect: Dialect2D, height: int, width: int) -> str:
    """A dialect with the picture's size: `medrega 512x384` (width x height)."""
    return f"{dialect} {width}x{height}"


def frame_of(text: str) -> tuple[Dialect2D, int, int]:
    """The inverse of `frame_text`: dialect, height and width. Raises `VerificationError`."""
    found = re.fullmatch(r"([a-z]{1,20}) ([1-9]\d{0,5})x([1-9]\d{0,5})", text)
    dialect = next((known for known in DIALECTS_2D if found and known == found[1]), None)
    if found is None or dialect is None:
        raise VerificationError(f"{text[:40]!r} is no frame of a picture; dialects: {', '.join(DIALECTS_2D)}")
    return dialect, int(found[3]), int(found[2])


def parse_box(text: str, dialect: Dialect2D, height: int, width: int) -> Box2D:
    """The one box that a text holds in a dialect; raises `VerificationError` where there is none or more than one."""
    if dialect == "internvl" or dialect == "medrega":
        tagged = parse_tagged(text, dialect, height, width)
        if len(tagged) != 1:
            raise VerificationError(f"the text holds {len(tagged)} tagged boxes; one is needed")
        return tagged[0].box
    return from_dialect(_numbers(text), dialect, height, width)


def parse_tagged(text: str, dialect: Literal["internvl", "medrega"], height: int, width: int) -> list[Tagged]:
    """Every named box of a text, in order; a name may have several."""
    found = []
    for match in _TAGGED.finditer(text[:MAX_TEXT]):
        for numbers in _LIST.finditer(match[2]):
            values = [float(n.strip()) for n in numbers[1].split(",")]
            found.append(Tagged(match[1].strip(), from_dialect(values, dialect, height, width)))
    return found


# --- 3D --------------------------------------------------------------------------------------------------------------


def to_m3d(box: Box3D, shape: tuple[int, int, int]) -> tuple[float, ...]:
    """(z1, y1, x1, z2, y2, x2) of 0-1 for a box of whole voxels in a volume of `shape` (D, H, W)."""
    low, high = (box.z0, box.y0, box.x0), (box.z1 - 1, box.y1 - 1, box.x1 - 1)
    pairs = [*zip(low, shape, strict=True), *zip(high, shape, strict=True)]
    return tuple(math.floor(min(max(v, 0.0), side - 1.0) / side * 1000 + 0.5) / 1000 for v, side in pairs)


def from_m3d(numbers: Sequence[float], shape: tuple[int, int, int]) -> Box3D:
    """The inverse of `to_m3d`, within one quantum (side / 1000) per edge; raises `VerificationError`."""
    if len(numbers) != 6 or not all(math.isfinite(n) and 0 <= n <= 1 for n in numbers):
        raise VerificationError("a box in the dialect m3d has 6 numbers from 0 to 1")
    z0, y0, x0, z1, y1, x1 = (n * shape[k % 3] for k, n in enumerate(numbers))
    box = Box3D(x0, y0, z0, x1 + 1, y1 + 1, z1 + 1)
    _in_order(box)
    return box


def m3d_text(box: Box3D, shape: tuple[int, int, int]) -> str:
    return f"[{', '.join(f'{n:.3f}' for n in to_m3d(box, shape))}]"


def parse_m3d(text: str, shape: tuple[int, int, int]) -> Box3D:
    """The one box of six numbers that a text holds; raises `VerificationError`."""
    return from_m3d(_numbers(text), shape)


def _numbers(text: str) -> list[float]:
    found = _LIST.findall(text[:MAX_TEXT])
    if len(found) != 1:
        raise VerificationError(f"the text holds {len(found)} lists of 4 to 6 numbers; one is needed")
    return [float(n.strip()) for n in found[0].split(",")]


def _checked(box: Box2D) -> Box2D:
    _in_order(box)
    return box


def _in_order(numbers: Sequence[float]) -> None:
    half = len(numbers) // 2
    if any(numbers[half + k] < numbers[k] for k in range(half)):
        raise VerificationError("a box's second corner lies before its first")
