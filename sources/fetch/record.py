"""What was fetched: `ROOT/.fetch/NAME.json`, the licence text beside it, and the journal of a fetch that goes on.

Nothing of this lies below the source's own root, where every file ends in the ledger. A line of the journal is written
before its file gets its final name, so a file without a line is none of ours; at the end it becomes the record.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from manifests.errors import RecipeError

FOLDER = ".fetch"
VERSION = 1


@dataclass(frozen=True, slots=True)
class File:
    """One file below the source's root. `whence` is its address (of a member: its archive's, then `!/` and its name),
    `identity` what the place announced, `proven` by what it was checked: `sha256`, `md5`, `git-sha1`, `archive` (the
    member of a checked archive) or `length`. `when` is UTC in ISO 8601; `mtime_ns` the file's own time."""

    path: str
    size: int
    sha256: str
    whence: str
    identity: str
    proven: str
    when: str
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive whose members are all in place."""

    whence: str
    identity: str
    size: int
    sha256: str
    members: int
    when: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """The record of a source's fetch. `places` are (kind, at, revision resolved, licence as the place tells it)."""

    source: str
    licence: str
    licence_sha256: str
    places: tuple[tuple[str, str, str, str], ...]
    files: tuple[File, ...]
    archives: tuple[Archive, ...]

    @property
    def bytes(self) -> int:
        return sum(f.size for f in self.files)


def fetched(data_root: Path, name: str) -> Fetched | None:
    """What `curate fetch NAME --data ROOT` brought, as it was when its last run ended; None where none did.

    Raises `RecipeError` for a record that cannot be read."""
    path = data_root / FOLDER / f"{name}.json"
    if not path.is_file():
        return None
    try:
        held = json.loads(path.read_text())
        if held.pop("version") != VERSION:
            raise ValueError
        held["places"] = tuple(tuple(place) for place in held["places"])
        held["files"] = tuple(File(**f) for f in held["files"])
        held["archives"] = tuple(Archive(**a) for a in held["archives"])
        return Fetched(**held)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise RecipeError(f"'{path}' is no record of a fetch; remove it and fetch again") from None


class Journal:
    """The files and archives of a source so far, of this run and of earlier ones; for any number of threads. Nothing is
    written before `add`."""

    def __init__(self, data_root: Path, name: str) -> None:
        self._path = data_root / FOLDER / f"{name}.journal"
        self._lock = threading.Lock()
        self._stream: BinaryIO | None = None
        before = fetched(data_root, name)
        self.files = {f.path: f for f in before.files} if before else {}
        self.archives = {a.identity: a for a in before.archives} if before else {}
        for line in _lines(self._path):
            self._take(line)

    def _take(self, line: dict[str, Any]) -> None:
        try:
            if "path" in line:
                file = File(**line)
                self.files[file.path] = file
            else:
                archive = Archive(**line)
                self.archives[archive.identity] = archive
        except TypeError:  # of another version
            return

    def add(self, entry: File | Archive, durable: bool = True) -> None:
        data = (_line(entry) + "\n").encode()
        with self._lock:
            if isinstance(entry, File):
                self.files[entry.path] = entry
            else:
                self.archives[entry.identity] = entry
            if self._stream is None:
                self._stream = self._path.open("ab")
            self._stream.write(data)
            self._stream.flush()
            if durable:
                os.fsync(self._stream.fileno())

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def become(self, record: Fetched, data_root: Path) -> None:
        """Write the record whole, then drop the journal."""
        self.close()
        write_atomic(data_root / FOLDER / f"{record.source}.json", _text(record))
        self._path.unlink(missing_ok=True)


def _line(entry: File | Archive) -> str:
    return json.dumps({name: getattr(entry, name) for name in entry.__slots__}, sort_keys=True)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a journal; a killed process leaves half a line at most."""
    if not path.is_file():
        return
    with path.open("rb") as stream:
        for line in stream:
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                yield value


def _text(record: Fetched) -> Iterator[str]:
    """JSON with a file a line; in pieces, since a record may hold millions."""
    head = {
        "version": VERSION, "source": record.source, "licence": record.licence, "licence_sha256": record.licence_sha256,
        "places": record.places,
    }  # fmt: skip
    yield json.dumps(head, indent=1)[:-2]
    held: tuple[tuple[str, Sequence[File | Archive]], ...] = (("archives", record.archives), ("files", record.files))
    for key, entries in held:
        yield f',\n "{key}": ['
        for number, entry in enumerate(entries):
            yield (",\n  " if number else "\n  ") + _line(entry)
        yield "]"
    yield "\n}\n"


def write_atomic(path: Path, pieces: Iterable[str]) -> str:
    """Write a whole file or none; its sha256."""
    digest = hashlib.sha256()
    temporary = path.with_name(path.name + ".new")
    with temporary.open("wb") as stream:
        for piece in pieces:
            data = piece.encode()
            digest.update(data)
            stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    fsync_folder(path.parent)
    return digest.hexdigest()


def fsync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def alone(data_root: Path, name: str) -> Iterator[None]:
    """Raise `RecipeError` while another process fetches the same source to the same place."""
    folder = data_root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RecipeError(f"another process fetches '{name}' to '{data_root}'; wait for it") from None
        yield
