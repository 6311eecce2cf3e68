"""A source for tests: a JSON-lines file whose rows hold encoded media in base64, and nothing beside it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from manifests.card import Card
from manifests.record import Fact, FileRef
from sources.base import Entry, Item, Place, Pseudonym, SourceConfig, not_a_record, ref


class Trunk(SourceConfig):
    """One record per row {form, names, media, text, facts, patient}; several media make one record."""

    source: Literal["trunk"] = "trunk"
    card: ClassVar[Card] = Card(
        name="trunk", what="media in rows", url="", revision="", licence="MIT", citation="", phi_risk="",
        modalities=(), body_parts=(), tasks=(), size="", layout="*.jsonl", known="measured",
    )  # fmt: skip

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        for entry in inventory:
            if not entry.path.endswith(".jsonl"):
                yield not_a_record(entry, "a file beside the table")
                continue
            yield Item(upstream_id=entry.path, form="rows", files=(ref(entry),), block=(0, entry.size_bytes, 1))

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        path = item.files[0].path
        with place.file(path).open() as stream:
            for number, line in enumerate(stream, start=1):
                row = json.loads(line)
                carried = tuple(base64.b64decode(one) for one in row["media"])
                refs = tuple(
                    FileRef(path, hashlib.sha256(data).hexdigest(), len(data), fragment=f"row={number}.{name}")
                    for name, data in zip(row["names"], carried, strict=True)
                )
                yield Item(
                    upstream_id=f"{path}#{number}",
                    form=row["form"],
                    files=refs,
                    group=pseudonym("patient", row["patient"]),
                    facts=tuple(Fact(n, v, f"column:{n}") for n, v in row["facts"].items()),
                    text=row["text"],
                    carried=carried,
                )


def row(form: str, media: Sequence[tuple[str, bytes]], patient: str, text: str = "", **facts: str) -> dict[str, Any]:
    """A row of the table; media are (name, bytes)."""
    encoded = [base64.b64encode(data).decode() for _, data in media]
    names = [name for name, _ in media]
    return {"form": form, "names": names, "media": encoded, "patient": patient, "text": text, "facts": facts}


def write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
