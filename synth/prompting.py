"""Prompts: Markdown files, and the closed substitution that fills them.

A prompt file has YAML front matter (`version`, `task`, `max_tokens`, `schema`: a JSON Schema as text) and sections:
`# system` (may be left out), then pairs of `# user` and `# assistant` as worked examples, and a last `# user` with the
placeholders. A placeholder is `{{name}}`; it stands alone on a line between two lines of three double quotes, so what
a source wrote is always delimited as data. Names that the file does not have, and names
that it has and nobody gives, are errors. `as_data` takes from source text what a chat template would read as its own
control tokens, and what would close the delimiter.

Covered: the control tokens of ChatML, Llama, Mistral, Gemma, DeepSeek, Phi and SmolLM, any other tag of one word, our
own answer tags, media place holders. Not covered: plain-language instructions inside source text; that is what the
checks of each answer are for (`synth.written`: what only a command says, no answer may say).
"""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from manifests.errors import RecipeError
from synth.chat import Picture, Request, Role

_PLACE = re.compile(r"\{\{\s*([a-z_]+)\s*\}\}")
_DELIMITED = re.compile(r'^"""\n\{\{([a-z_]+)\}\}\n"""$', re.MULTILINE)
_SECTION = re.compile(r"^# (system|user|assistant)\n", re.MULTILINE)
_BRACKETED = (
    "INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|CALL_ID|ARGS|IMG|IMG_BREAK|IMG_END|AUDIO"
    "|THINK|PREFIX|MIDDLE|SUFFIX|CLS|SEP|PAD|UNK|MASK|BOS|EOS|gMASK|sMASK|sop|eop"
)
_CONTROL = re.compile(
    r"[<＜﹤](?=[|｜])|(?<=[|｜])[>＞﹥]"  # <|im_start|>, <｜User｜>
    r"|[<＜﹤](?=/?[a-z_][\w.:-]{0,63}[>＞﹥])"  # <s>, </think>, <start_of_turn>, <unused12>, <repo_name>
    r"|[<＜﹤](?=0x[0-9a-f]{2}[>＞﹥])"  # a byte's token
    r"|<(?=<SYS>>|</SYS>>)"
    rf"|\[(?=/?(?:{_BRACKETED})\])"
    r"|\"(?=\"\")|\{(?=\{)",  # the delimiter, a placeholder
    re.IGNORECASE,
)
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff0-\uffff]")


class _Head(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    version: int = Field(ge=1)
    task: str = Field(min_length=1)
    max_tokens: int = Field(ge=1, le=8192)
    json_schema: str = Field(default="", alias="schema")

    @field_validator("json_schema")
    @classmethod
    def _is_json(cls, value: str) -> str:
        if value and not isinstance(json.loads(value), dict):
            raise ValueError("schema must be a JSON object")
        # The order of the properties is kept: an engine writes them in it, and reasoning comes before its answer.
        return value and json.dumps(json.loads(value), separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt file. `prompt_id` is NAME@VERSION-DIGEST, with the first 8 digits of the file's sha256, so that an
    edit that forgot the version is seen too. `names` are its placeholders."""

    name: str
    task: str
    max_tokens: int
    schema: str
    sections: tuple[tuple[str, str], ...]
    prompt_id: str
    names: frozenset[str]


@functools.lru_cache(maxsize=64)
def load(name: str) -> Prompt:
    """The prompt of a shipped name (`narrate`) or of a path that ends in `.md`. Raises `RecipeError`."""
    path = Path(name)
    place = path if path.suffix == ".md" else importlib.resources.files("synth") / "prompts" / f"{name}.md"
    try:
        data = place.read_bytes()
    except OSError:
        raise RecipeError(
            f"there is no prompt {name!r}; shipped are {', '.join(shipped())}, or name a .md file"
        ) from None
    return parse(path.stem, data)


def shipped() -> list[str]:
    """Names of the prompts in the package, sorted."""
    folder = importlib.resources.files("synth") / "prompts"
    return sorted(entry.name.removesuffix(".md") for entry in folder.iterdir() if entry.name.endswith(".md"))


def parse(name: str, data: bytes) -> Prompt:
    """A prompt from the bytes of its file. Raises `RecipeError` that names what is wrong."""
    try:
        text = data.decode().replace("\r\n", "\n")
        _, front, body = re.split(r"^---\n", text, maxsplit=2, flags=re.MULTILINE)
        head = _Head.model_validate(yaml.safe_load(front))
    except ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f"prompt {name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (ValueError, RecursionError, yaml.YAMLError):
        raise RecipeError(f"prompt {name}: it must begin with front matter between two lines of ---") from None
    parts = _SECTION.split(body)
    sections = tuple((role, content.strip()) for role, content in zip(parts[1::2], parts[2::2], strict=True))
    order = " ".join(role for role, _ in sections)
    if parts[0].strip() or not re.fullmatch(r"(system )?(user assistant )*user", order):
        raise RecipeError(
            f"prompt {name}: sections must be [system] [user assistant]... user, found: {order or 'none'}"
        )
    names = _PLACE.findall(body)
    if sorted(names) != sorted(_DELIMITED.findall(sections[-1][1])) or len(set(names)) != len(names):
        raise RecipeError(
            f'prompt {name}: a placeholder stands once, in the last section, alone between two lines of """'
        )
    prompt_id = f"{name}@{head.version}-{hashlib.sha256(data).hexdigest()[:8]}"
    return Prompt(name, head.task, head.max_tokens, head.json_schema, sections, prompt_id, frozenset(names))


def as_data(text: str) -> str:
    """Source text with its control tokens broken by a space (`<|im_end|>` becomes `< |im_end| >`), unprintable and
    direction-changing characters left out, and nothing else changed."""
    cleaned = _UNPRINTABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _CONTROL.sub(lambda m: f" {m[0]}" if m[0] in ">＞﹥" else f"{m[0]} ", cleaned).strip()


def render(prompt: Prompt, values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The messages of a prompt with its placeholders filled by `as_data` of the values, in one pass: a placeholder
    inside a value is not filled. Raises `RecipeError` for names too many or too few."""
    wrong = sorted(prompt.names ^ values.keys())
    if wrong:
        raise RecipeError(f"prompt {prompt.name}: it has the names {sorted(prompt.names)}, given were {sorted(values)}")
    ready = {name: as_data(value) for name, value in values.items()}
    return tuple((role, _PLACE.sub(lambda m: ready[m[1]], text)) for role, text in prompt.sections)


def request(
    prompt: Prompt,
    values: Mapping[str, str],
    seed: int,
    temperature: float = 0.0,
    pictures: tuple[Picture, ...] = (),
    role: Role = "teacher",
    logprobs: bool = False,
) -> Request:
    """The request that a prompt and its values make."""
    return Request(
        messages=render(prompt, values),
        prompt_id=prompt.prompt_id,
        schema=prompt.schema,
        max_tokens=prompt.max_tokens,
        temperature=temperature,
        seed=seed,
        pictures=pictures,
        role=role,
        logprobs=logprobs,
    )
