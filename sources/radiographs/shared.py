"""What the sources of radiographs share: studies of several views, visits in pairs, tables that may be compressed.

A study is one record with its views as pictures, or one record for each view (`by: picture`). What is true of one view
alone carries its place (`Fact.at`). Two consecutive studies of one patient are a record of two frontal views, the older
first, each with its study's findings, and the report of the later one; both studies also stay records of their own.
"""

from __future__ import annotations

import ast
import csv
import dataclasses
import datetime
import gzip
import itertools
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manifests.errors import RecordError
from manifests.record import Fact, FileRef
from sources.base import Item, Place
from sources.upstream import MAX_CELL_CHARS, REMEDY, Line, plain, rows_below, told

if TYPE_CHECKING:
    from sources.mini import Pixels

OLDEST = 90  # stands for 90 and more
MAX_LIST_CHARS = 1 << 16
SEXES = {"m": "M", "male": "M", "f": "F", "female": "F", "o": "O", "other": "O"}
PRESENCE = {
    "1": "present", "1.0": "present", "0": "absent", "0.0": "absent", "-1": "uncertain", "-1.0": "uncertain"
}  # fmt: skip
FRONTAL = ("PA", "AP")
LASTING = frozenset({"sex", "split"})  # the same at every visit
NOTHING = "No Finding"


# -------------------------------------------------------------------------------------------------------------- tables
def table_rows(name: str, place: Place, columns: Sequence[str] | None = None) -> Iterator[Line]:
    """The rows of a CSV below the root, plain or gzip (`.csv.gz`), one at a time. Raises `RecordError` `bad_table`."""
    if not name.endswith(".gz"):
        yield from rows_below(name, place, columns)
        return
    number = 0
    try:
        with gzip.open(place.file(name), "rt", encoding="utf-8-sig", newline="") as stream:
            lines = iter(lambda: stream.readline(MAX_CELL_CHARS), "")  # whatever the archive swells to
            for row in csv.DictReader(lines, fieldnames=columns):
                number += 1
                cells = {str(k).strip(): v or "" for k, v in row.items() if k is not None and not isinstance(v, list)}
                yield Line(name, number, cells)
    except (OSError, EOFError, zlib.error, ValueError, csv.Error) as error:
        raise RecordError("bad_table", f"'{name}' breaks after row {number} ({type(error).__name__})", REMEDY) from None


def one_table(names: Sequence[str], stem: str) -> str:
    """Of the tables that are there, the one of that stem, plain before compressed; "" where there is none."""
    found = [n for n in names if n.removesuffix(".gz") == f"{stem}.csv"]
    return min(found, key=len, default="")


def runs_of(rows: Iterable[Line], key: Callable[[Line], str], what: str) -> Iterator[tuple[str, list[Line]]]:
    """Rows that stand together because they are of one patient or study (`what`), as in upstream's tables.

    Raises `RecordError` `bad_table` where one comes back later: its rows would be taken for two."""
    seen: set[str] = set()
    held: list[Line] = []
    for row in rows:
        value = key(row)
        if held and value != key(held[0]):
            yield key(held[0]), held
            held = []
        if not held and value in seen:
            found = f"row {row.number} of '{row.table}': rows of one {what} do not stand together"
            raise RecordError("bad_table", found, f"sort the table by {what}, as upstream publishes it")
        seen.add(value)
        held.append(row)
    if held:
        yield key(held[0]), held


class Gathered:
    """Rows of tables by the image that they speak of, images in the order in which they are first named. Each row is
    held once, as JSON."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[str, int, str]]] = {}

    def add(self, image: str, row: Line) -> None:
        values = json.dumps(row.values, ensure_ascii=False, separators=(",", ":"))
        self._rows.setdefault(image, []).append((row.table, row.number, values))

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def rows(self, image: str) -> list[Line]:
        return [Line(table, number, json.loads(values)) for table, number, values in self._rows.get(image, ())]

    def missing(self, image: str, name: str = "") -> Item:
        """How the rows of an image end that is not below the root."""
        first, *more = self.rows(image)
        what = f"'{name}'" if name else "a file"
        found, remedy = f"{what}, named in {len(more) + 1} rows, is not below the root", "fetch the file"
        return first.failed("media_missing", found, remedy, *(row.ref for row in more))


def listed(text: str) -> list[Any]:
    """A list as Python writes it (`['a', nan]`), nan as None; [] for anything else."""
    try:
        value = ast.literal_eval(re.sub(r"(?<![\w'\"])nan(?![\w'\"])", "None", text[:MAX_LIST_CHARS]))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return []
    return value if isinstance(value, list) else []


# --------------------------------------------------------------------------------------------------------------- facts
def years(text: str) -> str:
    """An age in whole years of `63`, `63.0`, `063Y`; "" where none is told or it cannot be one."""
    met = re.fullmatch(r"(\d{1,3})(?:\.\d+)?Y?", text.strip())
    return str(min(OLDEST, int(met[1]))) if met and int(met[1]) < 120 else ""


def day(text: str) -> datetime.date | None:
    """A date of `20140915` or `20140915.0`; None for anything else."""
    digits = text.removesuffix(".0")
    try:
        if len(digits) == 8 and digits.isdecimal():
            return datetime.date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        pass
    return None


def presence(line: Line, columns: Sequence[str], values: Mapping[str, str] | None = None) -> Iterator[Fact]:
    """Findings of columns that hold 1 (present), 0 (absent), -1 (uncertain) or nothing (not mentioned); that of `No
    Finding` is a label, and said only where it is true. `values` stand for the row's own cells."""
    for column in columns:
        cell = line.get(column) if values is None else values.get(column, "")
        if column.lower() == NOTHING.lower():
            yield from told("label", NOTHING if PRESENCE.get(cell) == "present" else "", f"column:{column}")
        else:
            yield from told("finding", PRESENCE.get(cell, ""), f"column:{column}", about=column)


def number(value: Any) -> float:
    """A number of a cell, or NaN for what is none."""
    try:
        return float(value if isinstance(value, int | float) else plain(value))
    except ValueError:
        return float("nan")


# ------------------------------------------------------------------------------------------------------------- studies
@dataclass(frozen=True, slots=True)
class View:
    """One picture of a study: its file, its row, and what is true of it alone."""

    name: str
    file: FileRef
    row: FileRef
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Study:
    """The pictures of one examination. `files` lie beside (the report), `when` orders a patient's studies."""

    name: str
    group: str
    views: tuple[View, ...]
    facts: tuple[Fact, ...]
    text: str = ""
    files: tuple[FileRef, ...] = ()
    when: tuple[float, ...] = ()

    @property
    def refs(self) -> tuple[FileRef, ...]:
        return (*(v.file for v in self.views), *(v.row for v in self.views), *self.files)


def study_items(study: Study, by: str, declared: tuple[Fact, ...]) -> Iterator[Item]:
    """The study as one record, or one for each of its pictures."""
    if by == "study" or len(study.views) == 1:
        several = len(study.views) > 1
        own = [
            dataclasses.replace(f, at=str(n) if several else "") for n, v in enumerate(study.views, 1) for f in v.facts
        ]
        facts = (*declared, *study.facts, *own)
        yield Item(study.name, "picture", study.refs, study.group, facts, study.text)
        return
    for view in study.views:
        files = (view.file, view.row, *study.files)
        yield Item(view.name, "picture", files, study.group, (*declared, *study.facts, *view.facts), study.text)


def visit_items(studies: Sequence[Study], declared: tuple[Fact, ...]) -> Iterator[Item]:
    """Consecutive studies of one patient in pairs, as their frontal views; studies without one are passed over, and two
    of the same time show no course."""
    seen = [(s, v) for s in sorted(studies, key=lambda s: s.when) if (v := _frontal(s))]
    for (prior, before), (current, now) in itertools.pairwise(seen):
        if prior.when == current.when:
            continue
        lasting = tuple(f for f in prior.facts if f.name in LASTING and f in current.facts)
        facts = [*declared, *lasting]
        for at, study, view in (("1", prior, before), ("2", current, now)):
            facts += [dataclasses.replace(f, at=at) for f in (*study.facts, *view.facts) if f not in lasting]
        facts += _interval(prior, current)
        files = (before.file, now.file, before.row, now.row, *prior.files, *current.files)
        yield Item(
            f"{prior.name}>{current.name}", "picture", files, current.group, tuple(facts), current.text
        )  # fmt: skip


def _frontal(study: Study) -> View | None:
    for position in FRONTAL:
        for view in study.views:
            if any(f.name == "view_position" and f.value == position for f in view.facts):
                return view
    return None


def _interval(prior: Study, current: Study) -> tuple[Fact, ...]:
    known = [next((f for f in s.facts if f.name == "offset_days"), None) for s in (prior, current)]
    if known[0] is None or known[1] is None:
        return ()
    return (Fact("interval_days", str(int(known[1].value) - int(known[0].value)), known[1].origin, "day"),)


# ---------------------------------------------------------------------------------------------------------- miniatures
def write_dicom(path: Path, image: Pixels, modality: str, tags: Mapping[str, str]) -> None:
    """A small DICOM instance with an 8-bit picture of a miniature; `tags` are further elements by keyword."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

    kinds = {"MG": "1.2.840.10008.5.1.4.1.1.1.2", "DX": "1.2.840.10008.5.1.4.1.1.1.1"}
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UID(kinds[modality])
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[path.name, "instance"])
    ds.StudyInstanceUID = generate_uid(entropy_srcs=[path.name, "study"])
    ds.SeriesInstanceUID = generate_uid(entropy_srcs=[path.name, "series"])
    ds.Modality, ds.PatientID, ds.BurnedInAnnotation = modality, "", "NO"
    ds.Rows, ds.Columns = image.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit = 7
    ds.ImagerPixelSpacing = [0.7, 0.7]
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    ds.PixelData = image.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
