"""The closed vocabulary of facts, and the plain English of what they hold.

`VOCABULARY` lists every name that a `Fact` may carry. The lexicons (`MODALITY`, `ANATOMY`, `FINDINGS`, `PLANES`) are
those of `synth.lexicon`: closed and versioned. They cover the organs of the usual whole-body segmentations and the
parts and findings that reports name, the body parts of DICOM PS3.16 Annex L that imaging sources use, and the modality
codes of PS3.3 C.7.3.1.1.1; they do not cover genes or drugs. Everything here is pure and immutable.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from manifests.errors import RecordError
from manifests.record import Fact
from synth.lexicon import ANATOMY as ANATOMY
from synth.lexicon import FINDINGS as FINDINGS
from synth.lexicon import MODALITY as MODALITY
from synth.lexicon import PLANES as PLANES
from synth.lexicon import modalities_in as modalities_in

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
        "interval_days": "days from the first of a record's pictures to the last",
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
        "longest_axis_mm": "largest distance between two voxel or pixel centres of the mask named by `about`",
        "area_px": "pixels of the canonical image that the mask named by `about` covers",
        "area_mm2": "area of the mask named by `about` on an image",
        "count": "connected parts of the mask named by `about`, or the objects that its source tells apart",
        "slice_range": "first and last slice of the mask named by `about`, in the canonical volume, from 0",
        "mean_hu": "mean attenuation inside the mask named by `about`",
        "box": "x0,y0,z0,x1,y1,z1 of the mask named by `about`, half-open, in voxels of the canonical volume; of a 2D "
        "image x0,y0,x1,y1 of what `about` names, half-open, in canonical pixels",
        "event": "what happens in a clip, in `about`; 12.5 or 12.5-18.0: seconds from the clip's first frame",
        "centroid_mm": "x,y,z of the centroid of the mask named by `about`, RAS+",
        "landmark": "x,y,z in RAS+ mm, or x,y of an image, of the point named by `about`",
        "measurement": "a value that the source measured, with its unit; `about` says of what",
        "quality": "an image-quality score or flag",
        "split": "the split that the source assigns",
    }
)

_BODY_PARTS: Mapping[str, str] = MappingProxyType(
    {
        "abdomenpelvis": "abdomen and pelvis", "chestabdpelvis": "chest, abdomen and pelvis",
        "chestabdomen": "chest and abdomen", "headneck": "head and neck", "cspine": "cervical spine",
        "tspine": "thoracic spine", "lspine": "lumbar spine", "lsspine": "lumbar spine", "sspine": "sacrum",
        "wholebody": "whole body", "extremity": "extremity",
    }
)  # fmt: skip


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


@functools.lru_cache(maxsize=4096)
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
