"""The datum: one `Record` per thing that may become samples, from its source files to its place in the ledger.

Invariants, which `curate verify` and the tests hold:
- `key` is 32 hexadecimal digits, `record_key(source, upstream_id, content)`: stable when other data are added.
- `status` is `ready` after prepare; the ledger turns it into exactly one of kept, dropped, duplicate, failed.
- `group` is a pseudonym of the patient (or article, or video): records of one group never stand in two splits.
- `files` names every source file that the record is made of, with its sha256.
- `PICTURE` stands in `text`, questions and answers for none of the record's pictures, or once for each, in their order.
- Shapes are (z, y, x) for volumes and masks, (t, y, x[, c]) for video, (y, x[, c]) for images; `spacing_mm` has the
  order of the spatial axes of `shape`; `affine` maps voxel indices (x, y, z) to RAS+ millimetres.
- Nothing here holds a time, a host, an absolute path or a random number.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["image", "volume", "video", "text"]
Status = Literal["ready", "kept", "dropped", "duplicate", "failed"]
Affine = tuple[tuple[float, float, float, float], ...]

NO_KIND = ""  # a file that never became a record has no kind
PICTURE = "\ufffc"  # OBJECT REPLACEMENT CHARACTER: the place of a picture in a text, question or answer


@dataclass(frozen=True, slots=True)
class FileRef:
    """One source file, or a part of one: `fragment` says which part (`line=12`, `code=A00`), and then `sha256` and
    `size_bytes` are of that part. Of parts that are no run of bytes (`is_view`) they are the whole file's."""

    path: str  # relative to the source's root, POSIX separators
    sha256: str
    size_bytes: int
    role: str = "data"  # data | mask | table | container
    fragment: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing known of a record, and where it is known from.

    `name` is a closed vocabulary in `synth.facts` (modality, body_part, plane, label, ...); `about` narrows it (the
    mask or structure it speaks of); `value` is text, numbers in plain decimal notation; `unit` is a pint unit or "".
    `origin` is a header tag (`dicom:0008,0060`), a table column (`column:diagnosis`), a mask (`mask:spleen`), ...
    `at` says which of a record's several pictures it is true of (`1`, `2`, ... in their order; visits from the oldest).
    """

    name: str
    value: str
    origin: str
    unit: str = ""
    about: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question that a source asks of a record, and its answer in the source's own words. Where there are `options`
    the answer is one of them, as text. `about` is the source's name for that kind of question, `why` its explanation.
    Questions are numbered from 1 in the order of the record."""

    question: str
    answer: str
    options: tuple[str, ...] = ()
    about: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Media:
    """One media member: its name is the suffix after the sample key (`png`, `volume.npy.gz`, `masks.npy.gz`, `mp4`).

    Masks of one record share one label-map member: `value` is the voxel value that marks this mask there. A proof
    addresses it as `masks.npy.gz#3` (`mask_address`) and sees it as 0 and 1.
    """

    member: str
    kind: Literal["image", "volume", "video", "mask"]
    shape: tuple[int, ...]
    dtype: str
    sha256: str
    size_bytes: int
    target: str = "canonical"
    units: str = ""  # HU, scanner, display, label
    spacing_mm: tuple[float, ...] | None = None
    affine: Affine | None = None
    times_s: tuple[float, ...] | None = None  # presentation time of every frame
    window: tuple[float, float] | None = None  # VOI centre and width, for rendering to 8 bit
    inverted: bool = False  # MONOCHROME1: low values are shown bright
    voi: str = "linear"  # how `window` is read: linear, linear_exact or sigmoid (PS3.3 C.11.2.1)
    padding: tuple[float, float] | None = None  # values from the first to the second were never measured
    crop: tuple[int, int, int, int] | None = None  # rendered: (top, left, bottom, right) in canonical pixels
    scale: tuple[float, float] | None = None  # rendered: pixels per canonical pixel, (y, x)
    label: str = ""  # what a mask marks
    value: int = 0  # mask: its voxel value in the label map
    slices: tuple[int, ...] | None = None  # where not all of a grid's slices are shown: the z index of each, in the
    # grid that `affine` describes
    visual_tokens: int = 0  # what showing it costs the model that its target is made for; 0: unknown, or not shown


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done to a record, with its parameters: what `curate explain` tells in order."""

    name: str
    params: str  # canonical JSON
    result: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    key: str
    source: str
    uri: str  # where an auditor finds it: source name and path inside its root
    upstream_id: str
    sha256: str  # of all its bytes: files in order
    kind: str
    group: str
    licence: str
    access: str
    modality: str = ""
    phash: str = ""  # images: 64-bit perceptual hash of how they are shown, 16 hexadecimal digits
    status: Status = "ready"
    reason: str = ""
    found: str = ""
    remedy: str = ""
    files: tuple[FileRef, ...] = ()
    media: tuple[Media, ...] = ()
    facts: tuple[Fact, ...] = ()
    text: str = ""
    asked: tuple[Asked, ...] = ()
    dialogue: bool = False  # what is asked is one conversation, in order
    steps: tuple[Step, ...] = ()


def record_key(source: str, upstream_id: str, content_sha256: str) -> str:
    """32 hexadecimal digits from (source, upstream id, content digest); no dots, so it is a WebDataset key."""
    text = "\x1f".join((source, upstream_id, content_sha256))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def content_sha256(files: tuple[FileRef, ...]) -> str:
    """One digest over a record's files in order, and over what it takes of them where that is a view; of a single
    whole file it is that file's own sha256."""
    if len(files) == 1 and not is_view(files[0]):
        return files[0].sha256
    named = (f"{f.sha256}#{f.fragment}" if is_view(f) else f.sha256 for f in files)
    return hashlib.sha256("".join(named).encode()).hexdigest()


def is_view(file: FileRef) -> bool:
    """Whether a record takes a part of a file that has no bytes of its own: one volume of several, a time range."""
    return file.fragment.startswith(("volume=", "t="))


def mask_address(media: Media) -> str:
    """How a proof names one mask of a label map: `masks.npy.gz#3`."""
    return f"{media.member}#{media.value}"


def words_of(text: str, asked: tuple[Asked, ...]) -> str:
    """What is compared of a text and what is asked: the text, then each question and its answer, one below the
    other."""
    return "\n".join(t for t in (text, *(part for one in asked for part in (one.question, one.answer))) if t)


def parts_of(asked: tuple[Asked, ...]) -> Iterator[str]:
    """Every text of what is asked."""
    return (t for one in asked for t in (one.question, one.answer, *one.options, one.about, one.why))


def asked_from(row: dict[str, Any]) -> Asked:
    """An `Asked` from its JSON form."""
    return Asked(**{**row, "options": tuple(row["options"])})


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, NaN refused, non-ASCII kept. What is hashed is this."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """sha256 of `canonical_json(value)`, hexadecimal."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def to_json(value: Any) -> str:
    """A dataclass of this module (or `manifests.sample`) as canonical JSON."""
    return canonical_json(dataclasses.asdict(value))


def _tuple_of_floats(value: Any) -> tuple[float, ...] | None:
    return None if value is None else tuple(float(v) for v in value)


def _pair_of_floats(value: Any) -> tuple[float, float] | None:
    return None if value is None else (float(value[0]), float(value[1]))


def media_from(row: dict[str, Any]) -> Media:
    """A `Media` from its JSON form."""
    affine, slices, crop = row["affine"], row["slices"], row["crop"]
    return Media(
        **{
            **row,
            "shape": tuple(int(n) for n in row["shape"]),
            "spacing_mm": _tuple_of_floats(row["spacing_mm"]),
            "times_s": _tuple_of_floats(row["times_s"]),
            "slices": None if slices is None else tuple(int(n) for n in slices),
            "window": _pair_of_floats(row["window"]),
            "padding": _pair_of_floats(row["padding"]),
            "scale": _pair_of_floats(row["scale"]),
            "crop": None if crop is None else tuple(int(n) for n in crop),
            "affine": None if affine is None else tuple(tuple(float(v) for v in line) for line in affine),
        }
    )


def record_from_json(text: str) -> Record:
    """The inverse of `to_json` for a `Record`. Raises ValueError for a text that is none."""
    try:
        row = json.loads(text)
        row["files"] = tuple(FileRef(**f) for f in row["files"])
        row["media"] = tuple(media_from(m) for m in row["media"])
        row["facts"] = tuple(Fact(**f) for f in row["facts"])
        row["asked"] = tuple(asked_from(a) for a in row["asked"])
        row["steps"] = tuple(Step(**s) for s in row["steps"])
        return Record(**row)
    except (TypeError, LookupError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"no record ({type(error).__name__})") from error
