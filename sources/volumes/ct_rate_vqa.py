"""The dialogues of CT-RATE (`dataset/vqa/{train,valid}_vqa.json`, on which CT-CHAT was trained) by the volume that they
are about.

Each file is one list of {id: `long_answer_12`, image: `train_1_a_1.nii.gz`, conversations: [{from: human, value,
type}, {from: gpt, value}, ...]}. The kind of a dialogue is the beginning of its id (long_answer, short_answer,
multiple_choice, report_generation), and a question names it once more at its end (`<long_answer>`); the first begins
with `<image>`. The options of a multiple-choice question stand in it, `(a) ... (b) ...`, and its answer is a letter
with or without the option's words. Quirks: the dialogues of one volume are spread over the list, which of the training
set has 1.2 GB; dialogues without an image are about nothing that is shown; answers that name several letters, or none,
are no choice among options, and their questions are asked as they stand, without options.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from manifests.errors import RecordError
from manifests.record import Asked, Fact
from sources.base import Item, Place, unplaced
from sources.json_spans import json_spans
from sources.upstream import REMEDY, Line, plain
from sources.volumes.shared import chosen, stem

KINDS = ("long_answer", "short_answer", "multiple_choice", "report_generation")
REPORT = "Write the radiology report of this chest CT."  # where upstream's question is its mark alone
_MARKS = re.compile(r"\s*<(?:image|" + "|".join(KINDS) + r")>\s*")
_OPTION = re.compile(r"(?:^|(?<=\s))\(?([a-j])\)\s*", re.IGNORECASE)
_ANSWER = re.compile(r"\(?([a-j])(?:[).:]\s*(.*)|\s*)", re.IGNORECASE | re.DOTALL)


class Dialogues:
    """Where the dialogues of each volume stand, 32 bytes each; their words are read when the volume is taken."""

    def __init__(self, place: Place, tables: Sequence[str]) -> None:
        self._tables, self._place = tables, place
        self._spans: dict[str, array[int]] = {}

    def alone(self) -> Iterator[Line]:
        """Read all tables through, once and before anything else; the rows about no volume are told.

        Raises `RecordError` `bad_table`."""
        for at, table in enumerate(self._tables):
            for row, first, size in _placed_rows(table, self._place):
                name = stem(row.get("image"))
                if name:
                    self._spans.setdefault(name, array("Q")).extend((at, row.number, first, size))
                else:
                    yield row

    def left(self) -> list[str]:
        """The volumes whose dialogues nobody took."""
        return list(self._spans)

    def taken(self, name: str) -> list[Line]:
        """The dialogues of a volume, in the order of their files; none where they were taken before."""
        spans, found = self._spans.pop(name, array("Q")), list[Line]()
        with ExitStack() as opened:
            files = {at: opened.enter_context(self._place.file(self._tables[at]).open("rb")) for at in set(spans[::4])}
            for at, number, first, size in zip(*[iter(spans)] * 4, strict=True):
                files[at].seek(first)
                found.append(Line(self._tables[at], number, _object(files[at].read(size), self._tables[at])))
        return found

    def dropped(self, name: str) -> None:
        """The dialogues of a volume end with the row of its report."""
        self._spans.pop(name, None)


def _placed_rows(table: str, place: Place) -> Iterator[tuple[Line, int, int]]:
    number = 0
    try:
        for first, size, values in json_spans(place.file(table)):
            number += 1
            if not isinstance(values, dict):
                raise ValueError(type(values).__name__)
            yield Line(table, number, values), first, size
    except (ValueError, RecursionError, OSError) as error:
        found = f"'{table}' breaks after row {number} ({type(error).__name__})"
        raise RecordError("bad_table", found, REMEDY) from None


def _object(data: bytes, table: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise RecordError("changed_since_plan", f"'{table}' changed while it was read", "run again: it is planned anew")
    return value


def asked_in(rows: Sequence[Line]) -> tuple[Asked, ...]:
    """All exchanges of dialogues in order, each once; a turn that nobody answers is passed over. `about` is the
    dialogue's kind, and upstream's type of the question where that says more."""
    return tuple(dict.fromkeys(one for row in rows for one in _exchanges(row)))


def _exchanges(row: Line) -> Iterator[Asked]:
    kind = re.sub(r"_\d+$", "", row.get("id"))
    told = row.value("conversations")
    turns = [turn for turn in told if isinstance(turn, dict)] if isinstance(told, list) else []
    for human, reply in pairwise(turns):
        if (human.get("from"), reply.get("from")) == ("human", "gpt"):
            question, answer = (unplaced(_MARKS.sub(" ", plain(t.get("value"))).strip()) for t in (human, reply))
            kinds = dict.fromkeys(k for k in (kind, plain(human.get("type"))) if k)
            if answer and (question or kind == "report_generation"):
                yield _posed(question or REPORT, answer, "/".join(kinds))


def _posed(question: str, answer: str, about: str) -> Asked:
    met, options = _ANSWER.fullmatch(answer), _options(question) if about.startswith("multiple_choice") else {}
    letter = met[1].upper() if met else ""
    said = (met[2] or "").strip() if met else answer
    if options and (said.lower() == options.get(letter, "").lower() if said and met else True):
        one = chosen(question[: _first(question)].strip(), said, letter, options, about)
        if one is not None and one.options:
            return one
    return Asked(question, answer, (), about)


def _options(question: str) -> dict[str, str]:
    """The options by letter where they are lettered in order from the first, else none."""
    met = list(_OPTION.finditer(question))
    ends = [m.start() for m in met[1:]] + [len(question)]
    found = {m[1].upper(): question[m.end() : end].strip(" \n\t,;") for m, end in zip(met, ends, strict=True)}
    in_order = list(found) == list("ABCDEFGHIJ"[: len(met)])
    return found if in_order and len(met) > 1 and all(found.values()) else {}


def _first(question: str) -> int:
    met = _OPTION.search(question)
    return met.start() if met else len(question)


def spoken(row: Line, split: str) -> Item:
    """A dialogue about nothing that is shown."""
    asked = asked_in([row])
    if not asked:
        return row.failed("empty_fields", "no question that is answered", REMEDY)
    return Item(
        upstream_id=f"{row.table}#line={row.number}",
        form="text",
        files=(row.ref,),
        facts=(Fact("split", split, "file name"),),
        asked=asked,
        dialogue=len(asked) > 1,
    )


def split_of(table: str) -> str:
    return PurePosixPath(table).name.partition("_")[0]


def mini_dialogues(split: str, volumes: Sequence[tuple[str, str, str]]) -> list[dict[str, Any]]:
    """Invented dialogues of volumes (name, findings, impression), kind after kind, as upstream's list has them."""
    talks: list[dict[str, Any]] = []

    def say(kind: str, image: str, *pairs: tuple[str, str], of: str = "") -> None:
        turns: list[dict[str, str]] = []
        for question, answer in pairs:
            place = "" if turns or not image else "<image>\n"
            turns += [{"from": "human", "value": f"{place}{question}<{kind}>", "type": of or kind}]
            turns += [{"from": "gpt", "value": answer}]
        told = {"id": f"{kind}_{len(talks)}", "conversations": turns}
        talks.append({**told, **({"image": f"{image}.nii.gz"} if image else {})})

    for name, findings, impression in volumes:
        pairs = ("What does this chest CT show?", findings), ("And what do you conclude from that?", impression)
        say("long_answer", name, *pairs, of="conversation")
    for number, (name, findings, impression) in enumerate(volumes):
        last = impression.rstrip(".")
        answer = (f"(b) {last}", "b", "(B)", f"(a) Pneumothorax (b) {last}")[number % 4]
        question = f"Which of these is found? (a) Pneumothorax (b) {last} (c) Rib fracture"
        say("multiple_choice", name, (question, answer))
        say("report_generation", name, ("Please write the report of this chest CT.", findings))
    say(
        "short_answer",
        "",
        ("Which lobe lies below the minor fissure on the right?", "The middle lobe."),
        of="only_text",
    )
    say("short_answer", f"{split}_98_a_1", ("Is there an effusion?", "No."))
    return talks
