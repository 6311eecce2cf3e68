"""The media of held-out samples beside those for training, from the shards' own bytes: `curate verify --media`.

The ledger's links say what a run found; this looks again, and knows nothing of the run: every picture, volume and clip
in the shards is hashed as it is shown there (`curate.looks`), pairs of different splits that may show the same are read
again and their pixels compared. So a slice in `test` of a volume in `train` is found though nobody linked them. It
takes the time of decoding every medium once, and memory for their looks (`curate.matching.recall` says how much).

Not covered: clips where PyAV is not installed, sequences of JPEG frames, media that no sample was drawn from; and what
is compared is what a render target leaves of a volume.
"""

from __future__ import annotations

import importlib.util
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from curate.arrays import Array, Frames, Image, Volume, affine_of, decode_npy_gz, decode_picture, is_picture
from curate.audit.findings import Findings
from curate.looks.config import LooksConfig
from curate.looks.pairs import Candidate, Media, candidates, confirm_pair
from curate.looks.rows import Looks, from_bytes
from curate.looks.sketch import clip_sketch, image_sketch, volume_sketch
from curate.matching.media import shown_frames
from manifests.errors import RecordError
from manifests.record import Media as Described

# What numerical code raises for values that no run wrote (an affine of zeros, a mask of one line).
NUMERIC = (ArithmeticError, ValueError, RuntimeError, IndexError, np.linalg.LinAlgError, MemoryError)
REMEDY = "keep both in one split: run the recipe again, with select.near_duplicates.media at `link` or `drop`"


@dataclass(frozen=True, slots=True)
class Shown:
    """A medium in a shard: whose it is, where it lies, what it looks like."""

    record: str
    split: str
    shard: str
    sample: str
    media: Described
    looks: Looks


@dataclass
class MediaAudit:
    """Takes up media sample by sample, each once; `leaks` compares them in the end."""

    out: Path
    config: LooksConfig = field(default_factory=LooksConfig)
    known: dict[tuple[str, str], Shown] = field(default_factory=dict)

    def take(self, place: tuple[str, str], record: str, split: str, described: Described, data: bytes) -> None:
        """A medium of a sample; `place` is the shard's path and the sample's key."""
        name = (record, described.sha256)
        if name in self.known or described.kind not in ("image", "volume", "video"):
            return
        try:
            looks = _looks(described, data)
        except (RecordError, *NUMERIC):  # what cannot be decoded is a finding of its own
            return
        if len(looks):
            self.known[name] = Shown(record, split, *place, described, looks)

    def leaks(self, findings: Findings) -> None:
        """A finding for every two media of different splits whose pixels agree."""
        shown = sorted(self.known.values(), key=lambda s: (s.record, s.media.sha256))
        findings.count("media compared", len(shown))
        if len({s.split for s in shown}) < 2:
            return
        for pair in candidates([s.looks for s in shown], self.config):
            one, other = shown[pair.i], shown[pair.j]
            if one.split == other.split or one.record == other.record:
                continue
            match = self._match(pair, one, other)
            if match is not None:
                where = f"{one.shard} sample {one.sample}"
                found = f"{one.split}; {other.split} sample {other.sample} of {other.shard} shows the same: {match}"
                findings.add("media_leak", where, found, REMEDY)

    def _match(self, pair: Candidate, one: Shown, other: Shown) -> str | None:
        try:
            first = self._read(one, frozenset(hit.indices[0] for hit in pair.hits))
            second = self._read(other, frozenset(hit.indices[1] for hit in pair.hits))
            match = confirm_pair(pair, first, second, self.config)
        except (RecordError, *NUMERIC):
            return None
        if match is None:
            return None
        where = f" {'xyz'[match.axis]} {match.pairs[0][0]}" if pair.kind == "slice" else ""
        return f"{pair.kind}{where}, score {match.score:.3f}"

    def _read(self, shown: Shown, times_ms: frozenset[int]) -> Media:
        with tarfile.open(self.out / shown.shard) as tar:
            stream = tar.extractfile(f"{shown.sample}.{shown.media.member}")
            assert stream is not None
            data = stream.read()
        if shown.media.kind != "video":
            return _decoded(shown.media, data)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip.mp4"
            path.write_bytes(data)
            return shown_frames(path, shown.media.times_s or (), times_ms)


def _looks(described: Described, data: bytes) -> Looks:
    """Raises RecordError for what cannot be decoded."""
    if described.kind == "video":
        return _clip_looks(described, data)
    decoded = _decoded(described, data)
    if isinstance(decoded, Volume):
        return from_bytes(volume_sketch(decoded))
    assert isinstance(decoded, np.ndarray)
    return from_bytes(image_sketch(Image(decoded, "display")))


def _clip_looks(described: Described, data: bytes) -> Looks:
    if described.member != "mp4" or not importlib.util.find_spec("av"):
        return from_bytes(b"")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        path.write_bytes(data)
        return from_bytes(clip_sketch(path, described.times_s or ()))


def _decoded(described: Described, data: bytes) -> Array | Volume | Frames:
    pixels = decode_picture(data) if is_picture(described.member) else decode_npy_gz(data)
    if described.kind != "volume":
        return pixels
    if pixels.ndim != 3:
        raise RecordError("not_a_volume", f"{pixels.dtype} {pixels.shape}", "run `curate verify`")
    units = described.units if described.units in ("HU", "scanner", "display") else "scanner"
    return Volume(pixels, affine_of(described.affine), units)  # type: ignore[arg-type]
