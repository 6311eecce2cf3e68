"""The chat dialect: what a request and a reply are, and an OpenAI-compatible endpoint over HTTP.

The dialect is that of the Chat Completions API (`response_format: {"type": "json_schema", ...}` for structured
output), which vLLM, SGLang and llama.cpp serve too. Proxies are those of the environment (`https_proxy`, `no_proxy`).
Redirects are not followed: the key would go to an address that nobody wrote down. No error holds the key, the prompt
or what the server said beyond a short code, and no reply the key, should a server echo it.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from email.message import Message
from typing import IO, Any

from manifests.errors import TeacherError
from manifests.record import digest
from manifests.redact import REDACTED, protect
from synth.teacher_config import OpenAIConfig

STORED = frozenset({"refused", "bad_request", "prompt_too_long"})
TRANSIENT = frozenset({"timeout", "rate_limited", "server_error", "unreachable", "bad_response"})
_BODY_MAX = 8 << 20  # bytes of an answer; a chat completion without logprobs has a few thousand
_PAUSE_MAX_S = 60.0


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a teacher. `messages` are (role, content) pairs, `schema` is JSON Schema text or "" for free
    text, `prompt_id` is name@version of the prompt file, `media` the sha256 of media that go with it (none yet)."""

    messages: tuple[tuple[str, str], ...]
    prompt_id: str
    schema: str = ""
    max_tokens: int = 48
    temperature: float = 0.0
    seed: int = 0
    media: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a teacher wrote; `finish_reason` is `stop`, or `length` where `max_tokens` cut it off."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int


def refuse_media(request: Request) -> None:
    """No engine here sends media yet; a request that carries some must not be answered as if it had none."""
    if request.media:
        raise TeacherError("media_not_supported", f"{len(request.media)} media in a request to a text-only teacher")


def response_format(request: Request) -> dict[str, Any]:
    """The part of a chat request that asks for JSON of the request's schema; empty for free text."""
    if not request.schema:
        return {}
    schema = {"name": "answer", "strict": True, "schema": json.loads(request.schema)}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def reply_from(answer: Any) -> Reply:
    """The `Reply` of a chat completion; `TeacherError` `refused` or `bad_response` where it holds none."""
    try:
        choice, usage = answer["choices"][0], answer.get("usage") or {}
        message, reason = choice["message"], _short(choice.get("finish_reason")) or "stop"
        content, refusal = message.get("content"), message.get("refusal")
        tokens = int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise TeacherError("bad_response", "an answer without choices[0].message") from error
    if refusal or reason == "content_filter":
        raise TeacherError("refused", "a refusal of the model" if refusal else "a content filter")
    if content is not None and not isinstance(content, str):
        raise TeacherError("bad_response", f"content of type {type(content).__name__}")
    return Reply(content or "", reason, *tokens)


def _short(code: Any) -> str:
    """A short machine-readable code, or "": whatever else a server says there goes no further."""
    return code if isinstance(code, str) and re.fullmatch(r"[a-z][a-z_]{2,40}", code) else ""


# --- HTTP ------------------------------------------------------------------------------------------------------------


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """None: the answer is taken as the error that its status is."""


class OpenAITeacher:
    """One endpoint, one request at a time and thread; 429, 5xx, time-outs and unreadable answers are tried again after
    a pause that doubles, or after `Retry-After` seconds where the server says so."""

    def __init__(self, config: OpenAIConfig) -> None:
        self._config = config
        self.model = config.model
        self.revision = config.revision
        protect(config.api_key_env)
        self._opener = urllib.request.build_opener(_NoRedirect())

    def ask(self, request: Request) -> Reply:
        refuse_media(request)
        body = {
            "model": self._config.model,
            "messages": [{"role": role, "content": content} for role, content in request.messages],
            self._config.max_tokens_field: request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
            **response_format(request),
        }
        data = json.dumps(body, ensure_ascii=False).encode()
        attempt = 0
        while True:
            pause = _Pause(self._config.backoff_s, attempt, data)
            try:
                return self._without_key(reply_from(self._post(data, pause)))
            except TeacherError as error:
                if error.reason not in TRANSIENT or attempt == self._config.retries:
                    raise
            time.sleep(pause.seconds())
            attempt += 1

    def _key(self) -> str:
        return os.environ.get(self._config.api_key_env, "") if self._config.api_key_env else ""

    def _without_key(self, reply: Reply) -> Reply:
        """A server that echoes the key must not bring it into the request ledger."""
        key = self._key()
        return replace(reply, text=reply.text.replace(key, REDACTED)) if key else reply

    def _post(self, data: bytes, pause: _Pause) -> Any:
        headers = {"Content-Type": "application/json", "User-Agent": "medcurate"}
        key = self._key()
        if key:
            headers["Authorization"] = f"Bearer {key}"
        url = f"{self._config.base_url}/chat/completions"
        question = urllib.request.Request(url, data, headers)  # noqa: S310 - the configuration admits http(s) only
        deadline = time.monotonic() + self._config.timeout_s
        try:
            with self._opener.open(question, timeout=self._config.timeout_s) as answer:
                return json.loads(_read(answer, deadline))
        except urllib.error.HTTPError as error:
            with error:
                pause.retry_after = error.headers.get("Retry-After", "")
                # The chain is cut everywhere here: the original holds the request with its headers.
                raise _status_error(error.code, error.read(65_536), key) from None
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


@dataclass
class _Pause:
    """How long to wait before the next attempt. Spread by the request itself, so that workers do not come back in
    step, and no clock or chance decides."""

    backoff_s: float
    attempt: int
    data: bytes
    retry_after: str = ""

    def seconds(self) -> float:
        if re.fullmatch(r"\d{1,6}(\.\d+)?", self.retry_after.strip()):
            return min(float(self.retry_after), _PAUSE_MAX_S)
        spread = 0.5 + int(digest([self.attempt, self.data.hex()])[:4], 16) / 0xFFFF
        return min(self.backoff_s * 2.0**self.attempt * spread, _PAUSE_MAX_S)


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
    return b"".join(chunks)


_STATUS = {401: "unauthorised", 403: "unauthorised", 404: "no_such_model", 408: "timeout", 429: "rate_limited"}


def _status_error(status: int, body: bytes, key: str) -> TeacherError:
    code = _error_code(body)
    found = f"HTTP {status}" + (f" ({code})" if code and not (key and key in code) else "")
    if code == "context_length_exceeded" or code == "exceed_context_size_error":
        return TeacherError("prompt_too_long", found)
    if code == "content_filter":
        return TeacherError("refused", found)
    if 300 <= status < 400:
        return TeacherError("unauthorised", f"{found}, a redirect, which is not followed; mend base_url")
    return TeacherError(_STATUS.get(status, "server_error" if status >= 500 else "bad_request"), found)


def _error_code(body: bytes) -> str:
    """The short machine-readable code of an error body (`error.code`, else `error.type`), or ""."""
    try:
        error = json.loads(body)["error"]
        said = [error.get("code"), error.get("type")]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""
    return next((code for s in said if (code := _short(s))), "")
