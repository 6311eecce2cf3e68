"""What an English text says: clause by clause, which side of what, and what it states, denies or only supposes.

Negation follows NegEx (Chapman et al. 2001, doi:10.1006/jbin.2001.1029): a cue opens a scope that a verb, a conjunction
or the end of the clause closes; "no A, B or C" denies all three. Uncertainty is read the same way: "possible A",
"suspicious for A or B", "A cannot be excluded", "A may be present". Not covered: double negation, scope across
sentences, "consistent with" and "compatible with" (read as statements), and irony.

`read` is linear in the length of a text: what looks around itself is given at most `PIECE` characters at a time.
"""

from __future__ import annotations

import functools
import itertools
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from synth.lexicon import Term, Word, find, words_of

PIECE = 1_000  # characters; ten sentences or so
_CUT = re.compile(r"\n|(?<=[^\W\d])[.;!?]\s(?!\s*\d)")  # ends of lines and sentences, not of "1." in a list
MARKER = re.compile(r"^\s*\d{1,2}[.)]\s+(?=\S)", re.MULTILINE)  # "1. " of a list
_SENTENCE = re.compile(r"[.;!?]+(?=\s|\Z)|\n")
_SIDE = re.compile(
    r"\b(left|right|bilateral|Rt|Lt|both(?=\s+(?:the\s+)?(?:sides|\w+s\b)))(?:ly|-?sided|wards?)?\b"
    r"(?!\s+(?:now|away|alone|behind|untreated|out|after|before|angled?)\b)",
    re.IGNORECASE,
)
_FOUND = (
    r"(?:seen|present|identified|visible|detected|evident|observed|shown|noted|found|appreciated|demonstrated|reported"
    r"|visuali[sz]ed|revealed|apparent|recogni[sz]able|discernible)"
)
_EXCLUDED = r"(?:exclude[ds]?|rule[ds]?\s+out)"
_NO = re.compile(
    r"\b(?:no|not|without|absence of|lack of|negative for|denie[sd]|denying|free of|devoid of|neither|nor|never|none"
    r"|lack(?:s|ed|ing)?|cannot|fail(?:s|ed) to|\w+n't)\b"
    rf"(?!\s+(?:only|doubt|certain|necessarily|longer|(?:be\s+)?(?:\w+ly\s+)?{_EXCLUDED})\b)",
    re.IGNORECASE,
)
_NO_AFTER = re.compile(
    rf"\b(?:is|are|was|were|could|can|has|have)(?:\s+not|n't|not)\s+(?:be(?:en)?\s+)?{_FOUND}\b"
    rf"|\b(?:is|are|was|were|(?:has|have)\s+been)\s+(?:absent|ruled out|excluded)\b"
    r"|:\s*(?:none|absent|no|negative)\b(?=\s*(?:[.;,\n]|\Z))|\babsent\b|\bnot\s+(?:seen|identified|visible|detected|observed)\b",
    re.IGNORECASE,
)
_SCOPE_END = re.compile(
    r"[;:!?\n]|\.(?=\s|\Z)|\b(?:but|however|although|though|except|which|while|whereas|is|are|was|were|shows?|has|have|"
    r"measures?)\b",
    re.IGNORECASE,
)
_CARRIER = re.compile(r"\s+(?:show|have|has|demonstrate|reveal|contain|see)\b", re.IGNORECASE)
_CLAUSE_START = re.compile(r"[.;:!?\n,]\s|\b(?:but|and|while)\s", re.IGNORECASE)
_NORMAL = re.compile(r"\b(?:normal|unremarkable|healthy)\b", re.IGNORECASE)
_GENERIC = re.compile(
    r"\b(?:finding|abnormal|abnormality|abnormalities|disease|pathology|pathologies)s?\b", re.IGNORECASE
)
_AFFIRMING = re.compile(
    r"\b(?:abnormal|abnormality|abnormalities|disease|diseases|pathology|pathologies)\b", re.IGNORECASE
)
_MAYBE = re.compile(
    r"\b(?:possibl[ey]|probabl[ey]|presum(?:ed|ably|able|ptive)|suspect(?:s|ed|ing)?|suspicious\s+(?:for|of)|suspicions?|query"
    r"|suggest(?:s|ed|ing|ive)?|likely|unlikely|questionable|equivocal|indeterminate|concern(?:ing)?\s+for|worrisome"
    r"|maybe|perhaps|potential(?:ly)?|putative|differential|uncertain|rule\s+out|to\s+exclude"
    rf"|(?:may|might|could)(?!\s+(?:not\s+)?be\s+{_FOUND}\b(?<!present)))\b",
    re.IGNORECASE,
)
_MAYBE_AFTER = re.compile(
    rf"\b(?:cannot|can't|can\s+not|could\s+not|couldn't|not|n't)\s+(?:be\s+)?(?:\w+ly\s+)?{_EXCLUDED}\b"
    r"|\b(?:is|are|was|were|remains?|be|being)\s+(?:\w+ly\s+)?(?:possible|probable|likely|unlikely|suspected|presumed"
    r"|questionable|equivocal|uncertain|considered|suggested|queried)\b",
    re.IGNORECASE,
)
_SMALL = """
a about above adjacent after all along also an and any appear appearance are around arrow arrowhead as associated at
be because been before being below between but by can case clearly consistent could demonstrate demonstrated
demonstrating demonstration depict depicting depicted described detected did display do does due during each either
evidence evident exam examination figure film finding following for found from given had has have her his however
image imaging in indicate indicated indicating into is it its left marked may might more most near nor not note
noted obtained obvious of on one only or other our patient performed picture present presence previous question
reveal revealed revealing right same scan seen see section several show showed showing shown side sign significant
since slice some study such suggest suggestive taken than that the their them there these they this those though
through to two under up upon view visible visualised visualized was well were when where which while who whose with
within without year you whom both bilateral identified identify lie cover acquired acquire acquisition appreciated
accompanied coexist addition additional incidentally person field part contain containing observed aspect definite
gross grossly bilaterally possible possibly probable suspected likely suspicious suspicion no none never rt lt
"""
SMALL_WORDS = frozenset(_SMALL.split())  # words that tell no statement from another


class Side(NamedTuple):
    """left, right or bilateral, and the words that it stands beside: what follows it, else what stands before it."""

    name: str
    start: int
    end: int
    heads: frozenset[str]
    organ: str  # the organ that follows within three words, or ""


class Sentence(NamedTuple):
    """What one sentence holds, by canonical names and word stems: all of it, what it states, what it is sure of."""

    start: int
    end: int
    items: frozenset[str]
    stated: frozenset[str]
    sure: frozenset[str]
    organs: frozenset[str]
    denies: bool  # whether it has a cue of a denial
    supposes: bool


class Scope(NamedTuple):
    """A stretch that is denied, or supposed."""

    start: int
    end: int
    findings: frozenset[str]  # `finding` stands for "anything abnormal"
    organs: frozenset[str]
    other: frozenset[str]
    sentence: int
    parts: tuple[frozenset[str], ...]  # the words of each member of "A, B or C"

    def items(self) -> frozenset[str]:
        return self.findings | self.organs | self.other


class Mention(NamedTuple):
    """A finding that is stated, surely or not."""

    name: str
    start: int
    end: int
    sure: bool
    sentence: int


class Reading(NamedTuple):
    """A text as the checks see it; everything in the order of the text."""

    text: str
    terms: dict[str, list[Term]]
    sides: list[Side]
    sentences: list[Sentence]
    stated: list[Mention]
    denied: list[Scope]
    supposed: list[Scope]


def pieces(text: str) -> Iterator[str]:
    """The text in pieces of at most `PIECE` characters, cut behind a sentence where one ends, else at a blank."""
    start = 0
    while len(text) - start > PIECE:
        ends = [match.end() for match in _CUT.finditer(text, start, start + PIECE)]
        blank = text.rfind(" ", start + 1, start + PIECE)
        end = ends[-1] if ends else blank if blank > 0 else start + PIECE
        yield text[start:end]
        start = end
    yield text[start:]


def read(text: str) -> Reading:
    """All that the checks look at in a text."""
    out = Reading(text, {}, [], [], [], [], [])
    start = 0
    for piece in pieces(text):
        _read_piece(piece, start, out)
        start += len(piece)
    return out


def sides_in(text: str) -> list[str]:
    """left, right and bilateral as a text says them, in order; "both kidneys" is bilateral."""
    return [_side(match) for match in _SIDE.finditer(text.replace("_", " "))]


def _side(match: re.Match[str]) -> str:
    word = match[1].lower()
    return {"both": "bilateral", "rt": "right", "lt": "left"}.get(word, word)


@functools.lru_cache(maxsize=8192)
def _stem(low: str) -> str:
    return low[:-1] if len(low) > 4 and low.endswith("s") and not low.endswith("ss") else low


class _Item(NamedTuple):
    name: str
    start: int
    end: int
    kind: str  # finding, organ, or "" for any other word


def _items(words: Sequence[Word], found: dict[str, list[Term]]) -> list[_Item]:
    """The words that tell one statement from another: terms by their names, others by their stems."""
    out = [_Item(t.name, t.start, t.end, "organ") for t in found["anatomy"]]
    out += [_Item(t.name, t.start, t.end, "finding") for t in found["findings"]]
    taken = sorted((item.start, item.end) for item in out)
    at = 0
    for low, start, end in words:
        while at < len(taken) and taken[at][1] <= start:
            at += 1
        if at < len(taken) and taken[at][0] <= start:
            continue
        if len(low) > 2 and (stem := _stem(low)) not in SMALL_WORDS and low not in SMALL_WORDS:
            out.append(_Item(stem, start, end, ""))
    return sorted(out, key=lambda item: item.start)


def _scopes(text: str) -> list[tuple[int, int]]:
    """Where a text denies: (start, end) of each denied stretch, the cue left out."""
    after = [(m.start(), m.end()) for m in _NO_AFTER.finditer(text)]
    spans = [(_clause_start(text, start), start) for start, _ in after]
    for cue in _NO.finditer(text):
        if not any(start <= cue.start() < end for start, end in after):
            verb = _CARRIER.match(text, cue.end())  # "does not show a fracture": the verb belongs to the cue
            spans.append((cue.end(), _scope_end(text, cue.end(), verb.end() if verb else cue.end())))
    return sorted(spans)


def _clause_start(text: str, before: int) -> int:
    return max((m.end() for m in _CLAUSE_START.finditer(text, 0, before)), default=0)


def _scope_end(text: str, start: int, search: int) -> int:
    """A comma closes a scope unless the stretch is a list that goes on to "or" or "nor"."""
    close = _SCOPE_END.search(text, search)
    end = close.start() if close else len(text)
    last_or = max(text.rfind(" or ", start, end), text.rfind(" nor ", start, end))
    comma = text.find(",", max(start, last_or), end)
    return comma if comma >= 0 else end


def _suppositions(text: str, denied: Sequence[tuple[int, int]], items: Sequence[_Item]) -> list[tuple[int, int]]:
    """Where a text only supposes: what follows "possible", and what goes before "cannot be excluded"; where no finding
    follows ("pneumonia may be present"), what goes before."""
    spans = []
    after = list(_MAYBE_AFTER.finditer(text))
    spans += [(_clause_start(text, m.start()), m.start()) for m in after]
    for cue in _MAYBE.finditer(text):
        if any(m.start() <= cue.start() < m.end() for m in after) or _inside(cue.start(), denied):
            continue
        end = _scope_end(text, cue.end(), cue.end())
        if any(cue.end() <= item.start < end and item.kind == "finding" for item in items):
            spans.append((cue.end(), end))
        else:
            spans += [(_clause_start(text, cue.start()), cue.start()), (cue.end(), max(end, cue.end()))]
    return sorted(spans)


def _inside(at: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start <= at < end for start, end in spans)


def _read_piece(piece: str, offset: int, out: Reading) -> None:
    words = words_of(piece)
    found = find(piece, words)
    items = _items(words, found)
    denied = _scopes(piece)
    supposed = _suppositions(piece, denied, items)
    for lexicon, terms in found.items():
        out.terms.setdefault(lexicon, []).extend(Term(t.name, t.start + offset, t.end + offset) for t in terms)
    out.sides.extend(_sides(piece, offset, items, found["anatomy"]))
    first = len(out.sentences)
    ends = [m.end() for m in _SENTENCE.finditer(piece)] + [len(piece)]
    out.sentences.extend(_sentences(ends, offset, items, denied, supposed))
    sentence = 0
    for item in items:
        while item.start >= ends[sentence]:
            sentence += 1
        if item.kind == "finding" and not _inside(item.start, denied):
            sure = not _inside(item.start, supposed)
            out.stated.append(Mention(item.name, item.start + offset, item.end + offset, sure, first + sentence))
    for match in _AFFIRMING.finditer(piece):
        if not _inside(match.start(), denied):
            sure = not _inside(match.start(), supposed)
            where = first + _count(ends, match.start())
            out.stated.append(Mention("finding", match.start() + offset, match.end() + offset, sure, where))
    out.denied.extend(_scope(piece, a, b, offset, items, first + _count(ends, a)) for a, b in denied)
    for match in _NORMAL.finditer(piece):
        if not _inside(match.start(), denied):
            nothing: frozenset[str] = frozenset()
            at = (match.start() + offset, match.end() + offset)
            where = first + _count(ends, match.start())
            out.denied.append(Scope(*at, frozenset({"finding"}), nothing, nothing, where, ()))
    out.supposed.extend(_scope(piece, a, b, offset, items, first + _count(ends, a)) for a, b in supposed)


def _count(ends: Sequence[int], at: int) -> int:
    """The number of the sentence, of those with these ends, in which a place stands."""
    return min(bisect_right(ends, at), len(ends) - 1)


def _sentences(
    ends: Sequence[int],
    offset: int,
    items: Sequence[_Item],
    denied: Sequence[tuple[int, int]],
    supposed: Sequence[tuple[int, int]],
) -> Iterator[Sentence]:
    at, start = 0, 0
    for end in ends:
        here: list[_Item] = []
        while at < len(items) and items[at].start < end:
            here.append(items[at])
            at += 1
        stated = [item for item in here if not _inside(item.start, denied)] if denied else here
        sure = frozenset(item.name for item in stated if not (supposed and _inside(item.start, supposed)))
        all_names = frozenset(item.name for item in here)
        names = frozenset(item.name for item in stated) if denied else all_names
        organs = frozenset(item.name for item in here if item.kind == "organ")
        denies = bool(denied) and any(start < b and a < end for a, b in denied)
        supposes = bool(supposed) and any(start < b and a < end for a, b in supposed)
        yield Sentence(start + offset, end + offset, all_names, names, sure, organs, denies, supposes)
        start = end


_LIST = re.compile(r",|;|/|\b(?:or|nor|and)\b", re.IGNORECASE)


def _scope(text: str, start: int, end: int, offset: int, items: Sequence[_Item], sentence: int) -> Scope:
    start += len(text[start:end]) - len(text[start:end].lstrip())
    here = [item for item in items if start <= item.start < end]
    generic = {"finding"} if _GENERIC.search(text, start, end) else set()
    cuts = [start, *(m.start() for m in _LIST.finditer(text, start, end)), end]
    parts = (frozenset(i.name for i in here if a <= i.start < b) for a, b in itertools.pairwise(cuts))
    return Scope(
        start + offset,
        end + offset,
        frozenset(item.name for item in here if item.kind == "finding") | generic,
        frozenset(item.name for item in here if item.kind == "organ"),
        frozenset(item.name for item in here if not item.kind),
        sentence,
        tuple(part for part in parts if part),
    )


_BREAK = re.compile(r"[,;:!?()\n]|\.(?=\s|\Z)|\b(?:and|or|but|while|whereas|with|than)\b", re.IGNORECASE)
_BESIDE = re.compile(r"\s+(?:(?!and\b|or\b|of\b)[\w-]+\s+){0,2}")


def _sides(piece: str, offset: int, items: Sequence[_Item], organs: Sequence[Term]) -> Iterator[Side]:
    flat = piece.replace("_", " ")
    matches = list(_SIDE.finditer(flat))
    breaks = sorted([m.start() for m in _BREAK.finditer(flat)] + [m.start() for m in matches]) if matches else []
    for match in matches:
        stop = next((b for b in breaks if b >= match.end()), len(flat))
        begin = max((b for b in breaks if b < match.start()), default=0)
        heads = [item.name for item in items if match.end() <= item.start < stop][:4]
        heads = heads or [item.name for item in items if begin <= item.start < match.start()][-4:]
        if not heads:  # a side alone between brackets or commas
            begin = max((b for b in breaks if b < begin), default=0)
            heads = [item.name for item in items if begin <= item.start < match.start()][-4:]
        near = next((t for t in organs if t.start >= match.end()), None)
        organ = near.name if near and _BESIDE.fullmatch(flat, match.end(), near.start) else ""
        yield Side(_side(match), match.start() + offset, match.end() + offset, frozenset(heads), organ)
