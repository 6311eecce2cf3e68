"""Geometry: figures drawn on demand, with questions whose answers are computed, in three levels of difficulty.

Layout: one file `figures.json`, {"seed": 7, "figures": 10000}: so many figures of each level. Figure n of a level shows
the family n mod 8 (`sources.generic.geometry_figures`) and depends on seed, level and n alone, so a larger number holds
the smaller one's figures. Pictures are 336 x 336 grey, drawn in twice that size, carried as uncompressed BMP; letters
are strokes of their own, so that no font decides. A recipe takes a level as a source of its own (`{source: geometry,
name: geometry_1, levels: [1]}`) and orders them in a curriculum, as Euclid does (arXiv 2412.08737).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.containers import carried_ref
from sources.upstream import Shelf, Upstream, broken, sidecar_json

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from PIL.ImageDraw import ImageDraw

    from sources.generic.geometry_figures import Figure, Point

FILE = "figures.json"
RUN, MOST = 256, 10_000_000
BYTES = 115_000  # of one picture
INK, PAPER, RULED = 0, 255, 205
FAR = 15  # pixels from a point to the middle of its name
Family = Literal["on_segment", "on_circle", "angle", "longest", "parallel", "perpendicular", "area", "count"]
STROKES = {
    "K": ("0006", "4003", "0346"), "L": ("000646",), "M": ("0600234046",), "N": ("06004640",),
    "P": ("06003041423303",), "R": ("06003041423303", "2346"), "S": ("413010010213334445361605",),
    "T": ("0040", "2026"), "V": ("002640",), "W": ("0016223640",), "X": ("0046", "4006"), "Y": ("002340", "2326"),
    "Z": ("00400646",),
}  # fmt: skip  # each stroke a chain of (x, y) digits on a grid of 5 x 7


class Geometry(Upstream):
    """One record per figure, drawn when it is read. `levels` and `families` say which are taken."""

    source: Literal["geometry"]
    levels: tuple[Literal[1, 2, 3], ...] = Field(default=(1, 2, 3), min_length=1)
    families: tuple[Family, ...] = ()
    needs: ClassVar[tuple[str, ...]] = (FILE,)
    card: ClassVar[Card] = Card(
        name="geometry",
        what="figures of plane geometry, drawn, with questions whose answers are computed, in three levels",
        licence="CC0-1.0",
        phi_risk="none: nothing but lines and letters",
        size="as many as `figures.json` asks for",
        layout='figures.json: {"seed": 7, "figures": 10000}, figures of each level',
        steps="write figures.json; nothing is fetched",
        known="measured",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        entry = shelf.get(FILE)
        if entry is not None:
            file = (shelf.take(entry),)
            try:
                figures, _ = _asked_for(sidecar_json(place, entry))
            except RecordError as error:
                yield broken(entry, error)
                figures = 0
            for level in sorted(set(self.levels)):
                for first in range(0, figures, RUN):
                    count = min(RUN, figures - first)
                    yield Item(f"level {level}, figure {first}", "rows", file, block=(first, count * BYTES, count))
        yield from shelf.rest()

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        import numpy as np

        from sources.generic.geometry_figures import FAMILIES

        entry = Entry(FILE, item.files[0].size_bytes, item.files[0].sha256, {})
        _, seed = _asked_for(sidecar_json(place, entry))
        level = int(item.upstream_id.split()[1].rstrip(","))
        first, _, count = item.block or (0, 0, 0)
        for number in range(first, first + count):
            family = list(FAMILIES)[number % len(FAMILIES)]
            if self.families and family not in self.families:
                continue
            figure = FAMILIES[family](np.random.default_rng([seed, level, number]), level)
            bitmap = _drawn(figure)
            name = f"{level}-{number}"
            yield Item(
                upstream_id=name,
                form="picture",
                files=(carried_ref(FILE, bitmap, f"row={name}"),),
                facts=(
                    *self.declared_facts(),
                    Fact("keyword", f"difficulty {level}", "computed"),
                    Fact("keyword", family, "computed"),
                ),
                asked=tuple(figure.asked),
                carried=(bitmap,),
            )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        mini.json_file(root / FILE, {"seed": int(rng.integers(1000)), "figures": 8})


def _asked_for(said: object) -> tuple[int, int]:
    """How many figures of a level, and the seed. Raises `RecordError` `bad_table`."""
    figures, seed = (said.get("figures"), said.get("seed")) if isinstance(said, dict) else (None, None)
    if not isinstance(figures, int) or not isinstance(seed, int) or not 1 <= figures <= MOST or not 0 <= seed < 1 << 63:
        raise RecordError("bad_table", "no whole numbers `seed` and `figures`", 'e.g. {"seed": 7, "figures": 10000}')
    return figures, seed


def _drawn(figure: Figure) -> bytes:
    """The picture as an uncompressed BMP, whose bytes depend on its pixels alone."""
    from PIL import Image, ImageDraw

    from sources.generic.geometry_figures import SIDE, SQUARE

    canvas = Image.new("L", (2 * SIDE, 2 * SIDE), PAPER)
    draw = ImageDraw.Draw(canvas)
    if figure.squared:
        for at in range(SQUARE, 2 * SIDE, 2 * SQUARE):
            draw.line([(at, 0), (at, 2 * SIDE)], RULED, 2)
            draw.line([(0, at), (2 * SIDE, at)], RULED, 2)
    for (x, y), radius in figure.circles:
        draw.ellipse([2 * (x - radius), 2 * (y - radius), 2 * (x + radius), 2 * (y + radius)], None, INK, 4)
    for a, b in figure.segments:
        draw.line([(2 * a.x, 2 * a.y), (2 * b.x, 2 * b.y)], INK, 4)
    for letter, point in figure.points.items():
        draw.ellipse([2 * point.x - 7, 2 * point.y - 7, 2 * point.x + 7, 2 * point.y + 7], INK)
        _write(draw, letter, _free(figure, point))
    buffer = io.BytesIO()
    canvas.reduce(2).save(buffer, "BMP")
    return buffer.getvalue()


def _write(draw: ImageDraw, letter: str, middle: Point) -> None:
    """A letter about a point of the canvas, 8 by 12 pixels."""
    for stroke in STROKES[letter]:
        digits = [int(d) for d in stroke]
        at = [
            (2 * middle.x + 4 * (x - 2), 2 * middle.y + 4 * (y - 3))
            for x, y in zip(digits[::2], digits[1::2], strict=True)
        ]
        draw.line(at, INK, 3, "curve")


def _free(figure: Figure, point: Point) -> Point:
    """Where a point's name crosses least: of eight places around it the one farthest from every line and point."""
    from sources.generic.geometry_figures import Point

    ways = ((0, -1), (1, -1), (1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1))
    places = [Point(point.x + FAR * x, point.y + FAR * y) for x, y in ways]
    return max(places, key=lambda p: (_room(figure, p, point), -places.index(p)))


def _room(figure: Figure, place: Point, own: Point) -> float:
    """The distance in pixels from a place to the nearest line, circle or other point."""
    from sources.generic.geometry_figures import cross, dot, way

    distances = [dot(way(place, p), way(place, p)) ** 0.5 for p in figure.points.values() if p != own]
    for centre, radius in figure.circles:
        distances.append(abs(dot(way(centre, place), way(centre, place)) ** 0.5 - radius))
    for a, b in figure.segments:
        along, to = way(a, b), way(a, place)
        length = dot(along, along)
        if 0 < dot(along, to) < length:
            distances.append(abs(cross(along, to)) / length**0.5)
        else:
            distances.append(min(dot(to, to), dot(way(b, place), way(b, place))) ** 0.5)
    return min(distances, default=0.0)
