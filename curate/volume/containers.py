"""NRRD and MetaImage files to (voxels, affine, notes): small parsers with checked headers.

They are our own because both headers may name another file to read: here that must be a plain name beside the header,
never a path, so a header cannot reach elsewhere. Standards: the NRRD 0001-0005 definition (teem.sourceforge.net/nrrd)
and ITK's MetaIO documentation. Covered: 3D scalar images, attached or detached data, raw, gzip, bzip2 and ascii (NRRD),
raw and zlib (MetaImage), both byte orders, integers of 1 to 8 bytes, 32 and 64 bit floats; with `flat` 2D, as one slice
of which the spacing is taken over and no place. Not covered, and refused: colour, vectors, 4D, hex encoding, text data
in MetaImage, data split into several files, skipped lines or bytes, lengths in other units than mm, NRRD spaces other
than LPS, RAS and LAS or none (scanner-xyz and the rest say nothing of left and right). MetaImage's CenterOfRotation and
AnatomicalOrientation are passed over: its matrix says it all.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Array
from curate.guard import Codec, Stream, check_file, open_stream, typed
from manifests.errors import RecordError

MAX_HEADER = 1 << 16
MAX_NAME_BYTES = 255  # of a file system's; a longer one cannot be asked after
ITK_SPACE = np.array([[-1.0], [-1.0], [1.0], [1.0]])  # LPS+ to RAS+, row by row

_NRRD_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_NRRD_SPACES = {
    "left-posterior-superior": ITK_SPACE,
    "lps": ITK_SPACE,
    "right-anterior-superior": np.ones((4, 1)),
    "ras": np.ones((4, 1)),
    "left-anterior-superior": np.array([[-1.0], [1.0], [1.0], [1.0]]),
    "las": np.array([[-1.0], [1.0], [1.0], [1.0]]),
}
_NRRD_CODECS: dict[str, Codec] = {"raw": "plain", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
_NRRD_TEXT = ("ascii", "text", "txt")
_META_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """voxels (z, y, x) as stored, affine (x, y, z) -> RAS+ mm, notes of what the header did not say."""

    voxels: Array
    affine: NDArray[np.float64]
    notes: tuple[str, ...] = ()


def read_nrrd(path: Path, max_bytes: int, flat: bool = False) -> Grid:
    """.nrrd or .nhdr. Raises RecordError: `bad_volume`, `unsupported_volume`, `truncated_volume`, `too_large`,
    `unsafe_reference`, `corrupt_compression`. Without a `space`, RAS is not assumed but noted: `no_space` (as LPS)."""
    data = _head(path, max_bytes)
    with typed("bad_volume", "rewrite the file with ITK"):
        fields, start = _nrrd_header(data)
        fields = _nrrd_deepened(fields) if flat else fields
        sizes = _integers(fields["sizes"])
        _require_3d(len(sizes), fields)
        code = next((c for c, names in _NRRD_TYPES.items() if fields["type"].lower() in names), "")
        dtype = _dtype(code, fields["type"], fields.get("endian", "little") == "big")
        affine, notes = _nrrd_affine(fields)
        notes += ("no_spacing",) if flat and not {"spacings", "space directions"} & fields.keys() else ()
        encoding = fields["encoding"].lower()
    detached = fields.get("data file", fields.get("datafile"))
    file, start = (path, start) if detached is None else (_beside(path, detached), 0)
    if encoding not in _NRRD_CODECS and encoding not in _NRRD_TEXT:
        raise RecordError(
            "unsupported_volume", "an encoding other than raw, gzip, bzip2 and ascii", "write it raw or with gzip"
        )
    shape = _checked_shape(sizes, dtype, max_bytes)
    with open_stream(file, max_bytes, _NRRD_CODECS.get(encoding, "plain"), start) as stream:
        voxels = _parsed(stream, shape, dtype) if encoding in _NRRD_TEXT else _filled(stream, shape, dtype)
    return Grid(voxels, affine, notes)


def _head(path: Path, max_bytes: int) -> bytes:
    with open_stream(path, max_bytes, "plain") as stream:
        return stream.take(MAX_HEADER)


def _nrrd_header(data: bytes) -> tuple[dict[str, str], int]:
    """The fields, and where the data begin."""
    ends = [(at, len(mark)) for mark in (b"\n\n", b"\r\n\r\n") if (at := data.find(mark, 0, MAX_HEADER)) >= 0]
    end, width = min(ends, default=(len(data), 0))  # a detached header need not end with an empty line
    head = data[:end]
    if not head.startswith(b"NRRD000") or head[7:8] not in b"12345":
        raise RecordError("unsupported_volume", "no NRRD 1 to 5 signature", "rewrite the file with ITK")
    fields: dict[str, str] = {}
    for line in head.decode("ascii", "replace").splitlines()[1:]:
        name, colon, value = line.partition(": ")
        if colon and not line.startswith("#"):
            fields[name.strip().lower()] = value.strip()
    return fields, end + width


def _nrrd_deepened(fields: dict[str, str]) -> dict[str, str]:
    """The header of a 2D image as that of one slice, its place left out."""
    if len(fields["sizes"].split()) != 2:
        return fields
    out = {k: v for k, v in fields.items() if k not in ("space", "space directions", "space origin", "kinds")}
    lengths = fields.get("spacings", "").split()
    if "space directions" in fields:
        vectors = fields["space directions"].replace(" ", "").strip("()").split(")(")
        lengths = [f"{math.sqrt(sum(float(n) ** 2 for n in v.split(','))):.9g}" for v in vectors]
    spacings = {"spacings": " ".join([*lengths, "1"])} if lengths else {}
    return {**out, "sizes": f"{fields['sizes']} 1", "kinds": "domain", **spacings}


def _require_3d(dimension: int, fields: dict[str, str]) -> None:
    skips = [k for k in ("line skip", "lineskip", "byte skip", "byteskip") if fields.get(k, "0") != "0"]
    kinds = set(fields.get("kinds", "domain").lower().split()) - {"domain", "space", "???", "none"}
    if dimension != 3 or skips or kinds:
        found = f"{dimension} dimensions" + (", skipped data" if skips else "") + (", axes of kind" if kinds else "")
        raise RecordError("unsupported_volume", found, "write one 3D scalar image per file")


def _nrrd_affine(fields: dict[str, str]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    space = fields.get("space", "").lower()
    matrix = np.eye(4)
    if "space directions" in fields:
        vectors = fields["space directions"].replace(" ", "").strip("()").split(")(")
        matrix[:3, :3] = np.array([[float(n) for n in v.split(",")] for v in vectors]).T
    elif "spacings" in fields:
        matrix[:3, :3] = np.diag([float(n) for n in fields["spacings"].split()])
    if "space origin" in fields:
        matrix[:3, 3] = [float(n) for n in fields["space origin"].strip("() ").split(",")]
    if space and space not in _NRRD_SPACES:
        raise RecordError("unsupported_volume", "a space other than LPS, RAS and LAS", "write it in LPS or RAS")
    if set(fields.get("space units", "mm").replace('"', "").lower().split()) - {"mm", "millimeter", "millimetre"}:
        raise RecordError("unsupported_volume", "space units other than mm", "write it in mm")
    return _NRRD_SPACES.get(space, ITK_SPACE) * matrix + 0.0, () if space else ("no_space",)


def read_metaimage(path: Path, max_bytes: int, flat: bool = False) -> Grid:
    """.mha or .mhd, whose coordinates are LPS+ (ITK). Raises RecordError as `read_nrrd`."""
    data = _head(path, max_bytes)
    with typed("bad_volume", "rewrite the file with ITK"):
        fields, start = _meta_header(data)
        fields = _meta_deepened(fields) if flat else fields
        sizes = _integers(fields["DimSize"])
        channels = int(fields.get("ElementNumberOfChannels", "1"))
        if len(sizes) != 3 or int(fields["NDims"]) != 3 or channels != 1:
            found = f"{len(sizes)} dimensions, {channels} channels"
            raise RecordError("unsupported_volume", found, "write one 3D scalar image per file")
        if not _flag(fields, "BinaryData", "True") or fields.get("HeaderSize", "0") != "0":
            raise RecordError("unsupported_volume", "text data or a header size", "write it with ITK")
        if fields.get("DistanceUnits", "mm").lower() not in ("mm", "?"):
            raise RecordError("unsupported_volume", "distance units other than mm", "write it in mm")
        big = _flag(fields, "BinaryDataByteOrderMSB") or _flag(fields, "ElementByteOrderMSB")
        dtype = _dtype(_META_TYPES.get(fields["ElementType"], ""), fields["ElementType"], big)
        affine, notes = _meta_affine(fields)
        codec: Codec = "zlib" if _flag(fields, "CompressedData") else "plain"
        name = fields["ElementDataFile"]
    file, start = (path, start) if name.upper() == "LOCAL" else (_beside(path, name), 0)
    shape = _checked_shape(sizes, dtype, max_bytes)
    with open_stream(file, max_bytes, codec, start) as stream:
        return Grid(_filled(stream, shape, dtype), affine, notes)


def _meta_deepened(fields: dict[str, str]) -> dict[str, str]:
    """The header of a 2D image as that of one slice, its place left out."""
    if fields["NDims"] != "2":
        return fields
    placed = ("TransformMatrix", "Rotation", "Orientation", "Offset", "Position", "Origin")
    out = {k: v for k, v in fields.items() if k not in placed}
    for name in ("DimSize", "ElementSpacing", "ElementSize"):
        out |= {name: f"{fields[name]} 1"} if fields.get(name) else {}
    return {**out, "NDims": "3"}


def _meta_header(data: bytes) -> tuple[dict[str, str], int]:
    """Lines `Key = Value` up to ElementDataFile, which is the last by definition, and where they end."""
    fields: dict[str, str] = {}
    at = 0
    while "ElementDataFile" not in fields and at < len(data):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        name, equals, value = data[at:end].decode("utf-8", "replace").partition("=")
        if equals:
            fields[name.strip()] = value.strip()
        at = end + 1
    return fields, at


def _meta_affine(fields: dict[str, str]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Direction cosines stand axis by axis: the first three numbers are the x axis (MetaIO's TransformMatrix)."""
    spacing = fields.get("ElementSpacing") or fields.get("ElementSize") or "1 1 1"
    cosines = (
        fields.get("TransformMatrix") or fields.get("Rotation") or fields.get("Orientation") or "1 0 0 0 1 0 0 0 1"
    )
    origin = fields.get("Offset") or fields.get("Position") or fields.get("Origin") or "0 0 0"
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(_floats(cosines or "1 0 0 0 1 0 0 0 1")).reshape(3, 3).T * np.array(
        _floats(spacing)
    ).reshape(1, 3)
    matrix[:3, 3] = _floats(origin)
    unknown = not (fields.get("ElementSpacing") or fields.get("ElementSize"))
    return ITK_SPACE * matrix + 0.0, ("no_spacing",) if unknown else ()


def _flag(fields: dict[str, str], name: str, default: str = "False") -> bool:
    return fields.get(name, default).lower() in ("true", "1")


def _integers(text: str) -> list[int]:
    return [int(n) for n in text.split()]


def _floats(text: str) -> list[float]:
    return [float(n) for n in text.split()]


def _told(name: str) -> str:
    """A type by its name where that is one of the format's, for a header may say anything."""
    return f"voxels of type {name if re.fullmatch(r'MET_[A-Z_]{3,20}|block', name) else 'unknown'}"


def _dtype(code: str, name: str, big_endian: bool) -> np.dtype[np.generic]:
    if not code:
        raise RecordError("unsupported_volume", _told(name), "write integers or floats")
    return np.dtype((">" if big_endian else "<") + code)


def _beside(path: Path, name: str) -> Path:
    """The data file that a header names: a plain name in the header's own folder, not a link out of it."""
    target = path.parent / name
    plain = name not in ("", ".", "..") and Path(name).name == name and not set(name) & set("\\%*\0")
    plain = plain and len(name.encode("utf-8", "replace")) <= MAX_NAME_BYTES
    if not plain or name.upper().startswith("LIST") or target.is_symlink():
        raise RecordError("unsafe_reference", "a data file that is not beside its header", "put it beside the header")
    check_file(target)
    return target


def _checked_shape(sizes: list[int], dtype: np.dtype[np.generic], max_bytes: int) -> tuple[int, ...]:
    """(z, y, x) from (x, y, z), before anything of that size is made."""
    if min(sizes) < 1:
        raise RecordError("bad_volume", f"sizes {sizes}", "rewrite the file with ITK")
    if math.prod(sizes) * dtype.itemsize > max_bytes:
        raise RecordError("too_large", f"sizes {sizes}", f"at most {max_bytes} bytes are read")
    return tuple(reversed(sizes))


def _filled(stream: Stream, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
    """The voxels, in native byte order; the claimed size is held against the file before memory is taken."""
    expected = math.prod(shape) * dtype.itemsize
    if expected > stream.most:
        raise RecordError("truncated_volume", f"at most {stream.most} of {expected} bytes", "fetch the file again")
    voxels = np.empty(shape, dtype)
    found = stream.fill(voxels.reshape(-1).view(np.uint8).data)
    if found < expected:
        raise RecordError("truncated_volume", f"{found} of {expected} bytes", "fetch the file again")
    require_all_told(stream.skip(), expected // shape[0])
    return voxels if dtype.isnative else voxels.byteswap(inplace=True).view(dtype.newbyteorder("="))


def require_all_told(left: int, slice_bytes: int) -> None:
    """Refuse a file that goes on for a slice or more after its last voxel: its header tells less than it holds."""
    if left >= slice_bytes:
        raise RecordError("bad_volume", f"{left} bytes after the last voxel", "repair the header's sizes")


def _parsed(stream: Stream, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
    """Numbers as text, separated by white space."""
    if dtype.itemsize == 8 and dtype.kind != "f":
        raise RecordError("unsupported_volume", "64-bit integers as text", "write it raw or with gzip")
    text = stream.take(stream.most).decode("ascii", "replace")
    with typed("bad_volume", "rewrite the file with ITK"):
        numbers = np.array(text.split(), dtype=np.float64)  # exact for 32-bit integers
    if numbers.size != math.prod(shape):
        raise RecordError("truncated_volume", f"{numbers.size} of {math.prod(shape)} numbers", "fetch the file again")
    if dtype.kind != "f":
        limits = np.iinfo(np.dtype(f"{dtype.kind}{dtype.itemsize}"))
        whole = bool((numbers == np.rint(numbers)).all())
        if not whole or numbers.min() < limits.min or numbers.max() > limits.max:
            raise RecordError("bad_volume", f"numbers that are no {dtype.name}", "rewrite the file with ITK")
    return numbers.astype(dtype.newbyteorder("=")).reshape(shape)
