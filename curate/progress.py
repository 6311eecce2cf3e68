"""What a long run says while it works: a live bar on a terminal, plain lines in a log.

Each line has done and total units, records per second, MB per second, the time left and the failures so far."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TextIO

LOG_EVERY_S = 10.0
REFRESH_S = 0.2
ETA_FROM = 2  # units done: the first one waits for workers and for kernels to be compiled


def begin(name: str, sources: int, absent: int, workers: str, stream: TextIO | None = None) -> None:
    """The first line of a run, before anything slow: `demo: 7 sources, 3 not there; 2 workers, starting Ray`."""
    missing = f", {absent} not there" if absent else ""
    stream = stream or sys.stderr
    stream.write(f"{name}: {sources} source{'' if sources == 1 else 's'}{missing}; {workers}\n")
    stream.flush()


@dataclass
class Progress:
    """One stage's progress; `update` after each unit, `close` at its end."""

    stage: str
    units: int
    cached: int = 0
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    quiet: bool = False
    done: int = 0
    records: int = 0
    size_bytes: int = 0
    failed: int = 0
    started: float = field(default_factory=time.monotonic)
    shown: float = field(default_factory=time.monotonic)

    def update(self, records: int, size_bytes: int, failed: int) -> None:
        self.done += 1
        self.records += records
        self.size_bytes += size_bytes
        self.failed += failed
        now = time.monotonic()
        if self.done < self.units and now - self.shown >= (REFRESH_S if self._live() else LOG_EVERY_S):
            self.shown = now
            self._write(self.line(now), end="")

    def close(self) -> None:
        if self._live():
            self._write("", end="")
        self._write(self.line(time.monotonic()), end="\n", final=True)

    def line(self, now: float) -> str:
        """`prepare    12/31 units   348 records/s   5.1 MB/s   ETA 4 s   2 failed`."""
        seconds = max(now - self.started, 1e-6)
        if not self.units:
            return f"{self.stage:<10} {self.cached} units, all done before"
        parts = [f"{self.stage:<10} {self.done}/{self.units} units"]
        if self.cached:
            parts.append(f"{self.cached} done before")
        parts += [f"{self.records / seconds:.0f} records/s", f"{self.size_bytes / 1e6 / seconds:.1f} MB/s"]
        if self.done < self.units:
            if self.done >= ETA_FROM:
                parts.append(f"ETA {(self.units - self.done) * seconds / self.done:.0f} s")
        else:
            parts.append(f"{seconds:.1f} s")
        if self.failed:
            parts.append(f"{self.failed} failed")
        return "   ".join(parts)

    def _live(self) -> bool:
        return self.stream.isatty()

    def _write(self, text: str, end: str, final: bool = False) -> None:
        if self.quiet:
            return
        if self._live():
            self.stream.write("\r\x1b[2K" + text + (end if final else ""))
        elif text:
            self.stream.write(text + "\n")
        self.stream.flush()
