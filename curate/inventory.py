"""What lies below a source's root: every file with its size, its digest and what the source peeked from its header.

The listing is made on the driver (names and sizes only); digests and peeks are units. A unit's key holds the path, size
and modification time of its files, as a version control index does, so a second run reads nothing again; what enters
every later key is the sha256. Chunks are cut by the names themselves, so a new file disturbs only its own chunk.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from curate.code import code_version
from curate.keyring import Keyring
from curate.store import file_sha256, unit_folder
from curate.units import Summary, Unit, unit_key
from manifests.errors import RecordError
from manifests.record import canonical_json, digest
from sources.base import PACKAGE, Entry, Place, SourceConfig, is_regular, list_files

ITEMS_PER_UNIT = 32
BYTES_PER_UNIT = 64 << 20
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


def units_of(source: SourceConfig, place: Place, key: KeyHint) -> list[Unit]:
    """The inventory units of one source, in path order."""
    paths = list_files(place.root, source.root.startswith(PACKAGE))
    sizes = {p: place.file(p).lstat() for p in paths}
    code = code_version("curate.inventory", type(source).__module__)
    units = []
    for chunk in cut(paths, lambda p: p, lambda p: sizes[p].st_size):
        stats = [[p, sizes[p].st_size, sizes[p].st_mtime_ns] for p in chunk]
        identity = {"source": source.identity(), "root": str(place.root), "key": key.key_id, "files": stats}
        units.append(
            Unit(
                stage="inventory",
                key=unit_key("inventory", code, identity),
                spec=InventorySpec(source, place, tuple(chunk), key),
                label=source.called,
                records=len(chunk),
                size_bytes=sum(sizes[p].st_size for p in chunk),
            )
        )
    return units


def work(spec: InventorySpec, folder: Path, _work: Path) -> Summary:
    """Digest and peek every file of the chunk; a file that cannot be looked at keeps its place with a problem."""
    ring = spec.key.keyring()
    entries = [entry_of(spec.source, spec.place, path, ring.pseudonym) for path in spec.paths]
    (folder / "entries.json").write_text(canonical_json([dataclasses.asdict(e) for e in entries]))
    return {"records": len(entries)}


def entry_of(source: SourceConfig, place: Place, path: str, pseudonym: Callable[[str, str], str]) -> Entry:
    file = place.file(path)
    if not is_regular(file):
        empty = hashlib.sha256(b"").hexdigest()
        return Entry(path, 0, empty, {}, "not_a_regular_file", "a link, FIFO or device", "put the file itself there")
    size, sha256 = file.stat().st_size, file_sha256(file)
    try:
        return Entry(path, size, sha256, source.peek(file, pseudonym))
    except RecordError as error:
        return Entry(path, size, sha256, {}, error.reason, error.found, error.remedy)


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
