"""A model's own tokenizer and chat template, and what its config.json tells of it; through transformers, lazily.

The engine is given what is rendered here: token ids, or for pictures the text with their placeholders. So a prompt is
counted exactly as the engine will meet it, and in the thread that asks, not in the engine's loop.
"""

from __future__ import annotations

import functools
import json
import threading
from pathlib import Path
from typing import Any

from manifests.errors import TeacherError
from synth.chat import Request
from synth.teacher_config import Family, VllmConfig
from synth.tokens import family_of

_PROBE = "probe of a template"


@functools.cache
def model_facts(model: str, revision: str) -> dict[str, Any]:
    """The model's config.json. Raises `TeacherError` `no_such_model` where it cannot be read."""
    try:
        if (folder := Path(model).expanduser()).is_dir():
            path = folder / "config.json"
        else:
            from huggingface_hub import hf_hub_download

            path = Path(hf_hub_download(model, "config.json", revision=revision or None))
        facts = json.loads(path.read_bytes())
        if not isinstance(facts, dict):
            raise ValueError
    except (OSError, ValueError, ImportError) as error:
        raise TeacherError("no_such_model", f"no config.json to read for it ({type(error).__name__})") from None
    return facts


def sees(facts: dict[str, Any]) -> bool:
    """Whether a model reads pictures."""
    return bool(facts.get("vision_config") or facts.get("img_processor"))


def family(config: VllmConfig, facts: dict[str, Any]) -> Family:
    """By which rule a model's pictures are counted (`synth.tokens`)."""
    return config.family or family_of(str(facts.get("model_type", "")))


class Template:
    """Renders requests for one model. Any thread may use it."""

    def __init__(self, config: VllmConfig) -> None:
        from transformers import AutoProcessor, AutoTokenizer

        name, revision = config.tokenizer or config.model, config.model_revision or None
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=False)
            self._template: Any = self._tokenizer
            if not self._tokenizer.chat_template:
                self._template = AutoProcessor.from_pretrained(name, revision=revision, trust_remote_code=False)
        except (OSError, ValueError, ImportError) as error:
            raise TeacherError("no_such_model", f"no tokenizer to load for it ({type(error).__name__})") from None
        if not self._template.chat_template:
            raise TeacherError("no_such_model", "a model without a chat template; name a `tokenizer` that has one")
        self._backend = getattr(self._tokenizer, "backend_tokenizer", None)
        self._lock = threading.Lock()
        self._in_parts = self._wants_parts()

    def text(self, request: Request) -> str:
        """The prompt as the model is to read it, with a placeholder for each picture."""
        parts = self._in_parts or bool(request.pictures)
        said = [{"role": role, "content": _parts(content) if parts else content} for role, content in request.messages]
        if not request.pictures:
            return self._render(said)
        without = self._render(said)
        shown: list[Any] = [{"type": "image"}] * len(request.pictures)
        said[-1] = {**said[-1], "content": [*shown, *_parts(request.messages[-1][1])]}
        rendered = self._render(said)
        if len(rendered) <= len(without):
            raise TeacherError("media_not_supported", "a chat template without a place for pictures")
        return rendered

    def tokens(self, text: str) -> list[int]:
        """The ids of a rendered prompt."""
        if self._backend is not None:  # the wrapper around it sets padding anew each time, and threads would meet
            return list(self._backend.encode(text, add_special_tokens=False).ids)
        with self._lock:
            return list(self._tokenizer.encode(text, add_special_tokens=False))

    def _wants_parts(self) -> bool:
        """Templates of some models that see read only lists of parts, and show a plain text as nothing."""
        try:
            return _PROBE not in self._render([{"role": "user", "content": _PROBE}])
        except TeacherError:
            return True

    def _render(self, said: list[dict[str, Any]]) -> str:
        import jinja2

        try:
            text = self._template.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
        except (jinja2.TemplateError, TypeError, ValueError, KeyError) as error:
            raise TeacherError("bad_request", f"the chat template's {type(error).__name__}") from None
        return str(text)


def _parts(content: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": content}]
