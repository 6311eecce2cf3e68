"""Prepare: a run of items becomes records with canonical media, facts and sketches. One unit of work.

For every item: read → de-identify → standardise → quality → sketch → sweep. This is the one place where a bad record is
caught: `RecordError` makes it failed, `Reject` makes it dropped, and any other exception makes it failed with the
exception's type (never its text, which may quote the file). What was made of a record is then searched for its own
identifiers (`curate.sweep`), and withheld where it holds one. All of it runs in a process of its own
(`curate.sandbox`): a record that kills it ends as `failed(parser_died)`, and its neighbours do not notice. The unit's
output is `media.tar` (canonical members, read later by byte range), `rows.parquet` (one row per record: sketches in
columns of their own, the record as JSON) and, where there are texts, `minhash.npy` (`curate.near.stored`).
"""

from __future__ import annotations

import dataclasses
import functools
import io
import itertools
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from curate.canonical import in_canonical_terms
from curate.code import code_version
from curate.deidentify import DeidentifyConfig
from curate.handover import (
    NO_SKETCHES,
    Given,
    Sketches,
    as_asked,
    handed_over,
    item_of,
    item_values,
    named,
    received,
    renamed,
    sent,
    taken_over,
)
from curate.inventory import BYTES_PER_UNIT, DEFAULT_LIMITS, UNEXPECTED_REMEDY, KeyHint, cut
from curate.keyring import Keyring
from curate.loaded import Loaded, Reading, Stored
from curate.near.stored import save_signatures
from curate.sandbox import Answer, Answered, Began, Death, Limits, Said, Serve, Thing, run
from curate.screen.ids import record_ids, sealed_ids
from curate.store import known_sha256
from curate.sweep import Needles, begin, hits_of, is_sealed, listening, same_path, sealed, withheld
from curate.text import minhash, text_sha256
from curate.units import Summary, Unit, WorkerDeath, unit_key
from manifests.errors import RecordError, Reject
from manifests.record import (
    NO_KIND,
    Record,
    canonical_json,
    content_sha256,
    digest,
    is_view,
    record_from_json,
    record_key,
    to_json,
    words_of,
)
from sources.base import Item, Place, SourceConfig
from synth.facts import validate

if TYPE_CHECKING:
    import pyarrow as pa

    from curate.recipe import Recipe

SERVE = "curate.prepare:open_records"
PARSERS = ("curate.readers", "curate.looks.kernels")  # imported late here, because the worker itself reads no medium


@dataclass(frozen=True, slots=True)
class PrepareSpec:
    source: SourceConfig
    place: Place
    items: tuple[Item, ...]
    deidentify: DeidentifyConfig
    key: KeyHint
    limits: Limits | None = DEFAULT_LIMITS  # None: parse in this process, for tests and debuggers


@dataclass(frozen=True, slots=True)
class Prepared:
    """One record as prepared: `members` are its canonical media, ready to be stored."""

    record: Record
    members: tuple[tuple[str, Stored], ...] = ()
    sketches: Sketches = NO_SKETCHES


def units_of(
    recipe: Recipe, source: SourceConfig, place: Place, items: list[Item], key: KeyHint,
    limits: Limits | None = DEFAULT_LIMITS,
) -> list[Unit]:  # fmt: skip
    """The prepare units of one source; each key holds the digests of exactly the files that the unit reads. A container
    of rows is a unit by itself: it holds thousands of records."""
    code = code_version("curate.prepare", type(source).__module__)
    units = []
    for chunk in cut(items, lambda i: i.upstream_id, lambda i: BYTES_PER_UNIT if i.form == "rows" else item_bytes(i)):
        identity = {
            "source": {**source.identity(), "name": source.called},
            "deidentify": recipe.deidentify.model_dump(mode="json"),
            "key": key.key_id,
            "items": [dataclasses.asdict(i) for i in chunk],
            "limits": dataclasses.asdict(limits) if limits else None,
        }
        units.append(
            Unit(
                stage="prepare",
                key=unit_key("prepare", code, identity),
                spec=PrepareSpec(source, place, tuple(chunk), recipe.deidentify, key, limits),
                label=source.called,
                records=len(chunk),
                size_bytes=sum(item_bytes(i) for i in chunk),
            )
        )
    return units


def item_bytes(item: Item) -> int:
    return item.block[1] if item.block else sum(f.size_bytes for f in item.files)


def work(spec: PrepareSpec, folder: Path, _work: Path) -> Summary:
    """Prepare every item of the unit; no more than one record's media are in memory, here or in the parser's process.

    Raises RecordError where this worker has another key than the driver."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    ring = spec.key.keyring()
    counts: dict[str, int] = {}
    rows: list[dict[str, Any]] = []
    signatures: list[bytes] = []
    scratch = folder / "scratch"
    scratch.mkdir()
    with tarfile.open(folder / "media.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        for number, given in _given(spec, scratch, ring):
            key = given.record.key
            offsets = {name: _add_file(tar, f"{key}.{name}", stream, size) for name, stream, size in given.members}
            rows.append(_row(given, number, offsets))
            signatures.append(given.sketches.minhash)
            counts[given.record.status] = counts.get(given.record.status, 0) + 1
    shutil.rmtree(scratch)
    pq.write_table(pa.Table.from_pylist(rows, schema=rows_schema()), folder / "rows.parquet")
    save_signatures(folder, signatures)
    return {"records": len(rows), "statuses": counts, "failed": counts.get("failed", 0)}


def setup_of(spec: PrepareSpec) -> dict[str, Any]:
    """What a parser's process is told of a unit; `opened` is the inverse."""
    return {
        **handed_over(spec.source, spec.place),
        "deidentify": spec.deidentify.model_dump(mode="json"),
        "hint": dataclasses.asdict(spec.key),
    }


def opened(setup: dict[str, Any]) -> PrepareSpec:
    """In the parser's process: the unit, without its items."""
    source, place = taken_over(setup)
    deidentify = DeidentifyConfig.model_validate(setup["deidentify"])
    return PrepareSpec(source, place, (), deidentify, KeyHint(**setup["hint"]))


def _given(spec: PrepareSpec, scratch: Path, ring: Keyring) -> Iterator[tuple[int, Given]]:
    """Every record of the unit with its item's number, in order, whatever becomes of its parser."""
    setup = {**setup_of(spec), "scratch": str(scratch)}
    if spec.limits is None:
        serve = open_records(setup)
        for number, item in enumerate(spec.items):
            said = serve(item_values(item), 0)
            yield from ((number, received(s.value, scratch)) for s in said if isinstance(s, Answered))
        return
    things = [Thing(item_values(i), container=i.form == "rows") for i in spec.items]
    for answer in run(SERVE, setup, things, spec.limits, lambda value: received(value, scratch)):
        item = spec.items[answer.thing]
        if isinstance(answer, Death):
            yield answer.thing, _died(spec, item, answer, ring)
        else:
            yield answer.thing, _checked(spec, item, answer, ring)


def _died(spec: PrepareSpec, item: Item, death: Death, ring: Keyring) -> Given:
    """The record that a parser died of; of a container whose rows are not known, the container."""
    lost = item
    if death.began is not None:
        try:
            began = renamed(death.began, item)
            lost = began if _is_part(began, item) else item
        except (ValueError, TypeError):
            pass
    record = sealed(blank_record(lost, spec.source), Needles(), ring)
    ended = {"status": "failed", "reason": "parser_died", "found": death.found, "remedy": death.remedy}
    record = dataclasses.replace(record, **ended)  # type: ignore[arg-type]
    return Given(record, to_json(record))


def _checked(spec: PrepareSpec, item: Item, answer: Answer[Given], ring: Keyring) -> Given:
    """What the record says it is, is what was asked, or that with a sealed lineage; else its parser's process is not
    believed."""
    given = answer.value.record
    if as_asked(given, item, spec.source):
        return answer.value
    asked = item
    if item.form == "rows":
        files = tuple(dataclasses.replace(f, path=_unsealed(f.path, item, ring)) for f in given.files)
        asked = dataclasses.replace(item, files=files, upstream_id=given.upstream_id, group=given.group)
    if _is_part(asked, item) and is_sealed(given, blank_record(asked, spec.source), ring):
        return answer.value
    return _died(spec, item, Death(answer.thing, None, "an answer that is none"), ring)


def _unsealed(path: str, container: Item, ring: Keyring) -> str:
    return next((f.path for f in container.files if same_path(path, f.path, ring)), path)


def _is_part(row: Item, container: Item) -> bool:
    return bool(row.files) and {f.path for f in row.files} <= {f.path for f in container.files}


def open_records(setup: dict[str, Any]) -> Serve:
    """In the parser's process: one answer per record, its members as files in the unit's scratch folder."""
    unit, scratch = opened(setup), Path(setup["scratch"])
    ring = unit.key.keyring()
    numbers = itertools.count()

    def serve(thing: Any, skip: int) -> Iterator[Said]:
        spec = dataclasses.replace(unit, items=(item_of(thing),))
        logged: list[str] = []
        with listening(logged):
            for row, groups in itertools.islice(told_rows(spec, ring), skip, None):
                if spec.items[0].form == "rows":
                    yield Began(functools.partial(named, row))
                sweep = begin(row, spec.place, spec.deidentify.options, groups)
                sweep.logged = logged
                done = prepare_item(row, spec, Reading(spec.place, spec.deidentify, ring, scratch, sweep))
                logged.clear()
                ids = sealed_ids(record_ids(row, groups, sweep.named), ring) if done.record.status == "ready" else b""
                sketches = dataclasses.replace(done.sketches, ids=ids)
                yield Answered(sent(done.record, done.members, sketches, scratch, numbers))

    return serve


def told_rows(spec: PrepareSpec, ring: Keyring) -> Iterator[tuple[Item, tuple[str, ...]]]:
    """`expand`, each record with what its row calls its patient: what its source says, and the values that were made
    pseudonyms of for it."""
    asked: list[str] = []

    def pseudonym(kind: str, value: str) -> str:
        asked.append(value)
        return ring.pseudonym(kind, value)

    for row in expand(spec, pseudonym):
        try:
            known = spec.source.patients(row, spec.place)
        except RecordError as error:
            yield _unopened(row, error.reason, error.found, error.remedy), tuple(asked)
        else:
            yield row, (*asked, *known)
        asked.clear()


def expand(spec: PrepareSpec, pseudonym: Callable[[str, str], str]) -> Iterator[Item]:
    """The unit's records: containers are opened into their rows. A container that cannot be opened fails as one."""
    for item in spec.items:
        if item.form != "rows":
            yield item
            continue
        try:
            yield from spec.source.rows(item, spec.place, pseudonym)
        except RecordError as error:
            yield _unopened(item, error.reason, error.found, error.remedy)
        except MemoryError:
            raise
        except Exception as error:
            found = f"{type(error).__name__} while opening a container"
            yield _unopened(item, "unexpected_error", found, UNEXPECTED_REMEDY)


def _unopened(item: Item, reason: str, found: str, remedy: str) -> Item:
    return dataclasses.replace(item, form="none", status="failed", reason=reason, found=found, remedy=remedy)


def prepare_item(item: Item, spec: PrepareSpec, reading: Reading) -> Prepared:
    """One item to its end: ready, dropped or failed; failed too where what was made of it holds its identifiers."""
    done = read_item(item, spec, reading)
    record = sealed(done.record, reading.sweep.needles, reading.keyring)
    hits = hits_of(record, done.members, reading.sweep)
    return Prepared(withheld(record, hits, reading.keyring)) if hits else dataclasses.replace(done, record=record)


def read_item(item: Item, spec: PrepareSpec, reading: Reading) -> Prepared:
    """An item as read. The only place where a record's errors are caught; MemoryError, after which nothing can be
    trusted to work, is left to the sandbox."""
    from curate.readers import load

    record = blank_record(item, spec.source)
    if item.form == "none":
        return Prepared(
            dataclasses.replace(record, status=item.status, reason=item.reason, found=item.found, remedy=item.remedy)
        )
    try:
        check_unchanged(item, reading.place)
        return finished(record, load(item, reading))
    except Reject as reject:
        ended = {"status": "dropped", "reason": reject.reason, "found": reject.found, "remedy": reject.remedy}
    except RecordError as error:
        ended = {"status": "failed", "reason": error.reason, "found": error.found, "remedy": error.remedy}
    except MemoryError:
        raise
    except Exception as error:
        found = f"{type(error).__name__} while reading form {item.form}"
        ended = {"status": "failed", "reason": "unexpected_error", "found": found, "remedy": UNEXPECTED_REMEDY}
    return Prepared(dataclasses.replace(record, **ended))  # type: ignore[arg-type]


def blank_record(item: Item, source: SourceConfig) -> Record:
    """The record before anything is read: identity, lineage, licence."""
    name = source.called
    sha256 = content_sha256(item.files)
    key = record_key(name, item.upstream_id, sha256)
    first = item.files[0]
    uri = f"{name}/{first.path}" + (f"#{first.fragment}" if first.fragment else "")
    return Record(
        key=key,
        source=name,
        uri=uri,
        upstream_id=item.upstream_id,
        sha256=sha256,
        kind=NO_KIND,
        group=item.group or key,
        licence=source.licence,
        access=source.access,
        files=item.files,
    )


def check_unchanged(item: Item, place: Place) -> None:
    """The bytes that are read now are the bytes that the plan named; parts of a container were digested when split."""
    for file in item.files:
        if (not file.fragment or is_view(file)) and known_sha256(place.file(file.path)) != file.sha256:
            raise RecordError("changed_since_plan", "other bytes than the plan names", "run again: it is planned anew")


def finished(record: Record, loaded: Loaded) -> Prepared:
    """A record with what was read, its sketches and the story of its steps. Its facts keep to the closed vocabulary."""
    loaded = in_canonical_terms(loaded)
    validate(loaded.facts)
    full = dataclasses.replace(
        record,
        kind=loaded.kind,
        modality=loaded.modality,
        phash=loaded.phash,
        media=tuple(m for m, _ in loaded.members),
        facts=loaded.facts,
        text=loaded.text,
        asked=loaded.asked,
        dialogue=loaded.dialogue,
        steps=loaded.steps,
    )
    said = record_text(full)
    stored = {m.member: data for m, data in loaded.members}  # masks share one member
    sketches = Sketches(
        pixel_sha256=loaded.pixel_sha256,
        text_sha256=text_sha256(said),
        minhash=minhash(said).astype("<u4").tobytes() if loaded.kind == "text" else b"",
        looks=loaded.looks,
    )
    return Prepared(full, tuple(sorted(stored.items())), sketches)


def record_text(record: Record) -> str:
    """What a record says, for comparing it with others: its text, every question and its answer."""
    return words_of(record.text, record.asked)


def marks_of(record: Record) -> str:
    """Sixteen digits for the names of the structures that are marked; "" where there are none."""
    labels = sorted({m.label for m in record.media if m.label})
    return digest(labels)[:16] if labels else ""


def template_of(record: Record) -> str:
    """Sixteen digits for what a record says, whatever its numbers are; "" of a silent one."""
    said = record_text(record)
    return text_sha256(re.sub(r"\d+", "0", said))[:16] if said else ""


def read_rows(folder: Path, columns: tuple[str, ...] | None = None) -> list[dict[str, Any]]:
    """The rows of a prepared unit; name the columns where sketches alone are needed."""
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "rows.parquet", columns=list(columns) if columns else None)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def record_of(row: dict[str, Any]) -> Record:
    return record_from_json(row["record"])


def rows_schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            ("key", pa.string()),
            ("status", pa.string()),
            ("kind", pa.string()),
            ("modality", pa.string()),
            ("marks", pa.string()),
            ("template", pa.string()),
            ("group", pa.string()),
            ("sha256", pa.string()),
            ("pixel_sha256", pa.string()),
            ("text_sha256", pa.string()),
            ("looks", pa.binary()),
            ("ids", pa.binary()),
            ("record", pa.string()),
            ("offsets", pa.string()),  # JSON: member -> [offset, size] in media.tar
            ("item", pa.int32()),  # which of the unit's items it comes from
        ]
    )


def _row(prepared: Given, item: int, offsets: dict[str, tuple[int, int]]) -> dict[str, Any]:
    record = prepared.record
    return {
        "key": record.key,
        "status": record.status,
        "kind": record.kind,
        "modality": record.modality,
        "marks": marks_of(record),
        "template": template_of(record),
        "group": record.group,
        "sha256": record.sha256,
        "pixel_sha256": prepared.sketches.pixel_sha256,
        "text_sha256": prepared.sketches.text_sha256,
        "looks": prepared.sketches.looks,
        "ids": prepared.sketches.ids,
        "record": prepared.text,
        "offsets": canonical_json(offsets),
        "item": item,
    }


def add_member(tar: tarfile.TarFile, name: str, data: Stored) -> tuple[int, int]:
    """Append a member; where its bytes lie in the archive."""
    if isinstance(data, Path):
        return _add_file(tar, name, data.open("rb"), data.stat().st_size)
    return _add_file(tar, name, io.BytesIO(data), len(data))


def _add_file(tar: tarfile.TarFile, name: str, stream: BinaryIO, size: int) -> tuple[int, int]:
    member = tarfile.TarInfo(name)
    member.size = size
    with stream:
        tar.addfile(member, stream)
    return tar.offset - _padded(size), size


def _padded(size: int) -> int:
    return (size + tarfile.BLOCKSIZE - 1) // tarfile.BLOCKSIZE * tarfile.BLOCKSIZE


def split_unit(unit: Unit, death: WorkerDeath) -> list[Unit]:
    """What replaces a unit that kills its worker: one unit per item; an item that dies alone fails with the reason."""
    spec: PrepareSpec = unit.spec
    if len(spec.items) > 1:
        return [_respec(unit, (item,)) for item in spec.items]
    lost = dataclasses.replace(
        spec.items[0],
        form="none",
        status="failed",
        reason="parser_died",
        found=f"a worker that died twice ({death.found})",
        remedy="exclude the file, or give workers more memory",
    )
    return [_respec(unit, (lost,))]


def _respec(unit: Unit, items: tuple[Item, ...]) -> Unit:
    spec: PrepareSpec = dataclasses.replace(unit.spec, items=items)
    key = unit_key("prepare", unit.key, [dataclasses.asdict(i) for i in items])
    return dataclasses.replace(unit, key=key, spec=spec, records=len(items), size_bytes=sum(map(item_bytes, items)))
