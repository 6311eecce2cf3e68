"""What every reader does before it trusts a file: is it regular, how big may it get, and which error does it raise.

Third-party parsers raise many exception types on broken bytes; `typed` turns all of them into one `RecordError`, so
that a bad file costs one record. Its message holds the exception's type only: parsers put file content into theirs.
"""

from __future__ import annotations

import contextlib
import stat
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

from manifests.errors import MedcurateError, RecordError

MAX_BYTES = 1 << 31  # of one file, as stored and as inflated


@contextlib.contextmanager
def typed(reason: str, remedy: str) -> Iterator[None]:
    """Run foreign parsing code: our own errors pass, any other becomes `RecordError(reason)`; warnings are silenced.

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
        raise RecordError(reason, type(error).__name__, remedy) from error


def read_bytes(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file. Raises RecordError: `unreadable_file` (absent, a folder, a pipe, no permission),
    `too_large`."""
    check_file(path, max_bytes)
    with typed("unreadable_file", "check the file's permissions and storage"):
        return path.read_bytes()


def check_file(path: Path, max_bytes: int = MAX_BYTES) -> None:
    """Refuse what is not a regular file (a pipe would block for ever) or is larger than `max_bytes`."""
    with typed("unreadable_file", "check that the file exists and may be read"):
        status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise RecordError("unreadable_file", "not a regular file", "give files, not folders, pipes or devices")
    if status.st_size > max_bytes:
        raise RecordError("too_large", f"{status.st_size} bytes", f"at most {max_bytes} bytes are read")


def inflate(data: bytes, max_bytes: int, wbits: int = zlib.MAX_WBITS | 16, only_first: bool = False) -> bytes:
    """Inflate gzip (default) or, by `wbits`, zlib and raw deflate data, never beyond `max_bytes`.

    Several gzip members are joined, as RFC 1952 says, and zero padding after the last is allowed; with `only_first`,
    whatever follows the first stream is ignored. Raises RecordError:
    `too_large` for a bomb, `corrupt_compression` for a truncated stream, a bad checksum or trailing garbage.
    """
    remedy = "fetch the file again"
    parts: list[bytes] = []
    size = 0
    while not parts or data.strip(b"\0"):
        with typed("corrupt_compression", remedy):
            stream = zlib.decompressobj(wbits)
            part = stream.decompress(data, max_bytes - size + 1)
        size += len(part)
        if size > max_bytes:
            raise RecordError("too_large", f"more than {max_bytes} bytes inflated", "raise the limit if it is no bomb")
        if not stream.eof:
            raise RecordError("corrupt_compression", "a truncated stream", remedy)
        parts.append(part)
        data = b"" if only_first else stream.unused_data
    return parts[0] if len(parts) == 1 else b"".join(parts)
