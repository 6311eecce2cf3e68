"""What every dialect shares: the samples of an output in their order, media as files, placeholders, what does not fit.

A dialect never drops a sample in silence: what it cannot hold raises `UnfitError` with a reason, and ends in
`left_out.jsonl` beside the export with its key; the summary counts it. So whatever a trainer then refuses is a mistake
of ours and not a habit of its loader.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import pyarrow.parquet as pq

from curate.arrays import Array, decode_npy_gz, encode_png
from manifests.errors import RecipeError, RecordError
from manifests.manifest import Manifest
from manifests.sample import StageName, sample_key

IMAGE = "<image>"
MARKS = ("<image>", "<video>", "<image3d>", "<audio>")
MOST_SLICES = 256


class UnfitError(Exception):
    """A sample that a dialect cannot hold, with the reason's name and what was found."""

    def __init__(self, reason: str, found: str) -> None:
        super().__init__(f"{reason}: {found}")
        self.reason = reason
        self.found = found


@dataclass(frozen=True, slots=True)
class Asked:
    """What an export is asked for. `max_tokens` bounds text (an upper estimate) and what is shown together, 0 bounds
    nothing; `system` stands before each conversation where the dialect has a place for it."""

    to: Path
    stage: StageName
    split: str = "train"
    max_tokens: int = 0
    system: str = ""
    pack_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of a shard: its JSON, and its members' bytes."""

    key: str
    values: dict[str, Any]
    members: dict[str, bytes]

    @property
    def media(self) -> list[dict[str, Any]]:
        """What it shows, in order; masks are shown to nobody."""
        return [m for m in self.values["media"] if m["kind"] != "mask"]

    @property
    def turns(self) -> list[tuple[str, str]]:
        return [(t["role"], t["content"]) for t in self.values.get("conversations") or ()]

    @property
    def text(self) -> str:
        return str(self.values.get("text") or "")

    @property
    def answer(self) -> dict[str, Any]:
        return dict(self.values.get("answer") or {})

    @property
    def licence(self) -> str:
        """What holds for its own record and for the passages of others that its prompt shows: an SPDX expression."""
        held = [self.values["licence"], *(one["licence"] for one in self.values.get("passages") or ())]
        each = list(dict.fromkeys(held))
        return each[0] if len(each) == 1 else " AND ".join(f"({one})" if " OR " in one else one for one in each)


@dataclass(frozen=True, slots=True)
class File:
    """A medium as a file: `path` below the export's folder, POSIX separators. Of a clip or volume, `frames` of it."""

    path: str
    height: int
    width: int
    frames: int = 1


class Dialect(Protocol):
    """A trainer's dialect. `add` takes one sample or raises `UnfitError`; `finish` writes what stands at the end and
    says in one line each what to do with the files."""

    NAME: ClassVar[str]
    WHAT: ClassVar[str]
    STAGES: ClassVar[tuple[StageName, ...]]

    def __init__(self, asked: Asked, media: MediaFiles) -> None: ...
    def add(self, sample: Sample) -> None: ...
    def finish(self) -> list[str]: ...


# ------------------------------------------------------------------------------------------------------------- samples
def samples(out: Path, manifest: Manifest, asked: Asked, draws: Path | None) -> Iterator[Sample]:
    """The samples of a stage and split: in the order of the shards, or of a draw list of `curate mix`."""
    if draws is not None:
        yield from _drawn(out, asked, draws)
        return
    for shard in manifest.shards:
        if shard.stage == asked.stage and shard.split == asked.split:
            with (out / shard.path).open("rb") as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
                yield from _adjacent(tar)


def _drawn(out: Path, asked: Asked, draws: Path) -> Iterator[Sample]:
    columns = ["key", "repeat", "stage", "split", "shard", "offset", "size_bytes"]
    opened: dict[str, io.BufferedReader] = {}
    try:
        for batch in pq.ParquetFile(draws).iter_batches(batch_size=4096, columns=columns):
            for row in batch.to_pylist():
                if row["stage"] != asked.stage or row["split"] != asked.split:
                    continue
                stream = opened.get(row["shard"])
                if stream is None:
                    if len(opened) >= 64:
                        opened.pop(next(iter(opened))).close()
                    stream = opened[row["shard"]] = (out / row["shard"]).open("rb")
                stream.seek(row["offset"])
                data = io.BytesIO(stream.read(row["size_bytes"]) + bytes(1024))
                with tarfile.open(fileobj=data, mode="r:") as tar:
                    sample = next(_adjacent(tar))
                record, _, rest = sample.key.partition("-")
                key = sample_key(record, int((rest or "0-0").split("-")[0]), row["repeat"])
                yield dataclasses.replace(sample, key=key)
    except OSError as error:
        raise RecipeError(f"the draw list does not fit this output ({type(error).__name__}); mix it anew") from None
    finally:
        for stream in opened.values():
            stream.close()


def _adjacent(tar: tarfile.TarFile) -> Iterator[Sample]:
    key, fields = "", dict[str, bytes]()
    for member in tar:
        name, _, suffix = member.name.partition(".")
        if name != key and fields:
            yield _sample(key, fields)
            fields = {}
        stream = tar.extractfile(member)
        key, fields[suffix] = name, stream.read() if stream is not None else b""
    if fields:
        yield _sample(key, fields)


def _sample(key: str, fields: dict[str, bytes]) -> Sample:
    return Sample(key, json.loads(fields["json"]), {name: data for name, data in fields.items() if name != "json"})


# --------------------------------------------------------------------------------------------------------------- media
class MediaFiles:
    """Media as files below `media/`, each once however many samples show it; named by their digest."""

    def __init__(self, to: Path) -> None:
        self.to = to

    def pictures(self, sample: Sample, most_slices: int = MOST_SLICES) -> list[list[File]]:
        """For each medium of the sample its pictures: an image is one, a volume of a 2D target one for each slice, a
        clip one for each frame.

        Raises `UnfitError` for a volume that is not rendered as slices of 8 bits, and for more than `most_slices`."""
        return [self.of_one(sample, media, most_slices) for media in sample.media]

    def whole(self, sample: Sample, media: Mapping[str, Any]) -> File:
        """A medium as one file: an image or clip as it is, a volume as `.npy` in the shape that its target gives it."""
        data, member = sample.members[media["member"]], str(media["member"])
        if media["kind"] != "volume":
            height, width = _sides(media)
            return self._put(data, member.rsplit(".", 1)[-1], height, width, _frames(media))
        array = _array(data)
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        depth, height, width = array.shape[-3:]
        return self._put(buffer.getvalue(), "npy", height, width, depth)

    def of_one(self, sample: Sample, media: Mapping[str, Any], most: int = MOST_SLICES) -> list[File]:
        """The pictures of one medium."""
        if media["kind"] == "image":
            return [self.whole(sample, media)]
        if int(media["shape"][0]) > most:
            raise UnfitError("too_many_pictures", f"{media['shape'][0]} frames or slices, {most} allowed")
        if media["kind"] == "video":
            planes: Array = _frames_of(sample.members[media["member"]], media)
        else:
            planes = _array(sample.members[media["member"]])
            if planes.dtype != np.uint8 or planes.ndim != 3 or media["units"] != "display":
                found = f"a volume of {planes.dtype} {planes.shape} ({media['target']})"
                raise UnfitError("volume_target", f"{found}; render it as slices, e.g. fleming_11x448")
        height, width = planes.shape[1:3]
        return [self._put(encode_png(plane), "png", height, width, 1) for plane in planes]

    def _put(self, data: bytes, ending: str, height: int, width: int, frames: int) -> File:
        digest = hashlib.sha256(data).hexdigest()
        path = f"media/{digest[:2]}/{digest[:32]}.{ending}"
        target = self.to / path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        return File(path, height, width, frames)


def _frames_of(data: bytes, media: Mapping[str, Any]) -> Array:
    """The frames of a rendered clip, uint8 (t, y, x, 3)."""
    from curate.video import read_frames

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        path.write_bytes(data)
        return read_frames(path, list(range(int(media["shape"][0]))), media["times_s"])


def _array(data: bytes) -> Array:
    try:
        return decode_npy_gz(data)
    except RecordError as error:
        raise UnfitError(error.reason, error.found) from None


def _sides(media: Mapping[str, Any]) -> tuple[int, int]:
    shape = media["shape"]
    return (shape[1], shape[2]) if media["kind"] == "video" else (shape[0], shape[1])


def _frames(media: Mapping[str, Any]) -> int:
    return int(media["shape"][0]) if media["kind"] == "video" else 1


# ---------------------------------------------------------------------------------------------------------------- words
def placed(sample: Sample, marks: Sequence[str]) -> list[tuple[str, str]]:
    """The conversation with the marks of its media in their places: where the turns hold `<image>` once for each medium
    there, else all before the first words of the user, each on a line of its own. A pretraining text is a conversation
    of an empty question and the text.

    Raises `UnfitError` `placeholders` where the words hold marks that do not fit the media."""
    turns = sample.turns or [("user", ""), ("assistant", sample.text)]
    held = sum(content.count(IMAGE) for _, content in turns)
    others = [mark for mark in MARKS if mark != IMAGE and any(mark in content for _, content in turns)]
    if others or held not in (0, len(marks)) or (held and len(marks) == 1 and not _on_its_own(turns)):
        raise UnfitError("placeholders", f"{held} places and {others} in the words for {len(marks)} media")
    if held:
        given = iter(marks)
        return [(role, _filled(content, given)) for role, content in turns]
    first, *rest = turns
    lead = "".join(f"{mark}\n" for mark in marks)
    return [(first[0], (lead + first[1]) if first[1] else lead.rstrip("\n")), *rest]


def _on_its_own(turns: Sequence[tuple[str, str]]) -> bool:
    return any(line.strip() == IMAGE for _, content in turns for line in content.split("\n"))


def _filled(content: str, marks: Iterator[str]) -> str:
    pieces = content.split(IMAGE)
    return pieces[0] + "".join(next(marks) + piece for piece in pieces[1:])


def check_conversation(turns: Sequence[tuple[str, str]]) -> None:
    """Raise `UnfitError` for turns that do not alternate from user to assistant, or an assistant that says nothing."""
    roles = [role for role, _ in turns]
    if roles != ["user", "assistant"] * (len(roles) // 2) or not roles:
        raise UnfitError("roles", f"turns of {', '.join(roles) or 'nobody'}")
    if any(role == "assistant" and not content.strip() for role, content in turns):
        raise UnfitError("no_text", "an assistant that says nothing")


def check_counts(turns: Sequence[tuple[str, str]], mark: str, wanted: int) -> None:
    """Raise `UnfitError` where the words do not hold as many marks as there are media: the assertion of every
    loader."""
    found = sum(content.count(mark) for _, content in turns)
    if found != wanted:
        raise UnfitError("placeholders", f"{found} times {mark} for {wanted} media")


def check_dialect(sample: Sample, own: Sequence[str]) -> None:
    """Raise `UnfitError` `box_dialect` where a sample says of itself that its boxes of pictures are written in another
    dialect than the trainer's own: in its proofs `frame`, or in the frame of a gold that is a box. A sample that says
    nothing has no such boxes, or a source's own."""
    frames = [proof["value"] for proof in sample.values.get("proofs") or () if proof["call"].startswith("frame(")]
    frames += [sample.answer["frame"]] if sample.answer.get("type") == "box" else []
    for dialect in dict.fromkeys(frame.partition(" ")[0] for frame in frames):
        if dialect and dialect not in own:
            remedy = f"set `dialect` of the recipe's task region to {' or '.join(own)}"
            raise UnfitError("box_dialect", f"boxes in the dialect {dialect}; {remedy}")


def human_gpt(turns: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """LLaVA's turns: `from` human or gpt, `value`."""
    return [{"from": "human" if role == "user" else "gpt", "value": content} for role, content in turns]


def named_ids(sample: Sample) -> dict[str, Any]:
    """What an auditor needs of a row to find the sample again; trainers ignore it."""
    return {"id": sample.key, "source": sample.values["source"], "licence": sample.licence}
