"""MedMNIST 2D: twelve standardised sets of small pictures with their classes.

Upstream's layout: one `NAME.npz` a set (28 x 28 pixels), `NAME_64.npz`, `NAME_128.npz`, `NAME_224.npz`, each with
`train_images`, `train_labels`, `val_…`, `test_…`: uint8 (n, y, x) or (n, y, x, 3), labels (n, 1), in ChestMNIST (n,
14). Labels are numbers, whose words stand in `medmnist_sets`. Quirks: several sizes of one set hold the same pictures,
so put one size of a set there; patients are not told; BreastMNIST joins normal and benign; an archive with pickled
objects is refused unread. The 3D sets are no records here. A set is read as a stream, in runs of rows, of which a late
one reads over what stands before it; each row is carried as an uncompressed BMP, whose bytes depend on its pixels
alone.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, ClassVar, Literal

from manifests.card import Card, Remote
from manifests.errors import RecordError
from manifests.record import Fact
from sources.base import Entry, Item, Place, Pseudonym, not_a_record
from sources.containers import carried_ref
from sources.pictures.medmnist_sets import SETS, said
from sources.upstream import REMEDY, Shelf, Upstream

if TYPE_CHECKING:
    import numpy as np

NAME = re.compile(r"([a-z]+mnist)(?:_(?:28|64|128|224))?\.npz")
LABELS = re.compile(r"[<|][iu][1248]")
SPLITS = ("train", "val", "test")
RUN_BYTES, MOST_RUNS = 32 << 20, 32  # of one split
MAX_PICTURE, MAX_LABELS, CHUNK = 16 << 20, 64 << 20, 1 << 20
MAGIC = b"\x93NUMPY\x01\x00"  # version 1.0 of NPY (NEP 1); its header is a Python literal of always this form
HEADER = re.compile(
    r"\{'descr': '([<>|=][A-Za-z]\d*)', 'fortran_order': (True|False), 'shape': \(([0-9, ]{0,80})\),? ?\}"
)
BROKEN = (ValueError, EOFError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error)  # RuntimeError: a password


@dataclass(frozen=True, slots=True)
class Array:
    """What the header of an array in an archive says."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def row_bytes(self) -> int:
        size = 1
        for n in self.shape[1:]:
            size *= n
        return size


class MedMnist(Upstream):
    """One record per picture; `splits` are train, val and test."""

    source: Literal["medmnist"]
    splits: tuple[str, ...] = ("train",)
    card: ClassVar[Card] = Card(
        name="medmnist",
        what="twelve sets of small pictures of slides, skin, eyes, breasts, chests, cells and organs, with classes",
        url="https://medmnist.com",
        revision="version 3.0 (MedMNIST+)",
        licence="CC-BY-4.0 AND CC-BY-NC-4.0",
        citation="Yang et al. MedMNIST v2 - a large-scale lightweight benchmark for 2D and 3D biomedical image "
        "classification. Scientific Data 10, 41 (2023).",
        phi_risk="low: small pictures",
        modalities=("SM", "DX", "DMS", "OPT", "OP", "US", "GM", "CT"),
        body_parts=("colon", "chest", "skin", "retina", "breast", "blood", "kidney", "abdomen"),
        tasks=("classification", "multi-label", "grading"),
        size="708,069 pictures",
        layout="NAME.npz or NAME_{64,128,224}.npz for each set",
        known="published",
        remotes=(Remote(kind="zenodo", at="10519652", files=("*mnist_224.npz",)),),
        steps="DermaMNIST is CC-BY-NC-4.0, the other sets are CC-BY-4.0: leave it out for commercial use",
    )

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        """The pictures of each split as `shape;dtype`. Raises `RecordError` `bad_container` and `pickled_array`."""
        if not NAME.fullmatch(path.name):
            return {}
        with _archive(path) as archive:
            found = {}
            for split in SPLITS:
                images = _header(archive, f"{split}_images.npy")
                _header(archive, f"{split}_labels.npy")
                found[split] = ",".join(map(str, images.shape))
            return found

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        shelf = Shelf(inventory, self.exclude)
        for entry in shelf.matching("*.npz"):
            found = NAME.fullmatch(PurePosixPath(entry.path).name)
            if found is None or found[1] not in SETS:
                continue
            file = (shelf.take(entry),)
            for split in SPLITS:
                shape = tuple(int(n) for n in (entry.peek.get(split) or "0").split(","))
                name = f"{entry.path}#{split}"
                other = self.other_split(split, file, name)
                if other is not None:
                    yield other
                elif len(shape) not in (3, 4) or shape[3:] not in ((), (3,)) or not shape[0]:
                    yield not_a_record(entry, f"{split}: an array of shape {shape}, which is no pictures")
                else:
                    for number, run in enumerate(runs(shape)):
                        yield Item(f"{name}-{number}", "rows", file, block=run)
        yield from shelf.rest()

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        import numpy as np

        path = item.files[0].path
        found = NAME.fullmatch(PurePosixPath(path).name)
        first, _, count = item.block or (0, 0, 0)
        split = item.upstream_id.rpartition("#")[2].partition("-")[0]
        if found is None or split not in SPLITS:
            return
        about = SETS[found[1]]
        with _archive(place.file(path)) as archive:
            labels = _labels(archive, f"{split}_labels.npy")
            images = _header(archive, f"{split}_images.npy")
            if images.dtype != "|u1" or len(labels) != images.shape[0] or not 0 < images.row_bytes <= MAX_PICTURE:
                found_ = f"{images.dtype} pictures of {images.row_bytes} bytes with {len(labels)} labels"
                raise RecordError("bad_container", found_, REMEDY)
            for number, data in _pictures(archive, f"{split}_images.npy", images, first, count):
                bitmap = _bmp(np.frombuffer(data, np.uint8).reshape(images.shape[1:]))
                yield Item(
                    upstream_id=f"{path}#{split}-{number}",
                    form="picture",
                    files=(carried_ref(path, bitmap, f"row={split}-{number}"),),
                    facts=(
                        *self.declared_facts(),
                        *said(about, [int(v) for v in labels[number]], f"array:{split}_labels"),
                        Fact("split", split, "array"),
                    ),
                    carried=(bitmap,),
                )

    @staticmethod
    def miniature(root: Path, rng: np.random.Generator) -> None:
        import numpy as np

        from sources import mini

        def write(name: str, colour: bool, labels: dict[str, list[list[int]]]) -> None:
            arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]] = {}
            for split, own in labels.items():
                arrays[f"{split}_images"] = np.stack([mini.pixels(rng, 64, 64, colour) for _ in own])
                arrays[f"{split}_labels"] = np.array(own, np.uint8)
            with zipfile.ZipFile(root / name, "w", zipfile.ZIP_DEFLATED) as archive:
                for key, array in arrays.items():
                    buffer = io.BytesIO()
                    np.lib.format.write_array(buffer, array)
                    archive.writestr(zipfile.ZipInfo(f"{key}.npy"), buffer.getvalue())

        write("pathmnist_64.npz", True, {"train": [[8], [0], [3]], "val": [[1]], "test": [[2]]})
        many = [[int(n in (0, 2)) for n in range(14)], [0] * 14]
        write("chestmnist_64.npz", False, {"train": many, "val": many[:1], "test": many[1:]})
        write("retinamnist_64.npz", True, {"train": [[0], [3]], "val": [[1]], "test": [[2]]})
        write("organamnist_64.npz", False, {"train": [[5], [6]], "val": [[1]], "test": [[2]]})
        with zipfile.ZipFile(root / "dermamnist_64.npz", "w") as archive:  # pickled objects in the place of pictures
            buffer = io.BytesIO()
            np.lib.format.write_array_header_1_0(buffer, {"descr": "|O", "fortran_order": False, "shape": (1,)})
            buffer.write(b"\x80\x04]\x94N\x85.")
            archive.writestr(zipfile.ZipInfo("train_images.npy"), buffer.getvalue())


def runs(shape: tuple[int, ...]) -> Iterator[tuple[int, int, int]]:
    """(first row, bytes, rows) of runs of about `RUN_BYTES`, larger where there would be more than `MOST_RUNS`: what
    stands before a run must be decompressed to reach it."""
    count, size = shape[0], Array(shape, "|u1").row_bytes
    step = max(1, RUN_BYTES // max(size, 1), -(-count // MOST_RUNS))
    for first in range(0, count, step):
        rows = min(step, count - first)
        yield first, rows * size, rows


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError):
        raise RecordError("bad_container", "a file that is no zip archive", REMEDY) from None


def _opened(archive: zipfile.ZipFile, name: str) -> tuple[IO[bytes], Array]:
    """A member behind its header. An array of objects would be unpickled, which runs what a stranger wrote."""
    try:
        stream = archive.open(name)
    except KeyError:
        raise RecordError("bad_container", f"no '{name}'", REMEDY) from None
    except BROKEN as error:
        raise RecordError("bad_container", f"'{name}' cannot be opened ({type(error).__name__})", REMEDY) from None
    magic = _read(stream, len(MAGIC) + 2)
    header = _read(stream, int.from_bytes(magic[-2:], "little")).decode("latin-1")
    said = HEADER.fullmatch(header.strip()) if magic.startswith(MAGIC) else None
    if said is None:
        raise RecordError("bad_container", f"'{name}' is no plain array in version 1.0 of its format", REMEDY)
    if said[1].startswith("|O"):
        raise RecordError("pickled_array", f"'{name}' holds pickled objects", "save it as plain numbers")
    shape = tuple(int(n) for n in said[3].replace(" ", "").split(",") if n)
    if said[2] == "True" and len(shape) > 1:
        raise RecordError("bad_container", f"'{name}' is in column order", "save it in row order")
    return stream, Array(shape, said[1])


def _header(archive: zipfile.ZipFile, name: str) -> Array:
    stream, array = _opened(archive, name)
    stream.close()
    return array


def _read(stream: IO[bytes], size: int) -> bytes:
    try:
        data = stream.read(size)
    except BROKEN as error:
        raise RecordError("bad_container", f"an archive that breaks ({type(error).__name__})", REMEDY) from None
    if len(data) != size:
        raise RecordError("bad_container", f"an array that ends {size - len(data)} bytes early", REMEDY)
    return data


def _labels(archive: zipfile.ZipFile, name: str) -> list[list[int]]:
    """The labels of a split, one list a row: all of them, some bytes each."""
    import numpy as np

    stream, array = _opened(archive, name)
    if len(array.shape) != 2 or not LABELS.fullmatch(array.dtype):
        raise RecordError("bad_container", f"'{name}' is {array.dtype} of shape {array.shape}", REMEDY)
    dtype = np.dtype(array.dtype)
    size = dtype.itemsize * array.row_bytes * array.shape[0]
    if size > MAX_LABELS:
        raise RecordError("bad_container", f"'{name}' has {size} bytes of labels", REMEDY)
    with stream:
        values: list[list[int]] = np.frombuffer(_read(stream, size), dtype).reshape(array.shape).tolist()
    return values


def _pictures(archive: zipfile.ZipFile, name: str, array: Array, first: int, count: int) -> Iterator[tuple[int, bytes]]:
    stream, _ = _opened(archive, name)
    with stream:
        over = first * array.row_bytes
        while over:
            over -= len(_read(stream, min(over, CHUNK)))
        for number in range(first, min(first + count, array.shape[0])):
            yield number, _read(stream, array.row_bytes)


def _bmp(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "BMP")
    return buffer.getvalue()
