"""The sweep of what comes after prepare: rendered members, samples, and what a teacher was asked and answered. One unit
of work per synthesised unit; packing and publishing only copy what is searched here.

Needles are derived anew from the sources' headers, in the worker that searches, and go with it. The alternative, keyed
hashes of tokens beside the prepared records, was left: days and names are few enough to try all of them, so such hashes
would protect nothing where the key is public, and one more thing than the pseudonyms where it leaks.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from curate.code import code_version
from curate.prepare import PrepareSpec, expand, read_rows
from curate.select import Lost
from curate.store import unit_folder
from curate.sweep.needles import Needles
from curate.sweep.record import REASON, REMEDY, derive
from curate.sweep.search import Hit, hits_in_json, hits_in_member, hits_in_text, leaves, told
from curate.units import Summary, Unit, unit_key
from manifests.errors import RecordError
from manifests.record import canonical_json
from synth.requests import Ledger

RECIPE_WORDS = ("source", "licence", "access")


@dataclass(frozen=True, slots=True)
class SweepSpec:
    prepared: PrepareSpec
    prepared_key: str
    spoken: str


def units_of(prepared: Sequence[Unit], presented: Sequence[Unit], spoken: Sequence[Unit]) -> list[Unit]:
    """One unit per synthesised unit, with the items that it comes from."""
    of_presented = {unit.key: unit.spec.prepared for unit in presented}
    by_key = {unit.key: unit for unit in prepared}
    code = code_version("curate.sweep.stage")
    units = []
    for unit in spoken:
        origin = by_key[of_presented[unit.spec.presented]]
        key = unit_key("sweep", code, [origin.key, unit.key])
        units.append(Unit("sweep", key, SweepSpec(origin.spec, origin.key, unit.key), unit.label, unit.records))
    return units


def work(spec: SweepSpec, folder: Path, work_folder: Path) -> Summary:
    """Write `hits.json`: the key of every record with a hit, and the kinds and places of its hits in words."""
    ring = spec.prepared.key.keyring()
    offers = _offers(work_folder, spec.spoken)
    rows = read_rows(unit_folder(work_folder, "prepare", spec.prepared_key), ("key",))
    found: dict[str, str] = {}
    for item, row in zip(expand(spec.prepared, ring.pseudonym), rows, strict=True):
        if row["key"] not in offers:
            continue
        try:
            needles = derive(item, spec.prepared.place)
        except RecordError as error:
            found[row["key"]] = f"nothing searched: its source cannot be read any more ({error.reason})"
            continue
        hits = tuple(hits_in_offers(offers[row["key"]], needles, spec.spoken, work_folder))
        if hits:
            found[row["key"]] = told(hits)
    (folder / "hits.json").write_text(canonical_json(found))
    return {"records": len(offers), "hits": len(found), "failed": len(found)}


def lost_of(work_folder: Path, units: Sequence[Unit]) -> list[Lost]:
    """The records that must be taken out, as `curate.select` wants them."""
    lost = []
    for unit in units:
        hits = json.loads((unit_folder(work_folder, "sweep", unit.key) / "hits.json").read_bytes())
        lost += [Lost(key, "failed", REASON, found, REMEDY) for key, found in sorted(hits.items())]
    return lost


def _offers(work_folder: Path, spoken: str) -> Mapping[str, list[dict[str, Any]]]:
    columns = ["key", "json_offset", "json_size", "members"]
    table = pq.read_table(unit_folder(work_folder, "synthesize", spoken) / "offers.parquet", columns=columns)
    by_key: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in table.to_pylist():
        by_key[row["key"]].append(row)
    return by_key


def hits_in_offers(offers: Sequence[dict[str, Any]], needles: Needles, spoken: str, work_folder: Path) -> Iterator[Hit]:
    """All drafts of one record, accepted or not: their JSON, the requests behind them, their rendered members."""
    if not len(needles):
        return
    members: set[tuple[str, str, str, str, int, int]] = set()
    samples = unit_folder(work_folder, "synthesize", spoken) / "samples.jsonl"
    for offer in offers:
        sample = json.loads(_bytes_of(samples, offer["json_offset"], offer["json_size"]))
        yield from hits_in_sample(sample, needles)
        request = sample["teacher"]["request_key"]
        if request:
            asked = Ledger(work_folder / "requests").path(request)
            yield from hits_in_json(asked.read_bytes() if asked.exists() else b"{}", needles, "request")
        members |= {tuple(m) for m in json.loads(offer["members"])}
    for name, stage, unit, file, offset, size in sorted(members):
        if stage == "present":  # prepared members were searched when they were made
            data = _bytes_of(unit_folder(work_folder, stage, unit) / file, offset, size)
            yield from hits_in_member(name, data, needles)


def hits_in_sample(sample: Mapping[str, Any], needles: Needles) -> Iterator[Hit]:
    """A sample's JSON without what the recipe itself says."""
    said = {name: value for name, value in sample.items() if name not in RECIPE_WORDS}
    return hits_in_text("\n".join(leaves(said)), needles, "sample")


def _bytes_of(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb") as stream:
        stream.seek(offset)
        return stream.read(size)
