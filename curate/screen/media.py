"""What records' media look like beside the media of benchmarks: pictures, slices and frames in one comparison.

Hashes alone decide, so the radii are strict (`curate.decontaminate.Thresholds`). A pack's picture is compared with
records' pictures, slices and frames in all eight turns, and as it is with parts of them (and its parts with their
wholes: either may be a crop of the other); a pack's slices and frames with records' pictures in all eight turns; and
stacks with stacks of their axis, where matches must lie on a line (`curate.looks.line`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from curate.decontaminate import Evidence, Hit, Packs, Thresholds
from curate.looks.hashes import HALVES, PARTS, Hashes, turned_hashes
from curate.looks.index import near_pairs
from curate.looks.line import SAME_SPEED, SLICES, lines
from curate.looks.rows import LOOK, PICTURE, TIME, Looks
from curate.packs.looks import COLUMNS, mark
from manifests.errors import RecipeError

BITS = 128
TURNS = 8
AXES: tuple[Literal["x", "y", "z", "time"], ...] = ("x", "y", "z", "time")

Rows = NDArray[np.int64]
Found = dict[tuple[int, int, int], Hit]  # (record, pack, item) -> the best hit


@dataclass(frozen=True, eq=False)
class LookTable:
    """The looks of all packs, as rows with the pack and the item of each."""

    packs: Packs

    @cached_property
    def rows(self) -> Looks:
        found = [np.zeros(0, LOOK)]
        for pack in self.packs.packs:
            rows = np.zeros(len(pack["looks_item"]), LOOK)
            for name in COLUMNS:
                rows[name] = pack[f"looks_{name}"]
            rows["doubtful"][: len(pack["looks_doubtful"])] = pack["looks_doubtful"]
            found.append(rows)
        return np.concatenate(found)

    @cached_property
    def pack(self) -> Rows:
        return np.repeat(np.arange(len(self.packs.packs)), [len(p["looks_item"]) for p in self.packs.packs])

    @cached_property
    def item(self) -> Rows:
        return np.concatenate([np.zeros(0, np.int64), *(p["looks_item"].astype(np.int64) for p in self.packs.packs)])

    @cached_property
    def whole_pictures(self) -> tuple[Rows, Hashes]:
        """Rows and hashes of whole pictures in every turn."""
        at = np.flatnonzero((self.rows["axis"] == PICTURE) & (self.rows["window"] < HALVES))
        hashes, doubtful = _hashes(self.rows[at]), np.ascontiguousarray(self.rows["doubtful"][at])
        return np.tile(at, TURNS), np.concatenate([turned_hashes(hashes, doubtful, turn) for turn in range(TURNS)])

    @cached_property
    def limits(self) -> NDArray[np.int64]:
        """(packs, 6): bits that may differ, low and all: of pictures, of a picture and a slice or frame, of stacks."""
        asked = [use.thresholds for use in self.packs.uses]
        table = [
            (t.looks_low_bits, t.looks_bits, t.slice_low_bits, t.slice_bits, t.stack_low_bits, t.stack_bits)
            for t in asked
        ]
        return np.array(table, np.int64).reshape(-1, 6)


def check_marks(packs: Packs) -> None:
    """Raise `RecipeError` for a pack whose looks were made by another version of the code that hashes."""
    for pack in packs.packs:
        if pack.looks and pack.looks != mark():
            raise RecipeError(
                f"pack '{pack.name}' holds looks of another version of this program; make it anew with "
                "`curate pack-benchmark`"
            )


def check_looks(table: LookTable, looks: Sequence[Looks]) -> list[list[Hit]]:
    """The hits of every record's looks, of each item the best; nothing depends on which records stand together."""
    found: Found = {}
    rows = np.concatenate([np.zeros(0, LOOK), *looks])
    owners = np.repeat(np.arange(len(looks)), [len(one) for one in looks])
    if len(rows) and len(table.rows):
        for pairs in _pictures(table, rows):
            _take_pictures(table, rows, owners, pairs, found)
        _take_stacks(table, rows, owners, _stacks(table, rows), found)
    out: list[list[Hit]] = [[] for _ in looks]
    for record, pack, item in sorted(found):
        out[record].append(found[record, pack, item])
    return out


def _hashes(rows: Looks) -> Hashes:
    return np.ascontiguousarray(rows["hash"])


def _near(ours: tuple[Rows, Hashes], theirs: tuple[Rows, Hashes], radii: tuple[int, int]) -> Rows:
    """(k, 4): row of the packs, row of the records, differing bits, those of the 64 lowest. The smaller side is
    indexed, for that is done at every call."""
    if len(ours[0]) <= len(theirs[0]):
        near = near_pairs(theirs[1], ours[1], *radii)[:, [1, 0, 2]]
    else:
        near = near_pairs(ours[1], theirs[1], *radii)
    one, other, bits = near.T
    low = np.bitwise_count(ours[1][one, 0] ^ theirs[1][other, 0]).astype(np.int64)
    return np.stack([ours[0][one], theirs[0][other], bits, low], axis=1)


def _pictures(table: LookTable, rows: Looks) -> Iterator[Rows]:
    """Pairs of which one or both are pictures, of every distance that some pack allows."""
    low, whole_bits = table.limits[:, [0, 2]].max(), table.limits[:, [1, 3]].max()
    radii = int(low), int(whole_bits)
    mine, theirs = table.rows, rows

    def of(looks: Looks, chosen: NDArray[np.bool_]) -> tuple[Rows, Hashes]:
        return np.flatnonzero(chosen), _hashes(looks[chosen])

    whole, part = theirs["window"] < HALVES, theirs["window"] >= PARTS
    picture = mine["axis"] == PICTURE
    yield _near(table.whole_pictures, of(theirs, whole), radii)
    yield _near(of(mine, picture & (mine["window"] < HALVES)), of(theirs, part), radii)
    shown = theirs["axis"] == PICTURE
    yield _near(of(mine, picture & (mine["window"] >= PARTS)), of(theirs, whole & shown), radii)
    stacks = of(mine, ~picture)
    at = np.flatnonzero(whole & shown)
    doubtful = np.ascontiguousarray(theirs["doubtful"][at])
    for turn in range(TURNS if len(stacks[0]) else 0):
        yield _near(stacks, (at, turned_hashes(_hashes(theirs[at]), doubtful, turn)), radii)


def _stacks(table: LookTable, rows: Looks) -> Rows:
    radii = int(table.limits[:, 4].max()), int(table.limits[:, 5].max())
    ours = np.flatnonzero(table.rows["axis"] != PICTURE)
    theirs = np.flatnonzero((rows["axis"] != PICTURE) & (rows["window"] < HALVES))
    pairs = _near((ours, _hashes(table.rows[ours])), (theirs, _hashes(rows[theirs])), radii)
    return np.asarray(pairs[table.rows["axis"][pairs[:, 0]] == rows["axis"][pairs[:, 1]]])


def _within(table: LookTable, pairs: Rows, column: Rows) -> Rows:
    """The pairs that the thresholds of their own pack allow, those of a column of the limits and the next."""
    packs = table.pack[pairs[:, 0]]
    low, whole = table.limits[packs, column], table.limits[packs, column + 1]
    return np.asarray(pairs[(pairs[:, 2] <= whole) & (pairs[:, 3] <= low), :3])


def _take_pictures(table: LookTable, rows: Looks, owners: Rows, pairs: Rows, found: Found) -> None:
    stacked = (table.rows["axis"][pairs[:, 0]] != PICTURE) | (rows["axis"][pairs[:, 1]] != PICTURE)
    pairs = _within(table, pairs, np.where(stacked, 2, 0))
    order = np.lexsort((pairs[:, 1], pairs[:, 0], pairs[:, 2]))
    for mine, theirs, bits in pairs[order].tolist():
        pack = int(table.pack[mine])
        stack = rows[theirs] if rows[theirs]["axis"] != PICTURE else table.rows[mine]
        evidence = Evidence(_kind(int(table.rows[mine]["axis"])), 0, 0, *_place(stack))
        asked = table.packs.uses[pack].thresholds
        limit = asked.looks_bits if stack["axis"] == PICTURE else asked.slice_bits
        hit = _hit(table, mine, bits, limit, evidence)
        key = (int(owners[theirs]), pack, int(table.item[mine]))
        if key not in found or hit.score > found[key].score:
            found[key] = hit


def _take_stacks(table: LookTable, rows: Looks, owners: Rows, pairs: Rows, found: Found) -> None:
    pairs = _within(table, pairs, np.full(len(pairs), 4))
    keys = np.stack([owners[pairs[:, 1]], table.pack[pairs[:, 0]], table.item[pairs[:, 0]]], axis=1)
    order = np.lexsort((pairs[:, 1], pairs[:, 0], pairs[:, 2], keys[:, 2], keys[:, 1], keys[:, 0]))
    pairs, keys = pairs[order], keys[order]
    if not len(keys):
        return
    starts: list[int] = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)]).tolist()
    for begin, end in pairwise([*starts, len(keys)]):
        record, pack, item = (int(v) for v in keys[begin])
        asked = table.packs.uses[pack].thresholds
        hit = _in_line(table, rows, pairs[begin:end], asked)
        if hit is not None and ((record, pack, item) not in found or hit.score > found[record, pack, item].score):
            found[record, pack, item] = hit


def _in_line(table: LookTable, rows: Looks, pairs: Rows, asked: Thresholds) -> Hit | None:
    """The middle match of the slices or frames that one line explains, if they are enough."""
    seen, kept = set(), []
    for mine, theirs, bits in pairs.tolist():
        one, other = table.rows[mine], rows[theirs]
        place = int(one["axis"]), int(one["index"]), int(other["index"])
        if place not in seen:
            seen.add(place)
            kept.append((*place, (bits, mine, theirs)))
    slopes = SAME_SPEED if kept and kept[0][0] == TIME else SLICES
    found = lines(kept, asked.in_line, slopes)
    if not found:
        return None
    matches = sorted(found[0])
    bits, mine, theirs = matches[(len(matches) - 1) // 2]
    evidence = Evidence(_kind(int(table.rows[mine]["axis"])), 0, 0, *_place(rows[theirs]))
    return _hit(table, mine, bits, asked.stack_bits, evidence)


def _kind(axis: int) -> str:
    return {PICTURE: "image", TIME: "video"}.get(axis, "volume")


def _place(row: np.void) -> tuple[Literal["", "x", "y", "z", "time"], int]:
    axis = int(row["axis"])
    return ("", 0) if axis == PICTURE else (AXES[axis], int(row["index"]))


def _hit(table: LookTable, mine: int, bits: int, limit: int, evidence: Evidence) -> Hit:
    pack = table.packs.packs[int(table.pack[mine])]
    name = f"{int(pack['items'][int(table.item[mine])]):016x}"
    return Hit(pack.name, name, "looks", 1 - bits / BITS, 1 - limit / BITS, evidence)
