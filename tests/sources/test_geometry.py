"""Drawn geometry: an oracle in floating point finds the same answers; a figure depends on its number alone."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sources.base import Entry, Place
from sources.generic.geometry import Geometry
from sources.generic.geometry_figures import FAMILIES, LEVELS, SIDE, Figure, Point
from tests.sources.listing import entries_of, items_of, pseudonym

CHECKED = 8  # figures of each family and level


def figures(family: str) -> list[tuple[int, Figure]]:
    made = [(level, n) for level in LEVELS for n in range(CHECKED)]
    return [(level, FAMILIES[family](np.random.default_rng([3, level, n]), level)) for level, n in made]


def direction(figure: Figure, segment: str) -> float:
    (ax, ay), (bx, by) = (figure.points[letter] for letter in segment)
    return math.degrees(math.atan2(by - ay, bx - ax)) % 180


def apart(one: float, other: float) -> float:
    """Degrees between two directions, at most 90."""
    return min(abs(one - other), 180 - abs(one - other))


def length(figure: Figure, segment: str) -> float:
    return math.dist(figure.points[segment[0]], figure.points[segment[1]])


def from_line(figure: Figure, segment: str, letter: str) -> float:
    (ax, ay), (bx, by), (px, py) = (figure.points[n] for n in (*segment, letter))
    return abs((bx - ax) * (py - ay) - (by - ay) * (px - ax)) / math.dist((ax, ay), (bx, by))


def right_ones(figure: Figure, family: str, options: tuple[str, ...], named: str) -> list[str]:
    """The options that the oracle finds right."""
    if family == "on_segment":
        return [o for o in options if from_line(figure, named, o) < 1e-6]
    if family == "on_circle":
        radius = figure.circles[0][1]
        return [o for o in options if abs(math.dist(figure.points[o], figure.points[named]) - radius) < 1e-6]
    if family == "longest":
        return [max(options, key=lambda o: length(figure, o))]
    wanted = 0 if family == "parallel" else 90
    turned = {o: abs(apart(direction(figure, o), direction(figure, named)) - wanted) for o in options}
    assert all(off < 1e-6 or off > 14 for off in turned.values()), "no near miss"
    return [o for o, off in turned.items() if off < 1e-6]


@pytest.mark.parametrize("family", ["on_segment", "on_circle", "longest", "parallel", "perpendicular"])
def test_one_option_alone_is_right_and_every_letter_may_be(family: str) -> None:
    golds = set()
    for level, figure in figures(family):
        (asked,) = figure.asked
        named = asked.question.rstrip("?").split()[-1]
        assert right_ones(figure, family, asked.options, named) == [asked.answer]
        assert len(asked.options) == level + (1 if family == "longest" else 2)
        golds.add(asked.options.index(asked.answer))
    assert len(golds) >= 3


def test_angles_areas_and_counts_are_as_the_figure_has_them() -> None:
    for _, figure in figures("angle"):
        a, b, c = (figure.points[letter] for letter in figure.asked[0].question.rstrip("?").split()[-1])
        turn = math.degrees(math.acos(math.cos(math.atan2(a.y - b.y, a.x - b.x) - math.atan2(c.y - b.y, c.x - b.x))))
        kind = "right" if abs(turn - 90) < 1e-6 else "acute" if turn < 76 else "obtuse" if turn > 104 else "near miss"
        assert kind == figure.asked[0].answer
    for _, figure in figures("area"):
        ring = [*figure.points.values()]
        twice = sum(a.x * b.y - b.x * a.y for a, b in zip(ring, [*ring[1:], ring[0]], strict=True))
        assert abs(twice) / 2 / 28**2 == float(figure.asked[0].answer)
    for _, figure in figures("count"):
        circles, triangles = (int(a.answer) for a in figure.asked)
        assert (circles, 3 * triangles) == (len(figure.circles), len(figure.segments))


def listed(root: Path, figures: int, **options: object) -> dict[str, str]:
    root.mkdir()
    (root / "figures.json").write_text(json.dumps({"seed": 5, "figures": figures}))
    source = Geometry.model_validate({"source": "geometry", **options})
    return {i.upstream_id: i.files[0].sha256 for i in items_of(source, Place(root, root)) if i.carried}


def test_a_figure_depends_on_seed_level_and_number_alone(tmp_path: Path) -> None:
    few, more = listed(tmp_path / "few", 3), listed(tmp_path / "more", 9)
    assert few.items() <= more.items()
    assert len(set(more.values())) == 27
    assert listed(tmp_path / "hard", 9, levels=[3]).items() <= more.items()
    assert set(listed(tmp_path / "angles", 9, families=["angle"])) == {"1-2", "2-2", "3-2"}


def test_everything_drawn_stays_on_the_canvas_and_a_bad_file_is_told(tmp_path: Path) -> None:
    for family in FAMILIES:
        for _, figure in figures(family):
            ends = [*figure.points.values(), *(p for s in figure.segments for p in s)]
            ends += [Point(c.x + dx * r, c.y + dx * r) for c, r in figure.circles for dx in (-1, 1)]
            assert all(4 < p.x < SIDE - 4 and 4 < p.y < SIDE - 4 for p in ends), family
    (tmp_path / "figures.json").write_text('{"seed": 1, "figures": 0}')
    source, place = Geometry.model_validate({"source": "geometry"}), Place(tmp_path, tmp_path)
    assert [(i.status, i.reason) for i in items_of(source, place)] == [("failed", "bad_table")]


def test_a_picture_is_grey_of_the_stated_size(tmp_path: Path) -> None:
    (tmp_path / "figures.json").write_text('{"seed": 1, "figures": 1}')
    source, place = Geometry.model_validate({"source": "geometry", "levels": [2]}), Place(tmp_path, tmp_path)
    entries: list[Entry] = entries_of(source, place)
    (run,) = source.items(place, entries, pseudonym)
    (item,) = source.rows(run, place, pseudonym)
    shown = Image.open(io.BytesIO(item.carried[0]))
    assert (shown.mode, shown.size, shown.getextrema()) == ("L", (SIDE, SIDE), (0, 255))
