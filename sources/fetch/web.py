"""HTTP(S) GET as a fetch needs it: kept connections, ranges, redirects without tokens, proxies of the environment.

Certificates are verified as Python does by default. Bodies are taken as stored (`Accept-Encoding: identity`). A token
goes to the one origin that it is for and never across a redirect. No error holds a query string or a header.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from sources.fetch.errors import FetchError
from sources.fetch.patience import Clock, Patience, Policy, patiently, retry_after

MAX_REDIRECTS = 5
MAX_DOCUMENT = 64 << 20
_REDIRECTS = (301, 302, 303, 307, 308)
_AGAIN = "run it again: it goes on where it stopped"
_REFUSED = {
    401: ("refused", "the place asks for credentials; see the card's steps"),
    403: ("refused", "the place does not give it to everybody; see the card's steps"),
    404: ("not_found", "upstream moved or removed it"),
    410: ("not_found", "upstream removed it"),
    451: ("refused", "the place may not give it"),
}


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token and the one origin (`https://host:port`) that may see it."""

    origin: str
    value: str


class Answer:
    """An open answer: status, headers (lower case), and the body in pieces as they arrive."""

    def __init__(self, response: http.client.HTTPResponse, url: str) -> None:
        self._response = response
        self.status = response.status
        self.headers = {k.lower(): v.strip() for k, v in response.getheaders()}
        self.url = url

    @property
    def length(self) -> int | None:
        """Bytes that the body should have; None where the place does not tell.

        Raises `FetchError` `wrong_length` for a header that is no number."""
        text = self.headers.get("content-length", "")
        if not text or self.chunked:
            return None
        if not (text.isascii() and text.isdigit()):
            raise FetchError("wrong_length", "a Content-Length that is no number", "tell the place's owner")
        return int(text)

    @property
    def chunked(self) -> bool:
        return "chunked" in self.headers.get("transfer-encoding", "").lower()

    def pieces(self, most: int) -> Iterator[bytes]:
        """The body; ends early, without an error, where the connection is cut and the framing does not show it.

        Raises `FetchError` `connection_lost`, passing."""
        try:
            while piece := self._response.read1(most):
                yield piece
        except (OSError, http.client.HTTPException) as error:
            raise _lost(error, self.url) from None

    def spent(self) -> bool:
        """Whether the connection may carry another request: its body was read to the end."""
        if self._response.length == 0:  # read, and not closed by every version of http.client
            self._response.close()
        return self._response.isclosed() and not self._response.will_close

    def skipped(self) -> bool:
        """Read over a small body that nobody wants; whether the connection may then carry another request."""
        if self.length is None or self.length > 1 << 16:
            return False
        for _ in self.pieces(1 << 16):
            pass
        return self.spent()


class Web:
    """GET requests of any number of threads; each thread keeps one connection to each host."""

    def __init__(self, policy: Policy, clock: Clock, stop: threading.Event, token: Token | None = None) -> None:
        self.policy, self.clock, self.stop = policy, clock, stop
        self._token = token
        self._kept = threading.local()
        self._all: set[http.client.HTTPConnection] = set()
        self._tls: ssl.SSLContext | None = None
        self._proxies = urllib.request.getproxies()

    def __enter__(self) -> Web:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def patience(self) -> Patience:
        return Patience(self.policy, self.clock, self.stop)

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Iterator[Answer]:
        """The answer to one GET, redirects followed: status 200, 206 or 416.

        Raises `FetchError`: passing for 408, 425, 429, 5xx and lost connections; `refused`, `not_found`,
        `bad_answer`, `bad_redirect` otherwise."""
        first = url
        for step in range(MAX_REDIRECTS + 1):
            connection, answer = self._ask(url, {**(headers or {}), **self._authority(url, step)})
            done = False
            try:
                if answer.status in _REDIRECTS:
                    url, done = _next(url, answer), answer.skipped()
                    continue
                if answer.status not in (200, 206, 416):
                    raise self._status_error(answer)
                yield answer
                done = answer.spent()
            finally:
                if not done:
                    self._drop(connection)
            return
        raise FetchError("bad_redirect", f"more than {MAX_REDIRECTS} redirects at {shown(first)}", "try again later")

    def document(self, url: str, most: int = MAX_DOCUMENT) -> tuple[bytes, dict[str, str]]:
        """A whole small body and its headers, with retries. Raises `FetchError`."""
        return patiently(lambda: self._document(url, most), self.patience())

    def json(self, url: str) -> tuple[Any, dict[str, str]]:
        """Raises `FetchError` `bad_answer` besides what `document` raises."""
        data, headers = self.document(url)
        try:
            return json.loads(data), headers
        except (ValueError, RecursionError):
            raise bad_answer(url, "not JSON") from None

    def _document(self, url: str, most: int) -> tuple[bytes, dict[str, str]]:
        with self.get(url) as answer:
            if answer.status != 200:
                raise bad_answer(url, f"status {answer.status}")
            pieces, size = [], 0
            for piece in answer.pieces(1 << 16):
                pieces.append(piece)
                size += len(piece)
                if size > most:
                    raise bad_answer(url, f"more than {most} bytes")
            if answer.length is not None and size != answer.length:
                raise _lost(EOFError(), url)
            return b"".join(pieces), answer.headers

    def _authority(self, url: str, step: int) -> dict[str, str]:
        token = self._token
        if token is None or step or origin_of(url) != token.origin:
            return {}
        return {"Authorization": f"Bearer {token.value}"}

    def _status_error(self, answer: Answer) -> FetchError:
        found = f"HTTP {answer.status} from {shown(answer.url)}"
        if answer.status in (408, 425, 429) or answer.status >= 500:
            wait = retry_after(answer.headers.get("retry-after", ""), self.clock.now())
            asked = f", which asks to wait {wait:.0f} s" if wait else ""
            return FetchError("unavailable", found + asked, _AGAIN, passing=True, wait_s=wait)
        reason, remedy = _REFUSED.get(answer.status, ("bad_answer", "tell the place's owner"))
        return FetchError(reason, found, remedy)

    # ------------------------------------------------------------------------------------------------- connections
    def _ask(self, url: str, headers: Mapping[str, str]) -> tuple[http.client.HTTPConnection, Answer]:
        """A kept connection that the other side closed meanwhile is opened anew once."""
        parts = _parts(url)
        proxy = self._proxy(parts)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sent = {"Accept-Encoding": "identity", "User-Agent": "medcurate", "Connection": "keep-alive", **headers}
        if proxy and parts.scheme == "http":
            target = f"http://{parts.netloc}{target}"
            sent |= _proxy_authority(_parts(proxy))
        while True:
            connection, fresh = self._connection(parts, proxy)
            try:
                connection.request("GET", target, headers=sent)
                return connection, Answer(connection.getresponse(), url)
            except (OSError, http.client.HTTPException) as error:
                self._drop(connection)
                if fresh:
                    raise _lost(error, url) from None
            except ValueError:  # http.client refuses what could split a request
                self._drop(connection)
                raise FetchError("bad_address", shown(url), "no control characters or spaces belong there") from None

    def _connection(self, parts: SplitResult, proxy: str) -> tuple[http.client.HTTPConnection, bool]:
        kept: dict[str, http.client.HTTPConnection] = self._kept.__dict__.setdefault("all", {})
        key = origin_of(parts.geturl())
        if key in kept:
            return kept[key], False
        there = _parts(proxy) if proxy else parts
        timeout = self.policy.timeout_s
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            self._tls = self._tls or ssl.create_default_context()  # a tenth of a second where it is not needed
            connection = http.client.HTTPSConnection(
                str(there.hostname), there.port or (80 if proxy else 443), timeout=timeout, context=self._tls
            )
            if proxy:
                connection.set_tunnel(str(parts.hostname), parts.port or 443, _proxy_authority(there))
        else:
            connection = http.client.HTTPConnection(str(there.hostname), there.port or 80, timeout=timeout)
        kept[key] = connection
        self._all.add(connection)
        return connection, True

    def _drop(self, connection: http.client.HTTPConnection) -> None:
        kept: dict[str, http.client.HTTPConnection] = self._kept.__dict__.get("all", {})
        for key in [k for k, c in kept.items() if c is connection]:
            del kept[key]
        self._all.discard(connection)
        connection.close()

    def close(self) -> None:
        """Close what is kept, of all threads, which must have ended."""
        for connection in list(self._all):
            connection.close()
        self._all.clear()

    def _proxy(self, parts: SplitResult) -> str:
        host = parts.hostname or ""
        found = self._proxies.get(parts.scheme) or self._proxies.get("all") or ""
        if not found or urllib.request.proxy_bypass(host):
            return ""
        return found if "://" in found else f"http://{found}"


def _parts(url: str) -> SplitResult:
    """Raises `FetchError` `bad_address` for anything but http(s) with a host."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound:
        raise FetchError("bad_address", shown(url), "an http or https address is needed")
    return parts


def _next(url: str, answer: Answer) -> str:
    """Raises `FetchError` `bad_redirect` for a step down from https, or one that carries a user."""
    there = urljoin(url, answer.headers.get("location", "")).partition("#")[0]
    try:
        parts = _parts(there)
    except FetchError:
        parts = None
    down = parts is not None and url.startswith("https:") and parts.scheme != "https"
    if parts is None or down or "@" in parts.netloc or "location" not in answer.headers:
        found = f"a redirect of {shown(url)} that may not be followed"
        raise FetchError("bad_redirect", found, "tell the place's owner")
    return there


def _proxy_authority(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _lost(error: Exception, url: str) -> FetchError:
    if isinstance(error, ssl.SSLCertVerificationError):
        remedy = "check this machine's certificates and time; a proxy may stand between"
        return FetchError("bad_certificate", f"of {shown(url)}", remedy)
    return FetchError("connection_lost", f"{type(error).__name__} at {shown(url)}", _AGAIN, passing=True)


def bad_answer(url: str, what: str) -> FetchError:
    return FetchError("bad_answer", f"{what} from {shown(url)}", "the place answers otherwise than it is documented")


def origin_of(url: str) -> str:
    """`https://host:port`, what a token is bound to."""
    parts = _parts(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def shown(url: str) -> str:
    """An address as errors may show it: without user, query and fragment."""
    head = url.partition("?")[0].partition("#")[0]
    scheme, colon, rest = head.partition("://")
    return f"{scheme}{colon}{rest.rpartition('@')[2]}"[:200]
