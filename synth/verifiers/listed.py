"""Lists as verifiers read them: elements between commas, semicolons, "and", arrows, bullets or numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from synth.verifiers.base import plain
from synth.verifiers.label import form, synonyms, without_lead

MOST = 60
_LEAD = re.compile(r"\A[^:;,\n]{0,80}:\s*")
_NUMBER = re.compile(r"(?:(?<=\s)|\A)(\d{1,2})[.)]\s+")
_BULLET = re.compile(r"^[ \t]*[-*•–][ \t]+", re.MULTILINE)
_CUT = re.compile(r"\s*(?:[;\n,]|->|→|=>)\s*(?:and\s+then\s+|and\s+|then\s+)?|\s+then\s+|\s>\s")
_AND = re.compile(r"\s+(?:and|&)\s+")


def elements(text: str, golds: Sequence[frozenset[str]]) -> list[str] | None:
    """The elements of a list as label forms, in order; None where the numbers before them do not count up from 1.

    " and " cuts an element in two where the whole is none of the gold's.
    """
    shown = plain(_BULLET.sub("\n", text)).strip().strip("[]{}.").strip()
    shown = _LEAD.sub("", shown, count=1)
    numbers = [int(n) for n in _NUMBER.findall(shown)]
    if numbers and numbers != list(range(1, len(numbers) + 1)):
        return None
    parts = [p for p in _CUT.split(_NUMBER.sub("\n", shown)) if p.strip(" .")]
    known = frozenset().union(*golds) if golds else frozenset()
    found: list[str] = []
    for part in parts[: MOST + 1]:
        pieces = [_form(piece, golds) for piece in _AND.split(part)[: MOST + 1]]
        found += [name if name in known else without_lead(name) for name in _joined(pieces, known)]
    return found if len(found) <= MOST else found[: MOST + 1]


def _form(piece: str, golds: Sequence[frozenset[str]]) -> str:
    """A piece's form; an element written as the gold writes it, `effusion|hydrothorax`, is its first synonym."""
    return form(piece.partition("|")[0] if "|" in piece and synonyms(piece) in golds else piece)


def _joined(pieces: list[str], known: frozenset[str]) -> list[str]:
    """Pieces between "and"s, two neighbours as one where the gold knows them as one ("portal and splenic vein")."""
    out: list[str] = []
    for piece in pieces:
        both = f"{out[-1]} and {piece}" if out else ""
        out = [*out[:-1], both] if both in known else [*out, piece]
    return out


def gold_elements(gold: str) -> list[frozenset[str]]:
    """The elements of a gold, each with its synonyms: `pleural effusion|effusion; nodule`."""
    return [s for s in (synonyms(one) for one in gold.split(";")) if s]
