"""OpenAI-compatible endpoints over HTTP, one or several that serve the same model.

Proxies are those of the environment (`https_proxy`, `no_proxy`). Redirects are not followed: the key would go to an
address that nobody wrote down. No error holds the key, the prompt or what the server said beyond a short code, and no
reply the key, should a server echo it.
"""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import replace
from email.message import Message
from typing import IO, Any

from manifests.errors import TeacherError
from manifests.redact import REDACTED, protect
from synth.chat import (
    TRANSIENT,
    Reply,
    Request,
    error_code,
    logprobs_wanted,
    messages_of,
    refuse_pictures,
    reply_from,
    response_format,
)
from synth.teacher_config import EndpointConfig, OpenAIConfig
from synth.teachers.servers import RESTING, Limits, Servers, pause_s
from synth.tokens import estimated, family_of

_BODY_MAX = 8 << 20  # bytes of an answer; a chat completion with log probabilities has about 100 for each token


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """None: the answer is taken as the error that its status is."""


class OpenAITeacher:
    """Requests of any number of threads, each to the endpoint that has room and answers (`synth.teachers.servers`);
    429, 5xx, time-outs and unreadable answers are tried again, `retries` times, wherever there is room then."""

    def __init__(self, config: OpenAIConfig) -> None:
        self._config = config
        self.model = config.model
        self.revision = config.revision + (f"+context-{config.context}" if config.context else "")
        self.sees, self.context = config.sees, config.context
        self.in_flight = sum(one.in_flight for one in config.served)
        for one in config.served:
            protect(one.api_key_env)
        self._served = {one.base_url: one for one in config.served}
        limits = [Limits(one.base_url, one.in_flight, one.requests_per_minute) for one in config.served]
        self._servers = Servers(limits, config.backoff_s)
        self._family = config.family or family_of(config.model)
        self._opener = urllib.request.build_opener(_NoRedirect())

    def count(self, request: Request) -> int:
        return estimated(request, self._family)

    def ask(self, request: Request) -> Reply:
        if not self.sees:
            refuse_pictures(request)
        body = {
            "model": self._config.model,
            "messages": messages_of(request),
            self._config.max_tokens_field: request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
            **response_format(request),
            **logprobs_wanted(request),
        }
        data = json.dumps(body, ensure_ascii=False).encode()
        attempt = 0
        while True:
            try:
                with self._servers.one() as base_url:
                    server = self._served[base_url]
                    return _without_key(reply_from(self._post(data, server)), server)
            except TeacherError as error:
                if error.reason not in TRANSIENT or attempt == self._config.retries:
                    raise
                wait = error.reason not in RESTING  # else the endpoint itself rests
            if wait:
                time.sleep(pause_s(self._config.backoff_s, attempt, data.hex()))
            attempt += 1

    def _post(self, data: bytes, server: EndpointConfig) -> Any:
        headers = {"Content-Type": "application/json", "User-Agent": "medcurate"}
        key = _key(server)
        if key:
            headers["Authorization"] = f"Bearer {key}"
        url = f"{server.base_url}/chat/completions"
        question = urllib.request.Request(url, data, headers)  # noqa: S310 - the configuration admits http(s) only
        deadline = time.monotonic() + self._config.timeout_s
        try:
            with self._opener.open(question, timeout=self._config.timeout_s) as answer:
                return json.loads(_read(answer, deadline))
        except urllib.error.HTTPError as error:
            with error:
                retry_after = error.headers.get("Retry-After", "")
                # The chain is cut everywhere here: the original holds the request with its headers.
                raise _status_error(error.code, _error_body(error), key, retry_after) from None
        except TimeoutError:
            raise TeacherError("timeout", f"no answer within {self._config.timeout_s:g} s") from None
        except urllib.error.URLError as error:
            late = isinstance(error.reason, TimeoutError)
            raise TeacherError("timeout" if late else "unreachable", type(error.reason).__name__) from None
        except (OSError, http.client.HTTPException) as error:
            raise TeacherError("unreachable", type(error).__name__) from None
        except (ValueError, RecursionError):  # neither UTF-8 nor JSON
            raise TeacherError("bad_response", "an answer that is not JSON") from None

    def close(self) -> None:
        """Nothing is kept open between requests."""


def _key(server: EndpointConfig) -> str:
    return os.environ.get(server.api_key_env, "") if server.api_key_env else ""


def _without_key(reply: Reply, server: EndpointConfig) -> Reply:
    """A server that echoes the key must not bring it into the request ledger."""
    key = _key(server)
    return replace(reply, text=reply.text.replace(key, REDACTED)) if key else reply


def _read(answer: Any, deadline: float) -> bytes:
    """The body, bounded in bytes and in time: a socket's time-out begins anew with every byte."""
    chunks, size = [], 0
    while chunk := answer.read1(65_536):
        chunks.append(chunk)
        size += len(chunk)
        if size > _BODY_MAX:
            raise TeacherError("bad_response", f"an answer of more than {_BODY_MAX} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError
    if answer.length:  # what the server said it would send; `read1` does not miss it
        raise http.client.IncompleteRead(b"", answer.length)
    return b"".join(chunks)


def _error_body(error: urllib.error.HTTPError) -> bytes:
    """The beginning of an error's body, or nothing where the connection breaks: its status is known."""
    try:
        return bytes(error.read(65_536))
    except (OSError, http.client.HTTPException):
        return b""


_STATUS = {401: "unauthorised", 403: "unauthorised", 404: "no_such_model", 408: "timeout", 429: "rate_limited"}


class _RetryLaterError(TeacherError):
    """A `TeacherError` with what the server said of when to come back."""

    def __init__(self, reason: str, found: str, retry_after: str) -> None:
        super().__init__(reason, found)
        self.retry_after = retry_after


def _status_error(status: int, body: bytes, key: str, retry_after: str) -> TeacherError:
    code = error_code(body)
    found = f"HTTP {status}" + (f" ({code})" if code and not (key and key in code) else "")
    if code == "context_length_exceeded" or code == "exceed_context_size_error":
        return TeacherError("prompt_too_long", found)
    if code == "content_filter":
        return TeacherError("refused", found)
    if 300 <= status < 400:
        return TeacherError("unauthorised", f"{found}, a redirect, which is not followed; mend base_url")
    reason = _STATUS.get(status, "server_error" if status >= 500 else "bad_request")
    return _RetryLaterError(reason, found, retry_after)
