"""What a DICOM header states about an image, as `Fact`s. Give it a de-identified header: it reads no identifier itself.

Manufacturer, model, station and protocol names are left out on purpose: they help to identify a site or a person.
"""

from __future__ import annotations

import re

import numpy as np
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from curate.dicom.header import modality, number_of, numbers_of, pixel_spacing, text_of, value_of
from manifests.record import Fact

PLANE_COSINE = 0.95  # within 18 degrees of an anatomical plane, else oblique

_PLANES = ("sagittal", "coronal", "axial")  # by the axis that the normal follows: x, y, z
_TWO_D, _GRAPHICS = 1, 5  # RegionSpatialFormat
_TISSUE, _CM = (1, 2), 3  # RegionDataType (tissue, colour flow), PhysicalUnitsXDirection
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


def cine_facts(header: Dataset) -> tuple[Fact, ...]:
    """What a multi-frame header says of time besides each frame's own (PS3.3 C.7.6.5, C.7.6.1, C.8.4, C.8.5).

    Names: fps (frames per second as acquired: FrameTime or the mean of FrameTimeVector, else CineRate, else
    RecommendedDisplayFrameRate), frame_time_ms (one, only where all frames have the same), frame_duration_ms (how long
    the detector was open for one frame), heart_rate_bpm, rr_interval_ms. Raises RecordError `bad_header`.
    """
    steps, one = numbers_of(header, "FrameTimeVector")[1:], number_of(header, "FrameTime")
    mean = sum(steps) / len(steps) if steps and sum(steps) > 0 else None
    if mean is not None:
        rate, keyword = 1000 / mean, "FrameTimeVector"
    elif one:
        rate, keyword = 1000 / one, "FrameTime"
    else:
        keyword = "CineRate" if number_of(header, "CineRate") else "RecommendedDisplayFrameRate"
        rate = number_of(header, keyword) or 0.0
    found = [
        _fact("fps", keyword, decimal(rate) if rate > 0 else "", "1/s"),
        _fact("frame_time_ms", "FrameTime", decimal(one) if one and one > 0 and mean is None else "", "ms"),
        _fact("frame_duration_ms", "ActualFrameDuration", _positive(header, "ActualFrameDuration"), "ms"),
        _fact("heart_rate_bpm", "HeartRate", _positive(header, "HeartRate"), "1/min"),
        _fact("rr_interval_ms", "NominalInterval", _positive(header, "NominalInterval"), "ms"),
    ]
    return tuple(fact for fact in found if fact.value)


def _positive(header: Dataset, keyword: str) -> str:
    """Devices write 0 for what they did not measure."""
    number = number_of(header, keyword)
    return decimal(number) if number and number > 0 else ""


def image_spacing(header: Dataset) -> tuple[float, float] | None:
    """(y, x) in mm: of the ultrasound regions where they say one, else PixelSpacing, else ImagerPixelSpacing, which is
    at the detector and so larger than in the patient; else None. Raises RecordError `bad_header`."""
    return region_spacing(header) or pixel_spacing(header)


def region_spacing(header: Dataset) -> tuple[float, float] | None:
    """(y, x) in mm of an ultrasound image that is to one scale (PS3.3 C.8.5.5): every region but graphics is 2D, of
    tissue or colour flow, calibrated in cm, and all have the same steps.

    None for anything else, such as a spectral or M-mode region beside the tissue, where one spacing would be wrong for
    a part of the image.
    """
    found: set[tuple[float, float]] = set()
    for region in value_of(header, "SequenceOfUltrasoundRegions") or ():
        if number_of(region, "RegionSpatialFormat") == _GRAPHICS:
            continue
        tissue = number_of(region, "RegionSpatialFormat") == _TWO_D and number_of(region, "RegionDataType") in _TISSUE
        units = {number_of(region, f"PhysicalUnits{axis}Direction") for axis in "XY"}
        steps = [number_of(region, f"PhysicalDelta{axis}") or 0.0 for axis in "YX"]
        if not tissue or units != {_CM} or 0 in steps:
            return None
        found.add((round(abs(steps[0]) * 10, 9), round(abs(steps[1]) * 10, 9)))
    return found.pop() if len(found) == 1 else None


def spacing_facts(header: Dataset) -> tuple[Fact, ...]:
    """Where `image_spacing` is measured: spacing_source (ultrasound_region, patient, detector), and magnification (the
    source's estimate of how much larger things are at the detector), which nothing here divides by."""
    if region_spacing(header):
        source = _fact("spacing_source", "SequenceOfUltrasoundRegions", "ultrasound_region")
    elif numbers_of(header, "PixelSpacing"):
        source = _fact("spacing_source", "PixelSpacing", "patient")
    else:
        detector = "detector" if numbers_of(header, "ImagerPixelSpacing") else ""
        source = _fact("spacing_source", "ImagerPixelSpacing", detector)
    keyword = "EstimatedRadiographicMagnificationFactor"
    found = (source, _fact("magnification", keyword, _positive(header, keyword)))
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
