"""What no model can learn from: images that are too small, blank, without detail, or nothing but text.

Thresholds were set on 420 real images of 64 pixels and more (radiographs, CT, MR, ultrasound, nuclear medicine,
dermoscopy, fundus, histology, endoscopy; DICOM and files), six ruined ones and rendered pages of text:

    detail      ruined at most 0.07, threshold 0.13, real at least 0.26
    text only   glyphs' share of the ink: text at least 0.98, threshold 0.95, real at most 0.86
                glyphs in line: text at least 0.93, threshold 0.85, real at most 0.84 (not of the same image)

Not covered: blur that leaves structures of a twentieth of the image, noise without content, handwriting, vertical
scripts, text over a picture, forms that are mostly ruled lines, pages of fewer than 40 characters.
"""

from __future__ import annotations

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from curate.arrays import Array
from manifests.errors import Reject

MIN_SIDE = 28  # one patch of the vision encoders in use
BLANK_STD = 1.0  # of 256 display levels
MIN_DETAIL = 0.13  # of 256 display levels
MIN_JUDGED = 64  # pixels of the shorter side: smaller images are thumbnails of detail that they had
MIN_GLYPHS = 40
GLYPH_INK = 0.95  # of all ink but ruled lines
GLYPHS_IN_LINE = 0.85
MIN_PAPER = 0.5  # of the area has the background's grey

_DETAIL_SIDE, _DETAIL_CELLS = 256, 24
_PAGE_SIDE = 1024
_BLOCK = 1 << 18  # values counted at a time
_INK = 64  # levels from the background
_MOST_GLYPHS = 1500  # that are looked at


def judge(shown: NDArray[np.uint8], min_side: int = MIN_SIDE) -> None:
    """Refuse an image, uint8 (y, x) or (y, x, 3) as it is displayed.

    Raises Reject: `too_small` (a side below `min_side` pixels), `blank` (a standard deviation below one of 256 levels
    in every channel), `no_detail`, `text_only`.
    """
    height, width = shown.shape[:2]
    if min(height, width) < min_side:
        raise Reject("too_small", f"{height} x {width} pixels (y, x), at least {min_side} wanted")
    spread = max(_std(channel) for channel in (np.moveaxis(shown, 2, 0) if shown.ndim == 3 else [shown]))
    if spread < BLANK_STD:
        raise Reject("blank", f"a standard deviation of {spread:.3f} of 256 levels")
    if min(height, width) < MIN_JUDGED:
        return
    page = _shrunk(_grey(shown), _PAGE_SIDE)
    found = detail(page)
    if found < MIN_DETAIL:
        raise Reject("no_detail", f"a detail of {found:.3f} levels, at least {MIN_DETAIL} wanted")
    glyphs = text_glyphs(page)
    if glyphs:
        raise Reject("text_only", f"{glyphs} characters in lines and nothing else")


def _std(channel: NDArray[np.uint8]) -> float:
    flat, counts = channel.reshape(-1), np.zeros(256, np.int64)
    for start in range(0, flat.size, _BLOCK):
        counts += np.bincount(flat[start : start + _BLOCK], minlength=256)
    levels = np.arange(256)
    total = int(counts.sum())
    mean = int((counts * levels).sum()) / total
    return float(np.sqrt((counts * (levels - mean) ** 2).sum() / total))


def _grey(shown: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if shown.ndim == 2:
        return shown
    total = shown[..., 0].astype(np.uint16) + shown[..., 1] + shown[..., 2]
    return (total // 3).astype(np.uint8)


def detail(grey: Array) -> float:
    """How much of a grey image is finer than a 24th of its longer side, in display levels.

    The image is shrunk to 256 pixels and compared with itself at 24: mean absolute residual times the residual's share
    of the contrast (root mean square over standard deviation). Smooth ramps and smears have next to none; noise has
    much. 0 for a flat image.
    """
    small = _shrunk(grey, _DETAIL_SIDE)
    height, width = small.shape
    cells = PIL.Image.fromarray(_shrunk(small, _DETAIL_CELLS))
    smooth = np.asarray(cells.resize((width, height), PIL.Image.Resampling.BICUBIC), np.float64)
    rest = small.astype(np.float64) - smooth
    contrast = float(small.astype(np.float64).std())
    if contrast == 0:
        return 0.0
    return float(np.abs(rest).mean() * np.sqrt((rest * rest).mean()) / contrast)


def _shrunk(pixels: Array, side: int) -> NDArray[np.float32]:
    """float32 (y, x) by area averaging, the longer side at most `side`."""
    scale = side / max(pixels.shape)
    if scale >= 1:
        return pixels.astype(np.float32)
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    shrunk = PIL.Image.fromarray(pixels.astype(np.float32)).resize(size, PIL.Image.Resampling.BOX)
    return np.asarray(shrunk, np.float32)


def text_glyphs(grey: Array) -> int:
    """The number of characters of an image that shows horizontal lines of print and nothing else; else 0.

    Ink is what differs from the commonest grey by more than a quarter of the range; a character is a connected piece of
    ink, 4 pixels to 8 % of the longer side high. Long thin pieces are ruled lines and count as nothing.
    """
    page = _shrunk(grey, _PAGE_SIDE)
    bins = np.bincount((page.astype(np.int64) // 8).reshape(-1), minlength=32)
    near = bins + np.concatenate([bins[1:], [0]]) + np.concatenate([[0], bins[:-1]])
    paper = int(near.argmax())
    if near[paper] < MIN_PAPER * page.size:
        return 0
    tops, lefts, heights, widths, areas = _pieces(np.abs(page - (paper * 8 + 4)) > _INK)
    ruled = (widths > 10 * heights) | (heights > 10 * widths)
    small = (heights >= 4) & (heights <= 0.08 * max(page.shape))
    glyph = small & (widths <= 6 * heights) & (areas >= 5) & ~ruled
    count = int(glyph.sum())
    if count < MIN_GLYPHS or areas[glyph].sum() < GLYPH_INK * areas[~ruled].sum():
        return 0
    chosen = np.flatnonzero(glyph)[:: -(-count // _MOST_GLYPHS)] if count > _MOST_GLYPHS else np.flatnonzero(glyph)
    everyone = np.flatnonzero(glyph)
    in_line = sum(_has_neighbour(k, everyone, tops + heights, lefts, heights, widths) for k in chosen)
    return count if in_line >= GLYPHS_IN_LINE * len(chosen) else 0


def _pieces(ink: NDArray[np.bool_]) -> tuple[Array, Array, Array, Array, Array]:
    """(top, left, height, width, pixels) of every 8-connected piece."""
    from scipy import ndimage

    labels, _ = ndimage.label(ink, np.ones((3, 3), int))
    boxes = ndimage.find_objects(labels)
    edges = np.array([(y.start, x.start, y.stop - y.start, x.stop - x.start) for y, x in boxes], np.int64)
    edges = edges.reshape(-1, 4)
    return edges[:, 0], edges[:, 1], edges[:, 2], edges[:, 3], np.bincount(labels.reshape(-1))[1:]


def _has_neighbour(k: int, glyphs: Array, bottoms: Array, lefts: Array, heights: Array, widths: Array) -> bool:
    """Whether another character follows on the same line, within one and a half heights."""
    gap = lefts[glyphs] - (lefts[k] + widths[k])
    near = (gap > -1) & (gap <= 1.5 * heights[k] + 2)
    level = np.abs(bottoms[glyphs] - bottoms[k]) <= np.maximum(2, 0.35 * np.maximum(heights[glyphs], heights[k]))
    return bool((near & level).any())
