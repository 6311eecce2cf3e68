"""2D images that are not DICOM: PNG, JPEG, TIFF, BMP, GIF and WebP to an `Image`, and an `Image` to what a model sees.

Read as: 1-bit and 8-bit grey -> uint8 (y, x); 16-bit grey -> `narrow`; 32-bit integer and float TIFF -> `narrow`;
palette, YCbCr, CMYK and LAB -> RGB uint8; 16-bit-per-channel colour PNG and TIFF -> its high bytes (Pillow decodes no
more). CMYK becomes RGB as R = (255 - C)(255 - K) / 255, and JPEG's CMYK is inverted first, as Adobe writes it; no
colour profile is applied. An alpha channel is composited over black, which changes nothing where it is opaque. EXIF
orientation is applied and all other metadata dropped. Units are `display`; there is no spacing, because a print
resolution is not a physical size.

Of an animated GIF, PNG or WebP the first frame is read (note `first_of_N_frames`; a GIF's are counted to 1000). Of a
slide pyramid (tiled TIFF with smaller copies of itself; Aperio SVS) the largest level that has at most `max_pixels` is
read (note `slide_level_K`), with the spacing of Aperio's MPP; label and macro pages, which show the glass and its
sticker, never are. Any other TIFF of several pages is a stack and refused: `multi_page`. A picture of more than 33
million pixels that has 50 of them in a byte is refused. Not covered: slides whose tiles are JPEG 2000, JPEG 2000 files,
SVG and every other format (`corrupt_image`: no signature of ours).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.GifImagePlugin
import PIL.Image
import PIL.ImageOps
import PIL.TiffImagePlugin
from numpy.typing import NDArray

from curate.arrays import Array, Image, VoiFunction, Window, narrow
from curate.guard import check_file, typed
from curate.image.structure import check_structure, require_rows
from curate.image.usable import MIN_SIDE as MIN_SIDE
from curate.image.usable import judge
from manifests.errors import RecordError

_REMEDY = "fetch the file again or convert it to PNG"
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")
MAX_PIXELS = 1 << 27  # below Pillow's own bomb limit
MOST_SWOLLEN, MAX_SWELLING = 1 << 25, 50  # pixels; beyond so many, for each byte of the file: a JPEG's least is 57
PERCENTILES = (0.5, 99.5)  # of finite pixels: the window where the source gives none

_BLOCK = 1 << 18  # values converted at a time
_TIFF_PHOTOMETRIC, _TIFF_SAMPLE_FORMAT, _WHITE_IS_ZERO = 262, 339, 0
_TIFF_DESCRIPTION, _TIFF_TILE_WIDTH, _TIFF_COMPRESSION = 270, 322, 259
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_APERIO_MPP = re.compile(r"\|\s*MPP\s*=\s*(\d+\.?\d*)")


@dataclass(frozen=True, slots=True)
class _Level:
    page: int
    width: int
    height: int


def read_image(path: Path, max_pixels: int = MAX_PIXELS) -> Image:
    """One image file as an `Image` in display units, upright.

    Raises RecordError: `unreadable_file`, `too_large` (more than `max_pixels`, known before decoding), `multi_page`,
    `whole_slide` (a pyramid without a level that small), `corrupt_image` (truncated, broken, or none of the formats
    above).
    """
    size = check_file(path)
    with typed("corrupt_image", _REMEDY, "a picture on which the decoder stopped"):
        frames = check_structure(path)
    with typed("corrupt_image", _REMEDY, "a picture on which the decoder stopped"), _open(path) as opened:
        spacing, notes = _choose_page(opened, frames, max_pixels)
        _check_size(opened, max_pixels, size)
        require_rows(path)
        inverted = _is_white_zero(opened)
        opened.load()
        upright = PIL.ImageOps.exif_transpose(opened)
        pixels = _pixels(upright)
        _check_unsigned(opened, pixels)
    return Image(pixels, "display", spacing, inverted=inverted, notes=notes)


def _open(path: Path) -> PIL.Image.Image:
    with path.open("rb") as stream:
        tiff = stream.read(4) in _TIFF_MAGIC
    try:
        # Pillow's limit speaks of the first page, which in a slide is the largest level; sizes are checked here.
        return PIL.TiffImagePlugin.TiffImageFile(path) if tiff else PIL.Image.open(path, formats=FORMATS)
    except PIL.Image.DecompressionBombError as error:
        raise _too_large("far more", MAX_PIXELS) from error
    except (PIL.UnidentifiedImageError, SyntaxError) as error:
        found = "no readable PNG, JPEG, TIFF, BMP, GIF or WebP header"
        raise RecordError("corrupt_image", found, _REMEDY) from error


def _check_size(opened: PIL.Image.Image, max_pixels: int, size: int) -> None:
    width, height = opened.size
    if width * height > max_pixels:
        raise _too_large(f"{width} x {height}", max_pixels)
    if width * height > max(MOST_SWOLLEN, MAX_SWELLING * size):
        found = f"{width} x {height} pixels in {size} bytes"
        raise RecordError("too_large", found, "shrink it: there is next to nothing in so many pixels")


def _too_large(found: str, max_pixels: int) -> RecordError:
    return RecordError("too_large", f"{found} pixels", f"at most {max_pixels} pixels are read; tile it first")


def _choose_page(
    opened: PIL.Image.Image, counted: int, max_pixels: int
) -> tuple[tuple[float, float] | None, tuple[str, ...]]:
    """Move a TIFF to the page to read; the spacing in mm where a slide states it, and notes."""
    gif = isinstance(opened, PIL.GifImagePlugin.GifImageFile)  # Pillow counts by walking through all of it
    frames = counted if gif else int(getattr(opened, "n_frames", 1))
    if frames == 1:
        return None, ()
    if not isinstance(opened, PIL.TiffImagePlugin.TiffImageFile):
        return None, (f"first_of_{frames}_frames",)
    levels = _slide_levels(opened, frames)
    if not levels:
        remedy = "give one file per image, or read it as a stack"
        raise RecordError("multi_page", f"{frames} TIFF pages", remedy)
    fitting = [k for k, level in enumerate(levels) if level.width * level.height <= max_pixels]
    if not fitting:
        smallest = levels[-1]
        found = f"a slide whose smallest level has {smallest.width} x {smallest.height} pixels"
        raise RecordError("whole_slide", found, f"cut it into tiles of at most {max_pixels} pixels")
    chosen = levels[fitting[0]]
    opened.seek(0)
    aperio = _APERIO_MPP.search(str(opened.tag_v2.get(_TIFF_DESCRIPTION, "")))
    opened.seek(chosen.page)
    spacing = None
    if aperio and float(aperio[1]) > 0:
        mm = float(aperio[1]) / 1000
        spacing = (mm * levels[0].height / chosen.height, mm * levels[0].width / chosen.width)
    return spacing, (f"slide_level_{fitting[0]}",)


def _slide_levels(opened: PIL.TiffImagePlugin.TiffImageFile, frames: int) -> list[_Level]:
    """The levels of a slide, largest first; () where the pages are no pyramid.

    A pyramid starts with a tiled page; every other page is smaller, and is a level where it is tiled and has the first
    page's proportions (to two pixels), else a thumbnail, label or macro picture. At least one further level, or
    Aperio's description, must say that it is one.
    """
    pages: list[tuple[_Level, bool]] = []
    aperio = False
    for page in range(frames):
        opened.seek(page)
        width, height = opened.size
        pages.append((_Level(page, width, height), _TIFF_TILE_WIDTH in opened.tag_v2))
        aperio |= page == 0 and str(opened.tag_v2.get(_TIFF_DESCRIPTION, "")).startswith("Aperio")
    opened.seek(0)
    base, tiled = pages[0]
    if not tiled or any(p.width * p.height >= base.width * base.height for p, _ in pages[1:]):
        return []
    below = [p for p, is_tiled in pages[1:] if is_tiled and _same_shape(base, p)]
    if not below and not aperio:
        return []
    return [base, *sorted(below, key=lambda p: (-p.width * p.height, p.page))]


def _same_shape(base: _Level, other: _Level) -> bool:
    return abs(base.height * other.width / base.width - other.height) <= 2


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

    With a window: the VOI function of the header (DICOM PS3.3 C.11.2.1.2 and 3: LINEAR, LINEAR_EXACT, SIGMOID), rounded
    to nearest. Without: uint8 as it is, other dtypes stretched between the `PERCENTILES` of their finite pixels that
    are no padding. `inverted` images (MONOCHROME1) are turned round; padding is black either way. Colour is unchanged.
    NaN is shown as the lowest value.
    """
    if image.pixels.ndim == 3:
        return np.ascontiguousarray(image.pixels, np.uint8)
    return apply_window(image.pixels, image.window, image.voi, image.padding, image.inverted)


def apply_window(
    values: Array,
    window: Window | None,
    voi: VoiFunction = "linear",
    padding: tuple[float, float] | None = None,
    inverted: bool = False,
) -> NDArray[np.uint8]:
    """Values of any shape as uint8 by the rule of `to_display`.

    Integers of up to 16 bits go through a table of all their values and larger arrays through blocks, so that no more
    memory is used than the result and a few MiB.
    """
    if window is None and values.dtype == np.uint8 and padding is None and not inverted:
        return np.ascontiguousarray(values)
    if window is None and values.dtype == np.uint8:
        window, voi = (128.0, 256.0), "linear"  # as it is
    if window is None:
        low, high = percentile_range(values, padding)
        window, voi = ((low + high) / 2, high - low), "linear_exact"
    shown = np.empty(values.shape, np.uint8)
    flat, out = np.ascontiguousarray(values).reshape(-1), shown.reshape(-1)
    if _has_table(values):
        every = _every_value(values.dtype)
        table = _shown(every, window, voi, padding, inverted)
        unsigned = flat.view(f"u{values.dtype.itemsize}")
        for start in range(0, flat.size, _BLOCK):
            np.take(table, unsigned[start : start + _BLOCK], out=out[start : start + _BLOCK])
        return shown
    for start in range(0, flat.size, _BLOCK):
        out[start : start + _BLOCK] = _shown(flat[start : start + _BLOCK], window, voi, padding, inverted)
    return shown


def _has_table(values: Array) -> bool:
    return values.dtype.kind in "iu" and values.dtype.itemsize <= 2 and values.size > 1 << 12


def _every_value(dtype: np.dtype[Any]) -> Array:
    """All values of an 8- or 16-bit integer dtype, in the order of their bits read as unsigned."""
    return np.arange(1 << (8 * dtype.itemsize), dtype=np.uint32).astype(f"u{dtype.itemsize}").view(dtype)


def _shown(
    values: Array, window: Window, voi: VoiFunction, padding: tuple[float, float] | None, inverted: bool
) -> NDArray[np.uint8]:
    shown = _sigmoid(values, window) if voi == "sigmoid" else _ramp(values, window, voi)
    if inverted:
        np.subtract(255, shown, out=shown)
    if padding is not None:
        shown[(values >= padding[0]) & (values <= padding[1])] = 0
    return shown


def _ramp(values: Array, window: Window, voi: VoiFunction) -> NDArray[np.uint8]:
    """PS3.3 C.11.2.1.2.1 LINEAR and C.11.2.1.3.2 LINEAR_EXACT."""
    centre, width = window
    if voi == "linear":
        centre, width = centre - 0.5, width - 1
    low, high = centre - width / 2, centre + width / 2
    with np.errstate(invalid="ignore"):  # a signalling NaN
        finite = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
    if high <= low:  # a LINEAR width of 1 is a threshold
        return np.where(finite > high, 255, 0).astype(np.uint8)
    return np.rint(np.clip((finite - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def _sigmoid(values: Array, window: Window) -> NDArray[np.uint8]:
    """PS3.3 C.11.2.1.3.1: 255 / (1 + exp(-4 (x - centre) / width)), rounded to nearest.

    It is looked up between the 255 values at which it crosses k + 0.5, rounded to 1e-9 of the width, because exp()
    differs in its last bit between processors.
    """
    centre, width = window
    steps = [round(-0.25 * math.log(255 / (k + 0.5) - 1), 9) for k in range(255)]
    crossings = centre + width * np.array(steps)
    with np.errstate(invalid="ignore"):
        finite = np.nan_to_num(values.astype(np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    return np.searchsorted(crossings, finite, side="right").astype(np.uint8)


def percentile_range(values: Array, padding: tuple[float, float] | None = None) -> tuple[float, float]:
    """The `PERCENTILES` (linear interpolation) of the finite values outside `padding`; their minimum and maximum where
    both percentiles are one value (a small bright thing on a flat ground); (0, 0) where nothing is left."""
    if _has_table(values):
        return _counted_range(values, padding)
    kept = values[np.isfinite(values)]
    if padding is not None:
        kept = kept[(kept < padding[0]) | (kept > padding[1])]
    if not kept.size:
        return 0.0, 0.0
    low, high = np.percentile(kept, PERCENTILES, overwrite_input=True)
    if low == high:
        low, high = kept.min(), kept.max()
    return float(low), float(high)


def _counted_range(values: Array, padding: tuple[float, float] | None) -> tuple[float, float]:
    """`percentile_range` of 8- and 16-bit integers from how often each value occurs."""
    every = _every_value(values.dtype)
    flat = np.ascontiguousarray(values).reshape(-1).view(f"u{values.dtype.itemsize}")
    counts = np.zeros(len(every), np.int64)
    for start in range(0, flat.size, _BLOCK):
        counts += np.bincount(flat[start : start + _BLOCK], minlength=len(every))
    if padding is not None:
        counts[(every >= padding[0]) & (every <= padding[1])] = 0
    order = np.argsort(every)
    every, below = every[order].astype(np.int64), np.cumsum(counts[order])
    if below[-1] == 0:
        return 0.0, 0.0

    def ranked(rank: int) -> int:
        return int(every[np.searchsorted(below, rank, side="right")])

    last = int(below[-1]) - 1
    found = []
    for percentile in PERCENTILES:
        rank = last * percentile / 100
        lower = ranked(math.floor(rank))
        found.append(lower + (ranked(min(math.floor(rank) + 1, last)) - lower) * (rank - math.floor(rank)))
    if found[0] == found[1]:
        return float(ranked(0)), float(ranked(last))
    return found[0], found[1]


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
    """Refuse what no model can learn from, as it is displayed: `curate.image.usable.judge` says what and why.

    Raises Reject: `too_small`, `blank`, `no_detail`, `text_only`.
    """
    judge(to_display(image), min_side)
