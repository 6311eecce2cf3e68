"""The closed, versioned lexicons of English words that a text is searched for, and the one search that finds them.

`LEXICON_VERSION` changes whenever a form is added, taken away or renamed: verdicts made with different versions are not
comparable. Each lexicon maps a canonical name to its written forms; a form matches in singular or plural, in any case
(those of `CASED` in upper case only), its words parted by blanks, hyphens or underscores. The words are those that
radiology, pathology and endoscopy reports use for organs, parts of organs, findings and devices; eponyms are left out.
A word that is in no lexicon and has no ending of `_ENDINGS` ("-itis", "-megaly") is not found.

`words_of` splits, `find` looks up: time is linear in the length of the text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from synth.lexicon_words import ANATOMY_WORDS, BROADER_WORDS, FINDING_WORDS, PART_OF_WORDS

LEXICON_VERSION = "3"
_NOT_ACQUIRED = frozenset({"SEG", "SR", "OT"})  # their words mean something else in a text
# Code -> the canonical English first, then further wordings. Upper-case forms match in upper case only.
MODALITY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "CT": ("computed tomography", "CT", "CTA", "CAT scan", "computed tomographic", "computerized tomography",
               "HRCT", "CBCT", "NCCT", "CECT", "MDCT", "CTPA"),
        "MR": ("magnetic resonance imaging", "magnetic resonance", "MRI", "MR", "MRA", "FLAIR", "MRCP", "fMRI", "MRV"),
        "US": ("ultrasound", "ultrasonography", "sonography", "sonogram", "sonographic", "echocardiography",
               "echocardiogram", "ultrasonographic", "echocardiographic", "ultrasonogram", "sonographically"),
        "CR": ("computed radiography", "radiograph", "radiography", "x-ray", "x ray", "xray", "radiographic", "CXR",
               "roentgenogram", "plain film"),
        "DX": ("radiography", "digital radiography", "radiograph", "x-ray", "x ray", "xray", "radiographic", "CXR",
               "roentgenogram", "plain film"),
        "MG": ("mammography", "mammogram", "mammographic", "x-ray", "radiograph", "tomosynthesis"),
        "IO": ("intra-oral radiography", "intraoral radiography", "intra-oral radiograph", "intraoral radiograph",
               "periapical radiograph", "bitewing", "radiograph", "radiography", "x-ray", "x ray", "xray"),
        "PX": ("panoramic radiography", "panoramic radiograph", "orthopantomogram", "panoramic x-ray", "radiograph",
               "radiography", "x-ray", "x ray", "xray"),
        "XA": ("x-ray angiography", "x-ray angiogram", "angiography", "angiogram", "fluoroscopy", "x-ray",
               "arteriography", "arteriogram", "venogram"),
        "RF": ("fluoroscopy", "fluoroscopic", "x-ray"),
        "PT": ("positron emission tomography", "PET"),
        "NM": ("nuclear medicine imaging", "nuclear medicine", "scintigraphy", "scintigram", "SPECT", "bone scan"),
        "ES": ("endoscopy", "endoscopic", "endoscope", "colonoscopy", "gastroscopy", "colonoscopic",
               "capsule endoscopy", "bronchoscopy", "bronchoscopic"),
        "SM": ("histopathology", "slide microscopy", "microscopy", "histology", "histological", "whole-slide image",
               "histopathological", "photomicrograph"),
        "GM": ("microscopy", "photomicrograph", "microscopic image"),
        "OP": ("fundus photography", "fundus photograph", "fundus image", "ophthalmic photography", "fundoscopy"),
        "OPT": ("optical coherence tomography", "OCT"),
        "DMS": ("dermoscopy", "dermoscopic", "dermatoscopy", "dermatoscopic"),
        "XC": ("clinical photography", "photography", "photograph", "photo", "clinical photograph"),
        "ECG": ("electrocardiography", "electrocardiogram", "ECG", "EKG"),
        "SEG": ("segmentation",),
        "SR": ("structured report",),
        "OT": ("imaging of another kind",),
    }
)  # fmt: skip
_PLANES = """
axial: axial, transverse, transaxial | coronal | sagittal, parasagittal | oblique
AP: anteroposterior, antero-posterior | PA: posteroanterior, postero-anterior
lateral: lateral view, lateral projection, lateral radiograph | frontal | MLO: mediolateral oblique
CC: craniocaudal
"""
PLANE_CODES = ("AP", "PA", "LL", "RL", "MLO", "CC")  # matched in upper case only
# What is larger, smaller, the same or new beside something else, in time or in space.
_COMPARISONS = """
increase: increased, increase, increasing, larger, bigger, greater, grown, growth, growing, worsened, worsening, worse,
    progressed, progression, progressive, higher, thicker, wider, more extensive, more pronounced, more prominent
decrease: decreased, decrease, decreasing, smaller, lesser, reduced, reduction, shrunk, shrinkage, regressed,
    regression, improved, improvement, improving, resolved, resolution, resolving, lower than, thinner,
    narrower, diminished, less extensive, less pronounced, less prominent, partial response, complete response
same: unchanged, stable, no change, similar in size, no interval change, equal in size
new: newly, new, interval development, newly developed, not previously seen, recurrence, recurrent
extreme: largest, biggest, smallest, longest, shortest
"""
_ENDINGS = re.compile(
    r"[a-z]{2,}(?:itis|itides|oma|omata|oses|osis|pathy|pathie|ectasis|ectasia|ectase|megaly|penia|plasia|neoplasm"
    r"|rr?hage|rr?hagia|cele|liths?|lithiasis|trophy|trophic|malacia|stenosi|stenosis|thorax|ptysis|algia|plegia|paresis"
    r"|paralysi|cytosis|uria|a?emia|o?edema|rrhexis|osteolysis|listhesis|plakia|dynia|rrho?ea|schisis)s?\Z"
)
_EXCEPTIONS = """
thorax hemithorax diagnosis diagnoses prognosis prognoses hypnosis stroma aroma chroma diploma soma cytoplasm
analysis dialysis urinalysis mitosis mitoses meiosis osmosis symbiosis anastomosis anastomoses apoptosis phagocytosis
endocytosis exocytosis sympathy empathy homeopathy osteopathy telepathy metamorphosis academia bohemia purposes
exposes encloses closes discloses imposes supposes proposes disposes opposes chooses glucoses overdoses
"""
_NO_ENDING = frozenset(_EXCEPTIONS.split())
_WORD = re.compile(r"[A-Za-z]+")
_GLUE = frozenset(" \t\n\r\f\v_-‐‑")


class Term(NamedTuple):
    """One word of a lexicon met in a text: its canonical name and where it stands."""

    name: str
    start: int
    end: int


class Word(NamedTuple):
    """A run of Latin letters."""

    low: str
    start: int
    end: int


class _Entry(NamedTuple):
    """One form by which a lexicon may go on from its first word."""

    lexicon: str
    rest: tuple[str, ...]  # further words, lower case
    last: frozenset[str]  # the ways in which the last of all words may be written
    name: str
    cased: str  # the form itself where it matches in its own case only


def entries(block: str) -> dict[str, tuple[str, ...]]:
    """Canonical name -> forms of a block `name: form, form | name: form`; without a colon the first form names it."""
    out: dict[str, tuple[str, ...]] = {}
    for entry in re.split(r"[|\n](?!\s{4})", block.strip()):
        name, colon, forms = entry.partition(":")
        listed = [" ".join(form.split()) for form in (forms if colon else name).split(",")]
        out[name.strip() if colon else listed[0]] = tuple(listed)
    return out


ANATOMY: Mapping[str, tuple[str, ...]] = MappingProxyType(entries(ANATOMY_WORDS))
FINDINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(entries(FINDING_WORDS))
PLANES: Mapping[str, tuple[str, ...]] = MappingProxyType(entries(_PLANES))
COMPARISONS: Mapping[str, tuple[str, ...]] = MappingProxyType(entries(_COMPARISONS))
PART_OF: Mapping[str, str] = MappingProxyType(
    {part.strip(): forms[0] for names, forms in entries(PART_OF_WORDS).items() for part in names.split(";")}
)
BROADER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name.strip(): forms for names, forms in entries(BROADER_WORDS).items() for name in names.split(";")}
)


@functools.cache
def wholes_of(name: str) -> frozenset[str]:
    """What an organ or part is part of, up to the region: hippocampus -> brain, head."""
    above = PART_OF.get(name)
    return frozenset() if above is None else frozenset({above}) | wholes_of(above)


@functools.cache
def broader(name: str) -> frozenset[str]:
    """What a finding is a kind of: melanoma -> cancer, tumor, lesion. A word known by its ending alone has none but
    what the ending says."""
    above = BROADER.get(name, ())
    if not above and name not in FINDINGS:
        above = ("cancer",) if re.search(r"(?:sarcoma|carcinoma|blastoma)\Z", name) else ()
    return frozenset(above).union(*(broader(one) for one in above))


def _forms() -> Iterable[tuple[str, str, str]]:
    """(lexicon, form, canonical name)."""
    for lexicon, block in (
        ("anatomy", ANATOMY), ("findings", FINDINGS), ("planes", PLANES), ("comparisons", COMPARISONS)
    ):  # fmt: skip
        for name, forms in block.items():
            yield from ((lexicon, form, name) for form in forms)
    yield from (("planes", code, code) for code in PLANE_CODES)
    for code in sorted(MODALITY.keys() - _NOT_ACQUIRED):
        yield from (("modality", form, code) for form in MODALITY[code])


@functools.cache
def _index() -> Mapping[str, tuple[_Entry, ...]]:
    """First word -> the forms that begin with it, the longest of each lexicon first."""
    names: dict[tuple[str, str], list[str]] = {}
    for lexicon, form, name in _forms():
        names.setdefault((lexicon, form), []).append(name)
    found: dict[str, list[_Entry]] = {}
    for (lexicon, form), meant in names.items():
        words = tuple(_WORD.findall(form))
        cased = form if form.isupper() or form == "fMRI" else ""
        last = words[-1].lower()
        ways = frozenset({last, last + "s"} | (set() if lexicon == "modality" else {last + "es"}))
        first = ways if len(words) == 1 else {words[0].lower()}
        rest = tuple(w.lower() for w in words[1:])
        for key in first:
            found.setdefault(key, []).append(_Entry(lexicon, rest, ways, "|".join(sorted(meant)), cased))
    order = {key: sorted(some, key=lambda e: (-len(e.rest), e.lexicon, e.name)) for key, some in found.items()}
    return MappingProxyType({key: tuple(some) for key, some in order.items()})


def words_of(text: str) -> list[Word]:
    """The runs of Latin letters of a text, in order."""
    return [Word(m[0].lower(), m.start(), m.end()) for m in _WORD.finditer(text)]


def find(text: str, words: Sequence[Word]) -> dict[str, list[Term]]:
    """The terms of every lexicon in a text whose words these are, in order; the longest form wins within a lexicon."""
    found: dict[str, list[Term]] = {
        "anatomy": [], "findings": [], "planes": [], "comparisons": [], "modality": []
    }  # fmt: skip
    free = dict.fromkeys(found, 0)
    index, count = _index(), len(words)
    for i, word in enumerate(words):
        for entry in index.get(word.low, ()):
            if word.start < free[entry.lexicon]:
                continue
            end = i + len(entry.rest)
            if end >= count or (entry.rest and not _goes_on(text, words, i, entry)):
                continue
            stop = words[end].end
            if (entry.cased or entry.lexicon == "modality") and not _stands_alone(text, word.start, stop, entry):
                continue
            found[entry.lexicon].append(Term(entry.name, word.start, stop))
            free[entry.lexicon] = stop
        if len(word.low) > 5 and word.start >= free["findings"] and (name := _by_ending(word.low)):
            found["findings"].append(Term(name, word.start, word.end))
    for named in found["modality"]:  # a fundus photograph, a bone scan: the organ is not named
        if named.end - named.start > 6:
            for lexicon in ("anatomy", "findings"):
                found[lexicon] = [t for t in found[lexicon] if not named.start <= t.start < named.end]
    return found


def _goes_on(text: str, words: Sequence[Word], i: int, entry: _Entry) -> bool:
    last = len(entry.rest) - 1
    for k, wanted in enumerate(entry.rest):
        here, before = words[i + k + 1], words[i + k]
        if here.low != wanted and not (k == last and here.low in entry.last):
            return False
        if not _GLUE.issuperset(text[before.end : here.start]):
            return False
    return True


def _stands_alone(text: str, start: int, stop: int, entry: _Entry) -> bool:
    """A form in upper case matches in upper case, and none of these forms touches a digit."""
    if entry.cased and not text[start:stop].startswith(entry.cased):
        return False
    return not (text[start - 1 : start].isdigit() or text[stop : stop + 1].isdigit())


@functools.lru_cache(maxsize=4096)
def _by_ending(low: str) -> str:
    """One name for the spellings of a word with an ending of findings (haemangiomata -> hemangioma), or ""."""
    if low in _NO_ENDING or not _ENDINGS.match(low):
        return ""
    flat = low.replace("ae", "e").replace("oe", "e")
    for plural, single in (("itides", "itis"), ("omata", "oma"), ("oses", "osis"), ("pathies", "pathy")):
        flat = flat.removesuffix(plural) + single if flat.endswith(plural) else flat
    return flat if flat.endswith("is") else flat.removesuffix("s")


def terms_in(text: str, lexicon: str) -> list[Term]:
    """The words of one lexicon (`anatomy`, `findings`, `planes`, `comparisons`) in a text, in order."""
    return find(text, words_of(text))[lexicon]


def modalities_in(text: str) -> list[tuple[str, frozenset[str]]]:
    """(words, possible codes) of every modality that a text names; longer wordings win over those inside them."""
    found = find(text, words_of(text))["modality"]
    return [(text[t.start : t.end], frozenset(t.name.split("|"))) for t in found]
