"""What several sources of pictures share: words of tables, masks of one kind, pictures inside parquet files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from manifests.errors import RecordError
from manifests.record import FileRef, canonical_json

RUN_BYTES = 32 << 20
REMEDY = "fetch the file anew from upstream"
_MAGIC = ((b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpg"), (b"II*\0", "tif"), (b"MM\0*", "tif"), (b"BM", "bmp"))


def sex(value: str) -> str:
    """`male`, `F` and the like as the code of a fact; "" for everything else."""
    return {"male": "M", "m": "M", "female": "F", "f": "F"}.get(value.strip().lower(), "")


def numbered(label: str, paths: Sequence[str], value: int = 0) -> tuple[tuple[str, str, int], ...]:
    """Masks of one kind, each told from the others: `polyp`, `polyp 2`, `polyp 3`."""
    return tuple((label if n == 1 else f"{label} {n}", path, value) for n, path in enumerate(paths, start=1))


def part_ref(path: str, key: str, value: Any) -> FileRef:
    """The part of a JSON file under a key, as a part of a record's source."""
    data = canonical_json(value).encode()
    return FileRef(path, hashlib.sha256(data).hexdigest(), len(data), role="table", fragment=f"key={key}")


def carried_ref(path: str, row: str, data: bytes) -> FileRef:
    """An encoded picture that a container's row holds. Raises `RecordError` `corrupt_image` for bytes of no format."""
    ending = next((name for magic, name in _MAGIC if data.startswith(magic)), "")
    if not ending:
        raise RecordError("corrupt_image", f"{len(data)} bytes that begin as no picture", REMEDY)
    return FileRef(path, hashlib.sha256(data).hexdigest(), len(data), fragment=f"row={row}.{ending}")


# ------------------------------------------------------------------------------------------------------------- parquet
def parquet_groups(path: Path) -> str:
    """The row groups of a parquet file as `rows,bytes;rows,bytes`, by its footer alone; bytes are uncompressed.

    Raises `RecordError` `bad_table`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        footer = pq.read_metadata(path)
        groups = [footer.row_group(n) for n in range(footer.num_row_groups)]
        return ";".join(f"{g.num_rows},{g.total_byte_size}" for g in groups)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RecordError("bad_table", f"a file that is no parquet ({type(error).__name__})", REMEDY) from None


def parquet_runs(groups: str, most: int = RUN_BYTES) -> Iterator[tuple[int, int, int]]:
    """(first row group, bytes, number of row groups) of runs of row groups of at most `most` bytes, or of one."""
    first, weight, count = 0, 0, 0
    for group in groups.split(";") if groups else []:
        size = int(group.partition(",")[2])
        if count and weight + size > most:
            yield first, weight, count
            first, weight, count = first + count, 0, 0
        weight, count = weight + size, count + 1
    if count:
        yield first, weight, count


def parquet_rows(path: Path, run: tuple[int, int, int], columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(row number from 0, row) of a run of row groups, some rows in memory at a time.

    Raises `RecordError` `bad_table`, also for a column that is not there."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    first, _, count = run
    try:
        with pq.ParquetFile(path) as table:
            missing = [c for c in columns if c not in table.schema_arrow.names]
            if missing:
                raise RecordError("bad_table", f"no column '{missing[0]}'", REMEDY)
            number = sum(table.metadata.row_group(n).num_rows for n in range(first))
            groups = list(range(first, first + count))
            for batch in table.iter_batches(batch_size=64, row_groups=groups, columns=list(columns)):
                for row in batch.to_pylist():
                    yield number, row
                    number += 1
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise RecordError("bad_table", f"parquet that breaks ({type(error).__name__})", REMEDY) from None
