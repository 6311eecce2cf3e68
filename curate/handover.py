"""What crosses into a parser's process and back, as JSON values: sources, places, items, records.

Into it goes what the plan says, and a worker's own key from the environment, over a socket of this machine that nobody
else reads. What comes back is untrusted: it is checked against its type here, and against what was asked by the caller.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import operator
import os
import re
import stat
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring as quoted
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import TypeAdapter

from curate.keyring import KEY_VARIABLE
from curate.looks.rows import is_looks
from curate.screen.ids import is_sealed_ids
from manifests.record import Asked, Fact, FileRef, Media, Record, Step, canonical_json, content_sha256, record_key
from sources.base import Item, Place, SourceConfig

MEMBER_FILE = re.compile(r"[0-9]+-[a-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Sketches:
    """What a record is compared by: digests ("" of what it has not), MinHash values, `curate.looks.rows` and
    `curate.screen.ids`."""

    pixel_sha256: str = ""
    text_sha256: str = ""
    minhash: bytes = b""
    looks: bytes = b""
    ids: bytes = b""


NO_SKETCHES = Sketches()


@dataclass(frozen=True, slots=True)
class Given:
    """One record as the parser's process gave it, `text` its canonical JSON; its members lie in files without a name,
    open for reading."""

    record: Record
    text: str
    members: tuple[tuple[str, BinaryIO, int], ...] = ()
    sketches: Sketches = NO_SKETCHES


def handed_over(source: SourceConfig, place: Place) -> dict[str, Any]:
    """A source, where it lies and the worker's key variable; `taken_over` is the inverse."""
    kind = type(source)
    return {
        "module": kind.__module__,
        "class": kind.__qualname__,
        "source": source.model_dump(mode="json"),
        "root": str(place.root),
        "recipe_folder": str(place.recipe_folder),
        "key": os.environ.get(KEY_VARIABLE),
    }


def taken_over(setup: dict[str, Any]) -> tuple[SourceConfig, Place]:
    """In the parser's process: the source and its place; the key variable is set for `Keyring.load`."""
    kind: type[SourceConfig] = getattr(importlib.import_module(setup["module"]), setup["class"])
    if setup["key"] is None:
        os.environ.pop(KEY_VARIABLE, None)
    else:
        os.environ[KEY_VARIABLE] = setup["key"]
    return kind.model_validate(setup["source"]), Place(Path(setup["root"]), Path(setup["recipe_folder"]))


def item_values(item: Item) -> dict[str, Any]:
    return dataclasses.asdict(item)


def named(item: Item) -> list[Any]:
    """What tells an item apart; `renamed` is the inverse, for a container's row."""
    return [item.upstream_id, item.group, [dataclasses.astuple(f) for f in item.files]]


def renamed(values: Any, container: Item) -> Item:
    """Raises ValueError or TypeError for what names no item."""
    upstream_id, group, files = values
    row = item_values(dataclasses.replace(container, upstream_id=upstream_id, group=group))
    names = [f.name for f in dataclasses.fields(FileRef)]
    return item_of({**row, "files": [dict(zip(names, f, strict=True)) for f in files]})


def item_of(values: Any) -> Item:
    """Raises ValueError for what is no item."""
    return _items().validate_python(values)


def sent(
    record: Record,
    members: Sequence[tuple[str, bytes | Path]],
    sketches: Sketches,
    scratch: Path,
    numbers: Iterator[int],
) -> dict[str, Any]:
    """A prepared record as JSON values, its members moved into files that no later record writes."""
    files = []
    for name, data in members:
        file = scratch / f"{next(numbers)}-{name}"
        if isinstance(data, Path):
            data.rename(file)
        else:
            file.write_bytes(data)
        files.append([name, file.name])
    binary = [b2a_base64(column, newline=False).decode() for column in (sketches.minhash, sketches.looks, sketches.ids)]
    return {
        "record": record_json(record),
        "files": files,
        "sketches": [sketches.pixel_sha256, sketches.text_sha256, *binary],
    }


def received(value: Any, scratch: Path) -> Given:
    """The inverse of `sent`, of which nothing is believed. Raises ValueError, TypeError or LookupError."""
    text = value["record"]
    record = _records().validate_json(text)
    if record_json(record) != text:
        raise ValueError("a record that is not canonical")
    pixels, said, *binary = value["sketches"]
    if record.status not in ("ready", "dropped", "failed") or not isinstance(pixels, str) or not isinstance(said, str):
        raise ValueError("no prepared record")
    sizes = {m.member: m.size_bytes for m in record.media}
    if [name for name, _ in value["files"]] != sorted(sizes):
        raise ValueError("other members than the record names")
    members = tuple((name, _opened(scratch, file, sizes[name]), sizes[name]) for name, file in value["files"])
    minhash, looks, ids = [a2b_base64(column, strict_mode=True) for column in binary]
    if looks and not is_looks(looks):
        raise ValueError("looks that are none")
    if ids and not is_sealed_ids(ids):
        raise ValueError("ids that are none")
    return Given(record, text, members, Sketches(pixels, said, minhash, looks, ids))


def as_asked(given: Record, item: Item, source: SourceConfig) -> bool:
    """Whether a record says who it is as `curate.prepare.blank_record` does of its item, or of the row that it names of
    a container: so do nearly all, and neither a blank record nor a pseudonym is needed to see it."""
    name, files = source.called, given.files
    if item.form == "rows":
        if not files or not given.group or not {f.path for f in files} <= {f.path for f in item.files}:
            return False
    elif files != item.files or given.upstream_id != item.upstream_id or given.group != (item.group or given.key):
        return False
    first, sha256 = files[0], content_sha256(files)
    return (
        given.source == name
        and given.sha256 == sha256
        and given.key == record_key(name, given.upstream_id, sha256)
        and given.uri == f"{name}/{first.path}" + (f"#{first.fragment}" if first.fragment else "")
        and given.licence == source.licence
        and given.access == source.access
    )


def _opened(scratch: Path, name: str, size: int) -> BinaryIO:
    """A member's file, which then has no name any more. Raises ValueError for what is no file of that size."""
    if not MEMBER_FILE.fullmatch(name):
        raise ValueError("no name of a member's file")
    try:
        handle = os.open(scratch / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        (scratch / name).unlink()
    except OSError as error:
        raise ValueError("no file of a member") from error
    stream = os.fdopen(handle, "rb")
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_size != size:
        stream.close()
        raise ValueError("another file than the record names")
    return stream


def _form(kind: type, others: tuple[str, ...] = ()) -> tuple[Callable[..., str], Callable[[Any], tuple[str, ...]]]:
    """The canonical JSON of a dataclass as a form to fill in: its texts, which the second function takes from one, in
    the order of their names, then `others`."""
    names = sorted(field.name for field in dataclasses.fields(kind))
    texts = [name for name in names if name not in others]
    places = {name: number for number, name in enumerate([*texts, *others])}
    fields = ",".join(f'"{name}":{{{places[name]}}}' for name in names)
    return f"{{{{{fields}}}}}".format, operator.attrgetter(*texts)


_RECORD, _texts_of_record = _form(Record, ("files", "media", "facts", "asked", "dialogue", "steps"))
_FILE, _texts_of_file = _form(FileRef, ("size_bytes",))
_FACT, _texts_of_fact = _form(Fact)
_STEP, _texts_of_step = _form(Step)
_ASKED, _texts_of_asked = _form(Asked, ("options",))
_MEDIA = [field.name for field in dataclasses.fields(Media)]
_MEASURES = ("spacing_mm", "affine", "times_s", "window", "padding", "scale")


def record_json(record: Record) -> str:
    """A record as `manifests.record.to_json` gives it, at a fifth of the time, with every measure of its media as a
    decimal fraction (1.0, never 1), so that it stays as it is when it is read and written again. Raises ValueError for
    NaN and infinity."""
    files = ",".join([_FILE(*map(quoted, _texts_of_file(file)), file.size_bytes) for file in record.files])
    facts = ",".join([_FACT(*map(quoted, _texts_of_fact(fact))) for fact in record.facts])
    steps = ",".join([_STEP(*map(quoted, _texts_of_step(step))) for step in record.steps])
    media = ",".join([_media_json(media) for media in record.media])
    asked = ",".join([_ASKED(*map(quoted, _texts_of_asked(one)), _list(one.options)) for one in record.asked])
    dialogue = "true" if record.dialogue else "false"
    lists = (f"[{files}]", f"[{media}]", f"[{facts}]", f"[{asked}]", dialogue, f"[{steps}]")
    return _RECORD(*map(quoted, _texts_of_record(record)), *lists)


def _list(texts: Sequence[str]) -> str:
    return f"[{','.join(map(quoted, texts))}]"


def _media_json(media: Media) -> str:
    values = {name: getattr(media, name) for name in _MEDIA}
    return canonical_json(values | {name: _decimal(values[name]) for name in _MEASURES})


def _decimal(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_decimal(one) for one in value]
    return None if value is None else float(value)


@functools.cache
def _items() -> TypeAdapter[Item]:
    return TypeAdapter(Item)


@functools.cache
def _records() -> TypeAdapter[Record]:
    return TypeAdapter(Record)
