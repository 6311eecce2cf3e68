"""Multiple choice from facts and masks: the gold is the source's, the distractors come from closed lists of its type.

Options that could be true as well are left out: an X-ray is not offered beside a radiograph, a plane not beside one
within tolerance. The letter of the gold is a seeded hash, so letters are balanced over many records.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from manifests.config import Config
from manifests.errors import VerificationError
from manifests.record import Record
from manifests.sample import Answer, Draft, Turn
from synth.facts import structure_words, value_of, values_of, words_for
from synth.proofs import MediaView, call_text, mask_labels, prove
from synth.tasks.common import finish, for_gold, pick, seeded, shuffled
from synth.tasks.seen import decided
from synth.verify import no_leak, normal_form

LETTERS = "ABCDE"


class Mcq(Config):
    """`options` per question (fewer where there are not as many); `labels`: all class names that the source uses."""

    task: Literal["mcq"] = "mcq"
    options: int = Field(default=4, ge=2, le=5)
    labels: tuple[str, ...] = ()
    max_questions: int = Field(default=4, ge=1, le=16)


class _Ask(NamedTuple):
    family: str
    stem: str
    gold: str  # as shown
    call: str  # proves the value that the gold shows
    others: tuple[str, ...]  # plausible and wrong


# One wording per kind of imaging that cannot be mistaken for another; X-ray techniques share one family, so that none
# is a wrong option beside another.
_IMAGING: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"CT"}), "computed tomography"),
    (frozenset({"MR"}), "magnetic resonance imaging"),
    (frozenset({"US"}), "ultrasound"),
    (frozenset({"CR", "DX", "MG", "XA", "RF"}), "radiography"),
    (frozenset({"PT"}), "positron emission tomography"),
    (frozenset({"NM"}), "nuclear medicine imaging"),
    (frozenset({"ES"}), "endoscopy"),
    (frozenset({"SM"}), "slide microscopy"),
    (frozenset({"OP"}), "fundus photography"),
    (frozenset({"OPT"}), "optical coherence tomography"),
    (frozenset({"DMS", "XC"}), "dermoscopy"),
)
_PLANES = ("axial", "coronal", "sagittal")
_SKIN = ("melanoma", "nevus", "basal cell carcinoma", "seborrheic keratosis", "actinic keratosis", "dermatofibroma",
         "vascular lesion", "squamous cell carcinoma")  # fmt: skip
_ICD10CM = re.compile(r"[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?")
_CHAPTERS = (
    "Certain infectious and parasitic diseases",
    "Neoplasms",
    "Diseases of the blood and blood-forming organs and certain disorders involving the immune mechanism",
    "Endocrine, nutritional and metabolic diseases",
    "Mental, Behavioral and Neurodevelopmental disorders",
    "Diseases of the nervous system",
    "Diseases of the eye and adnexa",
    "Diseases of the ear and mastoid process",
    "Diseases of the circulatory system",
    "Diseases of the respiratory system",
    "Diseases of the digestive system",
    "Diseases of the skin and subcutaneous tissue",
    "Diseases of the musculoskeletal system and connective tissue",
    "Diseases of the genitourinary system",
    "Pregnancy, childbirth and the puerperium",
    "Certain conditions originating in the perinatal period",
    "Congenital malformations, deformations and chromosomal abnormalities",
    "Symptoms, signs and abnormal clinical and laboratory findings, not elsewhere classified",
    "Injury, poisoning and certain other consequences of external causes",
    "External causes of morbidity",
    "Factors influencing health status and contact with health services",
    "Codes for special purposes",
)

_STEMS = {
    "modality": (
        "Which imaging technique produced this {kind}?",
        "By which technique was this {kind} acquired?",
        "What is the imaging modality of this {kind}?",
        "Which modality does this {kind} come from?",
    ),
    "plane": (
        "In which plane do the slices of this volume lie?",
        "What is the plane of the slices?",
        "Which anatomical plane do the slices follow?",
        "Along which plane was this volume sliced?",
    ),
    "largest": (
        "Which of these segmented structures has the largest volume?",
        "Which of these structures is the largest by segmented volume?",
        "By volume, which of these segmented structures is the largest?",
        "Which of these masks encloses the greatest volume?",
    ),
    "label": (
        "Which of these labels does the source give this {kind}?",
        "How is this {kind} classified?",
        "Which class does this {kind} belong to?",
        "Which label applies to this {kind}?",
    ),
    "code": (
        'Which {system} code stands for "{title}"?',
        'What is the {system} code of "{title}"?',
        'Under which {system} code is "{title}" listed?',
        'Which of these {system} codes is assigned to "{title}"?',
    ),
    "chapter": (
        'To which chapter of the classification does "{title}" belong?',
        'In which chapter is "{title}" listed?',
        'Which chapter contains "{title}"?',
        'Where in the classification does "{title}" stand?',
    ),
}


def _modality(view: MediaView) -> list[_Ask]:
    value = value_of(view.facts, "modality").strip()
    own = [words for codes, words in _IMAGING if value.upper() in codes]
    if not own or len(set(values_of(view.facts, "modality"))) != 1 or not view.media:
        return []
    others = tuple(words for codes, words in _IMAGING if value.upper() not in codes)
    gold = own[0] if value.upper() in ("CR", "DX") else words_for(value)
    if value.upper() == "XC":  # a photograph beside a fundus photograph would not be wrong
        others = tuple(words for words in others if words != "fundus photography")
    return [_Ask("modality", "", gold, call_text("label", {"fact": "modality"}), others)]


def _plane(view: MediaView) -> list[_Ask]:
    try:
        value = prove(call_text("plane"), view, -1).value
    except VerificationError:
        return []
    if value not in _PLANES:
        return []
    return [_Ask("plane", "", value, call_text("plane"), tuple(p for p in _PLANES if p != value))]


def _largest(view: MediaView) -> list[_Ask]:
    try:
        gold = prove(call_text("largest"), view, -1).value
        if not decided(view, call_text("largest")):
            return []
    except VerificationError:
        return []
    others = tuple(structure_words(name) for name in mask_labels(view) if name != gold)
    return [_Ask("largest", "", structure_words(gold), call_text("largest"), others)]


def _label(view: MediaView, labels: Sequence[str]) -> list[_Ask]:
    values = tuple(dict.fromkeys(values_of(view.facts, "label")))
    pool = labels or (_SKIN if values and normal_form(values[0]) in _SKIN else ())
    others = tuple(name for name in pool if normal_form(name) not in {normal_form(v) for v in values})
    if len(values) != 1 or not others or any(f.about for f in view.facts if f.name == "label"):
        return []
    shown = tuple(name.replace("_", " ") for name in others)
    return [_Ask("label", "", values[0].replace("_", " "), call_text("label", {"fact": "label"}), shown)]


def _near_codes(code: str, seed: int, key: str) -> tuple[str, ...]:
    """Codes of the same shape that differ in one digit: a title has one code, so every other one is wrong."""
    spots = [i for i, ch in enumerate(code) if ch.isdigit()]
    near = {code[:i] + digit + code[i + 1 :] for i in spots for digit in "0123456789" if digit != code[i]}
    return tuple(shuffled(sorted(near), seed, key, "near")[:8])


def _coded(view: MediaView, seed: int, key: str) -> list[_Ask]:
    code, title = value_of(view.facts, "code"), value_of(view.facts, "title")
    chapter = re.sub(r"\s*\([^()]*\)\s*$", "", value_of(view.facts, "chapter")).strip()
    if not title or any(len(set(values_of(view.facts, name))) > 1 for name in ("code", "title", "chapter")):
        return []
    asks = []
    if _ICD10CM.fullmatch(code):
        asks.append(_Ask("code", title, code, call_text("label", {"fact": "code"}), _near_codes(code, seed, key)))
    own = [name for name in _CHAPTERS if name.casefold() == chapter.casefold()]
    if own:
        others = tuple(name for name in _CHAPTERS if name != own[0])
        asks.append(_Ask("chapter", title, own[0], call_text("label", {"fact": "chapter"}), others))
    return asks


def _lay_out(ask: _Ask, record: Record, config: Mcq, seed: int) -> tuple[str, str, str]:
    """(stem, options one a line, gold letter)."""
    stem = pick(_STEMS[ask.family], seed, record.key, ask.family, "stem")
    stem = stem.format(kind=record.kind, title=ask.stem, system="ICD-10-CM")
    wrong = [o for o in dict.fromkeys(ask.others) if o.casefold() != ask.gold.casefold()]
    options = shuffled(wrong, seed, record.key, ask.family)[: config.options - 1]
    at = seeded(seed, record.key, ask.family, "letter") % (len(options) + 1)
    options.insert(at, ask.gold)
    lines = "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))
    return stem, lines, LETTERS[at]


def drafts(record: Record, view: MediaView, config: Mcq, seed: int) -> list[Draft]:
    """Per question one conversation (sft) and one prompt (rlvr), parts 0..n-1; the proof is on the value shown."""
    asks = [*_modality(view), *_plane(view), *_largest(view), *_label(view, config.labels)]
    asks += _coded(view, seed, record.key)
    out: list[Draft] = []
    for part, ask in enumerate([a for a in asks if a.others][: config.max_questions]):
        stem, lines, letter = _lay_out(ask, record, config, seed)
        proof = prove(ask.call, view, 1)
        leak = (no_leak(stem, ask.gold, -1),)
        talk = (Turn("user", f"{stem}\n{lines}"), Turn("assistant", f"{letter}. {ask.gold}"))
        prompt = (Turn("user", f"{stem}\n{lines}\nAnswer with the letter of the right option."),)
        gold = Answer(type="mcq", gold=letter, verifier="mcq")
        out.append(finish(Draft(record.key, "sft", "mcq", part, turns=talk, proofs=(proof,), verdicts=leak)))
        asked = Draft(record.key, "rlvr", "mcq", part, prompt, answer=gold, proofs=(for_gold(proof),), verdicts=leak)
        out.append(finish(asked))
    return out
