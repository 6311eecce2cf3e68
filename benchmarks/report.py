"""What every benchmark shares: timing in turns, the line about the machine, and the README's markers."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

README = Path(__file__).with_name("README.md")


def in_turns(ways: Mapping[str, Callable[[], Any]], runs: int) -> dict[str, float]:
    """Seconds of the best of `runs` runs of every way; the ways take turns, so that a busy minute falls on all."""
    best: dict[str, float] = {}
    for _ in range(runs):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            seconds = time.perf_counter() - started
            best[name] = min(seconds, best.get(name, seconds))
    return best


def on_one_core() -> None:
    """Keep this process and its children on one core, so that nobody's threads count as speed."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def machine(libraries: Sequence[str]) -> str:
    """What the figures depend on, without a name of anybody's machine; libraries that are absent are left out."""
    versions = ", ".join(f"{name} {found}" for name in libraries if (found := _version(name)))
    return (
        f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()}), Python {platform.python_version()}, "
        f"{versions}. Load average at the end: {os.getloadavg()[0]:.1f}; the benchmark itself accounts for 1."
    )


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def write(name: str, text: str) -> None:
    """Replace what stands between the README's markers of this name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    head, found, rest = README.read_text().partition(begin)
    if not found:
        raise SystemExit(f"no marker {begin} in {README.name}")
    _, _, tail = rest.partition(end)
    README.write_text(f"{head}{begin}\n{text}\n{end}{tail}")
