"""What SEG and RTSTRUCT share: the masks they become, which volume they speak of, and how their structures are called.

Notes on references are the same for both:

    references_other_frame    the file names another frame of reference, but the volume's own series
    references_no_series      the file names no series, but the volume's own frame of reference or instances

Standard: DICOM PS3.3 C.12.1.1 and C.8.8.5. A file may be used for the volume of the series that it names although
their frames of reference differ, for some writers draw a new one at random; its coordinates are taken as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from curate.dicom.header import text_of
from manifests.errors import RecordError

MAX_MASK_VALUES = 1 << 33  # voxels of the volume x structures, one byte each; pages that stay 0 take no memory
FARTHEST = 1e6  # mm: coordinates beyond a kilometre are errors
SNAP = float(1 << 20)  # coordinates are rounded to 2^-20 of a voxel, so that rounding errors decide no tie
_NAME_LENGTH = 64

Mask = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Marked:
    """Structures marked in one volume: `masks` are 0 and 1 (z, y, x) by plain name, which may be made when they are
    looked up; `notes` codes of what was done."""

    masks: Mapping[str, Mask]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """Which DICOM objects a volume was read from; it holds UIDs, so write none of it."""

    series: frozenset[str]
    frames: frozenset[str]  # frame of reference UIDs
    instances: frozenset[str] = frozenset()


def subject_of(headers: Sequence[Dataset]) -> Subject:
    """The subject of a volume from the headers of its files; one header of a series is enough to know the series."""
    return Subject(
        series=frozenset(text_of(h, "SeriesInstanceUID") for h in headers) - {""},
        frames=frozenset(text_of(h, "FrameOfReferenceUID") for h in headers) - {""},
        instances=frozenset(text_of(h, "SOPInstanceUID") for h in headers) - {""},
    )


def require_subject(named: Subject, of: Subject) -> tuple[str, ...]:
    """Notes on how the file refers to the volume. Raises RecordError `dangling_reference` unless it names the volume's
    series, or no series at all but the volume's frame of reference or one of its instances."""
    remedy = "give the file together with the series that it was drawn on"
    if named.series and not named.series & of.series:
        raise RecordError("dangling_reference", "another series than the volume's", remedy)
    if named.series:
        return ("references_other_frame",) if named.frames and not named.frames & of.frames else ()
    if not named.frames & of.frames and not named.instances & of.instances:
        raise RecordError("dangling_reference", "neither the volume's series nor its frame of reference", remedy)
    return ("references_no_series",)


def plain_names(labels: Sequence[str]) -> list[str]:
    """Lower case, `_` for blanks, and a second structure of one name gets `_2`; the same labels give the same names."""
    names: list[str] = []
    for label in labels:
        printable = "".join(c if c.isprintable() else " " for c in label)
        base = "_".join(printable.lower().split())[:_NAME_LENGTH]
        name, number = base, 1
        while name in names:
            number += 1
            name = f"{base}_{number}"
        names.append(name)
    return names
