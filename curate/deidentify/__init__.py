"""De-identification of DICOM headers, gates for pixels and faces, and scrubbing of free text.

Covered
- `clean_dataset`: every attribute of PS3.15 Table E.1-1 (edition in `tables/`) by the Basic Application Level
  Confidentiality Profile with the Retain Longitudinal Temporal Information with Modified Dates Option, at any depth:
  also private and unknown elements, curves (50xx), overlays (60xx), group lengths, file meta and preamble, and, beyond
  the table, person names, free text (LT ST UT UC UR) and opaque bytes (OB). Whatever has no rule is removed.
- `gate_pixels`, `mask_outside_regions`: files whose pixels are likely to show text are refused; ultrasound is blacked
  out outside its declared regions.
- `gate_face`: head CT and MR without a statement that they were defaced are refused.
- `scrub_text`, `identifiers`: known identifiers and well-formed e-mails, URLs, dates and long numbers in free text.

NOT covered
- This is no anonymity. Chest radiographs and retinal photographs identify a person by themselves; rare diseases, sites
  and dates of known events single people out; who knows the key can test a guess.
- Faces are not removed: a refusal is all there is, and after common defacers a third of faces is still matched.
- Photographs of persons are recognised by RecognizableVisualFeatures YES alone.
- Text in pixels is not read. What stands inside an ultrasound region, or in an image whose header says nothing, passes.
- Bits of PixelData above BitsStored (old overlays), comments inside compressed frames, audio and ICC profiles: pixels
  must be decoded, masked to BitsStored and written anew before they leave.
- Identifiers that somebody typed into a kept short field (LO, SH such as Manufacturer or CodeMeaning) stay there; the
  sweep for `identifiers` over the outputs is what finds them.
- Names in free text that are not in the header, nicknames, places, numbers shorter than seven digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator
from pydicom import uid
from pydicom.dataset import Dataset

from curate.deidentify.header import Cleaned, age_years, capped_age, clean_dataset, items_of, values_of
from curate.deidentify.text import identifiers, scrub_text
from manifests.config import Config
from manifests.errors import RecordError, Reject

__all__ = [
    "Cleaned",
    "DeidentifyConfig",
    "FaceFacts",
    "Keep",
    "age_years",
    "capped_age",
    "clean_dataset",
    "face_facts",
    "gate_face",
    "gate_pixels",
    "has_regions",
    "identifiers",
    "mask_outside_regions",
    "scrub_text",
]

# PS3.6: secondary capture and its multi-frame kinds; endoscopy, whose screens carry the patient's name
_CAPTURES = frozenset({"1.2.840.10008.5.1.4.1.1.7", *(f"1.2.840.10008.5.1.4.1.1.7.{n}" for n in range(1, 5))})
_ENDOSCOPY = frozenset({uid.VLEndoscopicImageStorage, uid.VideoEndoscopicImageStorage})
_ULTRASOUND = frozenset({f"1.2.840.10008.5.1.4.1.1.{n}" for n in ("3", "3.1", "6", "6.1", "6.2", "6.3")})
_SCREEN = re.compile(
    r"SCREEN[ _-]?(SAVE|SHOT|CAPTURE)|DOSE[ _-]?(INFO|REPORT)|PATIENT[ _-]PROTOCOL|CT_SOM\d+ PROT|SNAPSHOT|PASTED"
)
# A workstation writes its ConversionType into computed slices too; deeper than 8 bits they are no screen
_SLICES = frozenset({uid.CTImageStorage, uid.MRImageStorage, uid.PositronEmissionTomographyImageStorage})
_GRAPHICS = 5  # RegionSpatialFormat (C.8.5.5.1.1): a region of graphics shows text, not the patient
_WHOLE_FRAME = 0.98  # a region this large masks nothing

_HEAD = re.compile(
    r"HEAD|BRAIN|SKULL|CRANI|CEREBR|FACIAL|NECK|ORBIT|SINUS|MANDIB|MAXILL|PITUIT|NASAL|CERVICAL|CAROTID|MPRAGE|FLAIR"
    r"|WHOLE[ _-]?BODY|TOTAL[ _-]?BODY|C[ _-]?SPINE"
    r"|(?<![A-Z])(FACE|EARS?|EYES?|IAC|TMJ|JAW|NOSE|TEETH|DENTAL)(?![A-Z])"
    r"|[头頭颅顱脑腦颈頸鼻眼耳颌]|面[部颅]|颜面"
)
_NOT_A_HEAD = re.compile(
    r"(FEMORAL|FEMUR|HUMERAL|RADIAL|FIBULAR|METATARSAL|PANCREAS|PANCREATIC|BLADDER|CORONARY)[ _-]*(HEAD|NECK|SINUS)"
    r"|HEAD OF (THE )?(FEMUR|HUMERUS|RADIUS|PANCREAS)|(HEAD|FEET)[ _-]*FIRST|SINUS RHYTHM"
    r"|(股骨|胰|桡骨|肱骨|膀胱|子?宫)[头颈]"
)
_DEFACED_CODE = "113102"  # PS3.16 CID 7050: Clean Recognizable Visual Features Option
_3D = frozenset({"", "CT", "MR", "PT"})


# ------------------------------------------------------------------------------------------------ the recipe's key
class Keep(Config):
    """Keep what would be quarantined; the reason is recorded with every record that it lets through."""

    keep: str = Field(description="why these data may be kept, in words")

    @field_validator("keep")
    @classmethod
    def _is_a_reason(cls, value: str) -> str:
        if len(value.strip()) < 5:
            raise ValueError('needs a reason in words, for example {keep: "phantom data, no person was imaged"}')
        return value.strip()


class DeidentifyConfig(Config):
    """`deidentify` of a recipe. `faces` and `burned_in`: quarantine, or {keep: "the reason in words"}."""

    profile: Literal["basic"] = "basic"
    faces: Literal["quarantine"] | Keep = "quarantine"
    burned_in: Literal["quarantine"] | Keep = "quarantine"

    @field_validator("faces", "burned_in", mode="before")
    @classmethod
    def _quarantine_or_a_reason(cls, value: Any) -> Any:
        if isinstance(value, (dict, Keep)) or value == "quarantine":
            return value
        raise ValueError('is quarantine or {keep: "the reason in words"}; a reason is needed, for it is recorded')


def _quarantined(reason: str, found: str, config: Literal["quarantine"] | Keep) -> str:
    """The recorded reason where the recipe keeps; "" where nothing was found; else Reject."""
    if not found:
        return ""
    if isinstance(config, Keep):
        return config.keep
    raise Reject(reason, found, 'keep with a reason in the recipe: {keep: "..."} under deidentify, or leave it out')


# ------------------------------------------------------------------------------------------------ text in the pixels


def gate_pixels(ds: Dataset, config: DeidentifyConfig) -> str:
    """Refuse an image whose header makes text in its pixels likely: `Reject("burned_in_suspected")`.

    Suspected: BurnedInAnnotation YES; secondary capture by SOP class, ConversionType or modality; screen saves and dose
    reports by ImageType or SeriesDescription; endoscopy that does not say NO; ultrasound without usable regions.
    BurnedInAnnotation NO alone clears no capture: it is often a default. Returns "" where nothing is suspected, or the
    recipe's reason where it keeps. Ultrasound that passes must go through `mask_outside_regions`.
    """
    return _quarantined("burned_in_suspected", _text_suspected(ds), config.burned_in)


def _text_suspected(ds: Dataset) -> str:
    burned_in = _upper(ds, "BurnedInAnnotation")
    modality, sop_class = _upper(ds, "Modality"), _upper(ds, "SOPClassUID")
    if burned_in == "YES":
        return "BurnedInAnnotation YES"
    if sop_class in _CAPTURES or modality in ("SC", "OT", "DOC"):
        return f"a secondary capture (modality {modality[:16] or 'absent'})"
    conversion = _upper(ds, "ConversionType")
    if conversion and not (conversion in ("WSD", "SYN") and sop_class in _SLICES and _number(ds, "BitsStored") > 8):
        return "a ConversionType, which captured and digitised images have"
    if _SCREEN.search(" ".join(_upper(ds, k) for k in ("ImageType", "SeriesDescription", "ImageComments"))):
        return "a screen save or dose report"
    if (sop_class in _ENDOSCOPY or modality == "ES") and burned_in != "NO":
        return "endoscopy that does not deny burned-in annotation"
    if sop_class in _ULTRASOUND or modality in ("US", "IVUS"):
        return _unmaskable(ds, burned_in)
    return ""


def _unmaskable(ds: Dataset, burned_in: str) -> str:
    """Why ultrasound cannot be masked; "" where it can."""
    regions = list(_regions(ds))
    if not regions:
        return "ultrasound without usable regions"
    shown = np.zeros((_number(ds, "Rows"), _number(ds, "Columns")), dtype=bool)
    for rows, columns in regions:
        shown[rows, columns] = True
    if shown.mean() >= _WHOLE_FRAME and burned_in != "NO":
        return "ultrasound whose regions fill the frame"
    return ""


def has_regions(ds: Dataset) -> bool:
    """Are there ultrasound regions that `mask_outside_regions` can keep?"""
    return any(True for _ in _regions(ds))


def _regions(ds: Dataset) -> Iterator[tuple[slice, slice]]:
    """(rows, columns) of every region of SequenceOfUltrasoundRegions (PS3.3 C.8.5.5) that shows the patient.

    The corners are inclusive pixel numbers. Writers are off by one at the far edge, so one pixel beyond the frame is
    cut; a region further out speaks of another frame size, so none of that image's regions is believed.
    """
    height, width = _number(ds, "Rows"), _number(ds, "Columns")
    found = []
    for item in items_of(ds, "SequenceOfUltrasoundRegions"):
        x0, y0, x1, y1 = (_number(item, f"RegionLocation{corner}") for corner in ("MinX0", "MinY0", "MaxX1", "MaxY1"))
        if min(x0, y0) < 0 or x1 < x0 or y1 < y0 or x1 > width or y1 > height:
            return
        if _number(item, "RegionSpatialFormat") != _GRAPHICS:
            found.append((slice(y0, min(y1 + 1, height)), slice(x0, min(x1 + 1, width))))
    yield from found


def mask_outside_regions(frames: npt.NDArray[Any], ds: Dataset) -> npt.NDArray[Any]:
    """A copy of the frames that is 0 outside all ultrasound regions, on every frame and channel.

    `frames` is (y, x), (y, x, c), (t, y, x) or (t, y, x, c) of any dtype with the header's Rows and Columns, decoded to
    grey or RGB: 0 is black in MONOCHROME2 and RGB (in YBR it would be green). Pixels inside are unchanged to the bit;
    what text stands there stays. Raises RecordError: `no_us_regions`, `bad_frame_shape`.
    """
    regions = list(_regions(ds))
    if not regions:
        raise RecordError("no_us_regions", "no usable SequenceOfUltrasoundRegions", "leave the file out")
    size = (_number(ds, "Rows"), _number(ds, "Columns"))
    colour = frames.ndim == 4 or (frames.ndim == 3 and frames.shape[:2] == size and frames.shape[2] in (3, 4))
    planes = frames if colour else frames[..., np.newaxis]
    if not 2 <= frames.ndim <= 4 or planes.shape[-3:-1] != size:
        raise RecordError("bad_frame_shape", f"frames of {frames.shape}", f"frames of {size[0]} x {size[1]}")
    out = np.zeros_like(planes)
    for rows, columns in regions:
        out[..., rows, columns, :] = planes[..., rows, columns, :]
    return out if colour else out[..., 0]


# ------------------------------------------------------------------------------------------------ faces


@dataclass(frozen=True, slots=True)
class FaceFacts:
    """What decides about a face: DICOM modality ("" is unknown), body part, descriptions, a defaced statement."""

    modality: str = ""
    body_part: str = ""
    descriptions: str = ""
    defaced: bool = False
    recognizable: bool = False  # RecognizableVisualFeatures YES


def face_facts(ds: Dataset) -> FaceFacts:
    """From the original header, for `clean_dataset` removes the descriptions. Defaced is believed only where the header
    says so in a coded way: RecognizableVisualFeatures NO or method code 113102."""
    methods = items_of(ds, "DeidentificationMethodCodeSequence")
    visual = _upper(ds, "RecognizableVisualFeatures")
    words = ("StudyDescription", "SeriesDescription", "ProtocolName", "PerformedProcedureStepDescription")
    coded = (i for k in ("AnatomicRegionSequence", "ProcedureCodeSequence") for i in items_of(ds, k))
    meanings = [_upper(item, "CodeMeaning") for item in coded]
    texts = [_upper(ds, k) for k in (*words, "RequestedProcedureDescription", "ReceiveCoilName")]
    return FaceFacts(
        modality=_upper(ds, "Modality"),
        body_part=_upper(ds, "BodyPartExamined"),
        descriptions=" | ".join(t for t in (*texts, *meanings) if t),
        defaced=visual == "NO" or any(_upper(item, "CodeValue") == _DEFACED_CODE for item in methods),
        recognizable=visual == "YES",
    )


def gate_face(subject: Dataset | FaceFacts, config: DeidentifyConfig) -> str:
    """Refuse what shows a face: `Reject("face_suspected")`.

    Suspected: RecognizableVisualFeatures YES; a CT, MR or PET (or unknown modality: NIfTI) whose body part, description
    or coil name the head, neck or whole body, unless it is stated to be defaced. A file that says nothing about its
    body part is not suspected: give `FaceFacts(body_part=...)` for sources that are known to show heads. Returns "" or
    the recipe's reason where it keeps.
    """
    facts = face_facts(subject) if isinstance(subject, Dataset) else subject
    return _quarantined("face_suspected", _face_suspected(facts), config.faces)


def _face_suspected(facts: FaceFacts) -> str:
    if facts.recognizable:
        return "RecognizableVisualFeatures YES"
    if facts.defaced or facts.modality.upper() not in _3D:
        return ""
    words = _NOT_A_HEAD.sub(" ", f"{facts.body_part} | {facts.descriptions}".upper())
    hit = _HEAD.search(words)
    return f"a {facts.modality.upper() or 'volume'} of the {hit[0]} without a defaced statement" if hit else ""


# ------------------------------------------------------------------------------------------------ reading a header


def _upper(ds: Dataset, keyword: str) -> str:
    """All values of an element in upper case, joined by blanks; "" where absent. Raises RecordError `bad_header`."""
    return " ".join(values_of(ds, keyword)).upper()


def _number(ds: Dataset, keyword: str) -> int:
    """A whole number, -1 where it is absent or none."""
    value = " ".join(values_of(ds, keyword))
    return int(value) if re.fullmatch(r"\d{1,9}", value) else -1
