"""How fast the demo's prepare units run in a plain loop, and what Ray adds to that.

    python -m benchmarks.units            measure and print
    python -m benchmarks.units --write    and put the table into benchmarks/README.md

Every figure is the median of `RUNS` runs; every run is a process of its own with a work folder of its own. *Cold*
counts from before Ray is started (or, in the plain loop, before a reader is imported) to the last unit's end; *steady*
is a second pass of the same units in the same process, so without starting Ray, workers or importing readers. A unit
reads real files, decodes, de-identifies, writes, fsyncs and renames. The page cache is warm. Not measured: other
stages, the teacher, more than one machine.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from curate.units import Unit

ROOT = Path(__file__).resolve().parents[1]
README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- units: begin -->", "<!-- units: end -->"
RUNS = 3
MODES = {"plain loop": 0, "Ray, 1 worker": 1, "Ray, 2 workers": 2}
LIBRARIES = ("ray", "numpy", "pydicom", "simpleitk", "nibabel", "av", "pyarrow")


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one run's two passes, and the records that each of them prepared."""

    cold: float
    steady: float
    records: int
    units: int
    size_bytes: int


def measure(workers: int) -> Timing:
    """Two passes over the demo's prepare units in this process; 0 workers is the plain loop."""
    from curate.cluster import ray_session, run_here, run_on_ray

    with tempfile.TemporaryDirectory() as folder:
        units = demo_units(Path(folder) / "inventory")
        seconds: list[float] = []
        records = 0
        with contextlib.ExitStack() as stack:
            for number in range(2):
                started = time.perf_counter()
                if workers and not number:
                    stack.enter_context(ray_session(workers, ""))
                way = run_on_ray if workers else run_here
                outcomes = list(way(units, Path(folder) / f"pass{number}"))
                seconds.append(time.perf_counter() - started)
                records = sum(outcome["records"] for _, outcome in outcomes if isinstance(outcome, dict))
    return Timing(seconds[0], seconds[1], records, len(units), sum(u.size_bytes for u in units))


def demo_units(work: Path) -> list[Unit]:
    """The prepare units of the shipped demo; the inventory before them is made here and is not timed."""
    from curate import prepare
    from curate.inventory import KeyHint
    from curate.keyring import Keyring
    from curate.recipe import load, place_of
    from curate.run import Executor, Options, parser_limits, take_inventory

    recipe, folder = load("demo")
    ring = Keyring.load(recipe.name, recipe.seed)
    key = KeyHint(recipe.name, recipe.seed, "", ring.key_id)
    executor = Executor(Options(work, work, folder, workers=0, quiet=True), contextlib.ExitStack())
    sources = [(source, place_of(source, folder, None)) for source in recipe.sources]
    inputs = take_inventory(sources, key, executor, parser_limits(recipe))
    return [unit for i in inputs for unit in prepare.units_of(recipe, i.source, i.place, list(i.items), key)]


def in_a_process(workers: int) -> Timing:
    """One run in a fresh interpreter; what its native libraries say is not part of the answer."""
    command = [sys.executable, "-m", "benchmarks.units", "--one", str(workers)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return Timing(**json.loads(done.stdout.splitlines()[-1]))


def median(timings: Sequence[Timing]) -> Timing:
    first = timings[0]
    cold, steady = (statistics.median(values) for values in zip(*((t.cold, t.steady) for t in timings), strict=True))
    return Timing(cold, steady, first.records, first.units, first.size_bytes)


def table(medians: dict[str, Timing], load: Sequence[float]) -> str:
    """The Markdown between the README's markers."""
    plain = medians["plain loop"]
    size = plain.size_bytes / 1e6
    lines = [
        f"{plain.units} units, {plain.records} records, {size:.0f} MB as stored; medians of {RUNS} runs.",
        "",
        "| | cold, s | records/s | time against the loop | steady, s | records/s | time against the loop |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, t in medians.items():
        cold = f"{t.cold:.1f} | {t.records / t.cold:.0f} | {t.cold / plain.cold:.2f}×"
        steady = f"{t.steady:.1f} | {t.records / t.steady:.0f} | {t.steady / plain.steady:.2f}×"
        lines.append(f"| {name} | {cold} | {steady} |")
    return "\n".join([*lines, "", machine(load)])


def machine(load: Sequence[float]) -> str:
    """What the figures depend on, without a name of anybody's machine."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    return (
        f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()}), Python {platform.python_version()}, "
        f"{versions}. Load average of the machine while measuring: {min(load):.1f} to {max(load):.1f}; the benchmark "
        "itself accounts for 1 to 2."
    )


def write(text: str) -> None:
    """Replace what stands between the markers."""
    head, _, rest = README.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    README.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    parser.add_argument("--one", type=int, metavar="WORKERS", help="one run in this process, as JSON")
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(asdict(measure(options.one))))
        return
    timings: dict[str, list[Timing]] = {name: [] for name in MODES}
    load = [os.getloadavg()[0]]
    for _ in range(RUNS):  # modes in turn, so that a busy minute falls on all of them
        for name, workers in MODES.items():
            timings[name].append(in_a_process(workers))
            load.append(os.getloadavg()[0])
    text = table({name: median(found) for name, found in timings.items()}, load)
    print(text)
    if options.write:
        write(text)


if __name__ == "__main__":
    main()
