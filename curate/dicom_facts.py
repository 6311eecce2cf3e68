"""What a DICOM header states about an image, as `Fact`s. Give it a de-identified header: it reads no identifier itself.

Manufacturer, model, station and protocol names are left out on purpose: they help to identify a site or a person.
"""

from __future__ import annotations

import re

import numpy as np
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from curate.dicom_header import modality, number_of, numbers_of, text_of
from manifests.record import Fact

PLANE_COSINE = 0.95  # within 18 degrees of an anatomical plane, else oblique

_PLANES = ("sagittal", "coronal", "axial")  # by the axis that the normal follows: x, y, z
_SEXES = {"M": "male", "F": "female", "O": "other"}
_SIDES = {"L": "left", "R": "right", "B": "bilateral", "U": "unpaired"}
_YEARS = {"Y": 1.0, "M": 12.0, "W": 52.1775, "D": 365.2425}  # how many make a year
_NUMBERS = (
    ("slice_thickness_mm", "SliceThickness", "mm"),
    ("kvp", "KVP", "kV"),
    ("echo_time_ms", "EchoTime", "ms"),
    ("repetition_time_ms", "RepetitionTime", "ms"),
    ("magnetic_field_t", "MagneticFieldStrength", "T"),
)


def plane_of(orientation: tuple[float, ...]) -> str:
    """axial, coronal, sagittal or oblique from ImageOrientationPatient; "" where it does not stand."""
    if len(orientation) != 6:
        return ""
    normal = np.abs(np.cross(orientation[:3], orientation[3:]))
    axis = int(normal.argmax())
    return _PLANES[axis] if normal[axis] >= PLANE_COSINE * np.linalg.norm(normal) > 0 else "oblique"


def facts(header: Dataset) -> tuple[Fact, ...]:
    """The facts that stand in a header, in a fixed order; a tag that is absent or empty gives none.

    Names: modality, body_part, plane, laterality, view_position, sex, age_years, slice_thickness_mm, kvp, echo_time_ms,
    repetition_time_ms, magnetic_field_t, contrast (yes or no), frame_count, photometric. Words are lower case, codes
    upper case. Raises RecordError `bad_header` for a value that cannot be parsed.
    """
    orientation = numbers_of(header, "ImageOrientationPatient")
    laterality_tag = "ImageLaterality" if text_of(header, "ImageLaterality") else "Laterality"
    found = [
        _fact("modality", "Modality" if text_of(header, "Modality") else "SOPClassUID", modality(header)),
        _fact("body_part", "BodyPartExamined", _words(text_of(header, "BodyPartExamined"))),
        _fact("plane", "ImageOrientationPatient", plane_of(orientation)),
        _fact("laterality", laterality_tag, _SIDES.get(text_of(header, laterality_tag).upper(), "")),
        _fact("view_position", "ViewPosition", text_of(header, "ViewPosition").upper()),
        _fact("sex", "PatientSex", _SEXES.get(text_of(header, "PatientSex").upper(), "")),
        _fact("age_years", "PatientAge", _age_years(text_of(header, "PatientAge")), "year"),
        *(_fact(name, keyword, decimal(number_of(header, keyword)), unit) for name, keyword, unit in _NUMBERS),
        _fact("contrast", "ContrastBolusAgent", _contrast(text_of(header, "ContrastBolusAgent"))),
        _fact("frame_count", "NumberOfFrames", decimal(number_of(header, "NumberOfFrames"))),
        _fact("photometric", "PhotometricInterpretation", text_of(header, "PhotometricInterpretation")),
    ]
    return tuple(fact for fact in found if fact.value)


def decimal(number: float | None) -> str:
    """A number in plain decimal notation, at most 6 places, no trailing zeros; "" for None."""
    return "" if number is None else np.format_float_positional(round(number, 6), trim="-")


def _fact(name: str, keyword: str, value: str, unit: str = "") -> Fact:
    tag = tag_for_keyword(keyword) or 0
    return Fact(name, value, f"dicom:{tag >> 16:04x},{tag & 0xFFFF:04x}", unit)


def _words(text: str) -> str:
    return " ".join(text.replace("_", " ").lower().split())


def _age_years(text: str) -> str:
    """PS3.5 AS: three digits and Y, M, W or D."""
    match = re.fullmatch(r"(\d{3})([YMWD])", text.upper())
    return decimal(round(int(match[1]) / _YEARS[match[2]], 2)) if match else ""


def _contrast(agent: str) -> str:
    """Only what the tag says: an agent, or the word none; an absent tag says nothing."""
    if not agent:
        return ""
    return "no" if _words(agent) in ("none", "no", "n", "without", "no contrast", "without contrast") else "yes"
