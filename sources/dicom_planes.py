"""Where each frame of a multi-frame DICOM file lies, from its header alone.

Preconditions, each refused by its own `RecordError`: no_functional_groups, frame_count_mismatch, no_position,
no_orientation, no_pixel_spacing, volume_frame_of_reference, as `sources.dicom_frames` tells them; bad_header.

Standards: DICOM PS3.3 C.7.6.16 (functional groups), C.8.4.15 and C.8.4.17 (nuclear medicine detectors and slices).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from manifests.errors import RecordError

REPAIR = "repair the header with a DICOM toolkit, or leave the file out"


@dataclass(frozen=True, slots=True)
class Plane:
    """One frame in the patient: LPS+ mm of its first voxel's centre, row and column direction cosines, (y, x) mm."""

    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    stack: str = ""
    in_stack: int | None = None


def planes_of(header: Dataset) -> tuple[Plane, ...]:
    """The plane of every frame. Raises RecordError as the preconditions above say."""
    with typed():
        if is_nm(header):
            return _nm_planes(header)
        count = _require_groups(header)
        return tuple(_plane(header, frame) for frame in range(count))


def macro(header: Dataset, frame: int, *path: str) -> Dataset | None:
    """The first item of a functional group of one frame (per frame, else shared), or of a sequence inside it."""
    found = _inside(header.PerFrameFunctionalGroupsSequence[frame], path)
    if found is not None:
        return found
    shared = element_of(header, "SharedFunctionalGroupsSequence")
    return _inside(shared[0], path) if shared else None


def _inside(item: Dataset, path: tuple[str, ...]) -> Dataset | None:
    for keyword in path:
        sequence = element_of(item, keyword)
        if not sequence or not isinstance(sequence[0], Dataset):
            return None
        item = sequence[0]
    return item


def element_of(item: Dataset, keyword: str) -> Any:
    """An element's value, None where it is absent; by tag, which takes pydicom a third of the time of a keyword."""
    element = item.get(_tag(keyword))
    return None if element is None else element.value


@functools.cache
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)


def image_types(header: Dataset) -> tuple[str, ...]:
    """ImageType in upper case."""
    value = header.get("ImageType") or ()
    return tuple(str(v).strip().upper() for v in ([value] if isinstance(value, str) else value))


def frame_count(header: Dataset) -> int:
    """NumberOfFrames, 1 where absent."""
    return max(1, int(header.get("NumberOfFrames") or 1))


def is_nm(header: Dataset) -> bool:
    """A multi-frame nuclear medicine object, whose frames are described by vectors and not by functional groups."""
    return "PerFrameFunctionalGroupsSequence" not in header and is_reconstruction(image_types(header))


def has_detector_plane(header: Dataset) -> bool:
    """Whether a nuclear medicine object says how its first slice lies in the patient."""
    detectors = header.get("DetectorInformationSequence") or (Dataset(),)
    return len(numbers(detectors[0], "ImageOrientationPatient")) == 6


def is_reconstruction(kinds: Sequence[str]) -> bool:
    return any("RECON" in kind and "TOMO" in kind for kind in kinds)


@contextmanager
def typed() -> Iterator[None]:
    try:
        yield
    except RecordError:
        raise
    except Exception as error:
        raise RecordError("bad_header", f"a header that ended in {type(error).__name__}", REPAIR) from error


def _require_groups(header: Dataset) -> int:
    groups, count = header.get("PerFrameFunctionalGroupsSequence"), frame_count(header)
    if not groups:
        found = f"{count} frames and no PerFrameFunctionalGroupsSequence"
        raise RecordError("no_functional_groups", found, "read it as a cine, or export it again as enhanced DICOM")
    if len(groups) != count:
        found = f"{len(groups)} per-frame items for {count} frames"
        raise RecordError("frame_count_mismatch", found, "fetch the file again or repair NumberOfFrames")
    return count


def _plane(header: Dataset, frame: int) -> Plane:
    position = numbers(macro(header, frame, "PlanePositionSequence"), "ImagePositionPatient")
    orientation = numbers(macro(header, frame, "PlaneOrientationSequence"), "ImageOrientationPatient")
    spacing = numbers(macro(header, frame, "PixelMeasuresSequence"), "PixelSpacing")
    if not position and macro(header, frame, "PlanePositionVolumeSequence") is not None:
        found = "positions in the volume's own frame of reference"
        raise RecordError("volume_frame_of_reference", found, "export the volume in patient coordinates")
    where = f"frame {frame + 1} of {frame_count(header)}"
    require(len(position) == 3, "no_position", f"{where} without ImagePositionPatient")
    require(len(orientation) == 6, "no_orientation", f"{where} without ImageOrientationPatient")
    require(len(spacing) == 2 and min(spacing) > 0, "no_pixel_spacing", f"{where} without a positive PixelSpacing")
    content = macro(header, frame, "FrameContentSequence") or Dataset()
    stack, number = str(element_of(content, "StackID") or ""), element_of(content, "InStackPositionNumber")
    return Plane(position, orientation, spacing, stack, None if number is None else int(number))


def require(holds: bool, reason: str, found: str, remedy: str = REPAIR) -> None:
    if not holds:
        raise RecordError(reason, found, remedy)


def numbers(item: Dataset | None, keyword: str) -> tuple[float, ...]:
    """The finite numbers of an element, () where it is absent, empty or not finite."""
    value = None if item is None else element_of(item, keyword)
    if value is None or value == "":
        return ()
    several = (value,) if isinstance(value, (int, float, str)) else tuple(value)
    numbers = tuple(float(v) for v in several)
    return numbers if all(math.isfinite(n) for n in numbers) else ()


def _nm_planes(header: Dataset) -> tuple[Plane, ...]:
    """PS3.3 C.8.4.15 and C.8.4.17: the first slice's plane, and signed steps along its normal."""
    count = frame_count(header)
    places = vector_of(header, "SliceVector", count)
    require(bool(places), "no_functional_groups", f"{count} frames and no SliceVector", "read it as a cine")
    detectors = header.get("DetectorInformationSequence") or (Dataset(),)
    position, orientation = (numbers(detectors[0], f"Image{k}Patient") for k in ("Position", "Orientation"))
    spacing, step = numbers(header, "PixelSpacing"), numbers(header, "SpacingBetweenSlices")
    require(len(orientation) == 6, "no_orientation", "reconstructed slices without ImageOrientationPatient")
    require(len(position) == 3, "no_position", "reconstructed slices without ImagePositionPatient")
    require(len(spacing) == 2 and min(spacing) > 0, "no_pixel_spacing", "reconstructed slices without PixelSpacing")
    require(len(step) == 1 and step[0] != 0, "no_position", "reconstructed slices without SpacingBetweenSlices")
    normal = np.cross(orientation[:3], orientation[3:])
    lines = (np.array(position) + normal * step[0] * (place - 1) for place in places)
    return tuple(
        Plane(tuple(line.tolist()), orientation, spacing, in_stack=int(p))
        for line, p in zip(lines, places, strict=True)
    )


def vector_of(header: Dataset, keyword: str, count: int) -> tuple[float, ...]:
    values = numbers(header, keyword)
    if values and len(values) != count:
        found = f"{len(values)} entries of {keyword} for {count} frames"
        raise RecordError("frame_count_mismatch", found, "fetch the file again or repair NumberOfFrames")
    return values
