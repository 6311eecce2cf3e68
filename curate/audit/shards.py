"""The shards under audit: every byte of every tar, one sample in memory at a time.

A tar is read once: its digest, its headers, its members. A header must be, byte for byte, the one that `curate.shard`
writes (USTAR, mtime 0, mode 0444, one owner), padding must be zero, and the archive must end as POSIX.1-1988 `ustar`
says, in zeros to a multiple of 10240 bytes. What a sample says is `curate.audit.samples`'s concern.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from curate.audit.findings import MISSING, Findings, changed
from curate.audit.ledger import Index
from curate.audit.samples import SampleAudit
from curate.audit.sweep import check_sample_shapes
from curate.pack import sample_sha256
from curate.shard import MEMBER_MODE, OWNER, TAR_BLOCK, sample_bytes
from curate.store import CHUNK_BYTES
from manifests.errors import VerificationError
from manifests.manifest import ShardEntry
from synth.tokens import sample_tokens

SAMPLE_KEY = re.compile(r"[0-9a-f]{32}(?:-[0-9]{1,9}-[0-9]{1,9})?")
FIELD = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*")
UNPICKLED = frozenset(("pyd", "pkl", "pickle", "pt", "pth", "ckpt", "joblib", "dill"))
RECORD_BYTES = 10240
PACK_AGAIN = changed("the shard")
SHOWN_FIELDS = ("type", "mode", "uid", "gid", "mtime", "uname", "gname", "linkname")


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    offset: int  # of its header
    data: bytes
    strange: str  # what of its header or padding is not as we write it


class Tar:
    """A tar read from front to end, digested on the way. Raises `VerificationError` where no next member is found."""

    def __init__(self, stream: BinaryIO, size_bytes: int) -> None:
        self.stream = stream
        self.size_bytes = size_bytes
        self.position = 0
        self.hasher = hashlib.sha256()

    def take(self, count: int) -> bytes:
        data = self.stream.read(count)
        self.position += len(data)
        self.hasher.update(data)
        return data

    def rest(self) -> str:
        """Read to the end; the digest of all bytes."""
        while self.take(CHUNK_BYTES):
            pass
        return self.hasher.hexdigest()

    def members(self) -> Iterator[Member]:
        while True:
            offset = self.position
            header = self.take(TAR_BLOCK)
            if not header.strip(b"\0"):
                break
            yield self._member(offset, header)
        end = max(offset + 2 * TAR_BLOCK, 1)
        expected = (end + RECORD_BYTES - 1) // RECORD_BYTES * RECORD_BYTES
        if self.size_bytes != expected:
            raise VerificationError(f"{self.size_bytes} bytes, its members end at {offset}: {expected} are expected")
        while chunk := self.take(CHUNK_BYTES):
            if chunk.strip(b"\0"):
                raise VerificationError(f"bytes behind the end of the archive at {offset}")

    def _member(self, offset: int, header: bytes) -> Member:
        try:
            info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise VerificationError(f"the header at byte {offset} cannot be read ({error})") from None
        left = self.size_bytes - self.position
        if not 0 <= info.size <= left:
            raise VerificationError(f"the header at byte {offset} claims {info.size} bytes, {left} are left")
        strange = _header_differs(info, header)
        data = self.take(info.size)
        padding = self.take(-info.size % TAR_BLOCK)
        if padding.strip(b"\0"):
            strange += " padding is not zero"
        return Member(info.name, offset, data, strange.strip())


def _header_differs(info: tarfile.TarInfo, header: bytes) -> str:
    """Which header fields are not as `curate.shard` writes them."""
    wanted = tarfile.TarInfo(info.name)
    wanted.size, wanted.mode, wanted.uname, wanted.gname = info.size, MEMBER_MODE, OWNER, OWNER
    try:
        if wanted.tobuf(tarfile.USTAR_FORMAT, "utf-8", "surrogateescape") == header:
            return ""
    except ValueError:
        return "a name that USTAR does not hold"
    differing = [n for n in SHOWN_FIELDS if getattr(info, n) != getattr(wanted, n)]
    return f"header fields that are not ours: {', '.join(differing) or 'encoding'}"


def check_shard(out: Path, entry: ShardEntry, index: Index, audit: SampleAudit, findings: Findings) -> None:
    """One shard of the manifest: its file, its members, its samples, and the ledger's word for each."""
    path = out / entry.path
    if not path.is_file():
        findings.add("missing_file", entry.path, "no such file", MISSING)
        _orphans(entry, index, set(), MISSING, findings)
        return
    size = path.stat().st_size
    seen: set[str] = set()
    with path.open("rb") as stream:
        tar = Tar(stream, size)
        try:
            for key, offset, members in _samples(tar.members(), entry.path, seen, findings):
                _check_sample(entry, key, offset, members, index, audit, findings)
        except VerificationError as error:
            findings.add("tar", entry.path, str(error), PACK_AGAIN)
        sha256 = tar.rest()
    findings.count("shards")
    if size != entry.bytes:
        findings.add("file_size", entry.path, f"{size} bytes, the manifest says {entry.bytes}", PACK_AGAIN)
    if sha256 != entry.sha256:
        findings.add("file_sha256", entry.path, f"sha256 {sha256}, the manifest says {entry.sha256}", PACK_AGAIN)
    if len(seen) != entry.samples:
        findings.add("sample_count", entry.path, f"{len(seen)} samples, the manifest says {entry.samples}", PACK_AGAIN)
    _orphans(entry, index, seen, PACK_AGAIN, findings)


def _samples(
    members: Iterator[Member], shard: str, seen: set[str], findings: Findings
) -> Iterator[tuple[str, int, dict[str, bytes]]]:
    """Adjacent members of one key as (key, offset, {field: bytes}); `seen` takes the keys."""
    key, offset = "", 0
    fields: dict[str, bytes] = {}
    for member in members:
        name, _, suffix = member.name.partition(".")
        findings.count("members")
        where = f"{shard} {member.name}"
        for check, found in _strange_member(name, suffix, member):
            findings.add(check, where, found, PACK_AGAIN)
        if name != key:
            if fields:
                yield key, offset, fields
            if name in seen:
                findings.add(
                    "not_adjacent", where, "the sample's members are not adjacent, or it stands twice", PACK_AGAIN
                )
            seen.add(name)
            key, offset, fields = name, member.offset, {}
        if suffix in fields:
            findings.add("repeated_member", where, "the member stands twice", PACK_AGAIN)
        fields[suffix] = member.data
    if fields:
        yield key, offset, fields


def _strange_member(key: str, suffix: str, member: Member) -> Iterator[tuple[str, str]]:
    if member.strange:
        yield "tar_header", member.strange
    if not SAMPLE_KEY.fullmatch(key) or len(key) > 64:
        yield "sample_key", f"key {key!r} is not one of ours (32 hexadecimal digits, -part-repeat)"
    if not FIELD.fullmatch(suffix):
        yield "field_name", f"field {suffix!r} is not lower-case letters, digits and dots"
    if UNPICKLED & set(suffix.lower().split(".")):
        yield "pickle", f"field {suffix!r}: readers would unpickle it"


def _check_sample(
    entry: ShardEntry,
    key: str,
    offset: int,
    fields: dict[str, bytes],
    index: Index,
    audit: SampleAudit,
    findings: Findings,
) -> None:
    where = f"{entry.path} sample {key}"
    findings.count("samples")
    placed = index.samples.get(entry.path, {}).get(key)
    record = placed.record if placed else key[:32]
    if placed is None and index.whole:
        found = "the ledger does not know it"
        findings.add("unknown_sample", where, found, changed("the ledger", "the shard"))
    if placed is not None:
        where += f" (ledger seq {index.records[record].seq})"
        size = sample_bytes(len(data) for data in fields.values())
        if (offset, size) != (placed.offset, placed.size_bytes):
            found = f"bytes {offset}+{size}, the ledger says {placed.offset}+{placed.size_bytes}"
            findings.add("sample_place", where, found, PACK_AGAIN)
        sha256 = sample_sha256(fields)
        if sha256 != placed.sha256:
            findings.add("sample_sha256", where, f"sha256 {sha256}, the ledger says {placed.sha256}", PACK_AGAIN)
        if placed.stage != entry.stage:
            findings.add("stage", where, f"shard of {entry.stage}, the ledger says {placed.stage}", PACK_AGAIN)
    if "json" not in fields:
        findings.add("no_json", where, f"members {', '.join(sorted(fields))}", PACK_AGAIN)
        return
    check_sample_shapes(where, fields["json"], findings)
    told = _told(fields["json"])
    if placed is not None and told is not None and told != placed.told:
        found = f"task and tokens {told}, the ledger says {placed.told}"
        findings.add("sample_told", where, found, PACK_AGAIN)
    audit.check(where, key, record, fields, entry)


def _told(data: bytes) -> tuple[str, int, int] | None:
    """What the ledger repeats of a sample; None of JSON that is no sample, which is found elsewhere."""
    try:
        sample = json.loads(data)
        return str(sample["task"]), *sample_tokens(sample)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _orphans(entry: ShardEntry, index: Index, seen: set[str], remedy: str, findings: Findings) -> None:
    placed = index.samples.pop(entry.path, {})
    for key in sorted(placed.keys() - seen):
        record = placed[key].record
        where = f"ledger seq {index.records[record].seq} record {record}"
        findings.add("missing_sample", where, f"sample {key} is not in {entry.path}", remedy)
