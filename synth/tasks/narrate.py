"""narrate: the teacher writes one sentence about a record, and every check judges it.

A record with media is told from its facts (`synth.written.TOLD`) that hold for what is shown (`synth.tasks.seen`), a
record of text from the beginning of its text. The
sentence becomes the `text` of a draft for pretraining; a draft that failed a check is given back too, not accepted and
with its reason, so that the report can say what the teacher gets wrong. A teacher that wrote nothing new to the eye
(a text-only one does not see the picture) can only reword what is known: this task adds language, not knowledge.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from pydantic import Field, field_validator

from manifests.config import Config
from manifests.record import Fact
from manifests.sample import Draft
from synth import prompting
from synth.asking import Asking
from synth.tasks.subject import Subject
from synth.verify import faithfulness
from synth.written import check_text, excerpt, fact_lines, first_failed, read_fields

TURN = -1  # the draft's text


class Narrate(Config):
    """`prompt` and `text_prompt` are shipped names or paths of prompt files."""

    task: Literal["narrate"] = "narrate"
    share: float = Field(default=1.0, gt=0, le=1)  # of the records, chosen by their keys
    prompt: str = "narrate"
    text_prompt: str = "explain"
    facts: int = Field(default=5, ge=1, le=40)  # lines of facts that are shown
    source_chars: int = Field(default=160, ge=40, le=20_000)  # of a text that is shown
    # Lines of a text that do not speak of its subject, as a pattern for their beginning. The default leaves of an ICD
    # category what it does not include, what holds it, and its codes: a small model takes one of them for the whole.
    leave_out: str = r"(Excludes|Not included here|Chapter|Block|[A-Z]\d[\dA-Z](\.\w+)?): "
    longest: int = Field(default=400, ge=20)  # characters of the answer
    grounded: float = Field(default=0.75, ge=0, le=1)  # share of its content words that were shown

    @field_validator("leave_out")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"leave_out is not a regular expression: {error}") from None
        return value


def prompt_ids(config: Narrate) -> tuple[str, ...]:
    """The prompts that decide what this task asks; they belong into a unit's key."""
    return tuple(prompting.load(name).prompt_id for name in (config.prompt, config.text_prompt))


def drafts(subject: Subject, config: Narrate, seed: int, given: Sequence[Draft] = ()) -> Asking:
    """One draft for `pretrain`, or none where there is nothing to tell. The teacher sees the pictures if it can, and is
    told the facts that hold for what is shown.

    Raises `RecipeError` for a bad prompt file.
    """
    record = subject.shown
    if record.kind == "text":
        name, field, shown = config.text_prompt, "text", _told_text(record.text, config)
    else:
        name, field, shown = config.prompt, "facts", fact_lines(record, config.facts)
    if not shown:
        return []
    pictures = subject.pictures("teacher")
    (answered,) = yield (prompting.request(prompting.load(name), {field: shown}, seed, pictures=pictures),)
    fields, verdicts = read_fields(answered, ("caption",), TURN)
    text = fields.get("caption", "")
    if fields:
        verdicts += check_text(text, shown, config.grounded, config.longest, TURN)
        verdicts += faithfulness(text, (*record.facts, Fact("caption", shown, "shown")), TURN)
    reason = first_failed(verdicts)
    return [
        Draft(
            key=record.key,
            stage="pretrain",
            task="narrate",
            part=0,
            text=text,
            verdicts=tuple(verdicts),
            teacher=answered.author,
            accepted=not reason,
            reason=reason,
        )
    ]


def _told_text(text: str, config: Narrate) -> str:
    leave_out = re.compile(config.leave_out or r"(?!)")
    lines = [line for line in text.strip().splitlines() if not leave_out.match(line)]
    return excerpt("\n".join(lines), config.source_chars)
