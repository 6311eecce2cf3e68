"""DICOM headers: read with typed errors, looked up with checked values, and told apart: image, slice, cine, volume.

Standards: DICOM PS3.3 (modules) and PS3.5 (encoding). Nothing here decodes pixels.
"""

from __future__ import annotations

import logging
import math
import re
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
import pydicom
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError

from curate.arrays import Window
from curate.guard import MAX_BYTES, check_file, typed
from manifests.errors import RecordError, Reject
from sources.dicom_frames import holds_volumes
from sources.dicom_peek import MAX_DEFLATED, refuse_bomb

# pydicom quotes header values in its log messages, and a log must hold no identifier; errors come back typed instead.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)

InstanceKind = Literal["image", "cine", "slice", "volume", "unsupported"]

_DERIVED = frozenset(
    {
        uid.SegmentationStorage,
        uid.RTDoseStorage,
        uid.ParametricMapStorage,
        "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation Storage
    }
)
_TILES = frozenset({uid.VLWholeSlideMicroscopyImageStorage, "1.2.840.10008.5.1.4.1.1.77.1.9"})
_SLICES = frozenset({"CT", "MR", "PT"})
_CODE = re.compile("[A-Z0-9_ ]{1,16}")
_BY_CLASS: dict[str, str] = {
    uid.CTImageStorage: "CT",
    uid.EnhancedCTImageStorage: "CT",
    uid.MRImageStorage: "MR",
    uid.EnhancedMRImageStorage: "MR",
    uid.PositronEmissionTomographyImageStorage: "PT",
    uid.UltrasoundImageStorage: "US",
    uid.UltrasoundMultiFrameImageStorage: "US",
    uid.ComputedRadiographyImageStorage: "CR",
    uid.NuclearMedicineImageStorage: "NM",
    uid.XRayAngiographicImageStorage: "XA",
}


def classify(header: Dataset) -> InstanceKind:
    """What an instance is, from its header alone. Raises RecordError `bad_header` for a header that cannot tell.

    slice: one CT, MR or PET frame with a place in space (localizers are images); volume: one file that holds many
    slices; cine: any other multi-frame image; image: any other single frame; unsupported: what `refuse` names.
    """
    sop_class = text_of(header, "SOPClassUID")
    image_type = tuple(t.upper() for t in texts_of(header, "ImageType"))
    frames = frame_count(header)
    if integer_of(header, "Rows", 0) == 0 or sop_class in _DERIVED | _TILES:
        return "unsupported"
    if holds_volumes(header):
        return "volume"
    if frames > 1:
        return "cine"
    placed = numbers_of(header, "ImageOrientationPatient") and numbers_of(header, "ImagePositionPatient")
    if placed and modality(header) in _SLICES and "LOCALIZER" not in image_type:
        return "slice"
    return "image"


def refuse(header: Dataset) -> NoReturn:
    """Raise what says why an instance is not read: Reject `no_pixels` (reports, plans, waveforms, presentation states,
    DICOMDIR) or `derived_object` (segmentations, dose grids, parametric maps on their own); RecordError `whole_slide`,
    `mosaic`, `enhanced_multiframe`, `multi_frame`, `single_frame`."""
    sop_class = text_of(header, "SOPClassUID")
    known = uid.UID_dictionary.get(sop_class)  # type: ignore[attr-defined]
    # Of an element whose length is wrong the value is anything that follows, identifiers among it.
    name = known[0] if known else "a SOP class that the standard does not know" if sop_class else "no SOPClassUID"
    if sop_class in _DERIVED:
        raise Reject("derived_object", name)
    if integer_of(header, "Rows", 0) == 0:
        raise Reject("no_pixels", name)
    if sop_class in _TILES:
        raise RecordError("whole_slide", name, "tile the slide into images first")
    if "MOSAIC" in (t.upper() for t in texts_of(header, "ImageType")):
        raise RecordError("mosaic", "a mosaic of slices", "read it as a volume")
    if classify(header) == "volume":
        raise RecordError("enhanced_multiframe", name, "read it as a volume")
    if frame_count(header) > 1:
        raise RecordError("multi_frame", f"{frame_count(header)} frames", "read it as a cine")
    raise RecordError("single_frame", name, "read it as an image")


def read_header(path: Path, max_bytes: int = MAX_BYTES) -> Dataset:
    """Everything before the pixels. Media directories (DICOMDIR) are read too: they are files of a tree.

    Raises RecordError: `unreadable_file`, `too_large` (also a deflated data set that inflates beyond `max_bytes`),
    `not_dicom` (no preamble or no file meta: such files are not guessed at), `truncated_dicom`, `bad_header`.
    """
    return _read(path, max_bytes, stop_before_pixels=True)


def read_whole(path: Path, max_bytes: int = MAX_BYTES) -> Dataset:
    """As `read_header`, with the pixels still encoded."""
    return _read(path, max_bytes, stop_before_pixels=False)


def _read(path: Path, max_bytes: int, stop_before_pixels: bool) -> Dataset:
    check_file(path, max_bytes)
    with typed("bad_header", "fetch the file again or repair it with a DICOM toolkit"):
        try:
            refuse_bomb(path, min(max_bytes, MAX_DEFLATED))
            header = pydicom.dcmread(path, stop_before_pixels=stop_before_pixels)
        except InvalidDicomError as error:
            raise RecordError("not_dicom", "no DICM prefix", "give DICOM part 10 files") from error
        except EOFError as error:
            raise RecordError("truncated_dicom", "the end of the file in a value", "fetch the file again") from error
    if not len(header):  # what pydicom gives of a file that ends inside encapsulated pixels
        raise RecordError("truncated_dicom", "a file that ends inside its pixels", "fetch the file again")
    return header


def bad_header(keyword: str) -> RecordError:
    return RecordError("bad_header", f"an unusable {keyword}", f"repair {keyword} or leave the file out")


def value_of(header: Dataset, keyword: str) -> Any:
    """An element's value, None where it is absent or empty. Raises RecordError `bad_header` if unparsable."""
    with typed("bad_header", f"repair {keyword} or leave the file out"):
        value = header.get(keyword)
        return None if value is None or value == "" else value


def text_of(header: Dataset, keyword: str) -> str:
    """One text value, stripped; the first of several; "" where absent."""
    value = value_of(header, keyword)
    if isinstance(value, pydicom.multival.MultiValue):
        value = value[0] if value else ""
    return "" if value is None else str(value).strip()


def texts_of(header: Dataset, keyword: str) -> tuple[str, ...]:
    """All values of a multi-valued text element."""
    value = value_of(header, keyword)
    if value is None:
        return ()
    return tuple(str(v).strip() for v in value) if isinstance(value, pydicom.multival.MultiValue) else (str(value),)


def numbers_of(header: Dataset, keyword: str) -> tuple[float, ...]:
    """All values of a numeric element, () where absent. Raises RecordError `bad_header` unless all are finite."""
    value = value_of(header, keyword)
    if value is None:
        return ()
    with typed("bad_header", f"repair {keyword} or leave the file out"):
        several = value if isinstance(value, (pydicom.multival.MultiValue, list, tuple)) else (value,)
        numbers = tuple(float(v) for v in several)
    if not all(math.isfinite(n) for n in numbers):
        raise bad_header(keyword)
    return numbers


def number_of(header: Dataset, keyword: str) -> float | None:
    """The first value of a numeric element."""
    numbers = numbers_of(header, keyword)
    return numbers[0] if numbers else None


def integer_of(header: Dataset, keyword: str, default: int) -> int:
    """A whole number, or `default` where absent. Raises RecordError `bad_header`."""
    number = number_of(header, keyword)
    if number is None:
        return default
    if number != int(number) or number < 0:
        raise bad_header(keyword)
    return int(number)


def frame_count(header: Dataset) -> int:
    return max(1, integer_of(header, "NumberOfFrames", 1))


def window_of(header: Dataset) -> Window | None:
    """The first VOI window (centre, width) in output units, None where there is none or its width is below 1."""
    centre, width = number_of(header, "WindowCenter"), number_of(header, "WindowWidth")
    return None if centre is None or width is None or width < 1 else (centre, width)


def transfer_syntax(instance: Dataset) -> uid.UID:
    """The declared one. Raises RecordError `no_transfer_syntax`, also where a UID of another kind, or of nobody's
    list, is declared: the encoding is not guessed."""
    syntax: uid.UID | None = value_of(getattr(instance, "file_meta", FileMetaDataset()), "TransferSyntaxUID")
    remedy = "rewrite the file meta group"
    if not syntax:
        raise RecordError("no_transfer_syntax", "no TransferSyntaxUID", remedy)
    if not isinstance(syntax, uid.UID) or not syntax.is_transfer_syntax:
        raise RecordError("no_transfer_syntax", "a TransferSyntaxUID that names none", remedy)
    return syntax


def modality(header: Dataset) -> str:
    """The DICOM modality code, upper case (CT, MR, US, CR, DX, MG, NM, PT, XA, ...): the header's own, else what the
    SOP class implies, else OT."""
    code = text_of(header, "Modality").upper()
    code = code if _CODE.fullmatch(code) else ""  # of a CS that is none the value may be anything
    return code or _BY_CLASS.get(text_of(header, "SOPClassUID"), "OT")


def pixel_spacing(header: Dataset) -> tuple[float, float] | None:
    """(y, x) in mm, None where neither spacing element stands. Raises RecordError `bad_header` unless positive."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        spacing = numbers_of(header, keyword)
        if not spacing:
            continue
        if len(spacing) != 2 or min(spacing) <= 0:
            raise bad_header(keyword)
        return spacing[0], spacing[1]
    return None


def is_inverted(header: Dataset) -> bool:
    """MONOCHROME1, or a presentation LUT that inverts; both together invert once (PS3.3 C.8.11.3)."""
    first = text_of(header, "PhotometricInterpretation") == "MONOCHROME1"
    return first or text_of(header, "PresentationLUTShape").upper() == "INVERSE"


def frame_times_s(header: Dataset) -> tuple[float, ...] | None:
    """Each frame's time after the first, in seconds; None where the header gives no timing."""
    count = frame_count(header)
    steps_ms = numbers_of(header, "FrameTimeVector")
    if len(steps_ms) == count:
        if min(steps_ms) < 0:
            raise bad_header("FrameTimeVector")
        times_ms = np.cumsum(steps_ms) - steps_ms[0]
        return tuple(round(float(t) / 1000, 6) for t in times_ms)
    step_ms = number_of(header, "FrameTime")
    if not step_ms:
        rate = number_of(header, "CineRate") or number_of(header, "RecommendedDisplayFrameRate")
        step_ms = 1000 / rate if rate else None
    if step_ms is None:
        return None
    if step_ms < 0:
        raise bad_header("FrameTime")
    return tuple(round(n * step_ms / 1000, 6) for n in range(count))
