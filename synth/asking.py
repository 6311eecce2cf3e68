"""Many questions at once: conversations that wait for answers, and the desk that their requests go to.

A task that asks is a generator (`Asking`): it yields a tuple of requests, is sent the tuple of their answers in the
same order, may ask again with what it learnt, and returns its drafts. `converse` keeps many of them waiting, so that an
engine is never idle between two records; results come back in the order of the records, whichever was answered first.

The desk looks each request up in the ledger, asks the teacher of its role and keeps the answer as soon as it is there.
Requests that are equal while one of them waits are asked once. What comes of a request that fails in passing (a
time-out, a dead engine, an answer that is not one):

    the engine answers a probe         the request is tried again, `TRIES` times in all; then its error is final: it is
                                       kept in the ledger like an answer, and the draft is dropped with that reason
    the engine does not answer it      nothing is kept; `Desk.unanswered` counts it, and the unit fails as a whole, to
                                       be run again when the engine is back. Nobody else is kept waiting for that
                                       engine: what the ledger does not hold is given up at once

A reply that is cut off, empty, of another schema or in another language is asked for again by `asked` and `persistent`,
with another seed, as a request of its own. So what comes of a run follows from the ledger alone.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from types import TracebackType
from typing import TypeAlias, TypeVar

from manifests.errors import TeacherError
from manifests.record import digest
from manifests.sample import Draft
from synth.chat import STORED, TRANSIENT, Reply, Request, Role
from synth.flaws import Language, flaw
from synth.requests import Answered, Ledger, ask, keep, look_up, unkept
from synth.teacher import Teacher

Result = TypeVar("Result")
Talk: TypeAlias = Generator[tuple[Request, ...], tuple[Answered, ...], Result]
Asking: TypeAlias = Talk[list[Draft]]

Accept: TypeAlias = Callable[[Reply], str]  # what is wrong with a reply, "" where nothing is

TRIES = 3
WARMER = 0.7  # the temperature of a second try whose first had none: another seed alone would change nothing
PROBE = Request(messages=(("user", "Answer with one word: ready?"),), prompt_id="probe@1", max_tokens=4)
MOST_THREADS = 1024


@dataclass(frozen=True, slots=True)
class Spent:
    """What one prompt cost: requests, tokens of all answers, errors; `fresh_*` of those that the ledger knew not."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    errors: int = 0
    fresh_requests: int = 0
    fresh_prompt_tokens: int = 0
    fresh_tokens: int = 0


@dataclass
class _Pulse:
    """When one teacher last answered, in seconds of `time.monotonic`, and why it is given up."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    answered_at: float = 0.0
    gone: TeacherError | None = None


@dataclass
class Desk:
    """Puts requests to the teachers of their roles, through the ledger, several at a time. Use it as a context.
    `probes` counts what was asked beside the requests."""

    teachers: Mapping[Role, Teacher]
    ledger: Ledger
    unanswered: int = 0
    probes: int = 0
    spent: dict[tuple[Role, str], Spent] = field(default_factory=dict)
    _waiting: dict[tuple[str, Request], Future[Answered]] = field(default_factory=dict)
    _counted: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _pool: ThreadPoolExecutor | None = None
    _pulses: dict[Role, _Pulse] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._pulses = {role: _Pulse() for role in self.teachers}

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=error is not None)
            self._pool = None

    @property
    def in_flight(self) -> int:
        """How many requests are worth having under way."""
        return min(sum(teacher.in_flight for teacher in self.teachers.values()), MOST_THREADS) or 1

    def seeing(self) -> frozenset[Role]:
        """The roles whose teachers read pictures."""
        return frozenset(role for role, teacher in self.teachers.items() if teacher.sees)

    def submit(self, request: Request) -> Future[Answered]:
        """The answer to come. Its exception is a `TeacherError` that every further request would meet too."""
        with self._lock:
            known = self._waiting.get((request.role, request))
            if known is not None:
                return known
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.in_flight, thread_name_prefix="desk")
            future = self._pool.submit(self._answer, request)
            self._waiting[request.role, request] = future
        future.add_done_callback(lambda _: self._forget(request))
        return future

    def _forget(self, request: Request) -> None:
        with self._lock:
            self._waiting.pop((request.role, request), None)

    def _answer(self, request: Request) -> Answered:
        teacher, pulse = self.teachers[request.role], self._pulses[request.role]
        answered = self._once(teacher, request, pulse)
        for _ in range(TRIES - 1):
            if not _in_passing(answered) or not self._alive(teacher, pulse):
                break
            answered = self._once(teacher, request, pulse)
        if _in_passing(answered) and answered.error is not None:
            if pulse.gone is None:
                answered = keep(teacher, request, answered.error, self.ledger)
            else:
                with self._lock:
                    self.unanswered += 1
        self._count(request, answered)
        return answered

    def _once(self, teacher: Teacher, request: Request, pulse: _Pulse) -> Answered:
        if pulse.gone is not None:
            return look_up(teacher, request, self.ledger) or unkept(teacher, request, pulse.gone)
        answered = ask(teacher, request, self.ledger)
        if answered.reply is not None and not answered.cached:
            pulse.answered_at = time.monotonic()
        return answered

    def _alive(self, teacher: Teacher, pulse: _Pulse) -> bool:
        """Whether the engine has answered anybody since now, or else answers a question that no record has a part in;
        anything that it says will do."""
        failed_at = time.monotonic()
        with pulse.lock:
            if pulse.gone is None and pulse.answered_at < failed_at:
                pulse.gone = self._probed(teacher)
                pulse.answered_at = time.monotonic()
            return pulse.gone is None

    def _probed(self, teacher: Teacher) -> TeacherError | None:
        """None where one of a few probes is answered, else the last one's error."""
        last = None
        for _ in range(TRIES):
            self.probes += 1
            try:
                teacher.ask(PROBE)
            except TeacherError as error:
                last = error
                if error.reason not in STORED:
                    continue
            return None
        return last

    def _count(self, request: Request, answered: Answered) -> None:
        reply = answered.reply
        with self._lock:
            if answered.key in self._counted:  # of equal requests one is asked, at the same time or later
                return
            self._counted.add(answered.key)
            now = self.spent.get((request.role, request.prompt_id), Spent())
            asked, wrote = (reply.prompt_tokens, reply.completion_tokens) if reply else (0, 0)
            fresh = not answered.cached
            self.spent[request.role, request.prompt_id] = Spent(
                now.requests + 1,
                now.prompt_tokens + asked,
                now.completion_tokens + wrote,
                now.errors + (reply is None),
                now.fresh_requests + fresh,
                now.fresh_prompt_tokens + fresh * asked,
                now.fresh_tokens + fresh * wrote,
            )


def _in_passing(answered: Answered) -> bool:
    return answered.error is not None and not answered.cached and answered.error.reason in TRANSIENT


# ------------------------------------------------------------------------------------------------------- second tries
def usable(request: Request, language: Language = "en") -> Accept:
    """What every reply must be: whole, of its schema, and in a language (`synth.flaws`)."""
    return lambda reply: flaw(reply, request, language)


def again(request: Request, nth: int) -> Request:
    """A request as it is asked for the nth time (0: the request itself): another seed, which no counting up from the
    first one meets, and a temperature, for without one it would be answered the same."""
    if nth == 0:
        return request
    seed = int(digest(["again", request.seed, nth])[:7], 16)
    return replace(request, seed=seed, temperature=request.temperature or WARMER)


def asked(request: Request, accept: Accept, tries: int = TRIES) -> Talk[Answered]:
    """The first reply that `accept` finds nothing wrong with, of at most `tries`, each a request of its own in the
    ledger; an error at once. Where none is right the last one, and `accept`'s word for it as its error unless that is
    `schema`, which the task's own reading names."""
    for nth in range(max(tries, 1)):
        (answered,) = yield (again(request, nth),)
        wrong = accept(answered.reply) if answered.reply else ""
        if not wrong:
            return answered
    if wrong == "schema":
        return answered
    return replace(answered, reply=None, error=TeacherError(wrong, f"the same in {tries} tries"))


def persistent(talk: Talk[Result], tries: int = TRIES, language: Language = "en") -> Talk[Result]:
    """A conversation each of whose requests is asked as `asked` does with `usable`."""
    try:
        requests = next(talk)
        while True:
            answers = yield from in_turn(asked(one, usable(one, language), tries) for one in requests)
            requests = talk.send(tuple(answers))
    except StopIteration as end:
        result: Result = end.value
        return result


# ------------------------------------------------------------------------------------------------------ conversations
@dataclass
class _Waiting:
    """A conversation, what it waits for, and what it asked so far."""

    place: int
    talk: Talk[Result]  # type: ignore[valid-type]
    answers: list[Future[Answered]] = field(default_factory=list)
    left: int = 0
    keys: dict[str, None] = field(default_factory=dict)


def converse(talks: Iterable[Talk[Result]], desk: Desk) -> Iterator[tuple[Result, tuple[str, ...]]]:
    """What each conversation returns, in their order, with the ledger keys of what it asked. Conversations are begun
    as places become free: of those begun and not yet handed back there are at most twice `Desk.in_flight`.

    Raises what a conversation or the desk raises."""
    most = 2 * desk.in_flight
    ready: SimpleQueue[_Waiting] = SimpleQueue()
    done: dict[int, tuple[Result, tuple[str, ...]]] = {}
    coming = enumerate(talks)
    begun = handed = 0
    exhausted = False
    while True:
        while not exhausted and begun - handed < most:
            entry = next(coming, None)
            if entry is None:
                exhausted = True
                break
            begun += 1
            _go_on(_Waiting(*entry), None, desk, ready, done)
        while handed in done:
            yield done.pop(handed)
            handed += 1
        if exhausted and handed == begun:
            return
        if begun - handed < most and not exhausted:
            continue
        waiting = ready.get()
        answers = tuple(future.result() for future in waiting.answers)
        waiting.keys.update(dict.fromkeys(answered.key for answered in answers))
        _go_on(waiting, answers, desk, ready, done)


def _go_on(
    waiting: _Waiting,
    answers: tuple[Answered, ...] | None,
    desk: Desk,
    ready: SimpleQueue[_Waiting],
    done: dict[int, tuple[Result, tuple[str, ...]]],
) -> None:
    """Let a conversation speak until it asks again or ends."""
    try:
        asked = next(waiting.talk) if answers is None else waiting.talk.send(answers)
        while not asked:
            asked = waiting.talk.send(())
    except StopIteration as end:
        done[waiting.place] = (end.value, tuple(waiting.keys))
        return
    waiting.answers = [desk.submit(request) for request in asked]
    waiting.left = len(waiting.answers)
    lock = threading.Lock()

    def arrived(_: Future[Answered]) -> None:
        with lock:
            waiting.left -= 1
            last = waiting.left == 0
        if last:
            ready.put(waiting)

    for future in waiting.answers:
        future.add_done_callback(arrived)


def settled(talk: Talk[Result], desk: Desk) -> Result:
    """One conversation to its end."""
    ((result, _),) = converse([talk], desk)
    return result


def in_turn(talks: Iterable[Talk[Result]]) -> Talk[list[Result]]:
    """Several conversations as one that asks what all of them ask at the same time."""
    open_talks: deque[tuple[int, Talk[Result], tuple[Request, ...]]] = deque()
    results: dict[int, Result] = {}
    count = 0
    for place, talk in enumerate(talks):
        count += 1
        _step(place, talk, None, open_talks, results)
    while open_talks:
        now, open_talks = open_talks, deque()
        answers = yield tuple(request for _, _, asked in now for request in asked)
        start = 0
        for place, talk, asked in now:
            _step(place, talk, answers[start : start + len(asked)], open_talks, results)
            start += len(asked)
    return [results[place] for place in range(count)]


def _step(
    place: int,
    talk: Talk[Result],
    answers: tuple[Answered, ...] | None,
    open_talks: deque[tuple[int, Talk[Result], tuple[Request, ...]]],
    results: dict[int, Result],
) -> None:
    try:
        open_talks.append((place, talk, next(talk) if answers is None else talk.send(answers)))
    except StopIteration as end:
        results[place] = end.value
