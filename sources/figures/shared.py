"""What sources of figures share: texts without placeholders, conversations, rows gathered by their medium."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from manifests.errors import RecordError
from manifests.record import Asked, Fact
from sources.base import PICTURE, Item
from sources.upstream import REMEDY, Line, plain

if TYPE_CHECKING:
    pass

PLACEHOLDERS = re.compile(r"\s*(?:<(?:image|video|img|audio)>|" + PICTURE + r")\s*", re.IGNORECASE)
CHOICE = re.compile(r"^\s*[A-H]\s*[:.)]\s*")


def words(value: Any) -> str:
    """A text without the placeholders of pictures; what is no text says nothing."""
    return PLACEHOLDERS.sub(" ", value).strip() if isinstance(value, str) else ""


def exchanges(turns: Any) -> tuple[Asked, ...]:
    """The conversations of LLaVA's layout (`from` human or gpt, `value`) as questions and answers, in order.

    Raises `RecordError` `bad_conversation` where turns do not alternate, beginning with a human's."""
    if not isinstance(turns, list) or not turns or len(turns) % 2 or not all(isinstance(t, dict) for t in turns):
        raise RecordError("bad_conversation", "no list of turns in pairs", REMEDY)
    roles = [str(t.get("from")) for t in turns]
    texts = [words(t.get("value")) for t in turns]
    if set(roles[::2]) != {"human"} or set(roles[1::2]) != {"gpt"} or not all(texts):
        raise RecordError("bad_conversation", "turns that are not human and gpt in turn, or an empty one", REMEDY)
    return tuple(Asked(q, a) for q, a in zip(texts[::2], texts[1::2], strict=True))


def asked(row: Line, question: str, answer: str, about: str = "") -> Asked:
    """What a row asks, by the names of its columns; "None" is an answer like others, as to what disease is seen.

    Raises `RecordError` `empty_fields`."""
    texts = (words(v) if isinstance(v, str) else plain(v) for v in map(row.value, (question, answer)))
    said, replied = texts
    if not (said and replied):
        raise RecordError("empty_fields", f"no {question} or no {answer}", REMEDY)
    return Asked(said, replied, about=row.get(about))


def named_by(column: str) -> Callable[[Line], str]:
    """Which medium a row names: "" where it does not; a table whose first row has no such column is refused."""
    return lambda row: row[column] if row.number == 1 else row.get(column)


def by_medium(
    rows: Callable[[], Iterable[Line]], medium: Callable[[Line], str]
) -> Iterator[tuple[str, tuple[Line, ...]]]:
    """All rows of each medium together, in the order of their last rows.

    The tables are read twice: once to count the rows of each medium, once to gather them. Held are a number for each
    medium (by eight bytes of its name's digest), and those rows whose medium has more to come."""
    left = Counter(_short(medium(row)) for row in rows())
    waiting: dict[str, list[Line]] = {}
    for row in rows():
        name = medium(row)
        key = _short(name)
        left[key] -= 1
        waiting.setdefault(name, []).append(row)
        if left[key] <= 0:
            del left[key]
            yield name, tuple(waiting.pop(name))
    yield from ((name, tuple(gathered)) for name, gathered in waiting.items())  # only where two digests were equal


def _short(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def passed_over(row: Line, reason: str, found: str, remedy: str) -> Item:
    """How a row ends that is sound and that the recipe does not take."""
    return Item(
        f"{row.table}#line={row.number}", "none", (row.ref,), status="dropped", reason=reason, found=found,
        remedy=remedy,
    )  # fmt: skip


def other_licence(licence: str, taken: Sequence[str], row: Line) -> Item | None:
    """How a figure ends whose own licence a recipe does not take; None where it does, or takes all."""
    if not taken or licence in taken:
        return None
    found = f"a figure under '{licence[:40] or 'no stated licence'}'"
    return passed_over(row, "other_licence", found, f"name it in `licences` to take it; taken: {', '.join(taken)}")


def each(name: str, values: Iterable[Any], origin: str, about: str = "") -> tuple[Fact, ...]:
    """One fact for each value that says something, each once."""
    texts = (str(v).strip() for v in values if v is not None)
    return tuple(Fact(name, t, origin, about=about) for t in dict.fromkeys(texts) if t)


def listed(value: Any) -> list[Any]:
    """A list as it is; one text as a list of it; else empty."""
    if isinstance(value, str):
        return [value]
    return list(value) if isinstance(value, list | tuple) else []
