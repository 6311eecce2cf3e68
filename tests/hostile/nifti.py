"""Volumes that mean harm, made from nibabel's packaged T1 crop (33 x 41 x 25, int16, big-endian): kinds 16 to 24."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.badfiles import put
from tests.badmedia import NAN, SFORM, _meta, _nifti, _nrrd, _voxels, _zeros
from tests.hostile.case import SECRET, Case, failed, kept

NAME = SECRET.encode()
HEAD = 348
F, H, Q = struct.Struct(">f").pack, struct.Struct(">h").pack, struct.Struct(">q").pack


def wrote(name: str, make: Callable[[], bytes]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        put(folder / name, make())
        return folder / name

    return write


def plain(**changes: tuple[int, bytes]) -> Callable[[Path], Path]:
    return wrote("x.nii", lambda: _nifti(**changes))


def described() -> bytes:
    """A name in every text field, and in an extension that goes in between header and voxels."""
    text = {"descrip": (148, NAME), "aux": (228, NAME), "db": (14, NAME[:18]), "intent": (328, NAME)}
    data = _nifti(**text, offset=(108, F(352 + 48)), flag=(348, b"\1\0\0\0"))
    return data[:352] + struct.pack(">ii", 48, 6) + NAME.ljust(40, b"\0") + data[352:]


def extension(size: int) -> bytes:
    data = _nifti(offset=(108, F(352 + 48)), flag=(348, b"\1\0\0\0"))
    return data[:352] + struct.pack(">ii", size, 6) + NAME.ljust(40, b"\0") + data[352:]


def named_gzip() -> bytes:
    """A gzip member that bears a file name and a comment."""
    whole = gzip.compress(_nifti(), mtime=0)
    return whole[:3] + b"\x18" + whole[4:10] + NAME + b".nii\0" + b"by " + NAME + b"\0" + whole[10:]


def second_version(*dims: int) -> bytes:
    """A NIfTI-2 header with 64-bit sizes."""
    head = bytearray(540)
    struct.pack_into(">i8s", head, 0, 540, b"n+2\0\r\n\x1a\n")
    struct.pack_into(">hh", head, 12, 4, 16)
    struct.pack_into(">8q", head, 16, 3, *dims, *[1] * (7 - len(dims)))
    struct.pack_into(">8d", head, 104, *[1.0] * 8)
    struct.pack_into(">q", head, 168, 544)
    struct.pack_into(">2i", head, 344, 0, 1)
    struct.pack_into(">12d", head, 400, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)
    return bytes(head) + bytes(4) + _voxels()


def dims(*sizes: int) -> tuple[int, bytes]:
    return 40, struct.pack(f">{len(sizes)}h", *sizes)


def beside(name: str, data: bytes) -> Callable[[Path], Path]:
    """A sound volume with a hostile file of points or mask beside it."""

    def write(folder: Path) -> Path:
        put(folder / "x.nii", _nifti())
        put(folder / name, data)
        return folder / "x.nii"

    return write


CASES = (
    Case(
        16,
        "nifti-bomb-after-the-voxels",
        "volumes",
        wrote("x.nii.gz", lambda: gzip.compress(_nifti()[:352]) + _zeros(31)),
        failed("too_large"),
    ),
    Case(16, "nifti-bomb-before-the-header", "volumes", wrote("x.nii.gz", lambda: _zeros(31)), failed("bad_volume")),
    Case(
        16,
        "nrrd-bomb",
        "volumes",
        wrote("x.nrrd", lambda: _nrrd("33 41 25", coding="gzip") + _zeros(31)),
        failed("too_large"),
    ),
    Case(16, "meta-bomb", "volumes", wrote("x.mha", lambda: _meta("LOCAL", True) + _zeros(15)), failed("too_large")),
    Case(17, "nifti-no-dims", "volumes", plain(dim=dims(0)), failed("bad_volume")),
    Case(17, "nifti-eight-dims", "volumes", plain(dim=dims(8)), failed("bad_volume")),
    Case(17, "nifti-minus-one-dims", "volumes", plain(dim=dims(-1)), failed("bad_volume")),
    Case(17, "nifti-dims-32767-to-the-7", "volumes", plain(dim=dims(7, *[32767] * 7)), failed("unsupported_volume")),
    Case(17, "nifti-dims-overflow", "volumes", plain(dim=dims(4, *[32767] * 4)), failed("too_large")),
    Case(17, "nifti-negative-side", "volumes", plain(dim=(42, H(-33))), failed("bad_volume")),
    Case(17, "nifti-empty-side", "volumes", plain(dim=(42, H(0))), failed("bad_volume")),
    *(
        Case(18, f"nifti-offset-{n}", "volumes", plain(off=(108, F(v))), failed("bad_volume"))
        for n, v in {"nan": float("nan"), "infinite": float("inf"), "negative": -352.0}.items()
    ),
    Case(18, "nifti-offset-1e30", "volumes", plain(off=(108, F(1e30))), failed("too_large")),
    Case(19, "nifti-slope-zero", "volumes", plain(scl=(112, struct.pack(">2f", 0, 7))), kept()),
    Case(19, "nifti-slope-nan", "volumes", plain(scl=(112, struct.pack(">2f", float("nan"), 7))), kept()),
    Case(19, "nifti-slope-huge", "volumes", plain(scl=(112, struct.pack(">2f", 3e38, 3e38))), failed("lossy_dtype")),
    Case(20, "nifti-affine-nan", "volumes", plain(form=SFORM, row=(280, NAN)), failed("bad_affine")),
    Case(
        20,
        "nifti-affine-singular",
        "volumes",
        plain(form=SFORM, row=(280, struct.pack(">12f", *[1, 0, 0, 0] * 3))),
        failed("bad_affine"),
    ),
    Case(
        20,
        "nifti-affine-1e30",
        "volumes",
        plain(form=SFORM, row=(280, struct.pack(">12f", 1e30, 0, 0, 0, 0, 1e30, 0, 0, 0, 0, 1e30, 0))),
        failed("bad_affine"),
    ),
    Case(
        20, "nifti-quaternion-nan", "volumes", plain(form=(252, H(1) + H(0)), quatern=(256, NAN)), failed("bad_affine")
    ),
    Case(
        20,
        "nifti-pixdim-infinite",
        "volumes",
        plain(form=(252, bytes(4)), pix=(80, F(float("inf")) * 3)),
        failed("bad_affine"),
    ),
    Case(
        21,
        "nifti-cut",
        "volumes",
        wrote("x.nii.gz", lambda: gzip.compress(_nifti())[:-40]),
        failed("corrupt_compression"),
    ),
    Case(
        21,
        "nifti-garbage-behind",
        "volumes",
        wrote("x.nii.gz", lambda: gzip.compress(_nifti()) + NAME * 20),
        failed("corrupt_compression"),
    ),
    Case(
        21,
        "nifti-two-members",
        "volumes",
        wrote("x.nii.gz", lambda: gzip.compress(_nifti()[:9000]) + gzip.compress(_nifti()[9000:])),
        kept(),
    ),
    Case(
        21, "nifti-two-volumes", "volumes", wrote("x.nii.gz", lambda: gzip.compress(_nifti()) * 2), failed("bad_volume")
    ),
    Case(
        21,
        "nifti-members-flood",
        "volumes",
        wrote("x.nii.gz", lambda: gzip.compress(_nifti()) + gzip.compress(b"") * 200_000),
        failed("corrupt_compression"),
    ),
    Case(21, "nifti-named-gzip", "volumes", wrote("x.nii.gz", named_gzip), kept()),
    Case(
        22,
        "nifti2-dims-overflow",
        "volumes",
        wrote("x.nii", lambda: second_version(1 << 62, 1 << 62, 1 << 62)),
        failed("too_large"),
    ),
    Case(
        22,
        "nifti2-dims-negative",
        "volumes",
        wrote("x.nii", lambda: second_version(-(1 << 62), 41, 25)),
        failed("bad_volume"),
    ),
    *(
        Case(23, f"nifti-extension-{n}", "volumes", wrote("x.nii", partial(extension, n)), kept())
        for n in (0, -8, 1, 1 << 30)
    ),
    Case(23, "nifti-described", "volumes", wrote("x.nii", described), kept()),
    *(
        Case(24, f"nifti-type-{n}", "volumes", plain(type=(70, struct.pack(">hh", n, b))), failed("unsupported_volume"))
        for n, b in ((32, 64), (128, 24), (1536, 128), (1, 1))
    ),
    Case(24, "nifti-type-unknown", "volumes", plain(type=(70, struct.pack(">hh", 9999, 16))), failed("bad_volume")),
    Case(
        18,
        "meta-climbs",
        "volumes",
        wrote("x.mhd", lambda: _meta("../../../../../etc/passwd")),
        failed("unsafe_reference"),
    ),
    Case(18, "meta-absolute", "volumes", wrote("x.mhd", lambda: _meta("/etc/passwd")), failed("unsafe_reference")),
    Case(
        18,
        "meta-pattern",
        "volumes",
        wrote("x.mhd", lambda: _meta("slice%04d.raw 1 100000000 1")),
        failed("unsafe_reference"),
    ),
    Case(
        18,
        "meta-url",
        "volumes",
        wrote("x.mhd", lambda: _meta("http://169.254.169.254/x.raw")),
        failed("unsafe_reference"),
    ),
    Case(
        18,
        "nrrd-list",
        "volumes",
        wrote("x.nhdr", lambda: _nrrd("33 41 25", "data file: LIST\n")),
        failed("unsafe_reference"),
    ),
    Case(17, "nrrd-digits", "volumes", wrote("x.nrrd", lambda: _nrrd("9" * 5000 + " 41 25")), failed("bad_volume")),
    Case(
        17,
        "nrrd-named-space",
        "volumes",
        wrote("x.nrrd", lambda: _nrrd("33 41 25", f"space: {SECRET}\n") + _voxels()),
        failed("unsupported_volume"),
    ),
    Case(
        17,
        "nrrd-text-flood",
        "volumes",
        wrote("x.nrrd", lambda: _nrrd("33 41 25", coding="ascii") + b"1 " * 3_000_000),
        failed("truncated_volume"),
    ),
    Case(43, "points-deep", "labelled", beside("points.json", b"[" * 100_000), failed("bad_landmarks")),
    Case(
        43,
        "points-digits",
        "labelled",
        beside("points.json", b'{"coordinate_system": "RAS", "points": {"nasion": [' + b"9" * 1_000_000 + b", 1, 2]}}"),
        failed("bad_landmarks"),
    ),
    Case(
        43,
        "points-nan",
        "labelled",
        beside("points.json", b'{"coordinate_system": "RAS", "points": {"nasion": [NaN, Infinity, 2]}}'),
        failed("bad_landmarks"),
    ),
    Case(
        43,
        "points-named",
        "labelled",
        beside("points.json", json.dumps({"coordinate_system": "RAS", "points": {f"../{SECRET}": [1, 2, 3]}}).encode()),
        failed("landmark_name"),
    ),
    Case(16, "mask-bomb", "labelled", beside("mask.nii.gz", _zeros(31)), failed("bad_volume")),
)
