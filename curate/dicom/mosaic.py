"""A Siemens mosaic, one 2D image whose tiles are the slices of one acquisition, to one `Volume`.

Preconditions, each refused by its own `RecordError` when it does not hold, with the values found:

    mosaic_count       NumberOfImagesInMosaic stands in (0019,100A) or the CSA header, n tiles lie in a square grid of
                       ceil(sqrt(n)) that divides Rows and Columns, and the slice times and the slice array agree with n
    mosaic_direction   SliceNormalVector, or else the protocol's slice positions, say where tile n lies beside tile 1
    mosaic_plane       ImageOrientationPatient, ImagePositionPatient and PixelSpacing stand in the header
    mosaic_spacing     a positive SpacingBetweenSlices, slice array or SliceThickness
    bad_csa            the CSA headers parse, each length within the bytes that there are

ImagePositionPatient is of a plane as large as the mosaic around the centre of tile 1, so the first voxel of tile 1 lies
half of (mosaic - tile) further along rows and columns. The volume is sorted along the slice normal (rows x columns), as
`curate.dicom.series` sorts, whatever the order of the tiles.

CSA layouts: `SV10` (syngo VB) and the older one without a magic, as the public descriptions of (0029,1010) and
(0029,1020) have them. Not covered: decoding (the caller gives the stored values), joining the files of a time series.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from curate.arrays import Array
from curate.dicom.header import integer_of, number_of, numbers_of
from curate.guard import typed
from manifests.errors import RecordError
from manifests.record import Fact

MAX_TAGS = 1 << 12  # of one CSA header; real ones have about 100
MAX_ITEMS = 1 << 14  # of one tag
MAX_TILES = 1 << 12

_REMEDY = "export the series again, or convert it with the scanner's own tools to enhanced DICOM"
_POSITION = re.compile(rb"sSliceArray\.asSlice\[(\d{1,4})\]\.sPosition\.d(Sag|Cor|Tra)\s*=\s*([-+0-9.eE]{1,30})")
_SIZE = re.compile(rb"sSliceArray\.lSize\s*=\s*(\d{1,5})\b")
_AXES = {b"Sag": 0, b"Cor": 1, b"Tra": 2}

Csa = Mapping[str, tuple[str, ...]]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Mosaic:
    """Where the tiles of a mosaic lie: `lps` (4, 4) maps (x, y, z) to LPS+ mm; tiles stand in reverse if `flipped`."""

    count: int
    grid: int
    flipped: bool
    lps: Floats
    facts: tuple[Fact, ...]
    notes: tuple[str, ...]


def parse_csa(data: bytes) -> dict[str, tuple[str, ...]]:
    """The tags of a CSA header with their values as stripped text, empty ones left out.

    Nothing is allocated beyond the bytes given. Raises RecordError `bad_csa`.
    """
    newer = data[:4] == b"SV10"
    at = 8 if newer else 0
    (count,) = _unpack("<I", data, at)
    if not 1 <= count <= MAX_TAGS:
        raise RecordError("bad_csa", f"{count} tags", _REMEDY)
    at += 8
    tags: dict[str, tuple[str, ...]] = {}
    base = 0  # the older layout adds the first tag's item count to every length
    for number in range(count):
        name, multiplicity, items = _tag_head(data, at)
        at += 84
        base = items if number == 0 else base
        values: list[str] = []
        for _ in range(items):
            lengths = _unpack("<4i", data, at)
            length = lengths[1] if newer else lengths[0] - base
            at += 16
            if length < 0 or at + length > len(data):
                raise RecordError("bad_csa", f"an item of {length} bytes, {len(data) - at} left", _REMEDY)
            values.append(data[at : at + length].split(b"\0", 1)[0].decode("latin-1").strip())
            at += (length + 3) // 4 * 4
        tags[name] = tuple(v for v in values[: multiplicity or None] if v)
    return tags


def _tag_head(data: bytes, at: int) -> tuple[str, int, int]:
    """Name, multiplicity and number of items of one tag."""
    name, multiplicity, _, _, items, _ = _unpack("<64si4siii", data, at)
    if not 0 <= items <= MAX_ITEMS or multiplicity < 0:
        raise RecordError("bad_csa", f"{items} items of multiplicity {multiplicity}", _REMEDY)
    return bytes(name).split(b"\0", 1)[0].decode("latin-1"), int(multiplicity), int(items)


def _unpack(layout: str, data: bytes, at: int) -> tuple[int, ...]:
    if at + struct.calcsize(layout) > len(data):
        raise RecordError("bad_csa", f"{len(data)} bytes, cut off in a tag", "fetch the file again")
    return struct.unpack_from(layout, data, at)


def mosaic_of(header: Dataset) -> Mosaic:
    """The tiles of a mosaic from its header. Raises RecordError for the preconditions above, `bad_header`."""
    csa = _csa(header, 0x10)
    protocol = _protocol(header)
    count, grid = _count(header, csa, protocol)
    rows, columns, spacing, corner = _plane(header)
    normal = np.cross(rows, columns)
    places = _slice_places(protocol)
    step, notes = _step(header, places, normal, count)
    tile = (integer_of(header, "Rows", 0) // grid, integer_of(header, "Columns", 0) // grid)
    half = np.array((integer_of(header, "Columns", 0) - tile[1], integer_of(header, "Rows", 0) - tile[0])) / 2
    first = corner + rows * (half[0] * spacing[1]) + columns * (half[1] * spacing[0])
    centre = first + rows * ((tile[1] - 1) / 2 * spacing[1]) + columns * ((tile[0] - 1) / 2 * spacing[0])
    flipped = count > 1 and _is_flipped(csa, places, normal, centre)
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1], lps[:3, 2] = rows * spacing[1], columns * spacing[0], normal * step
    lps[:3, 3] = first - normal * (step * (count - 1)) if flipped else first
    return Mosaic(count, grid, flipped, lps, _facts(header, csa, count, flipped), notes)


def tiles_of(stored: Array, mosaic: Mosaic) -> Array:
    """(rows, columns) of a mosaic as (z, y, x) in the order of `Mosaic.lps`; unused tiles are left out."""
    rows, columns = stored.shape[0] // mosaic.grid, stored.shape[1] // mosaic.grid
    tiles = stored.reshape(mosaic.grid, rows, mosaic.grid, columns).swapaxes(1, 2).reshape(-1, rows, columns)
    kept = tiles[: mosaic.count]
    return np.ascontiguousarray(kept[::-1] if mosaic.flipped else kept)


def _csa(header: Dataset, element: int) -> Csa:
    """The CSA header of one private element of group 0029; {} where there is none."""
    value = _private(header, 0x0029, "SIEMENS CSA HEADER", element)
    return parse_csa(value) if value else {}


def _private(header: Dataset, group: int, creator: str, element: int) -> bytes:
    """The bytes of a private element of one creator, b"" where it is absent."""
    with typed("bad_header", _REMEDY):
        try:
            value = header.private_block(group, creator)[element].value
        except KeyError:
            return b""
        return value if isinstance(value, bytes) else str(value).encode("latin-1", "replace")


def _protocol(header: Dataset) -> bytes:
    """The protocol's text, which holds the slice array: from the CSA series header, or from its own element (XA)."""
    own = _private(header, 0x0021, "SIEMENS MR SDS 01", 0x19)
    if own:
        return own
    series = _csa(header, 0x20)
    texts = series.get("MrPhoenixProtocol") or series.get("MrProtocol") or ("",)
    return texts[0].encode("latin-1", "replace")


def _count(header: Dataset, csa: Csa, protocol: bytes) -> tuple[int, int]:
    """Number of tiles, and of tiles along a side."""
    claims = {"CSA": _numbers(csa, "NumberOfImagesInMosaic"), "(0019,100A)": _standard_count(header)}
    size = _SIZE.search(protocol)
    if size and int(size[1]) > 1:  # 1 is a slab of a 3D acquisition
        claims["slice array"] = (float(size[1]),)
    times = _numbers(csa, "MosaicRefAcqTimes")
    if times:
        claims["slice times"] = (float(len(times)),)
    stated = {name: int(value[0]) for name, value in claims.items() if value}
    if len(set(stated.values())) != 1 or not 1 <= min(stated.values()) <= MAX_TILES:
        raise RecordError("mosaic_count", f"numbers of images {stated or 'in no element'}", _REMEDY)
    count = min(stated.values())
    grid = math.isqrt(count - 1) + 1
    shape = (integer_of(header, "Rows", 0), integer_of(header, "Columns", 0))
    if min(shape) < grid or shape[0] % grid or shape[1] % grid:
        raise RecordError("mosaic_count", f"{count} images in a mosaic of {shape}", _REMEDY)
    return count, grid


def _standard_count(header: Dataset) -> tuple[float, ...]:
    with typed("bad_header", _REMEDY):
        try:
            value = header.private_block(0x0019, "SIEMENS MR HEADER")[0x0A].value
        except KeyError:
            return ()
        return (float(int.from_bytes(value, "little") if isinstance(value, bytes) else int(value)),)


def _numbers(csa: Csa, name: str) -> tuple[float, ...]:
    with typed("bad_csa", _REMEDY):
        numbers = tuple(float(v) for v in csa.get(name, ()))
    if not all(math.isfinite(n) for n in numbers):
        raise RecordError("bad_csa", f"a {name} that is not finite", _REMEDY)
    return numbers


def _plane(header: Dataset) -> tuple[Floats, Floats, tuple[float, ...], Floats]:
    """Directions of rows and columns, (y, x) spacing in mm and position of the mosaic's first voxel, LPS+."""
    keywords = {"ImageOrientationPatient": 6, "PixelSpacing": 2, "ImagePositionPatient": 3}
    cosines, spacing, corner = (numbers_of(header, keyword) for keyword in keywords)
    for keyword, values in zip(keywords, (cosines, spacing, corner), strict=True):
        if len(values) != keywords[keyword]:
            raise RecordError("mosaic_plane", f"{len(values)} values of {keyword}", _REMEDY)
    rows, columns = np.array(cosines[:3]), np.array(cosines[3:])
    lengths, overlap = (np.linalg.norm(rows), np.linalg.norm(columns)), float((rows * columns).sum())
    if min(spacing) <= 0 or max(abs(n - 1) for n in lengths) > 1e-3 or abs(overlap) > 1e-3:
        raise RecordError("mosaic_plane", f"spacing {spacing}, dot product {overlap:.4f}", _REMEDY)
    return rows / lengths[0], columns / lengths[1], spacing, np.array(corner)


def _slice_places(protocol: bytes) -> Floats:
    """(slices, 3) centres of the protocol's slices, LPS+ mm, in the protocol's order; an unstated axis is 0."""
    found = [(int(i), _AXES[axis], value) for i, axis, value in _POSITION.findall(protocol)]
    places = np.zeros((max((i for i, _, _ in found), default=-1) + 1, 3))
    with typed("bad_csa", _REMEDY):
        for i, axis, value in found:
            places[i, axis] = float(value)
    return places


def _step(header: Dataset, places: Floats, normal: Floats, count: int) -> tuple[float, tuple[str, ...]]:
    """Millimetres from slice to slice, and a note where only the thickness is known."""
    stated = number_of(header, "SpacingBetweenSlices") or 0.0
    if stated == 0 and len(places) == count > 1:
        stated = abs(float(((places[-1] - places[0]) * normal).sum())) / (count - 1)
    if stated > 0:
        return stated, ()
    thickness = number_of(header, "SliceThickness") or 0.0
    if stated < 0 or thickness <= 0:
        raise RecordError("mosaic_spacing", f"spacing {stated}, thickness {thickness}", _REMEDY)
    return thickness, ("spacing_from_thickness",)


def _is_flipped(csa: Csa, places: Floats, normal: Floats, centre: Floats) -> bool:
    """Whether the tiles go against the normal: by SliceNormalVector, else by which end of the slice array tile 1 is."""
    stated = _numbers(csa, "SliceNormalVector")
    if len(stated) == 3:
        along = float((np.array(stated) * normal).sum())
        if abs(along) < 0.99:
            raise RecordError("mosaic_direction", f"a slice normal at {along:.3f} to the plane's", _REMEDY)
        return along < 0
    if len(places) < 2:
        raise RecordError("mosaic_direction", "neither a slice normal nor a slice array", _REMEDY)
    ends = [float(np.linalg.norm(end - centre)) for end in (places[0], places[-1])]
    way = float(((places[-1] - places[0]) * normal).sum())
    if abs(ends[0] - ends[1]) < abs(way) / 2:
        raise RecordError("mosaic_direction", "a slice array whose ends are both far from the first tile", _REMEDY)
    return (way < 0) == (ends[0] < ends[1])


def _facts(header: Dataset, csa: Csa, count: int, flipped: bool) -> tuple[Fact, ...]:
    times = _numbers(csa, "MosaicRefAcqTimes")
    facts = []
    if times:
        ordered = times[::-1] if flipped else times
        facts.append(Fact("slice_times_ms", "; ".join(_plain(t) for t in ordered), "dicom:0029,1010", "ms"))
    weighting = _numbers(csa, "B_value")
    if weighting:
        facts.append(Fact("b_value_s_mm2", _plain(weighting[0]), "dicom:0029,1010", "s/mm**2"))
    direction = _numbers(csa, "DiffusionGradientDirection")
    if len(direction) == 3:
        facts.append(Fact("gradient_direction", ",".join(_plain(v) for v in direction), "dicom:0029,1010"))
    return tuple(facts)


def _plain(value: float) -> str:
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
