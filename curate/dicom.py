"""DICOM instances to 2D images and cines; the door to the other DICOM modules, whose public names are offered here.

    dicom_header   read_header, peek, classify, refuse: what a file is
    dicom_facts    facts: what its header states
    dicom_pixels   decoding
    dicom_series   read_series: slices to a volume

Anything that is not covered is refused by name, see `refuse`. Not covered: volumes in one file (enhanced CT, MR and
PET, tomosynthesis, 3D ultrasound, Siemens mosaics), whole-slide tiles, ophthalmic stacks, segmentations, dose grids,
structured reports; VOI look-up tables, overlays, ICC profiles.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from curate.arrays import Array, Frames, Image
from curate.dicom_facts import facts, plane_of
from curate.dicom_header import (
    InstanceKind,
    Peek,
    classify,
    frame_times_s,
    is_inverted,
    modality,
    peek,
    pixel_spacing,
    read_header,
    read_whole,
    refuse,
    window_of,
)
from curate.dicom_pixels import MAX_VALUES, decode, modality_values, rgb_values
from curate.dicom_series import read_series
from curate.image import apply_window

__all__ = [
    "InstanceKind",
    "Peek",
    "classify",
    "facts",
    "modality",
    "peek",
    "plane_of",
    "read_cine",
    "read_header",
    "read_image",
    "read_series",
    "refuse",
]


def read_image(source: Path | Dataset, max_values: int = MAX_VALUES) -> Image:
    """One single-frame instance as an `Image`: a file, or a data set that holds its pixels.

    Monochrome: modality LUT applied, units as `modality_values` says, the first VOI window, `inverted` for MONOCHROME1
    or an INVERSE presentation LUT. Colour: uint8 RGB in display units. Spacing is PixelSpacing, else
    ImagerPixelSpacing, which is at the detector and so larger than in the patient; ultrasound regions are not read.
    Raises RecordError and Reject as `read_header`, `decode`, `refuse` do.
    """
    instance = read_whole(source) if isinstance(source, Path) else source
    if classify(instance) not in ("image", "slice"):
        refuse(instance)
    stored, photometric = decode(instance, max_values)
    spacing = pixel_spacing(instance)
    if not photometric.startswith("MONOCHROME"):
        return Image(rgb_values(instance, stored[0], photometric), "display", spacing)
    values, units = modality_values(instance, stored[0], modality(instance))
    return Image(values, units, spacing, window_of(instance), is_inverted(instance))


def read_cine(source: Path | Dataset, max_values: int = MAX_VALUES) -> Frames:
    """One multi-frame instance as `Frames`: ultrasound, angiography, endoscopy, secondary capture, nuclear dynamics.

    Grey frames become uint8 by one window for the whole clip: the instance's own, else `apply_window`'s percentiles of
    all frames; 8-bit frames without a window stay as they are. Times are FrameTime, FrameTimeVector, else CineRate,
    else RecommendedDisplayFrameRate (PS3.3 C.7.6.5), else unknown (`times_known` False). Raises RecordError and Reject
    as `read_image`; `bad_header` for negative times.
    """
    instance = read_whole(source) if isinstance(source, Path) else source
    if classify(instance) != "cine":
        refuse(instance)
    stored, photometric = decode(instance, max_values)
    times = frame_times_s(instance)
    frames = _display_frames(instance, stored, photometric)
    numbered = tuple(float(n) for n in range(len(frames)))
    return Frames(frames, times or numbered, pixel_spacing(instance), times_known=times is not None)


def _display_frames(instance: Dataset, stored: Array, photometric: str) -> Array:
    if not photometric.startswith("MONOCHROME"):
        return rgb_values(instance, stored, photometric)
    values, _ = modality_values(instance, stored, modality(instance))
    shown = apply_window(values, window_of(instance))
    return np.subtract(255, shown, dtype=np.uint8) if is_inverted(instance) else shown
