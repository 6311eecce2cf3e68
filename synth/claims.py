"""What an English text says: clause by clause, which side of what, and what it states or denies.

Negation follows NegEx (Chapman et al. 2001, doi:10.1006/jbin.2001.1029): a cue opens a scope that a verb, a conjunction
or the end of the clause closes; "no A, B or C" denies all three. Not covered: double negation, hedges ("possible"),
"rule out" as a request, and scope across sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from synth.facts import terms_in
from synth.quantities import quantities

_MARKER = re.compile(r"^\s*\d{1,2}[.)]\s+(?=\S)", re.MULTILINE)  # "1. " of a list
_SENTENCE = re.compile(r"[.;:!?]+(?=\s|\Z)|\n")
_JOIN = re.compile(r"(?:,|,?\s(?:and|while|whereas|but))\s", re.IGNORECASE)
_SIDE = re.compile(
    r"\b(left|right|bilateral|both(?=\s+(?:sides|\w+s\b)))(?:ly|-sided)?\b(?!\s+(?:now|away|alone|behind|untreated|out\b))",
    re.IGNORECASE,
)
_CODE = re.compile(r"\b[A-Za-z]+-?\d[\w.]*\b")
_NO = re.compile(
    r"\b(?:no|not|without|absence of|negative for|denie[sd]|free of|neither|nor|never|lacks?|cannot|\w+n't)\b"
    r"(?!\s+(?:only|doubt|certain|necessarily|longer)\b)",
    re.IGNORECASE,
)
_NO_AFTER = re.compile(
    r"\b(?:is|are|was|were)(?:\s+not|n't)\s+(?:seen|present|identified|visible|detected|evident|observed|shown)\b"
    r"|\b(?:is|are|was|were)\s+(?:absent|ruled out|excluded)\b|:\s*(?:none|absent|no|negative)\b|\babsent\b",
    re.IGNORECASE,
)
_SCOPE_END = re.compile(
    r"[;:!?\n]|\.(?=\s|\Z)|\b(?:but|however|although|though|except|which|while|whereas|is|are|was|were|shows?|has|have|"
    r"measures?)\b",
    re.IGNORECASE,
)
_CARRIER = re.compile(r"\s+(?:show|have|has|demonstrate|reveal|contain|see)\b", re.IGNORECASE)
_NORMAL = re.compile(r"\b(?:normal|unremarkable|healthy)\b", re.IGNORECASE)
_GENERIC = re.compile(
    r"\b(?:finding|abnormal|abnormality|abnormalities|disease|pathology|pathologies)s?\b", re.IGNORECASE
)
_AFFIRMING = re.compile(
    r"\b(?:abnormal|abnormality|abnormalities|disease|diseases|pathology|pathologies)\b", re.IGNORECASE
)
_STOP = frozenset(
    {
        "evidence", "signs", "sign", "seen", "visible", "image", "images", "scan", "study", "shown", "view", "there",
        "this", "that", "with", "from", "present", "other", "any", "obvious", "significant", "identified", "noted",
        "demonstrated", "than", "more", "contain", "containing",
    }
)  # fmt: skip


class Claims(NamedTuple):
    """What a text says of findings, by canonical name; `finding` stands for "anything abnormal"."""

    affirmed: frozenset[str]
    denied: tuple[tuple[str, frozenset[str], frozenset[str]], ...]  # (words as written, findings, other words)


def clauses(text: str) -> Iterator[str]:
    """Sentences, cut further at commas and conjunctions where each part holds a number of its own."""
    for sentence in _SENTENCE.split(_MARKER.sub("", text)):
        start = 0
        for join in _JOIN.finditer(sentence):
            if quantities(sentence[start : join.start()]) and quantities(sentence[join.end() :]):
                yield sentence[start : join.start()]
                start = join.end()
        yield sentence[start:]


def codes_in(text: str) -> list[str]:
    """Words that hold letters and then digits (`L1`, `J18.9`, `T1`), in order."""
    return [match[0].rstrip(".") for match in _CODE.finditer(text.replace("_", " "))]


def sides_in(text: str) -> list[str]:
    """left, right and bilateral as a text says them, in order; "both kidneys" is bilateral."""
    return [_side(match) for match in _SIDE.finditer(text.replace("_", " "))]


def _side(match: re.Match[str]) -> str:
    word = match[1].lower()
    return "bilateral" if word == "both" else word


def side_pairs(text: str) -> list[tuple[str, str]]:
    """(side, canonical anatomy) where an organ follows a side within three words of the same clause."""
    flat = text.replace("_", " ")
    organs = terms_in(flat, "anatomy")
    pairs = []
    for match in _SIDE.finditer(flat):
        near = [t for t in organs if t.start >= match.end()][:1]
        if near and re.fullmatch(r"\s+(?:(?!and\b|or\b|of\b)[\w-]+\s+){0,2}", flat[match.end() : near[0].start]):
            pairs.append((_side(match), near[0].name))
    return pairs


def _scopes(text: str) -> list[tuple[int, int]]:
    """Where a text denies: (start, end) of each denied stretch, the cue left out."""
    after = [(m.start(), m.end()) for m in _NO_AFTER.finditer(text)]
    spans = []
    for start, _ in after:
        opened = [m.end() for m in re.finditer(r"[.;:!?\n,]\s|\b(?:but|and|while)\s", text[:start])]
        spans.append((max(opened, default=0), start))
    for cue in _NO.finditer(text):
        if not any(start <= cue.start() < end for start, end in after):
            verb = _CARRIER.match(text, cue.end())  # "does not show a fracture": the verb belongs to the cue
            close = _SCOPE_END.search(text, verb.end() if verb else cue.end())
            spans.append((cue.end(), _list_end(text, cue.end(), close.start() if close else len(text))))
    return sorted(spans)


def _list_end(text: str, start: int, end: int) -> int:
    """A comma closes the scope unless the stretch is a list that goes on to "or" or "nor"."""
    last_or = max(text.rfind(" or ", start, end), text.rfind(" nor ", start, end))
    comma = text.find(",", max(start, last_or), end)
    return comma if comma >= 0 else end


def _findings(text: str) -> frozenset[str]:
    return frozenset(t.name for t in terms_in(text, "findings")) | ({"finding"} if _GENERIC.search(text) else set())


def _other_words(text: str) -> frozenset[str]:
    anatomy = {text[t.start : t.end].lower() for t in terms_in(text, "anatomy")}
    words = (w.lower() for w in re.findall(r"[A-Za-z]{4,}", text))
    return frozenset(w.removesuffix("s") for w in words if w not in _STOP and w not in anatomy)


def read_claims(text: str) -> Claims:
    """The findings that a text states and those that it denies; "normal" denies `finding`."""
    spans = _scopes(text)
    denied = [(text[a:b].strip(), _findings(text[a:b]), _other_words(text[a:b])) for a, b in spans]
    denied += [(m[0], frozenset({"finding"}), frozenset()) for m in _NORMAL.finditer(text) if not _inside(m, spans)]
    rest = "".join(" " if any(a <= i < b for a, b in spans) else ch for i, ch in enumerate(text))
    affirmed = frozenset(t.name for t in terms_in(rest, "findings"))
    return Claims(affirmed | ({"finding"} if _AFFIRMING.search(rest) else frozenset()), tuple(denied))


def _inside(match: re.Match[str], spans: list[tuple[int, int]]) -> bool:
    return any(start <= match.start() < end for start, end in spans)
