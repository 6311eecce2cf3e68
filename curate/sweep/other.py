"""The needles of forms without a DICOM header: strings of NIfTI headers, EXIF and PNG texts, tags of video containers,
and what was scrubbed."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from curate.deidentify.text import _SHAPES
from curate.guard import open_stream, typed
from curate.sweep.needles import SCRUBBED, Needles
from manifests.errors import RecordError

_NIFTI = {
    348: (("data_type", 4, 10), ("db_name", 14, 18), ("descrip", 148, 80), ("aux_file", 228, 24),
          ("intent_name", 328, 16)),
    540: (("descrip", 240, 80), ("aux_file", 320, 24), ("intent_name", 508, 16)),
}  # fmt: skip
_EXIF = {
    270: "ImageDescription", 306: "DateTime", 315: "Artist", 316: "HostComputer", 33432: "Copyright",
    36867: "DateTimeOriginal", 36868: "DateTimeDigitized", 37510: "UserComment", 40091: "XPTitle", 40092: "XPComment",
    40093: "XPAuthor", 40094: "XPKeywords", 40095: "XPSubject", 42016: "ImageUniqueID", 42032: "CameraOwnerName",
    42033: "BodySerialNumber",
}  # fmt: skip
_EXIF_FOLDER = 34665
_PERSONS = frozenset({315, 40093, 42032})
_WIDE = range(40091, 40096)
_DAYS = frozenset({306, 36867, 36868})
_TECHNICAL = frozenset(  # what writers put there themselves
    ("major_brand", "minor_version", "compatible_brands", "encoder", "handler_name", "vendor_id", "language")
)
_MAKERS = frozenset(("artist", "author", "album_artist", "composer", "performer", "copyright", "patient"))
_BY_NAME = {name: shape for name, shape in _SHAPES if name in ("[EMAIL]", "[URL]")}
_NAMES = tuple(shape for name, shape in _SHAPES if "[NAME]" in name)
_NUMBERS = tuple(shape for name, shape in _SHAPES if re.search("UID|PHONE|NUMBER|ADDRESS", name))
_TITLES = ("Dr", "Prof", "Mr", "Ms", "Miss", "Herr", "Frau")
_LABELLED = re.compile(r"(?:[Nn]ame|NAME|[Pp]atient|PATIENT|ician|ICIAN|logist|LOGIST|urgeon|URGEON) ?:| by:? [A-Z]")
_YEAR = re.compile(r"\d{4}")
_MANY_DIGITS = re.compile(r"\d(?:[ ().+/-]{0,3}\d){4,}|\d(?:\.\d+){4}")  # below 5 digits nothing is looked for
_BEFORE, _BEHIND = 40, 60  # characters around digits in which a shape lies that they are part of


_LABEL = re.compile(r"[^\W\d_][^\d]*(?=\d)")
_LEAST_DIGITS = 7


def add_scrubbed(needles: Needles, texts: Iterable[str]) -> None:
    """What `scrub_text` replaces by shape, ages and short dates left out. It may stand in the record's lineage (an
    article's number), nowhere else. Each shape is looked for only where something shows that it may be there."""
    text = "\n".join([t for t in texts if t])
    found: list[re.Match[str]] = []
    if "@" in text:
        found += _BY_NAME["[EMAIL]"].finditer(text)
    if "://" in text or "www." in text.lower():
        found += _BY_NAME["[URL]"].finditer(text)
    labelled = (":" in text or " by" in text) and _LABELLED.search(text)
    if labelled or any(title in text for title in _TITLES):
        found += (match for shape in _NAMES for match in shape.finditer(text))
    if _YEAR.search(text):
        for start, end in _around_digits(text):
            part = text[start:end]
            found += [match for shape in _NUMBERS for match in shape.finditer(part)]
    values = [match[0] for match in found]
    needles.put_off(SCRUBBED, [*values, *filter(None, map(_unlabelled, values))], text)


def _unlabelled(value: str) -> str:
    """The number behind the label of a scrubbed value (`call 089 123-4567`); "" where there is none, or a short one."""
    first = _LABEL.match(value)
    number = value[first.end() :] if first else ""
    return number if sum(c.isdigit() for c in number) >= _LEAST_DIGITS else ""


def _around_digits(text: str) -> Iterator[tuple[int, int]]:
    """Where many digits stand, with what is before and behind; places that touch are one."""
    start = end = -1
    for digits in _MANY_DIGITS.finditer(text):
        if end >= 0 and digits.start() - _BEFORE > end:
            yield start, end
            end = -1
        if end < 0:
            start = max(0, digits.start() - _BEFORE)
        end = digits.end() + _BEHIND
    if end >= 0:
        yield start, end


def add_nifti(needles: Needles, path: Path) -> None:
    """The strings of a NIfTI-1 or -2 header; any other file has none. Raises RecordError as `open_stream`."""
    with open_stream(path) as stream:
        head = stream.take(540)
    for name, start, size in _NIFTI.get(_header_size(head), ()):
        text = head[start : start + size].split(b"\0")[0].decode("latin-1").strip()
        needles.add_sentence(name, text)
        if name in ("db_name", "aux_file", "intent_name"):
            needles.add_form(name, text)


def _header_size(head: bytes) -> int:
    if len(head) < 348:
        return 0
    sizes = struct.unpack("<i", head[:4]) + struct.unpack(">i", head[:4])
    size = next((s for s in sizes if s in _NIFTI), 0)
    return size if size <= len(head) else 0


def add_picture(needles: Needles, path: Path) -> None:
    """EXIF values that name somebody, something or a day, and the text chunks of a PNG. A file that cannot be opened
    has none: the reader says what is wrong with it."""
    from PIL import Image

    from curate.image import FORMATS, MAX_PIXELS
    from curate.image.structure import check_structure

    try:
        with typed("bad_image", ""):
            check_structure(path)
        with typed("bad_image", ""), Image.open(path, formats=FORMATS) as picture:
            if picture.size[0] * picture.size[1] > MAX_PIXELS:
                return
            exif = picture.getexif()
            tags = {**dict(exif), **dict(exif.get_ifd(_EXIF_FOLDER))}
            texts = [(str(k), v) for k, v in picture.info.items() if isinstance(v, str)]
            comment = picture.info.get("comment")
    except RecordError:
        return
    texts += [("comment", comment.decode("latin-1"))] if isinstance(comment, bytes) else []
    for tag, name in _EXIF.items():
        for text in _exif_text(tag, tags.get(tag)):
            if tag in _DAYS:
                needles.add_day(name, text.replace(":", "-"))
            else:
                needles.add_sentence(name, text)
                needles.add_form(name, text if tag not in (270, 37510) else "")
                needles.add_name(name, "^".join(text.split()) if tag in _PERSONS else "")
    for name, text in texts:
        needles.add_sentence(_tag_name(name), text)


def add_clip(needles: Needles, path: Path) -> None:
    """The tags of a video container and of its streams: days, whole sentences, and whoever made it. Raises RecordError
    as `curate.video.container.opened`."""
    from curate.video.container import opened

    with opened(path) as (container, _):
        tags = [pair for holder in (container, *container.streams) for pair in holder.metadata.items()]
    for key, text in tags:
        name = key.lower()
        if name in _TECHNICAL:
            continue
        needles.add_sentence(_tag_name(key), text)
        if name in _MAKERS:
            needles.add_form(_tag_name(key), text)
            needles.add_name(_tag_name(key), "^".join(text.split()))


def _tag_name(key: str) -> str:
    return re.sub(r"[^A-Za-z_ ]", "", key)[:20] or "tag"


def _exif_text(tag: int, value: object) -> Iterator[str]:
    if isinstance(value, bytes):
        yield value.decode("utf-16le" if tag in _WIDE else "latin-1", "replace").strip("\0 ")
    elif isinstance(value, str):
        yield value.strip("\0 ")
