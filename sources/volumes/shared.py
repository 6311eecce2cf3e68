"""What the sources of volumes share: people, names, label maps, questions gathered by the medium that they ask of."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from manifests.record import Asked, Fact, FileRef
from sources.base import Entry, Item
from sources.upstream import Line, Shelf, told

Masks = tuple[tuple[str, str, int], ...]

OLDEST = 90  # stands for 90 and more
SEXES = {"m": "M", "male": "M", "man": "M", "f": "F", "female": "F", "woman": "F", "o": "O", "other": "O"}
_AGE = re.compile(r"(\d{1,3})(?:\.\d+)?\s*([YMWD]?)", re.IGNORECASE)
_PER_YEAR = {"": 1, "Y": 1, "M": 12, "W": 52, "D": 365}
_ENDINGS = (".nii.gz", ".nii", ".npy")


def years(text: str) -> str:
    """An age in whole years, of `63`, `63.0` or DICOM's `063Y` and `018M`; "" where none is told."""
    met = _AGE.fullmatch(text.strip())
    return str(min(OLDEST, int(met[1]) // _PER_YEAR[met[2].upper()])) if met else ""


def person(sex: str, age: str, origins: tuple[str, str]) -> tuple[Fact, ...]:
    """Sex and age as facts; `origins` say where each is from."""
    return (
        *told("sex", SEXES.get(sex.strip().lower(), ""), origins[0]),
        *told("age_years", years(age), origins[1]),
    )


def stem(path: str) -> str:
    """The file's name without the ending of a volume."""
    name = PurePosixPath(path).name
    ending = next((e for e in _ENDINGS if name.lower().endswith(e)), "")
    return name[: len(name) - len(ending)]


def hidden(path: str) -> bool:
    """Whether a file is a companion that macOS puts into archives (`._CASE.nii.gz`), or any other hidden one."""
    return PurePosixPath(path).name.startswith(".")


def by_folder(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Files by the folder that they are in, hidden ones left out."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        if not hidden(entry.path):
            found.setdefault(str(PurePosixPath(entry.path).parent), []).append(entry)
    return found


def label_map(entry: Entry | None, labels: Mapping[int, str]) -> Masks:
    """The masks of a label map, by their values; none where the file is not there."""
    return () if entry is None else tuple((name, entry.path, value) for value, name in sorted(labels.items()) if value)


def taken(shelf: Shelf, entry: Entry | None, role: str, volume: int | None = None) -> tuple[FileRef, ...]:
    """The file as part of a record, none where it is not there. `volume` says that the record takes that one volume of
    a file that holds several, or shares a file with the records of the others."""
    if entry is None:
        return ()
    file = shelf.take(entry, role)
    return (file if volume is None else dataclasses.replace(file, fragment=f"volume={volume}"),)


# ----------------------------------------------------------------------------------------------------------- questions
class Gathered:
    """Rows of tables by the medium that they are about, media in the order in which they are first named.

    Each row is held once, as JSON with its place and digest: some 0.6 KiB for a question with four options."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[str, int, bytes, int, bytes]]] = {}

    def add(self, medium: str, row: Line, but: Sequence[str] = ()) -> None:
        """`but` are columns that are not held; the row's digest is of all of them."""
        values = {column: value for column, value in row.values.items() if column not in but}
        told = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
        kept = (row.table, row.number, bytes.fromhex(row.ref.sha256), row.ref.size_bytes, told)
        self._rows.setdefault(medium, []).append(kept)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def rows(self, medium: str) -> list[Line]:
        return [Line(table, number, json.loads(told)) for table, number, _, _, told in self._rows[medium]]

    def refs(self, medium: str) -> tuple[FileRef, ...]:
        """The rows as parts of a record's source."""
        kept = self._rows[medium]
        return tuple(FileRef(table, sha.hex(), size, "table", f"line={number}") for table, number, sha, size, _ in kept)

    def missing(self, medium: str, name: str) -> Item:
        """How the rows of a medium end that is not below the root."""
        refs = self.refs(medium)
        found, remedy = f"'{name}', asked of in {len(refs)} rows, is not below the root", "fetch the volume"
        first = self.rows(medium)[0].failed("media_missing", found, remedy)
        return dataclasses.replace(first, files=refs)


def choices(row: Line, letters: str = "ABCD") -> dict[str, str]:
    """The options of `Choice A` to `Choice D` by their letters; `-`, `NA` and empty cells are none."""
    found = {letter: row.get(f"Choice {letter}") for letter in letters}
    return {letter: text for letter, text in found.items() if text not in ("", "-", "NA")}


def chosen(question: str, answer: str, letter: str, options: Mapping[str, str], about: str) -> Asked | None:
    """A question with its answer as one of its options: the letter's where there is one, else the one that reads as the
    answer does. A question whose answer is none of its options is asked without them; None where it or its answer is
    missing."""
    by_letter = options.get(letter.strip().upper()[:1], "")
    alike = next((o for o in options.values() if o.lower() == answer.lower()), "")
    known = by_letter or alike
    if not question or not (known or answer):
        return None
    distinct = len(set(options.values())) == len(options) > 1
    return Asked(question, known or answer, tuple(options.values()) if known and distinct else (), about)


def asked_of(rows: Sequence[Line], about: Callable[[Line], str]) -> tuple[Asked, ...]:
    """The questions of rows in M3D's columns; `about` tells their kind. Equal ones stand once."""
    found = (
        chosen(r.get("Question"), r.get("Answer"), r.get("Answer Choice", "AnswerChoice"), choices(r), about(r))
        for r in rows
    )
    return tuple(dict.fromkeys(a for a in found if a is not None))


def ct_rate_path(name: str, suffix: str) -> str:
    """Where CT-RATE has a volume: `train_1_a_2.nii.gz` below `dataset/train_fixed/train_1/train_1_a` for `_fixed`."""
    split, *rest = stem(name).split("_")
    folder = ["dataset", f"{split}{suffix}", "_".join([split, *rest[:1]]), "_".join([split, *rest[:2]])]
    return "/".join([*folder, name])


# ------------------------------------------------------------------------------------------------------------------ M3D
PLANES = ("axial", "coronal", "sagittal")


def m3d_case(path: str) -> str:
    """The case of a volume of M3D: `ct_quizze/000006`."""
    return "/".join(PurePosixPath(path).parts[-3:-1])


def m3d_facts(path: str) -> tuple[Fact, ...]:
    """What the name of a volume of M3D says: the plane, then contrast phase or another title of the series."""
    plane, _, rest = stem(path).partition("_")
    if plane.lower() not in PLANES:
        plane, rest = "", stem(path)
    title = " ".join(re.sub(r"\bC__", "C+ ", rest.lstrip("_")).replace("_", " ").split())
    contrast = re.search(r"contrast|phase|C\+|C-|delayed|injection", title, re.IGNORECASE)
    return (
        *told("plane", plane.lower(), "file name"),
        *(told("contrast", title, "file name") if contrast else told("procedure", title, "file name")),
    )


def npy(path: Path, grid: Any) -> None:
    """A miniature in M3D's form: float32 (1, z, y, x) in 0 to 1 of a grid indexed (x, y, z)."""
    import numpy

    scaled = (grid - grid.min()) / (grid.max() - grid.min())
    path.parent.mkdir(parents=True, exist_ok=True)
    numpy.save(path, scaled.T[None].astype(numpy.float32))
