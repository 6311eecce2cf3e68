"""Teachers' engines as processes of their own, which the units of a run share: what runs in one, and who asks it.

`curate.cluster` starts one actor of `Engine` for each replica of a configuration and gives the units a `Served` in the
teacher's place. Each request is one call: the engine mixes them all into one running batch, so nobody waits for the
slowest of a batch of his own. An actor that dies takes nothing with it but what it was just writing: that is asked of
another one, or of its next life, a bounded number of times; what had been answered stands in the request ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from manifests.errors import MedcurateError, TeacherError
from manifests.record import digest
from synth.chat import Reply, Request
from synth.teacher import ScriptedConfig, TeacherConfig, VllmConfig, open_teacher
from synth.teachers.servers import Limits, Servers
from synth.tokens import estimated

CALLS = 10  # of one request whose engine dies, in all some 40 s of waiting
REST_S = 0.25  # after the first death in a row; doubles with each

Failure = tuple[str, str]  # reason and found of a `TeacherError`
Call = Callable[[str, Request], Reply | Failure | None]  # None: the engine was gone before it answered


@dataclass(frozen=True, slots=True)
class Facts:
    """What an engine says of its teacher."""

    model: str
    revision: str
    in_flight: int
    sees: bool


def replicas(config: TeacherConfig) -> int:
    """How many engines of its own a teacher has on Ray; 0: none, each worker opens it for itself."""
    return config.replicas if isinstance(config, VllmConfig | ScriptedConfig) else 0


def gpus(config: TeacherConfig) -> float:
    """What each of them reserves."""
    if not isinstance(config, VllmConfig):
        return 0.0
    return float(config.tensor_parallel_size) if config.gpus_per_replica is None else config.gpus_per_replica


def names(config: TeacherConfig) -> list[str]:
    """The names of a configuration's engines."""
    identity = digest(config.model_dump(mode="json"))[:16]
    return [f"teacher-{identity}-{n}" for n in range(replicas(config))]


class Engine:
    """One engine behind the calls of an actor; the model is loaded with the first question."""

    def __init__(self, config: TeacherConfig, revision: str) -> None:
        self._teacher = open_teacher(config)
        if self._teacher.revision != revision:
            raise MedcurateError("an engine has another version than the driver; give every node the same")
        # As many wait here as keep the engine's batch full while answers travel.
        self._pool = ThreadPoolExecutor(2 * self._teacher.in_flight, thread_name_prefix="engine")

    async def facts(self) -> Facts:
        teacher = self._teacher
        return Facts(teacher.model, teacher.revision, teacher.in_flight, teacher.sees)

    async def ask(self, request: Request) -> Reply | Failure:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._teacher.ask, request)
        except TeacherError as error:
            return error.reason, error.found


class Served:
    """A `Teacher` whose requests go to engines elsewhere, each to the one with the most room that is not just being
    restarted. `context` is 0: the engine counts."""

    def __init__(self, facts: Facts, engines: Sequence[str], call: Call, rest_s: float = REST_S) -> None:
        self.model, self.revision, self.sees, self.context = facts.model, facts.revision, facts.sees, 0
        self.in_flight = facts.in_flight * len(engines)
        self._servers = Servers([Limits(name, facts.in_flight) for name in engines], rest_s)
        self._call = call

    def count(self, request: Request) -> int:
        return estimated(request, "generic")

    def ask(self, request: Request) -> Reply:
        for call in range(CALLS):
            try:
                with self._servers.one() as name:
                    answer = self._call(name, request)
                    if answer is None:
                        raise TeacherError("server_error", f"an engine that died {call + 1} times under one request")
                break
            except TeacherError as error:
                if call == CALLS - 1:
                    raise TeacherError(error.reason, error.found) from None
        if isinstance(answer, Reply):
            return answer
        assert answer is not None
        raise TeacherError(*answer)

    def close(self) -> None:
        """The engines are not this process's own."""
