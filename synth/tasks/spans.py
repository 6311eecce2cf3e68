"""What of a source's own words can be asked for: sentences, report sections, and the spans that may be an answer.

A span is verbatim text of the source, found by the closed lexicons of `synth.lexicon` and the closed tables here; a
program finds it, so that no gold comes from a teacher. Families:

    modality, plane, phase    how the image was made
    organ, location           an organ or region; a side with what it stands beside ("left upper lobe")
    abnormality               a finding stated for sure (not "possible") and as seen now (not "history of")
    attribute                 a visual sign of `CUES`: density, signal, echo, texture, margin, shape, colour
    number                    a number with its unit
    term                      one to three words that a passage uses at least twice, in no lexicon

Not covered: pronouns, signs in words outside `CUES`, languages other than English.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

from manifests.record import Record
from synth.claims import read
from synth.facts import values_of
from synth.lexicon import modalities_in, terms_in
from synth.quantities import Quantity, quantities
from synth.written import content_words

Family = Literal[
    "modality", "plane", "phase", "organ", "location", "abnormality", "attribute", "number", "term"
]  # fmt: skip

_CUE_WORDS = """
density: hypodense, hyperdense, isodense, hypoattenuating, hyperattenuating, hypodensity, hyperdensity, low density,
    low attenuation, high attenuation, radiolucent, radiopaque, lucent, sclerotic, lytic, calcified, cystic, solid,
    fluid filled, air filled, opaque, ground glass
signal: hyperintense, hypointense, isointense, high signal, low signal, bright signal, dark signal
echo: hypoechoic, hyperechoic, anechoic, isoechoic, echogenic
enhancement: enhancing, rim enhancing, ring enhancing, non enhancing, contrast enhancing
texture: homogeneous, heterogeneous, inhomogeneous, granular, nodular, reticular, mottled, patchy, diffuse, focal,
    septated, loculated, multilocular, multiloculated, multiple, solitary, ulcerated, scaly
margin: well defined, ill defined, well circumscribed, well demarcated, poorly defined, irregular, smooth, spiculated,
    lobulated, sharp, blurred
shape: round, rounded, oval, ovoid, linear, tubular, wedge shaped, polypoid, pedunculated, flat, dome shaped,
    lenticular, crescentic, fusiform, asymmetric, symmetric
colour: red, erythematous, white, whitish, yellow, yellowish, pink, brown, black, blue, pigmented, hyperpigmented
extent: enlarged, dilated, thickened, distended, atrophic, narrowed, collapsed, displaced, compressed
"""
CUES: Mapping[str, str] = MappingProxyType(
    {
        " ".join(word.split()): kind.strip()
        for kind, words in (line.split(":", 1) for line in re.sub(r"\n\s+", " ", _CUE_WORDS.strip()).split("\n"))
        for word in words.split(",")
    }
)
_CUE = re.compile(
    rf"\b(?:{'|'.join(c.replace(' ', '[ -]') for c in sorted(CUES, key=lambda c: (-len(c), c)))})\b"
    r"(?![ -]+(?:\w+ )?(?:line|arrow|arrowhead|asterisk|star|box|circle|dot|dotted|dashed)s?\b)",  # a mark on a figure
    re.IGNORECASE,
)
RELATION = re.compile(
    r"\b(?:adjacent to|abut(?:s|ting)|displac(?:es|ing)|compress(?:es|ing)|surround(?:s|ing|ed by)|invad(?:es|ing)"
    r"|between|extend(?:s|ing) (?:in)?to|involv(?:es|ing)|encas(?:es|ing)|above|below|beneath|within|(?:left|right) of"
    r"|(?:anterior|posterior|superior|inferior|medial|lateral)(?:ly)? to|near|close to|arising from|overlying|crossing"
    r"|touching)\b",
    re.IGNORECASE,
)
_PHASES = ("arterial", "portal venous", "venous", "delayed", "nephrographic", "excretory", "corticomedullary")
_PHASE = re.compile(rf"\b({'|'.join(_PHASES)})(?=[ -]phase\b)|\b(?:non[ -]?contrast|unenhanced)\b", re.IGNORECASE)
_NOT_NOW = re.compile(
    r"\b(?:history|previous(?:ly)?|prior|past|status post|resolved|risk|versus|vs|differential|if)\b|\?", re.IGNORECASE
)
_ADJECTIVE = re.compile(r"(?:ic|al|ar|ary|ous|aneous|ed|ive|oid)\Z", re.IGNORECASE)
_HEADER = re.compile(r"^[ \t]*([A-Za-z][A-Za-z_ ]{2,30}?)[ \t]*:[ \t]*", re.MULTILINE)
_WANTED = ("findings", "study findings", "impression", "impressions", "conclusion")
_SENTENCE = re.compile(r"(?<=[^\W\d_][.;!?])\s+|(?<=\d[.;!?])\s+(?=[A-Z])|(?<=[)%\]][.;!?])\s+|\n+")
_NAME = re.compile(r"[A-Z].*[A-Z]|\d")  # abbreviations, names of substances and genes
_LOOSE_WORDS = """
    higher lower during between after before using while compared associated increased decreased significantly
    however although among within without patients patient study studies results group groups method methods
"""
_LOOSE = frozenset(_LOOSE_WORDS.split())  # words that name nothing
_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9-]+")


class Span(NamedTuple):
    """A possible answer: its family, its verbatim text, its place, and the place of its sentence."""

    family: Family
    text: str
    start: int
    end: int
    sentence: tuple[int, int]


def report_of(record: Record) -> str:
    """The report of a record with media: the findings and impression of its text, all of its text where it has no such
    sections, else its captions; "" for a record of text."""
    if record.kind == "text":
        return ""
    if not record.text.strip():
        return "\n".join(dict.fromkeys(values_of(record.facts, "caption")))
    heads = list(_HEADER.finditer(record.text))
    ends = [*(h.start() for h in heads), len(record.text)][1:]
    wanted = [
        record.text[head.end() : end].strip()
        for head, end in zip(heads, ends, strict=True)
        if " ".join(head[1].replace("_", " ").lower().split()) in _WANTED
    ]
    return "\n".join(filter(None, wanted)) or record.text.strip()


def sentences(text: str) -> list[tuple[int, int]]:
    """Where the sentences of a text stand, blanks around them left out."""
    found, start = [], 0
    for cut in [*((m.start(), m.end()) for m in _SENTENCE.finditer(text)), (len(text), len(text))]:
        piece = text[start : cut[0]]
        if piece.strip():
            lead = len(piece) - len(piece.lstrip())
            found.append((start + lead, start + len(piece.rstrip())))
        start = cut[1]
    return found


def cues_in(text: str) -> list[tuple[str, str, int, int]]:
    """The visual signs that a text names: (kind, verbatim words, start, end)."""
    return [
        (CUES[" ".join(m[0].lower().replace("-", " ").split())], m[0], m.start(), m.end()) for m in _CUE.finditer(text)
    ]


def affirmed(sentence: str) -> frozenset[str]:
    """The findings that a sentence states for sure and as seen now, by canonical name, visual signs left out; none
    where it speaks of the past, of alternatives, or asks."""
    if _NOT_NOW.search(sentence):
        return frozenset()
    reading = read(sentence)
    denied = {name for scope in (*reading.denied, *reading.supposed) for name in scope.findings}
    sure = (m.name for m in reading.stated if m.sure and not _CUE.fullmatch(sentence, m.start, m.end))
    return frozenset(sure) - denied - {"finding"}


def spans(text: str, families: Sequence[Family]) -> list[Span]:
    """The possible answers of these families in the order of the text; per family each wording once."""
    found: dict[tuple[str, str], Span] = {}
    repeated = _repeated(text) if "term" in families else frozenset()
    for place in sentences(text):
        sentence = text[place[0] : place[1]]
        for family in families:
            for start, end in _places(sentence, family, repeated):
                span = Span(family, sentence[start:end], place[0] + start, place[0] + end, place)
                found.setdefault((family, span.text.lower()), span)
    return sorted(found.values(), key=lambda s: (s.start, families.index(s.family)))


def _places(sentence: str, family: Family, repeated: frozenset[str]) -> list[tuple[int, int]]:
    if family == "modality":
        at, places = 0, []
        for words, _ in modalities_in(sentence):
            at = sentence.index(words, at)
            places.append((at, at + len(words)))
            at += len(words)
        return places
    if family == "plane":
        return [(t.start, t.end) for t in terms_in(sentence, "planes")]
    if family == "phase":
        return [(m.start(), m.end()) for m in _PHASE.finditer(sentence)]
    if family == "organ":
        return [(t.start, t.end) for t in terms_in(sentence, "anatomy") if _noun(sentence[t.start : t.end], t.name)]
    if family == "location":
        return _sided(sentence)
    if family == "abnormality":
        seen = affirmed(sentence)
        found = (t for t in terms_in(sentence, "findings") if t.name in seen)
        found = (t for t in found if _noun(sentence[t.start : t.end], t.name))
        return [(t.start, t.end) for t in found if not _CUE.fullmatch(sentence, t.start, t.end)]
    if family == "attribute":
        return [(start, end) for _, _, start, end in cues_in(sentence)]
    if family == "number":
        return [(q.start, q.start + len(q.token)) for q in quantities(sentence) if _measured(sentence, q)]
    return [
        (m.start(), m.end()) for words in sorted(repeated) for m in re.finditer(rf"\b{re.escape(words)}\b", sentence)
    ]


def _noun(words: str, name: str) -> bool:
    """Whether the words of a term can stand alone as an answer: "kidney" can, "renal" and "infected" cannot."""
    return words.lower() in (name, f"{name}s") or _ADJECTIVE.search(words) is None


def _measured(sentence: str, q: Quantity) -> bool:
    """Whether a number stands with its unit, and not as the last of several ("19 x 14 x 12 mm")."""
    return bool(q.unit) and q.token[-1:].isalpha() and not re.search(r"[x×*,-]\s*\Z", sentence[: q.start])


def _sided(sentence: str) -> list[tuple[int, int]]:
    """Where a side stands with the organ that follows it within three words."""
    organs, places = terms_in(sentence, "anatomy"), []
    for side in read(sentence).sides:
        near = next((t for t in organs if side.organ and t.start >= side.end), None)
        if near is not None and _noun(sentence[near.start : near.end], near.name):
            places.append((side.start, near.end))
    return places


def _repeated(text: str) -> frozenset[str]:
    """Runs of one to three content words that a text writes at least twice in the same way, the longest ones."""
    words = [(m[0], m.start(), m.end()) for m in _WORDS.finditer(text)]
    content = frozenset(content_words(text))
    counts: Counter[str] = Counter()
    for size in (1, 2, 3):
        for run in zip(*(words[k:] for k in range(size)), strict=False):
            joined = all(text[a[2] : b[1]] == " " for a, b in itertools.pairwise(run))
            if joined and all(len(w[0]) > 3 and w[0].lower() in content and w[0].lower() not in _LOOSE for w in run):
                counts[text[run[0][1] : run[-1][2]]] += 1
    kept = {words for words, count in counts.items() if count >= 2 and (" " in words or _NAME.search(words))}
    inside = {one for one in kept for other in kept if one != other and f" {one} " in f" {other} "}
    known = {w for w in kept if terms_in(w, "findings") or terms_in(w, "anatomy")}
    return frozenset(kept - inside - known)
