"""Words that name nobody, and the plain form in which texts and identifiers are compared.

A stop word alone is no identifier, however a header uses it: an institution called `Hospital`, a patient `Brown`. It
counts inside a longer form (`James Brown`). The words are those of our own closed vocabulary (`synth.facts`), the names
of our own JSON fields, and `common_words`: what headers, captions and anatomy use, makers of devices, and English
words that are family names too.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import unicodedata

from curate.sweep.common_words import COMMON_WORDS
from manifests.record import FileRef, Media, Record, Step
from manifests.sample import Answer, Authorship, Draft, Proof, Turn, Verdict
from synth.facts import ANATOMY, FINDINGS, MODALITY, PLANES, VOCABULARY

_DIGESTS = re.compile(r"(?<![0-9a-z])(?=\d*[a-f])(?:[0-9a-f]{64}|[0-9a-f]{32}|[0-9a-f]{24}|[0-9a-f]{16})(?![0-9a-z])")
_WORD = re.compile(r"[^\W_]+")
_RUNS = re.compile(r"\d+|[^\W\d_]+")
_TABLE = bytes(b if chr(b).isascii() and chr(b).isalnum() else 32 for b in range(256))
_DIGITS = b"0123456789"
_NO_DIGITS = bytes(b for b in range(256) if b not in _DIGITS)
_SHORTEST_DIGEST = 16


class Runs:
    """Whether so many characters of some kind stand in a row: a look at a twentieth of the time before a pattern that
    needs them. Of a text that is not ASCII it says yes."""

    def __init__(self, characters: str, length: int) -> None:
        self._table = bytes(49 if chr(b) in characters else 48 for b in range(256))
        self._run = b"1" * length

    def may_stand_in(self, text: str) -> bool:
        return not text.isascii() or self._run in text.encode().translate(self._table)


_CALL = re.compile(r"(?<![\d.])\+?\(?\d[\d ()/.-]{4,20}\d(?![\d.]*\d)")
_CALL_RUNS = Runs("0123456789 ()/.-", 6)
_FOUR = re.compile(r"\d{4,}")
_HEXADECIMAL = Runs("0123456789abcdef", _SHORTEST_DIGEST)


def calls_in(plain: str) -> list[tuple[str, int]]:
    """(digits, index) of what may be a telephone number."""
    if not _CALL_RUNS.may_stand_in(plain):
        return []
    return [(re.sub(r"\D", "", match[0]), match.start()) for match in _CALL.finditer(plain)]


def fours_in(text: str) -> set[str]:
    """Every four digits in a row."""
    return {run[at : at + 4] for run in _FOUR.findall(text) for at in range(len(run) - 3)}


def digits_of(text: str) -> str:
    """The digits of a text, whatever stands between them."""
    return text.encode().translate(None, _NO_DIGITS).decode() if text.isascii() else re.sub(r"\D", "", text)


def digits_in(low: str) -> int:
    """How many characters of a text are digits."""
    if low.isascii():
        return len(low) - len(low.encode().translate(None, _DIGITS))
    return sum(c.isdigit() for c in low)


def folded(text: str) -> str:
    """The text in lower case without accents (NFKD, combining marks removed); full-width letters become plain."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold()


def words_of(low: str) -> list[str]:
    """Runs of letters and digits of a folded text, in order."""
    if low.isascii():
        return low.encode().translate(_TABLE).decode().split()
    return _WORD.findall(low)


def parts_of(words: set[str]) -> set[str]:
    """Letters and digits that stand together, apart: `scan20040119` holds `20040119`."""
    return {p for w in words if not (w.isalpha() or w.isdigit()) for p in _RUNS.findall(w)}


def without_digests(low: str) -> str:
    """A folded text without hexadecimal words of the lengths that our own digests and pseudonyms have."""
    return _DIGESTS.sub(" ", low) if _HEXADECIMAL.may_stand_in(low) else low


@functools.cache
def stop_words() -> frozenset[str]:
    """All words that name nobody by themselves."""
    lexicons = (MODALITY, ANATOMY, FINDINGS, PLANES)
    texts = [text for lexicon in lexicons for name, forms in lexicon.items() for text in (name, *forms)]
    texts += [text for pair in VOCABULARY.items() for text in pair]
    made = (FileRef, Media, Record, Step, Answer, Authorship, Draft, Proof, Turn, Verdict)
    texts += [f.name for one in made for f in dataclasses.fields(one)]
    return COMMON_WORDS | {word for text in texts for word in words_of(folded(text))}
