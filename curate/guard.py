"""What every reader does before it trusts a file: is it regular, how big may it get, and which error does it raise.

Third-party parsers raise many exception types on broken bytes; `typed` turns all of them into one `RecordError`, so
that a bad file costs one record. Its message holds the exception's type only: parsers put file content into theirs.

Deflate (RFC 1950 to 1952) is inflated by ISA-L, more than twice as fast as zlib; its checksums and lengths are checked.
"""

from __future__ import annotations

import bz2
import contextlib
import io
import stat
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, Protocol

from manifests.errors import MedcurateError, RecordError

MAX_BYTES = 1 << 31  # of one file, as stored and as inflated
PIECE = 1 << 18  # bytes read or inflated at once: stays in a core's own cache
MAX_STREAMS, STREAM_BYTES = 1000, 256  # joined in one file: more are larger on average, as bgzip's are
MAX_RATIO = 1032  # deflate's: 258 bytes of output from 2 bits

Codec = Literal["plain", "gzip", "zlib", "bzip2", "by_magic"]
_GZIP_MAGIC = b"\x1f\x8b"


class _Decompressor(Protocol):
    """What ISA-L's and bz2's decompressors share: bounded output and input that they keep themselves."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


@contextlib.contextmanager
def typed(reason: str, remedy: str, found: str = "") -> Iterator[None]:
    """Run foreign parsing code: our own errors pass, any other becomes `RecordError(reason)`; warnings are silenced.

    `found` says what was met, before the exception's type.

    Covered: every `Exception`, `RecursionError` and `MemoryError` among them. Not covered: a crash of native
    code; threads, because Python's warning filters are the process's.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except MedcurateError:
        raise
    except Exception as error:
        raise RecordError(reason, f"{found or 'bytes on which the parser stopped'} ({_kind(error)})", remedy) from error


def _kind(error: Exception) -> str:
    """What kind of error it is, in words where its name would puzzle."""
    return "more memory than there is" if isinstance(error, MemoryError) else type(error).__name__


def read_bytes(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file. Raises RecordError: `unreadable_file` (absent, a folder, a pipe, no permission),
    `too_large`."""
    check_file(path, max_bytes)
    with typed("unreadable_file", "check the file's permissions and storage"):
        return path.read_bytes()


def check_file(path: Path, max_bytes: int = MAX_BYTES) -> int:
    """The size of a file in bytes. Refuses what is not a regular file (a pipe would block for ever) or is larger than
    `max_bytes`."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise RecordError("unreadable_file", "no such file (FileNotFoundError)", "put the file there") from error
    except (OSError, ValueError) as error:
        raise RecordError("unreadable_file", type(error).__name__, "check that the file may be read") from error
    if not stat.S_ISREG(status.st_mode):
        raise RecordError("unreadable_file", "not a regular file", "give files, not folders, pipes or devices")
    if status.st_size > max_bytes:
        raise RecordError("too_large", f"{status.st_size} bytes", f"at most {max_bytes} bytes are read")
    return status.st_size


def inflate(data: bytes, max_bytes: int, wbits: int = zlib.MAX_WBITS | 16, only_first: bool = False) -> bytes:
    """Inflate gzip (default) or, by `wbits` as zlib numbers them, zlib (15) and raw deflate (-15) data, never beyond
    `max_bytes`.

    Several gzip members are joined, as RFC 1952 says, and zero padding after one is allowed; with `only_first`,
    whatever follows the first stream is ignored. Raises RecordError: `too_large` for a bomb, `corrupt_compression` for
    a truncated stream, a bad checksum or length, or trailing garbage.
    """
    whole = io.BytesIO()  # grows in place and gives its bytes away without a copy, which a join of pieces would be
    for piece in _expand(io.BytesIO(data).read, lambda: _deflate_stream(wbits), max_bytes, only_first):
        whole.write(piece)
    return whole.getvalue()


def _deflate_stream(wbits: int) -> _Decompressor:
    from isal import igzip_lib

    kinds = {31: igzip_lib.DECOMP_GZIP, 15: igzip_lib.DECOMP_ZLIB, -15: igzip_lib.DECOMP_DEFLATE}
    stream: Any = igzip_lib.IgzipDecompressor(flag=kinds[wbits])
    return stream  # type: ignore[no-any-return]


def _expand(
    read: Callable[[int], bytes], start: Callable[[], _Decompressor], max_bytes: int, only_first: bool = False
) -> Iterator[bytes]:
    """The decompressed pieces of all streams that follow each other in what `read` gives."""
    remedy = "fetch the file again"
    size, streams, data = 0, 0, read(PIECE)
    while True:
        stream = start()
        while not stream.eof:
            if stream.needs_input and not data and not (data := read(PIECE)):
                found = (
                    "bytes after the end that are no whole stream"
                    if streams
                    else f"a stream cut off after {size} bytes"
                )
                raise RecordError("corrupt_compression", found, remedy)
            with typed("corrupt_compression", remedy, f"compressed data that break after {size} bytes"):
                piece = stream.decompress(data, min(PIECE, max_bytes - size + 1))
            data, size = b"", size + len(piece)
            if size > max_bytes:
                found = f"more than {max_bytes} bytes inflated"
                raise RecordError("too_large", found, f"at most {max_bytes} bytes are read; crop it if it is no bomb")
            if piece:
                yield piece
        data = b"" if only_first else stream.unused_data.lstrip(b"\0")
        while not only_first and not data and (more := read(PIECE)):
            data = more.lstrip(b"\0")
        if not data:
            return
        streams += 1
        if streams > MAX_STREAMS and size < STREAM_BYTES * streams:
            raise RecordError("corrupt_compression", f"{streams} streams of a few bytes each", remedy)


class Stream:
    """Bytes in order, of a file or of what a file inflates to; `open_stream` makes it.

    `most` is an upper bound of how many there can be, which a header's claim is held against before memory is taken.
    """

    def __init__(self, pieces: Iterator[bytes], most: int) -> None:
        self.most = most
        self._pieces = pieces
        self._piece = memoryview(b"")

    def fill(self, target: memoryview) -> int:
        """Copy the next bytes into `target` (one byte an item); fewer than its length only where the data end."""
        done = 0
        while done < len(target) and self._ready():
            count = min(len(self._piece), len(target) - done)
            target[done : done + count] = self._piece[:count]
            self._piece = self._piece[count:]
            done += count
        return done

    def take(self, count: int) -> bytes:
        """The next bytes; fewer than `count` only where the data end."""
        target = bytearray(min(count, self.most))
        return bytes(target[: self.fill(memoryview(target))])

    def skip(self, count: int | None = None) -> int:
        """Pass over the next bytes (None: all of them, so that every checksum is checked) and say how many there
        were."""
        done = 0
        while (count is None or done < count) and self._ready():
            step = len(self._piece) if count is None else min(len(self._piece), count - done)
            self._piece = self._piece[step:]
            done += step
        return done

    def _ready(self) -> bool:
        if not self._piece:
            self._piece = memoryview(next(self._pieces, b""))
        return bool(self._piece)


@contextlib.contextmanager
def open_stream(path: Path, max_bytes: int = MAX_BYTES, codec: Codec = "by_magic", start: int = 0) -> Iterator[Stream]:
    """A regular file's bytes from `start` on, decompressed as they are asked for; `by_magic`: gzip if it begins so.

    Raises RecordError as `read_bytes` and, while it is read, as `inflate`.
    """
    size = check_file(path, max_bytes)
    with contextlib.ExitStack() as stack:
        with typed("unreadable_file", "check the file's permissions and storage"):
            file = stack.enter_context(path.open("rb", buffering=0))
            if codec == "by_magic":
                codec = "gzip" if file.read(2) == _GZIP_MAGIC else "plain"
            file.seek(start)
        yield stream_from(_reader(file), codec, max(size - start, 0), max_bytes)


def stream_of(data: bytes, max_bytes: int = MAX_BYTES, codec: Codec = "plain") -> Stream:
    """As `open_stream`, of bytes in memory."""
    return stream_from(io.BytesIO(data).read, codec, len(data), max_bytes)


def stream_from(read: Callable[[int], bytes], codec: Codec, size: int, max_bytes: int) -> Stream:
    """As `open_stream`, of the `size` bytes that `read(count)` gives until it gives none; `codec` is not by magic."""
    if codec == "plain":
        return Stream(iter(lambda: read(PIECE), b""), size)
    if codec == "bzip2":
        return Stream(_expand(read, bz2.BZ2Decompressor, max_bytes), max_bytes)
    wbits = zlib.MAX_WBITS | (16 if codec == "gzip" else 0)
    return Stream(_expand(read, lambda: _deflate_stream(wbits), max_bytes), min(max_bytes, size * MAX_RATIO))


def _reader(file: io.FileIO) -> Callable[[int], bytes]:
    def read(count: int) -> bytes:
        with typed("unreadable_file", "check the file's permissions and storage"):
            return file.read(count)

    return read
