"""The process from which parsers are forked, and what a parser's process does.

A nursery is one fresh, single-threaded interpreter beside a worker: it imports what parsers need, opens no foreign file
and forks a parser when asked, so a dead parser is replaced in milliseconds and no thread or lock of the worker is
inherited. It reads commands from the socket whose number is its argument; its end of file, the worker's death, ends
the nursery and all below it. Standard input, output and error of all of them are /dev/null: native libraries print what
they read.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.sandbox import confine, wire

COMMAND_BYTES = 1 << 16
OUT_OF_MEMORY = 77  # exit code
DYING_S = 2.0
FLUSH_S = 0.05
# Imported by readers when they first need them, seconds in all: a nursery whose parser had them loads them itself, so
# that the next parser has them at once.
HEAVY = ("SimpleITK", "av", "nibabel", "numba", "numpy.random", "pylibjpeg", "scipy.interpolate", "scipy.ndimage")


@dataclass(frozen=True, slots=True)
class Began:
    """Said before a record of a container is prepared: `begun` gives what is lost if the process dies now."""

    begun: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Answered:
    """One record's answer, a JSON value."""

    value: Any


Said = Began | Answered
Serve = Callable[[Any, int], Iterator[Said]]  # (thing, how many of its answers are known already)
# Called once per request, with the request's setup. Its module may name in `PARSERS` the modules that it imports late.
Open = Callable[[Any], Serve]


def main() -> None:
    """Serve commands until the worker is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=int(sys.argv[1]))
    confine.adopt_orphans()
    confine.keep_freed_memory()
    while True:
        data, handles, _, _ = socket.recv_fds(control, COMMAND_BYTES, 1)
        if not data:
            break
        command = json.loads(data)
        if command["do"] == "fork":
            answer: Any = {"pid": _fork(command, socket.socket(fileno=handles[0]), control)}
        else:
            answer = _end(command["pid"], command["killed"])
        with contextlib.suppress(OSError):
            control.sendall(json.dumps(answer).encode())
    _kill_all()


def _fork(command: dict[str, Any], end: socket.socket, control: socket.socket) -> int:
    module = importlib.import_module(command["module"])
    for name in getattr(module, "PARSERS", ()):
        importlib.import_module(name)
    for name in command["heavy"]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    nursery = os.getpid()
    pid = os.fork()
    if not pid:
        try:
            control.close()
            os.setpgid(0, 0)
            confine.die_with_parent()
            if os.getppid() == nursery:
                parser(end, command["memory_bytes"], command["seconds"])
        finally:
            os._exit(1)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    end.close()
    return pid


def _end(pid: int, killed: bool) -> dict[str, int]:
    """End a parser and all that it left behind; how it ended as (signal, exit code), unless it was to be `killed`."""
    until = time.monotonic() + (0 if killed else DYING_S)
    done, status = os.waitpid(pid, os.WNOHANG)
    while not done and time.monotonic() < until:  # its socket closes a moment before it is gone
        time.sleep(0.002)
        done, status = os.waitpid(pid, os.WNOHANG)
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
    if not done:
        os.waitpid(pid, 0)
    _kill_all()
    code = os.waitstatus_to_exitcode(status) if done else -signal.SIGKILL
    return {"signal": max(0, -code), "code": max(0, code)}


def _kill_all() -> None:
    """Kill and reap every child, also those that left the parser's group and came to us as orphans."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            for pid in children.read_text().split():
                with contextlib.suppress(OSError):
                    os.kill(int(pid), signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def parser(end: socket.socket, memory_bytes: int, seconds: float) -> None:
    """Answer requests until the worker is gone; never returns normally to the nursery's code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    confine.limit_process(memory_bytes)
    confine.close_network()
    line = wire.Wire(end)
    while (message := line.receive()) is not None:
        try:
            _serve(message[1], line, seconds)
        except MemoryError:
            os._exit(OUT_OF_MEMORY)
        except BrokenPipeError:
            os._exit(0)
        except Exception as error:
            line.put(wire.RAISED, type(error).__name__)
            line.flush()
            os._exit(1)
    os._exit(0)


def _serve(request: dict[str, Any], line: wire.Wire, seconds: float) -> None:
    """Answers are gathered for `FLUSH_S`; what is lost with the process is done again. A `careful` request has each of
    them sent at once, and says before each row what is begun."""
    module, _, name = request["call"].partition(":")
    opened: Open = getattr(importlib.import_module(module), name)
    serve = opened(request["setup"])
    skip, careful = request["skip"], request["careful"]
    flushed = time.monotonic()
    for thing in request["things"]:
        confine.limit_cpu(seconds)
        for said in serve(thing, skip):
            if isinstance(said, Answered):
                line.put(wire.ANSWER, said.value)
            elif careful:
                line.put(wire.BEGAN, said.begun())
            if careful or time.monotonic() - flushed > FLUSH_S:
                line.flush()
                flushed = time.monotonic()
                confine.limit_cpu(seconds)
        skip = 0
        line.put(wire.END, [m for m in HEAVY if m in sys.modules])
        if careful:
            line.flush()
    line.flush()
