"""Every parser of foreign bytes runs in a process of its own: its death costs one record.

`run` hands things (files, items) to a function in a parser's process and yields what it says. The process has memory,
CPU and wall limits and no network (`curate.sandbox.confine`); it serves many records, because starting it anew for each
would cost more than most records do, and it is replaced when it dies, overruns, answers nonsense, or has served
`RECORDS_PER_PROCESS`. What kills it is tried once more in a fresh one, then handed back as a `Death`; the others go on.
Things are sent in one message, and answers come in batches, so the parser is ahead of its worker.

One nursery (`curate.sandbox.nursery`) per worker process is kept over units; it and its parser end with the worker.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from curate.sandbox import nursery, wire
from curate.sandbox.confine import network_guard
from curate.sandbox.nursery import Answered, Began, Said, Serve
from manifests.errors import MedcurateError
from manifests.redact import is_secret

__all__ = ["Answer", "Answered", "Began", "Death", "Limits", "Said", "Serve", "Thing", "network_guard", "run", "warm"]

TRIES = 2
RECORDS_PER_PROCESS = 5000
START_S = 120.0  # imports on a busy machine
ENDING_S = 30.0
SUSPECT_S = 5.0  # a hundred times what a parser works between two sends
START = f"from {nursery.__name__} import main; main()"
RAISE_LIMITS = "exclude the file, or raise limits.memory or limits.seconds"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one record may take: memory beyond what the program itself has, and seconds on the wall clock.

    A CT of 2,000 slices takes 1.5 GB. Programs that a parser starts have the same limits each."""

    memory_bytes: int = 4 << 30
    seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class Thing:
    """What is handed over, a JSON value. One answer is due, or any number of them where it is a `container`."""

    value: Any
    container: bool = False


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """`thing` is an index into the things."""

    thing: int
    value: T


@dataclass(frozen=True, slots=True)
class Death:
    """A thing that killed its process on every try, or the record of a container that `began` names."""

    thing: int
    began: Any
    found: str
    remedy: str = RAISE_LIMITS


class LostError(Exception):
    """The parser's process is of no use any more; its text says how it ended."""


@dataclass
class _Job(Generic[T]):
    """How far a run has come: `at` of the things, `answers` of that one. `tries` counts the processes lost since the
    last death; after the first, answers come one by one, so that the second tells who did it. Whoever was at work when
    the first was lost is at work again within `SUSPECT_S`; later the suspicion is dropped."""

    things: Sequence[Thing]
    at: int = 0
    answers: int = 0
    tries: int = 0
    began: Any = None
    asked: float = 0.0

    def request(self, call: str, setup: Any) -> dict[str, Any]:
        self.asked = time.monotonic()
        things = [t.value for t in self.things[self.at :]]
        return {"call": call, "setup": setup, "things": things, "skip": self.answers, "careful": self.tries > 0}

    def take(self, kind: bytes, value: Any, read: Callable[[Any], T]) -> Answer[T] | None:
        """One message from the parser. Raises LostError for one that is not due."""
        single = not self.things[self.at].container
        if kind == wire.ANSWER and time.monotonic() - self.asked > SUSPECT_S:
            self.tries = 0
        if kind == wire.BEGAN and not single:
            self.began = value
        elif kind == wire.ANSWER and not (single and self.answers):
            try:
                answer = Answer(self.at, read(value))
            except (ValueError, TypeError, LookupError, AttributeError) as error:
                raise LostError("an answer that is none") from error
            self.answers, self.began = self.answers + 1, None
            return answer
        elif kind == wire.END and not (single and self.answers != 1):
            self.at, self.answers, self.began = self.at + 1, 0, None
        else:
            raise LostError("an answer that is not due")
        return None

    def lose(self, found: str) -> Death | None:
        """After a loss: None to try again, else the death, with the record behind it left out."""
        if self.answers and not self.things[self.at].container:  # its end alone was lost
            self.at, self.answers = self.at + 1, 0
            if self.at == len(self.things):
                return None
        self.tries += 1
        if self.tries < TRIES:
            self.began = None
            return None
        death = Death(self.at, self.began, found)
        if self.began is None:
            self.at, self.answers = self.at + 1, 0
        else:
            self.answers += 1
        self.tries, self.began = 0, None
        return death


def run(
    call: str, setup: Any, things: Sequence[Thing], limits: Limits, read: Callable[[Any], T]
) -> Iterator[Answer[T] | Death]:
    """Have `call` (`module:function`, a `curate.sandbox.nursery.Open`) serve every thing, in order.

    `setup` and the things are JSON values. `read` turns an answer, which is untrusted, into what it should be; where it
    raises ValueError, TypeError, LookupError or AttributeError, the answer is none and its process is replaced.
    """
    job: _Job[T] = _Job(things)
    while job.at < len(things):
        nurse = _IDLE.pop() if _IDLE else Nursery()
        finished = False
        try:
            parser = nurse.parser_for(limits, call)
            parser.ask(job.request(call, setup))
            while job.at < len(things):
                answer = job.take(*parser.said(), read)
                if answer is not None:
                    yield answer
            finished = True
        except LostError as lost:
            found = nurse.discard(str(lost))
            _IDLE.append(nurse)
            death = job.lose(found)
            if death is not None:
                yield death
            continue
        finally:
            if not finished and nurse not in _IDLE:
                nurse.close()
        _IDLE.append(nurse)


def warm(call: str) -> None:
    """Start a nursery that imports what `call` needs, without waiting for it."""
    if not _IDLE:
        nurse = Nursery()
        with contextlib.suppress(LostError):
            nurse.parser_for(Limits(), call)
        _IDLE.append(nurse)


class Parser:
    """A parser's process as its worker sees it."""

    def __init__(self, end: socket.socket, nurse: Nursery, limits: Limits, module: str) -> None:
        self.limits = limits
        self.module = module
        self.records = 0
        self.heavy: list[str] = []
        self.pid = 0
        self._nurse = nurse
        self._line = wire.Wire(end, self._ready)
        self._handle = -1

    def ask(self, request: dict[str, Any]) -> None:
        if not self.pid:
            self.pid = int(self._nurse.reply(START_S)["pid"])
            with contextlib.suppress(OSError, AttributeError):  # without one, end of file alone tells of a death
                self._handle = os.pidfd_open(self.pid)
        self._line.end.settimeout(self.limits.seconds)
        try:
            self._line.put(wire.REQUEST, request)
            self._line.flush()
        except OSError as error:
            raise LostError("") from error

    def said(self) -> tuple[bytes, Any]:
        """The parser's next message. Raises LostError where none comes in time, or none that is one."""
        self._until = time.monotonic() + self.limits.seconds
        try:
            message = self._line.receive()
        except wire.GarbledError as error:
            raise LostError("an answer that is none") from error
        if message is None:
            raise LostError("")
        kind, value = message
        if kind == wire.RAISED:
            name = value if isinstance(value, str) and value.isidentifier() else "an exception"
            raise LostError(f"{name[:80]} in the parser's process")
        if kind == wire.ANSWER:
            self.records += 1
        if kind == wire.END and isinstance(value, list):
            self.heavy = [m for m in nursery.HEAVY if m in value]
        return kind, value

    def close(self) -> None:
        self._line.end.close()
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _ready(self) -> bool:
        """Wait for bytes; False where the process has ended, though a child that it left may hold its socket."""
        poll = select.poll()
        poll.register(self._line.end, select.POLLIN)
        if self._handle >= 0:
            poll.register(self._handle, select.POLLIN)
        events = poll.poll(max(0.0, self._until - time.monotonic()) * 1000)
        if not events:
            raise LostError(f"more than {self.limits.seconds:g} s")
        return any(handle == self._line.end.fileno() for handle, _ in events)


class Nursery:
    """The process that forks parsers, one at a time."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.parser: Parser | None = None
        self._heavy: list[str] = []
        self._start()

    def _start(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", START, str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=environment(),
        )
        theirs.close()

    def parser_for(self, limits: Limits, call: str) -> Parser:
        """The parser's process with these limits, forked now unless there is one with records to go."""
        module = call.partition(":")[0]
        kept = self.parser and (self.parser.limits, self.parser.module) == (limits, module)
        if self.parser and not (kept and self.parser.records < RECORDS_PER_PROCESS):
            self.discard("replaced")
        if not self.parser:
            mine, theirs = socket.socketpair()
            command = {
                "do": "fork",
                "module": module,
                "heavy": self._heavy,
                "memory_bytes": limits.memory_bytes,
                "seconds": limits.seconds,
            }
            try:
                socket.send_fds(self._control, [json.dumps(command).encode()], [theirs.fileno()])
            except OSError as error:
                mine.close()
                raise LostError("the end of the parsers' nursery") from error
            finally:
                theirs.close()
            self.parser = Parser(mine, self, limits, module)
        return self.parser

    def reply(self, seconds: float) -> Any:
        self._control.settimeout(seconds)
        try:
            data = self._control.recv(nursery.COMMAND_BYTES)
        except OSError:
            data = b""
        if not data:
            with contextlib.suppress(subprocess.TimeoutExpired):
                if self._process.wait(ENDING_S) > 0:
                    raise MedcurateError("the process that forks parsers does not start; `curate doctor` says more")
            raise LostError("the end of the parsers' nursery")
        return json.loads(data)

    def discard(self, said: str) -> str:
        """End the parser; how it ended, in words: what the worker saw, else what the kernel says."""
        parser, self.parser = self.parser, None
        if parser is None:
            self._restart()
            return said
        self._heavy = parser.heavy or self._heavy
        parser.close()
        try:
            if not parser.pid:
                parser.pid = int(self.reply(START_S)["pid"])
            self._control.sendall(json.dumps({"do": "end", "pid": parser.pid, "killed": bool(said)}).encode())
            ending = self.reply(ENDING_S)
        except (OSError, LostError):
            self._restart()
            return said or "the end of the parsers' nursery"
        return said or _told(ending, parser.limits)

    def _restart(self) -> None:
        self.close()
        self._start()

    def close(self) -> None:
        """End the nursery and all below it. After a fork of this process they belong to the parent and stay."""
        if self.parser:
            self.parser.close()
            self.parser = None
        self._control.close()
        if self.owner != os.getpid():
            return
        try:
            self._process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _told(ending: dict[str, int], limits: Limits) -> str:
    number, code = ending["signal"], ending["code"]
    if number == signal.SIGXCPU:
        return f"more than {limits.seconds:g} s of every processor"
    if number:
        name = signal.Signals(number).name if number in set(signal.Signals) else "?"
        return f"signal {number} ({name})"
    if code == nursery.OUT_OF_MEMORY:
        return f"more than {limits.memory_bytes / (1 << 30):g} GiB of memory"
    return f"exit code {code}"


def environment() -> dict[str, str]:
    """The worker's environment for its nursery: the same modules, no secrets, no threads for linear algebra, which no
    reader uses."""
    kept = {k: v for k, v in os.environ.items() if not is_secret(k, v)}
    paths = [str(Path(p).absolute()) for p in sys.path]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


_IDLE: list[Nursery] = []


def close_all() -> None:
    while _IDLE:
        _IDLE.pop().close()


def _forget() -> None:
    """In a fork of this process: the nurseries are the parent's."""
    for nurse in _IDLE:
        nurse._control.close()
        if nurse.parser:
            nurse.parser.close()
    _IDLE.clear()


atexit.register(close_all)
os.register_at_fork(after_in_child=_forget)
