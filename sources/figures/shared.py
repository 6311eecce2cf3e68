"""What sources of figures share: texts without placeholders, conversations, rows gathered by their medium, and rows of
parquet files."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manifests.errors import RecordError
from manifests.record import Asked, Fact, FileRef
from sources.base import PICTURE, Entry, Item, Place, not_a_record, ref
from sources.upstream import REMEDY, Line, Shelf, plain

if TYPE_CHECKING:
    import pyarrow.parquet as pq

BLOCK_BYTES = 64 << 20
BATCH_ROWS = 16
PLACEHOLDERS = re.compile(r"\s*(?:<(?:image|video|img|audio)>|" + PICTURE + r")\s*", re.IGNORECASE)
KINDS = (
    (b"\xff\xd8\xff", "jpg"), (b"\x89PNG", "png"), (b"GIF8", "gif"), (b"BM", "bmp"), (b"II*\0", "tif"),
    (b"MM\0*", "tif"),
)  # fmt: skip
CHOICE = re.compile(r"^\s*[A-H]\s*[:.)]\s*")


def words(value: Any) -> str:
    """A text without the placeholders of pictures; what is no text says nothing."""
    return PLACEHOLDERS.sub(" ", value).strip() if isinstance(value, str) else ""


def exchanges(turns: Any) -> tuple[Asked, ...]:
    """The conversations of LLaVA's layout (`from` human or gpt, `value`) as questions and answers, in order.

    Raises `RecordError` `bad_conversation` where turns do not alternate, beginning with a human's."""
    if not isinstance(turns, list) or not turns or len(turns) % 2 or not all(isinstance(t, dict) for t in turns):
        raise RecordError("bad_conversation", "no list of turns in pairs", REMEDY)
    roles = [str(t.get("from")) for t in turns]
    texts = [words(t.get("value")) for t in turns]
    if set(roles[::2]) != {"human"} or set(roles[1::2]) != {"gpt"} or not all(texts):
        raise RecordError("bad_conversation", "turns that are not human and gpt in turn, or an empty one", REMEDY)
    return tuple(Asked(q, a) for q, a in zip(texts[::2], texts[1::2], strict=True))


def asked(row: Line, question: str, answer: str, about: str = "") -> Asked:
    """What a row asks, by the names of its columns; "None" is an answer like others, as to what disease is seen.

    Raises `RecordError` `empty_fields`."""
    texts = (words(v) if isinstance(v, str) else plain(v) for v in map(row.value, (question, answer)))
    said, replied = texts
    if not (said and replied):
        raise RecordError("empty_fields", f"no {question} or no {answer}", REMEDY)
    return Asked(said, replied, about=row.get(about))


def named_by(column: str) -> Callable[[Line], str]:
    """Which medium a row names: "" where it does not; a table whose first row has no such column is refused."""
    return lambda row: row[column] if row.number == 1 else row.get(column)


def by_medium(
    rows: Callable[[], Iterable[Line]], medium: Callable[[Line], str]
) -> Iterator[tuple[str, tuple[Line, ...]]]:
    """All rows of each medium together, in the order of their last rows.

    The tables are read twice: once to count the rows of each medium, once to gather them. Held are a number for each
    medium (by eight bytes of its name's digest), and those rows whose medium has more to come."""
    left = Counter(_short(medium(row)) for row in rows())
    waiting: dict[str, list[Line]] = {}
    for row in rows():
        name = medium(row)
        key = _short(name)
        left[key] -= 1
        waiting.setdefault(name, []).append(row)
        if left[key] <= 0:
            del left[key]
            yield name, tuple(waiting.pop(name))
    yield from ((name, tuple(gathered)) for name, gathered in waiting.items())  # only where two digests were equal


def _short(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def passed_over(row: Line, reason: str, found: str, remedy: str) -> Item:
    """How a row ends that is sound and that the recipe does not take."""
    return Item(
        f"{row.table}#line={row.number}", "none", (row.ref,), status="dropped", reason=reason, found=found,
        remedy=remedy,
    )  # fmt: skip


def other_licence(licence: str, taken: Sequence[str], row: Line) -> Item | None:
    """How a figure ends whose own licence a recipe does not take; None where it does, or takes all."""
    if not taken or licence in taken:
        return None
    found = f"a figure under '{licence[:40] or 'no stated licence'}'"
    return passed_over(row, "other_licence", found, f"name it in `licences` to take it; taken: {', '.join(taken)}")


def each(name: str, values: Iterable[Any], origin: str, about: str = "") -> tuple[Fact, ...]:
    """One fact for each value that says something, each once."""
    texts = (str(v).strip() for v in values if v is not None)
    return tuple(Fact(name, t, origin, about=about) for t in dict.fromkeys(texts) if t)


def listed(value: Any) -> list[Any]:
    """A list as it is; one text as a list of it; else empty."""
    if isinstance(value, str):
        return [value]
    return list(value) if isinstance(value, list | tuple) else []


# ---------------------------------------------------------------------------------------------------------- containers
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
