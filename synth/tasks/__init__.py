"""The tasks: each a frozen configuration and a pure function `drafts(record, view, config, seed)`.

A new task is one file, one member of `Task` and one entry here. Teacher tasks take two more arguments: `ask`, which
goes through the request ledger, and the program drafts that were made of the record before. A recipe names a task
(`measure`) or gives it options (`{task: measure, max_questions: 3}` or `{measure: {max_questions: 3}}`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from manifests.config import Config, recipe_error
from manifests.record import Record
from manifests.sample import Draft
from synth.proofs import MediaView
from synth.requests import Ask
from synth.tasks import caption, cot, mcq, measure, narrate, qa, source_text
from synth.tasks.caption import Caption
from synth.tasks.cot import Cot
from synth.tasks.mcq import Mcq
from synth.tasks.measure import Measure
from synth.tasks.narrate import Narrate
from synth.tasks.qa import Qa
from synth.tasks.source_text import SourceText

Task = Annotated[Measure | Caption | Mcq | Qa | SourceText | Narrate | Cot, Field(discriminator="task")]

# The second argument of each function is its own configuration model; `parse_task` pairs them by the name they share.
PROGRAM_TASKS: Mapping[str, Callable[[Record, MediaView, Any, int], list[Draft]]] = MappingProxyType(
    {
        "measure": measure.drafts,
        "caption": caption.drafts,
        "mcq": mcq.drafts,
        "qa": qa.drafts,
        "source_text": source_text.drafts,
    }
)
TEACHER_TASKS: Mapping[str, Callable[[Record, MediaView, Any, int, Ask, Sequence[Draft]], list[Draft]]] = (
    MappingProxyType(
        {
            "narrate": lambda record, view, config, seed, ask, _given: narrate.drafts(record, view, config, seed, ask),
            "cot": cot.drafts,
        }
    )
)


def prompt_ids(task: Task) -> tuple[str, ...]:
    """The prompts that a task asks with, none for a program; they belong into a unit's key."""
    if isinstance(task, Narrate):
        return narrate.prompt_ids(task)
    if isinstance(task, Cot):
        return cot.prompt_ids(task)
    return ()


def _as_mapping(value: object) -> object:
    """A name or `{name: options}` as the mapping that the union reads; a task stays what it is."""
    if isinstance(value, str):
        return {"task": value}
    if isinstance(value, Mapping) and "task" not in value and len(value) == 1:
        name, options = next(iter(value.items()))
        if options is None or isinstance(options, Mapping):
            return {"task": name, **(options or {})}
    if isinstance(value, (Mapping, Config)):
        return value
    raise ValueError(f"a task is a name or a mapping with options, not {value!r}")


TaskEntry = Annotated[Task, BeforeValidator(_as_mapping)]  # what a recipe may write


def parse_task(value: object) -> Task:
    """The task that a recipe's entry means: a name, or a mapping with options. Raises `RecipeError` in one line."""
    adapter: TypeAdapter[Task] = TypeAdapter(TaskEntry)
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise recipe_error(error, "task") from None
