"""Fuzz the parsers: `python -m tests.fuzz [TARGET ...] [--seconds N | --runs N] [--out FOLDER]`; without a name, all.

Each target runs under atheris in a process of its own, forked from this one, and again when an input kills it, until
the time or the number of executions is used up. Ends with a table of executions and findings, and exit code 1 if there
are any. Inputs that reach new code stay in FOLDER/TARGET/corpus, so the next run begins where this one ended.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuzz import engine

if TYPE_CHECKING:
    from tests.fuzz.target import Target

INPUT_SECONDS = 5
RSS_MIB = 3072
MOST_BYTES = 1 << 16
RESTARTS = 20  # of one target: then its native code is too broken to go on


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one target; `seconds` are those of its executions."""

    name: str
    executions: int
    seconds: float
    findings: int


def fuzz(target: Target, folder: Path, seconds: float, runs: int) -> Told:
    """One target for `seconds`, or for `runs` executions if that is not 0."""
    for inside in ("corpus", "seeds", "findings"):
        (folder / inside).mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(target.seeds()):
        (folder / "seeds" / f"{number:03d}").write_bytes(data)
    (folder / "count").unlink(missing_ok=True)
    start, done, spent = time.monotonic(), 0, 0.0
    for _ in range(RESTARTS):
        left = seconds - (time.monotonic() - start)
        if left < 1 or (runs and done >= runs):
            break
        code = _forked(target, folder, left, runs - done if runs else 0)
        done, spent = _count(folder)
        if code == 0:
            break
    findings = [p for p in (folder / "findings").iterdir() if p.suffix != ".txt"]
    return Told(target.name, done, spent, len(findings))


def _forked(target: Target, folder: Path, seconds: float, runs: int) -> int:
    """One process for one target; its exit code, or the number of the signal that ended it."""
    bounds = [f"-runs={runs}"] if runs else [f"-max_total_time={int(seconds)}"]
    options = [
        f"-timeout={INPUT_SECONDS}", f"-rss_limit_mb={RSS_MIB}", f"-max_len={MOST_BYTES}", "-seed=1", "-detect_leaks=0",
        f"-artifact_prefix={folder / 'findings'}/", *bounds, str(folder / "corpus"), str(folder / "seeds"),
    ]  # fmt: skip
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            engine.run(target, folder, options)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    return _ended(child, seconds + 120)


def _ended(child: int, seconds: float) -> int:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _count(folder: Path) -> tuple[int, float]:
    """Executions so far, and the seconds that they took."""
    count = folder / "count"
    executions, nanoseconds = engine.CELL.unpack(count.read_bytes()) if count.exists() else (0, 0)
    return executions, nanoseconds / 1e9


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the parsers of foreign bytes.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all of them, if none is named")
    parser.add_argument("--seconds", type=float, default=60, help="of each target")
    parser.add_argument("--runs", type=int, default=0, help="executions of each target, instead of seconds")
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"), help="corpus and findings")
    asked = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        sys.stderr.write("atheris is missing: pip install 'medcurate[fuzz]'\n")
        return 2
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported: a process with threads is not forked
    known = engine.instrumented()
    if unknown := [name for name in asked.targets if name not in known]:
        parser.error(f"no target is called {unknown[0]}; there are {', '.join(known)}")
    seconds = 86400.0 if asked.runs else asked.seconds
    every = []
    print(f"{'target':18} {'executions':>11} {'per second':>11} {'findings':>9}", flush=True)
    for name in asked.targets or known:
        told = fuzz(known[name], asked.out.absolute() / name, seconds, asked.runs)
        every.append(told)
        print(_line(told), flush=True)
    whole = Told("all", *(sum(getattr(t, f) for t in every) for f in ("executions", "seconds", "findings")))
    print(_line(whole))
    return 1 if whole.findings else 0


def _line(told: Told) -> str:
    rate = told.executions / max(told.seconds, 1e-9)
    return f"{told.name:18} {told.executions:11,} {rate:11.0f} {told.findings:9}"


if __name__ == "__main__":
    sys.exit(main())
