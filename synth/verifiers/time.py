"""A time in a clip, or a span: `gold` `12.5` or `12.5-18.0` in seconds, `tolerance` in seconds for each end.

A response may write seconds with or without a unit, `mm:ss`, `hh:mm:ss` with fractions, or "1 min 5 s".
"""

from __future__ import annotations

import re

from manifests.sample import Answer
from synth.verifiers import amounts
from synth.verifiers.base import Finding, plain
from synth.verifiers.range import joined

_CLOCK = re.compile(r"(?<![\w:.-])(?:(\d{1,2}):)?(\d{1,2}):(\d{2}(?:\.\d{1,3})?)(?![\w:]|\.\d)")
_PAIR = re.compile(r"(?<![\w.])(\d{1,3})\s?(?:min|minutes?)\s?(?:and\s)?(\d{1,2}(?:\.\d{1,3})?)\s?(?:s|sec|seconds?)\b")


def check(text: str, answer: Answer) -> Finding:
    """Whether the text names the gold's time, or both ends of its span in order; a clock with 60 s or more is none."""
    golds = amounts.golds(answer)
    shown = re.sub(r"(?<=[\d.])-(?=\d{1,2}:)", " to ", plain(text))
    shown = re.sub(r"\b(?:until|till)\b", "to", shown)
    shown = _PAIR.sub(lambda m: f"{int(m[1]) * 60 + float(m[2]):.3f} s", shown)
    shown = _CLOCK.sub(_seconds, shown)
    read = amounts.read(shown, "s", most=2)
    if ":" in re.sub(r":\s|:\Z", "", shown):
        return Finding(False, "a clock that is none")
    if read.problem or len(golds) not in (1, 2) or len(read.amounts) != len(golds):
        return Finding(False, read.problem or f"{len(read.amounts)} times, gold {answer.gold!r}")
    if len(golds) == 2 and not joined(read):
        return Finding(False, "two times that are no span")
    right = all(abs(a.value - g) <= answer.tolerance + 1e-6 for a, g in zip(read.amounts, golds, strict=True))
    said = "-".join(f"{a.value:g}" for a in read.amounts)
    return Finding(right, f"{said} s, gold {answer.gold} s")


def _seconds(match: re.Match[str]) -> str:
    hours, minutes, seconds = int(match[1] or 0), int(match[2]), float(match[3])
    if seconds >= 60 or (match[1] and minutes >= 60):
        return match[0]
    return f"{hours * 3600 + minutes * 60 + seconds:.3f} s"
