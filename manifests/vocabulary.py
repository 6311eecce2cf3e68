"""The canonical terms: of cards, by which a recipe may choose sources, and of facts, so that these speak one language.

Modalities are codes of DICOM PS3.3 C.7.3.1.1.1 where there is one (`CR` and `DX` are one here: `DX`), else a plain
word. `canonical` maps what a source writes to the one term that stands for it (tables: `manifests.terms`); what no
table of such a record knows stays as it is.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from manifests.terms import TABLES, Table, flat
from manifests.terms.table import Field

MODALITIES: Mapping[str, str] = MappingProxyType(
    {
        "DX": "projection radiography", "MG": "mammography", "IO": "intra-oral radiography",
        "PX": "panoramic radiography", "RF": "fluoroscopy", "XA": "angiography", "CT": "computed tomography",
        "MR": "magnetic resonance", "PT": "positron emission tomography", "NM": "nuclear medicine",
        "US": "ultrasound", "DMS": "dermoscopy", "XC": "clinical photography", "OP": "fundus photography",
        "OPT": "optical coherence tomography", "SM": "slide microscopy", "GM": "general microscopy",
        "ES": "endoscopy", "figure": "figures of articles", "text": "text", "natural": "natural images and video",
    }
)  # fmt: skip

BODY_PARTS: frozenset[str] = frozenset(
    {
        "abdomen", "adrenal gland", "ankle", "aorta", "bladder", "blood", "bone", "brain", "breast", "cervix", "chest",
        "colon", "elbow", "esophagus", "eye", "fetus", "foot", "gallbladder", "hand", "head and neck", "heart", "hip",
        "kidney", "knee", "leg", "liver", "lung", "lymph node", "mouth", "muscle", "neck", "ovary", "pancreas",
        "pelvis", "prostate", "retina", "shoulder", "skin", "small bowel", "spine", "spleen", "stomach", "teeth",
        "thyroid", "uterus", "vessels", "whole body", "wrist",
    }
)  # fmt: skip

TASKS: Mapping[str, str] = MappingProxyType(
    {
        "classification": "one class of the whole medium",
        "multi-label": "several findings, each present, absent or uncertain",
        "grading": "an ordered grade or stage",
        "detection": "boxes of what is there",
        "organ-segmentation": "masks of organs and structures",
        "lesion-segmentation": "masks of lesions or tumours",
        "instrument-segmentation": "masks of instruments",
        "lesion-size": "lesion masks with a physical spacing, or stated sizes",
        "organ-size": "organ masks with a physical spacing",
        "landmarks": "named points",
        "counting": "how many there are",
        "ejection-fraction": "volumes of the heart and their ratio",
        "report": "a radiologist's or pathologist's report",
        "caption": "a caption of what is shown",
        "grounding": "phrases tied to boxes or masks",
        "vqa": "open and closed questions about media",
        "multiple-choice": "questions with options",
        "progression": "several visits of one patient",
        "temporal-events": "what happens when in a video",
        "tracking": "objects followed over frames",
        "dialogue": "conversations of several turns",
        "qa": "questions and answers in text",
        "reasoning": "answers with their reasoning",
        "text": "text to read",
        "interleaved": "documents of text and pictures",
        "instruction": "instructions and answers about media",
    }
)

# The body part that a modality shows, where a record tells none.
_IMPLIED: Mapping[str, str] = MappingProxyType(
    {"DMS": "skin", "MG": "breast", "OP": "retina", "OPT": "retina", "PX": "teeth", "IO": "teeth"}
)
# `subtlety of mass`, `location of pleural effusion`, `mass 2`: what is said of a thing, and which of several it is.
_OF = re.compile(r"((?:subtlety|shape|margins|type|distribution|location|severity|malignancy) of )(.+)", re.DOTALL)
_NUMBERED = re.compile(r"(.+?)[ _](\d{1,3})", re.DOTALL)
_SIDES = frozenset({"left", "right"})
_LONGEST = 120  # characters: what is longer is no term
_VERTEBRA = re.compile(r"(?:vertebrae?[ _]([CTLS]\d{1,2})|([CTLS]\d{1,2})[ _]vertebra)", re.IGNORECASE)


def canonical(
    fact: str, text: str, modalities: Iterable[str] = (), body_parts: Iterable[str] = (), about: str = "",
    field: Field = "value",
) -> str:  # fmt: skip
    """The canonical term for what a source writes as the value (or, by `field`, the about) of a fact, in a record of
    these modalities and body parts, themselves canonical; `about` is the fact's, canonical too.

    The text itself where no table knows it; a canonical term stands for itself."""
    kind = scope(modalities, body_parts)
    if len(text) > _LONGEST:
        return text
    for table in _tables(fact, field, *kind):
        if table.speaks_of(about):
            term = _structure(table, text) if fact == "structure" else _term(table, text, whole=field == "value")
            if term:
                return term
    return text


def scope(modalities: Iterable[str], body_parts: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """By what tables are chosen: the modalities, and the body parts each for itself (`chest and abdomen` are two)."""
    shown = frozenset(modalities)
    parts = frozenset(one for part in body_parts for one in _parts(part))
    return shown, parts or frozenset(_IMPLIED[m] for m in shown if m in _IMPLIED)


def canonical_terms(fact: str, field: Field = "value") -> frozenset[str]:
    """All canonical terms that the tables have for a fact, whatever the record."""
    return frozenset(term for t in TABLES if fact in t.facts and field in t.fields for term in t.terms)


@functools.lru_cache(maxsize=1024)
def _parts(part: str) -> tuple[str, ...]:
    return (part,) if part in BODY_PARTS else tuple(re.split(r", | and ", part))


@functools.lru_cache(maxsize=4096)
def _tables(fact: str, field: Field, modalities: frozenset[str], body_parts: frozenset[str]) -> tuple[Table, ...]:
    return tuple(t for t in TABLES if fact in t.facts and field in t.fields and t.holds(modalities, body_parts))


def _term(table: Table, text: str, whole: bool) -> str:
    """The table's term for a text, or "" where it has none; where it need not be the whole text, also for what stands
    in it beside a number, a property or a side."""
    if found := table.words.get(flat(text), ""):
        return found
    if whole:
        return ""
    said = _OF.fullmatch(text)
    head, rest = (said[1], said[2]) if said else ("", text)
    number = _NUMBERED.fullmatch(rest)
    rest, tail = (number[1], f" {number[2]}") if number else (rest, "")
    term = table.words.get(flat(rest), "")
    return f"{head}{term}{tail}" if term else ""


def _structure(table: Table, text: str) -> str:
    """The same of a structure's name, with its side in front."""
    if level := _VERTEBRA.fullmatch(text):
        return f"{(level[1] or level[2]).upper()} vertebra"
    sides = [word for word in flat(text).split() if word in _SIDES]
    if len(sides) != 1:
        return _term(table, text, whole=False)
    rest = " ".join(word for word in flat(text).split() if word not in _SIDES)
    term = table.words.get(flat(text), "") or _term(table, rest, whole=False)
    return term if not term or term.startswith(sides[0]) else f"{sides[0]} {term}"
