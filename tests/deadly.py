"""What a parser's process may meet: things that end it, hang it, swell it or talk where they should not."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from curate.sandbox import Answered, Began, Said, Serve
from manifests.card import Card
from sources.base import Entry, Item, Place, Pseudonym, SourceConfig, ref
from sources.image_table import ImageTable

RANGE = "import resource; print(resource.getrlimit(resource.RLIMIT_DATA)[0])"


class DeadlyPeeks(SourceConfig):
    """Files of which those called `deadly` kill who peeks, `odd` raise what no parser should."""

    card: ClassVar[Card] = Card(name="deadly", what="files that kill who looks at them")
    source: Literal["deadly"] = "deadly"

    def peek(self, path: Path, pseudonym: Pseudonym) -> dict[str, str]:
        if path.name == "deadly":
            os.kill(os.getpid(), signal.SIGSEGV)
        if path.name == "odd":
            raise ZeroDivisionError(path.name)
        return {"size": str(path.stat().st_size), "who": pseudonym("patient", "a")}


class DeadlyTable(ImageTable):
    """A table of images of which some item kills who lists it, in the `way` that its name says."""

    way: str = "segfault"

    def items(self, place: Place, inventory: Sequence[Entry], pseudonym: Pseudonym) -> Iterator[Item]:
        yield from (Item(upstream_id=e.path, form="picture", files=(ref(e),)) for e in inventory[:1])
        if self.way == "foreign":
            stranger = dataclasses.replace(ref(inventory[0]), path="../../etc/passwd")
            yield Item(upstream_id="stranger", form="picture", files=(stranger,))
        else:
            ACTIONS[self.way](place.root)


def open_deadly(setup: Any) -> Serve:
    """Things are the names of functions here; the answer is what they return. `rows A,B,...` is a container."""

    def serve(thing: str, skip: int) -> Iterator[Said]:
        if not thing.startswith("rows "):
            yield Answered(ACTIONS[thing](Path(setup)))
            return
        for name in thing.removeprefix("rows ").split(",")[skip:]:
            if name == "lost":
                segfault(Path(setup))
            yield Began(functools.partial(str, name))
            yield Answered(ACTIONS[name](Path(setup)))

    return serve


def fine(_: Path) -> Any:
    return "fine"


def segfault(_: Path) -> Any:
    return ctypes.string_at(0)


def abort(_: Path) -> Any:
    os.abort()


def swell(_: Path) -> Any:
    """Take memory without end, and touch it."""
    held = []
    while True:
        held.append(bytearray(16 << 20))


def swell_below_python(_: Path) -> Any:
    """As a native library does: it asks for memory and does not look at what it gets."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    while True:
        ctypes.memset(libc.malloc(ctypes.c_size_t(16 << 20)), 1, 16 << 20)


def hang(_: Path) -> Any:
    while True:
        pass


def hang_below_python(_: Path) -> Any:
    """A native call that holds the interpreter and hears no signal but SIGKILL."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    ctypes.PyDLL(None).pause()


def leave_a_child(folder: Path) -> Any:
    """Die and leave a process of another session behind, which holds all that was inherited."""
    if not os.fork():
        os.setsid()
        (folder / "orphan").write_text(str(os.getpid()))
        time.sleep(600)
    while not (folder / "orphan").exists():
        time.sleep(0.01)
    os._exit(3)


def breed(_: Path) -> Any:
    """A process that doubles itself for ever."""
    for _generation in range(7):
        os.fork()
    time.sleep(600)


def shout(_: Path) -> Any:
    """1 GiB on standard output and error."""
    for handle in (1, 2):
        for _line in range(512):
            os.write(handle, b"PATIENT^NAME" * (1 << 20 >> 3) + b"\n")
    return "shouted"


def babble(_: Path) -> Any:
    """Write what is no message into every socket."""
    for handle in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(handle).st_mode):
                os.write(handle, b"\xff" * 64)
        except OSError:
            continue
    time.sleep(600)


def answer_nan(_: Path) -> Any:
    return float("nan")


def stop_without_a_word(_: Path) -> Any:
    os._exit(0)


def raise_oddly(_: Path) -> Any:
    raise LookupError("PATIENT^NAME")


def rest(_: Path) -> Any:
    time.sleep(0.4)
    return "fine"


def die_once_too(folder: Path) -> Any:
    return die_once(folder, "died too")


def die_once(folder: Path, mark: str = "died") -> Any:
    if not (folder / mark).exists():
        (folder / mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "fine in the end"


def connect(folder: Path) -> Any:
    """What comes of opening a connection to the port that a file names, here and from a program started here."""
    port = int((folder / "port").read_text())
    told = []
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        told.append("connected")
    except OSError as error:
        told.append(type(error).__name__)
    code = f"import socket; socket.create_connection(('127.0.0.1', {port}), timeout=1)"
    told.append(str(subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode))
    return told


def surroundings(_: Path) -> Any:
    """What a parser, and a program that it starts, has."""
    done = subprocess.run([sys.executable, "-c", RANGE], check=True, capture_output=True, text=True)
    return {
        "secrets": sorted(k for k in os.environ if "TOKEN" in k or "MEDCURATE" in k),
        "data": resource.getrlimit(resource.RLIMIT_DATA)[0],
        "data_of_programs": int(done.stdout),
        "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
        "cpu": resource.getrlimit(resource.RLIMIT_CPU)[0],
        "session": os.getsid(0),
    }


def wait(folder: Path) -> Any:
    """Say which processes wait here, and wait."""
    (folder / "waiting").write_text(f"{os.getppid()} {os.getpid()}\n")
    time.sleep(600)


def pid(_: Path) -> Any:
    return os.getpid()


ACTIONS = {
    f.__name__: f
    for f in (
        fine, segfault, abort, swell, swell_below_python, hang, hang_below_python, leave_a_child, breed, shout, babble,
        answer_nan, stop_without_a_word, raise_oddly, rest, die_once, die_once_too, connect, surroundings, wait, pid,
    )
}  # fmt: skip
