"""What the video sources share: events, windows of long videos, frames as files, conversations, questions by medium.

A video that upstream publishes as a folder of frames is an item of form `clip` with several files of role `data`, the
frames in their order, and a fact `fps`, the rate at which they follow each other; one frame alone is a `picture`.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from manifests.record import Asked, Fact, FileRef
from sources.base import Entry, Form, Item
from sources.upstream import Shelf, told

PLACEHOLDERS = re.compile(r"\s*<(?:image|video|frame)s?>\s*")
OPTION = re.compile(r"^\s*\(?([A-H])[.):]\s*(.+?)\s*$", re.MULTILINE)
HUMAN, MODEL = ("human", "user"), ("gpt", "assistant")


def decimal(value: float) -> str:
    """Seconds to the millisecond in plain notation."""
    return f"{value:.3f}".rstrip("0").rstrip(".") or "0"


def number(value: Any) -> float:
    """A number, or NaN for what is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


# -------------------------------------------------------------------------------------------------------------- events
def event(about: str, start: float, end: float, origin: str) -> Fact:
    """What happens from `start` to `end`, in seconds from the first frame; a moment where both are the same."""
    value = decimal(start) if end <= start else f"{decimal(start)}-{decimal(end)}"
    return Fact("event", value, origin, "s", about)


def runs(values: Sequence[tuple[int, str]], step: int = 1) -> Iterator[tuple[str, int, int]]:
    """Runs of one value over frames that follow each other by `step`: (value, first, last frame); "" says nothing."""
    begun: tuple[str, int, int] | None = None
    for frame, value in values:
        if begun and value == begun[0] and frame - begun[2] <= step:
            begun = (value, begun[1], frame)
            continue
        if begun and begun[0]:
            yield begun
        begun = (value, frame, frame)
    if begun and begun[0]:
        yield begun


def within(facts: Sequence[Fact], start: float, end: float) -> tuple[Fact, ...]:
    """The facts as the part from `start` to `end` shows them: events that overlap it, in seconds from its beginning."""
    found: list[Fact] = []
    for fact in facts:
        if fact.name != "event":
            found.append(fact)
            continue
        begin, _, finish = fact.value.partition("-")
        first, last = float(begin), float(finish or begin)
        if first < end and (last > start or first >= start):
            found.append(event(fact.about, max(first, start) - start, min(last, end) - start, fact.origin))
    return tuple(found)


def windows(length: float, clip_s: float | None) -> list[tuple[float, float]]:
    """The parts of a video of `length` seconds, each `clip_s` long; a rest under a tenth of that goes to the last."""
    if clip_s is None or length <= clip_s:
        return [(0.0, length)]
    count = max(1, math.ceil(length / clip_s - 0.1))
    return [(n * clip_s, length if n == count - 1 else (n + 1) * clip_s) for n in range(count)]


def part_of(video: FileRef, start: float, end: float) -> FileRef:
    """A file of which a record takes a time range."""
    return dataclasses.replace(video, fragment=f"t={start:.3f},{end:.3f}")


def cut_clips(item: Item, length: float, clip_s: float | None) -> Iterator[Item]:
    """A video's item, cut into clips of `clip_s` seconds with the events that fall in each; whole where it is short.

    The item's first file is the video; `length` is in seconds, 0 where it is not known (then it stays whole)."""
    parts = windows(length, clip_s) if length > 0 else []
    if len(parts) < 2:
        yield item
        return
    for start, end in parts:
        cut = part_of(item.files[0], start, end)
        yield dataclasses.replace(
            item,
            upstream_id=f"{item.upstream_id}#{cut.fragment}",
            files=(cut, *item.files[1:]),
            facts=within(item.facts, start, end),
            clip=(start, end),
        )


# -------------------------------------------------------------------------------------------------------------- frames
class FrameRefs:
    """Frames as parts of records. Records share frames: a file's reference is built once."""

    def __init__(self, shelf: Shelf, prefixes: Sequence[str] = ("",)) -> None:
        self._shelf, self._prefixes = shelf, prefixes
        self._refs: dict[str, FileRef] = {}

    def get(self, path: str) -> FileRef | None:
        """The frame of a path as upstream writes it, looked for behind each of the prefixes."""
        known = self._refs.get(path)
        if known is None and (entry := self._shelf.first(*(p + path for p in self._prefixes))):
            known = self._refs[path] = self._shelf.take(entry)
        return known

    def all(self, paths: Sequence[str]) -> tuple[FileRef, ...] | None:
        """All of these frames, or None where one is not there."""
        found = [self.get(path) for path in paths]
        return None if not found or None in found else tuple(f for f in found if f is not None)


def frames_form(frames: Sequence[FileRef]) -> Form:
    return "clip" if len(frames) > 1 else "picture"


def frame_rate(frames: Sequence[FileRef], fps: float, origin: str) -> tuple[Fact, ...]:
    """The fact that says at which rate the frames follow each other."""
    return told("fps", decimal(fps) if len(frames) > 1 and fps > 0 else "", origin, unit="1/s")


# ----------------------------------------------------------------------------------------------------------- questions
def clean(text: str) -> str:
    """A text without the places of media in it."""
    return PLACEHOLDERS.sub("\n", text).strip()


def exchanges(turns: Any, about: str = "") -> tuple[Asked, ...]:
    """The questions and answers of a LLaVA conversation: a list of {from, value}, a question before each answer."""
    found: list[Asked] = []
    question = ""
    for turn in turns if isinstance(turns, list) else ():
        speaker, said = (str(turn.get(k) or "") for k in ("from", "value")) if isinstance(turn, dict) else ("", "")
        if speaker in HUMAN:
            question = clean(said)
        elif speaker in MODEL and question and clean(said):
            found.append(Asked(question, clean(said), about=about))
            question = ""
    return tuple(found)


def closed(asked: Asked) -> Asked:
    """A question that lists its options as lines `A. ...` and is answered by one of them, as one with options; any
    other as it is."""
    first, listed = OPTION.search(asked.question), OPTION.findall(asked.question)
    letters = "".join(letter for letter, _ in listed)
    chosen = re.match(r"\s*\(?([A-H])(?:[.):]|\s*$)", asked.answer)
    if first is None or len(listed) < 2 or not "ABCDEFGH".startswith(letters) or not chosen or chosen[1] not in letters:
        return asked
    options = tuple(text for _, text in listed)
    if len(set(options)) < len(options):
        return asked
    stem = asked.question[: first.start()].strip()
    return Asked(stem, options[letters.index(chosen[1])], options, asked.about, asked.why)


class Gathered:
    """Items of one medium joined into one: the first's media, everybody's questions, rows and further facts, in the
    order in which they come. Holds the questions of all media that are not yet given out."""

    def __init__(self) -> None:
        self._items: dict[Hashable, tuple[Item, list[Asked], list[FileRef], dict[Fact, None]]] = {}

    def add(self, key: Hashable, item: Item) -> None:
        known = self._items.get(key)
        if known is None:
            self._items[key] = (item, [*item.asked], [], dict.fromkeys(item.facts))
            return
        _, asked, rows, facts = known
        asked += item.asked
        rows += (file for file in item.files if file.role == "table")
        facts |= dict.fromkeys(item.facts)

    def items(self) -> Iterator[Item]:
        for item, asked, rows, facts in self._items.values():
            yield dataclasses.replace(item, asked=tuple(asked), files=(*item.files, *rows), facts=tuple(facts))
        self._items.clear()


def sentence(name: str) -> str:
    """`CalotTriangleDissection`, `cystic_plate` as plain lower-case words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_+", " ", name).lower().strip()


def taken_as(shelf: Shelf, entry: Entry | None, role: str = "table") -> tuple[FileRef, ...]:
    """A file beside a medium as part of its record, where it is there."""
    return (shelf.take(entry, role),) if entry else ()
