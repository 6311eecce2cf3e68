"""What of a response counts, in plain characters: shared by every verifier. Linear in time, and nothing here raises.

Thinking is dropped first (`<think>...</think>`; an unclosed one hides all that follows, a lone `</think>` all before).
Of the rest the first of these that is there counts: `<answer>` tags, `\\boxed{}`, a JSON object with the one key
`answer`, what follows "answer is" or "answer:", everything. Where there are several, each must be right by itself.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import NamedTuple

MAX_RESPONSE = 200_000  # characters, thinking included: three times what a teacher's longest chain has
MAX_ANSWER = 4_000  # characters of what counts
MAX_CANDIDATES = 3

_THINK = re.compile(r"<(/?)think(?:ing)?\s{0,3}>", re.IGNORECASE)
_ANSWER = re.compile(r"<(/?)answer\s{0,3}>", re.IGNORECASE)
_CHAT = re.compile(r"<\||\|>|\[/?INST\]|<<SYS>>|</?s>|^\s*#{0,4}\s*(?:system|user|human|instruction)\s*:", re.I | re.M)
_STRUCK = re.compile(r"~~|<!--|-->")
_MARKUP = re.compile(r"</?[A-Za-z][^<>]{0,100}>|\A\s{0,20}\[?\s{0,20}\{|\"\s{0,3}:")
_FENCE = re.compile(r"\A```[a-z]{0,10}\n(.*)\n?```\Z", re.DOTALL)
_MARKER = re.compile(
    r"(?:\b(?:the|my|this|final|correct|right|best|so)\s{1,3}){0,4}\b(?:answer\b|ans\b(?=\s?:))"
    r"(?:\s{0,3}[:=-]\s|\s{0,3}:|\s{1,3}(?:is|was|would\s{1,3}be|must\s{1,3}be|should\s{1,3}be)\b\s{0,3}:?|"
    r"\s{0,3}\n)",
    re.IGNORECASE,
)
_EXPLAINED = re.compile(
    r"\n\s{0,5}(?:explanation|reasoning|rationale|justification|evidence|confidence|why)(?:\s\w{1,12}){0,2}\s{0,2}:|"
    r",?\s{1,3}because\s|,\s{1,3}(?:as|since)\s(?:the|it|this|there|we|i)\s",
    re.IGNORECASE,
)
_HOPE = re.compile(r"(?<=[.!])\s{0,5}I hope (?:it|this) (?:is correct|helps)\.?\s{0,5}\Z", re.IGNORECASE)
_WRAPPED = re.compile(
    r"\*{1,3}([^*\n]+)\*{1,3}|_([^_\n]+)_|\"([^\"]+)\"|“([^“”]+)”|\\\(([^\\]+)\\\)|\\\[([^\\]+)\\\]|\$([^$\n]+)\$|"
    r"```\n?([^`]+)```"
)
_LEAD_IN = re.compile(
    r"\A(?:(?:so|therefore|thus|hence|sure|okay|ok|result|output|final result|"
    r"final|conclusion|in conclusion)\s{0,2}[,:!]\s{1,3}|(?:so|"
    r"then) (?=it is|it's)|"
    r"i (?:would|will|shall) (?:answer|say)\s{1,3}|i['’]d (?:answer|say)\s{1,3}|it['’]s\s{1,3})",
    re.IGNORECASE,
)
_TICKS = " \n\t✅✔☑👉️"
_LATEX_TEXT = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|operatorname|mbox)\s{0,2}\{([^{}\\]{0,400})\}")
_LATEX = (
    ("\\times", "×"), ("\\cdot", "×"), ("\\pm", "±"), ("\\mu", "µ"), ("\\%", "%"), ("^{\\circ}", "°"), ("^\\circ", "°"),
    ("\\circ", "°"), ("\\degree", "°"), ("\\approx", "≈"), ("\\sim", "~"), ("\\leq", "≤"), ("\\geq", "≥"),
    ("\\le", "≤"),
    ("\\ge", "≥"), ("\\,", " "), ("\\;", " "), ("\\:", " "), ("\\!", ""), ("\\ ", " "), ("\\(", " "), ("\\)", " "),
    ("\\[", " "), ("\\]", " "), ("\\_", "_"), ("\\rightarrow", "→"), ("\\to", "→"),
)  # fmt: skip
_SUPERSCRIPT = str.maketrans({raised: f"^{flat}" for raised, flat in zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", strict=True)})
_HALVES = (("½", ".5"), ("¼", ".25"), ("¾", ".75"))
_THIN = re.compile(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}(?!\d))")
_TEN = re.compile(r"(?<=\d)\s{0,2}[x×*]\s{0,2}10\s{0,2}\^\s{0,2}\{?([-−+]?\d{1,3})\}?(?!\d)")
_MARKDOWN = re.compile(r"\*\*|__|`|\$|(?m:^#{1,6}\s)")


class Finding(NamedTuple):
    """What a verifier's `check` returns; `evidence` is short text."""

    passed: bool
    evidence: str


class Counted(NamedTuple):
    """The texts of a response that count, or why none does."""

    texts: tuple[str, ...]
    problem: str = ""


def without_thinking(response: str) -> str:
    """The response outside `<think>`: nested ones count, an unclosed one never ends."""
    kept: list[str] = []
    depth, at = 0, 0
    for tag in _THINK.finditer(response):
        if depth == 0:
            kept.append(response[at : tag.start()])
        if not tag[1]:
            depth += 1
        elif depth:
            depth -= 1
        else:
            kept = []
        at = tag.end()
    return "".join([*kept, response[at:] if depth == 0 else ""])


def counted(response: str, most: int = MAX_ANSWER, structured: bool = False) -> Counted:
    """The texts that count; `most` bounds their length together, `structured` allows JSON and tags in them."""
    if len(response) > MAX_RESPONSE:
        return Counted((), f"longer than {MAX_RESPONSE} characters")
    said = without_thinking(response).strip()
    if len(said) > most and "<answer" not in said.lower():
        return Counted((), f"an answer longer than {most} characters")
    texts = _tagged(said)
    if texts is None:
        return Counted((), "answer tags that are open, nested or too many")
    texts = [inner for text in texts for inner in _boxed(text)]
    texts = [inner for text in texts for inner in _json_answer(text)]
    if any(_CHAT.search(text) or _hidden(text) for text in texts):
        return Counted((), "marks of a conversation, hidden characters or digits of another script")
    if any(_STRUCK.search(text) or (not structured and _MARKUP.search(text)) for text in texts):
        return Counted((), "markup or JSON that is no answer")
    texts = [inner for text in texts for inner in _marked(text)]
    texts = list(dict.fromkeys(unwrapped(text) for text in texts))
    if not texts or len(texts) > MAX_CANDIDATES or not all(texts) or sum(map(len, texts)) > most:
        return Counted((), "no answer" if not any(texts) else "too many answers, or too long ones")
    return Counted(tuple(texts))


def _tagged(said: str) -> list[str] | None:
    """The contents of the answer tags, all of it where there are none, None where the tags do not pair up."""
    tags = list(_ANSWER.finditer(said))
    if not tags:
        return [said]
    if len(tags) > 2 * MAX_CANDIDATES or [bool(tag[1]) for tag in tags] != [False, True] * (len(tags) // 2):
        return None
    if len(tags) % 2:
        return None
    return [said[a.end() : b.start()] for a, b in zip(tags[::2], tags[1::2], strict=True)]


def _boxed(text: str) -> list[str]:
    """The contents of every `\\boxed{...}`, or the text itself; an unclosed one is an empty answer."""
    if "boxed" not in text:
        return [text]
    parts = re.split(r"\\f?boxed\s{0,2}\{", text)
    found = []
    for part in parts[1:]:
        depth, end = 1, -1
        for brace in re.finditer(r"[{}]", part):
            depth += 1 if brace[0] == "{" else -1
            if depth == 0:
                end = brace.start()
                break
        inner = part[:end].strip() if end >= 0 else ""
        worded = _LATEX_TEXT.fullmatch(inner)
        found.append(worded[1] if worded else inner)
    return found or [text]


def _json_answer(text: str) -> list[str]:
    """The value of a JSON object whose one key is `answer`; the text itself where it is no such object."""
    bare = text.strip()
    fenced = _FENCE.match(bare)
    bare = fenced[1].strip() if fenced else bare
    if not bare.startswith("{"):
        return [bare]
    pairs = json_pairs(bare)
    if pairs is None or [key for key, _ in pairs] != ["answer"]:
        return [bare]
    value = pairs[0][1]
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and all(isinstance(one, int | float | str) for one in value):
        return ["; ".join(value) if all(isinstance(one, str) for one in value) else json.dumps(value)]
    return [json.dumps(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""]


def json_pairs(text: str) -> list[tuple[str, object]] | None:
    """The keys and values of a JSON object in order, doubles kept; None for anything else."""
    try:
        found = json.loads(text, object_pairs_hook=list, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) and text.lstrip().startswith("{") else None


def _hidden(text: str) -> bool:
    """Zero-width, direction and control characters and other scripts' digits: what is shown is not what is read."""
    if text.isascii() and text.isprintable():
        return False
    if any(ch.isdigit() and not ch.isascii() for ch in unicodedata.normalize("NFKC", text)):
        return True
    return any(unicodedata.category(ch) in ("Cf", "Cc", "Co", "Cs") and ch not in "\n\t\r\v\f" for ch in text)


def _marked(text: str) -> list[str]:
    """What follows each "answer is" or "answer:", up to the next or to an "Explanation:"; else the text itself."""
    bare = _MARKDOWN.sub("", text)
    markers = list(_MARKER.finditer(bare))
    ends = [*(marker.start() for marker in markers), len(bare)][1:]
    found = [bare[marker.end() : end] for marker, end in zip(markers, ends, strict=True)] or [text]
    found = [_HOPE.sub("", _EXPLAINED.split(one, maxsplit=1)[0]) for one in found]
    return [one for k, one in enumerate(found) if one.strip() or k == len(found) - 1]  # "Final answer: the answer is X"


def unwrapped(text: str) -> str:
    """The text without emphasis, quotes or mathematics around the whole of it, and without "Therefore," before it."""
    bare = re.sub(r"\A#{1,6}\s", "", text.strip()).strip(_TICKS)
    for _ in range(4):
        wrapped = _WRAPPED.fullmatch(bare) or _WRAPPED.fullmatch(bare.removesuffix("."))
        inner = next((g for g in wrapped.groups() if g is not None), "") if wrapped else bare
        bare = _LEAD_IN.sub("", inner.strip(), count=1)
    return bare if "\n" in bare else re.sub(r"\A[-*•]\s{1,3}(?=[A-Za-z\[(])", "", bare)


def plain(text: str) -> str:
    """The text in plain characters: NFKC, no markdown or LaTeX, powers as `^2`, thin thousands joined, `1.5e3`."""
    if not text.isascii():
        for raised, tail in _HALVES:
            text = re.sub(rf"(\d?)\s?{raised}", rf"\g<1>{tail}", text)
        text = _THIN.sub("", text).translate(_SUPERSCRIPT)
    if "\\" in text:
        text = _LATEX_TEXT.sub(r"\1", text)
        for name, sign in _LATEX:
            text = text.replace(name, sign)
        text = re.sub(r"\^\{([-\d]{1,4})\}", r"^\1", text).replace("~", " ") if "\\" not in text else text
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).replace("\u03bc", "µ").replace("\u2212", "-")
    return _TEN.sub(r"e\1", _MARKDOWN.sub("", text)).strip()


def normal_form(text: str) -> str:
    """Lower case, NFKC, punctuation and underscores to single spaces, leading article and closing stop removed."""
    flat = re.sub(r"[^\w]+|_", " ", unicodedata.normalize("NFKC", text).casefold())
    return re.sub(r"\A(?:the|an|a) ", "", " ".join(flat.split()))


DENIAL = re.compile(
    r"\b(?:not|no|nothing|none|nobody|hardly|barely|scarcely|lacks?|lacking|spared|denie[sd]|never|neither|nor|"
    r"without|cannot|wrong|incorrect|false|untrue|except|excluding|excluded|excludes?|unless|"
    r"unlikely|doubtful|doubt|instead|rather|opposite|absent|anything but|other than|ruled? out|rules out|"
    r"reverse|outside|"
    r"negative for|\w{1,12}n['’]t)\b",
    re.IGNORECASE,
)
HEDGE = re.compile(
    r"\b(?:possibl[ey]|perhaps|maybe|might|may|could|probabl[ey]|likely|presumabl[ey]|suspected|suspicious|"
    r"suspicion|unsure|"
    r"uncertain|unclear|unknown|guess|either|alternatively|or|if|depends|any|versus|vs|else|whichever|"
    r"question(?:able)?)\b|\?",
    re.IGNORECASE,
)


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text, without their ends; a stop inside a number or after one letter ends none."""
    return [s for s in (part.strip() for part in re.split(r"(?<=[^\s.][^\s.])[.!;](?:\s|\Z)|\n", text)) if s]


def first_sentence(text: str) -> tuple[str, str]:
    """The first sentence, and the rest."""
    end = re.search(r"(?<=[^\s.])[.!](?=\s|\Z)|\n", text)
    return (text.strip(), "") if end is None else (text[: end.start()].strip(), text[end.end() :].strip())
