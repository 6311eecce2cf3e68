"""The unit of work: a pure function of its spec, run once, committed under its key.

A spec is a frozen dataclass of plain values; `stage` finds the function in `FUNCTIONS`; the function writes files into
a folder that `curate.store` publishes whole. Nothing here knows of Ray: `curate.cluster` calls `run_unit` on workers,
tests call it in a loop.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.store import building, is_done, publish, read_summary
from manifests.record import digest

# stage -> module that holds its `work(spec, folder, folder_of_all_work) -> summary`
FUNCTIONS = {
    "inventory": "curate.inventory",
    "list": "curate.listing",
    "prepare": "curate.prepare",
    "recall": "curate.matching.recall",
    "confirm": "curate.matching.confirm",
    "screen": "curate.screen.stage",
    "near": "curate.near.whole",
    "near_index": "curate.near.index",
    "near_bands": "curate.near.bands",
    "near_candidates": "curate.near.candidates",
    "near_texts": "curate.near.texts",
    "near_pairs": "curate.near.confirmed",
    "near_keepers": "curate.near.keepers",
    "repeats_chunk": "curate.near.paragraphs",
    "repeats": "curate.near.paragraphs",
    "passage_anchors": "curate.near.passages",
    "passage_common": "curate.near.passages",
    "passage_windows": "curate.near.passages",
    "passage_counts": "curate.near.passages",
    "passage_spans": "curate.near.passages",
    "passages": "curate.near.passages",
    "select": "curate.select",
    "present": "curate.present",
    "retrieve_index": "curate.retrieve.index",
    "retrieve_terms": "curate.retrieve.terms",
    "retrieve": "curate.retrieve.search",
    "synthesize": "curate.synthesize",
    "pack": "curate.pack",
}
Summary = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WorkerDeath:
    """A unit whose worker died on every try."""

    found: str


@dataclass(frozen=True, slots=True)
class Unit:
    """`records` and `size_bytes` are what a progress line counts; `resources` what Ray reserves."""

    stage: str
    key: str
    spec: Any
    label: str = ""
    records: int = 0
    size_bytes: int = 0
    resources: tuple[tuple[str, float], ...] = ()


def unit_key(stage: str, code: str, identity: Any) -> str:
    """The content key of a unit: exactly what decides its output."""
    return digest({"stage": stage, "code": code, "identity": identity})


def run_unit(unit: Unit, work: Path) -> Summary:
    """Do a unit unless it is done; its summary, with the seconds it took here (never hashed)."""
    if is_done(work, unit.stage, unit.key):
        return {**read_summary(work, unit.stage, unit.key), "seconds": 0.0}
    function: Callable[[Any, Path, Path], Summary] = importlib.import_module(FUNCTIONS[unit.stage]).work
    started = time.perf_counter()
    with building(work, unit.stage, unit.key) as folder:
        summary = function(unit.spec, folder, work)
        publish(work, unit.stage, unit.key, folder, summary)
    return {**summary, "seconds": time.perf_counter() - started}
