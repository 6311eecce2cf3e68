"""Text and question answering in JSON lines: one object per line, named fields.

The file is read in blocks of whole lines, so a file of any size is many units of work. `question`, `answer` and `text`
name the fields (dots reach into objects: `data.question`); `id` names a field that is stable when lines move, else a
line is known by its number and its content. Quirks: blank lines are no records; a line that is no JSON
object, or lacks the fields, fails alone with its line number.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from manifests.card import Card
from manifests.record import Asked, Fact, FileRef
from sources.base import Entry, Item, Place, Pseudonym, SourceConfig, not_a_record, ref, usable

ENDINGS = (".jsonl", ".ndjson", ".json")
BLOCK_BYTES = 4 << 20
MAX_LINE_BYTES = 16 << 20
MAX_FIELD_DEPTH = 8


class JsonlText(SourceConfig):
    """`root` is a JSON-lines file, or a folder of them."""

    source: Literal["jsonl_text"]
    text: str = ""
    question: str = ""
    answer: str = ""
    group: str = ""
    id: str = ""
    labels: tuple[str, ...] = ()

    card: ClassVar[Card] = Card(
        name="jsonl_text",
        what="text, questions and answers in JSON lines",
        layout="FILE.jsonl, or a folder of such files",
        phi_risk="free text: known identifiers and patterns are replaced, names in prose are not all found",
        modalities=("text",),
    )

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        """The blocks of a file as `offset,length,first_line` triples."""
        if not path.name.lower().endswith(ENDINGS):
            return {}
        return {"blocks": ";".join(f"{o},{n},{line}" for o, n, line in blocks(path))}

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        entries, refused = usable(inventory, self.exclude)
        yield from refused
        for entry in entries:
            if "blocks" not in entry.peek:
                yield not_a_record(entry, "a file that is no JSON lines")
                continue
            if not entry.peek["blocks"]:
                yield not_a_record(entry, "an empty file")
            for number, block in enumerate(b for b in entry.peek["blocks"].split(";") if b):
                offset, length, line = (int(v) for v in block.split(","))
                name = f"{entry.path}#block={number}"
                yield Item(upstream_id=name, form="rows", files=(ref(entry),), block=(offset, length, line))

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        """Each non-blank line of the block; a file without a single line still ends in the ledger."""
        offset, length, first_line = item.block or (0, 0, 1)
        path = item.files[0].path
        with place.file(path).open("rb") as stream:
            stream.seek(offset)
            data = stream.read(length)
        for number, line in enumerate(data.split(b"\n"), start=first_line):
            if line.strip():
                yield self._row(path, number, line, pseudonym)

    def _row(self, path: str, number: int, line: bytes, pseudonym: Pseudonym) -> Item:
        sha256 = hashlib.sha256(line).hexdigest()
        file = FileRef(path=path, sha256=sha256, size_bytes=len(line), fragment=f"line={number}")
        row = _parse(line)
        if isinstance(row, str):
            return _failed(file, "bad_json", f"line {number}: {row}", "correct the line")
        text, question, answer = (field(row, name) for name in (self.text, self.question, self.answer))
        if not (text or (question and answer)):
            wanted = " and ".join(n for n in (self.text, self.question, self.answer) if n) or "text, question or answer"
            return _failed(
                file, "empty_fields", f"line {number} without {wanted}", "name the fields that the lines have"
            )
        group = field(row, self.group)
        identity = field(row, self.id)
        labels = [(name, field(row, name)) for name in self.labels]
        return Item(
            upstream_id=f"id={identity}" if identity else f"{path}#line={number}",
            form="text",
            files=(file,),
            group=pseudonym("patient", group) if group else "",
            facts=(
                *self.declared_facts(),
                *(Fact(name="label", value=v, about=n, origin=f"field:{n}") for n, v in labels if v),
            ),
            text=text,
            asked=(Asked(question, answer),) if question or answer else (),
        )


def blocks(path: Path, block_bytes: int = BLOCK_BYTES) -> Iterator[tuple[int, int, int]]:
    """(offset, length, first line number) of runs of whole lines of about `block_bytes`; memory does not grow with
    the file, except by one line."""
    with path.open("rb") as stream:
        offset, line = 0, 1
        while chunk := stream.read(block_bytes):
            chunk += stream.readline(MAX_LINE_BYTES)
            yield offset, len(chunk), line
            offset += len(chunk)
            line += chunk.count(b"\n")


def field(row: dict[str, Any], name: str) -> str:
    """A field as text; dots reach into objects; absent, null and non-text containers are ""."""
    value: Any = row
    for part in name.split(".", MAX_FIELD_DEPTH) if name else []:
        value = value.get(part) if isinstance(value, dict) else None
    if not name or value is None or isinstance(value, (dict, list)):
        return ""
    return str(value).strip()


def _parse(line: bytes) -> dict[str, Any] | str:
    """The line's object, or in words what is wrong with it."""
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return "bytes that are not UTF-8"
    except (ValueError, RecursionError):
        return "no JSON"
    if not isinstance(row, dict):
        return f"a JSON {type(row).__name__}, not an object"
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "a lone surrogate"
    return row


def _failed(file: FileRef, reason: str, found: str, remedy: str) -> Item:
    return Item(
        upstream_id=f"{file.path}#{file.fragment}",
        form="none",
        files=(file,),
        status="failed",
        reason=reason,
        found=found,
        remedy=remedy,
    )
