"""Pack: one output shard. Copies byte ranges of media and of sample JSON into a deterministic tar. One unit of work.

Nothing is decoded or rendered here; what a sample is made of was decided before, so packing costs reading and writing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from curate.code import code_version
from curate.shard import with_key, write_tar
from curate.store import file_sha256, unit_folder
from curate.units import Summary, Unit, unit_key
from manifests.record import canonical_json


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes in a file of a finished unit."""

    stage: str
    unit: str
    file: str
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One sample of a shard: its key, its JSON, its media members."""

    key: str
    record: str
    json: Range
    members: tuple[tuple[str, Range], ...]
    repeat: int


@dataclass(frozen=True, slots=True)
class PackSpec:
    entries: tuple[Entry, ...]


def unit_of(name: str, entries: tuple[Entry, ...], size_bytes: int) -> Unit:
    identity = [
        [e.key, _identity(e.json), [[member, _identity(where)] for member, where in e.members]] for e in entries
    ]
    return Unit(
        stage="pack",
        key=unit_key("pack", code_version("curate.pack"), identity),
        spec=PackSpec(entries),
        label=name,
        records=len(entries),
        size_bytes=size_bytes,
    )


def work(spec: PackSpec, folder: Path, work_folder: Path) -> Summary:
    """Write `shard.tar` and `samples.json` (offset, size and digest of every sample)."""
    readers = _Readers(work_folder)
    digests: list[str] = []

    def samples() -> Iterator[tuple[str, dict[str, bytes]]]:
        for entry in spec.entries:
            fields = {member: readers.read(where) for member, where in entry.members}
            fields["json"] = readers.read(entry.json)
            if entry.repeat:
                fields["json"] = with_key(fields["json"], entry.key)
            digests.append(sample_sha256(fields))
            yield entry.key, fields

    path = folder / "shard.tar"
    try:
        spans = write_tar(path, samples())
    finally:
        readers.close()
    rows = [
        {"key": e.key, "record": e.record, "offset": offset, "size_bytes": size, "sha256": sha256}
        for e, (offset, size), sha256 in zip(spec.entries, spans, digests, strict=True)
    ]
    (folder / "samples.json").write_text(canonical_json(rows))
    return {"records": len(rows), "sha256": file_sha256(path), "bytes": path.stat().st_size}


def sample_sha256(fields: dict[str, bytes]) -> str:
    """One digest of a sample: its members by name."""
    hasher = hashlib.sha256()
    for name in sorted(fields):
        hasher.update(f"{name}\x1f{len(fields[name])}\x1f".encode() + fields[name])
    return hasher.hexdigest()


class _Readers:
    """Open files of finished units, one handle each, closed together; at most `LIMIT` at a time."""

    LIMIT = 256

    def __init__(self, work: Path) -> None:
        self.work = work
        self.open: dict[Path, BinaryIO] = {}

    def read(self, where: Range) -> bytes:
        path = unit_folder(self.work, where.stage, where.unit) / where.file
        if path not in self.open:
            if len(self.open) >= self.LIMIT:
                self.close()
            self.open[path] = path.open("rb")
        handle = self.open[path]
        handle.seek(where.offset)
        return handle.read(where.size_bytes)

    def close(self) -> None:
        for handle in self.open.values():
            handle.close()
        self.open.clear()


def _identity(where: Range) -> list[str | int]:
    return [where.stage, where.unit, where.file, where.offset, where.size_bytes]
