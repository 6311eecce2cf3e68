"""Does the sandbox hold here? A parser's process tries to connect and to take more memory than it may; for `doctor`.

The connection is tried below Python, as a native library would, to a port of this machine that listens for it.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from curate.sandbox import Answer, Answered, Limits, Said, Serve, Thing, network_guard, run

CALL = "curate.sandbox.trial:open_trial"
LIMITS = Limits(memory_bytes=256 << 20, seconds=20.0)
BEYOND_BYTES = 512 << 20


@dataclass(frozen=True, slots=True)
class Trial:
    """`guard` is what closes the network; `connected` whether a connection was made all the same, `grew` whether memory
    beyond the limit was had; `started` is False where no parser's process answered."""

    guard: str
    started: bool
    connected: bool
    grew: bool


def try_out() -> Trial:
    """Start a parser's process and have it try; about a second."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        things = [Thing("connect"), Thing("grow")]
        answers = list(run(CALL, server.getsockname()[1], things, LIMITS, lambda value: value))
        connected = False
        with contextlib.suppress(OSError):
            server.accept()[0].close()
            connected = True
    said = {a.thing: a.value for a in answers if isinstance(a, Answer)}
    return Trial(network_guard(), 0 in said, connected, 1 in said)


def open_trial(port: Any) -> Serve:
    """In the parser's process."""

    def serve(thing: str, _skip: int) -> Iterator[Said]:
        yield Answered(_connect(int(port)) if thing == "connect" else len(bytearray(BEYOND_BYTES)))

    return serve


def _connect(port: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
    if handle < 0:
        return -1
    address = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, socket.inet_aton("127.0.0.1"))
    return int(libc.connect(handle, address, len(address)))
