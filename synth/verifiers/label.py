"""A closed label: `gold` with its synonyms, `melanoma|malignant melanoma`.

Case, space, punctuation, article, British spelling and plural do not count; signs do (`HER2+` is not `HER2-`). A short
lead-in may stand before the label and an explanation after its sentence; any other word is wrong: a denial ("no X"), a
hedge ("possible X"), a second label.
"""

from __future__ import annotations

import re

from manifests.sample import Answer
from synth.verifiers.base import DENIAL, HEDGE, Finding, first_sentence, normal_form, plain, sentences

_SIGNS = (
    ("≤", " at most "),
    ("≥", " at least "),
    ("<", " less than "),
    (">", " more than "),
    ("%", " percent "),
    ("*", " star "),
    ("¬", " not "),
    ("~", " about "),
    ("≈", " about "),
)
_LEAD = re.compile(
    r"\A(?:(?:it|this|that) (?:is|s|shows)|(?:the |this )?(?:image|picture|scan|film|figure|slide|"
    r"video) (?:shows|depicts)|"
    r"(?:the )?(?:final |most specific )?(?:diagnosis|finding|label|class|category|structure|organ|modality|"
    r"plane)(?: is| shown is)?|"
    r"there is|i see|answer(?: is)?|here we see) (?=\S)"
)
_TAIL = re.compile(r" (?:is|are) (?:seen|shown|visible|present|depicted)\Z")
_SPELLING = re.findall(
    r"(\w+):(\w+)",
    "oedem:edem haem:hem aem:em tumour:tumor oesoph:esoph caec:cec foet:fet paed:ped anaes:anes fibre:fiber "
    "centre:center grey:gray diarrhoea:diarrhea gynaec:gynec orthopaed:orthoped leucoc:leukoc colour:color",
)
_TURN = re.compile(
    r"\b(?:alternatively|or|perhaps|maybe|possibly|instead|rather|not|but|however|actually|wait|also|as well|"
    r"too|additionally|second thought)\b",
    re.I,
)


def form(text: str) -> str:
    """The text as labels are compared: signs in words, one spelling, no plural at the end."""
    shown = re.sub(r"\A[-*•–]\s+", "", plain(text))
    shown = re.sub(r"(?<=\w)\+(?!\w)|(?<!\w)\+(?=\w)", " plus ", shown)
    shown = re.sub(r"(?<=\w)[-–](?![\w-])|(?<!\w)[-–](?=\w)", " minus ", shown)
    for sign, words in _SIGNS:
        shown = shown.replace(sign, words)
    shown = re.sub(r"\A!", " not ", shown)
    flat = normal_form(re.sub(r"(?<=\d)\.(?=\d)", " point ", shown))
    for british, american in _SPELLING:
        flat = flat.replace(british, american)
    return _singular(flat)


def _singular(flat: str) -> str:
    if re.search(r"(?:ss|[xz]|ch|sh)es\Z", flat):
        return flat[:-2]
    if re.search(r"[^aeiou]ies\Z", flat):
        return flat[:-3] + "y"
    return flat[:-1] if re.search(r"[a-z]{3}(?<![siu])s\Z", flat) else flat


def synonyms(gold: str) -> frozenset[str]:
    return frozenset(f for f in (form(one) for one in gold.split("|")) if f)


def without_lead(flat: str) -> str:
    """A label's form without lead-ins ("it is", "the image shows") and without "is seen" after it."""
    for _ in range(3):
        flat = re.sub(r"\A(?:the|an|a) ", "", _LEAD.sub("", flat))
    return _TAIL.sub("", flat)


def check(text: str, answer: Answer) -> Finding:
    """Whether the text is the gold label or one of its synonyms."""
    golds = synonyms(answer.gold)
    whole = form(text)
    if whole in golds:
        return Finding("?" not in plain(text), f"said {whole[:80]!r}")
    first, rest = first_sentence(plain(text))
    said = form(first)
    if said not in golds:
        said = _singular(without_lead(said))
    if HEDGE.search(first) and said not in golds:
        return Finding(False, "in doubt")
    if (
        "?" in text
        or _TURN.search(rest)
        or HEDGE.search(rest)
        or DENIAL.search(rest)
        or any(len(s.split()) < 4 for s in sentences(rest))
    ):
        return Finding(False, "in doubt, or changed")
    return Finding(said in golds, f"said {said[:80]!r}, gold {answer.gold!r}")
