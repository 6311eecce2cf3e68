"""2D images that are not DICOM: PNG, JPEG, TIFF, BMP, GIF and WebP to an `Image`, and an `Image` to what a model sees.

Read as: 1-bit and 8-bit grey -> uint8 (y, x); 16-bit grey -> `narrow`; 32-bit integer and float TIFF -> `narrow`;
palette, YCbCr, CMYK and LAB -> RGB uint8; 16-bit-per-channel colour PNG -> its high bytes (Pillow decodes no more).
An alpha channel is composited over black, which changes nothing where it is opaque. EXIF orientation is applied and all
other metadata dropped. Units are `display`; there is no spacing, because a print resolution is not a physical size.

Covered: the first frame of an animated GIF, PNG or WebP. Not covered, and refused: TIFF of several pages (a stack or a
slide pyramid: `multi_page`), JPEG 2000, SVG and every other format (`corrupt_image`: no signature of ours).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import PIL.TiffImagePlugin
from numpy.typing import NDArray

from curate.arrays import Array, Image, narrow
from curate.guard import check_file, typed
from manifests.errors import RecordError, Reject

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")
MAX_PIXELS = 1 << 27  # below Pillow's own bomb limit
MIN_SIDE = 28  # one patch of the vision encoders in use
BLANK_STD = 1.0  # of 256 display levels
PERCENTILES = (0.5, 99.5)  # of finite pixels: the window where the source gives none

_TIFF_PHOTOMETRIC, _TIFF_SAMPLE_FORMAT, _WHITE_IS_ZERO = 262, 339, 0


def read_image(path: Path, max_pixels: int = MAX_PIXELS) -> Image:
    """One image file as an `Image` in display units, upright.

    Raises RecordError: `unreadable_file`, `too_large` (more than `max_pixels`, known before decoding), `multi_page`,
    `corrupt_image` (truncated, broken, or none of the formats above).
    """
    check_file(path)
    with typed("corrupt_image", "fetch the file again or convert it to PNG"), _open(path) as opened:
        _check_size(opened, max_pixels)
        _check_pages(opened)
        inverted = _is_white_zero(opened)
        opened.load()
        upright = PIL.ImageOps.exif_transpose(opened)
        pixels = _pixels(upright)
        _check_unsigned(opened, pixels)
    return Image(pixels, "display", inverted=inverted)


def _open(path: Path) -> PIL.Image.Image:
    try:
        return PIL.Image.open(path, formats=FORMATS)
    except PIL.Image.DecompressionBombError as error:
        raise _too_large("far more", MAX_PIXELS) from error
    except PIL.UnidentifiedImageError as error:
        found = "no readable PNG, JPEG, TIFF, BMP, GIF or WebP header"
        raise RecordError("corrupt_image", found, "fetch the file again or convert it to PNG") from error


def _check_size(opened: PIL.Image.Image, max_pixels: int) -> None:
    width, height = opened.size
    if width * height > max_pixels:
        raise _too_large(f"{width} x {height}", max_pixels)


def _too_large(found: str, max_pixels: int) -> RecordError:
    return RecordError("too_large", f"{found} pixels", f"at most {max_pixels} pixels are read; tile it first")


def _check_pages(opened: PIL.Image.Image) -> None:
    if isinstance(opened, PIL.TiffImagePlugin.TiffImageFile) and opened.n_frames > 1:
        raise RecordError(
            "multi_page", f"{opened.n_frames} TIFF pages", "give one file per image, or read it as a stack"
        )


def _is_white_zero(opened: PIL.Image.Image) -> bool:
    """Pillow turns 1-bit and 8-bit WhiteIsZero round itself, deeper TIFF not."""
    if not isinstance(opened, PIL.TiffImagePlugin.TiffImageFile) or opened.mode in ("1", "L", "P", "RGB"):
        return False
    return opened.tag_v2.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO


def _check_unsigned(opened: PIL.Image.Image, pixels: Array) -> None:
    """Pillow reads 32-bit unsigned TIFF into signed integers, so large values would come out negative."""
    if opened.mode == "I" and isinstance(opened, PIL.TiffImagePlugin.TiffImageFile):
        unsigned = set(opened.tag_v2.get(_TIFF_SAMPLE_FORMAT, (1,))) == {1}
        if unsigned and pixels.min() < 0:
            raise RecordError("lossy_dtype", "32-bit unsigned values above 2147483647", "rescale the values")


def _pixels(opened: PIL.Image.Image) -> Array:
    mode = opened.mode
    if mode in ("1", "L", "RGB"):
        return np.array(opened.convert("L") if mode == "1" else opened, dtype=np.uint8)
    if mode.startswith("I") or mode == "F":
        return narrow(np.asarray(opened))
    if opened.has_transparency_data:
        colour = opened.convert("RGBA")
        black = PIL.Image.new("RGBA", colour.size, (0, 0, 0, 255))
        flat = PIL.Image.alpha_composite(black, colour)
        return np.array(flat.convert("L" if mode in ("LA", "La") else "RGB"), dtype=np.uint8)
    return np.array(opened.convert("RGB"), dtype=np.uint8)


def to_display(image: Image) -> NDArray[np.uint8]:
    """The image as a viewer shows it: uint8 (y, x) or (y, x, 3), black is 0.

    With a window: the LINEAR function of DICOM PS3.3 C.11.2.1.2.1, rounded to nearest. Without: uint8 as it is, other
    dtypes stretched between the `PERCENTILES` of their finite pixels. `inverted` images (MONOCHROME1) are turned round.
    Colour is unchanged. NaN is shown as the lowest value. Padding outside a detector or scan circle is a value like any
    other. Not covered: SIGMOID and LINEAR_EXACT functions and VOI look-up tables, whose images show by their window.
    """
    pixels = image.pixels
    if pixels.ndim == 3:
        return np.ascontiguousarray(pixels, np.uint8)
    shown = apply_window(pixels, image.window)
    return np.subtract(255, shown, dtype=np.uint8) if image.inverted else shown


def apply_window(values: Array, window: tuple[float, float] | None) -> NDArray[np.uint8]:
    """Values of any shape as uint8 by the rule of `to_display`."""
    if window is None and values.dtype == np.uint8:
        return np.ascontiguousarray(values, np.uint8)
    if window is None:
        low, high = _percentile_range(values)
    else:
        centre, width = window
        low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
    finite = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
    if high <= low:  # a width of 1 is a threshold: PS3.3 C.11.2.1.2.1
        return np.where(finite > high, 255, 0).astype(np.uint8)
    return np.rint(np.clip((finite - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def _percentile_range(values: Array) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 0.0
    low, high = np.percentile(finite, PERCENTILES)
    if low == high:  # a small bright thing on a flat ground
        low, high = finite.min(), finite.max()
    return float(low), float(high)


def fit(pixels: NDArray[np.uint8], max_side: int | None) -> tuple[NDArray[np.uint8], float]:
    """uint8 (y, x[, c]) shrunk so that the longer side is at most `max_side`, and new size / old size (1.0: untouched).

    Never enlarged. Lanczos with its support widened to the input's scale (Pillow), so that nothing aliases.
    """
    height, width = pixels.shape[:2]
    longest = max(height, width)
    if max_side is None or longest <= max_side:
        return pixels, 1.0
    scale = max_side / longest
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = PIL.Image.fromarray(pixels).resize(size, PIL.Image.Resampling.LANCZOS)
    return np.array(resized, dtype=np.uint8), scale


def quality(image: Image, min_side: int = MIN_SIDE) -> None:
    """Refuse what no model can learn from. Raises Reject: `too_small` (a side below `min_side` pixels), `blank` (the
    displayed image's standard deviation is below one of 256 levels)."""
    height, width = image.pixels.shape[:2]
    if min(height, width) < min_side:
        raise Reject("too_small", f"{height} x {width} pixels (y, x), at least {min_side} wanted")
    spread = float(np.std(to_display(image), axis=(0, 1)).max())
    if spread < BLANK_STD:
        raise Reject("blank", f"a standard deviation of {spread:.3f} of 256 levels")
