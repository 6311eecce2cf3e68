"""How long to wait and how often to try: the clock is given, so tests do not sleep."""

from __future__ import annotations

import email.utils
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sources.fetch.errors import FetchError

T = TypeVar("T")


class Clock(Protocol):
    def monotonic(self) -> float:
        """Seconds that only grow."""

    def now(self) -> float:
        """Seconds since 1970, UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """This machine's; a sleep ends early once the fetch is to stop."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        self._stop.wait(seconds)


@dataclass(frozen=True, slots=True)
class Policy:
    """`tries` in a row without progress end a file; `progress_bytes` new bytes forgive what failed before. Waits double
    from `backoff_s` to `backoff_max_s`, with jitter; a place that asks for more than `wait_max_s` is not waited for. A
    file is begun anew at most `anew` times. `block_bytes` is what a killed process loses of a file at most; a
    connection that brings less than `slow_bytes` in `slow_s` is cut."""

    tries: int = 6
    progress_bytes: int = 1 << 20
    backoff_s: float = 1.0
    backoff_max_s: float = 60.0
    wait_max_s: float = 900.0
    anew: int = 3
    block_bytes: int = 16 << 20
    timeout_s: float = 60.0
    slow_bytes: int = 1 << 16
    slow_s: float = 120.0


class Patience:
    """The failures of one file so far."""

    def __init__(self, policy: Policy, clock: Clock, stop: threading.Event) -> None:
        self._policy, self._clock, self._stop = policy, clock, stop
        self._failed = 0
        self._random = random.Random(0)  # noqa: S311 - spreads retries, protects nothing

    def forgive(self) -> None:
        self._failed = 0

    def after(self, error: FetchError) -> None:
        """Wait before the next try, or raise the error where there is none."""
        self._failed += 1
        policy = self._policy
        if not error.passing or self._failed >= policy.tries or error.wait_s > policy.wait_max_s:
            raise error
        own = min(policy.backoff_max_s, policy.backoff_s * 2 ** (self._failed - 1)) * self._random.uniform(0.5, 1.0)
        self._clock.sleep(max(own, error.wait_s))
        halted(self._stop)


def halted(stop: threading.Event) -> None:
    """Raise `FetchError` `stopped` once the user or another file's fault ended the fetch."""
    if stop.is_set():
        raise FetchError("stopped", "an interrupted fetch", "run it again: it goes on where it stopped")


def patiently(action: Callable[[], T], patience: Patience) -> T:
    """What `action` gives, tried again while its errors pass."""
    while True:
        try:
            return action()
        except FetchError as error:
            patience.after(error)


def retry_after(value: str, now: float) -> float:
    """Seconds of a `Retry-After` header (RFC 9110, 10.2.3): a number or a date; 0 of anything else."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return 0.0
