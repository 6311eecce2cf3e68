"""The programs that look at facts alone: when things happen in a clip, and how many are stated.

An `event` fact names what happens in `about` and when in its value: `12.5` or `12.5-18.0`, seconds from the first
frame.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from manifests.errors import VerificationError
from manifests.record import Fact
from synth.calls import format_number
from synth.views import MediaView, Result

EDGES = ("start", "end")
_TIMES = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)(?:-(\d{1,6}(?:\.\d{1,6})?))?")


class Event(NamedTuple):
    """What happens, from when to when in s; a moment has start = end."""

    start: float
    end: float
    name: str


def event_facts(facts: tuple[Fact, ...]) -> list[Event]:
    """The events of a clip in order of their start; what is not written as a time is left out."""
    found = []
    for fact in facts:
        match = _TIMES.fullmatch(fact.value) if fact.name == "event" and fact.about else None
        if match:
            start = float(match[1])
            end = float(match[2]) if match[2] else start
            found += [Event(start, end, fact.about)] if end >= start else []
    return sorted(set(found))


def _events(view: MediaView, name: str = "") -> list[Event]:
    found = [e for e in event_facts(view.facts) if not name or e.name == name]
    if not found:
        raise VerificationError(f"no event{f' {name[:40]!r}' if name else ''} with a time is in the sample")
    return found


def _once(view: MediaView, name: str) -> Event:
    found = _events(view, name)
    if len(found) != 1:
        raise VerificationError(f"event {name[:40]!r} happens {len(found)} times; once is needed")
    return found[0]


def time_of(view: MediaView, args: Mapping[str, str]) -> Result:
    event, edge = _once(view, args["event"]), args["edge"]
    if edge not in EDGES:
        raise VerificationError(f"an event has no {edge[:20]!r}; it has: {', '.join(EDGES)}")
    return Result(format_number(event.start if edge == "start" else event.end, 2), "s")


def span_of(view: MediaView, args: Mapping[str, str]) -> Result:
    event = _once(view, args["event"])
    if event.start == event.end:
        raise VerificationError(f"event {args['event'][:40]!r} is a moment, so it has no span")
    return Result(f"{format_number(event.start, 2)}-{format_number(event.end, 2)}", "s")


def event_duration_s(view: MediaView, args: Mapping[str, str]) -> Result:
    event = _once(view, args["event"])
    return Result(format_number(event.end - event.start, 2), "s")


def event_count(view: MediaView, args: Mapping[str, str]) -> Result:
    return Result(str(len(_events(view, args["event"]))), "")


def first_of(view: MediaView, args: Mapping[str, str]) -> Result:
    a, b = (_once(view, args[key]) for key in ("a", "b"))
    if a.start == b.start:
        raise VerificationError("the two events start together")
    return Result(min(a, b).name, "")


def event_order(view: MediaView, args: Mapping[str, str]) -> Result:
    events = _events(view)
    starts, names = [e.start for e in events], [e.name for e in events]
    if len(set(starts)) != len(starts) or len(set(names)) != len(names):
        raise VerificationError("events that start together, or happen twice, have no one order")
    return Result("; ".join(names), "")


def event_at(view: MediaView, args: Mapping[str, str]) -> Result:
    if not _TIMES.fullmatch(args["time"]) or "-" in args["time"]:
        raise VerificationError(f"{args['time'][:20]!r} is not a time in s")
    time = float(args["time"])
    names = {e.name for e in _events(view) if e.start <= time < e.end}
    if len(names) != 1:
        raise VerificationError(f"{len(names)} events go on at {args['time']} s; one is needed")
    return Result(names.pop(), "")


def count_facts(view: MediaView, args: Mapping[str, str]) -> Result:
    about = args.get("about", "")
    found = [f for f in view.facts if f.name == args["fact"] and (not about or f.about == about)]
    if not found:
        raise VerificationError(f"fact {args['fact'][:40]!r} is not in the sample, so nothing says how many there are")
    return Result(str(len(found)), "")


def cut_time(view: MediaView, args: Mapping[str, str]) -> Result:
    """The time of one of a clip's cuts, counted from 1, by its `cuts_s` fact."""
    listed = {f.value for f in view.facts if f.name == "cuts_s"}
    if len(listed) != 1:
        raise VerificationError(f"the sample has {len(listed)} lists of cuts; one is needed")
    times = listed.pop().split("; ")
    if not re.fullmatch(r"[1-9]\d{0,3}", args["number"]) or int(args["number"]) > len(times):
        raise VerificationError(f"there is no cut {args['number'][:10]!r} among {len(times)}")
    time = times[int(args["number"]) - 1]
    if not _TIMES.fullmatch(time) or "-" in time:
        raise VerificationError("a cut is not written as a time in s")
    return Result(format_number(float(time), 2), "s")
