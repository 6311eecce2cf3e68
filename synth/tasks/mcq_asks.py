"""What is asked with options: facts whose wrong options come from closed lists, and measured values with near ones.

Options that could be true as well are left out: an X-ray is not offered beside a radiograph, a plane not beside one
within tolerance, a structure not beside one that is nearly as large. An option is what the proof returns, so units
stand in the question.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from manifests.errors import VerificationError
from manifests.record import Media
from manifests.sample import Proof
from manifests.vocabulary import canonical
from synth.facts import structure_words, value_of, values_of, words_for
from synth.grids import determinant
from synth.instances import told_apart
from synth.mask_programs import ALONG
from synth.proofs import MediaView, call_text, evaluate, mask_labels, parse_call, prove
from synth.tasks import area_asks, asks
from synth.tasks.common import seeded, shuffled
from synth.tasks.options import Scale, near_numbers, near_ranges, of_length
from synth.tasks.seen import decided
from synth.verify import normal_form
from synth.views import only, shown_grid, steps, structure


class Choice(NamedTuple):
    """One question: its family of wordings, the words that these name, the gold as an option, and wrong options."""

    family: str
    words: Mapping[str, str]
    gold: str
    proof: Proof
    others: tuple[str, ...]
    sized: bool = False  # in mm or mL, so the spacing of what is shown belongs to the question
    terms: str = ""
    rewarded: bool = True  # whether a right letter shows that the media were looked at


# --- facts -----------------------------------------------------------------------------------------------------------

# A short and a long wording per kind of imaging that cannot be mistaken for another; X-ray techniques share one
# entry, so that none is a wrong option beside another. Last, what such a record can be: nobody takes a volume for a
# photograph.
_IMAGING: tuple[tuple[frozenset[str], tuple[str, ...], str], ...] = (
    (frozenset({"CT"}), ("CT", "computed tomography"), "image volume video"),
    (frozenset({"MR"}), ("MRI", "magnetic resonance imaging"), "image volume video"),
    (frozenset({"US"}), ("ultrasound", "diagnostic ultrasonography"), "image volume video"),
    (frozenset({"CR", "DX", "IO", "MG", "PX", "RF", "XA"}), ("radiography", "projection radiography"), "image video"),
    (frozenset({"PT"}), ("PET", "positron emission tomography"), "image volume"),
    (frozenset({"NM"}), ("scintigraphy", "nuclear medicine imaging"), "image volume video"),
    (frozenset({"ES"}), ("endoscopy", "endoscopic imaging"), "image video"),
    (frozenset({"GM", "SM"}), ("microscopy", "light microscopy"), "image video"),
    (frozenset({"OP"}), ("fundoscopy", "fundus photography"), "image video"),
    (frozenset({"OPT"}), ("OCT", "optical coherence tomography"), "image volume"),
    (frozenset({"DMS", "XC"}), ("dermoscopy", "dermatoscopic imaging"), "image"),
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


def of_modality(view: MediaView, kind: str, count: int, seed: int, key: str) -> Iterator[Choice]:
    """Never rewarded: that it is a volume or a video, and what a corpus mostly holds, says most of it."""
    values = {value.strip().upper() for value in values_of(view.facts, "modality")}
    own = [forms for codes, forms, _ in _IMAGING if values <= codes]
    if len(values) != 1 or not own or not view.media:
        return
    (code,) = values
    forms = own[0] if code not in ("IO", "MG", "PX", "XA", "RF", "XC") else (words_for(code),)
    gold = forms[seeded(seed, key, "modality", "form") % len(forms)]
    pool = [others for codes, others, kinds in _IMAGING if code not in codes and kind in kinds.split()]
    if code == "XC":  # a photograph beside a fundus photograph would not be wrong
        pool = [others for others in pool if "fundoscopy" not in others]
    proof = prove(call_text("label", {"fact": "modality"}), view, 1)
    others = of_length(gold, pool, count, seed, key, "modality")
    yield Choice("modality", {"kind": kind}, gold, proof, others, rewarded=False)


def of_plane(view: MediaView, kind: str) -> Iterator[Choice]:
    """Never rewarded: nearly all stacks of a corpus have one plane."""
    try:
        proof = prove(call_text("plane"), view, 1)
    except VerificationError:
        return
    if proof.value in _PLANES:
        others = tuple(p for p in _PLANES if p != proof.value)
        yield Choice("plane", {"kind": kind}, proof.value, proof, others, rewarded=False)


def of_label(view: MediaView, kind: str, labels: Sequence[str], count: int, seed: int, key: str) -> Iterator[Choice]:
    stated = [f for f in view.facts if f.name == "label"]
    values = tuple(dict.fromkeys(f.value for f in stated))
    pool = _as_facts(view, labels) or (_SKIN if values and normal_form(values[0]) in _SKIN else ())
    others = [name for name in pool if normal_form(name) not in {normal_form(v) for v in values}]
    columns = {f.about for f in stated}
    if len(values) != 1 or len(columns) != 1 or not others:
        return
    gold = values[0].replace("_", " ")
    shown = [(name.replace("_", " "),) for name in dict.fromkeys(others)]
    (column,) = columns
    proof = prove(call_text("label", {"fact": "label", **({"about": column} if column else {})}), view, 1)
    yield Choice("label", {"kind": kind}, gold, proof, of_length(gold, shown, count, seed, key, "label"))


def _as_facts(view: MediaView, labels: Sequence[str]) -> tuple[str, ...]:
    """A recipe's names of classes in the words of the facts, or a class would be a wrong option beside its synonym."""
    shown = values_of(view.facts, "modality"), values_of(view.facts, "body_part")
    return tuple(dict.fromkeys(canonical("label", name, *shown) for name in labels))


def _near_codes(code: str, seed: int, key: str) -> tuple[str, ...]:
    """Codes of the same shape that differ in one digit: a title has one code, so every other one is wrong.

    All differ in the same place, where the gold's digit is one among the others; were they to differ in several, the
    gold would be the one code that is near to all.
    """
    spots = [i for i, ch in enumerate(code) if ch.isdigit()]
    at = spots[seeded(seed, key, "code", "place") % len(spots)]
    near = [code[:at] + digit + code[at + 1 :] for digit in "0123456789" if digit != code[at]]
    return tuple(shuffled(near, seed, key, "near"))


def of_codes(view: MediaView, count: int, seed: int, key: str) -> Iterator[Choice]:
    code, title = value_of(view.facts, "code"), value_of(view.facts, "title")
    chapter = re.sub(r"\s*\([^()]*\)\s*$", "", value_of(view.facts, "chapter")).strip()
    if not title or any(len(set(values_of(view.facts, name))) > 1 for name in ("code", "title", "chapter")):
        return
    words = {"title": title, "system": "ICD-10-CM"}
    if _ICD10CM.fullmatch(code):
        proof = prove(call_text("label", {"fact": "code"}), view, 1)
        yield Choice("code", words, code, proof, _near_codes(code, seed, key)[: count - 1])
    own = [name for name in _CHAPTERS if name.casefold() == chapter.casefold()]
    if own:
        pool = [(name,) for name in _CHAPTERS if name != own[0]]
        proof = prove(call_text("label", {"fact": "chapter"}), view, 1)
        yield Choice("chapter", words, own[0], proof, of_length(own[0], pool, count, seed, key, "chapter"))


# --- measured --------------------------------------------------------------------------------------------------------

_SCALES: Mapping[str, Scale] = MappingProxyType(
    {
        "volume_ml": Scale(),
        "longest_axis_mm": Scale(),
        "perpendicular_axis_mm": Scale(),
        "area_mm2": Scale(),
        "long_diameter_mm": Scale(),
        "centre_distance_mm": Scale(),
        "area_ratio": Scale(),
        "extent_ratio": Scale(step=0.08, low=0, high=1),
        "share_pct": Scale(low=0, high=100),
        "regions": Scale(step=1, low=1),
        "extent_mm": Scale(),
        "distance_mm": Scale(),
        "duration_s": Scale(),
        "frame_count": Scale(),
        "count": Scale(step=1, low=1),
        "mean_hu": Scale(step=16),
        "angle_deg": Scale(step=12, low=0, high=180),
        "angle_between_lines_deg": Scale(step=8, low=0, high=90),
    }
)
_CLOSED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "is_left_of": ("yes", "no"),
        "relation_left_right": ALONG["left-right"][1:],
        "relation_front_back": ALONG["front-back"][1:],
        "relation_head_feet": ALONG["head-feet"][1:],
        "side_of": ("left", "right"),
    }
)
MEASURED = frozenset((*_SCALES, *_CLOSED, "slice_range", "place"))
_CLEAR, _ALIKE = 1.1, 2.0  # the largest exceeds the next by so much at least, and the smallest by so much at most
_SIZES = 24  # structures, at most, that are measured to find some of like size
_WINDOWS = 4


def of_measure(ask: asks.Ask, view: MediaView, count: int, min_offset_mm: float, seed: int, key: str) -> Choice | None:
    """The question with options, or None where what is shown does not decide it or the gold has no neighbours."""
    proof = asks.decide(ask, view, min_offset_mm, 1)
    if proof is None:
        return None
    others = _near(ask, proof, view, count, seed, key)
    if not others:
        return None
    words = {"a": ask.a, "b": ask.b, "c": ask.c, "d": ask.d}
    rewarded = asks.rewarding(ask, proof, seed, key)
    terms = asks.terms(ask, view, seed, key)
    return Choice(ask.family, words, proof.value, proof, others, ask.family in asks.SIZED, terms, rewarded)


def _near(ask: asks.Ask, proof: Proof, view: MediaView, count: int, seed: int, key: str) -> tuple[str, ...]:
    if ask.family in _SCALES:
        scale = _SCALES[ask.family]._replace(quantum=_quantum(ask, proof, view))
        return near_numbers(proof.value, count, scale, seed, key, ask.call)
    if ask.family == "slice_range":
        return near_ranges(proof.value, count, len(_shown_slices(view)), seed, key, ask.call)
    along = dict(parse_call(ask.call).args).get("along", "")
    if ask.family == "place":
        answers = itertools.product(*(ALONG[one][1:] for one in along.split("+")))
        closed = tuple(" and ".join(pair) for pair in answers)
        return tuple(shuffled([one for one in closed if one != proof.value], seed, key, ask.call)[: count - 1])
    return tuple(one for one in _CLOSED[ask.family] if one != proof.value)


def _quantum(ask: asks.Ask, proof: Proof, view: MediaView) -> float:
    """The mL of a voxel, mm2 of a pixel or mm of a sample, of which a value is a multiple; 0 where it is none."""
    if ask.family == "volume_ml":
        media, _ = structure(view, dict(parse_call(ask.call).args)["mask"])
        return abs(determinant(steps(media))) / 1000.0
    if ask.family == "area_mm2":
        return math.prod(only(view, ("image",)).spacing_mm or ())
    if ask.family == "extent_mm":
        media = only(view, ("image", "volume"))
        axes = ("z", "y", "x") if media.kind == "volume" else ("y", "x")
        return float(proof.value) / media.shape[axes.index(ask.a)]
    return 0.0


def _shown_slices(view: MediaView) -> Sequence[int]:
    try:
        return shown_grid(view).slices
    except VerificationError:  # without an affine the mask's own grid is what is shown
        return range(next((m.shape[0] for m in view.media if m.kind == "volume"), 0))


def of_largest(view: MediaView, count: int, seed: int, key: str) -> Iterator[Choice]:
    """The largest of some structures that are alike in size, so that knowing which organ is large does not tell: by
    volume, or by area in the one picture."""
    picture = area_asks.picture_of(view)
    family = "largest" if picture is None else "covers_most"
    labels = told_apart(mask_labels(view)) if picture is None else area_asks.comparable(area_asks.asked_labels(view))
    for chosen in _alike(view, labels, count, seed, key):
        every = family == "largest" and len(chosen) == len(mask_labels(view))
        among = {} if every else {"among": "|".join(sorted(chosen))}
        call = call_text(family, {**among, **({"member": picture.member} if picture is not None else {})})
        try:
            if not decided(view, call):
                continue
            proof = prove(call, view, 1)
        except VerificationError:
            continue
        others = tuple(structure_words(name) for name in chosen if name != proof.value)
        yield Choice(family, {}, structure_words(proof.value), proof, others)
        return


def _size_call(name: str, picture: Media | None) -> str:
    if picture is None:
        return call_text("volume_ml", {"mask": name})
    return call_text("area_px", {"mask": name, "member": picture.member})


def _alike(view: MediaView, labels: Sequence[str], count: int, seed: int, key: str) -> list[tuple[str, ...]]:
    """Runs of structures by size, some of them, in a seeded order."""
    picture = area_asks.picture_of(view)
    known = {f.about: float(f.value) for f in view.facts if f.name == "volume_ml" and f.about in labels}
    for name in shuffled([name for name in labels if name not in known], seed, key, "sizes")[:_SIZES]:
        try:
            known[name] = float(evaluate(_size_call(name, picture), view).value)
        except VerificationError:
            continue
    order = sorted(known, key=lambda name: (-known[name], name))
    size = min(count, len(order))
    runs = [tuple(order[at : at + size]) for at in range(len(order) - size + 1)] if size > 1 else []
    fit = [run for run in runs if known[run[1]] * _CLEAR <= known[run[0]] <= known[run[-1]] * _ALIKE]
    return sorted(fit, key=lambda run: seeded(seed, key, "run", *run))[:_WINDOWS]
