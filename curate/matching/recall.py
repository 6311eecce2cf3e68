"""Recall: pairs of records whose media may show the same, from the looks of all prepared units. One unit of work.

Of records with equal decoded media only the first in plan order is compared; that they are equal is known already. The
pairs are written by the two prepared units that hold them, so that `curate.matching.confirm` looks again only at pairs
that are new. Held in memory: the looks of all media (40 bytes a row: a picture has up to 16 rows, a CT of 300 x 512
x 512 at 1.0 x 0.8 x 0.8 mm has 6,510), and what `curate.looks.pairs` names.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.code import code_version
from curate.looks.config import LooksConfig
from curate.looks.pairs import Candidate, candidates
from curate.looks.rows import Looks, from_bytes
from curate.prepare import read_rows
from curate.store import unit_folder
from curate.units import Summary, Unit, unit_key
from manifests.record import canonical_json

COLUMNS = ("status", "pixel_sha256", "kind", "looks")
PAIRS_PER_UNIT = 512
Place = tuple[int, int]  # a record's place: number of its prepared unit, row


@dataclass(frozen=True, slots=True)
class RecallSpec:
    prepared: tuple[str, ...]
    config: LooksConfig


@dataclass(frozen=True, slots=True)
class Proposed:
    """The candidates between two prepared units (or within one): their `i` and `j` are rows of the first and of the
    second. `pairs` are as `packed`."""

    first: str
    second: str
    pairs: list[Any]


def unit_of(prepared: Sequence[Unit], config: LooksConfig) -> Unit:
    keys = tuple(u.key for u in prepared)
    identity = {"prepared": keys, "config": config.model_dump(mode="json")}
    key = unit_key("recall", code_version("curate.matching.recall"), identity)
    return Unit("recall", key, RecallSpec(keys, config), "all media", sum(u.records for u in prepared))


def work(spec: RecallSpec, folder: Path, work_folder: Path) -> Summary:
    """Write `proposed.jsonl`: one line for every two units, in plan order."""
    places, looks = known_looks(spec.prepared, work_folder)
    found = candidates(looks, spec.config)
    by_units: dict[Place, list[Any]] = {}
    for one in found:
        (unit, row), (other, other_row) = places[one.i], places[one.j]
        by_units.setdefault((unit, other), []).append(packed(dataclasses.replace(one, i=row, j=other_row)))
    with (folder / "proposed.jsonl").open("w", encoding="utf-8") as out:
        for (unit, other), pairs in sorted(by_units.items()):
            line = {"first": spec.prepared[unit], "second": spec.prepared[other], "pairs": pairs}
            out.write(canonical_json(line) + "\n")
    return {"records": len(looks), "pairs": len(found)}


def known_looks(prepared: Sequence[str], work_folder: Path) -> tuple[list[Place], list[Looks]]:
    """The places of the records that can be compared, and their looks."""
    places: list[Place] = []
    looks: list[Looks] = []
    seen: set[tuple[str, str]] = set()
    for number, key in enumerate(prepared):
        for row, values in enumerate(read_rows(unit_folder(work_folder, "prepare", key), COLUMNS)):
            name = (values["kind"], values["pixel_sha256"])
            if values["status"] != "ready" or not values["looks"] or name in seen:
                continue
            seen.add(name)
            places.append((number, row))
            looks.append(from_bytes(values["looks"]))
    return places, looks


def read_proposed(work: Path, unit: Unit) -> Iterator[Proposed]:
    with (unit_folder(work, "recall", unit.key) / "proposed.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            values: Mapping[str, Any] = json.loads(line)
            pairs = values["pairs"]
            for start in range(0, len(pairs), PAIRS_PER_UNIT):
                yield Proposed(values["first"], values["second"], pairs[start : start + PAIRS_PER_UNIT])


def packed(candidate: Candidate) -> list[Any]:
    """A candidate as JSON values; `curate.matching.confirm.unpacked` is the inverse."""
    hits = [dataclasses.astuple(hit) for hit in candidate.hits]
    return [candidate.i, candidate.j, candidate.kind, hits]
