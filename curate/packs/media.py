"""Hashes of a benchmark's media: of files as they lie there, and of decoded pixels.

Files are only read to be hashed. Images are decoded by a parser's process (`curate.sandbox`), as those of any source;
one that cannot be read, or kills its parser, has no pixel hash and is counted. The tables that name them are parsed in
the program's own process. Volumes and videos have file hashes alone: their pixels are hashed in canonical form by
*prepare*, and their looks by whoever gives `looks` to `curate.packs.build.build`.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate.packs.build import MediaHash
from curate.sandbox import Answer, Answered, Limits, Said, Serve, Thing, run
from manifests.errors import RecordError, Reject
from sources.benchmarks.base import BenchmarkItem

SERVE = "curate.packs.media:open_pixels"
LIMITS = Limits(seconds=60.0)
PARSERS = ("curate.image",)
SPILLED = 256  # images of tables that are written out and decoded at once


@dataclass(slots=True)
class MediaHashes:
    """Called with the items, yields (item index, (kind, SHA-256)); counts what it met."""

    pixels: bool = True
    absent: int = 0
    unreadable: int = 0
    hashed: int = 0
    _digests: dict[Path, str] = field(default_factory=dict)

    def __call__(self, items: Sequence[BenchmarkItem]) -> Iterator[tuple[int, MediaHash]]:
        owners: dict[Path, list[int]] = {}
        for index, item in enumerate(items):
            for path in (*item.images, *item.volumes, *item.videos):
                if digest := self._digest(path):
                    yield index, ("file", digest)
                    if path in item.images:
                        owners.setdefault(path, []).append(index)
        yield from self._decoded(list(owners.items()))
        inside = [(index, data) for index, item in enumerate(items) for data in item.embedded]
        for start in range(0, len(inside), SPILLED):
            yield from self._embedded(inside[start : start + SPILLED])

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            found = path.is_file()
            self._digests[path] = _sha256(path) if found else ""
            self.absent += not found
            self.hashed += found
        return self._digests[path]

    def _embedded(self, inside: Sequence[tuple[int, bytes]]) -> Iterator[tuple[int, MediaHash]]:
        with tempfile.TemporaryDirectory(prefix="medcurate-") as folder:
            spilled = []
            for number, (index, data) in enumerate(inside):
                yield index, ("file", hashlib.sha256(data).hexdigest())
                path = Path(folder, f"{number:06d}")
                path.write_bytes(data)
                spilled.append((path, [index]))
            yield from self._decoded(spilled)
            self.hashed += len(inside)

    def _decoded(self, files: Sequence[tuple[Path, list[int]]]) -> Iterator[tuple[int, MediaHash]]:
        if not self.pixels or not files:
            return
        for said in run(SERVE, None, [Thing(str(path)) for path, _ in files], LIMITS, _digest_of):
            if isinstance(said, Answer) and said.value:
                for index in files[said.thing][1]:
                    yield index, ("pixels", said.value)
            else:
                self.unreadable += 1


def open_pixels(setup: Any) -> Serve:
    """Serve paths of images: the digest of their pixels (`curate.dedup.pixel_sha256`), "" for what is none."""
    return _pixels


def _pixels(thing: Any, skip: int) -> Iterator[Said]:
    from curate.dedup import pixel_sha256
    from curate.image import read_image

    try:
        yield Answered(pixel_sha256(read_image(Path(thing)).pixels))
    except (RecordError, Reject):
        yield Answered("")


def _digest_of(value: Any) -> str:
    if not isinstance(value, str) or (value and (len(value) != 64 or set(value) - set("0123456789abcdef"))):
        raise ValueError("no digest")
    return value


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
