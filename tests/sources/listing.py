"""What a source makes of its miniature, as golden files. `python -m tests.sources.listing [NAME ...]` writes them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from curate.inventory import entry_of
from sources import BY_NAME, SOURCES
from sources.base import Entry, Item, Place, SourceConfig, list_files
from sources.upstream import Upstream

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "sources"
SEED = 7


def named() -> list[str]:
    """The sources that bring a miniature."""
    return sorted(s.card.name for s in SOURCES if "miniature" in vars(s))


def miniature(name: str, root: Path) -> tuple[SourceConfig, Place]:
    source = BY_NAME[name]
    assert issubclass(source, Upstream)
    source.miniature(root, np.random.default_rng(SEED))
    return source.model_validate({"source": name}), Place(root, root)


def pseudonym(kind: str, value: str) -> str:
    return f"{kind}-{hashlib.sha256(value.encode()).hexdigest()[:12]}"


def entries_of(source: SourceConfig, place: Place) -> list[Entry]:
    return [entry_of(source, place, path, pseudonym) for path in list_files(place.root, is_package=False)]


def items_of(source: SourceConfig, place: Place) -> list[Item]:
    """The items, containers opened into their rows."""
    source.check(place)
    source.look(place)
    found: list[Item] = []
    for item in source.items(place, entries_of(source, place), pseudonym):
        found += source.rows(item, place, pseudonym) if item.form == "rows" else [item]
    return found


def shown(item: Item) -> dict[str, Any]:
    """An item as a golden file tells it: what is default is left out, digests are left out (encoders differ)."""
    plain = Item("", "none", ())
    values = {f.name: getattr(item, f.name) for f in dataclasses.fields(Item)}
    told = {
        k: v for k, v in values.items() if v != getattr(plain, k) and k not in ("files", "facts", "carried", "asked")
    }
    told["files"] = [f"{f.role} {f.path}" + (f"#{f.fragment}" if f.fragment else "") for f in item.files]
    told["facts"] = [f"{f.name}[{f.about}]@{f.at} = {f.value} {f.unit} ({f.origin})" for f in item.facts]
    told["asked"] = [dataclasses.asdict(a) for a in item.asked]
    return {k: v for k, v in told.items() if v}


def counted(items: Sequence[Item]) -> str:
    """`5 picture, 1 failed: media_missing`: forms of records, reasons of what is none."""
    ends = Counter(f"{i.status}: {i.reason}" if i.form == "none" else i.form for i in items)
    return ", ".join(f"{n} {end}" for end, n in sorted(ends.items()))


def rendered(items: Sequence[Item]) -> str:
    return json.dumps([shown(item) for item in items], indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for one in sys.argv[1:] or named():
        with tempfile.TemporaryDirectory() as folder:
            listed = items_of(*miniature(one, Path(folder)))
        (GOLDEN / f"{one}.json").write_text(rendered(listed))
        print(f"{(GOLDEN / one).relative_to(GOLDEN.parents[2])}.json: {counted(listed)}")
