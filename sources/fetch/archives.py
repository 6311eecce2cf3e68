"""Archives, member by member: regular files with sound names, bounded, and nothing else.

zip (stored, deflated, bzip2, LZMA) and tar (plain, gzip, bzip2, xz) are read from a whole, checked file. Refused, with
nothing of them written: encrypted members, links, devices, names that leave the folder, more members or bytes than the
bounds. A tar's members are known only as they come, so its first members may stand when a later one is refused.
"""

from __future__ import annotations

import bz2
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Self, cast

from isal import igzip
from isal.igzip_lib import IsalError

from sources.fetch.errors import FetchError
from sources.fetch.names import apart, archive_kind, checked

MAX_DIRECTORY = 2 << 30  # bytes of a zip's central directory
MAX_HEADER = 1 << 20  # bytes of a tar's extended header
MAX_TAIL = 1 << 30
BUFFER = 1 << 20
STEP = 64 << 9  # tarfile copies what it holds at each header
_IN_MEMORY = (
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE
)  # fmt: skip
_EOCD = struct.Struct("<4s4H2LH")
_EOCD64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_BROKEN = (
    cast(type[Exception], IsalError),  # its stub says that it is an instance
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one archive: its members, their bytes together, and these against the archive's own size, from `floor` on."""

    members: int = 10_000_000
    bytes: int = 4 << 40
    ratio: int = 100
    floor: int = 256 << 20

    def total(self, size: int) -> int:
        return min(self.bytes, max(self.floor, self.ratio * size))


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file in an archive; `read` gives its bytes from the beginning, at most so many at once."""

    name: str
    size: int
    read: Callable[[int], bytes]


def members(path: Path, name: str, bounds: Bounds) -> Iterator[Member]:
    """The regular files of an archive in its order; each is to be read before the next is asked for.

    Raises `FetchError` `bad_archive`, `unsafe_archive`, `archive_too_large`, `unsafe_name`."""
    where = f"archive '{name}'"
    with _typed(where):
        for member in (_zip if archive_kind(name) == "zip" else _tar)(path, name, bounds):
            yield replace(member, read=_typed(where)(member.read))


@contextmanager
def _typed(where: str) -> Iterator[None]:
    """The errors of the libraries that read archives, as ours."""
    try:
        yield
    except _BROKEN as error:
        raise FetchError("bad_archive", f"{where} that breaks ({type(error).__name__})", "fetch it again") from None
    except (RuntimeError, NotImplementedError):  # zipfile's words for a password and for an unknown method
        raise unsafe(where, "encrypted or of an unknown method") from None


def unsafe(where: str, what: str) -> FetchError:
    return FetchError("unsafe_archive", f"{where}: {what}", "unpack it by hand if you trust it, see --keep-archives")


class _Count:
    """What was met of an archive so far, against its bounds."""

    def __init__(self, where: str, size: int, bounds: Bounds) -> None:
        self._where, self._most, self._bounds = where, bounds.total(size), bounds
        self._members = self._bytes = 0

    def add(self, size: int) -> None:
        self._members += 1
        self._bytes += size
        if self._members > self._bounds.members or self._bytes > self._most:
            found = f"{self._where} with more than {self._bounds.members} members or {self._most} bytes"
            raise FetchError("archive_too_large", found, "unpack it by hand if you trust it, see --keep-archives")


# ----------------------------------------------------------------------------------------------------------------- zip
def _zip(path: Path, name: str, bounds: Bounds) -> Iterator[Member]:
    where = f"archive '{name}'"
    _check_directory(path, where)
    with zipfile.ZipFile(path) as archive:
        count, chosen = _Count(where, path.stat().st_size, bounds), []
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == 3 else 0
            if info.is_dir():
                continue
            if kind not in (0, stat.S_IFREG):
                raise unsafe(where, "a link or device among its members")
            if info.flag_bits & 0x1:
                raise unsafe(where, "encrypted members")
            if "\0" in info.orig_filename:
                raise unsafe(where, "a zero byte in a name")
            checked(info.filename, where)
            count.add(info.file_size)
            chosen.append(info)
        apart(info.filename for info in chosen)
        for info in chosen:
            with archive.open(info) as stream:
                yield Member(info.filename, info.file_size, stream.read)


def _check_directory(path: Path, where: str) -> None:
    """Refuse a central directory that would fill the memory before a member was seen (APPNOTE.TXT 4.3.14-16)."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = max(0, size - 65_536 - _EOCD.size)
        stream.seek(start)
        tail = stream.read()
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or len(tail) - at < _EOCD.size:
            raise zipfile.BadZipFile
        length = int(_EOCD.unpack_from(tail, at)[5])
        if at >= _LOCATOR.size and tail[at - _LOCATOR.size :].startswith(b"PK\x06\x07"):
            stream.seek(_LOCATOR.unpack_from(tail, at - _LOCATOR.size)[2])
            length = int(_EOCD64.unpack(stream.read(_EOCD64.size))[8])
    if length > min(MAX_DIRECTORY, size):
        raise unsafe(where, f"a directory of {length} bytes")


# ----------------------------------------------------------------------------------------------------------------- tar
def _tar(path: Path, name: str, bounds: Bounds) -> Iterator[Member]:
    where = f"archive '{name}'"
    count = _Count(where, path.stat().st_size, bounds)
    with _inflated(path, name) as stream, _opened(stream) as archive:
        for info in archive:
            if info.isdir():
                continue
            if not info.isreg() or info.issparse():
                raise unsafe(where, "a link, device or sparse file among its members")
            count.add(info.size)
            inside = archive.extractfile(info)
            if inside is None:
                raise tarfile.ReadError
            yield Member(checked(info.name.removeprefix("./"), where), info.size, inside.read)
            archive.members = []  # type: ignore[attr-defined]  # else tarfile keeps all that it met
        for _ in range(MAX_TAIL // BUFFER):  # to the end: a compressed stream ends with its own checksum
            if not stream.read(BUFFER):
                return
        raise unsafe(where, f"more than {MAX_TAIL} bytes behind its end")


class _Header(tarfile.TarInfo):
    """A tar's header. Long names and extended attributes are held in memory: bounded here. A header that breaks is
    damage here, where tarfile takes it for the end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except tarfile.HeaderError as error:
            if type(error).__name__ in ("EmptyHeaderError", "EOFHeaderError"):
                raise
            raise ValueError from None  # no error of tarfile, which would pass over it

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type not in tarfile.SUPPORTED_TYPES or (self.type in _IN_MEMORY and self.size > MAX_HEADER):
            raise tarfile.ReadError
        made: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return made


def _opened(stream: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=stream, mode="r|", errorlevel=2, bufsize=STEP, tarinfo=_Header)


@contextmanager
def _inflated(path: Path, name: str) -> Iterator[IO[bytes]]:
    ending = name.lower()
    if ending.endswith((".gz", ".tgz")):
        with igzip.open(path, "rb") as stream:  # type: ignore[no-untyped-call]
            yield stream
    elif ending.endswith((".bz2", ".tbz2")):
        with bz2.open(path, "rb") as stream:
            yield stream
    elif ending.endswith((".xz", ".txz")):
        with lzma.open(path, "rb") as stream:
            yield stream
    else:
        with path.open("rb") as stream:
            yield stream
