"""Which of many requests killed their engine? Those that were under way when it died are asked again among fewer.

    never met a death     as many at once as come
    met one               at most `FEW` at once, while nobody fresh is let in
    met two or more       alone

Who meets a death `ALONE` times alone did it: `kills_engine`, which is final. So a request that stops its engine every
time costs a bounded number of restarts and itself, and none of its neighbours is lost with it or blamed for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from manifests.errors import TeacherError
from synth.chat import Reply, Request

FEW = 16
ALONE = 2
_MOST = (1 << 30, FEW, 1)  # requests at once, by how many deaths they met


class EngineDiedError(Exception):
    """The engine is gone, and so is all that it had under way. Never leaves `Ward.ask`."""


class Ward:
    """Lets requests of many threads through to one engine."""

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._running, self._waiting = [0, 0, 0], [0, 0, 0]

    def ask(self, request: Request, send: Callable[[Request], Reply]) -> Reply:
        """What `send` returns, or raises unless it is `EngineDiedError`; that is `TeacherError` `kills_engine` in the
        end. `send` starts a dead engine anew, and bounds how often."""
        deaths = 0
        while True:
            with self._among(min(deaths, 2)):
                try:
                    return send(request)
                except EngineDiedError:
                    deaths += 1
            if deaths == 2 + ALONE:
                raise TeacherError("kills_engine", f"an engine that died with this request alone, {ALONE} times")

    @contextmanager
    def _among(self, level: int) -> Iterator[None]:
        with self._turn:
            self._waiting[level] += 1
            self._turn.wait_for(lambda: self._may(level))
            self._waiting[level] -= 1
            self._running[level] += 1
        try:
            yield
        finally:
            with self._turn:
                self._running[level] -= 1
                self._turn.notify_all()

    def _may(self, level: int) -> bool:
        if any(self._waiting[level + 1 :]):
            return False
        worst = max([level, *(one for one in range(3) if self._running[one])])
        return sum(self._running) < _MOST[worst]
