"""Archives, programs and pickles where images are due, and names that mean harm: kinds 37 to 42.

No source reads an archive: whatever is inside, it is one file that is no record, or one that is called compressed.
"""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from tests.badmedia import _picture
from tests.hostile.case import SECRET, Case, dropped, failed, kept
from tests.hostile.nifti import wrote

NAMES = {  # of files that are sound
    "climbs": "..\\..\\x.png",
    "dashes": "--output=x.png",
    "newline": "a\nb.png",
    "right-to-left": "\u202egnp.x.png",
    "composed": "\u00e9.png",
    "decomposed": "e\u0301.png",
    "dots": "a.b.c.png",
    "long": "x" * 240 + ".png",
    "shell": "$(id);`id`|x&.png",
    "drive": "C:x.png",
    "braces": "{stem}%s%n.png",
}


class Marks:
    """Unpickled, it leaves a mark in the current folder."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return (eval, ("open('pwned', 'w').close()",))


def tar(*members: tuple[str, bytes, str], stated: int | None = None) -> bytes:
    """(type, name, target) of each; `stated` is the size that a PAX header says."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, kind, target in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            data = _picture("PNG") if kind == tarfile.REGTYPE else b""
            info.size = len(data)
            if stated is not None:
                info.pax_headers = {"size": str(stated)}
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def squeezed(*sizes: int) -> bytes:
    """A zip of zips."""
    inner = bytes(sizes[0])
    for number in range(len(sizes)):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"../{number}.dcm", inner)
        inner = stream.getvalue()
    return inner


def overlapping(count: int) -> bytes:
    """Every name of the directory points to one and the same member (Fifield 2019)."""
    whole = squeezed(1 << 20)
    at = whole.index(b"PK\x01\x02")
    entry, end = whole[at : whole.index(b"PK\x05\x06")], bytearray(whole[whole.index(b"PK\x05\x06") :])
    struct.pack_into("<HHI", end, 8, count & 0xFFFF, count & 0xFFFF, len(entry) * count & 0xFFFFFFFF)
    return whole[:at] + entry * count + bytes(end)


def objects() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([Marks()], dtype=object), allow_pickle=True)
    return stream.getvalue()


def parquet() -> bytes:
    """A table whose schema asks a reader to unpickle (GHSA-mw35-8rx3-xf9r)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    told = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": pickle.dumps(Marks())}
    schema = pa.schema([pa.field("tensor", pa.binary(), metadata=told)], metadata=told)
    sink = io.BytesIO()
    pq.write_table(pa.table({"tensor": [pickle.dumps(Marks())]}, schema=schema), sink)
    return sink.getvalue()


def called(name: str, make: Callable[[], bytes]) -> Callable[[Path], Path]:
    """A sound picture of its own under a name that is none."""
    return wrote(name, make)


def shifted(number: int) -> bytes:
    import PIL.Image

    pixels = np.asarray(PIL.Image.open(io.BytesIO(_picture("PNG"))))
    stream = io.BytesIO()
    PIL.Image.fromarray(np.roll(pixels, 9 * number, axis=1)[number:]).save(stream, "PNG")
    return stream.getvalue()


LINKS = (
    ("../../../pwned", tarfile.REGTYPE, ""), ("/tmp/pwned", tarfile.REGTYPE, ""), ("l", tarfile.SYMTYPE, "/etc"),
    ("l/passwd", tarfile.REGTYPE, ""), ("h", tarfile.LNKTYPE, "/etc/passwd"), ("d", tarfile.CHRTYPE, ""),
    ("f", tarfile.FIFOTYPE, ""), ("h", tarfile.REGTYPE, ""), ("H", tarfile.REGTYPE, ""),
)  # fmt: skip
CASES = (
    *(
        Case(37, f"name-{kind}", "pictures", called(name, partial(shifted, n + 1)), kept())
        for n, (kind, name) in enumerate(NAMES.items())
    ),
    Case(38, "tar-links", "dicom", wrote("x.tar", lambda: tar(*LINKS)), dropped("not_a_record")),
    Case(38, "tar-links-called-dicom", "dicom", wrote("x.dcm", lambda: tar(*LINKS)), failed("not_dicom")),
    Case(
        38,
        "tar-size-lies",
        "dicom",
        wrote("x.tar", lambda: tar(("a", tarfile.REGTYPE, ""), stated=1 << 60)),
        dropped("not_a_record"),
    ),
    Case(
        38,
        "tar-sparse",
        "pictures",
        wrote("x.png", lambda: tar(("a", tarfile.GNUTYPE_SPARSE, ""))),
        failed("corrupt_image"),
    ),
    Case(40, "zip-bomb", "dicom", wrote("x.dcm.zip", lambda: squeezed(50 << 20)), failed("compressed_file")),
    Case(40, "zip-nested", "dicom", wrote("x.zip", lambda: squeezed(10 << 20, 0, 0, 0)), dropped("not_a_record")),
    Case(40, "zip-overlapping", "dicom", wrote("x.zip", lambda: overlapping(60_000)), dropped("not_a_record")),
    Case(40, "zip-named-nifti", "volumes", wrote("x.nii.gz", lambda: squeezed(1 << 20)), failed("bad_volume")),
    Case(
        40,
        "tar-in-gzip-named-nifti",
        "volumes",
        wrote("x.nii.gz", lambda: gzip.compress(tar(*LINKS))),
        failed("bad_volume"),
    ),
    Case(41, "pickle", "dicom", wrote("x.pkl", lambda: pickle.dumps(Marks())), dropped("not_a_record")),
    Case(
        41,
        "pickle-named-dicom",
        "dicom",
        wrote("x.dcm", lambda: pickle.dumps(Marks()).ljust(400, b".")),
        failed("not_dicom"),
    ),
    Case(41, "objects-named-picture", "pictures", wrote("x.png", objects), failed("corrupt_image")),
    Case(41, "objects-as-volume", "volumes", wrote("x.npy", objects), dropped("not_a_record")),
    Case(41, "torch-zip", "volumes", wrote("x.pth", lambda: squeezed(1000)), dropped("not_a_record")),
    Case(
        41,
        "program-named-picture",
        "pictures",
        wrote("x.png", lambda: b"\x7fELF" + SECRET.encode() * 99),
        failed("corrupt_image"),
    ),
    Case(42, "parquet-pickle", "texts", wrote("x.parquet", parquet), dropped("not_a_record")),
    Case(42, "parquet-pickle-named-json", "texts", wrote("x.json", parquet), failed("bad_json")),
)
