"""What crosses into a parser's process and back, as JSON values: sources, places, items, records.

Into it goes what the plan says, and a worker's own key from the environment, over a socket of this machine that nobody
else reads. What comes back is untrusted: it is checked against its type here, and against what was asked by the caller.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import TypeAdapter

from curate.keyring import KEY_VARIABLE
from manifests.record import FileRef, Record, canonical_json, to_json
from sources.base import Item, Place, SourceConfig

MEMBER_FILE = re.compile(r"[0-9]+-[a-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Given:
    """One record as the parser's process gave it, `text` its canonical JSON; its members lie in files without a name,
    open for reading."""

    record: Record
    text: str
    members: tuple[tuple[str, BinaryIO, int], ...] = ()
    pixel_sha256: str = ""
    text_sha256: str = ""
    minhash: bytes = b""


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
    sketches: tuple[str, str, bytes],
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
    pixels, said, sketch = sketches
    return {"record": to_json(record), "files": files, "sketches": [pixels, said, sketch.hex()]}


def received(value: Any, scratch: Path) -> Given:
    """The inverse of `sent`, of which nothing is believed. Raises ValueError, TypeError or LookupError."""
    text = value["record"]
    record = _records().validate_json(text)
    if canonical_json(json.loads(text)) != text:
        raise ValueError("a record that is not canonical")
    pixels, said, sketch = value["sketches"]
    if record.status not in ("ready", "dropped", "failed") or not isinstance(pixels, str) or not isinstance(said, str):
        raise ValueError("no prepared record")
    sizes = {m.member: m.size_bytes for m in record.media}
    if [name for name, _ in value["files"]] != sorted(sizes):
        raise ValueError("other members than the record names")
    members = tuple((name, _opened(scratch, file, sizes[name]), sizes[name]) for name, file in value["files"])
    return Given(record, text, members, pixels, said, bytes.fromhex(sketch))


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


@functools.cache
def _items() -> TypeAdapter[Item]:
    return TypeAdapter(Item)


@functools.cache
def _records() -> TypeAdapter[Record]:
    return TypeAdapter(Record)
