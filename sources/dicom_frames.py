"""How the frames of one DICOM file fall into volumes, from its header alone.

Preconditions, each refused by its own `RecordError` when it does not hold, with the values found:

    no_functional_groups   multi-frame objects describe every frame (NM: slice vector and detector instead)
    frame_count_mismatch   as many per-frame items, or vector entries, as NumberOfFrames
    no_position, no_orientation, no_pixel_spacing    every frame has a plane in the patient's coordinate system
    volume_frame_of_reference                        and not only in the transducer's
    bad_dimension_index    as many index values as dimensions
    dimension_contradicts_position  one in-stack position number is one place, and one place one number
    incomplete_volumes     every place of a stack has the same time points, echoes, b-values, components, ...
    duplicate_positions    something besides the position tells the frames of one place apart
    shifted_positions      the frames of one place lie on each other

A stack is a StackID and an orientation. Within it, the frames of one place are told apart by the dimensions (PS3.3
C.7.6.17) and by the attributes of `_COLUMNS`, whichever vary there; when a column differs between places as well, as
acquisition times do, its rank within the place counts. Values that only follow the position split nothing.

Standards: DICOM PS3.3 C.7.6.16 (functional groups), C.7.6.17 (dimensions), C.8.4 (nuclear medicine). Covered: enhanced
and legacy-converted CT, MR, PET; breast tomosynthesis, 3D angiography, ophthalmic tomography with functional groups;
reconstructed NM tomography; Siemens mosaics (one frame here: `curate.dicom.mosaic` cuts it). Not covered: pixel data,
even steps along the normal (the reader checks them), volumes spread over several files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset

from manifests.errors import RecordError
from sources.dicom_planes import (
    REPAIR,
    Plane,
    element_of,
    frame_count,
    has_detector_plane,
    image_types,
    is_nm,
    macro,
    numbers,
    planes_of,
    require,
    typed,
    vector_of,
)

SAME_PLACE = 1e-2  # mm along the normal between two frames of one place
SAME_DIRECTION = 1e-3  # of direction cosines

_NEVER = frozenset(
    {
        uid.SegmentationStorage,
        uid.RTDoseStorage,
        uid.ParametricMapStorage,
        "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation Storage
        uid.VLWholeSlideMicroscopyImageStorage,
        "1.2.840.10008.5.1.4.1.1.77.1.9",  # Confocal Microscopy Tiled Pyramidal Image Storage
    }
)
_ALWAYS = frozenset(
    {
        uid.EnhancedCTImageStorage,
        uid.EnhancedMRImageStorage,
        uid.EnhancedMRColorImageStorage,
        uid.EnhancedPETImageStorage,
        uid.EnhancedUSVolumeStorage,
        uid.LegacyConvertedEnhancedCTImageStorage,
        uid.LegacyConvertedEnhancedMRImageStorage,
        uid.LegacyConvertedEnhancedPETImageStorage,
        uid.BreastTomosynthesisImageStorage,
        uid.XRay3DAngiographicImageStorage,
        uid.XRay3DCraniofacialImageStorage,
        uid.OphthalmicTomographyImageStorage,
    }
)
_FRAME_TYPES = (
    "MRImageFrameTypeSequence", "CTImageFrameTypeSequence", "PETFrameTypeSequence", "XRay3DFrameTypeSequence",
)  # fmt: skip
_POSITIONS = frozenset(
    {
        "InStackPositionNumber", "ImagePositionPatient", "ImagePositionVolume", "SliceLocation",
        "PlanePositionSequence", "PlaneOrientationSequence", "ImageOrientationPatient", "StackID",
    }
)  # fmt: skip
_TIMES = frozenset(
    {
        "FrameAcquisitionNumber", "FrameAcquisitionDateTime", "FrameReferenceDateTime", "TemporalPositionTimeOffset",
        "ActualCardiacTriggerDelayTime", "FrameLabel", "InstanceNumber",
    }
)  # fmt: skip
_NM_VECTORS = (
    "EnergyWindowVector", "DetectorVector", "PhaseVector", "RotationVector", "RRIntervalVector", "TimeSlotVector",
    "TimeSliceVector",
)  # fmt: skip

_RANK = 2  # the kind of a key's part that is a rank and no value

Value = tuple[float, ...] | str
Facts = tuple[tuple[str, str, str], ...]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FrameGroup:
    """One volume: 0-based frame numbers sorted along the slice normal (rows x columns), and the facts (name, value,
    unit) that tell it from the file's other volumes; () where it is the only one."""

    frames: tuple[int, ...]
    facts: Facts = ()


@dataclass(frozen=True, slots=True)
class _Column:
    """One attribute of every frame that may tell volumes apart. `strict`: it must take the same values everywhere."""

    fact: str  # "" where it splits without being a fact of its own
    unit: str
    keyword: str
    values: tuple[Value, ...]
    strict: bool


# fact, unit, sequences to look into (within the functional groups), attribute, strict
_COLUMNS: tuple[tuple[str, str, tuple[str, ...], str, bool], ...] = (
    ("time_point", "", ("FrameContentSequence",), "TemporalPositionIndex", True),
    ("time_point", "", ("TemporalPositionSequence",), "TemporalPositionTimeOffset", False),
    ("trigger_time_ms", "ms", ("CardiacSynchronizationSequence",), "NominalCardiacTriggerDelayTime", False),
    ("echo_time_ms", "ms", ("MREchoSequence",), "EffectiveEchoTime", False),
    ("inversion_time_ms", "ms", ("MRModifierSequence",), "InversionTimes", False),
    ("flip_angle_deg", "degree", ("MRTimingAndRelatedParametersSequence",), "FlipAngle", False),
    ("kvp", "kV", ("CTXRayDetailsSequence",), "KVP", False),
    ("b_value_s_mm2", "s/mm**2", ("MRDiffusionSequence",), "DiffusionBValue", True),
    ("image_type", "", ("MRDiffusionSequence",), "DiffusionDirectionality", True),
    ("gradient_direction", "", ("MRDiffusionSequence", "DiffusionGradientDirectionSequence"),
     "DiffusionGradientOrientation", True),
    ("image_type", "", _FRAME_TYPES[:1], "ComplexImageComponent", True),
    ("image_type", "", _FRAME_TYPES, "FrameType", False),
)  # fmt: skip
_LAST_RESORT = (  # told apart by these only where nothing above does
    (("FrameContentSequence",), "FrameAcquisitionNumber"),
    (("FrameContentSequence",), "FrameReferenceDateTime"),
    (("FrameContentSequence",), "FrameAcquisitionDateTime"),
    (("CardiacSynchronizationSequence",), "ActualCardiacTriggerDelayTime"),
)


def holds_volumes(header: Dataset) -> bool:
    """Whether one file is one volume or several: by class, by frames with positions, mosaic, reconstructed tomography.

    Reconstructed nuclear slices count only where the detector says how they lie: without, they are shown as a cine.
    False for segmentations, dose grids, parametric maps and whole slides. Raises RecordError `bad_header`.
    """
    with typed():
        sop_class, kinds = str(header.get("SOPClassUID") or ""), image_types(header)
        if not int(header.get("Rows") or 0) or sop_class in _NEVER:
            return False
        if sop_class in _ALWAYS or "MOSAIC" in kinds or "VOLUME" in kinds[2:3]:
            return True
        groups = header.get("PerFrameFunctionalGroupsSequence") or ()
        placed = any("PlanePositionSequence" in group for group in groups)
        return frame_count(header) > 1 and (placed or (is_nm(header) and has_detector_plane(header)))


def volumes_of(header: Dataset) -> tuple[FrameGroup, ...]:
    """The volumes of one file, in a fixed order: stacks as they first appear, then time, trigger, echo, b-value, type.

    A header without its pixels suffices. Every frame is in exactly one group. A mosaic is one group of frame 0. Raises
    RecordError for the preconditions above and `bad_header` for what cannot be parsed.
    """
    with typed():
        if "MOSAIC" in image_types(header):
            return (FrameGroup((0,)),)
        planes = planes_of(header)
        columns = _nm_columns(header) if is_nm(header) else _enhanced_columns(header)
        stacks = _stacks(planes)
        groups: list[FrameGroup] = []
        for number, frames in enumerate(stacks):
            facts = (("stack", str(number + 1), ""),) if len(stacks) > 1 else ()
            groups += _split(planes, frames, columns, facts)
        return tuple(groups)


def _nm_columns(header: Dataset) -> list[_Column]:
    count = frame_count(header)
    vectors = ((k, vector_of(header, k, count)) for k in _NM_VECTORS)
    return [
        _Column("time_point" if k.startswith("Time") else "", "", k, tuple((v,) for v in values), strict=True)
        for k, values in vectors
        if values
    ]


def _enhanced_columns(header: Dataset) -> list[_Column]:
    count = frame_count(header)
    columns = [
        _Column(fact, unit, keyword, _attribute(header, count, paths, keyword), strict)
        for fact, unit, paths, keyword, strict in _COLUMNS
    ]
    known = {column.keyword for column in columns}
    for pointer, values in _dimensions(header, count):
        if pointer not in known | _POSITIONS:
            columns.append(
                _Column("time_point" if pointer in _TIMES else "", "", pointer, values, pointer not in _TIMES)
            )
    columns += [_Column("time_point", "", k, _attribute(header, count, p, k), strict=False) for p, k in _LAST_RESORT]
    return [column for column in columns if len(set(column.values)) > 1]


def _attribute(header: Dataset, count: int, paths: tuple[str, ...], keyword: str) -> tuple[Value, ...]:
    """One attribute of every frame; `paths` are alternatives, except that a nested sequence follows its parent."""
    nested = len(paths) == 2 and paths[0] == "MRDiffusionSequence"
    ways = (paths,) if nested else tuple((p,) for p in paths)
    return tuple(_value(header, frame, ways, keyword) for frame in range(count))


def _value(header: Dataset, frame: int, ways: tuple[tuple[str, ...], ...], keyword: str) -> Value:
    for way in ways:
        item = macro(header, frame, *way)
        value = None if item is None else element_of(item, keyword)
        if value is None or value == "":
            continue
        several = (value,) if isinstance(value, (str, int, float)) else tuple(value)
        if any(isinstance(v, str) for v in several):
            return "\\".join(str(v).strip() for v in several)
        return tuple(float(v) for v in several)
    return ""


def _dimensions(header: Dataset, count: int) -> list[tuple[str, tuple[Value, ...]]]:
    """(keyword of the attribute that is indexed, index of every frame) of each dimension."""
    sequence = header.get("DimensionIndexSequence") or ()
    pointers = [keyword_for_tag(item.DimensionIndexPointer) or str(item.DimensionIndexPointer) for item in sequence]
    if not pointers:
        return []
    rows: list[tuple[float, ...]] = []
    for frame in range(count):
        values = numbers(macro(header, frame, "FrameContentSequence"), "DimensionIndexValues")
        if len(values) != len(pointers):
            found = f"{len(values)} index values for {len(pointers)} dimensions in frame {frame + 1}"
            raise RecordError("bad_dimension_index", found, REPAIR)
        rows.append(values)
    return [(pointer, tuple((row[i],) for row in rows)) for i, pointer in enumerate(pointers)]


def _stacks(planes: Sequence[Plane]) -> list[list[int]]:
    """Frames of one StackID and one orientation, in order of first appearance."""
    known: list[tuple[str, Floats]] = []
    stacks: list[list[int]] = []
    for frame, plane in enumerate(planes):
        cosines = np.array(plane.orientation)
        for (stack, other), frames in zip(known, stacks, strict=True):
            if stack == plane.stack and np.abs(cosines - other).max() <= SAME_DIRECTION:
                frames.append(frame)
                break
        else:
            known.append((plane.stack, cosines))
            stacks.append([frame])
    return stacks


def _split(planes: Sequence[Plane], frames: list[int], columns: Sequence[_Column], facts: Facts) -> list[FrameGroup]:
    """One stack's frames as volumes that have one frame in each of its places."""
    places = _places(planes, frames)
    _require_in_stack(planes, places)
    counts = sorted({len(place) for place in places})
    if len(counts) > 1:
        found = f"from {counts[0]} to {counts[-1]} frames in {len(places)} places"
        raise RecordError("incomplete_volumes", found, "fetch the complete file, or export its volumes one by one")
    keys, telling = _keys(places, columns)
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for place in places:
        for frame in place:
            groups[keys[frame]].append(frame)
    made = [FrameGroup(tuple(groups[key]), facts + _facts(key, telling, keys)) for key in sorted(groups)]
    return _without_needless(made)


def _places(planes: Sequence[Plane], frames: list[int]) -> list[list[int]]:
    """Frames by place along the normal, each place's in file order."""
    positions = np.array([planes[f].position for f in frames])
    cosines = planes[frames[0]].orientation
    normal = np.cross(cosines[:3], cosines[3:])
    along = positions[:, 0] * normal[0] + positions[:, 1] * normal[1] + positions[:, 2] * normal[2]
    order = np.argsort(along, kind="stable")
    places: list[list[int]] = []
    for i, index in enumerate(order.tolist()):
        if i and along[index] - along[order[i - 1]] <= SAME_PLACE:
            places[-1].append(index)
        else:
            places.append([index])
    for place in places:
        spread = float(np.ptp(positions[place], axis=0).max())
        require(spread <= 2 * SAME_PLACE, "shifted_positions", f"frames of one place {spread:.3f} mm apart")
    return [sorted(frames[i] for i in place) for place in places]


def _require_in_stack(planes: Sequence[Plane], places: list[list[int]]) -> None:
    numbers = [{planes[f].in_stack for f in place} for place in places]
    distinct = {n for one in numbers for n in one}
    if None in distinct:
        return
    if any(len(one) > 1 for one in numbers) or len(distinct) != len(places):
        found = f"{len(distinct)} in-stack position numbers for {len(places)} places"
        raise RecordError("dimension_contradicts_position", found, REPAIR)


def _keys(places: list[list[int]], columns: Sequence[_Column]) -> tuple[dict[int, tuple[Any, ...]], list[_Column]]:
    """A key for every frame that is unique within its place and takes the same values in every place."""
    keys: dict[int, tuple[Any, ...]] = {frame: () for place in places for frame in place}
    telling: list[_Column] = []
    for column in columns:
        if column.keyword in _TIMES:
            continue
        same = len({tuple(sorted(_order(column.values[f]) for f in place)) for place in places}) == 1
        varies = len({column.values[f] for f in places[0]}) > 1
        if column.strict and not same:
            found = f"{column.keyword} that takes other values in some places than in others"
            raise RecordError("incomplete_volumes", found, "fetch the complete file, or export its volumes one by one")
        if same and varies:
            telling.append(column)
            keys = {frame: (*key, _order(column.values[frame])) for frame, key in keys.items()}
    for column in columns:
        if _unique(places, keys):
            break
        if column not in telling and column.fact in ("time_point", "trigger_time_ms") and _ranks(places, keys, column):
            telling.append(column)
    if not _unique(places, keys):
        found = f"{len(places[0])} frames in each of {len(places)} places that nothing tells apart"
        raise RecordError("duplicate_positions", found, "remove the doubled frames, or repair the dimension index")
    return keys, telling


def _order(value: Value) -> tuple[int, Value]:
    return (1, value) if isinstance(value, tuple) else (0, value)


def _unique(places: list[list[int]], keys: dict[int, tuple[Any, ...]]) -> bool:
    first = sorted(keys[f] for f in places[0])
    return len(set(first)) == len(first) and all(sorted(keys[f] for f in place) == first for place in places)


def _ranks(places: list[list[int]], keys: dict[int, tuple[Any, ...]], column: _Column) -> bool:
    """Extend the keys by the rank of a column's value among the frames of one place and key, if they all differ."""
    ranked: dict[int, int] = {}
    for place in places:
        alike: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for frame in place:
            alike[keys[frame]].append(frame)
        for frames in alike.values():
            values = sorted(_order(column.values[f]) for f in frames)
            if len(set(values)) != len(values):
                return False
            ranked.update({f: values.index(_order(column.values[f])) for f in frames})
    for frame, rank in ranked.items():
        keys[frame] = (*keys[frame], (_RANK, (float(rank),)))
    return True


def _facts(key: tuple[Any, ...], telling: Sequence[_Column], keys: dict[int, tuple[Any, ...]]) -> Facts:
    """What tells one volume from the others; of several columns of one name the first, but all image types."""
    facts: dict[str, tuple[str, str, str]] = {}
    types: list[str] = []
    for i, column in enumerate(telling):
        kind, value = key[i]
        if column.fact == "time_point" or kind == _RANK:
            values = sorted({k[i] for k in keys.values()})
            facts.setdefault("time_point", ("time_point", str(values.index(key[i]) + 1), ""))
            facts.setdefault("time_points", ("time_points", str(len(values)), ""))
        elif column.fact == "image_type":
            types += [t for t in _shown(value).split(", ") if t and t not in types]
        elif not column.fact:
            facts[column.keyword] = ("dimension", f"{column.keyword}={_shown(value)}", "")
        elif value != "":
            facts.setdefault(column.fact, (column.fact, _shown(value), column.unit))
    named = (("image_type", ", ".join(types), ""),) if types else ()
    return (*facts.values(), *named)


def _without_needless(groups: list[FrameGroup]) -> list[FrameGroup]:
    """Bare dimension numbers are facts only where nothing better tells the volumes apart."""
    plain = [FrameGroup(g.frames, tuple(f for f in g.facts if f[0] != "dimension")) for g in groups]
    return plain if len({g.facts for g in plain}) == len(plain) else groups


def _shown(value: Value) -> str:
    if isinstance(value, str):
        return value.replace("\\", ", ")
    return ",".join(f"{v:.6f}".rstrip("0").rstrip(".") for v in value)
