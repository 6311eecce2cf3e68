"""What was found for the records of a prepared unit: rows of candidates, written by `search` and read by synthesize."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.store import unit_folder
from manifests.sample import Passage
from synth.views import Retrieved

STAGE = "retrieve"
FILE = "found.parquet"
FOUND = pa.schema(
    [
        ("asking", pa.string()),  # the record
        ("asks", pa.int32()),  # the number of its question; 0: what it shows
        ("number", pa.int32()),  # rank from 1
        ("key", pa.string()),
        ("record", pa.string()),
        ("source", pa.string()),
        ("licence", pa.string()),
        ("access", pa.string()),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("own", pa.bool_()),
        ("score", pa.float64()),
        ("text", pa.string()),
    ]
)


def write_found(folder: Path, rows: Iterable[list[dict[str, Any]]]) -> int:
    """Write batches of rows, those of one record together; how many there were."""
    made = 0
    with pq.ParquetWriter(folder / FILE, FOUND, compression="zstd") as writer:
        for batch in rows:
            writer.write_table(pa.Table.from_pylist(batch, schema=FOUND))
            made += len(batch)
    return made


@dataclass(frozen=True, slots=True)
class Found:
    """Candidates by the record that asks; as Arrow's columns, until a record is asked for."""

    table: pa.Table | None
    places: dict[str, tuple[int, int]]

    def of(self, record: str) -> tuple[Retrieved, ...]:
        start, end = self.places.get(record, (0, 0))
        if self.table is None or end == start:
            return ()
        return tuple(_retrieved(row) for row in self.table.slice(start, end - start).to_pylist())


def _retrieved(row: dict[str, Any]) -> Retrieved:
    said = {name: value for name, value in row.items() if name not in ("asking", "asks")}
    return Retrieved(row["asks"], Passage(**said))


def read_found(work_folder: Path, key: str) -> Found:
    """What a finished unit found; nothing for the key ""."""
    if not key:
        return Found(None, {})
    table = pq.read_table(unit_folder(work_folder, STAGE, key) / FILE)
    places: dict[str, tuple[int, int]] = {}
    for at, record in enumerate(table["asking"].to_pylist()):
        places[record] = (places.get(record, (at, at))[0], at + 1)
    return Found(table, places)
