"""Whether a text of questions and answers (`synth.tasks.qa` for pretraining) is the source's, word for word.

The text is read from its beginning: pictures, the source's own text where it is proven, then for each proven question
its words, its options behind letters, `Answer: `, the option that is the answer with its letter or the answer alone,
and `Explanation: ` with the source's reasons where they are proven. Space counts as one blank. Nothing may be left.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby

from manifests.record import PICTURE, Asked
from manifests.sample import Proof
from synth.calls import Call
from synth.quotes import field_of

_LETTER = re.compile(r"([A-J])\. ")


def is_exam(proofs: Sequence[Proof], calls: Mapping[str, Call]) -> bool:
    """Whether a text's proofs speak of a question of the source."""
    return any(dict(calls[p.call].args).get("field") == "question" for p in proofs)


def misquoted(
    content: str, proofs: Sequence[Proof], calls: Mapping[str, Call], text: str, asked: tuple[Asked, ...]
) -> str:
    """Where the text differs from what its proofs prove, by its next words; "" where it does not."""
    left = _flat(content.replace("<image>", PICTURE))
    for _, group in groupby(proofs, key=lambda proof: dict(calls[proof.call].args).get("number", "")):
        words = {}
        for proof in group:
            args = dict(calls[proof.call].args)
            field = args.get("field", "answer")  # a span is of the answer
            words[field] = field_of(text, asked, {**args, "field": field})
        rest = _after(left, words)
        if rest is None:
            return left[:80] or "its end"
        left = rest
    return left.replace(PICTURE, "").strip()[:80]


def _after(left: str, words: Mapping[str, str]) -> str | None:
    """What follows one question, or the source's text; None where it is not as it should be."""
    if "text" in words:
        return _taken(left, words["text"])
    rest, answer = _taken(left, words.get("question", "")), _flat(words.get("answer", ""))
    lines = dict[str, str]()
    if rest is not None and "options" in words:
        rest, lines = _listed(rest, {answer, *map(_flat, words["options"].split("\n"))})
    rest = _taken(rest, "Answer:")
    letter = _LETTER.match(rest or "") if lines else None
    if rest is None or (lines and (letter is None or lines.get(letter[1]) != answer)):
        return None
    rest = _taken(rest[letter.end() :] if letter else rest, answer)
    return rest if "why" not in words else _taken(_taken(rest, "Explanation:"), words["why"])


def _listed(left: str, options: set[str]) -> tuple[str, dict[str, str]]:
    """What follows the lettered options at the beginning, and they by their letters."""
    lines: dict[str, str] = {}
    while letter := _LETTER.match(left):
        told = f"{left[letter.end() :]} "
        found = max((o for o in options if o and told.startswith(f"{o} ")), key=len, default="")
        if not found:
            break
        lines[letter[1]] = found
        left = told[len(found) :].strip()
    return left, lines


def _taken(left: str | None, words: str) -> str | None:
    """What follows these words, which begin the rest but for pictures."""
    wanted = _flat(words)
    if left is None or not wanted:
        return None
    while not left.startswith(wanted) and left.startswith(PICTURE):
        left = left[len(PICTURE) :].lstrip()
    return left[len(wanted) :].lstrip() if left.startswith(wanted) else None


def _flat(text: str) -> str:
    return " ".join(text.split())
