"""What a hostile case is, and how one is put through the real path: inventory, items, prepare, in parsers of their own.

A case writes its files into a folder of its own below its source's root; `expected` says how its record must end. What
it costs is read from the kernel's own books of the parser's processes: the highest resident set (VmHWM) and the CPU
time of each, children that it waited for among them.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate import inventory, listing, prepare, sandbox
from curate.inventory import KeyHint
from curate.keyring import Keyring
from curate.prepare import read_rows, record_of
from curate.recipe import Recipe, place_of
from curate.store import unit_folder
from curate.units import Unit, run_unit
from manifests.record import Record

SECRET = "Zebra^Quartz0713"  # stands in names, texts and headers of the cases; it may stand in nothing that is written
KEEP = {"faces": {"keep": "packaged test data"}, "burned_in": {"keep": "packaged test data"}}
PRIVATE = "items.jsonl"  # what a table says, as it says it, for workers alone: `curate.listing`
SOURCES: dict[str, dict[str, Any]] = {  # one root for each; the keys are a recipe's
    "dicom": {"source": "dicom_tree"},
    "volumes": {"source": "nifti_masks"},
    "labelled": {
        "source": "nifti_masks",
        "masks": {"part": "{folder}/mask.nii.gz"},
        "landmarks": "{folder}/points.json",
    },
    "pictures": {"source": "image_table"},
    "clips": {"source": "video_table"},
    "texts": {"source": "jsonl_text", "text": "text", "question": "question", "answer": "answer"},
    "codes": {"source": "icd10cm", "chapters": ["1"]},
}


@dataclass(frozen=True, slots=True)
class Expected:
    """How the record ends; `gone` are bytes that stood in its files and stand in nothing that is written."""

    status: str  # failed | dropped | ready
    reason: str = ""
    gone: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """`number` is that of the kind in the catalogue; `write` makes the files in an empty folder and returns the first
    of the record."""

    number: int
    name: str
    source: str
    write: Callable[[Path], Path]
    expected: Expected


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a case alone."""

    records: tuple[Record, ...]  # of the case's first file
    others: tuple[Record, ...]
    written: bytes  # all that was written, one after another
    cpu_s: float
    peak_bytes: int


def ends_as_expected(case: Case, rows: Iterable[tuple[str, str]]) -> bool:
    """Whether (status, reason) of every record of the case's first file is the expected; a table beside its rows, and
    a kept record that repeats another, are that too."""
    wanted = (case.expected.status, case.expected.reason)
    beside = ("dropped", "not_a_record")
    told = [row for row in rows if row != beside or wanted == beside]
    good = {wanted, ("kept", ""), ("duplicate", "")} if case.expected.status == "ready" else {wanted}
    return bool(told) and all(row in good for row in told)


def failed(reason: str) -> Expected:
    return Expected("failed", reason, (SECRET.encode(),))


def dropped(reason: str) -> Expected:
    return Expected("dropped", reason, (SECRET.encode(),))


def kept(*gone: bytes) -> Expected:
    return Expected("ready", "", (SECRET.encode(), *gone))


def source_keys(case: Case) -> tuple[str, dict[str, Any]]:
    """The name of the case's source, and its keys in a recipe."""
    if case.source == "table":
        return case.name, {"source": "image_table", "table": "t.csv", "image": "image", "text": "text"}
    return case.source, SOURCES[case.source]


def home_of(case: Case, root: Path) -> Path:
    """The case's own folder; a table is at the root of its source."""
    return root / case.name if case.source == "table" else root / case.source / case.name


def write_case(case: Case, root: Path) -> Path:
    """Write its files below the root; pydicom warns of what it is made to write."""
    home_of(case, root).mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return case.write(home_of(case, root))


def recipe_of(cases: Iterable[Case], root: Path) -> dict[str, Any]:
    named = dict(source_keys(case) for case in cases)
    sources = [{"licence": "MIT", **keys, "name": name, "root": str(root / name)} for name, keys in named.items()]
    return {"name": "hostile", "sources": sources, "deidentify": KEEP, "limits": {"failed": 1.0}}


def alone(case: Case, folder: Path) -> Seen:
    """The case as the only thing of its source, from its files to its rows."""
    root, work = folder / "data", folder / "work"
    first = write_case(case, root)
    recipe = Recipe.model_validate(recipe_of([case], root))
    source = recipe.sources[0]
    place = place_of(source, folder, None)
    ring = Keyring.load(recipe.name, recipe.seed, None)
    key = KeyHint(recipe.name, recipe.seed, "", ring.key_id)
    books = Books()
    units = inventory.units_of(source, place, key)
    for unit in units:
        books.run(unit, work)
    entries = inventory.read_entries(work, units)
    listed = listing.unit_of(source, place, key, units, entries)
    books.run(listed, work)
    items = list(listing.read_items(work, listed))
    records: list[Record] = []
    for unit in prepare.units_of(recipe, source, place, items, key):
        books.run(unit, work)
        records += [record_of(row) for row in read_rows(unit_folder(work, "prepare", unit.key))]
    name = first.relative_to(place.root).as_posix()
    return Seen(
        records=tuple(r for r in records if r.files[0].path == name),
        others=tuple(r for r in records if r.files[0].path != name),
        written=b"".join(p.read_bytes() for p in sorted(work.rglob("*")) if p.is_file() and p.name != PRIVATE),
        cpu_s=books.cpu_s,
        peak_bytes=books.peak_bytes,
    )


class Books:
    """What the parsers' processes took; each unit has one of its own."""

    def __init__(self) -> None:
        self.cpu_s = 0.0
        self.peak_bytes = 0

    def run(self, unit: Unit, work: Path) -> None:
        discard()
        run_unit(unit, work)
        for pid in parsers():
            self.cpu_s += cpu_seconds(pid)
            self.peak_bytes = max(self.peak_bytes, peak(pid))


def parsers() -> Iterator[int]:
    for nurse in sandbox._IDLE:
        if nurse.parser is not None and nurse.parser.pid:
            yield nurse.parser.pid


def discard() -> None:
    """The next thing gets a fresh parser, forked from the same nursery."""
    for nurse in sandbox._IDLE:
        if nurse.parser is not None:
            nurse.discard("replaced")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of the children that it waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(n) for n in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def peak(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024
