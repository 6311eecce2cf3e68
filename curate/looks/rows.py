"""What is kept of one record's looks: a row for each hash, and the bytes of a column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Array
from curate.looks.hashes import HALVES, PARTS, Hashes, picture_hashes
from manifests.errors import RecordError

TIME, PICTURE = 3, 255  # an axis of 0, 1, 2 is x, y, z of a volume turned to RAS
FULL, SOFT, LUNG = (
    0,
    1,
    2,
)  # how grey values were shown: between outer percentiles, or CT in a soft tissue or lung window

# anchor: the hash asks for others, it is not only found; index: slice, or milliseconds; doubtful: bits without a sign
LOOK = np.dtype(
    [
        ("axis", "u1"),
        ("view", "u1"),
        ("window", "u1"),
        ("anchor", "u1"),
        ("index", "<u4"),
        ("hash", "<u8", 2),
        ("doubtful", "<u8", 2),
    ]
)
Looks = NDArray[np.void]
_HEAD = b"look1"
_WIDTHS = {b"p": LOOK.itemsize, b"s": 24}
_VIEWS, _WINDOWS = 3, PARTS + 9


def rows_of(place: tuple[int, int, int], anchor: bool, found: tuple[NDArray[np.uint8], Hashes, Hashes]) -> Looks:
    """Rows for one picture's hashes; `place` is (axis, view, index)."""
    windows, hashes, doubtful = found
    rows = np.zeros(len(windows), LOOK)
    rows["axis"], rows["view"], rows["index"] = place
    rows["anchor"] = anchor
    rows["window"], rows["hash"] = windows, hashes
    if place[0] == PICTURE:
        rows["doubtful"][windows < HALVES] = doubtful[windows < HALVES]
    return rows


def image_looks(pixels: Array) -> Looks:
    """The looks of one picture, (y, x) numbers or (y, x, 3) uint8; raises as `curate.looks.hashes.reduced` does."""
    return rows_of((PICTURE, FULL, 0), True, picture_hashes(pixels))


def kind_of(looks: Looks) -> str:
    """image, video, volume, or "" of a record without looks."""
    if not len(looks):
        return ""
    axis = int(looks["axis"][0])
    return {PICTURE: "image", TIME: "video"}.get(axis, "volume")


def to_bytes(looks: Looks) -> bytes:
    """The rows' little-endian bytes after a mark of their form; b"" of none. Pictures take 40 bytes a row, the slices
    and frames of others 24."""
    if not len(looks):
        return b""
    if kind_of(looks) == "image":
        return _HEAD + b"p" + looks.tobytes()
    return _HEAD + b"s" + looks.view(np.uint8).reshape(len(looks), LOOK.itemsize)[:, :24].tobytes()


def joined(parts: Sequence[bytes]) -> bytes:
    """One column's bytes of several runs of rows of one kind, each as `to_bytes` gives them."""
    some = [part for part in parts if part]
    return some[0] + b"".join(part[len(_HEAD) + 1 :] for part in some[1:]) if some else b""


def from_bytes(stored: bytes) -> Looks:
    """The inverse of `to_bytes`. Raises `RecordError("bad_looks")` for anything else."""
    if not stored:
        return np.zeros(0, LOOK)
    width = _WIDTHS.get(stored[5:6], 0)
    if not stored.startswith(_HEAD) or not width or len(stored) == 6 or (len(stored) - 6) % width:
        raise RecordError("bad_looks", f"{len(stored)} bytes", "prepare the source again with this version")
    bytewise = np.frombuffer(stored, np.uint8, offset=6).reshape(-1, width)
    rows = np.zeros((len(bytewise), LOOK.itemsize), np.uint8)
    rows[:, :width] = bytewise
    return rows.reshape(-1).view(LOOK)


def is_looks(stored: bytes) -> bool:
    """Whether bytes are what `to_bytes` gives: of one kind of media, every number in its range."""
    try:
        rows = from_bytes(stored)
    except RecordError:
        return False
    axes = {int(a) for a in np.unique(rows["axis"])}
    of_one = axes <= {0, 1, 2} or axes in ({TIME}, {PICTURE})
    return of_one and bool((rows["view"] < _VIEWS).all() and (rows["window"] < _WINDOWS).all())
