"""Where finished work lies, and how it gets there: write to a temporary place, fsync, rename.

A *unit*'s output is a folder `WORK/units/STAGE/KE/KEY/` that appears whole or not at all: it is built under
`WORK/tmp/`, every file is fsynced, `done.json` is written last, and one rename publishes it. A folder under its final
name is therefore complete, also after SIGKILL; a resume is a look-up. Covered: local and POSIX network file systems.
Not covered: object stores, where the same protocol publishes `done.json` last instead of renaming (this module is the
only place that would change).
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manifests.record import canonical_json

CHUNK_BYTES = 1 << 20


def unit_folder(work: Path, stage: str, key: str) -> Path:
    return work / "units" / stage / key[:2] / key


def is_done(work: Path, stage: str, key: str) -> bool:
    return (unit_folder(work, stage, key) / "done.json").exists()


def read_summary(work: Path, stage: str, key: str) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((unit_folder(work, stage, key) / "done.json").read_bytes())
    return summary


@contextlib.contextmanager
def building(work: Path, stage: str, key: str) -> Iterator[Path]:
    """A temporary folder for a unit's files; it is removed if the block raises and kept for `publish` otherwise."""
    folder = work / "tmp" / f"{stage}-{key[:24]}-{_host()}-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(work: Path, stage: str, key: str, built: Path, summary: dict[str, Any]) -> None:
    """Make a built folder visible under its key. If another worker has published the same key first, its output stays:
    a unit is a pure function, so both are equal."""
    (built / "done.json").write_text(canonical_json(summary))
    for file in built.iterdir():
        fsync(file)
    fsync(built)
    final = unit_folder(work, stage, key)
    final.parent.mkdir(parents=True, exist_ok=True)
    try:
        built.rename(final)
    except OSError:
        if not is_done(work, stage, key):
            raise
    fsync(final.parent)


def write_atomic(path: Path, data: bytes) -> None:
    """A whole file or none: temporary name in the same folder, fsync, rename, fsync of the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{_host()}-{os.getpid()}.tmp")
    temporary.write_bytes(data)
    fsync(temporary)
    temporary.replace(path)
    fsync(path.parent)


def fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_sha256(path: Path) -> str:
    """sha256 of a regular file, read once in chunks."""
    hasher = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            hasher.update(chunk)
    return hasher.hexdigest()


def known_sha256(path: Path) -> str:
    """A file's sha256; of one that did not change since it was asked for last, without reading it again: many clips may
    be cut out of one recording."""
    state = path.stat()
    return _digested(path, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=32)
def _digested(path: Path, _size: int, _changed_ns: int) -> str:
    return file_sha256(path)


def sweep_temporaries(work: Path) -> int:
    """Remove what dead runs on this host left half-built; what another live process builds stays."""
    swept = 0
    for folder in (work / "tmp").glob("*"):
        host, _, pid = folder.name.removesuffix(".tmp").rpartition("-")
        if host.endswith(_host()) and pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
            swept += 1
    return swept


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
