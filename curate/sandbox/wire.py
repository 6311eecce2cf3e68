"""Messages between a worker and its parser's process: one byte of kind, four of length, canonical ASCII JSON.

Nothing is unpickled. What comes from the parser's side is untrusted: a length beyond the bound, or bytes that are
no JSON, raise `GarbledError`.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from typing import Any

HEAD = struct.Struct(">cI")
MAX_MESSAGE_BYTES = 256 << 20
RECEIVE_BYTES = 1 << 18
REQUEST, BEGAN, ANSWER, END, RAISED = b"Q", b"B", b"A", b"E", b"X"


class GarbledError(Exception):
    """What came is no message."""


class Wire:
    """One end of a stream socket. `ready` is asked before every wait for bytes; it returns False to say that no more
    will come, or raises."""

    def __init__(self, end: socket.socket, ready: Callable[[], bool] = lambda: True) -> None:
        self.end = end
        self.ready = ready
        self.buffer = bytearray()
        self.unsent = bytearray()

    def put(self, kind: bytes, value: Any) -> None:
        """Add a message to what the next `flush` sends. Raises ValueError for NaN and infinity."""
        data = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
        if len(data) > MAX_MESSAGE_BYTES:
            raise GarbledError("a message beyond the bound")
        self.unsent += HEAD.pack(kind, len(data))
        self.unsent += data

    def flush(self) -> None:
        self.end.sendall(self.unsent)
        self.unsent.clear()

    def receive(self) -> tuple[bytes, Any] | None:
        """The next message; None where the other side is gone."""
        head = self._take(HEAD.size)
        if head is None:
            return None
        kind, size = HEAD.unpack(head)
        if size > MAX_MESSAGE_BYTES:
            raise GarbledError("a length beyond the bound")
        data = self._take(size)
        if data is None:
            return None
        try:
            return kind, json.loads(data)
        except (ValueError, RecursionError) as error:
            raise GarbledError("no JSON") from error

    def _take(self, size: int) -> bytes | None:
        while len(self.buffer) < size:
            if not self.ready():
                return None
            try:
                more = self.end.recv(RECEIVE_BYTES)
            except ConnectionError:
                return None
            if not more:
                return None
            self.buffer += more
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken
