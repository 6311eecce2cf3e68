"""Loopback servers in the shapes of the places that `curate fetch` knows, with the faults that real ones have."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape


@dataclass(frozen=True)
class Fault:
    """What one request meets instead of a sound answer."""

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    cut: int | None = None  # close the connection after so many bytes of the body
    announce: int | None = None  # a Content-Length that is not the body's
    whole: bool = False  # 200 where 206 belongs
    shift: int = 0  # of the range in Content-Range
    extra: bytes = b""  # behind the body
    chunked: bool = False
    silent: bool = False  # no Content-Length: the end of the connection ends the body
    drip_s: float = 0.0  # pause after each 64 KiB


@dataclass
class Thing:
    """What lies at an address."""

    data: bytes
    etag: str = ""
    modified: str = ""
    ranges: bool = True
    location: str = ""  # a redirect instead of the bytes
    headers: tuple[tuple[str, str], ...] = ()
    faults: list[Fault] = field(default_factory=list)
    always: Fault | None = None
    before: Callable[[], None] | None = None  # called at each request


@dataclass
class Seen:
    """A request, and how many bytes of the body were sent."""

    target: str
    headers: dict[str, str]
    sent: int = 0

    @property
    def range(self) -> str:
        return self.headers.get("range", "")


class Server:
    """Things by their targets (with or without the query); `log` are the requests."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.things: dict[str, Thing] = {}
        self.log: list[Seen] = []
        self.dynamic: dict[str, Callable[[str], Thing]] = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *_: Any) -> None:
                return

        class Listening(http.server.ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: Any) -> None:
                return

        self._server = Listening(("127.0.0.1", 0), Handler)
        self.url = f"http://{host}:{self._server.server_address[1]}"

    def __enter__(self) -> Server:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def give(self, target: str, data: bytes, etag: str = "") -> Thing:
        thing = self.things[target] = Thing(data, etag)
        return thing

    def json(self, target: str, value: Any) -> Thing:
        return self.give(target, json.dumps(value).encode())

    def asked(self, part: str) -> list[Seen]:
        return [seen for seen in self.log if part in seen.target]

    # ------------------------------------------------------------------------------------------------------- answering
    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        seen = Seen(request.path, {k.lower(): v for k, v in request.headers.items()})
        self.log.append(seen)
        path = urlsplit(request.path).path
        thing = self.things.get(request.path) or self.things.get(path)
        for prefix, make in self.dynamic.items():
            if thing is None and path.startswith(prefix):
                thing = make(request.path)
        if thing is None:
            return _plain(request, 404, ())
        if thing.before is not None:
            thing.before()
        fault = thing.faults.pop(0) if thing.faults else thing.always or Fault()
        if fault.status:
            return _plain(request, fault.status, fault.headers)
        if thing.location:
            return _plain(request, 302, (("Location", thing.location),))
        return _body(request, thing, fault, seen)


def _plain(request: http.server.BaseHTTPRequestHandler, status: int, headers: tuple[tuple[str, str], ...]) -> None:
    request.send_response(status)
    for name, value in headers:
        request.send_header(name, value)
    request.send_header("Content-Length", "0")
    request.end_headers()


def _body(request: http.server.BaseHTTPRequestHandler, thing: Thing, fault: Fault, seen: Seen) -> None:
    data, status, start = thing.data, 200, 0
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", seen.range)
    same = seen.headers.get("if-range", thing.etag or thing.modified) in (thing.etag, thing.modified)
    if asked and thing.ranges and same and not fault.whole:
        start, end = int(asked[1]), int(asked[2]) + 1 if asked[2] else len(data)
        if start >= len(data):
            _plain(request, 416, (("Content-Range", f"bytes */{len(data)}"),))
            return
        data, status = data[start:end], 206
    data += fault.extra
    request.send_response(status)
    if status == 206:
        first = start + fault.shift
        last = first + len(data) - len(fault.extra) - 1
        request.send_header("Content-Range", f"bytes {first}-{last}/{len(thing.data)}")
    for name, value in (("ETag", thing.etag), ("Last-Modified", thing.modified), *thing.headers, *fault.headers):
        if value:
            request.send_header(name, value)
    if fault.chunked:
        request.send_header("Transfer-Encoding", "chunked")
    elif not fault.silent:
        request.send_header("Content-Length", str(len(data) if fault.announce is None else fault.announce))
    request.end_headers()
    _send(request, data, fault, seen)


def _send(request: http.server.BaseHTTPRequestHandler, data: bytes, fault: Fault, seen: Seen) -> None:
    most = len(data) if fault.cut is None else min(fault.cut, len(data))
    step = 1 << 16 if fault.drip_s else 1 << 20
    for at in range(0, most, step):
        piece = data[at : min(at + step, most)]
        request.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if fault.chunked else piece)
        seen.sent += len(piece)
        if fault.drip_s:
            request.wfile.flush()
            time.sleep(fault.drip_s)
    if fault.chunked and fault.cut is None:
        request.wfile.write(b"0\r\n\r\n")
    if fault.cut is not None or fault.announce is not None or fault.silent:
        request.close_connection = True
        request.wfile.flush()
        request.connection.shutdown(socket.SHUT_RDWR)


# ----------------------------------------------------------------------------------------------------- shapes of places
def hub(server: Server, files: dict[str, bytes], commit: str, store: Server, **about: Any) -> None:
    """A repository `owner/set` at `commit`: names that end in `.bin`, `.zip` or `.parquet` are large (LFS) and redirect
    to `store`; the tree has two names a page."""
    base = "/api/datasets/owner/set"
    server.json(f"{base}/revision/main", {"id": "owner/set", "sha": commit, "gated": False, "cardData": about})
    server.json(f"{base}/revision/{commit}", {"id": "owner/set", "sha": commit, "gated": False, "cardData": about})
    rows = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": "data"}]
    for name, data in files.items():
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        row: dict[str, Any] = {"type": "file", "oid": blob, "size": len(data), "path": name}
        resolve = f"/datasets/owner/set/resolve/{commit}/{quote(name)}"
        if name.endswith((".bin", ".zip", ".parquet")):
            digest = hashlib.sha256(data).hexdigest()
            row["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 130}
            server.give(resolve, b"").location = f"{store.url}/blobs/{digest}?X-Amz-Signature=0123456789abcdef"
            store.give(f"/blobs/{digest}", data, f'"{digest[:32]}"')
        else:
            server.give(resolve, data, f'"{blob}"')
        rows.append(row)
    tree = f"{base}/tree/{commit}?recursive=true"
    for page, at in enumerate(range(0, len(rows), 2)):
        here = tree if page == 0 else f"{tree}&cursor={page}"
        thing = server.json(here, rows[at : at + 2])
        if at + 2 < len(rows):
            thing.headers = (("Link", f'<{server.url}{tree}&cursor={page + 1}>; rel="next"'),)


def s3(server: Server, bucket: str, objects: dict[str, bytes], parts: tuple[str, ...] = ()) -> None:
    """A bucket whose listing has two keys a page; `parts` were stored in parts, so that their ETag is no md5."""

    def etag(key: str) -> str:
        return hashlib.md5(objects[key]).hexdigest() + ("-2" if key in parts else "")

    def listing(target: str) -> Thing:
        query = parse_qs(urlsplit(target).query, keep_blank_values=True)
        keys = sorted(k for k in objects if k.startswith(query["prefix"][0]))
        start = int(query.get("continuation-token", ["0"])[0])
        rows = "".join(
            f"<Contents><Key>{escape(k)}</Key><Size>{len(objects[k])}</Size><ETag>&quot;{etag(k)}&quot;</ETag></Contents>"
            for k in keys[start : start + 2]
        )
        more = start + 2 < len(keys)
        token = f"<NextContinuationToken>{start + 2}</NextContinuationToken>" if more else ""
        text = f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{rows}"
        return Thing(f'<ListBucketResult xmlns="http://s3.example/">{text}</ListBucketResult>'.encode())

    server.dynamic[f"/{bucket}/"] = listing
    for key, data in objects.items():
        server.give(f"/{bucket}/{quote(key)}", data, f'"{etag(key)}"')


def zenodo(server: Server, number: str, files: dict[str, bytes], right: str = "open") -> None:
    base = f"/api/records/{number}"
    rows = [{"key": k, "size": len(d), "checksum": f"md5:{hashlib.md5(d).hexdigest()}"} for k, d in files.items()]
    about = {"title": "A set", "access_right": right, "license": {"id": "cc-by-4.0"}}
    server.json(base, {"id": int(number), "doi": f"10.5281/zenodo.{number}", "metadata": about, "files": rows})
    for key, data in files.items():
        server.give(f"{base}/files/{quote(key, safe='')}/content", data)


@contextmanager
def two() -> Iterator[tuple[Server, Server]]:
    """Two servers at two origins."""
    with Server() as one, Server("localhost") as other:
        yield one, other


def named(seen: Seen) -> str:
    return unquote(urlsplit(seen.target).path)
