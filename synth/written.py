"""What a teacher is told of a record, and the checks that every text of a teacher meets before the facts are asked.

The checks, in order: `answered` (there is a reply), `schema` (it is the JSON that was asked for), `not_empty`,
`length`, `whole` (not broken off: brackets closed, no "of" or "which is" at the end), `plain_text` (no address, no tag,
no control token), `repetition`, `not_led` (no word that stands only where a source gives orders to a model), `grounded`
(its content words stand in what the teacher was shown). `synth.verify.faithfulness` then
judges numbers, sides, organs, findings and denials; its lexicons are closed, so that a fluent sentence about nothing
passes it: `grounded` is what that sentence fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from manifests.record import Fact, Record
from manifests.sample import Verdict
from synth.facts import body_part_words, structure_words, words_for
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
# Orders to a model inside source text (prompt injection), in the words that such orders have. What follows the first of
# them may be more of it, so it is data that grounds nothing.
_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget|do not follow|stop following)\b[^.\n]{0,60}"
    r"\b(?:instructions?|prompts?|rules?|above|before|previous|prior|earlier|system|guidelines?|context)\b"
    r"|\byou are (?:now|no longer)\b|\b(?:new|updated|real|actual|hidden) (?:instructions?|task|system prompt)\b"
    r"|\b(?:system|developer) (?:prompt|message|mode|override)\b|\b(?:as|you are) an? (?:ai|language model|assistant)\b"
    r"|(?:^|[.;:,!?]\s*|\b(?:and|then|please|instead|you must|you should|you will)\s+)"
    r"(?:(?:answer|reply|respond|output) with\b|(?:answer|reply|respond|output|print|say|repeat|return|write)\s+"
    r"(?:only|just|exactly|the (?:word|text|string|following)\b))"
    r"|(?:^|\n)\s*#{2,4}\s*(?:system|assistant|instructions?|response|human)\s*:",
    re.IGNORECASE,
)
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
    known = content_words(shown)
    strange = [word for word in words if not _known(word, known)]
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

    Covered: orders in the usual English words. Not covered: orders in other words, which `grounded` and the checks of
    facts meet like any other text."""
    order = _ORDER.search(shown)
    if order is None:
        return _verdict(turn, "not_led", 1.0, True, "")
    before, after = content_words(shown[: order.start()]), content_words(shown[order.start() :])
    led = [word for word in content_words(text) if _known(word, after) and not _known(word, before)]
    return _verdict(turn, "not_led", float(not led), not led, ", ".join(led[:6])[:120])


def content_words(text: str) -> list[str]:
    """The words of a text in lower case, each once, in order, without those that carry no content."""
    words = (word.lower() for word in _WORD.findall(text))
    return list(dict.fromkeys(word for word in words if word not in _SMALL))


def _known(word: str, known: Sequence[str]) -> bool:
    """A word is known by itself, or by a beginning of five letters: scan, scans; abdomen, abdominal."""
    return word in known or (len(word) >= 5 and any(len(k) >= 5 and k[:5] == word[:5] for k in known))


def first_failed(verdicts: Sequence[Verdict]) -> str:
    """The name of the first check that failed, or ""."""
    return next((v.check for v in verdicts if not v.passed), "")


def _verdict(turn: int, check: str, score: float, passed: bool, evidence: str) -> Verdict:
    return Verdict(turn=turn, check=check, passed=passed, score=score, evidence=evidence)
