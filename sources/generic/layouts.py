"""How trainers write a row about media, brought to the few fields that `sources.generic.fields` reads.

What is read: the paths of a row's media, in its own fields or in the parts of its turns (`image_url` of OpenAI's form,
`image` and `video` of Qwen's); Alpaca's `input` and `history`; ms-swift's `objects` and `solution`; lists of
{question, answer} below one key. All functions are pure; none opens a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from manifests.record import Fact
from sources.generic.fields import ANSWERING, parsed, value_at
from sources.upstream import box, plain

PAIRS = ("qa", "qa_pairs", "qas", "qa_list", "question_answers", "questions", "vqa")
TURNS = ("messages", "conversations", "conversation")
SHOWN = ("image_url", "image", "video_url", "video", "input_image", "path", "url")  # keys of a part of a turn
OBJECT = "<ref-object>"
BOX = "<bbox>"
INLINE = "data:"  # of a medium that is written into the row itself


def paths_of(values: Mapping[str, Any], fields: Sequence[str]) -> list[str]:
    """The paths of a row's media in their order: those of its fields, else those of the parts of its turns. A medium
    that is written into the row is `INLINE` alone."""
    cells = [cell for name in fields for cell in _each(value_at(values, name))]
    if not any(map(_path, cells)):
        cells = [part for name in TURNS for turn in _each(values.get(name)) for part in _parts(turn)]
    return [path for cell in cells if (path := _path(cell))]


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _parts(turn: Any) -> list[Any]:
    content = turn.get("content", turn.get("value")) if isinstance(turn, dict) else None
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _path(cell: Any) -> str:
    """What a cell or a part names: a text, or the text in one of the keys of an object, twice nested at most."""
    for _ in range(3):
        if not isinstance(cell, dict):
            break
        cell = next((cell[key] for key in SHOWN if cell.get(key)), None)
    name = plain(cell).removeprefix("file://")
    return INLINE if name.startswith(INLINE) else name


def pairs_of(values: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """The key below which a row lists its questions, and these, each an object; "" and none where no key does."""
    for name in PAIRS:
        listed = parsed(values.get(name))
        if isinstance(listed, list) and listed and all(isinstance(one, dict) for one in listed):
            return name, listed
    return "", []


def written_out(values: dict[str, Any]) -> tuple[dict[str, Any], tuple[Fact, ...]]:
    """A row whose turns hold all that is said: Alpaca's input behind its instruction and its history before, ms-swift's
    objects in their places and its solution as the last answer; and the boxes of the objects."""
    if plain(values.get("input")) and plain(values.get("instruction")):
        values = {**values, "instruction": f"{plain(values['instruction'])}\n{plain(values['input'])}"}
    values = _with_solution(_with_history(values))
    return _with_objects(values)


def _with_history(values: dict[str, Any]) -> dict[str, Any]:
    """Earlier exchanges ([question, answer] each) and the present one as turns."""
    history = values.get("history")
    asked = plain(values.get("query")) or plain(values.get("instruction"))
    replied = plain(values.get("response")) or plain(values.get("output"))
    if not (isinstance(history, list) and history and asked and replied):
        return values
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in history):
        return values
    turns = [
        {"role": role, "content": plain(text)}
        for pair in [*history, [asked, replied]]
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]
    left = {k: v for k, v in values.items() if k not in ("query", "instruction", "response", "output", "history")}
    return {**left, "messages": turns}


def _with_solution(values: dict[str, Any]) -> dict[str, Any]:
    """A prompt of reinforcement learning with its solution as the answer: a text, or JSON with the answer as `gold` and
    its `unit`."""
    turns, solution = values.get("messages"), parsed(values.get("solution"))
    gold, unit = (solution.get("gold"), solution.get("unit")) if isinstance(solution, dict) else (solution, "")
    told = json.dumps(gold, ensure_ascii=False) if isinstance(gold, list | dict) else plain(gold)
    if not (told and isinstance(turns, list) and turns and isinstance(turns[-1], dict)):
        return values
    if str(turns[-1].get("role", "")).lower() in ANSWERING:
        return values
    return {**values, "messages": [*turns, {"role": "assistant", "content": f"{told} {plain(unit)}".strip()}]}


def _with_objects(values: dict[str, Any]) -> tuple[dict[str, Any], tuple[Fact, ...]]:
    objects, turns = values.get("objects"), values.get("messages")
    if not isinstance(objects, dict) or not isinstance(turns, list):
        return values, ()
    names = [plain(n) for n in _each(objects.get("ref") or [])]
    corners = [b for b in _each(objects.get("bbox") or []) if isinstance(b, list) and len(b) == 4]
    pixels = plain(objects.get("bbox_type")) in ("", "real")
    left_names, left_boxes = iter(names), iter(corners)
    written = []
    for turn in turns:
        text = plain(turn.get("content")) if isinstance(turn, dict) else ""
        for _ in range(text.count(OBJECT)):
            text = text.replace(OBJECT, next(left_names, "object"), 1)
        for _ in range(text.count(BOX)):
            text = text.replace(BOX, str(next(left_boxes, [])), 1)
        written.append({**turn, "content": text} if text else turn)
    facts = [_box(b, n) for b, n in zip(corners, names, strict=False)] if pixels else list[Iterator[Fact]]()
    return {**values, "messages": written}, tuple(chain.from_iterable(facts))


def _box(corners: list[Any], name: str) -> Iterator[Fact]:
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in corners):
        x0, y0, x1, y1 = (float(v) for v in corners)
        yield from box(x0, y0, x1, y1, name, "field:objects")
