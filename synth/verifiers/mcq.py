"""A letter of a multiple choice: `gold` B; `options` are the texts, joined by `|`, and say how many letters there are
(A-J at most; without them A-E, and on to the gold).

Anchored: the letter stands alone, before its own text, or after "option", "choice", "answer is"; an answer in words
only is wrong, and so is a second letter, "not B", "B?" or the text of another option.
"""

from __future__ import annotations

import re

from manifests.sample import Answer
from synth.verifiers.base import HEDGE, Finding, normal_form, plain, sentences

_ALL = "ABCDEFGHIJ"
_LEAD = (
    r"(?:(?:(?:i|we)\s+(?:choose|select|pick|would choose|go with)|it is|it's|that is)\s+)?(?:the\s+)?"
    r"(?:(?:correct|right|best|final)\s+)?(?:(?:option|choice|letter|answer)\s*(?:is\s*)?:?\s*)?(?:(?:option|"
    r"choice)\s+)?"
)
_ALONE = r"[(\[\"'“‘<]{0,2}([%s])[)\]\"'”’>]{0,2}"
_END = (
    r"(?:[.:)]{0,2}\s*\Z|\s+\((?P<within>[^()]*)\)\.?\s*\Z|[.:)]{1,2}\s+(?P<text>\S.*)|\s+[-–—]\s+(?P<dashed>\S.*)|"
    r",?\s+(?:because|since|as|which)\b.*|\s+(?:is|seems)\s+(?:the\s+)?(?:correct|right|best)(?:\s+(?:answer|"
    r"option|choice|one))?\.?\s*\Z)"
)
_BRACKETED = r"[(\[]([%s])[)\]]\s+(?P<text>\S.*)"
_AGAIN = re.compile(r"[(\[][A-J][)\]]|[A-J](?=[.,)\]]|\s*\Z)")
_DENIED = re.compile(
    r"\b(?:not|neither|nor|except|unless|instead|rather|wrong|incorrect|both|all of|any of|none of|of the above)\b",
    re.I,
)


def check(text: str, answer: Answer) -> Finding:
    """Whether the text settles on the gold's letter, and on no other."""
    options = [normal_form(plain(option)) for option in answer.options.split("|")] if answer.options else []
    gold = answer.gold.strip().upper()
    letters = _ALL[: len(options) or max(5, _ALL.find(gold) + 1)]
    lines = [line.strip() for line in plain(text).splitlines() if line.strip()]
    if not lines or gold not in letters or len(gold) != 1:
        return Finding(False, f"gold {answer.gold!r}" if lines else "no answer")
    named = [(found, k) for k, line in enumerate(lines) if (found := _letter(line, letters, len(lines) == 1))]
    if len(named) != 1 or named[0][1] not in (0, len(lines) - 1):
        return Finding(False, f"letters met: {', '.join(sorted({n[0][0] for n in named})) or 'none'}")
    (said, rest), at = named[0]
    if options and rest and not _own_text(rest, options, letters.index(said)):
        return Finding(False, f"{said} with another option's text")
    if problem := _doubt(lines, at, said, rest, letters):
        return Finding(False, problem)
    return Finding(said == gold, f"said {said}, gold {gold}")


def _letter(line: str, letters: str, alone: bool) -> tuple[str, str] | None:
    """The letter a line names, with the text after it."""
    match = re.match(_BRACKETED % letters, line) or re.match(rf"(?i:{_LEAD}){_ALONE % letters}{_END}", line)
    if match is None and alone:
        match = re.match(rf"(?i:{_LEAD}){_ALONE % letters.lower()}[.:)]{{0,2}}\s*\Z", line)
    if match is None:
        return None
    groups = match.groupdict()
    return match[1].upper(), (groups.get("text") or groups.get("dashed") or groups.get("within") or "").strip()


def _own_text(rest: str, options: list[str], at: int) -> bool:
    """What follows the letter must not be another option's text; it is its own, or an explanation that is none's."""
    said = normal_form(rest)
    own = options[at]
    others = [o for k, o in enumerate(options) if k != at and o and o not in own]
    return said.startswith(own) or not any(f" {o} " in f" {said} " for o in others)


def _doubt(lines: list[str], at: int, said: str, rest: str, letters: str) -> str:
    """Why a letter does not settle it: the line denies or doubts, or any line names another letter as a choice."""
    line = lines[at]
    head = line[: len(line) - len(rest)] if rest else line
    if _DENIED.search(head) or HEDGE.search(head.replace("Or", "")):
        return "denied or in doubt"
    if _AGAIN.match(rest) or re.match(r"(?:not?|never|wrong|false|incorrect)\b(?! \w+ing\b)", rest, re.I):
        return "repeated, or denied"
    if rest and re.search(r"\b(?:of the above|any of|all of)\b", rest, re.I):
        return "any of them"
    for part in (head, *sentences("\n".join([rest, *lines[:at], *lines[at + 1 :]]))):
        for other in re.finditer(r"(?<![\w'’-])([A-J])(?![\w'’+-])", part):
            alone = other[1] not in "AI" or not re.match(r"\s+[a-z]", part[other.end() :])
            named = _choice(part) or (part == head) or re.match(r"[.):,/]", part[other.end() :])
            if other[1] != said and other[1] in letters and alone and named:
                return f"names {other[1]} as well"
    return ""


def _choice(part: str) -> bool:
    return re.search(r"\b(?:or|and|answer|option|choice)\b", part, re.I) is not None or len(part) < 4
