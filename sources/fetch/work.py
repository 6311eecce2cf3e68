"""The fetch itself: workers that take one offer after another, and the way of a file to its final name."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from sources.fetch.archives import Bounds, Member, members, unsafe
from sources.fetch.errors import FetchError
from sources.fetch.names import below, final_path
from sources.fetch.offers import Digests, Offer
from sources.fetch.patience import halted
from sources.fetch.plan import as_recorded
from sources.fetch.record import FOLDER, Archive, File, Journal, fsync_folder
from sources.fetch.stream import PIECE, Stream, disk_error, read_state
from sources.fetch.web import Web

DEAD_AFTER = 10  # files in a row that failed: the place is gone, and the others need not be tried
_ENDS_ALL = ("disk_full", "cannot_write", "stopped")
_MOVE = "move it away and run it again"


@dataclass(slots=True)
class Tally:
    """What the workers did so far."""

    files: int = 0
    bytes: int = 0
    members: int = 0
    taken: int = 0  # that were there, with the announced bytes
    failed: list[tuple[str, FetchError]] = field(default_factory=list)
    in_a_row: int = 0
    broken: BaseException | None = None


class Work:
    """Brings offers below `root`; partial files and archives lie in `data_root/.fetch/`."""

    def __init__(self, data_root: Path, name: str, journal: Journal, web: Web, keep_archives: bool) -> None:
        self.root = data_root / name
        self.parts = data_root / FOLDER / f"{name}.parts"
        self._archives = data_root / FOLDER / f"{name}.archives"
        self._journal, self._web, self._keep = journal, web, keep_archives
        self._lock = threading.Lock()
        self._folders: set[Path] = set()
        self._working, self._ended = 0, threading.Event()
        self.tally = Tally()

    def part_of(self, offer: Offer) -> Path:
        """The partial file of an offer: its path's digest, and its name for the reader."""
        digest = hashlib.sha256(offer.path.encode()).hexdigest()[:16]
        shown = PurePosixPath(offer.path).name.encode()[-160:].decode(errors="ignore")
        return self.parts / f"{digest}-{shown}.part"

    def partly(self, offers: tuple[Offer, ...]) -> int:
        """Bytes of these that earlier runs left."""
        states = ((o, read_state(part.with_name(part.name + ".state"))) for o in offers for part in [self.part_of(o)])
        return sum(state.at for offer, state in states if state is not None and state.identity == offer.identity)

    def run(self, offers: tuple[Offer, ...], jobs: int, tell: Callable[[str], None]) -> None:
        """Bring all offers; what fails stands in the tally. An interrupt stops the workers before it goes on."""
        self.parts.mkdir(parents=True, exist_ok=True)
        queue = iter(offers)
        self._working = jobs
        for _ in range(jobs):
            threading.Thread(target=self._worker, args=(queue,), daemon=True).start()
        try:
            told = self._web.clock.monotonic()
            while not self._ended.wait(0.5):  # an interrupted `Thread.join` takes a living thread for an ended one
                if self._web.clock.monotonic() - told > 5:
                    told = self._web.clock.monotonic()
                    tell(f"{self.tally.files} of {len(offers)} files, {self.tally.bytes / 1e6:,.0f} MB")
        except BaseException:
            self._web.stop.set()
            self._ended.wait(self._web.policy.timeout_s)
            raise
        if self.tally.broken is not None:
            raise self.tally.broken
        for folder in sorted(self._folders):
            fsync_folder(folder)

    def _worker(self, queue: Iterator[Offer]) -> None:
        try:
            self._take_all(queue)
        finally:
            with self._lock:
                self._working -= 1
                if not self._working:
                    self._ended.set()

    def _take_all(self, queue: Iterator[Offer]) -> None:
        while not self._web.stop.is_set():
            with self._lock:
                offer = next(queue, None)
            if offer is None:
                return
            try:
                self._bring(offer)
                with self._lock:
                    self.tally.in_a_row = 0
            except FetchError as error:
                self._note(offer, error)
            except OSError as error:
                self._note(offer, disk_error(error, f"'{offer.path}'"))
            except BaseException as error:
                self.tally.broken = error
                self._web.stop.set()

    def _note(self, offer: Offer, error: FetchError) -> None:
        with self._lock:
            if error.reason != "stopped":
                self.tally.failed.append((offer.path, error))
            self.tally.in_a_row += error.passing
            if error.reason in _ENDS_ALL or self.tally.in_a_row >= DEAD_AFTER:
                self._web.stop.set()

    # ---------------------------------------------------------------------------------------------------------- a file
    def _bring(self, offer: Offer) -> None:
        if offer.unpack:
            return self._bring_archive(offer)
        final = self._final(offer.path)
        known = self._journal.files.get(offer.path)
        if (final.is_symlink() or final.exists()) and not (known and as_recorded(known, self.root)):
            return self._adopt(offer, final)
        part = self.part_of(offer)
        got = Stream(offer, part, self._web).run()
        proven = offer.checksum.algorithm if offer.checksum else "length"
        final.unlink(missing_ok=True)  # an earlier version, which the journal's next line no longer speaks of
        file = self._file(offer.path, got.size, got.sha256, offer.url, got.identity, proven, part)
        self._journal.add(file, durable=offer.checksum is None)
        part.replace(final)
        _state_of(part).unlink(missing_ok=True)
        self._count(got.size)
        return None

    def _final(self, path: str) -> Path:
        """`final_path`, which looks at a folder once."""
        final = self.root / path
        if final.parent not in self._folders:
            final_path(self.root, path)
            with self._lock:
                self._folders.add(final.parent)
        return final

    def _file(self, path: str, size: int, sha256: str, whence: str, identity: str, proven: str, at: Path) -> File:
        return File(path, size, sha256, whence, identity, proven, self._now(), at.stat().st_mtime_ns)

    def _now(self) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._web.clock.now()))

    def _count(self, size: int, members: int = 0) -> None:
        with self._lock:
            self.tally.files += 1
            self.tally.bytes += size
            self.tally.members += members

    def _adopt(self, offer: Offer, final: Path) -> None:
        """A file is there that the journal does not know so: taken where it has the announced bytes, never replaced."""
        known = self._journal.files.get(offer.path)
        if final.is_symlink() or not final.is_file():
            raise FetchError("in_the_way", f"no regular file at '{offer.path}'", _MOVE)
        digests = Digests(offer.checksum, offer.size)
        size = 0
        with final.open("rb") as stream:
            while data := stream.read(PIECE):
                digests.update(data)
                size += len(data)
        sha256 = digests.sha256.hexdigest()
        as_before = known is not None and known.identity == offer.identity and known.sha256 == sha256
        as_announced = offer.checksum is not None and size == offer.size and not digests.disagreement()
        if not (as_before or as_announced):
            raise FetchError("in_the_way", f"a file with other bytes at '{offer.path}'", _MOVE)
        proven = offer.checksum.algorithm if offer.checksum else "length"
        self._journal.add(self._file(offer.path, size, sha256, offer.url, offer.identity, proven, final))
        with self._lock:
            self.tally.taken += 1

    # ------------------------------------------------------------------------------------------------------ an archive
    def _bring_archive(self, offer: Offer) -> None:
        part = self.part_of(offer)
        got = Stream(offer, part, self._web).run()
        temporary, seen = part.with_name(part.name + ".member"), set[str]()
        try:
            for member in members(part, offer.name, Bounds()):
                halted(self._web.stop)
                path = below(offer.into, member.name)
                if path in seen:
                    raise unsafe(f"archive '{offer.name}'", "one name twice")
                seen.add(path)
                self._member(offer, member, path, temporary, got.identity)
        finally:
            temporary.unlink(missing_ok=True)
        os.sync()  # the members are on the disk before the archive is gone
        self._journal.add(Archive(offer.url, got.identity, got.size, got.sha256, len(seen), self._now()))
        _state_of(part).unlink(missing_ok=True)
        if self._keep:
            part.replace(final_path(self._archives, offer.path))
        else:
            part.unlink()
        self._count(got.size, len(seen))

    def _member(self, offer: Offer, member: Member, path: str, temporary: Path, identity: str) -> None:
        known = self._journal.files.get(path)
        ours = known is not None and as_recorded(known, self.root)
        if known is not None and ours and known.identity == identity and known.size == member.size:
            return
        final = self._final(path)
        digest, size = hashlib.sha256(), 0
        with temporary.open("wb") as stream:
            while data := member.read(PIECE):
                size += len(data)
                if size > member.size:
                    break
                digest.update(data)
                stream.write(data)
        if size != member.size:
            raise FetchError("bad_archive", f"archive '{offer.name}' with a member of another length", "fetch it again")
        whence = f"{offer.url}!/{member.name}"
        file = self._file(path, size, digest.hexdigest(), whence, identity, "archive", temporary)
        if (final.is_symlink() or final.exists()) and not ours:
            file = self._same(final, file)
        elif final.exists():
            final.unlink()
        self._journal.add(file, durable=False)
        if temporary.stat().st_mtime_ns == file.mtime_ns:
            temporary.replace(final)

    def _same(self, final: Path, file: File) -> File:
        """What is there already, as recorded; raises `FetchError` `in_the_way` where it has other bytes."""
        if final.is_symlink() or not final.is_file() or sha256_of(final) != file.sha256:
            raise FetchError("in_the_way", f"a file with other bytes at '{file.path}'", _MOVE)
        fields = (file.path, file.size, file.sha256, file.whence, file.identity, file.proven)
        return self._file(*fields, final)


def sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _state_of(part: Path) -> Path:
    return part.with_name(part.name + ".state")
