"""Teachers of a test's own, asked through the desk as a run asks them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from manifests.errors import TeacherError
from manifests.record import Fact, Record
from manifests.sample import Answer, Draft, Turn
from synth.asking import Desk, Talk, settled
from synth.chat import Picture, Reply, Request, Role
from synth.proofs import MediaView
from synth.requests import Ledger
from synth.tasks.subject import Subject

T = TypeVar("T")
Says = Callable[[Request], str | tuple[str, float] | None]  # text, text with entropy, or a refusal
PICTURE = Picture("a" * 64, "image/png", b"", 8, 8)
OPTIONS = ("liver", "spleen", "kidney", "lung")
ORGAN = "Which organ is segmented?"


@dataclass
class Fake:
    """Answers by a function of the request alone; `asked` is what it was asked, in the order of arrival."""

    says: Says
    sees: bool = True
    in_flight: int = 16
    context: int = 0
    late_s: float = 0.0  # an odd seed waits, so that answers come back in another order than they were asked
    model: str = "fake"
    revision: str = "1"
    asked: list[Request] = field(default_factory=list)

    def count(self, request: Request) -> int:
        return 0

    def ask(self, request: Request) -> Reply:
        self.asked.append(request)
        if self.late_s and request.seed % 2:
            time.sleep(self.late_s)
        said = self.says(request)
        if said is None:
            raise TeacherError("refused", "by the test")
        text, entropy = said if isinstance(said, tuple) else (said, None)
        return Reply(text, "stop", 1, 1, entropy)

    def close(self) -> None:
        pass


class Remembered(Ledger):
    """A ledger in memory: many small tests would wait for the disk alone."""

    def __init__(self) -> None:
        super().__init__(Path())
        self._entries: dict[str, Reply | TeacherError] = {}

    def get(self, key: str) -> Reply | TeacherError | None:
        return self._entries.get(key)

    def put(self, key: str, asked: dict[str, Any], answer: Reply | TeacherError) -> Reply | TeacherError:
        return self._entries.setdefault(key, answer)


def held(talk: Talk[T], teachers: Mapping[Role, Fake]) -> T:
    """What a conversation returns when a desk answers it."""
    with Desk(teachers, Remembered()) as desk:
        return settled(talk, desk)


def about(record: Record, teachers: Mapping[Role, Fake]) -> Subject:
    """A record with one picture for those that see."""
    view = MediaView((), _no_array, record.facts, record.text, record.asked, look=lambda most, side: (PICTURE,))
    sees = frozenset(role for role, teacher in teachers.items() if teacher.sees)
    return Subject(record, view, frozenset(teachers), sees)


def _no_array(member: str) -> NDArray[Any]:
    raise KeyError(member)


def record(kind: str = "volume", text: str = "", facts: tuple[Fact, ...] = ()) -> Record:
    return Record("0" * 32, "s", "s/1", "1", "0" * 64, kind, "g", "CC0-1.0", "open", facts=facts, text=text)


def choice(stem: str = ORGAN, options: tuple[str, ...] = OPTIONS, gold: str = "B") -> Draft:
    """A program's multiple choice for RLVR."""
    lines = "\n".join(f"{letter}. {option}" for letter, option in zip("ABCDE", options, strict=False))
    turns = (Turn("user", f"{stem}\n{lines}\nAnswer with the letter of the right option."),)
    answer = Answer("mcq", gold, "mcq", options="|".join(options))
    return Draft("0" * 32, "rlvr", "mcq", 0, turns, answer=answer)


def letter_of(request: Request, option: str) -> str:
    """Under which letter an option stands in a request."""
    found = re.search(rf"^([A-E])\. {option}$", request.messages[-1][1], re.MULTILINE)
    return found[1] if found else "none"


def answer(text: str) -> str:
    return json.dumps({"reasoning": "By its place.", "answer": text})
