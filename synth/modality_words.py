"""What a picture, clip or volume is called in a sentence: "a chest radiograph" is no "digital radiography image".

The nouns are those that clinicians use; each holds a form of `synth.lexicon.MODALITY` of its code, so that a check
finds the modality in the sentence. A value that is no code is used as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from synth.facts import body_part_words, words_for
from synth.lexicon import PLANE_CODES

# One picture of these has a name of its own.
_PICTURES: Mapping[str, str] = MappingProxyType(
    {
        "CR": "radiograph", "DX": "radiograph", "MG": "mammogram", "IO": "intra-oral radiograph",
        "PX": "panoramic radiograph", "XA": "x-ray angiogram", "OP": "fundus photograph", "XC": "clinical photograph",
        "SM": "photomicrograph", "GM": "photomicrograph", "ECG": "electrocardiogram",
    }
)  # fmt: skip
# What stands before image, video or volume, where it is not the technique's own name.
_BEFORE: Mapping[str, str] = MappingProxyType(
    {
        "ES": "endoscopic", "DMS": "dermoscopic", "RF": "fluoroscopic", "MR": "magnetic resonance",
        "NM": "nuclear medicine", "XC": "clinical photography", "OP": "fundus photography", "SM": "microscopy",
    }
)  # fmt: skip
_UNCOUNTED = frozenset({"blood", "bone", "muscle"})
_ONE_OF_MANY = frozenset({"lymph node", "extremity", "fetus"})


def shown_as(modality: str, kind: str) -> str:
    """The noun for an image, video or volume of a modality: "radiograph", "endoscopic video"; `kind` alone where the
    modality is not known."""
    code = modality.strip().upper()
    if kind == "image" and code in _PICTURES:
        return _PICTURES[code]
    before = _BEFORE.get(code) or words_for(modality)
    return f"{before} {kind}" if before else kind


def place_words(part: str, side: str = "") -> str:
    """A body part behind "of", with its side: "the left knee", "a lymph node", "blood"."""
    words = body_part_words(part)
    if side:
        return f"the {side} {words}"
    if words in _UNCOUNTED:
        return words
    if words in _ONE_OF_MANY:
        return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
    return f"the {words}"


def projection_words(position: str) -> str:
    """A view behind "in": "PA projection", "lateral projection", "the apical four-chamber view"."""
    if position.upper() in PLANE_CODES:
        return f"{position.upper()} projection"
    words = position.replace("_", " ").strip()
    words = words if words.isupper() and len(words) <= 3 else words.lower()
    if words.endswith(("chamber", "axis")):
        return f"the {words} view"
    return words if words.endswith(("view", "projection")) else f"{words} projection"
