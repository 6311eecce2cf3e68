"""Containers of records: encoded pictures in cells, and runs of rows of parquet files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from manifests.errors import RecordError
from manifests.record import FileRef
from sources.base import Entry, Item, Place, not_a_record, ref
from sources.upstream import REMEDY, Line, Shelf, Upstream

if TYPE_CHECKING:
    import pyarrow.parquet as pq

BLOCK_BYTES = 64 << 20
BATCH_ROWS = 16
KINDS = (
    (b"\xff\xd8\xff", "jpg"), (b"\x89PNG", "png"), (b"GIF8", "gif"), (b"BM", "bmp"), (b"II*\0", "tif"),
    (b"MM\0*", "tif"),
)  # fmt: skip


class Row(Protocol):
    """A row, or a sample of a tar, that can say how it ends."""

    def failed(self, reason: str, found: str, remedy: str) -> Item: ...


R = TypeVar("R", bound=Row)


def kind_of(data: bytes) -> str:
    """The file ending of an encoded picture by its first bytes, "" for none that is known."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return next((kind for magic, kind in KINDS if data.startswith(magic)), "")


def cell_bytes(value: Any) -> bytes:
    """The encoded picture of a cell, as Hugging Face's tables hold it ({bytes, path}); b"" where there is none."""
    inner = value.get("bytes") if isinstance(value, dict) else value
    return inner if isinstance(inner, bytes) else b""


def carried_ref(path: str, data: bytes, fragment: str) -> FileRef:
    """A picture that a container holds. Raises `RecordError` `not_a_picture`."""
    kind = kind_of(data)
    if not kind:
        raise RecordError("not_a_picture", f"{len(data)} bytes that begin no picture", REMEDY)
    return FileRef(path, hashlib.sha256(data).hexdigest(), len(data), fragment=f"{fragment}.{kind}")


def parquet_peek(path: Path) -> dict[str, str]:
    """The runs of rows of a parquet file, as `first,bytes,count` joined by `;`: a row group each, a large one in parts.

    Raises `RecordError` `bad_table`."""
    if path.suffix != ".parquet":
        return {}
    blocks: list[str] = []
    with _opened(path) as table:
        first = 0
        for number in range(table.num_row_groups):
            group = table.metadata.row_group(number)
            parts = max(1, min(group.num_rows, -(-group.total_byte_size // BLOCK_BYTES)))
            edges = [first + group.num_rows * k // parts for k in range(parts + 1)]
            size = group.total_byte_size // parts
            blocks += [f"{a},{size},{b - a}" for a, b in pairwise(edges) if b > a]
            first += group.num_rows
    return {"blocks": ";".join(blocks)}


def block_items(entry: Entry) -> Iterator[Item]:
    """A container's runs as items, by what was peeked of it."""
    blocks = [b for b in entry.peek.get("blocks", "").split(";") if b]
    if not blocks:
        yield not_a_record(entry, "a container without records")
    for number, block in enumerate(blocks):
        first, size, count = (int(n) for n in block.split(","))
        yield Item(f"{entry.path}#block={number}", "rows", (ref(entry),), block=(first, size, count))


def containers(shelf: Shelf, ending: str) -> Iterator[Entry]:
    """The containers below the root; each is taken."""
    for entry in shelf.matching(f"*{ending}"):
        shelf.take(entry)
        yield entry


def run_items(
    source: Upstream, inventory: Sequence[Entry], ending: str, split_of: Callable[[str], str] = lambda _: ""
) -> Iterator[Item]:
    """All that a source of containers lists: the runs of each, or how one of a split ends that is not taken.

    `split_of` tells upstream's split by a path, "" where it tells none."""
    shelf = Shelf(inventory, source.exclude)
    for entry in containers(shelf, ending):
        split = split_of(entry.path)
        other = source.other_split(split, (ref(entry),), entry.path) if split else None
        yield from block_items(entry) if other is None else (other,)
    yield from shelf.rest()


def records(rows: Iterable[R], record: Callable[[R], Item]) -> Iterator[Item]:
    """What a source makes of each row; of one that it cannot use, how it ends."""
    for row in rows:
        try:
            yield record(row)
        except RecordError as error:
            yield row.failed(error.reason, error.found, error.remedy)


def parquet_rows(item: Item, place: Place) -> Iterator[Line]:
    """The rows of a run, numbered from the file's first. A few rows are in memory at a time.

    Raises `RecordError` `bad_table`."""
    import pyarrow as pa

    first, _, count = item.block or (0, 0, 0)
    path = item.files[0].path
    with _opened(place.file(path)) as table:
        start, group = 0, 0
        while group < table.num_row_groups and start + table.metadata.row_group(group).num_rows <= first:
            start += table.metadata.row_group(group).num_rows
            group += 1
        number = start
        try:
            for batch in table.iter_batches(batch_size=BATCH_ROWS, row_groups=[group]):
                if number + batch.num_rows > first:
                    for offset, values in enumerate(batch.to_pylist()):
                        if first <= number + offset < first + count:
                            yield Line(path, number + offset + 1, values)
                number += batch.num_rows
                if number >= first + count:
                    return
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:
            found = f"'{path}' breaks after row {number} ({type(error).__name__})"
            raise RecordError("bad_table", found, REMEDY) from None


def _opened(path: Path) -> pq.ParquetFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path, buffer_size=1 << 20)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RecordError("bad_table", f"no parquet file ({type(error).__name__})", REMEDY) from None
