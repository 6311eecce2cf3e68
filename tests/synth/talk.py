"""One conversation of a teacher task, with answers of a test's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from manifests.record import Record
from synth.asking import Talk
from synth.chat import Request
from synth.proofs import MediaView
from synth.requests import Answered
from synth.tasks.subject import Subject

T = TypeVar("T")


def spoken(talk: Talk[T], ask: Callable[[Request], Answered]) -> T:
    """What a conversation returns when each of its requests is answered by `ask`, in order."""
    try:
        asked = next(talk)
        while True:
            asked = talk.send(tuple(ask(request) for request in asked))
    except StopIteration as end:
        result: T = end.value
        return result


def subject(record: Record) -> Subject:
    """A record of which nothing is shown."""
    view = MediaView((), lambda name: None, record.facts, record.text, record.asked)  # type: ignore
    return Subject(record, view)
