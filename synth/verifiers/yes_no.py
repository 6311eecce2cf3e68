"""Yes or no: `gold` yes or no, said outright. A sentence that only implies it ("There is an effusion") is wrong."""

from __future__ import annotations

import re

from manifests.sample import Answer
from synth.verifiers.base import Finding, plain, sentences

_FIRST = re.compile(
    r"\A[\W_]*(yes|no)\b(?=[\"'”’)\]*_]*\s*(?:\Z|[.,;:!\n–—]|-\s|\s(?:it|there|the|this|that|he|she|they|"
    r"because|since|as)\b))"
)
_LAST = re.compile(r"(?:\A|[\s:,;(\"'])(yes|no)[\W_]*\Z")
_DOUBT = re.compile(
    r"\b(?:maybe|perhaps|possibly|probably|likely|or|and|not|nor|neither|either|if|opposite of|say|says|said|"
    r"than|but|from|"
    r"with|to|doubt|false|wrong|incorrect|untrue|unsure|sure|unclear|impossible|"
    r"\w{1,12}n['’]t)(?:\W+\w+){0,2}\W+(?:yes|no)\b|\b(?:yes|no)\W+(?:and|or|but|if|maybe|perhaps|"
    r"possibly|probably|likely|not|is\s+(?:wrong|incorrect|false)|yes|no)\b|\b(?:yes|no)[\s\"')]*\?|/|"
    r"%\W+(?:yes|no)\b"
)
_TURN = re.compile(
    r"\b(?:probability|chance|likelihood|on second thought|wait|actually|however|correction|i mean|rather|"
    r"instead|otherwise|unless)\b"
)


def check(text: str, answer: Answer) -> Finding:
    """Whether the text begins or ends with the gold's word, standing for itself, and says nothing against it."""
    gold = answer.gold.strip().lower()
    shown = plain(text).lower()
    parts = sentences(shown)
    if gold not in ("yes", "no") or not parts:
        return Finding(False, f"gold {answer.gold!r}" if parts else "no answer")
    said = [m[1] for part in parts if (m := _FIRST.match(part) or re.fullmatch(r"[\W_]*(yes|no)[\W_]*", part))]
    said += [m[1] for m in [_LAST.search(parts[-1])] if m]
    heads = [part[:60] for part in parts if re.search(r"\b(?:yes|no)\b", part[:40])] + [parts[-1][-60:]]
    if not said or any(_DOUBT.search(part) for part in heads if re.search(r"\b(?:yes|no)\b", part)):
        return Finding(False, "in doubt" if said else "no clear yes or no")
    if len(set(said)) > 1 or len(said) > 2 or _TURN.search(shown):
        return Finding(False, "both, or changed")
    return Finding(said[0] == gold, f"said {said[0]!r}, gold {gold!r}")
