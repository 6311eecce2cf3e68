"""The options of PS3.15 Annex E that a recipe may choose, and how a header states what was chosen (PS3.16 CID 7050)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence

from manifests.config import Config

_DATES = {
    "shift": ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    "full": ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
}
_BASIC = ("113100", "Basic Application Confidentiality Profile")
_CODES = {
    "clean_pixel_data": ("113101", "Clean Pixel Data Option"),
    "clean_visual_features": ("113102", "Clean Recognizable Visual Features Option"),
    "clean_graphics": ("113103", "Clean Graphics Option"),
    "clean_structured_content": ("113104", "Clean Structured Content Option"),
    "clean_descriptors": ("113105", "Clean Descriptors Option"),
    "characteristics": ("113108", "Retain Patient Characteristics Option"),
    "device": ("113109", "Retain Device Identity Option"),
    "safe_private": ("113111", "Retain Safe Private Option"),
    "institution": ("113112", "Retain Institution Identity Option"),
}
_TEMPORAL_STATE = {"shift": "MODIFIED", "full": "UNMODIFIED", "remove": "REMOVED"}  # (0028,0303), PS3.3 C.12.1.1


class ProfileOptions(Config):
    """What the header keeps beyond the Basic Profile. The default moves dates and keeps nothing else.

    Retain UIDs is not offered. `clean_pixel_data` and `clean_visual_features` are statements about pixels: the header's
    cleaning only records them (codes, BurnedInAnnotation NO, RecognizableVisualFeatures NO), so whoever sets them has
    masked, or defaced, first.
    """

    dates: Literal["shift", "full", "remove"] = Field(
        default="shift", description="moved per patient, as they are, or none"
    )
    characteristics: bool = Field(default=False, description="age (capped at 90), sex, size, weight and their like")
    device: bool = Field(default=False, description="identity of devices: serial numbers, station names, device UIDs")
    institution: bool = Field(default=False, description="identity of institutions")
    safe_private: bool = Field(default=False, description="listed private elements that hold numbers and codes")
    clean_descriptors: bool = Field(default=False, description="the allow-listed words of descriptions instead of none")
    clean_structured_content: bool = Field(
        default=False, description="report trees, item by item, instead of an empty one"
    )
    clean_graphics: bool = Field(default=False, description="graphic annotations without their text")
    clean_pixel_data: bool = Field(default=False, description="states that text in the pixels was removed")
    clean_visual_features: bool = Field(default=False, description="states that faces were removed")

    def codes(self) -> tuple[tuple[str, str], ...]:
        """(code value, code meaning) of the profile and of every chosen option, for (0012,0064), ordered by code."""
        chosen = [code for name, code in _CODES.items() if getattr(self, name)]
        dated = [_DATES[self.dates]] if self.dates in _DATES else []
        return tuple(sorted([_BASIC, *dated, *chosen]))

    def stated(self) -> str:
        """The codes in one line, `113100 113107`, for a record's lineage."""
        return " ".join(value for value, _ in self.codes())


def state_method(out: Dataset, options: ProfileOptions, edition: str) -> None:
    """PS3.15 E.1.1 and PS3.3 C.7.1.1, C.12.1: that, how and by which coded options identity was removed."""
    items = []
    for value, meaning in options.codes():
        item = Dataset()
        item.CodeValue = value
        item.CodingSchemeDesignator = "DCM"
        item.CodeMeaning = meaning
        items.append(item)
    out.PatientIdentityRemoved = "YES"
    out.DeidentificationMethod = f"medcurate PS3.15 E.1-1 {edition} Basic"
    out.DeidentificationMethodCodeSequence = DicomSequence(items)
    out.LongitudinalTemporalInformationModified = _TEMPORAL_STATE[options.dates]
    if options.clean_pixel_data:
        out.BurnedInAnnotation = "NO"
    if options.clean_visual_features:
        out.RecognizableVisualFeatures = "NO"
