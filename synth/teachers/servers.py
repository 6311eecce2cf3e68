"""Which of several endpoints takes the next request, and when: limits, health and backoff, shared by all threads.

Each endpoint has its own limit of requests at once, which a 429 halves and every answer raises again by its share, and
optionally of requests a minute. One that fails rests, twice as long with every failure in a row (of requests that were
under way together only the first counts), or as long as its `Retry-After` says; the others go on. Of those that may
take a request the one with the fewest failures in a row takes it, then the one with the most room.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from manifests.errors import TeacherError
from manifests.record import digest

PAUSE_MAX_S = 60.0
RESTING = frozenset({"timeout", "rate_limited", "server_error", "unreachable"})  # what tells of an endpoint's health


@dataclass(frozen=True, slots=True)
class Limits:
    """What one endpoint may be asked: requests at once, and a minute (0: as many as come)."""

    name: str
    in_flight: int
    requests_per_minute: float = 0.0


@dataclass
class Server:
    """One endpoint; times are seconds of `time.monotonic`."""

    config: Limits
    limit: float = field(init=False)
    under_way: int = 0
    failures: int = 0  # in a row
    failed_at: float = 0.0
    ready_at: float = 0.0
    next_slot: float = 0.0

    def __post_init__(self) -> None:
        self.limit = float(self.config.in_flight)

    def free_at(self, now: float) -> float | None:
        """When it may take one more request; None while it has as many as it may."""
        if self.under_way >= max(int(self.limit), 1):
            return None
        return max(self.ready_at, self.next_slot, now)

    def room(self) -> float:
        return self.under_way / max(self.limit, 1.0)


class Servers:
    """All endpoints of one teacher, or all engines."""

    def __init__(self, configs: Sequence[Limits], backoff_s: float) -> None:
        self.all = [Server(config) for config in configs]
        self._backoff_s = backoff_s
        self._changed = threading.Condition()

    @contextmanager
    def one(self) -> Iterator[str]:
        """The name of an endpoint for one attempt; waits until one may take it. What the attempt raises is counted
        here; a `TeacherError` may carry `retry_after`."""
        server, begun = self._take()
        error: TeacherError | None = None
        try:
            yield server.config.name
        except TeacherError as raised:
            error = raised
            raise
        finally:
            with self._changed:
                server.under_way -= 1
                self._judge(server, begun, error)
                self._changed.notify_all()

    def _take(self) -> tuple[Server, float]:
        with self._changed:
            while True:
                now = time.monotonic()
                free = [(at, server) for server in self.all if (at := server.free_at(now)) is not None]
                ready = [server for at, server in free if at <= now]
                if ready:
                    server = min(ready, key=lambda one: (one.failures, one.room()))
                    server.under_way += 1
                    if server.config.requests_per_minute:
                        server.next_slot = now + 60.0 / server.config.requests_per_minute
                    return server, now
                self._changed.wait(min(at for at, _ in free) - now if free else None)

    def _judge(self, server: Server, begun: float, error: TeacherError | None) -> None:
        if error is None:
            server.failures = 0
            server.limit = min(server.limit + 1.0 / server.limit, float(server.config.in_flight))
            return
        if error.reason not in RESTING or begun < server.failed_at:
            return
        server.failed_at = time.monotonic()
        if error.reason == "rate_limited":
            server.limit = max(server.limit / 2.0, 1.0)
        rest = pause_s(self._backoff_s, server.failures, server.config.name, getattr(error, "retry_after", ""))
        server.ready_at = server.failed_at + rest
        server.failures += 1


def pause_s(backoff_s: float, failures: int, what: str, retry_after: str = "") -> float:
    """How long to wait. Spread by what waits, so that several do not come back in step, and no clock or chance
    decides; `Retry-After` is believed up to a minute."""
    if re.fullmatch(r"\d{1,6}(\.\d+)?", retry_after.strip()):
        return min(float(retry_after), PAUSE_MAX_S)
    spread = 0.5 + int(digest([failures, what])[:4], 16) / 0xFFFF
    return float(min(backoff_s * 2.0 ** min(failures, 20) * spread, PAUSE_MAX_S))
