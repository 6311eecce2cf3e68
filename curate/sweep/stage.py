"""The sweep of what is written after prepare: samples, what a teacher was asked and answered, and of rendered members
what is neither pixels nor media data. `curate.synthesize` calls it before its unit is committed.

Needles are derived anew from the sources, in a parser's process (`curate.sandbox`), which also reads what was made and
searches it: they never reach the worker. The alternative, keyed hashes of tokens beside the prepared records, was left:
days and names are few enough to try all of them, so such hashes would protect nothing where the key is public, and one
more thing than the pseudonyms where it leaks.

Not searched again: members that stay as prepare wrote them, and the pixels and media data of rendered ones, which are
encoded from canonical arrays and nothing else. Packing and publishing copy bytes, and rows that were searched.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate.handover import item_of, item_values
from curate.keyring import Keyring
from curate.prepare import PrepareSpec, blank_record, opened, setup_of, told_rows
from curate.sandbox import Answer, Answered, Death, Said, Serve, Thing, run
from curate.sweep.needles import Needles
from curate.sweep.record import derive, sealed
from curate.sweep.search import Hit, hits_in_bytes, hits_in_json, hits_in_text, leaves, outside_pixels, told
from manifests.errors import RecordError
from manifests.record import content_sha256, record_key
from sources.base import Item

SERVE = "curate.sweep.stage:open_search"
PARSERS = ("curate.readers",)
RECIPE_WORDS = ("source", "licence", "access")
Found = dict[str, str]  # a record's key -> kinds and places of its hits, in words
Place = tuple[str, int, int]  # file, offset, size


@dataclass(slots=True)
class Made:
    """What was made of one record: where its samples lie, the files of its requests, its rendered members by name."""

    samples: list[Place] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    members: dict[str, Place] = field(default_factory=dict)


def search(origin: PrepareSpec, items: Mapping[str, int], made: Mapping[str, Made]) -> Found:
    """The records that hold a needle, or whose needles cannot be had any more. `items` says which of the unit's items
    each record comes from."""
    by_item: dict[int, dict[str, Made]] = {}
    for key, one in made.items():
        by_item.setdefault(items[key], {})[key] = one
    asked = sorted(by_item)
    things = [
        {"item": item_values(origin.items[number]), "made": {k: _values(m) for k, m in by_item[number].items()}}
        for number in asked
    ]
    found: Found = {}
    if origin.limits is None:
        serve = open_search(setup_of(origin))
        for thing in things:
            found |= {k: v for said in serve(thing, 0) if isinstance(said, Answered) for k, v in said.value.items()}
        return found
    answer: Answer[Found] | Death
    for answer in run(SERVE, setup_of(origin), [Thing(t) for t in things], origin.limits, _found):
        keys = by_item[asked[answer.thing]]
        if isinstance(answer, Death):
            found |= dict.fromkeys(keys, f"nothing searched: its parser died of {answer.found}")
        else:
            found |= {key: said for key, said in answer.value.items() if key in keys}
    return found


def _values(made: Made) -> list[Any]:
    return [made.samples, made.requests, [[name, *place] for name, place in sorted(made.members.items())]]


def _found(value: Any) -> Found:
    """An answer as it must be. Raises ValueError for any other."""
    if not isinstance(value, dict) or not all(isinstance(said, str) for said in value.values()):
        raise ValueError("no hits")
    return value


# --- in the parser's process -----------------------------------------------------------------------------------------


def open_search(setup: dict[str, Any]) -> Serve:
    """One answer per item: the hits of each of its records that has some."""
    unit = opened(setup)
    ring = unit.key.keyring()

    def serve(thing: Any, _skip: int) -> Iterator[Said]:
        item, made = item_of(thing["item"]), thing["made"]
        if item.form != "rows":
            ((key, one),) = made.items()
            found = {key: _hits(item, (), unit, one)}
        else:
            found = {key: _hits(row, groups, unit, made[key]) for key, row, groups in _rows(item, unit, ring, made)}
        yield Answered({key: said for key, said in found.items() if said})

    return serve


def _rows(
    item: Item, unit: PrepareSpec, ring: Keyring, made: Mapping[str, Any]
) -> Iterator[tuple[str, Item, tuple[str, ...]]]:
    """The container's rows of which something was made, under the keys that prepare gave them."""
    whole = PrepareSpec(unit.source, unit.place, (item,), unit.deidentify, unit.key)
    left = set(made)
    for row, groups in told_rows(whole, ring):
        key = record_key(unit.source.called, row.upstream_id, content_sha256(row.files))
        if key not in left:
            with contextlib.suppress(RecordError):
                needles = derive(row, unit.place, unit.deidentify.options, groups)
                key = sealed(blank_record(row, unit.source), needles, ring).key
        if key in left:
            left.remove(key)
            yield key, row, groups


def _hits(item: Item, groups: Sequence[str], unit: PrepareSpec, made: Sequence[Any]) -> str:
    """The hits in words; "" where there are none."""
    try:
        needles = derive(item, unit.place, unit.deidentify.options, groups)
    except RecordError as error:
        return f"nothing searched: its source cannot be read any more ({error.reason})"
    return told(_all_hits(needles, *made)) if len(needles) else ""


def _all_hits(
    needles: Needles, samples: Sequence[Place], requests: Sequence[str], members: Sequence[tuple[str, str, int, int]]
) -> Iterator[Hit]:
    for place in samples:
        yield from hits_in_sample(json.loads(_bytes_of(*place)), needles)
    for request in requests:
        yield from hits_in_json(Path(request).read_bytes(), needles, "request")
    for name, path, offset, size in members:
        yield from hits_in_bytes(outside_pixels(_bytes_of(path, offset, size)), needles, name)


def hits_in_sample(sample: Mapping[str, Any], needles: Needles) -> Iterator[Hit]:
    """A sample's JSON without what the recipe itself says."""
    said = {name: value for name, value in sample.items() if name not in RECIPE_WORDS}
    return hits_in_text("\n".join(leaves(said)), needles, "sample")


def _bytes_of(path: str, offset: int, size: int) -> bytes:
    with Path(path).open("rb") as stream:
        stream.seek(offset)
        return stream.read(size)
