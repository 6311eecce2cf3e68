"""The ledger: one row per input record, in plan order, streamed from the prepared units to parquet.

Memory holds one prepared unit's rows at a time, besides where the samples went. Parts are cut at a fixed number of
rows, so their bytes do not depend on units or workers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.prepare import read_rows, record_of
from curate.store import file_sha256, fsync, unit_folder
from curate.units import Unit
from manifests.manifest import LedgerPart, merkle_root
from manifests.record import Record
from manifests.schema import LEDGER, row_digest

ROWS_PER_PART = 200_000
Samples = dict[str, list[dict[str, Any]]]  # record key -> its samples


def rows(
    work: Path, prepared: Iterable[Unit], decisions: Iterable[dict[str, Any]], samples: Samples
) -> Iterator[dict[str, Any]]:
    """Ledger rows in plan order; `decisions` has one entry per prepared row, in the same order."""
    records = (r for unit in prepared for r in read_rows(unit_folder(work, "prepare", unit.key), ("record",)))
    for seq, (row, decision) in enumerate(zip(records, decisions, strict=True)):
        yield ledger_row(seq, record_of(row), decision, samples)


def ledger_row(seq: int, record: Record, decision: dict[str, Any], samples: Samples) -> dict[str, Any]:
    """One row; the decision overrides what prepare left as ready."""
    drawn = samples.get(decision["key"], []) if decision["status"] == "kept" else []
    return {
        "seq": seq,
        "key": decision["key"],
        "source": record.source,
        "source_uri": record.uri,
        "source_sha256": record.sha256,
        "group": record.group,
        "kind": record.kind,
        "modality": record.modality,
        "phash": record.phash,
        "status": decision["status"],
        "reason": decision["reason"],
        "found": decision["found"],
        "remedy": decision["remedy"],
        "duplicate_of": decision["duplicate_of"],
        "evidence": decision["evidence"],
        "links": decision["links"],
        "benchmarks": decision["benchmarks"],
        "shard": drawn[0]["shard"] if drawn else "",
        "licence": record.licence,
        "access": record.access,
        "split": decision["split"],
        "upstream_id": record.upstream_id,
        "lineage": [dataclasses.asdict(f) for f in record.files],
        "steps": [dataclasses.asdict(s) for s in record.steps],
        "samples": drawn,
    }


def write(folder: Path, ledger_rows: Iterable[dict[str, Any]]) -> tuple[tuple[LedgerPart, ...], str]:
    """Write `ledger/part-NNNNN.parquet` below `folder`; the parts and the Merkle root over all rows."""
    digests: list[str] = []
    parts = [_write_part(folder, number, batch, digests) for number, batch in enumerate(_batches(ledger_rows))]
    return tuple(parts), merkle_root(digests)


def read(out: Path, paths: Iterable[str]) -> Iterator[dict[str, Any]]:
    """All rows of a finished ledger, part by part."""
    for path in paths:
        for batch in pq.ParquetFile(out / path).iter_batches(batch_size=4096):
            yield from batch.to_pylist()


def _write_part(folder: Path, number: int, batch: list[dict[str, Any]], digests: list[str]) -> LedgerPart:
    name = f"ledger/part-{number:05d}.parquet"
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    digests += [row_digest(row) for row in batch]
    pq.write_table(pa.Table.from_pylist(batch, schema=LEDGER), path, compression="zstd")
    fsync(path)
    return LedgerPart(path=name, sha256=file_sha256(path), rows=len(batch))


def _batches(ledger_rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in ledger_rows:
        batch.append(row)
        if len(batch) == ROWS_PER_PART:
            yield batch
            batch = []
    if batch:
        yield batch
