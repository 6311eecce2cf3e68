"""From looks to duplicates: which records may show the same, and whether their pixels agree.

`candidates` reads hashes alone and proposes pairs of records with what speaks for them; `confirm_pair` reads two media
and answers with a `Match` or None. Pictures are compared with all else in all eight turns, in parts and halves as they
are; volumes with volumes and clips with clips as they are, by matches that lie on a line (slice k of one is slice a k +
b of the other). Both depend on nothing but the looks and the media: adding records adds pairs and changes none.

Held in memory: 40 bytes a row of looks (a picture has up to 16, a slice up to 3, an anchor up to 16), what
`curate.looks.index` holds of one search, and 32 bytes for each pair of hashes that is found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Array, Frames, Volume
from curate.looks.config import LooksConfig
from curate.looks.confirm import Match, compare_cells, compare_images
from curate.looks.hashes import HALVES, PARTS, turned, turned_hashes
from curate.looks.index import near_pairs
from curate.looks.line import SAME_SPEED, SLICES, lines
from curate.looks.rows import PICTURE, TIME, Looks
from curate.looks.video import FRAME_STEP_S
from curate.looks.volume import SLICE_STEP_MM, canonical, grey_bounds, plane_of

Kind = Literal["image", "slice", "frame", "volume", "video"]
Media = Array | Volume | Frames
TRIED = 6  # hits of a picture that are confirmed, the nearest first
COMPARED = 5  # slices or frames of two stacks that are confirmed
BEYOND_DOUBT = 0.95
AROUND = 2  # slices on either side of a hit that are tried at least

_Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, order=True)
class Hit:
    """Two hashes that are alike: differing bits, the second's turn, windows and views of both, and the axis and indices
    (slices, or ms) of those that are in a stack."""

    distance: int
    turn: int
    windows: tuple[int, int]
    views: tuple[int, int]
    axis: int
    indices: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Records `i` < `j` (by their place in the argument) that may show the same; of a picture and a stack, whichever
    is which."""

    i: int
    j: int
    kind: Kind
    hits: tuple[Hit, ...]


def candidates(looks: Sequence[Looks], config: LooksConfig) -> list[Candidate]:
    """Every pair of records whose hashes suggest one content, sorted by (i, j); see `confirm_pair`."""
    if not sum(len(one) for one in looks):
        return []
    rows = np.concatenate(looks)
    owners = np.repeat(np.arange(len(looks)), [len(one) for one in looks])
    found = np.concatenate(list(_searches(rows, owners, config)))
    found = found[np.lexsort((found[:, 3], found[:, 2], owners[found[:, 1]], owners[found[:, 0]]))]
    if not len(found):
        return []
    pairs = np.stack([owners[found[:, 0]], owners[found[:, 1]]], axis=1)
    starts = np.flatnonzero(np.r_[True, (pairs[1:] != pairs[:-1]).any(axis=1)])
    judged = (_judged(rows, owners, part, config) for part in np.split(found, starts[1:]))
    return sorted((c for c in judged if c), key=lambda c: (c.i, c.j))


def _searches(rows: Looks, owners: _Rows, config: LooksConfig) -> Iterator[_Rows]:
    """(k, 4): row, row, distance, turn of the second row, which always is the picture where only one is; the first
    owner is the smaller of two pictures or two stacks."""
    window, axis = rows["window"], rows["axis"]
    picture, whole, part = axis == PICTURE, window < HALVES, window >= PARTS
    asking = rows["anchor"] > 0
    loose, tight = (config.whole_low_bits, config.whole_bits), (config.part_low_bits, config.part_bits)
    aside = (config.turned_low_bits, config.turned_bits)
    hashes = np.ascontiguousarray(rows["hash"])

    def near(one: Array, other: Array, radii: tuple[int, int], turn: int = 0) -> _Rows:
        a, b = np.flatnonzero(one), np.flatnonzero(other)
        asked = turned_hashes(hashes[b], np.ascontiguousarray(rows["doubtful"][b]), turn)
        found = near_pairs(asked, hashes[a], *radii, (owners[b], owners[a]))
        return np.stack([a[found[:, 1]], b[found[:, 0]], found[:, 2], np.full(len(found), turn)], axis=1)

    yield np.empty((0, 4), np.int64)
    for turn in range(8 if config.turns else 1):
        yield _upper(near(picture & whole, picture & whole, aside if turn else loose, turn), owners)
        yield near(~picture & whole, picture & whole, aside if turn else loose, turn)
    yield near(~picture & part, picture & whole, tight)
    both = near(picture & part, picture & whole, tight)
    yield _upper(both, owners)
    yield _upper(both[:, [1, 0, 2, 3]], owners)
    for half in range(HALVES, PARTS):
        yield _upper(near(picture & (window == half), picture & (window == half), tight), owners)
    for stack in ((axis == TIME), (axis < TIME)):
        one = near(stack & (whole | part), stack & whole & asking, tight)
        one = one[axis[one[:, 0]] == axis[one[:, 1]]]
        yield _upper(one, owners)
        yield _upper(one[:, [1, 0, 2, 3]], owners)


def _upper(found: _Rows, owners: _Rows) -> _Rows:
    return found[owners[found[:, 0]] < owners[found[:, 1]]]


def _judged(rows: Looks, owners: _Rows, found: _Rows, config: LooksConfig) -> Candidate | None:
    """A candidate of all the hits of one pair of records, the first of which is a stack where only one is."""
    one, other = rows[found[0, 0]], rows[found[0, 1]]
    i, j = int(owners[found[0, 0]]), int(owners[found[0, 1]])
    hits = sorted({_hit(rows, row) for row in found})
    if other["axis"] == PICTURE:
        kind: Kind = "image" if one["axis"] == PICTURE else "frame" if one["axis"] == TIME else "slice"
        chosen = tuple(_varied(hits))
        return Candidate(i, j, kind, chosen) if i < j else Candidate(j, i, kind, tuple(map(_swapped, chosen)))
    slopes = SAME_SPEED if one["axis"] == TIME else SLICES
    found_lines = lines([(h.axis, *h.indices, h) for h in hits], config.matches, slopes)
    if not found_lines:
        return None
    spread = [line[round(k * (len(line) - 1) / (COMPARED - 1))] for line in found_lines for k in range(COMPARED)]
    return Candidate(i, j, "video" if one["axis"] == TIME else "volume", tuple(dict.fromkeys(spread)))


def _hit(rows: Looks, row: _Rows) -> Hit:
    one, other = rows[row[0]], rows[row[1]]
    windows = int(one["window"]), int(other["window"])
    views = int(one["view"]), int(other["view"])
    return Hit(int(row[2]), int(row[3]), windows, views, int(one["axis"]), (int(one["index"]), int(other["index"])))


def _swapped(hit: Hit) -> Hit:
    """The same with the stack second; the turn stays the picture's."""
    return replace(hit, windows=hit.windows[::-1], views=hit.views[::-1], indices=hit.indices[::-1])


def _varied(hits: list[Hit]) -> list[Hit]:
    """The nearest hits, no two of which differ in distance or view alone."""
    kept: dict[tuple[object, ...], Hit] = {}
    for hit in hits:
        kept.setdefault((hit.turn, hit.windows, hit.axis, hit.indices), hit)
    return list(kept.values())[:TRIED]


# ------------------------------------------------------------------------------------------------------- the pixels
def confirm_pair(candidate: Candidate, one: Media, other: Media, config: LooksConfig) -> Match | None:
    """The match of two records' media, record i's and record j's, or None where their pixels do not agree.

    Images are (y, x) or (y, x, 3) arrays, volumes and clips the canonical `Volume` and `Frames`. Of a picture and a
    stack `Match.pairs` holds (slice or ms, 0) and its `turn` and `place` are the picture's on the slice or frame.
    """
    if candidate.kind == "image":
        assert isinstance(one, np.ndarray)
        assert isinstance(other, np.ndarray)
        return _best_picture(one, other, candidate.hits, config)
    if candidate.kind in ("slice", "frame"):
        hits = candidate.hits
        if isinstance(one, np.ndarray):
            one, other, hits = other, one, tuple(map(_swapped, hits))
        return _in_stack(candidate.kind, one, other, hits, config)
    return _stacks(candidate, one, other, config)


def _best_picture(one: Array, other: Array, hits: Sequence[Hit], config: LooksConfig) -> Match | None:
    """The best of the hits that score enough, the nearest first; no more are tried where one leaves no doubt."""
    best = None
    for hit in hits:
        sure = hit.distance <= config.sure_bits and max(hit.windows) < HALVES
        match = _picture(one, other, hit)
        enough = match.score >= min(config.image_score, config.sure_score if sure else 1.0)
        best = match if enough and (best is None or match.score > best.score) else best
        if best is not None and best.score >= BEYOND_DOUBT:
            break
    return best


def _picture(one: Array, other: Array, hit: Hit) -> Match:
    """Halves and parts start from the whole that they belong to."""
    windows = tuple(1 if HALVES <= w < PARTS else w for w in hit.windows)
    return compare_images(one, other, hit.turn, (windows[0], windows[1]))


class _Stack:
    """The slices of a volume or the frames of a clip by their index in looks."""

    def __init__(self, media: Media) -> None:
        self._volume = canonical(media) if isinstance(media, Volume) else None
        self._clip = media if isinstance(media, Frames) else None
        self._bounds: dict[int, tuple[float, float]] = {}

    def near(self, axis: int, index: int) -> list[int]:
        """The indices of one slice or frame and of those between it and its neighbours in looks, itself first."""
        if self._clip is not None:
            times = [round(t * 1000) for t in self._clip.times_s]
            inside = [time for time in times if abs(time - index) <= FRAME_STEP_S * 1000]
            return sorted(inside, key=lambda time: (abs(time - index), time))
        assert self._volume is not None
        size = self._volume.voxels.shape[2 - axis]
        around = max(AROUND, round(SLICE_STEP_MM / self._volume.spacing_mm[2 - axis]))
        inside = [k for k in range(index - around, index + around + 1) if 0 <= k < size]
        return sorted(inside, key=lambda k: (abs(k - index), k))

    def picture(self, axis: int, index: int, view: int) -> Array:
        if self._clip is not None:
            times = [round(t * 1000) for t in self._clip.times_s]
            frame: Array = self._clip.frames[min(range(len(times)), key=lambda k: abs(times[k] - index))]
            return frame
        assert self._volume is not None
        if view not in self._bounds:
            self._bounds[view] = grey_bounds(self._volume, view)
        return plane_of(self._volume, axis, index, self._bounds[view])


def _in_stack(kind: Kind, media: Media, picture: Media, hits: Sequence[Hit], config: LooksConfig) -> Match | None:
    """The slice or frame on which the picture scores best."""
    assert isinstance(picture, np.ndarray)
    stack = _Stack(media)
    best = Match(0.0, kind)
    for hit in hits:
        shown = np.ascontiguousarray(turned(picture, hit.turn))
        for index in stack.near(hit.axis, hit.indices[0]):
            match = compare_cells(stack.picture(hit.axis, index, hit.views[0]), shown, hit.turn, hit.windows)
            if match.score > best.score:
                best = replace(match, method=kind, axis=hit.axis, pairs=((index, 0),))
    least = config.slice_score if kind == "slice" else config.frame_score
    return best if best.score >= least else None


def _stacks(candidate: Candidate, one: Media, other: Media, config: LooksConfig) -> Match | None:
    """The middle score of slices or frames that lie on a line, of the first axis whose is high enough."""
    first, second = _Stack(one), _Stack(other)
    least = config.volume_score if candidate.kind == "volume" else config.frame_score
    for axis in dict.fromkeys(hit.axis for hit in candidate.hits):
        middle = _along(first, second, [hit for hit in candidate.hits if hit.axis == axis])
        if middle.score >= least:
            return replace(middle, method=candidate.kind, axis=axis)
    return None


def _along(first: _Stack, second: _Stack, hits: Sequence[Hit]) -> Match:
    """The middle match of the slices or frames of one line, each with the best of those around its partner, and the
    pairs of all of them."""
    found = []
    for hit in hits:
        shown = first.picture(hit.axis, hit.indices[0], hit.views[0])
        tried = []
        for index in second.near(hit.axis, hit.indices[1]):
            match = compare_cells(shown, second.picture(hit.axis, index, hit.views[1]), 0, hit.windows)
            tried.append(replace(match, pairs=((hit.indices[0], index),)))
        found.append(max(tried, key=lambda m: m.score))
    found.sort(key=lambda m: (m.score, m.pairs))
    middle = found[(len(found) - 1) // 2]
    return replace(middle, pairs=tuple(sorted(pair for m in found for pair in m.pairs)))
