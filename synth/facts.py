"""The closed vocabulary of facts, and the plain English of what they hold.

`VOCABULARY` lists every name that a `Fact` may carry. The lexicons (`MODALITY`, `ANATOMY`, `FINDINGS`, `PLANES`) are
closed lists of English words: `synth.verify.faithfulness` looks for exactly these in a text, so a word that is not
listed is not checked. They cover the organs of the usual whole-body segmentations, the body parts of DICOM PS3.16
Annex L that imaging sources use, and the modality codes of PS3.3 C.7.3.1.1.1; they do not cover genes, drugs, or
anatomy below organ level. Everything here is pure and immutable.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from manifests.errors import RecordError
from manifests.record import Fact

VOCABULARY: Mapping[str, str] = MappingProxyType(
    {
        "modality": "DICOM modality code, or a plain name where there is no code",
        "body_part": "the examined body part, as the source writes it",
        "plane": "axial, coronal, sagittal or oblique: the plane of the slices",
        "laterality": "the examined side: L, R, B, left, right or bilateral",
        "view_position": "projection of a radiograph: AP, PA, LL, RL, CC, MLO, ...",
        "defaced": "yes where faces were removed from a head volume before, as the source states",
        "sex": "F, M or O",
        "age_years": "age at the examination; 90 stands for 90 and more",
        "label": "the class that the source gives the whole record",
        "finding": "one observation; `about` names it where the value is yes, no, present or absent",
        "diagnosis": "a diagnosis that the source states",
        "code": "a code of a classification, such as ICD-10-CM",
        "title": "the title, or the description of a code",
        "chapter": "the chapter or section that it stands in",
        "caption": "the source's own caption",
        "keyword": "a subject heading or keyword",
        "structure": "a segmented structure that is present; `about` names the mask",
        "left_of": "the structure that `about` lies to the patient's left of",
        "sequence": "pulse sequence or weighting, such as T1",
        "contrast": "contrast agent or phase",
        "photometric": "DICOM photometric interpretation",
        "manufacturer": "maker of the device",
        "procedure": "name of the examination",
        "severity": "severity or stage, as the source grades it",
        "time_point": "which of the patient's visits, or of an acquisition's times, this is, in order",
        "time_points": "number of time points",
        "tr_s": "time from one volume of a series to the next, in s",
        "offset_days": "days since the patient's first visit or symptom",
        "frame_count": "number of frames",
        "slice_count": "number of slices",
        "duration_s": "duration of a video",
        "slice_thickness_mm": "slice thickness",
        "spacing_mm": "distance between samples along one axis, named by `about`",
        "extent_mm": "physical size along one axis, named by `about`",
        "kvp": "peak tube voltage",
        "echo_time_ms": "echo time",
        "repetition_time_ms": "repetition time",
        "magnetic_field_t": "magnetic field strength",
        "flip_angle_deg": "flip angle of the radio-frequency pulse",
        "b_value_s_mm2": "diffusion weighting: the b-value, in s/mm2",
        "image_type": "the values of DICOM Image Type that say how an image was made, such as DERIVED, MIP",
        "stack": "which of the stacks or volumes of an acquisition this is",
        "trigger_time_ms": "time from the trigger, mostly the R wave, to the image",
        "heart_rate_bpm": "heart rate during the acquisition",
        "frame_time_ms": "nominal time from one frame of a cine to the next",
        "fps": "frames per second of a video, on average",
        "cut_count": "number of cuts of a video",
        "frame_duration_ms": "how long each frame of a cine was exposed or acquired",
        "rr_interval_ms": "nominal time from one R wave to the next",
        "variable_rate": "yes where the frames of a video are not evenly spaced in time",
        "source_start_s": "where in its source file a clip starts",
        "source_end_s": "where in its source file a clip ends",
        "spacing_source": "what an image's spacing was measured by: patient, detector or ultrasound_region",
        "magnification": "estimated radiographic magnification, by which nothing was divided",
        "slice_times_ms": "acquisition time of each slice, in z order, joined by `; `",
        "gradient_direction": "x,y,z of the diffusion gradient, as the header states it",
        "inversion_time_ms": "inversion time",
        "dimension": "an index along a DICOM dimension that tells volumes apart, such as ContrastBolusAgentPhase=2",
        "cuts_s": "the times of the cuts of a video, in s, joined by `; `",
        "volume_ml": "volume of the mask named by `about`",
        "longest_axis_mm": "largest distance between two voxel centres of the mask named by `about`",
        "count": "connected parts of the mask named by `about`",
        "slice_range": "first and last slice of the mask named by `about`, in the canonical volume, from 0",
        "mean_hu": "mean attenuation inside the mask named by `about`",
        "box": "x0,y0,z0,x1,y1,z1 of the mask named by `about`, half-open, in voxels of the canonical volume",
        "centroid_mm": "x,y,z of the centroid of the mask named by `about`, RAS+",
        "landmark": "x,y,z in RAS+ mm, or x,y of an image, of the point named by `about`",
        "measurement": "a value that the source measured, with its unit; `about` says of what",
        "quality": "an image-quality score or flag",
        "split": "the split that the source assigns",
    }
)

_NOT_ACQUIRED = frozenset({"SEG", "SR", "OT"})  # their words mean something else in a text
# Code -> the canonical English first, then further wordings. Upper-case forms match in upper case only.
MODALITY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "CT": ("computed tomography", "CT", "CTA", "CAT scan", "computed tomographic", "computerized tomography"),
        "MR": ("magnetic resonance imaging", "magnetic resonance", "MRI", "MR", "MRA", "FLAIR"),
        "US": ("ultrasound", "ultrasonography", "sonography", "sonogram", "sonographic", "echocardiography",
               "echocardiogram", "ultrasonographic"),
        "CR": ("computed radiography", "radiograph", "radiography", "x-ray", "x ray", "xray", "radiographic", "CXR"),
        "DX": ("digital radiography", "radiograph", "radiography", "x-ray", "x ray", "xray", "radiographic", "CXR"),
        "MG": ("mammography", "mammogram", "mammographic", "x-ray", "radiograph"),
        "XA": ("x-ray angiography", "angiography", "angiogram", "fluoroscopy", "x-ray"),
        "RF": ("fluoroscopy", "fluoroscopic", "x-ray"),
        "PT": ("positron emission tomography", "PET"),
        "NM": ("nuclear medicine imaging", "nuclear medicine", "scintigraphy", "scintigram", "SPECT", "bone scan"),
        "ES": ("endoscopy", "endoscopic", "endoscope", "colonoscopy", "gastroscopy", "colonoscopic",
               "capsule endoscopy"),
        "SM": ("slide microscopy", "microscopy", "histopathology", "histology", "histological", "whole-slide image",
               "histopathological", "photomicrograph"),
        "OP": ("fundus photography", "fundus photograph", "fundus image", "ophthalmic photography", "fundoscopy"),
        "OPT": ("optical coherence tomography", "OCT"),
        "DMS": ("dermoscopy", "dermoscopic", "dermatoscopy", "dermatoscopic"),
        "XC": ("photography", "photograph", "photo", "clinical photograph"),
        "ECG": ("electrocardiography", "electrocardiogram", "ECG", "EKG"),
        "SEG": ("segmentation",),
        "SR": ("structured report",),
        "OT": ("imaging of another kind",),
    }
)  # fmt: skip

_ANATOMY = """
abdomen: abdomen, abdominal, belly | pelvis: pelvis, pelvic | chest: chest, thorax, thoracic | head: head, cranial
neck: neck | brain: brain, cerebral, intracranial, cerebrum | cerebellum: cerebellum, cerebellar
skull: skull, calvarium | gray matter: gray matter, grey matter, gm | white matter: white matter, wm
ventricle: ventricle, ventricular | hippocampus: hippocampus, hippocampal, hippocampi | liver: liver, hepatic
spleen: spleen, splenic | kidney: kidney, renal | pancreas: pancreas, pancreatic | stomach: stomach, gastric
gallbladder: gallbladder, gall bladder | adrenal: adrenal, adrenal gland, suprarenal
bladder: urinary bladder, bladder | prostate: prostate, prostatic | uterus: uterus, uterine
ovary: ovary, ovarian, ovaries | testis: testis, testicular, testes | breast: breast, mammary
duodenum: duodenum, duodenal | small bowel: small bowel, small intestine, jejunum, ileum
appendix: appendix, appendiceal | colon: colon, colonic, large bowel, large intestine, sigmoid
rectum: rectum, rectal | esophagus: esophagus, oesophagus, esophageal | lung: lung, pulmonary, lobe
pleura: pleura, pleural | trachea: trachea, tracheal | bronchus: bronchus, bronchi, bronchial
heart: heart, cardiac, myocardium, myocardial | atrium: atrium, atrial, atria | pericardium: pericardium, pericardial
aorta: aorta, aortic | vena cava: vena cava, caval | portal vein: portal vein
iliac vessel: iliac artery, iliac vein, iliac vena | carotid: carotid | mediastinum: mediastinum, mediastinal
diaphragm: diaphragm, diaphragmatic | lymph node: lymph node | thyroid: thyroid, thyroid gland
spinal cord: spinal cord | vertebra: vertebra, vertebrae, vertebral
spine: spine, spinal, cervical spine, lumbar spine, lumbar | sacrum: sacrum, sacral | rib: rib
sternum: sternum, sternal | costal cartilage: costal cartilage | clavicle: clavicle, clavicula, collarbone
scapula: scapula, scapular | humerus: humerus, humeral | femur: femur, femoral | hip: hip | knee: knee | ankle: ankle
foot: foot, feet | hand: hand | wrist: wrist | elbow: elbow | shoulder: shoulder | arm: arm, forearm, upper extremity
leg: leg, lower extremity | tibia: tibia, tibial | fibula: fibula
gluteus: gluteus, gluteal, gluteus maximus, gluteus medius, gluteus minimus | iliopsoas: iliopsoas, psoas
autochthon: autochthon, erector spinae | eye: eye, ocular, orbit, orbital | retina: retina, retinal, fundus
optic disc: optic disc, optic disk | skin: skin, cutaneous | tongue: tongue | tooth: tooth, teeth, dental
jaw: jaw, mandible, maxilla | sinus: sinus, sinuses | larynx: larynx, laryngeal
"""
_FINDINGS = """
effusion: effusion | pneumonia: pneumonia | pneumothorax: pneumothorax, pneumothoraces | consolidation: consolidation
atelectasis: atelectasis, atelectatic | edema: edema, oedema | opacity: opacity, opacities, opacification
nodule: nodule, nodular | mass: mass, masses | lesion: lesion | tumor: tumor, tumour, neoplasm, neoplastic
cancer: cancer, carcinoma, malignancy, malignant, adenocarcinoma | metastasis: metastasis, metastases, metastatic
melanoma: melanoma | nevus: nevus, naevus, nevi | keratosis: keratosis | cyst: cyst, cystic | abscess: abscess
polyp: polyp, polypoid | ulcer: ulcer, ulceration | bleeding: bleeding, hemorrhage, haemorrhage, hematoma
infarct: infarct, infarction, infarcted, ischemia, ischemic, ischaemia, stroke | fracture: fracture, fractured
dislocation: dislocation | aneurysm: aneurysm | stenosis: stenosis, stenotic | thrombus: thrombus, thrombosis
embolism: embolism, embolus, emboli | calcification: calcification, calcified | stone: stone, calculus, calculi
cardiomegaly: cardiomegaly | hernia: hernia, herniation | hydrocephalus: hydrocephalus
hydronephrosis: hydronephrosis | cirrhosis: cirrhosis, cirrhotic | steatosis: steatosis | fibrosis: fibrosis, fibrotic
emphysema: emphysema | tuberculosis: tuberculosis | covid: covid, covid-19, sars-cov-2
infection: infection, infectious | inflammation: inflammation, inflammatory, inflamed | glioma: glioma, glioblastoma
lymphoma: lymphoma | lymphadenopathy: lymphadenopathy | scoliosis: scoliosis
osteoarthritis: osteoarthritis, arthritis | diabetes: diabetes, diabetic | glaucoma: glaucoma
retinopathy: retinopathy | pleural line: pleural line | b-line: b-line, b line | a-line: a-line
"""
_PLANES = """
axial: axial, transverse, transaxial | coronal: coronal | sagittal: sagittal | oblique: oblique
AP: anteroposterior, antero-posterior | PA: posteroanterior, postero-anterior
lateral: lateral view, lateral projection, lateral radiograph | frontal: frontal | MLO: mediolateral oblique
CC: craniocaudal
"""
PLANE_CODES = ("AP", "PA", "LL", "RL", "MLO", "CC")  # matched in upper case only
_PART_OF = """
liver spleen kidney pancreas stomach gallbladder adrenal duodenum colon appendix: abdomen
prostate bladder uterus ovary rectum: pelvis | lung heart pleura mediastinum trachea bronchus rib sternum: chest
brain skull cerebellum hippocampus: head | vertebra sacrum: spine | retina: eye | thyroid larynx: neck
"""
_BODY_PARTS: Mapping[str, str] = MappingProxyType(
    {
        "abdomenpelvis": "abdomen and pelvis", "chestabdpelvis": "chest, abdomen and pelvis",
        "chestabdomen": "chest and abdomen", "headneck": "head and neck", "cspine": "cervical spine",
        "tspine": "thoracic spine", "lspine": "lumbar spine", "lsspine": "lumbar spine", "sspine": "sacrum",
        "wholebody": "whole body", "extremity": "extremity",
    }
)  # fmt: skip


class Term(NamedTuple):
    """One word of a lexicon met in a text: its canonical name and where it stands."""

    name: str
    start: int
    end: int


def _entries(block: str) -> dict[str, tuple[str, ...]]:
    out: dict[str, tuple[str, ...]] = {}
    for entry in re.split(r"[|\n]", block.strip()):
        name, forms = entry.split(":", 1)
        out[name.strip()] = tuple(form.strip() for form in forms.split(","))
    return out


ANATOMY: Mapping[str, tuple[str, ...]] = MappingProxyType(_entries(_ANATOMY))
FINDINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(_entries(_FINDINGS))
PLANES: Mapping[str, tuple[str, ...]] = MappingProxyType(_entries(_PLANES))
PART_OF: Mapping[str, str] = MappingProxyType(
    {part: forms[0] for names, forms in _entries(_PART_OF).items() for part in names.split()}
)


@functools.cache
def _pattern(lexicon: str) -> tuple[re.Pattern[str], dict[str, str]]:
    forms = {form: name for name, all_forms in _LEXICONS[lexicon].items() for form in all_forms}
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    body = "|".join(re.escape(form).replace(r"\ ", r"[\s_-]+") for form in longest_first)
    return re.compile(rf"(?<![a-z])({body})(?:e?s)?(?![a-z])", re.IGNORECASE), forms


_LEXICONS: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"anatomy": ANATOMY, "findings": FINDINGS, "planes": PLANES}
)


def terms_in(text: str, lexicon: str) -> list[Term]:
    """The words of one lexicon (`anatomy`, `findings`, `planes`) in a text, in order; singular or plural, any case."""
    pattern, forms = _pattern(lexicon)
    return [
        Term(forms[re.sub(r"[\s_-]+", _joiner(m.group(1), forms), m.group(1).lower())], m.start(), m.end())
        for m in pattern.finditer(text)
    ]


def _joiner(found: str, forms: Mapping[str, str]) -> str:
    """A form is written with a space or with a hyphen in the lexicon; a text may have either, or an underscore."""
    return "-" if re.sub(r"[\s_-]+", "-", found.lower()) in forms else " "


@functools.cache
def _modality_pattern() -> tuple[re.Pattern[str], Mapping[str, tuple[str, frozenset[str]]]]:
    codes: dict[str, set[str]] = {}
    for code in MODALITY.keys() - _NOT_ACQUIRED:
        for form in MODALITY[code]:
            codes.setdefault(form, set()).add(code)
    longest_first = sorted(codes, key=lambda form: (-len(form), form))
    body = "|".join(re.escape(f) if f.isupper() else f"(?i:{re.escape(f)})" for f in longest_first)
    pattern = re.compile(rf"(?<![A-Za-z0-9])({body})s?(?![A-Za-z0-9])")
    return pattern, {form.lower(): (form, frozenset(found)) for form, found in codes.items()}


def modalities_in(text: str) -> list[tuple[str, frozenset[str]]]:
    """(words, possible codes) of every modality that a text names; longer wordings win over those inside them."""
    pattern, meanings = _modality_pattern()
    return [meanings[match[1].lower()] for match in pattern.finditer(text)]


def modality_codes(value: str) -> frozenset[str]:
    """The codes that a modality fact stands for: the code itself, or those of the words that it holds."""
    code = value.strip().upper()
    if code in MODALITY:
        return frozenset({code})
    return frozenset(code for _, codes in modalities_in(value) for code in codes)


def words_for(modality: str) -> str:
    """Plain English for a DICOM modality code (`CT` -> "computed tomography"); other values are given back."""
    forms = MODALITY.get(modality.strip().upper())
    return forms[0] if forms else modality.strip()


def body_part_words(value: str) -> str:
    """Plain lower-case English for a body part (`ABDOMENPELVIS` -> "abdomen and pelvis", `LEFT_KNEE`: "left knee")."""
    flat = re.sub(r"[\s_]+", " ", value.strip()).lower()
    return _BODY_PARTS.get(flat.replace(" ", ""), flat)


def structure_words(label: str) -> str:
    """Plain English for a mask's label: `kidney_left` -> "left kidney", `vertebrae_L1` -> "L1 vertebra"."""
    words = label.replace("_", " ").split()
    sides = [word.lower() for word in words if word.lower() in ("left", "right")]
    rest = [word for word in words if word.lower() not in ("left", "right")]
    if len(rest) == 2 and rest[0].lower() == "vertebrae":
        rest = [rest[1], "vertebra"]
    return " ".join([*sides, *rest])


def values_of(facts: Iterable[Fact], name: str, about: str = "") -> tuple[str, ...]:
    """All values of a fact in their order; `about` narrows, empty means any."""
    return tuple(f.value for f in facts if f.name == name and (not about or f.about == about))


def value_of(facts: Iterable[Fact], name: str, about: str = "") -> str:
    """The first value of a fact, or "" where there is none."""
    return next(iter(values_of(facts, name, about)), "")


def validate(facts: Sequence[Fact]) -> None:
    """Refuse a fact whose name is not in `VOCABULARY`, or that has no value or no origin.

    Raises `RecordError` with reason `unknown_fact`, `empty_fact` or `fact_without_origin`.
    """
    for fact in facts:
        if fact.name not in VOCABULARY:
            raise RecordError(
                "unknown_fact", f"fact name {fact.name!r}", f"use one of: {', '.join(sorted(VOCABULARY))}"
            )
        if not fact.value.strip():
            raise RecordError("empty_fact", f"fact {fact.name!r} without a value", "leave out facts that are not known")
        if not fact.origin.strip():
            raise RecordError("fact_without_origin", f"fact {fact.name!r}", "say where it is known from")
