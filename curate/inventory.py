"""What lies below a source's root: every file with its size, its digest and what the source peeked from its header.

The listing is made on the driver (names and sizes only); digests and peeks are units. A unit's key holds the path, size
and modification time of its files, as a version control index does, so a second run reads nothing again; what enters
every later key is the sha256. Chunks are cut by the names themselves, so a new file disturbs only its own chunk.
Headers are parsed in a process of their own (`curate.sandbox`); the worker only hashes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from curate.code import code_version
from curate.handover import handed_over, taken_over
from curate.keyring import Keyring
from curate.sandbox import Answered, Death, Limits, Said, Serve, Thing, run
from curate.store import file_sha256, unit_folder
from curate.units import Summary, Unit, unit_key
from manifests.errors import RecordError
from manifests.record import canonical_json, digest
from sources.base import PACKAGE, Entry, Place, SourceConfig, is_regular, list_files

ITEMS_PER_UNIT = 32
BYTES_PER_UNIT = 64 << 20
UNEXPECTED_REMEDY = "report it with the file's sha256, or exclude the file"
DEFAULT_LIMITS = Limits()
SERVE = "curate.inventory:open_peeks"
Peeked = tuple[dict[str, str], str, str, str]  # what was peeked; reason, found and remedy of a problem
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KeyHint:
    """How a worker finds the key for pseudonyms; the key itself never travels. `key_id` proves that it is the same."""

    recipe: str
    seed: int
    key_file: str
    key_id: str

    def keyring(self) -> Keyring:
        ring = Keyring.load(self.recipe, self.seed, Path(self.key_file) if self.key_file else None)
        if ring.key_id != self.key_id:
            raise RecordError(
                "other_key",
                f"key {ring.key_id} on this worker, {self.key_id} on the driver",
                "give every worker the same MEDCURATE_KEY or key file",
            )
        return ring


@dataclass(frozen=True, slots=True)
class InventorySpec:
    source: SourceConfig
    place: Place
    paths: tuple[str, ...]
    key: KeyHint
    limits: Limits | None = DEFAULT_LIMITS  # None: parse in this process, for tests and debuggers


def units_of(source: SourceConfig, place: Place, key: KeyHint, limits: Limits | None = DEFAULT_LIMITS) -> list[Unit]:
    """The inventory units of one source, in path order."""
    paths = list_files(place.root, source.root.startswith(PACKAGE))
    stamps = {p: _stamp(place.file(p)) for p in paths}
    code = code_version("curate.inventory", type(source).__module__)
    units = []
    for chunk in cut(paths, lambda p: p, lambda p: stamps[p][0]):
        stats = [[p, *stamps[p]] for p in chunk]
        identity: dict[str, Any] = {
            "source": source.identity(),
            "root": str(place.root),
            "key": key.key_id,
            "files": stats,
            "limits": dataclasses.asdict(limits) if limits else None,
        }
        units.append(
            Unit(
                stage="inventory",
                key=unit_key("inventory", code, identity),
                spec=InventorySpec(source, place, tuple(chunk), key, limits),
                label=source.called,
                records=len(chunk),
                size_bytes=sum(stamps[p][0] for p in chunk),
            )
        )
    return units


def _stamp(file: Path) -> tuple[int, int]:
    """(size, modification time in ns) by which a file is known to be the same; zeros where none is there."""
    try:
        status = file.lstat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def work(spec: InventorySpec, folder: Path, _work: Path) -> Summary:
    """Digest and peek every file of the chunk; a file that cannot be looked at keeps its place with a problem."""
    ring = spec.key.keyring()
    if spec.limits is None:
        entries = [entry_of(spec.source, spec.place, path, ring.pseudonym) for path in spec.paths]
    else:
        entries = _entries(spec, spec.limits)
    (folder / "entries.json").write_text(canonical_json([dataclasses.asdict(e) for e in entries]))
    return {"records": len(entries)}


def _entries(spec: InventorySpec, limits: Limits) -> list[Entry]:
    """The parser peeks while this process hashes."""
    regular = [path for path in spec.paths if is_regular(spec.place.file(path))]
    setup = {**handed_over(spec.source, spec.place), "hint": dataclasses.asdict(spec.key)}
    entries = {path: _no_file(spec.place, path) for path in sorted(set(spec.paths) - set(regular))}
    for answer in run(SERVE, setup, [Thing(path) for path in regular], limits, _peeked):
        path = regular[answer.thing]
        if isinstance(answer, Death):
            entries[path] = _entry(spec.place, path, ({}, "parser_died", answer.found, answer.remedy))
        else:
            entries[path] = _entry(spec.place, path, answer.value)
    return [entries[path] for path in spec.paths]


def open_peeks(setup: dict[str, Any]) -> Serve:
    """In the parser's process: one answer per path, what the source peeked or the problem with it."""
    source, place = taken_over(setup)
    ring = KeyHint(**setup["hint"]).keyring()

    def serve(path: str, _skip: int) -> Iterator[Said]:
        yield Answered(_peek(source, place.file(path), ring.pseudonym))

    return serve


def entry_of(source: SourceConfig, place: Place, path: str, pseudonym: Callable[[str, str], str]) -> Entry:
    """One file's entry, parsed in this process."""
    file = place.file(path)
    return _entry(place, path, _peek(source, file, pseudonym)) if is_regular(file) else _no_file(place, path)


def _peek(source: SourceConfig, file: Path, pseudonym: Callable[[str, str], str]) -> Peeked:
    try:
        return source.peek(file, pseudonym), "", "", ""
    except RecordError as error:
        return {}, error.reason, error.found, error.remedy
    except MemoryError:
        raise
    except Exception as error:
        return {}, "unexpected_error", f"{type(error).__name__} while reading the header", UNEXPECTED_REMEDY


def _peeked(value: Any) -> Peeked:
    """An answer as it must be. Raises ValueError for any other."""
    peek, *problem = value
    texts = [*problem, *peek, *peek.values()]
    if len(problem) != 3 or not isinstance(peek, dict) or not all(isinstance(t, str) for t in texts):
        raise ValueError("no peek")
    return peek, problem[0], problem[1], problem[2]


def _entry(place: Place, path: str, peeked: Peeked) -> Entry:
    file = place.file(path)
    return Entry(path, file.stat().st_size, file_sha256(file), *peeked)


def _no_file(place: Place, path: str) -> Entry:
    empty = hashlib.sha256(b"").hexdigest()
    if not os.path.lexists(place.file(path)):
        remedy = "rename the file if its name is not UTF-8, else fetch it again"
        return Entry(path, 0, empty, {}, "unreadable_file", "no file under this name", remedy)
    return Entry(path, 0, empty, {}, "not_a_regular_file", "a link, FIFO or device", "put the file itself there")


def read_entries(work_folder: Path, units: Sequence[Unit]) -> list[Entry]:
    entries: list[Entry] = []
    for unit in units:
        rows: list[dict[str, Any]] = json.loads(
            (unit_folder(work_folder, "inventory", unit.key) / "entries.json").read_bytes()
        )
        entries += [Entry(**row) for row in rows]
    return sorted(entries, key=lambda e: e.path)


def inputs_digest(entries: Sequence[Entry]) -> str:
    """One digest of a source's content: paths and bytes, no times."""
    return digest([[e.path, e.sha256] for e in entries])


def cut(things: Sequence[T], name: Callable[[T], str], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Runs of about `ITEMS_PER_UNIT` things, at most `BYTES_PER_UNIT`, cut where a name's own hash says so: adding a
    thing changes the runs beside it and no other."""
    run: list[T] = []
    weight = 0
    for thing in things:
        run.append(thing)
        weight += size(thing)
        ends = int(hashlib.sha256(name(thing).encode("utf-8", "surrogateescape")).hexdigest()[:8], 16)
        if ends % ITEMS_PER_UNIT == 0 or weight >= BYTES_PER_UNIT or len(run) >= 4 * ITEMS_PER_UNIT:
            yield run
            run, weight = [], 0
    if run:
        yield run
