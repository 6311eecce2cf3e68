"""What a guesser goes by who looks at no picture: the wording of a verified question, and its answer as verifiers take
it. The mixture counts which answers a wording has (`manifests.balance`).

The wording is the last paragraph of the last thing asked, without options, numbers, placeholders of media, case and
punctuation, so that a passage before a question, sizes in it and the order of options make no other question. An answer
is the text of a letter's option, a label's synonyms in one spelling, a number to two digits with its unit, else its
words in one form. Both are told as 64-bit digests. Not covered: the same question in other words.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from manifests.sample import Answer, Draft
from synth.verifiers.base import normal_form
from synth.verifiers.label import synonyms

DIGEST_BYTES = 8
DIGITS = 2  # of a number that is taken for the same answer
_OPTION = re.compile(r"^[ \t]*\(?([A-J])[.):][ \t]+(.*)\n?", re.MULTILINE)
_PLACE = re.compile(r"<\w{1,20}>")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


class Asked(NamedTuple):
    """A verified answer as the mixture counts it; all "" where a draft has none."""

    verifier: str = ""
    question: str = ""  # digest of the wording
    answer: str = ""  # digest
    letter: str = ""  # of the right option


def asked(draft: Draft) -> Asked:
    """The wording and the answer of a draft with a verified one."""
    if draft.answer is None:
        return Asked()
    said = next((turn.content for turn in reversed(draft.turns) if turn.role == "user"), draft.text)
    gold = draft.answer
    lettered = gold.verifier == "mcq"
    told = dict(_OPTION.findall(said)).get(gold.gold, "") if lettered else ""
    answer = normal_form(told) if told else _form(gold)
    return Asked(gold.verifier, _digest(wording(said)), _digest(answer), gold.gold if lettered else "")


def wording(said: str) -> str:
    """The question that is asked, in the form in which wordings are compared."""
    plain = _PLACE.sub(" ", _OPTION.sub("", f"{said}\n"))
    paragraphs = [one for one in re.split(r"\n[ \t]*\n", plain) if one.strip()]
    return normal_form(_NUMBER.sub(" ", paragraphs[-1])) if paragraphs else ""


def _form(gold: Answer) -> str:
    if gold.verifier == "label":
        return "|".join(sorted(synonyms(gold.gold)))
    if gold.verifier == "number":
        try:
            return f"{float(gold.gold.replace(',', '')):.{DIGITS}g} {gold.unit}"
        except ValueError:  # written in words or with a sign of its own
            return f"{normal_form(gold.gold)} {gold.unit}"
    return normal_form(gold.gold)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()
