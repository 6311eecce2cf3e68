"""Named points of a volume or an image: 3D Slicer's markups, and plain tables of points, as facts.

    .mrk.json   Slicer markups, schema 1: control points in LPS or RAS millimetres, as each markup says
    .fcsv       Slicer's older list; `# CoordinateSystem` is RAS or 0, or LPS or 1
    .json       {"coordinate_system": "RAS", "points": {"nasion": [x, y, z], ...}}
    .csv        columns name, x, y[, z]; a column coordinate_system, or `# CoordinateSystem = RAS` above the header

The coordinate system is RAS, LPS (millimetres) or px (x, y of an image, from the centre of its first pixel). Points
with a z must name one: guessing it would exchange left and right. See Slicer's developer guide, Markups, and its
`markups-schema-v1.0.3.json`. Not covered: voxel indices (IJK), units other than mm, control points that were never
placed (they are left out), curves and measurements that a markup computes from its points.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from curate.guard import read_bytes, typed
from manifests.errors import RecordError
from manifests.record import Fact
from synth.calls import format_number

MAX_BYTES = 4 << 20
MAX_POINTS = 4096
LIMIT = 1e6  # mm or pixels; beyond it nothing is a place in a patient
_NAME = re.compile(r"[\w .+/()'-]{1,64}")
_FRAMES = {"ras": "ras", "0": "ras", "lps": "lps", "1": "lps", "px": "px"}
_COLUMNS = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatednodeid"
_PLACED = ("defined", "")
_REMEDY = "export the points again as .mrk.json, or give name, x, y, z and the coordinate system"


@dataclass(frozen=True, slots=True)
class Landmark:
    """A named point: (x, y, z) in RAS+ millimetres, or (x, y) in pixels of an image (`unit` px)."""

    name: str
    point: tuple[float, ...]
    unit: Literal["mm", "px"]


def read_landmarks(path: Path) -> tuple[Landmark, ...]:
    """The points of one file, in their order, at most 4096; pixels stay pixels, LPS becomes RAS+.

    Raises RecordError: `unreadable_file`, `too_large`, `bad_landmarks` (not of a known form, or values that are no
    points), `landmark_frame` (an unknown coordinate system, or none), `landmark_name` (empty, doubled or odd names).
    """
    data = read_bytes(path, MAX_BYTES)
    with typed("bad_landmarks", _REMEDY):
        text = data.decode("utf-8-sig")
        name = path.name.lower()
        points = tuple(_csv_points(text, name) if name.endswith((".fcsv", ".csv")) else _json_points(text))
    if len({p.name for p in points}) != len(points):
        raise RecordError("landmark_name", "a name that stands twice", "give each point a name of its own")
    return points


def landmark_facts(
    landmarks: tuple[Landmark, ...], file: str, spacing_mm: tuple[float, float] | None = None
) -> tuple[Fact, ...]:
    """One `landmark` fact per point: about its name, `x,y,z` in plain decimals, 3 places, RAS+ mm.

    Points of an image become `x,y` in mm from the centre of its first pixel where `spacing_mm` (y, x) is given, else
    stay pixels. `file` is the path inside the source; its name stands in the origin.
    """
    facts = []
    for mark in landmarks:
        point, unit = mark.point, mark.unit
        if unit == "px" and spacing_mm is not None:
            point, unit = (point[0] * spacing_mm[1], point[1] * spacing_mm[0]), "mm"
        value = ",".join(format_number(v, 3) for v in point)
        facts.append(Fact("landmark", value, f"landmarks:{PurePosixPath(file).name}", unit=unit, about=mark.name))
    return tuple(facts)


# --- forms -----------------------------------------------------------------------------------------------------------


def _json_points(text: str) -> Iterator[Landmark]:
    root = json.loads(text)
    if isinstance(root, dict) and isinstance(root.get("markups"), list):
        yield from _markups(root["markups"])
        return
    if not isinstance(root, dict) or not isinstance(root.get("points"), dict):
        raise RecordError("bad_landmarks", "JSON without `markups` or `points`", _REMEDY)
    for name, values in _limited(root["points"].items()):
        if not isinstance(values, list):
            raise RecordError("bad_landmarks", "a point that is no list of numbers", _REMEDY)
        yield _landmark(str(name), values, str(root.get("coordinate_system", "")))


def _markups(markups: list[Any]) -> Iterator[Landmark]:
    for markup in markups:
        units = markup.get("coordinateUnits", "mm")
        if (units[0] if isinstance(units, list) and units else units) != "mm":
            raise RecordError("landmark_frame", "coordinateUnits other than mm", "export the points in mm")
        for point in _limited(markup.get("controlPoints", [])):
            if point.get("positionStatus", "defined") in _PLACED:
                position = point["position"]
                if not isinstance(position, list) or len(position) != 3:
                    raise RecordError("bad_landmarks", "a control point without x, y and z", _REMEDY)
                yield _landmark(str(point.get("label", "")), position, str(markup.get("coordinateSystem", "LPS")))


def _csv_points(text: str, file: str) -> Iterator[Landmark]:
    frame, columns = "", _COLUMNS.split(",") if file.endswith(".fcsv") else []
    lines = []
    for line in text.splitlines():
        stated = re.match(r"#\s*(CoordinateSystem|columns)\s*=\s*(.*)", line)
        if stated and stated[1] == "columns":
            columns = stated[2].strip().lower().split(",")
        elif stated:
            frame = stated[2].strip()
        if line.strip() and not line.startswith("#"):
            lines.append(line)
    rows = csv.reader(io.StringIO("\n".join(lines)), strict=True)
    if not columns:
        columns = [c.strip().lower() for c in next(rows, [])]
    label = "label" if "label" in columns else "name"
    if not {label, "x", "y"} <= set(columns):
        raise RecordError("bad_landmarks", "a table without the columns name, x and y", _REMEDY)
    for row in _limited(rows):
        cells = dict(zip(columns, (cell.strip() for cell in row), strict=False))
        values = [cells[axis] for axis in "xyz" if axis in columns]
        yield _landmark(cells[label], values, cells.get("coordinate_system", frame))


def _limited(points: Any) -> Iterator[Any]:
    for number, point in enumerate(points):
        if number >= MAX_POINTS:
            raise RecordError("bad_landmarks", f"more than {MAX_POINTS} points", "give a file of fewer points")
        yield point


def _landmark(name: str, values: list[Any], frame: str) -> Landmark:
    if not _NAME.fullmatch(name.strip()):
        raise RecordError("landmark_name", f"a name of {len(name)} characters", "use 1 to 64 letters, digits, - or _")
    known = _FRAMES.get(frame.strip().lower())
    if known is None and not (len(values) == 2 and not frame):
        found = "no coordinate system" if not frame else "a coordinate system other than RAS, LPS and px"
        raise RecordError("landmark_frame", found, "say RAS or LPS, or px for points of an image")
    numbers = [float(v) for v in values]
    two = known in ("px", None)
    if len(numbers) != (2 if two else 3) or not all(math.isfinite(v) and abs(v) <= LIMIT for v in numbers):
        raise RecordError("bad_landmarks", f"{len(numbers)} values, or one that is no place", _REMEDY)
    if known == "lps":
        numbers[:2] = [0.0 - numbers[0], 0.0 - numbers[1]]
    return Landmark(name.strip(), tuple(numbers), "px" if two else "mm")
