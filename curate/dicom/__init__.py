"""DICOM instances to 2D images and cines; the door to the other DICOM modules, whose public names are offered here.

    header       read_header, classify, refuse: what a file is; header_facts: what it states
    pixels       decoding (colour: YBR and palettes; rle); voi: windows, look-up tables, padding
    series       read_series: slices to a volume (scan: headers; voxels: values; tilt: the gantry's)
    multiframe   read_volumes: the volumes of one file (frame_pixels; mosaic: Siemens)
    seg, rtstruct   masks on a volume's grid (marks: what both share)
    stream       MPEG-2, H.264 and HEVC streams

Anything that is not covered is refused by name, see `refuse`. Not covered: whole-slide tiles, dose grids, structured
reports, parametric maps; presentation states, overlay planes, ICC profiles.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from curate.arrays import Array, Frames, Image
from curate.dicom.colour import refuse_supplemental
from curate.dicom.header import (
    InstanceKind,
    classify,
    frame_times_s,
    integer_of,
    is_inverted,
    modality,
    read_header,
    read_whole,
    refuse,
)
from curate.dicom.header_facts import cine_facts, facts, image_spacing, plane_of, spacing_facts
from curate.dicom.pixels import MAX_VALUES, decode, modality_values, rgb_values
from curate.dicom.series import read_series
from curate.dicom.voi import full_range, stored_padding, voi_of, with_voi_lut
from curate.image import apply_window

__all__ = [
    "InstanceKind",
    "cine_facts",
    "classify",
    "facts",
    "modality",
    "plane_of",
    "read_cine",
    "read_header",
    "read_image",
    "read_series",
    "refuse",
    "spacing_facts",
]


def read_image(source: Path | Dataset, max_values: int = MAX_VALUES) -> Image:
    """One single-frame instance as an `Image`: a file, or a data set that holds its pixels.

    Monochrome: modality LUT applied, units as `modality_values` says, the first VOI window with its function, padding,
    `inverted` for MONOCHROME1 or an INVERSE presentation LUT; a VOI look-up table is applied where `with_voi_lut` says.
    8-bit values that use fewer bits get the window of those bits. Colour: uint8 RGB in display units. Spacing is
    `image_spacing`'s. Raises RecordError and Reject as `read_header`, `decode`, `refuse` do, and `bad_voi_lut`.
    """
    instance = read_whole(source) if isinstance(source, Path) else source
    if classify(instance) not in ("image", "slice"):
        refuse(instance)
    stored, photometric = decode(instance, max_values)
    spacing = image_spacing(instance)
    if not photometric.startswith("MONOCHROME"):
        return Image(rgb_values(instance, stored[0], photometric), "display", spacing)
    return _monochrome(instance, stored[0], spacing)


def _monochrome(instance: Dataset, stored: Array, spacing: tuple[float, float] | None) -> Image:
    """Stored values of any shape as an `Image` that says how they are shown."""
    refuse_supplemental(instance)
    values, units = modality_values(instance, stored, modality(instance))
    window, function = voi_of(instance)
    bits = integer_of(instance, "BitsStored", 8)
    if window is None and values.dtype == np.uint8 and bits < 8:
        window = full_range(bits)
    padding = _padding(instance, stored.dtype)
    image = Image(values, units, spacing, window, is_inverted(instance), function, padding)
    return with_voi_lut(image, instance)


def _padding(instance: Dataset, dtype: np.dtype[Any]) -> tuple[float, float] | None:
    """The padding range in output units: the stored one through the modality LUT."""
    ends = stored_padding(instance)
    if ends is None:
        return None
    limits = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype)
    if ends[0] < limits.min or ends[1] > limits.max:
        return None  # no pixel can hold it
    values, _ = modality_values(instance, np.array([ends], dtype), modality(instance))
    return float(values.min()), float(values.max())


def read_cine(source: Path | Dataset, max_values: int = MAX_VALUES) -> Frames:
    """One multi-frame instance as `Frames`: ultrasound, angiography, endoscopy, secondary capture, nuclear dynamics.

    Grey frames become uint8 by one window for the whole clip: the instance's own (or its VOI look-up table), else
    `apply_window`'s percentiles of all frames; 8-bit frames without a window stay as they are. Times are FrameTime,
    FrameTimeVector, else CineRate, else RecommendedDisplayFrameRate (PS3.3 C.7.6.5), else unknown (`times_known`
    False); what else the header says of time is `dicom_facts.cine_facts`. Memory: the stored and the shown frames and a
    few MiB. Raises RecordError and Reject as `read_image`; `bad_header` for negative times.
    """
    instance = read_whole(source) if isinstance(source, Path) else source
    if classify(instance) != "cine":
        refuse(instance)
    stored, photometric = decode(instance, max_values)
    times = frame_times_s(instance)
    frames = _display_frames(instance, stored, photometric)
    numbered = tuple(float(n) for n in range(len(frames)))
    return Frames(frames, times or numbered, image_spacing(instance), times_known=times is not None)


def _display_frames(instance: Dataset, stored: Array, photometric: str) -> Array:
    if not photometric.startswith("MONOCHROME"):
        return rgb_values(instance, stored, photometric)
    clip = _monochrome(instance, stored, None)
    return apply_window(clip.pixels, clip.window, clip.voi, clip.padding, clip.inverted)
