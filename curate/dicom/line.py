"""Slices along a line: where parallel planes lie, whether any is missing, and which way the stack goes.

Preconditions, each refused by its own `RecordError` when it does not hold, with the values found:

    missing_slices      no gap that is a multiple of the others
    nonuniform_spacing  positions on a straight line in equal steps: each within 1 % of the gap of its place, or within
                        0.07 mm (and a quarter of the gap), which is what one decimal of a millimetre leaves
    gantry_tilt         the steps follow the slice normal within 45 degrees

The step is (last - first) / (n - 1), as SimpleITK has it; dcm2niix takes the first gap, which is less true where
positions are rounded. Everything is in LPS+ mm. Standard: DICOM PS3.3 C.7.6.2.1.1.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from curate.arrays import Array
from curate.dicom.tilt import drift_of, straightened
from manifests.errors import RecordError

GAP_TOLERANCE = 1e-2  # of the gap, for each slice's distance from its place on the line
ROUNDING = 0.07  # mm: half of the last digit where positions are written to 0.1 mm, and what the fitted line adds
ROUNDING_OF_GAP = 0.25  # a missing slice moves its neighbours by more, so rounding may not
TILT_TOLERANCE = 2e-3  # tangent of the angle between the steps and the normal: 0.11 degrees
MAX_TILT = 1.0  # that tangent of a stack which still is resampled
MAX_DIGITS = 6  # after the point of a position that are looked at

Vectors = NDArray[np.float64]


def line_of(positions: Vectors, normal: Vectors) -> tuple[Vectors, Vectors, bool]:
    """Of positions (n, 3) that are sorted along the normal: where the first slice lies, the step from slice to slice,
    and whether positions are rounded. Raises RecordError as the module says."""
    gaps = np.diff((positions * normal).sum(axis=1))
    middle = np.sort(gaps)[(len(gaps) - 1) // 2]
    counts = np.rint(gaps / gaps[np.abs(gaps / middle - 1) < 0.5].mean())
    places = np.concatenate([[0.0], np.cumsum(counts)])
    origin, step = _fitted(positions, places)
    gap = float(np.sqrt((step * step).sum()))
    worst = float(np.abs(positions - origin - places[:, None] * step).max())
    allowed = max(GAP_TOLERANCE * gap, min(ROUNDING, ROUNDING_OF_GAP * gap))
    if worst > allowed or bool((counts < 1).any()):
        found = f"gaps from {gaps.min():.4f} to {gaps.max():.4f} mm, a slice {worst:.4f} mm from its place"
        raise RecordError("nonuniform_spacing", found, "resample the series with another tool")
    missing = int((counts - 1).sum())
    if missing:
        raise RecordError(
            "missing_slices", f"{missing} missing of {len(positions) + missing}", "fetch the missing files"
        )
    straight = np.asarray((positions[-1] - positions[0]) / (len(positions) - 1), np.float64)
    off = np.sqrt(((positions - positions[0] - places[:, None] * straight) ** 2).sum(axis=1))
    rounded = float(off.max()) > GAP_TOLERANCE * gap
    origin, step = (origin, step) if rounded else (positions[0], straight)
    along, across = _parts(step, normal)
    _require_little_tilt(across / along)
    gone = len(positions) - 1
    seeming = _rounding_across(positions) + TILT_TOLERANCE * along * gone
    if across > TILT_TOLERANCE * along and across * gone <= seeming:
        return origin, normal * along, True
    return origin, step, rounded


def upright(
    voxels: Array, origin: Vectors, step: Vectors, axes: Vectors, spacing: tuple[float, float]
) -> tuple[Array, Vectors, Vectors, tuple[str, ...]]:
    """Voxels (z, y, x), origin and step of the stack, straightened where it is tilted, with a note that says so.
    `axes` (2, 3) are the unit vectors along which x and y grow, `spacing` (y, x) in mm."""
    normal = np.cross(axes[0], axes[1])
    along, across = _parts(step, normal)
    if across / along <= TILT_TOLERANCE:
        return voxels, origin, step, ()
    drift = drift_of(step, axes, spacing)
    voxels, rows, columns = straightened(voxels, drift)
    origin = origin - axes[0] * spacing[1] * columns - axes[1] * spacing[0] * rows
    return voxels, origin, normal * along, (f"gantry_tilt_corrected:{drift.angle_deg:.2f}deg",)


def _fitted(positions: Vectors, places: Vectors) -> tuple[Vectors, Vectors]:
    """The least-squares line: where place 0 is, and the way from place to place."""
    middle = places.mean()
    weights = (places - middle) / ((places - middle) ** 2).sum()
    step = np.asarray((positions * weights[:, None]).sum(axis=0), np.float64)
    return np.asarray(positions.mean(axis=0) - middle * step, np.float64), step


def _parts(step: Vectors, normal: Vectors) -> tuple[float, float]:
    """How far a step goes along the normal, and aside of it; mm, elementwise: the same on every machine."""
    along = float((step * normal).sum())
    aside = step - along * normal
    return along, float(np.sqrt((aside * aside).sum()))


def _rounding_across(positions: Vectors) -> float:
    """How far aside the ends of a straight stack can seem to lie, in mm, because positions are written with so few
    digits after the point: half of the last one, at both ends, in two directions. Whole numbers count as one digit."""
    for digits in range(1, MAX_DIGITS + 1):
        scaled = positions * 10.0**digits
        if float(np.abs(scaled - np.rint(scaled)).max()) < 1e-3:
            return math.sqrt(2) * 10.0**-digits
    return 0.0


def _require_little_tilt(tangent: float) -> None:
    if tangent > MAX_TILT:
        found = f"{math.degrees(math.atan(tangent)):.2f} degrees"
        raise RecordError("gantry_tilt", found, "split the files by acquisition; these slices are not one stack")
