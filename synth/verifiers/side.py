"""The patient's side: `gold` left, right, bilateral or midline.

Both sides named is wrong, where it is not "left and right" for bilateral; so is a side of the image, the screen or the
viewer, which is the patient's other side as often as not.
"""

from __future__ import annotations

import re

from manifests.sample import Answer
from synth.verifiers.base import DENIAL, HEDGE, Finding, plain

_SIDE = re.compile(
    r"\b(left|right|bilateral|midline|both\b(?=\s+(?:the\s+)?(?:sides|\w{2,20}(?:\s\w{2,20}){0,2}s)\b)|mid-line|"
    r"median plane)(?:ly|-sided|ward|wards)?\b",
    re.IGNORECASE,
)
_NAMES = {"both": "bilateral", "mid-line": "midline", "median plane": "midline", "l": "left", "r": "right"}
_PAIR = re.compile(
    r"\A(?:on\s+)?(?:both\s+)?(?:the\s+)?(?:left\s+and\s+(?:the\s+)?right|"
    r"right\s+and\s+(?:the\s+)?left)(?:\s+\w{2,20}s?)?\.?\Z",
    re.I,
)
_FRAME = re.compile(
    r"\b(?:image|picture|screen|viewer|view(?:er)?['’]s|film|photo\w*|figure|display|reader|observer)\b", re.I
)
_OTHER = re.compile(
    r"\b(?:contralateral|ipsilateral|more than|less than|than|opposite|other side|vice versa|normal|healthy|"
    r"unaffected|unremarkable|clear|free|"
    r"mirrored|flipped|handed|hand|turn|(?:left|right)(?:ward|wards)?\s+(?:of|from)|to the (?:left|"
    r"right)(?=\s+\w)|one of)\b|[<>]",
    re.I,
)
_TWICE = re.compile(r"\b(left|right|bilateral|midline)\W+\1\b", re.I)
_RIGHT_SO = re.compile(r"\A\s*(?:all\s+)?right[,.!]", re.I)


def check(text: str, answer: Answer) -> Finding:
    """Whether the text names the gold's side and no other."""
    gold = answer.gold.strip().lower()
    shown = plain(text).replace("_", " ")
    if re.fullmatch(r"\W*(?:L|R)\W*|\W*(?:Lt|Rt)\.?\W*", shown) and "?" not in shown:
        said = {_NAMES[re.sub(r"\W", "", shown).lower()[0]]}
    elif re.fullmatch(r"\W*both\W*", shown, re.IGNORECASE) or _PAIR.match(shown):
        said = {"bilateral"}
    else:
        said = {_NAMES.get(m[1].lower(), m[1].lower()) for m in _SIDE.finditer(shown)}
    if len(said) != 1:
        return Finding(False, f"sides named: {', '.join(sorted(said)) or 'none'}")
    for pattern, problem in (
        (DENIAL, "denied"),
        (HEDGE, "in doubt"),
        (_FRAME, "not the patient's side"),
        (_OTHER, "compared"),
    ):
        if pattern.search(shown):
            return Finding(False, problem)
    words = [m[1] for m in _SIDE.finditer(shown)]
    if len(words) > 2 or _TWICE.search(shown) or (_RIGHT_SO.match(shown) and len(shown) > 7):
        return Finding(False, "repeated, or agreement")
    return Finding(said == {gold}, f"said {min(said)}, gold {gold}")
