"""What a table of synonyms is: which part of which facts it speaks of, where it holds, and its words.

A block of words is `canonical: synonym; synonym`, entries on lines of their own or parted by ` | `; a line that begins
with a blank goes on. Words match whatever their case, hyphens, underscores and blanks, in British and American spelling
(`flat`); plurals are synonyms of their own.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Field = Literal["value", "about"]
ANY = "*"  # of `abouts`: whatever it is, if there is one

# Where two spellings of one word are used, in both; the right-hand one is compared.
_SPELLINGS = (
    ("oedema", "edema"), ("tumour", "tumor"), ("haem", "hem"), ("oesoph", "esoph"), ("caec", "cec"), ("naev", "nev"),
    ("ischaem", "ischem"), ("anaem", "anem"), ("rrhoe", "rrhe"), ("foet", "fet"), ("isation", "ization"),
    ("ised", "ized"), ("colour", "color"), ("centre", "center"), ("fibre", "fiber"), ("grey", "gray"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """Synonyms of one part (`fields`) of some facts (`facts`).

    It holds for a record whose modalities are all among `modalities`, and whose body parts are all among `body_parts`,
    where those are given; and for facts whose `about` is one of `abouts`, where that is given."""

    name: str
    facts: frozenset[str]
    fields: frozenset[Field]
    words: Mapping[str, str]  # flat form -> canonical term; canonical terms stand for themselves
    modalities: frozenset[str] = frozenset()
    body_parts: frozenset[str] = frozenset()
    abouts: frozenset[str] = frozenset()

    def holds(self, modalities: frozenset[str], body_parts: frozenset[str]) -> bool:
        """Whether a record of these may be read by it: what is not known of a record meets no condition."""
        return _met(self.modalities, modalities) and _met(self.body_parts, body_parts)

    def speaks_of(self, about: str) -> bool:
        return not self.abouts or about in self.abouts or (bool(about) and ANY in self.abouts)

    @property
    def terms(self) -> tuple[str, ...]:
        """The canonical terms, in the order of the block."""
        return tuple(dict.fromkeys(self.words.values()))


def _met(wanted: frozenset[str], known: frozenset[str]) -> bool:
    return not wanted or (bool(known) and known <= wanted)


@functools.lru_cache(maxsize=8192)
def flat(text: str) -> str:
    """A word as it is compared: lower case, American, blanks for hyphens and underscores, each once."""
    low = re.sub(r"[\s_-]+", " ", text).strip().lower().rstrip(".")
    for british, american in _SPELLINGS:
        low = low.replace(british, american)
    return low


def words(block: str) -> dict[str, str]:
    """Flat form -> canonical term of a block. Raises `ValueError` where one form would mean two terms."""
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?!\s)|\s\|\s", block.strip()):
        canonical, _, listed = entry.partition(": ")
        canonical = " ".join(canonical.rstrip(":").split())
        for form in (canonical, *listed.split(";")):
            key = flat(form)
            if key and found.setdefault(key, canonical) != canonical:
                raise ValueError(f"'{key}' stands for '{found[key]}' and for '{canonical}'")
    return found


def table(
    name: str, facts: str, block: str, fields: Sequence[Field] = ("value",), modalities: str = "",
    body_parts: str = "", abouts: str = "",
) -> Table:  # fmt: skip
    """A table of a block; the sets are written with `, ` between their members."""
    return Table(name, _set(facts), frozenset(fields), words(block), _set(modalities), _set(body_parts), _set(abouts))


def _set(listed: str) -> frozenset[str]:
    return frozenset(listed.split(", ")) if listed else frozenset()
