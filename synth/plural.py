"""Whether the name of a structure is a plural, so that a sentence about it has the right verb.

Covered: the plurals of anatomy and pathology that data sets label, regular ones in -s, and Latin and Greek ones in
-ae and -omata, others by a list. Not covered: words of other languages; a name that is both (`pancreas`, `pelvis`,
`species`) counts as one.
"""

from __future__ import annotations

import functools
import re

_PLURALS = frozenset(
    re.findall(
        r"\w+",
        "teeth feet thrombi emboli nuclei bronchi alveoli villi sulci gyri fundi rami menisci radii foci loci fungi "
        "bacilli cocci calculi glomeruli tubuli nevi naevi hila septa atria foramina lumina ganglia labia crura ova "
        "bacteria diverticula acetabula genitalia viscera adnexa people men women children",
    )
)
# Words in -s that are one thing, besides those of the endings below.
_SINGULARS = frozenset(
    re.findall(
        r"\w+",
        "pancreas atlas lens gas bias psoas iliopsoas biceps triceps quadriceps forceps glans ascites herpes rabies "
        "tabes diabetes caries scabies series species hydrops chaos",
    )
)
_ONE = re.compile(r"(?:ss|us|is|sis|itis|osis|ous|ness)\Z")
_MANY = re.compile(r"(?:[^aeiou]ae|omata)\Z")


@functools.lru_cache(maxsize=4096)
def is_plural(name: str) -> bool:
    """`lungs`, `left and right kidney`, `cell nuclei`, `teeth in the lower jaw` -> True; `pancreas`, `liver` -> False.

    The head of the name decides: the last word before a preposition, a comma or a bracket.
    """
    words = re.sub(r"\([^()]*\)", " ", name.replace("_", " ")).lower()
    head = re.split(r"\s(?:of|in|at|on|with|without|from|to|near|for|by|inside|outside|within)\s|,", words.strip())[0]
    if re.search(r"\w\s+(?:and|&)\s+\w", head):
        return True
    last = re.findall(r"[a-z]+", head)[-1:]
    return bool(last) and _word(last[0])


def _word(word: str) -> bool:
    if word in _PLURALS or word in _SINGULARS:
        return word in _PLURALS
    if _MANY.search(word):
        return True
    return len(word) > 3 and word.endswith("s") and not _ONE.search(word)


def agreeing(name: str, one: str, many: str) -> str:
    """The form of a verb that fits behind a name: `agreeing("nuclei", "is", "are")` is `are`."""
    return many if is_plural(name) else one
