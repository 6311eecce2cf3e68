"""Which headers make text in the pixels likely, and which part of an ultrasound frame shows the patient."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset

from curate.deidentify.burned_in import ocr_missing
from curate.deidentify.config import DeidentifyConfig, quarantined
from curate.deidentify.header import items_of, values_of

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
_BARS = frozenset({0xD, 0xE})  # RegionDataType (C.8.5.5.1.2): grey and colour bars show no patient either
_NOTHING = 0.005  # regions this small show nothing
_WHOLE_FRAME = 0.98  # a region this large masks nothing


def gate_pixels(ds: Dataset, config: DeidentifyConfig, looks: bool = False) -> str:
    """Refuse an image whose header makes text in its pixels likely: `Reject("burned_in_suspected")`.

    Suspected: BurnedInAnnotation YES; secondary capture by SOP class, ConversionType or modality; screen saves and dose
    reports by ImageType or SeriesDescription; endoscopy that does not say NO; ultrasound without usable regions.
    BurnedInAnnotation NO alone clears no capture: it is often a default. Returns "" where nothing is suspected, or the
    recipe's reason where it keeps. Ultrasound that passes must go through `mask_outside_regions`.

    `looks`: the caller hands the decoded pixels to `clean_pixels` or `clean_frames`, which look for text where the
    recipe says detect; so there suspicion alone refuses nothing. Without the extra `ocr` it refuses as ever.
    """
    found = text_suspected(ds)
    if not (found and looks and config.burned_in == "detect"):
        return quarantined("burned_in_suspected", found, config.burned_in)
    missing = ocr_missing()
    return quarantined("burned_in_suspected", f"{found}; {missing}", config.burned_in) if missing else ""


def text_suspected(ds: Dataset) -> str:
    """What in the header makes text likely, in words; "" where nothing does. Raises RecordError `bad_header`."""
    burned_in = upper_of(ds, "BurnedInAnnotation")
    modality, sop_class = upper_of(ds, "Modality"), upper_of(ds, "SOPClassUID")
    if burned_in == "YES":
        return "BurnedInAnnotation YES"
    if sop_class in _CAPTURES or modality in ("SC", "OT", "DOC"):
        return f"a secondary capture (modality {modality[:16] or 'absent'})"
    conversion = upper_of(ds, "ConversionType")
    if conversion and not (conversion in ("WSD", "SYN") and sop_class in _SLICES and number_of(ds, "BitsStored") > 8):
        return "a ConversionType, which captured and digitised images have"
    if _SCREEN.search(" ".join(upper_of(ds, k) for k in ("ImageType", "SeriesDescription", "ImageComments"))):
        return "a screen save or dose report"
    if (sop_class in _ENDOSCOPY or modality == "ES") and burned_in != "NO":
        return "endoscopy that does not deny burned-in annotation"
    if sop_class in _ULTRASOUND or modality in ("US", "IVUS"):
        return _unmaskable(ds, burned_in)
    return ""


def _unmaskable(ds: Dataset, burned_in: str) -> str:
    """Why ultrasound cannot be masked; "" where it can."""
    if not has_regions(ds):
        return "ultrasound without usable regions"
    shown = shown_by_regions(ds)
    if shown.mean() <= _NOTHING:
        return "ultrasound whose regions show nothing"
    if shown.mean() >= _WHOLE_FRAME and burned_in != "NO":
        return "ultrasound whose regions fill the frame"
    return ""


def has_regions(ds: Dataset) -> bool:
    """Are there ultrasound regions that `mask_outside_regions` can keep?"""
    return any(True for _ in regions_of(ds))


def shown_by_regions(ds: Dataset) -> NDArray[np.bool_]:
    """(Rows, Columns): which pixels lie in a region that shows the patient; regions may overlap."""
    shown = np.zeros((max(0, number_of(ds, "Rows")), max(0, number_of(ds, "Columns"))), dtype=bool)
    for rows, columns in regions_of(ds):
        shown[rows, columns] = True
    return shown


def regions_of(ds: Dataset) -> Iterator[tuple[slice, slice]]:
    """(rows, columns) of every region of SequenceOfUltrasoundRegions (PS3.3 C.8.5.5) that shows the patient.

    The corners are inclusive pixel numbers. Writers are off by one at the far edge, so one pixel beyond the frame is
    cut; a region further out speaks of another frame size, so none of that image's regions is believed.
    """
    height, width = number_of(ds, "Rows"), number_of(ds, "Columns")
    found = []
    for item in items_of(ds, "SequenceOfUltrasoundRegions"):
        x0, y0, x1, y1 = (number_of(item, f"RegionLocation{corner}") for corner in ("MinX0", "MinY0", "MaxX1", "MaxY1"))
        if min(x0, y0) < 0 or x1 < x0 or y1 < y0 or x1 > width or y1 > height:
            return
        shows_patient = number_of(item, "RegionDataType") not in _BARS
        if shows_patient and number_of(item, "RegionSpatialFormat") != _GRAPHICS:
            found.append((slice(y0, min(y1 + 1, height)), slice(x0, min(x1 + 1, width))))
    yield from found


def upper_of(ds: Dataset, keyword: str) -> str:
    """All values of an element in upper case, joined by blanks; "" where absent. Raises RecordError `bad_header`."""
    return " ".join(values_of(ds, keyword)).upper()


def number_of(ds: Dataset, keyword: str) -> int:
    """A whole number, -1 where it is absent or none."""
    value = " ".join(values_of(ds, keyword))
    return int(value) if re.fullmatch(r"\d{1,9}", value) else -1
