"""What several sources of pictures share: words of tables, masks of one kind, parts of JSON files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from manifests.record import FileRef, canonical_json


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
