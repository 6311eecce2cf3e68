"""The notation of a proof: `name(arg=value, ...)`, one text per call, and one text per number."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from types import MappingProxyType
from typing import NamedTuple

from manifests.errors import VerificationError


class Call(NamedTuple):
    """A parsed call: the program's name and its arguments in the order written."""

    name: str
    args: tuple[tuple[str, str], ...]


_NAME = re.compile(r"[a-z][a-z0-9_]*")
_BARE = re.compile(r"[A-Za-z0-9_.+/-](?:[A-Za-z0-9_.+/ -]*[A-Za-z0-9_.+/-])?")


def format_call(call: Call) -> str:
    """The one text of a call; a value that holds more than letters, digits and `_.+-/ ` is a JSON string.

    Raises `VerificationError` where a name is not lower-case or stands twice.
    """
    names = [name for name, _ in call.args]
    if not all(_NAME.fullmatch(name) for name in (call.name, *names)) or len(set(names)) != len(names):
        raise VerificationError(f"not a call: names {[call.name, *names]}; use each lower-case name once")
    return f"{call.name}({', '.join(f'{name}={_format_value(value)}' for name, value in call.args)})"


def _format_value(value: str) -> str:
    return value if _BARE.fullmatch(value) else json.dumps(value, ensure_ascii=False)


def parse_call(text: str) -> Call:
    """The call that a text is; `format_call` gives exactly that text back, and any other text is refused.

    Raises `VerificationError`.
    """
    head = re.match(rf"({_NAME.pattern})\(", text)
    if not head or not text.endswith(")"):
        raise VerificationError(f"not a call: {text[:80]!r}; write name(arg=value, ...)")
    args: list[tuple[str, str]] = []
    at, end = head.end(), len(text) - 1
    while at < end:
        key = re.compile(rf"({_NAME.pattern})=").match(text, at)
        if not key:
            raise VerificationError(f"not a call: {text[:80]!r}; expected arg=value at {at}")
        value, at = _parse_value(text, key.end())
        args.append((key[1], value))
        at += 2 if text.startswith(", ", at) and at + 2 < end else 0
    call = Call(head[1], tuple(args))
    if format_call(call) != text:
        raise VerificationError(f"not a call in its one form: {text[:80]!r}; write {format_call(call)[:80]}")
    return call


def _parse_value(text: str, at: int) -> tuple[str, int]:
    if text.startswith('"', at):
        try:
            value, end = json.JSONDecoder().raw_decode(text, at)
        except json.JSONDecodeError:
            raise VerificationError(f"not a call: {text[:80]!r}; the quoted value at {at} does not end") from None
        return str(value), end
    bare = _BARE.match(text, at)
    if not bare:
        raise VerificationError(f"not a call: {text[:80]!r}; no value at {at}; quote it as a JSON string")
    return bare[0], bare.end()


def call_text(name: str, args: Mapping[str, str] = MappingProxyType({})) -> str:
    """The text of a call by name and arguments, e.g. `call_text("volume_ml", {"mask": "liver"})`."""
    return format_call(Call(name, tuple(args.items())))


def format_number(value: float, decimals: int) -> str:
    """A plain decimal with fixed places, rounded half to even on the shortest decimal of the float; never `-0`."""
    rounded = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)
    return format(abs(rounded) if rounded == 0 else rounded, "f")


def format_size(value: float, decimals: int, below: float = 1.0) -> str:
    """A length, area or volume: as `format_number`, but `below` 1 with 3 significant digits, zeros at their end left
    out down to `decimals` places: 382.04 mm is `382.0`, 0.06404 mm is `0.064`, and 0.5 mm `0.5`.

    Otherwise what a microscope shows, a tenth of a millimetre wide, would have no size.
    """
    size = abs(Decimal(repr(float(value))))
    places = decimals if size >= Decimal(repr(below)) or size == 0 else max(decimals, 2 - size.adjusted())
    text = format_number(value, places)
    return text[: len(text) - places + decimals] + text[len(text) - places + decimals :].rstrip("0")
