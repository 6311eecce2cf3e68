"""One target under atheris, in a process that `tests.fuzz.__main__` has forked for it.

What an input must not do is kept in FOLDER/findings, one file per kind: what was raised and where, so that one bug does
not end the run. A crash of native code, a time-out and a swollen memory end this process and leave libFuzzer's file
there; whoever forked it counts them and forks another. Executions are counted in FOLDER/count, which survives.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
import mmap
import os
import random
import struct
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.fuzz.target import Target

OURS = ["curate", "manifests", "sources", "synth"]
FOREIGN = ["pydicom", "PIL", "yaml"]  # Python, so its branches guide the fuzzer too
COMPILED = ["curate.dicom.rle"]  # numba compiles the bytecode as it stands
MEMORY_BYTES = 1 << 30  # beyond what the program has: then MemoryError, as in the sandbox
CELL = struct.Struct("<QQ")  # executions, nanoseconds that they took
ROOT = Path(__file__).resolve().parents[2]


def instrumented() -> dict[str, Target]:
    """All targets, with whatever they import made to tell which branches it takes."""
    atheris: Any = importlib.import_module("atheris")  # an extra of its own, and not annotated
    with atheris.instrument_imports(include=[*OURS, *FOREIGN], exclude=COMPILED):
        from tests.fuzz.table import TARGETS
    return TARGETS


def run(target: Target, folder: Path, options: list[str]) -> None:
    """Fuzz, in this process, to its end."""
    from tests.fuzz.mutate import mutated

    atheris: Any = importlib.import_module("atheris")
    with (folder / "log.txt").open("ab") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
    seeds = list(target.seeds())
    for seed in seeds:  # what is imported late is imported now, and compiled
        _first(target, seed)
    _limit()
    logging.disable(logging.CRITICAL)
    body = _watched(target, folder, _counter(folder / "count"))

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        """Half of the edits are libFuzzer's, half know of lengths, numbers and splices."""
        if seed & 1:
            return bytes(atheris.Mutate(data, most))
        return mutated(data, random.Random(seed).choice(seeds), seed)[:most]

    atheris.Setup(["fuzz", *options], body, custom_mutator=mutate)
    atheris.Fuzz()


def _first(target: Target, seed: bytes) -> None:
    from tests.fuzz.target import tried

    try:
        tried(target, seed)
    except Exception:  # it is met again, and kept, when the fuzzer reads its corpus
        return


def _limit() -> None:
    from curate.sandbox.confine import data_bytes

    resource: Any = importlib.import_module("resource")
    resource.setrlimit(resource.RLIMIT_DATA, (data_bytes() + MEMORY_BYTES, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _counter(path: Path) -> Callable[[int], None]:
    """Adds one execution of so many nanoseconds to the numbers in a file."""
    if not path.exists():
        path.write_bytes(bytes(CELL.size))
    with path.open("r+b") as file:
        cell = mmap.mmap(file.fileno(), CELL.size)

    def add(nanoseconds: int) -> None:
        count, spent = CELL.unpack(cell[:])
        cell[:] = CELL.pack(count + 1, spent + nanoseconds)

    return add


def _watched(target: Target, folder: Path, add: Callable[[int], None]) -> Callable[[bytes], None]:
    """The target as the fuzzer calls it: what it must not raise is kept, once per kind and place."""
    from tests.fuzz.target import tried

    last = time.monotonic_ns()
    kept: set[str] = {p.stem.rpartition("-")[2] for p in folder.glob("findings/raised-*.txt")}

    def body(data: bytes) -> None:
        nonlocal last
        now = time.monotonic_ns()
        add(now - last)
        last = now
        try:
            tried(target, data)
        except Exception as error:
            place = where(error)
            mark = hashlib.sha256(f"{type(error).__name__} {place}".encode()).hexdigest()[:12]
            if mark not in kept:
                kept.add(mark)
                story = "".join(traceback.format_exception(error)[-12:])
                (folder / "findings" / f"raised-{mark}.bin").write_bytes(data)
                (folder / "findings" / f"raised-{mark}.txt").write_text(f"{type(error).__name__} at {place}\n{story}")

    return body


def where(error: BaseException) -> str:
    """The innermost line of ours that an exception passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if Path(f.filename).is_relative_to(ROOT)]
    frame = (ours or frames)[-1]
    return f"{frame.name}:{frame.lineno} of {Path(frame.filename).name}"
