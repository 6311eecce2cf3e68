"""Messages between a worker and its parser's process: one byte of kind, four of length, ASCII JSON.

Nothing is unpickled. What comes from the parser's side is untrusted: a length beyond the bound, or bytes that are
no JSON, raise `GarbledError`.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from typing import Any

from pydantic_core import from_json

HEAD = struct.Struct(">cI")
MAX_MESSAGE_BYTES = 256 << 20
RECEIVE_BYTES = 1 << 18
REQUEST, BEGAN, ANSWER, END, RAISED = b"Q", b"B", b"A", b"E", b"X"


_ENCODE = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


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
        data = _ENCODE(value).encode("ascii")
        if len(data) > MAX_MESSAGE_BYTES:
            raise GarbledError("a message beyond the bound")
        self.unsent += HEAD.pack(kind, len(data))
        self.unsent += data

    def flush(self) -> None:
        self.end.sendall(self.unsent)
        self.unsent.clear()

    def receive(self) -> tuple[bytes, Any] | None:
        """The next message; None where the other side is gone."""
        if not self._has(HEAD.size):
            return None
        kind, size = HEAD.unpack_from(self.buffer)
        if size > MAX_MESSAGE_BYTES:
            raise GarbledError("a length beyond the bound")
        end = HEAD.size + size
        if not self._has(end):
            return None
        with memoryview(self.buffer) as view:
            data = bytes(view[HEAD.size : end])
        del self.buffer[:end]
        return kind, _value(data)

    def _has(self, size: int) -> bool:
        """Whether so many bytes are there, after waiting for them; False where the other side is gone."""
        while len(self.buffer) < size:
            if not self.ready():
                return False
            try:
                more = self.end.recv(RECEIVE_BYTES)
            except ConnectionError:
                return False
            if not more:
                return False
            self.buffer += more
        return True


def _value(data: bytes) -> Any:
    """A message's JSON value, twice as fast as by `json`, which knows what the other refuses: lone surrogates, as in
    the name of a folder that is not UTF-8."""
    try:
        return from_json(data, allow_inf_nan=False)
    except ValueError:
        pass
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise GarbledError("no JSON") from error
