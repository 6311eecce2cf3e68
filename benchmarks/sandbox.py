"""What it costs to parse foreign bytes in a process of their own, beside the same work in the worker itself.

    python -m benchmarks.sandbox            measure and print
    python -m benchmarks.sandbox --write    and put the table into benchmarks/README.md

Three kinds of prepare units: 2,000 short texts, 500 pictures of 512 x 512 (PNG and JPEG), one CT series of 300 slices
of 512 x 512. Each is prepared in three ways, in turns, best of `RUNS` after one that is not counted: *directly* (read,
standardise, store, nothing handed over), *handed over* (`limits=None`: the record's values checked and its members in
files, as they cross, but no other process), and *sandboxed* (`prepare.work` as a run does it). CPU seconds are those of
the worker and of its parser's process together; the wall clock has both on one core, which a run's need not share. All
three must store the same bytes. Starting the process that parsers are forked from is told beside it: once a worker.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO
from unittest import mock

import numpy as np
from PIL import Image

from benchmarks.dicom_series import body, write_series
from benchmarks.report import machine, on_one_core, write
from curate import prepare, sandbox
from curate.handover import Given, Sketches, record_json
from curate.inventory import KeyHint, entry_of
from curate.keyring import Keyring
from curate.prepare import PrepareSpec
from curate.recipe import Recipe
from curate.sandbox import Limits
from curate.store import file_sha256
from manifests.record import Record
from sources.base import Place, SourceConfig, list_files

RUNS = 5
TEXTS, PICTURES, SIDE = 2000, 500, 512
LIBRARIES = ("numpy", "pydicom", "pillow", "pyarrow", "pydantic")
WORDS = (
    "The heart is of normal size and the lungs are clear without focal consolidation or pleural effusion . There is a "
    "small nodule in the right upper lobe which has not changed since the prior examination . No acute fracture"
)
KEEP = {"keep": "made by a benchmark, no person was imaged"}
Ways = dict[str, Callable[[PrepareSpec, Path], Any]]


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """Seconds."""

    cpu: float
    wall: float


def texts(root: Path) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    words = WORDS.split()
    with (root / "a.jsonl").open("w") as stream:
        for n in range(TEXTS):
            chosen = rng.integers(0, len(words), 60)
            stream.write(json.dumps({"text": " ".join([*(words[c] for c in chosen), f"case {n}"])}) + "\n")
    return {"source": "jsonl_text", "text": "text"}


def pictures(root: Path) -> dict[str, Any]:
    """A slice of the series' body in other noise each time, half of them PNG, half JPEG."""
    rng = np.random.default_rng(5)
    plane = body()[150] / 8
    for n in range(PICTURES):
        noisy = np.rint(plane + rng.normal(0, 4, plane.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(root / f"{n:04d}.{'png' if n % 2 else 'jpg'}")
    return {"source": "image_table"}


def series(root: Path) -> dict[str, Any]:
    write_series(root / "ct", body(), encode=False)
    return {"source": "dicom_tree"}


CASES: dict[str, Callable[[Path], dict[str, Any]]] = {
    f"{TEXTS:,} texts": texts,
    f"{PICTURES} pictures": pictures,
    "a CT series of 300 slices": series,
}


def specs(kind: Callable[[Path], dict[str, Any]], root: Path) -> list[PrepareSpec]:
    """The prepare units of a case, as a run plans them."""
    root.mkdir()
    settings = {**kind(root), "root": str(root), "licence": "CC0-1.0"}
    recipe = Recipe.model_validate(
        {"name": "benchmark", "sources": [settings], "deidentify": {"faces": KEEP, "burned_in": KEEP}}
    )
    source: SourceConfig = recipe.sources[0]
    ring, place = Keyring.load("benchmark", 0), Place(root, root)
    entries = [entry_of(source, place, path, ring.pseudonym) for path in list_files(root, False)]
    items = sorted(source.items(place, entries, ring.pseudonym), key=lambda i: i.upstream_id)
    key = KeyHint("benchmark", 0, "", ring.key_id)
    return [unit.spec for unit in prepare.units_of(recipe, source, place, items, key)]


def directly(spec: PrepareSpec, folder: Path) -> None:
    """Every record prepared and stored here: what would cross is passed on as it is."""

    def pass_on(record: Record, members: Any, sketches: Sketches, *_: Any) -> Any:
        return record, members, sketches

    def take(value: Any, _scratch: Path) -> Given:
        record, members, sketches = value
        opened = tuple((name, *_stream(data)) for name, data in members)
        return Given(record, record_json(record), opened, sketches)

    with mock.patch.object(prepare, "sent", pass_on), mock.patch.object(prepare, "received", take):
        prepare.work(dataclasses.replace(spec, limits=None), folder, folder)


def _stream(data: bytes | Path) -> tuple[BinaryIO, int]:
    return (data.open("rb"), data.stat().st_size) if isinstance(data, Path) else (io.BytesIO(data), len(data))


def handed_over(spec: PrepareSpec, folder: Path) -> None:
    prepare.work(dataclasses.replace(spec, limits=None), folder, folder)


def sandboxed(spec: PrepareSpec, folder: Path) -> None:
    prepare.work(dataclasses.replace(spec, limits=Limits()), folder, folder)


WAYS: Ways = {"directly": directly, "handed over": handed_over, "sandboxed": sandboxed}


def parser_seconds() -> float:
    """CPU seconds so far of the nurseries, of their parsers that live and of those that are gone."""
    ticks = 0
    for nurse in sandbox._IDLE:
        for pid, fields in ((nurse._process.pid, range(11, 15)), (nurse.parser.pid if nurse.parser else 0, (11, 12))):
            if pid:
                said = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += sum(int(said[field]) for field in fields)
    return ticks / os.sysconf("SC_CLK_TCK")


def once(way: str, units: list[PrepareSpec], root: Path) -> tuple[Cost, list[str]]:
    """One pass over the units; what it cost, and the digests of what it stored."""
    digests = []
    wall, cpu = time.perf_counter(), time.process_time() + parser_seconds()
    with tempfile.TemporaryDirectory(dir=root) as folder:
        for n, spec in enumerate(units):
            (out := Path(folder) / str(n)).mkdir()
            WAYS[way](spec, out)
        cost = Cost(time.process_time() + parser_seconds() - cpu, time.perf_counter() - wall)
        for n in range(len(units)):
            digests += [file_sha256(Path(folder) / str(n) / name) for name in ("media.tar", "rows.parquet")]
    return cost, digests


def measured(units: list[PrepareSpec], root: Path, runs: int) -> dict[str, Cost]:
    """The best of each way, which take turns; the first turn warms up and is not counted."""
    best: dict[str, Cost] = {}
    stored: set[str] = set()
    for run in range(runs + 1):
        for way in WAYS:
            cost, digests = once(way, units, root)
            stored.add("".join(digests))
            if run:
                known = best.get(way, cost)
                best[way] = Cost(min(cost.cpu, known.cpu), min(cost.wall, known.wall))
    if len(stored) != 1:
        raise SystemExit("the ways stored different bytes")
    return best


def started() -> float:
    """Seconds from nothing to the first answer of a parser's process, less the work itself."""
    sandbox.close_all()
    began = time.perf_counter()
    sandbox.warm("curate.prepare:open_records")
    sandbox._IDLE[-1].parser_for(Limits(), "curate.prepare:open_records").ask(
        {"call": "curate.prepare:open_records", "setup": None, "things": [], "skip": 0, "careful": False}
    )
    seconds = time.perf_counter() - began
    sandbox.close_all()
    return seconds


def table(results: dict[str, dict[str, Cost]], start: float, runs: int) -> str:
    lines = [
        f"Best of {runs} passes, in turns; all three ways stored the same bytes.",
        "",
        "| | directly, CPU s | handed over | sandboxed | directly, wall s | sandboxed |",
        "|---|---|---|---|---|---|",
    ]
    for name, ways in results.items():
        plain, given, boxed = (ways[way] for way in WAYS)
        cpu = f"{plain.cpu:.2f} | {given.cpu / plain.cpu:.2f}× | {boxed.cpu / plain.cpu:.2f}×"
        lines.append(f"| {name} | {cpu} | {plain.wall:.2f} | {boxed.wall / plain.wall:.2f}× |")
    said = f"The process that forks parsers is ready in {start:.1f} s, once a worker, beside the worker's own imports."
    return "\n".join([*lines, "", said, "", machine(LIBRARIES)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"passes of each way that count, by default {RUNS}")
    options = parser.parse_args()
    on_one_core()
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for n, (name, kind) in enumerate(CASES.items()):
            units = specs(kind, Path(folder) / str(n))
            results[name] = measured(units, Path(folder), options.runs)
            print(name, len(units), "units", results[name], flush=True)
    text = table(results, started(), options.runs)
    print(text)
    if options.write:
        write("sandbox", text)


if __name__ == "__main__":
    main()
