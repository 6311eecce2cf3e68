"""Samples of WebDataset tars: members that follow one another and share a key (the path up to the name's first dot).

Only regular members are read, one at a time, of at most `MAX_MEMBER_BYTES`; nothing is unpacked.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from manifests.errors import RecordError
from manifests.record import FileRef
from sources.base import Item, Place
from sources.containers import BLOCK_BYTES, kind_of
from sources.upstream import REMEDY

MAX_MEMBER_BYTES = 256 << 20
MAX_BLOCK_MEMBERS = 3072
BROKEN = (tarfile.TarError, EOFError, ValueError, OverflowError)


@dataclass(frozen=True, slots=True)
class Sample:
    """The members of one key, by what follows the first dot of their names (`jpg`, `json`, `txt`)."""

    path: str  # of the tar
    key: str
    members: dict[str, bytes] = field(default_factory=dict)
    problem: str = ""

    def ref(self, suffix: str, role: str, fragment: str = "") -> FileRef:
        """A member as a part of a record's source; a picture's fragment ends as its bytes are encoded."""
        data = self.members[suffix]
        ending = kind_of(data) or suffix
        name = f"{fragment or f'member={self.key}'}.{ending}"
        return FileRef(self.path, hashlib.sha256(data).hexdigest(), len(data), role=role, fragment=name)

    def failed(self, reason: str, found: str, remedy: str = REMEDY) -> Item:
        """How a sample ends that is wrong; its members' digests are kept."""
        files = tuple(self.ref(suffix, "data" if kind_of(data) else "table") for suffix, data in self.members.items())
        whole = FileRef(self.path, hashlib.sha256(self.key.encode()).hexdigest(), 0, fragment=f"member={self.key}")
        return Item(
            f"{self.path}#member={self.key}", "none", files or (whole,), status="failed", reason=reason, found=found,
            remedy=remedy,
        )  # fmt: skip


def split_name(name: str) -> tuple[str, str]:
    """The key and the suffix of a member's name: `a/b.c.jpg` is `a/b` and `c.jpg`."""
    folder, _, last = name.rpartition("/")
    stem, _, suffix = last.partition(".")
    return (f"{folder}/{stem}" if folder else stem), suffix.lower()


def tar_peek(path: Path) -> dict[str, str]:
    """The runs of a tar's samples, as `first byte,bytes,members` joined by `;`; only headers are read.

    Raises `RecordError` `bad_archive`."""
    if path.suffix != ".tar":
        return {}
    blocks: list[str] = []
    start, count, key = 0, 0, ""
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # else every header is kept
                now = split_name(member.name)[0]
                full = member.offset - start >= BLOCK_BYTES or count >= MAX_BLOCK_MEMBERS
                if count and full and now != key:
                    blocks.append(f"{start},{member.offset - start},{count}")
                    start, count = member.offset, 0
                count, key = count + 1, now
            end = archive.offset
    except BROKEN as error:
        raise RecordError("bad_archive", f"no tar ({type(error).__name__})", REMEDY) from None
    if count:
        blocks.append(f"{start},{end - start},{count}")
    return {"blocks": ";".join(blocks)}


def samples(item: Item, place: Place) -> Iterator[Sample]:
    """The samples of a run, one in memory at a time.

    Raises `RecordError` `bad_archive`."""
    first, _, count = item.block or (0, 0, 0)
    path = item.files[0].path
    now: Sample | None = None
    try:
        with place.file(path).open("rb") as stream:
            stream.seek(first)
            with tarfile.open(fileobj=stream, mode="r:") as archive:
                for _, member in zip(range(count), archive, strict=False):
                    archive.members = []  # type: ignore[attr-defined]
                    key, suffix = split_name(member.name)
                    if now is not None and key != now.key:
                        yield now
                        now = None
                    now = _with(now or Sample(path, key), member, suffix, archive)
    except (*BROKEN, OSError) as error:
        raise RecordError("bad_archive", f"'{path}' breaks ({type(error).__name__})", REMEDY) from None
    if now is not None:
        yield now


def _with(sample: Sample, member: tarfile.TarInfo, suffix: str, archive: tarfile.TarFile) -> Sample:
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        return Sample(sample.path, sample.key, sample.members, "a member that is no regular file")
    if member.size > MAX_MEMBER_BYTES:
        return Sample(sample.path, sample.key, sample.members, f"a member of {member.size} bytes")
    stream = archive.extractfile(member)
    data = stream.read() if stream else b""
    return Sample(sample.path, sample.key, {**sample.members, suffix: data}, sample.problem)
