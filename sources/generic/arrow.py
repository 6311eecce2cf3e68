"""Arrow files of Hugging Face's library (streams of record batches, or files of them) and the names of its classes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from manifests.errors import RecordError
from sources.base import Item, Place
from sources.containers import BATCH_ROWS, BLOCK_BYTES
from sources.upstream import REMEDY, Line


def arrow_peek(path: Path) -> dict[str, str]:
    """The runs of a file's rows as `first,bytes,count` joined by `;`: a batch each, a large one in parts.

    Raises `RecordError` `bad_table`."""
    blocks: list[str] = []
    first = 0
    for batch in _batches(path):
        parts = max(1, min(batch.num_rows, -(-batch.nbytes // BLOCK_BYTES)))
        edges = [first + batch.num_rows * k // parts for k in range(parts + 1)]
        blocks += [f"{a},{batch.nbytes // parts},{b - a}" for a, b in pairwise(edges) if b > a]
        first += batch.num_rows
    return {"blocks": ";".join(blocks)}


def arrow_rows(item: Item, place: Place) -> Iterator[Line]:
    """The rows of a run, numbered from the file's first; the file is mapped, a few rows are in memory at a time.

    Raises `RecordError` `bad_table`."""
    first, _, count = item.block or (0, 0, 0)
    path, start = item.files[0].path, 0
    for batch in _batches(place.file(path)):
        begin, end = max(first, start), min(first + count, start + batch.num_rows)
        for at in range(begin, end, BATCH_ROWS):
            for offset, values in enumerate(batch.slice(at - start, min(BATCH_ROWS, end - at)).to_pylist()):
                yield Line(path, at + offset + 1, values)
        start += batch.num_rows
        if start >= first + count:
            return


def _batches(path: Path) -> Iterator[Any]:
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as source:
            try:
                yield from pa.ipc.open_stream(source)
                return
            except pa.ArrowInvalid:
                source.seek(0)
            table = pa.ipc.open_file(source)
            for number in range(table.num_record_batches):
                yield table.get_batch(number)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RecordError("bad_table", f"no arrow file ({type(error).__name__})", REMEDY) from None


def class_names(path: Path) -> dict[str, list[str]]:
    """The names of a table's classes by column, as the library wrote them into the schema.

    Raises `RecordError` `bad_table`."""
    metadata = _schema(path).metadata or {}
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
        found = {str(c): f.get("names", (f.get("feature") or {}).get("names")) for c, f in features.items()}
    except (ValueError, AttributeError, RecursionError):
        return {}
    return {c: [str(n) for n in names] for c, names in found.items() if isinstance(names, list)}


def _schema(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.suffix == ".parquet":
            return pq.read_schema(path)
        with pa.memory_map(str(path)) as source:
            try:
                return pa.ipc.open_stream(source).schema
            except pa.ArrowInvalid:
                source.seek(0)
                return pa.ipc.open_file(source).schema
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RecordError("bad_table", f"no schema ({type(error).__name__})", REMEDY) from None
