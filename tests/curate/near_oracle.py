"""Near duplicates of texts twice: by the stages of a run over prepared units that are written here as prepare writes
them, and by a plain reference in memory, which sees all signatures and texts at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curate import units
from curate.dedup import DedupConfig, NearDuplicates, bands, find_duplicates
from curate.near import pairs
from curate.near.folding import forms
from curate.near.pairs import Pairs, Scheme
from curate.near.signatures import EMPTY, NUM_PERM, shingle_sets
from curate.near.stored import save_signatures
from curate.near.tokens import Hashes, Offsets
from curate.near.whole import WholeSpec
from curate.near.whole import unit_of as whole_unit_of
from curate.near_stages import Found, Plan, Prepared, Sizes, near_duplicates, plan
from curate.sketch import Duplicate, Sketch, rank
from curate.store import unit_folder
from curate.text import minhash, text_sha256

CONFIG = DedupConfig(near_duplicates=NearDuplicates(text=0.7))
SOURCES = ((0, 5), (2, 1), (0, 7))  # priority, licence rank


@dataclass(frozen=True)
class Row:
    key: str
    text: str
    status: str = "ready"
    kind: str = "text"


@dataclass(frozen=True)
class Given:
    """A prepared unit of a source."""

    source: int
    rows: tuple[Row, ...]

    @property
    def key(self) -> str:
        return hashlib.sha256(repr(self).encode()).hexdigest()


def digits(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


# ---------------------------------------------------------------------------------------------------------- the stages
def store(work: Path, parts: Sequence[Given]) -> list[Prepared]:
    """As prepare does."""
    made = []
    for part in parts:
        folder = unit_folder(work, "prepare", part.key)
        folder.mkdir(parents=True, exist_ok=True)
        columns = {
            "key": [r.key for r in part.rows],
            "status": [r.status for r in part.rows],
            "kind": [r.kind for r in part.rows],
            "text_sha256": [text_sha256(r.text) for r in part.rows],
            "record": [json.dumps({"text": r.text, "asked": []}) for r in part.rows],
        }
        table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
        pq.write_table(table, folder / "rows.parquet")
        save_signatures(folder, [stored(r) for r in part.rows])
        made.append(Prepared(part.key, len(part.rows), *SOURCES[part.source]))
    return made


def stored(row: Row) -> bytes:
    return minhash(row.text).tobytes() if row.kind == "text" and row.status == "ready" else b""


def done(work: Path, made: Plan | None) -> Plan:
    assert made is not None
    for _, some in made.stages:
        for unit in some:
            units.run_unit(unit, work)
    return made


def at_once(work: Path, made: Plan | None) -> dict[str, Duplicate]:
    """All units in one, which saves their publishing."""
    assert made is not None
    all_units = tuple(unit for _, some in made.stages for unit in some)
    if len(all_units) == 1:
        return answer(work, done(work, made))
    one = whole_unit_of(WholeSpec(all_units), [unit.key for unit in all_units])
    units.run_unit(one, work)
    return near_duplicates(work, Found(one.stage, one.key, made.threshold))


def answer(work: Path, made: Plan) -> dict[str, Duplicate]:
    return near_duplicates(work, made.found)


def staged(work: Path, texts: Mapping[str, str], config: DedupConfig, confirm: bool = True) -> dict[str, Duplicate]:
    """Near duplicates among texts of one source, by names of any form: of equal ranks the smaller name is better."""
    names = {f"{place:032x}": name for place, name in enumerate(sorted(texts))}
    given = Given(0, tuple(Row(key, texts[name]) for key, name in names.items()))
    found = at_once(work, plan(store(work, [given]), config, sizes=Sizes(), confirm=confirm))
    return {
        names[key]: Duplicate(names[one.of], names[one.matched], one.method, one.score, one.threshold)
        for key, one in found.items()
    }


# ------------------------------------------------------------------------------------------------------ the reference
def in_memory(
    parts: Sequence[Given],
    lost: Sequence[str] = (),
    config: DedupConfig = CONFIG,
    confirm: bool = True,
    near: Mapping[str, Duplicate] | None = None,
) -> dict[str, Duplicate]:
    """All duplicates among the ready texts of prepared units, as `curate.select` has it; with `near` known or not."""
    first: dict[str, tuple[int, Row]] = {}
    for part in parts:
        for row in part.rows:
            first.setdefault(row.key, (part.source, row))
    sketches = [
        Sketch(
            row.key, str(source), "text", *SOURCES[source], content_sha256=row.key, text_sha256=text_sha256(row.text)
        )
        for source, row in first.values()
        if row.status == "ready" and row.kind == "text" and row.key not in lost
    ]
    if near is None:
        near = near_in_memory(sketches, {key: row.text for key, (_, row) in first.items()}, config, confirm)
    return find_duplicates(sketches, config, near=near)


def near_in_memory(
    sketches: Sequence[Sketch], texts: Mapping[str, str], config: DedupConfig, confirm: bool = True
) -> dict[str, Duplicate]:
    """Single-linkage clusters of texts whose similarity reaches the threshold; of equal texts the best alone."""
    threshold = config.near_duplicates.text
    assert threshold is not None
    equal = find_duplicates(sketches, config)
    ranked = [s.key for s in sorted(sketches, key=rank) if s.key not in equal]
    signed = [key for key in ranked if (minhash(texts[key]) != EMPTY).any()]
    if not signed:
        return {}
    matrix = np.stack([minhash(texts[key]) for key in signed])
    scheme = Scheme(*bands(threshold, NUM_PERM, config.near_duplicates.false_negative_weight), threshold, exact=confirm)
    ids = np.repeat(np.arange(len(signed)), scheme.bands)
    keys = pairs.band_keys(matrix, scheme.bands, scheme.rows).reshape(-1)
    proposed = pairs.joined(list(pairs.pairs_of_partition(keys, ids, matrix.__getitem__, scheme)))

    def judged(asked: Pairs) -> Pairs:
        if not confirm:
            return asked
        return pairs.confirm_sets(asked, lambda some: sets([texts[signed[k]] for k in some]), threshold)

    near = judged(proposed)
    keepers = pairs.clusters(len(signed), [near]).astype(np.int64)
    members = np.flatnonzero(keepers != np.arange(len(signed)))
    match, score = pairs.best_matches(near, len(signed))
    equal_values = (matrix[keepers[members]] == matrix[members]).sum(axis=1)
    enough = equal_values >= scheme.counts(NUM_PERM)[0]
    asked = Pairs(keepers[members][enough], members[enough], equal_values[enough] / NUM_PERM)
    direct = scored(judged(asked)) | scored(near)
    found: dict[str, Duplicate] = {}
    for member in members.tolist():
        keeper = int(keepers[member])
        own = direct.get((keeper, member), 0.0)
        matched, value = (keeper, own) if own >= threshold else (int(match[member]), float(score[member]))
        found[signed[member]] = Duplicate(signed[keeper], signed[matched], "minhash", value, threshold)
    return found


def sets(texts: Sequence[str]) -> tuple[Hashes, Offsets]:
    return shingle_sets(*forms(texts))


def scored(some: Pairs) -> dict[tuple[int, int], float]:
    both = zip(some.one.tolist(), some.other.tolist(), strict=True)
    return dict(zip(both, some.score.tolist(), strict=True))


def near_ones(found: Mapping[str, Duplicate]) -> dict[str, Duplicate]:
    return {key: one for key, one in found.items() if one.method == "minhash"}
