"""What of a draft is asked when it is judged: its question, its options in another order, its pictures, its answer.

Nothing here tells a fact or a gold. A multiple choice is read from its text: lettered lines from A on, in order.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from manifests.sample import Answer, Draft, Verdict
from synth import prompting
from synth.chat import Picture, Request, Role
from synth.requests import Answered
from synth.tasks.common import shuffled
from synth.tasks.subject import LONGEST_SIDE, Subject
from synth.verify import verify_answer
from synth.views import Array, load
from synth.written import read_fields

_OPTION = re.compile(r"^\s*\(?([A-Z])[.):]\s+(.+?)\s*$")
_OF_OTHERS = re.compile(
    r"\b(?:all|none|both|neither|any|either)(?: of)? (?:the )?(?:above|these|those|others?)\b"
    r"|\b[A-E] (?:and|or) [A-E]\b",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(r"<image>\n?")


class Solved(BaseModel):
    """What a teacher answers that sees what a learner will see (`prompts/solve.md`)."""

    model_config = ConfigDict(extra="forbid")
    reasoning: str = Field(min_length=1, max_length=1500)
    answer: str = Field(min_length=1, max_length=200)


class Guessed(BaseModel):
    """What a solver answers that is not shown the media (`prompts/blind.md`)."""

    model_config = ConfigDict(extra="forbid")
    answer: str = Field(min_length=1, max_length=100)


@dataclass(frozen=True, slots=True)
class Choice:
    """A multiple choice, read: the text before its options, their texts in order from A, the text behind them."""

    stem: str
    options: tuple[str, ...]
    tail: str


def question_of(draft: Draft) -> str:
    """What the user says before the first answer."""
    said = []
    for turn in draft.turns:
        if turn.role != "user":
            break
        said.append(turn.content.strip())
    return "\n\n".join(said)


def choice_of(question: str) -> Choice | None:
    """The last run of lettered lines A, B, ... of a question; None where there are not two."""
    lines = question.split("\n")
    found = [_OPTION.match(line) for line in lines]
    starts = [n for n, match in enumerate(found) if match and match[1] == "A"]
    if not starts:
        return None
    start, options = starts[-1], list[str]()
    for match in found[start:]:
        if not match or match[1] != chr(ord("A") + len(options)):
            break
        options.append(match[2])
    if len(options) < 2:
        return None
    end = start + len(options)
    return Choice("\n".join(lines[:start]), tuple(options), "\n".join(lines[end:]))


def movable(draft: Draft) -> Choice | None:
    """The options of a multiple choice that mean the same in any order; None for any other question."""
    if draft.answer is None or draft.answer.type != "mcq":
        return None
    choice = choice_of(question_of(draft))
    if choice is None or any(_OF_OTHERS.search(option) for option in choice.options):
        return None
    place = _place(draft.answer.gold)
    return choice if 0 <= place < len(choice.options) else None


def orders(choice: Choice, count: int, seed: int, key: str) -> list[tuple[int, ...]]:
    """`count` orders of the options (place -> option), seeded: in each run of as many orders as there are options
    every option stands once in every place, so that who follows a letter chooses each option equally often."""
    size = len(choice.options)
    out: list[tuple[int, ...]] = []
    while len(out) < count:
        base = shuffled([str(n) for n in range(size)], seed, key, choice.stem, str(len(out)))
        out += [tuple(int(base[(place + turn) % size]) for place in range(size)) for turn in range(size)]
    return out[:count]


def reordered(choice: Choice, answer: Answer, order: Sequence[int]) -> tuple[str, Answer]:
    """The question with its options in another order under the same letters, and its gold there."""
    options = [choice.options[n] for n in order]
    lines = [f"{_letter(place)}. {option}" for place, option in enumerate(options)]
    gold = _letter(list(order).index(_place(answer.gold)))
    moved = replace(answer, gold=gold, options="|".join(options) if answer.options else "")
    return "\n".join(part for part in (choice.stem, *lines, choice.tail) if part), moved


def chosen(response: str, choice: Choice, answer: Answer, order: Sequence[int]) -> int | None:
    """Which option (by its number in `choice`) a response to a reordered question settles on, read by the verifier."""
    for place, option in enumerate(order):
        if verify_answer(response, replace(answer, gold=_letter(place))).passed:
            return option
    return None


def _place(letter: str) -> int:
    bare = letter.strip().upper()
    return ord(bare) - ord("A") if len(bare) == 1 else -1


def _letter(place: int) -> str:
    return chr(ord("A") + place)


# ------------------------------------------------------------------------------------------------------------ asking
def shows_media(subject: Subject, draft: Draft) -> bool:
    """Whether the sample of this draft has media, so that there is something that a blind solver does not see."""
    own = subject.record.kind != "text" if draft.shows is None else bool(draft.shows)
    return own or bool(draft.made)


def pictures_of(subject: Subject, draft: Draft, role: Role) -> tuple[Picture, ...]:
    """The pictures of a draft, of those of the record's media that it shows, then of those that it brings itself. One
    that shows some but not all of several volumes or clips is asked with pictures of all of them.

    Raises `VerificationError` for a picture that cannot be read."""
    if role not in subject.sees:
        return ()
    own = [media for media in subject.view.media if media.kind != "mask"]
    shown = own if draft.shows is None else [media for media in own if media.member in draft.shows]
    if len(shown) < len(own) and all(media.kind == "image" for media in shown):
        pictures = tuple(_picture(load(subject.view, media)) for media in shown)
    else:
        pictures = subject.pictures(role)
    return (*pictures, *(_picture(_decoded(made.data)) for made in draft.made if made.media.kind == "image"))


def _decoded(data: bytes) -> Array:
    import numpy as np
    import PIL.Image

    with PIL.Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def _picture(pixels: Array) -> Picture:
    """A picture of 8 bit, none of its sides longer than what a teacher is shown."""
    import numpy as np
    import PIL.Image

    image = PIL.Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), PIL.Image.Resampling.BICUBIC)
    small, stream = np.asarray(image), io.BytesIO()
    image.save(stream, "PNG")
    digest = hashlib.sha256(f"{small.shape}".encode() + small.tobytes()).hexdigest()
    return Picture(digest, "image/png", stream.getvalue(), small.shape[0], small.shape[1])


def request_for(
    question: str,
    prompt: str,
    seed: int,
    temperature: float,
    role: Role,
    pictures: tuple[Picture, ...] = (),
) -> Request:
    """One question put to a teacher without any fact; a place holder of a picture becomes its number in brackets."""
    count = iter(range(1, question.count("<image>") + 1))
    text = _PLACEHOLDER.sub(lambda _: f"[picture {next(count)}]\n" if pictures else "", question)
    return prompting.request(prompting.load(prompt), {"question": text}, seed, temperature, pictures, role)


def response_of(answered: Answered) -> str | None:
    """An answer in the form that verifiers read (`<answer>...</answer>`), or None where there is none."""
    fields, _ = read_fields(answered, ("answer",), -1)
    return f"<answer>{fields['answer']}</answer>" if fields else None


class Finding(NamedTuple):
    """What a check found: its verdict, and the reason that a draft is rejected for ("" where it passed)."""

    verdict: Verdict
    reason: str


def finding(check: str, reason: str, score: float, evidence: str, turn: int = -1) -> Finding:
    """A finding with its score to four places and its evidence in at most 200 characters; no reason: passed."""
    return Finding(Verdict(turn, check, not reason, round(score, 4), evidence[:200]), reason)
