"""What a pack keeps of a benchmark's media: digests of files and of decoded pixels, and what they look like.

Files are only read to be hashed. Images, volumes (NIfTI, NRRD, MetaImage) and videos are decoded by a parser's process
(`curate.sandbox`), as those of any source; one that cannot be read, or kills its parser, is known by its file's digest
alone and is counted. The tables that name them are parsed in the program's own process. Videos have no digest of
pixels: *prepare* makes it of a clip that it encodes anew. A volume whose least values are air (`AIR_HU`) counts as CT.
"""

from __future__ import annotations

import hashlib
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.packs.build import Seen
from curate.sandbox import Answer, Answered, Limits, Said, Serve, Thing, run
from manifests.errors import RecordError, Reject
from sources.benchmarks.base import BenchmarkItem

if TYPE_CHECKING:
    from curate.arrays import Volume
    from curate.looks.rows import Looks

SERVE = "curate.packs.media:open_media"
LIMITS = Limits()
PARSERS = ("curate.image", "curate.volume", "curate.video", "curate.looks.sketch", "curate.looks.kernels")
SPILLED = 256  # images of tables that are written out and decoded at once
AIR_HU = -500.0
Files = list[tuple[str, Path, tuple[int, ...]]]  # picture, volume or clip; where; the items that show it


@dataclass(slots=True)
class MediaHashes:
    """Called with the items, yields what is known of each medium; counts what it met."""

    pixels: bool = True
    absent: int = 0
    unreadable: int = 0
    plain: int = 0
    hashed: int = 0

    def __call__(self, items: Sequence[BenchmarkItem]) -> Iterator[Seen]:
        owners: dict[tuple[str, Path], list[int]] = {}
        for index, item in enumerate(items):
            for kind, paths in (("picture", item.images), ("volume", item.volumes), ("clip", item.videos)):
                for path in paths:
                    owners.setdefault((kind, path), []).append(index)
        found: Files = [(kind, path, tuple(indices)) for (kind, path), indices in owners.items() if self._there(path)]
        for _, path, indices in found:
            yield Seen(indices, (("file", _sha256(path)),))
        yield from self._decoded(found)
        inside: dict[bytes, list[int]] = {}
        for index, item in enumerate(items):
            for data in item.embedded:
                inside.setdefault(data, []).append(index)
        several = list(inside.items())
        for start in range(0, len(several), SPILLED):
            yield from self._embedded(several[start : start + SPILLED])

    def _there(self, path: Path) -> bool:
        found = path.is_file()
        self.absent += not found
        self.hashed += found
        return found

    def _embedded(self, inside: Sequence[tuple[bytes, list[int]]]) -> Iterator[Seen]:
        with tempfile.TemporaryDirectory(prefix="medcurate-") as folder:
            spilled: Files = []
            for number, (data, indices) in enumerate(inside):
                yield Seen(tuple(indices), (("file", hashlib.sha256(data).hexdigest()),))
                path = Path(folder, f"{number:06d}")
                path.write_bytes(data)
                spilled.append(("picture", path, tuple(indices)))
            yield from self._decoded(spilled)
            self.hashed += len(inside)

    def _decoded(self, files: Files) -> Iterator[Seen]:
        if not self.pixels or not files:
            return
        for said in run(SERVE, None, [Thing([kind, str(path)]) for kind, path, _ in files], LIMITS, _checked):
            if isinstance(said, Answer) and said.value is not None:
                digest, looks = said.value
                self.plain += not len(looks)
                yield Seen(files[said.thing][2], (("pixels", digest),) if digest else (), looks)
            else:
                self.unreadable += 1


def open_media(setup: Any) -> Serve:
    """Serve (kind, path): the digest of its pixels as *prepare* makes it and its telling looks; None for what is no
    such medium."""
    return _media


def _media(thing: Any, skip: int) -> Iterator[Said]:
    from curate.looks.rows import to_bytes

    kind, path = thing
    try:
        digest, looks = {"picture": _picture, "volume": _volume, "clip": _clip}[kind](Path(path))
        yield Answered([digest, b64encode(to_bytes(looks)).decode()])
    except (RecordError, Reject):
        yield Answered(None)


def _picture(path: Path) -> tuple[str, Looks]:
    from curate.dedup import pixel_sha256
    from curate.image import read_image, to_display
    from curate.looks.hashes import reduced
    from curate.looks.rows import from_bytes
    from curate.looks.sketch import image_sketch
    from curate.packs.looks import plain_windows, said_rows

    image = read_image(path)
    plain = plain_windows(reduced(to_display(image)))
    return pixel_sha256(image.pixels), said_rows(from_bytes(image_sketch(image)), plain)


def _volume(path: Path) -> tuple[str, Looks]:
    from curate.dedup import pixel_sha256
    from curate.volume import read_volume

    volume = read_volume(path)
    return pixel_sha256(volume.voxels), telling_slices(volume)


def telling_slices(volume: Volume) -> Looks:
    """The looks of a volume's slices that say something."""
    import dataclasses

    import numpy as np

    from curate.looks.hashes import reduced
    from curate.looks.rows import FULL
    from curate.looks.volume import canonical, grey_bounds, plane_of, volume_looks
    from curate.packs.looks import no_looks, plain_windows, said_rows

    turned = canonical(volume)
    if grey_bounds(turned, FULL)[0] < AIR_HU:
        volume, turned = dataclasses.replace(volume, units="HU"), dataclasses.replace(turned, units="HU")
    rows = volume_looks(volume)
    places = np.stack([rows["view"], rows["axis"], rows["index"]], axis=1)
    bounds = {view: grey_bounds(turned, view) for view in np.unique(rows["view"]).tolist()}
    kept = [no_looks()]
    for view, axis, index in np.unique(places, axis=0).tolist():
        plane = plane_of(turned, axis, index, bounds[view])
        own = rows[(places == (view, axis, index)).all(axis=1)]
        kept.append(said_rows(own, plain_windows(reduced(plane), parts=False)))
    return np.concatenate(kept)


def _clip(path: Path) -> tuple[str, Looks]:
    import numpy as np

    from curate.looks.hashes import cell_hashes, reduced
    from curate.looks.rows import FULL, TIME, rows_of
    from curate.looks.video import FRAME_STEP_S, chosen_frames
    from curate.packs.looks import no_looks, plain_windows, said_rows
    from curate.video.frames import proven, read_frames

    _, times_s, _ = proven(path)
    chosen = chosen_frames(times_s, FRAME_STEP_S)
    cells = read_frames(path, chosen, times_s, each=lambda frame: reduced(frame))
    kept = [no_looks()]
    for number, cell in zip(chosen, cells, strict=True):
        place = (TIME, FULL, max(0, round(times_s[number] * 1000)))
        rows = rows_of(place, True, cell_hashes(cell, parts=False))
        kept.append(said_rows(rows, plain_windows(cell, parts=False)))
    return "", np.concatenate(kept)


def _checked(value: Any) -> tuple[str, Looks] | None:
    """What a parser's process said of a medium, of which nothing is believed. Raises ValueError or TypeError."""
    from curate.looks.rows import from_bytes, is_looks

    if value is None:
        return None
    digest, written = value
    looks = b64decode(written, validate=True)
    if not isinstance(digest, str) or (digest and (len(digest) != 64 or set(digest) - set("0123456789abcdef"))):
        raise ValueError("no digest")
    if looks and not is_looks(looks):
        raise ValueError("no looks")
    return digest, from_bytes(looks)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
