"""EchoNet-Dynamic: apical four-chamber echocardiograms with ejection fraction, volumes and tracings.

Upstream's layout (Stanford AIMI, and echonet/datasets/echo.py): `FileList.csv` with FileName (no suffix), EF (percent),
ESV, EDV (mL), FrameHeight, FrameWidth, FPS, NumberOfFrames, Split (TRAIN, VAL, TEST); `Videos/NAME.avi`, 112 x 112;
`VolumeTracings.csv` with FileName (with `.avi`), X1, Y1, X2, Y2, Frame: for each of two frames the long axis, then
chords across the left ventricle. Quirks: the order of the two frames is not stated; the one with the larger traced area
is end-diastole; a few videos have no tracing, upstream's loader leaves them out and this reader does not; patients are
not told, so a video is its own group.

Held in memory: two areas for each video.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card
from manifests.errors import RecordError
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym
from sources.upstream import REMEDY, Line, Shelf, Upstream, rows_below, told
from sources.videos.shared import event, number

if TYPE_CHECKING:
    import numpy as np

LIST, TRACINGS = "FileList.csv", "VolumeTracings.csv"
MEASURED = (
    ("EF", "left ventricular ejection fraction", "percent"),
    ("ESV", "left ventricular end-systolic volume", "mL"),
    ("EDV", "left ventricular end-diastolic volume", "mL"),
)
Areas = dict[str, dict[int, float]]  # file name -> frame -> traced area in square pixels
Chord = tuple[float, float, float, float]


class EchoNetDynamic(Upstream):
    """One record per video; end-systole and end-diastole are events."""

    source: Literal["echonet_dynamic"]
    splits: tuple[str, ...] = ("train",)
    needs: ClassVar[tuple[str, ...]] = (LIST,)
    may: ClassVar[tuple[str, ...]] = (TRACINGS,)
    card: ClassVar[Card] = Card(
        name="echonet_dynamic",
        what="apical four-chamber echocardiograms with ejection fraction, volumes and traced ventricles",
        url="https://echonet.github.io/dynamic/",
        revision="2020 release",
        licence="LicenseRef-Stanford-EchoNet-Dynamic-Research-Use-Agreement",
        access="registered",
        steps="accept the research use agreement at Stanford AIMI, then unpack EchoNet-Dynamic below echonet_dynamic/",
        citation="Ouyang et al. Video-based AI for beat-to-beat assessment of cardiac function. "
        "Nature 580, 252-256 (2020).",
        phi_risk="low: cropped and masked to the sector by upstream, no header",
        modalities=("US",),
        body_parts=("heart",),
        tasks=("ejection-fraction", "temporal-events"),
        size="10,030 videos",
        layout="FileList.csv, VolumeTracings.csv, Videos/*.avi",
        known="published",
    )

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        areas = _areas(place) if TRACINGS in dict(self.tables(place)) else {}
        for row in rows_below(LIST, place):
            name = row["FileName"].removesuffix(".avi")
            video = shelf.get(f"Videos/{name}.avi")
            if video is None:
                yield row.missing(f"Videos/{name}.avi")
                continue
            files, split = (shelf.take(video), row.ref), row["Split"].lower()
            yield self.other_split(split, files, name) or Item(
                upstream_id=name,
                form="clip",
                files=files,
                group=pseudonym("video", f"echonet:{name}"),
                facts=(
                    *self.declared_facts(),
                    *told("split", split, "column:Split"),
                    *_facts(row, areas.get(name, {})),
                ),
            )
        yield from shelf.rest((*self.needs, *self.may))

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        from sources import mini

        rows, traced = [], []
        for video in range(6):
            name = f"0X{video:03X}A28877E97DF540"
            if video != 4:  # a row without its video
                mini.clip(root / f"Videos/{name}.avi", rng, seconds=1.2, fps=25, side=112)
            ejected = {"FileName": name, "EF": 55.25 + video, "ESV": 41.5 + video, "EDV": 98.75 + video}
            shape = {"FrameHeight": 112, "FrameWidth": 112, "FPS": 25, "NumberOfFrames": 30}
            rows.append({**ejected, **shape, "Split": ("TRAIN", "TRAIN", "TRAIN", "VAL", "TRAIN", "TEST")[video]})
            for frame, half in ((20, 10.0), (5, 16.0)) if video != 1 else ():  # one without tracing
                axis = {"X1": 56.0, "Y1": 20.0, "X2": 56.0, "Y2": 80.0}
                chords = [{"X1": 56 - half, "Y1": y, "X2": 56 + half, "Y2": y} for y in (30.0, 50.0, 70.0)]
                traced += [{"FileName": f"{name}.avi", **line, "Frame": frame} for line in (axis, *chords)]
        mini.table(root / LIST, rows)
        mini.table(root / TRACINGS, traced)


def _areas(place: Place) -> Areas:
    """The traced areas. Raises `RecordError` `bad_table`."""
    found: Areas = {}
    rows = (((row["FileName"].removesuffix(".avi"), row["Frame"]), row) for row in rows_below(TRACINGS, place))
    for (name, frame), several in groupby(rows, key=lambda pair: pair[0]):
        chords = [_chord(row) for _, row in several]
        if not frame.isdigit() or any(c != c for chord in chords for c in chord):
            raise RecordError("bad_table", f"'{TRACINGS}' holds what is no frame or no point", REMEDY)
        found.setdefault(name, {})[int(frame)] = _area(chords[1:])
    return found


def _chord(row: Line) -> Chord:
    return number(row["X1"]), number(row["Y1"]), number(row["X2"]), number(row["Y2"])


def _area(chords: Sequence[Chord]) -> float:
    """Of the outline down one end of the chords and up the other, by the shoelace formula."""
    outline = [(c[0], c[1]) for c in chords] + [(c[2], c[3]) for c in reversed(chords)]
    pairs = zip(outline, outline[1:] + outline[:1], strict=True)
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairs)) / 2


def _facts(row: Line, areas: dict[int, float]) -> Iterator[Fact]:
    yield Fact("view_position", "A4C", "card")
    for column, about, unit in MEASURED:
        yield from told("measurement", row[column], f"column:{column}", about, unit)
    rate = number(row["FPS"])
    if len(areas) == 2 and rate > 0:
        systole, diastole = sorted(areas, key=lambda frame: (areas[frame], frame))
        yield event("end-diastole", diastole / rate, diastole / rate, f"table:{TRACINGS}")
        yield event("end-systole", systole / rate, systole / rate, f"table:{TRACINGS}")
