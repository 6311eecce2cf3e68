"""Text: the stored form, the form in which texts are compared, the quality rules, shingles and MinHash signatures.

Two forms, and which question each answers:

- `normalise` makes the **stored** form, what a model reads: Unicode NFKC, no control characters, folded whitespace,
  line structure kept. Superscripts, subscripts and vulgar fractions stay as they are, because NFKC would turn
  10⁹/L into 109/L and 1½ into 11/2.
- `comparison` makes the **comparison** form, what is hashed: one line of lower-case tokens with single spaces between
  them. Case, layout and punctuation are gone; signs that carry a medical meaning are not (HER2+ and HER2-, < and >,
  1.5 and 15, 120/80, 50%).

Both are idempotent, and `comparison(normalise(t)) == comparison(t)`, so a digest taken before storing holds after it.
Everything downstream (`text_sha256`, `shingles`, `minhash`) reads the comparison form only: a token is what stands
between two spaces of it. The Unicode version is the interpreter's (`unicodedata.unidata_version`); a character that
it does not know is kept as it is.
"""

from __future__ import annotations

import collections
import functools
import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING

import numpy as np

from manifests.errors import RecordError, Reject

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MIN_CHARS = 20
MIN_LETTER_SHARE = 0.3
MAX_JUNK_SHARE = 0.01
MAX_MEAN_WORD = 30.0
SHINGLE_WORDS = 5
NUM_PERM = 128
SEED = 1
MAX_MARKS = 30  # on one letter: UAX #15's stream-safe format; to put more in order takes time by their square

_PILES = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0e38-\u0e3a\u1ab0-\u1ace\u1dc0-\u1dff"
    f"\u20d0-\u20f0\u3099\u309a\ufe20-\ufe2f]{{{MAX_MARKS + 1},}}"
)
_LINE_ENDS = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_JOINERS = "\u200c\u200d"  # Persian, Indic and emoji spelling needs them; they are dropped for comparison
_IGNORED = re.compile("[\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef]")  # joiners, variation selectors
# One Han character says about as much as three Latin letters, and its words are not separated by spaces.
_UNSPACED_WEIGHT = 3
_UNSPACED_RANGES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # 々〆〇
    (0x3021, 0x3029),
    (0x3040, 0x312F),  # Hiragana, Katakana, Bopomofo
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x323AF),
)
_HYPHENS = "-\u2010\u2011\u2012\u2013\ufe63\uff0d"
_MINUS = "\u2212"
# Each pattern starts with the mark itself, so that the scan skips to it; the look-behind then sees the mark as well.
_LOOSE_POINT = re.compile(r"[.,:/](?!(?<=\d.)\d)")
_WORD_HYPHEN = re.compile(r"-(?=\w)(?<=\w-)(?!(?<=\d-)\d)")
_SIGN_HYPHEN = re.compile(r"-(?:(?=\d)(?<!\w-)|(?![\w-])(?<=\w-))")
_FREE_HYPHEN = re.compile(r"-(?!(?<=\d-)\d)")


# ------------------------------------------------------------------------------------------------- the stored form
def normalise(text: str) -> str:
    """The stored form of a text.

    Line ends of every kind become `\\n`; control, format and surrogate characters, private-use characters and
    noncharacters are removed (joiners U+200C and U+200D stay); NFKC (UAX #15) is applied except to characters whose
    decomposition is <super>, <sub> or <fraction>; runs of spaces and tabs become one space; lines are stripped; more
    than one blank line becomes one; blank lines at both ends go. The result always encodes as UTF-8.
    """
    text = _LINE_ENDS.sub("\n", text)
    if not (text.isascii() and text.replace("\n", "").isprintable()):
        text = _keep_nfkc(text.translate(_STORED))
    lines = [" ".join(line.split()) for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


class _StoredTable(dict[int, str]):
    """What a character becomes before NFKC; filled as characters are met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        category = unicodedata.category(char)
        if char == "\n" or char in _JOINERS:
            value = char
        elif category == "Zs" or char in "\t\x1f":
            value = " "
        elif category in ("Cc", "Cf", "Cs", "Co") or _is_noncharacter(code):
            value = ""
        else:
            value = char
        self[code] = value
        return value


_STORED = _StoredTable()


def _is_noncharacter(code: int) -> bool:
    return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF


def _keep_nfkc(text: str) -> str:
    """NFKC of everything between characters that stand higher or lower than the line."""
    if text.isascii():
        return text
    text = _PILES.sub(_cut_pile, text)
    parts = _raised().split(text)  # odd places hold the raised runs
    return "".join(p if i % 2 else unicodedata.normalize("NFKC", p) for i, p in enumerate(parts))


def _cut_pile(pile: re.Match[str]) -> str:
    return pile[0][:MAX_MARKS]


@functools.cache
def _raised() -> re.Pattern[str]:
    """Runs of characters that NFKC would pull onto the line and so change the value of a number."""
    tags = ("<super>", "<sub>", "<fraction>")
    chars = "".join(chr(c) for c in range(0x80, 0x20000) if unicodedata.decomposition(chr(c)).startswith(tags))
    return re.compile(f"([{re.escape(chars)}]+)")


# ---------------------------------------------------------------------------------------------- the comparison form
def comparison(text: str) -> str:
    """The comparison form of a text: lower-case tokens with one space between them, no line structure.

    NFKC and case folding. A token is a run of letters, marks and digits; or one character of a script that is written
    without spaces (Han, kana, Bopomofo, Thai, Lao, Khmer, Myanmar); or one symbol (< = + ± °), `%` or a minus sign.
    A point, comma, colon, slash or hyphen between two digits stays inside its token (1.5, 1,000, 120/80, 3-5); a hyphen
    before a number or after a word is a minus sign (-3, HER2-); every other punctuation mark is a space. Joiners,
    variation selectors and whatever `normalise` removes are dropped.
    """
    if not text.isascii():  # dropped before NFKC, because they can stand between a letter and its accent
        text = _IGNORED.sub("", _LINE_ENDS.sub("\n", text).translate(_STORED))
        text = unicodedata.normalize("NFKC", _PILES.sub(_cut_pile, text))
    text = text.casefold()
    if not text.isascii():  # case folding can undo a composition
        text = unicodedata.normalize("NFKC", text)
    text = _LOOSE_POINT.sub(" ", text.translate(_COMPARED))
    if "-" in text:
        text = _SIGN_HYPHEN.sub(f" {_MINUS} ", _WORD_HYPHEN.sub(" ", text))
        text = _FREE_HYPHEN.sub(" ", text)
    return " ".join(text.split())


class _ComparedTable(dict[int, str]):
    """What a character becomes in the comparison form, before hyphens and points are judged by their neighbours."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        value = self[code] = _compared(char, unicodedata.category(char))
        return value


def _compared(char: str, category: str) -> str:
    if char in _HYPHENS:
        return "-"
    if char in ".,:/":
        return char
    if is_unspaced(char) or char == "%" or category in ("Sm", "Sc", "So"):
        return f" {char} "
    if category[0] in "ZP" or category == "Sk":
        return " "
    if category in ("Cc", "Cf", "Cs", "Co"):
        return " " if char.isspace() else ""
    return char


_COMPARED = _ComparedTable()


def is_unspaced(char: str) -> bool:
    """Whether a character belongs to a script that is written without spaces between words."""
    code = ord(char)
    return code >= 0x0E00 and any(low <= code <= high for low, high in _UNSPACED_RANGES)


def text_sha256(text: str) -> str:
    """sha256 of the comparison form (UTF-8), hexadecimal: equal for texts that differ in nothing that matters.

    Of a text without any token it is "": no text equals no other text.
    """
    form = comparison(text)
    return hashlib.sha256(form.encode()).hexdigest() if form else ""


# ---------------------------------------------------------------------------------------------------------- quality
def quality(text: str, min_chars: int = MIN_CHARS) -> None:
    """Raises `Reject` for a text that is not worth keeping; returns nothing for one that is.

    Call it on the text as read: the stored form no longer shows the junk. Rules, in order:

    - `not_text`: more than 1 % of its characters are control characters (other than whitespace), surrogates,
      private-use characters, noncharacters or U+FFFD: binary data, or a wrong encoding.
    - `too_short`: fewer than `min_chars` characters that are not whitespace, in the stored form; a character of a
      script without spaces counts as three.
    - `not_text`: under 30 % of these characters are letters or marks: tables of numbers, rules, markup rubble.
    - `not_text`: the words of the comparison form are longer than 30 characters on average: base64, sequences.

    What is not judged: language, fluency, truth, repetition.
    """
    junk = _count(text, _is_junk)
    if junk > MAX_JUNK_SHARE * len(text):
        raise Reject("not_text", f"{junk} of {len(text)} characters are control characters or undecodable")
    solid = "".join(normalise(text).split())
    size = len(solid) + (_UNSPACED_WEIGHT - 1) * _count(solid, is_unspaced)
    if size < min_chars:
        raise Reject("too_short", f"{size} characters, {min_chars} are asked for")
    letters = _count(solid, lambda char: unicodedata.category(char)[0] in "LM")
    if letters < MIN_LETTER_SHARE * len(solid):
        raise Reject("not_text", f"{letters} of {len(solid)} characters are letters")
    words = comparison(text).split(" ")
    mean = sum(map(len, words)) / len(words)
    if mean > MAX_MEAN_WORD:
        raise Reject("not_text", f"words of {mean:.0f} characters on average")


def _count(text: str, test: Callable[[str], bool]) -> int:
    return sum(number for char, number in collections.Counter(text).items() if test(char))


def _is_junk(char: str) -> bool:
    if char == "\ufffd" or _is_noncharacter(ord(char)):
        return True
    return unicodedata.category(char) in ("Cc", "Cs", "Co") and not char.isspace()


# -------------------------------------------------------------------------------------------- shingles and signatures
def shingles(text: str, words: int = SHINGLE_WORDS) -> list[bytes]:
    """Every run of `words` tokens of the comparison form, in order and with repeats, as UTF-8 with single spaces.

    A text of fewer tokens has one shingle of all of them; a text without tokens has none.
    """
    if words < 1:
        raise RecordError("bad_shingle_size", str(words), "ask for shingles of at least one word")
    tokens = comparison(text).encode().split(b" ")
    if tokens == [b""]:
        return []
    return [b" ".join(tokens[i : i + words]) for i in range(max(1, len(tokens) - words + 1))]


def minhash(text: str, num_perm: int = NUM_PERM, seed: int = SEED) -> NDArray[np.uint32]:
    """The MinHash signature of a text's shingles: uint32, shape (num_perm,).

    Value for value that of `datasketch.MinHash(num_perm, seed, scheme="affine32", hashfunc=xxhash.xxh32_intdigest)`
    updated with `shingles(text)`. The share of equal values of two signatures estimates the Jaccard similarity of the
    two shingle sets with a standard error of at most 1 / (2 sqrt(num_perm)) (Broder 1997). A text without tokens has
    the signature of the empty set, 2**32 - 1 throughout (`curate.near.signatures.is_empty`), which is near to nothing.
    For many texts at once, and for shingles of characters: `curate.near.signatures.sign`.
    """
    from curate.near.signatures import sign

    values: NDArray[np.uint32] = sign([text], num_perm, seed)[0]
    return values


def jaccard(first: str, second: str) -> float:
    """The exact Jaccard similarity of two texts' shingle sets, in 0..1; 0 where either has none."""
    one, two = set(shingles(first)), set(shingles(second))
    return len(one & two) / len(one | two) if one and two else 0.0
