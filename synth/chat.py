"""The chat dialect: what a request and a reply are, and how they stand in Chat Completions.

The dialect (`response_format: {"type": "json_schema", ...}` for structured output, pictures as data URLs, `logprobs`)
is what vLLM, SGLang and llama.cpp serve too. No error holds the prompt or what the server said beyond a short code.
"""

from __future__ import annotations

import json
import math
import re
from base64 import b64encode
from dataclasses import dataclass
from typing import Any, Literal

from manifests.errors import TeacherError

STORED = frozenset({"refused", "bad_request", "prompt_too_long", "kills_engine"})
TRANSIENT = frozenset({"timeout", "rate_limited", "server_error", "unreachable", "bad_response"})
_ENDS = frozenset({"stop", "length", "content_filter"})


Role = Literal["teacher", "stronger", "blind", "judge"]  # who of a recipe's teachers is asked
ROLES: tuple[Role, ...] = ("teacher", "stronger", "blind", "judge")


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture that goes with a request, encoded; `sha256` is over its pixels (shape, dtype, values), so that a
    request's key does not depend on how an encoder writes them."""

    sha256: str
    mime: str  # image/png or image/jpeg
    data: bytes
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a teacher. `messages` are (role, content) pairs, `schema` is JSON Schema text or "" for free
    text, `prompt_id` is name@version of the prompt file. `pictures` stand before the text of the last message.

    `role` says whom of the recipe's teachers it goes to; `logprobs` asks for `Reply.entropy`.
    """

    messages: tuple[tuple[str, str], ...]
    prompt_id: str
    schema: str = ""
    max_tokens: int = 48
    temperature: float = 0.0
    seed: int = 0
    pictures: tuple[Picture, ...] = ()
    role: Role = "teacher"
    logprobs: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What a teacher wrote; `finish_reason` is `stop`, or `length` where `max_tokens` cut it off. `entropy` is the mean
    over its tokens of minus the natural logarithm of each one's probability, None where the engine did not say."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    entropy: float | None = None


def messages_of(request: Request) -> list[dict[str, Any]]:
    """The messages in the dialect of Chat Completions; pictures as data URLs before the text of the last one."""
    said: list[dict[str, Any]] = [{"role": role, "content": content} for role, content in request.messages]
    if request.pictures:
        urls = (f"data:{p.mime};base64,{b64encode(p.data).decode()}" for p in request.pictures)
        parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        said[-1] = {**said[-1], "content": [*parts, {"type": "text", "text": said[-1]["content"]}]}
    return said


def refuse_pictures(request: Request) -> None:
    """An engine that reads text alone must not answer a request with pictures as if it had none."""
    if request.pictures:
        found = f"{len(request.pictures)} pictures in a request to a text-only teacher"
        raise TeacherError("media_not_supported", found)


def response_format(request: Request) -> dict[str, Any]:
    """The part of a chat request that asks for JSON of the request's schema; empty for free text."""
    if not request.schema:
        return {}
    schema = {"name": "answer", "strict": True, "schema": json.loads(request.schema)}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def logprobs_wanted(request: Request) -> dict[str, Any]:
    """The part of a chat request that asks for the log probability of each written token; empty where none wants it."""
    return {"logprobs": True} if request.logprobs else {}


def reply_from(answer: Any) -> Reply:
    """The `Reply` of a chat completion; `TeacherError` `refused` or `bad_response` where it holds none. A reason to end
    that is not known counts as `stop`."""
    try:
        choice, usage = answer["choices"][0], answer.get("usage") or {}
        message, reason = choice["message"], choice.get("finish_reason")
        content, refusal = message.get("content"), message.get("refusal")
        tokens = max(0, int(usage.get("prompt_tokens", 0))), max(0, int(usage.get("completion_tokens", 0)))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise TeacherError("bad_response", "an answer without choices[0].message") from error
    if refusal or reason == "content_filter":
        raise TeacherError("refused", "a refusal of the model" if refusal else "a content filter")
    if content is not None and not isinstance(content, str):
        raise TeacherError("bad_response", f"content of type {type(content).__name__}")
    known = reason if isinstance(reason, str) and reason in _ENDS else "stop"
    return Reply(content or "", known, *tokens, _entropy(choice.get("logprobs")))


def _entropy(said: Any) -> float | None:
    """Mean of minus the log probabilities of a choice's tokens, or None where they are not all there."""
    try:
        values = [float(token["logprob"]) for token in said["content"]]
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    mean = -math.fsum(values) / len(values) if values and all(map(math.isfinite, values)) else math.nan
    return max(mean, 0.0) if math.isfinite(mean) else None


def error_code(body: bytes) -> str:
    """The short machine-readable code of an error body (`error.code`, else `error.type`), or ""."""
    try:
        error = json.loads(body)["error"]
        said = [error.get("code"), error.get("type")]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""
    return next((code for s in said if (code := _short(s))), "")


def _short(code: Any) -> str:
    """A short machine-readable code, or "": whatever else a server says there goes no further."""
    return code if isinstance(code, str) and re.fullmatch(r"[a-z][a-z_]{2,40}", code) else ""
