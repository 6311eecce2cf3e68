"""Screen: the prepared records beside the benchmarks' packs. One unit of work per prepared unit.

Every ready record is checked by its ids, its text, its files and pixels, and what its media look like; what is found
is written down with its evidence, and decided upon by *select*. So a policy may change without another look at the
records, and nothing here depends on other records: a unit's key holds its prepared unit, the packs by their bytes, and
their thresholds.

Packs are copied into the work folder under their SHA-256, where every worker finds them; they hold no test item.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from curate.code import code_version
from curate.decontaminate import (
    Decision,
    DecontaminateConfig,
    Evidence,
    Hit,
    Packs,
    PackUse,
    check_ids,
    check_texts,
    ids_known,
    load_packs,
    resolve,
    with_uses,
)
from curate.keyring import Keyring
from curate.looks.rows import from_bytes
from curate.packs.naming import SALT
from curate.packs.pack import load as load_pack
from curate.screen.ids import RecordIds, opened, sealed_table
from curate.screen.media import LookTable, check_looks, check_marks
from curate.store import file_sha256, unit_folder, write_atomic
from curate.units import Summary, Unit, unit_key
from manifests.errors import RecipeError
from manifests.record import Record, canonical_json, record_from_json

if TYPE_CHECKING:
    from curate.inventory import KeyHint

STAGE = "screen"
COLUMNS = ("key", "status", "kind", "record", "sha256", "pixel_sha256", "looks", "ids")
BATCH = 256  # rows that are held and checked at once


@dataclass(frozen=True, slots=True)
class Screened:
    """One pack of a run: its file's digest, its name, how it is used, and how many items it knows of how many."""

    sha256: str
    name: str
    use: PackUse
    items: int
    unchecked: int


@dataclass(frozen=True, slots=True)
class Screening:
    """The packs of a recipe, by name; small enough for every unit's spec."""

    packs: tuple[Screened, ...] = ()

    @property
    def identity(self) -> list[list[Any]]:
        """What decides which hits are found: packs and thresholds, no policy, no path, no order."""
        return [[p.sha256, p.use.thresholds.model_dump(mode="json")] for p in self.packs]

    @property
    def policies(self) -> list[list[str]]:
        """What decides what becomes of a hit, for the keys of units that decide."""
        return [[p.sha256, p.use.policy, p.use.reason] for p in self.packs]


NONE = Screening()


@dataclass(frozen=True, slots=True)
class ScreenSpec:
    prepared: str
    screening: Screening  # without policies: every use is the default one with its thresholds
    key: KeyHint


# --------------------------------------------------------------------------------------------------------- the driver
def load(config: DecontaminateConfig, folder: Path, work_folder: Path) -> Screening:
    """The packs that a recipe names, relative to its `folder`, checked and copied to where workers find them.

    Raises `RecipeError` for a pack that is not there, whose name stands twice, that holds ids under a salt of its own,
    or looks of another version; `RecordError("bad_pack")` for a damaged one."""
    if not config.benchmarks:
        return NONE
    known = load_packs(config, folder)
    check_salts(known)
    check_marks(known)
    found = []
    for use, pack in zip(config.benchmarks, known.packs, strict=True):
        path = folder / use.pack
        digest = file_sha256(path)
        place = pack_path(work_folder, digest)
        if not place.is_file():
            write_atomic(place, path.read_bytes())
        found.append(Screened(digest, pack.name, use, pack.counts["items"], pack.counts["unchecked"]))
    return Screening(tuple(sorted(found, key=lambda one: one.name)))


def check_salts(packs: Packs) -> None:
    """Raise `RecipeError` for a pack with ids under another salt than the common one."""
    for pack in packs.packs:
        if pack.salt != SALT and len(pack["id_hash"]):
            raise RecipeError(
                f"pack '{pack.name}' holds patient, study or video ids under a salt of its own, and records' ids are "
                "kept for the common one; make it anew with `curate pack-benchmark` without --salt"
            )


def pack_path(work_folder: Path, digest: str) -> Path:
    return work_folder / "packs" / f"{digest}.pack"


def units_of(screening: Screening, prepared: Sequence[tuple[str, Unit]]) -> list[Unit]:
    """One unit for each prepared unit, in their order; none without packs."""
    if not screening.packs:
        return []
    code = code_version("curate.screen.stage")
    plain = tuple(
        dataclasses.replace(p, use=PackUse(pack=p.name, thresholds=p.use.thresholds)) for p in screening.packs
    )
    units = []
    for name, unit in prepared:
        key = unit_key(STAGE, code, {"prepared": unit.key, "packs": screening.identity})
        spec = ScreenSpec(unit.key, Screening(plain), unit.spec.key)
        units.append(Unit(STAGE, key, spec, name, unit.records, unit.size_bytes))
    return units


# --------------------------------------------------------------------------------------------------------- the worker
@functools.lru_cache(maxsize=2)
def packs_of(screening: Screening, work_folder: Path) -> Packs:
    """The packs of a screening, read once by a process. Their search tables are made at the first search."""
    packs = [load_pack(pack_path(work_folder, p.sha256)) for p in screening.packs]
    return with_uses(packs, [p.use for p in screening.packs])


@functools.lru_cache(maxsize=2)
def _looks_of(screening: Screening, work_folder: Path) -> LookTable:
    return LookTable(packs_of(screening, work_folder))


@functools.lru_cache(maxsize=2)
def _ids_of(screening: Screening, work_folder: Path, ring: Keyring) -> dict[bytes, list[tuple[int, int, str]]]:
    """Sealed ids of all packs -> (pack, item, kind)."""
    rows = ids_known(packs_of(screening, work_folder))
    found: dict[bytes, list[tuple[int, int, str]]] = {}
    for sealed, (_, _, place) in zip(sealed_table([row[:2] for row in rows], ring), rows, strict=True):
        found.setdefault(sealed, []).append(place)
    return found


def work(spec: ScreenSpec, folder: Path, work_folder: Path) -> Summary:
    """Write `hits.jsonl`: one line for each ready record that holds something of a benchmark, in the order of rows.

    Raises `RecordError("other_key")` where this worker has another key than the driver."""
    ring = spec.key.keyring()
    path = unit_folder(work_folder, "prepare", spec.prepared) / "rows.parquet"
    checked = hit = 0
    with (folder / "hits.jsonl").open("wb") as stream:
        for start, rows in _batches(path):
            ready = [(start + n, row) for n, row in enumerate(rows) if row["status"] == "ready"]
            checked += len(ready)
            for (number, row), hits in zip(
                ready, _check(spec, [row for _, row in ready], ring, work_folder), strict=True
            ):
                if hits:
                    line = {"row": number, "key": row["key"], "hits": [dataclasses.asdict(one) for one in hits]}
                    stream.write(canonical_json(line).encode() + b"\n")
                    hit += 1
    return {"records": checked, "hit": hit}


def _batches(path: Path) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    start = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=BATCH, columns=list(COLUMNS)):
            rows = batch.to_pylist()
            yield start, rows
            start += len(rows)


def _check(spec: ScreenSpec, rows: Sequence[dict[str, Any]], ring: Keyring, work_folder: Path) -> list[list[Hit]]:
    """The hits of every row: by ids, by text, by files and pixels, by looks; of one item and method once."""
    packs = packs_of(spec.screening, work_folder)
    records = [record_from_json(row["record"]) for row in rows]
    known = _ids_of(spec.screening, work_folder, ring)
    by_id = [_by_id(packs, known, row["ids"] or b"") for row in rows]
    by_text = check_texts(packs, [_said(record) for record in records])
    by_file = check_ids(packs, [_files(row, record) for row, record in zip(rows, records, strict=True)])
    by_looks = check_looks(_looks_of(spec.screening, work_folder), [from_bytes(row["looks"] or b"") for row in rows])
    return [[*a, *b, *c, *d] for a, b, c, d in zip(by_id, by_text, by_file, by_looks, strict=True)]


def _said(record: Record) -> str:
    """All that it says: of what is asked the options and explanations too, as benchmarks have them."""
    asked = (part for one in record.asked for part in (one.question, *one.options, one.answer, one.why))
    return "\n".join(text for text in (record.text, *asked) if text)


def _by_id(packs: Packs, known: dict[bytes, list[tuple[int, int, str]]], stored: bytes) -> list[Hit]:
    found: dict[tuple[str, str, str], Hit] = {}
    for sealed in opened(stored):
        for at, item, kind in known.get(sealed, ()):
            pack = packs.packs[at]
            name = f"{int(pack['items'][item]):016x}"
            found[pack.name, name, kind] = Hit(pack.name, name, kind, 1.0, 1.0, Evidence(kind))  # type: ignore[arg-type]
    return [found[key] for key in sorted(found)]


def _files(row: dict[str, Any], record: Record) -> RecordIds:
    """Digests of a record's own files and pixels."""
    own = [f.sha256 for f in record.files if f.role == "data" and not f.fragment]
    pixels = row["pixel_sha256"]
    return RecordIds(file=tuple(dict.fromkeys([row["sha256"], *own])), pixels=(pixels,) if pixels else ())


# ------------------------------------------------------------------------------------------------------- what was found
def read_hits(work_folder: Path, key: str) -> dict[int, list[Hit]]:
    """Of a finished unit, by its key: row of the prepared unit -> its hits."""
    return {row: hits for row, _, hits in _lines(work_folder, key)}


def dropped_keys(screening: Screening, work_folder: Path, key: str) -> list[str]:
    """The records of a finished unit that the recipe's policies drop."""
    return [record for _, record, hits in _lines(work_folder, key) if decide(screening, hits).policy == "drop"]


def _lines(work_folder: Path, key: str) -> Iterator[tuple[int, str, list[Hit]]]:
    with (unit_folder(work_folder, STAGE, key) / "hits.jsonl").open() as stream:
        for line in stream:
            row = json.loads(line)
            hits = [Hit(**{**one, "evidence": Evidence(**one["evidence"])}) for one in row["hits"]]
            yield int(row["row"]), str(row["key"]), hits


def decide(screening: Screening, hits: Sequence[Hit]) -> Decision:
    """What becomes of a record with these hits, by the policies of the recipe; no pack is read."""
    return resolve({p.name: p.use for p in screening.packs}, hits)


def summary(screening: Screening, work_folder: Path, keys: Sequence[str]) -> list[dict[str, Any]]:
    """What each pack found in finished units, by their keys, for the manifest and the report: records by each one's
    strongest method, and how many of the benchmark's items were met."""
    methods: dict[str, dict[str, int]] = {p.name: {} for p in screening.packs}
    items: dict[str, set[str]] = {p.name: set() for p in screening.packs}
    for key in keys:
        for _, _, hits in _lines(work_folder, key):
            met: dict[str, str] = {}
            for hit in hits:
                met.setdefault(hit.pack, hit.method)
                items[hit.pack].add(hit.item)
            for name, method in met.items():
                methods[name][method] = methods[name].get(method, 0) + 1
    return [
        {
            "pack": p.name,
            "sha256": p.sha256,
            "policy": p.use.policy,
            "reason": p.use.reason,
            "items": p.items,
            "unchecked": p.unchecked,
            "items_met": len(items[p.name]),
            "records": sum(methods[p.name].values()),
            "by_method": dict(sorted(methods[p.name].items())),
        }
        for p in screening.packs
    ]
