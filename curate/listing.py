"""List: what a source makes of its inventory, its items. One unit of work for each source.

Tables are foreign bytes, so `source.items` runs in a process of its own (`curate.sandbox`); what it hands back is
checked against the inventory, and written line by line. A unit's key holds the digests of all that the source may look
at, so nothing is listed twice. Where listing fails, the run goes on with its other sources: the table ends as a failed
record with the reason, and so that nothing is lost from the ledger, the source's other files as `not_listed`.

`items.jsonl` and the inventory's `entries.json` hold names of source files in the clear, because workers open files by
them. The work folder is private, and made so (0700) where the run makes it; what is published has no file names but
those that the ledger tells.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from curate.code import code_version
from curate.handover import handed_over, taken_over
from curate.inventory import DEFAULT_LIMITS, UNEXPECTED_REMEDY, KeyHint, read_entries
from curate.sandbox import Answered, Death, Limits, Said, Serve, Thing, run
from curate.store import file_sha256, unit_folder
from curate.units import Summary, Unit, unit_key
from manifests.errors import RecipeError, RecordError
from manifests.record import FileRef, canonical_json, is_view
from sources.base import Entry, Item, Place, SourceConfig, outcome, ref, usable

SERVE = "curate.listing:open_items"
LOOK = "curate.listing:open_look"
ITEMS_PER_MESSAGE = 256
MAX_SAID = 2000  # characters of an error's text
REASON = re.compile(r"[a-z][a-z0-9_]{1,60}")
Listed = list[Item] | RecipeError | RecordError


@dataclass(frozen=True, slots=True)
class ListSpec:
    """`inventory` are the keys of the source's inventory units, `tables` the files that listing opens, as planned."""

    source: SourceConfig
    place: Place
    inventory: tuple[str, ...]
    tables: tuple[FileRef, ...]
    key: KeyHint
    limits: Limits | None = DEFAULT_LIMITS  # None: list in this process, for tests and debuggers


def look(source: SourceConfig, place: Place, limits: Limits) -> None:
    """Raise `RecipeError` for what the beginnings of the source's tables show to be wrong. A table that kills who looks
    at it is left to the unit that lists it."""
    if not source.tables(place):
        return
    for answer in run(LOOK, handed_over(source, place), [Thing(None)], limits, _text):
        if not isinstance(answer, Death) and answer.value:
            raise RecipeError(answer.value)


def unit_of(
    source: SourceConfig, place: Place, key: KeyHint, inventory: Sequence[Unit], entries: Sequence[Entry],
    limits: Limits | None = DEFAULT_LIMITS,
) -> Unit:  # fmt: skip
    """The unit that lists a source."""
    known = {e.path: e for e in entries}
    tables = tuple(_table_ref(name, path, known, place) for name, path in source.tables(place))
    identity = {
        "source": source.identity(),
        "key": key.key_id,
        "entries": _digest(entries),
        "tables": [dataclasses.asdict(t) for t in tables],
        "limits": dataclasses.asdict(limits) if limits else None,
    }
    code = code_version("curate.listing", type(source).__module__)
    return Unit(
        stage="list",
        key=unit_key("list", code, identity),
        spec=ListSpec(source, place, tuple(u.key for u in inventory), tables, key, limits),
        label=source.called,
        records=len(entries),
        size_bytes=sum(t.size_bytes for t in tables),
    )


def _table_ref(name: str, path: Path, known: dict[str, Entry], place: Place) -> FileRef:
    if name in known and path == place.root / name:
        return ref(known[name], "table")
    return FileRef(path=name, sha256=file_sha256(path), size_bytes=path.stat().st_size, role="table")


def _digest(entries: Sequence[Entry]) -> str:
    hasher = hashlib.sha256()
    for entry in entries:
        hasher.update(canonical_json(dataclasses.asdict(entry)).encode() + b"\n")
    return hasher.hexdigest()


def work(spec: ListSpec, folder: Path, work_folder: Path) -> Summary:
    """Write `items.jsonl`: the source's items, one a line, in the order in which it gives them.

    Raises RecipeError for what reading all of a table shows to be wrong with the recipe."""
    ring = spec.key.keyring()
    entries = _entries(work_folder, spec.inventory)
    try:
        if spec.limits is None:
            given: Iterator[Listed] = _batches(spec.source, spec.place, entries, ring.pseudonym)
        else:
            given = _sandboxed(spec, entries, work_folder, spec.limits)
        count = _write(folder, (_sound(listed) for listed in given))
        _check_unchanged(spec)
    except RecordError as error:
        return {"records": _write(folder, [lost(spec, entries, error)]), "failed": 1}
    return {"records": count, "failed": 0}


def _entries(work_folder: Path, keys: Sequence[str]) -> list[Entry]:
    return read_entries(work_folder, [Unit("inventory", key, None) for key in keys])


def _sandboxed(spec: ListSpec, entries: Sequence[Entry], work_folder: Path, limits: Limits) -> Iterator[Listed]:
    setup = {
        **handed_over(spec.source, spec.place),
        "hint": dataclasses.asdict(spec.key),
        "work": str(work_folder),
        "inventory": list(spec.inventory),
    }
    known = {t.path: t.sha256 for t in spec.tables} | {e.path: e.sha256 for e in entries}
    for answer in run(SERVE, setup, [Thing(None, container=True)], limits, lambda value: _read(value, known)):
        if isinstance(answer, Death):
            raise RecordError("parser_died", answer.found, answer.remedy)
        yield answer.value


def _sound(listed: Listed) -> list[Item]:
    if isinstance(listed, list):
        return listed
    raise listed


def _write(folder: Path, batches: Iterator[list[Item]] | list[list[Item]]) -> int:
    count = 0
    dump = TypeAdapter(Item).dump_json  # ten times as fast as the dataclass's own values through `json`
    with (folder / "items.jsonl").open("wb") as stream:
        for item in itertools.chain.from_iterable(batches):
            stream.write(dump(item) + b"\n")
            count += 1
    return count


def _check_unchanged(spec: ListSpec) -> None:
    paths = dict(spec.source.tables(spec.place))
    for table in spec.tables:
        if table.path not in paths or file_sha256(paths[table.path]) != table.sha256:
            found = f"other bytes in '{table.path}' than the plan names"
            raise RecordError("changed_since_plan", found, "run again: it is planned anew")


def lost(spec: ListSpec, entries: Sequence[Entry], error: RecordError) -> list[Item]:
    """What a source that cannot be listed leaves in the ledger: the error once for each table, the other files beside
    it. Of a source without a table, each file has the error itself."""
    good, items = usable(entries, spec.source.exclude)
    tables = {t.path for t in spec.tables}
    for table in spec.tables:
        items.append(
            Item(
                upstream_id=table.path,
                form="none",
                files=(table,),
                status="failed",
                reason=error.reason,
                found=error.found,
                remedy=error.remedy,
            )
        )
    for entry in good:
        if not tables:
            items.append(outcome(entry, "failed", error.reason, error.found, error.remedy))
        elif entry.path not in tables:
            found = f"a file of a source whose table ended as {error.reason}"
            items.append(outcome(entry, "failed", "not_listed", found, "mend the table: its own row says how"))
    return items


def read_items(work_folder: Path, unit: Unit) -> Iterator[Item]:
    """The items of a finished unit, one by one."""
    read = TypeAdapter(Item).validate_json
    with (unit_folder(work_folder, unit.stage, unit.key) / "items.jsonl").open("rb") as stream:
        for line in stream:
            yield read(line)


# --------------------------------------------------------------------------------------------- in the parser's process
def open_look(setup: dict[str, Any]) -> Serve:
    """One answer: what is wrong with the recipe, or ""."""
    source, place = taken_over(setup)

    def serve(_thing: Any, _skip: int) -> Iterator[Said]:
        said = ""
        try:
            source.look(place)
        except RecipeError as error:
            said = _line(str(error))
        yield Answered(said)

    return serve


def open_items(setup: dict[str, Any]) -> Serve:
    """One answer for each run of items, and a last one that says why there are no more, if that is an error."""
    source, place = taken_over(setup)
    ring = KeyHint(**setup["hint"]).keyring()

    def serve(_thing: Any, skip: int) -> Iterator[Said]:
        entries = _entries(Path(setup["work"]), setup["inventory"])
        for listed in itertools.islice(_batches(source, place, entries, ring.pseudonym), skip, None):
            yield Answered(_said(listed))

    return serve


def _batches(
    source: SourceConfig, place: Place, entries: Sequence[Entry], pseudonym: Callable[[str, str], str]
) -> Iterator[Listed]:
    items = source.items(place, entries, pseudonym)
    try:
        while batch := list(itertools.islice(items, ITEMS_PER_MESSAGE)):
            yield batch
    except (RecipeError, RecordError) as error:
        yield error
    except MemoryError:
        raise
    except Exception as error:
        found = f"{type(error).__name__} while listing a source"
        yield RecordError("unexpected_error", found, UNEXPECTED_REMEDY)


def _said(listed: Listed) -> list[Any]:
    if isinstance(listed, RecordError):
        return ["record", listed.reason, _line(listed.found), _line(listed.remedy)]
    if isinstance(listed, RecipeError):
        return ["recipe", _line(str(listed))]
    return ["items", _items().dump_json(listed).decode()]


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:MAX_SAID])


# ------------------------------------------------------------------------------- what comes back, believed in nothing
def _read(value: Any, known: dict[str, str]) -> Listed:
    """The inverse of `_said`. Raises ValueError or TypeError for what is none, or speaks of files that nobody found."""
    kind, *rest = value
    if kind == "items":
        (rows,) = rest
        return [_checked(item, known) for item in _items().validate_json(rows)]
    texts = [_text(text) for text in rest]
    if kind == "recipe" and len(texts) == 1:
        return RecipeError(texts[0])
    if kind == "record" and len(texts) == 3 and REASON.fullmatch(texts[0]):
        return RecordError(texts[0], texts[1], texts[2])
    raise ValueError("no answer of a listing")


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_SAID or not value.isprintable():
        raise ValueError("no line of text")
    return value


def _checked(item: Item, known: dict[str, str]) -> Item:
    opened = {path for _, path, _ in item.masks} | set(item.contours) | ({item.landmarks} - {""})
    if not item.files or not opened | {f.path for f in item.files} <= known.keys():
        raise ValueError("an item of other files than the inventory's")
    if any(f.sha256 != known[f.path] for f in item.files if not f.fragment or is_view(f)):
        raise ValueError("an item of other bytes than the inventory's")
    return item


@functools.cache
def _items() -> TypeAdapter[list[Item]]:
    return TypeAdapter(list[Item])
