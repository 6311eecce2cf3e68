"""The rubric: a judge says of each criterion whether it holds, and our own code adds the weights up.

It is a gate, so an opinion that is missing or cannot be read rejects (`rubric_unread`), other than with a veto. The
judge gives a short reason before each verdict; reasons are kept in the request ledger alone, since nobody checks them.
What programs decide (`synth.judging.programs`) is not asked, and a draft that cannot pass any more is not asked about.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal, TypeAlias

from manifests.sample import Draft
from synth import prompting
from synth.asking import Talk, asked, usable
from synth.chat import Request
from synth.flaws import fits
from synth.judging.config import Judging, Rubric
from synth.judging.criteria import Criteria, Criterion, failed, load, score
from synth.judging.programs import Asked, asked_of, decided
from synth.judging.questions import Finding, finding, pictures_of, shows_media
from synth.judging.veto import draft_text
from synth.requests import Answered
from synth.tasks.posing import LETTER_HINT
from synth.tasks.subject import Subject
from synth.teacher_config import EmbeddedConfig, ScriptedConfig, TeacherConfig
from synth.written import excerpt, fact_lines

Beside: TypeAlias = Literal["stronger", "blind", "judge"]  # whom a recipe names beside its teacher
LONGEST_REASON = 120  # characters
_NOTHING = 1e-9  # what a sum of weights may lack of the threshold


def concerns(subject: Subject, draft: Draft, config: Rubric) -> bool:
    """Whether a draft is one that the judge is asked about: of a stage and task of the configuration, of the form that
    the rubric is about, and with no media that the judge cannot see."""
    named = draft.accepted and draft.stage in config.stages and (not config.tasks or draft.task in config.tasks)
    if not named or "judge" not in subject.roles:
        return False
    if "judge" not in subject.sees and shows_media(subject, draft):
        return False
    return load(config.criteria).criteria.about == "any" or asked_of(subject.record, draft) is not None


def rubric(subject: Subject, draft: Draft, config: Rubric, seed: int) -> Talk[Finding]:
    """The verdict `rubric` with the score of `synth.judging.criteria.score`; the evidence names the failed criteria.

    Reasons: `rubric_essential` (an essential criterion does not hold), `rubric_score` (below the threshold),
    `rubric_unread` (no opinion, or one that cannot be read, in three tries)."""
    criteria = load(config.criteria).criteria
    choice = asked_of(subject.record, draft)
    found = {one.field: decided(one.program, choice) for one in criteria.all if one.program}
    known = {field: holds for field, holds in found.items() if holds is not None}
    left = [one for one in criteria.all if one.field not in known]
    best = {**{one.field: one.weight > 0 for one in left}, **known}
    if not left or _lacking(criteria, best, config):
        return _told(criteria, best, config, "not asked: programs decide" if left else "")
    request = _request(subject, draft, choice, left, config, seed)
    answered = yield from asked(request, usable(request))
    said = _read(answered, left)
    if said is None:
        why = answered.error.reason if answered.error else "not the JSON that was asked for"
        return finding("rubric", "rubric_unread", 0.0, f"no opinion: {why}")
    return _told(criteria, {**known, **said}, config, "")


def _lacking(criteria: Criteria, holds: Mapping[str, bool], config: Rubric) -> str:
    """The reason that a draft with these verdicts is rejected for, or ""."""
    if not all(holds[one.field] for one in criteria.essential):
        return "rubric_essential"
    return "rubric_score" if score(criteria, holds) < config.threshold - _NOTHING else ""


def _told(criteria: Criteria, holds: Mapping[str, bool], config: Rubric, note: str) -> Finding:
    got, names = score(criteria, holds), failed(criteria, holds)
    parts = [f"{got:.4f}, wanted {config.threshold:g}"]
    parts += [f"failed: {', '.join(names)}"] if names else []
    return finding("rubric", _lacking(criteria, holds, config), got, "; ".join([*parts, note] if note else parts))


def schema_of(criteria: Iterable[Criterion]) -> str:
    """The JSON Schema of an answer: for each criterion a reason, and then whether it holds."""
    properties: dict[str, dict[str, object]] = {}
    for one in criteria:
        properties[f"{one.field}_reason"] = {"type": "string", "minLength": 1, "maxLength": LONGEST_REASON}
        properties[one.field] = {"type": "boolean"}
    return json.dumps(
        {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False},
        separators=(",", ":"),
    )


def _request(
    subject: Subject, draft: Draft, choice: Asked | None, left: list[Criterion], config: Rubric, seed: int
) -> Request:
    values = {
        "criteria": "\n".join(f"{one.field}: {one.says}" for one in left),
        "facts": fact_lines(subject.shown, config.facts) or "none",
        "source": excerpt(subject.record.text.strip(), config.source_chars) or "none",
        "sample": _sample(draft, choice),
    }
    pictures = pictures_of(subject, draft, "judge")
    made = prompting.request(prompting.load(config.prompt), values, seed, pictures=pictures, role="judge")
    return replace(made, schema=schema_of(left))


def _sample(draft: Draft, choice: Asked | None) -> str:
    """A draft as the judge reads it. A multiple choice reads the same as a conversation and as a prompt, so that one
    opinion serves both."""
    if choice is None or choice.place < 0:
        return draft_text(draft)
    letter, option = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[choice.place], choice.choice.options[choice.place]
    said = [turn.content.strip() for turn in draft.turns if turn.role == "assistant"]
    if said not in ([], [f"{letter}. {option}"]) or choice.choice.tail.strip() not in ("", LETTER_HINT):
        return draft_text(draft)
    lines = [f"{chr(ord('A') + n)}. {one}" for n, one in enumerate(choice.choice.options)]
    return "\n".join([f"Question: {choice.stem}", *lines, f"Right answer: {letter}. {option}"])


def _read(answered: Answered, left: list[Criterion]) -> dict[str, bool] | None:
    """Whether each criterion holds, by field; None for an answer that is not wholly of its schema."""
    if answered.reply is None:
        return None
    try:
        said = json.loads(answered.reply.text)
    except (ValueError, RecursionError):
        return None
    if not fits(said, json.loads(schema_of(left))):
        return None
    return {one.field: said[one.field] for one in left}


# --------------------------------------------------------------------------------------------------- the recipe's check
def misfit(
    judging: Judging, teacher: TeacherConfig | None, others: Mapping[Beside, TeacherConfig], tasks: Iterable[str]
) -> str:
    """What is wrong with a rubric in its recipe, in words with the remedy, or "": a judge that is the model which
    writes, unless `same_model` allows it, or a task that does not run. Models are told apart by name or file."""
    if judging.rubric is None:
        return ""
    unknown = sorted(set(judging.rubric.tasks) - set(tasks))
    if unknown:
        return f"judging.rubric.tasks names '{unknown[0]}', which the recipe does not run; add it to `tasks`"
    judge = _weights(others.get("judge"))
    for role, config in (("teacher", teacher), ("stronger", others.get("stronger"))):
        if judge and judge == _weights(config) and not judging.rubric.same_model:
            return (
                f"the judge of judging.rubric is the model that writes (`{role}`), and a model likes its own words; "
                "name another model in `teachers.judge`, or set `judging.rubric.same_model: true`"
            )
    return ""


def _weights(config: TeacherConfig | None) -> str:
    """Which model answers, as far as a configuration tells; "" for none, and for a script, which is no model."""
    if config is None or isinstance(config, ScriptedConfig):
        return ""
    name = f"embedded {config.model_path}" if isinstance(config, EmbeddedConfig) else config.model.rstrip("/")
    return name.casefold()
