"""What a proof may quote: a source's text, and what the source asks, by number from 1.

    span(text, [number])     the text itself: verbatim (but for white space) in the source's text, a question or an
                             answer; with a number it is all of the answer to that question
    digest(field, [number])  sha256 of the source's text, or of the question, the answer, the explanation (`why`) or
                             the options (one a line) of that number

A sample carries of the source's words only what its proofs look at (`looked_at`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from manifests.errors import VerificationError
from manifests.record import Asked
from synth.calls import parse_call
from synth.views import MediaView, Result

FIELDS = ("question", "answer", "why", "options")
MAX_NUMBER = 4096
_NUMBER = re.compile(r"[1-9][0-9]{0,3}")


def span(view: MediaView, args: Mapping[str, str]) -> Result:
    """Raises `VerificationError` where the source does not say the text."""
    wanted = _flat(args["text"])
    if "number" in args:
        found = wanted == _flat(_one(view, args["number"]).answer)
    else:
        found = any(wanted in said for said in map(_flat, (view.text, *_exchanges(view.asked))))
    if not wanted or not found:
        raise VerificationError(f"the source does not hold {wanted[:60]!r} verbatim")
    return Result(args["text"], "")


def digest(view: MediaView, args: Mapping[str, str]) -> Result:
    """Raises `VerificationError` where the source has no such words."""
    said = field_of(view.text, view.asked, args)
    if not said:
        raise VerificationError(f"the sample has no source {args['field'][:20]!r}; fields: text, {', '.join(FIELDS)}")
    return Result(hashlib.sha256(said.encode()).hexdigest(), "")


def field_of(text: str, asked: tuple[Asked, ...], args: Mapping[str, str]) -> str:
    """The words that a digest is of; "" where there are none."""
    if args.get("field") == "text":
        return text if "number" not in args else ""
    at = numbered(args.get("number", ""))
    if args.get("field") not in FIELDS or not 0 < at <= len(asked):
        return ""
    one = asked[at - 1]
    return {"question": one.question, "answer": one.answer, "why": one.why, "options": lines_of(one)}[args["field"]]


def lines_of(one: Asked) -> str:
    """The options as text: one a line, in the source's order."""
    return "\n".join(map(_flat, one.options))


def numbered(text: str) -> int:
    """The number of a question; 0 for what is none."""
    return int(text) if _NUMBER.fullmatch(text) else 0


def looked_at(calls: Iterable[str], text: str, asked: tuple[Asked, ...]) -> tuple[bool, tuple[int, ...]]:
    """Whether proofs look into the source's text, and into which questions, ascending. Raises `VerificationError` for
    what is no call."""
    in_text, numbers = False, set[int]()
    for call in calls:
        name, args = parse_call(call)[0], dict(parse_call(call).args)
        if name not in ("span", "digest", "unanswered"):
            continue
        if "number" in args:
            numbers.add(numbered(args["number"]))
        elif name == "digest" or _flat(args["text"]) in _flat(text):
            in_text = True
        else:
            numbers.add(next((n for n, one in enumerate(asked, 1) if _says(one, args["text"])), 0))
    return in_text, tuple(sorted(numbers - {0}))


def _says(one: Asked, text: str) -> bool:
    return any(_flat(text) in _flat(said) for said in (one.question, one.answer))


def _exchanges(asked: tuple[Asked, ...]) -> list[str]:
    return [said for one in asked for said in (one.question, one.answer)]


def _one(view: MediaView, number: str) -> Asked:
    at = numbered(number)
    if not 0 < at <= len(view.asked):
        raise VerificationError(f"the sample has no question {number[:20]!r}")
    return view.asked[at - 1]


def _flat(text: str) -> str:
    return " ".join(text.split())
