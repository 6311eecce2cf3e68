"""Distances and angles between named points, from the `landmark` facts of a sample.

A landmark fact has the point's name in `about` and `x,y,z` as its value: RAS+ millimetres of a volume. For an image the
value is `x,y`: millimetres from the centre of its first pixel where the spacing is known, else pixels (unit `px`),
which count as square for angles and have no distances.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from manifests.errors import VerificationError
from manifests.record import Fact
from synth.calls import format_number, format_size
from synth.views import MediaView, Result

_NUMBER = r"-?\d{1,9}(?:\.\d{1,9})?"
_POINT = re.compile(rf"{_NUMBER}(?:,{_NUMBER}){{1,2}}")
_SHORT = 1e-6  # two points that are nearer, in mm or pixels, give no direction


def landmark_names(facts: Iterable[Fact]) -> tuple[str, ...]:
    """The names of a sample's landmarks, each once, in their order."""
    return tuple(dict.fromkeys(f.about for f in facts if f.name == "landmark" and f.about))


def _points(view: MediaView, names: Iterable[str]) -> tuple[list[tuple[float, ...]], str]:
    """The points of these names and their unit; two facts that differ for one name are refused."""
    found, units = [], set()
    for name in names:
        facts = {(f.value, f.unit) for f in view.facts if f.name == "landmark" and f.about == name}
        if len(facts) != 1:
            raise VerificationError(f"landmark {name[:60]!r} is given {len(facts)} times; once is needed")
        value, unit = facts.pop()
        if not _POINT.fullmatch(value):
            raise VerificationError(f"landmark {name[:60]!r} is not written x,y or x,y,z in plain decimals")
        found.append(tuple(float(v) for v in value.split(",")))
        units.add((unit, len(found[-1])))
    if len(units) != 1:
        raise VerificationError("the landmarks are of different spaces")
    return found, units.pop()[0]


def _away(p: tuple[float, ...], q: tuple[float, ...]) -> tuple[float, ...]:
    away = tuple(b - a for a, b in zip(p, q, strict=True))
    if math.sqrt(sum(v * v for v in away)) < _SHORT:
        raise VerificationError("two landmarks lie on one place, so they give no direction")
    return away


def _degrees(u: tuple[float, ...], v: tuple[float, ...]) -> float:
    """The angle between two vectors, 0 to 180, by the arctangent, which is exact also near 0 and 180."""
    inner = sum(a * b for a, b in zip(u, v, strict=True))
    squares = [u[i] * v[k] - u[k] * v[i] for i in range(len(u)) for k in range(i + 1, len(u))]
    return math.degrees(math.atan2(math.sqrt(sum(s * s for s in squares)), inner))


def distance_mm(view: MediaView, args: Mapping[str, str]) -> Result:
    (p, q), unit = _points(view, (args["p"], args["q"]))
    if unit != "mm":
        raise VerificationError("the landmarks are in pixels without a spacing, so they have no distance")
    return Result(format_size(math.sqrt(sum((b - a) ** 2 for a, b in zip(p, q, strict=True))), 1), "mm")


def angle_deg(view: MediaView, args: Mapping[str, str]) -> Result:
    (p, q, r), _ = _points(view, (args["p"], args["q"], args["r"]))
    return Result(format_number(_degrees(_away(q, p), _away(q, r)), 1), "degree")


def angle_between_lines_deg(view: MediaView, args: Mapping[str, str]) -> Result:
    (p, q, r, s), _ = _points(view, (args["p"], args["q"], args["r"], args["s"]))
    between = _degrees(_away(p, q), _away(r, s))
    return Result(format_number(min(between, 180.0 - between), 1), "degree")
