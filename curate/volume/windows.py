"""Named CT windows, in Hounsfield units, and voxels as a viewer shows them through one.

The values are those of Radiopaedia's article "Windowing (CT)" (https://radiopaedia.org/articles/windowing-ct), typical
ones that vary between institutions:

    lung -600/1500, mediastinum 50/350, soft_tissue 40/400 (its head and neck range, 20 to 60 / 350 to 400), abdomen
    50/400 (also DeepTumorVQA's: Schuture/DeepTumorVQA@7c15c50, W 400 L 50), liver 30/150, bone 400/1800, brain 40/80,
    subdural 75/215 (middle of its range), stroke 40/40

Centre and width mean what they mean in DICOM: PS3.3 C.11.2.1.2.1, the LINEAR function.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from curate.arrays import Array, Units, Volume
from curate.image import apply_window
from manifests.config import Config
from manifests.errors import Reject

WindowName = Literal["lung", "mediastinum", "soft_tissue", "abdomen", "liver", "bone", "brain", "subdural", "stroke"]

WINDOWS: dict[WindowName, tuple[float, float]] = {  # centre and width, HU
    "lung": (-600.0, 1500.0),
    "mediastinum": (50.0, 350.0),
    "soft_tissue": (40.0, 400.0),
    "abdomen": (50.0, 400.0),
    "liver": (30.0, 150.0),
    "bone": (400.0, 1800.0),
    "brain": (40.0, 80.0),
    "subdural": (75.0, 215.0),
    "stroke": (40.0, 40.0),
}


class WindowLevel(Config):
    """A window of one's own, in HU."""

    centre: float = Field(description="HU shown as middle grey")
    width: float = Field(ge=1, description="HU from black to white")


Window = WindowName | WindowLevel
AnyWindow = Literal["auto"] | WindowName | WindowLevel


def bounds(window: Window) -> tuple[float, float]:
    """(centre, width) in HU."""
    return (window.centre, window.width) if isinstance(window, WindowLevel) else WINDOWS[window]


def label(window: AnyWindow) -> str:
    """How a window is told in `Media.target`: `lung`, `40_400`."""
    return f"{window.centre:g}_{window.width:g}" if isinstance(window, WindowLevel) else window


def to_uint8(voxels: Array, window: Window, units: Units = "HU") -> NDArray[np.uint8]:
    """Voxels of any shape through a window. Raises Reject `not_hu` where they are not in Hounsfield units."""
    require_hu(units, f"the window '{label(window)}'")
    return shown(voxels, bounds(window))


def chosen(volume: Volume, window: AnyWindow) -> tuple[float, float] | None:
    """The (centre, width) for a volume; None: no window, the percentiles of `curate.image.PERCENTILES`.

    `auto`: the volume's own, else soft tissue for HU, else none. Raises Reject `not_hu` for named or numeric ones."""
    if window != "auto":
        require_hu(volume.units, f"the window '{label(window)}'")
        return bounds(window)
    if volume.window is not None:
        return volume.window
    return WINDOWS["soft_tissue"] if volume.units == "HU" else None


def require_hu(units: Units, what: str) -> None:
    """Raises Reject `not_hu`: a window in HU says nothing of other values."""
    if units != "HU":
        raise Reject("not_hu", f"{units} values where {what} needs Hounsfield units", "choose a target without HU")


def shown(voxels: Array, window: tuple[float, float] | None) -> NDArray[np.uint8]:
    """`curate.image.apply_window`, for a stack slice by slice (no copy of the whole as floats), and for 16-bit integers
    through a table of all their values: the same bytes."""
    if window is not None and voxels.dtype in (np.int16, np.uint16) and voxels.size > 1 << 17:
        limits = np.iinfo(voxels.dtype)
        table = apply_window(np.arange(limits.min, limits.max + 1, dtype=np.int32), window)
        turned = np.roll(table, -int(limits.max + 1)) if limits.min < 0 else table
        return turned[voxels.view(np.uint16)]
    if window is None or voxels.ndim < 3:
        return apply_window(voxels, window)
    return np.stack([apply_window(plane, window) for plane in voxels])
