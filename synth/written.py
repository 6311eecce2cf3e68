"""What a teacher is told of a record, and the checks that every text of a teacher meets before the facts are asked.

The checks, in order: `answered` (there is a reply), `schema` (it is the JSON that was asked for), `not_empty`,
`length`, `whole` (not broken off: brackets closed, no "of" or "which is" at the end), `plain_text` (no address, no tag,
no control token), `repetition`, `not_led` (no word that stands only where a source gives orders to a model), `no_stray`
(no word or sentence that looks put in from elsewhere), `grounded`
(its content words stand in what the teacher was shown). `synth.verify.faithfulness` then
judges numbers, sides, organs, findings and denials; its lexicons are closed, so that a fluent sentence about nothing
passes it: `grounded` is what that sentence fails.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence

from manifests.record import Fact, Record
from manifests.sample import Verdict
from synth.facts import body_part_words, structure_words, words_for
from synth.lexicon import modalities_in
from synth.orders import order_in
from synth.requests import Answered

# What can be told of a record's media, in the order in which it is told. Who was examined, and on what machine, is
# left out: nobody sees it in a picture.
TOLD: Mapping[str, str] = {
    "modality": "Modality",
    "body_part": "Body part",
    "plane": "Plane",
    "laterality": "Side",
    "view_position": "View",
    "sequence": "Sequence",
    "contrast": "Contrast",
    "label": "Label",
    "diagnosis": "Diagnosis",
    "finding": "Finding",
    "structure": "Structures",
    "volume_ml": "Volume",
    "longest_axis_mm": "Longest axis",
    "procedure": "Examination",
    "code": "Code",
    "title": "Title",
    "caption": "Caption",
    "severity": "Severity",
    "slice_count": "Slices",
    "frame_count": "Frames",
}
_UNITS = {"volume_ml": "mL", "longest_axis_mm": "mm"}
_SIDES = {"l": "left", "r": "right", "b": "bilateral"}
_NOT_PLAIN = re.compile(r"https?:|www\.|</?[a-z]|<\||\|>|\{\{|```|[\x00-\x1f\x7f]", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:[.-][^\W_]+)*")
_SMALL_WORDS = """
    a about also an and answer are as at be because been being both but by can code contains describes each figure
    first for from given has have here image images in includes including into is it its label labeled labelled no
    not number of on one or per picture reasoning representing scan scans second seen show showing shown shows
    single study such taken than that the their there therefore these they this to two under was were where which
    while with within yes
"""
_SMALL = frozenset(_SMALL_WORDS.split())  # words that carry no content of their own
# ... and those of them that a whole sentence may end with; a single letter may be the answer to a multiple choice.
_ENDING_WORDS = "yes no not one two image images scan scans picture study seen shown here both such this it"
_ENDINGS = frozenset(_ENDING_WORDS.split())
_SPELT = re.compile(r"(?:\b\w[ .\-_]){4,}\w\b")
# Of so many content words of a sentence at least this share was shown.
_OWN_SENTENCE, _OWN_SHARE = 4, 0.25
_SHORT = 3  # letters of an abbreviation that says nothing
_AMOUNT = re.compile(r"\d[\d.,]*(?:-?[a-zA-Zµ%°]{1,4})?")
_STOP = re.compile(r"(?<=[.!?])\s+")
_ODD = re.compile(r"\d|[^\W\d_].*[A-Z]|[^\x00-\u024f]")  # a digit, a capital within, a letter that is not Latin
REPEATED_WORDS = 4
MOST_REPEATED = 0.2  # share of runs of four words


def fact_lines(record: Record, limit: int) -> str:
    """At most `limit` lines `Name: values` of what can be told of a record, in plain English; "" where nothing can."""
    lines: list[str] = []
    for name, title in TOLD.items():
        values = list(dict.fromkeys(_words(fact) for fact in record.facts if fact.name == name))[:4]
        if values:
            lines.append(f"{title}: {', '.join(values)}")
    return "\n".join(lines[:limit])


def _words(fact: Fact) -> str:
    value = fact.value.strip()
    if fact.name == "modality":
        return words_for(value)
    if fact.name == "body_part":
        return body_part_words(value)
    if fact.name == "structure":
        return structure_words(value)
    if fact.name == "laterality":
        return _SIDES.get(value.lower(), value)
    about = structure_words(fact.about)
    number = f"{value} {_UNITS[fact.name]}" if fact.name in _UNITS else value
    return f"{about} {number}" if about and about != value else number


def excerpt(text: str, limit: int) -> str:
    """The beginning of a text, at most `limit` characters: whole lines if those make half of it, else words."""
    if len(text) <= limit:
        return text
    head = text[:limit]
    at_line = head.rfind("\n")
    return head[:at_line] if at_line >= limit // 2 else head[: max(head.rfind(" "), 1)]


def read_fields(answered: Answered, names: Sequence[str], turn: int) -> tuple[dict[str, str], list[Verdict]]:
    """The text fields of a reply, single-spaced, and the verdicts `answered` and `schema`; no fields if one failed."""
    if answered.reply is None:
        reason = answered.error.reason if answered.error else "no reply"
        return {}, [_verdict(turn, "answered", 0.0, False, reason)]
    verdicts = [_verdict(turn, "answered", 1.0, True, answered.reply.finish_reason)]
    try:
        said = json.loads(answered.reply.text)
    except (ValueError, RecursionError):
        cut = answered.reply.finish_reason == "length"
        return {}, [*verdicts, _verdict(turn, "schema", 0.0, False, "cut off by max_tokens" if cut else "not JSON")]
    good = isinstance(said, dict) and all(isinstance(said.get(name), str) for name in names)
    verdicts.append(_verdict(turn, "schema", float(good), good, ", ".join(names)))
    return ({name: " ".join(said[name].split()) for name in names} if good else {}), verdicts


def check_text(text: str, shown: str, least: float, longest: int, turn: int) -> list[Verdict]:
    """The verdicts `not_empty`, `length` (characters), `whole`, `plain_text`, `repetition` (runs of four words) and
    `grounded` (`least`: share of words)."""
    words = content_words(text)
    known = Known(shown)
    strange = [word for word in words if word not in known]
    share = round(1 - len(strange) / len(words), 4) if words else 0.0
    last = (_WORD.findall(text) or [""])[-1].lower()
    whole = text.count("(") == text.count(")") and (last not in _SMALL or last in _ENDINGS or len(last) == 1)
    return [
        _verdict(turn, "not_empty", float(bool(words)), bool(words), f"{len(words)} content words"),
        _verdict(turn, "length", float(len(text) <= longest), len(text) <= longest, f"{len(text)} characters"),
        _verdict(turn, "whole", float(whole), whole, f"ends with {last[:40]!r}"),
        check_plain(text, turn),
        check_repetition(text, turn),
        check_led(text, shown, turn),
        check_stray(text, shown, turn),
        _verdict(
            turn, "grounded", share, share >= least, ", ".join(strange[:6])[:120] or "every content word was shown"
        ),
    ]


def check_plain(text: str, turn: int) -> Verdict:
    """The verdict `plain_text`: no address, tag, fence, control token or unprintable character."""
    mark = _NOT_PLAIN.search(text)
    return _verdict(turn, "plain_text", float(not mark), not mark, mark[0] if mark and mark[0].isprintable() else "")


def check_repetition(text: str, turn: int) -> Verdict:
    """The verdict `repetition`: at most one in five runs of four words stands in the text again, which is how a small
    model that goes round in circles shows itself. The score is the share of runs that are new."""
    words = [word.lower() for word in _WORD.findall(text)]
    runs = [tuple(words[i : i + REPEATED_WORDS]) for i in range(len(words) - REPEATED_WORDS + 1)]
    again = len(runs) - len(set(runs))
    share = again / len(runs) if runs else 0.0
    worst = max(sorted(set(runs)), key=runs.count) if again else ()
    return _verdict(turn, "repetition", round(1 - share, 4), share <= MOST_REPEATED, " ".join(worst)[:120])


def check_led(text: str, shown: str, turn: int) -> Verdict:
    """The verdict `not_led`: no content word of the answer stands only in what follows the first order to a model in
    what was shown. A source that gives orders loses what it says after them; it cannot win an answer by them.

    Covered: what `synth.orders` finds. Not covered: orders in other words, which `grounded` and the checks of facts
    meet like any other text."""
    order = order_in(shown)
    if order is None:
        return _verdict(turn, "not_led", 1.0, True, "")
    before, after = Known(shown[: order.start]), Known(shown[order.start :])
    led = [word for word in content_words(text) if word in after and word not in before]
    return _verdict(turn, "not_led", float(not led), not led, ", ".join(led[:6])[:120])


def check_stray(text: str, shown: str, turn: int, sentences: bool = True) -> Verdict:
    """The verdict `no_stray`: nothing that looks put in from elsewhere (a picture may give orders too). Not shown, and
    so stray, are names and words of letters mixed with digits or with capitals inside, words in other letters than
    Latin ones, letters in a row, unseen characters, and, where `sentences`, a sentence that says nothing of what was
    shown. Case, width and accents do not count; numbers with their units are of `faithfulness`.

    Not covered: ordinary words within a sentence about what was shown; their share is `grounded`'s."""
    known = Known(shown)
    said = unicodedata.normalize("NFKC", text)
    odd = [ch for ch in text if unicodedata.category(ch) in ("Cf", "Co", "Cn")][:1]
    odd += [m[0] for m in _SPELT.finditer(said) if m[0].lower() not in known.text]
    for sentence in _STOP.split(said):
        found = _WORD.findall(sentence)
        odd += [w for n, w in enumerate(found) if _is_odd(w, n == 0) and not known.has(w)]
        words = content_words(sentence)
        if sentences and len(words) >= _OWN_SENTENCE and sum(w in known for w in words) < _OWN_SHARE * len(words):
            odd.append(sentence)
    return _verdict(turn, "no_stray", float(not odd), not odd, ", ".join(odd[:6])[:120])


def _is_odd(word: str, first: bool) -> bool:
    """Whether a word has the looks of a name, a code or another script."""
    if _AMOUNT.fullmatch(word) or (len(word) <= _SHORT and word.isalpha() and word.isascii()) or modalities_in(word):
        return False
    name = word[0].isupper() and not first and len(word) > _SHORT
    return name or _ODD.search(word) is not None


class Known:
    """The content words of what was shown. A word is known by itself, or by a beginning of five
    letters: scan, scans; abdomen, abdominal."""

    def __init__(self, shown: str) -> None:
        self.text = unicodedata.normalize("NFKC", shown).lower()
        self.words = frozenset(content_words(self.text))
        self.beginnings = frozenset(word[:5] for word in self.words if len(word) >= 5)

    def __contains__(self, word: object) -> bool:
        if not isinstance(word, str):
            return False
        return word in self.words or (len(word) >= 5 and word[:5] in self.beginnings)

    def has(self, word: str) -> bool:
        """Whether a word, or each part of it, stands in what was shown."""
        return word.lower() in self or all(p in self for p in re.split(r"[.-]", word.lower()) if p)


def content_words(text: str) -> list[str]:
    """The words of a text in lower case, each once, in order, without those that carry no content."""
    words = (word.lower() for word in _WORD.findall(text))
    return list(dict.fromkeys(word for word in words if word not in _SMALL))


def first_failed(verdicts: Sequence[Verdict]) -> str:
    """The name of the first check that failed, or ""."""
    return next((v.check for v in verdicts if not v.passed), "")


def _verdict(turn: int, check: str, score: float, passed: bool, evidence: str) -> Verdict:
    return Verdict(turn=turn, check=check, passed=passed, score=score, evidence=evidence)
