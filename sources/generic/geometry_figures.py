"""Figures of plane geometry on a canvas: what is drawn, its questions, and answers that whole numbers decide.

Every family (`FAMILIES`) is a function of a generator and a level to a `Figure`. Points have whole coordinates, so that
"lies on", "parallel", "right angle" and areas are exact; what is not so is kept well away from it (`clear` pixels,
degrees of a fifth of a right angle), and the higher the level, the smaller that margin and the more stands beside it.
Covered: points on segments and circles, angles, lengths, parallels, perpendiculars, areas on squared paper, counts
(those of Geoperception, arXiv 2412.08737, besides its marks of equality). Not covered: solids, unlabelled shapes,
figures that need a construction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import NamedTuple, TypeVar

import numpy as np

from manifests.errors import RecordError
from manifests.record import Asked

SIDE = 336  # pixels of a canvas
MARGIN = 32
LETTERS = "KLMNPRSTVWXYZ"  # names of points; none is the letter of an option
LEVELS = (1, 2, 3)
SQUARE = 28  # pixels of a square of squared paper
TRIES, PLACES = 4000, 60  # layouts of a figure, places of a further segment

T = TypeVar("T")


class Point(NamedTuple):
    x: int
    y: int


class Segment(NamedTuple):
    a: Point
    b: Point


@dataclass
class Figure:
    """What is drawn: named points, segments, circles (centre, radius), whether on squared paper; and what is asked."""

    family: str
    points: dict[str, Point] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)
    circles: list[tuple[Point, int]] = field(default_factory=list)
    squared: bool = False
    asked: list[Asked] = field(default_factory=list)

    def name(self, point: Point) -> str:
        """The next free letter for a point, so that names stand in the order of asking."""
        letter = LETTERS[len(self.points)]
        self.points[letter] = point
        return letter

    def named(self, segment: Segment) -> str:
        """A segment with both its ends, which are named."""
        self.segments.append(segment)
        return self.name(segment.a) + self.name(segment.b)


Drawing = np.random.Generator


def cross(u: Point, v: Point) -> int:
    return u.x * v.y - u.y * v.x


def dot(u: Point, v: Point) -> int:
    return u.x * v.x + u.y * v.y


def way(a: Point, b: Point) -> Point:
    return Point(b.x - a.x, b.y - a.y)


def moved(a: Point, v: Point, times: int = 1) -> Point:
    return Point(a.x + times * v.x, a.y + times * v.y)


def inside(*points: Point) -> bool:
    return all(MARGIN <= p.x <= SIDE - MARGIN and MARGIN <= p.y <= SIDE - MARGIN for p in points)


def apart(points: list[Point], least: int) -> bool:
    """Whether every two points are so many pixels from each other."""
    return all(dot(way(a, b), way(a, b)) >= least * least for a, b in combinations(points, 2))


def beside(point: Point, segment: Segment, clear: int) -> bool:
    """Whether a point is `clear` pixels from the line of a segment."""
    along = way(segment.a, segment.b)
    return cross(along, way(segment.a, point)) ** 2 >= clear * clear * dot(along, along)


def slanted(u: Point, v: Point, thousandths: int) -> bool:
    """Whether the square of the sine between two directions is so large."""
    return 1000 * cross(u, v) ** 2 >= thousandths * dot(u, u) * dot(v, v)


def anywhere(rng: Drawing) -> Point:
    return Point(int(rng.integers(MARGIN, SIDE - MARGIN + 1)), int(rng.integers(MARGIN, SIDE - MARGIN + 1)))


def direction(rng: Drawing, longest: int = 5) -> Point:
    """A short whole direction, of any of the eight octants, never along an axis alone."""
    return Point(int(rng.integers(1, longest + 1)) * _sign(rng), int(rng.integers(1, longest + 1)) * _sign(rng))


def _sign(rng: Drawing) -> int:
    return 1 if rng.integers(2) else -1


def found(make: Callable[[], T | None]) -> T:
    """The first figure that can be laid out."""
    for _ in range(TRIES):
        made = make()
        if made is not None:
            return made
    raise RecordError("no_figure", f"none in {TRIES} tries", "choose another seed")


def shuffled(rng: Drawing, things: list[T]) -> list[T]:
    """In a drawn order, so that what is right has no name and no place of its own."""
    return [things[int(i)] for i in rng.permutation(len(things))]


# ---------------------------------------------------------------------------------------------------------- families
def on_segment(rng: Drawing, level: int) -> Figure:
    """One of several points lies on a segment; the others are `clear` of its line."""
    clear = (36, 26, 18)[level - 1]

    def lay() -> Figure | None:
        step, steps = direction(rng, 4), int(rng.integers(24, 60))
        start = anywhere(rng)
        segment = Segment(start, moved(start, step, steps))
        on = moved(start, step, int(rng.integers(steps // 4, steps - steps // 4)))
        others = [anywhere(rng) for _ in range(1 + level)]
        points = [segment.a, segment.b, on, *others]
        if not inside(*points) or not apart(points, 44) or not all(beside(p, segment, clear) for p in others):
            return None
        figure = Figure("on_segment")
        name = figure.named(segment)
        right, wrong = _names(rng, figure, on, others)
        why = f"{right} divides the way from {name[0]} to {name[1]}; the other points are off that line."
        figure.asked.append(
            _choice(rng, f"Which of the points lies on the segment {name}?", right, wrong, why, "point")
        )
        return figure

    return found(lay)


ON_CIRCLE = ((3, 4), (4, 3), (5, 0), (0, 5))  # whole points of a circle of radius 5


def on_circle(rng: Drawing, level: int) -> Figure:
    """One of several points lies on a circle; the others are `clear` of it, inside or outside."""
    clear = (34, 26, 18)[level - 1]

    def lay() -> Figure | None:
        centre, size = anywhere(rng), int(rng.integers(9, 20))
        radius = 5 * size
        x, y = ON_CIRCLE[int(rng.integers(len(ON_CIRCLE)))]
        on = Point(centre.x + _sign(rng) * x * size, centre.y + _sign(rng) * y * size)
        others = [anywhere(rng) for _ in range(1 + level)]
        far = [dot(way(centre, p), way(centre, p)) for p in others]
        clean = all(d <= (radius - clear) ** 2 or d >= (radius + clear) ** 2 for d in far)
        ends = [Point(centre.x + dx * radius, centre.y + dy * radius) for dx, dy in ((-1, -1), (1, 1))]
        if not clean or not inside(centre, on, *others, *ends) or not apart([centre, on, *others], 40):
            return None
        figure = Figure("on_circle", circles=[(centre, radius)])
        middle = figure.name(centre)
        right, wrong = _names(rng, figure, on, others)
        why = f"{right} is as far from {middle} as the line of the circle; the other points are nearer or farther."
        asked = f"Which of the points lies on the circle around {middle}?"
        figure.asked.append(_choice(rng, asked, right, wrong, why, "point"))
        return figure

    return found(lay)


def angle(rng: Drawing, level: int) -> Figure:
    """Acute, right or obtuse, with a margin that shrinks; beside it segments that have no part in it."""
    kind = ("acute", "right", "obtuse")[int(rng.integers(3))]
    margin = (250, 117, 67)[level - 1]  # thousandths of the squared cosine: 60, 70, 75 degrees

    def lay() -> Figure | None:
        corner, u = anywhere(rng), direction(rng)
        v = Point(-u.y, u.x) if kind == "right" else direction(rng)
        ends = [moved(corner, u, int(rng.integers(12, 40))), moved(corner, v, int(rng.integers(12, 40)))]
        arms = [way(corner, e) for e in ends]
        turned = dot(*arms)
        skewed = 1000 * turned * turned >= margin * dot(arms[0], arms[0]) * dot(arms[1], arms[1])
        fits = {"acute": turned > 0 and skewed, "right": turned == 0, "obtuse": turned < 0 and skewed}[kind]
        others = [anywhere(rng) for _ in range(2 * (level - 1))]
        points = [ends[0], corner, ends[1], *others]
        if not fits or not slanted(arms[0], arms[1], 117) or not inside(*points) or not apart(points, 52):
            return None
        figure = Figure("angle")
        name = "".join(figure.name(p) for p in points[:3])
        figure.segments += [Segment(corner, end) for end in ends]
        for a, b in zip(others[::2], others[1::2], strict=True):
            figure.named(Segment(a, b))
        than = {"acute": "less than", "right": "exactly", "obtuse": "more than"}[kind]
        why = f"At {name[1]} the arms to {name[0]} and {name[2]} enclose {than} a quarter of a turn."
        asked = Asked(f"What kind of angle is {name}?", kind, ("acute", "right", "obtuse"), "angle", why)
        figure.asked.append(asked)
        return figure

    return found(lay)


def longest(rng: Drawing, level: int) -> Figure:
    """The longest of several segments; the second is shorter by a ratio that nears 1."""
    ratio = (400, 225, 156)[level - 1]  # hundredths of the squared ratio: 2, 1.5, 1.25

    def lay() -> Figure | None:
        segments = [Segment(anywhere(rng), anywhere(rng)) for _ in range(1 + level)]
        points = [p for s in segments for p in s]
        lengths = sorted(dot(way(*s), way(*s)) for s in segments)
        if not apart(points, 44) or 100 * lengths[-1] < ratio * lengths[-2]:
            return None
        figure = Figure("longest")
        names = {figure.named(s): dot(way(*s), way(*s)) for s in segments}
        right = max(names, key=lambda n: names[n])
        wrong = [name for name in names if name != right]
        why = f"{right} spans more of the picture than {' and '.join(wrong)}."
        figure.asked.append(_choice(rng, "Which of the segments is the longest?", right, wrong, why, "length"))
        return figure

    return found(lay)


def parallel(rng: Drawing, level: int) -> Figure:
    return _directed(rng, level, "parallel")


def perpendicular(rng: Drawing, level: int) -> Figure:
    return _directed(rng, level, "perpendicular")


def _directed(rng: Drawing, level: int, family: str) -> Figure:
    """One of several segments runs as the first, or at a right angle to it; the others do neither."""
    margin = (250, 117, 67)[level - 1]  # thousandths of the squared sine: 30, 20, 15 degrees

    def lay() -> Figure | None:
        step = direction(rng)
        square = Point(-step.y, step.x)
        first, second = _run(rng, step), _run(rng, step if family == "parallel" else square)
        segments = [first, second]
        for _ in range(PLACES):
            other = Segment(anywhere(rng), anywhere(rng))
            aslant = all(slanted(way(*other), v, margin) for v in (step, square))
            if aslant and apart([p for s in (*segments, other) for p in s], 40):
                segments.append(other)
            if len(segments) == 3 + level:
                break
        points = [p for s in segments for p in s]
        if len(segments) < 3 + level or not inside(*points) or not apart(points, 40):
            return None
        figure = Figure(family)
        whole, order = figure.named(first), shuffled(rng, segments[1:])
        names = {s: figure.named(s) for s in order}
        right, wrong = names[second], [names[s] for s in order if s != second]
        as_ = "in the same direction as" if family == "parallel" else "at a right angle to"
        why = f"{right} runs {as_} {whole}; the others run aslant to it."
        asked = f"Which of the segments is {family} to {whole}?"
        figure.asked.append(_choice(rng, asked, right, wrong, why, family))
        return figure

    return found(lay)


def _run(rng: Drawing, step: Point) -> Segment:
    start = anywhere(rng)
    return Segment(start, moved(start, step, int(rng.integers(12, 36))))


def area(rng: Drawing, level: int) -> Figure:
    """A rectangle, a right triangle or any lattice triangle on squared paper; its area in squares."""

    def lay() -> Figure | None:
        x, y, width, height = (int(rng.integers(low, high)) for low, high in ((1, 5), (1, 5), (2, 7), (2, 7)))
        if level == 1:
            corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
        elif level == 2:
            corners = [(x, y), (x + width, y), (x, y + height)]
        else:
            corners = [(int(rng.integers(1, 11)), int(rng.integers(1, 11))) for _ in range(3)]
        around = list(zip(corners, [*corners[1:], corners[0]], strict=True))
        doubled = abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in around))
        points = [Point(cx * SQUARE + SQUARE // 2, cy * SQUARE + SQUARE // 2) for cx, cy in corners]
        if doubled < 6 or not inside(*points) or not apart(points, 2 * SQUARE):
            return None
        figure = Figure("area", squared=True)
        name = "".join(figure.name(p) for p in points)
        figure.segments += [Segment(a, b) for a, b in zip(points, [*points[1:], points[0]], strict=True)]
        value = f"{doubled // 2}.5" if doubled % 2 else str(doubled // 2)
        what = "rectangle" if level == 1 else "triangle"
        why = {
            1: f"{name} is {width} squares wide and {height} squares high: {width} x {height} = {value}.",
            2: f"{name} is half of a rectangle of {width} by {height} squares: {width} x {height} / 2 = {value}.",
            3: f"By its corners' places in squares, twice the area of {name} is {doubled}; half of it is {value}.",
        }[level]
        asked = f"The paper is divided into unit squares. What is the area of the {what} {name}, in squares?"
        figure.asked.append(Asked(asked, value, (), "area", why))
        return figure

    return found(lay)


def count(rng: Drawing, level: int) -> Figure:
    """How many circles and how many triangles, one to a cell of the canvas."""
    cells = [int(c) for c in rng.permutation(16)[: int(rng.integers(2 * level, 4 * level + 1))]]
    figure = Figure("count")
    triangles = 0
    for cell in cells:
        middle = Point(42 + 84 * (cell % 4), 42 + 84 * (cell // 4))
        size = int(rng.integers(16, 33))
        if rng.integers(2):
            figure.circles.append((middle, size))
            continue
        triangles += 1
        tip, lean = Point(middle.x, middle.y - size), int(rng.integers(0, size))
        feet = [Point(middle.x - lean, middle.y + size), Point(middle.x + size, middle.y + size - lean // 2)]
        ring = [tip, *feet, tip]
        figure.segments += [Segment(a, b) for a, b in pairwise(ring)]
    for what, number in (("circles", len(figure.circles)), ("triangles", triangles)):
        figure.asked.append(Asked(f"How many {what} are in the picture?", str(number), (), what, ""))
    return figure


def _choice(rng: Drawing, question: str, right: str, wrong: list[str], why: str, about: str) -> Asked:
    return Asked(question, right, tuple(shuffled(rng, [right, *wrong])), about, why)


def _names(rng: Drawing, figure: Figure, right: Point, wrong: list[Point]) -> tuple[str, list[str]]:
    """The names of the right point and the others, which are named in a drawn order."""
    names = {p: figure.name(p) for p in shuffled(rng, [right, *wrong])}
    return names[right], [names[p] for p in wrong]


FAMILIES: dict[str, Callable[[Drawing, int], Figure]] = {
    "on_segment": on_segment,
    "on_circle": on_circle,
    "angle": angle,
    "longest": longest,
    "parallel": parallel,
    "perpendicular": perpendicular,
    "area": area,
    "count": count,
}
