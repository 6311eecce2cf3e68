"""Degraded twins: what goes wrong when a picture is taken, sent or stored, at three levels, for the kinds that
MedQ-Deg names (18 of its own and exposure apart from brightness).

`degraded(pixels, kind, level, seed)` is a pure function of uint8 (y, x) or (y, x, 3) to uint8 of the same shape: the
same bytes on every machine. Sums are of integers, tables (sines, kernels) are rounded to whole steps before they are
used, random numbers are raw words of PCG64, and Gaussian noise is a sum of twelve uniform ones (Irwin-Hall); there is
no FFT, no linear algebra and no transcendental function of an array.

    artifact    limited_angle, sparse_view    CT: parallel-beam backprojection from too few directions
                bias_field, undersampling, ghosting    MR: coil shading, left-out phase encodings, periodic motion
                blood_cell, dark_spots, bubble    slides, lenses and contact plates: discs, specks, bright rings
    motion      rotation, random_motion
    intensity   brightness, exposure, reduced_contrast
    noise       gaussian_noise, low_dose    the latter CT: quantum noise of projections, backprojected
    resolution  downsample, motion_blur, gaussian_blur, xray_motion_blur

`MEANINGFUL` says for which modalities a kind is one that occurs there. Simplified: pictures stand for attenuation and
for magnitude as they are, windowed; MR motion is a mean of displaced copies. Pictures longer than 256 pixels get the
CT and k-space artefacts (differences, which are linear) of their shrunk copy, drawn over them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from synth import degrade_acquisition, degrade_optics

Pixels = npt.NDArray[np.uint8]
LEVELS = (1, 2, 3)

_FUNCTIONS: Mapping[str, Callable[[npt.NDArray[Any], int, int], npt.NDArray[Any]]] = MappingProxyType(
    {
        "limited_angle": degrade_acquisition.limited_angle,
        "sparse_view": degrade_acquisition.sparse_view,
        "low_dose": degrade_acquisition.low_dose,
        "undersampling": degrade_acquisition.undersampling,
        "ghosting": degrade_acquisition.ghosting,
        "bias_field": degrade_acquisition.bias_field,
        "random_motion": degrade_acquisition.random_motion,
        "rotation": degrade_optics.rotation,
        "blood_cell": degrade_optics.blood_cell,
        "dark_spots": degrade_optics.dark_spots,
        "bubble": degrade_optics.bubble,
        "brightness": degrade_optics.brightness,
        "exposure": degrade_optics.exposure,
        "reduced_contrast": degrade_optics.reduced_contrast,
        "gaussian_noise": degrade_optics.gaussian_noise,
        "downsample": degrade_optics.downsample,
        "motion_blur": degrade_optics.motion_blur,
        "gaussian_blur": degrade_optics.gaussian_blur,
        "xray_motion_blur": degrade_optics.xray_motion_blur,
    }
)
KINDS = tuple(_FUNCTIONS)
WORDS: Mapping[str, str] = MappingProxyType(
    {
        "limited_angle": "limited-angle scan",
        "sparse_view": "too few CT views",
        "low_dose": "low-dose noise",
        "undersampling": "aliasing artifact",
        "ghosting": "ghosting",
        "bias_field": "bias field",
        "random_motion": "random motion",
        "rotation": "rotation",
        "blood_cell": "stray blood cells",
        "dark_spots": "dark spots",
        "bubble": "air bubbles",
        "brightness": "changed brightness",
        "exposure": "wrong exposure",
        "reduced_contrast": "reduced contrast",
        "gaussian_noise": "Gaussian noise",
        "downsample": "low resolution",
        "motion_blur": "motion blur",
        "gaussian_blur": "Gaussian blur",
        "xray_motion_blur": "patient motion blur",
    }
)
GROUPS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("limited_angle", "sparse_view"), "projections"),
        **dict.fromkeys(("low_dose", "gaussian_noise"), "noise"),
        **dict.fromkeys(("undersampling", "ghosting", "random_motion"), "k-space"),
        **dict.fromkeys(("bias_field", "brightness", "exposure", "reduced_contrast"), "intensity"),
        **dict.fromkeys(("blood_cell", "bubble"), "discs"),
        "dark_spots": "specks",
        "rotation": "rotation",
        **dict.fromkeys(("downsample", "motion_blur", "gaussian_blur", "xray_motion_blur"), "blur"),
    }
)  # kinds of one group may be mistaken for each other, so they are no wrong options beside each other
_XRAY = ("CR", "DX", "MG", "XA", "RF")
_LENS = ("ES", "OP", "DMS", "XC")
MEANINGFUL: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "limited_angle": frozenset({"CT"}),
        "sparse_view": frozenset({"CT"}),
        "low_dose": frozenset({"CT"}),
        "undersampling": frozenset({"MR"}),
        "ghosting": frozenset({"MR"}),
        "bias_field": frozenset({"MR"}),
        "random_motion": frozenset({"MR", "CT", "OPT"}),
        "rotation": frozenset({"CT", "MR", *_XRAY, "OP", "DMS", "XC"}),
        "blood_cell": frozenset({"SM"}),
        "dark_spots": frozenset({"SM", *_LENS}),
        "bubble": frozenset({"SM", "ES", "DMS"}),
        "brightness": frozenset({*_XRAY, *_LENS, "SM", "US"}),
        "exposure": frozenset({*_XRAY, *_LENS, "SM"}),
        "reduced_contrast": frozenset({*_XRAY, *_LENS, "SM", "US", "CT", "MR"}),
        "gaussian_noise": frozenset({"MR", *_XRAY, *_LENS, "OPT", "US"}),
        "downsample": frozenset({"CT", "MR", *_XRAY, *_LENS, "SM", "US", "OPT"}),
        "motion_blur": frozenset({*_LENS, "US"}),
        "gaussian_blur": frozenset({"CT", "MR", *_LENS, "SM", "US", "OPT"}),
        "xray_motion_blur": frozenset(_XRAY),
    }
)  # DICOM modality codes


def degraded(pixels: Pixels, kind: str, level: int, seed: int) -> Pixels:
    """The degraded copy; `seed` decides where and which way, `level` 1 to 3 how strongly.

    Raises ValueError for an unknown kind or level, and for anything but uint8 (y, x) or (y, x, 3) of 8 pixels a side.
    """
    if kind not in _FUNCTIONS or level not in LEVELS:
        raise ValueError(f"no degradation {kind[:30]!r} at level {level}; levels 1 to 3 of {', '.join(KINDS)}")
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)):
        raise ValueError("a degradation is of uint8 (y, x) or (y, x, 3)")
    if min(pixels.shape[:2]) < 8:
        raise ValueError(f"a picture of {pixels.shape[0]} x {pixels.shape[1]} pixels is too small to be degraded")
    made = _FUNCTIONS[kind](pixels, level, seed)
    return np.ascontiguousarray(np.clip(made, 0, 255).astype(np.uint8))


def kinds_for(modality: str) -> tuple[str, ...]:
    """The kinds that are meaningful for a DICOM modality code."""
    return tuple(kind for kind in KINDS if modality.upper() in MEANINGFUL[kind])
