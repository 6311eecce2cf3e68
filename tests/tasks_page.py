"""The options of every task as a table in `docs/tasks.md`. `python -m tests.tasks_page` writes it.

What an option means is read from the docstring of its task's configuration, where it stands in backticks; `MEANS` says
it of those that stand there with others or not at all, by `task.option` or by the option's name."""

from __future__ import annotations

import inspect
import json
import re
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from manifests.config import Config
from synth.tasks import Task

PAGE = Path(__file__).resolve().parents[1] / "docs" / "tasks.md"
BEGIN, END = "<!-- options: begin -->", "<!-- options: end -->"
OPTION = r"`(\w+)(?:: \w+)?`"
HEAD = f"""{BEGIN}
| task | option | default | what it means |
|---|---|---|---|
"""
MEANS: Mapping[str, str] = {
    "agree": "how much the answer given back must share with the gold (F1 of words)",
    "box_overlap": "intersection over union that an answer needs",
    "checked_by": "which teacher answers the questions back, where the recipe names it",
    "facts": "at most so many facts are told to the teacher",
    "grounded": "the least share of an answer's content words that the teacher was told",
    "intensity": "attenuation in HU may be asked",
    "labels": "all class names that the source uses, in canonical terms",
    "least": "fewer parts, or facts, make no sample",
    "longest": "characters of a teacher's answer; a longer one is rejected",
    "max_label_words": "an answer of more words makes no prompt for rewards",
    "max_questions": "at most so many questions of a record",
    "min_offset_mm": "structures nearer to each other along an axis are not asked about by side or height",
    "min_side": "pixels of the smallest box asked for",
    "pictures": "images, or slices of a volume, per record",
    "prompt": "a shipped prompt's name, or the path of a prompt file",
    "questions": "at most so many questions of a record",
    "share": "the part of the records that the teacher is asked about",
    "source_chars": "at most so many characters of the source's text are shown to the teacher",
    "temperature": "of the teacher; 0: its most likely words",
    "tolerance": "relative, for answers that are a number",
    "types": "of questions, by what they ask about",
    "consultation.least_pictures": "a record with fewer pictures is not asked about",
    "five_part.structures": "at most so many structures are told, the largest first",
    "label_caption.label": "the fact that holds the class",
    "label_caption.per_record": "at most so many wordings of a record become samples",
    "narrate.leave_out": "lines of a text that begin so, a regular expression, are not shown to the teacher",
    "passage_qa.context": "the passage stands before the question",
    "passage_qa.context_chars": "a longer passage does not",
    "passage_qa.families": "of spans that are asked for",
    "rag.min_ratio": "a passage is shown as long as it scores so much of the one before",
    "rag.without": "the share of the questions from which the passages that help are taken away",
    "report_qa.forms": "open questions, with options, a conversation, free ones of a sentence",
    "abnormality.findings": "so many findings of one record are reasoned to",
    "cot.routing": "K samples of one question, kept by how often the teacher is right (judging.md); null: `attempts`",
    "interleaved.side": "pixels of a slice's longer side",
    "interleaved.slices": "of a volume",
    "mended_least": "at least so many parts of a mended draft are the teacher's",
    "metric": "`giou` is the generalised form, which also tells boxes apart that do not touch",
    "passage_qa.nodes": "at most so many masked nodes of its classification",
    "passage_qa.questions": "at most so many questions of a passage",
    "passages": "at most so many are shown before a question",
    "per_type": "questions of each form and type",
    "qa.stages": "what is made of a question; `pretrain`: a text of it too",
    "report_qa.free": "free sentences that are asked about",
    "report_qa.per_type": "questions of each type",
    "source_text.latin_only": "a text in other letters is rejected with a verdict",
    "source_text.max_chars": "a longer text is rejected with a verdict; 0 means no limit",
    "state_spacing": "questions in mm or mL state the spacing of what is shown, and are not asked where it is unknown",
    "tools.pictures": "images, or slices of a volume, per record",
    "tools.trajectories": "per picture",
    "twins.families": "taken in turn",
    "vqa.closed": "questions with options or yes and no are asked",
    "vqa.open": "open questions are asked",
    "twins.levels": "of degradation, 1 slight to 3 strong",
    "text_prompt": "the same for texts",
    "node_prompt": "the same for nodes of a classification",
    "free_prompt": "the same for free questions of a sentence",
    "reread_prompt": "the same for answering a question back",
    "mistake_prompt": "the same for a wrong attempt",
    "check_prompt": "the same for the reflection on an attempt",
}


def options() -> Iterator[tuple[str, str, str, str]]:
    """(task, option, default, meaning) of every task, in the order of names and of declaration."""
    union = typing.get_args(Task)[0]
    for kind in sorted(typing.get_args(union), key=_name):
        said = _clauses(inspect.getdoc(kind) or "")
        for option, field in kind.model_fields.items():
            if option == "task":
                continue
            own = said.get(option, "")
            alone = own if len(re.findall(OPTION, own)) < 2 else ""  # a clause about several is read with the others
            means = MEANS.get(f"{_name(kind)}.{option}") or alone or MEANS.get(option) or own
            yield _name(kind), option, _shown(field.get_default(call_default_factory=True)), means


def _name(kind: type[Config]) -> str:
    return str(kind.model_fields["task"].default)


def _clauses(text: str) -> dict[str, str]:
    """What the docstring says of each option: the clause that names it, and those after it that name no other."""
    found: dict[str, str] = {}
    pieces: list[str] = []
    for piece in re.split(r"(?<=[.;]) ", " ".join(text.split())):
        if re.search(OPTION, piece) or not pieces:
            pieces.append(piece)
        else:
            pieces[-1] += f" {piece}"
    for piece in pieces:
        for option in re.findall(OPTION, piece):
            plain = re.sub(rf"^`{option}`:\s+", "", piece).rstrip(".;")
            found.setdefault(option, plain)
    return found


def _shown(value: Any) -> str:
    """A default as a recipe would write it."""
    plain = value.model_dump(mode="json") if isinstance(value, Config) else value
    return plain.strip() if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def table() -> str:
    rows = "".join(
        f"| {task} | `{option}` | `{default}` | {means} |\n"
        for task, option, default, means in (tuple(c.replace("|", "\\|") for c in row) for row in options())
    )
    return f"{HEAD}{rows}{END}"


def page() -> str:
    """The page as it should be."""
    text = PAGE.read_text()
    begin, end = text.index(BEGIN), text.index(END) + len(END)
    return text[:begin] + table() + text[end:]


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"{PAGE.relative_to(PAGE.parents[1])}: {len(list(options()))} options")
