"""The tasks: each a frozen configuration and a pure function `drafts`.

A new task is one file, one member of `Task` and one entry here. A program task is `drafts(record, view, config, seed)`.
A teacher task is a generator `drafts(subject, config, seed, given)`: it yields requests and is sent their answers
(`synth.asking.Asking`); `given` are the program drafts that were made of the record before. A recipe names a task
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
from synth.asking import Asking
from synth.proofs import MediaView
from synth.tasks import (
    abnormality,
    caption,
    consultation,
    cot,
    dialogue,
    five_part,
    interleaved,
    label_caption,
    mcq,
    measure,
    media,
    narrate,
    passage_qa,
    progression,
    qa,
    rag,
    reflective,
    region,
    report_qa,
    source_text,
    tools,
    twins,
    video_qa,
    vqa,
)
from synth.tasks.abnormality import Abnormality
from synth.tasks.caption import Caption
from synth.tasks.consultation import Consultation
from synth.tasks.cot import Cot
from synth.tasks.dialogue import Dialogue
from synth.tasks.five_part import FivePart
from synth.tasks.interleaved import Interleaved
from synth.tasks.label_caption import LabelCaption
from synth.tasks.mcq import Mcq
from synth.tasks.measure import Measure
from synth.tasks.media import MediaAlone
from synth.tasks.narrate import Narrate
from synth.tasks.passage_qa import PassageQa
from synth.tasks.progression import Progression
from synth.tasks.qa import Qa
from synth.tasks.rag import Rag
from synth.tasks.reflective import Reflective
from synth.tasks.region import Region
from synth.tasks.report_qa import ReportQa
from synth.tasks.source_text import SourceText
from synth.tasks.subject import Subject
from synth.tasks.tools import Tools
from synth.tasks.twins import Twins
from synth.tasks.video_qa import VideoQa
from synth.tasks.vqa import Vqa

Written = Abnormality | Consultation | Cot | FivePart | LabelCaption | Narrate | PassageQa | Reflective | ReportQa | Vqa
Told = Caption | Dialogue | Interleaved | MediaAlone | Qa | SourceText
Program = Told | Mcq | Measure | Progression | Rag | Region | Tools | Twins | VideoQa
Task = Annotated[Program | Written, Field(discriminator="task")]

# The second argument of each function is its own configuration model; `parse_task` pairs them by the name they share.
PROGRAM_TASKS: Mapping[str, Callable[[Record, MediaView, Any, int], list[Draft]]] = MappingProxyType(
    {
        "caption": caption.drafts,
        "dialogue": dialogue.drafts,
        "interleaved": interleaved.drafts,
        "mcq": mcq.drafts,
        "measure": measure.drafts,
        "media": media.drafts,
        "progression": progression.drafts,
        "qa": qa.drafts,
        "rag": rag.drafts,
        "region": region.drafts,
        "source_text": source_text.drafts,
        "tools": tools.drafts,
        "twins": twins.drafts,
        "video_qa": video_qa.drafts,
    }
)
TEACHER_TASKS: Mapping[str, Callable[[Subject, Any, int, Sequence[Draft]], Asking]] = MappingProxyType(
    {
        "abnormality": abnormality.drafts,
        "consultation": consultation.drafts,
        "cot": cot.drafts,
        "five_part": five_part.drafts,
        "label_caption": label_caption.drafts,
        "narrate": narrate.drafts,
        "passage_qa": passage_qa.drafts,
        "reflective": reflective.drafts,
        "report_qa": report_qa.drafts,
        "vqa": vqa.drafts,
    }
)
_PROMPTS: Mapping[str, Callable[[Any], tuple[str, ...]]] = MappingProxyType(
    {
        "abnormality": abnormality.prompt_ids,
        "consultation": consultation.prompt_ids,
        "cot": cot.prompt_ids,
        "five_part": five_part.prompt_ids,
        "label_caption": label_caption.prompt_ids,
        "narrate": narrate.prompt_ids,
        "passage_qa": passage_qa.prompt_ids,
        "reflective": reflective.prompt_ids,
        "report_qa": report_qa.prompt_ids,
        "vqa": vqa.prompt_ids,
    }
)


def prompt_ids(task: Task) -> tuple[str, ...]:
    """The prompts that a task asks with, none for a program; they belong into a unit's key."""
    return _PROMPTS[task.task](task) if task.task in _PROMPTS else ()


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
