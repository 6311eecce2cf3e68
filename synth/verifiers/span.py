"""A verbatim span of the source: `gold` is the span. Case, line breaks, kinds of space, quote and dash do not count."""

from __future__ import annotations

import re
import unicodedata

from manifests.sample import Answer
from synth.verifiers.base import Finding

_SAME = str.maketrans(
    {"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "−": "-"}
)
_SAYS = re.compile(
    r"\A(?:the |this )?(?:final )?(?:text|report|source|passage|answer|span|caption|correct answer)?\s?(?:says|"
    r"states|reads|is)?"
    r"(?:\s?:|(?<=\w))\s(?=\")",
    re.IGNORECASE,
)


def _form(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).translate(_SAME).casefold().split())


def check(text: str, answer: Answer) -> Finding:
    """Whether the text is the gold's span word for word, with or without quotes and a closing stop."""
    gold = _form(answer.gold)
    said = _form(re.sub(r"\*\*|`|\A#{1,6}\s+|\$", "", text))
    said = _SAYS.sub("", said)
    forms = {said, said.rstrip("."), said.strip('"'), said.rstrip(".").strip('"'), said.strip('"').rstrip(".")}
    return Finding(bool(gold) and bool(forms & {gold, gold.rstrip(".")}), f"said {said[:80]!r}")
