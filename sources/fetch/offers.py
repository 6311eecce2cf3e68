"""What a place has to give, as its listing announces it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal, Protocol

from sources.fetch.errors import FetchError

Algorithm = Literal["sha256", "md5", "git-sha1"]
_LENGTHS = {"sha256": 64, "md5": 32, "git-sha1": 40}


@dataclass(frozen=True, slots=True)
class Checksum:
    """`git-sha1` is git's name of a blob: sha1 over `blob SIZE`, a zero byte, and the content."""

    algorithm: Algorithm
    value: str


def checksum(algorithm: Algorithm, value: str, where: str) -> Checksum:
    """Raises `FetchError` `bad_answer` for what is no digest of that kind."""
    text = value.strip().lower()
    if not re.fullmatch(rf"[0-9a-f]{{{_LENGTHS[algorithm]}}}", text):
        raise FetchError("bad_answer", f"a {algorithm} that is none, of {where}", "tell the place's owner")
    return Checksum(algorithm, text)


@dataclass(frozen=True, slots=True)
class Offer:
    """One file of a place. `path` is where it goes below the source's root, `name` what the place calls it; with
    `unpack`, its members go below `into` instead. `size` is None where the place tells none. A `loose` offer may change
    between listing and fetching: nothing but the answer to a probe announced it."""

    path: str
    name: str
    url: str
    size: int | None
    etag: str = ""
    checksum: Checksum | None = None
    place: int = 0
    unpack: bool = False
    into: str = ""
    loose: bool = False

    @property
    def identity(self) -> str:
        """Which bytes are meant: equal identities are the same bytes, as far as the place tells."""
        if self.checksum:
            return f"{self.checksum.algorithm}:{self.checksum.value} {self.size}"
        return f"etag:{self.etag} {self.size} {self.url}"


@dataclass(frozen=True, slots=True)
class Licence:
    """What a place itself says of its terms: a short code, and texts by their names."""

    code: str = ""
    texts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """A place with its files; `revision` is the one that the listing holds for, a commit where there are commits."""

    kind: str
    at: str
    revision: str
    offers: tuple[Offer, ...]
    licence: Licence


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the places are. `s3` is `https://{bucket}.s3.amazonaws.com` for Amazon's own; an address without
    `{bucket}` takes the bucket as the first part of the path."""

    hub: str = "https://huggingface.co"
    zenodo: str = "https://zenodo.org"
    s3: str = "https://{bucket}.s3.amazonaws.com"


class Hash(Protocol):
    def update(self, data: bytes, /) -> None:
        """Add bytes."""

    def hexdigest(self) -> str:
        """The digest so far."""


class Digests:
    """sha256 of bytes as they pass, and what the announced checksum needs beside it."""

    def __init__(self, wanted: Checksum | None, size: int | None) -> None:
        self.sha256 = hashlib.sha256()
        self._wanted = wanted
        self._other: Hash | None = None
        if wanted is not None and wanted.algorithm == "md5":
            self._other = hashlib.md5(usedforsecurity=False)
        elif wanted is not None and wanted.algorithm == "git-sha1":
            self._other = hashlib.sha1(b"blob %d\0" % (size or 0), usedforsecurity=False)

    def update(self, data: bytes) -> None:
        self.sha256.update(data)
        if self._other is not None:
            self._other.update(data)

    def disagreement(self) -> str:
        """What was found instead of the announced checksum; "" where they agree or none was announced."""
        if self._wanted is None:
            return ""
        found = (self._other or self.sha256).hexdigest()
        return "" if found == self._wanted.value else f"{self._wanted.algorithm} {found}, not {self._wanted.value}"
